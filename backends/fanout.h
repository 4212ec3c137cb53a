/*
 * Small requests for many files at once, for services that take one file a request: at most
 * LS_FANOUT of them are under way. For the stores alone.
 */
#ifndef LS_BACKENDS_FANOUT_H
#define LS_BACKENDS_FANOUT_H

#include "backends/storage.h"

#define LS_FANOUT 8

/* Calls fn for each file, from several threads. The first error ends it and is what it returns;
 * what is under way then is waited for. */
LS_MUST ls_code ls_fanout(ls_storage *s, const ls_ltx_info *files, size_t n,
                          ls_code (*fn)(ls_storage *s, const ls_ltx_info *file, ls_err *err),
                          ls_err *err);

#endif
