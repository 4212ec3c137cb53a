/*
 * The place of a restored database; see target.h.
 *
 * A log or journal beside the database belongs to the file that was there: SQLite would play it
 * over the restored one, silently. So none may be there, or force removes them, before the new file
 * has its name: a crash in between loses the log of a database that was to be replaced, and never
 * damages the new one.
 */
#include "engine/restore/target.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40

static const char *const sidecars[] = {"-wal", "-shm", "-journal"};
#define SIDECARS (sizeof sidecars / sizeof sidecars[0])

static ls_code no_memory(ls_err *err) { return ls_fail(err, LS_ENOMEM, "no memory to restore"); }

/* ---- where it is ---- */

/* Where the link at path leads; NULL if path is no link, also without memory. */
static char *link_target(const char *path) {
    char text[PATH_MAX];
    ssize_t n = readlink(path, text, sizeof text - 1);
    if (n <= 0) {
        return NULL;
    }
    text[n] = '\0';
    if (text[0] == '/') {
        return ls_asprintf("%s", text);
    }
    char *dir = ls_path_dir(path);
    char *target = dir != NULL ? ls_path_join(dir, text) : NULL;
    free(dir);
    return target;
}

static ls_code resolve(ls_target *t, const char *output, ls_err *err) {
    t->path = ls_asprintf("%s", output);
    for (int i = 0; t->path != NULL; i++) {
        char *next = link_target(t->path);
        if (next == NULL) {
            return LS_OK;
        }
        free(t->path);
        t->path = next;
        if (i == LINKS_MAX) {
            return ls_fail(err, LS_EINVALID, "cannot restore, too many symbolic links: %s", output);
        }
    }
    return no_memory(err);
}

/* ---- what is there ---- */

static ls_code check_main(ls_target *t, const char *output, ls_err *err) {
    if (lstat(t->path, &t->st) != 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? LS_OK
                   : ls_fail_errno(err, errno, "cannot restore, stat %s", output);
    }
    t->existed = true;
    if (S_ISDIR(t->st.st_mode)) {
        ls_fail(err, LS_EEXISTS, "cannot restore, output path is a directory: %s", output);
        return ls_hint(err, "name a file in it");
    }
    if (!S_ISREG(t->st.st_mode)) {
        return ls_fail(err, LS_EEXISTS, "cannot restore, output path is not a file: %s", output);
    }
    if (t->st.st_size > 0 && !t->force) {
        return ls_fail(err, LS_EEXISTS,
                       "cannot restore, output path already exists and is not empty: %s. "
                       "Use -force to overwrite",
                       output);
    }
    return LS_OK;
}

static ls_code sidecar_path(const ls_target *t, size_t i, char **path, ls_err *err) {
    *path = ls_asprintf("%s%s", t->path, sidecars[i]);
    return *path != NULL ? LS_OK : no_memory(err);
}

static ls_code check_sidecar(const ls_target *t, size_t i, ls_err *err) {
    char *path;
    ls_code code = sidecar_path(t, i, &path, err);
    if (code != LS_OK) {
        return code;
    }
    struct stat st;
    if (lstat(path, &st) == 0) {
        if (S_ISDIR(st.st_mode)) {
            code = ls_fail(err, LS_EEXISTS, "cannot restore, a folder is in the way: %s", path);
        } else if (!t->force) {
            code = ls_fail(err, LS_EEXISTS,
                           "cannot restore, SQLite sidecar path already exists: %s. "
                           "Use -force to overwrite",
                           path);
            (void)ls_hint(err, "it belongs to a database that was there and would be played over "
                               "the restored one; remove it if it is not needed");
        }
    } else if (errno != ENOENT && errno != ENOTDIR) {
        code = ls_fail_errno(err, errno, "cannot restore, stat %s", path);
    }
    free(path);
    return code;
}

static ls_code check_sidecars(const ls_target *t, ls_err *err) {
    ls_code code = LS_OK;
    for (size_t i = 0; i < SIDECARS && code == LS_OK; i++) {
        code = check_sidecar(t, i, err);
    }
    return code;
}

ls_code ls_target_check(ls_target *t, const char *output, bool force, ls_err *err) {
    *t = (ls_target){.force = force, .out = {.fd = -1}};
    if (output == NULL || output[0] == '\0') {
        return ls_fail(err, LS_EINVALID, "output path required");
    }
    ls_code code = resolve(t, output, err);
    if (code == LS_OK) {
        code = check_main(t, output, err);
    }
    return code == LS_OK ? check_sidecars(t, err) : code;
}

/* ---- making it ---- */

static ls_code make_parents(const ls_target *t, ls_err *err) {
    char *dir = ls_path_dir(t->path);
    if (dir == NULL) {
        return no_memory(err);
    }
    ls_code code = ls_mkdirs(dir, &LS_PERM_PRIVATE, err);
    free(dir);
    return code;
}

ls_code ls_target_begin(ls_target *t, ls_err *err) {
    ls_code code = make_parents(t, err);
    if (code != LS_OK) {
        return code;
    }
    const ls_perm as_before = {.file_mode = t->st.st_mode & 0777,
                               .dir_mode = 0700,
                               .uid = t->st.st_uid,
                               .gid = t->st.st_gid};
    return ls_atomic_begin(&t->out, t->path, t->existed ? &as_before : NULL, err);
}

/* Somebody may have made a database there while we worked. */
static ls_code check_again(const ls_target *t, ls_err *err) {
    ls_target now = {.path = t->path, .force = t->force};
    ls_code code = check_main(&now, t->path, err);
    return code == LS_OK ? check_sidecars(t, err) : code;
}

static ls_code remove_sidecars(const ls_target *t, ls_err *err) {
    ls_code code = LS_OK;
    bool removed = false;
    for (size_t i = 0; i < SIDECARS && code == LS_OK; i++) {
        char *path;
        code = sidecar_path(t, i, &path, err);
        if (code == LS_OK && unlink(path) == 0) {
            removed = true;
        } else if (code == LS_OK && errno != ENOENT) {
            code = ls_fail_errno(err, errno, "delete %s", path);
        }
        free(path);
    }
    return code == LS_OK && removed ? ls_fsync_parent(t->path, err) : code;
}

ls_code ls_target_commit(ls_target *t, ls_err *err) {
    if (ls_fsync(t->out.fd) != 0) {
        return ls_fail_errno(err, errno, "fsync %s", t->out.tmp);
    }
    ls_code code = check_again(t, err);
    if (code == LS_OK) {
        code = remove_sidecars(t, err);
    }
    return code == LS_OK ? ls_atomic_commit(&t->out, !t->existed && !t->force, -1, err) : code;
}

void ls_target_done(ls_target *t) {
    ls_atomic_abort(&t->out);
    free(t->path);
    t->path = NULL;
}
