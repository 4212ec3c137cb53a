/* What a store holds and where it leads; see listing.h. */
#include "t/support/listing.h"

#include <stdlib.h>
#include <string.h>

static ls_code add(listing *l, const ls_ltx_info *file, ls_err *err) {
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 256 : 2 * l->cap;
        ls_ltx_info *files = realloc(l->files, cap * sizeof *files);
        if (files == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for a listing");
        }
        l->files = files;
        l->cap = cap;
    }
    l->files[l->n++] = *file;
    ls_txid *newest = &l->newest[file->level];
    *newest = file->max_txid > *newest ? file->max_txid : *newest;
    if (file->level == LS_LTX_LEVEL_SNAPSHOT &&
        (l->oldest_snapshot == 0 || file->max_txid < l->oldest_snapshot)) {
        l->oldest_snapshot = file->max_txid;
    }
    return LS_OK;
}

static ls_code add_level(listing *l, ls_storage *s, int level, ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_code rc = ls_storage_list(s, level, 0, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info file;
        rc = ls_storage_iter_next(it, &file, &end, err);
        if (rc == LS_OK && !end) {
            rc = add(l, &file, err);
        }
    }
    ls_storage_iter_free(it);
    return rc;
}

static int by_end(const void *a, const void *b) {
    const ls_ltx_info *x = a;
    const ls_ltx_info *y = b;
    return (x->max_txid > y->max_txid) - (x->max_txid < y->max_txid);
}

/* Is one of the TXIDs from..to reached? */
static bool reaches_any(const listing *l, ls_txid from, ls_txid to) {
    size_t low = 0;
    size_t high = l->reached_n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (l->reached[mid] < from) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < l->reached_n && l->reached[low] <= to;
}

bool listing_reaches(const listing *l, ls_txid txid) { return reaches_any(l, txid, txid); }

/* In order of MaxTXID each file needs only what was seen before it. */
static ls_code follow(listing *l, ls_err *err) {
    ls_ltx_info *files = malloc((l->n + 1) * sizeof *files);
    l->reached = malloc((l->n + 1) * sizeof *l->reached);
    if (files == NULL || l->reached == NULL) {
        free(files);
        return ls_fail(err, LS_ENOMEM, "no memory for a listing");
    }
    if (l->n > 0) {
        memcpy(files, l->files, l->n * sizeof *files);
        qsort(files, l->n, sizeof *files, by_end);
    }
    for (size_t i = 0; i < l->n; i++) {
        const ls_ltx_info *f = &files[i];
        if (!listing_reaches(l, f->max_txid) &&
            (f->min_txid == 1 || reaches_any(l, f->min_txid - 1, f->max_txid - 1))) {
            l->reached[l->reached_n++] = f->max_txid;
        }
    }
    free(files);
    return LS_OK;
}

ls_code listing_read(listing *l, ls_storage *s, ls_err *err) {
    *l = (listing){0};
    ls_code rc = LS_OK;
    for (int level = 0; rc == LS_OK && level <= LS_LTX_LEVEL_MAX; level++) {
        rc = add_level(l, s, level, err);
    }
    return rc == LS_OK ? follow(l, err) : rc;
}

void listing_done(listing *l) {
    free(l->files);
    free(l->reached);
    *l = (listing){0};
}

bool listing_has(const listing *l, const ls_ltx_info *file) {
    return l->n > 0 && bsearch(file, l->files, l->n, sizeof *file, ls_ltx_info_cmp) != NULL;
}

ls_txid listing_newest(const listing *l) {
    ls_txid max = 0;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        max = l->newest[level] > max ? l->newest[level] : max;
    }
    return max;
}

size_t listing_count(const listing *l, int level) {
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        n += l->files[i].level == level;
    }
    return n;
}

ls_txid listing_unreached(const listing *l, int level) {
    for (size_t i = 0; i < l->n; i++) {
        if (l->files[i].level == level && !listing_reaches(l, l->files[i].max_txid)) {
            return l->files[i].max_txid;
        }
    }
    return 0;
}

ls_txid listing_broken_promise(const listing *l) {
    for (size_t i = 0; i < l->n; i++) {
        const ls_ltx_info *f = &l->files[i];
        if (f->max_txid >= l->oldest_snapshot && !listing_reaches(l, f->max_txid)) {
            return f->max_txid;
        }
    }
    return 0;
}
