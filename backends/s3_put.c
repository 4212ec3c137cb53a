/*
 * Files put to S3: in one request if they have at most a part, else in parts.
 *
 * An exclusive put is one with If-None-Match. Services that do not know it answer 501, or ignore
 * it; so the object is looked for before.
 */
#include "backends/head.h"
#include "backends/s3_store.h"
#include "backends/spool.h"
#include "backends/stamp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static ls_code check_absent(ls_s3 *s, const char *key, ls_err *err) {
    ls_ltx_info info;
    ls_code code = ls_s3_head(s, key, &info, err);
    if (code == LS_ENOTFOUND) {
        ls_err_clear(err);
        return LS_OK;
    }
    return code == LS_OK ? ls_fail(err, LS_EEXISTS, "%s exists already", key) : code;
}

/* What is put: of a file or of memory. */
typedef struct content {
    int fd;
    const char *name;
    const void *data;
    uint64_t len;
} content;

static ls_code put_with(ls_s3 *s, const char *key, const content *c, const char *stamp,
                        bool condition, ls_err *err) {
    ls_s3_call call;
    ls_http_answer a;
    ls_code code = ls_s3_call_init(&call, s, "PUT", key, NULL, err);
    if (code == LS_OK) {
        code = c->fd >= 0 ? ls_s3_body_fd(&call, c->fd, 0, c->len, c->name, err)
                          : ls_s3_body(&call, c->data, (size_t)c->len, true, err);
    }
    if (code == LS_OK) {
        code = ls_http_set_header(&call.r, "Content-Type", err, "application/octet-stream");
    }
    if (code == LS_OK && condition) {
        code = ls_http_set_header(&call.r, "If-None-Match", err, "*");
    }
    if (code == LS_OK) {
        code = ls_s3_object_headers(&call, stamp, err);
    }
    if (code == LS_OK) {
        code = ls_s3_send(&call, &a, err);
    }
    if (code == LS_OK) {
        if (ls_http_header_of(a.headers, a.n_headers, "ETag") == NULL) {
            code = ls_fail(err, LS_EREMOTE, "s3: upload failed: no ETag returned");
        }
        ls_http_answer_done(&a);
    }
    ls_s3_call_done(&call);
    return code;
}

static ls_code put_whole(ls_s3 *s, const char *key, const content *c, const char *stamp,
                         bool exclusive, ls_err *err) {
    ls_code code = put_with(s, key, c, stamp, exclusive, err);
    if (exclusive && code == LS_EREMOTE && strstr(err->msg, "NotImplemented") != NULL) {
        ls_err_clear(err);
        code = put_with(s, key, c, stamp, false, err);
    }
    return code;
}

static void warn_of_path(ls_s3 *s) {
    if (s->c.endpoint != NULL && ls_s3_odd_path(s->c.path) && !atomic_exchange(&s->warned, true)) {
        ls_log_write(s->base.log, LS_WARN, "some s3 servers do not list objects of this path",
                     LS_ATTRS(LS_STR("url", s->base.url),
                              LS_STR("hint", "give the replica a path that neither begins with a "
                                             "slash nor holds '.' as a part")));
    }
}

typedef struct job {
    ls_s3 *s;
    char *key;
    char stamp[LS_STAMP_SIZE];
    int64_t created_ms;
    bool exclusive;
    uint64_t size;
} job;

static ls_code job_begin(job *j, ls_err *err) {
    (void)ls_stamp_format(j->created_ms, j->stamp);
    warn_of_path(j->s);
    return j->exclusive ? check_absent(j->s, j->key, err) : LS_OK;
}

/* Frees the key; code is how it went. */
static ls_code job_end(job *j, ls_code code, const ls_ltx_info *file, ls_ltx_info *out,
                       ls_err *err) {
    if (code == LS_OK) {
        *out = *file;
        out->size = j->size;
        out->created_ms = j->created_ms;
    } else if (code == LS_EEXISTS) {
        (void)ls_fail(err, LS_EEXISTS, "s3: %s exists already", j->key);
    } else if (code != LS_EFORMAT) {
        (void)ls_wrap(err, "s3: upload to %s", j->key != NULL ? j->key : "");
    }
    free(j->key);
    return code;
}

static ls_code new_job(job *j, ls_storage *st, const ls_ltx_info *file, bool exclusive,
                       ls_err *err) {
    *j = (job){.s = (ls_s3 *)st, .exclusive = exclusive};
    j->key = ls_s3_key(j->s, file);
    return j->key != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for a key");
}

/* ---- files ---- */

static ls_code send_file(job *j, int fd, const char *path, ls_err *err) {
    uint64_t part = (uint64_t)j->s->c.part_size;
    if (j->size <= part) {
        const content c = {.fd = fd, .name = path, .len = j->size};
        return put_whole(j->s, j->key, &c, j->stamp, j->exclusive, err);
    }
    ls_s3_source source = {
        .fd = fd, .name = path, .size = j->size, .part_size = ls_s3_part_size(j->size, part)};
    return ls_s3_multipart(j->s, j->key, &source, j->stamp, j->exclusive, &j->size, err);
}

ls_code ls_s3_put_file(ls_storage *st, const ls_ltx_info *file, const char *path, bool exclusive,
                       ls_ltx_info *out, ls_err *err) {
    job j;
    ls_spool spool;
    ls_code code = ls_spool_file(path, &spool, err);
    if (code != LS_OK) {
        return code;
    }
    code = new_job(&j, st, file, exclusive, err);
    j.size = spool.size;
    j.created_ms = spool.created_ms;
    if (code == LS_OK) {
        code = job_begin(&j, err);
    }
    if (code == LS_OK) {
        code = send_file(&j, spool.fd, path, err);
    }
    ls_spool_close(&spool);
    return job_end(&j, code, file, out, err);
}

/* ---- streams ---- */

static ls_code send_stream(job *j, void *first, size_t len, ls_reader *in, ls_err *err) {
    if (len < (size_t)j->s->c.part_size) {
        const content c = {.fd = -1, .data = first, .len = len};
        j->size = len;
        ls_code code = put_whole(j->s, j->key, &c, j->stamp, j->exclusive, err);
        free(first);
        return code;
    }
    ls_s3_source source = {.fd = -1,
                           .in = in,
                           .first = first,
                           .first_len = len,
                           .part_size = (uint64_t)j->s->c.part_size};
    return ls_s3_multipart(j->s, j->key, &source, j->stamp, j->exclusive, &j->size, err);
}

ls_code ls_s3_put(ls_storage *st, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                  ls_ltx_info *out, ls_err *err) {
    job j;
    size_t got = 0;
    ls_code code = new_job(&j, st, file, exclusive, err);
    uint8_t *first = code == LS_OK ? malloc((size_t)j.s->c.part_size) : NULL;
    if (code == LS_OK && first == NULL) {
        code = ls_fail(err, LS_ENOMEM, "no memory for a part");
    }
    if (code == LS_OK) {
        code = ls_read_full(in, first, (size_t)j.s->c.part_size, &got, err);
    }
    if (code == LS_OK) {
        code = ls_head_time(first, got, &j.created_ms, err);
    }
    if (code == LS_OK) {
        code = job_begin(&j, err);
    }
    if (code == LS_OK) {
        code = send_stream(&j, first, got, in, err);
    } else {
        free(first);
    }
    return job_end(&j, code, file, out, err);
}
