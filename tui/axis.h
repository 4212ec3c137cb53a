/*
 * The axis of the timeline as a pure model: which part of it is on the screen, and at which column
 * a value is. Values are TXIDs or milliseconds.
 *
 * Invariant: all_from <= from < to <= all_to, and what the caller keeps in sight is within
 * from..to.
 */
#ifndef LS_TUI_AXIS_H
#define LS_TUI_AXIS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct axis {
    double all_from, all_to; /* everything there is */
    double from, to;         /* on the screen */
} axis;

/* Everything from a to b, and all of it on the screen. */
axis axis_all(double a, double b);

/* Shows factor times as much, with value where it was on the screen; not more than everything and
 * not less than least. */
void axis_zoom(axis *x, double factor, double value, double least);

/* Moves the part shown just as far as needed to have value in it. */
void axis_show(axis *x, double value);

/* The column of a value, of width; below 0 or from width on: not on the screen. */
int axis_column(const axis *x, double value, int width);

/* The value in the middle of a column. */
double axis_value(const axis *x, int column, int width);

#endif
