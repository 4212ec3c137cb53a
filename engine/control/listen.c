/*
 * Sockets that listen: the control socket in the file system, and the TCP address of metrics.
 *
 * The control socket has its mode before anyone can connect: the descriptor's mode is set before
 * bind, which gives it to the file less the umask, the file's after bind, and only then does it
 * listen. A socket that is there already is replaced only if nobody answers on it. Two daemons that
 * start at once cannot both find that out: the folder is locked meanwhile.
 */
#include "engine/base/clock.h"
#include "engine/control/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64
#define LOCK_TRIES 100 /* of 10 ms */

/* ---- the control socket ---- */

static ls_code unix_address(const char *path, struct sockaddr_un *addr, ls_err *err) {
    size_t len = strlen(path);

    *addr = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (len == 0) {
        (void)ls_fail(err, LS_ECONFIG, "socket path required");
        return ls_hint(err, "write socket: {path: /run/litestream.sock}");
    }
    if (len >= sizeof addr->sun_path) {
        (void)ls_fail(err, LS_ECONFIG, "socket path is longer than %zu bytes: %s",
                      sizeof addr->sun_path - 1, path);
        return ls_hint(err, "choose a shorter path");
    }
    memcpy(addr->sun_path, path, len);
    return LS_OK;
}

static int unix_socket(void) {
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* A full backlog is somebody who is busy. */
static ls_code is_answered(const struct sockaddr_un *addr, bool *answered, ls_err *err) {
    int fd = unix_socket();

    if (fd < 0)
        return ls_fail_errno(err, errno, "make a socket");
    int rc = connect(fd, (const struct sockaddr *)addr, sizeof *addr);
    int why = errno;
    (void)close(fd);
    *answered = rc == 0 || why == EAGAIN || why == EINPROGRESS;
    if (*answered || why == ECONNREFUSED || why == ENOENT)
        return LS_OK;
    return ls_fail_errno(err, why, "check socket path: connect to %s", addr->sun_path);
}

static ls_code remove_stale(const struct sockaddr_un *addr, ls_err *err) {
    const char *path = addr->sun_path;
    bool answered = false;
    struct stat st;

    if (lstat(path, &st) != 0)
        return errno == ENOENT ? LS_OK : ls_fail_errno(err, errno, "check socket path: %s", path);
    if (!S_ISSOCK(st.st_mode)) {
        (void)ls_fail(err, LS_EINVALID, "socket path exists but is not a socket: %s", path);
        return ls_hint(err, "choose another path, or remove what is there");
    }
    ls_code rc = is_answered(addr, &answered, err);
    if (rc != LS_OK)
        return rc;
    if (answered) {
        (void)ls_fail(err, LS_EEXISTS, "another litestream answers on %s", path);
        return ls_hint(err, "stop the other one, or give each its own socket: {path: ...}");
    }
    if (unlink(path) != 0 && errno != ENOENT)
        return ls_fail_errno(err, errno, "remove existing socket: %s", path);
    return LS_OK;
}

static ls_code bind_unix(const struct sockaddr_un *addr, unsigned mode, int *fd, ls_err *err) {
    const char *path = addr->sun_path;
    ls_code rc = LS_OK;

    *fd = unix_socket();
    if (*fd < 0)
        return ls_fail_errno(err, errno, "make a socket");
    if (fchmod(*fd, (mode_t)mode) != 0 ||
        bind(*fd, (const struct sockaddr *)addr, sizeof *addr) != 0) {
        rc = ls_fail_errno(err, errno, "listen on unix socket: %s", path);
    } else if (chmod(path, (mode_t)mode) != 0 || listen(*fd, BACKLOG) != 0) {
        rc = ls_fail_errno(err, errno, "listen on unix socket: %s", path);
        (void)unlink(path);
    }
    if (rc != LS_OK) {
        (void)close(*fd);
        *fd = -1;
    }
    return rc;
}

/* -1 where it cannot be locked: it is a net, not a need. */
static int lock_folder(const char *path) {
    char *dir = ls_path_dir(path);
    int fd = dir == NULL ? -1 : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    free(dir);
    for (int i = 0; fd >= 0 && i < LOCK_TRIES && flock(fd, LOCK_EX | LOCK_NB) != 0; i++)
        (void)ls_pause(10 * LS_MS, NULL);
    return fd;
}

ls_code ls_listen_unix(const char *path, unsigned mode, int *fd, ls_err *err) {
    struct sockaddr_un addr;

    *fd = -1;
    ls_code rc = unix_address(path, &addr, err);
    if (rc != LS_OK)
        return rc;
    int folder = lock_folder(path);
    rc = remove_stale(&addr, err);
    if (rc == LS_OK)
        rc = bind_unix(&addr, mode, fd, err);
    if (folder >= 0)
        (void)close(folder);
    return rc;
}

/* ---- the address of metrics ---- */

static ls_code bad_address(const char *addr, ls_err *err) {
    (void)ls_fail(err, LS_ECONFIG, "addr is no address: %s", addr);
    return ls_hint(err, "write host:port, :port for every interface, or [::1]:port");
}

/* "[::1]:90", "host:90", ":90" into host ("" for every interface) and port. */
static bool split_address(const char *addr, char *host, size_t size, const char **port) {
    const char *colon = strrchr(addr, ':');

    if (colon == NULL || colon[1] == '\0' || colon[1 + strspn(colon + 1, "0123456789")] != '\0' ||
        strtoul(colon + 1, NULL, 10) > UINT16_MAX)
        return false;
    size_t len = (size_t)(colon - addr);
    if (len >= 2 && addr[0] == '[' && colon[-1] == ']') {
        addr++;
        len -= 2;
    } else if (memchr(addr, ':', len) != NULL) {
        return false;
    }
    if (len >= size)
        return false;
    memcpy(host, addr, len);
    host[len] = '\0';
    *port = colon + 1;
    return true;
}

/* Where no host is named one socket serves both families; a system without IPv6 has IPv4 alone. */
static int listen_on(const struct addrinfo *a) {
    const int on = 1, off = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (a->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    int why = errno;
    (void)close(fd);
    errno = why;
    return -1;
}

static int listen_first(const struct addrinfo *list, int family) {
    int fd = -1;

    for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        if (family == AF_UNSPEC || a->ai_family == family)
            fd = listen_on(a);
    }
    return fd;
}

ls_code ls_listen_tcp(const char *addr, int *fd, ls_err *err) {
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    const char *port;
    char host[256];

    *fd = -1;
    if (!split_address(addr, host, sizeof host, &port))
        return bad_address(addr, err);
    int rc = getaddrinfo(host[0] == '\0' ? NULL : host, port, &hints, &list);
    if (rc != 0)
        return ls_fail(err, LS_ENOTFOUND, "listen tcp %s: %s", addr, gai_strerror(rc));
    errno = 0;
    if (host[0] == '\0')
        *fd = listen_first(list, AF_INET6);
    if (*fd < 0)
        *fd = listen_first(list, AF_UNSPEC);
    int why = errno;
    freeaddrinfo(list);
    if (*fd >= 0)
        return LS_OK;
    (void)ls_fail_errno(err, why, "listen tcp %s", addr);
    return ls_hint(err, "another program may use the port; choose another addr");
}
