/*
 * Every TXID at which a file ends, in ascending order: can it be restored, and by which file last?
 * The answers are those of ls_plan_choose for each of these TXIDs; all of them together cost one
 * sort of the listing. sweep.c has the proof.
 */
#ifndef LS_RESTORE_SWEEP_H
#define LS_RESTORE_SWEEP_H

#include "engine/restore/listing.h"

typedef struct ls_sweep ls_sweep;

typedef struct ls_sweep_step {
    ls_txid txid;
    bool reachable; /* else only first_start below is filled in */
    /* The plan: that of the step at depth - 1, if the last file does not start at TXID 1, and then
     * the last file. Steps at deeper depths are not part of later plans any more. depth 0 is a
     * snapshot of level 9; 1 and more follow it or, at the replica's begin, nothing. */
    size_t depth;
    const ls_ltx_info *last;
    const ls_ltx_info *finest; /* of all files that end here the one of the lowest level */
    ls_txid first_start;       /* lowest MinTXID of the files of levels 0 to 8 that end here */
} ls_sweep_step;

/* listing must outlive the sweep and not change. */
LS_MUST ls_code ls_sweep_new(const ls_listing *listing, ls_sweep **sweep, ls_err *err);

LS_MUST ls_code ls_sweep_next(ls_sweep *sweep, ls_sweep_step *step, bool *end, ls_err *err);

void ls_sweep_free(ls_sweep *sweep); /* NULL allowed */

#endif
