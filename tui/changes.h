/* What a restore point changed: the finest file that ends there, and the tables its pages are of.
 */
#ifndef LS_TUI_CHANGES_H
#define LS_TUI_CHANGES_H

#include "tui/tables.h"

#define CHANGES_MAX_PAGES 100000u /* with more it is said how many, not of which tables */

typedef struct changes {
    size_t file;    /* of the snapshot; its n: no file ends there */
    size_t pages;   /* in that file */
    tables *tables; /* a reference; NULL: too many pages */
} changes;

/* Of all files that end at a TXID the one with the fewest transactions; snap->n if none does. */
size_t changes_file(const snapshot *snap, ls_txid txid);

LS_MUST ls_code changes_read(source *s, const snapshot *snap, ls_txid txid, const ls_cancel *cancel,
                             changes *c, ls_err *err);
void changes_done(changes *c);

/* "changed here: orders (3 pages)", or "changed in 59 to 5c: ..." where no finer file is left. */
char *changes_format(const changes *c, const snapshot *snap, char *buf, size_t size);

#endif
