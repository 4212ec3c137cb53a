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

typedef enum meaning { PLAIN, TITLE, SELECTED, DIM, ALERT, KEYS } meaning;

typedef struct cell {
    wchar_t ch; /* 0: right half of a wide character */
    meaning how;
} cell;

typedef struct canvas {
    int rows, cols;
    cell *cells; /* owned */
} canvas;

/* Empties the canvas at a size, clamped to 1..MAX. */
LS_MUST ls_code canvas_reset(canvas *c, int rows, int cols, ls_err *err);
void canvas_done(canvas *c);

/* Puts UTF-8 text, cut at width columns (and the right edge) and filled with blanks up to width.
 * Control characters and broken UTF-8 show as '?'. Returns the columns used. */
int canvas_put(canvas *c, int row, int col, int width, meaning how, const char *text);
int canvas_putf(canvas *c, int row, int col, int width, meaning how, const char *fmt, ...)
    LS_PRINTF(6, 7);

/* The canvas as lines of text without trailing blanks. */
void canvas_print(const canvas *c, FILE *out);

#endif
