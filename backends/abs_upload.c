/*
 * Uploads to Azure Blob Storage: what fits into one block is one request, more are blocks and then
 * the list of them, with which the blob appears. Blocks without a list are forgotten by the
 * service.
 *
 * A blob has at most 50,000 blocks: they grow on the way, as a stream does not tell its length.
 */
#include "backends/abs.h"
#include "backends/digest.h"
#include "backends/parts.h"
#include "backends/stamp.h"
#include "engine/base/buf.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define BLOCK_FIRST ((size_t)4 << 20)
#define BLOCKS_A_SIZE 8000 /* blocks of one size, then they double */
#define DOUBLINGS 4
#define LIST_MAX (8u << 20)
#define ID_SIZE 48 /* base64 of 32 bytes and a NUL: all of one blob have one length */

typedef struct upload {
    ls_abs *abs;
    const char *name;
    bool exclusive;
    ls_parts parts;
    EVP_MD_CTX *md5; /* of all that was read */
    uint64_t salt[2];
    ls_buf list;
} upload;

size_t ls_abs_block_size(size_t number) {
    size_t doubled = number / BLOCKS_A_SIZE;
    return BLOCK_FIRST << (doubled < DOUBLINGS ? doubled : DOUBLINGS);
}

static ls_code no_memory(ls_err *err) {
    return ls_fail(err, LS_ENOMEM, "abs: no memory to upload");
}

/* ---- what both ways have in common ---- */

static ls_code set_body(ls_abs_call *c, const void *data, size_t len, const char *type,
                        ls_err *err) {
    char md5[LS_MD5_BASE64_SIZE];
    c->r.body = data;
    c->r.body_len = len;
    ls_code code = ls_md5_base64(data, len, md5, err);
    if (code == LS_OK) {
        code = ls_http_set_header(&c->r, "Content-MD5", err, "%s", md5);
    }
    return code == LS_OK ? ls_http_set_header(&c->r, "Content-Type", err, "%s", type) : code;
}

/* Headers of the request with which the blob appears. */
static ls_code set_blob_headers(const upload *u, ls_abs_call *c, const char *md5, ls_err *err) {
    char stamp[LS_STAMP_SIZE];
    ls_code code = ls_http_set_header(&c->r, LS_ABS_TIME_HEADER, err, "%s",
                                      ls_stamp_format(u->parts.created_ms, stamp));
    if (code == LS_OK) {
        code = ls_http_set_header(&c->r, "x-ms-blob-content-type", err, "application/octet-stream");
    }
    if (code == LS_OK) {
        code = ls_http_set_header(&c->r, "x-ms-blob-content-md5", err, "%s", md5);
    }
    if (code == LS_OK && u->exclusive) {
        code = ls_http_set_header(&c->r, "If-None-Match", err, "*");
    }
    return code;
}

/* After "exists already" to a request that was sent twice: the first may have got through. */
static bool found_our_own(const upload *u, const char *md5) {
    ls_err ignored = LS_ERR_INIT;
    ls_abs_call c;
    ls_ltx_info file;
    bool ours = false;
    if (ls_abs_call_init(&c, u->abs, "HEAD", u->name, "", &ignored) == LS_OK &&
        ls_abs_do(&c, &ignored) == LS_OK && c.a.status == 200 && ls_abs_describes(&c.a, &file)) {
        const char *theirs = ls_http_header_of(c.a.headers, c.a.n_headers, "content-md5");
        ours =
            file.size == u->parts.off + u->parts.len && theirs != NULL && strcmp(theirs, md5) == 0;
    }
    ls_abs_call_done(&c);
    return ours;
}

static ls_code judge(const upload *u, const ls_abs_call *c, const char *md5, ls_err *err) {
    if (c->a.status == 201) {
        return LS_OK;
    }
    ls_code code = ls_abs_refused(c, "upload to", u->name, err);
    if (code == LS_EEXISTS && c->tries > 1 && found_our_own(u, md5)) {
        ls_err_clear(err);
        return LS_OK;
    }
    if (code == LS_ENOTFOUND) { /* a block that is gone is no file that is not there */
        err->code = code = LS_EREMOTE;
    }
    return code;
}

static ls_code whole_md5(const upload *u, char out[LS_MD5_BASE64_SIZE], ls_err *err) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (EVP_DigestFinal_ex(u->md5, digest, &len) != 1 || len != 16) {
        return no_memory(err);
    }
    ls_base64(digest, len, out);
    return LS_OK;
}

/* The request with which the blob appears: all of it, or, with a query, the list of its blocks. */
static ls_code send_blob(const upload *u, const char *query, const void *data, size_t len,
                         const char *type, const char *md5, ls_err *err) {
    ls_abs_call c;
    ls_code code = ls_abs_call_init(&c, u->abs, "PUT", u->name, query, err);
    if (code == LS_OK) {
        code = set_body(&c, data, len, type, err);
    }
    if (code == LS_OK && query[0] == '\0') {
        code = ls_http_set_header(&c.r, "x-ms-blob-type", err, "BlockBlob");
    }
    if (code == LS_OK) {
        code = set_blob_headers(u, &c, md5, err);
    }
    if (code == LS_OK) {
        code = ls_abs_do(&c, err);
    }
    if (code == LS_OK) {
        code = judge(u, &c, md5, err);
    }
    ls_abs_call_done(&c);
    return code;
}

/* ---- block after block ---- */

/* An id that no other upload to the same name has. */
static void block_id(const upload *u, size_t number, char id[ID_SIZE]) {
    char text[33];
    (void)snprintf(text, sizeof text, "%016llx%08llx%08zx", (unsigned long long)u->salt[0],
                   (unsigned long long)(u->salt[1] & UINT32_MAX), number);
    ls_base64((const uint8_t *)text, 32, id);
}

static ls_code send_block(upload *u, size_t number, ls_err *err) {
    char id[ID_SIZE];
    ls_abs_call c;
    block_id(u, number, id);
    char *encoded = ls_http_encode(id, false);
    char *query = encoded != NULL ? ls_asprintf("comp=block&blockid=%s", encoded) : NULL;
    free(encoded);
    if (query == NULL) {
        return no_memory(err);
    }
    ls_code code = ls_abs_call_init(&c, u->abs, "PUT", u->name, query, err);
    free(query);
    if (code == LS_OK) {
        code = set_body(&c, u->parts.data, u->parts.len, "application/octet-stream", err);
    }
    if (code == LS_OK) {
        code = ls_abs_do(&c, err);
    }
    if (code == LS_OK) {
        code = c.a.status == 201 ? ls_buf_addf(&u->list, err, "<Latest>%s</Latest>", id)
                                 : judge(u, &c, "", err);
    }
    ls_abs_call_done(&c);
    return code;
}

static ls_code next_block(upload *u, size_t number, ls_err *err) {
    if (number == LS_ABS_BLOCKS_MAX) {
        return ls_fail(err, LS_ELIMIT, "abs: upload to %s: more than %d blocks", u->name,
                       LS_ABS_BLOCKS_MAX);
    }
    ls_code code = LS_OK;
    if (ls_abs_block_size(number) != ls_abs_block_size(number - 1)) {
        code = ls_parts_grow(&u->parts, ls_abs_block_size(number), err);
    }
    if (code == LS_OK) {
        code = ls_parts_next(&u->parts, err);
    }
    if (code == LS_OK && EVP_DigestUpdate(u->md5, u->parts.data, u->parts.len) != 1) {
        code = no_memory(err);
    }
    return code;
}

static ls_code send_in_blocks(upload *u, ls_err *err) {
    char md5[LS_MD5_BASE64_SIZE];
    ls_code code =
        ls_buf_addf(&u->list, err, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>");
    if (code == LS_OK) {
        code = send_block(u, 0, err);
    }
    for (size_t number = 1; code == LS_OK && !u->parts.last; number++) {
        code = next_block(u, number, err);
        if (code == LS_OK) {
            code = send_block(u, number, err);
        }
    }
    if (code == LS_OK) {
        code = ls_buf_addf(&u->list, err, "</BlockList>");
    }
    if (code == LS_OK) {
        code = whole_md5(u, md5, err);
    }
    return code == LS_OK ? send_blob(u, "comp=blocklist", ls_buf_str(&u->list), u->list.len,
                                     "application/xml", md5, err)
                         : code;
}

static ls_code send(upload *u, ls_err *err) {
    char md5[LS_MD5_BASE64_SIZE];
    ls_code code = ls_parts_next(&u->parts, err);
    if (code != LS_OK) {
        return code;
    }
    u->md5 = EVP_MD_CTX_new();
    if (u->md5 == NULL || EVP_DigestInit_ex(u->md5, EVP_md5(), NULL) != 1 ||
        EVP_DigestUpdate(u->md5, u->parts.data, u->parts.len) != 1) {
        return no_memory(err);
    }
    if (!u->parts.last) {
        return send_in_blocks(u, err);
    }
    code = whole_md5(u, md5, err);
    return code == LS_OK
               ? send_blob(u, "", u->parts.data, u->parts.len, "application/octet-stream", md5, err)
               : code;
}

ls_code ls_abs_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                   ls_ltx_info *out, ls_err *err) {
    upload u = {.abs = (ls_abs *)s, .exclusive = exclusive};
    char *name = ls_abs_name(u.abs, file);
    u.name = name;
    ls_buf_init(&u.list, LIST_MAX);
    (void)!getrandom(u.salt, sizeof u.salt, 0);
    ls_code code = ls_parts_init(&u.parts, in, ls_abs_block_size(0), err);
    if (code == LS_OK && name == NULL) {
        code = no_memory(err);
    }
    if (code == LS_OK) {
        code = send(&u, err);
    }
    if (code == LS_OK) {
        *out = *file;
        out->size = u.parts.off + u.parts.len;
        out->created_ms = u.parts.created_ms;
    }
    EVP_MD_CTX_free(u.md5);
    ls_parts_done(&u.parts);
    ls_buf_done(&u.list);
    free(name);
    return code;
}
