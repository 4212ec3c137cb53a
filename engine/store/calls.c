/*
 * What other threads ask: calls queued for the loop thread, which answers them at once or parks
 * them at their database until its jobs have ended.
 *
 * A call has two owners, who waits for it and the loop; the one who is done with it last frees it,
 * so that who has waited long enough may leave. All else in a call belongs to the loop from the
 * moment it is queued until it is answered.
 */
#include "engine/store/call.h"

#include <stdlib.h>
#include <string.h>

/* Calls that wait at one time; more are refused. */
#define CALLS_MAX 256

/* ---- Asking ---- */

ls_code ls_calls_refuse(ls_err *err) {
    (void)ls_fail(err, LS_ENOTREADY, "litestream is starting or stopping");
    return ls_hint(err, "ask again when it runs");
}

void ls_call_free(ls_call *call) {
    if (call != NULL) {
        ls_store_states_free(call->states, call->n);
        ls_storage_free(call->storage);
        ls_source_drop(call->source);
        free(call->path);
        free(call);
    }
}

ls_code ls_call_new(const char *path, void (*begin)(ls_store *, ls_call *), ls_call **out,
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
ls_code ls_call_ask(ls_store *store, ls_call **call, int64_t timeout_ns, ls_err *err) {
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
        ls_call_free(mine);
        *call = NULL;
    }
    return rc;
}

/* ---- Answering ---- */

void ls_call_answer(ls_store *store, ls_call *call) {
    ls_calls *c = &store->calls;
    (void)pthread_mutex_lock(&c->mutex);
    c->answers++;
    c->waiting--;
    call->answered = true;
    bool left = call->left;
    (void)pthread_cond_broadcast(&c->answered);
    (void)pthread_mutex_unlock(&c->mutex);
    if (left) {
        ls_call_free(call);
    }
}

bool ls_call_failed(ls_call *call, const ls_lane *lane) {
    call->rc = lane->rc;
    call->err = lane->err;
    return true;
}

ls_entry *ls_call_find(const ls_store *store, ls_call *call) {
    ls_entry *e = ls_set_find(store, call->path);
    if (e != NULL) {
        return e;
    }
    call->rc = ls_fail(&call->err, LS_ENOTFOUND, "database not found: %s", call->path);
    (void)ls_hint(&call->err, "see what there is with: litestream list");
    return NULL;
}

void ls_call_park(ls_entry *e, ls_call *call) {
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
            ls_call_answer(e->store, call);
        } else {
            at = &call->next;
        }
    }
}

/* ---- Reading ---- */

static ls_code copy_states(ls_entry *const *entries, size_t n, ls_call *call) {
    call->states = calloc(n + 1, sizeof(*call->states));
    ls_code rc =
        call->states == NULL ? ls_fail(&call->err, LS_ENOMEM, "state of databases") : LS_OK;
    for (size_t i = 0; rc == LS_OK && i < n; i++) {
        rc = ls_seen_state(entries[i], &call->states[i], &call->err);
        call->n += rc == LS_OK;
    }
    return rc;
}

static void states_begin(ls_store *store, ls_call *call) {
    ls_entry *e = call->path == NULL ? NULL : ls_call_find(store, call);
    if (call->path == NULL) {
        call->rc = copy_states(store->entries, store->n, call);
    } else if (e != NULL) {
        call->rc = copy_states(&e, 1, call);
    }
    ls_call_answer(store, call);
}

ls_code ls_store_states(ls_store *store, ls_db_state **states, size_t *n, ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = ls_call_new(NULL, states_begin, &call, err);
    if (rc == LS_OK) {
        rc = ls_call_ask(store, &call, 0, err);
    }
    if (rc == LS_OK) {
        *states = call->states;
        *n = call->n;
        call->states = NULL;
        call->n = 0;
    }
    ls_call_free(call);
    return rc;
}

ls_code ls_store_state(ls_store *store, const char *path, ls_db_state *state, ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = ls_call_new(path, states_begin, &call, err);
    if (rc == LS_OK) {
        rc = ls_call_ask(store, &call, 0, err);
    }
    if (rc == LS_OK) {
        *state = call->states[0];
        call->n = 0; /* what it owns went with it */
    }
    ls_call_free(call);
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
        local += store->entries[i]->local.busy;
        remote += store->entries[i]->remote.busy;
        maint += store->entries[i]->maint.lane.busy;
    }
    count_jobs(call->totals, LS_QUEUE_LOCAL, local, LS_STORE_LOCAL_WORKERS);
    count_jobs(call->totals, LS_QUEUE_REMOTE, remote, LS_STORE_REMOTE_WORKERS);
    count_jobs(call->totals, LS_QUEUE_MAINT, maint, LS_STORE_MAINT_WORKERS);
    ls_meter_read(&store->meter, call->totals);
    (void)pthread_mutex_lock(&store->calls.mutex);
    call->totals->calls = store->calls.answers;
    (void)pthread_mutex_unlock(&store->calls.mutex);
    ls_call_answer(store, call);
}

ls_code ls_store_totals(ls_store *store, ls_totals *totals, ls_err *err) {
    ls_call *call = NULL;
    *totals = (ls_totals){.n_ops = 0};
    ls_code rc = ls_call_new(NULL, totals_begin, &call, err);
    if (rc == LS_OK) {
        call->totals = totals;
        rc = ls_call_ask(store, &call, 0, err);
    }
    ls_call_free(call);
    return rc;
}

static void storage_begin(ls_store *store, ls_call *call) {
    const ls_entry *e = ls_call_find(store, call);
    if (e != NULL) {
        call->rc = ls_config_storage(e->config, &call->storage, &call->err);
        if (call->rc == LS_OK) {
            call->rc =
                ls_metered_new(call->storage, &store->meter, NULL, &call->storage, &call->err);
        }
    }
    if (call->storage != NULL) {
        ls_storage_set_log(call->storage, store->log);
    }
    ls_call_answer(store, call);
}

ls_code ls_store_storage(ls_store *store, const char *path, ls_storage **storage, ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = ls_call_new(path, storage_begin, &call, err);
    if (rc == LS_OK) {
        rc = ls_call_ask(store, &call, 0, err);
    }
    if (rc == LS_OK) {
        *storage = call->storage;
        call->storage = NULL;
    }
    ls_call_free(call);
    return rc;
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
        ls_call_answer(store, call);
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
        ls_call *parked = store->entries[i]->calls;
        store->entries[i]->calls = NULL;
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
