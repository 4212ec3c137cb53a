/*
 * The SFTP store: PATH/ltx/<level>/<min>-<max>.ltx on a server, below the login's home folder where
 * PATH does not begin with a slash. sftp_put.c writes.
 */
#include "backends/head.h"
#include "backends/schemes.h"
#include "backends/sftp_store.h"
#include "backends/ssh.h"
#include "backends/window.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_FIRST (64 * 1024) /* of a reader; doubles up to LS_SFTP_CHUNK */
#define PORT 22

/* ---- paths ---- */

char *ls_sftp_level_dir(const sftp_store *st, int level) {
    return ls_asprintf("%s/ltx/%d", strcmp(st->root, "/") == 0 ? "" : st->root, level);
}

ls_code ls_sftp_file_path(const sftp_store *st, const ls_ltx_info *file, char **path, ls_err *err) {
    char name[LS_LTX_NAME_SIZE];
    char *dir = ls_sftp_level_dir(st, file->level);
    *path = dir != NULL
                ? ls_path_join(dir, ls_ltx_name_format(file->min_txid, file->max_txid, name))
                : NULL;
    free(dir);
    return *path != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for the name of a file");
}

/* Every error names the server. */
ls_code ls_sftp_named(const sftp_store *st, ls_code code, ls_err *err) {
    return code == LS_OK || strstr(err->msg, st->host) != NULL ? code
                                                               : ls_wrap(err, "sftp %s", st->host);
}

static ls_code dial(void *arg, ls_sftp_stream **stream, ls_err *err) {
    sftp_store *st = arg;
    const ls_ssh_login login = {.host = st->host,
                                .port = st->port,
                                .user = st->user,
                                .password = st->password,
                                .key_path = st->key_path,
                                .host_key = st->host_key,
                                .known_hosts = st->known_hosts};
    bool unverified;
    ls_code code = ls_ssh_connect(&login, stream, &unverified, err);
    if (code == LS_OK && unverified && !atomic_exchange(&st->warned, true)) {
        ls_log_write(st->base.log, LS_WARN, "sftp host key not verified",
                     LS_ATTRS(LS_STR("host", st->host),
                              LS_STR("hint", "set host-key to the line that ssh-keyscan prints")));
    }
    return code;
}

/* ---- list ---- */

typedef struct level_source {
    ls_window_source base;
    sftp_store *st;
    char *dir;
} level_source;

typedef struct folder_job {
    const char *path;
    ls_sftp_entry_fn fn;
    void *arg;
} folder_job;

static ls_code read_folder(ls_sftp *s, void *arg, ls_err *err) {
    const folder_job *job = arg;
    ls_sftp_handle h;
    bool end = false;
    ls_code code = ls_sftp_opendir(s, job->path, &h, err);
    if (code == LS_ENOTFOUND) {
        ls_err_clear(err);
        return LS_OK;
    }
    if (code != LS_OK) {
        return code;
    }
    while (code == LS_OK && !end) {
        code = ls_sftp_readdir(s, &h, job->fn, job->arg, &end, err);
    }
    ls_sftp_close(s, &h);
    return code;
}

ls_code ls_sftp_each_entry(sftp_store *st, const char *dir, ls_sftp_entry_fn fn, void *arg,
                           ls_err *err) {
    folder_job job = {.path = dir, .fn = fn, .arg = arg};
    return ls_sftp_run(st->pool, read_folder, &job, NULL, err);
}

static ls_code add_entry(void *arg, const char *name, const ls_sftp_attrs *attrs, ls_err *err) {
    return attrs->is_file ? ls_window_add(arg, name, attrs->size, attrs->mtime * 1000, err) : LS_OK;
}

static ls_code scan(ls_window_source *src, ls_window *w, ls_err *err) {
    level_source *l = (level_source *)src;
    return ls_sftp_named(l->st, ls_sftp_each_entry(l->st, l->dir, add_entry, w, err), err);
}

static void level_free(ls_window_source *src) {
    level_source *l = (level_source *)src;
    free(l->dir);
    free(l);
}

static ls_code sftp_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it,
                         ls_err *err) {
    level_source *l = calloc(1, sizeof *l);
    char *dir = ls_sftp_level_dir((sftp_store *)s, level);
    if (l == NULL || dir == NULL) {
        free(l);
        free(dir);
        return ls_fail(err, LS_ENOMEM, "no memory to list level %d", level);
    }
    l->base = (ls_window_source){.level = level, .scan = scan, .free = level_free};
    l->st = (sftp_store *)s;
    l->dir = dir;
    return ls_window_list(&l->base, seek, it, err);
}

/* ---- read ---- */

/* Keeps its connection, since the handle lives there. Reads ahead more and more. */
typedef struct sftp_reader {
    ls_reader base;
    sftp_store *st;
    ls_sftp_conn *conn;
    ls_sftp_handle h;
    char *path;
    uint64_t off, left; /* of what is not in buf yet */
    uint8_t *buf;
    size_t cap, ahead, pos, len;
} sftp_reader;

static ls_code fill(sftp_reader *r, ls_err *err) {
    size_t want = r->left < r->ahead ? (size_t)r->left : r->ahead;
    if (want > r->cap) {
        uint8_t *buf = realloc(r->buf, want);
        if (buf == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory to read %s", r->path);
        }
        r->buf = buf;
        r->cap = want;
    }
    r->pos = r->len = 0;
    ls_sftp *s = ls_sftp_lock(r->conn);
    ls_code code = ls_sftp_read(s, &r->h, r->off, r->buf, want, &r->len, err);
    ls_sftp_unlock(r->conn);
    if (code != LS_OK) {
        return ls_sftp_named(r->st, ls_wrap(err, "read %s", r->path), err);
    }
    r->off += r->len;
    r->left -= r->len;
    r->ahead = r->ahead < LS_SFTP_CHUNK / 2 ? 2 * r->ahead : LS_SFTP_CHUNK;
    return LS_OK;
}

static ls_code reader_read(ls_reader *base, void *buf, size_t len, size_t *got, ls_err *err) {
    sftp_reader *r = (sftp_reader *)base;
    *got = 0;
    if (r->pos == r->len && r->left > 0 && len > 0) {
        ls_code code = fill(r, err);
        if (code != LS_OK) {
            return code;
        }
    }
    size_t n = r->len - r->pos < len ? r->len - r->pos : len;
    if (n > 0) {
        memcpy(buf, r->buf + r->pos, n);
    }
    r->pos += n;
    *got = n;
    return LS_OK;
}

static void reader_close(ls_reader *base) {
    sftp_reader *r = (sftp_reader *)base;
    ls_sftp_close(ls_sftp_lock(r->conn), &r->h);
    ls_sftp_unlock(r->conn);
    ls_sftp_give(r->st->pool, r->conn);
    free(r->path);
    free(r->buf);
    free(r);
}

static ls_code open_job(ls_sftp *s, void *arg, ls_err *err) {
    sftp_reader *r = arg;
    return ls_sftp_open(s, r->path, LS_SFTP_READ, &r->h, err);
}

/* Past the end there is nothing to read, as far as a server counts. */
static uint64_t range_left(uint64_t off, uint64_t len) {
    if (off > INT64_MAX) {
        return 0;
    }
    uint64_t most = (uint64_t)INT64_MAX - off;
    return len == 0 || len > most ? most : len;
}

static ls_code sftp_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                         ls_reader **out, ls_err *err) {
    sftp_store *st = (sftp_store *)s;
    sftp_reader *r = calloc(1, sizeof *r);
    if (r == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to read a file");
    }
    ls_code code = ls_sftp_file_path(st, file, &r->path, err);
    if (code == LS_OK) {
        code = ls_sftp_run(st->pool, open_job, r, &r->conn, err);
    }
    if (code != LS_OK) {
        free(r->path);
        free(r);
        return ls_sftp_named(st, code, err);
    }
    r->base = (ls_reader){.read = reader_read, .close = reader_close};
    r->st = st;
    r->off = off;
    r->left = range_left(off, len);
    r->ahead = READ_FIRST;
    *out = &r->base;
    return LS_OK;
}

/* ---- remove ---- */

static ls_code remove_job(ls_sftp *s, void *path, ls_err *err) {
    ls_code code = ls_sftp_remove(s, path, err);
    if (code == LS_ENOTFOUND) {
        ls_err_clear(err);
        return LS_OK;
    }
    return code;
}

static ls_code sftp_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    sftp_store *st = (sftp_store *)s;
    for (size_t i = 0; i < n; i++) {
        char *path;
        ls_code code = ls_sftp_file_path(st, &files[i], &path, err);
        if (code == LS_OK) {
            code = ls_sftp_run(st->pool, remove_job, path, NULL, err);
        }
        free(path);
        if (code != LS_OK) {
            return ls_sftp_named(st, code, err);
        }
    }
    return LS_OK;
}

/* ---- making and freeing ---- */

static void free_secret(char *text) {
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        free(text);
    }
}

static void sftp_free(ls_storage *s) {
    sftp_store *st = (sftp_store *)s;
    ls_sftp_pool_free(st->pool);
    free_secret(st->password);
    free(st->host);
    free(st->user);
    free(st->key_path);
    free(st->host_key);
    free(st->known_hosts);
    free(st->root);
    free(st->base.url);
    free(st);
}

static const ls_storage_ops sftp_ops = {
    .type = "sftp",
    .list = sftp_list,
    .open = sftp_open,
    .put = ls_sftp_put,
    .copy = ls_sftp_copy_file,
    .remove = sftp_remove,
    .exact = ls_head_exact,
    .free = sftp_free,
};

static ls_code sftp_from_url(const ls_url *url, ls_settings *settings, ls_err *err) {
    bool colons = strchr(url->host, ':') != NULL;
    char *host = url->port != 0 ? ls_asprintf(colons ? "[%s]:%d" : "%s:%d", url->host, url->port)
                                : ls_asprintf("%s", url->host);
    ls_code code = host != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for a host name");
    if (code == LS_OK) {
        code = ls_settings_default(settings, "host", host, err);
    }
    if (code == LS_OK) {
        code = ls_settings_default(settings, "user", url->user, err);
    }
    if (code == LS_OK) {
        code = ls_settings_default(settings, "password", url->password, err);
    }
    if (code == LS_OK) {
        code = ls_settings_default(settings, "path", url->path_raw, err);
    }
    free(host);
    return code;
}

/* host, host:port, [host] or [host]:port; an address with colons may stand without brackets. */
static ls_code split_host(sftp_store *st, const char *text, ls_err *err) {
    const char *end = text + strlen(text);
    const char *port = strrchr(text, ':');
    if (text[0] == '[' && strchr(text, ']') != NULL) {
        end = strchr(text++, ']');
        port = end[1] == ':' ? end + 1 : NULL;
    } else if (port != NULL && strchr(text, ':') == port) {
        end = port;
    } else {
        port = NULL;
    }
    char *rest = NULL;
    long number = port != NULL ? strtol(port + 1, &rest, 10) : PORT;
    if (end == text || number < 1 || number > 65535 || (rest != NULL && *rest != '\0')) {
        return ls_fail(err, LS_ECONFIG, "sftp replica: no valid host: %s", text);
    }
    st->port = (int)number;
    st->host = strndup(text, (size_t)(end - text));
    return st->host != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for host");
}

/* A copy of a setting, NULL if it is not set; *good becomes false without memory. */
static char *copy_text(const ls_settings *settings, const char *key, bool *good) {
    const char *text = ls_settings_text(settings, key, NULL);
    char *copy = text != NULL && text[0] != '\0' ? strdup(text) : NULL;
    *good = *good && (copy != NULL || text == NULL || text[0] == '\0');
    return copy;
}

static ls_code take_settings(sftp_store *st, const ls_settings *settings, ls_err *err) {
    bool good = true;
    ls_code code = split_host(st, ls_settings_text(settings, "host", ""), err);
    if (code != LS_OK) {
        return code;
    }
    st->user = copy_text(settings, "user", &good);
    st->password = copy_text(settings, "password", &good);
    st->key_path = copy_text(settings, "key-path", &good);
    st->host_key = copy_text(settings, "host-key", &good);
    st->known_hosts = copy_text(settings, "known-hosts", &good);
    st->one_by_one = !ls_settings_bool(settings, "concurrent-writes", true);
    st->root = ls_path_clean(ls_settings_text(settings, "path", "."));
    st->pool = ls_sftp_pool_new(dial, st);
    if (good && st->root != NULL) {
        st->base.url =
            ls_asprintf("sftp://%s@%s%s%s", st->user, ls_settings_text(settings, "host", ""),
                        st->root[0] == '/' ? "" : "/", st->root);
    }
    return st->base.url != NULL && st->pool != NULL
               ? LS_OK
               : ls_fail(err, LS_ENOMEM, "no memory for an sftp replica");
}

static ls_code require(const ls_settings *settings, const char *key, ls_err *err) {
    if (ls_settings_text(settings, key, "")[0] != '\0') {
        return LS_OK;
    }
    ls_fail(err, LS_ECONFIG, "%s required for sftp replica", key);
    return ls_hint(err, "write sftp://USER@HOST/PATH, or the keys host and user");
}

static ls_code sftp_from_settings(const ls_settings *settings, const ls_perm *perm, ls_storage **s,
                                  ls_err *err) {
    (void)perm; /* modes are the server's affair */
    ls_code code = require(settings, "host", err);
    if (code == LS_OK) {
        code = require(settings, "user", err);
    }
    if (code == LS_OK) {
        const ls_ssh_login login = {.host_key = ls_settings_text(settings, "host-key", NULL)};
        code = ls_ssh_check(&login, err);
    }
    if (code != LS_OK) {
        return code;
    }
    sftp_store *st = calloc(1, sizeof *st);
    if (st == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for an sftp replica");
    }
    st->base.ops = &sftp_ops;
    code = take_settings(st, settings, err);
    if (code != LS_OK) {
        sftp_free(&st->base);
        return code;
    }
    *s = &st->base;
    return LS_OK;
}

static const ls_setting_key sftp_keys[] = {
    {.name = "path"},
    {.name = "host"},
    {.name = "user"},
    {.name = "password", .secret = true},
    {.name = "key-path", .query = "key-path|keyPath"},
    {.name = "host-key", .query = "host-key|hostKey"},
    {.name = "known-hosts", .query = "known-hosts|knownHosts"},
    {.name = "concurrent-writes",
     .query = "concurrent-writes|concurrentWrites",
     .type = LS_SETTING_BOOL},
    {0}};

const ls_store_scheme ls_sftp_scheme = {
    .type = "sftp",
    .schemes = "sftp",
    .keys = sftp_keys,
    .in_url = "host",
    .from_url = sftp_from_url,
    .open = sftp_from_settings,
};
