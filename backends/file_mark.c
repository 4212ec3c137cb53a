/*
 * A mark as a file: who writes it holds flock(2) on it, so that it is changed by one process at a
 * time, and the system knows whether that one still lives.
 *
 * The file is written in place and never removed: a lock belongs to the file, not to its name, and
 * two files under one name would have two holders. An empty file is a mark that is not there.
 */
#include "backends/file_mark.h"

#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/ltx/crc64.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Readers lock for a moment to see whether somebody else has. */
#define LOCK_TRIES 10
#define LOCK_PAUSE_NS (10 * LS_MS)

static void tag_of(ls_mark *mark) {
    if (mark->len == 0) {
        mark->tag[0] = '\0';
    } else {
        (void)snprintf(mark->tag, sizeof mark->tag, "%016" PRIx64,
                       ls_crc64(0, mark->text, mark->len));
    }
}

static ls_code look(int fd, const char *path, ls_mark *mark, ls_err *err) {
    struct stat st;
    char text[LS_MARK_MAX + 1];
    if (fstat(fd, &st) != 0) {
        return ls_fail_errno(err, errno, "stat %s", path);
    }
    if (!S_ISREG(st.st_mode)) {
        return ls_fail(err, LS_EINVALID, "%s is not a regular file", path);
    }
    ls_code code = ls_pread_full(fd, text, sizeof text, 0, &mark->len, path, err);
    if (code == LS_OK && mark->len > LS_MARK_MAX) {
        mark->len = 0;
        return ls_fail(err, LS_ELIMIT, "%s is longer than %d bytes", path, LS_MARK_MAX);
    }
    if (code == LS_OK) {
        memcpy(mark->text, text, mark->len);
        mark->text[mark->len] = '\0';
        int64_t written = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
        int64_t age = ls_wall_ms(&ls_clock_system) - written;
        mark->age_ms = age > 0 ? age : 0;
        tag_of(mark);
    }
    return code;
}

static int lock(int fd, int how) {
    int rc;
    do {
        rc = flock(fd, how | LOCK_NB);
    } while (rc != 0 && errno == EINTR);
    return rc;
}

static ls_mark_writer writer_of(int fd) {
    if (lock(fd, LOCK_SH) == 0) {
        (void)flock(fd, LOCK_UN);
        return LS_MARK_GONE;
    }
    return errno == EWOULDBLOCK ? LS_MARK_ALIVE : LS_MARK_UNKNOWN;
}

ls_code ls_file_mark_get(const ls_file_mark *m, const char *path, ls_mark *mark, ls_err *err) {
    int fd = ls_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    ls_code code = look(fd, path, mark, err);
    if (code == LS_OK && mark->len == 0) {
        code = ls_fail(err, LS_ENOTFOUND, "%s is empty", path);
    } else if (code == LS_OK) {
        mark->writer = m->fd >= 0 ? LS_MARK_GONE : writer_of(fd); /* ours: no one else's */
    }
    (void)close(fd);
    return code;
}

/* ---- writing ---- */

static int open_or_make(const char *path, const ls_perm *perm) {
    int fd = ls_open(path, O_RDWR | O_NONBLOCK, 0);
    if (fd >= 0 || errno != ENOENT) {
        return fd;
    }
    fd = ls_open(path, O_RDWR | O_CREAT | O_EXCL | O_NONBLOCK, perm->file_mode);
    if (fd < 0 && errno == EEXIST) {
        return ls_open(path, O_RDWR | O_NONBLOCK, 0);
    }
    if (fd >= 0) {
        (void)!fchmod(fd, perm->file_mode);
        (void)!fchown(fd, perm->uid, perm->gid);
    }
    return fd;
}

static ls_code open_file(const char *path, const ls_perm *perm, int *fd, ls_err *err) {
    *fd = open_or_make(path, perm);
    if (*fd < 0 && errno == ENOENT) {
        char *dir = ls_path_dir(path);
        ls_code code = dir != NULL ? ls_mkdirs(dir, perm, err)
                                   : ls_fail(err, LS_ENOMEM, "no memory to create %s", path);
        free(dir);
        if (code != LS_OK) {
            return code;
        }
        *fd = open_or_make(path, perm);
    }
    return *fd >= 0 ? LS_OK : ls_fail_errno(err, errno, "create %s", path);
}

static ls_code take_lock(int fd, const char *path, ls_err *err) {
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (lock(fd, LOCK_EX) == 0) {
            return LS_OK;
        }
        if (errno != EWOULDBLOCK) {
            (void)ls_fail_errno(err, errno, "lock %s", path);
            return ls_hint(err, "the file system of a replica with a lease must have locks");
        }
        (void)ls_pause(LOCK_PAUSE_NS, NULL);
    }
    return ls_fail(err, LS_EEXISTS, "%s is locked by another process", path);
}

/* Is it the file at path? Somebody may have removed that. */
static bool is_at(int fd, const char *path) {
    struct stat ours, theirs;
    return fstat(fd, &ours) == 0 && stat(path, &theirs) == 0 && ours.st_dev == theirs.st_dev &&
           ours.st_ino == theirs.st_ino;
}

static ls_code write_mark(int fd, const char *path, const ls_mark *mark, ls_err *err) {
    ls_code code = ls_pwrite_full(fd, mark->text, mark->len, 0, path, err);
    if (code == LS_OK && (ftruncate(fd, (off_t)mark->len) != 0 || ls_fsync(fd) != 0)) {
        code = ls_fail_errno(err, errno, "write %s", path);
    }
    return code;
}

static ls_code replace(int fd, const char *path, ls_mark *mark, ls_err *err) {
    ls_mark there = {0};
    ls_code code = look(fd, path, &there, err);
    if (code == LS_OK && (strcmp(there.tag, mark->tag) != 0 || !is_at(fd, path))) {
        code = ls_fail(err, LS_EEXISTS, "%s was changed", path);
    }
    if (code == LS_OK) {
        code = write_mark(fd, path, mark, err);
    }
    if (code == LS_OK) {
        tag_of(mark);
    }
    return code;
}

ls_code ls_file_mark_put(ls_file_mark *m, const char *path, const ls_perm *perm, ls_mark *mark,
                         bool keep, ls_err *err) {
    bool had = m->fd >= 0;
    ls_code code = had ? LS_OK : open_file(path, perm, &m->fd, err);
    if (code == LS_OK && !had) {
        code = take_lock(m->fd, path, err);
    }
    if (code == LS_OK) {
        code = replace(m->fd, path, mark, err);
    }
    if (code == LS_OK && !had) {
        code = ls_fsync_parent(path, err);
    }
    /* What was not replaced is another's; any other failure may pass, and who had it keeps it. */
    if (code == LS_OK ? !keep : !had || (code == LS_EEXISTS && !is_at(m->fd, path))) {
        ls_file_mark_close(m);
    }
    return code;
}

void ls_file_mark_close(ls_file_mark *m) {
    if (m->fd >= 0) {
        (void)close(m->fd);
        m->fd = -1;
    }
}
