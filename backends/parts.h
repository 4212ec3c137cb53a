/*
 * A stream of which part after part is in memory, so that each can be sent again: what services
 * take in parts, or at once if one part is all. The stream begins with an LTX header. For the
 * stores alone.
 */
#ifndef LS_BACKENDS_PARTS_H
#define LS_BACKENDS_PARTS_H

#include "backends/storage.h"

#define LS_PARTS_ROOM 8192 /* bytes in front of a part and behind it that its user may fill */

typedef struct ls_parts {
    uint8_t *data; /* the current part */
    size_t len;
    uint64_t off;       /* of it in the stream */
    bool last;          /* nothing follows it */
    int64_t created_ms; /* of the LTX header */
    /* The rest is theirs. */
    ls_reader *in;
    uint8_t *buf;
    size_t max, head;
    uint8_t extra; /* the byte behind the part, if it is not the last */
    uint8_t header[LS_LTX_HEADER_SIZE];
} ls_parts;

/* Reads the header; LS_EFORMAT as of ls_head_read. Parts have at most max bytes. ls_parts_done in
 * any case. */
LS_MUST ls_code ls_parts_init(ls_parts *p, ls_reader *in, size_t max, ls_err *err);
void ls_parts_done(ls_parts *p);

/* The next part, of max bytes unless it is the last; at least one part comes. */
LS_MUST ls_code ls_parts_next(ls_parts *p, ls_err *err);

/* Makes parts larger from the next one on. LS_ENOMEM. */
LS_MUST ls_code ls_parts_grow(ls_parts *p, size_t max, ls_err *err);

#endif
