/*
 * Inside engine/store: the loop, the databases with their three lanes, and the watched folders.
 *
 * Everything here but what says "worker" belongs to the loop thread. A lane runs one job at a time:
 * the local lane has the ls_db (capture; comparison with local files), the remote lane the network
 * (reading the store, upload), the maint lane reads and writes the store and, by path, local files:
 * compaction, snapshots, retention. Each has a pool of its own. Jobs leave their outcome in their
 * lane; it is looked at on the loop thread after the job has ended, so no field needs a lock.
 */
#ifndef LS_STORE_INTERNAL_H
#define LS_STORE_INTERNAL_H

#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/db/snapshot.h"
#include "engine/replica/guard.h"
#include "engine/store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>
#include <uv.h>

#define LS_STORE_LOCAL_WORKERS 2
#define LS_STORE_REMOTE_WORKERS 4
#define LS_STORE_MAINT_WORKERS 4
/* The net under notices: every database is looked at this often. */
#define LS_STORE_SAFETY_NS (30 * LS_SEC)
/* A failure that goes on is logged at most this often. */
#define LS_STORE_LOG_NS (30 * LS_SEC)
/* Longest pause after failures: of uploads, and of captures, which cost no one else anything. */
#define LS_STORE_REMOTE_BACKOFF_NS (300 * LS_SEC)
#define LS_STORE_LOCAL_BACKOFF_NS (30 * LS_SEC)
/* A lock held by others is worth a line from this try on. */
#define LS_STORE_BUSY_TRIES 5
/* How long the first capture of a database without local files waits for the comparison with its
 * store, which may ask for another TXID to begin at. */
#define LS_STORE_HOLD_NS (2 * LS_SEC)
/* First pause after a notice with nothing behind it: most likely a commit is being written. */
#define LS_STORE_EMPTY_NS (2 * LS_MS)
/* A notice after as long without one begins anew with short pauses. */
#define LS_STORE_QUIET_NS (50 * LS_MS)
/* A wait of at least this long for a capture's turn is spent without notices. */
#define LS_STORE_REST_NS (10 * LS_MS)
/* Files of one upload job: what is left goes into the next, behind other databases. */
#define LS_STORE_UPLOAD_BATCH 64

typedef struct ls_entry ls_entry;
typedef struct ls_folder ls_folder;

/* A place where one job of a database runs at a time. */
typedef struct ls_lane {
    ls_job job;
    ls_entry *entry;
    void (*work)(ls_entry *e, struct ls_lane *lane); /* worker: sets rc and err */
    void (*done)(ls_entry *e, struct ls_lane *lane); /* loop */
    struct ls_lane *next;                            /* in the queue of ended jobs */
    bool busy;
    ls_code rc;
    ls_err err;
} ls_lane;

/* Failures in a row of one kind of work. */
typedef struct ls_trouble {
    int count;
    int64_t logged; /* when, 0: never */
} ls_trouble;

/* Kinds of maintenance; LS_JOB_LEVEL + n compacts into level n + 1. In a row: a lower one goes
 * first where several are due. */
enum {
    LS_JOB_LEVEL = 0,
    LS_JOB_SNAPSHOT = LS_CONFIG_LEVELS_MAX,
    LS_JOB_RETAIN,
    LS_JOB_RETAIN_L0,
    LS_JOB_VALIDATE,
    LS_JOBS,
};

typedef struct ls_maint_job {
    bool wanted;  /* something may be to do */
    bool first;   /* what the store holds is not known yet: look whether it is due */
    bool force;   /* a snapshot that is not asked whether it is due */
    int64_t next; /* monotonic ns: not before */
    ls_trouble trouble;
} ls_maint_job;

/* A snapshot that the database itself has to be read for, from wish to upload. */
typedef enum ls_snap_state {
    LS_SNAP_NONE,
    LS_SNAP_WANTED, /* the local lane is to begin it */
    LS_SNAP_BEGUN,  /* the maint lane is to write it */
    LS_SNAP_WRITTEN /* and to upload it, once level 0 is there up to its TXID */
} ls_snap_state;

/* What a job in the maint lane found. */
typedef struct ls_maint_found {
    bool early;         /* this period has its file already */
    bool more;          /* call again at once */
    bool wants_db;      /* a snapshot that must be read from the database */
    bool damaged;       /* a source at the store is, and auto-recover is on */
    ls_txid made;       /* newest TXID of the file that was made; 0: none */
    int64_t recheck_ms; /* in so many ms more can be deleted; < 0: not without new files */
} ls_maint_found;

typedef struct ls_maint {
    ls_lane lane;
    uv_timer_t timer;
    ls_maint_job jobs[LS_JOBS];
    int running; /* job in the lane, and what it was when it was wanted: */
    bool first, force;
    ls_maint_found found;
    ls_storage *storage; /* the replica's, guarded */
    ls_guard guard;
    char *local_root; /* <meta>/ltx */
    ls_snap_state snap_state;
    ls_db_snapshot *snap;
    ls_txid snap_txid;
    bool stale;   /* the comparison began anew: what the running job says does not count */
    bool resolve; /* the store is not what it was: compare again */
    bool foreign; /* it holds files of another writer */
    ls_err why;   /* of the two above */
    int rechecks; /* such comparisons without a success in between */
} ls_maint;

struct ls_entry {
    ls_store *store;
    const ls_db_config *config;
    ls_db *db;
    ls_replica *replica;
    bool monitored; /* monitor-interval > 0 */

    /* capture */
    ls_lane local;
    uv_timer_t capture_timer, checkpoint_timer, hold_timer, poll_timer, commit_timer;
    bool dirty;           /* something may be there to capture */
    bool fresh;           /* no local files and the store was not asked yet: look first */
    bool look;            /* what fresh was when the running capture began */
    bool looked;          /* it only looked, and there is a database */
    bool hold;            /* capture waits for the probe */
    int64_t next_capture; /* not before: interval after a file, pause after a failure */
    int64_t next_look;    /* not before either: pause after a capture that found nothing */
    int64_t next_measure; /* not before: of how far the log has grown while capture waits */
    bool stirred;         /* something changed since it was measured */
    bool overdue;         /* what the running measurement found */
    int64_t empty_wait;   /* the last such pause */
    int64_t capture_start;
    int64_t noticed;     /* when the last notice came */
    int64_t commit_wait; /* last pause while frames waited for their commit */
    ls_trouble capture_trouble;
    ls_db_sync_result result; /* of the last capture */
    bool found;               /* the database exists */

    /* upload */
    ls_lane remote;
    uv_timer_t remote_timer;
    bool wants_store;    /* there is something to upload, or to begin after */
    int64_t next_remote; /* not before */
    ls_txid from, upto;  /* of the running upload: it began behind from */
    ls_trouble remote_trouble;
    bool diverged; /* uploads have stopped */

    ls_maint maint;

    /* notices */
    char *wal; /* what the watch was set for */
    ls_folder *folders[2];
    bool resting;   /* a capture is to come, and notices tell nothing until then */
    bool unwatched; /* a folder of it has no watch: of the check that runs */
    bool polling;   /* no watch: looked at each monitor-interval */
    bool watch_warned;
    bool deaf;        /* notices were found not to arrive */
    bool by_poll;     /* the running capture was asked for by the safety poll only */
    bool unnoticed;   /* the safety poll found what no notice had told */
    uint64_t notices; /* since the last safety poll */

    /* last sync */
    bool finished;
    int attempts;
    int64_t final_start, final_next;
};

struct ls_store {
    const ls_config *config;
    const ls_log *log;
    ls_entry *entries;
    size_t n;
    ls_pool *local, *remote, *maint;

    uv_loop_t loop;
    bool loop_open, wake_open;
    uv_async_t wake;
    uv_timer_t safety;
    int64_t safety_interval; /* LS_STORE_SAFETY_NS but in tests */
    uv_signal_t sigint, sigterm, sighup;
    pthread_mutex_t mutex; /* guards ended */
    ls_lane *ended, **ended_tail;
    atomic_bool stop;

    ls_folder **folders; /* sorted by path */
    size_t n_folders, cap_folders;

    bool stopping; /* last syncs are under way */
    bool skip;     /* and are to be cut short */
    int64_t deadline;
    size_t unfinished;
    ls_cancel cancel;
    ls_cancel maint_cancel; /* maintenance is no part of the last syncs */
    uint64_t random;
    ls_err first_err; /* of a last sync */
};

int64_t ls_store_now(void); /* monotonic ns */

/* A number in [ns * 3/4, ns * 5/4): so that many databases do not try again in step. */
int64_t ls_store_jitter(ls_store *store, int64_t ns);

/* Gives a lane a job. */
void ls_lane_submit(ls_lane *lane, ls_pool *pool, void (*work)(ls_entry *, ls_lane *),
                    void (*done)(ls_entry *, ls_lane *));

/* Attributes of every record about a database. */
#define LS_ENTRY_ATTRS(e, ...)                                                                     \
    LS_ATTRS(LS_STR("system", "store"), LS_STR("db", ls_path_base(ls_db_path((e)->db))),           \
             __VA_ARGS__)

/* ---- entry.c: when the jobs of a database run ---- */

LS_MUST ls_code ls_entry_init(ls_entry *e, ls_store *store, const ls_db_config *config,
                              ls_err *err);
void ls_entry_start(ls_entry *e);  /* the first look at it */
void ls_entry_notice(ls_entry *e); /* its files changed */
void ls_entry_safety(ls_entry *e); /* the safety poll */
void ls_entry_pump(ls_entry *e);   /* starts what may run now, arms timers for what may later */
void ls_entry_polling(ls_entry *e, bool on);
void ls_entry_quiet(ls_entry *e); /* stops its timers */
void ls_entry_close(ls_entry *e); /* closes its handles; memory stays until the loop ran */
void ls_entry_done(ls_entry *e);  /* frees what it owns */

/* Counts a failure; returns the pause before the next try, between interval and max. A lock that
 * others hold is no failure until it lasts, and needs no longer pauses. */
int64_t ls_entry_failed(ls_entry *e, ls_trouble *t, const char *msg, int64_t interval, int64_t max,
                        const ls_lane *lane);
/* Only a failure that was logged is told to be over. */
void ls_entry_recovered(ls_entry *e, ls_trouble *t, const char *msg);
/* The store is another writer's as well: uploads stop. err says why. */
void ls_entry_diverged(ls_entry *e, const ls_err *err);

/* A timer that fires after ns, at least 1 ms. */
void ls_entry_arm(uv_timer_t *timer, uv_timer_cb cb, int64_t ns);

/* ---- maint.c: compaction, snapshots, retention on their schedules ---- */

LS_MUST ls_code ls_maint_init(ls_entry *e, ls_err *err);
void ls_maint_begin(ls_entry *e);                   /* the replica was compared: all may be to do */
void ls_maint_uploading(ls_entry *e, ls_txid upto); /* an upload of files up to there begins */
void ls_maint_uploaded(ls_entry *e, ls_txid before); /* one that began behind before has ended */
void ls_maint_pump(ls_entry *e);                     /* starts what may run now, arms the timer */
bool ls_maint_wants_local(ls_entry *e);              /* the local lane is to begin a snapshot */
void ls_maint_start_local(ls_entry *e);
/* With no job in the remote lane: draws the consequences of what listings showed. */
void ls_maint_settle(ls_entry *e);
void ls_maint_quiet(ls_entry *e); /* nothing starts any more, what runs was told to stop */
void ls_maint_done(ls_entry *e);
/* For one pass without a loop, after ls_entry_sync_all. */
LS_MUST ls_code ls_maint_force_snapshot(ls_entry *e, ls_err *err);
LS_MUST ls_code ls_maint_enforce_retention(ls_entry *e, ls_err *err);

/* ---- watch.c: folders ---- */

/* Watches the folders of the configured path and of the real log. Sets e->polling where one cannot
 * be watched. */
void ls_watch_entry(ls_entry *e);
/* No notices for e until it is switched off again: each costs a writer the time to wake this
 * process. A folder is not watched while all of its databases rest. What happens meanwhile is seen
 * by who looks afterwards, so the watch comes back before the look. */
void ls_watch_rest(ls_entry *e, bool on);
/* Starts watches that could not be, or whose folder is another one now. */
void ls_watch_check(ls_store *store);
void ls_watch_close(ls_store *store); /* closes the handles */
void ls_watch_free(ls_store *store);  /* after the loop ran */

/* ---- final.c: one straight sync of a database, and the end of a run ---- */

/* Worker: compares, captures all, uploads all. *missing: there is no database. */
LS_MUST ls_code ls_entry_sync_all(ls_entry *e, bool *missing, ls_err *err);
void ls_final_begin(ls_store *store);
void ls_final_skip(ls_store *store);
void ls_final_pump(ls_entry *e);

#endif
