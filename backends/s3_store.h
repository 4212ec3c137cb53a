/*
 * What the parts of the S3 store share: the store, and requests to it. Used by s3*.c alone.
 */
#ifndef LS_BACKENDS_S3_STORE_H
#define LS_BACKENDS_S3_STORE_H

#include "backends/aws_credentials.h"
#include "backends/s3_config.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct ls_s3 {
    ls_storage base;
    ls_s3_config c;
    ls_http *http;
    ls_aws_credentials *credentials;
    pthread_mutex_t lock;
    char *region;             /* learned, under the lock; NULL: not yet */
    _Atomic(int64_t) skew_ms; /* how far the server's clock is ahead of ours */
    atomic_bool warned;       /* of a path that some servers lose */
    uint64_t copy_max;        /* bytes that one request copies; 5 GiB */
    uint64_t copy_part;       /* of what is larger */
} ls_s3;

#define LS_S3_TIMESTAMP "X-Amz-Meta-Litestream-Timestamp"

/* malloc'd; NULL: no memory. */
LS_MUST char *ls_s3_level_prefix(const ls_s3 *s, int level);        /* "path/0001/" */
LS_MUST char *ls_s3_key(const ls_s3 *s, const ls_ltx_info *file);   /* "path/0001/NAME" */
LS_MUST char *ls_s3_object_key(const ls_s3 *s, const char *object); /* path and object joined */

/* ---- requests (s3_request.c) ---- */

typedef struct ls_s3_call {
    ls_s3 *s;
    ls_http_request r;
    const char *key;                  /* NULL: the bucket; the caller's */
    const char *query;                /* encoded, NULL: none; the caller's */
    char payload[LS_SHA256_HEX_SIZE]; /* hash of the body */
    ls_aws_keys keys;                 /* of the last try */
    bool refused, learned;            /* keys or region were exchanged once */
} ls_s3_call;

/* ls_s3_call_done in any case; key and query must outlive the call. */
LS_MUST ls_code ls_s3_call_init(ls_s3_call *call, ls_s3 *s, const char *method, const char *key,
                                const char *query, ls_err *err);
void ls_s3_call_done(ls_s3_call *call);

/* The body. Of objects (data) a hash is sent only where the connection is not encrypted. name of
 * a file is for errors. */
LS_MUST ls_code ls_s3_body(ls_s3_call *call, const void *body, size_t len, bool data, ls_err *err);
LS_MUST ls_code ls_s3_body_fd(ls_s3_call *call, int fd, uint64_t off, uint64_t len,
                              const char *name, ls_err *err);

/* Headers of the customer's key; for copy_source also those of what is copied. */
LS_MUST ls_code ls_s3_sse_headers(ls_s3_call *call, bool copy_source, ls_err *err);

/* Headers of the encryption of a new object. */
LS_MUST ls_code ls_s3_encryption_headers(ls_s3_call *call, ls_err *err);

/* Headers of a new object: its time, class and encryption. stamp NULL: no time. */
LS_MUST ls_code ls_s3_object_headers(ls_s3_call *call, const char *stamp, ls_err *err);

/* Sends; an answer of 2xx is LS_OK, any other an error of what it says: LS_ENOTFOUND (no such key),
 * LS_EEXISTS (a condition failed), LS_EPERM, LS_EREMOTE. a: ls_http_answer_done if LS_OK. */
LS_MUST ls_code ls_s3_send(ls_s3_call *call, ls_http_answer *a, ls_err *err);

/* The same for a body that is read; *body NULL where the range lies behind the object's end. */
LS_MUST ls_code ls_s3_open(ls_s3_call *call, ls_http_answer *a, ls_reader **body, ls_err *err);

/* What a 200 says that may still be an error (complete, copy, delete): LS_EREMOTE for <Error>. */
LS_MUST ls_code ls_s3_check_body(const ls_http_answer *a, ls_err *err);

/* ---- answers (s3_answer.c) ---- */

typedef struct ls_s3_error {
    char code[64], message[256], region[64];
} ls_s3_error;
/* Empty where the body is none; nothing fails. */
void ls_s3_error_of(const ls_http_answer *a, ls_s3_error *e);
/* The answer of status 300 and up as an error. */
ls_code ls_s3_fail(const ls_http_answer *a, ls_err *err);
bool ls_s3_is_throttling(const char *code);

/* The text of the element of that name, "" where it is not there; cut to size. */
LS_MUST ls_code ls_s3_element(const ls_http_answer *a, const char *name, char *out, size_t size,
                              ls_err *err);

/* ---- listings (s3_list.c) ---- */

#define LS_S3_KEY_MAX 1024
#define LS_S3_TOKEN_MAX 4096

/* One page. What it is read for is set before: each of its objects whose key begins with prefix
 * goes to fn, with what follows. */
typedef struct ls_s3_listing {
    const char *prefix;
    ls_code (*fn)(void *arg, const char *name, uint64_t size, int64_t modified_ms, ls_err *err);
    void *arg;
    char token[LS_S3_TOKEN_MAX]; /* of the next page; "": this is the last */
    /* The rest is the reader's. */
    char key[LS_S3_KEY_MAX + 1];
    uint64_t size;
    int64_t modified_ms;
    bool any; /* it is a listing */
    bool truncated;
} ls_s3_listing;
LS_MUST ls_code ls_s3_read_listing(const char *data, size_t len, ls_s3_listing *listing,
                                   ls_err *err);

/* ---- the other parts ---- */

/* Exists the object? Its size and time; LS_ENOTFOUND. etag may be NULL. */
LS_MUST ls_code ls_s3_head(ls_s3 *s, const char *key, ls_ltx_info *info, ls_err *err);

LS_MUST ls_code ls_s3_list(ls_storage *st, int level, ls_txid seek, ls_storage_iter **it,
                           ls_err *err);
LS_MUST ls_code ls_s3_each_object(ls_storage *st, const char *folder, ls_object_fn fn, void *arg,
                                  ls_err *err);
LS_MUST ls_code ls_s3_read(ls_s3 *s, const char *key, uint64_t off, uint64_t len, ls_reader **r,
                           ls_err *err);
LS_MUST ls_code ls_s3_put(ls_storage *st, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                          ls_ltx_info *out, ls_err *err);
LS_MUST ls_code ls_s3_put_file(ls_storage *st, const ls_ltx_info *file, const char *path,
                               bool exclusive, ls_ltx_info *out, ls_err *err);
LS_MUST ls_code ls_s3_copy(ls_storage *st, const ls_ltx_info *from, const ls_ltx_info *to,
                           bool exclusive, ls_ltx_info *out, ls_err *err);
LS_MUST ls_code ls_s3_remove(ls_storage *st, const ls_ltx_info *files, size_t n, ls_err *err);

LS_MUST ls_code ls_s3_get_mark(ls_storage *st, const char *object, ls_mark *mark, ls_err *err);
LS_MUST ls_code ls_s3_put_mark(ls_storage *st, const char *object, ls_mark *mark, bool keep,
                               ls_err *err);

/* ---- parts (s3_multipart.c) ---- */

/* What is sent in parts: one of file, stream, copy. */
typedef struct ls_s3_source {
    int fd; /* -1: none */
    const char *name;
    ls_reader *in; /* the rest of a stream, whose first bytes are in first */
    void *first;   /* part_size bytes, or all that there is; given over, malloc'd */
    size_t first_len;
    const char *copy; /* encoded name of the object that is copied */
    uint64_t size;    /* of file and copy */
    uint64_t part_size;
} ls_s3_source;

/* Sends, in several threads; after a failure nothing is left. exclusive: LS_EEXISTS rather than
 * replace. *size: bytes of the object. */
LS_MUST ls_code ls_s3_multipart(ls_s3 *s, const char *key, ls_s3_source *source, const char *stamp,
                                bool exclusive, uint64_t *size, ls_err *err);

/* The size of parts for an object of that size: part_size, or more if there would be too many. */
uint64_t ls_s3_part_size(uint64_t size, uint64_t part_size);

#endif
