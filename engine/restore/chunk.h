/*
 * A run of consecutive frames of one LTX file as a job for a worker: decode, check, checksum, write
 * what wins. Chunks of a file are worked on in any order; their checksums are put together in order
 * by rebuild.c.
 */
#ifndef LS_RESTORE_CHUNK_H
#define LS_RESTORE_CHUNK_H

#include "engine/base/pool.h"
#include "engine/ltx/ltx.h"

/* Bytes of pages in a chunk: small enough to stay in a processor's cache from decoding to writing,
 * large enough that handing it over costs nothing. */
#define LS_CHUNK_BYTES (256u * 1024)
#define LS_CHUNK_PAGES (LS_CHUNK_BYTES / LS_LTX_MIN_PAGE_SIZE)
/* Frames are taken until this is reached, so the last may stand out. */
#define LS_CHUNK_IN (LS_CHUNK_BYTES + LS_LTX_MAX_FRAME)

typedef struct ls_chunk_page {
    uint32_t pgno;
    uint32_t size; /* of the frame */
    bool wins;     /* no newer file holds the page */
} ls_chunk_page;

/* Where pages go; the same for all chunks of a rebuild. */
typedef struct ls_chunk_target {
    int fd;
    const char *name;
    uint32_t page_size;
    bool checksum_pages; /* work out the database's rolling checksum */
} ls_chunk_target;

typedef struct ls_chunk {
    const ls_chunk_target *target;
    /* in: */
    uint32_t n;
    ls_chunk_page pages[LS_CHUNK_PAGES];
    uint8_t *in; /* frames, one behind the other; LS_CHUNK_IN */
    size_t in_len;
    uint8_t *out; /* scratch, LS_CHUNK_BYTES */
    /* out: */
    uint64_t crc, crc_len; /* of what the file checksum covers here, from 0 */
    uint64_t rolling;      /* page checksums of the winners, XORed */
    uint32_t written;
    ls_code code;
    ls_err err;
} ls_chunk;

/* Buffers; false without memory. */
LS_MUST bool ls_chunk_init(ls_chunk *c, const ls_chunk_target *target);
void ls_chunk_done(ls_chunk *c);

/* Does the work; c->code says how it went. */
void ls_chunk_run(ls_chunk *c);

#endif
