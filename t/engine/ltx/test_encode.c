/*
 * The encoder: what it refuses, that files go through it and come out the same, and that the page
 * index is right when it outgrows memory.
 */
#include "t/engine/ltx/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/file.h"
#include "engine/ltx/crc64.h"

#define SPILL_MAX (1024 * 1024) /* bytes of index that the encoder keeps in memory */

/* ---- what is refused ---- */

static ls_code encode_pages(const json_t *c, ls_ltx_encoder *enc, char stage[32], ls_err *err) {
    static const uint8_t zeros[LS_LTX_MAX_PAGE_SIZE];
    size_t i;
    json_t *page;
    json_array_foreach(jget(c, "pages"), i, page) {
        snprintf(stage, 32, "page[%zu]", i);
        ls_code rc = ls_ltx_encoder_page(enc, (uint32_t)jint(page, "pgno"), zeros,
                                         (size_t)jint(page, "size"), err);
        if (rc != LS_OK)
            return rc;
    }
    snprintf(stage, 32, "close");
    return ls_ltx_encoder_close(enc, jhex(c, "post_apply_checksum"), NULL, err);
}

static ls_code encode_case(const json_t *c, char stage[32], ls_err *err) {
    ls_ltx_header header = header_of_json(jget(c, "header"));
    ls_ltx_encoder_opts opts = {
        .encoding = strcmp(jstr(c, "encoder"), "0.5.2") == 0 ? LS_LTX_BLOCK : LS_LTX_FRAME};
    mem_file out;
    mem_file_init(&out);
    ls_ltx_encoder *enc = NULL;
    snprintf(stage, 32, "header");
    ls_code rc = ls_ltx_encoder_new(&out.out.base, &header, &opts, &enc, err);
    if (rc == LS_OK)
        rc = encode_pages(c, enc, stage, err);
    ls_ltx_encoder_free(enc);
    mem_file_done(&out);
    return rc;
}

static void test_refused(void **state) {
    (void)state;
    json_t *cases = vec_json("encode_errors.json");
    size_t i;
    json_t *c;
    size_t refused = 0;
    assert_int_equal(json_array_size(cases), 44);
    json_array_foreach(cases, i, c) {
        char stage[32];
        ls_err err = LS_ERR_INIT;
        ls_code rc = encode_case(c, stage, &err);
        if (strcmp(jstr(c, "name"), "snap-short-ok") ==
            0) { /* Go writes it; no one can restore it */
            assert_int_equal(rc, LS_EINVALID);
            assert_string_equal(err.msg, "snapshot ends with page 1, expected 9");
            continue;
        }
        const char *expected = jstr_or_null(c, "error");
        if (expected == NULL) {
            must(rc, &err);
            continue;
        }
        refused++;
        assert_int_equal(rc, LS_EINVALID);
        assert_string_equal(err.msg, expected);
        assert_string_equal(stage, jstr(c, "stage"));
    }
    assert_int_equal(refused, 40);
    json_decref(cases);
}

/* ---- there and back ---- */

static bool is_short(const json_t *file) {
    const char *name = jstr(file, "name");
    return strcmp(name, "short-snapshot") == 0 || strcmp(name, "empty-snap") == 0 ||
           strcmp(name, "empty-snap-nc") == 0;
}

/* Copies a file through an encoder: frames as they are, or (copy false) compressed again. */
static void recode(blob in, bool copy, ls_ltx_encoding encoding, mem_file *out) {
    ls_err err = LS_ERR_INIT;
    step_reader reader = step_reader_of(in, SIZE_MAX);
    ls_ltx_header header;
    ls_ltx_decoder *dec = NULL;
    ls_ltx_encoder *enc = NULL;
    ls_ltx_encoder_opts opts = {.encoding = encoding};
    must(ls_ltx_decoder_new(&reader.base, &header, &dec, &err), &err);
    must(ls_ltx_encoder_new(&out->out.base, &header, &opts, &enc, &err), &err);
    ls_ltx_page p;
    for (bool end = false; !end;) {
        must(ls_ltx_decoder_next(dec, &p, &end, &err), &err);
        if (end)
            break;
        if (copy)
            must(ls_ltx_encoder_frame(enc, p.frame, p.size, p.data, &err), &err);
        else
            must(ls_ltx_encoder_page(enc, p.pgno, p.data, header.page_size, &err), &err);
    }
    ls_ltx_trailer trailer;
    ls_ltx_trailer written;
    must(ls_ltx_decoder_close(dec, &trailer, &err), &err);
    must(ls_ltx_encoder_close(enc, trailer.post_apply, &written, &err), &err);
    assert_int_equal(written.post_apply, trailer.post_apply);
    assert_int_equal(ls_ltx_encoder_bytes(enc), out->buf.len);
    assert_int_equal(ls_ltx_encoder_pages(enc), ls_ltx_decoder_pages(dec));
    ls_ltx_decoder_free(dec);
    ls_ltx_encoder_free(enc);
}

/* Frames copied: the bytes of the file that Go wrote. */
static void check_copy(const json_t *file, blob in) {
    mem_file out;
    mem_file_init(&out);
    recode(in, true, LS_LTX_FRAME, &out);
    if (strcmp(jstr(file, "name"), "reserved-nonzero") != 0) {
        assert_int_equal(out.buf.len, in.len);
        assert_memory_equal(out.buf.data, in.data, in.len);
    }
    mem_file_done(&out);
}

/* Pages compressed again: another file with the same pages. */
static void check_recode(blob in, ls_ltx_encoding encoding) {
    mem_file out;
    mem_file_init(&out);
    recode(in, false, encoding, &out);
    ls_err err = LS_ERR_INIT;
    step_reader a = step_reader_of(in, SIZE_MAX);
    step_reader b = step_reader_of(mem_file_blob(&out), 1000);
    ls_ltx_header ha;
    ls_ltx_header hb;
    ls_ltx_decoder *da = NULL;
    ls_ltx_decoder *db = NULL;
    must(ls_ltx_decoder_new(&a.base, &ha, &da, &err), &err);
    must(ls_ltx_decoder_new(&b.base, &hb, &db, &err), &err);
    assert_same_header(&ha, &hb);
    ls_ltx_page pa;
    ls_ltx_page pb;
    for (bool end = false, end_b; !end;) {
        must(ls_ltx_decoder_next(da, &pa, &end, &err), &err);
        must(ls_ltx_decoder_next(db, &pb, &end_b, &err), &err);
        assert_int_equal(end, end_b);
        if (end)
            break;
        assert_int_equal(pb.pgno, pa.pgno);
        assert_int_equal(pb.flags, encoding);
        assert_memory_equal(pa.data, pb.data, ha.page_size);
    }
    must(ls_ltx_decoder_close(db, NULL, &err), &err);
    ls_ltx_decoder_free(da);
    ls_ltx_decoder_free(db);
    mem_file_done(&out);
}

static void test_there_and_back(void **state) {
    (void)state;
    json_t *root = vec_json("manifest.json");
    size_t i;
    json_t *file;
    size_t seen = 0;
    json_array_foreach(jget(root, "files"), i, file) {
        if (strcmp(jstr(file, "strict_verdict"), "valid") != 0 || is_short(file))
            continue;
        blob in = vec_file(jstr(file, "file"));
        check_copy(file, in);
        check_recode(in, LS_LTX_FRAME);
        check_recode(in, LS_LTX_BLOCK);
        free(in.data);
        seen++;
    }
    assert_int_equal(seen, 179);
    json_decref(root);
}

/* ---- growth ---- */

/* Pages 8, 9 and so on of a database that had prev_commit pages and gets commit. */
static ls_code grow(uint32_t prev_commit, uint32_t commit, const uint32_t *pgnos, size_t n,
                    ls_err *err) {
    static const uint8_t page[LS_LTX_MAX_PAGE_SIZE];
    ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                       .page_size = 65536,
                       .commit = commit,
                       .min_txid = 2,
                       .max_txid = 2};
    ls_ltx_encoder_opts opts = {.prev_commit = prev_commit};
    mem_file out;
    mem_file_init(&out);
    ls_ltx_encoder *enc = NULL;
    must(ls_ltx_encoder_new(&out.out.base, &h, &opts, &enc, err), err);
    ls_code rc = LS_OK;
    for (size_t i = 0; i < n && rc == LS_OK; i++)
        rc = ls_ltx_encoder_page(enc, pgnos[i], page, h.page_size, err);
    if (rc == LS_OK)
        rc = ls_ltx_encoder_close(enc, 0, NULL, err);
    ls_ltx_encoder_free(enc);
    mem_file_done(&out);
    return rc;
}

#define PAGES(...) (const uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / 4

static void test_growth(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    must(grow(5, 7, PAGES(2, 6, 7), &err), &err);
    must(grow(5, 5, PAGES(2), &err), &err);
    must(grow(5, 3, PAGES(2), &err), &err);
    must(grow(0, 9, PAGES(2), &err), &err);
    must(grow(16384, 16385, PAGES(2), &err), &err); /* 16385 is the lock page */
    must(grow(16384, 16386, PAGES(2, 16386), &err), &err);
    must(grow(16383, 16386, PAGES(16384, 16386), &err), &err);
    assert_int_equal(grow(5, 7, PAGES(2, 6), &err), LS_EINVALID);
    assert_string_equal(err.msg, "page 7 is missing: the database grows from 5 to 7 pages");
    assert_int_equal(grow(5, 7, PAGES(2, 7), &err), LS_EINVALID);
    assert_string_equal(err.msg, "page 6 is missing: the database grows from 5 to 7 pages");
    assert_int_equal(grow(5, 7, PAGES(2), &err), LS_EINVALID);
    assert_int_equal(grow(16384, 16386, PAGES(2), &err), LS_EINVALID);
    assert_string_equal(err.msg,
                        "page 16386 is missing: the database grows from 16384 to 16386 pages");
}

/* ---- a long index ---- */

/* Counts and forgets. */
typedef struct null_writer {
    ls_writer base;
    uint64_t len;
} null_writer;

static ls_code null_write(ls_writer *w, const void *buf, size_t len, ls_err *err) {
    (void)buf;
    (void)err;
    ((null_writer *)w)->len += len;
    return LS_OK;
}

#define LONG_PAGES 200000u

static void encode_long(ls_writer *out, const char *spill_dir) {
    ls_err err = LS_ERR_INIT;
    ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                       .page_size = 512,
                       .commit = LONG_PAGES * 20,
                       .min_txid = 2,
                       .max_txid = 2};
    ls_ltx_encoder_opts opts = {.spill_dir = spill_dir};
    ls_ltx_encoder *enc = NULL;
    must(ls_ltx_encoder_new(out, &h, &opts, &enc, &err), &err);
    static uint8_t page[512];
    size_t files = open_files();
    for (uint32_t i = 1; i <= LONG_PAGES; i++) {
        memcpy(page, &i, 4);
        uint32_t pgno = i * 20 + (i * 20 == 2097153 ? 1 : 0);
        must(ls_ltx_encoder_page(enc, pgno, page, sizeof page, &err), &err);
    }
    assert_int_equal(open_files(), files + 1);
    must(ls_ltx_encoder_close(enc, 0, NULL, &err), &err);
    ls_ltx_encoder_free(enc);
    assert_int_equal(open_files(), files - 0);
}

static void test_spilled_index(void **state) {
    (void)state;
    char dir[] = "/tmp/ltx-encode-XXXXXX";
    assert_non_null(mkdtemp(dir));
    mem_file out;
    mem_file_init(&out);
    encode_long(&out.out.base, dir);
    blob b = mem_file_blob(&out);
    uint64_t index = 0;
    for (size_t i = 0; i < 8; i++)
        index = index << 8 | b.data[b.len - 24 + i];
    assert_true(index > SPILL_MAX + SPILL_MAX / 2);
    ls_ltx_summary sum;
    ls_err err = LS_ERR_INIT;
    must(verify_blob(b, &sum, &err), &err);
    assert_int_equal(sum.pages, LONG_PAGES);
    mem_file_done(&out);
    assert_int_equal(rmdir(dir), 0); /* nothing was left there */
}

static void test_no_spill_dir(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    null_writer out = {.base = {.write = null_write}};
    ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                       .page_size = 512,
                       .commit = UINT32_MAX,
                       .min_txid = 2,
                       .max_txid = 2};
    ls_ltx_encoder_opts opts = {.spill_dir = "/no/such/folder"};
    ls_ltx_encoder *enc = NULL;
    must(ls_ltx_encoder_new(&out.base, &h, &opts, &enc, &err), &err);
    static const uint8_t page[512];
    ls_code rc = LS_OK;
    for (uint32_t i = 1; i <= LONG_PAGES && rc == LS_OK; i++)
        rc = ls_ltx_encoder_page(enc, i, page, sizeof page, &err);
    assert_int_equal(rc, LS_ENOTFOUND);
    assert_string_equal(err.msg,
                        "create temporary file in /no/such/folder: No such file or directory");
    assert_int_equal(ls_ltx_encoder_page(enc, LONG_PAGES + 1, page, sizeof page, &err),
                     LS_EINVALID);
    assert_int_equal(ls_ltx_encoder_close(enc, 0, NULL, &err), LS_EINVALID);
    ls_ltx_encoder_free(enc);
}

/* ---- a writer that fails ---- */

typedef struct full_writer {
    ls_writer base;
    size_t room;
} full_writer;

static ls_code full_write(ls_writer *w, const void *buf, size_t len, ls_err *err) {
    (void)buf;
    full_writer *f = (full_writer *)w;
    if (len > f->room)
        return ls_fail(err, LS_EFULL, "write: the disk is full");
    f->room -= len;
    return LS_OK;
}

static void test_write_error(void **state) {
    (void)state;
    static uint8_t page[LS_LTX_MAX_PAGE_SIZE];
    for (size_t room = 0; room < 3000000; room += 300000) {
        ls_err err = LS_ERR_INIT;
        full_writer out = {.base = {.write = full_write}, .room = room};
        ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                           .page_size = LS_LTX_MAX_PAGE_SIZE,
                           .commit = 100,
                           .min_txid = 1,
                           .max_txid = 1};
        ls_ltx_encoder *enc = NULL;
        must(ls_ltx_encoder_new(&out.base, &h, NULL, &enc, &err), &err);
        ls_code rc = LS_OK;
        for (uint32_t i = 1; i <= 100 && rc == LS_OK; i++) {
            fill_page(page, sizeof page, i);
            rc = ls_ltx_encoder_page(enc, i, page, sizeof page, &err);
        }
        if (rc == LS_OK)
            rc = ls_ltx_encoder_close(enc, 0, NULL, &err);
        assert_int_equal(rc, LS_EFULL);
        assert_int_equal(ls_ltx_encoder_close(enc, 0, NULL, &err), LS_EINVALID);
        ls_ltx_encoder_free(enc);
    }
}

/* ---- frames given from outside ---- */

static void test_bad_frames(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    null_writer out = {.base = {.write = null_write}};
    ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                       .page_size = 512,
                       .commit = 10,
                       .min_txid = 2,
                       .max_txid = 2};
    ls_ltx_encoder *enc = NULL;
    must(ls_ltx_encoder_new(&out.base, &h, NULL, &enc, &err), &err);
    uint8_t page[512] = {0};
    uint8_t frame[64] = {0, 0, 0, 3, 0, 2};
    assert_int_equal(ls_ltx_encoder_frame(enc, frame, 6, page, &err), LS_EINVALID);
    assert_int_equal(ls_ltx_encoder_frame(enc, frame, SIZE_MAX, page, &err), LS_EINVALID);
    assert_int_equal(ls_ltx_encoder_frame(enc, frame, sizeof frame, page, &err), LS_EINVALID);
    assert_string_equal(err.msg, "invalid page header flags: 0x0002");
    frame[5] = 0;
    frame[3] = 11;
    assert_int_equal(ls_ltx_encoder_frame(enc, frame, sizeof frame, page, &err), LS_EINVALID);
    assert_string_equal(err.msg, "page number 11 out-of-bounds for commit size 10");
    ls_ltx_encoder_free(enc);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),      cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_growth),       cmocka_unit_test(test_spilled_index),
        cmocka_unit_test(test_no_spill_dir), cmocka_unit_test(test_write_error),
        cmocka_unit_test(test_bad_frames),
    };
    return cmocka_run_group_tests_name("encode", tests, NULL, NULL);
}
