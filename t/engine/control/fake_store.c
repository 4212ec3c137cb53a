/* The scripted store: see fake_store.h. */
#include "t/engine/control/fake_store.h"

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct ls_store {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    ls_db_state dbs[FAKE_DBS];
    size_t n;
    ls_code code;
    char message[256];
    char root[512];
    bool block;
    ls_event events[LS_EVENTS_KEPT];
    size_t n_events;
    fake_call last;
    ls_totals totals;
};

static char *copy(const char *text) {
    char *c = text == NULL ? NULL : strdup(text);
    if (text != NULL && c == NULL)
        abort();
    return c;
}

ls_store *fake_store_new(void) {
    ls_store *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    pthread_mutex_init(&s->mutex, NULL);
    pthread_cond_init(&s->cond, NULL);
    return s;
}

void fake_store_free(ls_store *s) {
    for (size_t i = 0; i < s->n; i++)
        ls_db_state_done(&s->dbs[i]);
    pthread_mutex_destroy(&s->mutex);
    pthread_cond_destroy(&s->cond);
    free(s);
}

ls_db_state *fake_store_add(ls_store *s, const char *path, ls_db_status status, ls_txid txid) {
    ls_db_state *d = &s->dbs[s->n++];
    *d = (ls_db_state){.path = copy(path),
                       .replica_type = copy("file"),
                       .replica_url = copy("file:///r"),
                       .status = status,
                       .txid = txid,
                       .replica_txid = txid,
                       .page_size = 4096,
                       .last_capture_ms = -1,
                       .last_upload_ms = -1,
                       .last_sync_ms = -1,
                       .last_checkpoint_ms = -1,
                       .last_snapshot_ms = -1,
                       .next_snapshot_ms = INT64_MAX,
                       .levels_ms = -1};
    return d;
}

void fake_store_replica(ls_store *s, const char *root) {
    snprintf(s->root, sizeof s->root, "%s", root);
}

void fake_store_fail(ls_store *s, ls_code code, const char *message) {
    pthread_mutex_lock(&s->mutex);
    s->code = code;
    snprintf(s->message, sizeof s->message, "%s", message);
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

void fake_store_block(ls_store *s, bool block) {
    pthread_mutex_lock(&s->mutex);
    s->block = block;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

void fake_store_event(ls_store *s, ls_event_kind kind, const char *path, ls_txid txid) {
    pthread_mutex_lock(&s->mutex);
    ls_event *e = &s->events[s->n_events++];
    *e = (ls_event){.number = s->n_events,
                    .kind = kind,
                    .at_ms = 1000 * (int64_t)s->n_events,
                    .level = 0,
                    .min_txid = txid,
                    .max_txid = txid,
                    .bytes = 100};
    snprintf(e->path, sizeof e->path, "%s", path);
    snprintf(e->text, sizeof e->text, "event \"%zu\"\nof two lines", s->n_events);
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

fake_call fake_store_last(ls_store *s) {
    pthread_mutex_lock(&s->mutex);
    fake_call last = s->last;
    pthread_mutex_unlock(&s->mutex);
    return last;
}

ls_totals *fake_store_totals(ls_store *s) { return &s->totals; }

/* ---- calls.h ---- */

static ls_code scripted(const ls_store *s, ls_err *err) {
    return s->code == LS_OK ? LS_OK : ls_fail(err, s->code, "%s", s->message);
}

static ls_db_state *find(ls_store *s, const char *path) {
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->dbs[i].path, path) == 0)
            return &s->dbs[i];
    }
    return NULL;
}

static ls_code need(ls_store *s, const char *path, ls_db_state **d, ls_err *err) {
    ls_code rc = scripted(s, err);
    *d = rc == LS_OK ? find(s, path) : NULL;
    if (rc == LS_OK && *d == NULL)
        return ls_fail(err, LS_ENOTFOUND, "database not found: %s", path);
    return rc;
}

static void note(ls_store *s, const char *name, const char *path, bool wait, int64_t timeout_ns) {
    s->last = (fake_call){.wait = wait, .timeout_ns = timeout_ns};
    snprintf(s->last.name, sizeof s->last.name, "%s", name);
    snprintf(s->last.path, sizeof s->last.path, "%s", path);
}

static const char *const status_names[] = {"replicating", "open",    "stopped", "missing",
                                           "behind",      "stalled", "error"};
const char *ls_db_status_name(ls_db_status status) { return status_names[status]; }
const char *ls_db_status_reference(ls_db_status status) {
    return status_names[status <= LS_DB_STOPPED ? status : LS_DB_REPLICATING];
}

static ls_error_state copy_error(const ls_error_state *e) {
    ls_error_state c = *e;
    c.text = copy(e->text);
    c.hint = copy(e->hint);
    return c;
}

static void copy_state(ls_db_state *to, const ls_db_state *from) {
    *to = *from;
    to->path = copy(from->path);
    to->replica_type = copy(from->replica_type);
    to->replica_url = copy(from->replica_url);
    to->meta_path = copy(from->meta_path);
    to->capture_error = copy_error(&from->capture_error);
    to->upload_error = copy_error(&from->upload_error);
    to->maint_error = copy_error(&from->maint_error);
}

void ls_db_state_done(ls_db_state *s) {
    free(s->path);
    free(s->replica_type);
    free(s->replica_url);
    free(s->meta_path);
    free(s->capture_error.text);
    free(s->capture_error.hint);
    free(s->upload_error.text);
    free(s->upload_error.hint);
    free(s->maint_error.text);
    free(s->maint_error.hint);
}

ls_code ls_store_states(ls_store *s, ls_db_state **states, size_t *n, ls_err *err) {
    pthread_mutex_lock(&s->mutex);
    ls_code rc = scripted(s, err);
    if (rc == LS_OK) {
        *n = s->n;
        *states = calloc(s->n + 1, sizeof **states);
        for (size_t i = 0; i < s->n; i++)
            copy_state(&(*states)[i], &s->dbs[i]);
    }
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

void ls_store_states_free(ls_db_state *states, size_t n) {
    for (size_t i = 0; i < n; i++)
        ls_db_state_done(&states[i]);
    free(states);
}

ls_code ls_store_state(ls_store *s, const char *path, ls_db_state *state, ls_err *err) {
    ls_db_state *d;
    pthread_mutex_lock(&s->mutex);
    ls_code rc = need(s, path, &d, err);
    if (rc == LS_OK)
        copy_state(state, d);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

ls_code ls_store_sync(ls_store *s, const char *path, bool wait, int64_t timeout_ns,
                      ls_sync_answer *answer, ls_err *err) {
    ls_db_state *d;
    pthread_mutex_lock(&s->mutex);
    note(s, "sync", path, wait, timeout_ns);
    while (s->block && s->code == LS_OK)
        pthread_cond_wait(&s->cond, &s->mutex);
    ls_code rc = need(s, path, &d, err);
    if (rc == LS_OK && d->status == LS_DB_STOPPED)
        rc = ls_fail(err, LS_ENOTREADY, "database not open: %s", path);
    if (rc == LS_OK) {
        answer->before = d->txid;
        answer->txid = d->db_size > 0 ? ++d->txid : d->txid; /* a size: something is to be done */
        d->replica_txid = wait ? d->txid : d->replica_txid;
        d->db_size = 0;
        answer->replica_txid = d->replica_txid;
    }
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

static ls_code set_status(ls_store *s, const char *path, ls_db_status status, bool *changed,
                          ls_txid *txid, ls_err *err) {
    ls_db_state *d;
    ls_code rc = need(s, path, &d, err);
    if (rc == LS_OK) {
        *changed = (d->status == LS_DB_STOPPED) != (status == LS_DB_STOPPED);
        *txid = d->txid;
        d->status = status;
    }
    return rc;
}

ls_code ls_store_start_db(ls_store *s, const char *path, bool *changed, ls_txid *txid,
                          ls_err *err) {
    pthread_mutex_lock(&s->mutex);
    note(s, "start", path, false, 0);
    ls_code rc = set_status(s, path, LS_DB_REPLICATING, changed, txid, err);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

ls_code ls_store_stop_db(ls_store *s, const char *path, int64_t timeout_ns, bool *changed,
                         ls_txid *txid, ls_err *err) {
    pthread_mutex_lock(&s->mutex);
    note(s, "stop", path, false, timeout_ns);
    ls_code rc = set_status(s, path, LS_DB_STOPPED, changed, txid, err);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

ls_code ls_store_register(ls_store *s, ls_config *config, bool *changed, ls_err *err) {
    const ls_db_config *db = &config->dbs[0];
    pthread_mutex_lock(&s->mutex);
    note(s, "register", db->path, false, db->replica.sync_interval);
    snprintf(s->last.url, sizeof s->last.url, "%s", db->replica.url);
    ls_code rc = scripted(s, err);
    *changed = rc == LS_OK && find(s, db->path) == NULL;
    if (*changed)
        (void)fake_store_add(s, db->path, LS_DB_REPLICATING, 0);
    pthread_mutex_unlock(&s->mutex);
    ls_config_done(config);
    return rc;
}

ls_code ls_store_reload(ls_store *s, ls_reload_counts *counts, ls_err *err) {
    pthread_mutex_lock(&s->mutex);
    note(s, "reload", "", false, 0);
    ls_code rc = scripted(s, err);
    *counts = (ls_reload_counts){.added = 1, .removed = 2, .changed = 3, .kept = s->n};
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

ls_code ls_store_unregister(ls_store *s, const char *path, int64_t timeout_ns, bool *changed,
                            ls_txid *txid, ls_err *err) {
    pthread_mutex_lock(&s->mutex);
    note(s, "unregister", path, false, timeout_ns);
    ls_code rc = scripted(s, err);
    ls_db_state *d = find(s, path);
    *changed = rc == LS_OK && d != NULL;
    if (*changed) {
        *txid = d->txid;
        ls_db_state_done(d);
        *d = s->dbs[--s->n];
    }
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

ls_code ls_store_snapshot(ls_store *s, const char *path, int64_t timeout_ns, ls_txid *txid,
                          ls_err *err) {
    ls_db_state *d;
    pthread_mutex_lock(&s->mutex);
    note(s, "snapshot", path, false, timeout_ns);
    ls_code rc = need(s, path, &d, err);
    if (rc == LS_OK)
        *txid = d->txid;
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

ls_code ls_store_storage(ls_store *s, const char *path, ls_storage **storage, ls_err *err) {
    const ls_perm perm = LS_PERM_PRIVATE;
    ls_db_state *d;
    pthread_mutex_lock(&s->mutex);
    ls_code rc = need(s, path, &d, err);
    if (rc == LS_OK)
        rc = ls_storage_open_file(s->root, &perm, storage, err);
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

ls_code ls_store_totals(ls_store *s, ls_totals *totals, ls_err *err) {
    *totals = s->totals;
    return scripted(s, err);
}

const char *ls_store_op_name(ls_store_op op) {
    static const char *const names[] = {"PUT", "GET", "LIST", "DELETE", "COPY"};
    return names[op];
}

const char *ls_queue_name(ls_queue queue) {
    static const char *const names[] = {"local", "remote", "maint"};
    return names[queue];
}

const char *ls_event_name(ls_event_kind kind) {
    static const char *const names[] = {"capture", "upload",     "compact", "snapshot",
                                        "delete",  "checkpoint", "error",   "database"};
    return names[kind];
}

static bool await_event(ls_store *s, uint64_t after, int64_t timeout_ns) {
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    int64_t ns = until.tv_nsec + timeout_ns;
    until.tv_sec += ns / LS_SEC;
    until.tv_nsec = ns % LS_SEC;
    while (s->n_events <= after && s->code == LS_OK) {
        if (pthread_cond_timedwait(&s->cond, &s->mutex, &until) != 0)
            return false;
    }
    return true;
}

ls_code ls_store_events(ls_store *s, uint64_t after, ls_event *events, size_t max,
                        int64_t timeout_ns, size_t *n, ls_err *err) {
    pthread_mutex_lock(&s->mutex);
    *n = 0;
    (void)await_event(s, after, timeout_ns);
    ls_code rc = scripted(s, err);
    for (size_t i = after; rc == LS_OK && after < s->n_events && i < s->n_events && *n < max; i++)
        events[(*n)++] = s->events[i];
    pthread_mutex_unlock(&s->mutex);
    return rc;
}

uint64_t ls_store_last_event(ls_store *s) {
    pthread_mutex_lock(&s->mutex);
    uint64_t last = s->n_events;
    pthread_mutex_unlock(&s->mutex);
    return last;
}
