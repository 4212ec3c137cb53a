/* Files copied inside of S3: by one request up to 5 GiB, else in parts. */
#include "backends/s3_store.h"
#include "backends/stamp.h"

#include <stdlib.h>
#include <string.h>

typedef struct copying {
    ls_s3 *s;
    char *from, *to;
    char *source; /* from as a header names it */
    ls_ltx_info info;
    char stamp[LS_STAMP_SIZE];
    bool exclusive;
} copying;

static ls_code copy_once(const copying *c, bool condition, ls_err *err) {
    ls_s3_call call;
    ls_http_answer a;
    ls_code code = ls_s3_call_init(&call, c->s, "PUT", c->to, NULL, err);
    if (code == LS_OK) {
        code = ls_http_set_header(&call.r, "X-Amz-Copy-Source", err, "%s", c->source);
    }
    /* With the time as metadata, whatever the service takes over from the source. */
    if (code == LS_OK) {
        code = ls_http_set_header(&call.r, "X-Amz-Metadata-Directive", err, "REPLACE");
    }
    if (code == LS_OK) {
        code = ls_http_set_header(&call.r, "Content-Type", err, "application/octet-stream");
    }
    if (code == LS_OK && condition) {
        code = ls_http_set_header(&call.r, "If-None-Match", err, "*");
    }
    if (code == LS_OK) {
        code = ls_s3_object_headers(&call, c->stamp, err);
    }
    if (code == LS_OK) {
        code = ls_s3_sse_headers(&call, true, err);
    }
    if (code == LS_OK) {
        code = ls_s3_send(&call, &a, err);
    }
    if (code == LS_OK) {
        code = ls_s3_check_body(&a, err);
        ls_http_answer_done(&a);
    }
    ls_s3_call_done(&call);
    return code;
}

static ls_code copy_whole(const copying *c, ls_err *err) {
    ls_code code = copy_once(c, c->exclusive, err);
    if (c->exclusive && code == LS_EREMOTE && strstr(err->msg, "NotImplemented") != NULL) {
        ls_err_clear(err);
        code = copy_once(c, false, err);
    }
    return code;
}

static ls_code copy_parts(const copying *c, ls_err *err) {
    uint64_t size;
    ls_s3_source source = {.fd = -1,
                           .copy = c->source,
                           .size = c->info.size,
                           .part_size = ls_s3_part_size(c->info.size, c->s->copy_part)};
    return ls_s3_multipart(c->s, c->to, &source, c->stamp, c->exclusive, &size, err);
}

static ls_code check_target(const copying *c, ls_err *err) {
    ls_ltx_info there;
    ls_code code = c->exclusive ? ls_s3_head(c->s, c->to, &there, err) : LS_ENOTFOUND;
    if (code == LS_ENOTFOUND) {
        ls_err_clear(err);
        return LS_OK;
    }
    return code == LS_OK ? ls_fail(err, LS_EEXISTS, "s3: %s exists already", c->to) : code;
}

static ls_code copy_file(copying *c, ls_err *err) {
    ls_code code = ls_s3_head(c->s, c->from, &c->info, err);
    if (code == LS_OK) {
        (void)ls_stamp_format(c->info.created_ms, c->stamp);
        code = check_target(c, err);
    }
    if (code == LS_OK) {
        code = c->info.size <= c->s->copy_max ? copy_whole(c, err) : copy_parts(c, err);
    }
    return code;
}

ls_code ls_s3_copy(ls_storage *st, const ls_ltx_info *from, const ls_ltx_info *to, bool exclusive,
                   ls_ltx_info *out, ls_err *err) {
    copying c = {.s = (ls_s3 *)st, .exclusive = exclusive};
    c.from = ls_s3_key(c.s, from);
    c.to = ls_s3_key(c.s, to);
    c.source = c.from != NULL ? ls_s3_copy_source(&c.s->c, c.from) : NULL;
    ls_code code = c.source != NULL && c.to != NULL
                       ? copy_file(&c, err)
                       : ls_fail(err, LS_ENOMEM, "no memory for a key");
    if (code == LS_OK) {
        *out = *to;
        out->size = c.info.size;
        out->created_ms = c.info.created_ms;
    } else if (code != LS_EEXISTS) {
        (void)ls_wrap(err, "s3: copy %s", c.from != NULL ? c.from : "");
    }
    free(c.source);
    free(c.to);
    free(c.from);
    return code;
}
