/*
 * Keeps what is known of the databases up to date, on threads of its own: one asks, one follows
 * what happens. The screen takes what is there and never waits; a place that hangs holds up nobody.
 *
 * It asks again soon after something happened, else each FEED_IDLE_NS; never for more than a tenth
 * of the time, so that many databases do not keep a daemon busy. A place that is gone is tried
 * again each second.
 */
#ifndef LS_TUI_FEED_H
#define LS_TUI_FEED_H

#include "tui/source.h"

#define FEED_IDLE_NS (5 * LS_SEC)

typedef struct feed feed;

typedef enum feed_link {
    FEED_ASKING, /* no answer yet */
    FEED_LIVE,
    FEED_OFFLINE, /* no daemon; the configuration's databases are shown */
    FEED_GONE,    /* the last try failed; what is shown is older */
} feed_link;

/* What there is. References are the caller's to drop with feed_news_done. */
typedef struct feed_news {
    feed_link link;
    fleet *fleet;       /* NULL: none yet */
    happenings *events; /* NULL: none yet */
    ls_err err;         /* of the last try, where it failed */
    int64_t failed_ms;  /* since when they fail; 0: they do not */
} feed_news;

typedef struct feed_places {
    const char *socket;      /* of a daemon; NULL: none is looked for */
    const ls_config *config; /* shown where no daemon answers; NULL: none. Must stay as long as the
                                program runs: a thread that hangs may still look at it */
} feed_places;

/* wake_fd is written a byte to when there is news, and must outlive the program's threads. */
LS_MUST ls_code feed_start(feed **f, const feed_places *places, int wake_fd, ls_err *err);

/* Asks as soon as possible. */
void feed_ask(feed *f);
/* Is something that was asked for not there yet? */
bool feed_busy(feed *f);
/* How long the answer that is waited for has been waited for, ns; 0: none is. */
int64_t feed_waits(feed *f);
/* News since the last time; false: none. */
bool feed_take(feed *f, feed_news *news);
void feed_news_done(feed_news *news);
/* Tells the threads to end, and forgets them. NULL allowed. */
void feed_stop(feed *f);

#endif
