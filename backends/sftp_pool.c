/* The connections of one SFTP store; see sftp_pool.h. */
#include "backends/sftp_pool.h"

#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <pthread.h>
#include <stdlib.h>

#define RETRY_FOR (20 * LS_SEC) /* a host that does not answer is not waited for again */

typedef enum conn_state { CONN_NEW, CONN_UP, CONN_LOST } conn_state;

struct ls_sftp_conn {
    pthread_mutex_t lock; /* of the session; taken without the pool's */
    ls_sftp sftp;
    /* Under the pool's lock: */
    conn_state state;
    unsigned users;
};

struct ls_sftp_pool {
    pthread_mutex_t lock;
    ls_sftp_dial_fn dial;
    void *arg;
    ls_sftp_conn *conns[LS_SFTP_CONNECTIONS];
    unsigned n;
    unsigned most; /* connections that the server allows, as far as one knows */
};

ls_sftp_pool *ls_sftp_pool_new(ls_sftp_dial_fn dial, void *arg) {
    ls_sftp_pool *pool = calloc(1, sizeof *pool);
    if (pool != NULL) {
        pool->dial = dial;
        pool->arg = arg;
        pool->most = LS_SFTP_CONNECTIONS;
        (void)pthread_mutex_init(&pool->lock, NULL);
    }
    return pool;
}

static void conn_free(ls_sftp_conn *c) {
    ls_sftp_done(&c->sftp);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

void ls_sftp_pool_free(ls_sftp_pool *pool) {
    if (pool == NULL) {
        return;
    }
    for (unsigned i = 0; i < pool->n; i++) {
        conn_free(pool->conns[i]);
    }
    (void)pthread_mutex_destroy(&pool->lock);
    free(pool);
}

/* ---- choosing, under the pool's lock ---- */

static ls_sftp_conn *least_used(const ls_sftp_pool *pool) {
    ls_sftp_conn *best = NULL;
    for (unsigned i = 0; i < pool->n; i++) {
        if (best == NULL || pool->conns[i]->users < best->users) {
            best = pool->conns[i];
        }
    }
    return best;
}

static ls_sftp_conn *add_conn(ls_sftp_pool *pool) {
    ls_sftp_conn *c = calloc(1, sizeof *c);
    if (c != NULL) {
        (void)pthread_mutex_init(&c->lock, NULL);
        pool->conns[pool->n++] = c;
    }
    return c;
}

static void drop_conn(ls_sftp_pool *pool, const ls_sftp_conn *c) {
    for (unsigned i = 0; i < pool->n; i++) {
        if (pool->conns[i] == c) {
            pool->conns[i] = pool->conns[--pool->n];
            break;
        }
    }
    if (pool->n == 0) {
        pool->most = LS_SFTP_CONNECTIONS;
    }
}

static ls_sftp_conn *choose(ls_sftp_pool *pool) {
    (void)pthread_mutex_lock(&pool->lock);
    ls_sftp_conn *c = least_used(pool);
    if (c == NULL || (c->users > 0 && pool->n < pool->most)) {
        c = add_conn(pool);
    }
    if (c != NULL) {
        c->users++;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return c;
}

static conn_state state_of(ls_sftp_pool *pool, const ls_sftp_conn *c) {
    (void)pthread_mutex_lock(&pool->lock);
    conn_state state = c->state;
    (void)pthread_mutex_unlock(&pool->lock);
    return state;
}

/* ---- connecting ---- */

static ls_code connect_now(ls_sftp_pool *pool, ls_sftp_conn *c, ls_err *err) {
    ls_sftp_stream *stream;
    ls_code code = pool->dial(pool->arg, &stream, err);
    if (code == LS_OK) {
        code = ls_sftp_init(&c->sftp, stream, err);
    }
    (void)pthread_mutex_lock(&pool->lock);
    if (code == LS_OK) {
        c->state = CONN_UP;
    } else {
        c->state = CONN_LOST;
        drop_conn(pool, c);
        if (pool->n > 0) {
            pool->most = pool->n; /* others are up: this server takes no more */
        }
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return code;
}

/* A connection that is up as far as one knows; LS_EREMOTE if this one is not, maybe another is. */
static ls_code take_conn(ls_sftp_pool *pool, ls_sftp_conn **conn, ls_err *err) {
    ls_sftp_conn *c = choose(pool);
    if (c == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a connection");
    }
    (void)pthread_mutex_lock(&c->lock);
    conn_state state = state_of(pool, c);
    ls_code code = state == CONN_NEW ? connect_now(pool, c, err) : LS_OK;
    (void)pthread_mutex_unlock(&c->lock);
    if (code == LS_OK && state == CONN_LOST) {
        code = ls_fail(err, LS_EREMOTE, "the connection is lost");
    }
    if (code != LS_OK) {
        ls_sftp_give(pool, c);
        return code;
    }
    *conn = c;
    return LS_OK;
}

void ls_sftp_give(ls_sftp_pool *pool, ls_sftp_conn *c) {
    if (c == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&c->lock);
    (void)pthread_mutex_lock(&pool->lock);
    if (c->state == CONN_UP && c->sftp.broken) {
        c->state = CONN_LOST;
        drop_conn(pool, c);
    }
    bool last = --c->users == 0 && c->state != CONN_UP;
    if (last) {
        drop_conn(pool, c);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    (void)pthread_mutex_unlock(&c->lock);
    if (last) {
        conn_free(c);
    }
}

ls_sftp *ls_sftp_lock(ls_sftp_conn *conn) {
    (void)pthread_mutex_lock(&conn->lock);
    return &conn->sftp;
}

void ls_sftp_unlock(ls_sftp_conn *conn) { (void)pthread_mutex_unlock(&conn->lock); }

/* ---- jobs ---- */

/* *lost: it may go well on another connection. */
static ls_code run_once(ls_sftp_pool *pool, ls_sftp_job_fn job, void *arg, ls_sftp_conn **kept,
                        bool *lost, ls_err *err) {
    ls_sftp_conn *c = NULL;
    ls_code code = take_conn(pool, &c, err);
    *lost = code == LS_EREMOTE;
    if (code != LS_OK) {
        return code;
    }
    ls_sftp *s = ls_sftp_lock(c);
    code = job(s, arg, err);
    *lost = s->broken;
    ls_sftp_unlock(c);
    if (code == LS_OK && kept != NULL) {
        *kept = c;
    } else {
        ls_sftp_give(pool, c);
    }
    return code;
}

ls_code ls_sftp_run(ls_sftp_pool *pool, ls_sftp_job_fn job, void *arg, ls_sftp_conn **kept,
                    ls_err *err) {
    int64_t end = ls_mono_ns(&ls_clock_system) + RETRY_FOR;
    for (unsigned tries = 1;; tries++) {
        bool lost;
        ls_code code = run_once(pool, job, arg, kept, &lost, err);
        if (code == LS_OK || !lost || tries == LS_SFTP_TRIES ||
            ls_mono_ns(&ls_clock_system) > end) {
            return code;
        }
        ls_err_clear(err);
        (void)ls_pause(ls_retry_pause_ns(tries - 1), NULL);
    }
}
