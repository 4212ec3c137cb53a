/* The databases on the screen: starting the feed, taking its news, and saying in a sentence what is
 * wrong with the link to the daemon. */
#include "tui/view.h"

#include <inttypes.h>
#include <string.h>

/* Until then an answer is on its way; later the daemon does not answer. */
#define SLOW_NS (2 * LS_SEC)

ls_code live_start(app *a, const feed_places *places, ls_err *err) {
    a->socket = places->socket;
    a->config = places->config;
    return feed_start(&a->feed, places, a->wake[1], err);
}

void live_poll(app *a) {
    feed_news news;
    if (feed_take(a->feed, &news)) {
        feed_news_done(&a->news);
        a->news = news;
        app_tell(a, false);
    }
}

int64_t live_now(const app *a) {
    const fleet *f = a->news.fleet;
    if (f == NULL) {
        return ls_wall_ms(&ls_clock_system);
    }
    int64_t since = a->fixed_clock ? 0 : ls_mono_ns(&ls_clock_system) - f->taken_ns;
    return f->now_ms + since / LS_MS;
}

const fleet_db *live_database(const app *a) {
    const fleet *f = a->news.fleet;
    const char *path = a->tab < REPLICA_TABS ? a->database : view_databases_selected(a);
    size_t at = f != NULL && path != NULL ? fleet_find(f, path) : 0;
    return f != NULL && path != NULL && at < f->n ? &f->dbs[at] : NULL;
}

/* ---- the link ---- */

static const char *age_of(const app *a, char *buf, size_t size) {
    int64_t ns = a->fixed_clock ? 0 : ls_mono_ns(&ls_clock_system) - a->news.fleet->taken_ns;
    return age_format(ns / LS_MS, buf, size);
}

/* "09:21:23". */
static const char *clock_time(int64_t ms, char buf[32]) {
    (void)ls_time_format(ms, false, buf, 32);
    buf[19] = '\0';
    return buf + 11;
}

/* What is wrong, in a sentence; "" while nothing is. */
static void describe_link(const app *a, char *buf, size_t size) {
    const feed_news *n = &a->news;
    int64_t waits = feed_waits(a->feed);
    char since[32], age[32];
    buf[0] = '\0';
    if (n->fleet == NULL) {
        return;
    }
    if (n->link == FEED_OFFLINE) {
        (void)snprintf(buf, size,
                       "○ no daemon answers; the configuration's databases, as their files are");
    } else if (n->link == FEED_GONE) {
        const char *what = n->err.code == LS_ETIMEDOUT ? "the daemon has not answered"
                           : n->err.code == LS_EREMOTE ? "the daemon's answers are not understood"
                                                       : "the daemon is gone";
        (void)snprintf(buf, size, "✗ %s since %s; this is %s old: %.500s", what,
                       clock_time(n->failed_ms, since), age_of(a, age, sizeof(age)), n->err.msg);
    } else if (waits > SLOW_NS) {
        (void)snprintf(buf, size, "▲ the daemon has not answered for %" PRId64 " s; this is %s old",
                       (int64_t)(waits / LS_SEC), age_of(a, age, sizeof(age)));
    }
}

int live_draw_link(app *a, canvas *c, int row) {
    char text[1000];
    describe_link(a, text, sizeof(text));
    if (text[0] == '\0') {
        return 0;
    }
    canvas_putf(c, row, 0, c->cols, a->news.link == FEED_OFFLINE ? PLAIN : ALERT, " %s", text);
    return 1;
}

bool live_draw_missing(view *v, canvas *c) {
    app *a = v->app;
    const feed_news *n = &a->news;
    if (n->fleet != NULL) {
        return false;
    }
    if (a->feed == NULL) {
        canvas_put(c, 2, 2, c->cols - 3, PLAIN, "No daemon is looked at here.");
    } else if (n->link != FEED_GONE) {
        canvas_putf(c, 2, 2, c->cols - 3, PLAIN, "%s asking the daemon at %s ...", app_spinner(a),
                    a->socket != NULL ? a->socket : "(none)");
    } else {
        int row = 2;
        row += canvas_wrap(c, row, 2, c->cols - 3, 4, ALERT, n->err.msg);
        row += canvas_wrap(c, row, 2, c->cols - 3, 4, PLAIN, ls_err_hint(&n->err));
        canvas_put(c, row + 1, 2, c->cols - 3, PLAIN, "It is tried again each second.");
    }
    return true;
}

void live_place(app *a, char *buf, size_t size, meaning *how) {
    const feed_news *n = &a->news;
    char age[32];
    *how = DIM;
    if (n->fleet == NULL) {
        (void)snprintf(buf, size, "%s", n->link == FEED_GONE ? "no answer" : "asking");
        *how = n->link == FEED_GONE ? ALERT : DIM;
    } else if (n->link == FEED_OFFLINE) {
        (void)snprintf(buf, size, "no daemon · configuration");
    } else if (n->link == FEED_GONE || feed_waits(a->feed) > SLOW_NS) {
        (void)snprintf(buf, size, "STALE · %s old", age_of(a, age, sizeof(age)));
        *how = ALERT;
    } else {
        (void)snprintf(buf, size, "daemon %" PRId64 " · %s", n->fleet->pid, n->fleet->version);
    }
}
