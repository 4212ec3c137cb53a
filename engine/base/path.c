/*
 * Path text, and printf into exact memory. Nothing here touches the disk but ls_path_absolute,
 * which asks for the working folder.
 */
#include "engine/base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *ls_asprintf(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    return n < 0 ? NULL : text;
}

char *ls_path_join(const char *dir, const char *name) {
    size_t len = strlen(dir);
    return ls_asprintf("%s%s%s", dir, len == 0 || dir[len - 1] == '/' ? "" : "/", name);
}

static size_t without_slashes(const char *path, size_t len) {
    while (len > 1 && path[len - 1] == '/') {
        len--;
    }
    return len;
}

char *ls_path_dir(const char *path) {
    size_t len = without_slashes(path, strlen(path));
    while (len > 0 && path[len - 1] != '/') {
        len--;
    }
    return len == 0 ? strdup(".") : strndup(path, without_slashes(path, len));
}

const char *ls_path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

/* Takes the last part off out[0..len), which begins at floor and cannot be undone below it. */
static size_t drop_part(const char *out, size_t len, size_t floor) {
    while (len > floor && out[len - 1] != '/') {
        len--;
    }
    return len > floor ? len - 1 : len;
}

char *ls_path_clean(const char *path) {
    char *out = malloc(strlen(path) + 2);
    if (out == NULL) {
        return NULL;
    }
    bool rooted = path[0] == '/';
    size_t len = 0;
    if (rooted) {
        out[len++] = '/';
    }
    size_t floor = len; /* below this lies the root, or "../.." */
    while (*path != '\0') {
        size_t part = strcspn(path, "/");
        bool up = part == 2 && path[0] == '.' && path[1] == '.';
        if (up && len > floor) {
            len = drop_part(out, len, floor);
        } else if (part > 0 && !(part == 1 && path[0] == '.') && !(up && rooted)) {
            if (len > (rooted ? 1 : 0)) {
                out[len++] = '/';
            }
            memcpy(out + len, path, part);
            len += part;
            floor = up ? len : floor;
        }
        path += part + (path[part] == '/' ? 1 : 0);
    }
    if (len == 0) {
        out[len++] = '.';
    }
    out[len] = '\0';
    return out;
}

char *ls_path_absolute(const char *path) {
    if (path[0] == '/') {
        return ls_path_clean(path);
    }
    char *cwd = getcwd(NULL, 0);
    if (cwd == NULL) {
        return NULL;
    }
    char *joined = ls_path_join(cwd, path);
    free(cwd);
    if (joined == NULL) {
        return NULL;
    }
    char *clean = ls_path_clean(joined);
    free(joined);
    return clean;
}
