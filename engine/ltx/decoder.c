/*
 * Reads an LTX file forward. The input buffer holds whole frames, so that pages are decompressed
 * straight from it; the page buffer has room in front of the page for the bytes that the file
 * checksum covers before it, so that one call sums both.
 *
 * What the page index must be follows from the frames read: its bytes are summed as they become
 * known, and compared with what stands in the file at the end.
 */
#include "engine/ltx/decoder.h"

#include "engine/base/file.h"
#include "engine/ltx/bytes.h"
#include "engine/ltx/crc64.h"
#include "engine/ltx/decoder_raw.h"
#include "engine/ltx/lz4frame.h"
#include "engine/ltx/payload.h"
#include "engine/ltx/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#define BUF_SIZE (128 * 1024)
#define INDEX_CHUNK 4096
#define PAGE_OFFSET 64 /* of the page in its buffer: aligned, with room for a prefix in front */

_Static_assert(BUF_SIZE >= LS_LTX_MAX_FRAME, "a frame fits into the buffer");

struct ls_ltx_decoder {
    ls_reader *in;
    ls_ltx_header header;
    uint64_t crc;              /* of the file as far as read */
    const ls_ltx_joins *joins; /* NULL: sums of pages are not kept */
    uint64_t page_crc;
    uint64_t rolling;    /* of the pages, where the file is a snapshot that has checksums */
    bool sum_pages;      /* it is */
    bool eof;            /* in has ended */
    bool ended;          /* the end marker was read */
    uint32_t prev;       /* page number of the last page, 0 before the first */
    uint32_t pages;      /* read */
    uint64_t offset;     /* in the file, of buf[pos] */
    uint64_t index_crc;  /* of the index that must follow, as far as its pages were read */
    uint64_t index_size; /* its bytes, index[] included */
    size_t index_len;
    size_t pos; /* buf[pos..end) is read and not used yet */
    size_t end;
    uint8_t index[INDEX_CHUNK]; /* end of the index, not in index_crc yet */
    uint8_t buf[BUF_SIZE];
    uint8_t page[]; /* PAGE_OFFSET bytes, then a page */
};

static size_t available(const ls_ltx_decoder *d) { return d->end - d->pos; }

static const uint8_t *at(const ls_ltx_decoder *d) { return d->buf + d->pos; }

static void advance(ls_ltx_decoder *d, size_t len) {
    d->pos += len;
    d->offset += len;
}

/* Sums len bytes at the read position and passes over them. */
static void sum_over(ls_ltx_decoder *d, size_t len) {
    d->crc = ls_crc64(d->crc, at(d), len);
    advance(d, len);
}

/* Reads until need bytes (at most BUF_SIZE) are available or the input ends. */
static ls_code fill(ls_ltx_decoder *d, size_t need, ls_err *err) {
    if (available(d) >= need)
        return LS_OK;
    memmove(d->buf, at(d), available(d));
    d->end = available(d);
    d->pos = 0;
    while (available(d) < need && !d->eof) {
        size_t got = 0;
        ls_code rc = d->in->read(d->in, d->buf + d->end, BUF_SIZE - d->end, &got, err);
        if (rc != LS_OK)
            return rc;
        d->end += got;
        d->eof = got == 0;
    }
    return LS_OK;
}

static ls_code cut_short(const ls_ltx_decoder *d, size_t from, const char *what, ls_err *err) {
    return ls_fail(err, LS_ECORRUPT, "%s%s", what, available(d) == from ? "EOF" : "unexpected EOF");
}

/* As fill, but less than need bytes is an error: "EOF" where there are only from, the bytes that
 * were there before, else "unexpected EOF". */
static ls_code fill_all(ls_ltx_decoder *d, size_t need, size_t from, const char *what,
                        ls_err *err) {
    ls_code rc = fill(d, need, err);
    if (rc != LS_OK)
        return rc;
    return available(d) >= need ? LS_OK : cut_short(d, from, what, err);
}

static ls_code read_header(ls_ltx_decoder *d, ls_err *err) {
    ls_code rc = fill_all(d, LS_LTX_HEADER_SIZE, 0, "", err);
    if (rc != LS_OK)
        return rc;
    if (ls_ltx_header_decode(at(d), &d->header, err) != LS_OK)
        return ls_wrap(err, "unmarshal header");
    sum_over(d, LS_LTX_HEADER_SIZE);
    d->sum_pages =
        ls_ltx_is_snapshot(&d->header) && (d->header.flags & LS_LTX_FLAG_NO_CHECKSUM) == 0;
    return ls_ltx_header_validate(&d->header, err);
}

ls_code ls_ltx_decoder_open(ls_reader *in, ls_ltx_header *header, ls_ltx_decoder **dec,
                            ls_err *err) {
    ls_ltx_decoder *d =
        *dec != NULL ? *dec : malloc(sizeof *d + PAGE_OFFSET + LS_LTX_MAX_PAGE_SIZE);
    *dec = NULL;
    *header = (ls_ltx_header){0};
    if (d == NULL)
        return ls_fail(err, LS_ENOMEM, "no memory");
    memset(d, 0, offsetof(ls_ltx_decoder, index));
    d->in = in;
    d->rolling = LS_LTX_CHECKSUM_FLAG;
    ls_code rc = read_header(d, err);
    *header = d->header;
    if (rc != LS_OK) {
        free(d);
        return rc;
    }
    *dec = d;
    return LS_OK;
}

ls_code ls_ltx_decoder_new(ls_reader *in, ls_ltx_header *header, ls_ltx_decoder **dec,
                           ls_err *err) {
    *dec = NULL;
    ls_code rc = ls_ltx_decoder_open(in, header, dec, err);
    return rc == LS_OK ? rc : ls_wrap(err, "decode header");
}

void ls_ltx_decoder_free(ls_ltx_decoder *dec) { free(dec); }

uint32_t ls_ltx_decoder_pages(const ls_ltx_decoder *dec) { return dec->pages; }

uint64_t ls_ltx_decoder_bytes(const ls_ltx_decoder *dec) { return dec->offset; }

void ls_ltx_joins_init(ls_ltx_joins *j, uint32_t page_size) {
    ls_crc64_join_init(&j->frame, ls_ltx_frame_crc_prefix(0) + (uint64_t)page_size);
    ls_crc64_join_init(&j->block,
                       ls_ltx_frame_crc_prefix(LS_LTX_PAGE_FLAG_BLOCK) + (uint64_t)page_size);
}

void ls_ltx_decoder_keep_sums(ls_ltx_decoder *d, const ls_ltx_joins *joins) { d->joins = joins; }

static void flush_index(ls_ltx_decoder *d) {
    d->index_crc = ls_crc64(d->index_crc, d->index, d->index_len);
    d->index_len = 0;
}

static void expect_in_index(ls_ltx_decoder *d, uint32_t pgno, uint64_t offset, uint32_t size) {
    if (d->index_len > INDEX_CHUNK - 3 * LS_VARINT_MAX)
        flush_index(d);
    size_t before = d->index_len;
    d->index_len += put_varint(d->index + d->index_len, pgno);
    if (pgno != 0) {
        d->index_len += put_varint(d->index + d->index_len, offset);
        d->index_len += put_varint(d->index + d->index_len, size);
    }
    d->index_size += d->index_len - before;
}

/* Makes the whole B frame available and says how long it is. */
static ls_code take_block(ls_ltx_decoder *d, size_t *size, ls_err *err) {
    ls_code rc = fill_all(d, LS_LTX_BLOCK_PREFIX, LS_LTX_PAGE_HEADER_SIZE, "read data size: ", err);
    if (rc != LS_OK)
        return rc;
    uint32_t len = get_be32(at(d) + LS_LTX_PAGE_HEADER_SIZE);
    if (len > LS_LTX_MAX_FRAME - LS_LTX_BLOCK_PREFIX)
        return ls_fail(err, LS_ECORRUPT, "block size %" PRIu32 " is larger than any page can need",
                       len);
    *size = LS_LTX_BLOCK_PREFIX + len;
    return fill_all(d, *size, LS_LTX_BLOCK_PREFIX, "read compressed data: ", err);
}

/* As take_block for an F frame, whose blocks must be walked to find its end. */
static ls_code take_frame(ls_ltx_decoder *d, size_t *size, ls_err *err) {
    const size_t head = LS_LTX_PAGE_HEADER_SIZE;
    ls_lz4_scan scan = {0};
    size_t need = LS_LZ4_DESCRIPTOR_SIZE;
    while (!scan.done) {
        ls_code rc = fill_all(d, head + need, SIZE_MAX, "", err);
        if (rc == LS_OK)
            rc = ls_lz4_scan_more(&scan, at(d) + head, available(d) - head, LS_LTX_MAX_FRAME - head,
                                  &need, err);
        if (rc != LS_OK)
            return rc;
    }
    *size = head + scan.pos;
    return LS_OK;
}

/* Adds a page to the file checksum and, for a snapshot that has them, to the rolling checksum. */
static void sum_page(ls_ltx_decoder *d, uint8_t *page, uint16_t flags) {
    size_t prefix = ls_ltx_frame_crc_prefix(flags);
    memcpy(page - prefix, at(d), prefix);
    if (d->joins != NULL) {
        d->page_crc = ls_crc64(0, page - prefix, prefix + d->header.page_size);
        d->crc = ls_crc64_joined(ls_ltx_join(d->joins, flags), d->crc, d->page_crc);
    } else {
        d->crc = ls_crc64(d->crc, page - prefix, prefix + d->header.page_size);
    }
    if (!d->sum_pages)
        return;
    memcpy(page - 4, at(d), 4);
    d->rolling =
        LS_LTX_CHECKSUM_FLAG | (d->rolling ^ ls_crc64(0, page - 4, 4 + d->header.page_size));
}

/* Decodes the frame at the read position, whose page header was checked. */
static ls_code read_page(ls_ltx_decoder *d, ls_ltx_page *page, ls_err *err) {
    size_t size = 0;
    uint16_t flags = get_be16(at(d) + 4);
    bool block = (flags & LS_LTX_PAGE_FLAG_BLOCK) != 0;
    ls_code rc = block ? take_block(d, &size, err) : take_frame(d, &size, err);
    if (rc != LS_OK)
        return rc;
    uint8_t *data = d->page + PAGE_OFFSET;
    rc = ls_ltx_payload_decode(at(d), size, data, d->header.page_size, err);
    if (rc != LS_OK)
        return rc;
    sum_page(d, data, flags);
    *page = (ls_ltx_page){.pgno = get_be32(at(d)),
                          .flags = flags,
                          .offset = d->offset,
                          .size = (uint32_t)size,
                          .frame = at(d),
                          .data = data,
                          .crc = d->page_crc};
    return LS_OK;
}

static ls_code check_page_header(const ls_ltx_decoder *d, uint32_t pgno, uint16_t flags,
                                 ls_err *err) {
    if (pgno == 0)
        return ls_fail(err, LS_ECORRUPT, "page number required");
    ls_code rc = ls_ltx_check_page_flags(flags, err);
    if (rc == LS_OK && pgno == ls_ltx_lock_pgno(d->header.page_size))
        rc = ls_fail(err, LS_ECORRUPT, "lock page must not be stored: pgno=%" PRIu32, pgno);
    if (rc == LS_OK)
        rc = ls_ltx_check_bounds(&d->header, pgno, err);
    if (rc == LS_OK)
        rc = ls_ltx_check_order(&d->header, d->prev, pgno, err);
    return rc;
}

ls_code ls_ltx_decoder_read(ls_ltx_decoder *d, ls_ltx_page *page, bool *end, ls_err *err) {
    *end = d->ended;
    if (d->ended)
        return LS_OK;
    ls_code rc = fill_all(d, LS_LTX_PAGE_HEADER_SIZE, SIZE_MAX, "", err);
    if (rc != LS_OK)
        return rc;
    uint32_t pgno = get_be32(at(d));
    uint16_t flags = get_be16(at(d) + 4);
    if (pgno == 0 && flags == 0) {
        sum_over(d, LS_LTX_PAGE_HEADER_SIZE);
        *end = d->ended = true;
        return LS_OK;
    }
    rc = check_page_header(d, pgno, flags, err);
    if (rc == LS_OK)
        rc = read_page(d, page, err);
    if (rc != LS_OK)
        return rc;
    advance(d, page->size);
    expect_in_index(d, pgno, page->offset, page->size);
    d->prev = pgno;
    d->pages++;
    return LS_OK;
}

ls_code ls_ltx_decoder_next(ls_ltx_decoder *dec, ls_ltx_page *page, bool *end, ls_err *err) {
    ls_code rc = ls_ltx_decoder_read(dec, page, end, err);
    if (rc == LS_OK)
        return rc;
    if (dec->eof && available(dec) == 0 && rc == LS_ECORRUPT)
        return ls_fail(err, rc, "close reader: cannot close, expected page");
    return ls_wrap(err, "decode page %" PRIu32, dec->pages);
}

/* Reads the index and its size field and says whether they are what the pages ask for. */
static ls_code read_index(ls_ltx_decoder *d, bool *same, ls_err *err) {
    expect_in_index(d, 0, 0, 0);
    flush_index(d);
    uint64_t crc = 0;
    for (uint64_t left = d->index_size; left > 0;) {
        ls_code rc = fill(d, 1, err);
        if (rc != LS_OK)
            return rc;
        size_t len = available(d) < left ? available(d) : (size_t)left;
        if (len == 0)
            return ls_fail(err, LS_ECORRUPT, "read page index: unexpected EOF");
        crc = ls_crc64(crc, at(d), len);
        sum_over(d, len);
        left -= len;
    }
    ls_code rc = fill_all(d, 8, 0, "read page index: read page index size: ", err);
    if (rc != LS_OK)
        return rc;
    *same = crc == d->index_crc && get_be64(at(d)) == d->index_size;
    sum_over(d, 8);
    return LS_OK;
}

static ls_code read_trailer(ls_ltx_decoder *d, ls_ltx_trailer *trailer, ls_err *err) {
    ls_code rc = fill_all(d, LS_LTX_TRAILER_SIZE, 0, "", err);
    if (rc != LS_OK)
        return rc;
    trailer->post_apply = get_be64(at(d));
    trailer->file_checksum = get_be64(at(d) + 8);
    sum_over(d, 8);
    advance(d, 8);
    return LS_OK;
}

static ls_code check_post_apply(const ls_ltx_decoder *d, uint64_t post_apply, ls_err *err) {
    if (d->sum_pages && post_apply != d->rolling)
        return ls_fail(err, LS_ECHECKSUM,
                       "post-apply checksum in trailer (%016" PRIx64
                       ") does not match calculated checksum (%016" PRIx64 ")",
                       post_apply, d->rolling);
    return ls_ltx_check_post_apply(&d->header, post_apply, err);
}

/* Nothing may come behind the trailer. */
static ls_code check_end(ls_ltx_decoder *d, ls_err *err) {
    ls_code rc = fill(d, 1, err);
    if (rc != LS_OK)
        return rc;
    if (available(d) > 0)
        return ls_fail(err, LS_ECORRUPT, "unexpected data behind the trailer, at byte %" PRIu64,
                       d->offset);
    return LS_OK;
}

static ls_code wrong_index(ls_err *err) {
    return ls_fail(err, LS_ECORRUPT, "page index disagrees with the pages");
}

ls_code ls_ltx_decoder_finish(ls_ltx_decoder *d, ls_ltx_trailer *trailer, ls_err *err) {
    bool same = false;
    *trailer = (ls_ltx_trailer){0};
    if (!d->ended)
        return ls_fail(err, LS_EINVALID, "cannot close, expected page");
    ls_code rc = read_index(d, &same, err);
    if (rc != LS_OK)
        return rc;
    rc = read_trailer(d, trailer, err);
    if (rc == LS_ECORRUPT && !same) /* what was read for index and trailer is neither */
        return wrong_index(err);
    if (rc != LS_OK)
        return rc;
    if (trailer->file_checksum != (LS_LTX_CHECKSUM_FLAG | d->crc))
        return ls_fail(err, LS_ECHECKSUM, "file checksum mismatch");
    if (!same)
        return wrong_index(err);
    rc = check_post_apply(d, trailer->post_apply, err);
    return rc != LS_OK ? rc : check_end(d, err);
}

ls_code ls_ltx_decoder_close(ls_ltx_decoder *dec, ls_ltx_trailer *trailer, ls_err *err) {
    ls_ltx_trailer none;
    ls_code rc = ls_ltx_decoder_finish(dec, trailer != NULL ? trailer : &none, err);
    return rc == LS_OK ? rc : ls_wrap(err, "close reader");
}

ls_code ls_ltx_verify(ls_reader *in, ls_ltx_summary *sum, ls_err *err) {
    *sum = (ls_ltx_summary){0};
    ls_ltx_decoder *dec = NULL;
    ls_code rc = ls_ltx_decoder_new(in, &sum->header, &dec, err);
    if (rc != LS_OK)
        return rc;
    ls_ltx_page page;
    bool end = false;
    while (rc == LS_OK && !end)
        rc = ls_ltx_decoder_next(dec, &page, &end, err);
    if (rc == LS_OK)
        rc = ls_ltx_decoder_close(dec, &sum->trailer, err);
    sum->pages = dec->pages;
    sum->size = dec->offset;
    ls_ltx_decoder_free(dec);
    return rc;
}

ls_code ls_ltx_verify_path(const char *path, ls_ltx_summary *sum, ls_err *err) {
    *sum = (ls_ltx_summary){0};
    int fd = ls_open(path, O_RDONLY, 0);
    if (fd < 0)
        return ls_fail_errno(err, errno, "open %s", path);
    ls_reader *in = ls_fd_reader_new(fd, true, path);
    if (in == NULL)
        return ls_fail(err, LS_ENOMEM, "%s: no memory", path);
    ls_code rc = ls_ltx_verify(in, sum, err);
    ls_reader_close(in);
    return rc == LS_OK ? rc : ls_wrap(err, "%s", path);
}
