/*
 * When compactions and snapshots are due: at multiples of their interval counted from
 * 0001-01-01T00:00Z, as the reference counts, so that a week starts on a Monday and restarts change
 * nothing. Pure arithmetic.
 */
#ifndef LS_STORE_SCHEDULE_H
#define LS_STORE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* The last multiple at or before now, and the first after it; ms since 1970, interval in ms. An
 * interval that is not positive has no multiples: now itself, and never (INT64_MAX). */
int64_t ls_schedule_prev(int64_t now_ms, int64_t interval_ms);
int64_t ls_schedule_next(int64_t now_ms, int64_t interval_ms);

/* Is the period that holds now still without a file, the newest of the level being of newest_ms
 * (the time of its data, not the one it was made at)? A file of the very moment in which the period
 * begins is of the one before. */
bool ls_schedule_due(int64_t now_ms, int64_t interval_ms, bool any, int64_t newest_ms);

#endif
