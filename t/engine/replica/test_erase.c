/* Deleting a replica: cut short at every request, what remains restores right or is refused. */
#include "engine/replica/erase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/replica/retain.h"
#include "t/engine/replica/levels.h"
#include "t/support/faultstore.h"
#include "t/support/memstore.h"

#define NEWEST 16
/* Restores: the latest, each TXID, the moment behind each. */
#define POINTS (2 * NEWEST + 1)

/* Time of a TXID in chains. */
static int64_t time_of(ls_txid txid) { return 1700000000000 + (int64_t)txid * 1000; }

typedef struct image {
    uint8_t *data; /* NULL: refused */
    size_t len;
} image;

static image restore_point(ls_storage *s, int point) {
    ls_err err = LS_ERR_INIT;
    ls_plan plan = {0};
    ls_restore_result res;
    image im = {0};
    ls_txid txid = point <= NEWEST ? (ls_txid)point : 0;
    int64_t ms = point <= NEWEST ? LS_NO_TIMESTAMP : time_of((ls_txid)(point - NEWEST)) + 1;
    if (ls_plan_make(s, txid, ms, &plan, &err) == LS_OK) {
        im.data = rebuild_in_memory(s, &plan, 1, &im.len, &res, &err);
        assert_non_null(im.data);
    }
    ls_plan_done(&plan);
    return im;
}

static void copy_all(ls_storage *from, ls_storage *to) {
    ls_err err = LS_ERR_INIT;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        ls_storage_iter *it;
        must(ls_storage_list(from, level, 0, &it, &err), &err);
        for (bool end = false; !end;) {
            ls_ltx_info f;
            ls_reader *r;
            must(ls_storage_iter_next(it, &f, &end, &err), &err);
            if (!end) {
                must(ls_storage_open_range(from, &f, 0, 0, &r, &err), &err);
                must(ls_storage_put(to, &f, r, true, NULL, &err), &err);
                ls_reader_close(r);
            }
        }
        ls_storage_iter_free(it);
    }
}

/* Snapshots 4, 8, 12 and 16 with levels below them, some of whose files went: what led from one
 * snapshot to the next is not everywhere. */
static ls_storage *make_replica(void **state) {
    ls_err err = LS_ERR_INIT;
    chain c;
    chain_init(&c, *state, "replica", 4096);
    for (int i = 1; i <= NEWEST / 2; i++) {
        chain_steps(&c, 2);
        (void)compact_to(c.s, 1);
        if (i % 2 == 0) {
            (void)compact_to(c.s, 2);
            chain_snapshot(&c, 9, 1);
        }
    }
    const ls_retain_policy policy = {
        .snapshot_retention_ms = 60000, .l0_retention_ms = 60000, .remote = true};
    must(ls_retain_l0(c.s, &policy, time_of(10) + 60000, NULL, NULL, &err), &err);
    lose(c.s, 1, 7, 8);
    lose(c.s, 2, 5, 8);
    ls_storage *s = memstore_new(true);
    copy_all(c.s, s);
    chain_done(&c);
    return s;
}

static void count_failed(void *arg, const ls_ltx_info *file, const ls_err *why) {
    size_t *n = arg;
    assert_true(file->max_txid > 0 && why->msg[0] != '\0');
    ++*n;
}

static ls_code erase(ls_storage *s, ls_erase_result *res, size_t *failed, ls_err *err) {
    ls_erase *e;
    *failed = 0;
    ls_err_clear(err);
    ls_code code = ls_erase_new(s, &e, err);
    if (code == LS_OK) {
        code = ls_erase_run(e, NULL, count_failed, failed, res, err);
        ls_erase_free(e);
    }
    return code;
}

static size_t count_files(ls_storage *s) {
    size_t n = 0;
    uint64_t bytes;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        n += memstore_count(s, level, &bytes);
    }
    return n;
}

/* How many of the points restore; each as it was before. */
static int compare(ls_storage *s, const image before[POINTS]) {
    int n = 0;
    for (int i = 0; i < POINTS; i++) {
        image im = restore_point(s, i);
        if (im.data != NULL) {
            n++;
            assert_non_null(before[i].data);
            assert_int_equal(im.len, before[i].len);
            assert_memory_equal(im.data, before[i].data, im.len);
        }
        free(im.data);
    }
    return n;
}

static void cut_short_anywhere(void **state) {
    static const store_fault faults[] = {STORE_DOWN, STORE_GONE, STORE_BREAK};
    ls_err err = LS_ERR_INIT;
    ls_erase_result res;
    size_t failed;
    image before[POINTS];
    int some = 0, most = 0;
    ls_storage *origin = make_replica(state);
    for (int i = 0; i < POINTS; i++) {
        before[i] = restore_point(origin, i);
        most += before[i].data != NULL ? 1 : 0;
    }
    assert_true(most > POINTS / 2);
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++) {
        for (long n = 1;; n++) {
            ls_storage *inner = memstore_clone(origin), *s = faultstore_new(inner);
            faultstore_script(s, STORE_REMOVE, faults[k], n);
            ls_code code = erase(s, &res, &failed, &err);
            bool hit = faultstore_hits(s) > 0;
            assert_int_equal(failed, res.failed);
            assert_true(hit ? code != LS_OK || faults[k] == STORE_BREAK : code == LS_OK);
            int left = compare(inner, before);
            some += left > 0 && left < most ? 1 : 0;
            faultstore_up(s);
            faultstore_script(s, STORE_REMOVE, faults[k], 0);
            must(erase(s, &res, &failed, &err), &err); /* goes on with it */
            assert_int_equal(count_files(inner), 0);
            ls_storage_free(s);
            ls_storage_free(inner);
            if (!hit) {
                assert_true(n > 5);
                break;
            }
        }
    }
    assert_true(some > 10); /* the order was put to the test */
    for (int i = 0; i < POINTS; i++) {
        free(before[i].data);
    }
    ls_storage_free(origin);
}

static void what_is_told_before(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_erase *e;
    ls_storage *s = make_replica(state);
    must(ls_erase_new(s, &e, &err), &err);
    const ls_erase_summary *sum = ls_erase_summary_of(e);
    uint64_t bytes = 0, level_bytes;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        (void)memstore_count(s, level, &level_bytes);
        bytes += level_bytes;
    }
    assert_int_equal(sum->files, count_files(s));
    assert_true(sum->bytes == bytes && bytes > 0);
    assert_int_equal(sum->first, 1);
    assert_int_equal(sum->last, NEWEST);
    assert_int_equal(sum->newest_ms, time_of(NEWEST));
    assert_true(sum->oldest_ms <= time_of(4) && sum->oldest_ms >= time_of(1));
    assert_false(sum->others_known);
    ls_erase_free(e);
    assert_true(count_files(s) > 0); /* nothing was deleted */
    ls_storage_free(s);
}

/* A file that appears after the listing is told, and stays. */
static void another_writer(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_erase_result res;
    ls_erase *e;
    ls_storage *s = make_replica(state), *more = memstore_new(true);
    ls_storage *empty = memstore_clone(more);
    copy_all(s, more);
    must(ls_erase_new(empty, &e, &err), &err);
    copy_all(s, empty);
    assert_int_equal(ls_erase_run(e, NULL, NULL, NULL, &res, &err), LS_EDIVERGED);
    assert_non_null(strstr(ls_err_hint(&err), "another process"));
    assert_int_equal(res.deleted, 0);
    ls_erase_free(e);
    ls_storage_free(empty);
    ls_storage_free(more);
    ls_storage_free(s);
}

static void interrupted(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_erase_result res;
    ls_cancel cancel = {0};
    ls_erase *e;
    ls_storage *s = make_replica(state);
    size_t before = count_files(s);
    must(ls_erase_new(s, &e, &err), &err);
    ls_cancel_set(&cancel);
    assert_int_equal(ls_erase_run(e, &cancel, NULL, NULL, &res, &err), LS_ECANCELED);
    assert_int_equal(count_files(s), before);
    ls_erase_free(e);
    ls_storage_free(s);
}

/* Names that are no files of a level stay and are told; so does a replica of version 0.3. */
static void other_names_stay(void **state) {
    static const char *const names[] = {
        "ltx/0/notes.txt", "ltx/0/0000000000000001-0000000000000001.ltx.tmp", "ltx/README",
        "ltx/0/old/0000000000000001-0000000000000001.ltx",
        "generations/0123456789abcdef/snapshots/00000000.snapshot.lz4"};
    ls_err err = LS_ERR_INIT;
    ls_erase_result res;
    ls_erase *e;
    chain c;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 3);
    char *paths[5];
    for (size_t i = 0; i < 5; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, "replica/%s", names[i]);
        paths[i] = tempdir_path(state, name);
        char *folder = strdup(paths[i]);
        *strrchr(folder, '/') = '\0';
        must(ls_mkdirs(folder, &LS_PERM_PRIVATE, &err), &err);
        put_file(paths[i], "x", 1);
        free(folder);
    }
    must(ls_erase_new(c.s, &e, &err), &err);
    assert_int_equal(ls_erase_summary_of(e)->files, 3);
    assert_true(ls_erase_summary_of(e)->others_known);
    assert_int_equal(ls_erase_summary_of(e)->others, 4);
    assert_int_equal(ls_erase_summary_of(e)->v3, 1);
    assert_non_null(ls_erase_other(e, 3));
    assert_null(ls_erase_other(e, 4));
    must(ls_erase_run(e, NULL, NULL, NULL, &res, &err), &err);
    assert_int_equal(res.deleted, 3);
    assert_level(c.s, 0, "");
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(access(paths[i], F_OK), 0);
        free(paths[i]);
    }
    ls_erase_free(e);
    chain_done(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(cut_short_anywhere), unit_test_in_tempdir(what_is_told_before),
        unit_test_in_tempdir(another_writer),     unit_test_in_tempdir(interrupted),
        unit_test_in_tempdir(other_names_stay),
    };
    return cmocka_run_group_tests_name("replica erase", tests, NULL, NULL);
}
