/* The LTX header at the start of a stored file; see head.h. */
#include "backends/head.h"

ls_code ls_head_time(const uint8_t *head, size_t got, int64_t *ms, ls_err *err) {
    ls_ltx_header h;
    if (got < LS_LTX_HEADER_SIZE) {
        (void)ls_fail(err, LS_EFORMAT, "%s", got == 0 ? "EOF" : "unexpected EOF");
    } else if (ls_ltx_header_decode(head, &h, err) == LS_OK) {
        *ms = h.timestamp;
        return LS_OK;
    }
    return ls_wrap(err, "extract timestamp from LTX header");
}

ls_code ls_head_read(ls_reader *in, uint8_t head[LS_LTX_HEADER_SIZE], int64_t *ms, ls_err *err) {
    size_t got;
    ls_code code = ls_read_full(in, head, LS_LTX_HEADER_SIZE, &got, err);
    return code == LS_OK ? ls_head_time(head, got, ms, err) : code;
}

ls_code ls_head_exact(ls_storage *s, ls_ltx_info *file, ls_err *err) {
    uint8_t head[LS_LTX_HEADER_SIZE];
    ls_reader *in;
    ls_code code = s->ops->open(s, file, 0, sizeof head, &in, err);
    if (code == LS_OK) {
        code = ls_head_read(in, head, &file->created_ms, err);
        ls_reader_close(in);
    }
    return code;
}
