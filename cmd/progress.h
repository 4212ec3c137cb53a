/*
 * Progress of a restore on standard error: a line that is drawn again and again on a terminal,
 * objects, one a line, where JSON is asked for, and nothing elsewhere.
 *
 * A thread of its own draws, so that a store that gives nothing for a while is seen to.
 */
#ifndef LS_CMD_PROGRESS_H
#define LS_CMD_PROGRESS_H

#include "engine/restore/restore.h"

typedef struct ls_progress ls_progress;

/* *p is NULL where nothing is to be shown. */
LS_MUST ls_code ls_progress_start(bool json, ls_progress **p, ls_err *err);

/* Sets the callbacks of opts; p may be NULL. */
void ls_progress_of(ls_progress *p, ls_restore_opts *opts);

/* Removes the line; with JSON a last object says how far it came, if there was one before. NULL
 * allowed. To be called before
 * anything else is written to standard error. */
void ls_progress_end(ls_progress *p);

/* "12 of 40 files, 5.2 MB of 10 MB (52%), 1300 pages, 2.6 MB/s, 2s left" into buf; elapsed_ns:
 * since the begin. Returns buf. */
char *ls_progress_text(const ls_restore_progress *p, int64_t elapsed_ns, char *buf, size_t size);

#endif
