/* Intervals and retention of levels: see level_rules.h. */
#include "tui/level_rules.h"

#include "engine/base/text.h"
#include "engine/store/schedule.h"

#include <stdio.h>

static int64_t interval_of(const ls_config *c, int level) {
    if (level == LS_LTX_LEVEL_SNAPSHOT) {
        return c->snapshot_interval;
    }
    return level >= 1 && (size_t)level <= c->n_levels ? c->levels[level - 1] : 0;
}

bool level_wanted(const ls_config *c, int level) {
    return level == 0 || level == LS_LTX_LEVEL_SNAPSHOT || interval_of(c, level) > 0;
}

const char *level_every(const ls_config *c, int level, char *buf, size_t size) {
    if (level == 0) {
        return "commit";
    }
    int64_t interval = interval_of(c, level);
    return interval > 0 ? ls_duration_format(interval, buf, size) : "-";
}

const char *level_kept(const ls_config *c, int level, char *buf, size_t size) {
    int64_t kept = level == 0 ? c->l0_retention : c->snapshot_retention;
    if (!c->retention_enabled || kept <= 0) {
        return "all";
    }
    return level > 0 && level < LS_LTX_LEVEL_SNAPSHOT ? "snapshots"
                                                      : ls_duration_format(kept, buf, size);
}

int64_t level_next(const ls_config *c, int level, int64_t now_ms) {
    int64_t interval = interval_of(c, level) / LS_MS;
    return level > 0 && interval > 0 ? ls_schedule_next(now_ms, interval) : 0;
}
