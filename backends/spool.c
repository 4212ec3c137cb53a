/* Files and streams as open files; see spool.h. */
#include "backends/spool.h"

#include "backends/head.h"
#include "engine/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK (256 * 1024)

static ls_code read_time(ls_spool *spool, const char *name, ls_err *err) {
    uint8_t head[LS_LTX_HEADER_SIZE];
    size_t got;
    ls_code code = ls_pread_full(spool->fd, head, sizeof head, 0, &got, name, err);
    return code == LS_OK ? ls_head_time(head, got, &spool->created_ms, err) : code;
}

ls_code ls_spool_file(const char *path, ls_spool *spool, ls_err *err) {
    struct stat st;
    *spool = (ls_spool){.fd = ls_open(path, O_RDONLY, 0)};
    if (spool->fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    ls_code code = LS_OK;
    if (fstat(spool->fd, &st) == 0) {
        spool->size = (uint64_t)st.st_size;
        code = read_time(spool, path, err);
    } else {
        code = ls_fail_errno(err, errno, "stat %s", path);
    }
    if (code != LS_OK) {
        ls_spool_close(spool);
    }
    return code;
}

static ls_code open_unlinked(int *fd, ls_err *err) {
    const char *env = getenv("TMPDIR");
    const char *dir = env != NULL && env[0] != '\0' ? env : "/tmp";
    *fd = ls_open(dir, O_RDWR | O_TMPFILE, 0600);
    if (*fd >= 0) {
        return LS_OK;
    }
    char *path = ls_asprintf("%s/litestream-XXXXXX", dir);
    if (path == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a temporary file");
    }
    *fd = mkostemp(path, O_CLOEXEC);
    ls_code code = LS_OK;
    if (*fd < 0) {
        (void)ls_fail_errno(err, errno, "create a temporary file in %s", dir);
        code = ls_hint(err, "set TMPDIR to a folder that can be written to");
    } else {
        (void)unlink(path);
    }
    free(path);
    return code;
}

static ls_code copy_all(ls_reader *in, int fd, uint64_t *size, ls_err *err) {
    char *buf = malloc(CHUNK);
    if (buf == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to copy a stream");
    }
    ls_code code = LS_OK;
    size_t got = 1;
    while (code == LS_OK && got > 0) {
        code = ls_read_full(in, buf, CHUNK, &got, err);
        if (code == LS_OK && got > 0) {
            code = ls_write_full(fd, buf, got, "a temporary file", err);
            *size += got;
        }
    }
    free(buf);
    return code;
}

ls_code ls_spool_stream(ls_reader *in, ls_spool *spool, ls_err *err) {
    *spool = (ls_spool){.fd = -1};
    ls_code code = open_unlinked(&spool->fd, err);
    if (code != LS_OK) {
        return code;
    }
    code = copy_all(in, spool->fd, &spool->size, err);
    if (code == LS_OK) {
        code = read_time(spool, "a temporary file", err);
    }
    if (code != LS_OK) {
        ls_spool_close(spool);
    }
    return code;
}

void ls_spool_close(ls_spool *spool) {
    (void)close(spool->fd);
    spool->fd = -1;
}
