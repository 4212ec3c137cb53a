/* Descriptions of objects: text, names, looking one up, listing all; see nats_object.h. */
#include "backends/nats_object.h"

#include "engine/base/file.h"
#include "engine/base/text.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define INFO_MAX (1u << 20)
#define NAME_MAX_BYTES 1024
#define MARKS_HEADER "Litestream-Chunks"

void ls_nats_info_done(ls_nats_info *info) {
    free(info->name);
    free(info->nuid);
    free(info->digest);
    free(info->link_bucket);
    free(info->link_name);
    free(info->marks);
    *info = (ls_nats_info){0};
}

char *ls_nats_encode_name(const char *name) {
    size_t len = strnlen(name, NAME_MAX_BYTES);
    unsigned char *out = malloc((len + 2) / 3 * 4 + 1);
    if (out == NULL) {
        return NULL;
    }
    int n = EVP_EncodeBlock(out, (const unsigned char *)name, (int)len);
    for (int i = 0; i < n; i++) {
        out[i] = out[i] == '+' ? '-' : out[i] == '/' ? '_' : out[i];
    }
    return (char *)out;
}

/* ---- text ---- */

static char *copy_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && text[0] != '\0' ? strdup(text) : NULL;
}

static uint64_t number_of(const json_t *object, const char *key) {
    json_int_t v = json_integer_value(json_object_get(object, key));
    return v > 0 ? (uint64_t)v : 0;
}

static bool parse_u64(const json_t *value, uint64_t *n) {
    const char *text = json_string_value(value);
    char *end;
    *n = text != NULL ? strtoull(text, &end, 10) : 0;
    return *n > 0 && *end == '\0';
}

/* ["nuid", "stride", "sequence", ...]: of these very bytes only, since a copy has headers, too. */
static ls_code parse_marks(const json_t *headers, ls_nats_info *info, ls_err *err) {
    const json_t *list = json_object_get(headers, MARKS_HEADER);
    size_t n = json_array_size(list);
    const char *nuid = json_string_value(json_array_get(list, 0));
    if (n < 3 || n > LS_NATS_MARKS_MAX + 2 || nuid == NULL || info->nuid == NULL ||
        strcmp(nuid, info->nuid) != 0 || info->chunk == 0) {
        return LS_OK;
    }
    info->marks = calloc(n - 2, sizeof *info->marks);
    if (info->marks == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a description");
    }
    bool good = parse_u64(json_array_get(list, 1), &info->stride);
    for (size_t i = 2; good && i < n; i++) {
        good = parse_u64(json_array_get(list, i), &info->marks[i - 2]) &&
               (i == 2 || info->marks[i - 2] > info->marks[i - 3]);
    }
    info->n_marks = good ? n - 2 : 0;
    return LS_OK;
}

static void parse_link(const json_t *root, ls_nats_info *info) {
    const json_t *link = json_object_get(json_object_get(root, "options"), "link");
    info->link_bucket = copy_of(link, "bucket");
    info->link_name = copy_of(link, "name");
}

static void parse_time(const json_t *headers, ls_nats_info *info) {
    const json_t *list = json_object_get(headers, LS_NATS_TIME_HEADER);
    const char *text = json_string_value(json_array_get(list, 0));
    ls_err ignored = LS_ERR_INIT;
    int64_t ms;
    if (text != NULL && ls_time_parse(text, &ms, &ignored) == LS_OK) {
        info->created_ms = ms;
    }
}

ls_code ls_nats_info_parse(const char *json, size_t len, ls_nats_info *info, ls_err *err) {
    *info = (ls_nats_info){0};
    json_t *root = len <= INFO_MAX ? json_loadb(json, len, 0, NULL) : NULL;
    info->name = copy_of(root, "name");
    if (info->name == NULL || strlen(info->name) > NAME_MAX_BYTES) {
        json_decref(root);
        return ls_fail(err, LS_EFORMAT, "not a description of an object");
    }
    const json_t *headers = json_object_get(root, "headers");
    info->nuid = copy_of(root, "nuid");
    info->digest = copy_of(root, "digest");
    info->size = number_of(root, "size");
    info->deleted = json_is_true(json_object_get(root, "deleted"));
    info->chunk = number_of(json_object_get(root, "options"), "max_chunk_size");
    parse_link(root, info);
    parse_time(headers, info);
    ls_code code = parse_marks(headers, info, err);
    json_decref(root);
    return code;
}

/* ---- one ---- */

/* The nuid is a part of subjects: it must have no wildcards and parts of its own. */
static bool is_token(const char *text) {
    size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
    return n > 0 && n <= 64 && text[n] == '\0';
}

static ls_code parse_message(natsMsg *msg, int64_t time_ns, ls_nats_info *info, ls_err *err) {
    ls_code code =
        ls_nats_info_parse(natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg), info, err);
    if (code == LS_OK && !info->deleted && info->link_name == NULL && info->size > 0 &&
        (info->nuid == NULL || !is_token(info->nuid))) {
        code = ls_fail(err, LS_EFORMAT, "%s: its description has no valid nuid", info->name);
    }
    if (code == LS_OK && info->created_ms == 0) {
        info->created_ms = time_ns / LS_MS;
    }
    return code;
}

ls_code ls_nats_info_get(const ls_nats_bucket *b, const char *name, ls_nats_info *info,
                         ls_err *err) {
    *info = (ls_nats_info){0};
    char *token = ls_nats_encode_name(name);
    char *subject = token != NULL ? ls_asprintf("$O.%s.M.%s", b->login->bucket, token) : NULL;
    free(token);
    if (subject == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to look for %s", name);
    }
    natsMsg *msg = NULL;
    jsErrCode js = 0;
    natsStatus s = js_GetLastMsg(&msg, b->js, b->stream, subject, NULL, &js);
    free(subject);
    if (s != NATS_OK) {
        ls_nats_fail(b->login, s, js, err, "look it up");
        return ls_wrap(err, "%s", name);
    }
    ls_code code = parse_message(msg, natsMsg_GetTime(msg), info, err);
    info->seq = natsMsg_GetSequence(msg);
    natsMsg_Destroy(msg);
    return code == LS_OK ? LS_OK : ls_wrap(err, "%s", name);
}

/* ---- all ---- */

/* One message of the listing; *left: how many come behind it. */
static ls_code take_one(natsMsg *msg, ls_nats_info_fn fn, void *arg, uint64_t *left, ls_err *err) {
    jsMsgMetaData *meta = NULL;
    if (natsMsg_GetMetaData(&meta, msg) != NATS_OK) {
        return ls_fail(err, LS_EREMOTE, "a message without its place in the stream");
    }
    *left = meta->NumPending;
    int64_t time_ns = meta->Timestamp;
    jsMsgMetaData_Destroy(meta);
    ls_nats_info info;
    ls_code code = parse_message(msg, time_ns, &info, err);
    if (code == LS_EFORMAT) {
        ls_err_clear(err); /* of another client; it is none of ours */
        code = LS_OK;
    } else if (code == LS_OK && !info.deleted) {
        code = fn(arg, &info, err);
    }
    ls_nats_info_done(&info);
    return code;
}

static ls_code take_all(const ls_nats_bucket *b, natsSubscription *sub, uint64_t left,
                        ls_nats_info_fn fn, void *arg, ls_err *err) {
    ls_code code = LS_OK;
    while (code == LS_OK && left > 0) {
        natsMsg *msg = NULL;
        natsStatus s = natsSubscription_NextMsg(&msg, sub, b->login->timeout_ms);
        code = s == NATS_OK ? take_one(msg, fn, arg, &left, err)
                            : ls_nats_fail(b->login, s, 0, err, "list the bucket");
        natsMsg_Destroy(msg);
    }
    return code;
}

ls_code ls_nats_each(const ls_nats_bucket *b, ls_nats_info_fn fn, void *arg, ls_err *err) {
    char *subject = ls_asprintf("$O.%s.M.>", b->login->bucket);
    if (subject == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to list the bucket");
    }
    jsSubOptions opts;
    (void)jsSubOptions_Init(&opts);
    opts.Stream = b->stream;
    opts.Ordered = true;
    opts.Config.DeliverPolicy = js_DeliverLastPerSubject;
    natsSubscription *sub = NULL;
    jsConsumerInfo *consumer = NULL;
    jsErrCode js = 0;
    natsStatus s = js_SubscribeSync(&sub, b->js, subject, NULL, &opts, &js);
    if (s == NATS_OK) {
        s = natsSubscription_GetConsumerInfo(&consumer, sub, NULL, &js);
    }
    ls_code code =
        s == NATS_OK
            ? take_all(b, sub, consumer->NumPending + consumer->Delivered.Consumer, fn, arg, err)
            : ls_nats_fail(b->login, s, js, err, "list the bucket");
    jsConsumerInfo_Destroy(consumer);
    ls_nats_unsubscribe(b, sub);
    free(subject);
    return code;
}
