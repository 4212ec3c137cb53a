/*
 * Signature version 4 of AWS, in headers. Own code: a signature has to cover the very path, query
 * and headers that are sent, at a time that is corrected by the server's clock.
 */
#ifndef LS_BACKENDS_AWS_SIGN_H
#define LS_BACKENDS_AWS_SIGN_H

#include "backends/digest.h"
#include "backends/http.h"

/* Key, secret and, if it is temporary, session token; all owned by whoever got them. */
typedef struct ls_aws_keys {
    char *id, *secret;
    char *token; /* NULL: none */
} ls_aws_keys;
void ls_aws_keys_done(ls_aws_keys *keys); /* clears secrets */
LS_MUST ls_code ls_aws_keys_copy(const ls_aws_keys *from, ls_aws_keys *to, ls_err *err);

#define LS_AWS_UNSIGNED "UNSIGNED-PAYLOAD"

typedef struct ls_aws_scope {
    const char *region, *service; /* "s3": the body's hash is a header too */
    int64_t time_s;               /* since 1970, by the server's clock */
    const char *payload;          /* SHA-256 of the body in hex, or LS_AWS_UNSIGNED */
} ls_aws_scope;

/* Sets X-Amz-Date, the token and Authorization, which covers all headers that are set. The path of
 * the URL is taken as it stands there, its query is sorted and completed. */
LS_MUST ls_code ls_aws_sign(ls_http_request *r, const ls_aws_keys *keys, const ls_aws_scope *scope,
                            ls_err *err);

#endif
