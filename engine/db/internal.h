/*
 * What the files of engine/db share: the database object, the state of the chain, and the steps
 * that db.c puts in order. Nothing here is for other folders.
 *
 * Connections: R holds the long read transaction and runs nothing else (two handles, so that one
 * transaction can begin before the other ends); W works (checkpoints, the sequence bump); B is the
 * barrier (BEGIN IMMEDIATE); S reads a snapshot. All but the first R are opened when first needed.
 * The database file is opened once before SQLite opens it and closed after: closing any descriptor
 * of it drops every POSIX lock that the process has on it.
 */
#ifndef LS_DB_INTERNAL_H
#define LS_DB_INTERNAL_H

#include "engine/db/db.h"
#include "engine/db/snapshot.h"
#include "engine/wal/wal.h"

#include "engine/base/file.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>

/* Where the chain of level-0 files stands in the log (rule 1). */
typedef struct chain {
    bool known;         /* the fields below describe the log up to txid */
    uint32_t page_size; /* bytes */
    uint32_t commit;    /* pages in the database at txid */
    uint32_t salt1, salt2;
    ls_wal_pos end;    /* behind the last captured frame */
    ls_wal_pos copied; /* the log up to here is in the database file; offset 0: not known to be */
    int64_t timestamp; /* of the newest file, ms: times never go back */
} chain;

/* The files that the names of a database, its log and its index lead to; ino 0: none. */
typedef struct ls_db_names {
    struct {
        dev_t dev;
        ino_t ino;
    } file[3];
} ls_db_names;

/* The file that an object has open, or is about to open: see claim.c. */
typedef struct ls_db_claimed {
    bool held;
    dev_t dev;
    ino_t ino;
    struct ls_db *next; /* guarded by the lock of claim.c */
} ls_db_claimed;

struct ls_db {
    char *path;
    char *meta_path;
    char *wal_path;
    char *shm_path; /* of the log's index; NULL until SQLite was asked */
    ls_db_opts opts;
    ls_perm perm;

    sqlite3 *r[2]; /* r[cur] holds the read transaction */
    int cur;
    sqlite3 *w, *b;
    ls_db_claimed claim;
    int db_fd, wal_fd; /* -1: closed */
    int index_fd;      /* the wal-index; carries SQLite's locks, so closed after every handle */
    bool log_noted;    /* the log was there before SQLite opened it */
    dev_t shm_dev;     /* the log's index, whose locks only count in that file */
    ino_t shm_ino;     /* 0: there was none */
    bool opened;
    bool barrier; /* B holds the write lock */

    /* Rule 3: R was held without a break since everything up to its own begin was captured. */
    bool pinned;
    /* A commit of a restarted log was captured under the present R: no second restart can be. */
    bool successor;
    /* R began in the log that follows the captured one, at a frame that is not captured yet: that
     * log cannot be restarted or emptied before it is. */
    struct {
        bool held;
        uint32_t salt1, salt2;
    } next_log;

    chain chain;
    _Atomic ls_txid txid;
    uint32_t file_page_size; /* of the newest level-0 file, 0 if there is none (rule 7) */

    bool rebase; /* the next file is a full one as rebase_max + 1, replacing all others */
    ls_txid rebase_max;
    char full_reason[160]; /* why the next file is a full one */
    char last_reason[160]; /* why the last full one was, "" after an incremental file */
    const char *replaced;  /* static text: why what was open is no longer what is there */
    ls_db_names names;     /* of a database that was replaced, as last seen */
    int64_t names_mono;    /* ns: since when they have been like this */
    bool was_missing;

    /* Snapshot: what says so is guarded by snap_lock, as another thread writes the file. */
    pthread_mutex_t snap_lock;
    pthread_cond_t snap_left;
    ls_db_snapshot *snap; /* guarded: the one whose S lives, NULL */
    bool snap_reads;      /* guarded: its writer is at our descriptors */
    atomic_bool snap_cut; /* it is to leave them */

    ls_db_checkpoints checkpoints[LS_DB_CHECKPOINTS]; /* of the sync that runs */

    bool changed;            /* captured something since the last complete checkpoint */
    bool bumped;             /* the sequence was raised, and that is not captured yet */
    int64_t checkpoint_mono; /* ns: last checkpoint, or the opening */
    int64_t retry_mono;      /* ns: no page-count checkpoint before this moment */
};

/* conn.c: SQLite handles */
/* For reading: nothing is set that would load the schema. */
LS_MUST ls_code ls_db_conn_open(ls_db *db, sqlite3 **out, ls_err *err);
LS_MUST ls_code ls_db_conn_exec(sqlite3 *h, const char *sql, const char *what, ls_err *err);
LS_MUST ls_code ls_db_conn_int(sqlite3 *h, const char *sql, int64_t *value, ls_err *err);
LS_MUST ls_code ls_db_conn_fail(ls_err *err, sqlite3 *h, int rc, const char *what);
/* Opens the handle where *slot is NULL. */
LS_MUST ls_code ls_db_read_begin(ls_db *db, sqlite3 **slot, ls_err *err);
/* Ends whatever transaction the handle has; *slot is NULL after it where only closing did. */
void ls_db_read_end(sqlite3 **slot);
bool ls_db_read_held(sqlite3 *h);
LS_MUST ls_code ls_db_barrier_begin(ls_db *db, ls_err *err);
void ls_db_barrier_end(ls_db *db);
LS_MUST ls_code ls_db_seq_bump(ls_db *db, ls_err *err);
LS_MUST ls_code ls_db_work_conn(ls_db *db, sqlite3 **out, ls_err *err);
/* Closes every handle but the one that holds the read transaction: a database that nobody writes to
 * needs no other, and each takes memory. They are opened again when they are needed. */
void ls_db_close_spare(ls_db *db);

/* claim.c: no two objects have one file open. Before anything of it is opened; LS_EBUSY: another
 * object has it. ls_db_unclaim after everything was closed. */
LS_MUST ls_code ls_db_claim(ls_db *db, bool *missing, ls_err *err);
void ls_db_unclaim(ls_db *db);

/* open.c: opening sequence and identity */
LS_MUST ls_code ls_db_open(ls_db *db, bool *missing, ls_err *err);
void ls_db_close(ls_db *db);
/* What the paths name, compared with what is open. */
typedef enum moved {
    MOVED_NOTHING,
    MOVED_LOG_GONE, /* and no other is there: nobody else can know what it held */
    MOVED_LOG,      /* or its index: others are or will be at another one */
    MOVED_FILE,     /* the database file is gone or another one */
} moved;
/* *why is a reason, NULL for MOVED_NOTHING. */
LS_MUST ls_code ls_db_identity(ls_db *db, moved *what, const char **why, ls_err *err);
/* What the names lead to now. */
ls_db_names ls_db_names_now(const ls_db *db);
/* Another database file was put in the place of the one that is open, and the log left beside it:
 * whoever opens them next would take the old log for the new database's. It is copied into the file
 * it belongs to and emptied, unless others are at it. */
void ls_db_empty_old_log(ls_db *db);
LS_MUST ls_code ls_db_wal_header(ls_db *db, ls_wal_header *hdr, ls_wal_state *state, ls_err *err);
LS_MUST ls_code ls_db_ensure_wal(ls_db *db, ls_err *err);

/* local.c: the level-0 files on disk */
typedef struct local_file {
    ls_txid min, max;
} local_file;
LS_MUST ls_code ls_db_local_newest(const char *meta_path, int level, local_file *newest,
                                   ls_err *err);
LS_MUST ls_code ls_db_local_remove_others(ls_db *db, ls_txid keep, ls_err *err);
/* Newest first: what a crash leaves is the beginning of the chain, never a chain with a hole. */
LS_MUST ls_code ls_db_local_remove_all(ls_db *db, ls_err *err);
/* Snapshots whose level-0 file was not written: that TXID may come to hold something else. */
LS_MUST ls_code ls_db_local_remove_unfinished(ls_db *db, ls_txid newest, ls_err *err);
LS_MUST ls_code ls_db_local_remove_tmp(const char *meta_path, ls_err *err);
LS_MUST ls_code ls_db_local_dir_make(ls_db *db, int level, ls_err *err);

/* logend.c: where SQLite takes the log to end */
LS_MUST ls_code ls_db_log_index(ls_db *db, ls_wal_index *index, ls_err *err);
/* The place behind the last committed frame. */
ls_wal_pos ls_db_index_end(const ls_wal_index *index);
/* The running checksum there as an LTX header's node id: it stands for every frame before (rule 1).
 */
static inline uint64_t ls_db_log_mark(const ls_wal_pos *end) {
    return (uint64_t)end->ck1 << 32 | end->ck2;
}
/* Bytes of the log that are committed and not captured. */
int64_t ls_db_index_ahead(const ls_db *db, const ls_wal_index *index);

/* chain.c: rebuilding the chain state at start (rule 1) */
LS_MUST ls_code ls_db_chain_load(ls_db *db, ls_err *err);

/* successor.c: the log that follows the captured one, for the next start (rule 1). To be written
 * when a checkpoint has restarted the log; failing costs a full file after a kill, and is logged.
 */
void ls_db_note_successor(ls_db *db);
/* Is the log with this header noted as what follows the newest file, of that TXID and log mark? */
LS_MUST ls_code ls_db_is_successor(ls_db *db, ls_txid txid, uint64_t mark, const ls_wal_header *hdr,
                                   bool *yes, ls_err *err);

/* ltxfile.c: writing one file of the chain, whole and durable (rule 8) */
typedef struct ltx_out ltx_out;
/* prev_commit: pages of the database before; the file must hold every page behind it. 0: unknown,
 * the caller writes all pages. */
LS_MUST ls_code ls_db_ltx_out_begin(ls_db *db, int level, const ls_ltx_header *header,
                                    uint32_t prev_commit, ltx_out **out, ls_err *err);
LS_MUST ls_code ls_db_ltx_out_page(ltx_out *out, uint32_t pgno, const uint8_t *page, ls_err *err);
LS_MUST ls_code ls_db_ltx_out_commit(ltx_out *out, ls_err *err); /* frees out whatever happens */
/* The same without making it durable: the file stays under its temporary name, *path. */
LS_MUST ls_code ls_db_ltx_out_leave(ltx_out *out, char **path, uint64_t *size, ls_err *err);
void ls_db_ltx_out_abort(ltx_out *out); /* NULL allowed */
/* The page of the database file, zeros behind its end. */
LS_MUST ls_code ls_db_file_page(ls_db *db, uint32_t pgno, uint32_t page_size, uint8_t *page,
                                ls_err *err);
/* Writes level 0 <txid> with the pages of level 9 1..<txid> (rule 7). */
LS_MUST ls_code ls_db_copy_snapshot(ls_db *db, ls_txid txid, ls_err *err);
int64_t ls_db_timestamp(ls_db *db);

/* capture.c: the log's new frames into one level-0 file (rules 2, 3, 6) */
typedef struct capture {
    bool wrote;
    bool at_end;     /* as far as could be seen nothing is left */
    bool proved;     /* everything committed when it looked is captured */
    bool pending;    /* frames without a commit stand behind what is captured */
    bool full;       /* what it wrote is a full file */
    uint32_t frames; /* captured */
} capture;
LS_MUST ls_code ls_db_capture(ls_db *db, int64_t max_bytes, capture *c, ls_err *err);
/* Until at_end, a bounded number of passes; LS_EBUSY if a writer keeps ahead. */
LS_MUST ls_code ls_db_capture_to_end(ls_db *db, capture *c, ls_err *err);

/* full.c: the whole database into one file (rules 3, 5, 7) */
LS_MUST ls_code ls_db_capture_full(ls_db *db, ls_err *err);
/* The moment a full file shows; a read transaction (R, S) that began there holds it. */
typedef struct moment {
    ls_wal_header hdr;
    bool has_log;   /* hdr, top and end are valid */
    ls_wal_pos top; /* what is before it is in the database file */
    ls_wal_pos end;
    uint32_t page_size, commit;
    bool in_file; /* the reader is at mark 0: every page is in the database file */
    bool broken;  /* frames behind the log's checksums count: it cannot be recovered */
} moment;
/* The log's frames up to the moment; *range stays NULL if the log was restarted since, which only
 * a wholly copied log allows. */
LS_MUST ls_code ls_db_moment_range(ls_db *db, const moment *m, ls_wal_range **range, ls_err *err);
LS_MUST ls_code ls_db_moment_page(ls_db *db, const moment *m, ls_wal_range *range, uint32_t pgno,
                                  uint8_t *buf, ls_err *err);
ls_ltx_header ls_db_moment_header(const moment *m, ls_txid min, ls_txid txid, int64_t timestamp);
void ls_db_full_because(ls_db *db, const char *fmt, ...) LS_PRINTF(2, 3);

/* snapshot.c (rule 5) */
/* Ends S and waits until nobody reads our descriptors: before any of them is closed. */
void ls_db_snapshot_cut(ls_db *db);

/* checkpoint.c (rule 4) */
typedef enum due {
    DUE_NOT,
    DUE_NOW,
    DUE_LATER, /* when more of the log is captured */
} due;
LS_MUST ls_code ls_db_checkpoint_due(ls_db *db, due *when, ls_err *err);
/* Captures, and checkpoints what was captured. Put off by locks of others it is no error; what was
 * captured until then is in c. */
LS_MUST ls_code ls_db_checkpoint(ls_db *db, capture *c, ls_err *err);
/* Captures the log that a checkpoint restarted, and holds it where it is captured to. At mark 0 R
 * lets nobody copy a frame: an application that checkpoints by itself would try, and sort the whole
 * log for it, at each of its commits. Put off by locks of others it is no error. */
LS_MUST ls_code ls_db_leave_mark_0(ls_db *db, capture *c, ls_err *err);
/* Size at which the log is to be cut; 0: never. */
int64_t ls_db_log_limit(const ls_db *db);
/* *complete: every frame of the log is in the database file. Another checkpointer at work is no
 * error. */
LS_MUST ls_code ls_db_passive(ls_db *db, bool *complete, ls_err *err);

int64_t ls_db_mono(const ls_db *db);

/* First attributes of every record about a database. */
#define LS_DB_NAMES(db_)                                                                           \
    LS_STR("system", "store"), LS_STR("db", ls_path_base((db_)->path)), LS_STR("path", (db_)->path)

#endif
