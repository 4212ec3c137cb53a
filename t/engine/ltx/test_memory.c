/*
 * Memory: how much is in use does not grow with a file, pages allocate nothing, and running out of
 * it anywhere is an error like any other that leaves nothing behind; so is a disk on which the page
 * index of a large file finds no room.
 */
#include "t/engine/ltx/support.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ltx/dbfile.h"
#include "engine/ltx/index.h"
#include "engine/ltx/merge.h"

#include "t/support/faults.h"

#define SLACK 16384 /* what malloc rounds up differs */

/* Counts from here on, and lets call number fail_at fail (0: none). */
static void heap_reset(long fail_at) {
    faults_heap_reset();
    faults_arm(FAULT_MEMORY, fail_at, ENOMEM);
}

static size_t heap_calls(void) { return (size_t)faults_disarm(NULL); }

/* ---- a file of any length, made while it is read ---- */

/* Counts and forgets. */
static ls_code forget(ls_writer *w, const void *buf, size_t len, ls_err *err) {
    (void)w;
    (void)buf;
    (void)len;
    (void)err;
    return LS_OK;
}

static const ls_ltx_header plain = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                                    .page_size = 512,
                                    .commit = UINT32_MAX,
                                    .min_txid = 2,
                                    .max_txid = 2};

static void encode_pages(ls_writer *out, uint32_t pages, size_t *most, size_t *calls) {
    static uint8_t page[512];
    ls_err err = LS_ERR_INIT;
    ls_ltx_encoder *enc = NULL;
    size_t before = faults_heap_used();
    heap_reset(0);
    must(ls_ltx_encoder_new(out, &plain, NULL, &enc, &err), &err);
    for (uint32_t i = 1; i <= pages; i++) {
        memcpy(page, &i, 4);
        must(ls_ltx_encoder_page(enc, i, page, sizeof page, &err), &err);
    }
    must(ls_ltx_encoder_close(enc, 0, NULL, &err), &err);
    *most = faults_heap_most() - before;
    *calls = heap_calls();
    ls_ltx_encoder_free(enc);
}

static void test_encoder(void **state) {
    (void)state;
    ls_writer out = {.write = forget};
    size_t most;
    size_t most_again;
    size_t calls;
    size_t calls_again;
    size_t before = faults_heap_used();
    encode_pages(&out, 200000, &most, &calls);
    assert_int_equal(faults_heap_used(), before);
    encode_pages(&out, 600000, &most_again, &calls_again);
    assert_int_equal(faults_heap_used(), before);
    assert_in_range(most_again, most - SLACK, most + SLACK);
    assert_int_equal(calls, calls_again);
    assert_true(most < 256 * 1024 + 2 * 1024 * 1024);
}

static void read_pages(blob b, size_t *most, size_t *calls) {
    ls_ltx_summary sum;
    ls_err err = LS_ERR_INIT;
    size_t before = faults_heap_used();
    heap_reset(0);
    must(verify_blob(b, &sum, &err), &err);
    *most = faults_heap_most() - before;
    *calls = heap_calls();
    assert_int_equal(faults_heap_used(), before);
}

static void test_decoder(void **state) {
    (void)state;
    size_t most[2];
    size_t calls[2];
    for (uint32_t i = 0; i < 2; i++) {
        size_t ignored;
        mem_file file;
        mem_file_init(&file);
        encode_pages(&file.out.base, i == 0 ? 100 : 100000, &ignored, &ignored);
        read_pages(mem_file_blob(&file), &most[i], &calls[i]);
        mem_file_done(&file);
    }
    assert_in_range(most[1], most[0] - SLACK, most[0] + SLACK);
    assert_int_equal(calls[0], 1);
    assert_int_equal(calls[1], 1);
    assert_true(most[0] < 300 * 1024);
}

/* ---- merge ---- */

static blob one_file(uint32_t pages, ls_txid txid) {
    mem_file out;
    mem_file_init(&out);
    ls_err err = LS_ERR_INIT;
    ls_ltx_header h = plain;
    h.min_txid = h.max_txid = txid;
    ls_ltx_encoder *enc = NULL;
    static uint8_t page[512];
    must(ls_ltx_encoder_new(&out.out.base, &h, NULL, &enc, &err), &err);
    for (uint32_t i = 1; i <= pages; i++)
        must(ls_ltx_encoder_page(enc, i * 3 + (uint32_t)txid % 3, page, 512, &err), &err);
    must(ls_ltx_encoder_close(enc, 0, NULL, &err), &err);
    ls_ltx_encoder_free(enc);
    blob b = {.len = out.buf.len};
    b.data = (uint8_t *)ls_buf_steal(&out.buf);
    return b;
}

/* The same bytes for every input, but for the TXID. */
typedef struct many {
    blob files[200];
    size_t n;
} many;

static void many_init(many *m, size_t n, uint32_t pages) {
    m->n = n;
    for (size_t i = 0; i < n; i++)
        m->files[i] = one_file(pages, i + 2);
}

static void many_done(many *m) {
    for (size_t i = 0; i < m->n; i++)
        free(m->files[i].data);
}

static ls_code many_open(void *arg, size_t i, ls_reader **in, ls_err *err) {
    many *m = arg;
    *in = ls_mem_reader_new(m->files[i].data, m->files[i].len);
    return *in != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory");
}

static ls_code merge_many(many *m, ls_err *err) {
    ls_writer out = {.write = forget};
    ls_ltx_merge_opts opts = {.flags = LS_LTX_FLAG_NO_CHECKSUM, .open = many_open, .arg = m};
    return ls_ltx_merge(&opts, m->n, &out, NULL, NULL, err);
}

static void test_merge(void **state) {
    (void)state;
    static many few;
    static many more;
    many_init(&few, 64, 30);
    many_init(&more, 200, 300);
    size_t most[2];
    for (int i = 0; i < 2; i++) {
        ls_err err = LS_ERR_INIT;
        size_t before = faults_heap_used();
        heap_reset(0);
        must(merge_many(i == 0 ? &few : &more, &err), &err);
        assert_int_equal(faults_heap_used(), before);
        most[i] = faults_heap_most() - before;
    }
    assert_true(most[0] < (size_t)16 << 20);
    assert_true(most[1] < most[0] + ((size_t)2 << 20));
    many_done(&few);
    many_done(&more);
}

/* ---- out of memory ---- */

/* Calls job with its first, second, ... call of the kind failing until none does. */
static size_t run_out_of(fault_kind kind, int errnum, ls_code want,
                         ls_code (*job)(void *arg, ls_err *err), void *arg) {
    for (long n = 1;; n++) {
        size_t before = faults_heap_used();
        ls_err err = LS_ERR_INIT;
        long hits;
        faults_arm(kind, n, errnum);
        ls_code rc = job(arg, &err);
        (void)faults_disarm(&hits);
        assert_int_equal(faults_heap_used(), before);
        if (hits == 0) {
            must(rc, &err);
            return (size_t)(n - 1);
        }
        assert_int_equal(rc, want);
        assert_true(err.msg[0] != '\0');
        assert_true(n < 10000);
    }
}

static size_t run_out(ls_code (*job)(void *arg, ls_err *err), void *arg) {
    return run_out_of(FAULT_MEMORY, ENOMEM, LS_ENOMEM, job, arg);
}

static ls_code job_verify(void *arg, ls_err *err) {
    ls_ltx_summary sum;
    return ls_ltx_verify_path(arg, &sum, err);
}

/* arg: number of pages */
static ls_code job_encode(void *arg, ls_err *err) {
    static const uint8_t page[512];
    ls_writer out = {.write = forget};
    ls_ltx_encoder *enc = NULL;
    ls_code rc = ls_ltx_encoder_new(&out, &plain, NULL, &enc, err);
    for (uint32_t i = 1; i <= *(const uint32_t *)arg && rc == LS_OK; i++)
        rc = ls_ltx_encoder_page(enc, i, page, sizeof page, err);
    if (rc == LS_OK)
        rc = ls_ltx_encoder_close(enc, 0, NULL, err);
    ls_ltx_encoder_free(enc);
    return rc;
}

static ls_code job_merge(void *arg, ls_err *err) { return merge_many(arg, err); }

static ls_code job_fetch(void *arg, ls_err *err) {
    static uint8_t page[512];
    ls_ltx_header h;
    return ls_ltx_fetch_page(*(int *)arg, "f", 3, &h, page, sizeof page, err);
}

static ls_code job_encode_db(void *arg, ls_err *err) {
    ls_writer out = {.write = forget};
    return ls_ltx_encode_db(*(int *)arg, "f", 0, &out, err);
}

static ls_code job_apply(void *arg, ls_err *err) {
    char path[] = "/tmp/ltx-memory-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    unlink(path);
    ls_txid prev = 0;
    ls_code rc = ls_ltx_apply(fd, arg, &prev, err);
    close(fd);
    return rc;
}

static void test_out_of_memory(void **state) {
    (void)state;
    static many inputs;
    char path[1024];
    snprintf(path, sizeof path, "%s", vec_path("ltx/chain-ps512-tx1.v051.ltx"));
    assert_int_equal(run_out(job_verify, path), 2);
    uint32_t pages = 3000;
    assert_in_range(run_out(job_encode, &pages), 5, 20);
    assert_int_equal(run_out(job_apply, path), 3);
    many_init(&inputs, 70, 5);
    assert_in_range(run_out(job_merge, &inputs), 130, 200);
    many_done(&inputs);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(run_out(job_fetch, &fd), 2);
    close(fd);
    fd = open(vec_path("db/chain-ps512-step0.db"), O_RDONLY | O_CLOEXEC);
    assert_in_range(run_out(job_encode_db, &fd), 3, 10);
    close(fd);
}

/* The page index of so many pages goes to a temporary file. */
static void test_spilled_index(void **state) {
    (void)state;
    uint32_t pages = 300000;
    assert_in_range(run_out_of(FAULT_WRITE, ENOSPC, LS_EFULL, job_encode, &pages), 1, 4);
    assert_in_range(run_out_of(FAULT_WRITE, EIO, LS_EIO, job_encode, &pages), 1, 4);
    assert_in_range(run_out_of(FAULT_READ, EIO, LS_EIO, job_encode, &pages), 1, 200);
    /* A file system without unnamed files has named ones. */
    ls_err err = LS_ERR_INIT;
    faults_arm(FAULT_CREATE, 1, EOPNOTSUPP);
    must(job_encode(&pages, &err), &err);
    (void)faults_disarm(NULL);
    faults_arm(FAULT_CREATE, FAULT_EACH, ENOSPC);
    assert_int_equal(job_encode(&pages, &err), LS_EFULL);
    assert_int_equal(faults_disarm(NULL), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encoder),       cmocka_unit_test(test_decoder),
        cmocka_unit_test(test_merge),         cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_spilled_index),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
