/*
 * The S3 store: PATH/%04x/<min>-<max>.ltx in a bucket of AWS or of what speaks like it.
 *
 * Keys are put together without cleaning, as the reference does, so that what it wrote is found,
 * odd as it may be: "/0000/..." without a path, "./0000/..." for the URL s3://bucket. The time of a
 * file is in its metadata, which listings do not show; they show when it was uploaded.
 */
#include "backends/s3_store.h"
#include "backends/schemes.h"
#include "backends/stamp.h"
#include "engine/base/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 10

/* ---- keys ---- */

char *ls_s3_level_prefix(const ls_s3 *s, int level) {
    return ls_asprintf("%s/%04x/", s->c.path, (unsigned)level);
}

char *ls_s3_key(const ls_s3 *s, const ls_ltx_info *file) {
    char name[LS_LTX_NAME_SIZE];
    return ls_asprintf("%s/%04x/%s", s->c.path, (unsigned)file->level,
                       ls_ltx_name_format(file->min_txid, file->max_txid, name));
}

char *ls_s3_object_key(const ls_s3 *s, const char *object) {
    char *joined = s->c.path[0] != '\0' ? ls_asprintf("%s/%s", s->c.path, object) : strdup(object);
    char *clean = joined != NULL ? ls_path_clean(joined) : NULL;
    free(joined);
    return clean;
}

/* ---- reading ---- */

ls_code ls_s3_head(ls_s3 *s, const char *key, ls_ltx_info *info, ls_err *err) {
    ls_s3_call call;
    ls_http_answer a;
    *info = (ls_ltx_info){0};
    ls_code code = ls_s3_call_init(&call, s, "HEAD", key, NULL, err);
    if (code == LS_OK) {
        code = ls_s3_sse_headers(&call, false, err);
    }
    if (code == LS_OK) {
        code = ls_s3_send(&call, &a, err);
    }
    if (code == LS_OK) {
        (void)ls_stamp_describes(&a, LS_S3_TIMESTAMP, "Last-Modified", info);
        ls_http_answer_done(&a);
    }
    ls_s3_call_done(&call);
    return code == LS_OK ? LS_OK : ls_wrap(err, "%s", key);
}

/* A part of an object, whatever the service made of the range. */
typedef struct range_reader {
    ls_reader base;
    ls_reader *in; /* NULL: there is nothing */
    uint64_t skip, left;
} range_reader;

static ls_code skip_bytes(range_reader *rr, ls_err *err) {
    char buf[16384];
    while (rr->skip > 0) {
        size_t got;
        size_t want = rr->skip < sizeof buf ? (size_t)rr->skip : sizeof buf;
        ls_code code = rr->in->read(rr->in, buf, want, &got, err);
        if (code != LS_OK) {
            return code;
        }
        if (got == 0) {
            rr->left = rr->skip = 0;
        }
        rr->skip -= got;
    }
    return LS_OK;
}

static ls_code range_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    range_reader *rr = (range_reader *)r;
    *got = 0;
    if (rr->in == NULL) {
        return LS_OK;
    }
    ls_code code = skip_bytes(rr, err);
    size_t want = len < rr->left ? len : (size_t)rr->left;
    if (code == LS_OK && want > 0) {
        code = rr->in->read(rr->in, buf, want, got, err);
        rr->left -= *got;
    }
    return code;
}

static void range_close(ls_reader *r) {
    range_reader *rr = (range_reader *)r;
    ls_reader_close(rr->in);
    free(rr);
}

static ls_code set_range(ls_s3_call *call, uint64_t off, uint64_t len, ls_err *err) {
    if (off == 0 && len == 0) {
        return LS_OK;
    }
    if (len == 0 || len > (uint64_t)INT64_MAX - off) {
        return ls_http_set_header(&call->r, "Range", err, "bytes=%" PRIu64 "-", off);
    }
    return ls_http_set_header(&call->r, "Range", err, "bytes=%" PRIu64 "-%" PRIu64, off,
                              off + len - 1);
}

ls_code ls_s3_read(ls_s3 *s, const char *key, uint64_t off, uint64_t len, ls_reader **r,
                   ls_err *err) {
    ls_s3_call call;
    ls_http_answer a;
    range_reader *rr = calloc(1, sizeof *rr);
    if (rr == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to read %s", key);
    }
    off = off < INT64_MAX ? off : INT64_MAX;
    ls_code code = ls_s3_call_init(&call, s, "GET", key, NULL, err);
    if (code == LS_OK) {
        code = ls_s3_sse_headers(&call, false, err);
    }
    if (code == LS_OK) {
        code = set_range(&call, off, len, err);
    }
    if (code == LS_OK) {
        code = ls_s3_open(&call, &a, &rr->in, err);
    }
    ls_s3_call_done(&call);
    if (code != LS_OK) {
        free(rr);
        return ls_wrap(err, "s3: get object %s", key);
    }
    rr->base = (ls_reader){.read = range_read, .close = range_close};
    rr->skip = a.status == 200 ? off : 0;
    rr->left = len > 0 ? len : UINT64_MAX;
    ls_http_answer_done(&a);
    *r = &rr->base;
    return LS_OK;
}

static ls_code s3_open_file(ls_storage *st, const ls_ltx_info *file, uint64_t off, uint64_t len,
                            ls_reader **r, ls_err *err) {
    ls_s3 *s = (ls_s3 *)st;
    char *key = ls_s3_key(s, file);
    ls_code code = key != NULL ? ls_s3_read(s, key, off, len, r, err)
                               : ls_fail(err, LS_ENOMEM, "no memory for a key");
    free(key);
    return code;
}

/* A replica that was copied without its metadata has no better time than that of the upload. */
static ls_code s3_exact(ls_storage *st, ls_ltx_info *file, ls_err *err) {
    ls_s3 *s = (ls_s3 *)st;
    ls_ltx_info info;
    char *key = ls_s3_key(s, file);
    ls_code code = key != NULL ? ls_s3_head(s, key, &info, err)
                               : ls_fail(err, LS_ENOMEM, "no memory for a key");
    if (code == LS_OK && info.created_ms != 0) {
        file->created_ms = info.created_ms;
    }
    free(key);
    return code;
}

static ls_code s3_open_object(ls_storage *st, const char *object, uint64_t off, uint64_t len,
                              ls_reader **r, ls_err *err) {
    ls_s3 *s = (ls_s3 *)st;
    char *key = ls_s3_object_key(s, object);
    ls_code code = key != NULL ? ls_s3_read(s, key, off, len, r, err)
                               : ls_fail(err, LS_ENOMEM, "no memory for a key");
    free(key);
    return code;
}

/* ---- making and freeing ---- */

static void s3_free(ls_storage *st) {
    ls_s3 *s = (ls_s3 *)st;
    ls_http_free(s->http);
    ls_aws_credentials_free(s->credentials);
    ls_s3_config_done(&s->c);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->region);
    free(s->base.url);
    free(s);
}

static const ls_storage_ops s3_ops = {
    .type = "s3",
    .list = ls_s3_list,
    .open = s3_open_file,
    .put = ls_s3_put,
    .put_file = ls_s3_put_file,
    .copy = ls_s3_copy,
    .remove = ls_s3_remove,
    .each_object = ls_s3_each_object,
    .open_object = s3_open_object,
    .exact = s3_exact,
    .get_mark = ls_s3_get_mark,
    .put_mark = ls_s3_put_mark,
    .free = s3_free,
};

static ls_code make_connections(ls_s3 *s, const ls_settings *settings, ls_err *err) {
    const ls_http_options o = {
        .skip_verify = s->c.skip_verify, .tries = TRIES, .debug = &s->base.log};
    ls_code code = ls_http_new(&o, &s->http, err);
    if (code == LS_OK) {
        code = ls_aws_credentials_new(ls_settings_text(settings, "access-key-id", NULL),
                                      ls_settings_text(settings, "secret-access-key", NULL), NULL,
                                      &s->credentials, err);
    }
    if (code == LS_OK && s->c.region != NULL) {
        s->region = strdup(s->c.region);
    }
    s->base.url = ls_asprintf("s3://%s/%s%s%s", s->c.bucket, s->c.path,
                              s->c.endpoint != NULL ? "?endpoint=" : "",
                              s->c.endpoint != NULL ? s->c.endpoint : "");
    return code == LS_OK && (s->base.url == NULL || (s->c.region != NULL && s->region == NULL))
               ? ls_fail(err, LS_ENOMEM, "no memory to open a store")
               : code;
}

static ls_code s3_open(const ls_settings *settings, const ls_perm *perm, ls_storage **st,
                       ls_err *err) {
    (void)perm;
    ls_s3 *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to open a store");
    }
    s->base.ops = &s3_ops;
    s->copy_max = s->copy_part = LS_S3_PART_MAX;
    s->copy_part /= 10;
    (void)pthread_mutex_init(&s->lock, NULL);
    ls_code code = ls_s3_config_read(settings, &s->c, err);
    if (code == LS_OK) {
        code = make_connections(s, settings, err);
    }
    if (code != LS_OK) {
        s3_free(&s->base);
        return code;
    }
    *st = &s->base;
    return LS_OK;
}

const ls_store_scheme ls_s3_scheme = {
    .type = "s3",
    .schemes = "s3",
    .keys = ls_s3_keys,
    .in_url = "bucket",
    .from_url = ls_s3_from_url,
    .open = s3_open,
};
