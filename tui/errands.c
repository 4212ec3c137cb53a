/*
 * What is asked of the daemon from here: which action a request is, starting it in the background,
 * and what came of it. The last ERRANDS_MAX are kept for the view Activity, as a log of commands.
 */
#include "tui/view.h"

#include <stdlib.h>
#include <string.h>

/* ---- running ---- */

static ls_code run(job *j, void *arg, ls_err *err) {
    (void)j;
    return action_run(arg, err);
}

static void drop(void *arg) {
    action_done(arg);
    free(arg);
}

static void errand_free(errand *e) {
    job_give_up(&e->job);
    action_done(&e->act);
    free(e);
}

/* Room for one more: the oldest that has ended goes. */
static bool make_room(app *a) {
    for (size_t i = 0; a->n_errands == ERRANDS_MAX && i < ERRANDS_MAX; i++) {
        if (a->errands[i]->job == NULL) {
            errand_free(a->errands[i]);
            a->n_errands--;
            memmove(&a->errands[i], &a->errands[i + 1], (a->n_errands - i) * sizeof(a->errands[0]));
        }
    }
    return a->n_errands < ERRANDS_MAX;
}

static errand *new_errand(app *a, const action *act) {
    errand *e = make_room(a) ? calloc(1, sizeof(*e)) : NULL;
    if (e == NULL) {
        (void)ls_fail(&a->err, LS_EBUSY, "too much is asked at once");
        return NULL;
    }
    if (!action_copy(&e->act, act)) {
        free(e);
        (void)ls_fail(&a->err, LS_ENOMEM, "%s", action_table[act->kind].running);
        return NULL;
    }
    e->id = ++a->last_errand;
    e->at_ms = live_now(a);
    a->errands[a->n_errands++] = e;
    return e;
}

uint64_t errand_start(app *a, const action *act) {
    errand *e = new_errand(a, act);
    action *copy = e != NULL ? calloc(1, sizeof(*copy)) : NULL;
    if (e == NULL) {
        return 0;
    }
    if (copy == NULL || !action_copy(copy, act)) {
        free(copy);
        (void)ls_fail(&e->err, LS_ENOMEM, "%s", action_table[act->kind].running);
    } else if (job_start(&e->job, run, copy, drop, a->wake[1], &e->err) == LS_OK) {
        app_say(a, "%s %s ...", action_table[act->kind].running,
                act->path != NULL ? act->path : "");
    }
    if (e->err.code != LS_OK) {
        a->err = e->err;
    }
    app_tell(a, false);
    return e->id;
}

const errand *errand_of(const app *a, uint64_t id) {
    for (size_t i = 0; i < a->n_errands; i++) {
        if (a->errands[i]->id == id) {
            return a->errands[i];
        }
    }
    return NULL;
}

static void ended(app *a, errand *e) {
    void *arg = NULL;
    char command[400];
    ls_code rc = job_take(&e->job, &arg, &e->err);
    const action *done = arg;
    memcpy(e->act.outcome, done->outcome, sizeof(e->act.outcome));
    e->act.job = done->job;
    drop(arg);
    if (rc == LS_OK) {
        a->said[0] = '\0';
        app_say(a, "✓ %s   $ %s", e->act.outcome,
                action_command(&e->act, command, sizeof(command)));
    } else {
        a->err = e->err;
        (void)ls_wrap(&a->err, "%s", action_table[e->act.kind].title);
    }
    if (a->feed != NULL) {
        feed_ask(a->feed);
    }
}

void errands_poll(app *a) {
    bool any = false;
    for (size_t i = 0; i < a->n_errands; i++) {
        errand *e = a->errands[i];
        if (e->job != NULL && job_done(e->job)) {
            ended(a, e);
            any = true;
        }
    }
    if (any) {
        app_tell(a, false);
    }
}

bool errands_run(const app *a) {
    for (size_t i = 0; i < a->n_errands; i++) {
        if (a->errands[i]->job != NULL) {
            return true;
        }
    }
    return false;
}

/* The newest that runs, up to id. */
void errand_give_up(app *a, uint64_t id) {
    for (size_t i = a->n_errands; i > 0; i--) {
        errand *e = a->errands[i - 1];
        if (e->id <= id && e->job != NULL) {
            job_give_up(&e->job);
            e->given_up = true;
            app_say(a, "given up waiting; the daemon may still do it");
            app_tell(a, false);
            return;
        }
    }
}

void errands_done(app *a) {
    while (a->n_errands > 0) {
        errand_free(a->errands[--a->n_errands]);
    }
}

/* ---- requests ---- */

/* Texts of an action are owned; of one that is only copied they are not. */
static char *borrowed(const char *text) { return (char *)(uintptr_t)text; }

/* For an action: what the daemon says of the database. */
static bool fill(app *a, action *act, const fleet_db *db) {
    const action from = {.kind = act->kind,
                         .socket = borrowed(a->socket),
                         .path = borrowed(db != NULL ? db->path : ""),
                         .url = borrowed(db != NULL ? db->replica_url : ""),
                         .meta = borrowed(db != NULL ? db->meta_path : ""),
                         .output = borrowed(""),
                         .target = borrowed(""),
                         .check = LS_INTEGRITY_QUICK,
                         .runs = db != NULL && db->state != DB_STOPPED};
    return action_copy(act, &from);
}

/* Why it cannot be asked for, if it cannot. */
static bool refuse(app *a, const action_info *info, const fleet_db *db) {
    const char *name = request_table[info->request].name;
    if (a->feed == NULL) {
        (void)ls_fail(&a->err, LS_EUNSUPPORTED, "%s: no daemon is looked at here", name);
        (void)ls_hint(&a->err, "litestream-tui without a path, or with -socket");
    } else if (a->socket == NULL || a->news.link == FEED_OFFLINE) {
        (void)ls_fail(&a->err, LS_ENOTREADY, "%s: no daemon answers", name);
        (void)ls_hint(&a->err, "start litestream replicate, with socket: {enabled: true}");
    } else if (db == NULL && info->request != REQ_REGISTER) {
        (void)ls_fail(&a->err, LS_ENOTFOUND, "%s: no database is selected", name);
    } else {
        return false;
    }
    return true;
}

bool errand_request(app *a, request r) {
    action_kind kind = action_of_request(r);
    if (kind == ACTIONS) {
        return false;
    }
    const action_info *info = &action_table[kind];
    const fleet_db *db = live_database(a);
    action act = {.kind = kind};
    if (refuse(a, info, db)) {
        return true;
    }
    if (!fill(a, &act, kind == ACT_REGISTER ? NULL : db)) {
        (void)ls_fail(&a->err, LS_ENOMEM, "%s", info->running);
    } else if (info->ask == ASK_NOTHING) {
        (void)errand_start(a, &act);
    } else {
        view_action_open(a, &act);
    }
    action_done(&act);
    return true;
}

/* What runs here may be given up with -readonly, what runs there may not. */
void errand_cancel_job(app *a, const fleet_job *j) {
    if (a->readonly) {
        (void)ls_fail(&a->err, LS_EUNSUPPORTED, "cancel job %llu: not with -readonly",
                      (unsigned long long)j->id);
        return;
    }
    const action from = {
        .kind = ACT_CANCEL, .socket = borrowed(a->socket), .path = j->path, .job = j->id};
    (void)errand_start(a, &from);
}
