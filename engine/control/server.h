/*
 * The control server: HTTP/1.1 on a Unix socket, and the metrics server on a TCP address. One table
 * of routes (routes.h) says method, path, parameters and handler; doc/control-api.md and the tests
 * come from it.
 *
 * A request is bounded in size (LS_CONTROL_BODY_MAX), number (LS_CONTROL_CONNECTIONS) and time, and
 * runs on a thread of its own, so that a slow or silent client holds up nobody, least of all the
 * loop. The socket has mode 0600 unless told otherwise from the moment it exists; one that is there
 * is replaced only if nobody answers on it.
 */
#ifndef LS_CONTROL_SERVER_H
#define LS_CONTROL_SERVER_H

#include "engine/store/calls.h"

#define LS_CONTROL_BODY_MAX (64u * 1024)
#define LS_CONTROL_CONNECTIONS 64

typedef struct ls_control ls_control;

typedef struct ls_control_opts {
    const char *socket_path;  /* NULL: no control socket */
    unsigned socket_mode;     /* 0600 */
    const char *metrics_addr; /* "host:port" or ":port" (loopback and others); NULL: none */
    unsigned timeout_s;       /* of silence, after which a client is let go; 0: 15 */
    const ls_log *log;        /* may be NULL; outlives the server */
} ls_control_opts;

/* Starts what opts ask for. Errors as in spec cli-config 4: "socket path exists but is not a
 * socket: P", LS_EEXISTS "another litestream answers on P". store must outlive the server. */
LS_MUST ls_code ls_control_start(ls_store *store, const ls_control_opts *opts, ls_control **control,
                                 ls_err *err);

/* Answers running requests within 5 s, closes, unlinks the socket. NULL allowed. */
void ls_control_stop(ls_control *control);

#endif
