/*
 * Growing byte buffer with a maximum. No buffer in the program grows without one: what comes from a
 * file, a store or a socket decides no allocation by itself.
 */
#ifndef LS_BASE_BUF_H
#define LS_BASE_BUF_H

#include "engine/base/error.h"

#include <stdint.h>

typedef struct ls_buf {
    char *data; /* NUL-terminated whenever it is not NULL; owned */
    size_t len; /* bytes used, without the NUL */
    size_t cap;
    size_t max; /* most bytes it may hold */
} ls_buf;

void ls_buf_init(ls_buf *buf, size_t max);
void ls_buf_done(ls_buf *buf);  /* frees; the buffer may be used again and keeps its maximum */
void ls_buf_clear(ls_buf *buf); /* empties, keeps the memory */

/* Append; LS_ELIMIT past the maximum (nothing is added then), LS_ENOMEM without memory. */
LS_MUST ls_code ls_buf_add(ls_buf *buf, const void *data, size_t len, ls_err *err);
LS_MUST ls_code ls_buf_addf(ls_buf *buf, ls_err *err, const char *fmt, ...) LS_PRINTF(3, 4);
LS_MUST ls_code ls_buf_vaddf(ls_buf *buf, ls_err *err, const char *fmt, va_list args)
    LS_PRINTF(3, 0);

/* Makes room for at least len more bytes behind buf->data + buf->len. */
LS_MUST ls_code ls_buf_reserve(ls_buf *buf, size_t len, ls_err *err);

/* The text, "" where nothing was added. Valid until the next change. */
const char *ls_buf_str(const ls_buf *buf);

/* Hands the memory to the caller (free()), leaves the buffer empty; NULL without memory. */
char *ls_buf_steal(ls_buf *buf);

#endif
