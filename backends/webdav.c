/*
 * The WebDAV store: URL/PATH/ltx/<level>/<min>-<max>.ltx on a server. webdav_list.c reads listings,
 * webdav_put.c writes.
 *
 * Times of a listing are those of the upload, in seconds: the protocol has no others. Where a
 * moment counts, the files' headers are read. A server is first asked without login; one that wants
 * Basic gets it with each request from then on, one that wants Digest by way of libcurl. What is
 * not answered with the part of a file that was asked for is read from its start.
 */
#include "backends/webdav.h"

#include "backends/digest.h"
#include "backends/head.h"
#include "backends/schemes.h"
#include "engine/base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LIST_TRIES 3
#define PROPS                                                                                      \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><D:propfind xmlns:D=\"DAV:\"><D:prop>"              \
    "<D:resourcetype/><D:getcontentlength/><D:getlastmodified/></D:prop></D:propfind>"

/* ---- calls ---- */

ls_code ls_dav_init(ls_dav_call *c, const char *method, const char *url, ls_err *err) {
    *c = (ls_dav_call){0};
    ls_http_request_init(&c->r, method);
    return ls_http_set_url(&c->r, err, "%s", url);
}

void ls_dav_done(ls_dav_call *c) {
    ls_http_answer_done(&c->a);
    ls_http_request_done(&c->r);
}

static ls_code sign_basic(void *arg, ls_http_request *r, ls_err *err) {
    return ls_http_set_header(r, "Authorization", err, "%s", ((ls_dav *)arg)->basic);
}

static ls_code send_once(ls_dav *dav, ls_dav_auth auth, ls_dav_call *c, ls_reader **body,
                         ls_err *err) {
    const ls_http_hooks hooks = {.sign = auth == LS_DAV_BASIC ? sign_basic : NULL, .arg = dav};
    ls_http *http = auth == LS_DAV_DIGEST ? dav->digest : dav->plain;
    return body != NULL ? ls_http_open(http, &c->r, &hooks, &c->a, body, err)
                        : ls_http_do(http, &c->r, &hooks, &c->a, err);
}

/* Which login a server wants that has refused a request without any. */
static ls_dav_auth wanted_login(const ls_http_answer *a) {
    for (size_t i = 0; i < a->n_headers; i++) {
        if (strcasecmp(a->headers[i].name, "WWW-Authenticate") == 0 &&
            strcasestr(a->headers[i].value, "digest") != NULL) {
            return LS_DAV_DIGEST;
        }
    }
    return LS_DAV_BASIC;
}

ls_code ls_dav_send(ls_dav *dav, ls_dav_call *c, ls_reader **body, ls_err *err) {
    ls_dav_auth auth = (ls_dav_auth)atomic_load(&dav->auth);
    ls_code code = send_once(dav, auth, c, body, err);
    if (code == LS_OK && c->a.status == 401 && auth == LS_DAV_NONE && dav->basic != NULL) {
        auth = wanted_login(&c->a);
        atomic_store(&dav->auth, auth);
        ls_http_answer_done(&c->a);
        c->a = (ls_http_answer){0};
        code = send_once(dav, auth, c, body, err);
    }
    return code;
}

static ls_code hint_status(const ls_dav *dav, int status, ls_err *err) {
    switch (status) {
    case 401:
        return ls_hint(err, dav->user != NULL ? "check webdav-username and webdav-password"
                                              : "set webdav-username and webdav-password");
    case 403:
        return ls_hint(err, "the server does not allow this to the user: check its configuration");
    case 405:
    case 501:
        return ls_hint(err, "is WebDAV enabled at this URL?");
    case 413:
        return ls_hint(err, "raise the server's limit for uploads");
    case 507:
        return ls_hint(err, "the server's disk is full");
    default:
        return ls_hint(err, "look at the server's log");
    }
}

ls_code ls_dav_fail(const ls_dav *dav, const ls_dav_call *c, const char *what, ls_err *err) {
    ls_code code = LS_EREMOTE;
    if (c->a.status == 404 || c->a.status == 410) {
        code = LS_ENOTFOUND;
    } else if (c->a.status == 401 || c->a.status == 403) {
        code = LS_EPERM;
    } else if (c->a.status == 412) {
        code = LS_EEXISTS;
    }
    ls_fail(err, code, "webdav: %s %s: the server answers %d to %s", what, c->r.url, c->a.status,
            c->r.method);
    return hint_status(dav, c->a.status, err);
}

ls_code ls_dav_level_url(const ls_dav *dav, int level, char **url, ls_err *err) {
    *url = ls_asprintf("%s/ltx/%d/", dav->root, level);
    return *url != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for the URL of a folder");
}

ls_code ls_dav_file_url(const ls_dav *dav, const ls_ltx_info *file, char **url, ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    *url = ls_asprintf("%s/%s", dav->root, ls_storage_key(file, key));
    return *url != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for the URL of %s", key);
}

/* ---- list ---- */

typedef struct level_source {
    ls_window_source base;
    ls_dav *dav;
    char *url;
} level_source;

static ls_code propfind(ls_dav *dav, const char *url, ls_window *w, ls_err *err) {
    ls_dav_call c;
    ls_reader *body = NULL;
    ls_code code = ls_dav_init(&c, "PROPFIND", url, err);
    c.r.body = PROPS;
    c.r.body_len = sizeof PROPS - 1;
    if (code == LS_OK) {
        code = ls_http_set_header(&c.r, "Depth", err, "1");
    }
    if (code == LS_OK) {
        code = ls_http_set_header(&c.r, "Content-Type", err, "application/xml; charset=utf-8");
    }
    if (code == LS_OK) {
        code = ls_dav_send(dav, &c, &body, err);
    }
    if (code == LS_OK && c.a.status == 207) {
        code = ls_dav_read_listing(body, w, err);
        code = code == LS_OK ? LS_OK : ls_wrap(err, "list %s", url);
    } else if (code == LS_OK && c.a.status != 404) {
        code = ls_dav_fail(dav, &c, "list", err);
    }
    ls_reader_close(body);
    ls_dav_done(&c);
    return code;
}

/* An answer that breaks off is asked for again; files that were read twice are given once. */
static ls_code scan(ls_window_source *src, ls_window *w, ls_err *err) {
    level_source *l = (level_source *)src;
    for (int tries = 1;; tries++) {
        ls_code code = propfind(l->dav, l->url, w, err);
        if (code != LS_EREMOTE || tries == LIST_TRIES) {
            return code;
        }
        ls_err_clear(err);
    }
}

static void level_free(ls_window_source *src) {
    level_source *l = (level_source *)src;
    free(l->url);
    free(l);
}

static ls_code dav_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it, ls_err *err) {
    level_source *l = calloc(1, sizeof *l);
    if (l == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to list level %d", level);
    }
    l->base = (ls_window_source){.level = level, .scan = scan, .free = level_free};
    l->dav = (ls_dav *)s;
    ls_code code = ls_dav_level_url(l->dav, level, &l->url, err);
    if (code != LS_OK) {
        free(l);
        return code;
    }
    return ls_window_list(&l->base, seek, it, err);
}

/* ---- read ---- */

/* Passes over what comes before the wanted part, and ends behind it. */
typedef struct part_reader {
    ls_reader base;
    ls_reader *in; /* NULL: there is nothing */
    uint64_t skip, left;
} part_reader;

static ls_code part_read(ls_reader *base, void *buf, size_t len, size_t *got, ls_err *err) {
    part_reader *r = (part_reader *)base;
    *got = 0;
    while (r->in != NULL && r->skip > 0) {
        char passed[4096];
        size_t want = r->skip < sizeof passed ? (size_t)r->skip : sizeof passed;
        size_t n;
        ls_code code = r->in->read(r->in, passed, want, &n, err);
        if (code != LS_OK || n == 0) {
            return code;
        }
        r->skip -= n;
    }
    size_t want = r->left < len ? (size_t)r->left : len;
    if (r->in == NULL || want == 0) {
        return LS_OK;
    }
    ls_code code = r->in->read(r->in, buf, want, got, err);
    r->left -= *got;
    return code;
}

static void part_close(ls_reader *base) {
    part_reader *r = (part_reader *)base;
    ls_reader_close(r->in);
    free(r);
}

/* The first byte of a 206, which need not be the one that was asked for. */
static uint64_t start_of(const ls_http_answer *a) {
    const char *range = ls_http_header_of(a->headers, a->n_headers, "Content-Range");
    return range != NULL && strncasecmp(range, "bytes ", 6) == 0 ? strtoull(range + 6, NULL, 10)
                                                                 : 0;
}

static ls_code set_range(ls_http_request *r, uint64_t off, uint64_t len, ls_err *err) {
    if (off == 0 && len == 0) {
        return LS_OK;
    }
    if (len == 0 || len - 1 > UINT64_MAX - off) {
        return ls_http_set_header(r, "Range", err, "bytes=%" PRIu64 "-", off);
    }
    return ls_http_set_header(r, "Range", err, "bytes=%" PRIu64 "-%" PRIu64, off, off + len - 1);
}

/* Takes over body. */
static ls_code take_part(ls_dav *dav, const ls_dav_call *c, ls_reader *body, uint64_t off,
                         uint64_t len, ls_reader **out, ls_err *err) {
    uint64_t start = c->a.status == 206 ? start_of(&c->a) : 0;
    if ((body == NULL && c->a.status != 416) || c->a.status == 207) {
        ls_reader_close(body);
        return ls_dav_fail(dav, c, "read", err);
    }
    part_reader *r = start <= off ? calloc(1, sizeof *r) : NULL;
    if (r == NULL) {
        ls_reader_close(body);
        return start > off ? ls_fail(err, LS_EREMOTE,
                                     "webdav: read %s: another part than asked for", c->r.url)
                           : ls_fail(err, LS_ENOMEM, "no memory to read %s", c->r.url);
    }
    *r = (part_reader){.base = {.read = part_read, .close = part_close},
                       .in = body,
                       .skip = off - start,
                       .left = len == 0 ? UINT64_MAX : len};
    *out = &r->base;
    return LS_OK;
}

/* Larger offsets than servers count with are past the end of any file. */
static ls_code dav_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                        ls_reader **out, ls_err *err) {
    ls_dav_call c;
    char *url;
    ls_reader *body = NULL;
    ls_code code = ls_dav_file_url((ls_dav *)s, file, &url, err);
    if (code != LS_OK) {
        return code;
    }
    uint64_t from = off < INT64_MAX ? off : INT64_MAX - 1;
    uint64_t most = INT64_MAX - from;
    code = ls_dav_init(&c, "GET", url, err);
    if (code == LS_OK) {
        code = set_range(&c.r, from, len < most ? len : 0, err);
    }
    if (code == LS_OK) {
        code = ls_dav_send((ls_dav *)s, &c, &body, err);
    }
    if (code == LS_OK) {
        code = take_part((ls_dav *)s, &c, body, from, len, out, err);
    }
    ls_dav_done(&c);
    free(url);
    return code;
}

/* ---- remove ---- */

static ls_code delete_one(ls_dav *dav, const ls_ltx_info *file, ls_err *err) {
    ls_dav_call c;
    char *url;
    ls_code code = ls_dav_file_url(dav, file, &url, err);
    if (code != LS_OK) {
        return code;
    }
    code = ls_dav_init(&c, "DELETE", url, err);
    if (code == LS_OK) {
        code = ls_dav_send(dav, &c, NULL, err);
    }
    if (code == LS_OK && (c.a.status < 200 || c.a.status > 299 || c.a.status == 207) &&
        c.a.status != 404 && c.a.status != 410) {
        code = ls_dav_fail(dav, &c, "delete", err);
    }
    ls_dav_done(&c);
    free(url);
    return code;
}

static ls_code dav_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    ls_code code = LS_OK;
    for (size_t i = 0; code == LS_OK && i < n; i++) {
        code = delete_one((ls_dav *)s, &files[i], err);
    }
    return code;
}

/* ---- making and freeing ---- */

static void free_secret(char *text) {
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

static void dav_free(ls_storage *s) {
    ls_dav *dav = (ls_dav *)s;
    ls_http_free(dav->plain);
    ls_http_free(dav->digest);
    free_secret(dav->basic);
    free(dav->root);
    free(dav->user);
    free(dav->base.url);
    free(dav);
}

static const ls_storage_ops dav_ops = {
    .type = "webdav",
    .list = dav_list,
    .open = dav_open,
    .put = ls_dav_put,
    .put_file = ls_dav_put_file,
    .copy = ls_dav_copy,
    .remove = dav_remove,
    .exact = ls_head_exact,
    .free = dav_free,
};

/* "http://host:port" of a URL, or of one of WebDAV. */
static char *origin_of(const ls_url *url) {
    bool secure = strcmp(url->scheme, "https") == 0 || strcmp(url->scheme, "webdavs") == 0;
    bool colons = strchr(url->host, ':') != NULL;
    const char *scheme = secure ? "https" : "http";
    const char *open = colons ? "[" : "";
    const char *close = colons ? "]" : "";
    return url->port != 0 ? ls_asprintf("%s://%s%s%s:%d", scheme, open, url->host, close, url->port)
                          : ls_asprintf("%s://%s%s%s", scheme, open, url->host, close);
}

static ls_code dav_from_url(const ls_url *url, ls_settings *settings, ls_err *err) {
    if (url->host[0] == '\0') {
        return ls_fail(err, LS_ECONFIG, "host required for webdav replica URL");
    }
    char *origin = origin_of(url);
    const struct {
        const char *key, *value;
    } pairs[] = {{"webdav-url", origin},
                 {"path", url->path_raw},
                 {"webdav-username", url->user},
                 {"webdav-password", url->password}};
    ls_code code =
        origin != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for a webdav replica");
    for (size_t i = 0; code == LS_OK && i < sizeof pairs / sizeof pairs[0]; i++) {
        code = ls_settings_default(settings, pairs[i].key, pairs[i].value, err);
    }
    free(origin);
    return code;
}

/* Path of the server's URL and that of the replica, cleaned and encoded, as one. */
static char *join_paths(const char *base, const char *path) {
    char *both = ls_asprintf("/%s/%s", base, path);
    char *clean = both != NULL ? ls_path_clean(both) : NULL;
    char *encoded =
        clean != NULL ? ls_http_encode(strcmp(clean, "/") == 0 ? "" : clean, true) : NULL;
    free(clean);
    free(both);
    return encoded;
}

static char *basic_of(const char *user, const char *password) {
    char *pair = ls_asprintf("%s:%s", user, password);
    size_t len = pair != NULL ? strlen(pair) : 0;
    char *text = pair != NULL ? malloc(4 * ((len + 2) / 3) + 1) : NULL;
    char *basic = NULL;
    if (text != NULL) {
        ls_base64((const uint8_t *)pair, len, text);
        basic = ls_asprintf("Basic %s", text);
    }
    free_secret(text);
    free_secret(pair);
    return basic;
}

static ls_code set_login(ls_dav *dav, const char *user, const char *password, ls_err *err) {
    ls_http_options options = {0};
    ls_code code = ls_http_new(&options, &dav->plain, err);
    if (code != LS_OK || user == NULL || user[0] == '\0') {
        return code;
    }
    dav->user = strdup(user);
    dav->basic = basic_of(user, password);
    if (dav->user == NULL || dav->basic == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a webdav replica");
    }
    options.user = user;
    options.password = password;
    return ls_http_new(&options, &dav->digest, err);
}

static ls_code take_url(ls_dav *dav, const ls_url *url, const ls_settings *settings, ls_err *err) {
    char *origin = origin_of(url);
    char *path = join_paths(url->path_raw, ls_settings_text(settings, "path", ""));
    if (origin != NULL && path != NULL) {
        dav->root = ls_asprintf("%s%s", origin, path);
    }
    /* As a replica's URL is written: webdav://, webdavs:// for https. */
    if (dav->root != NULL) {
        bool secure = strncmp(dav->root, "https:", 6) == 0;
        dav->base.url = ls_asprintf("webdav%s%s", secure ? "s" : "", strchr(dav->root, ':'));
    }
    free(origin);
    free(path);
    if (dav->base.url == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a webdav replica");
    }
    const char *user = ls_settings_text(settings, "webdav-username", url->user);
    const char *password = ls_settings_text(settings, "webdav-password", url->password);
    return set_login(dav, user, password != NULL ? password : "", err);
}

static ls_code parse_server(const char *text, ls_url *url, ls_err *err) {
    ls_code code = ls_url_parse(text, url, err);
    if (code == LS_OK && strcmp(url->scheme, "http") != 0 && strcmp(url->scheme, "https") != 0) {
        code = ls_fail(err, LS_ECONFIG, "webdav-url must begin with http:// or https://");
    } else if (code == LS_OK && url->host[0] == '\0') {
        code = ls_fail(err, LS_ECONFIG, "webdav-url has no host");
    }
    return code;
}

static ls_code dav_from_settings(const ls_settings *settings, const ls_perm *perm, ls_storage **s,
                                 ls_err *err) {
    (void)perm;
    const char *text = ls_settings_text(settings, "webdav-url", "");
    if (text[0] == '\0') {
        ls_fail(err, LS_ECONFIG, "webdav-url required for webdav replica");
        return ls_hint(err, "write webdav://HOST/PATH, or the key webdav-url");
    }
    ls_url url = {0};
    ls_dav *dav = calloc(1, sizeof *dav);
    if (dav == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a webdav replica");
    }
    dav->base.ops = &dav_ops;
    ls_code code = parse_server(text, &url, err);
    if (code == LS_OK) {
        code = take_url(dav, &url, settings, err);
    }
    ls_url_done(&url);
    if (code != LS_OK) {
        dav_free(&dav->base);
        return code;
    }
    *s = &dav->base;
    return LS_OK;
}

static const ls_setting_key dav_keys[] = {{.name = "path"},
                                          {.name = "webdav-url"},
                                          {.name = "webdav-username"},
                                          {.name = "webdav-password", .secret = true},
                                          {0}};

const ls_store_scheme ls_webdav_scheme = {
    .type = "webdav",
    .schemes = "webdav|webdavs",
    .keys = dav_keys,
    .in_url = "webdav-url",
    .from_url = dav_from_url,
    .open = dav_from_settings,
};
