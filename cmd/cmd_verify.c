/* litestream verify: is everything that a replica promises restorable? */
#include "cmd/litestream.h"
#include "cmd/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS 6
#define REDRAW_NS (100 * LS_MS)

typedef struct verify_args {
    ls_config_args config;
    const char *level;
    bool full;
    bool json;
} verify_args;

typedef struct verify_job {
    const verify_args *args;
    ls_cmd_source source;
    ls_table findings;
    size_t rows; /* without the header */
    bool seen[LS_FINDING_KINDS];
    ls_code code;  /* what went wrong while findings were collected, */
    ls_err err;    /* and how */
    bool progress; /* is shown */
    int64_t drawn_ns;
} verify_job;

/* ---- while it runs ---- */

static void note_finding(void *arg, const ls_finding *f) {
    verify_job *job = arg;
    char key[LS_STORAGE_KEY_SIZE], from[LS_TXID_SIZE], to[LS_TXID_SIZE];
    const char *file = job->args->json ? "" : "-";

    job->seen[f->kind] = job->seen[f->kind] || !f->harmless || f->kind == LS_FINDING_TIME;
    if (f->file.min_txid != 0)
        file = ls_storage_key(&f->file, key);
    job->rows++;
    ls_code rc = LS_TABLE_ROW(&job->findings, &job->err, f->harmless ? "note" : "error",
                              ls_finding_name(f->kind), file, ls_txid_format(f->from, from),
                              ls_txid_format(f->to, to), f->text);
    job->code = rc != LS_OK ? rc : job->code;
}

static void show_progress(void *arg, const ls_restore_progress *p) {
    verify_job *job = arg;
    char bytes[32];
    int64_t now = ls_mono_ns(&ls_clock_system);

    if (!job->progress || (job->drawn_ns != 0 && now - job->drawn_ns < REDRAW_NS))
        return;
    job->drawn_ns = now;
    fprintf(stderr, "\r\033[Kverify: %zu of %zu files, %d %% of %s", p->files_done, p->files,
            p->bytes > 0 ? (int)(p->bytes_done / (p->bytes / 100 + 1)) : 0,
            ls_bytes_format(p->bytes, bytes, sizeof bytes));
}

static void end_progress(const verify_job *job) {
    if (job->drawn_ns != 0)
        fputs("\r\033[K", stderr);
}

/* ---- the outcome ---- */

/* What to do about a kind of finding. */
static const char *hint_of(ls_finding_kind kind) {
    static const char *const hints[] = {
        [LS_FINDING_BAD_FILE] =
            "restore points that need a damaged file are lost; what is newer than the next "
            "snapshot is not. Check the store, and whether two programs write to this replica",
        [LS_FINDING_HOLE] = "the restore points in a hole are lost; list the others with: "
                            "litestream restore-points",
        [LS_FINDING_OVERLAP] = "restores pass over overlapping files, but a replica must have one "
                               "writer: give each database its own path",
        [LS_FINDING_UNREACHABLE] =
            "list what can be restored with: litestream restore-points. If the end cannot be "
            "reached, restart litestream replicate: it begins with a new full copy",
        [LS_FINDING_COVERAGE] =
            "whoever wrote the file left out pages that a growing database got; a later snapshot "
            "holds them. Restarting litestream replicate makes one if the end cannot be restored",
        [LS_FINDING_INTEGRITY] =
            "run PRAGMA integrity_check on the database itself: if that fails too, it was damaged "
            "before it was replicated",
        [LS_FINDING_TIME] =
            "copies of a replica must keep the files' times (cp -p, rsync -t); restores by -txid "
            "are not affected",
    };

    return hints[kind];
}

static void print_summary(const verify_job *job, const ls_verify_result *r) {
    char bytes[32], txid[LS_TXID_SIZE];

    printf("verified %zu files, %s: ", r->files, ls_bytes_format(r->bytes, bytes, sizeof bytes));
    if (r->bad_files > 0)
        printf("%zu damaged, ", r->bad_files);
    if (strcmp(job->args->level, "all") != 0) {
        printf("%zu findings at level %s\n", r->findings, job->args->level);
        return;
    }
    if (r->points_bad > 0)
        printf("%zu of %zu restore points cannot be restored, ", r->points_bad, r->points);
    else
        printf("all %zu restore points can be restored, ", r->points);
    if (r->txid != 0)
        printf("the newest is %s", ls_txid_format(r->txid, txid));
    else
        fputs("there is no newest", stdout);
    if (job->args->full && r->txid != 0)
        printf("%s", job->seen[LS_FINDING_INTEGRITY] ? " and is no sound database"
                                                     : ", SQLite's integrity check is ok");
    printf(", %zu findings\n", r->findings);
}

static void print_text(const verify_job *job, const ls_verify_result *r) {
    if (job->rows > 0) {
        ls_table_write(&job->findings, stdout);
        putchar('\n');
    }
    print_summary(job, r);
    for (int kind = 0; kind < LS_FINDING_KINDS; kind++) {
        if (job->seen[kind])
            printf("hint: %s\n", hint_of((ls_finding_kind)kind));
    }
}

static void print_json(const verify_job *job, const ls_verify_result *r) {
    static const char *const keys[] = {"severity", "finding", "file", "from", "to", "text"};
    char txid[LS_TXID_SIZE];
    ls_json j;

    ls_json_init(&j, stdout);
    ls_json_object(&j, NULL);
    ls_json_bool(&j, "ok", r->ok);
    ls_json_str(&j, "level", job->args->level);
    ls_json_bool(&j, "full", job->args->full);
    ls_json_uint(&j, "files", r->files);
    ls_json_uint(&j, "bad_files", r->bad_files);
    ls_json_uint(&j, "bytes", r->bytes);
    ls_json_uint(&j, "points", r->points);
    ls_json_uint(&j, "points_bad", r->points_bad);
    ls_json_str(&j, "txid", r->txid != 0 ? ls_txid_format(r->txid, txid) : NULL);
    ls_table_json(&job->findings, &j, "findings", keys, 0);
    ls_json_object_end(&j);
    ls_json_end(&j);
}

/* Nothing there at all is no backup, whatever was promised. */
static ls_code fail_empty(const verify_job *job, ls_err *err) {
    const char *url = ls_storage_url(job->source.storage);
    ls_v3_bounds v3;
    ls_code rc = ls_v3_find_bounds(job->source.storage, &v3, err);

    if (rc != LS_OK)
        return rc;
    (void)ls_fail(err, LS_ENOBACKUP, "no backups found");
    if (v3.any)
        return ls_hint(err,
                       "%s holds a backup of version 0.3, which is verified by restoring it: "
                       "litestream restore -integrity-check full",
                       url);
    return ls_hint(err, "nothing is stored at %s", url);
}

/* Beside the database, for litestream status. A database that was never captured here has no
 * folder to keep it in. */
static void remember(const verify_job *job, const ls_verify_result *r) {
    const ls_db_config *db = job->source.db;
    ls_err err = LS_ERR_INIT;

    if (db == NULL || strcmp(job->args->level, "all") != 0)
        return;
    const ls_last_verify v = {.ok = r->ok,
                              .full = job->args->full,
                              .at_ms = ls_wall_ms(&ls_clock_system),
                              .txid = r->txid,
                              .files = r->files,
                              .findings = r->findings};
    char *meta = db->meta_path != NULL ? strdup(db->meta_path) : ls_db_default_meta_path(db->path);
    ls_code rc = meta == NULL ? ls_fail(&err, LS_ENOMEM, "out of memory")
                              : ls_last_verify_save(meta, &v, &err);
    free(meta);
    if (rc == LS_OK || rc == LS_ENOTFOUND)
        return;
    fputs("Warning: the result is not kept: ", stderr);
    ls_write_safe(err.msg, stderr);
    fputc('\n', stderr);
}

/* ---- the command ---- */

static ls_code verify(verify_job *job, ls_verify_result *result, ls_err *err) {
    const bool all = strcmp(job->args->level, "all") == 0;
    const ls_verify_opts opts = {
        .level = all ? -1 : job->args->level[0] - '0',
        .full = job->args->full,
        .cancel = ls_catch_signals(),
        .finding = note_finding,
        .progress = show_progress,
        .arg = job,
    };

    if (!all && job->args->full) {
        (void)ls_fail(err, LS_EINVALID, "cannot use -full with -level %s", job->args->level);
        return ls_hint(err, "the newest restore point needs all levels");
    }
    job->progress = !job->args->json && isatty(2) == 1;
    ls_code rc =
        LS_TABLE_ROW(&job->findings, err, "severity", "finding", "file", "from", "to", "what");
    if (rc == LS_OK)
        rc = ls_verify(job->source.storage, &opts, result, err);
    end_progress(job);
    if (rc == LS_OK && job->code != LS_OK) {
        *err = job->err;
        rc = job->code;
    }
    return rc;
}

static ls_code conclude(const verify_job *job, const ls_verify_result *result, ls_err *err) {
    if (result->files == 0 && !result->ok)
        return fail_empty(job, err);
    if (job->args->json)
        print_json(job, result);
    else
        print_text(job, result);
    remember(job, result);
    return result->ok ? LS_OK : LS_ECORRUPT; /* what is wrong was printed */
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    verify_job job = {.args = in->args};
    ls_verify_result result;

    ls_code rc = ls_one_positional(in, "database path or replica URL", err);
    if (rc != LS_OK)
        return rc;
    ls_table_init(&job.findings, COLUMNS);
    rc = ls_cmd_source_open(in, &job.args->config, &job.source, err);
    if (rc == LS_OK)
        rc = verify(&job, &result, err);
    if (rc == LS_OK)
        rc = conclude(&job, &result, err);
    ls_table_done(&job.findings);
    ls_cmd_source_done(&job.source);
    return rc;
}

static const ls_option options[] = {
    LS_CONFIG_OPTIONS(verify_args, config),
    {.name = "level",
     .type = LS_OPT_STRING,
     .field = offsetof(verify_args, level),
     .arg = "LEVEL",
     .def = "all",
     .help = "Level whose files are read, 0 to 9, or all. What restore points need is checked with "
             "all.",
     .check = ls_check_level},
    {.name = "full",
     .type = LS_OPT_BOOL,
     .field = offsetof(verify_args, full),
     .help =
         "Also restores the newest restore point to a scratch file in TMPDIR, or /tmp, and runs "
         "SQLite's integrity_check on it."},
    {.name = "json",
     .type = LS_OPT_BOOL,
     .field = offsetof(verify_args, json),
     .help = "Prints JSON: {ok, level, full, files, bad_files, bytes, points, points_bad, txid, "
             "findings: [{severity, finding, file, from, to, text}]}."},
    {0},
};

const ls_command ls_cmd_verify = {
    .name = "verify",
    .summary = "check that everything on a replica can be restored",
    .usage = (const char *const[]){"[options] DB_PATH", "[options] REPLICA_URL", NULL},
    .about =
        "The verify command reads every file of a replica and says whether all that it promises "
        "can be restored. The exit status is 0 only if so; run it from time to time, and let "
        "somebody know when it fails.\n\n"
        "Checked are: names, headers, every page and the checksum of each file; that the TXIDs of "
        "the files of a level join; and for each restore point, each TXID that restore -txid "
        "takes, that the files which lead there hold every page. Little memory is needed: one "
        "entry for each file.\n\n"
        "A finding is one of: bad-file; hole (TXIDs are missing within a level); overlap; "
        "unreachable (files that no chain leads to); coverage (a page is in no file); integrity "
        "(SQLite's check failed); time (files have lost their times). What lies below the oldest "
        "restore point is a note, not an "
        "error: retention leaves such things.\n\n"
        "With a database, time and result are kept beside it; litestream status -json shows them.",
    .options = options,
    .examples = (const char *const[]){"litestream verify /path/to/db",
                                      "litestream verify -full file:///backup/db",
                                      "litestream verify -json file:///backup/db", NULL},
    .args_size = sizeof(verify_args),
    .run = run,
};
