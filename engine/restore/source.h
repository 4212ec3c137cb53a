/*
 * One planned LTX file opened for rebuilding: header and tail checked, page index and frames each
 * as a stream of their own. A small file is one read; a large one is its end, its index where that
 * does not fit in the end, and its frames. A read that breaks or ends early goes on where it broke
 * (backends/resume.h). Used by rebuild.c.
 */
#ifndef LS_RESTORE_SOURCE_H
#define LS_RESTORE_SOURCE_H

#include "backends/storage.h"
#include "engine/ltx/index.h"

typedef struct ls_source {
    ls_ltx_info info;
    char key[LS_STORAGE_KEY_SIZE]; /* names the file in errors */
    uint8_t header_bytes[LS_LTX_HEADER_SIZE];
    ls_ltx_header header;
    ls_ltx_tail tail;
    ls_ltx_index_iter *index;
    ls_reader *frames; /* at the first frame */
    /* private */
    const ls_cancel *cancel;
    ls_reader *index_in;
    uint8_t *block; /* the file's last block_len bytes */
    size_t block_len;
} ls_source;

/* Opens a file and checks what can be checked without its pages. Errors do not name the file yet.
 * src is to be closed whatever is returned. */
LS_MUST ls_code ls_source_open(ls_source *src, ls_storage *s, const ls_ltx_info *info,
                               const ls_cancel *cancel, ls_err *err);

/* Reads exactly len bytes of the frames. */
LS_MUST ls_code ls_source_read(ls_source *src, void *buf, size_t len, ls_err *err);

void ls_source_close(ls_source *src);

/* "invalid ltx file: ..." for what is too short to be one. */
LS_MUST ls_code ls_source_check_size(const ls_ltx_info *info, ls_err *err);

#endif
