/* Files, folders and standard input as arguments: see ltx_input.h. */
#include "cmd/ltx_input.h"

#include "engine/base/file.h"
#include "engine/ltx/ltx.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_dir(const char *path) {
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Takes path (owned from here on, also on failure). */
static ls_code add(ls_ltx_inputs *in, char *path, const ls_err *why, ls_err *err) {
    ls_err *copy = why == NULL ? NULL : malloc(sizeof *copy);
    bool room = in->n < in->cap;

    if (!room && in->n >= LS_LTX_INPUTS_MAX) {
        free(path);
        free(copy);
        (void)ls_fail(err, LS_ELIMIT, "more than %u files", LS_LTX_INPUTS_MAX);
        return ls_hint(err, "give one folder at a time");
    }
    if (!room && path != NULL) {
        size_t cap = in->cap == 0 ? 64 : in->cap * 2;
        ls_ltx_input *more = realloc(in->item, cap * sizeof *more);
        room = more != NULL;
        in->item = room ? more : in->item;
        in->cap = room ? cap : in->cap;
    }
    if (path == NULL || !room || (why != NULL && copy == NULL)) {
        free(path);
        free(copy);
        return ls_fail(err, LS_ENOMEM, "list of files");
    }
    if (copy != NULL)
        *copy = *why;
    in->item[in->n++] = (ls_ltx_input){.path = path, .err = copy};
    return LS_OK;
}

static bool has_suffix(const char *name) {
    size_t len = strlen(name);

    return len > 4 && strcmp(name + len - 4, ".ltx") == 0;
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const ls_ltx_input *)a)->path, ((const ls_ltx_input *)b)->path);
}

/* The .ltx files of one folder, sorted. why is set (and LS_OK returned) if it cannot be read. */
static ls_code add_folder(ls_ltx_inputs *in, const char *dir, ls_err *why, ls_err *err) {
    size_t first = in->n;
    ls_code rc = LS_OK;
    DIR *d = opendir(dir);

    if (d == NULL) {
        (void)ls_fail_errno(why, errno, "open %s", dir);
        return LS_OK;
    }
    for (struct dirent *e; rc == LS_OK && (errno = 0, e = readdir(d)) != NULL;) {
        if (has_suffix(e->d_name) && e->d_type != DT_DIR)
            rc = add(in, ls_path_join(dir, e->d_name), NULL, err);
    }
    if (rc == LS_OK && errno != 0)
        (void)ls_fail_errno(why, errno, "read %s", dir);
    closedir(d);
    if (in->n > first)
        qsort(in->item + first, in->n - first, sizeof *in->item, by_path);
    return rc;
}

static ls_code add_levels(ls_ltx_inputs *in, const char *dir, ls_err *why, ls_err *err) {
    ls_code rc = LS_OK;

    for (int level = 0; level <= LS_LTX_LEVEL_MAX && rc == LS_OK; level++) {
        char *path = ls_asprintf("%s/%d", dir, level);
        if (path == NULL)
            return ls_fail(err, LS_ENOMEM, "list of files");
        if (is_dir(path))
            rc = add_folder(in, path, why, err);
        free(path);
    }
    return rc;
}

static ls_code add_argument_folder(ls_ltx_inputs *in, const char *dir, ls_err *err) {
    ls_err why = LS_ERR_INIT;
    size_t first = in->n;
    char *sub = ls_path_join(dir, "ltx");

    if (sub == NULL)
        return ls_fail(err, LS_ENOMEM, "list of files");
    ls_code rc = is_dir(sub) ? add_levels(in, sub, &why, err) : add_folder(in, dir, &why, err);
    if (rc == LS_OK && in->n == first && why.code == LS_OK)
        rc = add_levels(in, dir, &why, err);
    free(sub);
    if (rc == LS_OK && in->n == first && why.code == LS_OK) {
        (void)ls_fail(&why, LS_ENOTFOUND, "no LTX files in this folder");
        (void)ls_hint(&why, "give files, a level's folder (REPLICA/ltx/0) or a replica");
    }
    if (rc == LS_OK && why.code != LS_OK)
        rc = add(in, strdup(dir), &why, err);
    return rc;
}

ls_code ls_ltx_inputs_init(ls_ltx_inputs *in, char *const *args, int n, ls_err *err) {
    ls_code rc = LS_OK;

    *in = (ls_ltx_inputs){0};
    for (int i = 0; i < n && rc == LS_OK; i++) {
        if (strcmp(args[i], "-") != 0 && is_dir(args[i]))
            rc = add_argument_folder(in, args[i], err);
        else
            rc = add(in, strdup(args[i]), NULL, err);
    }
    return rc;
}

void ls_ltx_inputs_done(ls_ltx_inputs *in) {
    for (size_t i = 0; i < in->n; i++) {
        free(in->item[i].path);
        free(in->item[i].err);
    }
    free(in->item);
    *in = (ls_ltx_inputs){0};
}

bool ls_ltx_input_is_stdin(const ls_ltx_input *item) { return strcmp(item->path, "-") == 0; }

ls_code ls_ltx_open_path(const char *path, int flags, int *fd, ls_err *err) {
    do
        *fd = open(path, flags | O_CLOEXEC, 0666);
    while (*fd < 0 && errno == EINTR);
    if (*fd >= 0)
        return LS_OK;
    ls_code rc = ls_fail_errno(err, errno, "open %s", path);
    return path[0] == '-' ? ls_hint(err, "flags go in front of the files") : rc;
}

ls_code ls_ltx_input_open(const ls_ltx_input *item, ls_reader **r, int *fd, ls_err *err) {
    bool is_stdin = ls_ltx_input_is_stdin(item);
    ls_code rc = LS_OK;

    *r = NULL;
    if (item->err != NULL) {
        *err = *item->err;
        return err->code;
    }
    *fd = STDIN_FILENO;
    if (!is_stdin)
        rc = ls_ltx_open_path(item->path, O_RDONLY, fd, err);
    if (rc != LS_OK)
        return rc;
    *r = ls_fd_reader_new(*fd, !is_stdin, item->path);
    return *r != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "open %s", item->path);
}
