/*
 * litestream reset: what its two forms share. Without -remote local state goes (cmd_reset.c), with
 * it a replica (reset_remote.c).
 */
#ifndef LS_CMD_RESET_H
#define LS_CMD_RESET_H

#include "cmd/litestream.h"

typedef struct ls_reset_args {
    ls_config_args config;
    bool dry_run;
    bool remote;
    /* with -remote only */
    bool yes;
    bool json;
    const char *socket;
} ls_reset_args;

/* in->args is an ls_reset_args with remote set. */
LS_MUST ls_code ls_reset_remote(const ls_invocation *in, ls_err *err);

#endif
