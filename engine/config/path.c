/* Database and replica paths as configuration and command line give them. */
#include "engine/base/text.h"
#include "engine/config/config.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PASSWD_MAX ((size_t)1 << 20)

/* The home folder from the user database (not $HOME, which a service may lack or have wrong). */
static ls_code home_folder(const char *path, char **home, ls_err *err) {
    size_t size = 4096;
    struct passwd pw, *found = NULL;
    bool memory = true;
    int rc = ERANGE;

    *home = NULL;
    for (; memory && rc == ERANGE && size <= PASSWD_MAX; size *= 2) {
        char *buf = malloc(size);
        rc = buf == NULL ? ENOMEM : getpwuid_r(getuid(), &pw, buf, size, &found);
        if (rc == 0 && found != NULL && pw.pw_dir[0] != '\0')
            memory = (*home = strdup(pw.pw_dir)) != NULL;
        memory = memory && buf != NULL;
        free(buf);
    }
    if (!memory)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    if (*home != NULL)
        return LS_OK;
    (void)ls_fail(err, LS_ENOTFOUND, "cannot expand path %s, no home directory available", path);
    return ls_hint(err, "write the path without ~");
}

static ls_code expand_home(const char *path, char **out, ls_err *err) {
    char *home;
    ls_code rc = home_folder(path, &home, err);

    if (rc != LS_OK)
        return rc;
    *out = ls_path_join(home, path[1] == '\0' ? "" : path + 2);
    free(home);
    return *out == NULL ? ls_fail(err, LS_ENOMEM, "out of memory") : LS_OK;
}

ls_code ls_path_expand(const char *path, char **out, ls_err *err) {
    char *full = NULL;
    ls_code rc = LS_OK;

    if (ls_has_prefix(path, "sqlite3://"))
        path += strlen("sqlite3://");
    else if (ls_has_prefix(path, "sqlite://"))
        path += strlen("sqlite://");
    if (path[0] == '~' && (path[1] == '\0' || path[1] == '/'))
        rc = expand_home(path, &full, err);
    if (rc != LS_OK)
        return rc;
    *out = ls_path_absolute(full == NULL ? path : full);
    free(full);
    if (*out != NULL)
        return LS_OK;
    return ls_fail_errno(err, errno, "make %s absolute", path);
}
