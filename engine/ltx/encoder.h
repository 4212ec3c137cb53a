/*
 * Writes one LTX file, page by page in ascending order, in constant memory: the page index grows in
 * a small buffer and then in an unlinked temporary file.
 *
 * Refuses what could not be restored: pages out of order or bounds, the lock page, a snapshot with
 * holes; with prev_commit known, also a file that raises Commit without holding every new page.
 */
#ifndef LS_LTX_ENCODER_H
#define LS_LTX_ENCODER_H

#include "engine/base/io.h"
#include "engine/ltx/crc64.h"
#include "engine/ltx/page.h"

typedef struct ls_ltx_encoder ls_ltx_encoder;

typedef struct ls_ltx_encoder_opts {
    ls_ltx_encoding encoding; /* of pages given uncompressed */
    const char *spill_dir;    /* where the index goes when it outgrows memory; NULL: TMPDIR or /tmp;
                                 must outlive the encoder */
    uint32_t prev_commit;     /* pages of the database before; 0: not known */
} ls_ltx_encoder_opts;

/* Validates and writes the header. out must outlive the encoder. opts may be NULL. */
LS_MUST ls_code ls_ltx_encoder_new(ls_writer *out, const ls_ltx_header *header,
                                   const ls_ltx_encoder_opts *opts, ls_ltx_encoder **enc,
                                   ls_err *err);

/* Compresses and adds a page of header.page_size bytes. Error texts as in encode_errors.json. */
LS_MUST ls_code ls_ltx_encoder_page(ls_ltx_encoder *enc, uint32_t pgno, const void *page,
                                    size_t page_len, ls_err *err);

/* Adds a page that is already in its frame (header, prefix, payload; size bytes) and whose
 * uncompressed bytes are page: copied, not compressed again. */
LS_MUST ls_code ls_ltx_encoder_frame(ls_ltx_encoder *enc, const uint8_t *frame, size_t size,
                                     const void *page, ls_err *err);

/* The same of a page whose sum is known instead of its bytes: crc is that of what the file checksum
 * sums of it, join for its length. */
LS_MUST ls_code ls_ltx_encoder_summed(ls_ltx_encoder *enc, const uint8_t *frame, size_t size,
                                      uint64_t crc, const ls_crc64_join *join, ls_err *err);

/* Writes end marker, index and trailer. For a snapshot all pages up to commit must be there.
 * trailer (may be NULL) gets what was written. The encoder stays to be freed. */
LS_MUST ls_code ls_ltx_encoder_close(ls_ltx_encoder *enc, uint64_t post_apply,
                                     ls_ltx_trailer *trailer, ls_err *err);

/* Pages added and bytes written so far. */
uint32_t ls_ltx_encoder_pages(const ls_ltx_encoder *enc);
uint64_t ls_ltx_encoder_bytes(const ls_ltx_encoder *enc);

void ls_ltx_encoder_free(ls_ltx_encoder *enc); /* NULL allowed */

#endif
