/*
 * What can be asked of a running daemon, as a table: the request that does it, whether it is asked
 * back first, the command line that does the same, and the call. What an action does is the
 * daemon's and the library's affair.
 */
#ifndef LS_TUI_ACTION_H
#define LS_TUI_ACTION_H

#include "tui/request.h"
#include "tui/source.h"

typedef enum action_kind {
    ACT_SYNC,
    ACT_SYNC_WAIT,
    ACT_SNAPSHOT,
    ACT_VERIFY,
    ACT_VERIFY_FULL,
    ACT_RESTORE,
    ACT_START,
    ACT_STOP,
    ACT_REGISTER,
    ACT_UNREGISTER,
    ACT_RESET,
    ACT_CANCEL, /* of a job */
    ACTIONS
} action_kind;

/* How sure one must be. */
typedef enum action_ask {
    ASK_NOTHING, /* it is done at once */
    ASK_YES,     /* a dialog that stands on Cancel */
    ASK_NAME     /* and the database's name must be typed */
} action_ask;

typedef struct action_info {
    const char *title;   /* "Reset local state" */
    const char *running; /* "resetting" */
    const char *about;   /* exactly what it does; "" for what is done at once */
    int64_t timeout_ns;  /* of the call */
    request request;
    action_ask ask;
} action_info;

extern const action_info action_table[ACTIONS];

/* ACTIONS if the request is none. */
action_kind action_of_request(request r);

/* One action: what it is for. Texts are owned and may be NULL where the kind has no use for them.
 */
typedef struct action {
    action_kind kind;
    char *socket; /* of the daemon */
    char *path;   /* of the database */
    char *url;    /* of its replica */
    char *meta;   /* its meta directory, for a reset */
    char *output; /* of a restore */
    char *target; /* of a restore: a TXID, a time, "" for the newest */
    ls_integrity check;
    bool force;        /* an existing output is replaced */
    bool runs;         /* the database is not stopped */
    uint64_t job;      /* to cancel; then, of what became a job, its number */
    char outcome[240]; /* in words, when it is done */
} action;

void action_done(action *a);
/* A copy with texts of its own. False without memory, and then it is empty. */
bool action_copy(action *to, const action *from);

/* The command line that does the same. Returns buf, in which it is cut. */
char *action_command(const action *a, char *buf, size_t size);

/* Does it, and blocks until the daemon has answered; outcome and job are set. */
LS_MUST ls_code action_run(action *a, ls_err *err);

/* The last part of a path: what must be typed. */
const char *action_name(const action *a);

/* Can a target be understood? txid or ms is set, else neither (the newest). */
LS_MUST ls_code action_target(const char *text, ls_txid *txid, int64_t *ms, ls_err *err);

#endif
