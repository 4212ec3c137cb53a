/* litestream reset: throws away local state, so that the next sync starts with a full snapshot. */
#include "cmd/litestream.h"

#include <dirent.h>
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

/* Prints the files of one level's folder; *n counts them. */
static ls_code print_level(const char *ltx, int level, size_t *n, ls_err *err) {
    char *dir = ls_asprintf("%s/%d", ltx, level);
    struct dirent **names = NULL;

    if (dir == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    int count = scandir(dir, &names, NULL, alphasort);
    if (count < 0 && errno != ENOENT) {
        ls_code rc = ls_fail_errno(err, errno, "dry run failed: read %s", dir);
        free(dir);
        return rc;
    }
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.') {
            if ((*n)++ == 0)
                printf("Files that would be removed:\n");
            printf("  %s/%s\n", dir, names[i]->d_name);
        }
        free(names[i]);
    }
    free(names);
    free(dir);
    return LS_OK;
}

static ls_code dry_run(const char *path, const char *ltx, ls_err *err) {
    ls_code rc = LS_OK;
    size_t n = 0;

    printf("Dry run: local Litestream state would be reset for: %s\nWould remove: %s\n", path, ltx);
    for (int level = 0; level <= 9 && rc == LS_OK; level++)
        rc = print_level(ltx, level, &n, err);
    if (rc == LS_OK)
        printf("%s\n", n == 0 ? "No local LTX files would be removed." : "No files were removed.");
    return rc;
}

static ls_code remove_state(const char *path, const char *ltx, ls_err *err) {
    printf("Resetting local Litestream state for: %s\nRemoving: %s\n", path, ltx);
    ls_code rc = ls_remove_tree(ltx, err);
    if (rc != LS_OK)
        return ls_wrap(err, "reset failed: remove ltx directory");
    printf("Reset complete. Next replication sync will create a fresh snapshot.\n");
    return LS_OK;
}

static ls_code reset(const reset_args *args, const char *path, const char *meta, ls_err *err) {
    struct stat st;

    if (stat(meta, &st) != 0 && errno == ENOENT) {
        printf("No local state to reset for %s\nMeta directory does not exist: %s\n", path, meta);
        return LS_OK;
    }
    char *ltx = ls_path_join(meta, "ltx");
    if (ltx == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    ls_code rc = args->dry_run ? dry_run(path, ltx, err) : remove_state(path, ltx, err);
    free(ltx);
    return rc;
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
