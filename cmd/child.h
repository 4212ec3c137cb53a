/*
 * The child of replicate -exec: started without a shell, told of signals, waited for.
 *
 * It finds signal mask, ignored signals and the limit of open files as litestream found them, its
 * standard output and standard error are litestream's, its standard input is /dev/null, and no
 * other descriptor is open in it.
 */
#ifndef LS_CMD_CHILD_H
#define LS_CMD_CHILD_H

#include "engine/base/log.h"

typedef struct ls_child ls_child;

/* Notes what a child is to find. Before anything of it is changed. */
void ls_child_remember(void);

/* Splits the command line (words.h) and finds its program; nothing is started. log may be NULL and
 * outlives the child. */
LS_MUST ls_code ls_child_new(const char *command, const ls_log *log, ls_child **child, ls_err *err);

/* Starts it. ended(arg) is called in another thread once it has ended. At most once. */
LS_MUST ls_code ls_child_start(ls_child *child, void (*ended)(void *arg), void *arg, ls_err *err);

/* Sends it a signal, itself only; false: it has not been started, has ended, or may not be sent
 * any. From any thread, also while it is being started. */
bool ls_child_signal(ls_child *child, int signum);

/* How it ended: LS_OK if it was not started, exited with 0, or died of a signal that it was sent
 * here. Else the text says how, and *status is what a shell would tell: its exit status, or 128 and
 * the signal. */
LS_MUST ls_code ls_child_result(ls_child *child, int *status, ls_err *err);

/* Was it started? false for NULL. */
bool ls_child_started(ls_child *child);

/* One that still runs is left alone. NULL allowed. */
void ls_child_free(ls_child *child);

#endif
