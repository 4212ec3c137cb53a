/*
 * The LTX header at the start of what is stored: it gives the object's time. Used by the stores
 * alone.
 */
#ifndef LS_BACKENDS_HEAD_H
#define LS_BACKENDS_HEAD_H

#include "backends/storage.h"

/* The timestamp of the header that got bytes at head are meant to be. LS_EFORMAT with the
 * reference's text. */
LS_MUST ls_code ls_head_time(const uint8_t *head, size_t got, int64_t *ms, ls_err *err);

/* Takes the header off a stream. */
LS_MUST ls_code ls_head_read(ls_reader *in, uint8_t head[LS_LTX_HEADER_SIZE], int64_t *ms,
                             ls_err *err);

/* The operation exact of a store that has no other way to know a file's time: reads its header. */
LS_MUST ls_code ls_head_exact(ls_storage *s, ls_ltx_info *file, ls_err *err);

#endif
