/*
 * Databases that come and go while the daemon runs: registered, unregistered, by a configuration
 * that is read again. engine/store/set.c, engine/store/reload.c, engine/store/calls_set.c,
 * engine/store/halt.c
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "t/engine/store/kit.h"

/* A second database beside the first. */
typedef struct second {
    char *path, *root;
    sqlite3 *app;
} second;

static second second_of(fixture *f, const char *name) {
    char *root = ls_asprintf("%s/r-%s", f->dir, name);
    second s = {.path = ls_path_join(f->dir, name), .root = root};
    s.app = app_create(s.path, 4096);
    add_rows(s.app, 5);
    return s;
}

static void second_done(second *s) {
    sqlite3_close(s->app);
    free(s->path);
    free(s->root);
}

static void start(fixture *f) {
    f->app = app_create(f->path, 4096);
    add_rows(f->app, 5);
    (void)the_db(f, 20 * LS_MS);
    make(f);
    launch(f);
}

static ls_code add(fixture *f, const char *path, const char *root, bool *changed, ls_err *err) {
    ls_config config;
    char *url = ls_asprintf("file://%s", root);
    ls_config_init(&config);
    must(ls_config_add(&config, path, url, err), err);
    config.dbs[0].monitor_interval = config.dbs[0].replica.sync_interval = 20 * LS_MS;
    free(url);
    ls_code rc = ls_store_register(f->store, &config, changed, err);
    assert_null(config.dbs);
    return rc;
}

static void add_well(fixture *f, const second *s) {
    ls_err err = LS_ERR_INIT;
    bool changed = false;
    must(add(f, s->path, s->root, &changed, &err), &err);
    assert_true(changed);
}

static ls_code leave(fixture *f, const char *path, bool *changed, ls_txid *txid, ls_err *err) {
    return ls_store_unregister(f->store, path, LONG, changed, txid, err);
}

static size_t count(fixture *f) {
    ls_db_state *states;
    ls_err err = LS_ERR_INIT;
    size_t n;
    must(ls_store_states(f->store, &states, &n, &err), &err);
    ls_store_states_free(states, n);
    return n;
}

static bool has_count(fixture *f, const void *n) { return count(f) == *(const size_t *)n; }
static const size_t none = 0, one = 1, two = 2;

static bool second_is_replicated(fixture *f, const void *arg) {
    const second *s = arg;
    (void)f;
    return replica_is_db(s->root, s->path);
}

static bool is_closed(fixture *f, const void *path) {
    (void)f;
    return descriptors(path) == 0;
}

/* ---- Register ---- */

static void a_registered_database_is_replicated(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    bool changed;
    start(f);
    second s = second_of(f, "b.db");
    add_well(f, &s);
    await(f, second_is_replicated, &s);
    add_rows(s.app, 3);
    await(f, second_is_replicated, &s);
    assert_int_equal(count(f), 2);
    must(add(f, s.path, s.root, &changed, &err), &err);
    assert_false(changed);
    assert_int_equal(count(f), 2);
    add_rows(s.app, 3);
    stop_well(f);
    assert_true(replica_is_db(s.root, s.path));
    second_done(&s);
}

static void a_database_may_be_registered_before_it_exists(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    bool changed;
    start(f);
    char *path = ls_path_join(f->dir, "late.db"), *root = ls_path_join(f->dir, "late");
    must(add(f, path, root, &changed, &err), &err);
    second s = second_of(f, "late.db");
    free(s.root);
    s.root = root;
    await(f, second_is_replicated, &s);
    stop_well(f);
    free(path);
    second_done(&s);
}

static void what_two_databases_must_not_share_is_refused(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    bool changed;
    start(f);
    second s = second_of(f, "b.db");
    char *link = ls_path_join(f->dir, "link.db");
    assert_int_equal(symlink(f->path, link), 0);
    assert_int_equal(add(f, s.path, f->root, &changed, &err), LS_ECONFIG);
    assert_non_null(strstr(err.msg, "share one replica"));
    assert_int_equal(add(f, link, s.root, &changed, &err), LS_ECONFIG);
    assert_non_null(strstr(err.msg, "are the same file"));
    assert_true(strlen(ls_err_hint(&err)) > 0);
    assert_int_equal(count(f), 1);
    stop_well(f);
    free(link);
    second_done(&s);
}

/* Renames a database with its log and the log's index. */
static void move_db(const char *from, const char *to) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char *a = ls_asprintf("%s%s", from, ends[i]), *b = ls_asprintf("%s%s", to, ends[i]);
        assert_int_equal(rename(a, b), 0);
        free(a);
        free(b);
    }
}

/* It is still open by the old name when the new one comes, which has to wait. */
static void a_renamed_database_is_registered_by_its_new_name(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    bool changed;
    start(f);
    await(f, is_replicated, f->path);
    sqlite3_close(f->app);
    second s = {.path = ls_path_join(f->dir, "new.db"), .root = ls_path_join(f->dir, "new")};
    move_db(f->path, s.path);
    must(add(f, s.path, s.root, &changed, &err), &err);
    await(f, second_is_replicated, &s);
    s.app = app_open(s.path);
    add_rows(s.app, 3);
    await(f, second_is_replicated, &s);
    f->app = app_create(f->path, 4096);
    await(f, is_replicated, f->path);
    stop_well(f);
    second_done(&s);
}

/* ---- Unregister ---- */

static void an_unregistered_database_is_synced_and_closed(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_txid txid = 0;
    bool changed = false;
    start(f);
    second s = second_of(f, "b.db");
    add_well(f, &s);
    await(f, second_is_replicated, &s);
    add_rows(s.app, 4);
    must(leave(f, s.path, &changed, &txid, &err), &err);
    assert_true(changed);
    assert_true(txid > 0);
    assert_true(replica_is_db(s.root, s.path));
    await(f, has_count, &one);
    sqlite3_close(s.app);
    await(f, is_closed, s.path);
    must(leave(f, s.path, &changed, &txid, &err), &err);
    assert_false(changed);
    s.app = app_open(s.path);
    add_well(f, &s);
    add_rows(s.app, 4);
    await(f, second_is_replicated, &s);
    must(leave(f, f->path, &changed, &txid, &err), &err);
    stop_well(f);
    second_done(&s);
}

static void a_stopped_database_can_be_unregistered(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_txid txid = 0, at = 0;
    bool changed = false;
    start(f);
    must(ls_store_stop_db(f->store, f->path, LONG, &changed, &at, &err), &err);
    must(leave(f, f->path, &changed, &txid, &err), &err);
    assert_true(changed);
    assert_int_equal(txid, at);
    assert_int_equal(count(f), 0);
    must(add(f, f->path, f->root, &changed, &err), &err);
    assert_true(changed);
    add_rows(f->app, 1);
    await(f, is_replicated, f->path);
    stop_well(f);
}

static void after_a_last_sync_that_fails_it_goes_on(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_txid txid;
    bool changed;
    f->config.shutdown_sync_timeout = 0;
    put_file(f->root, "x", 1);
    start(f);
    assert_int_not_equal(leave(f, f->path, &changed, &txid, &err), LS_OK);
    assert_int_equal(count(f), 1);
    assert_int_equal(unlink(f->root), 0);
    (void)sync_now(f, true);
    must(leave(f, f->path, &changed, &txid, &err), &err);
    await(f, has_count, &none);
    stop_well(f);
}

/* The limit is that of the process, and no database is opened here: nothing is done yet. */
static void too_few_open_files_are_told(void **state) {
    fixture *f = *state;
    struct rlimit before, low;
    ls_err err = LS_ERR_INIT;
    for (int i = 0; i < 20; i++) {
        char *path = ls_asprintf("%s/none%d.db", f->dir, i);
        char *root = ls_asprintf("%s/rnone%d", f->dir, i);
        (void)add_db(f, path, root);
        free(path);
        free(root);
    }
    make(f);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = 200;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    launch(f);
    assert_int_equal(logged(f, "the limit of open files is too low"), 1);
    assert_int_equal(logged(f, "databases=20 limit=200 needed=440"), 1);
    assert_true(logged(f, "LimitNOFILE") > 0);
    char *path = ls_path_join(f->dir, "more.db"), *root = ls_path_join(f->dir, "rmore");
    bool changed;
    must(add(f, path, root, &changed, &err), &err);
    assert_int_equal(logged(f, "the limit of open files is too low"), 1);
    stop_well(f);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    free(path);
    free(root);
}

/* ---- Many, at random ---- */

#define COMERS 24

typedef struct comer {
    fixture *f;
    int number;
} comer;

static void *come_and_go(void *arg) {
    const comer *c = arg;
    char *path = ls_asprintf("%s/c%d.db", c->f->dir, c->number);
    char *root = ls_asprintf("%s/rc%d", c->f->dir, c->number);
    for (int i = 0; i < 4; i++) {
        ls_err err = LS_ERR_INIT;
        ls_txid txid;
        bool changed;
        ls_code rc = add(c->f, path, root, &changed, &err);
        assert_true(rc == LS_OK || rc == LS_EBUSY);
        if (i % 2 == 0) {
            nap(c->number % 7);
        }
        must(leave(c->f, path, &changed, &txid, &err), &err);
    }
    free(path);
    free(root);
    return NULL;
}

static void many_come_and_go_at_once(void **state) {
    fixture *f = *state;
    pthread_t threads[COMERS];
    comer comers[COMERS];
    start(f);
    for (int i = 0; i < COMERS; i++) {
        char *path = ls_asprintf("%s/c%d.db", f->dir, i);
        sqlite3_close(app_create(path, 4096));
        free(path);
        comers[i] = (comer){.f = f, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &comers[i]), 0);
    }
    for (int i = 0; i < COMERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        add_rows(f->app, 1);
    }
    await(f, has_count, &one);
    await(f, is_replicated, f->path);
    stop_well(f);
}

/* ---- Reload ---- */

/* What the configuration says when it is read again. */
static char *text;

static ls_code reread(void *arg, ls_config *config, ls_err *err) {
    (void)arg;
    return ls_config_parse(text, strlen(text), "test.yml", false, config, err);
}

/* A configuration with these databases; extra stands in the first one, top at the top. */
static void say(const char *top, const second *list[], size_t n, const char *extra) {
    free(text);
    text = ls_asprintf("%s\ndbs:%s", top, n == 0 ? " []" : "");
    for (size_t i = 0; i < n; i++) {
        char *more = ls_asprintf("%s\n - path: %s\n   monitor-interval: 20ms\n   replica: {url: "
                                 "'file://%s', sync-interval: 20ms}%s",
                                 text, list[i]->path, list[i]->root, i == 0 ? extra : "");
        free(text);
        text = more;
    }
}

static void start_from_text(fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_config_done(&f->config);
    must(reread(NULL, &f->config, &err), &err);
    make(f);
    ls_store_set_reread(f->store, reread, NULL);
    launch(f);
}

static ls_reload_counts reload(fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_reload_counts c;
    must(ls_store_reload(f->store, &c, &err), &err);
    return c;
}

static void databases_come_and_go_with_the_configuration(void **state) {
    fixture *f = *state;
    second a = second_of(f, "a.db"), b = second_of(f, "b.db"), c = second_of(f, "c.db");
    say("", (const second *[]){&a, &b}, 2, "");
    start_from_text(f);
    await(f, second_is_replicated, &a);
    await(f, second_is_replicated, &b);
    ls_reload_counts n = reload(f);
    assert_true(n.added == 0 && n.removed == 0 && n.changed == 0 && n.kept == 2);
    say("", (const second *[]){&c, &a}, 2, "");
    add_rows(b.app, 3);
    n = reload(f);
    assert_true(n.added == 1 && n.removed == 1 && n.changed == 0 && n.kept == 1);
    await(f, second_is_replicated, &c);
    await(f, has_count, &two);
    assert_true(replica_is_db(b.root, b.path));
    say("", NULL, 0, "");
    n = reload(f);
    assert_int_equal(n.removed, 2);
    await(f, has_count, &none);
    say("", (const second *[]){&a, &b, &c}, 3, "");
    assert_int_equal(reload(f).added, 3);
    add_rows(b.app, 1);
    await(f, second_is_replicated, &b);
    stop_well(f);
    second_done(&a);
    second_done(&b);
    second_done(&c);
}

static void a_changed_database_goes_on_with_its_new_settings(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_db_state db;
    second a = second_of(f, "a.db"), b = second_of(f, "b.db");
    say("", (const second *[]){&a, &b}, 2, "");
    start_from_text(f);
    await(f, second_is_replicated, &a);
    second moved = {.path = a.path, .root = ls_path_join(f->dir, "moved")};
    say("", (const second *[]){&moved, &b}, 2, "\n   busy-timeout: 3s");
    ls_reload_counts n = reload(f);
    assert_true(n.changed == 1 && n.kept == 1);
    await(f, second_is_replicated, &moved);
    must(ls_store_state(f->store, a.path, &db, &err), &err);
    assert_non_null(strstr(db.replica_url, moved.root));
    ls_db_state_done(&db);
    assert_int_equal(count(f), 2);
    stop_well(f);
    free(moved.root);
    second_done(&a);
    second_done(&b);
}

/* Its old replica may be what was wrong: the new one must not wait for it. */
static void a_database_whose_replica_fails_gets_another(void **state) {
    fixture *f = *state;
    second a = second_of(f, "a.db");
    put_file(a.root, "x", 1);
    say("", (const second *[]){&a}, 1, "");
    start_from_text(f);
    second moved = {.path = a.path, .root = ls_path_join(f->dir, "moved")};
    say("", (const second *[]){&moved}, 1, "");
    assert_int_equal(reload(f).changed, 1);
    await(f, second_is_replicated, &moved);
    stop_well(f);
    free(moved.root);
    second_done(&a);
}

static void two_databases_swap_their_replicas(void **state) {
    fixture *f = *state;
    second a = second_of(f, "a.db"), b = second_of(f, "b.db");
    say("", (const second *[]){&a, &b}, 2, "");
    start_from_text(f);
    await(f, second_is_replicated, &a);
    await(f, second_is_replicated, &b);
    char *root = a.root;
    a.root = b.root;
    b.root = root;
    say("", (const second *[]){&a, &b}, 2, "");
    assert_int_equal(reload(f).changed, 2);
    await(f, second_is_replicated, &a);
    await(f, second_is_replicated, &b);
    assert_int_equal(count(f), 2);
    stop_well(f);
    second_done(&a);
    second_done(&b);
}

static void a_bad_configuration_changes_nothing(void **state) {
    static const char *const bad[] = {"dbs: [", "dbz: []",
                                      "dbs: [{path: /x.db, replica: {url: 's9://x'}}]",
                                      ("dbs: [{path: /x.db, replica: {path: /r}}, "
                                       "{path: /y.db, replica: {path: /r}}]")};
    fixture *f = *state;
    ls_reload_counts c;
    second a = second_of(f, "a.db");
    say("", (const second *[]){&a}, 1, "");
    start_from_text(f);
    await(f, second_is_replicated, &a);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ls_err err = LS_ERR_INIT;
        free(text);
        text = strdup(bad[i]);
        assert_int_not_equal(ls_store_reload(f->store, &c, &err), LS_OK);
        assert_true(strlen(err.msg) > 0);
        assert_int_equal(logged(f, "everything goes on as before"), (int)i + 1);
        assert_int_equal(count(f), 1);
    }
    kill(getpid(), SIGHUP);
    while (logged(f, "everything goes on as before") < (int)(sizeof(bad) / sizeof(bad[0])) + 1) {
        nap(3);
    }
    add_rows(a.app, 2);
    await(f, second_is_replicated, &a);
    stop_well(f);
    second_done(&a);
}

static void a_hangup_reads_the_configuration_again(void **state) {
    fixture *f = *state;
    second a = second_of(f, "a.db"), b = second_of(f, "b.db");
    say("", (const second *[]){&a}, 1, "");
    start_from_text(f);
    say("", (const second *[]){&a, &b}, 2, "");
    kill(getpid(), SIGHUP);
    await(f, second_is_replicated, &b);
    assert_int_equal(logged(f, "configuration was read again"), 1);
    stop_well(f);
    second_done(&a);
    second_done(&b);
}

static void registered_and_stopped_ones_stay_what_they_are(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_txid txid;
    bool changed;
    second a = second_of(f, "a.db"), b = second_of(f, "b.db");
    say("", (const second *[]){&a}, 1, "");
    start_from_text(f);
    add_well(f, &b);
    must(ls_store_stop_db(f->store, a.path, LONG, &changed, &txid, &err), &err);
    say("", (const second *[]){&a}, 1, "\n   busy-timeout: 2s");
    assert_int_equal(reload(f).changed, 1);
    await(f, has_count, &two);
    assert_int_equal(status_now(f), LS_DB_STOPPED);
    add_rows(b.app, 1);
    await(f, second_is_replicated, &b);
    must(ls_store_start_db(f->store, a.path, &changed, &txid, &err), &err);
    assert_true(changed);
    add_rows(a.app, 1);
    await(f, second_is_replicated, &a);
    stop_well(f);
    second_done(&a);
    second_done(&b);
}

static bool level_one_has_a_file(fixture *f, const void *root) {
    ls_err err = LS_ERR_INIT;
    ls_storage *s;
    ls_storage_iter *it;
    ls_ltx_info file;
    bool end = true;
    (void)f;
    must(ls_storage_open_file(root, NULL, &s, &err), &err);
    must(ls_storage_list(s, 1, 0, &it, &err), &err);
    must(ls_storage_iter_next(it, &file, &end, &err), &err);
    ls_storage_iter_free(it);
    ls_storage_free(s);
    return !end;
}

static void new_intervals_count_at_once(void **state) {
    fixture *f = *state;
    second a = second_of(f, "a.db");
    say("levels: [{interval: 23h}]", (const second *[]){&a}, 1, "");
    start_from_text(f);
    add_rows(a.app, 1);
    await(f, second_is_replicated, &a);
    say("levels: [{interval: 50ms}]", (const second *[]){&a}, 1, "");
    assert_int_equal(reload(f).kept, 1);
    add_rows(a.app, 1);
    await(f, level_one_has_a_file, a.root);
    stop_well(f);
    second_done(&a);
}

static int teardown(void **state) {
    int rc = kit_teardown(state);
    free(text);
    text = NULL;
    return rc;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_registered_database_is_replicated),
        TEST(a_database_may_be_registered_before_it_exists),
        TEST(what_two_databases_must_not_share_is_refused),
        TEST(a_renamed_database_is_registered_by_its_new_name),
        TEST(an_unregistered_database_is_synced_and_closed),
        TEST(a_stopped_database_can_be_unregistered),
        TEST(after_a_last_sync_that_fails_it_goes_on),
        TEST(too_few_open_files_are_told),
        TEST(many_come_and_go_at_once),
        TEST(databases_come_and_go_with_the_configuration),
        TEST(a_changed_database_goes_on_with_its_new_settings),
        TEST(a_database_whose_replica_fails_gets_another),
        TEST(two_databases_swap_their_replicas),
        TEST(a_bad_configuration_changes_nothing),
        TEST(a_hangup_reads_the_configuration_again),
        TEST(registered_and_stopped_ones_stay_what_they_are),
        TEST(new_intervals_count_at_once),
    };
    return cmocka_run_group_tests_name("set", tests, NULL, NULL);
}
