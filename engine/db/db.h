/*
 * A managed SQLite database: capture of its log into level-0 LTX files, and checkpoints.
 *
 * The rules that keep the chain of files sound are in doc/capture.md; each function here names the
 * one it carries out. An ls_db is used by one thread at a time (any thread); what may be
 * called beside it says so (snapshot.h writes a file in another thread).
 *
 * Files: database P, log as SQLite names it, meta directory dirname(P)/.basename(P)-litestream with
 * ltx/0/<txid>-<txid>.ltx (and ltx/9/ for a snapshot that a new page size forces).
 */
#ifndef LS_DB_DB_H
#define LS_DB_DB_H

#include "engine/base/cancel.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/log.h"
#include "engine/ltx/ltx.h"

#define LS_DB_HEADER 100 /* bytes that a database file begins with */

/* Is a file of that size and with that header all there? A header that does not know its number of
 * pages, or is none, is taken at its word: true. */
bool ls_db_header_complete(const uint8_t header[LS_DB_HEADER], int64_t size);

typedef struct ls_db ls_db;

/* Defaults are the reference's; 0 in a field that says so switches it off. */
typedef struct ls_db_opts {
    const char *path;            /* absolute */
    const char *meta_path;       /* NULL: beside the database */
    int64_t busy_timeout;        /* ns; 1 s */
    int64_t checkpoint_interval; /* ns; 1 min; 0: off */
    int min_checkpoint_page_n;   /* 1000; > 0 */
    int truncate_page_n;         /* 121359; 0: the default; < 0: off */
    int64_t max_sync_wal_bytes;  /* 64 MiB; one capture ends at the first commit past it; 0: none */
    const ls_clock *clock;       /* NULL: the system's */
    const ls_log *log;           /* may be NULL */
    const ls_cancel *cancel;     /* may be NULL; long captures stop with LS_ECANCELED */
} ls_db_opts;

#define LS_DB_MIN_CHECKPOINT_PAGE_N 1000
#define LS_DB_TRUNCATE_PAGE_N 121359
#define LS_DB_MAX_SYNC_WAL_BYTES (64LL << 20)

/* Defaults for path. */
ls_db_opts ls_db_opts_default(const char *path);

/* Copies opts; touches nothing on disk but leftovers (*.tmp) in the meta directory. LS_EINVALID for
 * options out of range. */
LS_MUST ls_code ls_db_new(const ls_db_opts *opts, ls_db **db, ls_err *err);

/* Checkpoints that a sync made. */
typedef enum ls_db_checkpoint_kind {
    LS_DB_PASSIVE,
    LS_DB_TRUNCATE,
    LS_DB_CHECKPOINTS
} ls_db_checkpoint_kind;

typedef struct ls_db_checkpoints {
    int done, failed; /* done: with the failed ones; that others kept it from copying all is none */
    int64_t ns;
} ls_db_checkpoints;

typedef struct ls_db_sync_result {
    ls_txid txid;       /* position after the sync; 0: nothing captured yet */
    int files;          /* level-0 files written */
    uint32_t page_size; /* of the database; 0: not known yet */
    uint64_t log_bytes; /* of the log captured; what a full file holds does not count */
    bool more;          /* the bound cut the capture: call again at once */
    /* The log holds frames that are not committed yet, and no change of a file will tell when they
     * are: look again soon. */
    bool pending;
    /* A checkpoint ended with a commit of our own, which the next sync captures: it is to come at
     * its time though nobody writes any more. */
    bool bumped;
    bool missing; /* the database does not exist (yet), or is still an empty file */
    /* Its files were replaced a moment ago: it is opened again when they have been left alone for
     * half a second. Comes with pending. */
    bool settling;
    ls_db_checkpoints checkpoints[LS_DB_CHECKPOINTS];
} ls_db_sync_result;

/* Opens the database if that is still to do, captures what was committed, checkpoints when a
 * threshold says so: one file, a second one if commits came while it checkpointed. Nothing new
 * costs six stats and four small reads. A missing database is no error. After an error the next
 * call starts from what is on disk. */
LS_MUST ls_code ls_db_sync(ls_db *db, ls_db_sync_result *result, ls_err *err);

/* More than this, and than min_checkpoint_page_n pages, is overdue. */
#define LS_DB_OVERDUE_BYTES (16LL << 20)
/* For who syncs seldom: should the next sync not wait, because the log has grown by so much since
 * the last one, or another database, log or index is there now? Costs five stats and a small read.
 */
LS_MUST ls_code ls_db_overdue(ls_db *db, bool *overdue, ls_err *err);

/* Final sync is the caller's; ends the read transaction, closes SQLite, then the file. NULL ok. */
void ls_db_free(ls_db *db);

const char *ls_db_path(const ls_db *db);
const char *ls_db_meta_path(const ls_db *db);
const char *ls_db_wal_path(const ls_db *db); /* path + "-wal" until SQLite was asked */
ls_txid ls_db_txid(const ls_db *db);         /* atomic: may be read from other threads */

/* Permissions of the files made for this database. */
LS_MUST ls_code ls_db_perm(const ls_db *db, ls_perm *perm, ls_err *err);

/* "<meta>/ltx/<level>/<min>-<max>.ltx", malloc'd; NULL without memory. */
LS_MUST char *ls_db_ltx_path(const ls_db *db, int level, ls_txid min, ls_txid max);

/* Tells capture that the replica's newest TXID is max and that the chain cannot be continued from
 * the local files (replica ahead, another lineage, or files missing): level 0 is emptied, the
 * position is max, and the next sync writes a full snapshot as max + 1. reason goes to the log. */
LS_MUST ls_code ls_db_rebase(ls_db *db, ls_txid max, const char *reason, ls_err *err);

/* Newest local level-0 TXID by file names alone, 0 if none; nothing is opened or verified. */
LS_MUST ls_code ls_db_local_txid(const char *meta_path, ls_txid *txid, ls_err *err);

/* Default meta path of a database path, malloc'd; NULL without memory. */
LS_MUST char *ls_db_default_meta_path(const char *path);

#endif
