/*
 * What other threads ask: calls queued for the loop thread, which answers them at once or parks
 * them at their database until its jobs have ended.
 *
 * A call has two owners, who waits for it and the loop; the one who is done with it last frees it,
 * so that who has waited long enough may leave. All else in a call belongs to the loop from the
 * moment it is queued until it is answered.
 */
#include "engine/store/internal.h"

#include <stdlib.h>
#include <string.h>

/* Calls that wait at one time; more are refused. */
#define CALLS_MAX 256

struct ls_call {
    ls_call *next; /* in the queue, or of its database */
    void (*begin)(ls_store *store, ls_call *call);
    /* After each job of its database: true when call->rc is the answer. */
    bool (*ended)(ls_entry *e, ls_call *call, const ls_lane *lane);
    char *path; /* NULL: none in particular */

    bool wait, captured;
    uint64_t after, after_remote; /* jobs up to these numbers began before the call */
    int64_t turn;                 /* when the next capture would have come */
    ls_txid target;               /* it wants to see there */

    bool answered, left; /* by the mutex of the calls; left: nobody waits any more */
    ls_code rc;
    ls_err err;
    ls_sync_answer sync;
    bool changed;
    ls_txid txid;
    ls_db_state *states;
    size_t n;
    ls_totals *totals; /* the caller's, who does not leave */
};

/* ---- Asking ---- */

ls_code ls_calls_refuse(ls_err *err) {
    (void)ls_fail(err, LS_ENOTREADY, "litestream is starting or stopping");
    return ls_hint(err, "ask again when it runs");
}

static void call_free(ls_call *call) {
    if (call != NULL) {
        ls_store_states_free(call->states, call->n);
        free(call->path);
        free(call);
    }
}

static ls_code call_new(const char *path, void (*begin)(ls_store *, ls_call *), ls_call **out,
                        ls_err *err) {
    ls_call *call = calloc(1, sizeof(*call));
    if (call != NULL && path != NULL) {
        call->path = strdup(path);
    }
    if (call == NULL || (path != NULL && call->path == NULL)) {
        free(call);
        return ls_fail(err, LS_ENOMEM, "call to the running store");
    }
    call->begin = begin;
    *out = call;
    return LS_OK;
}

static ls_code enqueue(ls_store *store, ls_call *call, ls_err *err) {
    ls_calls *c = &store->calls;
    if (!c->open) {
        return ls_calls_refuse(err);
    }
    if (c->waiting >= CALLS_MAX) {
        (void)ls_fail(err, LS_ELIMIT, "%d calls wait for an answer already", CALLS_MAX);
        return ls_hint(err, "ask again when some of them have ended");
    }
    c->waiting++;
    *c->tail = call;
    c->tail = &call->next;
    (void)uv_async_send(&store->wake);
    return LS_OK;
}

/* With the mutex held, until it is answered; timeout_ns <= 0: as long as it takes. */
static bool await_answer(ls_calls *c, const ls_call *call, int64_t timeout_ns) {
    int64_t until = ls_store_now() + timeout_ns;
    const struct timespec limit = {.tv_sec = until / LS_SEC, .tv_nsec = until % LS_SEC};
    int rc = 0;
    while (!call->answered && rc == 0) {
        rc = timeout_ns > 0 ? pthread_cond_timedwait(&c->answered, &c->mutex, &limit)
                            : pthread_cond_wait(&c->answered, &c->mutex);
    }
    return call->answered;
}

/* Hands the call over and waits. After LS_OK it is answered, and the caller's to free. After an
 * error it is the caller's no more, *call is NULL. */
static ls_code ask(ls_store *store, ls_call **call, int64_t timeout_ns, ls_err *err) {
    ls_calls *c = &store->calls;
    ls_call *mine = *call;
    (void)pthread_mutex_lock(&c->mutex);
    ls_code rc = enqueue(store, mine, err);
    if (rc == LS_OK && !await_answer(c, mine, timeout_ns)) {
        rc = ls_fail(err, LS_ETIMEDOUT, "no answer in time for %s; the work goes on",
                     mine->path == NULL ? "the store" : mine->path);
        mine->left = true;
        mine = NULL;
    }
    (void)pthread_mutex_unlock(&c->mutex);
    if (rc == LS_OK && mine->rc != LS_OK) {
        *err = mine->err;
        rc = mine->rc;
    }
    if (rc != LS_OK) {
        call_free(mine);
        *call = NULL;
    }
    return rc;
}

/* ---- Answering ---- */

static void answer(ls_store *store, ls_call *call) {
    ls_calls *c = &store->calls;
    (void)pthread_mutex_lock(&c->mutex);
    c->answers++;
    c->waiting--;
    call->answered = true;
    bool left = call->left;
    (void)pthread_cond_broadcast(&c->answered);
    (void)pthread_mutex_unlock(&c->mutex);
    if (left) {
        call_free(call);
    }
}

static bool failed(ls_call *call, const ls_lane *lane) {
    call->rc = lane->rc;
    call->err = lane->err;
    return true;
}

static bool not_open(ls_call *call) {
    call->rc = ls_fail(&call->err, LS_ENOTREADY, "database not open: %s", call->path);
    (void)ls_hint(&call->err, "it was stopped; start it first: litestream start");
    return true;
}

static ls_entry *find(const ls_store *store, ls_call *call) {
    for (size_t i = 0; i < store->n; i++) {
        if (strcmp(ls_db_path(store->entries[i].db), call->path) == 0) {
            return &store->entries[i];
        }
    }
    call->rc = ls_fail(&call->err, LS_ENOTFOUND, "database not found: %s", call->path);
    (void)ls_hint(&call->err, "see what there is with: litestream list");
    return NULL;
}

/* One that runs by itself; NULL: call->rc says why not. */
static ls_entry *find_running(const ls_store *store, ls_call *call) {
    ls_entry *e = find(store, call);
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

static void park(ls_entry *e, ls_call *call) {
    call->next = e->calls;
    e->calls = call;
}

void ls_calls_take(ls_store *store) {
    ls_calls *c = &store->calls;
    (void)pthread_mutex_lock(&c->mutex);
    ls_call *call = c->queue;
    c->queue = NULL;
    c->tail = &c->queue;
    (void)pthread_mutex_unlock(&c->mutex);
    while (call != NULL) {
        ls_call *next = call->next;
        call->next = NULL;
        call->begin(store, call);
        call = next;
    }
}

void ls_calls_ended(ls_entry *e, const ls_lane *lane) {
    for (ls_call **at = &e->calls; *at != NULL;) {
        ls_call *call = *at;
        if (call->ended(e, call, lane)) {
            *at = call->next;
            answer(e->store, call);
        } else {
            at = &call->next;
        }
    }
}

/* ---- Reading ---- */

static ls_code copy_states(ls_entry *entries, size_t n, ls_call *call) {
    call->states = calloc(n + 1, sizeof(*call->states));
    ls_code rc =
        call->states == NULL ? ls_fail(&call->err, LS_ENOMEM, "state of databases") : LS_OK;
    for (size_t i = 0; rc == LS_OK && i < n; i++) {
        rc = ls_seen_state(&entries[i], &call->states[i], &call->err);
        call->n += rc == LS_OK;
    }
    return rc;
}

static void states_begin(ls_store *store, ls_call *call) {
    ls_entry *e = call->path == NULL ? store->entries : find(store, call);
    if (e != NULL) {
        call->rc = copy_states(e, call->path == NULL ? store->n : 1, call);
    }
    answer(store, call);
}

ls_code ls_store_states(ls_store *store, ls_db_state **states, size_t *n, ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = call_new(NULL, states_begin, &call, err);
    if (rc == LS_OK) {
        rc = ask(store, &call, 0, err);
    }
    if (rc == LS_OK) {
        *states = call->states;
        *n = call->n;
        call->states = NULL;
        call->n = 0;
    }
    call_free(call);
    return rc;
}

ls_code ls_store_state(ls_store *store, const char *path, ls_db_state *state, ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = call_new(path, states_begin, &call, err);
    if (rc == LS_OK) {
        rc = ask(store, &call, 0, err);
    }
    if (rc == LS_OK) {
        *state = call->states[0];
        call->n = 0; /* what it owns went with it */
    }
    call_free(call);
    return rc;
}

/* What is busy beyond the workers waits for one. */
static void count_jobs(ls_totals *t, ls_queue queue, size_t busy, size_t workers) {
    t->running[queue] = busy < workers ? busy : workers;
    t->queued[queue] = busy - t->running[queue];
}

static void totals_begin(ls_store *store, ls_call *call) {
    size_t local = 0, remote = 0, maint = 0;
    for (size_t i = 0; i < store->n; i++) {
        local += store->entries[i].local.busy;
        remote += store->entries[i].remote.busy;
        maint += store->entries[i].maint.lane.busy;
    }
    count_jobs(call->totals, LS_QUEUE_LOCAL, local, LS_STORE_LOCAL_WORKERS);
    count_jobs(call->totals, LS_QUEUE_REMOTE, remote, LS_STORE_REMOTE_WORKERS);
    count_jobs(call->totals, LS_QUEUE_MAINT, maint, LS_STORE_MAINT_WORKERS);
    (void)pthread_mutex_lock(&store->calls.mutex);
    call->totals->calls = store->calls.answers;
    (void)pthread_mutex_unlock(&store->calls.mutex);
    answer(store, call);
}

ls_code ls_store_totals(ls_store *store, ls_totals *totals, ls_err *err) {
    ls_call *call = NULL;
    *totals = (ls_totals){.n_ops = 0};
    ls_code rc = call_new(NULL, totals_begin, &call, err);
    if (rc == LS_OK) {
        call->totals = totals;
        rc = ask(store, &call, 0, err);
    }
    call_free(call);
    return rc;
}

static void storage_begin(ls_store *store, ls_call *call) {
    (void)find(store, call);
    answer(store, call);
}

/* The configuration does not change while the store lives: only what is open is asked of the loop.
 */
ls_code ls_store_storage(ls_store *store, const char *path, ls_storage **storage, ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = call_new(path, storage_begin, &call, err);
    if (rc == LS_OK) {
        rc = ask(store, &call, 0, err);
    }
    call_free(call);
    if (rc != LS_OK) {
        return rc;
    }
    const ls_db_config *config = ls_config_find(store->config, path);
    if (config == NULL) {
        return ls_fail(err, LS_ENOTFOUND, "database not found: %s", path);
    }
    return ls_config_storage(config, storage, err);
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
    if (lane->rc != LS_OK) {
        return failed(call, lane);
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
        return failed(call, &e->remote);
    }
    bool remote = lane == &e->remote || lane->what == LS_WORK_COMPARE;
    bool old = lane == &e->remote && lane->number <= call->after_remote;
    /* next_remote 0: it is tried again at once, by comparing anew. */
    if (remote && lane->rc != LS_OK && e->next_remote != 0 && !old) {
        return failed(call, lane);
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
            return failed(call, lane);
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
        answer(store, call);
        return;
    }
    call->sync.before = ls_db_txid(e->db);
    call->after = e->local.number;
    call->ended = sync_ended;
    capture_now(e, call);
    if (call->wait || e->remote_trouble.count > 0) {
        e->next_remote = 0;
    }
    park(e, call);
    ls_entry_pump(e);
}

ls_code ls_store_sync(ls_store *store, const char *path, bool wait, int64_t timeout_ns,
                      ls_sync_answer *result, ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = call_new(path, sync_begin, &call, err);
    if (rc == LS_OK) {
        call->wait = wait;
        rc = ask(store, &call, timeout_ns, err);
    }
    if (rc == LS_OK) {
        *result = call->sync;
    }
    call_free(call);
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
        return failed(call, lane);
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
        answer(store, call);
        return;
    }
    call->after = e->local.number;
    call->ended = snapshot_ended;
    ls_maint_snapshot_now(e);
    park(e, call);
    ls_entry_pump(e);
}

ls_code ls_store_snapshot(ls_store *store, const char *path, int64_t timeout_ns, ls_txid *txid,
                          ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = call_new(path, snapshot_begin, &call, err);
    if (rc == LS_OK) {
        rc = ask(store, &call, timeout_ns, err);
    }
    if (rc == LS_OK) {
        *txid = call->txid;
    }
    call_free(call);
    return rc;
}

/* ---- Stop and start ---- */

static bool stop_ended(ls_entry *e, ls_call *call, const ls_lane *lane) {
    if (lane->what == LS_WORK_LAST && lane->rc != LS_OK) {
        return failed(call, lane);
    }
    call->txid = e->halt_txid;
    call->changed = true;
    return e->halt == LS_HALT_STOPPED;
}

static void stop_begin(ls_store *store, ls_call *call) {
    ls_entry *e = find(store, call);
    if (e == NULL || e->halt == LS_HALT_STOPPED) {
        call->txid = e == NULL ? 0 : e->halt_txid;
        answer(store, call);
        return;
    }
    call->ended = stop_ended;
    park(e, call);
    if (e->halt == LS_HALT_NONE) {
        ls_halt_begin(e);
    }
}

static void start_begin(ls_store *store, ls_call *call) {
    ls_entry *e = find(store, call);
    if (e != NULL && e->halt != LS_HALT_NONE && e->halt != LS_HALT_STOPPED) {
        call->rc = ls_fail(&call->err, LS_EBUSY, "database is being stopped: %s", call->path);
        (void)ls_hint(&call->err, "start it when it has stopped");
    } else if (e != NULL) {
        call->changed = e->halt == LS_HALT_STOPPED;
        call->txid = call->changed ? e->halt_txid : ls_db_txid(e->db);
        if (call->changed) {
            ls_halt_end(e);
        }
    }
    answer(store, call);
}

static ls_code switch_db(ls_store *store, const char *path, void (*begin)(ls_store *, ls_call *),
                         int64_t timeout_ns, bool *changed, ls_txid *txid, ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = call_new(path, begin, &call, err);
    if (rc == LS_OK) {
        rc = ask(store, &call, timeout_ns, err);
    }
    if (rc == LS_OK) {
        *changed = call->changed;
        *txid = call->txid;
    }
    call_free(call);
    return rc;
}

ls_code ls_store_stop_db(ls_store *store, const char *path, int64_t timeout_ns, bool *changed,
                         ls_txid *txid, ls_err *err) {
    return switch_db(store, path, stop_begin, timeout_ns, changed, txid, err);
}

ls_code ls_store_start_db(ls_store *store, const char *path, bool *changed, ls_txid *txid,
                          ls_err *err) {
    return switch_db(store, path, start_begin, 0, changed, txid, err);
}

/* ---- The list of databases is that of the configuration ---- */

static ls_code fixed_list(const char *what, ls_err *err) {
    (void)ls_fail(err, LS_EUNSUPPORTED, "%s: the databases of a running litestream are fixed",
                  what);
    return ls_hint(err, "change litestream.yml and restart litestream");
}

ls_code ls_store_register(ls_store *store, const ls_db_config *config, bool *changed, ls_err *err) {
    (void)store;
    *changed = false;
    return fixed_list(config->path == NULL ? "register" : config->path, err);
}

ls_code ls_store_unregister(ls_store *store, const char *path, int64_t timeout_ns, bool *changed,
                            ls_txid *txid, ls_err *err) {
    (void)store;
    (void)timeout_ns;
    *changed = false;
    *txid = 0;
    return fixed_list(path, err);
}

ls_code ls_store_reload(ls_store *store, ls_config *config, ls_err *err) {
    (void)store;
    (void)config;
    return fixed_list("reload", err);
}

/* ---- Life ---- */

ls_code ls_calls_init(ls_store *store, ls_err *err) {
    ls_calls *c = &store->calls;
    pthread_condattr_t attr;
    (void)pthread_mutex_init(&c->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&c->answered, &attr);
    (void)pthread_cond_init(&c->happened, &attr);
    (void)pthread_condattr_destroy(&attr);
    c->tail = &c->queue;
    c->events = calloc(LS_EVENTS_KEPT, sizeof(*c->events));
    return c->events == NULL ? ls_fail(err, LS_ENOMEM, "list of events") : LS_OK;
}

void ls_calls_open(ls_store *store) {
    (void)pthread_mutex_lock(&store->calls.mutex);
    store->calls.open = true;
    (void)pthread_mutex_unlock(&store->calls.mutex);
}

static void refuse_all(ls_store *store, ls_call *call) {
    while (call != NULL) {
        ls_call *next = call->next;
        call->rc = ls_calls_refuse(&call->err);
        answer(store, call);
        call = next;
    }
}

void ls_calls_close(ls_store *store) {
    ls_calls *c = &store->calls;
    (void)pthread_mutex_lock(&c->mutex);
    ls_call *queued = c->queue;
    c->queue = NULL;
    c->tail = &c->queue;
    c->open = false;
    (void)pthread_cond_broadcast(&c->happened);
    (void)pthread_mutex_unlock(&c->mutex);
    refuse_all(store, queued);
    for (size_t i = 0; i < store->n; i++) {
        ls_call *parked = store->entries[i].calls;
        store->entries[i].calls = NULL;
        refuse_all(store, parked);
    }
}

void ls_calls_done(ls_store *store) {
    ls_calls *c = &store->calls;
    (void)pthread_cond_destroy(&c->happened);
    (void)pthread_cond_destroy(&c->answered);
    (void)pthread_mutex_destroy(&c->mutex);
    free(c->events);
}
