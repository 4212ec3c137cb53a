/*
 * Calls that become jobs of a database which goes on running: a sync, a snapshot.
 */
#include "engine/store/call.h"

static bool not_open(ls_call *call) {
    call->rc = ls_fail(&call->err, LS_ENOTREADY, "database not open: %s", call->path);
    (void)ls_hint(&call->err, "it was stopped; start it first: litestream start");
    return true;
}

/* One that runs by itself; NULL: call->rc says why not. */
static ls_entry *find_running(const ls_store *store, ls_call *call) {
    ls_entry *e = ls_call_find(store, call);
    if (e != NULL && e->halt != LS_HALT_NONE) {
        (void)not_open(call);
        return NULL;
    }
    if (e != NULL && !e->monitored) {
        call->rc = ls_fail(&call->err, LS_EUNSUPPORTED, "database is not replicated by itself: %s",
                           call->path);
        (void)ls_hint(&call->err, "set its monitor-interval, or use: litestream replicate -once");
        return NULL;
    }
    return e;
}

/* ---- Sync ---- */

/* No interval and no pause, also not one that a job has set that began before the call. */
static void capture_now(ls_entry *e, ls_call *call) {
    if (e->capture_trouble.count == 0 && e->next_capture > call->turn) {
        call->turn = e->next_capture;
    }
    e->dirty = true;
    e->by_poll = false;
    e->next_capture = e->next_look = 0;
}

static bool sync_ended(ls_entry *e, ls_call *call, const ls_lane *lane);

/* No file was made, so the interval goes on, as soon as nobody waits for another capture. */
static void pass_turn(ls_entry *e, int64_t turn) {
    for (ls_call *other = e->calls; other != NULL; other = other->next) {
        if (other->ended == sync_ended && !other->captured) {
            other->turn = turn > other->turn ? turn : other->turn;
            return;
        }
    }
    e->next_capture = turn > e->next_capture ? turn : e->next_capture;
}

/* Nothing that is there to be captured was captured by a job that began before the call. */
static bool sync_captured(ls_entry *e, ls_call *call, const ls_lane *lane) {
    const ls_db_sync_result *res = &e->result;
    if (lane->what != LS_WORK_CAPTURE || lane->number <= call->after) {
        return false;
    }
    if (lane->rc == LS_EBUSY && e->capture_trouble.count < LS_STORE_BUSY_TRIES) {
        capture_now(e, call); /* others hold a lock: no failure until it lasts */
        return false;
    }
    if (lane->rc != LS_OK) {
        return ls_call_failed(call, lane);
    }
    if (res->missing) {
        call->rc = ls_fail(&call->err, LS_ENOTREADY, "database does not exist yet: %s", call->path);
        return true;
    }
    if (e->looked || res->more || res->settling) {
        return false;
    }
    call->captured = true;
    if (res->files == 0) {
        pass_turn(e, call->turn);
    }
    call->after_remote = e->remote.number;
    call->sync.txid = call->target = ls_db_txid(e->db);
    return !call->wait;
}

static bool sync_uploaded(ls_entry *e, ls_call *call, const ls_lane *lane) {
    if (ls_replica_checked(e->replica) && ls_replica_txid(e->replica) >= call->target) {
        return true;
    }
    if (e->diverged && !e->remote.busy) {
        return ls_call_failed(call, &e->remote);
    }
    bool remote = lane == &e->remote || lane->what == LS_WORK_COMPARE;
    bool old = lane == &e->remote && lane->number <= call->after_remote;
    /* next_remote 0: it is tried again at once, by comparing anew. */
    if (remote && lane->rc != LS_OK && e->next_remote != 0 && !old) {
        return ls_call_failed(call, lane);
    }
    e->next_remote = 0;
    return false;
}

static bool sync_ended(ls_entry *e, ls_call *call, const ls_lane *lane) {
    if (e->halt == LS_HALT_STOPPED) {
        return not_open(call);
    }
    if (!call->captured) {
        /* Without the comparison the first capture may not begin. */
        if (call->wait && lane->what == LS_WORK_COMPARE && lane->rc != LS_OK) {
            return ls_call_failed(call, lane);
        }
        if (sync_captured(e, call, lane)) {
            call->sync.replica_txid = ls_replica_txid(e->replica);
            return true;
        }
        bool old = lane->number <= call->after || lane->what != LS_WORK_CAPTURE;
        if (!call->captured && lane == &e->local && old) {
            capture_now(e, call);
        }
    }
    bool ended = call->captured && sync_uploaded(e, call, lane);
    call->sync.replica_txid = ls_replica_txid(e->replica);
    return ended;
}

static void sync_begin(ls_store *store, ls_call *call) {
    ls_entry *e = find_running(store, call);
    if (e == NULL) {
        ls_call_answer(store, call);
        return;
    }
    call->sync.before = ls_db_txid(e->db);
    call->after = e->local.number;
    call->ended = sync_ended;
    capture_now(e, call);
    if (call->wait || e->remote_trouble.count > 0) {
        e->next_remote = 0;
    }
    ls_call_park(e, call);
    ls_entry_pump(e);
}

ls_code ls_store_sync(ls_store *store, const char *path, bool wait, int64_t timeout_ns,
                      ls_sync_answer *result, ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = ls_call_new(path, sync_begin, &call, err);
    if (rc == LS_OK) {
        call->wait = wait;
        rc = ls_call_ask(store, &call, timeout_ns, err);
    }
    if (rc == LS_OK) {
        *result = call->sync;
    }
    ls_call_free(call);
    return rc;
}

/* ---- Snapshot ---- */

static bool snapshot_ended(ls_entry *e, ls_call *call, const ls_lane *lane) {
    const ls_maint *m = &e->maint;
    if (e->halt == LS_HALT_STOPPED) {
        return not_open(call);
    }
    bool remote = lane == &e->remote && e->next_remote != 0;
    if ((lane->what == LS_WORK_SNAPSHOT || remote) && lane->rc != LS_OK) {
        return ls_call_failed(call, lane);
    }
    /* Only one that begins after the call shows what was committed before it. */
    if (lane == &e->local && lane->what == LS_WORK_SNAPSHOT && lane->number > call->after) {
        call->captured = true;
        call->target = m->snap_txid;
    }
    if (lane == &m->lane && lane->what == LS_WORK_SNAPSHOT && call->captured &&
        m->found.made >= call->target) {
        call->txid = m->found.made;
        return true;
    }
    /* A comparison makes the wish be forgotten, a snapshot that ran already was too early. */
    if (!m->lane.busy && m->snap_state == LS_SNAP_NONE) {
        ls_maint_snapshot_now(e);
    }
    e->next_remote = 0; /* it goes up behind the level-0 file of its TXID */
    return false;
}

static void snapshot_begin(ls_store *store, ls_call *call) {
    ls_entry *e = find_running(store, call);
    if (e == NULL) {
        ls_call_answer(store, call);
        return;
    }
    call->after = e->local.number;
    call->ended = snapshot_ended;
    ls_maint_snapshot_now(e);
    ls_call_park(e, call);
    ls_entry_pump(e);
}

ls_code ls_store_snapshot(ls_store *store, const char *path, int64_t timeout_ns, ls_txid *txid,
                          ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = ls_call_new(path, snapshot_begin, &call, err);
    if (rc == LS_OK) {
        rc = ls_call_ask(store, &call, timeout_ns, err);
    }
    if (rc == LS_OK) {
        *txid = call->txid;
    }
    ls_call_free(call);
    return rc;
}
