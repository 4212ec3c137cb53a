/*
 * Listing of one level's folder in ascending (MinTXID, MaxTXID) order.
 *
 * A folder is in no order and may hold any number of files: window.h sorts. Size and time are asked
 * for when a file is given out.
 */
#include "backends/file_list.h"

#include "backends/window.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

typedef struct folder {
    ls_window_source base;
    char *dir;
    DIR *d; /* NULL until it is first read and where there is no folder */
} folder;

static ls_code read_names(folder *f, ls_window *w, ls_err *err) {
    for (;;) {
        errno = 0;
        const struct dirent *de = readdir(f->d);
        if (de == NULL) {
            return errno == 0 ? LS_OK : ls_fail_errno(err, errno, "read folder %s", f->dir);
        }
        ls_code code = ls_window_add(w, de->d_name, 0, 0, err);
        if (code != LS_OK) {
            return ls_wrap(err, "read folder %s", f->dir);
        }
    }
}

static ls_code scan(ls_window_source *src, ls_window *w, ls_err *err) {
    folder *f = (folder *)src;
    if (f->d != NULL) {
        rewinddir(f->d);
    } else {
        f->d = opendir(f->dir);
    }
    if (f->d == NULL) {
        return errno == ENOENT ? LS_OK : ls_fail_errno(err, errno, "open folder %s", f->dir);
    }
    return read_names(f, w, err);
}

/* LS_ENOTFOUND for what is gone meanwhile or is no file. */
static ls_code look(ls_window_source *src, ls_ltx_info *file, ls_err *err) {
    const folder *f = (folder *)src;
    char name[LS_LTX_NAME_SIZE];
    struct stat st;
    if (fstatat(dirfd(f->d), ls_ltx_name_format(file->min_txid, file->max_txid, name), &st, 0) !=
        0) {
        return ls_fail_errno(err, errno, "stat %s/%s", f->dir, name);
    }
    if (!S_ISREG(st.st_mode)) {
        return ls_fail(err, LS_ENOTFOUND, "%s/%s is not a file", f->dir, name);
    }
    file->size = (uint64_t)st.st_size;
    file->created_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    return LS_OK;
}

static void folder_free(ls_window_source *src) {
    folder *f = (folder *)src;
    if (f->d != NULL) {
        (void)closedir(f->d);
    }
    free(f->dir);
    free(f);
}

ls_code ls_file_list(char *dir, int level, ls_txid seek, ls_storage_iter **it, ls_err *err) {
    folder *f = calloc(1, sizeof *f);
    if (f == NULL) {
        ls_code code = ls_fail(err, LS_ENOMEM, "no memory to list %s", dir);
        free(dir);
        return code;
    }
    f->base = (ls_window_source){.level = level, .scan = scan, .look = look, .free = folder_free};
    f->dir = dir;
    return ls_window_list(&f->base, seek, it, err);
}
