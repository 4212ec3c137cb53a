/*
 * Reading objects of a bucket; see nats_object.h.
 *
 * The chunks come by an ordered consumer, which the library keeps in order and without gaps. Chunks
 * of other clients are of any size, so that what lies before the wanted part is read and passed
 * over, unless the description has marks: then reading begins at the last one before it. The first
 * message must be the marked one, or else all is read from the start.
 */
#include "backends/nats_object.h"

#include "engine/base/file.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define LINKS_MAX 4

typedef struct object_reader {
    ls_reader base;
    ls_nats_bucket *b;
    char *name, *subject, *stream;
    natsSubscription *sub;
    natsMsg *msg;    /* the chunk at hand, NULL: none */
    size_t pos;      /* in it */
    uint64_t skip;   /* bytes still to be passed over */
    uint64_t left;   /* bytes still to be given */
    uint64_t from;   /* sequence of the mark; 0: from the start */
    uint64_t off;    /* where the wanted part begins */
    bool first;      /* no chunk has come yet */
    EVP_MD_CTX *sha; /* of an object that is read whole */
    char *digest;
} object_reader;

static void reader_close(ls_reader *base) {
    object_reader *r = (object_reader *)base;
    natsMsg_Destroy(r->msg);
    ls_nats_unsubscribe(r->b, r->sub);
    ls_nats_bucket_release(r->b);
    EVP_MD_CTX_free(r->sha);
    free(r->name);
    free(r->subject);
    free(r->stream);
    free(r->digest);
    free(r);
}

static ls_code subscribe(object_reader *r, ls_err *err) {
    jsSubOptions opts;
    jsErrCode js = 0;
    (void)jsSubOptions_Init(&opts);
    opts.Stream = r->stream;
    opts.Ordered = true;
    if (r->from > 0) {
        opts.Config.DeliverPolicy = js_DeliverByStartSequence;
        opts.Config.OptStartSeq = r->from;
    }
    ls_nats_unsubscribe(r->b, r->sub);
    r->sub = NULL;
    r->first = true;
    natsStatus s = js_SubscribeSync(&r->sub, r->b->js, r->subject, NULL, &opts, &js);
    if (s == NATS_OK) {
        return LS_OK;
    }
    ls_nats_fail(r->b->login, s, js, err, "read");
    return ls_wrap(err, "%s", r->name);
}

/* Is the first chunk the one that was asked for? */
static ls_code check_mark(object_reader *r, bool *right, ls_err *err) {
    jsMsgMetaData *meta = NULL;
    if (natsMsg_GetMetaData(&meta, r->msg) != NATS_OK) {
        return ls_fail(err, LS_EREMOTE, "%s: a message without its place in the stream", r->name);
    }
    *right = meta->Sequence.Stream == r->from;
    jsMsgMetaData_Destroy(meta);
    return LS_OK;
}

static ls_code from_start(object_reader *r, ls_err *err) {
    natsMsg_Destroy(r->msg);
    r->msg = NULL;
    r->from = 0;
    r->skip = r->off;
    return subscribe(r, err);
}

static ls_code next_chunk(object_reader *r, ls_err *err) {
    natsMsg_Destroy(r->msg);
    r->msg = NULL;
    r->pos = 0;
    natsStatus s = natsSubscription_NextMsg(&r->msg, r->sub, r->b->login->timeout_ms);
    if (s != NATS_OK) {
        ls_nats_fail(r->b->login, s, 0, err, "read");
        return ls_wrap(err, "%s", r->name);
    }
    bool right = true;
    if (r->first && r->from > 0) {
        ls_code code = check_mark(r, &right, err);
        if (code != LS_OK) {
            return code;
        }
    }
    r->first = false;
    if (!right) {
        return from_start(r, err);
    }
    size_t len = (size_t)natsMsg_GetDataLength(r->msg);
    if (r->sha != NULL) {
        (void)EVP_DigestUpdate(r->sha, natsMsg_GetData(r->msg), len);
    }
    r->pos = r->skip < len ? (size_t)r->skip : len;
    r->skip -= r->pos;
    return LS_OK;
}

/* An object that was read whole is what its writer described. */
static ls_code check_digest(object_reader *r, ls_err *err) {
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned char text[2 * EVP_MAX_MD_SIZE];
    unsigned len = 0;
    (void)EVP_DigestFinal_ex(r->sha, sum, &len);
    int n = EVP_EncodeBlock(text, sum, (int)len);
    for (int i = 0; i < n; i++) {
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    }
    EVP_MD_CTX_free(r->sha);
    r->sha = NULL;
    return strcmp(r->digest, (const char *)text) == 0
               ? LS_OK
               : ls_fail(err, LS_ECHECKSUM, "%s: its bytes are not those of its digest", r->name);
}

static ls_code reader_read(ls_reader *base, void *buf, size_t len, size_t *got, ls_err *err) {
    object_reader *r = (object_reader *)base;
    *got = 0;
    size_t have = 0;
    while (r->left > 0 && len > 0 && have == 0) {
        have = r->msg != NULL ? (size_t)natsMsg_GetDataLength(r->msg) - r->pos : 0;
        ls_code code = have == 0 ? next_chunk(r, err) : LS_OK;
        if (code != LS_OK) {
            return code;
        }
    }
    size_t n = have < len ? have : len;
    n = n < r->left ? n : (size_t)r->left;
    if (n > 0) {
        memcpy(buf, natsMsg_GetData(r->msg) + r->pos, n);
    }
    r->pos += n;
    r->left -= n;
    *got = n;
    return n > 0 && r->left == 0 && r->sha != NULL ? check_digest(r, err) : LS_OK;
}

/* The last mark at or before off. */
static void use_marks(object_reader *r, const ls_nats_info *info, uint64_t off) {
    r->off = r->skip = off;
    if (info->n_marks == 0 || info->stride == 0 || off < info->chunk) {
        return;
    }
    uint64_t mark = off / info->chunk / info->stride;
    if (mark > 0 && mark < info->n_marks) {
        r->from = info->marks[mark];
        r->skip = off - mark * info->stride * info->chunk;
    }
}

static ls_code use_digest(object_reader *r, const ls_nats_info *info, ls_err *err) {
    static const char kind[] = "SHA-256=";
    if (info->digest == NULL || strncmp(info->digest, kind, sizeof kind - 1) != 0) {
        return LS_OK;
    }
    r->digest = strdup(info->digest + sizeof kind - 1);
    r->sha = EVP_MD_CTX_new();
    return r->digest != NULL && r->sha != NULL && EVP_DigestInit_ex(r->sha, EVP_sha256(), NULL) == 1
               ? LS_OK
               : ls_fail(err, LS_ENOMEM, "no memory to read %s", r->name);
}

static ls_code start(object_reader *r, const char *bucket, const ls_nats_info *info, uint64_t off,
                     uint64_t len, ls_err *err) {
    uint64_t most = off < info->size ? info->size - off : 0;
    r->left = len == 0 || len > most ? most : len;
    if (r->left == 0) {
        return LS_OK;
    }
    r->subject = ls_asprintf("$O.%s.C.%s", bucket, info->nuid);
    r->stream = ls_asprintf("OBJ_%s", bucket);
    if (r->subject == NULL || r->stream == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to read %s", r->name);
    }
    use_marks(r, info, off);
    ls_code code = r->left == info->size ? use_digest(r, info, err) : LS_OK;
    return code == LS_OK ? subscribe(r, err) : code;
}

/* Follows links to objects, of this bucket or another one on the server. */
static ls_code resolve(const ls_nats_bucket *b, const char *name, ls_nats_info *info, ls_err *err) {
    ls_code code = ls_nats_info_get(b, name, info, err);
    for (int i = 0; code == LS_OK && info->link_name != NULL; i++) {
        if (i == LINKS_MAX || info->link_bucket == NULL ||
            strcmp(info->link_bucket, b->login->bucket) != 0) {
            return ls_fail(err, LS_EUNSUPPORTED, "%s: a link that leads out of the bucket", name);
        }
        char *next = info->link_name;
        info->link_name = NULL;
        ls_nats_info_done(info);
        code = ls_nats_info_get(b, next, info, err);
        free(next);
    }
    if (code == LS_OK && info->deleted) {
        code = ls_fail(err, LS_ENOTFOUND, "%s was deleted", name);
    }
    return code;
}

ls_code ls_nats_open(ls_nats_bucket *b, const char *name, uint64_t off, uint64_t len,
                     ls_reader **out, ls_err *err) {
    ls_nats_info info;
    object_reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to read %s", name);
    }
    r->base = (ls_reader){.read = reader_read, .close = reader_close};
    r->b = b;
    ls_nats_bucket_hold(b);
    r->name = strdup(name);
    ls_code code = r->name != NULL ? resolve(b, name, &info, err)
                                   : ls_fail(err, LS_ENOMEM, "no memory to read %s", name);
    if (r->name != NULL) {
        code = code == LS_OK ? start(r, b->login->bucket, &info, off, len, err) : code;
        ls_nats_info_done(&info);
    }
    if (code != LS_OK) {
        reader_close(&r->base);
        return code;
    }
    *out = &r->base;
    return LS_OK;
}
