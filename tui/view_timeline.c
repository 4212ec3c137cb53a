/*
 * Files and restore points from left to right, by TXID or by time, a lane for each level. The
 * cursor is a restore point; the files of its plan are bright, and gaps have a lane of their own.
 */
#include "tui/view.h"

#include "tui/axis.h"
#include "tui/changes.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LANE 7      /* columns of the lanes' names */
#define REST_MS 150 /* the cursor stays so long before its files are read */

typedef struct timeline_view {
    view base;
    snapshot *snap;
    axis axis;
    bool by_time;
    size_t point; /* the cursor, of snap->points */
    ls_plan plan; /* to there */
    ls_err plan_err;
    char changed[700]; /* what changed at the cursor; "": not known yet */
    bool wanted;       /* it is to be found out once the view is on the screen */
    job *job;
} timeline_view;

typedef struct timeline_job {
    reading in;
    ls_txid txid;
    bool at_once;
    changes changes;
} timeline_job;

static double value_of(const timeline_view *t, const ls_point *p) {
    return t->by_time ? (double)p->created_ms : (double)p->txid;
}

static double cursor_value(const timeline_view *t) {
    return t->snap->n_points > 0 ? value_of(t, &t->snap->points[t->point]) : t->axis.from;
}

/* ---- what changed ---- */

static void drop_job(void *arg) {
    timeline_job *t = arg;
    changes_done(&t->changes);
    reading_done(&t->in);
    free(t);
}

/* A cursor that is moved on, key by key, has nothing read. */
static ls_code read_changes(job *j, void *arg, ls_err *err) {
    timeline_job *t = arg;
    const struct timespec step = {.tv_nsec = 10 * 1000000L};
    for (int ms = 0; !t->at_once && ms < REST_MS && !ls_canceled(job_cancel(j)); ms += 10) {
        (void)nanosleep(&step, NULL);
    }
    return changes_read(&t->in.source, t->in.snap, t->txid, job_cancel(j), &t->changes, err);
}

static void look(timeline_view *v) {
    app *a = v->base.app;
    ls_err err = LS_ERR_INIT;
    job_give_up(&v->job);
    v->changed[0] = '\0';
    if (v->snap == NULL || v->snap->n_points == 0) {
        return;
    }
    timeline_job *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return;
    }
    t->txid = v->snap->points[v->point].txid;
    t->at_once = a->fixed_clock;
    if (app_source(a, &t->in.source, &err) != LS_OK) {
        drop_job(t);
        return;
    }
    t->in.snap = snapshot_ref(v->snap);
    (void)!job_start(&v->job, read_changes, t, drop_job, a->wake[1], &err);
}

static void job_ended(view *base) {
    timeline_view *v = (timeline_view *)base;
    void *arg = NULL;
    ls_err err = LS_ERR_INIT;
    ls_code rc = job_take(&v->job, &arg, &err);
    timeline_job *t = arg;
    if (rc == LS_OK) {
        (void)changes_format(&t->changes, t->in.snap, v->changed, sizeof(v->changed));
    } else {
        (void)snprintf(v->changed, sizeof(v->changed), "what changed is not known: %.600s",
                       err.msg);
    }
    drop_job(t);
}

static job **job_of(view *v) { return &((timeline_view *)v)->job; }

static void shown(view *v) {
    timeline_view *t = (timeline_view *)v;
    if (t->wanted) {
        t->wanted = false;
        look(t);
    }
}

/* ---- the model ---- */

static void make_axis(timeline_view *t) {
    const snapshot *s = t->snap;
    double from = 0, to = 0;
    for (size_t i = 0; i < s->n; i++) {
        const ls_ltx_info *f = &s->files[i];
        double low = t->by_time ? (double)f->created_ms : (double)f->min_txid;
        double high = t->by_time ? (double)f->created_ms : (double)f->max_txid;
        from = i == 0 || low < from ? low : from;
        to = i == 0 || high > to ? high : to;
    }
    t->axis = axis_all(from, to);
}

static void move_to(timeline_view *t, size_t point) {
    const snapshot *s = t->snap;
    ls_plan_done(&t->plan);
    t->plan = (ls_plan){0};
    ls_err_clear(&t->plan_err);
    if (s->n_points == 0) {
        t->point = 0;
        return;
    }
    t->point = point < s->n_points ? point : s->n_points - 1;
    (void)!snapshot_plan(s, s->points[t->point].txid, LS_NO_TIMESTAMP, &t->plan, &t->plan_err);
    axis_show(&t->axis, cursor_value(t));
    t->wanted = true;
}

static void snapshot_came(view *v) {
    timeline_view *t = (timeline_view *)v;
    bool first = t->snap == NULL;
    t->by_time = first ? v->app->state.by_time : t->by_time;
    bool newest = first || t->point + 1 >= t->snap->n_points; /* and so it stays */
    ls_txid was = newest || t->snap->n_points == 0 ? 0 : t->snap->points[t->point].txid;
    snapshot_unref(t->snap);
    t->snap = snapshot_ref(v->app->snap);
    make_axis(t);
    size_t at = was != 0 ? snapshot_point_at_txid(t->snap, was) : t->snap->n_points;
    move_to(t, at);
}

/* The first point whose value is not less, for jumps by columns. */
static size_t point_at(const timeline_view *t, double value) {
    size_t i = 0;
    while (i + 1 < t->snap->n_points && value_of(t, &t->snap->points[i]) < value) {
        i++;
    }
    return i;
}

static void jump(timeline_view *t, int direction) {
    double quarter = (t->axis.to - t->axis.from) / 4;
    size_t at = point_at(t, cursor_value(t) + direction * quarter);
    if (direction > 0 && at <= t->point) {
        at = t->point + 1;
    } else if (direction < 0 && at >= t->point) {
        at = t->point > 0 ? t->point - 1 : 0;
    }
    move_to(t, at);
}

/* ---- drawing ---- */

/* Where a file begins in time: where the one before it in its level ended. */
static double begin_of(const timeline_view *t, size_t i) {
    const ls_ltx_info *f = &t->snap->files[i];
    if (!t->by_time) {
        return (double)f->min_txid;
    }
    const ls_ltx_info *before = i > t->snap->first[f->level] ? f - 1 : NULL;
    bool joined = before != NULL && before->max_txid + 1 == f->min_txid;
    return (double)(joined ? before->created_ms : f->created_ms);
}

/* A snapshot holds one moment; other files a stretch of TXIDs. Returns the column, where the file
 * has but one: it needs not be drawn again for others (full); else -1. */
static int draw_file(const timeline_view *t, canvas *c, int row, size_t i, bool planned, int full) {
    const ls_ltx_info *f = &t->snap->files[i];
    int width = c->cols - LANE - 1;
    double end = t->by_time ? (double)f->created_ms : (double)f->max_txid;
    double begin = f->level == LS_LTX_LEVEL_SNAPSHOT ? end : begin_of(t, i);
    int b = axis_column(&t->axis, end, width);
    int a = begin == end ? b : axis_column(&t->axis, begin, width);
    bool off_left = a < 0, off_right = b >= width;
    if (b < 0 || a >= width || (a == b && b == full)) {
        return full;
    }
    a = off_left ? 0 : a;
    b = off_right ? width - 1 : b;
    meaning how = planned ? BRIGHT : DIM;
    for (int col = a; col <= b; col++) {
        const char *mark = planned ? "#" : a == b ? "|" : "─";
        if (b - a > 1 && col == a && !off_left) {
            mark = "├";
        } else if (b - a > 1 && col == b && !off_right) {
            mark = "┤";
        } else if (b - a == 1 && !planned) {
            mark = "|";
        }
        canvas_put(c, row, LANE + col, 1, how, mark);
    }
    return a == b ? a : -1;
}

static void draw_lane(const timeline_view *t, canvas *c, int row, int level) {
    const snapshot *s = t->snap;
    canvas_putf(c, row, 1, LANE - 1, PLAIN, "%s", level_name(level));
    int full = -1;
    for (size_t i = s->first[level]; i < s->first[level + 1]; i++) {
        full = draw_file(t, c, row, i, false, full);
    }
    for (size_t i = 0; i < t->plan.n; i++) {
        size_t at = snapshot_find(s, &t->plan.files[i]);
        if (at < s->n && s->files[at].level == level) {
            (void)draw_file(t, c, row, at, true, -1);
        }
    }
}

/* Gaps are TXIDs; on an axis of time they are between the moments around them. */
static void draw_gaps(const timeline_view *t, canvas *c, int row) {
    const snapshot *s = t->snap;
    int width = c->cols - LANE - 1;
    canvas_put(c, row, 1, LANE - 1, ALERT, "gap");
    for (size_t i = 0; i < s->windows.n_gaps; i++) {
        const ls_points_gap *g = &s->windows.gaps[i];
        double from = (double)g->from, to = (double)g->to;
        if (t->by_time) {
            size_t before = snapshot_point_at_txid(s, g->from);
            size_t behind = snapshot_point_at_txid(s, g->to);
            behind = behind == s->n_points ? 0 : behind + 1;
            from = before < s->n_points ? (double)s->points[before].created_ms : t->axis.all_from;
            to = behind < s->n_points ? (double)s->points[behind].created_ms : t->axis.all_to;
        }
        int a = axis_column(&t->axis, from, width), b = axis_column(&t->axis, to, width);
        for (int col = a < 0 ? 0 : a; col <= b && col < width; col++) {
            canvas_put(c, row, LANE + col, 1, ALERT, "✗");
        }
    }
}

#define TICK_COLS 14

/* As fine as the step to the next tick: with milliseconds below a second, with days above one. */
static void tick_time(int64_t ms, double step_ms, char text[32]) {
    (void)ls_time_format(ms, true, text, 32);
    bool days = step_ms >= 6 * 3600 * 1000.0;
    int from = days ? 5 : 11, len = days ? 11 : step_ms < 1000 ? 12 : 8;
    (void)memmove(text, text + from, (size_t)len);
    text[len] = '\0';
    if (days) {
        text[5] = ' ';
    }
}

static void draw_ticks(const timeline_view *t, canvas *c) {
    int width = c->cols - LANE - 1;
    canvas_put(c, 1, 1, LANE - 1, DIM, t->by_time ? "time" : "TXID");
    for (int col = 0; col + 12 <= width; col += TICK_COLS) {
        char text[32];
        double value = axis_value(&t->axis, col, width);
        if (t->by_time) {
            tick_time((int64_t)value, (t->axis.to - t->axis.from) / width * TICK_COLS, text);
        } else {
            (void)snprintf(text, sizeof(text), "%" PRIx64, (uint64_t)value);
        }
        canvas_putf(c, 1, LANE + col, 13, DIM, "%s", text);
    }
}

/* Rows of the strip: a large screen has one for the plan. */
static int strip_rows(const canvas *c) { return c->rows >= 20 ? 6 : 5; }

static void draw_changed(const timeline_view *t, canvas *c, int row) {
    if (t->changed[0] != '\0') {
        canvas_putf(c, row, 0, c->cols, PLAIN, " %s", t->changed);
    } else if (t->job != NULL) {
        canvas_putf(c, row, 0, c->cols, DIM, " %s looking for what changed here",
                    app_spinner(t->base.app));
    }
}

static void draw_strip(const timeline_view *t, canvas *c) {
    const snapshot *s = t->snap;
    const ls_point *p = &s->points[t->point];
    char when[32], size[32], next[64] = "the newest", plan[400];
    int row = c->rows - strip_rows(c);
    if (t->point + 1 < s->n_points) {
        int64_t to_next = s->points[t->point + 1].created_ms - p->created_ms;
        (void)snprintf(next, sizeof(next), "the next point is %" PRId64 " ms later", to_next);
    }
    canvas_putf(c, row, 0, c->cols, PLAIN, " TXID %016" PRIx64 "   %s   point %zu of %zu, %s",
                p->txid, ls_time_format(p->created_ms, true, when, sizeof(when)), t->point + 1,
                s->n_points, next);
    draw_changed(t, c, ++row);
    if (t->plan_err.code != LS_OK) {
        canvas_putf(c, ++row, 0, c->cols, ALERT, " no plan: %s", t->plan_err.msg);
    } else {
        canvas_putf(c, ++row, 0, c->cols, PLAIN, " restore from here: %zu file%s, %s to read",
                    t->plan.n, t->plan.n == 1 ? "" : "s",
                    ls_bytes_format(t->plan.bytes, size, sizeof(size)));
    }
    if (strip_rows(c) > 5) {
        plan_format(&t->plan, plan, sizeof(plan));
        canvas_putf(c, ++row, 0, c->cols, DIM, " %s", plan);
    }
    if (s->windows.n_gaps > 0) {
        const ls_points_gap *g = &s->windows.gaps[0];
        canvas_putf(c, ++row, 0, c->cols, ALERT,
                    " ✗ %zu gap%s: TXID %" PRIx64 " to %" PRIx64 " cannot be restored",
                    s->windows.n_gaps, s->windows.n_gaps > 1 ? "s, the first" : "", g->from, g->to);
    }
}

static void draw(view *v, canvas *c) {
    const timeline_view *t = (const timeline_view *)v;
    if (view_draw_missing(v, c)) {
        return;
    }
    const snapshot *s = t->snap;
    if (s->n == 0) {
        canvas_put(c, 2, 2, c->cols - 3, PLAIN, "There is no LTX file here.");
        return;
    }
    draw_ticks(t, c);
    int row = 2, strip = c->rows - strip_rows(c);
    for (int level = SNAPSHOT_LEVELS - 1; level >= 0; level--) {
        if (s->first[level + 1] > s->first[level] && row < strip - 3) {
            draw_lane(t, c, row++, level);
        }
    }
    if (s->windows.n_gaps > 0 && row < strip - 2) {
        draw_gaps(t, c, row++);
    }
    if (s->n_points == 0) {
        canvas_putf(c, strip, 0, c->cols, ALERT, " ✗ nothing can be restored: %s",
                    s->points_err.code != LS_OK ? s->points_err.msg : "no chain of files");
        return;
    }
    int col = axis_column(&t->axis, cursor_value(t), c->cols - LANE - 1);
    canvas_put(c, row, LANE + col, 1, BRIGHT, "▲");
    for (int i = 0; i < c->cols; i++) {
        canvas_put(c, strip - 1, i, 1, DIM, "─");
    }
    draw_strip(t, c);
}

/* ---- requests ---- */

static void go_to(view *v, const char *text) {
    timeline_view *t = (timeline_view *)v;
    const snapshot *s = t->snap;
    app *a = v->app;
    ls_txid txid;
    int64_t ms;
    ls_err err = LS_ERR_INIT;
    size_t at = s->n_points;
    if (*text == '\0') {
        return;
    }
    if (short_txid(text, &txid)) {
        at = snapshot_point_at_txid(s, txid);
    } else if (ls_time_parse(text, &ms, &err) == LS_OK) {
        at = snapshot_point_at_time(s, ms);
    } else {
        (void)ls_fail(&a->err, LS_EINVALID, "%s is neither a TXID nor a time", text);
        (void)ls_hint(&a->err, "13c, or 2006-01-02T15:04:05Z");
        return;
    }
    if (at == s->n_points) {
        (void)ls_fail(&a->err, LS_ENOBACKUP, "nothing as old as %s can be restored", text);
        (void)ls_hint(&a->err, "home goes to the oldest point");
        return;
    }
    move_to(t, at);
}

static void zoom(timeline_view *t, request r) {
    double least = t->by_time ? 10 : 2;
    if (r == REQ_ZOOM_ALL) {
        make_axis(t);
    } else {
        axis_zoom(&t->axis, r == REQ_ZOOM_IN ? 0.5 : 2, cursor_value(t), least);
    }
}

static bool move(timeline_view *t, request r) {
    size_t last = t->snap->n_points > 0 ? t->snap->n_points - 1 : 0;
    switch (r) {
    case REQ_LEFT:
        move_to(t, t->point > 0 ? t->point - 1 : 0);
        return true;
    case REQ_RIGHT:
        move_to(t, t->point < last ? t->point + 1 : last);
        return true;
    case REQ_FAR_LEFT:
    case REQ_FAR_RIGHT:
        jump(t, r == REQ_FAR_LEFT ? -1 : 1);
        return true;
    case REQ_OLDEST:
    case REQ_NEWEST:
        move_to(t, r == REQ_OLDEST ? 0 : last);
        return true;
    default:
        return false;
    }
}

/* The file that made the point, page by page. */
static void open_changed(timeline_view *t) {
    snapshot *s = t->snap;
    size_t file = s->n_points > 0 ? changes_file(s, s->points[t->point].txid) : s->n;
    if (file < s->n) {
        view_pages_open(t->base.app, s, file);
    } else {
        app_say(t->base.app, "no file ends here");
    }
}

static bool take(view *v, request r) {
    timeline_view *t = (timeline_view *)v;
    if (t->snap == NULL) {
        return false;
    }
    switch (r) {
    case REQ_ZOOM_IN:
    case REQ_ZOOM_OUT:
    case REQ_ZOOM_ALL:
        zoom(t, r);
        return true;
    case REQ_AXIS:
        t->by_time = !t->by_time;
        v->app->state.by_time = t->by_time;
        make_axis(t);
        return true;
    case REQ_GOTO:
        prompt_open(v->app, "go to TXID or time: ", "", go_to);
        return true;
    case REQ_CHANGED:
        open_changed(t);
        return true;
    case REQ_RESTORE:
        if (t->snap->n_points > 0) {
            const ls_point *p = &t->snap->points[t->point];
            view_restore_open(v->app, p->txid, p->created_ms);
        }
        return true;
    default:
        return move(t, r);
    }
}

/* The restore point that is nearest to the column. */
static bool click(view *v, int row, int col) {
    timeline_view *t = (timeline_view *)v;
    int width = v->app->cols - LANE - 1;
    if (t->snap == NULL || t->snap->n_points == 0 || row < 1 || row >= v->app->rows - 6 ||
        col < LANE || col >= LANE + width) {
        return false;
    }
    double value = axis_value(&t->axis, col - LANE, width);
    size_t at = point_at(t, value);
    if (at > 0 &&
        value - value_of(t, &t->snap->points[at - 1]) < value_of(t, &t->snap->points[at]) - value) {
        at--;
    }
    move_to(t, at);
    return true;
}

static bool copied(view *v, char *buf, size_t size) {
    const timeline_view *t = (const timeline_view *)v;
    if (t->snap == NULL || t->snap->n_points == 0) {
        return false;
    }
    (void)snprintf(buf, size, "%016" PRIx64, t->snap->points[t->point].txid);
    return true;
}

static void done(view *v) {
    timeline_view *t = (timeline_view *)v;
    ls_plan_done(&t->plan);
    snapshot_unref(t->snap);
    free(t);
}

static const view_ops ops = {.id = VIEW_TIMELINE,
                             .draw = draw,
                             .request = take,
                             .snapshot = snapshot_came,
                             .shown = shown,
                             .click = click,
                             .job = job_of,
                             .job_ended = job_ended,
                             .copied = copied,
                             .free = done};

view *view_timeline_new(void) {
    timeline_view *t = calloc(1, sizeof(*t));
    if (t == NULL) {
        return NULL;
    }
    t->base.ops = &ops;
    return &t->base;
}
