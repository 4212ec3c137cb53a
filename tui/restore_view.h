/* The restore form's state, which its two files share: view_restore.c has the choices, the plan and
 * the jobs, restore_screen.c draws. */
#ifndef LS_TUI_RESTORE_VIEW_H
#define LS_TUI_RESTORE_VIEW_H

#include "tui/restore_job.h"
#include "tui/view.h"

enum { TO, WHICH, INTO, HOW, CHECK, PARALLEL, START, FIELDS };
enum { TO_TXID, TO_TIME, TO_LATEST, TARGETS };

typedef struct restore_view {
    view base;
    snapshot *snap;
    int to;
    ls_txid txid;
    int64_t at_ms;     /* of its data */
    int64_t before_ms; /* the time to restore to: what is older counts */
    char output[PROMPT_MAX];
    restore_how how;
    ls_integrity check;
    int parallel; /* 0: as many as there are processors, up to 8 */
    ls_plan plan;
    ls_err plan_err;
    job *job;                   /* a restore, or the look for room */
    const restore_job *running; /* the restore that is the job; NULL: it is none */
    bool look_wanted;           /* for room, once the view is on the screen */
    bool room_known;
    uint64_t need, free;
    bool exists, folder;
    uint64_t size; /* of what exists */
    ls_err room_err;
    bool stopping, restored;
    char done_path[PROMPT_MAX * 2]; /* of the last restore that ended well, absolute */
    int64_t started_ns, took_ns;
    ls_restore_result result;
    ls_err err; /* of the last restore */
    char label[PROMPT_MAX + 80];
} restore_view;

extern const char *const restore_check_names[];

/* Quoted for the shell. */
void restore_command_line(const restore_view *v, char *buf, size_t size);
void restore_screen_draw(view *base, canvas *c);

#endif
