/* ncursesw: showing a canvas, and keys. Colour only adds to what attributes already say. */
#define NCURSES_WIDECHAR 1
#include "tui/term.h"

#include <curses.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool active;

/* endwin() is not safe in a handler, but the alternative is a terminal without echo. */
static void on_fatal(int signum) {
    term_done();
    (void)signal(signum, SIG_DFL);
    (void)raise(signum);
}

static void init_colours(void) {
    const char *no = getenv("NO_COLOR");
    if (!has_colors() || (no != NULL && *no != '\0')) {
        return;
    }
    (void)start_color();
    (void)use_default_colors();
    (void)init_pair(1, COLOR_RED, -1);
}

ls_code term_init(ls_err *err) {
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        (void)ls_fail(err, LS_EUNSUPPORTED, "standard input and output are not a terminal");
        return ls_hint(err, "for scripts: litestream-tui -once files PATH");
    }
    SCREEN *screen = newterm(NULL, stdout, stdin);
    if (screen == NULL) {
        const char *name = getenv("TERM");
        (void)ls_fail(err, LS_EUNSUPPORTED, "terminal type %s is not known",
                      name != NULL ? name : "");
        return ls_hint(err, "set TERM to one that infocmp(1) knows, for example xterm");
    }
    active = true;
    static const int fatal[] = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGTERM, SIGHUP};
    for (size_t i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
        (void)signal(fatal[i], on_fatal);
    }
    (void)cbreak();
    (void)noecho();
    (void)keypad(stdscr, TRUE);
    (void)set_escdelay(25);
    (void)curs_set(0);
    init_colours();
    return LS_OK;
}

void term_done(void) {
    if (active) {
        active = false;
        (void)endwin();
    }
}

void term_size(int *rows, int *cols) { getmaxyx(stdscr, *rows, *cols); }

static attr_t attributes(meaning how) {
    switch (how) {
    case TITLE:
    case KEYS:
        return A_BOLD;
    case SELECTED:
        return A_REVERSE;
    case DIM:
        return A_DIM;
    case ALERT:
        return A_BOLD | (has_colors() ? (attr_t)COLOR_PAIR(1) : A_REVERSE);
    default:
        return A_NORMAL;
    }
}

void term_show(const canvas *c) {
    for (int row = 0; row < c->rows; row++) {
        for (int col = 0; col < c->cols; col++) {
            const cell *at = &c->cells[(size_t)row * (size_t)c->cols + (size_t)col];
            if (at->ch == 0) {
                continue;
            }
            wchar_t text[2] = {at->ch, 0};
            cchar_t ch;
            attr_t how = attributes(at->how);
            (void)setcchar(&ch, text, how & ~(attr_t)A_COLOR, (short)PAIR_NUMBER(how), NULL);
            (void)mvadd_wch(row, col, &ch);
        }
    }
    (void)refresh();
}

const char *term_key(void) {
    static char text[2];
    int key = getch();
    switch (key) {
    case KEY_UP:
        return "up";
    case KEY_DOWN:
        return "down";
    case KEY_PPAGE:
        return "pgup";
    case KEY_NPAGE:
        return "pgdn";
    case KEY_HOME:
        return "home";
    case KEY_END:
        return "end";
    case KEY_F(1):
        return "F1";
    case KEY_ENTER:
    case '\n':
    case '\r':
        return "enter";
    case ' ':
        return "space";
    case 27:
        return "esc";
    default:
        text[0] = key > 32 && key < 127 ? (char)key : '\0';
        return text;
    }
}
