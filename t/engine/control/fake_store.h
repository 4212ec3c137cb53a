/*
 * A store that is only told what to say: every function of engine/store/calls.h, scripted.
 */
#ifndef LS_T_FAKE_STORE_H
#define LS_T_FAKE_STORE_H

#include "engine/store/calls.h"

#define FAKE_DBS 16

/* The last call that changes something, and with what. */
typedef struct fake_call {
    char name[32], path[256], url[256];
    bool wait;
    int64_t timeout_ns;
} fake_call;

ls_store *fake_store_new(void);
void fake_store_free(ls_store *store);

/* The state of a database that is added by this; to be changed while no server runs. */
ls_db_state *fake_store_add(ls_store *store, const char *path, ls_db_status status, ls_txid txid);
/* What stores are opened on: the folder of a replica. */
void fake_store_replica(ls_store *store, const char *root);
/* Every call fails so until code is LS_OK. */
void fake_store_fail(ls_store *store, ls_code code, const char *message);
/* sync waits until this is called with false. */
void fake_store_block(ls_store *store, bool block);
void fake_store_event(ls_store *store, ls_event_kind kind, const char *path, ls_txid txid);
fake_call fake_store_last(ls_store *store);
ls_totals *fake_store_totals(ls_store *store);

#endif
