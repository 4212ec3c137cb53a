/* Deletion of up to 1000 objects with one request, and of those that it could not delete the names.
 */
#include "backends/s3_store.h"
#include "backends/xml.h"
#include "engine/base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 1000
#define BODY_MAX (BATCH * 8192)
#define SHOWN 5

static ls_code add_key(ls_buf *body, const char *key, ls_err *err) {
    ls_code code = ls_buf_addf(body, err, "<Object><Key>");
    for (const char *p = key; *p != '\0' && code == LS_OK; p++) {
        unsigned char c = (unsigned char)*p;
        code = c == '&' || c == '<' || c == '>' || c == '"' || c < 0x20
                   ? ls_buf_addf(body, err, "&#%u;", c)
                   : ls_buf_add(body, p, 1, err);
    }
    return code == LS_OK ? ls_buf_addf(body, err, "</Key></Object>") : code;
}

static ls_code make_body(const ls_s3 *s, const ls_ltx_info *files, size_t n, ls_buf *body,
                         ls_err *err) {
    ls_code code =
        ls_buf_addf(body, err, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < n && code == LS_OK; i++) {
        char *key = ls_s3_key(s, &files[i]);
        code =
            key != NULL ? add_key(body, key, err) : ls_fail(err, LS_ENOMEM, "no memory for a key");
        free(key);
    }
    return code == LS_OK ? ls_buf_addf(body, err, "</Delete>") : code;
}

/* What was not deleted. */
typedef struct failures {
    char key[1025], code[64], message[256];
    size_t n;
    char text[LS_ERR_MSG_MAX / 2];
} failures;

static void add_failure(failures *f) {
    if (strcmp(f->code, "NoSuchKey") == 0) {
        return;
    }
    size_t len = strlen(f->text);
    if (f->n++ < SHOWN) {
        (void)snprintf(f->text + len, sizeof f->text - len, "\n%.300s: %s", f->key,
                       f->message[0] != '\0' ? f->message : f->code);
    }
    f->key[0] = f->code[0] = f->message[0] = '\0';
}

static ls_code take_element(void *arg, const char *path, const char *text, ls_err *err) {
    failures *f = arg;
    (void)err;
    if (strcmp(path, "DeleteResult/Error/Key") == 0) {
        (void)snprintf(f->key, sizeof f->key, "%.*s", (int)sizeof f->key - 1, text);
    } else if (strcmp(path, "DeleteResult/Error/Code") == 0) {
        (void)snprintf(f->code, sizeof f->code, "%.*s", (int)sizeof f->code - 1, text);
    } else if (strcmp(path, "DeleteResult/Error/Message") == 0) {
        (void)snprintf(f->message, sizeof f->message, "%.*s", (int)sizeof f->message - 1, text);
    } else if (strcmp(path, "DeleteResult/Error") == 0) {
        add_failure(f);
    }
    return LS_OK;
}

static ls_code read_result(const ls_http_answer *a, ls_err *err) {
    failures *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for an answer");
    }
    ls_code code = ls_s3_check_body(a, err);
    if (code == LS_OK) {
        code = ls_xml_read(a->body, a->body_len, take_element, f, err);
    }
    if (code == LS_OK && f->n > 0) {
        code = ls_fail(err, LS_EREMOTE, "failed to delete files:%s%s", f->text,
                       f->n > SHOWN ? "\n..." : "");
    }
    free(f);
    return code;
}

/* S3 wants a digest of what is to be deleted: MD5, else a checksum. */
static ls_code set_digest(ls_s3_call *call, const ls_buf *body, ls_err *err) {
    if (call->s->c.content_md5) {
        char md5[LS_MD5_BASE64_SIZE];
        ls_code code = ls_md5_base64(body->data, body->len, md5, err);
        return code == LS_OK ? ls_http_set_header(&call->r, "Content-MD5", err, "%s", md5) : code;
    }
    uint32_t crc = ls_crc32(body->data, body->len);
    const uint8_t bytes[4] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8),
                              (uint8_t)crc};
    char text[16];
    ls_base64(bytes, sizeof bytes, text);
    return ls_http_set_header(&call->r, "X-Amz-Checksum-Crc32", err, "%s", text);
}

static ls_code delete_body(ls_s3 *s, const ls_buf *body, ls_err *err) {
    ls_s3_call call;
    ls_http_answer a;
    ls_code code = ls_s3_call_init(&call, s, "POST", NULL, "delete=", err);
    if (code == LS_OK) {
        code = ls_s3_body(&call, body->data, body->len, false, err);
    }
    if (code == LS_OK) {
        code = ls_http_set_header(&call.r, "Content-Type", err, "application/xml");
    }
    if (code == LS_OK) {
        code = set_digest(&call, body, err);
    }
    if (code == LS_OK) {
        code = ls_s3_send(&call, &a, err);
    }
    if (code == LS_OK) {
        code = read_result(&a, err);
        ls_http_answer_done(&a);
    }
    ls_s3_call_done(&call);
    return code;
}

ls_code ls_s3_remove(ls_storage *st, const ls_ltx_info *files, size_t n, ls_err *err) {
    ls_s3 *s = (ls_s3 *)st;
    ls_buf body;
    ls_code code = LS_OK;
    ls_buf_init(&body, BODY_MAX);
    for (size_t i = 0; i < n && code == LS_OK; i += BATCH) {
        size_t batch = n - i < BATCH ? n - i : BATCH;
        ls_buf_clear(&body);
        code = make_body(s, files + i, batch, &body, err);
        if (code == LS_OK) {
            code = delete_body(s, &body, err);
        }
        if (code != LS_OK) {
            (void)ls_wrap(err, "s3: delete batch of %zu objects", batch);
        }
    }
    ls_buf_done(&body);
    return code;
}
