/*
 * The control server among clients that are slow, silent, rude or many, its streams, its socket
 * file, and its end.
 */
#include "engine/control/internal.h"

#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "t/engine/control/kit.h"

#define A "{\"path\":\"/a\"}"

static void check_served(const fixture *f) {
    expect(f, "GET", "/txid?path=/a", NULL, 200, "{\"txid\":5}");
}

/* The server closes the connection within the time that receive_all allows. */
static void check_closed(int fd) {
    char *text = receive_all(fd);
    (void)close(fd);
    free(text);
}

/* ---- size ---- */

static void test_body_at_its_limit(void **state) {
    fixture *f = *state;
    char *body = malloc(LS_CONTROL_BODY_MAX + 2);

    memset(body, ' ', LS_CONTROL_BODY_MAX + 1);
    memcpy(body, A, strlen(A));
    body[LS_CONTROL_BODY_MAX] = '\0';
    expect_part(f, "POST", "/sync", body, 200, "no_change");
    body[LS_CONTROL_BODY_MAX] = ' ';
    body[LS_CONTROL_BODY_MAX + 1] = '\0';
    expect(f, "POST", "/sync", body, 413,
           "{\"error\":\"request body is larger than 65536 bytes\"}");
    free(body);
}

static void send_chunks(int fd, size_t chunks) {
    static const char head[] = "POST /sync HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    char chunk[4096 + 8];

    memset(chunk, 'x', sizeof chunk);
    memcpy(chunk, "1000\r\n", 6);
    memcpy(chunk + 6 + 4096, "\r\n", 2);
    assert_true(send_text(fd, head, strlen(head)));
    for (size_t i = 0; i < chunks; i++) {
        if (!send_text(fd, chunk, sizeof chunk))
            return;
    }
    (void)send_text(fd, "0\r\n\r\n", 5);
}

static void test_chunked_bodies(void **state) {
    fixture *f = *state;
    int fd = dial(f);

    send_chunks(fd, 3);
    reply r = reply_of(fd);
    assert_int_equal(r.status, 400);
    free(r.text);
    fd = dial(f);
    send_chunks(fd, 17);
    r = reply_of(fd);
    assert_int_equal(r.status, 413);
    free(r.text);
    /* Without an end: the connection ends. */
    fd = dial(f);
    send_chunks(fd, 100000);
    check_closed(fd);
    check_served(f);
}

static void test_garbage(void **state) {
    static const char *const texts[] = {
        "\r\n\r\n\r\n",
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET /info HTTP/9.9\r\n\r\n",
        "GET /info\r\n\r\n",
        "POST /sync HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /sync HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "POST /sync HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int fd = dial(f);
        (void)send_text(fd, texts[i], strlen(texts[i]));
        (void)shutdown(fd, SHUT_WR);
        reply r = reply_of(fd);
        assert_int_not_equal(r.status, 200);
        free(r.text);
    }
    int fd = dial(f);
    char *big = malloc(1 << 20);
    memset(big, 'h', 1 << 20);
    (void)send_text(fd, "GET /", 5);
    (void)send_text(fd, big, 1 << 20);
    check_closed(fd);
    free(big);
    check_served(f);
}

/* ---- time ---- */

static void test_silent_client(void **state) {
    fixture *f = *state;
    int silent = dial(f), half = dial(f);

    assert_true(send_text(half, "POST /sync HT", 13));
    check_served(f);
    check_closed(silent);
    check_closed(half);
}

/* One that is never silent for long, but never comes to an end either. */
static void test_dripping_client(void **state) {
    fixture *f = *state;
    int64_t until = now_ns() + 20 * LS_SEC;
    int fd = dial(f);

    assert_true(send_text(fd, "GET /info HTTP/1.1\r\nX: ", 23));
    while (send_text(fd, "x", 1)) {
        if (now_ns() > until)
            fail_msg("a client that sends a byte now and then is never let go");
        nap(100);
    }
    (void)close(fd);
    check_served(f);
}

static bool is_served(const fixture *f) {
    reply r = ask(f, "GET", "/txid?path=/a", NULL);
    bool served = r.status == 200;
    free(r.text);
    return served;
}

/* As many silent ones as there are connections: the next is refused until they are let go. */
static void test_all_connections_taken(void **state) {
    fixture *f = *state;
    int fds[LS_CONTROL_CONNECTIONS];

    for (int i = 0; i < LS_CONTROL_CONNECTIONS; i++)
        fds[i] = dial(f);
    int64_t until = now_ns() + 20 * LS_SEC;
    while (!is_served(f)) {
        if (now_ns() > until)
            fail_msg("silent clients lock everybody out");
        nap(20);
    }
    for (int i = 0; i < LS_CONTROL_CONNECTIONS; i++)
        (void)close(fds[i]);
}

static void *unblock_later(void *arg) {
    fixture *f = arg;
    nap(2500);
    fake_store_block(f->store, false);
    return NULL;
}

/* A call that takes longer than a client may be silent has its answer all the same. */
static void test_long_call(void **state) {
    fixture *f = *state;
    pthread_t thread;

    fake_store_block(f->store, true);
    assert_int_equal(pthread_create(&thread, NULL, unblock_later, f), 0);
    expect_part(f, "POST", "/sync", "{\"path\":\"/a\",\"wait\":true}", 200, "no_change");
    assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- number ---- */

typedef struct many {
    const fixture *f;
    int wrong;
} many;

static void *ask_often(void *arg) {
    static const char *const targets[] = {"/list", "/metrics", "/databases", "/readyz", "/jobs"};
    many *m = arg;

    for (int i = 0; i < 40; i++) {
        reply r = ask(m->f, "GET", targets[i % 5], NULL);
        m->wrong += r.status != 200;
        free(r.text);
        r = ask(m->f, "POST", "/sync", A);
        m->wrong += r.status != 200 || strstr(r.body, "no_change") == NULL;
        free(r.text);
    }
    return NULL;
}

static void test_many_at_once(void **state) {
    enum { THREADS = 8 };
    fixture *f = *state;
    pthread_t threads[THREADS];
    many each[THREADS];

    for (int i = 0; i < THREADS; i++) {
        each[i] = (many){.f = f};
        assert_int_equal(pthread_create(&threads[i], NULL, ask_often, &each[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(each[i].wrong, 0);
    }
}

/* Several requests on one connection. */
static void test_keep_alive(void **state) {
    fixture *f = *state;
    int fd = dial(f);
    static const char two[] = "GET /txid?path=/a HTTP/1.1\r\nHost: x\r\n\r\n"
                              "GET /txid?path=/b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    assert_true(send_text(fd, two, strlen(two)));
    char *text = receive_all(fd);
    (void)close(fd);
    assert_non_null(strstr(text, "{\"txid\":5}\nHTTP/1.1 200"));
    assert_non_null(strstr(text, "{\"txid\":9}\n"));
    free(text);
}

/* ---- events ---- */

static int open_events(const fixture *f, const char *query, const char *header) {
    int fd = dial(f);
    char *text = ls_asprintf("GET /events%s HTTP/1.1\r\nHost: x\r\n%s\r\n", query, header);

    assert_true(send_text(fd, text, strlen(text)));
    free(text);
    return fd;
}

/* Reads on until this has come. */
static void await_text(int fd, const char *part) {
    char text[16384];
    size_t len = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        text[len] = '\0';
        if (strstr(text, part) != NULL)
            return;
        if (poll(&p, 1, 10000) <= 0)
            fail_msg("%s\nnever had %s", text, part);
        ssize_t n = recv(fd, text + len, sizeof text - len - 1, 0);
        if (n <= 0)
            fail_msg("%s\nended before %s", text, part);
        len += (size_t)n;
    }
}

static void test_events(void **state) {
    fixture *f = *state;

    fake_store_event(f->store, LS_EVENT_CAPTURE, "/a", 6);
    fake_store_event(f->store, LS_EVENT_UPLOAD, "/a", 6);
    int all = open_events(f, "", ""), second = open_events(f, "?after=1", "");
    int third = open_events(f, "", "Last-Event-ID: 2\r\n");
    await_text(all, "id: 1\nevent: capture\ndata: {\"number\":1,\"kind\":\"capture\",\"at\":"
                    "\"1970-01-01T00:00:01.000Z\",\"path\":\"/a\",\"level\":0,\"min_txid\":"
                    "\"0000000000000006\",\"max_txid\":\"0000000000000006\",\"bytes\":100,\"text\":"
                    "\"event \\\"1\\\"\\nof two lines\"}\n\n");
    await_text(second, "\r\n\r\n");
    fake_store_event(f->store, LS_EVENT_ERROR, "/b", 0);
    await_text(third, "id: 3\nevent: error\n");
    (void)close(all);
    (void)close(second);
    (void)close(third);
}

static void test_too_many_streams(void **state) {
    fixture *f = *state;
    int fds[LS_CONTROL_STREAMS];

    fake_store_event(f->store, LS_EVENT_CAPTURE, "/a", 6);
    for (int i = 0; i < LS_CONTROL_STREAMS; i++) {
        fds[i] = open_events(f, "", "");
        await_text(fds[i], "id: 1\n");
    }
    expect(f, "GET", "/events", NULL, 503, "{\"error\":\"too many streams of events\"}");
    check_served(f);
    for (int i = 0; i < LS_CONTROL_STREAMS; i++)
        (void)close(fds[i]);
    fake_store_fail(f->store, LS_ENOTREADY, "not running");
    expect_part(f, "GET", "/events", NULL, 503, "error");
    fake_store_fail(f->store, LS_OK, "");
}

static void test_stop_ends_streams(void **state) {
    fixture *f = *state;
    int fd = open_events(f, "", ""), idle = dial(f);

    await_text(fd, "text/event-stream");
    int64_t begin = now_ns();
    ls_control_stop(f->control);
    f->control = NULL;
    assert_true(now_ns() - begin < 15 * LS_SEC);
    check_closed(fd);
    check_closed(idle);
    assert_absent(f->socket);
}

typedef struct asked {
    const fixture *f;
    reply r;
} asked;

static void *ask_sync(void *arg) {
    asked *a = arg;
    a->r = ask(a->f, "POST", "/sync", A);
    return NULL;
}

static bool is_asked(const fixture *f) {
    return strcmp(fake_store_last(f->store).name, "sync") == 0;
}

static void *stop_server(void *arg) {
    ls_control_stop(arg);
    return NULL;
}

/* What runs is answered, what comes while the server ends is not. */
static void test_stop_answers_what_runs(void **state) {
    fixture *f = *state;
    pthread_t client, stopper;
    asked a = {.f = f};

    fake_store_block(f->store, true);
    assert_int_equal(pthread_create(&client, NULL, ask_sync, &a), 0);
    while (!is_asked(f))
        nap(2);
    assert_int_equal(pthread_create(&stopper, NULL, stop_server, f->control), 0);
    f->control = NULL;
    while (access(f->socket, F_OK) == 0)
        nap(2);
    fake_store_block(f->store, false);
    assert_int_equal(pthread_join(client, NULL), 0);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    assert_int_equal(a.r.status, 200);
    free(a.r.text);
}

/* ---- the socket's file ---- */

static void start_fails(fixture *f, const char *path, ls_code code, const char *part) {
    const ls_control_opts opts = {.socket_path = path};
    ls_control *c = NULL;
    ls_err err = LS_ERR_INIT;

    assert_int_equal(ls_control_start(f->store, &opts, &c, &err), code);
    assert_null(c);
    if (strstr(err.msg, part) == NULL)
        fail_msg("%s, not %s", err.msg, part);
}

static unsigned mode_of(const char *path) {
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    return st.st_mode & 07777;
}

static void test_mode(void **state) {
    static const unsigned umasks[] = {0, 022, 077, 0777};
    fixture *f = *state;

    for (size_t i = 0; i < sizeof umasks / sizeof *umasks; i++) {
        mode_t before = umask((mode_t)umasks[i]);
        start_server(f, 0);
        unsigned plain = mode_of(f->socket);
        ls_control_stop(f->control);
        const ls_control_opts opts = {.socket_path = f->socket, .socket_mode = 0660};
        assert_int_equal(ls_control_start(f->store, &opts, &f->control, &f->err), LS_OK);
        unsigned group = mode_of(f->socket);
        ls_control_stop(f->control);
        f->control = NULL;
        (void)umask(before);
        assert_int_equal(plain, 0600);
        assert_int_equal(group, 0660);
    }
}

static void test_stale_socket(void **state) {
    fixture *f = *state;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(addr.sun_path, f->socket, strlen(f->socket));
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    (void)close(fd);
    start_server(f, 0);
    check_served(f);
}

static void test_path_in_use(void **state) {
    fixture *f = *state;
    char *file = ls_path_join(f->dir, "file"), *nowhere = ls_path_join(f->dir, "no/s");
    char long_path[200];

    start_server(f, 0);
    start_fails(f, f->socket, LS_EEXISTS, "another litestream answers on ");
    check_served(f);
    put_file(file, "x", 1);
    start_fails(f, file, LS_EINVALID, "socket path exists but is not a socket: ");
    assert_file_is(file, "x", 1);
    start_fails(f, nowhere, LS_ENOTFOUND, "listen on unix socket: ");
    start_fails(f, "", LS_ECONFIG, "socket path required");
    memset(long_path, 'x', sizeof long_path);
    long_path[0] = '/';
    long_path[sizeof long_path - 1] = '\0';
    start_fails(f, long_path, LS_ECONFIG, "socket path is longer than 107 bytes");
    free(file);
    free(nowhere);
}

/* A socket that another daemon put there meanwhile stays. */
static void test_foreign_socket_stays(void **state) {
    fixture *f = *state;
    fixture other = {.socket = f->socket, .store = f->store};

    start_server(f, 0);
    assert_int_equal(unlink(f->socket), 0);
    start_server(&other, 0);
    ls_control_stop(f->control);
    f->control = other.control;
    check_served(f);
}

/* ---- the address of metrics ---- */

static int dial_tcp(unsigned port) {
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

static reply ask_tcp(unsigned port, const char *target) {
    int fd = dial_tcp(port);
    char *text = ls_asprintf("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", target);

    assert_true(send_text(fd, text, strlen(text)));
    free(text);
    return reply_of(fd);
}

static unsigned free_port(void) {
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
    (void)close(fd);
    return ntohs(addr.sin_port);
}

static void test_metrics_address(void **state) {
    static const char *const served[] = {"/metrics", "/healthz", "/readyz"};
    static const char *const absent[] = {"/info", "/list", "/databases", "/events", "/"};
    static const char *const hosts[] = {"127.0.0.1", "", "localhost"};
    fixture *f = *state;

    for (size_t h = 0; h < 3; h++) {
        unsigned port = free_port();
        char *addr = ls_asprintf("%s:%u", hosts[h], port);
        const ls_control_opts opts = {.metrics_addr = addr};
        if (ls_control_start(f->store, &opts, &f->control, &f->err) != LS_OK)
            fail_msg("%s", f->err.msg);
        for (size_t i = 0; i < 3; i++) {
            reply r = ask_tcp(port, served[i]);
            assert_int_equal(r.status, 200);
            free(r.text);
        }
        for (size_t i = 0; i < 5; i++) {
            reply r = ask_tcp(port, absent[i]);
            assert_int_equal(r.status, 404);
            free(r.text);
        }
        ls_control *second = NULL;
        assert_int_not_equal(ls_control_start(f->store, &opts, &second, &f->err), LS_OK);
        assert_non_null(strstr(f->err.msg, "listen tcp "));
        ls_control_stop(f->control);
        f->control = NULL;
        free(addr);
    }
}

static void test_bad_addresses(void **state) {
    static const char *const bad[] = {
        "", "9090", ":", "x:", ":9x", "::1:90", ":99999999", ":65536"};
    fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const ls_control_opts opts = {.metrics_addr = bad[i]};
        assert_int_not_equal(ls_control_start(f->store, &opts, &f->control, &f->err), LS_OK);
        assert_null(f->control);
    }
}

#define served(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define alone(test) cmocka_unit_test_setup_teardown(test, setup_alone, teardown)
#define impatient(test) cmocka_unit_test_setup_teardown(test, setup_impatient, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        served(test_body_at_its_limit),
        served(test_chunked_bodies),
        impatient(test_garbage),
        impatient(test_silent_client),
        impatient(test_dripping_client),
        impatient(test_all_connections_taken),
        impatient(test_long_call),
        served(test_many_at_once),
        served(test_keep_alive),
        served(test_events),
        served(test_too_many_streams),
        served(test_stop_ends_streams),
        served(test_stop_answers_what_runs),
        alone(test_mode),
        alone(test_stale_socket),
        alone(test_path_in_use),
        alone(test_foreign_socket_stays),
        alone(test_metrics_address),
        alone(test_bad_addresses),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
