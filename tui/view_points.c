/* To which moments the replica can be restored, as windows of one granularity, and the gaps. */
#include "tui/view.h"

#include <inttypes.h>
#include <string.h>

/* A row is a window or a gap, in order of TXID. */
typedef struct point_row {
    const ls_window *window;
    const ls_points_gap *gap;
} point_row;

typedef struct points_view {
    view base;
    list_rows rows;
    snapshot *snap; /* that the rows point into */
    point_row *all; /* owned */
    size_t n;
} points_view;

static void merge_rows(points_view *p, const ls_points *from) {
    size_t w = 0, g = 0;
    p->n = 0;
    while (w < from->n_windows || g < from->n_gaps) {
        bool gap = w == from->n_windows ||
                   (g < from->n_gaps && from->gaps[g].from < from->windows[w].first);
        if (gap) {
            p->all[p->n++].gap = &from->gaps[g++];
        } else {
            p->all[p->n++].window = &from->windows[w++];
        }
    }
}

static void snapshot_came(view *v) {
    points_view *p = (points_view *)v;
    snapshot_unref(p->snap);
    p->snap = snapshot_ref(v->app->snap);
    free(p->all);
    p->all = calloc(p->snap->windows.n_windows + p->snap->windows.n_gaps + 1, sizeof(*p->all));
    p->n = 0;
    if (p->all == NULL) {
        (void)ls_fail(&v->app->err, LS_ENOMEM, "list restore points");
    } else {
        merge_rows(p, &p->snap->windows);
    }
    (void)!list_rows_changed(&v->list, p->n, &p->rows, &v->app->err);
}

/* "every commit", or "1h0m0s" between two points. */
static const char *step_of(const ls_window *w, char *buf, size_t size) {
    if (w->level == 0) {
        (void)snprintf(buf, size, "every commit");
        return buf;
    }
    return w->points > 1 ? ls_duration_format(w->widest_ms * LS_MS, buf, size) : "one point";
}

static char *row_text(const points_view *p, size_t number, char *buf, size_t size) {
    const point_row *r = &p->all[number];
    char a[32], b[32], step[32];
    if (r->gap != NULL) {
        (void)snprintf(buf, size, "✗ GAP: TXID %" PRIx64 " to %" PRIx64 " cannot be restored",
                       r->gap->from, r->gap->to);
        return buf;
    }
    const ls_window *w = r->window;
    (void)snprintf(buf, size, "%s  %s  %6" PRIx64 "  %6" PRIx64 "  %s",
                   ls_time_format(w->first_ms, false, a, sizeof(a)),
                   ls_time_format(w->last_ms, false, b, sizeof(b)), w->first, w->last,
                   step_of(w, step, sizeof(step)));
    return buf;
}

static void draw_row(view *v, canvas *c, int row, size_t number, meaning how) {
    const points_view *p = (const points_view *)v;
    char text[160];
    meaning shown = how == PLAIN && p->all[number].gap != NULL ? ALERT : how;
    canvas_putf(c, row, 0, c->cols, shown, "  %s", row_text(p, number, text, sizeof(text)));
}

static bool match(void *arg, size_t row, const char *text) {
    char buf[160];
    return strcasestr(row_text(arg, row, buf, sizeof(buf)), text) != NULL;
}

static void draw_strip(const points_view *p, canvas *c) {
    const list *l = &p->base.list;
    const point_row *r = &p->all[list_row(l, l->cursor)];
    char a[32];
    int row = c->rows - 3;
    if (r->gap != NULL && r->gap->usable != 0) {
        canvas_putf(c, row, 0, c->cols, PLAIN,
                    " the newest TXID in front of it that can be restored is %" PRIx64,
                    r->gap->usable);
    } else if (r->gap != NULL) {
        canvas_put(c, row, 0, c->cols, PLAIN, " nothing in front of it can be restored");
    } else {
        canvas_putf(c, row, 0, c->cols, PLAIN,
                    " %zu points, by files of %s; enter restores to the last: %s",
                    r->window->points, level_name(r->window->level),
                    ls_time_format(r->window->last_ms, true, a, sizeof(a)));
    }
}

static void draw(view *v, canvas *c) {
    const points_view *p = (const points_view *)v;
    if (view_draw_missing(v, c)) {
        return;
    }
    if (p->snap->points_err.code != LS_OK) {
        canvas_wrap(c, 2, 2, c->cols - 3, 6, ALERT, p->snap->points_err.msg);
        return;
    }
    if (p->n == 0) {
        canvas_put(c, 2, 2, c->cols - 3, PLAIN, "Nothing can be restored from here.");
        return;
    }
    canvas_put(c, 1, 0, c->cols, DIM,
               "  FROM                  TO                     FIRST    LAST  STEP");
    view_draw_list(v, c, 2, 2, draw_row);
    if (v->list.n > 0) {
        draw_strip(p, c);
    }
    canvas_putf(c, c->rows - 2, 0, c->cols, DIM, " %zu restore points, %zu gap%s%s%s",
                p->snap->n_points, p->snap->windows.n_gaps, p->snap->windows.n_gaps == 1 ? "" : "s",
                v->list.filter[0] != '\0' ? "   filter: " : "", v->list.filter);
}

static const ls_window *selected(const view *v) {
    const points_view *p = (const points_view *)v;
    return v->list.n > 0 ? p->all[list_row(&v->list, v->list.cursor)].window : NULL;
}

static bool take(view *v, request r) {
    if (r != REQ_RESTORE) {
        return false;
    }
    const ls_window *w = selected(v);
    if (w != NULL) {
        view_restore_open(v->app, w->last, w->last_ms);
    } else {
        app_say(v->app, "nothing can be restored there");
    }
    return true;
}

static bool copied(view *v, char *buf, size_t size) {
    const ls_window *w = selected(v);
    if (w != NULL) {
        (void)snprintf(buf, size, "%016" PRIx64, w->last);
    }
    return w != NULL;
}

static const list_rows *rows(view *v) { return &((points_view *)v)->rows; }

static ls_code table_row(const point_row *r, ls_table *t, ls_err *err) {
    char first[LS_TXID_SIZE], last[LS_TXID_SIZE], a[32], b[32], level[8], points[24];
    if (r->gap != NULL) {
        return LS_TABLE_ROW(t, err, "gap", ls_txid_format(r->gap->from, first),
                            ls_txid_format(r->gap->to, last), "", "", "0", "0");
    }
    const ls_window *w = r->window;
    (void)snprintf(level, sizeof(level), "%d", w->level);
    (void)snprintf(points, sizeof(points), "%zu", w->points);
    return LS_TABLE_ROW(t, err, "window", ls_txid_format(w->first, first),
                        ls_txid_format(w->last, last),
                        ls_time_format(w->first_ms, true, a, sizeof(a)),
                        ls_time_format(w->last_ms, true, b, sizeof(b)), level, points);
}

static ls_code table(view *v, ls_table *t, ls_err *err) {
    const points_view *p = (const points_view *)v;
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && i < v->list.n; i++) {
        rc = table_row(&p->all[list_row(&v->list, i)], t, err);
    }
    return rc;
}

static void done(view *v) {
    points_view *p = (points_view *)v;
    free(p->all);
    snapshot_unref(p->snap);
    free(p);
}

static const char *const keys[] = {"kind", "first_txid", "last_txid", "first",
                                   "last", "level",      "points",    NULL};

static const view_ops ops = {.id = VIEW_POINTS,
                             .draw = draw,
                             .request = take,
                             .snapshot = snapshot_came,
                             .rows = rows,
                             .copied = copied,
                             .table = table,
                             .keys = keys,
                             .numbers = 0x60,
                             .free = done};

view *view_points_new(void) {
    points_view *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        return NULL;
    }
    p->base.ops = &ops;
    p->rows = (list_rows){.arg = p, .match = match};
    return &p->base;
}
