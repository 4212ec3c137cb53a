/*
 * Reads a log forward, frame by frame, following the checksums.
 *
 * Invariant: buf[used..len) holds the file's bytes from pos.offset on, and everything before
 * pos.offset has been verified. Reads begin with one frame header, since most calls find nothing
 * new, and grow from there: a small log costs small reads, a large one few.
 */
#include "engine/wal/wal.h"

#include "engine/base/file.h"
#include "engine/wal/bytes.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_READ ((size_t)64 << 10) /* after a frame header that looks current */
#define MAX_READ ((size_t)1 << 20)

struct ls_wal_reader {
    int fd;
    ls_wal_header hdr;
    ls_wal_pos pos;
    uint8_t *buf;
    size_t cap, used, len;
    size_t want; /* bytes that the next read asks for */
};

/* The bytes read so far may be out of date once the end was met: forget them. */
static void forget(ls_wal_reader *r) {
    r->used = r->len = 0;
    r->want = LS_WAL_FRAME_HEADER_SIZE;
}

ls_code ls_wal_pos_check(const ls_wal_header *hdr, const ls_wal_pos *pos, ls_err *err) {
    if (!ls_wal_page_size_valid(hdr->page_size)) {
        return ls_fail(err, LS_EINVALID, "write-ahead log: page size %u is not valid",
                       (unsigned)hdr->page_size);
    }
    if (pos->offset < LS_WAL_HEADER_SIZE ||
        (pos->offset - LS_WAL_HEADER_SIZE) % ls_wal_frame_size(hdr->page_size) != 0) {
        return ls_fail(err, LS_EINVALID,
                       "write-ahead log: offset %lld is not a frame's for page size %u",
                       (long long)pos->offset, (unsigned)hdr->page_size);
    }
    return LS_OK;
}

ls_code ls_wal_reader_new(int fd, const ls_wal_header *hdr, const ls_wal_pos *pos,
                          ls_wal_reader **out, ls_err *err) {
    *out = NULL;
    ls_code code = ls_wal_pos_check(hdr, pos, err);
    if (code != LS_OK) {
        return code;
    }
    ls_wal_reader *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return ls_fail(err, LS_ENOMEM, "write-ahead log: no memory for a reader");
    }
    r->fd = fd;
    r->hdr = *hdr;
    r->pos = *pos;
    forget(r);
    *out = r;
    return LS_OK;
}

void ls_wal_reader_free(ls_wal_reader *r) {
    if (r != NULL) {
        free(r->buf);
        free(r);
    }
}

ls_wal_pos ls_wal_reader_pos(const ls_wal_reader *r) { return r->pos; }

/* Room for size bytes with what is unread at the front. */
static ls_code make_room(ls_wal_reader *r, size_t size, ls_err *err) {
    size_t have = r->len - r->used;
    if (have > 0 && r->used > 0) {
        memmove(r->buf, r->buf + r->used, have);
    }
    r->used = 0;
    r->len = have;
    if (size <= r->cap) {
        return LS_OK;
    }
    uint8_t *grown = realloc(r->buf, size);
    if (grown == NULL) {
        return ls_fail(err, LS_ENOMEM, "write-ahead log: no memory for %zu bytes", size);
    }
    r->buf = grown;
    r->cap = size;
    return LS_OK;
}

/* Makes at least need bytes available at buf[used]; *have is false if the file ends before. */
static ls_code fill(ls_wal_reader *r, size_t need, bool *have, ls_err *err) {
    *have = r->len - r->used >= need;
    if (*have) {
        return LS_OK;
    }
    size_t size = r->want > need ? r->want : need;
    ls_code code = make_room(r, size, err);
    if (code != LS_OK) {
        return code;
    }
    size_t got = 0;
    code = ls_pread_full(r->fd, r->buf + r->len, size - r->len, r->pos.offset + (int64_t)r->len,
                         &got, "write-ahead log", err);
    if (code != LS_OK) {
        return code;
    }
    r->len += got;
    *have = r->len >= need;
    size_t next = r->want < FIRST_READ ? FIRST_READ : r->want * 2;
    r->want = next < MAX_READ ? next : MAX_READ;
    return LS_OK;
}

/* Brings the frame at pos into the buffer; *valid if it belongs to the log and its checksum
 * follows. h is then its header. */
static ls_code verify_frame(ls_wal_reader *r, ls_wal_frame_header *h, bool *valid, ls_err *err) {
    *valid = false;
    bool have;
    ls_code code = fill(r, LS_WAL_FRAME_HEADER_SIZE, &have, err);
    if (code != LS_OK || !have) {
        return code;
    }
    *h = ls_wal_frame_header_decode(r->buf + r->used);
    if (!ls_wal_frame_current(h, &r->hdr)) {
        return LS_OK;
    }
    code = fill(r, (size_t)ls_wal_frame_size(r->hdr.page_size), &have, err);
    if (code != LS_OK || !have) {
        return code;
    }
    const uint8_t *at = r->buf + r->used;
    uint32_t ck1 = r->pos.ck1, ck2 = r->pos.ck2;
    ls_wal_frame_checksum(&r->hdr, at, at + LS_WAL_FRAME_HEADER_SIZE, &ck1, &ck2);
    *valid = ck1 == h->ck1 && ck2 == h->ck2;
    return LS_OK;
}

ls_code ls_wal_reader_next(ls_wal_reader *r, ls_wal_frame *frame, bool *end, ls_err *err) {
    ls_wal_frame_header h;
    bool valid;
    ls_code code = verify_frame(r, &h, &valid, err);
    if (code != LS_OK || !valid) {
        *end = true;
        forget(r);
        return code;
    }
    *end = false;
    *frame = (ls_wal_frame){.pgno = h.pgno,
                            .commit = h.commit,
                            .offset = r->pos.offset,
                            .ck1 = h.ck1,
                            .ck2 = h.ck2,
                            .page = r->buf + r->used + LS_WAL_FRAME_HEADER_SIZE};
    int64_t size = ls_wal_frame_size(r->hdr.page_size);
    r->used += (size_t)size;
    r->pos = (ls_wal_pos){.offset = r->pos.offset + size, .ck1 = h.ck1, .ck2 = h.ck2};
    return LS_OK;
}

static ls_code follow(ls_wal_reader *r, int64_t offset, ls_wal_pos *pos, bool *reached,
                      ls_err *err) {
    uint32_t commit = 1;
    bool end = false;
    while (r->pos.offset < offset && !end) {
        ls_wal_frame frame;
        ls_code code = ls_wal_reader_next(r, &frame, &end, err);
        if (code != LS_OK) {
            return code;
        }
        if (!end) {
            commit = frame.commit;
        }
    }
    *pos = r->pos;
    *reached = r->pos.offset == offset && commit != 0;
    return LS_OK;
}

ls_code ls_wal_follow(int fd, const ls_wal_header *hdr, const ls_wal_pos *from, int64_t offset,
                      ls_wal_pos *pos, bool *reached, ls_err *err) {
    *reached = false;
    *pos = *from;
    ls_wal_reader *r;
    ls_code code = ls_wal_reader_new(fd, hdr, from, &r, err);
    if (code != LS_OK) {
        return code;
    }
    code = follow(r, offset, pos, reached, err);
    ls_wal_reader_free(r);
    return code;
}
