/*
 * Alibaba Cloud OSS: oss://BUCKET[.oss-REGION.aliyuncs.com]/PATH. Keys are those of the reference,
 * and another layout than that of most stores: PATH/<level in four hexadecimal digits>/<name>. The
 * LTX header's timestamp is metadata, which a request for each file tells (exact) and listings do
 * not.
 */
#include "backends/oss.h"

#include "backends/digest.h"
#include "backends/paged.h"
#include "backends/schemes.h"
#include "backends/xml.h"
#include "engine/base/buf.h"
#include "engine/base/text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGION "cn-hangzhou"
#define PAGE 1000
#define BATCH 1000
#define BATCH_BODY_MAX (BATCH * 2048)
#define HOST_SUFFIX ".aliyuncs.com"
#define INTERNAL "-internal"

static ls_oss *of(ls_storage *s) { return (ls_oss *)s; }

static ls_code no_memory(const char *what, ls_err *err) {
    return ls_fail(err, LS_ENOMEM, "oss: no memory to %s", what);
}

char *ls_oss_key(const ls_oss *oss, const ls_ltx_info *file) {
    char name[LS_LTX_NAME_SIZE];
    return ls_asprintf("%s/%04x/%s", oss->path, (unsigned)file->level,
                       ls_ltx_name_format(file->min_txid, file->max_txid, name));
}

/* ---- listing ---- */

typedef ls_code (*object_fn)(void *arg, const char *key, uint64_t size, int64_t modified_ms,
                             ls_err *err);

typedef struct listing {
    char *key;
    uint64_t size;
    int64_t modified_ms;
    char *token; /* of the next page; NULL: it was the last */
    object_fn fn;
    void *arg;
} listing;

/* Keys and tokens are encoded, as we ask for: XML cannot hold every character. */
static ls_code keep(char **to, const char *text, ls_err *err) {
    free(*to);
    *to = NULL;
    return ls_url_decode(text, strlen(text), true, to, err);
}

static ls_code element(void *arg, const char *path, const char *text, ls_err *err) {
    static const char contents[] = "ListBucketResult/Contents";
    listing *l = arg;
    ls_err ignored = LS_ERR_INIT;
    if (strcmp(path, "ListBucketResult/NextContinuationToken") == 0) {
        return text[0] != '\0' ? keep(&l->token, text, err) : LS_OK;
    }
    if (strncmp(path, contents, strlen(contents)) != 0) {
        return LS_OK;
    }
    path += strlen(contents);
    if (strcmp(path, "/Key") == 0) {
        return keep(&l->key, text, err);
    }
    if (strcmp(path, "/Size") == 0) {
        l->size = strtoull(text, NULL, 10);
    } else if (strcmp(path, "/LastModified") == 0) {
        l->modified_ms = 0;
        (void)!ls_time_parse(text, &l->modified_ms, &ignored);
    } else if (path[0] == '\0' && l->key != NULL) {
        return l->fn(l->arg, l->key, l->size, l->modified_ms, err);
    }
    return LS_OK;
}

/* One page of the keys that begin with prefix; after "": from the first on. */
static ls_code ask_page(ls_oss *oss, const char *prefix, const char *after, const char *token,
                        listing *l, ls_err *err) {
    char *p = ls_http_encode(prefix, false);
    char *a = ls_http_encode(token[0] != '\0' ? token : after, false);
    const char *how = token[0] != '\0' ? "&continuation-token=" : "&start-after=";
    char *query = p != NULL && a != NULL
                      ? ls_asprintf("list-type=2&encoding-type=url&max-keys=%d&prefix=%s%s%s", PAGE,
                                    p, a[0] != '\0' ? how : "", a)
                      : NULL;
    free(a);
    free(p);
    if (query == NULL) {
        return no_memory("list", err);
    }
    ls_oss_call c;
    ls_code code = ls_oss_call_init(&c, oss, "GET", NULL, query, err);
    free(query);
    if (code == LS_OK) {
        code = ls_oss_do(&c, err);
    }
    if (code == LS_OK && c.a.status != 200) {
        code = ls_oss_refused(&c, "list", prefix, err);
        if (code == LS_ENOTFOUND) {
            err->code = code = LS_EREMOTE;
        }
    } else if (code == LS_OK) {
        code = ls_xml_read(c.a.body != NULL ? c.a.body : "", c.a.body_len, element, l, err);
        code = code == LS_OK ? LS_OK : ls_wrap(err, "oss: list %s", prefix);
    }
    ls_oss_call_done(&c);
    free(l->key);
    l->key = NULL;
    return code;
}

typedef struct level_page {
    ls_page *into;
    const char *prefix;
} level_page;

static ls_code add_file(void *arg, const char *key, uint64_t size, int64_t modified_ms,
                        ls_err *err) {
    const level_page *p = arg;
    const size_t len = strlen(p->prefix);
    return strncmp(key, p->prefix, len) == 0
               ? ls_page_add(p->into, key + len, size, modified_ms, err)
               : LS_OK;
}

static ls_code fetch_page(ls_page *into, const char *token, ls_err *err) {
    ls_oss *oss = of(ls_page_storage(into));
    char *prefix = ls_asprintf("%s/%04x/", oss->path, (unsigned)ls_page_level(into));
    char *after = prefix == NULL ? NULL
                  : ls_page_seek(into) > 0
                      ? ls_asprintf("%s%016" PRIx64, prefix, ls_page_seek(into))
                      : strdup("");
    level_page page = {.into = into, .prefix = prefix};
    listing l = {.fn = add_file, .arg = &page};
    ls_code code =
        after != NULL ? ask_page(oss, prefix, after, token, &l, err) : no_memory("list", err);
    if (code == LS_OK && l.token != NULL) {
        code = ls_page_more(into, l.token, err);
    }
    free(l.token);
    free(after);
    free(prefix);
    return code;
}

static ls_code oss_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it, ls_err *err) {
    const ls_page_source source = {.s = s, .fetch = fetch_page};
    return ls_paged_list(&source, level, seek, it, err);
}

/* ---- reading ---- */

/* Without the second header the service gives all where a range begins behind the end. */
static ls_code set_range(ls_http_request *r, uint64_t off, uint64_t len, ls_err *err) {
    ls_code code = LS_OK;
    if (off == 0 && len == 0) {
        return LS_OK;
    }
    if (len == 0 || off > INT64_MAX || len > INT64_MAX - off) {
        code = ls_http_set_header(r, "Range", err, "bytes=%llu-", (unsigned long long)off);
    } else {
        code = ls_http_set_header(r, "Range", err, "bytes=%llu-%llu", (unsigned long long)off,
                                  (unsigned long long)(off + len - 1));
    }
    return code == LS_OK ? ls_http_set_header(r, "x-oss-range-behavior", err, "standard") : code;
}

static ls_code open_key(ls_oss *oss, const char *key, uint64_t off, uint64_t len, ls_reader **r,
                        ls_err *err) {
    ls_oss_call c;
    ls_code code = ls_oss_call_init(&c, oss, "GET", key, "", err);
    if (code == LS_OK) {
        code = set_range(&c.r, off, len, err);
    }
    if (code == LS_OK) {
        code = ls_oss_open(&c, r, err);
    }
    if (code == LS_OK && *r == NULL && c.a.status == 416) {
        *r = ls_mem_reader_new("", 0); /* the range begins behind the end */
        code = *r != NULL ? LS_OK : no_memory("read", err);
    } else if (code == LS_OK && *r == NULL) {
        code = ls_oss_refused(&c, "get object", key, err);
    }
    ls_oss_call_done(&c);
    return code;
}

static ls_code oss_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                        ls_reader **r, ls_err *err) {
    char *key = ls_oss_key(of(s), file);
    ls_code code = key != NULL ? open_key(of(s), key, off, len, r, err) : no_memory("read", err);
    free(key);
    return code;
}

/* A replica that was copied without its metadata has no better time than that of the upload. */
static ls_code oss_exact(ls_storage *s, ls_ltx_info *file, ls_err *err) {
    uint64_t crc;
    ls_ltx_info seen;
    char *key = ls_oss_key(of(s), file);
    ls_code code = key != NULL ? ls_oss_head(of(s), key, &seen, &crc, err) : no_memory("look", err);
    if (code == LS_OK) {
        file->created_ms = seen.created_ms;
    }
    free(key);
    return code;
}

/* ---- copying ---- */

static ls_code copy_key(ls_oss *oss, const char *from, const char *to, bool exclusive,
                        ls_err *err) {
    ls_oss_call c;
    char *encoded = ls_http_encode(from, true);
    if (encoded == NULL) {
        return no_memory("copy", err);
    }
    ls_code code = ls_oss_call_init(&c, oss, "PUT", to, "", err);
    if (code == LS_OK) {
        code = ls_http_set_header(&c.r, "x-oss-copy-source", err, "/%s/%s", oss->bucket, encoded);
    }
    if (code == LS_OK && exclusive) {
        code = ls_http_set_header(&c.r, "x-oss-forbid-overwrite", err, "true");
    }
    if (code == LS_OK) {
        c.r.body = "";
        code = ls_oss_do(&c, err);
    }
    if (code == LS_OK && c.a.status != 200) {
        code = ls_oss_refused(&c, "copy", from, err);
    }
    ls_oss_call_done(&c);
    free(encoded);
    return code;
}

static ls_code oss_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                        bool exclusive, ls_ltx_info *out, ls_err *err) {
    ls_oss *oss = of(s);
    uint64_t crc;
    char *source = ls_oss_key(oss, from);
    char *target = ls_oss_key(oss, to);
    ls_code code = source != NULL && target != NULL ? copy_key(oss, source, target, exclusive, err)
                                                    : no_memory("copy", err);
    *out = *to;
    if (code == LS_OK) {
        code = ls_oss_head(oss, target, out, &crc, err);
    }
    free(target);
    free(source);
    return code;
}

/* ---- deleting ---- */

static ls_code add_text(ls_buf *body, const char *text, ls_err *err) {
    ls_code code = LS_OK;
    for (const char *p = text; *p != '\0' && code == LS_OK; p++) {
        unsigned char c = (unsigned char)*p;
        code = c == '&' || c == '<' || c == '>' || c < 0x20 ? ls_buf_addf(body, err, "&#%u;", c)
                                                            : ls_buf_add(body, p, 1, err);
    }
    return code;
}

/* Quiet: only what could not be deleted is answered. */
static ls_code make_body(const ls_oss *oss, const ls_ltx_info *files, size_t n, ls_buf *body,
                         ls_err *err) {
    ls_code code = ls_buf_addf(body, err, "<Delete><Quiet>true</Quiet>");
    for (size_t i = 0; i < n && code == LS_OK; i++) {
        char *key = ls_oss_key(oss, &files[i]);
        code = key != NULL ? ls_buf_addf(body, err, "<Object><Key>") : no_memory("delete", err);
        if (code == LS_OK) {
            code = add_text(body, key, err);
        }
        if (code == LS_OK) {
            code = ls_buf_addf(body, err, "</Key></Object>");
        }
        free(key);
    }
    return code == LS_OK ? ls_buf_addf(body, err, "</Delete>") : code;
}

/* The service answers 200 and names there what it did not delete. */
static ls_code failed_one(void *arg, const char *path, const char *text, ls_err *err) {
    (void)arg;
    if (strcmp(path, "DeleteResult/Error/Key") == 0) {
        return ls_fail(err, LS_EREMOTE, "oss: could not delete %.500s", text);
    }
    return LS_OK;
}

static ls_code delete_batch(ls_oss *oss, const ls_buf *body, ls_err *err) {
    ls_oss_call c;
    char md5[LS_MD5_BASE64_SIZE];
    ls_code code = ls_oss_call_init(&c, oss, "POST", NULL, "delete", err);
    if (code == LS_OK) {
        c.r.body = ls_buf_str(body);
        c.r.body_len = body->len;
        code = ls_md5_base64(body->data, body->len, md5, err);
    }
    if (code == LS_OK) {
        code = ls_http_set_header(&c.r, "Content-MD5", err, "%s", md5);
    }
    if (code == LS_OK) {
        code = ls_http_set_header(&c.r, "Content-Type", err, "application/xml");
    }
    if (code == LS_OK) {
        code = ls_oss_do(&c, err);
    }
    if (code == LS_OK && c.a.status != 200) {
        code = ls_oss_refused(&c, "delete", "files", err);
        if (code == LS_ENOTFOUND) {
            err->code = code = LS_EREMOTE;
        }
    } else if (code == LS_OK && c.a.body_len > 0) {
        code = ls_xml_read(c.a.body, c.a.body_len, failed_one, NULL, err);
    }
    ls_oss_call_done(&c);
    return code;
}

static ls_code oss_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    ls_buf body;
    ls_code code = LS_OK;
    ls_buf_init(&body, BATCH_BODY_MAX);
    for (size_t i = 0; i < n && code == LS_OK; i += BATCH) {
        ls_buf_clear(&body);
        code = make_body(of(s), files + i, n - i < BATCH ? n - i : BATCH, &body, err);
        if (code == LS_OK) {
            code = delete_batch(of(s), &body, err);
        }
    }
    ls_buf_done(&body);
    return code;
}

/* ---- objects of other formats ---- */

typedef struct object_walk {
    const ls_oss *oss;
    ls_object_fn fn;
    void *arg;
} object_walk;

static ls_code give_object(void *arg, const char *key, uint64_t size, int64_t modified_ms,
                           ls_err *err) {
    const object_walk *w = arg;
    const size_t len = strlen(w->oss->path) + 1;
    if (strlen(key) < len || !ls_object_key_valid(key + len)) {
        return LS_OK;
    }
    const ls_object object = {.key = key + len, .size = size, .modified_ms = modified_ms};
    return w->fn(w->arg, &object, err);
}

static ls_code oss_each_object(ls_storage *s, const char *folder, ls_object_fn fn, void *arg,
                               ls_err *err) {
    ls_oss *oss = of(s);
    object_walk walk = {.oss = oss, .fn = fn, .arg = arg};
    char *prefix = ls_asprintf("%s/%s/", oss->path, folder);
    char *token = strdup("");
    ls_code code = prefix != NULL && token != NULL ? LS_OK : no_memory("list", err);
    while (code == LS_OK && token != NULL) {
        listing l = {.fn = give_object, .arg = &walk};
        code = ask_page(oss, prefix, "", token, &l, err);
        free(token);
        token = l.token;
    }
    free(token);
    free(prefix);
    return code;
}

static ls_code oss_open_object(ls_storage *s, const char *object, uint64_t off, uint64_t len,
                               ls_reader **r, ls_err *err) {
    char *key = ls_asprintf("%s/%s", of(s)->path, object);
    ls_code code = key != NULL ? open_key(of(s), key, off, len, r, err) : no_memory("read", err);
    free(key);
    return code;
}

/* ---- making and freeing ---- */

static void secret_free(char *text) {
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
    }
    free(text);
}

static void oss_free(ls_storage *s) {
    ls_oss *oss = of(s);
    ls_http_free(oss->http);
    free(oss->keys.id);
    secret_free(oss->keys.secret);
    secret_free(oss->keys.token);
    free(oss->region);
    free(oss->base_url);
    free(oss->bucket);
    free(oss->path);
    free(oss->base.url);
    free(oss);
}

static const ls_storage_ops oss_ops = {
    .type = "oss",
    .list = oss_list,
    .open = oss_open,
    .exact = oss_exact,
    .put = ls_oss_put,
    .copy = oss_copy,
    .remove = oss_remove,
    .each_object = oss_each_object,
    .open_object = oss_open_object,
    .free = oss_free,
};

/* Keys of the settings, both of them, else of the environment. */
static ls_code take_keys(ls_oss *oss, const ls_settings *settings, ls_err *err) {
    const char *id = ls_settings_text(settings, "access-key-id", "");
    const char *secret = ls_settings_text(settings, "secret-access-key", "");
    const char *token = "";
    if (id[0] == '\0' || secret[0] == '\0') {
        id = getenv("OSS_ACCESS_KEY_ID");
        secret = getenv("OSS_ACCESS_KEY_SECRET");
        token = getenv("OSS_SESSION_TOKEN");
    }
    if (id == NULL || id[0] == '\0' || secret == NULL || secret[0] == '\0') {
        (void)ls_fail(err, LS_ECONFIG, "oss: no access key");
        return ls_hint(err, "set access-key-id and secret-access-key, or OSS_ACCESS_KEY_ID and "
                            "OSS_ACCESS_KEY_SECRET");
    }
    oss->keys.id = strdup(id);
    oss->keys.secret = strdup(secret);
    oss->keys.token = token != NULL && token[0] != '\0' ? strdup(token) : NULL;
    return oss->keys.id != NULL && oss->keys.secret != NULL ? LS_OK
                                                            : no_memory("open the store", err);
}

/* Names of hosts do not hold a bucket if they are addresses. */
static bool is_address(const char *host, size_t len) {
    char text[INET6_ADDRSTRLEN] = "";
    unsigned char addr[16];
    if (len > 0 && host[0] == '[') {
        return true;
    }
    len = strcspn(host, ":/") < len ? strcspn(host, ":/") : len;
    if (len >= sizeof text) {
        return false;
    }
    memcpy(text, host, len);
    return inet_pton(AF_INET, text, addr) == 1;
}

/* The bucket in the host's name, or in the path where the endpoint is an address. */
static char *bucket_url(const ls_settings *settings, const char *region, const char *bucket) {
    const char *given = ls_settings_text(settings, "endpoint", "");
    char *endpoint = given[0] == '\0' ? ls_asprintf("oss-%s" HOST_SUFFIX, region) : strdup(given);
    if (endpoint == NULL) {
        return NULL;
    }
    const char *host = strstr(endpoint, "://");
    host = host != NULL ? host + 3 : endpoint;
    const int scheme = (int)(host - endpoint);
    size_t len = strlen(host);
    while (len > 0 && host[len - 1] == '/') {
        len--;
    }
    char *url = is_address(host, len)
                    ? ls_asprintf("%.*s%.*s/%s", scheme > 0 ? scheme : 8,
                                  scheme > 0 ? endpoint : "https://", (int)len, host, bucket)
                    : ls_asprintf("%.*s%s.%.*s", scheme > 0 ? scheme : 8,
                                  scheme > 0 ? endpoint : "https://", bucket, (int)len, host);
    free(endpoint);
    return url;
}

static ls_code fill(ls_oss *oss, const ls_settings *settings, ls_err *err) {
    const ls_http_options options = {.no_proxy = true};
    oss->base.ops = &oss_ops;
    oss->bucket = strdup(ls_settings_text(settings, "bucket", ""));
    oss->region = strdup(ls_settings_text(settings, "region", REGION));
    oss->path = strdup(ls_settings_text(settings, "path", ""));
    oss->part_size = (size_t)ls_settings_number(settings, "part-size", LS_OSS_PART_DEFAULT);
    if (oss->bucket == NULL || oss->region == NULL || oss->path == NULL) {
        return no_memory("open the store", err);
    }
    oss->base_url = bucket_url(settings, oss->region, oss->bucket);
    oss->base.url = ls_asprintf("oss://%s/%s", oss->bucket, oss->path);
    if (oss->base_url == NULL || oss->base.url == NULL) {
        return no_memory("open the store", err);
    }
    ls_code code = ls_http_new(&options, &oss->http, err);
    return code == LS_OK ? take_keys(oss, settings, err) : code;
}

static ls_code check(const ls_settings *settings, ls_err *err) {
    const char *path = ls_settings_text(settings, "path", "");
    const int64_t part = ls_settings_number(settings, "part-size", LS_OSS_PART_DEFAULT);
    if (ls_settings_text(settings, "bucket", "")[0] == '\0') {
        (void)ls_fail(err, LS_ECONFIG, "bucket required for oss replica");
        return ls_hint(err, "write oss://BUCKET/PATH, or set bucket");
    }
    if (path[0] == '\0' || path[0] == '/') {
        (void)ls_fail(err, LS_ECONFIG, "path required for oss replica");
        return ls_hint(err,
                       "give a path that does not begin with a slash: OSS takes no names that do");
    }
    if (part < LS_OSS_PART_MIN || part > (1 << 30)) {
        return ls_fail(err, LS_ECONFIG, "oss replica: part-size must be 100KiB to 1GiB");
    }
    return LS_OK;
}

static ls_code oss_from_settings(const ls_settings *settings, const ls_perm *perm, ls_storage **s,
                                 ls_err *err) {
    (void)perm;
    ls_code code = check(settings, err);
    if (code != LS_OK) {
        return code;
    }
    ls_oss *oss = calloc(1, sizeof *oss);
    if (oss == NULL) {
        return no_memory("open the store", err);
    }
    code = fill(oss, settings, err);
    if (code != LS_OK) {
        oss_free(&oss->base);
        return code;
    }
    *s = &oss->base;
    return LS_OK;
}

/* BUCKET.oss-REGION[-internal].aliyuncs.com, or a host that is the bucket. The internal form tells
 * the region only, as in the reference. */
static ls_code take_host(const char *host, ls_settings *settings, ls_err *err) {
    const size_t len = strlen(host);
    const size_t suffix = strlen(HOST_SUFFIX);
    const char *at = strstr(host, ".oss-");
    if (at == NULL && strncmp(host, "oss-", 4) == 0) {
        at = host - 1; /* without a bucket */
    }
    if (at == NULL || len < suffix || strcmp(host + len - suffix, HOST_SUFFIX) != 0) {
        return ls_settings_default(settings, "bucket", host, err);
    }
    const char *from = at + strlen(".oss-");
    size_t n = (size_t)(host + len - suffix - from);
    const size_t internal = strlen(INTERNAL);
    if (n > internal && strncmp(from + n - internal, INTERNAL, internal) == 0) {
        n -= internal;
    }
    char *region = strndup(from, n);
    char *bucket = at > host ? strndup(host, (size_t)(at - host)) : strdup("");
    ls_code code = region != NULL && bucket != NULL
                       ? ls_settings_default(settings, "region", region, err)
                       : no_memory("read a URL", err);
    if (code == LS_OK) {
        code = ls_settings_default(settings, "bucket", bucket, err);
    }
    free(bucket);
    free(region);
    return code;
}

static ls_code oss_from_url(const ls_url *url, ls_settings *settings, ls_err *err) {
    ls_code code = take_host(url->host, settings, err);
    return code == LS_OK ? ls_settings_default(settings, "path", url->path, err) : code;
}

static const ls_setting_key oss_keys[] = {
    {.name = "path"},
    {.name = "bucket"},
    {.name = "access-key-id", .secret = true},
    {.name = "secret-access-key", .secret = true},
    {.name = "region", .query = "region"},
    {.name = "endpoint", .query = "endpoint"},
    {.name = "part-size", .query = "part-size|partSize", .type = LS_SETTING_SIZE},
    {.name = "concurrency", .type = LS_SETTING_INT},
    {0}};

const ls_store_scheme ls_oss_scheme = {
    .type = "oss",
    .schemes = "oss",
    .keys = oss_keys,
    .in_url = "bucket",
    .from_url = oss_from_url,
    .open = oss_from_settings,
};
