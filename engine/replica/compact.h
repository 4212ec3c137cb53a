/*
 * Levels of a replica: files of level n-1 become one file of level n.
 *
 * Invariant: a file of level n starts at the TXID behind the newest file of level n, holds every
 * TXID up to the newest file of level n-1 that joins without a hole, and is written whole. Nothing
 * is deleted here. Pages are copied compressed. A single source is not merged: level n gets its
 * very bytes, by a copy inside the store where the store can (the first upload of a database, its
 * first compactions and its first snapshot are the same bytes).
 *
 * Where files are missing behind the newest file of the level, the newest snapshot may bridge the
 * hole: the level then goes on with the first file that leads behind that snapshot. The level has a
 * hole there for good. A restore of what comes later begins with that snapshot or a newer one and
 * never looks at the hole; what is inside of it cannot be restored from this level.
 *
 * A merge goes to a temporary file and from there to the store, moved where the store is a folder
 * of the same file system. It costs the disk space of one compacted file, and for it a stream of
 * pages that was not proved to its end never reaches a store, no source is held open while a slow
 * store takes its time, the store knows the size before the first byte and can send again what
 * broke. Memory: that of ls_ltx_merge, and the list of sources, which is bounded.
 *
 * Local files stand in for the store's where their sizes are those of the listing and the newest of
 * them has the store's ends (header, trailer with the checksum of all). That one comparison is
 * enough: local files are one chain, so those before it went up from here too. Should one prove
 * damaged, the store's are read instead.
 */
#ifndef LS_REPLICA_COMPACT_H
#define LS_REPLICA_COMPACT_H

#include "backends/storage.h"
#include "engine/base/cancel.h"
#include "engine/base/log.h"

typedef struct ls_compact_opts {
    int level;               /* to write: 1..8 */
    ls_txid seek;            /* MinTXID of a file known to be in the level, where its listing may
                                begin; 0: all of it is listed */
    const char *local_root;  /* <meta>/ltx; NULL: files are read from the store only */
    const char *spill_dir;   /* for temporary files; NULL: TMPDIR or /tmp. In <meta> what a killed
                                process left goes when the database is opened the next time */
    bool verify;             /* list the level afterwards and name holes and overlaps */
    const ls_cancel *cancel; /* may be NULL */
    const ls_log *log;       /* may be NULL */
} ls_compact_opts;

typedef struct ls_compact_result {
    ls_ltx_info file; /* max_txid 0: there was nothing to compact */
    size_t sources;
    bool copied;      /* by the store */
    bool existed;     /* it was there already: the answer to an earlier put was lost */
    bool more;        /* sources are left that can be compacted at once */
    uint64_t sent;    /* bytes */
    size_t bad_joins; /* found by verify; holes that a snapshot bridges are none */
} ls_compact_result;

/* Sources end before one that changes the page size (capture rule 7: a new base) and where
 * LS_COMPACT_BYTES_MAX is reached. LS_EGAP where the newest file of the level and the oldest source
 * do not join and no snapshot bridges them: names the TXIDs that are missing. LS_EDIVERGED where
 * the level holds a file of that name with other contents. Nothing half-written stays. */
#define LS_COMPACT_BYTES_MAX (1ull << 40)
LS_MUST ls_code ls_compact(ls_storage *s, const ls_compact_opts *opts, ls_compact_result *result,
                           ls_err *err);

/* Lists a level (0..8) and logs a warning for each two files that do not join. */
LS_MUST ls_code ls_compact_verify(ls_storage *s, int level, const ls_log *log, size_t *bad_joins,
                                  ls_err *err);

/* The newest file of a level, by whose time a schedule knows what is done; *any false: none. */
LS_MUST ls_code ls_compact_newest(ls_storage *s, int level, ls_ltx_info *newest, bool *any,
                                  ls_err *err);

#endif
