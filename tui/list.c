/* The list model: every change ends with a selection within the rows and on the screen. */
#include "tui/list.h"

#include <stdlib.h>
#include <string.h>

static void settle(list *l) {
    if (l->height == 0) {
        l->height = 1;
    }
    if (l->cursor >= l->n) {
        l->cursor = l->n > 0 ? l->n - 1 : 0;
    }
    if (l->top > l->cursor) {
        l->top = l->cursor;
    }
    if (l->cursor - l->top >= l->height) {
        l->top = l->cursor - l->height + 1;
    }
    size_t last_top = l->n > l->height ? l->n - l->height : 0;
    if (l->top > last_top) {
        l->top = last_top;
    }
}

void list_resize(list *l, size_t height) {
    l->height = height;
    settle(l);
}

size_t list_row(const list *l, size_t at) { return l->shown != NULL ? l->shown[at] : at; }

bool list_select(list *l, size_t row) {
    if (l->shown == NULL) {
        if (row >= l->n) {
            return false;
        }
        l->cursor = row;
        settle(l);
        return true;
    }
    for (size_t i = 0; i < l->n; i++) {
        if (l->shown[i] == row) {
            l->cursor = i;
            settle(l);
            return true;
        }
    }
    return false;
}

/* Keeps of the rows shown those that the filter lets through. */
static void narrow(list *l, const list_rows *rows) {
    bool inverse = l->filter[0] == '!';
    const char *text = l->filter + (inverse ? 1 : 0);
    size_t kept = 0;
    for (size_t i = 0; i < l->n && *text != '\0'; i++) {
        if (rows->match(rows->arg, l->shown[i], text) != inverse) {
            l->shown[kept++] = l->shown[i];
        }
    }
    l->n = *text != '\0' ? kept : l->n;
}

typedef struct ordering {
    const list *list;
    const list_rows *rows;
} ordering;

static int in_order(const void *a, const void *b, void *arg) {
    const ordering *o = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int cmp = o->rows->compare(o->rows->arg, x, y, o->list->order);
    cmp = o->list->reverse ? -cmp : cmp;
    return cmp != 0 ? cmp : (x > y) - (x < y);
}

static void arrange(list *l, const list_rows *rows) {
    if (l->order != 0) {
        ordering o = {.list = l, .rows = rows};
        qsort_r(l->shown, l->n, sizeof(*l->shown), in_order, &o);
    }
}

/* All rows again, then filter and order. */
static ls_code rebuild(list *l, const list_rows *rows, ls_err *err) {
    free(l->shown);
    l->shown = NULL;
    l->n = l->total;
    if ((l->filter[0] == '\0' && l->order == 0) || l->total == 0) {
        return LS_OK;
    }
    if (l->total > UINT32_MAX || (l->shown = malloc(l->total * sizeof(*l->shown))) == NULL) {
        l->filter[0] = '\0';
        l->order = 0;
        return ls_fail(err, LS_ENOMEM, "filter or order %zu rows", l->total);
    }
    for (size_t i = 0; i < l->total; i++) {
        l->shown[i] = (uint32_t)i;
    }
    narrow(l, rows);
    arrange(l, rows);
    return LS_OK;
}

ls_code list_rows_changed(list *l, size_t total, const list_rows *rows, ls_err *err) {
    bool any = l->n > 0;
    size_t row = any ? list_row(l, l->cursor) : 0;
    l->total = total;
    ls_code rc = rebuild(l, rows, err);
    if (!any || !list_select(l, row)) {
        settle(l);
    }
    return rc;
}

ls_code list_set_filter(list *l, const char *filter, const list_rows *rows, ls_err *err) {
    size_t old = strlen(l->filter);
    size_t len = strnlen(filter, LIST_FILTER_MAX - 1);
    bool longer = old > 0 && l->filter[0] != '!' && strncmp(filter, l->filter, old) == 0;
    memcpy(l->filter, filter, len);
    l->filter[len] = '\0';
    if (!longer || l->shown == NULL) {
        return list_rows_changed(l, l->total, rows, err);
    }
    size_t row = l->n > 0 ? list_row(l, l->cursor) : 0;
    narrow(l, rows);
    if (!list_select(l, row)) {
        settle(l);
    }
    return LS_OK;
}

ls_code list_set_order(list *l, int order, bool reverse, const list_rows *rows, ls_err *err) {
    l->order = order;
    l->reverse = reverse;
    return list_rows_changed(l, l->total, rows, err);
}

void list_move(list *l, long delta) {
    if (delta < 0) {
        size_t up = 0 - (size_t)delta;
        l->cursor = up < l->cursor ? l->cursor - up : 0;
    } else {
        size_t left = l->n > l->cursor ? l->n - l->cursor : 0;
        l->cursor += (size_t)delta < left ? (size_t)delta : left;
    }
    settle(l);
}

void list_first(list *l) {
    l->cursor = 0;
    settle(l);
}

void list_last(list *l) {
    l->cursor = l->n;
    settle(l);
}

void list_done(list *l) {
    free(l->shown);
    *l = (list){0};
}
