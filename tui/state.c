/* The state file: see state.h. */
#include "tui/state.h"

#include "engine/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

tui_state state_new(void) { return (tui_state){.view = VIEW_COUNT, .theme = THEME_COUNT}; }

char *state_path(void) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (state != NULL && *state == '/') {
        return ls_asprintf("%s/litestream-tui/state", state);
    }
    return home != NULL && *home == '/' ? ls_asprintf("%s/.local/state/litestream-tui/state", home)
                                        : NULL;
}

/* "files 4 reverse" */
static bool read_order(const char *value, tui_state *s) {
    char name[32], reverse[16] = "";
    int column;
    int n = sscanf(value, "%31s %d %15s", name, &column, reverse);
    view_id v = n >= 2 ? view_of_name(name) : VIEW_COUNT;
    bool turned = strcmp(reverse, "reverse") == 0;
    if (v == VIEW_COUNT || column < 0 || column > 64 || (n == 3 && !turned)) {
        return false;
    }
    s->order[v].column = column;
    s->order[v].reverse = turned;
    return true;
}

static bool read_line(const char *line, tui_state *s) {
    const char *value = strchr(line, ' ');
    size_t len = value != NULL ? (size_t)(value - line) : 0;
    if (*line == '#' || *line == '\0') {
        return true;
    }
    if (value == NULL) {
        return false;
    }
    value++;
    if (len == 4 && memcmp(line, "view", len) == 0) {
        s->view = view_of_name(value);
        return s->view < TABS;
    }
    if (len == 5 && memcmp(line, "theme", len) == 0) {
        s->theme = theme_of_name(value);
        return s->theme < THEME_COUNT;
    }
    if (len == 4 && memcmp(line, "axis", len) == 0) {
        s->by_time = strcmp(value, "time") == 0;
        return s->by_time || strcmp(value, "txid") == 0;
    }
    return len == 5 && memcmp(line, "order", len) == 0 && read_order(value, s);
}

static ls_code damaged(const char *path, tui_state *s, ls_err *err) {
    *s = state_new();
    (void)ls_fail(err, LS_EFORMAT, "the state file is damaged and was ignored: %s", path);
    return ls_hint(err, "it is written anew when the inspector ends");
}

/* A pipe or a folder there must not hold up the start. */
static int open_regular(const char *path, ls_err *err) {
    struct stat st;
    int fd = ls_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) {
        (void)ls_fail_errno(err, errno, "read %s", path);
        return -1;
    }
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size <= STATE_MAX_BYTES) {
        return fd;
    }
    (void)close(fd);
    (void)ls_fail(err, LS_EFORMAT, "%s is no state file", path);
    return -1;
}

ls_code state_read(const char *path, tui_state *s, ls_err *err) {
    char text[STATE_MAX_BYTES + 1];
    size_t len = 0;
    *s = state_new();
    int fd = open_regular(path, err);
    if (fd < 0 && err->code == LS_EFORMAT) {
        return damaged(path, s, err);
    }
    if (fd < 0) {
        bool none = err->code == LS_ENOTFOUND;
        if (none) {
            ls_err_clear(err);
        }
        return none ? LS_OK : err->code;
    }
    ls_code rc = ls_pread_full(fd, text, STATE_MAX_BYTES, 0, &len, path, err);
    (void)close(fd);
    if (rc != LS_OK) {
        return rc;
    }
    text[len] = '\0';
    bool good = memchr(text, '\0', len) == NULL;
    for (char *line = text, *end; good && *line != '\0'; line = end) {
        end = strchr(line, '\n');
        good = end != NULL;
        if (good) {
            *end++ = '\0';
            good = read_line(line, s);
        }
    }
    return good ? LS_OK : damaged(path, s, err);
}

static size_t format(const tui_state *s, char *buf, size_t size) {
    size_t n = (size_t)snprintf(buf, size, "# litestream-tui: what it looked like last\n");
    if (s->view < VIEW_COUNT) {
        n += (size_t)snprintf(buf + n, size - n, "view %s\n", view_table[s->view].name);
    }
    if (s->theme < THEME_COUNT) {
        n += (size_t)snprintf(buf + n, size - n, "theme %s\n", theme_table[s->theme].name);
    }
    n += (size_t)snprintf(buf + n, size - n, "axis %s\n", s->by_time ? "time" : "txid");
    for (view_id v = 0; v < VIEW_COUNT; v++) {
        if (s->order[v].column > 0) {
            n += (size_t)snprintf(buf + n, size - n, "order %s %d%s\n", view_table[v].name,
                                  s->order[v].column, s->order[v].reverse ? " reverse" : "");
        }
    }
    return n;
}

ls_code state_write(const char *path, const tui_state *s, ls_err *err) {
    char text[STATE_MAX_BYTES];
    const ls_perm perm = LS_PERM_PRIVATE;
    ls_atomic a = {.fd = -1};
    size_t len = format(s, text, sizeof(text));
    char *dir = ls_path_dir(path);
    ls_code rc =
        dir == NULL ? ls_fail(err, LS_ENOMEM, "write %s", path) : ls_mkdirs(dir, &perm, err);
    free(dir);
    if (rc == LS_OK) {
        rc = ls_atomic_begin(&a, path, &perm, err);
    }
    if (rc != LS_OK) {
        return rc;
    }
    rc = ls_write_full(a.fd, text, len, path, err);
    if (rc != LS_OK) {
        ls_atomic_abort(&a);
        return rc;
    }
    return ls_atomic_commit(&a, false, -1, err);
}
