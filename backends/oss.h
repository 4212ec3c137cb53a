/*
 * Alibaba Cloud OSS, shared by its files: oss.c is the store, oss_request.c signs and sends,
 * oss_upload.c stores objects.
 */
#ifndef LS_BACKENDS_OSS_H
#define LS_BACKENDS_OSS_H

#include "backends/http.h"
#include "backends/settings.h"
#include "backends/storage.h"

#define LS_OSS_TIME_HEADER "x-oss-meta-litestream-timestamp"
#define LS_OSS_PART_MIN (100 * 1024)
#define LS_OSS_PART_DEFAULT (6 << 20)
#define LS_OSS_PARTS_MAX 10000

/* Key, secret and, if they are temporary, their token. Owned by the store. */
typedef struct ls_oss_keys {
    char *id, *secret;
    char *token; /* NULL: none */
} ls_oss_keys;

typedef struct ls_oss {
    ls_storage base;
    ls_http *http;
    ls_oss_keys keys;
    char *region;
    char *base_url; /* of the bucket, without a slash behind it */
    char *bucket;
    char *path; /* in front of "/<level>/<name>"; never empty */
    size_t part_size;
} ls_oss;

/* One request as it goes on. */
typedef struct ls_oss_call {
    ls_oss *oss;
    char *key; /* of the object; NULL: the bucket */
    ls_http_request r;
    ls_http_answer a;
    int tries; /* made so far */
} ls_oss_call;

/* To the bucket (key NULL) or an object, with a query whose names and values are encoded ("" for
 * none). ls_oss_call_done in any case. */
LS_MUST ls_code ls_oss_call_init(ls_oss_call *c, ls_oss *oss, const char *method, const char *key,
                                 const char *query, ls_err *err);
void ls_oss_call_done(ls_oss_call *c);

/* Sends, with retries; ls_oss_open gives the body of a success as a stream. */
LS_MUST ls_code ls_oss_do(ls_oss_call *c, ls_err *err);
LS_MUST ls_code ls_oss_open(ls_oss_call *c, ls_reader **body, ls_err *err);

/* LS_EREMOTE (or what fits better) for an answer that is no success. */
ls_code ls_oss_refused(const ls_oss_call *c, const char *what, const char *name, ls_err *err);

/* Sets x-oss-date, x-oss-content-sha256 and Authorization (OSS4-HMAC-SHA256) at this time. The
 * request's headers x-oss-*, Content-Type and Content-MD5 are covered. */
LS_MUST ls_code ls_oss_sign(ls_http_request *r, const ls_oss_keys *keys, const char *region,
                            const char *bucket, const char *key, int64_t time_s, ls_err *err);

/* Key of a file's object (malloc'd, NULL without memory): PATH/<level in four hexadecimal
 * digits>/<name>, the parts put together as they are. */
LS_MUST char *ls_oss_key(const ls_oss *oss, const ls_ltx_info *file);

/* Size, time and checksum of an object from the headers that describe it; false if one of the first
 * two is missing. */
LS_MUST bool ls_oss_describes(const ls_http_answer *a, ls_ltx_info *file, uint64_t *crc);

/* The store's put. */
LS_MUST ls_code ls_oss_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                           ls_ltx_info *out, ls_err *err);

/* Looks at an object; LS_ENOTFOUND. */
LS_MUST ls_code ls_oss_head(ls_oss *oss, const char *key, ls_ltx_info *file, uint64_t *crc,
                            ls_err *err);

#endif
