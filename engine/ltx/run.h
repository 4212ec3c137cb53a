/*
 * Pages between two stages of a merge: frames in ascending order, in an unlinked temporary file,
 * each with the sum of what it holds. Written once, then read once from the begin. For engine/ltx.
 *
 * What is read is what was written, or an error: each frame has a sum of its own, so that it need
 * not be decompressed to be believed.
 */
#ifndef LS_LTX_RUN_H
#define LS_LTX_RUN_H

#include "engine/base/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct ls_ltx_run ls_ltx_run;

/* dir: NULL: TMPDIR or /tmp. */
LS_MUST ls_code ls_ltx_run_new(const char *dir, ls_ltx_run **run, ls_err *err);
void ls_ltx_run_free(ls_ltx_run *run); /* NULL allowed */

/* Appends a frame of at most LS_LTX_MAX_FRAME bytes; crc is kept beside it. */
LS_MUST ls_code ls_ltx_run_add(ls_ltx_run *run, const uint8_t *frame, uint32_t size, uint64_t crc,
                               ls_err *err);

/* What was added can be read from now on, and nothing more be added. */
LS_MUST ls_code ls_ltx_run_rewind(ls_ltx_run *run, ls_err *err);

/* The next frame, valid until the next call; *end is set, and nothing else, behind the last. */
LS_MUST ls_code ls_ltx_run_next(ls_ltx_run *run, const uint8_t **frame, uint32_t *size,
                                uint64_t *crc, bool *end, ls_err *err);

#endif
