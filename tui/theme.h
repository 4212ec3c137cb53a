/*
 * What each meaning looks like: colours for terminals of 8, 16 and 256, attributes for all. One
 * table; nothing is told by colour alone, so the theme without colours has all there is to see.
 */
#ifndef LS_TUI_THEME_H
#define LS_TUI_THEME_H

#include "tui/canvas.h"

/* theme, name, about */
#define THEMES(X)                                                                                  \
    X(THEME_DARK, "dark", "for a dark background")                                                 \
    X(THEME_LIGHT, "light", "for a light background")                                              \
    X(THEME_MONO, "mono", "no colours, attributes alone")

typedef enum theme_id {
#define X(id, name, about) id,
    THEMES(X)
#undef X
        THEME_COUNT
} theme_id;

#define STYLE_BOLD 1u
#define STYLE_DIM 2u
#define STYLE_REVERSE 4u
#define STYLE_UNDERLINE 8u

/* Colours: -1 the terminal's own; 0-7 of 8, 0-15 of 16, 0-255 of 256. */
typedef struct theme_style {
    short fg8, fg16, fg256;
    unsigned attrs; /* STYLE_... */
} theme_style;

typedef struct theme_info {
    const char *name, *about;
} theme_info;

extern const theme_info theme_table[THEME_COUNT];

const theme_style *theme_style_of(theme_id theme, meaning how);

/* The colour of a style where there are so many; -1: the terminal's own. */
short theme_colour(const theme_style *s, int colours);

/* THEME_COUNT if there is none. */
theme_id theme_of_name(const char *name);

/* By NO_COLOR (mono) and COLORFGBG, in which some terminals say their background; else dark. */
theme_id theme_of_environment(void);

/* The canvas as canvas_print has it, with SGR sequences for a terminal of 256 colours. */
void theme_print(const canvas *c, theme_id theme, FILE *out);

#endif
