/* litestream restore: a database back from its replica, once or kept up with it. */
#include "cmd/litestream.h"
#include "cmd/progress.h"
#include "cmd/table.h"
#include "engine/restore/follow.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

typedef struct restore_args {
    ls_config_args config;
    const char *output;
    const char *txid;
    const char *timestamp;
    const char *integrity;
    int64_t follow_interval;
    int64_t parallelism;
    bool if_db_not_exists;
    bool if_replica_exists;
    bool force;
    bool json;
    bool dry_run;
    bool follow;
} restore_args;

/* What the arguments come to. */
typedef struct request {
    const restore_args *args;
    ls_cmd_source source;
    ls_restore_opts opts;
    ls_log log;
} request;

static ls_code parse_integrity(const char *mode, ls_integrity *out, ls_err *err) {
    static const char *const names[] = {"none", "quick", "full", NULL};

    for (int i = 0; names[i] != NULL; i++) {
        if (strcmp(mode, names[i]) == 0) {
            *out = (ls_integrity)i;
            return LS_OK;
        }
    }
    (void)ls_fail(err, LS_EINVALID, "invalid -integrity-check value: %s", mode);
    return ls_hint(err, "one of none, quick, full");
}

static ls_code parse_timestamp(const char *text, int64_t *ms, ls_err *err) {
    ls_err inner = LS_ERR_INIT;

    *ms = LS_NO_TIMESTAMP;
    if (text == NULL || text[0] == '\0' || ls_time_parse(text, ms, &inner) == LS_OK)
        return LS_OK;
    (void)ls_fail(
        err, LS_EINVALID,
        "invalid -timestamp, must specify in ISO 8601 format (e.g. 2000-01-01T00:00:00Z)");
    return ls_hint(err, "\"%.60s\" is no such time", text);
}

/* What cannot be had of a database that goes on. */
static ls_code check_follow(const restore_args *args, ls_err *err) {
    if (!args->follow || !args->dry_run)
        return LS_OK;
    (void)ls_fail(err, LS_EINVALID, "cannot use -dry-run with -f");
    return ls_hint(err, "without -f it shows what the first restore would read");
}

static ls_code parse_request(const restore_args *args, request *r, ls_err *err) {
    r->args = args;
    r->log = LS_LOG_DEFAULT;
    r->opts = (ls_restore_opts){
        .output = args->output,
        .parallelism =
            args->parallelism > 0 && args->parallelism < 1024 ? (int)args->parallelism : 0,
        .force = args->force,
        .cancel = ls_catch_signals(),
    };
    ls_code rc = check_follow(args, err);
    if (rc == LS_OK)
        rc = parse_integrity(args->integrity, &r->opts.integrity, err);
    if (rc == LS_OK)
        rc = parse_timestamp(args->timestamp, &r->opts.timestamp_ms, err);
    if (rc == LS_OK && args->txid != NULL)
        rc = ls_txid_parse(args->txid, &r->opts.txid, err);
    if (rc != LS_OK || args->txid == NULL || r->opts.timestamp_ms == LS_NO_TIMESTAMP)
        return rc;
    (void)ls_fail(err, LS_EINVALID, "cannot specify index & timestamp to restore");
    return ls_hint(err, "give -txid or -timestamp, not both");
}

static ls_code open_source(const ls_invocation *in, request *r, ls_err *err) {
    bool url = ls_is_replica_url(in->pos[0]);

    if (url && r->args->config.config == NULL && r->opts.output == NULL) {
        (void)ls_fail(err, LS_EINVALID, "-o is required when restoring from a replica URL");
        return ls_hint(err, "litestream restore -o /path/to/db %s", in->pos[0]);
    }
    ls_code rc = ls_cmd_source_open(in, &r->args->config, &r->source, err);
    if (rc != LS_OK)
        return rc;
    r->log = ls_config_log(&r->source.config, NULL);
    if (r->opts.output == NULL)
        r->opts.output = r->source.db->path;
    /* Standard output belongs to the result. */
    if (r->args->json || r->args->dry_run)
        r->log.fd = 2;
    return LS_OK;
}

/* ---- bounds in time ---- */

/* From a URL, a time outside of what is there is an error: most likely the URL or the zone is
 * wrong. */
static ls_code check_bounds(const request *r, ls_err *err) {
    int64_t first, last;
    bool any;
    int64_t wanted = r->opts.timestamp_ms;
    char a[32], b[32];

    if (r->source.db != NULL || wanted == LS_NO_TIMESTAMP)
        return LS_OK;
    ls_code rc = ls_restore_bounds(r->source.storage, &any, &first, &last, err);
    if (rc != LS_OK)
        return ls_wrap(err, "created at");
    if (!any) {
        (void)ls_fail(err, LS_ENOBACKUP, "no backups found");
        return ls_hint(err, "nothing is stored at %s", ls_storage_url(r->source.storage));
    }
    if (wanted >= first && wanted <= last)
        return LS_OK;
    (void)ls_fail(err, LS_ENOBACKUP, "timestamp does not exist");
    return ls_hint(err, "the replica reaches from %s to %s",
                   ls_time_format(first, true, a, sizeof a),
                   ls_time_format(last, true, b, sizeof b));
}

/* ---- plan ---- */

static ls_code collect_plan(const ls_plan *plan, ls_table *table, ls_err *err) {
    ls_code rc =
        LS_TABLE_ROW(table, err, "level", "file", "min_txid", "max_txid", "size", "timestamp");

    for (size_t i = 0; i < plan->n && rc == LS_OK; i++) {
        const ls_ltx_info *f = &plan->files[i];
        char level[16], name[LS_LTX_NAME_SIZE], min[LS_TXID_SIZE], max[LS_TXID_SIZE], size[24],
            time[32];
        snprintf(level, sizeof level, "%d", f->level);
        snprintf(size, sizeof size, "%" PRIu64, f->size);
        rc = LS_TABLE_ROW(table, err, level, ls_ltx_name_format(f->min_txid, f->max_txid, name),
                          ls_txid_format(f->min_txid, min), ls_txid_format(f->max_txid, max), size,
                          ls_time_format(f->created_ms, false, time, sizeof time));
    }
    return rc;
}

static void print_plan_json(const request *r, const char *source, const char *min, const char *max,
                            const ls_table *table) {
    static const char *const keys[] = {"level",    "name", "min_txid",
                                       "max_txid", "size", "timestamp"};
    ls_json j;

    ls_json_init(&j, stdout);
    ls_json_object(&j, NULL);
    ls_json_str(&j, "source", source);
    ls_json_str(&j, "target_path", r->opts.output);
    ls_json_str(&j, "replica", ls_storage_type(r->source.storage));
    ls_json_str(&j, "min_txid", min);
    ls_json_str(&j, "max_txid", max);
    ls_table_json(table, &j, "files", keys, 1u << 0 | 1u << 4);
    ls_json_object_end(&j);
    ls_json_end(&j);
}

static void print_plan_text(const request *r, const char *source, const char *min, const char *max,
                            const ls_table *table) {
    printf("Restore plan:\n  source: %s\n  target: %s\n  replica: %s\n  txid range: %s - %s\n\n"
           "Files to fetch:\n",
           source, r->opts.output, ls_storage_type(r->source.storage), min, max);
    ls_table_write(table, stdout);
}

static ls_code print_plan(const request *r, const char *source, ls_err *err) {
    char min[LS_TXID_SIZE], max[LS_TXID_SIZE];
    ls_plan plan = {0};
    ls_table table;

    ls_table_init(&table, 6);
    ls_code rc = ls_plan_make(r->source.storage, r->opts.txid, r->opts.timestamp_ms, &plan, err);
    if (rc == LS_OK)
        rc = collect_plan(&plan, &table, err);
    if (rc == LS_OK) {
        ls_txid_format(plan.files[0].min_txid, min);
        ls_txid_format(plan.files[plan.n - 1].max_txid, max);
        if (r->args->json)
            print_plan_json(r, source, min, max, &table);
        else
            print_plan_text(r, source, min, max, &table);
    }
    ls_table_done(&table);
    ls_plan_done(&plan);
    return rc;
}

/* ---- plan of a restore from v0.3 ---- */

static ls_code add_object(void *table, const ls_object *object, ls_err *err) {
    char size[24], time[32];

    snprintf(size, sizeof size, "%" PRIu64, object->size);
    return LS_TABLE_ROW(table, err, object->key, size,
                        ls_time_format(object->modified_ms, false, time, sizeof time));
}

static void print_v3_plan(const request *r, const char *source, const ls_table *table) {
    static const char *const keys[] = {"name", "size", "timestamp"};
    ls_json j;

    if (!r->args->json) {
        printf("Restore plan:\n  source: %s\n  target: %s\n  replica: %s\n  format: v0.3\n\n"
               "Files to fetch:\n",
               source, r->opts.output, ls_storage_type(r->source.storage));
        ls_table_write(table, stdout);
        return;
    }
    ls_json_init(&j, stdout);
    ls_json_object(&j, NULL);
    ls_json_str(&j, "source", source);
    ls_json_str(&j, "target_path", r->opts.output);
    ls_json_str(&j, "replica", ls_storage_type(r->source.storage));
    ls_json_str(&j, "format", "v0.3");
    ls_table_json(table, &j, "files", keys, 1u << 1);
    ls_json_object_end(&j);
    ls_json_end(&j);
}

/* *chosen false: the restore is one from LTX files, and nothing was printed. */
static ls_code try_v3_plan(const request *r, const char *source, bool *chosen, ls_err *err) {
    ls_table table;

    *chosen = false;
    if (r->opts.txid != 0)
        return LS_OK;
    ls_code rc = ls_v3_chosen(r->source.storage, r->opts.timestamp_ms, chosen, err);
    if (rc != LS_OK || !*chosen)
        return rc;
    ls_table_init(&table, 3);
    rc = LS_TABLE_ROW(&table, err, "file", "size", "timestamp");
    if (rc == LS_OK)
        rc = ls_v3_plan(r->source.storage, r->opts.timestamp_ms, add_object, &table, err);
    if (rc == LS_OK)
        print_v3_plan(r, source, &table);
    ls_table_done(&table);
    return rc;
}

static ls_code dry_run(const request *r, const char *source, ls_err *err) {
    bool v3;
    ls_code rc = try_v3_plan(r, source, &v3, err);

    return rc == LS_OK && !v3 ? print_plan(r, source, err) : rc;
}

/* ---- restore ---- */

static void print_result(const request *r, ls_txid reached, int64_t start_ns) {
    char txid[LS_TXID_SIZE];
    ls_json j;

    if (!r->args->json)
        return;
    ls_json_init(&j, stdout);
    ls_json_object(&j, NULL);
    ls_json_str(&j, "db_path", r->opts.output);
    ls_json_str(&j, "replica", ls_storage_type(r->source.storage));
    ls_json_str(&j, "txid", reached != 0 ? ls_txid_format(reached, txid) : "");
    ls_json_int(&j, "duration_ms", (ls_mono_ns(&ls_clock_system) - start_ns) / LS_MS);
    ls_json_str(&j, "integrity_check", r->args->integrity);
    ls_json_object_end(&j);
    ls_json_end(&j);
}

static ls_code none_is_fine(const request *r, ls_code rc) {
    if (rc != LS_ENOBACKUP || !r->args->if_replica_exists)
        return rc;
    ls_log_write(&r->log, LS_INFO, "no matching backups found", NULL);
    return LS_OK;
}

static void log_checked(const request *r) {
    if (r->opts.integrity != LS_INTEGRITY_NONE)
        ls_log_write(&r->log, LS_INFO, "post-restore integrity check passed",
                     LS_ATTRS(LS_STR("replica", ls_storage_type(r->source.storage))));
}

static ls_code restore(const request *r, ls_err *err) {
    ls_restore_result result;
    ls_restore_opts opts = r->opts;
    ls_progress *progress;
    const int64_t start = ls_mono_ns(&ls_clock_system);

    ls_code rc = ls_progress_start(r->args->json, &progress, err);
    if (rc != LS_OK)
        return rc;
    ls_progress_of(progress, &opts);
    rc = ls_restore(r->source.storage, &opts, &result, err);
    ls_progress_end(progress);
    if (rc != LS_OK)
        return none_is_fine(r, rc);
    log_checked(r);
    print_result(r, result.txid, start);
    return LS_OK;
}

/* ---- follow ---- */

static ls_code start_follow(const request *r, ls_follow **f, ls_err *err) {
    ls_follow_opts opts = {
        .restore = r->opts, .interval_ns = r->args->follow_interval, .log = &r->log};
    ls_progress *progress;

    ls_code rc = ls_progress_start(r->args->json, &progress, err);
    if (rc != LS_OK)
        return rc;
    ls_progress_of(progress, &opts.restore);
    rc = ls_follow_new(r->source.storage, &opts, f, err);
    ls_progress_end(progress);
    return rc;
}

/* Does the output exist, so that nothing is restored? */
static bool resumes(const request *r) {
    struct stat st;

    return !r->opts.force && stat(r->opts.output, &st) == 0 && st.st_size > 0;
}

static ls_code follow(const request *r, ls_err *err) {
    const bool resumed = resumes(r);
    ls_follow *f;
    const int64_t start = ls_mono_ns(&ls_clock_system);

    ls_code rc = start_follow(r, &f, err);
    if (rc != LS_OK)
        return none_is_fine(r, rc);
    if (!resumed) {
        log_checked(r);
        print_result(r, ls_follow_txid(f), start);
        (void)fflush(stdout);
    }
    rc = ls_follow_run(f, err);
    ls_follow_free(f);
    return rc;
}

static bool output_exists(const request *r) {
    struct stat st;

    return r->args->if_db_not_exists && (stat(r->opts.output, &st) == 0 || errno != ENOENT);
}

static ls_code carry_out(const ls_invocation *in, request *r, ls_err *err) {
    ls_code rc = open_source(in, r, err);

    if (rc != LS_OK)
        return rc;
    if (output_exists(r)) {
        ls_log_write(&r->log, LS_INFO, "database already exists, skipping", NULL);
        return LS_OK;
    }
    rc = check_bounds(r, err);
    if (rc != LS_OK)
        return rc;
    if (r->args->dry_run)
        return dry_run(r, in->pos[0], err);
    return r->args->follow ? follow(r, err) : restore(r, err);
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    request r = {0};

    ls_code rc = ls_one_positional(in, "database path or replica URL", err);
    if (rc == LS_OK)
        rc = parse_request(in->args, &r, err);
    if (rc != LS_OK)
        return rc;
    rc = carry_out(in, &r, err);
    ls_cmd_source_done(&r.source);
    return rc;
}

#define FIELD(name) offsetof(restore_args, name)

static const ls_option options[] = {
    {.name = "o",
     .type = LS_OPT_STRING,
     .field = FIELD(output),
     .arg = "PATH",
     .help = "Path of the restored database; needed with a replica URL, otherwise the database's "
             "own path if not given."},
    {.name = "txid",
     .type = LS_OPT_STRING,
     .field = FIELD(txid),
     .arg = "TXID",
     .help = "Restores up to this transaction, inclusive: 16 hexadecimal digits.",
     .check = ls_check_txid},
    {.name = "timestamp",
     .type = LS_OPT_STRING,
     .field = FIELD(timestamp),
     .arg = "TIME",
     .help = "Restores to the last transaction before this moment, such as 2000-01-01T00:00:00Z."},
    {.name = "if-db-not-exists",
     .type = LS_OPT_BOOL,
     .field = FIELD(if_db_not_exists),
     .help = "Does nothing, successfully, if the output exists."},
    {.name = "if-replica-exists",
     .type = LS_OPT_BOOL,
     .field = FIELD(if_replica_exists),
     .help = "Does nothing, successfully, if there is no backup to restore."},
    {.name = "force",
     .type = LS_OPT_BOOL,
     .field = FIELD(force),
     .help = "Replaces an existing output and removes its -wal, -shm and -journal files."},
    {.name = "dry-run",
     .type = LS_OPT_BOOL,
     .field = FIELD(dry_run),
     .help = "Prints which files would be read and writes nothing."},
    {.name = "integrity-check",
     .type = LS_OPT_STRING,
     .field = FIELD(integrity),
     .arg = "MODE",
     .def = "none",
     .help = "SQLite's check of the restored database: none, quick or full. A database that fails "
             "is removed."},
    {.name = "parallelism",
     .type = LS_OPT_INT,
     .field = FIELD(parallelism),
     .arg = "N",
     .def = "8",
     .help = "Threads that decode pages, at most one for each processor."},
    {.name = "json",
     .type = LS_OPT_BOOL,
     .field = FIELD(json),
     .help = "Prints JSON: {db_path, replica, txid, duration_ms, integrity_check}. The log goes to "
             "standard error."},
    {.name = "f",
     .type = LS_OPT_BOOL,
     .field = FIELD(follow),
     .help =
         "Follows: goes on applying changes to the output until SIGINT or SIGTERM, while others "
         "may read it. Where the output exists, it goes on from the TXID in PATH-txid."},
    {.name = "follow-interval",
     .type = LS_OPT_DURATION,
     .field = FIELD(follow_interval),
     .arg = "DURATION",
     .def = "1s",
     .help = "Pause between looks for changes with -f."},
    LS_CONFIG_OPTIONS(restore_args, config),
    {0},
};

const ls_command ls_cmd_restore = {
    .name = "restore",
    .summary = "recovers database backup from a replica",
    .usage = (const char *const[]){"[options] DB_PATH", "[options] REPLICA_URL", NULL},
    .about =
        "The restore command rebuilds a database from its replica: as of the newest "
        "transaction, of a given one, or of a moment. Nothing is printed on success.\n\n"
        "The database is written to PATH.tmp and renamed when it is complete and on the disk; "
        "a failure leaves nothing behind. On a terminal, standard error shows how far it is; "
        "with -json it gets an object each second: {files_done, files, bytes_done, bytes, "
        "pages_written, elapsed_ms, bytes_per_second, seconds_left}.\n\n"
        "A followed database changes by whole transactions, under SQLite's own locks and "
        "journal. Programs that read it should open it read-only, set a busy timeout, and not "
        "set journal_mode. Nobody else may write to it: that is noticed, and it must be "
        "restored again.\n\n"
        "Replicas that Litestream 0.3 wrote are restored too, from files: as of their end or, "
        "with -timestamp, of a moment. They have no TXIDs and cannot be followed. Where a replica "
        "holds both formats, the newer one counts.",
    .options = options,
    .examples =
        (const char *const[]){"litestream restore /path/to/db",
                              "litestream restore -timestamp 2026-01-01T00:00:00Z /path/to/db",
                              "litestream restore -o /tmp/db file:///backup/db",
                              "litestream restore -dry-run -o /tmp/db file:///backup/db",
                              "litestream restore -f -o /srv/copy.db file:///backup/db", NULL},
    .args_size = sizeof(restore_args),
    .run = run,
};
