/*
 * What may be deleted from a replica, and deleting it (capture rule 10).
 *
 *   level 9      snapshots older than the snapshot retention, but for the newest of these, which is
 *                the base of the oldest moments promised: those within the retention. So the newest
 *                of all never goes
 *   level 1..8   files that end before the floor (strictly), which is the MaxTXID of the snapshot
 *                before the oldest one kept, if that one goes now (none does: nothing); never the
 *                newest file of a level
 *   level 0      files older than the level-0 retention that level 1 covers, from the oldest on, up
 *                to the end of a file of level 1; never the newest
 *
 * Levels go before their snapshots, so that a run that was cut short is made up for by the next.
 * The floor is one snapshot lower than needed: a restore that was planned from that snapshot before
 * the run finds the files that follow it. The base that stays is no such margin: the snapshot that
 * goes was the base until this run, of moments that were promised a while ago.
 *
 * Invariant: before anything is deleted the plan of every promised restore point is made from the
 * listings as they would be afterwards: each snapshot kept, each level's newest TXID that is not
 * before the oldest snapshot kept, and with them the newest TXID of all. A deletion after which one
 * could not be restored is not made, and the error, which has the plan's code (LS_EGAP,
 * LS_ENOBACKUP), names it. Of level 0 the same is shown for what follows its oldest file: whatever
 * led up to there is not touched. To each TXID that stays at level 0 leads a plan if one did
 * before, at every moment of a run and after one that was cut short.
 *
 * Memory is bounded: levels with many files are listed anew for each of these plans.
 */
#ifndef LS_REPLICA_RETAIN_H
#define LS_REPLICA_RETAIN_H

#include "backends/storage.h"
#include "engine/base/cancel.h"
#include "engine/base/log.h"

typedef struct ls_retain_policy {
    int64_t snapshot_retention_ms; /* > 0 */
    int64_t l0_retention_ms;       /* 0: level 0 is kept */
    bool remote;                   /* false: retention.enabled=false, only local files go */
    const char *local_root;        /* <meta>/ltx: local level-0 files that go with it; NULL: none */
    const ls_cancel *cancel;       /* may be NULL */
} ls_retain_policy;

typedef struct ls_retain_result {
    size_t deleted[LS_LTX_LEVEL_MAX + 1]; /* files at the store, by level */
    uint64_t bytes;
    size_t local_deleted;
    size_t l0_not_compacted, l0_too_recent; /* kept, for the reference's gauges */
} ls_retain_result;

/* More snapshots than this are refused (LS_ELIMIT). */
#define LS_RETAIN_SNAPSHOTS_MAX 16384

/* Levels 1..9 by snapshots. now_ms: since 1970. result is filled in either case and may be NULL. */
LS_MUST ls_code ls_retain_snapshots(ls_storage *s, const ls_retain_policy *policy, int64_t now_ms,
                                    const ls_log *log, ls_retain_result *result, ls_err *err);

/* Level 0 by time, at the store and beside the database. Local files that the store no longer
 * lists go as well once level 1 or a snapshot covers them; the newest local file stays always. At
 * most 65536 files a call, the last of those that go: the rest goes with the next ones. */
LS_MUST ls_code ls_retain_l0(ls_storage *s, const ls_retain_policy *policy, int64_t now_ms,
                             const ls_log *log, ls_retain_result *result, ls_err *err);

#endif
