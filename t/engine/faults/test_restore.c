/*
 * Restores while calls fail: engine/restore. A restore that fails leaves what was there, whole, and
 * no other file; the next one gives the database.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/restore/restore.h"
#include "t/engine/faults/world.h"
#include "t/support/tempdir.h"
#include "t/support/v3files.h"

static const char old_text[] = "what was there before";

static ls_code restore_to(world *w, bool force, ls_integrity integrity, ls_err *err) {
    const ls_restore_opts opts = {.output = w->out,
                                  .timestamp_ms = LS_NO_TIMESTAMP,
                                  .parallelism = 4,
                                  .force = force,
                                  .integrity = integrity};
    ls_restore_result res;
    ls_storage *s = NULL;
    ls_code rc = ls_storage_open_file(w->root, NULL, &s, err);
    if (rc == LS_OK) {
        rc = ls_restore(s, &opts, &res, err);
    }
    ls_storage_free(s);
    return rc;
}

static ls_code restore(world *w, ls_err *err) {
    return restore_to(w, false, LS_INTEGRITY_QUICK, err);
}

static ls_code restore_over(world *w, ls_err *err) {
    return restore_to(w, true, LS_INTEGRITY_FULL, err);
}

/* The folder of the output is made too. */
static void into_a_new_folder(world *w) {
    replicated(w, 512, 5);
    add_rows(w->app, 5);
    replicate(w);
}

static void put_old(world *w) {
    char *folder = ls_path_dir(w->out);
    char *log = ls_asprintf("%s-wal", w->out), *index = ls_asprintf("%s-shm", w->out);
    assert_int_equal(mkdir(folder, 0700), 0);
    put_file(w->out, old_text, sizeof old_text);
    put_file(log, "log", 3);
    put_file(index, "index", 5);
    free(folder);
    free(log);
    free(index);
}

static void over_another(world *w) {
    replicated(w, 512, 5);
    add_rows(w->app, 5);
    replicate(w);
    put_old(w);
}

/* More than is done without threads, in files of several pieces. */
static void by_threads(world *w) {
    replicated(w, 4096, 5);
    sql(w->app, "INSERT INTO t(v) WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c "
                "WHERE i < 400) SELECT randomblob(3000) FROM c");
    replicate(w);
    sql(w->app, "UPDATE t SET v = randomblob(3000) WHERE id % 5 = 0");
    replicate(w);
}

/* ---- a replica of Litestream 0.3 ---- */

#define GENERATION "0123456789abcdef"

/* Allocates nothing: calls of the library alone may fail. */
static const char *v3_root(const world *w) {
    static char root[512];
    (void)snprintf(root, sizeof root, "%s/v3", w->dir);
    return root;
}

static void put_v3(const world *w, char *key, const char *from, size_t skip) {
    ls_err err = LS_ERR_INIT;
    char *data;
    size_t len;
    must(ls_read_file(from, 1u << 24, &data, &len, &err), &err);
    v3_put_lz4(v3_root(w), key, data + skip, len - skip, 1700000000000);
    free(data);
    free(key);
}

static size_t size_of(const char *path) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

/* A snapshot, a log in two segments, one in one segment. */
static void by_v3(world *w) {
    into_a_new_folder(w);
    drop_objects(w);
    char *log = ls_asprintf("%s-wal", w->path);
    sql(w->app, "PRAGMA wal_checkpoint(TRUNCATE)");
    put_v3(w, v3_snapshot_key(GENERATION, 0), w->path, 0);
    add_rows(w->app, 3);
    put_v3(w, v3_wal_key(GENERATION, 0, 0, 8), log, 0);
    size_t first = size_of(log);
    add_rows(w->app, 3);
    put_v3(w, v3_wal_key(GENERATION, 0, first, 8), log, first);
    sql(w->app, "PRAGMA wal_checkpoint(TRUNCATE); UPDATE t SET v = randomblob(400) WHERE id % 2");
    put_v3(w, v3_wal_key(GENERATION, 1, 0, 8), log, 0);
    free(log);
}

static ls_code restore_v3_to(world *w, bool force, ls_err *err) {
    const ls_restore_opts opts = {.output = w->out,
                                  .timestamp_ms = LS_NO_TIMESTAMP,
                                  .force = force,
                                  .integrity = LS_INTEGRITY_QUICK};
    ls_restore_result res;
    ls_storage *s = NULL;
    ls_code rc = ls_storage_open_file(v3_root(w), NULL, &s, err);
    if (rc == LS_OK) {
        rc = ls_restore(s, &opts, &res, err);
    }
    ls_storage_free(s);
    return rc;
}

static ls_code restore_v3(world *w, ls_err *err) { return restore_v3_to(w, false, err); }

/* The source did not change since. */
static void restored_v3(world *w) {
    ls_err err = LS_ERR_INIT;
    must(restore_v3_to(w, true, &err), &err);
    assert_is_db(w, w->out);
    replicate(w);
}

/* ---- what must hold ---- */

static void nothing_there(world *w) { assert_absent(w->out); }

/* Either is whole: the error may be that it is not known whether the new one is durable. */
static void old_or_new_there(world *w) {
    struct stat st;
    assert_int_equal(stat(w->out, &st), 0);
    if (st.st_size == sizeof old_text) {
        assert_file_is(w->out, old_text, sizeof old_text);
    } else {
        assert_is_db(w, w->out);
    }
}

/* A process that ended may have given the file its name already. */
static void restored(world *w) {
    ls_err err = LS_ERR_INIT;
    must(restore_to(w, true, LS_INTEGRITY_FULL, &err), &err);
    assert_is_db(w, w->out);
}

static const job jobs[] = {
    {"restore", into_a_new_folder, restore, nothing_there, NULL, restored, true},
    {"restore over", over_another, restore_over, old_or_new_there, NULL, restored, true},
    {"restore by threads", by_threads, restore, nothing_there, NULL, restored, true},
    {"restore of v0.3", by_v3, restore_v3, nothing_there, NULL, restored_v3, false},
};

static void restores(void **state) {
    (void)state;
    fail_each_call(jobs, sizeof jobs / sizeof jobs[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(restores),
    };
    faults_init();
    return cmocka_run_group_tests_name("restore faults", tests, NULL, NULL);
}
