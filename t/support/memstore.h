/*
 * A store in memory, for tests that make many of them: it passes the suite of t/backends and may be
 * used from several threads.
 */
#ifndef LS_T_MEMSTORE_H
#define LS_T_MEMSTORE_H

#include "backends/storage.h"

/* An empty store; without copies it cannot copy files itself. NULL without memory. */
ls_storage *memstore_new(bool copies);

/* Another store of the same kind with the same files; their bytes are shared. */
ls_storage *memstore_clone(ls_storage *s);

/* Files and bytes of a level. */
size_t memstore_count(ls_storage *s, int level, uint64_t *bytes);

#endif
