/*
 * A list as a pure model: which rows are shown in which order, which one is selected and which is
 * the first one on the screen. Draws nothing and holds no rows: a row is its number, 0 to total
 * - 1.
 *
 * Invariant: the selection is within the rows and on the screen. A change of filter or order keeps
 * the selected row selected where it is still shown. Four bytes a row, only once there is a filter
 * or an order.
 *
 * A filter looks at LIST_STEP rows at a time, so that typing never waits for a long list: while
 * list_busy(), what was found so far is shown, and list_step() goes on.
 */
#ifndef LS_TUI_LIST_H
#define LS_TUI_LIST_H

#include "engine/base/error.h"

#include <stdint.h>

#define LIST_FILTER_MAX 80
#define LIST_STEP 2000

typedef struct list {
    size_t total;    /* rows there are */
    size_t n;        /* rows shown */
    size_t cursor;   /* selected among the rows shown; 0 without rows */
    size_t top;      /* first one on the screen */
    size_t height;   /* rows that fit, at least 1 */
    uint32_t *shown; /* owned: numbers of the rows shown, in order; NULL: all as they are */
    int order;       /* column of the order; 0: as the rows are */
    bool reverse;
    char filter[LIST_FILTER_MAX]; /* "!text" shows what does not match */
    /* Rows that the filter has still to look at: shown[at] to shown[end - 1], at >= n. */
    size_t at, end;
    size_t wanted; /* the row to be selected once it is shown; SIZE_MAX: none */
} list;

/* What the model asks of the rows. */
typedef struct list_rows {
    void *arg;
    /* Is the text, without regard to case, part of row? */
    bool (*match)(void *arg, size_t row, const char *text);
    /* Order of two rows by a column, 1 and up; equal ones stay in the order of their numbers. */
    int (*compare)(void *arg, size_t a, size_t b, int column);
    /* The same as a number, which is much faster. NULL: by compare. */
    uint64_t (*key)(void *arg, size_t row, int column);
} list_rows;

/* The screen changed: selection and scroll stay where they can. */
void list_resize(list *l, size_t height);

/* There are total rows now, perhaps others than before. */
LS_MUST ls_code list_rows_changed(list *l, size_t total, const list_rows *rows, ls_err *err);

/* Another filter, cut at LIST_FILTER_MAX - 1 bytes. One that only got longer looks only at the rows
 * that are still shown. */
LS_MUST ls_code list_set_filter(list *l, const char *filter, const list_rows *rows, ls_err *err);

LS_MUST ls_code list_set_order(list *l, int order, bool reverse, const list_rows *rows,
                               ls_err *err);

/* Has the filter rows left to look at? */
bool list_busy(const list *l);

/* Looks at some of them; false once there are none left. */
bool list_step(list *l, const list_rows *rows);

/* The number of the row at a place among those shown. */
size_t list_row(const list *l, size_t at);

/* Selects a row by its number; false where it is not shown. */
bool list_select(list *l, size_t row);

/* Moves the selection by delta rows, stopping at the ends, and scrolls just as far as needed. */
void list_move(list *l, long delta);
void list_first(list *l);
void list_last(list *l);

void list_done(list *l);

#endif
