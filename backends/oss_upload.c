/*
 * Uploads to Alibaba Cloud OSS: what fits into one part is one request, more is a multipart upload,
 * which is aborted if it fails, since its parts cost money. Each request has the MD5 of its body,
 * so that what was spoilt on the way is refused; stored and found out later it would stand in the
 * way of the next try. The CRC-64 that the service tells of each part and of the whole is compared
 * with ours.
 */
#include "backends/crc64ecma.h"
#include "backends/digest.h"
#include "backends/oss.h"
#include "backends/parts.h"
#include "backends/stamp.h"
#include "backends/xml.h"
#include "engine/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_A_SIZE 1500 /* parts of one size, then they double */
#define DOUBLINGS 5
#define LIST_MAX (2u << 20)

typedef struct upload {
    ls_oss *oss;
    const char *key;
    bool exclusive;
    ls_parts parts;
    uint64_t crc; /* of all that was read */
    char *id;     /* of a multipart upload */
    ls_buf list;  /* of its parts */
} upload;

static ls_code no_memory(ls_err *err) {
    return ls_fail(err, LS_ENOMEM, "oss: no memory to upload");
}

/* ---- what both ways have in common ---- */

static ls_code set_object_headers(const upload *u, ls_oss_call *c, ls_err *err) {
    char stamp[LS_STAMP_SIZE];
    ls_code code = ls_http_set_header(&c->r, LS_OSS_TIME_HEADER, err, "%s",
                                      ls_stamp_format(u->parts.created_ms, stamp));
    if (code == LS_OK) {
        code = ls_http_set_header(&c->r, "Content-Type", err, "application/octet-stream");
    }
    if (code == LS_OK && u->exclusive) {
        code = ls_http_set_header(&c->r, "x-oss-forbid-overwrite", err, "true");
    }
    return code;
}

/* Is there, under our key, what we were to put there? Asked where an answer got lost. */
static bool is_there(const upload *u) {
    ls_err ignored = LS_ERR_INIT;
    ls_ltx_info file;
    uint64_t crc;
    return ls_oss_head(u->oss, u->key, &file, &crc, &ignored) == LS_OK && crc == u->crc &&
           file.size == u->parts.off + u->parts.len;
}

static ls_code check_crc(const upload *u, const ls_oss_call *c, uint64_t crc, ls_err *err) {
    const char *theirs = ls_http_header_of(c->a.headers, c->a.n_headers, "x-oss-hash-crc64ecma");
    return theirs == NULL || strtoull(theirs, NULL, 10) == crc
               ? LS_OK
               : ls_fail(err, LS_ECHECKSUM,
                         "oss: upload to %s: the service stored other bytes than were sent",
                         u->key);
}

/* The answer to the request with which the object appears. */
static ls_code judge(const upload *u, const ls_oss_call *c, ls_err *err) {
    if (c->a.status == 200) {
        return check_crc(u, c, u->crc, err);
    }
    ls_code code = ls_oss_refused(c, "upload to", u->key, err);
    if (c->tries > 1 && c->a.status < 500 && is_there(u)) {
        ls_err_clear(err);
        return LS_OK;
    }
    return code;
}

/* The bytes at hand as the body. */
static ls_code set_body(const upload *u, ls_oss_call *c, ls_err *err) {
    char md5[LS_MD5_BASE64_SIZE];
    c->r.body = u->parts.data;
    c->r.body_len = u->parts.len;
    ls_code code = ls_md5_base64(u->parts.data, u->parts.len, md5, err);
    return code == LS_OK ? ls_http_set_header(&c->r, "Content-MD5", err, "%s", md5) : code;
}

/* ---- at once ---- */

static ls_code send_at_once(upload *u, ls_err *err) {
    ls_oss_call c;
    ls_code code = ls_oss_call_init(&c, u->oss, "PUT", u->key, "", err);
    if (code == LS_OK) {
        code = set_object_headers(u, &c, err);
    }
    if (code == LS_OK) {
        code = set_body(u, &c, err);
    }
    if (code == LS_OK) {
        code = ls_oss_do(&c, err);
    }
    if (code == LS_OK) {
        code = judge(u, &c, err);
    }
    ls_oss_call_done(&c);
    return code;
}

/* ---- part after part ---- */

static ls_code take_id(void *arg, const char *path, const char *text, ls_err *err) {
    upload *u = arg;
    if (strcmp(path, "InitiateMultipartUploadResult/UploadId") == 0) {
        free(u->id);
        u->id = ls_http_encode(text, false);
        return u->id != NULL ? LS_OK : no_memory(err);
    }
    return LS_OK;
}

static ls_code begin(upload *u, ls_err *err) {
    ls_oss_call c;
    ls_code code = ls_oss_call_init(&c, u->oss, "POST", u->key, "uploads", err);
    if (code == LS_OK) {
        code = set_object_headers(u, &c, err);
    }
    if (code == LS_OK) {
        c.r.body = "";
        code = ls_oss_do(&c, err);
    }
    if (code == LS_OK && c.a.status != 200) {
        code = ls_oss_refused(&c, "upload to", u->key, err);
    } else if (code == LS_OK) {
        code = ls_xml_read(c.a.body != NULL ? c.a.body : "", c.a.body_len, take_id, u, err);
    }
    if (code == LS_OK && u->id == NULL) {
        code = ls_fail(err, LS_EREMOTE, "oss: upload to %s: the service named no upload", u->key);
    }
    ls_oss_call_done(&c);
    return code;
}

static ls_code note_part(upload *u, const ls_oss_call *c, size_t number, ls_err *err) {
    const char *etag = ls_http_header_of(c->a.headers, c->a.n_headers, "etag");
    if (etag == NULL || strpbrk(etag, "<>&") != NULL) {
        return ls_fail(err, LS_EREMOTE, "oss: upload to %s: part %zu has no ETag", u->key, number);
    }
    return ls_buf_addf(&u->list, err, "<Part><PartNumber>%zu</PartNumber><ETag>%s</ETag></Part>",
                       number, etag);
}

static ls_code send_part(upload *u, size_t number, ls_err *err) {
    ls_oss_call c;
    char *query = ls_asprintf("partNumber=%zu&uploadId=%s", number, u->id);
    if (query == NULL) {
        return no_memory(err);
    }
    ls_code code = ls_oss_call_init(&c, u->oss, "PUT", u->key, query, err);
    free(query);
    if (code == LS_OK) {
        code = set_body(u, &c, err);
    }
    if (code == LS_OK) {
        code = ls_http_set_header(&c.r, "Content-Type", err, "application/octet-stream");
    }
    if (code == LS_OK) {
        code = ls_oss_do(&c, err);
    }
    if (code == LS_OK && c.a.status != 200) {
        code = ls_oss_refused(&c, "upload a part to", u->key, err);
        if (code == LS_ENOTFOUND) { /* an upload that is gone is no file that is not there */
            err->code = code = LS_EREMOTE;
        }
    } else if (code == LS_OK) {
        code = check_crc(u, &c, ls_crc64ecma(0, u->parts.data, u->parts.len), err);
    }
    if (code == LS_OK) {
        code = note_part(u, &c, number, err);
    }
    ls_oss_call_done(&c);
    return code;
}

static ls_code complete(upload *u, ls_err *err) {
    ls_oss_call c;
    char *query = ls_asprintf("uploadId=%s", u->id);
    ls_code code =
        query != NULL ? ls_buf_addf(&u->list, err, "</CompleteMultipartUpload>") : no_memory(err);
    if (code != LS_OK) {
        free(query);
        return code;
    }
    code = ls_oss_call_init(&c, u->oss, "POST", u->key, query, err);
    free(query);
    if (code == LS_OK) {
        code = ls_http_set_header(&c.r, "Content-Type", err, "application/xml");
    }
    if (code == LS_OK && u->exclusive) {
        code = ls_http_set_header(&c.r, "x-oss-forbid-overwrite", err, "true");
    }
    if (code == LS_OK) {
        c.r.body = ls_buf_str(&u->list);
        c.r.body_len = u->list.len;
        code = ls_oss_do(&c, err);
    }
    if (code == LS_OK) {
        code = judge(u, &c, err);
    }
    ls_oss_call_done(&c);
    return code;
}

static void abort_upload(upload *u) {
    ls_err ignored = LS_ERR_INIT;
    ls_oss_call c;
    char *query = ls_asprintf("uploadId=%s", u->id);
    if (query != NULL) {
        if (ls_oss_call_init(&c, u->oss, "DELETE", u->key, query, &ignored) == LS_OK) {
            (void)!ls_oss_do(&c, &ignored);
        }
        ls_oss_call_done(&c);
    }
    free(query);
}

static size_t part_size(const ls_oss *oss, size_t number) {
    const size_t doubled = (number - 1) / PARTS_A_SIZE;
    return oss->part_size << (doubled < DOUBLINGS ? doubled : DOUBLINGS);
}

static ls_code next_part(upload *u, size_t number, ls_err *err) {
    ls_code code = LS_OK;
    if (number > LS_OSS_PARTS_MAX) {
        (void)ls_fail(err, LS_ELIMIT, "oss: upload to %s: more than %d parts", u->key,
                      LS_OSS_PARTS_MAX);
        return ls_hint(err, "set part-size to more");
    }
    if (part_size(u->oss, number) != part_size(u->oss, number - 1)) {
        code = ls_parts_grow(&u->parts, part_size(u->oss, number), err);
    }
    if (code == LS_OK) {
        code = ls_parts_next(&u->parts, err);
    }
    if (code == LS_OK) {
        u->crc = ls_crc64ecma(u->crc, u->parts.data, u->parts.len);
    }
    return code;
}

static ls_code send_in_parts(upload *u, ls_err *err) {
    ls_code code = begin(u, err);
    if (code != LS_OK) {
        return code;
    }
    code = ls_buf_addf(&u->list, err, "<CompleteMultipartUpload>");
    if (code == LS_OK) {
        code = send_part(u, 1, err);
    }
    for (size_t number = 2; code == LS_OK && !u->parts.last; number++) {
        code = next_part(u, number, err);
        if (code == LS_OK) {
            code = send_part(u, number, err);
        }
    }
    if (code == LS_OK) {
        code = complete(u, err);
    }
    if (code != LS_OK) {
        abort_upload(u);
    }
    return code;
}

ls_code ls_oss_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                   ls_ltx_info *out, ls_err *err) {
    upload u = {.oss = (ls_oss *)s, .exclusive = exclusive};
    char *key = ls_oss_key(u.oss, file);
    u.key = key;
    ls_buf_init(&u.list, LIST_MAX);
    ls_code code = ls_parts_init(&u.parts, in, u.oss->part_size, err);
    if (code == LS_OK && key == NULL) {
        code = no_memory(err);
    }
    if (code == LS_OK) {
        code = ls_parts_next(&u.parts, err);
    }
    if (code == LS_OK) {
        u.crc = ls_crc64ecma(0, u.parts.data, u.parts.len);
        code = u.parts.last ? send_at_once(&u, err) : send_in_parts(&u, err);
    }
    if (code == LS_OK) {
        *out = *file;
        out->size = u.parts.off + u.parts.len;
        out->created_ms = u.parts.created_ms;
    }
    ls_parts_done(&u.parts);
    ls_buf_done(&u.list);
    free(u.id);
    free(key);
    return code;
}
