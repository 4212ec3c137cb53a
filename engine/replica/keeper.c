/* Threads that renew leases: see keeper.h. */
#include "engine/replica/keeper.h"

#include "engine/base/text.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

/* A store that does not answer keeps a thread for a while; the others go on. */
#define THREADS 4
#define NEVER (24 * 3600 * LS_SEC)

typedef struct item {
    ls_lease *lease;
    int64_t next; /* monotonic ns */
    bool busy, gone;
} item;

struct ls_keeper {
    pthread_mutex_t lock; /* guards all of it */
    pthread_cond_t wake;
    item *items;
    size_t n, cap;
    pthread_t threads[THREADS];
    int n_threads;
    bool stopping;
};

static int64_t now(void) { return ls_mono_ns(&ls_clock_system); }

/* The one that is to be renewed first, and in how many ns; NULL: none. */
static item *first_of(const ls_keeper *k, int64_t *ns) {
    item *first = NULL;
    for (size_t i = 0; i < k->n; i++) {
        item *it = &k->items[i];
        if (!it->busy && (first == NULL || it->next < first->next)) {
            first = it;
        }
    }
    *ns = first == NULL ? NEVER : first->next - now();
    return first;
}

static size_t find(const ls_keeper *k, const ls_lease *lease) {
    size_t i = 0;
    while (i < k->n && k->items[i].lease != lease) {
        i++;
    }
    return i;
}

static void take_out(ls_keeper *k, size_t i) {
    ls_lease_free(k->items[i].lease);
    k->items[i] = k->items[--k->n];
}

/* A failed one is tried again sooner: there is time for more than one try. */
static void renewed(ls_keeper *k, ls_lease *lease, ls_code rc) {
    size_t i = find(k, lease);
    int64_t interval = ls_lease_interval(lease);
    k->items[i].busy = false;
    k->items[i].next = now() + (rc == LS_OK ? interval : interval / 3);
    if (k->items[i].gone) {
        take_out(k, i);
    }
    (void)pthread_cond_signal(&k->wake);
}

static void nap(ls_keeper *k, int64_t ns) {
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ns / LS_SEC;
    until.tv_nsec += ns % LS_SEC;
    until.tv_sec += until.tv_nsec / LS_SEC;
    until.tv_nsec %= LS_SEC;
    (void)pthread_cond_timedwait(&k->wake, &k->lock, &until);
}

static void *work(void *arg) {
    ls_keeper *k = arg;
    (void)pthread_mutex_lock(&k->lock);
    while (!k->stopping) {
        int64_t ns;
        item *it = first_of(k, &ns);
        if (ns > 0) {
            nap(k, ns);
            continue;
        }
        ls_lease *lease = it->lease;
        it->busy = true;
        (void)pthread_mutex_unlock(&k->lock);
        ls_err err = LS_ERR_INIT;
        ls_code rc = ls_lease_renew(lease, &err); /* it says what is to be said */
        (void)pthread_mutex_lock(&k->lock);
        renewed(k, lease, rc);
    }
    (void)pthread_mutex_unlock(&k->lock);
    return NULL;
}

/* With all signals blocked: they belong to the thread that waits for them. */
static ls_code start_threads(ls_keeper *k, ls_err *err) {
    sigset_t all, old;
    int rc = 0;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    while (rc == 0 && k->n_threads < THREADS) {
        rc = pthread_create(&k->threads[k->n_threads], NULL, work, k);
        k->n_threads += rc == 0;
    }
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return k->n_threads > 0 ? LS_OK : ls_fail_errno(err, rc, "start a thread that renews leases");
}

static ls_code make_room(ls_keeper *k, ls_err *err) {
    if (k->n < k->cap) {
        return LS_OK;
    }
    size_t cap = k->cap == 0 ? 8 : 2 * k->cap;
    item *items = reallocarray(k->items, cap, sizeof *items);
    if (items == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a lease");
    }
    k->items = items;
    k->cap = cap;
    return LS_OK;
}

ls_code ls_keeper_add(ls_keeper *k, ls_lease *lease, ls_err *err) {
    (void)pthread_mutex_lock(&k->lock);
    ls_code rc = k->n_threads > 0 ? LS_OK : start_threads(k, err);
    if (rc == LS_OK) {
        rc = make_room(k, err);
    }
    if (rc == LS_OK) {
        k->items[k->n++] = (item){.lease = lease, .next = now() + ls_lease_interval(lease)};
        (void)pthread_cond_signal(&k->wake);
    }
    (void)pthread_mutex_unlock(&k->lock);
    if (rc != LS_OK) {
        ls_lease_free(lease);
    }
    return rc;
}

void ls_keeper_drop(ls_keeper *k, ls_lease *lease) {
    if (lease == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&k->lock);
    size_t i = find(k, lease);
    k->items[i].gone = true;
    if (!k->items[i].busy) {
        take_out(k, i);
    }
    (void)pthread_mutex_unlock(&k->lock);
}

ls_code ls_keeper_new(ls_keeper **out, ls_err *err) {
    ls_keeper *k = calloc(1, sizeof *k);
    *out = k;
    if (k == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to renew leases");
    }
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&k->lock, NULL);
    (void)pthread_cond_init(&k->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    return LS_OK;
}

void ls_keeper_free(ls_keeper *k) {
    if (k == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&k->lock);
    k->stopping = true;
    (void)pthread_cond_broadcast(&k->wake);
    (void)pthread_mutex_unlock(&k->lock);
    for (int i = 0; i < k->n_threads; i++) {
        (void)pthread_join(k->threads[i], NULL);
    }
    while (k->n > 0) {
        take_out(k, k->n - 1);
    }
    (void)pthread_cond_destroy(&k->wake);
    (void)pthread_mutex_destroy(&k->lock);
    free(k->items);
    free(k);
}
