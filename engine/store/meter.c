/* A store that counts what is asked of it: see meter.h. */
#include "engine/store/meter.h"

#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <stdlib.h>
#include <string.h>

typedef struct metered {
    ls_storage base;
    ls_storage_ops ops;
    ls_storage *inner;
    ls_meter *meter;
    ls_levels *levels; /* may be NULL */
} metered;

static metered *of(ls_storage *s) { return (metered *)(void *)s; }

static int64_t now(void) { return ls_mono_ns(&ls_clock_system); }

/* ---- Requests ---- */

static const int64_t ends_ms[LS_OP_BUCKETS] = {10, 50, 100, 500, 1000, 5000, 10000, 30000, 60000};

void ls_meter_init(ls_meter *meter) {
    *meter = (ls_meter){.n = 0};
    (void)pthread_mutex_init(&meter->mutex, NULL);
}

void ls_meter_done(ls_meter *meter) { (void)pthread_mutex_destroy(&meter->mutex); }

/* NULL: there are more types of stores than there is room for. With the mutex held. */
static ls_op_total *total_of(ls_meter *meter, const char *type, ls_store_op op) {
    for (size_t i = 0; i < meter->n; i++) {
        if (meter->ops[i].op == op && strcmp(meter->ops[i].replica_type, type) == 0) {
            return &meter->ops[i];
        }
    }
    if (meter->n == LS_OP_TOTALS_MAX) {
        return NULL;
    }
    meter->ops[meter->n] = (ls_op_total){.replica_type = type, .op = op};
    return &meter->ops[meter->n++];
}

static void count(const metered *m, ls_store_op op, int64_t ns, uint64_t bytes, ls_code rc) {
    (void)pthread_mutex_lock(&m->meter->mutex);
    ls_op_total *t = total_of(m->meter, m->inner->ops->type, op);
    if (t != NULL) {
        t->count++;
        t->bytes += bytes;
        t->ns += ns;
        for (int i = 0; i < LS_OP_BUCKETS; i++) {
            t->within[i] += ns <= ends_ms[i] * LS_MS;
        }
        t->failed[rc] += rc != LS_OK;
    }
    (void)pthread_mutex_unlock(&m->meter->mutex);
}

void ls_meter_read(ls_meter *meter, ls_totals *totals) {
    (void)pthread_mutex_lock(&meter->mutex);
    memcpy(totals->ops, meter->ops, meter->n * sizeof(meter->ops[0]));
    totals->n_ops = meter->n;
    (void)pthread_mutex_unlock(&meter->mutex);
}

/* ---- Levels ---- */

void ls_levels_init(ls_levels *l) {
    *l = (ls_levels){.listed_ms = -1};
    (void)pthread_mutex_init(&l->mutex, NULL);
}

void ls_levels_done(ls_levels *l) { (void)pthread_mutex_destroy(&l->mutex); }

static void add_file(ls_level_state *s, const ls_ltx_info *file) {
    s->first = s->files == 0 || file->min_txid < s->first ? file->min_txid : s->first;
    s->last = file->max_txid > s->last ? file->max_txid : s->last;
    s->oldest_ms =
        s->files == 0 || file->created_ms < s->oldest_ms ? file->created_ms : s->oldest_ms;
    s->newest_ms =
        s->files == 0 || file->created_ms > s->newest_ms ? file->created_ms : s->newest_ms;
    s->files++;
    s->bytes += file->size;
}

/* Files are deleted from the front: what is left begins behind them, and is younger. */
static void remove_file(ls_level_state *s, const ls_ltx_info *file) {
    s->bytes -= file->size < s->bytes ? file->size : s->bytes;
    s->files -= s->files > 0;
    if (s->files == 0) {
        *s = (ls_level_state){.oldest_ms = -1, .newest_ms = -1};
    } else if (file->max_txid < s->last) {
        s->first = file->max_txid >= s->first ? file->max_txid + 1 : s->first;
        s->oldest_ms = file->created_ms > s->oldest_ms ? file->created_ms : s->oldest_ms;
    }
}

static void changed(const metered *m, const ls_ltx_info *file,
                    void (*how)(ls_level_state *, const ls_ltx_info *)) {
    ls_levels *l = m->levels;
    if (l != NULL) {
        (void)pthread_mutex_lock(&l->mutex);
        l->changes[file->level]++;
        if (l->known[file->level]) {
            how(&l->levels[file->level], file);
        }
        (void)pthread_mutex_unlock(&l->mutex);
    }
}

/* A listing of all of a level has ended; since: changes when it began. One beside which something
 * was changed may or may not show that. */
static void listed(ls_levels *l, int level, const ls_level_state *found, uint64_t since) {
    (void)pthread_mutex_lock(&l->mutex);
    if (l->changes[level] == since || !l->known[level]) {
        l->levels[level] = *found;
        l->known[level] = true;
    }
    l->listed_ms = ls_wall_ms(&ls_clock_system);
    (void)pthread_mutex_unlock(&l->mutex);
}

void ls_levels_read(ls_levels *l, ls_level_state to[LS_LTX_LEVEL_MAX + 1], int64_t *at_ms) {
    (void)pthread_mutex_lock(&l->mutex);
    *at_ms = l->listed_ms;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        to[level] = l->levels[level];
        *at_ms = l->known[level] ? *at_ms : -1;
    }
    (void)pthread_mutex_unlock(&l->mutex);
}

/* ---- Listing ---- */

typedef struct metered_iter {
    ls_storage_iter base;
    ls_storage_iter *inner;
    metered *store;
    int level;
    bool whole;
    uint64_t since;
    ls_level_state found;
    int64_t ns; /* waited for the store */
    ls_code rc;
} metered_iter;

static ls_code iter_next(ls_storage_iter *it, ls_ltx_info *file, bool *end, ls_err *err) {
    metered_iter *mi = (metered_iter *)(void *)it;
    int64_t begin = now();
    mi->rc = ls_storage_iter_next(mi->inner, file, end, err);
    mi->ns += now() - begin;
    if (mi->rc == LS_OK && !*end) {
        add_file(&mi->found, file);
    } else if (mi->rc == LS_OK && mi->whole && mi->store->levels != NULL) {
        listed(mi->store->levels, mi->level, &mi->found, mi->since);
    }
    return mi->rc;
}

static void iter_free(ls_storage_iter *it) {
    metered_iter *mi = (metered_iter *)(void *)it;
    ls_storage_iter_free(mi->inner);
    count(mi->store, LS_OP_LIST, mi->ns, 0, mi->rc);
    free(mi);
}

static uint64_t changes_of(ls_levels *l, int level) {
    if (l == NULL) {
        return 0;
    }
    (void)pthread_mutex_lock(&l->mutex);
    uint64_t n = l->changes[level];
    (void)pthread_mutex_unlock(&l->mutex);
    return n;
}

static ls_code metered_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it,
                            ls_err *err) {
    metered *m = of(s);
    metered_iter *mi = calloc(1, sizeof(*mi));
    if (mi == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to list level %d", level);
    }
    int64_t begin = now();
    *mi = (metered_iter){.base = {.next = iter_next, .free = iter_free},
                         .store = m,
                         .level = level,
                         .whole = seek <= 1,
                         .since = changes_of(m->levels, level),
                         .found = {.oldest_ms = -1, .newest_ms = -1}};
    ls_code rc = ls_storage_list(m->inner, level, seek, &mi->inner, err);
    mi->ns = now() - begin;
    if (rc != LS_OK) {
        count(m, LS_OP_LIST, mi->ns, 0, rc);
        free(mi);
        return rc;
    }
    *it = &mi->base;
    return LS_OK;
}

/* ---- Reading ---- */

typedef struct metered_reader {
    ls_reader base;
    ls_reader *inner;
    const metered *store;
    int64_t ns;
    uint64_t bytes;
    ls_code rc;
} metered_reader;

static ls_code reader_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    metered_reader *mr = (metered_reader *)(void *)r;
    int64_t begin = now();
    ls_code rc = mr->inner->read(mr->inner, buf, len, got, err);
    mr->ns += now() - begin;
    mr->bytes += rc == LS_OK ? *got : 0;
    mr->rc = rc != LS_OK ? rc : mr->rc;
    return rc;
}

static void reader_close(ls_reader *r) {
    metered_reader *mr = (metered_reader *)(void *)r;
    ls_reader_close(mr->inner);
    count(mr->store, LS_OP_GET, mr->ns, mr->bytes, mr->rc);
    free(mr);
}

/* Takes inner over; ns: what its opening took. */
static ls_code wrap_reader(const metered *m, ls_reader *inner, int64_t ns, ls_reader **r,
                           ls_err *err) {
    metered_reader *mr = calloc(1, sizeof(*mr));
    if (mr == NULL) {
        ls_reader_close(inner);
        return ls_fail(err, LS_ENOMEM, "no memory to read a file");
    }
    *mr = (metered_reader){
        .base = {.read = reader_read, .close = reader_close}, .inner = inner, .store = m, .ns = ns};
    *r = &mr->base;
    return LS_OK;
}

static ls_code opened(const metered *m, ls_code rc, int64_t begin, ls_reader *inner, ls_reader **r,
                      ls_err *err) {
    int64_t ns = now() - begin;
    if (rc == LS_OK) {
        return wrap_reader(m, inner, ns, r, err);
    }
    count(m, LS_OP_GET, ns, 0, rc);
    return rc;
}

static ls_code metered_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                            ls_reader **r, ls_err *err) {
    ls_reader *inner = NULL;
    int64_t begin = now();
    ls_code rc = ls_storage_open_range(of(s)->inner, file, off, len, &inner, err);
    return opened(of(s), rc, begin, inner, r, err);
}

static ls_code metered_open_object(ls_storage *s, const char *key, uint64_t off, uint64_t len,
                                   ls_reader **r, ls_err *err) {
    ls_reader *inner = NULL;
    int64_t begin = now();
    ls_code rc = ls_storage_open_object(of(s)->inner, key, off, len, &inner, err);
    return opened(of(s), rc, begin, inner, r, err);
}

static ls_code metered_each_object(ls_storage *s, const char *folder, ls_object_fn fn, void *arg,
                                   ls_err *err) {
    int64_t begin = now();
    ls_code rc = ls_storage_each_object(of(s)->inner, folder, fn, arg, err);
    count(of(s), LS_OP_LIST, now() - begin, 0, rc);
    return rc;
}

/* ---- Writing ---- */

static ls_code written(const metered *m, ls_store_op op, ls_code rc, int64_t begin,
                       const ls_ltx_info *file, const ls_ltx_info *out) {
    count(m, op, now() - begin, rc == LS_OK && op == LS_OP_PUT ? out->size : 0, rc);
    if (rc == LS_OK) {
        ls_ltx_info put = *file;
        put.size = out->size;
        put.created_ms = out->created_ms;
        changed(m, &put, add_file);
    }
    return rc;
}

static ls_code metered_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                           ls_ltx_info *out, ls_err *err) {
    int64_t begin = now();
    ls_code rc = ls_storage_put(of(s)->inner, file, in, exclusive, out, err);
    return written(of(s), LS_OP_PUT, rc, begin, file, out);
}

static ls_code metered_put_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                                bool exclusive, ls_ltx_info *out, ls_err *err) {
    int64_t begin = now();
    ls_code rc = ls_storage_put_file(of(s)->inner, file, path, exclusive, out, err);
    return written(of(s), LS_OP_PUT, rc, begin, file, out);
}

/* One that the store cannot make was not asked of it. */
static ls_code metered_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                            bool exclusive, ls_ltx_info *out, ls_err *err) {
    int64_t begin = now();
    ls_code rc = ls_storage_copy(of(s)->inner, from, to, exclusive, out, err);
    return rc == LS_EUNSUPPORTED ? rc : written(of(s), LS_OP_COPY, rc, begin, to, out);
}

static ls_code metered_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    int64_t begin = now();
    ls_code rc = ls_storage_remove(of(s)->inner, files, n, err);
    count(of(s), LS_OP_DELETE, now() - begin, 0, rc);
    for (size_t i = 0; rc == LS_OK && i < n; i++) {
        changed(of(s), &files[i], remove_file);
    }
    return rc;
}

/* A request that sends nothing but what is told of a file. */
static ls_code metered_exact(ls_storage *s, ls_ltx_info *file, ls_err *err) {
    ls_storage *inner = of(s)->inner;
    int64_t begin = now();
    ls_code rc = inner->ops->exact(inner, file, err);
    count(of(s), LS_OP_GET, now() - begin, 0, rc);
    return rc;
}

/* ---- Life ---- */

static void metered_free(ls_storage *s) {
    ls_storage_free(of(s)->inner);
    free(s->url);
    free(s);
}

ls_code ls_metered_new(ls_storage *inner, ls_meter *meter, ls_levels *levels, ls_storage **out,
                       ls_err *err) {
    metered *m = calloc(1, sizeof(*m));
    char *url = strdup(ls_storage_url(inner));
    if (m == NULL || url == NULL) {
        free(m);
        free(url);
        ls_storage_free(inner);
        return ls_fail(err, LS_ENOMEM, "no memory for a store");
    }
    const ls_storage_ops *ops = inner->ops;
    m->ops = (ls_storage_ops){.type = ops->type,
                              .list = metered_list,
                              .open = metered_open,
                              .put = metered_put,
                              .put_file = metered_put_file,
                              .copy = metered_copy,
                              .remove = metered_remove,
                              .exact = ops->exact == NULL ? NULL : metered_exact,
                              .each_object = ops->each_object == NULL ? NULL : metered_each_object,
                              .open_object = ops->open_object == NULL ? NULL : metered_open_object,
                              .free = metered_free};
    m->base = (ls_storage){.ops = &m->ops, .url = url};
    m->inner = inner;
    m->meter = meter;
    m->levels = levels;
    *out = &m->base;
    return LS_OK;
}
