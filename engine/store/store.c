/*
 * The loop: signals, the safety poll, and jobs that come back from the pools.
 */
#include "engine/store/internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

int64_t ls_store_now(void) { return ls_mono_ns(&ls_clock_system); }

int64_t ls_store_jitter(ls_store *store, int64_t ns) {
    uint64_t x = store->random; /* xorshift64: never 0 */
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    store->random = x;
    int64_t quarter = ns / 4;
    return quarter == 0 ? ns : ns - quarter + (int64_t)(x % (uint64_t)(2 * quarter));
}

/* ---- Jobs ---- */

/* Worker: does the work and queues the lane for the loop. */
static void lane_run(ls_job *job) {
    ls_lane *lane = (ls_lane *)(void *)job; /* its first member */
    ls_store *store = lane->entry->store;
    lane->work(lane->entry, lane);
    (void)pthread_mutex_lock(&store->mutex);
    lane->next = NULL;
    *store->ended_tail = lane;
    store->ended_tail = &lane->next;
    (void)uv_async_send(&store->wake);
    (void)pthread_mutex_unlock(&store->mutex);
}

void ls_lane_submit(ls_lane *lane, ls_pool *pool, ls_work what, void (*work)(ls_entry *, ls_lane *),
                    void (*done)(ls_entry *, ls_lane *)) {
    lane->busy = true;
    lane->what = what;
    lane->number++;
    lane->begun = ls_store_now();
    lane->work = work;
    lane->done = done;
    lane->rc = LS_OK;
    ls_err_clear(&lane->err);
    lane->job = (ls_job){.run = lane_run};
    ls_pool_submit(pool, &lane->job);
}

static void on_wake(uv_async_t *wake) {
    ls_store *store = wake->data;
    (void)pthread_mutex_lock(&store->mutex);
    ls_lane *lane = store->ended;
    store->ended = NULL;
    store->ended_tail = &store->ended;
    (void)pthread_mutex_unlock(&store->mutex);
    while (lane != NULL) {
        ls_lane *next = lane->next;
        lane->busy = false;
        lane->done(lane->entry, lane);
        ls_seen_ended(lane->entry, lane);
        ls_calls_ended(lane->entry, lane);
        ls_entry_pump(lane->entry);
        lane = next;
    }
    ls_hooks_check(store);
    ls_calls_take(store);
    ls_set_sweep(store);
    if (atomic_load(&store->stop)) {
        ls_final_begin(store);
    }
}

/* ---- Signals and the safety poll ---- */

static void on_stop_signal(uv_signal_t *handle, int signum) {
    ls_store *store = handle->data;
    if (store->stopping) {
        ls_final_skip(store);
        return;
    }
    ls_log_write(store->log, LS_INFO, "signal received, litestream shutting down",
                 LS_ATTRS(LS_STR("signal", signum == SIGINT ? "interrupt" : "terminated")));
    if (ls_hooks_signal(store, signum)) {
        return; /* the run ends in another way */
    }
    ls_final_begin(store);
}

static void on_hangup(uv_signal_t *handle, int signum) {
    ls_store *store = handle->data;
    ls_reload_counts counts;
    ls_err err = LS_ERR_INIT;
    (void)signum;
    if (!store->stopping) {
        (void)!ls_reload(store, &counts, &err); /* it says what came of it */
        ls_set_sweep(store);
    }
}

static void on_safety(uv_timer_t *timer) {
    ls_store *store = timer->data;
    ls_watch_check(store);
    ls_dirs_safety(store);
    for (size_t i = 0; i < store->n; i++) {
        ls_entry_safety(store->entries[i]);
    }
}

/* *before: the mask to go back to. */
static ls_code start_signals(ls_store *store, sigset_t *before, ls_err *err) {
    int rc = uv_signal_start(&store->sigint, on_stop_signal, SIGINT);
    if (rc == 0) {
        rc = uv_signal_start(&store->sigterm, on_stop_signal, SIGTERM);
    }
    if (rc == 0) {
        rc = uv_signal_start(&store->sighup, on_hangup, SIGHUP);
    }
    if (rc != 0) {
        return ls_fail_errno(err, -rc, "handle signals");
    }
    if (ls_hooks_begin(store, err) != LS_OK) {
        return err->code;
    }
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGHUP);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, before);
    return LS_OK;
}

/* ---- Making it ---- */

static ls_code open_loop(ls_store *store, ls_err *err) {
    int rc = uv_loop_init(&store->loop);
    if (rc != 0) {
        return ls_fail_errno(err, -rc, "start the event loop");
    }
    store->loop_open = true;
    rc = uv_async_init(&store->loop, &store->wake, on_wake);
    if (rc != 0) {
        return ls_fail_errno(err, -rc, "start the event loop");
    }
    store->wake_open = true;
    (void)uv_timer_init(&store->loop, &store->safety);
    (void)uv_signal_init(&store->loop, &store->sigint);
    (void)uv_signal_init(&store->loop, &store->sigterm);
    (void)uv_signal_init(&store->loop, &store->sighup);
    (void)uv_signal_init(&store->loop, &store->sigusr1);
    (void)uv_signal_init(&store->loop, &store->sigusr2);
    (void)uv_timer_init(&store->loop, &store->ready);
    store->wake.data = store->safety.data = store;
    store->sigint.data = store->sigterm.data = store->sighup.data = store;
    store->sigusr1.data = store->sigusr2.data = store->ready.data = store;
    if (uv_random(NULL, NULL, &store->random, sizeof(store->random), 0, NULL) != 0) {
        store->random = (uint64_t)ls_store_now();
    }
    store->random |= 1;
    return LS_OK;
}

/* All of them at once: databases may come. */
static ls_code open_pools(ls_store *store, ls_err *err) {
    ls_code rc = ls_pool_new("ls-local", LS_STORE_LOCAL_WORKERS, &store->local, err);
    if (rc == LS_OK) {
        rc = ls_pool_new("ls-remote", LS_STORE_REMOTE_WORKERS, &store->remote, err);
    }
    if (rc == LS_OK) {
        rc = ls_pool_new("ls-maint", LS_STORE_MAINT_WORKERS, &store->maint, err);
    }
    return rc;
}

/* Adds the databases of a configuration to a store that does not run yet. */
static ls_code add_all(ls_store *store, ls_source *source, ls_err *err) {
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && i < source->config.n_dbs; i++) {
        const ls_coming coming = {.source = source, .config = &source->config.dbs[i]};
        rc = coming.config->dir == NULL ? ls_set_add(store, &coming, err) : LS_OK;
    }
    /* Folders last: what is named by itself has settings of its own. */
    for (size_t i = 0; rc == LS_OK && i < source->config.n_dbs; i++) {
        const ls_db_config *config = &source->config.dbs[i];
        rc = config->dir != NULL ? ls_dirs_add(store, source, config, err) : LS_OK;
    }
    return rc;
}

static ls_code add_config(ls_store *store, const ls_config *config, ls_err *err) {
    ls_config shared = *config;
    ls_source *source = ls_source_new(&shared, false);
    if (source == NULL) {
        return ls_fail(err, LS_ENOMEM, "store");
    }
    (void)ls_source_use(source); /* also where there is no database */
    ls_code rc = add_all(store, source, err);
    ls_source_drop(source);
    return rc;
}

ls_code ls_store_new(const ls_config *config, const ls_log *log, ls_store **out, ls_err *err) {
    ls_store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        return ls_fail(err, LS_ENOMEM, "store");
    }
    store->rules = ls_rules_of(config);
    store->log = log;
    store->safety_interval = LS_STORE_SAFETY_NS;
    store->stall_limit = LS_STALL_NS;
    store->ended_tail = &store->ended;
    ls_meter_init(&store->meter);
    (void)pthread_mutex_init(&store->mutex, NULL);
    ls_code rc = ls_calls_init(store, err);
    if (rc == LS_OK) {
        rc = ls_keeper_new(&store->keeper, err);
    }
    if (rc == LS_OK) {
        rc = open_loop(store, err);
    }
    if (rc == LS_OK) {
        rc = add_config(store, config, err);
    }
    if (rc != LS_OK) {
        ls_store_free(store);
        return rc;
    }
    *out = store;
    return LS_OK;
}

/* ---- Running ---- */

static void say_monitor(const ls_store *store, int level, int64_t interval) {
    ls_log_write(
        store->log, LS_INFO, "starting compaction monitor",
        LS_ATTRS(LS_STR("system", "store"), LS_INT("level", level), LS_DUR("interval", interval)));
}

static void say_schedules(const ls_store *store) {
    const ls_rules *c = &store->rules;
    for (int64_t i = 0; i < c->n_levels; i++) {
        say_monitor(store, (int)i + 1, c->levels[i]);
    }
    say_monitor(store, LS_LTX_LEVEL_SNAPSHOT, c->snapshot_interval);
    if (c->l0_retention > 0) {
        ls_log_write(store->log, LS_INFO, "starting L0 retention monitor",
                     LS_ATTRS(LS_STR("system", "store"),
                              LS_DUR("interval", c->l0_retention_check_interval),
                              LS_DUR("retention", c->l0_retention)));
    }
    if (c->validation_interval > 0) {
        ls_log_write(
            store->log, LS_INFO, "starting validation monitor",
            LS_ATTRS(LS_STR("system", "store"), LS_DUR("interval", c->validation_interval)));
    }
}

static void begin(ls_store *store) {
    say_schedules(store);
    for (size_t i = 0; i < store->n; i++) {
        if (store->entries[i]->monitored) {
            ls_entry_start(store->entries[i]);
        }
    }
    store->running = true;
    ls_set_check_files(store);
    ls_dirs_start(store);
    uint64_t ms = (uint64_t)(store->safety_interval / LS_MS);
    (void)uv_timer_start(&store->safety, on_safety, ms, ms);
}

ls_code ls_store_run(ls_store *store, ls_err *err) {
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    sigset_t mask;
    ls_code rc = open_pools(store, err);
    if (rc == LS_OK) {
        rc = start_signals(store, &mask, err);
    }
    if (rc != LS_OK) {
        return rc;
    }
    (void)sigaction(SIGPIPE, &ignore, &before);
    begin(store);
    ls_calls_open(store);
    ls_hooks_check(store);
    (void)uv_run(&store->loop, UV_RUN_DEFAULT);
    ls_calls_close(store);
    /* First, so that a caller who held signals back is not killed by one that comes late. */
    (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
    (void)uv_signal_stop(&store->sigint);
    (void)uv_signal_stop(&store->sigterm);
    (void)uv_signal_stop(&store->sighup);
    ls_hooks_end(store);
    (void)sigaction(SIGPIPE, &before, NULL);
    if (store->first_err.code != LS_OK) {
        *err = store->first_err;
    }
    return store->first_err.code;
}

void ls_store_stop(ls_store *store) {
    atomic_store(&store->stop, true);
    (void)uv_async_send(&store->wake);
}

static ls_code once(ls_entry *e, const ls_store_once_opts *opts, ls_err *err) {
    bool missing = false;
    ls_log_write(e->store->log, LS_INFO, "syncing database",
                 LS_ATTRS(LS_STR("path", ls_db_path(e->db))));
    ls_code rc = ls_entry_sync_all(e, &missing, err);
    if (rc == LS_OK && missing) {
        rc = ls_fail(err, LS_ENOTREADY, "sync replica for %s: no position, waiting for data",
                     ls_db_path(e->db));
    }
    if (rc == LS_OK && opts != NULL && opts->force_snapshot) {
        rc = ls_maint_force_snapshot(e, err);
    }
    if (rc == LS_OK && opts != NULL && opts->enforce_retention) {
        rc = ls_maint_enforce_retention(e, err);
    }
    ls_tenure_end(e);
    return rc;
}

ls_code ls_store_once(ls_store *store, const ls_store_once_opts *opts, ls_err *err) {
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && i < store->n; i++) {
        rc = once(store->entries[i], opts, err);
    }
    return rc;
}

/* Closes the loop: handles are freed by it only after a last turn. */
static void close_loop(ls_store *store) {
    if (store->wake_open) {
        uv_close((uv_handle_t *)&store->wake, NULL);
        uv_close((uv_handle_t *)&store->safety, NULL);
        uv_close((uv_handle_t *)&store->sigint, NULL);
        uv_close((uv_handle_t *)&store->sigterm, NULL);
        uv_close((uv_handle_t *)&store->sighup, NULL);
        uv_close((uv_handle_t *)&store->sigusr1, NULL);
        uv_close((uv_handle_t *)&store->sigusr2, NULL);
        uv_close((uv_handle_t *)&store->ready, NULL);
        for (size_t i = 0; i < store->n; i++) {
            ls_entry_free(store->entries[i]);
        }
        ls_watch_close(store);
        ls_dirs_done(store);
    }
    (void)uv_run(&store->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&store->loop);
}

void ls_store_free(ls_store *store) {
    if (store == NULL) {
        return;
    }
    ls_pool_free(store->local);
    ls_pool_free(store->remote);
    ls_pool_free(store->maint);
    if (store->loop_open) {
        close_loop(store);
    }
    ls_keeper_free(store->keeper);
    ls_set_done(store);
    ls_calls_done(store);
    ls_meter_done(&store->meter);
    (void)pthread_mutex_destroy(&store->mutex);
    free(store);
}
