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
        screen_cell *cells = realloc(c->cells, (size_t)rows * (size_t)cols * sizeof(*cells));
        if (cells == NULL) {
            return ls_fail(err, LS_ENOMEM, "screen of %dx%d", cols, rows);
        }
        *c = (canvas){.rows = rows, .cols = cols, .ascii = c->ascii, .cells = cells};
    }
    for (size_t i = 0; i < (size_t)rows * (size_t)cols; i++) {
        c->cells[i] = (screen_cell){.ch = L' ', .how = PLAIN};
    }
    return LS_OK;
}

void canvas_done(canvas *c) {
    free(c->cells);
    *c = (canvas){0};
}

/* What stands for the characters that frames and marks are made of where there is ASCII alone. */
static wchar_t in_ascii(wchar_t ch) {
    static const wchar_t *const from = L"▸›→←↑↓│─├┤┼▌▐█░▲▼●○✓✗·…×▁▂▃▄▅▆▇";
    static const char to[] = ">>><^v|-||+###.^v*o+x..x_.-=+*%";
    const wchar_t *at = wcschr(from, ch);
    return at != NULL ? (wchar_t)to[at - from] : L'?';
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
    screen_cell *line = c->cells + (size_t)row * (size_t)c->cols + col;
    mbstate_t state = {0};
    int used = 0;
    while (*text != '\0') {
        int columns;
        wchar_t ch = next_char(&text, &columns, &state);
        if (columns == 0) {
            continue;
        }
        if (c->ascii && ch > 126) {
            ch = in_ascii(ch);
            columns = 1;
        }
        if (used + columns > width) {
            break;
        }
        line[used] = (screen_cell){.ch = ch, .how = how};
        for (int i = 1; i < columns; i++) {
            line[used + i] = (screen_cell){.ch = 0, .how = how};
        }
        used += columns;
    }
    for (int i = used; i < width; i++) {
        line[i] = (screen_cell){.ch = L' ', .how = how};
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

/* Columns of the characters from text on; those that show as '?' are one wide. */
static int columns_of(const canvas *c, const char *text) {
    mbstate_t state = {0};
    int sum = 0, columns;
    while (*text != '\0') {
        wchar_t ch = next_char(&text, &columns, &state);
        sum += c->ascii && ch > 126 && columns > 0 ? 1 : columns;
    }
    return sum;
}

int canvas_put_end(canvas *c, int row, int col, int width, meaning how, const char *text) {
    int columns = columns_of(c, text), dropped;
    mbstate_t state = {0};
    if (columns <= width) {
        return canvas_put(c, row, col, width, how, text);
    }
    while (columns > width - 1 && *text != '\0') {
        wchar_t ch = next_char(&text, &dropped, &state);
        columns -= c->ascii && ch > 126 && dropped > 0 ? 1 : dropped;
    }
    return canvas_putf(c, row, col, width, how, "…%s", text);
}

int canvas_wrap(canvas *c, int row, int col, int width, int rows, meaning how, const char *text) {
    int used = 0;
    while (*text != '\0' && used < rows && width > 0) {
        size_t len = strlen(text), fit = (size_t)width;
        if (len > fit) {
            len = fit;
            while (len > 0 && text[len] != ' ') {
                len--;
            }
            len = len == 0 ? fit : len;
        }
        canvas_putf(c, row + used++, col, width, how, "%.*s", (int)len, text);
        text += len;
        text += strspn(text, " ");
    }
    return used;
}

void canvas_mark(canvas *c, int row, int col, int width, meaning how) {
    for (int i = col; i < col + width; i++) {
        if (row >= 0 && row < c->rows && i >= 0 && i < c->cols) {
            c->cells[(size_t)row * (size_t)c->cols + (size_t)i].how = how;
        }
    }
}

void canvas_print(const canvas *c, FILE *out) {
    for (int row = 0; row < c->rows; row++) {
        const screen_cell *line = c->cells + (size_t)row * (size_t)c->cols;
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
