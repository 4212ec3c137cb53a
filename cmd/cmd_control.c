/* litestream start, stop, sync, register and unregister: what a running daemon is told to do. */
#include "cmd/daemon.h"
#include "cmd/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct control_args {
    ls_daemon_args daemon;
    bool wait;           /* sync */
    bool dry_run;        /* unregister */
    const char *replica; /* register */
    bool restore;        /* register */
} control_args;

/* Checks the arguments; makes the body. */
static ls_code prepare(const ls_invocation *in, bool with_timeout, json_t **body, ls_err *err) {
    const control_args *args = in->args;

    *body = NULL;
    ls_code rc = ls_daemon_positionals(in, 1, err);
    if (rc == LS_OK)
        rc = ls_daemon_timeout(&args->daemon, err);
    return rc == LS_OK ? ls_daemon_body(in, &args->daemon, with_timeout, body, err) : rc;
}

/* ---- start, stop ---- */

static ls_code start_or_stop(const ls_invocation *in, const char *path, const char *state,
                             ls_err *err) {
    const control_args *args = in->args;
    json_t *body, *a = NULL;

    ls_code rc = ls_daemon_positionals(in, 1, err);
    if (rc == LS_OK && args->daemon.timeout < 0)
        rc = ls_daemon_timeout(&args->daemon, err);
    if (rc == LS_OK)
        rc = ls_daemon_body(in, &args->daemon, true, &body, err);
    if (rc == LS_OK)
        rc = ls_daemon_call(in, &args->daemon, "POST", path, body, &a, err);
    if (rc == LS_OK) {
        const ls_result_row rows[] = {{"status", ls_daemon_text(a, "status"), 0, NULL},
                                      {"db_path", ls_daemon_text(a, "path"), 0, NULL},
                                      {"state", state, 0, NULL},
                                      {"txid", NULL, ls_daemon_number(a, "txid"), NULL},
                                      {"socket", args->daemon.socket, 0, NULL}};
        ls_daemon_print(args->daemon.json, rows, 5);
    }
    json_decref(a);
    return rc;
}

static ls_code run_start(const ls_invocation *in, ls_err *err) {
    return start_or_stop(in, "/start", "running", err);
}

static ls_code run_stop(const ls_invocation *in, ls_err *err) {
    return start_or_stop(in, "/stop", "stopped", err);
}

/* ---- sync ---- */

static void print_sync(const control_args *args, const json_t *a, int64_t took_ns) {
    ls_result_row rows[4] = {{"db_path", ls_daemon_text(a, "path"), 0, NULL},
                             {"txid", NULL, ls_daemon_number(a, "txid"), NULL}};
    size_t n = 2;

    if (args->wait)
        rows[n++] = (ls_result_row){.key = "replica_txid",
                                    .number = ls_daemon_number(a, "replicated_txid")};
    rows[n++] = (ls_result_row){.key = "duration_ms", .number = took_ns / LS_MS};
    ls_daemon_print(args->daemon.json, rows, n);
}

static ls_code run_sync(const ls_invocation *in, ls_err *err) {
    const control_args *args = in->args;
    json_t *body, *a = NULL;

    ls_code rc = prepare(in, true, &body, err);
    if (rc != LS_OK)
        return rc;
    if (args->wait)
        (void)json_object_set_new(body, "wait", json_true());
    int64_t begin = ls_mono_ns(&ls_clock_system);
    rc = ls_daemon_call(in, &args->daemon, "POST", "/sync", body, &a, err);
    if (rc == LS_OK)
        print_sync(args, a, ls_mono_ns(&ls_clock_system) - begin);
    json_decref(a);
    return rc;
}

/* ---- register ---- */

static const char *spaced(const char *status) {
    return strcmp(status, "already_registered") == 0 ? "already registered" : status;
}

static ls_code need_replica(const ls_invocation *in, ls_err *err) {
    const control_args *args = in->args;

    ls_code rc = ls_daemon_positionals(in, 1, err);
    if (rc != LS_OK || (args->replica != NULL && args->replica[0] != '\0'))
        return rc;
    (void)ls_fail(err, LS_EINVALID, "-replica is required");
    return ls_hint(err, "litestream register -replica file:///backup/db %s", in->pos[0]);
}

static ls_code run_register(const ls_invocation *in, ls_err *err) {
    const control_args *args = in->args;
    json_t *body, *a = NULL;

    ls_code rc = need_replica(in, err);
    if (rc == LS_OK)
        rc = prepare(in, false, &body, err);
    if (rc != LS_OK)
        return rc;
    (void)json_object_set_new(body, "replica_url", json_string(args->replica));
    if (args->restore)
        (void)json_object_set_new(body, "restore_if_db_not_exists", json_true());
    rc = ls_daemon_call(in, &args->daemon, "POST", "/register", body, &a, err);
    if (rc == LS_OK) {
        const char *status = ls_daemon_text(a, "status");
        const ls_result_row rows[] = {{"status", status, 0, spaced(status)},
                                      {"db_path", ls_daemon_text(a, "path"), 0, NULL},
                                      {"replica", args->replica, 0, NULL},
                                      {"socket", args->daemon.socket, 0, NULL}};
        ls_daemon_print(args->daemon.json, rows, 4);
    }
    json_decref(a);
    return rc;
}

/* ---- unregister ---- */

static void preview_json(const control_args *args, const char *path) {
    ls_json j;

    ls_json_init(&j, stdout);
    ls_json_object(&j, NULL);
    ls_json_bool(&j, "dry_run", true);
    ls_json_str(&j, "db_path", path);
    ls_json_str(&j, "socket", args->daemon.socket);
    ls_json_int(&j, "timeout_seconds", args->daemon.timeout);
    ls_json_object_end(&j);
    ls_json_end(&j);
}

/* Nobody is asked. */
static void preview(const control_args *args, const char *path) {
    if (args->daemon.json) {
        preview_json(args, path);
        return;
    }
    fputs("Dry run: unregister request preview\n  database: ", stdout);
    ls_write_safe(path, stdout);
    fputs("\n  socket: ", stdout);
    ls_write_safe(args->daemon.socket, stdout);
    printf("\n  replicas: the replica stays as it is\n"
           "  final sync: the daemon captures and uploads what is committed before it lets go\n"
           "  timeout: %" PRId64 "s\nNo unregister request was sent.\n",
           args->daemon.timeout);
}

static ls_code run_unregister(const ls_invocation *in, ls_err *err) {
    const control_args *args = in->args;
    json_t *body, *a = NULL;

    ls_code rc = prepare(in, true, &body, err);
    if (rc != LS_OK)
        return rc;
    if (args->dry_run) {
        preview(args, ls_daemon_text(body, "path"));
        json_decref(body);
        return LS_OK;
    }
    rc = ls_daemon_call(in, &args->daemon, "POST", "/unregister", body, &a, err);
    if (rc == LS_OK) {
        const ls_result_row rows[] = {{"status", ls_daemon_text(a, "status"), 0, NULL},
                                      {"db_path", ls_daemon_text(a, "path"), 0, NULL},
                                      {"final_txid", NULL, ls_daemon_number(a, "txid"), NULL},
                                      {"socket", args->daemon.socket, 0, NULL}};
        ls_daemon_print(args->daemon.json, rows, 4);
    }
    json_decref(a);
    return rc;
}

/* ---- tables ---- */

static const ls_option start_options[] = {
    LS_DAEMON_OPTIONS(control_args, daemon, "30",
                      "Prints JSON: {status, db_path, state, txid, socket}."),
    {0},
};

static const ls_option sync_options[] = {
    LS_DAEMON_OPTIONS(control_args, daemon, "30",
                      "Prints JSON: {db_path, txid, replica_txid, duration_ms}; replica_txid with "
                      "-wait only."),
    {.name = "wait",
     .type = LS_OPT_BOOL,
     .field = offsetof(control_args, wait),
     .help = "Waits until everything is on the replica as well."},
    {0},
};

static const ls_option register_options[] = {
    LS_DAEMON_OPTIONS(control_args, daemon, "30",
                      "Prints JSON: {status, db_path, replica, socket}."),
    {.name = "replica",
     .type = LS_OPT_STRING,
     .field = offsetof(control_args, replica),
     .arg = "URL",
     .help = "Where the database is replicated to. Required."},
    {.name = "restore-if-db-not-exists",
     .type = LS_OPT_BOOL,
     .field = offsetof(control_args, restore),
     .help = "Restores a missing database from its replica before it is replicated."},
    {0},
};

static const ls_option unregister_options[] = {
    LS_DAEMON_OPTIONS(control_args, daemon, "30",
                      "Prints JSON: {status, db_path, final_txid, socket}; with -dry-run {dry_run, "
                      "db_path, socket, timeout_seconds}."),
    {.name = "dry-run",
     .type = LS_OPT_BOOL,
     .field = offsetof(control_args, dry_run),
     .help = "Shows what would be asked, and asks nobody."},
    {0},
};

const ls_command ls_cmd_start = {
    .name = "start",
    .summary = "start replication for a database",
    .usage = (const char *const[]){"[options] DB_PATH", NULL},
    .about = "The start command starts a database of a running daemon again that was stopped. One "
             "that runs is left as it is, and that is no error.",
    .options = start_options,
    .examples = (const char *const[]){"litestream start /path/to/db", NULL},
    .args_size = sizeof(control_args),
    .run = run_start,
};

const ls_command ls_cmd_stop = {
    .name = "stop",
    .summary = "stop replication for a database",
    .usage = (const char *const[]){"[options] DB_PATH", NULL},
    .about = "The stop command makes a running daemon capture and upload what is committed to a "
             "database, and then close it. It stays listed and can be started again; a restart of "
             "the daemon starts it too.",
    .options = start_options,
    .examples = (const char *const[]){"litestream stop /path/to/db", NULL},
    .args_size = sizeof(control_args),
    .run = run_stop,
};

const ls_command ls_cmd_sync = {
    .name = "sync",
    .summary = "force an immediate sync for a database",
    .usage = (const char *const[]){"[options] DB_PATH", NULL},
    .about = "The sync command makes a running daemon capture at once what is committed to a "
             "database, and with -wait upload it, before it returns.",
    .options = sync_options,
    .examples = (const char *const[]){"litestream sync -wait /path/to/db", NULL},
    .args_size = sizeof(control_args),
    .run = run_sync,
};

const ls_command ls_cmd_register = {
    .name = "register",
    .summary = "register a database for replication",
    .usage = (const char *const[]){"[options] DB_PATH", NULL},
    .about = "The register command adds a database to a running daemon, with default settings, "
             "until the daemon ends. To keep it, add it to the configuration as well. A path that "
             "the daemon knows is left as it is, and that is no error.",
    .options = register_options,
    .examples =
        (const char *const[]){"litestream register -replica file:///backup/db /path/to/db", NULL},
    .args_size = sizeof(control_args),
    .run = run_register,
};

const ls_command ls_cmd_unregister = {
    .name = "unregister",
    .summary = "unregister a database from replication",
    .usage = (const char *const[]){"[options] DB_PATH", NULL},
    .about = "The unregister command makes a running daemon capture and upload what is committed "
             "to a database, and then forget it. What is on the replica stays. A path that the "
             "daemon does not know is no error.",
    .options = unregister_options,
    .examples = (const char *const[]){"litestream unregister -dry-run /path/to/db",
                                      "litestream unregister /path/to/db", NULL},
    .args_size = sizeof(control_args),
    .run = run_unregister,
};
