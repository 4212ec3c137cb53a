/* SQLite handles: how each is set up, the read transaction, the barrier and the sequence bump. */
#include "engine/db/internal.h"

#include "engine/base/sqlite.h"
#include "engine/base/text.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* W and B touch a handful of pages. To set anything SQLite loads the schema. */
#define WRITER_SQL "PRAGMA synchronous=NORMAL; PRAGMA cache_size=16"

ls_code ls_db_conn_fail(ls_err *err, sqlite3 *h, int rc, const char *what) {
    ls_code code = ls_fail_sqlite(err, h, rc, "%s", what);
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
static ls_code set_up(ls_db *db, sqlite3 *h, ls_err *err) {
    sqlite3_extended_result_codes(h, 1);
    sqlite3_busy_timeout(h, (int)(db->opts.busy_timeout / LS_MS));
    sqlite3_wal_autocheckpoint(h, 0);
    int on = 1;
    int rc = sqlite3_file_control(h, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
    return rc == SQLITE_OK || rc == SQLITE_NOTFOUND
               ? LS_OK
               : ls_db_conn_fail(err, h, rc, "keep the log on close");
}

/* A handle's cache takes memory for 20 pages with its first one, unless it is told before anything
 * is opened to take each by itself: R reads one page only. No harm where another part of the
 * process uses SQLite already, and it is too late. */
static void save_memory(void) { (void)sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0); }

ls_code ls_db_conn_open(ls_db *db, sqlite3 **out, ls_err *err) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    sqlite3 *h = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    (void)pthread_once(&once, save_memory);
    int rc = sqlite3_open_v2(db->path, &h, flags, NULL);
    if (rc == SQLITE_OK && sqlite3_db_readonly(h, "main") == 1) {
        rc = SQLITE_READONLY;
    }
    ls_code code =
        rc == SQLITE_OK ? set_up(db, h, err) : ls_db_conn_fail(err, h, rc, "open database");
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

static ls_code open_writer(ls_db *db, sqlite3 **slot, sqlite3 **out, ls_err *err) {
    ls_code code = LS_OK;
    if (*slot == NULL) {
        code = ls_db_conn_open(db, slot, err);
        if (code == LS_OK) {
            code = ls_db_conn_exec(*slot, WRITER_SQL, "set up connection", err);
        }
        if (code != LS_OK) {
            sqlite3_close_v2(*slot);
            *slot = NULL;
        }
    }
    *out = *slot;
    return code;
}

/* schema_version reads page 1 and nothing else: the transaction begins without loading a schema. */
static ls_code begin_and_read(sqlite3 *h, ls_err *err) {
    ls_code code = ls_db_conn_exec(h, "BEGIN", "begin read transaction", err);
    int64_t ignored;
    if (code == LS_OK) {
        code = ls_db_conn_int(h, "PRAGMA schema_version", &ignored, err);
    }
    if (code == LS_OK && !ls_db_read_held(h)) {
        code = ls_fail(err, LS_ESQLITE, "begin read transaction: no transaction is open");
    }
    return code;
}

ls_code ls_db_read_begin(ls_db *db, sqlite3 **slot, ls_err *err) {
    ls_code code = *slot == NULL ? ls_db_conn_open(db, slot, err) : LS_OK;
    if (code == LS_OK) {
        code = begin_and_read(*slot, err);
    }
    if (code != LS_OK) {
        ls_db_read_end(slot);
        return ls_wrap(err, "hold the log");
    }
    return LS_OK;
}

/* ROLLBACK is a statement that takes memory. A lock that outlived it would keep the application
 * from writing, so where it fails the handle is closed, which cannot fail. */
void ls_db_read_end(sqlite3 **slot) {
    if (*slot == NULL || sqlite3_get_autocommit(*slot)) {
        return;
    }
    (void)sqlite3_exec(*slot, "ROLLBACK", NULL, NULL, NULL);
    if (!sqlite3_get_autocommit(*slot)) {
        sqlite3_close_v2(*slot);
        *slot = NULL;
    }
}

/* With R's transaction none of them is the last handle, which SQLite would look after at close. */
void ls_db_close_spare(ls_db *db) {
    if (!db->pinned || db->barrier || !ls_db_read_held(db->r[db->cur])) {
        return;
    }
    sqlite3 **spare[] = {&db->r[1 - db->cur], &db->w, &db->b};
    for (size_t i = 0; i < sizeof(spare) / sizeof(spare[0]); i++) {
        sqlite3_close_v2(*spare[i]);
        *spare[i] = NULL;
    }
}

ls_code ls_db_work_conn(ls_db *db, sqlite3 **out, ls_err *err) {
    return open_writer(db, &db->w, out, err);
}

/* A handle that cannot write stays like that when others could: the next call opens a new one. */
static void drop_readonly(sqlite3 **slot) {
    if ((sqlite3_errcode(*slot) & 0xff) == SQLITE_READONLY) {
        sqlite3_close_v2(*slot);
        *slot = NULL;
    }
}

ls_code ls_db_barrier_begin(ls_db *db, ls_err *err) {
    sqlite3 *b;
    ls_code code = open_writer(db, &db->b, &b, err);
    if (code == LS_OK) {
        code = ls_db_conn_exec(b, "BEGIN IMMEDIATE", "hold writers back", err);
        drop_readonly(&db->b);
    }
    db->barrier = code == LS_OK;
    return code;
}

void ls_db_barrier_end(ls_db *db) {
    if (db->barrier) {
        ls_db_read_end(&db->b);
        db->barrier = false;
    }
}

ls_code ls_db_seq_bump(ls_db *db, ls_err *err) {
    sqlite3 *w;
    ls_code code = ls_db_work_conn(db, &w, err);
    if (code != LS_OK) {
        return code;
    }
    code = ls_db_conn_exec(w,
                           "INSERT INTO _litestream_seq (id, seq) VALUES (1, 1) "
                           "ON CONFLICT (id) DO UPDATE SET seq = seq + 1",
                           "bump litestream seq", err);
    drop_readonly(&db->w);
    return code;
}
