/*
 * Inside the files that answer calls: a call on its way from who asks to the loop and back.
 */
#ifndef LS_STORE_CALL_H
#define LS_STORE_CALL_H

#include "engine/store/internal.h"

struct ls_call {
    ls_call *next; /* in the queue, or of its database */
    void (*begin)(ls_store *store, ls_call *call);
    /* After each job of its database: true when call->rc is the answer. */
    bool (*ended)(ls_entry *e, ls_call *call, const ls_lane *lane);
    char *path; /* NULL: none in particular */

    bool wait, captured;
    uint64_t after, after_remote; /* jobs up to these numbers began before the call */
    int64_t turn;                 /* when the next capture would have come */
    ls_txid target;               /* it wants to see there */

    bool answered, left; /* by the mutex of the calls; left: nobody waits any more */
    ls_code rc;
    ls_err err;
    ls_sync_answer sync;
    bool changed;
    ls_txid txid;
    ls_db_state *states;
    size_t n;
    ls_totals *totals;   /* the caller's, who does not leave */
    ls_storage *storage; /* opened */
    ls_source *source;   /* of a database to register; one user */
    ls_reload_counts counts;
};

/* path is copied, NULL: none. */
LS_MUST ls_code ls_call_new(const char *path, void (*begin)(ls_store *, ls_call *), ls_call **out,
                            ls_err *err);
void ls_call_free(ls_call *call); /* NULL allowed */

/* Hands the call over and waits; timeout_ns <= 0: as long as it takes. After LS_OK it is answered,
 * and the caller's to free. After an error it is the caller's no more, *call is NULL. */
LS_MUST ls_code ls_call_ask(ls_store *store, ls_call **call, int64_t timeout_ns, ls_err *err);

/* ---- On the loop thread ---- */

void ls_call_answer(ls_store *store, ls_call *call);

/* The answer is what the lane's job failed with. */
bool ls_call_failed(ls_call *call, const ls_lane *lane);

/* Its database; NULL: call->rc says that there is none. */
ls_entry *ls_call_find(const ls_store *store, ls_call *call);

/* call->ended is asked after each job of the database from now on. */
void ls_call_park(ls_entry *e, ls_call *call);

#endif
