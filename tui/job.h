/*
 * Work that would make the screen wait, on a thread of its own. The screen asks whether it is done,
 * shows how far it is, and may give it up at any time: a store that hangs holds up nobody.
 *
 * Who owns what: the job's argument is the job's while it runs, and the screen's again once
 * job_take() handed it back. A job that was given up frees it when its thread ends. So an argument
 * may refer to nothing that the screen frees.
 */
#ifndef LS_TUI_JOB_H
#define LS_TUI_JOB_H

#include "engine/restore/restore.h"

typedef struct job job;

/* Runs on the job's thread; asks job_cancel() between steps. */
typedef ls_code (*job_fn)(job *j, void *arg, ls_err *err);

/* Starts it. drop frees arg, also where starting fails. wake_fd is written a byte to when the job
 * ends, and now and then when its progress changes; it must outlive the job, and does not block. */
LS_MUST ls_code job_start(job **j, job_fn run, void *arg, void (*drop)(void *arg), int wake_fd,
                          ls_err *err);

/* For the job itself. */
const ls_cancel *job_cancel(const job *j);
void job_progress_put(job *j, const ls_restore_progress *p);
void job_wake(job *j); /* the screen is to be drawn again */
void job_lock(job *j); /* around what the screen looks at before the end */
void job_unlock(job *j);

/* For the screen. */
bool job_done(job *j);
void job_progress_get(job *j, ls_restore_progress *p);
void job_ask_to_stop(job *j);

/* Waits for the end, which has come where job_done(); result and argument go to the caller. */
ls_code job_take(job **j, void **arg, ls_err *err);

/* Asks it to stop and forgets it. *j may be NULL. */
void job_give_up(job **j);

/* Asks it to stop and waits until it has, for work that leaves something half-done otherwise. */
void job_stop(job **j);

#endif
