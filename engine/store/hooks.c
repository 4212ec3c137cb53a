/*
 * What a run tells the one who started it: that every database was looked at once, and which
 * signals came. All of it on the loop thread.
 *
 * A child process that writes to the databases is started at the first of these: what was in the
 * logs before is captured by then, so that a log which the child restarts costs no full copy. A
 * large first copy does not hold it up for long.
 */
#include "engine/store/internal.h"

#include <signal.h>

static bool looked_at(const ls_entry *e) {
    return !e->monitored || e->halt != LS_HALT_NONE || e->seen.captured_at != 0 ||
           e->seen.missing || e->capture_trouble.count > 0;
}

static void tell(ls_store *store) {
    store->told_ready = true;
    (void)uv_timer_stop(&store->ready);
    store->hooks.ready(store->hooks.arg);
}

static void on_late(uv_timer_t *timer) {
    ls_store *store = timer->data;
    if (!store->told_ready && !store->stopping) {
        tell(store);
    }
}

void ls_hooks_check(ls_store *store) {
    if (store->hooks.ready == NULL || store->told_ready || store->stopping) {
        return;
    }
    for (size_t i = 0; i < store->n; i++) {
        if (!looked_at(store->entries[i])) {
            return;
        }
    }
    tell(store);
}

static void on_user_signal(uv_signal_t *handle, int signum) {
    (void)ls_hooks_signal(handle->data, signum);
}

bool ls_hooks_signal(ls_store *store, int signum) {
    return store->hooks.signal != NULL && store->hooks.signal(store->hooks.arg, signum);
}

ls_code ls_hooks_begin(ls_store *store, ls_err *err) {
    int rc = 0;
    if (store->hooks.signal != NULL) {
        rc = uv_signal_start(&store->sigusr1, on_user_signal, SIGUSR1);
        rc = rc == 0 ? uv_signal_start(&store->sigusr2, on_user_signal, SIGUSR2) : rc;
    }
    if (rc == 0 && store->hooks.ready != NULL) {
        rc = uv_timer_start(&store->ready, on_late, LS_STORE_READY_NS / LS_MS, 0);
    }
    return rc == 0 ? LS_OK : ls_fail_errno(err, -rc, "handle signals");
}

void ls_hooks_end(ls_store *store) {
    (void)uv_signal_stop(&store->sigusr1);
    (void)uv_signal_stop(&store->sigusr2);
    (void)uv_timer_stop(&store->ready);
}

void ls_store_set_hooks(ls_store *store, const ls_store_hooks *hooks) { store->hooks = *hooks; }
