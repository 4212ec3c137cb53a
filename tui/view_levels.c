/* What each level holds: files, bytes, TXIDs, times, how much of the whole it is, and what the
 * configuration, if there is one, says of it. */
#include "tui/level_rules.h"
#include "tui/view.h"

#include <inttypes.h>
#include <string.h>

typedef struct level_row {
    int level;
    size_t files;
    uint64_t bytes;
    ls_txid first, last;
    int64_t oldest_ms, newest_ms;
} level_row;

typedef struct levels_view {
    view base;
    level_row rows[SNAPSHOT_LEVELS];
    size_t n;
} levels_view;

static void sum_level(const snapshot *s, int level, level_row *row) {
    *row = (level_row){
        .level = level, .first = UINT64_MAX, .oldest_ms = INT64_MAX, .newest_ms = INT64_MIN};
    for (size_t i = s->first[level]; i < s->first[level + 1]; i++) {
        const ls_ltx_info *f = &s->files[i];
        row->files++;
        row->bytes += f->size;
        row->first = f->min_txid < row->first ? f->min_txid : row->first;
        row->last = f->max_txid > row->last ? f->max_txid : row->last;
        row->oldest_ms = f->created_ms < row->oldest_ms ? f->created_ms : row->oldest_ms;
        row->newest_ms = f->created_ms > row->newest_ms ? f->created_ms : row->newest_ms;
    }
}

static void snapshot_came(view *v) {
    levels_view *l = (levels_view *)v;
    const ls_config *c = v->app->config;
    l->n = 0;
    for (int level = SNAPSHOT_LEVELS - 1; level >= 0; level--) {
        sum_level(v->app->snap, level, &l->rows[l->n]);
        l->n += l->rows[l->n].files > 0 || (c != NULL && level_wanted(c, level));
    }
    (void)!list_rows_changed(&v->list, l->n, NULL, &v->app->err);
}

/* "11-21 09:21:23" */
static const char *short_time(int64_t ms, char buf[32]) {
    (void)ls_time_format(ms, false, buf, 32);
    buf[10] = ' ';
    buf[19] = '\0';
    return buf + 5;
}

static void draw_bar(canvas *c, int row, int col, int width, uint64_t part, uint64_t all) {
    int full = all > 0 ? (int)((double)part / (double)all * width + 0.5) : 0;
    full = full == 0 && part > 0 ? 1 : full;
    for (int i = 0; i < full && i < width; i++) {
        canvas_put(c, row, col + i, 1, BRIGHT, "█");
    }
}

#define RULES_COL 80 /* of a screen that has RULES_MIN columns, where there is a configuration */
#define RULES_MIN 110

static int bars_from(const view *v, const canvas *c) {
    bool rules = v->app->config != NULL && c->cols >= RULES_MIN;
    return rules ? RULES_COL + 22 : c->cols >= 100 ? 80 : c->cols;
}

static void draw_rules(const ls_config *config, canvas *c, int row, int level, meaning how) {
    char every[32], kept[32];
    canvas_putf(c, row, RULES_COL, 22, how, "%-9s %-10s", level_every(config, level, every, 32),
                level_kept(config, level, kept, 32));
}

static void draw_row(view *v, canvas *c, int row, size_t number, meaning how) {
    const level_row *r = &((levels_view *)v)->rows[number];
    char size[32], a[32], b[32];
    if (r->files == 0) {
        canvas_putf(c, row, 0, c->cols, how == PLAIN ? DIM : how, "  %-5s %7s  %7s  %-8s  %-8s",
                    level_name(r->level), "0", "-", "-", "-");
    } else {
        canvas_putf(c, row, 0, c->cols, how,
                    "  %-5s %7zu  %7s  %-8" PRIx64 "  %-8" PRIx64 "  %s  %s", level_name(r->level),
                    r->files, ls_bytes_format(r->bytes, size, sizeof(size)), r->first, r->last,
                    short_time(r->oldest_ms, a), short_time(r->newest_ms, b));
    }
    int bars = bars_from(v, c);
    if (bars > RULES_COL && bars < c->cols) {
        draw_rules(v->app->config, c, row, r->level, how);
    }
    draw_bar(c, row, bars, c->cols - bars - 2, r->bytes, v->app->snap->bytes);
}

/* What the configuration says of the selected level, or that nothing is known. */
static void draw_rule_line(const levels_view *l, canvas *c, int row) {
    const ls_config *config = l->base.app->config;
    char every[32], kept[32], next[64] = "";
    if (config == NULL || l->base.list.cursor >= l->n) {
        return;
    }
    int level = l->rows[l->base.list.cursor].level;
    int64_t now = ls_wall_ms(&ls_clock_system), due = level_next(config, level, now);
    if (due > 0) {
        char age[32];
        (void)snprintf(next, sizeof(next), ", next in %s", age_format(due - now, age, sizeof(age)));
    }
    const char *keep = level_kept(config, level, kept, sizeof(kept));
    bool with = strcmp(keep, "snapshots") == 0;
    canvas_putf(c, row, 0, c->cols, PLAIN, " %s: every %s%s; kept %s%s%s", level_name(level),
                level_every(config, level, every, sizeof(every)), next, with ? "" : "for ",
                with                       ? "as long as the snapshot before"
                : strcmp(keep, "all") == 0 ? "good"
                                           : keep,
                level == 0 && !with ? " after level 1 has it" : "");
}

/* Where the lines are too short for bars, below them, if there is room. */
static void draw_bars(const levels_view *l, canvas *c, int row) {
    for (size_t i = 0; i < l->n && row + (int)l->n <= c->rows - 5 - (l->base.app->config != NULL);
         i++) {
        const level_row *r = &l->rows[i];
        canvas_putf(c, row + (int)i, 2, 5, DIM, "%s", level_name(r->level));
        draw_bar(c, row + (int)i, 8, c->cols - 10, r->bytes, l->base.app->snap->bytes);
    }
}

static void draw_strip(const snapshot *s, canvas *c) {
    char size[32], a[32], b[32];
    int row = c->rows - 4;
    canvas_putf(c, row, 0, c->cols, DIM, " %zu files, %s", s->n,
                ls_bytes_format(s->bytes, size, sizeof(size)));
    if (s->points_err.code != LS_OK) {
        canvas_putf(c, row + 1, 0, c->cols, ALERT, " restore points: %s", s->points_err.msg);
    } else if (s->n_points > 0) {
        const ls_point *first = s->points, *last = &s->points[s->n_points - 1];
        canvas_putf(c, row + 1, 0, c->cols, PLAIN,
                    " restorable: TXID %" PRIx64 " to %" PRIx64 ", %s to %s, %zu points",
                    first->txid, last->txid, short_time(first->created_ms, a),
                    short_time(last->created_ms, b), s->n_points);
    } else {
        canvas_put(c, row + 1, 0, c->cols, ALERT, " ✗ nothing can be restored from here");
    }
    if (s->windows.n_gaps > 0) {
        const ls_points_gap *g = &s->windows.gaps[0];
        canvas_putf(c, row + 2, 0, c->cols, ALERT,
                    " ✗ %zu gap%s: TXID %" PRIx64 " to %" PRIx64 " cannot be restored",
                    s->windows.n_gaps, s->windows.n_gaps > 1 ? "s, the first" : "", g->from, g->to);
    } else if (s->n_points > 0) {
        canvas_put(c, row + 2, 0, c->cols, GOOD, " ✓ no gaps");
    }
}

static void draw(view *v, canvas *c) {
    levels_view *l = (levels_view *)v;
    if (view_draw_missing(v, c)) {
        return;
    }
    if (v->app->snap->n == 0) {
        canvas_put(c, 2, 2, c->cols - 3, PLAIN,
                   "There is no LTX file here. A replica holds them in ltx/0 to ltx/9.");
        return;
    }
    int bars = bars_from(v, c);
    canvas_put(c, 1, 0, c->cols, DIM,
               "  LEVEL   FILES    BYTES  FIRST     LAST      OLDEST          NEWEST");
    if (bars > RULES_COL) {
        canvas_put(c, 1, RULES_COL, 22, DIM, bars < c->cols ? "EVERY     KEPT" : "");
    }
    view_draw_list(v, c, 2, v->app->config != NULL ? 4 : 3, draw_row);
    if (bars >= c->cols) {
        draw_bars(l, c, 3 + (int)l->n);
    }
    draw_rule_line(l, c, c->rows - 5);
    draw_strip(v->app->snap, c);
}

static bool take(view *v, request r) {
    const levels_view *l = (const levels_view *)v;
    if (r != REQ_OPEN || l->n == 0) {
        return false;
    }
    app *a = v->app;
    view_files_filter(a, level_name(l->rows[v->list.cursor].level));
    app_open_tab(a, VIEW_FILES);
    return true;
}

static bool copied(view *v, char *buf, size_t size) {
    const levels_view *l = (const levels_view *)v;
    if (l->n == 0 || l->rows[v->list.cursor].files == 0) {
        return false;
    }
    (void)snprintf(buf, size, "%016" PRIx64, l->rows[v->list.cursor].last);
    return true;
}

static ls_code table(view *v, ls_table *t, ls_err *err) {
    const levels_view *l = (const levels_view *)v;
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && i < l->n; i++) {
        const level_row *r = &l->rows[i];
        if (r->files == 0) {
            continue;
        }
        char n[4][24], first[LS_TXID_SIZE], last[LS_TXID_SIZE], a[32], b[32];
        (void)snprintf(n[0], sizeof(n[0]), "%d", r->level);
        (void)snprintf(n[1], sizeof(n[1]), "%zu", r->files);
        (void)snprintf(n[2], sizeof(n[2]), "%" PRIu64, r->bytes);
        rc = LS_TABLE_ROW(t, err, n[0], n[1], n[2], ls_txid_format(r->first, first),
                          ls_txid_format(r->last, last),
                          ls_time_format(r->oldest_ms, true, a, sizeof(a)),
                          ls_time_format(r->newest_ms, true, b, sizeof(b)));
    }
    return rc;
}

static void done(view *v) { free(v); }

static const char *const keys[] = {"level",     "files",  "bytes",  "first_txid",
                                   "last_txid", "oldest", "newest", NULL};

static const view_ops ops = {.id = VIEW_LEVELS,
                             .draw = draw,
                             .request = take,
                             .snapshot = snapshot_came,
                             .copied = copied,
                             .table = table,
                             .keys = keys,
                             .numbers = 7,
                             .free = done};

view *view_levels_new(void) {
    levels_view *l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return NULL;
    }
    l->base.ops = &ops;
    return &l->base;
}
