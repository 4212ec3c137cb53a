/* The stack of views, the frame around them, and requests that every view takes alike. */
#include "tui/view.h"

#include <stdlib.h>
#include <string.h>

#define MIN_COLS 60
#define MIN_ROWS 16

void view_push(app *a, view *v) {
    v->app = a;
    v->below = a->top;
    a->top = v;
}

void view_pop(app *a) {
    view *v = a->top;
    a->top = v->below;
    v->ops->free(v);
    a->quit = a->top == NULL;
}

/* Titles of the stack, bottom first. */
static int draw_titles(canvas *c, const view *v, int col) {
    if (v == NULL) {
        return col;
    }
    col = draw_titles(c, v->below, col);
    col += canvas_putf(c, 0, col, c->cols, TITLE, "%s%s", col > 1 ? " › " : "", v->ops->title);
    return col;
}

static void draw_keys(canvas *c) {
    int row = c->rows - 1, col = 1;
    canvas_put(c, row, 0, c->cols, KEYS, "");
    for (request r = REQ_NONE; r < REQ_COUNT; r++) {
        if (request_table[r].line[0] != '\0') {
            col += canvas_put(c, row, col, c->cols, KEYS, request_table[r].line) + 2;
        }
    }
}

static void draw_frame(app *a, canvas *c) {
    canvas_put(c, 0, 0, c->cols, TITLE, "");
    int col = draw_titles(c, a->top, 1);
    int len = (int)strlen(a->source.name);
    if (col + 2 + len < c->cols) {
        canvas_put(c, 0, c->cols - len - 1, len + 1, TITLE, a->source.name);
    }
    draw_keys(c);
    if (a->err.code != LS_OK) {
        canvas_putf(c, c->rows - 1, 0, c->cols, ALERT, " %s%s%s", a->err.msg,
                    *ls_err_hint(&a->err) != '\0' ? " - hint: " : "", ls_err_hint(&a->err));
    }
}

ls_code app_draw(app *a, canvas *c, int rows, int cols, ls_err *err) {
    ls_code rc = canvas_reset(c, rows, cols, err);
    if (rc != LS_OK) {
        return rc;
    }
    if (c->rows < MIN_ROWS || c->cols < MIN_COLS) {
        canvas_putf(c, 0, 0, c->cols, ALERT, "needs %dx%d", MIN_COLS, MIN_ROWS);
        return LS_OK;
    }
    draw_frame(a, c);
    a->top->ops->draw(a->top, c);
    return LS_OK;
}

void app_request(app *a, request r) {
    view *v = a->top;
    ls_err_clear(&a->err);
    if (v->ops->request != NULL && v->ops->request(v, r)) {
        return;
    }
    long screen = (long)v->list.height;
    switch (r) {
    case REQ_UP:
    case REQ_DOWN:
        list_move(&v->list, r == REQ_UP ? -1 : 1);
        break;
    case REQ_PAGE_UP:
    case REQ_PAGE_DOWN:
        list_move(&v->list, r == REQ_PAGE_UP ? -screen : screen);
        break;
    case REQ_FIRST:
        list_first(&v->list);
        break;
    case REQ_LAST:
        list_last(&v->list);
        break;
    case REQ_REFRESH:
        if (v->ops->refresh != NULL) {
            v->ops->refresh(v);
        }
        break;
    case REQ_HELP:
        view_help_open(a);
        break;
    case REQ_BACK:
        view_pop(a);
        break;
    default:
        break;
    }
}
