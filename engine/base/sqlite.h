/*
 * SQLite's results as errors of this library. Not installed: nothing of SQLite is in the interface.
 */
#ifndef LS_BASE_SQLITE_H
#define LS_BASE_SQLITE_H

#include "engine/base/error.h"

#include <sqlite3.h>

/* "<text>: <SQLite's message> (<rc>)" with the code that fits rc, which is not SQLITE_OK: LS_EBUSY,
 * LS_ENOMEM, LS_EFULL, LS_ENOTDB, LS_ECORRUPT, LS_EPERM, LS_EIO, else LS_ESQLITE. h is the handle
 * that the call failed on; NULL for a call of the file layer, of which errno alone is known. A
 * file that its mode lets be written and SQLite could open for reading only is LS_EIO. */
ls_code ls_fail_sqlite(ls_err *err, sqlite3 *h, int rc, const char *fmt, ...) LS_PRINTF(4, 5);

#endif
