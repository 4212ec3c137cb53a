/*
 * Folders of databases: what is found in them is replicated, each to a place of its own, and what
 * goes is let go. engine/store/dirs.c
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

/* No watch left, for whom it is set. */
static bool no_watches;
int __real_inotify_add_watch(int fd, const char *path, unsigned mask);
int __wrap_inotify_add_watch(int fd, const char *path, unsigned mask);
int __wrap_inotify_add_watch(int fd, const char *path, unsigned mask) {
    if (no_watches) {
        errno = ENOSPC;
        return -1;
    }
    return __real_inotify_add_watch(fd, path, mask);
}

/* ---- Verbs ---- */

/* What the configuration says when it is read again. */
static char *text;

static ls_code reread(void *arg, ls_config *config, ls_err *err) {
    (void)arg;
    return ls_config_parse(text, strlen(text), "test.yml", false, config, err);
}

/* One folder, dbs below the test's, with more settings. */
static void say(const fixture *f, const char *more) {
    free(text);
    text = ls_asprintf("dbs:\n - dir: %s/dbs\n   pattern: '*.db'\n   monitor-interval: 20ms\n"
                       "   replica: {path: %s, sync-interval: 20ms}\n%s",
                       f->dir, f->root, more);
}

static void start(fixture *f, const char *more) {
    ls_err err = LS_ERR_INIT;
    say(f, more);
    ls_config_done(&f->config);
    must(reread(NULL, &f->config, &err), &err);
    make(f);
    ls_store_set_reread(f->store, reread, NULL);
    launch(f);
}

#define WATCH "   watch: true\n   recursive: true\n"

static char *below(const fixture *f, const char *rel) {
    char *path = ls_asprintf("%s/dbs/%s", f->dir, rel);
    assert_non_null(path);
    return path;
}

static void folder(const fixture *f, const char *rel) {
    char *path = below(f, rel);
    assert_int_equal(mkdir(path, 0755), 0);
    free(path);
}

/* A database with rows, which nobody has open. */
static void put_db(const fixture *f, const char *rel, int rows) {
    char *path = below(f, rel);
    sqlite3 *h = app_create(path, 4096);
    add_rows(h, rows);
    sqlite3_close(h);
    free(path);
}

static void write_more(const fixture *f, const char *rel) {
    char *path = below(f, rel);
    sqlite3 *h = app_open(path);
    add_rows(h, 2);
    sqlite3_close(h);
    free(path);
}

static void move(const fixture *f, const char *from, const char *to) {
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char *a = below(f, from), *b = below(f, to);
        char *from_file = ls_asprintf("%s%s", a, ends[i]),
             *to_file = ls_asprintf("%s%s", b, ends[i]);
        (void)rename(from_file, to_file);
        free(from_file);
        free(to_file);
        free(a);
        free(b);
    }
}

static void drop(const fixture *f, const char *rel) {
    char *path = below(f, rel);
    assert_int_equal(unlink(path), 0);
    remove_log(path);
    free(path);
}

static bool is_there(fixture *f, const void *rel) {
    ls_err err = LS_ERR_INIT;
    ls_db_state db;
    char *path = below(f, rel);
    ls_code rc = ls_store_state(f->store, path, &db, &err);
    if (rc == LS_OK) {
        ls_db_state_done(&db);
    }
    free(path);
    return rc == LS_OK;
}

static bool is_gone(fixture *f, const void *rel) { return !is_there(f, rel); }

/* Is its replica, at the folder's replica and its own path, what it is? */
static bool arrived(fixture *f, const void *rel) {
    char *path = below(f, rel), *root = ls_path_join(f->root, rel);
    bool same = replica_is_db(root, path);
    free(path);
    free(root);
    return same;
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

static ls_reload_counts reload(fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_reload_counts c;
    must(ls_store_reload(f->store, &c, &err), &err);
    return c;
}

/* ---- Stories ---- */

static void what_is_there_at_the_start_is_replicated(void **state) {
    fixture *f = *state;
    folder(f, "x");
    put_db(f, "a.db", 3);
    put_db(f, "b.db", 3);
    put_db(f, "x/c.db", 3);
    start(f, "   recursive: true\n");
    await(f, arrived, "a.db");
    await(f, arrived, "b.db");
    await(f, arrived, "x/c.db");
    assert_int_equal(count(f), 3);
    put_db(f, "late.db", 1);
    write_more(f, "x/c.db");
    await(f, arrived, "x/c.db");
    assert_int_equal(count(f), 3); /* it is not watched */
    (void)reload(f);
    await(f, arrived, "late.db");
    assert_int_equal(logged(f, "found databases in directory"), 1);
    stop_well(f);
}

static void what_appears_is_added_and_what_goes_is_removed(void **state) {
    fixture *f = *state;
    start(f, WATCH);
    assert_int_equal(count(f), 0);
    put_db(f, "a.db", 3);
    await(f, arrived, "a.db");
    folder(f, "x");
    put_db(f, "x/b.db", 3);
    await(f, arrived, "x/b.db");
    write_more(f, "x/b.db");
    await(f, arrived, "x/b.db");
    drop(f, "a.db");
    await(f, is_gone, "a.db");
    char *path = below(f, "a.db");
    assert_int_equal(descriptors(path), 0);
    free(path);
    put_db(f, "a.db", 5);
    await(f, arrived, "a.db");
    stop_well(f);
    assert_int_equal(logged(f, "level=ERROR"), 0);
}

static void a_copy_is_taken_when_it_is_complete(void **state) {
    fixture *f = *state;
    start(f, WATCH);
    char *path = below(f, "copy.db"), *other = ls_path_join(f->dir, "other.db");
    sqlite3 *h = app_create(other, 4096);
    add_rows(h, 30);
    assert_int_equal(sqlite3_wal_checkpoint_v2(h, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL), 0);
    sqlite3_close(h);
    ls_err err = LS_ERR_INIT;
    char *data;
    size_t len;
    must(ls_read_file(other, 1 << 20, &data, &len, &err), &err);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(pwrite(fd, data + 8, len - 8, 8), (ssize_t)(len - 8));
    nap(600);
    assert_int_equal(count(f), 0);
    assert_int_equal(pwrite(fd, data, 8, 0), 8);
    close(fd);
    await(f, arrived, "copy.db");
    free(data);
    free(path);
    free(other);
    stop_well(f);
}

static void a_renamed_database_goes_on_under_its_new_name(void **state) {
    fixture *f = *state;
    put_db(f, "a.db", 3);
    start(f, WATCH);
    await(f, arrived, "a.db");
    write_more(f, "a.db");
    move(f, "a.db", "b.db");
    await(f, is_gone, "a.db");
    await(f, arrived, "b.db");
    write_more(f, "b.db");
    await(f, arrived, "b.db");
    assert_int_equal(count(f), 1);
    stop_well(f);
}

static void a_renamed_folder_takes_its_databases_along(void **state) {
    fixture *f = *state;
    folder(f, "x");
    put_db(f, "x/a.db", 3);
    start(f, WATCH);
    await(f, arrived, "x/a.db");
    char *x = below(f, "x"), *y = below(f, "y"), *away = ls_path_join(f->dir, "away");
    assert_int_equal(rename(x, y), 0);
    await(f, is_gone, "x/a.db");
    await(f, arrived, "y/a.db");
    write_more(f, "y/a.db");
    await(f, arrived, "y/a.db");
    assert_int_equal(rename(y, away), 0);
    await(f, is_gone, "y/a.db");
    assert_int_equal(count(f), 0);
    assert_int_equal(rename(away, x), 0);
    write_more(f, "x/a.db");
    await(f, arrived, "x/a.db");
    free(x);
    free(y);
    free(away);
    stop_well(f);
}

static void a_folder_that_goes_and_comes_back(void **state) {
    fixture *f = *state;
    put_db(f, "a.db", 3);
    start(f, WATCH);
    await(f, arrived, "a.db");
    char *dbs = ls_path_join(f->dir, "dbs"), *away = ls_path_join(f->dir, "away");
    assert_int_equal(rename(dbs, away), 0);
    await(f, is_gone, "a.db");
    await(f, is_logged, "directory watcher error");
    assert_int_equal(rename(away, dbs), 0);
    write_more(f, "a.db");
    await(f, arrived, "a.db");
    free(dbs);
    free(away);
    stop_well(f);
}

static void without_watches_folders_are_polled(void **state) {
    fixture *f = *state;
    no_watches = true;
    put_db(f, "a.db", 3);
    start(f, WATCH);
    put_db(f, "b.db", 3);
    await(f, arrived, "b.db");
    drop(f, "a.db");
    await(f, is_gone, "a.db");
    assert_int_equal(logged(f, "cannot watch folders, polling instead"), 1);
    assert_true(logged(f, "fs.inotify.max_user_watches") > 0);
    stop_well(f);
}

static void one_file_by_two_names_is_replicated_once(void **state) {
    fixture *f = *state;
    put_db(f, "real.db", 3);
    char *real = below(f, "real.db"), *link = below(f, "a-link.db");
    assert_int_equal(symlink(real, link), 0);
    start(f, WATCH);
    await(f, arrived, "real.db");
    assert_int_equal(count(f), 1);
    assert_int_equal(logged(f, "are the same file"), 1);
    put_db(f, "b.db", 1);
    await(f, arrived, "b.db");
    assert_int_equal(logged(f, "are the same file"), 1);
    free(real);
    free(link);
    stop_well(f);
}

/* What is named by itself has its own settings, also where a folder has it. */
static void what_is_named_by_itself_counts(void **state) {
    fixture *f = *state;
    put_db(f, "a.db", 3);
    put_db(f, "b.db", 3);
    char *own = ls_path_join(f->dir, "own"), *path = below(f, "a.db");
    char *more = ls_asprintf(
        WATCH " - path: %s\n   monitor-interval: 20ms\n   replica: {path: %s}\n", path, own);
    start(f, more);
    await(f, arrived, "b.db");
    int64_t until = ls_store_now() + LONG;
    while (!replica_is_db(own, path)) {
        assert_true(ls_store_now() < until);
        nap(5);
    }
    assert_int_equal(count(f), 2);
    say(f, WATCH);
    assert_int_equal(reload(f).removed, 1);
    write_more(f, "a.db");
    await(f, arrived, "a.db"); /* from then on it is the folder's */
    free(more);
    free(own);
    free(path);
    stop_well(f);
}

static void an_unregistered_one_stays_away_until_it_is_another(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_txid txid;
    bool changed;
    put_db(f, "a.db", 3);
    start(f, WATCH);
    await(f, arrived, "a.db");
    char *path = below(f, "a.db");
    must(ls_store_unregister(f->store, path, LONG, &changed, &txid, &err), &err);
    assert_true(changed);
    put_db(f, "b.db", 1);
    await(f, arrived, "b.db");
    assert_int_equal(count(f), 1);
    drop(f, "a.db");
    put_db(f, "c.db", 1);
    await(f, arrived, "c.db");
    put_db(f, "a.db", 1);
    await(f, arrived, "a.db");
    must(ls_store_unregister(f->store, path, LONG, &changed, &txid, &err), &err);
    (void)reload(f);
    await(f, is_there, "a.db");
    free(path);
    stop_well(f);
}

static void a_folder_comes_and_goes_with_the_configuration(void **state) {
    static const size_t none = 0;
    fixture *f = *state;
    put_db(f, "a.db", 3);
    put_db(f, "b.db", 3);
    start(f, WATCH);
    await(f, arrived, "a.db");
    char *before = text;
    text = strdup("dbs: []");
    write_more(f, "b.db");
    (void)reload(f);
    await(f, has_count, &none);
    assert_true(arrived(f, "b.db"));
    put_db(f, "c.db", 3);
    free(text);
    text = before;
    (void)reload(f);
    await(f, arrived, "c.db");
    await(f, is_there, "a.db");
    say(f, WATCH "   busy-timeout: 2s\n");
    (void)reload(f);
    write_more(f, "a.db");
    await(f, arrived, "a.db");
    await(f, is_there, "b.db");
    await(f, is_there, "c.db");
    stop_well(f);
    assert_int_equal(logged(f, "level=ERROR"), 0);
}

static void a_folder_that_cannot_be_is_refused(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    say(f, "");
    ls_config_done(&f->config);
    must(reread(NULL, &f->config, &err), &err);
    assert_int_equal(ls_store_new(&f->config, &f->log, &f->store, &err), LS_ENOTFOUND);
    assert_non_null(strstr(err.msg, "no SQLite databases found in directory"));
    char *dbs = ls_path_join(f->dir, "dbs");
    assert_int_equal(rmdir(dbs), 0);
    ls_err_clear(&err);
    assert_int_equal(ls_store_new(&f->config, &f->log, &f->store, &err), LS_ENOTFOUND);
    assert_non_null(strstr(err.msg, "failed to scan directory"));
    assert_int_equal(mkdir(dbs, 0755), 0);
    start(f, WATCH);
    free(text);
    text = strdup("dbs: [{dir: /nowhere/at/all, pattern: '*', watch: true, replica: {path: /r}}]");
    ls_reload_counts c;
    assert_int_not_equal(ls_store_reload(f->store, &c, &err), LS_OK);
    put_db(f, "a.db", 1);
    await(f, arrived, "a.db");
    free(dbs);
    stop_well(f);
}

static void one_pass_takes_what_is_there(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    put_db(f, "a.db", 3);
    put_db(f, "b.db", 3);
    say(f, "");
    ls_config_done(&f->config);
    must(reread(NULL, &f->config, &err), &err);
    make(f);
    must(ls_store_once(f->store, NULL, &err), &err);
    assert_true(arrived(f, "a.db"));
    assert_true(arrived(f, "b.db"));
    must(ls_store_find_dirs(&f->config, &err), &err);
    assert_int_equal(f->config.n_found, 2);
}

static int setup(void **state) {
    int rc = kit_setup(state);
    fixture *f = *state;
    char *dbs = ls_path_join(f->dir, "dbs");
    no_watches = false;
    rc = rc == 0 ? mkdir(dbs, 0755) : rc;
    free(dbs);
    return rc;
}

static int teardown(void **state) {
    int rc = kit_teardown(state);
    free(text);
    text = NULL;
    return rc;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_is_there_at_the_start_is_replicated),
        TEST(what_appears_is_added_and_what_goes_is_removed),
        TEST(a_copy_is_taken_when_it_is_complete),
        TEST(a_renamed_database_goes_on_under_its_new_name),
        TEST(a_renamed_folder_takes_its_databases_along),
        TEST(a_folder_that_goes_and_comes_back),
        TEST(without_watches_folders_are_polled),
        TEST(one_file_by_two_names_is_replicated_once),
        TEST(what_is_named_by_itself_counts),
        TEST(an_unregistered_one_stays_away_until_it_is_another),
        TEST(a_folder_comes_and_goes_with_the_configuration),
        TEST(a_folder_that_cannot_be_is_refused),
        TEST(one_pass_takes_what_is_there),
    };
    return cmocka_run_group_tests_name("dirs", tests, NULL, NULL);
}
