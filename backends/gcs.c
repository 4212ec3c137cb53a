/*
 * Google Cloud Storage: gs://BUCKET/PATH. Objects lie as in a folder, PATH/ltx/<level>/<name>, and
 * have the LTX header's timestamp as metadata, which listings give. What is listed, stored, copied
 * and deleted goes through the JSON API, what is read through the XML API, which gives the checksum
 * of the whole in front of it.
 *
 * A listing begins at the first name of the wanted TXID (startOffset), not with those that share it
 * as a prefix: there may be none.
 */
#include "backends/gcs.h"

#include "backends/crc32c.h"
#include "backends/fanout.h"
#include "backends/names.h"
#include "backends/paged.h"
#include "backends/schemes.h"
#include "engine/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ENDPOINT "https://storage.googleapis.com"
#define PAGE 1000
#define RENEWALS 2 /* of a token that is refused, in one call */
#define SAID_MAX 300

static ls_gcs *of(ls_storage *s) { return (ls_gcs *)s; }

static ls_code no_memory(const char *what, ls_err *err) {
    return ls_fail(err, LS_ENOMEM, "gs: no memory to %s", what);
}

/* ---- requests ---- */

ls_code ls_gcs_call_init(ls_gcs_call *c, ls_gcs *gs, const char *method, const char *url,
                         ls_err *err) {
    *c = (ls_gcs_call){.gs = gs};
    ls_http_request_init(&c->r, method);
    return ls_http_set_url(&c->r, err, "%s", url);
}

void ls_gcs_call_done(ls_gcs_call *c) {
    ls_http_answer_done(&c->a);
    ls_http_request_done(&c->r);
}

static ls_code sign(void *arg, ls_http_request *r, ls_err *err) {
    ls_gcs_call *c = arg;
    char *token;
    c->tries++;
    if (c->gs->google == NULL) {
        return LS_OK;
    }
    ls_code code = ls_google_token(c->gs->google, &token, err);
    if (code == LS_OK) {
        code = ls_http_set_header(r, "Authorization", err, "Bearer %s", token);
        explicit_bzero(token, strlen(token));
        free(token);
    }
    return code;
}

/* A body was spoilt on the way. A resumable upload, whose parts are PUT, is lost by that. */
static bool is_about_bytes(const ls_http_request *r, const ls_http_answer *a) {
    return a->status == 400 && strcmp(r->method, "POST") == 0 && a->body != NULL &&
           strstr(a->body, "CRC32C") != NULL;
}

/* A token may be taken back before its time. */
static bool again(void *arg, const ls_http_request *r, const ls_http_answer *a) {
    ls_gcs_call *c = arg;
    if (is_about_bytes(r, a)) {
        return true;
    }
    const char *sent = ls_http_header_of(r->headers, r->n_headers, "Authorization");
    if (a->status != 401 || sent == NULL || c->renewed == RENEWALS) {
        return false;
    }
    c->renewed++;
    ls_google_drop(c->gs->google, sent + strlen("Bearer "));
    return true;
}

static ls_http_hooks hooks(ls_gcs_call *c) {
    return (ls_http_hooks){.sign = sign, .again = again, .arg = c};
}

ls_code ls_gcs_do(ls_gcs_call *c, ls_err *err) {
    const ls_http_hooks h = hooks(c);
    ls_http_answer_done(&c->a);
    return ls_http_do(c->gs->http, &c->r, &h, &c->a, err);
}

ls_code ls_gcs_do_once(ls_gcs_call *c, ls_err *err) {
    const ls_http_hooks h = hooks(c);
    ls_http_answer_done(&c->a);
    return ls_http_do(c->gs->once, &c->r, &h, &c->a, err);
}

/* What an answer says: JSON {"error": {"message": ...}}, or XML <Message>...</Message>. */
static void said(const ls_http_answer *a, char *text, size_t size) {
    text[0] = '\0';
    const char *body = a->body != NULL ? a->body : "";
    json_t *json = json_loads(body, 0, NULL);
    const char *message =
        json_string_value(json_object_get(json_object_get(json, "error"), "message"));
    const char *from = strstr(body, "<Message>");
    if (message != NULL) {
        (void)snprintf(text, size, ": %s", message);
    } else if (from != NULL) {
        from += strlen("<Message>");
        (void)snprintf(text, size, ": %.*s", (int)strcspn(from, "<"), from);
    }
    json_decref(json);
}

/* Is it the bucket that is not there, and not an object in it? */
static bool no_bucket(const ls_http_answer *a) {
    return a->status == 404 && a->body != NULL &&
           (strstr(a->body, "NoSuchBucket") != NULL || strstr(a->body, "bucket does not") != NULL);
}

ls_code ls_gcs_refused(const ls_gcs_call *c, const char *what, const char *name, ls_err *err) {
    char text[SAID_MAX];
    said(&c->a, text, sizeof text);
    ls_code code = LS_EREMOTE;
    if (c->a.status == 404 && !no_bucket(&c->a)) {
        code = LS_ENOTFOUND;
    } else if (c->a.status == 412) {
        code = LS_EEXISTS;
    }
    (void)ls_fail(err, code, "gs: %s %s: HTTP status %d%s", what, name, c->a.status, text);
    if (no_bucket(&c->a)) {
        return ls_hint(err, "create the bucket \"%s\", or correct its name", c->gs->bucket);
    }
    if (c->a.status == 401 || c->a.status == 403) {
        return ls_hint(err, "give the account of these credentials the role Storage Object Admin "
                            "on the bucket");
    }
    return code;
}

/* ---- names ---- */

char *ls_gcs_name(const ls_gcs *gs, const ls_ltx_info *file) {
    char key[LS_STORAGE_KEY_SIZE];
    return ls_asprintf("%s%s", gs->root, ls_storage_key(file, key));
}

/* The URL of an object's description, with what follows it. */
static char *object_url(const ls_gcs *gs, const char *name, const char *rest) {
    char *encoded = ls_http_encode(name, false);
    char *url = encoded != NULL ? ls_asprintf("%s/storage/v1/b/%s/o/%s%s", gs->endpoint, gs->bucket,
                                              encoded, rest)
                                : NULL;
    free(encoded);
    return url;
}

/* ---- listing ---- */

static int64_t time_of(const json_t *object) {
    ls_err ignored = LS_ERR_INIT;
    int64_t ms = 0;
    const char *text =
        json_string_value(json_object_get(json_object_get(object, "metadata"), LS_GCS_TIME_KEY));
    if (text != NULL && ls_time_parse(text, &ms, &ignored) == LS_OK) {
        return ms;
    }
    text = json_string_value(json_object_get(object, "timeCreated"));
    return text != NULL && ls_time_parse(text, &ms, &ignored) == LS_OK ? ms : 0;
}

bool ls_gcs_describes(const json_t *object, ls_ltx_info *file) {
    const char *size = json_string_value(json_object_get(object, "size"));
    char *end = NULL;
    file->size = size != NULL ? strtoull(size, &end, 10) : 0;
    file->created_ms = time_of(object);
    return size != NULL && end != size && *end == '\0';
}

/* One page of the names below prefix. */
static ls_code ask_page(ls_gcs *gs, const char *prefix, const char *start, const char *token,
                        json_t **page, ls_err *err) {
    char *p = ls_http_encode(prefix, false);
    char *o = ls_http_encode(start, false);
    char *t = ls_http_encode(token, false);
    char *url = NULL;
    if (p != NULL && o != NULL && t != NULL) {
        url =
            ls_asprintf("%s/storage/v1/b/%s/o?alt=json&prefix=%s%s%s%s%s&maxResults=%d&"
                        "projection=noAcl&prettyPrint=false&fields=nextPageToken%%2Citems(name%%2C"
                        "size%%2CtimeCreated%%2Cmetadata)",
                        gs->endpoint, gs->bucket, p, o[0] != '\0' ? "&startOffset=" : "", o,
                        t[0] != '\0' ? "&pageToken=" : "", t, PAGE);
    }
    free(p);
    free(o);
    free(t);
    if (url == NULL) {
        return no_memory("list", err);
    }
    ls_gcs_call c;
    *page = NULL;
    ls_code code = ls_gcs_call_init(&c, gs, "GET", url, err);
    free(url);
    if (code == LS_OK) {
        code = ls_gcs_do(&c, err);
    }
    if (code == LS_OK && c.a.status != 200) {
        code = ls_gcs_refused(&c, "list", prefix, err);
        code = code == LS_ENOTFOUND
                   ? ls_fail(err, LS_EREMOTE, "gs: list %s: there is no bucket \"%s\"", prefix,
                             gs->bucket)
                   : code;
    } else if (code == LS_OK) {
        *page = json_loadb(c.a.body != NULL ? c.a.body : "", c.a.body_len, 0, NULL);
        code = json_is_object(*page)
                   ? LS_OK
                   : ls_fail(err, LS_EREMOTE, "gs: list %s: no JSON came", prefix);
    }
    ls_gcs_call_done(&c);
    return code;
}

/* The names of one page that begin with prefix. */
static ls_code add_items(ls_page *into, const json_t *page, const char *prefix, ls_err *err) {
    size_t i;
    json_t *item;
    size_t len = strlen(prefix);
    ls_code code = LS_OK;
    json_array_foreach(json_object_get(page, "items"), i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        ls_ltx_info file;
        if (code == LS_OK && name != NULL && strncmp(name, prefix, len) == 0 &&
            ls_gcs_describes(item, &file)) {
            code = ls_page_add(into, name + len, file.size, file.created_ms, err);
        }
    }
    const char *next = json_string_value(json_object_get(page, "nextPageToken"));
    return code == LS_OK && next != NULL && next[0] != '\0' ? ls_page_more(into, next, err) : code;
}

static ls_code fetch_page(ls_page *into, const char *token, ls_err *err) {
    ls_gcs *gs = of(ls_page_storage(into));
    char name[LS_LTX_NAME_SIZE] = "";
    if (ls_page_seek(into) > 0) {
        (void)ls_ltx_name_format(ls_page_seek(into), 0, name);
    }
    char *prefix = ls_asprintf("%sltx/%d/", gs->root, ls_page_level(into));
    char *start = ls_asprintf("%s%s", prefix != NULL && name[0] != '\0' ? prefix : "", name);
    json_t *page = NULL;
    ls_code code = prefix == NULL || start == NULL ? no_memory("list", err)
                                                   : ask_page(gs, prefix, start, token, &page, err);
    if (code == LS_OK) {
        code = add_items(into, page, prefix, err);
    }
    json_decref(page);
    free(start);
    free(prefix);
    return code;
}

static ls_code gs_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it, ls_err *err) {
    const ls_page_source source = {.s = s, .fetch = fetch_page};
    return ls_paged_list(&source, level, seek, it, err);
}

/* ---- reading ---- */

/* A whole object, whose checksum is compared before its last bytes are handed out. */
typedef struct checked_reader {
    ls_reader base;
    ls_reader *body;
    char *name;
    uint64_t left; /* bytes to come */
    uint32_t crc;
    char expected[LS_CRC32C_TEXT_SIZE];
} checked_reader;

static ls_code checked_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    checked_reader *c = (checked_reader *)(void *)r;
    ls_code code = c->body->read(c->body, buf, len, got, err);
    if (code != LS_OK) {
        return code;
    }
    c->crc = ls_crc32c(c->crc, buf, *got);
    c->left -= *got < c->left ? *got : c->left;
    char crc[LS_CRC32C_TEXT_SIZE];
    if (c->left == 0 && strcmp(ls_crc32c_text(c->crc, crc), c->expected) != 0) {
        *got = 0;
        return ls_fail(err, LS_ECHECKSUM, "gs: get object %s: bad CRC on read: %s, not %s", c->name,
                       crc, c->expected);
    }
    return LS_OK;
}

static void checked_close(ls_reader *r) {
    checked_reader *c = (checked_reader *)(void *)r;
    ls_reader_close(c->body);
    free(c->name);
    free(c);
}

/* The value behind "crc32c=" in any X-Goog-Hash, whose values may also be one list. */
static bool find_crc(const ls_http_answer *a, char crc[LS_CRC32C_TEXT_SIZE]) {
    for (size_t i = 0; i < a->n_headers; i++) {
        const char *at = strcasecmp(a->headers[i].name, "x-goog-hash") == 0
                             ? strstr(a->headers[i].value, "crc32c=")
                             : NULL;
        size_t len = at != NULL ? strcspn(at + 7, ", ") : 0;
        if (len == 8) {
            memcpy(crc, at + 7, len);
            crc[len] = '\0';
            return true;
        }
    }
    return false;
}

/* Takes over body. What has no checksum, or is sent in another form than it is stored, is read as
 * it comes. */
static ls_code check_whole(const ls_gcs_call *c, const char *name, ls_reader *body, ls_reader **r,
                           ls_err *err) {
    checked_reader *checked = calloc(1, sizeof *checked);
    if (checked == NULL) {
        ls_reader_close(body);
        return no_memory("read", err);
    }
    const char *length = ls_http_header_of(c->a.headers, c->a.n_headers, "content-length");
    if (c->a.status != 200 || length == NULL || !find_crc(&c->a, checked->expected) ||
        ls_http_header_of(c->a.headers, c->a.n_headers, "content-encoding") != NULL) {
        free(checked);
        *r = body;
        return LS_OK;
    }
    checked->base = (ls_reader){.read = checked_read, .close = checked_close};
    checked->body = body;
    checked->left = strtoull(length, NULL, 10);
    checked->name = strdup(name);
    if (checked->name == NULL) {
        checked_close(&checked->base);
        return no_memory("read", err);
    }
    *r = &checked->base;
    return LS_OK;
}

static ls_code set_range(ls_http_request *r, uint64_t off, uint64_t len, ls_err *err) {
    if (off == 0 && len == 0) {
        return LS_OK;
    }
    if (len == 0 || off > INT64_MAX || len > INT64_MAX - off) {
        return ls_http_set_header(r, "Range", err, "bytes=%llu-", (unsigned long long)off);
    }
    return ls_http_set_header(r, "Range", err, "bytes=%llu-%llu", (unsigned long long)off,
                              (unsigned long long)(off + len - 1));
}

static ls_code open_name(ls_gcs *gs, const char *name, uint64_t off, uint64_t len, ls_reader **r,
                         ls_err *err) {
    char *encoded = ls_http_encode(name, true);
    char *url = encoded != NULL ? ls_asprintf("%s/%s/%s", gs->endpoint, gs->bucket, encoded) : NULL;
    free(encoded);
    if (url == NULL) {
        return no_memory("read", err);
    }
    ls_gcs_call c;
    ls_reader *body = NULL;
    ls_code code = ls_gcs_call_init(&c, gs, "GET", url, err);
    free(url);
    if (code == LS_OK) {
        code = set_range(&c.r, off, len, err);
    }
    if (code == LS_OK) {
        const ls_http_hooks h = hooks(&c);
        code = ls_http_open(gs->http, &c.r, &h, &c.a, &body, err);
    }
    if (code == LS_OK && body != NULL) {
        code = check_whole(&c, name, body, r, err);
    } else if (code == LS_OK && c.a.status == 416) {
        *r = ls_mem_reader_new("", 0); /* the range begins behind the end */
        code = *r != NULL ? LS_OK : no_memory("read", err);
    } else if (code == LS_OK) {
        code = ls_gcs_refused(&c, "get object", name, err);
    }
    ls_gcs_call_done(&c);
    return code;
}

static ls_code gs_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                       ls_reader **r, ls_err *err) {
    char *name = ls_gcs_name(of(s), file);
    ls_code code = name != NULL ? open_name(of(s), name, off, len, r, err) : no_memory("read", err);
    free(name);
    return code;
}

/* ---- copying ---- */

/* Copies until the service says that all is done; large objects take several calls. */
static ls_code rewrite(ls_gcs *gs, const char *from, const char *url, json_t **object,
                       ls_err *err) {
    char *next = NULL;
    ls_code code = LS_OK;
    for (bool done = false; code == LS_OK && !done;) {
        ls_gcs_call c;
        char *token = next != NULL ? ls_http_encode(next, false) : NULL;
        char *full = ls_asprintf("%s%s%s", url, token != NULL ? "&rewriteToken=" : "",
                                 token != NULL ? token : "");
        code = ls_gcs_call_init(&c, gs, "POST", full != NULL ? full : "", err);
        free(full);
        free(token);
        if (code == LS_OK) {
            code = ls_gcs_do(&c, err);
        }
        if (code == LS_OK && c.a.status != 200) {
            code = ls_gcs_refused(&c, "copy", from, err);
        }
        json_t *json = code == LS_OK ? json_loadb(c.a.body, c.a.body_len, 0, NULL) : NULL;
        const char *text = json_string_value(json_object_get(json, "rewriteToken"));
        done = json_is_true(json_object_get(json, "done"));
        free(next);
        next = text != NULL ? strdup(text) : NULL;
        if (code == LS_OK && !done && next == NULL) {
            code = ls_fail(err, LS_EREMOTE, "gs: copy %s: neither done nor to be continued", from);
        }
        *object = done ? json_incref(json_object_get(json, "resource")) : NULL;
        json_decref(json);
        ls_gcs_call_done(&c);
    }
    free(next);
    return code;
}

static char *rewrite_url(const ls_gcs *gs, const char *from, const char *to, bool exclusive) {
    char *encoded = ls_http_encode(to, false);
    char *rest = encoded != NULL ? ls_asprintf("/rewriteTo/b/%s/o/%s?alt=json%s", gs->bucket,
                                               encoded, exclusive ? "&ifGenerationMatch=0" : "")
                                 : NULL;
    char *url = rest != NULL ? object_url(gs, from, rest) : NULL;
    free(rest);
    free(encoded);
    return url;
}

static ls_code gs_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                       bool exclusive, ls_ltx_info *out, ls_err *err) {
    ls_gcs *gs = of(s);
    char *source = ls_gcs_name(gs, from);
    char *target = ls_gcs_name(gs, to);
    char *url =
        source != NULL && target != NULL ? rewrite_url(gs, source, target, exclusive) : NULL;
    json_t *object = NULL;
    ls_code code = url != NULL ? rewrite(gs, source, url, &object, err) : no_memory("copy", err);
    *out = *to;
    if (code == LS_OK && !ls_gcs_describes(object, out)) {
        code = ls_fail(err, LS_EREMOTE, "gs: copy %s: the answer does not tell its size", source);
    }
    json_decref(object);
    free(url);
    free(target);
    free(source);
    return code;
}

/* ---- deleting ---- */

static ls_code remove_one(ls_storage *s, const ls_ltx_info *file, ls_err *err) {
    ls_gcs *gs = of(s);
    ls_gcs_call c;
    char *name = ls_gcs_name(gs, file);
    char *url = name != NULL ? object_url(gs, name, "?alt=json&prettyPrint=false") : NULL;
    ls_code code =
        url != NULL ? ls_gcs_call_init(&c, gs, "DELETE", url, err) : no_memory("delete", err);
    free(url);
    if (url == NULL) {
        free(name);
        return code;
    }
    if (code == LS_OK) {
        code = ls_gcs_do(&c, err);
    }
    if (code == LS_OK && c.a.status >= 300) {
        code = ls_gcs_refused(&c, "delete", name, err);
        if (code == LS_ENOTFOUND) {
            ls_err_clear(err);
            code = LS_OK;
        }
    }
    ls_gcs_call_done(&c);
    free(name);
    return code;
}

static ls_code gs_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    return ls_fanout_remove(s, files, n, remove_one, err);
}

/* ---- objects of other formats ---- */

static ls_code give_objects(const ls_gcs *gs, const json_t *page, ls_object_fn fn, void *arg,
                            ls_err *err) {
    size_t i;
    json_t *item;
    size_t len = strlen(gs->root);
    ls_code code = LS_OK;
    json_array_foreach(json_object_get(page, "items"), i, item) {
        const char *name = json_string_value(json_object_get(item, "name"));
        ls_ltx_info file;
        if (code == LS_OK && name != NULL && strncmp(name, gs->root, len) == 0 &&
            ls_object_key_valid(name + len) && ls_gcs_describes(item, &file)) {
            const ls_object object = {
                .key = name + len, .size = file.size, .modified_ms = file.created_ms};
            code = fn(arg, &object, err);
        }
    }
    return code;
}

static ls_code gs_each_object(ls_storage *s, const char *folder, ls_object_fn fn, void *arg,
                              ls_err *err) {
    ls_gcs *gs = of(s);
    char *prefix = ls_asprintf("%s%s/", gs->root, folder);
    char *token = strdup("");
    ls_code code = prefix != NULL && token != NULL ? LS_OK : no_memory("list", err);
    while (code == LS_OK && token != NULL) {
        json_t *page = NULL;
        code = ask_page(gs, prefix, "", token, &page, err);
        if (code == LS_OK) {
            code = give_objects(gs, page, fn, arg, err);
        }
        const char *next = json_string_value(json_object_get(page, "nextPageToken"));
        free(token);
        token = next != NULL && next[0] != '\0' ? strdup(next) : NULL;
        json_decref(page);
    }
    free(token);
    free(prefix);
    return code;
}

static ls_code gs_open_object(ls_storage *s, const char *key, uint64_t off, uint64_t len,
                              ls_reader **r, ls_err *err) {
    char *name = ls_asprintf("%s%s", of(s)->root, key);
    ls_code code = name != NULL ? open_name(of(s), name, off, len, r, err) : no_memory("read", err);
    free(name);
    return code;
}

/* ---- making and freeing ---- */

static void gs_free(ls_storage *s) {
    ls_gcs *gs = of(s);
    ls_google_free(gs->google);
    ls_http_free(gs->http);
    ls_http_free(gs->once);
    free(gs->endpoint);
    free(gs->bucket);
    free(gs->root);
    free(gs->base.url);
    free(gs);
}

static const ls_storage_ops gs_ops = {
    .type = "gs",
    .list = gs_list,
    .open = gs_open,
    .put = ls_gcs_put,
    .copy = gs_copy,
    .remove = gs_remove,
    .each_object = gs_each_object,
    .open_object = gs_open_object,
    .free = gs_free,
};

/* Where requests go: the emulator that the environment names, or as in the settings. */
static char *endpoint_of(const ls_settings *settings, bool *emulated) {
    const char *host = getenv("STORAGE_EMULATOR_HOST");
    *emulated = host != NULL && host[0] != '\0';
    char *text = *emulated ? ls_asprintf("%s%s", strstr(host, "://") != NULL ? "" : "http://", host)
                           : strdup(ls_settings_text(settings, "endpoint", ENDPOINT));
    while (text != NULL && text[0] != '\0' && text[strlen(text) - 1] == '/') {
        text[strlen(text) - 1] = '\0';
    }
    return text;
}

static ls_code fill(ls_gcs *gs, const ls_settings *settings, ls_err *err) {
    const ls_http_options options = {0};
    const ls_http_options once = {.tries = 1};
    const char *bucket = ls_settings_text(settings, "bucket", "");
    bool emulated;
    gs->base.ops = &gs_ops;
    gs->endpoint = endpoint_of(settings, &emulated);
    gs->bucket = ls_http_encode(bucket, false);
    gs->root = ls_name_root(ls_settings_text(settings, "path", ""));
    if (gs->root != NULL) {
        gs->base.url = ls_asprintf("gs://%s/%.*s", bucket,
                                   (int)(strlen(gs->root) - (gs->root[0] != '\0')), gs->root);
    }
    if (gs->endpoint == NULL || gs->bucket == NULL || gs->base.url == NULL) {
        return no_memory("open the store", err);
    }
    ls_code code = ls_http_new(&options, &gs->http, err);
    if (code == LS_OK) {
        code = ls_http_new(&once, &gs->once, err);
    }
    return code == LS_OK && !emulated ? ls_google_new(&gs->google, err) : code;
}

static ls_code gs_from_settings(const ls_settings *settings, const ls_perm *perm, ls_storage **s,
                                ls_err *err) {
    (void)perm;
    if (ls_settings_text(settings, "bucket", "")[0] == '\0') {
        (void)ls_fail(err, LS_ECONFIG, "bucket required for gs replica");
        return ls_hint(err, "write gs://BUCKET/PATH, or set bucket");
    }
    ls_gcs *gs = calloc(1, sizeof *gs);
    if (gs == NULL) {
        return no_memory("open the store", err);
    }
    ls_code code = fill(gs, settings, err);
    if (code != LS_OK) {
        gs_free(&gs->base);
        return code;
    }
    *s = &gs->base;
    return LS_OK;
}

static ls_code gs_from_url(const ls_url *url, ls_settings *settings, ls_err *err) {
    ls_code code = ls_settings_default(settings, "bucket", url->host, err);
    return code == LS_OK ? ls_settings_default(settings, "path", url->path, err) : code;
}

static const ls_setting_key gs_keys[] = {
    {.name = "path"}, {.name = "bucket"}, {.name = "endpoint", .query = "endpoint"}, {0}};

const ls_store_scheme ls_gs_scheme = {
    .type = "gs",
    .schemes = "gs",
    .keys = gs_keys,
    .in_url = "bucket",
    .from_url = gs_from_url,
    .open = gs_from_settings,
};
