/* A store whose listings are compared with what this process put there: see guard.h. */
#include "engine/replica/guard.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct guarded {
    ls_storage base;
    ls_storage_ops ops;
    ls_storage *inner;
    const ls_guard *guard;
} guarded;

typedef struct guarded_iter {
    ls_storage_iter base;
    ls_storage_iter *inner;
    const guarded *store;
    ls_txid must; /* 0: nothing must be seen */
    ls_txid seen;
} guarded_iter;

static guarded *of(ls_storage *s) { return (guarded *)(void *)s; }

static ls_code foreign(const guarded *g, const ls_ltx_info *file, ls_txid ours, ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    (void)ls_fail(err, LS_EDIVERGED,
                  "replica %s holds %s, which this process did not write: it uploaded up to TXID "
                  "%016" PRIx64,
                  g->base.url, ls_storage_key(file, key), ours);
    return ls_hint(err, "another process seems to replicate to the same place: give each database "
                        "its own replica path. Uploads of this database stop; a restart compares "
                        "again and goes on with a full snapshot");
}

static ls_code lost(const guarded *g, ls_txid must, ls_err *err) {
    (void)ls_fail(err, LS_EGAP, "replica %s has lost the level-0 file of TXID %016" PRIx64,
                  g->base.url, must);
    return ls_hint(err, "it is compared with the local files again");
}

static ls_code iter_next(ls_storage_iter *it, ls_ltx_info *file, bool *end, ls_err *err) {
    guarded_iter *gi = (guarded_iter *)(void *)it;
    ls_code rc = ls_storage_iter_next(gi->inner, file, end, err);
    if (rc != LS_OK) {
        return rc;
    }
    if (*end) {
        return gi->seen < gi->must ? lost(gi->store, gi->must, err) : LS_OK;
    }
    gi->seen = file->max_txid > gi->seen ? file->max_txid : gi->seen;
    ls_txid ours = atomic_load(&gi->store->guard->ours);
    return file->max_txid > ours ? foreign(gi->store, file, ours, err) : LS_OK;
}

static void iter_free(ls_storage_iter *it) {
    ls_storage_iter_free(((guarded_iter *)(void *)it)->inner);
    free(it);
}

static ls_code guarded_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it,
                            ls_err *err) {
    const guarded *g = of(s);
    ls_txid sure = level == 0 ? atomic_load(&g->guard->sure) : 0;
    guarded_iter *gi = calloc(1, sizeof(*gi));
    if (gi == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to list level %d", level);
    }
    *gi = (guarded_iter){.base = {.next = iter_next, .free = iter_free},
                         .store = g,
                         .must = seek <= sure ? sure : 0};
    ls_code rc = ls_storage_list(g->inner, level, seek, &gi->inner, err);
    if (rc != LS_OK) {
        free(gi);
        return rc;
    }
    *it = &gi->base;
    return LS_OK;
}

static ls_code guarded_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                            ls_reader **r, ls_err *err) {
    return ls_storage_open_range(of(s)->inner, file, off, len, r, err);
}

static ls_code guarded_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                           ls_ltx_info *out, ls_err *err) {
    return ls_storage_put(of(s)->inner, file, in, exclusive, out, err);
}

static ls_code guarded_put_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                                bool exclusive, ls_ltx_info *out, ls_err *err) {
    return ls_storage_put_file(of(s)->inner, file, path, exclusive, out, err);
}

static ls_code guarded_take_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                                 bool exclusive, ls_ltx_info *out, ls_err *err) {
    return ls_storage_take_file(of(s)->inner, file, path, exclusive, out, err);
}

static ls_code guarded_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                            bool exclusive, ls_ltx_info *out, ls_err *err) {
    return ls_storage_copy(of(s)->inner, from, to, exclusive, out, err);
}

static ls_code guarded_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    return ls_storage_remove(of(s)->inner, files, n, err);
}

static ls_code guarded_exact(ls_storage *s, ls_ltx_info *file, ls_err *err) {
    ls_storage *inner = of(s)->inner;
    return inner->ops->exact(inner, file, err);
}

static void guarded_free(ls_storage *s) {
    free(s->url);
    free(s);
}

ls_code ls_guard_new(ls_storage *inner, const ls_guard *guard, ls_storage **out, ls_err *err) {
    guarded *g = calloc(1, sizeof(*g));
    if (g == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a store");
    }
    g->ops = (ls_storage_ops){.type = inner->ops->type,
                              .list = guarded_list,
                              .open = guarded_open,
                              .put = guarded_put,
                              .put_file = guarded_put_file,
                              .take_file = guarded_take_file,
                              .copy = guarded_copy,
                              .remove = guarded_remove,
                              .exact = inner->ops->exact == NULL ? NULL : guarded_exact,
                              .free = guarded_free};
    g->base.ops = &g->ops;
    g->base.url = strdup(ls_storage_url(inner));
    g->inner = inner;
    g->guard = guard;
    if (g->base.url == NULL) {
        guarded_free(&g->base);
        return ls_fail(err, LS_ENOMEM, "no memory for a store");
    }
    *out = &g->base;
    return LS_OK;
}
