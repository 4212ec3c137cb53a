/* Requests that change what a daemon does with a database: start, stop, sync, register, unregister,
 * reload, snapshot. Answers and codes are the reference's; see the spec in doc/control-api.md. */
#include "engine/control/internal.h"

#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MAX_S (365 * 24 * 3600)
#define STOP_TIMEOUT_S 30
#define SNAPSHOT_TIMEOUT_S 300

/* What the client asked for, def where it asked for nothing or less, in ns. */
static int64_t timeout_of(const ls_request *r, int64_t def) {
    int64_t s = ls_value_of(r, "timeout")->num;

    if (s <= 0)
        s = def;
    return (s > TIMEOUT_MAX_S ? TIMEOUT_MAX_S : s) * LS_SEC;
}

/* {"status": status, "path": path}. */
static json_t *outcome(const char *status, const char *path) {
    json_t *o = json_object();

    ls_json_set(o, "status", json_string(status));
    ls_json_set(o, "path", ls_json_text(path));
    return o;
}

static void answer_outcome(ls_request *r, const char *status, const char *path, ls_txid txid) {
    json_t *o = outcome(status, path);

    ls_json_set(o, "txid", json_integer((json_int_t)txid));
    ls_answer(r, MHD_HTTP_OK, o);
}

/* ---- start, stop, unregister ---- */

typedef ls_code (*switch_fn)(ls_store *store, const char *path, int64_t timeout_ns, bool *changed,
                             ls_txid *txid, ls_err *err);

static ls_code start_db(ls_store *store, const char *path, int64_t timeout_ns, bool *changed,
                        ls_txid *txid, ls_err *err) {
    (void)timeout_ns; /* nothing is waited for */
    return ls_store_start_db(store, path, changed, txid, err);
}

typedef struct switching {
    switch_fn call;
    const char *changed, *unchanged; /* status */
    const char *failed;              /* in front of the error; NULL: nothing */
} switching;

/* An unknown database is 500 here, as scripts know it from the reference. */
static unsigned status_of(ls_code rc) {
    bool by_code = rc == LS_ENOTREADY || rc == LS_ETIMEDOUT || rc == LS_EBUSY || rc == LS_ECONFIG ||
                   rc == LS_EUNSUPPORTED;

    return by_code ? 0 : MHD_HTTP_INTERNAL_SERVER_ERROR;
}

static void switch_db(ls_request *r, const switching *s) {
    ls_err err = LS_ERR_INIT;
    bool changed = false;
    ls_txid txid = 0;
    char *path;

    if (!ls_request_path(r, &path))
        return;
    ls_code rc =
        s->call(r->control->store, path, timeout_of(r, STOP_TIMEOUT_S), &changed, &txid, &err);
    if (rc == LS_OK) {
        answer_outcome(r, changed ? s->changed : s->unchanged, path, txid);
    } else {
        if (s->failed != NULL)
            (void)ls_wrap(&err, "%s", s->failed);
        ls_answer_err(r, status_of(rc), &err);
    }
    free(path);
}

void ls_handle_start(ls_request *r) {
    switch_db(r, &(const switching){start_db, "started", "already_running", NULL});
}

void ls_handle_stop(ls_request *r) {
    switch_db(r, &(const switching){ls_store_stop_db, "stopped", "already_stopped", NULL});
}

void ls_handle_unregister(ls_request *r) {
    switch_db(r, &(const switching){ls_store_unregister, "unregistered", "already_unregistered",
                                    "failed to unregister database"});
}

/* ---- sync ---- */

static bool is_stopped(ls_request *r, const char *path) {
    ls_err err = LS_ERR_INIT;
    ls_db_state state;

    if (ls_store_state(r->control->store, path, &state, &err) != LS_OK)
        return false;
    bool stopped = state.status == LS_DB_STOPPED;
    ls_db_state_done(&state);
    return stopped;
}

/* What is not ready is either one database, stopped, or the whole daemon. */
static void answer_sync_failed(ls_request *r, const char *path, ls_err *err) {
    if (err->code == LS_ENOTREADY)
        ls_answer_err(r, is_stopped(r, path) ? MHD_HTTP_CONFLICT : 0, err);
    else if (err->code == LS_ENOTFOUND)
        ls_answer_err(r, MHD_HTTP_NOT_FOUND, err);
    else
        ls_answer_err(r, err->code == LS_ETIMEDOUT ? 0 : MHD_HTTP_INTERNAL_SERVER_ERROR, err);
}

void ls_handle_sync(ls_request *r) {
    bool wait = ls_value_of(r, "wait")->flag;
    bool none = !wait || ls_value_of(r, "timeout")->num < 0;
    ls_err err = LS_ERR_INIT;
    ls_sync_answer answer = {0};
    char *path;

    if (!ls_request_path(r, &path))
        return;
    int64_t timeout = timeout_of(r, none ? 0 : STOP_TIMEOUT_S);
    if (ls_store_sync(r->control->store, path, wait, timeout, &answer, &err) != LS_OK) {
        answer_sync_failed(r, path, &err);
    } else {
        json_t *o = outcome(answer.txid == answer.before ? "no_change"
                            : wait                       ? "synced"
                                                         : "synced_local",
                            path);
        ls_json_set(o, "txid", json_integer((json_int_t)answer.txid));
        ls_json_set(o, "replicated_txid", json_integer((json_int_t)answer.replica_txid));
        ls_answer(r, MHD_HTTP_OK, o);
    }
    free(path);
}

/* ---- register ---- */

static bool is_known(ls_request *r, const char *path) {
    ls_err err = LS_ERR_INIT;
    ls_db_state state;

    if (ls_store_state(r->control->store, path, &state, &err) != LS_OK)
        return false;
    ls_db_state_done(&state);
    return true;
}

/* A URL that this build cannot open is told before the store is asked. */
static bool check_url(ls_request *r, const ls_config *config) {
    ls_err err = LS_ERR_INIT;
    ls_storage *storage = NULL;

    ls_code rc = ls_config_storage(&config->dbs[0], &storage, &err);
    ls_storage_free(storage);
    if (rc == LS_OK)
        return true;
    (void)ls_wrap(&err, "invalid replica url");
    ls_answer_err(r, rc == LS_ENOMEM ? 0 : MHD_HTTP_BAD_REQUEST, &err);
    return false;
}

/* The database gets what a configuration that says nothing more would give it. */
static void register_db(ls_request *r, const char *path) {
    ls_err err = LS_ERR_INIT;
    bool changed = false;
    ls_config config;

    ls_config_init(&config);
    ls_code rc = ls_config_add(&config, path, ls_value_of(r, "replica_url")->str, &err);
    if (rc == LS_OK)
        config.dbs[0].restore_if_db_not_exists = ls_value_of(r, "restore_if_db_not_exists")->flag;
    if (rc == LS_OK && !check_url(r, &config)) {
        ls_config_done(&config);
        return;
    }
    if (rc == LS_OK)
        rc = ls_store_register(r->control->store, &config, &changed, &err);
    ls_config_done(&config);
    if (rc == LS_OK) {
        ls_answer(r, MHD_HTTP_OK, outcome(changed ? "registered" : "already_registered", path));
        return;
    }
    (void)ls_wrap(&err, "failed to register database");
    ls_answer_err(r, status_of(rc), &err);
}

/* A known path is told before its URL is looked at. */
void ls_handle_register(ls_request *r) {
    char *path;

    if (!ls_request_path(r, &path))
        return;
    if (is_known(r, path))
        ls_answer(r, MHD_HTTP_OK, outcome("already_registered", path));
    else
        register_db(r, path);
    free(path);
}

/* ---- reload ---- */

void ls_handle_reload(ls_request *r) {
    ls_reload_counts counts = {0};
    ls_err err = LS_ERR_INIT;

    if (ls_store_reload(r->control->store, &counts, &err) != LS_OK) {
        (void)ls_wrap(&err, "failed to read the configuration again");
        ls_answer_err(r, status_of(err.code), &err);
        return;
    }
    json_t *o = json_object();
    ls_json_set(o, "status", json_string("reloaded"));
    ls_json_set(o, "added", json_integer((json_int_t)counts.added));
    ls_json_set(o, "removed", json_integer((json_int_t)counts.removed));
    ls_json_set(o, "changed", json_integer((json_int_t)counts.changed));
    ls_json_set(o, "kept", json_integer((json_int_t)counts.kept));
    ls_answer(r, MHD_HTTP_OK, o);
}

/* ---- snapshot ---- */

void ls_handle_snapshot(ls_request *r) {
    ls_err err = LS_ERR_INIT;
    ls_txid txid = 0;
    char *path;

    if (!ls_request_path(r, &path))
        return;
    ls_code rc =
        ls_store_snapshot(r->control->store, path, timeout_of(r, SNAPSHOT_TIMEOUT_S), &txid, &err);
    if (rc == LS_OK)
        answer_outcome(r, "snapshot", path, txid);
    else
        answer_sync_failed(r, path, &err);
    free(path);
}
