/* When compactions and snapshots are due; see schedule.h. */
#include "engine/store/schedule.h"

/* 1970-01-01 counted from 0001-01-01, in ms. */
#define EPOCH_MS 62135596800000

/* How far now is past the last multiple. Sums of the two remainders would not fit for intervals of
 * half the range. */
static int64_t into_period(int64_t now_ms, int64_t interval_ms) {
    int64_t a = now_ms % interval_ms;
    a += a < 0 ? interval_ms : 0;
    int64_t b = EPOCH_MS % interval_ms;
    return a >= interval_ms - b ? a - (interval_ms - b) : a + b;
}

int64_t ls_schedule_prev(int64_t now_ms, int64_t interval_ms) {
    if (interval_ms <= 0) {
        return now_ms;
    }
    int64_t past = into_period(now_ms, interval_ms);
    return now_ms < INT64_MIN + past ? INT64_MIN : now_ms - past;
}

int64_t ls_schedule_next(int64_t now_ms, int64_t interval_ms) {
    if (interval_ms <= 0) {
        return INT64_MAX;
    }
    int64_t left = interval_ms - into_period(now_ms, interval_ms);
    return now_ms > INT64_MAX - left ? INT64_MAX : now_ms + left;
}

bool ls_schedule_due(int64_t now_ms, int64_t interval_ms, bool any, int64_t newest_ms) {
    return !any || newest_ms <= ls_schedule_prev(now_ms, interval_ms);
}
