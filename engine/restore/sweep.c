/*
 * The plans of all restore points in one pass.
 *
 * ls_choose, asked for TXID t, starts at the newest snapshot s <= t (at 0 where there is none) and
 * goes from where it is, cur, to the largest MaxTXID <= t of a file of levels 0..8 that joins, that
 * is, starts at cur + 1 or before. Call the TXIDs that it passes its path, P the largest reachable
 * TXID below t, and m the smallest MinTXID of the files that end at t.
 *
 * - t is reachable if it is a snapshot or m <= P + 1. A file that joins at cur joins at every
 *   larger cur, so going as far as possible loses nothing; and what is before the last file of a
 *   plan for t is a reachable TXID below t, so at most P.
 * - Its path is that of P up to the first TXID >= m - 1, then t. Until a file that ends at t joins,
 *   the largest MaxTXID <= t that joins is below t, so reachable, so at most P: the same choice as
 *   for P. As soon as one joins, t is the largest there is. The snapshot s is the same, being
 * itself reachable, unless t is one: then the path is t alone.
 * - The last file is the one that starts at m; of several the planner's own order decides. One that
 *   starts later joins later or at the same place, where the planner prefers the earlier start.
 *
 * The path of the last reachable TXID is kept as a stack. What is cut off it never comes back, so
 * all steps together take no longer than the number of files.
 */
#include "engine/restore/sweep.h"

#include <stdlib.h>

struct ls_sweep {
    const ls_ltx_info **files; /* sane ones by (max, min, level descending) */
    size_t n, pos;
    ls_txid *path; /* path[0]: a snapshot of level 9, or 0 */
    size_t depth;  /* of the last TXID in path */
};

/* A file the planner looks at: level 9 holds snapshots alone. */
static bool counts(const ls_ltx_info *f) {
    return f->min_txid > 0 && f->min_txid <= f->max_txid &&
           (f->level != LS_LTX_LEVEL_SNAPSHOT || f->min_txid == 1);
}

static int file_cmp(const void *a, const void *b) {
    const ls_ltx_info *x = *(const ls_ltx_info *const *)a;
    const ls_ltx_info *y = *(const ls_ltx_info *const *)b;
    if (x->max_txid != y->max_txid) {
        return x->max_txid < y->max_txid ? -1 : 1;
    }
    if (x->min_txid != y->min_txid) {
        return x->min_txid < y->min_txid ? -1 : 1;
    }
    return y->level - x->level;
}

ls_code ls_sweep_new(const ls_listing *listing, ls_sweep **sweep, ls_err *err) {
    ls_sweep *w = calloc(1, sizeof *w);
    *sweep = w;
    if (w != NULL) {
        w->files = malloc((listing->n + 1) * sizeof(const ls_ltx_info *));
        w->path = calloc(listing->n + 1, sizeof *w->path);
    }
    if (w == NULL || w->files == NULL || w->path == NULL) {
        ls_sweep_free(w);
        *sweep = NULL;
        return ls_fail(err, LS_ENOMEM, "no memory to order %zu files", listing->n);
    }
    for (int level = 0; level < LS_LISTING_LEVELS; level++) {
        for (size_t i = 0; i < listing->counts[level]; i++) {
            const ls_ltx_info *f = &listing->levels[level][i];
            if (counts(f)) {
                w->files[w->n++] = f;
            }
        }
    }
    qsort(w->files, w->n, sizeof *w->files, file_cmp);
    return LS_OK;
}

/* What the files that end at one TXID come to. */
typedef struct group {
    const ls_ltx_info *snapshot;  /* of level 9 */
    const ls_ltx_info *increment; /* of the others the one that the planner would take */
    const ls_ltx_info *finest;
} group;

static group take_group(ls_sweep *w) {
    const ls_txid txid = w->files[w->pos]->max_txid;
    group g = {0};
    for (; w->pos < w->n && w->files[w->pos]->max_txid == txid; w->pos++) {
        const ls_ltx_info *f = w->files[w->pos];
        if (f->level == LS_LTX_LEVEL_SNAPSHOT) {
            g.snapshot = f;
        } else if (g.increment == NULL) {
            g.increment = f;
        }
        g.finest = g.finest == NULL || f->level < g.finest->level ? f : g.finest;
    }
    return g;
}

ls_code ls_sweep_next(ls_sweep *w, ls_sweep_step *step, bool *end, ls_err *err) {
    (void)err;
    *end = w->pos == w->n;
    if (*end) {
        return LS_OK;
    }
    const ls_txid txid = w->files[w->pos]->max_txid;
    const group g = take_group(w);
    *step = (ls_sweep_step){.txid = txid, .finest = g.finest};
    step->first_start = g.increment != NULL ? g.increment->min_txid : 0;
    step->reachable = g.snapshot != NULL || g.increment->min_txid - 1 <= w->path[w->depth];
    if (!step->reachable) {
        return LS_OK;
    }
    if (g.snapshot != NULL) {
        w->depth = 0;
        step->last = g.snapshot;
    } else {
        while (w->depth > 0 && w->path[w->depth - 1] >= g.increment->min_txid - 1) {
            w->depth--;
        }
        w->depth++;
        step->last = g.increment;
    }
    w->path[w->depth] = txid;
    step->depth = w->depth;
    return LS_OK;
}

void ls_sweep_free(ls_sweep *w) {
    if (w != NULL) {
        free(w->files);
        free(w->path);
        free(w);
    }
}
