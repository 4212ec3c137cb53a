/*
 * Time comes in from outside, so that tests drive schedules and backoff in simulated time.
 */
#ifndef LS_BASE_CLOCK_H
#define LS_BASE_CLOCK_H

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

#endif
