/*
 * Page index of a file: unsigned LEB128 triples (page number, offset and size of the frame), a 0
 * byte, and its size in 8 bytes. The triples say nothing that the frames do not say, so everything
 * in them can be checked against the frame before; what an index that passes points to are frames
 * that join from the header to the end marker.
 */
#include "engine/ltx/index.h"

#include "engine/base/file.h"
#include "engine/ltx/at_reader.h"
#include "engine/ltx/bytes.h"
#include "engine/ltx/crc64.h"
#include "engine/ltx/page.h"
#include "engine/ltx/payload.h"
#include "engine/ltx/rules.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#define BUF_SIZE 8192
#define TAIL_SIZE 24
#define MIN_INDEX_OFFSET (LS_LTX_HEADER_SIZE + LS_LTX_PAGE_HEADER_SIZE)

struct ls_ltx_index_iter {
    ls_reader *in;
    ls_ltx_header header;
    uint64_t left;       /* bytes of the index that were not read from in */
    uint64_t index_size; /* all of them */
    uint64_t frames_end; /* where the end marker stands */
    uint64_t expected;   /* offset of the next frame */
    uint64_t crc;        /* of the bytes read from in */
    uint32_t prev;       /* page number of the last entry */
    bool ended;
    size_t pos; /* buf[pos..end) is read and not used yet */
    size_t end;
    uint8_t buf[BUF_SIZE];
};

ls_code ls_ltx_tail_decode(const uint8_t last24[24], uint64_t file_size, ls_ltx_tail *tail,
                           ls_err *err) {
    *tail = (ls_ltx_tail){
        .index_size = get_be64(last24),
        .trailer = {.post_apply = get_be64(last24 + 8), .file_checksum = get_be64(last24 + 16)}};
    if (file_size < MIN_INDEX_OFFSET + 1 + TAIL_SIZE)
        return ls_fail(err, LS_ECORRUPT,
                       "ltx file too short to contain a page index: %" PRIu64 " bytes", file_size);
    if (tail->index_size < 1 || tail->index_size > file_size - TAIL_SIZE - MIN_INDEX_OFFSET)
        return ls_fail(err, LS_ECORRUPT,
                       "page index of %" PRIu64 " bytes in a file of %" PRIu64 " bytes",
                       tail->index_size, file_size);
    tail->index_offset = file_size - TAIL_SIZE - tail->index_size;
    return LS_OK;
}

ls_code ls_ltx_index_iter_new(ls_reader *in, const ls_ltx_header *header, const ls_ltx_tail *tail,
                              ls_ltx_index_iter **it, ls_err *err) {
    *it = NULL;
    ls_code rc = ls_ltx_header_validate(header, err);
    if (rc != LS_OK)
        return rc;
    if (tail->index_offset < MIN_INDEX_OFFSET)
        return ls_fail(err, LS_ECORRUPT, "page index at byte %" PRIu64, tail->index_offset);
    ls_ltx_index_iter *i = malloc(sizeof *i);
    if (i == NULL)
        return ls_fail(err, LS_ENOMEM, "no memory");
    memset(i, 0, offsetof(ls_ltx_index_iter, buf));
    i->in = in;
    i->header = *header;
    i->left = i->index_size = tail->index_size;
    i->frames_end = tail->index_offset - LS_LTX_PAGE_HEADER_SIZE;
    i->expected = LS_LTX_HEADER_SIZE;
    *it = i;
    return LS_OK;
}

void ls_ltx_index_iter_free(ls_ltx_index_iter *it) { free(it); }

static ls_code read_more(ls_ltx_index_iter *it, ls_err *err) {
    if (it->left == 0)
        return ls_fail(err, LS_ECORRUPT, "no end within its size");
    size_t got = 0;
    ls_code rc =
        it->in->read(it->in, it->buf, it->left < BUF_SIZE ? (size_t)it->left : BUF_SIZE, &got, err);
    if (rc != LS_OK)
        return rc;
    if (got == 0)
        return ls_fail(err, LS_ECORRUPT, "unexpected EOF");
    it->crc = ls_crc64(it->crc, it->buf, got);
    it->left -= got;
    it->pos = 0;
    it->end = got;
    return LS_OK;
}

/* Only the shortest form of a number is one that a writer makes. */
static ls_code read_varint(ls_ltx_index_iter *it, uint64_t *value, ls_err *err) {
    *value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (it->pos == it->end) {
            ls_code rc = read_more(it, err);
            if (rc != LS_OK)
                return rc;
        }
        uint8_t byte = it->buf[it->pos++];
        if ((byte == 0 && shift != 0) || (shift == 63 && byte > 1))
            break;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return LS_OK;
    }
    return ls_fail(err, LS_ECORRUPT, "malformed number");
}

static ls_code check_end(const ls_ltx_index_iter *it, ls_err *err) {
    if (it->pos != it->end || it->left != 0)
        return ls_fail(err, LS_ECORRUPT, "end before its size");
    if (it->expected != it->frames_end)
        return ls_fail(err, LS_ECORRUPT,
                       "last frame ends at byte %" PRIu64 ", pages at byte %" PRIu64, it->expected,
                       it->frames_end);
    return LS_OK;
}

static ls_code check_entry(const ls_ltx_index_iter *it, uint64_t pgno, uint64_t offset,
                           uint64_t size, ls_err *err) {
    if (pgno > UINT32_MAX)
        return ls_fail(err, LS_ECORRUPT, "page number %" PRIu64, pgno);
    ls_code rc = ls_ltx_check_bounds(&it->header, (uint32_t)pgno, err);
    if (rc == LS_OK)
        rc = ls_ltx_check_order(&it->header, it->prev, (uint32_t)pgno, err);
    if (rc != LS_OK)
        return rc;
    if (offset != it->expected)
        return ls_fail(err, LS_ECORRUPT, "page %" PRIu64 " at byte %" PRIu64 ", expected %" PRIu64,
                       pgno, offset, it->expected);
    if (size <= LS_LTX_BLOCK_PREFIX || size > LS_LTX_MAX_FRAME || size > it->frames_end - offset)
        return ls_fail(err, LS_ECORRUPT, "page %" PRIu64 " has %" PRIu64 " bytes", pgno, size);
    return LS_OK;
}

static ls_code next_entry(ls_ltx_index_iter *it, ls_ltx_entry *entry, ls_err *err) {
    uint64_t pgno = 0;
    uint64_t offset = 0;
    uint64_t size = 0;
    ls_code rc = read_varint(it, &pgno, err);
    if (rc != LS_OK)
        return rc;
    if (pgno == 0) {
        it->ended = true;
        return check_end(it, err);
    }
    rc = read_varint(it, &offset, err);
    if (rc == LS_OK)
        rc = read_varint(it, &size, err);
    if (rc == LS_OK)
        rc = check_entry(it, pgno, offset, size, err);
    if (rc != LS_OK)
        return rc;
    it->prev = (uint32_t)pgno;
    it->expected = offset + size;
    *entry = (ls_ltx_entry){.pgno = (uint32_t)pgno, .size = (uint32_t)size, .offset = offset};
    return LS_OK;
}

ls_code ls_ltx_index_iter_next(ls_ltx_index_iter *it, ls_ltx_entry *entry, bool *end, ls_err *err) {
    ls_code rc = it->ended ? LS_OK : next_entry(it, entry, err);
    *end = it->ended;
    return rc == LS_OK ? rc : ls_wrap(err, "read page index");
}

void ls_ltx_index_iter_crc(const ls_ltx_index_iter *it, uint64_t *crc, uint64_t *len) {
    uint8_t size[8];
    put_be64(size, it->index_size);
    *crc = ls_crc64(it->crc, size, sizeof size);
    *len = it->index_size + sizeof size;
}

/* ---- one page of a file ---- */

/* Reads exactly len bytes at off. */
static ls_code read_at(int fd, const char *name, uint64_t off, void *buf, size_t len, ls_err *err) {
    size_t got = 0;
    ls_code rc = ls_pread_full(fd, buf, len, (int64_t)off, &got, name, err);
    if (rc == LS_OK && got != len)
        rc = ls_fail(err, LS_ECORRUPT, "unexpected EOF");
    return rc;
}

static ls_code read_ends(int fd, const char *name, ls_ltx_header *header, ls_ltx_tail *tail,
                         ls_err *err) {
    uint8_t bytes[LS_LTX_HEADER_SIZE];
    struct stat st;
    if (fstat(fd, &st) != 0)
        return ls_fail_errno(err, errno, "stat %s", name);
    uint64_t size = (uint64_t)st.st_size;
    ls_code rc = read_at(fd, name, 0, bytes, sizeof bytes, err);
    if (rc == LS_OK)
        rc = ls_ltx_header_decode(bytes, header, err);
    if (rc == LS_OK)
        rc = ls_ltx_header_validate(header, err);
    if (rc != LS_OK)
        return ls_wrap(err, "decode header");
    rc = read_at(fd, name, size - TAIL_SIZE, bytes, TAIL_SIZE, err);
    return rc != LS_OK ? rc : ls_ltx_tail_decode(bytes, size, tail, err);
}

static ls_code find_entry(ls_ltx_index_iter *it, uint32_t pgno, ls_ltx_entry *entry, ls_err *err) {
    for (bool end = false; !end;) {
        ls_code rc = ls_ltx_index_iter_next(it, entry, &end, err);
        if (rc != LS_OK)
            return rc;
        if (!end && entry->pgno == pgno)
            return LS_OK;
        if (!end && entry->pgno > pgno)
            break;
    }
    return ls_fail(err, LS_ENOTFOUND, "page %" PRIu32 " is not in the file", pgno);
}

static ls_code locate(int fd, const char *name, uint32_t pgno, const ls_ltx_header *header,
                      const ls_ltx_tail *tail, ls_ltx_entry *entry, ls_err *err) {
    ls_at_reader in;
    ls_at_reader_init(&in, fd, tail->index_offset, tail->index_size, name);
    ls_ltx_index_iter *it = NULL;
    ls_code rc = ls_ltx_index_iter_new(&in.base, header, tail, &it, err);
    if (rc == LS_OK)
        rc = find_entry(it, pgno, entry, err);
    ls_ltx_index_iter_free(it);
    return rc;
}

static ls_code read_page(int fd, const char *name, const ls_ltx_entry *entry, void *page,
                         uint32_t page_size, ls_err *err) {
    uint8_t *frame = malloc(entry->size);
    if (frame == NULL)
        return ls_fail(err, LS_ENOMEM, "no memory");
    uint32_t pgno = 0;
    uint16_t flags = 0;
    ls_code rc = read_at(fd, name, entry->offset, frame, entry->size, err);
    if (rc == LS_OK)
        rc = ls_ltx_page_decode(NULL, frame, entry->size, page, page_size, &pgno, &flags, err);
    if (rc == LS_OK && pgno != entry->pgno)
        rc = ls_fail(err, LS_ECORRUPT, "page %" PRIu32 " where the page index says page %" PRIu32,
                     pgno, entry->pgno);
    free(frame);
    return rc;
}

ls_code ls_ltx_fetch_page(int fd, const char *name, uint32_t pgno, ls_ltx_header *header,
                          void *page, size_t page_cap, ls_err *err) {
    ls_ltx_tail tail;
    ls_ltx_entry entry;
    ls_code rc = read_ends(fd, name, header, &tail, err);
    if (rc == LS_OK && page_cap < header->page_size)
        rc = ls_fail(err, LS_EINVALID, "page buffer of %zu bytes, page size is %" PRIu32, page_cap,
                     header->page_size);
    if (rc == LS_OK)
        rc = locate(fd, name, pgno, header, &tail, &entry, err);
    if (rc == LS_OK)
        rc = read_page(fd, name, &entry, page, header->page_size, err);
    return rc == LS_OK ? rc : ls_wrap(err, "%s", name);
}
