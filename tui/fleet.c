/* Fleets and what happened: making, sharing, finding. Reading of answers is fleet_read.c. */
#include "tui/fleet.h"

#include "tui/grow.h"

#include <stdlib.h>
#include <string.h>

fleet *fleet_new(void) {
    fleet *f = calloc(1, sizeof(*f));
    if (f != NULL) {
        atomic_init(&f->refs, 1);
    }
    return f;
}

fleet *fleet_ref(fleet *f) {
    atomic_fetch_add(&f->refs, 1);
    return f;
}

static void db_done(fleet_db *db) {
    char *owned[] = {db->path,      db->status, db->replica_type, db->replica_url,
                     db->meta_path, db->doing,  db->error,        db->hint};
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
        free(owned[i]);
    }
}

static void job_row_done(fleet_job *j) {
    char *owned[] = {j->kind, j->path, j->output, j->status, j->error, j->hint, j->result};
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++) {
        free(owned[i]);
    }
}

void fleet_unref(fleet *f) {
    if (f == NULL || atomic_fetch_sub(&f->refs, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < f->n; i++) {
        db_done(&f->dbs[i]);
    }
    for (size_t i = 0; i < f->n_jobs; i++) {
        job_row_done(&f->jobs[i]);
    }
    free(f->dbs);
    free(f->jobs);
    free(f);
}

fleet_db *fleet_add(fleet *f, const char *path, ls_err *err) {
    if (grow((void **)&f->dbs, f->n, &f->cap, sizeof(*f->dbs), FLEET_MAX_DBS, err) != LS_OK) {
        return NULL;
    }
    fleet_db *db = &f->dbs[f->n];
    *db = (fleet_db){.path = strdup(path),
                     .last_sync_ms = -1,
                     .last_checkpoint_ms = -1,
                     .last_snapshot_ms = -1,
                     .next_snapshot_ms = -1,
                     .levels_ms = -1};
    if (db->path == NULL) {
        (void)ls_fail(err, LS_ENOMEM, "list %s", path);
        return NULL;
    }
    f->n++;
    return db;
}

/* ---- the last minute ---- */

static void add_step(fleet_db *db, const fleet_db *before, int64_t steps) {
    uint64_t *spark = db->spark;
    size_t gone = steps < SPARK_STEPS ? (size_t)steps : SPARK_STEPS;
    for (size_t i = 0; i + gone < SPARK_STEPS; i++) {
        spark[i] = before->spark[i + gone];
    }
    if (db->captured > before->captured) {
        spark[SPARK_STEPS - 1] += db->captured - before->captured;
    }
}

void fleet_carry(fleet *now, const fleet *before) {
    if (before == NULL || !before->live || !now->live) {
        return;
    }
    int64_t steps = now->taken_ns / SPARK_STEP_NS - before->taken_ns / SPARK_STEP_NS;
    size_t next = 0; /* the order seldom changes */
    for (size_t i = 0; i < now->n; i++) {
        fleet_db *db = &now->dbs[i];
        bool as_before = next < before->n && strcmp(before->dbs[next].path, db->path) == 0;
        size_t at = as_before ? next : fleet_find(before, db->path);
        if (at < before->n) {
            add_step(db, &before->dbs[at], steps);
            next = at + 1;
        }
    }
}

void fleet_look_up(fleet *f) {
    for (size_t i = 0; i < f->n && f->n <= FLEET_VERIFIED_MAX; i++) {
        fleet_db *db = &f->dbs[i];
        ls_err ignored = LS_ERR_INIT;
        if (db->meta_path == NULL || *db->meta_path == '\0' ||
            ls_last_verify_load(db->meta_path, &db->verified, &ignored) != LS_OK) {
            db->verified = (ls_last_verify){0};
        }
    }
}

/* ---- finding ---- */

size_t fleet_find(const fleet *f, const char *path) {
    size_t i = 0;
    while (i < f->n && strcmp(f->dbs[i].path, path) != 0) {
        i++;
    }
    return i;
}

const fleet_job *fleet_job_of(const fleet *f, uint64_t id) {
    for (size_t i = 0; i < f->n_jobs; i++) {
        if (f->jobs[i].id == id) {
            return &f->jobs[i];
        }
    }
    return NULL;
}

const fleet_job *fleet_active_job(const fleet *f, const char *path) {
    for (size_t i = f->n_jobs; i > 0; i--) {
        const fleet_job *j = &f->jobs[i - 1];
        if (j->active && strcmp(j->path, path) == 0) {
            return j;
        }
    }
    return NULL;
}

uint64_t fleet_behind(const fleet_db *db) {
    return db->txid > db->replica_txid ? db->txid - db->replica_txid : 0;
}

/* ---- what happened ---- */

happening *happening_ref(happening *h) {
    atomic_fetch_add(&h->refs, 1);
    return h;
}

void happening_unref(happening *h) {
    if (h == NULL || atomic_fetch_sub(&h->refs, 1) > 1) {
        return;
    }
    free(h->path);
    free(h->text);
    free(h);
}

happenings *happenings_new(const happenings *before, happening *const *more, size_t n) {
    size_t old = before != NULL ? before->n : 0;
    size_t new = n < FLEET_MAX_EVENTS ? n : FLEET_MAX_EVENTS;
    size_t keep = old + new < FLEET_MAX_EVENTS ? old : FLEET_MAX_EVENTS - new;
    happenings *h = calloc(1, sizeof(*h) + (keep + new) * sizeof(h->all[0]));
    if (h == NULL) {
        return NULL;
    }
    atomic_init(&h->refs, 1);
    for (size_t i = 0; i < keep; i++) {
        h->all[h->n++] = happening_ref(before->all[old - keep + i]);
    }
    for (size_t i = 0; i < new; i++) {
        h->all[h->n++] = happening_ref(more[n - new + i]);
    }
    return h;
}

happenings *happenings_ref(happenings *h) {
    atomic_fetch_add(&h->refs, 1);
    return h;
}

void happenings_unref(happenings *h) {
    if (h == NULL || atomic_fetch_sub(&h->refs, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < h->n; i++) {
        happening_unref(h->all[i]);
    }
    free(h);
}
