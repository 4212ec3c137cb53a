/*
 * All files of a replica, as one listing in memory: a constant number of bytes a file.
 */
#ifndef LS_RESTORE_LISTING_H
#define LS_RESTORE_LISTING_H

#include "backends/storage.h"

#define LS_LISTING_LEVELS (LS_LTX_LEVEL_MAX + 1)
#define LS_LISTING_FILES_MAX (1u << 22)

typedef struct ls_listing {
    ls_ltx_info *levels[LS_LISTING_LEVELS]; /* each in (min, max) order; owned */
    size_t counts[LS_LISTING_LEVELS];
    size_t n; /* files in all */
} ls_listing;

/* With exact times. Lists the levels from 0 upwards: what is compacted meanwhile is seen once at
 * least, as a file of level n is written before those of level n-1 that it replaces go. */
LS_MUST ls_code ls_listing_read(ls_storage *s, ls_listing *listing, ls_err *err);

/* The same with the times that listings give, for those who need names and sizes. */
LS_MUST ls_code ls_listing_names(ls_storage *s, ls_listing *listing, ls_err *err);
void ls_listing_done(ls_listing *listing);

#endif
