/*
 * The feed's threads. One mutex guards all that they share with the screen; it is never held while
 * something is asked. Whoever of the two threads and the screen comes last frees the feed.
 */
#include "tui/feed.h"

#include "tui/grow.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SOON_NS (LS_SEC / 4)
#define AGAIN_NS LS_SEC
/* A part of the time, as asking may take long and cost the daemon much. */
#define SHARE 10
/* How long an answer waits for the events that belong to it, of which many may have come at once.
 */
#define EVENTS_NS (5 * LS_SEC)
/* Events may come by thousands: the screen is not woken for each, nor is their list made anew. */
#define MORE_MAX 256
#define TELL_NS (LS_SEC / 10)

struct feed {
    pthread_mutex_t lock;
    pthread_cond_t asked; /* and: the feed ends */
    int refs;
    ls_cancel cancel;
    bool has_daemon;              /* a socket was named */
    const ls_config *config;      /* NULL: none */
    source asked_place, followed; /* the daemon, for each thread; opened before they start, as curl
                                and what it links is set up then, on the screen's thread alone */
    int wake_fd;
    fleet *fleet;
    happenings *events;
    happening *more[MORE_MAX]; /* not in events yet; owned */
    size_t n_more;
    uint64_t newest; /* number of the newest event that was told */
    bool deaf;       /* events cannot be followed at present */
    feed_link link;
    ls_err err;
    int64_t failed_ms, asked_ns, answered_ns;
    bool asking;             /* an answer is waited for */
    int64_t missing_ns;      /* since when events are missing that belong to the answer; 0: none */
    uint64_t wanted, served; /* how often it was asked for, and what the last answer was for */
    bool happened;           /* since the last answer was asked for */
    bool news;
    int64_t told_ns;
};

static int64_t now_ns(void) { return ls_mono_ns(&ls_clock_system); }

static void lock(feed *f) { (void)pthread_mutex_lock(&f->lock); }

static void unlock(feed *f) { (void)pthread_mutex_unlock(&f->lock); }

/* Nobody reads the pipe any more once the screen let go. */
static void tell(feed *f) {
    f->news = true;
    f->told_ns = now_ns();
    if (!ls_canceled(&f->cancel)) {
        (void)!write(f->wake_fd, "", 1);
    }
}

/* The events that came become part of what is shown; without memory they are lost. */
static void merge(feed *f) {
    happenings *all = f->n_more > 0 ? happenings_new(f->events, f->more, f->n_more) : NULL;
    if (all != NULL) {
        happenings_unref(f->events);
        f->events = all;
    }
    while (f->n_more > 0) {
        happening_unref(f->more[--f->n_more]);
    }
}

static void drop(feed *f) {
    lock(f);
    bool last = --f->refs == 0;
    unlock(f);
    if (!last) {
        return;
    }
    merge(f);
    fleet_unref(f->fleet);
    happenings_unref(f->events);
    (void)pthread_mutex_destroy(&f->lock);
    (void)pthread_cond_destroy(&f->asked);
    source_done(&f->asked_place);
    source_done(&f->followed);
    free(f);
}

/* Waits, with the lock held, until a moment or the end. */
static void wait_until(feed *f, int64_t until_ns) {
    struct timespec t = {.tv_sec = until_ns / LS_SEC, .tv_nsec = until_ns % LS_SEC};
    (void)pthread_cond_timedwait(&f->asked, &f->lock, &t);
}

/* ---- asking ---- */

static ls_code ask_daemon(feed *f, fleet **out, ls_err *err) {
    if (!f->has_daemon) {
        return ls_fail(err, LS_ENOTFOUND, "the configuration names no control socket");
    }
    return source_databases(&f->asked_place, out, err);
}

static ls_code ask_config(feed *f, fleet **out, ls_err *err) {
    source s;
    ls_code rc = source_open_config(&s, f->config, err);
    if (rc == LS_OK) {
        rc = source_databases(&s, out, err);
    }
    source_done(&s);
    return rc;
}

/* With the lock held. A fleet that a daemon told is kept when it is gone. */
static void take_fleet(feed *f, fleet *now, feed_link link, const ls_err *err) {
    fleet_carry(now, f->fleet);
    fleet_unref(f->fleet);
    f->fleet = now;
    f->link = link;
    f->err = *err;
    f->failed_ms = 0;
}

static void take_failure(feed *f, const ls_err *err) {
    f->link = FEED_GONE;
    f->err = *err;
    f->failed_ms = f->failed_ms != 0 ? f->failed_ms : ls_wall_ms(&ls_clock_system);
}

/* Events that belong to the last answer may still be on their way. */
static void note_missing(feed *f) {
    bool missing = f->link == FEED_LIVE && f->newest < f->fleet->last_event;
    f->missing_ns = !missing ? 0 : f->missing_ns != 0 ? f->missing_ns : now_ns();
}

/* One try; the lock is not held meanwhile. */
static void ask(feed *f) {
    ls_err err = LS_ERR_INIT, other = LS_ERR_INIT;
    fleet *now = NULL;
    uint64_t wanted = f->wanted;
    f->asked_ns = now_ns();
    f->asking = true;
    f->happened = false;
    bool seen = f->fleet != NULL && f->fleet->live;
    unlock(f);
    bool live = ask_daemon(f, &now, &err) == LS_OK;
    if (!live && !seen && f->config != NULL) {
        (void)!ask_config(f, &now, &other);
    }
    lock(f);
    if (now != NULL) {
        take_fleet(f, now, live ? FEED_LIVE : FEED_OFFLINE, &err);
    } else {
        take_failure(f, other.code != LS_OK ? &other : &err);
    }
    f->answered_ns = now_ns();
    f->asking = false;
    f->served = wanted;
    note_missing(f);
    tell(f);
}

/* When to ask again, by what came of the last try. */
static int64_t next_ask(const feed *f) {
    int64_t took = f->answered_ns - f->asked_ns, pause = FEED_IDLE_NS;
    bool jobs = false;
    for (size_t i = 0; f->fleet != NULL && i < f->fleet->n_jobs; i++) {
        jobs = jobs || f->fleet->jobs[i].active;
    }
    if (f->wanted != f->served) {
        return f->answered_ns;
    }
    if (f->link == FEED_GONE) {
        return f->answered_ns + AGAIN_NS;
    }
    if (f->link == FEED_OFFLINE) {
        pause = AGAIN_NS;
    } else if (f->happened || jobs) {
        pause = SOON_NS;
    }
    return f->answered_ns + (took * SHARE > pause ? took * SHARE : pause);
}

static void *ask_main(void *arg) {
    feed *f = arg;
    lock(f);
    while (!ls_canceled(&f->cancel)) {
        ask(f);
        while (!ls_canceled(&f->cancel) && next_ask(f) > now_ns()) {
            wait_until(f, next_ask(f));
        }
    }
    unlock(f);
    drop(f);
    return NULL;
}

/* ---- following ---- */

static bool take_happening(void *arg, happening *h) {
    feed *f = arg;
    lock(f);
    if (h != NULL) {
        f->more[f->n_more++] = happening_ref(h);
    }
    if (f->n_more == MORE_MAX) {
        merge(f);
    }
    f->newest = h != NULL ? h->number : 0;
    f->deaf = false;
    bool waited = f->missing_ns != 0;
    note_missing(f);
    if (!f->happened) {
        f->happened = true;
        (void)pthread_cond_broadcast(&f->asked);
    }
    f->news = true;
    if (now_ns() - f->told_ns >= TELL_NS || (waited && f->missing_ns == 0)) {
        tell(f);
    }
    bool go_on = !ls_canceled(&f->cancel);
    unlock(f);
    return go_on;
}

static void *follow_main(void *arg) {
    feed *f = arg;
    source_follower to = {.event = take_happening, .arg = f};
    lock(f);
    while (!ls_canceled(&f->cancel)) {
        unlock(f);
        ls_err ignored = LS_ERR_INIT; /* the asking thread tells what is wrong */
        (void)!f->followed.ops->follow(&f->followed, &f->cancel, &to, &ignored);
        lock(f);
        f->deaf = true;
        tell(f);
        if (!ls_canceled(&f->cancel)) {
            wait_until(f, now_ns() + AGAIN_NS);
        }
    }
    unlock(f);
    drop(f);
    return NULL;
}

/* ---- the screen's ---- */

static ls_code start_thread(feed *f, void *(*run)(void *arg), ls_err *err) {
    pthread_t thread;
    f->refs++;
    int rc = pthread_create(&thread, NULL, run, f);
    if (rc != 0) {
        f->refs--;
        return ls_fail_errno(err, rc, "start a thread");
    }
    (void)pthread_detach(thread);
    return LS_OK;
}

static ls_code init(feed *f, const feed_places *places, int wake_fd, ls_err *err) {
    pthread_condattr_t attr;
    *f = (feed){.refs = 1, .wake_fd = wake_fd, .config = places->config, .wanted = 1};
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&f->asked, &attr);
    (void)pthread_condattr_destroy(&attr);
    f->has_daemon = places->socket != NULL;
    f->deaf = !f->has_daemon;
    if (!f->has_daemon) {
        return LS_OK;
    }
    ls_code rc = source_open_daemon(&f->asked_place, places->socket, err);
    return rc == LS_OK ? source_open_daemon(&f->followed, places->socket, err) : rc;
}

static ls_code start_threads(feed *f, ls_err *err) {
    ls_code rc = start_thread(f, ask_main, err);
    return rc == LS_OK && f->has_daemon ? start_thread(f, follow_main, err) : rc;
}

ls_code feed_start(feed **out, const feed_places *places, int wake_fd, ls_err *err) {
    *out = NULL;
    feed *f = calloc(1, sizeof(*f));
    if (f == NULL) {
        return ls_fail(err, LS_ENOMEM, "look for a daemon");
    }
    ls_code rc = init(f, places, wake_fd, err);
    lock(f);
    if (rc == LS_OK) {
        rc = start_threads(f, err);
    }
    unlock(f);
    if (rc != LS_OK) {
        feed_stop(f);
        return rc;
    }
    *out = f;
    return LS_OK;
}

void feed_ask(feed *f) {
    lock(f);
    f->wanted++;
    (void)pthread_cond_broadcast(&f->asked);
    unlock(f);
}

bool feed_busy(feed *f) {
    lock(f);
    bool late = f->missing_ns != 0 && !f->deaf && now_ns() - f->missing_ns < EVENTS_NS;
    bool busy = f->wanted != f->served || late;
    unlock(f);
    return busy;
}

int64_t feed_waits(feed *f) {
    lock(f);
    int64_t waits = f->asking ? now_ns() - f->asked_ns : 0;
    unlock(f);
    return waits;
}

bool feed_take(feed *f, feed_news *news) {
    lock(f);
    bool any = f->news;
    f->news = false;
    merge(f);
    if (any) {
        *news = (feed_news){.link = f->link,
                            .fleet = f->fleet != NULL ? fleet_ref(f->fleet) : NULL,
                            .events = f->events != NULL ? happenings_ref(f->events) : NULL,
                            .err = f->err,
                            .failed_ms = f->failed_ms};
    }
    unlock(f);
    return any;
}

void feed_news_done(feed_news *news) {
    fleet_unref(news->fleet);
    happenings_unref(news->events);
    news->fleet = NULL;
    news->events = NULL;
}

void feed_stop(feed *f) {
    if (f == NULL) {
        return;
    }
    lock(f);
    ls_cancel_set(&f->cancel);
    (void)pthread_cond_broadcast(&f->asked);
    unlock(f);
    drop(f);
}
