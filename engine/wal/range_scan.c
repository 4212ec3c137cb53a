/*
 * Makes a range: one pass over the log that verifies every frame and notes where each page's newest
 * version is. The list is tried first; a transaction that does not fit switches to windows, for
 * which this pass only notes which windows have pages.
 */
#include "engine/wal/range.h"

#include "engine/wal/range_limits.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_FIRST ((size_t)64 << 10)

ls_wal_range_limits ls_wal_limits = {.frames = LS_WAL_RANGE_FRAMES,
                                     .window_pages = LS_WAL_WINDOW_PAGES,
                                     .keep_bytes = LS_WAL_KEEP_BYTES};

void ls_wal_range_free(ls_wal_range *r) {
    if (r == NULL) {
        return;
    }
    ls_wal_list_done(&r->list);
    ls_wal_window_done(&r->window);
    free(r->kept);
    free(r);
}

static ls_code range_new(int fd, const ls_wal_header *hdr, const ls_wal_pos *pos,
                         ls_wal_range **out, ls_err *err) {
    ls_wal_range *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        return ls_fail(err, LS_ENOMEM, "write-ahead log: no memory for a range");
    }
    r->fd = fd;
    r->hdr = *hdr;
    r->info = (ls_wal_range_info){.begin = *pos, .end = *pos};
    r->kept_max = ls_wal_limits.keep_bytes;
    ls_wal_list_init(&r->list, ls_wal_limits.frames);
    ls_wal_window_init(&r->window, ls_wal_limits.window_pages);
    *out = r;
    return LS_OK;
}

/* Keeps a verified page for as long as everything from the range's begin on fits. */
static ls_code keep_page(ls_wal_range *r, const uint8_t *page, ls_err *err) {
    size_t size = r->hdr.page_size;
    if (r->kept_len + size > r->kept_max) {
        r->kept_max = r->kept_len;
        return LS_OK;
    }
    if (r->kept_len + size > r->kept_cap) {
        size_t cap = r->kept_cap == 0 ? KEPT_FIRST : r->kept_cap * 2;
        uint8_t *grown = realloc(r->kept, cap);
        if (grown == NULL) {
            return ls_fail(err, LS_ENOMEM, "write-ahead log: no memory for %zu bytes", cap);
        }
        r->kept = grown;
        r->kept_cap = cap;
    }
    memcpy(r->kept + r->kept_len, page, size);
    r->kept_len += size;
    return LS_OK;
}

static ls_code take_frame(ls_wal_range *r, const ls_wal_frame *f, ls_err *err) {
    if (r->scanned == UINT32_MAX) {
        return ls_fail(err, LS_ELIMIT, "write-ahead log: more than %u frames", UINT32_MAX);
    }
    ls_code code = keep_page(r, f->page, err);
    if (code != LS_OK) {
        return code;
    }
    ls_wal_window_touch(&r->window, f->pgno);
    if (!r->windowed) {
        ls_wal_entry e = {.pgno = f->pgno, .frame = r->scanned, .ck1 = f->ck1, .ck2 = f->ck2};
        code = ls_wal_list_add(&r->list, &e, err);
    }
    r->scanned++;
    return code;
}

static void take_commit(ls_wal_range *r, uint32_t commit, ls_wal_pos end) {
    r->info.end = end;
    r->info.commit = commit;
    r->info.frames = r->scanned;
    if (!r->windowed && !ls_wal_list_commit(&r->list)) {
        r->windowed = true;
        ls_wal_list_done(&r->list);
    }
}

/* Takes frames to the end of the log or the first commit frame that ends at or behind stop. */
static ls_code scan_frames(ls_wal_range *r, ls_wal_reader *in, int64_t stop, ls_err *err) {
    bool stopped = false;
    for (;;) {
        ls_wal_frame f;
        bool end;
        ls_code code = ls_wal_reader_next(in, &f, &end, err);
        if (code != LS_OK || end || stopped) {
            r->info.at_end = end;
            return code;
        }
        code = take_frame(r, &f, err);
        if (code != LS_OK) {
            return code;
        }
        if (f.commit != 0) {
            take_commit(r, f.commit, ls_wal_reader_pos(in));
            stopped = r->info.end.offset >= stop;
        }
    }
}

/* A log that was restarted while it was read may have ended anywhere for this reader. */
static ls_code header_unchanged(const ls_wal_range *r, ls_err *err) {
    ls_wal_header now;
    ls_wal_state state;
    ls_code code = ls_wal_header_read(r->fd, &now, &state, err);
    if (code != LS_OK) {
        return code;
    }
    if (state != LS_WAL_VALID || !ls_wal_header_equal(&now, &r->hdr)) {
        (void)ls_fail(err, LS_EBUSY, "write-ahead log: restarted while it was read");
        return ls_hint(err, "nothing is lost; the log is read again from its new start");
    }
    return LS_OK;
}

static ls_code scan_range(ls_wal_range *r, int64_t stop, ls_err *err) {
    ls_wal_reader *in;
    ls_code code = ls_wal_reader_new(r->fd, &r->hdr, &r->info.begin, &in, err);
    if (code != LS_OK) {
        return code;
    }
    code = scan_frames(r, in, stop, err);
    ls_wal_reader_free(in);
    return code == LS_OK ? header_unchanged(r, err) : code;
}

/* What the open transaction behind the end left in the range goes. */
static void finish(ls_wal_range *r) {
    if (!r->windowed) {
        ls_wal_list_finish(&r->list);
    }
    if (r->kept_len / r->hdr.page_size < r->info.frames) {
        free(r->kept);
        r->kept = NULL;
    }
    ls_wal_range_rewind(r);
}

/* Hands the range out, or frees it where there is nothing in it. */
static ls_code deliver(ls_wal_range *r, ls_code code, ls_wal_range **out, ls_wal_range_info *info) {
    if (code != LS_OK) {
        ls_wal_range_free(r);
        return code;
    }
    *info = r->info;
    if (r->info.frames == 0) {
        ls_wal_range_free(r);
        return LS_OK;
    }
    finish(r);
    *out = r;
    return LS_OK;
}

ls_code ls_wal_range_scan(int fd, const ls_wal_header *hdr, const ls_wal_pos *pos,
                          int64_t max_bytes, ls_wal_range **range, ls_wal_range_info *info,
                          ls_err *err) {
    *range = NULL;
    *info = (ls_wal_range_info){.begin = *pos, .end = *pos};
    ls_code code = ls_wal_pos_check(hdr, pos, err);
    if (code != LS_OK) {
        return code;
    }
    int64_t stop = INT64_MAX;
    if (max_bytes > 0 && max_bytes < INT64_MAX - pos->offset) {
        stop = pos->offset + max_bytes;
    }
    ls_wal_range *r;
    code = range_new(fd, hdr, pos, &r, err);
    if (code != LS_OK) {
        return code;
    }
    return deliver(r, scan_range(r, stop, err), range, info);
}

static ls_code ends_at(const ls_wal_range *r, const ls_wal_pos *end, ls_err *err) {
    const ls_wal_pos *at = &r->info.end;
    if (at->offset == end->offset && at->ck1 == end->ck1 && at->ck2 == end->ck2) {
        return LS_OK;
    }
    (void)ls_fail(err, LS_ECHECKSUM,
                  "write-ahead log: no commit with the known checksum at offset %lld "
                  "(its last one before is at %lld)",
                  (long long)end->offset, (long long)at->offset);
    return ls_hint(err, "the log is not the one that was captured; a snapshot starts a new chain");
}

ls_code ls_wal_range_until(int fd, const ls_wal_header *hdr, const ls_wal_pos *pos,
                           const ls_wal_pos *end, ls_wal_range **range, ls_wal_range_info *info,
                           ls_err *err) {
    *range = NULL;
    *info = (ls_wal_range_info){.begin = *pos, .end = *pos};
    ls_code code = ls_wal_pos_check(hdr, pos, err);
    if (code != LS_OK) {
        return code;
    }
    ls_wal_range *r;
    code = range_new(fd, hdr, pos, &r, err);
    if (code != LS_OK) {
        return code;
    }
    if (end->offset > pos->offset) {
        code = scan_range(r, end->offset, err);
    }
    if (code == LS_OK) {
        code = ends_at(r, end, err);
    }
    return deliver(r, code, range, info);
}
