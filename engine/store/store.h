/*
 * The daemon's heart: which databases exist and when each job runs.
 *
 * One loop thread (libuv) owns timers, file-change notices and signals and hands jobs to three
 * pools: local (capture, checkpoint), remote (comparison, upload) and maint (compaction, snapshots,
 * retention). Per database at most one job of each runs at a time. Folders are watched rather than
 * files; a poll stands in where notices do not work. The first write after idle is captured and
 * uploaded at once; a later one within the interval waits for it. Nothing is armed for a database
 * that no one writes to but one shared poll each 30 s.
 */
#ifndef LS_STORE_STORE_H
#define LS_STORE_STORE_H

#include "engine/config/config.h"
#include "engine/replica/replica.h"

typedef struct ls_store ls_store;

/* Makes db and replica objects of every configured database (errors of 2.6 in spec cli-config);
 * config must outlive the store. */
LS_MUST ls_code ls_store_new(const ls_config *config, const ls_log *log, ls_store **store,
                             ls_err *err);

/* What a run tells, on the loop thread, so neither may wait. Either may be NULL. */
typedef struct ls_store_hooks {
    /* Every database was looked at once, so that what was committed before is captured; or 5 s have
     * passed. Not called where the run is told to stop before. */
    void (*ready)(void *arg);
    /* SIGINT or SIGTERM before the last syncs have begun, SIGUSR1, SIGUSR2. True: it was dealt
     * with; the run goes on. */
    bool (*signal)(void *arg, int signum);
    void *arg;
} ls_store_hooks;

/* Before ls_store_run; hooks are copied. */
void ls_store_set_hooks(ls_store *store, const ls_store_hooks *hooks);

/* Adds to config->found the databases that are in its folders (dir) now, for a program that does
 * not replicate but shows them. */
LS_MUST ls_code ls_store_find_dirs(ls_config *config, ls_err *err);

/* Runs until SIGINT, SIGTERM or ls_store_stop; then a last capture and upload of every database,
 * tried again every shutdown-sync-interval until shutdown-sync-timeout; a second signal skips that.
 * SIGHUP reads the configuration again (ls_store_reload). LS_OK only if every database's last sync
 * succeeded. A caller that blocked these signals before, so that none is lost, finds them unblocked
 * meanwhile. */
LS_MUST ls_code ls_store_run(ls_store *store, ls_err *err);

/* What one pass does beside capture and upload; no levels, no level-0 retention. */
typedef struct ls_store_once_opts {
    bool force_snapshot;    /* a snapshot of each database, also where there is one already */
    bool enforce_retention; /* then what snapshot-retention lets go */
} ls_store_once_opts;

/* Captures and uploads every database once, checks, and returns (`replicate -once`); opts may be
 * NULL. */
LS_MUST ls_code ls_store_once(ls_store *store, const ls_store_once_opts *opts, ls_err *err);

/* From any thread. */
void ls_store_stop(ls_store *store);

void ls_store_free(ls_store *store); /* NULL allowed */

#endif
