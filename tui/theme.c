/* Themes: see theme.h. */
#include "tui/theme.h"

#include <stdlib.h>
#include <string.h>

const theme_info theme_table[THEME_COUNT] = {
#define X(id, n, a) [id] = {.name = n, .about = a},
    THEMES(X)
#undef X
};

#define NONE .fg8 = -1, .fg16 = -1, .fg256 = -1

static const theme_style mono[MEANINGS] = {
    [PLAIN] = {NONE},
    [TITLE] = {NONE, .attrs = STYLE_BOLD},
    [SELECTED] = {NONE, .attrs = STYLE_REVERSE},
    [DIM] = {NONE, .attrs = STYLE_DIM},
    [ALERT] = {NONE, .attrs = STYLE_BOLD},
    [GOOD] = {NONE},
    [BRIGHT] = {NONE, .attrs = STYLE_BOLD},
    [CHANGED] = {NONE, .attrs = STYLE_UNDERLINE},
    [KEYS] = {NONE, .attrs = STYLE_BOLD},
};

static const theme_style dark[MEANINGS] = {
    [PLAIN] = {NONE},
    [TITLE] = {NONE, .attrs = STYLE_BOLD},
    [SELECTED] = {NONE, .attrs = STYLE_REVERSE},
    [DIM] = {-1, 8, 245, .attrs = STYLE_DIM},
    [ALERT] = {1, 9, 203, .attrs = STYLE_BOLD},
    [GOOD] = {2, 10, 114, .attrs = 0},
    [BRIGHT] = {6, 14, 80, .attrs = STYLE_BOLD},
    [CHANGED] = {3, 11, 221, .attrs = STYLE_UNDERLINE},
    [KEYS] = {NONE, .attrs = STYLE_BOLD},
};

static const theme_style light[MEANINGS] = {
    [PLAIN] = {NONE},
    [TITLE] = {NONE, .attrs = STYLE_BOLD},
    [SELECTED] = {NONE, .attrs = STYLE_REVERSE},
    [DIM] = {-1, 8, 243, .attrs = STYLE_DIM},
    [ALERT] = {1, 1, 160, .attrs = STYLE_BOLD},
    [GOOD] = {2, 2, 28, .attrs = 0},
    [BRIGHT] = {4, 4, 25, .attrs = STYLE_BOLD},
    [CHANGED] = {5, 5, 130, .attrs = STYLE_UNDERLINE},
    [KEYS] = {NONE, .attrs = STYLE_BOLD},
};

const theme_style *theme_style_of(theme_id theme, meaning how) {
    static const theme_style *const all[THEME_COUNT] = {
        [THEME_DARK] = dark, [THEME_LIGHT] = light, [THEME_MONO] = mono};
    return &all[theme < THEME_COUNT ? theme : THEME_DARK][how < MEANINGS ? how : PLAIN];
}

short theme_colour(const theme_style *s, int colours) {
    return colours >= 256 ? s->fg256 : colours >= 16 ? s->fg16 : colours >= 8 ? s->fg8 : -1;
}

theme_id theme_of_name(const char *name) {
    theme_id t = 0;
    while (t < THEME_COUNT && strcmp(theme_table[t].name, name) != 0) {
        t++;
    }
    return t;
}

theme_id theme_of_environment(void) {
    const char *no = getenv("NO_COLOR"), *fgbg = getenv("COLORFGBG");
    if (no != NULL && *no != '\0') {
        return THEME_MONO;
    }
    const char *bg = fgbg != NULL ? strrchr(fgbg, ';') : NULL;
    bool bright = bg != NULL && (strcmp(bg, ";7") == 0 || strcmp(bg, ";15") == 0);
    return bright ? THEME_LIGHT : THEME_DARK;
}

static void print_style(const theme_style *s, FILE *out) {
    static const int codes[] = {1, 2, 7, 4};
    short fg = theme_colour(s, 256);
    unsigned attrs = fg >= 0 ? s->attrs & ~STYLE_DIM : s->attrs; /* there is grey */
    (void)fputs("\033[0", out);
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if ((attrs >> i & 1) != 0) {
            (void)fprintf(out, ";%d", codes[i]);
        }
    }
    if (fg >= 0) {
        (void)fprintf(out, ";38;5;%d", fg);
    }
    (void)fputc('m', out);
}

void theme_print(const canvas *c, theme_id theme, FILE *out) {
    for (int row = 0; row < c->rows; row++) {
        const screen_cell *line = c->cells + (size_t)row * (size_t)c->cols;
        meaning how = PLAIN;
        for (int col = 0; col < c->cols; col++) {
            if (line[col].how != how) {
                how = line[col].how;
                print_style(theme_style_of(theme, how), out);
            }
            if (line[col].ch != 0) {
                (void)fprintf(out, "%lc", (wint_t)line[col].ch);
            }
        }
        (void)fputs(how != PLAIN ? "\033[0m\n" : "\n", out);
    }
}
