/*
 * litestream verify: is everything that a replica promises restorable?
 *
 * Every level: names in order, TXIDs that join (holes are allowed only below the oldest snapshot),
 * header against name. Every file: its checksum and every page. Every restore point: its plan holds
 * every page up to its Commit. full: the newest point is restored to a scratch file and checked by
 * SQLite. One file is read at a time, a page at a time; beside it a few numbers for each file of
 * the listing are held.
 */
#ifndef LS_RESTORE_VERIFY_H
#define LS_RESTORE_VERIFY_H

#include "engine/restore/restore.h"

typedef enum ls_finding_kind {
    LS_FINDING_BAD_FILE, /* cannot be read, checksum, header is not its name's */
    LS_FINDING_HOLE,     /* TXIDs missing between two files of a level */
    LS_FINDING_OVERLAP,
    LS_FINDING_UNREACHABLE, /* a TXID that was promised has no plan */
    LS_FINDING_COVERAGE,    /* a plan lacks a page */
    LS_FINDING_INTEGRITY,   /* SQLite's check failed */
    LS_FINDING_TIME,        /* a file's time in the listing, by which restores by time go, is not
                               its header's; told once, of the first such file, and harmless */
} ls_finding_kind;

#define LS_FINDING_KINDS (LS_FINDING_TIME + 1)

/* Times that differ by less come from stores that keep the time of the upload. */
#define LS_VERIFY_TIME_MS (60 * 1000)

typedef struct ls_finding {
    ls_finding_kind kind;
    bool harmless; /* nothing promised depends on it (a hole below the oldest snapshot) */
    ls_ltx_info file;
    ls_txid from, to;
    const char *text; /* valid during the call */
} ls_finding;

typedef struct ls_verify_opts {
    int level; /* -1: all */
    bool full;
    const char *scratch_dir;                                   /* NULL: TMPDIR or /tmp */
    const ls_cancel *cancel;                                   /* may be NULL */
    void (*finding)(void *arg, const ls_finding *f);           /* may be NULL */
    void (*progress)(void *arg, const ls_restore_progress *p); /* may be NULL */
    void *arg;
} ls_verify_opts;

typedef struct ls_verify_result {
    size_t files, bad_files, findings; /* findings without the harmless ones */
    size_t points, points_bad;
    uint64_t bytes;
    ls_txid txid; /* newest restorable */
    bool ok;      /* everything promised can be restored; false for a replica without files */
} ls_verify_result;

/* LS_OK also where result->ok is false: only a store that cannot be read is an error. */
LS_MUST ls_code ls_verify(ls_storage *s, const ls_verify_opts *opts, ls_verify_result *result,
                          ls_err *err);

const char *ls_finding_name(ls_finding_kind kind);

/* Time and result of the last verify, kept as <meta>/verify (one line of JSON). Saving needs the
 * folder (LS_ENOTFOUND); loading sets any where something was saved, LS_ECORRUPT where that cannot
 * be read. */
typedef struct ls_last_verify {
    bool any, ok, full;
    int64_t at_ms;
    ls_txid txid;
    size_t files, findings;
} ls_last_verify;
LS_MUST ls_code ls_last_verify_save(const char *meta_path, const ls_last_verify *v, ls_err *err);
LS_MUST ls_code ls_last_verify_load(const char *meta_path, ls_last_verify *v, ls_err *err);

#endif
