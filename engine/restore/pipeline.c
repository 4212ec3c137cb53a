/* Chunks to threads and back in order; see pipeline.h. */
#include "engine/restore/pipeline.h"

#include <pthread.h>
#include <stdlib.h>

/* Pieces a thread: one worked on, one waiting, and one being filled or taken back. */
#define PIECES_PER_THREAD 3
/* Smaller pieces are done sooner than another thread is woken for them: level-0 files, mostly. */
#define HAND_OUT_MIN (32u * 1024)

struct ls_pipeline {
    ls_pool *pool; /* NULL: no threads */
    ls_pipeline_take take;
    void *arg;
    pthread_mutex_t lock; /* of every piece's done */
    pthread_cond_t wake;
    size_t n; /* pieces in the ring */
    ls_piece *ring;
    uint64_t submitted, taken; /* pieces so far; the next is number % n */
};

static ls_code init_ring(ls_pipeline *p, const ls_chunk_target *target, ls_err *err) {
    p->ring = calloc(p->n, sizeof *p->ring);
    if (p->ring == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to restore");
    }
    for (size_t i = 0; i < p->n; i++) {
        p->ring[i].owner = p;
        if (!ls_chunk_init(&p->ring[i].chunk, target)) {
            return ls_fail(err, LS_ENOMEM, "no memory to restore");
        }
    }
    return LS_OK;
}

ls_code ls_pipeline_new(int threads, const ls_chunk_target *target, ls_pipeline_take take,
                        void *arg, ls_pipeline **pipeline, ls_err *err) {
    ls_pipeline *p = calloc(1, sizeof *p);
    *pipeline = p;
    if (p == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to restore");
    }
    p->take = take;
    p->arg = arg;
    p->n = threads > 0 ? (size_t)threads * PIECES_PER_THREAD : 1;
    pthread_mutex_init(&p->lock, NULL); /* default attributes: neither can fail */
    pthread_cond_init(&p->wake, NULL);
    ls_code code = init_ring(p, target, err);
    if (code == LS_OK && threads > 0) {
        code = ls_pool_new("ls-restore", threads, &p->pool, err);
    }
    if (code != LS_OK) {
        ls_pipeline_free(p);
        *pipeline = NULL;
    }
    return code;
}

static void run_piece(ls_job *job) {
    ls_piece *piece = (ls_piece *)((char *)job - offsetof(ls_piece, job));
    ls_chunk_run(&piece->chunk);
    ls_pipeline *p = piece->owner;
    pthread_mutex_lock(&p->lock);
    piece->done = true;
    pthread_cond_signal(&p->wake); /* only the thread that feeds waits */
    pthread_mutex_unlock(&p->lock);
}

static ls_code take_oldest(ls_pipeline *p, ls_err *err) {
    ls_piece *piece = &p->ring[p->taken % p->n];
    pthread_mutex_lock(&p->lock);
    while (!piece->done) {
        pthread_cond_wait(&p->wake, &p->lock);
    }
    pthread_mutex_unlock(&p->lock);
    p->taken++;
    return p->take(p->arg, piece, err);
}

ls_code ls_pipeline_piece(ls_pipeline *p, ls_piece **piece, ls_err *err) {
    if (p->submitted - p->taken == p->n) {
        ls_code code = take_oldest(p, err);
        if (code != LS_OK) {
            return code;
        }
    }
    *piece = &p->ring[p->submitted % p->n];
    return LS_OK;
}

void ls_pipeline_submit(ls_pipeline *p, ls_piece *piece) {
    p->submitted++;
    piece->done = false;
    piece->job.run = run_piece;
    if (p->pool != NULL && piece->chunk.in_len >= HAND_OUT_MIN) {
        ls_pool_submit(p->pool, &piece->job);
    } else {
        run_piece(&piece->job);
    }
}

ls_code ls_pipeline_drain(ls_pipeline *p, ls_err *err) {
    while (p->taken < p->submitted) {
        ls_code code = take_oldest(p, err);
        if (code != LS_OK) {
            return code;
        }
    }
    return LS_OK;
}

void ls_pipeline_free(ls_pipeline *p) {
    if (p == NULL) {
        return;
    }
    ls_pool_free(p->pool);
    for (size_t i = 0; p->ring != NULL && i < p->n; i++) {
        ls_chunk_done(&p->ring[i].chunk);
    }
    free(p->ring);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
