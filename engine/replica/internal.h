/*
 * Inside engine/replica: the object, what is known of the store, and the ends of LTX files.
 */
#ifndef LS_REPLICA_INTERNAL_H
#define LS_REPLICA_INTERNAL_H

#include "engine/replica/replica.h"

#include <stdatomic.h>

/* First and last bytes and size of an LTX file. The trailer holds the checksum of everything, the
 * header the time it was made at: files with equal ends are the same file. */
typedef struct ls_ends {
    uint64_t size;
    uint8_t head[LS_LTX_HEADER_SIZE];
    uint8_t tail[LS_LTX_TRAILER_SIZE];
} ls_ends;

/* file->size must be the store's. LS_ECORRUPT if the file is too short to be one. */
LS_MUST ls_code ls_ends_remote(ls_storage *s, const ls_ltx_info *file, ls_ends *ends, ls_err *err);

/* The same, read until two reads agree: before something is made of how they differ from others. A
 * network can spoil what it carries, and these bytes have no checksum of their own. */
LS_MUST ls_code ls_ends_surely(ls_storage *s, const ls_ltx_info *file, ls_ends *ends, ls_err *err);

/* The header's bytes alone; of any size. */
LS_MUST ls_code ls_read_head(ls_storage *s, const ls_ltx_info *file,
                             uint8_t head[LS_LTX_HEADER_SIZE], ls_err *err);

/* The same, until two reads agree. */
LS_MUST ls_code ls_read_head_surely(ls_storage *s, const ls_ltx_info *file,
                                    uint8_t head[LS_LTX_HEADER_SIZE], ls_err *err);

/* Of the local file of a level, whose header must be readable and hold the TXIDs of its name.
 * LS_ENOTFOUND if there is none, LS_ECORRUPT, LS_EFORMAT if it is damaged. */
LS_MUST ls_code ls_ends_local(const ls_db *db, const ls_ltx_info *file, ls_ends *ends,
                              ls_ltx_header *header, ls_err *err);

/* The same of a file by its path. */
LS_MUST ls_code ls_ends_path(const char *path, const ls_ltx_info *file, ls_ends *ends,
                             ls_ltx_header *header, ls_err *err);

bool ls_ends_equal(const ls_ends *a, const ls_ends *b);

/* Fills in size and time of a file at the store; *found is false where it is not (any more). */
LS_MUST ls_code ls_replica_stat(ls_storage *s, ls_ltx_info *file, bool *found, ls_err *err);

/* Does the local level-0 file hold every page of the database? */
LS_MUST ls_code ls_local_is_full(const ls_db *db, ls_txid txid, bool *full, ls_err *err);

/* What a probe found at the store. */
typedef struct ls_probe {
    bool done;
    ls_ltx_info newest;        /* file with the greatest MaxTXID, level 0 if it is there; else 0 */
    ls_ltx_header newest_head; /* its header */
    bool newest_bad;           /* that file cannot be read as LTX */
    ls_ltx_info l0;            /* newest level-0 file; MaxTXID 0: none */
    ls_ends l0_ends;
    bool l0_bad;
    bool hole;           /* the store cannot be restored to its newest TXID: */
    char hole_text[160]; /* why */
} ls_probe;

struct ls_replica {
    ls_db *db;           /* not owned */
    ls_storage *storage; /* owned */
    const ls_log *log;
    _Atomic(ls_txid) txid; /* newest on the replica */
    atomic_bool checked;
    atomic_bool probed;
    ls_probe probe;
    bool has_last; /* the store's level-0 file of txid is known to be there with this header */
    uint8_t last_head[LS_LTX_HEADER_SIZE];
    uint32_t page_size; /* of the chain at the store; 0: unknown */
    bool diverged;      /* an object with other bytes was met: why says which */
    ls_err why;
};

/* Attributes in front of those of every record of a replica. */
#define LS_REPLICA_ATTRS(r, ...)                                                                   \
    LS_ATTRS(LS_STR("system", "store"), LS_STR("db", ls_path_base(ls_db_path((r)->db))),           \
             LS_STR("replica", ls_storage_type((r)->storage)), __VA_ARGS__)

/* Is a local snapshot 1..txid (level 9) waiting to be uploaded? */
LS_MUST ls_code ls_replica_pending(const ls_replica *r, ls_txid txid, bool *pending, ls_err *err);

/* Makes that snapshot of the local level-0 file of txid, which must be full: the same pages, the
 * compressed bytes copied. */
LS_MUST ls_code ls_replica_make_base(const ls_replica *r, ls_txid txid, ls_err *err);

/* The same under a temporary name, *path, which is the caller's to remove and to free. */
LS_MUST ls_code ls_replica_write_base(const ls_db *db, ls_txid txid, char **path, ls_err *err);

/* Removes it. */
void ls_replica_drop_base(const ls_replica *r, ls_txid txid);

#endif
