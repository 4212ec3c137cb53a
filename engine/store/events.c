/*
 * What happened lately: a ring of the last events, added by the loop, read from any thread.
 */
#include "engine/store/internal.h"

#include <string.h>

static const char *const names[] = {
    [LS_EVENT_CAPTURE] = "capture", [LS_EVENT_UPLOAD] = "upload",
    [LS_EVENT_COMPACT] = "compact", [LS_EVENT_SNAPSHOT] = "snapshot",
    [LS_EVENT_DELETE] = "delete",   [LS_EVENT_CHECKPOINT] = "checkpoint",
    [LS_EVENT_ERROR] = "error",     [LS_EVENT_DATABASE] = "database",
};

const char *ls_event_name(ls_event_kind kind) { return names[kind]; }

static void copy_cut(char *to, size_t size, const char *from) {
    size_t len = strnlen(from, size - 1);
    memcpy(to, from, len);
    to[len] = '\0';
}

void ls_event_add(const ls_entry *e, ls_event event) {
    ls_calls *c = &e->store->calls;
    event.at_ms = ls_wall_ms(&ls_clock_system);
    copy_cut(event.path, sizeof(event.path), ls_db_path(e->db));
    (void)pthread_mutex_lock(&c->mutex);
    event.number = ++c->n_events;
    c->events[event.number % LS_EVENTS_KEPT] = event;
    (void)pthread_cond_broadcast(&c->happened);
    (void)pthread_mutex_unlock(&c->mutex);
}

/* Waits with the mutex held until there is one behind after; false: none came. */
static bool await_event(ls_calls *c, uint64_t after, int64_t timeout_ns) {
    int64_t until = ls_store_now() + (timeout_ns > 0 ? timeout_ns : 0);
    const struct timespec limit = {.tv_sec = until / LS_SEC, .tv_nsec = until % LS_SEC};
    int rc = 0;
    while (c->open && c->n_events <= after && rc == 0) {
        rc = pthread_cond_timedwait(&c->happened, &c->mutex, &limit);
    }
    return c->n_events > after;
}

ls_code ls_store_events(ls_store *store, uint64_t after, ls_event *events, size_t max,
                        int64_t timeout_ns, size_t *n, ls_err *err) {
    ls_calls *c = &store->calls;
    ls_code rc = LS_OK;
    *n = 0;
    (void)pthread_mutex_lock(&c->mutex);
    bool any = await_event(c, after, timeout_ns);
    if (!c->open) {
        rc = ls_calls_refuse(err);
    } else if (any) {
        uint64_t lost = c->n_events > LS_EVENTS_KEPT ? c->n_events - LS_EVENTS_KEPT : 0;
        for (uint64_t i = (after > lost ? after : lost) + 1; i <= c->n_events && *n < max; i++) {
            events[(*n)++] = c->events[i % LS_EVENTS_KEPT];
        }
    }
    (void)pthread_mutex_unlock(&c->mutex);
    return rc;
}

uint64_t ls_store_last_event(ls_store *store) {
    ls_calls *c = &store->calls;
    (void)pthread_mutex_lock(&c->mutex);
    uint64_t last = c->n_events;
    (void)pthread_mutex_unlock(&c->mutex);
    return last;
}
