/* Requests with retries, and answers as streams; see http.h. */
#include "backends/http.h"
#include "backends/http_wire.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX 500
#define TOKENS_RETRY 5

struct ls_http {
    ls_http_options o; /* its texts are owned */
    char *ca_file, *user, *password;
    atomic_int tokens; /* of the budget for retries */
};

/* ---- options ---- */

static bool copy_option(const char *from, char **to, const char **option) {
    *to = from != NULL ? strdup(from) : NULL;
    *option = *to;
    return from == NULL || *to != NULL;
}

ls_code ls_http_new(const ls_http_options *options, ls_http **http, ls_err *err) {
    ls_http *h = calloc(1, sizeof *h);
    *http = h;
    if (h == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for connections");
    }
    h->o = *options;
    h->o.tries = options->tries > 0 ? options->tries : LS_HTTP_TRIES;
    atomic_init(&h->tokens, TOKENS_MAX);
    bool ca = copy_option(options->ca_file, &h->ca_file, &h->o.ca_file);
    bool user = copy_option(options->user, &h->user, &h->o.user);
    if (!copy_option(options->password, &h->password, &h->o.password) || !ca || !user) {
        ls_http_free(h);
        *http = NULL;
        return ls_fail(err, LS_ENOMEM, "no memory for connections");
    }
    return LS_OK;
}

void ls_http_free(ls_http *http) {
    if (http == NULL) {
        return;
    }
    if (http->password != NULL) {
        explicit_bzero(http->password, strlen(http->password));
    }
    free(http->ca_file);
    free(http->user);
    free(http->password);
    free(http);
}

/* ---- retries ---- */

static bool take_tokens(ls_http *http) {
    int have = atomic_load(&http->tokens);
    while (have >= TOKENS_RETRY) {
        if (atomic_compare_exchange_weak(&http->tokens, &have, have - TOKENS_RETRY)) {
            return true;
        }
    }
    return false;
}

static void give_token(ls_http *http) {
    int have = atomic_load(&http->tokens);
    while (have < TOKENS_MAX && !atomic_compare_exchange_weak(&http->tokens, &have, have + 1)) {
    }
}

static bool is_temporary(int status) {
    return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 ||
           status == 504;
}

typedef struct exchange {
    ls_http *http;
    ls_http_request *r;
    const ls_http_hooks *hooks;
    ls_http_answer *a;
    ls_http_wire *wire;
    bool stream;
    int tries; /* made so far */
} exchange;

/* Method, host and path: a query may hold a signature. */
static void log_try(const exchange *x, int64_t started, const ls_err *err) {
    const ls_log *log = x->http->o.debug != NULL ? *x->http->o.debug : NULL;
    if (log == NULL || log->level > LS_DEBUG) {
        return;
    }
    char url[512];
    (void)snprintf(url, sizeof url, "%.*s",
                   (int)(strcspn(x->r->url, "?") < 500 ? strcspn(x->r->url, "?") : 500), x->r->url);
    ls_log_write(log, LS_DEBUG, "http request",
                 LS_ATTRS(LS_STR("method", x->r->method), LS_STR("url", url),
                          LS_INT("attempt", x->tries), LS_INT("status", x->a->status),
                          LS_STR("cause", err->msg),
                          LS_DUR("elapsed", ls_mono_ns(&ls_clock_system) - started)));
}

/* One try; *again: another one may go better. */
static ls_code try_once(exchange *x, bool *again, ls_err *err) {
    *again = false;
    ls_http_answer_done(x->a);
    ls_code code = LS_OK;
    if (x->hooks != NULL && x->hooks->sign != NULL) {
        code = x->hooks->sign(x->hooks->arg, x->r, err);
    }
    if (code != LS_OK) {
        return code;
    }
    int64_t started = ls_mono_ns(&ls_clock_system);
    code = ls_http_wire_start(x->wire, &x->http->o, x->r, x->stream, x->a, again, err);
    x->tries++;
    log_try(x, started, err);
    if (code == LS_OK) {
        *again = is_temporary(x->a->status);
        if (!*again && x->a->status >= 300 && x->hooks != NULL && x->hooks->again != NULL) {
            *again = x->hooks->again(x->hooks->arg, x->r, x->a);
        }
    }
    return code;
}

static int64_t pause_before_retry(const exchange *x) {
    int64_t asked = ls_http_wire_retry_after(x->wire);
    if (asked > 0) {
        return asked < LS_HTTP_RETRY_AFTER_MAX / LS_SEC ? asked * LS_SEC : LS_HTTP_RETRY_AFTER_MAX;
    }
    return ls_retry_pause_ns((unsigned)x->tries - 1);
}

static ls_code try_all(exchange *x, ls_err *err) {
    for (;;) {
        bool again;
        ls_code code = try_once(x, &again, err);
        if (code == LS_OK && !again) {
            give_token(x->http);
            return LS_OK;
        }
        if (!again || x->tries >= x->http->o.tries || !take_tokens(x->http)) {
            return code;
        }
        ls_err_clear(err);
        if (!ls_pause(pause_before_retry(x), x->http->o.cancel)) {
            return ls_fail(err, LS_ECANCELED, "canceled");
        }
    }
}

static ls_code exchange_all(exchange *x, ls_err *err) {
    *x->a = (ls_http_answer){0};
    ls_code code = ls_http_wire_get(&x->wire, err);
    if (code == LS_OK) {
        code = try_all(x, err);
    }
    if (code != LS_OK) {
        ls_http_answer_done(x->a);
    }
    return code;
}

ls_code ls_http_do(ls_http *http, ls_http_request *r, const ls_http_hooks *hooks, ls_http_answer *a,
                   ls_err *err) {
    exchange x = {.http = http, .r = r, .hooks = hooks, .a = a};
    ls_code code = exchange_all(&x, err);
    ls_http_wire_put(x.wire);
    return code;
}

/* ---- streams ---- */

typedef struct body_reader {
    ls_reader base;
    ls_http_wire *wire;
    ls_http_request r;     /* its URL, for errors */
    ls_http_answer answer; /* where trailers go */
    ls_code failed;
    ls_err err;
} body_reader;

static ls_code body_read(ls_reader *base, void *buf, size_t len, size_t *got, ls_err *err) {
    body_reader *b = (body_reader *)base;
    *got = 0;
    if (b->failed != LS_OK) {
        *err = b->err;
        return b->failed;
    }
    ls_code code = ls_http_wire_read(b->wire, buf, len, got, err);
    if (code != LS_OK) {
        b->failed = code;
        b->err = *err;
    }
    return code;
}

static void body_close(ls_reader *base) {
    body_reader *b = (body_reader *)base;
    ls_http_wire_put(b->wire);
    ls_http_request_done(&b->r);
    ls_http_answer_done(&b->answer);
    free(b);
}

static bool is_streamed(int status) { return status == 200 || status == 206 || status == 207; }

ls_code ls_http_open(ls_http *http, ls_http_request *r, const ls_http_hooks *hooks,
                     ls_http_answer *a, ls_reader **body, ls_err *err) {
    *body = NULL;
    *a = (ls_http_answer){0};
    body_reader *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to read a stream");
    }
    exchange x = {.http = http, .r = r, .hooks = hooks, .a = a, .stream = true};
    ls_code code = exchange_all(&x, err);
    if (code != LS_OK || !is_streamed(a->status)) {
        ls_http_wire_put(x.wire);
        free(b);
        return code;
    }
    ls_http_request_init(&b->r, r->method);
    b->r.url = strdup(r->url);
    if (b->r.url == NULL) {
        ls_http_wire_put(x.wire);
        ls_http_answer_done(a);
        free(b);
        return ls_fail(err, LS_ENOMEM, "no memory to read a stream");
    }
    b->base = (ls_reader){.read = body_read, .close = body_close};
    b->wire = x.wire;
    ls_http_wire_move(b->wire, &b->r, &b->answer);
    *body = &b->base;
    return LS_OK;
}
