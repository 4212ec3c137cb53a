/*
 * Listing of one level's folder in ascending (MinTXID, MaxTXID) order.
 *
 * A folder is in no order and may hold any number of files. The iterator keeps a window of the
 * smallest names behind the last one it gave, 16 bytes each, and reads the folder again for the
 * next window: memory is a constant, and one reading serves every folder of up to WINDOW files.
 * Size and time are asked for when a file is given out.
 */
#include "backends/file_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Names kept when a window is full; twice as many are collected before the larger half goes. */
#ifndef LS_FILE_LIST_WINDOW
#define LS_FILE_LIST_WINDOW 65536
#endif
#define WINDOW ((size_t)LS_FILE_LIST_WINDOW)
#define FIRST_CAP 256

typedef struct entry {
    ls_txid min, max;
} entry;

typedef struct file_iter {
    ls_storage_iter base;
    char *dir;
    DIR *d; /* NULL until it is first read and where there is no folder */
    int level;
    entry *window;
    size_t n, cap, pos;
    entry after;  /* entries up to this one were given out or lie before seek */
    entry bound;  /* where the window was cut */
    bool cut;     /* entries behind bound exist */
    bool started; /* the folder was read at least once */
} file_iter;

static int entry_cmp(const void *a, const void *b) {
    const entry *x = a;
    const entry *y = b;
    if (x->min != y->min) {
        return x->min < y->min ? -1 : 1;
    }
    return x->max != y->max ? (x->max < y->max ? -1 : 1) : 0;
}

static void sort_window(file_iter *f) {
    if (f->n > 1) { /* qsort must not be given a NULL array */
        qsort(f->window, f->n, sizeof *f->window, entry_cmp);
    }
}

static void cut_window(file_iter *f) {
    sort_window(f);
    f->n = WINDOW;
    f->bound = f->window[f->n - 1];
    f->cut = true;
}

static ls_code add_entry(file_iter *f, entry e, ls_err *err) {
    if (entry_cmp(&e, &f->after) <= 0) {
        return LS_OK;
    }
    if (f->cut && entry_cmp(&e, &f->bound) > 0) {
        return LS_OK;
    }
    if (f->n == 2 * WINDOW) {
        cut_window(f);
        return add_entry(f, e, err);
    }
    if (f->n == f->cap) {
        size_t cap = f->cap == 0 ? FIRST_CAP : 2 * f->cap;
        entry *window = realloc(f->window, cap * sizeof *window);
        if (window == NULL) {
            return ls_fail(err, LS_ENOMEM, "no memory to list %s", f->dir);
        }
        f->window = window;
        f->cap = cap;
    }
    f->window[f->n++] = e;
    return LS_OK;
}

static ls_code read_names(file_iter *f, ls_err *err) {
    for (;;) {
        errno = 0;
        const struct dirent *de = readdir(f->d);
        if (de == NULL) {
            return errno == 0 ? LS_OK : ls_fail_errno(err, errno, "read folder %s", f->dir);
        }
        entry e;
        if (ls_ltx_name_parse(de->d_name, &e.min, &e.max)) {
            ls_code code = add_entry(f, e, err);
            if (code != LS_OK) {
                return code;
            }
        }
    }
}

/* Fills the window with the smallest entries behind f->after. */
static ls_code fill(file_iter *f, ls_err *err) {
    f->n = f->pos = 0;
    f->cut = false;
    if (f->started) {
        rewinddir(f->d);
    } else {
        f->d = opendir(f->dir);
        if (f->d == NULL && errno != ENOENT) {
            return ls_fail_errno(err, errno, "open folder %s", f->dir);
        }
        f->started = true;
        if (f->d == NULL) {
            return LS_OK;
        }
    }
    ls_code code = read_names(f, err);
    if (f->n > WINDOW) {
        cut_window(f);
    } else {
        sort_window(f);
    }
    return code;
}

/* Size and time of an entry; LS_ENOTFOUND for what is gone meanwhile or is no file. */
static ls_code stat_entry(const file_iter *f, const entry *e, ls_ltx_info *file, ls_err *err) {
    char name[LS_LTX_NAME_SIZE];
    struct stat st;
    if (fstatat(dirfd(f->d), ls_ltx_name_format(e->min, e->max, name), &st, 0) != 0) {
        return ls_fail_errno(err, errno, "stat %s/%s", f->dir, name);
    }
    if (!S_ISREG(st.st_mode)) {
        return ls_fail(err, LS_ENOTFOUND, "%s/%s is not a file", f->dir, name);
    }
    *file = (ls_ltx_info){
        .level = f->level,
        .min_txid = e->min,
        .max_txid = e->max,
        .size = (uint64_t)st.st_size,
        .created_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000,
    };
    return LS_OK;
}

static ls_code file_next(ls_storage_iter *it, ls_ltx_info *file, bool *end, ls_err *err) {
    file_iter *f = (file_iter *)it;
    for (;;) {
        if (!f->started || (f->pos == f->n && f->cut)) {
            ls_code code = fill(f, err);
            if (code != LS_OK) {
                return code;
            }
        }
        if (f->pos == f->n) {
            *end = true;
            return LS_OK;
        }
        f->after = f->window[f->pos++];
        ls_code code = stat_entry(f, &f->after, file, err);
        if (code != LS_ENOTFOUND) {
            return code;
        }
        ls_err_clear(err);
    }
}

static void file_iter_free(ls_storage_iter *it) {
    file_iter *f = (file_iter *)it;
    if (f->d != NULL) {
        (void)closedir(f->d);
    }
    free(f->window);
    free(f->dir);
    free(f);
}

ls_code ls_file_list(char *dir, int level, ls_txid seek, ls_storage_iter **it, ls_err *err) {
    file_iter *f = calloc(1, sizeof *f);
    if (f == NULL) {
        ls_code code = ls_fail(err, LS_ENOMEM, "no memory to list %s", dir);
        free(dir);
        return code;
    }
    f->base = (ls_storage_iter){.next = file_next, .free = file_iter_free};
    f->dir = dir;
    f->level = level;
    if (seek > 0) {
        f->after = (entry){.min = seek - 1, .max = UINT64_MAX};
    }
    *it = &f->base;
    return LS_OK;
}
