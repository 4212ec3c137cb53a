/* The client of the control socket: see client.h. */
#include "engine/control/client.h"

#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#define DEFAULT_TIMEOUT_NS (30 * LS_SEC)
/* The server sends something each 5 s; a stream without a sign of life for as long is over. */
#define SILENCE_S 30L
#define EVENT_MAX ((size_t)64 * 1024)
/* Until a socket with no room for another client is tried again. */
#define FULL_PAUSE_NS (20 * LS_MS)

struct ls_client {
    char *path;
    CURL *curl;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_ready;

static void start_curl(void) { curl_ready = curl_global_init(CURL_GLOBAL_DEFAULT); }

static ls_code check_path(const char *path, ls_err *err) {
    if (path[0] == '\0')
        return ls_fail(err, LS_EINVALID, "socket path required");
    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        return ls_fail(err, LS_EINVALID, "socket path is longer than %zu bytes: %s",
                       sizeof((struct sockaddr_un *)NULL)->sun_path - 1, path);
    return LS_OK;
}

ls_code ls_client_new(const char *socket_path, ls_client **client, ls_err *err) {
    *client = NULL;
    ls_code rc = check_path(socket_path, err);
    if (rc != LS_OK)
        return rc;
    (void)pthread_once(&curl_once, start_curl);
    ls_client *c = calloc(1, sizeof *c);
    if (c == NULL || curl_ready != CURLE_OK || (c->path = strdup(socket_path)) == NULL ||
        (c->curl = curl_easy_init()) == NULL) {
        ls_client_free(c);
        return ls_fail(err, LS_ENOMEM, "out of memory");
    }
    *client = c;
    return LS_OK;
}

void ls_client_free(ls_client *c) {
    if (c == NULL)
        return;
    curl_easy_cleanup(c->curl);
    free(c->path);
    free(c);
}

/* ---- one exchange ---- */

static void set_basics(ls_client *c, const char *url) {
    curl_easy_reset(c->curl);
    (void)curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->path);
    (void)curl_easy_setopt(c->curl, CURLOPT_URL, url);
    (void)curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
    (void)curl_easy_setopt(c->curl, CURLOPT_NOPROXY, "*");
}

static ls_code no_daemon(const ls_client *c, int errnum, ls_err *err) {
    if (errnum != 0)
        (void)ls_fail_errno(err, errnum, "failed to connect to control socket: %s", c->path);
    else
        (void)ls_fail(err, LS_ENOTFOUND, "failed to connect to control socket: %s", c->path);
    if (errnum == EACCES || errnum == EPERM)
        return ls_hint(err, "run this as the user of the daemon, or set socket: {permissions: "
                            "\"0660\"} there and join its group");
    err->code = LS_ENOTFOUND;
    return ls_hint(err, "is litestream replicate running, with socket: {enabled: true}? -socket "
                        "names another path");
}

static ls_code transfer_failed(ls_client *c, CURLcode rc, int64_t timeout_ns, ls_err *err) {
    char took[32];
    long errnum = 0;

    (void)curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &errnum);
    switch (rc) {
    case CURLE_COULDNT_CONNECT:
        return no_daemon(c, (int)errnum, err);
    case CURLE_OPERATION_TIMEDOUT:
        (void)ls_fail(err, LS_ETIMEDOUT, "no answer from the daemon at %s within %s", c->path,
                      ls_duration_format(timeout_ns, took, sizeof took));
        return ls_hint(err, "it may be busy or stopped; what was asked for may still be done");
    case CURLE_OUT_OF_MEMORY:
        return ls_fail(err, LS_ENOMEM, "out of memory");
    default:
        (void)ls_fail(err, LS_EREMOTE, "failed to read response from %s: %s", c->path,
                      curl_easy_strerror(rc));
        return ls_hint(err, "is it the socket of litestream replicate, and does it still run?");
    }
}

static size_t take_bytes(char *data, size_t size, size_t n, void *arg) {
    ls_err ignored = LS_ERR_INIT;

    return ls_buf_add(arg, data, size * n, &ignored) == LS_OK ? size * n : 0;
}

/* ---- answers ---- */

static ls_code code_of(long status) {
    return status == 404                    ? LS_ENOTFOUND
           : status == 409 || status == 503 ? LS_ENOTREADY
           : status == 504                  ? LS_ETIMEDOUT
                                            : LS_EREMOTE;
}

static ls_code remote_error(const json_t *answer, const ls_buf *body, long status, ls_err *err) {
    const char *text = json_string_value(json_object_get(answer, "error"));
    const char *details = json_string_value(json_object_get(answer, "details"));
    const char *hint = json_string_value(json_object_get(answer, "hint"));

    /* An error without a text would be none to whoever prints it. */
    if (text == NULL || text[0] == '\0')
        (void)ls_fail(err, code_of(status), "status %ld: %.200s", status, ls_buf_str(body));
    else
        (void)ls_fail(err, code_of(status), "%s%s%s", text, details == NULL ? "" : ": ",
                      details == NULL ? "" : details);
    return hint == NULL ? err->code : ls_hint(err, "%s", hint);
}

static ls_code read_answer(ls_client *c, const ls_buf *body, json_t **answer, ls_err *err) {
    json_error_t wrong;
    long status = 0;

    (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
    *answer = json_loadb(ls_buf_str(body), body->len, JSON_DISABLE_EOF_CHECK, &wrong);
    if (status < 200 || status > 299)
        return remote_error(*answer, body, status, err);
    if (*answer != NULL)
        return LS_OK;
    (void)ls_fail(err, LS_EREMOTE, "failed to parse response: %s", wrong.text);
    return ls_hint(err, "is it the socket of litestream replicate?");
}

static ls_code set_method(ls_client *c, const char *method, const json_t *body, char **text,
                          ls_err *err) {
    if (strcmp(method, "POST") != 0)
        return LS_OK;
    *text = body == NULL ? strdup("{}") : json_dumps(body, JSON_COMPACT);
    if (*text == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    (void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(*text));
    (void)curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, *text);
    return LS_OK;
}

/* A Unix socket whose queue of clients is full, because its daemon hangs, refuses the next one at
 * once. libcurl knows no reason then. */
static bool is_full(const ls_client *c, CURLcode done) {
    long errnum = 0;

    (void)curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &errnum);
    return done == CURLE_COULDNT_CONNECT && (errnum == 0 || errnum == EAGAIN);
}

static CURLcode perform(ls_client *c, int64_t timeout_ns) {
    int64_t end = ls_mono_ns(&ls_clock_system) + timeout_ns, left = timeout_ns;

    for (;;) {
        long ms = left / LS_MS > 0 ? (long)(left / LS_MS) : 1;
        (void)curl_easy_setopt(c->curl, CURLOPT_TIMEOUT_MS, ms);
        (void)curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, ms);
        CURLcode done = curl_easy_perform(c->curl);
        left = end - ls_mono_ns(&ls_clock_system);
        if (!is_full(c, done))
            return done;
        if (left <= FULL_PAUSE_NS)
            return CURLE_OPERATION_TIMEDOUT;
        (void)ls_pause(FULL_PAUSE_NS, NULL);
    }
}

static ls_code exchange(ls_client *c, int64_t timeout_ns, json_t **answer, ls_err *err) {
    ls_buf body;

    ls_buf_init(&body, LS_CONTROL_ANSWER_MAX);
    (void)curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_bytes);
    (void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &body);
    CURLcode done = perform(c, timeout_ns);
    ls_code rc = done == CURLE_OK ? read_answer(c, &body, answer, err)
                                  : transfer_failed(c, done, timeout_ns, err);
    ls_buf_done(&body);
    return rc;
}

static struct curl_slist *json_header(ls_client *c) {
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");

    (void)curl_easy_setopt(c->curl, CURLOPT_HTTPHEADER, headers);
    return headers;
}

ls_code ls_client_call(ls_client *c, const char *method, const char *path, const json_t *body,
                       int64_t timeout_ns, json_t **answer, ls_err *err) {
    char *text = NULL, *url = ls_asprintf("http://localhost%s", path);
    struct curl_slist *headers = NULL;
    ls_code rc = LS_OK;

    *answer = NULL;
    if (url == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    set_basics(c, url);
    headers = json_header(c);
    rc = set_method(c, method, body, &text, err);
    if (rc == LS_OK)
        rc = exchange(c, timeout_ns <= 0 ? DEFAULT_TIMEOUT_NS : timeout_ns, answer, err);
    curl_easy_reset(c->curl);
    curl_slist_free_all(headers);
    free(text);
    free(url);
    return rc;
}

/* ---- events ---- */

typedef struct reading {
    bool (*fn)(void *arg, const json_t *event);
    void *arg;
    const ls_cancel *cancel;
    ls_client *client;
    ls_buf line, refused; /* of the stream; the body of an answer that is no stream */
    ls_code rc;
    ls_err *err;
    bool enough;
} reading;

/* One line of the stream; all that matters of an event stands in its data. */
static void take_line(reading *r) {
    const char *line = ls_buf_str(&r->line);
    json_error_t wrong;

    if (!ls_has_prefix(line, "data: "))
        return;
    json_t *event = json_loads(line + 6, 0, &wrong);
    if (event == NULL)
        r->rc = ls_fail(r->err, LS_EREMOTE, "failed to parse event: %s", wrong.text);
    else
        r->enough = !r->fn(r->arg, event);
    json_decref(event);
}

static bool is_stream(const reading *r) {
    long status = 0;

    (void)curl_easy_getinfo(r->client->curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200;
}

static size_t take_events(char *data, size_t size, size_t n, void *arg) {
    reading *r = arg;
    size_t len = size * n;

    if (!is_stream(r))
        return take_bytes(data, size, n, &r->refused);
    for (size_t i = 0; i < len && r->rc == LS_OK && !r->enough; i++) {
        if (data[i] != '\n') {
            r->rc = ls_buf_add(&r->line, &data[i], 1, r->err);
            continue;
        }
        take_line(r);
        ls_buf_clear(&r->line);
    }
    return r->rc == LS_OK && !r->enough ? len : 0;
}

static int on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) {
    const reading *r = arg;

    (void)a, (void)b, (void)c, (void)d;
    return ls_canceled(r->cancel) ? 1 : 0;
}

static ls_code end_of_events(reading *r, CURLcode done) {
    json_error_t wrong;

    if (r->rc != LS_OK)
        return r->rc;
    if (r->enough || ls_canceled(r->cancel))
        return LS_OK;
    if (done != CURLE_OK)
        return transfer_failed(r->client, done, SILENCE_S * LS_SEC, r->err);
    if (is_stream(r))
        return LS_OK;
    long status = 0;
    (void)curl_easy_getinfo(r->client->curl, CURLINFO_RESPONSE_CODE, &status);
    json_t *answer = json_loadb(ls_buf_str(&r->refused), r->refused.len, 0, &wrong);
    ls_code rc = remote_error(answer, &r->refused, status, r->err);
    json_decref(answer);
    return rc;
}

ls_code ls_client_events(ls_client *c, uint64_t after, bool (*fn)(void *arg, const json_t *event),
                         void *arg, const ls_cancel *cancel, ls_err *err) {
    reading r = {.fn = fn, .arg = arg, .cancel = cancel, .client = c, .err = err};
    char url[96];

    snprintf(url, sizeof url, "http://localhost/events?after=%llu", (unsigned long long)after);
    ls_buf_init(&r.line, EVENT_MAX);
    ls_buf_init(&r.refused, EVENT_MAX);
    set_basics(c, url);
    (void)curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(DEFAULT_TIMEOUT_NS / LS_MS));
    (void)curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    (void)curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
    (void)curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, take_events);
    (void)curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, &r);
    (void)curl_easy_setopt(c->curl, CURLOPT_NOPROGRESS, 0L);
    (void)curl_easy_setopt(c->curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    (void)curl_easy_setopt(c->curl, CURLOPT_XFERINFODATA, &r);
    ls_code rc = end_of_events(&r, curl_easy_perform(c->curl));
    curl_easy_reset(c->curl);
    ls_buf_done(&r.line);
    ls_buf_done(&r.refused);
    return rc;
}
