/*
 * A list as a pure model: which row is selected and which is the first one shown. Draws nothing and
 * knows no rows, only how many there are.
 */
#ifndef LS_TUI_LIST_H
#define LS_TUI_LIST_H

#include <stddef.h>

typedef struct list {
    size_t n;      /* rows */
    size_t cursor; /* selected row; 0 without rows */
    size_t top;    /* first row shown */
    size_t height; /* rows that fit, at least 1 */
} list;

/* Rows were added or removed, or the screen changed: selection and scroll stay where they can. */
void list_resize(list *l, size_t n, size_t height);

/* Moves the selection by delta rows, stopping at the ends, and scrolls just as far as needed. */
void list_move(list *l, long delta);

void list_first(list *l);
void list_last(list *l);

#endif
