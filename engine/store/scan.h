/*
 * Which files below a folder are databases: those whose name matches a pattern and which begin like
 * an SQLite database. What was found is kept, so that a later look costs little: a folder is read
 * again when a notice told of it or its time changed, and only files that are not known to be
 * databases are looked into.
 *
 * A file that matches but is no database (yet) is looked at again when it has changed. Symbolic
 * links to files count, to folders below the root they do not. Never taken: -wal, -shm and
 * -journal, and whatever is in a folder whose name ends with "-litestream".
 *
 * For one thread at a time.
 */
#ifndef LS_STORE_SCAN_H
#define LS_STORE_SCAN_H

#include "engine/base/error.h"
#include "engine/store/notify.h"

#include <sys/types.h>
#include <time.h>

#define LS_SCAN_DEPTH_MAX 64
#define LS_SCAN_FOLDERS_MAX 100000
#define LS_SCAN_FILES_MAX 300000

typedef struct ls_scan ls_scan;

/* A file whose name matches. */
typedef struct ls_scan_file {
    char *name;
    ino_t ino; /* as its folder tells */
    bool link; /* a symbolic link */
    bool is_db;
    bool told;  /* for who uses the scan: false in a file that is new */
    off_t size; /* of one that is no database, as it was looked into */
    struct timespec changed;
} ls_scan_file;

/* What a look has found. */
typedef struct ls_scan_result {
    bool changed;      /* databases came or went */
    size_t dbs;        /* that there are now */
    size_t unwatched;  /* folders without notices, and why the last of them has none */
    int why;           /* errno */
    size_t young;      /* files that may become databases: look again soon */
    size_t unreadable; /* folders that could not be read, and kept what they had */
    char first_unreadable[256];
} ls_scan_result;

/* notify: from ls_notify_open, < 0: nothing is watched. It stays the caller's. */
LS_MUST ls_code ls_scan_new(const char *root, const char *pattern, bool recursive, int notify,
                            ls_scan **scan, ls_err *err);
void ls_scan_free(ls_scan *scan); /* with its watches; NULL allowed */

/* Looks where something may have changed: where notes tell, everywhere for NULL; and in folders
 * without notices or with young files. LS_ENOTFOUND: there is no root folder, and so nothing. After
 * another error what was known stays, and the next look goes on. */
LS_MUST ls_code ls_scan_look(ls_scan *scan, const ls_notes *notes, ls_scan_result *result,
                             ls_err *err);

/* Every database, by its path below the root. */
typedef void (*ls_scan_fn)(void *arg, const char *rel, ls_scan_file *file);
void ls_scan_each(ls_scan *scan, ls_scan_fn fn, void *arg);

#endif
