/*
 * Some days of real databases in simulated time (sim.h): SQLite writes them, engine/db captures
 * them, ls_replica uploads; the clock is the simulation's. The daemon is started anew often; while
 * it is stopped the application may go on, checkpoint all of its log away, or lose the state
 * folder.
 *
 * What a TXID shows is known by a sum over all rows, taken when it was captured; restores are also
 * checked by SQLite.
 */
#include "t/engine/replica/sim.h"

#include "engine/base/text.h"
#include "engine/db/snapshot.h"
#include "engine/ltx/decoder.h"
#include "engine/replica/guard.h"
#include "engine/replica/replica.h"
#include "engine/replica/snapshot.h"
#include "engine/restore/restore.h"

#include "t/support/dbkit.h"
#include "t/support/tempdir.h"

#define ROWS_MAX 1500

/* What a TXID shows. */
typedef struct point {
    int64_t time_ms;
    uint64_t sum; /* of all rows */
} point;

typedef struct real_clock {
    ls_clock base;
    const int64_t *now_ms;
} real_clock;

typedef struct real {
    sim_db base;
    char *path, *meta, *local, *out;
    sqlite3 *app;
    real_clock clock;
    ls_guard guard; /* lets everything pass */
    ls_db *db;
    ls_replica *r;
    bool unchecked; /* nothing is captured before the replica was looked at: local files are lost */
    point *points;
    size_t cap;
    ls_txid newest;   /* captured */
    ls_txid furthest; /* captured at any time */
    long restarts, lost;
} real;

static real *of(sim_db *db) { return (real *)(void *)db; }

static uint64_t take(uint64_t *random, uint64_t n) {
    uint64_t x = *random % n;
    *random /= n;
    return x;
}

static int64_t clock_wall(const ls_clock *c) {
    return *((const real_clock *)(const void *)c)->now_ms;
}

static int64_t clock_mono(const ls_clock *c) { return clock_wall(c) * LS_MS; }

/* ---- the application ---- */

static void run(real *d, const char *fmt, ...) LS_PRINTF(2, 3);
static void run(real *d, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *text = sqlite3_vmprintf(fmt, args);
    va_end(args);
    assert_non_null(text);
    sql(d->app, text);
    sqlite3_free(text);
}

static void write_rows(real *d, uint64_t random) {
    unsigned long long id = take(&random, ROWS_MAX);
    unsigned n = 1 + (unsigned)take(&random, 8);
    switch (take(&random, 6)) {
    case 0:
        run(d, "DELETE FROM t WHERE id BETWEEN %llu AND %llu", id, id + 4 * n);
        break;
    case 1:
        run(d, "UPDATE t SET v = randomblob(900) WHERE id BETWEEN %llu AND %llu", id, id + n);
        break;
    default:
        run(d,
            "WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i < %u)"
            "INSERT OR REPLACE INTO t SELECT (%llu + i * 7) %% %d, randomblob(300 + i * 40) FROM k",
            n, id, ROWS_MAX);
    }
}

static uint64_t add(uint64_t sum, const void *data, size_t len) {
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        sum = (sum ^ p[i]) * 0x100000001b3u;
    }
    return sum;
}

static uint64_t sum_of(sqlite3 *h) {
    sqlite3_stmt *stmt;
    uint64_t sum = 0xcbf29ce484222325u;
    assert_int_equal(sqlite3_prepare_v2(h, "SELECT id, v FROM t ORDER BY id", -1, &stmt, NULL),
                     SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        sqlite3_int64 id = sqlite3_column_int64(stmt, 0);
        sum = add(sum, &id, sizeof id);
        sum = add(sum, sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1));
    }
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    return sum;
}

/* ---- capture ---- */

/* Did the TXID get to the store, so that it shows what it showed? */
static bool is_stored(const real *d, ls_txid txid) {
    ls_txid newest;
    ls_ltx_info newest_l0;
    ls_err err = LS_ERR_INIT;
    must(ls_storage_newest(d->base.truth, &newest, &newest_l0, &err), &err);
    return txid <= newest;
}

static void note(real *d, ls_txid txid, uint64_t sum) {
    if (txid <= d->furthest && is_stored(d, txid)) {
        return;
    }
    if (txid >= d->cap) {
        d->cap = 2 * (size_t)txid + 64;
        d->points = realloc(d->points, d->cap * sizeof *d->points);
        assert_non_null(d->points);
    }
    d->points[txid] = (point){.time_ms = d->base.now_ms, .sum = sum};
    d->furthest = txid > d->furthest ? txid : d->furthest;
}

static void capture(real *d) {
    ls_err err = LS_ERR_INIT;
    ls_db_sync_result res = {.more = true};
    while (res.more) {
        must(ls_db_sync(d->db, &res, &err), &err);
    }
    uint64_t sum = sum_of(d->app);
    for (ls_txid t = d->newest + 1; t <= res.txid; t++) {
        note(d, t, sum);
    }
    d->newest = res.txid;
}

static void open_objects(real *d) {
    ls_err err = LS_ERR_INIT;
    ls_db_opts opts = ls_db_opts_default(d->path);
    opts.clock = &d->clock.base;
    must(ls_db_new(&opts, &d->db, &err), &err);
}

static void close_objects(real *d) {
    ls_replica_free(d->r);
    ls_db_free(d->db);
    d->r = NULL;
    d->db = NULL;
}

static void commit(sim_db *db, uint64_t random) {
    real *d = of(db);
    write_rows(d, random);
    if (!d->unchecked) {
        capture(d);
    }
}

/* ---- what happens to the daemon ---- */

static void while_stopped(real *d, uint64_t random) {
    for (uint64_t n = take(&random, 4); n > 0; n--) {
        write_rows(d, random / n);
    }
    if (take(&random, 4) == 0) {
        run(d, "PRAGMA wal_checkpoint(TRUNCATE)");
    }
}

static void lose_local_files(real *d) {
    ls_err err = LS_ERR_INIT;
    must(ls_remove_tree(d->meta, &err), &err);
    d->unchecked = true;
    d->lost++;
}

static void restart(sim_db *db, uint64_t random) {
    real *d = of(db);
    close_objects(d);
    d->restarts++;
    if (d->newest > 0) {
        while_stopped(d, random);
        if (take(&random, 8) == 0) {
            lose_local_files(d);
        }
    }
    open_objects(d);
    if (d->newest > 0 && !d->unchecked) {
        capture(d);
    }
}

static void change_page_size(sim_db *db) {
    real *d = of(db);
    close_objects(d);
    run(d, "PRAGMA journal_mode=delete; PRAGMA page_size=2048; VACUUM; PRAGMA journal_mode=wal");
    open_objects(d);
    capture(d);
}

/* ---- jobs ---- */

static ls_code make_replica(real *d, ls_storage *s, ls_err *err) {
    ls_storage *passed = NULL;
    ls_code rc = ls_guard_new(s, &d->guard, &passed, err);
    return rc == LS_OK ? ls_replica_new(d->db, passed, NULL, &d->r, err) : rc;
}

static ls_code check_and_send(real *d, ls_err *err) {
    ls_code rc = ls_replica_check(d->r, err);
    if (rc == LS_OK) {
        d->unchecked = false;
        if (ls_db_txid(d->db) < d->newest) { /* the chain goes on from what the replica has */
            d->newest = ls_db_txid(d->db);
        }
        capture(d);
        rc = ls_replica_sync(d->r, ls_db_txid(d->db), NULL, err);
        d->base.uploaded = ls_replica_txid(d->r);
        d->base.uploaded_known = true;
    }
    return rc;
}

/* Where the answer to a put was lost, retention may delete the file that the next one is to follow:
 * one more comparison finds both. */
static ls_code upload(sim_db *db, ls_storage *s, ls_err *err) {
    real *d = of(db);
    if (d->r == NULL) {
        must(make_replica(d, s, err), err);
    }
    ls_code rc = check_and_send(d, err);
    if (rc == LS_EGAP) {
        ls_err_clear(err);
        rc = check_and_send(d, err);
    }
    if (rc == LS_EDIVERGED) { /* what the error says: start it again */
        close_objects(d);
        open_objects(d);
        d->unchecked = true;
    }
    return rc;
}

/* As engine/store does it: of a file that is there, else of the database. */
static ls_code snapshot_of_db(real *d, ls_storage *s, ls_ltx_info *made, ls_err *err) {
    ls_db_snapshot *snap = NULL;
    ls_ltx_info file;
    must(ls_db_snapshot_begin(d->db, &snap, err), err);
    must(ls_db_snapshot_write(snap, NULL, &file, err), err);
    ls_txid txid = ls_db_snapshot_txid(snap);
    assert_int_equal(txid, d->newest);
    ls_code rc = ls_replica_sync(d->r, txid, NULL, err);
    if (rc == LS_OK) {
        rc = ls_snapshot_put(s, txid, ls_db_snapshot_path(snap), true, NULL, made, err);
    }
    ls_db_snapshot_free(snap);
    return rc;
}

static ls_code snapshot(sim_db *db, ls_storage *s, bool first, ls_ltx_info *made, ls_err *err) {
    real *d = of(db);
    char *path = NULL;
    if (d->r == NULL || !ls_replica_checked(d->r)) {
        return upload(db, s, err);
    }
    ls_code rc = ls_snapshot_copy(s, db->uploaded, first, NULL, made, err);
    if (rc != LS_OK || made->max_txid != 0) {
        return rc;
    }
    must(ls_snapshot_of_full(d->db, db->uploaded, &path, err), err);
    if (path == NULL) {
        return snapshot_of_db(d, s, made, err);
    }
    rc = ls_snapshot_put(s, db->uploaded, path, true, NULL, made, err);
    assert_int_equal(unlink(path), 0);
    free(path);
    return rc;
}

/* ---- what is asked ---- */

static ls_txid newest(const sim_db *db) { return ((const real *)(const void *)db)->newest; }

static int64_t time_of(const sim_db *db, ls_txid t) {
    return ((const real *)(const void *)db)->points[t].time_ms;
}

static ls_code check_file(sim_db *db, ls_storage *s, const ls_ltx_info *file, ls_err *err) {
    (void)db;
    ls_reader *in = NULL;
    ls_ltx_summary sum;
    ls_code rc = ls_storage_open_range(s, file, 0, 0, &in, err);
    if (rc == LS_OK) {
        rc = ls_ltx_verify(in, &sum, err);
    }
    ls_reader_close(in);
    return rc != LS_OK ||
                   (sum.header.min_txid == file->min_txid && sum.header.max_txid == file->max_txid)
               ? rc
               : ls_fail(err, LS_ECORRUPT, "a file holds other TXIDs than its name says");
}

static ls_code check_restore(sim_db *db, ls_storage *s, ls_txid txid, ls_err *err) {
    real *d = of(db);
    const ls_restore_opts opts = {.output = d->out,
                                  .txid = txid,
                                  .timestamp_ms = LS_NO_TIMESTAMP,
                                  .parallelism = 1,
                                  .integrity = LS_INTEGRITY_FULL};
    ls_restore_result res;
    ls_code rc = ls_restore(s, &opts, &res, err);
    if (rc != LS_OK) {
        return rc;
    }
    sqlite3 *h;
    assert_int_equal(sqlite3_open_v2(d->out, &h, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    uint64_t sum = sum_of(h);
    assert_int_equal(sqlite3_close(h), SQLITE_OK);
    assert_int_equal(unlink(d->out), 0);
    return sum == d->points[txid].sum
               ? LS_OK
               : ls_fail(err, LS_ECORRUPT, "TXID %llx was restored with other rows",
                         (unsigned long long)txid);
}

static void real_free(sim_db *db) {
    real *d = of(db);
    print_message("# %ld restarts, local files lost at %ld of them\n", d->restarts, d->lost);
    close_objects(d);
    assert_int_equal(sqlite3_close(d->app), SQLITE_OK);
    free(d->points);
    free(d->path);
    free(d->meta);
    free(d->local);
    free(d->out);
    free(d);
}

static const sim_db_ops real_ops = {.commit = commit,
                                    .vacuum = change_page_size,
                                    .restart = restart,
                                    .txid = newest,
                                    .time = time_of,
                                    .upload = upload,
                                    .snapshot = snapshot,
                                    .check_file = check_file,
                                    .check_restore = check_restore,
                                    .free = real_free};

static sim_db *make(uint64_t seed, const sim_profile *p, void **state) {
    (void)seed;
    (void)p;
    real *d = calloc(1, sizeof *d);
    assert_non_null(d);
    d->base = (sim_db){.ops = &real_ops, .now_ms = SIM_T0};
    d->path = tempdir_path(state, "a.db");
    d->out = tempdir_path(state, "restored.db");
    d->meta = ls_db_default_meta_path(d->path);
    assert_non_null(d->meta);
    d->local = ls_path_join(d->meta, "ltx");
    assert_non_null(d->local);
    d->base.local = d->local;
    d->clock = (real_clock){.base = {.wall_ms = clock_wall, .mono_ns = clock_mono},
                            .now_ms = &d->base.now_ms};
    atomic_init(&d->guard.ours, UINT64_MAX);
    atomic_init(&d->guard.sure, 0);
    d->app = app_create(d->path, 1024);
    run(d, "PRAGMA synchronous=off");
    open_objects(d);
    return &d->base;
}

/* Captures wait for their fsyncs: in memory where that can be had. */
static int without_disk(void **state) {
    (void)state;
    if (access("/dev/shm", R_OK | W_OK | X_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 0);
    }
    return 0;
}

static void a_busy_database(void **state) {
    const sim_profile p = {.name = "busy",
                           .days = 3,
                           .snapshot_ms = 6 * HOUR,
                           .snapshot_retention_ms = DAY,
                           .l0_retention_ms = 5 * MINUTE,
                           .bursts = 10,
                           .restarts = 4,
                           .copies = true,
                           .local = true};
    sim_run(state, &p, make);
}

static void a_database_whose_page_size_changes(void **state) {
    const sim_profile p = {.name = "page size",
                           .days = 2,
                           .snapshot_ms = 12 * HOUR,
                           .snapshot_retention_ms = DAY,
                           .l0_retention_ms = HOUR,
                           .bursts = 6,
                           .restarts = 4,
                           .local = true,
                           .vacuum_day = 1};
    sim_run(state, &p, make);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(a_busy_database),
        unit_test_in_tempdir(a_database_whose_page_size_changes),
    };
    return cmocka_run_group_tests_name("some days", tests, without_disk, NULL);
}
