/* One request a file, several at a time; see fanout.h. */
#include "backends/fanout.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define REMOVALS 8 /* at once */

typedef struct fanout {
    size_t n;
    ls_code (*fn)(void *arg, size_t i, ls_err *err);
    void *arg;
    atomic_size_t next;
    atomic_bool stop;
} fanout;

typedef struct worker {
    pthread_t thread;
    fanout *f;
    ls_code code;
    ls_err err;
} worker;

static void *work(void *arg) {
    worker *w = arg;
    while (w->code == LS_OK && !atomic_load(&w->f->stop)) {
        size_t i = atomic_fetch_add(&w->f->next, 1);
        if (i >= w->f->n) {
            break;
        }
        w->code = w->f->fn(w->f->arg, i, &w->err);
    }
    if (w->code != LS_OK) {
        atomic_store(&w->f->stop, true);
    }
    return NULL;
}

static ls_code first_failure(const worker *workers, size_t n, ls_err *err) {
    for (size_t i = 0; i < n; i++) {
        if (workers[i].code != LS_OK) {
            *err = workers[i].err;
            return workers[i].code;
        }
    }
    return LS_OK;
}

ls_code ls_fanout(size_t n, size_t at_once, ls_code (*fn)(void *arg, size_t i, ls_err *err),
                  void *arg, ls_err *err) {
    fanout f = {.n = n, .fn = fn, .arg = arg};
    worker *workers = calloc(LS_FANOUT_MAX, sizeof *workers);
    if (workers == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for several requests at once");
    }
    at_once = at_once < LS_FANOUT_MAX ? at_once : LS_FANOUT_MAX;
    for (size_t i = 0; i < at_once; i++) {
        workers[i].f = &f;
    }
    workers[0].f = &f;
    size_t started = 1;
    /* The first works in this thread; where no other can be started it does all. */
    while (started < at_once && started < n &&
           pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0) {
        started++;
    }
    (void)work(&workers[0]);
    for (size_t i = 1; i < started; i++) {
        (void)pthread_join(workers[i].thread, NULL);
    }
    ls_code code = first_failure(workers, started, err);
    free(workers);
    return code;
}

/* ---- deletions ---- */

typedef struct removal {
    ls_storage *s;
    const ls_ltx_info *files;
    ls_code (*remove)(ls_storage *s, const ls_ltx_info *file, ls_err *err);
} removal;

static ls_code remove_one(void *arg, size_t i, ls_err *err) {
    const removal *r = arg;
    return r->remove(r->s, &r->files[i], err);
}

ls_code ls_fanout_remove(ls_storage *s, const ls_ltx_info *files, size_t n,
                         ls_code (*remove)(ls_storage *s, const ls_ltx_info *file, ls_err *err),
                         ls_err *err) {
    removal r = {.s = s, .files = files, .remove = remove};
    return ls_fanout(n, REMOVALS, remove_one, &r, err);
}
