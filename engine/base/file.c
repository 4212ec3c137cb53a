/*
 * Reading, writing, copying and removing whole files, and fsync of folders. See file.h; modes and
 * folders are in perm.c, ls_atomic in atomic.c, path text in path.c.
 */
#include "engine/base/file.h"

#include "engine/base/buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/fs.h>
#endif

#define CHUNK (256 * 1024)
#define TREE_DEPTH_MAX 64 /* each level holds a descriptor */

/* ---- open and fsync ---- */

int ls_openat(int dir_fd, const char *path, int flags, mode_t mode) {
    int fd;
    do {
        fd = openat(dir_fd, path, flags | O_CLOEXEC, mode);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

int ls_open(const char *path, int flags, mode_t mode) {
    return ls_openat(AT_FDCWD, path, flags, mode);
}

int ls_fsync(int fd) {
    int rc;
    do {
        rc = fsync(fd);
    } while (rc != 0 && errno == EINTR);
    return rc;
}

ls_code ls_fsync_dir(const char *path, ls_err *err) {
    int fd = ls_open(path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    ls_code code = LS_OK;
    /* EINVAL: a file system that has no fsync of folders and keeps them in order itself. */
    if (ls_fsync(fd) != 0 && errno != EINVAL && errno != EOPNOTSUPP) {
        code = ls_fail_errno(err, errno, "fsync %s", path);
    }
    (void)close(fd);
    return code;
}

ls_code ls_fsync_parent(const char *path, ls_err *err) {
    char *dir = ls_path_dir(path);
    if (dir == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for the folder of %s", path);
    }
    ls_code code = ls_fsync_dir(dir, err);
    free(dir);
    return code;
}

/* ---- reading and writing ---- */

ls_code ls_pread_full(int fd, void *buf, size_t len, int64_t off, size_t *got, const char *name,
                      ls_err *err) {
    *got = 0;
    while (*got < len) {
        ssize_t n = pread(fd, (char *)buf + *got, len - *got, (off_t)(off + (int64_t)*got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return ls_fail_errno(err, errno, "read %s at %lld", name,
                                 (long long)(off + (int64_t)*got));
        }
        if (n == 0) {
            break;
        }
        *got += (size_t)n;
    }
    return LS_OK;
}

ls_code ls_pwrite_full(int fd, const void *buf, size_t len, int64_t off, const char *name,
                       ls_err *err) {
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(fd, (const char *)buf + done, len - done, (off_t)(off + (int64_t)done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return ls_fail_errno(err, n < 0 ? errno : EIO, "write %s at %lld", name,
                                 (long long)(off + (int64_t)done));
        }
        done += (size_t)n;
    }
    return LS_OK;
}

ls_code ls_write_full(int fd, const void *buf, size_t len, const char *name, ls_err *err) {
    for (size_t done = 0; done < len;) {
        ssize_t n = write(fd, (const char *)buf + done, len - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return ls_fail_errno(err, n < 0 ? errno : EIO, "write %s", name);
        }
        done += (size_t)n;
    }
    return LS_OK;
}

/* Reads to the end into b, whose maximum is one byte more than the file may have. */
static ls_code read_to_end(int fd, ls_buf *b, const char *path, ls_err *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return ls_fail_errno(err, errno, "stat %s", path);
    }
    size_t want = st.st_size > 0 && (uint64_t)st.st_size < b->max ? (size_t)st.st_size + 1 : CHUNK;
    while (b->len < b->max) {
        size_t len = want < b->max - b->len ? want : b->max - b->len;
        ls_code code = ls_buf_reserve(b, len, err);
        if (code != LS_OK) {
            return ls_wrap(err, "read %s", path);
        }
        ssize_t n = read(fd, b->data + b->len, len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return ls_fail_errno(err, errno, "read %s", path);
        }
        b->len += (size_t)n;
        b->data[b->len] = '\0';
        if (n == 0) {
            return LS_OK;
        }
        want = CHUNK;
    }
    return ls_fail(err, LS_ELIMIT, "%s has more than %zu bytes", path, b->max - 1);
}

ls_code ls_read_file(const char *path, size_t max, char **data, size_t *len, ls_err *err) {
    *data = NULL;
    *len = 0;
    int fd = ls_open(path, O_RDONLY, 0);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    ls_buf b;
    ls_buf_init(&b, max < SIZE_MAX - 1 ? max + 1 : max);
    ls_code code = read_to_end(fd, &b, path, err);
    (void)close(fd);
    if (code == LS_OK) {
        *len = b.len;
        *data = ls_buf_steal(&b);
        return *data != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory to read %s", path);
    }
    ls_buf_done(&b);
    return code;
}

/* ---- copying ---- */

/* Shares the blocks, where the file system can; false: nothing was done. */
static bool reflink(int in, int out, uint64_t size) {
#ifdef FICLONERANGE
    struct stat st;
    if (size == 0 || fstat(in, &st) != 0 || (uint64_t)st.st_size < size) {
        return false;
    }
    /* A length of 0 reaches to the end of the file and need not be a multiple of the block size. */
    const struct file_clone_range range = {.src_fd = in,
                                           .src_length = (uint64_t)st.st_size == size ? 0 : size};
    return ioctl(out, FICLONERANGE, &range) == 0;
#else
    (void)in, (void)out, (void)size;
    return false;
#endif
}

/* Copies inside the kernel as far as that works; what it does not do the caller copies. */
static uint64_t copy_in_kernel(int in, int out, uint64_t size) {
    uint64_t done = 0;
#ifdef __linux__
    while (done < size) {
        off_t from = (off_t)done;
        off_t to = (off_t)done;
        uint64_t left = size - done;
        size_t len = left < ((uint64_t)1 << 30) ? (size_t)left : (size_t)1 << 30;
        ssize_t n = copy_file_range(in, &from, out, &to, len, 0);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            break;
        }
        done += (uint64_t)n;
    }
#else
    (void)in, (void)out, (void)size;
#endif
    return done;
}

static ls_code copy_through_memory(int in, int out, uint64_t from, uint64_t size, const char *name,
                                   ls_err *err) {
    char *chunk = malloc(CHUNK);
    if (chunk == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to copy %s", name);
    }
    ls_code code = LS_OK;
    while (code == LS_OK && from < size) {
        size_t len = size - from < CHUNK ? (size_t)(size - from) : CHUNK;
        size_t got;
        code = ls_pread_full(in, chunk, len, (int64_t)from, &got, name, err);
        if (code == LS_OK && got < len) {
            code = ls_fail(err, LS_EIO, "copy %s: it ends at byte %llu of %llu", name,
                           (unsigned long long)(from + got), (unsigned long long)size);
        }
        if (code == LS_OK) {
            code = ls_pwrite_full(out, chunk, len, (int64_t)from, name, err);
        }
        from += len;
    }
    free(chunk);
    return code;
}

ls_code ls_copy_fd(int in, int out, uint64_t size, const char *name, ls_err *err) {
    if (size > (uint64_t)INT64_MAX) {
        return ls_fail(err, LS_ELIMIT, "copy %s: no file has %llu bytes", name,
                       (unsigned long long)size);
    }
    if (reflink(in, out, size)) {
        return LS_OK;
    }
    uint64_t done = copy_in_kernel(in, out, size);
    return done < size ? copy_through_memory(in, out, done, size, name, err) : LS_OK;
}

/* ---- removing ---- */

static ls_code remove_entry(int dir_fd, const char *name, const char *path, int depth, ls_err *err);

static ls_code remove_entries(DIR *dir, const char *path, int depth, ls_err *err) {
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            return errno == 0 ? LS_OK : ls_fail_errno(err, errno, "list %s", path);
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        ls_code code = remove_entry(dirfd(dir), entry->d_name, path, depth, err);
        if (code != LS_OK) {
            return code;
        }
    }
}

/* Empties the folder name in dir_fd. */
static ls_code empty_dir(int dir_fd, const char *name, const char *path, int depth, ls_err *err) {
    if (depth >= TREE_DEPTH_MAX) {
        return ls_fail(err, LS_ELIMIT, "remove %s: more than %d folders deep", path,
                       TREE_DEPTH_MAX);
    }
    int fd = ls_openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        int saved = errno;
        if (fd >= 0) {
            (void)close(fd);
        }
        return ls_fail_errno(err, saved, "open %s below %s", name, path);
    }
    ls_code code = remove_entries(dir, path, depth + 1, err);
    (void)closedir(dir);
    return code;
}

/* path is the root of what is removed, for the error. What is gone already is no error. */
static ls_code remove_entry(int dir_fd, const char *name, const char *path, int depth,
                            ls_err *err) {
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT) {
        return LS_OK;
    }
    int saved = errno;
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode)) {
        return ls_fail_errno(err, saved, "remove %s below %s", name, path);
    }
    ls_code code = empty_dir(dir_fd, name, path, depth, err);
    if (code != LS_OK) {
        return code;
    }
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        return ls_fail_errno(err, errno, "remove %s below %s", name, path);
    }
    return LS_OK;
}

ls_code ls_remove_tree(const char *path, ls_err *err) {
    return remove_entry(AT_FDCWD, path, path, 0, err);
}
