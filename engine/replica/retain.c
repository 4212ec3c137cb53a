/*
 * Retention of snapshots and of levels 1..8, see retain.h: what is to go is decided by level 9
 * alone, shown to be harmless, then deleted.
 */
#include "engine/replica/retain.h"

#include "engine/replica/joined.h"
#include "engine/replica/retain_common.h"
#include "engine/restore/choose.h"

#include <inttypes.h>
#include <string.h>

#define LEVELS LS_LTX_LEVEL_SNAPSHOT /* 0..8 */
#define CACHE_MAX (256u * 1024)      /* files of these levels held in memory */

/* Files of a level that matter to what is promised: those that end behind the oldest snapshot kept.
 */
typedef struct level {
    ls_files files;
    bool streamed; /* too many: listed anew for each plan */
    ls_txid newest;
} level;

typedef struct retention {
    ls_storage *s;
    const ls_retain_policy *policy;
    int64_t cutoff_ms;
    ls_files kept;     /* snapshots, by MaxTXID */
    bool has_base;     /* one of them is older than the cutoff: */
    size_t base;       /* index into kept */
    size_t doomed;     /* snapshots that go */
    ls_txid last_gone; /* MaxTXID of the newest of them */
    ls_txid floor;     /* levels 1..8 below it go */
    level levels[LEVELS];
    size_t cached;
} retention;

/* ---- snapshots ---- */

static bool is_snapshot(const ls_ltx_info *f) { return f->min_txid == 1 && f->max_txid >= 1; }

/* As a restore to the cutoff takes what is older than it: one of that very time is no base. */
static bool is_old(const retention *r, const ls_ltx_info *f) {
    return f->created_ms < r->cutoff_ms;
}

static ls_code keep(retention *r, const ls_ltx_info *f, ls_err *err) {
    if (r->kept.n == LS_RETAIN_SNAPSHOTS_MAX) {
        (void)ls_fail(err, LS_ELIMIT, "more than %d snapshots are within the snapshot retention",
                      LS_RETAIN_SNAPSHOTS_MAX);
        return ls_hint(err, "make the snapshot interval longer or the retention shorter");
    }
    return ls_files_add(&r->kept, f, err);
}

/* The base goes, as a newer one is there. The floor is what stood before the oldest that stays. */
static void let_base_go(retention *r) {
    ls_ltx_info *at = &r->kept.at[r->base];
    r->last_gone = at->max_txid;
    r->floor = r->base == 0 ? at->max_txid : r->floor;
    memmove(at, at + 1, (r->kept.n - r->base - 1) * sizeof *at);
    r->kept.n--;
    r->doomed++;
}

static ls_code sort_out(retention *r, const ls_ltx_info *f, void *arg, ls_err *err) {
    (void)arg;
    if (is_old(r, f)) {
        if (r->has_base) {
            let_base_go(r);
        }
        r->has_base = true;
        r->base = r->kept.n;
    }
    return keep(r, f, err);
}

/* Calls look with each snapshot in order of MaxTXID, each once. */
static ls_code each_snapshot(retention *r,
                             ls_code (*look)(retention *r, const ls_ltx_info *f, void *arg,
                                             ls_err *err),
                             void *arg, ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_txid last = 0;
    ls_code rc = ls_storage_list(r->s, LS_LTX_LEVEL_SNAPSHOT, 0, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info f = {0};
        rc = ls_storage_iter_next(it, &f, &end, err);
        if (rc == LS_OK && !end && is_snapshot(&f) && f.max_txid > last) {
            last = f.max_txid;
            rc = look(r, &f, arg, err);
        }
    }
    ls_storage_iter_free(it);
    return rc;
}

/* ---- levels ---- */

static ls_txid oldest_kept(const retention *r) { return r->kept.at[0].max_txid; }

static ls_code cache(retention *r, level *l, const ls_ltx_info *f, ls_err *err) {
    if (l->streamed || f->max_txid <= oldest_kept(r)) {
        return LS_OK;
    }
    if (r->cached == CACHE_MAX) {
        r->cached -= l->files.n;
        ls_files_done(&l->files);
        l->streamed = true;
        return LS_OK;
    }
    r->cached++;
    return ls_files_add(&l->files, f, err);
}

static ls_code scan_level(retention *r, int number, ls_err *err) {
    level *l = &r->levels[number];
    ls_storage_iter *it = NULL;
    ls_code rc = ls_storage_list(r->s, number, 0, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info f;
        rc = ls_storage_iter_next(it, &f, &end, err);
        if (rc == LS_OK && !end && ls_ltx_info_sane(&f)) {
            l->newest = f.max_txid > l->newest ? f.max_txid : l->newest;
            rc = cache(r, l, &f, err);
        }
    }
    ls_storage_iter_free(it);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "list level %d", number);
}

/* ---- proof ---- */

/* The listings as they would be: what is kept of level 9, and of the others what matters. */
typedef struct view {
    ls_plan_source base;
    const retention *r;
    size_t pos[LEVELS + 1];
    ls_storage_iter *its[LEVELS]; /* of levels that are listed anew */
} view;

static ls_code view_stream(view *v, int number, ls_ltx_info *f, bool *end, ls_err *err) {
    ls_code rc =
        v->its[number] != NULL ? LS_OK : ls_storage_list(v->r->s, number, 0, &v->its[number], err);
    while (rc == LS_OK) {
        rc = ls_storage_iter_next(v->its[number], f, end, err);
        if (rc != LS_OK || *end || f->max_txid > oldest_kept(v->r)) {
            break;
        }
    }
    return rc == LS_OK ? LS_OK : ls_wrap(err, "list level %d", number);
}

static ls_code view_next(ls_plan_source *src, int number, ls_ltx_info *f, bool *end, ls_err *err) {
    view *v = (view *)src;
    const retention *r = v->r;
    if (number < LEVELS && r->levels[number].streamed) {
        return view_stream(v, number, f, end, err);
    }
    const ls_files *files = number < LEVELS ? &r->levels[number].files : &r->kept;
    *end = v->pos[number] == files->n;
    if (!*end) {
        *f = files->at[v->pos[number]++];
    }
    return LS_OK;
}

static ls_code prove(const retention *r, ls_txid txid, ls_err *err) {
    view v = {.base = {.next = view_next}, .r = r};
    ls_plan plan = {0};
    if (ls_canceled(r->policy->cancel)) {
        return ls_fail(err, LS_ECANCELED, "canceled");
    }
    ls_code rc = ls_choose(&v.base, txid, LS_NO_TIMESTAMP, &plan, err);
    ls_plan_done(&plan);
    for (int i = 0; i < LEVELS; i++) {
        ls_storage_iter_free(v.its[i]);
    }
    return rc == LS_OK
               ? LS_OK
               : ls_wrap(err,
                         "nothing is deleted: TXID %016" PRIx64 " could not be restored afterwards",
                         txid);
}

/* A level whose newest file is older than the oldest snapshot kept promises nothing. */
static ls_code prove_all(const retention *r, ls_err *err) {
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && i < r->kept.n; i++) {
        rc = prove(r, r->kept.at[i].max_txid, err);
    }
    for (int number = 0; rc == LS_OK && number < LEVELS; number++) {
        if (r->levels[number].newest > oldest_kept(r)) {
            rc = prove(r, r->levels[number].newest, err);
        }
    }
    return rc;
}

/* ---- deleting ---- */

/* Files come in order of MinTXID: behind the floor none ends before it. */
static ls_code delete_level(retention *r, int number, ls_doomed *d, ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_code rc = ls_storage_list(r->s, number, 0, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info f;
        rc = ls_storage_iter_next(it, &f, &end, err);
        if (rc != LS_OK || end || !ls_ltx_info_sane(&f)) {
            continue;
        }
        end = f.min_txid >= r->floor;
        if (f.max_txid < r->floor && f.max_txid < r->levels[number].newest) {
            rc = ls_doomed_add(d, &f, err);
        }
    }
    ls_storage_iter_free(it);
    if (rc == LS_OK) {
        rc = ls_doomed_flush(d, err);
    }
    return rc == LS_OK ? LS_OK : ls_wrap(err, "level %d", number);
}

/* Only what was seen before and found to be old; the base is behind all of these. */
static ls_code delete_one(retention *r, const ls_ltx_info *f, void *arg, ls_err *err) {
    return is_old(r, f) && f->max_txid <= r->last_gone ? ls_doomed_add(arg, f, err) : LS_OK;
}

static ls_code delete_all(retention *r, ls_retain_result *result, ls_err *err) {
    ls_doomed d = {.s = r->s, .policy = r->policy, .result = result};
    ls_code rc = LS_OK;
    for (int number = 1; rc == LS_OK && number < LEVELS; number++) {
        if (r->levels[number].newest != 0 && r->floor != 0) {
            rc = delete_level(r, number, &d, err);
        }
    }
    if (rc == LS_OK) {
        rc = each_snapshot(r, delete_one, &d, err);
    }
    if (rc == LS_OK) {
        rc = ls_doomed_flush(&d, err);
    }
    ls_files_done(&d.files);
    return rc;
}

/* ---- all of it ---- */

static ls_code run(retention *r, ls_retain_result *result, ls_err *err) {
    ls_code rc = each_snapshot(r, sort_out, NULL, err);
    if (rc != LS_OK) {
        return ls_wrap(err, "list snapshots");
    }
    if (r->doomed == 0) {
        return LS_OK;
    }
    for (int number = 0; rc == LS_OK && number < LEVELS; number++) {
        rc = scan_level(r, number, err);
    }
    if (rc == LS_OK) {
        rc = prove_all(r, err);
    }
    return rc == LS_OK ? delete_all(r, result, err) : rc;
}

static void done(retention *r) {
    ls_files_done(&r->kept);
    for (int number = 0; number < LEVELS; number++) {
        ls_files_done(&r->levels[number].files);
    }
}

static void say(const retention *r, const ls_log *log, const ls_retain_result *result) {
    size_t levels = 0;
    for (int number = 1; number < LEVELS; number++) {
        levels += result->deleted[number];
    }
    if (levels + result->deleted[LS_LTX_LEVEL_SNAPSHOT] > 0) {
        ls_log_write(log, LS_INFO, "snapshot retention enforced",
                     LS_ATTRS(LS_STR("system", "store"), LS_STR("url", ls_storage_url(r->s)),
                              LS_INT("snapshots", result->deleted[LS_LTX_LEVEL_SNAPSHOT]),
                              LS_INT("files", levels), LS_INT("size", result->bytes),
                              LS_TXID("floor", r->floor)));
    }
}

ls_code ls_retain_snapshots(ls_storage *s, const ls_retain_policy *policy, int64_t now_ms,
                            const ls_log *log, ls_retain_result *result, ls_err *err) {
    ls_retain_result ignored;
    result = result != NULL ? result : &ignored;
    *result = (ls_retain_result){0};
    if (policy->snapshot_retention_ms <= 0) {
        return ls_fail(err, LS_EINVALID, "snapshot retention must be greater than zero");
    }
    if (!policy->remote) {
        return LS_OK;
    }
    retention r = {.s = s, .policy = policy, .cutoff_ms = now_ms - policy->snapshot_retention_ms};
    ls_code rc = run(&r, result, err);
    say(&r, log, result);
    done(&r);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "snapshot retention of %s", ls_storage_url(s));
}
