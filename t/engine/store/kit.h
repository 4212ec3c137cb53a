/*
 * What the tests of the daemon share: one that runs in a thread, with a database a.db beside its
 * replica, in a folder of its own. Include it after cmocka.h.
 *
 * Intervals are either an hour, so that what happens at all happens because of a notice or a call,
 * or so short that every deadline here (LONG) is far beyond them.
 */
#ifndef LS_T_STORE_KIT_H
#define LS_T_STORE_KIT_H

#include "engine/store/internal.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "t/support/dbkit.h"
#include "t/support/tempdir.h"

#define HOUR (3600 * LS_SEC)
#define LONG (10 * LS_SEC)

typedef struct fixture {
    char *dir, *path, *root, *log_path;
    ls_log log;
    sqlite3 *app;
    ls_config config;
    ls_store *store;
    pthread_t thread;
    bool running;
    ls_code rc; /* of the run */
    ls_err err;
} fixture;

static inline void nap(int ms) {
    struct timespec t = {.tv_nsec = ms * 1000000L};
    (void)nanosleep(&t, NULL);
}

typedef bool (*condition)(fixture *f, const void *arg);

/* Waits until the condition holds, at most LONG. */
static inline void await_(fixture *f, condition holds, const void *arg, const char *what) {
    int64_t until = ls_store_now() + LONG;
    while (!holds(f, arg)) {
        if (ls_store_now() > until) {
            fail_msg("waited in vain for %s", what);
        }
        nap(3);
    }
}
#define await(f, holds, arg) await_(f, holds, arg, #holds "(" #arg ")")

static inline int logged(const fixture *f, const char *text) { return count_in(f->log_path, text); }
static inline bool is_logged(fixture *f, const void *text) { return logged(f, text) > 0; }
static inline bool is_replicated(fixture *f, const void *path) {
    return replica_is_db(f->root, path);
}

static inline ls_db_config *add_db(fixture *f, const char *path, const char *root) {
    ls_err err = LS_ERR_INIT;
    char *url = ls_asprintf("file://%s", root);
    must(ls_config_add(&f->config, path, url, &err), &err);
    free(url);
    return &f->config.dbs[f->config.n_dbs - 1];
}

static inline ls_db_config *the_db(fixture *f, int64_t interval) {
    ls_db_config *c = add_db(f, f->path, f->root);
    c->monitor_interval = c->replica.sync_interval = interval;
    return c;
}

static inline void make(fixture *f) {
    ls_err err = LS_ERR_INIT;
    f->err = err;
    must(ls_store_new(&f->config, &f->log, &f->store, &err), &err);
}

static inline void *run(void *arg) {
    fixture *f = arg;
    f->rc = ls_store_run(f->store, &f->err);
    return NULL;
}

/* Its first calls may come before the loop runs: see launch. */
static inline void begin(fixture *f) {
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
    f->running = true;
}

static inline bool answers(fixture *f, const void *arg) {
    ls_db_state *states;
    ls_err err = LS_ERR_INIT;
    size_t n;
    (void)arg;
    if (ls_store_states(f->store, &states, &n, &err) != LS_OK) {
        assert_int_equal(err.code, LS_ENOTREADY);
        return false;
    }
    ls_store_states_free(states, n);
    return true;
}

/* Runs the store that make has made, until it answers calls. */
static inline void launch(fixture *f) {
    begin(f);
    await(f, answers, NULL);
}

/* Waits until it ends by itself; the store stays. */
static inline ls_code join(fixture *f) {
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    f->running = false;
    return f->rc;
}

static inline ls_code stop(fixture *f) {
    ls_store_stop(f->store);
    return join(f);
}

static inline void drop_store(fixture *f) {
    ls_store_free(f->store);
    f->store = NULL;
}

static inline void stop_well(fixture *f) { must(stop(f), &f->err); }

static inline int kit_setup(void **state) {
    fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    if (tempdir_setup((void **)&f->dir) != 0) {
        return -1;
    }
    f->path = ls_path_join(f->dir, "a.db");
    f->root = ls_path_join(f->dir, "replica");
    f->log_path = ls_path_join(f->dir, "log");
    f->log = LS_LOG_DEFAULT;
    f->log.fd = open(f->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ls_config_init(&f->config);
    *state = f;
    return f->log.fd >= 0 ? 0 : -1;
}

static inline int kit_teardown(void **state) {
    fixture *f = *state;
    if (f->running) {
        (void)stop(f);
    }
    drop_store(f);
    sqlite3_close(f->app);
    close(f->log.fd);
    ls_config_done(&f->config);
    free(f->path);
    free(f->root);
    free(f->log_path);
    int rc = tempdir_teardown((void **)&f->dir);
    free(f);
    return rc;
}

/* ---- Calls ---- */

static inline ls_sync_answer sync_path(fixture *f, const char *path, bool wait) {
    ls_err err = LS_ERR_INIT;
    ls_sync_answer answer = {0};
    must(ls_store_sync(f->store, path, wait, LONG, &answer, &err), &err);
    return answer;
}

static inline ls_sync_answer sync_now(fixture *f, bool wait) { return sync_path(f, f->path, wait); }

static inline ls_db_state state_of(fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_db_state state;
    must(ls_store_state(f->store, f->path, &state, &err), &err);
    return state;
}

static inline ls_db_status status_now(fixture *f) {
    ls_db_state state = state_of(f);
    ls_db_status status = state.status;
    ls_db_state_done(&state);
    return status;
}

static inline void await_status(fixture *f, ls_db_status status) {
    int64_t until = ls_store_now() + LONG;
    while (status_now(f) != status) {
        if (ls_store_now() > until) {
            fail_msg("waited in vain for %s, it is %s", ls_db_status_name(status),
                     ls_db_status_name(status_now(f)));
        }
        nap(3);
    }
}

/* Descriptors of this process that lead to a database, its log or its index. */
static inline int descriptors(const char *path) {
    int found = 0;
    for (int fd = 0; fd < 256; fd++) {
        char name[64], target[1024];
        (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        ssize_t len = readlink(name, target, sizeof(target) - 1);
        if (len > 0) {
            target[len] = '\0';
            found += strncmp(target, path, strlen(path)) == 0;
        }
    }
    return found;
}

#endif
