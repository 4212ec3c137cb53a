/* litestream-tui: options, then either one screen as text or the loop of key, request, draw. */
#include "tui/demo.h"
#include "tui/term.h"
#include "tui/tui.h"
#include "tui/view.h"

#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- one screen ---- */

/* Until no job runs any more. */
static void settle(app *a) {
    app_poll(a);
    while (app_busy(a)) {
        struct pollfd fd = {.fd = a->wake[0], .events = POLLIN};
        (void)poll(&fd, 1, -1);
        app_poll(a);
    }
}

/* The tab that a view is reached from; TABS: there is no such view. */
static int tab_of(const app *a, view_id id) {
    if (id < TABS) {
        return (int)id;
    }
    if (id == VIEW_HELP) {
        return a->tab;
    }
    return id == VIEW_RESTORE ? VIEW_TIMELINE : id < VIEW_ACTION ? VIEW_FILES : TABS;
}

static ls_code open_view(app *a, const char *name, ls_err *err) {
    view_id id = view_of_name(name);
    int tab = tab_of(a, id);
    if (tab == TABS) {
        (void)ls_fail(err, LS_EINVALID, "no view %s", name);
        return ls_hint(err, "databases, activity, levels, timeline, files, points, verify, pages, "
                            "page, restore, help");
    }
    ls_err before = a->err; /* of the start; the screen tells it */
    ls_err_clear(&a->err);
    app_open_tab(a, tab);
    settle(a);
    if (id == VIEW_HELP) {
        view_help_open(a);
    } else if (id == VIEW_RESTORE && a->err.code == LS_OK) {
        app_key(a, "enter");
    }
    if (a->err.code != LS_OK) {
        *err = a->err;
        return err->code;
    }
    a->err = before;
    return LS_OK;
}

/* Lists learn their height by drawing: each key meets a drawn screen, as at a terminal. */
static ls_code press(app *a, canvas *c, int rows, int cols, const char *key, ls_err *err) {
    app_key(a, key);
    if (a->quit) {
        return LS_OK;
    }
    settle(a);
    return app_draw(a, c, rows, cols, err);
}

/* A word that is no key's name, and what stands behind ', is typed character by character. */
static ls_code press_word(app *a, canvas *c, int rows, int cols, const char *word, ls_err *err) {
    if (*word != '\'' && (request_key_known(word) || strlen(word) == 1)) {
        return press(a, c, rows, cols, word, err);
    }
    ls_code rc = LS_OK;
    word += *word == '\'' ? 1 : 0;
    while (rc == LS_OK && *word != '\0' && !a->quit) {
        char ch[8] = "";
        size_t n = 1;
        while ((word[n] & 0xc0) == 0x80 && n < sizeof(ch) - 1) {
            n++;
        }
        memcpy(ch, word, n);
        word += n;
        rc = press(a, c, rows, cols, ch, err);
    }
    return rc;
}

static ls_code press_all(app *a, canvas *c, int rows, int cols, const char *keys, ls_err *err) {
    ls_code rc = app_draw(a, c, rows, cols, err);
    while (rc == LS_OK && *keys != '\0' && !a->quit) {
        char word[256];
        size_t len = strcspn(keys, " ");
        (void)snprintf(word, sizeof(word), "%.*s", (int)len, keys);
        rc = press_word(a, c, rows, cols, word, err);
        keys += len;
        keys += strspn(keys, " ");
    }
    return rc;
}

static ls_code dive(app *a, canvas *c, int rows, int cols, const char *once, ls_err *err) {
    view_id id = view_of_name(once);
    ls_code rc = app_draw(a, c, rows, cols, err);
    if (rc == LS_OK && (id == VIEW_PAGES || id == VIEW_PAGE)) {
        rc = press(a, c, rows, cols, "enter", err);
    }
    if (rc == LS_OK && id == VIEW_PAGE) {
        rc = press(a, c, rows, cols, "enter", err);
    }
    return rc;
}

static ls_code print_once(app *a, const tui_args *args, ls_err *err) {
    int cols, rows;
    char end;
    if (sscanf(args->size, "%dx%d%c", &cols, &rows, &end) != 2 || cols < 1 || rows < 1) {
        return ls_fail(err, LS_EINVALID, "invalid size %s, must be COLSxROWS", args->size);
    }
    canvas c = {.ascii = args->ascii};
    a->fixed_clock = true;
    settle(a);
    ls_code rc = open_view(a, args->once, err);
    settle(a);
    if (rc == LS_OK) {
        rc = dive(a, &c, rows, cols, args->once, err);
    }
    if (rc == LS_OK) {
        rc = press_all(a, &c, rows, cols, args->keys != NULL ? args->keys : "", err);
    }
    if (rc == LS_OK && !a->quit && args->colour) {
        theme_print(&c, a->theme, stdout);
    } else if (rc == LS_OK && !a->quit) {
        canvas_print(&c, stdout);
    }
    canvas_done(&c);
    return rc;
}

/* ---- what is kept ---- */

/* What was used last is taken up; that the file is damaged is said on the first screen. */
static void take_state(app *a) {
    char *path = state_path();
    if (path != NULL) {
        (void)!state_read(path, &a->state, &a->err);
    }
    free(path);
}

/* By the rank of who says so: option, NO_COLOR, last time, terminal. */
static ls_code take_theme(app *a, const tui_args *args, ls_err *err) {
    a->theme = theme_of_environment();
    if (a->theme != THEME_MONO && a->state.theme < THEME_COUNT) {
        a->theme = a->state.theme;
    }
    if (args->theme == NULL) {
        return LS_OK;
    }
    a->theme = theme_of_name(args->theme);
    if (a->theme < THEME_COUNT) {
        return LS_OK;
    }
    (void)ls_fail(err, LS_EINVALID, "no theme %s", args->theme);
    return ls_hint(err, "dark, light or mono");
}

/* Not being able to is told, and no reason to fail. */
static void keep_state(app *a, const tui_args *args) {
    ls_err err = LS_ERR_INIT;
    char *path = a->readonly || args->demo ? NULL : state_path();
    a->state.view = a->tab < TABS ? (view_id)a->tab : VIEW_COUNT;
    if (path != NULL && state_write(path, &a->state, &err) != LS_OK) {
        ls_report(&err, stderr);
    }
    free(path);
}

static void open_last_tab(app *a) {
    ls_err before = a->err;
    bool fits = a->feed != NULL ? a->state.view >= REPLICA_TABS : a->replica;
    if (fits && a->state.view < TABS) {
        app_open_tab(a, (int)a->state.view);
    }
    a->err = before;
}

/* ---- the terminal ---- */

static void take_input(app *a) {
    while (!a->quit && !a->suspend) {
        term_input in = term_input_next();
        if (in.what == TERM_NOTHING) {
            break;
        }
        if (in.what == TERM_KEY) {
            app_key(a, in.key);
        } else if (in.what == TERM_WHEEL) {
            app_wheel(a, in.wheel);
        } else {
            app_click(a, in.row, in.col, in.what == TERM_DOUBLE);
        }
    }
}

static ls_code turn(app *a, canvas *c, ls_err *err) {
    int rows, cols;
    term_size(&rows, &cols);
    ls_code rc = app_draw(a, c, rows, cols, err);
    if (rc != LS_OK) {
        return rc;
    }
    term_show(c, a->redraw);
    a->redraw = false;
    rc = term_wait(a->wake[0], app_timeout(a), err);
    if (rc == LS_OK) {
        take_input(a);
        app_poll(a);
        app_refresh_old(a);
    }
    if (a->suspend) {
        a->suspend = false;
        a->redraw = true;
        term_suspend();
    }
    return rc;
}

static ls_code loop(app *a, const tui_args *args, ls_err *err) {
    canvas c = {.ascii = args->ascii || term_is_ascii()};
    term_theme(a->theme);
    ls_code rc = term_init(err);
    a->copy = term_copy;
    a->set_theme = term_theme;
    open_last_tab(a);
    while (rc == LS_OK && !a->quit) {
        rc = turn(a, &c, err);
    }
    term_done();
    canvas_done(&c);
    if (a->quit || rc == LS_ECANCELED) {
        keep_state(a, args);
    }
    if (rc == LS_ECANCELED) {
        ls_err_clear(err);
        return LS_OK;
    }
    return rc;
}

/* ---- what it is pointed at ---- */

/* Never freed: a thread that hangs may look at it until the end. */
static ls_config config;

static bool is_socket(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* The configuration that was named must be there; the default one need not. *any: it was read. */
static ls_code load_config(const tui_args *args, bool *any, ls_err *err) {
    ls_code rc = ls_load_config(&args->config, &config, err);
    *any = rc == LS_OK;
    if (rc == LS_ENOTFOUND && args->config.config == NULL) {
        ls_err_clear(err);
        return LS_OK;
    }
    return rc;
}

/* The socket: as named, else the configuration's; where no configuration was named, else the
 * default one. NULL: none. */
static const char *socket_of(const tui_args *args, bool any) {
    if (args->socket != NULL) {
        return args->socket;
    }
    if (any && config.socket_enabled) {
        return config.socket_path != NULL ? config.socket_path : LS_SOCKET_DEFAULT_PATH;
    }
    return args->config.config == NULL ? LS_SOCKET_DEFAULT_PATH : NULL;
}

/* A default configuration that cannot be read is told on the screen, as the daemon can be shown
 * without. */
static ls_code choose_places(const tui_args *args, feed_places *places, ls_err *unread,
                             ls_err *err) {
    bool any = false;
    ls_code rc = load_config(args, &any, unread);
    if (rc != LS_OK && args->config.config != NULL) {
        *err = *unread;
        return rc;
    }
    *places = (feed_places){.socket = socket_of(args, any), .config = any ? &config : NULL};
    if (args->socket == NULL && !any && !is_socket(places->socket)) {
        (void)ls_fail(err, LS_ENOTFOUND,
                      "there is neither a daemon's socket %s nor a configuration %s",
                      places->socket, ls_default_config());
        return ls_hint(err, "name a socket (-socket), a configuration (-config), or a replica: "
                            "litestream-tui /backups/db");
    }
    return LS_OK;
}

static ls_code init_fleet(app *a, const tui_args *args, ls_err *err) {
    ls_err unread = LS_ERR_INIT;
    feed_places places;
    ls_code rc = choose_places(args, &places, &unread, err);
    if (rc == LS_OK) {
        rc = app_init_fleet(a, &places, err);
    }
    a->err = unread.code != LS_OK ? unread : a->err;
    return rc;
}

/* Of a configuration beside a path, the rules of its levels are shown. */
static ls_code init_place(app *a, const tui_args *args, const char *place, ls_err *err) {
    bool any = false;
    ls_code rc = args->config.config != NULL ? load_config(args, &any, err) : LS_OK;
    a->config = any ? &config : NULL;
    return rc == LS_OK ? app_init(a, place, err) : rc;
}

/* A place, or what a daemon or a configuration has (NULL), on a screen. */
static ls_code show(const tui_args *args, const char *place, ls_err *err) {
    app a = {.readonly = args->readonly, .refresh_ms = args->refresh / LS_MS, .state = state_new()};
    if (args->once == NULL && !args->demo) {
        take_state(&a);
    }
    ls_code rc = take_theme(&a, args, err);
    if (rc == LS_OK) {
        rc = place != NULL ? init_place(&a, args, place, err) : init_fleet(&a, args, err);
    }
    if (rc == LS_OK) {
        rc = args->once != NULL ? print_once(&a, args, err) : loop(&a, args, err);
    }
    app_done(&a);
    return rc;
}

#define DEMO_REFRESH (2 * LS_SEC)

static ls_code show_demo(const tui_args *args, ls_err *err) {
    tui_args live = *args;
    demo *d = NULL;
    live.refresh = args->refresh > 0 ? args->refresh : DEMO_REFRESH;
    ls_code rc = demo_start(&d, err);
    if (rc == LS_OK) {
        rc = show(&live, demo_replica(d), err);
    }
    demo_stop(d);
    return rc;
}

static ls_code run(const ls_invocation *in, ls_err *err) {
    const tui_args *args = in->args;
    ls_code rc = ls_positionals_max(in, args->demo ? 0 : 1, err);
    if (rc == LS_OK && args->demo) {
        return show_demo(args, err);
    }
    if (rc == LS_OK && in->n_pos > 0 && args->socket != NULL) {
        (void)ls_fail(err, LS_EINVALID, "a path is looked at without a daemon");
        rc = ls_hint(err, "leave out the path, or -socket");
    }
    return rc == LS_OK ? show(args, in->n_pos > 0 ? in->pos[0] : NULL, err) : rc;
}

int main(int argc, char **argv) {
    (void)setlocale(LC_ALL, "");
    ls_err err = LS_ERR_INIT;
    ls_invocation in;
    tui_args args;
    bool help = false;
    ls_code rc =
        ls_options_parse(&tui_program, &tui_command, argc - 1, argv + 1, &args, &in, &help, &err);
    if (rc == LS_OK && help) {
        ls_help_command(&tui_program, &tui_command, stdout);
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
