/*
 * Walks and decodes LZ4 frames; see lz4frame.h for their layout.
 */
#include "engine/ltx/lz4frame.h"

#include "engine/ltx/bytes.h"

#include <inttypes.h>
#include <lz4.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#define MAGIC 0x184D2204u
#define MAGIC_SKIP 0x184D2A50u /* the low four bits are free */

#define FLG_VERSION_MASK 0xc0
#define FLG_VERSION 0x40
#define FLG_INDEPENDENT 0x20
#define FLG_BLOCK_CHECKSUM 0x10
#define FLG_CONTENT_SIZE 0x08
#define FLG_CONTENT_CHECKSUM 0x04
#define FLG_RESERVED 0x02
#define FLG_DICT 0x01

const uint8_t ls_lz4_descriptor[LS_LZ4_DESCRIPTOR_SIZE] = {0x04, 0x22, 0x4d, 0x18,
                                                           0x64, 0x40, 0xa7};

/* Bytes of the descriptor, magic to header checksum. */
static size_t descriptor_size(uint8_t flg) { return (flg & FLG_CONTENT_SIZE) != 0 ? 15 : 7; }

/* p: descriptor_size() bytes. */
static ls_code check_descriptor(const uint8_t *p, ls_err *err) {
    uint8_t flg = p[4];
    uint8_t bd = p[5];
    size_t hc = descriptor_size(flg) - 1;
    unsigned sum = XXH32(p + 4, hc - 4, 0) >> 8 & 0xff;
    if (sum != p[hc])
        return ls_fail(err, LS_ECORRUPT, "lz4: invalid header checksum: got %x; expected %x", sum,
                       p[hc]);
    if ((flg & FLG_VERSION_MASK) != FLG_VERSION || (flg & FLG_RESERVED) != 0 || (bd & 0x8f) != 0 ||
        bd >> 4 < 4)
        return ls_fail(err, LS_ECORRUPT, "lz4: invalid frame descriptor: %02x %02x", flg, bd);
    if ((flg & FLG_DICT) != 0)
        return ls_fail(err, LS_ECORRUPT, "lz4: frame needs a dictionary");
    return LS_OK;
}

/* Sets *need to to, unless that goes past max. */
static ls_code ask(uint64_t to, size_t max, size_t *need, ls_err *err) {
    if (to > max)
        return ls_fail(err, LS_ECORRUPT, "lz4: frame of more than %zu bytes", max);
    *need = (size_t)to;
    return LS_OK;
}

/* Bytes at s->pos that the next step takes, as far as avail bytes tell: over a skippable frame or
 * the descriptor. 0: bad magic. */
static uint64_t head_step(const ls_lz4_scan *s, const uint8_t *p, size_t avail) {
    const uint8_t *at = p + s->pos;
    size_t have = avail - s->pos;
    if (have < 5)
        return 5;
    if (get_le32(at) == MAGIC)
        return descriptor_size(at[4]);
    if ((get_le32(at) & ~0xfu) != MAGIC_SKIP)
        return 0;
    return have < 8 ? 8 : 8 + (uint64_t)get_le32(at + 4);
}

/* As head_step, over a block or the end of the frame. */
static uint64_t block_step(const ls_lz4_scan *s, const uint8_t *p, size_t avail) {
    if (avail - s->pos < 4)
        return 4;
    uint32_t size = get_le32(p + s->pos);
    if (size == 0)
        return (s->flg & FLG_CONTENT_CHECKSUM) != 0 ? 8 : 4;
    return 4 + (uint64_t)(size & ~LS_LZ4_STORED) + ((s->flg & FLG_BLOCK_CHECKSUM) != 0 ? 4 : 0);
}

/* Takes the step over whole bytes at s->pos. */
static ls_code take_step(ls_lz4_scan *s, const uint8_t *p, size_t step, ls_err *err) {
    const uint8_t *at = p + s->pos;
    s->pos += step;
    if (s->in_frame) {
        s->done = get_le32(at) == 0;
        return LS_OK;
    }
    if (get_le32(at) != MAGIC)
        return LS_OK;
    s->in_frame = true;
    s->flg = at[4];
    return check_descriptor(at, err);
}

ls_code ls_lz4_scan_more(ls_lz4_scan *s, const uint8_t *p, size_t avail, size_t max, size_t *need,
                         ls_err *err) {
    while (!s->done) {
        uint64_t step = s->in_frame ? block_step(s, p, avail) : head_step(s, p, avail);
        if (step == 0)
            return ls_fail(err, LS_ECORRUPT, "lz4: bad magic number");
        if (step > avail - s->pos)
            return ask(s->pos + step, max, need, err);
        ls_code rc = take_step(s, p, (size_t)step, err);
        if (rc != LS_OK)
            return rc;
    }
    return LS_OK;
}

/* Output of a frame as far as it is decoded. */
typedef struct output {
    uint8_t *data;
    size_t len;
    size_t cap;
} output;

static ls_code block_failed(ls_err *err) {
    return ls_fail(err, LS_ECORRUPT, "lz4: invalid source or destination buffer too short");
}

/* One block of size bytes; linked: it may refer to what came before it. */
static ls_code decode_block(const uint8_t *p, uint32_t size, bool stored, bool linked, output *out,
                            ls_err *err) {
    size_t room = out->cap - out->len;
    uint8_t *to = out->data + out->len;
    if (stored) {
        if (size > room)
            return block_failed(err);
        memcpy(to, p, size);
        out->len += size;
        return LS_OK;
    }
    const char *from = (const char *)p;
    int n = linked ? LZ4_decompress_safe_usingDict(from, (char *)to, (int)size, (int)room,
                                                   (const char *)out->data, (int)out->len)
                   : LZ4_decompress_safe(from, (char *)to, (int)size, (int)room);
    if (n < 0)
        return block_failed(err);
    out->len += (size_t)n;
    return LS_OK;
}

/* The block at p with its size and checksum. */
static ls_code read_block(const uint8_t *p, uint8_t flg, uint8_t bd, output *out, ls_err *err) {
    uint32_t word = get_le32(p);
    uint32_t size = word & ~LS_LZ4_STORED;
    if (size > (uint32_t)1 << (8 + 2 * (bd >> 4)))
        return ls_fail(err, LS_ECORRUPT, "lz4: block of %" PRIu32 " bytes is too large", size);
    if ((flg & FLG_BLOCK_CHECKSUM) != 0 && XXH32(p + 4, size, 0) != get_le32(p + 4 + size))
        return ls_fail(err, LS_ECHECKSUM, "lz4: invalid block checksum");
    return decode_block(p + 4, size, word != size, (flg & FLG_INDEPENDENT) == 0, out, err);
}

/* The content's length and checksum; p: descriptor, end: what stands behind the end mark. */
static ls_code check_content(const uint8_t *p, const uint8_t *end, const output *out, ls_err *err) {
    if (out->len != out->cap)
        return ls_fail(err, LS_ECORRUPT, "lz4: page of %zu bytes, expected %zu", out->len,
                       out->cap);
    if ((p[4] & FLG_CONTENT_SIZE) != 0 && get_le64(p + 6) != out->cap)
        return ls_fail(err, LS_ECORRUPT, "lz4: content size %" PRIu64 ", expected %zu",
                       get_le64(p + 6), out->cap);
    if ((p[4] & FLG_CONTENT_CHECKSUM) != 0 && XXH32(out->data, out->len, 0) != get_le32(end))
        return ls_fail(err, LS_ECHECKSUM, "lz4: invalid content checksum");
    return LS_OK;
}

/* Offset of the descriptor behind skippable frames. The frame was walked over to its end. */
static size_t descriptor_offset(const uint8_t *p) {
    size_t at = 0;
    while (get_le32(p + at) != MAGIC)
        at += 8 + (size_t)get_le32(p + at + 4);
    return at;
}

ls_code ls_lz4_frame_decode(const uint8_t *p, size_t size, uint8_t *out, size_t out_size,
                            ls_err *err) {
    ls_lz4_scan scan = {0};
    size_t need = 0;
    ls_code rc = ls_lz4_scan_more(&scan, p, size, SIZE_MAX, &need, err);
    if (rc != LS_OK)
        return rc;
    if (!scan.done || scan.pos != size)
        return ls_fail(err, LS_ECORRUPT, "lz4: frame ends %s",
                       scan.done ? "before its size in the page index" : "too early");
    const uint8_t *head = p + descriptor_offset(p);
    const uint8_t *at = head + descriptor_size(head[4]);
    output o = {.data = out, .cap = out_size};
    size_t extra = (head[4] & FLG_BLOCK_CHECKSUM) != 0 ? 8 : 4;
    for (; get_le32(at) != 0; at += (get_le32(at) & ~LS_LZ4_STORED) + extra) {
        rc = read_block(at, head[4], head[5], &o, err);
        if (rc != LS_OK)
            return rc;
    }
    return check_content(head, at + 4, &o, err);
}
