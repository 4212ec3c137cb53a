/*
 * A flag that says "stop": set once from any thread (or a signal handler), asked by jobs between
 * steps.
 */
#ifndef LS_BASE_CANCEL_H
#define LS_BASE_CANCEL_H

#include "engine/base/error.h"

#include <stdatomic.h>
#include <stdint.h>

typedef struct ls_cancel {
    atomic_bool set;
} ls_cancel;

static inline void ls_cancel_set(ls_cancel *c) { atomic_store(&c->set, true); }

/* c may be NULL: never cancelled. */
static inline bool ls_canceled(const ls_cancel *c) {
    return c != NULL && atomic_load(&((ls_cancel *)(uintptr_t)c)->set);
}

#endif
