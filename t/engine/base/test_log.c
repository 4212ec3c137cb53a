/*
 * Log records in both forms (engine/base/log.c).
 */
#include "engine/base/log.h"

#include "engine/base/text.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "t/support/tempdir.h"

/* A log into a file of the test's folder. */
static ls_log log_open(void **state, ls_log_format format, char **path) {
    *path = tempdir_path(state, "log");
    int fd = open(*path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    return (ls_log){.fd = fd, .level = LS_INFO, .format = format};
}

static char *log_close(ls_log *log, char *path) {
    ls_err err = LS_ERR_INIT;
    char *text;
    size_t len;
    close(log->fd);
    assert_int_equal(ls_read_file(path, 1 << 24, &text, &len, &err), LS_OK);
    free(path);
    return text;
}

static char *replace_time(const char *text, const char *before, const char *after) {
    const char *at = strstr(text, before);
    assert_non_null(at);
    at += strlen(before);
    const char *end = strstr(at, after);
    assert_non_null(end);
    return ls_asprintf("%.*sT%s", (int)(at - text), text, end);
}

static void write_examples(const ls_log *log) {
    ls_log_write(log, LS_INFO, "ltx file uploaded",
                 LS_ATTRS(LS_STR("system", "store"), LS_STR("db", "my app.db"), LS_INT("level", 0),
                          LS_TXID("minTXID", 0x2a9), LS_INT("size", -5),
                          LS_DUR("interval", 300 * LS_SEC), LS_BOOL("watch", true)));
}

static void text_record(void **state) {
    char *path;
    ls_log log = log_open(state, LS_LOG_TEXT, &path);
    write_examples(&log);
    char *text = log_close(&log, path);
    char *got = replace_time(text, "time=", " level");
    assert_string_equal(got, "time=T level=INFO msg=\"ltx file uploaded\" system=store "
                             "db=\"my app.db\" level=0 minTXID=00000000000002a9 size=-5 "
                             "interval=5m0s watch=true\n");
    free(got);
    free(text);
}

static void json_record(void **state) {
    char *path;
    ls_log log = log_open(state, LS_LOG_JSON, &path);
    write_examples(&log);
    char *text = log_close(&log, path);
    char *got = replace_time(text, "{\"time\":\"", "\"");
    assert_string_equal(got, "{\"time\":\"T\",\"level\":\"INFO\",\"msg\":\"ltx file uploaded\","
                             "\"system\":\"store\",\"db\":\"my app.db\",\"level\":0,"
                             "\"minTXID\":\"00000000000002a9\",\"size\":-5,"
                             "\"interval\":300000000000,\"watch\":true}\n");
    free(got);
    free(text);
}

static void pretty_record(void **state) {
    static const struct {
        bool color;
        ls_level level;
        const char *msg, *want;
    } cases[] = {
        {false, LS_INFO, "ltx file uploaded", " INF ltx file uploaded db=\"my app.db\" size=-5\n"},
        {false, LS_WARN, "a\x1b[1mb", " WRN \"a\\x1b[1mb\" db=\"my app.db\" size=-5\n"},
        {false, LS_TRACE, "m", " TRACE m db=\"my app.db\" size=-5\n"},
        {false, LS_DEBUG, "m", " DBG m db=\"my app.db\" size=-5\n"},
        {true, LS_ERROR, "m",
         "\x1b[0m \x1b[91mERR\x1b[0m m \x1b[2mdb=\x1b[0m\"my app.db\" \x1b[2msize=\x1b[0m-5\n"},
        {true, LS_DEBUG, "m",
         "\x1b[0m DBG m \x1b[2mdb=\x1b[0m\"my app.db\" \x1b[2msize=\x1b[0m-5\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path;
        ls_log log = log_open(state, LS_LOG_PRETTY, &path);
        log.level = LS_TRACE;
        log.color = cases[i].color;
        ls_log_write(&log, cases[i].level, cases[i].msg,
                     LS_ATTRS(LS_STR("db", "my app.db"), LS_INT("size", -5)));
        char *text = log_close(&log, path);
        const char *time = text + (cases[i].color ? 4 : 0);
        int h, m, s, end = 0;
        assert_int_equal(sscanf(time, "%2d:%2d:%2d%n", &h, &m, &s, &end), 3);
        assert_int_equal(end, 8);
        assert_string_equal(time + 8, cases[i].want);
        free(text);
    }
}

static void source(void **state) {
    static const char *const before[] = {
        [LS_LOG_TEXT] = " level=INFO source=t/engine/base/test_log.c:",
        [LS_LOG_JSON] = (",\"level\":\"INFO\",\"source\":{\"function\":\"source\",\"file\":"
                         "\"t/engine/base/test_log.c\",\"line\":"),
        [LS_LOG_PRETTY] = " INF base/test_log.c:"};
    static const char *const after[] = {
        [LS_LOG_TEXT] = " msg=m\n", [LS_LOG_JSON] = "},\"msg\":\"m\"}\n", [LS_LOG_PRETTY] = " m\n"};
    for (int i = 0; i < 3; i++) {
        char *path;
        ls_log log = log_open(state, (ls_log_format)i, &path);
        log.source = true;
        int line = __LINE__ + 1;
        ls_log_write(&log, LS_INFO, "m", NULL);
        char *text = log_close(&log, path);
        char *want = ls_asprintf("%s%d%s", before[i], line, after[i]);
        assert_non_null(strstr(text, want));
        free(want);
        free(text);
    }
}

static void groups(void **state) {
    for (int json = 0; json < 2; json++) {
        char *path;
        ls_log log = log_open(state, json ? LS_LOG_JSON : LS_LOG_TEXT, &path);
        ls_log_write(&log, LS_INFO, "m",
                     LS_ATTRS(LS_TXID("txid.replica", 1), LS_TXID("txid.db", 2), LS_INT("n", 3),
                              LS_INT("file.level", 4), LS_INT("txid.x", 5)));
        char *text = log_close(&log, path);
        assert_non_null(
            strstr(text, json ? "\"msg\":\"m\",\"txid\":{\"replica\":\"0000000000000001\","
                                "\"db\":\"0000000000000002\"},\"n\":3,\"file\":{\"level\":4},"
                                "\"txid\":{\"x\":5}}\n"
                              : "msg=m txid.replica=0000000000000001 txid.db=0000000000000002 n=3 "
                                "file.level=4 txid.x=5\n"));
        free(text);
        char *file = tempdir_path(state, "log");
        assert_int_equal(unlink(file), 0);
        free(file);
    }
}

static void hostile_values_stay_on_one_line(void **state) {
    for (int json = 0; json < 2; json++) {
        char *path;
        ls_log log = log_open(state, json ? LS_LOG_JSON : LS_LOG_TEXT, &path);
        ls_log_write(&log, LS_WARN, "a\nb",
                     LS_ATTRS(LS_STR("a key", "\"}\n\x1b\xff"), LS_STR("n", NULL)));
        char *text = log_close(&log, path);
        assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
        assert_non_null(
            strstr(text, json ? "\"msg\":\"a\\nb\",\"a key\":\"\\\"}\\n\\u001b\\ufffd\",\"n\":\"\"}"
                              : "msg=\"a\\nb\" \"a key\"=\"\\\"}\\n\\x1b\\xff\" n=\"\""));
        free(text);
        char *file = tempdir_path(state, "log");
        assert_int_equal(unlink(file), 0);
        free(file);
    }
}

static void errors_carry_their_hint(void **state) {
    char *path;
    ls_log log = log_open(state, LS_LOG_TEXT, &path);
    ls_err err = LS_ERR_INIT;
    ls_fail(&err, LS_ECANCELED, "stopped");
    ls_log_err(&log, LS_ERROR, "sync error", &err, NULL);
    ls_fail(&err, LS_EPERM, "open x");
    ls_log_err(&log, LS_ERROR, "sync error", &err, LS_ATTRS(LS_INT("n", 2)));
    char *text = log_close(&log, path);
    assert_non_null(strstr(text, "level=ERROR msg=\"sync error\" error=stopped\n"));
    assert_non_null(strstr(text, "error=\"open x\" hint=\"check owner and mode, or run as the "
                                 "database's user\" n=2\n"));
    free(text);
}

static void levels_filter(void **state) {
    char *path;
    ls_log log = log_open(state, LS_LOG_TEXT, &path);
    const ls_level all[] = {LS_TRACE, LS_DEBUG, LS_INFO, LS_WARN, LS_ERROR};
    for (size_t min = 0; min < 5; min++) {
        log.level = all[min];
        for (size_t i = 0; i < 5; i++) {
            ls_log_write(&log, all[i], "m", NULL);
        }
    }
    ls_log_write(NULL, LS_ERROR, "nowhere", NULL);
    char *text = log_close(&log, path);
    static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR"};
    const char *at = text;
    for (size_t min = 0; min < 5; min++) {
        for (size_t i = min; i < 5; i++) {
            const char *name = strstr(at, " level=") + 7;
            assert_memory_equal(name, names[i], strlen(names[i]));
            at = strchr(at, '\n') + 1;
        }
    }
    assert_string_equal(at, "");
    free(text);
}

static void set_zone(const char *zone) {
    assert_int_equal(setenv("TZ", zone, 1), 0);
    tzset();
}

/* The record's time is that of now, in the form and zone asked for. */
static void check_time(void **state, ls_log_format format, const char *suffix) {
    char *path;
    ls_log log = log_open(state, format, &path);
    int64_t before = (int64_t)time(NULL) * 1000;
    ls_log_write(&log, LS_INFO, "m", NULL);
    char *text = log_close(&log, path);
    char *at = strstr(text, format == LS_LOG_JSON ? "\"time\":\"" : "time=");
    at += format == LS_LOG_JSON ? 8 : 5;
    at[strcspn(at, "\" ")] = '\0';
    ls_err err = LS_ERR_INIT;
    int64_t ms;
    assert_int_equal(ls_time_parse(at, &ms, &err), LS_OK);
    assert_in_range(ms, before, before + 60000);
    assert_string_equal(at + strlen(at) - strlen(suffix), suffix);
    size_t fraction = strlen(at) - strlen(suffix) - strlen("2026-11-21T09:02:20");
    if (format == LS_LOG_TEXT) {
        assert_int_equal(fraction, 4);
    } else {
        assert_in_range(fraction, 0, 10);
        assert_int_not_equal(at[strlen(at) - strlen(suffix) - 1], '.');
        assert_true(fraction == 0 || at[strlen("2026-11-21T09:02:20") + fraction - 1] != '0');
    }
    free(text);
    char *file = tempdir_path(state, "log");
    assert_int_equal(unlink(file), 0);
    free(file);
}

static void time_is_local_with_its_offset(void **state) {
    static const char *const zones[][2] = {
        {"UTC", "Z"}, {"<-0330>3:30", "-03:30"}, {"<+0545>-5:45", "+05:45"}, {"EST5", "-05:00"}};
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        set_zone(zones[i][0]);
        check_time(state, LS_LOG_TEXT, zones[i][1]);
        for (int n = 0; n < 20; n++) {
            check_time(state, LS_LOG_JSON, zones[i][1]);
        }
    }
    set_zone("UTC");
}

static void oversized_record_becomes_a_note(void **state) {
    char *path;
    ls_log log = log_open(state, LS_LOG_TEXT, &path);
    char *big = malloc(1 << 20);
    memset(big, 'x', (1 << 20) - 1);
    big[(1 << 20) - 1] = '\0';
    ls_log_write(&log, LS_INFO, "m", LS_ATTRS(LS_STR("big", big)));
    free(big);
    char *text = log_close(&log, path);
    assert_non_null(strstr(text, "level=WARN msg=\"log record dropped\" reason=limit\n"));
    assert_true(strlen(text) < 200);
    free(text);
}

#define THREADS 4
#define RECORDS 200

static void *write_many(void *arg) {
    char value[6000];
    memset(value, 'v', sizeof value - 1);
    value[sizeof value - 1] = '\0';
    for (int i = 0; i < RECORDS; i++) {
        ls_log_write(arg, LS_INFO, "record", LS_ATTRS(LS_STR("value", value)));
    }
    return NULL;
}

/* Into a pipe, with records larger than what a pipe keeps together by itself. */
static void threads_do_not_mix_lines(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    ls_log log = {.fd = ends[1], .level = LS_INFO, .format = LS_LOG_TEXT};
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &log), 0);
    }
    FILE *in = fdopen(ends[0], "r");
    char line[8192];
    for (int i = 0; i < THREADS * RECORDS; i++) {
        assert_non_null(fgets(line, sizeof line, in));
        assert_memory_equal(line, "time=", 5);
        assert_int_equal(strlen(strchr(line, 'v')), strlen("vel=INFO msg=record value=") + 6000);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    fclose(in);
    close(ends[1]);
}

static void levels_parse(void **state) {
    (void)state;
    static const struct {
        const char *text;
        ls_level level;
    } cases[] = {{"trace", LS_TRACE}, {"DEBUG", LS_DEBUG},  {"Info", LS_INFO},
                 {"warn", LS_WARN},   {"WARNING", LS_WARN}, {"error", LS_ERROR}};
    ls_level level;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        level = LS_TRACE;
        assert_true(ls_level_parse(cases[i].text, &level));
        assert_int_equal(level, cases[i].level);
    }
    level = LS_ERROR;
    assert_false(ls_level_parse("verbose", &level));
    assert_int_equal(level, LS_INFO);
    assert_false(ls_level_parse("", &level));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(text_record),
        unit_test_in_tempdir(json_record),
        unit_test_in_tempdir(pretty_record),
        unit_test_in_tempdir(source),
        unit_test_in_tempdir(groups),
        unit_test_in_tempdir(hostile_values_stay_on_one_line),
        unit_test_in_tempdir(errors_carry_their_hint),
        unit_test_in_tempdir(levels_filter),
        unit_test_in_tempdir(time_is_local_with_its_offset),
        unit_test_in_tempdir(oversized_record_becomes_a_note),
        cmocka_unit_test(threads_do_not_mix_lines),
        cmocka_unit_test(levels_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
