/*
 * Internal to engine/wal: a range of committed frames between range_scan.c, which makes it, and
 * range.c, which answers from it.
 *
 * Frames are numbered from 0 at info.begin; info.end and info.frames are those of the last commit
 * taken. Exactly one of list and window says where pages are; kept, if not NULL, holds the pages of
 * the frames in log order, as verified.
 */
#ifndef LS_WAL_RANGE_H
#define LS_WAL_RANGE_H

#include "engine/wal/bytes.h"
#include "engine/wal/pagelist.h"

struct ls_wal_range {
    int fd;
    ls_wal_header hdr;
    ls_wal_range_info info;
    uint32_t scanned; /* frames seen, those of the open transaction included */
    bool windowed;
    ls_wal_list list;
    ls_wal_window window;
    uint8_t *kept;
    size_t kept_len, kept_cap, kept_max;
    uint64_t next_pgno; /* where ls_wal_range_next goes on */
};

static inline int64_t ls_wal_range_offset(const ls_wal_range *r, uint32_t frame) {
    return r->info.begin.offset + (int64_t)frame * ls_wal_frame_size(r->hdr.page_size);
}

#endif
