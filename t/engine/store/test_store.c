/*
 * The daemon in a thread, writing applications in others, and what arrives at the replica.
 *
 * Nothing is asserted on how long a thing took, but on what came before what and on how often.
 */
#include "engine/replica/compact.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "t/engine/store/kit.h"

/* ---- Watches that fail ---- */

static enum { WATCH_WELL, WATCH_FULL, WATCH_DEAF } watching;

int __real_uv_fs_event_start(uv_fs_event_t *h, uv_fs_event_cb cb, const char *path, unsigned flags);
int __wrap_uv_fs_event_start(uv_fs_event_t *h, uv_fs_event_cb cb, const char *path, unsigned flags);
int __wrap_uv_fs_event_start(uv_fs_event_t *h, uv_fs_event_cb cb, const char *path,
                             unsigned flags) {
    if (watching == WATCH_FULL) {
        return UV_ENOSPC;
    }
    return watching == WATCH_DEAF ? 0 : __real_uv_fs_event_start(h, cb, path, flags);
}

/* ---- A disk that is slow to sync; SQLite comes here too ---- */

static atomic_int sync_ms;

static void sync_nap(void) {
    if (atomic_load(&sync_ms) > 0) {
        nap(atomic_load(&sync_ms));
    }
}

int fdatasync(int fd) {
    sync_nap();
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd) {
    sync_nap();
    return (int)syscall(SYS_fsync, fd);
}

/* ---- Verbs ---- */

static int64_t now(void) { return ls_mono_ns(&ls_clock_system); }

static ls_txid uploaded(const fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_storage *s;
    ls_txid max = 0;
    ls_ltx_info l0;
    must(ls_storage_open_file(f->root, NULL, &s, &err), &err);
    must(ls_storage_newest(s, &max, &l0, &err), &err);
    ls_storage_free(s);
    return max;
}

static bool has_uploaded(fixture *f, const void *txid) {
    return uploaded(f) >= *(const ls_txid *)txid;
}
static bool file_has_grown(fixture *f, const void *size) {
    struct stat st;
    return stat(f->path, &st) == 0 && st.st_size >= *(const off_t *)size;
}

static const ls_txid first = 1;

static char *meta_of(const fixture *f) {
    char *meta = ls_db_default_meta_path(f->path);
    assert_non_null(meta);
    return meta;
}

static ls_txid captured(const fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_txid txid = 0;
    char *meta = meta_of(f);
    must(ls_db_local_txid(meta, &txid, &err), &err);
    free(meta);
    return txid;
}

static bool has_captured(fixture *f, const void *txid) {
    return captured(f) >= *(const ls_txid *)txid;
}

/* safety: how often the net under notices is drawn, 0: as ever. */
static void start_with(fixture *f, int64_t safety) {
    make(f);
    if (safety != 0) {
        f->store->safety_interval = safety;
    }
    begin(f);
}

static void start(fixture *f) { start_with(f, 0); }

static void end_well(fixture *f) {
    stop_well(f);
    drop_store(f);
}

/* At once: who writes there meanwhile finds nothing, not a part. */
static void remove_tree(const char *path) {
    ls_err err = LS_ERR_INIT;
    char *aside = ls_asprintf("%s.removed", path);
    assert_int_equal(rename(path, aside), 0);
    must(ls_remove_tree(aside, &err), &err);
    free(aside);
}

static int fulls(const fixture *f) { return logged(f, "msg=\"full snapshot\""); }

static int setup(void **state) {
    watching = WATCH_WELL;
    atomic_store(&sync_ms, 0);
    return kit_setup(state);
}

static int teardown(void **state) { return kit_teardown(state); }

/* ---- When jobs run ---- */

/* False if it has not ended by itself after 10 s. */
static bool stop_ends(fixture *f) {
    struct timespec t;
    ls_store_stop(f->store);
    (void)clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += 10;
    f->running = pthread_timedjoin_np(f->thread, NULL, &t) != 0;
    return !f->running;
}

/* A checkpoint at each page: our own commit is no reason for another one. */
static void one_page_of_log_and_then_there_is_rest(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    ls_db_config *c = the_db(f, 20 * LS_MS);
    c->min_checkpoint_page_n = c->truncate_page_n = 1;
    start(f);
    await(f, has_uploaded, &first);
    add_rows(f->app, 1);
    await(f, is_replicated, f->path);
    nap(300);
    ls_txid files = captured(f);
    nap(300);
    assert_int_equal(captured(f), files);
    assert_true(stop_ends(f));
    must(f->rc, &f->err);
    assert_true(replica_is_db(f->root, f->path));
}

/* Two commits around the moment of the safety poll, and then a long rest. */
static void commit_beside_the_safety_poll(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, 600 * LS_MS);
    int64_t begun = now();
    start_with(f, 1000 * LS_MS);
    await(f, is_replicated, f->path);
    for (int i = 0; i < 4; i++) {
        while ((now() - begun) / LS_MS % 2000 < 700) {
            nap(5);
        }
        add_rows(f->app, 1);
        while ((now() - begun) / LS_MS % 2000 < 1100) {
            nap(5);
        }
        add_rows(f->app, 1);
        while ((now() - begun) / LS_MS % 2000 > 700) {
            nap(5);
        }
    }
    nap(900);
    nap(900);
    end_well(f);
    assert_int_equal(logged(f, "msg=\"file-change notices do not arrive, polling instead\""), 0);
}

/* Also where there are no notices. */
static void much_log_does_not_wait_where_it_is_polled(void **state) {
    fixture *f = *state;
    const ls_txid two = 2;
    watching = WATCH_FULL;
    the_db(f, 5 * LS_MS)->replica.sync_interval = HOUR;
    f->app = app_create(f->path, 4096);
    sql(f->app, "CREATE TABLE big(v)");
    start(f);
    await(f, has_uploaded, &first);
    nap(100);
    for (int i = 0; i < 18; i++) {
        sql(f->app, "INSERT INTO big VALUES(randomblob(1000000))");
    }
    await(f, has_captured, &two);
    end_well(f);
    assert_true(replica_is_db(f->root, f->path));
    watching = WATCH_WELL;
}

/* Another database in its place is no commit: it does not wait for its turn. */
static void replaced_database_does_not_wait(void **state) {
    fixture *f = *state;
    the_db(f, 5 * LS_MS)->replica.sync_interval = HOUR;
    f->app = app_create(f->path, 4096);
    start(f);
    await(f, has_uploaded, &first);
    add_rows(f->app, 1);
    nap(50);
    sqlite3_close(f->app);
    char *other = ls_path_join(f->dir, "other.db");
    f->app = app_create(other, 4096);
    sqlite3_close(f->app);
    f->app = NULL;
    assert_int_equal(rename(other, f->path), 0);
    free(other);
    await(f, is_logged, "msg=\"database is opened again\"");
    end_well(f);
}

/* With intervals of an hour the first write is there at once, the second waits for its turn, which
 * the stop brings. */
static void first_write_goes_at_once_and_the_next_waits(void **state) {
    fixture *f = *state;
    the_db(f, HOUR);
    start(f);
    await(f, is_logged, "waiting for it");
    f->app = app_create(f->path, 4096);
    await(f, has_uploaded, &first);
    add_rows(f->app, 5);
    nap(200);
    assert_int_equal(uploaded(f), 1);
    end_well(f);
    assert_true(replica_is_db(f->root, f->path));
    assert_true(uploaded(f) >= 2);
}

/* A file is an upload: there are no more of them than sync-interval allows, however short
 * monitor-interval is. */
static void captures_wait_for_the_longer_interval(void **state) {
    fixture *f = *state;
    the_db(f, 5 * LS_MS)->replica.sync_interval = HOUR;
    f->app = app_create(f->path, 4096);
    start(f);
    await(f, has_uploaded, &first);
    for (int i = 0; i < 20; i++) {
        add_rows(f->app, 1);
        nap(10);
    }
    assert_int_equal(captured(f), 1);
    end_well(f);
    assert_true(uploaded(f) >= 2);
    assert_true(replica_is_db(f->root, f->path));
}

/* But a log that has grown by more than can wait is captured, and so can be checkpointed. */
static void much_log_does_not_wait(void **state) {
    fixture *f = *state;
    const ls_txid two = 2;
    const off_t size = LS_DB_OVERDUE_BYTES;
    the_db(f, 5 * LS_MS)->replica.sync_interval = HOUR;
    start(f);
    f->app = app_create(f->path, 4096);
    await(f, has_uploaded, &first);
    sql(f->app, "CREATE TABLE big(v)");
    for (int i = 0; i < 18; i++) {
        sql(f->app, "INSERT INTO big VALUES(randomblob(1000000))");
    }
    await(f, has_captured, &two);
    await(f, file_has_grown, &size);
    assert_int_equal(uploaded(f), 1);
    end_well(f);
    assert_true(replica_is_db(f->root, f->path));
}

static void what_is_there_at_the_start_is_uploaded(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    add_rows(f->app, 20);
    the_db(f, HOUR);
    start(f);
    await(f, is_replicated, f->path);
    end_well(f);
}

/* Bursts: no more files than intervals have begun, and one each for the first and the last. */
static void bursts_are_batched(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, 150 * LS_MS);
    int64_t begun = now();
    start(f);
    await(f, has_uploaded, &first);
    for (int i = 0; i < 300; i++) {
        add_rows(f->app, 1);
        nap(2);
    }
    end_well(f);
    int64_t elapsed = now() - begun;
    assert_true(replica_is_db(f->root, f->path));
    assert_true(uploaded(f) >= 3);
    assert_true((int64_t)uploaded(f) <= elapsed / (150 * LS_MS) + 2);
    assert_int_equal(logged(f, "msg=\"ltx file uploaded\""), uploaded(f));
}

/* Writes without a pause while checkpoints are due all the time; the log restarts restarts times at
 * least. No more files come to be than intervals have begun, and one beside the first that a
 * checkpoint's tail may add. */
static void write_steadily(fixture *f, int64_t interval, int64_t duration, int restarts) {
    int64_t begun = now();
    f->log.level = LS_DEBUG;
    start(f);
    await(f, has_uploaded, &first);
    while (now() - begun < duration) {
        add_rows(f->app, 1);
        nap(1);
    }
    ls_txid files = captured(f);
    int64_t elapsed = now() - begun;
    assert_true((int64_t)files <= elapsed / interval + 2);
    assert_true(files >= 3);
    assert_true(logged(f, "restarted=true") >= restarts);
    end_well(f);
    assert_true(replica_is_db(f->root, f->path));
    assert_int_equal(logged(f, "msg=\"ltx file uploaded\""), uploaded(f));
    assert_int_equal(fulls(f), 1);
}

static void steady_writing_with_checkpoints(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, LS_SEC)->min_checkpoint_page_n = 50;
    write_steadily(f, LS_SEC, 4 * LS_SEC, 1);
}

static void steady_writing_looked_at_often(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    ls_db_config *c = the_db(f, 5 * LS_MS);
    c->replica.sync_interval = 200 * LS_MS;
    c->min_checkpoint_page_n = 50;
    write_steadily(f, 200 * LS_MS, 3 * LS_SEC, 3);
}

/* What a checkpoint commits itself is captured in its turn, once, though nobody writes any more. */
static bool is_restarted(fixture *f, const void *arg) {
    (void)arg;
    return logged(f, "restarted=true") > 0;
}

static void own_bump_is_captured_and_then_there_is_rest(void **state) {
    fixture *f = *state;
    f->log.level = LS_DEBUG;
    f->app = app_create(f->path, 4096);
    the_db(f, 50 * LS_MS)->min_checkpoint_page_n = 20;
    start(f);
    await(f, has_uploaded, &first);
    add_rows(f->app, 100);
    await(f, is_restarted, NULL);
    await(f, is_replicated, f->path);
    nap(300);
    ls_txid files = captured(f);
    int checkpoints = logged(f, "msg=checkpoint");
    nap(300);
    assert_int_equal(captured(f), files);
    assert_int_equal(logged(f, "msg=checkpoint"), checkpoints);
    end_well(f);
    assert_int_equal(captured(f), files);
}

/* Every commit arrives although nothing else happens afterwards: no notice is forgotten while a
 * capture or an upload runs. */
static void lone_commits_all_arrive(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, 10 * LS_MS);
    start(f);
    for (int i = 0; i < 40; i++) {
        add_rows(f->app, 1);
        if (i % 4 == 0) {
            await(f, is_replicated, f->path);
        }
        nap(i % 13);
    }
    await(f, is_replicated, f->path);
    end_well(f);
}

/* Notices come while a transaction is still being written; its commit is not put off for that. */
static void notice_before_the_commit(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, HOUR);
    start(f);
    await(f, is_replicated, f->path);
    end_well(f);
    start(f);
    nap(50);
    sql(f->app, "PRAGMA cache_size=5; PRAGMA cache_spill=1; BEGIN");
    for (int i = 0; i < 20; i++) {
        add_rows(f->app, 10);
        nap(1);
    }
    sql(f->app, "COMMIT");
    await(f, is_replicated, f->path);
    end_well(f);
    assert_true(captured(f) >= 2);
}

/* The frames are written, the notice comes, the sync takes its time, and only then SQLite tells
 * that they are committed: by shared memory, without a notice. */
static void commit_behind_a_slow_sync(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, HOUR);
    start(f);
    await(f, is_replicated, f->path);
    end_well(f);
    start(f);
    nap(50);
    sql(f->app, "PRAGMA synchronous=FULL");
    atomic_store(&sync_ms, 400);
    add_rows(f->app, 1);
    atomic_store(&sync_ms, 0);
    await(f, is_replicated, f->path);
    end_well(f);
    assert_true(captured(f) >= 2);
}

static void no_watch_left_means_polling(void **state) {
    fixture *f = *state;
    watching = WATCH_FULL;
    f->app = app_create(f->path, 4096);
    the_db(f, 20 * LS_MS);
    start(f);
    for (int i = 0; i < 3; i++) {
        add_rows(f->app, 1);
        await(f, is_replicated, f->path);
    }
    end_well(f);
    assert_int_equal(logged(f, "level=WARN msg=\"cannot watch folder, polling instead\""), 1);
    assert_int_equal(logged(f, "reason=\"no space left on device\""), 1);
}

/* The system takes the watch and never tells: the safety poll finds what happened, and the second
 * time that it does the database is polled. */
static void notices_that_never_come(void **state) {
    fixture *f = *state;
    watching = WATCH_DEAF;
    f->app = app_create(f->path, 4096);
    the_db(f, 20 * LS_MS);
    start_with(f, 100 * LS_MS);
    await(f, is_replicated, f->path);
    nap(150);
    for (int i = 0; i < 3; i++) {
        add_rows(f->app, 1);
        await(f, is_replicated, f->path);
        nap(250);
    }
    end_well(f);
    assert_int_equal(logged(f, "msg=\"file-change notices do not arrive, polling instead\""), 1);
    watching = WATCH_WELL;
}

/* No alarm where they do come. */
static void notices_that_come(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, 20 * LS_MS)->checkpoint_interval = 30 * LS_MS;
    start_with(f, 20 * LS_MS);
    for (int i = 0; i < 40; i++) {
        add_rows(f->app, 1);
        nap(10);
    }
    await(f, is_replicated, f->path);
    nap(100);
    end_well(f);
    assert_int_equal(logged(f, "level=WARN"), 0);
}

static void idle_says_and_does_nothing(void **state) {
    fixture *f = *state;
    struct stat before, after;
    f->app = app_create(f->path, 4096);
    the_db(f, 20 * LS_MS);
    start(f);
    add_rows(f->app, 3);
    await(f, is_replicated, f->path);
    nap(300);
    ls_txid txid = captured(f);
    assert_int_equal(stat(f->log_path, &before), 0);
    nap(500);
    assert_int_equal(stat(f->log_path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(captured(f), txid);
    assert_int_equal(uploaded(f), txid);
    end_well(f);
    assert_int_equal(uploaded(f), txid);
    assert_int_equal(logged(f, "rror"), 0);
}

/* A checkpoint is due though nobody writes any more: pages get into the database file. */
static void checkpoint_when_idle(void **state) {
    fixture *f = *state;
    const off_t size = 30 * 4096;
    f->app = app_create(f->path, 4096);
    ls_db_config *c = the_db(f, 20 * LS_MS);
    c->checkpoint_interval = 200 * LS_MS;
    start(f);
    await(f, has_uploaded, &first);
    add_rows(f->app, 200);
    await(f, file_has_grown, &size);
    end_well(f);
    assert_true(replica_is_db(f->root, f->path));
}

/* One capture takes 64 KiB at most: the rest follows without waiting for the interval. */
static void long_logs_come_in_pieces(void **state) {
    fixture *f = *state;
    const ls_txid several = 4;
    ls_db_config *c = the_db(f, HOUR);
    c->max_sync_wal_bytes = 64 << 10;
    start(f);
    f->app = app_create(f->path, 4096);
    await(f, has_uploaded, &first);
    end_well(f);
    add_rows(f->app, 150);
    start(f);
    await(f, has_captured, &several);
    end_well(f);
    assert_true(replica_is_db(f->root, f->path));
}

static void not_monitored_is_left_alone(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, HOUR)->monitor_interval = 0;
    start(f);
    add_rows(f->app, 3);
    nap(200);
    end_well(f);
    assert_int_equal(captured(f), 0);
    assert_absent(f->root);
}

static void many_databases_in_one_folder(void **state) {
    fixture *f = *state;
    enum { N = 12 };
    char *paths[N], *roots[N];
    sqlite3 *apps[N];
    for (int i = 0; i < N; i++) {
        paths[i] = ls_asprintf("%s/%d.db", f->dir, i);
        roots[i] = ls_asprintf("%s/replica%d", f->dir, i);
        ls_db_config *c = add_db(f, paths[i], roots[i]);
        c->monitor_interval = c->replica.sync_interval = 20 * LS_MS;
        apps[i] = app_create(paths[i], 512 << (i % 8));
    }
    start(f);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < N; i++) {
            add_rows(apps[i], 1 + i % 3);
        }
    }
    for (int i = 0; i < N; i++) {
        f->root = (free(f->root), strdup(roots[i]));
        await(f, is_replicated, paths[i]);
    }
    end_well(f);
    for (int i = 0; i < N; i++) {
        assert_true(replica_is_db(roots[i], paths[i]));
        sqlite3_close(apps[i]);
        free(paths[i]);
        free(roots[i]);
    }
}

/* ---- Databases that come and go ---- */

static void folder_and_database_appear_later(void **state) {
    fixture *f = *state;
    char *dir = ls_path_join(f->dir, "later");
    free(f->path);
    f->path = ls_path_join(dir, "b.db");
    the_db(f, 30 * LS_MS);
    start(f);
    await(f, is_logged, "waiting for it");
    nap(100);
    assert_int_equal(mkdir(dir, 0755), 0);
    f->app = app_create(f->path, 4096);
    await(f, is_replicated, f->path);
    end_well(f);
    assert_int_equal(logged(f, "rror"), 0);
    free(dir);
}

static void remove_db(const fixture *f) {
    char *wal = ls_asprintf("%s-wal", f->path), *shm = ls_asprintf("%s-shm", f->path);
    (void)unlink(f->path);
    (void)unlink(wal);
    (void)unlink(shm);
    free(wal);
    free(shm);
}

static void database_removed_and_made_again(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    add_rows(f->app, 50);
    the_db(f, 30 * LS_MS);
    start(f);
    await(f, is_replicated, f->path);
    sqlite3_close(f->app);
    remove_db(f);
    nap(100);
    f->app = app_create(f->path, 4096);
    add_rows(f->app, 3);
    await(f, is_replicated, f->path);
    add_rows(f->app, 3);
    await(f, is_replicated, f->path);
    end_well(f);
}

static void folder_removed_and_made_again(void **state) {
    fixture *f = *state;
    char *dir = ls_path_join(f->dir, "d");
    free(f->path);
    f->path = ls_path_join(dir, "b.db");
    assert_int_equal(mkdir(dir, 0755), 0);
    f->app = app_create(f->path, 4096);
    the_db(f, 30 * LS_MS);
    start(f);
    await(f, is_replicated, f->path);
    sqlite3_close(f->app);
    remove_tree(dir);
    nap(100);
    assert_int_equal(mkdir(dir, 0755), 0);
    f->app = app_create(f->path, 4096);
    add_rows(f->app, 3);
    await(f, is_replicated, f->path);
    end_well(f);
    free(dir);
}

/* While a commit waits for its turn the folder is not watched: what happens to it then is seen. */
static void folder_replaced_while_a_commit_waits(void **state) {
    fixture *f = *state;
    char *dir = ls_path_join(f->dir, "d");
    free(f->path);
    f->path = ls_path_join(dir, "b.db");
    assert_int_equal(mkdir(dir, 0755), 0);
    f->app = app_create(f->path, 4096);
    the_db(f, 500 * LS_MS);
    start(f);
    await(f, is_replicated, f->path);
    add_rows(f->app, 1);
    await(f, is_replicated, f->path);
    add_rows(f->app, 1);
    nap(50);
    sqlite3_close(f->app);
    remove_tree(dir);
    nap(50);
    assert_int_equal(mkdir(dir, 0755), 0);
    f->app = app_create(f->path, 4096);
    add_rows(f->app, 3);
    await(f, is_replicated, f->path);
    add_rows(f->app, 1);
    await(f, is_replicated, f->path);
    end_well(f);
    free(dir);
}

/* The log of a database behind a symbolic link is beside the real file. */
static void through_a_symbolic_link(void **state) {
    fixture *f = *state;
    char *dir = ls_path_join(f->dir, "real"), *real = ls_path_join(dir, "r.db");
    assert_int_equal(mkdir(dir, 0755), 0);
    the_db(f, 5 * LS_MS);
    start(f);
    await(f, is_logged, "waiting for it");
    f->app = app_create(real, 4096);
    assert_int_equal(symlink(real, f->path), 0);
    await(f, has_uploaded, &first);
    for (int i = 0; i < 5; i++) {
        nap(20);
        add_rows(f->app, 2);
        await(f, is_replicated, real);
    }
    end_well(f);
    free(dir);
    free(real);
}

/* ---- Replicas in trouble ---- */

static void block_replica(const fixture *f) { put_file(f->root, "x", 1); }

static void replica_comes_back(void **state) {
    fixture *f = *state;
    const ls_txid three = 3;
    block_replica(f);
    f->app = app_create(f->path, 4096);
    the_db(f, 20 * LS_MS);
    start(f);
    await(f, is_logged, "msg=\"monitor error\"");
    while (captured(f) < three) {
        add_rows(f->app, 1);
        nap(30);
    }
    assert_int_equal(unlink(f->root), 0);
    await(f, is_replicated, f->path);
    end_well(f);
    assert_int_equal(logged(f, "msg=\"monitor error\""), 1);
    assert_int_equal(logged(f, "msg=\"replica sync recovered\""), 1);
    assert_int_equal(logged(f, "level=ERROR"), 1);
}

/* Files of the largest upload job so far. */
static ls_txid largest_upload(fixture *f) {
    ls_event *events = calloc(LS_EVENTS_KEPT, sizeof(*events));
    ls_err err = LS_ERR_INIT;
    ls_txid most = 0;
    size_t n = 0;
    assert_non_null(events);
    must(ls_store_events(f->store, 0, events, LS_EVENTS_KEPT, 0, &n, &err), &err);
    for (size_t i = 0; i < n; i++) {
        ls_txid files = events[i].max_txid + 1 - events[i].min_txid;
        if (events[i].kind == LS_EVENT_UPLOAD && files > most) {
            most = files;
        }
    }
    free(events);
    return most;
}

/* Of more than five files: the try that finds the replica again may have begun before the last. */
static void upload_backlog(fixture *f, int64_t max_files) {
    const ls_txid backlog = 15;
    block_replica(f);
    f->app = app_create(f->path, 4096);
    the_db(f, 20 * LS_MS)->replica.max_sync_ltx_files = max_files;
    start(f);
    await(f, is_logged, "msg=\"monitor error\"");
    while (captured(f) < backlog) {
        add_rows(f->app, 1);
        nap(30);
    }
    assert_int_equal(unlink(f->root), 0);
    await(f, is_replicated, f->path);
}

static void backlog_goes_in_pieces(void **state) {
    fixture *f = *state;
    upload_backlog(f, 2);
    assert_int_equal(largest_upload(f), 2);
    stop_well(f);
}

static void backlog_goes_at_once(void **state) {
    fixture *f = *state;
    upload_backlog(f, 0);
    assert_true(largest_upload(f) >= 5);
    stop_well(f);
}

static void replica_emptied_while_running(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, 20 * LS_MS);
    start(f);
    await(f, is_replicated, f->path);
    add_rows(f->app, 1);
    await(f, is_replicated, f->path);
    remove_tree(f->root);
    add_rows(f->app, 1);
    await(f, is_replicated, f->path);
    end_well(f);
    assert_int_equal(logged(f, "msg=\"replica is compared again\""), 1);
    assert_int_equal(logged(f, "level=ERROR"), 0);
    assert_int_equal(fulls(f), 1);
}

/* The local files are lost: the store is asked before the first capture, so that one full file is
 * written and not two. */
static void meta_directory_lost(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, 20 * LS_MS);
    start(f);
    await(f, is_replicated, f->path);
    end_well(f);
    ls_txid before = uploaded(f);
    char *meta = meta_of(f);
    remove_tree(meta);
    free(meta);
    add_rows(f->app, 2);
    start(f);
    await(f, is_replicated, f->path);
    end_well(f);
    assert_int_equal(fulls(f), 2);
    assert_true(uploaded(f) > before);
    assert_int_equal(logged(f, "rror"), 0);
}

static void other_writer_stops_uploads_loudly(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, 20 * LS_MS);
    start(f);
    await(f, is_replicated, f->path);
    for (ls_txid t = uploaded(f) + 1; t < 20; t++) {
        char name[LS_LTX_NAME_SIZE];
        char *path = ls_asprintf("%s/ltx/0/%s", f->root, ls_ltx_name_format(t, t, name));
        put_file(path, "not ours", 8);
        free(path);
    }
    add_rows(f->app, 1);
    /* Seen by the upload that meets such a file, or by a listing before that. */
    await(f, is_logged, "another process seems to replicate to the same place");
    assert_int_equal(stop(f), LS_EDIVERGED);
    assert_int_equal(logged(f, "msg=\"monitor error\""), 1);
}

/* Another trouble was logged just before. */
static void other_writer_is_told_behind_other_trouble(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, 20 * LS_MS);
    start(f);
    await(f, is_replicated, f->path);
    ls_txid next = uploaded(f) + 1;
    char name[LS_LTX_NAME_SIZE];
    char *path = ls_asprintf("%s/ltx/0/%s", f->root, ls_ltx_name_format(next, next, name));
    char *tmp = ls_asprintf("%s.tmp", path);
    assert_int_equal(mkdir(tmp, 0700), 0);
    add_rows(f->app, 1);
    await(f, is_logged, "msg=\"monitor error\"");
    put_file(path, "not ours", 8);
    assert_int_equal(rmdir(tmp), 0);
    await(f, is_logged, "another process seems to replicate to the same place");
    assert_int_equal(stop(f), LS_EDIVERGED);
    free(path);
    free(tmp);
}

/* ---- Maintenance ---- */

/* Everything within a second or two. */
static ls_db_config *fast_db(fixture *f) {
    f->config.n_levels = 2;
    f->config.levels[0] = 100 * LS_MS;
    f->config.levels[1] = 300 * LS_MS;
    f->config.snapshot_interval = 500 * LS_MS;
    return the_db(f, 10 * LS_MS);
}

typedef struct level_end {
    int level;
    ls_txid txid;
} level_end;

/* Newest TXID of a level of the replica. */
static ls_txid level_newest(const fixture *f, int level) {
    ls_err err = LS_ERR_INIT;
    ls_storage *s;
    ls_ltx_info newest = {0};
    bool any;
    must(ls_storage_open_file(f->root, NULL, &s, &err), &err);
    must(ls_compact_newest(s, level, &newest, &any, &err), &err);
    ls_storage_free(s);
    return newest.max_txid;
}

static bool has_level(fixture *f, const void *arg) {
    const level_end *want = arg;
    return level_newest(f, want->level) >= want->txid;
}

static int level_files(const fixture *f, int level) {
    ls_err err = LS_ERR_INIT;
    ls_storage *s;
    ls_storage_iter *it;
    int n = 0;
    must(ls_storage_open_file(f->root, NULL, &s, &err), &err);
    must(ls_storage_list(s, level, 0, &it, &err), &err);
    for (;;) {
        ls_ltx_info file;
        bool end = false;
        must(ls_storage_iter_next(it, &file, &end, &err), &err);
        if (end) {
            break;
        }
        n++;
    }
    ls_storage_iter_free(it);
    ls_storage_free(s);
    return n;
}

/* All that was written has reached every level and a snapshot. */
static void await_all_levels(fixture *f) {
    const ls_txid end = captured(f);
    for (int level = 1; level <= 2; level++) {
        const level_end want = {level, end};
        await(f, has_level, &want);
    }
    const level_end snapshot = {9, end};
    await(f, has_level, &snapshot);
}

static void levels_follow_their_schedules(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    fast_db(f)->replica.auto_recover = true;
    f->config.verify_compaction = true;
    f->config.validation_interval = 50 * LS_MS;
    start(f);
    for (int i = 0; i < 60; i++) {
        add_rows(f->app, 1);
        nap(10);
    }
    await(f, is_replicated, f->path);
    await_all_levels(f);
    end_well(f);
    assert_true(level_files(f, 1) < level_files(f, 0));
    assert_true(level_files(f, 9) >= 2);
    assert_true(replica_is_db(f->root, f->path));
    assert_int_equal(logged(f, "level=ERROR"), 0);
    assert_int_equal(logged(f, "level=WARN"), 0);
}

/* The first file of a database is on every level without being sent or made again. */
static void first_file_is_copied(void **state) {
    fixture *f = *state;
    const level_end one = {1, 1}, snapshot = {9, 1};
    f->app = app_create(f->path, 4096);
    add_rows(f->app, 50);
    the_db(f, HOUR);
    start(f);
    await(f, has_level, &one);
    await(f, has_level, &snapshot);
    end_well(f);
    assert_int_equal(logged(f, "copied=true"), 1);
    char *paths[3];
    struct stat st[3];
    const int levels[] = {0, 1, 9};
    for (int i = 0; i < 3; i++) {
        paths[i] =
            ls_asprintf("%s/ltx/%d/0000000000000001-0000000000000001.ltx", f->root, levels[i]);
        assert_int_equal(stat(paths[i], &st[i]), 0);
        free(paths[i]);
    }
    assert_int_equal(st[0].st_size, st[1].st_size);
    assert_int_equal(st[0].st_size, st[2].st_size);
}

/* A database that nobody writes to asks nothing of its store: it may be gone for a while. */
static void idle_makes_no_request(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    fast_db(f);
    f->config.l0_retention = 200 * LS_MS;
    f->config.l0_retention_check_interval = 50 * LS_MS;
    f->config.snapshot_retention = 600 * LS_MS;
    start(f);
    add_rows(f->app, 20);
    await(f, is_replicated, f->path);
    await_all_levels(f);
    /* What is left becomes too old, and goes. */
    for (int i = 0; i < 500 && (level_files(f, 0) > 1 || level_files(f, 9) > 1); i++) {
        nap(10);
    }
    assert_int_equal(level_files(f, 0), 1);
    assert_int_equal(level_files(f, 9), 1);
    nap(1200);
    char *away = ls_asprintf("%s.away", f->root);
    assert_int_equal(rename(f->root, away), 0);
    put_file(f->root, "x", 1);
    nap(1500);
    assert_int_equal(unlink(f->root), 0);
    assert_int_equal(rename(away, f->root), 0);
    free(away);
    end_well(f);
    assert_true(replica_is_db(f->root, f->path));
    assert_int_equal(logged(f, "level=ERROR"), 0);
    assert_int_equal(logged(f, "level=WARN"), 0);
}

/* A start finds what the run before has done. */
static void nothing_is_compacted_twice(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    fast_db(f);
    start(f);
    add_rows(f->app, 20);
    await(f, is_replicated, f->path);
    await_all_levels(f);
    end_well(f);
    int one = level_files(f, 1), two = level_files(f, 2), nine = level_files(f, 9);
    for (int i = 0; i < 3; i++) {
        start(f);
        nap(700);
        end_well(f);
    }
    assert_int_equal(level_files(f, 1), one);
    assert_int_equal(level_files(f, 2), two);
    assert_int_equal(level_files(f, 9), nine);
    assert_true(replica_is_db(f->root, f->path));
}

/* A level that cannot be written keeps neither snapshots nor uploads from going on. */
static void failing_level_blocks_nothing(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    fast_db(f);
    char *ltx = ls_path_join(f->root, "ltx"), *one = ls_path_join(ltx, "1");
    f->config.levels[0] = 2 * LS_SEC;
    f->config.n_levels = 1;
    start(f);
    await(f, is_logged, "copied=true");
    remove_tree(one);
    put_file(one, "x", 1);
    add_rows(f->app, 1);
    await(f, is_logged, "msg=\"compaction failed\"");
    add_rows(f->app, 10);
    nap(50);
    const level_end level0 = {0, captured(f)}, snapshot = {9, captured(f)};
    await(f, has_level, &level0);
    await(f, has_level, &snapshot);
    assert_int_equal(logged(f, "msg=\"compaction failed\""), 1);
    assert_int_equal(unlink(one), 0);
    await(f, is_logged, "msg=\"compaction recovered\"");
    const level_end level1 = {1, captured(f)};
    await(f, has_level, &level1);
    end_well(f);
    free(ltx);
    free(one);
}

/* Nothing is written after it: only a listing can show that the replica is empty. */
static void emptied_replica_is_seen_by_a_listing(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    fast_db(f);
    f->config.levels[0] = 2 * LS_SEC;
    f->config.levels[1] = 3 * LS_SEC;
    f->config.snapshot_interval = 4 * LS_SEC;
    start(f);
    await(f, is_replicated, f->path);
    nap(100);
    add_rows(f->app, 3);
    await(f, is_replicated, f->path);
    remove_tree(f->root);
    await(f, is_replicated, f->path);
    end_well(f);
    assert_int_equal(logged(f, "msg=\"replica is compared again\""), 1);
    assert_int_equal(fulls(f), 1);
}

/* Local files that level 1 covers are gone: they cannot fill an empty replica. */
static void emptied_replica_without_local_files(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    fast_db(f);
    f->config.l0_retention = 100 * LS_MS;
    f->config.l0_retention_check_interval = 20 * LS_MS;
    char *meta = meta_of(f), *one = ls_asprintf("%s/ltx/0/%016x-%016x.ltx", meta, 1, 1);
    start(f);
    await(f, has_uploaded, &first);
    nap(30);
    add_rows(f->app, 3);
    await_all_levels(f);
    for (int i = 0; i < 500 && access(one, F_OK) == 0; i++) {
        nap(10);
    }
    free(meta);
    free(one);
    remove_tree(f->root);
    add_rows(f->app, 1);
    await(f, is_replicated, f->path);
    await_all_levels(f);
    end_well(f);
    assert_true(replica_is_db(f->root, f->path));
    assert_int_equal(fulls(f), 2);
    assert_int_equal(logged(f, "level=ERROR"), 0);
}

/* Another writer that goes on where we are is found by what a level lists. */
static void foreign_file_is_seen_by_a_listing(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    fast_db(f);
    start(f);
    add_rows(f->app, 3);
    await(f, is_replicated, f->path);
    await_all_levels(f);
    char *path = ls_asprintf("%s/ltx/1/%016x-%016x.ltx", f->root, 1000, 1001);
    put_file(path, "not ours", 8);
    free(path);
    add_rows(f->app, 1);
    await(f, is_logged, "which this process did not write");
    ls_txid before = uploaded(f);
    add_rows(f->app, 1);
    nap(100);
    assert_int_equal(uploaded(f), before);
    assert_int_equal(stop(f), LS_EDIVERGED);
    assert_true(logged(f, "ltx/1/00000000000003e8-00000000000003e9.ltx") >= 1);
}

/* Flips a byte in the middle of the level-0 file of TXID 2, at the store and beside the database.
 */
static void damage_second(const fixture *f) {
    char *meta = meta_of(f);
    const char *roots[] = {meta, f->root};
    for (int i = 0; i < 2; i++) {
        char *path = ls_asprintf("%s/ltx/0/0000000000000002-0000000000000002.ltx", roots[i]);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        uint8_t byte;
        assert_true(fd >= 0);
        assert_int_equal(pread(fd, &byte, 1, 150), 1);
        byte ^= 0x55;
        assert_int_equal(pwrite(fd, &byte, 1, 150), 1);
        (void)close(fd);
        free(path);
    }
    free(meta);
}

static void with_a_damaged_file(fixture *f, bool recover) {
    const ls_txid three = 3;
    f->app = app_create(f->path, 4096);
    fast_db(f)->replica.auto_recover = recover;
    f->config.levels[0] = 2 * LS_SEC;
    f->config.snapshot_interval = HOUR;
    start(f);
    await(f, is_logged, "msg=\"snapshot complete\"");
    while (uploaded(f) < three) {
        add_rows(f->app, 1);
        nap(30);
    }
    damage_second(f);
    add_rows(f->app, 1);
}

static void damaged_file_is_said(void **state) {
    fixture *f = *state;
    with_a_damaged_file(f, false);
    await(f, is_logged, "msg=\"compaction failed\"");
    end_well(f);
    assert_int_equal(level_files(f, 9), 1);
    assert_int_equal(logged(f, "auto-recover"), 0);
}

/* A snapshot takes its place, and the level goes on behind it. */
static void damaged_file_is_recovered_from(void **state) {
    fixture *f = *state;
    with_a_damaged_file(f, true);
    await(f, is_logged, "a damaged file that a snapshot covers is removed");
    await(f, is_logged, "msg=\"compaction recovered\"");
    add_rows(f->app, 1);
    await(f, is_replicated, f->path);
    const level_end level1 = {1, captured(f)};
    await(f, has_level, &level1);
    end_well(f);
    assert_int_equal(level_files(f, 9), 2);
    assert_true(replica_is_db(f->root, f->path));
}

/* Whatever it is doing: it stops at once, and what it leaves is whole. */
static void stops_at_any_moment(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    fast_db(f);
    f->config.snapshot_interval = 50 * LS_MS;
    f->config.l0_retention = LS_SEC;
    f->config.l0_retention_check_interval = 20 * LS_MS;
    add_rows(f->app, 300);
    for (int i = 0; i < 15; i++) {
        start(f);
        for (int k = 0; k < i; k++) {
            add_rows(f->app, 2);
            nap(13);
        }
        int64_t begun = now();
        end_well(f);
        assert_true(now() - begun < 5 * LS_SEC);
        assert_true(replica_is_db(f->root, f->path));
    }
    assert_int_equal(logged(f, "level=ERROR"), 0);
}

/* All snapshots on the replica are two hours old. */
static void age_snapshots(fixture *f) {
    const struct timespec then[2] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
    char *folder = ls_asprintf("%s/ltx/9", f->root);
    DIR *d = opendir(folder);
    assert_non_null(d);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d)) {
        if (e->d_name[0] != '.') {
            assert_int_equal(utimensat(dirfd(d), e->d_name, then, 0), 0);
        }
    }
    closedir(d);
    free(folder);
}

/* Of what is too old the newest stays, as base. */
static void one_pass_with_snapshot_and_retention(void **state) {
    fixture *f = *state;
    const ls_store_once_opts opts = {.force_snapshot = true, .enforce_retention = true};
    ls_err err = LS_ERR_INIT;
    f->app = app_create(f->path, 4096);
    the_db(f, HOUR);
    f->config.snapshot_retention = HOUR;
    for (int i = 0; i < 3; i++) {
        add_rows(f->app, 5);
        must(ls_store_new(&f->config, &f->log, &f->store, &err), &err);
        must(ls_store_once(f->store, &opts, &err), &err);
        ls_store_free(f->store);
        f->store = NULL;
        assert_int_equal(level_newest(f, 9), uploaded(f));
        assert_int_equal(level_files(f, 9), i == 0 ? 1 : 2);
        assert_true(replica_is_db(f->root, f->path));
        age_snapshots(f);
    }
    assert_int_equal(level_files(f, 1), 0);
}

/* ---- The end ---- */

static void last_sync_takes_what_is_left(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, HOUR);
    start(f);
    await(f, has_uploaded, &first);
    add_rows(f->app, 30);
    kill(getpid(), SIGTERM);
    must(join(f), &f->err);
    assert_true(replica_is_db(f->root, f->path));
    assert_int_equal(
        logged(f, "msg=\"signal received, litestream shutting down\" signal=terminated"), 1);
}

static void last_sync_is_tried_until_its_timeout(void **state) {
    fixture *f = *state;
    block_replica(f);
    f->app = app_create(f->path, 4096);
    the_db(f, HOUR);
    f->config.shutdown_sync_timeout = 200 * LS_MS;
    f->config.shutdown_sync_interval = 20 * LS_MS;
    start(f);
    await(f, has_captured, &first);
    assert_int_not_equal(stop(f), LS_OK);
    assert_non_null(strstr(f->err.msg, "shutdown sync timeout after"));
    assert_int_equal(logged(f, "msg=\"shutdown sync failed after timeout\""), 1);
    assert_true(logged(f, "msg=\"shutdown sync failed, retrying (press Ctrl+C again to skip)\"") >=
                2);
}

static void last_sync_succeeds_in_the_end(void **state) {
    fixture *f = *state;
    block_replica(f);
    f->app = app_create(f->path, 4096);
    the_db(f, HOUR);
    f->config.shutdown_sync_interval = 20 * LS_MS;
    start(f);
    await(f, has_captured, &first);
    ls_store_stop(f->store);
    await(f, is_logged, "shutdown sync failed, retrying");
    assert_int_equal(unlink(f->root), 0);
    must(join(f), &f->err);
    assert_true(replica_is_db(f->root, f->path));
    assert_int_equal(logged(f, "msg=\"shutdown sync succeeded after retry\""), 1);
}

static void no_timeout_means_one_try(void **state) {
    fixture *f = *state;
    block_replica(f);
    f->app = app_create(f->path, 4096);
    the_db(f, HOUR);
    f->config.shutdown_sync_timeout = 0;
    start(f);
    await(f, has_captured, &first);
    assert_int_not_equal(stop(f), LS_OK);
    assert_int_equal(logged(f, "retrying"), 0);
    assert_int_equal(logged(f, "msg=\"shutdown sync failed after timeout\""), 1);
}

static void second_signal_skips_the_last_sync(void **state) {
    fixture *f = *state;
    block_replica(f);
    f->app = app_create(f->path, 4096);
    the_db(f, HOUR);
    f->config.shutdown_sync_timeout = HOUR;
    f->config.shutdown_sync_interval = 100 * LS_MS;
    start(f);
    await(f, has_captured, &first);
    kill(getpid(), SIGINT);
    await(f, is_logged, "shutdown sync failed, retrying");
    kill(getpid(), SIGINT);
    assert_int_equal(join(f), LS_ECANCELED);
    assert_int_equal(logged(f, "msg=\"shutdown sync interrupted by signal\""), 1);
}

static void hangup_does_no_harm(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    the_db(f, 20 * LS_MS);
    start(f);
    await(f, is_replicated, f->path);
    kill(getpid(), SIGHUP);
    await(f, is_logged, "there is no configuration to read again");
    add_rows(f->app, 1);
    await(f, is_replicated, f->path);
    end_well(f);
}

static void missing_database_does_not_fail_the_stop(void **state) {
    fixture *f = *state;
    the_db(f, 20 * LS_MS);
    start(f);
    await(f, is_logged, "waiting for it");
    end_well(f);
    assert_absent(f->root);
}

static void stop_before_the_start(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    f->app = app_create(f->path, 4096);
    the_db(f, HOUR);
    must(ls_store_new(&f->config, &f->log, &f->store, &err), &err);
    ls_store_stop(f->store);
    must(ls_store_run(f->store, &err), &err);
    assert_true(replica_is_db(f->root, f->path));
}

/* ---- Once, and configurations that cannot be ---- */

static void once_syncs_and_returns(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    f->app = app_create(f->path, 4096);
    add_rows(f->app, 10);
    the_db(f, HOUR);
    for (int i = 0; i < 2; i++) {
        must(ls_store_new(&f->config, &f->log, &f->store, &err), &err);
        must(ls_store_once(f->store, NULL, &err), &err);
        ls_store_free(f->store);
        f->store = NULL;
        assert_true(replica_is_db(f->root, f->path));
        assert_int_equal(uploaded(f), i + 1);
        add_rows(f->app, 1);
    }
    assert_int_equal(fulls(f), 1);
}

static void once_needs_a_database(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    the_db(f, HOUR);
    must(ls_store_new(&f->config, &f->log, &f->store, &err), &err);
    assert_int_equal(ls_store_once(f->store, NULL, &err), LS_ENOTREADY);
    assert_non_null(strstr(err.msg, "no position, waiting for data"));
}

static void one_file_twice_is_refused(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    char *link = ls_path_join(f->dir, "link.db"), *root = ls_path_join(f->dir, "replica2");
    f->app = app_create(f->path, 4096);
    assert_int_equal(symlink(f->path, link), 0);
    the_db(f, HOUR);
    add_db(f, link, root);
    assert_int_equal(ls_store_new(&f->config, &f->log, &f->store, &err), LS_ECONFIG);
    assert_non_null(strstr(err.msg, "same file"));
    free(link);
    free(root);
}

static void one_replica_twice_is_refused(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    char *other = ls_path_join(f->dir, "other.db");
    the_db(f, HOUR);
    add_db(f, other, f->root);
    assert_int_equal(ls_store_new(&f->config, &f->log, &f->store, &err), LS_ECONFIG);
    assert_non_null(strstr(err.msg, "share one replica"));
    free(other);
}

int main(void) {
#define STORY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(first_write_goes_at_once_and_the_next_waits),
        STORY(captures_wait_for_the_longer_interval),
        STORY(much_log_does_not_wait),
        STORY(what_is_there_at_the_start_is_uploaded),
        STORY(bursts_are_batched),
        STORY(one_page_of_log_and_then_there_is_rest),
        STORY(commit_beside_the_safety_poll),
        STORY(much_log_does_not_wait_where_it_is_polled),
        STORY(replaced_database_does_not_wait),
        STORY(steady_writing_with_checkpoints),
        STORY(steady_writing_looked_at_often),
        STORY(own_bump_is_captured_and_then_there_is_rest),
        STORY(lone_commits_all_arrive),
        STORY(notice_before_the_commit),
        STORY(commit_behind_a_slow_sync),
        STORY(no_watch_left_means_polling),
        STORY(notices_that_never_come),
        STORY(notices_that_come),
        STORY(idle_says_and_does_nothing),
        STORY(checkpoint_when_idle),
        STORY(long_logs_come_in_pieces),
        STORY(not_monitored_is_left_alone),
        STORY(many_databases_in_one_folder),
        STORY(folder_and_database_appear_later),
        STORY(database_removed_and_made_again),
        STORY(folder_removed_and_made_again),
        STORY(folder_replaced_while_a_commit_waits),
        STORY(through_a_symbolic_link),
        STORY(replica_comes_back),
        STORY(backlog_goes_in_pieces),
        STORY(backlog_goes_at_once),
        STORY(replica_emptied_while_running),
        STORY(meta_directory_lost),
        STORY(other_writer_stops_uploads_loudly),
        STORY(other_writer_is_told_behind_other_trouble),
        STORY(levels_follow_their_schedules),
        STORY(first_file_is_copied),
        STORY(idle_makes_no_request),
        STORY(nothing_is_compacted_twice),
        STORY(failing_level_blocks_nothing),
        STORY(emptied_replica_is_seen_by_a_listing),
        STORY(emptied_replica_without_local_files),
        STORY(foreign_file_is_seen_by_a_listing),
        STORY(damaged_file_is_said),
        STORY(damaged_file_is_recovered_from),
        STORY(stops_at_any_moment),
        STORY(one_pass_with_snapshot_and_retention),
        STORY(last_sync_takes_what_is_left),
        STORY(last_sync_is_tried_until_its_timeout),
        STORY(last_sync_succeeds_in_the_end),
        STORY(no_timeout_means_one_try),
        STORY(second_signal_skips_the_last_sync),
        STORY(hangup_does_no_harm),
        STORY(missing_database_does_not_fail_the_stop),
        STORY(stop_before_the_start),
        STORY(once_syncs_and_returns),
        STORY(once_needs_a_database),
        STORY(one_file_twice_is_refused),
        STORY(one_replica_twice_is_refused),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
