/*
 * Decoding of a page frame whose page header and size prefix were checked. For engine/ltx only.
 */
#ifndef LS_LTX_PAYLOAD_H
#define LS_LTX_PAYLOAD_H

#include "engine/ltx/page.h"

#define LS_LTX_BLOCK_PREFIX 10 /* page header and size prefix of a B frame */

/* As ls_ltx_page_decode, for a frame of known flags; of B the prefix fits size, so size is at least
 * LS_LTX_BLOCK_PREFIX. */
LS_MUST ls_code ls_ltx_payload_decode(const uint8_t *frame, size_t size, void *page,
                                      uint32_t page_size, ls_err *err);

#endif
