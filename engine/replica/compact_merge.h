/*
 * Reading the sources of a compaction: from local files where they are the store's, else from the
 * store over connections that may break. For compact.c.
 */
#ifndef LS_REPLICA_COMPACT_MERGE_H
#define LS_REPLICA_COMPACT_MERGE_H

#include "engine/replica/compact.h"
#include "engine/replica/joined.h"

/* A merged file that waits to be sent. */
typedef struct ls_compact_spool {
    char *path; /* a temporary file; owned */
    uint64_t size;
    ls_ltx_header header;
} ls_compact_spool;

/* Merges the sources, at least two. Where the page size changes among them nothing is made: they
 * are cut to those before, of which there may be one, sources->more is set, and *cut too. */
LS_MUST ls_code ls_compact_merge(ls_storage *s, const ls_compact_opts *opts, ls_joined *sources,
                                 ls_compact_spool *spool, bool *cut, ls_err *err);
void ls_compact_spool_done(ls_compact_spool *spool); /* removes the file */

/* Sends the bytes of a stored file from as file to. */
LS_MUST ls_code ls_compact_send(ls_storage *s, const ls_compact_opts *opts, const ls_ltx_info *from,
                                const ls_ltx_info *to, ls_ltx_info *out, ls_err *err);

#endif
