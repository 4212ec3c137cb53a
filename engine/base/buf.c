/*
 * Growing byte buffer: doubles its memory up to the maximum, keeps a NUL behind the last byte.
 */
#include "engine/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ls_buf_init(ls_buf *buf, size_t max) {
    /* No object is larger than PTRDIFF_MAX; so len + 1, for the NUL, cannot wrap either. */
    *buf = (ls_buf){.max = max < PTRDIFF_MAX ? max : PTRDIFF_MAX - 1};
}

void ls_buf_done(ls_buf *buf) {
    free(buf->data);
    ls_buf_init(buf, buf->max);
}

void ls_buf_clear(ls_buf *buf) {
    buf->len = 0;
    if (buf->data != NULL) {
        buf->data[0] = '\0';
    }
}

ls_code ls_buf_reserve(ls_buf *buf, size_t len, ls_err *err) {
    if (len > buf->max - buf->len) {
        return ls_fail(err, LS_ELIMIT, "%zu bytes and %zu more exceed the maximum of %zu", buf->len,
                       len, buf->max);
    }
    size_t need = buf->len + len + 1;
    if (need <= buf->cap) {
        return LS_OK;
    }
    size_t cap = buf->cap < 64 ? 64 : buf->cap;
    while (cap < need) {
        cap = cap > SIZE_MAX / 2 ? need : cap * 2;
    }
    if (cap > buf->max + 1) {
        cap = buf->max + 1;
    }
    char *data = realloc(buf->data, cap);
    if (data == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a buffer of %zu bytes", cap);
    }
    data[buf->len] = '\0';
    buf->data = data;
    buf->cap = cap;
    return LS_OK;
}

ls_code ls_buf_add(ls_buf *buf, const void *data, size_t len, ls_err *err) {
    ls_code code = ls_buf_reserve(buf, len, err);
    if (code != LS_OK) {
        return code;
    }
    if (len > 0) {
        memcpy(buf->data + buf->len, data, len);
    }
    buf->len += len;
    buf->data[buf->len] = '\0';
    return LS_OK;
}

ls_code ls_buf_vaddf(ls_buf *buf, ls_err *err, const char *fmt, va_list args) {
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    if (n < 0) {
        return ls_fail(err, LS_EINVALID, "text cannot be formatted");
    }
    ls_code code = ls_buf_reserve(buf, (size_t)n, err);
    if (code != LS_OK) {
        return code;
    }
    (void)vsnprintf(buf->data + buf->len, (size_t)n + 1, fmt, args);
    buf->len += (size_t)n;
    return LS_OK;
}

ls_code ls_buf_addf(ls_buf *buf, ls_err *err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    ls_code code = ls_buf_vaddf(buf, err, fmt, args);
    va_end(args);
    return code;
}

const char *ls_buf_str(const ls_buf *buf) { return buf->data != NULL ? buf->data : ""; }

char *ls_buf_steal(ls_buf *buf) {
    char *data = buf->data != NULL ? buf->data : calloc(1, 1);
    ls_buf_init(buf, buf->max);
    return data;
}
