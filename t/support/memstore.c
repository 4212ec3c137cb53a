/* A store in memory; see memstore.h. Objects are sorted; their bytes are counted references. */
#include "t/support/memstore.h"

#include "engine/base/buf.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OBJECT_MAX ((size_t)1 << 32)
#define FIRST_ROOM 2048 /* for a file of unknown size; then it doubles */

/* The bytes of a file; never changed. */
typedef struct bytes {
    atomic_int refs;
    size_t len;
    char *data;
} bytes;

typedef struct object {
    ls_ltx_info info;
    bytes *bytes;
} object;

typedef struct memstore memstore;
struct memstore {
    ls_storage base;
    pthread_mutex_t lock;
    object *at; /* by level, MinTXID, MaxTXID */
    size_t n, cap;
    ls_mark mark; /* one, whatever its key; tag "": none */
    unsigned marks;
    memstore *marks_of; /* another store that it belongs to; NULL: this one */
    memstore_mark_hook hook;
    void *hook_arg;
};

static bytes *hold(bytes *b) {
    atomic_fetch_add(&b->refs, 1);
    return b;
}

static void let_go(bytes *b) {
    if (b != NULL && atomic_fetch_sub(&b->refs, 1) == 1) {
        free(b->data);
        free(b);
    }
}

/* Where file is or would be. */
static size_t find(const memstore *m, const ls_ltx_info *file, bool *found) {
    size_t low = 0;
    size_t high = m->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (ls_ltx_info_cmp(&m->at[mid].info, file) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    *found = low < m->n && ls_ltx_info_cmp(&m->at[low].info, file) == 0;
    return low;
}

static ls_code not_found(const ls_ltx_info *file, ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    return ls_fail(err, LS_ENOTFOUND, "open %s: not there", ls_storage_key(file, key));
}

/* ---- list: the names as they are when it begins ---- */

typedef struct mem_iter {
    ls_storage_iter base;
    size_t n, pos;
    ls_ltx_info files[];
} mem_iter;

static ls_code mem_next(ls_storage_iter *base, ls_ltx_info *file, bool *end, ls_err *err) {
    (void)err;
    mem_iter *it = (mem_iter *)base;
    *end = it->pos == it->n;
    if (!*end) {
        *file = it->files[it->pos++];
    }
    return LS_OK;
}

static void mem_iter_free(ls_storage_iter *it) { free(it); }

static ls_code mem_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **out,
                        ls_err *err) {
    memstore *m = (memstore *)s;
    bool found;
    const ls_ltx_info from = {.level = level, .min_txid = seek};
    const ls_ltx_info to = {.level = level + 1};
    (void)pthread_mutex_lock(&m->lock);
    size_t first = find(m, &from, &found);
    size_t n = find(m, &to, &found) - first;
    mem_iter *it = malloc(sizeof *it + n * sizeof it->files[0]);
    if (it != NULL) {
        it->base = (ls_storage_iter){.next = mem_next, .free = mem_iter_free};
        it->n = n;
        it->pos = 0;
        for (size_t i = 0; i < n; i++) {
            it->files[i] = m->at[first + i].info;
        }
        *out = &it->base;
    }
    (void)pthread_mutex_unlock(&m->lock);
    return it != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory to list level %d", level);
}

/* ---- open ---- */

typedef struct mem_reader {
    ls_reader base;
    bytes *bytes;
    size_t pos, end;
} mem_reader;

static ls_code mem_read(ls_reader *base, void *buf, size_t len, size_t *got, ls_err *err) {
    (void)err;
    mem_reader *r = (mem_reader *)base;
    *got = len < r->end - r->pos ? len : r->end - r->pos;
    if (*got > 0) {
        memcpy(buf, r->bytes->data + r->pos, *got);
    }
    r->pos += *got;
    return LS_OK;
}

static void mem_close(ls_reader *base) {
    mem_reader *r = (mem_reader *)base;
    let_go(r->bytes);
    free(r);
}

static bytes *take(memstore *m, const ls_ltx_info *file, ls_ltx_info *info) {
    bool found;
    (void)pthread_mutex_lock(&m->lock);
    size_t i = find(m, file, &found);
    bytes *b = found ? hold(m->at[i].bytes) : NULL;
    if (found) {
        *info = m->at[i].info;
    }
    (void)pthread_mutex_unlock(&m->lock);
    return b;
}

static ls_code mem_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                        ls_reader **out, ls_err *err) {
    ls_ltx_info info;
    bytes *b = take((memstore *)s, file, &info);
    if (b == NULL) {
        return not_found(file, err);
    }
    mem_reader *r = malloc(sizeof *r);
    if (r == NULL) {
        let_go(b);
        return ls_fail(err, LS_ENOMEM, "no memory to read a file");
    }
    size_t pos = off < b->len ? (size_t)off : b->len;
    size_t end = len == 0 || len > b->len - pos ? b->len : pos + (size_t)len;
    *r = (mem_reader){
        .base = {.read = mem_read, .close = mem_close}, .bytes = b, .pos = pos, .end = end};
    *out = &r->base;
    return LS_OK;
}

/* ---- put and copy ---- */

static ls_code header_time(const ls_buf *buf, int64_t *ms, ls_err *err) {
    ls_ltx_header h;
    ls_code rc = LS_OK;
    if (buf->len < LS_LTX_HEADER_SIZE) {
        rc = ls_fail(err, LS_EFORMAT, "%s", buf->len == 0 ? "EOF" : "unexpected EOF");
    } else {
        rc = ls_ltx_header_decode((const uint8_t *)buf->data, &h, err);
    }
    if (rc != LS_OK) {
        return ls_wrap(err, "extract timestamp from LTX header");
    }
    *ms = h.timestamp;
    return LS_OK;
}

static ls_code read_all(ls_reader *in, ls_buf *buf, ls_err *err) {
    size_t got = 1;
    ls_code rc = LS_OK;
    while (rc == LS_OK && got > 0) {
        size_t room = buf->len < FIRST_ROOM ? FIRST_ROOM : buf->len;
        rc = ls_buf_reserve(buf, room, err);
        if (rc == LS_OK) {
            rc = in->read(in, buf->data + buf->len, room, &got, err);
        }
        if (rc == LS_OK) {
            buf->len += got;
        }
    }
    return rc;
}

static bytes *bytes_of(ls_buf *buf) {
    bytes *b = malloc(sizeof *b);
    if (b == NULL) {
        return NULL;
    }
    b->len = buf->len;
    b->data = ls_buf_steal(buf);
    atomic_init(&b->refs, 1);
    if (b->data == NULL) {
        free(b);
        b = NULL;
    }
    return b;
}

/* Puts an object in place i, which is free. */
static ls_code insert(memstore *m, size_t i, const object *o, ls_err *err) {
    if (m->n == m->cap) {
        size_t cap = m->cap == 0 ? 64 : 2 * m->cap;
        object *at = realloc(m->at, cap * sizeof *at);
        if (at == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for %zu files", cap);
        }
        m->at = at;
        m->cap = cap;
    }
    memmove(m->at + i + 1, m->at + i, (m->n - i) * sizeof *m->at);
    m->at[i] = *o;
    m->n++;
    return LS_OK;
}

/* Takes a reference to b, or drops it where it fails. */
static ls_code keep(memstore *m, const ls_ltx_info *info, bytes *b, bool exclusive, ls_err *err) {
    const object o = {.info = *info, .bytes = b};
    bool found;
    ls_code rc = LS_OK;
    bytes *old = NULL;
    (void)pthread_mutex_lock(&m->lock);
    size_t i = find(m, info, &found);
    if (found && exclusive) {
        char key[LS_STORAGE_KEY_SIZE];
        rc = ls_fail(err, LS_EEXISTS, "%s exists already", ls_storage_key(info, key));
        old = b;
    } else if (found) {
        old = m->at[i].bytes;
        m->at[i] = o;
    } else {
        rc = insert(m, i, &o, err);
        old = rc == LS_OK ? NULL : b;
    }
    (void)pthread_mutex_unlock(&m->lock);
    let_go(old);
    return rc;
}

static ls_code mem_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                       ls_ltx_info *out, ls_err *err) {
    ls_buf buf;
    int64_t ms = 0;
    ls_buf_init(&buf, OBJECT_MAX);
    ls_code rc = read_all(in, &buf, err);
    if (rc == LS_OK) {
        rc = header_time(&buf, &ms, err);
    }
    bytes *b = rc == LS_OK ? bytes_of(&buf) : NULL;
    ls_buf_done(&buf);
    if (rc == LS_OK && b == NULL) {
        rc = ls_fail(err, LS_ENOMEM, "no memory for a file");
    }
    if (rc != LS_OK) {
        return rc;
    }
    *out = *file;
    out->size = b->len;
    out->created_ms = ms;
    return keep((memstore *)s, out, b, exclusive, err);
}

static ls_code mem_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                        bool exclusive, ls_ltx_info *out, ls_err *err) {
    memstore *m = (memstore *)s;
    bytes *b = take(m, from, out);
    if (b == NULL) {
        return not_found(from, err);
    }
    out->level = to->level;
    return keep(m, out, b, exclusive, err);
}

/* ---- remove ---- */

/* Marks a file as gone. */
static void unhook(memstore *m, const ls_ltx_info *file) {
    bool found;
    size_t i = find(m, file, &found);
    if (found) {
        let_go(m->at[i].bytes);
        m->at[i].bytes = NULL;
    }
}

static void close_ranks(memstore *m) {
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (m->at[i].bytes != NULL) {
            m->at[n++] = m->at[i];
        }
    }
    m->n = n;
}

static ls_code mem_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    (void)err;
    memstore *m = (memstore *)s;
    (void)pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < n; i++) {
        unhook(m, &files[i]);
    }
    close_ranks(m);
    (void)pthread_mutex_unlock(&m->lock);
    return LS_OK;
}

/* ---- marks ---- */

static ls_code asked(memstore *m, bool put, bool before, ls_err *err) {
    return m->hook != NULL ? m->hook(m->hook_arg, put, before, err) : LS_OK;
}

static ls_code mem_get_mark(ls_storage *s, const char *key, ls_mark *mark, ls_err *err) {
    memstore *m = (memstore *)s;
    memstore *at = m->marks_of != NULL ? m->marks_of : m;
    ls_code rc = asked(m, false, true, err);
    (void)pthread_mutex_lock(&at->lock);
    *mark = at->mark;
    (void)pthread_mutex_unlock(&at->lock);
    mark->age_ms = -1;
    mark->writer = LS_MARK_UNKNOWN;
    if (rc == LS_OK && mark->tag[0] == '\0') {
        rc = ls_fail(err, LS_ENOTFOUND, "%s: not there", key);
    }
    return rc == LS_OK ? asked(m, false, false, err) : rc;
}

static ls_code mem_put_mark(ls_storage *s, const char *key, ls_mark *mark, bool keep, ls_err *err) {
    memstore *m = (memstore *)s;
    memstore *at = m->marks_of != NULL ? m->marks_of : m;
    (void)keep;
    ls_code rc = asked(m, true, true, err);
    if (rc != LS_OK) {
        return rc;
    }
    (void)pthread_mutex_lock(&at->lock);
    if (strcmp(mark->tag, at->mark.tag) != 0) {
        rc = ls_fail(err, LS_EEXISTS, "%s was changed", key);
    } else {
        at->mark = *mark;
        (void)snprintf(at->mark.tag, sizeof at->mark.tag, "\"%u\"", ++at->marks);
        memcpy(mark->tag, at->mark.tag, sizeof mark->tag);
    }
    (void)pthread_mutex_unlock(&at->lock);
    return rc == LS_OK ? asked(m, true, false, err) : rc;
}

void memstore_share_mark(ls_storage *s, ls_storage *with) {
    ((memstore *)s)->marks_of = (memstore *)with;
}

void memstore_hook_mark(ls_storage *s, memstore_mark_hook hook, void *arg) {
    ((memstore *)s)->hook = hook;
    ((memstore *)s)->hook_arg = arg;
}

void memstore_set_mark(ls_storage *s, const char *text) {
    memstore *m = (memstore *)s;
    (void)pthread_mutex_lock(&m->lock);
    m->mark = (ls_mark){.len = strlen(text)};
    if (m->mark.len > 0) {
        (void)snprintf(m->mark.text, sizeof m->mark.text, "%s", text);
        (void)snprintf(m->mark.tag, sizeof m->mark.tag, "\"%u\"", ++m->marks);
    }
    (void)pthread_mutex_unlock(&m->lock);
}

/* ---- making and freeing ---- */

static void mem_free(ls_storage *s) {
    memstore *m = (memstore *)s;
    for (size_t i = 0; i < m->n; i++) {
        let_go(m->at[i].bytes);
    }
    (void)pthread_mutex_destroy(&m->lock);
    free(m->at);
    free(m->base.url);
    free(m);
}

#define MEM_OPS                                                                                    \
    .type = "memory", .list = mem_list, .open = mem_open, .put = mem_put, .remove = mem_remove,    \
    .get_mark = mem_get_mark, .put_mark = mem_put_mark, .free = mem_free

static const ls_storage_ops mem_ops = {MEM_OPS, .copy = mem_copy};
static const ls_storage_ops mem_ops_without_copy = {MEM_OPS};

ls_storage *memstore_new(bool copies) {
    memstore *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&m->lock, NULL);
    m->base.ops = copies ? &mem_ops : &mem_ops_without_copy;
    m->base.url = strdup("memory://test");
    return &m->base;
}

ls_storage *memstore_clone(ls_storage *s) {
    memstore *from = (memstore *)s;
    memstore *to = (memstore *)memstore_new(s->ops->copy != NULL);
    ls_err err = LS_ERR_INIT;
    if (to == NULL) {
        return NULL;
    }
    (void)pthread_mutex_lock(&from->lock);
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && i < from->n; i++) {
        const object o = {.info = from->at[i].info, .bytes = hold(from->at[i].bytes)};
        rc = insert(to, i, &o, &err);
    }
    (void)pthread_mutex_unlock(&from->lock);
    return &to->base;
}

size_t memstore_count(ls_storage *s, int level, uint64_t *bytes_out) {
    memstore *m = (memstore *)s;
    size_t n = 0;
    uint64_t sum = 0;
    (void)pthread_mutex_lock(&m->lock);
    for (size_t i = 0; i < m->n; i++) {
        if (m->at[i].info.level == level) {
            n++;
            sum += m->at[i].info.size;
        }
    }
    (void)pthread_mutex_unlock(&m->lock);
    if (bytes_out != NULL) {
        *bytes_out = sum;
    }
    return n;
}
