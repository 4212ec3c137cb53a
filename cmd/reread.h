/*
 * How replicate reads its configuration again, on SIGHUP or when the control socket is asked to.
 */
#ifndef LS_CMD_REREAD_H
#define LS_CMD_REREAD_H

#include "cmd/litestream.h"

typedef struct ls_rereader {
    const ls_config_args *args;
    const ls_config *first; /* what the daemon was started with */
    const ls_log *log;
} ls_rereader;

/* An ls_reread; arg is an ls_rereader. Databases, replicas, levels, snapshots and retention count
 * from then on; other settings that are new get a warning that they need a restart. */
LS_MUST ls_code ls_reread_config(void *arg, ls_config *config, ls_err *err);

#endif
