/* litestream reset: throws away local state, so that the next sync starts with a full snapshot;
 * with -remote a replica (reset_remote.c). */
#include "cmd/reset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* The meta directory: the configuration is asked only where -config names one. */
static ls_code meta_path(const ls_reset_args *args, const char *path, char **meta, ls_err *err) {
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

static ls_code reset(const ls_reset_args *args, const char *path, const char *meta, ls_err *err) {
    struct stat st;

    if (stat(meta, &st) != 0 && errno == ENOENT) {
        printf("No local state to reset for %s\nMeta directory does not exist: %s\n", path, meta);
        return LS_OK;
    }
    return args->dry_run ? dry_run(path, meta, err) : remove_state(path, meta, err);
}

/* They would be passed over in silence otherwise. */
static ls_code check_options(const ls_invocation *in, ls_err *err) {
    static const char *const remote[] = {"yes", "json", "socket"};

    for (size_t i = 0; i < sizeof remote / sizeof *remote; i++) {
        if (ls_given(in, remote[i])) {
            (void)ls_fail(err, LS_EINVALID, "-%s goes with -remote only", remote[i]);
            return ls_hint(err, "without -remote local state is removed, and nobody is asked");
        }
    }
    return LS_OK;
}

static ls_code run_local(const ls_invocation *in, ls_err *err) {
    const ls_reset_args *args = in->args;
    char *path = NULL, *meta = NULL;

    ls_code rc = ls_one_positional(in, "database path", err);
    if (rc == LS_OK)
        rc = check_options(in, err);
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

static ls_code run(const ls_invocation *in, ls_err *err) {
    const ls_reset_args *args = in->args;

    return args->remote ? ls_reset_remote(in, err) : run_local(in, err);
}

static const ls_option options[] = {
    LS_CONFIG_OPTIONS(ls_reset_args, config),
    {.name = "dry-run",
     .type = LS_OPT_BOOL,
     .field = offsetof(ls_reset_args, dry_run),
     .help = "Prints what would be removed and removes nothing."},
    {.name = "remote",
     .type = LS_OPT_BOOL,
     .field = offsetof(ls_reset_args, remote),
     .help = "Deletes the replica instead: all its LTX files, of all levels."},
    {.name = "yes",
     .type = LS_OPT_BOOL,
     .field = offsetof(ls_reset_args, yes),
     .help = "With -remote: deletes without asking."},
    {.name = "json",
     .type = LS_OPT_BOOL,
     .field = offsetof(ls_reset_args, json),
     .help = "With -remote: prints JSON: {dry_run, replica, db_path, files, bytes, first_txid, "
             "last_txid, oldest, newest, others, v03_objects, deleted_files, deleted_bytes, "
             "errors}; errors is an array of {file, error}."},
    {.name = "socket",
     .type = LS_OPT_STRING,
     .field = offsetof(ls_reset_args, socket),
     .arg = "PATH",
     .help = "With -remote: control socket of the daemon that is asked whether it replicates the "
             "database. Without it the one of the configuration counts, else the default one."},
    {0},
};

const ls_command ls_cmd_reset = {
    .name = "reset",
    .summary = "reset local state for a database, or delete its replica",
    .usage = (const char *const[]){"[options] DB_PATH", "-remote [options] DB_PATH",
                                   "-remote [options] REPLICA_URL", NULL},
    .about = "The reset command removes a database's local LTX files, so that the next sync begins "
             "with a full snapshot. The database and its replica are not touched. Stop replication "
             "of the database first.\n\n"
             "The configuration is read only where -config is given, to find the database's "
             "meta-path.\n\n"
             "With -remote the replica goes and everything else stays: all its backups are lost "
             "for good. What would be deleted is shown, and the database's name (without a "
             "configuration the replica's URL) has to be typed; -yes does without, and a program "
             "must give it. It is refused while a daemon replicates the database that is not "
             "stopped. Files of other names, and what version 0.3 left, stay and are told. First "
             "the files go that every restore begins with, from the oldest state on: whenever this "
             "is interrupted, what is left restores right or not at all. Run it again to go on. "
             "The next replication begins with a full copy.",
    .options = options,
    .examples = (const char *const[]){"litestream reset /path/to/db",
                                      "litestream reset -dry-run /path/to/db",
                                      "litestream reset -remote -dry-run /path/to/db",
                                      "litestream reset -remote -yes file:///backup/db", NULL},
    .args_size = sizeof(ls_reset_args),
    .run = run,
};
