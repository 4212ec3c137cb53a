/* The store that a database's replica names. */
#include "backends/settings.h"
#include "backends/url.h"
#include "engine/base/text.h"
#include "engine/config/config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool has_scheme(const char *url) {
    return ls_is_url(url) || strncasecmp(url, "file:", 5) == 0;
}

/* ---- folders ---- */

static ls_code check_file(const ls_replica_config *r, ls_err *err) {
    if (r->url != NULL && !has_scheme(r->url)) {
        (void)ls_fail(err, LS_ECONFIG, "replica url scheme required: %s", r->url);
        return ls_hint(err, "write file://%s%s, or a path instead of the url",
                       r->url[0] == '/' ? "" : "/", r->url);
    }
    /* Nothing but slashes would be the root or the working folder, which no one means. */
    if (r->url != NULL ? r->url[5 + strspn(r->url + 5, "/")] == '\0' : r->path == NULL) {
        (void)ls_fail(err, LS_ECONFIG, "file replica path required");
        return ls_hint(err, "write file:///backup/folder");
    }
    return LS_OK;
}

static ls_code file_path(const ls_replica_config *r, char **path, ls_err *err) {
    char *text = NULL;

    ls_code rc = check_file(r, err);
    if (rc == LS_OK && r->url != NULL)
        rc = ls_url_file_path(r->url, &text, err);
    if (rc == LS_OK)
        rc = ls_path_expand(text == NULL ? r->path : text, path, err);
    free(text);
    return rc;
}

static ls_code set_file(const ls_replica_config *r, ls_settings *settings, ls_err *err) {
    char *path = NULL;

    ls_code rc = file_path(r, &path, err);
    if (rc == LS_OK)
        rc = ls_settings_set(settings, "path", path, err);
    free(path);
    return rc;
}

/* ---- any store ---- */

static bool takes_key(const ls_store_scheme *scheme, const char *key) {
    for (const ls_setting_key *k = scheme->keys; k->name != NULL; k++) {
        if (strcmp(k->name, key) == 0)
            return true;
    }
    return false;
}

static bool gives_key(const ls_replica_config *r, const char *key) {
    for (size_t i = 0; i < r->n_settings; i++) {
        if (!r->settings[i].inherited && strcmp(r->settings[i].key, key) == 0)
            return true;
    }
    return false;
}

static ls_code check_one_place(const ls_replica_config *r, const ls_store_scheme *scheme,
                               ls_err *err) {
    const char *twice = r->path != NULL ? "path" : NULL;

    if (twice == NULL && scheme->in_url != NULL && gives_key(r, scheme->in_url))
        twice = scheme->in_url;
    if (r->url != NULL && twice != NULL) {
        (void)ls_fail(err, LS_ECONFIG, "cannot specify url & %s for %s replica", twice,
                      scheme->type);
        return ls_hint(err, "keep one of them");
    }
    if (r->path != NULL && ls_is_url(r->path)) {
        char *shown = ls_url_shown(r->path);
        ls_code rc = ls_fail(err, LS_ECONFIG,
                             "replica path cannot be a url, please use the 'url' field instead: %s",
                             shown == NULL ? "" : shown);
        free(shown);
        return rc;
    }
    return LS_OK;
}

/* Keys of other stores are passed over. What a URL says is not inherited from the top level. */
static ls_code set_keys(const ls_replica_config *r, ls_settings *settings, ls_err *err) {
    const ls_store_scheme *scheme = ls_settings_scheme(settings);
    ls_code rc = LS_OK;

    for (size_t i = 0; i < r->n_settings && rc == LS_OK; i++) {
        const ls_setting *s = &r->settings[i];
        bool in_url = r->url != NULL && scheme->in_url != NULL && s->inherited &&
                      strcmp(s->key, scheme->in_url) == 0;
        if (!in_url && takes_key(scheme, s->key))
            rc = ls_settings_set(settings, s->key, s->value, err);
    }
    return rc;
}

static ls_code set_all(const ls_replica_config *r, ls_settings *settings, ls_err *err) {
    ls_code rc = check_one_place(r, ls_settings_scheme(settings), err);

    if (rc != LS_OK)
        return rc;
    if (strcmp(ls_settings_type(settings), "file") == 0)
        return set_file(r, settings, err);
    if (r->url != NULL && !has_scheme(r->url)) {
        char *shown = ls_url_shown(r->url);
        rc =
            ls_fail(err, LS_ECONFIG, "replica url scheme required: %s", shown == NULL ? "" : shown);
        free(shown);
        return rc;
    }
    rc = set_keys(r, settings, err);
    if (rc == LS_OK)
        rc = ls_settings_default(settings, "path", r->path, err);
    if (rc == LS_OK && r->url != NULL)
        rc = ls_settings_add_url(settings, r->url, err);
    return rc;
}

/* A URL's scheme goes first, then type, then "file". */
static ls_code new_settings(const ls_replica_config *r, ls_settings **settings, ls_err *err) {
    bool by_url = r->url != NULL && has_scheme(r->url);
    const char *word = by_url ? r->url : r->type == NULL ? "file" : r->type;
    const ls_store_scheme *scheme =
        by_url ? ls_store_scheme_of_url(word) : ls_store_scheme_of(word);

    if (scheme == NULL) {
        char *name = strndup(word, by_url ? strcspn(word, ":") : strlen(word));
        for (char *p = name; by_url && p != NULL && *p != '\0'; p++)
            *p = (char)tolower((unsigned char)*p);
        ls_code rc = ls_store_missing(name == NULL ? "" : name, err);
        free(name);
        return rc;
    }
    *settings = ls_settings_new(scheme->type);
    return *settings == NULL ? ls_fail(err, LS_ENOMEM, "out of memory") : LS_OK;
}

/* What is made on the replica gets mode and owner of the database, private ones while it is
 * missing. */
static ls_code open_store(const ls_db_config *db, const ls_settings *settings, ls_storage **s,
                          ls_err *err) {
    ls_perm perm;

    ls_code rc = ls_perm_of_db(db->path, &perm, err);
    if (rc == LS_ENOTFOUND) {
        ls_err_clear(err);
        perm = LS_PERM_PRIVATE;
        rc = LS_OK;
    }
    return rc == LS_OK ? ls_storage_open(settings, &perm, s, err) : rc;
}

/* What cannot be promised is refused before anything starts. */
static ls_code check_lease(const ls_db_config *db, ls_storage **s, ls_err *err) {
    if (!db->replica.lease || ls_storage_has_marks(*s))
        return LS_OK;
    (void)ls_fail(err, LS_ECONFIG, "lease: %s replicas cannot have one", ls_storage_type(*s));
    ls_storage_free(*s);
    *s = NULL;
    return ls_hint(err, "take out lease: true for %s; replicas of type file and s3 can", db->path);
}

ls_code ls_config_storage(const ls_db_config *db, ls_storage **s, ls_err *err) {
    ls_settings *settings = NULL;

    *s = NULL;
    if (db->dir != NULL) {
        (void)ls_fail(err, LS_EINVALID, "%s is a folder of databases", db->dir);
        return ls_hint(err, "each database in it has a replica of its own");
    }
    if (!db->has_replica) {
        (void)ls_fail(err, LS_ECONFIG, "must specify replica for database");
        return ls_hint(err, "add to %s in the configuration: replica: {url: file:///backup/folder}",
                       db->path);
    }
    ls_code rc = new_settings(&db->replica, &settings, err);
    if (rc == LS_OK)
        rc = set_all(&db->replica, settings, err);
    if (rc == LS_OK)
        rc = open_store(db, settings, s, err);
    if (rc == LS_OK)
        rc = check_lease(db, s, err);
    ls_settings_free(settings);
    return rc;
}
