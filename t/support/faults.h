/*
 * The one fault injector of the tests: the n-th call of a kind fails, is cut short, or is the
 * process's last. Nothing is injected but between faults_arm and faults_disarm.
 *
 * The linker puts the shim in front of the C library for all that is linked statically (FAULTS_LD
 * in t/support/local.mk); SQLite's system calls come through its own table, its memory through
 * SQLITE_CONFIG_MALLOC, and fsync and fdatasync are defined here for both. Counters are atomic: any
 * thread may be hit.
 */
#ifndef LS_T_FAULTS_H
#define LS_T_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

/* kind, name in what tests print */
#define FAULT_KINDS(X)                                                                             \
    X(FAULT_MEMORY, "memory")               /* of the library: malloc and its like */              \
    X(FAULT_SQLITE_MEMORY, "sqlite memory") /* of SQLite */                                        \
    X(FAULT_OPEN, "open")                                                                          \
    X(FAULT_CREATE, "create") /* those of open that may make a file */                             \
    X(FAULT_READ, "read")                                                                          \
    X(FAULT_WRITE, "write")                                                                        \
    X(FAULT_SYNC, "sync")                                                                          \
    X(FAULT_RENAME, "rename") /* and link */                                                       \
    X(FAULT_UNLINK, "unlink")                                                                      \
    X(FAULT_MKDIR, "mkdir")                                                                        \
    X(FAULT_TRUNCATE, "truncate")                                                                  \
    X(FAULT_COPY, "copy") /* copy_file_range and FICLONERANGE: there is another way */             \
    X(FAULT_STAT, "stat") /* and access, statvfs */                                                \
    X(FAULT_LIST, "list") /* opendir, readdir */                                                   \
    X(FAULT_MODE, "mode") /* chmod, chown, utimens */                                              \
    X(FAULT_LOCK, "lock")                                                                          \
    X(FAULT_MAP, "map") /* mmap of SQLite's index */                                               \
    X(FAULT_THREAD, "thread")                                                                      \
    X(FAULT_CHANGE, "change") /* every call that changes a disk */

typedef enum fault_kind {
#define X(kind, name) kind,
    FAULT_KINDS(X)
#undef X
        FAULT_KIND_N
} fault_kind;

const char *fault_name(fault_kind kind);

/* What happens to the call: an errno value, or */
#define FAULT_SHORT (-1) /* half of the bytes are read or written */
#define FAULT_DIE (-2)   /* the process ends with FAULT_STATUS in front of the call */
#define FAULT_STATUS 77

/* Which calls: a number from 1 on, 0 for none (they are counted), or */
#define FAULT_EACH (-1)
#define FAULT_EVERY_OTHER (-2) /* for those that are to be tried again */

/* Before anything uses SQLite. */
void faults_init(void);

/* Counting begins anew. */
void faults_arm(fault_kind kind, long at, int effect);

/* Calls of the kind since it was armed; *hits (may be NULL): those that were not let through. */
long faults_disarm(long *hits);

/* Nothing waits for the disk: for tests that make a thousand databases. */
void faults_without_disk(bool on);

/* Called in front of every call that changes a disk, armed or not; an errno value other than 0 is
 * its end. fd or path says of what (-1, NULL). May be NULL. */
extern int (*faults_judge)(fault_kind kind, int fd, const char *path);

/* Bytes that the library and the test have in use, and the most since the last reset. */
size_t faults_heap_used(void);
size_t faults_heap_most(void);
void faults_heap_reset(void);

#endif
