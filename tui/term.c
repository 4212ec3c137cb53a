/* ncursesw: showing a canvas, keys and the mouse. Colour only adds to what attributes and text
 * already say. */
#define NCURSES_WIDECHAR 1
#include "tui/term.h"

#include "engine/base/clock.h"
#include "tui/words.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <term.h>
#include <unistd.h>

/* A press, or where press and release came at once, what curses makes of them. */
#define CLICKS (BUTTON1_PRESSED | BUTTON1_CLICKED)
#define DOUBLE_CLICK_NS (400 * 1000000LL)

static bool active;
static theme_id theme = THEME_MONO;
static volatile sig_atomic_t told_to_end;

/* endwin() is not safe in a handler, but the alternative is a terminal without echo. */
static void on_fatal(int signum) {
    term_done();
    (void)signal(signum, SIG_DFL);
    (void)raise(signum);
}

static void on_end(int signum) {
    (void)signum;
    told_to_end = 1;
}

/* A pair for each meaning, its number; 0 is the terminal's own. */
static void init_colours(void) {
    if (!has_colors()) {
        return;
    }
    (void)start_color();
    (void)use_default_colors();
    for (short m = 1; m < MEANINGS; m++) {
        (void)init_pair(m, theme_colour(theme_style_of(theme, (meaning)m), COLORS), -1);
    }
}

void term_theme(theme_id wanted) {
    theme = wanted;
    if (active) {
        init_colours();
    }
}

static void catch_signals(void) {
    static const int fatal[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
    static const int end[] = {SIGTERM, SIGHUP, SIGINT};
    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
        (void)signal(fatal[i], on_fatal);
    }
    struct sigaction act = {.sa_handler = on_end}; /* no SA_RESTART: poll is to return */
    for (size_t i = 0; i < sizeof(end) / sizeof(end[0]); i++) {
        (void)sigaction(end[i], &act, NULL);
    }
}

static ls_code new_screen(ls_err *err) {
    const char *name = getenv("TERM");
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (screen == NULL) {
        (void)ls_fail(err, LS_EUNSUPPORTED, "terminal type %s is not known",
                      name != NULL ? name : "");
        return ls_hint(err, "set TERM to one that infocmp(1) knows, for example xterm");
    }
    active = true;
    if (cursor_address == NULL) {
        term_done();
        (void)ls_fail(err, LS_EUNSUPPORTED, "a terminal of type %s cannot move its cursor",
                      name != NULL ? name : "");
        return ls_hint(err, "one screen as text: litestream-tui -once files PATH");
    }
    return LS_OK;
}

ls_code term_init(ls_err *err) {
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        (void)ls_fail(err, LS_EUNSUPPORTED, "standard input and output are not a terminal");
        return ls_hint(err, "for scripts: litestream-tui -once files PATH");
    }
    ls_code rc = new_screen(err);
    if (rc != LS_OK) {
        return rc;
    }
    catch_signals();
    (void)raw();
    (void)noecho();
    (void)nonl();
    (void)keypad(stdscr, TRUE);
    (void)nodelay(stdscr, TRUE);
    (void)set_escdelay(25);
    (void)curs_set(0);
    (void)mousemask(CLICKS | BUTTON1_DOUBLE_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED, NULL);
    (void)mouseinterval(0);
    init_colours();
    return LS_OK;
}

void term_done(void) {
    if (active) {
        active = false;
        (void)endwin();
    }
}

bool term_is_ascii(void) {
    const char *name = getenv("TERM");
    return strcmp(nl_langinfo(CODESET), "UTF-8") != 0 ||
           (name != NULL && (strncmp(name, "vt", 2) == 0 || strcmp(name, "dumb") == 0));
}

void term_size(int *rows, int *cols) { getmaxyx(stdscr, *rows, *cols); }

/* Grey where there is grey; dim is for terminals that have none. */
static attr_t attributes(meaning how) {
    const theme_style *s = theme_style_of(theme, how);
    bool grey = has_colors() && theme_colour(s, COLORS) >= 0;
    attr_t a = A_NORMAL;
    a |= (s->attrs & STYLE_BOLD) != 0 ? A_BOLD : 0;
    a |= (s->attrs & STYLE_DIM) != 0 && !grey ? A_DIM : 0;
    a |= (s->attrs & STYLE_REVERSE) != 0 ? A_REVERSE : 0;
    a |= (s->attrs & STYLE_UNDERLINE) != 0 ? A_UNDERLINE : 0;
    return a;
}

static short pair_of(meaning how) {
    return has_colors() && theme_colour(theme_style_of(theme, how), COLORS) >= 0 ? (short)how : 0;
}

void term_show(const canvas *c, bool all) {
    if (all) {
        (void)clearok(stdscr, TRUE);
    }
    (void)erase();
    attr_t attrs[MEANINGS];
    short pairs[MEANINGS];
    for (int m = 0; m < MEANINGS; m++) {
        attrs[m] = attributes((meaning)m);
        pairs[m] = pair_of((meaning)m);
    }
    for (int row = 0; row < c->rows; row++) {
        for (int col = 0; col < c->cols; col++) {
            const screen_cell *at = &c->cells[(size_t)row * (size_t)c->cols + (size_t)col];
            if (at->ch == 0) {
                continue;
            }
            wchar_t text[2] = {at->ch, 0};
            cchar_t ch;
            (void)setcchar(&ch, text, attrs[at->how], pairs[at->how], NULL);
            (void)mvadd_wch(row, col, &ch);
        }
    }
    (void)refresh();
}

ls_code term_wait(int wake_fd, int timeout_ms, ls_err *err) {
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = wake_fd, .events = POLLIN}};
    int n = told_to_end ? 0 : poll(fds, 2, timeout_ms);
    if (told_to_end) {
        return ls_fail(err, LS_ECANCELED, "told to end");
    }
    if (n < 0 && errno != EINTR) {
        return ls_fail_errno(err, errno, "wait for a key");
    }
    if (n > 0 && (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
        return ls_fail(err, LS_ECANCELED, "the terminal is gone");
    }
    return LS_OK;
}

static term_input key_of(const char *name) {
    term_input in = {.what = TERM_KEY};
    (void)snprintf(in.key, sizeof(in.key), "%s", name);
    return in;
}

/* Waiting for a second press to tell a click from a double click would hold up the first. */
static bool is_second(const MEVENT *m) {
    static int64_t last_ns;
    static int last_row = -1;
    int64_t now = ls_mono_ns(&ls_clock_system);
    bool second = m->y == last_row && now - last_ns < DOUBLE_CLICK_NS;
    last_ns = now;
    last_row = second ? -1 : m->y;
    return second;
}

static term_input mouse_input(void) {
    MEVENT m;
    if (getmouse(&m) != OK) {
        return key_of("");
    }
    term_input in = {.what = TERM_CLICK, .row = m.y, .col = m.x};
    if ((m.bstate & BUTTON4_PRESSED) != 0 || (m.bstate & BUTTON5_PRESSED) != 0) {
        in.what = TERM_WHEEL;
        in.wheel = (m.bstate & BUTTON4_PRESSED) != 0 ? -1 : 1;
    } else if ((m.bstate & BUTTON1_DOUBLE_CLICKED) != 0 || is_second(&m)) {
        in.what = TERM_DOUBLE;
    }
    return in;
}

static term_input function_key(wint_t key) {
    static const struct {
        wint_t key;
        const char *name;
    } names[] = {{KEY_UP, "up"},       {KEY_DOWN, "down"},   {KEY_LEFT, "left"},
                 {KEY_RIGHT, "right"}, {KEY_SLEFT, "sleft"}, {KEY_SRIGHT, "sright"},
                 {KEY_PPAGE, "pgup"},  {KEY_NPAGE, "pgdn"},  {KEY_HOME, "home"},
                 {KEY_END, "end"},     {KEY_F(1), "F1"},     {KEY_F(5), "F5"},
                 {KEY_ENTER, "enter"}, {KEY_BTAB, "btab"},   {KEY_BACKSPACE, "bs"}};
    if (key == KEY_MOUSE) {
        return mouse_input();
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].key == key) {
            return key_of(names[i].name);
        }
    }
    return key_of("");
}

static term_input character(wint_t ch) {
    static const struct {
        wint_t ch;
        const char *name;
    } names[] = {{'\r', "enter"}, {'\n', "enter"}, {'\t', "tab"}, {' ', "space"},
                 {27, "esc"},     {8, "bs"},       {127, "bs"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (names[i].ch == ch) {
            return key_of(names[i].name);
        }
    }
    char text[16] = "ctrl-a";
    if (ch < 32) {
        text[5] = (char)('a' + ch - 1);
        return key_of(ch > 0 && ch < 27 ? text : "");
    }
    mbstate_t state = {0};
    char bytes[16];
    size_t n = wcrtomb(bytes, (wchar_t)ch, &state);
    if (n == (size_t)-1 || n >= sizeof(bytes)) {
        n = 0;
    }
    bytes[n] = '\0';
    return key_of(bytes);
}

term_input term_input_next(void) {
    wint_t key = 0;
    int rc = get_wch(&key);
    if (rc == ERR) {
        return (term_input){.what = TERM_NOTHING};
    }
    return rc == KEY_CODE_YES ? function_key(key) : character(key);
}

void term_suspend(void) {
    (void)endwin();
    (void)kill(0, SIGTSTP);
    (void)refresh();
}

void term_copy(const char *text) {
    char encoded[2048];
    (void)fprintf(stdout, "\033]52;c;%s\a", base64(text, encoded, sizeof(encoded)));
    (void)fflush(stdout);
}
