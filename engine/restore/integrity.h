/*
 * SQLite's own check of a database file that nobody has open. Used by restore.c.
 */
#ifndef LS_RESTORE_INTEGRITY_H
#define LS_RESTORE_INTEGRITY_H

#include "engine/restore/restore.h"

/* PRAGMA quick_check or integrity_check; leaves no file beside path. LS_ECORRUPT "integrity check
 * failed: <first row>". */
LS_MUST ls_code ls_integrity_check(const char *path, ls_integrity mode, const ls_cancel *cancel,
                                   ls_err *err);

#endif
