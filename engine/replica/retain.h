/*
 * What may be deleted from a replica, and deleting it (capture rule 10).
 *
 *   level 9      snapshots older than the snapshot retention; never the newest one
 *   level 1..8   files that end before the floor (strictly), which is the MaxTXID of the snapshot
 *                before the oldest one kept (none: nothing); never the newest file of a level
 *   level 0      files older than the level-0 retention that level 1 covers, from the oldest on,
 *                without leaving a hole; never the newest
 *
 * Invariant: before anything is deleted the plan of every promised restore point is made from the
 * listings as they would be afterwards: each snapshot kept, each level's newest TXID, and the
 * newest TXID of all. A deletion after which one could not be restored is not made, and an error
 * names it.
 */
#ifndef LS_REPLICA_RETAIN_H
#define LS_REPLICA_RETAIN_H

#include "backends/storage.h"
#include "engine/base/log.h"

typedef struct ls_retain_policy {
    int64_t snapshot_retention_ms; /* > 0 */
    int64_t l0_retention_ms;       /* 0: level 0 is kept */
    bool remote;                   /* false: retention.enabled=false, only local files go */
    const char *local_root;        /* <meta>/ltx: local level-0 files that go with it; NULL: none */
} ls_retain_policy;

typedef struct ls_retain_result {
    size_t deleted[LS_LTX_LEVEL_MAX + 1]; /* files at the store, by level */
    uint64_t bytes;
    size_t local_deleted;
    size_t l0_not_compacted, l0_too_recent; /* kept, for the reference's gauges */
} ls_retain_result;

/* Levels 1..9 by snapshots. now_ms: since 1970. */
LS_MUST ls_code ls_retain_snapshots(ls_storage *s, const ls_retain_policy *policy, int64_t now_ms,
                                    const ls_log *log, ls_retain_result *result, ls_err *err);

/* Level 0 by time, at the store and beside the database. Local files that the store no longer
 * lists go as well once they are covered; the newest local file stays always. */
LS_MUST ls_code ls_retain_l0(ls_storage *s, const ls_retain_policy *policy, int64_t now_ms,
                             const ls_log *log, ls_retain_result *result, ls_err *err);

#endif
