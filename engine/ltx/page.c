/*
 * One page in its frame, encodings F and B.
 *
 *   F   pgno u32, flags u16 = 0 | descriptor (7) | size u32le | block | 0 u32le | xxh32 u32le
 *   B   pgno u32, flags u16 = 1 | size u32 | block
 */
#include "engine/ltx/page.h"

#include "engine/ltx/bytes.h"
#include "engine/ltx/lz4frame.h"
#include "engine/ltx/payload.h"
#include "engine/ltx/rules.h"

#include <lz4.h>
#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define F_BLOCK 17    /* offset of an F frame's block: page header, descriptor, size */
#define F_OVERHEAD 25 /* what an F frame is longer than its block */
#define B_BLOCK LS_LTX_BLOCK_PREFIX

struct ls_ltx_codec {
    LZ4_stream_t lz4;
};

ls_ltx_codec *ls_ltx_codec_new(void) {
    ls_ltx_codec *c = malloc(sizeof *c);
    if (c != NULL)
        LZ4_initStream(&c->lz4, sizeof c->lz4);
    return c;
}

void ls_ltx_codec_free(ls_ltx_codec *c) { free(c); }

size_t ls_ltx_frame_bound(uint32_t page_size) {
    return F_OVERHEAD + (size_t)LZ4_COMPRESSBOUND(page_size);
}

/* Bytes of the block written to out, which has room for any. */
static size_t compress(ls_ltx_codec *c, const void *page, uint32_t page_size, uint8_t *out) {
    int n = LZ4_compress_fast_extState(&c->lz4, page, (char *)out, (int)page_size,
                                       LZ4_COMPRESSBOUND((int)page_size), 1);
    return (size_t)n;
}

static size_t encode_f(ls_ltx_codec *c, const void *page, uint32_t page_size, uint8_t *out) {
    memcpy(out + LS_LTX_PAGE_HEADER_SIZE, ls_lz4_descriptor, sizeof ls_lz4_descriptor);
    size_t n = compress(c, page, page_size, out + F_BLOCK);
    uint32_t stored = 0;
    if (n >= page_size) {
        memcpy(out + F_BLOCK, page, page_size);
        n = page_size;
        stored = LS_LZ4_STORED;
    }
    put_le32(out + F_BLOCK - 4, (uint32_t)n | stored);
    put_le32(out + F_BLOCK + n, 0);
    put_le32(out + F_BLOCK + n + 4, XXH32(page, page_size, 0));
    return F_OVERHEAD + n;
}

size_t ls_ltx_page_encode(ls_ltx_codec *c, ls_ltx_encoding enc, uint32_t pgno, const void *page,
                          uint32_t page_size, uint8_t *out) {
    put_be32(out, pgno);
    put_be16(out + 4, enc == LS_LTX_BLOCK ? LS_LTX_PAGE_FLAG_BLOCK : 0);
    if (enc == LS_LTX_FRAME)
        return encode_f(c, page, page_size, out);
    size_t n = compress(c, page, page_size, out + B_BLOCK);
    put_be32(out + LS_LTX_PAGE_HEADER_SIZE, (uint32_t)n);
    return B_BLOCK + n;
}

static ls_code block_failed(ls_err *err) {
    return ls_fail(err, LS_ECORRUPT,
                   "decompress block: lz4: invalid source or destination buffer too short");
}

static ls_code decode_b(const uint8_t *block, size_t size, void *page, uint32_t page_size,
                        ls_err *err) {
    if (size == 0 || size > LS_LTX_MAX_FRAME)
        return block_failed(err);
    int n = LZ4_decompress_safe((const char *)block, page, (int)size, (int)page_size);
    if (n < 0)
        return block_failed(err);
    if ((uint32_t)n != page_size)
        return ls_fail(err, LS_ECORRUPT, "decompress block: page of %d bytes, expected %u", n,
                       (unsigned)page_size);
    return LS_OK;
}

/* The frame that this program and ltx 0.5.1 write, of one block that becomes a whole page. false:
 * it is something else, or damaged. */
static bool decode_usual_f(const uint8_t *frame, size_t size, void *page, uint32_t page_size) {
    if (size < F_OVERHEAD ||
        memcmp(frame + LS_LTX_PAGE_HEADER_SIZE, ls_lz4_descriptor, sizeof ls_lz4_descriptor) != 0)
        return false;
    uint32_t word = get_le32(frame + F_BLOCK - 4);
    uint32_t n = word & ~LS_LZ4_STORED;
    if (n == 0 || n > page_size || n != size - F_OVERHEAD || get_le32(frame + F_BLOCK + n) != 0)
        return false;
    if (word != n) {
        if (n != page_size)
            return false;
        memcpy(page, frame + F_BLOCK, n);
    } else if (LZ4_decompress_safe((const char *)frame + F_BLOCK, page, (int)n, (int)page_size) !=
               (int)page_size) {
        return false;
    }
    return XXH32(page, page_size, 0) == get_le32(frame + F_BLOCK + n + 4);
}

ls_code ls_ltx_payload_decode(const uint8_t *frame, size_t size, void *page, uint32_t page_size,
                              ls_err *err) {
    if ((get_be16(frame + 4) & LS_LTX_PAGE_FLAG_BLOCK) != 0)
        return decode_b(frame + B_BLOCK, size - B_BLOCK, page, page_size, err);
    if (decode_usual_f(frame, size, page, page_size))
        return LS_OK;
    return ls_lz4_frame_decode(frame + LS_LTX_PAGE_HEADER_SIZE, size - LS_LTX_PAGE_HEADER_SIZE,
                               page, page_size, err);
}

ls_code ls_ltx_page_decode(ls_ltx_codec *c, const uint8_t *frame, size_t size, void *page,
                           uint32_t page_size, uint32_t *pgno, uint16_t *flags, ls_err *err) {
    (void)c;
    if (size < LS_LTX_PAGE_HEADER_SIZE)
        return ls_fail(err, LS_ECORRUPT, "page frame of %zu bytes is too short", size);
    *pgno = get_be32(frame);
    *flags = get_be16(frame + 4);
    if (*pgno == 0)
        return ls_fail(err, LS_ECORRUPT, "page number required");
    ls_code rc = ls_ltx_check_page_flags(*flags, err);
    if (rc != LS_OK)
        return rc;
    if (*flags == LS_LTX_PAGE_FLAG_BLOCK &&
        (size < B_BLOCK || get_be32(frame + LS_LTX_PAGE_HEADER_SIZE) != size - B_BLOCK))
        return ls_fail(err, LS_ECORRUPT, "page frame of %zu bytes disagrees with its size prefix",
                       size);
    return ls_ltx_payload_decode(frame, size, page, page_size, err);
}
