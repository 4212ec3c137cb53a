/* Requests, answers and bodies as memory; see http.h. What goes over the network is in
 * http_send.c. */
#include "backends/http.h"

#include "engine/base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define URL_MAX 16384
#define VALUE_MAX 16384

static void header_done(ls_http_header *h) {
    free(h->name);
    if (h->value != NULL) {
        explicit_bzero(h->value, strlen(h->value));
    }
    free(h->value);
    *h = (ls_http_header){0};
}

/* ---- requests ---- */

void ls_http_request_init(ls_http_request *r, const char *method) {
    *r = (ls_http_request){.method = method, .body_fd = -1};
}

void ls_http_request_done(ls_http_request *r) {
    for (size_t i = 0; i < r->n_headers; i++) {
        header_done(&r->headers[i]);
    }
    free(r->url);
    ls_http_request_init(r, NULL);
}

/* malloc'd; a line break or more than max bytes are refused. */
static LS_PRINTF(4, 0) ls_code format_line(char **out, size_t max, const char *what,
                                           const char *format, va_list args, ls_err *err) {
    ls_buf buf;
    ls_buf_init(&buf, max);
    ls_code code = ls_buf_vaddf(&buf, err, format, args);
    if (code == LS_OK && strpbrk(ls_buf_str(&buf), "\r\n") != NULL) {
        code = ls_fail(err, LS_EINVALID, "%s holds a line break", what);
    }
    *out = code == LS_OK ? ls_buf_steal(&buf) : NULL;
    if (code == LS_OK && *out == NULL) {
        code = ls_fail(err, LS_ENOMEM, "no memory for %s", what);
    }
    ls_buf_done(&buf);
    return code;
}

ls_code ls_http_set_url(ls_http_request *r, ls_err *err, const char *format, ...) {
    char *url;
    va_list args;
    va_start(args, format);
    ls_code code = format_line(&url, URL_MAX, "URL of a request", format, args, err);
    va_end(args);
    if (code == LS_OK) {
        free(r->url);
        r->url = url;
    }
    return code;
}

static ls_http_header *header_slot(ls_http_request *r, const char *name) {
    for (size_t i = 0; i < r->n_headers; i++) {
        if (strcasecmp(r->headers[i].name, name) == 0) {
            return &r->headers[i];
        }
    }
    return r->n_headers < LS_HTTP_HEADERS_MAX ? &r->headers[r->n_headers] : NULL;
}

ls_code ls_http_set_header(ls_http_request *r, const char *name, ls_err *err, const char *format,
                           ...) {
    ls_http_header *slot = header_slot(r, name);
    if (slot == NULL) {
        return ls_fail(err, LS_ELIMIT, "more than %d headers", LS_HTTP_HEADERS_MAX);
    }
    char *value;
    va_list args;
    va_start(args, format);
    ls_code code = format_line(&value, VALUE_MAX, name, format, args, err);
    va_end(args);
    char *copy = code == LS_OK ? strdup(name) : NULL;
    if (code == LS_OK && copy == NULL) {
        code = ls_fail(err, LS_ENOMEM, "no memory for %s", name);
        free(value);
    }
    if (code != LS_OK) {
        return code;
    }
    if (slot == &r->headers[r->n_headers]) {
        r->n_headers++;
    }
    header_done(slot);
    *slot = (ls_http_header){.name = copy, .value = value};
    return LS_OK;
}

const char *ls_http_header_of(const ls_http_header *headers, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++) {
        if (strcasecmp(headers[i].name, name) == 0) {
            return headers[i].value;
        }
    }
    return NULL;
}

void ls_http_answer_done(ls_http_answer *a) {
    for (size_t i = 0; i < a->n_headers; i++) {
        header_done(&a->headers[i]);
    }
    free(a->body);
    *a = (ls_http_answer){0};
}

/* ---- texts ---- */

static bool is_unreserved(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

char *ls_http_encode(const char *text, bool keep_slash) {
    static const char digits[] = "0123456789ABCDEF";
    char *out = malloc(3 * strlen(text) + 1);
    size_t n = 0;
    for (const char *p = text; out != NULL && *p != '\0'; p++) {
        if (is_unreserved(*p) || (*p == '/' && keep_slash)) {
            out[n++] = *p;
            continue;
        }
        out[n++] = '%';
        out[n++] = digits[(unsigned char)*p >> 4];
        out[n++] = digits[(unsigned char)*p & 15];
    }
    if (out != NULL) {
        out[n] = '\0';
    }
    return out;
}
