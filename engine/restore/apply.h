/*
 * One LTX file applied to a database that others read, as one transaction of SQLite: through a
 * rollback journal of SQLite's format and under SQLite's locks. Used by follow.c.
 *
 * Invariant: before the journal is complete and on the disk, no byte of the database changes; from
 * then until it is deleted SQLite rolls back whatever a crash leaves. The file is verified whole in
 * the pass that writes the journal. Cost: the file is read twice, each page of the database that it
 * changes is read, kept and written once; a page that is the same already costs a read.
 */
#ifndef LS_RESTORE_APPLY_H
#define LS_RESTORE_APPLY_H

#include "engine/restore/live.h"

typedef struct ls_apply_opts {
    int fd;           /* open LTX file */
    uint64_t size;    /* its bytes */
    const char *name; /* names it in errors */
    int64_t wait_ns;  /* for readers to end */
    const ls_cancel *cancel;
} ls_apply_opts;

/* The database is at the file's MaxTXID afterwards, and as before if it fails. LS_EBUSY where a
 * reader does not end. A file of another page size is taken if it holds every page. */
LS_MUST ls_code ls_apply(ls_live *l, const ls_apply_opts *opts, ls_err *err);

#endif
