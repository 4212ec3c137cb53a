/*
 * Worker threads and a queue of jobs: an intrusive list, so that queueing cannot fail.
 *
 * A job's memory is not touched once run() was called: run() may free it or queue it again.
 */
#include "engine/base/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS_MAX 64

struct ls_pool {
    pthread_mutex_t lock;
    pthread_cond_t wake; /* a job was queued, or stopping was set */
    ls_job *head;
    ls_job *tail;
    bool stopping;
    int count;
    char name[16];
    pthread_t threads[THREADS_MAX];
};

/* The next job; NULL when the pool stops and nothing is left. */
static ls_job *take(ls_pool *pool) {
    pthread_mutex_lock(&pool->lock);
    while (pool->head == NULL && !pool->stopping) {
        pthread_cond_wait(&pool->wake, &pool->lock);
    }
    ls_job *job = pool->head;
    if (job != NULL) {
        pool->head = job->next;
        if (pool->head == NULL) {
            pool->tail = NULL;
        }
        job->next = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void set_thread_name(const char *name) {
#ifdef __APPLE__
    (void)pthread_setname_np(name);
#elif defined(__linux__)
    (void)pthread_setname_np(pthread_self(), name);
#else
    (void)name;
#endif
}

static void *work(void *arg) {
    ls_pool *pool = arg;
    set_thread_name(pool->name);
    for (ls_job *job; (job = take(pool)) != NULL;) {
        job->run(job);
    }
    return NULL;
}

/* Starts one worker with all signals blocked: they belong to the thread that waits for them. */
static int start_worker(ls_pool *pool) {
    sigset_t all;
    sigset_t old;
    sigfillset(&all);
    int rc = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (rc != 0) {
        return rc;
    }
    rc = pthread_create(&pool->threads[pool->count], NULL, work, pool);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc == 0) {
        pool->count++;
    }
    return rc;
}

static int init_locks(ls_pool *pool) {
    int rc = pthread_mutex_init(&pool->lock, NULL);
    if (rc != 0) {
        return rc;
    }
    rc = pthread_cond_init(&pool->wake, NULL);
    if (rc != 0) {
        pthread_mutex_destroy(&pool->lock);
    }
    return rc;
}

ls_code ls_pool_new(const char *name, int threads, ls_pool **out, ls_err *err) {
    *out = NULL;
    if (threads < 1 || threads > THREADS_MAX) {
        return ls_fail(err, LS_EINVALID, "a worker pool has 1 to %d threads, not %d", THREADS_MAX,
                       threads);
    }
    ls_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for worker pool %s", name);
    }
    (void)snprintf(pool->name, sizeof pool->name, "%s", name);
    int rc = init_locks(pool);
    if (rc != 0) {
        free(pool);
        return ls_fail_errno(err, rc, "create worker pool %s", name);
    }
    while (rc == 0 && pool->count < threads) {
        rc = start_worker(pool);
    }
    if (rc != 0) {
        ls_pool_free(pool);
        ls_fail_errno(err, rc, "start a thread of worker pool %s", name);
        return ls_hint(err, "check the limits on threads (ulimit -u, TasksMax= of the service)");
    }
    *out = pool;
    return LS_OK;
}

void ls_pool_submit(ls_pool *pool, ls_job *job) {
    pthread_mutex_lock(&pool->lock);
    job->next = NULL;
    if (pool->tail != NULL) {
        pool->tail->next = job;
    } else {
        pool->head = job;
    }
    pool->tail = job;
    pthread_cond_signal(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

void ls_pool_free(ls_pool *pool) {
    if (pool == NULL) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->count; i++) {
        pthread_join(pool->threads[i], NULL);
    }
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
