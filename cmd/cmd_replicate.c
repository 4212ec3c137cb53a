/* litestream replicate: the daemon. */
#include "cmd/child.h"
#include "cmd/reread.h"
#include "cmd/serve.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

typedef struct replicate_args {
    ls_config_args config;
    const char *exec;
    const char *log_level;
    bool restore_if_db_not_exists;
    bool once;
    bool force_snapshot;
    bool enforce_retention;
} replicate_args;

static ls_code check_log_level(const char *value, ls_err *err) {
    static const char *const names[] = {"trace", "debug", "info", "warn", "error", NULL};
    ls_level level;

    if (ls_level_parse(value, &level))
        return LS_OK;
    (void)ls_fail(err, LS_EINVALID, "unknown level");
    const char *near = ls_nearest(value, names);
    if (near != NULL)
        return ls_hint(err, "did you mean %s?", near);
    return ls_hint(err, "one of trace, debug, info, warn, error");
}

/* ---- what to replicate ---- */

static ls_code from_arguments(const ls_invocation *in, ls_config *config, ls_err *err) {
    const replicate_args *args = in->args;

    if (in->n_pos == 1) {
        (void)ls_fail(err, LS_EINVALID, "must specify at least one replica URL for %s", in->pos[0]);
        return ls_hint(err, "litestream replicate %s file:///backup/folder", in->pos[0]);
    }
    if (args->config.config != NULL)
        return ls_fail(err, LS_EINVALID, "cannot specify a replica URL and the -config flag");
    for (int i = 1; i < in->n_pos; i++) {
        if (in->pos[i][0] == '-')
            return ls_fail(err, LS_EINVALID,
                           "flag \"%s\" must be positioned before DB_PATH and REPLICA_URL "
                           "arguments",
                           in->pos[i]);
    }
    if (in->n_pos > 2) {
        (void)ls_fail(err, LS_EINVALID,
                      "multiple replicas on a single database are no longer supported");
        return ls_hint(err, "give one replica URL");
    }
    return ls_config_add(config, in->pos[0], in->pos[1], err);
}

static ls_code read_config(const ls_invocation *in, ls_config *config, ls_err *err) {
    const replicate_args *args = in->args;

    if (in->n_pos == 0)
        return ls_read_config(&args->config, config, err);
    ls_config_init(config);
    return from_arguments(in, config, err);
}

/* The flag counts more than the configuration. NULL: none. */
static const char *exec_command(const replicate_args *args, const ls_config *config) {
    return args->exec != NULL && args->exec[0] != '\0' ? args->exec : config->exec;
}

static ls_code check_flags(const replicate_args *args, const ls_config *config, ls_err *err) {
    if (args->once && exec_command(args, config) != NULL)
        return ls_fail(err, LS_EINVALID, "cannot specify -once flag with -exec");
    if (args->force_snapshot && !args->once)
        return ls_fail(err, LS_EINVALID, "cannot specify -force-snapshot flag without -once");
    if (args->enforce_retention && !args->once)
        return ls_fail(err, LS_EINVALID, "cannot specify -enforce-retention flag without -once");
    return LS_OK;
}

/* ---- before the start ---- */

static void stop_signals(sigset_t *set) {
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGTERM);
}

/* From its first line to the loop that handles it the daemon lets a signal wait: killed in between
 * it would end by another status than a moment later. A single pass may be killed at any time. */
static void hold_signals(void) {
    sigset_t set;

    stop_signals(&set);
    (void)sigaddset(&set, SIGHUP);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
}

/* A restore may take long, and a signal ends it. */
static ls_code restore_from(const ls_db_config *db, ls_storage *storage, ls_err *err) {
    ls_restore_opts opts = {
        .output = db->path, .timestamp_ms = LS_NO_TIMESTAMP, .cancel = ls_catch_signals()};
    ls_restore_result result;
    sigset_t set, before;

    stop_signals(&set);
    (void)sigprocmask(SIG_UNBLOCK, &set, &before);
    ls_code rc = ls_restore(storage, &opts, &result, err);
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
    if (rc == LS_OK && ls_canceled(opts.cancel))
        return ls_fail(err, LS_ECANCELED, "interrupted");
    return rc;
}

/* A missing database with restore-if-db-not-exists comes from its replica, if there is one. */
static ls_code restore_missing(const ls_db_config *db, const ls_log *log, ls_err *err) {
    const ls_attr *path = LS_ATTRS(LS_STR("path", db->path));
    ls_storage *storage = NULL;
    struct stat st;

    if (stat(db->path, &st) == 0 || errno != ENOENT) {
        ls_log_write(log, LS_INFO, "database exists, skipping restore", path);
        return LS_OK;
    }
    if (!db->has_replica)
        return ls_fail(err, LS_ECONFIG, "no replica configured for database: %s", db->path);
    ls_log_write(log, LS_INFO, "attempting restore before replication", path);
    ls_code rc = ls_config_storage(db, &storage, err);
    if (rc != LS_OK)
        return ls_wrap(err, "cannot create replica for restore: %s", db->path);
    ls_storage_set_log(storage, log);
    rc = restore_from(db, storage, err);
    ls_storage_free(storage);
    if (rc == LS_ENOBACKUP) {
        ls_err_clear(err);
        ls_log_write(log, LS_INFO, "no backup found, starting fresh", path);
        return LS_OK;
    }
    if (rc != LS_OK)
        return ls_wrap(err, "restore failed: %s", db->path);
    ls_log_write(log, LS_INFO, "restore completed", path);
    return LS_OK;
}

static ls_code restore_all(const ls_config *config, bool every, const ls_log *log, ls_err *err) {
    ls_code rc = LS_OK;

    for (size_t i = 0; i < config->n_dbs && rc == LS_OK; i++) {
        const ls_db_config *db = &config->dbs[i];
        if (db->path != NULL && (every || db->restore_if_db_not_exists))
            rc = restore_missing(db, log, err);
    }
    return rc;
}

static ls_code announce(const ls_db_config *db, const ls_log *log, ls_err *err) {
    ls_storage *storage = NULL;

    if (db->dir != NULL)
        return LS_OK; /* the store says what it has found */
    ls_code rc = ls_config_storage(db, &storage, err);
    if (rc != LS_OK)
        return db->path == NULL ? rc : ls_wrap(err, "%s", db->path);
    const char *url = ls_storage_url(storage);
    ls_log_write(log, LS_INFO, "initialized db", LS_ATTRS(LS_STR("path", db->path)));
    ls_log_write(log, LS_INFO, "replicating to",
                 LS_ATTRS(LS_STR("type", ls_storage_type(storage)),
                          LS_DUR("sync-interval", db->replica.sync_interval),
                          LS_STR("path", ls_has_prefix(url, "file://") ? url + 7 : url)));
    ls_storage_free(storage);
    return LS_OK;
}

/* ---- the run ---- */

/* A database takes about a dozen descriptors; the usual limit of 1024 is for programs that call
 * select(). */
static void raise_file_limit(void) {
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static ls_code run_once(ls_store *store, const replicate_args *args, ls_err *err) {
    const ls_store_once_opts opts = {.force_snapshot = args->force_snapshot,
                                     .enforce_retention = args->enforce_retention};

    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGTERM, SIG_DFL);
    ls_code rc = ls_store_once(store, &opts, err);

    return rc == LS_ENOTREADY ? ls_hint(err, "check the path; -once does not wait for a database")
                              : rc;
}

/* A run with a child: it begins when the databases are ready, and ends when the child has. */
typedef struct child_run {
    ls_store *store;
    ls_child *child;
    const ls_log *log;
    ls_err err; /* of its start */
} child_run;

static void on_child_ended(void *arg) {
    const child_run *r = arg;

    ls_log_write(r->log, LS_INFO, "subprocess exited, litestream shutting down", NULL);
    ls_store_stop(r->store);
}

static void on_ready(void *arg) {
    child_run *r = arg;

    if (ls_child_start(r->child, on_child_ended, r, &r->err) != LS_OK)
        ls_store_stop(r->store);
}

static bool on_signal(void *arg, int signum) {
    const child_run *r = arg;

    return ls_child_signal(r->child, signum);
}

static ls_code run_with_child(ls_store *store, ls_child *child, const ls_log *log, int *status,
                              ls_err *err) {
    child_run r = {.store = store, .child = child, .log = log, .err = LS_ERR_INIT};
    const ls_store_hooks hooks = {.ready = on_ready, .signal = on_signal, .arg = &r};
    ls_err own = LS_ERR_INIT;

    ls_store_set_hooks(store, &hooks);
    ls_code rc = ls_store_run(store, &own);
    if (r.err.code != LS_OK) {
        *err = r.err;
        return r.err.code;
    }
    /* A last sync that failed was logged; how the child ended is what its caller asks for. */
    if (ls_child_result(child, status, err) != LS_OK)
        return err->code;
    *err = own;
    return rc;
}

static ls_code run_daemon(ls_store *store, ls_child *child, const ls_log *log, int *status,
                          ls_err *err) {
    return child == NULL ? ls_store_run(store, err)
                         : run_with_child(store, child, log, status, err);
}

static ls_code run_store(const ls_config *config, const ls_invocation *in, ls_child *child,
                         const ls_log *log, ls_err *err) {
    const replicate_args *args = in->args;
    ls_rereader rereader = {.args = &args->config, .first = config, .log = log};
    ls_store *store = NULL;
    ls_serve serve;

    ls_code rc = ls_store_new(config, log, &store, err);
    if (rc == LS_OK && in->n_pos == 0)
        ls_store_set_reread(store, ls_reread_config, &rereader);
    for (size_t i = 0; i < config->n_dbs && rc == LS_OK; i++)
        rc = announce(&config->dbs[i], log, err);
    if (rc == LS_OK) {
        ls_serve_start(&serve, store, config, log);
        rc = args->once ? run_once(store, args, err)
                        : run_daemon(store, child, log, in->status, err);
        ls_serve_stop(&serve);
    }
    ls_store_free(store);
    if (rc == LS_OK && args->once)
        ls_log_write(log, LS_INFO, "one-shot replication complete", NULL);
    return rc;
}

static void say_start(const ls_invocation *in, const ls_config *config, const ls_log *log) {
    const replicate_args *args = in->args;
    const char *level = args->log_level != NULL ? args->log_level : config->log_level_text;

    if (in->n_pos > 0 && level == NULL)
        level = "INFO";
    ls_log_write(
        log, LS_INFO, "litestream",
        LS_ATTRS(LS_STR("version", ls_version()), LS_STR("level", level == NULL ? "" : level)));
    ls_warn_passed_over(config, log);
    if (!config->retention_enabled)
        ls_log_write(log, LS_WARN,
                     "retention disabled; cloud provider lifecycle policies must handle retention",
                     LS_ATTRS(LS_STR("hint", "a database that no one writes to gets no new "
                                             "snapshots: a rule that deletes by age alone may "
                                             "delete its last one")));
    if (config->n_dbs == 0)
        ls_log_write(log, LS_ERROR, "no databases specified in configuration", NULL);
}

static ls_code replicate(const ls_invocation *in, ls_config *config, ls_err *err) {
    const replicate_args *args = in->args;
    const char *command = exec_command(args, config);
    ls_log log = ls_config_log(config, args->log_level);
    ls_child *child = NULL;

    ls_child_remember();
    if (!args->once)
        hold_signals();
    raise_file_limit();
    ls_code rc = command == NULL ? LS_OK : ls_child_new(command, &log, &child, err);
    if (rc == LS_OK) {
        say_start(in, config, &log);
        rc = restore_all(config, args->restore_if_db_not_exists, &log, err);
    }
    if (rc == LS_OK)
        rc = run_store(config, in, child, &log, err);
    if (rc == LS_OK || ls_child_started(child))
        ls_log_write(&log, LS_INFO, "litestream shut down", NULL);
    ls_child_free(child);
    return rc;
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    ls_config config;

    ls_code rc = read_config(in, &config, err);
    if (rc == LS_OK)
        rc = check_flags(in->args, &config, err);
    if (rc == LS_OK)
        rc = replicate(in, &config, err);
    ls_config_done(&config);
    return rc;
}

#define FIELD(name) offsetof(replicate_args, name)

static const ls_option options[] = {
    LS_CONFIG_OPTIONS(replicate_args, config),
    {.name = "log-level",
     .type = LS_OPT_STRING,
     .field = FIELD(log_level),
     .arg = "LEVEL",
     .help = "Least level that is logged: trace, debug, info, warn or error. Counts more than "
             "LOG_LEVEL in the environment and the configuration.",
     .check = check_log_level},
    {.name = "restore-if-db-not-exists",
     .type = LS_OPT_BOOL,
     .field = FIELD(restore_if_db_not_exists),
     .help = "Restores each missing database from its replica first, if there is a backup."},
    {.name = "once",
     .type = LS_OPT_BOOL,
     .field = FIELD(once),
     .help = "Captures and uploads every database once, then exits."},
    {.name = "exec",
     .type = LS_OPT_STRING,
     .field = FIELD(exec),
     .arg = "COMMAND",
     .help = "Runs a command as a child once the databases are ready, without a shell, and ends "
             "when it has ended, after a last sync, with its exit status (128 and the signal's "
             "number where a signal killed it). SIGINT, SIGTERM, SIGUSR1 and SIGUSR2 are passed on "
             "to it. Counts more than exec in the configuration."},
    {.name = "force-snapshot",
     .type = LS_OPT_BOOL,
     .field = FIELD(force_snapshot),
     .help = "With -once: also writes a snapshot of every database."},
    {.name = "enforce-retention",
     .type = LS_OPT_BOOL,
     .field = FIELD(enforce_retention),
     .help = "With -once: also deletes snapshots older than snapshot.retention, but for the newest "
             "of these, and what only they need."},
    {0},
};

const ls_command ls_cmd_replicate = {
    .name = "replicate",
    .summary = "runs a server to replicate databases",
    .usage = (const char *const[]){"[options]", "[options] DB_PATH REPLICA_URL", NULL},
    .about = "The replicate command captures what is committed to the databases in the "
             "configuration, or to one database, and uploads it, until it gets SIGINT or SIGTERM. "
             "Meanwhile it compacts what is on the replicas, writes snapshots and deletes what "
             "they cover, on the schedules of the configuration. "
             "On SIGHUP it reads the configuration again: new databases start, missing ones stop "
             "after a last sync, changed ones are stopped and started. "
             "At the end it syncs every database a last time; a second signal skips that. With a "
             "child (-exec) it goes on until the child has ended, and what signals ask for is the "
             "child's to do.\n\n"
             "Where the configuration says so, it can be asked and told things meanwhile by a "
             "control socket (litestream info, list, sync ...), and serves metrics.",
    .options = options,
    .examples = (const char *const[]){"litestream replicate",
                                      "litestream replicate /path/to/db file:///backup/db",
                                      "litestream replicate -exec 'app --port 80'", NULL},
    .args_size = sizeof(replicate_args),
    .run = run,
};
