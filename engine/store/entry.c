/*
 * When the jobs of one database run.
 *
 * Capture: a notice marks the database; the first one after an idle interval is captured at once.
 * A file is an upload: each puts off the next capture by the longer of monitor-interval and
 * sync-interval, so that a store never gets more of them than sync-interval allows. Meanwhile it is
 * only measured, after notices and no more often than monitor-interval, whether the log has grown
 * by so much that it cannot wait. A capture that found nothing puts off the next by milliseconds
 * only, then by twice as long each time. While frames wait for their commit it is looked again
 * without another notice.
 * Upload: at once when sync-interval has passed since the last one began, else when it has.
 * Failures put off the next try twice as long each time. Timers run only while something waits.
 * A database that is to be restored first (bring.c) is not captured before that.
 */
#include "engine/store/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Failures ---- */

static int64_t backoff(const ls_trouble *t, int64_t interval, int64_t max) {
    int64_t pause = interval < LS_MS ? LS_MS : interval;
    for (int i = 1; i < t->count && pause < max; i++) {
        pause *= 2;
    }
    return pause < max ? pause : max;
}

int64_t ls_entry_failed(ls_entry *e, ls_trouble *t, const char *msg, int64_t interval, int64_t max,
                        const ls_lane *lane) {
    int64_t now = ls_store_now();
    bool busy = lane->rc == LS_EBUSY;
    t->count++;
    int64_t pause = ls_store_jitter(e->store, backoff(t, interval, busy ? interval : max));
    if (busy && t->count < LS_STORE_BUSY_TRIES) {
        return pause;
    }
    if (t->logged == 0 || now - t->logged >= LS_STORE_LOG_NS) {
        t->logged = now;
        ls_log_err(e->store->log, LS_ERROR, msg, &lane->err,
                   LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)),
                                  LS_INT("consecutive_errors", t->count),
                                  LS_DUR("backoff", pause)));
    }
    return pause;
}

void ls_entry_recovered(ls_entry *e, ls_trouble *t, const char *msg) {
    if (t->count > 0 && t->logged != 0) {
        ls_log_write(
            e->store->log, LS_INFO, msg,
            LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)), LS_INT("failures", t->count)));
    }
    *t = (ls_trouble){0};
}

/* ---- Capture ---- */

static void on_capture_timer(uv_timer_t *timer) { ls_entry_pump(timer->data); }

static void on_checkpoint_timer(uv_timer_t *timer) {
    ls_entry *e = timer->data;
    e->dirty = true;
    ls_entry_pump(e);
}

static void on_hold_timer(uv_timer_t *timer) {
    ls_entry *e = timer->data;
    e->fresh = e->hold = false;
    ls_entry_pump(e);
}

static void on_poll_timer(uv_timer_t *timer) {
    ls_entry *e = timer->data;
    e->dirty = e->stirred = true;
    ls_entry_pump(e);
}

/* Worker. Without local files the store may ask for another TXID to begin at than 1: before the
 * first capture it is only looked whether there is a database at all. */
static void capture_work(ls_entry *e, ls_lane *lane) {
    struct stat st;
    e->result = (ls_db_sync_result){0};
    e->looked = e->look && stat(ls_db_path(e->db), &st) == 0 && st.st_size > 0;
    e->found = true;
    if (e->looked) {
        return;
    }
    lane->rc = ls_db_sync(e->db, &e->result, &lane->err);
    e->found = !e->result.missing;
}

static void arm_poll(ls_entry *e) {
    if (e->polling && !uv_is_active((uv_handle_t *)&e->poll_timer)) {
        ls_entry_arm(&e->poll_timer, on_poll_timer, e->config->monitor_interval);
    }
}

/* What the safety poll finds must have been told by a notice; our own writes cause some too. */
static void judge_notices(ls_entry *e, bool by_poll) {
    if (by_poll && e->result.files > 0 && e->notices == 0 && !e->polling) {
        e->unnoticed = true;
    }
}

static void on_commit_timer(uv_timer_t *timer) {
    ls_entry *e = timer->data;
    e->dirty = true;
    ls_entry_pump(e);
}

/* A commit becomes one in SQLite's shared memory, which no notice tells of: while frames wait for
 * theirs it is looked again, after pauses that double. A transaction that stays open, or frames
 * that nobody will commit, are left to the next notice and the safety poll. */
static void await_commit(ls_entry *e) {
    if (!e->result.pending) {
        e->commit_wait = 0;
        (void)uv_timer_stop(&e->commit_timer);
        return;
    }
    e->commit_wait = e->commit_wait == 0 ? LS_STORE_EMPTY_NS : 2 * e->commit_wait;
    if (e->commit_wait < LS_STORE_SAFETY_NS) {
        ls_entry_arm(&e->commit_timer, on_commit_timer, e->commit_wait);
    }
}

static int64_t interval_of(const ls_entry *e) {
    int64_t monitor = e->config->monitor_interval, sync = e->config->replica.sync_interval;
    return monitor > sync ? monitor : sync;
}

static void captured(ls_entry *e, bool by_poll) {
    ls_entry_recovered(e, &e->capture_trouble, "sync recovered");
    judge_notices(e, by_poll);
    await_commit(e);
    int64_t now = ls_store_now();
    e->dirty = e->dirty || e->result.more || e->result.bumped;
    if (e->result.more) {
        e->next_capture = now;
        return;
    }
    if (e->result.files == 0) {
        int64_t wait = e->empty_wait == 0 ? LS_STORE_EMPTY_NS : 2 * e->empty_wait;
        e->empty_wait = wait < e->config->monitor_interval ? wait : e->config->monitor_interval;
        e->next_look = now + e->empty_wait;
        return;
    }
    e->empty_wait = 0;
    e->next_capture = e->capture_start + e->result.files * interval_of(e);
    e->next_measure = e->capture_start + e->config->monitor_interval;
    if (e->config->checkpoint_interval > 0 && !uv_is_active((uv_handle_t *)&e->checkpoint_timer)) {
        ls_entry_arm(&e->checkpoint_timer, on_checkpoint_timer, e->config->checkpoint_interval);
    }
}

static void capture_done(ls_entry *e, ls_lane *lane) {
    bool by_poll = e->by_poll;
    e->by_poll = false;
    if (lane->rc != LS_OK) {
        e->dirty = true;
        e->next_capture = ls_store_now() + ls_entry_failed(e, &e->capture_trouble, "sync error",
                                                           e->config->monitor_interval,
                                                           LS_STORE_LOCAL_BACKOFF_NS, lane);
    } else if (e->looked) {
        e->hold = e->fresh;
        e->wants_store = e->dirty = true;
        ls_entry_arm(&e->hold_timer, on_hold_timer, LS_STORE_HOLD_NS);
    } else {
        captured(e, by_poll);
        e->wants_store = e->wants_store || e->found;
    }
    ls_watch_entry(e);
    arm_poll(e);
}

/* Worker. An error shows at the capture. */
static void measure_work(ls_entry *e, ls_lane *lane) {
    e->overdue = false;
    (void)!ls_db_overdue(e->db, &e->overdue, &lane->err);
}

/* Where there are no notices the poll goes on, or nothing would ask for the next measurement. */
static void measure_done(ls_entry *e, ls_lane *lane) {
    (void)lane;
    if (e->overdue) {
        e->next_capture = 0;
    }
    arm_poll(e);
}

/* Not before next, unless the log grows too much until then. After failures the pause is for
 * everything. */
static void wait_for_turn(ls_entry *e, int64_t now, int64_t next) {
    if (e->stirred && e->next_measure < next && e->capture_trouble.count == 0) {
        if (now >= e->next_measure) {
            ls_watch_rest(e, false);
            e->stirred = false;
            e->next_measure = now + e->config->monitor_interval;
            ls_lane_submit(&e->local, e->store->local, LS_WORK_MEASURE, measure_work, measure_done);
            return;
        }
        next = e->next_measure;
    }
    ls_entry_arm(&e->capture_timer, on_capture_timer, next - now);
    bool rest = e->stirred && next - now >= LS_STORE_REST_NS && e->next_look <= now;
    /* Who does not listen cannot miss a notice. */
    e->by_poll = e->by_poll && !rest;
    ls_watch_rest(e, rest);
}

static void start_capture(ls_entry *e) {
    int64_t now = ls_store_now();
    int64_t next = e->next_capture > e->next_look ? e->next_capture : e->next_look;
    if (now < next) {
        wait_for_turn(e, now, next);
        return;
    }
    (void)uv_timer_stop(&e->capture_timer);
    ls_watch_rest(e, false);
    e->dirty = e->stirred = false;
    e->look = e->fresh;
    e->capture_start = now;
    ls_lane_submit(&e->local, e->store->local, LS_WORK_CAPTURE, capture_work, capture_done);
}

/* ---- Comparison and upload ---- */

static void on_remote_timer(uv_timer_t *timer) { ls_entry_pump(timer->data); }

/* Said at once whatever was said before, and tried again as soon as the lease may be free. */
static void lease_refused(ls_entry *e, const ls_lane *lane) {
    e->remote_trouble.logged = e->refused ? e->remote_trouble.logged : 0;
    e->refused = true;
    int64_t pause = ls_tenure_pause(e);
    (void)ls_entry_failed(e, &e->remote_trouble, "another writer holds the lease, uploads stop",
                          pause, pause, lane);
    e->next_remote = ls_store_now() + ls_store_jitter(e->store, pause);
}

static void remote_failed(ls_entry *e, const ls_lane *lane) {
    ls_err why;
    if (lane->rc == LS_EHELD && e->lease != NULL && ls_lease_refused(e->lease, &why)) {
        lease_refused(e, lane);
        return;
    }
    int64_t pause =
        ls_entry_failed(e, &e->remote_trouble, "monitor error", e->config->replica.sync_interval,
                        LS_STORE_REMOTE_BACKOFF_NS, lane);
    e->next_remote = ls_store_now() + pause;
}

/* Worker. */
static void probe_work(ls_entry *e, ls_lane *lane) {
    lane->rc = ls_tenure_begin(e, &lane->err);
    if (lane->rc == LS_OK) {
        lane->rc = ls_replica_probe(e->replica, &lane->err);
    }
}

static void probe_done(ls_entry *e, ls_lane *lane) {
    if (lane->rc != LS_OK) {
        remote_failed(e, lane);
        e->fresh = e->hold = false;
    } else {
        e->refused = false;
    }
}

/* Worker: after the probe only local files are read. */
static void check_work(ls_entry *e, ls_lane *lane) {
    lane->rc = ls_replica_check(e->replica, &lane->err);
}

static void check_done(ls_entry *e, ls_lane *lane) {
    if (lane->rc != LS_OK) {
        ls_replica_uncheck(e->replica);
        remote_failed(e, lane);
    } else {
        e->next_capture = e->next_look = 0;
        ls_maint_begin(e);
    }
    e->fresh = e->hold = false;
    e->dirty = true;
}

/* Worker. */
static void upload_work(ls_entry *e, ls_lane *lane) {
    lane->rc = ls_tenure_go_on(e, &lane->err);
    if (lane->rc == LS_OK) {
        lane->rc = ls_replica_sync(e->replica, e->upto, NULL, &lane->err);
    }
}

/* The store or the local files are not what they were: it is resolved by comparing again. */
static void compare_again(ls_entry *e, const ls_lane *lane) {
    if (e->remote_trouble.count > 0) {
        remote_failed(e, lane);
        return;
    }
    e->remote_trouble.count = 1;
    e->next_remote = 0;
    ls_log_write(
        e->store->log, LS_WARN, "replica is compared again",
        LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)), LS_STR("reason", lane->err.msg)));
}

/* What a listing showed, said the way an upload says it. */
void ls_entry_diverged(ls_entry *e, const ls_err *err) {
    e->diverged = true;
    e->remote.rc = LS_EDIVERGED;
    e->remote.err = *err;
    e->remote_trouble.logged = 0; /* as behind an upload */
    remote_failed(e, &e->remote);
}

static void upload_done(ls_entry *e, ls_lane *lane) {
    ls_maint_uploaded(e, e->from);
    if (lane->rc == LS_OK) {
        ls_entry_recovered(e, &e->remote_trouble, "replica sync recovered");
    } else if (lane->rc == LS_EDIVERGED) {
        e->diverged = true;
        e->remote_trouble.logged = 0; /* told at once, whatever was told before: uploads end here */
        remote_failed(e, lane);
    } else if (!ls_replica_checked(e->replica)) {
        compare_again(e, lane);
    } else {
        remote_failed(e, lane);
    }
}

static bool has_upload(const ls_entry *e) {
    return ls_db_txid(e->db) > ls_replica_txid(e->replica);
}

/* What does not go into one job goes into the next, behind other databases. */
static void start_upload(ls_entry *e, int64_t now) {
    ls_txid local = ls_db_txid(e->db), there = ls_replica_txid(e->replica);
    ls_txid most = (ls_txid)e->config->replica.max_sync_ltx_files;
    bool cut = most > 0 && local - there > most;
    e->upload_all = !cut;
    e->upto = cut ? there + most : local;
    e->next_remote = cut ? now : now + e->config->replica.sync_interval;
    e->from = there;
    ls_maint_uploading(e, e->upto);
    ls_lane_submit(&e->remote, e->store->remote, LS_WORK_UPLOAD, upload_work, upload_done);
}

static void pump_remote(ls_entry *e) {
    if (e->remote.busy) {
        return;
    }
    if (e->bring) {
        ls_bring_pump(e);
        return;
    }
    ls_maint_settle(e);
    bool checked = ls_replica_checked(e->replica), probed = ls_replica_probed(e->replica);
    if (!e->wants_store || e->diverged || (checked && !has_upload(e)) || (!checked && probed)) {
        return;
    }
    int64_t now = ls_store_now();
    if (now < e->next_remote) {
        ls_entry_arm(&e->remote_timer, on_remote_timer, e->next_remote - now);
        return;
    }
    (void)uv_timer_stop(&e->remote_timer);
    if (checked) {
        start_upload(e, now);
    } else {
        ls_lane_submit(&e->remote, e->store->remote, LS_WORK_COMPARE, probe_work, probe_done);
    }
}

static void pump_local(ls_entry *e) {
    if (e->local.busy || e->bring) {
        return;
    }
    bool resolve = ls_replica_probed(e->replica) && !ls_replica_checked(e->replica);
    if (resolve && !e->remote.busy) {
        ls_lane_submit(&e->local, e->store->local, LS_WORK_COMPARE, check_work, check_done);
    } else if (ls_maint_wants_local(e)) {
        ls_maint_start_local(e);
    } else if (e->dirty && !e->hold) {
        start_capture(e);
    }
}

void ls_entry_pump(ls_entry *e) {
    if (e->store->stopping) {
        ls_final_pump(e);
    } else if (e->halt != LS_HALT_NONE) {
        ls_halt_pump(e);
    } else if (e->monitored) {
        pump_local(e);
        pump_remote(e);
        ls_maint_pump(e);
    }
}

/* ---- What wakes it ---- */

void ls_entry_arm(uv_timer_t *timer, uv_timer_cb cb, int64_t ns) {
    uint64_t ms = ns <= 0 ? 1 : (uint64_t)(ns + LS_MS - 1) / LS_MS;
    uv_update_time(timer->loop);
    (void)uv_timer_start(timer, cb, ms, 0);
}

void ls_entry_notice(ls_entry *e) {
    int64_t now = ls_store_now();
    if (now - e->noticed > LS_STORE_QUIET_NS) {
        e->empty_wait = e->next_look = 0;
    }
    e->noticed = now;
    e->notices++;
    e->commit_wait = 0;
    e->dirty = e->stirred = true;
    ls_entry_pump(e);
}

void ls_entry_polling(ls_entry *e, bool on) {
    on = on || e->deaf;
    if (e->polling && !on) {
        (void)uv_timer_stop(&e->poll_timer);
        e->dirty = true;
    }
    e->polling = on;
    arm_poll(e);
}

void ls_entry_start(ls_entry *e) {
    ls_watch_entry(e);
    e->dirty = true;
    ls_entry_pump(e);
}

static void remind_diverged(ls_entry *e) {
    if (e->diverged && has_upload(e) &&
        ls_store_now() - e->remote_trouble.logged >= LS_STORE_LOG_NS) {
        remote_failed(e, &e->remote);
    }
}

void ls_entry_safety(ls_entry *e) {
    if (!e->monitored || e->halt != LS_HALT_NONE) {
        return;
    }
    ls_seen_safety(e);
    if (e->unnoticed && e->notices == 0 && !e->polling) {
        e->deaf = true;
        ls_entry_polling(e, true);
        ls_log_write(e->store->log, LS_WARN, "file-change notices do not arrive, polling instead",
                     LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)),
                                    LS_DUR("interval", e->config->monitor_interval)));
    }
    e->unnoticed = false;
    e->notices = 0;
    e->by_poll = !e->dirty && !e->local.busy && e->capture_trouble.count == 0;
    e->dirty = e->stirred = true;
    remind_diverged(e);
    ls_entry_pump(e);
}

/* ---- Life ---- */

static ls_code open_db(ls_entry *e, ls_err *err) {
    const ls_db_config *c = e->config;
    ls_db_opts opts = ls_db_opts_default(c->path);
    opts.meta_path = c->meta_path;
    opts.busy_timeout = c->busy_timeout;
    opts.checkpoint_interval = c->checkpoint_interval;
    opts.min_checkpoint_page_n = c->min_checkpoint_page_n;
    opts.truncate_page_n = c->truncate_page_n;
    opts.max_sync_wal_bytes = c->max_sync_wal_bytes;
    opts.log = e->store->log;
    opts.cancel = &e->store->cancel;
    return ls_db_new(&opts, &e->db, err);
}

/* The objects of a database that nobody has looked at yet. */
static ls_code open_all(ls_entry *e, ls_err *err) {
    ls_storage *storage = NULL;
    ls_code rc = open_db(e, err);
    if (rc == LS_OK) {
        rc = ls_config_storage(e->config, &storage, err);
    }
    if (rc == LS_OK) {
        ls_storage_set_log(storage, e->store->log);
        rc = ls_tenure_init(e, &storage, err);
    }
    if (rc == LS_OK) {
        rc = ls_metered_new(storage, &e->store->meter, &e->levels, &storage, err);
    }
    if (rc == LS_OK) {
        rc = ls_replica_new(e->db, storage, e->store->log, &e->replica, err);
    }
    if (rc == LS_OK) {
        rc = ls_maint_init(e, err);
    }
    ls_txid local = 0;
    if (rc == LS_OK) {
        rc = ls_db_local_txid(ls_db_meta_path(e->db), &local, err);
    }
    e->fresh = local == 0;
    e->wants_store = local > 0;
    return rc;
}

#define TIMERS 7
static void timers_of(ls_entry *e, uv_timer_t *timers[TIMERS]) {
    uv_timer_t *all[TIMERS] = {&e->capture_timer, &e->checkpoint_timer, &e->hold_timer,
                               &e->poll_timer,    &e->commit_timer,     &e->remote_timer,
                               &e->maint.timer};
    memcpy(timers, all, sizeof(all));
}

ls_code ls_entry_new(ls_store *store, ls_source *source, const ls_db_config *config, ls_entry **out,
                     ls_err *err) {
    uv_timer_t *timers[TIMERS];
    ls_entry *e = calloc(1, sizeof(*e));
    if (e == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for %s", config->path);
    }
    e->store = store;
    e->source = ls_source_use(source);
    e->config = config;
    e->monitored = config->monitor_interval > 0;
    e->local.entry = e->remote.entry = e->maint.lane.entry = e;
    timers_of(e, timers);
    for (int i = 0; i < TIMERS; i++) {
        (void)uv_timer_init(&store->loop, timers[i]);
        timers[i]->data = e;
        e->open_timers++;
    }
    ls_seen_init(e);
    ls_levels_init(&e->levels);
    ls_code rc = open_all(e, err);
    if (rc != LS_OK) {
        ls_entry_free(e);
        return rc;
    }
    *out = e;
    return LS_OK;
}

ls_code ls_entry_renew(ls_entry *e, ls_db **old, ls_err *err) {
    ls_db *db = e->db;
    ls_replica *replica = e->replica;
    ls_lease *lease = e->lease;
    ls_maint_objects maint = ls_maint_take(e);
    e->db = NULL;
    e->replica = NULL;
    e->lease = NULL;
    ls_code rc = open_all(e, err);
    if (rc != LS_OK) {
        ls_maint_done(e);
        ls_replica_free(e->replica);
        ls_db_free(e->db);
        ls_keeper_drop(e->store->keeper, e->lease);
        e->db = db;
        e->replica = replica;
        e->lease = lease;
        ls_maint_put(e, maint);
        return rc;
    }
    ls_maint_objects_free(maint);
    ls_replica_free(replica);
    ls_keeper_drop(e->store->keeper, lease);
    *old = db;
    e->hold = e->looked = e->overdue = e->stirred = e->diverged = e->refused = false;
    e->next_capture = e->next_look = e->next_measure = e->next_remote = 0;
    e->empty_wait = e->commit_wait = 0;
    e->result = (ls_db_sync_result){0};
    e->capture_trouble = e->remote_trouble = (ls_trouble){0};
    return LS_OK;
}

void ls_entry_quiet(ls_entry *e) {
    uv_timer_t *timers[TIMERS];
    timers_of(e, timers);
    for (int i = 0; i < TIMERS; i++) {
        (void)uv_timer_stop(timers[i]);
    }
    ls_maint_quiet(e);
    ls_bring_cancel(e);
}

static void on_timer_closed(uv_handle_t *handle) {
    ls_entry *e = handle->data;
    if (--e->open_timers > 0) {
        return;
    }
    ls_maint_done(e);
    ls_replica_free(e->replica);
    ls_keeper_drop(e->store->keeper, e->lease);
    ls_db_free(e->db);
    ls_db_free(e->old_db);
    ls_seen_done(e);
    ls_levels_done(&e->levels);
    ls_source_drop(e->source);
    ls_ids_done(&e->ids);
    free(e->wal);
    free(e);
}

void ls_entry_free(ls_entry *e) {
    uv_timer_t *timers[TIMERS];
    if (e == NULL) {
        return;
    }
    timers_of(e, timers);
    for (int i = 0; i < TIMERS; i++) {
        uv_close((uv_handle_t *)timers[i], on_timer_closed);
    }
}
