/*
 * A dialog before something is done to a database: exactly what will be done, what a dry run says
 * that it costs, the command line that does the same, then what is to be filled in. It stands on
 * Cancel. What cannot be undone wants the database's name typed. What came of it stays here to be
 * read.
 */
#include "tui/view.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef enum field { PATH, URL, TARGET, OUTPUT, CHECK, FORCE, NAME, CANCEL, DO, FIELDS } field;

/* The dry run, in a job where it reads something. */
typedef struct dry_run {
    action act;
    source source; /* of the replica, for a restore */
    char said[3][240];
    int n;
} dry_run;

typedef struct action_view {
    view base;
    action act;
    field fields[FIELDS];
    char name[PROMPT_MAX]; /* as typed */
    job *job;              /* of the dry run */
    char said[3][240];
    int n_said;
    ls_err dry_err;
    uint64_t errand; /* 0: not begun */
} action_view;

static const char *const check_names[] = {"none", "quick", "full"};

static const action_info *info_of(const action_view *v) { return &action_table[v->act.kind]; }

static bool is_new_file(const action_view *v) { return v->act.kind == ACT_RESTORE; }

static bool wants_name(const action_view *v) {
    return info_of(v)->ask == ASK_NAME || (is_new_file(v) && v->act.force);
}

/* ---- the dry run ---- */

static char *next_line(dry_run *d) { return d->n < 3 ? d->said[d->n++] : d->said[2]; }

#define SAY(d, ...) ((void)snprintf(next_line(d), sizeof((d)->said[0]), __VA_ARGS__))

static ls_code try_reset(dry_run *d, ls_err *err) {
    size_t files = 0;
    uint64_t bytes = 0;
    char size[32];
    ls_code rc = ls_db_reset_preview(d->act.meta, NULL, NULL, &files, &bytes, err);
    if (rc == LS_OK) {
        SAY(d, "%zu files, %s, would be removed below %s/ltx", files,
            ls_bytes_format(bytes, size, sizeof(size)), d->act.meta);
    }
    return rc;
}

static ls_code try_restore(dry_run *d, const ls_cancel *cancel, ls_err *err) {
    ls_txid txid;
    int64_t ms;
    ls_plan plan = {0};
    snapshot *snap = NULL;
    char size[32];
    ls_code rc = action_target(d->act.target, &txid, &ms, err);
    if (rc == LS_OK) {
        rc = source_list(&d->source, cancel, &snap, err);
    }
    if (rc == LS_OK) {
        rc = snapshot_plan(snap, txid, ms, &plan, err);
    }
    if (rc == LS_OK && plan.n > 0) {
        SAY(d, "to TXID %016" PRIx64 ": %zu files, %s to read", plan.files[plan.n - 1].max_txid,
            plan.n, ls_bytes_format(plan.bytes, size, sizeof(size)));
        (void)plan_format(&plan, next_line(d), sizeof(d->said[0]));
    }
    ls_plan_done(&plan);
    snapshot_unref(snap);
    return rc;
}

static ls_code run_dry(job *j, void *arg, ls_err *err) {
    dry_run *d = arg;
    return d->act.kind == ACT_RESET ? try_reset(d, err) : try_restore(d, job_cancel(j), err);
}

static void drop_dry(void *arg) {
    dry_run *d = arg;
    action_done(&d->act);
    source_done(&d->source);
    free(d);
}

static ls_code open_replica(const action_view *v, dry_run *d, ls_err *err) {
    const app *a = v->base.app;
    const ls_db_config *db = a->config != NULL ? ls_config_find(a->config, v->act.path) : NULL;
    return db != NULL ? source_open_replica(&d->source, db, err)
                      : source_open(&d->source, v->act.url, err);
}

/* What the daemon said before is enough for the others. */
static void dry_by_fleet(action_view *v) {
    const fleet *f = v->base.app->news.fleet;
    size_t at = f != NULL ? fleet_find(f, v->act.path) : 0;
    v->n_said = 0;
    if (f == NULL || at == f->n || v->act.kind == ACT_REGISTER) {
        return;
    }
    const fleet_db *db = &f->dbs[at];
    uint64_t behind = fleet_behind(db);
    if (behind > 0) {
        (void)snprintf(v->said[v->n_said++], sizeof(v->said[0]),
                       "%" PRIu64 " transaction%s not on the replica yet; the last sync brings %s",
                       behind, behind == 1 ? " is" : "s are", behind == 1 ? "it" : "them");
    } else {
        (void)snprintf(v->said[v->n_said++], sizeof(v->said[0]),
                       "all that is captured is on the replica already");
    }
}

static void start_dry(action_view *v) {
    dry_run *d = NULL;
    ls_err_clear(&v->dry_err);
    v->n_said = 0;
    job_give_up(&v->job);
    if (v->act.kind != ACT_RESET && v->act.kind != ACT_RESTORE) {
        dry_by_fleet(v);
        return;
    }
    if ((d = calloc(1, sizeof(*d))) == NULL || !action_copy(&d->act, &v->act)) {
        free(d);
        (void)ls_fail(&v->dry_err, LS_ENOMEM, "make a dry run");
        return;
    }
    if (v->act.kind == ACT_RESTORE && open_replica(v, d, &v->dry_err) != LS_OK) {
        drop_dry(d);
        return;
    }
    (void)!job_start(&v->job, run_dry, d, drop_dry, v->base.app->wake[1], &v->dry_err);
}

static void dry_ended(view *base) {
    action_view *v = (action_view *)base;
    void *arg = NULL;
    (void)!job_take(&v->job, &arg, &v->dry_err);
    const dry_run *d = arg;
    memcpy(v->said, d->said, sizeof(v->said));
    v->n_said = d->n;
    if (v->act.kind == ACT_RESET && v->dry_err.code == LS_OK) {
        const fleet *f = base->app->news.fleet;
        size_t at = f != NULL ? fleet_find(f, v->act.path) : 0;
        char size[32];
        (void)snprintf(v->said[v->n_said++], sizeof(v->said[0]),
                       "then a full copy is written and uploaded: %s before compression",
                       f != NULL && at < f->n
                           ? ls_bytes_format(f->dbs[at].db_size, size, sizeof(size))
                           : "the database");
    }
    drop_dry(arg);
}

static job **job_of(view *v) { return &((action_view *)v)->job; }

/* ---- the form ---- */

static void set_fields(action_view *v) {
    size_t n = 0;
    if (v->act.kind == ACT_REGISTER) {
        v->fields[n++] = PATH;
        v->fields[n++] = URL;
    }
    if (v->act.kind == ACT_RESTORE) {
        v->fields[n++] = TARGET;
        v->fields[n++] = OUTPUT;
        v->fields[n++] = CHECK;
        v->fields[n++] = FORCE;
    }
    if (wants_name(v)) {
        v->fields[n++] = NAME;
    }
    v->fields[n++] = CANCEL;
    v->fields[n++] = DO;
    (void)!list_rows_changed(&v->base.list, n, NULL, &v->base.app->err);
}

static void stand_on(action_view *v, field f) {
    for (size_t i = 0; i < v->base.list.n; i++) {
        if (v->fields[i] == f) {
            (void)list_select(&v->base.list, i);
        }
    }
}

static void field_text(const action_view *v, field f, char *buf, size_t size) {
    const action *a = &v->act;
    switch (f) {
    case PATH:
        (void)snprintf(buf, size, "database  %s", a->path);
        break;
    case URL:
        (void)snprintf(buf, size, "replica   %s", a->url);
        break;
    case TARGET:
        (void)snprintf(buf, size, "to        %s",
                       *a->target != '\0' ? a->target : "the newest there is");
        break;
    case OUTPUT:
        (void)snprintf(buf, size, "into      %s", a->output);
        break;
    case CHECK:
        (void)snprintf(buf, size, "check     ← %s →", check_names[a->check]);
        break;
    case FORCE:
        (void)snprintf(buf, size, "replace   ← %s →",
                       a->force ? "yes, an existing file" : "no, an existing file is an error");
        break;
    case NAME:
        (void)snprintf(buf, size, "type %s here to confirm: %s", action_name(a), v->name);
        break;
    case CANCEL:
        (void)snprintf(buf, size, "[ Cancel ]");
        break;
    default:
        (void)snprintf(buf, size, "[ %s ]", info_of(v)->title);
        break;
    }
}

static void draw_row(view *base, canvas *c, int row, size_t number, meaning how) {
    const action_view *v = (const action_view *)base;
    char text[1600];
    field_text(v, v->fields[number], text, sizeof(text));
    canvas_putf(c, row, 0, c->cols, how, "   %s", text);
}

/* ---- drawing ---- */

static int draw_cost(const action_view *v, canvas *c, int row) {
    if (v->job != NULL) {
        canvas_putf(c, row, 2, c->cols - 3, PLAIN, "%s dry run ...", app_spinner(v->base.app));
        return row + 1;
    }
    if (v->dry_err.code != LS_OK) {
        canvas_put(c, row, 2, c->cols - 3, ALERT, "dry run:");
        return row + canvas_wrap(c, row, 11, c->cols - 12, 2, ALERT, v->dry_err.msg);
    }
    for (int i = 0; i < v->n_said; i++) {
        row += canvas_wrap(c, row, 2, c->cols - 3, 2, PLAIN, v->said[i]);
    }
    return row;
}

static void draw_job(const action_view *v, canvas *c, int row, const fleet_job *j) {
    const ls_restore_progress *p = &j->progress;
    char done[32], all[32];
    int width = c->cols - 8;
    double part = p->bytes > 0 ? (double)p->bytes_done / (double)p->bytes : 0;
    if (!j->active && j->error != NULL) {
        row += canvas_wrap(c, row, 3, c->cols - 4, 2, ALERT, j->error);
        canvas_wrap(c, row, 3, c->cols - 4, 2, PLAIN, j->hint != NULL ? j->hint : "");
        return;
    }
    if (!j->active) {
        canvas_putf(c, row, 3, c->cols - 4, j->result != NULL ? GOOD : PLAIN, "%s %s",
                    j->result != NULL ? "✓" : "✗", j->result != NULL ? j->result : j->status);
        return;
    }
    for (int i = 0; i < width; i++) {
        bool full = i < (int)(part * width);
        canvas_put(c, row, 3 + i, 1, full ? BRIGHT : DIM, full ? "█" : "░");
    }
    canvas_putf(c, row + 1, 3, c->cols - 4, PLAIN,
                "%s job %" PRIu64 " %s: %zu of %zu files, %s of %s (c cancels)",
                app_spinner(v->base.app), j->id, j->status, p->files_done, p->files,
                ls_bytes_format(p->bytes_done, done, sizeof(done)),
                ls_bytes_format(p->bytes, all, sizeof(all)));
}

static const fleet_job *daemon_job(const action_view *v) {
    const app *a = v->base.app;
    const errand *e = errand_of(a, v->errand);
    return e != NULL && e->job == NULL && e->err.code == LS_OK && e->act.kind == ACT_RESTORE &&
                   a->news.fleet != NULL
               ? fleet_job_of(a->news.fleet, e->act.job)
               : NULL;
}

static void draw_outcome(const action_view *v, canvas *c, int row) {
    const app *a = v->base.app;
    const errand *e = errand_of(a, v->errand);
    const fleet_job *j = daemon_job(v);
    if (e == NULL) {
        return;
    }
    if (j != NULL) {
        draw_job(v, c, row, j);
    } else if (e->job != NULL) {
        canvas_putf(c, row, 3, c->cols - 4, PLAIN, "%s %s ... (c gives up waiting)", app_spinner(a),
                    info_of(v)->running);
    } else if (e->err.code != LS_OK) {
        row += canvas_wrap(c, row, 3, c->cols - 4, 3, ALERT, e->err.msg);
        canvas_wrap(c, row, 3, c->cols - 4, 2, PLAIN, ls_err_hint(&e->err));
    } else if (e->given_up) {
        canvas_put(c, row, 3, c->cols - 4, PLAIN, "given up waiting; the daemon may still do it");
    } else {
        canvas_putf(c, row, 3, c->cols - 4, GOOD, "✓ %s", e->act.outcome);
    }
}

static void draw(view *base, canvas *c) {
    action_view *v = (action_view *)base;
    char line[1400] = "$ ";
    int row = 1 + live_draw_link(base->app, c, 1);
    canvas_putf(c, row, 1, c->cols - 2, TITLE, "%s %s", info_of(v)->title,
                v->act.kind != ACT_REGISTER ? v->act.path : "a database");
    row += 1 + canvas_wrap(c, row + 1, 1, c->cols - 2, 4, PLAIN, info_of(v)->about);
    row = draw_cost(v, c, row);
    action_command(&v->act, line + 2, sizeof(line) - 2);
    row += canvas_wrap(c, row, 2, c->cols - 3, 3, DIM, line);
    int n = (int)base->list.n;
    view_draw_list(base, c, row, c->rows - 1 - row - n > 0 ? c->rows - 1 - row - n : 0, draw_row);
    draw_outcome(v, c, row + n);
}

/* ---- requests ---- */

static void set_text(char **text, const char *to, app *a) {
    char *copy = strdup(to);
    if (copy == NULL) {
        (void)ls_fail(&a->err, LS_ENOMEM, "take what was typed");
        return;
    }
    free(*text);
    *text = copy;
}

static void set_path(view *b, const char *text) {
    set_text(&((action_view *)b)->act.path, text, b->app);
}

static void set_url(view *b, const char *text) {
    set_text(&((action_view *)b)->act.url, text, b->app);
}

static void set_target(view *b, const char *text) {
    action_view *v = (action_view *)b;
    ls_txid txid;
    int64_t ms;
    if (action_target(text, &txid, &ms, &b->app->err) == LS_OK) {
        set_text(&v->act.target, text, b->app);
        start_dry(v);
    }
}

static void set_output(view *b, const char *text) {
    set_text(&((action_view *)b)->act.output, text, b->app);
}

static void set_name(view *b, const char *text) {
    action_view *v = (action_view *)b;
    (void)snprintf(v->name, sizeof(v->name), "%s", text);
    if (strcmp(v->name, action_name(&v->act)) == 0) {
        stand_on(v, DO);
    }
}

/* What is missing before it can be done; NULL: nothing. */
static const char *missing(const action_view *v) {
    const action *a = &v->act;
    if (a->kind == ACT_REGISTER && (*a->path == '\0' || *a->url == '\0')) {
        return "a path and a replica URL are needed";
    }
    if (a->kind == ACT_RESTORE && *a->output == '\0') {
        return "a path to restore into is needed";
    }
    return NULL;
}

static void do_it(action_view *v) {
    app *a = v->base.app;
    const errand *e = errand_of(a, v->errand);
    const char *why = missing(v);
    if (e != NULL && (e->job != NULL || e->err.code == LS_OK)) {
        app_say(a, "it was asked for already; q goes back");
    } else if (why != NULL) {
        (void)ls_fail(&a->err, LS_EINVALID, "%s", why);
    } else if (wants_name(v) && strcmp(v->name, action_name(&v->act)) != 0) {
        (void)ls_fail(&a->err, LS_EINVALID, "%s was not typed", action_name(&v->act));
        (void)ls_hint(&a->err, "nothing was done; enter on the line above Cancel");
    } else {
        v->errand = errand_start(a, &v->act);
    }
}

static void choose(action_view *v, field f, int step) {
    if (f == CHECK) {
        v->act.check = (ls_integrity)(((int)v->act.check + 3 + step) % 3);
    } else if (f == FORCE) {
        v->act.force = !v->act.force;
        set_fields(v);
        stand_on(v, FORCE);
    }
}

static void edit(action_view *v, field f) {
    app *a = v->base.app;
    switch (f) {
    case PATH:
        prompt_open(a, "database: ", v->act.path, set_path);
        break;
    case URL:
        prompt_open(a, "replica URL: ", v->act.url, set_url);
        break;
    case TARGET:
        prompt_open(a, "TXID or time, nothing for the newest: ", v->act.target, set_target);
        break;
    case OUTPUT:
        prompt_open(a, "restore into: ", v->act.output, set_output);
        break;
    case NAME:
        prompt_open(a, "the database's name: ", "", set_name);
        break;
    case CANCEL:
        view_pop(a);
        break;
    case DO:
        do_it(v);
        break;
    default:
        choose(v, f, 1);
        break;
    }
}

static bool cancel(action_view *v) {
    const fleet_job *j = daemon_job(v);
    const errand *e = errand_of(v->base.app, v->errand);
    if (j != NULL && j->active) {
        errand_cancel_job(v->base.app, j);
    } else if (e != NULL && e->job != NULL) {
        errand_give_up(v->base.app, e->id);
    } else {
        return false;
    }
    return true;
}

static bool take(view *base, request r) {
    action_view *v = (action_view *)base;
    field f = v->fields[base->list.cursor];
    switch (r) {
    case REQ_CHOOSE:
        edit(v, f);
        return true;
    case REQ_CHOICE:
    case REQ_CHOICE_BACK:
        choose(v, f, r == REQ_CHOICE ? 1 : -1);
        return true;
    case REQ_CANCEL:
        return cancel(v);
    default:
        return false;
    }
}

static bool copied(view *base, char *buf, size_t size) {
    action_command(&((const action_view *)base)->act, buf, size);
    return true;
}

static void done(view *base) {
    action_done(&((action_view *)base)->act);
    free(base);
}

static const view_ops ops = {.id = VIEW_ACTION,
                             .draw = draw,
                             .request = take,
                             .job = job_of,
                             .job_ended = dry_ended,
                             .copied = copied,
                             .free = done};

void view_action_open(app *a, const action *act) {
    action_view *v = calloc(1, sizeof(*v));
    if (v == NULL || !action_copy(&v->act, act)) {
        free(v);
        (void)ls_fail(&a->err, LS_ENOMEM, "open the dialog");
        return;
    }
    v->base.ops = &ops;
    (void)snprintf(v->base.title, sizeof(v->base.title), "%s", action_table[act->kind].title);
    view_push(a, &v->base);
    set_fields(v);
    if (act->kind == ACT_RESTORE) {
        char *output = ls_asprintf("%s.restored", act->path);
        set_text(&v->act.output, output != NULL ? output : "", a);
        free(output);
    }
    stand_on(v, act->kind == ACT_RESTORE || act->kind == ACT_REGISTER ? v->fields[0] : CANCEL);
    start_dry(v);
}
