/*
 * Page frames: both encodings there and back, every form of LZ4 frame that the LZ4 library writes,
 * and damage.
 */
#include "t/engine/ltx/support.h"

#include <lz4frame.h>
#define XXH_INLINE_ALL
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include <cmocka.h>

#include "engine/ltx/lz4frame.h"
#include "engine/ltx/page.h"

#define MAX_PAGE LS_LTX_MAX_PAGE_SIZE

/* A decoded page, and room behind it that must stay untouched. */
static uint8_t decoded[MAX_PAGE + 64];

static ls_code decode(const uint8_t *frame, size_t size, uint32_t page_size, uint32_t *pgno,
                      ls_err *err) {
    uint16_t flags = 0;
    memset(decoded, 0xa5, sizeof decoded);
    uint8_t *exact = malloc(size + 1); /* so that a sanitizer sees a read past the end */
    assert_non_null(exact);
    uint8_t *at = exact + 1;
    memcpy(at, frame, size);
    ls_code rc = ls_ltx_page_decode(NULL, at, size, decoded, page_size, pgno, &flags, err);
    free(exact);
    for (size_t i = page_size; i < page_size + 64u; i++)
        assert_int_equal(decoded[i], 0xa5);
    return rc;
}

/* ---- random access as Go's ---- */

static void check_pagedata(const json_t *c, size_t *good, size_t *refused) {
    blob b = vec_file(jstr(c, "file"));
    ls_ltx_header h;
    ls_err err = LS_ERR_INIT;
    must(ls_ltx_header_decode(b.data, &h, &err), &err);
    size_t offset = (size_t)jint(c, "offset");
    size_t size = (size_t)jint(c, "size");
    assert_true(offset + size <= b.len);
    uint32_t pgno = 0;
    ls_code rc = decode(b.data + offset, size, h.page_size, &pgno, &err);
    if (json_object_get(c, "note") != NULL) { /* bytes behind the frame */
        assert_int_equal(rc, LS_ECORRUPT);
        (*refused)++;
    } else {
        must(rc, &err);
        const json_t *want = jget(jget(c, "readers"), "0.5.2");
        char sha[SHA256_HEX_SIZE];
        assert_int_equal(pgno, jint(want, "pgno"));
        assert_string_equal(sha256_hex(decoded, h.page_size, sha), jstr(want, "sha256"));
        (*good)++;
    }
    free(b.data);
}

static void test_pagedata(void **state) {
    (void)state;
    json_t *cases = vec_json("pagedata.json");
    size_t i;
    json_t *c;
    size_t good = 0;
    size_t refused = 0;
    assert_int_equal(json_array_size(cases), 24);
    json_array_foreach(cases, i, c) check_pagedata(c, &good, &refused);
    assert_int_equal(good, 12);
    assert_int_equal(refused, 12);
    json_decref(cases);
}

/* ---- there and back ---- */

typedef enum filling { ZERO, WORDS, NOISE, FILLINGS } filling;

static void fill(uint8_t *page, uint32_t page_size, filling f, uint64_t seed) {
    if (f == ZERO)
        memset(page, 0, page_size);
    else if (f == WORDS)
        fill_page(page, page_size, seed);
    else
        for (uint32_t i = 0; i < page_size; i++)
            page[i] = (uint8_t)next_random(&seed);
}

static void test_there_and_back(void **state) {
    (void)state;
    static uint8_t page[MAX_PAGE];
    static uint8_t frame[LS_LTX_MAX_FRAME];
    ls_ltx_codec *codec = ls_ltx_codec_new();
    size_t rounds = 0;
    for (uint32_t size = 512; size <= MAX_PAGE; size *= 2)
        for (int f = 0; f < FILLINGS; f++)
            for (int enc = 0; enc < 2; enc++, rounds++) {
                uint32_t pgno = 0x01020304u + size;
                fill(page, size, (filling)f, size);
                size_t n = ls_ltx_page_encode(codec, (ls_ltx_encoding)enc, pgno, page, size, frame);
                assert_in_range(n, 11, ls_ltx_frame_bound(size));
                assert_true(ls_ltx_frame_bound(size) <= LS_LTX_MAX_FRAME);
                if (f == NOISE && enc == LS_LTX_FRAME) /* stored */
                    assert_int_equal(n, size + 25);
                uint32_t got = 0;
                ls_err err = LS_ERR_INIT;
                must(decode(frame, n, size, &got, &err), &err);
                assert_int_equal(got, pgno);
                assert_memory_equal(decoded, page, size);
            }
    assert_int_equal(rounds, 48);
    ls_ltx_codec_free(codec);
}

/* ---- every form of frame ---- */

typedef struct form {
    int block_id;    /* 4..7 */
    int linked;      /* blocks refer to those before */
    int content_sum; /* checksums and content size present */
    int block_sum;
    int content_size;
    size_t piece;  /* bytes of each block, 0: one block */
    int skippable; /* bytes of a skippable frame in front, -1: none */
    int level;
} form;

static LZ4F_preferences_t preferences(const form *f, uint32_t page_size) {
    LZ4F_preferences_t p = LZ4F_INIT_PREFERENCES;
    p.frameInfo.blockSizeID = (LZ4F_blockSizeID_t)f->block_id;
    p.frameInfo.blockMode = f->linked ? LZ4F_blockLinked : LZ4F_blockIndependent;
    p.frameInfo.contentChecksumFlag =
        f->content_sum ? LZ4F_contentChecksumEnabled : LZ4F_noContentChecksum;
    p.frameInfo.blockChecksumFlag = f->block_sum ? LZ4F_blockChecksumEnabled : LZ4F_noBlockChecksum;
    p.frameInfo.contentSize = f->content_size ? page_size : 0;
    p.compressionLevel = f->level;
    return p;
}

/* The payload as the LZ4 library writes it; out holds 4 * MAX_PAGE. */
static size_t library_frame(const form *f, const uint8_t *page, uint32_t page_size, uint8_t *out) {
    const size_t room = 4 * MAX_PAGE;
    size_t n = 0;
    if (f->skippable >= 0) {
        const uint8_t head[8] = {0x5a, 0x2a, 0x4d, 0x18, (uint8_t)f->skippable};
        memcpy(out, head, sizeof head);
        memset(out + 8, 0xee, (size_t)f->skippable);
        n = 8 + (size_t)f->skippable;
    }
    LZ4F_preferences_t p = preferences(f, page_size);
    LZ4F_cctx *c = NULL;
    assert_false(LZ4F_isError(LZ4F_createCompressionContext(&c, LZ4F_VERSION)));
    n += LZ4F_compressBegin(c, out + n, room - n, &p);
    size_t piece = f->piece != 0 ? f->piece : page_size;
    for (size_t off = 0; off < page_size; off += piece) {
        size_t len = page_size - off < piece ? page_size - off : piece;
        n += LZ4F_compressUpdate(c, out + n, room - n, page + off, len, NULL);
        n += LZ4F_flush(c, out + n, room - n, NULL);
    }
    size_t end = LZ4F_compressEnd(c, out + n, room - n, NULL);
    assert_false(LZ4F_isError(end));
    LZ4F_freeCompressionContext(c);
    return n + end;
}

/* Forms by number: all options with one another. */
static form form_of(unsigned k) {
    static const size_t pieces[] = {0, 300, 5000};
    static const int skippables[] = {-1, 0, 17};
    form f = {.block_id = 4 + (int)(k & 3),
              .linked = k >> 2 & 1,
              .content_sum = k >> 3 & 1,
              .block_sum = k >> 4 & 1,
              .content_size = k >> 5 & 1};
    k >>= 6;
    f.piece = pieces[k % 3];
    f.skippable = skippables[k / 3 % 3];
    f.level = k / 9 % 2 == 0 ? 1 : 9;
    return f;
}
#define FORMS (64 * 3 * 3 * 2)

/* A file of one page in that frame, read forward in steps. */
static ls_code read_file_of(const uint8_t *frame, size_t size, const uint8_t *page,
                            uint32_t page_size, size_t step, ls_err *err) {
    mem_file out;
    mem_file_init(&out);
    ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                       .page_size = page_size,
                       .commit = 7,
                       .min_txid = 2,
                       .max_txid = 2};
    ls_ltx_encoder *enc = NULL;
    must(ls_ltx_encoder_new(&out.out.base, &h, NULL, &enc, err), err);
    must(ls_ltx_encoder_frame(enc, frame, size, page, err), err);
    must(ls_ltx_encoder_close(enc, 0, NULL, err), err);
    ls_ltx_encoder_free(enc);
    step_reader in = step_reader_of(mem_file_blob(&out), step);
    ls_ltx_summary sum;
    ls_code rc = ls_ltx_verify(&in.base, &sum, err);
    mem_file_done(&out);
    return rc;
}

static void test_forms(void **state) {
    (void)state;
    static uint8_t page[MAX_PAGE];
    static uint8_t frame[4 * MAX_PAGE] = {0, 0, 0, 7};
    static const uint32_t sizes[] = {512, 4096, 65536};
    size_t rounds = 0;
    size_t too_long = 0;
    for (unsigned k = 0; k < FORMS; k++) {
        form f = form_of(k);
        uint32_t size = sizes[(k + k / 64) % 3];
        fill(page, size, k % 7 == 0 ? NOISE : WORDS, k);
        size_t n = 6 + library_frame(&f, page, size, frame + 6);
        uint32_t pgno = 0;
        ls_err err = LS_ERR_INIT;
        must(decode(frame, n, size, &pgno, &err), &err);
        assert_memory_equal(decoded, page, size);
        if (n > LS_LTX_MAX_FRAME) {
            too_long++;
            continue;
        }
        must(read_file_of(frame, n, page, size, k % 5 == 0 ? 1 : 1000, &err), &err);
        rounds++;
    }
    assert_int_equal(rounds + too_long, FORMS);
    assert_true(too_long < FORMS / 8);
}

/* ---- the walk over a frame ---- */

static void test_scan(void **state) {
    (void)state;
    static uint8_t page[4096];
    static uint8_t frame[4 * MAX_PAGE];
    for (unsigned k = 0; k < FORMS; k += 5) {
        form f = form_of(k);
        fill_page(page, sizeof page, k);
        size_t n = library_frame(&f, page, sizeof page, frame);
        memset(frame + n, 0xff, 16);
        ls_lz4_scan scan = {0};
        ls_err err = LS_ERR_INIT;
        size_t need = 1;
        for (size_t have = 0; !scan.done; have++) {
            assert_true(have <= n);
            need = SIZE_MAX;
            must(ls_lz4_scan_more(&scan, frame, have, LS_LTX_MAX_FRAME, &need, &err), &err);
            if (!scan.done)
                assert_in_range(need, have + 1, n);
        }
        assert_int_equal(scan.pos, n);
    }
}

static void test_scan_limit(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    size_t need = 0;
    ls_lz4_scan scan = {0};
    uint8_t skip[8] = {0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff};
    assert_int_equal(ls_lz4_scan_more(&scan, skip, 8, 1000, &need, &err), LS_ECORRUPT);
    assert_string_equal(err.msg, "lz4: frame of more than 1000 bytes");
    uint8_t block[11] = {0x04, 0x22, 0x4d, 0x18, 0x64, 0x40, 0xa7, 0xff, 0xff, 0xff, 0xff};
    scan = (ls_lz4_scan){0};
    assert_int_equal(ls_lz4_scan_more(&scan, block, 11, 1000, &need, &err), LS_ECORRUPT);
    assert_string_equal(err.msg, "lz4: frame of more than 1000 bytes");
}

/* ---- damage ---- */

/* A stored page under a descriptor whose header checksum is off by wrong. */
static const uint8_t *frame_with(uint8_t flg, uint8_t bd, unsigned wrong) {
    static uint8_t frame[6 + 7 + 4 + 512 + 8] = {0, 0, 0, 1, 0, 0, 0x04, 0x22, 0x4d, 0x18};
    frame[10] = flg;
    frame[11] = bd;
    frame[12] = (uint8_t)((XXH32(frame + 10, 2, 0) >> 8) + wrong);
    frame[14] = 2; /* 512 bytes, stored */
    frame[16] = 0x80;
    return frame;
}

static void expect_refused(const uint8_t *frame, size_t size, const char *text) {
    uint32_t pgno;
    ls_err err = LS_ERR_INIT;
    assert_int_not_equal(decode(frame, size, 512, &pgno, &err), LS_OK);
    assert_string_equal(err.msg, text);
}

static void test_descriptors(void **state) {
    (void)state;
    const size_t size = 6 + 7 + 4 + 512 + 4;
    uint32_t pgno;
    ls_err err = LS_ERR_INIT;
    must(decode(frame_with(0x60, 0x40, 0), size, 512, &pgno, &err), &err);
    expect_refused(frame_with(0x60, 0x40, 1), size,
                   "lz4: invalid header checksum: got 82; expected 83");
    expect_refused(frame_with(0x61, 0x40, 0), size, "lz4: frame needs a dictionary");
    expect_refused(frame_with(0x62, 0x40, 0), size, "lz4: invalid frame descriptor: 62 40");
    expect_refused(frame_with(0x20, 0x40, 0), size, "lz4: invalid frame descriptor: 20 40");
    expect_refused(frame_with(0x60, 0x30, 0), size, "lz4: invalid frame descriptor: 60 30");
    expect_refused(frame_with(0x60, 0xc0, 0), size, "lz4: invalid frame descriptor: 60 c0");
    expect_refused(frame_with(0x60, 0x41, 0), size, "lz4: invalid frame descriptor: 60 41");
    expect_refused(frame_with(0x60, 0x40, 0), size - 1, "lz4: frame ends too early");
    expect_refused(frame_with(0x60, 0x40, 0), size + 1,
                   "lz4: frame ends before its size in the page index");
}

static void test_small_frames(void **state) {
    (void)state;
    static const uint8_t zeros[32] = {0, 0, 0, 1};
    for (size_t size = 0; size < sizeof zeros; size++) {
        uint32_t pgno;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(decode(zeros, size, 512, &pgno, &err), LS_ECORRUPT);
    }
    static const uint8_t block[32] = {0, 0, 0, 1, 0, 1, 0, 0, 0, 22};
    for (size_t size = 6; size < sizeof block; size++) {
        uint32_t pgno;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(decode(block, size, 512, &pgno, &err), LS_ECORRUPT);
    }
}

/* With a content checksum no flipped bit changes the page unseen. */
static void test_flipped_bits(void **state) {
    (void)state;
    static uint8_t page[1024];
    static uint8_t frame[4 * MAX_PAGE] = {0, 0, 0, 7};
    static const form forms[] = {
        {.block_id = 4, .content_sum = 1, .skippable = -1},
        {.block_id = 4, .content_sum = 1, .block_sum = 1, .content_size = 1, .skippable = 3},
        {.block_id = 5, .content_sum = 1, .linked = 1, .piece = 300, .skippable = -1},
    };
    size_t refused = 0;
    fill_page(page, sizeof page, 5);
    for (size_t k = 0; k < 3; k++) {
        size_t n = 6 + library_frame(&forms[k], page, sizeof page, frame + 6);
        for (size_t bit = 6 * 8; bit < n * 8; bit++) {
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
            uint32_t pgno;
            ls_err err = LS_ERR_INIT;
            if (decode(frame, n, sizeof page, &pgno, &err) == LS_OK)
                assert_memory_equal(decoded, page, sizeof page);
            else
                refused++;
            frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
    assert_true(refused > 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pagedata),     cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_forms),        cmocka_unit_test(test_scan),
        cmocka_unit_test(test_scan_limit),   cmocka_unit_test(test_descriptors),
        cmocka_unit_test(test_small_frames), cmocka_unit_test(test_flipped_bits),
    };
    return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
