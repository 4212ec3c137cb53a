/*
 * A store around another one that fails, breaks, is slow, lies or goes away: at the n-th request
 * that a fault applies to, or at random by seed. What it does not spoil it passes on. May be used
 * from several threads.
 */
#ifndef LS_T_FAULTSTORE_H
#define LS_T_FAULTSTORE_H

#include "backends/storage.h"
#include "engine/base/cancel.h"

typedef enum store_op {
    STORE_LIST,
    STORE_OPEN,
    STORE_PUT,
    STORE_COPY,
    STORE_REMOVE,
    STORE_OP_N,
    STORE_ANY = STORE_OP_N
} store_op;

/* kind, name in what tests print */
#define STORE_FAULTS(X)                                                                            \
    X(STORE_FAIL, "fails")       /* nothing happens, the answer is an error */                     \
    X(STORE_LOST, "answer lost") /* put, copy, remove: it happens, the answer is an error */       \
    X(STORE_BREAK, "breaks") /* list, open, put, remove: an error after half. A put that breaks */ \
                             /* leaves nothing, the half of the deletions was made */              \
    X(STORE_SHORT, "ends early") /* open: half of the bytes, then a clean end */                   \
    X(STORE_STALE, "stale")      /* list: without what was put last */                             \
    X(STORE_TWICE, "twice")      /* list: an entry twice */                                        \
    X(STORE_GHOST, "ghost")      /* list: with what was deleted lately */                          \
    X(STORE_SLOW, "slow")        /* takes STORE_SLOW_MS of simulated time, and works */            \
    X(STORE_DOWN, "down")        /* this request and all that follow fail, until faultstore_up */  \
    X(STORE_GONE, "gone")        /* the same, but a change that this one makes is made */

typedef enum store_fault {
#define X(kind, name) kind,
    STORE_FAULTS(X)
#undef X
        STORE_FAULT_N
} store_fault;

#define STORE_SLOW_MS 20000

const char *store_fault_name(store_fault fault);

/* Sets of faults, for faultstore_random. */
#define STORE_BIT(fault) (1u << (fault))
#define STORE_LIES (STORE_BIT(STORE_STALE) | STORE_BIT(STORE_TWICE) | STORE_BIT(STORE_GHOST))
#define STORE_STAYS_UP ((1u << STORE_FAULT_N) - 1 - STORE_BIT(STORE_DOWN) - STORE_BIT(STORE_GONE))

/* inner is not owned. NULL without memory. */
ls_storage *faultstore_new(ls_storage *inner);

/* Counting begins anew; the n-th request to which the fault applies, of operation op or of any, is
 * spoilt. n 0: none. */
void faultstore_script(ls_storage *s, store_op op, store_fault fault, long n);

/* Of a thousand requests so many are spoilt by one of the faults that applies; 0: none. */
void faultstore_random(ls_storage *s, uint64_t seed, unsigned permille, unsigned faults);

/* A request that is slow sets the flag: somebody lost patience. NULL: nobody does. */
void faultstore_cancels(ls_storage *s, ls_cancel *cancel);

/* The store is back and works. */
void faultstore_up(ls_storage *s);

bool faultstore_is_down(ls_storage *s);

/* Requests that were spoilt, and requests, since the script or the random faults were set. */
long faultstore_hits(ls_storage *s);
long faultstore_requests(ls_storage *s, store_op op);

/* Simulated time that went by in slow requests and, in a program that is linked with FAULTSTORE_LD,
 * in pauses: nanosleep waits for nothing there. */
int64_t faultstore_waited_ms(void);

#endif
