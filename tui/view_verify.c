/* Is everything that the replica promises restorable? A job runs the library's verify; what it
 * finds is listed as it comes. */
#include "tui/view.h"

#include "tui/grow.h"

#include <inttypes.h>
#include <string.h>

#define FINDINGS_MAX 10000u

typedef struct found {
    ls_finding_kind kind;
    bool harmless;
    char text[300];
} found;

typedef struct findings {
    found *all; /* owned */
    size_t n, cap;
    bool cut; /* there were more */
} findings;

typedef struct verify_job {
    ls_storage *storage; /* owned */
    job *job;
    bool full;
    findings found;
    ls_verify_result result;
} verify_job;

typedef struct verify_view {
    view base;
    job *job;
    verify_job *running; /* its argument, looked at under the job's lock */
    findings found;
    ls_verify_result result;
    bool any, full; /* a result is there; of a full one */
    ls_err err;
    char scratch[32];
} verify_view;

/* ---- on the job's thread ---- */

static void on_finding(void *arg, const ls_finding *f) {
    verify_job *v = arg;
    ls_err none = LS_ERR_INIT;
    job_lock(v->job);
    if (grow((void **)&v->found.all, v->found.n, &v->found.cap, sizeof(found), FINDINGS_MAX,
             &none) == LS_OK) {
        found *to = &v->found.all[v->found.n++];
        *to = (found){.kind = f->kind, .harmless = f->harmless};
        (void)snprintf(to->text, sizeof(to->text), "%s", f->text);
    } else {
        v->found.cut = true;
    }
    job_unlock(v->job);
}

static void on_progress(void *arg, const ls_restore_progress *p) {
    job_progress_put(((verify_job *)arg)->job, p);
}

static ls_code run(job *j, void *arg, ls_err *err) {
    verify_job *v = arg;
    v->job = j;
    ls_verify_opts opts = {.level = -1,
                           .full = v->full,
                           .cancel = job_cancel(j),
                           .finding = on_finding,
                           .progress = on_progress,
                           .arg = v};
    return ls_verify(v->storage, &opts, &v->result, err);
}

static void drop_job(void *arg) {
    verify_job *v = arg;
    ls_storage_free(v->storage);
    free(v->found.all);
    free(v);
}

/* ---- ---- */

static void start(verify_view *v, bool full) {
    app *a = v->base.app;
    if (v->job != NULL) {
        app_say(a, "it is running; c gives it up");
        return;
    }
    source s = {0};
    verify_job *j = calloc(1, sizeof(*j));
    ls_err_clear(&v->err);
    if (j == NULL || app_source(a, &s, &v->err) != LS_OK) {
        free(j);
        source_done(&s);
        return;
    }
    j->storage = s.storage;
    s.storage = NULL;
    source_done(&s);
    j->full = full;
    v->full = full;
    v->any = false;
    v->running = j;
    if (job_start(&v->job, run, j, drop_job, a->wake[1], &v->err) != LS_OK) {
        v->running = NULL;
    }
}

static void show_rows(verify_view *v, size_t n) {
    (void)!list_rows_changed(&v->base.list, n, NULL, &v->base.app->err);
}

static void job_ended(view *base) {
    verify_view *v = (verify_view *)base;
    void *arg = NULL;
    v->running = NULL;
    ls_code rc = job_take(&v->job, &arg, &v->err);
    verify_job *j = arg;
    free(v->found.all);
    v->found = j->found;
    j->found = (findings){0};
    v->result = j->result;
    v->any = rc == LS_OK;
    show_rows(v, v->found.n);
    drop_job(j);
}

static job **job_of(view *v) { return &((verify_view *)v)->job; }

static void draw_found(canvas *c, int row, const found *f, meaning how) {
    meaning shown = how == PLAIN && !f->harmless ? ALERT : how;
    canvas_putf(c, row, 0, c->cols, shown, "  %s %-12s %s", f->harmless ? "○" : "✗",
                ls_finding_name(f->kind), f->text);
}

static void draw_row(view *v, canvas *c, int row, size_t number, meaning how) {
    draw_found(c, row, &((verify_view *)v)->found.all[number], how);
}

static void draw_running(verify_view *v, canvas *c) {
    ls_restore_progress p;
    char a[32], b[32];
    job_progress_get(v->job, &p);
    canvas_putf(c, 1, 0, c->cols, PLAIN, " %s verifying: %zu of %zu files, %s of %s (c gives up)",
                app_spinner(v->base.app), p.files_done, p.files,
                ls_bytes_format(p.bytes_done, a, sizeof(a)),
                ls_bytes_format(p.bytes, b, sizeof(b)));
    int width = c->cols - 4;
    int full = p.bytes > 0 ? (int)((double)p.bytes_done / (double)p.bytes * width) : 0;
    for (int i = 0; i < width; i++) {
        canvas_put(c, 2, 2 + i, 1, i < full ? BRIGHT : DIM, i < full ? "█" : "░");
    }
    job_lock(v->job);
    size_t room = (size_t)(c->rows - 6), n = v->running->found.n;
    for (size_t i = n > room ? n - room : 0, row = 4; i < n; i++, row++) {
        draw_found(c, (int)row, &v->running->found.all[i], PLAIN);
    }
    job_unlock(v->job);
}

static void draw_result(const verify_view *v, canvas *c) {
    const ls_verify_result *r = &v->result;
    char size[32];
    if (r->ok) {
        canvas_putf(c, 1, 0, c->cols, GOOD, " ✓ everything can be restored%s",
                    v->full ? ", and the newest point was, and SQLite found it whole" : "");
    } else if (r->files == 0) {
        canvas_put(c, 1, 0, c->cols, ALERT, " ✗ there is nothing to restore");
    } else {
        canvas_putf(c, 1, 0, c->cols, ALERT, " ✗ NOT everything can be restored: %zu finding%s",
                    r->findings, r->findings == 1 ? "" : "s");
    }
    canvas_putf(c, 2, 0, c->cols, PLAIN,
                " %zu files, %zu bad, %s; %zu restore points, %zu bad; newest TXID %" PRIx64,
                r->files, r->bad_files, ls_bytes_format(r->bytes, size, sizeof(size)), r->points,
                r->points_bad, r->txid);
}

static void draw(view *base, canvas *c) {
    verify_view *v = (verify_view *)base;
    if (v->job != NULL) {
        draw_running(v, c);
        return;
    }
    if (v->err.code != LS_OK) {
        canvas_wrap(c, 1, 1, c->cols - 2, 4, ALERT, v->err.msg);
    } else if (!v->any) {
        canvas_put(c, 2, 2, c->cols - 3, PLAIN, "Not verified since the inspector was started.");
        canvas_put(c, 4, 2, c->cols - 3, PLAIN,
                   "v  reads every file of the replica, checks each "
                   "page, and each restore point's plan");
        canvas_put(c, 5, 2, c->cols - 3, PLAIN,
                   "V  also restores the newest point to a scratch file and has SQLite check it");
    } else {
        draw_result(v, c);
    }
    view_draw_list(base, c, 4, 2, draw_row);
    if (base->list.n > 0) {
        canvas_wrap(c, c->rows - 3, 1, c->cols - 2, 2, PLAIN, v->found.all[base->list.cursor].text);
    }
}

static bool take(view *base, request r) {
    if (r == REQ_VERIFY || r == REQ_VERIFY_FULL) {
        start((verify_view *)base, r == REQ_VERIFY_FULL);
        return true;
    }
    if (r == REQ_CANCEL && ((verify_view *)base)->job != NULL) {
        job_ask_to_stop(((verify_view *)base)->job);
        return true;
    }
    return false;
}

/* The command line that does the same. */
static bool copied(view *base, char *buf, size_t size) {
    const verify_view *v = (const verify_view *)base;
    char quoted[700];
    (void)snprintf(buf, size, "litestream verify %s%s", v->full ? "-full " : "",
                   shell_word(base->app->url, quoted, sizeof(quoted)));
    return true;
}

static ls_code table(view *base, ls_table *t, ls_err *err) {
    const verify_view *v = (const verify_view *)base;
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && i < v->found.n; i++) {
        const found *f = &v->found.all[i];
        rc = LS_TABLE_ROW(t, err, ls_finding_name(f->kind), f->harmless ? "yes" : "no", f->text);
    }
    return rc;
}

static void done(view *base) {
    free(((verify_view *)base)->found.all);
    free(base);
}

static const char *const keys[] = {"finding", "harmless", "text", NULL};

static const view_ops ops = {.id = VIEW_VERIFY,
                             .draw = draw,
                             .request = take,
                             .job = job_of,
                             .job_ended = job_ended,
                             .waits = true,
                             .copied = copied,
                             .table = table,
                             .keys = keys,
                             .free = done};

view *view_verify_new(void) {
    verify_view *v = calloc(1, sizeof(*v));
    if (v == NULL) {
        return NULL;
    }
    v->base.ops = &ops;
    return &v->base;
}
