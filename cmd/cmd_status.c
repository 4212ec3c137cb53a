/* litestream status: what lies on this machine, by configuration and local files alone. */
#include "cmd/litestream.h"
#include "cmd/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIZE_TEXT 32
#define DAEMON_TIMEOUT_NS (2 * LS_SEC)

typedef struct status_args {
    ls_config_args config;
    bool json;
} status_args;

typedef struct db_status {
    const char *name; /* path, or that of a folder of databases */
    const char *status;
    char txid[LS_TXID_SIZE];
    char wal[SIZE_TEXT];
    ls_last_verify verified; /* any false: not known */
    const json_t *live;      /* what a running daemon says of it; NULL: nothing */
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
    if (ls_last_verify_load(meta, &s->verified, &ignored) != LS_OK)
        s->verified.any = false;
    free(meta);
    if (rc == LS_OK && txid > 0)
        ls_txid_format(txid, s->txid);
    s->status = rc != LS_OK && rc != LS_ENOTFOUND ? "error" : txid > 0 ? "ok" : "not initialized";
    return LS_OK;
}

static ls_code examine(const ls_db_config *db, db_status *s, ls_err *err) {
    struct stat st;

    *s = (db_status){.name = db->path, .status = "no database", .txid = "-", .wal = "-"};
    if (stat(db->path, &st) != 0 && errno == ENOENT)
        return LS_OK;
    ls_code rc = wal_size(db, s->wal, err);
    return rc == LS_OK ? local_txid(db, s, err) : rc;
}

/* filter: a database path as in the configuration; NULL: all. */
static ls_code collect(const ls_config *config, const char *filter, db_status *list, size_t *n,
                       ls_err *err) {
    ls_code rc = LS_OK;

    for (size_t i = 0; i < config->n_dbs + config->n_found && rc == LS_OK; i++) {
        const ls_db_config *db =
            i < config->n_dbs ? &config->dbs[i] : config->found[i - config->n_dbs];
        if (db->path != NULL && (filter == NULL || strcmp(filter, db->path) == 0))
            rc = examine(db, &list[(*n)++], err);
    }
    return rc;
}

static ls_code print_text(const db_status *list, size_t n, ls_err *err) {
    ls_table table;

    ls_table_init(&table, 4);
    ls_code rc = LS_TABLE_ROW(&table, err, "database", "status", "local txid", "wal size");
    for (size_t i = 0; i < n && rc == LS_OK; i++)
        rc = LS_TABLE_ROW(&table, err, list[i].name, list[i].status, list[i].txid, list[i].wal);
    if (rc == LS_OK)
        ls_table_write(&table, stdout);
    ls_table_done(&table);
    return rc;
}

static void print_verified(ls_json *j, const ls_last_verify *v) {
    char time[32], txid[LS_TXID_SIZE];

    if (!v->any) {
        ls_json_str(j, "last_verify", NULL);
        return;
    }
    ls_json_object(j, "last_verify");
    ls_json_str(j, "at", ls_time_format(v->at_ms, false, time, sizeof time));
    ls_json_bool(j, "ok", v->ok);
    ls_json_bool(j, "full", v->full);
    ls_json_str(j, "txid", v->txid != 0 ? ls_txid_format(v->txid, txid) : NULL);
    ls_json_uint(j, "files", v->files);
    ls_json_uint(j, "findings", v->findings);
    ls_json_object_end(j);
}

/* ---- what a running daemon adds ---- */

/* A daemon that is not there or does not answer at once adds nothing, and is no error. */
static json_t *ask_daemon(const ls_config *config) {
    const char *path = config->socket_path == NULL ? LS_SOCKET_DEFAULT_PATH : config->socket_path;
    ls_err ignored = LS_ERR_INIT;
    ls_client *client = NULL;
    json_t *answer = NULL;

    if (!config->socket_enabled || ls_client_new(path, &client, &ignored) != LS_OK)
        return NULL;
    ls_code rc =
        ls_client_call(client, "GET", "/databases", NULL, DAEMON_TIMEOUT_NS, &answer, &ignored);
    ls_client_free(client);
    if (rc == LS_OK)
        return answer;
    json_decref(answer);
    return NULL;
}

static void add_live(db_status *list, size_t n, const json_t *answer) {
    const json_t *db;
    size_t i;

    json_array_foreach(json_object_get(answer, "databases"), i, db) {
        const char *path = json_string_value(json_object_get(db, "path"));
        for (size_t k = 0; path != NULL && k < n; k++) {
            if (strcmp(list[k].name, path) == 0)
                list[k].live = db;
        }
    }
}

static void print_live(ls_json *j, const json_t *live) {
    static const char *const keys[] = {"status", "replica_txid", "last_sync_at"};

    if (live == NULL) {
        ls_json_str(j, "daemon", NULL);
        return;
    }
    ls_json_object(j, "daemon");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        ls_json_str(j, keys[i], json_string_value(json_object_get(live, keys[i])));
    ls_json_int(j, "lag_ms", json_integer_value(json_object_get(live, "lag_ms")));
    ls_json_object_end(j);
}

static void print_json(const db_status *list, size_t n) {
    ls_json j;

    ls_json_init(&j, stdout);
    ls_json_array(&j, NULL);
    for (size_t i = 0; i < n; i++) {
        ls_json_object(&j, NULL);
        ls_json_str(&j, "database", list[i].name);
        ls_json_str(&j, "status", list[i].status);
        ls_json_str(&j, "local_txid", list[i].txid);
        ls_json_str(&j, "wal_size", list[i].wal);
        print_verified(&j, &list[i].verified);
        print_live(&j, list[i].live);
        ls_json_object_end(&j);
    }
    ls_json_array_end(&j);
    ls_json_end(&j);
}

/* Nothing is printed if one cannot be examined. */
static ls_code show(const ls_config *config, const char *filter, bool json, ls_err *err) {
    size_t n = 0;
    db_status *list = calloc(config->n_dbs + config->n_found + 1, sizeof *list);

    if (list == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    ls_code rc = collect(config, filter, list, &n, err);
    json_t *answer = rc == LS_OK && json ? ask_daemon(config) : NULL;
    add_live(list, n, answer);
    if (rc == LS_OK && json)
        print_json(list, n);
    else if (rc == LS_OK)
        rc = print_text(list, n, err);
    json_decref(answer);
    free(list);
    return rc;
}

/* With one also the databases of folders that are to be shown are added to what the configuration
 * names. */
static ls_code filter_path(const ls_invocation *in, ls_config *config, char **filter, ls_err *err) {
    const ls_db_config *db = NULL;

    *filter = NULL;
    if (in->n_pos == 0)
        return ls_store_find_dirs(config, err);
    ls_code rc = ls_path_expand(in->pos[0], filter, err);
    if (rc == LS_OK)
        rc = ls_config_lookup(config, *filter, &db, err);
    if (rc != LS_OK || db != NULL)
        return rc;
    (void)ls_fail(err, LS_ENOTFOUND, "database not found in config: %s", *filter);
    return ls_hint(err, "list the databases with: litestream databases");
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    const status_args *args = in->args;
    char *filter = NULL;
    ls_config config;

    ls_code rc = ls_positionals_max(in, 1, err);
    if (rc != LS_OK)
        return rc;
    rc = ls_load_config(&args->config, &config, err);
    if (rc == LS_OK)
        rc = filter_path(in, &config, &filter, err);
    if (rc == LS_OK)
        rc = show(&config, filter, args->json, err);
    free(filter);
    ls_config_done(&config);
    return rc;
}

static const ls_option options[] = {
    LS_CONFIG_OPTIONS(status_args, config),
    {.name = "json",
     .type = LS_OPT_BOOL,
     .field = offsetof(status_args, json),
     .help =
         "Prints JSON: an array of {database, status, local_txid, wal_size, last_verify, "
         "daemon}; last_verify is null or what litestream verify found last: {at, ok, full, txid, "
         "files, findings}; daemon is null or what a running daemon says whose socket the "
         "configuration names: {status, replica_txid, last_sync_at, lag_ms}."},
    {0},
};

const ls_command ls_cmd_status = {
    .name = "status",
    .summary = "display replication status for databases",
    .usage = (const char *const[]){"[options] [DB_PATH]", NULL},
    .about = "The status command shows for each database in the configuration, or for one, whether "
             "it is there, the newest transaction captured on this machine, and the size of its "
             "WAL. It contacts no replica, and a "
             "daemon only for -json.\n\n"
             "The status is one of: ok; not initialized (nothing captured yet); no database (the "
             "file is missing); error (local state cannot be read).",
    .options = options,
    .examples =
        (const char *const[]){"litestream status", "litestream status -json /path/to/db", NULL},
    .args_size = sizeof(status_args),
    .run = run,
};
