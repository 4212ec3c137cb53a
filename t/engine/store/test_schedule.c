/* When jobs are due. Expected times were worked out from the calendar, not with the code under
 * test.
 */
#include "engine/store/schedule.h"

#include "engine/base/text.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define S 1000LL
#define M (60 * S)
#define H (60 * M)
#define D (24 * H)

static int64_t at(const char *text) {
    int64_t ms;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_time_parse(text, &ms, &err), LS_OK);
    return ms;
}

static void assert_between(const char *now, int64_t interval, const char *prev, const char *next) {
    assert_int_equal(ls_schedule_prev(at(now), interval), at(prev));
    assert_int_equal(ls_schedule_next(at(now), interval), at(next));
}

static void parts_of_a_day(void **state) {
    (void)state;
    assert_between("2025-03-04T05:06:07.890Z", 30 * S, "2025-03-04T05:06:00Z",
                   "2025-03-04T05:06:30Z");
    assert_between("2025-03-04T05:06:07Z", 5 * M, "2025-03-04T05:05:00Z", "2025-03-04T05:10:00Z");
    assert_between("2025-03-04T05:06:07Z", H, "2025-03-04T05:00:00Z", "2025-03-04T06:00:00Z");
    assert_between("2025-12-31T23:59:59.999Z", D, "2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z");
    assert_between("2025-03-04T05:06:07.890Z", 1, "2025-03-04T05:06:07.890Z",
                   "2025-03-04T05:06:07.891Z");
}

static void a_multiple_is_its_own_begin(void **state) {
    (void)state;
    assert_between("2025-03-04T00:00:00Z", D, "2025-03-04T00:00:00Z", "2025-03-05T00:00:00Z");
    assert_between("2025-03-04T05:30:00Z", 30 * M, "2025-03-04T05:30:00Z", "2025-03-04T06:00:00Z");
}

/* Year 1 begins on a Monday. */
static void weeks_begin_on_mondays(void **state) {
    (void)state;
    assert_between("2025-03-05T12:00:00Z", 7 * D, "2025-03-03T00:00:00Z", "2025-03-10T00:00:00Z");
    assert_between("2025-03-09T23:59:59Z", 7 * D, "2025-03-03T00:00:00Z", "2025-03-10T00:00:00Z");
    assert_between("1969-12-31T23:00:00Z", 7 * D, "1969-12-29T00:00:00Z", "1970-01-05T00:00:00Z");
}

/* Intervals that are no parts of a day wander over it: 62135596800 s are 17259888 times 3600 s, and
 * 17259888 is 2 more than a multiple of 7. */
static void seven_hours(void **state) {
    (void)state;
    assert_between("1970-01-01T00:00:00Z", 7 * H, "1969-12-31T22:00:00Z", "1970-01-01T05:00:00Z");
    assert_between("1970-01-01T05:00:00Z", 7 * H, "1970-01-01T05:00:00Z", "1970-01-01T12:00:00Z");
}

static void before_1970_and_before_year_1(void **state) {
    (void)state;
    assert_between("1969-12-31T23:59:59.999Z", H, "1969-12-31T23:00:00Z", "1970-01-01T00:00:00Z");
    const int64_t year_1 = -62135596800000;
    assert_int_equal(ls_schedule_prev(year_1, 7 * H), year_1);
    assert_int_equal(ls_schedule_prev(year_1 - 1, 7 * H), year_1 - 7 * H);
    assert_int_equal(ls_schedule_next(year_1 - 1, 7 * H), year_1);
}

/* Whatever the numbers: prev <= now < next, one interval apart. */
static void no_overflow(void **state) {
    (void)state;
    static const int64_t nows[] = {0, 1, -1, INT64_MAX / 2, INT64_MIN / 2, 1700000000000};
    static const int64_t intervals[] = {1, 7, D, INT64_MAX / 4, INT64_MAX / 2 - 1};
    for (size_t i = 0; i < sizeof nows / sizeof nows[0]; i++) {
        for (size_t k = 0; k < sizeof intervals / sizeof intervals[0]; k++) {
            int64_t prev = ls_schedule_prev(nows[i], intervals[k]);
            int64_t next = ls_schedule_next(nows[i], intervals[k]);
            assert_true(prev <= nows[i] && nows[i] < next);
            assert_true(next == prev + intervals[k] || next == INT64_MAX);
        }
    }
    assert_int_equal(ls_schedule_next(INT64_MAX, D), INT64_MAX);
    assert_int_equal(ls_schedule_prev(INT64_MIN, INT64_MAX), INT64_MIN);
}

static void no_interval_is_never(void **state) {
    (void)state;
    assert_int_equal(ls_schedule_prev(5, 0), 5);
    assert_int_equal(ls_schedule_next(5, 0), INT64_MAX);
    assert_int_equal(ls_schedule_next(5, -1), INT64_MAX);
}

static void due_once_in_a_period(void **state) {
    (void)state;
    int64_t now = at("2025-03-04T05:06:07Z");
    assert_true(ls_schedule_due(now, H, false, 0));
    assert_true(ls_schedule_due(now, H, true, at("2025-03-04T04:59:59Z")));
    assert_true(ls_schedule_due(now, H, true, at("2025-03-04T05:00:00Z")));
    assert_false(ls_schedule_due(now, H, true, at("2025-03-04T05:00:00.001Z")));
    assert_false(ls_schedule_due(now, H, true, now));
    assert_false(ls_schedule_due(now, H, true, at("2025-03-04T09:00:00Z"))); /* a clock set back */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_a_day),
        cmocka_unit_test(a_multiple_is_its_own_begin),
        cmocka_unit_test(weeks_begin_on_mondays),
        cmocka_unit_test(seven_hours),
        cmocka_unit_test(before_1970_and_before_year_1),
        cmocka_unit_test(no_overflow),
        cmocka_unit_test(no_interval_is_never),
        cmocka_unit_test(due_once_in_a_period),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
