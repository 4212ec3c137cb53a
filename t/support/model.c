/* A database that is only modelled; see model.h. */
#include "t/support/model.h"

#include "engine/ltx/decoder.h"
#include "engine/ltx/encoder.h"
#include "engine/restore/restore.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 30)

typedef struct step {
    int64_t time_ms;
    uint32_t commit, page_size;
} step;

/* The TXIDs that changed a page, ascending. */
typedef struct page {
    ls_txid *at;
    size_t n, cap;
} page;

struct model {
    uint64_t seed, id;
    ls_txid txid;
    step *steps; /* of TXID 1 and up at 1 and up */
    size_t cap;
    page pages[MODEL_PAGES_MAX];
};

static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t model_random(model *m) { return mix(m->seed += 0x9e3779b97f4a7c15u); }

model *model_new(uint64_t seed, uint32_t page_size) {
    model *m = calloc(1, sizeof *m);
    step *steps = calloc(64, sizeof *steps);
    if (m == NULL || steps == NULL) {
        free(m);
        free(steps);
        return NULL;
    }
    m->seed = m->id = mix(seed + 1);
    m->steps = steps;
    m->cap = 64;
    m->steps[0].page_size = page_size;
    return m;
}

void model_free(model *m) {
    for (size_t i = 0; i < MODEL_PAGES_MAX; i++) {
        free(m->pages[i].at);
    }
    free(m->steps);
    free(m);
}

ls_txid model_txid(const model *m) { return m->txid; }
uint32_t model_commit(const model *m) { return m->steps[m->txid].commit; }
int64_t model_time(const model *m, ls_txid txid) { return m->steps[txid].time_ms; }

/* ---- changes ---- */

static ls_code no_memory(ls_err *err) { return ls_fail(err, LS_ENOMEM, "no memory for the model"); }

/* The newest TXID changes a page. */
static ls_code change(model *m, uint32_t pgno, ls_err *err) {
    page *p = &m->pages[pgno - 1];
    if (p->n > 0 && p->at[p->n - 1] == m->txid) {
        return LS_OK;
    }
    if (p->n == p->cap) {
        size_t cap = p->cap == 0 ? 8 : 2 * p->cap;
        ls_txid *at = realloc(p->at, cap * sizeof *at);
        if (at == NULL) {
            return no_memory(err);
        }
        p->at = at;
        p->cap = cap;
    }
    p->at[p->n++] = m->txid;
    return LS_OK;
}

static ls_code begin_step(model *m, const step *s, ls_err *err) {
    if (s->commit == 0 || s->commit > MODEL_PAGES_MAX) {
        return ls_fail(err, LS_EINVALID, "a model of %u pages", s->commit);
    }
    if (m->txid + 2 > m->cap) {
        step *steps = realloc(m->steps, 2 * m->cap * sizeof *steps);
        if (steps == NULL) {
            return no_memory(err);
        }
        m->steps = steps;
        m->cap *= 2;
    }
    m->steps[++m->txid] = *s;
    return LS_OK;
}

ls_code model_step(model *m, int64_t time_ms, uint32_t commit, uint32_t n, ls_err *err) {
    const step before = m->steps[m->txid];
    const step s = {.time_ms = time_ms, .commit = commit, .page_size = before.page_size};
    ls_code rc = begin_step(m, &s, err);
    for (uint32_t pgno = before.commit + 1; rc == LS_OK && pgno <= commit; pgno++) {
        rc = change(m, pgno, err);
    }
    for (uint32_t i = 0; rc == LS_OK && i < n; i++) {
        rc = change(m, 1 + (uint32_t)(model_random(m) % commit), err);
    }
    return rc == LS_OK ? change(m, 1, err) : rc;
}

ls_code model_vacuum(model *m, int64_t time_ms, uint32_t page_size, ls_err *err) {
    const step s = {.time_ms = time_ms, .commit = m->steps[m->txid].commit, .page_size = page_size};
    ls_code rc = begin_step(m, &s, err);
    for (uint32_t pgno = 1; rc == LS_OK && pgno <= s.commit; pgno++) {
        rc = change(m, pgno, err);
    }
    return rc;
}

/* ---- pages ---- */

/* The TXID that last changed a page, up to txid; 0: none. */
static ls_txid version(const model *m, uint32_t pgno, ls_txid txid) {
    const page *p = &m->pages[pgno - 1];
    size_t low = 0;
    size_t high = p->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (p->at[mid] <= txid) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low == 0 ? 0 : p->at[low - 1];
}

/* Compresses, and differs from any other page and version. Page 1 begins as SQLite's does. */
static void fill(const model *m, uint32_t pgno, ls_txid at, uint32_t page_size, uint8_t *data) {
    uint64_t word = mix(m->id + mix(pgno + mix(at)));
    for (uint32_t i = 0; i < page_size; i += 8) {
        uint64_t piece = i % 128 < 32 ? mix(word + i) : word;
        memcpy(data + i, &piece, sizeof piece);
    }
    if (pgno == 1) {
        memcpy(data, "SQLite format 3", 16);
        data[16] = (uint8_t)(page_size >> 8);
        data[17] = page_size == 65536 ? 1 : 0;
    }
}

/* ---- files ---- */

static ls_ltx_header header_of(const model *m, ls_txid min, ls_txid max) {
    return (ls_ltx_header){.flags = LS_LTX_FLAG_NO_CHECKSUM,
                           .page_size = m->steps[max].page_size,
                           .commit = m->steps[max].commit,
                           .min_txid = min,
                           .max_txid = max,
                           .timestamp = m->steps[max].time_ms};
}

ls_code model_encode(const model *m, ls_txid min, ls_txid max, ls_buf *out, ls_err *err) {
    uint8_t data[LS_LTX_MAX_PAGE_SIZE];
    const ls_ltx_header h = header_of(m, min, max);
    ls_buf_writer w;
    ls_ltx_encoder *enc = NULL;
    ls_buf_writer_init(&w, out);
    ls_code rc = ls_ltx_encoder_new(&w.base, &h, NULL, &enc, err);
    for (uint32_t pgno = 1; rc == LS_OK && pgno <= h.commit; pgno++) {
        ls_txid at = version(m, pgno, max);
        if (at >= min) {
            fill(m, pgno, at, h.page_size, data);
            rc = ls_ltx_encoder_page(enc, pgno, data, h.page_size, err);
        }
    }
    if (rc == LS_OK) {
        rc = ls_ltx_encoder_close(enc, 0, NULL, err);
    }
    ls_ltx_encoder_free(enc);
    return rc;
}

ls_code model_put(const model *m, ls_storage *s, int level, ls_txid min, ls_txid max, ls_err *err) {
    ls_buf buf;
    ls_buf_init(&buf, FILE_MAX);
    ls_code rc = model_encode(m, min, max, &buf, err);
    if (rc == LS_OK) {
        const ls_ltx_info file = {
            .level = level, .min_txid = min, .max_txid = max, .size = buf.len};
        ls_reader *in = ls_mem_reader_new(buf.data, buf.len);
        rc = in == NULL ? no_memory(err) : ls_storage_put(s, &file, in, true, NULL, err);
        ls_reader_close(in);
    }
    ls_buf_done(&buf);
    return rc;
}

/* ---- comparing ---- */

static ls_code check_header(const model *m, const ls_ltx_info *file, const ls_ltx_header *h,
                            ls_err *err) {
    if (file->max_txid > m->txid || h->min_txid != file->min_txid ||
        h->max_txid != file->max_txid) {
        return ls_fail(err, LS_ECORRUPT, "not the TXIDs of its name");
    }
    const ls_ltx_header want = header_of(m, file->min_txid, file->max_txid);
    if (h->commit != want.commit || h->page_size != want.page_size ||
        h->timestamp != want.timestamp) {
        return ls_fail(err, LS_ECORRUPT, "commit, page size or time is another");
    }
    return LS_OK;
}

/* The next page from pgno on that the file must have; 0: none. */
static uint32_t next_page(const model *m, const ls_ltx_header *h, uint32_t pgno) {
    for (; pgno <= h->commit; pgno++) {
        if (version(m, pgno, h->max_txid) >= h->min_txid) {
            return pgno;
        }
    }
    return 0;
}

static ls_code check_page(const model *m, const ls_ltx_header *h, uint32_t pgno,
                          const uint8_t *data, ls_err *err) {
    uint8_t want[LS_LTX_MAX_PAGE_SIZE];
    ls_txid at = version(m, pgno, h->max_txid);
    fill(m, pgno, at, h->page_size, want);
    return memcmp(want, data, h->page_size) == 0
               ? LS_OK
               : ls_fail(err, LS_ECORRUPT, "page %u is not that of TXID %" PRIx64, pgno, at);
}

static ls_code check_pages(const model *m, ls_ltx_decoder *dec, const ls_ltx_header *h,
                           ls_err *err) {
    for (uint32_t pgno = 1;; pgno++) {
        ls_ltx_page p;
        bool end;
        ls_code rc = ls_ltx_decoder_next(dec, &p, &end, err);
        if (rc != LS_OK) {
            return rc;
        }
        pgno = next_page(m, h, pgno);
        if (end && pgno == 0) {
            return ls_ltx_decoder_close(dec, NULL, err);
        }
        if (end || p.pgno != pgno) {
            return ls_fail(err, LS_ECORRUPT, "page %u is missing, or one too many", pgno);
        }
        rc = check_page(m, h, pgno, p.data, err);
        if (rc != LS_OK) {
            return rc;
        }
    }
}

ls_code model_check_file(const model *m, ls_storage *s, const ls_ltx_info *file, ls_err *err) {
    ls_reader *in = NULL;
    ls_ltx_decoder *dec = NULL;
    ls_ltx_header h;
    char key[LS_STORAGE_KEY_SIZE];
    ls_code rc = ls_storage_open_range(s, file, 0, 0, &in, err);
    if (rc == LS_OK) {
        rc = ls_ltx_decoder_new(in, &h, &dec, err);
    }
    if (rc == LS_OK) {
        rc = check_header(m, file, &h, err);
    }
    if (rc == LS_OK) {
        rc = check_pages(m, dec, &h, err);
    }
    ls_ltx_decoder_free(dec);
    ls_reader_close(in);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "%s", ls_storage_key(file, key));
}

static ls_code check_level(const model *m, ls_storage *s, int level, ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_code rc = ls_storage_list(s, level, 0, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info file;
        rc = ls_storage_iter_next(it, &file, &end, err);
        if (rc == LS_OK && !end) {
            rc = model_check_file(m, s, &file, err);
        }
    }
    ls_storage_iter_free(it);
    return rc;
}

ls_code model_check_files(const model *m, ls_storage *s, ls_err *err) {
    ls_code rc = LS_OK;
    for (int level = 0; rc == LS_OK && level <= LS_LTX_LEVEL_MAX; level++) {
        rc = check_level(m, s, level, err);
    }
    return rc;
}

static ls_code check_image(const model *m, ls_txid txid, int fd, ls_err *err) {
    const step *st = &m->steps[txid];
    const ls_ltx_header h = header_of(m, 1, txid);
    size_t size = (size_t)st->commit * st->page_size;
    size_t got = 0;
    uint8_t *data = malloc(size + 1);
    ls_code rc =
        data == NULL ? no_memory(err) : ls_pread_full(fd, data, size + 1, 0, &got, "restored", err);
    if (rc == LS_OK && got != size) {
        rc = ls_fail(err, LS_ECORRUPT, "%zu bytes instead of %zu", got, size);
    }
    for (uint32_t pgno = 1; rc == LS_OK && pgno <= st->commit; pgno++) {
        rc = check_page(m, &h, pgno, data + (size_t)(pgno - 1) * st->page_size, err);
    }
    free(data);
    return rc;
}

ls_code model_check_restore(const model *m, ls_storage *s, ls_txid txid, ls_err *err) {
    const ls_restore_opts opts = {.parallelism = 1, .timestamp_ms = LS_NO_TIMESTAMP};
    ls_plan plan = {0};
    ls_restore_result result;
    int fd = memfd_create("restored", MFD_CLOEXEC);
    if (fd < 0) {
        return ls_fail(err, LS_EIO, "no file in memory");
    }
    ls_code rc = ls_plan_make(s, txid, LS_NO_TIMESTAMP, &plan, err);
    if (rc == LS_OK) {
        rc = ls_rebuild(s, &plan, fd, "restored", &opts, &result, err);
    }
    if (rc == LS_OK) {
        rc = check_image(m, txid, fd, err);
    }
    ls_plan_done(&plan);
    (void)close(fd);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "restore TXID %" PRIx64, txid);
}
