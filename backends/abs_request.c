/*
 * Requests to Azure Blob Storage: signed with the account's key (SharedKey), with a SAS token in
 * the query, or with a token of a default credential; see abs.h.
 */
#include "backends/abs.h"
#include "backends/digest.h"
#include "backends/stamp.h"
#include "backends/xml.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define RENEWALS 2 /* of a token that is refused, in one call */
#define PARAMETERS_MAX 16
#define SAID_MAX 300

/* ---- what is signed ---- */

static const char *header(const ls_http_request *r, const char *name) {
    const char *value = ls_http_header_of(r->headers, r->n_headers, name);
    return value != NULL ? value : "";
}

static ls_code add_standard(ls_buf *out, const ls_http_request *r, ls_err *err) {
    static const char *const names[] = {"Content-MD5",         "Content-Type", "Date",
                                        "If-Modified-Since",   "If-Match",     "If-None-Match",
                                        "If-Unmodified-Since", "Range"};
    char length[24] = "";
    if (r->body_len > 0) {
        (void)snprintf(length, sizeof length, "%zu", r->body_len);
    }
    ls_code code =
        ls_buf_addf(out, err, "%s\n%s\n%s\n%s\n", r->method, header(r, "Content-Encoding"),
                    header(r, "Content-Language"), length);
    for (size_t i = 0; i < sizeof names / sizeof names[0] && code == LS_OK; i++) {
        code = ls_buf_addf(out, err, "%s\n", header(r, names[i]));
    }
    return code;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Adds the lines in order and frees them. */
static ls_code add_sorted(ls_buf *out, char **lines, size_t n, const char *before,
                          const char *behind, ls_err *err) {
    ls_code code = LS_OK;
    if (n > 1) {
        qsort(lines, n, sizeof *lines, compare_texts);
    }
    for (size_t i = 0; i < n; i++) {
        if (code == LS_OK) {
            code = ls_buf_addf(out, err, "%s%s%s", before, lines[i], behind);
        }
        free(lines[i]);
    }
    return code;
}

static void lower(char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        text[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
    }
}

static ls_code add_own_headers(ls_buf *out, const ls_http_request *r, ls_err *err) {
    char *lines[LS_HTTP_HEADERS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < r->n_headers; i++) {
        if (strncasecmp(r->headers[i].name, "x-ms-", 5) == 0) {
            lines[n] = ls_asprintf("%s:%s", r->headers[i].name, r->headers[i].value);
            if (lines[n] == NULL) {
                (void)add_sorted(out, lines, n, "", "", err);
                return ls_fail(err, LS_ENOMEM, "no memory to sign a request");
            }
            lower(lines[n], strlen(r->headers[i].name));
            n++;
        }
    }
    return add_sorted(out, lines, n, "", "\n", err);
}

/* "name:value", decoded, of a parameter of len bytes; NULL: no memory, or no valid escapes. */
static char *parameter(const char *from, size_t len) {
    ls_err ignored = LS_ERR_INIT;
    const char *equals = memchr(from, '=', len);
    size_t name_len = equals != NULL ? (size_t)(equals - from) : len;
    char *value = NULL;
    if (ls_url_decode(equals != NULL ? equals + 1 : "", equals != NULL ? len - name_len - 1 : 0,
                      false, &value, &ignored) != LS_OK) {
        return NULL;
    }
    char *line = ls_asprintf("%.*s:%s", (int)name_len, from, value);
    free(value);
    if (line != NULL) {
        lower(line, name_len);
    }
    return line;
}

static ls_code add_parameters(ls_buf *out, const char *query, ls_err *err) {
    char *lines[PARAMETERS_MAX];
    size_t n = 0;
    while (*query != '\0') {
        size_t len = strcspn(query, "&");
        lines[n] = n < PARAMETERS_MAX - 1 ? parameter(query, len) : NULL;
        if (lines[n] == NULL) {
            (void)add_sorted(out, lines, n, "", "", err);
            return ls_fail(err, LS_EINVALID, "a query that cannot be signed");
        }
        n++;
        query += len + (query[len] == '&');
    }
    return add_sorted(out, lines, n, "\n", "", err);
}

static ls_code add_resource(ls_buf *out, const ls_http_request *r, const char *account,
                            ls_err *err) {
    const char *host = strstr(r->url, "://");
    const char *path = host != NULL ? strchr(host + 3, '/') : NULL;
    path = path != NULL ? path : "/";
    const size_t len = strcspn(path, "?");
    ls_code code = ls_buf_addf(out, err, "/%s%.*s", account, (int)len, path);
    return code == LS_OK && path[len] == '?' ? add_parameters(out, path + len + 1, err) : code;
}

char *ls_abs_string_to_sign(const ls_http_request *r, const char *account) {
    ls_err ignored = LS_ERR_INIT;
    ls_buf out;
    ls_buf_init(&out, 65536);
    ls_code code = add_standard(&out, r, &ignored);
    if (code == LS_OK) {
        code = add_own_headers(&out, r, &ignored);
    }
    if (code == LS_OK) {
        code = add_resource(&out, r, account, &ignored);
    }
    char *text = code == LS_OK ? ls_buf_steal(&out) : NULL;
    ls_buf_done(&out);
    return text;
}

ls_code ls_abs_sign_shared_key(ls_http_request *r, const char *account, const uint8_t *key,
                               size_t key_len, ls_err *err) {
    uint8_t mac[LS_SHA256_SIZE];
    char text[64];
    char *signed_for = ls_abs_string_to_sign(r, account);
    if (signed_for == NULL) {
        return ls_fail(err, LS_ENOMEM, "abs: no memory to sign a request");
    }
    ls_code code = ls_hmac_sha256(key, key_len, signed_for, strlen(signed_for), mac, err);
    free(signed_for);
    if (code != LS_OK) {
        return code;
    }
    ls_base64(mac, sizeof mac, text);
    return ls_http_set_header(r, "Authorization", err, "SharedKey %s:%s", account, text);
}

/* ---- sending ---- */

static ls_code set_token(const ls_abs_call *c, ls_http_request *r, ls_err *err) {
    char *token;
    ls_code code = ls_azure_token(c->abs->azure, &token, err);
    if (code == LS_OK) {
        code = ls_http_set_header(r, "Authorization", err, "Bearer %s", token);
        explicit_bzero(token, strlen(token));
        free(token);
    }
    return code;
}

static ls_code sign(void *arg, ls_http_request *r, ls_err *err) {
    ls_abs_call *c = arg;
    const ls_abs *abs = c->abs;
    char date[64];
    struct tm tm;
    const time_t now = (time_t)(ls_wall_ms(&ls_clock_system) / 1000);
    c->tries++;
    (void)strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    ls_code code = ls_http_set_header(r, "x-ms-date", err, "%s", date);
    if (code == LS_OK && abs->azure != NULL) {
        code = set_token(c, r, err);
    } else if (code == LS_OK && abs->key != NULL) {
        code = ls_abs_sign_shared_key(r, abs->account, abs->key, abs->key_len, err);
    }
    return code;
}

/* A body was spoilt on the way; Azurite has no code of its own for that. */
static bool is_about_bytes(const ls_http_answer *a) {
    const char *problem = ls_http_header_of(a->headers, a->n_headers, "x-ms-error-code");
    return a->status == 400 && ((problem != NULL && strcmp(problem, "Md5Mismatch") == 0) ||
                                (a->body != NULL && strstr(a->body, "MD5 doesn't match") != NULL));
}

/* A token may be taken back before its time. */
static bool again(void *arg, const ls_http_request *r, const ls_http_answer *a) {
    ls_abs_call *c = arg;
    if (is_about_bytes(a)) {
        return true;
    }
    const char *sent = ls_http_header_of(r->headers, r->n_headers, "Authorization");
    if (a->status != 401 || c->abs->azure == NULL || sent == NULL || c->renewed == RENEWALS) {
        return false;
    }
    c->renewed++;
    ls_azure_drop(c->abs->azure, sent + strlen("Bearer "));
    return true;
}

ls_code ls_abs_call_init(ls_abs_call *c, ls_abs *abs, const char *method, const char *name,
                         const char *query, ls_err *err) {
    *c = (ls_abs_call){.abs = abs};
    ls_http_request_init(&c->r, method);
    char *encoded = ls_http_encode(name != NULL ? name : "", true);
    if (encoded == NULL) {
        return ls_fail(err, LS_ENOMEM, "abs: no memory for a request");
    }
    const char *sas = abs->sas != NULL ? abs->sas : "";
    ls_code code = ls_http_set_url(&c->r, err, "%s/%s%s%s%s%s%s%s", abs->endpoint, abs->container,
                                   name != NULL ? "/" : "", encoded,
                                   query[0] != '\0' || sas[0] != '\0' ? "?" : "", query,
                                   query[0] != '\0' && sas[0] != '\0' ? "&" : "", sas);
    free(encoded);
    return code == LS_OK ? ls_http_set_header(&c->r, "x-ms-version", err, LS_ABS_VERSION) : code;
}

void ls_abs_call_done(ls_abs_call *c) {
    ls_http_answer_done(&c->a);
    ls_http_request_done(&c->r);
}

ls_code ls_abs_do(ls_abs_call *c, ls_err *err) {
    const ls_http_hooks hooks = {.sign = sign, .again = again, .arg = c};
    ls_http_answer_done(&c->a);
    return ls_http_do(c->abs->http, &c->r, &hooks, &c->a, err);
}

ls_code ls_abs_open(ls_abs_call *c, ls_reader **body, ls_err *err) {
    const ls_http_hooks hooks = {.sign = sign, .again = again, .arg = c};
    return ls_http_open(c->abs->http, &c->r, &hooks, &c->a, body, err);
}

/* ---- answers ---- */

void ls_abs_problem(const ls_http_answer *a, char *buf, size_t size) {
    const char *name = ls_http_header_of(a->headers, a->n_headers, "x-ms-error-code");
    const char *at = a->body != NULL ? strstr(a->body, "<Code>") : NULL;
    buf[0] = '\0';
    if (name != NULL) {
        (void)snprintf(buf, size, "%s", name);
    } else if (at != NULL) {
        at += strlen("<Code>");
        (void)snprintf(buf, size, "%.*s", (int)strcspn(at, "<"), at);
    }
}

ls_code ls_abs_refused(const ls_abs_call *c, const char *what, const char *name, ls_err *err) {
    char text[SAID_MAX];
    ls_abs_problem(&c->a, text, sizeof text);
    const bool no_container = strcmp(text, "ContainerNotFound") == 0;
    ls_code code = LS_EREMOTE;
    if (c->a.status == 404 && !no_container) {
        code = LS_ENOTFOUND;
    } else if (c->a.status == 412 || strcmp(text, "BlobAlreadyExists") == 0) {
        code = LS_EEXISTS;
    }
    (void)ls_fail(err, code, "abs: %s %s: HTTP status %d%s%s", what, name, c->a.status,
                  text[0] != '\0' ? ": " : "", text);
    if (no_container) {
        return ls_hint(err, "create the container \"%s\", or correct its name", c->abs->container);
    }
    if (c->a.status == 401 || c->a.status == 403) {
        return ls_hint(err,
                       "check the account's key or SAS token and the clock of this machine, or "
                       "give the identity the role Storage Blob Data Contributor");
    }
    return code;
}

bool ls_abs_describes(const ls_http_answer *a, ls_ltx_info *file) {
    return ls_stamp_describes(a, LS_ABS_TIME_HEADER, "x-ms-creation-time", file);
}
