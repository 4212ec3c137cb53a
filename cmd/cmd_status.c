/* litestream status: what lies on this machine, by configuration and local files alone. */
#include "cmd/litestream.h"
#include "cmd/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE_TEXT 32

typedef struct status_args {
    ls_config_args config;
    bool json;
} status_args;

typedef struct db_status {
    const char *status;
    char txid[LS_TXID_SIZE];
    char wal[SIZE_TEXT];
} db_status;

static ls_code wal_size(const ls_db_config *db, char text[SIZE_TEXT], ls_err *err) {
    struct stat st;
    char *path = ls_asprintf("%s-wal", db->path);

    if (path == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    if (stat(path, &st) == 0)
        ls_bytes_format((uint64_t)st.st_size, text, SIZE_TEXT);
    else if (errno == ENOENT)
        ls_bytes_format(0, text, SIZE_TEXT);
    free(path);
    return LS_OK;
}

/* Unreadable local state is a status, not a failure of the command. */
static ls_code local_txid(const ls_db_config *db, db_status *s, ls_err *err) {
    char *meta = db->meta_path != NULL ? strdup(db->meta_path) : ls_db_default_meta_path(db->path);
    ls_err ignored = LS_ERR_INIT;
    ls_txid txid = 0;

    if (meta == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    ls_code rc = ls_db_local_txid(meta, &txid, &ignored);
    free(meta);
    if (rc == LS_OK && txid > 0)
        ls_txid_format(txid, s->txid);
    s->status = rc != LS_OK && rc != LS_ENOTFOUND ? "error" : txid > 0 ? "ok" : "not initialized";
    return LS_OK;
}

static ls_code examine(const ls_db_config *db, db_status *s, ls_err *err) {
    struct stat st;

    *s = (db_status){.status = "no database", .txid = "-", .wal = "-"};
    if (stat(db->path, &st) != 0 && errno == ENOENT)
        return LS_OK;
    ls_code rc = wal_size(db, s->wal, err);
    return rc == LS_OK ? local_txid(db, s, err) : rc;
}

static ls_code add_row(const ls_db_config *db, ls_table *table, ls_err *err) {
    db_status s;

    if (db->path == NULL)
        return LS_TABLE_ROW(table, err, db->dir, "error", "-", "-");
    ls_code rc = examine(db, &s, err);
    return rc == LS_OK ? LS_TABLE_ROW(table, err, db->path, s.status, s.txid, s.wal) : rc;
}

/* filter: a database path as in the configuration; NULL: all. */
static ls_code collect(const ls_config *config, const char *filter, ls_table *table, ls_err *err) {
    ls_code rc = LS_TABLE_ROW(table, err, "database", "status", "local txid", "wal size");

    for (size_t i = 0; i < config->n_dbs && rc == LS_OK; i++) {
        const ls_db_config *db = &config->dbs[i];
        if (filter == NULL || (db->path != NULL && strcmp(filter, db->path) == 0))
            rc = add_row(db, table, err);
    }
    return rc;
}

static ls_code filter_path(const ls_invocation *in, const ls_config *config, char **filter,
                           ls_err *err) {
    *filter = NULL;
    if (in->n_pos == 0)
        return LS_OK;
    ls_code rc = ls_path_expand(in->pos[0], filter, err);
    if (rc != LS_OK || ls_config_find(config, *filter) != NULL)
        return rc;
    (void)ls_fail(err, LS_ENOTFOUND, "database not found in config: %s", *filter);
    return ls_hint(err, "list the databases with: litestream databases");
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    static const char *const keys[] = {"database", "status", "local_txid", "wal_size"};
    const status_args *args = in->args;
    char *filter = NULL;
    ls_config config;
    ls_table table;

    ls_code rc = ls_positionals_max(in, 1, err);
    if (rc != LS_OK)
        return rc;
    ls_table_init(&table, 4);
    rc = ls_load_config(&args->config, &config, err);
    if (rc == LS_OK)
        rc = filter_path(in, &config, &filter, err);
    if (rc == LS_OK)
        rc = collect(&config, filter, &table, err);
    if (rc == LS_OK)
        ls_table_print(&table, args->json, keys, 0);
    free(filter);
    ls_table_done(&table);
    ls_config_done(&config);
    return rc;
}

static const ls_option options[] = {
    LS_CONFIG_OPTIONS(status_args, config),
    {.name = "json",
     .type = LS_OPT_BOOL,
     .field = offsetof(status_args, json),
     .help = "Prints JSON: an array of {database, status, local_txid, wal_size}."},
    {0},
};

const ls_command ls_cmd_status = {
    .name = "status",
    .summary = "display replication status for databases",
    .usage = (const char *const[]){"[options] [DB_PATH]", NULL},
    .about = "The status command shows for each database in the configuration, or for one, whether "
             "it is there, the newest transaction captured on this machine, and the size of its "
             "WAL. It contacts neither a daemon nor a replica.\n\n"
             "The status is one of: ok; not initialized (nothing captured yet); no database (the "
             "file is missing); error (local state cannot be read).",
    .options = options,
    .examples =
        (const char *const[]){"litestream status", "litestream status -json /path/to/db", NULL},
    .args_size = sizeof(status_args),
    .run = run,
};
