/*
 * One page in its frame: encodings F and B (see ltx.h). No function here but ls_ltx_codec_new
 * allocates: LZ4 frames of any legal form are decoded in place.
 */
#ifndef LS_LTX_PAGE_H
#define LS_LTX_PAGE_H

#include "engine/ltx/ltx.h"

typedef enum ls_ltx_encoding { LS_LTX_FRAME = 0, LS_LTX_BLOCK = 1 } ls_ltx_encoding;

typedef struct ls_ltx_codec ls_ltx_codec;     /* scratch of one thread */
LS_MUST ls_ltx_codec *ls_ltx_codec_new(void); /* NULL without memory */
void ls_ltx_codec_free(ls_ltx_codec *c);      /* NULL allowed */

/* Bytes that ls_ltx_page_encode may need for a page. */
size_t ls_ltx_frame_bound(uint32_t page_size);

/* Compresses page into out (at least ls_ltx_frame_bound(page_size) bytes): page header, size prefix
 * (B) and payload. Returns the frame's size. A page that does not shrink is stored (F) or becomes a
 * literals-only block (B). */
size_t ls_ltx_page_encode(ls_ltx_codec *c, ls_ltx_encoding enc, uint32_t pgno, const void *page,
                          uint32_t page_size, uint8_t *out);

/* Decodes one whole frame of exactly size bytes (as the page index gives it) into page (page_size
 * bytes). Checks the F content checksum and that exactly page_size bytes come out. LS_ECORRUPT with
 * a text that says which part is wrong. c may be NULL. */
LS_MUST ls_code ls_ltx_page_decode(ls_ltx_codec *c, const uint8_t *frame, size_t size, void *page,
                                   uint32_t page_size, uint32_t *pgno, uint16_t *flags,
                                   ls_err *err);

/* How many bytes of header, prefix and payload the file checksum covers in front of the page's
 * uncompressed bytes: 6 (F) or 10 (B). */
static inline size_t ls_ltx_frame_crc_prefix(uint16_t flags) {
    return (flags & LS_LTX_PAGE_FLAG_BLOCK) != 0 ? 10 : 6;
}

#endif
