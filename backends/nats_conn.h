/*
 * A connection to a NATS server with a bucket of its object store: address, login, TLS.
 *
 * The library keeps the connection up by itself; what is asked meanwhile fails at once. A bucket is
 * counted: who works with it, or reads from it, holds it.
 */
#ifndef LS_BACKENDS_NATS_CONN_H
#define LS_BACKENDS_NATS_CONN_H

#include "engine/base/error.h"

#include <nats/nats.h>
#include <stdatomic.h>
#include <stdint.h>

/* Texts stay the caller's, for as long as there are buckets; NULL where there is none. Of the ways
 * to log in the first that is complete is taken: jwt and seed, creds, nkey, username and password,
 * token. */
typedef struct ls_nats_login {
    const char *url; /* nats://host:port, without login */
    const char *bucket;
    const char *jwt, *seed;
    const char *creds; /* a file */
    const char *nkey;  /* a seed; or a public key, whose seed is seed */
    const char *username, *password;
    const char *token;
    bool tls;        /* else as the server wants */
    char **root_cas; /* files; ends with NULL; or NULL */
    const char *client_cert, *client_key;
    int max_reconnects; /* -1: no end */
    int64_t reconnect_wait_ms, timeout_ms;
} ls_nats_login;

typedef struct ls_nats_bucket {
    atomic_uint users;
    const ls_nats_login *login;
    natsConnection *nc;
    jsCtx *js;
    char *stream; /* "OBJ_" and the bucket */
} ls_nats_bucket;

/* Connects and finds the bucket. LS_EPERM for a login that is refused, LS_ECONFIG for what cannot
 * be used and for a bucket that does not exist, else LS_EREMOTE. */
LS_MUST ls_code ls_nats_bucket_open(const ls_nats_login *login, ls_nats_bucket **b, ls_err *err);
void ls_nats_bucket_hold(ls_nats_bucket *b);
void ls_nats_bucket_release(ls_nats_bucket *b); /* NULL allowed; the last one closes */

/* Ends a subscription. The library's reading thread takes no part in counting who uses it, so that
 * it is freed only when that thread has shown that it is past the last message of it. NULL allowed.
 */
void ls_nats_unsubscribe(const ls_nats_bucket *b, natsSubscription *sub);

/* Is it up? Waits while the library connects again, at most for the login's timeout. False: it
 * never will be. */
bool ls_nats_bucket_ready(const ls_nats_bucket *b);

/* The error of a call of the library; js: what the server's API said, or 0. */
ls_code ls_nats_fail(const ls_nats_login *login, natsStatus status, jsErrCode js, ls_err *err,
                     const char *what);

#endif
