/*
 * What the commands that talk to a running daemon share: where its socket is, one call, and the
 * forms in which they print what came of it.
 */
#ifndef LS_CMD_DAEMON_H
#define LS_CMD_DAEMON_H

#include "cmd/litestream.h"

#include <jansson.h>

typedef struct ls_daemon_args {
    const char *socket;
    int64_t timeout; /* seconds */
    bool json;
} ls_daemon_args;

/* Their rows in a table; member is the ls_daemon_args in the argument struct. */
#define LS_DAEMON_OPTIONS(type_, member, timeout_, json_)                                          \
    {.name = "socket",                                                                             \
     .type = LS_OPT_STRING,                                                                        \
     .field = offsetof(type_, member.socket),                                                      \
     .arg = "PATH",                                                                                \
     .def = LS_SOCKET_DEFAULT_PATH,                                                                \
     .help = "Control socket of the daemon. The configuration is not read."},                      \
        {.name = "timeout",                                                                        \
         .type = LS_OPT_INT,                                                                       \
         .field = offsetof(type_, member.timeout),                                                 \
         .arg = "SECONDS",                                                                         \
         .def = timeout_,                                                                          \
         .help = "How long the daemon may take to answer."},                                       \
    {                                                                                              \
        .name = "json", .type = LS_OPT_BOOL, .field = offsetof(type_, member.json), .help = json_  \
    }

/* Checks "DB_PATH required" and "too many arguments"; n is 0 or 1. */
LS_MUST ls_code ls_daemon_positionals(const ls_invocation *in, int n, ls_err *err);
LS_MUST ls_code ls_daemon_timeout(const ls_daemon_args *args, ls_err *err);

/* The body of a request: {"path": DB_PATH made absolute, "timeout": ...}. with_timeout: the daemon
 * is told too. */
LS_MUST ls_code ls_daemon_body(const ls_invocation *in, const ls_daemon_args *args,
                               bool with_timeout, json_t **body, ls_err *err);

/* One call; takes body over, which may be NULL. What the daemon refuses is "<command> failed: ...".
 * *answer is a new reference. */
LS_MUST ls_code ls_daemon_call(const ls_invocation *in, const ls_daemon_args *args,
                               const char *method, const char *path, json_t *body, json_t **answer,
                               ls_err *err);

/* A member of an answer: text, "" where it is none; number, 0 where it is none. */
const char *ls_daemon_text(const json_t *answer, const char *key);
int64_t ls_daemon_number(const json_t *answer, const char *key);

/* One row of a result: a text, or where that is NULL a number. */
typedef struct ls_result_row {
    const char *key, *text;
    int64_t number;
    const char *shown; /* text for people, where it differs; NULL: the same */
} ls_result_row;

/* "key: value" lines, or a JSON object. */
void ls_daemon_print(bool json, const ls_result_row *rows, size_t n);

#endif
