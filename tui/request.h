/*
 * Everything that can be asked of the inspector, in one table: key bindings, the line of keys and
 * the help view come from it.
 */
#ifndef LS_TUI_REQUEST_H
#define LS_TUI_REQUEST_H

#include <stddef.h>

/* request, keys as shown, on the line of keys, what it does */
#define REQUESTS(X)                                                                                \
    X(REQ_NONE, "", "", "")                                                                        \
    X(REQ_UP, "up k", "", "select the row above")                                                  \
    X(REQ_DOWN, "down j", "", "select the row below")                                              \
    X(REQ_PAGE_UP, "pgup", "", "one screen up")                                                    \
    X(REQ_PAGE_DOWN, "pgdn space", "", "one screen down")                                          \
    X(REQ_FIRST, "home g", "", "first row")                                                        \
    X(REQ_LAST, "end G", "", "last row")                                                           \
    X(REQ_OPEN, "enter l", "enter open", "open what is selected")                                  \
    X(REQ_REFRESH, "r", "r refresh", "read the listing or the file again")                         \
    X(REQ_HELP, "? F1", "? help", "show all keys")                                                 \
    X(REQ_BACK, "q esc h", "q back", "back out one step; out of the first view: quit")

typedef enum request {
#define X(id, keys, line, help) id,
    REQUESTS(X)
#undef X
        REQ_COUNT
} request;

typedef struct request_info {
    const char *keys, *line, *help;
} request_info;

extern const request_info request_table[REQ_COUNT];

/* The request that a key is bound to: a character, or the name of a special key as in the table
 * ("up", "enter", "F1"). REQ_NONE if there is none. */
request request_of_key(const char *key);

#endif
