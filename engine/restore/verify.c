/*
 * Verifies a replica; see verify.h.
 *
 * Every file is read once, in any order, and what is kept of it is a few numbers (ls_fact); the
 * rest is arithmetic on the listing.
 *
 * Why this covers every restore point. sweep.c gives all of them in ascending order, each with its
 * plan as one step behind the plan of an earlier point, its parent. A restore writes a page from
 * the newest file of the plan that holds it, so a point is complete if every page up to its Commit
 * is in a file of its plan. Let H be the highest Commit in the plan so far, and let the plan so far
 * hold the pages 1..H. A base, which starts at TXID 1, must hold all its pages: H is its Commit. An
 * increment with Commit C adds pages and takes none away. If C <= H nothing can be missing; else
 * the pages H + 1..C can come from it alone, and it holds them all just if the highest page that it
 * lacks is at most H. So one comparison for each point decides, exactly up to the first lack; and
 * as a file is the last one of one plan at most, files are compared once whatever the number of
 * levels. Behind a lack, points are counted as bad up to the next base, though a later file may
 * bring the page.
 *
 * What this cannot see: an increment that keeps checksums of the whole database, joins the one
 * before it and ends in a wrong one. Restores to it fail by that checksum; full tries the newest.
 *
 * A replica that is in use changes meanwhile. A file that is gone when it is to be read makes a new
 * listing, of which only what is new is read, up to ROUNDS times.
 */
#include "engine/restore/verify.h"

#include "engine/restore/sweep.h"
#include "engine/restore/verify_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS 8

typedef struct verifier {
    ls_storage *s;
    const ls_verify_opts *opts;
    ls_verify_result *result;
    ls_listing listing;
    ls_fact *facts[LS_LISTING_LEVELS]; /* of listing.levels */
    ls_txid oldest;                    /* first restore point; 0: none */
    ls_restore_progress progress;
} verifier;

const char *ls_finding_name(ls_finding_kind kind) {
    static const char *const names[] = {
        [LS_FINDING_BAD_FILE] = "bad-file", [LS_FINDING_HOLE] = "hole",
        [LS_FINDING_OVERLAP] = "overlap",   [LS_FINDING_UNREACHABLE] = "unreachable",
        [LS_FINDING_COVERAGE] = "coverage", [LS_FINDING_INTEGRITY] = "integrity",
        [LS_FINDING_TIME] = "time",
    };
    return (size_t)kind < sizeof names / sizeof names[0] ? names[kind] : "unknown";
}

static void report(const verifier *v, const ls_finding *f) {
    v->result->findings += f->harmless ? 0 : 1;
    if (v->opts->finding != NULL) {
        v->opts->finding(v->opts->arg, f);
    }
}

static bool wanted(const verifier *v, int level) {
    return v->opts->level < 0 || v->opts->level == level;
}

/* ---- listings ---- */

static void free_facts(ls_fact *facts[LS_LISTING_LEVELS]) {
    for (int level = 0; level < LS_LISTING_LEVELS; level++) {
        free(facts[level]);
        facts[level] = NULL;
    }
}

static ls_code new_facts(verifier *v, ls_err *err) {
    for (int level = 0; level < LS_LISTING_LEVELS; level++) {
        v->facts[level] = calloc(v->listing.counts[level] + 1, sizeof *v->facts[level]);
        if (v->facts[level] == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory to verify %zu files", v->listing.n);
        }
    }
    return LS_OK;
}

/* What is known of a level's files from the listing before; both are in the same order. A file of
 * another size is another file. */
static void keep_facts(verifier *v, int level, const ls_listing *old, const ls_fact *facts) {
    size_t k = 0;
    for (size_t i = 0; i < v->listing.counts[level]; i++) {
        const ls_ltx_info *f = &v->listing.levels[level][i];
        int order = -1;
        while (k < old->counts[level] && order < 0) {
            order = ls_ltx_info_cmp(&old->levels[level][k], f);
            k += order < 0 ? 1 : 0;
        }
        if (order == 0 && k < old->counts[level] && old->levels[level][k].size == f->size &&
            facts[k].state != LS_FACT_GONE) {
            v->facts[level][i] = facts[k];
        }
    }
}

static void count_work(verifier *v) {
    v->progress.files = 0;
    v->progress.bytes = 0;
    for (int level = 0; level < LS_LISTING_LEVELS; level++) {
        for (size_t i = 0; wanted(v, level) && i < v->listing.counts[level]; i++) {
            v->progress.files++;
            v->progress.bytes += v->listing.levels[level][i].size;
        }
    }
}

/* A new listing in place of the one before. */
static ls_code list_files(verifier *v, ls_err *err) {
    ls_listing old = v->listing;
    ls_fact *facts[LS_LISTING_LEVELS];
    memcpy(facts, v->facts, sizeof facts);
    memset(v->facts, 0, sizeof v->facts);
    ls_code code = ls_listing_read(v->s, &v->listing, err);
    if (code == LS_OK) {
        code = new_facts(v, err);
    }
    for (int level = 0; code == LS_OK && level < LS_LISTING_LEVELS; level++) {
        if (facts[level] != NULL) {
            keep_facts(v, level, &old, facts[level]);
        }
    }
    ls_listing_done(&old);
    free_facts(facts);
    count_work(v);
    return code;
}

/* ---- files ---- */

static void note_read(void *arg, uint64_t bytes) {
    verifier *v = arg;
    v->result->bytes += bytes;
    v->progress.bytes_done += bytes;
    if (v->opts->progress != NULL) {
        v->opts->progress(v->opts->arg, &v->progress);
    }
}

/* Names that the planner passes over: nothing can be restored from such files. */
static bool sane(const ls_ltx_info *f) {
    return f->min_txid > 0 && f->min_txid <= f->max_txid &&
           (f->level != LS_LTX_LEVEL_SNAPSHOT || f->min_txid == 1);
}

static void report_bad(verifier *v, const ls_ltx_info *f, const char *text) {
    v->result->bad_files++;
    report(v, &(ls_finding){.kind = LS_FINDING_BAD_FILE,
                            .file = *f,
                            .from = f->min_txid,
                            .to = f->max_txid,
                            .text = text});
}

static ls_code check_file(verifier *v, const ls_ltx_info *f, ls_fact *fact, ls_err *err) {
    if (!sane(f)) {
        fact->state = LS_FACT_BAD;
        report_bad(v, f,
                   f->level == LS_LTX_LEVEL_SNAPSHOT ? "no snapshot: it does not start at TXID 1"
                                                     : "no file can have these TXIDs");
        return LS_OK;
    }
    ls_code code = ls_verify_file(v->s, f, v->opts->cancel, note_read, v, fact, err);
    if (fact->state == LS_FACT_BAD) {
        report_bad(v, f, err->msg);
        ls_err_clear(err);
        return LS_OK;
    }
    return code;
}

static ls_code check_level(verifier *v, int level, bool *gone, ls_err *err) {
    ls_code code = LS_OK;
    for (size_t i = 0; i < v->listing.counts[level] && code == LS_OK; i++) {
        ls_fact *fact = &v->facts[level][i];
        if (fact->state != LS_FACT_UNREAD) {
            continue;
        }
        const ls_ltx_info *f = &v->listing.levels[level][i];
        const uint64_t before = v->progress.bytes_done;
        code = check_file(v, f, fact, err);
        bool missed = fact->state == LS_FACT_GONE;
        *gone = *gone || missed;
        v->progress.files_done += missed ? 0 : 1;
        v->progress.bytes_done =
            before + (missed ? 0 : f->size); /* all of a bad file counts, too */
    }
    return code;
}

static ls_code check_files(verifier *v, ls_err *err) {
    for (int round = 0; round < ROUNDS; round++) {
        bool gone = false;
        ls_code code = list_files(v, err);
        for (int level = 0; level < LS_LISTING_LEVELS && code == LS_OK; level++) {
            if (wanted(v, level)) {
                code = check_level(v, level, &gone, err);
            }
        }
        if (code != LS_OK || !gone) {
            return code;
        }
    }
    ls_fail(err, LS_EBUSY, "files go faster than they can be read");
    return ls_hint(err, "verify again when retention is done");
}

/* ---- times ---- */

static bool has_other_time(const ls_ltx_info *f, const ls_fact *fact) {
    int64_t differs = f->created_ms - fact->timestamp;
    return fact->state == LS_FACT_GOOD &&
           (differs >= LS_VERIFY_TIME_MS || differs <= -LS_VERIFY_TIME_MS);
}

/* A replica that was copied without its times restores by wrong ones, and nothing else tells. */
static void check_times(verifier *v) {
    const ls_ltx_info *first = NULL;
    size_t n = 0;
    for (int level = 0; level < LS_LISTING_LEVELS; level++) {
        for (size_t i = 0; i < v->listing.counts[level]; i++) {
            const ls_ltx_info *f = &v->listing.levels[level][i];
            if (has_other_time(f, &v->facts[level][i])) {
                first = first != NULL ? first : f;
                n++;
            }
        }
    }
    if (n > 0) {
        char text[128];
        (void)snprintf(text, sizeof text,
                       "the times of %zu files are not those in their headers: -timestamp goes by "
                       "the former",
                       n);
        report(v, &(ls_finding){.kind = LS_FINDING_TIME,
                                .harmless = true,
                                .file = *first,
                                .from = first->min_txid,
                                .to = first->max_txid,
                                .text = text});
    }
}

/* ---- joins within a level ---- */

static void report_hole(verifier *v, const ls_ltx_info *next, ls_txid from, ls_txid to) {
    char a[LS_TXID_SIZE];
    char b[LS_TXID_SIZE];
    char text[128];
    (void)snprintf(text, sizeof text, "TXIDs %s to %s are missing before it",
                   ls_txid_format(from, a), ls_txid_format(to, b));
    report(v, &(ls_finding){.kind = LS_FINDING_HOLE,
                            .harmless = v->oldest != 0 && to <= v->oldest,
                            .file = *next,
                            .from = from,
                            .to = to,
                            .text = text});
}

static void report_overlap(verifier *v, const ls_ltx_info *f, ls_txid end) {
    char a[LS_TXID_SIZE];
    char text[128];
    (void)snprintf(text, sizeof text, "files before it hold the TXIDs up to %s already",
                   ls_txid_format(end, a));
    report(v, &(ls_finding){.kind = LS_FINDING_OVERLAP,
                            .file = *f,
                            .from = f->min_txid,
                            .to = end < f->max_txid ? end : f->max_txid,
                            .text = text});
}

static void check_joins(verifier *v, int level) {
    ls_txid end = 0;
    bool first = true;
    for (size_t i = 0; i < v->listing.counts[level]; i++) {
        const ls_ltx_info *f = &v->listing.levels[level][i];
        if (!sane(f)) {
            continue;
        }
        if (!first && f->min_txid - 1 > end) {
            report_hole(v, f, end + 1, f->min_txid - 1);
        } else if (!first && f->min_txid <= end) {
            report_overlap(v, f, end);
        }
        end = f->max_txid > end ? f->max_txid : end;
        first = false;
    }
}

/* ---- restore points ---- */

/* A restore point whose plan later ones carry on. */
typedef struct point {
    ls_txid txid;
    uint32_t page_size;
    uint32_t high; /* highest Commit in its plan */
    bool checksums;
    uint64_t post_apply;
    bool bad;
} point;

typedef struct point_job {
    verifier *v;
    point *path;                    /* by depth of the sweep */
    ls_txid last;                   /* newest reachable TXID */
    ls_txid blocked, blocked_start; /* unreachable ones behind it: the newest, and where the first
                                       file of them starts; 0: none */
} point_job;

static const ls_fact *fact_of(const verifier *v, const ls_ltx_info *f) {
    return &v->facts[f->level][f - v->listing.levels[f->level]];
}

static void report_point(verifier *v, ls_finding_kind kind, const ls_ltx_info *f,
                         const char *text) {
    report(v, &(ls_finding){
                  .kind = kind, .file = *f, .from = f->max_txid, .to = f->max_txid, .text = text});
}

static void report_lack(verifier *v, const ls_ltx_info *f, const ls_fact *fact) {
    char text[128];
    (void)snprintf(text, sizeof text, "page %" PRIu32 " of %" PRIu32 " is in no file of the plan",
                   fact->lacks, fact->commit);
    report_point(v, LS_FINDING_COVERAGE, f, text);
}

static void report_page_size(verifier *v, const ls_ltx_info *f, const ls_fact *fact,
                             const point *parent) {
    char text[128];
    (void)snprintf(text, sizeof text,
                   "page size %" PRIu32 ", but files before it have %" PRIu32
                   ", and no snapshot of the new size is there",
                   fact->page_size, parent->page_size);
    report_point(v, LS_FINDING_UNREACHABLE, f, text);
}

/* A good file behind a good plan: does it carry that on? */
static bool carries_on(verifier *v, const ls_ltx_info *f, const ls_fact *fact,
                       const point *parent) {
    if (fact->page_size != parent->page_size) {
        report_page_size(v, f, fact, parent);
        return false;
    }
    if (fact->checksums && parent->checksums && f->min_txid == parent->txid + 1 &&
        fact->pre_apply != parent->post_apply) {
        report_point(v, LS_FINDING_BAD_FILE, f,
                     "it continues another database: its pre-apply checksum is not the post-apply "
                     "checksum of the file before it");
        return false;
    }
    if (fact->lacks > parent->high) {
        report_lack(v, f, fact);
        return false;
    }
    return true;
}

static bool is_complete(verifier *v, const ls_ltx_info *base, const ls_fact *fact) {
    if (fact->lacks != 0) {
        report_lack(v, base, fact);
    }
    return fact->lacks == 0;
}

static void take_point(point_job *job, const ls_sweep_step *step) {
    static const point none;
    verifier *v = job->v;
    const ls_ltx_info *f = step->last;
    const ls_fact *fact = fact_of(v, f);
    bool base = f->min_txid == 1;
    const point *parent = base ? &none : &job->path[step->depth - 1];
    bool bad = parent->bad || fact->state != LS_FACT_GOOD;
    if (!bad) {
        bad = base ? !is_complete(v, f, fact) : !carries_on(v, f, fact, parent);
    }
    job->path[step->depth] = (point){
        .txid = step->txid,
        .page_size = fact->page_size,
        .high = fact->commit > parent->high ? fact->commit : parent->high,
        .checksums = fact->checksums,
        .post_apply = fact->post_apply,
        .bad = bad,
    };
    v->result->points++;
    v->result->points_bad += bad ? 1 : 0;
    if (!bad) {
        v->result->txid = step->txid;
    }
}

/* Tells of the unreachable TXIDs so far. Those before the first restore point are what retention
 * left. */
static void end_gap(point_job *job, bool at_end) {
    if (job->blocked == 0) {
        return;
    }
    char a[LS_TXID_SIZE];
    char b[LS_TXID_SIZE];
    char c[LS_TXID_SIZE];
    char text[160];
    (void)snprintf(text, sizeof text, "files that end at TXIDs up to %s: %s to %s are missing",
                   ls_txid_format(job->blocked, a), ls_txid_format(job->last + 1, b),
                   ls_txid_format(job->blocked_start - 1, c));
    report(job->v, &(ls_finding){.kind = LS_FINDING_UNREACHABLE,
                                 .harmless = job->last == 0 && !at_end,
                                 .from = job->last + 1,
                                 .to = job->blocked,
                                 .text = text});
    job->blocked = 0;
}

static void take_step(point_job *job, const ls_sweep_step *step) {
    if (!step->reachable) {
        bool first = job->blocked == 0 || step->first_start < job->blocked_start;
        job->blocked_start = first ? step->first_start : job->blocked_start;
        job->blocked = step->txid;
        return;
    }
    end_gap(job, false);
    take_point(job, step);
    job->last = step->txid;
}

static ls_code check_points(verifier *v, ls_err *err) {
    point_job job = {.v = v};
    job.path = calloc(v->listing.n + 1, sizeof *job.path);
    if (job.path == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to verify %zu files", v->listing.n);
    }
    ls_sweep *sweep;
    ls_code code = ls_sweep_new(&v->listing, &sweep, err);
    for (bool end = false; code == LS_OK && !end;) {
        ls_sweep_step step;
        code = ls_sweep_next(sweep, &step, &end, err);
        if (code == LS_OK && !end) {
            take_step(&job, &step);
        }
    }
    ls_sweep_free(sweep);
    free(job.path);
    if (code == LS_OK) {
        end_gap(&job, true);
    }
    return code;
}

/* The first restore point: what is missing below it, nobody was promised. */
static ls_code find_oldest(verifier *v, ls_err *err) {
    ls_sweep *sweep;
    ls_code code = ls_sweep_new(&v->listing, &sweep, err);
    for (bool end = false; code == LS_OK && !end && v->oldest == 0;) {
        ls_sweep_step step;
        code = ls_sweep_next(sweep, &step, &end, err);
        v->oldest = code == LS_OK && !end && step.reachable ? step.txid : 0;
    }
    ls_sweep_free(sweep);
    return code;
}

/* ---- SQLite's check ---- */

/* What says that the database is not what it should be; all else says nothing of the replica. */
static bool is_verdict(ls_code code) {
    return code == LS_ECORRUPT || code == LS_ECHECKSUM || code == LS_EFORMAT || code == LS_EGAP ||
           code == LS_ENOBACKUP || code == LS_ESQLITE;
}

static ls_code restore_into(verifier *v, const char *dir, ls_err *err) {
    char *path = ls_path_join(dir, "db");
    if (path == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to restore");
    }
    const ls_restore_opts opts = {.output = path,
                                  .txid = v->result->txid,
                                  .timestamp_ms = LS_NO_TIMESTAMP,
                                  .integrity = LS_INTEGRITY_FULL,
                                  .cancel = v->opts->cancel};
    ls_restore_result ignored;
    ls_code code = ls_restore(v->s, &opts, &ignored, err);
    free(path);
    if (!is_verdict(code)) {
        return code;
    }
    const ls_ltx_info newest = {.max_txid = v->result->txid};
    report_point(v, LS_FINDING_INTEGRITY, &newest, err->msg);
    ls_err_clear(err);
    return LS_OK;
}

static ls_code check_newest(verifier *v, ls_err *err) {
    const char *base = v->opts->scratch_dir != NULL ? v->opts->scratch_dir : getenv("TMPDIR");
    char *dir =
        ls_asprintf("%s/litestream-verify-XXXXXX", base != NULL && base[0] != '\0' ? base : "/tmp");
    if (dir == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to restore");
    }
    ls_code code = LS_OK;
    if (mkdtemp(dir) == NULL) {
        code = ls_fail_errno(err, errno, "create folder %s", dir);
    } else {
        code = restore_into(v, dir, err);
        ls_err removing = LS_ERR_INIT;
        if (ls_remove_tree(dir, &removing) != LS_OK && code == LS_OK) {
            *err = removing;
            code = err->code;
        }
    }
    free(dir);
    return code == LS_OK ? LS_OK : ls_wrap(err, "restore to check it");
}

/* ---- all ---- */

static ls_code run(verifier *v, ls_err *err) {
    ls_code code = check_files(v, err);
    if (code == LS_OK) {
        code = find_oldest(v, err);
    }
    if (code != LS_OK) {
        return code;
    }
    check_times(v);
    for (int level = 0; level < LS_LTX_LEVEL_SNAPSHOT; level++) {
        if (wanted(v, level)) {
            check_joins(v, level);
        }
    }
    if (v->opts->level < 0) {
        code = check_points(v, err);
    }
    if (code == LS_OK && v->opts->full && v->result->txid != 0) {
        code = check_newest(v, err);
    }
    return code;
}

ls_code ls_verify(ls_storage *s, const ls_verify_opts *opts, ls_verify_result *result,
                  ls_err *err) {
    *result = (ls_verify_result){0};
    if (opts->level > LS_LTX_LEVEL_MAX || (opts->full && opts->level >= 0)) {
        return ls_fail(err, LS_EINVALID, "the newest restore point needs all levels");
    }
    verifier v = {.s = s, .opts = opts, .result = result};
    ls_code code = run(&v, err);
    result->files = v.progress.files;
    result->ok = code == LS_OK && result->findings == 0 && v.listing.n > 0;
    free_facts(v.facts);
    ls_listing_done(&v.listing);
    return code;
}
