/*
 * One LTX file: what its header says, its pages, to which tables they belong, and whether it
 * verifies. The page index is read at once; a file that is not large is read whole with it, a large
 * one when it is asked for. Tables are looked for behind that, by a job of its own.
 */
#include "tui/view.h"

#include "tui/page_data.h"

#include <inttypes.h>
#include <string.h>

#define HEAD_ROWS 5
#define READ_WHOLE (1u << 20)

enum { BY_PAGE = 1, BY_STORED, BY_KIND, BY_TABLE, COLUMNS = BY_TABLE };

typedef struct pages_view {
    view base;
    list_rows rows;
    snapshot *snap; /* the file is one of it; kept while the view is open */
    size_t file;
    file_detail detail;
    tables *tables; /* NULL: not known yet */
    job *job;
    bool mapping;   /* the job is the one that looks for tables */
    ls_err err;     /* of the last reading */
    ls_err map_err; /* why there are no tables */
} pages_view;

typedef struct pages_job {
    reading in;
    size_t file;
    bool whole, replica;
    file_detail detail;
    uint32_t *pgnos; /* to look for; owned */
    size_t n;
    tables *tables;
} pages_job;

static ls_code read_tables(job *j, void *arg, ls_err *err) {
    pages_job *p = arg;
    moment *m = NULL;
    ls_code rc =
        moment_after(&p->in.source, p->in.snap, p->file, p->replica, job_cancel(j), &m, err);
    if (rc == LS_OK) {
        rc = tables_read(m, p->pgnos, p->n, 0, &p->tables, err);
    }
    moment_free(m);
    return rc;
}

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
    tables_unref(p->tables);
    free(p->pgnos);
    free(p);
}

static pages_job *new_job(pages_view *v, ls_err *err) {
    app *a = v->base.app;
    pages_job *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        (void)ls_fail(err, LS_ENOMEM, "read a file");
        return NULL;
    }
    p->file = v->file;
    p->replica = a->replica;
    if (app_source(a, &p->in.source, err) != LS_OK) {
        drop_job(p);
        return NULL;
    }
    p->in.snap = snapshot_ref(v->snap);
    return p;
}

static void start(pages_view *v, bool whole) {
    if (v->mapping) {
        job_give_up(&v->job);
    }
    if (v->job != NULL) {
        return;
    }
    ls_err_clear(&v->err);
    pages_job *p = new_job(v, &v->err);
    v->mapping = false;
    if (p != NULL) {
        p->whole = whole;
        (void)!job_start(&v->job, read_file, p, drop_job, v->base.app->wake[1], &v->err);
    }
}

static void start_mapping(pages_view *v) {
    const file_detail *d = &v->detail;
    ls_err_clear(&v->map_err);
    if (d->n == 0 || d->n > MOMENT_MAX_PAGES) {
        return;
    }
    pages_job *p = new_job(v, &v->map_err);
    if (p == NULL || (p->pgnos = calloc(d->n, sizeof(*p->pgnos))) == NULL) {
        if (p != NULL) {
            drop_job(p);
        }
        return;
    }
    for (size_t i = 0; i < d->n; i++) {
        p->pgnos[i] = d->pages[i].pgno;
    }
    p->n = d->n;
    v->mapping = true;
    (void)!job_start(&v->job, read_tables, p, drop_job, v->base.app->wake[1], &v->map_err);
}

static void mapping_ended(pages_view *v) {
    void *arg = NULL;
    ls_code rc = job_take(&v->job, &arg, &v->map_err);
    pages_job *p = arg;
    v->mapping = false;
    if (rc == LS_OK) {
        tables_unref(v->tables);
        v->tables = p->tables;
        p->tables = NULL;
        (void)!list_rows_changed(&v->base.list, v->detail.n, &v->rows, &v->base.app->err);
    }
    drop_job(p);
}

static void job_ended(view *base) {
    pages_view *v = (pages_view *)base;
    void *arg = NULL;
    if (v->mapping) {
        mapping_ended(v);
        return;
    }
    ls_code rc = job_take(&v->job, &arg, &v->err);
    pages_job *p = arg;
    if (rc == LS_OK) {
        detail_done(&v->detail);
        v->detail = p->detail;
        p->detail = (file_detail){0};
        (void)!list_rows_changed(&base->list, v->detail.n, &v->rows, &base->app->err);
    }
    drop_job(p);
    if (rc == LS_OK && v->tables == NULL) {
        start_mapping(v);
    }
}

static job **job_of(view *v) { return &((pages_view *)v)->job; }

static void draw_state(const pages_view *v, canvas *c) {
    const file_detail *d = &v->detail;
    if (v->job != NULL && !v->mapping) {
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
    const ls_err *bad = v->err.code != LS_OK ? &v->err : &v->detail.err;
    if (h->page_size == 0 && v->job == NULL && bad->code != LS_OK) {
        int row = 1 + canvas_wrap(c, 1, 1, c->cols - 2, 3, ALERT, bad->msg);
        canvas_wrap(c, row, 1, c->cols - 2, 1, PLAIN, ls_err_hint(bad));
        return;
    }
    canvas_putf(c, 1, 0, c->cols, PLAIN, " TXID %016" PRIx64 "-%016" PRIx64 "   %s", h->min_txid,
                h->max_txid, ls_time_format(h->timestamp, true, when, sizeof(when)));
    canvas_putf(c, 2, 0, c->cols, PLAIN, " page size %u   commit %u page%s   %zu page%s here%s",
                h->page_size, h->commit, h->commit == 1 ? "" : "s", v->detail.n,
                v->detail.n == 1 ? "" : "s", ls_ltx_is_snapshot(h) ? "   snapshot" : "");
    canvas_putf(c, 3, 0, c->cols, PLAIN,
                " log %" PRId64 "+%" PRId64 "   salts %08x %08x   checksum %016" PRIx64,
                h->wal_offset, h->wal_size, h->wal_salt1, h->wal_salt2,
                v->detail.trailer.file_checksum);
    draw_state(v, c);
}

static const char *kind_name(const pages_view *v, const page_row *r) {
    btree_kind is = tables_kind(v->tables, r->pgno, (btree_kind)r->kind);
    return r->kind == PAGE_KIND_UNREAD && is == (btree_kind)r->kind ? "" : btree_kind_name(is);
}

/* What every size has, and what needs 80 and 100 columns. */
static char *row_text(const pages_view *v, size_t number, int cols, char *buf, size_t size) {
    const page_row *r = &v->detail.pages[number];
    char of[16] = "", offset[32] = "";
    if (cols >= 80 && v->detail.header.page_size > 0) {
        (void)snprintf(of, sizeof(of), "  %5.1f %%", 100.0 * r->size / v->detail.header.page_size);
    }
    if (cols >= 100) {
        (void)snprintf(offset, sizeof(offset), "  %14" PRIu64, r->offset);
    }
    (void)snprintf(buf, size, "%10" PRIu32 "  %8" PRIu32 "%s%s  %-23s  %s", r->pgno, r->size, of,
                   offset, kind_name(v, r), tables_name(v->tables, r->pgno));
    return buf;
}

static void draw_row(view *v, canvas *c, int row, size_t number, meaning how) {
    char text[128 + TABLES_NAME_MAX];
    canvas_putf(c, row, 0, c->cols, how, " %s",
                row_text((const pages_view *)v, number, c->cols, text, sizeof(text)));
}

static bool match(void *arg, size_t row, const char *text) {
    char buf[128 + TABLES_NAME_MAX];
    return strcasestr(row_text(arg, row, 0, buf, sizeof(buf)), text) != NULL;
}

static int compare(void *arg, size_t x, size_t y, int column) {
    const pages_view *v = arg;
    const page_row *a = &v->detail.pages[x], *b = &v->detail.pages[y];
    switch (column) {
    case BY_STORED:
        return (a->size > b->size) - (a->size < b->size);
    case BY_KIND:
        return strcmp(kind_name(v, a), kind_name(v, b));
    case BY_TABLE:
        return strcmp(tables_name(v->tables, a->pgno), tables_name(v->tables, b->pgno));
    default:
        return (a->pgno > b->pgno) - (a->pgno < b->pgno);
    }
}

static void draw_column_names(const list *l, canvas *c) {
    int kind = c->cols >= 100 ? 49 : c->cols >= 80 ? 33 : 23;
    const struct {
        int col;
        const char *name;
    } heads[] = {{7, "PAGE"}, {15, "STORED"}, {kind, "KIND"}, {kind + 25, "TABLE OR INDEX"}};
    canvas_put(c, HEAD_ROWS, 0, c->cols, DIM, "");
    if (c->cols >= 80) {
        canvas_put(c, HEAD_ROWS, 24, 8, DIM, "OF PAGE");
    }
    if (c->cols >= 100) {
        canvas_put(c, HEAD_ROWS, 41, 7, DIM, "OFFSET");
    }
    for (int i = 0; i < COLUMNS; i++) {
        const char *mark = l->order != i + 1 ? "" : l->reverse ? "▼" : "▲";
        canvas_putf(c, HEAD_ROWS, heads[i].col, i == COLUMNS - 1 ? 15 : 7, DIM, "%s%s",
                    heads[i].name, mark);
    }
}

/* Whether the tables are known is said where they are not. */
static const char *map_state(const pages_view *v) {
    return v->mapping && v->job != NULL ? "   looking for the tables ..."
           : v->map_err.code != LS_OK   ? "   tables: not known"
           : v->tables == NULL          ? ""
           : v->tables->partial         ? "   not all tables could be found"
                                        : "";
}

static void draw(view *base, canvas *c) {
    const pages_view *v = (const pages_view *)base;
    const list *l = &base->list;
    draw_head(v, c);
    draw_column_names(l, c);
    view_draw_list(base, c, HEAD_ROWS + 1, 1, draw_row);
    canvas_putf(c, c->rows - 2, 0, c->cols, DIM, " page %zu of %zu%s%s%s",
                l->n > 0 ? l->cursor + 1 : 0, l->n, map_state(v),
                l->filter[0] != '\0' ? "   filter: " : "", l->filter);
}

static bool take(view *base, request r) {
    pages_view *v = (pages_view *)base;
    if (r == REQ_VERIFY || r == REQ_REFRESH) {
        start(v, r == REQ_VERIFY || v->detail.verified);
        return true;
    }
    if (r == REQ_OPEN && base->list.n > 0) {
        view_page_open(base->app, v->snap, v->file, &v->detail, v->tables,
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
        rc = LS_TABLE_ROW(t, err, pgno, offset, size, kind_name(v, r),
                          tables_name(v->tables, r->pgno));
    }
    return rc;
}

static void done(view *base) {
    pages_view *v = (pages_view *)base;
    detail_done(&v->detail);
    tables_unref(v->tables);
    snapshot_unref(v->snap);
    free(v);
}

static const char *const keys[] = {"page", "offset", "stored", "kind", "belongs_to", NULL};

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

void view_pages_open(app *a, snapshot *snap, size_t file) {
    pages_view *v = calloc(1, sizeof(*v));
    if (v == NULL) {
        (void)ls_fail(&a->err, LS_ENOMEM, "open the list of pages");
        return;
    }
    const ls_ltx_info *f = &snap->files[file];
    v->base.ops = &ops;
    v->rows = (list_rows){.arg = v, .match = match, .compare = compare};
    v->snap = snapshot_ref(snap);
    v->file = file;
    (void)snprintf(v->base.title, sizeof(v->base.title), "%s %" PRIx64 "-%" PRIx64,
                   snap->paths != NULL ? "file" : level_name(f->level), f->min_txid, f->max_txid);
    view_push(a, &v->base);
    start(v, f->size <= READ_WHOLE);
}
