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

/* ---- order ---- */

typedef struct keyed {
    uint64_t key;
    uint32_t row;
} keyed;

/* By one byte of the keys, keeping the order of equal ones; nothing to do where all are equal. */
static bool radix_pass(const keyed *from, keyed *to, size_t n, int shift) {
    size_t place[256] = {0};
    for (size_t i = 0; i < n; i++) {
        place[from[i].key >> shift & 255]++;
    }
    if (place[from[0].key >> shift & 255] == n) {
        return false;
    }
    for (size_t i = 0, sum = 0; i < 256; i++) {
        size_t here = place[i];
        place[i] = sum;
        sum += here;
    }
    for (size_t i = 0; i < n; i++) {
        to[place[from[i].key >> shift & 255]++] = from[i];
    }
    return true;
}

/* False without memory. */
static bool arrange_by_key(list *l, const list_rows *rows) {
    keyed *from = malloc(l->n * sizeof(*from)), *to = malloc(l->n * sizeof(*to));
    bool good = from != NULL && to != NULL;
    for (size_t i = 0; good && i < l->n; i++) {
        uint64_t key = rows->key(rows->arg, l->shown[i], l->order);
        from[i] = (keyed){.key = l->reverse ? ~key : key, .row = l->shown[i]};
    }
    for (int shift = 0; good && l->n > 0 && shift < 64; shift += 8) {
        if (radix_pass(from, to, l->n, shift)) {
            keyed *other = from;
            from = to;
            to = other;
        }
    }
    for (size_t i = 0; good && i < l->n; i++) {
        l->shown[i] = from[i].row;
    }
    free(from);
    free(to);
    return good;
}

typedef struct ordering {
    const list *list;
    const list_rows *rows;
} ordering;

static int in_order(const void *a, const void *b, void *arg) {
    const ordering *o = arg;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int cmp = 0;
    if (o->list->order != 0) {
        cmp = o->rows->compare(o->rows->arg, x, y, o->list->order);
        cmp = o->list->reverse ? -cmp : cmp;
    }
    return cmp != 0 ? cmp : (x > y) - (x < y);
}

/* The rows shown are in the order of their numbers before. */
static void arrange(list *l, const list_rows *rows) {
    if (l->order == 0 || (rows->key != NULL && arrange_by_key(l, rows))) {
        return;
    }
    ordering o = {.list = l, .rows = rows};
    qsort_r(l->shown, l->n, sizeof(*l->shown), in_order, &o);
}

/* ---- filter ---- */

bool list_busy(const list *l) { return l->at < l->end; }

static void select_wanted(list *l) {
    if (l->wanted == SIZE_MAX || !list_select(l, l->wanted)) {
        settle(l);
    }
}

/* Keeps of the next rows those that the filter lets through; the last step puts them in order. */
bool list_step(list *l, const list_rows *rows) {
    bool inverse = l->filter[0] == '!';
    const char *text = l->filter + (inverse ? 1 : 0);
    size_t stop = l->end - l->at > LIST_STEP ? l->at + LIST_STEP : l->end;
    if (!list_busy(l)) {
        return false;
    }
    for (; l->at < stop; l->at++) {
        uint32_t row = l->shown[l->at];
        if (*text == '\0' || rows->match(rows->arg, row, text) != inverse) {
            l->shown[l->n++] = row;
        }
    }
    if (!list_busy(l)) {
        arrange(l, rows);
    }
    select_wanted(l);
    if (!list_busy(l)) {
        l->wanted = SIZE_MAX;
    }
    return list_busy(l);
}

static bool all_rows(const list *l) {
    return (l->filter[0] == '\0' || strcmp(l->filter, "!") == 0) && l->order == 0;
}

/* All rows again: filter and order begin anew. */
static ls_code rebuild(list *l, const list_rows *rows, ls_err *err) {
    free(l->shown);
    l->shown = NULL;
    l->n = l->total;
    l->at = l->end = 0;
    if (all_rows(l) || l->total == 0) {
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
    if (l->filter[0] == '\0') {
        arrange(l, rows);
        return LS_OK;
    }
    l->n = 0;
    l->end = l->total;
    (void)list_step(l, rows);
    return LS_OK;
}

/* What is selected, or was to be. */
static size_t row_wanted(const list *l) {
    return list_busy(l) && l->wanted != SIZE_MAX ? l->wanted
           : l->n > 0                            ? list_row(l, l->cursor)
                                                 : SIZE_MAX;
}

ls_code list_rows_changed(list *l, size_t total, const list_rows *rows, ls_err *err) {
    l->wanted = row_wanted(l);
    l->total = total;
    ls_code rc = rebuild(l, rows, err);
    select_wanted(l);
    return rc;
}

/* A filter that got longer looks at what is shown, and at what the one before had left. */
static void narrow(list *l, const list_rows *rows) {
    size_t left = l->end - l->at;
    l->wanted = row_wanted(l);
    if (left > 0) {
        memmove(l->shown + l->n, l->shown + l->at, left * sizeof(*l->shown));
    }
    l->end = l->n + left;
    l->at = 0;
    l->n = 0;
    if (!list_step(l, rows)) {
        settle(l);
    }
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
    narrow(l, rows);
    return LS_OK;
}

static int by_number(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

ls_code list_set_order(list *l, int order, bool reverse, const list_rows *rows, ls_err *err) {
    l->order = order;
    l->reverse = reverse;
    if (l->shown == NULL || l->filter[0] == '\0') {
        return list_rows_changed(l, l->total, rows, err);
    }
    if (!list_busy(l)) { /* else it is put in order when the filter is through */
        l->wanted = row_wanted(l);
        qsort(l->shown, l->n, sizeof(*l->shown), by_number);
        arrange(l, rows);
        select_wanted(l);
    }
    return LS_OK;
}

void list_move(list *l, long delta) {
    l->wanted = SIZE_MAX;
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
    l->wanted = SIZE_MAX;
    l->cursor = 0;
    settle(l);
}

void list_last(list *l) {
    l->wanted = SIZE_MAX;
    l->cursor = l->n;
    settle(l);
}

void list_done(list *l) {
    free(l->shown);
    *l = (list){0};
}
