/*
 * Follow mode: a restored database that is kept up with its replica, while others read it.
 *
 * A batch of files is applied as one transaction of SQLite, so that a reader never sees a part of
 * it and one that opens the file after a kill at any instant recovers it. Every file is verified
 * whole before its first page is written. Beside the database lies <output>-txid, the TXID that it
 * holds (16 hexadecimal digits and a line feed), written after the transaction: applying a batch
 * again changes nothing.
 */
#ifndef LS_RESTORE_FOLLOW_H
#define LS_RESTORE_FOLLOW_H

#include "engine/base/clock.h"
#include "engine/restore/restore.h"

typedef struct ls_follow_opts {
    ls_restore_opts restore; /* of the first restore; output, cancel, progress */
    int64_t interval_ns;     /* <= 0: 1 s */
    const ls_clock *clock;   /* NULL: the system's */
    const ls_log *log;       /* may be NULL */
} ls_follow_opts;

typedef struct ls_follow ls_follow;

/* Restores, or resumes where the output exists: LS_EINVALID without its -txid file, LS_EGAP where
 * the replica no longer holds the way on from there (pruned history), naming both TXIDs. */
LS_MUST ls_code ls_follow_new(ls_storage *s, const ls_follow_opts *opts, ls_follow **f,
                              ls_err *err);

/* One look: applies what is new, through higher levels and a snapshot where level 0 has a hole.
 * *from, *to: TXIDs before and after. */
LS_MUST ls_code ls_follow_poll(ls_follow *f, ls_txid *from, ls_txid *to, ls_err *err);

/* Polls until cancelled; errors are logged and tried again. LS_OK when cancelled. */
LS_MUST ls_code ls_follow_run(ls_follow *f, ls_err *err);

ls_txid ls_follow_txid(const ls_follow *f);
void ls_follow_free(ls_follow *f); /* NULL allowed */

#endif
