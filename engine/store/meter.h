/*
 * A store that counts what is asked of it: requests by type of store and operation, for all
 * databases together, and what each level of one replica holds.
 *
 * A level is known from a listing of all of it, which some job makes anyway; until the next one it
 * is kept up with what is put there and deleted. Counting costs no request.
 */
#ifndef LS_STORE_METER_H
#define LS_STORE_METER_H

#include "engine/store/calls.h"

#include <pthread.h>

/* Requests; several threads add to it at once. */
typedef struct ls_meter {
    pthread_mutex_t mutex;
    ls_op_total ops[LS_OP_TOTALS_MAX];
    size_t n;
} ls_meter;

void ls_meter_init(ls_meter *meter);
void ls_meter_done(ls_meter *meter);
void ls_meter_read(ls_meter *meter, ls_totals *totals); /* its ops */

/* The levels of a replica; next_ms is not filled in here. */
typedef struct ls_levels {
    pthread_mutex_t mutex;
    ls_level_state levels[LS_LTX_LEVEL_MAX + 1];
    uint64_t changes[LS_LTX_LEVEL_MAX + 1]; /* how often something was put there or deleted */
    bool known[LS_LTX_LEVEL_MAX + 1];
    int64_t listed_ms; /* since 1970: the last listing of all of a level; -1: none yet */
} ls_levels;

void ls_levels_init(ls_levels *levels);
void ls_levels_done(ls_levels *levels);
/* Copies what is known; *at_ms -1: not all levels were listed yet. */
void ls_levels_read(ls_levels *levels, ls_level_state to[LS_LTX_LEVEL_MAX + 1], int64_t *at_ms);

/* A store that hands every call to inner, which it owns from then on, also after an error. levels
 * may be NULL. meter and levels outlive it. */
LS_MUST ls_code ls_metered_new(ls_storage *inner, ls_meter *meter, ls_levels *levels,
                               ls_storage **metered, ls_err *err);

#endif
