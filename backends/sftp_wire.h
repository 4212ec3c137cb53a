/*
 * SFTP version 3 as packets over a byte stream, with the extensions of OpenSSH that a store needs.
 *
 * Each call sends one or several requests and takes all their answers, so that between calls
 * nothing is under way. Reads and writes are cut into pieces of LS_SFTP_PIECE bytes, up to
 * LS_SFTP_PIECES of them sent before the first answer is waited for: a slow line is filled. What a
 * server sends is believed in nothing: lengths, ids and counts are checked. After an answer that
 * makes no sense, and after an error of the stream, the session is broken and each call fails.
 *
 * One session is used by one thread at a time.
 */
#ifndef LS_BACKENDS_SFTP_WIRE_H
#define LS_BACKENDS_SFTP_WIRE_H

#include "engine/base/buf.h"

#include <stdint.h>

#define LS_SFTP_PIECE 32768u
#define LS_SFTP_PIECES 32u
#define LS_SFTP_CHUNK (LS_SFTP_PIECES * LS_SFTP_PIECE) /* most bytes of one read or write */
#define LS_SFTP_HANDLE_MAX 256u                        /* by the protocol */

/* The stream below: all bytes or an error, which names the server. */
typedef struct ls_sftp_stream ls_sftp_stream;
struct ls_sftp_stream {
    ls_code (*send)(ls_sftp_stream *s, const void *data, size_t len, ls_err *err);
    ls_code (*recv)(ls_sftp_stream *s, void *data, size_t len, ls_err *err);
    void (*close)(ls_sftp_stream *s);
};

typedef struct ls_sftp {
    ls_sftp_stream *stream;
    uint32_t next_id;
    uint32_t answered_id, answered; /* which of the requests before that id were answered */
    bool broken;
    bool posix_rename, fsync, copy_data; /* what the server can do beside version 3 */
    ls_buf out, in;
} ls_sftp;

typedef struct ls_sftp_handle {
    uint8_t data[LS_SFTP_HANDLE_MAX];
    uint32_t len;
} ls_sftp_handle;

typedef struct ls_sftp_attrs {
    uint64_t size;
    int64_t mtime; /* seconds since 1970 */
    bool is_file;  /* as far as the server tells */
} ls_sftp_attrs;

/* Takes stream over, also if it fails. */
LS_MUST ls_code ls_sftp_init(ls_sftp *s, ls_sftp_stream *stream, ls_err *err);
void ls_sftp_done(ls_sftp *s);

/* Errors of the server: LS_ENOTFOUND, LS_EPERM, LS_EEXISTS, LS_EUNSUPPORTED, else LS_EREMOTE; they
 * name the path. Those of the stream: LS_EREMOTE, and broken is set. */
typedef enum ls_sftp_mode {
    LS_SFTP_READ,
    LS_SFTP_CREATE, /* or made empty */
    LS_SFTP_WRITE,  /* exists, and keeps what it holds */
} ls_sftp_mode;
LS_MUST ls_code ls_sftp_open(ls_sftp *s, const char *path, ls_sftp_mode mode, ls_sftp_handle *h,
                             ls_err *err);
LS_MUST ls_code ls_sftp_opendir(ls_sftp *s, const char *path, ls_sftp_handle *h, ls_err *err);
void ls_sftp_close(ls_sftp *s, const ls_sftp_handle *h); /* of what was only read or is given up */
LS_MUST ls_code ls_sftp_stat(ls_sftp *s, const char *path, ls_sftp_attrs *attrs, ls_err *err);
LS_MUST ls_code ls_sftp_mkdir(ls_sftp *s, const char *path, ls_err *err);
LS_MUST ls_code ls_sftp_remove(ls_sftp *s, const char *path, ls_err *err);
void ls_sftp_discard(ls_sftp *s, const char *path); /* the same, if it can be done */
/* Not onto an existing file. */
LS_MUST ls_code ls_sftp_rename(ls_sftp *s, const char *from, const char *to, ls_err *err);
/* Onto an existing file too; only with posix_rename. */
LS_MUST ls_code ls_sftp_replace(ls_sftp *s, const char *from, const char *to, ls_err *err);

/* At most LS_SFTP_CHUNK bytes. *got < len is no end; *got == 0 is. */
LS_MUST ls_code ls_sftp_read(ls_sftp *s, const ls_sftp_handle *h, uint64_t off, void *buf,
                             size_t len, size_t *got, ls_err *err);
/* At most LS_SFTP_CHUNK bytes; one_by_one: each piece is acknowledged before the next is sent. */
LS_MUST ls_code ls_sftp_write(ls_sftp *s, const ls_sftp_handle *h, uint64_t off, const void *data,
                              size_t len, bool one_by_one, ls_err *err);
/* Sets the time (seconds since 1970), has the server write the file to its disk where it can, and
 * closes, in one go. h is closed also if it fails. */
LS_MUST ls_code ls_sftp_finish(ls_sftp *s, const ls_sftp_handle *h, int64_t mtime, ls_err *err);
/* Copies on the server; only with copy_data. */
LS_MUST ls_code ls_sftp_copy(ls_sftp *s, const ls_sftp_handle *from, const ls_sftp_handle *to,
                             uint64_t off, uint64_t len, ls_err *err);

/* Gives some entries of a folder, "." and ".." among them, in no order. */
typedef ls_code (*ls_sftp_entry_fn)(void *arg, const char *name, const ls_sftp_attrs *attrs,
                                    ls_err *err);
LS_MUST ls_code ls_sftp_readdir(ls_sftp *s, const ls_sftp_handle *h, ls_sftp_entry_fn fn, void *arg,
                                bool *end, ls_err *err);

#endif
