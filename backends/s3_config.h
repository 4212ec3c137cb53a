/*
 * The settings of an S3 store understood: which bucket of which service, how it is addressed, what
 * it has to be told. For the S3 store alone.
 */
#ifndef LS_BACKENDS_S3_CONFIG_H
#define LS_BACKENDS_S3_CONFIG_H

#include "backends/settings.h"

#define LS_S3_PART_MIN (5u << 20)
#define LS_S3_PART_MAX (5ull << 30)
#define LS_S3_PARTS_MAX 10000

/* Texts are owned; NULL: not set. */
typedef struct ls_s3_config {
    char *bucket;   /* or the ARN of an access point */
    char *path;     /* "" allowed; in front of every key as it stands here */
    char *region;   /* NULL: to be asked for */
    char *endpoint; /* scheme://host[:port][/prefix]; NULL: AWS itself */
    bool path_style, sign_payload, content_md5, skip_verify;
    bool tigris; /* wants a header of its own */
    int64_t part_size;
    int concurrency;
    char *storage_class, *kms_key;
    char *sse_key, *sse_key_md5; /* base64 */
} ls_s3_config;

extern const ls_setting_key ls_s3_keys[];

/* What an s3:// URL says, for ls_store_scheme. */
LS_MUST ls_code ls_s3_from_url(const ls_url *url, ls_settings *settings, ls_err *err);

/* LS_ECONFIG with the reference's texts. ls_s3_config_done in any case. */
LS_MUST ls_code ls_s3_config_read(const ls_settings *settings, ls_s3_config *c, ls_err *err);
void ls_s3_config_done(ls_s3_config *c); /* clears keys */

/* The URL of the bucket in that region, without a slash at its end. malloc'd. */
LS_MUST ls_code ls_s3_bucket_url(const ls_s3_config *c, const char *region, char **url,
                                 ls_err *err);

/* How copies name an object of the bucket: encoded, malloc'd; NULL: no memory. */
LS_MUST char *ls_s3_copy_source(const ls_s3_config *c, const char *key);

/* Do some servers lose what lies there: names that begin with '/', or hold "//", "/./", "/../"? */
bool ls_s3_odd_path(const char *path);

#endif
