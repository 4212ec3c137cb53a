/*
 * Restore points: to which TXIDs and times a replica can be restored, as windows.
 *
 * A window is a run of TXIDs that can be reached one after the other with one granularity: every
 * TXID (level 0), or only the ends of files of a level. Windows are in order of TXID; between two
 * of them may be a gap, which names what is missing.
 */
#ifndef LS_RESTORE_POINTS_H
#define LS_RESTORE_POINTS_H

#include "engine/restore/restore.h"

typedef struct ls_point {
    ls_txid txid;       /* can be restored exactly */
    int64_t created_ms; /* of its data */
    int level;          /* finest level with a file that ends here */
} ls_point;

typedef struct ls_window {
    ls_txid first, last; /* TXIDs, both restorable */
    int64_t first_ms, last_ms;
    int level;         /* of the files whose ends are the points */
    size_t points;     /* restorable TXIDs in it */
    int64_t widest_ms; /* longest time between two of them: the granularity */
} ls_window;

typedef struct ls_points_gap {
    ls_txid from, to; /* TXIDs that no file holds, or that no chain reaches */
    ls_txid usable;   /* newest TXID before it that can be restored; 0: none */
} ls_points_gap;

typedef struct ls_points {
    ls_window *windows;
    size_t n_windows;
    ls_points_gap *gaps;
    size_t n_gaps;
} ls_points;

/* Each restorable TXID in ascending order; memory for one listing entry a file of the replica. */
typedef ls_code (*ls_point_fn)(void *arg, const ls_point *p, ls_err *err);
LS_MUST ls_code ls_points_each(ls_storage *s, ls_point_fn fn, void *arg, ls_err *err);

LS_MUST ls_code ls_points_list(ls_storage *s, ls_points *points, ls_err *err);
void ls_points_done(ls_points *points);

#endif
