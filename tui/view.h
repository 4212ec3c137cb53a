/*
 * A view is one file with a small table of operations; the main loop knows no view by name. The
 * first views are tabs, each with a stack of its own: `enter` dives, `q` and escape back out one
 * step. A view asks the library for everything that it shows, in jobs where that takes time.
 *
 * There are two groups of tabs: those of all databases, where a daemon or a configuration has such
 * (a->feed), and those of one replica, or LTX files, which is what the program was pointed at or
 * the database that was opened last (a->name).
 */
#ifndef LS_TUI_VIEW_H
#define LS_TUI_VIEW_H

#include "cmd/table.h"
#include "tui/action.h"
#include "tui/canvas.h"
#include "tui/feed.h"
#include "tui/job.h"
#include "tui/list.h"
#include "tui/request.h"
#include "tui/state.h"
#include "tui/tables.h"
#include "tui/words.h"

#define MIN_COLS 60
#define MIN_ROWS 16
#define PROMPT_MAX 512

typedef struct app app;
typedef struct view view;

typedef struct view_ops {
    view_id id;
    /* Draws the body: rows 1 to the last but one. */
    void (*draw)(view *v, canvas *c);
    /* Does what the loop cannot: true if the request was taken. NULL: nothing. */
    bool (*request)(view *v, request r);
    /* A click outside of the list; true if it was taken. NULL: nothing. */
    bool (*click)(view *v, int row, int col);
    /* There is another snapshot (or, at first, one at all). NULL: it does not matter. */
    void (*snapshot)(view *v);
    /* It is on the screen: begins to read what it needs there. NULL: nothing. */
    void (*shown)(view *v);
    /* There is other news of the databases, or of what was asked of the daemon. NULL: likewise. */
    void (*news)(view *v);
    /* The view's job, if it runs one: looked at when it may have ended. NULL: it has none. */
    job **(*job)(view *v);
    void (*job_ended)(view *v);
    bool waits; /* closing the view waits for its job, which would leave something half-done */
    const list_rows *(*rows)(view *v); /* of its list, for filter and order. NULL: neither */
    int columns;                       /* that its list can be ordered by */
    /* What `copy` takes. Returns false if there is nothing. */
    bool (*copied)(view *v, char *buf, size_t size);
    /* Rows for JSON; keys name the columns, bit n of numbers: a number. */
    ls_code (*table)(view *v, ls_table *t, ls_err *err);
    const char *const *keys;
    unsigned numbers;
    void (*free)(view *v);
} view_ops;

struct view {
    const view_ops *ops;
    app *app;
    list list;
    int list_row; /* of the screen, where the list begins; for the mouse */
    view *below;
    char title[64]; /* "": the table's */
};

/* One line that is typed: a filter, a command, a value. */
typedef struct prompt {
    bool open;
    const char *label;
    char text[PROMPT_MAX];
    size_t len;
    void (*changed)(view *v, const char *text); /* as it is typed. NULL: nothing */
    void (*done)(view *v, const char *text);
    char before[LIST_FILTER_MAX]; /* of a filter, for escape */
    size_t row;                   /* the same: the row that was selected */
    bool complete;                /* names of requests, by tab */
    size_t tabs;                  /* how often tab was pressed */
    char stem[PROMPT_MAX];        /* what was typed before the first tab */
} prompt;

/* A place on the screen that is a request: a tab, a key of the line of keys. */
typedef struct hit {
    int row, col, width;
    request request;
} hit;
#define HITS_MAX 64

/* An action that was asked for, while it runs and after. */
typedef struct errand {
    uint64_t id;
    action act;
    job *job; /* NULL: it has ended */
    int64_t at_ms;
    bool given_up;
    ls_err err; /* why it failed */
} errand;

#define ERRANDS_MAX 64

struct app {
    const char *name;        /* the replica or files that are shown; NULL: none of a fleet yet */
    char *url;               /* the same as command lines take it; owned */
    char *database;          /* of the fleet, whose replica that is; NULL: none; owned */
    char *location;          /* name; owned */
    bool replica;            /* can be restored from */
    bool readonly;           /* requests that change something are refused */
    const ls_config *config; /* NULL: none */
    tui_state state;         /* what is kept for the next time */
    theme_id theme;
    void (*set_theme)(theme_id theme); /* shows with another one. NULL: nothing is shown */
    int64_t refresh_ms;                /* how old a listing may become; 0: until it is asked for */
    int64_t asked_ms;                  /* when the last one was begun */
    bool fixed_clock;                  /* for -once: ages are those of the moment of reading */
    snapshot *snap;                    /* NULL until the first reading ended */
    job *reading;                      /* of the listing */
    ls_err read_err;                   /* of the last reading; what is shown is older then */
    view *top[TABS];                   /* the stack of each tab */
    int tab;
    ls_err err;     /* shown on the last line until the next key */
    char said[256]; /* the same, good news */
    prompt prompt;
    feed *feed;                   /* NULL: no databases, but a replica or files alone */
    feed_news news;               /* the last */
    const char *socket;           /* of the daemon; NULL: none */
    errand *errands[ERRANDS_MAX]; /* the oldest first; owned */
    size_t n_errands;
    uint64_t last_errand;
    int wake[2];   /* jobs write, the loop reads */
    unsigned spin; /* counts what was drawn while something ran */
    bool quit, redraw, suspend;
    int rows, cols;     /* of the last screen */
    hit hits[HITS_MAX]; /* what can be clicked on it */
    size_t n_hits;
    void (*copy)(const char *text); /* to the clipboard. NULL: there is none */
};

/* Opens the tabs and begins to read: a replica or files, or databases. Texts of places and the
 * configuration must stay until the program ends. */
LS_MUST ls_code app_init(app *a, const char *name, ls_err *err);
LS_MUST ls_code app_init_fleet(app *a, const feed_places *places, ls_err *err);
void app_done(app *a);

/* Draws everything. */
LS_MUST ls_code app_draw(app *a, canvas *c, int rows, int cols, ls_err *err);
/* A key by its name: to the prompt if one is open, else as a request. */
void app_key(app *a, const char *key);
void app_request(app *a, request r);
/* Good news, on the last line until the next key. */
void app_say(app *a, const char *fmt, ...) LS_PRINTF(2, 3);
/* The mouse: a click on a cell, a double click, the wheel (-1 up, 1 down). */
void app_click(app *a, int row, int col, bool twice);
void app_wheel(app *a, int direction);
/* Looks at the jobs. */
void app_poll(app *a);
bool app_busy(app *a);
void app_open_tab(app *a, int tab);
/* Why a request cannot be done at all; NULL: it can. */
const char *app_why_not(const app *a, request r);
/* Is it of use in a view? Not, what is asked of a daemon where there never is one. */
bool app_offers(const app *a, request r, view_id id);
view *app_view(app *a); /* the one on the screen */
void app_refresh(app *a);
/* The same if what is shown has become too old. */
void app_refresh_old(app *a);

/* How long the screen is true, ms. */
int app_timeout(app *a);

/* Opens the source of the replica or files that are shown. source_done also after a failure. */
LS_MUST ls_code app_source(app *a, source *s, ls_err *err);
/* Shows a database of the fleet in a tab of one replica. */
void app_open_database(app *a, const char *path, int tab);
/* Tells all views of a->snap, or of a->news and a->errands. */
void app_tell(app *a, bool snap);
/* What is shown in the tabs of one replica from now on. */
LS_MUST ls_code app_set_place(app *a, const char *name, ls_err *err);
/* These tabs anew. */
LS_MUST ls_code app_fresh_tabs(app *a, ls_err *err);

/* ---- databases (live.c) ---- */

LS_MUST ls_code live_start(app *a, const feed_places *places, ls_err *err);
void live_poll(app *a);
/* Now, by the daemon's clock. */
int64_t live_now(const app *a);
/* The database that is meant: selected, or opened; NULL: none. */
const fleet_db *live_database(const app *a);
/* Draws what is wrong with the link on a row, if anything is; returns the rows that it took. */
int live_draw_link(app *a, canvas *c, int row);
/* Where no fleet is there yet, says why: true. */
bool live_draw_missing(view *v, canvas *c);
/* "daemon 4711 · 0.1.0". */
void live_place(app *a, char *buf, size_t size, meaning *how);

/* ---- what is asked of the daemon (errands.c) ---- */

/* An action request: at once, or in a dialog. True if it was one. */
bool errand_request(app *a, request r);
/* Starts an action, of which it takes a copy. Returns its number, 0 if it could not. */
uint64_t errand_start(app *a, const action *act);
const errand *errand_of(const app *a, uint64_t id);
void errands_poll(app *a);
bool errands_run(const app *a);
/* Gives up waiting for it. */
void errand_give_up(app *a, uint64_t id);
void errands_done(app *a);
/* Asks the daemon to cancel a job. */
void errand_cancel_job(app *a, const fleet_job *j);

/* The job's argument of everyone who reads: a source of its own and a snapshot. */
typedef struct reading {
    source source;
    snapshot *snap;
} reading;
LS_MUST ls_code reading_open(reading *r, app *a, ls_err *err);
void reading_done(reading *r);

/* Asks for a line; prompt_open(a, ...) shows label, and text to begin with. */
prompt *prompt_open(app *a, const char *label, const char *text,
                    void (*done)(view *v, const char *text));
void prompt_key(app *a, const char *key);

/* The requests of the line of keys that write and name things: w, W, y, ':' and '/'. */
void app_write_text(app *a);
void app_write_rows(app *a);
void app_copy(app *a);
void app_copy_text(app *a, const char *text);
void app_command(app *a);
void app_filter(app *a);

/* Each makes a view; those that are no tab go on top. A failure is shown. */
view *view_levels_new(void);
view *view_timeline_new(void);
view *view_files_new(void);
view *view_points_new(void);
view *view_verify_new(void);
view *view_databases_new(void);
view *view_activity_new(void);
void view_action_open(app *a, const action *act);
void view_pages_open(app *a, snapshot *snap, size_t file);
/* t: what is known of the tables, NULL allowed; row: of the file's pages. */
void view_page_open(app *a, snapshot *snap, size_t file, const file_detail *detail, tables *t,
                    size_t row);
void view_restore_open(app *a, ls_txid txid, int64_t at_ms);
void view_help_open(app *a);

/* The path that is selected in the databases tab; NULL: none. */
const char *view_databases_selected(const app *a);

/* The files tab with a filter. */
void view_files_filter(app *a, const char *filter);

void view_push(app *a, view *v);
void view_pop(app *a);

/* For views with a list of rows: heads and rows from a row of the screen on, as many as fit above
 * the detail strip of strip rows. */
typedef void (*row_fn)(view *v, canvas *c, int row, size_t number, meaning how);
void view_draw_list(view *v, canvas *c, int row, int strip, row_fn draw);
/* "|" or "/" and the like while something runs. */
const char *app_spinner(const app *a);
/* Says that there is nothing yet, and why: true if there is no snapshot. */
bool view_draw_missing(view *v, canvas *c);
#endif
