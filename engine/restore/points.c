/*
 * Restore points as windows; see points.h.
 *
 * A window of level n goes on with a file of level n that starts where its last one ended. Points
 * of higher levels in between, snapshots mostly, become part of it then: they break no granularity.
 */
#include "engine/restore/points.h"

#include "engine/restore/sweep.h"

#include <stdlib.h>

#define NO_WINDOW SIZE_MAX

typedef struct collector {
    ls_points *points;
    size_t cap_windows, cap_gaps;
    size_t open[LS_LISTING_LEVELS];       /* window of each level that may go on; NO_WINDOW */
    ls_txid level_end[LS_LISTING_LEVELS]; /* where its last file ended */
    ls_txid last;                         /* newest reachable TXID so far */
    ls_txid blocked;                      /* newest unreachable TXID behind it; 0: none */
} collector;

/* ---- growing ---- */

static ls_code add_window(collector *c, const ls_window *w, ls_err *err) {
    ls_points *p = c->points;
    if (p->n_windows == c->cap_windows) {
        size_t cap = c->cap_windows == 0 ? 16 : 2 * c->cap_windows;
        ls_window *windows = realloc(p->windows, cap * sizeof *windows);
        if (windows == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for %zu windows", p->n_windows);
        }
        p->windows = windows;
        c->cap_windows = cap;
    }
    p->windows[p->n_windows++] = *w;
    return LS_OK;
}

static ls_code add_gap(collector *c, ls_txid to, ls_err *err) {
    ls_points *p = c->points;
    if (p->n_gaps == c->cap_gaps) {
        size_t cap = c->cap_gaps == 0 ? 16 : 2 * c->cap_gaps;
        ls_points_gap *gaps = realloc(p->gaps, cap * sizeof *gaps);
        if (gaps == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory for %zu gaps", p->n_gaps);
        }
        p->gaps = gaps;
        c->cap_gaps = cap;
    }
    p->gaps[p->n_gaps++] = (ls_points_gap){.from = c->last + 1, .to = to, .usable = c->last};
    return LS_OK;
}

/* ---- windows ---- */

static int64_t later(int64_t a, int64_t b) { return a > b ? a : b; }

/* Makes the windows from i on one, of the level of the first. */
static void join_windows(collector *c, size_t i) {
    ls_points *p = c->points;
    ls_window *w = &p->windows[i];
    for (size_t k = i + 1; k < p->n_windows; k++) {
        const ls_window *next = &p->windows[k];
        w->widest_ms = later(w->widest_ms, next->first_ms - w->last_ms);
        w->widest_ms = later(w->widest_ms, next->widest_ms);
        w->last = next->last;
        w->last_ms = next->last_ms;
        w->points += next->points;
    }
    p->n_windows = i + 1;
}

/* The window that a point carries on; NO_WINDOW. start: MinTXID of the file that ends there.
 * Windows behind it are of higher levels alone: a point of a lower one would have closed it. */
static size_t window_for(const collector *c, int level, ls_txid start) {
    size_t i = c->open[level];
    bool joins = level == LS_LTX_LEVEL_SNAPSHOT || start - 1 <= c->level_end[level];
    return joins ? i : NO_WINDOW;
}

static ls_code add_point(collector *c, const ls_sweep_step *step, ls_err *err) {
    const int level = step->finest->level;
    const int64_t ms = step->last->created_ms;
    ls_window point = {.first = step->txid,
                       .last = step->txid,
                       .first_ms = ms,
                       .last_ms = ms,
                       .level = level,
                       .points = 1};
    size_t i = window_for(c, level, step->finest->min_txid);
    ls_code code = add_window(c, &point, err);
    if (code != LS_OK) {
        return code;
    }
    if (i != NO_WINDOW) {
        join_windows(c, i);
    }
    for (int l = level; l < LS_LISTING_LEVELS; l++) {
        c->open[l] = l == level ? c->points->n_windows - 1 : NO_WINDOW;
    }
    c->level_end[level] = step->txid;
    return LS_OK;
}

/* A gap is between restore points, or behind all of them. What lies before the first one is what
 * retention left; only where nothing can be restored at all is that worth a word. */
static ls_code end_gap(collector *c, bool at_end, ls_err *err) {
    bool gap = c->blocked != 0 && (c->last != 0 || at_end);
    ls_code code = gap ? add_gap(c, c->blocked, err) : LS_OK;
    if (gap) {
        for (int l = 0; l < LS_LISTING_LEVELS; l++) {
            c->open[l] = NO_WINDOW;
        }
    }
    c->blocked = 0;
    return code;
}

static ls_code take_step(void *arg, const ls_sweep_step *step, ls_err *err) {
    collector *c = arg;
    if (!step->reachable) {
        c->blocked = step->txid;
        return LS_OK;
    }
    ls_code code = end_gap(c, false, err);
    if (code == LS_OK) {
        code = add_point(c, step, err);
    }
    c->last = step->txid;
    return code;
}

/* ---- the replica ---- */

typedef ls_code (*step_fn)(void *arg, const ls_sweep_step *step, ls_err *err);

static ls_code each_step(ls_storage *s, step_fn fn, void *arg, ls_err *err) {
    ls_listing listing;
    ls_code code = ls_listing_read(s, &listing, err);
    if (code != LS_OK) {
        return code;
    }
    ls_sweep *sweep;
    code = ls_sweep_new(&listing, &sweep, err);
    for (bool end = false; code == LS_OK && !end;) {
        ls_sweep_step step;
        code = ls_sweep_next(sweep, &step, &end, err);
        if (code == LS_OK && !end) {
            code = fn(arg, &step, err);
        }
    }
    ls_sweep_free(sweep);
    ls_listing_done(&listing);
    return code;
}

ls_code ls_points_list(ls_storage *s, ls_points *points, ls_err *err) {
    *points = (ls_points){0};
    collector c = {.points = points};
    for (int l = 0; l < LS_LISTING_LEVELS; l++) {
        c.open[l] = NO_WINDOW;
    }
    ls_code code = each_step(s, take_step, &c, err);
    if (code == LS_OK) {
        code = end_gap(&c, true, err);
    }
    if (code != LS_OK) {
        ls_points_done(points);
    }
    return code;
}

void ls_points_done(ls_points *points) {
    free(points->windows);
    free(points->gaps);
    *points = (ls_points){0};
}

typedef struct each_job {
    ls_point_fn fn;
    void *arg;
} each_job;

static ls_code give_point(void *arg, const ls_sweep_step *step, ls_err *err) {
    const each_job *job = arg;
    if (!step->reachable) {
        return LS_OK;
    }
    const ls_point point = {
        .txid = step->txid, .created_ms = step->last->created_ms, .level = step->finest->level};
    return job->fn(job->arg, &point, err);
}

ls_code ls_points_each(ls_storage *s, ls_point_fn fn, void *arg, ls_err *err) {
    each_job job = {.fn = fn, .arg = arg};
    return each_step(s, give_point, &job, err);
}
