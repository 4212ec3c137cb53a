/* Jobs: a thread, a flag that says stop, and a result. Whoever of thread and screen comes last
 * frees the job. */
#include "tui/job.h"

#include "engine/base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define WAKE_NS (100 * 1000000LL)

struct job {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    ls_cancel cancel;
    job_fn run;
    void (*drop)(void *arg);
    void *arg;
    int wake_fd;
    bool done, given_up;
    ls_restore_progress progress;
    int64_t woken_ns;
    ls_err err;
};

static void job_free(job *j) {
    (void)pthread_mutex_destroy(&j->lock);
    (void)pthread_cond_destroy(&j->ended);
    free(j);
}

static void wake(const job *j) { (void)!write(j->wake_fd, "", 1); }

static void *thread_main(void *arg) {
    job *j = arg;
    ls_err err = LS_ERR_INIT;
    (void)!j->run(j, j->arg, &err);
    (void)pthread_mutex_lock(&j->lock);
    j->err = err;
    j->done = true;
    bool given_up = j->given_up;
    if (!given_up) {
        wake(j);
    }
    (void)pthread_cond_signal(&j->ended);
    (void)pthread_mutex_unlock(&j->lock);
    if (given_up) {
        j->drop(j->arg);
        job_free(j);
    }
    return NULL;
}

ls_code job_start(job **out, job_fn run, void *arg, void (*drop)(void *arg), int wake_fd,
                  ls_err *err) {
    *out = NULL;
    job *j = calloc(1, sizeof(*j));
    if (j == NULL) {
        drop(arg);
        return ls_fail(err, LS_ENOMEM, "start a job");
    }
    j->run = run;
    j->drop = drop;
    j->arg = arg;
    j->wake_fd = wake_fd;
    (void)pthread_mutex_init(&j->lock, NULL);
    (void)pthread_cond_init(&j->ended, NULL);
    pthread_t thread;
    int rc = pthread_create(&thread, NULL, thread_main, j);
    if (rc != 0) {
        drop(arg);
        job_free(j);
        return ls_fail_errno(err, rc, "start a thread");
    }
    (void)pthread_detach(thread);
    *out = j;
    return LS_OK;
}

const ls_cancel *job_cancel(const job *j) { return &j->cancel; }

void job_lock(job *j) { (void)pthread_mutex_lock(&j->lock); }

void job_unlock(job *j) { (void)pthread_mutex_unlock(&j->lock); }

void job_progress_put(job *j, const ls_restore_progress *p) {
    int64_t now = ls_mono_ns(&ls_clock_system);
    job_lock(j);
    j->progress = *p;
    if (!j->given_up && now - j->woken_ns >= WAKE_NS) {
        j->woken_ns = now;
        wake(j);
    }
    job_unlock(j);
}

void job_wake(job *j) {
    job_lock(j);
    if (!j->given_up) {
        wake(j);
    }
    job_unlock(j);
}

void job_progress_get(job *j, ls_restore_progress *p) {
    job_lock(j);
    *p = j->progress;
    job_unlock(j);
}

bool job_done(job *j) {
    job_lock(j);
    bool done = j->done;
    job_unlock(j);
    return done;
}

void job_ask_to_stop(job *j) { ls_cancel_set(&j->cancel); }

ls_code job_take(job **out, void **arg, ls_err *err) {
    job *j = *out;
    job_lock(j);
    while (!j->done) {
        (void)pthread_cond_wait(&j->ended, &j->lock);
    }
    job_unlock(j);
    *err = j->err;
    *arg = j->arg;
    job_free(j);
    *out = NULL;
    return err->code;
}

void job_give_up(job **out) {
    job *j = *out;
    *out = NULL;
    if (j == NULL) {
        return;
    }
    job_ask_to_stop(j);
    job_lock(j);
    j->given_up = true;
    bool done = j->done;
    job_unlock(j);
    if (done) {
        j->drop(j->arg);
        job_free(j);
    }
}

void job_stop(job **out) {
    void *arg = NULL;
    ls_err err = LS_ERR_INIT;
    if (*out == NULL) {
        return;
    }
    void (*drop)(void *) = (*out)->drop;
    job_ask_to_stop(*out);
    (void)job_take(out, &arg, &err);
    drop(arg);
}
