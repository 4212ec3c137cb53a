/*
 * Bytes in memory up to a limit and behind it in an unlinked file, which vanishes with its
 * descriptor, also in a crash.
 */
#include "engine/ltx/spill.h"

#include "engine/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_CAP 4096

/* For file systems without O_TMPFILE. */
static int open_and_unlink(const char *dir) {
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/.ltx-XXXXXX", dir);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

ls_code ls_ltx_tmp_open(const char *dir, int *fd, ls_err *err) {
    if (dir == NULL)
        dir = getenv("TMPDIR");
    if (dir == NULL || *dir == '\0')
        dir = "/tmp";
    *fd = ls_open(dir, O_TMPFILE | O_EXCL | O_RDWR, 0600);
    if (*fd < 0)
        *fd = open_and_unlink(dir);
    if (*fd < 0)
        return ls_fail_errno(err, errno, "create temporary file in %s", dir);
    return LS_OK;
}

void ls_ltx_spill_init(ls_ltx_spill *s, const char *dir) {
    *s = (ls_ltx_spill){.dir = dir, .fd = -1};
}

void ls_ltx_spill_done(ls_ltx_spill *s) {
    free(s->mem);
    if (s->fd >= 0)
        close(s->fd);
    ls_ltx_spill_init(s, s->dir);
}

static ls_code save(ls_ltx_spill *s, ls_err *err) {
    ls_code rc = s->fd >= 0 ? LS_OK : ls_ltx_tmp_open(s->dir, &s->fd, err);
    if (rc == LS_OK)
        rc = ls_pwrite_full(s->fd, s->mem, s->len, (int64_t)s->saved, "temporary file", err);
    if (rc != LS_OK)
        return rc;
    s->saved += s->len;
    s->len = 0;
    return LS_OK;
}

static ls_code make_room(ls_ltx_spill *s, ls_err *err) {
    if (s->cap == LS_LTX_SPILL_MAX)
        return save(s, err);
    size_t cap = s->cap == 0 ? FIRST_CAP : s->cap * 2;
    uint8_t *mem = realloc(s->mem, cap);
    if (mem == NULL)
        return ls_fail(err, LS_ENOMEM, "no memory for the page index");
    s->mem = mem;
    s->cap = cap;
    return LS_OK;
}

ls_code ls_ltx_spill_add(ls_ltx_spill *s, const void *data, size_t len, ls_err *err) {
    while (s->cap - s->len < len) {
        ls_code rc = make_room(s, err);
        if (rc != LS_OK)
            return rc;
    }
    memcpy(s->mem + s->len, data, len);
    s->len += len;
    return LS_OK;
}

ls_code ls_ltx_spill_read(const ls_ltx_spill *s, uint64_t off, void *buf, size_t len, size_t *got,
                          ls_err *err) {
    if (off < s->saved) {
        uint64_t left = s->saved - off;
        return ls_pread_full(s->fd, buf, left < len ? (size_t)left : len, (int64_t)off, got,
                             "temporary file", err);
    }
    uint64_t from = off - s->saved;
    *got = from >= s->len ? 0 : s->len - (size_t)from;
    if (*got > len)
        *got = len;
    if (*got > 0)
        memcpy(buf, s->mem + from, *got);
    return LS_OK;
}
