/*
 * What the restore form runs in the background: finding out what a restore needs and what there is
 * room for, and the restore itself, once or followed.
 */
#ifndef LS_TUI_RESTORE_JOB_H
#define LS_TUI_RESTORE_JOB_H

#include "tui/job.h"
#include "tui/source.h"

/* What becomes of a file that is there. */
typedef enum restore_how {
    HOW_NEW,     /* it is an error */
    HOW_REPLACE, /* it is replaced, as by -force */
    HOW_FOLLOW   /* it is kept up with its replica, as by -f */
} restore_how;

typedef struct restore_want {
    ls_txid txid;         /* 0: not by TXID */
    int64_t timestamp_ms; /* LS_NO_TIMESTAMP: not by time */
    ls_integrity check;
    int parallel; /* 0: by the processors */
    restore_how how;
    bool until_level; /* following ends once nothing is new: for screens that are made at once */
} restore_want;

typedef struct restore_job {
    source source; /* owned */
    char *output;  /* owned */
    restore_want want;
    job *job;
    ls_restore_result result;
    int64_t took_ns;
    /* Under job_lock(): */
    bool following;
    ls_txid txid;      /* that the followed database has */
    unsigned looks;    /* at the replica */
    ls_err look_error; /* of the last look */
} restore_job;

/* Takes over the source, in any case, and copies what is asked for; NULL: see err. */
LS_MUST restore_job *restore_job_new(source *s, const char *output, const restore_want *want,
                                     ls_err *err);
ls_code restore_job_run(job *j, void *arg, ls_err *err);
void restore_job_drop(void *arg);

/* What a restore to the end of a file needs, and what is where it goes. */
typedef struct restore_room {
    source source;  /* owned */
    snapshot *snap; /* a reference */
    size_t file;
    char *output;        /* owned */
    uint64_t need, free; /* bytes: of the database; where it goes */
    bool exists, folder; /* there is something; which is a folder */
    uint64_t size;       /* of the file that exists */
} restore_room;

/* The same. */
LS_MUST restore_room *restore_room_new(source *s, snapshot *snap, size_t file, const char *output,
                                       ls_err *err);
ls_code restore_room_run(job *j, void *arg, ls_err *err);
void restore_room_drop(void *arg);

#endif
