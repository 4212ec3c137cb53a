/*
 * The preconditions of replication, looked at one after the other (`litestream check`).
 *
 * Nothing of a database, of its local state or of a replica is changed. The one thing that is
 * written is a probe: an object of its own in a folder of its own below each replica's path
 * (LS_CHECK_FOLDER), which no listing of a replica looks into, written, read back, listed and
 * removed again. What a kill leaves of it stands in nobody's way.
 *
 * A database is opened and closed as a file: not in a process that has it open by SQLite, whose
 * locks would be lost.
 */
#ifndef LS_CHECK_CHECK_H
#define LS_CHECK_CHECK_H

#include "engine/config/config.h"

#define LS_CHECK_FOLDER "litestream-check"

typedef enum ls_check_status {
    LS_CHECK_OK,
    LS_CHECK_WARN, /* replication works, but this should be known */
    LS_CHECK_FAIL, /* it does not work, or is in danger */
    LS_CHECK_SKIP, /* not looked at; the text says why */
} ls_check_status;

const char *ls_check_status_name(ls_check_status status); /* "ok", "warn", "fail", "skip" */

/* What one check found. */
typedef struct ls_check_finding {
    const char *check; /* its name; static */
    const char *db;    /* path of the database; NULL: of all */
    ls_check_status status;
    char text[LS_ERR_MSG_MAX];
    char hint[LS_ERR_HINT_MAX]; /* "": none */
} ls_check_finding;

typedef struct ls_check_opts {
    const ls_config *config;
    const ls_db_config *only; /* of its databases, or of those found; NULL: all */
    bool no_write;            /* the probe is left out */
    void (*found)(void *arg, const ls_check_finding *finding); /* gets each as it is made */
    void *arg;
} ls_check_opts;

/* Does every check, those of all databases first, then for each database in the order of the
 * configuration, then for those that were found in its folders (ls_config_found). Returns how many
 * failed. */
size_t ls_check_run(const ls_check_opts *opts);

/* Name of the check number i in the order of their doing, NULL behind the last one. */
const char *ls_check_name(size_t i);

#endif
