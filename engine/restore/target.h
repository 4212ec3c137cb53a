/*
 * Where a restored database goes: checks before the work, the file while it is made, and the
 * replacement of what was there. Used by restore.c.
 */
#ifndef LS_RESTORE_TARGET_H
#define LS_RESTORE_TARGET_H

#include "engine/base/file.h"

typedef struct ls_target {
    char *path; /* links followed, as SQLite does */
    bool force;
    bool existed; /* a file is there that will be replaced, with this mode and owner: */
    struct stat st;
    ls_atomic out;
} ls_target;

/* Looks at output and refuses what must not be overwritten; touches nothing. To be ended by
 * ls_target_done whatever is returned. */
LS_MUST ls_code ls_target_check(ls_target *t, const char *output, bool force, ls_err *err);

/* Makes missing parents and opens t->out. */
LS_MUST ls_code ls_target_begin(ls_target *t, ls_err *err);

/* Makes the file durable, removes stale -wal, -shm and -journal, renames. */
LS_MUST ls_code ls_target_commit(ls_target *t, ls_err *err);

/* Removes what was not committed, frees. */
void ls_target_done(ls_target *t);

#endif
