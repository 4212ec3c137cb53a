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
        code = ls_storage_list(ss->s, level, 0, &ss->its[level], err);
    }
    if (code == LS_OK) {
        code = ls_storage_iter_next(ss->its[level], file, end, err);
    }
    ss->ended[level] = *end;
    return code == LS_OK ? LS_OK : ls_wrap(err, "list level %d", level);
}

ls_code ls_plan_make(ls_storage *s, ls_txid txid, int64_t timestamp_ms, ls_plan *plan,
                     ls_err *err) {
    *plan = (ls_plan){0};
    store_source src = {.base = {.next = store_next}, .s = s};
    ls_code code = ls_choose(&src.base, txid, timestamp_ms, plan, err);
    for (int level = 0; level < LEVELS; level++) {
        ls_storage_iter_free(src.its[level]);
    }
    if (code != LS_OK) {
        ls_plan_done(plan);
    }
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

/* ---- what is there ---- */

/* Calls look with each file of a level until it says stop. */
static ls_code each_file(ls_storage *s, int level, bool (*look)(void *arg, const ls_ltx_info *f),
                         void *arg, ls_err *err) {
    ls_storage_iter *it;
    ls_code code = ls_storage_list(s, level, 0, &it, err);
    for (bool end = false; code == LS_OK && !end;) {
        ls_ltx_info file;
        code = ls_storage_iter_next(it, &file, &end, err);
        end = end || (code == LS_OK && look(arg, &file));
    }
    ls_storage_iter_free(it);
    return code == LS_OK ? LS_OK : ls_wrap(err, "list level %d", level);
}

static bool note_any(void *arg, const ls_ltx_info *f) {
    (void)f;
    *(bool *)arg = true;
    return true;
}

ls_code ls_restore_available(ls_storage *s, bool *yes, ls_err *err) {
    *yes = false;
    ls_code code = LS_OK;
    for (int level = LS_LTX_LEVEL_MAX; level >= 0 && !*yes && code == LS_OK; level--) {
        code = each_file(s, level, note_any, yes, err);
    }
    return code;
}

typedef struct bounds {
    bool any;
    int64_t oldest, newest;
} bounds;

static bool note_time(void *arg, const ls_ltx_info *f) {
    bounds *b = arg;
    b->oldest = !b->any || f->created_ms < b->oldest ? f->created_ms : b->oldest;
    b->newest = !b->any || f->created_ms > b->newest ? f->created_ms : b->newest;
    b->any = true;
    return false;
}

ls_code ls_restore_bounds(ls_storage *s, bool *any, int64_t *oldest_ms, int64_t *newest_ms,
                          ls_err *err) {
    bounds b = {0};
    ls_code code = LS_OK;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX && code == LS_OK; level++) {
        code = each_file(s, level, note_time, &b, err);
    }
    *any = b.any;
    *oldest_ms = b.oldest;
    *newest_ms = b.newest;
    return code;
}
