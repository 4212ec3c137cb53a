/* The frame around a view: tabs or the way to it on top, the line of keys at the bottom, which also
 * shows what went wrong and what is typed. */
#include "tui/view.h"

#include <inttypes.h>
#include <string.h>

const char *app_spinner(const app *a) {
    static const char *const turns[] = {"|", "/", "-", "\\"};
    return a->fixed_clock ? "|" : turns[a->spin % 4];
}

static int columns_of(const char *text) {
    int n = 0;
    for (; *text != '\0'; text++) {
        n += (*text & 0xc0) != 0x80;
    }
    return n;
}

static const char *title_of(const view *v) {
    return v->title[0] != '\0' ? v->title : view_table[v->ops->id].title;
}

static int draw_way(canvas *c, const view *v, int col) {
    if (v == NULL) {
        return col;
    }
    col = draw_way(c, v->below, col);
    return col +
           canvas_putf(c, 0, col, c->cols - col, TITLE, "%s%s", col > 1 ? " › " : "", title_of(v));
}

static void add_hit(app *a, int row, int col, int width, request r) {
    if (a->n_hits < HITS_MAX) {
        a->hits[a->n_hits++] = (hit){.row = row, .col = col, .width = width, .request = r};
    }
}

/* The tabs of the group that is shown. */
static int draw_tabs(app *a, canvas *c) {
    bool one = a->tab < REPLICA_TABS;
    int col = 1;
    for (int tab = one ? 0 : REPLICA_TABS; tab < (one ? REPLICA_TABS : TABS); tab++) {
        if (one && !a->replica && tab != VIEW_FILES) {
            continue;
        }
        const char *mark = tab == a->tab ? "▸" : " ";
        int width = canvas_putf(c, 0, col, c->cols - col, tab == a->tab ? TITLE : DIM, "%s%s", mark,
                                view_table[tab].title);
        add_hit(a, 0, col, width, (request)((int)REQ_TAB_LEVELS + tab));
        col += width + 1;
    }
    return col;
}

/* Which replica it is and how old what is shown is. */
static void name_replica(app *a, char *buf, size_t size, meaning *how) {
    char age[32];
    int64_t old =
        a->snap == NULL || a->fixed_clock ? 0 : ls_wall_ms(&ls_clock_system) - a->snap->taken_ms;
    const char *state = a->reading != NULL          ? "reading"
                        : a->read_err.code != LS_OK ? "STALE"
                        : a->snap == NULL           ? "nothing read"
                                                    : "read";
    (void)snprintf(buf, size, "%.1000s %s %s %s", a->database != NULL ? a->database : a->name,
                   a->reading != NULL ? app_spinner(a) : "·", state,
                   a->snap != NULL ? age_format(old, age, sizeof(age)) : "");
    *how = a->read_err.code != LS_OK ? ALERT : DIM;
}

/* The end of the name counts most. */
static void draw_place(app *a, canvas *c, int col) {
    char text[1200];
    meaning how;
    if (a->tab < REPLICA_TABS) {
        name_replica(a, text, sizeof(text), &how);
    } else {
        live_place(a, text, sizeof(text), &how);
    }
    int len = columns_of(text), room = c->cols - col - 2;
    if (len <= room) {
        canvas_put(c, 0, c->cols - len - 1, len, how, text);
    } else if (room > 8) {
        const char *from = text;
        for (; len > room - 1; from++) {
            len -= (from[1] & 0xc0) != 0x80;
        }
        canvas_putf(c, 0, c->cols - len - 2, len + 1, how, "…%s", from);
    }
}

/* Shown in dim: what -readonly forbids, what needs a daemon where none is, and other views where
 * there are none. */
static bool is_off(const app *a, request r) {
    return app_why_not(a, r) != NULL || (a->tab < REPLICA_TABS && !a->replica && r == REQ_NEXT_TAB);
}

const char *app_why_not(const app *a, request r) {
    bool of_daemon = r >= REQ_SYNC && r <= REQ_RESET;
    if (a->readonly && request_table[r].changes) {
        return "not with -readonly";
    }
    return of_daemon && (a->socket == NULL || a->news.link == FEED_OFFLINE) ? "no daemon" : NULL;
}

bool app_offers(const app *a, request r, view_id id) {
    bool of_daemon = r >= REQ_SYNC && r <= REQ_RESET;
    return request_works(r, id) && !(of_daemon && a->feed == NULL);
}

/* Keys of the view that is shown, as many as fit; the way out and help always do. */
static void draw_keys(app *a, view_id id, canvas *c) {
    static const request always[] = {REQ_BACK, REQ_HELP};
    int row = c->rows - 1, col = 1, end = c->cols;
    canvas_put(c, row, 0, c->cols, KEYS, "");
    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
        if (request_works(always[i], id)) {
            int need = columns_of(request_table[always[i]].line);
            end -= need + 2;
            canvas_put(c, row, end + 1, need, KEYS, request_table[always[i]].line);
            add_hit(a, row, end + 1, need, always[i]);
        }
    }
    bool busy = app_busy(a);
    for (request r = REQ_NONE; r < REQ_COUNT; r++) {
        int need = columns_of(request_table[r].line);
        if (need == 0 || !app_offers(a, r, id) || col + need > end || r == REQ_BACK ||
            r == REQ_HELP || (r == REQ_CANCEL && !busy)) {
            continue;
        }
        canvas_put(c, row, col, need, is_off(a, r) ? DIM : KEYS, request_table[r].line);
        add_hit(a, row, col, need, r);
        col += need + 2;
    }
}

static void draw_prompt(const prompt *p, view_id id, canvas *c) {
    int row = c->rows - 1;
    size_t room = (size_t)c->cols - strlen(p->label) - 3;
    const char *text = p->len > room ? p->text + p->len - room : p->text;
    canvas_putf(c, row, 0, c->cols, PLAIN, "%s%s_", p->label, text);
    if (!p->complete) {
        return;
    }
    char names[PROMPT_MAX] = "";
    size_t len = 0;
    for (size_t n = 0; len + 32 < sizeof(names); n++) {
        const char *name = request_complete(id, p->stem, n);
        if (name == NULL) {
            break;
        }
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s ", name);
    }
    canvas_putf(c, row - 1, 0, c->cols, DIM, " %s", names);
}

static void draw_bottom(app *a, canvas *c) {
    int row = c->rows - 1;
    if (a->prompt.open) {
        draw_prompt(&a->prompt, app_view(a)->ops->id, c);
    } else if (a->err.code != LS_OK) {
        canvas_putf(c, row, 0, c->cols, ALERT, " %s%s%s", a->err.msg,
                    *ls_err_hint(&a->err) != '\0' ? " - hint: " : "", ls_err_hint(&a->err));
    } else if (a->said[0] != '\0') {
        canvas_putf(c, row, 0, c->cols, GOOD, " %s", a->said);
    } else {
        draw_keys(a, app_view(a)->ops->id, c);
    }
}

bool view_draw_missing(view *v, canvas *c) {
    app *a = v->app;
    if (a->snap != NULL) {
        return false;
    }
    if (a->reading != NULL) {
        canvas_putf(c, 2, 2, c->cols - 3, PLAIN, "%s reading %s ... (c gives up)", app_spinner(a),
                    a->name);
    } else if (a->read_err.code != LS_OK) {
        int row = 2;
        row += canvas_wrap(c, row, 2, c->cols - 3, 6, ALERT, a->read_err.msg);
        canvas_wrap(c, row, 2, c->cols - 3, 3, PLAIN, ls_err_hint(&a->read_err));
        canvas_put(c, c->rows - 3, 2, c->cols - 3, PLAIN, "R reads again.");
    } else {
        canvas_put(c, 2, 2, c->cols - 3, PLAIN, "Nothing was read. R reads.");
    }
    return true;
}

void view_draw_list(view *v, canvas *c, int row, int strip, row_fn draw) {
    int height = c->rows - 1 - strip - row;
    v->list_row = row;
    list_resize(&v->list, height > 0 ? (size_t)height : 1);
    for (size_t i = 0; i < v->list.height && v->list.top + i < v->list.n; i++) {
        size_t at = v->list.top + i;
        bool selected = at == v->list.cursor;
        draw(v, c, row + (int)i, list_row(&v->list, at), selected ? SELECTED : PLAIN);
        if (selected) {
            canvas_put(c, row + (int)i, 0, 1, SELECTED, "▸");
        }
    }
    if (v->list.n == 0 && v->list.total > 0) {
        canvas_putf(c, row + 1, 2, c->cols - 3, PLAIN, "No row has \"%s\". / changes the filter.",
                    v->list.filter);
    }
}

ls_code app_draw(app *a, canvas *c, int rows, int cols, ls_err *err) {
    ls_code rc = canvas_reset(c, rows, cols, err);
    if (rc != LS_OK) {
        return rc;
    }
    a->rows = c->rows;
    a->cols = c->cols;
    a->spin++;
    a->n_hits = 0;
    if (c->rows < MIN_ROWS || c->cols < MIN_COLS) {
        canvas_putf(c, 0, 0, c->cols, ALERT, "needs %dx%d, has %dx%d", MIN_COLS, MIN_ROWS, c->cols,
                    c->rows);
        return LS_OK;
    }
    view *v = app_view(a);
    canvas_put(c, 0, 0, c->cols, DIM, "");
    int col = v->below == NULL ? draw_tabs(a, c) : draw_way(c, v, 1);
    draw_place(a, c, col);
    v->ops->draw(v, c);
    draw_bottom(a, c);
    return LS_OK;
}
