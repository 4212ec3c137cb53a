/* The screen in memory. Text comes from file names and headers: nothing of it reaches the terminal
 * as a control character. */
#include "tui/canvas.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static int clamp(int v, int max) { return v < 1 ? 1 : v > max ? max : v; }

ls_code canvas_reset(canvas *c, int rows, int cols, ls_err *err) {
    rows = clamp(rows, CANVAS_MAX_ROWS);
    cols = clamp(cols, CANVAS_MAX_COLS);
    if (rows != c->rows || cols != c->cols) {
        cell *cells = realloc(c->cells, (size_t)rows * (size_t)cols * sizeof(*cells));
        if (cells == NULL) {
            return ls_fail(err, LS_ENOMEM, "screen of %dx%d", cols, rows);
        }
        *c = (canvas){.rows = rows, .cols = cols, .cells = cells};
    }
    for (size_t i = 0; i < (size_t)rows * (size_t)cols; i++) {
        c->cells[i] = (cell){.ch = L' ', .how = PLAIN};
    }
    return LS_OK;
}

void canvas_done(canvas *c) {
    free(c->cells);
    *c = (canvas){0};
}

/* The next character of UTF-8 text and its columns. */
static wchar_t next_char(const char **text, int *columns, mbstate_t *state) {
    wchar_t ch;
    size_t n = mbrtowc(&ch, *text, MB_CUR_MAX, state);
    if (n == (size_t)-1 || n == (size_t)-2) {
        memset(state, 0, sizeof(*state));
        n = 1;
        ch = L'?';
    }
    *text += n;
    *columns = wcwidth(ch);
    if (*columns < 0) {
        ch = L'?';
        *columns = 1;
    }
    return ch;
}

int canvas_put(canvas *c, int row, int col, int width, meaning how, const char *text) {
    if (row < 0 || row >= c->rows || col < 0 || col >= c->cols) {
        return 0;
    }
    width = width < c->cols - col ? width : c->cols - col;
    cell *line = c->cells + (size_t)row * (size_t)c->cols + col;
    mbstate_t state = {0};
    int used = 0;
    while (*text != '\0') {
        int columns;
        wchar_t ch = next_char(&text, &columns, &state);
        if (columns == 0) {
            continue;
        }
        if (used + columns > width) {
            break;
        }
        line[used] = (cell){.ch = ch, .how = how};
        for (int i = 1; i < columns; i++) {
            line[used + i] = (cell){.ch = 0, .how = how};
        }
        used += columns;
    }
    for (int i = used; i < width; i++) {
        line[i] = (cell){.ch = L' ', .how = how};
    }
    return used;
}

int canvas_putf(canvas *c, int row, int col, int width, meaning how, const char *fmt, ...) {
    char text[2048];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    return canvas_put(c, row, col, width, how, text);
}

void canvas_print(const canvas *c, FILE *out) {
    for (int row = 0; row < c->rows; row++) {
        const cell *line = c->cells + (size_t)row * (size_t)c->cols;
        int end = c->cols;
        while (end > 0 && line[end - 1].ch == L' ') {
            end--;
        }
        for (int col = 0; col < end; col++) {
            if (line[col].ch != 0) {
                (void)fprintf(out, "%lc", (wint_t)line[col].ch);
            }
        }
        (void)fputc('\n', out);
    }
}
