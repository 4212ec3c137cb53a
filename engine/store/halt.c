/*
 * One database stops and starts while the others go on: no new jobs, a last sync, then its handles
 * are closed. It stays in the list, with objects that nobody has opened yet.
 *
 * A last sync that fails leaves the database running: what the replica lacks is not forgotten.
 */
#include "engine/store/internal.h"

static void resume(ls_entry *e) {
    e->halt = LS_HALT_NONE;
    if (e->monitored) {
        ls_entry_start(e);
    }
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
    e->halt = LS_HALT_STOPPED;
    ls_event_add(e,
                 LS_EVENT_OF(LS_EVENT_DATABASE, -1, .max_txid = e->halt_txid, .text = "stopped"));
    ls_log_write(
        e->store->log, LS_INFO, "database stopped",
        LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)), LS_TXID("txid", e->halt_txid)));
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

/* Worker. */
static void last_work(ls_entry *e, ls_lane *lane) {
    bool missing;
    lane->rc = ls_entry_sync_all(e, &missing, &lane->err);
}

static void last_done(ls_entry *e, ls_lane *lane) {
    if (e->store->stopping) {
        return;
    }
    if (lane->rc == LS_OK) {
        lane->rc = start_closing(e, &lane->err);
    }
    if (lane->rc == LS_OK) {
        return;
    }
    (void)ls_wrap(&lane->err, "stop %s: it goes on being replicated", ls_db_path(e->db));
    ls_log_err(e->store->log, LS_ERROR, "database was not stopped", &lane->err,
               LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db))));
    resume(e);
}

/* Maintenance is waited for too: it uses what will be closed. */
void ls_halt_pump(ls_entry *e) {
    if (e->halt == LS_HALT_LAST && !e->local.busy && !e->remote.busy && !e->maint.lane.busy) {
        ls_lane_submit(&e->remote, e->store->remote, LS_WORK_LAST, last_work, last_done);
    }
}

void ls_halt_begin(ls_entry *e) {
    e->halt = LS_HALT_LAST;
    ls_entry_quiet(e);
    ls_halt_pump(e);
}

void ls_halt_end(ls_entry *e) {
    ls_event_add(e,
                 LS_EVENT_OF(LS_EVENT_DATABASE, -1, .max_txid = e->halt_txid, .text = "started"));
    ls_log_write(e->store->log, LS_INFO, "database started",
                 LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db))));
    resume(e);
}
