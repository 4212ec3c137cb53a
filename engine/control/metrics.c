/*
 * GET /metrics: the text form of Prometheus. Names, labels and help of what the reference has are
 * the reference's; ours follow the same style. Everything of one name stands together, so each
 * metric is a row of a table and walks over the databases.
 */
#include "engine/base/quote.h"
#include "engine/control/internal.h"
#include "engine/litestream.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MS 1000
#define NS 1000000000

typedef struct page {
    ls_buf *out;
    ls_db_state *dbs;
    size_t n;
    ls_last_verify *verified; /* of each database */
    const ls_totals *totals;
    ls_err *err;
    ls_code rc;
} page;

static void add(page *p, const char *fmt, ...) LS_PRINTF(2, 3);
static void add(page *p, const char *fmt, ...) {
    va_list args;

    va_start(args, fmt);
    if (p->rc == LS_OK)
        p->rc = ls_buf_vaddf(p->out, p->err, fmt, args);
    va_end(args);
}

static void head(page *p, const char *name, const char *type, const char *help) {
    add(p, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: Prometheus refuses the whole page for one byte that is no UTF-8. */
static void label(page *p, const char *text) {
    size_t left = strlen(text);
    uint32_t rune;

    while (left > 0) {
        size_t n = ls_utf8_decode(text, left, &rune);
        if (n == 1 && rune == 0xfffd)
            add(p, "\xef\xbf\xbd");
        else if (rune == '\n')
            add(p, "\\n");
        else
            add(p, "%s%.*s", rune == '"' || rune == '\\' ? "\\" : "", (int)n, text);
        text += n;
        left -= n;
    }
}

/* value / scale, exactly. */
static void number(page *p, int64_t value, int64_t scale) {
    int digits = scale == NS ? 9 : 3;

    if (scale == 1)
        add(p, " %" PRId64 "\n", value);
    else if (value < 0)
        add(p, " -1\n");
    else
        add(p, " %" PRId64 ".%0*" PRId64 "\n", value / scale, digits, value % scale);
}

static void open_db(page *p, const char *name, const ls_db_state *s) {
    add(p, "%s{db=\"", name);
    label(p, s->path);
}

/* ---- one number for each database ---- */

#define GET(name_, expression)                                                                     \
    static int64_t get_##name_(const ls_db_state *s) { return (int64_t)(expression); }
GET(db_size, s->db_size)
GET(wal_size, s->wal_size)
GET(captured_bytes, s->captured_bytes)
GET(txid, s->txid)
GET(captures, s->captures.done)
GET(capture_errors, s->captures.failed)
GET(capture_ns, s->captures.ns)
GET(verify_errors, s->compaction_verify_errors)
GET(disk_full, s->disk_full)
GET(replica_txid, s->replica_txid)
GET(lag, s->lag_ms)
GET(last_capture, s->last_capture_ms)
GET(last_upload, s->last_upload_ms)
GET(last_sync, s->last_sync_ms)
GET(last_checkpoint, s->last_checkpoint_ms)
GET(last_snapshot, s->last_snapshot_ms)
GET(stalled, s->status == LS_DB_STALLED || s->status == LS_DB_BEHIND)
GET(capture_row, s->capture_error.count)
GET(upload_row, s->upload_error.count)
GET(maint_row, s->maint_error.count)
#undef GET

typedef struct db_metric {
    const char *name, *type, *help;
    int64_t scale;
    int64_t (*get)(const ls_db_state *s);
} db_metric;

static const db_metric db_metrics[] = {
    {"litestream_db_size", "gauge", "The current size of the real DB", 1, get_db_size},
    {"litestream_wal_size", "gauge", "The current size of the real WAL", 1, get_wal_size},
    {"litestream_total_wal_bytes", "counter", "Total number of bytes written to shadow WAL", 1,
     get_captured_bytes},
    {"litestream_txid", "gauge", "The current transaction ID", 1, get_txid},
    {"litestream_sync_count", "counter", "Number of sync operations performed", 1, get_captures},
    {"litestream_sync_error_count", "counter", "Number of sync errors that have occurred", 1,
     get_capture_errors},
    {"litestream_sync_seconds", "counter", "Time spent syncing shadow WAL, in seconds", NS,
     get_capture_ns},
    {"litestream_compaction_verify_error_count", "counter",
     "Number of post-compaction verification failures", 1, get_verify_errors},
    {"litestream_disk_full", "gauge",
     "Whether replication is paused because the local disk is full", 1, get_disk_full},
    {"litestream_replica_txid", "gauge", "The newest transaction ID on the replica", 1,
     get_replica_txid},
    {"litestream_replica_lag_seconds", "gauge",
     "Age of the oldest commit that the replica lacks, 0 if it has all", MS, get_lag},
    {"litestream_last_capture_timestamp_seconds", "gauge",
     "When something was captured last, -1 for never", MS, get_last_capture},
    {"litestream_last_upload_timestamp_seconds", "gauge",
     "When something was uploaded last, -1 for never", MS, get_last_upload},
    {"litestream_last_sync_timestamp_seconds", "gauge",
     "When the replica was last known to be up to date, -1 for never", MS, get_last_sync},
    {"litestream_last_checkpoint_timestamp_seconds", "gauge",
     "When the last checkpoint was made, -1 for never", MS, get_last_checkpoint},
    {"litestream_last_snapshot_timestamp_seconds", "gauge",
     "When the last snapshot was written, -1 for never", MS, get_last_snapshot},
    {"litestream_stalled", "gauge",
     "Whether capture or replica have been behind for longer than a minute", 1, get_stalled},
    {"litestream_capture_errors_in_a_row", "gauge", "Captures that failed since the last good one",
     1, get_capture_row},
    {"litestream_upload_errors_in_a_row", "gauge", "Uploads that failed since the last good one", 1,
     get_upload_row},
    {"litestream_maint_errors_in_a_row", "gauge",
     "Compactions, snapshots and retentions that failed since the last good one", 1, get_maint_row},
};

static void add_db_metrics(page *p) {
    for (size_t m = 0; m < sizeof db_metrics / sizeof *db_metrics; m++) {
        const db_metric *metric = &db_metrics[m];
        head(p, metric->name, metric->type, metric->help);
        for (size_t i = 0; i < p->n; i++) {
            open_db(p, metric->name, &p->dbs[i]);
            add(p, "\"}");
            number(p, metric->get(&p->dbs[i]), metric->scale);
        }
    }
}

/* ---- several for each database ---- */

static void add_status(page *p) {
    head(p, "litestream_db_status", "gauge", "1 for the status that the database has");
    for (size_t i = 0; i < p->n; i++) {
        open_db(p, "litestream_db_status", &p->dbs[i]);
        add(p, "\",status=\"%s\"} 1\n", ls_db_status_name(p->dbs[i].status));
    }
}

typedef enum checkpoint_value {
    CHECKPOINT_DONE,
    CHECKPOINT_FAILED,
    CHECKPOINT_NS
} checkpoint_value;

static void add_checkpoint(page *p, const char *name, const char *help, checkpoint_value which) {
    static const char *const modes[] = {"PASSIVE", "RESTART", "TRUNCATE"};

    head(p, name, "counter", help);
    for (size_t i = 0; i < p->n; i++) {
        for (int mode = 0; mode < LS_CHECKPOINT_MODES; mode++) {
            const ls_count *c = &p->dbs[i].checkpoints[mode];
            if (c->done == 0)
                continue;
            open_db(p, name, &p->dbs[i]);
            add(p, "\",mode=\"%s\"}", modes[mode]);
            number(p,
                   which == CHECKPOINT_NS       ? c->ns
                   : which == CHECKPOINT_FAILED ? (int64_t)c->failed
                                                : (int64_t)c->done,
                   which == CHECKPOINT_NS ? NS : 1);
        }
    }
}

static void add_checkpoints(page *p) {
    add_checkpoint(p, "litestream_checkpoint_count", "Number of checkpoint operations performed",
                   CHECKPOINT_DONE);
    add_checkpoint(p, "litestream_checkpoint_error_count",
                   "Number of checkpoint errors that have occurred", CHECKPOINT_FAILED);
    add_checkpoint(p, "litestream_checkpoint_seconds", "Time spent checkpointing WAL, in seconds",
                   CHECKPOINT_NS);
}

/* By base name, as the reference does. */
static void add_l0(page *p) {
    static const char name[] = "litestream_l0_retention_files_total";

    head(p, name, "gauge", "Number of L0 files by status during retention enforcement");
    for (size_t i = 0; i < p->n; i++) {
        const ls_l0_state *l0 = &p->dbs[i].l0;
        const struct {
            const char *status;
            uint64_t n;
        } rows[] = {{"eligible", l0->eligible},
                    {"not_compacted", l0->not_compacted},
                    {"too_recent", l0->too_recent}};
        for (size_t k = 0; k < 3 && l0->any; k++) {
            add(p, "%s{db=\"", name);
            label(p, ls_path_base(p->dbs[i].path));
            add(p, "\",status=\"%s\"} %" PRIu64 "\n", rows[k].status, rows[k].n);
        }
    }
}

static void add_level(page *p, const char *name, const char *help, bool bytes) {
    head(p, name, "gauge", help);
    for (size_t i = 0; i < p->n; i++) {
        for (int l = 0; l <= LS_LTX_LEVEL_MAX && p->dbs[i].levels_ms >= 0; l++) {
            const ls_level_state *level = &p->dbs[i].levels[l];
            open_db(p, name, &p->dbs[i]);
            add(p, "\",level=\"%d\"} %" PRIu64 "\n", l,
                bytes ? level->bytes : (uint64_t)level->files);
        }
    }
}

static void add_levels(page *p) {
    add_level(p, "litestream_level_files", "Files on the replica by level, as last listed", false);
    add_level(p, "litestream_level_bytes", "Bytes on the replica by level, as last listed", true);
}

/* ---- the last verify ---- */

static int64_t verify_at(const ls_last_verify *v) { return v->at_ms; }
static int64_t verify_ok(const ls_last_verify *v) { return v->ok; }
static int64_t verify_findings(const ls_last_verify *v) { return (int64_t)v->findings; }

static void add_verify(page *p, const char *name, const char *help, int64_t scale,
                       int64_t (*get)(const ls_last_verify *v)) {
    head(p, name, "gauge", help);
    for (size_t i = 0; i < p->n; i++) {
        if (!p->verified[i].any)
            continue;
        open_db(p, name, &p->dbs[i]);
        add(p, "\"}");
        number(p, get(&p->verified[i]), scale);
    }
}

static void add_verifies(page *p) {
    add_verify(p, "litestream_last_verify_timestamp_seconds", "When the replica was last verified",
               MS, verify_at);
    add_verify(p, "litestream_last_verify_ok",
               "Whether everything could be restored at the last verify", 1, verify_ok);
    add_verify(p, "litestream_last_verify_findings", "Findings of the last verify", 1,
               verify_findings);
}

/* ---- requests to stores ---- */

static void open_op(page *p, const char *name, const ls_op_total *t) {
    add(p, "%s{replica_type=\"%s\",operation=\"%s\"", name, t->replica_type,
        ls_store_op_name(t->op));
}

static void add_op_totals(page *p) {
    head(p, "litestream_replica_operation_total", "counter",
         "The number of replica operations performed");
    for (size_t i = 0; i < p->totals->n_ops; i++) {
        open_op(p, "litestream_replica_operation_total", &p->totals->ops[i]);
        add(p, "} %" PRIu64 "\n", p->totals->ops[i].count);
    }
    head(p, "litestream_replica_operation_bytes", "counter",
         "The number of bytes used by replica operations");
    for (size_t i = 0; i < p->totals->n_ops; i++) {
        open_op(p, "litestream_replica_operation_bytes", &p->totals->ops[i]);
        add(p, "} %" PRIu64 "\n", p->totals->ops[i].bytes);
    }
}

static void add_durations(page *p) {
    static const char *const ends[LS_OP_BUCKETS] = {"0.01", "0.05", "0.1", "0.5", "1",
                                                    "5",    "10",   "30",  "60"};
    static const char name[] = "litestream_replica_operation_duration_seconds";

    head(p, name, "histogram", "Duration of replica operations by type and operation");
    for (size_t i = 0; i < p->totals->n_ops; i++) {
        const ls_op_total *t = &p->totals->ops[i];
        for (int b = 0; b < LS_OP_BUCKETS; b++) {
            open_op(p, "litestream_replica_operation_duration_seconds_bucket", t);
            add(p, ",le=\"%s\"} %" PRIu64 "\n", ends[b], t->within[b]);
        }
        open_op(p, "litestream_replica_operation_duration_seconds_bucket", t);
        add(p, ",le=\"+Inf\"} %" PRIu64 "\n", t->count);
        open_op(p, "litestream_replica_operation_duration_seconds_sum", t);
        add(p, "}");
        number(p, t->ns, NS);
        open_op(p, "litestream_replica_operation_duration_seconds_count", t);
        add(p, "} %" PRIu64 "\n", t->count);
    }
}

static void add_op_errors(page *p) {
    static const char name[] = "litestream_replica_operation_errors_total";

    head(p, name, "counter",
         "Number of replica operation errors by type, operation, and error code");
    for (size_t i = 0; i < p->totals->n_ops; i++) {
        for (int code = 0; code < LS_ERROR_CODES; code++) {
            uint64_t n = p->totals->ops[i].failed[code];
            if (n == 0)
                continue;
            open_op(p, name, &p->totals->ops[i]);
            add(p, ",code=\"%s\"} %" PRIu64 "\n", ls_code_name((ls_code)code), n);
        }
    }
}

/* ---- the daemon ---- */

static void add_queues(page *p) {
    head(p, "litestream_queue_jobs", "gauge", "Jobs that wait for a thread, by pool");
    for (int q = 0; q < LS_QUEUES; q++)
        add(p, "litestream_queue_jobs{pool=\"%s\"} %zu\n", ls_queue_name((ls_queue)q),
            p->totals->queued[q]);
    head(p, "litestream_running_jobs", "gauge", "Jobs that run, by pool");
    for (int q = 0; q < LS_QUEUES; q++)
        add(p, "litestream_running_jobs{pool=\"%s\"} %zu\n", ls_queue_name((ls_queue)q),
            p->totals->running[q]);
    head(p, "litestream_calls_total", "counter", "Requests of other threads that were answered");
    add(p, "litestream_calls_total %" PRIu64 "\n", p->totals->calls);
    head(p, "litestream_build_info", "gauge", "Version of litestream and of the linked SQLite");
    add(p, "litestream_build_info{version=\"%s\",sqlite=\"%s\"} 1\n", ls_version(),
        ls_sqlite_version());
}

/* Resident memory in bytes, -1 where the system does not tell. */
static int64_t resident(void) {
    FILE *f = fopen("/proc/self/statm", "re");
    long long size, pages;

    if (f == NULL)
        return -1;
    int n = fscanf(f, "%lld %lld", &size, &pages);
    (void)fclose(f);
    return n == 2 ? pages * sysconf(_SC_PAGESIZE) : -1;
}

static int64_t open_files(void) {
    DIR *dir = opendir("/proc/self/fd");
    int64_t n = -3; /* ".", ".." and the one of the folder */

    if (dir == NULL)
        return -1;
    while (readdir(dir) != NULL)
        n++;
    (void)closedir(dir);
    return n;
}

static int64_t time_ns(const struct timeval *t) {
    return (int64_t)t->tv_sec * NS + (int64_t)t->tv_usec * 1000;
}

static void add_process(page *p, int64_t started_ms) {
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_SELF, &usage);
    head(p, "process_cpu_seconds_total", "counter",
         "Total user and system CPU time spent in seconds.");
    add(p, "process_cpu_seconds_total");
    number(p, time_ns(&usage.ru_utime) + time_ns(&usage.ru_stime), NS);
    head(p, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.");
    add(p, "process_resident_memory_bytes %" PRId64 "\n", resident());
    head(p, "process_open_fds", "gauge", "Number of open file descriptors.");
    add(p, "process_open_fds %" PRId64 "\n", open_files());
    head(p, "process_start_time_seconds", "gauge",
         "Start time of the process since unix epoch in seconds.");
    add(p, "process_start_time_seconds");
    number(p, started_ms, MS);
}

/* ---- the page ---- */

static ls_last_verify *load_verifies(const ls_db_state *dbs, size_t n) {
    ls_last_verify *v = calloc(n + 1, sizeof *v);
    ls_err ignored = LS_ERR_INIT;

    for (size_t i = 0; i < n && v != NULL; i++) {
        if (dbs[i].meta_path == NULL ||
            ls_last_verify_load(dbs[i].meta_path, &v[i], &ignored) != LS_OK)
            v[i].any = false;
    }
    return v;
}

static ls_code write_page(page *p, int64_t started_ms) {
    add_db_metrics(p);
    add_status(p);
    add_checkpoints(p);
    add_l0(p);
    add_levels(p);
    add_verifies(p);
    add_op_totals(p);
    add_durations(p);
    add_op_errors(p);
    add_queues(p);
    add_process(p, started_ms);
    return p->rc;
}

void ls_handle_metrics(ls_request *r) {
    ls_err err = LS_ERR_INIT;
    ls_totals *totals = calloc(1, sizeof *totals);
    page p = {.out = &r->text, .err = &err, .totals = totals};

    ls_code rc = totals == NULL ? ls_fail(&err, LS_ENOMEM, "out of memory")
                                : ls_store_totals(r->control->store, totals, &err);
    if (rc == LS_OK)
        rc = ls_store_states(r->control->store, &p.dbs, &p.n, &err);
    if (rc == LS_OK) {
        p.verified = load_verifies(p.dbs, p.n);
        rc = p.verified == NULL ? ls_fail(&err, LS_ENOMEM, "out of memory")
                                : write_page(&p, r->control->started_ms);
        ls_store_states_free(p.dbs, p.n);
    }
    free(p.verified);
    free(totals);
    r->status = MHD_HTTP_OK;
    r->type = "text/plain; version=0.0.4; charset=utf-8";
    if (rc != LS_OK)
        ls_answer_err(r, 0, &err);
}
