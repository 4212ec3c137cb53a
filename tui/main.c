/* litestream-tui: options, then either one screen as text or the loop of key, request, draw. */
#include "cmd/options.h"
#include "tui/term.h"
#include "tui/view.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct tui_args {
    const char *once, *size, *keys;
} tui_args;

static const ls_option options[] = {
    {.name = "once",
     .type = LS_OPT_STRING,
     .field = offsetof(tui_args, once),
     .arg = "VIEW",
     .help =
         "Print one screen as text and exit. VIEW is files, pages (of the first file) or help."},
    {.name = "size",
     .type = LS_OPT_STRING,
     .field = offsetof(tui_args, size),
     .arg = "COLSxROWS",
     .def = "80x24",
     .help = "Size of that screen."},
    {.name = "keys",
     .type = LS_OPT_STRING,
     .field = offsetof(tui_args, keys),
     .arg = "KEYS",
     .help = "Keys to press before it is printed: words of the help view, separated by blanks."},
    {.name = NULL}};

static ls_code open_view(app *a, const char *name, ls_err *err) {
    if (strcmp(name, "help") == 0) {
        view_help_open(a);
    } else if (strcmp(name, "pages") == 0 && a->source.n > 0) {
        view_pages_open(a, 0);
    } else if (strcmp(name, "files") != 0) {
        return ls_fail(err, LS_EINVALID, "no view %s: there are files, pages and help", name);
    }
    return LS_OK;
}

/* Lists learn their height by drawing: each key meets a drawn screen, as at a terminal. */
static ls_code press(app *a, canvas *c, int rows, int cols, const char *keys, ls_err *err) {
    ls_code rc = app_draw(a, c, rows, cols, err);
    for (const char *p = keys; rc == LS_OK && *p != '\0' && !a->quit;) {
        char key[16];
        size_t len = strcspn(p, " ");
        (void)snprintf(key, sizeof(key), "%.*s", (int)len, p);
        app_request(a, request_of_key(key));
        if (!a->quit) {
            rc = app_draw(a, c, rows, cols, err);
        }
        p += len;
        p += strspn(p, " ");
    }
    return rc;
}

static ls_code print_once(app *a, const tui_args *args, ls_err *err) {
    int cols, rows;
    char end;
    if (sscanf(args->size, "%dx%d%c", &cols, &rows, &end) != 2 || cols < 1 || rows < 1) {
        return ls_fail(err, LS_EINVALID, "invalid size %s, must be COLSxROWS", args->size);
    }
    canvas c = {0};
    ls_code rc = open_view(a, args->once, err);
    if (rc == LS_OK) {
        rc = press(a, &c, rows, cols, args->keys != NULL ? args->keys : "", err);
    }
    if (rc == LS_OK) {
        canvas_print(&c, stdout);
    }
    canvas_done(&c);
    return rc;
}

static ls_code loop(app *a, ls_err *err) {
    canvas c = {0};
    ls_code rc = term_init(err);
    while (rc == LS_OK && !a->quit) {
        int rows, cols;
        term_size(&rows, &cols);
        rc = app_draw(a, &c, rows, cols, err);
        if (rc == LS_OK) {
            term_show(&c);
            app_request(a, request_of_key(term_key()));
        }
    }
    term_done();
    canvas_done(&c);
    return rc;
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    const tui_args *args = in->args;
    ls_code rc = ls_positionals_max(in, 1, err);
    if (rc == LS_OK && in->n_pos == 0) {
        (void)ls_fail(err, LS_EINVALID, "path or replica URL required");
        rc = ls_hint(err, "give a replica or an LTX file: litestream-tui "
                          "/backups/db");
    }
    app a = {0};
    if (rc == LS_OK) {
        rc = source_open(&a.source, in->pos[0], err);
    }
    if (rc == LS_OK) {
        view_files_open(&a);
        rc = args->once != NULL ? print_once(&a, args, err) : loop(&a, err);
    }
    while (a.top != NULL) {
        view_pop(&a);
    }
    source_done(&a.source);
    return rc;
}

static const char *const usage[] = {"[arguments] PATH", "[arguments] REPLICA_URL", NULL};

static const ls_command inspect = {
    .name = "",
    .summary = "looks into LTX files and replicas",
    .usage = usage,
    .about = "Shows the LTX files of a replica (its folder or URL) or a single one: the list of "
             "files, and "
             "for each its header, its pages and whether it verifies. Nothing is changed.",
    .options = options,
    .args_size = sizeof(tui_args),
    .run = run,
};

static const ls_command *const commands[] = {&inspect, NULL};
static const ls_program program = {
    .name = "litestream-tui", .about = "inspects LTX files and replicas", .commands = commands};

int main(int argc, char **argv) {
    (void)setlocale(LC_ALL, "");
    ls_err err = LS_ERR_INIT;
    ls_invocation in;
    tui_args args;
    bool help = false;
    ls_code rc = ls_options_parse(&program, &inspect, argc - 1, argv + 1, &args, &in, &help, &err);
    if (rc == LS_OK && help) {
        ls_help_command(&program, &inspect, stdout);
        return 0;
    }
    if (rc == LS_OK) {
        rc = run(&in, &err);
    }
    if (rc != LS_OK) {
        ls_report(&err, stderr);
    }
    return rc == LS_OK && fflush(stdout) == 0 ? 0 : 1;
}
