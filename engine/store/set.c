/*
 * Which databases there are: a list in the order in which they were added, and for everything that
 * two of them must not share a table that finds its owner.
 *
 * A database goes in three steps: it stops (halt.c), it is dropped, so that nobody finds it any
 * more, and between two jobs it is swept away, when nothing on the stack can still look at it. What
 * waits for its path or its replica comes then.
 */
#include "engine/store/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- Configurations ---- */

ls_source *ls_source_new(ls_config *config, bool own) {
    ls_source *source = calloc(1, sizeof(*source));
    if (source != NULL) {
        source->config = *config;
        source->owned = own;
        if (own) {
            *config = (ls_config){0};
        }
    }
    return source;
}

ls_code ls_source_derive(ls_source *source, const ls_db_config *dir, const char *rel,
                         ls_source **out, ls_err *err) {
    ls_db_config *db = NULL;
    ls_code rc = ls_config_derive(dir, rel, &db, err);
    ls_source *made = rc == LS_OK ? calloc(1, sizeof(*made)) : NULL;
    if (made == NULL) {
        ls_config_derived_free(db);
        return rc == LS_OK ? ls_fail(err, LS_ENOMEM, "no memory for %s", rel) : rc;
    }
    made->dir = ls_source_use(source);
    made->derived = db;
    *out = ls_source_use(made);
    return LS_OK;
}

ls_source *ls_source_use(ls_source *source) {
    source->users++;
    return source;
}

void ls_source_drop(ls_source *source) {
    if (source == NULL || --source->users > 0) {
        return;
    }
    if (source->owned) {
        ls_config_done(&source->config);
    }
    ls_config_derived_free(source->derived);
    ls_source_drop(source->dir);
    free(source);
}

/* ---- Keys ---- */

void ls_ids_done(ls_ids *ids) {
    for (int i = 0; i < LS_IDS; i++) {
        free(ids->text[i]);
    }
    *ids = (ls_ids){{NULL}};
}

/* NULL where there is no file; *failed without memory. */
static char *file_key(const char *path, bool *failed) {
    struct stat st;
    if (stat(path, &st) != 0) {
        return NULL;
    }
    char *key =
        ls_asprintf("%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
    *failed = key == NULL;
    return key;
}

ls_code ls_ids_of(const ls_db_config *config, ls_ids *ids, ls_err *err) {
    ls_storage *storage = NULL;
    bool failed = false;
    *ids = (ls_ids){{NULL}};
    ls_code rc = ls_config_storage(config, &storage, err);
    if (rc != LS_OK) {
        return config->path == NULL ? rc : ls_wrap(err, "%s", config->path);
    }
    ids->text[LS_ID_PATH] = strdup(config->path);
    ids->text[LS_ID_REPLICA] = strdup(ls_storage_url(storage));
    ids->text[LS_ID_META] = config->meta_path == NULL ? ls_db_default_meta_path(config->path)
                                                      : strdup(config->meta_path);
    ids->text[LS_ID_FILE] = file_key(config->path, &failed);
    ls_storage_free(storage);
    for (int i = 0; i < LS_ID_FILE; i++) {
        failed = failed || ids->text[i] == NULL;
    }
    return failed ? ls_fail(err, LS_ENOMEM, "no memory for %s", config->path) : LS_OK;
}

ls_code ls_ids_clash(ls_id_kind kind, const char *path, const char *other, ls_err *err) {
    static const struct {
        const char *what, *hint;
    } says[LS_IDS] = {
        [LS_ID_PATH] = {"are one", "name it once"},
        [LS_ID_REPLICA] = {"share one replica", "give each database its own replica path"},
        [LS_ID_META] = {"share one meta path", "give each database its own meta-path"},
        [LS_ID_FILE] = {"are the same file", "name it once"},
    };
    (void)ls_fail(err, LS_ECONFIG, "two databases %s: %s and %s", says[kind].what, other, path);
    return ls_hint(err, "%s", says[kind].hint);
}

/* Whose key it is. A file that was replaced since is nobody's. */
static ls_entry *owner_of(ls_store *store, ls_id_kind kind, const char *key) {
    ls_entry *e = ls_map_get(&store->by_id[kind], key);
    if (e == NULL || kind != LS_ID_FILE) {
        return e;
    }
    bool failed = false;
    char *now = file_key(e->ids.text[LS_ID_PATH], &failed);
    bool same = now != NULL && strcmp(now, key) == 0;
    free(now);
    if (!same && !failed) {
        ls_map_remove(&store->by_id[kind], key);
        free(e->ids.text[kind]);
        e->ids.text[kind] = NULL;
        return NULL;
    }
    return e;
}

/* LS_EBUSY: only databases that are being removed are in the way. */
static ls_code check_ids(ls_store *store, const ls_ids *ids, ls_err *err) {
    const char *path = ids->text[LS_ID_PATH];
    bool wait = false;
    for (int kind = 0; kind < LS_IDS; kind++) {
        const ls_entry *e =
            ids->text[kind] == NULL ? NULL : owner_of(store, (ls_id_kind)kind, ids->text[kind]);
        if (e != NULL && !ls_halt_leaves(e)) {
            return ls_ids_clash((ls_id_kind)kind, path, e->ids.text[LS_ID_PATH], err);
        }
        wait = wait || e != NULL;
    }
    if (wait) {
        (void)ls_fail(err, LS_EBUSY, "database is being removed: %s", path);
        return ls_hint(err, "add it when that is done");
    }
    return LS_OK;
}

static void forget_ids(ls_entry *e) {
    for (int kind = 0; kind < LS_IDS; kind++) {
        const char *key = e->ids.text[kind];
        if (key != NULL && ls_map_get(&e->store->by_id[kind], key) == e) {
            ls_map_remove(&e->store->by_id[kind], key);
        }
    }
}

/* Takes the ids over. */
static ls_code put_ids(ls_entry *e, ls_ids *ids, ls_err *err) {
    ls_code rc = LS_OK;
    e->ids = *ids;
    *ids = (ls_ids){{NULL}};
    for (int kind = 0; rc == LS_OK && kind < LS_IDS; kind++) {
        if (e->ids.text[kind] != NULL) {
            rc = ls_map_put(&e->store->by_id[kind], e->ids.text[kind], e, err);
        }
    }
    if (rc != LS_OK) {
        forget_ids(e);
    }
    return rc;
}

/* ---- Adding ---- */

ls_entry *ls_set_find(const ls_store *store, const char *path) {
    return ls_map_get(&store->by_id[LS_ID_PATH], path);
}

static ls_code make_room(ls_store *store, ls_err *err) {
    if (store->n >= LS_STORE_DBS_MAX) {
        return ls_fail(err, LS_ELIMIT, "more than %d databases", LS_STORE_DBS_MAX);
    }
    if (store->n < store->cap) {
        return LS_OK;
    }
    size_t cap = store->cap == 0 ? 8 : 2 * store->cap;
    ls_entry **grown = realloc(store->entries, cap * sizeof(ls_entry *));
    if (grown == NULL) {
        return ls_fail(err, LS_ENOMEM, "%zu databases", cap);
    }
    store->entries = grown;
    store->cap = cap;
    return LS_OK;
}

/* Takes the ids over. */
static ls_code add(ls_store *store, const ls_coming *coming, ls_ids *ids, ls_entry **out,
                   ls_err *err) {
    ls_entry *e = NULL;
    ls_code rc = make_room(store, err);
    if (rc == LS_OK) {
        rc = ls_entry_new(store, coming->source, coming->config, &e, err);
    }
    if (rc == LS_OK) {
        rc = put_ids(e, ids, err);
    }
    if (rc != LS_OK) {
        ls_entry_free(e);
        return rc;
    }
    e->origin = coming->origin;
    e->dir = coming->dir;
    e->round = coming->round;
    e->halt = coming->stopped ? LS_HALT_STOPPED : LS_HALT_NONE;
    store->entries[store->n++] = e;
    *out = e;
    return LS_OK;
}

/* Databases beyond the limit would fail one after the other, each with an error of its own. Said
 * again when there are twice as many. */
void ls_set_check_files(ls_store *store) {
    struct rlimit limit;
    rlim_t need = LS_STORE_OTHER_FILES + (rlim_t)store->n * LS_STORE_DB_FILES;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || need <= limit.rlim_cur ||
        need < 2 * store->files_said) {
        return;
    }
    store->files_said = need;
    ls_log_write(store->log, LS_WARN, "the limit of open files is too low for the databases",
                 LS_ATTRS(LS_STR("system", "store"), LS_INT("databases", (int64_t)store->n),
                          LS_INT("limit", (int64_t)limit.rlim_cur), LS_INT("needed", (int64_t)need),
                          LS_STR("hint", "raise it: LimitNOFILE= in the unit of systemd, or ulimit "
                                         "-Hn in the shell, to what is needed or more")));
}

static void start(ls_entry *e) {
    ls_event_add(e, LS_EVENT_OF(LS_EVENT_DATABASE, -1, .text = "added"));
    ls_log_write(e->store->log, LS_INFO, "database added",
                 LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)),
                                LS_STR("replica", e->ids.text[LS_ID_REPLICA])));
    ls_set_check_files(e->store);
    if (e->monitored && e->halt == LS_HALT_NONE) {
        ls_entry_start(e);
    }
}

ls_code ls_set_add(ls_store *store, const ls_coming *coming, ls_err *err) {
    ls_ids ids;
    ls_entry *e = NULL;
    ls_code rc = ls_ids_of(coming->config, &ids, err);
    if (rc == LS_OK) {
        rc = check_ids(store, &ids, err);
    }
    if (rc == LS_OK) {
        rc = add(store, coming, &ids, &e, err);
    }
    ls_ids_done(&ids);
    if (rc == LS_OK && store->running) {
        ls_bring_init(e);
        start(e);
    }
    return rc;
}

/* ---- What is to come ---- */

ls_code ls_set_expect(ls_store *store, const ls_coming *coming, ls_err *err) {
    if (store->n_coming == store->cap_coming) {
        size_t cap = store->cap_coming == 0 ? 8 : 2 * store->cap_coming;
        ls_coming *grown = realloc(store->coming, cap * sizeof(*grown));
        if (grown == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for %s", coming->config->path);
        }
        store->coming = grown;
        store->cap_coming = cap;
    }
    (void)ls_source_use(coming->source);
    store->coming[store->n_coming++] = *coming;
    store->look_coming = true;
    return LS_OK;
}

void ls_set_expect_none(ls_store *store, ls_origin origin) {
    size_t kept = 0;
    for (size_t i = 0; i < store->n_coming; i++) {
        if (store->coming[i].origin == origin) {
            ls_source_drop(store->coming[i].source);
        } else {
            store->coming[kept++] = store->coming[i];
        }
    }
    store->n_coming = kept;
}

/* False: it has to wait. */
static bool arrive(ls_store *store, const ls_coming *coming) {
    ls_err err = LS_ERR_INIT;
    const ls_entry *before = ls_set_find(store, coming->config->path);
    if (before != NULL && ls_halt_leaves(before)) {
        return false;
    }
    ls_code rc = ls_set_add(store, coming, &err);
    if (rc == LS_EBUSY) {
        return false;
    }
    if (rc != LS_OK) {
        ls_log_err(store->log, LS_ERROR, "database was not added", &err,
                   LS_ATTRS(LS_STR("system", "store"), LS_STR("path", coming->config->path)));
    }
    ls_source_drop(coming->source);
    return true;
}

static void let_come(ls_store *store) {
    size_t kept = 0;
    store->look_coming = false;
    for (size_t i = 0; i < store->n_coming; i++) {
        ls_coming coming = store->coming[i];
        if (!arrive(store, &coming)) {
            store->coming[kept++] = coming;
        }
    }
    store->n_coming = kept;
}

/* ---- Going ---- */

void ls_set_drop(ls_entry *e) {
    ls_event_add(e,
                 LS_EVENT_OF(LS_EVENT_DATABASE, -1, .max_txid = e->halt_txid, .text = "removed"));
    ls_log_write(
        e->store->log, LS_INFO, "database removed",
        LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)), LS_TXID("txid", e->halt_txid)));
    if (e->dir != NULL && e->halt_until == 0) {
        ls_dirs_decline(e); /* only a call stops without a limit */
    }
    forget_ids(e);
    ls_watch_forget(e);
    e->gone = true;
    e->store->n_gone++;
    e->store->look_coming = true;
}

void ls_set_sweep(ls_store *store) {
    size_t kept = 0;
    if (store->stopping) {
        return; /* what is left belongs to the last syncs, which are counted */
    }
    for (size_t i = 0; store->n_gone > 0 && i < store->n; i++) {
        ls_entry *e = store->entries[i];
        if (e->gone) {
            ls_entry_free(e);
        } else {
            store->entries[kept++] = e;
        }
    }
    store->n = store->n_gone > 0 ? kept : store->n;
    store->n_gone = 0;
    if (store->look_coming) {
        let_come(store);
        ls_dirs_swept(store);
    }
}

void ls_set_done(ls_store *store) {
    for (size_t i = 0; i < store->n_coming; i++) {
        ls_source_drop(store->coming[i].source);
    }
    free(store->coming);
    free(store->entries);
    for (int kind = 0; kind < LS_IDS; kind++) {
        ls_map_done(&store->by_id[kind]);
    }
}
