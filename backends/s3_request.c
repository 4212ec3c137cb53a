/*
 * Requests to S3: addressed, signed, tried again where that may help. The region of the bucket is
 * asked for before the first request where neither settings nor URL tell it, and learned from an
 * answer that names another one; the server's clock is learned from an answer that complains.
 */
#include "backends/s3_store.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGION_DEFAULT "us-east-1"
#define REGION_MAX 64

/* ---- the region ---- */

static bool is_region(const char *text) {
    size_t len = strlen(text);
    return len > 0 && len < REGION_MAX &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static ls_code set_region(ls_s3 *s, const char *region, ls_err *err) {
    char *copy = strdup(region);
    if (copy == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a region");
    }
    (void)pthread_mutex_lock(&s->lock);
    free(s->region);
    s->region = copy;
    (void)pthread_mutex_unlock(&s->lock);
    return LS_OK;
}

static bool get_region(ls_s3 *s, char out[REGION_MAX]) {
    (void)pthread_mutex_lock(&s->lock);
    bool known = s->region != NULL;
    (void)snprintf(out, REGION_MAX, "%s", known ? s->region : "");
    (void)pthread_mutex_unlock(&s->lock);
    return known;
}

static ls_code read_location(const ls_http_answer *a, char out[REGION_MAX], ls_err *err) {
    ls_code code = ls_s3_element(a, "LocationConstraint", out, REGION_MAX, err);
    if (code == LS_OK && out[0] == '\0') {
        (void)snprintf(out, REGION_MAX, REGION_DEFAULT);
    } else if (code == LS_OK && strcmp(out, "EU") == 0) {
        (void)snprintf(out, REGION_MAX, "eu-west-1");
    }
    return code == LS_OK && !is_region(out)
               ? ls_fail(err, LS_EREMOTE, "the bucket's location is no region")
               : code;
}

/* Asks where the bucket is; what goes wrong is told as the reference does. */
static ls_code look_up_region(ls_s3 *s, ls_err *err) {
    ls_s3_call call;
    ls_http_answer a;
    char region[REGION_MAX];
    ls_code code = set_region(s, REGION_DEFAULT, err);
    if (code != LS_OK) {
        return code;
    }
    code = ls_s3_call_init(&call, s, "GET", NULL, "location=", err);
    if (code == LS_OK) {
        code = ls_s3_send(&call, &a, err);
    }
    if (code == LS_OK) {
        code = read_location(&a, region, err);
        ls_http_answer_done(&a);
    }
    ls_s3_call_done(&call);
    if (code == LS_OK) {
        return set_region(s, region, err);
    }
    (void)pthread_mutex_lock(&s->lock);
    free(s->region);
    s->region = NULL;
    (void)pthread_mutex_unlock(&s->lock);
    (void)ls_wrap(err, "s3: cannot lookup bucket region");
    return ls_hint(err, "name it with the key region");
}

/* ---- making requests ---- */

ls_code ls_s3_call_init(ls_s3_call *call, ls_s3 *s, const char *method, const char *key,
                        const char *query, ls_err *err) {
    char known[REGION_MAX];
    *call = (ls_s3_call){.s = s, .key = key, .query = query};
    ls_http_request_init(&call->r, method);
    ls_code code = get_region(s, known) ? LS_OK : look_up_region(s, err);
    if (code == LS_OK && s->c.tigris) {
        code = ls_http_set_header(&call->r, "X-Tigris-Consistent", err, "true");
    }
    return code == LS_OK ? ls_s3_body(call, NULL, 0, false, err) : code;
}

void ls_s3_call_done(ls_s3_call *call) {
    ls_aws_keys_done(&call->keys);
    ls_http_request_done(&call->r);
}

static bool is_hashed(const ls_s3 *s, bool data) {
    bool tls = s->c.endpoint == NULL || ls_has_prefix(s->c.endpoint, "https://");
    return s->c.sign_payload && !(data && tls);
}

ls_code ls_s3_body(ls_s3_call *call, const void *body, size_t len, bool data, ls_err *err) {
    call->r.body = body;
    call->r.body_len = len;
    if (is_hashed(call->s, data)) {
        return ls_sha256_hex(body != NULL ? body : "", len, call->payload, err);
    }
    (void)snprintf(call->payload, sizeof call->payload, LS_AWS_UNSIGNED);
    return LS_OK;
}

ls_code ls_s3_body_fd(ls_s3_call *call, int fd, uint64_t off, uint64_t len, const char *name,
                      ls_err *err) {
    call->r.body_fd = fd;
    call->r.body_off = off;
    call->r.body_len = (size_t)len;
    if (is_hashed(call->s, true)) {
        return ls_sha256_hex_fd(fd, off, len, name, call->payload, err);
    }
    (void)snprintf(call->payload, sizeof call->payload, LS_AWS_UNSIGNED);
    return LS_OK;
}

static ls_code sse_headers(ls_s3_call *call, const char *prefix, ls_err *err) {
    const ls_s3_config *c = &call->s->c;
    const char *const pairs[][2] = {
        {"algorithm", "AES256"}, {"key", c->sse_key}, {"key-MD5", c->sse_key_md5}};
    ls_code code = LS_OK;
    for (size_t i = 0; i < 3 && code == LS_OK; i++) {
        char name[96];
        (void)snprintf(name, sizeof name, "%s-server-side-encryption-customer-%s", prefix,
                       pairs[i][0]);
        code = ls_http_set_header(&call->r, name, err, "%s", pairs[i][1]);
    }
    return code;
}

ls_code ls_s3_sse_headers(ls_s3_call *call, bool copy_source, ls_err *err) {
    if (call->s->c.sse_key == NULL) {
        return LS_OK;
    }
    ls_code code = sse_headers(call, "x-amz", err);
    return code == LS_OK && copy_source ? sse_headers(call, "x-amz-copy-source", err) : code;
}

ls_code ls_s3_encryption_headers(ls_s3_call *call, ls_err *err) {
    const char *kms_key = call->s->c.kms_key;
    ls_code code = LS_OK;
    if (kms_key != NULL) {
        code = ls_http_set_header(&call->r, "X-Amz-Server-Side-Encryption", err, "aws:kms");
    }
    if (code == LS_OK && kms_key != NULL) {
        code = ls_http_set_header(&call->r, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", err,
                                  "%s", kms_key);
    }
    return code == LS_OK ? ls_s3_sse_headers(call, false, err) : code;
}

ls_code ls_s3_object_headers(ls_s3_call *call, const char *stamp, ls_err *err) {
    const ls_s3_config *c = &call->s->c;
    ls_code code = LS_OK;
    if (stamp != NULL) {
        code = ls_http_set_header(&call->r, LS_S3_TIMESTAMP, err, "%s", stamp);
    }
    if (code == LS_OK && c->storage_class != NULL) {
        code = ls_http_set_header(&call->r, "X-Amz-Storage-Class", err, "%s", c->storage_class);
    }
    return code == LS_OK ? ls_s3_encryption_headers(call, err) : code;
}

/* ---- each try ---- */

static ls_code set_url(ls_s3_call *call, const char *region, ls_err *err) {
    char *bucket = NULL;
    ls_code code = ls_s3_bucket_url(&call->s->c, region, &bucket, err);
    char *key = code == LS_OK ? ls_http_encode(call->key != NULL ? call->key : "", true) : NULL;
    if (code == LS_OK && key == NULL) {
        code = ls_fail(err, LS_ENOMEM, "no memory for a request");
    }
    if (code == LS_OK) {
        /* The bucket itself: "/" with a host of its own, none where it is in the path. */
        const char *host = strstr(bucket, "://") + 3;
        bool slash = call->key != NULL || strchr(host, '/') == NULL;
        code =
            ls_http_set_url(&call->r, err, "%s%s%s%s%s", bucket, slash ? "/" : "", key,
                            call->query != NULL ? "?" : "", call->query != NULL ? call->query : "");
    }
    free(key);
    free(bucket);
    return code;
}

static ls_code sign_call(void *arg, ls_http_request *r, ls_err *err) {
    ls_s3_call *call = arg;
    char region[REGION_MAX];
    (void)get_region(call->s, region);
    ls_code code = set_url(call, region, err);
    if (code == LS_OK) {
        ls_aws_keys_done(&call->keys);
        code = ls_aws_credentials_get(call->s->credentials, region, &call->keys, err);
    }
    const ls_aws_scope scope = {
        .region = region,
        .service = "s3",
        .time_s = (ls_wall_ms(&ls_clock_system) + atomic_load(&call->s->skew_ms)) / 1000,
        .payload = call->payload,
    };
    return code == LS_OK ? ls_aws_sign(r, &call->keys, &scope, err) : code;
}

/* By the answer's Date; true if that moved our clock by more than what may have passed since. */
static bool learn_clock(ls_s3 *s, const ls_http_answer *a) {
    const char *date = ls_http_header_of(a->headers, a->n_headers, "Date");
    time_t server = date != NULL ? curl_getdate(date, NULL) : -1;
    if (server == -1) {
        return false;
    }
    int64_t skew = (int64_t)server * 1000 - ls_wall_ms(&ls_clock_system);
    int64_t moved = skew - atomic_exchange(&s->skew_ms, skew);
    return moved > 60000 || moved < -60000;
}

static bool learn_region(ls_s3_call *call, const ls_http_answer *a, const ls_s3_error *e) {
    const char *header = ls_http_header_of(a->headers, a->n_headers, "X-Amz-Bucket-Region");
    const char *region = header != NULL ? header : e->region;
    char known[REGION_MAX];
    ls_err ignored = LS_ERR_INIT;
    if (call->learned || call->s->c.endpoint != NULL || !is_region(region)) {
        return false;
    }
    call->learned = true;
    (void)get_region(call->s, known);
    return strcmp(known, region) != 0 && set_region(call->s, region, &ignored) == LS_OK;
}

static bool exchange_keys(ls_s3_call *call) {
    if (call->refused) {
        return false;
    }
    call->refused = true;
    return ls_aws_credentials_refused(call->s->credentials, &call->keys);
}

static bool is_about_keys(const char *code) {
    return strcmp(code, "ExpiredToken") == 0 || strcmp(code, "InvalidToken") == 0 ||
           strcmp(code, "TokenRefreshRequired") == 0 || strcmp(code, "InvalidAccessKeyId") == 0;
}

/* A body was spoilt on the way. */
static bool is_about_bytes(const char *code) {
    return strcmp(code, "XAmzContentSHA256Mismatch") == 0 || strcmp(code, "BadDigest") == 0;
}

static bool try_again(void *arg, const ls_http_request *r, const ls_http_answer *a) {
    ls_s3_call *call = arg;
    ls_s3_error e;
    (void)r;
    ls_s3_error_of(a, &e);
    /* 409: something else is going on with the object, or with what is above it. */
    if (ls_s3_is_throttling(e.code) || is_about_bytes(e.code) || a->status == 409) {
        return true;
    }
    if (strcmp(e.code, "RequestTimeTooSkewed") == 0 || strcmp(e.code, "RequestExpired") == 0) {
        return learn_clock(call->s, a);
    }
    if (is_about_keys(e.code)) {
        return exchange_keys(call);
    }
    /* HEAD has no body to say what it is about. */
    bool elsewhere = a->status == 301 || a->status == 307 ||
                     strcmp(e.code, "AuthorizationHeaderMalformed") == 0 ||
                     (a->status == 400 && e.code[0] == '\0');
    return elsewhere && learn_region(call, a, &e);
}

ls_code ls_s3_send(ls_s3_call *call, ls_http_answer *a, ls_err *err) {
    const ls_http_hooks hooks = {.sign = sign_call, .again = try_again, .arg = call};
    ls_code code = ls_http_do(call->s->http, &call->r, &hooks, a, err);
    if (code == LS_OK && (a->status < 200 || a->status > 299)) {
        code = ls_s3_fail(a, err);
        ls_http_answer_done(a);
    }
    return code;
}

ls_code ls_s3_open(ls_s3_call *call, ls_http_answer *a, ls_reader **body, ls_err *err) {
    const ls_http_hooks hooks = {.sign = sign_call, .again = try_again, .arg = call};
    ls_code code = ls_http_open(call->s->http, &call->r, &hooks, a, body, err);
    if (code == LS_OK && *body == NULL && a->status != 416) {
        code = ls_s3_fail(a, err);
        ls_http_answer_done(a);
    }
    return code;
}
