/*
 * Inside engine/control: a request on its way, the server, and the handlers that the table of
 * routes names.
 *
 * A request runs on the thread of its connection from the first byte to the last. A handler reads
 * r->values, asks the store, and leaves its answer by one of the functions below; without one the
 * answer is "out of memory".
 */
#ifndef LS_CONTROL_INTERNAL_H
#define LS_CONTROL_INTERNAL_H

#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/control/jobs.h"
#include "engine/control/routes.h"
#include "engine/control/server.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* Seconds of silence after which a client is let go; a whole request may take twice that. */
#define LS_CONTROL_TIMEOUT_S 15
/* Longest answer of text. */
#define LS_CONTROL_ANSWER_BYTES ((size_t)64 << 20)
/* Streams of events at once: they must leave connections for others. */
#define LS_CONTROL_STREAMS 16

/* One listening server: the socket's or that of metrics. */
typedef struct ls_listener {
    ls_control *control;
    unsigned where; /* LS_ON_SOCKET or LS_ON_METRICS */
    int fd;
    struct MHD_Daemon *daemon;
} ls_listener;

/* A connection and since when it has been in its present request: see watch.c. */
typedef struct ls_conn {
    int fd;
    bool used, reading;
    int64_t since; /* monotonic ns */
} ls_conn;

struct ls_control {
    ls_store *store;
    const ls_log *log;
    unsigned timeout_s;
    int64_t started_ms;
    ls_listener socket, metrics;
    char *socket_path;
    dev_t socket_dev; /* which file is ours to unlink */
    ino_t socket_ino;
    ls_jobs *jobs;
    atomic_bool stopping;
    atomic_int running; /* requests that handlers work on */
    atomic_int streams;

    pthread_mutex_t mutex; /* guards conns */
    pthread_cond_t wake;
    pthread_t watcher;
    bool watching;
    ls_conn conns[2 * LS_CONTROL_CONNECTIONS];
};

struct ls_request {
    ls_control *control;
    unsigned where;
    struct MHD_Connection *connection;
    const ls_route *route;
    ls_buf body;
    size_t skipped; /* bytes of a body that is too long */
    json_t *json;
    ls_value values[LS_PARAMS_MAX];

    unsigned status;
    json_t *answer;                /* owned */
    ls_buf text;                   /* the answer, where there is no JSON */
    const char *type;              /* of text */
    struct MHD_Response *response; /* the answer, where it is a stream */
};

/* ---- http.c ---- */

enum MHD_Result ls_http_handle(void *listener, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **state);
void ls_http_completed(void *listener, struct MHD_Connection *connection, void **state,
                       enum MHD_RequestTerminationCode how);

/* ---- watch.c: a request that does not come to its end is cut off ---- */

LS_MUST ls_code ls_watch_start(ls_control *c, ls_err *err);
void ls_watch_stop(ls_control *c);
void ls_watch_connection(void *listener, struct MHD_Connection *connection, void **context,
                         enum MHD_ConnectionNotificationCode code);
void ls_watch_reading(ls_control *c, struct MHD_Connection *connection, bool reading);

/* ---- listen.c ---- */

/* A bound, listening socket at path, exactly of that mode from the moment it exists. */
LS_MUST ls_code ls_listen_unix(const char *path, unsigned mode, int *fd, ls_err *err);
LS_MUST ls_code ls_listen_tcp(const char *addr, int *fd, ls_err *err);

/* ---- answer.c ---- */

/* Takes json over; NULL: out of memory. */
void ls_answer(ls_request *r, unsigned status, json_t *json);
/* {"error": message, "details": details}; details may be NULL. */
void ls_answer_error(ls_request *r, unsigned status, const char *message, const char *details);
/* The same from an error: status 0: by its code. */
void ls_answer_err(ls_request *r, unsigned status, const ls_err *err);

/* A JSON string; what is no UTF-8 becomes U+FFFD. NULL text: null. */
json_t *ls_json_text(const char *text);
/* Sets a member and takes value over. */
void ls_json_set(json_t *object, const char *key, json_t *value);
void ls_json_set_time(json_t *object, const char *key, int64_t ms); /* ms < 0: not at all */
void ls_json_set_txid(json_t *object, const char *key, ls_txid txid);

/* The value of a parameter by name. */
const ls_value *ls_value_of(const ls_request *r, const char *name);

/* The parameter "path", expanded; false: answered already. */
bool ls_request_path(ls_request *r, char **path);

/* All of a database's state as JSON. */
json_t *ls_state_json(const ls_db_state *s);

/* ---- handlers ---- */

void ls_handle_info(ls_request *r);
void ls_handle_list(ls_request *r);
void ls_handle_txid(ls_request *r);
void ls_handle_sync_status(ls_request *r);
void ls_handle_start(ls_request *r);
void ls_handle_stop(ls_request *r);
void ls_handle_sync(ls_request *r);
void ls_handle_register(ls_request *r);
void ls_handle_unregister(ls_request *r);
void ls_handle_reload(ls_request *r);
void ls_handle_snapshot(ls_request *r);
void ls_handle_databases(ls_request *r);
void ls_handle_database(ls_request *r);
void ls_handle_healthz(ls_request *r);
void ls_handle_readyz(ls_request *r);
void ls_handle_events(ls_request *r);
void ls_handle_verify(ls_request *r);
void ls_handle_restore(ls_request *r);
void ls_handle_jobs(ls_request *r);
void ls_handle_jobs_cancel(ls_request *r);
void ls_handle_metrics(ls_request *r);

#endif
