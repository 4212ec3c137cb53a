/*
 * Time comes in from outside, so that tests drive schedules and backoff in simulated time.
 */
#ifndef LS_BASE_CLOCK_H
#define LS_BASE_CLOCK_H

#include "engine/base/cancel.h"

#include <stdint.h>

typedef struct ls_clock ls_clock;
struct ls_clock {
    int64_t (*wall_ms)(const ls_clock *c); /* ms since 1970 */
    int64_t (*mono_ns)(const ls_clock *c); /* never goes back */
};

/* The system's clocks. */
extern const ls_clock ls_clock_system;

int64_t ls_wall_ms(const ls_clock *c);
int64_t ls_mono_ns(const ls_clock *c);

/* Sleeps for so many ns, of real time; false, within 50 ms, once cancel (may be NULL) is set. */
bool ls_pause(int64_t ns, const ls_cancel *cancel);

/* How long to pause before what failed is tried again, the tries before counted from 0: random, so
 * that many do not come back together, up to 100 ms that double with each try, and 20 s. */
int64_t ls_retry_pause_ns(unsigned tries);

#endif
