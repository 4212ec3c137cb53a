/*
 * What other threads ask of a daemon that runs: here the test's thread, and some of its own.
 *
 * Intervals are an hour where a call is to be the only reason for what happens; deadlines (10 s)
 * are far beyond all others. A disk that is slow stands for everything that takes long.
 * engine/store/calls_work.c
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "t/engine/store/kit.h"

/* ---- A disk that hangs; SQLite comes here too ---- */

static atomic_bool hangs;

static void hang(void) {
    while (atomic_load(&hangs)) {
        nap(2);
    }
}

int fdatasync(int fd) {
    hang();
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd) {
    hang();
    return (int)syscall(SYS_fsync, fd);
}

/* ---- Verbs ---- */

static void start(fixture *f) {
    make(f);
    launch(f);
}

static void make_file(const char *path) {
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

/* The first event of a kind behind a number. */
static ls_event await_event(fixture *f, ls_event_kind kind, uint64_t after) {
    ls_err err = LS_ERR_INIT;
    ls_event event;
    size_t n;
    for (;;) {
        must(ls_store_events(f->store, after, &event, 1, LONG, &n, &err), &err);
        if (n == 0) {
            fail_msg("no event of kind %s", ls_event_name(kind));
        }
        assert_true(event.number > after);
        after = event.number;
        if (event.kind == kind) {
            assert_string_equal(event.path, f->path);
            return event;
        }
    }
}

static int setup(void **state) {
    atomic_store(&hangs, false);
    int rc = kit_setup(state);
    ((fixture *)*state)->config.shutdown_sync_timeout = 0;
    return rc;
}

static int teardown(void **state) {
    atomic_store(&hangs, false);
    return kit_teardown(state);
}

/* A database with rows, and a daemon that does nothing by itself once they are replicated. */
static void start_quiet(fixture *f) {
    f->app = app_create(f->path, 4096);
    add_rows(f->app, 10);
    (void)the_db(f, HOUR);
    start(f);
    (void)sync_now(f, true);
}

/* ---- Before, after ---- */

static void refused(fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_db_state *states, state;
    ls_sync_answer answer;
    ls_event event;
    ls_totals totals;
    ls_storage *storage;
    ls_txid txid;
    bool changed;
    size_t n;
    ls_store *s = f->store;
    assert_int_equal(ls_store_states(s, &states, &n, &err), LS_ENOTREADY);
    assert_int_equal(ls_store_state(s, f->path, &state, &err), LS_ENOTREADY);
    assert_int_equal(ls_store_sync(s, f->path, true, 0, &answer, &err), LS_ENOTREADY);
    assert_int_equal(ls_store_snapshot(s, f->path, 0, &txid, &err), LS_ENOTREADY);
    assert_int_equal(ls_store_stop_db(s, f->path, 0, &changed, &txid, &err), LS_ENOTREADY);
    assert_int_equal(ls_store_start_db(s, f->path, &changed, &txid, &err), LS_ENOTREADY);
    assert_int_equal(ls_store_events(s, 0, &event, 1, HOUR, &n, &err), LS_ENOTREADY);
    assert_int_equal(ls_store_totals(s, &totals, &err), LS_ENOTREADY);
    assert_int_equal(ls_store_storage(s, f->path, &storage, &err), LS_ENOTREADY);
    assert_true(strlen(ls_err_hint(&err)) > 0);
}

static void every_call_is_refused_before_and_after_the_run(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    (void)the_db(f, HOUR);
    make(f);
    refused(f);
    launch(f);
    stop_well(f);
    refused(f);
}

static void unknown_paths_are_named(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_db_state db;
    ls_sync_answer answer;
    ls_storage *storage;
    ls_txid txid;
    bool changed;
    start_quiet(f);
    assert_int_equal(ls_store_state(f->store, "/x.db", &db, &err), LS_ENOTFOUND);
    assert_string_equal(err.msg, "database not found: /x.db");
    assert_int_equal(ls_store_sync(f->store, "/x.db", true, 0, &answer, &err), LS_ENOTFOUND);
    assert_int_equal(ls_store_snapshot(f->store, "/x.db", 0, &txid, &err), LS_ENOTFOUND);
    assert_int_equal(ls_store_stop_db(f->store, "/x.db", 0, &changed, &txid, &err), LS_ENOTFOUND);
    assert_int_equal(ls_store_start_db(f->store, "/x.db", &changed, &txid, &err), LS_ENOTFOUND);
    assert_int_equal(ls_store_storage(f->store, "/x.db", &storage, &err), LS_ENOTFOUND);
    stop_well(f);
}

/* ---- States ---- */

/* Is every level, counted from a listing of the test's own, what is told? */
static bool levels_are_told(fixture *f, const void *arg) {
    ls_err err = LS_ERR_INIT;
    ls_storage *s = NULL;
    ls_db_state db = state_of(f);
    bool same = true;
    (void)arg;
    must(ls_storage_open_file(f->root, NULL, &s, &err), &err);
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        ls_storage_iter *it = NULL;
        ls_ltx_info file;
        ls_level_state l = {.first = 0};
        must(ls_storage_list(s, level, 0, &it, &err), &err);
        for (bool end = false; !end;) {
            must(ls_storage_iter_next(it, &file, &end, &err), &err);
            if (!end) {
                l.first = l.files == 0 ? file.min_txid : l.first;
                l.last = file.max_txid;
                l.newest_ms = file.created_ms;
                l.files++;
                l.bytes += file.size;
            }
        }
        ls_storage_iter_free(it);
        const ls_level_state *told = &db.levels[level];
        same = same && told->level == level && told->files == l.files && told->bytes == l.bytes &&
               told->first == l.first && told->last == l.last &&
               (l.files > 0 ? told->newest_ms == l.newest_ms : told->newest_ms == -1);
    }
    ls_storage_free(s);
    ls_db_state_done(&db);
    return same;
}

static uint64_t requests(fixture *f, ls_store_op op) {
    ls_err err = LS_ERR_INIT;
    ls_totals t;
    must(ls_store_totals(f->store, &t, &err), &err);
    for (size_t i = 0; i < t.n_ops; i++) {
        if (t.ops[i].op == op) {
            assert_string_equal(t.ops[i].replica_type, "file");
            return t.ops[i].count;
        }
    }
    return 0;
}

static void requests_and_checkpoints_are_counted(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    f->app = app_create(f->path, 4096);
    the_db(f, HOUR)->min_checkpoint_page_n = 10;
    start(f);
    (void)sync_now(f, true);
    await(f, levels_are_told, NULL);
    uint64_t puts = requests(f, LS_OP_PUT);
    assert_true(puts > 0 && requests(f, LS_OP_LIST) > 0);
    add_rows(f->app, 200);
    (void)sync_now(f, true);
    await(f, levels_are_told, NULL);
    assert_true(requests(f, LS_OP_PUT) > puts);
    ls_db_state db = state_of(f);
    const ls_count *c = &db.checkpoints[LS_CHECKPOINT_PASSIVE];
    assert_true(c->done > 0 && c->failed == 0 && c->ns > 0);
    assert_int_equal(db.checkpoints[LS_CHECKPOINT_RESTART].done, 0);
    assert_true(db.last_checkpoint_ms > 0);
    ls_db_state_done(&db);
    (void)await_event(f, LS_EVENT_CHECKPOINT, 0);
    ls_totals t;
    must(ls_store_totals(f->store, &t, &err), &err);
    for (size_t i = 0; i < t.n_ops; i++) {
        const ls_op_total *o = &t.ops[i];
        assert_true(o->count >= o->within[LS_OP_BUCKETS - 1] && o->ns > 0);
        assert_true(o->op != LS_OP_PUT || o->bytes > 0);
        for (int b = 1; b < LS_OP_BUCKETS; b++) {
            assert_true(o->within[b] >= o->within[b - 1]);
        }
    }
    stop_well(f);
}

static void a_state_says_what_is_known(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    struct stat st;
    ls_storage *storage = NULL;
    ls_totals totals;
    start_quiet(f);
    ls_db_state db = state_of(f);
    assert_string_equal(db.path, f->path);
    assert_string_equal(db.replica_type, "file");
    assert_non_null(strstr(db.replica_url, f->root));
    assert_int_equal(db.status, LS_DB_REPLICATING);
    assert_true(db.txid > 0);
    assert_int_equal(db.replica_txid, db.txid);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(db.db_size, st.st_size);
    assert_true(db.wal_size > 0);
    assert_true(db.last_capture_ms > 0 && db.last_upload_ms > 0 && db.last_sync_ms > 0);
    assert_int_equal(db.lag_ms, 0);
    assert_true(db.captures.done > 0);
    assert_int_equal(db.captures.failed, 0);
    assert_null(db.capture_error.text);
    assert_null(db.upload.what);
    assert_true(db.levels_ms > 0);
    ls_db_state_done(&db);
    await(f, levels_are_told, NULL);
    must(ls_store_totals(f->store, &totals, &err), &err);
    assert_true(totals.calls > 0);
    assert_int_equal(totals.running[LS_QUEUE_LOCAL], 0);
    must(ls_store_storage(f->store, f->path, &storage, &err), &err);
    assert_string_equal(ls_storage_type(storage), "file");
    ls_storage_free(storage);
    stop_well(f);
}

static void a_database_that_is_not_there_is_missing(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_sync_answer answer;
    (void)the_db(f, HOUR);
    start(f);
    assert_int_equal(ls_store_sync(f->store, f->path, false, LONG, &answer, &err), LS_ENOTREADY);
    assert_int_equal(status_now(f), LS_DB_MISSING);
    f->app = app_create(f->path, 4096);
    (void)sync_now(f, true);
    assert_int_equal(status_now(f), LS_DB_REPLICATING);
    assert_true(replica_is_db(f->root, f->path));
    stop_well(f);
}

static void names_are_those_of_the_reference(void **state) {
    (void)state;
    assert_string_equal(ls_db_status_name(LS_DB_STALLED), "stalled");
    assert_string_equal(ls_db_status_reference(LS_DB_STOPPED), "stopped");
    assert_string_equal(ls_db_status_reference(LS_DB_ERROR), "replicating");
    assert_string_equal(ls_event_name(LS_EVENT_DATABASE), "database");
    assert_string_equal(ls_store_op_name(LS_OP_COPY), "COPY");
    assert_string_equal(ls_queue_name(LS_QUEUE_MAINT), "maint");
}

/* ---- Sync ---- */

/* The interval of an hour has just begun: only the call can be the reason. */
static void sync_captures_and_uploads_at_once(void **state) {
    fixture *f = *state;
    start_quiet(f);
    ls_sync_answer before = sync_now(f, true);
    add_rows(f->app, 5);
    ls_sync_answer answer = sync_now(f, true);
    assert_int_equal(answer.before, before.txid);
    assert_true(answer.txid > answer.before);
    assert_int_equal(answer.replica_txid, answer.txid);
    assert_true(replica_is_db(f->root, f->path));
    add_rows(f->app, 5);
    answer = sync_now(f, false);
    assert_true(answer.txid > answer.before);
    stop_well(f);
    assert_true(replica_is_db(f->root, f->path));
}

/* A pause of at least three quarters of an hour has begun. */
static void sync_does_not_wait_for_the_pause_after_a_failure(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_sync_answer answer;
    f->app = app_create(f->path, 4096);
    make_file(f->root);
    (void)the_db(f, HOUR);
    start(f);
    assert_int_not_equal(ls_store_sync(f->store, f->path, true, LONG, &answer, &err), LS_OK);
    assert_int_not_equal(err.code, LS_ETIMEDOUT);
    ls_db_state db = state_of(f);
    assert_int_equal(db.status, LS_DB_ERROR);
    assert_true(db.upload_error.count > 0);
    assert_true(strlen(db.upload_error.text) > 0);
    assert_true(db.upload_error.since_ms > 0);
    ls_db_state_done(&db);
    ls_event event = await_event(f, LS_EVENT_ERROR, 0);
    assert_true(strlen(event.text) > 0);
    assert_int_equal(unlink(f->root), 0);
    (void)sync_now(f, true);
    assert_true(replica_is_db(f->root, f->path));
    assert_int_equal(status_now(f), LS_DB_REPLICATING);
    stop_well(f);
}

static void who_has_waited_long_enough_leaves_and_the_work_goes_on(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_sync_answer answer;
    ls_txid txid;
    bool changed;
    start_quiet(f);
    add_rows(f->app, 5);
    atomic_store(&hangs, true);
    assert_int_equal(ls_store_sync(f->store, f->path, true, 20 * LS_MS, &answer, &err),
                     LS_ETIMEDOUT);
    ls_db_state db = state_of(f);
    assert_string_equal(db.capture.what, "capture");
    assert_true(db.capture.since_ms > 0);
    ls_db_state_done(&db);
    assert_int_equal(ls_store_stop_db(f->store, f->path, 20 * LS_MS, &changed, &txid, &err),
                     LS_ETIMEDOUT);
    atomic_store(&hangs, false);
    await_status(f, LS_DB_STOPPED);
    must(ls_store_stop_db(f->store, f->path, LONG, &changed, &txid, &err), &err);
    assert_true(replica_is_db(f->root, f->path));
    stop_well(f);
}

typedef struct asker {
    fixture *f;
    pthread_t thread;
    ls_code rc;
} asker;

static void *ask_sync(void *arg) {
    asker *a = arg;
    ls_err err = LS_ERR_INIT;
    ls_sync_answer answer;
    a->rc = ls_store_sync(a->f->store, a->f->path, true, 0, &answer, &err);
    return NULL;
}

static void *ask_events(void *arg) {
    asker *a = arg;
    ls_err err = LS_ERR_INIT;
    ls_event event;
    size_t n;
    a->rc = ls_store_events(a->f->store, UINT64_MAX, &event, 1, HOUR, &n, &err);
    return NULL;
}

static void callers_that_wait_are_released_when_it_stops(void **state) {
    fixture *f = *state;
    asker askers[3] = {{.f = f}, {.f = f}, {.f = f}};
    start_quiet(f);
    add_rows(f->app, 5);
    atomic_store(&hangs, true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            pthread_create(&askers[i].thread, NULL, i == 2 ? ask_events : ask_sync, &askers[i]), 0);
    }
    nap(30);
    ls_store_stop(f->store);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
        assert_int_equal(askers[i].rc, LS_ENOTREADY);
    }
    atomic_store(&hangs, false);
    stop_well(f);
    assert_true(replica_is_db(f->root, f->path));
}

static void *ask_all(void *arg) {
    asker *a = arg;
    ls_err err = LS_ERR_INIT;
    for (int i = 0; i < 20 && a->rc == LS_OK; i++) {
        ls_sync_answer answer;
        ls_db_state db;
        a->rc = ls_store_sync(a->f->store, a->f->path, i % 2 == 0, LONG, &answer, &err);
        if (a->rc == LS_OK) {
            a->rc = ls_store_state(a->f->store, a->f->path, &db, &err);
        }
        if (a->rc == LS_OK) {
            ls_db_state_done(&db);
        }
    }
    return NULL;
}

static void many_threads_ask_at_once(void **state) {
    fixture *f = *state;
    asker askers[6];
    start_quiet(f);
    for (int i = 0; i < 6; i++) {
        askers[i] = (asker){.f = f};
        assert_int_equal(pthread_create(&askers[i].thread, NULL, ask_all, &askers[i]), 0);
    }
    add_rows(f->app, 50);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(pthread_join(askers[i].thread, NULL), 0);
        assert_int_equal(askers[i].rc, LS_OK);
    }
    (void)sync_now(f, true);
    assert_true(replica_is_db(f->root, f->path));
    stop_well(f);
}

/* ---- Stop, start, snapshot ---- */

static void a_stopped_database_is_closed_and_starts_again(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_sync_answer answer;
    ls_txid txid = 0, again = 0;
    bool changed = false;
    start_quiet(f);
    sqlite3_close(f->app);
    f->app = NULL;
    assert_true(descriptors(f->path) > 0);
    must(ls_store_stop_db(f->store, f->path, LONG, &changed, &txid, &err), &err);
    assert_true(changed);
    assert_true(txid > 0);
    assert_int_equal(descriptors(f->path), 0);
    assert_true(replica_is_db(f->root, f->path));
    ls_db_state db = state_of(f);
    assert_int_equal(db.status, LS_DB_STOPPED);
    assert_int_equal(db.txid, txid);
    ls_db_state_done(&db);
    must(ls_store_stop_db(f->store, f->path, LONG, &changed, &again, &err), &err);
    assert_false(changed);
    assert_int_equal(again, txid);
    assert_int_equal(ls_store_sync(f->store, f->path, true, LONG, &answer, &err), LS_ENOTREADY);
    assert_int_equal(ls_store_snapshot(f->store, f->path, LONG, &again, &err), LS_ENOTREADY);

    f->app = app_open(f->path);
    add_rows(f->app, 3);
    must(ls_store_start_db(f->store, f->path, &changed, &again, &err), &err);
    assert_true(changed);
    assert_int_equal(again, txid);
    answer = sync_now(f, true);
    assert_true(answer.txid > txid);
    assert_true(replica_is_db(f->root, f->path));
    must(ls_store_start_db(f->store, f->path, &changed, &again, &err), &err);
    assert_false(changed);
    ls_event stopped = await_event(f, LS_EVENT_DATABASE, 0);
    assert_string_equal(stopped.text, "stopped");
    assert_string_equal(await_event(f, LS_EVENT_DATABASE, stopped.number).text, "started");
    stop_well(f);
}

static void the_daemon_ends_with_a_stopped_database(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_txid txid;
    bool changed;
    start_quiet(f);
    must(ls_store_stop_db(f->store, f->path, LONG, &changed, &txid, &err), &err);
    add_rows(f->app, 3);
    stop_well(f);
    assert_false(replica_is_db(f->root, f->path));
}

static void a_database_whose_last_sync_fails_goes_on(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_txid txid;
    bool changed;
    f->app = app_create(f->path, 4096);
    make_file(f->root);
    (void)the_db(f, HOUR);
    start(f);
    assert_int_not_equal(ls_store_stop_db(f->store, f->path, LONG, &changed, &txid, &err), LS_OK);
    assert_non_null(strstr(err.msg, "goes on being replicated"));
    assert_int_not_equal(status_now(f), LS_DB_STOPPED);
    assert_int_equal(unlink(f->root), 0);
    (void)sync_now(f, true);
    assert_true(replica_is_db(f->root, f->path));
    stop_well(f);
}

static void a_snapshot_is_made_whatever_the_schedule_says(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_storage *s = NULL;
    ls_storage_iter *it = NULL;
    ls_txid txid = 0, newest = 0;
    start_quiet(f);
    add_rows(f->app, 5);
    must(ls_store_snapshot(f->store, f->path, LONG, &txid, &err), &err);
    assert_true(txid > 1);
    must(ls_storage_open_file(f->root, NULL, &s, &err), &err);
    must(ls_storage_list(s, LS_LTX_LEVEL_SNAPSHOT, 0, &it, &err), &err);
    for (bool end = false; !end;) {
        ls_ltx_info file;
        must(ls_storage_iter_next(it, &file, &end, &err), &err);
        newest = end ? newest : file.max_txid;
    }
    ls_storage_iter_free(it);
    ls_storage_free(s);
    assert_int_equal(newest, txid);
    ls_event event = await_event(f, LS_EVENT_SNAPSHOT, 0);
    assert_int_equal(event.level, LS_LTX_LEVEL_SNAPSHOT);
    ls_db_state db = state_of(f);
    assert_true(db.last_snapshot_ms > 0);
    ls_db_state_done(&db);
    stop_well(f);
}

/* ---- Events ---- */

static void captures_and_uploads_are_events(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_event event;
    size_t n;
    start_quiet(f);
    ls_event capture = await_event(f, LS_EVENT_CAPTURE, 0);
    assert_int_equal(capture.number, 1);
    assert_int_equal(capture.level, 0);
    assert_int_equal(capture.min_txid, 1);
    assert_true(capture.at_ms > 0);
    assert_int_equal(await_event(f, LS_EVENT_UPLOAD, 0).min_txid, 1);
    must(ls_store_events(f->store, UINT64_MAX, &event, 1, 0, &n, &err), &err);
    assert_int_equal(n, 0);
    stop_well(f);
}

static void of_many_events_the_last_are_kept(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    size_t n = 0;
    ls_event *events = calloc(LS_EVENTS_KEPT + 8, sizeof(*events));
    assert_non_null(events);
    (void)the_db(f, HOUR);
    make(f);
    for (int i = 0; i < LS_EVENTS_KEPT + 5; i++) {
        ls_event_add(f->store->entries[0], LS_EVENT_OF(LS_EVENT_CHECKPOINT, -1, .bytes = 1));
    }
    launch(f);
    must(ls_store_events(f->store, 0, events, LS_EVENTS_KEPT + 8, 0, &n, &err), &err);
    assert_int_equal(n, LS_EVENTS_KEPT);
    assert_int_equal(events[0].number, 6);
    assert_int_equal(events[n - 1].number, LS_EVENTS_KEPT + 5);
    assert_int_equal(ls_store_last_event(f->store), LS_EVENTS_KEPT + 5);
    must(ls_store_events(f->store, LS_EVENTS_KEPT + 3, events, 1, 0, &n, &err), &err);
    assert_int_equal(n, 1);
    assert_int_equal(events[0].number, LS_EVENTS_KEPT + 4);
    free(events);
    stop_well(f);
}

/* ---- The watchdog ---- */

static void start_watched(fixture *f) {
    f->app = app_create(f->path, 4096);
    (void)the_db(f, 20 * LS_MS);
    make(f);
    f->store->safety_interval = 30 * LS_MS;
    f->store->stall_limit = 100 * LS_MS;
}

static void a_log_that_grows_without_a_capture_is_said_aloud(void **state) {
    fixture *f = *state;
    start_watched(f);
    launch(f);
    (void)sync_now(f, true);
    sql(f->app, "PRAGMA synchronous=off");
    atomic_store(&hangs, true);
    int64_t until = ls_store_now() + LONG;
    while (status_now(f) != LS_DB_STALLED) {
        assert_true(ls_store_now() < until);
        add_rows(f->app, 1);
        nap(5);
    }
    assert_int_equal(count_in(f->log_path, "the log grows and is not captured"), 2);
    atomic_store(&hangs, false);
    await_status(f, LS_DB_REPLICATING);
    stop_well(f);
}

static void a_replica_that_stays_behind_is_said_aloud(void **state) {
    fixture *f = *state;
    start_watched(f);
    make_file(f->root);
    launch(f);
    await_status(f, LS_DB_BEHIND);
    ls_db_state db = state_of(f);
    assert_true(db.lag_ms > 0);
    ls_db_state_done(&db);
    assert_true(count_in(f->log_path, "the replica stays behind") > 0);
    assert_int_equal(unlink(f->root), 0);
    (void)sync_now(f, true);
    await_status(f, LS_DB_REPLICATING);
    stop_well(f);
}

/* Captures and uploads wait for their hour by the settings. */
static void waiting_by_the_settings_is_no_stall(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    (void)the_db(f, HOUR);
    make(f);
    f->store->safety_interval = 10 * LS_MS;
    f->store->stall_limit = 20 * LS_MS;
    launch(f);
    (void)sync_now(f, true);
    add_rows(f->app, 1);
    (void)sync_now(f, false);
    for (int i = 0; i < 20; i++) {
        add_rows(f->app, 1);
        nap(10);
        assert_int_equal(status_now(f), LS_DB_REPLICATING);
    }
    stop_well(f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_call_is_refused_before_and_after_the_run),
        TEST(unknown_paths_are_named),
        TEST(a_state_says_what_is_known),
        TEST(requests_and_checkpoints_are_counted),
        TEST(a_database_that_is_not_there_is_missing),
        TEST(names_are_those_of_the_reference),
        TEST(sync_captures_and_uploads_at_once),
        TEST(sync_does_not_wait_for_the_pause_after_a_failure),
        TEST(who_has_waited_long_enough_leaves_and_the_work_goes_on),
        TEST(callers_that_wait_are_released_when_it_stops),
        TEST(many_threads_ask_at_once),
        TEST(a_stopped_database_is_closed_and_starts_again),
        TEST(the_daemon_ends_with_a_stopped_database),
        TEST(a_database_whose_last_sync_fails_goes_on),
        TEST(a_snapshot_is_made_whatever_the_schedule_says),
        TEST(captures_and_uploads_are_events),
        TEST(of_many_events_the_last_are_kept),
        TEST(a_log_that_grows_without_a_capture_is_said_aloud),
        TEST(a_replica_that_stays_behind_is_said_aloud),
        TEST(waiting_by_the_settings_is_no_stall),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
