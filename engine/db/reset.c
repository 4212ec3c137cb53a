/* The local LTX files of a database: which there are, and removing them. */
#include "engine/db/reset.h"

#include "engine/base/file.h"
#include "engine/base/text.h"
#include "engine/ltx/ltx.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

typedef struct preview {
    void (*fn)(void *arg, const char *path);
    void *arg;
    size_t files;
    uint64_t bytes;
} preview;

static ls_code tell(preview *p, const char *dir, const char *name, ls_err *err) {
    struct stat st;
    char *path = ls_path_join(dir, name);
    if (path == NULL) {
        return ls_fail(err, LS_ENOMEM, "read %s", dir);
    }
    p->files++;
    p->bytes += stat(path, &st) == 0 && st.st_size > 0 ? (uint64_t)st.st_size : 0;
    if (p->fn != NULL) {
        p->fn(p->arg, path);
    }
    free(path);
    return LS_OK;
}

static ls_code tell_level(preview *p, const char *dir, ls_err *err) {
    struct dirent **names = NULL;
    ls_code rc = LS_OK;
    int n = scandir(dir, &names, NULL, alphasort);
    if (n < 0) {
        return errno == ENOENT ? LS_OK : ls_fail_errno(err, errno, "read %s", dir);
    }
    for (int i = 0; i < n; i++) {
        if (rc == LS_OK && names[i]->d_name[0] != '.') {
            rc = tell(p, dir, names[i]->d_name, err);
        }
        free(names[i]);
    }
    free(names);
    return rc;
}

ls_code ls_db_reset_preview(const char *meta_path, void (*fn)(void *arg, const char *path),
                            void *arg, size_t *files, uint64_t *bytes, ls_err *err) {
    preview p = {.fn = fn, .arg = arg};
    ls_code rc = LS_OK;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX && rc == LS_OK; level++) {
        char *dir = ls_asprintf("%s/ltx/%d", meta_path, level);
        rc = dir != NULL ? tell_level(&p, dir, err) : ls_fail(err, LS_ENOMEM, "read %s", meta_path);
        free(dir);
    }
    *files = p.files;
    *bytes = p.bytes;
    return rc;
}

ls_code ls_db_reset(const char *meta_path, size_t *files, ls_err *err) {
    ls_err uncounted = LS_ERR_INIT;
    uint64_t bytes = 0;
    char *ltx = ls_path_join(meta_path, "ltx");
    if (ltx == NULL) {
        return ls_fail(err, LS_ENOMEM, "remove the files of %s", meta_path);
    }
    (void)!ls_db_reset_preview(meta_path, NULL, NULL, files, &bytes, &uncounted);
    ls_code rc = ls_remove_tree(ltx, err);
    if (rc != LS_OK) {
        rc = ls_wrap(err, "reset failed: remove ltx directory");
    }
    free(ltx);
    return rc;
}
