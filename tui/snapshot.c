/* Snapshots. Restore points come from the library, which asks a store for its listing: it is given
 * one that has nothing but the snapshot's. */
#include "tui/snapshot.h"

#include "tui/grow.h"

#include <stdlib.h>
#include <string.h>

snapshot *snapshot_new(void) {
    snapshot *s = calloc(1, sizeof(*s));
    if (s != NULL) {
        atomic_init(&s->refs, 1);
    }
    return s;
}

snapshot *snapshot_ref(snapshot *s) {
    atomic_fetch_add(&s->refs, 1);
    return s;
}

void snapshot_unref(snapshot *s) {
    if (s == NULL || atomic_fetch_sub(&s->refs, 1) > 1) {
        return;
    }
    for (size_t i = 0; s->paths != NULL && i < s->n; i++) {
        free(s->paths[i]);
    }
    free(s->paths);
    free(s->files);
    free(s->points);
    ls_points_done(&s->windows);
    free(s);
}

static ls_code add_path(snapshot *s, const char *path, size_t old_cap, ls_err *err) {
    if (s->paths == NULL || old_cap != s->cap) {
        char **paths = realloc(s->paths, s->cap * sizeof(*paths));
        if (paths == NULL) {
            return ls_fail(err, LS_ENOMEM, "%zu files", s->cap);
        }
        s->paths = paths;
    }
    s->paths[s->n] = strdup(path);
    return s->paths[s->n] != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "%zu files", s->cap);
}

ls_code snapshot_add(snapshot *s, const ls_ltx_info *file, const char *path, ls_err *err) {
    size_t old_cap = s->cap;
    ls_code rc =
        grow((void **)&s->files, s->n, &s->cap, sizeof(*s->files), SNAPSHOT_MAX_FILES, err);
    if (rc == LS_OK && path != NULL) {
        rc = add_path(s, path, old_cap, err);
    }
    if (rc == LS_OK) {
        s->files[s->n++] = *file;
        s->bytes += file->size;
    }
    return rc;
}

/* ---- a store that is only a listing ---- */

typedef struct listing_store {
    ls_storage base;
    const snapshot *snap;
} listing_store;

typedef struct listing_iter {
    ls_storage_iter base;
    const ls_ltx_info *at, *end;
} listing_iter;

static ls_code iter_next(ls_storage_iter *base, ls_ltx_info *file, bool *end, ls_err *err) {
    (void)err;
    listing_iter *it = (listing_iter *)base;
    *end = it->at == it->end;
    if (!*end) {
        *file = *it->at++;
    }
    return LS_OK;
}

static void iter_free(ls_storage_iter *it) { free(it); }

static ls_code store_list(ls_storage *base, int level, ls_txid seek, ls_storage_iter **out,
                          ls_err *err) {
    const snapshot *s = ((listing_store *)base)->snap;
    listing_iter *it = calloc(1, sizeof(*it));
    if (it == NULL) {
        return ls_fail(err, LS_ENOMEM, "list level %d", level);
    }
    it->base = (ls_storage_iter){.next = iter_next, .free = iter_free};
    it->at = s->files + s->first[level];
    it->end = s->files + s->first[level + 1];
    while (it->at < it->end && it->at->min_txid < seek) {
        it->at++;
    }
    *out = &it->base;
    return LS_OK;
}

static void store_free(ls_storage *s) { (void)s; }

static const ls_storage_ops listing_ops = {.type = "list", .list = store_list, .free = store_free};

/* ---- ---- */

static ls_code add_point(void *arg, const ls_point *p, ls_err *err) {
    snapshot *s = arg;
    ls_code rc =
        grow((void **)&s->points, s->n_points, &s->cap_points, sizeof(*p), SNAPSHOT_MAX_FILES, err);
    if (rc == LS_OK) {
        s->points[s->n_points++] = *p;
    }
    return rc;
}

typedef struct with_path {
    ls_ltx_info file; /* first, for ls_ltx_info_cmp */
    char *path;
} with_path;

/* By the listing's order, then by name: files that stand alone may all be of the same TXIDs. */
static int with_path_cmp(const void *a, const void *b) {
    int cmp = ls_ltx_info_cmp(a, b);
    return cmp != 0 ? cmp : strcmp(((const with_path *)a)->path, ((const with_path *)b)->path);
}

/* A path follows its file. Without memory they stay as they are. */
static void sort_with_paths(snapshot *s) {
    with_path *all = calloc(s->n + 1, sizeof(*all));
    for (size_t i = 0; all != NULL && i < s->n; i++) {
        all[i] = (with_path){.file = s->files[i], .path = s->paths[i]};
    }
    if (all != NULL) {
        qsort(all, s->n, sizeof(*all), with_path_cmp);
    }
    for (size_t i = 0; all != NULL && i < s->n; i++) {
        s->files[i] = all[i].file;
        s->paths[i] = all[i].path;
    }
    free(all);
}

static void sort_files(snapshot *s) {
    if (s->paths != NULL) {
        sort_with_paths(s);
    } else if (s->n > 0) {
        qsort(s->files, s->n, sizeof(*s->files), ls_ltx_info_cmp);
    }
}

void snapshot_finish(snapshot *s, bool replica) {
    sort_files(s);
    for (int level = 0; level <= SNAPSHOT_LEVELS; level++) {
        size_t at = level > 0 ? s->first[level - 1] : 0;
        while (at < s->n && s->files[at].level < level) {
            at++;
        }
        s->first[level] = at;
    }
    s->taken_ms = ls_wall_ms(&ls_clock_system);
    if (!replica) {
        return;
    }
    char name[] = "listing";
    listing_store store = {.base = {.ops = &listing_ops, .url = name}, .snap = s};
    if (ls_points_each(&store.base, add_point, s, &s->points_err) == LS_OK) {
        (void)!ls_points_list(&store.base, &s->windows, &s->points_err);
    }
}

ls_code snapshot_plan(const snapshot *s, ls_txid txid, int64_t timestamp_ms, ls_plan *plan,
                      ls_err *err) {
    ls_ltx_info *levels[SNAPSHOT_LEVELS];
    size_t counts[SNAPSHOT_LEVELS];
    for (int level = 0; level < SNAPSHOT_LEVELS; level++) {
        levels[level] = s->files + s->first[level];
        counts[level] = s->first[level + 1] - s->first[level];
    }
    return ls_plan_choose(levels, counts, txid, timestamp_ms, plan, err);
}

size_t snapshot_find(const snapshot *s, const ls_ltx_info *file) {
    size_t lo = 0, hi = s->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int cmp = ls_ltx_info_cmp(&s->files[mid], file);
        if (cmp == 0) {
            return mid;
        }
        if (cmp < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return s->n;
}

size_t snapshot_point_at_txid(const snapshot *s, ls_txid txid) {
    size_t lo = 0, hi = s->n_points;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (s->points[mid].txid <= txid) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo > 0 ? lo - 1 : s->n_points;
}

size_t snapshot_point_at_time(const snapshot *s, int64_t ms) {
    size_t found = s->n_points;
    for (size_t i = 0; i < s->n_points; i++) {
        if (s->points[i].created_ms <= ms) {
            found = i;
        }
    }
    return found;
}
