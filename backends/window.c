/* Sorted listings from unsorted ones; see window.h. */
#include "backends/window.h"

#include <stdlib.h>

#define WINDOW ((size_t)LS_WINDOW)
#define FIRST_CAP 256

struct ls_window {
    ls_storage_iter base;
    ls_window_source *src;
    ls_ltx_info *files;
    size_t n, cap, pos;
    ls_ltx_info after; /* files up to this one were given out or lie before seek */
    ls_ltx_info bound; /* where the window was cut */
    bool cut;          /* files behind bound exist */
    bool started;      /* the level was listed at least once */
};

static int file_cmp(const void *a, const void *b) {
    const ls_ltx_info *x = a;
    const ls_ltx_info *y = b;
    if (x->min_txid != y->min_txid) {
        return x->min_txid < y->min_txid ? -1 : 1;
    }
    return x->max_txid != y->max_txid ? (x->max_txid < y->max_txid ? -1 : 1) : 0;
}

static void sort_window(ls_window *w) {
    if (w->n > 1) { /* qsort must not be given a NULL array */
        qsort(w->files, w->n, sizeof *w->files, file_cmp);
    }
}

static void cut_window(ls_window *w) {
    sort_window(w);
    w->n = WINDOW;
    w->bound = w->files[w->n - 1];
    w->cut = true;
}

static ls_code grow(ls_window *w, ls_err *err) {
    size_t cap = w->cap == 0 ? FIRST_CAP : 2 * w->cap;
    ls_ltx_info *files = realloc(w->files, cap * sizeof *files);
    if (files == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to list level %d", w->src->level);
    }
    w->files = files;
    w->cap = cap;
    return LS_OK;
}

ls_code ls_window_add(ls_window *w, const char *name, uint64_t size, int64_t created_ms,
                      ls_err *err) {
    ls_ltx_info file = {.level = w->src->level, .size = size, .created_ms = created_ms};
    if (!ls_ltx_name_parse(name, &file.min_txid, &file.max_txid) ||
        file_cmp(&file, &w->after) <= 0) {
        return LS_OK;
    }
    if (w->n == 2 * WINDOW) {
        cut_window(w);
    }
    if (w->cut && file_cmp(&file, &w->bound) > 0) {
        return LS_OK;
    }
    ls_code code = w->n == w->cap ? grow(w, err) : LS_OK;
    if (code == LS_OK) {
        w->files[w->n++] = file;
    }
    return code;
}

/* A store may tell of a file twice, for example while it is replaced. */
static void drop_doubles(ls_window *w) {
    size_t kept = w->n > 0 ? 1 : 0;
    for (size_t i = 1; i < w->n; i++) {
        if (file_cmp(&w->files[i], &w->files[kept - 1]) != 0) {
            w->files[kept++] = w->files[i];
        }
    }
    w->n = kept;
}

/* Fills the window with the smallest files behind w->after. */
static ls_code fill(ls_window *w, ls_err *err) {
    w->n = w->pos = 0;
    w->cut = false;
    w->started = true;
    ls_code code = w->src->scan(w->src, w, err);
    if (w->n > WINDOW) {
        cut_window(w);
    } else {
        sort_window(w);
    }
    drop_doubles(w);
    return code;
}

static ls_code window_next(ls_storage_iter *it, ls_ltx_info *file, bool *end, ls_err *err) {
    ls_window *w = (ls_window *)it;
    for (;;) {
        if (!w->started || (w->pos == w->n && w->cut)) {
            ls_code code = fill(w, err);
            if (code != LS_OK) {
                w->started = false;
                return code;
            }
        }
        if (w->pos == w->n) {
            *end = true;
            return LS_OK;
        }
        w->after = w->files[w->pos++];
        *file = w->after;
        ls_code code = w->src->look != NULL ? w->src->look(w->src, file, err) : LS_OK;
        if (code != LS_ENOTFOUND) {
            return code;
        }
        ls_err_clear(err);
    }
}

static void window_free(ls_storage_iter *it) {
    ls_window *w = (ls_window *)it;
    w->src->free(w->src);
    free(w->files);
    free(w);
}

ls_code ls_window_list(ls_window_source *src, ls_txid seek, ls_storage_iter **it, ls_err *err) {
    ls_window *w = calloc(1, sizeof *w);
    if (w == NULL) {
        ls_code code = ls_fail(err, LS_ENOMEM, "no memory to list level %d", src->level);
        src->free(src);
        return code;
    }
    w->base = (ls_storage_iter){.next = window_next, .free = window_free};
    w->src = src;
    if (seek > 0) {
        w->after = (ls_ltx_info){.min_txid = seek - 1, .max_txid = UINT64_MAX};
    }
    *it = &w->base;
    return LS_OK;
}
