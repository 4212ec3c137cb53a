/*
 * Every job at a store that fails: compaction, both retentions and restores, with each request
 * failing once in each way there is (t/support/faultstore.h). Whatever happens, each file at the
 * store is the one that its name says, what was promised can be restored, no temporary file is
 * left, and the next try without a fault comes to what a run without faults comes to.
 */
#include "engine/replica/compact.h"
#include "engine/replica/replica.h"
#include "engine/replica/retain.h"
#include "engine/restore/restore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "t/support/dbkit.h"
#include "t/support/faultstore.h"
#include "t/support/listing.h"
#include "t/support/memstore.h"
#include "t/support/model.h"
#include "t/support/tempdir.h"

#include <dirent.h>

#define T0 1700000000000
#define SECOND 1000

/* A job, what it starts from, and where its temporary files go. */
typedef struct scene {
    const char *name;
    model *m;
    ls_storage *base;
    char *spill;
    ls_code (*job)(const struct scene *sc, ls_storage *s, ls_err *err);
} scene;

static void scene_init(scene *sc, void **state, const char *name, bool copies) {
    ls_err err = LS_ERR_INIT;
    *sc = (scene){.name = name, .m = model_new(7, 512), .base = memstore_new(copies)};
    sc->spill = tempdir_path(state, "spill");
    must(ls_mkdirs(sc->spill, &LS_PERM_PRIVATE, &err), &err);
}

static void scene_done(scene *sc) {
    assert_int_equal(rmdir(sc->spill), 0); /* nothing is left there */
    free(sc->spill);
    ls_storage_free(sc->base);
    model_free(sc->m);
}

/* n TXIDs, a second each, at level 0. */
static void steps(scene *sc, int n) {
    ls_err err = LS_ERR_INIT;
    for (int i = 0; i < n; i++) {
        ls_txid t = model_txid(sc->m) + 1;
        must(model_step(sc->m, T0 + (int64_t)t * SECOND, 20 + (uint32_t)(model_random(sc->m) % 9),
                        3, &err),
             &err);
        must(model_put(sc->m, sc->base, 0, t, t, &err), &err);
    }
}

static void put(const scene *sc, int level, ls_txid min, ls_txid max) {
    ls_err err = LS_ERR_INIT;
    must(model_put(sc->m, sc->base, level, min, max, &err), &err);
}

/* ---- what holds at any time ---- */

static bool is_empty(const char *dir) {
    DIR *d = opendir(dir);
    assert_non_null(d);
    int n = 0;
    while (readdir(d) != NULL) {
        n++;
    }
    (void)closedir(d);
    return n == 2;
}

static void assert_sound(const scene *sc, ls_storage *s, const char *fault, long n) {
    ls_err err = LS_ERR_INIT;
    listing l;
    if (model_check_files(sc->m, s, &err) != LS_OK) {
        fail_msg("%s, request %ld %s: %s", sc->name, n, fault, err.msg);
    }
    must(listing_read(&l, s, &err), &err);
    ls_txid broken = listing_broken_promise(&l);
    if (broken != 0 || listing_newest(&l) != model_txid(sc->m)) {
        fail_msg("%s, request %ld %s: TXID %llx cannot be restored", sc->name, n, fault,
                 (unsigned long long)broken);
    }
    listing_done(&l);
    assert_true(is_empty(sc->spill));
}

static void assert_same_files(const scene *sc, ls_storage *s, ls_storage *want, const char *fault,
                              long n) {
    ls_err err = LS_ERR_INIT;
    listing a;
    listing b;
    must(listing_read(&a, s, &err), &err);
    must(listing_read(&b, want, &err), &err);
    for (size_t i = 0; i < a.n || i < b.n; i++) {
        if (i >= a.n || i >= b.n || ls_ltx_info_cmp(&a.files[i], &b.files[i]) != 0) {
            char key[LS_STORAGE_KEY_SIZE];
            fail_msg("%s, request %ld %s: other files, from %s on", sc->name, n, fault,
                     ls_storage_key(i < a.n ? &a.files[i] : &b.files[i], key));
        }
    }
    listing_done(&a);
    listing_done(&b);
}

/* Every TXID that the store promises. */
static void assert_restores_all(const scene *sc, ls_storage *s) {
    ls_err err = LS_ERR_INIT;
    listing l;
    must(listing_read(&l, s, &err), &err);
    for (size_t i = 0; i < l.reached_n; i++) {
        if (l.reached[i] >= l.oldest_snapshot) {
            must(model_check_restore(sc->m, s, l.reached[i], &err), &err);
        }
    }
    listing_done(&l);
}

/* ---- one fault ---- */

/* Runs the job with its n-th request spoilt, and again without. False: it makes fewer requests. */
static bool spoil(const scene *sc, ls_storage *want, store_fault fault, long n) {
    const char *name = store_fault_name(fault);
    ls_err err = LS_ERR_INIT;
    ls_storage *inner = memstore_clone(sc->base);
    ls_storage *s = faultstore_new(inner);
    faultstore_script(s, STORE_ANY, fault, n);
    ls_code rc = sc->job(sc, s, &err);
    bool hit = faultstore_hits(s) > 0;
    if (rc != LS_OK && (!hit || fault == STORE_SLOW || fault == STORE_TWICE)) {
        fail_msg("%s, request %ld %s: %s", sc->name, n, name, err.msg);
    }
    assert_sound(sc, inner, name, n);
    faultstore_up(s);
    ls_err_clear(&err);
    if (sc->job(sc, s, &err) != LS_OK) {
        fail_msg("%s, after request %ld %s: %s", sc->name, n, name, err.msg);
    }
    assert_sound(sc, inner, name, n);
    if ((STORE_LIES & STORE_BIT(fault)) == 0) {
        assert_same_files(sc, inner, want, name, n);
    }
    assert_restores_all(sc, inner);
    ls_storage_free(s);
    ls_storage_free(inner);
    return hit;
}

static void each_request_in_each_way(const scene *sc) {
    ls_err err = LS_ERR_INIT;
    ls_storage *want = memstore_clone(sc->base);
    int spoilt = 0;
    must(sc->job(sc, want, &err), &err);
    assert_sound(sc, want, "untouched", 0);
    for (store_fault fault = STORE_FAIL; fault < STORE_FAULT_N; fault++) {
        for (long n = 1; spoil(sc, want, fault, n); n++) {
            spoilt++;
        }
    }
    assert_true(spoilt > 10);
    print_message("# %s: %d requests spoilt\n", sc->name, spoilt);
    ls_storage_free(want);
}

/* Many faults in a run, by seed, until it comes through. */
static void many_at_random(const scene *sc) {
    for (uint64_t seed = 1; seed <= 50; seed++) {
        ls_err err = LS_ERR_INIT;
        ls_storage *inner = memstore_clone(sc->base);
        ls_storage *s = faultstore_new(inner);
        for (uint64_t i = 0; i < 12; i++) {
            faultstore_random(s, seed * 100 + i, 200, ~0u);
            ls_err_clear(&err);
            (void)sc->job(sc, s, &err);
            assert_sound(sc, inner, "at random, seed", (long)seed);
        }
        faultstore_up(s);
        ls_err_clear(&err);
        must(sc->job(sc, s, &err), &err);
        assert_sound(sc, inner, "at random, seed", (long)seed);
        assert_restores_all(sc, inner);
        ls_storage_free(s);
        ls_storage_free(inner);
    }
}

/* ---- compaction ---- */

static ls_code compact(const scene *sc, ls_storage *s, int level, ls_err *err) {
    const ls_compact_opts opts = {.level = level, .spill_dir = sc->spill, .verify = true};
    return ls_compact(s, &opts, NULL, err);
}

static ls_code compact_1(const scene *sc, ls_storage *s, ls_err *err) {
    return compact(sc, s, 1, err);
}

static ls_code compact_all(const scene *sc, ls_storage *s, ls_err *err) {
    ls_code rc = LS_OK;
    for (int level = 1; rc == LS_OK && level <= 3; level++) {
        rc = compact(sc, s, level, err);
    }
    return rc;
}

static void compaction_of_several_files(void **state) {
    scene sc;
    scene_init(&sc, state, "compaction", true);
    steps(&sc, 5);
    put(&sc, 1, 1, 3);
    sc.job = compact_1;
    steps(&sc, 2);
    each_request_in_each_way(&sc);
    many_at_random(&sc);
    scene_done(&sc);
}

static void compaction_of_one_file(void **state) {
    static const char *const names[] = {"one file, sent", "one file, copied"};
    for (int copies = 0; copies < 2; copies++) {
        scene sc;
        scene_init(&sc, state, names[copies], copies == 1);
        steps(&sc, 1);
        sc.job = compact_all;
        each_request_in_each_way(&sc);
        many_at_random(&sc);
        scene_done(&sc);
    }
}

static void compaction_behind_a_snapshot(void **state) {
    scene sc;
    ls_err err = LS_ERR_INIT;
    scene_init(&sc, state, "behind a snapshot", true);
    steps(&sc, 6);
    put(&sc, 1, 1, 2);
    put(&sc, 9, 1, 4);
    const ls_ltx_info lost = {.level = 0, .min_txid = 3, .max_txid = 3};
    must(ls_storage_remove(sc.base, &lost, 1, &err), &err);
    sc.job = compact_1;
    each_request_in_each_way(&sc);
    many_at_random(&sc);
    scene_done(&sc);
}

/* ---- retention ---- */

/* Everything from before the fourth of six days is too old; the third has the base. */
static ls_code retain_snapshots(const scene *sc, ls_storage *s, ls_err *err) {
    const ls_retain_policy policy = {.snapshot_retention_ms = 60 * SECOND, .remote = true};
    int64_t now = model_time(sc->m, 16) + 60 * SECOND;
    return ls_retain_snapshots(s, &policy, now, NULL, NULL, err);
}

static ls_code retain_l0(const scene *sc, ls_storage *s, ls_err *err) {
    const ls_retain_policy policy = {.l0_retention_ms = SECOND, .remote = true};
    (void)sc;
    return ls_retain_l0(s, &policy, INT64_MAX, NULL, NULL, err);
}

static ls_code everything(const scene *sc, ls_storage *s, ls_err *err) {
    ls_code rc = compact_all(sc, s, err);
    if (rc == LS_OK) {
        rc = retain_l0(sc, s, err);
    }
    return rc == LS_OK ? retain_snapshots(sc, s, err) : rc;
}

/* Six days of four TXIDs: levels 1 and 2, and snapshots. */
static void days(scene *sc) {
    for (ls_txid day = 0; day < 6; day++) {
        steps(sc, 4);
        put(sc, 1, 4 * day + 1, 4 * day + 2);
        put(sc, 1, 4 * day + 3, 4 * day + 4);
        put(sc, 2, 4 * day + 1, 4 * day + 4);
        put(sc, 9, 1, 4 * day + 4);
    }
}

static void retention_of_snapshots(void **state) {
    scene sc;
    scene_init(&sc, state, "snapshot retention", true);
    days(&sc);
    steps(&sc, 3);
    sc.job = retain_snapshots;
    each_request_in_each_way(&sc);
    many_at_random(&sc);
    scene_done(&sc);
}

static void retention_of_level_0(void **state) {
    scene sc;
    scene_init(&sc, state, "level 0 retention", true);
    days(&sc);
    steps(&sc, 3);
    sc.job = retain_l0;
    each_request_in_each_way(&sc);
    many_at_random(&sc);
    scene_done(&sc);
}

static void all_jobs_in_turn(void **state) {
    scene sc;
    scene_init(&sc, state, "all jobs", true);
    days(&sc);
    steps(&sc, 5);
    sc.job = everything;
    each_request_in_each_way(&sc);
    many_at_random(&sc);
    scene_done(&sc);
}

/* ---- restores: nothing changes at the store; the file is there whole, or not at all ---- */

static ls_code restore_to(const char *path, ls_storage *s, ls_txid txid, ls_err *err) {
    const ls_restore_opts opts = {
        .output = path, .txid = txid, .timestamp_ms = LS_NO_TIMESTAMP, .parallelism = 2};
    ls_restore_result result;
    return ls_restore(s, &opts, &result, err);
}

static bool restore_spoilt(const scene *sc, const char *path, const char *want, size_t len,
                           store_fault fault, long n) {
    ls_err err = LS_ERR_INIT;
    ls_storage *s = faultstore_new(sc->base);
    faultstore_script(s, STORE_ANY, fault, n);
    ls_code rc = restore_to(path, s, 22, &err);
    bool hit = faultstore_hits(s) > 0;
    if (rc != LS_OK) {
        assert_true(hit);
        assert_true(is_empty(sc->spill));
        faultstore_up(s);
        must(restore_to(path, s, 22, &err), &err);
    }
    assert_file_is(path, want, len);
    assert_int_equal(unlink(path), 0);
    ls_storage_free(s);
    return hit;
}

/* Many faults in a run: whatever comes out whole is the state that was asked for. */
static long restores_at_random(const scene *sc, const char *path, const char *want, size_t len) {
    long whole = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        ls_err err = LS_ERR_INIT;
        ls_storage *s = faultstore_new(sc->base);
        faultstore_random(s, seed, 30, ~0u);
        ls_code rc = restore_to(path, s, 22, &err);
        if (rc == LS_OK) {
            assert_file_is(path, want, len);
            assert_int_equal(unlink(path), 0);
            whole++;
        }
        assert_true(is_empty(sc->spill));
        ls_storage_free(s);
    }
    return whole;
}

static void restores(void **state) {
    scene sc;
    ls_err err = LS_ERR_INIT;
    char *want;
    size_t len;
    scene_init(&sc, state, "restore", true);
    days(&sc);
    char *path = ls_path_join(sc.spill, "restored.db");
    must(model_check_restore(sc.m, sc.base, 22, &err), &err);
    must(restore_to(path, sc.base, 22, &err), &err);
    must(ls_read_file(path, 1u << 24, &want, &len, &err), &err);
    assert_int_equal(unlink(path), 0);
    for (store_fault fault = STORE_FAIL; fault < STORE_FAULT_N; fault++) {
        for (long n = 1; restore_spoilt(&sc, path, want, len, fault, n); n++) {
        }
    }
    assert_in_range(restores_at_random(&sc, path, want, len), 20, 190);
    free(want);
    free(path);
    scene_done(&sc);
}

/* ---- uploads ---- */

typedef struct upload {
    ls_db *db;
    ls_storage *base; /* what is uploaded already */
    char *local;      /* <meta>/ltx */
    ls_txid txid;
} upload;

static ls_code check_and_sync(const upload *u, ls_replica *r, ls_err *err) {
    ls_err_clear(err);
    ls_code rc = ls_replica_check(r, err);
    return rc == LS_OK ? ls_replica_sync(r, u->txid, NULL, err) : rc;
}

/* The store has the local files, byte by byte. */
static void assert_uploaded(const upload *u, ls_storage *s) {
    assert_int_equal(memstore_count(s, 0, NULL), u->txid);
    for (ls_txid t = 1; t <= u->txid; t++) {
        ls_err err = LS_ERR_INIT;
        const ls_ltx_info file = {.level = 0, .min_txid = t, .max_txid = t};
        char name[LS_LTX_NAME_SIZE];
        char *path = ls_asprintf("%s/0/%s", u->local, ls_ltx_name_format(t, t, name));
        char *data = malloc(1u << 20);
        size_t len;
        ls_reader *in;
        must(ls_storage_open_range(s, &file, 0, 0, &in, &err), &err);
        must(ls_read_full(in, data, 1u << 20, &len, &err), &err);
        assert_file_is(path, data, len);
        ls_reader_close(in);
        free(data);
        free(path);
    }
}

static bool upload_spoilt(const upload *u, store_fault fault, long n) {
    ls_err err = LS_ERR_INIT;
    ls_replica *r;
    ls_storage *inner = memstore_clone(u->base);
    ls_storage *s = faultstore_new(inner);
    must(ls_replica_new(u->db, s, NULL, &r, &err), &err);
    faultstore_script(s, STORE_ANY, fault, n);
    ls_code rc = check_and_sync(u, r, &err);
    bool hit = faultstore_hits(s) > 0;
    assert_true(hit || rc == LS_OK);
    assert_int_not_equal(rc, LS_EDIVERGED);
    faultstore_up(s);
    for (int i = 0; i < 2 && rc != LS_OK; i++) { /* the first may find that it must compare anew */
        rc = check_and_sync(u, r, &err);
    }
    if (rc != LS_OK) {
        fail_msg("after request %ld %s: %s", n, store_fault_name(fault), err.msg);
    }
    assert_uploaded(u, inner);
    ls_replica_free(r);
    ls_storage_free(inner);
    return hit;
}

/* Many faults in a run, and runs one after the other; then the store is well. */
static void uploads_at_random(const upload *u, uint64_t seed) {
    ls_err err = LS_ERR_INIT;
    ls_replica *r;
    ls_storage *inner = memstore_clone(u->base);
    ls_storage *s = faultstore_new(inner);
    must(ls_replica_new(u->db, s, NULL, &r, &err), &err);
    for (uint64_t i = 0; i < 8; i++) {
        faultstore_random(s, seed * 100 + i, 150, ~0u);
        assert_int_not_equal(check_and_sync(u, r, &err), LS_EDIVERGED);
        faultstore_up(s);
    }
    faultstore_random(s, seed, 0, 0);
    ls_code rc = LS_EGAP;
    for (int i = 0; i < 2 && rc != LS_OK; i++) { /* the first may find that it must compare anew */
        rc = check_and_sync(u, r, &err);
    }
    must(rc, &err);
    assert_uploaded(u, inner);
    ls_replica_free(r);
    ls_storage_free(inner);
}

static void uploads(void **state) {
    ls_err err = LS_ERR_INIT;
    char *path = tempdir_path(state, "a.db");
    sqlite3 *app = app_create(path, 4096);
    ls_db_opts opts = ls_db_opts_default(path);
    upload u = {.base = memstore_new(true)};
    ls_replica *r;
    must(ls_db_new(&opts, &u.db, &err), &err);
    u.local = ls_asprintf("%s/ltx", ls_db_meta_path(u.db));
    for (int i = 0; i < 6; i++) {
        ls_db_sync_result res;
        add_rows(app, 2);
        must(ls_db_sync(u.db, &res, &err), &err);
    }
    ls_storage *first = faultstore_new(u.base);
    must(ls_replica_new(u.db, first, NULL, &r, &err), &err);
    u.txid = 2;
    must(check_and_sync(&u, r, &err), &err);
    ls_replica_free(r);
    u.txid = ls_db_txid(u.db);
    for (store_fault fault = STORE_FAIL; fault < STORE_FAULT_N; fault++) {
        for (long n = 1; upload_spoilt(&u, fault, n); n++) {
        }
    }
    for (uint64_t seed = 1; seed <= 100; seed++) {
        uploads_at_random(&u, seed);
    }
    ls_db_free(u.db);
    ls_storage_free(u.base);
    sqlite3_close(app);
    free(u.local);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(compaction_of_several_files),
        unit_test_in_tempdir(compaction_of_one_file),
        unit_test_in_tempdir(compaction_behind_a_snapshot),
        unit_test_in_tempdir(retention_of_snapshots),
        unit_test_in_tempdir(retention_of_level_0),
        unit_test_in_tempdir(all_jobs_in_turn),
        unit_test_in_tempdir(restores),
        unit_test_in_tempdir(uploads),
    };
    return cmocka_run_group_tests_name("jobs at a store that fails", tests, NULL, NULL);
}
