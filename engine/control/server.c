/* Start and stop of the control server: see server.h. */
#include "engine/base/clock.h"
#include "engine/control/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long running requests may take to end. */
#define STOP_NS (5 * LS_SEC)
/* Of the headers of one request. */
#define HEADERS_MAX ((size_t)32 * 1024)
#define THREAD_STACK ((size_t)512 * 1024)

static ls_code serve(ls_control *c, ls_listener *l, unsigned where, int fd, ls_err *err) {
    const unsigned flags = MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD |
                           MHD_USE_POLL | MHD_USE_ITC;

    *l = (ls_listener){.control = c, .where = where, .fd = fd};
    l->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, ls_http_handle, l, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)LS_CONTROL_CONNECTIONS,
        MHD_OPTION_CONNECTION_TIMEOUT, c->timeout_s, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        HEADERS_MAX, MHD_OPTION_THREAD_STACK_SIZE, THREAD_STACK, MHD_OPTION_NOTIFY_CONNECTION,
        ls_watch_connection, l, MHD_OPTION_NOTIFY_COMPLETED, ls_http_completed, l, MHD_OPTION_END);
    if (l->daemon != NULL)
        return LS_OK;
    return ls_fail_errno(err, errno, "start the http server");
}

static ls_code start_socket(ls_control *c, const ls_control_opts *opts, ls_err *err) {
    unsigned mode = opts->socket_mode == 0 ? 0600 : opts->socket_mode;
    struct stat st;
    int fd;

    c->socket_path = strdup(opts->socket_path);
    if (c->socket_path == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    ls_code rc = ls_listen_unix(c->socket_path, mode, &fd, err);
    if (rc != LS_OK)
        return rc;
    c->socket.fd = fd;
    if (lstat(c->socket_path, &st) == 0) {
        c->socket_dev = st.st_dev;
        c->socket_ino = st.st_ino;
    }
    return serve(c, &c->socket, LS_ON_SOCKET, fd, err);
}

static ls_code start_metrics(ls_control *c, const char *addr, ls_err *err) {
    int fd;

    ls_code rc = ls_listen_tcp(addr, &fd, err);
    if (rc != LS_OK)
        return rc;
    c->metrics.fd = fd;
    return serve(c, &c->metrics, LS_ON_METRICS, fd, err);
}

ls_code ls_control_start(ls_store *store, const ls_control_opts *opts, ls_control **control,
                         ls_err *err) {
    ls_control *c = calloc(1, sizeof *c);

    *control = NULL;
    if (c == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    c->store = store;
    c->log = opts->log;
    c->timeout_s = opts->timeout_s == 0 ? LS_CONTROL_TIMEOUT_S : opts->timeout_s;
    c->started_ms = ls_wall_ms(&ls_clock_system);
    c->socket.fd = c->metrics.fd = -1;
    ls_code rc = ls_watch_start(c, err);
    if (rc == LS_OK)
        rc = ls_jobs_new(opts->log, &c->jobs, err);
    if (rc == LS_OK && opts->socket_path != NULL)
        rc = start_socket(c, opts, err);
    if (rc == LS_OK && opts->metrics_addr != NULL)
        rc = start_metrics(c, opts->metrics_addr, err);
    if (rc != LS_OK) {
        ls_control_stop(c);
        return rc;
    }
    *control = c;
    return LS_OK;
}

/* A daemon that took the path over in between keeps its socket. */
static void unlink_socket(const ls_control *c) {
    struct stat st;

    if (c->socket_ino != 0 && lstat(c->socket_path, &st) == 0 && st.st_dev == c->socket_dev &&
        st.st_ino == c->socket_ino)
        (void)unlink(c->socket_path);
}

/* From here on nobody new is listened to. */
static void quiesce(ls_listener *l) {
    if (l->daemon != NULL)
        (void)MHD_quiesce_daemon(l->daemon);
}

static void close_listener(ls_listener *l) {
    if (l->daemon != NULL)
        MHD_stop_daemon(l->daemon);
    if (l->fd >= 0)
        (void)close(l->fd);
}

static void await_requests(const ls_control *c) {
    int64_t until = ls_mono_ns(&ls_clock_system) + STOP_NS;

    while (atomic_load(&c->running) > 0 && ls_mono_ns(&ls_clock_system) < until)
        (void)ls_pause(5 * LS_MS, NULL);
}

void ls_control_stop(ls_control *c) {
    if (c == NULL)
        return;
    atomic_store(&c->stopping, true);
    unlink_socket(c);
    quiesce(&c->socket);
    quiesce(&c->metrics);
    await_requests(c);
    close_listener(&c->socket);
    close_listener(&c->metrics);
    ls_jobs_free(c->jobs);
    ls_watch_stop(c);
    (void)pthread_cond_destroy(&c->wake);
    (void)pthread_mutex_destroy(&c->mutex);
    free(c->socket_path);
    free(c);
}
