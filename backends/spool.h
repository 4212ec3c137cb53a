/*
 * What is put as an open file, for stores that read it more than once: a request is sent again when
 * its answer got lost. A local file is read where it is, a stream goes into an unlinked temporary
 * file first. For the stores alone.
 */
#ifndef LS_BACKENDS_SPOOL_H
#define LS_BACKENDS_SPOOL_H

#include "backends/storage.h"

typedef struct ls_spool {
    int fd; /* to be read by pread */
    uint64_t size;
    int64_t created_ms; /* of the LTX header */
} ls_spool;

/* LS_EFORMAT as of ls_head_time. ls_spool_close only after LS_OK. */
LS_MUST ls_code ls_spool_file(const char *path, ls_spool *spool, ls_err *err);

/* Reads in to its end, into a file in TMPDIR. */
LS_MUST ls_code ls_spool_stream(ls_reader *in, ls_spool *spool, ls_err *err);

void ls_spool_close(ls_spool *spool);

#endif
