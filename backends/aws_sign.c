/* Signature version 4; see aws_sign.h. */
#include "backends/aws_sign.h"

#include "engine/base/buf.h"
#include "engine/base/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CANONICAL_MAX 65536
#define PAIRS_MAX 64
#define SIGNED_MAX (LS_HTTP_HEADERS_MAX + 1)

void ls_aws_keys_done(ls_aws_keys *keys) {
    char *texts[] = {keys->id, keys->secret, keys->token};
    for (size_t i = 0; i < 3; i++) {
        if (texts[i] != NULL) {
            explicit_bzero(texts[i], strlen(texts[i]));
        }
        free(texts[i]);
    }
    *keys = (ls_aws_keys){0};
}

ls_code ls_aws_keys_copy(const ls_aws_keys *from, ls_aws_keys *to, ls_err *err) {
    *to = (ls_aws_keys){
        .id = strdup(from->id),
        .secret = strdup(from->secret),
        .token = from->token != NULL ? strdup(from->token) : NULL,
    };
    if (to->id == NULL || to->secret == NULL || (from->token != NULL && to->token == NULL)) {
        ls_aws_keys_done(to);
        return ls_fail(err, LS_ENOMEM, "no memory for credentials");
    }
    return LS_OK;
}

/* ---- the canonical request ---- */

/* Parts of a URL as they stand there. */
typedef struct parts {
    const char *host, *path, *query;
    size_t host_len, path_len, query_len;
} parts;

static parts parts_of(const char *url) {
    const char *host = strstr(url, "://");
    parts p = {.host = host != NULL ? host + 3 : url};
    p.host_len = strcspn(p.host, "/?#");
    p.path = p.host + p.host_len;
    p.path_len = strcspn(p.path, "?#");
    if (p.path[p.path_len] == '?') {
        p.query = p.path + p.path_len + 1;
        p.query_len = strcspn(p.query, "#");
    }
    return p;
}

typedef struct slice {
    const char *text;
    size_t len;
} slice;

/* By name, then by value; '=' sorts before whatever a name may go on with. */
static int compare_pairs(const void *a, const void *b) {
    const slice *x = a;
    const slice *y = b;
    size_t xn = strcspn(x->text, "=&#");
    size_t yn = strcspn(y->text, "=&#");
    xn = xn < x->len ? xn : x->len;
    yn = yn < y->len ? yn : y->len;
    int order = memcmp(x->text, y->text, xn < yn ? xn : yn);
    if (order == 0 && xn != yn) {
        return xn < yn ? -1 : 1;
    }
    if (order == 0) {
        size_t least = x->len < y->len ? x->len : y->len;
        order = memcmp(x->text + xn, y->text + yn, least - xn);
    }
    return order != 0 || x->len == y->len ? order : x->len < y->len ? -1 : 1;
}

static ls_code add_query(ls_buf *out, const parts *p, ls_err *err) {
    slice pairs[PAIRS_MAX];
    size_t n = 0;
    for (size_t at = 0; at < p->query_len;) {
        size_t len = strcspn(p->query + at, "&#");
        if (n == PAIRS_MAX) {
            return ls_fail(err, LS_ELIMIT, "a query of more than %d parts", PAIRS_MAX);
        }
        if (len > 0) {
            pairs[n++] = (slice){p->query + at, len};
        }
        at += len + 1;
    }
    if (n > 1) {
        qsort(pairs, n, sizeof *pairs, compare_pairs);
    }
    ls_code code = LS_OK;
    for (size_t i = 0; i < n && code == LS_OK; i++) {
        bool valued = memchr(pairs[i].text, '=', pairs[i].len) != NULL;
        code = ls_buf_addf(out, err, "%s%.*s%s", i > 0 ? "&" : "", (int)pairs[i].len, pairs[i].text,
                           valued ? "" : "=");
    }
    return code;
}

typedef struct signed_header {
    char name[128]; /* lower case */
    const char *value;
    size_t len;
} signed_header;

static int compare_headers(const void *a, const void *b) {
    return strcmp(((const signed_header *)a)->name, ((const signed_header *)b)->name);
}

static void set_name(signed_header *h, const char *name) {
    size_t n = 0;
    for (; name[n] != '\0' && n < sizeof h->name - 1; n++) {
        h->name[n] = (char)tolower((unsigned char)name[n]);
    }
    h->name[n] = '\0';
}

static size_t collect_headers(const ls_http_request *r, const parts *p, signed_header *out) {
    size_t n = 0;
    out[n] = (signed_header){.value = p->host, .len = p->host_len};
    set_name(&out[n++], "host");
    for (size_t i = 0; i < r->n_headers; i++) {
        out[n] = (signed_header){.value = r->headers[i].value, .len = strlen(r->headers[i].value)};
        set_name(&out[n], r->headers[i].name);
        if (strcmp(out[n].name, "authorization") != 0 && strcmp(out[n].name, "expect") != 0 &&
            strcmp(out[n].name, "user-agent") != 0) {
            n++;
        }
    }
    qsort(out, n, sizeof *out, compare_headers);
    return n;
}

/* A value without blanks around it, and with one where there are several. */
static ls_code add_value(ls_buf *out, const signed_header *h, ls_err *err) {
    ls_code code = LS_OK;
    bool blank = false;
    bool any = false;
    for (size_t i = 0; i < h->len && code == LS_OK; i++) {
        char c = h->value[i];
        if (c == ' ' || c == '\t') {
            blank = true;
            continue;
        }
        if (blank && any) {
            code = ls_buf_add(out, " ", 1, err);
        }
        blank = false;
        any = true;
        if (code == LS_OK) {
            code = ls_buf_add(out, &c, 1, err);
        }
    }
    return code;
}

static ls_code add_names(ls_buf *out, const signed_header *headers, size_t n, ls_err *err) {
    ls_code code = LS_OK;
    for (size_t i = 0; i < n && code == LS_OK; i++) {
        code = ls_buf_addf(out, err, "%s%s", i > 0 ? ";" : "", headers[i].name);
    }
    return code;
}

static ls_code add_headers(ls_buf *out, const signed_header *headers, size_t n, ls_err *err) {
    ls_code code = LS_OK;
    for (size_t i = 0; i < n && code == LS_OK; i++) {
        code = ls_buf_addf(out, err, "%s:", headers[i].name);
        if (code == LS_OK) {
            code = add_value(out, &headers[i], err);
        }
        if (code == LS_OK) {
            code = ls_buf_add(out, "\n", 1, err);
        }
    }
    return code;
}

static ls_code canonical_request(ls_buf *out, const ls_http_request *r, const parts *p,
                                 const signed_header *headers, size_t n, const char *payload,
                                 ls_err *err) {
    ls_code code =
        ls_buf_addf(out, err, "%s\n%.*s\n", r->method, p->path_len > 0 ? (int)p->path_len : 1,
                    p->path_len > 0 ? p->path : "/");
    if (code == LS_OK) {
        code = add_query(out, p, err);
    }
    if (code == LS_OK) {
        code = ls_buf_add(out, "\n", 1, err);
    }
    if (code == LS_OK) {
        code = add_headers(out, headers, n, err);
    }
    if (code == LS_OK) {
        code = ls_buf_add(out, "\n", 1, err);
    }
    if (code == LS_OK) {
        code = add_names(out, headers, n, err);
    }
    return code == LS_OK ? ls_buf_addf(out, err, "\n%s", payload) : code;
}

/* ---- the signature ---- */

static ls_code chain(uint8_t key[LS_SHA256_SIZE], const char *text, ls_err *err) {
    return ls_hmac_sha256(key, LS_SHA256_SIZE, text, strlen(text), key, err);
}

static ls_code signing_key(const char *secret, const char *day, const ls_aws_scope *scope,
                           uint8_t key[LS_SHA256_SIZE], ls_err *err) {
    char *first = ls_asprintf("AWS4%s", secret);
    if (first == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a signature");
    }
    ls_code code = ls_hmac_sha256(first, strlen(first), day, strlen(day), key, err);
    explicit_bzero(first, strlen(first));
    free(first);
    if (code == LS_OK) {
        code = chain(key, scope->region, err);
    }
    if (code == LS_OK) {
        code = chain(key, scope->service, err);
    }
    return code == LS_OK ? chain(key, "aws4_request", err) : code;
}

static ls_code sign_text(const ls_aws_keys *keys, const ls_aws_scope *scope, const char *date,
                         const char *canonical, size_t len, char signature[LS_SHA256_HEX_SIZE],
                         ls_err *err) {
    char hash[LS_SHA256_HEX_SIZE];
    char day[9];
    uint8_t key[LS_SHA256_SIZE];
    (void)snprintf(day, sizeof day, "%.8s", date);
    ls_code code = ls_sha256_hex(canonical, len, hash, err);
    char *text = code == LS_OK ? ls_asprintf("AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s",
                                             date, day, scope->region, scope->service, hash)
                               : NULL;
    if (code == LS_OK && text == NULL) {
        code = ls_fail(err, LS_ENOMEM, "no memory for a signature");
    }
    if (code == LS_OK) {
        code = signing_key(keys->secret, day, scope, key, err);
    }
    if (code == LS_OK) {
        code = chain(key, text, err);
        ls_hex(key, sizeof key, signature);
    }
    explicit_bzero(key, sizeof key);
    free(text);
    return code;
}

/* "20060102T150405Z" */
static void format_date(int64_t time_s, char out[17]) {
    struct tm tm = {0};
    time_t t = (time_t)time_s;
    (void)gmtime_r(&t, &tm);
    if (strftime(out, 17, "%Y%m%dT%H%M%SZ", &tm) == 0) {
        out[0] = '\0';
    }
}

static ls_code set_own_headers(ls_http_request *r, const ls_aws_keys *keys,
                               const ls_aws_scope *scope, const char *date, ls_err *err) {
    ls_code code = ls_http_set_header(r, "X-Amz-Date", err, "%s", date);
    if (code == LS_OK && strcmp(scope->service, "s3") == 0) {
        code = ls_http_set_header(r, "X-Amz-Content-Sha256", err, "%s", scope->payload);
    }
    if (code == LS_OK && keys->token != NULL) {
        code = ls_http_set_header(r, "X-Amz-Security-Token", err, "%s", keys->token);
    }
    return code;
}

static ls_code set_authorization(ls_http_request *r, const ls_aws_keys *keys,
                                 const ls_aws_scope *scope, const char *date, const char *signature,
                                 const signed_header *headers, size_t n, ls_err *err) {
    ls_buf names;
    ls_buf_init(&names, CANONICAL_MAX);
    ls_code code = add_names(&names, headers, n, err);
    if (code == LS_OK) {
        code = ls_http_set_header(r, "Authorization", err,
                                  "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, "
                                  "SignedHeaders=%s, Signature=%s",
                                  keys->id, date, scope->region, scope->service, ls_buf_str(&names),
                                  signature);
    }
    ls_buf_done(&names);
    return code;
}

ls_code ls_aws_sign(ls_http_request *r, const ls_aws_keys *keys, const ls_aws_scope *scope,
                    ls_err *err) {
    char date[17];
    char signature[LS_SHA256_HEX_SIZE];
    format_date(scope->time_s, date);
    ls_code code = set_own_headers(r, keys, scope, date, err);
    if (code != LS_OK) {
        return code;
    }
    signed_header *headers = calloc(SIGNED_MAX + 1, sizeof *headers);
    if (headers == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a signature");
    }
    parts p = parts_of(r->url);
    size_t n = collect_headers(r, &p, headers);
    ls_buf canonical;
    ls_buf_init(&canonical, CANONICAL_MAX);
    code = canonical_request(&canonical, r, &p, headers, n, scope->payload, err);
    if (code == LS_OK) {
        code = sign_text(keys, scope, date, ls_buf_str(&canonical), canonical.len, signature, err);
    }
    if (code == LS_OK) {
        code = set_authorization(r, keys, scope, date, signature, headers, n, err);
    }
    if (canonical.data != NULL) {
        explicit_bzero(canonical.data, canonical.len); /* the token is in it */
    }
    ls_buf_done(&canonical);
    free(headers);
    return code;
}
