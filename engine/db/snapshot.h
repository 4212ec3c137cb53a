/*
 * Snapshots exact to their TXID (capture rule 5), made beside captures.
 *
 * begin, in the thread that captures: under the barrier the log is captured to its end (TXID n,
 * frame m), S begins its read transaction, the barrier ends. write, in any other thread and beside
 * ls_db_sync: each page from its frame up to m where that is still the recorded one, else from the
 * database file, into a temporary file below the meta directory; then S ends, so that an upload of
 * the file, however long, holds nothing. S keeps others from copying frames past m, so the log
 * grows while it lives: past the truncate threshold, or without room on the disk, write gives up
 * with an error, to be tried again later.
 *
 * The file is not called 1-n.ltx: by that name it would be a base that waits for the upload of
 * level-0 file n (capture rule 7). What a crash leaves of it goes at the next start.
 */
#ifndef LS_DB_SNAPSHOT_H
#define LS_DB_SNAPSHOT_H

#include "engine/db/db.h"

typedef struct ls_db_snapshot ls_db_snapshot;

/* LS_ENOTREADY while the database is missing or was not captured yet. LS_EBUSY while another one of
 * this database is not written, or while the log's end cannot be proved. */
LS_MUST ls_code ls_db_snapshot_begin(ls_db *db, ls_db_snapshot **snap, ls_err *err);

/* Writes the file and ends S, whatever happens; *file is what it holds: level 9, 1..n, size, time
 * of TXID n. LS_EBUSY if it was cut short: whatever closes the database's descriptors (ls_db_sync
 * when the database was replaced, ls_db_free) ends S and waits for that. LS_EFULL without room,
 * LS_ELIMIT when the log grew past the truncate threshold. */
LS_MUST ls_code ls_db_snapshot_write(ls_db_snapshot *snap, const ls_cancel *cancel,
                                     ls_ltx_info *file, ls_err *err);

/* Path of the file that was written, NULL if none was. */
const char *ls_db_snapshot_path(const ls_db_snapshot *snap);

/* TXID that the snapshot shows, durable at level 0. */
ls_txid ls_db_snapshot_txid(const ls_db_snapshot *snap);

/* Ends S and removes the file; from any thread, before ls_db_free. NULL allowed. */
void ls_db_snapshot_free(ls_db_snapshot *snap);

#endif
