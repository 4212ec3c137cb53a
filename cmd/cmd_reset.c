/* litestream reset: throws away local state, so that the next sync starts with a full snapshot. */
#include "cmd/litestream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct reset_args {
    ls_config_args config;
    bool dry_run;
} reset_args;

/* The meta directory: the configuration is asked only where -config names one. */
static ls_code meta_path(const reset_args *args, const char *path, char **meta, ls_err *err) {
    const ls_db_config *db = NULL;
    ls_config config;

    ls_config_init(&config);
    if (args->config.config != NULL) {
        ls_code rc = ls_load_config(&args->config, &config, err);
        if (rc == LS_OK)
            rc = ls_config_lookup(&config, path, &db, err);
        if (rc != LS_OK) {
            ls_config_done(&config);
            return ls_wrap(err, "cannot read config");
        }
    }
    *meta =
        db != NULL && db->meta_path != NULL ? strdup(db->meta_path) : ls_db_default_meta_path(path);
    ls_config_done(&config);
    return *meta == NULL ? ls_fail(err, LS_ENOMEM, "out of memory") : LS_OK;
}

static ls_code check_database(const char *path, ls_err *err) {
    struct stat st;

    if (stat(path, &st) == 0)
        return LS_OK;
    if (errno == ENOENT)
        return ls_fail(err, LS_ENOTFOUND, "database does not exist: %s", path);
    return ls_fail_errno(err, errno, "cannot access database: %s", path);
}

static void print_file(void *arg, const char *path) {
    bool *any = arg;

    if (!*any)
        printf("Files that would be removed:\n");
    *any = true;
    printf("  %s\n", path);
}

static ls_code dry_run(const char *path, const char *meta, ls_err *err) {
    bool any = false;
    uint64_t bytes;
    size_t files;

    printf("Dry run: local Litestream state would be reset for: %s\nWould remove: %s/ltx\n", path,
           meta);
    ls_code rc = ls_db_reset_preview(meta, print_file, &any, &files, &bytes, err);
    if (rc != LS_OK)
        return ls_wrap(err, "dry run failed");
    printf("%s\n", any ? "No files were removed." : "No local LTX files would be removed.");
    return LS_OK;
}

static ls_code remove_state(const char *path, const char *meta, ls_err *err) {
    size_t files;

    printf("Resetting local Litestream state for: %s\nRemoving: %s/ltx\n", path, meta);
    ls_code rc = ls_db_reset(meta, &files, err);
    if (rc == LS_OK)
        printf("Reset complete. Next replication sync will create a fresh snapshot.\n");
    return rc;
}

static ls_code reset(const reset_args *args, const char *path, const char *meta, ls_err *err) {
    struct stat st;

    if (stat(meta, &st) != 0 && errno == ENOENT) {
        printf("No local state to reset for %s\nMeta directory does not exist: %s\n", path, meta);
        return LS_OK;
    }
    return args->dry_run ? dry_run(path, meta, err) : remove_state(path, meta, err);
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    const reset_args *args = in->args;
    char *path = NULL, *meta = NULL;

    ls_code rc = ls_one_positional(in, "database path", err);
    if (rc == LS_OK)
        rc = ls_path_expand(in->pos[0], &path, err);
    if (rc == LS_OK)
        rc = meta_path(args, path, &meta, err);
    if (rc == LS_OK)
        rc = check_database(path, err);
    if (rc == LS_OK)
        rc = reset(args, path, meta, err);
    free(meta);
    free(path);
    return rc;
}

static const ls_option options[] = {
    LS_CONFIG_OPTIONS(reset_args, config),
    {.name = "dry-run",
     .type = LS_OPT_BOOL,
     .field = offsetof(reset_args, dry_run),
     .help = "Prints what would be removed and removes nothing."},
    {0},
};

const ls_command ls_cmd_reset = {
    .name = "reset",
    .summary = "reset local state for a database",
    .usage = (const char *const[]){"[options] DB_PATH", NULL},
    .about = "The reset command removes a database's local LTX files, so that the next sync begins "
             "with a full snapshot. The database and its replica are not touched. Stop replication "
             "of the database first.\n\n"
             "The configuration is read only where -config is given, to find the database's "
             "meta-path.",
    .options = options,
    .examples = (const char *const[]){"litestream reset /path/to/db",
                                      "litestream reset -dry-run /path/to/db", NULL},
    .args_size = sizeof(reset_args),
    .run = run,
};
