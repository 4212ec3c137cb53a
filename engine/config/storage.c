/* The store that a database's replica names. */
#include "backends/url.h"
#include "engine/base/text.h"
#include "engine/config/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TYPE_MAX 24

static const char *const types[] = {"file", "s3",     "gs",   "abs", "oss",
                                    "sftp", "webdav", "nats", NULL};

static bool is_type(const char *type) {
    for (const char *const *t = types; *t != NULL; t++) {
        if (strcmp(*t, type) == 0)
            return true;
    }
    return false;
}

/* A URL's scheme goes first, then type, then "file". */
static void replica_type(const ls_replica_config *r, char *type, size_t size) {
    if (r->url == NULL || (!ls_is_url(r->url) && strncasecmp(r->url, "file:", 5) != 0)) {
        snprintf(type, size, "%s", r->type == NULL ? "file" : r->type);
        return;
    }
    snprintf(type, size, "%.*s", (int)strcspn(r->url, ":"), r->url);
    for (char *p = type; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    if (strcmp(type, "webdavs") == 0)
        snprintf(type, size, "webdav");
}

static ls_code check_file(const ls_replica_config *r, ls_err *err) {
    if (r->url != NULL && r->path != NULL) {
        (void)ls_fail(err, LS_ECONFIG, "cannot specify url & path for file replica");
        return ls_hint(err, "keep one of them");
    }
    if (r->url != NULL && strncasecmp(r->url, "file:", 5) != 0) {
        (void)ls_fail(err, LS_ECONFIG, "replica url scheme required: %s", r->url);
        return ls_hint(err, "write file://%s%s, or a path instead of the url",
                       r->url[0] == '/' ? "" : "/", r->url);
    }
    if (r->path != NULL && ls_is_url(r->path))
        return ls_fail(err, LS_ECONFIG,
                       "replica path cannot be a url, please use the 'url' field instead: %s",
                       r->path);
    return LS_OK;
}

static ls_code file_path(const ls_replica_config *r, char **path, ls_err *err) {
    char *text = NULL;

    ls_code rc = check_file(r, err);
    if (rc == LS_OK && r->url != NULL)
        rc = ls_url_file_path(r->url, &text, err);
    if (rc != LS_OK)
        return rc;
    /* Nothing but slashes would be the root or the working folder, which no one means. */
    if (r->url != NULL ? r->url[5 + strspn(r->url + 5, "/")] == '\0' : r->path == NULL) {
        (void)ls_fail(err, LS_ECONFIG, "file replica path required");
        rc = ls_hint(err, "write file:///backup/folder");
    } else {
        rc = ls_path_expand(text == NULL ? r->path : text, path, err);
    }
    free(text);
    return rc;
}

/* Files on the replica get mode and owner of the database, private ones while it is missing. */
static ls_code open_file(const ls_db_config *db, ls_storage **s, ls_err *err) {
    ls_perm perm;
    char *path = NULL;

    ls_code rc = file_path(&db->replica, &path, err);
    if (rc != LS_OK)
        return rc;
    rc = ls_perm_of_db(db->path, &perm, err);
    if (rc == LS_ENOTFOUND) {
        ls_err_clear(err);
        perm = LS_PERM_PRIVATE;
        rc = LS_OK;
    }
    if (rc == LS_OK)
        rc = ls_storage_open_file(path, &perm, s, err);
    free(path);
    return rc;
}

static ls_code unknown_type(const char *type, ls_err *err) {
    (void)ls_fail(err, LS_ECONFIG, "unknown replica type in config: \"%s\"", type);
    const char *near = ls_nearest(type, types);
    if (near != NULL)
        return ls_hint(err, "did you mean \"%s\"?", near);
    return ls_hint(err, "one of file, s3, gs, abs, oss, sftp, webdav, nats");
}

ls_code ls_config_storage(const ls_db_config *db, ls_storage **s, ls_err *err) {
    char type[TYPE_MAX];

    *s = NULL;
    if (db->dir != NULL) {
        (void)ls_fail(err, LS_EUNSUPPORTED, "%s: directory mode is not part of this version yet",
                      db->dir);
        return ls_hint(err, "name each database with path");
    }
    if (!db->has_replica) {
        (void)ls_fail(err, LS_ECONFIG, "must specify replica for database");
        return ls_hint(err, "add to %s in the configuration: replica: {url: file:///backup/folder}",
                       db->path);
    }
    replica_type(&db->replica, type, sizeof type);
    if (strcmp(type, "file") == 0)
        return open_file(db, s, err);
    if (!is_type(type))
        return unknown_type(type, err);
    (void)ls_fail(err, LS_EUNSUPPORTED, "%s replicas are not part of this build", type);
    return ls_hint(err, "this build stores replicas in folders: replica: {path: /backup/folder}");
}
