/*
 * What the page view reads of one page, on the thread of a job: the page, its version before the
 * file that holds it, what the database says of all pages, and to which table it belongs.
 */
#ifndef LS_TUI_PAGE_DATA_H
#define LS_TUI_PAGE_DATA_H

#include "tui/tables.h"

typedef struct page_data {
    page_place place;      /* where the page is */
    uint8_t *now, *before; /* page_size bytes each; owned */
    bool has_before;
    ls_ltx_info before_file;
    ls_err before_err; /* why there is none */
    btree_db db;
    tables *tables; /* a reference; NULL: not known */
} page_data;

typedef struct page_want {
    size_t file;    /* the moment is that after this file */
    bool in_file;   /* the page is the one of row; else the one of that number at the moment */
    page_row row;   /* pgno alone counts if not in_file */
    bool replica;   /* there are files before */
    tables *tables; /* a reference, with the page or not; NULL allowed */
} page_want;

/* LS_ENOTFOUND if the page is not there at that moment. */
LS_MUST ls_code page_data_read(source *s, const snapshot *snap, const page_want *want,
                               const ls_cancel *cancel, page_data *d, ls_err *err);
void page_data_done(page_data *d);

/* The database right after a file, or as much of it as the file holds. */
LS_MUST ls_code moment_after(source *s, const snapshot *snap, size_t file, bool replica,
                             const ls_cancel *cancel, moment **m, ls_err *err);

#endif
