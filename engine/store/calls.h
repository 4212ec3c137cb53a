/*
 * What other threads may ask of a running daemon: its control server, its metrics, its tests.
 *
 * Everything of a store belongs to the loop thread. A call is queued there, and the caller waits
 * for the answer; reads answer from what the loop knows and never touch a store or a database file.
 * A call that needs work (sync, stop, a snapshot) becomes jobs like any other, and its answer comes
 * when they have ended or its time is up: the work then goes on. After the last syncs have begun,
 * and before ls_store_run, every call is LS_ENOTREADY; calls that wait then return so too, at the
 * latest when ls_store_run does. The store is freed after the last caller has returned.
 */
#ifndef LS_STORE_CALLS_H
#define LS_STORE_CALLS_H

#include "engine/store/store.h"

typedef enum ls_db_status {
    LS_DB_REPLICATING, /* all is well */
    LS_DB_OPEN,        /* captured, but not replicated by itself (-once) */
    LS_DB_STOPPED,     /* by a stop call */
    LS_DB_MISSING,     /* the file does not exist yet */
    LS_DB_BEHIND,      /* the replica has been behind for longer than LS_STALL_NS */
    LS_DB_STALLED,     /* the log grew for that long without a capture */
    LS_DB_ERROR,       /* the last capture or upload failed, and so did those since; or another
                          writer holds the lease */
} ls_db_status;

/* "replicating", "open", "stopped", "missing", "behind", "stalled", "error". The reference's list
 * knows the first three only: ls_db_status_reference maps the others to "replicating". */
const char *ls_db_status_name(ls_db_status status);
const char *ls_db_status_reference(ls_db_status status);

/* How long a database may be behind, or its log grow, before that is an error. */
#define LS_STALL_NS (60 * LS_SEC)

typedef struct ls_level_state {
    int level;
    size_t files;
    uint64_t bytes;
    ls_txid first, last;
    int64_t oldest_ms, newest_ms;
    int64_t next_ms; /* next run; INT64_MAX: none planned */
} ls_level_state;

typedef struct ls_error_state {
    char *text, *hint; /* of the first of the row; NULL: none */
    uint64_t count;    /* in a row */
    int64_t since_ms, last_ms;
} ls_error_state;

/* Jobs of a database by lane; at most one of each runs. */
typedef struct ls_work_state {
    const char *what; /* "capture", "checkpoint"; "compare", "upload"; "compact", "snapshot",
                         "retain", ...; NULL: none runs */
    int64_t since_ms; /* when it began */
} ls_work_state;

typedef enum ls_checkpoint_mode {
    LS_CHECKPOINT_PASSIVE,
    LS_CHECKPOINT_RESTART,
    LS_CHECKPOINT_TRUNCATE,
    LS_CHECKPOINT_MODES
} ls_checkpoint_mode;

/* How often since the start, how many of them failed, and how long they took. */
typedef struct ls_count {
    uint64_t done, failed; /* done: with the failed ones */
    int64_t ns;
} ls_count;

/* Level-0 files on the replica, as the last run of retention found them. */
typedef struct ls_l0_state {
    bool any; /* false: it has not run yet */
    uint64_t eligible, not_compacted, too_recent;
} ls_l0_state;

/* A copy; ls_db_state_done frees what it owns. Times are ms since 1970, -1: never. */
typedef struct ls_db_state {
    char *path, *replica_type, *replica_url, *meta_path;
    ls_db_status status;
    ls_txid txid, replica_txid;
    uint64_t db_size, wal_size; /* bytes; wal_size: the part of the log that counts */
    uint32_t page_size;
    int64_t last_capture_ms, last_upload_ms,
        last_sync_ms; /* sync: replica known to be up to date */
    int64_t lag_ms;   /* age of the oldest commit that the replica lacks; 0: none */
    int64_t last_checkpoint_ms, last_snapshot_ms, next_snapshot_ms;
    ls_error_state capture_error, upload_error, maint_error;
    /* As the last listings that jobs made have found them, kept up with what was put there and
     * deleted since. */
    ls_level_state levels[LS_LTX_LEVEL_MAX + 1];
    int64_t levels_ms;       /* of the newest listing; -1: not all levels were listed yet */
    uint64_t captured_bytes; /* of log, since the start */
    ls_count captures, checkpoints[LS_CHECKPOINT_MODES];
    uint64_t compaction_verify_errors; /* since the start */
    ls_l0_state l0;
    bool disk_full;                       /* capture waits for space */
    ls_work_state capture, upload, maint; /* what runs now */
} ls_db_state;
void ls_db_state_done(ls_db_state *state);

/* All databases in the order in which they were added. */
LS_MUST ls_code ls_store_states(ls_store *store, ls_db_state **states, size_t *n, ls_err *err);
void ls_store_states_free(ls_db_state *states, size_t n);

/* Requests to stores since the start, by type of store and operation. */
typedef enum ls_store_op {
    LS_OP_PUT,
    LS_OP_GET,
    LS_OP_LIST,
    LS_OP_DELETE,
    LS_OP_COPY,
    LS_OPS,
} ls_store_op;
const char *ls_store_op_name(ls_store_op op); /* "PUT", "GET", "LIST", "DELETE", "COPY" */

/* Upper ends of the classes of duration, ms: 10 50 100 500 1000 5000 10000 30000 60000. */
#define LS_OP_BUCKETS 9
#define LS_ERROR_CODES (LS_EREMOTE + 1)

typedef struct ls_op_total {
    const char *replica_type; /* "file", "s3", ...; static */
    ls_store_op op;
    uint64_t count, bytes;
    int64_t ns;
    uint64_t within[LS_OP_BUCKETS];  /* took at most as long as the class says */
    uint64_t failed[LS_ERROR_CODES]; /* by ls_code */
} ls_op_total;

#define LS_OP_TOTALS_MAX (8 * LS_OPS)

typedef enum ls_queue { LS_QUEUE_LOCAL, LS_QUEUE_REMOTE, LS_QUEUE_MAINT, LS_QUEUES } ls_queue;
const char *ls_queue_name(ls_queue queue); /* "local", "remote", "maint" */

typedef struct ls_totals {
    ls_op_total ops[LS_OP_TOTALS_MAX]; /* only those that were used */
    size_t n_ops;
    size_t queued[LS_QUEUES], running[LS_QUEUES]; /* jobs now */
    uint64_t calls;                               /* of this header, answered since the start */
} ls_totals;
LS_MUST ls_code ls_store_totals(ls_store *store, ls_totals *totals, ls_err *err);

/* Opens the store of one database anew, by its configuration, for a job of the caller's own that
 * reads or verifies; nothing is contacted. ls_storage_free by the caller, before ls_store_free.
 * LS_ENOTFOUND. */
LS_MUST ls_code ls_store_storage(ls_store *store, const char *path, ls_storage **storage,
                                 ls_err *err);

/* One, by its absolute path. LS_ENOTFOUND "database not found: PATH". */
LS_MUST ls_code ls_store_state(ls_store *store, const char *path, ls_db_state *state, ls_err *err);

typedef struct ls_sync_answer {
    ls_txid before, txid; /* local */
    ls_txid replica_txid;
} ls_sync_answer;

/* Captures now; wait: and uploads. timeout_ns <= 0: none. LS_ENOTFOUND, LS_ENOTREADY "database not
 * open: PATH" for a stopped one, LS_ETIMEDOUT. Resets the pause after failures. */
LS_MUST ls_code ls_store_sync(ls_store *store, const char *path, bool wait, int64_t timeout_ns,
                              ls_sync_answer *answer, ls_err *err);

/* Starts a stopped database; *changed false: it ran already. */
LS_MUST ls_code ls_store_start_db(ls_store *store, const char *path, bool *changed, ls_txid *txid,
                                  ls_err *err);

/* Last sync of one database, then its handles are closed; it stays listed. */
LS_MUST ls_code ls_store_stop_db(ls_store *store, const char *path, int64_t timeout_ns,
                                 bool *changed, ls_txid *txid, ls_err *err);

/* Adds the one database of config, which is the store's from then on and left empty, whatever comes
 * of it. *changed false: the path was known already. LS_ECONFIG: it would share file, replica or
 * meta path with another one; LS_EBUSY: with one that is being removed. */
LS_MUST ls_code ls_store_register(ls_store *store, ls_config *config, bool *changed, ls_err *err);

/* Stops and forgets a database; an unknown path is no error. One of the configuration comes back
 * when that is read again. After a last sync that failed the database goes on. */
LS_MUST ls_code ls_store_unregister(ls_store *store, const char *path, int64_t timeout_ns,
                                    bool *changed, ls_txid *txid, ls_err *err);

/* Writes a level-9 snapshot of the present TXID, whatever the schedule says. */
LS_MUST ls_code ls_store_snapshot(ls_store *store, const char *path, int64_t timeout_ns,
                                  ls_txid *txid, ls_err *err);

/* How the configuration is read again: fills config, which is the store's then. Called on the loop
 * thread. */
typedef ls_code (*ls_reread)(void *arg, ls_config *config, ls_err *err);

/* Before ls_store_run; without it there is nothing to reload. */
void ls_store_set_reread(ls_store *store, ls_reread read, void *arg);

typedef struct ls_reload_counts {
    size_t added, removed, changed, kept; /* databases */
} ls_reload_counts;

/* Reads the configuration again, as SIGHUP does, and makes the running databases those that it
 * names: new ones start, missing ones stop after a last sync, changed ones are stopped and started.
 * Registered ones stay. The work goes on after the answer. After an error everything is as it was;
 * LS_EUNSUPPORTED: there is nothing to read. */
LS_MUST ls_code ls_store_reload(ls_store *store, ls_reload_counts *counts, ls_err *err);

/* ---- Events ---- */

typedef enum ls_event_kind {
    LS_EVENT_CAPTURE,
    LS_EVENT_UPLOAD,
    LS_EVENT_COMPACT,
    LS_EVENT_SNAPSHOT,
    LS_EVENT_DELETE,
    LS_EVENT_CHECKPOINT,
    LS_EVENT_ERROR,
    LS_EVENT_DATABASE, /* added, removed, started, stopped: text says which */
} ls_event_kind;
const char *ls_event_name(ls_event_kind kind);

typedef struct ls_event {
    uint64_t number; /* 1 and up */
    ls_event_kind kind;
    int64_t at_ms;
    char path[512]; /* cut where longer */
    int level;      /* -1: none */
    ls_txid min_txid, max_txid;
    uint64_t bytes;
    char text[256];
} ls_event;

/* The last LS_EVENTS_KEPT events are kept. Copies those behind number after (at most max) and waits
 * up to timeout_ns for the first; *n 0: none came. From any thread. */
#define LS_EVENTS_KEPT 1024
LS_MUST ls_code ls_store_events(ls_store *store, uint64_t after, ls_event *events, size_t max,
                                int64_t timeout_ns, size_t *n, ls_err *err);

/* Number of the newest event; 0 before the first. From any thread, at any time. */
uint64_t ls_store_last_event(ls_store *store);

#endif
