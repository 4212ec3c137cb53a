/*
 * A view is one file with a small table of operations; the main loop knows no view by name. Views
 * stack: `enter` dives, `q` and escape back out one step.
 */
#ifndef LS_TUI_VIEW_H
#define LS_TUI_VIEW_H

#include "tui/canvas.h"
#include "tui/list.h"
#include "tui/request.h"
#include "tui/source.h"

typedef struct app app;
typedef struct view view;

typedef struct view_ops {
    const char *name; /* as -once takes it */
    const char *title;
    /* Draws the body: rows 1 to the last but one. */
    void (*draw)(view *v, canvas *c);
    /* Does what the loop cannot: true if the request was taken. */
    bool (*request)(view *v, request r);
    void (*refresh)(view *v);
    void (*free)(view *v);
} view_ops;

struct view {
    const view_ops *ops;
    app *app;
    list list; /* n is kept by the view */
    view *below;
};

struct app {
    source source;
    view *top;
    ls_err err; /* shown on the last line until the next key */
    bool quit;
};

/* Each makes a view and puts it on top; a failure is shown. */
void view_files_open(app *a);
void view_pages_open(app *a, size_t file);
void view_help_open(app *a);

void view_push(app *a, view *v);
void view_pop(app *a);

/* Draws everything. */
LS_MUST ls_code app_draw(app *a, canvas *c, int rows, int cols, ls_err *err);
void app_request(app *a, request r);

#endif
