/*
 * What replicate serves beside its work: the control socket, the metrics and the heartbeat that a
 * configuration asks for. None of it keeps replication from going on: what cannot be served is
 * logged.
 */
#ifndef LS_CMD_SERVE_H
#define LS_CMD_SERVE_H

#include "cmd/litestream.h"

typedef struct ls_serve {
    ls_control *socket, *metrics; /* NULL: not served */
    ls_heartbeat *heartbeat;
} ls_serve;

/* store, config and log outlive ls_serve_stop. */
void ls_serve_start(ls_serve *serve, ls_store *store, const ls_config *config, const ls_log *log);
void ls_serve_stop(ls_serve *serve);

#endif
