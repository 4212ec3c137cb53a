/* A stream in parts; see parts.h. One byte is read ahead: it tells whether a part is the last. */
#include "backends/parts.h"

#include "backends/head.h"

#include <stdlib.h>
#include <string.h>

ls_code ls_parts_init(ls_parts *p, ls_reader *in, size_t max, ls_err *err) {
    *p = (ls_parts){.in = in};
    ls_code code = ls_head_read(in, p->header, &p->created_ms, err);
    if (code == LS_OK) {
        p->head = sizeof p->header;
        code = ls_parts_grow(p, max, err);
    }
    return code;
}

void ls_parts_done(ls_parts *p) {
    free(p->buf);
    p->buf = NULL;
}

ls_code ls_parts_grow(ls_parts *p, size_t max, ls_err *err) {
    uint8_t *buf = malloc(max + 2 * LS_PARTS_ROOM);
    if (buf == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to send a part of %zu bytes", max);
    }
    free(p->buf);
    p->buf = buf;
    p->data = buf + LS_PARTS_ROOM;
    p->max = max;
    return LS_OK;
}

/* What was read ahead comes first: the header, or the byte behind the part before. */
static size_t take_ahead(ls_parts *p) {
    p->off += p->len;
    if (p->head > 0) {
        size_t n = p->head;
        memcpy(p->data, p->header, n);
        p->head = 0;
        return n;
    }
    p->data[0] = p->extra;
    return 1;
}

ls_code ls_parts_next(ls_parts *p, ls_err *err) {
    size_t got;
    size_t have = take_ahead(p);
    p->len = 0;
    ls_code code = ls_read_full(p->in, p->data + have, p->max - have, &got, err);
    if (code != LS_OK) {
        return code;
    }
    p->len = have + got;
    p->last = p->len < p->max;
    if (p->last) {
        return LS_OK;
    }
    code = ls_read_full(p->in, &p->extra, 1, &got, err);
    p->last = got == 0;
    return code;
}
