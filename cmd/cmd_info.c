/* litestream info and list: what a running daemon is, and which databases it has. */
#include "cmd/daemon.h"
#include "cmd/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* "2026-11-21T09:02:20.123Z" to seconds, as the reference shows times to people. */
static void print_seconds(const char *time) {
    char text[32];
    ls_err ignored = LS_ERR_INIT;
    int64_t ms;

    if (ls_time_parse(time, &ms, &ignored) == LS_OK)
        time = ls_time_format(ms, false, text, sizeof text);
    ls_write_safe(time, stdout);
}

/* ---- info ---- */

static void info_text(const json_t *a) {
    char uptime[32];
    int64_t seconds = ls_daemon_number(a, "uptime_seconds");

    if (seconds < 0 || seconds > INT64_MAX / LS_SEC)
        seconds = 0;
    fputs("Litestream ", stdout);
    ls_write_safe(ls_daemon_text(a, "version"), stdout);
    printf("\n  PID:        %" PRId64 "\n", ls_daemon_number(a, "pid"));
    printf("  Uptime:     %s\n", ls_duration_format(seconds * LS_SEC, uptime, sizeof uptime));
    fputs("  Started at: ", stdout);
    print_seconds(ls_daemon_text(a, "started_at"));
    printf("\n  Databases:  %" PRId64 "\n", ls_daemon_number(a, "database_count"));
}

static void info_json(const json_t *a) {
    ls_json j;

    ls_json_init(&j, stdout);
    ls_json_object(&j, NULL);
    ls_json_str(&j, "version", ls_daemon_text(a, "version"));
    ls_json_int(&j, "pid", ls_daemon_number(a, "pid"));
    ls_json_int(&j, "uptime_seconds", ls_daemon_number(a, "uptime_seconds"));
    ls_json_str(&j, "started_at", ls_daemon_text(a, "started_at"));
    ls_json_int(&j, "database_count", ls_daemon_number(a, "database_count"));
    ls_json_object_end(&j);
    ls_json_end(&j);
}

/* ---- list ---- */

static void list_text(const json_t *a) {
    const json_t *list = json_object_get(a, "databases"), *db;
    size_t i;

    if (json_array_size(list) == 0)
        puts("No databases configured");
    json_array_foreach(list, i, db) {
        const char *synced = ls_daemon_text(db, "last_sync_at");
        ls_write_safe(ls_daemon_text(db, "path"), stdout);
        fputs(" [", stdout);
        ls_write_safe(ls_daemon_text(db, "status"), stdout);
        fputs("] (last sync: ", stdout);
        print_seconds(synced[0] == '\0' ? "never" : synced);
        puts(")");
    }
}

static void list_json(const json_t *a) {
    const json_t *list = json_object_get(a, "databases"), *db;
    size_t i;
    ls_json j;

    ls_json_init(&j, stdout);
    ls_json_object(&j, NULL);
    ls_json_array(&j, "databases");
    json_array_foreach(list, i, db) {
        ls_json_object(&j, NULL);
        ls_json_str(&j, "path", ls_daemon_text(db, "path"));
        ls_json_str(&j, "status", ls_daemon_text(db, "status"));
        if (json_object_get(db, "last_sync_at") != NULL)
            ls_json_str(&j, "last_sync_at", ls_daemon_text(db, "last_sync_at"));
        ls_json_object_end(&j);
    }
    ls_json_array_end(&j);
    ls_json_object_end(&j);
    ls_json_end(&j);
}

/* ---- the commands ---- */

static ls_code show(const ls_invocation *in, const char *path, void (*text)(const json_t *),
                    void (*json)(const json_t *), ls_err *err) {
    const ls_daemon_args *args = in->args;
    json_t *answer = NULL;

    ls_code rc = ls_daemon_positionals(in, 0, err);
    if (rc == LS_OK)
        rc = ls_daemon_timeout(args, err);
    if (rc == LS_OK)
        rc = ls_daemon_call(in, args, "GET", path, NULL, &answer, err);
    if (rc == LS_OK)
        (args->json ? json : text)(answer);
    json_decref(answer);
    return rc;
}

static ls_code run_info(const ls_invocation *in, ls_err *err) {
    return show(in, "/info", info_text, info_json, err);
}

static ls_code run_list(const ls_invocation *in, ls_err *err) {
    return show(in, "/list", list_text, list_json, err);
}

typedef struct info_args {
    ls_daemon_args daemon;
} info_args;

static const ls_option info_options[] = {
    LS_DAEMON_OPTIONS(info_args, daemon, "10",
                      "Prints JSON: {version, pid, uptime_seconds, started_at, database_count}."),
    {0},
};

static const ls_option list_options[] = {
    LS_DAEMON_OPTIONS(info_args, daemon, "10",
                      "Prints JSON: {databases: [{path, status, last_sync_at}]}."),
    {0},
};

const ls_command ls_cmd_info = {
    .name = "info",
    .summary = "show daemon information",
    .usage = (const char *const[]){"[options]", NULL},
    .about = "The info command shows version, process id and age of a running daemon, and how many "
             "databases it has.",
    .options = info_options,
    .examples = (const char *const[]){"litestream info", "litestream info -json", NULL},
    .args_size = sizeof(info_args),
    .run = run_info,
};

const ls_command ls_cmd_list = {
    .name = "list",
    .summary = "list all managed databases",
    .usage = (const char *const[]){"[options]", NULL},
    .about = "The list command lists the databases of a running daemon, with those that were "
             "registered, and when the replica of each was last known to be up to date.\n\n"
             "The status is one of: replicating; open (by replicate -once); stopped.",
    .options = list_options,
    .examples = (const char *const[]){"litestream list", NULL},
    .args_size = sizeof(info_args),
    .run = run_list,
};
