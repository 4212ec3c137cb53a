/* The list model: every change ends with a selection within the rows and on the screen. */
#include "tui/list.h"

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

void list_resize(list *l, size_t n, size_t height) {
    l->n = n;
    l->height = height;
    settle(l);
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
