/*
 * Fuzz target: bytes as an LTX file, read forward.
 *
 * - Whole or in small pieces, the outcome is the same.
 * - What is accepted decodes alike through the LZ4 library, and again through random access.
 * - Pages that are accepted, written by the encoder, make a file that verifies.
 * - With its checksum put right, which no mutation can do, a file that is accepted then has a page
 *   index that the index reader takes as well.
 */
#include "t/fuzz/fuzz.h"

#include "engine/base/buf.h"
#include "engine/ltx/bytes.h"
#include "engine/ltx/crc64.h"
#include "engine/ltx/decoder.h"
#include "engine/ltx/encoder.h"
#include "engine/ltx/index.h"

#include <lz4frame.h>

static uint8_t other[LS_LTX_MAX_PAGE_SIZE + 1];

/* The payload of an F frame through the library. */
static void check_with_library(const ls_ltx_page *p, uint32_t page_size) {
    LZ4F_dctx *dctx = NULL;
    EXPECT(!LZ4F_isError(LZ4F_createDecompressionContext(&dctx, LZ4F_VERSION)));
    const uint8_t *src = p->frame + LS_LTX_PAGE_HEADER_SIZE;
    size_t left = p->size - LS_LTX_PAGE_HEADER_SIZE;
    size_t out = 0;
    size_t hint = 1;
    while (left > 0) {
        size_t in_len = left;
        size_t out_len = sizeof other - out;
        hint = LZ4F_decompress(dctx, other + out, &out_len, src, &in_len, NULL);
        EXPECT(!LZ4F_isError(hint));
        EXPECT(in_len > 0 || out_len > 0);
        src += in_len;
        left -= in_len;
        out += out_len;
    }
    EXPECT(hint == 0);
    EXPECT(out == page_size && memcmp(other, p->data, page_size) == 0);
    LZ4F_freeDecompressionContext(dctx);
}

static void check_page(const ls_ltx_page *p, uint32_t page_size) {
    ls_err err = LS_ERR_INIT;
    uint32_t pgno = 0;
    uint16_t flags = 0;
    EXPECT(ls_ltx_page_decode(NULL, p->frame, p->size, other, page_size, &pgno, &flags, &err) ==
           LS_OK);
    EXPECT(pgno == p->pgno && flags == p->flags && memcmp(other, p->data, page_size) == 0);
    EXPECT(p->size <= LS_LTX_MAX_FRAME);
    if (flags == 0)
        check_with_library(p, page_size);
}

/* Reads all pages, each into enc, and goes on with the file checksum. */
static ls_code read_pages(ls_ltx_decoder *dec, ls_ltx_encoder *enc, uint32_t page_size,
                          uint64_t *crc, ls_err *err) {
    for (;;) {
        ls_ltx_page p;
        bool end = false;
        ls_code rc = ls_ltx_decoder_next(dec, &p, &end, err);
        if (rc != LS_OK || end)
            return rc;
        check_page(&p, page_size);
        *crc = ls_crc64(*crc, p.frame, ls_ltx_frame_crc_prefix(p.flags));
        *crc = ls_crc64(*crc, p.data, page_size);
        ls_err none = LS_ERR_INIT;
        EXPECT(ls_ltx_encoder_frame(enc, p.frame, p.size, p.data, &none) == LS_OK);
    }
}

static ls_ltx_encoder *new_encoder(const ls_ltx_header *h, ls_buf_writer *out) {
    ls_err err = LS_ERR_INIT;
    ls_ltx_encoder *enc = NULL;
    EXPECT(ls_ltx_encoder_new(&out->base, h, NULL, &enc, &err) == LS_OK);
    return enc;
}

/* A file of the pages seen: whole if the encoder says so, and then as the decoder says. */
static void check_copy(ls_ltx_encoder *enc, const ls_ltx_header *h, const ls_ltx_trailer *t,
                       const ls_buf *out) {
    ls_err err = LS_ERR_INIT;
    ls_ltx_summary sum;
    if (ls_ltx_encoder_close(enc, t->post_apply, NULL, &err) != LS_OK)
        return;
    fuzz_reader in = fuzz_reader_of((const uint8_t *)out->data, out->len, SIZE_MAX);
    ls_code rc = ls_ltx_verify(&in.base, &sum, &err);
    bool sums = ls_ltx_is_snapshot(h) && (h->flags & LS_LTX_FLAG_NO_CHECKSUM) == 0;
    EXPECT(rc == LS_OK || (sums && rc == LS_ECHECKSUM));
    EXPECT(sum.pages == ls_ltx_encoder_pages(enc) && sum.size == out->len);
}

/* The index of a file that was accepted, through its own reader. */
static void check_index(const uint8_t *data, size_t size, const ls_ltx_summary *sum) {
    ls_err err = LS_ERR_INIT;
    ls_ltx_tail tail;
    ls_ltx_index_iter *it = NULL;
    EXPECT(ls_ltx_tail_decode(data + size - 24, size, &tail, &err) == LS_OK);
    fuzz_reader in = fuzz_reader_of(data + tail.index_offset, (size_t)tail.index_size, SIZE_MAX);
    EXPECT(ls_ltx_index_iter_new(&in.base, &sum->header, &tail, &it, &err) == LS_OK);
    uint32_t n = 0;
    for (bool end = false; !end; n += !end) {
        ls_ltx_entry e;
        EXPECT(ls_ltx_index_iter_next(it, &e, &end, &err) == LS_OK);
    }
    EXPECT(n == sum->pages);
    ls_ltx_index_iter_free(it);
}

/* pos: behind the last page; crc: up to there. */
static void check_sealed(const uint8_t *data, size_t size, size_t pos, uint64_t crc) {
    ls_err err = LS_ERR_INIT;
    ls_ltx_summary sum;
    if (size < pos + 8)
        return;
    uint8_t *copy = malloc(size);
    EXPECT(copy != NULL);
    memcpy(copy, data, size);
    put_be64(copy + size - 8, LS_LTX_CHECKSUM_FLAG | ls_crc64(crc, data + pos, size - 8 - pos));
    fuzz_reader in = fuzz_reader_of(copy, size, SIZE_MAX);
    if (ls_ltx_verify(&in.base, &sum, &err) == LS_OK)
        check_index(copy, size, &sum);
    free(copy);
}

static ls_code read_whole(const uint8_t *data, size_t size, ls_err *err) {
    fuzz_reader in = fuzz_reader_of(data, size, SIZE_MAX);
    ls_ltx_header h;
    ls_ltx_decoder *dec = NULL;
    ls_code rc = ls_ltx_decoder_new(&in.base, &h, &dec, err);
    if (rc != LS_OK)
        return rc;
    ls_buf buf;
    ls_buf_writer out;
    ls_buf_init(&buf, (size_t)64 << 20);
    ls_buf_writer_init(&out, &buf);
    ls_ltx_encoder *enc = new_encoder(&h, &out);
    ls_ltx_trailer trailer = {0};
    uint64_t crc = ls_crc64(0, data, LS_LTX_HEADER_SIZE);
    rc = read_pages(dec, enc, h.page_size, &crc, err);
    if (rc == LS_OK)
        check_sealed(data, size, (size_t)ls_ltx_decoder_bytes(dec) - LS_LTX_PAGE_HEADER_SIZE, crc);
    if (rc == LS_OK)
        rc = ls_ltx_decoder_close(dec, &trailer, err);
    if (rc == LS_OK)
        EXPECT(ls_ltx_decoder_bytes(dec) == size);
    check_copy(enc, &h, &trailer, &buf);
    ls_ltx_encoder_free(enc);
    ls_ltx_decoder_free(dec);
    ls_buf_done(&buf);
    return rc;
}

static ls_code read_in_pieces(const uint8_t *data, size_t size, size_t step, ls_err *err) {
    fuzz_reader in = fuzz_reader_of(data, size, step);
    ls_ltx_summary sum;
    return ls_ltx_verify(&in.base, &sum, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ls_err whole;
    static ls_err pieces;
    whole = pieces = LS_ERR_INIT;
    ls_code rc = read_whole(data, size, &whole);
    EXPECT(read_in_pieces(data, size, size < 2000 ? 1 : 997, &pieces) == rc);
    EXPECT(strcmp(whole.msg, pieces.msg) == 0);
    return 0;
}
