/* Every key, from the request table: those of the view it was called from first. */
#include "tui/view.h"

#include <string.h>

typedef struct help_view {
    view base;
    list_rows rows;
    view_id from;
    request order[REQ_COUNT];
    size_t n;
} help_view;

/* "Files Pages", or "everywhere". */
static void views_of(request r, char *buf, size_t size) {
    size_t len = 0;
    buf[0] = '\0';
    for (view_id v = 0; v < VIEW_COUNT && len < size; v++) {
        if (request_works(r, v)) {
            len += (size_t)snprintf(buf + len, size - len, "%s%s", len > 0 ? ", " : "",
                                    view_table[v].name);
        }
    }
    if ((request_table[r].in | IN(HELP)) == IN_ALL) {
        (void)snprintf(buf, size, "all views");
    }
}

static void draw_row(view *v, canvas *c, int row, size_t number, meaning how) {
    const help_view *h = (const help_view *)v;
    request r = h->order[number];
    bool here = app_offers(v->app, r, h->from);
    const char *why = app_why_not(v->app, r);
    how = how == PLAIN && (!here || why != NULL) ? DIM : how;
    canvas_putf(c, row, 0, c->cols, how, "  %-17s %s%s%s%s", request_table[r].keys,
                request_table[r].help, why != NULL ? " (" : "", why != NULL ? why : "",
                why != NULL ? ")" : "");
}

static bool match(void *arg, size_t row, const char *text) {
    const help_view *h = arg;
    request r = h->order[row];
    char where[200];
    views_of(r, where, sizeof(where));
    return strcasestr(request_table[r].help, text) != NULL ||
           strcasestr(request_table[r].name, text) != NULL ||
           strcasestr(request_table[r].keys, text) != NULL || strcasestr(where, text) != NULL;
}

static void draw(view *v, canvas *c) {
    const help_view *h = (const help_view *)v;
    canvas_putf(c, 1, 0, c->cols, DIM, "  %-17s WHAT IT DOES (dim: not in the view %s)", "KEYS",
                view_table[h->from].name);
    view_draw_list(v, c, 2, 4, draw_row);
    if (v->list.n > 0) {
        request r = h->order[list_row(&v->list, v->list.cursor)];
        char where[200];
        views_of(r, where, sizeof(where));
        canvas_wrap(c, c->rows - 5, 1, c->cols - 2, 2, PLAIN, request_table[r].help);
        canvas_putf(c, c->rows - 3, 0, c->cols, DIM, " :%s   in %s", request_table[r].name, where);
    }
    canvas_putf(c, c->rows - 2, 0, c->cols, DIM, " %zu of %zu   filter: %s", v->list.n, h->n,
                v->list.filter);
}

static const list_rows *rows(view *v) { return &((help_view *)v)->rows; }

static void done(view *v) { free(v); }

static const view_ops ops = {.id = VIEW_HELP, .draw = draw, .rows = rows, .free = done};

static void put_in_order(help_view *h, const app *a, bool here) {
    for (request r = REQ_NONE + 1; r < REQ_COUNT; r++) {
        if (app_offers(a, r, h->from) == here) {
            h->order[h->n++] = r;
        }
    }
}

void view_help_open(app *a) {
    help_view *h = calloc(1, sizeof(*h));
    if (h == NULL) {
        (void)ls_fail(&a->err, LS_ENOMEM, "open help");
        return;
    }
    h->base.ops = &ops;
    h->rows = (list_rows){.arg = h, .match = match};
    h->from = app_view(a)->ops->id;
    put_in_order(h, a, true);
    put_in_order(h, a, false);
    view_push(a, &h->base);
    (void)!list_rows_changed(&h->base.list, h->n, &h->rows, &a->err);
}
