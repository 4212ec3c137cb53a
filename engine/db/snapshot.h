/*
 * Snapshots exact to their TXID (capture rule 5), made beside captures.
 *
 * begin, in the thread that captures: under the barrier the log is captured to its end (TXID n,
 * frame m), S begins its read transaction, the barrier ends. write, in any other thread and beside
 * ls_db_sync: each page from its frame up to m where that is still the recorded one, else from the
 * database file; the result is the local file ltx/9/1-n. S keeps others from copying frames past m,
 * so the log grows while it lives: past the truncate threshold, or without room on the disk, write
 * gives up with an error, to be tried again later.
 */
#ifndef LS_DB_SNAPSHOT_H
#define LS_DB_SNAPSHOT_H

#include "engine/db/db.h"

typedef struct ls_db_snapshot ls_db_snapshot;

/* LS_ENOTREADY while the database is missing or was not captured yet. At most one at a time:
 * LS_EBUSY. ls_db_sync, or whatever else closes the database's descriptors, waits for a snapshot to
 * be cut short first. */
LS_MUST ls_code ls_db_snapshot_begin(ls_db *db, ls_db_snapshot **snap, ls_err *err);

/* Writes the file, durable; *file names it (level 9, 1..n, size, time of TXID n). */
LS_MUST ls_code ls_db_snapshot_write(ls_db_snapshot *snap, const ls_cancel *cancel,
                                     ls_ltx_info *file, ls_err *err);

/* Ends S, from any thread; NULL allowed. The file stays. */
void ls_db_snapshot_free(ls_db_snapshot *snap);

/* TXID that the snapshot shows. */
ls_txid ls_db_snapshot_txid(const ls_db_snapshot *snap);

#endif
