/* A store that is written to only while its lease is held: see ls_leased_new in lease.h. */
#include "engine/replica/lease.h"

#include <stdlib.h>
#include <string.h>

typedef struct leased {
    ls_storage base;
    ls_storage_ops ops;
    ls_storage *inner;
    ls_lease *lease;
} leased;

static leased *of(ls_storage *s) { return (leased *)(void *)s; }

/* ---- Reading ---- */

static ls_code leased_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it,
                           ls_err *err) {
    return ls_storage_list(of(s)->inner, level, seek, it, err);
}

static ls_code leased_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                           ls_reader **r, ls_err *err) {
    return ls_storage_open_range(of(s)->inner, file, off, len, r, err);
}

static ls_code leased_each_object(ls_storage *s, const char *folder, ls_object_fn fn, void *arg,
                                  ls_err *err) {
    return ls_storage_each_object(of(s)->inner, folder, fn, arg, err);
}

static ls_code leased_open_object(ls_storage *s, const char *key, uint64_t off, uint64_t len,
                                  ls_reader **r, ls_err *err) {
    return ls_storage_open_object(of(s)->inner, key, off, len, r, err);
}

static ls_code leased_exact(ls_storage *s, ls_ltx_info *file, ls_err *err) {
    ls_storage *inner = of(s)->inner;
    return inner->ops->exact(inner, file, err);
}

/* ---- Writing ---- */

static ls_code leased_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                          ls_ltx_info *out, ls_err *err) {
    ls_code rc = ls_lease_allows(of(s)->lease, err);
    return rc == LS_OK ? ls_storage_put(of(s)->inner, file, in, exclusive, out, err) : rc;
}

static ls_code leased_put_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                               bool exclusive, ls_ltx_info *out, ls_err *err) {
    ls_code rc = ls_lease_allows(of(s)->lease, err);
    return rc == LS_OK ? ls_storage_put_file(of(s)->inner, file, path, exclusive, out, err) : rc;
}

static ls_code leased_take_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                                bool exclusive, ls_ltx_info *out, ls_err *err) {
    ls_code rc = ls_lease_allows(of(s)->lease, err);
    return rc == LS_OK ? ls_storage_take_file(of(s)->inner, file, path, exclusive, out, err) : rc;
}

static ls_code leased_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                           bool exclusive, ls_ltx_info *out, ls_err *err) {
    ls_code rc = ls_lease_allows(of(s)->lease, err);
    return rc == LS_OK ? ls_storage_copy(of(s)->inner, from, to, exclusive, out, err) : rc;
}

static ls_code leased_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    ls_code rc = ls_lease_allows(of(s)->lease, err);
    return rc == LS_OK ? ls_storage_remove(of(s)->inner, files, n, err) : rc;
}

/* ---- Life ---- */

static void leased_free(ls_storage *s) {
    ls_storage_free(of(s)->inner);
    free(s->url);
    free(s);
}

ls_code ls_leased_new(ls_storage *inner, ls_lease *lease, ls_storage **out, ls_err *err) {
    leased *l = calloc(1, sizeof *l);
    char *url = strdup(ls_storage_url(inner));
    if (l == NULL || url == NULL) {
        free(l);
        free(url);
        ls_storage_free(inner);
        return ls_fail(err, LS_ENOMEM, "no memory for a store");
    }
    const ls_storage_ops *ops = inner->ops;
    l->ops = (ls_storage_ops){.type = ops->type,
                              .list = leased_list,
                              .open = leased_open,
                              .put = leased_put,
                              .put_file = leased_put_file,
                              .take_file = leased_take_file,
                              .copy = leased_copy,
                              .remove = leased_remove,
                              .exact = ops->exact == NULL ? NULL : leased_exact,
                              .each_object = ops->each_object == NULL ? NULL : leased_each_object,
                              .open_object = ops->open_object == NULL ? NULL : leased_open_object,
                              .free = leased_free};
    l->base = (ls_storage){.ops = &l->ops, .url = url};
    l->inner = inner;
    l->lease = lease;
    *out = &l->base;
    return LS_OK;
}
