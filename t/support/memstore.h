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

/* Marks: a store has one. It is seen and changed through s as if s were with, which must outlive
 * that. */
void memstore_share_mark(ls_storage *s, ls_storage *with);

/* Called before and after what is done with the mark through s: an error before means that nothing
 * was done, one after that the answer got lost. */
typedef ls_code (*memstore_mark_hook)(void *arg, bool put, bool before, ls_err *err);
void memstore_hook_mark(ls_storage *s, memstore_mark_hook hook, void *arg);

/* Writes it, or with "" takes it away, whatever it was. */
void memstore_set_mark(ls_storage *s, const char *text);

#endif
