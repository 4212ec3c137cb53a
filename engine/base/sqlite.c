/*
 * SQLite's results as errors of this library; see sqlite.h.
 *
 * SQLite tells of a full disk or of too many open files as of any system call that failed. Only
 * errno, which it keeps, leads to a hint that helps; where it has no errno of its own it may keep
 * an older one, so that only those count which cannot come from anything harmless.
 */
#include "engine/base/sqlite.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static bool says_more(int errnum) {
    return errnum == ENOSPC || errnum == EDQUOT || errnum == EMFILE || errnum == ENFILE ||
           errnum == ENOMEM || errnum == EIO;
}

static ls_code code_of(int rc) {
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
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
    case SQLITE_IOERR:
        return rc == SQLITE_IOERR_NOMEM ? LS_ENOMEM : LS_EIO;
    default:
        return LS_ESQLITE;
    }
}

/* May database and log be written, as far as their modes say? */
static bool may_write(sqlite3 *h) {
    const char *path = sqlite3_db_filename(h, "main");
    const char *wal = path != NULL ? sqlite3_filename_wal(path) : NULL;
    return wal != NULL && access(path, W_OK) == 0 && (access(wal, W_OK) == 0 || errno == ENOENT);
}

/* SQLite opens for reading what it cannot open for writing, whatever kept it from that. */
static ls_code fail_readonly(ls_err *err, const char *what) {
    ls_fail(err, LS_EIO, "%s: SQLite could open the database or its log for reading only", what);
    return ls_hint(err, "their modes allow more: is the disk full, or are too many files open "
                        "(ulimit -n)?");
}

static ls_code fail(ls_err *err, sqlite3 *h, int rc, int errnum, const char *what) {
    if ((rc & 0xff) == SQLITE_READONLY && h != NULL && may_write(h)) {
        return fail_readonly(err, what);
    }
    bool told = h != NULL && (sqlite3_errcode(h) & 0xff) == (rc & 0xff);
    const char *text = told ? sqlite3_errmsg(h) : sqlite3_errstr(rc);
    ls_code code = code_of(rc);
    bool call = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
    if (call && code != LS_ENOMEM && says_more(errnum)) {
        return ls_fail_errno(err, errnum, "%s: %s (%d)", what, text, rc);
    }
    return ls_fail(err, code, "%s: %s (%d)", what, text, rc);
}

ls_code ls_fail_sqlite(ls_err *err, sqlite3 *h, int rc, const char *fmt, ...) {
    int errnum = h != NULL ? sqlite3_system_errno(h) : errno;
    char what[512]; /* longer ones are cut, as an error's message would be */
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return fail(err, h, rc, errnum, what);
}
