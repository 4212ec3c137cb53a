/*
 * Brings level-0 files of a database to its store, in TXID order, never leaving a gap.
 *
 * At the start the store is read over all levels (capture rule 9): what it holds is compared with
 * the local files, and a replica that is ahead, behind or of another lineage is named and resolved
 * (ls_db_rebase) or stops loudly. A store that cannot be reached delays uploads, never capture.
 */
#ifndef LS_REPLICA_REPLICA_H
#define LS_REPLICA_REPLICA_H

#include "backends/storage.h"
#include "engine/base/log.h"
#include "engine/db/db.h"

typedef struct ls_replica ls_replica;

/* Takes ownership of storage; db must outlive the replica. */
LS_MUST ls_code ls_replica_new(ls_db *db, ls_storage *storage, const ls_log *log, ls_replica **r,
                               ls_err *err);
void ls_replica_free(ls_replica *r); /* NULL allowed */

/* Reads from the store what the comparison needs; the part of ls_replica_check that may take long.
 * May run beside ls_db_sync, not beside the other functions here. */
LS_MUST ls_code ls_replica_probe(ls_replica *r, ls_err *err);

/* Compares store and local files once; to be called, with the ls_db not in use elsewhere, until it
 * has succeeded, and again after an upload that found the store changed. A no-op afterwards. Probes
 * first unless that was done: after a probe only local files are read. */
LS_MUST ls_code ls_replica_check(ls_replica *r, ls_err *err);

/* Forgets what is known of the store: the next check compares anew. */
void ls_replica_uncheck(ls_replica *r);

/* Somebody else was seen to write to the store: later calls of ls_replica_sync are LS_EDIVERGED and
 * say why, until a comparison. Not beside the other functions here. */
void ls_replica_diverge(ls_replica *r, const ls_err *why);

bool ls_replica_probed(const ls_replica *r);
bool ls_replica_checked(const ls_replica *r);

typedef struct ls_replica_sync_result {
    ls_txid txid; /* newest on the replica */
    int files;    /* uploaded by this call */
    uint64_t bytes;
} ls_replica_sync_result;

/* Uploads what is missing up to upto (a TXID that is durable locally), pending snapshots first. May
 * run beside ls_db_sync. Needs a successful ls_replica_check before. An object that exists with the
 * same bytes counts as uploaded; with others it is LS_EDIVERGED, now and in every later call. Where
 * the store lost the file before the first one to upload, or a local file is gone or damaged,
 * nothing more is sent and the replica counts as not checked again: LS_EGAP. result is filled in
 * either case and may be NULL. */
LS_MUST ls_code ls_replica_sync(ls_replica *r, ls_txid upto, ls_replica_sync_result *result,
                                ls_err *err);

ls_txid ls_replica_txid(const ls_replica *r); /* atomic */
ls_storage *ls_replica_storage(ls_replica *r);

#endif
