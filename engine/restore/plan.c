/*
 * Restore plans from a store or from given listings; the choice itself is in choose.c.
 */
#include "engine/restore/choose.h"

#include <stdlib.h>

#define LEVELS (LS_LTX_LEVEL_MAX + 1)

void ls_plan_done(ls_plan *plan) {
    free(plan->files);
    *plan = (ls_plan){0};
}

/* ---- from a store ---- */

typedef struct store_source {
    ls_plan_source base;
    ls_storage *s;
    int64_t timestamp_ms;
    ls_txid seek0; /* where the listing of level 0 begins: its files hold one TXID each */
    ls_storage_iter *its[LEVELS]; /* opened by the first question */
    bool ended[LEVELS];
} store_source;

static ls_code store_next(ls_plan_source *src, int level, ls_ltx_info *file, bool *end,
                          ls_err *err) {
    store_source *ss = (store_source *)src;
    ls_code code = LS_OK;
    *end = ss->ended[level];
    if (*end) {
        return LS_OK;
    }
    if (ss->its[level] == NULL) {
        ls_txid seek = level == 0 ? ss->seek0 : 0;
        code =
            ss->timestamp_ms == LS_NO_TIMESTAMP
                ? ls_storage_list(ss->s, level, seek, &ss->its[level], err)
                : ls_storage_list_timed(ss->s, level, seek, ss->timestamp_ms, &ss->its[level], err);
    }
    if (code == LS_OK) {
        code = ls_storage_iter_next(ss->its[level], file, end, err);
    }
    ss->ended[level] = *end;
    return code == LS_OK ? LS_OK : ls_wrap(err, "list level %d", level);
}

static void store_source_done(store_source *src) {
    for (int level = 0; level < LEVELS; level++) {
        ls_storage_iter_free(src->its[level]);
    }
}

ls_code ls_plan_make(ls_storage *s, ls_txid txid, int64_t timestamp_ms, ls_plan *plan,
                     ls_err *err) {
    *plan = (ls_plan){0};
    store_source src = {.base = {.next = store_next}, .s = s, .timestamp_ms = timestamp_ms};
    ls_code code = ls_choose(&src.base, txid, timestamp_ms, plan, err);
    store_source_done(&src);
    if (code != LS_OK) {
        ls_plan_done(plan);
    }
    return code;
}

ls_code ls_plan_onward(ls_storage *s, ls_txid from, ls_plan *plan, ls_err *err) {
    *plan = (ls_plan){0};
    store_source src = {
        .base = {.next = store_next}, .s = s, .timestamp_ms = LS_NO_TIMESTAMP, .seek0 = from};
    ls_code code = ls_choose_onward(&src.base, from, plan, err);
    store_source_done(&src);
    return code;
}

/* ---- from given listings ---- */

typedef struct array_source {
    ls_plan_source base;
    ls_ltx_info *const *levels;
    const size_t *counts;
    size_t pos[LEVELS];
} array_source;

static ls_code array_next(ls_plan_source *src, int level, ls_ltx_info *file, bool *end,
                          ls_err *err) {
    (void)err;
    array_source *as = (array_source *)src;
    *end = as->pos[level] == as->counts[level];
    if (!*end) {
        *file = as->levels[level][as->pos[level]++];
    }
    return LS_OK;
}

ls_code ls_plan_choose(ls_ltx_info *const levels[10], const size_t counts[10], ls_txid txid,
                       int64_t timestamp_ms, ls_plan *plan, ls_err *err) {
    *plan = (ls_plan){0};
    array_source src = {.base = {.next = array_next}, .levels = levels, .counts = counts};
    ls_code code = ls_choose(&src.base, txid, timestamp_ms, plan, err);
    if (code != LS_OK) {
        ls_plan_done(plan);
    }
    return code;
}
