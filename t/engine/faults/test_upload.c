/*
 * Comparison with a replica and upload while calls fail: engine/replica and the file store. Between
 * a failure and the next try the application goes on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/engine/faults/world.h"

static ls_code upload(world *w, ls_err *err) {
    return ls_replica_sync(w->r, ls_db_txid(w->db), NULL, err);
}

static ls_code compare(world *w, ls_err *err) {
    ls_replica_uncheck(w->r);
    return ls_replica_check(w->r, err);
}

static ls_code compare_and_upload(world *w, ls_err *err) {
    ls_code rc = compare(w, err);
    return rc == LS_OK ? upload(w, err) : rc;
}

static void passive(world *w) { go_on(w, "PASSIVE"); }

static void captured(world *w, int files) {
    for (int i = 0; i < files; i++) {
        add_rows(w->app, 2);
        capture_all(w);
    }
}

static void lose_local_files(world *w) {
    ls_err err = LS_ERR_INIT;
    drop_objects(w);
    must(ls_remove_tree(w->meta, &err), &err);
}

/* ---- Jobs ---- */

static void before_first_upload(world *w) {
    ls_err err = LS_ERR_INIT;
    w->app = app_create(w->path, 512);
    add_rows(w->app, 5);
    make_objects(w);
    capture_all(w);
    must(ls_replica_check(w->r, &err), &err);
}

static void before_upload(world *w) {
    replicated(w, 512, 5);
    captured(w, 3);
}

static void before_compare(world *w) {
    before_upload(w);
    drop_objects(w);
    make_objects(w);
}

/* The comparison removes the local files, a full one follows. */
static void replica_ahead(world *w) {
    replicated(w, 512, 5);
    captured(w, 1);
    replicate(w);
    lose_local_files(w);
    make_objects(w);
    capture_all(w);
}

/* Capture has made a snapshot for it. */
static void before_base(world *w) {
    ls_err err = LS_ERR_INIT;
    replicated(w, 512, 5);
    drop_objects(w);
    change_page_size(w, 1024);
    make_objects(w);
    must(ls_replica_check(w->r, &err), &err);
    captured(w, 1);
}

/* Of the old page size only the replica knows: the snapshot is made on the way. */
static void before_made_base(world *w) {
    ls_err err = LS_ERR_INIT;
    replicated(w, 512, 5);
    lose_local_files(w);
    change_page_size(w, 1024);
    make_objects(w);
    must(ls_replica_check(w->r, &err), &err);
    captured(w, 2);
}

static const job jobs[] = {
    {"first upload", before_first_upload, upload, NULL, passive, replicate, true},
    {"upload", before_upload, upload, NULL, passive, replicate, true},
    {"compare", before_compare, compare, NULL, passive, replicate, true},
    {"compare and upload", before_upload, compare_and_upload, NULL, passive, replicate, true},
    {"replica ahead", replica_ahead, compare, NULL, passive, replicate, true},
    {"upload of a base", before_base, upload, NULL, passive, replicate, true},
    {"base made for upload", before_made_base, upload, NULL, passive, replicate, true},
};

static void comparisons_and_uploads(void **state) {
    (void)state;
    fail_each_call(jobs, sizeof jobs / sizeof jobs[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparisons_and_uploads),
    };
    faults_init();
    return cmocka_run_group_tests_name("upload faults", tests, NULL, NULL);
}
