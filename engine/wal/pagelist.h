/*
 * Internal to engine/wal: which frame holds the newest version of a page, in bounded memory.
 *
 * ls_wal_list: frames in log order while the log is scanned, at most `max` of them. The first
 * `committed` belong to committed transactions, the others stand or fall together with the next
 * commit. Full, it first drops superseded committed frames; if that gains too little it is `lost`:
 * frames of the open transaction are no longer recorded. finish() sorts by page number and keeps
 * the newest frame of each.
 *
 * ls_wal_window: the same for `pages` page numbers from `first` on, one slot each, filled by a pass
 * over the frame headers.
 */
#ifndef LS_WAL_PAGELIST_H
#define LS_WAL_PAGELIST_H

#include "engine/base/error.h"

#include <stdint.h>

typedef struct ls_wal_entry {
    uint32_t pgno;     /* 0 in an empty slot of a window */
    uint32_t frame;    /* counted from the first frame of the range */
    uint32_t ck1, ck2; /* the frame's own */
} ls_wal_entry;

typedef struct ls_wal_list {
    ls_wal_entry *entries;
    size_t n, cap, max, committed;
    bool lost;
} ls_wal_list;

void ls_wal_list_init(ls_wal_list *list, size_t max);
void ls_wal_list_done(ls_wal_list *list);

/* Appends a frame of the open transaction. A list that is full becomes lost: that is no error. */
LS_MUST ls_code ls_wal_list_add(ls_wal_list *list, const ls_wal_entry *e, ls_err *err);

/* The open transaction is committed. False if the list is lost: it does not hold all of it. */
bool ls_wal_list_commit(ls_wal_list *list);

/* Drops the open transaction, sorts, keeps the newest frame of each page. */
void ls_wal_list_finish(ls_wal_list *list);

/* The entry with the lowest page number >= pgno of a finished list; NULL if there is none. */
const ls_wal_entry *ls_wal_list_at(const ls_wal_list *list, uint64_t pgno);

/* One bit for each window of page numbers, so that windows without pages cost no pass. Windows that
 * are a multiple of the number of bits apart share one, which costs a pass and no more. */
#define LS_WAL_WINDOW_BITS 16384

typedef struct ls_wal_window {
    ls_wal_entry *slots;
    uint32_t pages;
    uint64_t index; /* of the window in the slots: page numbers from index * pages + 1 on */
    bool loaded;
    uint32_t max_pgno;
    uint8_t touched[LS_WAL_WINDOW_BITS / 8];
} ls_wal_window;

void ls_wal_window_init(ls_wal_window *w, uint32_t pages);
void ls_wal_window_done(ls_wal_window *w);

/* Notes that the range has a frame of pgno. */
void ls_wal_window_touch(ls_wal_window *w, uint32_t pgno);

/* May the window of that index hold a page? */
bool ls_wal_window_touched(const ls_wal_window *w, uint64_t index);

/* Empties the slots for the window of that index. */
LS_MUST ls_code ls_wal_window_begin(ls_wal_window *w, uint64_t index, ls_err *err);

/* Records a frame if its page is in the window; a later one replaces an earlier one. */
void ls_wal_window_put(ls_wal_window *w, const ls_wal_entry *e);

/* As ls_wal_list_at, within the loaded window. */
const ls_wal_entry *ls_wal_window_at(const ls_wal_window *w, uint64_t pgno);

#endif
