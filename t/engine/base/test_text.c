/*
 * Durations, times, sizes, hexadecimal numbers and nearest words (engine/base/text.c).
 */
#include "engine/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void durations_parse(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {
        {"0", 0},
        {"+0", 0},
        {"1s", LS_SEC},
        {"-1.5s", -1500 * LS_MS},
        {"300ms", 300 * LS_MS},
        {"1h30m", 5400 * LS_SEC},
        {"2d", 172800 * LS_SEC},
        {"1w", 604800 * LS_SEC},
        {".5m", 30 * LS_SEC},
        {"5.s", 5 * LS_SEC},
        {"3us", 3000},
        {"3\xc2\xb5s", 3000},
        {"3\xce\xbcs", 3000},
        {"0.100000000000000000000h", 360 * LS_SEC},
        {"0.3333333333333333333h", 1200 * LS_SEC},
        {"39h9m14.425s", 140954425 * LS_MS},
        {"9223372036854775807ns", INT64_MAX},
        {"1d12h", 129600 * LS_SEC},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ls_err err = LS_ERR_INIT;
        int64_t ns = -1;
        if (ls_duration_parse(good[i].text, &ns, &err) != LS_OK || ns != good[i].ns) {
            fail_msg("%s: got %lld (%s)", good[i].text, (long long)ns, err.msg);
        }
    }
}

static void durations_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "5",
                                      "-",
                                      "+",
                                      "s",
                                      ".s",
                                      ".",
                                      "1x",
                                      "1s ",
                                      " 1s",
                                      "1,5s",
                                      "--1s",
                                      "1 s",
                                      "1S",
                                      "1e3s",
                                      "1m5",
                                      "9223372036854775808ns",
                                      "300y",
                                      "9223372036854775807h",
                                      "00",
                                      "1ss",
                                      "1.5"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ls_err err = LS_ERR_INIT;
        int64_t ns;
        if (ls_duration_parse(bad[i], &ns, &err) != LS_EINVALID) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
        assert_non_null(strstr(err.msg, "invalid duration"));
        assert_string_not_equal(err.hint, "");
    }
    ls_err err = LS_ERR_INIT;
    int64_t ns;
    assert_int_equal(ls_duration_parse("15", &ns, &err), LS_EINVALID);
    assert_string_equal(err.msg, "invalid duration \"15\": missing unit");
    assert_string_equal(err.hint, "add a unit: 15s for seconds, 15m for minutes");
}

static void durations_format(void **state) {
    (void)state;
    static const struct {
        int64_t ns;
        const char *text;
    } cases[] = {
        {0, "0s"},
        {1, "1ns"},
        {999, "999ns"},
        {1000, "1\xc2\xb5s"},
        {70515, "70.515\xc2\xb5s"},
        {500 * LS_MS, "500ms"},
        {1100 * LS_MS, "1.1s"},
        {LS_SEC, "1s"},
        {60 * LS_SEC, "1m0s"},
        {300 * LS_SEC, "5m0s"},
        {3600 * LS_SEC, "1h0m0s"},
        {86400 * LS_SEC, "24h0m0s"},
        {90061 * LS_SEC + 1, "25h1m1.000000001s"},
        {-1500 * LS_MS, "-1.5s"},
        {INT64_MAX, "2562047h47m16.854775807s"},
        {INT64_MIN, "-2562047h47m16.854775808s"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buf[32];
        assert_string_equal(ls_duration_format(cases[i].ns, buf, sizeof buf), cases[i].text);
    }
}

static void times_parse(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2000-02-29T12:00:00Z", 951825600000},
        {"2026-11-21T09:02:20.162Z", 1795251740162},
        {"2026-11-21T04:02:20.1629999-05:00", 1795251740162},
        {"2026-11-21T14:32:20.1+05:30", 1795251740100},
        {"1969-12-31T23:59:59.999Z", -1},
        {"0000-01-01T00:00:00Z", -62167219200000},
        {"9999-12-31T23:59:59.999999999Z", 253402300799999},
        {"2024-02-29T00:00:00-00:00", 1709164800000},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ls_err err = LS_ERR_INIT;
        int64_t ms = 0;
        if (ls_time_parse(good[i].text, &ms, &err) != LS_OK || ms != good[i].ms) {
            fail_msg("%s: got %lld (%s)", good[i].text, (long long)ms, err.msg);
        }
    }
}

static void times_refused(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "2026-11-21",
        "2026-11-21T09:02:20",
        "2026-11-21 09:02:20Z",
        "2026-11-21t09:02:20Z",
        "2026-11-21T09:02:20z",
        "2025-02-29T00:00:00Z",
        "1900-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z",
        "2026-00-10T00:00:00Z",
        "2026-13-10T00:00:00Z",
        "2026-01-00T00:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T23:60:00Z",
        "2026-01-01T23:59:60Z",
        "2026-01-01T23:59:59.Z",
        "2026-01-01T23:59:59,5Z",
        "2026-01-01T23:59:59+0100",
        "2026-01-01T23:59:59+24:00",
        "2026-01-01T23:59:59+01:60",
        "2026-01-01T23:59:59+01:00 ",
        "2026-01-01T23:59:59ZZ",
        "26-01-01T23:59:59Z",
        "2026-1-01T23:59:59Z",
        "+026-01-01T23:59:59Z",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ls_err err = LS_ERR_INIT;
        int64_t ms;
        if (ls_time_parse(bad[i], &ms, &err) != LS_EINVALID) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
        assert_string_not_equal(err.hint, "");
    }
}

static void times_format(void **state) {
    (void)state;
    char buf[40];
    assert_string_equal(ls_time_format(0, false, buf, sizeof buf), "1970-01-01T00:00:00Z");
    assert_string_equal(ls_time_format(-1, true, buf, sizeof buf), "1969-12-31T23:59:59.999Z");
    assert_string_equal(ls_time_format(1795251740007, true, buf, sizeof buf),
                        "2026-11-21T09:02:20.007Z");
    assert_string_equal(ls_time_format(951825600000, false, buf, sizeof buf),
                        "2000-02-29T12:00:00Z");
    for (int64_t ms = -62167219200000; ms < 253402300799999; ms += 86400000LL * 37 + 12345679) {
        ls_err err = LS_ERR_INIT;
        int64_t back;
        assert_int_equal(ls_time_parse(ls_time_format(ms, true, buf, sizeof buf), &back, &err),
                         LS_OK);
        assert_true(back == ms);
    }
    (void)ls_time_format(INT64_MIN, true, buf, sizeof buf);
    (void)ls_time_format(INT64_MAX, true, buf, sizeof buf);
}

static void sizes_format(void **state) {
    (void)state;
    static const struct {
        uint64_t n;
        const char *text;
    } cases[] = {
        {0, "0 B"},
        {9, "9 B"},
        {10, "10 B"},
        {999, "999 B"},
        {1000, "1.0 kB"},
        {1024, "1.0 kB"},
        {9949, "9.9 kB"},
        {9950, "10 kB"},
        {16500, "16 kB"},
        {17500, "18 kB"},
        {16512, "16 kB"},
        {24752, "25 kB"},
        {123456, "124 kB"},
        {999999999, "1000 MB"},
        {1000000000, "1.0 GB"},
        {1200000000, "1.2 GB"},
        {UINT64_MAX, "18 EB"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buf[32];
        ls_bytes_format(cases[i].n, buf, sizeof buf);
        assert_string_equal(buf, cases[i].text);
    }
}

static void sizes_parse(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t n;
    } good[] = {
        {"100", 100},
        {"5MB", 5000000},
        {"1.5 GiB", 1610612736},
        {"5k", 5000},
        {"5Ki", 5120},
        {" 1,000 b ", 1000},
        {".5kb", 500},
        {"1.9999", 1},
        {"0.29 kB", 290},
        {"4.35gb", 4350000000},
        {"7eib", 8070450532247928832},
        {"9223372036854775807", INT64_MAX},
        {"1.000000000000000000000000000000000000000001tb", 1000000000000},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        ls_err err = LS_ERR_INIT;
        int64_t n = -1;
        if (ls_bytes_parse(good[i].text, &n, &err) != LS_OK || n != good[i].n) {
            fail_msg("%s: got %lld (%s)", good[i].text, (long long)n, err.msg);
        }
    }
    static const char *const bad[] = {
        "",           " ",   "b",     "xb",   "-1",  "1xb",  "1kbb",  "1kx",
        ".",          ",",   "1.2.3", "8eib", "1e3", "0x10", "1 k b", "9223372036854775808",
        "99999999EB", "1kii"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ls_err err = LS_ERR_INIT;
        int64_t n;
        if (ls_bytes_parse(bad[i], &n, &err) != LS_EINVALID) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
}

static void hexadecimal(void **state) {
    (void)state;
    uint64_t v;
    assert_true(ls_hex64_parse("00000000000002a9", 16, &v));
    assert_true(v == 0x2a9);
    assert_true(ls_hex64_parse("FfffFFFFffffffff-", 16, &v));
    assert_true(v == UINT64_MAX);
    assert_false(ls_hex64_parse("2a9", 3, &v));
    assert_false(ls_hex64_parse("00000000000002a9f", 17, &v));
    assert_false(ls_hex64_parse("00000000000002ag", 16, &v));
    assert_false(ls_hex64_parse("0x000000000002a9", 16, &v));
    assert_false(ls_hex64_parse("               1", 16, &v));
}

static void nearest_words(void **state) {
    (void)state;
    static const char *const names[] = {"restore", "replicate", "reset", "status", "ltx", NULL};
    assert_string_equal(ls_nearest("restroe", names), "restore");
    assert_string_equal(ls_nearest("replciate", names), "replicate");
    assert_string_equal(ls_nearest("rest", names), "reset");
    assert_string_equal(ls_nearest("stats", names), "status");
    assert_string_equal(ls_nearest("ltx", names), "ltx");
    assert_string_equal(ls_nearest("lxt", names), "ltx");
    assert_null(ls_nearest("verify", names));
    assert_null(ls_nearest("", names));
    assert_null(ls_nearest("x", names));
    char long_word[200];
    memset(long_word, 'a', sizeof long_word - 1);
    long_word[sizeof long_word - 1] = '\0';
    assert_null(ls_nearest(long_word, names));
    assert_true(ls_has_prefix("s3://bucket", "s3://"));
    assert_false(ls_has_prefix("s3", "s3://"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations_parse),  cmocka_unit_test(durations_refused),
        cmocka_unit_test(durations_format), cmocka_unit_test(times_parse),
        cmocka_unit_test(times_refused),    cmocka_unit_test(times_format),
        cmocka_unit_test(sizes_format),     cmocka_unit_test(sizes_parse),
        cmocka_unit_test(hexadecimal),      cmocka_unit_test(nearest_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
