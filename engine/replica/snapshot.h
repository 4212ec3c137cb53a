/*
 * Snapshots at the store: level 9, files 1..TXID.
 *
 * Made of bytes that are there already where that is possible: a file of another level that begins
 * at TXID 1 is copied inside the store; a full level-0 file beside the database is sent with
 * another header, its compressed pages as they are. Else the caller has engine/db write one.
 */
#ifndef LS_REPLICA_SNAPSHOT_H
#define LS_REPLICA_SNAPSHOT_H

#include "backends/storage.h"
#include "engine/base/cancel.h"
#include "engine/db/db.h"

/* Copies the newest file 1..n of levels 0 to 8 to level 9 if n is txid, or, with any, whatever n is
 * (the first snapshot of a replica). made->max_txid is 0 if there is no such file. */
LS_MUST ls_code ls_snapshot_copy(ls_storage *s, ls_txid txid, bool any, const ls_cancel *cancel,
                                 ls_ltx_info *made, ls_err *err);

/* If the local level-0 file of txid holds every page: writes the snapshot 1..txid with its pages to
 * a temporary file; *path, the caller's to remove and to free, is NULL if it does not. Reads local
 * files only and may run beside whatever else is done with db. */
LS_MUST ls_code ls_snapshot_of_full(const ls_db *db, ls_txid txid, char **path, ls_err *err);

/* Sends a local file as snapshot 1..txid. exclusive: one that is there stays, and that is no error.
 * Stops between reads when canceled. */
LS_MUST ls_code ls_snapshot_put(ls_storage *s, ls_txid txid, const char *path, bool exclusive,
                                const ls_cancel *cancel, ls_ltx_info *made, ls_err *err);

#endif
