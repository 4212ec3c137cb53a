/*
 * Rebuilds a database from a replica at the latest, a given TXID or a given time.
 *
 * plan:    the fewest bytes that lead there (rules of spec engine 6.3, strict where the reference
 *          stays silent: a gap is an error in every mode and names the missing TXIDs)
 * rebuild: newest file first, each file's page index says which pages it holds; one bit a page says
 *          which are already taken; every winning page is decompressed and written once, in
 *          parallel; every page of every file is decompressed and its file's checksum verified.
 *          Written to "<output>.tmp"; after fsync renamed. A failure leaves no file.
 */
#ifndef LS_RESTORE_RESTORE_H
#define LS_RESTORE_RESTORE_H

#include "backends/storage.h"
#include "engine/base/cancel.h"
#include "engine/base/log.h"

/* A growing list of files. */
typedef struct ls_plan {
    ls_ltx_info *files; /* oldest first; owned */
    size_t n, cap;
    uint64_t bytes; /* sum of sizes */
} ls_plan;

void ls_plan_done(ls_plan *plan);

/* txid 0: latest (or by time); timestamp_ms INT64_MIN: none. Both: LS_EINVALID. Files at or after
 * timestamp_ms do not count (strictly before). LS_ENOBACKUP if nothing fits ("no matching backup
 * files available"), LS_EGAP where a file between is missing, naming the TXIDs. */
#define LS_NO_TIMESTAMP INT64_MIN
LS_MUST ls_code ls_plan_make(ls_storage *s, ls_txid txid, int64_t timestamp_ms, ls_plan *plan,
                             ls_err *err);

/* The same choice from given listings (levels 0..9, each sorted); pure, for tests. */
LS_MUST ls_code ls_plan_choose(ls_ltx_info *const levels[10], const size_t counts[10], ls_txid txid,
                               int64_t timestamp_ms, ls_plan *plan, ls_err *err);

typedef enum ls_integrity { LS_INTEGRITY_NONE, LS_INTEGRITY_QUICK, LS_INTEGRITY_FULL } ls_integrity;

typedef struct ls_restore_progress {
    size_t files_done, files;
    uint64_t bytes_done, bytes; /* of the files read */
    uint64_t pages_written;
} ls_restore_progress;

typedef struct ls_restore_result {
    ls_txid txid; /* reached; 0: restored from a v0.3 replica, which has none */
    uint32_t page_size, pages;
    size_t files;
    uint64_t bytes;
} ls_restore_result;

typedef struct ls_restore_opts {
    const char *output;
    ls_txid txid;         /* 0: not by TXID */
    int64_t timestamp_ms; /* LS_NO_TIMESTAMP: not by time */
    int parallelism;      /* decoding threads; <= 0: 8, capped by the processors */
    bool force;           /* replace an existing database and remove its -wal, -shm, -journal */
    bool ltx_only;        /* not from a v0.3 replica, even where that is newer */
    ls_integrity integrity;
    const ls_cancel *cancel;                                   /* may be NULL */
    void (*progress)(void *arg, const ls_restore_progress *p); /* may be NULL */
    void *progress_arg;
    /* Called with the whole image, before it is checked and gets its name; may change it. May be
     * NULL. */
    ls_code (*ready)(void *arg, int fd, const char *name, const ls_restore_result *r, ls_err *err);
    void *ready_arg;
} ls_restore_opts;

/* Checks the target first ("cannot restore, output path already exists...", stale sidecars,
 * folder), plans, rebuilds, runs the integrity check. Mode and owner of a replaced file are kept;
 * otherwise the file is made 0666 less umask, missing parents 0700. */
LS_MUST ls_code ls_restore(ls_storage *s, const ls_restore_opts *opts, ls_restore_result *result,
                           ls_err *err);

/* Rebuild alone: writes the planned files' image to an open, empty descriptor (no fsync). */
LS_MUST ls_code ls_rebuild(ls_storage *s, const ls_plan *plan, int fd, const char *name,
                           const ls_restore_opts *opts, ls_restore_result *result, ls_err *err);

/* Oldest and newest time of all files, v0.3 ones too; *any is false where there is none. A restore
 * by time from a URL refuses what lies outside ("timestamp does not exist"). */
LS_MUST ls_code ls_restore_bounds(ls_storage *s, bool *any, int64_t *oldest_ms, int64_t *newest_ms,
                                  ls_err *err);

/* Is anything restorable there at all? For -if-replica-exists. */
LS_MUST ls_code ls_restore_available(ls_storage *s, bool *yes, ls_err *err);

#endif
