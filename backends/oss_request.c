/*
 * Requests to Alibaba Cloud OSS, signed by its version 4 (OSS4-HMAC-SHA256); see oss.h. The
 * signature is like that of AWS in its steps and in none of its details: the path always has the
 * bucket, parameters without a value have no '=', and only some headers are covered.
 */
#include "backends/digest.h"
#include "backends/oss.h"
#include "backends/stamp.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define PARAMETERS_MAX 16
#define SAID_MAX 300
#define REQUEST_MAX 65536

/* ---- what is signed ---- */

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The query's parameters in order. "a=" and "a" are the same there. */
static ls_code add_query(ls_buf *out, const char *url, ls_err *err) {
    const char *at = strchr(url, '?');
    char *copy = strdup(at != NULL ? at + 1 : "");
    char *words[PARAMETERS_MAX];
    size_t n = 0;
    if (copy == NULL) {
        return ls_fail(err, LS_ENOMEM, "oss: no memory to sign a request");
    }
    char *rest = copy;
    for (char *word = strtok_r(copy, "&", &rest); word != NULL && n < PARAMETERS_MAX;
         word = strtok_r(NULL, "&", &rest)) {
        size_t len = strlen(word);
        if (len > 0 && word[len - 1] == '=') {
            word[len - 1] = '\0';
        }
        words[n++] = word;
    }
    ls_code code = LS_OK;
    if (n > 1) {
        qsort(words, n, sizeof *words, compare_texts);
    }
    for (size_t i = 0; i < n && code == LS_OK; i++) {
        code = ls_buf_addf(out, err, "%s%s", i > 0 ? "&" : "", words[i]);
    }
    free(copy);
    return code == LS_OK ? ls_buf_add(out, "\n", 1, err) : code;
}

static bool is_covered(const char *name) {
    return strncasecmp(name, "x-oss-", 6) == 0 || strcasecmp(name, "content-type") == 0 ||
           strcasecmp(name, "content-md5") == 0;
}

static int compare_headers(const void *a, const void *b) {
    return strcasecmp((*(const ls_http_header *const *)a)->name,
                      (*(const ls_http_header *const *)b)->name);
}

static ls_code add_headers(ls_buf *out, const ls_http_request *r, ls_err *err) {
    const ls_http_header *covered[LS_HTTP_HEADERS_MAX];
    size_t n = 0;
    ls_code code = LS_OK;
    for (size_t i = 0; i < r->n_headers; i++) {
        if (is_covered(r->headers[i].name)) {
            covered[n++] = &r->headers[i];
        }
    }
    if (n > 1) {
        qsort(covered, n, sizeof *covered, compare_headers);
    }
    for (size_t i = 0; i < n && code == LS_OK; i++) {
        const size_t from = out->len;
        code = ls_buf_addf(out, err, "%s", covered[i]->name);
        for (size_t k = from; k < out->len; k++) {
            char c = out->data[k];
            out->data[k] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
        if (code == LS_OK) {
            code = ls_buf_addf(out, err, ":%s\n", covered[i]->value);
        }
    }
    return code;
}

/* SHA-256, in hexadecimal, of the request in its canonical form. */
static ls_code digest_request(const ls_http_request *r, const char *bucket, const char *key,
                              char hex[LS_SHA256_HEX_SIZE], ls_err *err) {
    ls_buf out;
    ls_buf_init(&out, REQUEST_MAX);
    char *encoded = ls_http_encode(key != NULL ? key : "", true);
    ls_code code = encoded == NULL
                       ? ls_fail(err, LS_ENOMEM, "oss: no memory to sign a request")
                       : ls_buf_addf(&out, err, "%s\n/%s/%s\n", r->method, bucket, encoded);
    free(encoded);
    if (code == LS_OK) {
        code = add_query(&out, r->url, err);
    }
    if (code == LS_OK) {
        code = add_headers(&out, r, err);
    }
    if (code == LS_OK) {
        code = ls_buf_addf(&out, err, "\n\nUNSIGNED-PAYLOAD");
    }
    if (code == LS_OK) {
        code = ls_sha256_hex(out.data, out.len, hex, err);
    }
    ls_buf_done(&out);
    return code;
}

/* Signs text with a key that comes of secret, date and region by several steps. */
static ls_code mac(const char *secret, const char *day, const char *region, const char *text,
                   char hex[LS_SHA256_HEX_SIZE], ls_err *err) {
    const char *const steps[] = {day, region, "oss", "aliyun_v4_request", text};
    uint8_t key[LS_SHA256_SIZE];
    char *seed = ls_asprintf("aliyun_v4%s", secret);
    if (seed == NULL) {
        return ls_fail(err, LS_ENOMEM, "oss: no memory to sign a request");
    }
    ls_code code = ls_hmac_sha256(seed, strlen(seed), day, strlen(day), key, err);
    explicit_bzero(seed, strlen(seed));
    free(seed);
    for (size_t i = 1; i < sizeof steps / sizeof steps[0] && code == LS_OK; i++) {
        uint8_t next[LS_SHA256_SIZE];
        code = ls_hmac_sha256(key, sizeof key, steps[i], strlen(steps[i]), next, err);
        memcpy(key, next, sizeof key);
    }
    ls_hex(key, sizeof key, hex);
    explicit_bzero(key, sizeof key);
    return code;
}

ls_code ls_oss_sign(ls_http_request *r, const ls_oss_keys *keys, const char *region,
                    const char *bucket, const char *key, int64_t time_s, ls_err *err) {
    const time_t now = (time_t)time_s;
    struct tm tm;
    char stamp[32];
    char day[16];
    char hex[LS_SHA256_HEX_SIZE];
    (void)gmtime_r(&now, &tm);
    (void)strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%SZ", &tm);
    (void)strftime(day, sizeof day, "%Y%m%d", &tm);
    ls_code code = ls_http_set_header(r, "x-oss-date", err, "%s", stamp);
    if (code == LS_OK) {
        code = ls_http_set_header(r, "x-oss-content-sha256", err, "UNSIGNED-PAYLOAD");
    }
    if (code == LS_OK && keys->token != NULL) {
        code = ls_http_set_header(r, "x-oss-security-token", err, "%s", keys->token);
    }
    if (code == LS_OK) {
        code = digest_request(r, bucket, key, hex, err);
    }
    if (code != LS_OK) {
        return code;
    }
    char *text = ls_asprintf("OSS4-HMAC-SHA256\n%s\n%s/%s/oss/aliyun_v4_request\n%s", stamp, day,
                             region, hex);
    code = text != NULL ? mac(keys->secret, day, region, text, hex, err)
                        : ls_fail(err, LS_ENOMEM, "oss: no memory to sign a request");
    free(text);
    return code == LS_OK ? ls_http_set_header(r, "Authorization", err,
                                              "OSS4-HMAC-SHA256 Credential=%s/%s/%s/oss/"
                                              "aliyun_v4_request, Signature=%s",
                                              keys->id, day, region, hex)
                         : code;
}

/* ---- sending ---- */

static ls_code sign(void *arg, ls_http_request *r, ls_err *err) {
    ls_oss_call *c = arg;
    c->tries++;
    return ls_oss_sign(r, &c->oss->keys, c->oss->region, c->oss->bucket, c->key,
                       ls_wall_ms(&ls_clock_system) / 1000, err);
}

ls_code ls_oss_call_init(ls_oss_call *c, ls_oss *oss, const char *method, const char *key,
                         const char *query, ls_err *err) {
    *c = (ls_oss_call){.oss = oss};
    ls_http_request_init(&c->r, method);
    char *encoded = ls_http_encode(key != NULL ? key : "", true);
    c->key = key != NULL ? strdup(key) : NULL;
    ls_code code = encoded == NULL || (key != NULL && c->key == NULL)
                       ? ls_fail(err, LS_ENOMEM, "oss: no memory for a request")
                       : ls_http_set_url(&c->r, err, "%s/%s%s%s", oss->base_url, encoded,
                                         query[0] != '\0' ? "?" : "", query);
    free(encoded);
    return code;
}

void ls_oss_call_done(ls_oss_call *c) {
    ls_http_answer_done(&c->a);
    ls_http_request_done(&c->r);
    free(c->key);
}

/* A body that was spoilt on the way. */
static bool again(void *arg, const ls_http_request *r, const ls_http_answer *a) {
    (void)arg;
    (void)r;
    return a->status == 400 && a->body != NULL &&
           (strstr(a->body, "<Code>InvalidDigest<") != NULL ||
            strstr(a->body, "<Code>BadDigest<") != NULL);
}

ls_code ls_oss_do(ls_oss_call *c, ls_err *err) {
    const ls_http_hooks hooks = {.sign = sign, .again = again, .arg = c};
    ls_http_answer_done(&c->a);
    return ls_http_do(c->oss->http, &c->r, &hooks, &c->a, err);
}

ls_code ls_oss_open(ls_oss_call *c, ls_reader **body, ls_err *err) {
    const ls_http_hooks hooks = {.sign = sign, .arg = c};
    return ls_http_open(c->oss->http, &c->r, &hooks, &c->a, body, err);
}

/* ---- answers ---- */

/* The text of an element of <Error>; "" where there is none. */
static void element(const ls_http_answer *a, const char *name, char *buf, size_t size) {
    const char *at = a->body != NULL ? strstr(a->body, name) : NULL;
    buf[0] = '\0';
    if (at != NULL) {
        at += strlen(name);
        (void)snprintf(buf, size, "%.*s", (int)strcspn(at, "<"), at);
    }
}

ls_code ls_oss_refused(const ls_oss_call *c, const char *what, const char *name, ls_err *err) {
    char problem[64];
    char message[SAID_MAX];
    element(&c->a, "<Code>", problem, sizeof problem);
    element(&c->a, "<Message>", message, sizeof message);
    ls_code code = LS_EREMOTE;
    if (strcmp(problem, "NoSuchKey") == 0 || (c->a.status == 404 && problem[0] == '\0')) {
        code = LS_ENOTFOUND; /* a HEAD says no more than its status */
    } else if (strcmp(problem, "FileAlreadyExists") == 0) {
        code = LS_EEXISTS;
    }
    (void)ls_fail(err, code, "oss: %s %s: HTTP status %d%s%s%s%s", what, name, c->a.status,
                  problem[0] != '\0' ? ": " : "", problem, message[0] != '\0' ? ": " : "", message);
    if (strcmp(problem, "NoSuchBucket") == 0) {
        return ls_hint(err, "create the bucket \"%s\", or correct its name or region",
                       c->oss->bucket);
    }
    if (c->a.status == 403) {
        return ls_hint(err, "check the access key, its rights to the bucket, and the clock of this "
                            "machine");
    }
    return code;
}

bool ls_oss_describes(const ls_http_answer *a, ls_ltx_info *file, uint64_t *crc) {
    const char *sum = ls_http_header_of(a->headers, a->n_headers, "x-oss-hash-crc64ecma");
    *crc = sum != NULL ? strtoull(sum, NULL, 10) : 0;
    return ls_stamp_describes(a, LS_OSS_TIME_HEADER, "last-modified", file) && file->created_ms > 0;
}

ls_code ls_oss_head(ls_oss *oss, const char *key, ls_ltx_info *file, uint64_t *crc, ls_err *err) {
    ls_oss_call c;
    ls_code code = ls_oss_call_init(&c, oss, "HEAD", key, "", err);
    if (code == LS_OK) {
        code = ls_oss_do(&c, err);
    }
    if (code == LS_OK && c.a.status != 200) {
        code = ls_oss_refused(&c, "look at", key, err);
    } else if (code == LS_OK && !ls_oss_describes(&c.a, file, crc)) {
        code = ls_fail(err, LS_EREMOTE, "oss: look at %s: the answer does not describe it", key);
    }
    ls_oss_call_done(&c);
    return code;
}
