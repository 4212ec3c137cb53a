/*
 * Comparison and upload while memory runs out: each allocation fails once, each time the answer is
 * an error, nothing is left behind (the sanitizers look), and the next try gets on. Linked so that
 * malloc and its like come through here; SQLite's do not.
 */
#include "engine/replica/replica.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "t/support/dbkit.h"
#include "t/support/tempdir.h"

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *text);

static struct {
    bool armed;
    int calls, fail_at;
} heap;

static bool fails(void) { return heap.armed && ++heap.calls == heap.fail_at; }

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t size) { return fails() ? NULL : __real_realloc(p, size); }
char *__wrap_strdup(const char *text) { return fails() ? NULL : __real_strdup(text); }

static void capture(ls_db *db, sqlite3 *app, int files) {
    ls_err err = LS_ERR_INIT;
    ls_db_sync_result res;
    for (int i = 0; i < files; i++) {
        add_rows(app, 2);
        must(ls_db_sync(db, &res, &err), &err);
    }
}

/* Compares anew and uploads with the n-th allocation failing. */
static ls_code attempt(ls_db *db, ls_replica *r, int n, ls_err *err) {
    ls_replica_uncheck(r);
    heap.calls = 0;
    heap.fail_at = n;
    heap.armed = true;
    ls_code rc = ls_replica_check(r, err);
    if (rc == LS_OK) {
        rc = ls_replica_sync(r, ls_db_txid(db), NULL, err);
    }
    heap.armed = false;
    return rc;
}

typedef struct fixture {
    char *path, *root;
    sqlite3 *app;
    ls_db *db;
    ls_replica *r;
} fixture;

static void begin(fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_db_opts opts = ls_db_opts_default(f->path);
    ls_storage *s;
    must(ls_db_new(&opts, &f->db, &err), &err);
    must(ls_storage_open_file(f->root, NULL, &s, &err), &err);
    must(ls_replica_new(f->db, s, NULL, &f->r, &err), &err);
}

static void end(fixture *f) {
    ls_replica_free(f->r);
    ls_db_free(f->db);
}

/* Until an attempt makes fewer allocations than it takes to the one that fails. */
static void each_fails_once(fixture *f) {
    int failed = 0;
    for (int n = 1;; n++) {
        ls_err err = LS_ERR_INIT;
        ls_code rc = attempt(f->db, f->r, n, &err);
        assert_true(rc == LS_OK || rc == LS_ENOMEM);
        failed += rc == LS_ENOMEM;
        if (rc == LS_OK && heap.calls < n) {
            break;
        }
    }
    assert_true(failed > 20);
    assert_true(replica_is_db(f->root, f->path));
}

static void each_allocation_may_fail(void **state) {
    ls_err err = LS_ERR_INIT;
    fixture f = {.path = tempdir_path(state, "a.db"), .root = tempdir_path(state, "replica")};
    f.app = app_create(f.path, 4096);
    begin(&f);
    capture(f.db, f.app, 2);
    must(attempt(f.db, f.r, 0, &err), &err);
    capture(f.db, f.app, 2);
    each_fails_once(&f);
    end(&f);
    /* Another page size, of which only the replica knows: a snapshot is made on the way. */
    char *meta = ls_db_default_meta_path(f.path);
    must(ls_remove_tree(meta, &err), &err);
    free(meta);
    sql(f.app, "PRAGMA journal_mode=delete; PRAGMA page_size=1024; VACUUM;"
               "PRAGMA journal_mode=wal");
    begin(&f);
    must(ls_replica_check(f.r, &err), &err);
    capture(f.db, f.app, 2);
    each_fails_once(&f);
    end(&f);
    sqlite3_close(f.app);
    free(f.path);
    free(f.root);
}

int main(void) {
    const struct CMUnitTest tests[] = {unit_test_in_tempdir(each_allocation_may_fail)};
    return cmocka_run_group_tests_name("replica memory", tests, NULL, NULL);
}
