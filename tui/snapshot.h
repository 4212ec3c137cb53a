/*
 * What a listing gave at one moment: files, and the restore points that they make. Made by a job,
 * then read by the screen and other jobs and never changed; whoever drops the last reference frees
 * it. Bounded by SNAPSHOT_MAX_FILES, less than 100 bytes a file.
 */
#ifndef LS_TUI_SNAPSHOT_H
#define LS_TUI_SNAPSHOT_H

#include "engine/litestream.h"

#include <stdatomic.h>
#include <stdlib.h>

#define SNAPSHOT_MAX_FILES 1000000u
#define SNAPSHOT_LEVELS (LS_LTX_LEVEL_MAX + 1)

typedef struct snapshot {
    atomic_int refs;
    ls_ltx_info *files; /* in order of level, MinTXID, MaxTXID; owned */
    char **paths;       /* of LTX files that stand alone; NULL: named by level and TXIDs; owned */
    size_t n, cap;
    size_t first[SNAPSHOT_LEVELS + 1]; /* level l: files[first[l]] to files[first[l + 1] - 1] */
    uint64_t bytes;
    ls_point *points; /* in order of TXID; owned */
    size_t n_points, cap_points;
    ls_points windows; /* windows and gaps */
    ls_err points_err; /* why there are none */
    int64_t taken_ms;
} snapshot;

LS_MUST snapshot *snapshot_new(void); /* one reference; NULL without memory */
snapshot *snapshot_ref(snapshot *s);
void snapshot_unref(snapshot *s); /* NULL allowed */

/* While it is made: a file, in any order; path (copied) may be NULL. */
LS_MUST ls_code snapshot_add(snapshot *s, const ls_ltx_info *file, const char *path, ls_err *err);

/* Sorts, and finds the restore points of a replica. */
void snapshot_finish(snapshot *s, bool replica);

/* The plan to a TXID (0: the newest) or a time, as ls_plan_make has it. */
LS_MUST ls_code snapshot_plan(const snapshot *s, ls_txid txid, int64_t timestamp_ms, ls_plan *plan,
                              ls_err *err);

/* The place of a file in files; n if it is not there. */
size_t snapshot_find(const snapshot *s, const ls_ltx_info *file);

/* The last restore point at or before; n_points if there is none. */
size_t snapshot_point_at_txid(const snapshot *s, ls_txid txid);
size_t snapshot_point_at_time(const snapshot *s, int64_t ms);

#endif
