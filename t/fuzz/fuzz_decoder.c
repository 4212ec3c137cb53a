/*
 * Fuzz target: bytes as an LTX file, read forward.
 *
 * - Whole or in small pieces, the outcome is the same.
 * - What is accepted decodes alike through the LZ4 library, and again through random access.
 * - Pages that are accepted, written by the encoder, make a file that verifies.
 */
#include "t/fuzz/fuzz.h"

#include "engine/base/buf.h"
#include "engine/ltx/decoder.h"
#include "engine/ltx/encoder.h"

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

/* Reads all pages, each into enc where it is not NULL. */
static ls_code read_pages(ls_ltx_decoder *dec, ls_ltx_encoder *enc, uint32_t page_size,
                          ls_err *err) {
    for (;;) {
        ls_ltx_page p;
        bool end = false;
        ls_code rc = ls_ltx_decoder_next(dec, &p, &end, err);
        if (rc != LS_OK || end)
            return rc;
        if (enc == NULL)
            continue;
        check_page(&p, page_size);
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
    rc = read_pages(dec, enc, h.page_size, err);
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
