/*
 * The pieces of the test that proves capture: the applications (chaos_apps.c), the auditor
 * (chaos_audit.c) and the image that the level-0 files hold (chaos_image.c), put together in
 * chaos_capture.c.
 *
 * SQLite keeps its locks by process: whoever forks must have no database open, or parent and child
 * take each other's locks for their own. So every process is started before the capturing one opens
 * the database, the applications by a process of their own that never opens it.
 */
#ifndef LS_T_CHAOS_H
#define LS_T_CHAOS_H

#include "engine/litestream.h"

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/types.h>

/* What is played, from the environment. */
typedef struct chaos_play {
    int seconds, seed, page_size;
    bool links;    /* the database is reached through a link to its folder and one to its file */
    bool reader;   /* one read transaction that does not end until it is told to */
    bool killed;   /* writers are killed at random instants */
    bool unbroken; /* nothing makes SQLite commit frames without right checksums */
    char dir[64];
    char path[96]; /* the database file itself */
    char name[96]; /* by which it is captured */
} chaos_play;

/* Counted by all processes. */
typedef struct chaos_shared {
    _Atomic uint64_t commits, rollbacks, vacuums, kills;
    _Atomic uint64_t truncations; /* by others, of a log with something in it, while captured */
    _Atomic uint64_t captured;    /* number of the life in which the database is held, or 0 */
    _Atomic bool quiet;           /* writers and readers wait: the log can be wholly copied */
    _Atomic bool let_reader_end;
    _Atomic bool failed; /* a process met what must not be, and said so */
} chaos_shared;

/* Numbers by seed: each process has a row of its own. */
void chaos_seed(uint64_t seed);
uint32_t chaos_rnd(uint32_t n);  /* below n */
void chaos_nap(uint32_t max_us); /* up to */
sqlite3 *chaos_connect(const char *path);

/* ---- Applications ---- */

/* Makes the database; then starts the process that starts the applications. */
void chaos_make(const chaos_play *play);
pid_t chaos_apps_start(const chaos_play *play, chaos_shared *shared);

/* ---- The auditor ---- */

/* Another process, which holds writers back and copies the database with SQLite's own means. */
typedef struct chaos_audit {
    pid_t pid;
    int ask, answer; /* pipes */
    char copy[96];   /* the file it copies into */
} chaos_audit;

void chaos_audit_start(chaos_audit *a, const chaos_play *play);
/* Begins a write transaction, and beside it the read transaction that is to be copied. False if
 * the applications did not let it. */
bool chaos_audit_hold(chaos_audit *a);
/* Lets writers go on and copies what the read transaction sees. False without a copy. */
bool chaos_audit_copy(chaos_audit *a, uint32_t *schema_cookie);
void chaos_audit_drop(chaos_audit *a);
void chaos_audit_end(chaos_audit *a);

/* ---- The image ---- */

typedef struct chaos_image {
    uint8_t *data;
    size_t size, cap; /* bytes */
    uint32_t page_size;
    ls_txid txid;
    uint64_t files, fulls;
} chaos_image;

/* Applies the level-0 files up to the position and removes those behind. Any file that cannot be
 * applied ends the test. */
void chaos_image_catch_up(chaos_image *im, ls_db *db);
/* Is the copy the image, page by page? Else says in what they differ. */
bool chaos_image_is(const chaos_image *im, const char *copy, uint32_t schema_cookie);

/* Prints "not ok" and ends the test. */
_Noreturn void chaos_die(const char *what, const ls_err *err);

#endif
