/*
 * The connections of one SFTP store, shared by its threads.
 *
 * A connection is made when it is first used. A thread takes the one with the fewest users, or a
 * new one while there are fewer than LS_SFTP_CONNECTIONS; what it does with the session it does
 * under the connection's lock, for one call of sftp_wire.h or a few, and never while it waits for
 * anything else. Handles live on their connection: who keeps one keeps the connection. A connection
 * that broke serves nobody any more and goes with its last user.
 */
#ifndef LS_BACKENDS_SFTP_POOL_H
#define LS_BACKENDS_SFTP_POOL_H

#include "backends/sftp_wire.h"

#define LS_SFTP_CONNECTIONS 4

typedef struct ls_sftp_pool ls_sftp_pool;
typedef struct ls_sftp_conn ls_sftp_conn;

typedef ls_code (*ls_sftp_dial_fn)(void *arg, ls_sftp_stream **stream, ls_err *err);

/* dial makes a stream for a new connection; it may be called by several threads at once. NULL
 * without memory. */
LS_MUST ls_sftp_pool *ls_sftp_pool_new(ls_sftp_dial_fn dial, void *arg);
void ls_sftp_pool_free(ls_sftp_pool *pool); /* no connection may be in use; NULL allowed */

/* One job that can be done again from its start: on a connection that is lost before or meanwhile
 * it is done again on another one, LS_SFTP_TRIES times in all, with pauses that are random up to
 * 100 ms, 200 ms, ... *kept (may be NULL) gets the connection of a job that went well, which is the
 * caller's to give back. */
#define LS_SFTP_TRIES 5
typedef ls_code (*ls_sftp_job_fn)(ls_sftp *s, void *arg, ls_err *err);
LS_MUST ls_code ls_sftp_run(ls_sftp_pool *pool, ls_sftp_job_fn job, void *arg, ls_sftp_conn **kept,
                            ls_err *err);
void ls_sftp_give(ls_sftp_pool *pool, ls_sftp_conn *conn); /* NULL allowed */

/* The session of a connection that was kept, for this thread alone until it is unlocked. */
ls_sftp *ls_sftp_lock(ls_sftp_conn *conn);
void ls_sftp_unlock(ls_sftp_conn *conn);

#endif
