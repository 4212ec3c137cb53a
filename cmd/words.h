/*
 * A command line given as one text, split into words the way a shell does it, without a shell:
 * nothing in it is expanded or run.
 */
#ifndef LS_CMD_WORDS_H
#define LS_CMD_WORDS_H

#include "engine/base/error.h"

#define LS_WORDS_MAX 1024 /* words of one command line */

/* Blanks, tabs and line ends separate words; '...' holds anything, "..." anything but that a
 * backslash makes the next character an ordinary one, as it does outside of quotes. *words ends
 * with NULL and has at least one; one free() for all of it. LS_EINVALID for unbalanced quotes, for
 * no word at all, and for what only a shell can do: ; & | < > ( ) ` outside of quotes. */
LS_MUST ls_code ls_words_split(const char *text, char ***words, ls_err *err);

#endif
