/*
 * The client of the control socket: against a server, and against what is no server or a dead one.
 * engine/control/client.c
 */
#include "engine/control/client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "t/engine/control/kit.h"

static ls_client *client_of(const fixture *f) {
    ls_client *c;
    ls_err err = LS_ERR_INIT;

    if (ls_client_new(f->socket, &c, &err) != LS_OK)
        fail_msg("%s", err.msg);
    return c;
}

/* The code of a call; what it says in err. */
static ls_code call(const fixture *f, const char *method, const char *path, const char *body,
                    int64_t timeout_ns, json_t **answer, ls_err *err) {
    ls_client *c = client_of(f);
    json_t *json = body == NULL ? NULL : json_loads(body, 0, NULL);

    *err = LS_ERR_INIT;
    ls_code rc = ls_client_call(c, method, path, json, timeout_ns, answer, err);
    json_decref(json);
    ls_client_free(c);
    return rc;
}

static void fails(const fixture *f, const char *method, const char *path, const char *body,
                  int64_t timeout_ns, ls_code code, const char *part) {
    json_t *answer = NULL;
    ls_err err;

    assert_int_equal(call(f, method, path, body, timeout_ns, &answer, &err), code);
    if (strstr(err.msg, part) == NULL)
        fail_msg("%s, not %s", err.msg, part);
    json_decref(answer);
}

static void test_calls(void **state) {
    fixture *f = *state;
    ls_client *c = client_of(f);
    json_t *answer, *body = json_pack("{s:s}", "path", "/a");

    for (int i = 0; i < 3; i++) {
        assert_int_equal(ls_client_call(c, "GET", "/txid?path=/a", NULL, 0, &answer, &f->err),
                         LS_OK);
        assert_int_equal(json_integer_value(json_object_get(answer, "txid")), 5);
        json_decref(answer);
        assert_int_equal(ls_client_call(c, "POST", "/stop", body, 0, &answer, &f->err), LS_OK);
        assert_string_equal(json_string_value(json_object_get(answer, "status")),
                            i == 0 ? "stopped" : "already_stopped");
        json_decref(answer);
    }
    json_decref(body);
    ls_client_free(c);
    ls_client_free(NULL);
}

static void test_errors_of_the_daemon(void **state) {
    fixture *f = *state;

    fails(f, "POST", "/sync", "{\"path\":\"/c\"}", 0, LS_ENOTFOUND, "database not found: /c");
    fails(f, "POST", "/sync", "{\"path\":\"/b\"}", 0, LS_ENOTREADY, "database not open: /b");
    fails(f, "POST", "/start", "{\"path\":\"/c\"}", 0, LS_EREMOTE, "database not found: /c");
    fails(f, "POST", "/sync", NULL, 0, LS_EREMOTE, "path required");
    fails(f, "POST", "/sync", "{\"path\":1}", 0, LS_EREMOTE,
          "invalid request body: json: path must be a string, not number");
    fails(f, "GET", "/nope", NULL, 0, LS_ENOTFOUND, "status 404: 404 page not found");
    fake_store_fail(f->store, LS_ENOTREADY, "not running");
    fails(f, "GET", "/info", NULL, 0, LS_ENOTREADY, "not running");
    fake_store_fail(f->store, LS_OK, "");
}

static void test_timeout(void **state) {
    fixture *f = *state;

    fake_store_block(f->store, true);
    fails(f, "POST", "/sync", "{\"path\":\"/a\"}", 50 * LS_MS, LS_ETIMEDOUT,
          "no answer from the daemon at ");
    fake_store_block(f->store, false);
}

static int listen_at(const fixture *f) {
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(addr.sun_path, f->socket, strlen(f->socket));
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof addr), 0);
    assert_int_equal(listen(fd, 4), 0);
    return fd;
}

static void test_no_daemon(void **state) {
    fixture *f = *state;
    ls_client *c;
    ls_err err = LS_ERR_INIT;
    char long_path[200];

    fails(f, "GET", "/info", NULL, 0, LS_ENOTFOUND, "failed to connect to control socket: ");
    int fd = listen_at(f);
    /* It is there but does not answer, as a stopped process. */
    fails(f, "GET", "/info", NULL, 50 * LS_MS, LS_ETIMEDOUT, "no answer from the daemon at ");
    (void)close(fd);
    fails(f, "GET", "/info", NULL, 0, LS_ENOTFOUND, "failed to connect to control socket: ");
    assert_int_equal(unlink(f->socket), 0);
    put_file(f->socket, "x", 1);
    fails(f, "GET", "/info", NULL, 0, LS_ENOTFOUND, "failed to connect to control socket: ");
    memset(long_path, 'x', sizeof long_path);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(ls_client_new(long_path, &c, &err), LS_EINVALID);
    assert_int_equal(ls_client_new("", &c, &err), LS_EINVALID);
}

static void test_permission(void **state) {
    fixture *f = *state;

    if (geteuid() == 0)
        skip();
    int fd = listen_at(f);
    assert_int_equal(chmod(f->socket, 0), 0);
    fails(f, "GET", "/info", NULL, 0, LS_EPERM, "failed to connect to control socket: ");
    (void)close(fd);
}

/* ---- a server that says what it should not ---- */

typedef struct talker {
    int fd;
    const char *text;
    size_t repeat;
} talker;

static void *talk(void *arg) {
    talker *t = arg;
    char buf[4096];
    int fd = accept4(t->fd, NULL, NULL, SOCK_CLOEXEC);

    (void)recv(fd, buf, sizeof buf, 0);
    for (size_t i = 0; i < t->repeat; i++) {
        if (!send_text(fd, t->text, strlen(t->text)))
            break;
    }
    (void)close(fd);
    return NULL;
}

static void test_bad_servers(void **state) {
    static const char endless[] = "HTTP/1.1 200 OK\r\n\r\n"
                                  "                                                              ";
    static const struct {
        const char *text, *part;
        size_t repeat;
    } bad[] = {
        {"", "failed to read response from ", 1},
        {"nonsense\n", "failed to read response from ", 1},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno", "failed to parse response: ", 1},
        {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "failed to read response from ", 1},
        {"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\n{}", "status 500: {}", 1},
        {"HTTP/1.1 500 No\r\nContent-Length: 11\r\n\r\n{\"error\":7}", "status 500: ", 1},
        {endless, "failed to read response from ", (80u << 20) / 80},
    };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        pthread_t thread;
        talker t = {.fd = listen_at(f), .text = bad[i].text, .repeat = bad[i].repeat};
        assert_int_equal(pthread_create(&thread, NULL, talk, &t), 0);
        fails(f, "GET", "/info", NULL, 20 * LS_SEC, LS_EREMOTE, bad[i].part);
        assert_int_equal(pthread_join(thread, NULL), 0);
        (void)close(t.fd);
        assert_int_equal(unlink(f->socket), 0);
    }
}

/* ---- events ---- */

typedef struct seen {
    fixture *f;
    int n, max;
    ls_cancel *cancel;
    char kinds[256];
} seen;

static bool see(void *arg, const json_t *event) {
    seen *s = arg;
    size_t len = strlen(s->kinds);

    snprintf(s->kinds + len, sizeof s->kinds - len, "%s ",
             json_string_value(json_object_get(event, "kind")));
    if (++s->n == 2)
        fake_store_event(s->f->store, LS_EVENT_SNAPSHOT, "/a", 7);
    if (s->n == s->max && s->cancel != NULL)
        ls_cancel_set(s->cancel);
    return s->cancel != NULL || s->n < s->max;
}

static void test_events(void **state) {
    fixture *f = *state;
    ls_client *c = client_of(f);
    ls_cancel cancel = {0};
    seen s = {.f = f, .max = 3};

    fake_store_event(f->store, LS_EVENT_CAPTURE, "/a", 6);
    fake_store_event(f->store, LS_EVENT_UPLOAD, "/a", 6);
    assert_int_equal(ls_client_events(c, 0, see, &s, NULL, &f->err), LS_OK);
    assert_string_equal(s.kinds, "capture upload snapshot ");
    s = (seen){.f = f, .max = 1, .n = 4, .cancel = &cancel};
    s.max = 5;
    assert_int_equal(ls_client_events(c, 2, see, &s, &cancel, &f->err), LS_OK);
    assert_string_equal(s.kinds, "snapshot ");
    fake_store_fail(f->store, LS_ENOTREADY, "not running");
    assert_int_equal(ls_client_events(c, 0, see, &s, NULL, &f->err), LS_ENOTREADY);
    assert_string_equal(f->err.msg, "not running");
    fake_store_fail(f->store, LS_OK, "");
    ls_client_free(c);
}

static void *stop_later(void *arg) {
    fixture *f = arg;
    nap(300);
    ls_control_stop(f->control);
    return NULL;
}

/* The end of the daemon is the end of the stream. */
static void test_events_end(void **state) {
    fixture *f = *state;
    ls_client *c = client_of(f);
    seen s = {.f = f, .max = 3};
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, stop_later, f), 0);
    assert_int_equal(ls_client_events(c, 0, see, &s, NULL, &f->err), LS_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    f->control = NULL;
    ls_client_free(c);
}

#define served(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define alone(test) cmocka_unit_test_setup_teardown(test, setup_alone, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        served(test_calls),     served(test_errors_of_the_daemon),
        served(test_timeout),   alone(test_no_daemon),
        alone(test_permission), alone(test_bad_servers),
        served(test_events),    served(test_events_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
