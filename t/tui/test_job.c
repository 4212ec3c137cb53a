/* Jobs, and the pure models of axis and words (tui/job.c, tui/axis.c, tui/words.c). */
#include "tui/axis.h"
#include "tui/job.h"
#include "tui/words.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int wake[2];
static atomic_int dropped;

static int open_wake(void **state) {
    (void)state;
    dropped = 0;
    return pipe2(wake, O_CLOEXEC | O_NONBLOCK);
}

static int close_wake(void **state) {
    (void)state;
    return close(wake[0]) | close(wake[1]);
}

static bool woken(int timeout_ms) {
    struct pollfd fd = {.fd = wake[0], .events = POLLIN};
    return poll(&fd, 1, timeout_ms) == 1;
}

static void drop(void *arg) {
    free(arg);
    dropped++;
}

static ls_code fails(job *j, void *arg, ls_err *err) {
    *(int *)arg = 7;
    job_progress_put(j, &(ls_restore_progress){.files_done = 3});
    return ls_fail(err, LS_EIO, "as it must");
}

static void the_result_comes_back(void **state) {
    (void)state;
    job *j = NULL;
    ls_err err = LS_ERR_INIT;
    void *arg = calloc(1, sizeof(int));
    assert_int_equal(job_start(&j, fails, arg, drop, wake[1], &err), LS_OK);
    assert_true(woken(10000));
    void *back = NULL;
    assert_int_equal(job_take(&j, &back, &err), LS_EIO);
    assert_null(j);
    assert_ptr_equal(back, arg);
    assert_int_equal(*(int *)back, 7);
    assert_string_equal(err.msg, "as it must");
    assert_int_equal(dropped, 0);
    free(back);
}

/* A store that hangs: nothing but the gate lets it go on. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static ls_code hangs(job *j, void *arg, ls_err *err) {
    (void)arg;
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    return ls_canceled(job_cancel(j)) ? ls_fail(err, LS_ECANCELED, "given up") : LS_OK;
}

static void what_hangs_is_given_up(void **state) {
    (void)state;
    job *j = NULL;
    ls_err err = LS_ERR_INIT;
    (void)pthread_mutex_lock(&gate);
    assert_int_equal(job_start(&j, hangs, calloc(1, 1), drop, wake[1], &err), LS_OK);
    assert_false(job_done(j));
    job_give_up(&j);
    assert_null(j);
    job_give_up(&j);
    assert_int_equal(dropped, 0);
    (void)pthread_mutex_unlock(&gate);
    for (int i = 0; i < 10000 && dropped == 0; i++) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(dropped, 1);
    assert_false(woken(0));
}

static ls_code until_stopped(job *j, void *arg, ls_err *err) {
    (void)arg;
    while (!ls_canceled(job_cancel(j))) {
        (void)poll(NULL, 0, 1);
    }
    return ls_fail(err, LS_ECANCELED, "stopped");
}

static void stopping_waits_for_the_end(void **state) {
    (void)state;
    job *j = NULL;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(job_start(&j, until_stopped, calloc(1, 1), drop, wake[1], &err), LS_OK);
    job_stop(&j);
    assert_null(j);
    assert_int_equal(dropped, 1);
}

static void the_axis_keeps_its_bounds(void **state) {
    (void)state;
    axis x = axis_all(1, 101);
    assert_int_equal(axis_column(&x, 1, 50), 0);
    assert_int_equal(axis_column(&x, 101, 50), 49);
    assert_int_equal(axis_column(&x, 102, 50), 50);
    assert_int_equal(axis_column(&x, 0, 50), -1);
    for (int i = 0; i < 20; i++) {
        axis_zoom(&x, 0.5, 51, 4);
    }
    assert_true(x.to - x.from == 4);
    assert_true(x.from <= 51 && x.to >= 51);
    axis_show(&x, 99);
    assert_true(x.from <= 99 && x.to >= 99 && x.to <= 101);
    axis_show(&x, 1);
    assert_true(x.from == 1);
    axis_zoom(&x, 1000, 1, 4);
    assert_true(x.from == 1 && x.to == 101);
    x = axis_all(5, 5);
    assert_int_equal(axis_column(&x, 5, 10), 0);
    assert_true(axis_value(&x, 0, 10) > 5 && axis_value(&x, 9, 10) < 6);
}

static void words_are_as_they_should(void **state) {
    (void)state;
    char buf[300];
    ls_txid txid;
    assert_string_equal(age_format(999, buf, sizeof(buf)), "now");
    assert_string_equal(age_format(59999, buf, sizeof(buf)), "59 s");
    assert_string_equal(age_format(3600000, buf, sizeof(buf)), "1 h");
    assert_string_equal(age_format(-5, buf, sizeof(buf)), "now");
    assert_true(short_txid("13c", &txid) && txid == 0x13c);
    assert_true(short_txid("000000000000013C", &txid) && txid == 0x13c);
    assert_false(short_txid("0", &txid) || short_txid("", &txid) || short_txid("0x1", &txid) ||
                 short_txid("-1", &txid) || short_txid("12345678901234567", &txid));
    assert_string_equal(shell_word("/a/b-1.db", buf, sizeof(buf)), "/a/b-1.db");
    assert_string_equal(shell_word("a b", buf, sizeof(buf)), "'a b'");
    assert_string_equal(shell_word("it's", buf, sizeof(buf)), "'it'\\''s'");
    assert_string_equal(shell_word("", buf, sizeof(buf)), "''");
    assert_string_equal(base64("abcd", buf, sizeof(buf)), "YWJjZA==");
    assert_string_equal(base64("abcde", buf, sizeof(buf)), "YWJjZGU=");
    assert_string_equal(base64("abcdef", buf, sizeof(buf)), "YWJjZGVm");
    assert_string_equal(base64("abcdef", buf, 6), "YWJj");
}

static void long_plans_are_cut(void **state) {
    (void)state;
    ls_ltx_info files[3] = {{.level = 9, .min_txid = 1, .max_txid = 0x58},
                            {.level = 1, .min_txid = 0x59, .max_txid = 0x5b},
                            {.level = 0, .min_txid = 0x5c, .max_txid = 0x5c}};
    ls_plan plan = {.files = files, .n = 3};
    char buf[300];
    assert_string_equal(plan_format(&plan, buf, sizeof(buf)), "snap 1-58 · L1 59-5b · L0 5c-5c");
    assert_string_equal(plan_format(&plan, buf, 74), "snap 1-58 · L1 59-5b …");
    for (size_t size = 1; size < 120; size++) {
        assert_true(strlen(plan_format(&plan, buf, size)) < size);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_result_comes_back, open_wake, close_wake),
        cmocka_unit_test_setup_teardown(what_hangs_is_given_up, open_wake, close_wake),
        cmocka_unit_test_setup_teardown(stopping_waits_for_the_end, open_wake, close_wake),
        cmocka_unit_test(the_axis_keeps_its_bounds),
        cmocka_unit_test(words_are_as_they_should),
        cmocka_unit_test(long_plans_are_cut),
    };
    return cmocka_run_group_tests_name("tui jobs and models", tests, NULL, NULL);
}
