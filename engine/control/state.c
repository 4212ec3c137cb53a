/* What is told of databases: in the reference's forms (info, list, txid, sync-status), in our own
 * that hold all of it, and whether all is well. */
#include "engine/control/internal.h"

#include "engine/litestream.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static json_t *number(uint64_t n) { return json_integer((json_int_t)n); }

/* false: answered already. */
static bool all_states(ls_request *r, ls_db_state **states, size_t *n) {
    ls_err err = LS_ERR_INIT;

    if (ls_store_states(r->control->store, states, n, &err) == LS_OK)
        return true;
    ls_answer_err(r, 0, &err);
    return false;
}

static bool one_state(ls_request *r, ls_db_state *state) {
    ls_err err = LS_ERR_INIT;
    char *path;

    if (!ls_request_path(r, &path))
        return false;
    ls_code rc = ls_store_state(r->control->store, path, state, &err);
    free(path);
    if (rc == LS_ENOTFOUND)
        ls_answer_error(r, MHD_HTTP_NOT_FOUND, "database not found", NULL);
    else if (rc != LS_OK)
        ls_answer_err(r, 0, &err);
    return rc == LS_OK;
}

/* Of all databases, each by one function; into an object. */
static void answer_each(ls_request *r, json_t *(*json)(const ls_db_state *s), json_t *o) {
    ls_db_state *states = NULL;
    size_t n = 0;

    if (!all_states(r, &states, &n)) {
        json_decref(o);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        (void)json_array_append_new(list, json(&states[i]));
    ls_json_set(o, "databases", list);
    ls_store_states_free(states, n);
    ls_answer(r, MHD_HTTP_OK, o);
}

/* ---- the reference's ---- */

void ls_handle_info(ls_request *r) {
    ls_db_state *states = NULL;
    size_t n = 0;
    int64_t uptime = ls_wall_ms(&ls_clock_system) - r->control->started_ms;

    if (!all_states(r, &states, &n))
        return;
    ls_store_states_free(states, n);
    json_t *o = json_object();
    ls_json_set(o, "version", json_string(ls_version()));
    ls_json_set(o, "pid", json_integer(getpid()));
    ls_json_set(o, "uptime_seconds", json_integer(uptime < 0 ? 0 : uptime / 1000));
    ls_json_set_time(o, "started_at", r->control->started_ms);
    ls_json_set(o, "database_count", number(n));
    ls_answer(r, MHD_HTTP_OK, o);
}

static json_t *summary(const ls_db_state *s) {
    json_t *o = json_object();

    ls_json_set(o, "path", ls_json_text(s->path));
    ls_json_set(o, "status", json_string(ls_db_status_reference(s->status)));
    ls_json_set_time(o, "last_sync_at", s->last_sync_ms);
    return o;
}

void ls_handle_list(ls_request *r) { answer_each(r, summary, json_object()); }

void ls_handle_txid(ls_request *r) {
    ls_db_state state;

    if (!one_state(r, &state))
        return;
    json_t *o = json_object();
    ls_json_set(o, "txid", number(state.txid));
    ls_db_state_done(&state);
    ls_answer(r, MHD_HTTP_OK, o);
}

/* The lane that the reference would call busy: capture first. */
static const ls_work_state *busy_lane(const ls_db_state *s) {
    if (s->capture.what != NULL)
        return &s->capture;
    return s->upload.what != NULL ? &s->upload : &s->maint;
}

static json_t *diagnostic(const ls_db_state *s) {
    const ls_work_state *work = busy_lane(s);
    int64_t now = ls_wall_ms(&ls_clock_system);
    json_t *o = json_object();

    ls_json_set(o, "path", ls_json_text(s->path));
    ls_json_set(o, "active", json_boolean(work->what != NULL));
    if (work->what != NULL) {
        int64_t elapsed = now > work->since_ms ? now - work->since_ms : 0;
        ls_json_set(o, "operation", json_string(work->what));
        ls_json_set_time(o, "started_at", work->since_ms);
        ls_json_set_time(o, "updated_at", now);
        ls_json_set(o, "elapsed_seconds", json_real((double)elapsed / 1000));
        if (strcmp(work->what, "snapshot") == 0)
            ls_json_set(o, "snapshotting", json_true());
    }
    if (s->txid > 0)
        ls_json_set_txid(o, "txid", s->txid);
    if (s->wal_size > 0)
        ls_json_set(o, "wal_size", number(s->wal_size));
    if (s->capture_error.text != NULL)
        ls_json_set(o, "error", ls_json_text(s->capture_error.text));
    return o;
}

void ls_handle_sync_status(ls_request *r) {
    ls_db_state state;

    if (ls_value_of(r, "path")->str == NULL) {
        answer_each(r, diagnostic, json_object());
        return;
    }
    if (!one_state(r, &state))
        return;
    json_t *list = json_array(), *o = json_object();
    (void)json_array_append_new(list, diagnostic(&state));
    ls_json_set(o, "databases", list);
    ls_db_state_done(&state);
    ls_answer(r, MHD_HTTP_OK, o);
}

/* ---- all of it ---- */

static json_t *error_json(const ls_error_state *e) {
    json_t *o;

    if (e->text == NULL)
        return json_null();
    o = json_object();
    ls_json_set(o, "error", ls_json_text(e->text));
    ls_json_set(o, "hint", ls_json_text(e->hint));
    ls_json_set(o, "count", number(e->count));
    ls_json_set_time(o, "since", e->since_ms);
    ls_json_set_time(o, "last", e->last_ms);
    return o;
}

static json_t *work_json(const ls_work_state *w) {
    json_t *o;

    if (w->what == NULL)
        return json_null();
    o = json_object();
    ls_json_set(o, "what", json_string(w->what));
    ls_json_set_time(o, "since", w->since_ms);
    return o;
}

static json_t *level_json(const ls_level_state *l) {
    json_t *o = json_object();

    ls_json_set(o, "level", json_integer(l->level));
    ls_json_set(o, "files", number(l->files));
    ls_json_set(o, "bytes", number(l->bytes));
    if (l->files > 0) {
        ls_json_set_txid(o, "first", l->first);
        ls_json_set_txid(o, "last", l->last);
        ls_json_set_time(o, "oldest", l->oldest_ms);
        ls_json_set_time(o, "newest", l->newest_ms);
    }
    ls_json_set_time(o, "next", l->next_ms == INT64_MAX ? -1 : l->next_ms);
    return o;
}

static json_t *levels_json(const ls_db_state *s) {
    json_t *list = json_array();

    for (int i = 0; i <= LS_LTX_LEVEL_MAX && s->levels_ms >= 0; i++)
        (void)json_array_append_new(list, level_json(&s->levels[i]));
    return list;
}

static void set_times(json_t *o, const ls_db_state *s) {
    ls_json_set_time(o, "last_capture_at", s->last_capture_ms);
    ls_json_set_time(o, "last_upload_at", s->last_upload_ms);
    ls_json_set_time(o, "last_sync_at", s->last_sync_ms);
    ls_json_set_time(o, "last_checkpoint_at", s->last_checkpoint_ms);
    ls_json_set_time(o, "last_snapshot_at", s->last_snapshot_ms);
    ls_json_set_time(o, "next_snapshot_at",
                     s->next_snapshot_ms == INT64_MAX ? -1 : s->next_snapshot_ms);
    ls_json_set_time(o, "levels_at", s->levels_ms);
}

json_t *ls_state_json(const ls_db_state *s) {
    json_t *o = json_object();

    ls_json_set(o, "path", ls_json_text(s->path));
    ls_json_set(o, "status", json_string(ls_db_status_name(s->status)));
    ls_json_set(o, "replica_type", ls_json_text(s->replica_type));
    ls_json_set(o, "replica_url", ls_json_text(s->replica_url));
    ls_json_set(o, "meta_path", ls_json_text(s->meta_path));
    ls_json_set_txid(o, "txid", s->txid);
    ls_json_set_txid(o, "replica_txid", s->replica_txid);
    ls_json_set(o, "db_size", number(s->db_size));
    ls_json_set(o, "wal_size", number(s->wal_size));
    ls_json_set(o, "page_size", number(s->page_size));
    ls_json_set(o, "lag_ms", json_integer(s->lag_ms));
    ls_json_set(o, "disk_full", json_boolean(s->disk_full));
    ls_json_set(o, "captured_bytes", number(s->captured_bytes));
    ls_json_set(o, "captures", number(s->captures.done));
    ls_json_set(o, "capture", work_json(&s->capture));
    ls_json_set(o, "upload", work_json(&s->upload));
    ls_json_set(o, "maint", work_json(&s->maint));
    ls_json_set(o, "capture_error", error_json(&s->capture_error));
    ls_json_set(o, "upload_error", error_json(&s->upload_error));
    ls_json_set(o, "maint_error", error_json(&s->maint_error));
    ls_json_set(o, "levels", levels_json(s));
    set_times(o, s);
    return o;
}

/* The number of the newest event is taken first: what it did is in the states. */
void ls_handle_databases(ls_request *r) {
    json_t *o = json_object();

    ls_json_set(o, "last_event", number(ls_store_last_event(r->control->store)));
    answer_each(r, ls_state_json, o);
}

void ls_handle_database(ls_request *r) {
    ls_db_state state;

    if (!one_state(r, &state))
        return;
    json_t *o = ls_state_json(&state);
    ls_db_state_done(&state);
    ls_answer(r, MHD_HTTP_OK, o);
}

/* ---- is all well? ---- */

void ls_handle_healthz(ls_request *r) {
    ls_db_state *states = NULL;
    size_t n = 0;

    if (!all_states(r, &states, &n))
        return;
    ls_store_states_free(states, n);
    json_t *o = json_object();
    ls_json_set(o, "status", json_string("ok"));
    ls_answer(r, MHD_HTTP_OK, o);
}

/* Why a database is not ready; NULL if it is. One that was stopped on purpose, or whose file does
 * not exist yet, keeps nobody waiting. */
static const char *not_ready(const ls_db_state *s) {
    switch (s->status) {
    case LS_DB_BEHIND:
    case LS_DB_STALLED:
    case LS_DB_ERROR:
        return ls_db_status_name(s->status);
    case LS_DB_REPLICATING:
        return s->last_sync_ms < 0 ? "never synced" : NULL;
    default:
        return NULL;
    }
}

static json_t *unready_json(const ls_db_state *s) {
    const ls_error_state *e = s->capture_error.text != NULL ? &s->capture_error : &s->upload_error;
    json_t *o = json_object();

    ls_json_set(o, "path", ls_json_text(s->path));
    ls_json_set(o, "reason", json_string(not_ready(s)));
    if (e->text != NULL)
        ls_json_set(o, "error", ls_json_text(e->text));
    return o;
}

void ls_handle_readyz(ls_request *r) {
    ls_db_state *states = NULL;
    size_t n = 0;

    if (!all_states(r, &states, &n))
        return;
    json_t *list = json_array(), *o = json_object();
    for (size_t i = 0; i < n; i++) {
        if (not_ready(&states[i]) != NULL)
            (void)json_array_append_new(list, unready_json(&states[i]));
    }
    ls_store_states_free(states, n);
    bool ready = json_array_size(list) == 0;
    ls_json_set(o, "status", json_string(ready ? "ready" : "not_ready"));
    ls_json_set(o, "databases", list);
    ls_answer(r, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, o);
}
