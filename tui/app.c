/* The tabs and their stacks, the frame around them, and requests that every view takes alike. */
#include "tui/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPIN_MS 120

view *app_view(app *a) { return a->top[a->tab]; }

void view_push(app *a, view *v) {
    const tui_state *state = &a->state;
    v->app = a;
    if (state->order[v->ops->id].column <= v->ops->columns) {
        v->list.order = state->order[v->ops->id].column;
        v->list.reverse = state->order[v->ops->id].reverse;
    }
    v->below = a->top[a->tab];
    a->top[a->tab] = v;
    if (v->ops->snapshot != NULL && a->snap != NULL) {
        v->ops->snapshot(v);
    }
    if (v->ops->news != NULL && a->news.fleet != NULL) {
        v->ops->news(v);
    }
}

static void view_free(view *v) {
    if (v->ops->job != NULL && v->ops->waits) {
        job_stop(v->ops->job(v));
    } else if (v->ops->job != NULL) {
        job_give_up(v->ops->job(v));
    }
    list_done(&v->list);
    v->ops->free(v);
}

void view_pop(app *a) {
    view *v = app_view(a);
    if (v->below == NULL && a->feed != NULL && a->tab < REPLICA_TABS) {
        app_open_tab(a, VIEW_DATABASES);
        return;
    }
    if (v->below == NULL) {
        a->quit = true;
        return;
    }
    a->top[a->tab] = v->below;
    view_free(v);
}

void app_say(app *a, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(a->said, sizeof(a->said), fmt, args);
    va_end(args);
}

/* ---- reading the listing ---- */

ls_code reading_open(reading *r, app *a, ls_err *err) {
    ls_code rc = app_source(a, &r->source, err);
    r->snap = a->snap != NULL ? snapshot_ref(a->snap) : NULL;
    return rc;
}

void reading_done(reading *r) {
    source_done(&r->source);
    snapshot_unref(r->snap);
    r->snap = NULL;
}

static ls_code read_listing(job *j, void *arg, ls_err *err) {
    reading *r = arg;
    return source_list(&r->source, job_cancel(j), &r->snap, err);
}

static void drop_reading(void *arg) {
    reading_done(arg);
    free(arg);
}

void app_refresh_old(app *a) {
    if (a->refresh_ms > 0 && a->name != NULL && a->tab < REPLICA_TABS &&
        ls_wall_ms(&ls_clock_system) - a->asked_ms >= a->refresh_ms) {
        app_refresh(a);
    }
}

void app_refresh(app *a) {
    if (a->feed != NULL) {
        feed_ask(a->feed);
    }
    if (a->reading != NULL || a->name == NULL || a->tab >= REPLICA_TABS) {
        return;
    }
    a->asked_ms = ls_wall_ms(&ls_clock_system);
    reading *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        (void)ls_fail(&a->err, LS_ENOMEM, "read %s", a->name);
        return;
    }
    if (app_source(a, &r->source, &a->read_err) != LS_OK) {
        drop_reading(r);
        return;
    }
    (void)!job_start(&a->reading, read_listing, r, drop_reading, a->wake[1], &a->read_err);
}

void app_tell(app *a, bool snap) {
    for (int tab = 0; tab < TABS; tab++) {
        for (view *v = a->top[tab]; v != NULL; v = v->below) {
            void (*fn)(view *) = snap ? v->ops->snapshot : v->ops->news;
            if (fn != NULL) {
                fn(v);
            }
        }
    }
}

static void take_listing(app *a) {
    void *arg = NULL;
    ls_err_clear(&a->read_err);
    ls_code rc = job_take(&a->reading, &arg, &a->read_err);
    reading *r = arg;
    if (rc == LS_OK) {
        snapshot_unref(a->snap);
        a->snap = r->snap;
        r->snap = NULL;
        app_tell(a, true);
    } else if (a->snap != NULL && rc != LS_ECANCELED) {
        a->err = a->read_err; /* what is shown stays, and is stale */
    }
    drop_reading(r);
}

/* Filters of long lists go on, a part at a time; the byte has the loop come back at once. */
static void step_lists(app *a) {
    bool busy = false;
    for (int tab = 0; tab < TABS; tab++) {
        for (view *v = a->top[tab]; v != NULL; v = v->below) {
            busy = (list_busy(&v->list) && list_step(&v->list, v->ops->rows(v))) || busy;
        }
    }
    if (busy) {
        (void)!write(a->wake[1], "", 1);
    }
}

static void tell_shown(app *a) {
    view *v = app_view(a);
    if (v->ops->shown != NULL && !a->quit) {
        v->ops->shown(v);
    }
}

void app_poll(app *a) {
    char byte[64];
    while (read(a->wake[0], byte, sizeof(byte)) > 0) {
    }
    if (a->reading != NULL && job_done(a->reading)) {
        take_listing(a);
    }
    errands_poll(a);
    if (a->feed != NULL) {
        live_poll(a);
    }
    for (int tab = 0; tab < TABS; tab++) {
        for (view *v = a->top[tab]; v != NULL; v = v->below) {
            job **j = v->ops->job != NULL ? v->ops->job(v) : NULL;
            if (j != NULL && *j != NULL && job_done(*j)) {
                v->ops->job_ended(v);
            }
        }
    }
    tell_shown(a);
    step_lists(a);
}

bool app_busy(app *a) {
    bool busy = a->reading != NULL || errands_run(a) || (a->feed != NULL && feed_busy(a->feed));
    for (int tab = 0; tab < TABS; tab++) {
        for (view *v = a->top[tab]; v != NULL; v = v->below) {
            busy = busy || (v->ops->job != NULL && *v->ops->job(v) != NULL) || list_busy(&v->list);
        }
    }
    return busy;
}

/* What is shown of a replica grows older, and may have to be read again. */
static int replica_timeout(const app *a) {
    int64_t now = ls_wall_ms(&ls_clock_system), since = now - a->asked_ms;
    if (a->refresh_ms > 0 && since + 1000 > a->refresh_ms) {
        return since < a->refresh_ms ? (int)(a->refresh_ms - since) : 0;
    }
    int64_t age = a->snap != NULL ? now - a->snap->taken_ms : 0;
    return a->snap == NULL ? -1 : age < 60000 ? 1000 : 60000;
}

int app_timeout(app *a) {
    if (app_busy(a)) {
        return SPIN_MS;
    }
    int replica = a->tab < REPLICA_TABS ? replica_timeout(a) : -1;
    if (a->feed == NULL) {
        return replica;
    }
    bool well = a->news.link == FEED_LIVE && feed_waits(a->feed) < LS_SEC;
    int link = well ? (int)(FEED_IDLE_NS / LS_MS) : 1000;
    return replica >= 0 && replica < link ? replica : link;
}

static view *new_tab(int tab) {
    static view *(*const makers[TABS])(void) = {
        view_levels_new, view_timeline_new,  view_files_new,   view_points_new,
        view_verify_new, view_databases_new, view_activity_new};
    return makers[tab]();
}

static void free_tab(app *a, int tab) {
    while (a->top[tab] != NULL) {
        view *v = a->top[tab];
        a->top[tab] = v->below;
        view_free(v);
    }
}

/* Those from a tab on, up to another, anew. */
static ls_code fresh_tabs(app *a, int from, int to, ls_err *err) {
    int before = a->tab;
    for (a->tab = from; a->tab < to; a->tab++) {
        free_tab(a, a->tab);
        view *v = new_tab(a->tab);
        if (v == NULL) {
            return ls_fail(err, LS_ENOMEM, "open the views");
        }
        view_push(a, v);
    }
    a->tab = before;
    return LS_OK;
}

ls_code app_fresh_tabs(app *a, ls_err *err) { return fresh_tabs(a, 0, REPLICA_TABS, err); }

static ls_code begin(app *a, ls_err *err) {
    if (pipe2(a->wake, O_CLOEXEC | O_NONBLOCK) != 0) {
        return ls_fail_errno(err, errno, "make a pipe");
    }
    return fresh_tabs(a, 0, TABS, err);
}

ls_code app_init(app *a, const char *name, ls_err *err) {
    ls_code rc = app_set_place(a, name, err);
    if (rc == LS_OK) {
        rc = begin(a, err);
    }
    if (rc == LS_OK) {
        a->tab = a->replica ? VIEW_LEVELS : VIEW_FILES;
        app_refresh(a);
    }
    return rc;
}

ls_code app_init_fleet(app *a, const feed_places *places, ls_err *err) {
    ls_code rc = begin(a, err);
    a->tab = VIEW_DATABASES;
    return rc == LS_OK ? live_start(a, places, err) : rc;
}

/* Jobs that were given up may still write to the pipe, so it stays open until the program ends. */
void app_done(app *a) {
    job_give_up(&a->reading);
    errands_done(a);
    for (int tab = 0; tab < TABS; tab++) {
        free_tab(a, tab);
    }
    snapshot_unref(a->snap);
    a->snap = NULL;
    feed_stop(a->feed);
    feed_news_done(&a->news);
    free(a->url);
    free(a->database);
    free(a->location);
}

/* ---- requests ---- */

/* A database that is selected is opened for the tabs of one replica, where none is yet. */
static bool need_replica(app *a, int tab) {
    const fleet_db *db = a->name == NULL ? live_database(a) : NULL;
    if (a->name == NULL && db != NULL) {
        app_open_database(a, db->path, tab);
    } else if (a->name == NULL) {
        (void)ls_fail(&a->err, LS_ENOTFOUND, "%s: no database is selected", view_table[tab].title);
        (void)ls_hint(&a->err, "6 shows the databases");
    } else if (!a->replica && tab != VIEW_FILES) {
        (void)ls_fail(&a->err, LS_EUNSUPPORTED, "%s: only of a replica", view_table[tab].title);
        (void)ls_hint(&a->err, "these are LTX files; give a replica's folder or URL");
    } else {
        return true;
    }
    return false;
}

void app_open_tab(app *a, int tab) {
    if (tab >= REPLICA_TABS && a->feed == NULL) {
        (void)ls_fail(&a->err, LS_EUNSUPPORTED, "%s: only of a daemon", view_table[tab].title);
        (void)ls_hint(&a->err, "litestream-tui without a path, or with -socket");
        return;
    }
    if (tab >= REPLICA_TABS || need_replica(a, tab)) {
        a->tab = tab;
    }
}

/* Within its group. */
static void next_tab(app *a, int step) {
    int first = a->tab < REPLICA_TABS ? 0 : REPLICA_TABS;
    int n = a->tab < REPLICA_TABS ? REPLICA_TABS : TABS - REPLICA_TABS;
    if (a->tab < REPLICA_TABS && !a->replica) {
        app_open_tab(a, VIEW_FILES);
    } else {
        app_open_tab(a, first + (a->tab - first + n + step) % n);
    }
}

static void set_order(view *v, int order, bool reverse) {
    const list_rows *rows = v->ops->rows(v);
    (void)!list_set_order(&v->list, order, reverse, rows, &v->app->err);
    v->app->state.order[v->ops->id].column = order;
    v->app->state.order[v->ops->id].reverse = reverse;
}

/* What moves through a list. */
static bool move(view *v, request r) {
    long screen = (long)v->list.height;
    switch (r) {
    case REQ_UP:
    case REQ_DOWN:
        list_move(&v->list, r == REQ_UP ? -1 : 1);
        return true;
    case REQ_PAGE_UP:
    case REQ_PAGE_DOWN:
        list_move(&v->list, r == REQ_PAGE_UP ? -screen : screen);
        return true;
    case REQ_FIRST:
        list_first(&v->list);
        return true;
    case REQ_LAST:
        list_last(&v->list);
        return true;
    case REQ_ORDER:
        set_order(v, (v->list.order + 1) % (v->ops->columns + 1), v->list.reverse);
        return true;
    case REQ_REVERSE:
        set_order(v, v->list.order > 0 ? v->list.order : 1, !v->list.reverse);
        return true;
    default:
        return false;
    }
}

static void cancel(app *a) {
    view *v = app_view(a);
    job **j = v->ops->job != NULL ? v->ops->job(v) : NULL;
    if (j != NULL && *j != NULL) {
        job_give_up(j);
        app_say(a, "given up");
    } else if (a->reading != NULL) {
        job_give_up(&a->reading);
        app_say(a, "reading given up; R begins again");
    } else if (errands_run(a)) {
        errand_give_up(a, a->last_errand);
    } else {
        app_say(a, "nothing is running here");
    }
}

static void next_theme(app *a) {
    a->theme = (a->theme + 1) % THEME_COUNT;
    a->state.theme = a->theme;
    if (a->set_theme != NULL) {
        a->set_theme(a->theme);
    }
    a->redraw = true;
    app_say(a, "theme: %s, %s", theme_table[a->theme].name, theme_table[a->theme].about);
}

static void common(app *a, request r) {
    switch (r) {
    case REQ_THEME:
        next_theme(a);
        break;
    case REQ_NEXT_TAB:
    case REQ_PREV_TAB:
        next_tab(a, r == REQ_NEXT_TAB ? 1 : -1);
        break;
    case REQ_TAB_LEVELS:
    case REQ_TAB_TIMELINE:
    case REQ_TAB_FILES:
    case REQ_TAB_POINTS:
    case REQ_TAB_VERIFY:
    case REQ_TAB_DATABASES:
    case REQ_TAB_ACTIVITY:
        app_open_tab(a, (int)(r - REQ_TAB_LEVELS));
        break;
    case REQ_REFRESH:
        app_refresh(a);
        break;
    case REQ_CANCEL:
        cancel(a);
        break;
    case REQ_HELP:
        view_help_open(a);
        break;
    case REQ_BACK:
        view_pop(a);
        break;
    case REQ_REDRAW:
        a->redraw = true;
        break;
    case REQ_SUSPEND:
        a->suspend = true;
        break;
    case REQ_QUIT:
        a->quit = true;
        break;
    default:
        break;
    }
}

static bool written(app *a, request r) {
    switch (r) {
    case REQ_FILTER:
        app_filter(a);
        return true;
    case REQ_COMMAND:
        app_command(a);
        return true;
    case REQ_COPY:
        app_copy(a);
        return true;
    case REQ_WRITE_TEXT:
        app_write_text(a);
        return true;
    case REQ_WRITE_ROWS:
        app_write_rows(a);
        return true;
    default:
        return false;
    }
}

void app_request(app *a, request r) {
    view *v = app_view(a);
    if (r == REQ_NONE || !request_works(r, v->ops->id)) {
        return;
    }
    if (a->readonly && request_table[r].changes) {
        (void)ls_fail(&a->err, LS_EUNSUPPORTED, "%s: not with -readonly", request_table[r].name);
        return;
    }
    if ((v->ops->request != NULL && v->ops->request(v, r)) || written(a, r) || move(v, r) ||
        errand_request(a, r)) {
        return;
    }
    common(a, r);
}

static bool is_first(const app *a) {
    return a->top[a->tab]->below == NULL && (a->feed == NULL || a->tab >= REPLICA_TABS);
}

void app_key(app *a, const char *key) {
    if (*key == '\0') {
        return;
    }
    ls_err_clear(&a->err);
    a->said[0] = '\0';
    if (strcmp(key, "ctrl-c") == 0) {
        a->quit = true;
    } else if (a->prompt.open) {
        prompt_key(a, key);
    } else if (strcmp(key, "esc") == 0 && is_first(a)) {
        app_say(a, "this is the first view; q quits");
    } else {
        app_request(a, request_of_key(app_view(a)->ops->id, key));
    }
}

/* ---- the mouse ---- */

void app_wheel(app *a, int direction) {
    view *v = app_view(a);
    if (v->ops->id == VIEW_TIMELINE) {
        app_request(a, direction < 0 ? REQ_LEFT : REQ_RIGHT);
    } else if (request_works(REQ_DOWN, v->ops->id)) {
        for (int i = 0; i < 3; i++) {
            app_request(a, direction < 0 ? REQ_UP : REQ_DOWN);
        }
    }
}

/* Tabs, and keys of the last line. */
static bool click_hit(app *a, int row, int col) {
    for (size_t i = 0; i < a->n_hits; i++) {
        const hit *h = &a->hits[i];
        if (row == h->row && col >= h->col && col < h->col + h->width) {
            app_request(a, h->request);
            return true;
        }
    }
    return false;
}

void app_click(app *a, int row, int col, bool twice) {
    view *v = app_view(a);
    if (a->prompt.open) {
        return;
    }
    ls_err_clear(&a->err);
    a->said[0] = '\0';
    if (click_hit(a, row, col) || (v->ops->click != NULL && v->ops->click(v, row, col))) {
        return;
    }
    size_t at = v->list.top + (size_t)(row > v->list_row ? row - v->list_row : 0);
    if (v->list_row == 0 || row < v->list_row || at >= v->list.n ||
        at >= v->list.top + v->list.height) {
        return;
    }
    list_move(&v->list, (long)at - (long)v->list.cursor);
    if (twice) {
        app_request(a, request_of_key(v->ops->id, "enter"));
    }
}
