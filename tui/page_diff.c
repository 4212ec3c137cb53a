/* Cells of two versions of a page, compared in order of their keys: see page_diff.h. */
#include "tui/page_diff.h"

#include <stdlib.h>

typedef struct keyed_cell {
    uint64_t key, bytes; /* rowid, or a hash of the bytes; the hash */
} keyed_cell;

static uint64_t hash_of(const uint8_t *data, uint32_t len) {
    uint64_t h = 0xcbf29ce484222325u;
    for (uint32_t i = 0; i < len; i++) {
        h = (h ^ data[i]) * 0x100000001b3u;
    }
    return h;
}

static int by_key(const void *a, const void *b) {
    const keyed_cell *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

/* Cells that do not lie within the page are left out. */
static keyed_cell *cells_of(const btree_page *p, size_t *n) {
    keyed_cell *all = calloc((size_t)p->cells + 1, sizeof(*all));
    *n = 0;
    for (uint32_t i = 0; all != NULL && i < p->cells; i++) {
        btree_cell c;
        if (btree_cell_read(p, i, &c)) {
            uint64_t bytes = hash_of(p->data + c.offset, c.size);
            all[*n].key = c.has_rowid ? (uint64_t)c.rowid : bytes;
            all[(*n)++].bytes = bytes;
        }
    }
    if (all != NULL) {
        qsort(all, *n, sizeof(*all), by_key);
    }
    return all;
}

static void compare(const keyed_cell *now, size_t n, const keyed_cell *before, size_t m,
                    page_diff *d) {
    size_t i = 0, k = 0;
    while (i < n || k < m) {
        if (k == m || (i < n && now[i].key < before[k].key)) {
            d->added++;
            i++;
        } else if (i == n || before[k].key < now[i].key) {
            d->gone++;
            k++;
        } else {
            d->changed += now[i++].bytes != before[k++].bytes;
        }
    }
}

page_diff page_diff_of(const btree_page *now, const btree_page *before) {
    page_diff d = {0};
    if (!btree_is_tree(now) || now->kind != before->kind) {
        return d;
    }
    size_t n, m;
    keyed_cell *a = cells_of(now, &n), *b = cells_of(before, &m);
    if (a != NULL && b != NULL) {
        d.known = true;
        compare(a, n, b, m, &d);
    }
    free(a);
    free(b);
    return d;
}
