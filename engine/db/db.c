/* The database object: options, one sync, and what others may ask of it. */
#include "engine/db/internal.h"

#include "engine/base/text.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

ls_db_opts ls_db_opts_default(const char *path) {
    return (ls_db_opts){
        .path = path,
        .busy_timeout = LS_SEC,
        .checkpoint_interval = 60 * LS_SEC,
        .min_checkpoint_page_n = LS_DB_MIN_CHECKPOINT_PAGE_N,
        .truncate_page_n = LS_DB_TRUNCATE_PAGE_N,
        .max_sync_wal_bytes = LS_DB_MAX_SYNC_WAL_BYTES,
    };
}

char *ls_db_default_meta_path(const char *path) {
    char *dir = ls_path_dir(path);
    const char *base = ls_path_base(path);
    char *meta = dir != NULL ? ls_asprintf("%s/.%s-litestream", dir, base) : NULL;
    free(dir);
    return meta;
}

int64_t ls_db_mono(const ls_db *db) { return ls_mono_ns(db->opts.clock); }

static ls_code check_opts(const ls_db_opts *o, ls_err *err) {
    if (o->path == NULL || o->path[0] == '\0') {
        return ls_fail(err, LS_EINVALID, "database path required");
    }
    if (o->min_checkpoint_page_n <= 0) {
        return ls_fail(err, LS_EINVALID, "minimum checkpoint page count required");
    }
    if (o->busy_timeout < 0 || o->busy_timeout / LS_MS > 24 * 3600 * 1000) {
        return ls_fail(err, LS_EINVALID, "busy timeout must be between 0 and 24 h");
    }
    return LS_OK;
}

static ls_code take_paths(ls_db *db, const ls_db_opts *o, ls_err *err) {
    db->path = strdup(o->path);
    db->wal_path = ls_asprintf("%s-wal", o->path);
    db->meta_path = o->meta_path != NULL ? strdup(o->meta_path) : ls_db_default_meta_path(o->path);
    if (db->path == NULL || db->wal_path == NULL || db->meta_path == NULL) {
        return ls_fail(err, LS_ENOMEM, "take its paths");
    }
    return LS_OK;
}

ls_code ls_db_new(const ls_db_opts *opts, ls_db **out, ls_err *err) {
    ls_code code = check_opts(opts, err);
    if (code != LS_OK) {
        return code;
    }
    ls_db *db = calloc(1, sizeof(*db));
    if (db == NULL) {
        return ls_fail(err, LS_ENOMEM, "open %s", opts->path);
    }
    db->opts = *opts;
    db->db_fd = db->wal_fd = db->index_fd = -1;
    (void)pthread_mutex_init(&db->snap_lock, NULL);
    (void)pthread_cond_init(&db->snap_left, NULL);
    db->perm = LS_PERM_PRIVATE;
    if (db->opts.clock == NULL) {
        db->opts.clock = &ls_clock_system;
    }
    if (db->opts.truncate_page_n == 0) {
        db->opts.truncate_page_n = LS_DB_TRUNCATE_PAGE_N;
    }
    code = take_paths(db, opts, err);
    if (code == LS_OK) {
        code = ls_db_local_remove_tmp(db->meta_path, err);
    }
    if (code != LS_OK) {
        ls_db_free(db);
        return ls_wrap(err, "open %s", opts->path);
    }
    db->opts.path = db->path;
    db->opts.meta_path = db->meta_path;
    *out = db;
    return LS_OK;
}

void ls_db_free(ls_db *db) {
    if (db == NULL) {
        return;
    }
    ls_db_close(db);
    (void)pthread_cond_destroy(&db->snap_left);
    (void)pthread_mutex_destroy(&db->snap_lock);
    free(db->path);
    free(db->wal_path);
    free(db->shm_path);
    free(db->meta_path);
    free(db);
}

/* Who replaces a database moves one file after the other, and starts the application in the end.
 * Opened in between, SQLite would make or take a log and an index that are removed the next moment:
 * then the application and we would be at different ones and no lock between us would count. */
#define SETTLE_NS (500 * LS_MS)

static bool same_names(const ls_db_names *a, const ls_db_names *b) {
    bool same = true;
    for (size_t i = 0; i < 3; i++) {
        same = same && a->file[i].dev == b->file[i].dev && a->file[i].ino == b->file[i].ino;
    }
    return same;
}

/* Were the files of a replaced database left alone for long enough? */
static bool settled(ls_db *db) {
    ls_db_names now = ls_db_names_now(db);
    if (!same_names(&now, &db->names)) {
        db->names = now;
        db->names_mono = ls_db_mono(db);
    }
    return now.file[0].ino == 0 || ls_db_mono(db) - db->names_mono >= SETTLE_NS;
}

/* What is open may no longer be what the paths name. */
static ls_code check_identity(ls_db *db, ls_err *err) {
    const char *why;
    moved what;
    ls_code code = ls_db_identity(db, &what, &why, err);
    if (code != LS_OK || why == NULL) {
        return code;
    }
    ls_log_write(db->opts.log, LS_WARN, "database is opened again",
                 LS_ATTRS(LS_DB_NAMES(db), LS_STR("reason", why)));
    if (what == MOVED_FILE) {
        ls_db_empty_old_log(db);
    }
    ls_db_close(db);
    db->replaced = why;
    db->names = (ls_db_names){0};
    return LS_OK;
}

static ls_code open_again(ls_db *db, bool *missing, ls_err *err) {
    ls_code code = ls_db_open(db, missing, err);
    if (code == LS_OK && !*missing && db->replaced != NULL) {
        /* Equal frames in the log prove nothing about another database file. */
        db->chain.known = false;
        ls_db_full_because(db, "%s", db->replaced);
        db->replaced = NULL;
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "open %s", db->path);
}

static ls_code ready(ls_db *db, bool *missing, bool *settling, ls_err *err) {
    if (db->opened) {
        ls_code code = check_identity(db, err);
        if (code != LS_OK || db->opened) {
            return code;
        }
    }
    *settling = db->replaced != NULL && !settled(db);
    if (*settling) {
        return LS_OK;
    }
    ls_code code = open_again(db, missing, err);
    if (code == LS_OK && *missing && !db->was_missing) {
        ls_log_write(db->opts.log, LS_WARN, "database does not exist yet, waiting for it",
                     LS_ATTRS(LS_DB_NAMES(db)));
        db->was_missing = true;
    }
    return code;
}

/* SQLite's own failures leave handles in a state that only opening again clears; a busy lock, a
 * full disk or a store's trouble does not. */
static bool must_reopen(ls_code code) {
    return code == LS_ESQLITE || code == LS_ENOTDB || code == LS_EIO || code == LS_ENOTFOUND;
}

/* The error may come from files that were replaced this moment. */
static void close_failed(ls_db *db) {
    ls_err ignored = LS_ERR_INIT;
    if (db->opened && (check_identity(db, &ignored) != LS_OK || db->opened)) {
        ls_db_close(db);
    }
}

/* A checkpoint begins with a capture (rule 4), so that where one is due there is no other. */
static ls_code capture_and_checkpoint(ls_db *db, capture *c, bool *more, ls_err *err) {
    due when = DUE_NOT;
    ls_code code = ls_db_checkpoint_due(db, &when, err);
    if (code == LS_OK && when == DUE_NOW) {
        code = ls_db_checkpoint(db, c, err);
    } else if (code == LS_OK && when == DUE_NOT && db->bumped && !db->next_log.held) {
        code = ls_db_leave_mark_0(db, c, err);
    }
    if (code == LS_OK && !c->at_end) {
        code = ls_db_capture(db, db->opts.max_sync_wal_bytes, c, err);
    }
    *more = code == LS_OK && (!c->at_end || when == DUE_LATER);
    return code;
}

ls_code ls_db_sync(ls_db *db, ls_db_sync_result *result, ls_err *err) {
    *result = (ls_db_sync_result){0};
    ls_txid before = 0;
    bool was_open = db->opened;
    ls_code code = ready(db, &result->missing, &result->settling, err);
    if (code != LS_OK || result->missing || result->settling) {
        result->pending = result->settling;
        return code;
    }
    before = ls_db_txid(db);
    capture c = {0};
    memset(db->checkpoints, 0, sizeof(db->checkpoints));
    code = capture_and_checkpoint(db, &c, &result->more, err);
    memcpy(result->checkpoints, db->checkpoints, sizeof(db->checkpoints));
    result->pending = c.pending;
    result->bumped = db->bumped;
    result->txid = ls_db_txid(db);
    result->page_size = db->chain.page_size;
    result->log_bytes = (uint64_t)c.frames * (uint64_t)ls_wal_frame_size(db->chain.page_size);
    result->files = result->txid > before ? (int)(result->txid - before) : (c.wrote ? 1 : 0);
    if (must_reopen(code)) {
        close_failed(db);
    } else if (code == LS_OK && (result->files == 0 || !was_open) && !result->more) {
        ls_db_close_spare(db);
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "sync %s", db->path);
}

ls_code ls_db_overdue(ls_db *db, bool *overdue, ls_err *err) {
    *overdue = false;
    if (!db->opened || !db->chain.known) {
        return LS_OK;
    }
    const char *why;
    moved what;
    ls_code code = ls_db_identity(db, &what, &why, err);
    if (code != LS_OK || why != NULL) {
        *overdue = why != NULL;
        return code;
    }
    ls_wal_index index;
    code = ls_db_log_index(db, &index, err);
    int64_t most = db->opts.min_checkpoint_page_n * ls_wal_frame_size(db->chain.page_size);
    most = most > LS_DB_OVERDUE_BYTES ? most : LS_DB_OVERDUE_BYTES;
    *overdue = code == LS_OK && ls_db_index_ahead(db, &index) > most;
    return code;
}

const char *ls_db_path(const ls_db *db) { return db->path; }
const char *ls_db_meta_path(const ls_db *db) { return db->meta_path; }
const char *ls_db_wal_path(const ls_db *db) { return db->wal_path; }

ls_txid ls_db_txid(const ls_db *db) { return atomic_load(&((ls_db *)(uintptr_t)db)->txid); }

ls_code ls_db_perm(const ls_db *db, ls_perm *perm, ls_err *err) {
    return ls_perm_of_db(db->path, perm, err);
}

ls_code ls_db_rebase(ls_db *db, ls_txid max, const char *reason, ls_err *err) {
    if (max == UINT64_MAX) {
        return ls_fail(err, LS_ELIMIT, "the replica's TXID is the largest there is");
    }
    db->rebase = true;
    db->rebase_max = max;
    ls_db_full_because(db, "%s", reason);
    atomic_store(&db->txid, max);
    return ls_db_local_remove_all(db, err);
}
