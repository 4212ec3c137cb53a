/*
 * Walks a folder of the file store. One descriptor is open for each part of the key at hand, whose
 * number is bounded; links that lead in a circle end there too. What goes while it is walked is
 * passed over.
 */
#include "backends/file_objects.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct walk {
    char key[LS_OBJECT_KEY_MAX + 1]; /* of the folder or file at hand */
    ls_object_fn fn;
    void *arg;
} walk;

static ls_code walk_folder(walk *w, int parent, const char *name, ls_err *err);

/* The file or folder that w->key names, name in its folder. */
static ls_code walk_entry(walk *w, int dir, const char *name, ls_err *err) {
    struct stat st;
    if (fstatat(dir, name, &st, 0) != 0) {
        return errno == ENOENT || errno == ELOOP ? LS_OK
                                                 : ls_fail_errno(err, errno, "stat %s", w->key);
    }
    if (S_ISDIR(st.st_mode)) {
        return walk_folder(w, dir, name, err);
    }
    if (!S_ISREG(st.st_mode)) {
        return LS_OK;
    }
    const ls_object object = {
        .key = w->key,
        .size = (uint64_t)st.st_size,
        .modified_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000,
    };
    return w->fn(w->arg, &object, err);
}

/* Puts name behind the folder's key; false if that is no key. */
static bool enter(walk *w, size_t len, const char *name) {
    size_t more = strlen(name);
    if (len + 1 + more > LS_OBJECT_KEY_MAX) {
        return false;
    }
    w->key[len] = '/';
    memcpy(w->key + len + 1, name, more + 1);
    return ls_object_key_valid(w->key);
}

static ls_code walk_entries(walk *w, DIR *d, ls_err *err) {
    size_t len = strlen(w->key);
    ls_code code = LS_OK;
    while (code == LS_OK) {
        errno = 0;
        const struct dirent *de = readdir(d);
        if (de == NULL) {
            return errno == 0 ? LS_OK : ls_fail_errno(err, errno, "read folder %s", w->key);
        }
        if (enter(w, len, de->d_name)) {
            code = walk_entry(w, dirfd(d), de->d_name, err);
        }
        w->key[len] = '\0';
    }
    return code;
}

static ls_code walk_folder(walk *w, int parent, const char *name, ls_err *err) {
    int fd = ls_openat(parent, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) {
        return errno == ENOENT || errno == ENOTDIR
                   ? LS_OK
                   : ls_fail_errno(err, errno, "open folder %s", w->key);
    }
    DIR *d = fdopendir(fd);
    if (d == NULL) {
        ls_code code = ls_fail_errno(err, errno, "open folder %s", w->key);
        (void)close(fd);
        return code;
    }
    ls_code code = walk_entries(w, d, err);
    (void)closedir(d);
    return code;
}

ls_code ls_file_each_object(const char *root, const char *folder, ls_object_fn fn, void *arg,
                            ls_err *err) {
    walk w = {.fn = fn, .arg = arg};
    (void)snprintf(w.key, sizeof w.key, "%s", folder);
    int fd = ls_open(root, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0) {
        return errno == ENOENT ? LS_OK : ls_fail_errno(err, errno, "open folder %s", root);
    }
    ls_code code = walk_folder(&w, fd, folder, err);
    (void)close(fd);
    return code == LS_OK ? LS_OK : ls_wrap(err, "%s", root);
}
