/*
 * What is there to restore: times and existence, of both formats.
 */
#include "engine/restore/look.h"

#include "engine/restore/v3.h"

/* Calls look with each file of a level until it says stop. Times are exact around until_ms. */
static ls_code each_file(ls_storage *s, int level, int64_t until_ms,
                         bool (*look)(void *arg, const ls_ltx_info *f), void *arg, ls_err *err) {
    ls_storage_iter *it;
    ls_code code = ls_storage_list_timed(s, level, 0, until_ms, &it, err);
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
        code = each_file(s, level, INT64_MAX, note_any, yes, err);
    }
    ls_v3_bounds v3 = {0};
    if (code == LS_OK && !*yes) {
        code = ls_v3_find_bounds(s, &v3, err);
        *yes = v3.any;
    }
    return code;
}

typedef struct look_job {
    int64_t timestamp_ms;
    ls_ltx_look *look;
} look_job;

static bool note_time(void *arg, const ls_ltx_info *f) {
    const look_job *job = arg;
    ls_ltx_look *l = job->look;
    int64_t ms = f->created_ms;
    l->oldest_ms = !l->any || ms < l->oldest_ms ? ms : l->oldest_ms;
    l->newest_ms = !l->any || ms > l->newest_ms ? ms : l->newest_ms;
    l->any = true;
    bool fits = job->timestamp_ms == LS_NO_TIMESTAMP || ms < job->timestamp_ms;
    if (f->min_txid == 1 && fits) {
        l->base_ms = !l->has_base || ms > l->base_ms ? ms : l->base_ms;
        l->has_base = true;
    }
    return false;
}

ls_code ls_ltx_look_at(ls_storage *s, int64_t timestamp_ms, ls_ltx_look *look, ls_err *err) {
    *look = (ls_ltx_look){0};
    look_job job = {.timestamp_ms = timestamp_ms, .look = look};
    ls_code code = LS_OK;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX && code == LS_OK; level++) {
        code = each_file(s, level, timestamp_ms, note_time, &job, err);
    }
    return code;
}

ls_code ls_restore_bounds(ls_storage *s, bool *any, int64_t *oldest_ms, int64_t *newest_ms,
                          ls_err *err) {
    ls_ltx_look ltx;
    ls_v3_bounds v3 = {0};
    ls_code code = ls_ltx_look_at(s, LS_NO_TIMESTAMP, &ltx, err);
    if (code == LS_OK) {
        code = ls_v3_find_bounds(s, &v3, err);
    }
    *any = ltx.any || v3.any;
    *oldest_ms =
        !v3.any || (ltx.any && ltx.oldest_ms < v3.oldest_ms) ? ltx.oldest_ms : v3.oldest_ms;
    *newest_ms =
        !v3.any || (ltx.any && ltx.newest_ms > v3.newest_ms) ? ltx.newest_ms : v3.newest_ms;
    return code;
}
