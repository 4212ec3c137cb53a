/* The one file that knows the terminal: ncurses, colours by meaning, keys by name. */
#ifndef LS_TUI_TERM_H
#define LS_TUI_TERM_H

#include "tui/canvas.h"

/* Takes the terminal; it is given back at exit and on a fatal signal. LS_EUNSUPPORTED where there
 * is none. */
LS_MUST ls_code term_init(ls_err *err);
void term_done(void);

void term_size(int *rows, int *cols);
void term_show(const canvas *c);

/* Waits for a key: its name as the request table has it, "" for a resize or an unknown key. */
const char *term_key(void);

#endif
