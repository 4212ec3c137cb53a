/*
 * Files as this program writes them: whole or not at all, and on the disk before anyone is told.
 *
 * An ls_atomic writes to "<path>.tmp", then fsync, rename (or link, where an existing file must
 * not be replaced) and fsync of the folder. What a crash leaves is a .tmp file, which the owner of
 * the folder removes at its next start.
 */
#ifndef LS_BASE_FILE_H
#define LS_BASE_FILE_H

#include "engine/base/error.h"

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Mode and owner for new files and folders; taken from the database they belong to. */
typedef struct ls_perm {
    mode_t file_mode; /* exact, whatever the umask */
    mode_t dir_mode;
    uid_t uid; /* (uid_t)-1: leave as created */
    gid_t gid;
} ls_perm;

/* Perm that changes nothing: files 0600, folders 0700, owner as created. */
#define LS_PERM_PRIVATE                                                                            \
    (ls_perm) { .file_mode = 0600, .dir_mode = 0700, .uid = (uid_t)-1, .gid = (gid_t)-1 }

/* The permissions that files beside a database get: mode and owner of the database file, folders
 * mode and owner of its parent folder. LS_ENOTFOUND if the database does not exist. */
LS_MUST ls_code ls_perm_of_db(const char *db_path, ls_perm *perm, ls_err *err);

/* Creates a folder and its missing parents, each with perm's mode and, best effort, owner. New
 * folders are made durable (fsync of the parent). An existing folder is left as it is. */
LS_MUST ls_code ls_mkdirs(const char *path, const ls_perm *perm, ls_err *err);

/* open(2) and openat(2) with O_CLOEXEC, and fsync(2), again after a signal (file systems of a
 * network or of user space are interrupted by one). -1 with errno set. */
LS_MUST int ls_open(const char *path, int flags, mode_t mode);
LS_MUST int ls_openat(int dir_fd, const char *path, int flags, mode_t mode);
LS_MUST int ls_fsync(int fd);

/* fsync of a folder, so that a rename in it survives power loss. */
LS_MUST ls_code ls_fsync_dir(const char *path, ls_err *err);

/* fsync of the folder that holds path. */
LS_MUST ls_code ls_fsync_parent(const char *path, ls_err *err);

typedef struct ls_atomic {
    int fd;     /* open for writing while active */
    char *path; /* owned: final name */
    char *tmp;  /* owned: path + ".tmp" */
    bool active;
} ls_atomic;

/* Opens path + ".tmp" (removing what a crash left there) with perm; NULL: 0666 less the umask. */
LS_MUST ls_code ls_atomic_begin(ls_atomic *a, const char *path, const ls_perm *perm, ls_err *err);

/* Puts the file at from, whole as it is, into the place of what was begun and not written yet: it
 * is moved, with the permissions of perm. *taken is false where that cannot be (another file
 * system): nothing has happened then. */
LS_MUST ls_code ls_atomic_take(ls_atomic *a, const char *from, const ls_perm *perm, bool *taken,
                               ls_err *err);

/* fsync, rename to the final name, fsync of the folder. With exclusive an existing file is not
 * replaced (LS_EEXISTS), and after an error there is none. Otherwise the error of the last step
 * leaves the new file, whole, under a name that a power loss may take from it. mtime_ms >= 0 sets
 * the modification time (ms since 1970) first. After either outcome the ls_atomic is done and the
 * temporary file is gone. */
LS_MUST ls_code ls_atomic_commit(ls_atomic *a, bool exclusive, int64_t mtime_ms, ls_err *err);

/* Closes the file and leaves it under its temporary name, not synced: for what is read once and
 * then removed. *tmp, that name, is the caller's to free. */
LS_MUST ls_code ls_atomic_leave(ls_atomic *a, char **tmp, ls_err *err);

/* Gives up: closes and unlinks the temporary file. No-op when not active. */
void ls_atomic_abort(ls_atomic *a);

/* pread/pwrite that go on after EINTR and short counts. ls_pread_full sets *got < len only at the
 * end of the file. name is for the error. */
LS_MUST ls_code ls_pread_full(int fd, void *buf, size_t len, int64_t off, size_t *got,
                              const char *name, ls_err *err);
LS_MUST ls_code ls_pwrite_full(int fd, const void *buf, size_t len, int64_t off, const char *name,
                               ls_err *err);
LS_MUST ls_code ls_write_full(int fd, const void *buf, size_t len, const char *name, ls_err *err);

/* Reads a whole file of at most max bytes into a malloc'd, NUL-terminated block (caller frees). */
LS_MUST ls_code ls_read_file(const char *path, size_t max, char **data, size_t *len, ls_err *err);

/* Copies size bytes from in (offset 0) to out (offset 0): reflink where the file system can, else
 * inside the kernel, else through memory. LS_EIO if in is shorter. */
LS_MUST ls_code ls_copy_fd(int in, int out, uint64_t size, const char *name, ls_err *err);

/* Removes a folder and all below it; LS_OK if it does not exist. Does not follow links. */
LS_MUST ls_code ls_remove_tree(const char *path, ls_err *err);

/* Path text; each result is malloc'd (caller frees), NULL without memory. */
LS_MUST char *ls_path_join(const char *dir, const char *name);
LS_MUST char *ls_path_dir(const char *path);      /* as dirname(3): "." without a slash */
const char *ls_path_base(const char *path);       /* points into path */
LS_MUST char *ls_path_clean(const char *path);    /* no "//", "/./", "x/.."; as Go's path.Clean */
LS_MUST char *ls_path_absolute(const char *path); /* against the working folder, cleaned */

/* strdup-like printf into exact memory; NULL without memory. */
LS_MUST char *ls_asprintf(const char *fmt, ...) LS_PRINTF(1, 2);

#endif
