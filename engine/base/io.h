/*
 * Byte streams as small tables of operations: what reads and writes LTX data does not know whether
 * a file, a store or memory is behind it.
 */
#ifndef LS_BASE_IO_H
#define LS_BASE_IO_H

#include "engine/base/error.h"

#include <stdint.h>
#include <sys/types.h>

/* Reads forward. read() fills at most len bytes and sets *got; *got == 0 is the end. A short read
 * is no end. close() frees the reader itself; NULL where nothing is owned. */
typedef struct ls_reader ls_reader;
struct ls_reader {
    ls_code (*read)(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err);
    void (*close)(ls_reader *r);
};

/* Writes forward; write() takes all len bytes or fails. */
typedef struct ls_writer ls_writer;
struct ls_writer {
    ls_code (*write)(ls_writer *w, const void *buf, size_t len, ls_err *err);
};

/* Reads until len bytes are there or the stream ends; *got says how many. */
LS_MUST ls_code ls_read_full(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err);

/* Calls close() if there is one; NULL is allowed. */
void ls_reader_close(ls_reader *r);

/* A reader of an open file descriptor from its current position. With own, close() closes it. name
 * is used in errors and must outlive the reader. NULL without memory (own: fd is closed then). */
LS_MUST ls_reader *ls_fd_reader_new(int fd, bool own, const char *name);

/* A reader of len bytes of memory that must outlive it. NULL without memory. */
LS_MUST ls_reader *ls_mem_reader_new(const void *data, size_t len);

/* A writer to an open descriptor. Lives on the caller's stack; name must outlive it. */
typedef struct ls_fd_writer {
    ls_writer base;
    int fd;
    const char *name;
    uint64_t written; /* bytes */
} ls_fd_writer;
void ls_fd_writer_init(ls_fd_writer *w, int fd, const char *name);

/* A writer into an ls_buf. */
struct ls_buf;
typedef struct ls_buf_writer {
    ls_writer base;
    struct ls_buf *buf;
} ls_buf_writer;
void ls_buf_writer_init(ls_buf_writer *w, struct ls_buf *buf);

#endif
