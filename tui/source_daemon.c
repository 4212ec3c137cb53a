/*
 * A running daemon as a source: its databases, its jobs and what happens, over its control socket.
 *
 * The numbers of events begin at 1 with each daemon. So who goes on with a stream first asks which
 * daemon there is, and begins anew with another one.
 */
#include "tui/source.h"

#include <stdlib.h>
#include <string.h>

/* A daemon that needs longer is busy or stopped; the screen says so. */
#define ANSWER_NS (5 * LS_SEC)

static ls_code ask(source *s, const char *path, fleet *f,
                   ls_code (*take)(fleet *f, const json_t *answer, ls_err *err), ls_err *err) {
    json_t *answer = NULL;
    ls_code rc = ls_client_call(s->client, "GET", path, NULL, ANSWER_NS, &answer, err);
    if (rc == LS_OK && take(f, answer, err) != LS_OK) {
        rc = ls_wrap(err, "GET %s", path);
    }
    json_decref(answer);
    return rc;
}

static ls_code daemon_databases(source *s, fleet *f, ls_err *err) {
    ls_code rc = ask(s, "/info", f, fleet_read_info, err);
    if (rc == LS_OK) {
        rc = ask(s, "/jobs", f, fleet_read_jobs, err);
    }
    return rc == LS_OK ? ask(s, "/databases", f, fleet_read_databases, err) : rc;
}

typedef struct stream {
    source_follower *to;
    ls_err *err;
    ls_code rc;
} stream;

static bool take_event(void *arg, const json_t *event) {
    stream *st = arg;
    happening *h = happening_read(event, st->err);
    if (h == NULL) {
        st->rc = st->err->code;
        return false;
    }
    st->to->last = h->number;
    bool more = st->to->event(st->to->arg, h);
    happening_unref(h);
    return more;
}

/* A daemon is known by when it began; two of one moment would be the same process. */
static ls_code which_daemon(source *s, int64_t *began_ms, ls_err *err) {
    fleet *f = fleet_new();
    if (f == NULL) {
        return ls_fail(err, LS_ENOMEM, "follow the daemon");
    }
    json_t *answer = NULL;
    ls_code rc = ls_client_call(s->client, "GET", "/info", NULL, ANSWER_NS, &answer, err);
    if (rc == LS_OK) {
        rc = fleet_read_info(f, answer, err);
        *began_ms =
            f->now_ms - 1000 * json_integer_value(json_object_get(answer, "uptime_seconds"));
    }
    json_decref(answer);
    fleet_unref(f);
    return rc;
}

static ls_code daemon_follow(source *s, const ls_cancel *cancel, source_follower *to, ls_err *err) {
    int64_t began_ms = 0;
    ls_code rc = which_daemon(s, &began_ms, err);
    if (rc != LS_OK) {
        return rc;
    }
    if (s->began_ms != 0 && s->began_ms != began_ms) {
        to->last = 0;
        (void)to->event(to->arg, NULL);
    }
    s->began_ms = began_ms;
    stream st = {.to = to, .err = err};
    rc = ls_client_events(s->client, to->last, take_event, &st, cancel, err);
    return st.rc != LS_OK ? st.rc : rc;
}

static void daemon_done(source *s) { ls_client_free(s->client); }

static const source_ops daemon_ops = {
    .kind = "daemon", .databases = daemon_databases, .follow = daemon_follow, .done = daemon_done};

ls_code source_open_daemon(source *s, const char *socket, ls_err *err) {
    *s = (source){.ops = &daemon_ops, .name = strdup(socket)};
    if (s->name == NULL) {
        return ls_fail(err, LS_ENOMEM, "open %s", socket);
    }
    return ls_client_new(socket, &s->client, err);
}
