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

#include "engine/base/map.h"
#include "engine/base/pool.h"
#include "engine/base/text.h"
#include "engine/db/snapshot.h"
#include "engine/replica/guard.h"
#include "engine/replica/keeper.h"
#include "engine/replica/retain.h"
#include "engine/store/calls.h"
#include "engine/store/meter.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <uv.h>

#define LS_STORE_LOCAL_WORKERS 2
#define LS_STORE_REMOTE_WORKERS 4
#define LS_STORE_MAINT_WORKERS 4
/* The net under notices: every database is looked at this often. */
#define LS_STORE_SAFETY_NS (30 * LS_SEC)
/* A failure that goes on is logged at most this often. */
#define LS_STORE_LOG_NS (30 * LS_SEC)
/* How long ls_store_hooks.ready waits for first looks. */
#define LS_STORE_READY_NS (5 * LS_SEC)
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

/* Descriptors that a database takes while it is open, and those of everything else. */
#define LS_STORE_DB_FILES 14
#define LS_STORE_OTHER_FILES 160
/* Most databases of one daemon. */
#define LS_STORE_DBS_MAX 262144

typedef struct ls_entry ls_entry;
typedef struct ls_folder ls_folder;
typedef struct ls_call ls_call;

typedef struct ls_dir ls_dir;

/* A configuration that databases use, until the last of them is gone. */
typedef struct ls_source ls_source;
struct ls_source {
    ls_config config;
    bool owned; /* it is freed with the source */
    size_t users;
    ls_source *dir;        /* of a database that was found in a folder: the folder's source, and */
    ls_db_config *derived; /* the database's settings; config is empty */
};

/* What counts for all databases. */
typedef struct ls_rules {
    int64_t levels[LS_CONFIG_LEVELS_MAX];
    int64_t n_levels;
    int64_t snapshot_interval, snapshot_retention;
    int64_t l0_retention, l0_retention_check_interval;
    int64_t validation_interval;
    int64_t shutdown_sync_timeout, shutdown_sync_interval;
    int64_t retention_enabled, verify_compaction; /* flags; so wide that nothing is padding */
} ls_rules;

/* What two databases must not share. */
typedef enum ls_id_kind {
    LS_ID_PATH,
    LS_ID_REPLICA, /* URL */
    LS_ID_META,    /* path of the meta directory */
    LS_ID_FILE,    /* device and inode, as it was added; none while there was no file */
    LS_IDS
} ls_id_kind;

typedef struct ls_ids {
    char *text[LS_IDS]; /* NULL: none */
} ls_ids;

/* Where a database comes from. */
typedef enum ls_origin {
    LS_ORIGIN_CONFIG,
    LS_ORIGIN_REGISTERED,
    LS_ORIGIN_FOUND, /* in a folder */
} ls_origin;

/* What a job does. */
typedef enum ls_work {
    LS_WORK_CAPTURE,
    LS_WORK_MEASURE,
    LS_WORK_COMPARE,
    LS_WORK_UPLOAD,
    LS_WORK_LAST, /* compares, captures and uploads all */
    LS_WORK_CLOSE,
    LS_WORK_COMPACT,
    LS_WORK_SNAPSHOT,
    LS_WORK_RETAIN,
    LS_WORK_VALIDATE,
    LS_WORK_RESTORE,
} ls_work;

/* A place where one job of a database runs at a time. */
typedef struct ls_lane {
    ls_job job;
    ls_entry *entry;
    void (*work)(ls_entry *e, struct ls_lane *lane); /* worker: sets rc and err */
    void (*done)(ls_entry *e, struct ls_lane *lane); /* loop */
    struct ls_lane *next;                            /* in the queue of ended jobs */
    bool busy;
    ls_work what;    /* it does, or did last */
    uint64_t number; /* of that job, from 1 */
    int64_t begun;   /* when that was, monotonic ns */
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
    bool early;       /* this period has its file already */
    bool more;        /* call again at once */
    bool wants_db;    /* a snapshot that must be read from the database */
    bool damaged;     /* a source at the store is, and auto-recover is on */
    size_t bad_joins; /* of the level that a file was made for, where that is looked at */
    ls_txid made;     /* newest TXID of the file that was made; 0: none */
    ls_ltx_info file; /* that file */
    ls_retain_result retained;
    int64_t recheck_ms; /* in so many ms more can be deleted; < 0: not without new files */
} ls_maint_found;

typedef struct ls_maint {
    ls_lane lane;
    uv_timer_t timer;
    ls_maint_job jobs[LS_JOBS];
    int running; /* job in the lane, and what it was when it was wanted: */
    bool first, force;
    ls_maint_found found;
    ls_rules rules;      /* of the job that runs */
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

/* What is told of a database: written when its jobs end, by the loop. Times are ms since 1970,
 * -1: never; what ends with _at is monotonic ns, 0: it is not so. */
typedef struct ls_seen {
    int64_t capture_ms, upload_ms, sync_ms, snapshot_ms;
    ls_error_state capture_error, upload_error, maint_error;
    ls_count captures, checkpoints[LS_CHECKPOINT_MODES];
    int64_t checkpoint_ms;
    uint64_t captured_bytes, verify_errors;
    uint32_t page_size;
    ls_l0_state l0;
    bool disk_full;
    bool missing;
    int64_t captured_at; /* when a capture last ended well */
    int64_t behind_at;   /* since when the replica lacks something */
    /* The log as the safety poll saw it last, and since when it grew without a capture. */
    off_t polled_size;
    struct timespec polled_time;
    int64_t polled_at, grows_at;
    bool stalled, behind;                  /* for too long, by the last safety poll */
    int64_t stalled_logged, behind_logged; /* when, 0: never */
} ls_seen;

/* A stop call goes through these. */
typedef enum ls_halt {
    LS_HALT_NONE,
    LS_HALT_LAST,    /* no new jobs; the last sync comes as soon as the lanes are free */
    LS_HALT_CLOSING, /* its handles are being closed */
    LS_HALT_STOPPED
} ls_halt;

/* What comes after the stop. */
typedef enum ls_aim {
    LS_AIM_STOP,   /* it stays in the list */
    LS_AIM_REMOVE, /* it does not */
} ls_aim;

struct ls_entry {
    ls_store *store;
    ls_source *source; /* config is in it */
    const ls_db_config *config;
    ls_origin origin;
    ls_dir *dir;    /* that it was found in; NULL: none, or none any more */
    uint64_t round; /* of the folder, in which it was seen last */
    ls_ids ids;
    bool gone;       /* out of the set; freed when its handles are closed */
    bool listed;     /* by the reload that runs */
    int open_timers; /* handles that the loop knows */
    ls_db *db;
    ls_replica *replica;
    ls_lease *lease;  /* of the replica, the keeper's; NULL: it needs none */
    ls_levels levels; /* of the replica */
    bool monitored;   /* monitor-interval > 0 */

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
    bool upload_all;     /* upto was all that there was */
    ls_trouble remote_trouble;
    bool diverged; /* uploads have stopped */
    bool refused;  /* another writer holds the lease: that was said */
    bool bring;    /* it is to be restored before anything else */
    ls_cancel bring_cancel;

    ls_maint maint;

    /* calls */
    ls_seen seen;
    ls_call *calls; /* that wait for its jobs */
    ls_halt halt;
    ls_aim aim;
    int64_t halt_until; /* monotonic ns: a last sync that fails is tried again until then, and then
                           done without; 0: the database goes on instead */
    int64_t halt_next;  /* not before */
    int64_t halt_begun;
    ls_txid halt_txid; /* of a stopped one */
    ls_db *old_db;     /* to be closed */

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

/* Calls of other threads, and what is kept for them. */
typedef struct ls_calls {
    pthread_mutex_t mutex; /* guards all of it */
    pthread_cond_t answered, happened;
    bool open; /* from ls_store_run to the last syncs */
    ls_call *queue, **tail;
    size_t waiting;
    uint64_t answers;
    ls_event *events; /* event number n is at n % LS_EVENTS_KEPT */
    uint64_t n_events;
} ls_calls;

/* A database that is to be added. */
typedef struct ls_coming {
    ls_source *source;
    const ls_db_config *config; /* in it */
    ls_origin origin;
    ls_dir *dir;
    uint64_t round;
    bool stopped; /* it is not started */
} ls_coming;

struct ls_store {
    ls_rules rules;
    const ls_log *log;
    ls_entry **entries; /* in the order in which they were added */
    size_t n, cap;
    ls_map by_id[LS_IDS]; /* of what is not gone */
    size_t n_gone;        /* of entries, until the next sweep */
    ls_dir **dirs;
    size_t n_dirs;
    ls_coming *coming;
    size_t n_coming, cap_coming;
    bool look_coming; /* something may have come out of their way */
    ls_meter meter;
    rlim_t files_said; /* open files that were said to be too few, 0: none */
    ls_reread reread;
    void *reread_arg;
    ls_pool *local, *remote, *maint;
    ls_keeper *keeper;

    uv_loop_t loop;
    bool loop_open, wake_open;
    uv_async_t wake;
    uv_timer_t safety;
    int64_t safety_interval; /* LS_STORE_SAFETY_NS but in tests */
    int64_t stall_limit;     /* LS_STALL_NS but in tests */
    uv_signal_t sigint, sigterm, sighup;
    ls_store_hooks hooks;
    uv_timer_t ready; /* until told_ready */
    bool told_ready;
    uv_signal_t sigusr1, sigusr2; /* only with a hook */
    pthread_mutex_t mutex;        /* guards ended */
    ls_lane *ended, **ended_tail;
    atomic_bool stop;

    ls_folder **folders; /* sorted by path */
    size_t n_folders, cap_folders;

    bool running;  /* databases that are added start at once */
    bool stopping; /* last syncs are under way */
    bool skip;     /* and are to be cut short */
    int64_t deadline;
    size_t unfinished;
    ls_cancel cancel;
    ls_cancel maint_cancel; /* maintenance is no part of the last syncs */
    ls_calls calls;
    uint64_t random;
    ls_err first_err; /* of a last sync */
};

int64_t ls_store_now(void); /* monotonic ns */

/* A number in [ns * 3/4, ns * 5/4): so that many databases do not try again in step. */
int64_t ls_store_jitter(ls_store *store, int64_t ns);

/* Gives a lane a job. */
void ls_lane_submit(ls_lane *lane, ls_pool *pool, ls_work what, void (*work)(ls_entry *, ls_lane *),
                    void (*done)(ls_entry *, ls_lane *));

/* Attributes of every record about a database. */
#define LS_ENTRY_ATTRS(e, ...)                                                                     \
    LS_ATTRS(LS_STR("system", "store"), LS_STR("db", ls_path_base(ls_db_path((e)->db))),           \
             __VA_ARGS__)

/* ---- set.c: which databases there are ---- */

/* A source without users; takes the configuration over, and leaves none, if own. NULL: no memory.
 */
ls_source *ls_source_new(ls_config *config, bool own);
/* One with the settings that a database has which is rel below a folder; has one user. */
LS_MUST ls_code ls_source_derive(ls_source *source, const ls_db_config *dir, const char *rel,
                                 ls_source **out, ls_err *err);
ls_source *ls_source_use(ls_source *source); /* one user more */
void ls_source_drop(ls_source *source);      /* one less; freed without any; NULL allowed */

/* What a configuration says about a database that must be its own; opens its store to see whether
 * that can be done. ls_ids_done in any case. */
LS_MUST ls_code ls_ids_of(const ls_db_config *config, ls_ids *ids, ls_err *err);
void ls_ids_done(ls_ids *ids);
/* The error where two databases share what they must not. */
ls_code ls_ids_clash(ls_id_kind kind, const char *path, const char *other, ls_err *err);

void ls_set_check_files(ls_store *store); /* warns where there are more databases than open files */

ls_entry *ls_set_find(const ls_store *store, const char *path); /* NULL: there is none */

/* Adds a database, and starts it in a store that runs. LS_EBUSY: what it needs belongs to one that
 * is being removed. */
LS_MUST ls_code ls_set_add(ls_store *store, const ls_coming *coming, ls_err *err);

/* The same, as soon as nothing that is being removed is in its way: in one of the next sweeps. */
LS_MUST ls_code ls_set_expect(ls_store *store, const ls_coming *coming, ls_err *err);
void ls_set_expect_none(ls_store *store, ls_origin origin); /* forgets those that still come */

/* Takes a database out whose handles are closed. Its memory stays until the next sweep. */
void ls_set_drop(ls_entry *e);
/* Between two jobs: lets go what was dropped, and adds what waited for that. */
void ls_set_sweep(ls_store *store);
void ls_set_done(ls_store *store);

/* ---- reload.c ---- */

ls_rules ls_rules_of(const ls_config *config);
/* Reads the configuration again and makes the databases those that it names. */
LS_MUST ls_code ls_reload(ls_store *store, ls_reload_counts *counts, ls_err *err);

/* ---- dirs.c: databases that are found in folders ---- */

/* Can databases be found there, and replicated as the settings say? */
LS_MUST ls_code ls_dirs_check(const ls_db_config *config, ls_err *err);
/* Adds a folder with its databases; in a store that runs they follow. */
LS_MUST ls_code ls_dirs_add(ls_store *store, ls_source *source, const ls_db_config *config,
                            ls_err *err);
void ls_dirs_start(ls_store *store);     /* the store runs */
void ls_dirs_safety(ls_store *store);    /* the safety poll: everything is looked at again */
void ls_dirs_swept(ls_store *store);     /* databases are gone that may have been in the way */
void ls_dirs_decline(const ls_entry *e); /* an unregistered one is not found again */
/* Makes the folders those of a configuration that was checked; the others' databases leave. */
LS_MUST ls_code ls_dirs_reload(ls_store *store, ls_source *source, ls_err *err);
void ls_dirs_quiet(ls_store *store); /* nothing is looked at any more */
void ls_dirs_done(ls_store *store);  /* the loop frees them */

/* ---- entry.c: when the jobs of a database run ---- */

/* A database that nothing was done with yet. config is in the source. */
LS_MUST ls_code ls_entry_new(ls_store *store, ls_source *source, const ls_db_config *config,
                             ls_entry **e, ls_err *err);
void ls_entry_start(ls_entry *e);  /* the first look at it */
void ls_entry_notice(ls_entry *e); /* its files changed */
void ls_entry_safety(ls_entry *e); /* the safety poll */
void ls_entry_pump(ls_entry *e);   /* starts what may run now, arms timers for what may later */
void ls_entry_polling(ls_entry *e, bool on);
void ls_entry_quiet(ls_entry *e); /* stops its timers */
void ls_entry_free(ls_entry *e);  /* closes its timers; the loop frees it when that is done */

/* Counts a failure; returns the pause before the next try, between interval and max. A lock that
 * others hold is no failure until it lasts, and needs no longer pauses. */
int64_t ls_entry_failed(ls_entry *e, ls_trouble *t, const char *msg, int64_t interval, int64_t max,
                        const ls_lane *lane);
/* Only a failure that was logged is told to be over. */
void ls_entry_recovered(ls_entry *e, ls_trouble *t, const char *msg);
/* The store is another writer's as well: uploads stop. err says why. */
void ls_entry_diverged(ls_entry *e, const ls_err *err);

/* New objects of a database that is not open, in the place of what it has: *old is to be freed, in
 * any thread. No job of it may run. After an error everything is as it was. */
LS_MUST ls_code ls_entry_renew(ls_entry *e, ls_db **old, ls_err *err);

/* A timer that fires after ns, at least 1 ms. */
void ls_entry_arm(uv_timer_t *timer, uv_timer_cb cb, int64_t ns);

/* ---- tenure.c: the lease of a replica ---- */

/* Where a lease is wanted: makes it, and puts a store that needs it around *storage, which it owns
 * from then on, also after an error. */
LS_MUST ls_code ls_tenure_init(ls_entry *e, ls_storage **storage, ls_err *err);
/* Worker: holds the lease before the replica is compared, or written to. LS_EHELD: another one has
 * it; LS_EGAP: the replica must be compared again, since another one may have written. */
LS_MUST ls_code ls_tenure_begin(ls_entry *e, ls_err *err);
LS_MUST ls_code ls_tenure_go_on(ls_entry *e, ls_err *err);
void ls_tenure_end(ls_entry *e); /* worker: lets it go */
/* The pause before it is tried again to take a lease that another one holds. */
int64_t ls_tenure_pause(const ls_entry *e);

/* ---- maint.c: compaction, snapshots, retention on their schedules ---- */

LS_MUST ls_code ls_maint_init(ls_entry *e, ls_err *err);
void ls_maint_begin(ls_entry *e);                   /* the replica was compared: all may be to do */
void ls_maint_replan(ls_entry *e);                  /* the settings are others */
void ls_maint_uploading(ls_entry *e, ls_txid upto); /* an upload of files up to there begins */
void ls_maint_uploaded(ls_entry *e, ls_txid before); /* one that began behind before has ended */
void ls_maint_pump(ls_entry *e);                     /* starts what may run now, arms the timer */
bool ls_maint_wants_local(ls_entry *e);              /* the local lane is to begin a snapshot */
void ls_maint_start_local(ls_entry *e);
/* With no job in the remote lane: draws the consequences of what listings showed. */
void ls_maint_settle(ls_entry *e);
/* What it has made by ls_maint_init, taken away and put back; forgets what is wanted. No job of it
 * may run. */
typedef struct ls_maint_objects {
    ls_storage *storage;
    char *local_root;
} ls_maint_objects;
ls_maint_objects ls_maint_take(ls_entry *e);
void ls_maint_put(ls_entry *e, ls_maint_objects objects);
void ls_maint_objects_free(ls_maint_objects objects);
void ls_maint_snapshot_now(ls_entry *e); /* of the database, whatever the schedule says */
void ls_maint_quiet(ls_entry *e);        /* nothing starts any more, what runs was told to stop */
void ls_maint_done(ls_entry *e);
/* For one pass without a loop, after ls_entry_sync_all. */
LS_MUST ls_code ls_maint_force_snapshot(ls_entry *e, ls_err *err);
LS_MUST ls_code ls_maint_enforce_retention(ls_entry *e, ls_err *err);

/* ---- watch.c: folders ---- */

/* Watches the folders of the configured path and of the real log. Sets e->polling where one cannot
 * be watched. */
void ls_watch_entry(ls_entry *e);
void ls_watch_forget(ls_entry *e); /* none of its folders tells it anything any more */
/* No notices for e until it is switched off again: each costs a writer the time to wake this
 * process. A folder is not watched while all of its databases rest. What happens meanwhile is seen
 * by who looks afterwards, so the watch comes back before the look. */
void ls_watch_rest(ls_entry *e, bool on);
/* Starts watches that could not be, or whose folder is another one now. */
void ls_watch_check(ls_store *store);
void ls_watch_close(ls_store *store); /* all of it; the loop frees what it still knows */

/* ---- final.c: one straight sync of a database, and the end of a run ---- */

/* Worker: compares, captures all, uploads all. *missing: there is no database. */
LS_MUST ls_code ls_entry_sync_all(ls_entry *e, bool *missing, ls_err *err);
void ls_final_begin(ls_store *store);
void ls_final_skip(ls_store *store);
void ls_final_pump(ls_entry *e);

/* ---- hooks.c: what a run tells who started it ---- */

LS_MUST ls_code ls_hooks_begin(ls_store *store, ls_err *err);
void ls_hooks_end(ls_store *store);
void ls_hooks_check(ls_store *store);              /* jobs have ended: is it ready? */
bool ls_hooks_signal(ls_store *store, int signum); /* true: dealt with */

/* ---- calls.c: what other threads ask ---- */

LS_MUST ls_code ls_calls_init(ls_store *store, ls_err *err);
void ls_calls_open(ls_store *store);
void ls_calls_close(ls_store *store); /* who waits, and whoever comes, is told that it is over */
void ls_calls_done(ls_store *store);
void ls_calls_take(ls_store *store); /* begins what was queued */
/* A job of the lane ended, and its outcome is known to the lane's own file: before the next one
 * starts. */
void ls_calls_ended(ls_entry *e, const ls_lane *lane);

/* LS_ENOTREADY: the loop does not run, or is about to end. */
ls_code ls_calls_refuse(ls_err *err);

/* ---- bring.c: a database that comes from its replica ---- */

/* Of one that is added while the daemon runs. */
void ls_bring_init(ls_entry *e);
/* While e->bring: nothing runs in the remote lane. */
void ls_bring_pump(ls_entry *e);
void ls_bring_cancel(ls_entry *e);

/* ---- halt.c: one database stops and starts ---- */

/* One that is being stopped or was already gets the further aim. until: see halt_until. */
void ls_halt_begin(ls_entry *e, ls_aim aim, int64_t until);
void ls_halt_end(ls_entry *e); /* of a stopped one */
void ls_halt_pump(ls_entry *e);
bool ls_halt_leaves(const ls_entry *e); /* it is being removed */

/* ---- seen.c: what ended jobs tell, and what does not go on ---- */

void ls_seen_init(ls_entry *e);
void ls_seen_ended(ls_entry *e, const ls_lane *lane);
void ls_seen_safety(ls_entry *e); /* before the poll's own capture */
void ls_seen_done(ls_entry *e);
LS_MUST ls_code ls_seen_state(ls_entry *e, ls_db_state *state, ls_err *err); /* a copy */

/* ---- events.c ---- */

/* Keeps an event and wakes who waits; number, time and path are filled in. */
void ls_event_add(const ls_entry *e, ls_event event);
#define LS_EVENT_OF(k, lvl, ...) ((ls_event){.kind = (k), .level = (lvl), __VA_ARGS__})

#endif
