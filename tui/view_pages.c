/*
 * One LTX file: what its header says, its pages, and whether it verifies. The page index is read at
 * once; a file that is not large is read whole with it, a large one when it is asked for.
 */
#include "tui/view.h"

#include "tui/btree.h"

#include <inttypes.h>
#include <string.h>

#define HEAD_ROWS 5
#define READ_WHOLE (1u << 20)

enum { BY_PAGE = 1, BY_STORED, BY_KIND, COLUMNS = BY_KIND };

typedef struct pages_view {
    view base;
    list_rows rows;
    snapshot *snap; /* the file is one of it; kept while the view is open */
    size_t file;
    file_detail detail;
    job *job;
    ls_err err; /* of the last reading */
} pages_view;

typedef struct pages_job {
    reading in;
    size_t file;
    bool whole;
    file_detail detail;
} pages_job;

static ls_code read_file(job *j, void *arg, ls_err *err) {
    pages_job *p = arg;
    return p->whole
               ? source_verify(&p->in.source, p->in.snap, p->file, job_cancel(j), &p->detail, err)
               : source_index(&p->in.source, p->in.snap, p->file, &p->detail, err);
}

static void drop_job(void *arg) {
    pages_job *p = arg;
    reading_done(&p->in);
    detail_done(&p->detail);
    free(p);
}

static void start(pages_view *v, bool whole) {
    app *a = v->base.app;
    pages_job *p = v->job == NULL ? calloc(1, sizeof(*p)) : NULL;
    if (p == NULL) {
        return;
    }
    ls_err_clear(&v->err);
    p->file = v->file;
    p->whole = whole;
    if (source_open(&p->in.source, a->name, &v->err) != LS_OK) {
        drop_job(p);
        return;
    }
    p->in.snap = snapshot_ref(v->snap);
    (void)!job_start(&v->job, read_file, p, drop_job, a->wake[1], &v->err);
}

static void job_ended(view *base) {
    pages_view *v = (pages_view *)base;
    void *arg = NULL;
    ls_code rc = job_take(&v->job, &arg, &v->err);
    pages_job *p = arg;
    if (rc == LS_OK) {
        detail_done(&v->detail);
        v->detail = p->detail;
        p->detail = (file_detail){0};
        (void)!list_rows_changed(&base->list, v->detail.n, &v->rows, &base->app->err);
    }
    drop_job(p);
}

static job **job_of(view *v) { return &((pages_view *)v)->job; }

static void draw_state(const pages_view *v, canvas *c) {
    const file_detail *d = &v->detail;
    if (v->job != NULL) {
        canvas_putf(c, 4, 0, c->cols, PLAIN, " %s reading the file (c gives up)",
                    app_spinner(v->base.app));
    } else if (v->err.code != LS_OK) {
        canvas_putf(c, 4, 0, c->cols, ALERT, " ✗ %s", v->err.msg);
    } else if (d->err.code != LS_OK) {
        canvas_putf(c, 4, 0, c->cols, ALERT, " ✗ DAMAGED: %s", d->err.msg);
    } else if (d->verified) {
        canvas_put(c, 4, 0, c->cols, GOOD, " ✓ verified: every page and the file's checksum");
    } else {
        canvas_put(c, 4, 0, c->cols, PLAIN, " ○ only the page index was read; v reads it all");
    }
}

static void draw_head(const pages_view *v, canvas *c) {
    const ls_ltx_header *h = &v->detail.header;
    char when[32];
    canvas_putf(c, 1, 0, c->cols, PLAIN, " TXID %016" PRIx64 "-%016" PRIx64 "   %s", h->min_txid,
                h->max_txid, ls_time_format(h->timestamp, true, when, sizeof(when)));
    canvas_putf(c, 2, 0, c->cols, PLAIN, " page size %u   commit %u pages   %zu pages here%s",
                h->page_size, h->commit, v->detail.n, ls_ltx_is_snapshot(h) ? "   snapshot" : "");
    canvas_putf(c, 3, 0, c->cols, PLAIN,
                " log %" PRId64 "+%" PRId64 "   salts %08x %08x   checksum %016" PRIx64,
                h->wal_offset, h->wal_size, h->wal_salt1, h->wal_salt2,
                v->detail.trailer.file_checksum);
    draw_state(v, c);
}

static const char *kind_name(const page_row *r) {
    return r->kind == PAGE_KIND_UNREAD ? "" : btree_kind_name((btree_kind)r->kind);
}

static char *row_text(const pages_view *v, size_t number, char *buf, size_t size) {
    const page_row *r = &v->detail.pages[number];
    double of = v->detail.header.page_size > 0 ? 100.0 * r->size / v->detail.header.page_size : 0;
    (void)snprintf(buf, size, "%10" PRIu32 "  %14" PRIu64 "  %8" PRIu32 "   %5.1f %%  %s", r->pgno,
                   r->offset, r->size, of, kind_name(r));
    return buf;
}

static void draw_row(view *v, canvas *c, int row, size_t number, meaning how) {
    char text[128];
    canvas_putf(c, row, 0, c->cols, how, " %s",
                row_text((const pages_view *)v, number, text, sizeof(text)));
}

static bool match(void *arg, size_t row, const char *text) {
    char buf[128];
    return strcasestr(row_text(arg, row, buf, sizeof(buf)), text) != NULL;
}

static int compare(void *arg, size_t x, size_t y, int column) {
    const page_row *a = &((pages_view *)arg)->detail.pages[x];
    const page_row *b = &((pages_view *)arg)->detail.pages[y];
    switch (column) {
    case BY_STORED:
        return (a->size > b->size) - (a->size < b->size);
    case BY_KIND:
        return strcmp(kind_name(a), kind_name(b));
    default:
        return (a->pgno > b->pgno) - (a->pgno < b->pgno);
    }
}

static void draw_column_names(const list *l, canvas *c) {
    static const struct {
        int col;
        const char *name;
    } heads[] = {{7, "PAGE"}, {31, "STORED"}, {49, "KIND"}};
    canvas_put(c, HEAD_ROWS, 0, c->cols, DIM, "                     OFFSET            OF PAGE");
    for (int i = 0; i < COLUMNS; i++) {
        const char *mark = l->order != i + 1 ? "" : l->reverse ? "▼" : "▲";
        canvas_putf(c, HEAD_ROWS, heads[i].col, 7, DIM, "%s%s", heads[i].name, mark);
    }
}

static void draw(view *base, canvas *c) {
    const pages_view *v = (const pages_view *)base;
    const list *l = &base->list;
    draw_head(v, c);
    draw_column_names(l, c);
    view_draw_list(base, c, HEAD_ROWS + 1, 1, draw_row);
    canvas_putf(c, c->rows - 2, 0, c->cols, DIM, " page %zu of %zu%s%s",
                l->n > 0 ? l->cursor + 1 : 0, l->n, l->filter[0] != '\0' ? "   filter: " : "",
                l->filter);
}

static bool take(view *base, request r) {
    pages_view *v = (pages_view *)base;
    if (r == REQ_VERIFY || r == REQ_REFRESH) {
        start(v, r == REQ_VERIFY || v->detail.verified);
        return true;
    }
    if (r == REQ_OPEN && base->list.n > 0) {
        view_page_open(base->app, v->snap, v->file, &v->detail,
                       list_row(&base->list, base->list.cursor));
    }
    return r == REQ_OPEN;
}

static const list_rows *rows(view *v) { return &((pages_view *)v)->rows; }

static bool copied(view *base, char *buf, size_t size) {
    const pages_view *v = (const pages_view *)base;
    const snapshot *s = v->snap;
    char key[LS_STORAGE_KEY_SIZE];
    (void)snprintf(buf, size, "%s",
                   s->paths != NULL ? s->paths[v->file] : ls_storage_key(&s->files[v->file], key));
    return true;
}

static ls_code table(view *base, ls_table *t, ls_err *err) {
    const pages_view *v = (const pages_view *)base;
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && i < base->list.n; i++) {
        const page_row *r = &v->detail.pages[list_row(&base->list, i)];
        char pgno[16], offset[24], size[16];
        (void)snprintf(pgno, sizeof(pgno), "%" PRIu32, r->pgno);
        (void)snprintf(offset, sizeof(offset), "%" PRIu64, r->offset);
        (void)snprintf(size, sizeof(size), "%" PRIu32, r->size);
        rc = LS_TABLE_ROW(t, err, pgno, offset, size, kind_name(r));
    }
    return rc;
}

static void done(view *base) {
    pages_view *v = (pages_view *)base;
    detail_done(&v->detail);
    snapshot_unref(v->snap);
    free(v);
}

static const char *const keys[] = {"page", "offset", "stored", "kind", NULL};

static const view_ops ops = {.id = VIEW_PAGES,
                             .draw = draw,
                             .request = take,
                             .job = job_of,
                             .job_ended = job_ended,
                             .rows = rows,
                             .columns = COLUMNS,
                             .copied = copied,
                             .table = table,
                             .keys = keys,
                             .numbers = 7,
                             .free = done};

void view_pages_open(app *a, size_t file) {
    pages_view *v = calloc(1, sizeof(*v));
    if (v == NULL) {
        (void)ls_fail(&a->err, LS_ENOMEM, "open the list of pages");
        return;
    }
    const ls_ltx_info *f = &a->snap->files[file];
    v->base.ops = &ops;
    v->rows = (list_rows){.arg = v, .match = match, .compare = compare};
    v->snap = snapshot_ref(a->snap);
    v->file = file;
    (void)snprintf(v->base.title, sizeof(v->base.title), "%s %" PRIx64 "-%" PRIx64,
                   a->snap->paths != NULL ? "file" : level_name(f->level), f->min_txid,
                   f->max_txid);
    view_push(a, &v->base);
    start(v, f->size <= READ_WHOLE);
}
