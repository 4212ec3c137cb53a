/*
 * Writes an LTX file. Pages are compressed straight into the output buffer; the file checksum runs
 * along over their uncompressed bytes.
 */
#include "engine/ltx/encoder.h"

#include "engine/ltx/bytes.h"
#include "engine/ltx/crc64.h"
#include "engine/ltx/rules.h"
#include "engine/ltx/spill.h"

#include <inttypes.h>
#include <stdlib.h>

#define BUF_SIZE (256 * 1024)

struct ls_ltx_encoder {
    ls_writer *out;
    ls_ltx_header header;
    ls_ltx_encoding encoding;
    uint32_t prev_commit;
    ls_ltx_codec *codec;
    ls_ltx_spill index;
    uint64_t crc;    /* of the file as far as written */
    uint64_t offset; /* in the file, of buf[len] */
    uint32_t prev;   /* page number of the last page, 0 before the first */
    uint32_t pages;
    bool closed; /* or broken: nothing more can be written */
    size_t len;  /* bytes in buf */
    uint8_t buf[BUF_SIZE];
};

_Static_assert(BUF_SIZE > LS_LTX_MAX_FRAME, "a frame fits into the buffer");

/* What the caller gave is wrong, not a file. */
static ls_code refused(ls_err *err) { return err->code = LS_EINVALID; }

static ls_code flush(ls_ltx_encoder *e, ls_err *err) {
    ls_code rc = e->len == 0 ? LS_OK : e->out->write(e->out, e->buf, e->len, err);
    if (rc != LS_OK)
        e->closed = true;
    e->len = 0;
    return rc;
}

/* Makes room for len bytes in the buffer. */
static ls_code reserve(ls_ltx_encoder *e, size_t len, ls_err *err) {
    return BUF_SIZE - e->len >= len ? LS_OK : flush(e, err);
}

/* Takes over len bytes that were put at the end of the buffer. */
static void commit_bytes(ls_ltx_encoder *e, size_t len) {
    e->len += len;
    e->offset += len;
}

/* Writes and sums. */
static ls_code put(ls_ltx_encoder *e, const void *data, size_t len, ls_err *err) {
    ls_code rc = reserve(e, len, err);
    if (rc != LS_OK)
        return rc;
    memcpy(e->buf + e->len, data, len);
    e->crc = ls_crc64(e->crc, data, len);
    commit_bytes(e, len);
    return LS_OK;
}

static ls_code put_u64(ls_ltx_encoder *e, uint64_t value, ls_err *err) {
    uint8_t bytes[8];
    put_be64(bytes, value);
    return put(e, bytes, sizeof bytes, err);
}

static ls_code put_header(ls_ltx_encoder *e, ls_err *err) {
    uint8_t bytes[LS_LTX_HEADER_SIZE];
    ls_ltx_header_encode(&e->header, bytes);
    return put(e, bytes, sizeof bytes, err);
}

static ls_ltx_encoder *alloc_encoder(void) {
    ls_ltx_encoder *e = malloc(sizeof *e);
    if (e == NULL)
        return NULL;
    memset(e, 0, offsetof(ls_ltx_encoder, buf));
    e->codec = ls_ltx_codec_new();
    if (e->codec != NULL)
        return e;
    free(e);
    return NULL;
}

ls_code ls_ltx_encoder_new(ls_writer *out, const ls_ltx_header *header,
                           const ls_ltx_encoder_opts *opts, ls_ltx_encoder **enc, ls_err *err) {
    *enc = NULL;
    if (ls_ltx_header_validate(header, err) != LS_OK)
        return refused(err);
    ls_ltx_encoder *e = alloc_encoder();
    if (e == NULL)
        return ls_fail(err, LS_ENOMEM, "no memory");
    e->out = out;
    e->header = *header;
    e->encoding = opts != NULL ? opts->encoding : LS_LTX_FRAME;
    e->prev_commit = opts != NULL ? opts->prev_commit : 0;
    ls_ltx_spill_init(&e->index, opts != NULL ? opts->spill_dir : NULL);
    ls_code rc = put_header(e, err);
    if (rc != LS_OK) {
        ls_ltx_encoder_free(e);
        return rc;
    }
    *enc = e;
    return LS_OK;
}

void ls_ltx_encoder_free(ls_ltx_encoder *enc) {
    if (enc == NULL)
        return;
    ls_ltx_spill_done(&enc->index);
    ls_ltx_codec_free(enc->codec);
    free(enc);
}

uint32_t ls_ltx_encoder_pages(const ls_ltx_encoder *enc) { return enc->pages; }

uint64_t ls_ltx_encoder_bytes(const ls_ltx_encoder *enc) { return enc->offset; }

/* Pages behind prev_commit are new: none between prev and pgno (not included) may be left out. */
static ls_code check_growth(const ls_ltx_encoder *e, uint64_t pgno, ls_err *err) {
    if (e->prev_commit == 0 || pgno <= e->prev_commit)
        return LS_OK;
    uint32_t from = e->prev > e->prev_commit ? e->prev : e->prev_commit;
    uint32_t missing = ls_ltx_next_pgno(from, e->header.page_size);
    if (pgno <= missing)
        return LS_OK;
    return ls_fail(err, LS_EINVALID,
                   "page %" PRIu32 " is missing: the database grows from %" PRIu32 " to %" PRIu32
                   " pages",
                   missing, e->prev_commit, e->header.commit);
}

static ls_code check_page(const ls_ltx_encoder *e, uint32_t pgno, size_t page_len, ls_err *err) {
    if (e->closed)
        return ls_fail(err, LS_EINVALID, "encoder is closed");
    if (ls_ltx_check_bounds(&e->header, pgno, err) != LS_OK)
        return refused(err);
    if (page_len != e->header.page_size)
        return ls_fail(err, LS_EINVALID, "invalid page buffer size: %zu, expecting %" PRIu32,
                       page_len, e->header.page_size);
    if (ls_ltx_check_order(&e->header, e->prev, pgno, err) != LS_OK)
        return refused(err);
    return check_growth(e, pgno, err);
}

/* The frame of a page, which is summed already, is at the end of the buffer: takes it over. */
static ls_code take_frame(ls_ltx_encoder *e, uint32_t pgno, size_t size, ls_err *err) {
    uint8_t entry[3 * LS_VARINT_MAX];
    size_t n = put_varint(entry, pgno);
    n += put_varint(entry + n, e->offset);
    n += put_varint(entry + n, size);
    ls_code rc = ls_ltx_spill_add(&e->index, entry, n, err);
    if (rc != LS_OK) {
        e->closed = true;
        return rc;
    }
    commit_bytes(e, size);
    e->prev = pgno;
    e->pages++;
    return LS_OK;
}

static ls_code add_frame(ls_ltx_encoder *e, uint32_t pgno, size_t size, const void *page,
                         ls_err *err) {
    const uint8_t *frame = e->buf + e->len;
    e->crc = ls_crc64(e->crc, frame, ls_ltx_frame_crc_prefix(get_be16(frame + 4)));
    e->crc = ls_crc64(e->crc, page, e->header.page_size);
    return take_frame(e, pgno, size, err);
}

ls_code ls_ltx_encoder_page(ls_ltx_encoder *enc, uint32_t pgno, const void *page, size_t page_len,
                            ls_err *err) {
    ls_code rc = check_page(enc, pgno, page_len, err);
    if (rc == LS_OK)
        rc = reserve(enc, ls_ltx_frame_bound(enc->header.page_size), err);
    if (rc != LS_OK)
        return rc;
    size_t size = ls_ltx_page_encode(enc->codec, enc->encoding, pgno, page, enc->header.page_size,
                                     enc->buf + enc->len);
    return add_frame(enc, pgno, size, page, err);
}

/* Checks a frame and puts it at the end of the buffer. */
static ls_code copy_frame(ls_ltx_encoder *enc, const uint8_t *frame, size_t size, ls_err *err) {
    if (size <= ls_ltx_frame_crc_prefix(LS_LTX_PAGE_FLAG_BLOCK) || size > LS_LTX_MAX_FRAME)
        return ls_fail(err, LS_EINVALID, "invalid page frame size: %zu", size);
    if (ls_ltx_check_page_flags(get_be16(frame + 4), err) != LS_OK)
        return refused(err);
    ls_code rc = check_page(enc, get_be32(frame), enc->header.page_size, err);
    if (rc == LS_OK)
        rc = reserve(enc, size, err);
    if (rc == LS_OK)
        memcpy(enc->buf + enc->len, frame, size);
    return rc;
}

ls_code ls_ltx_encoder_frame(ls_ltx_encoder *enc, const uint8_t *frame, size_t size,
                             const void *page, ls_err *err) {
    ls_code rc = copy_frame(enc, frame, size, err);
    return rc == LS_OK ? add_frame(enc, get_be32(frame), size, page, err) : rc;
}

ls_code ls_ltx_encoder_summed(ls_ltx_encoder *enc, const uint8_t *frame, size_t size, uint64_t crc,
                              const ls_crc64_join *join, ls_err *err) {
    ls_code rc = copy_frame(enc, frame, size, err);
    if (rc != LS_OK)
        return rc;
    enc->crc = ls_crc64_joined(join, enc->crc, crc);
    return take_frame(enc, get_be32(frame), size, err);
}

/* All pages are there that must be. */
static ls_code check_complete(const ls_ltx_encoder *e, ls_err *err) {
    uint32_t last = ls_ltx_last_pgno(e->header.commit, e->header.page_size);
    if (ls_ltx_is_snapshot(&e->header) && e->prev != last)
        return ls_fail(err, LS_EINVALID, "snapshot ends with page %" PRIu32 ", expected %" PRIu32,
                       e->prev, last);
    return check_growth(e, (uint64_t)last + 1, err);
}

static ls_code put_index(ls_ltx_encoder *e, ls_err *err) {
    uint64_t size = ls_ltx_spill_size(&e->index);
    for (uint64_t off = 0; off < size;) {
        ls_code rc = reserve(e, 1, err);
        if (rc != LS_OK)
            return rc;
        size_t got = 0;
        uint8_t *to = e->buf + e->len;
        rc = ls_ltx_spill_read(&e->index, off, to, BUF_SIZE - e->len, &got, err);
        if (rc != LS_OK)
            return rc;
        if (got == 0)
            return ls_fail(err, LS_EIO, "temporary file got shorter");
        e->crc = ls_crc64(e->crc, to, got);
        commit_bytes(e, got);
        off += got;
    }
    ls_code rc = put(e, "", 1, err);
    return rc != LS_OK ? rc : put_u64(e, size + 1, err);
}

static ls_code put_end(ls_ltx_encoder *e, ls_ltx_trailer *trailer, ls_err *err) {
    static const uint8_t end_marker[LS_LTX_PAGE_HEADER_SIZE];
    ls_code rc = put(e, end_marker, sizeof end_marker, err);
    if (rc == LS_OK)
        rc = put_index(e, err);
    if (rc == LS_OK)
        rc = put_u64(e, trailer->post_apply, err);
    if (rc != LS_OK)
        return rc;
    trailer->file_checksum = LS_LTX_CHECKSUM_FLAG | e->crc;
    rc = put_u64(e, trailer->file_checksum, err);
    return rc != LS_OK ? rc : flush(e, err);
}

ls_code ls_ltx_encoder_close(ls_ltx_encoder *enc, uint64_t post_apply, ls_ltx_trailer *trailer,
                             ls_err *err) {
    if (enc->closed)
        return ls_fail(err, LS_EINVALID, "encoder is closed");
    if (ls_ltx_check_post_apply(&enc->header, post_apply, err) != LS_OK)
        return refused(err);
    ls_code rc = check_complete(enc, err);
    if (rc != LS_OK)
        return rc;
    ls_ltx_trailer written = {.post_apply = post_apply};
    rc = put_end(enc, &written, err);
    enc->closed = true;
    if (rc == LS_OK && trailer != NULL)
        *trailer = written;
    return rc;
}
