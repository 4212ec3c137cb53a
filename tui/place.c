/* Which replica or LTX files the tabs of one replica show: a path or URL that was given, or a
 * database of the fleet, opened as the configuration says where there is one. */
#include "tui/view.h"

#include <stdlib.h>
#include <string.h>

ls_code app_source(app *a, source *s, ls_err *err) {
    const ls_db_config *db =
        a->database != NULL && a->config != NULL ? ls_config_find(a->config, a->database) : NULL;
    if (a->location == NULL) {
        *s = (source){0};
        return ls_fail(err, LS_ENOTFOUND, "no database is opened");
    }
    return db != NULL ? source_open_replica(s, db, err) : source_open(s, a->location, err);
}

/* A path is a database to the commands, so it is made a URL. NULL without memory. */
static char *url_of(const char *name) {
    char *absolute = ls_is_url(name) ? strdup(name) : ls_path_absolute(name);
    char *url = absolute != NULL && !ls_is_url(name) ? ls_asprintf("file://%s", absolute) : NULL;
    if (ls_is_url(name)) {
        return absolute;
    }
    free(absolute);
    return url;
}

static ls_code set_texts(app *a, const char *location, const char *database, ls_err *err) {
    free(a->url);
    free(a->database);
    free(a->location);
    a->url = url_of(location);
    a->location = strdup(location);
    a->database = database != NULL ? strdup(database) : NULL;
    a->name = a->location;
    bool bad = a->url == NULL || a->location == NULL || (database != NULL && a->database == NULL);
    return bad ? ls_fail(err, LS_ENOMEM, "open %s", location) : LS_OK;
}

static ls_code set_place(app *a, const char *location, const char *database, ls_err *err) {
    source s = {0};
    ls_code rc = set_texts(a, location, database, err);
    if (rc == LS_OK) {
        rc = app_source(a, &s, err);
    }
    a->replica = s.ops != NULL && s.ops->replica;
    source_done(&s);
    return rc;
}

ls_code app_set_place(app *a, const char *name, ls_err *err) {
    return set_place(a, name, NULL, err);
}

/* What was read of the database before is let go; a restore or verify of it that runs goes with its
 * view, which waits for it: so it is refused while one does. */
static bool may_change(app *a) {
    for (int tab = 0; tab < REPLICA_TABS; tab++) {
        for (view *v = a->top[tab]; v != NULL; v = v->below) {
            if (v->ops->job != NULL && v->ops->waits && *v->ops->job(v) != NULL) {
                (void)ls_fail(&a->err, LS_EBUSY, "%s of %s is running", view_table[v->ops->id].name,
                              a->database);
                (void)ls_hint(&a->err, "%d shows it; c there cancels it", tab + 1);
                return false;
            }
        }
    }
    return true;
}

void app_open_database(app *a, const char *path, int tab) {
    const fleet *f = a->news.fleet;
    size_t at = f != NULL ? fleet_find(f, path) : 0;
    if (a->name != NULL && a->database != NULL && strcmp(a->database, path) == 0) {
        a->tab = tab;
        return;
    }
    if (f == NULL || at == f->n) {
        (void)ls_fail(&a->err, LS_ENOTFOUND, "database not found: %s", path);
        return;
    }
    if (!may_change(a)) {
        return;
    }
    job_give_up(&a->reading);
    snapshot_unref(a->snap);
    a->snap = NULL;
    ls_err_clear(&a->read_err);
    char *copy = strdup(path); /* path may be a text of what is let go */
    ls_code rc = copy != NULL ? set_place(a, f->dbs[at].replica_url, copy, &a->err)
                              : ls_fail(&a->err, LS_ENOMEM, "open %s", path);
    free(copy);
    if (rc == LS_OK) {
        rc = app_fresh_tabs(a, &a->err);
    }
    if (rc != LS_OK) {
        a->name = NULL;
        return;
    }
    a->tab = tab;
    app_refresh(a);
}
