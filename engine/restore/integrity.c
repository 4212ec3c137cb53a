/* SQLite's check of a restored file; see integrity.h. */
#include "engine/restore/integrity.h"

#include "engine/base/buf.h"
#include "engine/base/sqlite.h"

#include <sqlite3.h>

#include <stdlib.h>
#include <string.h>

#define URI_MAX (64u << 10)
/* Steps of SQLite's machine between two looks at the cancel token. */
#define STEPS 10000

/* "file:<path>?immutable=1": such a database is read without locks and without a log, so that one
 * whose header says WAL gets no -wal and -shm. */
static ls_code make_uri(ls_buf *uri, const char *path, ls_err *err) {
    char *absolute = ls_path_absolute(path);
    if (absolute == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to check %s", path);
    }
    ls_code code = ls_buf_addf(uri, err, "file:");
    for (const char *p = absolute; *p != '\0' && code == LS_OK; p++) {
        code = strchr("%?#", *p) != NULL ? ls_buf_addf(uri, err, "%%%02X", (unsigned)*p)
                                         : ls_buf_add(uri, p, 1, err);
    }
    free(absolute);
    return code == LS_OK ? ls_buf_addf(uri, err, "?immutable=1") : code;
}

static int stop_asked(void *cancel) { return ls_canceled(cancel); }

static ls_code sqlite_failed(sqlite3 *db, int rc, const char *path, const ls_cancel *cancel,
                             ls_err *err) {
    if (rc == SQLITE_INTERRUPT && ls_canceled(cancel)) {
        return ls_fail(err, LS_ECANCELED, "canceled");
    }
    if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB) {
        return ls_fail(err, LS_ECORRUPT, "integrity check failed: %s", sqlite3_errmsg(db));
    }
    return ls_fail_sqlite(err, db, rc, "%s", path);
}

static ls_code run_check(sqlite3 *db, const char *path, ls_integrity mode, const ls_cancel *cancel,
                         ls_err *err) {
    sqlite3_stmt *stmt = NULL;
    const char *sql =
        mode == LS_INTEGRITY_QUICK ? "PRAGMA quick_check(1)" : "PRAGMA integrity_check(1)";
    int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    ls_code code = LS_OK;
    if (rc != SQLITE_ROW) {
        code = sqlite_failed(db, rc == SQLITE_DONE ? SQLITE_CORRUPT : rc, path, cancel, err);
    } else {
        const char *row = (const char *)sqlite3_column_text(stmt, 0);
        if (row == NULL || strcmp(row, "ok") != 0) {
            code = ls_fail(err, LS_ECORRUPT, "integrity check failed: %s",
                           row != NULL ? row : "no result");
        }
    }
    (void)sqlite3_finalize(stmt);
    return code;
}

ls_code ls_integrity_check(const char *path, ls_integrity mode, const ls_cancel *cancel,
                           ls_err *err) {
    ls_buf uri;
    ls_buf_init(&uri, URI_MAX);
    ls_code code = make_uri(&uri, path, err);
    sqlite3 *db = NULL;
    if (code == LS_OK) {
        int rc =
            sqlite3_open_v2(ls_buf_str(&uri), &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, NULL);
        if (rc != SQLITE_OK) {
            code = sqlite_failed(db, rc, path, cancel, err);
        }
    }
    ls_buf_done(&uri);
    if (code == LS_OK) {
        sqlite3_progress_handler(db, STEPS, stop_asked, (void *)(uintptr_t)cancel);
        code = run_check(db, path, mode, cancel, err);
    }
    (void)sqlite3_close(db);
    return code;
}
