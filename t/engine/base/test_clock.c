/*
 * Clocks and the cancel flag (engine/base/clock.c, engine/base/cancel.c).
 */
#include "engine/base/cancel.h"
#include "engine/base/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

static void system_clocks_run(void **state) {
    (void)state;
    int64_t before = (int64_t)time(NULL) * 1000;
    int64_t wall = ls_wall_ms(&ls_clock_system);
    assert_true(wall >= before - 1000 && wall <= before + 60000);
    int64_t last = ls_mono_ns(&ls_clock_system);
    for (int i = 0; i < 1000; i++) {
        int64_t now = ls_mono_ns(&ls_clock_system);
        assert_true(now >= last);
        last = now;
    }
}

static void pauses_end(void **state) {
    (void)state;
    ls_cancel set = {0};
    int64_t begin = ls_mono_ns(&ls_clock_system);
    assert_true(ls_pause(3000000, NULL));
    assert_true(ls_mono_ns(&ls_clock_system) - begin >= 3000000);
    assert_true(ls_pause(0, &set));
    ls_cancel_set(&set);
    assert_false(ls_pause(INT64_MAX, &set));
}

static void retries_pause_longer_each_time(void **state) {
    (void)state;
    for (unsigned tries = 0; tries < 70; tries++) {
        int64_t most = tries < 8 ? (int64_t)100000000 << tries : 20000000000;
        int64_t longest = 0;
        for (int i = 0; i < 200; i++) {
            int64_t ns = ls_retry_pause_ns(tries);
            assert_true(ns >= 0 && ns < most && ns < 20000000000);
            longest = ns > longest ? ns : longest;
        }
        assert_true(longest > most / 2 || most > 20000000000);
    }
}

typedef struct fake_clock {
    ls_clock base;
    int64_t ms;
} fake_clock;

static int64_t fake_wall(const ls_clock *c) { return ((const fake_clock *)c)->ms; }

static int64_t fake_mono(const ls_clock *c) { return ((const fake_clock *)c)->ms * 1000000; }

static void simulated_time(void **state) {
    (void)state;
    fake_clock c = {.base = {.wall_ms = fake_wall, .mono_ns = fake_mono}, .ms = 5};
    assert_int_equal(ls_wall_ms(&c.base), 5);
    c.ms = 7;
    assert_int_equal(ls_mono_ns(&c.base), 7000000);
}

static ls_cancel canceled_by_signal;

static void on_signal(int sig) {
    (void)sig;
    ls_cancel_set(&canceled_by_signal);
}

static void cancel_is_seen(void **state) {
    (void)state;
    assert_false(ls_canceled(NULL));
    assert_false(ls_canceled(&canceled_by_signal));
    struct sigaction action = {.sa_handler = on_signal};
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_true(ls_canceled(&canceled_by_signal));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(system_clocks_run),
        cmocka_unit_test(simulated_time),
        cmocka_unit_test(cancel_is_seen),
        cmocka_unit_test(pauses_end),
        cmocka_unit_test(retries_pause_longer_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
