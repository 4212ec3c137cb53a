/*
 * Objects in parts. Threads take one part after another - a range of a file, the next bytes of a
 * stream, a range of another object - so that several are under way and each can be sent again.
 * What fails is aborted: parts that belong to nothing would be paid for.
 */
#include "backends/s3_store.h"
#include "engine/base/buf.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_MAX 2048
#define ETAG_MAX 256
#define COMPLETE_TRIES 5
#define GROW_AFTER 1000 /* parts of a stream, whose size nobody knows, before they get larger */

typedef struct upload {
    ls_s3 *s;
    const char *key;
    ls_s3_source *source;
    char id[ID_MAX]; /* encoded */
    pthread_mutex_t lock;
    /* under the lock */
    char **etags;
    size_t n, cap; /* parts begun, and room for */
    uint64_t off;  /* where the next part begins */
    uint64_t part; /* its size */
    bool end;      /* there is no next part */
    ls_code failed;
    ls_err err;
} upload;

uint64_t ls_s3_part_size(uint64_t size, uint64_t part_size) {
    uint64_t least = size / LS_S3_PARTS_MAX + 1;
    if (least <= part_size) {
        return part_size;
    }
    return (least + (1 << 20) - 1) >> 20 << 20;
}

/* ---- single requests ---- */

/* The upload's id comes from the service: any text. */
static ls_code encode_id(upload *u, const char *id, ls_err *err) {
    char *encoded = id[0] != '\0' ? ls_http_encode(id, false) : NULL;
    if (encoded == NULL || strlen(encoded) >= sizeof u->id) {
        free(encoded);
        return ls_fail(err, LS_EREMOTE, "the service names no upload that can be used");
    }
    (void)snprintf(u->id, sizeof u->id, "%s", encoded);
    free(encoded);
    return LS_OK;
}

static ls_code begin(upload *u, const char *stamp, ls_err *err) {
    ls_s3_call call;
    ls_http_answer a;
    char id[ID_MAX / 3];
    ls_code code = ls_s3_call_init(&call, u->s, "POST", u->key, "uploads=", err);
    if (code == LS_OK) {
        code = ls_http_set_header(&call.r, "Content-Type", err, "application/octet-stream");
    }
    if (code == LS_OK) {
        code = ls_s3_object_headers(&call, stamp, err);
    }
    if (code == LS_OK) {
        code = ls_s3_send(&call, &a, err);
    }
    if (code == LS_OK) {
        code = ls_s3_element(&a, "UploadId", id, sizeof id, err);
        ls_http_answer_done(&a);
    }
    ls_s3_call_done(&call);
    return code == LS_OK ? encode_id(u, id, err) : code;
}

static void abort_upload(upload *u) {
    ls_s3_call call;
    ls_http_answer a;
    ls_err ignored = LS_ERR_INIT;
    char *query = ls_asprintf("uploadId=%s", u->id);
    if (query != NULL) {
        ls_code code = ls_s3_call_init(&call, u->s, "DELETE", u->key, query, &ignored);
        if (code == LS_OK && ls_s3_send(&call, &a, &ignored) == LS_OK) {
            ls_http_answer_done(&a);
        }
        ls_s3_call_done(&call);
    }
    free(query);
}

/* ---- one part ---- */

typedef struct part {
    size_t number; /* from 0 */
    uint64_t off, len;
    void *data; /* of a stream; owned by the worker */
    size_t cap;
} part;

static ls_code set_part_body(upload *u, ls_s3_call *call, const part *p, ls_err *err) {
    const ls_s3_source *source = u->source;
    if (source->copy != NULL) {
        ls_code code = ls_http_set_header(&call->r, "X-Amz-Copy-Source", err, "%s", source->copy);
        if (code == LS_OK) {
            code = ls_http_set_header(&call->r, "X-Amz-Copy-Source-Range", err,
                                      "bytes=%" PRIu64 "-%" PRIu64, p->off, p->off + p->len - 1);
        }
        return code == LS_OK ? ls_s3_sse_headers(call, true, err) : code;
    }
    ls_code code = source->fd >= 0
                       ? ls_s3_body_fd(call, source->fd, p->off, p->len, source->name, err)
                       : ls_s3_body(call, p->data, (size_t)p->len, true, err);
    return code == LS_OK ? ls_s3_sse_headers(call, false, err) : code;
}

/* As the service names the part: in a header, or in the answer to a copy. */
static ls_code part_etag(const upload *u, const ls_http_answer *a, char etag[ETAG_MAX],
                         ls_err *err) {
    const char *header = ls_http_header_of(a->headers, a->n_headers, "ETag");
    ls_code code = LS_OK;
    if (u->source->copy != NULL) {
        code = ls_s3_check_body(a, err);
        if (code == LS_OK) {
            code = ls_s3_element(a, "ETag", etag, ETAG_MAX, err);
        }
    } else {
        int n = snprintf(etag, ETAG_MAX, "%s", header != NULL ? header : "");
        etag[n < ETAG_MAX ? n : 0] = '\0';
    }
    return code == LS_OK && etag[0] == '\0'
               ? ls_fail(err, LS_EREMOTE, "s3: upload failed: no ETag returned")
               : code;
}

static ls_code send_part(upload *u, const part *p, char etag[ETAG_MAX], ls_err *err) {
    ls_s3_call call;
    ls_http_answer a;
    char *query = ls_asprintf("partNumber=%zu&uploadId=%s", p->number + 1, u->id);
    if (query == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to send a part");
    }
    ls_code code = ls_s3_call_init(&call, u->s, "PUT", u->key, query, err);
    if (code == LS_OK) {
        code = set_part_body(u, &call, p, err);
    }
    if (code == LS_OK) {
        code = ls_s3_send(&call, &a, err);
    }
    if (code == LS_OK) {
        code = part_etag(u, &a, etag, err);
        ls_http_answer_done(&a);
    }
    ls_s3_call_done(&call);
    free(query);
    return code == LS_OK ? LS_OK : ls_wrap(err, "part %zu", p->number + 1);
}

/* ---- taking parts ---- */

static ls_code make_room(upload *u, ls_err *err) {
    if (u->n == LS_S3_PARTS_MAX) {
        return ls_fail(err, LS_ELIMIT, "more than %d parts", LS_S3_PARTS_MAX);
    }
    if (u->n == u->cap) {
        size_t cap = u->cap == 0 ? 16 : 2 * u->cap;
        char **etags = reallocarray(u->etags, cap, sizeof *etags);
        if (etags == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for %zu parts", cap);
        }
        u->etags = etags;
        u->cap = cap;
    }
    u->etags[u->n] = NULL;
    return LS_OK;
}

/* The first part of a stream was read by whoever looked whether it is all. */
static void take_first(upload *u, part *p) {
    free(p->data);
    p->data = u->source->first;
    p->cap = u->source->first_len;
    p->len = u->source->first_len;
    u->source->first = NULL;
}

static ls_code read_part(upload *u, part *p, ls_err *err) {
    size_t got;
    if (u->source->first != NULL) {
        take_first(u, p);
        return LS_OK;
    }
    if (p->cap < u->part) {
        free(p->data);
        p->data = malloc((size_t)u->part);
        p->cap = p->data != NULL ? (size_t)u->part : 0;
        if (p->data == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for a part of %" PRIu64 " bytes", u->part);
        }
    }
    ls_code code = ls_read_full(u->source->in, p->data, (size_t)u->part, &got, err);
    p->len = code == LS_OK ? got : 0;
    u->end = got < u->part;
    if (u->n > 0 && u->n % GROW_AFTER == 0) {
        u->part = 2 * u->part < LS_S3_PART_MAX ? 2 * u->part : u->part;
    }
    return code;
}

/* With the lock: the next part; p->len 0: there is none. */
static ls_code take_part(upload *u, part *p, ls_err *err) {
    p->len = 0;
    if (u->end || u->failed != LS_OK) {
        return LS_OK;
    }
    ls_code code = make_room(u, err);
    if (code != LS_OK) {
        return code;
    }
    p->number = u->n;
    p->off = u->off;
    if (u->source->in != NULL) {
        code = read_part(u, p, err);
    } else {
        p->len = u->source->size - u->off < u->part ? u->source->size - u->off : u->part;
        u->end = u->off + p->len == u->source->size;
    }
    if (code == LS_OK && p->len > 0) {
        u->off += p->len;
        u->n++;
    }
    return code;
}

/* With the lock: the first failure is the one that is told. */
static void note(upload *u, ls_code code, const ls_err *err) {
    if (code != LS_OK && u->failed == LS_OK) {
        u->failed = code;
        u->err = *err;
    }
}

static void *work(void *arg) {
    upload *u = arg;
    part p = {0};
    ls_err err = LS_ERR_INIT;
    for (;;) {
        char etag[ETAG_MAX];
        (void)pthread_mutex_lock(&u->lock);
        ls_code code = take_part(u, &p, &err);
        note(u, code, &err);
        (void)pthread_mutex_unlock(&u->lock);
        if (code != LS_OK || p.len == 0) {
            break;
        }
        code = send_part(u, &p, etag, &err);
        char *kept = code == LS_OK ? strdup(etag) : NULL;
        if (code == LS_OK && kept == NULL) {
            code = ls_fail(&err, LS_ENOMEM, "no memory for a part");
        }
        (void)pthread_mutex_lock(&u->lock);
        u->etags[p.number] = kept;
        note(u, code, &err);
        (void)pthread_mutex_unlock(&u->lock);
    }
    free(p.data);
    return NULL;
}

/* In this thread and in others; where none can be started, in this one alone. */
static ls_code send_parts(upload *u, ls_err *err) {
    pthread_t threads[64];
    size_t wanted = (size_t)u->s->c.concurrency - 1;
    size_t started = 0;
    uint64_t parts = u->source->in != NULL ? UINT64_MAX : u->source->size / u->part;
    wanted = wanted < parts ? wanted : (size_t)parts;
    while (started < wanted && pthread_create(&threads[started], NULL, work, u) == 0) {
        started++;
    }
    (void)work(u);
    for (size_t i = 0; i < started; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    if (u->failed != LS_OK) {
        *err = u->err;
    }
    return u->failed;
}

/* ---- the end ---- */

static ls_code add_escaped(ls_buf *body, const char *text, ls_err *err) {
    ls_code code = LS_OK;
    for (; *text != '\0' && code == LS_OK; text++) {
        const char *entity = *text == '&'   ? "&amp;"
                             : *text == '<' ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '"' ? "&quot;"
                                            : NULL;
        code =
            entity != NULL ? ls_buf_addf(body, err, "%s", entity) : ls_buf_add(body, text, 1, err);
    }
    return code;
}

static ls_code complete_body(const upload *u, ls_buf *body, ls_err *err) {
    ls_code code = ls_buf_addf(body, err,
                               "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com"
                               "/doc/2006-03-01/\">");
    for (size_t i = 0; i < u->n && code == LS_OK; i++) {
        code = ls_buf_addf(body, err, "<Part><ETag>");
        if (code == LS_OK) {
            code = add_escaped(body, u->etags[i], err);
        }
        if (code == LS_OK) {
            code = ls_buf_addf(body, err, "</ETag><PartNumber>%zu</PartNumber></Part>", i + 1);
        }
    }
    return code == LS_OK ? ls_buf_addf(body, err, "</CompleteMultipartUpload>") : code;
}

static ls_code complete_once(upload *u, const ls_buf *body, bool exclusive, ls_err *err) {
    ls_s3_call call;
    ls_http_answer a;
    char *query = ls_asprintf("uploadId=%s", u->id);
    if (query == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to complete an upload");
    }
    ls_code code = ls_s3_call_init(&call, u->s, "POST", u->key, query, err);
    if (code == LS_OK) {
        code = ls_s3_body(&call, body->data, body->len, false, err);
    }
    if (code == LS_OK) {
        code = ls_http_set_header(&call.r, "Content-Type", err, "application/xml");
    }
    if (code == LS_OK && exclusive) {
        code = ls_http_set_header(&call.r, "If-None-Match", err, "*");
    }
    if (code == LS_OK) {
        code = ls_s3_sse_headers(&call, false, err);
    }
    if (code == LS_OK) {
        code = ls_s3_send(&call, &a, err);
    }
    if (code == LS_OK) {
        code = ls_s3_check_body(&a, err);
        ls_http_answer_done(&a);
    }
    ls_s3_call_done(&call);
    free(query);
    return code;
}

/* The answer to a try before may have been lost: then the upload is gone and the object there. */
static ls_code was_completed(upload *u, ls_code code, ls_err *err) {
    ls_ltx_info info;
    ls_err ignored = LS_ERR_INIT;
    if (strstr(err->msg, "NoSuchUpload") != NULL &&
        ls_s3_head(u->s, u->key, &info, &ignored) == LS_OK && info.size == u->off) {
        ls_err_clear(err);
        return LS_OK;
    }
    return code;
}

static ls_code complete(upload *u, bool exclusive, ls_err *err) {
    ls_buf body;
    ls_buf_init(&body, LS_S3_PARTS_MAX * (6 * ETAG_MAX + 64));
    ls_code code = complete_body(u, &body, err);
    bool sent = code == LS_OK;
    for (int i = 0; sent && i < COMPLETE_TRIES; i++) {
        ls_err_clear(err);
        code = complete_once(u, &body, exclusive, err);
        /* 200 and then an error in the body: what S3 does when it has begun to answer. */
        if (code != LS_EREMOTE || strstr(err->msg, "InternalError") == NULL) {
            break;
        }
    }
    ls_buf_done(&body);
    return code == LS_OK ? LS_OK : was_completed(u, code, err);
}

static void upload_done(upload *u) {
    for (size_t i = 0; i < u->n; i++) {
        free(u->etags[i]);
    }
    free(u->etags);
    (void)pthread_mutex_destroy(&u->lock);
}

ls_code ls_s3_multipart(ls_s3 *s, const char *key, ls_s3_source *source, const char *stamp,
                        bool exclusive, uint64_t *size, ls_err *err) {
    upload u = {.s = s, .key = key, .source = source, .part = source->part_size};
    (void)pthread_mutex_init(&u.lock, NULL);
    ls_code code = begin(&u, stamp, err);
    if (code == LS_OK) {
        code = send_parts(&u, err);
        if (code == LS_OK) {
            code = complete(&u, exclusive, err);
        }
        if (code != LS_OK) {
            abort_upload(&u);
        }
    }
    *size = u.off;
    free(source->first);
    source->first = NULL;
    upload_done(&u);
    return code;
}
