/*
 * The system's clocks behind ls_clock.
 */
#include "engine/base/clock.h"

#include "engine/base/text.h"

#include <sys/random.h>
#include <time.h>

#define SLICE (50 * LS_MS)
#define RETRY_FIRST (100 * LS_MS)
#define RETRY_MAX (20 * LS_SEC)

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

bool ls_pause(int64_t ns, const ls_cancel *cancel) {
    while (ns > 0 && !ls_canceled(cancel)) {
        int64_t part = cancel != NULL && ns > SLICE ? SLICE : ns;
        const struct timespec ts = {.tv_sec = part / LS_SEC, .tv_nsec = part % LS_SEC};
        (void)nanosleep(&ts, NULL);
        ns -= part;
    }
    return !ls_canceled(cancel);
}

int64_t ls_retry_pause_ns(unsigned tries) {
    uint32_t dice = UINT32_MAX / 2;
    (void)!getrandom(&dice, sizeof dice, GRND_NONBLOCK);
    int64_t most = tries < 8 ? RETRY_FIRST << tries : RETRY_MAX;
    most = most < RETRY_MAX ? most : RETRY_MAX;
    return (int64_t)((double)most * (dice / 4294967296.0));
}
