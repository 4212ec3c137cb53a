/*
 * The conformance suite of stores, see conformance.h. Data are bytes that begin with an LTX header:
 * a store looks at nothing else.
 */
#include "t/backends/conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#define T0 1700000000123

static ls_storage *store_of(void **state) { return ((conformance *)*state)->s; }

static ls_ltx_info named(int level, ls_txid min, ls_txid max) {
    return (ls_ltx_info){.level = level, .min_txid = min, .max_txid = max};
}

void conformance_ok(ls_code code, const ls_err *err) {
    if (code != LS_OK) {
        fail_msg("%s: %s", ls_code_name(code), err->msg);
    }
}

uint8_t *conformance_bytes(ls_txid min, ls_txid max, int64_t timestamp_ms, size_t n) {
    assert_true(n >= LS_LTX_HEADER_SIZE);
    uint8_t *data = malloc(n);
    assert_non_null(data);
    const ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                             .page_size = 4096,
                             .commit = 1,
                             .min_txid = min,
                             .max_txid = max,
                             .timestamp = timestamp_ms};
    ls_ltx_header_encode(&h, data);
    for (size_t i = LS_LTX_HEADER_SIZE; i < n; i++) {
        data[i] = (uint8_t)(i * 131 + (i >> 8) * 17 + min);
    }
    return data;
}

void conformance_put(ls_storage *s, int level, ls_txid min, ls_txid max, int64_t timestamp_ms,
                     size_t n) {
    uint8_t *data = conformance_bytes(min, max, timestamp_ms, n);
    ls_reader *in = ls_mem_reader_new(data, n);
    assert_non_null(in);
    ls_err err = LS_ERR_INIT;
    const ls_ltx_info file = named(level, min, max);
    ls_ltx_info out;
    conformance_ok(ls_storage_put(s, &file, in, false, &out, &err), &err);
    assert_int_equal(out.level, level);
    assert_int_equal(out.min_txid, min);
    assert_int_equal(out.max_txid, max);
    assert_int_equal(out.size, n);
    assert_int_equal(out.created_ms, timestamp_ms);
    ls_reader_close(in);
    free(data);
}

uint8_t *conformance_read(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                          size_t *got) {
    ls_err err = LS_ERR_INIT;
    ls_reader *r;
    conformance_ok(ls_storage_open_range(s, file, off, len, &r, &err), &err);
    const size_t cap = 8u << 20;
    uint8_t *data = malloc(cap);
    assert_non_null(data);
    conformance_ok(ls_read_full(r, data, cap, got, &err), &err);
    assert_true(*got < cap);
    ls_reader_close(r);
    return data;
}

/* A reader that gives odd numbers of bytes a call, and an error after fail_after bytes. */
typedef struct slow_reader {
    ls_reader base;
    const uint8_t *data;
    size_t len, pos, step, fail_after;
} slow_reader;

static ls_code slow_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    slow_reader *s = (slow_reader *)r;
    *got = 0;
    if (s->pos >= s->fail_after) {
        return ls_fail(err, LS_EIO, "the stream broke");
    }
    s->step = s->step * 7 % 4093 + 1;
    size_t n = s->len - s->pos < s->step ? s->len - s->pos : s->step;
    n = n < len ? n : len;
    memcpy(buf, s->data + s->pos, n);
    s->pos += n;
    *got = n;
    return LS_OK;
}

void conformance_list(ls_storage *s, int level, ls_txid seek, const char *expected) {
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    conformance_ok(ls_storage_list(s, level, seek, &it, &err), &err);
    char text[4096] = "";
    for (;;) {
        ls_ltx_info file;
        bool end;
        conformance_ok(ls_storage_iter_next(it, &file, &end, &err), &err);
        if (end) {
            break;
        }
        assert_int_equal(file.level, level);
        size_t len = strlen(text);
        int n = snprintf(text + len, sizeof text - len, "%s%llx-%llx", len > 0 ? " " : "",
                         (unsigned long long)file.min_txid, (unsigned long long)file.max_txid);
        assert_true(n > 0 && (size_t)n < sizeof text - len);
    }
    bool end = false;
    ls_ltx_info file;
    conformance_ok(ls_storage_iter_next(it, &file, &end, &err), &err); /* the end stays the end */
    assert_true(end);
    ls_storage_iter_free(it);
    assert_string_equal(text, expected);
}

/* The time that a listing gave, as far as the store keeps it. */
static void assert_time(const conformance *c, const ls_ltx_info *listed, int64_t ms) {
    int64_t step = c->time_step > 0 ? c->time_step : 1;
    if (c->keeps_time) {
        assert_int_equal(listed->created_ms, ms - ms % step);
    }
}

/* ---- listing ---- */

static void empty_store(void **state) {
    ls_storage *s = store_of(state);
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        conformance_list(s, level, 0, "");
        conformance_list(s, level, 5, "");
    }
    ls_err err = LS_ERR_INIT;
    ls_txid max = 99;
    ls_ltx_info newest = {.min_txid = 99};
    conformance_ok(ls_storage_newest(s, &max, &newest, &err), &err);
    assert_int_equal(max, 0);
    assert_int_equal(newest.min_txid, 0);
    assert_int_equal(newest.max_txid, 0);
}

static void list_is_sorted(void **state) {
    ls_storage *s = store_of(state);
    static const ls_txid names[][2] = {{0x10, 0x10}, {2, 2},    {1, 9},          {0xa, 0xa},
                                       {1, 1},       {2, 0x20}, {0x100, 0x1000}, {9, 9}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        conformance_put(s, 3, names[i][0], names[i][1], T0, 200);
    }
    conformance_list(s, 3, 0, "1-1 1-9 2-2 2-20 9-9 a-a 10-10 100-1000");
}

static void list_seeks_by_min_txid(void **state) {
    ls_storage *s = store_of(state);
    conformance_put(s, 1, 1, 1, T0, 200);
    conformance_put(s, 1, 2, 4, T0, 200);
    conformance_put(s, 1, 5, 5, T0, 200);
    conformance_put(s, 1, 0xfffffffffffffffe, 0xffffffffffffffff, T0, 200);
    conformance_list(s, 1, 1, "1-1 2-4 5-5 fffffffffffffffe-ffffffffffffffff");
    conformance_list(s, 1, 2, "2-4 5-5 fffffffffffffffe-ffffffffffffffff");
    conformance_list(s, 1, 3, "5-5 fffffffffffffffe-ffffffffffffffff"); /* 2-4 spans 3 only */
    conformance_list(s, 1, 6, "fffffffffffffffe-ffffffffffffffff");
    conformance_list(s, 1, UINT64_MAX, "");
}

static void levels_are_apart(void **state) {
    ls_storage *s = store_of(state);
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        conformance_put(s, level, 1, (ls_txid)level + 1, T0, 200);
    }
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        char expected[16];
        (void)snprintf(expected, sizeof expected, "1-%x", (unsigned)level + 1);
        conformance_list(s, level, 0, expected);
    }
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    assert_int_equal(ls_storage_list(s, 10, 0, &it, &err), LS_EINVALID);
    assert_int_equal(ls_storage_list(s, -1, 0, &it, &err), LS_EINVALID);
}

static void list_gives_size_and_time(void **state) {
    ls_storage *s = store_of(state);
    conformance_put(s, 0, 1, 1, T0, 100);
    conformance_put(s, 0, 2, 2, T0 + 876, 70000);
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    conformance_ok(ls_storage_list(s, 0, 0, &it, &err), &err);
    ls_ltx_info a;
    ls_ltx_info b;
    bool end;
    conformance_ok(ls_storage_iter_next(it, &a, &end, &err), &err);
    conformance_ok(ls_storage_iter_next(it, &b, &end, &err), &err);
    assert_false(end);
    ls_storage_iter_free(it);
    assert_int_equal(a.size, 100);
    assert_int_equal(b.size, 70000);
    assert_time(*state, &a, T0);
    assert_time(*state, &b, T0 + 876);
    if (((conformance *)*state)->exact) {
        ls_ltx_info both[] = {a, b};
        conformance_ok(ls_storage_exact(s, both, 2, &err), &err);
        assert_int_equal(both[0].created_ms, T0);
        assert_int_equal(both[1].created_ms, T0 + 876);
    }
}

static void newest_over_all_levels(void **state) {
    ls_storage *s = store_of(state);
    conformance_put(s, 9, 1, 0x30, T0, 200);
    conformance_put(s, 2, 1, 0x28, T0, 200);
    conformance_put(s, 0, 0x21, 0x21, T0, 200);
    conformance_put(s, 0, 0x20, 0x20, T0, 200);
    ls_err err = LS_ERR_INIT;
    ls_txid max;
    ls_ltx_info newest;
    conformance_ok(ls_storage_newest(s, &max, &newest, &err), &err);
    assert_int_equal(max, 0x30);
    assert_int_equal(newest.min_txid, 0x21);
    assert_int_equal(newest.size, 200);
}

/* ---- reading ---- */

static void assert_range(ls_storage *s, const ls_ltx_info *file, const uint8_t *data, size_t size,
                         uint64_t off, uint64_t len) {
    size_t got;
    uint8_t *read = conformance_read(s, file, off, len, &got);
    size_t from = off < size ? (size_t)off : size;
    size_t want = len == 0 || len > size - from ? size - from : (size_t)len;
    assert_int_equal(got, want);
    assert_memory_equal(read, data + from, want);
    free(read);
}

static void ranges(void **state) {
    ls_storage *s = store_of(state);
    const size_t size = 300000;
    conformance_put(s, 4, 7, 9, T0, size);
    uint8_t *data = conformance_bytes(7, 9, T0, size);
    const ls_ltx_info file = named(4, 7, 9);
    const uint64_t offs[] = {0, 1, 99, 100, 65536, size - 1, size, size + 1, 1ull << 40, INT64_MAX};
    const uint64_t lens[] = {0, 1, 100, 65536, size - 1, size, size + 1, 1ull << 40, UINT64_MAX};
    for (size_t i = 0; i < sizeof offs / sizeof offs[0]; i++) {
        for (size_t j = 0; j < sizeof lens / sizeof lens[0]; j++) {
            assert_range(s, &file, data, size, offs[i], lens[j]);
        }
    }
    free(data);
}

static void open_what_is_not_there(void **state) {
    ls_storage *s = store_of(state);
    ls_err err = LS_ERR_INIT;
    ls_reader *r = (ls_reader *)1;
    ls_ltx_info file = named(0, 1, 1);
    assert_int_equal(ls_storage_open_range(s, &file, 0, 0, &r, &err), LS_ENOTFOUND);
    assert_null(r);
    conformance_put(s, 0, 1, 1, T0, 200);
    file = named(0, 1, 2);
    assert_int_equal(ls_storage_open_range(s, &file, 0, 0, &r, &err), LS_ENOTFOUND);
    assert_non_null(strstr(err.msg, "0000000000000001-0000000000000002.ltx"));
    file = named(1, 1, 1);
    assert_int_equal(ls_storage_open_range(s, &file, 0, 100, &r, &err), LS_ENOTFOUND);
}

/* A reader that is open goes on, whatever happens to the name meanwhile. */
static void two_readers_at_once(void **state) {
    ls_storage *s = store_of(state);
    conformance_put(s, 0, 1, 1, T0, 5000);
    uint8_t *data = conformance_bytes(1, 1, T0, 5000);
    const ls_ltx_info file = named(0, 1, 1);
    ls_err err = LS_ERR_INIT;
    ls_reader *a;
    ls_reader *b;
    conformance_ok(ls_storage_open_range(s, &file, 0, 0, &a, &err), &err);
    conformance_ok(ls_storage_open_range(s, &file, 1000, 2000, &b, &err), &err);
    uint8_t buf[3000];
    size_t got;
    conformance_ok(ls_read_full(a, buf, 500, &got, &err), &err);
    assert_memory_equal(buf, data, 500);
    conformance_ok(ls_read_full(b, buf, sizeof buf, &got, &err), &err);
    assert_int_equal(got, 2000);
    assert_memory_equal(buf, data + 1000, 2000);
    conformance_ok(ls_read_full(a, buf, 500, &got, &err), &err);
    assert_memory_equal(buf, data + 500, 500);
    ls_reader_close(a);
    ls_reader_close(b);
    free(data);
}

/* ---- writing ---- */

static void put_in_odd_pieces(void **state) {
    ls_storage *s = store_of(state);
    const size_t size = 900001;
    uint8_t *data = conformance_bytes(1, 1, T0, size);
    slow_reader in = {.base = {.read = slow_read}, .data = data, .len = size, .fail_after = ~0u};
    const ls_ltx_info file = named(9, 1, 1);
    ls_ltx_info out;
    ls_err err = LS_ERR_INIT;
    conformance_ok(ls_storage_put(s, &file, &in.base, true, &out, &err), &err);
    assert_int_equal(out.size, size);
    assert_range(s, &file, data, size, 0, 0);
    free(data);
}

static void put_replaces(void **state) {
    ls_storage *s = store_of(state);
    conformance_put(s, 0, 1, 1, T0, 5000);
    conformance_put(s, 0, 1, 1, T0 + 1000, 300);
    conformance_list(s, 0, 0, "1-1");
    uint8_t *data = conformance_bytes(1, 1, T0 + 1000, 300);
    const ls_ltx_info file = named(0, 1, 1);
    assert_range(s, &file, data, 300, 0, 0);
    free(data);
}

static void exclusive_put_does_not_replace(void **state) {
    ls_storage *s = store_of(state);
    uint8_t *data = conformance_bytes(1, 1, T0, 5000);
    const ls_ltx_info file = named(0, 1, 1);
    ls_err err = LS_ERR_INIT;
    ls_reader *in = ls_mem_reader_new(data, 5000);
    conformance_ok(ls_storage_put(s, &file, in, true, NULL, &err), &err);
    ls_reader_close(in);
    uint8_t *other = conformance_bytes(1, 1, T0 + 5, 400);
    in = ls_mem_reader_new(other, 400);
    assert_int_equal(ls_storage_put(s, &file, in, true, NULL, &err), LS_EEXISTS);
    ls_reader_close(in);
    assert_range(s, &file, data, 5000, 0, 0);
    conformance_list(s, 0, 0, "1-1");
    free(other);
    free(data);
}

static void bad_headers_are_refused(void **state) {
    ls_storage *s = store_of(state);
    uint8_t *data = conformance_bytes(1, 1, T0, 300);
    static const struct {
        size_t len;
        bool spoil;
    } cases[] = {{0, false}, {1, false}, {99, false}, {300, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        data[0] = cases[i].spoil ? 'X' : 'L';
        ls_reader *in = ls_mem_reader_new(data, cases[i].len);
        const ls_ltx_info file = named(0, 1, 1);
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_storage_put(s, &file, in, false, NULL, &err), LS_EFORMAT);
        const char *prefix = "extract timestamp from LTX header: ";
        assert_memory_equal(err.msg, prefix, strlen(prefix));
        ls_reader_close(in);
    }
    conformance_list(s, 0, 0, "");
    free(data);
}

/* Nothing appears of a stream that breaks, and what was there stays. */
static void broken_stream_leaves_nothing(void **state) {
    ls_storage *s = store_of(state);
    conformance_put(s, 0, 2, 2, T0, 700);
    uint8_t *data = conformance_bytes(1, 1, T0, 500000);
    static const size_t after[] = {0, 50, 100, 300000};
    for (size_t i = 0; i < sizeof after / sizeof after[0]; i++) {
        for (ls_txid txid = 1; txid <= 2; txid++) {
            slow_reader in = {
                .base = {.read = slow_read}, .data = data, .len = 500000, .fail_after = after[i]};
            const ls_ltx_info file = named(0, txid, txid);
            ls_err err = LS_ERR_INIT;
            assert_int_equal(ls_storage_put(s, &file, &in.base, false, NULL, &err), LS_EIO);
            assert_non_null(strstr(err.msg, "the stream broke"));
        }
    }
    free(data);
    conformance_list(s, 0, 0, "2-2");
    data = conformance_bytes(2, 2, T0, 700);
    const ls_ltx_info file = named(0, 2, 2);
    assert_range(s, &file, data, 700, 0, 0);
    free(data);
}

static void put_of_a_local_file(void **state) {
    ls_storage *s = store_of(state);
    char path[] = "/tmp/ls-conformance-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    const size_t size = 400123;
    uint8_t *data = conformance_bytes(3, 4, T0, size);
    ls_err err = LS_ERR_INIT;
    conformance_ok(ls_write_full(fd, data, size, path, &err), &err);
    const ls_ltx_info file = named(1, 3, 4);
    ls_ltx_info out;
    conformance_ok(ls_storage_put_file(s, &file, path, true, &out, &err), &err);
    assert_int_equal(out.size, size);
    assert_int_equal(out.created_ms, T0);
    assert_range(s, &file, data, size, 0, 0);
    conformance_list(s, 1, 0, "3-4");
    assert_int_equal(ls_storage_put_file(s, &file, path, true, NULL, &err), LS_EEXISTS);
    conformance_ok(ls_storage_put_file(s, &file, path, false, NULL, &err), &err);
    assert_int_equal(ftruncate(fd, 60), 0);
    assert_int_equal(ls_storage_put_file(s, &file, path, false, NULL, &err), LS_EFORMAT);
    assert_range(s, &file, data, size, 0, 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ls_storage_put_file(s, &file, path, false, NULL, &err), LS_ENOTFOUND);
    (void)close(fd);
    free(data);
}

/* A file that is given away: moved or copied, with what a put would make of it. */
static void a_local_file_is_taken(void **state) {
    ls_storage *s = store_of(state);
    ls_err err = LS_ERR_INIT;
    const size_t size = 300123;
    uint8_t *data[2] = {conformance_bytes(5, 6, T0, size),
                        conformance_bytes(5, 6, T0 + 1000, size)};
    const ls_ltx_info file = named(1, 5, 6);
    ls_ltx_info out;
    for (int i = 0; i < 3; i++) {
        char path[] = "/tmp/ls-conformance-XXXXXX";
        int fd = mkstemp(path);
        assert_true(fd >= 0);
        conformance_ok(ls_write_full(fd, data[i / 2], size, path, &err), &err);
        ls_code rc = ls_storage_take_file(s, &file, path, i < 2, &out, &err);
        assert_int_equal(rc, i == 1 ? LS_EEXISTS : LS_OK);
        if (rc == LS_OK) {
            assert_int_equal(out.size, size);
            assert_int_equal(out.created_ms, T0 + i / 2 * 1000);
        }
        assert_range(s, &file, data[i / 2], size, 0, 0);
        conformance_list(s, 1, 0, "5-6");
        (void)unlink(path);
        (void)close(fd);
    }
    assert_int_equal(ls_storage_take_file(s, &file, "/tmp/ls-no-such-file", false, NULL, &err),
                     LS_ENOTFOUND);
    assert_range(s, &file, data[1], size, 0, 0);
    free(data[0]);
    free(data[1]);
}

/* ---- copying ---- */

/* Copies 1/min-max to level 4; a store that cannot must say so and leave nothing. */
static bool copies(void **state, ls_txid min, ls_txid max, bool exclusive, ls_code expected) {
    ls_storage *s = store_of(state);
    const ls_ltx_info from = named(1, min, max);
    const ls_ltx_info to = named(4, min, max);
    ls_ltx_info out = {0};
    ls_err err = LS_ERR_INIT;
    ls_code code = ls_storage_copy(s, &from, &to, exclusive, &out, &err);
    if (!((conformance *)*state)->copies) {
        assert_int_equal(code, LS_EUNSUPPORTED);
        conformance_list(s, 4, 0, "");
        return false;
    }
    if (code != expected) {
        fail_msg("%s: %s", ls_code_name(code), err.msg);
    }
    if (code == LS_OK) {
        assert_int_equal(out.level, 4);
        assert_int_equal(out.min_txid, min);
        assert_int_equal(out.max_txid, max);
        assert_int_equal(out.size, 70001);
        assert_int_equal(out.created_ms, T0 + 321);
    }
    return true;
}

static void copy_between_levels(void **state) {
    ls_storage *s = store_of(state);
    conformance_put(s, 1, 5, 7, T0 + 321, 70001);
    if (!copies(state, 5, 7, true, LS_OK)) {
        return;
    }
    conformance_list(s, 1, 0, "5-7");
    conformance_list(s, 4, 0, "5-7");
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    ls_ltx_info listed;
    bool end;
    conformance_ok(ls_storage_list(s, 4, 0, &it, &err), &err);
    conformance_ok(ls_storage_iter_next(it, &listed, &end, &err), &err);
    ls_storage_iter_free(it);
    assert_int_equal(listed.size, 70001);
    assert_time(*state, &listed, T0 + 321);
    /* The copy is a file of its own: neither deleting nor replacing the other touches it. */
    uint8_t *data = conformance_bytes(5, 7, T0 + 321, 70001);
    const ls_ltx_info to = named(4, 5, 7);
    conformance_put(s, 1, 5, 7, T0, 300);
    assert_range(s, &to, data, 70001, 0, 0);
    const ls_ltx_info from = named(1, 5, 7);
    conformance_ok(ls_storage_remove(s, &from, 1, &err), &err);
    assert_range(s, &to, data, 70001, 0, 0);
    assert_range(s, &to, data, 70001, 60000, 2000);
    free(data);
}

static void copy_replaces_unless_exclusive(void **state) {
    ls_storage *s = store_of(state);
    if (((conformance *)*state)->copies_over) {
        skip();
    }
    if (((conformance *)*state)->copies) {
        conformance_put(s, 4, 5, 7, T0, 400);
    }
    conformance_put(s, 1, 5, 7, T0 + 321, 70001);
    if (!copies(state, 5, 7, true, LS_EEXISTS)) {
        return;
    }
    const ls_ltx_info to = named(4, 5, 7);
    uint8_t *old = conformance_bytes(5, 7, T0, 400);
    assert_range(s, &to, old, 400, 0, 0);
    free(old);
    uint8_t *data = conformance_bytes(5, 7, T0 + 321, 70001);
    for (int i = 0; i < 2; i++) { /* the second time over its own copy */
        (void)copies(state, 5, 7, false, LS_OK);
        assert_range(s, &to, data, 70001, 0, 0);
    }
    (void)copies(state, 5, 7, true, LS_EEXISTS);
    conformance_list(s, 4, 0, "5-7");
    free(data);
}

static void copy_what_is_not_there(void **state) {
    ls_storage *s = store_of(state);
    (void)copies(state, 5, 7, true, LS_ENOTFOUND);
    conformance_put(s, 1, 5, 8, T0 + 321, 70001);
    (void)copies(state, 5, 7, false, LS_ENOTFOUND);
    conformance_list(s, 4, 0, "");
    ls_err err = LS_ERR_INIT;
    const ls_ltx_info from = named(1, 5, 8);
    const ls_ltx_info other = named(4, 5, 7);
    const ls_ltx_info outside = named(10, 5, 8);
    assert_int_equal(ls_storage_copy(s, &from, &other, true, NULL, &err), LS_EINVALID);
    assert_int_equal(ls_storage_copy(s, &from, &outside, true, NULL, &err), LS_EINVALID);
    assert_int_equal(ls_storage_copy(s, &outside, &from, true, NULL, &err), LS_EINVALID);
}

/* ---- deleting ---- */

static void remove_twice(void **state) {
    ls_storage *s = store_of(state);
    conformance_put(s, 0, 1, 1, T0, 200);
    conformance_put(s, 0, 2, 2, T0, 200);
    conformance_put(s, 1, 1, 2, T0, 200);
    const ls_ltx_info files[] = {named(0, 1, 1), named(0, 3, 3), named(1, 1, 2), named(5, 1, 1)};
    ls_err err = LS_ERR_INIT;
    for (int i = 0; i < 2; i++) {
        conformance_ok(ls_storage_remove(s, files, 4, &err), &err);
        conformance_list(s, 0, 0, "2-2");
        conformance_list(s, 1, 0, "");
    }
    conformance_ok(ls_storage_remove(s, files, 0, &err), &err);
    conformance_ok(ls_storage_remove(s, NULL, 0, &err), &err);
    conformance_put(s, 0, 1, 1, T0, 300); /* a name may come back */
    conformance_list(s, 0, 0, "1-1 2-2");
}

/* A listing begun before files come and go neither fails nor repeats. */
static void list_while_files_change(void **state) {
    ls_storage *s = store_of(state);
    for (ls_txid t = 1; t <= 20; t++) {
        conformance_put(s, 0, t, t, T0, 200);
    }
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    conformance_ok(ls_storage_list(s, 0, 0, &it, &err), &err);
    ls_ltx_info file;
    bool end;
    conformance_ok(ls_storage_iter_next(it, &file, &end, &err), &err);
    assert_int_equal(file.min_txid, 1);
    for (ls_txid t = 5; t <= 15; t++) {
        const ls_ltx_info gone = named(0, t, t);
        conformance_ok(ls_storage_remove(s, &gone, 1, &err), &err);
    }
    conformance_put(s, 0, 21, 21, T0, 200);
    ls_txid last = 1;
    for (;;) {
        conformance_ok(ls_storage_iter_next(it, &file, &end, &err), &err);
        if (end) {
            break;
        }
        assert_true(file.min_txid > last);
        last = file.min_txid;
    }
    assert_true(last == 20 || last == 21);
    ls_storage_iter_free(it);
}

/* ---- threads ---- */

#define THREADS 4
#define PER_THREAD 12

typedef struct worker {
    pthread_t thread;
    ls_storage *s;
    int number;
    ls_code code;
    ls_err err;
} worker;

static ls_code work(worker *w) {
    for (int i = 0; i < PER_THREAD; i++) {
        ls_txid t = (ls_txid)(1 + w->number + i * THREADS);
        uint8_t data[400];
        const ls_ltx_header h = {.page_size = 512, .min_txid = t, .max_txid = t, .timestamp = T0};
        memset(data, (int)t, sizeof data);
        ls_ltx_header_encode(&h, data);
        const ls_ltx_info file = named(0, t, t);
        ls_reader *in = ls_mem_reader_new(data, sizeof data);
        ls_code code = ls_storage_put(w->s, &file, in, true, NULL, &w->err);
        ls_reader_close(in);
        uint8_t back[400];
        size_t got = 0;
        ls_reader *r = NULL;
        if (code == LS_OK) {
            code = ls_storage_open_range(w->s, &file, 0, 0, &r, &w->err);
        }
        if (code == LS_OK) {
            code = ls_read_full(r, back, sizeof back, &got, &w->err);
        }
        ls_reader_close(r);
        if (code == LS_OK && (got != sizeof back || memcmp(data, back, got) != 0)) {
            code = ls_fail(&w->err, LS_ECORRUPT, "read other bytes than written");
        }
        if (code == LS_OK && i % 3 == 0) {
            code = ls_storage_remove(w->s, &file, 1, &w->err);
        }
        if (code != LS_OK) {
            return code;
        }
    }
    return LS_OK;
}

static void *work_thread(void *arg) {
    worker *w = arg;
    w->code = work(w);
    return NULL;
}

static void several_threads(void **state) {
    worker workers[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        workers[i].s = store_of(state);
        workers[i].number = i;
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work_thread, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        conformance_ok(workers[i].code, &workers[i].err);
    }
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    conformance_ok(ls_storage_list(store_of(state), 0, 0, &it, &err), &err);
    size_t n = 0;
    for (;;) {
        ls_ltx_info file;
        bool end;
        conformance_ok(ls_storage_iter_next(it, &file, &end, &err), &err);
        if (end) {
            break;
        }
        n++;
    }
    ls_storage_iter_free(it);
    assert_int_equal(n, THREADS * PER_THREAD * 2 / 3);
}

static void type_and_url(void **state) {
    ls_storage *s = store_of(state);
    assert_true(strlen(ls_storage_type(s)) > 0);
    assert_true(ls_is_url(ls_storage_url(s)));
}

/* ---- marks ---- */

static ls_mark mark_of(const char *text, const char *tag) {
    ls_mark mark = {.len = strlen(text)};
    (void)snprintf(mark.text, sizeof mark.text, "%s", text);
    (void)snprintf(mark.tag, sizeof mark.tag, "%s", tag);
    return mark;
}

static void assert_mark(ls_storage *s, const char *text, const char *tag) {
    ls_mark got;
    ls_err err = LS_ERR_INIT;
    conformance_ok(ls_storage_get_mark(s, "lock.json", &got, &err), &err);
    assert_string_equal(got.text, text);
    assert_int_equal(got.len, strlen(text));
    assert_string_equal(got.tag, tag);
    assert_true(got.age_ms < 60000);
}

static ls_code put_mark(ls_storage *s, ls_mark *mark) {
    ls_err err = LS_ERR_INIT;
    return ls_storage_put_mark(s, "lock.json", mark, true, &err);
}

static void marks_are_replaced_by_who_knows_them(void **state) {
    ls_storage *s = store_of(state);
    ls_mark none;
    ls_err err = LS_ERR_INIT;
    if (!ls_storage_has_marks(s)) {
        assert_int_equal(ls_storage_get_mark(s, "lock.json", &none, &err), LS_EUNSUPPORTED);
        assert_int_equal(put_mark(s, &none), LS_EUNSUPPORTED);
        return;
    }
    assert_int_equal(ls_storage_get_mark(s, "lock.json", &none, &err), LS_ENOTFOUND);
    ls_mark early = mark_of("early", "\"abc\"");
    assert_int_equal(put_mark(s, &early), LS_EEXISTS);
    ls_mark first = mark_of("the first", "");
    assert_int_equal(put_mark(s, &first), LS_OK);
    assert_mark(s, "the first", first.tag);
    ls_mark other = mark_of("other", "");
    assert_int_equal(put_mark(s, &other), LS_EEXISTS);
    assert_mark(s, "the first", first.tag);
    ls_mark second = mark_of("2nd", first.tag);
    assert_int_equal(put_mark(s, &second), LS_OK);
    assert_string_not_equal(second.tag, first.tag);
    ls_mark late = mark_of("late", first.tag);
    assert_int_equal(put_mark(s, &late), LS_EEXISTS);
    assert_mark(s, "2nd", second.tag);
    ls_mark nothing = mark_of("", second.tag);
    assert_int_equal(put_mark(s, &nothing), LS_EINVALID);
}

/* What else is on a replica does not show in its levels. */
static void marks_are_no_files(void **state) {
    ls_storage *s = store_of(state);
    ls_mark mark = mark_of("text", "");
    ls_txid max;
    ls_ltx_info newest;
    ls_err err = LS_ERR_INIT;
    if (!ls_storage_has_marks(s)) {
        return;
    }
    assert_int_equal(put_mark(s, &mark), LS_OK);
    conformance_ok(ls_storage_newest(s, &max, &newest, &err), &err);
    assert_int_equal(max, 0);
    conformance_put(s, 0, 1, 1, T0, 300);
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        conformance_list(s, level, 0, level == 0 ? "1-1" : "");
    }
    assert_mark(s, "text", mark.tag);
}

#define TEST(f)                                                                                    \
    { .name = #f, .test_func = (f) }

size_t conformance_tests(struct CMUnitTest *tests, conformance_fixture setup,
                         conformance_fixture teardown) {
    static const struct CMUnitTest suite[] = {
        TEST(empty_store),
        TEST(list_is_sorted),
        TEST(list_seeks_by_min_txid),
        TEST(levels_are_apart),
        TEST(list_gives_size_and_time),
        TEST(newest_over_all_levels),
        TEST(ranges),
        TEST(open_what_is_not_there),
        TEST(two_readers_at_once),
        TEST(put_in_odd_pieces),
        TEST(put_replaces),
        TEST(exclusive_put_does_not_replace),
        TEST(bad_headers_are_refused),
        TEST(broken_stream_leaves_nothing),
        TEST(put_of_a_local_file),
        TEST(a_local_file_is_taken),
        TEST(copy_between_levels),
        TEST(copy_replaces_unless_exclusive),
        TEST(copy_what_is_not_there),
        TEST(remove_twice),
        TEST(list_while_files_change),
        TEST(several_threads),
        TEST(type_and_url),
        TEST(marks_are_replaced_by_who_knows_them),
        TEST(marks_are_no_files),
    };
    const size_t n = sizeof suite / sizeof suite[0];
    _Static_assert(sizeof suite / sizeof suite[0] <= CONFORMANCE_MAX, "room for the suite");
    for (size_t i = 0; i < n; i++) {
        tests[i] = suite[i];
        tests[i].setup_func = setup;
        tests[i].teardown_func = teardown;
    }
    return n;
}
