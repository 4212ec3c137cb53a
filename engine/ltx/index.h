/*
 * Random access: where each page's frame lies, from the index at the end of a file.
 *
 * The iterator reads the index forward in small pieces and checks each entry: pages ascending and
 * within bounds, no lock page, frames that join without a hole from byte 100 on, and at the end the
 * 0 byte exactly where the size says, with the last frame touching the end marker.
 */
#ifndef LS_LTX_INDEX_H
#define LS_LTX_INDEX_H

#include "engine/base/io.h"
#include "engine/ltx/ltx.h"

/* Reads len bytes at off; as ls_pread_full. */
typedef struct ls_reader_at ls_reader_at;
struct ls_reader_at {
    ls_code (*read_at)(ls_reader_at *r, void *buf, size_t len, uint64_t off, size_t *got,
                       ls_err *err);
};

typedef struct ls_ltx_entry {
    uint32_t pgno;
    uint32_t size;   /* of the frame */
    uint64_t offset; /* of the frame */
} ls_ltx_entry;

/* Where the index of a file lies; from its last 24 bytes. */
typedef struct ls_ltx_tail {
    uint64_t index_offset; /* first byte of the index = end of the end marker */
    uint64_t index_size;   /* including the 0 byte, without the 8-byte size */
    ls_ltx_trailer trailer;
} ls_ltx_tail;

/* last24: the 24 bytes before the end of a file of file_size bytes. */
LS_MUST ls_code ls_ltx_tail_decode(const uint8_t last24[24], uint64_t file_size, ls_ltx_tail *tail,
                                   ls_err *err);

typedef struct ls_ltx_index_iter ls_ltx_index_iter;

/* in gives exactly the index bytes, from index_offset on (more may follow and is not read); not
 * closed by the iterator. */
LS_MUST ls_code ls_ltx_index_iter_new(ls_reader *in, const ls_ltx_header *header,
                                      const ls_ltx_tail *tail, ls_ltx_index_iter **it, ls_err *err);
LS_MUST ls_code ls_ltx_index_iter_next(ls_ltx_index_iter *it, ls_ltx_entry *entry, bool *end,
                                       ls_err *err);
/* CRC (from 0) and length of the index bytes including the 8-byte size, after the end was reached:
 * the part of the file checksum that they are. */
void ls_ltx_index_iter_crc(const ls_ltx_index_iter *it, uint64_t *crc, uint64_t *len);
void ls_ltx_index_iter_free(ls_ltx_index_iter *it);

/* Finds one page in an open file (descriptor) and decodes it into page (page_size bytes).
 * LS_ENOTFOUND if the file does not hold it. */
LS_MUST ls_code ls_ltx_fetch_page(int fd, const char *name, uint32_t pgno, ls_ltx_header *header,
                                  void *page, size_t page_cap, ls_err *err);

#endif
