/* Inside engine/check: one run, and the functions of the table of checks. */
#ifndef LS_CHECK_INTERNAL_H
#define LS_CHECK_INTERNAL_H

#include "engine/check/check.h"

#include <jansson.h>

/* One run. The later checks of a database use what the earlier ones found. */
typedef struct ls_check {
    const ls_check_opts *opts;
    json_t *daemon; /* its answer about databases; NULL: none answers */

    const ls_db_config *db;
    char *meta;          /* path of its local state */
    int64_t db_size;     /* -1: not known */
    ls_txid local;       /* newest local TXID */
    ls_storage *storage; /* NULL: cannot be opened or read */
    ls_txid remote;      /* newest TXID of the replica */
    ls_ltx_info newest;  /* its newest file of level 0; size 0: none */
    bool probed;         /* the probe was written, and */
    int64_t skew_ms;     /* so far ahead is the clock of a folder's file system; 0: or not known */
} ls_check;

/* The databases of a configuration, those that were found in its folders behind the others. One
 * without a path is such a folder. */
size_t ls_check_dbs(const ls_config *config);
const ls_db_config *ls_check_db(const ls_config *config, size_t i);

/* Sets what was found; each is given the check's own finding. */
void ls_check_say(ls_check_finding *f, ls_check_status status, const char *fmt, ...)
    LS_PRINTF(3, 4);
void ls_check_hint(ls_check_finding *f, const char *fmt, ...) LS_PRINTF(2, 3);
void ls_check_say_err(ls_check_finding *f, ls_check_status status, const ls_err *err);

/* The path itself, or the nearest folder above it that is there. malloc'd; NULL: no memory. */
char *ls_check_nearest(const char *path);

/* local.c: this machine */
void ls_check_sqlite(ls_check *c, ls_check_finding *f);
void ls_check_daemon(ls_check *c, ls_check_finding *f);
void ls_check_database(ls_check *c, ls_check_finding *f);
void ls_check_meta(ls_check *c, ls_check_finding *f);
void ls_check_space(ls_check *c, ls_check_finding *f);

/* twice.c: the configuration */
void ls_check_twice(ls_check *c, ls_check_finding *f);

/* remote.c: the replica */
void ls_check_replica(ls_check *c, ls_check_finding *f);
void ls_check_writer(ls_check *c, ls_check_finding *f);
void ls_check_write(ls_check *c, ls_check_finding *f);
void ls_check_clock(ls_check *c, ls_check_finding *f);

#endif
