/*
 * Sorted listings of a level from a store that lists in no order.
 *
 * The iterator keeps a window of the smallest names behind the last one it gave, and has the store
 * list the level again for the next window: memory is a constant, and one pass serves every level
 * of up to LS_WINDOW files. Used by the stores alone.
 */
#ifndef LS_BACKENDS_WINDOW_H
#define LS_BACKENDS_WINDOW_H

#include "backends/storage.h"

/* Files kept when a window is full; twice as many are collected before the larger half goes. */
#ifndef LS_WINDOW
#define LS_WINDOW 65536
#endif

typedef struct ls_window ls_window;

/* How a store lists one level. The store embeds it at the start of what it needs. */
typedef struct ls_window_source ls_window_source;
struct ls_window_source {
    int level;
    /* Calls ls_window_add for every file of the level, in any order. A level that does not exist
     * is empty. */
    ls_code (*scan)(ls_window_source *src, ls_window *w, ls_err *err);
    /* Size and time of a file when it is given out, where scan does not know them; LS_ENOTFOUND:
     * it is gone and passed over. NULL: scan knows. */
    ls_code (*look)(ls_window_source *src, ls_ltx_info *file, ls_err *err);
    void (*free)(ls_window_source *src);
};

/* One file by its name without folder; what is no LTX name is passed over. */
LS_MUST ls_code ls_window_add(ls_window *w, const char *name, uint64_t size, int64_t created_ms,
                              ls_err *err);

/* An iterator of what src lists with MinTXID >= seek. Takes src over, also if it fails. */
LS_MUST ls_code ls_window_list(ls_window_source *src, ls_txid seek, ls_storage_iter **it,
                               ls_err *err);

#endif
