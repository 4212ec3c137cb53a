/*
 * Replicas of Litestream v0.3: read only.
 *
 *   generations/<16 hex>/snapshots/<8 hex index>.snapshot.lz4    the database before that log index
 *   generations/<16 hex>/wal/<8 hex index>_<8..16 hex offset>.wal.lz4
 *
 * LZ4 frames throughout. A snapshot is followed by the segments of its index and the ones after it,
 * each log whole and in order: offset 0 first, each next where the last ended, indexes without a
 * hole. Each log is put beside the database and checkpointed by SQLite before the next one is.
 * Times are inclusive here: what was made at the wanted moment counts (LTX: strictly before).
 */
#ifndef LS_RESTORE_V3_H
#define LS_RESTORE_V3_H

#include "engine/restore/restore.h"

typedef struct ls_v3_bounds {
    bool any;
    int64_t oldest_ms, newest_ms; /* of snapshots and segments */
} ls_v3_bounds;

/* LS_OK with any false where the store keeps no such replica or cannot (only file stores can yet).
 */
LS_MUST ls_code ls_v3_find_bounds(ls_storage *s, ls_v3_bounds *bounds, ls_err *err);

/* Is the v0.3 part of the replica the one to restore from? The latest: if its newest file is newer
 * than every LTX file. By time: if it has a snapshot of that time or before, and LTX has no base (a
 * file that starts at TXID 1) before it, or an older one. timestamp_ms LS_NO_TIMESTAMP: latest. */
LS_MUST ls_code ls_v3_chosen(ls_storage *s, int64_t timestamp_ms, bool *yes, ls_err *err);

/* What ls_v3_rebuild would read, in its order: the snapshot, then segments. Errors are the same as
 * far as names tell. */
LS_MUST ls_code ls_v3_plan(ls_storage *s, int64_t timestamp_ms, ls_object_fn fn, void *arg,
                           ls_err *err);

/* Rebuilds into an open, empty database file named path (a temporary name; its -wal and -shm are
 * used and removed). LS_ENOBACKUP where nothing fits; a missing index or segment is LS_EGAP and is
 * named. result->txid stays 0. */
LS_MUST ls_code ls_v3_rebuild(ls_storage *s, int64_t timestamp_ms, int fd, const char *path,
                              const ls_restore_opts *opts, ls_restore_result *result, ls_err *err);

#endif
