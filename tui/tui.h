/* The options of litestream-tui as a table, for the program and its manual page. */
#ifndef LS_TUI_TUI_H
#define LS_TUI_TUI_H

#include "cmd/litestream.h"

typedef struct tui_args {
    const char *once, *size, *keys, *socket, *theme;
    bool ascii, readonly, colour, demo;
    int64_t refresh; /* ns; 0: not by itself */
    ls_config_args config;
} tui_args;

extern const ls_command tui_command;
extern const ls_program tui_program;

#endif
