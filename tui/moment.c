/* Pages of a database at a TXID: see moment.h. */
#include "tui/moment.h"

#include "tui/btree_bytes.h"

#include <stdlib.h>
#include <string.h>

typedef struct loaded {
    size_t file;
    file_detail detail;
} loaded;

struct moment {
    source *source;
    const snapshot *snap;
    const ls_cancel *cancel;
    size_t *files; /* newest first; owned */
    size_t n;
    loaded *loaded; /* the first n_loaded of them; owned */
    size_t n_loaded, entries, reads;
    btree_db db;
};

static ls_code load_next(moment *m, ls_err *err) {
    loaded *l = &m->loaded[m->n_loaded];
    l->file = m->files[m->n_loaded];
    ls_code rc = source_index(m->source, m->snap, l->file, &l->detail, err);
    if (rc != LS_OK) {
        return rc;
    }
    m->n_loaded++;
    m->entries += l->detail.n;
    if (l->detail.err.code != LS_OK) {
        *err = l->detail.err;
        return err->code;
    }
    if (m->entries > MOMENT_MAX_PAGES) {
        return ls_fail(err, LS_ELIMIT, "more than %u pages", MOMENT_MAX_PAGES);
    }
    if (m->n_loaded > 1 && l->detail.header.page_size != m->db.page_size) {
        return ls_fail(err, LS_ECORRUPT, "its pages have %u bytes", l->detail.header.page_size);
    }
    return LS_OK;
}

static const page_row *find_row(const file_detail *d, uint32_t pgno) {
    size_t lo = 0, hi = d->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (d->pages[mid].pgno == pgno) {
            return &d->pages[mid];
        }
        if (d->pages[mid].pgno < pgno) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return NULL;
}

ls_code moment_page(moment *m, uint32_t pgno, uint8_t *page, page_place *place, ls_err *err) {
    for (size_t i = 0; i < m->n && pgno <= m->db.pages; i++) {
        if (ls_canceled(m->cancel)) {
            return ls_fail(err, LS_ECANCELED, "given up");
        }
        ls_code rc = i == m->n_loaded ? load_next(m, err) : LS_OK;
        if (rc != LS_OK) {
            return rc;
        }
        const loaded *l = &m->loaded[i];
        const page_row *row = find_row(&l->detail, pgno);
        if (row == NULL) {
            continue;
        }
        if (place != NULL) {
            *place = (page_place){.file = l->file, .row = *row, .header = l->detail.header};
        }
        m->reads++;
        return source_page(m->source, m->snap, l->file, row, m->db.page_size, page, err);
    }
    return ls_fail(err, LS_ENOTFOUND, "page %u is not there", pgno);
}

/* Page 1 says how text is encoded; where it cannot be had, what is true of most databases counts.
 */
static ls_code read_db(moment *m, ls_err *err) {
    ls_code rc = load_next(m, err);
    if (rc != LS_OK) {
        return rc;
    }
    const ls_ltx_header *h = &m->loaded[0].detail.header;
    m->db = btree_db_plain(h->page_size);
    m->db.pages = h->commit;
    uint8_t *page = malloc(h->page_size);
    if (page == NULL) {
        return ls_fail(err, LS_ENOMEM, "read page 1");
    }
    btree_db db;
    rc = moment_page(m, 1, page, NULL, err);
    if (rc == LS_OK && btree_db_read(page, h->page_size, &db)) {
        m->db = db;
        m->db.pages = h->commit;
    } else if (rc == LS_ENOTFOUND) {
        ls_err_clear(err);
        rc = LS_OK;
    }
    free(page);
    return rc;
}

static ls_code moment_new(source *s, const snapshot *snap, size_t n, const ls_cancel *cancel,
                          moment **out, ls_err *err) {
    moment *m = calloc(1, sizeof(*m));
    *out = m;
    if (m == NULL) {
        return ls_fail(err, LS_ENOMEM, "open a moment");
    }
    *m = (moment){.source = s, .snap = snap, .cancel = cancel, .n = n};
    m->files = calloc(n + 1, sizeof(*m->files));
    m->loaded = calloc(n + 1, sizeof(*m->loaded));
    return m->files == NULL || m->loaded == NULL ? ls_fail(err, LS_ENOMEM, "open a moment") : LS_OK;
}

static ls_code finish(moment **m, ls_code rc, ls_err *err) {
    if (rc == LS_OK) {
        rc = read_db(*m, err);
    }
    if (rc != LS_OK) {
        moment_free(*m);
        *m = NULL;
    }
    return rc;
}

ls_code moment_open(source *s, const snapshot *snap, ls_txid txid, const ls_cancel *cancel,
                    moment **m, ls_err *err) {
    ls_plan plan = {0};
    *m = NULL;
    ls_code rc = snapshot_plan(snap, txid, LS_NO_TIMESTAMP, &plan, err);
    if (rc == LS_OK) {
        rc = moment_new(s, snap, plan.n, cancel, m, err);
    }
    for (size_t i = 0; rc == LS_OK && i < plan.n; i++) {
        (*m)->files[i] = snapshot_find(snap, &plan.files[plan.n - 1 - i]);
    }
    ls_plan_done(&plan);
    return finish(m, rc, err);
}

ls_code moment_of_file(source *s, const snapshot *snap, size_t file, const ls_cancel *cancel,
                       moment **m, ls_err *err) {
    ls_code rc = moment_new(s, snap, 1, cancel, m, err);
    if (rc == LS_OK) {
        (*m)->files[0] = file;
    }
    return finish(m, rc, err);
}

void moment_free(moment *m) {
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < m->n_loaded; i++) {
        detail_done(&m->loaded[i].detail);
    }
    free(m->loaded);
    free(m->files);
    free(m);
}

const btree_db *moment_db(const moment *m) { return &m->db; }

size_t moment_reads(const moment *m) { return m->reads; }

/* The chain has no more pages than the record needs, so that a ring ends too. */
static ls_code read_chain(moment *m, uint32_t pgno, uint8_t *buf, size_t want, size_t *len,
                          ls_err *err) {
    uint32_t here = m->db.usable - 4;
    uint8_t *page = malloc(m->db.page_size);
    if (page == NULL) {
        return ls_fail(err, LS_ENOMEM, "read an overflow page");
    }
    ls_code rc = LS_OK;
    while (rc == LS_OK && pgno != 0 && *len < want) {
        rc = moment_page(m, pgno, page, NULL, err);
        if (rc == LS_OK) {
            size_t part = want - *len < here ? want - *len : here;
            memcpy(buf + *len, page + 4, part);
            *len += part;
            pgno = btree_u32(page);
        }
    }
    free(page);
    if (rc == LS_ENOTFOUND) {
        ls_err_clear(err);
        rc = LS_OK;
    }
    return rc;
}

ls_code moment_payload(moment *m, const btree_cell *cell, uint8_t *buf, size_t max, size_t *len,
                       ls_err *err) {
    size_t want = cell->payload < max ? (size_t)cell->payload : max;
    *len = 0;
    if (!cell->has_record) {
        return LS_OK;
    }
    *len = cell->local < want ? cell->local : want;
    memcpy(buf, cell->record, *len);
    return read_chain(m, cell->overflow, buf, want, len, err);
}
