/*
 * A database as it was at one TXID, page by page, without restoring it: from the files of the plan
 * to there, newest first. Used on the thread of a job.
 *
 * Invariant: at most MOMENT_MAX_PAGES entries of page indexes are held; a file's index is read when
 * a page was in none of the newer ones.
 */
#ifndef LS_TUI_MOMENT_H
#define LS_TUI_MOMENT_H

#include "tui/btree.h"
#include "tui/source.h"

#define MOMENT_MAX_PAGES (4u << 20)

typedef struct moment moment;

/* Where a page was found. */
typedef struct page_place {
    size_t file; /* of the snapshot */
    page_row row;
    ls_ltx_header header; /* of that file */
} page_place;

/* source and snapshot must outlive it; cancel is asked before each read. */
LS_MUST ls_code moment_open(source *s, const snapshot *snap, ls_txid txid, const ls_cancel *cancel,
                            moment **m, ls_err *err);

/* Of one file alone, where nothing is known of those before: other pages are not found. */
LS_MUST ls_code moment_of_file(source *s, const snapshot *snap, size_t file,
                               const ls_cancel *cancel, moment **m, ls_err *err);
void moment_free(moment *m); /* NULL allowed */

/* What page 1 says, where it was found; pages is the size of the database at that moment. */
const btree_db *moment_db(const moment *m);

/* Reads a page into page (page_size bytes). LS_ENOTFOUND if no file holds it. place may be NULL. */
LS_MUST ls_code moment_page(moment *m, uint32_t pgno, uint8_t *page, page_place *place,
                            ls_err *err);

/* How many pages were read. */
size_t moment_reads(const moment *m);

/* The first max bytes of the record of a cell of a page, from its overflow pages too; *len says how
 * many there are in buf. A chain that is not as it must be ends it early. */
LS_MUST ls_code moment_payload(moment *m, const btree_cell *cell, uint8_t *buf, size_t max,
                               size_t *len, ls_err *err);

#endif
