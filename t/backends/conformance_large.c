/*
 * What a store must do with thousands of files and with files of many parts, see conformance.h. A
 * store behind a network answers in pages and sends in parts, and both have edges.
 */
#include "t/backends/conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>

#define T0 1700000000123
#define PUTTERS 8

static ls_ltx_info named(int level, ls_txid txid) {
    return (ls_ltx_info){.level = level, .min_txid = txid, .max_txid = txid};
}

/* ---- many files ---- */

typedef struct putter {
    pthread_t thread;
    ls_storage *s;
    ls_txid first, last;
    ls_code code;
    ls_err err;
} putter;

static void *put_files(void *arg) {
    putter *p = arg;
    for (ls_txid t = p->first; t <= p->last && p->code == LS_OK; t += PUTTERS) {
        uint8_t data[LS_LTX_HEADER_SIZE];
        const ls_ltx_header h = {.page_size = 512, .min_txid = t, .max_txid = t, .timestamp = T0};
        ls_ltx_header_encode(&h, data);
        const ls_ltx_info file = named(0, t);
        ls_reader *in = ls_mem_reader_new(data, sizeof data);
        p->code = ls_storage_put(p->s, &file, in, false, NULL, &p->err);
        ls_reader_close(in);
    }
    return NULL;
}

/* Level-0 files 1..n, in several threads and so in no order. */
static void put_many(ls_storage *s, size_t n) {
    putter putters[PUTTERS];
    for (size_t i = 0; i < PUTTERS; i++) {
        putters[i] = (putter){.s = s, .first = i + 1, .last = n};
        assert_int_equal(pthread_create(&putters[i].thread, NULL, put_files, &putters[i]), 0);
    }
    for (size_t i = 0; i < PUTTERS; i++) {
        assert_int_equal(pthread_join(putters[i].thread, NULL), 0);
        conformance_ok(putters[i].code, &putters[i].err);
    }
}

/* Files seek..n are there, each once and in order. */
static void assert_counts(ls_storage *s, ls_txid seek, size_t n) {
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    conformance_ok(ls_storage_list(s, 0, seek, &it, &err), &err);
    ls_txid next = seek > 0 ? seek : 1;
    for (;;) {
        ls_ltx_info file;
        bool end;
        conformance_ok(ls_storage_iter_next(it, &file, &end, &err), &err);
        if (end) {
            break;
        }
        assert_int_equal(file.min_txid, next);
        assert_int_equal(file.max_txid, next);
        next++;
    }
    ls_storage_iter_free(it);
    assert_int_equal(next, (seek > n ? seek : n + 1));
}

static void remove_many(ls_storage *s, ls_txid first, ls_txid last) {
    size_t n = (size_t)(last - first + 1);
    ls_ltx_info *files = calloc(n, sizeof *files);
    assert_non_null(files);
    for (size_t i = 0; i < n; i++) {
        files[i] = named(0, first + i);
    }
    ls_err err = LS_ERR_INIT;
    conformance_ok(ls_storage_remove(s, files, n, &err), &err);
    free(files);
}

static void long_listings(void **state) {
    const conformance *c = *state;
    put_many(c->s, c->many);
    assert_counts(c->s, 0, c->many);
    const ls_txid seeks[] = {1, 2, c->many / 2, c->many - 1, c->many, c->many + 1};
    for (size_t i = 0; i < sizeof seeks / sizeof seeks[0]; i++) {
        assert_counts(c->s, seeks[i], c->many);
    }
    /* A listing that is given up after its first page. */
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    ls_ltx_info file;
    bool end;
    conformance_ok(ls_storage_list(c->s, 0, 0, &it, &err), &err);
    conformance_ok(ls_storage_iter_next(it, &file, &end, &err), &err);
    ls_storage_iter_free(it);
    assert_int_equal(file.min_txid, 1);
    /* All but the first in one call, some of which are not there, then again. */
    remove_many(c->s, 2, c->many + 5);
    conformance_list(c->s, 0, 0, "1-1");
    remove_many(c->s, 1, c->many);
    conformance_list(c->s, 0, 0, "");
}

/* ---- big files ---- */

/* Reads len bytes at off and compares; the stream may go on behind them. */
static void assert_part(ls_storage *s, const ls_ltx_info *file, const uint8_t *data, size_t size,
                        uint64_t off, uint64_t len) {
    ls_err err = LS_ERR_INIT;
    ls_reader *r;
    size_t want = len == 0 || len > size - off ? size - (size_t)off : (size_t)len;
    uint8_t *read = malloc(want + 1);
    assert_non_null(read);
    conformance_ok(ls_storage_open_range(s, file, off, len, &r, &err), &err);
    size_t got;
    conformance_ok(ls_read_full(r, read, want + 1, &got, &err), &err);
    ls_reader_close(r);
    assert_int_equal(got, want);
    assert_memory_equal(read, data + off, want);
    free(read);
}

static void put_stream(ls_storage *s, ls_txid txid, const uint8_t *data, size_t n) {
    ls_err err = LS_ERR_INIT;
    ls_reader *in = ls_mem_reader_new(data, n);
    const ls_ltx_info file = named(9, txid);
    ls_ltx_info out;
    conformance_ok(ls_storage_put(s, &file, in, false, &out, &err), &err);
    ls_reader_close(in);
    assert_int_equal(out.size, n);
    assert_int_equal(out.created_ms, T0);
}

static void put_path(ls_storage *s, ls_txid txid, const uint8_t *data, size_t n) {
    char path[] = "/tmp/ls-conformance-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    ls_err err = LS_ERR_INIT;
    conformance_ok(ls_write_full(fd, data, n, path, &err), &err);
    const ls_ltx_info file = named(9, txid);
    ls_ltx_info out;
    conformance_ok(ls_storage_put_file(s, &file, path, true, &out, &err), &err);
    assert_int_equal(out.size, n);
    (void)close(fd);
    assert_int_equal(unlink(path), 0);
}

static void big_files(void **state) {
    const conformance *c = *state;
    uint8_t *data = conformance_bytes(1, 1, T0, c->big);
    put_stream(c->s, 1, data, c->big);
    put_path(c->s, 2, data, c->big);
    for (ls_txid t = 1; t <= 2; t++) {
        const ls_ltx_info file = named(9, t);
        assert_part(c->s, &file, data, c->big, 0, 0);
        assert_part(c->s, &file, data, c->big, c->big - 32768, 0);
        assert_part(c->s, &file, data, c->big, c->big / 2, c->big);
        assert_part(c->s, &file, data, c->big, 1, c->big - 2);
    }
    conformance_list(c->s, 9, 0, "1-1 2-2");
    put_stream(c->s, 2, data, 500); /* replaced by one that is not big */
    const ls_ltx_info file = named(9, 2);
    assert_part(c->s, &file, data, 500, 0, 0);
    free(data);
}

/* Sizes around those at which stores begin to send parts, and at which the last part is full. */
static void sizes_at_edges(void **state) {
    const conformance *c = *state;
    static const size_t edges[] = {1u << 18, 1u << 20, 4u << 20, 5u << 20,
                                   6u << 20, 8u << 20, 16u << 20};
    uint8_t *data = conformance_bytes(1, 1, T0, (16u << 20) + 1);
    for (size_t i = 0; i < sizeof edges / sizeof edges[0] && edges[i] < c->big; i++) {
        for (size_t size = edges[i] - 1; size <= edges[i] + 1; size++) {
            put_stream(c->s, 1, data, size);
            const ls_ltx_info file = named(9, 1);
            assert_part(c->s, &file, data, size, 0, 0);
        }
    }
    free(data);
}

/* A big file that is copied stays what it is. */
static void copy_of_a_big_file(void **state) {
    const conformance *c = *state;
    uint8_t *data = conformance_bytes(1, 1, T0, c->big);
    put_stream(c->s, 1, data, c->big);
    const ls_ltx_info from = named(9, 1);
    const ls_ltx_info to = named(8, 1);
    ls_ltx_info out;
    ls_err err = LS_ERR_INIT;
    ls_code code = ls_storage_copy(c->s, &from, &to, true, &out, &err);
    if (c->copies) {
        conformance_ok(code, &err);
        assert_int_equal(out.size, c->big);
        assert_part(c->s, &to, data, c->big, 0, 0);
    } else {
        assert_int_equal(code, LS_EUNSUPPORTED);
    }
    free(data);
}

/* ---- what is given up ---- */

/* Gives bytes and, after so many, an error: a transfer that was cancelled. */
typedef struct stopped_reader {
    ls_reader base;
    const uint8_t *data;
    size_t pos, stop;
} stopped_reader;

static ls_code stopped_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    stopped_reader *s = (stopped_reader *)(void *)r;
    size_t n = s->stop - s->pos < len ? s->stop - s->pos : len;
    *got = 0;
    if (n == 0) {
        return ls_fail(err, LS_ECANCELED, "stopped");
    }
    memcpy(buf, s->data + s->pos, n);
    s->pos += n;
    *got = n;
    return LS_OK;
}

static void cancelled_put_leaves_nothing(void **state) {
    const conformance *c = *state;
    conformance_put(c->s, 9, 2, 2, T0, 700);
    uint8_t *data = conformance_bytes(1, 1, T0, c->big);
    const size_t stops[] = {c->big - 1, c->big / 2, c->big / 4};
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        for (ls_txid txid = 1; txid <= 2; txid++) {
            stopped_reader in = {.base = {.read = stopped_read}, .data = data, .stop = stops[i]};
            const ls_ltx_info file = named(9, txid);
            ls_err err = LS_ERR_INIT;
            ls_code code = ls_storage_put(c->s, &file, &in.base, false, NULL, &err);
            assert_int_equal(code, LS_ECANCELED);
        }
    }
    free(data);
    conformance_list(c->s, 9, 0, "2-2");
    data = conformance_bytes(2, 2, T0, 700);
    const ls_ltx_info file = named(9, 2);
    assert_part(c->s, &file, data, 700, 0, 0);
    free(data);
}

/* Readers that are closed before their end, some of them before their first byte. */
static void readers_closed_early(void **state) {
    const conformance *c = *state;
    uint8_t *data = conformance_bytes(1, 1, T0, c->big);
    put_stream(c->s, 1, data, c->big);
    const ls_ltx_info file = named(9, 1);
    for (size_t i = 0; i < 12; i++) {
        ls_err err = LS_ERR_INIT;
        ls_reader *r;
        uint8_t buf[5000];
        size_t got;
        size_t want = i % 3 * 2500;
        conformance_ok(ls_storage_open_range(c->s, &file, i * 100, 0, &r, &err), &err);
        conformance_ok(ls_read_full(r, buf, want, &got, &err), &err);
        assert_int_equal(got, want);
        assert_memory_equal(buf, data + i * 100, want);
        ls_reader_close(r);
    }
    assert_part(c->s, &file, data, c->big, 0, 0);
    free(data);
}

#define TEST(f)                                                                                    \
    { .name = #f, .test_func = (f) }

size_t conformance_large_tests(struct CMUnitTest *tests, conformance_fixture setup,
                               conformance_fixture teardown) {
    static const struct CMUnitTest suite[] = {
        TEST(long_listings),        TEST(big_files),
        TEST(sizes_at_edges),       TEST(copy_of_a_big_file),
        TEST(readers_closed_early), TEST(cancelled_put_leaves_nothing),
    };
    const size_t n = sizeof suite / sizeof suite[0];
    _Static_assert(sizeof suite / sizeof suite[0] <= CONFORMANCE_LARGE_MAX, "room for the suite");
    for (size_t i = 0; i < n; i++) {
        tests[i] = suite[i];
        tests[i].setup_func = setup;
        tests[i].teardown_func = teardown;
    }
    return n;
}
