/*
 * A program that a test starts beside itself and talks to by pipes: servers that answer as a test
 * needs. It prints a line when it is ready and ends when its standard input does, so that it goes
 * with the test even if that is killed.
 */
#ifndef LS_T_SUPPORT_HELPER_H
#define LS_T_SUPPORT_HELPER_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct helper {
    pid_t pid;
    int in;         /* what it reads */
    FILE *out;      /* what it prints */
    char line[256]; /* its first line */
} helper;

/* Starts $PYTHON3 with a script below the source folder; false if it did not get ready. */
static inline bool helper_start(helper *h, const char *script) {
    const char *src = getenv("LS_SRC");
    const char *python = getenv("PYTHON3");
    char path[4096];
    int in[2], out[2];
    (void)snprintf(path, sizeof path, "%s/%s", src != NULL ? src : ".", script);
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        return false;
    }
    h->pid = fork();
    if (h->pid == 0) {
        (void)dup2(in[0], 0);
        (void)dup2(out[1], 1);
        (void)execlp(python != NULL ? python : "python3", "python3", path, (char *)NULL);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    h->in = in[1];
    h->out = fdopen(out[0], "re");
    if (h->pid < 0 || h->out == NULL || fgets(h->line, sizeof h->line, h->out) == NULL) {
        return false;
    }
    h->line[strcspn(h->line, "\n")] = '\0';
    return true;
}

static inline void helper_stop(helper *h) {
    (void)close(h->in);
    (void)waitpid(h->pid, NULL, 0);
    (void)fclose(h->out);
}

#endif
