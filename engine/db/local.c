/* The LTX files of a database in its meta directory: <meta>/ltx/<level>/<min>-<max>.ltx. */
#include "engine/db/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *level_dir(const char *meta_path, int level) {
    return ls_asprintf("%s/ltx/%d", meta_path, level);
}

/* Calls fn for each LTX file of a level; a folder that is not there holds none. */
static ls_code each_file(const char *meta_path, int level,
                         ls_code (*fn)(void *arg, const char *dir, const local_file *f,
                                       ls_err *err),
                         void *arg, ls_err *err) {
    char *dir = level_dir(meta_path, level);
    if (dir == NULL) {
        return ls_fail(err, LS_ENOMEM, "list level %d", level);
    }
    ls_code code = LS_OK;
    DIR *d = opendir(dir);
    if (d == NULL && errno != ENOENT && errno != ENOTDIR) {
        code = ls_fail_errno(err, errno, "open %s", dir);
    }
    while (d != NULL && code == LS_OK) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (e == NULL) {
            code = errno == 0 ? LS_OK : ls_fail_errno(err, errno, "read %s", dir);
            break;
        }
        local_file f;
        if (ls_ltx_name_parse(e->d_name, &f.min, &f.max)) {
            code = fn(arg, dir, &f, err);
        }
    }
    if (d != NULL) {
        closedir(d);
    }
    free(dir);
    return code;
}

static ls_code keep_newest(void *arg, const char *dir, const local_file *f, ls_err *err) {
    (void)dir;
    (void)err;
    local_file *newest = arg;
    if (f->max > newest->max) {
        *newest = *f;
    }
    return LS_OK;
}

ls_code ls_db_local_newest(const char *meta_path, int level, local_file *newest, ls_err *err) {
    *newest = (local_file){0};
    return each_file(meta_path, level, keep_newest, newest, err);
}

ls_code ls_db_local_txid(const char *meta_path, ls_txid *txid, ls_err *err) {
    local_file newest;
    ls_code code = ls_db_local_newest(meta_path, 0, &newest, err);
    *txid = newest.max;
    return code;
}

static ls_code remove_file(const char *dir, const local_file *f, ls_err *err) {
    char name[LS_LTX_NAME_SIZE];
    char *path = ls_path_join(dir, ls_ltx_name_format(f->min, f->max, name));
    if (path == NULL) {
        return ls_fail(err, LS_ENOMEM, "remove %s", name);
    }
    ls_code code = LS_OK;
    if (unlink(path) != 0 && errno != ENOENT) {
        code = ls_fail_errno(err, errno, "remove %s", path);
    }
    free(path);
    return code;
}

static ls_code remove_unless(void *arg, const char *dir, const local_file *f, ls_err *err) {
    return f->max == *(const ls_txid *)arg ? LS_OK : remove_file(dir, f, err);
}

static ls_code remove_behind(void *arg, const char *dir, const local_file *f, ls_err *err) {
    return f->max <= *(const ls_txid *)arg ? LS_OK : remove_file(dir, f, err);
}

ls_code ls_db_local_remove_unfinished(ls_db *db, ls_txid newest, ls_err *err) {
    return each_file(db->meta_path, LS_LTX_LEVEL_SNAPSHOT, remove_behind, &newest, err);
}

ls_code ls_db_local_remove_others(ls_db *db, ls_txid keep, ls_err *err) {
    ls_code code = each_file(db->meta_path, 0, remove_unless, &keep, err);
    if (code == LS_OK) {
        code = each_file(db->meta_path, LS_LTX_LEVEL_SNAPSHOT, remove_unless, &keep, err);
    }
    return code;
}

/* Unlinks one level-0 file; *gone is set if there was none. */
static ls_code remove_one(ls_db *db, ls_txid txid, bool *gone, ls_err *err) {
    char *path = ls_db_ltx_path(db, 0, txid, txid);
    if (path == NULL) {
        return ls_fail(err, LS_ENOMEM, "remove ltx files");
    }
    ls_code code = LS_OK;
    *gone = false;
    if (unlink(path) != 0) {
        *gone = errno == ENOENT || errno == ENOTDIR;
        code = *gone ? LS_OK : ls_fail_errno(err, errno, "remove %s", path);
    }
    free(path);
    return code;
}

ls_code ls_db_local_remove_all(ls_db *db, ls_err *err) {
    local_file newest;
    ls_code code = ls_db_local_newest(db->meta_path, 0, &newest, err);
    bool gone = false;
    for (ls_txid t = newest.max; code == LS_OK && t > 0 && !gone; t--) {
        code = remove_one(db, t, &gone, err);
    }
    return code == LS_OK ? ls_db_local_remove_others(db, 0, err) : code;
}

ls_code ls_db_local_dir_make(ls_db *db, int level, ls_err *err) {
    char *dir = level_dir(db->meta_path, level);
    if (dir == NULL) {
        return ls_fail(err, LS_ENOMEM, "make meta directory");
    }
    ls_code code = ls_mkdirs(dir, &db->perm, err);
    free(dir);
    return code;
}

static bool ends_with_tmp(const char *name) {
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".tmp") == 0;
}

/* What a crash in the middle of writing a file left behind; nobody else writes in these folders. */
static ls_code remove_tmp_in(const char *dir, ls_err *err) {
    DIR *d = opendir(dir);
    if (d == NULL) {
        return errno == ENOENT || errno == ENOTDIR ? LS_OK
                                                   : ls_fail_errno(err, errno, "open %s", dir);
    }
    struct dirent *e;
    ls_code code = LS_OK;
    while (code == LS_OK && (e = readdir(d)) != NULL) {
        if (ends_with_tmp(e->d_name) && unlinkat(dirfd(d), e->d_name, 0) != 0 && errno != ENOENT) {
            code = ls_fail_errno(err, errno, "remove %s/%s", dir, e->d_name);
        }
    }
    closedir(d);
    return code;
}

ls_code ls_db_local_remove_tmp(const char *meta_path, ls_err *err) {
    ls_code code = remove_tmp_in(meta_path, err); /* merges of compaction */
    for (int level = 0; level <= LS_LTX_LEVEL_MAX && code == LS_OK; level++) {
        char *dir = level_dir(meta_path, level);
        code =
            dir != NULL ? remove_tmp_in(dir, err) : ls_fail(err, LS_ENOMEM, "list level %d", level);
        free(dir);
    }
    return code;
}
