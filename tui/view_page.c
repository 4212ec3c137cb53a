/*
 * One page: its bytes on the left, on the right what SQLite sees in them, and what is not as it was
 * in the page's version before this file. Enter goes on to what is selected: the overflow pages of
 * a record, a child, a free page, the page of an entry of a pointer map. page_data.c reads,
 * page_screen.c draws.
 */
#include "tui/page_view.h"

#include <inttypes.h>
#include <string.h>

typedef struct page_job {
    reading in;
    page_want want;
    page_data data;
} page_job;

/* ---- reading ---- */

static void drop_job(void *arg) {
    page_job *p = arg;
    reading_done(&p->in);
    page_data_done(&p->data);
    tables_unref(p->want.tables);
    free(p);
}

static ls_code read_page(job *j, void *arg, ls_err *err) {
    page_job *p = arg;
    return page_data_read(&p->in.source, p->in.snap, &p->want, job_cancel(j), &p->data, err);
}

static void start(page_view *v) {
    app *a = v->base.app;
    job_give_up(&v->job);
    v->loaded = false;
    v->show_before = false;
    ls_err_clear(&v->err);
    page_job *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        (void)ls_fail(&v->err, LS_ENOMEM, "read a page");
        return;
    }
    p->want = (page_want){.file = v->file,
                          .in_file = !v->followed,
                          .row = v->pages[v->at],
                          .replica = a->replica,
                          .tables = v->tables != NULL ? tables_ref(v->tables) : NULL};
    if (app_source(a, &p->in.source, &v->err) != LS_OK) {
        drop_job(p);
        return;
    }
    p->in.snap = snapshot_ref(v->snap);
    (void)!job_start(&v->job, read_page, p, drop_job, a->wake[1], &v->err);
    (void)snprintf(v->base.title, sizeof(v->base.title), "page %" PRIu32, v->pages[v->at].pgno);
}

/* The list is that of the cells, or of the rows of bytes where there are none. */
void page_set_list(page_view *v) {
    if (page_rows(&v->page) == 0) {
        v->through_bytes = true;
    }
    size_t rows = v->data.db.page_size / v->row_bytes;
    (void)!list_rows_changed(&v->base.list, v->through_bytes ? rows : page_rows(&v->page), NULL,
                             &v->base.app->err);
}

static void decode(page_view *v) {
    uint32_t pgno = v->pages[v->at].pgno;
    const page_data *d = &v->data;
    bool swap = v->show_before && d->has_before;
    btree_page_read(swap ? d->before : d->now, pgno, &d->db, &v->page);
    btree_page_read(swap ? d->now : d->before, pgno, &d->db, &v->old);
    v->diff = !d->has_before ? (page_diff){0}
              : swap         ? page_diff_of(&v->old, &v->page)
                             : page_diff_of(&v->page, &v->old);
    page_set_list(v);
}

static void job_ended(view *base) {
    page_view *v = (page_view *)base;
    void *arg = NULL;
    ls_code rc = job_take(&v->job, &arg, &v->err);
    page_job *p = arg;
    if (rc == LS_OK) {
        page_data_done(&v->data);
        v->data = p->data;
        p->data = (page_data){0};
        v->loaded = true;
        v->byte_row = 0;
        list_first(&base->list);
        decode(v);
    }
    drop_job(p);
}

static job **job_of(view *v) { return &((page_view *)v)->job; }

static page_view *new_view(app *a, snapshot *snap, size_t file, size_t n);
static void open_view(app *a, page_view *v) {
    view_push(a, &v->base);
    start(v);
}

/* ---- going on to another page ---- */

/* The page that the selected row names, 0 if it names none. */
static uint32_t selected_page(const page_view *v, page_part *part) {
    const btree_page *p = &v->page;
    uint32_t i = (uint32_t)v->base.list.cursor;
    btree_cell cell;
    if (v->through_bytes || page_rows(p) == 0) {
        *part = v->part;
        part->from += v->data.db.usable - 4;
        return p->next;
    }
    if (btree_is_tree(p) && i == p->cells) {
        return p->right_child;
    }
    if (btree_cell_read(p, i, &cell)) {
        *part =
            (page_part){.pgno = p->pgno, .cell = i, .from = cell.local, .payload = cell.payload};
        return cell.overflow != 0 ? cell.overflow : cell.child;
    }
    return p->kind == BTREE_FREE_TRUNK ? btree_trunk_read(p, i) : btree_pointer_read(p, i).pgno;
}

static void follow(page_view *v) {
    app *a = v->base.app;
    page_part part = {0};
    uint32_t pgno = v->loaded ? selected_page(v, &part) : 0;
    if (pgno == 0) {
        app_say(a, "nothing goes on from here in another page");
        return;
    }
    page_view *next = new_view(a, v->snap, v->file, 1);
    if (next != NULL) {
        next->followed = true;
        next->pages[0] = (page_row){.pgno = pgno};
        next->part = part;
        open_view(a, next);
    }
}

/* ---- requests ---- */

static bool turn(page_view *v, request r) {
    bool next = r == REQ_NEXT_PAGE;
    if (next ? v->at + 1 < v->n : v->at > 0) {
        v->at += next ? 1 : SIZE_MAX;
        v->through_bytes = false;
        start(v);
    }
    return true;
}

static bool take(view *base, request r) {
    page_view *v = (page_view *)base;
    switch (r) {
    case REQ_NEXT_PAGE:
    case REQ_PREV_PAGE:
        return turn(v, r);
    case REQ_OPEN:
        follow(v);
        return true;
    case REQ_REFRESH:
        start(v);
        return true;
    case REQ_SIDE:
        if (v->loaded) {
            v->through_bytes = !v->through_bytes;
            list_first(&base->list);
            page_set_list(v);
        }
        return true;
    case REQ_BEFORE:
        if (v->loaded && v->data.has_before) {
            v->show_before = !v->show_before;
            decode(v);
        } else if (v->loaded) {
            app_say(base->app, "%s", v->data.before_err.msg);
        }
        return true;
    default:
        return false;
    }
}

static bool copied(view *base, char *buf, size_t size) {
    const page_view *v = (const page_view *)base;
    btree_cell cell;
    if (!v->loaded || v->through_bytes ||
        !btree_cell_read(&v->page, (uint32_t)base->list.cursor, &cell)) {
        return false;
    }
    page_cell_text(v, &cell, buf, size);
    return true;
}

static void done(view *base) {
    page_view *v = (page_view *)base;
    page_data_done(&v->data);
    tables_unref(v->tables);
    free(v->pages);
    snapshot_unref(v->snap);
    free(v);
}

static const view_ops ops = {.id = VIEW_PAGE,
                             .draw = page_screen_draw,
                             .request = take,
                             .job = job_of,
                             .job_ended = job_ended,
                             .copied = copied,
                             .free = done};

static page_view *new_view(app *a, snapshot *snap, size_t file, size_t n) {
    page_view *v = calloc(1, sizeof(*v));
    page_row *pages = calloc(n + 1, sizeof(*pages));
    if (v == NULL || pages == NULL) {
        free(v);
        free(pages);
        (void)ls_fail(&a->err, LS_ENOMEM, "open a page");
        return NULL;
    }
    v->base.ops = &ops;
    v->row_bytes = PAGE_ROW_BYTES;
    v->snap = snapshot_ref(snap);
    v->file = file;
    v->pages = pages;
    v->n = n;
    return v;
}

void view_page_open(app *a, snapshot *snap, size_t file, const file_detail *detail, tables *t,
                    size_t row) {
    page_view *v = new_view(a, snap, file, detail->n);
    if (v != NULL) {
        memcpy(v->pages, detail->pages, detail->n * sizeof(*v->pages));
        v->tables = t != NULL ? tables_ref(t) : NULL;
        v->at = row;
        open_view(a, v);
    }
}
