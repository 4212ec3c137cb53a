/*
 * Memory that goes to a temporary file when it gets long, and the unlinked temporary file itself.
 * For engine/ltx and engine/restore.
 */
#ifndef LS_LTX_SPILL_H
#define LS_LTX_SPILL_H

#include "engine/base/error.h"

#include <stdint.h>

/* An open file without a name in dir (NULL: TMPDIR or /tmp), read and write. */
LS_MUST ls_code ls_ltx_tmp_open(const char *dir, int *fd, ls_err *err);

#define LS_LTX_SPILL_MAX (1024 * 1024) /* bytes held in memory */

/* Bytes appended one after the other and then read once from the begin. */
typedef struct ls_ltx_spill {
    const char *dir; /* of the temporary file; must outlive the spill */
    uint8_t *mem;    /* the bytes that are not in the file */
    size_t len;
    size_t cap;
    int fd;         /* -1 until needed */
    uint64_t saved; /* bytes in the file */
} ls_ltx_spill;

void ls_ltx_spill_init(ls_ltx_spill *s, const char *dir);
void ls_ltx_spill_done(ls_ltx_spill *s);

/* len: far less than LS_LTX_SPILL_MAX. */
LS_MUST ls_code ls_ltx_spill_add(ls_ltx_spill *s, const void *data, size_t len, ls_err *err);

static inline uint64_t ls_ltx_spill_size(const ls_ltx_spill *s) { return s->saved + s->len; }

/* Reads at most len bytes at off; *got is less only at the end. */
LS_MUST ls_code ls_ltx_spill_read(const ls_ltx_spill *s, uint64_t off, void *buf, size_t len,
                                  size_t *got, ls_err *err);

#endif
