/*
 * A lease on a replica: one process at a time writes to it.
 *
 * It is a mark on the replica that names its holder. Whoever wants to write must hold it, renews it
 * long before it runs out and, where that cannot be done in time, stops by its own clock before
 * anyone else may begin. Another holder is named, never overruled.
 */
#ifndef LS_REPLICA_LEASE_H
#define LS_REPLICA_LEASE_H

#include "backends/storage.h"
#include "engine/base/clock.h"

typedef struct ls_lease ls_lease;

typedef struct ls_lease_opts {
    ls_storage *storage;   /* the lease's own from then on, also after an error */
    int64_t ttl;           /* ns, a second at least */
    const char *path;      /* of the database, for messages; copied */
    const char *owner;     /* NULL: HOST:PID; copied */
    const ls_clock *clock; /* NULL: the system's */
    const ls_log *log;     /* NULL: none */
} ls_lease_opts;

/* Nothing is contacted. LS_EUNSUPPORTED, with a hint, for a store that cannot keep one. */
LS_MUST ls_code ls_lease_new(const ls_lease_opts *opts, ls_lease **lease, ls_err *err);

/* Lets nothing go: without ls_lease_release the lease runs out by itself, or, of a folder, with the
 * process. NULL allowed. */
void ls_lease_free(ls_lease *lease);

/* From any thread, one after another: */

/* Holds the lease, or fails: LS_EHELD names who does. Renews it where that is due. */
LS_MUST ls_code ls_lease_take(ls_lease *lease, ls_err *err);

/* Renews a lease that is held; no error where none is. It says in the log what came of it. */
LS_MUST ls_code ls_lease_renew(ls_lease *lease, ls_err *err);

/* Lets it go, so that another may take it at once. */
void ls_lease_release(ls_lease *lease);

/* From any thread, at once: */

/* May something be written now? LS_EHELD if not, and why. */
LS_MUST ls_code ls_lease_allows(ls_lease *lease, ls_err *err);

/* Another one may have written since the last ls_lease_compared: the replica must be compared, and
 * until then nothing may be written. */
bool ls_lease_changed(const ls_lease *lease);
void ls_lease_compared(ls_lease *lease); /* it is about to be, with the lease held */

/* Does another one hold it, as far as is known? why: LS_EHELD, and who. */
bool ls_lease_refused(ls_lease *lease, ls_err *why);

/* Pause between renewals, and between tries to take it. */
int64_t ls_lease_interval(const ls_lease *lease);

/* Who holds the lease of a store by what it says: "" nobody. LS_EUNSUPPORTED where there are none.
 */
LS_MUST ls_code ls_lease_holder(ls_storage *storage, char *owner, size_t size, ls_err *err);

/* A store that hands every call to inner, which it owns from then on, also after an error; what
 * would write asks ls_lease_allows before. lease must outlive it. */
LS_MUST ls_code ls_leased_new(ls_storage *inner, ls_lease *lease, ls_storage **leased, ls_err *err);

#endif
