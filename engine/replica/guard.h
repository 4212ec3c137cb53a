/*
 * A store seen through what this process put there: each listing that is made anyway also tells
 * whether somebody else wrote to the replica, or removed from it (capture rule 9). It costs no
 * request of its own.
 */
#ifndef LS_REPLICA_GUARD_H
#define LS_REPLICA_GUARD_H

#include "backends/storage.h"

#include <stdatomic.h>

/* Set by whoever uploads, before and after; read by listings in other threads. */
typedef struct ls_guard {
    _Atomic(ls_txid)
        ours; /* newest TXID that may be there: found at the start, or being uploaded */
    _Atomic(ls_txid) sure; /* level-0 file that must be there, as the newest or near it; 0: none */
} ls_guard;

/* A store that hands every call to inner. While a level is listed, a file that ends behind
 * guard->ours is LS_EDIVERGED and names it; a listing of level 0 that began at or before
 * guard->sure and ends without it is LS_EGAP. inner and guard must outlive it. */
LS_MUST ls_code ls_guard_new(ls_storage *inner, const ls_guard *guard, ls_storage **guarded,
                             ls_err *err);

#endif
