/*
 * The files of one level that go on from a TXID without a hole: what a compaction reads.
 */
#ifndef LS_REPLICA_JOINED_H
#define LS_REPLICA_JOINED_H

#include "backends/storage.h"
#include "engine/base/cancel.h"

/* At most so many at a time; what is left is for the next compaction. */
#define LS_JOINED_MAX 65536

typedef struct ls_joined {
    ls_ltx_info *files; /* each joins the one before and leads further; owned */
    size_t n, cap;
    uint64_t bytes;
    bool more;        /* a bound was reached */
    ls_txid next_min; /* behind a hole the listing goes on here; 0: it does not */
} ls_joined;

void ls_joined_done(ls_joined *j);

/* Reads the level from MinTXID seek on and takes, beginning at cur + 1, of all files that join the
 * one that leads furthest, up to LS_JOINED_MAX files and bytes_max bytes. j is emptied first and to
 * be freed whatever is returned. */
LS_MUST ls_code ls_joined_list(ls_storage *s, int level, ls_txid seek, ls_txid cur,
                               uint64_t bytes_max, const ls_cancel *cancel, ls_joined *j,
                               ls_err *err);

/* The file of a level with the greatest MaxTXID, of those from MinTXID seek on; *any false: none.
 * Names of files that cannot exist are passed over. */
LS_MUST ls_code ls_level_newest(ls_storage *s, int level, ls_txid seek, ls_ltx_info *newest,
                                bool *any, ls_err *err);

/* Can a file of that name exist? */
static inline bool ls_ltx_info_sane(const ls_ltx_info *f) {
    return f->min_txid > 0 && f->min_txid <= f->max_txid;
}

#endif
