/* The page view's state, which its two files share: view_page.c has reading and requests,
 * page_screen.c draws. */
#ifndef LS_TUI_PAGE_VIEW_H
#define LS_TUI_PAGE_VIEW_H

#include "tui/page_data.h"
#include "tui/page_diff.h"
#include "tui/view.h"

#define PAGE_ROW_BYTES 8 /* twice as many on a wide screen */

/* Which part of a record an overflow page holds, where it was come to from the record's cell. */
typedef struct page_part {
    uint32_t pgno; /* of the page with the cell; 0: not known */
    uint32_t cell;
    uint64_t from, payload; /* first byte here, bytes in all */
} page_part;

typedef struct page_view {
    view base; /* its list: cells, or rows of bytes */
    snapshot *snap;
    size_t file;
    page_row *pages; /* of the file, or one that was followed; owned */
    size_t n, at;
    bool followed;  /* the page of that number right after the file, whichever file holds it */
    tables *tables; /* of the list of pages it was opened from; NULL: each page finds its own */
    page_data data;
    bool loaded, show_before, through_bytes;
    btree_page page, old;
    page_diff diff; /* of the page against its version before, whichever is shown */
    page_part part;
    uint32_t row_bytes; /* in a row of the screen that was drawn last */
    size_t byte_row;    /* first row of bytes shown, where the list is that of the cells */
    job *job;
    ls_err err;
} page_view;

void page_screen_draw(view *base, canvas *c);

/* The list has the rows that there are now: of cells or of bytes. */
void page_set_list(page_view *v);

/* Cells and entries, and on interior pages the right child behind them. */
uint32_t page_rows(const btree_page *p);

/* "→5 88120 (88120,'ann') →9": child, rowid, record, overflow. */
void page_cell_text(const page_view *v, const btree_cell *cell, char *buf, size_t size);

#endif
