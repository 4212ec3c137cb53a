/*
 * Days or months of databases in seconds: commits in bursts and idle days, uploads, compaction,
 * snapshots and retention on their schedules, at a store that fails, is slow, lies and goes away
 * for hours, with restarts, and jobs that die at any request.
 *
 * What reads or writes the store is the program's own; the database is modelled (sim_month.c) or
 * real (sim_days.c). Each simulated hour what the store holds is compared with what was there
 * before: what is promised can be reached, and only what may go is gone. At hours that are drawn,
 * and at the end, restores are made and compared. A job may fail only in a run in which the store
 * did.
 *
 * SIM_SEED (1) and SIM_DAYS come from the environment; make soak runs more.
 */
#ifndef LS_T_SIM_H
#define LS_T_SIM_H

#include "backends/storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SECOND 1000LL
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define SIM_T0 1767225600000LL /* 2026-01-01, a Thursday */

/* What a database is like. */
typedef struct sim_profile {
    const char *name;
    uint64_t days; /* that are lived through, and half a day of rest */
    int64_t snapshot_ms, snapshot_retention_ms, l0_retention_ms;
    unsigned bursts;   /* begin in so many of 1000 ticks of a working day */
    unsigned idle;     /* days in ten without a commit */
    unsigned restarts; /* in 2000 ticks */
    bool copies;       /* the store copies files itself */
    bool local;        /* level-0 files are beside the database, too */
    int vacuum_day;    /* the page size changes then; 0: never */
} sim_profile;

typedef struct sim_db sim_db;

/* Where nothing else is said a failure is the test's. s is the store as jobs see it, which fails.
 */
typedef struct sim_db_ops {
    void (*commit)(sim_db *db, uint64_t random);
    void (*vacuum)(sim_db *db);                   /* changes the page size; NULL: no profile asks */
    void (*restart)(sim_db *db, uint64_t random); /* of the daemon; may be NULL */
    ls_txid (*txid)(const sim_db *db);            /* newest that was captured */
    int64_t (*time)(const sim_db *db, ls_txid txid);
    ls_code (*upload)(sim_db *db, ls_storage *s, ls_err *err); /* keeps uploaded */
    ls_code (*snapshot)(sim_db *db, ls_storage *s, bool first, ls_ltx_info *made, ls_err *err);
    /* Does the stored file hold what its name says? LS_ECORRUPT if not. */
    ls_code (*check_file)(sim_db *db, ls_storage *s, const ls_ltx_info *file, ls_err *err);
    /* Restores a TXID and compares. */
    ls_code (*check_restore)(sim_db *db, ls_storage *s, ls_txid txid, ls_err *err);
    void (*free)(sim_db *db);
} sim_db_ops;

struct sim_db {
    const sim_db_ops *ops;
    int64_t now_ms;    /* simulated; the simulation sets it */
    ls_storage *truth; /* what the store holds; the simulation's */
    const char *local; /* <meta>/ltx; NULL: there are no local files */
    bool uploaded_known;
    ls_txid uploaded; /* newest at the store; reset at restarts */
};

typedef sim_db *(*sim_make)(uint64_t seed, const sim_profile *p, void **state);

/* Lives through the profile's days; state is that of a test in a folder of its own. */
void sim_run(void **state, const sim_profile *p, sim_make make);

#endif
