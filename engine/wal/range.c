/* Answers from a range: the pages in it, and their bytes with the proof that they are the scanned
 * ones. */
#include "engine/wal/range.h"

#include "engine/base/file.h"

#include <string.h>

/* The frame at offset is no longer the scanned one. */
static ls_code replaced(int64_t offset, ls_err *err) {
    (void)ls_fail(err, LS_EBUSY, "write-ahead log: the frame at offset %lld was replaced",
                  (long long)offset);
    return ls_hint(err, "nothing is lost; the log is read again");
}

/* Reads the header of a frame of the range's generation: raw, and taken apart. */
static ls_code read_frame_header(const ls_wal_range *r, int64_t offset,
                                 uint8_t buf[LS_WAL_FRAME_HEADER_SIZE], ls_wal_frame_header *h,
                                 ls_err *err) {
    size_t got = 0;
    ls_code code =
        ls_pread_full(r->fd, buf, LS_WAL_FRAME_HEADER_SIZE, offset, &got, "write-ahead log", err);
    if (code != LS_OK) {
        return code;
    }
    if (got < LS_WAL_FRAME_HEADER_SIZE) {
        return replaced(offset, err);
    }
    *h = ls_wal_frame_header_decode(buf);
    return ls_wal_frame_current(h, &r->hdr) ? LS_OK : replaced(offset, err);
}

/* Fills the window's slots by a pass over the frame headers. */
static ls_code load_window(ls_wal_range *r, uint64_t index, ls_err *err) {
    ls_wal_window *w = &r->window;
    if (w->loaded && w->index == index) {
        return LS_OK;
    }
    ls_code code = ls_wal_window_begin(w, index, err);
    uint8_t raw[LS_WAL_FRAME_HEADER_SIZE];
    ls_wal_frame_header h = {0};
    for (uint32_t i = 0; code == LS_OK && i < r->info.frames; i++) {
        code = read_frame_header(r, ls_wal_range_offset(r, i), raw, &h, err);
        ls_wal_entry e = {.pgno = h.pgno, .frame = i, .ck1 = h.ck1, .ck2 = h.ck2};
        if (code == LS_OK) {
            ls_wal_window_put(w, &e);
        }
    }
    if (code == LS_OK && (h.ck1 != r->info.end.ck1 || h.ck2 != r->info.end.ck2)) {
        code = replaced(ls_wal_range_offset(r, r->info.frames - 1), err);
    }
    w->loaded = code == LS_OK;
    return code;
}

/* The entry of pgno, NULL if there is none. */
static ls_code find_entry(ls_wal_range *r, uint32_t pgno, const ls_wal_entry **e, ls_err *err) {
    *e = NULL;
    if (pgno == 0) {
        return LS_OK;
    }
    if (!r->windowed) {
        *e = ls_wal_list_at(&r->list, pgno);
    } else {
        uint64_t index = (pgno - 1) / r->window.pages;
        if (!ls_wal_window_touched(&r->window, index)) {
            return LS_OK;
        }
        ls_code code = load_window(r, index, err);
        if (code != LS_OK) {
            return code;
        }
        *e = ls_wal_window_at(&r->window, pgno);
    }
    if (*e != NULL && (*e)->pgno != pgno) {
        *e = NULL;
    }
    return LS_OK;
}

/* The first entry from pgno to limit over all windows. */
static ls_code next_in_windows(ls_wal_range *r, uint64_t pgno, uint32_t limit,
                               const ls_wal_entry **e, ls_err *err) {
    ls_wal_window *w = &r->window;
    *e = NULL;
    uint64_t last = limit < w->max_pgno ? limit : w->max_pgno;
    while (*e == NULL && pgno <= last) {
        uint64_t index = (pgno - 1) / w->pages;
        if (ls_wal_window_touched(w, index)) {
            ls_code code = load_window(r, index, err);
            if (code != LS_OK) {
                return code;
            }
            *e = ls_wal_window_at(w, pgno);
        }
        pgno = (index + 1) * w->pages + 1;
    }
    return LS_OK;
}

ls_code ls_wal_range_next(ls_wal_range *r, uint32_t limit, uint32_t *pgno, int64_t *offset,
                          ls_err *err) {
    *pgno = 0;
    *offset = 0;
    const ls_wal_entry *e = NULL;
    if (!r->windowed) {
        e = ls_wal_list_at(&r->list, r->next_pgno);
    } else {
        ls_code code = next_in_windows(r, r->next_pgno, limit, &e, err);
        if (code != LS_OK) {
            return code;
        }
    }
    if (e != NULL && e->pgno <= limit) {
        *pgno = e->pgno;
        *offset = ls_wal_range_offset(r, e->frame);
        r->next_pgno = (uint64_t)e->pgno + 1;
    }
    return LS_OK;
}

void ls_wal_range_rewind(ls_wal_range *r) { r->next_pgno = 1; }

ls_code ls_wal_range_find(ls_wal_range *r, uint32_t pgno, int64_t *offset, ls_err *err) {
    *offset = 0;
    const ls_wal_entry *e;
    ls_code code = find_entry(r, pgno, &e, err);
    if (code == LS_OK && e != NULL) {
        *offset = ls_wal_range_offset(r, e->frame);
    }
    return code;
}

/* The running checksum in front of a frame. */
static ls_code checksum_before(const ls_wal_range *r, uint32_t frame, uint32_t *ck1, uint32_t *ck2,
                               ls_err *err) {
    if (frame == 0) {
        *ck1 = r->info.begin.ck1;
        *ck2 = r->info.begin.ck2;
        return LS_OK;
    }
    uint8_t raw[LS_WAL_FRAME_HEADER_SIZE];
    ls_wal_frame_header h = {0};
    ls_code code = read_frame_header(r, ls_wal_range_offset(r, frame - 1), raw, &h, err);
    *ck1 = h.ck1;
    *ck2 = h.ck2;
    return code;
}

/* The frame's header must be the recorded one; *h is what is in it. */
static ls_code recorded_header(const ls_wal_range *r, const ls_wal_entry *e, uint8_t *raw,
                               ls_err *err) {
    int64_t offset = ls_wal_range_offset(r, e->frame);
    ls_wal_frame_header h;
    ls_code code = read_frame_header(r, offset, raw, &h, err);
    if (code == LS_OK && (h.pgno != e->pgno || h.ck1 != e->ck1 || h.ck2 != e->ck2)) {
        code = replaced(offset, err);
    }
    return code;
}

static ls_code page_bytes(const ls_wal_range *r, int64_t offset, uint8_t *page, ls_err *err) {
    size_t got = 0;
    ls_code code = ls_pread_full(r->fd, page, r->hdr.page_size, offset + LS_WAL_FRAME_HEADER_SIZE,
                                 &got, "write-ahead log", err);
    return code == LS_OK && got < r->hdr.page_size ? replaced(offset, err) : code;
}

/* The page of a frame from the log: header, page, header again, and the sums from the frame before
 * must lead to this one's. */
static ls_code read_page(const ls_wal_range *r, const ls_wal_entry *e, uint8_t *page, ls_err *err) {
    int64_t offset = ls_wal_range_offset(r, e->frame);
    uint8_t raw[LS_WAL_FRAME_HEADER_SIZE];
    uint32_t ck1, ck2;
    ls_code code = checksum_before(r, e->frame, &ck1, &ck2, err);
    if (code == LS_OK) {
        code = recorded_header(r, e, raw, err);
    }
    if (code == LS_OK) {
        code = page_bytes(r, offset, page, err);
    }
    if (code == LS_OK) {
        code = recorded_header(r, e, raw, err);
    }
    if (code != LS_OK) {
        return code;
    }
    ls_wal_frame_checksum(&r->hdr, raw, page, &ck1, &ck2);
    return ck1 == e->ck1 && ck2 == e->ck2 ? LS_OK : replaced(offset, err);
}

ls_code ls_wal_range_page(ls_wal_range *r, uint32_t pgno, int64_t offset, uint8_t *page,
                          ls_err *err) {
    const ls_wal_entry *e;
    ls_code code = find_entry(r, pgno, &e, err);
    if (code != LS_OK) {
        return code;
    }
    if (e == NULL || ls_wal_range_offset(r, e->frame) != offset) {
        return ls_fail(err, LS_EINVALID,
                       "write-ahead log: no frame of page %u at offset %lld in the range",
                       (unsigned)pgno, (long long)offset);
    }
    if (r->kept != NULL) {
        memcpy(page, r->kept + (size_t)e->frame * r->hdr.page_size, r->hdr.page_size);
        return LS_OK;
    }
    return read_page(r, e, page, err);
}
