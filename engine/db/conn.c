/* SQLite handles: how each is set up, the read transaction, the barrier and the sequence bump. */
#include "engine/db/internal.h"

#include "engine/base/text.h"

#include <string.h>

/* Pages of cache a handle may keep, in KiB: R, W and B touch a handful of pages. */
#define CACHE_SQL "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-64"

static ls_code code_of(int rc) {
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return LS_EBUSY;
    case SQLITE_NOMEM:
        return LS_ENOMEM;
    case SQLITE_FULL:
        return LS_EFULL;
    case SQLITE_NOTADB:
        return LS_ENOTDB;
    case SQLITE_CORRUPT:
        return LS_ECORRUPT;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        return LS_EPERM;
    default:
        return LS_ESQLITE;
    }
}

ls_code ls_db_conn_fail(ls_err *err, sqlite3 *h, int rc, const char *what) {
    const char *text = h != NULL ? sqlite3_errmsg(h) : sqlite3_errstr(rc);
    ls_code code = ls_fail(err, code_of(rc), "%s: %s (%d)", what, text, rc);
    if (code == LS_EPERM) {
        code = ls_hint(err, "litestream writes beside the database (-wal, -shm) and into it (two "
                            "small tables): check the rights on the file and its folder");
    }
    return code;
}

ls_code ls_db_conn_exec(sqlite3 *h, const char *sql, const char *what, ls_err *err) {
    int rc = sqlite3_exec(h, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? LS_OK : ls_db_conn_fail(err, h, rc, what);
}

ls_code ls_db_conn_int(sqlite3 *h, const char *sql, int64_t *value, ls_err *err) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(h, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) {
            *value = sqlite3_column_int64(stmt, 0);
            rc = SQLITE_OK;
        } else if (rc == SQLITE_DONE) {
            rc = SQLITE_ERROR;
        }
    }
    ls_code code = rc == SQLITE_OK ? LS_OK : ls_db_conn_fail(err, h, rc, sql);
    sqlite3_finalize(stmt);
    return code;
}

/* Each handle needs all three: the last one closed without PERSIST_WAL deletes the log, and one
 * with autocheckpoint would copy frames before they are captured. */
static ls_code conn_setup(ls_db *db, sqlite3 *h, ls_err *err) {
    sqlite3_extended_result_codes(h, 1);
    sqlite3_busy_timeout(h, (int)(db->opts.busy_timeout / LS_MS));
    sqlite3_wal_autocheckpoint(h, 0);
    int on = 1;
    int rc = sqlite3_file_control(h, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
    if (rc != SQLITE_OK && rc != SQLITE_NOTFOUND) {
        return ls_db_conn_fail(err, h, rc, "keep the log on close");
    }
    return ls_db_conn_exec(h, CACHE_SQL, "set up connection", err);
}

ls_code ls_db_conn_open(ls_db *db, sqlite3 **out, ls_err *err) {
    sqlite3 *h = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(db->path, &h, flags, NULL);
    ls_code code =
        rc == SQLITE_OK ? conn_setup(db, h, err) : ls_db_conn_fail(err, h, rc, "open database");
    if (code != LS_OK) {
        sqlite3_close_v2(h);
        return code;
    }
    *out = h;
    return LS_OK;
}

bool ls_db_read_held(sqlite3 *h) {
    return h != NULL && sqlite3_txn_state(h, "main") == SQLITE_TXN_READ;
}

/* schema_version reads page 1 and nothing else: the transaction begins without loading a schema. */
ls_code ls_db_read_begin(sqlite3 *h, ls_err *err) {
    ls_code code = ls_db_conn_exec(h, "BEGIN", "begin read transaction", err);
    int64_t ignored;
    if (code == LS_OK) {
        code = ls_db_conn_int(h, "PRAGMA schema_version", &ignored, err);
    }
    if (code == LS_OK && !ls_db_read_held(h)) {
        code = ls_fail(err, LS_ESQLITE, "begin read transaction: no transaction is open");
    }
    if (code != LS_OK) {
        ls_db_read_end(h);
        return ls_wrap(err, "hold the log");
    }
    return LS_OK;
}

void ls_db_read_end(sqlite3 *h) {
    if (h != NULL && !sqlite3_get_autocommit(h)) {
        (void)sqlite3_exec(h, "ROLLBACK", NULL, NULL, NULL);
    }
}

static ls_code open_once(ls_db *db, sqlite3 **slot, sqlite3 **out, ls_err *err) {
    if (*slot == NULL) {
        ls_code code = ls_db_conn_open(db, slot, err);
        if (code != LS_OK) {
            return code;
        }
    }
    *out = *slot;
    return LS_OK;
}

ls_code ls_db_other_reader(ls_db *db, sqlite3 **out, ls_err *err) {
    return open_once(db, &db->r[1 - db->cur], out, err);
}

ls_code ls_db_work_conn(ls_db *db, sqlite3 **out, ls_err *err) {
    return open_once(db, &db->w, out, err);
}

ls_code ls_db_barrier_begin(ls_db *db, ls_err *err) {
    sqlite3 *b;
    ls_code code = open_once(db, &db->b, &b, err);
    if (code == LS_OK) {
        code = ls_db_conn_exec(b, "BEGIN IMMEDIATE", "hold writers back", err);
    }
    db->barrier = code == LS_OK;
    return code;
}

void ls_db_barrier_end(ls_db *db) {
    if (db->barrier) {
        ls_db_read_end(db->b);
        db->barrier = false;
    }
}

ls_code ls_db_seq_bump(ls_db *db, ls_err *err) {
    sqlite3 *w;
    ls_code code = ls_db_work_conn(db, &w, err);
    if (code != LS_OK) {
        return code;
    }
    return ls_db_conn_exec(w,
                           "INSERT INTO _litestream_seq (id, seq) VALUES (1, 1) "
                           "ON CONFLICT (id) DO UPDATE SET seq = seq + 1",
                           "bump litestream seq", err);
}
