/*
 * Opening a database for capture, and knowing that it is still the same one.
 *
 * Every step of the opening can fail and rolls all of it back: a half-open object would fail for
 * ever (spec engine, trap 26). The order matters: our own descriptor of the database file is the
 * first thing opened and the last closed.
 */
#include "engine/db/internal.h"

#include "engine/ltx/dbfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OPEN_TRIES 5

static void close_fd(int *fd) {
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* The last connection to close copies the log into the database file: right also for a log whose
 * name is gone, which nobody could read any more. When the names lead elsewhere it is not: others
 * may have gone on without that log, or SQLite has opened a file that was put here together with
 * the log of the one before. */
static void close_without_copying(ls_db *db) {
    const char *why;
    moved what;
    ls_err ignored = LS_ERR_INIT;
    if (db->wal_fd < 0 || (ls_db_identity(db, &what, &why, &ignored) == LS_OK &&
                           (what == MOVED_NOTHING || what == MOVED_LOG_GONE))) {
        return;
    }
    sqlite3 *all[] = {db->r[0], db->r[1], db->b, db->w};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (all[i] != NULL) {
            (void)sqlite3_db_config(all[i], SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        }
    }
}

void ls_db_close(ls_db *db) {
    ls_db_snapshot_cut(db);
    close_without_copying(db);
    ls_db_barrier_end(db);
    for (int i = 0; i < 2; i++) {
        ls_db_read_end(&db->r[i]);
    }
    sqlite3 **all[] = {&db->r[0], &db->r[1], &db->b, &db->w};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        sqlite3_close_v2(*all[i]);
        *all[i] = NULL;
    }
    close_fd(&db->wal_fd);
    close_fd(&db->index_fd);
    close_fd(&db->db_fd);
    ls_db_unclaim(db);
    db->opened = false;
    db->pinned = false;
    db->successor = false;
    db->next_log.held = false;
    db->bumped = false;
    db->chain.known = false;
}

bool ls_db_header_complete(const uint8_t header[LS_DB_HEADER], int64_t size) {
    uint32_t page_size, pages;
    ls_err ignored = LS_ERR_INIT;
    /* The number of pages counts if the change counter is the one it was written with. */
    return ls_db_header_parse(header, &page_size, &pages, &ignored) != LS_OK ||
           memcmp(header + 24, header + 92, 4) != 0 || size >= (int64_t)pages * page_size;
}

/* Is the file as long as its header says? One that is being copied is not yet, and opening it would
 * write into it. Where there is a log, that may hold the rest. */
static ls_code check_length(const ls_db *db, const uint8_t header[LS_DB_HEADER], ls_err *err) {
    struct stat st, log;
    if (fstat(db->db_fd, &st) == 0 && !ls_db_header_complete(header, st.st_size) &&
        (stat(db->wal_path, &log) != 0 || log.st_size == 0)) {
        (void)ls_fail(err, LS_EBUSY, "the database file is shorter than it says");
        return ls_hint(err, "it is being copied here, or was cut off");
    }
    return LS_OK;
}

/* *missing for a file that is still empty: an application has only just made it, and taking its
 * first page would fix a page size that it has yet to choose. */
static ls_code check_header(const ls_db *db, bool *missing, ls_err *err) {
    uint8_t header[LS_DB_HEADER];
    size_t got;
    ls_code code = ls_pread_full(db->db_fd, header, sizeof(header), 0, &got, db->path, err);
    if (code == LS_OK && got == 0) {
        *missing = true;
        return LS_OK;
    }
    if (code == LS_OK && (got < 16 || memcmp(header, "SQLite format 3", 16) != 0)) {
        code = ls_fail(err, LS_ENOTDB, "not an SQLite database");
    }
    return code == LS_OK && got == sizeof(header) ? check_length(db, header, err) : code;
}

/* Opens our descriptor; *missing for no file, or an empty one. */
static ls_code open_file(ls_db *db, bool *missing, ls_err *err) {
    ls_code code = ls_db_claim(db, missing, err);
    if (code != LS_OK || *missing) {
        return code;
    }
    db->db_fd = ls_open(db->path, O_RDONLY, 0);
    if (db->db_fd < 0) {
        *missing = errno == ENOENT || errno == ENOTDIR;
        return *missing ? LS_OK : ls_fail_errno(err, errno, "open %s", db->path);
    }
    struct stat st;
    if (fstat(db->db_fd, &st) != 0) {
        return ls_fail_errno(err, errno, "fstat %s", db->path);
    }
    if (st.st_ino != db->claim.ino || st.st_dev != db->claim.dev) {
        return ls_fail(err, LS_EBUSY, "%s was replaced this moment", db->path);
    }
    return check_header(db, missing, err);
}

static ls_code enable_wal(ls_db *db, sqlite3 *h, ls_err *err) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(h, "PRAGMA journal_mode=wal", -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    ls_code code = LS_OK;
    if (rc != SQLITE_ROW) {
        code = ls_db_conn_fail(err, h, rc, "enable wal");
    } else {
        const char *mode = (const char *)sqlite3_column_text(stmt, 0);
        if (mode == NULL || strcmp(mode, "wal") != 0) {
            code = ls_fail(err, LS_ESQLITE, "enable wal: %s stays in journal mode %s", db->path,
                           mode != NULL ? mode : "?");
            code = ls_hint(err, "a network file system or a database in memory has no WAL mode");
        }
    }
    sqlite3_finalize(stmt);
    return code;
}

/* The write lock is only asked for when a table is missing. */
static ls_code make_tables(sqlite3 *h, ls_err *err) {
    int64_t n = 0;
    ls_code code =
        ls_db_conn_int(h,
                       "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN "
                       "('_litestream_seq', '_litestream_lock')",
                       &n, err);
    if (code != LS_OK || n == 2) {
        return code;
    }
    return ls_db_conn_exec(
        h,
        "CREATE TABLE IF NOT EXISTS _litestream_seq (id INTEGER PRIMARY KEY, seq "
        "INTEGER); CREATE TABLE IF NOT EXISTS _litestream_lock (id INTEGER)",
        "create the _litestream tables", err);
}

/* SQLite resolves symbolic links: only it knows where the log is. */
static ls_code take_wal_path(ls_db *db, sqlite3 *h, ls_err *err) {
    const char *name = sqlite3_filename_wal(sqlite3_db_filename(h, "main"));
    size_t len = name != NULL ? strlen(name) : 0;
    char *wal = name != NULL ? strdup(name) : NULL;
    char *shm = len > 4 ? ls_asprintf("%.*s-shm", (int)len - 4, name) : NULL; /* "-wal" off */
    if (wal == NULL || shm == NULL) {
        free(wal);
        free(shm);
        return ls_fail(err, LS_ENOMEM, "name of the log of %s", db->path);
    }
    free(db->wal_path);
    free(db->shm_path);
    db->wal_path = wal;
    db->shm_path = shm;
    return LS_OK;
}

/* Opens our descriptor of the log unless it is; wal_fd stays -1 where there is no log. */
static ls_code open_wal(ls_db *db, ls_err *err) {
    if (db->wal_fd < 0) {
        db->wal_fd = ls_open(db->wal_path, O_RDONLY, 0);
        if (db->wal_fd < 0 && errno != ENOENT) {
            return ls_fail_errno(err, errno, "open %s", db->wal_path);
        }
    }
    return LS_OK;
}

ls_code ls_db_wal_header(ls_db *db, ls_wal_header *hdr, ls_wal_state *state, ls_err *err) {
    ls_code code = open_wal(db, err);
    if (code == LS_OK && db->wal_fd < 0) {
        *state = LS_WAL_EMPTY;
        return LS_OK;
    }
    return code == LS_OK ? ls_wal_header_read(db->wal_fd, hdr, state, err) : code;
}

ls_code ls_db_ensure_wal(ls_db *db, ls_err *err) {
    ls_wal_header hdr;
    ls_wal_state state;
    ls_code code = ls_db_wal_header(db, &hdr, &state, err);
    return code != LS_OK || state == LS_WAL_VALID ? code : ls_db_seq_bump(db, err);
}

static bool same_file(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* -1: error, 0: gone or another file, 1: the same */
static int compare_path(const char *path, int fd, bool *exists, ls_err *err) {
    struct stat by_path, by_fd;
    *exists = true;
    if (stat(path, &by_path) != 0) {
        *exists = false;
        if (errno == ENOENT || errno == ENOTDIR) {
            return 0;
        }
        (void)ls_fail_errno(err, errno, "stat %s", path);
        return -1;
    }
    if (fstat(fd, &by_fd) != 0) {
        (void)ls_fail_errno(err, errno, "fstat %s", path);
        return -1;
    }
    return same_file(&by_path, &by_fd) ? 1 : 0;
}

/* The file that the index's name leads to, ino 0 where there is none. */
static ls_code stat_index(const ls_db *db, dev_t *dev, ino_t *ino, ls_err *err) {
    struct stat st = {0};
    if (stat(db->shm_path, &st) != 0 && errno != ENOENT) {
        return ls_fail_errno(err, errno, "stat %s", db->shm_path);
    }
    *dev = st.st_dev;
    *ino = st.st_ino;
    return LS_OK;
}

/* SQLite opens log and index by name, later than we note here which files these are. The same
 * names for the same files afterwards (ls_db_identity): SQLite has what we look at. */
static ls_code note_names(ls_db *db, ls_err *err) {
    ls_code code = open_wal(db, err);
    db->log_noted = db->wal_fd >= 0;
    return code == LS_OK ? stat_index(db, &db->shm_dev, &db->shm_ino, err) : code;
}

static ls_code open_sqlite(ls_db *db, ls_err *err) {
    sqlite3 *w;
    ls_code code = ls_db_work_conn(db, &w, err);
    if (code == LS_OK) {
        code = take_wal_path(db, w, err);
    }
    if (code == LS_OK) {
        code = note_names(db, err);
    }
    if (code == LS_OK) {
        code = enable_wal(db, w, err);
    }
    if (code == LS_OK) {
        code = make_tables(w, err);
    }
    if (code == LS_OK) {
        db->cur = 0;
        code = ls_db_read_begin(db, &db->r[0], err);
    }
    if (code == LS_OK) {
        code = ls_db_ensure_wal(db, err);
    }
    return code;
}

static ls_code open_once(ls_db *db, bool *missing, ls_err *err) {
    ls_code code = open_file(db, missing, err);
    if (code == LS_OK && !*missing) {
        code = ls_perm_of_db(db->path, &db->perm, err);
        if (code == LS_OK) {
            code = ls_db_local_dir_make(db, 0, err);
        }
        if (code == LS_OK) {
            code = open_sqlite(db, err);
        }
    }
    return code;
}

/* Opens until log and index were there before SQLite opened them and are still the same: the first
 * time may make them. An index that SQLite goes without (other connections of this process have
 * one whose name is gone) is none. */
static ls_code open_known(ls_db *db, bool *missing, ls_err *err) {
    for (int i = 0; i < OPEN_TRIES; i++) {
        ls_code code = open_once(db, missing, err);
        if (code != LS_OK || *missing) {
            return code;
        }
        const char *why;
        moved what;
        code = ls_db_identity(db, &what, &why, err);
        if (code != LS_OK || (what == MOVED_NOTHING && db->log_noted)) {
            return code;
        }
        ls_db_close(db);
    }
    return ls_fail(err, LS_EBUSY, "database, log or index are being replaced all the time");
}

ls_code ls_db_open(ls_db *db, bool *missing, ls_err *err) {
    ls_code code = open_known(db, missing, err);
    if (code == LS_OK && !*missing) {
        code = ls_db_chain_load(db, err);
    }
    if (code != LS_OK || *missing) {
        ls_db_close(db);
        return code;
    }
    db->opened = true;
    db->was_missing = false;
    db->checkpoint_mono = ls_db_mono(db);
    return LS_OK;
}

ls_db_names ls_db_names_now(const ls_db *db) {
    ls_db_names names = {0};
    const char *path[] = {db->path, db->wal_path, db->shm_path};
    for (size_t i = 0; i < 3; i++) {
        struct stat st;
        if (path[i] != NULL && stat(path[i], &st) == 0) {
            names.file[i].dev = st.st_dev;
            names.file[i].ino = st.st_ino;
        }
    }
    return names;
}

void ls_db_empty_old_log(ls_db *db) {
    bool exists;
    ls_err ignored = LS_ERR_INIT;
    if (db->wal_fd < 0 || compare_path(db->wal_path, db->wal_fd, &exists, &ignored) != 1) {
        return;
    }
    ls_db_snapshot_cut(db);
    ls_db_barrier_end(db);
    for (int i = 0; i < 2; i++) {
        ls_db_read_end(&db->r[i]);
    }
    sqlite3 *h = db->w != NULL ? db->w : db->r[db->cur];
    if (h != NULL) {
        sqlite3_busy_timeout(h, 0);
        (void)sqlite3_wal_checkpoint_v2(h, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    }
}

ls_code ls_db_identity(ls_db *db, moved *what, const char **why, ls_err *err) {
    *what = MOVED_NOTHING;
    *why = NULL;
    bool exists;
    int same = compare_path(db->path, db->db_fd, &exists, err);
    if (same == 0) {
        *what = MOVED_FILE;
        *why = exists ? "the database file was replaced" : "the database file was deleted";
    } else if (same > 0 && db->wal_fd >= 0) {
        same = compare_path(db->wal_path, db->wal_fd, &exists, err);
        if (same == 0) {
            *what = exists ? MOVED_LOG : MOVED_LOG_GONE;
            *why = exists ? "the log file was replaced" : "the log file was deleted";
        }
    }
    if (same <= 0) {
        return same < 0 ? err->code : LS_OK;
    }
    /* One that is only gone leads nobody elsewhere. */
    dev_t dev;
    ino_t ino;
    ls_code code = stat_index(db, &dev, &ino, err);
    if (code == LS_OK && ino != 0 && (dev != db->shm_dev || ino != db->shm_ino)) {
        *what = MOVED_LOG;
        *why = "the log's index was replaced";
    }
    return code;
}
