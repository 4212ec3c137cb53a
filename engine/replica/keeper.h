/*
 * Renews leases in the background, on threads of its own: an upload may take longer than a lease
 * lasts, and nothing that others wait for may wait for a store.
 */
#ifndef LS_REPLICA_KEEPER_H
#define LS_REPLICA_KEEPER_H

#include "engine/replica/lease.h"

typedef struct ls_keeper ls_keeper;

/* Threads begin with the first lease. */
LS_MUST ls_code ls_keeper_new(ls_keeper **keeper, ls_err *err);

/* Renews the lease from then on. It is the keeper's, also after an error. */
LS_MUST ls_code ls_keeper_add(ls_keeper *keeper, ls_lease *lease, ls_err *err);

/* Frees a lease, now or when its renewal has ended; it is not waited for. NULL lease allowed. */
void ls_keeper_drop(ls_keeper *keeper, ls_lease *lease);

/* Waits for renewals that run, and frees all leases. NULL allowed. */
void ls_keeper_free(ls_keeper *keeper);

#endif
