/*
 * Internal to engine/wal: the big-endian words of headers, and a frame header taken apart.
 */
#ifndef LS_WAL_BYTES_H
#define LS_WAL_BYTES_H

#include "engine/wal/wal.h"

static inline uint32_t ls_wal_get32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

typedef struct ls_wal_frame_header {
    uint32_t pgno, commit, salt1, salt2, ck1, ck2;
} ls_wal_frame_header;

static inline ls_wal_frame_header ls_wal_frame_header_decode(const uint8_t *p) {
    return (ls_wal_frame_header){.pgno = ls_wal_get32(p),
                                 .commit = ls_wal_get32(p + 4),
                                 .salt1 = ls_wal_get32(p + 8),
                                 .salt2 = ls_wal_get32(p + 12),
                                 .ck1 = ls_wal_get32(p + 16),
                                 .ck2 = ls_wal_get32(p + 20)};
}

/* Does the frame belong to the log's current generation at all? Its checksum is another matter. */
static inline bool ls_wal_frame_current(const ls_wal_frame_header *f, const ls_wal_header *hdr) {
    return f->pgno != 0 && f->salt1 == hdr->salt1 && f->salt2 == hdr->salt2;
}

/* Continues (*ck1, *ck2) over a frame: the first 8 bytes of its header, then the page. */
static inline void ls_wal_frame_checksum(const ls_wal_header *hdr, const uint8_t *frame_header,
                                         const uint8_t *page, uint32_t *ck1, uint32_t *ck2) {
    ls_wal_checksum(hdr->big_endian, frame_header, 8, ck1, ck2);
    ls_wal_checksum(hdr->big_endian, page, hdr->page_size, ck1, ck2);
}

#endif
