/*
 * Marks (storage.h) in S3: objects that are put with If-None-Match or If-Match; their tag is the
 * ETag.
 *
 * A request may be sent twice, so a condition that failed may have been met by the first of them:
 * the caller compares what is there.
 */
#include "backends/s3_store.h"
#include "backends/stamp.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static ls_code set_tag(const ls_http_answer *a, const char *key, ls_mark *mark, ls_err *err) {
    const char *tag = ls_http_header_of(a->headers, a->n_headers, "ETag");
    if (tag == NULL || tag[0] == '\0' || strlen(tag) >= sizeof mark->tag) {
        return ls_fail(err, LS_EREMOTE, "s3: no ETag of %s returned", key);
    }
    (void)snprintf(mark->tag, sizeof mark->tag, "%s", tag);
    return LS_OK;
}

/* Both moments are the server's. */
static int64_t age_of(const ls_http_answer *a) {
    const char *now = ls_http_header_of(a->headers, a->n_headers, "Date");
    const char *then = ls_http_header_of(a->headers, a->n_headers, "Last-Modified");
    time_t at = now != NULL ? curl_getdate(now, NULL) : -1;
    time_t written = then != NULL ? curl_getdate(then, NULL) : -1;
    if (at == -1 || written == -1) {
        return -1;
    }
    return at > written ? (int64_t)(at - written) * 1000 : 0;
}

static ls_code describe(const ls_http_answer *a, const char *key, ls_mark *mark, ls_err *err) {
    if (a->body_len > LS_MARK_MAX) {
        return ls_fail(err, LS_ELIMIT, "s3: %s is longer than %d bytes", key, LS_MARK_MAX);
    }
    mark->len = a->body_len;
    if (mark->len > 0) {
        memcpy(mark->text, a->body, mark->len);
    }
    mark->text[mark->len] = '\0';
    mark->age_ms = age_of(a);
    return set_tag(a, key, mark, err);
}

ls_code ls_s3_get_mark(ls_storage *st, const char *object, ls_mark *mark, ls_err *err) {
    ls_s3 *s = (ls_s3 *)st;
    ls_s3_call call;
    ls_http_answer a;
    char *key = ls_s3_object_key(s, object);
    if (key == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a key");
    }
    ls_code code = ls_s3_call_init(&call, s, "GET", key, NULL, err);
    if (code == LS_OK) {
        code = ls_s3_sse_headers(&call, false, err);
    }
    if (code == LS_OK) {
        code = ls_s3_send(&call, &a, err);
    }
    if (code == LS_OK) {
        code = describe(&a, key, mark, err);
        ls_http_answer_done(&a);
    }
    ls_s3_call_done(&call);
    code = code == LS_OK ? LS_OK : ls_wrap(err, "s3: get object %s", key);
    free(key);
    return code;
}

static ls_code set_headers(ls_s3_call *call, const ls_mark *mark, ls_err *err) {
    ls_code code = ls_http_set_header(&call->r, "Content-Type", err, "application/json");
    if (code == LS_OK) {
        code = mark->tag[0] == '\0'
                   ? ls_http_set_header(&call->r, "If-None-Match", err, "*")
                   : ls_http_set_header(&call->r, "If-Match", err, "%s", mark->tag);
    }
    return code == LS_OK ? ls_s3_encryption_headers(call, err) : code;
}

/* An object that a condition names and that is not there has changed too. */
static ls_code changed(const char *key, ls_code code, const ls_mark *mark, ls_err *err) {
    if (code == LS_EEXISTS || (code == LS_ENOTFOUND && mark->tag[0] != '\0')) {
        return ls_fail(err, LS_EEXISTS, "s3: %s was changed", key);
    }
    if (code == LS_EREMOTE && strstr(err->msg, "NotImplemented") != NULL) {
        err->code = LS_EUNSUPPORTED;
        (void)ls_hint(err, "the server has no conditional writes: take out lease: true");
    }
    return ls_wrap(err, "s3: put object %s", key);
}

ls_code ls_s3_put_mark(ls_storage *st, const char *object, ls_mark *mark, bool keep, ls_err *err) {
    ls_s3 *s = (ls_s3 *)st;
    ls_s3_call call;
    ls_http_answer a;
    (void)keep;
    char *key = ls_s3_object_key(s, object);
    if (key == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a key");
    }
    ls_code code = ls_s3_call_init(&call, s, "PUT", key, NULL, err);
    if (code == LS_OK) {
        code = ls_s3_body(&call, mark->text, mark->len, true, err);
    }
    if (code == LS_OK) {
        code = set_headers(&call, mark, err);
    }
    if (code == LS_OK) {
        code = ls_s3_send(&call, &a, err);
    }
    if (code == LS_OK) {
        code = set_tag(&a, key, mark, err);
        ls_http_answer_done(&a);
    } else {
        code = changed(key, code, mark, err);
    }
    ls_s3_call_done(&call);
    free(key);
    return code;
}
