/*
 * Follow mode while calls fail: engine/restore/follow.c and what it uses. Whoever reads the
 * followed database after a failure finds it as it was before the batch or after it; the next look,
 * of the same follower or of another process, brings it to the newest TXID.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/engine/faults/world.h"
#include "t/support/tempdir.h"

static ls_code follow(world *w, ls_err *err) {
    const ls_follow_opts opts = {.restore = {.output = w->out,
                                             .timestamp_ms = LS_NO_TIMESTAMP,
                                             .parallelism = 1,
                                             .integrity = LS_INTEGRITY_QUICK}};
    ls_code rc = LS_OK;
    if (w->fs == NULL) {
        rc = ls_storage_open_file(w->root, NULL, &w->fs, err);
    }
    return rc == LS_OK ? ls_follow_new(w->fs, &opts, &w->f, err) : rc;
}

static ls_code look(world *w, ls_err *err) {
    ls_txid from, to;
    return ls_follow_poll(w->f, &from, &to, err);
}

static ls_code follow_and_look(world *w, ls_err *err) {
    ls_code rc = follow(w, err);
    return rc == LS_OK ? look(w, err) : rc;
}

/* ---- what is followed ---- */

static void source(world *w) {
    replicated(w, 512, 5);
    add_rows(w->app, 4);
    replicate(w);
}

static void changes(world *w) {
    sql(w->app, "UPDATE t SET v = randomblob(600) WHERE id % 2 = 0; DELETE FROM t WHERE id = 3");
    add_rows(w->app, 3);
    replicate(w);
    sql(w->app, "UPDATE t SET v = randomblob(500) WHERE id = 4");
    replicate(w);
}

static void followed(world *w) {
    ls_err err = LS_ERR_INIT;
    source(w);
    must(follow_and_look(w, &err), &err);
    changes(w);
}

static void followed_before(world *w) {
    followed(w);
    ls_follow_free(w->f);
    w->f = NULL;
}

static void followed_with_smaller_end(world *w) {
    ls_err err = LS_ERR_INIT;
    replicated(w, 512, 40);
    must(follow_and_look(w, &err), &err);
    sql(w->app, "DELETE FROM t WHERE id > 6; VACUUM");
    replicate(w);
}

static void followed_to_another_page_size(world *w) {
    ls_err err = LS_ERR_INIT;
    source(w);
    must(follow_and_look(w, &err), &err);
    drop_objects(w);
    change_page_size(w, 1024);
    add_rows(w->app, 2);
    replicate(w);
    must(follow(w, &err), &err);
}

/* ---- what must hold ---- */

/* Where the follower's page 1 differs from the source's (doc/follow.md). */
static void blank(uint8_t *page) {
    memset(page + 18, 0, 2);
    memset(page + 24, 0, 8);
    memset(page + 92, 0, 4);
}

static uint8_t *image_of_file(const char *path, size_t *size) {
    sqlite3 *h = app_open(path);
    uint8_t *data = db_image(h, size);
    assert_int_equal(sqlite3_close(h), SQLITE_OK);
    blank(data);
    return data;
}

/* Whoever opens it finds it whole. */
static void whole(world *w) {
    struct stat st;
    if (stat(w->out, &st) == 0) {
        assert_whole(w->out);
    }
}

static void assert_is_copy(const world *w) {
    size_t size, copied;
    uint8_t *data = image_of_file(w->path, &size);
    uint8_t *copy = image_of_file(w->out, &copied);
    assert_int_equal(copied, size);
    assert_memory_equal(copy, data, size);
    sqlite3_free(data);
    sqlite3_free(copy);
}

/* What the source did meanwhile comes with it. */
static void up_to_date(world *w) {
    ls_err err = LS_ERR_INIT;
    add_rows(w->app, 2);
    replicate(w);
    if (w->f == NULL) {
        must(follow(w, &err), &err);
    }
    must(look(w, &err), &err);
    assert_int_equal(ls_follow_txid(w->f), ls_db_txid(w->db));
    assert_is_copy(w);
}

static void go_on_passive(world *w) { go_on(w, "PASSIVE"); }

static const job jobs[] = {
    {"follow", source, follow, whole, go_on_passive, up_to_date, false},
    {"follow a batch", followed, look, whole, go_on_passive, up_to_date, false},
    {"follow a smaller database", followed_with_smaller_end, look, whole, NULL, up_to_date, false},
    {"follow on", followed_before, follow_and_look, whole, go_on_passive, up_to_date, false},
    {"follow to another page size", followed_to_another_page_size, look, whole, NULL, up_to_date,
     false},
};

static void follows(void **state) {
    (void)state;
    fail_each_call(jobs, sizeof jobs / sizeof jobs[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows),
    };
    faults_init();
    return cmocka_run_group_tests_name("follow faults", tests, NULL, NULL);
}
