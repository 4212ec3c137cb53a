/*
 * SQLite's results as errors of this library; see sqlite.h.
 *
 * SQLite tells of a full disk or of too many open files as of any system call that failed. Only
 * errno, which it keeps, leads to a hint that helps; where it has no errno of its own it may keep
 * an older one, so that only those count which cannot come from anything harmless.
 */
#include "engine/base/sqlite.h"

#include <errno.h>

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

ls_code ls_fail_sqlite(ls_err *err, sqlite3 *h, int rc, const char *what) {
    const char *text = h != NULL ? sqlite3_errmsg(h) : sqlite3_errstr(rc);
    ls_code code = code_of(rc);
    int errnum = h != NULL ? sqlite3_system_errno(h) : 0;
    bool call = (rc & 0xff) == SQLITE_IOERR || (rc & 0xff) == SQLITE_CANTOPEN;
    if (call && code != LS_ENOMEM && says_more(errnum)) {
        return ls_fail_errno(err, errnum, "%s: %s (%d)", what, text, rc);
    }
    return ls_fail(err, code, "%s: %s (%d)", what, text, rc);
}
