/* One LTX file: what its header says, whether it verifies, and its pages. */
#include "tui/view.h"

#include <inttypes.h>
#include <stdlib.h>

#define HEAD_ROWS 5

typedef struct pages_view {
    view base;
    size_t file;
    file_detail detail;
} pages_view;

static void draw_head(const pages_view *p, canvas *c) {
    const ls_ltx_header *h = &p->detail.header;
    char when[32];
    canvas_putf(c, 1, 0, c->cols, PLAIN, " TXID %016" PRIx64 "-%016" PRIx64 "   %s", h->min_txid,
                h->max_txid, ls_time_format(h->timestamp, true, when, sizeof(when)));
    canvas_putf(c, 2, 0, c->cols, PLAIN, " page size %u   commit %u pages   %zu pages here%s",
                h->page_size, h->commit, p->detail.n, ls_ltx_is_snapshot(h) ? "   snapshot" : "");
    canvas_putf(c, 3, 0, c->cols, PLAIN,
                " log %" PRId64 "+%" PRId64 "   salts %08x %08x   checksum %016" PRIx64,
                h->wal_offset, h->wal_size, h->wal_salt1, h->wal_salt2,
                p->detail.trailer.file_checksum);
    if (p->detail.err.code == LS_OK) {
        canvas_put(c, 4, 0, c->cols, PLAIN, " verified: every page and the file's checksum");
    } else {
        canvas_putf(c, 4, 0, c->cols, ALERT, " DAMAGED: %s", p->detail.err.msg);
    }
}

static void draw(view *v, canvas *c) {
    const pages_view *p = (const pages_view *)v;
    const file_detail *d = &p->detail;
    draw_head(p, c);
    canvas_put(c, HEAD_ROWS, 0, c->cols, DIM, "       PAGE          OFFSET    STORED   OF PAGE");
    list_resize(&v->list, d->n, (size_t)(c->rows - HEAD_ROWS - 3));
    for (size_t i = 0; i < v->list.height && v->list.top + i < d->n; i++) {
        size_t at = v->list.top + i;
        const page_row *r = &d->pages[at];
        canvas_putf(c, HEAD_ROWS + 1 + (int)i, 0, c->cols, at == v->list.cursor ? SELECTED : PLAIN,
                    " %10" PRIu32 "  %14" PRIu64 "  %8" PRIu32 "   %5.1f %%", r->pgno, r->offset,
                    r->size, 100.0 * r->size / d->header.page_size);
    }
    canvas_putf(c, c->rows - 2, 0, c->cols, DIM, " page %zu of %zu",
                d->n > 0 ? v->list.cursor + 1 : 0, d->n);
}

static void refresh(view *v) {
    pages_view *p = (pages_view *)v;
    file_detail d;
    if (source_detail(&v->app->source, p->file, &d, &v->app->err) == LS_OK) {
        detail_done(&p->detail);
        p->detail = d;
    }
}

static void done(view *v) {
    detail_done(&((pages_view *)v)->detail);
    free(v);
}

static const view_ops ops = {
    .name = "pages", .title = "Pages", .draw = draw, .refresh = refresh, .free = done};

void view_pages_open(app *a, size_t file) {
    pages_view *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        (void)ls_fail(&a->err, LS_ENOMEM, "open the list of pages");
        return;
    }
    p->base.ops = &ops;
    p->file = file;
    if (source_detail(&a->source, file, &p->detail, &a->err) != LS_OK) {
        free(p);
        return;
    }
    view_push(a, &p->base);
}
