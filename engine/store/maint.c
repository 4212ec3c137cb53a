/*
 * Maintenance of a replica: compaction into each level, snapshots, retention, checks.
 *
 * When a job is wanted, and when it runs:
 *
 * - all of them: once the replica was compared (at the start, or again) and holds something, at
 *   once, higher levels first, since what the store holds is not known; a level or snapshot whose
 *   period has its file already waits for the next one
 * - level 1, snapshot: after an upload, at the next multiple of the interval
 * - level n + 1: after level n got a file, at its next multiple
 * - retention: after a snapshot, at once; and when the second oldest of the snapshots will have got
 *   too old, so that the oldest is the base of nothing
 * - level-0 retention: after level 1 got a file, at the check interval; and again while files are
 *   there that are only too young
 * - validation: each interval, if the configuration sets one
 *
 * A job that was carried out is no longer wanted. So nothing is armed and nothing asked of the
 * store for a database that no one writes to, once its last files have found their way: each level
 * once, a last snapshot, the retention of what this made superfluous. Only what the operator asked
 * for by the clock (validation) goes on.
 *
 * A failure keeps the job wanted, after a pause from 1 s to 5 min; no job waits for another's. Each
 * listing that a job makes is compared with what this process uploaded (guard.h): files of somebody
 * else stop the uploads, files that are gone make the replica be compared again.
 *
 * One job runs at a time, in a pool of its own; it reads the store and, by path, local files, never
 * the objects that capture and upload use. Only a snapshot that must be read from the database
 * begins in the local lane. Shutting down cancels it all: the last sync does not wait for it.
 */
#include "engine/store/internal.h"

#include "engine/replica/compact.h"
#include "engine/replica/repair.h"
#include "engine/replica/retain.h"
#include "engine/replica/snapshot.h"
#include "engine/store/schedule.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define FIRST_PAUSE LS_SEC

/* ---- Schedules ---- */

static int64_t wall_ms(void) { return ls_wall_ms(&ls_clock_system); }

/* Of a level or of snapshots, ns. */
static int64_t interval_of(const ls_rules *s, int job) {
    return job == LS_JOB_SNAPSHOT ? s->snapshot_interval : s->levels[job];
}

/* The next multiple of ns as the time of ls_store_now. */
static int64_t next_multiple(int64_t ns) {
    int64_t wall = wall_ms();
    int64_t ms = ns < LS_MS ? 1 : ns / LS_MS;
    return ls_store_now() + (ls_schedule_next(wall, ms) - wall) * LS_MS;
}

static bool has_job(const ls_entry *e, int job) {
    const ls_rules *c = &e->store->rules;
    switch (job) {
    case LS_JOB_SNAPSHOT:
    case LS_JOB_RETAIN:
        return true;
    case LS_JOB_RETAIN_L0:
        return c->l0_retention > 0 && c->n_levels > 0;
    case LS_JOB_VALIDATE:
        return c->validation_interval > 0;
    default:
        return job < (int)c->n_levels;
    }
}

/* A job that is wanted already keeps its time. */
static void want(ls_entry *e, int job, int64_t next) {
    ls_maint_job *j = &e->maint.jobs[job];
    if (has_job(e, job) && !j->wanted) {
        j->wanted = true;
        j->first = j->force = false;
        j->next = next;
    }
}

static void want_by_interval(ls_entry *e, int job) {
    if (has_job(e, job)) {
        want(e, job, next_multiple(interval_of(&e->store->rules, job)));
    }
}

/* ---- Workers: levels ---- */

static bool is_damage(ls_code rc) {
    return rc == LS_ECORRUPT || rc == LS_ECHECKSUM || rc == LS_EFORMAT;
}

/* Has the period that is now its file? *newest is the level's last one, *any false: none. */
static ls_code look_at_level(ls_entry *e, int level, int64_t interval, ls_ltx_info *newest,
                             bool *any, bool *due, ls_err *err) {
    ls_code rc = ls_compact_newest(e->maint.storage, level, newest, any, err);
    *due = rc == LS_OK &&
           ls_schedule_due(wall_ms(), interval / LS_MS, *any, *any ? newest->created_ms : 0);
    return rc;
}

static ls_code compact(ls_entry *e, int job, ls_err *err) {
    ls_maint *m = &e->maint;
    ls_compact_result res;
    const ls_compact_opts opts = {.level = job + 1,
                                  .local_root = m->local_root,
                                  .spill_dir = ls_db_meta_path(e->db),
                                  .verify = m->rules.verify_compaction != 0,
                                  .cancel = &e->store->maint_cancel,
                                  .log = e->store->log};
    ls_code rc = ls_compact(m->storage, &opts, &res, err);
    m->found.bad_joins = rc == LS_OK ? res.bad_joins : 0;
    if (rc == LS_OK && res.file.max_txid > 0) {
        m->found.made = res.file.max_txid;
        m->found.file = res.file;
        m->found.more = res.more;
        ls_log_write(
            e->store->log, LS_INFO, "compaction complete",
            LS_ENTRY_ATTRS(e, LS_INT("level", opts.level), LS_TXID("txid.min", res.file.min_txid),
                           LS_TXID("txid.max", res.file.max_txid), LS_INT("size", res.file.size),
                           LS_INT("sources", res.sources), LS_BOOL("copied", res.copied)));
    }
    return rc;
}

/* A source is damaged at the store too. What a snapshot covers is taken out of the way; where none
 * does yet, one is made first. */
static ls_code repair(ls_entry *e, int job, ls_lane *lane) {
    ls_maint *m = &e->maint;
    ls_err err = LS_ERR_INIT;
    ls_ltx_info newest = {0};
    bool any;
    size_t removed = 0;
    ls_code rc = ls_compact_newest(m->storage, job + 1, &newest, &any, &err);
    if (rc == LS_OK) {
        rc = ls_repair_level(m->storage, job, newest.max_txid + 1, &e->store->maint_cancel,
                             e->store->log, &removed, &err);
    }
    m->found.damaged = rc == LS_OK && removed == 0;
    if (rc != LS_OK || removed == 0) {
        return lane->rc;
    }
    ls_err_clear(&lane->err);
    return compact(e, job, &lane->err);
}

/* Worker. */
static void level_work(ls_entry *e, ls_lane *lane) {
    ls_maint *m = &e->maint;
    int job = m->running;
    bool due = true;
    if (m->first) {
        ls_ltx_info newest;
        bool any;
        lane->rc =
            look_at_level(e, job + 1, interval_of(&m->rules, job), &newest, &any, &due, &lane->err);
    }
    if (lane->rc == LS_OK && due) {
        lane->rc = compact(e, job, &lane->err);
    }
    m->found.early = !due;
    if (is_damage(lane->rc) && e->config->replica.auto_recover) {
        lane->rc = repair(e, job, lane);
    }
}

/* ---- Workers: snapshots ---- */

static void say_snapshot(const ls_entry *e, const ls_ltx_info *made) {
    ls_log_write(e->store->log, LS_INFO, "snapshot complete",
                 LS_ENTRY_ATTRS(e, LS_TXID("txid", made->max_txid), LS_INT("size", made->size)));
}

/* Sends a file that goes whatever comes of it. */
static ls_code send_full(ls_entry *e, ls_txid txid, ls_ltx_info *made, ls_err *err) {
    char *path = NULL;
    ls_code rc = ls_snapshot_of_full(e->db, txid, &path, err);
    if (rc == LS_OK && path != NULL) {
        rc =
            ls_snapshot_put(e->maint.storage, txid, path, true, &e->store->maint_cancel, made, err);
    }
    if (path != NULL) {
        (void)unlink(path);
        free(path);
    }
    return rc;
}

/* Of what is there already, at the store or beside the database. */
static ls_code snapshot_of_files(ls_entry *e, ls_txid txid, bool any, ls_ltx_info *made,
                                 ls_err *err) {
    *made = (ls_ltx_info){0};
    ls_code rc = ls_snapshot_copy(e->maint.storage, txid, !any, &e->store->maint_cancel, made, err);
    return rc == LS_OK && made->max_txid == 0 ? send_full(e, txid, made, err) : rc;
}

/* Worker: is one due, and can it be had without reading the database? */
static void snapshot_work(ls_entry *e, ls_lane *lane) {
    ls_maint *m = &e->maint;
    ls_txid txid = ls_replica_txid(e->replica);
    ls_ltx_info newest, made = {0};
    bool any, due;
    lane->rc = look_at_level(e, LS_LTX_LEVEL_SNAPSHOT, m->rules.snapshot_interval, &newest, &any,
                             &due, &lane->err);
    if (lane->rc != LS_OK || (any && newest.max_txid >= txid && !m->force)) {
        return;
    }
    m->found.early = m->first && !m->force && !due;
    if (m->found.early) {
        return;
    }
    if (!m->force) {
        lane->rc = snapshot_of_files(e, txid, any, &made, &lane->err);
    }
    if (lane->rc == LS_OK && made.max_txid > 0) {
        m->found.made = made.max_txid;
        m->found.file = made;
        say_snapshot(e, &made);
    }
    m->found.wants_db = lane->rc == LS_OK && made.max_txid == 0;
}

/* Worker, local lane. */
static void begin_work(ls_entry *e, ls_lane *lane) {
    lane->rc = ls_db_snapshot_begin(e->db, &e->maint.snap, &lane->err);
}

/* Worker. */
static void write_work(ls_entry *e, ls_lane *lane) {
    ls_ltx_info file;
    lane->rc = ls_db_snapshot_write(e->maint.snap, &e->store->maint_cancel, &file, &lane->err);
}

/* Worker. */
static void send_work(ls_entry *e, ls_lane *lane) {
    ls_maint *m = &e->maint;
    ls_ltx_info made;
    lane->rc = ls_snapshot_put(m->storage, m->snap_txid, ls_db_snapshot_path(m->snap), !m->force,
                               &e->store->maint_cancel, &made, &lane->err);
    if (lane->rc == LS_OK) {
        m->found.made = m->snap_txid;
        m->found.file = made;
        say_snapshot(e, &made);
    }
}

/* ---- Workers: retention ---- */

static ls_retain_policy policy_of(const ls_entry *e) {
    const ls_rules *c = &e->maint.rules;
    return (ls_retain_policy){.snapshot_retention_ms =
                                  c->snapshot_retention < LS_MS ? 1 : c->snapshot_retention / LS_MS,
                              .l0_retention_ms = c->l0_retention / LS_MS,
                              .remote = c->retention_enabled != 0,
                              .local_root = e->maint.local_root,
                              .cancel = &e->store->maint_cancel};
}

/* In how many ms a file of that time is ms old. */
static int64_t time_left(int64_t created_ms, int64_t ms) {
    int64_t left = created_ms + ms - wall_ms();
    return left < 0 ? 0 : left;
}

/* When the second oldest snapshot will be too old, and the oldest go; -1: there is one only. */
static ls_code next_expiry(ls_storage *s, int64_t retention_ms, int64_t *recheck_ms, ls_err *err) {
    ls_storage_iter *it = NULL;
    int64_t oldest = INT64_MAX, second = INT64_MAX;
    size_t n = 0;
    ls_code rc = ls_storage_list(s, LS_LTX_LEVEL_SNAPSHOT, 0, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info file;
        rc = ls_storage_iter_next(it, &file, &end, err);
        if (rc != LS_OK || end || file.min_txid != 1) {
            continue;
        }
        n++;
        if (file.created_ms < oldest) {
            second = oldest;
            oldest = file.created_ms;
        } else if (file.created_ms < second) {
            second = file.created_ms;
        }
    }
    ls_storage_iter_free(it);
    *recheck_ms = n > 1 ? time_left(second, retention_ms) : -1;
    return rc;
}

/* Worker. */
static void retain_work(ls_entry *e, ls_lane *lane) {
    const ls_retain_policy policy = policy_of(e);
    lane->rc = ls_retain_snapshots(e->maint.storage, &policy, wall_ms(), e->store->log,
                                   &e->maint.found.retained, &lane->err);
    if (lane->rc == LS_OK && policy.remote) {
        lane->rc = next_expiry(e->maint.storage, policy.snapshot_retention_ms,
                               &e->maint.found.recheck_ms, &lane->err);
    }
}

/* When the oldest local file, beside which the store's stays, is old enough; at most a whole
 * retention, should there be none. */
static int64_t local_left(const ls_entry *e, int64_t retention_ms) {
    ls_storage *local = NULL;
    ls_storage_iter *it = NULL;
    ls_ltx_info file;
    bool end = true;
    ls_err ignored = LS_ERR_INIT;
    int64_t left = retention_ms;
    if (ls_storage_open_file(ls_db_meta_path(e->db), NULL, &local, &ignored) == LS_OK &&
        ls_storage_list(local, 0, 0, &it, &ignored) == LS_OK &&
        ls_storage_iter_next(it, &file, &end, &ignored) == LS_OK && !end) {
        left = time_left(file.created_ms, retention_ms);
    }
    ls_storage_iter_free(it);
    ls_storage_free(local);
    return left < retention_ms ? left : retention_ms;
}

/* Worker. */
static void retain_l0_work(ls_entry *e, ls_lane *lane) {
    const ls_retain_policy policy = policy_of(e);
    ls_retain_result res = {0};
    lane->rc = ls_retain_l0(e->maint.storage, &policy, wall_ms(), e->store->log, &res, &lane->err);
    e->maint.found.retained = res;
    bool again = res.l0_too_recent > 0 || res.deleted[0] > 0;
    int64_t check = e->maint.rules.l0_retention_check_interval / LS_MS;
    int64_t left = again ? local_left(e, policy.l0_retention_ms) : -1;
    e->maint.found.recheck_ms = again && left < check ? check : left;
}

/* Worker: a level that is not one run is named, each join that is none. */
static void validate_work(ls_entry *e, ls_lane *lane) {
    for (int level = 0; level <= (int)e->maint.rules.n_levels && lane->rc == LS_OK; level++) {
        size_t bad = 0;
        lane->rc = ls_compact_verify(e->maint.storage, level, e->store->log, &bad, &lane->err);
    }
}

/* ---- What came of a job ---- */

static void drop_snapshot(ls_maint *m) {
    ls_db_snapshot_free(m->snap);
    m->snap = NULL;
    m->snap_state = LS_SNAP_NONE;
}

static const char *what_failed(int job) {
    return job < LS_JOB_SNAPSHOT     ? "compaction failed"
           : job == LS_JOB_SNAPSHOT  ? "snapshot failed"
           : job == LS_JOB_VALIDATE  ? "validation check failed"
           : job == LS_JOB_RETAIN_L0 ? "l0 retention enforcement failed"
                                     : "retention enforcement failed";
}

static const char *what_recovered(int job) {
    return job < LS_JOB_SNAPSHOT    ? "compaction recovered"
           : job == LS_JOB_SNAPSHOT ? "snapshot recovered"
           : job == LS_JOB_VALIDATE ? "validation recovered"
                                    : "retention recovered";
}

/* The files that the level needs are damaged at the store: what is in the database is not. */
static void replace_damaged(ls_entry *e, const ls_lane *lane) {
    ls_maint_job *snap = &e->maint.jobs[LS_JOB_SNAPSHOT];
    ls_log_err(e->store->log, LS_WARN,
               "auto-recover: a file of the replica is damaged, a snapshot follows", &lane->err,
               LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db))));
    snap->wanted = snap->force = true;
    snap->next = 0;
}

/* Other writers and lost files are no failures of the job. */
static bool settles_otherwise(ls_entry *e, const ls_lane *lane) {
    ls_maint *m = &e->maint;
    m->foreign = lane->rc == LS_EDIVERGED;
    m->resolve = lane->rc == LS_EGAP && m->rechecks == 0;
    if (!m->foreign && !m->resolve) {
        return false;
    }
    m->rechecks += m->resolve ? 1 : 0;
    m->why = lane->err;
    return true;
}

static void failed(ls_entry *e, int job, const ls_lane *lane) {
    ls_maint *m = &e->maint;
    ls_maint_job *j = &m->jobs[job];
    int64_t pause;
    j->wanted = true;
    j->first = j->first || m->first;
    j->force = j->force || m->force;
    if (settles_otherwise(e, lane)) {
        return;
    }
    if (m->found.damaged && j->trouble.count == 0) {
        replace_damaged(e, lane);
    }
    if (lane->rc == LS_ENOTREADY) { /* the database is gone, or about to be copied anew */
        pause = FIRST_PAUSE << (j->trouble.count < 8 ? j->trouble.count++ : 8);
    } else {
        pause = ls_entry_failed(e, &j->trouble, what_failed(job), FIRST_PAUSE,
                                LS_STORE_REMOTE_BACKOFF_NS, lane);
    }
    j->next = ls_store_now() + pause;
}

/* What a job that went well makes wanted. */
static void follow_up(ls_entry *e, int job) {
    const ls_maint_found *f = &e->maint.found;
    if (job < LS_JOB_SNAPSHOT && f->made > 0) {
        want_by_interval(e, job + 1 < LS_JOB_SNAPSHOT ? job + 1 : LS_JOB_SNAPSHOT);
        if (job == LS_JOB_LEVEL) {
            want(e, LS_JOB_RETAIN_L0, ls_store_now() + e->store->rules.l0_retention_check_interval);
        }
    } else if (job == LS_JOB_SNAPSHOT && f->made > 0) {
        e->maint.jobs[LS_JOB_RETAIN].wanted = false;
        want(e, LS_JOB_RETAIN, 0);
        if (f->made < ls_replica_txid(e->replica)) {
            want_by_interval(e, LS_JOB_SNAPSHOT); /* it was a copy of an older file */
        }
    } else if (f->recheck_ms >= 0) {
        want(e, job, ls_store_now() + (f->recheck_ms + 1) * LS_MS);
    }
}

static void went_well(ls_entry *e, int job) {
    ls_maint *m = &e->maint;
    ls_maint_job *j = &m->jobs[job];
    ls_entry_recovered(e, &j->trouble, what_recovered(job));
    m->rechecks = 0;
    if (m->found.early) {
        want_by_interval(e, job);
    } else if (m->found.more) {
        want(e, job, 0);
    } else if (job == LS_JOB_VALIDATE) {
        want(e, job, ls_store_now() + e->store->rules.validation_interval);
    }
    follow_up(e, job);
}

/* What the lanes of a database that stops, or is compared anew, still bring is dropped. */
static bool is_void(ls_entry *e) {
    ls_maint *m = &e->maint;
    bool dropped = m->stale || e->store->stopping;
    if (dropped) {
        m->stale = false;
        drop_snapshot(m);
    }
    return dropped;
}

static void job_done(ls_entry *e, ls_lane *lane) {
    ls_maint *m = &e->maint;
    if (is_void(e)) {
        return;
    }
    if (lane->rc != LS_OK) {
        failed(e, m->running, lane);
    } else if (m->found.wants_db) {
        m->snap_state = LS_SNAP_WANTED;
    } else {
        went_well(e, m->running);
    }
}

/* A step of a snapshot of the database. */
static void step_done(ls_entry *e, const ls_lane *lane, ls_snap_state next) {
    ls_maint *m = &e->maint;
    if (is_void(e)) {
        return;
    }
    if (lane->rc != LS_OK) {
        drop_snapshot(m);
        failed(e, LS_JOB_SNAPSHOT, lane);
        return;
    }
    m->snap_state = next;
    if (next == LS_SNAP_NONE) {
        drop_snapshot(m);
        went_well(e, LS_JOB_SNAPSHOT);
    }
}

static void begin_done(ls_entry *e, ls_lane *lane) {
    if (lane->rc == LS_OK) {
        e->maint.snap_txid = ls_db_snapshot_txid(e->maint.snap);
        e->wants_store = true;
    }
    step_done(e, lane, LS_SNAP_BEGUN);
}

static void write_done(ls_entry *e, ls_lane *lane) { step_done(e, lane, LS_SNAP_WRITTEN); }
static void send_done(ls_entry *e, ls_lane *lane) { step_done(e, lane, LS_SNAP_NONE); }

/* ---- What runs next ---- */

static ls_work what_work(int job) {
    return job < LS_JOB_SNAPSHOT    ? LS_WORK_COMPACT
           : job == LS_JOB_SNAPSHOT ? LS_WORK_SNAPSHOT
           : job == LS_JOB_VALIDATE ? LS_WORK_VALIDATE
                                    : LS_WORK_RETAIN;
}

static void submit(ls_entry *e, int job, void (*work)(ls_entry *, ls_lane *),
                   void (*done)(ls_entry *, ls_lane *)) {
    ls_maint *m = &e->maint;
    m->running = job;
    m->rules = e->store->rules;
    m->found = (ls_maint_found){.recheck_ms = -1};
    ls_lane_submit(&m->lane, e->store->maint, what_work(job), work, done);
}

/* What becomes wanted while it runs is for another run. */
static void start_job(ls_entry *e, int job) {
    static void (*const works[LS_JOBS])(ls_entry *, ls_lane *) = {
        [LS_JOB_SNAPSHOT] = snapshot_work,
        [LS_JOB_RETAIN] = retain_work,
        [LS_JOB_RETAIN_L0] = retain_l0_work,
        [LS_JOB_VALIDATE] = validate_work,
    };
    ls_maint_job *j = &e->maint.jobs[job];
    e->maint.first = j->first;
    e->maint.force = j->force;
    j->wanted = false;
    submit(e, job, job < LS_JOB_SNAPSHOT ? level_work : works[job], job_done);
}

/* The job to start, -1: none is due; *next is when one will be, 0: none is wanted. */
static int pick(const ls_maint *m, int64_t now, int64_t *next) {
    int due = -1;
    *next = 0;
    for (int i = LS_JOBS - 1; i >= 0; i--) {
        const ls_maint_job *j = &m->jobs[i];
        if (!j->wanted) {
            continue;
        }
        if (j->next <= now) {
            /* Of first looks the highest level, else the lowest. */
            bool keep = due >= 0 && m->jobs[due].first && due < LS_JOB_SNAPSHOT && j->first;
            due = keep ? due : i;
        }
        *next = *next == 0 || j->next < *next ? j->next : *next;
    }
    return due;
}

static void on_timer(uv_timer_t *timer) { ls_entry_pump(timer->data); }

static void pump_snapshot(ls_entry *e) {
    ls_maint *m = &e->maint;
    if (m->snap_state == LS_SNAP_BEGUN) {
        submit(e, LS_JOB_SNAPSHOT, write_work, write_done);
    } else if (m->snap_state == LS_SNAP_WRITTEN && ls_replica_txid(e->replica) >= m->snap_txid) {
        submit(e, LS_JOB_SNAPSHOT, send_work, send_done);
    }
}

void ls_maint_pump(ls_entry *e) {
    ls_maint *m = &e->maint;
    if (m->lane.busy || m->resolve || e->diverged || !ls_replica_checked(e->replica) ||
        ls_replica_txid(e->replica) == 0) {
        return;
    }
    if (m->snap_state != LS_SNAP_NONE) {
        pump_snapshot(e);
        return;
    }
    int64_t now = ls_store_now(), next;
    int job = pick(m, now, &next);
    if (job >= 0) {
        (void)uv_timer_stop(&m->timer);
        start_job(e, job);
    } else if (next > 0) {
        ls_entry_arm(&m->timer, on_timer, next - now);
    }
}

bool ls_maint_wants_local(ls_entry *e) {
    return e->maint.snap_state == LS_SNAP_WANTED && ls_replica_checked(e->replica);
}

void ls_maint_start_local(ls_entry *e) {
    ls_lane_submit(&e->local, e->store->local, LS_WORK_SNAPSHOT, begin_work, begin_done);
}

/* ---- What the other lanes tell ---- */

void ls_maint_begin(ls_entry *e) {
    ls_maint *m = &e->maint;
    ls_txid there = ls_replica_txid(e->replica);
    if (there > atomic_load(&m->guard.ours)) {
        atomic_store(&m->guard.ours, there);
    }
    atomic_store(&m->guard.sure, 0);
    m->resolve = false;
    m->stale = m->lane.busy;
    if (!m->stale && m->snap_state != LS_SNAP_NONE) {
        drop_snapshot(m);
    }
    for (int job = 0; job < LS_JOBS; job++) {
        m->jobs[job].wanted = false;
        want(e, job, 0);
        m->jobs[job].first = true;
    }
}

void ls_maint_replan(ls_entry *e) {
    if (e->halt == LS_HALT_NONE && ls_replica_checked(e->replica)) {
        bool force = e->maint.jobs[LS_JOB_SNAPSHOT].force;
        ls_maint_begin(e);
        e->maint.jobs[LS_JOB_SNAPSHOT].force = force;
        ls_entry_pump(e);
    }
}

void ls_maint_snapshot_now(ls_entry *e) {
    ls_maint_job *j = &e->maint.jobs[LS_JOB_SNAPSHOT];
    j->wanted = j->force = true;
    j->next = 0;
}

void ls_maint_uploading(ls_entry *e, ls_txid upto) {
    if (upto > atomic_load(&e->maint.guard.ours)) {
        atomic_store(&e->maint.guard.ours, upto);
    }
}

void ls_maint_uploaded(ls_entry *e, ls_txid before) {
    ls_txid now = ls_replica_txid(e->replica);
    if (now <= before || !ls_replica_checked(e->replica)) {
        return;
    }
    atomic_store(&e->maint.guard.sure, now);
    want_by_interval(e, e->store->rules.n_levels > 0 ? LS_JOB_LEVEL : LS_JOB_SNAPSHOT);
    want_by_interval(e, LS_JOB_SNAPSHOT);
}

void ls_maint_settle(ls_entry *e) {
    ls_maint *m = &e->maint;
    if (m->foreign && !e->diverged) {
        ls_replica_diverge(e->replica, &m->why);
        ls_entry_diverged(e, &m->why);
    }
    if (m->resolve && ls_replica_checked(e->replica)) {
        m->resolve = false;
        ls_replica_uncheck(e->replica);
        ls_log_write(
            e->store->log, LS_WARN, "replica is compared again",
            LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)), LS_STR("reason", m->why.msg)));
    }
}

/* ---- One pass without a loop ---- */

static ls_code snapshot_of_db(ls_entry *e, ls_err *err) {
    ls_db_snapshot *snap = NULL;
    ls_ltx_info file, made;
    ls_code rc = ls_db_snapshot_begin(e->db, &snap, err);
    if (rc == LS_OK) {
        rc = ls_db_snapshot_write(snap, NULL, &file, err);
    }
    if (rc == LS_OK) {
        rc = ls_replica_sync(e->replica, file.max_txid, NULL, err);
    }
    if (rc == LS_OK) {
        rc = ls_snapshot_put(ls_replica_storage(e->replica), file.max_txid,
                             ls_db_snapshot_path(snap), false, NULL, &made, err);
    }
    ls_db_snapshot_free(snap);
    if (rc == LS_OK) {
        say_snapshot(e, &made);
    }
    return rc;
}

ls_code ls_maint_force_snapshot(ls_entry *e, ls_err *err) {
    ls_log_write(e->store->log, LS_INFO, "taking snapshot",
                 LS_ATTRS(LS_STR("path", ls_db_path(e->db))));
    ls_code rc = snapshot_of_db(e, err);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "snapshot %s", ls_db_path(e->db));
}

ls_code ls_maint_enforce_retention(ls_entry *e, ls_err *err) {
    const ls_retain_policy policy = policy_of(e);
    ls_log_write(e->store->log, LS_INFO, "enforcing retention",
                 LS_ATTRS(LS_STR("path", ls_db_path(e->db))));
    ls_code rc = ls_retain_snapshots(ls_replica_storage(e->replica), &policy, wall_ms(),
                                     e->store->log, NULL, err);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "enforce retention for %s", ls_db_path(e->db));
}

/* ---- Life ---- */

ls_code ls_maint_init(ls_entry *e, ls_err *err) {
    ls_maint *m = &e->maint;
    m->rules = e->store->rules;
    m->local_root = ls_path_join(ls_db_meta_path(e->db), "ltx");
    if (m->local_root == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory");
    }
    return ls_guard_new(ls_replica_storage(e->replica), &m->guard, &m->storage, err);
}

ls_maint_objects ls_maint_take(ls_entry *e) {
    ls_maint *m = &e->maint;
    ls_maint_objects objects = {.storage = m->storage, .local_root = m->local_root};
    drop_snapshot(m);
    m->storage = NULL;
    m->local_root = NULL;
    m->stale = m->resolve = m->foreign = false;
    m->rechecks = 0;
    for (int job = 0; job < LS_JOBS; job++) {
        m->jobs[job] = (ls_maint_job){0};
    }
    atomic_store(&m->guard.ours, 0);
    atomic_store(&m->guard.sure, 0);
    return objects;
}

void ls_maint_put(ls_entry *e, ls_maint_objects objects) {
    e->maint.storage = objects.storage;
    e->maint.local_root = objects.local_root;
}

void ls_maint_objects_free(ls_maint_objects objects) {
    ls_storage_free(objects.storage);
    free(objects.local_root);
}

void ls_maint_quiet(ls_entry *e) {
    (void)uv_timer_stop(&e->maint.timer);
    if (!e->maint.lane.busy && !e->local.busy) {
        drop_snapshot(&e->maint);
    }
}

void ls_maint_done(ls_entry *e) {
    ls_maint *m = &e->maint;
    drop_snapshot(m);
    ls_storage_free(m->storage);
    free(m->local_root);
    m->storage = NULL;
    m->local_root = NULL;
}
