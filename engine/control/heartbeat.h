/*
 * A GET of a URL while all is well, for services that raise an alarm when none comes.
 *
 * A thread of its own asks the store (store/calls.h) and waits for the answer of the URL, so that
 * neither the loop nor any database waits for either; a loop that hangs sends no heartbeat. What is
 * sent is the request alone: nothing about the databases. The URL often holds a token and appears
 * in no record, only its host does.
 */
#ifndef LS_CONTROL_HEARTBEAT_H
#define LS_CONTROL_HEARTBEAT_H

#include "engine/base/text.h"
#include "engine/store/calls.h"

#define LS_HEARTBEAT_CHECK_NS (15 * LS_SEC)   /* how often it is looked whether one is due */
#define LS_HEARTBEAT_FIRST_NS LS_SEC          /* the same before the first one was sent */
#define LS_HEARTBEAT_TIMEOUT_NS (30 * LS_SEC) /* of one request */

typedef struct ls_heartbeat ls_heartbeat;

typedef struct ls_heartbeat_opts {
    const char *url;      /* http:// or https:// */
    int64_t interval;     /* ns, from one try to the next */
    int64_t check, first; /* ns; 0: as above */
    int64_t timeout;      /* ns; 0: as above */
    const ls_log *log;    /* may be NULL; outlives it */
} ls_heartbeat_opts;

/* NULL where a heartbeat may be sent as far as this database is concerned, else why not, as static
 * text. interval_ms: how far the replica may be behind. One that was stopped on purpose does not
 * keep it back; *counts is set for one that is replicated. */
const char *ls_heartbeat_reason(const ls_db_state *state, int64_t interval_ms, bool *counts);

/* Starts the thread; opts are copied. Sent is one when interval has passed since the last try, at
 * least one database is replicated, and none of them keeps it back. */
LS_MUST ls_code ls_heartbeat_start(ls_store *store, const ls_heartbeat_opts *opts,
                                   ls_heartbeat **heartbeat, ls_err *err);

/* Ends it at once, also in the middle of a request. NULL allowed. */
void ls_heartbeat_stop(ls_heartbeat *heartbeat);

#endif
