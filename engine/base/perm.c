/*
 * Modes and owners: taken from a database, given to what lies beside it; folders made with them.
 */
#include "engine/base/perm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

ls_code ls_perm_apply(int fd, const ls_perm *perm, mode_t mode, const char *path, ls_err *err) {
    /* Owner first: it clears bits of the mode. Only root may give a file away; a group that the
     * process belongs to anyone may set. */
    bool given = fchown(fd, perm->uid, perm->gid) == 0 || fchown(fd, (uid_t)-1, perm->gid) == 0;
    (void)given;
    if (fchmod(fd, mode & 07777) != 0) {
        return ls_fail_errno(err, errno, "set the mode of %s", path);
    }
    return LS_OK;
}

static ls_code stat_dir_of(const char *path, struct stat *st, ls_err *err) {
    char *dir = ls_path_dir(path);
    if (dir == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for the folder of %s", path);
    }
    ls_code code = stat(dir, st) == 0 ? LS_OK : ls_fail_errno(err, errno, "stat %s", dir);
    free(dir);
    return code;
}

ls_code ls_perm_of_db(const char *db_path, ls_perm *perm, ls_err *err) {
    struct stat file;
    struct stat dir;
    *perm = LS_PERM_PRIVATE;
    if (stat(db_path, &file) != 0) {
        return ls_fail_errno(err, errno, "stat %s", db_path);
    }
    ls_code code = stat_dir_of(db_path, &dir, err);
    if (code != LS_OK) {
        return code;
    }
    perm->file_mode = file.st_mode & 0777;
    perm->dir_mode = dir.st_mode & 07777;
    if ((dir.st_mode & S_ISVTX) != 0) {
        /* A folder like /tmp: that all may write there is no wish to share the backup's files. */
        perm->dir_mode &= (mode_t) ~(S_ISVTX | S_IWGRP | S_IWOTH);
    }
    perm->uid = file.st_uid;
    perm->gid = file.st_gid;
    return LS_OK;
}

static bool is_dir(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static ls_code finish_dir(const char *path, const ls_perm *perm, ls_err *err) {
    int fd = ls_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    ls_code code = ls_perm_apply(fd, perm, perm->dir_mode, path, err);
    (void)close(fd);
    return code == LS_OK ? ls_fsync_parent(path, err) : code;
}

/* A new folder that is not all it should be is removed: the next try would take it as it is. */
static ls_code finish_new_dir(const char *path, const ls_perm *perm, ls_err *err) {
    /* A umask may have taken the right to open it. */
    ls_code code = chmod(path, 0700) == 0 ? finish_dir(path, perm, err)
                                          : ls_fail_errno(err, errno, "create folder %s", path);
    if (code != LS_OK) {
        (void)rmdir(path);
    }
    return code;
}

/* Makes one folder unless it is there; its parent is. */
static ls_code make_dir(const char *path, const ls_perm *perm, ls_err *err) {
    if (is_dir(path)) {
        return LS_OK;
    }
    if (mkdir(path, 0700) == 0) {
        return finish_new_dir(path, perm, err);
    }
    int saved = errno;
    if (saved == EEXIST && is_dir(path)) { /* somebody else was faster */
        return LS_OK;
    }
    if (saved == EEXIST || saved == ENOTDIR) {
        return ls_fail(err, LS_EEXISTS, "create folder %s: a file of that name is in the way",
                       path);
    }
    return ls_fail_errno(err, saved, "create folder %s", path);
}

ls_code ls_mkdirs(const char *path, const ls_perm *perm, ls_err *err) {
    if (is_dir(path)) {
        return LS_OK;
    }
    if (path[0] == '\0') {
        return ls_fail(err, LS_EINVALID, "the path of a folder is empty");
    }
    char *part = strdup(path);
    if (part == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to create folder %s", path);
    }
    ls_code code = LS_OK;
    for (size_t at = strspn(part, "/"); code == LS_OK && part[at] != '\0';) {
        at += strcspn(part + at, "/");
        char kept = part[at];
        part[at] = '\0';
        code = make_dir(part, perm, err);
        part[at] = kept;
        at += strspn(part + at, "/");
    }
    free(part);
    return code;
}
