/*
 * The system's clocks behind ls_clock.
 */
#include "engine/base/clock.h"

#include <time.h>

static int64_t system_wall_ms(const ls_clock *c) {
    (void)c;
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t system_mono_ns(const ls_clock *c) {
    (void)c;
    struct timespec ts = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

const ls_clock ls_clock_system = {.wall_ms = system_wall_ms, .mono_ns = system_mono_ns};

int64_t ls_wall_ms(const ls_clock *c) { return c->wall_ms(c); }

int64_t ls_mono_ns(const ls_clock *c) { return c->mono_ns(c); }
