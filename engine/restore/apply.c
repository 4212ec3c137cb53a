/*
 * A verified LTX file into a live database; see apply.h.
 *
 * Two passes. The first, in RESERVED, decodes and verifies the file, marks the pages that differ
 * from the database, and puts what they replace into the journal. The second, in EXCLUSIVE, writes
 * the marked pages, sets the size, syncs. Then the journal is deleted: that is the commit.
 */
#include "engine/restore/apply.h"

#include "engine/base/sqlite.h"
#include "engine/ltx/at_reader.h"
#include "engine/ltx/bytes.h"
#include "engine/ltx/decoder.h"
#include "engine/restore/journal.h"

#include <stdlib.h>
#include <string.h>

typedef struct apply {
    ls_live *l;
    const ls_apply_opts *opts;
    ls_journal journal;
    bool armed; /* the journal is complete: an error from here on is rolled back by it */
    ls_ltx_header header;
    uint8_t *changed;    /* bit (pgno - 1): to be written */
    uint8_t *old;        /* a page of the database as it is */
    uint8_t *page1;      /* page 1 as it will be */
    bool has_page1;      /* the file holds it */
    uint32_t before;     /* pages of the database; 0: the file has another page size */
    uint32_t seen_new;   /* pages of the file that the database lacks */
    ls_at_reader in;     /* of the file */
    ls_ltx_decoder *dec; /* of in */
} apply;

/* ---- the file ---- */

static ls_code open_file(apply *a, ls_err *err) {
    ls_ltx_decoder_free(a->dec);
    a->dec = NULL;
    ls_at_reader_init(&a->in, a->opts->fd, 0, a->opts->size, a->opts->name);
    return ls_ltx_decoder_new(&a->in.base, &a->header, &a->dec, err);
}

static uint32_t lock_page(const apply *a) { return ls_ltx_lock_pgno(a->header.page_size); }

/* Pages from first to last without the lock page. */
static uint32_t count_pages(const apply *a, uint32_t first, uint32_t last) {
    if (last < first) {
        return 0;
    }
    uint32_t n = last - first + 1;
    return first <= lock_page(a) && lock_page(a) <= last ? n - 1 : n;
}

static void mark_changed(apply *a, uint32_t pgno) {
    a->changed[(pgno - 1) / 8] |= (uint8_t)(1u << ((pgno - 1) % 8));
}

static bool is_changed(const apply *a, uint32_t pgno) {
    return (a->changed[(pgno - 1) / 8] >> ((pgno - 1) % 8) & 1) != 0;
}

/* ---- first pass: verify, mark, keep ---- */

static ls_code prepare(apply *a, ls_err *err) {
    ls_live *l = a->l;
    if (a->header.commit == 0) {
        ls_fail(err, LS_EUNSUPPORTED, "the database is empty after this file");
        return ls_hint(err, "nothing is lost: it goes on when the database has content again");
    }
    a->before = a->header.page_size == l->page_size ? l->pages : 0;
    uint32_t larger = a->header.page_size > l->page_size ? a->header.page_size : l->page_size;
    a->changed = calloc(1, a->header.commit / 8 + 1);
    a->old = malloc(larger);
    a->page1 = malloc(a->header.page_size);
    if (a->changed == NULL || a->old == NULL || a->page1 == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to apply %u pages", a->header.commit);
    }
    return ls_journal_create(&a->journal, l->vfs, l->journal, l->page_size, l->pages, err);
}

/* Reads a page that will be replaced or cut off, and keeps it. */
static ls_code keep(apply *a, uint32_t pgno, ls_err *err) {
    ls_code code = ls_live_read(a->l, pgno, a->l->page_size, a->old, err);
    return code == LS_OK ? ls_journal_add(&a->journal, pgno, a->old, err) : code;
}

static ls_code keep_range(apply *a, uint32_t first, uint32_t last, ls_err *err) {
    uint32_t lock = ls_ltx_lock_pgno(a->l->page_size);
    ls_code code = LS_OK;
    for (uint64_t pgno = first; pgno <= last && code == LS_OK; pgno++) {
        if (pgno % 1024 == 0 && ls_canceled(a->opts->cancel)) {
            return ls_fail(err, LS_ECANCELED, "canceled");
        }
        if (pgno != lock) {
            code = keep(a, (uint32_t)pgno, err);
        }
    }
    return code;
}

static ls_code look_at(apply *a, const ls_ltx_page *page, ls_err *err) {
    const uint32_t size = a->header.page_size;
    const uint8_t *data = page->data;
    if (page->pgno == 1) {
        memcpy(a->page1, data, size);
        a->has_page1 = true;
        a->seen_new += a->before == 0;
        return LS_OK; /* see first_page */
    }
    if (page->pgno > a->before) {
        a->seen_new++;
        mark_changed(a, page->pgno);
        return LS_OK;
    }
    ls_code code = ls_live_read(a->l, page->pgno, size, a->old, err);
    if (code != LS_OK || memcmp(a->old, data, size) == 0) {
        return code;
    }
    mark_changed(a, page->pgno);
    return ls_journal_add(&a->journal, page->pgno, a->old, err);
}

static ls_code each_page(apply *a, ls_code (*visit)(apply *a, const ls_ltx_page *p, ls_err *err),
                         ls_err *err) {
    for (;;) {
        ls_ltx_page page;
        bool end = false;
        ls_code code = ls_ltx_decoder_next(a->dec, &page, &end, err);
        if (code == LS_OK && !end) {
            code = visit(a, &page, err);
        }
        if (code != LS_OK || end) {
            return code;
        }
        if (!a->armed && ls_canceled(a->opts->cancel)) {
            return ls_fail(err, LS_ECANCELED, "canceled");
        }
    }
}

/* Page 1 changes with every transaction. */
static ls_code first_page(apply *a, ls_err *err) {
    if (a->before > 0) { /* else it is kept with all others */
        ls_code code = ls_live_read(a->l, 1, a->header.page_size, a->old, err);
        if (code == LS_OK) {
            code = ls_journal_add(&a->journal, 1, a->old, err);
        }
        if (code != LS_OK) {
            return code;
        }
        if (!a->has_page1) {
            memcpy(a->page1, a->old, a->header.page_size);
        }
    }
    mark_changed(a, 1);
    return ls_live_mark(a->page1, a->header.max_txid, a->header.commit, err);
}

static ls_code check_growth(const apply *a, ls_err *err) {
    if (a->seen_new == count_pages(a, a->before + 1, a->header.commit)) {
        return LS_OK;
    }
    if (a->before == 0) {
        ls_fail(err, LS_EGAP, "page size %u, but the database has %u", a->header.page_size,
                a->l->page_size);
        return ls_hint(err, "the page size changed; a snapshot of the new size is missing");
    }
    ls_fail(err, LS_ECORRUPT,
            "the database grows from %u to %u pages, but only %u of them are here", a->before,
            a->header.commit, a->seen_new);
    return ls_hint(err, "check the replica with: litestream verify");
}

static ls_code first_pass(apply *a, ls_err *err) {
    ls_code code = each_page(a, look_at, err);
    if (code == LS_OK) {
        code = ls_ltx_decoder_close(a->dec, NULL, err);
    }
    if (code == LS_OK) {
        code = check_growth(a, err);
    }
    if (code == LS_OK) {
        code = first_page(a, err);
    }
    if (code == LS_OK) {
        code = a->before > 0 ? keep_range(a, a->header.commit + 1, a->before, err)
                             : keep_range(a, 1, a->l->pages, err);
    }
    return code == LS_OK ? ls_journal_arm(&a->journal, err) : code;
}

/* ---- second pass: write ---- */

static ls_code write_page(apply *a, const ls_ltx_page *page, ls_err *err) {
    if (page->pgno == 1 || !is_changed(a, page->pgno)) {
        return LS_OK;
    }
    return ls_live_write(a->l, page->pgno, a->header.page_size, page->data, err);
}

static ls_code set_size(apply *a, ls_err *err) {
    const sqlite3_int64 size = (sqlite3_int64)a->header.commit * a->header.page_size;
    sqlite3_file *file = a->l->file;
    sqlite3_int64 now = 0;
    int rc = file->pMethods->xFileSize(file, &now);
    if (rc == SQLITE_OK && now != size) {
        rc = file->pMethods->xTruncate(file, size);
    }
    if (rc == SQLITE_OK) {
        rc = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
    }
    return rc == SQLITE_OK ? LS_OK : ls_fail_sqlite(err, NULL, rc, "write %s", a->l->path);
}

static ls_code second_pass(apply *a, ls_err *err) {
    ls_code code = open_file(a, err);
    if (code == LS_OK) {
        code = each_page(a, write_page, err);
    }
    if (code == LS_OK) {
        code = ls_live_write(a->l, 1, a->header.page_size, a->page1, err);
    }
    return code == LS_OK ? set_size(a, err) : code;
}

/* ---- all of it ---- */

/* The journal is left where pages may have changed: SQLite rolls them back when the locks are gone.
 * The first error is what counts. */
static void roll_back(apply *a) {
    ls_err second = LS_ERR_INIT;
    ls_code code = LS_OK;
    if (!a->armed) {
        code = ls_journal_remove(&a->journal, &second);
        ls_live_end(a->l);
    } else {
        ls_journal_abandon(&a->journal);
        ls_live_end(a->l);
        code = ls_live_recover(a->l, &second);
    }
    (void)code; /* whoever opens the database next tries again */
}

static ls_code transact(apply *a, ls_err *err) {
    ls_code code = prepare(a, err);
    if (code == LS_OK) {
        code = first_pass(a, err);
    }
    if (code == LS_OK) {
        code = ls_live_exclusive(a->l, a->opts->wait_ns, a->opts->cancel, err);
    }
    if (code == LS_OK) {
        a->armed = true;
        code = second_pass(a, err);
    }
    return code == LS_OK ? ls_journal_remove(&a->journal, err) : code;
}

ls_code ls_apply(ls_live *l, const ls_apply_opts *opts, ls_err *err) {
    apply a = {.l = l, .opts = opts};
    ls_code code = open_file(&a, err);
    if (code == LS_OK) {
        code = ls_live_begin(l, err);
        if (code == LS_OK) {
            code = transact(&a, err);
            if (code == LS_OK) {
                l->counter = get_be32(a.page1 + 24);
                l->known = true;
                ls_live_end(l);
            } else {
                roll_back(&a);
            }
        }
    }
    ls_ltx_decoder_free(a.dec);
    free(a.changed);
    free(a.old);
    free(a.page1);
    return code;
}
