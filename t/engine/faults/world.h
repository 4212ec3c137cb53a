/*
 * Jobs in which each call fails once: a job is prepared in a world of its own, tried while the n-th
 * call of a kind fails, and must then work: with the same objects, with new ones, and after the
 * process ended. What it left is restored and compared with the source page by page. Include it
 * after cmocka.h.
 */
#ifndef LS_T_FAULTS_WORLD_H
#define LS_T_FAULTS_WORLD_H

#include "engine/db/db.h"
#include "engine/replica/replica.h"
#include "engine/restore/follow.h"
#include "t/support/dbkit.h"
#include "t/support/faults.h"

typedef struct world {
    char *dir;  /* of all that follows */
    char *path; /* database, in a folder of its own */
    char *meta;
    char *root; /* of the replica */
    char *out;  /* where it is restored to */
    sqlite3 *app;
    ls_db_opts opts;
    ls_db *db;      /* NULL: not made yet */
    ls_replica *r;  /* the same */
    ls_follow *f;   /* the same: keeps out up with the replica */
    ls_storage *fs; /* that it reads */
} world;

typedef struct job {
    const char *name;
    void (*prepare)(world *w);
    ls_code (*attempt)(world *w, ls_err *err); /* calls of the library only */
    void (*failed)(world *w);                  /* may be NULL: what must hold right after */
    void (*meanwhile)(world *w);               /* may be NULL: before the next try */
    void (*settle)(world *w);                  /* the next try, which must succeed */
    bool no_sqlite_sync; /* SQLite does not go on after an fsync that was interrupted */
} job;

/* Every kind of fault for every job; fails with the job's name, kind and number. */
void fail_each_call(const job *jobs, size_t n);

/* ---- Verbs ---- */

/* Database and replica objects, unless they are there. */
void make_objects(world *w);
void drop_objects(world *w);

/* Captures all and brings it to the replica, as the daemon does. */
void replicate(world *w);

/* A database of that page size and with rows is moved into the place of the other. */
void replace_database(world *w, int page_size, int rows);

/* A database of the page size with rows; captured and at the replica. */
void replicated(world *w, int page_size, int rows);

void capture_all(world *w);
void change_page_size(world *w, int size);

/* The application overwrites, grows, and checkpoints in the given mode as far as locks allow. */
void go_on(world *w, const char *mode);

/* The file is, byte for byte, what SQLite sees in the database. */
void assert_is_db(const world *w, const char *file);

#endif
