/*
 * Fuzz target: what a daemon answers, as a client of the control socket reads it: a JSON body of
 * any status, a stream of events, and a whole response as it stands.
 */
#include "t/fuzz/fuzz.h"

#include "engine/base/text.h"
#include "engine/control/client.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A server that answers each request with these bytes. */
static struct {
    char path[sizeof((struct sockaddr_un *)NULL)->sun_path];
    int fd;
    pthread_mutex_t mutex; /* guards the answer */
    char head[128];
    const uint8_t *body;
    size_t len;
} server = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void send_all(int fd, const void *data, size_t len) {
    const char *p = data;

    while (len > 0) {
        ssize_t n = send(fd, p, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        p += n;
        len -= (size_t)n;
    }
}

static void *serve(void *arg) {
    char request[4096];

    for (;;) {
        int fd = accept4(server.fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return arg;
        if (recv(fd, request, sizeof request, 0) > 0) {
            (void)pthread_mutex_lock(&server.mutex);
            send_all(fd, server.head, strlen(server.head));
            send_all(fd, server.body, server.len);
            (void)pthread_mutex_unlock(&server.mutex);
        }
        (void)close(fd);
    }
}

static void start_server(void) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    pthread_t thread;

    (void)snprintf(server.path, sizeof server.path, "/tmp/ls-fuzz-answer-%ld", (long)getpid());
    (void)unlink(server.path);
    memcpy(addr.sun_path, server.path, sizeof addr.sun_path);
    server.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT(server.fd >= 0 && bind(server.fd, (struct sockaddr *)&addr, sizeof addr) == 0);
    EXPECT(listen(server.fd, 8) == 0 && pthread_create(&thread, NULL, serve, NULL) == 0);
    (void)pthread_detach(thread);
}

static void stop_server(void) { (void)unlink(server.path); }

static void set_answer(const char *head, const uint8_t *body, size_t len) {
    (void)pthread_mutex_lock(&server.mutex);
    (void)snprintf(server.head, sizeof server.head, "%s", head);
    server.body = body;
    server.len = len;
    (void)pthread_mutex_unlock(&server.mutex);
}

static void set_body(int status, const uint8_t *body, size_t len) {
    char head[128];

    (void)snprintf(head, sizeof head,
                   "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n", status,
                   len);
    set_answer(head, body, len);
}

static void ask(ls_client *c, int status) {
    json_t *answer = NULL;
    ls_err err = LS_ERR_INIT;

    ls_code rc = ls_client_call(c, "GET", "/info", NULL, 5 * LS_SEC, &answer, &err);
    EXPECT((rc == LS_OK) == (err.msg[0] == '\0'));
    EXPECT(rc != LS_OK || answer != NULL);
    EXPECT(status == 200 || rc != LS_OK);
    EXPECT(rc != LS_ETIMEDOUT || status != 200);
    json_decref(answer);
}

static bool take_event(void *arg, const json_t *event) {
    EXPECT(event != NULL);
    return ++*(int *)arg < 100;
}

static void follow(ls_client *c) {
    ls_err err = LS_ERR_INIT;
    int n = 0;

    ls_code rc = ls_client_events(c, 0, take_event, &n, NULL, &err);
    EXPECT((rc == LS_OK) == (err.msg[0] == '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static ls_client *client;
    ls_err err = LS_ERR_INIT;

    if (client == NULL) {
        start_server();
        (void)atexit(stop_server);
        EXPECT(ls_client_new(server.path, &client, &err) == LS_OK);
    }
    set_body(200, data, size);
    ask(client, 200);
    follow(client);
    set_body(409, data, size);
    ask(client, 409);
    if (size > 0 && memchr(data, '\n', size) != NULL) { /* it may be a response */
        set_answer("", data, size);
        ask(client, 200);
    }
    set_answer("", NULL, 0); /* once the server is done with the input */
    return 0;
}
