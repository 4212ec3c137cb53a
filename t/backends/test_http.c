/* Requests, retries, streams and logins against a server that answers as its paths say (http.c,
 * http_send.c, http_wire.c). */
#include "backends/http.h"
#include "engine/base/text.h"
#include "t/support/helper.h"

#include <openssl/evp.h>

#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static helper server;

static ls_http *new_http(const ls_http_options *o) {
    ls_http *http;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_http_new(o, &http, &err), LS_OK);
    return http;
}

static void request_to(ls_http_request *r, const char *method, const char *path) {
    ls_err err = LS_ERR_INIT;
    ls_http_request_init(r, method);
    assert_int_equal(ls_http_set_url(r, &err, "http://127.0.0.1:%s%s", server.line, path), LS_OK);
}

/* Sends without body; the status. */
static int ask_method(ls_http *http, const char *method, const char *path, ls_http_answer *a) {
    ls_http_request r;
    ls_err err = LS_ERR_INIT;
    request_to(&r, method, path);
    ls_code code = ls_http_do(http, &r, NULL, a, &err);
    ls_http_request_done(&r);
    if (code != LS_OK) {
        fail_msg("%s: %s", path, err.msg);
    }
    return a->status;
}

static int ask(ls_http *http, const char *path, ls_http_answer *a) {
    return ask_method(http, "GET", path, a);
}

static json_t *json_of(const ls_http_answer *a) {
    json_t *json = json_loadb(a->body, a->body_len, 0, NULL);
    assert_non_null(json);
    return json;
}

static const char *text_in(const json_t *json, const char *key) {
    const char *text = json_string_value(json_object_get(json, key));
    return text != NULL ? text : "";
}

static json_int_t number_in(const json_t *json, const char *key) {
    return json_integer_value(json_object_get(json, key));
}

static json_int_t stat_of(ls_http *http, const char *key) {
    ls_http_answer a;
    assert_int_equal(ask(http, "/stats", &a), 200);
    json_t *json = json_of(&a);
    json_int_t n = number_in(json, key);
    json_decref(json);
    ls_http_answer_done(&a);
    return n;
}

static double seconds(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void sha256_hex(const void *data, size_t len, char out[65]) {
    unsigned char digest[32];
    unsigned n;
    assert_int_equal(EVP_Digest(data, len, digest, &n, EVP_sha256(), NULL), 1);
    for (int i = 0; i < 32; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
}

/* ---- requests ---- */

static void headers_and_paths_go_as_they_are(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    ls_http_request r;
    ls_http_answer a;
    ls_err err = LS_ERR_INIT;
    request_to(&r, "GET", "/echo/./a//../b%2Fc?x=1&y");
    assert_int_equal(ls_http_set_header(&r, "X-One", &err, "%d", 1), LS_OK);
    assert_int_equal(ls_http_set_header(&r, "x-one", &err, "two"), LS_OK);
    assert_int_equal(ls_http_set_header(&r, "X-Empty", &err, "%s", ""), LS_OK);
    assert_int_equal(ls_http_do(http, &r, NULL, &a, &err), LS_OK);
    assert_int_equal(a.status, 200);
    json_t *json = json_of(&a);
    assert_string_equal(text_in(json, "path"), "/echo/./a//../b%2Fc?x=1&y");
    const json_t *headers = json_object_get(json, "headers");
    assert_string_equal(text_in(headers, "x-one"), "two");
    assert_non_null(json_object_get(headers, "x-empty"));
    assert_string_equal(ls_http_header_of(a.headers, a.n_headers, "x-answer"), "padded");
    assert_string_equal(ls_http_header_of(a.headers, a.n_headers, "X-EMPTY"), "");
    assert_null(ls_http_header_of(a.headers, a.n_headers, "x-none"));
    json_decref(json);
    ls_http_answer_done(&a);
    ls_http_request_done(&r);
    ls_http_free(http);
}

static void line_breaks_are_refused(void **state) {
    (void)state;
    ls_http_request r;
    ls_err err = LS_ERR_INIT;
    request_to(&r, "GET", "/echo");
    assert_int_equal(ls_http_set_header(&r, "X-One", &err, "a\r\nX-Two: b"), LS_EINVALID);
    assert_int_equal(ls_http_set_url(&r, &err, "http://h/\n"), LS_EINVALID);
    assert_int_equal(r.n_headers, 0);
    for (int i = 0; i < LS_HTTP_HEADERS_MAX; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "X-%d", i);
        assert_int_equal(ls_http_set_header(&r, name, &err, "v"), LS_OK);
    }
    assert_int_equal(ls_http_set_header(&r, "X-More", &err, "v"), LS_ELIMIT);
    ls_http_request_done(&r);
}

/* Sends a body of each kind by each method; the server has the very bytes. */
static void assert_body(ls_http *http, const char *method, const char *path, const void *body,
                        size_t len, int fd) {
    ls_http_request r;
    ls_http_answer a;
    ls_err err = LS_ERR_INIT;
    char expected[65];
    sha256_hex(body, len, expected);
    request_to(&r, method, path);
    r.body = fd < 0 ? body : NULL;
    r.body_len = len;
    r.body_fd = fd;
    r.body_off = fd < 0 ? 0 : 3;
    assert_int_equal(ls_http_do(http, &r, NULL, &a, &err), LS_OK);
    assert_int_equal(a.status, 200);
    json_t *json = json_of(&a);
    assert_string_equal(text_in(json, "method"), method);
    assert_string_equal(text_in(json, "sha256"), expected);
    assert_int_equal(number_in(json, "length"), len);
    json_decref(json);
    ls_http_answer_done(&a);
    ls_http_request_done(&r);
}

static void bodies(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    size_t len = 3000000;
    char *data = malloc(len);
    assert_non_null(data);
    for (size_t i = 0; i < len; i++) {
        data[i] = (char)(i * 7 + i / 1000);
    }
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(fwrite("abc", 1, 3, f), 3);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fflush(f), 0);
    static const char *const methods[] = {"PUT", "POST", "PROPFIND"};
    for (size_t i = 0; i < 3; i++) {
        assert_body(http, methods[i], "/echo", data, len, -1);
        assert_body(http, methods[i], "/echo", data, 1000, fileno(f));
        assert_body(http, methods[i], "/echo", data, len, fileno(f));
    }
    assert_body(http, "PUT", "/echo", "", 0, -1);
    assert_body(http, "POST", "/echo", "", 0, -1);
    (void)fclose(f);
    free(data);
    ls_http_free(http);
}

static void methods_without_body(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    static const char *const methods[] = {"GET", "DELETE", "MKCOL", "PUT", "POST", "OPTIONS"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        ls_http_answer a;
        assert_int_equal(ask_method(http, methods[i], "/echo", &a), 200);
        json_t *json = json_of(&a);
        assert_string_equal(text_in(json, "method"), methods[i]);
        assert_int_equal(number_in(json, "length"), 0);
        json_decref(json);
        ls_http_answer_done(&a);
    }
    ls_http_answer a;
    assert_int_equal(ask_method(http, "HEAD", "/big?size=5000", &a), 200);
    assert_int_equal(a.body_len, 0);
    assert_string_equal(ls_http_header_of(a.headers, a.n_headers, "content-length"), "5000");
    ls_http_answer_done(&a);
    ls_http_free(http);
}

static void connections_are_used_again(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    json_int_t before = stat_of(http, "connections");
    for (int i = 0; i < 10; i++) {
        ls_http_answer a;
        assert_int_equal(ask(http, "/status/404", &a), 404);
        assert_string_equal(a.body, "body 404");
        ls_http_answer_done(&a);
    }
    assert_int_equal(stat_of(http, "connections"), before);
    ls_http_free(http);
}

/* ---- retries ---- */

static void temporary_answers_are_asked_again(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    static const int statuses[] = {408, 429, 500, 502, 503, 504};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/status/%d?key=t%d&times=2", statuses[i], statuses[i]);
        ls_http_answer a;
        assert_int_equal(ask(http, path, &a), 200);
        ls_http_answer_done(&a);
    }
    static const int final[] = {400, 403, 404, 412, 501};
    for (size_t i = 0; i < sizeof final / sizeof final[0]; i++) {
        char path[64];
        (void)snprintf(path, sizeof path, "/status/%d?key=f%d&times=1", final[i], final[i]);
        ls_http_answer a;
        assert_int_equal(ask(http, path, &a), final[i]);
        ls_http_answer_done(&a);
    }
    ls_http_free(http);
}

static void tries_end(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){.tries = 3});
    ls_http_answer a;
    json_int_t before = stat_of(http, "requests");
    assert_int_equal(ask(http, "/status/503", &a), 503);
    assert_string_equal(a.body, "body 503");
    ls_http_answer_done(&a);
    assert_int_equal(stat_of(http, "requests") - before, 4);
    ls_http_free(http);
}

/* A store that is down gets fewer and fewer requests. */
static void the_budget_of_retries_ends(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){.tries = 2});
    json_int_t before = stat_of(http, "requests");
    for (int i = 0; i < 130; i++) {
        ls_http_answer a;
        assert_int_equal(ask(http, "/status/503", &a), 503);
        ls_http_answer_done(&a);
    }
    json_int_t sent = stat_of(http, "requests") - before - 1;
    assert_in_range(sent, 229, 231);
    ls_http_free(http);
}

static void dropped_connections_are_made_again(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    ls_http_request r;
    ls_http_answer a;
    ls_err err = LS_ERR_INIT;
    request_to(&r, "PUT", "/drop?key=d&times=2");
    r.body = "some body";
    r.body_len = 9;
    assert_int_equal(ls_http_do(http, &r, NULL, &a, &err), LS_OK);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "some body");
    ls_http_answer_done(&a);
    ls_http_request_done(&r);
    ls_http_free(http);
}

static void retry_after_is_kept(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    ls_http_answer a;
    double before = seconds();
    assert_int_equal(ask(http, "/after/1?key=after", &a), 200);
    assert_true(seconds() - before >= 0.99);
    ls_http_answer_done(&a);
    ls_http_free(http);
}

static void unreachable(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){.tries = 2});
    ls_http_request r;
    ls_http_answer a;
    ls_err err = LS_ERR_INIT;
    ls_http_request_init(&r, "GET");
    assert_int_equal(ls_http_set_url(&r, &err, "http://127.0.0.1:1/x?secret=1"), LS_OK);
    assert_int_equal(ls_http_do(http, &r, NULL, &a, &err), LS_EREMOTE);
    assert_non_null(strstr(err.msg, "127.0.0.1:1: "));
    assert_null(strstr(err.msg, "secret"));
    assert_true(ls_err_hint(&err)[0] != '\0');
    ls_http_request_done(&r);
    ls_http_free(http);
}

/* ---- hooks ---- */

typedef struct hooked {
    int signs, agains;
} hooked;

static ls_code sign(void *arg, ls_http_request *r, ls_err *err) {
    hooked *h = arg;
    return ls_http_set_header(r, "X-Try", err, "%d", ++h->signs);
}

static bool again(void *arg, const ls_http_request *r, const ls_http_answer *a) {
    hooked *h = arg;
    assert_string_equal(r->method, "GET");
    h->agains++;
    return a->status == 403 && h->agains < 3;
}

static void hooks(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    hooked h = {0};
    ls_http_request r;
    ls_http_answer a;
    ls_err err = LS_ERR_INIT;
    const ls_http_hooks table = {.sign = sign, .again = again, .arg = &h};
    request_to(&r, "GET", "/status/403");
    assert_int_equal(ls_http_do(http, &r, &table, &a, &err), LS_OK);
    assert_int_equal(a.status, 403);
    assert_int_equal(h.signs, 3);
    assert_int_equal(h.agains, 3);
    ls_http_answer_done(&a);
    ls_http_request_done(&r);
    ls_http_free(http);
}

static void logins(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){.user = "user", .password = "p:w"});
    assert_body(http, "PUT", "/hidden/basic", "abc", 3, -1);
    assert_body(http, "PUT", "/hidden/digest", "abc", 3, -1);
    size_t len = 2000000;
    char *data = calloc(1, len);
    assert_non_null(data);
    assert_body(http, "PUT", "/hidden/digest", data, len, -1);
    free(data);
    ls_http_free(http);
    http = new_http(&(ls_http_options){.user = "user", .password = "wrong"});
    ls_http_answer a;
    assert_int_equal(ask(http, "/hidden/digest", &a), 401);
    ls_http_answer_done(&a);
    ls_http_free(http);
}

/* ---- streams ---- */

static ls_code open_path(ls_http *http, const char *path, ls_http_answer *a, ls_reader **body,
                         ls_err *err) {
    ls_http_request r;
    request_to(&r, "GET", path);
    ls_code code = ls_http_open(http, &r, NULL, a, body, err);
    ls_http_request_done(&r);
    return code;
}

static void streams_come_in_windows(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    static const char *const paths[] = {"/big?size=20000003", "/big?size=1", "/big?size=0",
                                        "/big?size=262144", "/big?size=262145"};
    static const uint64_t sizes[] = {20000003, 1, 0, 262144, 262145};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        ls_http_answer a;
        ls_reader *body;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(open_path(http, paths[i], &a, &body, &err), LS_OK);
        assert_non_null(body);
        assert_int_equal(a.status, 200);
        ls_http_answer_done(&a);
        static uint8_t buf[70001];
        uint64_t n = 0;
        for (;;) {
            size_t got;
            assert_int_equal(body->read(body, buf, sizeof buf, &got, &err), LS_OK);
            if (got == 0) {
                break;
            }
            for (size_t k = 0; k < got; k++) {
                assert_true(buf[k] == (n + k) % 251);
            }
            n += got;
        }
        assert_int_equal(n, sizes[i]);
        ls_reader_close(body);
    }
    ls_http_free(http);
}

static void a_stream_closed_early_drops_its_connection(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    ls_http_answer a;
    ls_reader *body;
    ls_err err = LS_ERR_INIT;
    char buf[10];
    size_t got;
    assert_int_equal(open_path(http, "/big?size=1000000000000", &a, &body, &err), LS_OK);
    ls_http_answer_done(&a);
    assert_int_equal(ls_read_full(body, buf, sizeof buf, &got, &err), LS_OK);
    assert_int_equal(got, sizeof buf);
    ls_reader_close(body);
    for (int i = 0; i < 500 && stat_of(http, "aborted") == 0; i++) {
        (void)usleep(10000);
    }
    assert_int_equal(stat_of(http, "aborted"), 1);
    ls_http_free(http);
}

static void a_stream_that_breaks_is_an_error(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    ls_http_answer a;
    ls_reader *body;
    ls_err err = LS_ERR_INIT;
    char buf[2000];
    size_t got = 0, all = 0;
    assert_int_equal(open_path(http, "/short?size=1000", &a, &body, &err), LS_OK);
    ls_http_answer_done(&a);
    ls_code code;
    do {
        code = body->read(body, buf, sizeof buf, &got, &err);
        all += got;
    } while (code == LS_OK && got > 0);
    assert_int_equal(code, LS_EREMOTE);
    assert_int_equal(all, 500);
    assert_int_equal(body->read(body, buf, sizeof buf, &got, &err), LS_EREMOTE);
    ls_reader_close(body);
    ls_http_free(http);
}

static void other_answers_are_no_streams(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    ls_http_answer a;
    ls_reader *body;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(open_path(http, "/status/404", &a, &body, &err), LS_OK);
    assert_null(body);
    assert_int_equal(a.status, 404);
    assert_string_equal(a.body, "body 404");
    ls_http_answer_done(&a);
    ls_http_free(http);
}

static void answers_have_a_bound(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    ls_http_request r;
    ls_http_answer a;
    ls_err err = LS_ERR_INIT;
    request_to(&r, "GET", "/big?size=17000000");
    assert_int_equal(ls_http_do(http, &r, NULL, &a, &err), LS_ELIMIT);
    assert_null(a.body);
    ls_http_request_done(&r);
    ls_http_free(http);
}

static void *cancel_soon(void *arg) {
    (void)usleep(100000);
    ls_cancel_set(arg);
    return NULL;
}

static void a_job_can_be_canceled(void **state) {
    (void)state;
    ls_cancel cancel = {false};
    ls_http *http = new_http(&(ls_http_options){.cancel = &cancel});
    ls_http_answer a;
    ls_reader *body;
    ls_err err = LS_ERR_INIT;
    char buf[100];
    size_t got;
    assert_int_equal(open_path(http, "/stall", &a, &body, &err), LS_OK);
    ls_http_answer_done(&a);
    assert_int_equal(body->read(body, buf, sizeof buf, &got, &err), LS_OK);
    assert_int_equal(got, 4);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &cancel), 0);
    assert_int_equal(body->read(body, buf, sizeof buf, &got, &err), LS_ECANCELED);
    assert_int_equal(pthread_join(thread, NULL), 0);
    ls_reader_close(body);
    ls_http_request r;
    request_to(&r, "GET", "/echo");
    assert_int_equal(ls_http_do(http, &r, NULL, &a, &err), LS_ECANCELED);
    ls_http_request_done(&r);
    ls_http_free(http);
}

static void *work(void *arg) {
    ls_http *http = arg;
    for (int i = 0; i < 20; i++) {
        assert_body(http, "PUT", "/echo", "thread", 6, -1);
    }
    return NULL;
}

static void several_threads(void **state) {
    (void)state;
    ls_http *http = new_http(&(ls_http_options){0});
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, http), 0);
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    ls_http_free(http);
}

/* ---- proxies ---- */

/* A proxy gets the whole URL; ours answers as if it were the host. */
static void proxies(void **state) {
    (void)state;
    char proxy[300];
    (void)snprintf(proxy, sizeof proxy, "http://127.0.0.1:%s", server.line);
    (void)setenv("HTTP_PROXY", proxy, 1);
    static const struct {
        const char *url;
        bool no_proxy;
        const char *except;
        bool through;
    } cases[] = {
        {"http://store.invalid/status/404", false, "", true},
        {"http://store.invalid/status/404", true, "", false},
        {"http://store.invalid/status/404", false, ".other,store.invalid", false},
        {"http://127.0.0.1:1/status/404", false, "", false},
        {"http://localhost:1/status/404", false, "", false},
        {"https://store.invalid/status/404", false, "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)setenv("NO_PROXY", cases[i].except, 1);
        ls_http *http = new_http(&(ls_http_options){.tries = 1, .no_proxy = cases[i].no_proxy});
        ls_http_request r;
        ls_http_answer a;
        ls_err err = LS_ERR_INIT;
        ls_http_request_init(&r, "GET");
        assert_int_equal(ls_http_set_url(&r, &err, "%s", cases[i].url), LS_OK);
        ls_code code = ls_http_do(http, &r, NULL, &a, &err);
        assert_int_equal(code, cases[i].through ? LS_OK : LS_EREMOTE);
        if (code == LS_OK) {
            assert_int_equal(a.status, 404);
            ls_http_answer_done(&a);
        }
        ls_http_request_done(&r);
        ls_http_free(http);
    }
    (void)unsetenv("HTTP_PROXY");
    (void)unsetenv("NO_PROXY");
}

/* ---- texts and bodies ---- */

static void encoding(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool keep_slash;
        const char *expected;
    } cases[] = {{"aZ9-._~", false, "aZ9-._~"},
                 {"a/b", true, "a/b"},
                 {"a/b", false, "a%2Fb"},
                 {" +%\xff", true, "%20%2B%25%FF"},
                 {"", true, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *out = ls_http_encode(cases[i].text, cases[i].keep_slash);
        assert_string_equal(out, cases[i].expected);
        free(out);
    }
}

static int start(void **state) {
    (void)state;
    static const char *const names[] = {"HTTP_PROXY",  "http_proxy", "HTTPS_PROXY",
                                        "https_proxy", "NO_PROXY",   "no_proxy"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unsetenv(names[i]);
    }
    return helper_start(&server, "t/support/http_server.py") ? 0 : -1;
}

static int stop(void **state) {
    (void)state;
    helper_stop(&server);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(headers_and_paths_go_as_they_are),
        cmocka_unit_test(line_breaks_are_refused),
        cmocka_unit_test(bodies),
        cmocka_unit_test(methods_without_body),
        cmocka_unit_test(connections_are_used_again),
        cmocka_unit_test(temporary_answers_are_asked_again),
        cmocka_unit_test(tries_end),
        cmocka_unit_test(the_budget_of_retries_ends),
        cmocka_unit_test(dropped_connections_are_made_again),
        cmocka_unit_test(retry_after_is_kept),
        cmocka_unit_test(unreachable),
        cmocka_unit_test(hooks),
        cmocka_unit_test(logins),
        cmocka_unit_test(streams_come_in_windows),
        cmocka_unit_test(a_stream_closed_early_drops_its_connection),
        cmocka_unit_test(a_stream_that_breaks_is_an_error),
        cmocka_unit_test(other_answers_are_no_streams),
        cmocka_unit_test(answers_have_a_bound),
        cmocka_unit_test(a_job_can_be_canceled),
        cmocka_unit_test(several_threads),
        cmocka_unit_test(proxies),
        cmocka_unit_test(encoding),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
