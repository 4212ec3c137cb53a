/*
 * Levels at stores that are not as they should be, or very large: files that are there already,
 * stores that cannot copy, jobs that are cancelled at any request, more files than one call looks
 * at. Files at the store are those of a modelled database (t/support/model.h).
 */
#include "engine/replica/compact.h"
#include "engine/replica/retain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "t/support/faultstore.h"
#include "t/support/heads.h"
#include "t/support/listing.h"
#include "t/support/memstore.h"
#include "t/support/model.h"
#include "t/support/tempdir.h"

#define T0 1700000000000

typedef struct fixture {
    model *m;
    ls_storage *inner, *s;
} fixture;

static fixture begin(bool copies) {
    fixture f = {.m = model_new(3, 512), .inner = memstore_new(copies)};
    f.s = faultstore_new(f.inner);
    return f;
}

static void end(fixture *f) {
    ls_err err = LS_ERR_INIT;
    must(model_check_files(f->m, f->inner, &err), &err);
    ls_storage_free(f->s);
    ls_storage_free(f->inner);
    model_free(f->m);
}

/* n TXIDs, a second each, at level 0. */
static void steps(fixture *f, int n) {
    ls_err err = LS_ERR_INIT;
    for (int i = 0; i < n; i++) {
        ls_txid t = model_txid(f->m) + 1;
        must(model_step(f->m, T0 + (int64_t)t * 1000, 8, 1, &err), &err);
        must(model_put(f->m, f->s, 0, t, t, &err), &err);
    }
}

static ls_code compact(ls_storage *s, int level, ls_compact_result *res, ls_err *err) {
    const ls_compact_opts opts = {.level = level};
    return ls_compact(s, &opts, res, err);
}

static void assert_level_0_is_reached(ls_storage *s) {
    ls_err err = LS_ERR_INIT;
    listing l;
    must(listing_read(&l, s, &err), &err);
    assert_int_equal(listing_unreached(&l, 0), 0);
    listing_done(&l);
}

/* ---- what is there already ---- */

/* The answer to a put was lost, and the store does not list the file yet. */
static void a_file_that_is_there_already(void **state) {
    (void)state;
    for (int n = 1; n <= 5; n += 4) { /* sources: copied, merged */
        fixture f = begin(true);
        ls_err err = LS_ERR_INIT;
        ls_compact_result res;
        steps(&f, n);
        faultstore_script(f.s, STORE_ANY, STORE_LOST, 1);
        assert_int_equal(compact(f.s, 1, &res, &err), LS_EIO);
        faultstore_script(f.s, STORE_LIST, STORE_STALE, 1);
        must(compact(f.s, 1, &res, &err), &err);
        assert_true(res.existed);
        assert_int_equal(res.file.min_txid, 1);
        assert_int_equal(res.file.max_txid, n);
        assert_int_equal(res.file.created_ms, T0 + n * 1000);
        assert_int_equal(res.sent, 0);
        assert_int_equal(memstore_count(f.inner, 1, NULL), 1);
        must(compact(f.s, 1, &res, &err), &err);
        assert_int_equal(res.file.max_txid, 0);
        end(&f);
    }
}

/* It is of another database: nothing is replaced. */
static void a_file_of_somebody_else(void **state) {
    (void)state;
    for (int n = 1; n <= 5; n += 4) {
        fixture f = begin(true);
        ls_err err = LS_ERR_INIT;
        ls_compact_result res;
        model *other = model_new(4, 512);
        for (int i = 1; i <= n; i++) {
            must(model_step(other, T0 + i * 1000 + 1, 8, 1, &err), &err);
        }
        steps(&f, n);
        const ls_ltx_info theirs = {.level = 1, .min_txid = 1, .max_txid = (ls_txid)n};
        must(model_put(other, f.s, 1, 1, (ls_txid)n, &err), &err);
        faultstore_script(f.s, STORE_LIST, STORE_STALE, 1);
        assert_int_equal(compact(f.s, 1, &res, &err), LS_EDIVERGED);
        assert_non_null(strstr(err.msg, "with other contents"));
        assert_true(strlen(ls_err_hint(&err)) > 0);
        assert_false(res.existed);
        must(model_check_file(other, f.inner, &theirs, &err), &err);
        model_free(other);
        remove_file(f.s, 1, 1, (ls_txid)n);
        must(compact(f.s, 1, &res, &err), &err);
        end(&f);
    }
}

static void a_store_that_cannot_copy(void **state) {
    (void)state;
    fixture f = begin(false);
    ls_err err = LS_ERR_INIT;
    ls_compact_result res;
    steps(&f, 1);
    for (int level = 1; level <= 8; level++) {
        must(compact(f.s, level, &res, &err), &err);
        assert_false(res.copied);
        assert_int_equal(res.sent, res.file.size);
        assert_true(res.sent > 0);
    }
    remove_file(f.s, 0, 1, 1);
    must(model_check_restore(f.m, f.inner, 1, &err), &err);
    end(&f);
}

/* ---- cancelled ---- */

typedef ls_code (*cancelled_job)(ls_storage *s, const ls_cancel *cancel, const char *spill,
                                 ls_err *err);

static ls_code merge_job(ls_storage *s, const ls_cancel *cancel, const char *spill, ls_err *err) {
    const ls_compact_opts opts = {.level = 1, .spill_dir = spill, .cancel = cancel, .verify = true};
    return ls_compact(s, &opts, NULL, err);
}

static const ls_retain_policy everything_old = {
    .snapshot_retention_ms = 1, .l0_retention_ms = 1, .remote = true};

static ls_code l0_job(ls_storage *s, const ls_cancel *cancel, const char *spill, ls_err *err) {
    (void)spill;
    ls_retain_policy policy = everything_old;
    policy.cancel = cancel;
    return ls_retain_l0(s, &policy, INT64_MAX, NULL, NULL, err);
}

static ls_code snapshots_job(ls_storage *s, const ls_cancel *cancel, const char *spill,
                             ls_err *err) {
    (void)spill;
    ls_retain_policy policy = everything_old;
    policy.cancel = cancel;
    return ls_retain_snapshots(s, &policy, INT64_MAX, NULL, NULL, err);
}

/* Cancels the job at request n of a run on a copy, and runs it again. False: it has fewer. */
static bool cancel_at(const fixture *f, cancelled_job job, const char *spill, long n, int *count) {
    ls_err err = LS_ERR_INIT;
    ls_cancel cancel = {.set = false};
    ls_storage *inner = memstore_clone(f->inner);
    ls_storage *s = faultstore_new(inner);
    faultstore_cancels(s, &cancel);
    faultstore_script(s, STORE_ANY, STORE_SLOW, n);
    ls_code rc = job(s, &cancel, spill, &err);
    assert_true(rc == LS_OK || rc == LS_ECANCELED);
    *count += rc == LS_ECANCELED;
    bool hit = faultstore_hits(s) > 0;
    must(model_check_files(f->m, inner, &err), &err);
    must(model_check_restore(f->m, inner, model_txid(f->m), &err), &err);
    assert_level_0_is_reached(inner);
    must(job(inner, NULL, spill, &err), &err);
    must(model_check_files(f->m, inner, &err), &err);
    must(model_check_restore(f->m, inner, model_txid(f->m), &err), &err);
    ls_storage_free(s);
    ls_storage_free(inner);
    return hit;
}

static void cancelled_at_any_request(void **state) {
    static const cancelled_job jobs[] = {merge_job, l0_job, snapshots_job};
    fixture f = begin(true);
    ls_err err = LS_ERR_INIT;
    char *spill = tempdir_path(state, "spill");
    must(ls_mkdirs(spill, &LS_PERM_PRIVATE, &err), &err);
    for (int day = 0; day < 3; day++) {
        steps(&f, 6);
        must(compact(f.s, 1, NULL, &err), &err);
        must(model_put(f.m, f.s, 9, 1, model_txid(f.m), &err), &err);
    }
    steps(&f, 6);
    for (size_t i = 0; i < 3; i++) {
        int count = 0;
        for (long n = 1; cancel_at(&f, jobs[i], spill, n, &count); n++) {
        }
        assert_true(count > 0);
    }
    assert_int_equal(rmdir(spill), 0);
    free(spill);
    end(&f);
}

/* ---- large levels: files that are headers only, as nothing reads them ---- */

static int64_t head_time(ls_txid txid) { return T0 + (int64_t)txid; }

static void put_heads(ls_storage *s, int level, ls_txid from, ls_txid to) {
    for (ls_txid t = from; t <= to; t++) {
        put_head(s, level, t, t, head_time(t));
    }
}

/* More than retention holds in memory (262144). */
static void retention_of_a_level_that_is_listed_anew(void **state) {
    (void)state;
    const ls_txid last = 270000;
    ls_storage *s = memstore_new(true);
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    put_heads(s, 1, 1, last);
    put_head(s, 2, 1, 20, head_time(20));
    put_head(s, 2, 21, last, head_time(last));
    put_head(s, 9, 1, 10, head_time(10));
    put_head(s, 9, 1, 20, head_time(20));
    put_head(s, 9, 1, 150000, head_time(150000));
    const ls_retain_policy policy = {.snapshot_retention_ms = 1000, .remote = true};
    int64_t now = T0 + 20 + 1000 + 1;
    must(ls_retain_snapshots(s, &policy, now, NULL, &res, &err), &err);
    assert_int_equal(res.deleted[9], 1); /* 1-10; the floor is 10 */
    assert_int_equal(res.deleted[1], 9);
    assert_int_equal(res.deleted[2], 0);
    /* A hole that neither level 2 nor a snapshot gets across. */
    remove_file(s, 1, 200000, 200000);
    remove_file(s, 2, 21, last);
    now = T0 + 150000 + 1000 + 1;
    assert_int_equal(ls_retain_snapshots(s, &policy, now, NULL, &res, &err), LS_EGAP);
    assert_int_equal(memstore_count(s, 9, NULL), 2);
    assert_int_equal(memstore_count(s, 1, NULL), last - 10);
    put_head(s, 9, 1, 200001, head_time(200001));
    must(ls_retain_snapshots(s, &policy, now, NULL, &res, &err), &err);
    assert_int_equal(res.deleted[9], 1);
    assert_int_equal(res.deleted[1], 10); /* 10..19 */
    assert_int_equal(memstore_count(s, 1, NULL), last - 20);
    ls_storage_free(s);
}

/* At most 65536 files a call; the next ones go on. To none that is left the way is lost. */
static void retention_of_a_large_level_0(void **state) {
    (void)state;
    const ls_txid last = 150000;
    ls_storage *s = memstore_new(true);
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    put_heads(s, 0, 1, last);
    put_head(s, 1, 1, 100, head_time(100));
    put_head(s, 1, 101, last, head_time(last));
    size_t left = last;
    for (int calls = 0; left > 1; calls++) {
        assert_true(calls < 4);
        must(ls_retain_l0(s, &everything_old, INT64_MAX, NULL, &res, &err), &err);
        assert_true(res.deleted[0] > 0);
        left -= res.deleted[0];
        assert_int_equal(memstore_count(s, 0, NULL), left);
        assert_level_0_is_reached(s);
    }
    const ls_ltx_info newest = {.level = 0, .min_txid = last, .max_txid = last};
    ls_reader *in;
    must(ls_storage_open_range(s, &newest, 0, 0, &in, &err), &err);
    ls_reader_close(in);
    ls_storage_free(s);
}

/* More files than one compaction takes (65536): the rest goes with the next. */
static void compaction_of_a_large_level(void **state) {
    (void)state;
    fixture f = begin(true);
    ls_err err = LS_ERR_INIT;
    ls_compact_result res;
    steps(&f, 65536 + 100);
    must(compact(f.s, 1, &res, &err), &err);
    assert_int_equal(res.sources, 65536);
    assert_int_equal(res.file.max_txid, 65536);
    assert_true(res.more);
    must(compact(f.s, 1, &res, &err), &err);
    assert_int_equal(res.sources, 100);
    assert_false(res.more);
    must(ls_retain_l0(f.s, &everything_old, INT64_MAX, NULL, NULL, &err), &err);
    must(model_check_restore(f.m, f.inner, 65536, &err), &err);
    must(model_check_restore(f.m, f.inner, 65636, &err), &err);
    end(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_is_there_already),
        cmocka_unit_test(a_file_of_somebody_else),
        cmocka_unit_test(a_store_that_cannot_copy),
        unit_test_in_tempdir(cancelled_at_any_request),
        cmocka_unit_test(retention_of_a_level_that_is_listed_anew),
        cmocka_unit_test(retention_of_a_large_level_0),
        cmocka_unit_test(compaction_of_a_large_level),
    };
    return cmocka_run_group_tests_name("levels", tests, NULL, NULL);
}
