/*
 * Restore: a form, the plan that it comes to and the command line that does the same; then progress
 * and the result. Nothing starts before Start; an existing file is never replaced from here; a
 * restore that is cancelled leaves no file.
 */
#include "tui/view.h"

#include <inttypes.h>
#include <string.h>

enum { TO, WHICH, INTO, CHECK, PARALLEL, START, FIELDS };
enum { TO_TXID, TO_TIME, TO_LATEST, TARGETS };

typedef struct restore_job {
    ls_storage *storage; /* owned */
    char *output;        /* owned */
    ls_restore_opts opts;
    ls_restore_result result;
    job *job;
    int64_t started_ns;
} restore_job;

typedef struct restore_view {
    view base;
    snapshot *snap;
    int to;
    ls_txid txid;
    int64_t at_ms;     /* of its data */
    int64_t before_ms; /* the time to restore to: what is older counts */
    char output[PROMPT_MAX];
    ls_integrity check;
    int parallel; /* 0: as many as there are processors, up to 8 */
    ls_plan plan;
    ls_err plan_err;
    job *job;
    bool stopping, restored;
    ls_restore_result result;
    ls_err err; /* of the last restore */
} restore_view;

static const char *const check_names[] = {"none", "quick", "full"};

/* ---- the plan ---- */

/* As the command line refuses it: most likely the time or its zone is wrong. */
static bool time_is_outside(restore_view *v) {
    const snapshot *s = v->snap;
    int64_t first = INT64_MAX, last = INT64_MIN;
    char a[32], b[32];
    for (size_t i = 0; i < s->n; i++) {
        first = s->files[i].created_ms < first ? s->files[i].created_ms : first;
        last = s->files[i].created_ms > last ? s->files[i].created_ms : last;
    }
    if (v->before_ms >= first && v->before_ms <= last) {
        return false;
    }
    (void)ls_fail(&v->plan_err, LS_ENOBACKUP, "the replica reaches from %s to %s",
                  ls_time_format(first, true, a, sizeof(a)),
                  ls_time_format(last, true, b, sizeof(b)));
    return true;
}

static void make_plan(restore_view *v) {
    ls_plan_done(&v->plan);
    v->plan = (ls_plan){0};
    ls_err_clear(&v->plan_err);
    if (v->to == TO_TIME && time_is_outside(v)) {
        return;
    }
    (void)!snapshot_plan(v->snap, v->to == TO_TXID ? v->txid : 0,
                         v->to == TO_TIME ? v->before_ms : LS_NO_TIMESTAMP, &v->plan, &v->plan_err);
}

static void command_line(const restore_view *v, char *buf, size_t size) {
    char target[80] = "", when[32], check[32] = "", parallel[32] = "";
    char output[2 * PROMPT_MAX], url[2 * PROMPT_MAX];
    if (v->to == TO_TXID) {
        (void)snprintf(target, sizeof(target), "-txid %016" PRIx64 " ", v->txid);
    } else if (v->to == TO_TIME) {
        (void)snprintf(target, sizeof(target), "-timestamp %s ",
                       ls_time_format(v->before_ms, true, when, sizeof(when)));
    }
    if (v->check != LS_INTEGRITY_NONE) {
        (void)snprintf(check, sizeof(check), "-integrity-check %s ", check_names[v->check]);
    }
    if (v->parallel > 0) {
        (void)snprintf(parallel, sizeof(parallel), "-parallelism %d ", v->parallel);
    }
    (void)snprintf(buf, size, "litestream restore %s%s%s-o %s %s", target, check, parallel,
                   shell_word(v->output, output, sizeof(output)),
                   shell_word(v->base.app->url, url, sizeof(url)));
}

/* ---- the restore ---- */

static void on_progress(void *arg, const ls_restore_progress *p) {
    job_progress_put(((restore_job *)arg)->job, p);
}

static ls_code run(job *j, void *arg, ls_err *err) {
    restore_job *r = arg;
    r->job = j;
    r->opts.output = r->output;
    r->opts.cancel = job_cancel(j);
    r->opts.progress = on_progress;
    r->opts.progress_arg = r;
    return ls_restore(r->storage, &r->opts, &r->result, err);
}

static void drop_job(void *arg) {
    restore_job *r = arg;
    ls_storage_free(r->storage);
    free(r->output);
    free(r);
}

static restore_job *new_job(const restore_view *v, ls_err *err) {
    restore_job *r = calloc(1, sizeof(*r));
    source s = {0};
    if (r == NULL || (r->output = strdup(v->output)) == NULL) {
        free(r);
        (void)ls_fail(err, LS_ENOMEM, "start a restore");
        return NULL;
    }
    if (source_open(&s, v->base.app->name, err) != LS_OK) {
        source_done(&s);
        drop_job(r);
        return NULL;
    }
    r->storage = s.storage;
    s.storage = NULL;
    source_done(&s);
    r->opts = (ls_restore_opts){.txid = v->to == TO_TXID ? v->txid : 0,
                                .timestamp_ms = v->to == TO_TIME ? v->before_ms : LS_NO_TIMESTAMP,
                                .parallelism = v->parallel,
                                .integrity = v->check,
                                .ltx_only = true};
    return r;
}

static void start(restore_view *v) {
    app *a = v->base.app;
    if (v->job != NULL) {
        return;
    }
    if (v->plan_err.code != LS_OK || v->output[0] == '\0') {
        (void)ls_fail(&a->err, LS_EINVALID, "there is no %s",
                      v->output[0] == '\0' ? "path to restore into" : "plan");
        return;
    }
    ls_err_clear(&v->err);
    v->restored = false;
    v->stopping = false;
    restore_job *r = new_job(v, &v->err);
    if (r != NULL) {
        (void)!job_start(&v->job, run, r, drop_job, a->wake[1], &v->err);
    }
}

static void job_ended(view *base) {
    restore_view *v = (restore_view *)base;
    void *arg = NULL;
    v->restored = job_take(&v->job, &arg, &v->err) == LS_OK;
    v->result = ((restore_job *)arg)->result;
    drop_job(arg);
}

static job **job_of(view *v) { return &((restore_view *)v)->job; }

/* ---- drawing ---- */

/* "( ) a  (•) b" with the choice marked by more than colour. */
static void choices(const char *const *names, int n, int chosen, char *buf, size_t size) {
    size_t len = 0;
    for (int i = 0; i < n; i++) {
        len += (size_t)snprintf(buf + len, size - len, "(%s) %s   ", i == chosen ? "*" : " ",
                                names[i]);
    }
}

static void field_text(const restore_view *v, int field, char *buf, size_t size) {
    static const char *const targets[] = {"TXID", "time", "latest"};
    char when[32];
    buf[0] = '\0';
    if (field == TO) {
        choices(targets, TARGETS, v->to, buf, size);
    } else if (field == WHICH && v->to == TO_TXID) {
        (void)snprintf(buf, size, "%016" PRIx64 "   %s", v->txid,
                       ls_time_format(v->at_ms, true, when, sizeof(when)));
    } else if (field == WHICH && v->to == TO_TIME) {
        (void)snprintf(buf, size, "before %s",
                       ls_time_format(v->before_ms, true, when, sizeof(when)));
    } else if (field == WHICH) {
        (void)snprintf(buf, size, "the newest there is");
    } else if (field == INTO) {
        (void)snprintf(buf, size, "%s", v->output);
    } else if (field == CHECK) {
        choices(check_names, 3, (int)v->check, buf, size);
    } else if (field == PARALLEL && v->parallel > 0) {
        (void)snprintf(buf, size, "%d", v->parallel);
    } else if (field == PARALLEL) {
        (void)snprintf(buf, size, "by the processors");
    } else {
        (void)snprintf(buf, size, "[ Start ]%s",
                       v->base.app->readonly ? "  not with -readonly" : "");
    }
}

static void draw_row(view *base, canvas *c, int row, size_t field, meaning how) {
    static const char *const names[] = {"to", "which", "into", "check", "parallel", ""};
    char text[PROMPT_MAX + 80];
    field_text((const restore_view *)base, (int)field, text, sizeof(text));
    canvas_putf(c, row, 0, c->cols, how, "   %-9s %s", names[field], text);
}

static int draw_plan(const restore_view *v, canvas *c, int row) {
    char text[1200], line[4200], size[32];
    if (v->plan_err.code != LS_OK) {
        return row + canvas_wrap(c, row, 3, c->cols - 4, 3, ALERT, v->plan_err.msg);
    }
    ls_txid to = v->plan.n > 0 ? v->plan.files[v->plan.n - 1].max_txid : 0;
    plan_format(&v->plan, line, sizeof(line));
    (void)snprintf(text, sizeof(text), "plan: to TXID %" PRIx64 ", %zu files, %s: %.1000s", to,
                   v->plan.n, ls_bytes_format(v->plan.bytes, size, sizeof(size)), line);
    row += canvas_wrap(c, row, 3, c->cols - 4, 3, PLAIN, text);
    memcpy(line, "$ ", 2);
    command_line(v, line + 2, sizeof(line) - 2);
    return row + canvas_wrap(c, row, 3, c->cols - 4, 3, DIM, line);
}

static void draw_progress(const restore_view *v, canvas *c, int row) {
    ls_restore_progress p;
    char a[32], b[32];
    job_progress_get(v->job, &p);
    int width = c->cols - 8;
    double part = p.bytes > 0 ? (double)p.bytes_done / (double)p.bytes : 0;
    for (int i = 0; i < width; i++) {
        bool full = i < (int)(part * width);
        canvas_put(c, row, 3 + i, 1, full ? BRIGHT : DIM, full ? "█" : "░");
    }
    canvas_putf(c, row + 1, 3, c->cols - 4, PLAIN,
                "%s %s: %zu of %zu files, %s of %s, %" PRIu64 " pages (c cancels)",
                app_spinner(v->base.app), v->stopping ? "cancelling" : "restoring", p.files_done,
                p.files, ls_bytes_format(p.bytes_done, a, sizeof(a)),
                ls_bytes_format(p.bytes, b, sizeof(b)), p.pages_written);
}

static void draw_end(const restore_view *v, canvas *c, int row) {
    const ls_restore_result *r = &v->result;
    char size[32];
    if (v->restored) {
        row += canvas_wrap(c, row, 3, c->cols - 4, 2, GOOD,
                           v->check == LS_INTEGRITY_NONE ? "✓ restored"
                                                         : "✓ restored, and SQLite found it whole");
        canvas_putf(c, row, 3, c->cols - 4, PLAIN,
                    "TXID %016" PRIx64 ", %" PRIu32 " pages of %" PRIu32 " bytes, %s read", r->txid,
                    r->pages, r->page_size, ls_bytes_format(r->bytes, size, sizeof(size)));
    } else if (v->err.code == LS_ECANCELED) {
        canvas_put(c, row, 3, c->cols - 4, PLAIN, "✗ cancelled; nothing was left behind");
    } else if (v->err.code != LS_OK) {
        row += canvas_wrap(c, row, 3, c->cols - 4, 3, ALERT, v->err.msg);
        canvas_wrap(c, row, 3, c->cols - 4, 2, PLAIN, ls_err_hint(&v->err));
    }
}

static void draw(view *base, canvas *c) {
    restore_view *v = (restore_view *)base;
    view_draw_list(base, c, 1, c->rows - 2 - FIELDS, draw_row);
    int row = draw_plan(v, c, FIELDS + 1);
    if (v->job != NULL) {
        draw_progress(v, c, row);
    } else {
        draw_end(v, c, row);
    }
}

/* ---- requests ---- */

static void set_which(view *base, const char *text) {
    restore_view *v = (restore_view *)base;
    ls_txid txid;
    int64_t ms;
    if (v->to == TO_TIME) {
        if (ls_time_parse(text, &ms, &base->app->err) == LS_OK) {
            v->before_ms = ms;
        }
    } else if (!short_txid(text, &txid)) {
        (void)ls_fail(&base->app->err, LS_EINVALID, "%s is no TXID", text);
        (void)ls_hint(&base->app->err, "hexadecimal digits, not all of them 0");
    } else {
        size_t at = snapshot_point_at_txid(v->snap, txid);
        v->txid = txid;
        v->at_ms = at < v->snap->n_points ? v->snap->points[at].created_ms : v->at_ms;
    }
    make_plan(v);
}

static void set_output(view *base, const char *text) {
    restore_view *v = (restore_view *)base;
    (void)snprintf(v->output, sizeof(v->output), "%s", text);
}

static void set_parallel(view *base, const char *text) {
    restore_view *v = (restore_view *)base;
    char *end;
    long n = strtol(text, &end, 10);
    if (*end != '\0' || n < 0 || n > 64) {
        (void)ls_fail(&base->app->err, LS_EINVALID, "%s is no number of threads", text);
        (void)ls_hint(&base->app->err, "1 to 64; 0: by the processors");
        return;
    }
    v->parallel = (int)n;
}

static void choose(restore_view *v, int field, int step) {
    if (field == TO) {
        v->to = (v->to + TARGETS + step) % TARGETS;
        make_plan(v);
    } else if (field == CHECK) {
        v->check = (ls_integrity)(((int)v->check + 3 + step) % 3);
    } else if (field == PARALLEL) {
        v->parallel = (v->parallel + 65 + step) % 65;
    }
}

static void edit(restore_view *v, int field) {
    app *a = v->base.app;
    char text[32] = "";
    if (field == WHICH && v->to == TO_TXID) {
        (void)snprintf(text, sizeof(text), "%" PRIx64, v->txid);
        prompt_open(a, "TXID: ", text, set_which);
    } else if (field == WHICH && v->to == TO_TIME) {
        (void)ls_time_format(v->before_ms, true, text, sizeof(text));
        prompt_open(a, "time: ", text, set_which);
    } else if (field == INTO) {
        prompt_open(a, "restore into: ", v->output, set_output);
    } else if (field == PARALLEL) {
        (void)snprintf(text, sizeof(text), "%d", v->parallel);
        prompt_open(a, "threads: ", text, set_parallel);
    } else if (field == START) {
        app_request(a, REQ_START);
    } else {
        choose(v, field, 1);
    }
}

static bool stop(restore_view *v) {
    if (v->job != NULL) {
        v->stopping = true;
        job_ask_to_stop(v->job);
    }
    return v->job != NULL;
}

static bool take(view *base, request r) {
    restore_view *v = (restore_view *)base;
    int field = (int)base->list.cursor;
    switch (r) {
    case REQ_CANCEL:
        return stop(v);
    case REQ_BACK:
        if (v->job != NULL) {
            app_say(base->app, "a restore is running; c cancels it");
        }
        return v->job != NULL;
    case REQ_START:
        start(v);
        return true;
    case REQ_CHOOSE:
        if (v->job == NULL) {
            edit(v, field);
        }
        return true;
    case REQ_CHOICE:
    case REQ_CHOICE_BACK:
        if (v->job == NULL) {
            choose(v, field, r == REQ_CHOICE ? 1 : -1);
        }
        return true;
    default:
        return false;
    }
}

static bool copied(view *base, char *buf, size_t size) {
    command_line((const restore_view *)base, buf, size);
    return true;
}

static void done(view *base) {
    restore_view *v = (restore_view *)base;
    ls_plan_done(&v->plan);
    snapshot_unref(v->snap);
    free(v);
}

static const view_ops ops = {.id = VIEW_RESTORE,
                             .draw = draw,
                             .request = take,
                             .job = job_of,
                             .job_ended = job_ended,
                             .waits = true,
                             .copied = copied,
                             .free = done};

void view_restore_open(app *a, ls_txid txid, int64_t at_ms) {
    restore_view *v = calloc(1, sizeof(*v));
    if (v == NULL) {
        (void)ls_fail(&a->err, LS_ENOMEM, "open restore");
        return;
    }
    v->base.ops = &ops;
    v->snap = snapshot_ref(a->snap);
    v->txid = txid;
    v->at_ms = at_ms;
    bool newest = snapshot_point_at_txid(v->snap, txid) + 1 == v->snap->n_points;
    v->before_ms = newest ? at_ms : at_ms + 1;
    v->check = LS_INTEGRITY_QUICK;
    (void)snprintf(v->output, sizeof(v->output), "restored-%" PRIx64 ".db", txid);
    make_plan(v);
    view_push(a, &v->base);
    (void)!list_rows_changed(&v->base.list, FIELDS, NULL, &a->err);
}
