/*
 * Reads a part of an open file forward, whatever its file position. For engine/ltx and
 * engine/restore.
 */
#ifndef LS_LTX_AT_READER_H
#define LS_LTX_AT_READER_H

#include "engine/base/io.h"

/* Lives on the caller's stack; closes nothing. name must outlive it. */
typedef struct ls_at_reader {
    ls_reader base;
    int fd;
    uint64_t off;
    uint64_t left; /* bytes to be read at most */
    const char *name;
} ls_at_reader;

void ls_at_reader_init(ls_at_reader *r, int fd, uint64_t off, uint64_t len, const char *name);

#endif
