/* Jobs of the control server: see jobs.h. One mutex guards the list and all that a job tells. */
#include "engine/control/jobs.h"

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/pool.h"
#include "engine/control/internal.h"
#include "engine/restore/verify.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef enum task_status { QUEUED, RUNNING, DONE, FAILED, CANCELED } task_status;

typedef struct task {
    ls_job job;
    ls_jobs *jobs;
    ls_task_spec spec; /* its texts are owned */
    ls_storage *storage;
    ls_cancel cancel;
    uint64_t id;
    task_status status;
    int64_t queued_ms, started_ms, ended_ms;
    ls_restore_progress progress;
    ls_err err;
    ls_verify_result verify;
    ls_restore_result restore;
    json_t *findings;
} task;

struct ls_jobs {
    const ls_log *log;
    pthread_mutex_t mutex;
    ls_pool *pool;
    task *tasks[LS_JOBS_KEPT]; /* the oldest first */
    size_t n;
    uint64_t last_id;
    bool closed;
};

static int64_t now_ms(void) { return ls_wall_ms(&ls_clock_system); }

static void task_free(task *t) {
    if (t == NULL)
        return;
    ls_storage_free(t->storage);
    json_decref(t->findings);
    free((char *)(uintptr_t)t->spec.path);
    free((char *)(uintptr_t)t->spec.meta_path);
    free((char *)(uintptr_t)t->spec.output);
    free(t);
}

static bool has_ended(const task *t) { return t->status >= DONE; }

/* ---- the work, on a thread of the pool ---- */

static void on_progress(void *arg, const ls_restore_progress *p) {
    task *t = arg;

    (void)pthread_mutex_lock(&t->jobs->mutex);
    t->progress = *p;
    (void)pthread_mutex_unlock(&t->jobs->mutex);
}

static void on_finding(void *arg, const ls_finding *f) {
    task *t = arg;
    json_t *o = json_object();

    ls_json_set(o, "severity", json_string(f->harmless ? "note" : "error"));
    ls_json_set(o, "finding", json_string(ls_finding_name(f->kind)));
    ls_json_set_txid(o, "from", f->from);
    ls_json_set_txid(o, "to", f->to);
    ls_json_set(o, "text", ls_json_text(f->text));
    (void)pthread_mutex_lock(&t->jobs->mutex);
    if (json_array_size(t->findings) < LS_JOB_FINDINGS_MAX)
        (void)json_array_append_new(t->findings, o);
    else
        json_decref(o);
    (void)pthread_mutex_unlock(&t->jobs->mutex);
}

/* For litestream status; that it cannot be kept is no failure of the job. */
static void keep_result(task *t) {
    const ls_verify_result *r = &t->verify;
    const ls_last_verify v = {.ok = r->ok,
                              .full = t->spec.full,
                              .at_ms = now_ms(),
                              .txid = r->txid,
                              .files = r->files,
                              .findings = r->findings};
    ls_err err = LS_ERR_INIT;

    if (t->spec.meta_path == NULL)
        return;
    ls_code rc = ls_last_verify_save(t->spec.meta_path, &v, &err);
    if (rc != LS_OK && rc != LS_ENOTFOUND)
        ls_log_err(t->jobs->log, LS_WARN, "result of a verify is not kept", &err,
                   LS_ATTRS(LS_STR("db", t->spec.path)));
}

static ls_code run_verify(task *t, ls_err *err) {
    const ls_verify_opts opts = {.level = -1,
                                 .full = t->spec.full,
                                 .cancel = &t->cancel,
                                 .finding = on_finding,
                                 .progress = on_progress,
                                 .arg = t};

    ls_code rc = ls_verify(t->storage, &opts, &t->verify, err);
    if (rc == LS_OK && !ls_canceled(&t->cancel))
        keep_result(t);
    return rc;
}

static ls_code run_restore(task *t, ls_err *err) {
    const ls_restore_opts opts = {.output = t->spec.output,
                                  .txid = t->spec.txid,
                                  .timestamp_ms = t->spec.timestamp_ms,
                                  .force = t->spec.force,
                                  .integrity = t->spec.integrity,
                                  .cancel = &t->cancel,
                                  .progress = on_progress,
                                  .progress_arg = t};

    return ls_restore(t->storage, &opts, &t->restore, err);
}

/* false: it was cancelled while it waited. */
static bool begin(task *t) {
    (void)pthread_mutex_lock(&t->jobs->mutex);
    bool runs = !ls_canceled(&t->cancel);
    if (runs) {
        t->status = RUNNING;
        t->started_ms = now_ms();
    } else {
        t->status = CANCELED;
        t->ended_ms = now_ms();
    }
    (void)pthread_mutex_unlock(&t->jobs->mutex);
    return runs;
}

/* A job that came to its end is done, even if somebody cancelled it in the last moment. */
static void run_task(ls_job *job) {
    task *t = (task *)(void *)job;
    ls_err err = LS_ERR_INIT;

    if (!begin(t))
        return;
    ls_code rc = t->spec.kind == LS_TASK_VERIFY ? run_verify(t, &err) : run_restore(t, &err);
    (void)pthread_mutex_lock(&t->jobs->mutex);
    t->err = err;
    t->status = rc == LS_OK ? DONE : rc == LS_ECANCELED ? CANCELED : FAILED;
    t->ended_ms = now_ms();
    ls_storage_free(t->storage);
    t->storage = NULL;
    (void)pthread_mutex_unlock(&t->jobs->mutex);
}

/* ---- the list ---- */

ls_code ls_jobs_new(const ls_log *log, ls_jobs **jobs, ls_err *err) {
    ls_jobs *j = calloc(1, sizeof *j);

    *jobs = NULL;
    if (j == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    j->log = log;
    (void)pthread_mutex_init(&j->mutex, NULL);
    ls_code rc = ls_pool_new("ls-control", LS_JOBS_THREADS, &j->pool, err);
    if (rc != LS_OK) {
        ls_jobs_free(j);
        return rc;
    }
    *jobs = j;
    return LS_OK;
}

void ls_jobs_free(ls_jobs *j) {
    if (j == NULL)
        return;
    (void)pthread_mutex_lock(&j->mutex);
    j->closed = true;
    for (size_t i = 0; i < j->n; i++)
        ls_cancel_set(&j->tasks[i]->cancel);
    (void)pthread_mutex_unlock(&j->mutex);
    ls_pool_free(j->pool);
    for (size_t i = 0; i < j->n; i++)
        task_free(j->tasks[i]);
    (void)pthread_mutex_destroy(&j->mutex);
    free(j);
}

static bool copy_text(const char **to, const char *from) {
    *to = from == NULL ? NULL : strdup(from);
    return from == NULL || *to != NULL;
}

static task *task_new(ls_jobs *j, const ls_task_spec *spec) {
    task *t = calloc(1, sizeof *t);

    if (t == NULL)
        return NULL;
    t->job.run = run_task;
    t->jobs = j;
    t->spec = *spec;
    t->queued_ms = now_ms();
    t->started_ms = t->ended_ms = -1;
    bool copied = copy_text(&t->spec.path, spec->path);
    copied = copy_text(&t->spec.meta_path, spec->meta_path) && copied;
    copied = copy_text(&t->spec.output, spec->output) && copied;
    t->findings = json_array();
    if (copied && t->findings != NULL)
        return t;
    task_free(t);
    return NULL;
}

/* Makes room by forgetting the oldest that has ended. */
static bool make_room(ls_jobs *j) {
    for (size_t i = 0; j->n == LS_JOBS_KEPT && i < j->n; i++) {
        if (!has_ended(j->tasks[i]))
            continue;
        task_free(j->tasks[i]);
        memmove(&j->tasks[i], &j->tasks[i + 1], (--j->n - i) * sizeof *j->tasks);
    }
    return j->n < LS_JOBS_KEPT && !j->closed;
}

ls_code ls_jobs_add(ls_jobs *j, const ls_task_spec *spec, ls_storage *storage, uint64_t *id,
                    ls_err *err) {
    task *t = task_new(j, spec);

    if (t == NULL) {
        ls_storage_free(storage);
        return ls_fail(err, LS_ENOMEM, "out of memory");
    }
    t->storage = storage;
    (void)pthread_mutex_lock(&j->mutex);
    bool room = make_room(j);
    if (room) {
        *id = t->id = ++j->last_id;
        j->tasks[j->n++] = t;
        ls_pool_submit(j->pool, &t->job);
    }
    (void)pthread_mutex_unlock(&j->mutex);
    if (room)
        return LS_OK;
    task_free(t);
    (void)ls_fail(err, LS_EBUSY, "%d jobs wait or run already", LS_JOBS_KEPT);
    return ls_hint(err, "wait until some have ended, or cancel them");
}

ls_code ls_jobs_cancel(ls_jobs *j, uint64_t id, bool *ended, ls_err *err) {
    ls_code rc = LS_ENOTFOUND;

    (void)pthread_mutex_lock(&j->mutex);
    for (size_t i = 0; i < j->n; i++) {
        if (j->tasks[i]->id != id)
            continue;
        *ended = has_ended(j->tasks[i]);
        ls_cancel_set(&j->tasks[i]->cancel);
        rc = LS_OK;
    }
    (void)pthread_mutex_unlock(&j->mutex);
    if (rc == LS_OK)
        return LS_OK;
    (void)ls_fail(err, LS_ENOTFOUND, "no such job: %llu", (unsigned long long)id);
    return ls_hint(err, "GET /jobs lists them");
}

/* ---- what is told of them ---- */

static json_t *verify_json(const task *t) {
    const ls_verify_result *v = &t->verify;
    json_t *o = json_object();

    ls_json_set(o, "ok", json_boolean(v->ok));
    ls_json_set(o, "full", json_boolean(t->spec.full));
    ls_json_set(o, "files", json_integer((json_int_t)v->files));
    ls_json_set(o, "bad_files", json_integer((json_int_t)v->bad_files));
    ls_json_set(o, "bytes", json_integer((json_int_t)v->bytes));
    ls_json_set(o, "points", json_integer((json_int_t)v->points));
    ls_json_set(o, "points_bad", json_integer((json_int_t)v->points_bad));
    ls_json_set_txid(o, "txid", v->txid);
    ls_json_set(o, "n_findings", json_integer((json_int_t)v->findings));
    ls_json_set(o, "findings", json_deep_copy(t->findings));
    return o;
}

static json_t *restore_json(const task *t) {
    const ls_restore_result *r = &t->restore;
    json_t *o = json_object();

    ls_json_set_txid(o, "txid", r->txid);
    ls_json_set(o, "page_size", json_integer((json_int_t)r->page_size));
    ls_json_set(o, "pages", json_integer((json_int_t)r->pages));
    ls_json_set(o, "files", json_integer((json_int_t)r->files));
    ls_json_set(o, "bytes", json_integer((json_int_t)r->bytes));
    return o;
}

static json_t *progress_json(const ls_restore_progress *p) {
    json_t *o = json_object();

    ls_json_set(o, "files_done", json_integer((json_int_t)p->files_done));
    ls_json_set(o, "files", json_integer((json_int_t)p->files));
    ls_json_set(o, "bytes_done", json_integer((json_int_t)p->bytes_done));
    ls_json_set(o, "bytes", json_integer((json_int_t)p->bytes));
    ls_json_set(o, "pages_written", json_integer((json_int_t)p->pages_written));
    return o;
}

static json_t *task_json(const task *t) {
    static const char *const names[] = {"queued", "running", "done", "failed", "canceled"};
    json_t *o = json_object();

    ls_json_set(o, "id", json_integer((json_int_t)t->id));
    ls_json_set(o, "kind", json_string(t->spec.kind == LS_TASK_VERIFY ? "verify" : "restore"));
    ls_json_set(o, "path", ls_json_text(t->spec.path));
    if (t->spec.output != NULL)
        ls_json_set(o, "output", ls_json_text(t->spec.output));
    ls_json_set(o, "status", json_string(names[t->status]));
    ls_json_set_time(o, "queued_at", t->queued_ms);
    ls_json_set_time(o, "started_at", t->started_ms);
    ls_json_set_time(o, "ended_at", t->ended_ms);
    ls_json_set(o, "progress", progress_json(&t->progress));
    if (t->status == FAILED) {
        ls_json_set(o, "error", ls_json_text(t->err.msg));
        ls_json_set(o, "hint", ls_json_text(ls_err_hint(&t->err)));
    }
    if (t->status == DONE)
        ls_json_set(o, "result", t->spec.kind == LS_TASK_VERIFY ? verify_json(t) : restore_json(t));
    return o;
}

json_t *ls_jobs_list(ls_jobs *j) {
    json_t *list = json_array();

    (void)pthread_mutex_lock(&j->mutex);
    for (size_t i = 0; i < j->n; i++)
        (void)json_array_append_new(list, task_json(j->tasks[i]));
    (void)pthread_mutex_unlock(&j->mutex);
    return list;
}
