/*
 * Calls that change which databases there are and which of them run.
 */
#include "engine/store/call.h"

/* ---- Stop and start ---- */

static bool stop_ended(ls_entry *e, ls_call *call, const ls_lane *lane) {
    if (lane->what == LS_WORK_LAST && lane->rc != LS_OK) {
        return ls_call_failed(call, lane);
    }
    call->txid = e->halt_txid;
    call->changed = true;
    return e->halt == LS_HALT_STOPPED;
}

static void stop_begin(ls_store *store, ls_call *call) {
    ls_entry *e = ls_call_find(store, call);
    if (e == NULL || e->halt == LS_HALT_STOPPED) {
        call->txid = e == NULL ? 0 : e->halt_txid;
        ls_call_answer(store, call);
        return;
    }
    call->ended = stop_ended;
    ls_call_park(e, call);
    ls_halt_begin(e, LS_AIM_STOP, 0);
}

static void start_begin(ls_store *store, ls_call *call) {
    ls_entry *e = ls_call_find(store, call);
    if (e != NULL && e->halt != LS_HALT_NONE && e->halt != LS_HALT_STOPPED) {
        call->rc = ls_fail(&call->err, LS_EBUSY, "database is being stopped: %s", call->path);
        (void)ls_hint(&call->err, "start it when it has stopped");
    } else if (e != NULL) {
        call->changed = e->halt == LS_HALT_STOPPED;
        call->txid = call->changed ? e->halt_txid : ls_db_txid(e->db);
        if (call->changed) {
            ls_halt_end(e);
        }
    }
    ls_call_answer(store, call);
}

static ls_code switch_db(ls_store *store, const char *path, void (*begin)(ls_store *, ls_call *),
                         int64_t timeout_ns, bool *changed, ls_txid *txid, ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = ls_call_new(path, begin, &call, err);
    if (rc == LS_OK) {
        rc = ls_call_ask(store, &call, timeout_ns, err);
    }
    if (rc == LS_OK) {
        *changed = call->changed;
        *txid = call->txid;
    }
    ls_call_free(call);
    return rc;
}

ls_code ls_store_stop_db(ls_store *store, const char *path, int64_t timeout_ns, bool *changed,
                         ls_txid *txid, ls_err *err) {
    return switch_db(store, path, stop_begin, timeout_ns, changed, txid, err);
}

ls_code ls_store_start_db(ls_store *store, const char *path, bool *changed, ls_txid *txid,
                          ls_err *err) {
    return switch_db(store, path, start_begin, 0, changed, txid, err);
}

/* ---- Register and unregister ---- */

static void register_begin(ls_store *store, ls_call *call) {
    const ls_entry *e = ls_set_find(store, call->path);
    const ls_coming coming = {.source = call->source,
                              .config = &call->source->config.dbs[0],
                              .origin = LS_ORIGIN_REGISTERED};
    call->changed = e == NULL || ls_halt_leaves(e);
    if (call->changed) {
        call->rc = ls_set_add(store, &coming, &call->err);
    }
    ls_source_drop(call->source); /* here: users are counted by this thread only */
    call->source = NULL;
    ls_call_answer(store, call);
}

ls_code ls_store_register(ls_store *store, ls_config *config, bool *changed, ls_err *err) {
    ls_call *call = NULL;
    *changed = false;
    ls_source *source = ls_source_new(config, true);
    if (source == NULL) {
        ls_config_done(config);
        return ls_fail(err, LS_ENOMEM, "register a database");
    }
    (void)ls_source_use(source);
    ls_code rc = ls_call_new(source->config.dbs[0].path, register_begin, &call, err);
    if (rc != LS_OK) {
        ls_source_drop(source);
        return rc;
    }
    call->source = source;
    rc = ls_call_ask(store, &call, 0, err);
    if (rc == LS_OK) {
        *changed = call->changed;
    }
    ls_call_free(call);
    return rc;
}

static void unregister_begin(ls_store *store, ls_call *call) {
    ls_entry *e = ls_set_find(store, call->path);
    if (e == NULL) {
        ls_call_answer(store, call);
        return;
    }
    if (e->halt == LS_HALT_STOPPED) {
        call->txid = e->halt_txid;
        call->changed = true;
        ls_halt_begin(e, LS_AIM_REMOVE, 0);
        ls_call_answer(store, call);
        return;
    }
    call->ended = stop_ended;
    ls_call_park(e, call);
    ls_halt_begin(e, LS_AIM_REMOVE, 0);
}

ls_code ls_store_unregister(ls_store *store, const char *path, int64_t timeout_ns, bool *changed,
                            ls_txid *txid, ls_err *err) {
    return switch_db(store, path, unregister_begin, timeout_ns, changed, txid, err);
}

/* ---- Reload ---- */

void ls_store_set_reread(ls_store *store, ls_reread read, void *arg) {
    store->reread = read;
    store->reread_arg = arg;
}

static void reload_begin(ls_store *store, ls_call *call) {
    call->rc = ls_reload(store, &call->counts, &call->err);
    ls_call_answer(store, call);
}

ls_code ls_store_reload(ls_store *store, ls_reload_counts *counts, ls_err *err) {
    ls_call *call = NULL;
    ls_code rc = ls_call_new(NULL, reload_begin, &call, err);
    if (rc == LS_OK) {
        rc = ls_call_ask(store, &call, 0, err);
    }
    if (rc == LS_OK) {
        *counts = call->counts;
    }
    ls_call_free(call);
    return rc;
}
