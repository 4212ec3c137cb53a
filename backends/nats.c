/*
 * The NATS store: objects PATH/ltx/<level>/<min>-<max>.ltx of a bucket of a JetStream object store.
 *
 * A file's bytes are put into a temporary file first, so that a put that breaks off can be done
 * again. A listing goes over the whole bucket, since the server knows names only encoded. What is
 * asked while the server is away is tried again for some time, on the connection that the library
 * makes anew.
 */
#include "backends/http.h"
#include "backends/nats_object.h"
#include "backends/schemes.h"
#include "backends/spool.h"
#include "backends/window.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 5
#define RETRY_FOR (20 * LS_SEC) /* a server that does not answer is not waited for again */
#define CAS_MAX 16
#define DEFAULT_URL "127.0.0.1:4222"

typedef struct nats_store {
    ls_storage base;
    ls_nats_login login; /* its texts are owned */
    char *cas[CAS_MAX + 1];
    char *path; /* "" or with a slash behind */
    pthread_mutex_t lock;
    ls_nats_bucket *bucket; /* under lock; NULL: not connected */
} nats_store;

/* ---- jobs ---- */

/* The bucket, connected; held for the caller. Other threads wait while one connects. */
static ls_code take(nats_store *st, ls_nats_bucket **b, ls_err *err) {
    ls_code code = LS_OK;
    (void)pthread_mutex_lock(&st->lock);
    if (st->bucket != NULL && !ls_nats_bucket_ready(st->bucket)) {
        ls_nats_bucket_release(st->bucket);
        st->bucket = NULL;
    }
    if (st->bucket == NULL) {
        code = ls_nats_bucket_open(&st->login, &st->bucket, err);
    }
    *b = st->bucket;
    if (code == LS_OK) {
        ls_nats_bucket_hold(*b);
    }
    (void)pthread_mutex_unlock(&st->lock);
    return code;
}

/* Does a job that can be done again from its start. */
typedef ls_code (*job_fn)(ls_nats_bucket *b, void *arg, ls_err *err);
static ls_code run(nats_store *st, job_fn job, void *arg, ls_err *err) {
    int64_t end = ls_mono_ns(&ls_clock_system) + RETRY_FOR;
    for (unsigned tries = 1;; tries++) {
        ls_nats_bucket *b = NULL;
        ls_code code = take(st, &b, err);
        if (code == LS_OK) {
            code = job(b, arg, err);
            ls_nats_bucket_release(b);
        }
        if (code != LS_EREMOTE || tries == TRIES || ls_mono_ns(&ls_clock_system) > end) {
            return code;
        }
        ls_err_clear(err);
        (void)ls_pause(ls_retry_pause_ns(tries - 1), NULL);
    }
}

static ls_code object_name(const nats_store *st, const ls_ltx_info *file, char **name,
                           ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    *name = ls_asprintf("%s%s", st->path, ls_storage_key(file, key));
    return *name != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for the name of %s", key);
}

/* ---- list ---- */

typedef struct level_source {
    ls_window_source base;
    nats_store *st;
    char *prefix;
    ls_window *w;
} level_source;

static ls_code add_object(void *arg, const ls_nats_info *info, ls_err *err) {
    level_source *l = arg;
    size_t len = strlen(l->prefix);
    return strncmp(info->name, l->prefix, len) == 0
               ? ls_window_add(l->w, info->name + len, info->size, info->created_ms, err)
               : LS_OK;
}

static ls_code list_job(ls_nats_bucket *b, void *arg, ls_err *err) {
    return ls_nats_each(b, add_object, arg, err);
}

static ls_code scan(ls_window_source *src, ls_window *w, ls_err *err) {
    level_source *l = (level_source *)src;
    l->w = w;
    return run(l->st, list_job, l, err);
}

static void level_free(ls_window_source *src) {
    level_source *l = (level_source *)src;
    free(l->prefix);
    free(l);
}

static ls_code nats_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it,
                         ls_err *err) {
    level_source *l = calloc(1, sizeof *l);
    char *prefix = ls_asprintf("%sltx/%d/", ((nats_store *)s)->path, level);
    if (l == NULL || prefix == NULL) {
        free(l);
        free(prefix);
        return ls_fail(err, LS_ENOMEM, "no memory to list level %d", level);
    }
    l->base = (ls_window_source){.level = level, .scan = scan, .free = level_free};
    l->st = (nats_store *)s;
    l->prefix = prefix;
    return ls_window_list(&l->base, seek, it, err);
}

/* ---- read ---- */

typedef struct opening {
    char *name;
    uint64_t off, len;
    ls_reader *r;
} opening;

static ls_code open_job(ls_nats_bucket *b, void *arg, ls_err *err) {
    opening *o = arg;
    return ls_nats_open(b, o->name, o->off, o->len, &o->r, err);
}

static ls_code nats_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                         ls_reader **r, ls_err *err) {
    opening o = {.off = off, .len = len};
    ls_code code = object_name((nats_store *)s, file, &o.name, err);
    if (code == LS_OK) {
        code = run((nats_store *)s, open_job, &o, err);
    }
    free(o.name);
    *r = o.r;
    return code;
}

/* ---- put ---- */

static ls_code put_job(ls_nats_bucket *b, void *arg, ls_err *err) {
    return ls_nats_put(b, arg, err);
}

/* Closes the spool. */
static ls_code put_spool(nats_store *st, const ls_ltx_info *file, ls_spool *spool, bool exclusive,
                         ls_ltx_info *out, ls_err *err) {
    char *name = NULL;
    ls_code code = object_name(st, file, &name, err);
    if (code == LS_OK) {
        ls_nats_source src = {.name = name,
                              .fd = spool->fd,
                              .size = spool->size,
                              .created_ms = spool->created_ms,
                              .exclusive = exclusive};
        code = run(st, put_job, &src, err);
    }
    free(name);
    ls_spool_close(spool);
    if (code == LS_OK) {
        *out = *file;
        out->size = spool->size;
        out->created_ms = spool->created_ms;
    }
    return code;
}

static ls_code nats_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                        ls_ltx_info *out, ls_err *err) {
    ls_spool spool;
    ls_code code = ls_spool_stream(in, &spool, err);
    return code == LS_OK ? put_spool((nats_store *)s, file, &spool, exclusive, out, err) : code;
}

static ls_code nats_put_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                             bool exclusive, ls_ltx_info *out, ls_err *err) {
    ls_spool spool;
    ls_code code = ls_spool_file(path, &spool, err);
    return code == LS_OK ? put_spool((nats_store *)s, file, &spool, exclusive, out, err) : code;
}

/* ---- remove ---- */

static ls_code delete_job(ls_nats_bucket *b, void *arg, ls_err *err) {
    return ls_nats_delete(b, arg, err);
}

static ls_code nats_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    for (size_t i = 0; i < n; i++) {
        char *name;
        ls_code code = object_name((nats_store *)s, &files[i], &name, err);
        if (code == LS_OK) {
            code = run((nats_store *)s, delete_job, name, err);
        }
        free(name);
        if (code != LS_OK) {
            return code;
        }
    }
    return LS_OK;
}

/* ---- making and freeing ---- */

static void free_text(const char *text) {
    char *owned = (char *)(uintptr_t)text;
    if (owned != NULL) {
        explicit_bzero(owned, strlen(owned)); /* it may be a secret */
        free(owned);
    }
}

static void nats_free(ls_storage *s) {
    nats_store *st = (nats_store *)s;
    const ls_nats_login *l = &st->login;
    const char *const texts[] = {l->url,   l->bucket,      l->jwt,       l->seed,
                                 l->creds, l->nkey,        l->username,  l->password,
                                 l->token, l->client_cert, l->client_key};
    ls_nats_bucket_release(st->bucket);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        free_text(texts[i]);
    }
    for (size_t i = 0; st->cas[i] != NULL; i++) {
        free(st->cas[i]);
    }
    (void)pthread_mutex_destroy(&st->lock);
    free(st->path);
    free(st->base.url);
    free(st);
}

static const ls_storage_ops nats_ops = {
    .type = "nats",
    .list = nats_list,
    .open = nats_open,
    .put = nats_put,
    .put_file = nats_put_file,
    .remove = nats_remove,
    .free = nats_free,
};

/* The first part of a URL's path is the bucket, the rest the path. */
static ls_code nats_from_url(const ls_url *url, ls_settings *settings, ls_err *err) {
    bool colons = strchr(url->host, ':') != NULL;
    size_t n = strcmp(url->path, ".") == 0 ? 0 : strcspn(url->path, "/");
    char *bucket = strndup(url->path, n);
    char *host = url->port != 0 ? ls_asprintf(colons ? "[%s]:%d" : "%s:%d", url->host, url->port)
                                : ls_asprintf(colons ? "[%s]" : "%s", url->host);
    const char *path = url->path[n] == '/' ? url->path + n + 1 : NULL;
    const struct {
        const char *key, *value;
    } pairs[] = {{"bucket", bucket},
                 {"host", host},
                 {"path", path},
                 {"username", url->user},
                 {"password", url->password}};
    ls_code code = bucket != NULL && host != NULL
                       ? LS_OK
                       : ls_fail(err, LS_ENOMEM, "no memory for a nats replica");
    for (size_t i = 0; code == LS_OK && i < sizeof pairs / sizeof pairs[0]; i++) {
        code = ls_settings_default(settings, pairs[i].key, pairs[i].value, err);
    }
    free(bucket);
    free(host);
    return code;
}

/* A copy of a setting, NULL if it is not set; *good becomes false without memory. */
static char *copy_text(const ls_settings *settings, const char *key, bool *good) {
    const char *text = ls_settings_text(settings, key, NULL);
    char *copy = text != NULL && text[0] != '\0' ? strdup(text) : NULL;
    *good = *good && (copy != NULL || text == NULL || text[0] == '\0');
    return copy;
}

static bool take_login(nats_store *st, const ls_settings *settings) {
    bool good = true;
    ls_nats_login *l = &st->login;
    l->bucket = copy_text(settings, "bucket", &good);
    l->jwt = copy_text(settings, "jwt", &good);
    l->seed = copy_text(settings, "seed", &good);
    l->creds = copy_text(settings, "creds", &good);
    l->nkey = copy_text(settings, "nkey", &good);
    l->username = copy_text(settings, "username", &good);
    l->password = copy_text(settings, "password", &good);
    l->token = copy_text(settings, "token", &good);
    l->client_cert = copy_text(settings, "client-cert", &good);
    l->client_key = copy_text(settings, "client-key", &good);
    for (size_t i = 0; i < CAS_MAX && ls_settings_item(settings, "root-cas", i) != NULL; i++) {
        st->cas[i] = strdup(ls_settings_item(settings, "root-cas", i));
        good = good && st->cas[i] != NULL;
    }
    l->root_cas = st->cas;
    l->tls = ls_settings_bool(settings, "tls", false);
    l->max_reconnects = (int)ls_settings_number(settings, "max-reconnects", -1);
    l->reconnect_wait_ms = ls_settings_number(settings, "reconnect-wait", 2 * LS_SEC) / LS_MS;
    l->timeout_ms = ls_settings_number(settings, "timeout", 10 * LS_SEC) / LS_MS;
    return good;
}

static ls_code take_settings(nats_store *st, const ls_settings *settings, ls_err *err) {
    const char *host = ls_settings_text(settings, "host", "");
    const char *path = ls_settings_text(settings, "path", "");
    char *clean = ls_path_clean(path);
    host = host[0] != '\0' ? host : DEFAULT_URL;
    if (clean != NULL) {
        const char *plain = clean[0] == '/' ? clean + 1 : strcmp(clean, ".") == 0 ? "" : clean;
        st->path = ls_asprintf("%s%s", plain, plain[0] != '\0' ? "/" : "");
    }
    free(clean);
    bool good = take_login(st, settings);
    st->login.url = ls_asprintf("nats://%s", host);
    if (good && st->path != NULL) {
        st->base.url = ls_asprintf("nats://%s/%s%s%.*s", host, st->login.bucket,
                                   st->path[0] != '\0' ? "/" : "",
                                   st->path[0] != '\0' ? (int)strlen(st->path) - 1 : 0, st->path);
    }
    return st->base.url != NULL && st->login.url != NULL
               ? LS_OK
               : ls_fail(err, LS_ENOMEM, "no memory for a nats replica");
}

static ls_code check_settings(const ls_settings *settings, ls_err *err) {
    const char *bucket = ls_settings_text(settings, "bucket", "");
    if (bucket[0] == '\0') {
        ls_fail(err, LS_ECONFIG, "bucket required for NATS replica");
        return ls_hint(err, "write nats://HOST:4222/BUCKET, or the key bucket");
    }
    if (strspn(bucket, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") !=
        strlen(bucket)) {
        ls_fail(err, LS_ECONFIG, "nats replica: no valid bucket: %s", bucket);
        return ls_hint(err, "a bucket's name has letters, digits, '_' and '-'");
    }
    if (ls_settings_has(settings, "client-cert") != ls_settings_has(settings, "client-key")) {
        return ls_fail(err, LS_ECONFIG,
                       "client-cert and client-key must both be specified for mutual TLS "
                       "authentication");
    }
    int64_t wait = ls_settings_number(settings, "reconnect-wait", LS_SEC);
    int64_t timeout = ls_settings_number(settings, "timeout", LS_SEC);
    if (wait < LS_MS || timeout < LS_MS || wait > 3600 * LS_SEC || timeout > 3600 * LS_SEC) {
        return ls_fail(err, LS_ECONFIG, "nats replica: reconnect-wait and timeout are 1ms to 1h");
    }
    int64_t most = ls_settings_number(settings, "max-reconnects", -1);
    return most >= -1 && most <= INT32_MAX
               ? LS_OK
               : ls_fail(err, LS_ECONFIG, "nats replica: max-reconnects is -1 or more");
}

static ls_code nats_from_settings(const ls_settings *settings, const ls_perm *perm, ls_storage **s,
                                  ls_err *err) {
    (void)perm;
    ls_code code = check_settings(settings, err);
    if (code != LS_OK) {
        return code;
    }
    nats_store *st = calloc(1, sizeof *st);
    if (st == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a nats replica");
    }
    st->base.ops = &nats_ops;
    (void)pthread_mutex_init(&st->lock, NULL);
    code = take_settings(st, settings, err);
    if (code != LS_OK) {
        nats_free(&st->base);
        return code;
    }
    *s = &st->base;
    return LS_OK;
}

static const ls_setting_key nats_keys[] = {
    {.name = "path"},
    {.name = "host"},
    {.name = "bucket"},
    {.name = "jwt", .secret = true},
    {.name = "seed", .secret = true},
    {.name = "creds", .query = "creds"},
    {.name = "nkey", .secret = true},
    {.name = "username"},
    {.name = "password", .secret = true},
    {.name = "token", .secret = true},
    {.name = "tls", .query = "tls", .type = LS_SETTING_BOOL},
    {.name = "root-cas", .query = "root-ca|root-cas", .type = LS_SETTING_LIST},
    {.name = "client-cert", .query = "client-cert"},
    {.name = "client-key", .query = "client-key"},
    {.name = "max-reconnects", .query = "max-reconnects", .type = LS_SETTING_INT},
    {.name = "reconnect-wait", .query = "reconnect-wait", .type = LS_SETTING_DURATION},
    {.name = "timeout", .query = "timeout", .type = LS_SETTING_DURATION},
    {0}};

const ls_store_scheme ls_nats_scheme = {
    .type = "nats",
    .schemes = "nats",
    .keys = nats_keys,
    .in_url = "host",
    .from_url = nats_from_url,
    .open = nats_from_settings,
};
