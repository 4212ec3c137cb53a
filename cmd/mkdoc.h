/*
 * Manual pages and shell completion from the tables of commands and configuration keys. Runs at
 * build time only.
 */
#ifndef LS_CMD_MKDOC_H
#define LS_CMD_MKDOC_H

#include "cmd/options.h"

#include <stdio.h>

/* Start of a manual page: title, name, one line. */
void ls_mdoc_begin(const char *title, const char *section, const char *name, const char *about);

/* Running text, with sentences on lines of their own as mdoc(7) wants it; an empty line in text
 * starts a paragraph. */
void ls_mdoc_text(const char *text);

/* ".Ar value" and the like; words that mdoc would take for macros are escaped. */
void ls_mdoc_macro(const char *macro, const char *arg);

/* An option as an item of a list. */
void ls_mdoc_option(const ls_option *o);

/* A literal example, line by line. */
void ls_mdoc_example(const char *const *lines);

void ls_man_program(const ls_program *program); /* NAME(1) */
void ls_man_tui(void);                          /* litestream-tui(1) */
void ls_man_config(void);                       /* litestream.yml(5) */

void ls_complete_bash(const ls_program *program);
void ls_complete_zsh(const ls_program *program);
void ls_complete_fish(const ls_program *program);

#endif
