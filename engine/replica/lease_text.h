/* A lease as it stands on the replica: doc/formats.md. */
#ifndef LS_REPLICA_LEASE_TEXT_H
#define LS_REPLICA_LEASE_TEXT_H

#include "backends/storage.h"

#define LS_LEASE_KEY "lock.json"
#define LS_LEASE_TTL_DEFAULT_MS 30000 /* of a lease that does not say */
#define LS_LEASE_OWNER_SIZE 320
#define LS_LEASE_ID_SIZE 17

typedef struct ls_lease_text {
    int64_t generation; /* how often it has changed hands, from 1 */
    int64_t expires_ms; /* by the holder's clock, since 1970 */
    int64_t ttl_ms;     /* 0: it was let go */
    char owner[LS_LEASE_OWNER_SIZE];
    char id[LS_LEASE_ID_SIZE]; /* of the process and database; "": of another program */
} ls_lease_text;

LS_MUST ls_code ls_lease_text_write(const ls_lease_text *lease, ls_mark *mark, ls_err *err);

/* LS_ECORRUPT if it is none. */
LS_MUST ls_code ls_lease_text_read(const ls_mark *mark, ls_lease_text *lease, ls_err *err);

/* "HOST:PID" of this process, cut to size. */
void ls_lease_owner(char *owner, size_t size);

/* Was the lease, read as mark says, let go, or has it run out? owner: who asks, wall_ms: its time.
 * The age by the store's clock counts where that is known, so that clocks may differ. One of this
 * host whose process is gone is over at once. */
bool ls_lease_text_over(const ls_lease_text *lease, const ls_mark *mark, const char *owner,
                        int64_t wall_ms);

#endif
