/*
 * What happens: the daemon's jobs, its events, and what was asked of it from here. Jobs that have
 * not ended stand first, the rest is in order of time, the newest first.
 */
#include "tui/view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct act_row {
    const fleet_job *job; /* one of the three */
    const happening *event;
    const errand *errand;
    uint64_t number; /* that its list has only once: errands may be gone before their rows */
    int64_t at_ms;
} act_row;

typedef struct activity_view {
    view base;
    list_rows rows;
    fleet *fleet; /* that jobs are of */
    happenings *events;
    act_row *all; /* owned */
    size_t n;
} activity_view;

#define STRIP 5

/* ---- the rows ---- */

static int64_t job_time(const fleet_job *j) {
    return j->ended_ms >= 0 ? j->ended_ms : j->started_ms >= 0 ? j->started_ms : j->queued_ms;
}

static bool is_active(const act_row *r) { return r->job != NULL && r->job->active; }

static int newest_first(const void *x, const void *y) {
    const act_row *a = x, *b = y;
    if (is_active(a) != is_active(b)) {
        return is_active(a) ? -1 : 1;
    }
    if (a->at_ms != b->at_ms) {
        return a->at_ms > b->at_ms ? -1 : 1;
    }
    return a->number > b->number ? -1 : a->number < b->number;
}

static void collect(activity_view *v) {
    const app *a = v->base.app;
    for (size_t i = 0; v->fleet != NULL && i < v->fleet->n_jobs; i++) {
        const fleet_job *j = &v->fleet->jobs[i];
        v->all[v->n++] = (act_row){.job = j, .number = j->id, .at_ms = job_time(j)};
    }
    for (size_t i = 0; v->events != NULL && i < v->events->n; i++) {
        const happening *h = v->events->all[i];
        v->all[v->n++] = (act_row){.event = h, .number = h->number, .at_ms = h->at_ms};
    }
    for (size_t i = 0; i < a->n_errands; i++) {
        const errand *e = a->errands[i];
        v->all[v->n++] = (act_row){.errand = e, .number = e->id, .at_ms = e->at_ms};
    }
    qsort(v->all, v->n, sizeof(*v->all), newest_first);
}

static bool same(const act_row *a, const act_row *b) {
    return (a->job != NULL) == (b->job != NULL) && (a->event != NULL) == (b->event != NULL) &&
           a->number == b->number;
}

/* What came last stays in sight while the first row is selected, else the selection stays. */
static void keep_selection(activity_view *v, const act_row *was) {
    list *l = &v->base.list;
    for (size_t row = 0; row < v->n; row++) {
        if (same(&v->all[row], was)) {
            bool shown = list_select(l, row);
            l->wanted = !shown && list_busy(l) ? row : l->wanted;
            return;
        }
    }
}

static void news(view *base) {
    activity_view *v = (activity_view *)base;
    const app *a = base->app;
    fleet *old_fleet = v->fleet;
    happenings *old_events = v->events;
    act_row *old = v->all;
    bool moved = base->list.n > 0 && base->list.cursor > 0;
    act_row was = {0};
    if (moved) {
        was = old[list_row(&base->list, base->list.cursor)];
    }
    v->fleet = a->news.fleet != NULL ? fleet_ref(a->news.fleet) : NULL;
    v->events = a->news.events != NULL ? happenings_ref(a->news.events) : NULL;
    size_t most = (v->fleet != NULL ? v->fleet->n_jobs : 0) +
                  (v->events != NULL ? v->events->n : 0) + a->n_errands;
    v->all = calloc(most + 1, sizeof(*v->all));
    v->n = 0;
    if (v->all != NULL) {
        collect(v);
    } else {
        (void)ls_fail(&base->app->err, LS_ENOMEM, "list what happened");
    }
    (void)!list_rows_changed(&base->list, v->n, &v->rows, &base->app->err);
    if (moved) {
        keep_selection(v, &was);
    } else {
        base->list.wanted = SIZE_MAX;
        list_first(&base->list);
    }
    free(old);
    fleet_unref(old_fleet);
    happenings_unref(old_events);
}

/* ---- words ---- */

static const char *path_of(const act_row *r) {
    const char *path = r->job != NULL     ? r->job->path
                       : r->event != NULL ? r->event->path
                                          : r->errand->act.path;
    return path != NULL ? path : "";
}

static const char *kind_of(const act_row *r) {
    return r->job != NULL ? r->job->kind : r->event != NULL ? r->event->kind : "asked";
}

static void describe_job(const fleet_job *j, char *buf, size_t size) {
    char done[32], all[32], part[16] = "";
    const ls_restore_progress *p = &j->progress;
    if (p->bytes > 0) {
        (void)snprintf(part, sizeof(part), "%d %%, ",
                       (int)(100 * ((double)p->bytes_done / (double)p->bytes)) % 1000);
    }
    if (j->error != NULL) {
        (void)snprintf(buf, size, "job %" PRIu64 " failed: %s", j->id, j->error);
    } else if (j->result != NULL) {
        (void)snprintf(buf, size, "%s", j->result);
    } else if (j->active) {
        (void)snprintf(buf, size, "job %" PRIu64 " %s: %s%zu of %zu files, %s of %s", j->id,
                       j->status, part, p->files_done, p->files,
                       ls_bytes_format(p->bytes_done, done, sizeof(done)),
                       ls_bytes_format(p->bytes, all, sizeof(all)));
    } else {
        (void)snprintf(buf, size, "job %" PRIu64 " %s", j->id, j->status);
    }
}

static void describe_event(const happening *h, char *buf, size_t size) {
    char txids[48] = "", bytes[32], level[16] = "";
    if (h->level >= 0) {
        (void)snprintf(level, sizeof(level), "%s ", level_name(h->level));
    }
    if (h->max_txid != 0 && h->min_txid != 0 && h->min_txid != h->max_txid) {
        (void)snprintf(txids, sizeof(txids), "TXID %" PRIx64 "-%" PRIx64 "  ", h->min_txid,
                       h->max_txid);
    } else if (h->max_txid != 0) {
        (void)snprintf(txids, sizeof(txids), "TXID %" PRIx64 "  ", h->max_txid);
    }
    (void)snprintf(buf, size, "%s%s%s%s%s", level, txids,
                   h->bytes > 0 ? ls_bytes_format(h->bytes, bytes, sizeof(bytes)) : "",
                   h->bytes > 0 && h->text[0] != '\0' ? "  " : "", h->text);
}

static void describe_errand(const errand *e, char *buf, size_t size) {
    char line[900];
    const char *state = e->job != NULL         ? "running"
                        : e->given_up          ? "given up"
                        : e->err.code != LS_OK ? e->err.msg
                                               : e->act.outcome;
    (void)snprintf(buf, size, "%s   $ %s", state, action_command(&e->act, line, sizeof(line)));
}

static void describe(const act_row *r, char *buf, size_t size) {
    if (r->job != NULL) {
        describe_job(r->job, buf, size);
    } else if (r->event != NULL) {
        describe_event(r->event, buf, size);
    } else {
        describe_errand(r->errand, buf, size);
    }
}

static bool is_bad(const act_row *r) {
    if (r->job != NULL) {
        return r->job->error != NULL || (r->job->result != NULL && !r->job->good);
    }
    return r->event != NULL ? strcmp(r->event->kind, "error") == 0 : r->errand->err.code != LS_OK;
}

static const char *mark_of(const activity_view *v, const act_row *r) {
    bool runs = is_active(r) || (r->errand != NULL && r->errand->job != NULL);
    bool ended = r->errand != NULL ? !r->errand->given_up
                                   : r->job != NULL && strcmp(r->job->status, "done") == 0;
    return runs ? app_spinner(v->base.app) : is_bad(r) ? "✗" : ended ? "✓" : " ";
}

static bool match(void *arg, size_t row, const char *text) {
    const act_row *r = &((activity_view *)arg)->all[row];
    char buf[1400];
    describe(r, buf, sizeof(buf));
    return strcasestr(kind_of(r), text) != NULL || strcasestr(path_of(r), text) != NULL ||
           strcasestr(buf, text) != NULL;
}

/* ---- drawing ---- */

static void draw_row(view *base, canvas *c, int row, size_t number, meaning how) {
    const activity_view *v = (const activity_view *)base;
    const act_row *r = &v->all[number];
    int wide = c->cols >= 110 ? 30 : 16;
    char text[1400], when[32] = "-";
    describe(r, text, sizeof(text));
    if (r->at_ms >= 0) {
        (void)ls_time_format(r->at_ms, false, when, sizeof(when));
        when[10] = ' ';
        when[19] = '\0';
        (void)memmove(when, when + 5, 15);
    }
    how = how == PLAIN && is_bad(r) ? ALERT : how;
    canvas_put(c, row, 0, c->cols, how, "");
    canvas_putf(c, row, 2, 14, how, "%s", when);
    canvas_put(c, row, 17, 1, how, mark_of(v, r));
    canvas_putf(c, row, 19, 10, how, "%s", kind_of(r));
    canvas_put_end(c, row, 30, wide, how, path_of(r));
    canvas_putf(c, row, 31 + wide, c->cols - 31 - wide, how, "%s", text);
}

/* What runs: how far it is, as a bar as well. */
static void draw_bar(canvas *c, int row, const fleet_job *j) {
    const ls_restore_progress *p = &j->progress;
    int width = c->cols - 4;
    int full = p->bytes > 0 ? (int)((double)p->bytes_done / (double)p->bytes * width) : 0;
    for (int i = 0; i < width; i++) {
        canvas_put(c, row, 2 + i, 1, i < full ? BRIGHT : DIM, i < full ? "█" : "░");
    }
}

static void draw_strip(const activity_view *v, canvas *c) {
    const list *l = &v->base.list;
    int row = c->rows - 1 - STRIP;
    for (int i = 0; i < c->cols; i++) {
        canvas_put(c, row, i, 1, DIM, "─");
    }
    canvas_putf(c, row + 4, 0, c->cols, DIM, " %zu of %zu%s%s%s", l->n > 0 ? l->cursor + 1 : 0,
                l->n, l->n < l->total ? " shown" : "", l->filter[0] != '\0' ? "   filter: " : "",
                l->filter);
    if (l->n == 0) {
        return;
    }
    const act_row *r = &v->all[list_row(l, l->cursor)];
    char text[1400];
    describe(r, text, sizeof(text));
    int used = canvas_wrap(c, row + 1, 1, c->cols - 2, 3, is_bad(r) ? ALERT : PLAIN, text);
    const char *hint = r->job != NULL && r->job->hint != NULL ? r->job->hint
                       : r->errand != NULL && r->errand->err.code != LS_OK
                           ? ls_err_hint(&r->errand->err)
                           : "";
    if (is_active(r)) {
        draw_bar(c, row + 3, r->job);
    } else if (*hint != '\0' && used < 3) {
        canvas_putf(c, row + 1 + used, 1, c->cols - 2, PLAIN, "hint: %s", hint);
    } else if (used < 3) {
        canvas_putf(c, row + 1 + used, 1, c->cols - 2, DIM, "%s", path_of(r));
    }
}

static void draw(view *base, canvas *c) {
    activity_view *v = (activity_view *)base;
    if (live_draw_missing(base, c)) {
        return;
    }
    int row = 1 + live_draw_link(base->app, c, 1);
    if (v->n == 0) {
        canvas_put(c, row + 1, 2, c->cols - 3, PLAIN,
                   base->app->news.link == FEED_OFFLINE
                       ? "Without a daemon nothing happens here."
                       : "Nothing has happened since the daemon began.");
        return;
    }
    canvas_putf(c, row, 0, c->cols, DIM, "  %-14s   %-10s %-*s %s", "TIME", "KIND",
                c->cols >= 110 ? 30 : 16, "DATABASE", "WHAT");
    view_draw_list(base, c, row + 1, STRIP, draw_row);
    draw_strip(v, c);
}

/* ---- requests ---- */

static const act_row *selected(const activity_view *v) {
    const list *l = &v->base.list;
    return l->n > 0 ? &v->all[list_row(l, l->cursor)] : NULL;
}

static bool cancel(app *a, const act_row *r) {
    if (r->job != NULL && r->job->active) {
        errand_cancel_job(a, r->job);
        return true;
    }
    if (r->errand != NULL && r->errand->job != NULL) {
        errand_give_up(a, r->errand->id);
        return true;
    }
    return false;
}

static bool take(view *base, request r) {
    const act_row *row = selected((const activity_view *)base);
    if (r == REQ_OPEN && row != NULL && *path_of(row) != '\0') {
        app_open_database(base->app, path_of(row), VIEW_LEVELS);
    }
    if (r == REQ_CANCEL && row != NULL) {
        return cancel(base->app, row);
    }
    return r == REQ_OPEN;
}

/* A command line, where the row is one. */
static bool copied(view *base, char *buf, size_t size) {
    const act_row *r = selected((const activity_view *)base);
    if (r == NULL) {
        return false;
    }
    if (r->errand != NULL) {
        action_command(&r->errand->act, buf, size);
    } else {
        describe(r, buf, size);
    }
    return true;
}

static const list_rows *rows(view *v) { return &((activity_view *)v)->rows; }

static ls_code table(view *base, ls_table *t, ls_err *err) {
    const activity_view *v = (const activity_view *)base;
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && i < base->list.n; i++) {
        const act_row *r = &v->all[list_row(&base->list, i)];
        char when[32] = "", text[1400];
        describe(r, text, sizeof(text));
        if (r->at_ms >= 0) {
            (void)ls_time_format(r->at_ms, true, when, sizeof(when));
        }
        rc = LS_TABLE_ROW(t, err, when, kind_of(r), path_of(r), is_bad(r) ? "no" : "yes", text);
    }
    return rc;
}

static void done(view *base) {
    activity_view *v = (activity_view *)base;
    free(v->all);
    fleet_unref(v->fleet);
    happenings_unref(v->events);
    free(v);
}

static const char *const keys[] = {"time", "kind", "database", "well", "what", NULL};

static const view_ops ops = {.id = VIEW_ACTIVITY,
                             .draw = draw,
                             .request = take,
                             .news = news,
                             .rows = rows,
                             .copied = copied,
                             .table = table,
                             .keys = keys,
                             .free = done};

view *view_activity_new(void) {
    activity_view *v = calloc(1, sizeof(*v));
    if (v == NULL) {
        return NULL;
    }
    v->base.ops = &ops;
    v->rows = (list_rows){.arg = v, .match = match};
    return &v->base;
}
