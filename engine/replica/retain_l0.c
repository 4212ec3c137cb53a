/*
 * Retention of level 0, at the store and beside the database; see retain.h.
 *
 * A file may go once a listing of level 1 showed files that hold its TXIDs, or, where level 1 has a
 * hole that a snapshot bridges, once that snapshot was listed: compaction never comes back to it.
 *
 * Level 0 is cut where what is left of it begins at the end of a file of level 1 or of that
 * snapshot, so that a plan leads to each TXID that is still listed. The files before the cut go
 * from the newest to the oldest: those that are still there when a run is cut short join what leads
 * up to the oldest.
 */
#include "engine/replica/retain.h"

#include "backends/file_list.h"
#include "engine/replica/joined.h"
#include "engine/replica/retain_common.h"
#include "engine/restore/restore.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define FILES_MAX 65536 /* of a level, looked at in one call */

/* Level 1 is listed from so many TXIDs before the oldest level-0 file on, which as a rule is enough
 * for the file that holds it: a level may have many files that are long done with. */
#define LOOK_BACK 1024

typedef struct local_range {
    bool any;
    ls_txid oldest, newest;
} local_range;

typedef struct retention {
    ls_storage *s;
    const ls_retain_policy *policy;
    ls_retain_result *result;
    int64_t cutoff_ms;
    local_range local;
    ls_files l0;   /* its first files */
    bool l0_whole; /* l0 goes up to the newest */
    ls_files l1;   /* each leads further than the one before */
    size_t joined; /* index into l1 of the file up to which joined_min..joined_max was followed */
    ls_txid joined_min, joined_max;
    bool asked_snapshot; /* snapshot is known */
    ls_txid snapshot;    /* MaxTXID of the newest; 0: none */
    size_t base;         /* index into l1 of the file behind whose end level 0 may begin */
    ls_txid base_from;   /* ends of l1 beyond it are led to, up to the next hole of level 1 */
    ls_ltx_info last;    /* of level 0: the file that was read last, and is not judged yet */
    size_t old;          /* files before it, or before the first that stays: old and covered */
    bool stopped;        /* one stays */
    bool uncovered;      /* because it is not covered */
    size_t doomed;       /* first files of level 0 that go */
    ls_txid cut;         /* MaxTXID of the last of them */
} retention;

/* ---- listings ---- */

/* Up to FILES_MAX files, each TXID range once. */
static ls_code read_list(ls_storage_iter *it, ls_files *list, bool *whole, ls_err *err) {
    ls_txid last_min = 0;
    ls_txid last_max = 0;
    ls_code rc = LS_OK;
    *whole = false;
    while (rc == LS_OK && !*whole && list->n < FILES_MAX) {
        ls_ltx_info f;
        rc = ls_storage_iter_next(it, &f, whole, err);
        if (rc != LS_OK || *whole || !ls_ltx_info_sane(&f) ||
            (f.min_txid == last_min && f.max_txid == last_max)) {
            continue;
        }
        last_min = f.min_txid;
        last_max = f.max_txid;
        rc = ls_files_add(list, &f, err);
    }
    return rc;
}

static ls_code list_level(const retention *r, int level, ls_txid seek, ls_files *list, bool *whole,
                          ls_err *err) {
    ls_storage_iter *it = NULL;
    list->n = 0;
    ls_code rc = ls_storage_list(r->s, level, seek, &it, err);
    if (rc == LS_OK) {
        rc = read_list(it, list, whole, err);
    }
    ls_storage_iter_free(it);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "list level %d", level);
}

static ls_code list_local(const retention *r, ls_storage_iter **it, ls_err *err) {
    char *dir = ls_asprintf("%s/0", r->policy->local_root);
    return dir == NULL ? ls_fail(err, LS_ENOMEM, "no memory to list local files")
                       : ls_file_list(dir, 0, 0, it, err);
}

static ls_code scan_local(retention *r, ls_err *err) {
    if (r->policy->local_root == NULL) {
        return LS_OK;
    }
    ls_storage_iter *it = NULL;
    ls_code rc = list_local(r, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info f;
        rc = ls_storage_iter_next(it, &f, &end, err);
        if (rc != LS_OK || end || !ls_ltx_info_sane(&f)) {
            continue;
        }
        r->local.oldest = r->local.any ? r->local.oldest : f.min_txid;
        r->local.newest = f.max_txid > r->local.newest ? f.max_txid : r->local.newest;
        r->local.any = true;
    }
    ls_storage_iter_free(it);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "list local files");
}

static bool l1_begins_behind(const retention *r) {
    return r->l1.n == 0 || r->l1.at[0].min_txid > r->l0.at[0].min_txid;
}

/* What leads no further than a file before it is no end that a plan gets to. */
static void keep_leading(ls_files *list) {
    size_t n = 0;
    for (size_t i = 0; i < list->n; i++) {
        if (n == 0 || list->at[i].max_txid > list->at[n - 1].max_txid) {
            list->at[n++] = list->at[i];
        }
    }
    list->n = n;
}

static ls_code list_l1(retention *r, ls_err *err) {
    ls_txid first = r->l0.at[0].min_txid;
    ls_txid seek = first > LOOK_BACK ? first - LOOK_BACK : 0;
    bool whole;
    ls_code rc = list_level(r, 1, seek, &r->l1, &whole, err);
    if (rc == LS_OK && seek > 0 && l1_begins_behind(r)) {
        rc = list_level(r, 1, 0, &r->l1, &whole, err);
    }
    keep_leading(&r->l1);
    return rc;
}

static ls_code ask_snapshot(retention *r, ls_err *err) {
    ls_ltx_info newest;
    bool any = false;
    if (r->asked_snapshot) {
        return LS_OK;
    }
    ls_code rc = ls_level_newest(r->s, LS_LTX_LEVEL_SNAPSHOT, 0, &newest, &any, err);
    r->asked_snapshot = rc == LS_OK;
    r->snapshot = any && newest.min_txid == 1 ? newest.max_txid : 0;
    return rc;
}

/* ---- what is covered ---- */

/* Follows level 1 until its files that join one another reach max; both move forward only. */
static bool l1_covers(retention *r, ls_txid min, ls_txid max) {
    while (r->joined < r->l1.n && r->joined_max < max) {
        const ls_ltx_info *f = &r->l1.at[r->joined++];
        if (r->joined_max == 0 || f->min_txid - 1 > r->joined_max) {
            r->joined_min = f->min_txid;
        }
        r->joined_max = f->max_txid;
    }
    return r->joined_max >= max && r->joined_min <= min;
}

static bool l1_is_past(const retention *r, ls_txid max) {
    return r->l1.n > 0 && r->l1.at[r->l1.n - 1].max_txid >= max;
}

static ls_code is_covered(retention *r, const ls_ltx_info *f, bool *covered, ls_err *err) {
    *covered = l1_covers(r, f->min_txid, f->max_txid);
    if (*covered || !l1_is_past(r, f->max_txid)) {
        return LS_OK;
    }
    ls_code rc = ask_snapshot(r, err);
    *covered = f->max_txid <= r->snapshot;
    return rc;
}

/* ---- where level 0 is cut ---- */

static bool is_between(ls_txid min, ls_txid txid, ls_txid max) {
    return min <= txid && txid <= max;
}

/* What joins neither the oldest file of level 0 nor the file before it is led to by the snapshot.
 */
static void note_hole(retention *r) {
    ls_txid before = r->l1.at[r->base].min_txid - 1;
    ls_txid end = r->base > 0 ? r->l1.at[r->base - 1].max_txid : r->l0.at[0].min_txid - 1;
    if (before > end) {
        r->base_from = r->snapshot >= before ? r->snapshot : UINT64_MAX;
    }
}

static bool l1_leads_to(const retention *r, const ls_ltx_info *f) {
    ls_txid end = r->base < r->l1.n ? r->l1.at[r->base].max_txid : 0;
    return end > r->base_from && is_between(f->min_txid - 1, end, f->max_txid);
}

/* Does a plan lead to the end of f, and from there on, without the files before it? To be asked of
 * files in their order. */
static bool may_begin_with(retention *r, const ls_ltx_info *f) {
    while (r->base < r->l1.n && r->l1.at[r->base].max_txid < f->min_txid - 1) {
        r->base++;
        if (r->base < r->l1.n) {
            note_hole(r);
        }
    }
    return l1_leads_to(r, f) || is_between(f->min_txid - 1, r->snapshot, f->max_txid);
}

static ls_code judge(retention *r, const ls_ltx_info *f, ls_err *err) {
    if (f->created_ms > r->cutoff_ms) {
        r->stopped = true;
        return LS_OK;
    }
    bool covered = false;
    ls_code rc = is_covered(r, f, &covered, err);
    r->stopped = r->uncovered = !covered;
    return rc;
}

/* One step along level 0. A file is judged once another follows it: the newest stays. */
static ls_code walk_on(retention *r, const ls_ltx_info *f, ls_err *err) {
    ls_code rc = r->last.max_txid != 0 ? judge(r, &r->last, err) : LS_OK;
    if (rc != LS_OK || r->stopped) {
        return rc;
    }
    r->old += r->last.max_txid != 0;
    if (may_begin_with(r, f)) {
        r->doomed = r->old;
        r->cut = r->last.max_txid;
    }
    r->last = *f;
    return LS_OK;
}

/* More files are old than are held in memory: the end of the file of level 1 that holds them all
 * may come later. */
static ls_code walk_past_list(retention *r, ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_code rc = ls_storage_list(r->s, 0, r->last.min_txid + 1, &it, err);
    for (bool end = false; rc == LS_OK && !r->stopped;) {
        ls_ltx_info f;
        rc = ls_canceled(r->policy->cancel) ? ls_fail(err, LS_ECANCELED, "canceled")
                                            : ls_storage_iter_next(it, &f, &end, err);
        if (rc != LS_OK || end) {
            break;
        }
        if (ls_ltx_info_sane(&f) && f.min_txid > r->last.min_txid) {
            rc = walk_on(r, &f, err);
        }
    }
    ls_storage_iter_free(it);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "list level 0");
}

/* Of those that stay for now. */
static void count_kept(retention *r) {
    for (size_t i = r->old; i < r->l0.n; i++) {
        if (r->l0.at[i].created_ms > r->cutoff_ms) {
            r->result->l0_too_recent++;
        } else if (r->uncovered) {
            r->result->l0_not_compacted++;
        }
    }
}

static bool l1_has_hole(const retention *r) {
    for (size_t i = 1; i < r->l1.n; i++) {
        if (r->l1.at[i].min_txid - 1 > r->l1.at[i - 1].max_txid) {
            return true;
        }
    }
    return l1_begins_behind(r);
}

static ls_code choose(retention *r, ls_err *err) {
    ls_code rc = r->l1.n > 0 && l1_has_hole(r) ? ask_snapshot(r, err) : LS_OK;
    if (rc == LS_OK && r->l1.n > 0) {
        note_hole(r);
    }
    for (size_t i = 0; rc == LS_OK && !r->stopped && i < r->l0.n; i++) {
        rc = walk_on(r, &r->l0.at[i], err);
    }
    if (rc == LS_OK && !r->stopped && !r->l0_whole) {
        rc = walk_past_list(r, err);
    }
    count_kept(r);
    return rc;
}

/* ---- proof ---- */

/* Files of l0 that go. */
static size_t doomed_of_list(const retention *r) {
    return r->doomed < r->l0.n ? r->doomed : r->l0.n;
}

/* What leads up to the oldest file is not touched: it stands as a snapshot. */
static ls_code prove(const retention *r, ls_txid txid, ls_err *err) {
    ls_ltx_info bases[2];
    size_t n = 0;
    ls_txid before = r->l0.at[0].min_txid - 1;
    if (before > 0) {
        bases[n++] =
            (ls_ltx_info){.level = LS_LTX_LEVEL_SNAPSHOT, .min_txid = 1, .max_txid = before};
    }
    if (r->snapshot > before) {
        bases[n++] =
            (ls_ltx_info){.level = LS_LTX_LEVEL_SNAPSHOT, .min_txid = 1, .max_txid = r->snapshot};
    }
    ls_ltx_info *levels[LS_LTX_LEVEL_MAX + 1] = {
        [0] = r->l0.at + doomed_of_list(r), [1] = r->l1.at, [LS_LTX_LEVEL_SNAPSHOT] = bases};
    size_t counts[LS_LTX_LEVEL_MAX + 1] = {
        [0] = r->l0.n - doomed_of_list(r), [1] = r->l1.n, [LS_LTX_LEVEL_SNAPSHOT] = n};
    ls_plan plan;
    ls_code rc = ls_plan_choose(levels, counts, txid, LS_NO_TIMESTAMP, &plan, err);
    ls_plan_done(&plan);
    return rc == LS_OK
               ? LS_OK
               : ls_wrap(err,
                         "nothing is deleted: TXID %016" PRIx64 " could not be restored afterwards",
                         txid);
}

static ls_txid greatest(const ls_files *list) {
    ls_txid max = 0;
    for (size_t i = 0; i < list->n; i++) {
        max = list->at[i].max_txid > max ? list->at[i].max_txid : max;
    }
    return max;
}

/* The oldest and the newest TXID that stay. Where more files go than were listed, no TXID of level
 * 0 is promised here. */
static ls_code prove_l0(const retention *r, ls_err *err) {
    if (r->doomed >= r->l0.n) {
        return LS_OK;
    }
    ls_code rc = prove(r, greatest(&r->l0), err);
    return rc == LS_OK ? prove(r, r->l0.at[r->doomed].max_txid, err) : rc;
}

static ls_code prove_both(const retention *r, ls_err *err) {
    ls_txid l1 = greatest(&r->l1);
    ls_code rc = prove_l0(r, err);
    return rc == LS_OK && l1 >= r->l0.at[0].min_txid ? prove(r, l1, err) : rc;
}

/* A hole that a snapshot bridges is none; the snapshots are listed only where that matters. */
static ls_code prove_all(retention *r, ls_err *err) {
    ls_code rc = prove_both(r, err);
    if ((rc == LS_EGAP || rc == LS_ENOBACKUP) && !r->asked_snapshot) {
        ls_err_clear(err);
        rc = ask_snapshot(r, err);
        rc = rc == LS_OK ? prove_both(r, err) : rc;
    }
    return rc;
}

/* ---- deleting ---- */

/* Files in their order, of which the last FILES_MAX are kept; *oldest: index of the oldest, behind
 * which they go round. */
static ls_code keep_last(ls_files *list, size_t *oldest, const ls_ltx_info *f, ls_err *err) {
    if (list->n < FILES_MAX) {
        return ls_files_add(list, f, err);
    }
    list->at[*oldest] = *f;
    *oldest = (*oldest + 1) % FILES_MAX;
    return LS_OK;
}

/* The last files before the cut, as many as one call looks at. */
static ls_code list_last(const retention *r, ls_files *list, size_t *oldest, ls_err *err) {
    ls_storage_iter *it = NULL;
    *oldest = 0;
    ls_code rc = ls_storage_list(r->s, 0, 0, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info f;
        rc = ls_storage_iter_next(it, &f, &end, err);
        end = end || (rc == LS_OK && f.max_txid > r->cut);
        if (rc == LS_OK && !end && ls_ltx_info_sane(&f)) {
            rc = keep_last(list, oldest, &f, err);
        }
    }
    ls_storage_iter_free(it);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "list level 0");
}

/* From the newest to the oldest of n files, of which that at index oldest is the oldest. */
static ls_code delete_files(retention *r, const ls_ltx_info *files, size_t n, size_t oldest,
                            ls_err *err) {
    ls_doomed d = {.s = r->s, .policy = r->policy, .result = r->result};
    ls_code rc = LS_OK;
    for (size_t i = n; rc == LS_OK && i-- > 0;) {
        rc = ls_doomed_add(&d, &files[(oldest + i) % n], err);
    }
    if (rc == LS_OK) {
        rc = ls_doomed_flush(&d, err);
    }
    ls_files_done(&d.files);
    return rc;
}

static ls_code delete_remote(retention *r, ls_err *err) {
    if (r->doomed <= r->l0.n) {
        return delete_files(r, r->l0.at, r->doomed, 0, err);
    }
    ls_files last = {0};
    size_t oldest;
    ls_code rc = list_last(r, &last, &oldest, err);
    if (rc == LS_OK) {
        rc = delete_files(r, last.at, last.n, oldest, err);
    }
    ls_files_done(&last);
    return rc;
}

static ls_code delete_file(retention *r, const ls_ltx_info *f, ls_err *err) {
    char name[LS_LTX_NAME_SIZE];
    char *path = ls_asprintf("%s/0/%s", r->policy->local_root,
                             ls_ltx_name_format(f->min_txid, f->max_txid, name));
    ls_code rc = LS_OK;
    if (path == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to delete local file %s", name);
    }
    if (unlink(path) == 0) {
        r->result->local_deleted++;
    } else if (errno != ENOENT) {
        rc = ls_fail_errno(err, errno, "delete %s", path);
    }
    free(path);
    return rc;
}

/* Files before the store's oldest were left by a run that did not come to its end. */
static ls_code local_may_go(retention *r, const ls_ltx_info *f, bool *yes, ls_err *err) {
    ls_txid first = r->l0.at[0].min_txid;
    ls_txid upto = r->doomed > 0 ? r->cut : first - 1;
    *yes = false;
    if (f->max_txid > upto || f->max_txid >= r->local.newest) {
        return LS_OK;
    }
    *yes = l1_covers(r, f->min_txid, f->max_txid);
    ls_code rc = *yes ? LS_OK : ask_snapshot(r, err);
    *yes = *yes || f->max_txid <= r->snapshot;
    return rc;
}

static ls_code delete_local(retention *r, ls_err *err) {
    ls_storage_iter *it = NULL;
    r->joined = 0; /* once more from the begin */
    r->joined_min = r->joined_max = 0;
    ls_code rc = list_local(r, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info f;
        bool yes = false;
        rc = ls_storage_iter_next(it, &f, &end, err);
        if (rc != LS_OK || end || !ls_ltx_info_sane(&f)) {
            continue;
        }
        rc = local_may_go(r, &f, &yes, err);
        if (rc == LS_OK && yes) {
            rc = delete_file(r, &f, err);
        }
    }
    ls_storage_iter_free(it);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "local files");
}

/* ---- all of it ---- */

/* Where the store keeps everything, only what is still here matters. */
static ls_code list_l0(retention *r, ls_err *err) {
    ls_txid seek = r->policy->remote ? 0 : r->local.oldest;
    return list_level(r, 0, seek, &r->l0, &r->l0_whole, err);
}

static ls_code run(retention *r, ls_err *err) {
    ls_code rc = scan_local(r, err);
    if (rc != LS_OK || (!r->policy->remote && !r->local.any)) {
        return rc;
    }
    rc = list_l0(r, err);
    if (rc != LS_OK || r->l0.n == 0) {
        return rc;
    }
    rc = list_l1(r, err);
    if (rc == LS_OK) {
        rc = choose(r, err);
    }
    if (rc == LS_OK && r->policy->remote && r->doomed > 0) {
        rc = prove_all(r, err);
        rc = rc == LS_OK ? delete_remote(r, err) : rc;
    }
    return rc == LS_OK && r->local.any ? delete_local(r, err) : rc;
}

static void say(const retention *r, const ls_log *log) {
    if (r->result->deleted[0] + r->result->local_deleted > 0) {
        ls_log_write(log, LS_INFO, "l0 retention enforced",
                     LS_ATTRS(LS_STR("system", "store"), LS_STR("url", ls_storage_url(r->s)),
                              LS_INT("deleted_count", r->result->deleted[0]),
                              LS_INT("local_deleted", r->result->local_deleted),
                              LS_INT("not_compacted_yet", r->result->l0_not_compacted),
                              LS_INT("too_recent", r->result->l0_too_recent)));
    }
}

ls_code ls_retain_l0(ls_storage *s, const ls_retain_policy *policy, int64_t now_ms,
                     const ls_log *log, ls_retain_result *result, ls_err *err) {
    ls_retain_result ignored;
    result = result != NULL ? result : &ignored;
    *result = (ls_retain_result){0};
    if (policy->l0_retention_ms <= 0) {
        return LS_OK;
    }
    retention r = {
        .s = s, .policy = policy, .result = result, .cutoff_ms = now_ms - policy->l0_retention_ms};
    ls_code rc = run(&r, err);
    say(&r, log);
    ls_files_done(&r.l0);
    ls_files_done(&r.l1);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "level 0 retention of %s", ls_storage_url(s));
}
