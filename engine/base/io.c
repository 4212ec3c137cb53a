/*
 * Readers of descriptors and memory, writers to descriptors and buffers.
 */
#include "engine/base/io.h"

#include "engine/base/buf.h"
#include "engine/base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ls_code ls_read_full(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    *got = 0;
    while (*got < len) {
        size_t n = 0;
        ls_code code = r->read(r, (char *)buf + *got, len - *got, &n, err);
        if (code != LS_OK) {
            return code;
        }
        if (n == 0) {
            break;
        }
        *got += n;
    }
    return LS_OK;
}

void ls_reader_close(ls_reader *r) {
    if (r != NULL && r->close != NULL) {
        r->close(r);
    }
}

typedef struct fd_reader {
    ls_reader base;
    int fd;
    bool own;
    const char *name;
} fd_reader;

static ls_code fd_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    fd_reader *f = (fd_reader *)r;
    ssize_t n;
    do {
        n = read(f->fd, buf, len);
    } while (n < 0 && errno == EINTR);
    *got = n < 0 ? 0 : (size_t)n;
    return n < 0 ? ls_fail_errno(err, errno, "read %s", f->name) : LS_OK;
}

static void fd_close(ls_reader *r) {
    fd_reader *f = (fd_reader *)r;
    if (f->own) {
        close(f->fd);
    }
    free(f);
}

ls_reader *ls_fd_reader_new(int fd, bool own, const char *name) {
    fd_reader *f = malloc(sizeof *f);
    if (f == NULL) {
        if (own) {
            close(fd);
        }
        return NULL;
    }
    *f = (fd_reader){
        .base = {.read = fd_read, .close = fd_close}, .fd = fd, .own = own, .name = name};
    return &f->base;
}

typedef struct mem_reader {
    ls_reader base;
    const char *data;
    size_t left;
} mem_reader;

static ls_code mem_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    (void)err;
    mem_reader *m = (mem_reader *)r;
    *got = len < m->left ? len : m->left;
    if (*got > 0) {
        memcpy(buf, m->data, *got);
        m->data += *got;
        m->left -= *got;
    }
    return LS_OK;
}

static void mem_close(ls_reader *r) { free(r); }

ls_reader *ls_mem_reader_new(const void *data, size_t len) {
    mem_reader *m = malloc(sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    *m = (mem_reader){.base = {.read = mem_read, .close = mem_close}, .data = data, .left = len};
    return &m->base;
}

static ls_code fd_write(ls_writer *w, const void *buf, size_t len, ls_err *err) {
    ls_fd_writer *f = (ls_fd_writer *)w;
    ls_code code = ls_write_full(f->fd, buf, len, f->name, err);
    if (code == LS_OK) {
        f->written += len;
    }
    return code;
}

void ls_fd_writer_init(ls_fd_writer *w, int fd, const char *name) {
    *w = (ls_fd_writer){.base = {.write = fd_write}, .fd = fd, .name = name};
}

static ls_code buf_write(ls_writer *w, const void *buf, size_t len, ls_err *err) {
    return ls_buf_add(((ls_buf_writer *)w)->buf, buf, len, err);
}

void ls_buf_writer_init(ls_buf_writer *w, struct ls_buf *buf) {
    *w = (ls_buf_writer){.base = {.write = buf_write}, .buf = buf};
}
