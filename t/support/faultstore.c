/* A store that fails as it is told; see faultstore.h. */
#include "t/support/faultstore.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GHOSTS 64
#define HEAD_PART 150 /* bytes that get through where no size is known */

typedef struct faultstore {
    ls_storage base;
    ls_storage *inner;
    pthread_mutex_t lock;
    /* script */
    store_op op;
    store_fault fault;
    long at, seen; /* seen: requests to which the fault applies */
    /* random */
    uint64_t seed;
    unsigned permille, faults;
    bool down;
    ls_cancel *cancel;
    long hits, requests[STORE_OP_N];
    /* what lies are made of */
    ls_ltx_info last_put[LS_LTX_LEVEL_MAX + 1];
    ls_ltx_info ghosts[GHOSTS]; /* deleted lately: a ring */
    size_t deleted;
} faultstore;

static atomic_llong waited_ms;

const char *store_fault_name(store_fault fault) {
    static const char *const names[] = {
#define X(kind, name) name,
        STORE_FAULTS(X)
#undef X
    };
    return names[fault];
}

int64_t faultstore_waited_ms(void) { return atomic_load(&waited_ms); }

int __wrap_nanosleep(const struct timespec *t, struct timespec *left);
int __wrap_nanosleep(const struct timespec *t, struct timespec *left) {
    (void)left;
    atomic_fetch_add(&waited_ms, (long long)t->tv_sec * 1000 + t->tv_nsec / 1000000);
    return 0;
}

/* ---- which requests ---- */

#define NO_FAULT STORE_FAULT_N

static bool applies(store_fault fault, store_op op) {
    switch (fault) {
    case STORE_LOST:
        return op >= STORE_PUT;
    case STORE_BREAK:
        return op != STORE_COPY;
    case STORE_SHORT:
        return op == STORE_OPEN;
    case STORE_STALE:
    case STORE_TWICE:
    case STORE_GHOST:
        return op == STORE_LIST;
    default:
        return true;
    }
}

static uint64_t next_random(faultstore *f) {
    f->seed ^= f->seed << 13;
    f->seed ^= f->seed >> 7;
    f->seed ^= f->seed << 17;
    return f->seed;
}

static store_fault at_random(faultstore *f, store_op op) {
    store_fault fits[STORE_FAULT_N];
    size_t n = 0;
    if (f->permille == 0 || next_random(f) % 1000 >= f->permille) {
        return NO_FAULT;
    }
    for (store_fault fault = STORE_FAIL; fault < STORE_FAULT_N; fault++) {
        if ((f->faults & STORE_BIT(fault)) != 0 && applies(fault, op)) {
            fits[n++] = fault;
        }
    }
    return n == 0 ? NO_FAULT : fits[next_random(f) % n];
}

static store_fault by_script(faultstore *f, store_op op) {
    if (f->at == 0 || (f->op != STORE_ANY && f->op != op) || !applies(f->fault, op)) {
        return NO_FAULT;
    }
    return ++f->seen == f->at ? f->fault : NO_FAULT;
}

/* Counts the request and says what happens to it. */
static store_fault judge(ls_storage *s, store_op op) {
    faultstore *f = (faultstore *)s;
    (void)pthread_mutex_lock(&f->lock);
    f->requests[op]++;
    store_fault fault = STORE_FAIL;
    if (!f->down) {
        fault = by_script(f, op);
        fault = fault == NO_FAULT ? at_random(f, op) : fault;
        f->hits += fault != NO_FAULT;
        f->down = fault == STORE_DOWN || fault == STORE_GONE;
    }
    if (fault == STORE_SLOW && f->cancel != NULL) {
        ls_cancel_set(f->cancel);
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (fault == STORE_SLOW) {
        atomic_fetch_add(&waited_ms, STORE_SLOW_MS);
    }
    return fault;
}

static bool nothing_happens(store_fault fault) {
    return fault == STORE_FAIL || fault == STORE_DOWN;
}
static bool no_answer(store_fault fault) { return fault == STORE_LOST || fault == STORE_GONE; }

static ls_code fail(store_fault fault, const char *what, ls_err *err) {
    ls_err_clear(err);
    return ls_fail(err, LS_EIO, "%s: the store %s (injected)", what, store_fault_name(fault));
}

/* What a request that makes a change comes to. */
static ls_code answer(store_fault fault, const char *what, ls_code rc, ls_err *err) {
    return no_answer(fault) ? fail(fault, what, err) : rc;
}

/* ---- list ---- */

typedef struct spoilt_iter {
    ls_storage_iter base;
    ls_ltx_info *files;
    size_t n, cap, pos;
    bool breaks; /* at the end */
} spoilt_iter;

static ls_code spoilt_next(ls_storage_iter *base, ls_ltx_info *file, bool *end, ls_err *err) {
    spoilt_iter *it = (spoilt_iter *)base;
    if (it->pos == it->n && it->breaks) {
        return fail(STORE_BREAK, "list", err);
    }
    *end = it->pos == it->n;
    if (!*end) {
        *file = it->files[it->pos++];
    }
    return LS_OK;
}

static void spoilt_iter_free(ls_storage_iter *base) {
    free(((spoilt_iter *)base)->files);
    free(base);
}

static ls_code add(spoilt_iter *it, const ls_ltx_info *file, ls_err *err) {
    if (it->n == it->cap) {
        size_t cap = it->cap == 0 ? 64 : 2 * it->cap;
        ls_ltx_info *files = realloc(it->files, cap * sizeof *files);
        if (files == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for a listing");
        }
        it->files = files;
        it->cap = cap;
    }
    it->files[it->n++] = *file;
    return LS_OK;
}

static ls_code add_all(spoilt_iter *it, ls_storage_iter *from, ls_err *err) {
    for (;;) {
        ls_ltx_info file;
        bool end;
        ls_code rc = ls_storage_iter_next(from, &file, &end, err);
        if (rc != LS_OK || end) {
            return rc;
        }
        rc = add(it, &file, err);
        if (rc != LS_OK) {
            return rc;
        }
    }
}

static void drop_last_put(faultstore *f, spoilt_iter *it, int level) {
    size_t n = 0;
    for (size_t i = 0; i < it->n; i++) {
        if (ls_ltx_info_cmp(&it->files[i], &f->last_put[level]) != 0) {
            it->files[n++] = it->files[i];
        }
    }
    it->n = n;
}

static ls_code add_ghosts(faultstore *f, spoilt_iter *it, int level, ls_txid seek, ls_err *err) {
    ls_code rc = LS_OK;
    size_t n = it->n;
    for (size_t i = 0; rc == LS_OK && i < GHOSTS && i < f->deleted; i++) {
        const ls_ltx_info *ghost = &f->ghosts[i];
        if (ghost->level == level && ghost->min_txid >= seek &&
            (n == 0 || bsearch(ghost, it->files, n, sizeof *ghost, ls_ltx_info_cmp) == NULL)) {
            rc = add(it, ghost, err);
        }
    }
    if (it->n > 0) {
        qsort(it->files, it->n, sizeof *it->files, ls_ltx_info_cmp);
    }
    return rc;
}

static ls_code add_twin(faultstore *f, spoilt_iter *it, ls_err *err) {
    if (it->n == 0) {
        return LS_OK;
    }
    const ls_ltx_info twin = it->files[next_random(f) % it->n];
    ls_code rc = add(it, &twin, err);
    qsort(it->files, it->n, sizeof *it->files, ls_ltx_info_cmp);
    return rc;
}

static ls_code spoil(faultstore *f, spoilt_iter *it, store_fault fault, int level, ls_txid seek,
                     ls_err *err) {
    ls_code rc = LS_OK;
    (void)pthread_mutex_lock(&f->lock);
    if (fault == STORE_BREAK) {
        it->n /= 2;
        it->breaks = true;
    } else if (fault == STORE_STALE) {
        drop_last_put(f, it, level);
    } else if (fault == STORE_TWICE) {
        rc = add_twin(f, it, err);
    } else {
        rc = add_ghosts(f, it, level, seek, err);
    }
    (void)pthread_mutex_unlock(&f->lock);
    return rc;
}

static ls_code list_spoilt(faultstore *f, store_fault fault, int level, ls_txid seek,
                           ls_storage_iter **out, ls_err *err) {
    ls_storage_iter *from = NULL;
    spoilt_iter *it = calloc(1, sizeof *it);
    if (it == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to list level %d", level);
    }
    it->base = (ls_storage_iter){.next = spoilt_next, .free = spoilt_iter_free};
    ls_code rc = ls_storage_list(f->inner, level, seek, &from, err);
    if (rc == LS_OK) {
        rc = add_all(it, from, err);
    }
    ls_storage_iter_free(from);
    if (rc == LS_OK) {
        rc = spoil(f, it, fault, level, seek, err);
    }
    if (rc != LS_OK) {
        spoilt_iter_free(&it->base);
        return rc;
    }
    *out = &it->base;
    return LS_OK;
}

static ls_code fault_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it,
                          ls_err *err) {
    faultstore *f = (faultstore *)s;
    store_fault fault = judge(s, STORE_LIST);
    if (nothing_happens(fault) || no_answer(fault)) {
        return fail(fault, "list", err);
    }
    return fault == NO_FAULT || fault == STORE_SLOW
               ? ls_storage_list(f->inner, level, seek, it, err)
               : list_spoilt(f, fault, level, seek, it, err);
}

/* ---- streams that end too soon ---- */

typedef struct cut_reader {
    ls_reader base;
    ls_reader *in;
    bool owns;
    uint64_t left;
    store_fault fault; /* STORE_SHORT: a clean end */
} cut_reader;

static ls_code cut_read(ls_reader *base, void *buf, size_t len, size_t *got, ls_err *err) {
    cut_reader *r = (cut_reader *)base;
    *got = 0;
    if (r->left == 0) {
        return r->fault == STORE_SHORT ? LS_OK : fail(r->fault, "read", err);
    }
    ls_code rc = r->in->read(r->in, buf, len < r->left ? len : (size_t)r->left, got, err);
    r->left -= *got;
    return rc;
}

static void cut_close(ls_reader *base) {
    cut_reader *r = (cut_reader *)base;
    if (r->owns) {
        ls_reader_close(r->in);
    }
    free(r);
}

/* Half of what is to be read. */
static uint64_t half(const ls_ltx_info *file, uint64_t off, uint64_t len) {
    if (file->size <= off) {
        return HEAD_PART;
    }
    uint64_t rest = file->size - off;
    return (len == 0 || len > rest ? rest : len) / 2;
}

static ls_code fault_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                          ls_reader **out, ls_err *err) {
    faultstore *f = (faultstore *)s;
    store_fault fault = judge(s, STORE_OPEN);
    if (nothing_happens(fault) || no_answer(fault)) {
        return fail(fault, "open", err);
    }
    ls_code rc = ls_storage_open_range(f->inner, file, off, len, out, err);
    if (rc != LS_OK || fault == NO_FAULT || fault == STORE_SLOW) {
        return rc;
    }
    cut_reader *r = malloc(sizeof *r);
    if (r == NULL) {
        ls_reader_close(*out);
        return ls_fail(err, LS_ENOMEM, "no memory to read a file");
    }
    *r = (cut_reader){.base = {.read = cut_read, .close = cut_close},
                      .in = *out,
                      .owns = true,
                      .left = half(file, off, len),
                      .fault = fault};
    *out = &r->base;
    return LS_OK;
}

/* ---- changes ---- */

static void remember_put(faultstore *f, const ls_ltx_info *file) {
    (void)pthread_mutex_lock(&f->lock);
    f->last_put[file->level] = *file;
    (void)pthread_mutex_unlock(&f->lock);
}

static ls_code fault_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                         ls_ltx_info *out, ls_err *err) {
    faultstore *f = (faultstore *)s;
    store_fault fault = judge(s, STORE_PUT);
    if (nothing_happens(fault)) {
        return fail(fault, "put", err);
    }
    cut_reader cut = {
        .base = {.read = cut_read}, .in = in, .left = half(file, 0, 0), .fault = STORE_BREAK};
    ls_code rc =
        ls_storage_put(f->inner, file, fault == STORE_BREAK ? &cut.base : in, exclusive, out, err);
    if (rc == LS_OK) {
        remember_put(f, file);
    }
    return answer(fault, "put", rc, err);
}

static ls_code break_put_file(faultstore *f, const ls_ltx_info *file, const char *path,
                              bool exclusive, ls_ltx_info *out, ls_err *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    ls_reader *in = ls_fd_reader_new(fd, true, path);
    if (in == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to read %s", path);
    }
    cut_reader cut = {
        .base = {.read = cut_read}, .in = in, .left = half(file, 0, 0), .fault = STORE_BREAK};
    ls_code rc = ls_storage_put(f->inner, file, &cut.base, exclusive, out, err);
    ls_reader_close(in);
    return rc;
}

static ls_code fault_put_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                              bool exclusive, ls_ltx_info *out, ls_err *err) {
    faultstore *f = (faultstore *)s;
    store_fault fault = judge(s, STORE_PUT);
    if (nothing_happens(fault)) {
        return fail(fault, "put", err);
    }
    if (fault == STORE_BREAK) {
        return break_put_file(f, file, path, exclusive, out, err);
    }
    ls_code rc = ls_storage_put_file(f->inner, file, path, exclusive, out, err);
    if (rc == LS_OK) {
        remember_put(f, file);
    }
    return answer(fault, "put", rc, err);
}

static ls_code fault_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                          bool exclusive, ls_ltx_info *out, ls_err *err) {
    faultstore *f = (faultstore *)s;
    store_fault fault = judge(s, STORE_COPY);
    if (nothing_happens(fault)) {
        return fail(fault, "copy", err);
    }
    ls_code rc = ls_storage_copy(f->inner, from, to, exclusive, out, err);
    if (rc == LS_OK) {
        remember_put(f, to);
    }
    return answer(fault, "copy", rc, err);
}

static ls_code fault_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    faultstore *f = (faultstore *)s;
    store_fault fault = judge(s, STORE_REMOVE);
    if (nothing_happens(fault)) {
        return fail(fault, "remove", err);
    }
    size_t most = fault == STORE_BREAK ? n / 2 : n;
    ls_code rc = ls_storage_remove(f->inner, files, most, err);
    (void)pthread_mutex_lock(&f->lock);
    for (size_t i = 0; rc == LS_OK && i < most; i++) {
        f->ghosts[f->deleted++ % GHOSTS] = files[i];
    }
    (void)pthread_mutex_unlock(&f->lock);
    return fault == STORE_BREAK ? fail(fault, "remove", err) : answer(fault, "remove", rc, err);
}

/* ---- making, freeing, telling ---- */

static void fault_free(ls_storage *s) {
    faultstore *f = (faultstore *)s;
    (void)pthread_mutex_destroy(&f->lock);
    free(f->base.url);
    free(f);
}

#define FAULT_OPS                                                                                  \
    .type = "faults", .list = fault_list, .open = fault_open, .put = fault_put,                    \
    .put_file = fault_put_file, .remove = fault_remove, .free = fault_free

static const ls_storage_ops fault_ops = {FAULT_OPS, .copy = fault_copy};
static const ls_storage_ops fault_ops_without_copy = {FAULT_OPS};

ls_storage *faultstore_new(ls_storage *inner) {
    faultstore *f = calloc(1, sizeof *f);
    const char *place = strstr(ls_storage_url(inner), "://");
    char *url = ls_asprintf("faults%s", place != NULL ? place : "://");
    if (f == NULL || url == NULL) {
        free(url);
        free(f);
        return NULL;
    }
    f->base.ops = inner->ops->copy != NULL ? &fault_ops : &fault_ops_without_copy;
    f->base.url = url;
    f->inner = inner;
    f->seed = 1;
    (void)pthread_mutex_init(&f->lock, NULL);
    return &f->base;
}

static void begin_anew(faultstore *f) {
    f->hits = f->seen = f->at = 0;
    f->permille = 0;
    f->down = false;
    memset(f->requests, 0, sizeof f->requests);
}

void faultstore_script(ls_storage *s, store_op op, store_fault fault, long n) {
    faultstore *f = (faultstore *)s;
    (void)pthread_mutex_lock(&f->lock);
    begin_anew(f);
    f->op = op;
    f->fault = fault;
    f->at = n;
    (void)pthread_mutex_unlock(&f->lock);
}

void faultstore_random(ls_storage *s, uint64_t seed, unsigned permille, unsigned faults) {
    faultstore *f = (faultstore *)s;
    (void)pthread_mutex_lock(&f->lock);
    begin_anew(f);
    f->seed = seed * 0x9e3779b97f4a7c15 + 1;
    f->permille = permille;
    f->faults = faults;
    (void)pthread_mutex_unlock(&f->lock);
}

void faultstore_cancels(ls_storage *s, ls_cancel *cancel) {
    faultstore *f = (faultstore *)s;
    (void)pthread_mutex_lock(&f->lock);
    f->cancel = cancel;
    (void)pthread_mutex_unlock(&f->lock);
}

void faultstore_up(ls_storage *s) {
    faultstore *f = (faultstore *)s;
    (void)pthread_mutex_lock(&f->lock);
    begin_anew(f);
    (void)pthread_mutex_unlock(&f->lock);
}

bool faultstore_is_down(ls_storage *s) {
    faultstore *f = (faultstore *)s;
    (void)pthread_mutex_lock(&f->lock);
    bool down = f->down;
    (void)pthread_mutex_unlock(&f->lock);
    return down;
}

long faultstore_hits(ls_storage *s) {
    faultstore *f = (faultstore *)s;
    (void)pthread_mutex_lock(&f->lock);
    long hits = f->hits;
    (void)pthread_mutex_unlock(&f->lock);
    return hits;
}

long faultstore_requests(ls_storage *s, store_op op) {
    faultstore *f = (faultstore *)s;
    long n = 0;
    (void)pthread_mutex_lock(&f->lock);
    for (store_op i = STORE_LIST; i < STORE_OP_N; i++) {
        n += op == STORE_ANY || op == i ? f->requests[i] : 0;
    }
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}
