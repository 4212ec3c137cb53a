/* A configuration as a source, where no daemon answers: its databases, and what their files on this
 * machine say. */
#include "tui/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static uint64_t size_of(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
}

/* The replica's URL as a command line would have it; a path given without one is a folder. */
static char *url_of(const ls_db_config *db) {
    if (db->replica.url != NULL) {
        return strdup(db->replica.url);
    }
    return db->replica.path != NULL ? ls_asprintf("file://%s", db->replica.path) : strdup("");
}

static void look_at_files(const ls_db_config *config, fleet_db *db) {
    ls_err bad = LS_ERR_INIT;
    char *wal = ls_asprintf("%s-wal", config->path);
    db->db_size = size_of(config->path);
    db->wal_size = wal != NULL ? size_of(wal) : 0;
    free(wal);
    struct stat st;
    db->state = stat(config->path, &st) != 0 && errno == ENOENT ? DB_MISSING : DB_OFFLINE;
    ls_code rc = ls_db_local_txid(db->meta_path, &db->txid, &bad);
    if (rc != LS_OK && rc != LS_ENOTFOUND) {
        db->state = DB_ERROR;
        db->error = strdup(bad.msg);
        db->hint = strdup(ls_err_hint(&bad));
    }
}

static ls_code add_db(fleet *f, const ls_db_config *config, ls_err *err) {
    fleet_db *db = fleet_add(f, config->path, err);
    if (db == NULL) {
        return err->code;
    }
    db->replica_url = url_of(config);
    db->replica_type = strdup(config->replica.type != NULL ? config->replica.type : "");
    db->meta_path = config->meta_path != NULL ? strdup(config->meta_path)
                                              : ls_db_default_meta_path(config->path);
    if (db->replica_url == NULL || db->replica_type == NULL || db->meta_path == NULL) {
        return ls_fail(err, LS_ENOMEM, "list %s", config->path);
    }
    look_at_files(config, db);
    db->status = strdup(db->state == DB_MISSING ? "missing"
                        : db->state == DB_ERROR ? "error"
                                                : "offline");
    return db->status != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "list %s", config->path);
}

static ls_code config_databases(source *s, fleet *f, ls_err *err) {
    ls_code rc = LS_OK;
    for (size_t i = 0; i < s->config->n_dbs && rc == LS_OK; i++) {
        if (s->config->dbs[i].path != NULL) {
            rc = add_db(f, &s->config->dbs[i], err);
        }
    }
    f->now_ms = ls_wall_ms(&ls_clock_system);
    return rc;
}

static void config_done(source *s) { (void)s; }

static const source_ops config_ops = {
    .kind = "configuration", .databases = config_databases, .done = config_done};

ls_code source_open_config(source *s, const ls_config *config, ls_err *err) {
    *s = (source){.ops = &config_ops, .name = strdup("configuration"), .config = config};
    return s->name != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "read the configuration");
}
