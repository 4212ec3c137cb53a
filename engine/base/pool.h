/*
 * A fixed number of worker threads and a queue of jobs. Local and remote work get a pool each, so
 * that an upload that takes hours stops no capture.
 */
#ifndef LS_BASE_POOL_H
#define LS_BASE_POOL_H

#include "engine/base/error.h"

typedef struct ls_pool ls_pool;

/* A job; the caller owns the memory until done() of it was run. */
typedef struct ls_job ls_job;
struct ls_job {
    void (*run)(ls_job *job);
    ls_job *next; /* the pool's while queued */
};

/* Starts threads workers (1..64), named name in /proc (at most 15 bytes). */
LS_MUST ls_code ls_pool_new(const char *name, int threads, ls_pool **pool, ls_err *err);

/* Queues a job, first in first out. Never fails and never allocates. */
void ls_pool_submit(ls_pool *pool, ls_job *job);

/* Waits until the queue is empty and all jobs have run, joins the threads, frees. NULL allowed. */
void ls_pool_free(ls_pool *pool);

#endif
