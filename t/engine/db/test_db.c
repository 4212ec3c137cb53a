/*
 * Capture and checkpoints against real SQLite: after each story the pages that the level-0 files
 * hold together are, byte for byte, what SQLite sees in the database; and the log says whether the
 * chain went on or a full file was needed.
 */
#include "engine/litestream.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "t/support/dbkit.h"

typedef struct fixture {
    char dir[64];
    char path[96];
    char log_path[96];
    ls_log log;
    ls_db_opts opts;
    ls_db *db;
    sqlite3 *app;
} fixture;

static int64_t fake_mono;
static int64_t mono_of(const ls_clock *c) {
    (void)c;
    return fake_mono;
}
static int64_t wall_of(const ls_clock *c) {
    (void)c;
    return ls_wall_ms(&ls_clock_system);
}
static const ls_clock fake_clock = {.wall_ms = wall_of, .mono_ns = mono_of};

/* ---- Handles that SQLite cannot open ---- */

static bool no_more_handles;

int __real_sqlite3_open_v2(const char *name, sqlite3 **out, int flags, const char *vfs);
int __wrap_sqlite3_open_v2(const char *name, sqlite3 **out, int flags, const char *vfs);
int __wrap_sqlite3_open_v2(const char *name, sqlite3 **out, int flags, const char *vfs) {
    if (no_more_handles) {
        *out = NULL;
        return SQLITE_CANTOPEN;
    }
    return __real_sqlite3_open_v2(name, out, flags, vfs);
}

/* ---- helpers ---- */

static void app_start(fixture *f, const char *setup) {
    f->app = app_open(f->path);
    sql(f->app, setup);
    sql(f->app, "PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0;"
                "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)");
}

static void app_stop(fixture *f) {
    assert_int_equal(sqlite3_close(f->app), SQLITE_OK);
    f->app = NULL;
}

static void rows(fixture *f, int n) { add_rows(f->app, n); }

static void db_start(fixture *f) {
    ls_err err = LS_ERR_INIT;
    must(ls_db_new(&f->opts, &f->db, &err), &err);
}

static void db_stop(fixture *f) {
    ls_db_free(f->db);
    f->db = NULL;
}

static ls_db_sync_result sync_once(fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_db_sync_result r;
    must(ls_db_sync(f->db, &r, &err), &err);
    return r;
}

/* Also past the wait for a database that was replaced. */
static ls_db_sync_result sync_all(fixture *f) {
    ls_db_sync_result r;
    do {
        r = sync_once(f);
        fake_mono += r.settling ? 100 * LS_MS : 0;
    } while (r.more || r.bumped || r.settling);
    return r;
}

/* How often the log says text. */
static int logged(const fixture *f, const char *text) { return count_in(f->log_path, text); }

static int fulls(fixture *f) { return logged(f, "msg=\"full snapshot\""); }

static int setup(void **state) {
    fixture *f = calloc(1, sizeof(*f));
    (void)snprintf(f->dir, sizeof(f->dir), "%s", "/tmp/ls-test-db-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->path, sizeof(f->path), "%s/a.db", f->dir);
    (void)snprintf(f->log_path, sizeof(f->log_path), "%s/log", f->dir);
    f->log = LS_LOG_DEFAULT;
    f->log.fd = open(f->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    f->opts = ls_db_opts_default(f->path);
    f->opts.log = &f->log;
    fake_mono = 1;
    no_more_handles = false;
    f->opts.clock = &fake_clock;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_db_free(f->db);
    sqlite3_close(f->app);
    close(f->log.fd);
    ls_err err = LS_ERR_INIT;
    (void)!ls_remove_tree(f->dir, &err);
    free(f);
    return 0;
}

/* The level-0 files from a TXID on, which holds every page, are what SQLite sees. */
static void check_image(fixture *f, ls_txid from) {
    ls_err err = LS_ERR_INIT;
    ls_storage *s = NULL;
    must(ls_storage_open_file(ls_db_meta_path(f->db), NULL, &s, &err), &err);
    image im = {0};
    image_go_on(&im, s, from);
    assert_int_equal(im.txid, ls_db_txid(f->db));
    uint32_t pgno = image_differs(&im, f->path);
    if (pgno != 0) {
        fail_msg("page %u differs", pgno);
    }
    free(im.data);
    ls_storage_free(s);
}

/* ---- stories ---- */

static void first_file_is_full_then_increments(void **state) {
    fixture *f = *state;
    app_start(f, "");
    rows(f, 10);
    db_start(f);
    ls_db_sync_result r = sync_all(f);
    assert_int_equal(r.txid, 1);
    check_image(f, 1);
    r = sync_once(f);
    assert_int_equal(r.files, 0);
    assert_int_equal(r.txid, 1);
    for (int i = 0; i < 20; i++) {
        rows(f, 1);
        r = sync_once(f);
        assert_int_equal(r.files, 1);
        assert_int_equal(r.txid, 2 + i);
        check_image(f, 1);
    }
    assert_int_equal(fulls(f), 1);
}

static void every_page_size(void **state) {
    fixture *f = *state;
    for (int size = 512; size <= 65536; size *= 2) {
        (void)snprintf(f->path, sizeof(f->path), "%s/ps%d.db", f->dir, size);
        char pragma[64];
        (void)snprintf(pragma, sizeof(pragma), "PRAGMA page_size=%d", size);
        app_start(f, pragma);
        f->opts.path = f->path;
        db_start(f);
        sync_all(f);
        rows(f, 50);
        sync_all(f);
        sql(f->app, "DELETE FROM t WHERE id % 2");
        sync_all(f);
        check_image(f, 1);
        db_stop(f);
        app_stop(f);
    }
}

static void missing_and_empty_files_are_waited_for(void **state) {
    fixture *f = *state;
    db_start(f);
    assert_true(sync_once(f).missing);
    int fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0640);
    assert_true(sync_once(f).missing);
    assert_int_equal(logged(f, "waiting for it"), 1);
    close(fd);
    app_start(f, "PRAGMA page_size=1024");
    assert_int_equal(sync_all(f).txid, 1);
    check_image(f, 1);
    struct stat st;
    char *path = ls_db_ltx_path(f->db, 0, 1, 1);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    free(path);
}

static void not_a_database_is_refused(void **state) {
    fixture *f = *state;
    int fd = open(f->path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    assert_int_equal(write(fd, "this is not a database at all", 29), 29);
    close(fd);
    db_start(f);
    ls_err err = LS_ERR_INIT;
    ls_db_sync_result r;
    assert_int_equal(ls_db_sync(f->db, &r, &err), LS_ENOTDB);
    assert_non_null(strstr(err.msg, "a.db: not an SQLite database"));
    unlink(f->path);
    app_start(f, "");
    assert_int_equal(sync_all(f).txid, 1);
    check_image(f, 1);
}

static void uncommitted_frames_never_leave(void **state) {
    fixture *f = *state;
    app_start(f, "PRAGMA cache_size=5");
    rows(f, 5);
    db_start(f);
    sync_all(f);
    sql(f->app, "PRAGMA cache_spill=1; BEGIN");
    rows(f, 200);
    struct stat st;
    assert_int_equal(stat(ls_db_wal_path(f->db), &st), 0);
    assert_true(st.st_size > 50 * 4096);
    assert_int_equal(sync_once(f).files, 0);
    sql(f->app, "ROLLBACK");
    assert_int_equal(sync_once(f).files, 0);
    check_image(f, 1);
    rows(f, 1);
    assert_int_equal(sync_once(f).files, 1);
    check_image(f, 1);
}

static void checkpoints_of_others_do_not_break_the_chain(void **state) {
    fixture *f = *state;
    static const char *const modes[] = {"PASSIVE", "FULL", "RESTART", "TRUNCATE"};
    app_start(f, "PRAGMA busy_timeout=10");
    db_start(f);
    sync_all(f);
    for (int round = 0; round < 40; round++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "PRAGMA wal_checkpoint(%s)", modes[round % 4]);
        rows(f, 1 + round % 3);
        (void)sqlite3_exec(f->app, text, NULL, NULL, NULL);
        rows(f, 1 + round % 5);
        sync_all(f);
        (void)sqlite3_exec(f->app, text, NULL, NULL, NULL);
        check_image(f, 1);
    }
    assert_int_equal(fulls(f), 1);
}

static void page_threshold_restarts_the_log(void **state) {
    fixture *f = *state;
    f->opts.min_checkpoint_page_n = 20;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    struct stat st;
    for (int i = 0; i < 60; i++) {
        rows(f, 10);
        fake_mono += 2000000000LL;
        sync_all(f);
        check_image(f, 1);
        assert_int_equal(stat(ls_db_wal_path(f->db), &st), 0);
        assert_true(st.st_size < 150 * 4120);
    }
    assert_int_equal(fulls(f), 1);
    assert_int_equal(logged(f, "level=ERROR"), 0);
}

/* A writer that takes the write lock the moment it is free, half of the time. */
typedef struct rival {
    const char *path;
    _Atomic bool stop;
} rival;

static int at_once(void *arg, int tries) {
    (void)arg;
    (void)tries;
    return 1;
}

static void *rival_run(void *arg) {
    rival *r = arg;
    sqlite3 *h = app_open(r->path);
    sqlite3_busy_handler(h, at_once, NULL);
    const struct timespec pause = {.tv_nsec = 1000000};
    while (!r->stop) {
        sql(h, "BEGIN IMMEDIATE; INSERT INTO t(v) VALUES ('x')");
        nanosleep(&pause, NULL);
        sql(h, "COMMIT");
        nanosleep(&pause, NULL);
    }
    sqlite3_close(h);
    return NULL;
}

/* Trap 28: the checkpoint succeeds, and then a writer has the lock that the bump needs. */
static void bump_meets_a_lock(void **state) {
    fixture *f = *state;
    f->log.level = LS_DEBUG;
    f->opts.busy_timeout = 0;
    f->opts.min_checkpoint_page_n = 10;
    app_start(f, "PRAGMA synchronous=OFF");
    db_start(f);
    sync_all(f);
    rival r = {.path = f->path};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, rival_run, &r), 0);
    time_t end = time(NULL) + 20;
    while (time(NULL) < end && logged(f, "bump litestream seq: database is locked") == 0) {
        fake_mono += LS_SEC;
        sync_all(f);
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
    r.stop = true;
    pthread_join(thread, NULL);
    sync_all(f);
    check_image(f, 1);
    assert_int_not_equal(logged(f, "bump litestream seq: database is locked"), 0);
    assert_int_equal(logged(f, "level=ERROR"), 0);
    assert_int_equal(fulls(f), 1);
}

/* One file for what was committed, checkpoint or not; the bump comes with the next. */
static void a_checkpoint_adds_no_file(void **state) {
    fixture *f = *state;
    f->opts.min_checkpoint_page_n = 20;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    int restarts = 0;
    for (int i = 0; i < 30; i++) {
        rows(f, 12);
        fake_mono += 2000000000LL;
        ls_db_sync_result r = sync_once(f);
        assert_int_equal(r.files, 1);
        assert_false(r.more);
        restarts += r.bumped;
    }
    assert_true(restarts >= 10);
    (void)sync_all(f);
    check_image(f, 1);
    assert_int_equal(sync_once(f).files, 0);
    assert_int_equal(fulls(f), 1);
}

/* A database that nobody writes to needs the handle that holds its log, and no other. */
static void handles_are_closed_at_rest(void **state) {
    fixture *f = *state;
    f->opts.min_checkpoint_page_n = 20;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    for (int i = 0; i < 3; i++) {
        sqlite3_int64 rest = sqlite3_memory_used();
        rows(f, 30);
        fake_mono += 2000000000LL;
        assert_int_equal(sync_once(f).files, 1);
        assert_true(sqlite3_memory_used() > rest + 40000);
        sync_all(f);
        assert_int_equal(sync_once(f).files, 0);
        assert_true(sqlite3_memory_used() < rest + 10000);
        check_image(f, 1);
    }
    assert_int_equal(fulls(f), 1);
}

/* Only our own frame in the log since the checkpoint: no checkpoint by time. */
static void own_bump_is_no_change(void **state) {
    fixture *f = *state;
    f->log.level = LS_DEBUG;
    f->opts.min_checkpoint_page_n = 20;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    rows(f, 30);
    fake_mono += 2000000000LL;
    sync_all(f);
    assert_int_equal(logged(f, "restarted=true"), 1);
    for (int i = 0; i < 3; i++) {
        fake_mono += 61 * 1000000000LL;
        assert_int_equal(sync_once(f).files, 0);
    }
    assert_int_equal(logged(f, "msg=checkpoint"), 1);
    rows(f, 1);
    sync_all(f);
    fake_mono += 61 * 1000000000LL;
    sync_all(f);
    assert_int_equal(logged(f, "msg=checkpoint"), 2);
    check_image(f, 1);
}

/* Longer than one capture takes: pieces first, then the checkpoint. */
static void long_log_is_captured_before_its_checkpoint(void **state) {
    fixture *f = *state;
    f->log.level = LS_DEBUG;
    f->opts.min_checkpoint_page_n = 20;
    f->opts.max_sync_wal_bytes = 100 << 10;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    rows(f, 200);
    fake_mono += 2000000000LL;
    assert_true(sync_once(f).more);
    assert_int_equal(logged(f, "msg=checkpoint"), 0);
    sync_all(f);
    assert_int_equal(logged(f, "restarted=true"), 1);
    check_image(f, 1);
    sql(f->app, "INSERT INTO t(v) VALUES(randomblob(400000))");
    fake_mono += 2000000000LL;
    sync_all(f);
    assert_int_equal(logged(f, "restarted=true"), 2);
    check_image(f, 1);
    assert_int_equal(fulls(f), 1);
}

/* The handle that only a checkpoint needs cannot be had: capture goes on without checkpoints. */
static void no_checkpoint_is_no_reason_not_to_capture(void **state) {
    fixture *f = *state;
    f->opts.min_checkpoint_page_n = 20;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    no_more_handles = true;
    for (ls_txid txid = 2; txid <= 4; txid++) {
        ls_err err = LS_ERR_INIT;
        ls_db_sync_result r;
        rows(f, 30);
        fake_mono += 2000000000LL;
        assert_int_equal(ls_db_sync(f->db, &r, &err), LS_EPERM);
        assert_int_equal(ls_db_txid(f->db), txid);
        check_image(f, 1);
    }
    no_more_handles = false;
    fake_mono += 2000000000LL;
    assert_true(sync_once(f).bumped);
    (void)sync_all(f);
    check_image(f, 1);
    assert_int_equal(fulls(f), 1);
}

static void overdue_is_more_than_a_constant(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    bool overdue = true;
    app_start(f, "");
    db_start(f);
    must(ls_db_overdue(f->db, &overdue, &err), &err);
    assert_false(overdue);
    sync_all(f);
    sql(f->app, "INSERT INTO t(v) VALUES(zeroblob(15000000))");
    must(ls_db_overdue(f->db, &overdue, &err), &err);
    assert_false(overdue);
    sql(f->app, "INSERT INTO t(v) VALUES(zeroblob(2000000))");
    must(ls_db_overdue(f->db, &overdue, &err), &err);
    assert_true(overdue);
    sync_all(f);
    must(ls_db_overdue(f->db, &overdue, &err), &err);
    assert_false(overdue);
    check_image(f, 1);
}

static void reader_of_the_application_holds_the_log(void **state) {
    fixture *f = *state;
    f->opts.min_checkpoint_page_n = 20;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    sqlite3 *reader = app_open(f->path);
    for (int i = 0; i < 30; i++) {
        if (i % 10 == 3) {
            sql(reader, "BEGIN; SELECT count(*) FROM t");
        } else if (i % 10 == 9) {
            sql(reader, "ROLLBACK");
        }
        rows(f, 10);
        fake_mono += 2000000000LL;
        sync_all(f);
        check_image(f, 1);
    }
    sqlite3_close(reader);
    assert_int_equal(fulls(f), 1);
}

static void big_log_file_is_truncated(void **state) {
    fixture *f = *state;
    f->opts.min_checkpoint_page_n = 1000000;
    f->opts.truncate_page_n = 100;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    for (int i = 0; i < 4; i++) {
        rows(f, 120);
        fake_mono += 2000000000LL;
        sync_all(f);
        struct stat st;
        assert_int_equal(stat(ls_db_wal_path(f->db), &st), 0);
        assert_true(st.st_size < 10 * 4120);
        check_image(f, 1);
    }
    assert_int_equal(fulls(f), 1);
    assert_int_equal(logged(f, "msg=\"forcing truncate checkpoint\""), 4);
}

static void time_checkpoints_only_after_a_change(void **state) {
    fixture *f = *state;
    f->log.level = LS_DEBUG;
    app_start(f, "");
    rows(f, 5);
    db_start(f);
    sync_all(f);
    assert_int_equal(logged(f, "msg=checkpoint"), 0);
    fake_mono += 61 * 1000000000LL;
    sync_all(f);
    assert_int_equal(logged(f, "msg=checkpoint"), 1);
    for (int i = 0; i < 5; i++) {
        fake_mono += 61 * 1000000000LL;
        sync_all(f);
    }
    assert_int_equal(logged(f, "msg=checkpoint"), 1);
    rows(f, 5);
    sync_all(f);
    fake_mono += 61 * 1000000000LL;
    sync_all(f);
    assert_int_equal(logged(f, "msg=checkpoint"), 2);
    check_image(f, 1);
    assert_int_equal(fulls(f), 1);
}

static void restart_continues_where_nothing_was_lost(void **state) {
    fixture *f = *state;
    app_start(f, "");
    db_start(f);
    for (int i = 0; i < 10; i++) {
        rows(f, 3);
        sync_all(f);
        db_stop(f);
        rows(f, i % 3);
        db_start(f);
        sync_all(f);
        check_image(f, 1);
    }
    assert_int_equal(fulls(f), 1);
}

static void copy_file(const char *from, const char *to) {
    ls_err err = LS_ERR_INIT;
    char *data;
    size_t len;
    must(ls_read_file(from, 64 << 20, &data, &len, &err), &err);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    must(ls_write_full(fd, data, len, to, &err), &err);
    close(fd);
    free(data);
}

/* Up to a checkpoint that has restarted the log, whose first commit is not captured yet. */
static void until_bumped(fixture *f) {
    bool bumped = false;
    for (int i = 0; i < 20 && !bumped; i++) {
        rows(f, 10);
        fake_mono += 2000000000LL;
        bumped = sync_once(f).bumped;
    }
    assert_true(bumped);
}

/* Behind a restart others find frames that may be copied, so that a checkpoint of theirs does not
 * sort the whole log to learn that it may not; they cannot restart or empty it. */
static void log_behind_a_restart_is_held(void **state) {
    fixture *f = *state;
    f->opts.min_checkpoint_page_n = 20;
    app_start(f, "PRAGMA busy_timeout=0");
    db_start(f);
    sync_all(f);
    for (int i = 0; i < 6; i++) {
        until_bumped(f);
        rows(f, 5);
        int frames = -1, copied = -1;
        int rc =
            sqlite3_wal_checkpoint_v2(f->app, NULL, SQLITE_CHECKPOINT_PASSIVE, &frames, &copied);
        assert_int_equal(rc, SQLITE_OK);
        assert_true(copied > 0 && copied < frames);
        for (int mode = SQLITE_CHECKPOINT_RESTART; mode <= SQLITE_CHECKPOINT_TRUNCATE; mode++) {
            rc = sqlite3_wal_checkpoint_v2(f->app, NULL, mode, NULL, NULL);
            assert_int_equal(rc, SQLITE_BUSY);
        }
        rows(f, i % 2);
        sync_all(f);
        check_image(f, 1);
    }
    assert_int_equal(fulls(f), 1);
    assert_int_equal(logged(f, "level=ERROR"), 0);
}

/* Killed between a checkpoint and the next capture: what followed is proved by the note. */
static void killed_behind_a_checkpoint(void **state) {
    fixture *f = *state;
    f->opts.min_checkpoint_page_n = 20;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    for (int i = 0; i < 6; i++) {
        until_bumped(f);
        db_stop(f);
        sql(f->app, "UPDATE t SET v = randomblob(700) WHERE id % 3 = 0");
        rows(f, i % 3);
        db_start(f);
        sync_all(f);
        check_image(f, 1);
    }
    assert_int_equal(fulls(f), 1);
}

static void note_path(fixture *f, char path[160]) {
    (void)snprintf(path, 160, "%s/.a.db-litestream/next-log", f->dir);
}

/* Each of these makes the note say nothing: a full file follows. */
static void change_behind_a_checkpoint(fixture *f, int how) {
    static const char *const modes[] = {"PRAGMA wal_checkpoint(TRUNCATE)",
                                        "PRAGMA wal_checkpoint(RESTART)",
                                        "PRAGMA wal_checkpoint(PASSIVE)"};
    char path[160];
    note_path(f, path);
    rows(f, 5);
    if (how < 3) {
        sql(f->app, modes[how]);
        rows(f, 1);
    } else if (how == 3) {
        assert_int_equal(truncate(path, 40), 0);
    } else if (how == 4) {
        assert_int_equal(unlink(path), 0);
    } else {
        char digit; /* of the log mark */
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_int_equal(pread(fd, &digit, 1, 30), 1);
        assert_int_equal(pwrite(fd, digit == 'f' ? "0" : "f", 1, 30), 1);
        close(fd);
    }
}

static void note_that_proves_nothing(void **state) {
    fixture *f = *state;
    f->opts.min_checkpoint_page_n = 20;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    for (int how = 0; how < 6; how++) {
        until_bumped(f);
        db_stop(f);
        change_behind_a_checkpoint(f, how);
        db_start(f);
        sync_all(f);
        check_image(f, 1);
        assert_int_equal(fulls(f), 2 + how);
    }
}

/* The database file alone is put back to an older copy, in place, and the log stays. */
static void older_file_under_a_noted_log(void **state) {
    fixture *f = *state;
    char old[160];
    (void)snprintf(old, sizeof(old), "%s.old", f->path);
    f->opts.min_checkpoint_page_n = 20;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    copy_file(f->path, old);
    until_bumped(f);
    db_stop(f);
    copy_file(old, f->path);
    db_start(f);
    sync_once(f);
    assert_int_equal(fulls(f), 2);
}

/* Traps 1 and 2, experiments G2 and K. */
static void log_restarted_while_stopped(void **state) {
    fixture *f = *state;
    static const char *const modes[] = {"PASSIVE", "FULL", "RESTART", "TRUNCATE"};
    app_start(f, "");
    rows(f, 40);
    db_start(f);
    sync_all(f);
    for (int i = 0; i < 12; i++) {
        rows(f, 2);
        sync_all(f);
        db_stop(f);
        sql(f->app, "UPDATE t SET v = randomblob(700) WHERE id % 3 = 0");
        char text[64];
        (void)snprintf(text, sizeof(text), "PRAGMA wal_checkpoint(%s)", modes[i % 4]);
        sql(f->app, text);
        if (i % 3 != 0) {
            rows(f, 1);
        }
        db_start(f);
        sync_all(f);
        check_image(f, 1);
    }
    assert_true(fulls(f) >= 9);
}

/* Experiment V. */
static void rolled_back_to_older_copies(void **state) {
    fixture *f = *state;
    char wal[128], old[128], old_wal[160];
    (void)snprintf(wal, sizeof(wal), "%s-wal", f->path);
    (void)snprintf(old, sizeof(old), "%s.old", f->path);
    (void)snprintf(old_wal, sizeof(old_wal), "%s-wal", old);
    app_start(f, "");
    rows(f, 20);
    db_start(f);
    sync_all(f);
    copy_file(f->path, old);
    copy_file(wal, old_wal);
    rows(f, 30);
    sync_all(f);
    app_stop(f);
    db_stop(f);
    copy_file(old, f->path);
    remove_log(f->path);
    copy_file(old_wal, wal);
    f->app = app_open(f->path);
    rows(f, 3);
    db_start(f);
    sync_all(f);
    check_image(f, 1);
    assert_int_equal(fulls(f), 2);
    rows(f, 3);
    sync_all(f);
    check_image(f, 1);
}

/* A power loss takes the log's last transactions, what is written again takes their places under
 * the same salts, and the last of it is the very page that the newest file holds. */
static void other_frames_before_equal_ones(void **state) {
    fixture *f = *state;
    char wal[128], shm[128], old[128], old_wal[160];
    (void)snprintf(wal, sizeof(wal), "%s-wal", f->path);
    (void)snprintf(shm, sizeof(shm), "%s-shm", f->path);
    (void)snprintf(old, sizeof(old), "%s.old", f->path);
    (void)snprintf(old_wal, sizeof(old_wal), "%s-wal", old);
    app_start(f, "CREATE TABLE flag(up)");
    sql(f->app, "INSERT INTO flag VALUES(0)");
    rows(f, 3);
    db_start(f);
    sync_all(f);
    copy_file(f->path, old);
    copy_file(wal, old_wal);
    sql(f->app, "UPDATE t SET v = randomblob(700) WHERE id = 1");
    sync_all(f);
    sql(f->app, "UPDATE flag SET up = 1");
    assert_int_equal(sync_all(f).txid, 3);
    app_stop(f);
    db_stop(f);
    copy_file(old, f->path);
    copy_file(old_wal, wal);
    unlink(shm);
    f->app = app_open(f->path);
    sql(f->app, "UPDATE t SET v = randomblob(700) WHERE id = 1");
    sql(f->app, "UPDATE flag SET up = 1");
    db_start(f);
    assert_int_equal(sync_all(f).txid, 4);
    check_image(f, 1);
    assert_int_equal(logged(f, "does not hold what the newest LTX file captured"), 1);
}

/* A power loss left the log's header and no commit behind it: there is nothing to wait for. */
static void log_without_a_commit(void **state) {
    fixture *f = *state;
    char wal[128], old_wal[160];
    (void)snprintf(wal, sizeof(wal), "%s-wal", f->path);
    (void)snprintf(old_wal, sizeof(old_wal), "%s.old-wal", f->path);
    app_start(f, "");
    for (int i = 0; i < 4; i++) {
        rows(f, 3);
        copy_file(wal, old_wal);
        app_stop(f);
        copy_file(old_wal, wal);
        assert_int_equal(truncate(wal, i % 2 == 0 ? 32 : 32 + 1000), 0);
        f->app = app_open(f->path);
        sql(f->app, "PRAGMA wal_autocheckpoint=0; SELECT count(*) FROM t");
        db_start(f);
        assert_int_equal(sync_all(f).files, 1);
        check_image(f, 1);
        rows(f, 3);
        sync_all(f);
        assert_int_equal(sync_once(f).files, 0);
        check_image(f, 1);
        sql(f->app, "PRAGMA wal_checkpoint(TRUNCATE)");
        rows(f, 3);
        sync_all(f);
        check_image(f, 1);
        db_stop(f);
    }
}

static void replaced_by_rename_while_running(void **state) {
    fixture *f = *state;
    app_start(f, "");
    rows(f, 20);
    db_start(f);
    sync_all(f);
    app_stop(f);
    char other[128];
    (void)snprintf(other, sizeof(other), "%s.new", f->path);
    sqlite3 *h = app_open(other);
    sql(h, "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB); INSERT INTO t(v) VALUES ('new')");
    sqlite3_close(h);
    remove_log(f->path);
    assert_int_equal(rename(other, f->path), 0);
    sync_all(f);
    check_image(f, 1);
    assert_int_equal(logged(f, "the database file was replaced"), 2);
    f->app = app_open(f->path);
    rows(f, 5);
    sync_all(f);
    check_image(f, 1);
    assert_int_equal(fulls(f), 2);
}

/* The log of the old file would be taken for the new one's: by SQLite, that is. */
/* The last page of a file that is being copied reads as zeros behind what is there of it. */
static void a_file_that_is_there_in_part(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_db_sync_result r;
    char *whole = ls_asprintf("%s/whole.db", f->dir), *data;
    size_t len;
    f->app = app_open(whole);
    sql(f->app, "CREATE TABLE t(v)");
    rows(f, 40);
    app_stop(f);
    must(ls_read_file(whole, 1 << 20, &data, &len, &err), &err);
    int fd = open(f->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, data, len - 1000), (ssize_t)len - 1000);
    db_start(f);
    assert_int_equal(ls_db_sync(f->db, &r, &err), LS_EBUSY);
    assert_non_null(strstr(err.msg, "shorter than it says"));
    assert_true(strlen(ls_err_hint(&err)) > 0);
    assert_int_equal(pwrite(fd, data + len - 1000, 1000, (off_t)len - 1000), 1000);
    close(fd);
    (void)sync_all(f);
    check_image(f, 1);
    free(data);
    free(whole);
}

/* Two objects with one file open would share SQLite's index of the log, which is that of the old
 * name: the one of the new name waits. */
static void renamed_while_open_and_opened_by_its_new_name(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_db_sync_result r;
    char *moved = ls_asprintf("%s/moved.db", f->dir);
    ls_db_opts opts = f->opts;
    ls_db *other;
    opts.path = moved;
    app_start(f, "");
    rows(f, 10);
    db_start(f);
    (void)sync_all(f);
    app_stop(f);
    assert_int_equal(rename(f->path, moved), 0);
    must(ls_db_new(&opts, &other, &err), &err);
    assert_int_equal(ls_db_sync(other, &r, &err), LS_EBUSY);
    assert_non_null(strstr(err.msg, "is open as"));
    assert_true(sync_once(f).missing);
    must(ls_db_sync(other, &r, &err), &err);
    assert_int_equal(r.txid, 1);
    ls_db_free(other);
    free(moved);
}

static void replaced_by_rename_with_the_log_left_behind(void **state) {
    fixture *f = *state;
    app_start(f, "");
    rows(f, 40);
    db_start(f);
    sync_all(f);
    rows(f, 5);
    app_stop(f);
    char *other = ls_asprintf("%s/other.db", f->dir);
    sqlite3 *h = app_open(other);
    sql(h, "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB); INSERT INTO t VALUES (1, 'new')");
    sqlite3_close(h);
    assert_int_equal(rename(other, f->path), 0);
    free(other);
    sync_all(f);
    check_image(f, 1);
    f->app = app_open(f->path);
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(f->app, "SELECT count(*), max(v) FROM t", -1, &s, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(s, 0), 1);
    assert_string_equal((const char *)sqlite3_column_text(s, 1), "new");
    sqlite3_finalize(s);
    rows(f, 2);
    sync_all(f);
    check_image(f, 1);
    sql(f->app, "PRAGMA integrity_check");
}

static int64_t app_int(fixture *f, const char *query) {
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_prepare_v2(f->app, query, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    return n;
}

/* First the file, then the log, then its index, and a sync whenever we are told of one. */
static void replaced_step_by_step(void **state) {
    fixture *f = *state;
    app_start(f, "");
    rows(f, 20);
    db_start(f);
    sync_all(f);
    app_stop(f);
    char *other = ls_asprintf("%s/other.db", f->dir), *log = ls_asprintf("%s-wal", f->path);
    sqlite3 *h = app_create(other, 4096);
    add_rows(h, 7);
    sqlite3_close(h);
    assert_int_equal(rename(other, f->path), 0);
    assert_true(sync_once(f).settling);
    unlink(log);
    fake_mono += 400 * LS_MS;
    ls_db_sync_result r = sync_once(f);
    assert_true(r.settling && r.pending);
    remove_log(f->path);
    fake_mono += 400 * LS_MS;
    assert_true(sync_once(f).settling);
    assert_int_equal(access(log, F_OK), -1);
    f->app = app_open(f->path);
    rows(f, 3);
    assert_true(sync_once(f).settling);
    fake_mono += 500 * LS_MS;
    r = sync_once(f);
    assert_int_equal(r.txid, 2);
    assert_int_equal(app_int(f, "SELECT count(*) FROM t"), 10);
    check_image(f, 2);
    rows(f, 3);
    sync_all(f);
    check_image(f, 2);
    assert_int_equal(app_int(f, "SELECT count(*) FROM pragma_integrity_check WHERE "
                                "integrity_check != 'ok'"),
                     0);
    assert_int_equal(logged(f, "database is opened again"), 1);
    free(other);
    free(log);
}

static void deleted_and_created_again(void **state) {
    fixture *f = *state;
    app_start(f, "");
    rows(f, 20);
    db_start(f);
    sync_all(f);
    app_stop(f);
    unlink(f->path);
    remove_log(f->path);
    assert_true(sync_once(f).missing);
    app_start(f, "");
    rows(f, 2);
    ls_db_sync_result r = sync_all(f);
    assert_int_equal(r.txid, 2);
    check_image(f, 2);
    rows(f, 2);
    sync_all(f);
    check_image(f, 1);
}

/* Experiment H: the log deleted under us while nobody else has the database open. */
static void log_deleted_while_running(void **state) {
    fixture *f = *state;
    app_start(f, "");
    rows(f, 20);
    db_start(f);
    sync_all(f);
    app_stop(f);
    unlink(ls_db_wal_path(f->db));
    sync_all(f);
    f->app = app_open(f->path);
    rows(f, 5);
    sync_all(f);
    check_image(f, 1);
    assert_int_equal(app_int(f, "SELECT count(*) FROM t"), 25);
}

/* Rule 7, experiment F. */
static void page_size_changed_while_stopped(void **state) {
    fixture *f = *state;
    app_start(f, "PRAGMA page_size=4096");
    rows(f, 20);
    db_start(f);
    sync_all(f);
    rows(f, 1);
    assert_int_equal(sync_all(f).txid, 2);
    db_stop(f);
    sql(f->app, "PRAGMA journal_mode=delete; PRAGMA page_size=8192; VACUUM;"
                "PRAGMA journal_mode=wal");
    db_start(f);
    assert_int_equal(sync_all(f).txid, 3);
    check_image(f, 3);
    ls_err err = LS_ERR_INIT;
    ls_ltx_summary sum;
    char *path = ls_db_ltx_path(f->db, 9, 1, 3);
    must(ls_ltx_verify_path(path, &sum, &err), &err);
    assert_int_equal(sum.header.page_size, 8192);
    assert_int_equal(sum.pages, sum.header.commit);
    free(path);
    rows(f, 10);
    sync_all(f);
    check_image(f, 3);
}

static void journal_mode_switched_away_and_back(void **state) {
    fixture *f = *state;
    app_start(f, "");
    rows(f, 20);
    db_start(f);
    sync_all(f);
    db_stop(f);
    sql(f->app, "PRAGMA journal_mode=delete; UPDATE t SET v = 'x'; PRAGMA journal_mode=wal");
    db_start(f);
    sync_all(f);
    check_image(f, 1);
    db_stop(f);
    sql(f->app, "PRAGMA journal_mode=delete; UPDATE t SET v = 'y'");
    db_start(f);
    sync_all(f);
    check_image(f, 1);
    assert_int_equal(fulls(f), 3);
}

static void vacuum_shrink_and_auto_vacuum(void **state) {
    fixture *f = *state;
    app_start(f, "PRAGMA auto_vacuum=2");
    rows(f, 200);
    db_start(f);
    sync_all(f);
    sql(f->app, "DELETE FROM t WHERE id > 50");
    sync_all(f);
    sql(f->app, "PRAGMA incremental_vacuum(40)");
    sync_all(f);
    check_image(f, 1);
    sql(f->app, "VACUUM");
    sync_all(f);
    check_image(f, 1);
    rows(f, 300);
    sql(f->app, "DELETE FROM t WHERE id % 3 = 0; VACUUM");
    sync_all(f);
    check_image(f, 1);
    assert_int_equal(fulls(f), 1);
}

static void bounded_capture_cuts_at_commits(void **state) {
    fixture *f = *state;
    f->opts.max_sync_wal_bytes = 64 * 1024;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    rows(f, 200);
    int passes = 0;
    ls_db_sync_result r;
    do {
        r = sync_once(f);
        passes++;
    } while (r.more || r.bumped);
    assert_true(passes > 5);
    check_image(f, 1);
    assert_int_equal(fulls(f), 1);
}

static void damaged_newest_file_is_put_aside(void **state) {
    fixture *f = *state;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    rows(f, 5);
    assert_int_equal(sync_all(f).txid, 2);
    char *path = ls_db_ltx_path(f->db, 0, 2, 2);
    db_stop(f);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, 1000), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, 1000), 1);
    close(fd);
    db_start(f);
    ls_db_sync_result r = sync_all(f);
    assert_int_equal(r.txid, 3);
    assert_int_equal(access(path, F_OK), -1);
    free(path);
    check_image(f, 3);
}

static void rebase_replaces_the_chain(void **state) {
    fixture *f = *state;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    rows(f, 5);
    sync_all(f);
    ls_err err = LS_ERR_INIT;
    must(ls_db_rebase(f->db, 100, "the replica is ahead", &err), &err);
    assert_int_equal(sync_all(f).txid, 101);
    check_image(f, 101);
    char *path = ls_db_ltx_path(f->db, 0, 1, 1);
    assert_int_equal(access(path, F_OK), -1);
    free(path);
    rows(f, 5);
    assert_int_equal(sync_all(f).txid, 102);
    check_image(f, 101);
}

static void meta_directory_removed_while_running(void **state) {
    fixture *f = *state;
    app_start(f, "");
    db_start(f);
    sync_all(f);
    ls_err err = LS_ERR_INIT;
    must(ls_remove_tree(ls_db_meta_path(f->db), &err), &err);
    rows(f, 5);
    assert_int_equal(sync_all(f).txid, 2);
    rows(f, 5);
    assert_int_equal(sync_all(f).txid, 3);
    assert_int_equal(fulls(f), 1);
}

/* What a process that was killed was writing: in the meta folder merges of compaction, which may be
 * as large as the database. */
static void leftovers_of_a_killed_process(void **state) {
    fixture *f = *state;
    static const char *const names[] = {"compact-aB3xYz.tmp", "ltx/0/0000000000000002-x.ltx.tmp"};
    app_start(f, "");
    db_start(f);
    sync_all(f);
    char *meta = strdup(ls_db_meta_path(f->db));
    db_stop(f);
    for (size_t i = 0; i < 2; i++) {
        char *path = ls_path_join(meta, names[i]);
        FILE *file = fopen(path, "we");
        assert_non_null(file);
        assert_int_equal(fclose(file), 0);
        free(path);
    }
    db_start(f);
    for (size_t i = 0; i < 2; i++) {
        struct stat st;
        char *path = ls_path_join(meta, names[i]);
        assert_int_equal(lstat(path, &st), -1);
        free(path);
    }
    free(meta);
    rows(f, 5);
    assert_int_equal(sync_all(f).txid, 2);
}

static void through_a_symbolic_link(void **state) {
    fixture *f = *state;
    app_start(f, "");
    char link_path[128];
    (void)snprintf(link_path, sizeof(link_path), "%s/link.db", f->dir);
    assert_int_equal(symlink(f->path, link_path), 0);
    f->opts.path = link_path;
    db_start(f);
    rows(f, 5);
    sync_all(f);
    rows(f, 5);
    sync_all(f);
    assert_non_null(strstr(ls_db_wal_path(f->db), "a.db-wal"));
    check_image(f, 1);
}

/* SQLite before 3.50.4: the first page of a transaction is written once, later ones twice, all of
 * it within a savepoint that is rolled back. What is committed then has no right checksums. */
static void break_the_log(sqlite3 *h) {
    sql(h, "PRAGMA cache_size=8; BEGIN; UPDATE t SET v = randomblob(400) WHERE id BETWEEN 127 AND "
           "138; SAVEPOINT s");
    sql(h, "UPDATE t SET v = randomblob(400) WHERE id BETWEEN 296 AND 364");
    sql(h, "UPDATE t SET v = randomblob(400) WHERE id BETWEEN 348 AND 400");
    sql(h, "ROLLBACK TO s; RELEASE s; COMMIT");
}

static void frames_without_right_checksums(void **state) {
    fixture *f = *state;
    app_start(f, "PRAGMA page_size=1024; PRAGMA busy_timeout=10");
    sql(f->app, "INSERT INTO t(v) WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c "
                "WHERE i < 400) SELECT zeroblob(400) FROM c");
    db_start(f);
    sync_all(f);
    for (int i = 0; i < 30; i++) {
        break_the_log(f->app);
        if (i % 4 == 1) {
            (void)sqlite3_exec(f->app, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
        }
        if (i % 3 == 0) {
            rows(f, 1);
        }
        sync_all(f);
        check_image(f, 1);
    }
    bool fixed = sqlite3_libversion_number() >= 3050004;
    assert_int_equal(logged(f, "frames without right checksums") > 0, !fixed);
}

/* What SQLite would recover if everybody who is connected died now. */
static bool recovers(fixture *f) {
    char copy[128], wal[160], copy_wal[192];
    (void)snprintf(copy, sizeof(copy), "%s.copy", f->path);
    (void)snprintf(wal, sizeof(wal), "%s-wal", f->path);
    (void)snprintf(copy_wal, sizeof(copy_wal), "%s-wal", copy);
    copy_file(f->path, copy);
    copy_file(wal, copy_wal);
    sqlite3 *h = app_open(copy);
    sqlite3_int64 size = 0, want = 0;
    bool same = sqlite3_exec(h, "BEGIN; SELECT count(*) FROM t", NULL, NULL, NULL) == SQLITE_OK;
    unsigned char *have = same ? sqlite3_serialize(h, "main", &size, 0) : NULL;
    unsigned char *data = sqlite3_serialize(f->app, "main", &want, 0);
    same = have != NULL && data != NULL && size == want && memcmp(have, data, (size_t)size) == 0;
    sqlite3_free(have);
    sqlite3_free(data);
    sqlite3_close(h);
    return same;
}

/* A log that SQLite broke would be recovered to the place before, under a database file that has
 * later pages: as soon as it is captured nothing depends on it any more. */
static void broken_log_is_given_up(void **state) {
    fixture *f = *state;
    app_start(f, "PRAGMA page_size=1024");
    sql(f->app, "INSERT INTO t(v) WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c "
                "WHERE i < 400) SELECT zeroblob(400) FROM c");
    db_start(f);
    sync_all(f);
    for (int i = 0; i < 20; i++) {
        break_the_log(f->app);
        sync_all(f);
        assert_true(recovers(f));
        rows(f, 1);
        assert_true(recovers(f));
        sync_all(f);
        check_image(f, 1);
    }
}

/* A writer died between its commit frame and the index: for SQLite there was no commit, and the
 * next writer puts its frames in the same place. The descriptor stays open to the end: closing it
 * would drop SQLite's locks. */
static void commit_that_is_not_in_the_index(void **state) {
    fixture *f = *state;
    app_start(f, "");
    rows(f, 10);
    db_start(f);
    sync_all(f);
    char shm[128];
    (void)snprintf(shm, sizeof(shm), "%s-shm", f->path);
    int fd = open(shm, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    for (int i = 0; i < 5; i++) {
        uint8_t before[96];
        assert_int_equal(pread(fd, before, sizeof(before), 0), sizeof(before));
        sql(f->app, "UPDATE t SET v = 'never committed'");
        assert_int_equal(pwrite(fd, before, sizeof(before), 0), sizeof(before));
        assert_int_equal(sync_once(f).files, 0);
        check_image(f, 1);
        rows(f, 2);
        assert_int_equal(sync_once(f).files, 1);
        check_image(f, 1);
    }
    assert_int_equal(fulls(f), 1);
    db_stop(f);
    app_stop(f);
    close(fd);
}

static void open_transaction_is_not_read_again(void **state) {
    fixture *f = *state;
    app_start(f, "PRAGMA cache_size=5");
    db_start(f);
    sync_all(f);
    sql(f->app, "PRAGMA cache_spill=1; BEGIN");
    for (int i = 0; i < 5; i++) {
        rows(f, 100);
        assert_int_equal(sync_once(f).files, 0);
    }
    sql(f->app, "COMMIT");
    assert_int_equal(sync_once(f).files, 1);
    check_image(f, 1);
    assert_int_equal(fulls(f), 1);
}

static void options_are_checked(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_db *db;
    f->opts.min_checkpoint_page_n = 0;
    assert_int_equal(ls_db_new(&f->opts, &db, &err), LS_EINVALID);
    assert_string_equal(err.msg, "minimum checkpoint page count required");
    f->opts.path = "";
    assert_int_equal(ls_db_new(&f->opts, &db, &err), LS_EINVALID);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        T(first_file_is_full_then_increments),
        T(every_page_size),
        T(missing_and_empty_files_are_waited_for),
        T(not_a_database_is_refused),
        T(uncommitted_frames_never_leave),
        T(checkpoints_of_others_do_not_break_the_chain),
        T(page_threshold_restarts_the_log),
        T(bump_meets_a_lock),
        T(a_checkpoint_adds_no_file),
        T(handles_are_closed_at_rest),
        T(own_bump_is_no_change),
        T(long_log_is_captured_before_its_checkpoint),
        T(no_checkpoint_is_no_reason_not_to_capture),
        T(overdue_is_more_than_a_constant),
        T(reader_of_the_application_holds_the_log),
        T(big_log_file_is_truncated),
        T(time_checkpoints_only_after_a_change),
        T(restart_continues_where_nothing_was_lost),
        T(log_behind_a_restart_is_held),
        T(killed_behind_a_checkpoint),
        T(note_that_proves_nothing),
        T(older_file_under_a_noted_log),
        T(log_restarted_while_stopped),
        T(rolled_back_to_older_copies),
        T(other_frames_before_equal_ones),
        T(log_without_a_commit),
        T(replaced_by_rename_while_running),
        T(a_file_that_is_there_in_part),
        T(renamed_while_open_and_opened_by_its_new_name),
        T(replaced_by_rename_with_the_log_left_behind),
        T(replaced_step_by_step),
        T(deleted_and_created_again),
        T(log_deleted_while_running),
        T(page_size_changed_while_stopped),
        T(journal_mode_switched_away_and_back),
        T(vacuum_shrink_and_auto_vacuum),
        T(bounded_capture_cuts_at_commits),
        T(damaged_newest_file_is_put_aside),
        T(rebase_replaces_the_chain),
        T(meta_directory_removed_while_running),
        T(leftovers_of_a_killed_process),
        T(through_a_symbolic_link),
        T(frames_without_right_checksums),
        T(broken_log_is_given_up),
        T(commit_that_is_not_in_the_index),
        T(open_transaction_is_not_read_again),
        T(options_are_checked),
    };
    return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
