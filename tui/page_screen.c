/* The page view on the screen: bytes on the left, on the right what SQLite sees in them, and what
 * is not as it was in the version before, marked. */
#include "tui/page_view.h"

#include <inttypes.h>
#include <string.h>

#define HEAD_ROWS 3
#define WIDE 130 /* columns from which on a row has twice as many bytes */

static bool differs(const page_view *v, uint32_t from, uint32_t len) {
    return v->data.has_before && memcmp(v->page.data + from, v->old.data + from, len) != 0;
}

static uint32_t changed_bytes(const page_view *v) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < v->data.db.page_size; i++) {
        n += differs(v, i, 1);
    }
    return n;
}

/* The kind, where what a page is was found by the tables rather than by its look. */
static void kind_words(const page_view *v, char *buf, size_t size) {
    uint32_t pgno = v->pages[v->at].pgno;
    const table_page *t = tables_find(v->data.tables, pgno);
    btree_kind looks = v->page.kind, is = tables_kind(v->data.tables, pgno, looks);
    bool known = v->page.sure || (t != NULL && t->role != ROLE_UNKNOWN);
    if (is == looks || !v->page.sure) {
        (void)snprintf(buf, size, "%s%s", btree_kind_name(is), known ? "" : " (by its look)");
    } else {
        (void)snprintf(buf, size, "free, was %s", btree_kind_name(looks));
    }
}

/* "orders", "t_name of t", "w WITHOUT ROWID". */
static void owner_words(const page_view *v, char *buf, size_t size) {
    const tables *t = v->data.tables;
    const table_page *p = tables_find(t, v->pages[v->at].pgno);
    buf[0] = '\0';
    if (p == NULL || p->tree >= t->n_trees) {
        return;
    }
    const table_tree *tree = &t->trees[p->tree];
    bool keyed = v->page.kind == BTREE_LEAF_INDEX || v->page.kind == BTREE_INTERIOR_INDEX;
    (void)snprintf(buf, size, "   %s%s%s%s", tree->name, tree->index ? " of " : "",
                   tree->index ? tree->table : "", keyed && !tree->index ? " WITHOUT ROWID" : "");
}

/* ", 3 cells new, 1 gone" */
static void diff_words(const page_diff *d, char *buf, size_t size) {
    const struct {
        uint32_t n;
        const char *word;
    } parts[] = {{d->added, "new"}, {d->changed, "changed"}, {d->gone, "gone"}};
    size_t len = 0;
    buf[0] = '\0';
    for (size_t i = 0; d->known && i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (parts[i].n > 0) {
            len += (size_t)snprintf(buf + len, size - len, "%s%" PRIu32 " %s",
                                    len > 0 ? ", " : "; cells: ", parts[i].n, parts[i].word);
        }
    }
}

static void draw_before(const page_view *v, canvas *c) {
    const ls_ltx_info *f = &v->data.before_file;
    uint32_t changed = changed_bytes(v);
    char cells[80];
    diff_words(&v->diff, cells, sizeof(cells));
    canvas_putf(c, 2, 0, c->cols, v->show_before ? CHANGED : DIM,
                " %s: in %s %" PRIx64 "-%" PRIx64 ", %" PRIu32 " byte%s differ%s (*)%s",
                v->show_before ? "SHOWN IS THE PAGE BEFORE" : "before", level_name(f->level),
                f->min_txid, f->max_txid, changed, changed == 1 ? "" : "s", changed == 1 ? "s" : "",
                cells);
}

static void draw_head(const page_view *v, canvas *c) {
    const btree_page *p = &v->page;
    char cells[64] = "", kind[64], owner[2 * TABLES_NAME_MAX + 32], nth[48] = "";
    if (btree_is_tree(p)) {
        (void)snprintf(cells, sizeof(cells), "   %" PRIu32 " cell%s   %" PRIu32 " bytes free",
                       p->cells, p->cells == 1 ? "" : "s", p->free_bytes);
    } else if (p->cells > 0) {
        (void)snprintf(cells, sizeof(cells), "   %" PRIu32 " entries", p->cells);
    }
    if (!v->followed) {
        (void)snprintf(nth, sizeof(nth), "   %zu of %zu", v->at + 1, v->n);
    }
    kind_words(v, kind, sizeof(kind));
    owner_words(v, owner, sizeof(owner));
    canvas_putf(c, 1, 0, c->cols, PLAIN, " page %" PRIu32 "   %s%s%s%s   stored %.0f %%",
                v->pages[v->at].pgno, kind, owner, cells, nth,
                100.0 * v->data.place.row.size / v->data.db.page_size);
    if (p->flaw[0] != '\0') {
        canvas_putf(c, 2, 0, c->cols, ALERT, " ✗ not as SQLite writes it: %s", p->flaw);
    } else if (!v->data.has_before) {
        canvas_putf(c, 2, 0, c->cols, DIM, " before: %s", v->data.before_err.msg);
    } else {
        draw_before(v, c);
    }
}

/* Where the text of the bytes begins, and what SQLite sees in them. */
static int text_col(const page_view *v) { return 9 + 3 * (int)v->row_bytes; }
static int right_col(const page_view *v) { return text_col(v) + (int)v->row_bytes + 2; }

/* "0008  0f a2*0f 51 ...  ...Q...." with a mark behind what differs. */
static void draw_bytes(const page_view *v, canvas *c, int row, size_t number, uint32_t lit_from,
                       uint32_t lit_to) {
    uint32_t at = (uint32_t)number * v->row_bytes;
    const uint8_t *d = v->page.data;
    canvas_putf(c, row, 1, 6, DIM, "%04" PRIx32, at);
    for (uint32_t i = 0; i < v->row_bytes; i++) {
        uint8_t b = d[at + i];
        int col = 7 + 3 * (int)i;
        bool changed = differs(v, at + i, 1), lit = at + i >= lit_from && at + i < lit_to;
        meaning how = changed ? CHANGED : lit ? BRIGHT : PLAIN;
        canvas_putf(c, row, col, 3, how, "%02x%s", b, changed ? "*" : "");
        canvas_putf(c, row, text_col(v) + (int)i, 1, how, "%c", b >= 32 && b < 127 ? b : '.');
    }
    canvas_put(c, row, text_col(v) - 2, 1, DIM, "│");
    canvas_put(c, row, right_col(v) - 2, 1, DIM, "│");
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

void page_cell_text(const page_view *v, const btree_cell *cell, char *buf, size_t size) {
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
        page_cell_text(v, &was, text, sizeof(text));
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
    int col = right_col(v);
    if (i == v->page.cells) {
        canvas_putf(c, row, col, c->cols - col, how, "%s     →%" PRIu32 " right child",
                    how == SELECTED ? "▸" : " ", v->page.right_child);
        return;
    }
    if (!btree_cell_read(&v->page, i, &cell)) {
        canvas_putf(c, row, col, c->cols - col, ALERT, " %3" PRIu32 "  not within the page", i);
        return;
    }
    page_cell_text(v, &cell, text, sizeof(text));
    bool changed = v->data.has_before && v->old.kind == v->page.kind &&
                   !has_same_cell(&v->old, &v->page, &cell);
    meaning shown = how == PLAIN && changed ? CHANGED : how;
    canvas_putf(c, row, col, c->cols - col, shown, "%s%3" PRIu32 "%s %s",
                how == SELECTED ? "▸" : " ", i, changed ? "*" : " ", text);
}

static void draw_entry(const page_view *v, canvas *c, int row, uint32_t i, meaning how) {
    const btree_page *p = &v->page;
    int col = right_col(v);
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
    size_t at = lit_from / v->row_bytes;
    if (v->page.cells > 0 && (at < v->byte_row || at >= v->byte_row + height)) {
        v->byte_row = at;
    }
    size_t rows = v->data.db.page_size / v->row_bytes;
    size_t last = rows > height ? rows - height : 0;
    v->byte_row = v->byte_row < last ? v->byte_row : last;
}

/* Bytes of the selected cell or entry. */
static void lit_bytes(const page_view *v, uint32_t *from, uint32_t *to) {
    uint32_t i = (uint32_t)v->base.list.cursor;
    btree_cell cell;
    *from = *to = 0;
    if (v->through_bytes) {
        *from = i * v->row_bytes;
        *to = *from + v->row_bytes;
    } else if (btree_cell_read(&v->page, i, &cell)) {
        *from = cell.offset;
        *to = cell.offset + cell.size;
    } else if (btree_is_tree(&v->page) && i == v->page.cells) {
        *from = v->page.header + 8;
        *to = *from + 4;
    } else if (v->page.kind == BTREE_FREE_TRUNK) {
        *from = 8 + 4 * i;
        *to = *from + 4;
    } else if (v->page.kind == BTREE_POINTER_MAP) {
        *from = 5 * i;
        *to = *from + 5;
    }
}

/* A page without cells: what it holds a part of, and where that goes on. */
static void draw_part(const page_view *v, canvas *c) {
    const page_part *part = &v->part;
    int row = HEAD_ROWS + 1, col = right_col(v), width = c->cols - col;
    if (part->pgno != 0) {
        uint64_t end = part->from + v->data.db.usable - 4;
        end = end < part->payload ? end : part->payload;
        canvas_putf(c, row++, col, width, PLAIN, " of cell %" PRIu32 " on page %" PRIu32 ":",
                    part->cell, part->pgno);
        canvas_putf(c, row++, col, width, PLAIN, " bytes %" PRIu64 " to %" PRIu64 " of %" PRIu64,
                    part->from, end, part->payload);
    }
    if (v->page.next != 0) {
        canvas_putf(c, row, col, width, PLAIN, " goes on in page %" PRIu32 " (enter)",
                    v->page.next);
    } else if (part->pgno != 0) {
        canvas_put(c, row, col, width, PLAIN, " ends here");
    }
}

static void draw_right(const page_view *v, canvas *c, int row, size_t at) {
    const btree_page *p = &v->page;
    bool selected = !v->through_bytes && at == v->base.list.cursor;
    if (at < page_rows(p) && btree_is_tree(p)) {
        draw_cell(v, c, row, (uint32_t)at, selected ? SELECTED : PLAIN);
    } else if (at < p->cells) {
        draw_entry(v, c, row, (uint32_t)at, selected ? SELECTED : PLAIN);
    }
}

static void draw_names(const page_view *v, canvas *c) {
    canvas_putf(c, HEAD_ROWS, 0, c->cols, DIM, " BYTES%s", v->through_bytes ? "▸" : " ");
    canvas_put(c, HEAD_ROWS, text_col(v) - 2, 10, DIM, "│ TEXT");
    canvas_putf(c, HEAD_ROWS, right_col(v) - 2, c->cols - right_col(v), DIM, "│%s",
                btree_is_tree(&v->page) ? "CELL  KEY AND RECORD"
                : v->page.cells > 0     ? "ENTRY"
                                        : "");
}

/* Another width: the same bytes stay selected. */
static void adapt(page_view *v, const canvas *c) {
    uint32_t want = c->cols >= WIDE ? 2 * PAGE_ROW_BYTES : PAGE_ROW_BYTES, was = v->row_bytes;
    if (want == was) {
        return;
    }
    size_t selected = v->base.list.cursor;
    v->row_bytes = want;
    v->byte_row = v->byte_row * was / want;
    page_set_list(v);
    (void)list_select(&v->base.list, v->through_bytes ? selected * was / want : selected);
}

static void draw_body(page_view *v, canvas *c) {
    int height = c->rows - 2 - HEAD_ROWS - 1;
    uint32_t from, to;
    adapt(v, c);
    list_resize(&v->base.list, (size_t)height);
    v->base.list_row = HEAD_ROWS + 1;
    lit_bytes(v, &from, &to);
    scroll_bytes(v, (size_t)height, from);
    draw_names(v, c);
    if (v->page.right_child != 0) {
        canvas_putf(c, HEAD_ROWS, c->cols - 17, 17, DIM, " right →%" PRIu32, v->page.right_child);
    } else if (v->page.next != 0) {
        canvas_putf(c, HEAD_ROWS, c->cols - 17, 17, DIM, " next →%" PRIu32, v->page.next);
    }
    size_t first = v->through_bytes ? 0 : v->base.list.top;
    for (int i = 0; i < height; i++) {
        int row = HEAD_ROWS + 1 + i;
        if (v->byte_row + (size_t)i < v->data.db.page_size / v->row_bytes) {
            draw_bytes(v, c, row, v->byte_row + (size_t)i, from, to);
        }
        draw_right(v, c, row, first + (size_t)i);
    }
    if (page_rows(&v->page) == 0) {
        draw_part(v, c);
    }
    if (v->through_bytes) {
        canvas_put(c, HEAD_ROWS + 1 + (int)(v->base.list.cursor - v->base.list.top), 0, 1, SELECTED,
                   "▸");
    } else if (btree_is_tree(&v->page)) {
        draw_was(v, c, (uint32_t)v->base.list.cursor);
    }
}

uint32_t page_rows(const btree_page *p) { return p->cells + (p->right_child != 0); }

void page_screen_draw(view *base, canvas *c) {
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
