/* litestream ltx: the LTX files on a replica. */
#include "cmd/litestream.h"
#include "cmd/table.h"

#include <inttypes.h>
#include <string.h>

#define LEVELS 10

typedef struct ltx_args {
    ls_config_args config;
    const char *level;
    bool json;
} ltx_args;

static ls_code add_file(const ls_ltx_info *file, ls_table *table, ls_err *err) {
    char level[16], min[LS_TXID_SIZE], max[LS_TXID_SIZE], size[24], created[32];

    snprintf(level, sizeof level, "%d", file->level);
    snprintf(size, sizeof size, "%" PRIu64, file->size);
    return LS_TABLE_ROW(table, err, level, ls_txid_format(file->min_txid, min),
                        ls_txid_format(file->max_txid, max), size,
                        ls_time_format(file->created_ms, false, created, sizeof created));
}

static ls_code add_level(ls_storage *storage, int level, ls_table *table, ls_err *err) {
    ls_storage_iter *it = NULL;
    bool end = false;

    ls_code rc = ls_storage_list(storage, level, 0, &it, err);
    while (rc == LS_OK && !end) {
        ls_ltx_info file;
        rc = ls_storage_iter_next(it, &file, &end, err);
        if (rc == LS_OK && !end)
            rc = add_file(&file, table, err);
    }
    ls_storage_iter_free(it);
    return rc == LS_OK ? LS_OK
                       : ls_wrap(err, "list level %d of %s", level, ls_storage_url(storage));
}

static ls_code collect(ls_storage *storage, const char *level, ls_table *table, ls_err *err) {
    bool all = strcmp(level, "all") == 0;
    int first = all ? 0 : level[0] - '0';
    int last = all ? LEVELS - 1 : first;

    ls_code rc = LS_TABLE_ROW(table, err, "level", "min_txid", "max_txid", "size", "created");
    for (int i = first; i <= last && rc == LS_OK; i++)
        rc = add_level(storage, i, table, err);
    return rc;
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    static const char *const keys[] = {"level", "min_txid", "max_txid", "size", "timestamp"};
    const ltx_args *args = in->args;
    ls_cmd_source source;
    ls_table table;

    ls_code rc = ls_one_positional(in, "database path or replica URL", err);
    if (rc != LS_OK)
        return rc;
    ls_table_init(&table, 5);
    rc = ls_cmd_source_open(in, &args->config, &source, err);
    if (rc == LS_OK)
        rc = collect(source.storage, args->level, &table, err);
    if (rc == LS_OK)
        ls_table_print(&table, args->json, keys, 1u << 0 | 1u << 3);
    ls_table_done(&table);
    ls_cmd_source_done(&source);
    return rc;
}

static ls_code run_wal(const ls_invocation *in, ls_err *err) {
    fputs("Warning: 'wal' command is deprecated, please use 'ltx' instead\n", stderr);
    return run(in, err);
}

static const ls_option options[] = {
    LS_CONFIG_OPTIONS(ltx_args, config),
    {.name = "level",
     .type = LS_OPT_STRING,
     .field = offsetof(ltx_args, level),
     .arg = "LEVEL",
     .def = "0",
     .help = "Level to list, 0 to 9, or all. Level 9 holds the snapshots.",
     .check = ls_check_level},
    {.name = "json",
     .type = LS_OPT_BOOL,
     .field = offsetof(ltx_args, json),
     .help = "Prints JSON: an array of {level, min_txid, max_txid, size, timestamp}."},
    {0},
};

static const char *const usage[] = {"[options] DB_PATH", "[options] REPLICA_URL", NULL};

const ls_command ls_cmd_ltx = {
    .name = "ltx",
    .summary = "list available LTX files for a database",
    .usage = usage,
    .about = "The ltx command lists the LTX files on a database's replica: one level, or all of "
             "them.",
    .options = options,
    .examples = (const char *const[]){"litestream ltx /path/to/db",
                                      "litestream ltx -level all file:///backup/db", NULL},
    .args_size = sizeof(ltx_args),
    .run = run,
};

const ls_command ls_cmd_wal = {
    .name = "wal",
    .summary = "older name of ltx",
    .usage = usage,
    .about = "The wal command is the older name of the ltx command.",
    .options = options,
    .args_size = sizeof(ltx_args),
    .run = run_wal,
    .hidden = true,
};
