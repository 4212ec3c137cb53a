/*
 * LZ4 frames as page payload (encoding F), read without allocation: any legal frame of the LZ4
 * frame format 1.6 without a dictionary, skippable frames in front of it included.
 *
 *   magic u32le 0x184D2204, FLG, BD, [content size u64le], header checksum byte
 *   blocks: u32le size (bit 31: stored), data, [xxh32 of data u32le]
 *   end mark u32le 0, [xxh32 of the content u32le]
 *
 * For engine/ltx only.
 */
#ifndef LS_LTX_LZ4FRAME_H
#define LS_LTX_LZ4FRAME_H

#include "engine/base/error.h"

#include <stdint.h>

/* Where a frame ends is only known by walking its blocks. The state of a walk over a frame of which
 * more and more bytes arrive; all zero to begin with. */
typedef struct ls_lz4_scan {
    size_t pos;    /* bytes walked over */
    uint8_t flg;   /* of the descriptor */
    bool in_frame; /* pos is behind the descriptor */
    bool done;     /* pos is the end of the frame */
} ls_lz4_scan;

/* Walks on over p (the frame from its begin, avail bytes of it). Unless done, *need says how many
 * bytes from the begin are needed to go on: more than avail. Never asks for more than max. */
LS_MUST ls_code ls_lz4_scan_more(ls_lz4_scan *s, const uint8_t *p, size_t avail, size_t max,
                                 size_t *need, ls_err *err);

/* Decodes the frame of exactly size bytes into exactly out_size bytes. Checks all checksums that
 * are there. */
LS_MUST ls_code ls_lz4_frame_decode(const uint8_t *p, size_t size, uint8_t *out, size_t out_size,
                                    ls_err *err);

/* The descriptor that this program and ltx 0.5.1 write: independent blocks of at most 64 KiB,
 * content checksum, nothing else. */
#define LS_LZ4_DESCRIPTOR_SIZE 7
extern const uint8_t ls_lz4_descriptor[LS_LZ4_DESCRIPTOR_SIZE];
#define LS_LZ4_STORED 0x80000000u /* in a block's size: data is not compressed */

#endif
