/*
 * One page: its bytes on the left, on the right what SQLite sees in them, and what is not as it was
 * in the page's version before this file. A job reads the page, the version before (by the plan to
 * the TXID before the file) and page 1, which says how text is encoded.
 */
#include "tui/view.h"

#include "tui/btree.h"

#include <inttypes.h>
#include <string.h>

#define HEAD_ROWS 3
#define ROW_BYTES 8
#define HEX_COLS 43

/* What the job reads. */
typedef struct page_data {
    uint8_t *now, *before; /* page_size bytes each; owned */
    bool has_before;
    ls_ltx_info before_file;
    ls_err before_err; /* why there is none */
    btree_db db;
} page_data;

typedef struct page_view {
    view base; /* its list: cells, or rows of bytes */
    snapshot *snap;
    size_t file;
    page_row *pages; /* of the file; owned */
    size_t n, at;
    ls_ltx_header header;
    page_data data;
    bool loaded, show_before, through_bytes;
    btree_page page, old;
    size_t byte_row; /* first row of bytes shown, where the list is that of the cells */
    job *job;
    ls_err err;
} page_view;

typedef struct page_job {
    reading in;
    size_t file;
    page_row row, first; /* and the first one of the file */
    ls_ltx_header header;
    bool replica;
    page_data data;
} page_job;

/* ---- reading ---- */

static void data_done(page_data *d) {
    free(d->now);
    free(d->before);
    *d = (page_data){0};
}

static void drop_job(void *arg) {
    page_job *p = arg;
    reading_done(&p->in);
    data_done(&p->data);
    free(p);
}

static void read_before(job *j, page_job *p) {
    page_data *d = &p->data;
    size_t file = 0;
    if (!p->replica) {
        (void)ls_fail(&d->before_err, LS_ENOTFOUND, "versions before are only known of a replica");
    } else if (p->header.min_txid <= 1) {
        (void)ls_fail(&d->before_err, LS_ENOTFOUND, "the file is a snapshot: nothing is before it");
    } else if (source_page_at(&p->in.source, p->in.snap, p->header.min_txid - 1, p->row.pgno,
                              p->header.page_size, job_cancel(j), d->before, &file,
                              &d->before_err) == LS_OK) {
        d->has_before = true;
        d->before_file = p->in.snap->files[file];
    }
}

/* Page 1 as of this file; where it cannot be had, what is true of most databases is taken. */
static void read_db(job *j, page_job *p) {
    ls_err none = LS_ERR_INIT;
    uint32_t size = p->header.page_size;
    uint8_t *page1 = malloc(size);
    size_t file = p->file;
    if (p->row.pgno == 1) {
        (void)btree_db_read(p->data.now, size, &p->data.db);
    } else if (page1 != NULL && !p->replica && p->first.pgno == 1 &&
               source_page(&p->in.source, p->in.snap, p->file, &p->first, size, page1, &none) ==
                   LS_OK) {
        (void)btree_db_read(page1, size, &p->data.db);
    } else if (page1 != NULL && p->replica &&
               source_page_at(&p->in.source, p->in.snap, p->header.max_txid, 1, size, job_cancel(j),
                              page1, &file, &none) == LS_OK) {
        (void)btree_db_read(page1, size, &p->data.db);
    }
    p->data.db.pages = p->header.commit;
    free(page1);
}

static ls_code read_page(job *j, void *arg, ls_err *err) {
    page_job *p = arg;
    uint32_t size = p->header.page_size;
    p->data.db = btree_db_plain(size);
    p->data.now = malloc(size);
    p->data.before = malloc(size);
    if (p->data.now == NULL || p->data.before == NULL) {
        return ls_fail(err, LS_ENOMEM, "page %" PRIu32, p->row.pgno);
    }
    ls_code rc = source_page(&p->in.source, p->in.snap, p->file, &p->row, size, p->data.now, err);
    if (rc == LS_OK) {
        read_before(j, p);
        read_db(j, p);
    }
    return rc;
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
    p->file = v->file;
    p->row = v->pages[v->at];
    p->first = v->pages[0];
    p->header = v->header;
    p->replica = a->replica;
    if (source_open(&p->in.source, a->name, &v->err) != LS_OK) {
        drop_job(p);
        return;
    }
    p->in.snap = snapshot_ref(v->snap);
    (void)!job_start(&v->job, read_page, p, drop_job, a->wake[1], &v->err);
    (void)snprintf(v->base.title, sizeof(v->base.title), "page %" PRIu32, v->pages[v->at].pgno);
}

/* The list is that of the cells, or of the rows of bytes where there are none. */
static void set_list(page_view *v) {
    if (v->page.cells == 0) {
        v->through_bytes = true;
    }
    size_t rows = v->header.page_size / ROW_BYTES;
    (void)!list_rows_changed(&v->base.list, v->through_bytes ? rows : v->page.cells, NULL,
                             &v->base.app->err);
}

static void decode(page_view *v) {
    uint32_t pgno = v->pages[v->at].pgno;
    const page_data *d = &v->data;
    bool swap = v->show_before && d->has_before;
    btree_page_read(swap ? d->before : d->now, pgno, &d->db, &v->page);
    btree_page_read(swap ? d->now : d->before, pgno, &d->db, &v->old);
    set_list(v);
}

static void job_ended(view *base) {
    page_view *v = (page_view *)base;
    void *arg = NULL;
    ls_code rc = job_take(&v->job, &arg, &v->err);
    page_job *p = arg;
    if (rc == LS_OK) {
        data_done(&v->data);
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

/* ---- drawing ---- */

static bool differs(const page_view *v, uint32_t from, uint32_t len) {
    return v->data.has_before && memcmp(v->page.data + from, v->old.data + from, len) != 0;
}

static uint32_t changed_bytes(const page_view *v) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->header.page_size; i++) {
        n += differs(v, i, 1);
    }
    return n;
}

static void draw_head(const page_view *v, canvas *c) {
    const btree_page *p = &v->page;
    const page_row *r = &v->pages[v->at];
    bool tree = btree_is_tree(p);
    char cells[64] = "";
    if (tree) {
        (void)snprintf(cells, sizeof(cells), "   %" PRIu32 " cell%s   %" PRIu32 " bytes free",
                       p->cells, p->cells == 1 ? "" : "s", p->free_bytes);
    } else if (p->cells > 0) {
        (void)snprintf(cells, sizeof(cells), "   %" PRIu32 " entries", p->cells);
    }
    canvas_putf(c, 1, 0, c->cols, PLAIN, " page %" PRIu32 "   %s%s%s   stored %.0f %%   %zu of %zu",
                r->pgno, btree_kind_name(p->kind), p->sure ? "" : " (by its look)", cells,
                100.0 * r->size / v->header.page_size, v->at + 1, v->n);
    if (p->flaw[0] != '\0') {
        canvas_putf(c, 2, 0, c->cols, ALERT, " ✗ not as SQLite writes it: %s", p->flaw);
    } else if (!v->data.has_before) {
        canvas_putf(c, 2, 0, c->cols, DIM, " before: %s", v->data.before_err.msg);
    } else {
        const ls_ltx_info *f = &v->data.before_file;
        uint32_t changed = changed_bytes(v);
        canvas_putf(c, 2, 0, c->cols, v->show_before ? CHANGED : DIM,
                    " %s: in %s %" PRIx64 "-%" PRIx64 ", %" PRIu32 " byte%s differ%s (marked *)",
                    v->show_before ? "SHOWN IS THE PAGE BEFORE" : "before", level_name(f->level),
                    f->min_txid, f->max_txid, changed, changed == 1 ? "" : "s",
                    changed == 1 ? "s" : "");
    }
}

/* "0008  0f a2*0f 51 ...  ...Q...." with a mark behind what differs. */
static void draw_bytes(const page_view *v, canvas *c, int row, size_t number, uint32_t lit_from,
                       uint32_t lit_to) {
    uint32_t at = (uint32_t)number * ROW_BYTES;
    const uint8_t *d = v->page.data;
    canvas_putf(c, row, 1, 6, DIM, "%04" PRIx32, at);
    for (uint32_t i = 0; i < ROW_BYTES; i++) {
        uint8_t b = d[at + i];
        int col = 7 + 3 * (int)i;
        bool changed = differs(v, at + i, 1), lit = at + i >= lit_from && at + i < lit_to;
        meaning how = changed ? CHANGED : lit ? BRIGHT : PLAIN;
        canvas_putf(c, row, col, 3, how, "%02x%s", b, changed ? "*" : "");
        canvas_putf(c, row, 33 + (int)i, 1, how, "%c", b >= 32 && b < 127 ? b : '.');
    }
    canvas_put(c, row, 31, 1, DIM, "│");
    canvas_put(c, row, 41, 1, DIM, "│");
}

/* Did the cell's bytes, or those of the cell of its key, change? */
static bool cell_of_key(const btree_page *p, const btree_cell *like, uint32_t i, btree_cell *out) {
    if (!like->has_rowid) {
        return btree_cell_read(p, i, out);
    }
    for (uint32_t k = 0; k < p->cells; k++) {
        if (btree_cell_read(p, k, out) && out->rowid == like->rowid) {
            return true;
        }
    }
    return false;
}

static bool same_cell(const btree_page *a, const btree_cell *x, const btree_page *b,
                      const btree_cell *y) {
    return x->size == y->size && memcmp(a->data + x->offset, b->data + y->offset, x->size) == 0;
}

/* For a cell of a page without rowids: is there one with the same bytes? */
static bool has_same_cell(const btree_page *in, const btree_page *of, const btree_cell *cell) {
    btree_cell other;
    for (uint32_t k = 0; k < in->cells; k++) {
        if (btree_cell_read(in, k, &other) && same_cell(of, cell, in, &other)) {
            return true;
        }
    }
    return false;
}

static void cell_text(const page_view *v, const btree_page *p, const btree_cell *cell, char *buf,
                      size_t size) {
    char record[480] = "", child[32] = "", rowid[32] = "";
    if (cell->has_record) {
        btree_record_text(cell, v->data.db.encoding, record, sizeof(record));
    }
    if (cell->child != 0) {
        (void)snprintf(child, sizeof(child), "→%" PRIu32 " ", cell->child);
    }
    if (cell->has_rowid) {
        (void)snprintf(rowid, sizeof(rowid), "%" PRId64 " ", cell->rowid);
    }
    (void)p;
    (void)snprintf(buf, size, "%s%s%s", child, rowid, record);
    if (cell->overflow != 0) {
        size_t len = strlen(buf);
        (void)snprintf(buf + len, size - len, " →%" PRIu32, cell->overflow);
    }
}

/* What the selected cell was, for the detail strip. */
static void draw_was(const page_view *v, canvas *c, uint32_t i) {
    btree_cell now, was;
    char text[600];
    int row = c->rows - 2;
    if (!btree_cell_read(&v->page, i, &now)) {
        return;
    }
    if (!v->data.has_before || v->old.kind != v->page.kind) {
        canvas_putf(c, row, 0, c->cols, DIM, " cell %" PRIu32 ": %" PRIu32 " bytes at %" PRIu32, i,
                    now.size, now.offset);
    } else if (now.has_rowid && cell_of_key(&v->old, &now, i, &was)) {
        cell_text(v, &v->old, &was, text, sizeof(text));
        bool same = same_cell(&v->page, &now, &v->old, &was);
        canvas_putf(c, row, 0, c->cols, same ? DIM : CHANGED, " %s%s",
                    same             ? "as before"
                    : v->show_before ? "is now "
                                     : "was ",
                    same ? "" : text);
    } else {
        bool same = has_same_cell(&v->old, &v->page, &now);
        canvas_putf(c, row, 0, c->cols, same ? DIM : CHANGED, " %s",
                    same             ? "as before"
                    : v->show_before ? "is not there now"
                                     : "was not there");
    }
}

static void draw_cell(const page_view *v, canvas *c, int row, uint32_t i, meaning how) {
    btree_cell cell;
    char text[600];
    int col = HEX_COLS;
    if (!btree_cell_read(&v->page, i, &cell)) {
        canvas_putf(c, row, col, c->cols - col, ALERT, " %3" PRIu32 "  not within the page", i);
        return;
    }
    cell_text(v, &v->page, &cell, text, sizeof(text));
    bool changed = v->data.has_before && v->old.kind == v->page.kind &&
                   !has_same_cell(&v->old, &v->page, &cell);
    meaning shown = how == PLAIN && changed ? CHANGED : how;
    canvas_putf(c, row, col, c->cols - col, shown, "%s%3" PRIu32 "%s %s",
                how == SELECTED ? "▸" : " ", i, changed ? "*" : " ", text);
}

static void draw_entry(const page_view *v, canvas *c, int row, uint32_t i, meaning how) {
    const btree_page *p = &v->page;
    int col = HEX_COLS;
    const char *mark = how == SELECTED ? "▸" : " ";
    if (p->kind == BTREE_FREE_TRUNK) {
        canvas_putf(c, row, col, c->cols - col, how, "%s%3" PRIu32 "  free page %" PRIu32, mark, i,
                    btree_trunk_read(p, i));
        return;
    }
    btree_pointer to = btree_pointer_read(p, i);
    canvas_putf(c, row, col, c->cols - col, how, "%s%3" PRIu32 "  page %" PRIu32 " %s ← %" PRIu32,
                mark, i, to.pgno, btree_pointer_name(to.type), to.parent);
}

/* The selected row of bytes, or those of the selected cell, are on the screen. */
static void scroll_bytes(page_view *v, size_t height, uint32_t lit_from) {
    if (v->through_bytes) {
        v->byte_row = v->base.list.top;
        return;
    }
    size_t at = lit_from / ROW_BYTES;
    if (v->page.cells > 0 && (at < v->byte_row || at >= v->byte_row + height)) {
        v->byte_row = at;
    }
    size_t rows = v->header.page_size / ROW_BYTES;
    size_t last = rows > height ? rows - height : 0;
    v->byte_row = v->byte_row < last ? v->byte_row : last;
}

/* Bytes of the selected cell or entry. */
static void lit_bytes(const page_view *v, uint32_t *from, uint32_t *to) {
    uint32_t i = (uint32_t)v->base.list.cursor;
    btree_cell cell;
    *from = *to = 0;
    if (v->through_bytes) {
        *from = i * ROW_BYTES;
        *to = *from + ROW_BYTES;
    } else if (btree_cell_read(&v->page, i, &cell)) {
        *from = cell.offset;
        *to = cell.offset + cell.size;
    } else if (v->page.kind == BTREE_FREE_TRUNK) {
        *from = 8 + 4 * i;
        *to = *from + 4;
    } else if (v->page.kind == BTREE_POINTER_MAP) {
        *from = 5 * i;
        *to = *from + 5;
    }
}

static void draw_right(const page_view *v, canvas *c, int row, size_t at) {
    const btree_page *p = &v->page;
    bool selected = !v->through_bytes && at == v->base.list.cursor;
    if (at < p->cells && btree_is_tree(p)) {
        draw_cell(v, c, row, (uint32_t)at, selected ? SELECTED : PLAIN);
    } else if (at < p->cells) {
        draw_entry(v, c, row, (uint32_t)at, selected ? SELECTED : PLAIN);
    }
}

static void draw_body(page_view *v, canvas *c) {
    int height = c->rows - 2 - HEAD_ROWS - 1;
    uint32_t from, to;
    list_resize(&v->base.list, (size_t)height);
    lit_bytes(v, &from, &to);
    scroll_bytes(v, (size_t)height, from);
    canvas_putf(c, HEAD_ROWS, 0, c->cols, DIM, " BYTES%s                          │ TEXT    │%s",
                v->through_bytes ? "▸" : " ",
                btree_is_tree(&v->page) ? "CELL  KEY AND RECORD"
                : v->page.cells > 0     ? "ENTRY"
                                        : "");
    if (v->page.right_child != 0) {
        canvas_putf(c, HEAD_ROWS, c->cols - 17, 17, DIM, " right →%" PRIu32, v->page.right_child);
    } else if (v->page.next != 0) {
        canvas_putf(c, HEAD_ROWS, c->cols - 17, 17, DIM, " next →%" PRIu32, v->page.next);
    }
    size_t first = v->through_bytes ? 0 : v->base.list.top;
    for (int i = 0; i < height; i++) {
        int row = HEAD_ROWS + 1 + i;
        if (v->byte_row + (size_t)i < v->header.page_size / ROW_BYTES) {
            draw_bytes(v, c, row, v->byte_row + (size_t)i, from, to);
        }
        draw_right(v, c, row, first + (size_t)i);
    }
    if (v->through_bytes) {
        canvas_put(c, HEAD_ROWS + 1 + (int)(v->base.list.cursor - v->base.list.top), 0, 1, SELECTED,
                   "▸");
    } else if (btree_is_tree(&v->page)) {
        draw_was(v, c, (uint32_t)v->base.list.cursor);
    }
}

static void draw(view *base, canvas *c) {
    page_view *v = (page_view *)base;
    if (v->job != NULL) {
        canvas_putf(c, 1, 0, c->cols, PLAIN, " %s reading page %" PRIu32 " (c gives up)",
                    app_spinner(base->app), v->pages[v->at].pgno);
    } else if (v->err.code != LS_OK) {
        canvas_wrap(c, 1, 1, c->cols - 2, 4, ALERT, v->err.msg);
    } else if (!v->loaded) {
        canvas_put(c, 1, 0, c->cols, PLAIN, " not read; R reads it");
    } else {
        draw_head(v, c);
        draw_body(v, c);
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
    case REQ_REFRESH:
        start(v);
        return true;
    case REQ_SIDE:
        if (v->loaded) {
            v->through_bytes = !v->through_bytes;
            list_first(&base->list);
            set_list(v);
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
    cell_text(v, &v->page, &cell, buf, size);
    return true;
}

static void done(view *base) {
    page_view *v = (page_view *)base;
    data_done(&v->data);
    free(v->pages);
    snapshot_unref(v->snap);
    free(v);
}

static const view_ops ops = {.id = VIEW_PAGE,
                             .draw = draw,
                             .request = take,
                             .job = job_of,
                             .job_ended = job_ended,
                             .copied = copied,
                             .free = done};

void view_page_open(app *a, snapshot *snap, size_t file, const file_detail *detail, size_t row) {
    page_view *v = calloc(1, sizeof(*v));
    page_row *pages = malloc(detail->n * sizeof(*pages));
    if (v == NULL || pages == NULL) {
        free(v);
        free(pages);
        (void)ls_fail(&a->err, LS_ENOMEM, "open a page");
        return;
    }
    memcpy(pages, detail->pages, detail->n * sizeof(*pages));
    v->base.ops = &ops;
    v->snap = snapshot_ref(snap);
    v->file = file;
    v->pages = pages;
    v->n = detail->n;
    v->at = row;
    v->header = detail->header;
    view_push(a, &v->base);
    start(v);
}
