/*
 * Restore: a form, the plan that it comes to, the room that it needs and the command line that does
 * the same; then progress and the result. Nothing starts before Start; an existing file is replaced
 * only where that was chosen and its name was typed; a restore that is cancelled leaves no file.
 */
#include "tui/restore_view.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

const char *const restore_check_names[] = {"none", "quick", "full"};

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
    v->look_wanted = true;
}

void restore_command_line(const restore_view *v, char *buf, size_t size) {
    static const char *const hows[] = {"", "-force ", "-f "};
    char target[80] = "", when[32], check[32] = "", parallel[32] = "";
    char output[2 * PROMPT_MAX], url[2 * PROMPT_MAX];
    if (v->to == TO_TXID) {
        (void)snprintf(target, sizeof(target), "-txid %016" PRIx64 " ", v->txid);
    } else if (v->to == TO_TIME) {
        (void)snprintf(target, sizeof(target), "-timestamp %s ",
                       ls_time_format(v->before_ms, true, when, sizeof(when)));
    }
    if (v->check != LS_INTEGRITY_NONE) {
        (void)snprintf(check, sizeof(check), "-integrity-check %s ", restore_check_names[v->check]);
    }
    if (v->parallel > 0) {
        (void)snprintf(parallel, sizeof(parallel), "-parallelism %d ", v->parallel);
    }
    (void)snprintf(buf, size, "litestream restore %s%s%s%s-o %s %s", hows[v->how], target, check,
                   parallel, shell_word(v->output, output, sizeof(output)),
                   shell_word(v->base.app->url, url, sizeof(url)));
}

/* ---- room ---- */

static void look_for_room(restore_view *v) {
    app *a = v->base.app;
    ls_err_clear(&v->room_err);
    v->room_known = false;
    size_t file =
        v->plan.n > 0 ? snapshot_find(v->snap, &v->plan.files[v->plan.n - 1]) : v->snap->n;
    if (file >= v->snap->n || v->output[0] == '\0') {
        return;
    }
    source s = {0};
    if (app_source(a, &s, &v->room_err) != LS_OK) {
        source_done(&s);
        return;
    }
    restore_room *r = restore_room_new(&s, v->snap, file, v->output, &v->room_err);
    if (r != NULL) {
        (void)!job_start(&v->job, restore_room_run, r, restore_room_drop, a->wake[1], &v->room_err);
    }
}

static void shown(view *base) {
    restore_view *v = (restore_view *)base;
    if (v->look_wanted && v->running == NULL) {
        v->look_wanted = false;
        job_give_up(&v->job);
        look_for_room(v);
    }
}

static void room_found(restore_view *v) {
    void *arg = NULL;
    v->room_known = job_take(&v->job, &arg, &v->room_err) == LS_OK;
    const restore_room *r = arg;
    v->need = r->need;
    v->free = r->free;
    v->exists = r->exists;
    v->folder = r->folder;
    v->size = r->size;
    restore_room_drop(arg);
}

/* ---- the restore ---- */

static void start(restore_view *v) {
    app *a = v->base.app;
    restore_want want = {.txid = v->to == TO_TXID ? v->txid : 0,
                         .timestamp_ms = v->to == TO_TIME ? v->before_ms : LS_NO_TIMESTAMP,
                         .check = v->check,
                         .parallel = v->parallel,
                         .how = v->how,
                         .until_level = a->fixed_clock};
    job_give_up(&v->job);
    ls_err_clear(&v->err);
    v->restored = false;
    v->stopping = false;
    v->started_ns = ls_mono_ns(&ls_clock_system);
    source s = {0};
    if (app_source(a, &s, &v->err) != LS_OK) {
        source_done(&s);
        return;
    }
    restore_job *r = restore_job_new(&s, v->output, &want, &v->err);
    if (r != NULL &&
        job_start(&v->job, restore_job_run, r, restore_job_drop, a->wake[1], &v->err) == LS_OK) {
        v->running = r;
    }
}

/* The name of the file that is there was typed. */
static void confirmed(view *base, const char *text) {
    restore_view *v = (restore_view *)base;
    if (strcmp(text, ls_path_base(v->output)) == 0) {
        start(v);
    } else {
        app_say(base->app, "not started: the name is another one");
    }
}

static void ask_to_replace(restore_view *v, uint64_t size) {
    char bytes[32];
    (void)snprintf(v->label, sizeof(v->label),
                   "replace %s (%s) for good? type its name: ", ls_path_base(v->output),
                   ls_bytes_format(size, bytes, sizeof(bytes)));
    prompt_open(v->base.app, v->label, "", confirmed);
}

static void ask_to_start(restore_view *v) {
    app *a = v->base.app;
    struct stat st;
    if (v->running != NULL) {
        return;
    }
    if (v->plan_err.code != LS_OK || v->output[0] == '\0') {
        bool path = v->output[0] != '\0';
        (void)ls_fail(&a->err, LS_EINVALID, "there is no %s",
                      path ? "plan" : "path to restore into");
        (void)ls_hint(&a->err, "%s", path ? v->plan_err.msg : "enter on the line into asks for it");
    } else if (v->how == HOW_REPLACE && stat(v->output, &st) == 0) {
        ask_to_replace(v, (uint64_t)st.st_size);
    } else {
        start(v);
    }
}

static void restore_ended(restore_view *v) {
    void *arg = NULL;
    v->restored = job_take(&v->job, &arg, &v->err) == LS_OK;
    const restore_job *r = arg;
    v->running = NULL;
    v->result = r->result;
    v->took_ns = r->took_ns;
    v->result.txid = r->want.how == HOW_FOLLOW ? r->txid : v->result.txid;
    char *path = v->restored ? ls_path_absolute(v->output) : NULL;
    if (path != NULL) {
        (void)snprintf(v->done_path, sizeof(v->done_path), "%s", path);
    }
    free(path);
    restore_job_drop(arg);
    v->look_wanted = true;
}

static void job_ended(view *base) {
    restore_view *v = (restore_view *)base;
    if (v->running != NULL) {
        restore_ended(v);
    } else {
        room_found(v);
    }
}

static job **job_of(view *v) { return &((restore_view *)v)->job; }

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
    v->look_wanted = true;
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

/* A followed database goes on to the newest TXID, so one choice takes back the other. */
static void choose(restore_view *v, int field, int step) {
    if (field == TO) {
        v->to = (v->to + TARGETS + step) % TARGETS;
        v->how = v->how == HOW_FOLLOW && v->to != TO_LATEST ? HOW_NEW : v->how;
        make_plan(v);
    } else if (field == HOW) {
        v->how = (restore_how)(((int)v->how + 3 + step) % 3);
        v->to = v->how == HOW_FOLLOW ? TO_LATEST : v->to;
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
    if (v->running != NULL) {
        v->stopping = true;
        job_ask_to_stop(v->job);
    }
    return v->running != NULL;
}

static void copy_path(restore_view *v) {
    app *a = v->base.app;
    char *path = ls_path_absolute(v->output);
    if (path != NULL && a->copy != NULL) {
        a->copy(path);
    }
    app_say(a, "copied: %.240s", path != NULL ? path : "");
    free(path);
}

static bool take(view *base, request r) {
    restore_view *v = (restore_view *)base;
    int field = (int)base->list.cursor;
    switch (r) {
    case REQ_CANCEL:
        return stop(v);
    case REQ_BACK:
        if (v->running != NULL) {
            app_say(base->app, "a restore is running; c cancels it");
        }
        return v->running != NULL;
    case REQ_START:
        ask_to_start(v);
        return true;
    case REQ_COPY_PATH:
        copy_path(v);
        return true;
    case REQ_CHOOSE:
        if (v->running == NULL) {
            edit(v, field);
        }
        return true;
    case REQ_CHOICE:
    case REQ_CHOICE_BACK:
        if (v->running == NULL) {
            choose(v, field, r == REQ_CHOICE ? 1 : -1);
        }
        return true;
    default:
        return false;
    }
}

static bool copied(view *base, char *buf, size_t size) {
    restore_command_line((const restore_view *)base, buf, size);
    return true;
}

static void done(view *base) {
    restore_view *v = (restore_view *)base;
    ls_plan_done(&v->plan);
    snapshot_unref(v->snap);
    free(v);
}

static const view_ops ops = {.id = VIEW_RESTORE,
                             .draw = restore_screen_draw,
                             .request = take,
                             .shown = shown,
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
