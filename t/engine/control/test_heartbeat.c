/*
 * The heartbeat (engine/control/heartbeat.c) against a small server: when it is sent and when not,
 * what is said of a failure, and that it never waits for a server that is silent.
 */
#include "engine/control/heartbeat.h"

#include "engine/base/clock.h"
#include "engine/base/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <microhttpd.h>

#include "t/engine/control/fake_store.h"

#define PATH "/secret-token"

typedef struct fixture {
    struct MHD_Daemon *server;
    ls_store *store;
    ls_heartbeat *heartbeat;
    int log_fd;
    char log_path[64], url[96];
    atomic_int asked, others; /* requests of PATH, and of anything else */
    atomic_int status;        /* what PATH answers with; 0: nothing at all */
    atomic_bool get;          /* the last one was a GET by litestream */
    const char *location;     /* of a redirect */
} fixture;

static enum MHD_Result answer(void *arg, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *body,
                              size_t *body_len, void **state) {
    fixture *f = arg;
    bool wanted = strcmp(url, PATH) == 0;
    const char *agent = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "User-Agent");

    (void)version, (void)body, (void)body_len, (void)state;
    atomic_store(&f->get, strcmp(method, "GET") == 0 && agent != NULL &&
                              strncmp(agent, "litestream/", 11) == 0);
    atomic_fetch_add(wanted ? &f->asked : &f->others, 1);
    int status = wanted ? atomic_load(&f->status) : 200;
    while (status == 0 && atomic_load(&f->status) == 0) /* silence, until the test ends it */
        (void)nanosleep(&(struct timespec){.tv_nsec = 5 * LS_MS}, NULL);
    struct MHD_Response *r =
        MHD_create_response_from_buffer(2, (char[]){"ok"}, MHD_RESPMEM_MUST_COPY);
    if (wanted && f->location != NULL)
        (void)MHD_add_response_header(r, "Location", f->location);
    enum MHD_Result result = MHD_queue_response(c, status == 0 ? 200 : (unsigned)status, r);
    MHD_destroy_response(r);
    return result;
}

static int setup(void **state) {
    fixture *f = *state = calloc(1, sizeof *f);

    assert_non_null(f);
    f->server = MHD_start_daemon(MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD, 0,
                                 NULL, NULL, answer, f, MHD_OPTION_END);
    assert_non_null(f->server);
    (void)snprintf(f->url, sizeof f->url, "http://127.0.0.1:%u" PATH,
                   MHD_get_daemon_info(f->server, MHD_DAEMON_INFO_BIND_PORT)->port);
    f->store = fake_store_new();
    atomic_store(&f->status, 200);
    (void)snprintf(f->log_path, sizeof f->log_path, "/tmp/ls-test-heartbeat-XXXXXX");
    f->log_fd = mkstemp(f->log_path);
    assert_true(f->log_fd >= 0);
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;

    ls_heartbeat_stop(f->heartbeat);
    atomic_store(&f->status, 200);
    MHD_stop_daemon(f->server);
    fake_store_free(f->store);
    (void)close(f->log_fd);
    (void)unlink(f->log_path);
    free(f);
    return 0;
}

static void start(fixture *f, int64_t interval) {
    static ls_log log;
    log = (ls_log){.fd = f->log_fd, .level = LS_DEBUG};
    const ls_heartbeat_opts opts = {
        .url = f->url, .interval = interval, .check = 5 * LS_MS, .first = 5 * LS_MS, .log = &log};
    ls_err err = LS_ERR_INIT;

    if (ls_heartbeat_start(f->store, &opts, &f->heartbeat, &err) != LS_OK)
        fail_msg("%s", err.msg);
}

static bool logged(const fixture *f, const char *text) {
    ls_err err = LS_ERR_INIT;
    char *all;
    size_t len;

    assert_int_equal(ls_read_file(f->log_path, 1 << 20, &all, &len, &err), LS_OK);
    bool found = strstr(all, text) != NULL;
    free(all);
    return found;
}

static void await_asked(fixture *f, int n) {
    int64_t end = ls_mono_ns(&ls_clock_system) + 20 * LS_SEC;

    while (atomic_load(&f->asked) < n) {
        assert_true(ls_mono_ns(&ls_clock_system) < end);
        (void)nanosleep(&(struct timespec){.tv_nsec = LS_MS}, NULL);
    }
}

static void await_logged(fixture *f, const char *text) {
    int64_t end = ls_mono_ns(&ls_clock_system) + 20 * LS_SEC;

    while (!logged(f, text)) {
        assert_true(ls_mono_ns(&ls_clock_system) < end);
        (void)nanosleep(&(struct timespec){.tv_nsec = LS_MS}, NULL);
    }
}

static ls_db_state *add(fixture *f, const char *path, ls_db_status status) {
    ls_db_state *d = fake_store_add(f->store, path, status, 5);

    d->last_sync_ms = 1700000000123;
    return d;
}

/* ---- */

static void reasons(void **state) {
    static const struct {
        ls_db_state s;
        const char *reason;
        bool counts;
    } cases[] = {
        {{.status = LS_DB_REPLICATING, .last_sync_ms = 5}, NULL, true},
        {{.status = LS_DB_OPEN, .last_sync_ms = 5, .lag_ms = 1000}, NULL, true},
        {{.status = LS_DB_REPLICATING, .last_sync_ms = 5, .lag_ms = 1001}, "behind", true},
        {{.status = LS_DB_REPLICATING, .last_sync_ms = -1}, "never synced", true},
        {{.status = LS_DB_STOPPED, .last_sync_ms = -1, .lag_ms = 9999}, NULL, false},
        {{.status = LS_DB_MISSING, .last_sync_ms = 5}, "missing", true},
        {{.status = LS_DB_BEHIND, .last_sync_ms = 5}, "behind", true},
        {{.status = LS_DB_STALLED, .last_sync_ms = 5}, "stalled", true},
        {{.status = LS_DB_ERROR, .last_sync_ms = 5}, "error", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool counts = false;
        const char *reason = ls_heartbeat_reason(&cases[i].s, 1000, &counts);
        assert_int_equal(counts, cases[i].counts);
        if (cases[i].reason == NULL)
            assert_null(reason);
        else
            assert_string_equal(reason, cases[i].reason);
    }
}

static void sent_while_all_is_well(void **state) {
    fixture *f = *state;

    (void)add(f, "/a", LS_DB_REPLICATING);
    (void)add(f, "/b", LS_DB_STOPPED);
    start(f, 20 * LS_MS);
    await_asked(f, 3);
    assert_true(atomic_load(&f->get));
    assert_true(logged(f, "msg=\"starting heartbeat monitor\" system=store interval=5ms\n"));
    await_logged(f, "msg=\"heartbeat ping sent\" system=store host=127.0.0.1\n");
}

/* The interval counts from one try to the next. */
static void not_sent_more_often(void **state) {
    fixture *f = *state;
    int64_t begun = ls_mono_ns(&ls_clock_system);

    (void)add(f, "/a", LS_DB_REPLICATING);
    atomic_store(&f->status, 503);
    start(f, 200 * LS_MS);
    await_asked(f, 4);
    assert_true(ls_mono_ns(&ls_clock_system) - begun >= 600 * LS_MS);
}

/* A check that found no reason to send has passed. */
static void await_check(fixture *f, const char *reason) {
    char text[128];

    (void)snprintf(text, sizeof text,
                   "msg=\"heartbeat is held back\" system=store path=/b reason=%s\n", reason);
    await_logged(f, text);
}

static void held_back(void **state) {
    fixture *f = *state;

    (void)add(f, "/a", LS_DB_REPLICATING);
    (void)add(f, "/b", LS_DB_ERROR);
    start(f, 10 * LS_MS);
    await_check(f, "error");
    assert_int_equal(atomic_load(&f->asked), 0);
    ls_heartbeat_stop(f->heartbeat);

    /* Once it is well again. */
    f->heartbeat = NULL;
    fake_store_free(f->store);
    f->store = fake_store_new();
    (void)add(f, "/a", LS_DB_REPLICATING);
    start(f, 10 * LS_MS);
    await_asked(f, 1);
}

static void nobody_to_speak_for(void **state) {
    fixture *f = *state;

    start(f, LS_MS);
    ls_heartbeat_stop(f->heartbeat);
    (void)add(f, "/b", LS_DB_STOPPED);
    start(f, LS_MS);
    (void)nanosleep(&(struct timespec){.tv_nsec = 50 * LS_MS}, NULL);
    assert_int_equal(atomic_load(&f->asked), 0);

    /* A store that begins or ends. */
    ls_heartbeat_stop(f->heartbeat);
    (void)add(f, "/a", LS_DB_REPLICATING);
    fake_store_fail(f->store, LS_ENOTREADY, "it ends");
    start(f, LS_MS);
    (void)nanosleep(&(struct timespec){.tv_nsec = 50 * LS_MS}, NULL);
    assert_int_equal(atomic_load(&f->asked), 0);
    fake_store_fail(f->store, LS_OK, "");
    await_asked(f, 1);
}

static void failures_are_told(void **state) {
    fixture *f = *state;

    (void)add(f, "/a", LS_DB_REPLICATING);
    atomic_store(&f->status, 404);
    start(f, LS_MS);
    await_logged(f,
                 "level=ERROR msg=\"heartbeat ping failed\" error=\"unexpected status code: 404\"");
    ls_heartbeat_stop(f->heartbeat);
    f->heartbeat = NULL;
    MHD_stop_daemon(f->server);
    start(f, LS_MS);
    await_logged(f, "error=\"http request: Failed to connect to 127.0.0.1");
    ls_heartbeat_stop(f->heartbeat);
    (void)snprintf(f->url, sizeof f->url, "http://x y" PATH);
    start(f, LS_MS);
    await_logged(f, "error=\"http request: URL ");
    assert_false(logged(f, "secret"));
    f->server =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, answer, f, MHD_OPTION_END);
    assert_non_null(f->server);
}

static void redirects(void **state) {
    fixture *f = *state;

    (void)add(f, "/a", LS_DB_REPLICATING);
    atomic_store(&f->status, 302);
    f->location = "/other";
    start(f, LS_MS);
    await_logged(f, "msg=\"heartbeat ping sent\"");
    assert_true(atomic_load(&f->others) > 0);
    ls_heartbeat_stop(f->heartbeat);

    f->heartbeat = NULL;
    f->location = "file:///etc/passwd";
    start(f, LS_MS);
    await_logged(f, "msg=\"heartbeat ping failed\" error=\"http request: Protocol \\\"file\\\"");
}

static void stops_in_a_request(void **state) {
    fixture *f = *state;

    (void)add(f, "/a", LS_DB_REPLICATING);
    atomic_store(&f->status, 0);
    start(f, LS_MS);
    await_asked(f, 1);
    int64_t begun = ls_mono_ns(&ls_clock_system);
    ls_heartbeat_stop(f->heartbeat);
    f->heartbeat = NULL;
    assert_true(ls_mono_ns(&ls_clock_system) - begun < 5 * LS_SEC);
    assert_false(logged(f, "heartbeat ping"));
}

static void gives_up_in_time(void **state) {
    fixture *f = *state;
    static ls_log log;
    log = (ls_log){.fd = f->log_fd, .level = LS_DEBUG};
    const ls_heartbeat_opts opts = {
        .url = f->url, .interval = LS_MS, .first = LS_MS, .timeout = 50 * LS_MS, .log = &log};
    ls_err err = LS_ERR_INIT;

    (void)add(f, "/a", LS_DB_REPLICATING);
    atomic_store(&f->status, 0);
    assert_int_equal(ls_heartbeat_start(f->store, &opts, &f->heartbeat, &err), LS_OK);
    await_logged(f, "error=\"http request: Operation timed out after ");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reasons),
        cmocka_unit_test_setup_teardown(sent_while_all_is_well, setup, teardown),
        cmocka_unit_test_setup_teardown(not_sent_more_often, setup, teardown),
        cmocka_unit_test_setup_teardown(held_back, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_to_speak_for, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(redirects, setup, teardown),
        cmocka_unit_test_setup_teardown(stops_in_a_request, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_up_in_time, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
