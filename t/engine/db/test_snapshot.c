/*
 * Snapshots beside captures: whatever other processes write and checkpoint meanwhile, the file
 * holds, page by page, what the level-0 files up to its TXID hold together.
 *
 * Others are processes of their own, forked before this one opens the database: locks of one
 * process do not hold each other off.
 */
#include "engine/db/internal.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/text.h"
#include "t/support/dbkit.h"
#include "t/support/tempdir.h"

#define OTHERS_MAX 4

/* ---- Memory that runs out: the heap of this program but SQLite's comes through here ---- */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static struct {
    bool armed;
    int calls, fail_at;
} heap;

static bool fails(void) { return heap.armed && ++heap.calls == heap.fail_at; }

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t size) { return fails() ? NULL : __real_realloc(p, size); }

typedef struct fixture {
    char *dir, *path, *meta, *out;
    ls_db_opts opts;
    ls_db *db;
    sqlite3 *app;
    pid_t others[OTHERS_MAX];
    int n_others;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    if (tempdir_setup((void **)&f->dir) != 0) {
        return -1;
    }
    f->path = ls_path_join(f->dir, "a.db");
    f->meta = ls_db_default_meta_path(f->path);
    f->out = ls_path_join(f->dir, "out");
    f->opts = ls_db_opts_default(f->path);
    *state = f;
    return 0;
}

static void stop_others(fixture *f) {
    while (f->n_others > 0) {
        pid_t pid = f->others[--f->n_others];
        int status = 0;
        (void)kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status));
    }
}

static int teardown(void **state) {
    fixture *f = *state;
    stop_others(f);
    ls_db_free(f->db);
    sqlite3_close(f->app);
    free(f->path);
    free(f->meta);
    free(f->out);
    int rc = tempdir_teardown((void **)&f->dir);
    free(f);
    return rc;
}

/* ---- Verbs ---- */

static void nap(long us) {
    struct timespec t = {.tv_nsec = us * 1000};
    (void)nanosleep(&t, NULL);
}

/* A database of about pages pages with a row on each. */
static void make_db(fixture *f, int page_size, int pages) {
    f->app = app_create(f->path, page_size);
    char *text = sqlite3_mprintf("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
                                 "WHERE i < %d) INSERT INTO t SELECT i, randomblob(%d) FROM n",
                                 pages, page_size * 2 / 3);
    sql(f->app, text);
    sqlite3_free(text);
}

static void begin_app(fixture *f) {
    sqlite3_close(f->app);
    f->app = NULL;
}

typedef void (*other_fn)(sqlite3 *h, int round);

/* A process that does fn again and again. */
static void other(fixture *f, other_fn fn) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0) {
        f->others[f->n_others++] = pid;
        return;
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    sqlite3 *h = NULL;
    if (sqlite3_open(f->path, &h) != SQLITE_OK) {
        _exit(1);
    }
    sqlite3_busy_timeout(h, 1000);
    (void)sqlite3_exec(h, "PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=OFF", NULL, NULL, NULL);
    for (int i = 0;; i++) {
        fn(h, i);
    }
}

static void run_sql(sqlite3 *h, const char *text) {
    int rc = sqlite3_exec(h, text, NULL, NULL, NULL);
    if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB) {
        _exit(1);
    }
}

static void write_rows(sqlite3 *h, int round) {
    char text[256];
    (void)snprintf(text, sizeof(text),
                   "BEGIN IMMEDIATE; UPDATE t SET v = randomblob(length(v)) WHERE id %% 97 = %d; "
                   "%s; COMMIT",
                   round % 97,
                   round % 5 == 0 ? "INSERT INTO t(v) VALUES (randomblob(900))" : "SELECT 1");
    run_sql(h, text);
    nap(300);
}

static void checkpoint_all_modes(sqlite3 *h, int round) {
    static const char *const modes[] = {"PASSIVE", "FULL", "RESTART", "TRUNCATE"};
    char text[64];
    (void)snprintf(text, sizeof(text), "PRAGMA wal_checkpoint(%s)", modes[round % 4]);
    sqlite3_busy_timeout(h, 2);
    run_sql(h, text);
    nap(500);
}

static void read_for_ever(sqlite3 *h, int round) {
    if (round == 0) {
        run_sql(h, "BEGIN; SELECT count(*) FROM t");
    }
    nap(100000);
}

static void open_db(fixture *f) {
    ls_err err = LS_ERR_INIT;
    must(ls_db_new(&f->opts, &f->db, &err), &err);
}

static void sync_db(fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_db_sync_result res;
    do {
        ls_code code = ls_db_sync(f->db, &res, &err);
        if (code == LS_EBUSY) {
            ls_err_clear(&err);
            res.more = true;
            continue;
        }
        must(code, &err);
    } while (res.more);
}

static ls_db_snapshot *begin_snapshot(fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_db_snapshot *snap = NULL;
    for (int i = 0; i < 200 && snap == NULL; i++) {
        ls_code code = ls_db_snapshot_begin(f->db, &snap, &err);
        if (code == LS_EBUSY) {
            ls_err_clear(&err);
            nap(2000);
            continue;
        }
        must(code, &err);
    }
    assert_non_null(snap);
    return snap;
}

/* ---- What is compared ---- */

/* The level-0 files up to txid, one after the other: the first one is of the whole database. */
static image chain_image(const fixture *f, ls_txid txid) {
    ls_err err = LS_ERR_INIT;
    ls_storage *s = NULL;
    image im = {0};
    must(ls_storage_open_file(f->meta, NULL, &s, &err), &err);
    for (ls_txid t = 1; t <= txid; t++) {
        const ls_ltx_info file = {.level = 0, .min_txid = t, .max_txid = t};
        image_apply(&im, s, &file);
    }
    ls_storage_free(s);
    return im;
}

/* The snapshot as a store has it: under its name. */
static image snapshot_image(const fixture *f, const ls_db_snapshot *snap, const ls_ltx_info *file) {
    ls_err err = LS_ERR_INIT;
    ls_storage *s = NULL;
    image im = {0};
    ls_ltx_info stored;
    must(ls_storage_open_file(f->out, NULL, &s, &err), &err);
    must(ls_storage_put_file(s, file, ls_db_snapshot_path(snap), false, &stored, &err), &err);
    assert_int_equal(stored.size, file->size);
    assert_int_equal(stored.created_ms, file->created_ms);
    image_apply(&im, s, file);
    ls_storage_free(s);
    return im;
}

static void assert_exact(const fixture *f, const ls_db_snapshot *snap, const ls_ltx_info *file) {
    assert_int_equal(file->level, LS_LTX_LEVEL_SNAPSHOT);
    assert_int_equal(file->min_txid, 1);
    assert_int_equal(file->max_txid, ls_db_snapshot_txid(snap));
    image want = chain_image(f, file->max_txid), got = snapshot_image(f, snap, file);
    assert_int_equal(got.page_size, want.page_size);
    assert_int_equal(got.size, want.size);
    uint32_t lock = ls_ltx_lock_pgno(want.page_size);
    for (size_t p = 0; p < want.size / want.page_size; p++) {
        if (p + 1 != lock && memcmp(got.data + p * want.page_size, want.data + p * want.page_size,
                                    want.page_size) != 0) {
            fail_msg("page %zu differs", p + 1);
        }
    }
    free(want.data);
    free(got.data);
}

typedef struct writing {
    ls_db_snapshot *snap;
    ls_cancel cancel;
    ls_ltx_info file;
    ls_code code;
    ls_err err;
    atomic_bool done;
} writing;

static void *write_snapshot(void *arg) {
    writing *w = arg;
    w->code = ls_db_snapshot_write(w->snap, &w->cancel, &w->file, &w->err);
    atomic_store(&w->done, true);
    return NULL;
}

/* Written in a thread, captures and our own checkpoints going on in this one. */
static void write_beside_captures(fixture *f, writing *w) {
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_snapshot, w), 0);
    while (!atomic_load(&w->done)) {
        sync_db(f);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void snapshot_is_exact(fixture *f) {
    writing w = {.snap = begin_snapshot(f)};
    write_beside_captures(f, &w);
    must(w.code, &w.err);
    assert_exact(f, w.snap, &w.file);
    ls_db_snapshot_free(w.snap);
}

/* ---- Stories ---- */

static void among_writers(fixture *f, int page_size, int pages, bool reader) {
    make_db(f, page_size, pages);
    begin_app(f);
    f->opts.min_checkpoint_page_n = 40;
    f->opts.truncate_page_n = 100000;
    f->opts.checkpoint_interval = LS_SEC / 20;
    if (reader) {
        other(f, read_for_ever);
    }
    other(f, write_rows);
    other(f, checkpoint_all_modes);
    open_db(f);
    sync_db(f);
    for (int i = 0; i < 4; i++) {
        snapshot_is_exact(f);
        sync_db(f);
    }
    stop_others(f);
    sync_db(f);
    snapshot_is_exact(f);
}

static void exact_512(void **state) { among_writers(*state, 512, 4000, false); }
static void exact_4096(void **state) { among_writers(*state, 4096, 3000, false); }
static void exact_65536(void **state) { among_writers(*state, 65536, 200, false); }
static void exact_with_a_reader_that_never_ends(void **state) {
    among_writers(*state, 4096, 2000, true);
}

/* S at mark 0: all is in the file when it begins. The log is restarted and cut by others and by us,
 * and its new frames stay where they are: nobody copies them. */
static void restarted_under_it(void **state) {
    fixture *f = *state;
    f->opts.min_checkpoint_page_n = 20;
    f->opts.truncate_page_n = -1;
    make_db(f, 4096, 300);
    open_db(f);
    sync_db(f);
    sync_db(f);
    sql(f->app, "PRAGMA wal_checkpoint(PASSIVE)");
    writing w = {.snap = begin_snapshot(f)};
    ls_txid at = ls_db_snapshot_txid(w.snap);
    f->db->opts.truncate_page_n = 30; /* as of now every checkpoint of ours cuts the log */
    for (int i = 0; i < 8; i++) {
        sql(f->app, "UPDATE t SET v = randomblob(length(v)) WHERE id < 10");
        sync_db(f);
        sqlite3_busy_timeout(f->app, 1);
        sql(f->app, i % 2 == 0 ? "PRAGMA wal_checkpoint(TRUNCATE)" : "PRAGMA wal_checkpoint(FULL)");
        sync_db(f);
    }
    assert_true(ls_db_txid(f->db) >= at + 8);
    write_beside_captures(f, &w);
    must(w.code, &w.err);
    assert_int_equal(w.file.max_txid, at);
    assert_exact(f, w.snap, &w.file);
    ls_db_snapshot_free(w.snap);
    /* Nothing keeps the log any more. */
    sync_db(f);
    sync_db(f);
    snapshot_is_exact(f);
}

/* SQLite before 3.50.4 commits frames whose checksums do not follow (test_db.c says how). What the
 * full file behind them copied into the database is read there, later commits from the log. */
static void behind_frames_without_checksums(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 1024);
    sql(f->app, "INSERT INTO t(v) WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c "
                "WHERE i < 400) SELECT zeroblob(400) FROM c");
    open_db(f);
    sync_db(f);
    for (int i = 0; i < 10; i++) {
        sql(f->app,
            "PRAGMA cache_size=8; BEGIN; UPDATE t SET v = randomblob(400) WHERE id BETWEEN 127 "
            "AND 138; SAVEPOINT s; UPDATE t SET v = randomblob(400) WHERE id BETWEEN 296 AND 364;"
            "UPDATE t SET v = randomblob(400) WHERE id BETWEEN 348 AND 400; ROLLBACK TO s;"
            "RELEASE s; COMMIT");
        if (i % 2 == 1) {
            sync_db(f);
            add_rows(f->app, 3);
        }
        snapshot_is_exact(f);
    }
}

/* A frame of the moment is rewritten in the log by a later transaction of the same page. */
static void later_frames_are_left_out(void **state) {
    fixture *f = *state;
    make_db(f, 4096, 300);
    open_db(f);
    sync_db(f);
    sql(f->app, "UPDATE t SET v = randomblob(600) WHERE id < 50");
    writing w = {.snap = begin_snapshot(f)};
    sql(f->app, "UPDATE t SET v = randomblob(600); DELETE FROM t WHERE id > 250; VACUUM");
    sync_db(f);
    write_beside_captures(f, &w);
    must(w.code, &w.err);
    assert_exact(f, w.snap, &w.file);
    ls_db_snapshot_free(w.snap);
}

static void gives_up_when_the_log_grows(void **state) {
    fixture *f = *state;
    f->opts.truncate_page_n = 500;
    make_db(f, 4096, 400);
    open_db(f);
    sync_db(f);
    writing w = {.snap = begin_snapshot(f)};
    for (int i = 0; i < 4; i++) {
        sql(f->app, "UPDATE t SET v = randomblob(length(v))");
        sync_db(f);
    }
    write_beside_captures(f, &w);
    assert_int_equal(w.code, LS_ELIMIT);
    assert_non_null(strstr(w.err.msg, "the log grew to"));
    assert_non_null(strstr(ls_err_hint(&w.err), "truncate-page-n"));
    assert_null(ls_db_snapshot_path(w.snap));
    ls_db_snapshot_free(w.snap);
    /* Nothing keeps the log from being cut any more. */
    struct stat st = {.st_size = INT64_MAX};
    for (int i = 0; i < 500 && st.st_size > ls_db_log_limit(f->db); i++) {
        nap(10000);
        sync_db(f);
        assert_int_equal(fstat(f->db->wal_fd, &st), 0);
    }
    snapshot_is_exact(f);
}

/* ---- Ends that are none ---- */

static void closed_under_it(void **state) {
    fixture *f = *state;
    make_db(f, 4096, 3000);
    open_db(f);
    sync_db(f);
    /* Before it is written. */
    writing w = {.snap = begin_snapshot(f)};
    ls_db_close(f->db);
    write_beside_captures(f, &w);
    assert_int_equal(w.code, LS_EBUSY);
    ls_db_snapshot_free(w.snap);
    /* While it is. The close waits; what comes first is left to chance. */
    for (int i = 0; i < 10; i++) {
        sync_db(f);
        writing v = {.snap = begin_snapshot(f)};
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, write_snapshot, &v), 0);
        nap(i * 800);
        ls_db_close(f->db);
        assert_int_equal(pthread_join(thread, NULL), 0);
        if (v.code == LS_OK) {
            assert_exact(f, v.snap, &v.file);
        } else {
            assert_int_equal(v.code, LS_EBUSY);
            assert_null(ls_db_snapshot_path(v.snap));
        }
        ls_db_snapshot_free(v.snap);
    }
    sync_db(f);
    snapshot_is_exact(f);
}

static void canceled(void **state) {
    fixture *f = *state;
    make_db(f, 4096, 300);
    open_db(f);
    sync_db(f);
    writing w = {.snap = begin_snapshot(f)};
    ls_cancel_set(&w.cancel);
    write_beside_captures(f, &w);
    assert_int_equal(w.code, LS_ECANCELED);
    ls_db_snapshot_free(w.snap);
    snapshot_is_exact(f);
}

static void one_at_a_time_and_not_too_early(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_db_snapshot *other_one = NULL;
    make_db(f, 4096, 30);
    open_db(f);
    assert_int_equal(ls_db_snapshot_begin(f->db, &other_one, &err), LS_ENOTREADY);
    ls_err_clear(&err);
    sync_db(f);
    ls_db_snapshot *snap = begin_snapshot(f);
    assert_int_equal(ls_db_snapshot_begin(f->db, &other_one, &err), LS_EBUSY);
    ls_db_snapshot_free(snap);
    /* Freed without being written it holds nothing. */
    sql(f->app, "UPDATE t SET v = randomblob(600)");
    sync_db(f);
    snapshot_is_exact(f);
}

/* The file goes with the object, and what a crash leaves of one at the next start. */
static void nothing_is_left(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    make_db(f, 4096, 30);
    open_db(f);
    sync_db(f);
    ls_db_snapshot *snap = begin_snapshot(f);
    ls_ltx_info file;
    must(ls_db_snapshot_write(snap, NULL, &file, &err), &err);
    char *path = strdup(ls_db_snapshot_path(snap));
    assert_int_equal(access(path, F_OK), 0);
    ls_db_snapshot_free(snap);
    assert_int_equal(access(path, F_OK), -1);
    FILE *left = fopen(path, "w");
    assert_non_null(left);
    (void)fclose(left);
    ls_db_free(f->db);
    open_db(f);
    assert_int_equal(access(path, F_OK), -1);
    free(path);
}

/* No room: the file's size is limited, which is the same to the writer. */
static void disk_full(void **state) {
    fixture *f = *state;
    make_db(f, 4096, 1000);
    open_db(f);
    sync_db(f);
    writing w = {.snap = begin_snapshot(f)};
    struct rlimit before, little = {.rlim_cur = 1 << 20};
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little.rlim_max = before.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    w.code = ls_db_snapshot_write(w.snap, NULL, &w.file, &w.err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_not_equal(w.code, LS_OK);
    assert_null(ls_db_snapshot_path(w.snap));
    ls_db_snapshot_free(w.snap);
    sync_db(f);
    snapshot_is_exact(f);
}

/* Each allocation fails once: an error, and the next try gets on. */
static void memory_runs_out(void **state) {
    fixture *f = *state;
    ls_code code = LS_ENOMEM;
    make_db(f, 4096, 50);
    open_db(f);
    sync_db(f);
    for (int n = 1; code != LS_OK; n++) {
        ls_err err = LS_ERR_INIT;
        ls_db_snapshot *snap = NULL;
        ls_ltx_info file;
        add_rows(f->app, 1);
        heap.calls = 0;
        heap.fail_at = n;
        heap.armed = true;
        code = ls_db_snapshot_begin(f->db, &snap, &err);
        if (code == LS_OK) {
            code = ls_db_snapshot_write(snap, NULL, &file, &err);
        }
        heap.armed = false;
        assert_true(code == LS_OK || code == LS_ENOMEM);
        assert_true(n < 1000);
        if (code == LS_OK) {
            assert_true(n > 10);
            assert_exact(f, snap, &file);
        }
        ls_db_snapshot_free(snap);
        sync_db(f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(exact_512, setup, teardown),
        cmocka_unit_test_setup_teardown(exact_4096, setup, teardown),
        cmocka_unit_test_setup_teardown(exact_65536, setup, teardown),
        cmocka_unit_test_setup_teardown(exact_with_a_reader_that_never_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(restarted_under_it, setup, teardown),
        cmocka_unit_test_setup_teardown(behind_frames_without_checksums, setup, teardown),
        cmocka_unit_test_setup_teardown(later_frames_are_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_up_when_the_log_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(closed_under_it, setup, teardown),
        cmocka_unit_test_setup_teardown(canceled, setup, teardown),
        cmocka_unit_test_setup_teardown(one_at_a_time_and_not_too_early, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_left, setup, teardown),
        cmocka_unit_test_setup_teardown(disk_full, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_runs_out, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
