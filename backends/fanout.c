/* One request a file, several at a time; see fanout.h. */
#include "backends/fanout.h"

#include <pthread.h>
#include <stdatomic.h>

typedef struct fanout {
    ls_storage *s;
    const ls_ltx_info *files;
    size_t n;
    ls_code (*fn)(ls_storage *s, const ls_ltx_info *file, ls_err *err);
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
        w->code = w->f->fn(w->f->s, &w->f->files[i], &w->err);
    }
    if (w->code != LS_OK) {
        atomic_store(&w->f->stop, true);
    }
    return NULL;
}

ls_code ls_fanout(ls_storage *s, const ls_ltx_info *files, size_t n,
                  ls_code (*fn)(ls_storage *s, const ls_ltx_info *file, ls_err *err), ls_err *err) {
    fanout f = {.s = s, .files = files, .n = n, .fn = fn};
    worker workers[LS_FANOUT] = {0};
    size_t started = 1;
    size_t wanted = n < LS_FANOUT ? n : LS_FANOUT;
    for (size_t i = 0; i < LS_FANOUT; i++) {
        workers[i].f = &f;
    }
    /* The first works in this thread; where no other can be started it does all. */
    while (started < wanted &&
           pthread_create(&workers[started].thread, NULL, work, &workers[started]) == 0) {
        started++;
    }
    (void)work(&workers[0]);
    const worker *failed = workers[0].code != LS_OK ? &workers[0] : NULL;
    for (size_t i = 1; i < started; i++) {
        (void)pthread_join(workers[i].thread, NULL);
        if (failed == NULL && workers[i].code != LS_OK) {
            failed = &workers[i];
        }
    }
    if (failed != NULL) {
        *err = failed->err;
        return failed->code;
    }
    return LS_OK;
}
