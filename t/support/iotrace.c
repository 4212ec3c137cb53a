/*
 * What a program asks of the disk, in the order in which it happened: preloaded (LD_PRELOAD), it
 * records writes, truncations, syncs and changes of folders below one folder. What a power loss
 * could leave is worked out from that by powerloss.py: what was synced is there, of the rest any
 * part may be.
 *
 * From the environment:
 *   IOTRACE_ROOT   the folder; its name must be free of symbolic links
 *   IOTRACE_FILE   where records are appended; without it nothing is recorded
 *   IOTRACE_MARKS  if set, standard output and error are recorded too, in their place in time
 *   IOTRACE_KILL   a number: the process kills itself at that call, before the call is made if the
 *                  number is odd, after it otherwise
 *
 * A record is written when its call has returned, so that nothing counts as done that was not; a
 * sync has two, and covers what was recorded before its first. Memory maps are not seen: SQLite
 * uses one for its index only, which no power loss leaves.
 */
#undef _FILE_OFFSET_BITS /* both names of each function are defined here */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_MAX 4096
#define TRACE_FD 900

enum {
    MADE = 'C',    /* name: a new file */
    FOLDER = 'D',  /* name: a new folder */
    WRITTEN = 'W', /* offset, bytes */
    CUT = 'T',     /* offset: the new size */
    SYNC_BEGIN = 'b',
    SYNC_END = 'e',
    SYNC_FOLDER_BEGIN = 'f',
    SYNC_FOLDER_END = 'g',
    RENAMED = 'R', /* two names with a zero byte between them */
    LINKED = 'L',  /* likewise */
    REMOVED = 'U', /* name */
    MARK = 'M',    /* text */
};

/* In front of each kind: a process that is killed may leave a part of a record. */
#define MAGIC 0x10ce7a00u

typedef struct record {
    uint32_t size; /* bytes that follow */
    uint32_t kind;
    uint64_t inode;
    int64_t offset;
    uint64_t token; /* ties the two records of a sync together */
} record;

static char root[PATH_MAX];
static size_t root_len;
static int trace_fd = -1;
static bool marks;
static long kill_at;
static _Atomic long calls;
static _Atomic uint64_t tokens;

/* What is known of a descriptor: 0, or 'f' of a file and 'd' of a folder below the root. */
static _Atomic char kind_of[FDS_MAX];
static char *_Atomic name_of[FDS_MAX]; /* of folders */

#define REAL(name) real_##name
#define DECLARE(type, name, ...)                                                                   \
    static type (*REAL(name))(__VA_ARGS__);                                                        \
    static void find_##name(void) { *(void **)(&REAL(name)) = dlsym(RTLD_NEXT, #name); }

DECLARE(int, open, const char *, int, ...)
DECLARE(int, openat, int, const char *, int, ...)
DECLARE(int, close, int)
DECLARE(ssize_t, write, int, const void *, size_t)
DECLARE(ssize_t, pwrite, int, const void *, size_t, off_t)
DECLARE(int, ftruncate, int, off_t)
DECLARE(int, fsync, int)
DECLARE(int, fdatasync, int)
DECLARE(int, rename, const char *, const char *)
DECLARE(int, renameat2, int, const char *, int, const char *, unsigned)
DECLARE(int, link, const char *, const char *)
DECLARE(int, linkat, int, const char *, int, const char *, int)
DECLARE(int, unlink, const char *)
DECLARE(int, unlinkat, int, const char *, int)
DECLARE(int, mkdir, const char *, mode_t)
DECLARE(int, rmdir, const char *)

static void find_all(void) {
    find_open(), find_openat(), find_close(), find_write(), find_pwrite(), find_ftruncate(),
        find_fsync();
    find_fdatasync(), find_rename(), find_renameat2(), find_link(), find_linkat(), find_unlink();
    find_unlinkat(), find_mkdir(), find_rmdir();
}

__attribute__((constructor)) static void start(void) {
    find_all();
    const char *folder = getenv("IOTRACE_ROOT");
    const char *file = getenv("IOTRACE_FILE");
    const char *stop = getenv("IOTRACE_KILL");
    if (folder == NULL || strlen(folder) >= sizeof(root)) {
        return;
    }
    if (file != NULL) {
        int fd = REAL(open)(file, O_WRONLY | O_APPEND | O_CLOEXEC);
        trace_fd = fcntl(fd, F_DUPFD_CLOEXEC, TRACE_FD);
        (void)close(fd);
    }
    marks = getenv("IOTRACE_MARKS") != NULL;
    kill_at = stop != NULL ? strtol(stop, NULL, 10) : 0;
    root_len = strlen(folder);
    memcpy(root, folder, root_len + 1);
}

/* ---- records ---- */

static void put(uint32_t kind, uint64_t inode, int64_t offset, uint64_t token, const void *data,
                size_t size) {
    if (trace_fd < 0) {
        return;
    }
    int saved = errno;
    record r = {.size = (uint32_t)size,
                .kind = MAGIC | kind,
                .inode = inode,
                .offset = offset,
                .token = token};
    union {
        const void *c;
        void *p;
    } bytes = {.c = data};
    struct iovec parts[2] = {{.iov_base = &r, .iov_len = sizeof(r)},
                             {.iov_base = bytes.p, .iov_len = size}};
    if (writev(trace_fd, parts, 2) != (ssize_t)(sizeof(r) + size)) {
        abort(); /* a trace with a hole proves nothing */
    }
    errno = saved;
}

static uint64_t inode_of(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* The absolute name if it is below the root and no index of SQLite, else NULL. */
static const char *below(int dir, const char *name, char out[PATH_MAX]) {
    char folder[PATH_MAX];
    size_t len = strlen(name);
    if (root_len == 0 || (len >= 4 && strcmp(name + len - 4, "-shm") == 0)) {
        return NULL;
    }
    if (name[0] == '/') {
        (void)snprintf(out, PATH_MAX, "%s", name);
    } else if (dir >= 0 && dir < FDS_MAX && name_of[dir] != NULL) {
        (void)snprintf(out, PATH_MAX, "%s/%s", name_of[dir], name);
    } else if (getcwd(folder, sizeof(folder)) != NULL &&
               snprintf(out, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) {
        return NULL;
    }
    return strncmp(out, root, root_len) == 0 && (out[root_len] == '/' || out[root_len] == '\0')
               ? out
               : NULL;
}

static char kind(int fd) { return fd >= 0 && fd < FDS_MAX ? kind_of[fd] : 0; }

/* ---- being killed ---- */

static bool turn(void) { return kill_at > 0 && atomic_fetch_add(&calls, 1) + 1 == kill_at; }

static void stop_here(bool now, bool odd) {
    if (now && odd == (kill_at % 2 != 0)) {
        (void)kill(getpid(), SIGKILL);
    }
}

/* ---- opening ---- */

static void opened(int fd, const char *name, bool made, int flags) {
    if (fd < 0 || fd >= FDS_MAX) {
        return;
    }
    kind_of[fd] = 0;
    if (name == NULL) {
        return;
    }
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return;
    }
    char *old = atomic_exchange(&name_of[fd], S_ISDIR(st.st_mode) ? strdup(name) : NULL);
    free(old);
    kind_of[fd] = S_ISDIR(st.st_mode) ? 'd' : S_ISREG(st.st_mode) ? 'f' : 0;
    if (made && S_ISREG(st.st_mode)) {
        put(MADE, st.st_ino, 0, 0, name, strlen(name));
    } else if ((flags & O_TRUNC) != 0 && S_ISREG(st.st_mode)) {
        put(CUT, st.st_ino, 0, 0, NULL, 0);
    }
}

static int open_any(int dir, const char *name, int flags, mode_t mode) {
    if (REAL(open) == NULL) { /* another library's start is before ours */
        find_all();
    }
    char path[PATH_MAX];
    const char *ours = below(dir, name, path);
    struct stat st;
    bool make = ours != NULL && (flags & O_CREAT) != 0 && stat(ours, &st) != 0;
    bool now = make && turn();
    stop_here(now, true);
    int fd = dir == AT_FDCWD ? REAL(open)(name, flags, mode) : REAL(openat)(dir, name, flags, mode);
    opened(fd, ours, make, flags);
    stop_here(now, false);
    return fd;
}

#define MODE_OF(flags, mode)                                                                       \
    mode_t mode = 0;                                                                               \
    if (((flags)&O_CREAT) != 0 || ((flags)&O_TMPFILE) == O_TMPFILE) {                              \
        va_list args;                                                                              \
        va_start(args, flags);                                                                     \
        mode = va_arg(args, mode_t);                                                               \
        va_end(args);                                                                              \
    }

int open(const char *name, int flags, ...) {
    MODE_OF(flags, mode)
    return open_any(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...) {
    MODE_OF(flags, mode)
    return open_any(AT_FDCWD, name, flags, mode);
}

int openat(int dir, const char *name, int flags, ...) {
    MODE_OF(flags, mode)
    return open_any(dir, name, flags, mode);
}

int openat64(int dir, const char *name, int flags, ...) {
    MODE_OF(flags, mode)
    return open_any(dir, name, flags, mode);
}

int close(int fd) {
    if (fd >= 0 && fd < FDS_MAX) {
        kind_of[fd] = 0;
    }
    return REAL(close)(fd);
}

/* ---- bytes ---- */

ssize_t write(int fd, const void *data, size_t size) {
    if (kind(fd) != 'f') {
        ssize_t n = REAL(write)(fd, data, size);
        if ((fd == STDOUT_FILENO || fd == STDERR_FILENO) && marks && n > 0) {
            put(MARK, 0, 0, 0, data, (size_t)n);
        }
        return n;
    }
    bool now = turn();
    stop_here(now, true);
    ssize_t n = REAL(write)(fd, data, size);
    if (n > 0) {
        put(WRITTEN, inode_of(fd), lseek(fd, 0, SEEK_CUR) - n, 0, data, (size_t)n);
    }
    stop_here(now, false);
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    bool ours = kind(fd) == 'f', now = ours && turn();
    stop_here(now, true);
    ssize_t n = REAL(pwrite)(fd, data, size, offset);
    if (ours && n > 0) {
        put(WRITTEN, inode_of(fd), offset, 0, data, (size_t)n);
    }
    stop_here(now, false);
    return n;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) {
    return pwrite(fd, data, size, offset);
}

int ftruncate(int fd, off_t size) {
    bool ours = kind(fd) == 'f', now = ours && turn();
    stop_here(now, true);
    int rc = REAL(ftruncate)(fd, size);
    if (ours && rc == 0) {
        put(CUT, inode_of(fd), size, 0, NULL, 0);
    }
    stop_here(now, false);
    return rc;
}

int ftruncate64(int fd, off_t size) { return ftruncate(fd, size); }

/* Copies that are not seen here are refused; who asks for them has another way. */
ssize_t copy_file_range(int in, off64_t *in_off, int out, off64_t *out_off, size_t size,
                        unsigned flags) {
    (void)in, (void)in_off, (void)out, (void)out_off, (void)size, (void)flags;
    errno = EXDEV;
    return -1;
}

/* ---- syncing ---- */

static int sync_any(int fd, int (*real)(int)) {
    char what = kind(fd);
    bool now = what != 0 && turn();
    stop_here(now, true);
    uint64_t token = (uint64_t)getpid() << 32 | atomic_fetch_add(&tokens, 1);
    const char *folder = what == 'd' ? name_of[fd] : NULL;
    size_t len = folder != NULL ? strlen(folder) : 0;
    if (what == 'd') {
        put(SYNC_FOLDER_BEGIN, 0, 0, token, folder, len);
    } else if (what == 'f') {
        put(SYNC_BEGIN, inode_of(fd), 0, token, NULL, 0);
    }
    int rc = real(fd);
    if (rc == 0 && what == 'd') {
        put(SYNC_FOLDER_END, 0, 0, token, folder, len);
    } else if (rc == 0 && what == 'f') {
        put(SYNC_END, inode_of(fd), 0, token, NULL, 0);
    }
    stop_here(now, false);
    return rc;
}

int fsync(int fd) { return sync_any(fd, REAL(fsync)); }
int fdatasync(int fd) { return sync_any(fd, REAL(fdatasync)); }

/* ---- names ---- */

static void put_two(uint32_t what, const char *from, const char *to) {
    char both[2 * PATH_MAX];
    size_t a = strlen(from), b = strlen(to);
    memcpy(both, from, a + 1);
    memcpy(both + a + 1, to, b);
    put(what, 0, 0, 0, both, a + 1 + b);
}

static int rename_any(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    char a[PATH_MAX], b[PATH_MAX];
    const char *ours = below(from_dir, from, a);
    bool now = ours != NULL && turn();
    stop_here(now, true);
    int rc = REAL(renameat2)(from_dir, from, to_dir, to, flags);
    if (rc == 0 && ours != NULL && below(to_dir, to, b) != NULL) {
        put_two(RENAMED, a, b);
    }
    stop_here(now, false);
    return rc;
}

int rename(const char *from, const char *to) { return rename_any(AT_FDCWD, from, AT_FDCWD, to, 0); }

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    return rename_any(from_dir, from, to_dir, to, flags);
}

int link(const char *from, const char *to) {
    char a[PATH_MAX], b[PATH_MAX];
    int rc = REAL(link)(from, to);
    if (rc == 0 && below(AT_FDCWD, from, a) != NULL && below(AT_FDCWD, to, b) != NULL) {
        put_two(LINKED, a, b);
    }
    return rc;
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    char a[PATH_MAX], b[PATH_MAX];
    int rc = REAL(linkat)(from_dir, from, to_dir, to, flags);
    if (rc == 0 && below(from_dir, from, a) != NULL && below(to_dir, to, b) != NULL) {
        put_two(LINKED, a, b);
    }
    return rc;
}

static int remove_any(int dir, const char *name, int flags) {
    char path[PATH_MAX];
    const char *ours = below(dir, name, path);
    bool now = ours != NULL && turn();
    stop_here(now, true);
    int rc = REAL(unlinkat)(dir, name, flags);
    if (rc == 0 && ours != NULL) {
        put(REMOVED, 0, 0, 0, ours, strlen(ours));
    }
    stop_here(now, false);
    return rc;
}

int unlink(const char *name) { return remove_any(AT_FDCWD, name, 0); }
int unlinkat(int dir, const char *name, int flags) { return remove_any(dir, name, flags); }
int rmdir(const char *name) { return remove_any(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdir(const char *name, mode_t mode) {
    char path[PATH_MAX];
    const char *ours = below(AT_FDCWD, name, path);
    bool now = ours != NULL && turn();
    stop_here(now, true);
    int rc = REAL(mkdir)(name, mode);
    if (rc == 0 && ours != NULL) {
        put(FOLDER, 0, 0, 0, ours, strlen(ours));
    }
    stop_here(now, false);
    return rc;
}
