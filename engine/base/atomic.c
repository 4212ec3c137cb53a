/*
 * ls_atomic: a file that appears under its name whole and durable, or not at all. See file.h.
 */
#include "engine/base/file.h"
#include "engine/base/perm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static ls_code done(ls_atomic *a, ls_code code) {
    free(a->path);
    free(a->tmp);
    *a = (ls_atomic){.fd = -1};
    return code;
}

/* A new inode each time: what a crash left may be a second link to a finished file, which opening
 * with O_TRUNC would empty. O_EXCL follows no link. */
static int open_tmp(const char *tmp, mode_t mode) {
    const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW;
    int fd = ls_open(tmp, flags, mode);
    for (int tries = 0; fd < 0 && errno == EEXIST && tries < 8; tries++) {
        if (unlink(tmp) != 0 && errno != ENOENT) {
            return -1;
        }
        fd = ls_open(tmp, flags, mode);
    }
    return fd;
}

ls_code ls_atomic_begin(ls_atomic *a, const char *path, const ls_perm *perm, ls_err *err) {
    *a = (ls_atomic){.fd = -1};
    a->path = ls_asprintf("%s", path);
    a->tmp = ls_asprintf("%s.tmp", path);
    if (a->path == NULL || a->tmp == NULL) {
        return done(a, ls_fail(err, LS_ENOMEM, "no memory to create %s", path));
    }
    a->fd = open_tmp(a->tmp, perm == NULL ? 0666 : 0600);
    if (a->fd < 0) {
        return done(a, ls_fail_errno(err, errno, "create %s", a->tmp));
    }
    a->active = true;
    ls_code code = perm == NULL ? LS_OK : ls_perm_apply(a->fd, perm, perm->file_mode, a->tmp, err);
    if (code != LS_OK) {
        ls_atomic_abort(a);
    }
    return code;
}

ls_code ls_atomic_take(ls_atomic *a, const char *from, const ls_perm *perm, bool *taken,
                       ls_err *err) {
    *taken = false;
    int fd = ls_open(from, O_RDWR | O_NOFOLLOW, 0);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", from);
    }
    if (rename(from, a->tmp) != 0) {
        (void)close(fd);
        return LS_OK;
    }
    (void)close(a->fd);
    a->fd = fd;
    *taken = true;
    return ls_perm_apply(fd, perm, perm->file_mode, a->tmp, err);
}

/* Somebody else who writes the same file has put another inode under the temporary name. */
static bool replaced(const ls_atomic *a) {
    struct stat ours;
    struct stat there;
    return fstat(a->fd, &ours) == 0 && lstat(a->tmp, &there) == 0 &&
           (ours.st_dev != there.st_dev || ours.st_ino != there.st_ino);
}

void ls_atomic_abort(ls_atomic *a) {
    if (!a->active) {
        return;
    }
    bool ours = a->fd < 0 || !replaced(a);
    if (a->fd >= 0) {
        (void)close(a->fd);
    }
    if (ours) {
        (void)unlink(a->tmp);
    }
    (void)done(a, LS_OK);
}

static ls_code set_mtime(const ls_atomic *a, int64_t ms, ls_err *err) {
    const struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000},
    };
    return futimens(a->fd, times) == 0 ? LS_OK
                                       : ls_fail_errno(err, errno, "set the time of %s", a->tmp);
}

/* All bytes to the disk, under a name that is still ours. */
static ls_code flush(const ls_atomic *a, int64_t mtime_ms, ls_err *err) {
    ls_code code = mtime_ms >= 0 ? set_mtime(a, mtime_ms, err) : LS_OK;
    if (code != LS_OK) {
        return code;
    }
    if (ls_fsync(a->fd) != 0) {
        return ls_fail_errno(err, errno, "fsync %s", a->tmp);
    }
    if (replaced(a)) {
        ls_fail(err, LS_EBUSY, "%s was replaced while it was written", a->tmp);
        return ls_hint(err, "another process writes the same file; stop one of the two");
    }
    return LS_OK;
}

/* Network file systems say only here that the disk was full. After EINTR it is closed too. */
static ls_code close_tmp(ls_atomic *a, ls_err *err) {
    int fd = a->fd;
    a->fd = -1;
    return close(fd) == 0 || errno == EINTR ? LS_OK : ls_fail_errno(err, errno, "close %s", a->tmp);
}

/* Where neither renameat2 nor link() works nothing can be exclusive: look, then rename. */
static int rename_if_absent(const char *from, const char *to) {
    struct stat st;
    if (lstat(to, &st) == 0) {
        errno = EEXIST;
        return -1;
    }
    return errno == ENOENT ? rename(from, to) : -1;
}

static int rename_exclusive(const char *from, const char *to) {
#ifdef RENAME_NOREPLACE
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) {
        return 0;
    }
    if (errno != EINVAL && errno != ENOSYS) {
        return -1;
    }
#endif
    if (link(from, to) == 0) {
        (void)unlink(from); /* left behind it is a .tmp file as any other */
        return 0;
    }
    bool no_links = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS || errno == EMLINK;
    return no_links ? rename_if_absent(from, to) : -1;
}

static ls_code publish(const ls_atomic *a, bool exclusive, ls_err *err) {
    int rc = exclusive ? rename_exclusive(a->tmp, a->path) : rename(a->tmp, a->path);
    if (rc == 0) {
        return LS_OK;
    }
    if (exclusive && errno == EEXIST) {
        return ls_fail(err, LS_EEXISTS, "%s exists already", a->path);
    }
    return ls_fail_errno(err, errno, "rename %s to %s", a->tmp, a->path);
}

ls_code ls_atomic_commit(ls_atomic *a, bool exclusive, int64_t mtime_ms, ls_err *err) {
    ls_code code = flush(a, mtime_ms, err);
    if (code == LS_OK) {
        code = close_tmp(a, err);
    }
    if (code == LS_OK) {
        code = publish(a, exclusive, err);
    }
    if (code != LS_OK) {
        ls_atomic_abort(a);
        return code;
    }
    a->active = false;
    code = ls_fsync_parent(a->path, err);
    if (code != LS_OK && exclusive) {
        (void)unlink(a->path); /* it is not known to stay, and nobody was told of it */
    }
    return done(a, code);
}

ls_code ls_atomic_leave(ls_atomic *a, char **tmp, ls_err *err) {
    ls_code code = close_tmp(a, err);
    if (code != LS_OK) {
        ls_atomic_abort(a);
        return code;
    }
    *tmp = a->tmp;
    a->tmp = NULL;
    return done(a, LS_OK);
}
