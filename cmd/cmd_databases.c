/* litestream databases: what the configuration names. */
#include "cmd/litestream.h"
#include "cmd/table.h"

typedef struct databases_args {
    ls_config_args config;
    bool json;
} databases_args;

/* The store is opened, so that a replica that could not be replicated to is an error here too. */
static ls_code add_database(const ls_db_config *db, ls_table *table, ls_err *err) {
    ls_storage *storage = NULL;

    ls_code rc = ls_config_storage(db, &storage, err);
    if (rc != LS_OK)
        return ls_wrap(err, "%s", db->path);
    rc = LS_TABLE_ROW(table, err, db->path, ls_storage_type(storage));
    ls_storage_free(storage);
    return rc;
}

static ls_code collect(const ls_config *config, ls_table *table, ls_err *err) {
    ls_code rc = LS_TABLE_ROW(table, err, "path", "replica");

    for (size_t i = 0; i < config->n_dbs && rc == LS_OK; i++) {
        if (config->dbs[i].path != NULL)
            rc = add_database(&config->dbs[i], table, err);
    }
    for (size_t i = 0; i < config->n_found && rc == LS_OK; i++)
        rc = add_database(config->found[i], table, err);
    return rc;
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    static const char *const keys[] = {"path", "replica"};
    const databases_args *args = in->args;
    ls_config config;
    ls_table table;

    ls_code rc = ls_positionals_max(in, 0, err);
    if (rc != LS_OK)
        return rc;
    ls_table_init(&table, 2);
    rc = ls_load_config(&args->config, &config, err);
    if (rc == LS_OK)
        rc = ls_store_find_dirs(&config, err);
    if (rc == LS_OK)
        rc = collect(&config, &table, err);
    if (rc == LS_OK)
        ls_table_print(&table, args->json, keys, 0);
    ls_table_done(&table);
    ls_config_done(&config);
    return rc;
}

static const ls_option options[] = {
    LS_CONFIG_OPTIONS(databases_args, config),
    {.name = "json",
     .type = LS_OPT_BOOL,
     .field = offsetof(databases_args, json),
     .help = "Prints JSON: an array of {path, replica}."},
    {0},
};

const ls_command ls_cmd_databases = {
    .name = "databases",
    .summary = "list databases specified in config file",
    .usage = (const char *const[]){"[options]", NULL},
    .about = "The databases command lists the databases in the configuration file and the kind of "
             "store each is replicated to.",
    .options = options,
    .examples =
        (const char *const[]){"litestream databases",
                              "litestream databases -json -config /path/to/litestream.yml", NULL},
    .args_size = sizeof(databases_args),
    .run = run,
};
