/*
 * The worker pool (engine/base/pool.c).
 */
#include "engine/base/pool.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define JOBS 5000
#define DEADLINE_S 10

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int running; /* under lock */
static bool released;

/* Waits under lock until *value is want or the deadline passes. */
static bool await(const int *value, int want) {
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DEADLINE_S;
    int rc = 0;
    while (*value != want && rc == 0) {
        rc = pthread_cond_timedwait(&changed, &lock, &until);
    }
    return *value == want;
}

typedef struct counted {
    ls_job base;
    int order;
    ls_pool *again; /* queue once more from within */
} counted;

static atomic_int ran;

static void count(ls_job *job) {
    counted *c = (counted *)job;
    c->order = atomic_fetch_add(&ran, 1);
    ls_pool *again = c->again;
    if (again != NULL) {
        c->again = NULL;
        ls_pool_submit(again, job);
    }
}

static ls_pool *pool_new(int threads) {
    ls_err err = LS_ERR_INIT;
    ls_pool *pool;
    assert_int_equal(ls_pool_new("a-name-of-more-than-15-bytes", threads, &pool, &err), LS_OK);
    return pool;
}

static void one_thread_keeps_the_order(void **state) {
    (void)state;
    counted *jobs = calloc(JOBS, sizeof *jobs);
    ls_pool *pool = pool_new(1);
    atomic_store(&ran, 0);
    for (int i = 0; i < JOBS; i++) {
        jobs[i].base.run = count;
        ls_pool_submit(pool, &jobs[i].base);
    }
    ls_pool_free(pool);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(jobs[i].order, i);
    }
    free(jobs);
}

static void free_waits_for_all_jobs(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        counted *jobs = calloc(JOBS, sizeof *jobs);
        ls_pool *pool = pool_new(4);
        atomic_store(&ran, 0);
        for (int i = 0; i < JOBS / 20; i++) {
            jobs[i] = (counted){.base.run = count, .again = i % 2 == 0 ? pool : NULL};
            ls_pool_submit(pool, &jobs[i].base);
        }
        ls_pool_free(pool);
        assert_int_equal(atomic_load(&ran), JOBS / 20 + JOBS / 40);
        free(jobs);
    }
    ls_pool_free(NULL);
}

static void block(ls_job *job) {
    (void)job;
    pthread_mutex_lock(&lock);
    running++;
    pthread_cond_broadcast(&changed);
    while (!released) {
        pthread_cond_wait(&changed, &lock);
    }
    running--;
    pthread_mutex_unlock(&lock);
}

/* All threads run at the same time, each with the pool's name. */
static void all_threads_work(void **state) {
    (void)state;
    ls_job jobs[8] = {{.run = block}, {.run = block}, {.run = block}, {.run = block},
                      {.run = block}, {.run = block}, {.run = block}, {.run = block}};
    ls_pool *pool = pool_new(8);
    for (size_t i = 0; i < 8; i++) {
        ls_pool_submit(pool, &jobs[i]);
    }
    pthread_mutex_lock(&lock);
    bool all = await(&running, 8);
    released = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    ls_pool_free(pool);
    assert_true(all);
    assert_int_equal(running, 0);
}

typedef struct looked {
    ls_job base;
    sigset_t mask;
    char name[16];
} looked;

static void look(ls_job *job) {
    looked *l = (looked *)job;
    pthread_sigmask(SIG_SETMASK, NULL, &l->mask);
    pthread_getname_np(pthread_self(), l->name, sizeof l->name);
}

static void workers_have_names_and_no_signals(void **state) {
    (void)state;
    looked l = {.base.run = look};
    ls_pool *pool = pool_new(1);
    ls_pool_submit(pool, &l.base);
    ls_pool_free(pool);
    assert_string_equal(l.name, "a-name-of-more-");
    assert_true(sigismember(&l.mask, SIGTERM) == 1);
    assert_true(sigismember(&l.mask, SIGINT) == 1);
    assert_true(sigismember(&l.mask, SIGHUP) == 1);
    sigset_t ours;
    pthread_sigmask(SIG_SETMASK, NULL, &ours);
    assert_true(sigismember(&ours, SIGTERM) == 0);
}

/* run() may free its job: the pool does not look at it again. */
static void free_job(ls_job *job) {
    atomic_fetch_add(&ran, 1);
    free(job);
}

static void jobs_may_free_themselves(void **state) {
    (void)state;
    ls_pool *pool = pool_new(2);
    atomic_store(&ran, 0);
    for (int i = 0; i < 1000; i++) {
        ls_job *job = malloc(sizeof *job);
        assert_non_null(job);
        job->run = free_job;
        ls_pool_submit(pool, job);
    }
    ls_pool_free(pool);
    assert_int_equal(atomic_load(&ran), 1000);
}

static void wrong_counts_are_refused(void **state) {
    (void)state;
    static const int counts[] = {0, -1, 65, 1 << 30};
    for (size_t i = 0; i < 4; i++) {
        ls_err err = LS_ERR_INIT;
        ls_pool *pool = (ls_pool *)(uintptr_t)&counts;
        assert_int_equal(ls_pool_new("p", counts[i], &pool, &err), LS_EINVALID);
        assert_null(pool);
    }
    ls_pool_free(pool_new(64));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_keeps_the_order),
        cmocka_unit_test(free_waits_for_all_jobs),
        cmocka_unit_test(all_threads_work),
        cmocka_unit_test(workers_have_names_and_no_signals),
        cmocka_unit_test(jobs_may_free_themselves),
        cmocka_unit_test(wrong_counts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
