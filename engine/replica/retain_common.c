/* Lists with a bound, and deleting in batches; see retain_common.h. */
#include "engine/replica/retain_common.h"

#include <stdlib.h>

void ls_files_done(ls_files *list) {
    free(list->at);
    *list = (ls_files){0};
}

ls_code ls_files_add(ls_files *list, const ls_ltx_info *f, ls_err *err) {
    if (list->n == list->cap) {
        size_t cap = list->cap == 0 ? 64 : 2 * list->cap;
        ls_ltx_info *at = realloc(list->at, cap * sizeof *at);
        if (at == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for a list of %zu files", cap);
        }
        list->at = at;
        list->cap = cap;
    }
    list->at[list->n++] = *f;
    return LS_OK;
}

ls_code ls_doomed_flush(ls_doomed *d, ls_err *err) {
    if (d->files.n == 0) {
        return LS_OK;
    }
    if (ls_canceled(d->policy->cancel)) {
        return ls_fail(err, LS_ECANCELED, "canceled");
    }
    ls_code rc = ls_storage_remove(d->s, d->files.at, d->files.n, err);
    for (size_t i = 0; rc == LS_OK && i < d->files.n; i++) {
        d->result->deleted[d->files.at[i].level]++;
        d->result->bytes += d->files.at[i].size;
    }
    d->files.n = 0;
    return rc == LS_OK ? LS_OK : ls_wrap(err, "delete files");
}

ls_code ls_doomed_add(ls_doomed *d, const ls_ltx_info *f, ls_err *err) {
    ls_code rc = ls_files_add(&d->files, f, err);
    return rc == LS_OK && d->files.n >= LS_RETAIN_BATCH ? ls_doomed_flush(d, err) : rc;
}
