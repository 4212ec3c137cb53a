/* Lists and windows of the newest frames; see pagelist.h. */
#include "engine/wal/pagelist.h"

#include <stdlib.h>
#include <string.h>

#define LIST_FIRST 64

void ls_wal_list_init(ls_wal_list *list, size_t max) {
    memset(list, 0, sizeof(*list));
    list->max = max;
}

void ls_wal_list_done(ls_wal_list *list) {
    free(list->entries);
    list->entries = NULL;
    list->n = list->cap = list->committed = 0;
}

static int by_page_then_frame(const void *va, const void *vb) {
    const ls_wal_entry *a = va, *b = vb;
    if (a->pgno != b->pgno) {
        return a->pgno < b->pgno ? -1 : 1;
    }
    return a->frame < b->frame ? -1 : a->frame > b->frame;
}

/* Sorts the committed entries and drops the superseded ones; what follows them moves up. */
static void compact(ls_wal_list *list) {
    if (list->committed == 0) {
        return;
    }
    ls_wal_entry *e = list->entries;
    qsort(e, list->committed, sizeof(*e), by_page_then_frame);
    size_t kept = 0;
    for (size_t i = 0; i < list->committed; i++) {
        if (i + 1 == list->committed || e[i + 1].pgno != e[i].pgno) {
            e[kept++] = e[i];
        }
    }
    size_t open = list->n - list->committed;
    memmove(e + kept, e + list->committed, open * sizeof(*e));
    list->committed = kept;
    list->n = kept + open;
}

static ls_code grow(ls_wal_list *list, ls_err *err) {
    size_t cap = list->cap == 0 ? LIST_FIRST : list->cap * 2;
    if (cap > list->max) {
        cap = list->max;
    }
    ls_wal_entry *grown = realloc(list->entries, cap * sizeof(*grown));
    if (grown == NULL) {
        return ls_fail(err, LS_ENOMEM, "write-ahead log: no memory for a list of %zu frames", cap);
    }
    list->entries = grown;
    list->cap = cap;
    return LS_OK;
}

/* A quarter must come free, or the list would be sorted again every few frames. */
static void make_room(ls_wal_list *list) {
    compact(list);
    if (list->n >= list->max - list->max / 4) {
        list->lost = true;
        list->n = list->committed;
    }
}

ls_code ls_wal_list_add(ls_wal_list *list, const ls_wal_entry *e, ls_err *err) {
    if (list->lost) {
        return LS_OK;
    }
    if (list->n == list->cap && list->cap < list->max) {
        ls_code code = grow(list, err);
        if (code != LS_OK) {
            return code;
        }
    } else if (list->n == list->cap) {
        make_room(list);
        if (list->lost) {
            return LS_OK;
        }
    }
    list->entries[list->n++] = *e;
    return LS_OK;
}

bool ls_wal_list_commit(ls_wal_list *list) {
    if (list->lost) {
        return false;
    }
    list->committed = list->n;
    return true;
}

void ls_wal_list_finish(ls_wal_list *list) {
    list->n = list->committed;
    compact(list);
}

const ls_wal_entry *ls_wal_list_at(const ls_wal_list *list, uint64_t pgno) {
    size_t lo = 0, hi = list->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (list->entries[mid].pgno < pgno) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < list->n ? &list->entries[lo] : NULL;
}

void ls_wal_window_init(ls_wal_window *w, uint32_t pages) {
    memset(w, 0, sizeof(*w));
    w->pages = pages;
}

void ls_wal_window_done(ls_wal_window *w) {
    free(w->slots);
    w->slots = NULL;
    w->loaded = false;
}

void ls_wal_window_touch(ls_wal_window *w, uint32_t pgno) {
    uint32_t bit = (pgno - 1) / w->pages % LS_WAL_WINDOW_BITS;
    w->touched[bit / 8] |= (uint8_t)(1U << bit % 8);
    if (pgno > w->max_pgno) {
        w->max_pgno = pgno;
    }
}

bool ls_wal_window_touched(const ls_wal_window *w, uint64_t index) {
    uint64_t bit = index % LS_WAL_WINDOW_BITS;
    return (w->touched[bit / 8] >> bit % 8 & 1) != 0;
}

ls_code ls_wal_window_begin(ls_wal_window *w, uint64_t index, ls_err *err) {
    size_t size = w->pages * sizeof(*w->slots);
    if (w->slots == NULL) {
        w->slots = malloc(size);
    }
    if (w->slots == NULL) {
        return ls_fail(err, LS_ENOMEM, "write-ahead log: no memory for a window of %u pages",
                       (unsigned)w->pages);
    }
    memset(w->slots, 0, size);
    w->index = index;
    w->loaded = false;
    return LS_OK;
}

void ls_wal_window_put(ls_wal_window *w, const ls_wal_entry *e) {
    if ((e->pgno - 1) / w->pages == w->index) {
        w->slots[(e->pgno - 1) % w->pages] = *e;
    }
}

const ls_wal_entry *ls_wal_window_at(const ls_wal_window *w, uint64_t pgno) {
    uint64_t first = w->index * w->pages + 1;
    uint64_t i = pgno > first ? pgno - first : 0;
    for (; i < w->pages; i++) {
        if (w->slots[i].pgno != 0) {
            return &w->slots[i];
        }
    }
    return NULL;
}
