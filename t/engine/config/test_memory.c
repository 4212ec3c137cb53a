/*
 * A configuration read while memory runs out: each allocation fails once, and each time the answer
 * is an error, an empty configuration, and nothing left behind (the sanitizers look).
 */
#include "engine/config/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t/support/faults.h"

static const char text[] = "exec: run $HOME it\n"
                           "novel: {x: y}\n"
                           "heartbeat-url: http://x\n"
                           "x-a: &a {sync-interval: 3s, type: file}\n"
                           "logging: {level: debug, type: json}\n"
                           "levels: [{interval: 1s}, {interval: 2s}, {interval: 3s}]\n"
                           "dbs:\n"
                           "  - path: ~/a.db\n"
                           "    meta-path: /m\n"
                           "    replica: {<<: [*a], url: 'file:///r'}\n"
                           "  - {dir: b, pattern: '*.db'}\n"
                           "  - {path: sqlite:///c.db, replicas: [{path: /rc}]}\n";

static long calls;

static ls_code parse(ls_config *config, long fail_at, ls_err *err) {
    faults_arm(FAULT_MEMORY, fail_at, ENOMEM);
    ls_code rc = ls_config_parse(text, strlen(text), "c.yml",
                                 LS_CONFIG_EXPAND_ENV | LS_CONFIG_ALLOW_UNKNOWN, config, err);
    calls = faults_disarm(NULL);
    return rc;
}

static void test_parse(void **state) {
    ls_config config;
    ls_err err = LS_ERR_INIT;

    (void)state;
    assert_int_equal(parse(&config, 0, &err), LS_OK);
    assert_int_equal(config.n_dbs, 3);
    ls_config_done(&config);
    long total = calls;
    assert_true(total > 20);
    for (long i = 1; i <= total; i++) {
        ls_err_clear(&err);
        assert_int_equal(parse(&config, i, &err), LS_ENOMEM);
        assert_int_equal(config.n_dbs, 0);
        assert_null(config.exec);
        assert_true(err.msg[0] != '\0');
        ls_config_done(&config);
    }
}

static void test_storage(void **state) {
    ls_config config;
    ls_storage *s;
    ls_err err = LS_ERR_INIT;
    ls_code rc = LS_OK;

    (void)state;
    assert_int_equal(parse(&config, 0, &err), LS_OK);
    long fail_at = 0;
    do {
        faults_arm(FAULT_MEMORY, ++fail_at, ENOMEM);
        rc = ls_config_storage(&config.dbs[0], &s, &err);
        (void)faults_disarm(NULL);
        assert_true(rc == LS_OK || (rc == LS_ENOMEM && s == NULL));
    } while (rc != LS_OK);
    assert_true(fail_at > 4);
    ls_storage_free(s);
    ls_config_done(&config);
}

static void test_add(void **state) {
    ls_config config;
    ls_err err = LS_ERR_INIT;
    ls_code rc = LS_OK;

    (void)state;
    ls_config_init(&config);
    long fail_at = 0;
    do {
        faults_arm(FAULT_MEMORY, ++fail_at, ENOMEM);
        rc = ls_config_add(&config, "a.db", "file:///r", &err);
        (void)faults_disarm(NULL);
        assert_int_equal(config.n_dbs, rc == LS_OK ? 1 : 0);
        assert_true(rc == LS_OK || rc == LS_ENOMEM);
    } while (rc != LS_OK);
    assert_true(fail_at > 3);
    ls_config_done(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_storage),
        cmocka_unit_test(test_add),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
