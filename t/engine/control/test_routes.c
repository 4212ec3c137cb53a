/*
 * Every route of the control server and every error it has, against a scripted store; the page that
 * describes them.
 */
#include "engine/control/routes.h"

#include "engine/control/internal.h"
#include "engine/litestream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "t/engine/control/kit.h"

#define A "{\"path\":\"/a\"}"
#define B "{\"path\":\"/b\"}"
#define C "{\"path\":\"/c\"}"

/* ---- the reference's routes ---- */

static void test_info_list_txid(void **state) {
    fixture *f = *state;
    char text[128];

    snprintf(text, sizeof text, "{\"version\":\"%s\",\"pid\":%d,\"uptime_seconds\":0,",
             ls_version(), (int)getpid());
    expect_part(f, "GET", "/info", NULL, 200, text);
    expect_part(f, "GET", "/info", NULL, 200, ",\"database_count\":2}\n");
    expect_part(f, "GET", "/info", NULL, 200, "Content-Type: application/json\r\n");
    expect(f, "GET", "/list", NULL, 200,
           "{\"databases\":[{\"path\":\"/a\",\"status\":\"replicating\",\"last_sync_at\":\"2023-11-"
           "14T22:13:20.123Z\"},{\"path\":\"/b\",\"status\":\"stopped\"}]}");
    expect(f, "GET", "/txid?path=/a", NULL, 200, "{\"txid\":5}");
    expect(f, "GET", "/txid?path=sqlite%3A//%2F.%2Fb", NULL, 200, "{\"txid\":9}");
    expect(f, "GET", "/txid", NULL, 400, "{\"error\":\"path required\"}");
    expect(f, "GET", "/txid?path=", NULL, 400, "{\"error\":\"path required\"}");
    expect(f, "GET", "/txid?path=/c", NULL, 404, "{\"error\":\"database not found\"}");
    expect_part(f, "HEAD", "/list", NULL, 200, "Content-Length: 12");
    reply r = ask(f, "HEAD", "/list", NULL);
    assert_string_equal(r.body, "");
    free(r.text);
}

static void test_start_stop(void **state) {
    fixture *f = *state;

    expect(f, "POST", "/start", A, 200,
           "{\"status\":\"already_running\",\"path\":\"/a\",\"txid\":5}");
    expect(f, "POST", "/start", B, 200, "{\"status\":\"started\",\"path\":\"/b\",\"txid\":9}");
    expect(f, "POST", "/stop", B, 200, "{\"status\":\"stopped\",\"path\":\"/b\",\"txid\":9}");
    assert_int_equal(fake_store_last(f->store).timeout_ns, 30 * LS_SEC);
    expect(f, "POST", "/stop", "{\"PATH\":\"/b\",\"Timeout\":7}", 200,
           "{\"status\":\"already_stopped\",\"path\":\"/b\",\"txid\":9}");
    assert_int_equal(fake_store_last(f->store).timeout_ns, 7 * LS_SEC);
    expect(f, "POST", "/stop", "{\"path\":\"/b\",\"timeout\":9223372036854775807}", 200,
           "{\"status\":\"already_stopped\",\"path\":\"/b\",\"txid\":9}");
    assert_int_equal(fake_store_last(f->store).timeout_ns, 31536000 * LS_SEC);
    expect_part(f, "POST", "/start", C, 500, "{\"error\":\"database not found: /c\"");
    expect_part(f, "POST", "/stop", C, 500, "{\"error\":\"database not found: /c\"");
}

static void test_sync(void **state) {
    fixture *f = *state;
    ls_db_state state_a;

    expect(f, "POST", "/sync", A, 200,
           "{\"status\":\"no_change\",\"path\":\"/a\",\"txid\":5,\"replicated_txid\":5}");
    assert_int_equal(fake_store_last(f->store).timeout_ns, 0);
    assert_false(fake_store_last(f->store).wait);
    expect(f, "POST", "/sync", "{\"path\":\"/a\",\"wait\":true}", 200,
           "{\"status\":\"no_change\",\"path\":\"/a\",\"txid\":5,\"replicated_txid\":5}");
    assert_int_equal(fake_store_last(f->store).timeout_ns, 30 * LS_SEC);
    assert_true(fake_store_last(f->store).wait);
    expect_part(f, "POST", "/sync", "{\"path\":\"/a\",\"wait\":true,\"timeout\":-1}", 200,
                "no_change");
    assert_int_equal(fake_store_last(f->store).timeout_ns, 0);
    expect_part(f, "POST", "/sync", C, 404, "{\"error\":\"database not found: /c\"");
    expect_part(f, "POST", "/sync", B, 409, "{\"error\":\"database not open: /b\"");
    fake_store_fail(f->store, LS_ENOTREADY, "shutting down");
    expect_part(f, "POST", "/sync", B, 503, "{\"error\":\"shutting down\"");
    fake_store_fail(f->store, LS_ETIMEDOUT, "not done within 30s");
    expect_part(f, "POST", "/sync", A, 504, "not done within 30s");
    fake_store_fail(f->store, LS_EFULL, "sync database: no space");
    expect_part(f, "POST", "/sync", A, 500, "sync database: no space");
    fake_store_fail(f->store, LS_OK, "");
    assert_int_equal(ls_store_state(f->store, "/a", &state_a, &f->err), LS_OK);
    ls_db_state_done(&state_a);
}

static void test_sync_of_changes(void **state) {
    fixture *f = *state;

    fake_store_add(f->store, "/d", LS_DB_REPLICATING, 1)->db_size = 1;
    fake_store_add(f->store, "/e", LS_DB_REPLICATING, 1)->db_size = 1;
    start_server(f, 0);
    expect(f, "POST", "/sync", "{\"path\":\"/d\"}", 200,
           "{\"status\":\"synced_local\",\"path\":\"/d\",\"txid\":2,\"replicated_txid\":1}");
    expect(f, "POST", "/sync", "{\"path\":\"/e\",\"wait\":true,\"timeout\":3}", 200,
           "{\"status\":\"synced\",\"path\":\"/e\",\"txid\":2,\"replicated_txid\":2}");
    assert_int_equal(fake_store_last(f->store).timeout_ns, 3 * LS_SEC);
}

static void test_register(void **state) {
    fixture *f = *state;

    expect(f, "POST", "/register", "{\"path\":\"/c\",\"replica_url\":\"file:///r/c\"}", 200,
           "{\"status\":\"registered\",\"path\":\"/c\"}");
    fake_call last = fake_store_last(f->store);
    assert_string_equal(last.url, "file:///r/c");
    assert_int_equal(last.timeout_ns, LS_SEC); /* sync-interval of the copy */
    expect(f, "POST", "/register", "{\"path\":\"/c\",\"replica_url\":\"bad\"}", 200,
           "{\"status\":\"already_registered\",\"path\":\"/c\"}");
    expect(f, "POST", "/register", C, 400, "{\"error\":\"replica_url required\"}");
    expect_part(f, "POST", "/register", "{\"path\":\"/d\",\"replica_url\":\"ftp://x\"}", 400,
                "{\"error\":\"invalid replica url: unknown replica type");
    expect(f, "POST", "/unregister", C, 200,
           "{\"status\":\"unregistered\",\"path\":\"/c\",\"txid\":0}");
    expect(f, "POST", "/unregister", "{\"path\":\"/c\",\"timeout\":4}", 200,
           "{\"status\":\"already_unregistered\",\"path\":\"/c\",\"txid\":0}");
    assert_int_equal(fake_store_last(f->store).timeout_ns, 4 * LS_SEC);
    fake_store_fail(f->store, LS_EIO, "close db: bad disk");
    expect_part(f, "POST", "/unregister", A, 500,
                "{\"error\":\"failed to unregister database: close db: bad disk\"");
    expect_part(f, "POST", "/register", "{\"path\":\"/d\",\"replica_url\":\"file:///r/d\"}", 500,
                "{\"error\":\"failed to register database: close db: bad disk\"");
    fake_store_fail(f->store, LS_OK, "");
}

static void test_reload(void **state) {
    fixture *f = *state;

    expect(f, "POST", "/reload", "{}", 200,
           "{\"status\":\"reloaded\",\"added\":1,\"removed\":2,\"changed\":3,\"kept\":2}");
    expect(f, "POST", "/reload", "", 200,
           "{\"status\":\"reloaded\",\"added\":1,\"removed\":2,\"changed\":3,\"kept\":2}");
    assert_string_equal(fake_store_last(f->store).name, "reload");
    fake_store_fail(f->store, LS_ECONFIG, "c.yml:1:2: wrong");
    expect_part(f, "POST", "/reload", "{}", 400,
                "{\"error\":\"failed to read the configuration again: c.yml:1:2: wrong\"");
    fake_store_fail(f->store, LS_OK, "");
}

static void test_snapshot(void **state) {
    fixture *f = *state;

    expect(f, "POST", "/snapshot", A, 200, "{\"status\":\"snapshot\",\"path\":\"/a\",\"txid\":5}");
    assert_int_equal(fake_store_last(f->store).timeout_ns, 300 * LS_SEC);
    expect_part(f, "POST", "/snapshot", C, 404, "database not found: /c");
}

/* ---- what is told of databases ---- */

static void fill_state(ls_db_state *d) {
    d->wal_size = 4152;
    d->db_size = 8192;
    d->lag_ms = 1500;
    d->capture = (ls_work_state){"snapshot", 1700000000000};
    d->capture_error = (ls_error_state){.text = strdup("disk \"full\""),
                                        .hint = strdup("free"),
                                        .count = 3,
                                        .since_ms = 1000,
                                        .last_ms = 2000};
    d->levels_ms = 1700000000000;
    for (int i = 0; i <= LS_LTX_LEVEL_MAX; i++)
        d->levels[i] = (ls_level_state){.level = i, .next_ms = INT64_MAX};
    d->levels[1] = (ls_level_state){.level = 1,
                                    .files = 2,
                                    .bytes = 300,
                                    .first = 1,
                                    .last = 17,
                                    .oldest_ms = 0,
                                    .newest_ms = 1000,
                                    .next_ms = 2000};
}

static void test_state(void **state) {
    fixture *f = *state;

    fill_state(fake_store_add(f->store, "/d\xff", LS_DB_ERROR, 17));
    start_server(f, 0);
    expect_part(f, "GET", "/databases", NULL, 200,
                "{\"last_event\":0,\"databases\":[{\"path\":\"/a\"");
    fake_store_event(f->store, LS_EVENT_UPLOAD, "/a", 17);
    expect_part(f, "GET", "/databases", NULL, 200, "{\"last_event\":1,\"databases\":");
    reply r = ask(f, "GET", "/database?path=/d%ff", NULL);
    static const char *const parts[] = {
        "{\"path\":\"/d\xef\xbf\xbd\",\"status\":\"error\",\"replica_type\":\"file\",",
        "\"replica_url\":\"file:///r\",\"meta_path\":null,\"txid\":\"0000000000000011\",",
        "\"db_size\":8192,\"wal_size\":4152,\"page_size\":4096,\"lag_ms\":1500,",
        "\"capture\":{\"what\":\"snapshot\",\"since\":\"2023-11-14T22:13:20.000Z\"},\"upload\":"
        "null",
        "\"capture_error\":{\"error\":\"disk \\\"full\\\"\",\"hint\":\"free\",\"count\":3,",
        "{\"level\":0,\"files\":0,\"bytes\":0}",
        "{\"level\":1,\"files\":2,\"bytes\":300,\"first\":\"0000000000000001\",\"last\":"
        "\"0000000000000011\",\"oldest\":\"1970-01-01T00:00:00.000Z\",\"newest\":\"1970-01-01T00:"
        "00:01.000Z\",\"next\":\"1970-01-01T00:00:02.000Z\"}",
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (strstr(r.body, parts[i]) == NULL)
            fail_msg("%s\nlacks %s", r.body, parts[i]);
    }
    assert_null(strstr(r.body, "last_sync_at"));
    free(r.text);
    expect(f, "GET", "/database?path=/x", NULL, 404, "{\"error\":\"database not found\"}");
    expect_part(f, "GET", "/debug/sync-status", NULL, 200,
                "{\"databases\":[{\"path\":\"/a\",\"active\":false,\"txid\":\"0000000000000005\"}");
    expect_part(f, "GET", "/debug/sync-status?path=/d%ff", NULL, 200,
                "\"active\":true,\"operation\":\"snapshot\",\"started_at\":\"2023-11-14T22:13:20.");
    expect_part(f, "GET", "/debug/sync-status?path=/d%ff", NULL, 200,
                "\"snapshotting\":true,\"txid\":\"0000000000000011\",\"wal_size\":4152,\"error\":");
    expect(f, "GET", "/debug/sync-status?path=/x", NULL, 404, "{\"error\":\"database not found\"}");
    expect_part(f, "GET", "/list", NULL, 200, "\xef\xbf\xbd\",\"status\":\"replicating\"}");
}

static void test_health(void **state) {
    fixture *f = *state;

    expect(f, "GET", "/healthz", NULL, 200, "{\"status\":\"ok\"}");
    expect(f, "GET", "/readyz", NULL, 200, "{\"status\":\"ready\",\"databases\":[]}");
    fake_store_fail(f->store, LS_ENOTREADY, "not running");
    expect_part(f, "GET", "/healthz", NULL, 503, "{\"error\":\"not running\"");
    expect_part(f, "GET", "/readyz", NULL, 503, "{\"error\":\"not running\"");
    fake_store_fail(f->store, LS_OK, "");
}

static void test_not_ready(void **state) {
    fixture *f = *state;

    fake_store_add(f->store, "/d", LS_DB_REPLICATING, 1);
    fill_state(fake_store_add(f->store, "/e", LS_DB_STALLED, 1));
    fake_store_add(f->store, "/m", LS_DB_MISSING, 0);
    start_server(f, 0);
    expect(f, "GET", "/readyz", NULL, 503,
           "{\"status\":\"not_ready\",\"databases\":[{\"path\":\"/d\",\"reason\":\"never synced\"},"
           "{\"path\":\"/e\",\"reason\":\"stalled\",\"error\":\"disk \\\"full\\\"\"}]}");
    expect(f, "GET", "/healthz", NULL, 200, "{\"status\":\"ok\"}");
}

/* ---- metrics ---- */

static void fill_totals(ls_totals *t) {
    t->n_ops = 1;
    t->ops[0] = (ls_op_total){
        .replica_type = "s3", .op = LS_OP_PUT, .count = 3, .bytes = 999, .ns = 1500000000};
    for (int i = 2; i < LS_OP_BUCKETS; i++)
        t->ops[0].within[i] = 3;
    t->ops[0].failed[LS_EBUSY] = 2;
    t->queued[LS_QUEUE_REMOTE] = 4;
}

static void test_metrics(void **state) {
    fixture *f = *state;
    ls_db_state *d = fake_store_add(f->store, "/x/q\"\\\nd", LS_DB_BEHIND, 17);

    fill_state(d);
    fill_totals(fake_store_totals(f->store));
    d->captures = (ls_count){12, 2, 2500000000};
    d->checkpoints[LS_CHECKPOINT_PASSIVE] = (ls_count){4, 1, 7000000};
    d->l0 = (ls_l0_state){true, 1, 2, 3};
    d->meta_path = strdup(f->dir);
    const ls_last_verify v = {.ok = true, .at_ms = 1700000000500, .txid = 17, .files = 3};
    assert_int_equal(ls_last_verify_save(f->dir, &v, &f->err), LS_OK);
    start_server(f, 0);
    reply r = ask(f, "GET", "/metrics", NULL);
    assert_int_equal(r.status, 200);
    static const char *const lines[] = {
        "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n",
        "\n# HELP litestream_wal_size The current size of the real WAL\n"
        "# TYPE litestream_wal_size gauge\nlitestream_wal_size{db=\"/a\"} 0\n"
        "litestream_wal_size{db=\"/b\"} 0\nlitestream_wal_size{db=\"/x/q\\\"\\\\\\nd\"} 4152\n# "
        "HELP",
        "litestream_sync_count{db=\"/x/q\\\"\\\\\\nd\"} 12\n",
        "litestream_sync_error_count{db=\"/x/q\\\"\\\\\\nd\"} 2\n",
        "litestream_sync_seconds{db=\"/x/q\\\"\\\\\\nd\"} 2.500000000\n",
        "litestream_replica_lag_seconds{db=\"/x/q\\\"\\\\\\nd\"} 1.500\n",
        "litestream_last_sync_timestamp_seconds{db=\"/a\"} 1700000000.123\n",
        "litestream_last_sync_timestamp_seconds{db=\"/b\"} -1\n",
        "litestream_db_status{db=\"/b\",status=\"stopped\"} 1\n",
        "litestream_stalled{db=\"/x/q\\\"\\\\\\nd\"} 1\n",
        "\nlitestream_checkpoint_count{db=\"/x/q\\\"\\\\\\nd\",mode=\"PASSIVE\"} 4\n# ",
        "litestream_checkpoint_error_count{db=\"/x/q\\\"\\\\\\nd\",mode=\"PASSIVE\"} 1\n",
        "litestream_checkpoint_seconds{db=\"/x/q\\\"\\\\\\nd\",mode=\"PASSIVE\"} 0.007000000\n",
        "litestream_l0_retention_files_total{db=\"q\\\"\\\\\\nd\",status=\"too_recent\"} 3\n",
        "litestream_level_bytes{db=\"/x/q\\\"\\\\\\nd\",level=\"1\"} 300\n",
        "litestream_last_verify_timestamp_seconds{db=\"/x/q\\\"\\\\\\nd\"} 1700000000.500\n",
        "litestream_last_verify_ok{db=\"/x/q\\\"\\\\\\nd\"} 1\n",
        "litestream_replica_operation_total{replica_type=\"s3\",operation=\"PUT\"} 3\n",
        "litestream_replica_operation_bytes{replica_type=\"s3\",operation=\"PUT\"} 999\n",
        "_seconds_bucket{replica_type=\"s3\",operation=\"PUT\",le=\"0.05\"} 0\n",
        "_seconds_bucket{replica_type=\"s3\",operation=\"PUT\",le=\"0.1\"} 3\n",
        "_seconds_bucket{replica_type=\"s3\",operation=\"PUT\",le=\"+Inf\"} 3\n",
        "_duration_seconds_sum{replica_type=\"s3\",operation=\"PUT\"} 1.500000000\n",
        "_errors_total{replica_type=\"s3\",operation=\"PUT\",code=\"busy\"} 2\n",
        "litestream_queue_jobs{pool=\"remote\"} 4\n",
        "\nprocess_resident_memory_bytes ",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        if (strstr(r.text, lines[i]) == NULL)
            fail_msg("%s\nlacks %s", r.text, lines[i]);
    }
    free(r.text);
}

/* Every metric that the reference has, by name and type. */
static void test_metrics_of_the_reference(void **state) {
    static const char *const names[] = {
        "litestream_db_size gauge",
        "litestream_wal_size gauge",
        "litestream_total_wal_bytes counter",
        "litestream_txid gauge",
        "litestream_sync_count counter",
        "litestream_sync_error_count counter",
        "litestream_sync_seconds counter",
        "litestream_checkpoint_count counter",
        "litestream_checkpoint_error_count counter",
        "litestream_checkpoint_seconds counter",
        "litestream_compaction_verify_error_count counter",
        "litestream_l0_retention_files_total gauge",
        "litestream_replica_operation_total counter",
        "litestream_replica_operation_bytes counter",
        "litestream_replica_operation_duration_seconds histogram",
        "litestream_replica_operation_errors_total counter",
        "litestream_disk_full gauge",
    };
    fixture *f = *state;
    reply r = ask(f, "GET", "/metrics", NULL);

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *line = ls_asprintf("# TYPE %s\n", names[i]);
        if (strstr(r.body, line) == NULL)
            fail_msg("no %s", line);
        free(line);
    }
    /* Each name once, and nothing between its lines. */
    for (const char *p = r.body; (p = strstr(p, "# TYPE ")) != NULL; p++) {
        char *line = strndup(p, strcspn(p, "\n"));
        assert_null(strstr(p + 1, line));
        free(line);
    }
    free(r.text);
    fake_store_fail(f->store, LS_ENOTREADY, "not running");
    expect_part(f, "GET", "/metrics", NULL, 503, "not running");
    fake_store_fail(f->store, LS_OK, "");
}

/* ---- jobs ---- */

static char *replica_a(void) {
    const char *src = getenv("LS_SRC");
    return ls_path_join(src == NULL ? "." : src, "t/vectors/replica-a/replica");
}

/* Waits until GET /jobs has this in it. */
static void await_jobs(fixture *f, const char *part) {
    int64_t until = now_ns() + 20 * LS_SEC;

    for (;;) {
        reply r = ask(f, "GET", "/jobs", NULL);
        bool found = strstr(r.body, part) != NULL;
        if (!found && now_ns() > until)
            fail_msg("%s\nnever had %s", r.body, part);
        free(r.text);
        if (found)
            return;
        nap(5);
    }
}

static void test_verify_job(void **state) {
    fixture *f = *state;
    char *root = replica_a();

    fake_store_replica(f->store, root);
    expect(f, "GET", "/jobs", NULL, 200, "{\"jobs\":[]}");
    expect(f, "POST", "/verify", A, 202, "{\"status\":\"queued\",\"id\":1}");
    await_jobs(f, "\"status\":\"done\"");
    expect_part(f, "GET", "/jobs", NULL, 200,
                "{\"jobs\":[{\"id\":1,\"kind\":\"verify\",\"path\":\"/a\",\"status\":\"done\",");
    expect_part(f, "GET", "/jobs", NULL, 200, "\"result\":{\"ok\":true,\"full\":false,");
    expect_part(f, "POST", "/verify", C, 404, "database not found: /c");
    expect(f, "POST", "/jobs/cancel", "{\"id\":1}", 200, "{\"status\":\"already_ended\",\"id\":1}");
    expect_part(f, "POST", "/jobs/cancel", "{\"id\":2}", 404, "no such job: 2");
    expect(f, "POST", "/jobs/cancel", "{}", 400, "{\"error\":\"id required\"}");
    free(root);
}

static void test_restore_job(void **state) {
    fixture *f = *state;
    char *root = replica_a();
    char *body =
        ls_asprintf("{\"path\":\"/a\",\"output\":\"%s/out.db\",\"integrity\":\"full\"}", f->dir);
    char *out = ls_path_join(f->dir, "out.db");
    char magic[16] = "";
    size_t got;

    fake_store_replica(f->store, root);
    expect(f, "POST", "/restore", body, 202, "{\"status\":\"queued\",\"id\":1}");
    await_jobs(f, "\"status\":\"done\"");
    int fd = open(out, O_RDONLY | O_CLOEXEC);
    assert_int_equal(ls_pread_full(fd, magic, 16, 0, &got, out, &f->err), LS_OK);
    (void)close(fd);
    assert_memory_equal(magic, "SQLite format 3", 16);
    /* It is there now. */
    expect(f, "POST", "/restore", body, 202, "{\"status\":\"queued\",\"id\":2}");
    await_jobs(f, "\"status\":\"failed\"");
    expect_part(f, "GET", "/jobs", NULL, 200, "\"error\":\"cannot restore, output path already");
    free(out);
    free(body);
    free(root);
}

static void test_restore_arguments(void **state) {
    fixture *f = *state;

    expect(f, "POST", "/restore", A, 400, "{\"error\":\"output required\"}");
    expect_part(f, "POST", "/restore", "{\"path\":\"/a\",\"output\":\"/o\",\"txid\":\"5\"}", 400,
                "txid must be 16 hexadecimal digits");
    expect_part(f, "POST", "/restore", "{\"path\":\"/a\",\"output\":\"/o\",\"timestamp\":\"now\"}",
                400, "error");
    expect_part(f, "POST", "/restore",
                "{\"path\":\"/a\",\"output\":\"/o\",\"txid\":\"0000000000000001\",\"timestamp\":"
                "\"2026-01-01T00:00:00Z\"}",
                400, "cannot both be given");
    expect_part(f, "POST", "/restore", "{\"path\":\"/a\",\"output\":\"/o\",\"integrity\":\"some\"}",
                400, "integrity must be none, quick or full");
    expect_part(f, "POST", "/restore", "{\"path\":\"/b\",\"output\":\"/a\",\"force\":true}", 409,
                "output is a database that is replicated: /a");
    expect_part(f, "POST", "/restore", "{\"path\":\"/c\",\"output\":\"/o\"}", 404,
                "database not found: /c");
    expect(f, "GET", "/jobs", NULL, 200, "{\"jobs\":[]}");
}

/* A folder that is no replica, and many jobs of it: old ones are forgotten, numbers go on. */
static void test_many_jobs(void **state) {
    fixture *f = *state;

    fake_store_replica(f->store, f->dir);
    for (int i = 1; i <= LS_JOBS_KEPT + 3; i++) {
        reply r = ask(f, "POST", "/verify", A);
        assert_true(r.status == 202 || r.status == 503);
        free(r.text);
    }
    await_jobs(f, "\"result\":{\"ok\":false");
    reply r = ask(f, "GET", "/jobs", NULL);
    int n = 0;
    for (const char *p = r.body; (p = strstr(p, "\"kind\"")) != NULL; p++)
        n++;
    assert_in_range(n, 1, LS_JOBS_KEPT);
    free(r.text);
}

/* ---- what may be wrong with a request ---- */

static void test_bad_bodies(void **state) {
    static const struct {
        const char *body, *details;
    } bad[] = {
        {"", "EOF"},
        {"nonsense", "json: line 1, column "},
        {"{\"path\":", "json: line 1, column "},
        {"[]", "json: the body must be an object, not array"},
        {"\"/a\"", "json: the body must be an object, not string"},
        {"{\"path\":7}", "json: path must be a string, not number"},
        {"{\"path\":\"/a\",\"wait\":1}", "json: wait must be a bool, not number"},
        {"{\"path\":\"/a\",\"timeout\":1.5}", "json: timeout must be a whole number, not number"},
        {"{\"path\":\"/a\",\"timeout\":\"1\"}", "json: timeout must be a whole number, not string"},
        {"{\"path\":{}}", "json: path must be a string, not object"},
        {"{\"path\":\"\xff\"}", "json: line 1, column "},
        {"{\"path\":\"/a\\u0000b\"}", "json: line 1, column "},
        {"{\"timeout\":99999999999999999999}", "json: line 1, column "},
    };
    fixture *f = *state;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *part =
            ls_asprintf("{\"error\":\"invalid request body\",\"details\":\"%s", bad[i].details);
        expect_part(f, "POST", "/sync", bad[i].body, 400, part);
        free(part);
    }
    expect(f, "POST", "/sync", "null", 400, "{\"error\":\"path required\"}");
    expect(f, "POST", "/sync", "{}", 400, "{\"error\":\"path required\"}");
    expect(f, "POST", "/sync", "{\"path\":null}", 400, "{\"error\":\"path required\"}");
    expect(f, "POST", "/sync", "{\"path\":\"\"}", 400, "{\"error\":\"path required\"}");
    expect_part(f, "POST", "/sync", "{\"path\":\"/a\",\"other\":[1]} trailing", 200, "no_change");
    /* Very deep, but short enough. */
    char deep[4001];
    memset(deep, '[', 4000);
    deep[4000] = '\0';
    expect_part(f, "POST", "/sync", deep, 400, "invalid request body");
}

static void test_methods_and_paths(void **state) {
    fixture *f = *state;

    for (const ls_route *r = ls_routes; r->method != NULL; r++) {
        bool get = strcmp(r->method, "GET") == 0;
        expect_part(f, get ? "POST" : "GET", r->path, NULL, 405,
                    get ? "\r\nAllow: GET, HEAD\r\n" : "\r\nAllow: POST\r\n");
        expect(f, "DELETE", r->path, NULL, 405, "Method Not Allowed");
    }
    expect(f, "GET", "/", NULL, 404, "404 page not found");
    expect(f, "POST", "/nope", "{}", 404, "404 page not found");
    expect(f, "GET", "/info/", NULL, 404, "404 page not found");
    expect(f, "GET", "/../info", NULL, 404, "404 page not found");
    expect(f, "GET", "/debug/pprof/", NULL, 404, "404 page not found");
    expect_part(f, "GET", "/events?after=x", NULL, 400, "after must be a whole number");
}

/* ---- the page ---- */

/* Every route with what it means, and every parameter, stands in doc/control-api.md. */
static void test_page(void **state) {
    const char *src = getenv("LS_SRC");
    char *path = ls_path_join(src == NULL ? "." : src, "doc/control-api.md");
    ls_err err = LS_ERR_INIT;
    char *page;
    size_t len;

    (void)state;
    if (ls_read_file(path, 1 << 20, &page, &len, &err) != LS_OK)
        fail_msg("%s", err.msg);
    for (const ls_route *r = ls_routes; r->method != NULL; r++) {
        char *head = ls_asprintf("\n## %s %s\n", r->method, r->path);
        const char *section = strstr(page, head);
        if (section == NULL)
            fail_msg("no section%s", head);
        const char *next = strstr(section + 4, "\n## ");
        size_t size = next == NULL ? strlen(section + 4) : (size_t)(next - section - 4);
        char *text = strndup(section + 4, size);
        if (strstr(text, r->doc) == NULL)
            fail_msg("%s lacks: %s", head, r->doc);
        for (size_t i = 0; r->params[i].name != NULL; i++) {
            char *row = ls_asprintf("| `%s` | %s | %s | %s |\n", r->params[i].name,
                                    (const char *[]){"text", "number", "bool"}[r->params[i].type],
                                    r->params[i].required ? "yes" : "no", r->params[i].doc);
            if (strstr(text, row) == NULL)
                fail_msg("%s lacks: %s", head, row);
            free(row);
        }
        free(text);
        free(head);
    }
    free(page);
    free(path);
}

#define served(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define alone(test) cmocka_unit_test_setup_teardown(test, setup_alone, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        served(test_info_list_txid),
        served(test_start_stop),
        served(test_sync),
        alone(test_sync_of_changes),
        served(test_register),
        served(test_reload),
        served(test_snapshot),
        alone(test_state),
        served(test_health),
        alone(test_not_ready),
        alone(test_metrics),
        served(test_metrics_of_the_reference),
        served(test_verify_job),
        served(test_restore_job),
        served(test_restore_arguments),
        served(test_many_jobs),
        served(test_bad_bodies),
        served(test_methods_and_paths),
        cmocka_unit_test(test_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
