/* The jobs of the restore form: see restore_job.h. */
#include "tui/restore_job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#define FOLLOW_MS 1000 /* between two looks at the replica, as restore -f has it */
#define SLICE_MS 50    /* how long being told to stop may go unnoticed */

/* ---- the restore ---- */

restore_job *restore_job_new(source *s, const char *output, const restore_want *want, ls_err *err) {
    restore_job *r = calloc(1, sizeof(*r));
    char *copy = strdup(output);
    if (r == NULL || copy == NULL) {
        free(r);
        free(copy);
        source_done(s);
        (void)ls_fail(err, LS_ENOMEM, "restore %s", output);
        return NULL;
    }
    *r = (restore_job){.source = *s, .output = copy, .want = *want};
    *s = (source){0};
    return r;
}

void restore_job_drop(void *arg) {
    restore_job *r = arg;
    source_done(&r->source);
    free(r->output);
    free(r);
}

static void on_progress(void *arg, const ls_restore_progress *p) {
    job_progress_put(((restore_job *)arg)->job, p);
}

static bool wait_ms(const ls_cancel *cancel, int ms) {
    const struct timespec slice = {.tv_nsec = SLICE_MS * 1000000L};
    for (; ms > 0 && !ls_canceled(cancel); ms -= SLICE_MS) {
        (void)nanosleep(&slice, NULL);
    }
    return !ls_canceled(cancel);
}

static void tell(restore_job *r, ls_txid txid, const ls_err *err) {
    job_lock(r->job);
    r->following = true;
    r->txid = txid;
    r->looks++;
    r->look_error = *err;
    job_unlock(r->job);
    job_wake(r->job);
}

/* Being told to stop is how it ends well; what a look fails at is shown, and tried again. */
static ls_code follow(restore_job *r, const ls_restore_opts *opts, ls_err *err) {
    const ls_follow_opts follow_opts = {.restore = *opts};
    ls_follow *f = NULL;
    ls_code rc = ls_follow_new(r->source.storage, &follow_opts, &f, err);
    bool going = rc == LS_OK;
    while (going) {
        ls_err look = LS_ERR_INIT;
        ls_txid from = 0, to = 0;
        bool level = ls_follow_poll(f, &from, &to, &look) != LS_OK || from == to;
        tell(r, ls_follow_txid(f), &look);
        going = !(level && r->want.until_level) && wait_ms(opts->cancel, level ? FOLLOW_MS : 0);
    }
    ls_follow_free(f);
    return rc;
}

ls_code restore_job_run(job *j, void *arg, ls_err *err) {
    restore_job *r = arg;
    int64_t start = ls_mono_ns(&ls_clock_system);
    r->job = j;
    ls_restore_opts opts = {.output = r->output,
                            .txid = r->want.txid,
                            .timestamp_ms = r->want.timestamp_ms,
                            .parallelism = r->want.parallel,
                            .force = r->want.how == HOW_REPLACE,
                            .integrity = r->want.check,
                            .ltx_only = true,
                            .cancel = job_cancel(j),
                            .progress = on_progress,
                            .progress_arg = r};
    ls_code rc = r->want.how == HOW_FOLLOW ? follow(r, &opts, err)
                                           : ls_restore(r->source.storage, &opts, &r->result, err);
    r->took_ns = ls_mono_ns(&ls_clock_system) - start;
    return rc;
}

/* ---- room ---- */

restore_room *restore_room_new(source *s, snapshot *snap, size_t file, const char *output,
                               ls_err *err) {
    restore_room *r = calloc(1, sizeof(*r));
    char *copy = strdup(output);
    if (r == NULL || copy == NULL) {
        free(r);
        free(copy);
        source_done(s);
        (void)ls_fail(err, LS_ENOMEM, "look for room for %s", output);
        return NULL;
    }
    *r = (restore_room){.source = *s, .snap = snapshot_ref(snap), .file = file, .output = copy};
    *s = (source){0};
    return r;
}

void restore_room_drop(void *arg) {
    restore_room *r = arg;
    source_done(&r->source);
    snapshot_unref(r->snap);
    free(r->output);
    free(r);
}

/* Missing folders are made, so the nearest one that is there counts. */
static ls_code free_at(const char *output, uint64_t *bytes, ls_err *err) {
    struct statvfs fs = {0};
    char *path = ls_path_absolute(output);
    bool there = false;
    while (path != NULL && !there) {
        char *parent = ls_path_dir(path);
        bool top = parent == NULL || strcmp(parent, path) == 0;
        free(path);
        path = parent;
        there = path != NULL && statvfs(path, &fs) == 0;
        if (top && !there) {
            break;
        }
    }
    free(path);
    if (!there) {
        return ls_fail_errno(err, errno, "find out the room for %s", output);
    }
    *bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    return LS_OK;
}

ls_code restore_room_run(job *j, void *arg, ls_err *err) {
    restore_room *r = arg;
    struct stat st;
    ls_ltx_header h;
    (void)j;
    ls_code rc = source_header(&r->source, r->snap, r->file, &h, err);
    if (rc == LS_OK) {
        r->need = (uint64_t)h.commit * h.page_size;
        r->exists = stat(r->output, &st) == 0;
        r->folder = r->exists && S_ISDIR(st.st_mode);
        r->size = r->exists ? (uint64_t)st.st_size : 0;
        rc = free_at(r->output, &r->free, err);
    }
    return rc;
}
