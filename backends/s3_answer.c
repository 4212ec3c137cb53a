/* What S3 says in XML: errors and single elements. */
#include "backends/s3_store.h"
#include "backends/xml.h"

#include <stdio.h>
#include <string.h>

/* The last name of a path. */
static const char *last_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static ls_code take_error(void *arg, const char *path, const char *text, ls_err *err) {
    ls_s3_error *e = arg;
    (void)err;
    if (strcmp(path, "Error/Code") == 0) {
        (void)snprintf(e->code, sizeof e->code, "%.*s", (int)sizeof e->code - 1, text);
    } else if (strcmp(path, "Error/Message") == 0) {
        (void)snprintf(e->message, sizeof e->message, "%.*s", (int)sizeof e->message - 1, text);
    } else if (strcmp(path, "Error/Region") == 0) {
        (void)snprintf(e->region, sizeof e->region, "%.*s", (int)sizeof e->region - 1, text);
    }
    return LS_OK;
}

void ls_s3_error_of(const ls_http_answer *a, ls_s3_error *e) {
    ls_err ignored = LS_ERR_INIT;
    *e = (ls_s3_error){0};
    if (a->body_len > 0 && ls_xml_read(a->body, a->body_len, take_error, e, &ignored) != LS_OK) {
        *e = (ls_s3_error){0};
    }
}

bool ls_s3_is_throttling(const char *code) {
    static const char *const codes[] = {
        "Throttling",
        "ThrottlingException",
        "ThrottledException",
        "RequestThrottled",
        "RequestThrottledException",
        "TooManyRequestsException",
        "ProvisionedThroughputExceededException",
        "TransactionInProgressException",
        "RequestLimitExceeded",
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "SlowDown",
        "PriorRequestNotComplete",
        "EC2ThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "RequestCanceled",
        "InternalError",
        "ServiceUnavailable",
        "OperationAborted",
        "ConditionalRequestConflict",
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        if (strcmp(code, codes[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* ls_code and hint for what a service says. */
static const struct {
    const char *name;
    ls_code code;
    const char *hint;
} meanings[] = {
    {"NoSuchKey", LS_ENOTFOUND, ""},
    {"PreconditionFailed", LS_EEXISTS, ""},
    {"NoSuchBucket", LS_EREMOTE, "create the bucket, or check its name and the endpoint"},
    {"AccessDenied", LS_EPERM,
     "allow s3:ListBucket, GetObject, PutObject, DeleteObject and AbortMultipartUpload"},
    {"InvalidAccessKeyId", LS_EPERM, "check the access key"},
    {"SignatureDoesNotMatch", LS_EPERM, "check the secret key, and the region"},
    {"ExpiredToken", LS_EPERM, "renew the session token"},
    {"RequestTimeTooSkewed", LS_EPERM, "set this machine's clock"},
    {"EntityTooLarge", LS_ELIMIT, ""},
};

ls_code ls_s3_fail(const ls_http_answer *a, ls_err *err) {
    ls_s3_error e;
    ls_s3_error_of(a, &e);
    ls_code code = a->status == 404 && e.code[0] == '\0'  ? LS_ENOTFOUND
                   : a->status == 412                     ? LS_EEXISTS
                   : a->status == 401 || a->status == 403 ? LS_EPERM
                                                          : LS_EREMOTE;
    const char *hint = "";
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (strcmp(e.code, meanings[i].name) == 0) {
            code = meanings[i].code;
            hint = meanings[i].hint;
        }
    }
    (void)ls_fail(err, code, "status %d%s%s%s%s", a->status, e.code[0] != '\0' ? " " : "", e.code,
                  e.message[0] != '\0' ? ": " : "", e.message);
    return hint[0] != '\0' ? ls_hint(err, "%s", hint) : code;
}

ls_code ls_s3_check_body(const ls_http_answer *a, ls_err *err) {
    ls_s3_error e;
    ls_s3_error_of(a, &e);
    if (e.code[0] == '\0') {
        return LS_OK;
    }
    return strcmp(e.code, "PreconditionFailed") == 0
               ? ls_fail(err, LS_EEXISTS, "%s: %s", e.code, e.message)
               : ls_fail(err, LS_EREMOTE, "%s: %s", e.code, e.message);
}

typedef struct wanted {
    const char *name;
    char *out;
    size_t size;
} wanted;

static ls_code take_element(void *arg, const char *path, const char *text, ls_err *err) {
    const wanted *w = arg;
    if (strcmp(last_name(path), w->name) != 0) {
        return LS_OK;
    }
    return snprintf(w->out, w->size, "%s", text) < (int)w->size
               ? LS_OK
               : ls_fail(err, LS_EREMOTE, "answer has %s of more than %zu bytes", w->name, w->size);
}

ls_code ls_s3_element(const ls_http_answer *a, const char *name, char *out, size_t size,
                      ls_err *err) {
    wanted w = {name, out, size};
    out[0] = '\0';
    return ls_xml_read(a->body, a->body_len, take_element, &w, err);
}
