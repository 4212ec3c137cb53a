/*
 * Azure Blob Storage: abs://[ACCOUNT@]CONTAINER/PATH. Blobs lie as in a folder,
 * PATH/ltx/<level>/<name>, and have the LTX header's timestamp as metadata, which listings give.
 *
 * The service lists by prefix alone, so that a level is listed whole and what comes before the
 * wanted TXID is passed over here.
 */
#include "backends/abs.h"

#include "backends/digest.h"
#include "backends/fanout.h"
#include "backends/names.h"
#include "backends/paged.h"
#include "backends/schemes.h"
#include "backends/xml.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define KEY_MAX 512 /* bytes of an account's key */
#define COPY_POLLS 600
#define COPY_PAUSE (200 * LS_MS)

static ls_abs *of(ls_storage *s) { return (ls_abs *)s; }

static ls_code no_memory(const char *what, ls_err *err) {
    return ls_fail(err, LS_ENOMEM, "abs: no memory to %s", what);
}

char *ls_abs_name(const ls_abs *abs, const ls_ltx_info *file) {
    char key[LS_STORAGE_KEY_SIZE];
    return ls_asprintf("%s%s", abs->root, ls_storage_key(file, key));
}

/* ---- listing ---- */

/* A blob of a listing as its elements come. */
typedef struct blob {
    char *name;
    uint64_t size;
    int64_t created_ms, stamp_ms;
    bool stamped;
} blob;

typedef ls_code (*blob_fn)(void *arg, const blob *b, ls_err *err);

typedef struct listing {
    blob now;
    blob_fn fn;
    void *arg;
    char *marker; /* of the next page; NULL: it was the last */
} listing;

static ls_code keep(char **to, const char *text, ls_err *err) {
    free(*to);
    *to = strdup(text);
    return *to != NULL ? LS_OK : no_memory("list", err);
}

static ls_code element(void *arg, const char *path, const char *text, ls_err *err) {
    static const char in_blob[] = "EnumerationResults/Blobs/Blob";
    listing *l = arg;
    ls_err ignored = LS_ERR_INIT;
    if (strcmp(path, "EnumerationResults/NextMarker") == 0) {
        return text[0] != '\0' ? keep(&l->marker, text, err) : LS_OK;
    }
    if (strncmp(path, in_blob, strlen(in_blob)) != 0) {
        return LS_OK;
    }
    path += strlen(in_blob);
    if (strcmp(path, "/Name") == 0) {
        return keep(&l->now.name, text, err);
    }
    if (strcmp(path, "/Properties/Content-Length") == 0) {
        l->now.size = strtoull(text, NULL, 10);
    } else if (strcmp(path, "/Properties/Creation-Time") == 0) {
        l->now.created_ms = (int64_t)curl_getdate(text, NULL) * 1000;
    } else if (strcmp(path, "/Metadata/litestreamtimestamp") == 0) {
        l->now.stamped = ls_time_parse(text, &l->now.stamp_ms, &ignored) == LS_OK;
    } else if (path[0] == '\0') {
        ls_code code = l->now.name != NULL ? l->fn(l->arg, &l->now, err) : LS_OK;
        free(l->now.name);
        l->now = (blob){0};
        return code;
    }
    return LS_OK;
}

/* Asks for the page behind marker of the names that begin with prefix. */
static ls_code ask_page(ls_abs *abs, const char *prefix, const char *marker, listing *l,
                        ls_err *err) {
    char *p = ls_http_encode(prefix, false);
    char *m = ls_http_encode(marker, false);
    char *query = p != NULL && m != NULL
                      ? ls_asprintf("restype=container&comp=list&include=metadata&prefix=%s%s%s", p,
                                    m[0] != '\0' ? "&marker=" : "", m)
                      : NULL;
    free(p);
    free(m);
    if (query == NULL) {
        return no_memory("list", err);
    }
    ls_abs_call c;
    ls_code code = ls_abs_call_init(&c, abs, "GET", NULL, query, err);
    free(query);
    if (code == LS_OK) {
        code = ls_abs_do(&c, err);
    }
    if (code == LS_OK && c.a.status != 200) {
        code = ls_abs_refused(&c, "list", prefix, err);
        if (code == LS_ENOTFOUND) {
            err->code = code = LS_EREMOTE;
        }
    } else if (code == LS_OK) {
        code = ls_xml_read(c.a.body != NULL ? c.a.body : "", c.a.body_len, element, l, err);
        code = code == LS_OK ? LS_OK : ls_wrap(err, "abs: list %s", prefix);
    }
    ls_abs_call_done(&c);
    free(l->now.name);
    l->now.name = NULL;
    return code;
}

typedef struct level_page {
    ls_page *into;
    const char *prefix;
} level_page;

static int64_t time_of(const blob *b) { return b->stamped ? b->stamp_ms : b->created_ms; }

static ls_code add_blob(void *arg, const blob *b, ls_err *err) {
    const level_page *p = arg;
    const size_t len = strlen(p->prefix);
    return strncmp(b->name, p->prefix, len) == 0
               ? ls_page_add(p->into, b->name + len, b->size, time_of(b), err)
               : LS_OK;
}

static ls_code fetch_page(ls_page *into, const char *token, ls_err *err) {
    ls_abs *abs = of(ls_page_storage(into));
    char *prefix = ls_asprintf("%sltx/%d/", abs->root, ls_page_level(into));
    if (prefix == NULL) {
        return no_memory("list", err);
    }
    level_page page = {.into = into, .prefix = prefix};
    listing l = {.fn = add_blob, .arg = &page};
    ls_code code = ask_page(abs, prefix, token, &l, err);
    if (code == LS_OK && l.marker != NULL) {
        code = ls_page_more(into, l.marker, err);
    }
    free(l.marker);
    free(prefix);
    return code;
}

static ls_code abs_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it, ls_err *err) {
    const ls_page_source source = {.s = s, .fetch = fetch_page};
    return ls_paged_list(&source, level, seek, it, err);
}

/* ---- reading ---- */

static ls_code set_range(ls_http_request *r, uint64_t off, uint64_t len, ls_err *err) {
    if (off == 0 && len == 0) {
        return LS_OK;
    }
    if (len == 0 || off > INT64_MAX || len > INT64_MAX - off) {
        return ls_http_set_header(r, "x-ms-range", err, "bytes=%llu-", (unsigned long long)off);
    }
    return ls_http_set_header(r, "x-ms-range", err, "bytes=%llu-%llu", (unsigned long long)off,
                              (unsigned long long)(off + len - 1));
}

static ls_code open_name(ls_abs *abs, const char *name, uint64_t off, uint64_t len, ls_reader **r,
                         ls_err *err) {
    ls_abs_call c;
    ls_code code = ls_abs_call_init(&c, abs, "GET", name, "", err);
    if (code == LS_OK) {
        code = set_range(&c.r, off, len, err);
    }
    if (code == LS_OK) {
        code = ls_abs_open(&c, r, err);
    }
    if (code == LS_OK && *r == NULL && c.a.status == 416) {
        *r = ls_mem_reader_new("", 0); /* the range begins behind the end */
        code = *r != NULL ? LS_OK : no_memory("read", err);
    } else if (code == LS_OK && *r == NULL) {
        code = ls_abs_refused(&c, "get blob", name, err);
    }
    ls_abs_call_done(&c);
    return code;
}

static ls_code abs_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                        ls_reader **r, ls_err *err) {
    char *name = ls_abs_name(of(s), file);
    ls_code code = name != NULL ? open_name(of(s), name, off, len, r, err) : no_memory("read", err);
    free(name);
    return code;
}

/* ---- copying ---- */

/* Size and time of a blob, and how a copy to it goes on; *status "" where none does. */
static ls_code look_at(ls_abs *abs, const char *name, ls_ltx_info *file, char *status, size_t size,
                       ls_err *err) {
    ls_abs_call c;
    ls_code code = ls_abs_call_init(&c, abs, "HEAD", name, "", err);
    if (code == LS_OK) {
        code = ls_abs_do(&c, err);
    }
    if (code == LS_OK && (c.a.status != 200 || !ls_abs_describes(&c.a, file))) {
        code = ls_abs_refused(&c, "look at", name, err);
    }
    const char *text = ls_http_header_of(c.a.headers, c.a.n_headers, "x-ms-copy-status");
    (void)snprintf(status, size, "%s", code == LS_OK && text != NULL ? text : "");
    ls_abs_call_done(&c);
    return code;
}

/* Within one account a copy is nearly always done at once; the service does not promise it. */
static ls_code await_copy(ls_abs *abs, const char *name, ls_ltx_info *out, ls_err *err) {
    char status[32];
    for (int i = 0; i < COPY_POLLS; i++) {
        ls_code code = look_at(abs, name, out, status, sizeof status, err);
        if (code != LS_OK || status[0] == '\0' || strcmp(status, "success") == 0) {
            return code;
        }
        if (strcmp(status, "pending") != 0) {
            return ls_fail(err, LS_EREMOTE, "abs: copy to %s: %s", name, status);
        }
        (void)ls_pause(COPY_PAUSE, NULL);
    }
    return ls_fail(err, LS_ETIMEDOUT, "abs: copy to %s does not end", name);
}

static ls_code start_copy(ls_abs *abs, const char *from, const char *to, bool exclusive,
                          ls_err *err) {
    ls_abs_call source;
    ls_abs_call c;
    ls_code code = ls_abs_call_init(&source, abs, "GET", from, "", err);
    if (code != LS_OK) {
        ls_abs_call_done(&source);
        return code;
    }
    code = ls_abs_call_init(&c, abs, "PUT", to, "", err);
    if (code == LS_OK) {
        code = ls_http_set_header(&c.r, "x-ms-copy-source", err, "%s", source.r.url);
    }
    if (code == LS_OK && exclusive) {
        code = ls_http_set_header(&c.r, "If-None-Match", err, "*");
    }
    if (code == LS_OK) {
        c.r.body = "";
        code = ls_abs_do(&c, err);
    }
    if (code == LS_OK && c.a.status != 202 && c.a.status != 201) {
        code = ls_abs_refused(&c, "copy", from, err);
    }
    ls_abs_call_done(&c);
    ls_abs_call_done(&source);
    return code;
}

static ls_code abs_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                        bool exclusive, ls_ltx_info *out, ls_err *err) {
    ls_abs *abs = of(s);
    char *source = ls_abs_name(abs, from);
    char *target = ls_abs_name(abs, to);
    ls_code code = source != NULL && target != NULL
                       ? start_copy(abs, source, target, exclusive, err)
                       : no_memory("copy", err);
    *out = *to;
    if (code == LS_OK) {
        code = await_copy(abs, target, out, err);
    }
    free(target);
    free(source);
    return code;
}

/* ---- deleting ---- */

static ls_code remove_one(ls_storage *s, const ls_ltx_info *file, ls_err *err) {
    ls_abs_call c;
    char *name = ls_abs_name(of(s), file);
    if (name == NULL) {
        return no_memory("delete", err);
    }
    ls_code code = ls_abs_call_init(&c, of(s), "DELETE", name, "", err);
    if (code == LS_OK) {
        code = ls_abs_do(&c, err);
    }
    if (code == LS_OK && c.a.status >= 300) {
        code = ls_abs_refused(&c, "delete", name, err);
        if (code == LS_ENOTFOUND) {
            ls_err_clear(err);
            code = LS_OK;
        }
    }
    ls_abs_call_done(&c);
    free(name);
    return code;
}

static ls_code abs_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    return ls_fanout_remove(s, files, n, remove_one, err);
}

/* ---- objects of other formats ---- */

typedef struct object_walk {
    const ls_abs *abs;
    ls_object_fn fn;
    void *arg;
} object_walk;

static ls_code give_object(void *arg, const blob *b, ls_err *err) {
    const object_walk *w = arg;
    const size_t len = strlen(w->abs->root);
    if (strncmp(b->name, w->abs->root, len) != 0 || !ls_object_key_valid(b->name + len)) {
        return LS_OK;
    }
    const ls_object object = {.key = b->name + len, .size = b->size, .modified_ms = time_of(b)};
    return w->fn(w->arg, &object, err);
}

static ls_code abs_each_object(ls_storage *s, const char *folder, ls_object_fn fn, void *arg,
                               ls_err *err) {
    ls_abs *abs = of(s);
    object_walk walk = {.abs = abs, .fn = fn, .arg = arg};
    char *prefix = ls_asprintf("%s%s/", abs->root, folder);
    char *marker = strdup("");
    ls_code code = prefix != NULL && marker != NULL ? LS_OK : no_memory("list", err);
    while (code == LS_OK && marker != NULL) {
        listing l = {.fn = give_object, .arg = &walk};
        code = ask_page(abs, prefix, marker, &l, err);
        free(marker);
        marker = l.marker;
    }
    free(marker);
    free(prefix);
    return code;
}

static ls_code abs_open_object(ls_storage *s, const char *key, uint64_t off, uint64_t len,
                               ls_reader **r, ls_err *err) {
    char *name = ls_asprintf("%s%s", of(s)->root, key);
    ls_code code = name != NULL ? open_name(of(s), name, off, len, r, err) : no_memory("read", err);
    free(name);
    return code;
}

/* ---- making and freeing ---- */

static void abs_free(ls_storage *s) {
    ls_abs *abs = of(s);
    ls_azure_free(abs->azure);
    ls_http_free(abs->http);
    if (abs->key != NULL) {
        explicit_bzero(abs->key, abs->key_len);
    }
    if (abs->sas != NULL) {
        explicit_bzero(abs->sas, strlen(abs->sas));
    }
    free(abs->key);
    free(abs->sas);
    free(abs->account);
    free(abs->endpoint);
    free(abs->container);
    free(abs->root);
    free(abs->base.url);
    free(abs);
}

static const ls_storage_ops abs_ops = {
    .type = "abs",
    .list = abs_list,
    .open = abs_open,
    .put = ls_abs_put,
    .copy = abs_copy,
    .remove = abs_remove,
    .each_object = abs_each_object,
    .open_object = abs_open_object,
    .free = abs_free,
};

/* A setting, else a variable of the environment; "" is none. */
static const char *setting_or_env(const ls_settings *settings, const char *key, const char *name) {
    const char *text = ls_settings_text(settings, key, "");
    const char *other = getenv(name);
    return text[0] != '\0' ? text : other != NULL ? other : "";
}

static ls_code take_key(ls_abs *abs, const char *text, ls_err *err) {
    abs->key = malloc(KEY_MAX);
    if (abs->key == NULL) {
        return no_memory("open the store", err);
    }
    if (ls_base64_decode(text, abs->key, KEY_MAX, &abs->key_len) != LS_OK) {
        (void)ls_fail(err, LS_ECONFIG, "abs: account-key is not base64");
        return ls_hint(err, "copy the key from the account's access keys");
    }
    return LS_OK;
}

/* SAS token, else key, else what the environment of the program offers. */
static ls_code take_credentials(ls_abs *abs, const ls_settings *settings, ls_err *err) {
    const char *sas = setting_or_env(settings, "sas-token", "LITESTREAM_AZURE_SAS_TOKEN");
    const char *key = setting_or_env(settings, "account-key", "LITESTREAM_AZURE_ACCOUNT_KEY");
    if (sas[0] != '\0') {
        abs->sas = strdup(sas + (sas[0] == '?'));
        return abs->sas != NULL ? LS_OK : no_memory("open the store", err);
    }
    if (key[0] != '\0' && abs->account[0] != '\0') {
        return take_key(abs, key, err);
    }
    return ls_azure_new(&abs->azure, err);
}

static char *endpoint_of(const ls_settings *settings, const char *account) {
    const char *text = ls_settings_text(settings, "endpoint", "");
    char *endpoint = text[0] == '\0'
                         ? ls_asprintf("https://%s.blob.core.windows.net", account)
                         : ls_asprintf("%s%s", strstr(text, "://") != NULL ? "" : "https://", text);
    while (endpoint != NULL && endpoint[0] != '\0' && endpoint[strlen(endpoint) - 1] == '/') {
        endpoint[strlen(endpoint) - 1] = '\0';
    }
    return endpoint;
}

static ls_code fill(ls_abs *abs, const ls_settings *settings, ls_err *err) {
    const ls_http_options options = {0};
    const char *container = ls_settings_text(settings, "bucket", "");
    abs->base.ops = &abs_ops;
    abs->account = strdup(ls_settings_text(settings, "account-name", ""));
    abs->endpoint = abs->account != NULL ? endpoint_of(settings, abs->account) : NULL;
    abs->container = ls_http_encode(container, false);
    abs->root = ls_name_root(ls_settings_text(settings, "path", ""));
    if (abs->root != NULL && abs->account != NULL) {
        abs->base.url =
            ls_asprintf("abs://%s%s%s/%.*s", abs->account, abs->account[0] ? "@" : "", container,
                        (int)(strlen(abs->root) - (abs->root[0] != '\0')), abs->root);
    }
    if (abs->endpoint == NULL || abs->container == NULL || abs->base.url == NULL) {
        return no_memory("open the store", err);
    }
    ls_code code = ls_http_new(&options, &abs->http, err);
    return code == LS_OK ? take_credentials(abs, settings, err) : code;
}

static ls_code check(const ls_settings *settings, ls_err *err) {
    if (ls_settings_text(settings, "bucket", "")[0] == '\0') {
        (void)ls_fail(err, LS_ECONFIG, "bucket required for abs replica");
        return ls_hint(err, "write abs://ACCOUNT@CONTAINER/PATH, or set bucket");
    }
    if (ls_settings_text(settings, "account-name", "")[0] == '\0' &&
        ls_settings_text(settings, "endpoint", "")[0] == '\0') {
        (void)ls_fail(err, LS_ECONFIG, "account-name or endpoint required for abs replica");
        return ls_hint(err, "write abs://ACCOUNT@CONTAINER/PATH, or set account-name");
    }
    return LS_OK;
}

static ls_code abs_from_settings(const ls_settings *settings, const ls_perm *perm, ls_storage **s,
                                 ls_err *err) {
    (void)perm;
    ls_code code = check(settings, err);
    if (code != LS_OK) {
        return code;
    }
    ls_abs *abs = calloc(1, sizeof *abs);
    if (abs == NULL) {
        return no_memory("open the store", err);
    }
    code = fill(abs, settings, err);
    if (code != LS_OK) {
        abs_free(&abs->base);
        return code;
    }
    *s = &abs->base;
    return LS_OK;
}

static ls_code abs_from_url(const ls_url *url, ls_settings *settings, ls_err *err) {
    ls_code code = ls_settings_default(settings, "account-name", url->user, err);
    if (code == LS_OK) {
        code = ls_settings_default(settings, "bucket", url->host, err);
    }
    return code == LS_OK ? ls_settings_default(settings, "path", url->path, err) : code;
}

static const ls_setting_key abs_keys[] = {{.name = "path"},
                                          {.name = "bucket"},
                                          {.name = "account-name"},
                                          {.name = "account-key", .secret = true},
                                          {.name = "sas-token", .secret = true},
                                          {.name = "endpoint", .query = "endpoint"},
                                          {0}};

const ls_store_scheme ls_abs_scheme = {
    .type = "abs",
    .schemes = "abs",
    .keys = abs_keys,
    .in_url = "bucket",
    .from_url = abs_from_url,
    .open = abs_from_settings,
};
