/*
 * Applies an ls_perm to what is open. Used by the files of engine/base alone.
 */
#ifndef LS_BASE_PERM_H
#define LS_BASE_PERM_H

#include "engine/base/file.h"

/* Owner as far as allowed, then exactly mode, whatever the umask. path is for the error. */
LS_MUST ls_code ls_perm_apply(int fd, const ls_perm *perm, mode_t mode, const char *path,
                              ls_err *err);

#endif
