/*
 * A screen in memory: cells of one character each, with a meaning instead of a colour. Views draw
 * here; the terminal shows it, `-once` and the tests print it.
 */
#ifndef LS_TUI_CANVAS_H
#define LS_TUI_CANVAS_H

#include "engine/base/error.h"

#include <stdio.h>
#include <wchar.h>

/* Largest screen that is drawn; a larger terminal is used up to there. */
#define CANVAS_MAX_COLS 500
#define CANVAS_MAX_ROWS 200

/* What a cell is; term.c gives each a colour or an attribute. No meaning is told by them alone. */
typedef enum meaning {
    PLAIN,
    TITLE,
    SELECTED,
    DIM,
    ALERT, /* wrong, damaged, missing */
    GOOD,
    BRIGHT, /* what belongs to the selection: files of its plan, bytes of its screen_cell */
    CHANGED,
    KEYS,
    MEANINGS
} meaning;

typedef struct screen_cell {
    wchar_t ch; /* 0: right half of a wide character */
    meaning how;
} screen_cell;

typedef struct canvas {
    int rows, cols;
    bool ascii; /* other characters are replaced: the frame's by like ones, the rest by '?' */
    screen_cell *cells; /* owned */
} canvas;

/* Empties the canvas at a size, clamped to 1..MAX. */
LS_MUST ls_code canvas_reset(canvas *c, int rows, int cols, ls_err *err);
void canvas_done(canvas *c);

/* Puts UTF-8 text, cut at width columns (and the right edge) and filled with blanks up to width.
 * Control characters and broken UTF-8 show as '?'. Returns the columns used. */
int canvas_put(canvas *c, int row, int col, int width, meaning how, const char *text);
int canvas_putf(canvas *c, int row, int col, int width, meaning how, const char *fmt, ...)
    LS_PRINTF(6, 7);

/* The same for a path or URL, whose end counts most: cut at its beginning, with "…". */
int canvas_put_end(canvas *c, int row, int col, int width, meaning how, const char *text);

/* Text over several rows, broken at blanks, at most rows of them. Returns the rows used. */
int canvas_wrap(canvas *c, int row, int col, int width, int rows, meaning how, const char *text);

/* Gives cells that are there already another meaning. */
void canvas_mark(canvas *c, int row, int col, int width, meaning how);

/* The canvas as lines of text without trailing blanks. */
void canvas_print(const canvas *c, FILE *out);

#endif
