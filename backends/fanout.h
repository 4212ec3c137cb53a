/*
 * Small requests for many files, several at a time, for services that take one file a request. For
 * the stores alone.
 */
#ifndef LS_BACKENDS_FANOUT_H
#define LS_BACKENDS_FANOUT_H

#include "backends/storage.h"

#define LS_FANOUT_MAX 16

/* Calls fn with each number from 0 to n - 1, from at most at_once (up to LS_FANOUT_MAX) threads.
 * The first error ends it and is what it returns; what is under way then is waited for. */
LS_MUST ls_code ls_fanout(size_t n, size_t at_once, ls_code (*fn)(void *arg, size_t i, ls_err *err),
                          void *arg, ls_err *err);

/* Deletes files, each by a call of remove. */
LS_MUST ls_code ls_fanout_remove(ls_storage *s, const ls_ltx_info *files, size_t n,
                                 ls_code (*remove)(ls_storage *s, const ls_ltx_info *file,
                                                   ls_err *err),
                                 ls_err *err);

#endif
