/*
 * The decoder's calls without the prefix that decoder.h puts in front of an error ("decode header",
 * "decode page N", "close reader"), for callers that have one of their own. For engine/ltx only.
 */
#ifndef LS_LTX_DECODER_RAW_H
#define LS_LTX_DECODER_RAW_H

#include "engine/ltx/crc64.h"
#include "engine/ltx/decoder.h"

/* *dec: NULL, or a decoder whose memory is used again; it is freed where the open fails. */
LS_MUST ls_code ls_ltx_decoder_open(ls_reader *in, ls_ltx_header *header, ls_ltx_decoder **dec,
                                    ls_err *err);

/* For what the file checksum sums of a page, by the kind of its frame. */
typedef struct ls_ltx_joins {
    ls_crc64_join frame, block;
} ls_ltx_joins;
void ls_ltx_joins_init(ls_ltx_joins *j, uint32_t page_size);
static inline const ls_crc64_join *ls_ltx_join(const ls_ltx_joins *j, uint16_t flags) {
    return (flags & LS_LTX_PAGE_FLAG_BLOCK) != 0 ? &j->block : &j->frame;
}

/* Fills in the crc of pages from now on. joins must outlive the decoder's use. */
void ls_ltx_decoder_keep_sums(ls_ltx_decoder *d, const ls_ltx_joins *joins);

LS_MUST ls_code ls_ltx_decoder_read(ls_ltx_decoder *d, ls_ltx_page *page, bool *end, ls_err *err);
/* trailer must not be NULL. */
LS_MUST ls_code ls_ltx_decoder_finish(ls_ltx_decoder *d, ls_ltx_trailer *trailer, ls_err *err);

#endif
