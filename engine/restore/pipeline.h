/*
 * Hands chunks to worker threads and takes them back in the order in which they were handed out. A
 * fixed ring of chunks bounds the memory. Used by rebuild.c.
 */
#ifndef LS_RESTORE_PIPELINE_H
#define LS_RESTORE_PIPELINE_H

#include "engine/restore/chunk.h"

typedef struct ls_pipeline ls_pipeline;

/* A chunk and what the file checksum covers before the first and behind the last of a file. */
typedef struct ls_piece {
    ls_chunk chunk;
    size_t file; /* number in the plan */
    bool first, last;
    uint64_t header_crc;         /* first: CRC of the header */
    uint64_t rest_crc, rest_len; /* last: of end marker, index and post-apply checksum */
    uint64_t file_checksum;      /* last: what the trailer says */
    uint64_t file_bytes;         /* bytes of the file that this piece stands for */
    /* private */
    ls_job job;
    ls_pipeline *owner;
    bool done;
} ls_piece;

/* Called in order with each piece that was worked on, from the thread that feeds. */
typedef ls_code (*ls_pipeline_take)(void *arg, ls_piece *piece, ls_err *err);

/* threads 0: pieces are worked on by the thread that feeds, as small ones always are. target and
 * arg must outlive it. */
LS_MUST ls_code ls_pipeline_new(int threads, const ls_chunk_target *target, ls_pipeline_take take,
                                void *arg, ls_pipeline **pipeline, ls_err *err);

/* A free piece to fill in, waiting for the oldest where none is free: its error comes out here. */
LS_MUST ls_code ls_pipeline_piece(ls_pipeline *p, ls_piece **piece, ls_err *err);

/* Hands out the piece got last. */
void ls_pipeline_submit(ls_pipeline *p, ls_piece *piece);

/* Waits for all pieces. */
LS_MUST ls_code ls_pipeline_drain(ls_pipeline *p, ls_err *err);

/* Waits for the threads, drops what was not taken. NULL allowed. */
void ls_pipeline_free(ls_pipeline *p);

#endif
