/*
 * LZ4 frames of any length as a stream: the objects of v0.3 replicas.
 */
#ifndef LS_RESTORE_LZ4STREAM_H
#define LS_RESTORE_LZ4STREAM_H

#include "engine/base/cancel.h"
#include "engine/base/io.h"

/* Decodes in, to its end, into out: one frame or several, each with its end mark, and the content
 * checksum where there is one. LS_ECORRUPT for what is cut short or no frame; what was written then
 * is not to be used. *size: bytes written. cancel may be NULL. */
LS_MUST ls_code ls_lz4_stream_decode(ls_reader *in, ls_writer *out, const ls_cancel *cancel,
                                     uint64_t *size, ls_err *err);

#endif
