/* Every LTX file: level, TXIDs, time, size; to be filtered and put in any order; enter opens one.
 */
#include "tui/view.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

typedef struct files_view {
    view base;
    list_rows rows;
    ls_ltx_info selected; /* as it was drawn last: another listing has other row numbers */
} files_view;

enum { BY_LEVEL = 1, BY_FIRST, BY_LAST, BY_SIZE, BY_TIME, COLUMNS = BY_TIME };

#define WIDE 136    /* columns from which on there are those of the count and the key */
#define NAME_COL 54 /* columns beside the names of files that stand alone */

static int name_width(int cols) { return cols > NAME_COL + 12 ? cols - NAME_COL : 12; }

static char *row_text(const snapshot *s, size_t number, int cols, char *buf, size_t size) {
    const ls_ltx_info *f = &s->files[number];
    char when[32], bytes[32], txids[40];
    (void)ls_bytes_format(f->size, bytes, sizeof(bytes));
    (void)ls_time_format(f->created_ms, false, when, sizeof(when));
    if (s->paths == NULL) {
        int len = snprintf(buf, size, "%-5s  %016" PRIx64 "  %016" PRIx64 "  %7s  %s",
                           level_name(f->level), f->min_txid, f->max_txid, bytes, when);
        if (cols >= WIDE) {
            char key[LS_STORAGE_KEY_SIZE];
            (void)snprintf(buf + len, size - (size_t)len, "  %8" PRIu64 "  %s",
                           f->max_txid - f->min_txid + 1, ls_storage_key(f, key));
        }
        return buf;
    }
    int width = name_width(cols);
    (void)snprintf(txids, sizeof(txids), "%" PRIx64 "-%" PRIx64, f->min_txid, f->max_txid);
    (void)snprintf(buf, size, "%-*.*s  %-17s  %7s  %s", width, width,
                   ls_path_base(s->paths[number]), txids, bytes, when);
    return buf;
}

static void draw_row(view *v, canvas *c, int row, size_t number, meaning how) {
    char text[CANVAS_MAX_COLS + 80];
    canvas_putf(c, row, 0, c->cols, how, "  %s",
                row_text(v->app->snap, number, c->cols, text, sizeof(text)));
}

static bool match(void *arg, size_t row, const char *text) {
    const files_view *f = arg;
    char buf[CANVAS_MAX_COLS + 80];
    return strcasestr(row_text(f->base.app->snap, row, MIN_COLS, buf, sizeof(buf)), text) != NULL;
}

static uint64_t key_of(void *arg, size_t row, int column) {
    const ls_ltx_info *f = &((files_view *)arg)->base.app->snap->files[row];
    switch (column) {
    case BY_FIRST:
        return f->min_txid;
    case BY_LAST:
        return f->max_txid;
    case BY_SIZE:
        return f->size;
    case BY_TIME:
        return (uint64_t)f->created_ms ^ UINT64_C(1) << 63;
    default:
        return (uint64_t)f->level;
    }
}

static int compare(void *arg, size_t x, size_t y, int column) {
    uint64_t a = key_of(arg, x, column), b = key_of(arg, y, column);
    return (a > b) - (a < b);
}

static void draw_head(const view *v, canvas *c) {
    int after = name_width(c->cols) + 4; /* the name of a file that stands alone */
    struct {
        int col;
        const char *name;
    } heads[] = {{2, "LEVEL"}, {9, "FIRST TXID"}, {27, "LAST TXID"}, {48, "SIZE"}, {54, "CREATED"}};
    if (v->app->snap->paths != NULL) {
        heads[0].name = "NAME";
        heads[1].col = after;
        heads[1].name = "FIRST";
        heads[2].col = after + 7;
        heads[2].name = "LAST";
        heads[3].col = after + 22;
        heads[4].col = after + 28;
    }
    if (v->app->snap->paths == NULL && c->cols >= WIDE) {
        canvas_put(c, 1, 80, 16, DIM, "TXIDS  KEY");
    }
    for (int i = 0; i < COLUMNS; i++) {
        const char *mark = v->list.order != i + 1 ? "" : v->list.reverse ? "▼" : "▲";
        canvas_putf(c, 1, heads[i].col, i + 1 < COLUMNS ? heads[i + 1].col - heads[i].col : 12, DIM,
                    "%s%s", heads[i].name, mark);
    }
}

static void draw_strip(const view *v, canvas *c) {
    const snapshot *s = v->app->snap;
    const list *l = &v->list;
    uint64_t bytes = 0;
    for (size_t i = 0; i < l->n; i++) {
        bytes += s->files[list_row(l, i)].size;
    }
    char size[32], filter[LIST_FILTER_MAX + 24] = "";
    if (l->filter[0] != '\0') {
        (void)snprintf(filter, sizeof(filter), "   filter: %s", l->filter);
    }
    canvas_putf(c, c->rows - 2, 0, c->cols, DIM, " file %zu of %zu%s   %s in all%s",
                l->n > 0 ? l->cursor + 1 : 0, l->n,
                list_busy(l)  ? " so far"
                : l->n < s->n ? " shown"
                              : "",
                ls_bytes_format(bytes, size, sizeof(size)), filter);
}

static void draw(view *v, canvas *c) {
    if (view_draw_missing(v, c)) {
        return;
    }
    draw_head(v, c);
    if (v->app->snap->n == 0) {
        canvas_put(c, 3, 2, c->cols - 3, PLAIN,
                   "There is no LTX file here. A replica holds them in ltx/0 to ltx/9.");
    }
    view_draw_list(v, c, 2, 1, draw_row);
    if (v->list.n > 0) {
        ((files_view *)v)->selected = v->app->snap->files[list_row(&v->list, v->list.cursor)];
    }
    draw_strip(v, c);
}

static bool take(view *v, request r) {
    if (r != REQ_OPEN) {
        return false;
    }
    if (v->list.n > 0) {
        view_pages_open(v->app, v->app->snap, list_row(&v->list, v->list.cursor));
    }
    return true;
}

static void snapshot_came(view *v) {
    const files_view *f = (const files_view *)v;
    const snapshot *s = v->app->snap;
    (void)!list_rows_changed(&v->list, s->n, &f->rows, &v->app->err);
    size_t at =
        s->paths == NULL && f->selected.max_txid != 0 ? snapshot_find(s, &f->selected) : s->n;
    if (at < s->n) {
        (void)list_select(&v->list, at);
    }
}

static const list_rows *rows(view *v) { return &((files_view *)v)->rows; }

static bool copied(view *v, char *buf, size_t size) {
    const snapshot *s = v->app->snap;
    char key[LS_STORAGE_KEY_SIZE];
    if (s == NULL || v->list.n == 0) {
        return false;
    }
    size_t at = list_row(&v->list, v->list.cursor);
    (void)snprintf(buf, size, "%s",
                   s->paths != NULL ? s->paths[at] : ls_storage_key(&s->files[at], key));
    return true;
}

static ls_code table(view *v, ls_table *t, ls_err *err) {
    const snapshot *s = v->app->snap;
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && i < v->list.n; i++) {
        const ls_ltx_info *f = &s->files[list_row(&v->list, i)];
        char level[8], size[24], first[LS_TXID_SIZE], last[LS_TXID_SIZE], when[32];
        (void)snprintf(level, sizeof(level), "%d", f->level);
        (void)snprintf(size, sizeof(size), "%" PRIu64, f->size);
        rc = LS_TABLE_ROW(t, err, level, ls_txid_format(f->min_txid, first),
                          ls_txid_format(f->max_txid, last), size,
                          ls_time_format(f->created_ms, true, when, sizeof(when)));
    }
    return rc;
}

static void done(view *v) { free(v); }

static const char *const keys[] = {"level", "min_txid", "max_txid", "size", "created", NULL};

static const view_ops ops = {.id = VIEW_FILES,
                             .draw = draw,
                             .request = take,
                             .snapshot = snapshot_came,
                             .rows = rows,
                             .columns = COLUMNS,
                             .copied = copied,
                             .table = table,
                             .keys = keys,
                             .numbers = 9,
                             .free = done};

void view_files_filter(app *a, const char *filter) {
    view *v = a->top[VIEW_FILES];
    while (v->below != NULL) {
        v = v->below;
    }
    (void)!list_set_filter(&v->list, filter, &((files_view *)v)->rows, &a->err);
}

view *view_files_new(void) {
    files_view *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return NULL;
    }
    f->base.ops = &ops;
    f->rows = (list_rows){.arg = f, .match = match, .compare = compare, .key = key_of};
    return &f->base;
}
