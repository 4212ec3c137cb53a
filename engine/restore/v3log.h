/*
 * A log of a v0.3 replica, put together beside the database and checkpointed into it by SQLite.
 * Used by v3.c.
 */
#ifndef LS_RESTORE_V3LOG_H
#define LS_RESTORE_V3LOG_H

#include "engine/base/file.h"

typedef struct ls_v3_log {
    char *db;  /* owned: path of the database, absolute */
    char *wal; /* owned: with -wal behind it */
    int fd;    /* of the log being put together; -1: none */
} ls_v3_log;

/* For the database at path; removes a log that lies beside it. */
LS_MUST ls_code ls_v3_log_init(ls_v3_log *log, const char *path, ls_err *err);

/* Begins an empty log; append through log->fd. */
LS_MUST ls_code ls_v3_log_begin(ls_v3_log *log, ls_err *err);

/* Checks that the size bytes appended are a log of nothing but whole transactions, copies them into
 * the database and removes the log. LS_ECORRUPT where they are not. */
LS_MUST ls_code ls_v3_log_apply(ls_v3_log *log, uint64_t size, ls_err *err);

/* Removes what is left beside the database; NULL members allowed. */
void ls_v3_log_done(ls_v3_log *log);

#endif
