/*
 * The choice of files for a restore, from listings that are read once, forward. Used by plan.c.
 */
#ifndef LS_RESTORE_CHOOSE_H
#define LS_RESTORE_CHOOSE_H

#include "engine/restore/restore.h"

/* Gives the files of each level in ascending (min, max) order. */
typedef struct ls_plan_source ls_plan_source;
struct ls_plan_source {
    ls_code (*next)(ls_plan_source *src, int level, ls_ltx_info *file, bool *end, ls_err *err);
};

/* As ls_plan_make; plan must be empty and is to be freed whatever is returned. */
LS_MUST ls_code ls_choose(ls_plan_source *src, ls_txid txid, int64_t timestamp_ms, ls_plan *plan,
                          ls_err *err);

/* The files of levels 0..8 that lead on from a TXID, those that lead furthest; empty where nothing
 * joins. */
LS_MUST ls_code ls_choose_onward(ls_plan_source *src, ls_txid from, ls_plan *plan, ls_err *err);

/* The same from a store. plan is to be freed whatever is returned. */
LS_MUST ls_code ls_plan_onward(ls_storage *s, ls_txid from, ls_plan *plan, ls_err *err);

#endif
