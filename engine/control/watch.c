/*
 * Clients that never come to the end of a request.
 *
 * libmicrohttpd lets a client go after a time of silence. One that sends a byte now and then is
 * never silent, and as many of them as there are connections would lock everybody out: so a thread
 * looks at how long each connection has been reading its request, and shuts it down after twice
 * that time.
 */
#include "engine/control/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static int64_t now(void) { return ls_mono_ns(&ls_clock_system); }

static void cut_slow(ls_control *c) {
    int64_t limit = now() - 2 * (int64_t)c->timeout_s * LS_SEC;

    for (size_t i = 0; i < sizeof c->conns / sizeof *c->conns; i++) {
        ls_conn *conn = &c->conns[i];
        if (conn->used && conn->reading && conn->since < limit)
            (void)shutdown(conn->fd, SHUT_RDWR);
    }
}

static void *watch(void *arg) {
    ls_control *c = arg;
    struct timespec until;

    (void)pthread_mutex_lock(&c->mutex);
    while (!atomic_load(&c->stopping)) {
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += 1 + (time_t)c->timeout_s / 4;
        (void)pthread_cond_timedwait(&c->wake, &c->mutex, &until);
        cut_slow(c);
    }
    (void)pthread_mutex_unlock(&c->mutex);
    return NULL;
}

ls_code ls_watch_start(ls_control *c, ls_err *err) {
    pthread_condattr_t attr;

    (void)pthread_mutex_init(&c->mutex, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&c->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    int rc = pthread_create(&c->watcher, NULL, watch, c);
    c->watching = rc == 0;
    return rc == 0 ? LS_OK : ls_fail_errno(err, rc, "start a thread of the control server");
}

void ls_watch_stop(ls_control *c) {
    if (!c->watching)
        return;
    (void)pthread_mutex_lock(&c->mutex);
    (void)pthread_cond_signal(&c->wake);
    (void)pthread_mutex_unlock(&c->mutex);
    (void)pthread_join(c->watcher, NULL);
    c->watching = false;
}

static ls_conn *free_slot(ls_control *c) {
    for (size_t i = 0; i < sizeof c->conns / sizeof *c->conns; i++) {
        if (!c->conns[i].used)
            return &c->conns[i];
    }
    return NULL;
}

/* The end is told before the descriptor is closed, so that no other is shut down in its place. */
void ls_watch_connection(void *listener, struct MHD_Connection *connection, void **context,
                         enum MHD_ConnectionNotificationCode code) {
    ls_control *c = ((ls_listener *)listener)->control;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    ls_conn *conn = *context;

    (void)pthread_mutex_lock(&c->mutex);
    if (code == MHD_CONNECTION_NOTIFY_CLOSED && conn != NULL) {
        conn->used = false;
    } else if (code == MHD_CONNECTION_NOTIFY_STARTED && info != NULL) {
        conn = *context = free_slot(c);
        if (conn != NULL)
            *conn =
                (ls_conn){.fd = info->connect_fd, .used = true, .reading = true, .since = now()};
    }
    (void)pthread_mutex_unlock(&c->mutex);
}

void ls_watch_reading(ls_control *c, struct MHD_Connection *connection, bool reading) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    ls_conn *conn = info == NULL ? NULL : info->socket_context;

    if (conn == NULL)
        return;
    (void)pthread_mutex_lock(&c->mutex);
    conn->reading = reading;
    conn->since = now();
    (void)pthread_mutex_unlock(&c->mutex);
}
