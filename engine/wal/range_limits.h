/*
 * Internal to engine/wal, and for its tests: the bounds of a range, normally the constants of
 * wal.h. A test lowers them to reach the paths that otherwise take a log of gigabytes. Not to be
 * changed while a range exists.
 */
#ifndef LS_WAL_RANGE_LIMITS_H
#define LS_WAL_RANGE_LIMITS_H

#include <stddef.h>
#include <stdint.h>

typedef struct ls_wal_range_limits {
    size_t frames;         /* entries of the sorted list; at least 1 */
    uint32_t window_pages; /* page numbers in one window; at least 1 */
    size_t keep_bytes;     /* page bytes kept in memory; 0: none */
} ls_wal_range_limits;

extern ls_wal_range_limits ls_wal_limits;

#endif
