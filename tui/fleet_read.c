/*
 * Reading what a daemon answers into a fleet. Nothing of an answer decides an allocation or a loop
 * by itself; what is not of the type that it should be is taken for absent, and without the path of
 * a database, or the number of a job, the whole answer is refused.
 */
#include "tui/fleet.h"

#include "tui/grow.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- members ---- */

static const char *text_of(const json_t *o, const char *key) {
    const char *text = json_string_value(json_object_get(o, key));
    return text != NULL ? text : "";
}

static uint64_t count_of(const json_t *o, const char *key) {
    json_int_t n = json_integer_value(json_object_get(o, key));
    return n > 0 ? (uint64_t)n : 0;
}

static int64_t time_of(const json_t *o, const char *key) {
    ls_err ignored = LS_ERR_INIT;
    const char *text = text_of(o, key);
    int64_t ms;
    return *text != '\0' && ls_time_parse(text, &ms, &ignored) == LS_OK ? ms : -1;
}

static ls_txid txid_of(const json_t *o, const char *key) {
    const char *text = text_of(o, key);
    ls_txid txid;
    return strlen(text) == 16 && ls_hex64_parse(text, 16, &txid) ? txid : 0;
}

/* A copy; NULL where there is no text. *bad where there is no memory. */
static char *copy_of(const json_t *o, const char *key, bool *bad) {
    const char *text = json_string_value(json_object_get(o, key));
    char *copy = text != NULL ? strdup(text) : NULL;
    *bad = *bad || (text != NULL && copy == NULL);
    return copy;
}

/* The same, "" where there is none. */
static char *word_of(const json_t *o, const char *key, bool *bad) {
    char *copy = strdup(text_of(o, key));
    *bad = *bad || copy == NULL;
    return copy;
}

static ls_code not_understood(ls_err *err, const char *what) {
    (void)ls_fail(err, LS_EREMOTE, "the answer is not understood: %s", what);
    return ls_hint(err, "is it the control socket of litestream replicate, in a like version?");
}

/* ---- databases ---- */

static db_state state_of(const char *status) {
    static const struct {
        const char *name;
        db_state state;
    } names[] = {{"replicating", DB_OK},  {"open", DB_ONCE},     {"stopped", DB_STOPPED},
                 {"missing", DB_MISSING}, {"behind", DB_BEHIND}, {"stalled", DB_STALLED},
                 {"offline", DB_OFFLINE}, {"error", DB_ERROR}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].name, status) == 0) {
            return names[i].state;
        }
    }
    return DB_OTHER;
}

/* The first of capture, upload and maintenance that has one. */
static void read_error(fleet_db *db, const json_t *o, bool *bad) {
    static const char *const keys[] = {"capture_error", "upload_error", "maint_error"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && db->error == NULL; i++) {
        const json_t *e = json_object_get(o, keys[i]);
        db->error = copy_of(e, "error", bad);
        if (db->error != NULL) {
            db->hint = copy_of(e, "hint", bad);
            db->error_count = count_of(e, "count");
            db->error_since_ms = time_of(e, "since");
        }
    }
}

static void read_work(fleet_db *db, const json_t *o, bool *bad) {
    static const char *const keys[] = {"maint", "capture", "upload"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]) && db->doing == NULL; i++) {
        const json_t *w = json_object_get(o, keys[i]);
        db->doing = copy_of(w, "what", bad);
        db->doing_since_ms = time_of(w, "since");
    }
}

static void read_levels(fleet_db *db, const json_t *o) {
    const json_t *levels = json_object_get(o, "levels");
    for (size_t i = 0; i < json_array_size(levels); i++) {
        const json_t *l = json_array_get(levels, i);
        uint64_t level = count_of(l, "level");
        if (level <= LS_LTX_LEVEL_MAX) {
            db->level_files[level] = (size_t)count_of(l, "files");
            db->level_bytes[level] = count_of(l, "bytes");
        }
    }
}

static void read_times(fleet_db *db, const json_t *o) {
    db->last_sync_ms = time_of(o, "last_sync_at");
    db->last_checkpoint_ms = time_of(o, "last_checkpoint_at");
    db->last_snapshot_ms = time_of(o, "last_snapshot_at");
    db->next_snapshot_ms = time_of(o, "next_snapshot_at");
    db->levels_ms = time_of(o, "levels_at");
}

static ls_code read_db(fleet *f, const json_t *o, ls_err *err) {
    const char *path = text_of(o, "path");
    bool bad = false;
    if (*path == '\0') {
        return not_understood(err, "a database without a path");
    }
    fleet_db *db = fleet_add(f, path, err);
    if (db == NULL) {
        return err->code;
    }
    db->status = word_of(o, "status", &bad);
    db->replica_type = word_of(o, "replica_type", &bad);
    db->replica_url = word_of(o, "replica_url", &bad);
    db->meta_path = word_of(o, "meta_path", &bad);
    db->state = state_of(text_of(o, "status"));
    db->txid = txid_of(o, "txid");
    db->replica_txid = txid_of(o, "replica_txid");
    db->db_size = count_of(o, "db_size");
    db->wal_size = count_of(o, "wal_size");
    db->captured = count_of(o, "captured_bytes");
    db->lag_ms = (int64_t)count_of(o, "lag_ms");
    read_error(db, o, &bad);
    read_work(db, o, &bad);
    read_levels(db, o);
    read_times(db, o);
    return bad ? ls_fail(err, LS_ENOMEM, "list databases") : LS_OK;
}

ls_code fleet_read_databases(fleet *f, const json_t *answer, ls_err *err) {
    const json_t *list = json_object_get(answer, "databases");
    if (!json_is_array(list)) {
        return not_understood(err, "no list of databases");
    }
    ls_code rc = LS_OK;
    for (size_t i = 0; i < json_array_size(list) && rc == LS_OK; i++) {
        rc = read_db(f, json_array_get(list, i), err);
    }
    f->last_event = count_of(answer, "last_event");
    f->live = true;
    return rc;
}

ls_code fleet_read_info(fleet *f, const json_t *answer, ls_err *err) {
    int64_t started = time_of(answer, "started_at");
    json_int_t uptime = json_integer_value(json_object_get(answer, "uptime_seconds"));
    if (started < 0 || uptime < 0 || uptime > INT32_MAX) {
        return not_understood(err, "no time at which the daemon began");
    }
    (void)snprintf(f->version, sizeof(f->version), "%s", text_of(answer, "version"));
    f->pid = (int64_t)count_of(answer, "pid");
    f->now_ms = started + uptime * 1000;
    return LS_OK;
}

/* ---- jobs ---- */

static void describe_verify(const json_t *r, fleet_job *j, char *buf, size_t size) {
    const json_t *first = json_array_get(json_object_get(r, "findings"), 0);
    j->good = json_is_true(json_object_get(r, "ok"));
    if (j->good) {
        (void)snprintf(buf, size,
                       "everything can be restored: %" PRIu64 " files, %" PRIu64 " restore points",
                       count_of(r, "files"), count_of(r, "points"));
    } else {
        (void)snprintf(buf, size, "NOT everything can be restored: %" PRIu64 " findings: %s",
                       count_of(r, "n_findings"), text_of(first, "text"));
    }
}

static void describe_restore(const json_t *r, fleet_job *j, char *buf, size_t size) {
    char bytes[32];
    j->good = true;
    (void)snprintf(buf, size, "restored to TXID %" PRIx64 ": %" PRIu64 " pages, %s read",
                   txid_of(r, "txid"), count_of(r, "pages"),
                   ls_bytes_format(count_of(r, "bytes"), bytes, sizeof(bytes)));
}

static void read_result(fleet_job *j, const json_t *o, bool *bad) {
    char text[600] = "";
    const json_t *r = json_object_get(o, "result");
    if (r == NULL) {
        return;
    }
    if (strcmp(j->kind, "verify") == 0) {
        describe_verify(r, j, text, sizeof(text));
    } else {
        describe_restore(r, j, text, sizeof(text));
    }
    j->result = strdup(text);
    *bad = *bad || j->result == NULL;
}

static void read_progress(fleet_job *j, const json_t *o) {
    const json_t *p = json_object_get(o, "progress");
    j->progress = (ls_restore_progress){.files_done = (size_t)count_of(p, "files_done"),
                                        .files = (size_t)count_of(p, "files"),
                                        .bytes_done = count_of(p, "bytes_done"),
                                        .bytes = count_of(p, "bytes"),
                                        .pages_written = count_of(p, "pages_written")};
}

static ls_code read_job(fleet *f, const json_t *o, ls_err *err) {
    bool bad = false;
    uint64_t id = count_of(o, "id");
    if (id == 0) {
        return not_understood(err, "a job without a number");
    }
    ls_code rc =
        grow((void **)&f->jobs, f->n_jobs, &f->cap_jobs, sizeof(*f->jobs), FLEET_MAX_JOBS, err);
    if (rc != LS_OK) {
        return rc;
    }
    fleet_job *j = &f->jobs[f->n_jobs++];
    *j = (fleet_job){.id = id,
                     .kind = word_of(o, "kind", &bad),
                     .path = word_of(o, "path", &bad),
                     .output = word_of(o, "output", &bad),
                     .status = word_of(o, "status", &bad),
                     .queued_ms = time_of(o, "queued_at"),
                     .started_ms = time_of(o, "started_at"),
                     .ended_ms = time_of(o, "ended_at"),
                     .error = copy_of(o, "error", &bad),
                     .hint = copy_of(o, "hint", &bad)};
    if (bad) {
        return ls_fail(err, LS_ENOMEM, "list jobs");
    }
    j->active = strcmp(j->status, "queued") == 0 || strcmp(j->status, "running") == 0;
    read_progress(j, o);
    read_result(j, o, &bad);
    return bad ? ls_fail(err, LS_ENOMEM, "list jobs") : LS_OK;
}

ls_code fleet_read_jobs(fleet *f, const json_t *answer, ls_err *err) {
    const json_t *list = json_object_get(answer, "jobs");
    if (!json_is_array(list)) {
        return not_understood(err, "no list of jobs");
    }
    ls_code rc = LS_OK;
    for (size_t i = 0; i < json_array_size(list) && rc == LS_OK; i++) {
        rc = read_job(f, json_array_get(list, i), err);
    }
    return rc;
}

/* ---- events ---- */

happening *happening_read(const json_t *event, ls_err *err) {
    bool bad = false;
    uint64_t number = count_of(event, "number");
    const json_t *level = json_object_get(event, "level");
    if (number == 0) {
        (void)not_understood(err, "an event without a number");
        return NULL;
    }
    happening *h = calloc(1, sizeof(*h));
    if (h == NULL) {
        (void)ls_fail(err, LS_ENOMEM, "list events");
        return NULL;
    }
    atomic_init(&h->refs, 1);
    (void)snprintf(h->kind, sizeof(h->kind), "%s", text_of(event, "kind"));
    h->number = number;
    h->at_ms = time_of(event, "at");
    h->level = json_is_integer(level) ? (int)(json_integer_value(level) & 0xff) : -1;
    h->min_txid = txid_of(event, "min_txid");
    h->max_txid = txid_of(event, "max_txid");
    h->bytes = count_of(event, "bytes");
    h->path = word_of(event, "path", &bad);
    h->text = word_of(event, "text", &bad);
    if (bad) {
        happening_unref(h);
        (void)ls_fail(err, LS_ENOMEM, "list events");
        return NULL;
    }
    return h;
}
