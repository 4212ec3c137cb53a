/*
 * What tests of the control server share: a server on a scripted store in a folder of its own, and
 * requests byte by byte. Include after cmocka.h.
 */
#ifndef LS_T_CONTROL_KIT_H
#define LS_T_CONTROL_KIT_H

#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/control/server.h"
#include "t/engine/control/fake_store.h"
#include "t/support/tempdir.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

typedef struct fixture {
    char *dir, *socket;
    ls_store *store;
    ls_control *control;
    ls_err err;
} fixture;

static inline int64_t now_ns(void) { return ls_mono_ns(&ls_clock_system); }

static inline void nap(int ms) {
    const struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * LS_MS};
    (void)nanosleep(&t, NULL);
}

/* Two databases: /a, replicated up to TXID 5, and /b, stopped. timeout_s: see ls_control_opts. */
static inline void start_server(fixture *f, unsigned timeout_s) {
    const ls_control_opts opts = {.socket_path = f->socket, .timeout_s = timeout_s};
    if (ls_control_start(f->store, &opts, &f->control, &f->err) != LS_OK)
        fail_msg("%s", f->err.msg);
}

static inline fixture *fixture_new(void) {
    fixture *f = calloc(1, sizeof *f);
    void *dir = NULL;
    assert_non_null(f);
    assert_int_equal(tempdir_setup(&dir), 0);
    f->dir = dir;
    f->socket = ls_path_join(f->dir, "s");
    f->store = fake_store_new();
    fake_store_add(f->store, "/a", LS_DB_REPLICATING, 5)->last_sync_ms = 1700000000123;
    (void)fake_store_add(f->store, "/b", LS_DB_STOPPED, 9);
    return f;
}

static inline int setup(void **state) {
    fixture *f = *state = fixture_new();
    start_server(f, 0);
    return 0;
}

/* Clients are let go after a second. */
static inline int setup_impatient(void **state) {
    fixture *f = *state = fixture_new();
    start_server(f, 1);
    return 0;
}

/* No server yet. */
static inline int setup_alone(void **state) {
    *state = fixture_new();
    return 0;
}

static inline int teardown(void **state) {
    fixture *f = *state;
    void *dir = f->dir;
    fake_store_block(f->store, false);
    ls_control_stop(f->control);
    fake_store_free(f->store);
    free(f->socket);
    free(f);
    return tempdir_teardown(&dir);
}

/* ---- requests ---- */

static inline int dial(const fixture *f) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memcpy(addr.sun_path, f->socket, strlen(f->socket));
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

static inline bool send_text(int fd, const char *text, size_t len) {
    while (len > 0) {
        ssize_t n = send(fd, text, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        text += n;
        len -= (size_t)n;
    }
    return true;
}

/* All that comes until the other side closes, at most 20 s; the caller frees it. */
static inline char *receive_all(int fd) {
    int64_t until = now_ns() + 20 * LS_SEC;
    size_t len = 0, cap = 1 << 16;
    char *text = malloc(cap);
    ssize_t n = 1;
    while (n > 0) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (now_ns() > until || poll(&p, 1, 20000) <= 0)
            fail_msg("the server neither answers nor closes");
        if (cap - len < 4096)
            text = realloc(text, cap *= 2);
        n = recv(fd, text + len, cap - len - 1, 0);
        len += n > 0 ? (size_t)n : 0;
    }
    text[len] = '\0';
    return text;
}

typedef struct reply {
    int status; /* 0: the connection was closed without one */
    char *text; /* owned */
    char *body;
} reply;

static inline reply reply_of(int fd) {
    reply r = {.text = receive_all(fd)};
    (void)close(fd);
    char *end = strstr(r.text, "\r\n\r\n");
    r.body = end == NULL ? r.text : end + 4;
    if (sscanf(r.text, "HTTP/1.1 %d", &r.status) != 1)
        r.status = 0;
    return r;
}

static inline reply ask(const fixture *f, const char *method, const char *target,
                        const char *body) {
    int fd = dial(f);
    char *head =
        ls_asprintf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                    "Content-Length: %zu\r\n\r\n%s",
                    method, target, body == NULL ? 0 : strlen(body), body == NULL ? "" : body);
    (void)send_text(fd, head, strlen(head)); /* the server may answer before it has read it */
    free(head);
    return reply_of(fd);
}

/* The answer is exactly that. */
static inline void expect(const fixture *f, const char *method, const char *target,
                          const char *body, int status, const char *want) {
    reply r = ask(f, method, target, body);
    size_t len = strlen(want);
    if (r.status != status || strncmp(r.body, want, len) != 0 || strcmp(r.body + len, "\n") != 0)
        fail_msg("%s %s %s: %d %swant: %d %s", method, target, body == NULL ? "" : body, r.status,
                 r.body, status, want);
    free(r.text);
}

/* The answer has this in it. */
static inline void expect_part(const fixture *f, const char *method, const char *target,
                               const char *body, int status, const char *part) {
    reply r = ask(f, method, target, body);
    if (r.status != status || strstr(r.text, part) == NULL)
        fail_msg("%s %s %s: %s\nwant: %d ... %s", method, target, body == NULL ? "" : body, r.text,
                 status, part);
    free(r.text);
}

#endif
