/*
 * Folders of databases: what a database that was found in one gets from the folder's settings. Its
 * replica and its meta directory are those of the folder with its path below the folder behind
 * them.
 */
#include "engine/base/glob.h"
#include "engine/base/text.h"
#include "engine/config/config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static ls_code no_memory(ls_err *err) { return ls_fail(err, LS_ENOMEM, "out of memory"); }

/* What a URL takes for something else than a character of a path. */
static bool is_plain(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-._~/!$&'()*+,;=:@", c) != NULL;
}

/* rel as it stands in a URL; malloc'd, NULL: no memory. */
static char *url_path(const char *rel) {
    static const char hex[] = "0123456789ABCDEF";
    char *out = malloc(3 * strlen(rel) + 1), *to = out;

    for (const unsigned char *p = (const unsigned char *)rel; out != NULL && *p != '\0'; p++) {
        if (is_plain(*p)) {
            *to++ = (char)*p;
        } else {
            *to++ = '%';
            *to++ = hex[*p >> 4];
            *to++ = hex[*p & 15];
        }
    }
    if (out != NULL)
        *to = '\0';
    return out;
}

/* The URL with rel behind its path. What a file: URL names is never decoded. */
static ls_code join_url(const char *url, const char *rel, char **out, ls_err *err) {
    size_t path = strcspn(url, "?"), end = path;
    bool raw = strncasecmp(url, "file:", 5) == 0 || strncasecmp(url, "s3://arn:", 9) == 0;
    char *below = raw ? strdup(rel) : url_path(rel);

    if (raw && strpbrk(rel, "?#%") != NULL) {
        free(below);
        (void)ls_fail(err, LS_ECONFIG, "%s cannot be put into a URL of this kind: %s", rel, url);
        return ls_hint(err, "give the replica by path instead of url");
    }
    while (end > 0 && url[end - 1] == '/')
        end--;
    *out = below == NULL ? NULL : ls_asprintf("%.*s/%s%s", (int)end, url, below, url + path);
    free(below);
    return *out == NULL ? no_memory(err) : LS_OK;
}

static ls_code join_replica(const ls_replica_config *dir, const char *rel, ls_replica_config *r,
                            ls_err *err) {
    r->url = r->path = NULL;
    if (dir->url != NULL) {
        ls_code rc = join_url(dir->url, rel, &r->url, err);
        if (rc != LS_OK)
            return rc;
    }
    /* Without either the path is what tells the databases of one bucket apart. */
    if (dir->path != NULL || (dir->url == NULL && dir->type != NULL)) {
        r->path = dir->path == NULL ? strdup(rel) : ls_path_join(dir->path, rel);
        if (r->path == NULL)
            return no_memory(err);
    }
    return LS_OK;
}

/* meta-path: <meta-path>/<folder>/.<name>-litestream; meta-dir: <meta-dir>/<rel>-litestream. */
static ls_code join_meta(const ls_db_config *dir, const char *rel, char **out, ls_err *err) {
    const char *base = ls_path_base(rel);

    *out = NULL;
    if (dir->meta_dir != NULL)
        *out = ls_asprintf("%s/%s-litestream", dir->meta_dir, rel);
    else if (dir->meta_path != NULL)
        *out = ls_asprintf("%s/%.*s.%s-litestream", dir->meta_path, (int)(base - rel), rel, base);
    else
        return LS_OK;
    return *out == NULL ? no_memory(err) : LS_OK;
}

ls_code ls_config_derive(const ls_db_config *dir, const char *rel, ls_db_config **out,
                         ls_err *err) {
    ls_db_config *db = malloc(sizeof *db);

    *out = NULL;
    if (db == NULL)
        return no_memory(err);
    *db = *dir;
    db->dir = db->pattern = db->meta_dir = db->meta_path = NULL;
    db->path = ls_path_join(dir->dir, rel);
    db->restore_if_db_not_exists = false;
    ls_code rc = join_replica(&dir->replica, rel, &db->replica, err);
    if (rc == LS_OK)
        rc = join_meta(dir, rel, &db->meta_path, err);
    if (rc == LS_OK && db->path == NULL)
        rc = no_memory(err);
    if (rc != LS_OK)
        ls_config_derived_free(db);
    else
        *out = db;
    return rc;
}

void ls_config_derived_free(ls_db_config *db) {
    if (db == NULL)
        return;
    free(db->path);
    free(db->meta_path);
    free(db->replica.url);
    free(db->replica.path);
    free(db);
}

ls_code ls_config_found(ls_config *c, const ls_db_config *dir, const char *rel, ls_err *err) {
    ls_db_config **grown = reallocarray(c->found, c->n_found + 1, sizeof(ls_db_config *));

    if (grown == NULL)
        return no_memory(err);
    c->found = grown;
    ls_code rc = ls_config_derive(dir, rel, &c->found[c->n_found], err);
    c->n_found += rc == LS_OK;
    return rc;
}

/* The path below the folder if the folder's settings are for it, else NULL. */
static const char *rel_of(const ls_db_config *dir, const char *path) {
    size_t len = strlen(dir->dir);

    if (strncmp(path, dir->dir, len) != 0)
        return NULL;
    path += len;
    if (len > 0 && dir->dir[len - 1] != '/' && *path++ != '/')
        return NULL;
    if (*path == '\0' || (!dir->recursive && strchr(path, '/') != NULL))
        return NULL;
    return ls_glob_match(dir->pattern, ls_path_base(path)) ? path : NULL;
}

ls_code ls_config_lookup(ls_config *c, const char *path, const ls_db_config **db, ls_err *err) {
    *db = ls_config_find(c, path);
    for (size_t i = 0; *db == NULL && i < c->n_dbs; i++) {
        const char *rel = c->dbs[i].dir == NULL ? NULL : rel_of(&c->dbs[i], path);
        ls_code rc = rel == NULL ? LS_OK : ls_config_found(c, &c->dbs[i], rel, err);
        if (rc != LS_OK)
            return rc;
        if (rel != NULL)
            *db = c->found[c->n_found - 1];
    }
    return LS_OK;
}
