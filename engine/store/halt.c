/*
 * One database stops and starts while the others go on: no new jobs, a last sync, then its handles
 * are closed. It stays in the list, with objects that nobody has opened yet, or is removed.
 *
 * A last sync that fails leaves the database running: what the replica lacks is not forgotten. Only
 * where the configuration or the disk say that there is no such database any more, that would be
 * wrong: then it is tried again for some time, as at the end of a run.
 */
#include "engine/store/internal.h"

bool ls_halt_leaves(const ls_entry *e) {
    return e->halt != LS_HALT_NONE && e->aim == LS_AIM_REMOVE;
}

/* Starts nothing yet: what the lane's last job came to is still to be looked at. */
static void resume(ls_entry *e) {
    e->halt = LS_HALT_NONE;
    e->aim = LS_AIM_STOP;
    if (e->monitored) {
        ls_watch_entry(e);
        e->dirty = true;
    }
}

static void stopped(ls_entry *e) {
    e->halt = LS_HALT_STOPPED;
    if (e->aim == LS_AIM_REMOVE) {
        ls_set_drop(e);
        return;
    }
    ls_event_add(e,
                 LS_EVENT_OF(LS_EVENT_DATABASE, -1, .max_txid = e->halt_txid, .text = "stopped"));
    ls_log_write(
        e->store->log, LS_INFO, "database stopped",
        LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)), LS_TXID("txid", e->halt_txid)));
}

/* ---- Closing ---- */

/* Worker: SQLite's handles may take a while. */
static void close_work(ls_entry *e, ls_lane *lane) {
    (void)lane;
    ls_db_free(e->old_db);
}

static void close_done(ls_entry *e, ls_lane *lane) {
    (void)lane;
    e->old_db = NULL;
    stopped(e);
}

static ls_code start_closing(ls_entry *e, ls_err *err) {
    ls_txid txid = ls_db_txid(e->db);
    ls_code rc = ls_entry_renew(e, &e->old_db, err);
    if (rc == LS_OK) {
        e->halt = LS_HALT_CLOSING;
        e->halt_txid = txid;
        ls_entry_quiet(e); /* what jobs that ended meanwhile have armed */
        ls_watch_rest(e, true);
        ls_lane_submit(&e->local, e->store->local, LS_WORK_CLOSE, close_work, close_done);
    }
    return rc;
}

/* ---- The last sync ---- */

static void on_retry(uv_timer_t *timer) { ls_entry_pump(timer->data); }

/* Worker. */
static void last_work(ls_entry *e, ls_lane *lane) {
    bool missing;
    lane->rc = ls_entry_sync_all(e, &missing, &lane->err);
    if (lane->rc == LS_OK) {
        ls_tenure_end(e);
    }
}

static void go_on(ls_entry *e, ls_lane *lane) {
    (void)ls_wrap(&lane->err, "stop %s: it goes on being replicated", ls_db_path(e->db));
    ls_log_err(e->store->log, LS_ERROR, "database was not stopped", &lane->err,
               LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db))));
    resume(e);
}

/* The database is let go in any case; false: after another try. */
static bool give_up(ls_entry *e, const ls_lane *lane) {
    int64_t now = ls_store_now(), interval = e->store->rules.shutdown_sync_interval;
    bool hopeless = lane->rc == LS_EDIVERGED || lane->rc == LS_EHELD || lane->rc == LS_ENOTDB;
    if (!hopeless && now + interval <= e->halt_until) {
        e->halt_next = now + interval;
        return false;
    }
    ls_log_err(e->store->log, LS_ERROR, "last sync failed, database is let go without it",
               &lane->err,
               LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)),
                              LS_DUR("duration", now - e->halt_begun)));
    return true;
}

static void last_done(ls_entry *e, ls_lane *lane) {
    if (e->store->stopping) {
        return;
    }
    bool close = lane->rc == LS_OK || (e->halt_until != 0 && give_up(e, lane));
    if (close) {
        lane->rc = start_closing(e, &lane->err);
    }
    if (lane->rc != LS_OK && (close || e->halt_until == 0)) {
        go_on(e, lane);
    }
}

/* Maintenance is waited for too: it uses what will be closed. */
void ls_halt_pump(ls_entry *e) {
    if (e->halt != LS_HALT_LAST || e->local.busy || e->remote.busy || e->maint.lane.busy) {
        return;
    }
    int64_t now = ls_store_now();
    if (now < e->halt_next) {
        ls_entry_arm(&e->remote_timer, on_retry, e->halt_next - now);
    } else {
        ls_lane_submit(&e->remote, e->store->remote, LS_WORK_LAST, last_work, last_done);
    }
}

void ls_halt_begin(ls_entry *e, ls_aim aim, int64_t until) {
    e->aim = ls_halt_leaves(e) ? LS_AIM_REMOVE : aim;
    e->halt_until = until > e->halt_until || e->halt == LS_HALT_NONE ? until : e->halt_until;
    if (e->halt == LS_HALT_STOPPED && !e->gone && e->aim == LS_AIM_REMOVE) {
        ls_set_drop(e);
    } else if (e->halt == LS_HALT_NONE) {
        e->halt = LS_HALT_LAST;
        e->halt_next = 0;
        e->halt_begun = ls_store_now();
        ls_entry_quiet(e);
        ls_halt_pump(e);
    }
}

void ls_halt_end(ls_entry *e) {
    ls_event_add(e,
                 LS_EVENT_OF(LS_EVENT_DATABASE, -1, .max_txid = e->halt_txid, .text = "started"));
    ls_log_write(e->store->log, LS_INFO, "database started",
                 LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db))));
    resume(e);
    ls_entry_pump(e);
}
