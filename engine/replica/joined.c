/* The files of one level that go on from a TXID without a hole; see joined.h. */
#include "engine/replica/joined.h"

#include <stdlib.h>

void ls_joined_done(ls_joined *j) {
    free(j->files);
    *j = (ls_joined){0};
}

static ls_code append(ls_joined *j, const ls_ltx_info *f, ls_err *err) {
    if (j->n == j->cap) {
        size_t cap = j->cap == 0 ? 64 : 2 * j->cap;
        ls_ltx_info *files = realloc(j->files, cap * sizeof *files);
        if (files == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for a list of %zu files", cap);
        }
        j->files = files;
        j->cap = cap;
    }
    j->files[j->n++] = *f;
    j->bytes += f->size;
    return LS_OK;
}

/* The walk along a listing: cur is where the list ends, best leads furthest of what joins it. */
typedef struct walk {
    ls_joined *j;
    ls_txid cur;
    uint64_t bytes_max;
    ls_ltx_info best;
    bool has_best, stop;
} walk;

static ls_code take_best(walk *w, ls_err *err) {
    if (!w->has_best) {
        return LS_OK;
    }
    bool full = w->best.size > w->bytes_max || w->j->bytes > w->bytes_max - w->best.size;
    w->j->more = w->j->n == LS_JOINED_MAX || (full && w->j->n > 0);
    w->stop = w->j->more;
    if (w->stop) {
        return LS_OK;
    }
    w->has_best = false;
    w->cur = w->best.max_txid;
    return append(w->j, &w->best, err);
}

/* As files come in order of MinTXID, none behind one that does not join can join before best is
 * taken. */
static ls_code look_at(walk *w, const ls_ltx_info *f, ls_err *err) {
    ls_code rc = LS_OK;
    if (f->max_txid > w->cur && f->min_txid - 1 > w->cur) {
        rc = take_best(w, err);
    }
    if (rc != LS_OK || w->stop || f->max_txid <= w->cur) {
        return rc;
    }
    if (f->min_txid - 1 > w->cur) {
        w->j->next_min = f->min_txid;
        w->stop = true;
    } else if (!w->has_best || f->max_txid > w->best.max_txid) {
        w->best = *f;
        w->has_best = true;
    }
    return LS_OK;
}

ls_code ls_joined_list(ls_storage *s, int level, ls_txid seek, ls_txid cur, uint64_t bytes_max,
                       const ls_cancel *cancel, ls_joined *j, ls_err *err) {
    ls_joined_done(j);
    walk w = {.j = j, .cur = cur, .bytes_max = bytes_max};
    ls_storage_iter *it = NULL;
    ls_code rc = ls_storage_list(s, level, seek, &it, err);
    for (bool end = false; rc == LS_OK && !end && !w.stop;) {
        ls_ltx_info f;
        rc = ls_canceled(cancel) ? ls_fail(err, LS_ECANCELED, "canceled")
                                 : ls_storage_iter_next(it, &f, &end, err);
        if (rc == LS_OK && !end && ls_ltx_info_sane(&f)) {
            rc = look_at(&w, &f, err);
        }
    }
    ls_storage_iter_free(it);
    if (rc == LS_OK && !w.stop) {
        rc = take_best(&w, err);
    }
    return rc == LS_OK ? LS_OK : ls_wrap(err, "list level %d", level);
}

ls_code ls_level_newest(ls_storage *s, int level, ls_txid seek, ls_ltx_info *newest, bool *any,
                        ls_err *err) {
    *newest = (ls_ltx_info){.level = level};
    *any = false;
    ls_storage_iter *it = NULL;
    ls_code rc = ls_storage_list(s, level, seek, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info f;
        rc = ls_storage_iter_next(it, &f, &end, err);
        if (rc == LS_OK && !end && ls_ltx_info_sane(&f) && f.max_txid >= newest->max_txid) {
            *newest = f;
            *any = true;
        }
    }
    ls_storage_iter_free(it);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "list level %d", level);
}
