/*
 * What a metered store counts, against a folder (engine/store/meter.c).
 */
#include "engine/base/buf.h"
#include "engine/ltx/encoder.h"
#include "engine/replica/guard.h"
#include "engine/store/meter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t/support/dbkit.h"
#include "t/support/tempdir.h"

typedef struct fixture {
    char *dir;
    ls_meter meter;
    ls_levels levels;
    ls_storage *s;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof(*f));
    ls_err err = LS_ERR_INIT;
    ls_storage *inner = NULL;
    assert_non_null(f);
    if (tempdir_setup((void **)&f->dir) != 0) {
        return -1;
    }
    ls_meter_init(&f->meter);
    ls_levels_init(&f->levels);
    must(ls_storage_open_file(f->dir, NULL, &inner, &err), &err);
    must(ls_metered_new(inner, &f->meter, &f->levels, &f->s, &err), &err);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_storage_free(f->s);
    ls_levels_done(&f->levels);
    ls_meter_done(&f->meter);
    int rc = tempdir_teardown((void **)&f->dir);
    free(f);
    return rc;
}

/* ---- Verbs ---- */

static ls_ltx_info file_of(int level, ls_txid min, ls_txid max) {
    return (ls_ltx_info){.level = level, .min_txid = min, .max_txid = max};
}

/* A file with an LTX header for these TXIDs; its time is 1000 * max. */
static ls_ltx_info put(fixture *f, int level, ls_txid min, ls_txid max) {
    ls_err err = LS_ERR_INIT;
    ls_ltx_info file = file_of(level, min, max), out = {0};
    uint8_t page[512] = {0};
    ls_buf buf;
    ls_buf_writer w;
    ls_ltx_encoder *enc = NULL;
    ls_buf_init(&buf, 1 << 16);
    ls_buf_writer_init(&w, &buf);
    const ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                             .page_size = 512,
                             .commit = 1,
                             .min_txid = min,
                             .max_txid = max,
                             .timestamp = 1000 * (int64_t)max};
    must(ls_ltx_encoder_new(&w.base, &h, NULL, &enc, &err), &err);
    must(ls_ltx_encoder_page(enc, 1, page, sizeof(page), &err), &err);
    must(ls_ltx_encoder_close(enc, 0, NULL, &err), &err);
    ls_ltx_encoder_free(enc);
    ls_reader *in = ls_mem_reader_new(buf.data, buf.len);
    must(ls_storage_put(f->s, &file, in, true, &out, &err), &err);
    ls_reader_close(in);
    file.size = out.size;
    file.created_ms = out.created_ms;
    ls_buf_done(&buf);
    return file;
}

static void list(fixture *f, int level, ls_txid seek, size_t most) {
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it = NULL;
    ls_ltx_info file;
    must(ls_storage_list(f->s, level, seek, &it, &err), &err);
    for (bool end = false; !end && most > 0; most--) {
        must(ls_storage_iter_next(it, &file, &end, &err), &err);
    }
    ls_storage_iter_free(it);
}

static void list_all(fixture *f) {
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        list(f, level, 0, SIZE_MAX);
    }
}

static ls_level_state level(fixture *f, int number, int64_t *at) {
    ls_level_state levels[LS_LTX_LEVEL_MAX + 1];
    ls_levels_read(&f->levels, levels, at);
    return levels[number];
}

static const ls_op_total *total(fixture *f, ls_store_op op) {
    static ls_totals t;
    ls_meter_read(&f->meter, &t);
    for (size_t i = 0; i < t.n_ops; i++) {
        if (t.ops[i].op == op) {
            return &t.ops[i];
        }
    }
    return NULL;
}

/* ---- Tests ---- */

static void levels_are_known_from_whole_listings(void **state) {
    fixture *f = *state;
    int64_t at;
    ls_ltx_info a = put(f, 0, 1, 1), b = put(f, 0, 2, 2);
    (void)level(f, 0, &at);
    assert_int_equal(at, -1);
    list(f, 0, 2, SIZE_MAX);
    list(f, 0, 0, 1);
    assert_int_equal(level(f, 0, &at).files, 0); /* neither was all of it */
    list_all(f);
    ls_level_state l = level(f, 0, &at);
    assert_true(at > 0);
    assert_int_equal(l.files, 2);
    assert_int_equal(l.bytes, a.size + b.size);
    assert_int_equal(l.first, 1);
    assert_int_equal(l.last, 2);
    assert_int_equal(l.oldest_ms, a.created_ms);
    assert_int_equal(l.newest_ms, b.created_ms);
}

static void levels_are_kept_up_with_changes(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    int64_t at;
    ls_ltx_info out, to;
    list_all(f);
    ls_ltx_info a = put(f, 0, 1, 1), b = put(f, 0, 2, 2), c = put(f, 0, 3, 3);
    assert_int_equal(level(f, 0, &at).files, 3);
    assert_int_equal(level(f, 0, &at).bytes, a.size + b.size + c.size);
    to = file_of(1, 1, 1);
    must(ls_storage_copy(f->s, &a, &to, true, &out, &err), &err);
    assert_int_equal(level(f, 1, &at).files, 1);
    assert_int_equal(level(f, 1, &at).bytes, a.size);
    const ls_ltx_info gone[] = {a, b};
    must(ls_storage_remove(f->s, gone, 2, &err), &err);
    ls_level_state l = level(f, 0, &at);
    assert_int_equal(l.files, 1);
    assert_int_equal(l.bytes, c.size);
    assert_int_equal(l.first, 3);
    assert_int_equal(l.last, 3);
    must(ls_storage_remove(f->s, &c, 1, &err), &err);
    l = level(f, 0, &at);
    assert_true(l.files == 0 && l.bytes == 0 && l.first == 0 && l.last == 0 && l.newest_ms == -1);
    list_all(f);
    assert_int_equal(level(f, 0, &at).files, 0);
    assert_int_equal(level(f, 1, &at).files, 1);
}

/* It may have passed the place of a file that was put meanwhile. */
static void a_listing_beside_a_change_does_not_count(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it = NULL;
    ls_ltx_info file;
    int64_t at;
    (void)put(f, 0, 1, 1);
    list_all(f);
    must(ls_storage_list(f->s, 0, 0, &it, &err), &err);
    (void)put(f, 0, 2, 2);
    for (bool end = false; !end;) {
        must(ls_storage_iter_next(it, &file, &end, &err), &err);
    }
    ls_storage_iter_free(it);
    assert_int_equal(level(f, 0, &at).files, 2);
}

static void requests_are_counted(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_reader *r = NULL;
    uint8_t buf[10000];
    size_t got;
    ls_ltx_info a = put(f, 0, 1, 1);
    assert_int_equal(total(f, LS_OP_PUT)->count, 1);
    assert_int_equal(total(f, LS_OP_PUT)->bytes, a.size);
    assert_null(total(f, LS_OP_GET));
    must(ls_storage_open_range(f->s, &a, 0, 0, &r, &err), &err);
    must(ls_read_full(r, buf, sizeof(buf), &got, &err), &err);
    assert_null(total(f, LS_OP_GET)); /* it counts when it is over */
    ls_reader_close(r);
    assert_int_equal(total(f, LS_OP_GET)->bytes, a.size);
    list_all(f);
    assert_int_equal(total(f, LS_OP_LIST)->count, LS_LTX_LEVEL_MAX + 1);
    must(ls_storage_remove(f->s, &a, 1, &err), &err);
    assert_int_equal(total(f, LS_OP_DELETE)->count, 1);
    assert_int_equal(ls_storage_open_range(f->s, &a, 0, 0, &r, &err), LS_ENOTFOUND);
    assert_int_equal(total(f, LS_OP_GET)->count, 2);
    assert_int_equal(total(f, LS_OP_GET)->failed[LS_ENOTFOUND], 1);
    assert_int_equal(total(f, LS_OP_GET)->within[LS_OP_BUCKETS - 1], 2);
    assert_string_equal(total(f, LS_OP_GET)->replica_type, "file");
}

/* ---- What a store can, one that counts or guards can too ---- */

static ls_code tell_exact(ls_storage *s, ls_ltx_info *file, ls_err *err) {
    (void)s;
    (void)err;
    file->created_ms = 77;
    return LS_OK;
}

static void free_nothing(ls_storage *s) { (void)s; }

static void exact_times_go_through(void **state) {
    static const ls_storage_ops with = {.type = "s3", .exact = tell_exact, .free = free_nothing},
                                without = {.type = "file", .free = free_nothing};
    static char url[] = "s3://b";
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    const ls_guard guard = {.ours = 0};
    for (int i = 0; i < 2; i++) {
        ls_storage inner = {.ops = i == 0 ? &with : &without, .url = url}, *metered, *guarded;
        ls_ltx_info file = file_of(0, 1, 1);
        must(ls_metered_new(&inner, &f->meter, NULL, &metered, &err), &err);
        must(ls_guard_new(metered, &guard, &guarded, &err), &err);
        must(ls_storage_exact(guarded, &file, 1, &err), &err);
        assert_int_equal(file.created_ms, i == 0 ? 77 : 0);
        ls_storage_free(guarded);
        ls_storage_free(metered);
    }
    assert_string_equal(total(f, LS_OP_GET)->replica_type, "s3");
    assert_int_equal(total(f, LS_OP_GET)->count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(levels_are_known_from_whole_listings),
        TEST(levels_are_kept_up_with_changes),
        TEST(a_listing_beside_a_change_does_not_count),
        TEST(requests_are_counted),
        TEST(exact_times_go_through),
    };
    return cmocka_run_group_tests_name("meter", tests, NULL, NULL);
}
