/*
 * What is known of all databases at one moment, and what happened lately. Made by the feed's
 * threads, then read by the screen and never changed; whoever drops the last reference frees it.
 *
 * It is read from what a daemon answers, of which nothing is believed: counts are bounded, texts
 * and numbers that are no such are absent, and an answer of another shape is an error.
 */
#ifndef LS_TUI_FLEET_H
#define LS_TUI_FLEET_H

#include "engine/litestream.h"

#include <jansson.h>
#include <stdatomic.h>

#define FLEET_MAX_DBS 100000u
#define FLEET_MAX_JOBS 1024u
#define FLEET_MAX_EVENTS 2048u

/* The last minute in steps. */
#define SPARK_STEPS 12
#define SPARK_STEP_NS (5 * LS_SEC)

/* In the order in which they ask for attention; from DB_OTHER on they do not. */
typedef enum db_state {
    DB_ERROR,
    DB_STALLED,
    DB_BEHIND,
    DB_OTHER, /* a word that is not known here */
    DB_MISSING,
    DB_STOPPED,
    DB_OFFLINE, /* no daemon: the configuration alone is known */
    DB_ONCE,
    DB_OK
} db_state;

typedef struct fleet_db {
    char *path, *status, *replica_type, *replica_url, *meta_path; /* owned; "" if not known */
    db_state state;
    ls_txid txid, replica_txid;
    uint64_t db_size, wal_size, captured;
    int64_t lag_ms;
    /* Times are ms since 1970, -1: never, or not known. */
    int64_t last_sync_ms, last_checkpoint_ms, last_snapshot_ms, next_snapshot_ms, levels_ms;
    size_t level_files[LS_LTX_LEVEL_MAX + 1];
    uint64_t level_bytes[LS_LTX_LEVEL_MAX + 1];
    char *doing; /* "upload"; NULL: nothing runs; owned */
    int64_t doing_since_ms;
    char *error, *hint; /* of a row that has not ended; NULL: none; owned */
    uint64_t error_count;
    int64_t error_since_ms;
    ls_last_verify verified;     /* of its replica; any is false: never, or not known */
    uint64_t spark[SPARK_STEPS]; /* bytes captured, the present step last */
} fleet_db;

typedef struct fleet_job {
    uint64_t id;
    char *kind, *path, *output, *status; /* owned; output "" without one */
    bool active;                         /* queued or running */
    int64_t queued_ms, started_ms, ended_ms;
    ls_restore_progress progress;
    char *error, *hint; /* owned; NULL: none */
    char *result;       /* in words; owned; NULL: none yet */
    bool good;          /* what it found is well */
} fleet_job;

typedef struct fleet {
    atomic_int refs;
    fleet_db *dbs; /* owned, in the order of the configuration */
    size_t n, cap;
    fleet_job *jobs; /* owned, the oldest first */
    size_t n_jobs, cap_jobs;
    bool live; /* a daemon said it; else it is from a configuration and local files */
    char version[32];
    int64_t pid;
    uint64_t last_event; /* the newest whose outcome is in here; 0: not known */
    int64_t now_ms;      /* by the daemon's clock when it was made */
    int64_t taken_ns;    /* the same moment by the monotonic clock */
} fleet;

LS_MUST fleet *fleet_new(void); /* one reference; NULL without memory */
fleet *fleet_ref(fleet *f);
void fleet_unref(fleet *f); /* NULL allowed */

/* While it is made: a database with a path, its times not known. NULL after an error. */
fleet_db *fleet_add(fleet *f, const char *path, ls_err *err);

/* What the daemon answers to GET /databases, /jobs and /info. LS_EREMOTE: not understood. */
LS_MUST ls_code fleet_read_databases(fleet *f, const json_t *answer, ls_err *err);
LS_MUST ls_code fleet_read_jobs(fleet *f, const json_t *answer, ls_err *err);
LS_MUST ls_code fleet_read_info(fleet *f, const json_t *answer, ls_err *err);

/* Carries the last minute over from the fleet before (NULL: none), and adds what was captured
 * since. now->taken_ns is set. */
void fleet_carry(fleet *now, const fleet *before);

/* Looks up when each replica was verified last, in files beside the database: not of more than
 * FLEET_VERIFIED_MAX databases, as that would be as many files each time. */
#define FLEET_VERIFIED_MAX 500u
void fleet_look_up(fleet *f);

/* The number of a database, or n. */
size_t fleet_find(const fleet *f, const char *path);
/* A job by its number; NULL if there is none. */
const fleet_job *fleet_job_of(const fleet *f, uint64_t id);
/* The newest job of a database that has not ended; NULL if there is none. */
const fleet_job *fleet_active_job(const fleet *f, const char *path);

/* How many transactions the replica lacks. */
uint64_t fleet_behind(const fleet_db *db);

/* ---- what happened ---- */

typedef struct happening {
    atomic_int refs;
    uint64_t number;
    char kind[16];
    int64_t at_ms;
    int level; /* -1: none */
    ls_txid min_txid, max_txid;
    uint64_t bytes;
    char *path, *text; /* owned */
} happening;

/* An event as the daemon sends it. NULL after an error. */
happening *happening_read(const json_t *event, ls_err *err);
happening *happening_ref(happening *h);
void happening_unref(happening *h); /* NULL allowed */

/* At most FLEET_MAX_EVENTS, the oldest first. */
typedef struct happenings {
    atomic_int refs;
    size_t n;
    happening *all[];
} happenings;

/* Those of before (NULL: none) and n more, the oldest let go. NULL without memory. */
happenings *happenings_new(const happenings *before, happening *const *more, size_t n);
happenings *happenings_ref(happenings *h);
void happenings_unref(happenings *h); /* NULL allowed */

#endif
