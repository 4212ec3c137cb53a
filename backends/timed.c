/*
 * Exact times for stores whose listings tell when a file was uploaded. One request a file is needed
 * for each; so they are asked for where they decide something, several at once.
 *
 * By time a restore wants of each level the files whose header is older than a moment. A file is
 * uploaded after its header's time: what was uploaded well before the moment needs no question.
 * Well before, as some services cut times to seconds and their clocks are not ours. Header times of
 * a level rise with the TXID: behind the first file that is too new none is asked.
 */
#include "backends/fanout.h"

#include <stdlib.h>

#define THREADS 16
#define BATCH_MAX 64
#define UNSURE_MS 60000 /* of a service's times */

/* ---- several at once ---- */

typedef struct asking {
    ls_storage *s;
    ls_ltx_info *files;
    bool *gone; /* of each file, where somebody wants to know */
} asking;

static ls_code ask(void *arg, size_t i, ls_err *err) {
    const asking *a = arg;
    ls_code code = a->s->ops->exact(a->s, &a->files[i], err);
    if (code == LS_ENOTFOUND) { /* deleted since it was listed */
        ls_err_clear(err);
        code = LS_OK;
        if (a->gone != NULL) {
            a->gone[i] = true;
        }
    }
    return code;
}

static ls_code ask_all(ls_storage *s, ls_ltx_info *files, bool *gone, size_t n, ls_err *err) {
    if (s->ops->exact == NULL || n == 0) {
        return LS_OK;
    }
    asking a = {.s = s, .files = files, .gone = gone};
    ls_code code = ls_fanout(n, THREADS, ask, &a, err);
    return code == LS_OK ? LS_OK : ls_wrap(err, "ask for the time of a file");
}

ls_code ls_storage_exact(ls_storage *s, ls_ltx_info *files, size_t n, ls_err *err) {
    return ask_all(s, files, NULL, n, err);
}

/* ---- listings ---- */

typedef struct timed_iter {
    ls_storage_iter base;
    ls_storage *s;
    ls_storage_iter *in;
    int64_t until_ms, from_ms; /* the moment, and what was uploaded later may be too new */
    bool end;                  /* of in */
    bool past;                 /* a file was too new: no more questions */
    ls_ltx_info files[BATCH_MAX];
    bool gone[BATCH_MAX];
    size_t n, pos, batch;
} timed_iter;

/* Is the last file whose time is known too new? */
static bool ends_past(const timed_iter *t) {
    for (size_t i = t->n; i > 0; i--) {
        if (!t->gone[i - 1]) {
            return t->files[i - 1].created_ms >= t->until_ms;
        }
    }
    return false;
}

/* The next files: one that needs no question, or a batch that is asked for together. The first
 * file behind the moment is mostly the last that is wanted, so batches begin small. */
static ls_code fill(timed_iter *t, ls_err *err) {
    ls_code code = LS_OK;
    t->n = t->pos = 0;
    while (code == LS_OK && !t->end && t->n < t->batch) {
        code = ls_storage_iter_next(t->in, &t->files[t->n], &t->end, err);
        if (code == LS_OK && !t->end) {
            bool asks = !t->past && t->files[t->n].created_ms >= t->from_ms;
            t->gone[t->n] = false;
            t->n++;
            if (!asks && t->n == 1) {
                return LS_OK;
            }
        }
    }
    if (code == LS_OK) {
        code = ask_all(t->s, t->files, t->gone, t->n, err);
    }
    t->past = t->past || ends_past(t);
    t->batch = 2 * t->batch < BATCH_MAX ? 2 * t->batch : BATCH_MAX;
    return code;
}

static ls_code timed_next(ls_storage_iter *it, ls_ltx_info *file, bool *end, ls_err *err) {
    timed_iter *t = (timed_iter *)it;
    if (t->pos == t->n && !t->end) {
        ls_code code = fill(t, err);
        if (code != LS_OK) {
            return code;
        }
    }
    *end = t->pos == t->n;
    if (!*end) {
        *file = t->files[t->pos++];
    }
    return LS_OK;
}

static void timed_free(ls_storage_iter *it) {
    ls_storage_iter_free(((timed_iter *)it)->in);
    free(it);
}

ls_code ls_storage_list_timed(ls_storage *s, int level, ls_txid seek, int64_t until_ms,
                              ls_storage_iter **it, ls_err *err) {
    ls_code code = ls_storage_list(s, level, seek, it, err);
    if (code != LS_OK || s->ops->exact == NULL) {
        return code;
    }
    timed_iter *t = calloc(1, sizeof *t);
    if (t == NULL) {
        ls_storage_iter_free(*it);
        *it = NULL;
        return ls_fail(err, LS_ENOMEM, "no memory to list level %d", level);
    }
    t->base = (ls_storage_iter){.next = timed_next, .free = timed_free};
    t->s = s;
    t->in = *it;
    t->until_ms = until_ms;
    t->from_ms = until_ms < INT64_MIN + UNSURE_MS ? INT64_MIN : until_ms - UNSURE_MS;
    if (until_ms == INT64_MAX) {
        t->from_ms = INT64_MAX;
    }
    t->batch = 1;
    *it = &t->base;
    return LS_OK;
}
