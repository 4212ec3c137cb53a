/*
 * Notices that names in a folder changed: appeared, vanished, or were written and closed. Unlike
 * those of libuv (watch.c) they leave out each write, so that a folder of databases can be watched
 * for newcomers without being woken by every commit. Linux's inotify; elsewhere there are none, and
 * who asks has to poll.
 */
#ifndef LS_STORE_NOTIFY_H
#define LS_STORE_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>

#define LS_NOTES_MAX 64

/* What notices told: the folders, by what ls_notify_add returned, or that it may be any. */
typedef struct ls_notes {
    int folders[LS_NOTES_MAX];
    size_t n;
    bool all;
} ls_notes;

void ls_notes_add(ls_notes *notes, int folder);

/* A descriptor that can be read when there is something to tell; < 0: an errno, negative. */
int ls_notify_open(void);

/* Watches the folder that has the path now; follow: also through a symbolic link. A number for it,
 * the same for the same folder; < 0: an errno, negative. From any thread. */
int ls_notify_add(int fd, const char *path, bool follow);
void ls_notify_remove(int fd, int folder);

/* Adds what there is to be told, without waiting. Files that belong to SQLite's databases (-wal,
 * -shm, -journal) tell nothing. */
void ls_notify_read(int fd, ls_notes *notes);

/* Is that the name of a file that belongs to a database? */
bool ls_is_side_file(const char *name);

#endif
