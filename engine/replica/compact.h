/*
 * Levels of a replica: files of level n-1 become one file of level n.
 *
 * Invariant: a file of level n starts at the TXID behind the newest file of level n, holds every
 * TXID up to the newest file of level n-1 that joins without a hole, and is written whole. Nothing
 * is deleted here. Pages are copied compressed. A single source is not merged: level n gets its
 * very bytes, by a copy inside the store where the store can (the first upload of a database, its
 * first compactions and its first snapshot are the same bytes).
 */
#ifndef LS_REPLICA_COMPACT_H
#define LS_REPLICA_COMPACT_H

#include "backends/storage.h"
#include "engine/base/cancel.h"
#include "engine/base/log.h"

typedef struct ls_compact_opts {
    int level;               /* to write: 1..8 */
    const char *local_root;  /* <meta>/ltx, whose files are read in place of the store's where name
                                and  header agree; NULL: the store's only */
    const char *spill_dir;   /* for temporary files; NULL: TMPDIR or /tmp */
    bool verify;             /* list the level afterwards and name holes and overlaps */
    const ls_cancel *cancel; /* may be NULL */
    const ls_log *log;       /* may be NULL */
} ls_compact_opts;

typedef struct ls_compact_result {
    ls_ltx_info file; /* max_txid 0: there was nothing to compact */
    size_t sources;
    bool copied;      /* by the store */
    uint64_t sent;    /* bytes */
    size_t bad_joins; /* found by verify */
} ls_compact_result;

/* Sources end before one that changes the page size (capture rule 7: a new base) and where
 * LS_COMPACT_BYTES_MAX is reached. LS_EGAP where the newest file of the level and the oldest source
 * do not join and no snapshot bridges them: names the TXIDs that are missing. */
#define LS_COMPACT_BYTES_MAX (1ull << 40)
LS_MUST ls_code ls_compact(ls_storage *s, const ls_compact_opts *opts, ls_compact_result *result,
                           ls_err *err);

/* Time of the newest file of a level, by which a schedule knows what is done; *any false: none. */
LS_MUST ls_code ls_compact_newest(ls_storage *s, int level, ls_ltx_info *newest, bool *any,
                                  ls_err *err);

#endif
