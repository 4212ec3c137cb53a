/*
 * The functions that stand in front of the C library, of SQLite's calls and of its memory; see
 * faults.h.
 */
#include "t/support/faults.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <sqlite3.h>

/* ---- What is to fail ---- */

static struct {
    atomic_bool armed;
    _Atomic(fault_kind) kind;
    atomic_long at;
    atomic_int effect;
    atomic_long calls, hits;
    atomic_bool no_disk;
    atomic_size_t used, most;
} state;

int (*faults_judge)(fault_kind kind, int fd, const char *path);

const char *fault_name(fault_kind kind) {
    static const char *const names[] = {
#define X(kind, name) name,
        FAULT_KINDS(X)
#undef X
    };
    return names[kind];
}

void faults_arm(fault_kind kind, long at, int effect) {
    atomic_store(&state.kind, kind);
    atomic_store(&state.at, at);
    atomic_store(&state.effect, effect);
    atomic_store(&state.calls, 0);
    atomic_store(&state.hits, 0);
    atomic_store(&state.armed, true);
}

long faults_disarm(long *hits) {
    atomic_store(&state.armed, false);
    if (hits != NULL) {
        *hits = atomic_load(&state.hits);
    }
    return atomic_load(&state.calls);
}

void faults_without_disk(bool on) { atomic_store(&state.no_disk, on); }

#define KIND(kind) (1u << (kind))
#define CHANGES(kind) (KIND(kind) | KIND(FAULT_CHANGE))

static bool is_at(long at, long n) {
    return at == n || at == FAULT_EACH || (at == FAULT_EVERY_OTHER && n % 2 == 1);
}

/* What is to happen to a call that is of all these kinds: 0, an errno value, or FAULT_SHORT. */
static int fate(unsigned kinds) {
    if (!atomic_load(&state.armed) || (kinds & KIND(atomic_load(&state.kind))) == 0) {
        return 0;
    }
    long n = atomic_fetch_add(&state.calls, 1) + 1;
    if (!is_at(atomic_load(&state.at), n)) {
        return 0;
    }
    atomic_fetch_add(&state.hits, 1);
    int effect = atomic_load(&state.effect);
    if (effect == FAULT_DIE) {
        _exit(FAULT_STATUS);
    }
    return effect;
}

/* True with errno set if the call is to fail. */
static bool fails(unsigned kinds) {
    int effect = fate(kinds);
    if (effect > 0) {
        errno = effect;
    }
    return effect > 0;
}

static int judge(fault_kind kind, int fd, const char *path) {
    return faults_judge != NULL ? faults_judge(kind, fd, path) : 0;
}

/* The same for a call that changes what fd or path names. */
static bool change_fails(fault_kind kind, int fd, const char *path) {
    int why = judge(kind, fd, path);
    if (why != 0) {
        errno = why;
    }
    return why != 0 || fails(CHANGES(kind));
}

/* Bytes of len that are let through; -1 with errno set: the call fails. */
static ssize_t let_through(unsigned kinds, size_t len) {
    int effect = fate(kinds);
    if (effect > 0) {
        errno = effect;
        return -1;
    }
    return (ssize_t)(effect == FAULT_SHORT && len > 1 ? len / 2 : len);
}

static ssize_t let_change(fault_kind kind, int fd, size_t len) {
    int why = judge(kind, fd, NULL);
    if (why != 0) {
        errno = why;
        return -1;
    }
    return let_through(CHANGES(kind), len);
}

/* ---- Memory ---- */

#define REAL(type, name, ...)                                                                      \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

static void *count(void *p) {
    size_t size = malloc_usable_size(p);
    size_t used = atomic_fetch_add(&state.used, size) + size;
    size_t most = atomic_load(&state.most);
    while (used > most && !atomic_compare_exchange_weak(&state.most, &most, used)) {
    }
    return p;
}

static void uncount(void *p) { atomic_fetch_sub(&state.used, malloc_usable_size(p)); }

size_t faults_heap_used(void) { return atomic_load(&state.used); }
size_t faults_heap_most(void) { return atomic_load(&state.most); }
void faults_heap_reset(void) { atomic_store(&state.most, atomic_load(&state.used)); }

REAL(void *, malloc, size_t size) {
    return fails(KIND(FAULT_MEMORY)) ? NULL : count(__real_malloc(size));
}

REAL(void *, calloc, size_t n, size_t size) {
    return fails(KIND(FAULT_MEMORY)) ? NULL : count(__real_calloc(n, size));
}

static void *resized(void *p, size_t before) {
    if (p != NULL) {
        atomic_fetch_sub(&state.used, before);
        count(p);
    }
    return p;
}

REAL(void *, realloc, void *p, size_t size) {
    size_t before = malloc_usable_size(p);
    return fails(KIND(FAULT_MEMORY)) ? NULL : resized(__real_realloc(p, size), before);
}

REAL(void *, reallocarray, void *p, size_t n, size_t size) {
    size_t before = malloc_usable_size(p);
    return fails(KIND(FAULT_MEMORY)) ? NULL : resized(__real_reallocarray(p, n, size), before);
}

REAL(char *, strdup, const char *text) {
    return fails(KIND(FAULT_MEMORY)) ? NULL : count(__real_strdup(text));
}

REAL(char *, strndup, const char *text, size_t len) {
    return fails(KIND(FAULT_MEMORY)) ? NULL : count(__real_strndup(text, len));
}

int __real_vasprintf(char **out, const char *fmt, va_list args);
int __wrap_vasprintf(char **out, const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **out, const char *fmt, va_list args) {
    int n = fails(KIND(FAULT_MEMORY)) ? -1 : __real_vasprintf(out, fmt, args);
    if (n >= 0) {
        count(*out);
    }
    return n;
}

REAL(void, free, void *p) {
    uncount(p);
    __real_free(p);
}

/* ---- Files: the C library's names, those with 64 where it has two of each ---- */

#ifdef __GLIBC__
#define OPEN open64
#define REAL_OPEN __real_open64
#define WRAP_OPEN __wrap_open64
#define REAL_OPENAT __real_openat64
#define WRAP_OPENAT __wrap_openat64
#define REAL64(type, name, ...) REAL_EXPANDED(type, name##64, __VA_ARGS__)
#define CALL64(name) __real_##name##64
#define WRAP64(name) __wrap_##name##64
#else
#define REAL_OPEN __real_open
#define WRAP_OPEN __wrap_open
#define REAL_OPENAT __real_openat
#define WRAP_OPENAT __wrap_openat
#define REAL64(type, name, ...) REAL_EXPANDED(type, name, __VA_ARGS__)
#define CALL64(name) __real_##name
#define WRAP64(name) __wrap_##name
#endif
#define REAL_EXPANDED(type, name, ...) REAL(type, name, __VA_ARGS__)

static bool open_fails(int flags, const char *path) {
    bool makes = (flags & (O_CREAT | O_TMPFILE)) != 0 && (flags & O_DIRECTORY) == 0;
    makes = makes || (flags & O_TMPFILE) == O_TMPFILE;
    if (!makes) {
        return fails(KIND(FAULT_OPEN));
    }
    int why = judge(FAULT_CREATE, -1, path);
    if (why != 0) {
        errno = why;
    }
    return why != 0 || fails(KIND(FAULT_OPEN) | CHANGES(FAULT_CREATE));
}

int REAL_OPEN(const char *path, int flags, ...);
int WRAP_OPEN(const char *path, int flags, ...);
int WRAP_OPEN(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_fails(flags, path) ? -1 : REAL_OPEN(path, flags, mode);
}

int REAL_OPENAT(int dir, const char *path, int flags, ...);
int WRAP_OPENAT(int dir, const char *path, int flags, ...);
int WRAP_OPENAT(int dir, const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_fails(flags, path) ? -1 : REAL_OPENAT(dir, path, flags, mode);
}

REAL64(int, mkostemp, char *path, int flags) {
    return open_fails(O_CREAT, path) ? -1 : CALL64(mkostemp)(path, flags);
}

REAL(ssize_t, read, int fd, void *buf, size_t len) {
    ssize_t n = let_through(KIND(FAULT_READ), len);
    return n < 0 ? -1 : __real_read(fd, buf, (size_t)n);
}

REAL64(ssize_t, pread, int fd, void *buf, size_t len, off_t off) {
    ssize_t n = let_through(KIND(FAULT_READ), len);
    return n < 0 ? -1 : CALL64(pread)(fd, buf, (size_t)n, off);
}

REAL(ssize_t, write, int fd, const void *buf, size_t len) {
    ssize_t n = let_change(FAULT_WRITE, fd, len);
    return n < 0 ? -1 : __real_write(fd, buf, (size_t)n);
}

REAL64(ssize_t, pwrite, int fd, const void *buf, size_t len, off_t off) {
    ssize_t n = let_change(FAULT_WRITE, fd, len);
    return n < 0 ? -1 : CALL64(pwrite)(fd, buf, (size_t)n, off);
}

REAL64(int, ftruncate, int fd, off_t size) {
    return change_fails(FAULT_TRUNCATE, fd, NULL) ? -1 : CALL64(ftruncate)(fd, size);
}

REAL(ssize_t, copy_file_range, int in, off_t *from, int out, off_t *to, size_t len,
     unsigned flags) {
    ssize_t n = let_change(FAULT_COPY, out, len);
    return n < 0 ? -1 : __real_copy_file_range(in, from, out, to, (size_t)n, flags);
}

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg) {
    return change_fails(FAULT_COPY, fd, NULL) ? -1 : __real_ioctl(fd, request, arg);
}

/* Both for the library and, as the program's symbols come first, for SQLite's. */
static int to_disk(int fd, long call) {
    if (change_fails(FAULT_SYNC, fd, NULL)) {
        return -1;
    }
    return atomic_load(&state.no_disk) ? 0 : (int)syscall(call, fd);
}

int fsync(int fd) { return to_disk(fd, SYS_fsync); }
int fdatasync(int fd) { return to_disk(fd, SYS_fdatasync); }

/* ---- Names ---- */

REAL(int, rename, const char *from, const char *to) {
    return change_fails(FAULT_RENAME, -1, to) ? -1 : __real_rename(from, to);
}

REAL(int, renameat2, int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    return change_fails(FAULT_RENAME, -1, to) ? -1
                                              : __real_renameat2(from_dir, from, to_dir, to, flags);
}

REAL(int, link, const char *from, const char *to) {
    return change_fails(FAULT_RENAME, -1, to) ? -1 : __real_link(from, to);
}

REAL(int, unlink, const char *path) {
    return change_fails(FAULT_UNLINK, -1, path) ? -1 : __real_unlink(path);
}

REAL(int, unlinkat, int dir, const char *path, int flags) {
    return change_fails(FAULT_UNLINK, -1, path) ? -1 : __real_unlinkat(dir, path, flags);
}

REAL(int, rmdir, const char *path) {
    return change_fails(FAULT_UNLINK, -1, path) ? -1 : __real_rmdir(path);
}

REAL(int, mkdir, const char *path, mode_t mode) {
    return change_fails(FAULT_MKDIR, -1, path) ? -1 : __real_mkdir(path, mode);
}

REAL(int, chmod, const char *path, mode_t mode) {
    return change_fails(FAULT_MODE, -1, path) ? -1 : __real_chmod(path, mode);
}

REAL(int, fchmod, int fd, mode_t mode) {
    return change_fails(FAULT_MODE, fd, NULL) ? -1 : __real_fchmod(fd, mode);
}

REAL(int, fchown, int fd, uid_t uid, gid_t gid) {
    return change_fails(FAULT_MODE, fd, NULL) ? -1 : __real_fchown(fd, uid, gid);
}

REAL(int, futimens, int fd, const struct timespec times[2]) {
    return change_fails(FAULT_MODE, fd, NULL) ? -1 : __real_futimens(fd, times);
}

/* ---- What is asked ---- */

REAL64(int, stat, const char *path, struct stat *st) {
    return fails(KIND(FAULT_STAT)) ? -1 : CALL64(stat)(path, st);
}

REAL64(int, lstat, const char *path, struct stat *st) {
    return fails(KIND(FAULT_STAT)) ? -1 : CALL64(lstat)(path, st);
}

REAL64(int, fstat, int fd, struct stat *st) {
    return fails(KIND(FAULT_STAT)) ? -1 : CALL64(fstat)(fd, st);
}

REAL64(int, fstatat, int dir, const char *path, struct stat *st, int flags) {
    return fails(KIND(FAULT_STAT)) ? -1 : CALL64(fstatat)(dir, path, st, flags);
}

REAL64(int, fstatvfs, int fd, struct statvfs *st) {
    return fails(KIND(FAULT_STAT)) ? -1 : CALL64(fstatvfs)(fd, st);
}

REAL(int, access, const char *path, int mode) {
    return fails(KIND(FAULT_STAT)) ? -1 : __real_access(path, mode);
}

REAL(DIR *, opendir, const char *path) {
    return fails(KIND(FAULT_LIST)) ? NULL : __real_opendir(path);
}

REAL64(struct dirent *, readdir, DIR *dir) {
    return fails(KIND(FAULT_LIST)) ? NULL : CALL64(readdir)(dir);
}

REAL(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
     void *arg) {
    return fails(KIND(FAULT_THREAD)) ? EAGAIN : __real_pthread_create(thread, attr, run, arg);
}

/* ---- SQLite ---- */

static sqlite3_mem_methods sqlite_memory;

static void *sqlite_malloc(int size) {
    return fails(KIND(FAULT_SQLITE_MEMORY)) ? NULL : sqlite_memory.xMalloc(size);
}

static void *sqlite_realloc(void *p, int size) {
    return fails(KIND(FAULT_SQLITE_MEMORY)) ? NULL : sqlite_memory.xRealloc(p, size);
}

static int sqlite_open(const char *path, int flags, int mode) {
    return WRAP_OPEN(path, flags, (mode_t)mode);
}

/* All of SQLite's are of one argument. */
static int sqlite_fcntl(int fd, int command, ...) {
    va_list args;
    va_start(args, command);
    void *arg = va_arg(args, void *);
    va_end(args);
    bool locks =
        command == F_GETLK || (command == F_SETLK && ((struct flock *)arg)->l_type != F_UNLCK);
    return locks && fails(KIND(FAULT_LOCK)) ? -1 : fcntl(fd, command, arg);
}

static void *sqlite_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off) {
    return fails(KIND(FAULT_MAP)) ? MAP_FAILED : mmap(at, len, prot, flags, fd, off);
}

#define CALL(name, function)                                                                       \
    { name, (sqlite3_syscall_ptr)(function) }

static void take_sqlite_calls(void) {
    static const struct {
        const char *name;
        sqlite3_syscall_ptr function;
    } calls[] = {
        CALL("open", sqlite_open),        CALL("access", __wrap_access),
        CALL("stat", WRAP64(stat)),       CALL("fstat", WRAP64(fstat)),
        CALL("lstat", WRAP64(lstat)),     CALL("ftruncate", WRAP64(ftruncate)),
        CALL("fcntl", sqlite_fcntl),      CALL("read", __wrap_read),
        CALL("pread", WRAP64(pread)),     CALL("pread64", WRAP64(pread)),
        CALL("write", __wrap_write),      CALL("pwrite", WRAP64(pwrite)),
        CALL("pwrite64", WRAP64(pwrite)), CALL("fchmod", __wrap_fchmod),
        CALL("unlink", __wrap_unlink),    CALL("mkdir", __wrap_mkdir),
        CALL("rmdir", __wrap_rmdir),      CALL("fchown", __wrap_fchown),
        CALL("mmap", sqlite_mmap),
    };
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        (void)vfs->xSetSystemCall(vfs, calls[i].name, calls[i].function);
    }
}

void faults_init(void) {
    if (sqlite_memory.xMalloc != NULL) {
        return;
    }
    sqlite3_config(SQLITE_CONFIG_GETMALLOC, &sqlite_memory);
    sqlite3_mem_methods ours = sqlite_memory;
    ours.xMalloc = sqlite_malloc;
    ours.xRealloc = sqlite_realloc;
    sqlite3_config(SQLITE_CONFIG_MALLOC, &ours);
    if (sqlite3_initialize() == SQLITE_OK) {
        take_sqlite_calls();
    }
}
