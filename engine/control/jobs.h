/*
 * Work that takes longer than a request: verifies and restores, on threads of their own.
 *
 * A job is known by a number. It can be looked at while it waits, runs, and for a while after it
 * has ended; the last LS_JOBS_KEPT are kept, and no more can wait than that.
 */
#ifndef LS_CONTROL_JOBS_H
#define LS_CONTROL_JOBS_H

#include "backends/storage.h"
#include "engine/restore/restore.h"

#include <jansson.h>

#define LS_JOBS_KEPT 32
#define LS_JOBS_THREADS 2
#define LS_JOB_FINDINGS_MAX 100 /* findings of a verify that are kept */

typedef struct ls_jobs ls_jobs;

typedef enum ls_task_kind { LS_TASK_VERIFY, LS_TASK_RESTORE } ls_task_kind;

/* What to do. Texts are copied. */
typedef struct ls_task_spec {
    ls_task_kind kind;
    const char *path;      /* of the database */
    const char *meta_path; /* verify: where its result is kept; NULL: nowhere */
    const char *output;    /* restore */
    bool full, force;
    ls_txid txid;
    int64_t timestamp_ms;
    ls_integrity integrity;
} ls_task_spec;

LS_MUST ls_code ls_jobs_new(const ls_log *log, ls_jobs **jobs, ls_err *err);
/* Cancels all, waits for those that run, frees. NULL allowed. */
void ls_jobs_free(ls_jobs *jobs);

/* Takes the storage over, also after a failure. LS_EBUSY: too many jobs have not ended. */
LS_MUST ls_code ls_jobs_add(ls_jobs *jobs, const ls_task_spec *spec, ls_storage *storage,
                            uint64_t *id, ls_err *err);

/* *ended: it had ended before. LS_ENOTFOUND. */
LS_MUST ls_code ls_jobs_cancel(ls_jobs *jobs, uint64_t id, bool *ended, ls_err *err);

/* An array, the oldest first; NULL without memory. */
json_t *ls_jobs_list(ls_jobs *jobs);

#endif
