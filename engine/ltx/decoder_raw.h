/*
 * The decoder's calls without the prefix that decoder.h puts in front of an error ("decode header",
 * "decode page N", "close reader"), for callers that have one of their own. For engine/ltx only.
 */
#ifndef LS_LTX_DECODER_RAW_H
#define LS_LTX_DECODER_RAW_H

#include "engine/ltx/decoder.h"

LS_MUST ls_code ls_ltx_decoder_open(ls_reader *in, ls_ltx_header *header, ls_ltx_decoder **dec,
                                    ls_err *err);
LS_MUST ls_code ls_ltx_decoder_read(ls_ltx_decoder *d, ls_ltx_page *page, bool *end, ls_err *err);
/* trailer must not be NULL. */
LS_MUST ls_code ls_ltx_decoder_finish(ls_ltx_decoder *d, ls_ltx_trailer *trailer, ls_err *err);

#endif
