/*
 * Throwing away the local state of a database, so that the next sync begins with a full copy. The
 * database and its replica are not touched. Only while nothing replicates it: a daemon must have
 * stopped it.
 */
#ifndef LS_DB_RESET_H
#define LS_DB_RESET_H

#include "engine/base/error.h"

#include <stdint.h>

/* Tells each local LTX file that a reset would remove, level by level, in order of names; fn may be
 * NULL. *files and *bytes count them. Without a meta directory there are none. */
LS_MUST ls_code ls_db_reset_preview(const char *meta_path, void (*fn)(void *arg, const char *path),
                                    void *arg, size_t *files, uint64_t *bytes, ls_err *err);

/* Removes them; *files counts them. */
LS_MUST ls_code ls_db_reset(const char *meta_path, size_t *files, ls_err *err);

#endif
