/* Every key, from the request table. */
#include "tui/view.h"

#include <stdlib.h>

static void draw(view *v, canvas *c) {
    list_resize(&v->list, REQ_COUNT - 1, (size_t)(c->rows - 4));
    canvas_put(c, 1, 0, c->cols, DIM, " KEYS          WHAT IT DOES");
    for (size_t i = 0; i < v->list.height && v->list.top + i < v->list.n; i++) {
        size_t at = v->list.top + i;
        const request_info *r = &request_table[at + 1];
        canvas_putf(c, 2 + (int)i, 0, c->cols, at == v->list.cursor ? SELECTED : PLAIN,
                    " %-12s  %s", r->keys, r->help);
    }
}

static bool take(view *v, request r) {
    (void)v;
    return r == REQ_HELP;
}

static void done(view *v) { free(v); }

static const view_ops ops = {
    .name = "help", .title = "Help", .draw = draw, .request = take, .free = done};

void view_help_open(app *a) {
    view *v = calloc(1, sizeof(*v));
    if (v == NULL) {
        (void)ls_fail(&a->err, LS_ENOMEM, "open help");
        return;
    }
    v->ops = &ops;
    view_push(a, v);
}
