/* The LTX files of the source: level, TXIDs, time, size; enter opens one. */
#include "tui/view.h"

#include <inttypes.h>
#include <stdlib.h>

static void draw_row(canvas *c, int row, const ls_ltx_info *f, meaning how) {
    char when[32], size[32];
    canvas_putf(c, row, 0, c->cols, how, " %-5d  %016" PRIx64 "  %016" PRIx64 "  %7s  %s", f->level,
                f->min_txid, f->max_txid, ls_bytes_format(f->size, size, sizeof(size)),
                ls_time_format(f->created_ms, false, when, sizeof(when)));
}

static void draw(view *v, canvas *c) {
    const source *s = &v->app->source;
    canvas_put(c, 1, 0, c->cols, DIM,
               " LEVEL  FIRST TXID        LAST TXID            SIZE  CREATED");
    list_resize(&v->list, s->n, (size_t)(c->rows - 4));
    if (s->n == 0) {
        canvas_put(c, 3, 2, c->cols, PLAIN,
                   "There is no LTX file here. A replica holds them in ltx/0 to ltx/9.");
    }
    for (size_t i = 0; i < v->list.height && v->list.top + i < s->n; i++) {
        size_t at = v->list.top + i;
        draw_row(c, 2 + (int)i, &s->files[at], at == v->list.cursor ? SELECTED : PLAIN);
    }
    uint64_t bytes = 0;
    for (size_t i = 0; i < s->n; i++) {
        bytes += s->files[i].size;
    }
    char size[32];
    canvas_putf(c, c->rows - 2, 0, c->cols, DIM, " file %zu of %zu   %s in all",
                s->n > 0 ? v->list.cursor + 1 : 0, s->n,
                ls_bytes_format(bytes, size, sizeof(size)));
}

static bool take(view *v, request r) {
    if (r != REQ_OPEN || v->list.n == 0) {
        return false;
    }
    view_pages_open(v->app, v->list.cursor);
    return true;
}

static void refresh(view *v) { (void)!source_refresh(&v->app->source, &v->app->err); }

static void done(view *v) { free(v); }

static const view_ops ops = {.name = "files",
                             .title = "Files",
                             .draw = draw,
                             .request = take,
                             .refresh = refresh,
                             .free = done};

void view_files_open(app *a) {
    view *v = calloc(1, sizeof(*v));
    if (v == NULL) {
        (void)ls_fail(&a->err, LS_ENOMEM, "open the list of files");
        return;
    }
    v->ops = &ops;
    view_push(a, v);
}
