/* Keys that a program prints (credential_process of a profile). */
#include "backends/aws_sources.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX 65536
#define TIME_MAX (60 * LS_SEC)

extern char **environ;

static ls_code start(const char *command, pid_t *pid, int *out, ls_err *err) {
    int ends[2];
    posix_spawn_file_actions_t actions;
    char *argv[] = {(char *)"sh", (char *)"-c", strdup(command), NULL};
    if (argv[2] == NULL || posix_spawn_file_actions_init(&actions) != 0) {
        free(argv[2]);
        return ls_fail(err, LS_ENOMEM, "no memory for credentials");
    }
    ls_code code = LS_OK;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        code = ls_fail_errno(err, errno, "credential_process");
    } else {
        (void)posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        (void)posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
        int rc = posix_spawn(pid, "/bin/sh", &actions, NULL, argv, environ);
        (void)close(ends[1]);
        *out = ends[0];
        if (rc != 0) {
            (void)close(ends[0]);
            code = ls_fail_errno(err, rc, "credential_process");
        }
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    free(argv[2]);
    return code;
}

/* To the end of its output; LS_ETIMEDOUT or LS_ELIMIT before. */
static ls_code read_output(int fd, char *buf, size_t *len, ls_err *err) {
    int64_t end = ls_mono_ns(&ls_clock_system) + TIME_MAX;
    *len = 0;
    for (;;) {
        int64_t left = (end - ls_mono_ns(&ls_clock_system)) / LS_MS;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0) {
            return ls_fail(err, LS_ETIMEDOUT, "credential_process takes more than a minute");
        }
        if (poll(&p, 1, (int)left) <= 0) {
            continue;
        }
        ssize_t got = read(fd, buf + *len, OUTPUT_MAX - *len);
        if (got < 0 && errno != EINTR) {
            return ls_fail_errno(err, errno, "read from credential_process");
        }
        if (got == 0) {
            return LS_OK;
        }
        *len += got > 0 ? (size_t)got : 0;
        if (*len == OUTPUT_MAX) {
            return ls_fail(err, LS_ELIMIT, "credential_process prints more than %d bytes",
                           OUTPUT_MAX);
        }
    }
}

static ls_code finish(pid_t pid, ls_code code, ls_err *err) {
    int status = 0;
    if (code != LS_OK) {
        (void)kill(pid, SIGKILL);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (code != LS_OK || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        return code;
    }
    (void)ls_fail(err, LS_EREMOTE, "credential_process failed with status %d",
                  WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    return ls_hint(err, "run it by hand; what it prints to standard error says why");
}

ls_code ls_aws_from_process(const char *command, ls_aws_grant *grant, ls_err *err) {
    pid_t pid;
    int out = -1;
    size_t len = 0;
    char *buf = malloc(OUTPUT_MAX);
    if (buf == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for credentials");
    }
    ls_code code = start(command, &pid, &out, err);
    if (code == LS_OK) {
        code = read_output(out, buf, &len, err);
        (void)close(out);
        code = finish(pid, code, err);
    }
    if (code == LS_OK) {
        code = ls_aws_grant_of_json(buf, len, "SessionToken", "credential_process", grant, err);
    }
    explicit_bzero(buf, len);
    free(buf);
    return code;
}
