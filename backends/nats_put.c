/*
 * Objects that come to a bucket, and go; see nats_object.h.
 *
 * Chunks are published ahead of their acknowledgements, which come to a subject of this one put and
 * must come in order: so it is known that the bytes lie in their order, and where. Nothing refers
 * to them until the description is stored, and if anything fails before that they are purged. A put
 * is tried again as a whole, under a new nuid.
 */
#include "backends/nats_object.h"

#include "engine/base/buf.h"
#include "engine/base/file.h"
#include "engine/base/quote.h"
#include "engine/base/text.h"

#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define AHEAD 16           /* chunks that are not acknowledged yet */
#define PAYLOAD_SLACK 1024 /* of the server's limit, for headers */
#define INFO_TEXT_MAX (64u * 1024)

typedef struct put {
    const ls_nats_bucket *b;
    ls_nats_source *src;
    char *subject; /* of the chunks */
    natsInbox *inbox;
    natsSubscription *acks; /* of inbox.N */
    uint64_t chunk;         /* bytes */
    uint64_t chunks, acked;
    uint64_t stride, marks[LS_NATS_MARKS_MAX], last_seq;
    EVP_MD_CTX *sha;
    uint8_t *buf;
} put;

static ls_code fail_put(const put *p, natsStatus s, jsErrCode js, ls_err *err, const char *what) {
    ls_nats_fail(p->b->login, s, js, err, what);
    return ls_wrap(err, "%s", p->src->name);
}

static ls_code new_nuid(char out[LS_NATS_NUID_SIZE], ls_err *err) {
    static const char set[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    uint8_t random[LS_NATS_NUID_SIZE - 1];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return ls_fail(err, LS_EIO, "no random number for an id");
    }
    for (size_t i = 0; i < sizeof random; i++) {
        out[i] = set[random[i] % (sizeof set - 1)];
    }
    out[sizeof random] = '\0';
    return LS_OK;
}

static ls_code purge(const ls_nats_bucket *b, const char *kind, const char *token, ls_err *err) {
    char *subject = ls_asprintf("$O.%s.%s.%s", b->login->bucket, kind, token);
    if (subject == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to delete an object");
    }
    jsOptions opts;
    jsErrCode js = 0;
    (void)jsOptions_Init(&opts);
    opts.Wait = b->login->timeout_ms;
    opts.Stream.Purge.Subject = subject;
    natsStatus s = js_PurgeStream(b->js, b->stream, &opts, &js);
    free(subject);
    return s == NATS_OK ? LS_OK : ls_nats_fail(b->login, s, js, err, "purge");
}

/* Best effort: what stays takes space, and nothing refers to it. */
static void purge_chunks(const ls_nats_bucket *b, const char *nuid) {
    ls_err ignored = LS_ERR_INIT;
    if (nuid != NULL && nuid[0] != '\0' && purge(b, "C", nuid, &ignored) != LS_OK) {
        ls_err_clear(&ignored);
    }
}

/* ---- chunks ---- */

/* What the server answers to a message: its sequence, or an error. */
static ls_code read_ack(const put *p, natsMsg *msg, uint64_t *seq, jsErrCode *js, ls_err *err) {
    if (natsMsg_IsNoResponders(msg)) {
        return fail_put(p, NATS_NO_RESPONDERS, 0, err, "store");
    }
    json_t *root = json_loadb(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), 0, NULL);
    const json_t *error = json_object_get(root, "error");
    *seq = (uint64_t)json_integer_value(json_object_get(root, "seq"));
    *js = (jsErrCode)json_integer_value(json_object_get(error, "err_code"));
    ls_code code = LS_OK;
    if (error != NULL || *seq == 0) {
        const char *text = json_string_value(json_object_get(error, "description"));
        code = ls_fail(err, LS_EREMOTE, "%s: %s: the server says: %.200s", p->b->login->url,
                       p->src->name, text != NULL ? text : "no sequence");
        (void)ls_hint(err, "look at the limits of the bucket and of the account");
    }
    json_decref(root);
    return code;
}

static void note_mark(put *p, uint64_t seq) {
    if (p->acked % p->stride == 0 && p->acked / p->stride < LS_NATS_MARKS_MAX) {
        p->marks[p->acked / p->stride] = seq;
    }
}

static ls_code await_ack(put *p, ls_err *err) {
    natsMsg *msg = NULL;
    natsStatus s = natsSubscription_NextMsg(&msg, p->acks, p->b->login->timeout_ms);
    if (s != NATS_OK) {
        return fail_put(p, s, 0, err, "store");
    }
    uint64_t seq;
    jsErrCode js;
    const char *number = strrchr(natsMsg_GetSubject(msg), '.');
    bool next = number != NULL && strtoull(number + 1, NULL, 10) == p->acked;
    ls_code code = read_ack(p, msg, &seq, &js, err);
    natsMsg_Destroy(msg);
    if (code == LS_OK && (!next || seq <= p->last_seq)) {
        code =
            ls_fail(err, LS_EREMOTE, "%s: %s: stored out of order", p->b->login->url, p->src->name);
    }
    if (code == LS_OK) {
        note_mark(p, seq);
        p->last_seq = seq;
        p->acked++;
    }
    return code;
}

static ls_code send_chunk(put *p, uint64_t number, ls_err *err) {
    uint64_t off = number * p->chunk;
    size_t want = p->src->size - off < p->chunk ? (size_t)(p->src->size - off) : (size_t)p->chunk;
    size_t got;
    char reply[128];
    ls_code code = ls_pread_full(p->src->fd, p->buf, want, (int64_t)off, &got, p->src->name, err);
    if (code == LS_OK && got < want) {
        code = ls_fail(err, LS_EIO, "%s: became shorter while it was read", p->src->name);
    }
    if (code != LS_OK) {
        return code;
    }
    (void)EVP_DigestUpdate(p->sha, p->buf, want);
    (void)snprintf(reply, sizeof reply, "%s.%" PRIu64, p->inbox, number);
    natsStatus s = natsConnection_PublishRequest(p->b->nc, p->subject, reply, p->buf, (int)want);
    return s == NATS_OK ? LS_OK : fail_put(p, s, 0, err, "store");
}

static ls_code send_chunks(put *p, ls_err *err) {
    ls_code code = LS_OK;
    for (uint64_t i = 0; code == LS_OK && i < p->chunks; i++) {
        if (i - p->acked == AHEAD) {
            code = await_ack(p, err);
        }
        if (code == LS_OK) {
            code = send_chunk(p, i, err);
        }
    }
    while (code == LS_OK && p->acked < p->chunks) {
        code = await_ack(p, err);
    }
    return code;
}

/* ---- the description ---- */

/* As Go writes it: a fraction without zeros at its end, none at all for whole seconds. */
static void format_time(int64_t ms, char *buf, size_t size) {
    (void)ls_time_format(ms, true, buf, size);
    char *end = buf + strlen(buf) - 1;
    while (end[-1] == '0') {
        end--;
    }
    end = end[-1] == '.' ? end - 1 : end;
    end[0] = 'Z';
    end[1] = '\0';
}

static ls_code add_marks(const put *p, ls_buf *text, ls_err *err) {
    if (p->chunks <= 1) {
        return LS_OK; /* to find the first one needs no mark */
    }
    ls_code code = ls_buf_addf(text, err, ",\"Litestream-Chunks\":[\"%s\",\"%" PRIu64 "\"",
                               p->src->nuid, p->stride);
    for (uint64_t i = 0; code == LS_OK && i * p->stride < p->chunks; i++) {
        code = ls_buf_addf(text, err, ",\"%" PRIu64 "\"", p->marks[i]);
    }
    return code == LS_OK ? ls_buf_addf(text, err, "]") : code;
}

static ls_code describe(const put *p, ls_buf *text, ls_err *err) {
    char time[40];
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned char digest[2 * EVP_MAX_MD_SIZE];
    unsigned len = 0;
    (void)EVP_DigestFinal_ex(p->sha, sum, &len);
    int n = EVP_EncodeBlock(digest, sum, (int)len);
    for (int i = 0; i < n; i++) {
        digest[i] = digest[i] == '+' ? '-' : digest[i] == '/' ? '_' : digest[i];
    }
    format_time(p->src->created_ms, time, sizeof time);
    ls_code code = ls_buf_addf(text, err, "{\"name\":");
    if (code == LS_OK) {
        code = ls_quote_json(text, p->src->name, strlen(p->src->name), err);
    }
    if (code == LS_OK) {
        code = ls_buf_addf(text, err, ",\"headers\":{\"" LS_NATS_TIME_HEADER "\":[\"%s\"]", time);
    }
    if (code == LS_OK) {
        code = add_marks(p, text, err);
    }
    if (code == LS_OK) {
        code = ls_buf_addf(text, err,
                           "},\"options\":{\"max_chunk_size\":%" PRIu64 "},\"bucket\":\"%s\","
                           "\"nuid\":\"%s\",\"size\":%" PRIu64
                           ",\"mtime\":\"0001-01-01T00:00:00Z\",\"chunks\":%" PRIu64
                           ",\"digest\":\"SHA-256=%s\"}",
                           p->chunk, p->b->login->bucket, p->src->nuid, p->src->size, p->chunks,
                           (const char *)digest);
    }
    return code;
}

/* expected: the sequence that the last description must have, so that nobody else's is replaced;
 * NULL: it does not matter. *js: why the server refused. */
static ls_code publish(const put *p, const ls_buf *text, const uint64_t *expected, jsErrCode *js,
                       ls_err *err) {
    char number[24];
    char *token = ls_nats_encode_name(p->src->name);
    char *subject = token != NULL ? ls_asprintf("$O.%s.M.%s", p->b->login->bucket, token) : NULL;
    natsMsg *msg = NULL;
    natsMsg *reply = NULL;
    natsStatus s = NATS_NO_MEMORY;
    if (subject != NULL) {
        s = natsMsg_Create(&msg, subject, NULL, ls_buf_str(text), (int)text->len);
    }
    if (s == NATS_OK) {
        s = natsMsgHeader_Set(msg, "Nats-Rollup", "sub");
    }
    if (s == NATS_OK && expected != NULL) {
        (void)snprintf(number, sizeof number, "%" PRIu64, *expected);
        s = natsMsgHeader_Set(msg, "Nats-Expected-Last-Subject-Sequence", number);
    }
    if (s == NATS_OK) {
        s = natsConnection_RequestMsg(&reply, p->b->nc, msg, p->b->login->timeout_ms);
    }
    uint64_t seq;
    ls_code code = s == NATS_OK ? read_ack(p, reply, &seq, js, err)
                                : fail_put(p, s, 0, err, "store the description");
    natsMsg_Destroy(reply);
    natsMsg_Destroy(msg);
    free(subject);
    free(token);
    return code;
}

/* ---- a put ---- */

static ls_code put_init(put *p, ls_err *err) {
    int64_t most = natsConnection_GetMaxPayload(p->b->nc) - PAYLOAD_SLACK;
    p->chunk = most > 0 && most < LS_NATS_CHUNK ? (uint64_t)most : LS_NATS_CHUNK;
    p->chunks = (p->src->size + p->chunk - 1) / p->chunk;
    p->stride = (p->chunks + LS_NATS_MARKS_MAX - 1) / LS_NATS_MARKS_MAX;
    p->stride = p->stride > 0 ? p->stride : 1;
    p->sha = EVP_MD_CTX_new();
    p->buf = malloc(p->chunk);
    p->subject = ls_asprintf("$O.%s.C.%s", p->b->login->bucket, p->src->nuid);
    if (p->sha == NULL || p->buf == NULL || p->subject == NULL ||
        EVP_DigestInit_ex(p->sha, EVP_sha256(), NULL) != 1) {
        return ls_fail(err, LS_ENOMEM, "no memory to store %s", p->src->name);
    }
    natsStatus s = natsInbox_Create(&p->inbox);
    char *all = s == NATS_OK ? ls_asprintf("%s.*", p->inbox) : NULL;
    s = all != NULL ? natsConnection_SubscribeSync(&p->acks, p->b->nc, all) : NATS_NO_MEMORY;
    free(all);
    return s == NATS_OK ? LS_OK : fail_put(p, s, 0, err, "store");
}

static void put_done(put *p) {
    ls_nats_unsubscribe(p->b, p->acks);
    natsInbox_Destroy(p->inbox);
    EVP_MD_CTX_free(p->sha);
    free(p->subject);
    free(p->buf);
}

static ls_code exists_already(const put *p, ls_err *err) {
    return ls_fail(err, LS_EEXISTS, "%s exists already", p->src->name);
}

/* Publishes the description; where another one is in the way of an exclusive put, but of an object
 * that was deleted, it takes its place. */
static ls_code publish_exclusive(const put *p, const ls_buf *text, ls_err *err) {
    uint64_t expected = 0;
    for (int tries = 0;; tries++) {
        jsErrCode js = 0;
        ls_code code = publish(p, text, &expected, &js, err);
        if (code == LS_OK || js != JSStreamWrongLastSequenceErr) {
            return code;
        }
        ls_nats_info info;
        ls_err_clear(err);
        code = ls_nats_info_get(p->b, p->src->name, &info, err);
        expected = info.seq;
        bool taken = code == LS_OK && (!info.deleted || tries > 0);
        ls_nats_info_done(&info);
        if (taken || code == LS_EFORMAT) {
            return exists_already(p, err);
        }
        if (code != LS_OK) {
            return code;
        }
    }
}

/* *sent: the description is on its way, whatever comes back. */
static ls_code store_all(put *p, bool *sent, ls_err *err) {
    ls_buf text;
    jsErrCode js;
    ls_buf_init(&text, INFO_TEXT_MAX);
    ls_code code = send_chunks(p, err);
    if (code == LS_OK) {
        code = describe(p, &text, err);
    }
    *sent = code == LS_OK;
    if (code == LS_OK) {
        code = p->src->exclusive ? publish_exclusive(p, &text, err)
                                 : publish(p, &text, NULL, &js, err);
    }
    ls_buf_done(&text);
    return code;
}

/* What is there under the name before. *done: a try before this one has stored it after all. */
static ls_code look_before(const ls_nats_bucket *b, const ls_nats_source *src, ls_nats_info *old,
                           bool *done, ls_err *err) {
    ls_code code = ls_nats_info_get(b, src->name, old, err);
    *done = false;
    if (code == LS_ENOTFOUND || code == LS_EFORMAT) {
        ls_err_clear(err);
        ls_nats_info_done(old);
        return LS_OK;
    }
    if (code != LS_OK) {
        return code;
    }
    *done = src->nuid[0] != '\0' && old->nuid != NULL && strcmp(src->nuid, old->nuid) == 0;
    return src->exclusive && !*done && !old->deleted
               ? ls_fail(err, LS_EEXISTS, "%s exists already", src->name)
               : LS_OK;
}

static ls_code put_now(const ls_nats_bucket *b, ls_nats_source *src, ls_err *err) {
    put p = {.b = b, .src = src};
    bool sent = false;
    ls_code code = new_nuid(src->nuid, err);
    if (code == LS_OK) {
        code = put_init(&p, err);
    }
    if (code == LS_OK) {
        code = store_all(&p, &sent, err);
    }
    /* With its answer lost, the description may be there: the next try will see. */
    if (code != LS_OK && (!sent || code == LS_EEXISTS)) {
        purge_chunks(b, src->nuid);
        src->nuid[0] = '\0';
    }
    put_done(&p);
    return code;
}

/* A small new file needs no look before: storing its description looks. */
ls_code ls_nats_put(const ls_nats_bucket *b, ls_nats_source *src, ls_err *err) {
    ls_nats_info old = {0};
    bool done = false;
    ls_code code = LS_OK;
    if (!src->exclusive || src->nuid[0] != '\0' || src->size > LS_NATS_CHUNK) {
        code = look_before(b, src, &old, &done, err);
    }
    if (code == LS_OK && !done) {
        purge_chunks(b, src->nuid);
        code = put_now(b, src, err);
        if (code == LS_OK && !old.deleted) {
            purge_chunks(b, old.nuid);
        }
    }
    ls_nats_info_done(&old);
    return code;
}

/* ---- deleting ---- */

/* Descriptions of what was deleted would stay for ever and be listed each time, so that none is
 * left: for other clients the object is not there, either way. */
ls_code ls_nats_delete(const ls_nats_bucket *b, const char *name, ls_err *err) {
    ls_nats_info info;
    ls_code code = ls_nats_info_get(b, name, &info, err);
    if (code == LS_ENOTFOUND) {
        ls_err_clear(err);
        return LS_OK;
    }
    char *token = code == LS_OK ? ls_nats_encode_name(name) : NULL;
    if (code == LS_OK && token == NULL) {
        code = ls_fail(err, LS_ENOMEM, "no memory to delete %s", name);
    }
    if (code == LS_OK) {
        code = purge(b, "M", token, err);
    }
    if (code == LS_OK && info.nuid != NULL && !info.deleted) {
        code = purge(b, "C", info.nuid, err);
    }
    free(token);
    ls_nats_info_done(&info);
    return code == LS_OK ? LS_OK : ls_wrap(err, "delete %s", name);
}
