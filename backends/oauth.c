/* Tokens; see oauth.h. What is secret is cleared before its memory is given back. */
#include "backends/oauth.h"

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/io.h"
#include "engine/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MARGIN 120    /* seconds before its end at which a token is not used any more */
#define SHORTEST 30   /* a token of which less is left is used for so long all the same */
#define LONGEST 86400 /* no service gives longer ones */
#define SAID_MAX 300  /* bytes of a service's answer in an error */

void ls_secret_free(char *text) {
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
    }
    free(text);
}

/* ---- one token for several threads ---- */

void ls_bearer_init(ls_bearer *b) { *b = (ls_bearer){.lock = PTHREAD_MUTEX_INITIALIZER}; }

void ls_bearer_done(ls_bearer *b) {
    ls_secret_free(b->token);
    (void)pthread_mutex_destroy(&b->lock);
}

static int64_t good_for(int64_t seconds) {
    seconds = seconds < LONGEST ? seconds : LONGEST;
    return seconds - MARGIN > SHORTEST ? seconds - MARGIN : SHORTEST;
}

ls_code ls_bearer_get(ls_bearer *b,
                      ls_code (*fetch)(void *arg, char **token, int64_t *seconds, ls_err *err),
                      void *arg, char **token, ls_err *err) {
    ls_code code = LS_OK;
    (void)pthread_mutex_lock(&b->lock);
    if (b->token == NULL || ls_mono_ns(&ls_clock_system) >= b->until) {
        char *fresh = NULL;
        int64_t seconds = 0;
        code = fetch(arg, &fresh, &seconds, err);
        if (code == LS_OK) {
            ls_secret_free(b->token);
            b->token = fresh;
            b->until = ls_mono_ns(&ls_clock_system) + good_for(seconds) * LS_SEC;
        }
    }
    *token = code == LS_OK ? strdup(b->token) : NULL;
    if (code == LS_OK && *token == NULL) {
        code = ls_fail(err, LS_ENOMEM, "no memory for a token");
    }
    (void)pthread_mutex_unlock(&b->lock);
    return code;
}

void ls_bearer_drop(ls_bearer *b, const char *token) {
    (void)pthread_mutex_lock(&b->lock);
    if (b->token != NULL && strcmp(b->token, token) == 0) {
        b->until = 0;
    }
    (void)pthread_mutex_unlock(&b->lock);
}

/* ---- forms and answers ---- */

ls_code ls_form_add(ls_buf *form, const char *name, const char *value, ls_err *err) {
    char *encoded = ls_http_encode(value, false);
    ls_code code = encoded == NULL
                       ? ls_fail(err, LS_ENOMEM, "no memory for a request")
                       : ls_buf_addf(form, err, "%s%s=%s", form->len > 0 ? "&" : "", name, encoded);
    ls_secret_free(encoded);
    return code;
}

const char *ls_oauth_text(const json_t *object, const char *key) {
    return json_string_value(json_object_get(object, key));
}

/* What a service says of an error: {"error": "x", "error_description": "y"}, or {"error":
 * {"message": "y"}}; never the answer as it is, which may hold what was sent. */
static void said(const json_t *answer, char *buf, size_t size) {
    const json_t *error = json_object_get(answer, "error");
    const char *code = json_string_value(error);
    const char *text = ls_oauth_text(answer, "error_description");
    if (json_is_object(error)) {
        code = ls_oauth_text(error, "status");
        text = ls_oauth_text(error, "message");
    }
    (void)snprintf(buf, size, "%s%s%s", code != NULL ? code : "",
                   code != NULL && text != NULL ? ": " : "", text != NULL ? text : "");
}

static ls_code refused(const ls_http_answer *a, const json_t *answer, const char *what,
                       ls_err *err) {
    char text[SAID_MAX];
    said(answer, text, sizeof text);
    (void)ls_fail(err, LS_EREMOTE, "%s: HTTP status %d%s%s", what, a->status,
                  text[0] != '\0' ? ": " : "", text);
    return ls_hint(err, "check the credentials and the clock of this machine");
}

static ls_code read_answer(const ls_http_answer *a, const char *what, json_t **answer,
                           ls_err *err) {
    json_error_t why;
    json_t *json = json_loadb(a->body != NULL ? a->body : "", a->body_len, 0, &why);
    if (a->status >= 300) {
        ls_code code = refused(a, json, what, err);
        json_decref(json);
        return code;
    }
    if (!json_is_object(json)) {
        json_decref(json);
        return ls_fail(err, LS_EREMOTE, "%s: the answer is not JSON", what);
    }
    *answer = json;
    return LS_OK;
}

ls_code ls_oauth_do(ls_http *http, ls_http_request *r, const char *what, json_t **answer,
                    ls_err *err) {
    ls_http_answer a;
    *answer = NULL;
    ls_code code = ls_http_do(http, r, NULL, &a, err);
    if (code != LS_OK) {
        return ls_wrap(err, "%s", what);
    }
    code = read_answer(&a, what, answer, err);
    if (a.body != NULL) {
        explicit_bzero(a.body, a.body_len);
    }
    ls_http_answer_done(&a);
    return code;
}

ls_code ls_oauth_post(ls_http *http, const char *url, const ls_buf *form, const char *what,
                      json_t **answer, ls_err *err) {
    ls_http_request r;
    *answer = NULL;
    ls_http_request_init(&r, "POST");
    ls_code code = ls_http_set_url(&r, err, "%s", url);
    if (code == LS_OK) {
        code = ls_http_set_header(&r, "Content-Type", err, "application/x-www-form-urlencoded");
    }
    if (code == LS_OK) {
        r.body = ls_buf_str(form);
        r.body_len = form->len;
        code = ls_oauth_do(http, &r, what, answer, err);
    }
    ls_http_request_done(&r);
    return code;
}

/* A number, or a number as text, as some services give it. */
static int64_t json_number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value)) {
        return strtoll(json_string_value(value), NULL, 10);
    }
    return json_is_number(value) ? (int64_t)json_number_value(value) : 0;
}

ls_code ls_oauth_token(const json_t *answer, const char *what, char **token, int64_t *seconds,
                       ls_err *err) {
    const char *text = ls_oauth_text(answer, "access_token");
    if (text == NULL || text[0] == '\0' || strnlen(text, LS_TOKEN_MAX) == LS_TOKEN_MAX) {
        return ls_fail(err, LS_EREMOTE, "%s: the answer has no access token", what);
    }
    *seconds = json_number(answer, "expires_in");
    if (*seconds <= 0) {
        *seconds = json_number(answer, "expires_on") - ls_wall_ms(&ls_clock_system) / 1000;
    }
    *token = strdup(text);
    return *token != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for a token");
}

/* ---- files with keys and tokens ---- */

ls_code ls_small_file(const char *path, char **text, ls_err *err) {
    *text = NULL;
    int fd = ls_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    ls_reader *in = ls_fd_reader_new(fd, true, path);
    char *buf = malloc(LS_TOKEN_MAX + 1);
    size_t got = 0;
    ls_code code = in == NULL || buf == NULL ? ls_fail(err, LS_ENOMEM, "no memory to read %s", path)
                                             : ls_read_full(in, buf, LS_TOKEN_MAX + 1, &got, err);
    if (code == LS_OK && got > LS_TOKEN_MAX) {
        code = ls_fail(err, LS_ELIMIT, "%s is larger than %d bytes", path, LS_TOKEN_MAX);
    }
    ls_reader_close(in);
    if (code != LS_OK) {
        free(buf);
        return code;
    }
    buf[got] = '\0';
    *text = buf;
    return LS_OK;
}
