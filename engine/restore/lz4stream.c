/*
 * LZ4 frames through liblz4's streaming decoder. It holds at most one block and its window (4 MiB
 * each by the format), whatever the length of the frame.
 */
#include "engine/restore/lz4stream.h"

#include <lz4frame.h>
#include <stdlib.h>

#define IN_CHUNK (64u * 1024)
#define OUT_CHUNK (256u * 1024)

typedef struct lz4_stream {
    LZ4F_dctx *dctx;
    ls_writer *out;
    uint8_t *in_buf, *out_buf;
    bool in_frame; /* a frame was begun and not ended */
    uint64_t size;
} lz4_stream;

static ls_code stream_init(lz4_stream *s, ls_err *err) {
    s->in_buf = malloc(IN_CHUNK);
    s->out_buf = malloc(OUT_CHUNK);
    if (s->in_buf == NULL || s->out_buf == NULL ||
        LZ4F_isError(LZ4F_createDecompressionContext(&s->dctx, LZ4F_VERSION))) {
        return ls_fail(err, LS_ENOMEM, "no memory to decompress");
    }
    return LS_OK;
}

static void stream_done(lz4_stream *s) {
    (void)LZ4F_freeDecompressionContext(s->dctx);
    free(s->in_buf);
    free(s->out_buf);
}

/* One step over *len bytes at p, of which *len are taken; *full: more may come out of them. */
static ls_code step(lz4_stream *s, const uint8_t *p, size_t *len, bool *full, ls_err *err) {
    size_t made = OUT_CHUNK;
    size_t rc = LZ4F_decompress(s->dctx, s->out_buf, &made, p, len, NULL);
    if (LZ4F_isError(rc)) {
        return ls_fail(err, LS_ECORRUPT, "lz4: %s", LZ4F_getErrorName(rc));
    }
    s->in_frame = rc != 0;
    s->size += made;
    *full = made == OUT_CHUNK;
    return made > 0 ? s->out->write(s->out, s->out_buf, made, err) : LS_OK;
}

static ls_code take(lz4_stream *s, size_t got, ls_err *err) {
    ls_code code = LS_OK;
    bool full = false;
    for (size_t pos = 0; code == LS_OK && (pos < got || full);) {
        size_t len = got - pos;
        code = step(s, s->in_buf + pos, &len, &full, err);
        pos += len;
        full = full && s->in_frame;
    }
    return code;
}

static ls_code decode(lz4_stream *s, ls_reader *in, const ls_cancel *cancel, ls_err *err) {
    bool any = false;
    for (;;) {
        size_t got;
        ls_code code = in->read(in, s->in_buf, IN_CHUNK, &got, err);
        if (code == LS_OK && ls_canceled(cancel)) {
            code = ls_fail(err, LS_ECANCELED, "canceled");
        }
        if (code != LS_OK) {
            return code;
        }
        if (got == 0) {
            break;
        }
        any = true;
        code = take(s, got, err);
        if (code != LS_OK) {
            return code;
        }
    }
    if (!any) {
        return ls_fail(err, LS_ECORRUPT, "empty");
    }
    return s->in_frame ? ls_fail(err, LS_ECORRUPT, "lz4: cut short after %llu bytes of content",
                                 (unsigned long long)s->size)
                       : LS_OK;
}

ls_code ls_lz4_stream_decode(ls_reader *in, ls_writer *out, const ls_cancel *cancel, uint64_t *size,
                             ls_err *err) {
    lz4_stream s = {.out = out};
    ls_code code = stream_init(&s, err);
    if (code == LS_OK) {
        code = decode(&s, in, cancel, err);
    }
    stream_done(&s);
    *size = s.size;
    return code;
}
