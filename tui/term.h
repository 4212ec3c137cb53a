/* The one file that knows the terminal: ncurses, colours by meaning, keys by name, the mouse. */
#ifndef LS_TUI_TERM_H
#define LS_TUI_TERM_H

#include "tui/theme.h"

/* Takes the terminal; it is given back by term_done() and on a fatal signal. LS_EUNSUPPORTED where
 * there is none, or none with a cursor that moves. */
LS_MUST ls_code term_init(ls_err *err);
void term_done(void);

/* Can it show more than ASCII? By the locale, and what is known of the terminal. */
bool term_is_ascii(void);

/* Colours and attributes from now on. */
void term_theme(theme_id theme);

void term_size(int *rows, int *cols);
void term_show(const canvas *c, bool all); /* all: not only what changed */

typedef enum term_event { TERM_NOTHING, TERM_KEY, TERM_CLICK, TERM_DOUBLE, TERM_WHEEL } term_event;

typedef struct term_input {
    term_event what;
    char key[16]; /* as the request table has it, or a character as UTF-8 */
    int row, col; /* of a click */
    int wheel;    /* -1 up, 1 down */
} term_input;

/* Waits for input, a byte on wake_fd, a new size, or until timeout_ms (-1: for ever) have passed.
 * Then term_input() gives what came, until it gives TERM_NOTHING. LS_ECANCELED: the program was
 * told to end (SIGTERM, SIGHUP, SIGINT) or the terminal is gone. */
LS_MUST ls_code term_wait(int wake_fd, int timeout_ms, ls_err *err);
term_input term_input_next(void);

/* Gives the terminal back, stops the program as ctrl-z does, takes it again when it goes on. */
void term_suspend(void);

/* To the clipboard, by OSC 52. */
void term_copy(const char *text);

#endif
