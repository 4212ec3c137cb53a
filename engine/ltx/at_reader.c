/*
 * See at_reader.h.
 */
#include "engine/ltx/at_reader.h"

#include "engine/base/file.h"

static ls_code at_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    ls_at_reader *a = (ls_at_reader *)r;
    if (len > a->left)
        len = (size_t)a->left;
    ls_code rc = ls_pread_full(a->fd, buf, len, (int64_t)a->off, got, a->name, err);
    if (rc != LS_OK)
        return rc;
    a->off += *got;
    a->left -= *got;
    return LS_OK;
}

void ls_at_reader_init(ls_at_reader *r, int fd, uint64_t off, uint64_t len, const char *name) {
    *r = (ls_at_reader){.base = {.read = at_read}, .fd = fd, .off = off, .left = len, .name = name};
}
