/* Versions: the package's and that of the SQLite that is linked. */
#include "engine/litestream.h"

#include <sqlite3.h>

/* First release without the WAL-reset defect (spec: users 1.1, #1432). */
#define SQLITE_WAL_RESET_FIXED 3051003

const char *ls_version(void) { return PACKAGE_VERSION; }

const char *ls_sqlite_version(void) { return sqlite3_libversion(); }

bool ls_sqlite_has_wal_reset_bug(void) {
    return sqlite3_libversion_number() < SQLITE_WAL_RESET_FIXED;
}
