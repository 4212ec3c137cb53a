/* Starting and awaiting one child process: see child.h. */
#include "cmd/child.h"

#include "cmd/words.h"
#include "engine/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define CLOSE_ON_EXEC 4U     /* CLOSE_RANGE_CLOEXEC, Linux 5.11 */
#define FILES_MAX (1U << 20) /* where each is asked */

/* What litestream found. */
static struct {
    bool known;
    sigset_t mask, ignored;
    struct rlimit files;
} found;

struct ls_child {
    const ls_log *log;
    char **words;
    char *path; /* of the program */
    void (*ended)(void *arg);
    void *arg;
    pthread_t waiter;
    pthread_mutex_t mutex; /* guards what follows */
    bool started, running; /* running: its id is not anyone else's */
    pid_t pid;
    sigset_t sent;
    bool told_to_end;
    siginfo_t how; /* it ended */
};

void ls_child_remember(void) {
    struct sigaction sa;

    (void)sigemptyset(&found.ignored);
    for (int sig = 1; sig <= SIGRTMAX; sig++) {
        if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
            (void)sigaddset(&found.ignored, sig);
    }
    (void)pthread_sigmask(SIG_SETMASK, NULL, &found.mask);
    found.known = getrlimit(RLIMIT_NOFILE, &found.files) == 0;
}

/* ---- Which program ---- */

static bool is_program(const char *path) {
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static ls_code not_found(const char *name, ls_err *err) {
    (void)ls_fail(err, LS_ENOTFOUND, "exec: \"%s\": executable file not found in $PATH", name);
    return ls_hint(err, "give the program's full path");
}

/* As execvp() does it, but that folders named relative to the working one do not count. */
static ls_code find_program(const char *name, char **path, ls_err *err) {
    const char *dir = getenv("PATH");

    if (strchr(name, '/') != NULL) {
        *path = strdup(name);
        return *path == NULL ? ls_fail(err, LS_ENOMEM, "out of memory") : LS_OK;
    }
    while (dir != NULL && *name != '\0') {
        size_t len = strcspn(dir, ":");
        *path = *dir == '/' ? ls_asprintf("%.*s/%s", (int)len, dir, name) : NULL;
        if (*path != NULL && is_program(*path))
            return LS_OK;
        free(*path);
        *path = NULL;
        dir = dir[len] == ':' ? dir + len + 1 : NULL;
    }
    return not_found(name, err);
}

ls_code ls_child_new(const char *command, const ls_log *log, ls_child **child, ls_err *err) {
    ls_child *c = calloc(1, sizeof *c);

    *child = NULL;
    if (c == NULL)
        return ls_fail(err, LS_ENOMEM, "out of memory");
    c->log = log;
    (void)sigemptyset(&c->sent);
    (void)pthread_mutex_init(&c->mutex, NULL);
    if (ls_words_split(command, &c->words, err) != LS_OK)
        (void)ls_wrap(err, "cannot parse exec command");
    else if (find_program(c->words[0], &c->path, err) != LS_OK)
        (void)ls_wrap(err, "cannot start exec command");
    if (c->path == NULL) {
        ls_child_free(c);
        return err->code;
    }
    *child = c;
    return LS_OK;
}

/* ---- Starting it ---- */

/* A library may open descriptors that a program would inherit, and so may who started litestream.
 * Closed when the program starts and not now: until then fail_fd is needed. */
static void keep_standard_only(void) {
#ifdef SYS_close_range
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_ON_EXEC) == 0)
        return;
#endif
    struct rlimit limit;
    rlim_t end = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : FILES_MAX;
    for (rlim_t fd = 3; fd < end && fd < FILES_MAX; fd++)
        (void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
}

/* In the child: only what is safe between fork() and exec in a process with threads. */
static void become(const ls_child *c, int null_fd, int fail_fd) {
    for (int sig = 1; sig <= SIGRTMAX; sig++) {
        struct sigaction sa = {.sa_handler =
                                   sigismember(&found.ignored, sig) == 1 ? SIG_IGN : SIG_DFL};
        (void)sigaction(sig, &sa, NULL);
    }
    keep_standard_only();
    if (found.known)
        (void)setrlimit(RLIMIT_NOFILE, &found.files);
    (void)sigprocmask(SIG_SETMASK, &found.mask, NULL);
    if (dup2(null_fd, 0) == 0)
        (void)execve(c->path, c->words, environ);
    int why = errno;
    (void)!write(fail_fd, &why, sizeof why);
    _exit(127);
}

/* 0, or why the program could not be started; it was reaped then. fds: read and write end of a pipe
 * that the start of the program closes. */
static int fork_program(ls_child *c, int null_fd, int fds[2]) {
    int why = 0;

    pid_t pid = fork();
    if (pid < 0)
        return errno;
    if (pid == 0)
        become(c, null_fd, fds[1]);
    (void)close(fds[1]);
    fds[1] = -1;
    ssize_t n;
    do {
        n = read(fds[0], &why, sizeof why);
    } while (n < 0 && errno == EINTR);
    if (n == 0) {
        c->pid = pid;
        return 0;
    }
    (void)waitpid(pid, NULL, 0);
    return n == (ssize_t)sizeof why ? why : EIO;
}

static int spawn(ls_child *c) {
    int fds[2] = {-1, -1};
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int why = null_fd < 0 || pipe2(fds, O_CLOEXEC) != 0 ? errno : 0;

    if (why == 0)
        why = fork_program(c, null_fd, fds);
    for (int i = 0; i < 2; i++) {
        if (fds[i] >= 0)
            (void)close(fds[i]);
    }
    if (null_fd >= 0)
        (void)close(null_fd);
    return why;
}

/* The first process of a container is the parent of whatever loses its own. */
static void await_end(pid_t pid, siginfo_t *how) {
    for (;;) {
        int rc = getpid() == 1 ? waitid(P_ALL, 0, how, WEXITED | WNOWAIT)
                               : waitid(P_PID, (id_t)pid, how, WEXITED | WNOWAIT);
        if (rc == 0 && how->si_pid == pid)
            return;
        if (rc == 0)
            (void)waitpid(how->si_pid, NULL, 0);
        else if (errno != EINTR)
            return;
    }
}

static void *wait_for_it(void *arg) {
    ls_child *c = arg;
    siginfo_t how = {0};

    await_end(c->pid, &how);
    (void)pthread_mutex_lock(&c->mutex);
    (void)waitpid(c->pid, NULL, 0);
    c->how = how;
    c->running = false;
    if (c->ended != NULL)
        c->ended(c->arg);
    (void)pthread_mutex_unlock(&c->mutex);
    return NULL;
}

/* Signals wait meanwhile: a handler that ran in the child would tell the parent of it. */
static int start(ls_child *c) {
    sigset_t all, before;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int why = spawn(c);
    if (why == 0) {
        c->started = c->running = true;
        why = pthread_create(&c->waiter, NULL, wait_for_it, c);
        if (why != 0) { /* no one would learn of its end */
            (void)kill(c->pid, SIGKILL);
            (void)waitpid(c->pid, NULL, 0);
            c->started = c->running = false;
        }
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return why;
}

ls_code ls_child_start(ls_child *c, void (*ended)(void *arg), void *arg, ls_err *err) {
    c->ended = ended;
    c->arg = arg;
    (void)pthread_mutex_lock(&c->mutex);
    int why = start(c);
    (void)pthread_mutex_unlock(&c->mutex);
    return why == 0 ? LS_OK : ls_fail_errno(err, why, "cannot start exec command: %s", c->path);
}

/* ---- While it runs ---- */

/* As the reference names them, which is Go's way. */
static const char *signal_name(int signum) {
    static const struct {
        int signum;
        const char *name;
    } names[] = {
        {SIGHUP, "hangup"},
        {SIGINT, "interrupt"},
        {SIGQUIT, "quit"},
        {SIGABRT, "aborted"},
        {SIGBUS, "bus error"},
        {SIGFPE, "floating point exception"},
        {SIGKILL, "killed"},
        {SIGTERM, "terminated"},
        {SIGILL, "illegal instruction"},
        {SIGUSR1, "user defined signal 1"},
        {SIGUSR2, "user defined signal 2"},
        {SIGPIPE, "broken pipe"},
        {SIGALRM, "alarm clock"},
        {SIGSEGV, "segmentation fault"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].signum == signum)
            return names[i].name;
    }
    return "of another kind";
}

static void say_sent(ls_child *c, int signum) {
    bool end = signum == SIGINT || signum == SIGTERM;

    ls_log_write(c->log, LS_INFO, "sending signal to exec process",
                 LS_ATTRS(LS_STR("signal", signal_name(signum)), LS_INT("pid", c->pid)));
    if (end && !c->told_to_end)
        ls_log_write(c->log, LS_INFO, "waiting for exec process to close", NULL);
    c->told_to_end = c->told_to_end || end;
}

bool ls_child_signal(ls_child *c, int signum) {
    (void)pthread_mutex_lock(&c->mutex);
    bool sent = c->running && kill(c->pid, signum) == 0;
    if (sent) {
        (void)sigaddset(&c->sent, signum);
        say_sent(c, signum);
    } else if (c->running) {
        ls_log_write(c->log, LS_WARN, "cannot signal exec process",
                     LS_ATTRS(LS_INT("pid", c->pid), LS_STR("reason", strerror(errno))));
    }
    (void)pthread_mutex_unlock(&c->mutex);
    return sent;
}

ls_code ls_child_result(ls_child *c, int *status, ls_err *err) {
    (void)pthread_mutex_lock(&c->mutex);
    bool over = c->started && !c->running;
    siginfo_t how = c->how;
    bool asked = over && how.si_code != CLD_EXITED && sigismember(&c->sent, how.si_status) == 1;
    (void)pthread_mutex_unlock(&c->mutex);
    if (!over || asked || (how.si_code == CLD_EXITED && how.si_status == 0))
        return LS_OK;
    if (how.si_code == CLD_EXITED) {
        *status = how.si_status;
        (void)ls_fail(err, LS_EREMOTE, "exit status %d", how.si_status);
    } else {
        *status = 128 + how.si_status;
        (void)ls_fail(err, LS_EREMOTE, "signal: %s (%d)", signal_name(how.si_status),
                      how.si_status);
    }
    (void)ls_wrap(err, "exec command: %s", c->words[0]);
    return ls_hint(err, "this is how the command ended; its own output says why");
}

bool ls_child_started(ls_child *c) {
    bool started = false;

    if (c != NULL) {
        (void)pthread_mutex_lock(&c->mutex);
        started = c->started;
        (void)pthread_mutex_unlock(&c->mutex);
    }
    return started;
}

void ls_child_free(ls_child *c) {
    if (c == NULL)
        return;
    (void)pthread_mutex_lock(&c->mutex);
    bool running = c->running, started = c->started;
    c->ended = NULL;
    (void)pthread_mutex_unlock(&c->mutex);
    if (running) { /* its thread may come to its end at any time, and uses it */
        (void)pthread_detach(c->waiter);
        return;
    }
    if (started)
        (void)pthread_join(c->waiter, NULL);
    (void)pthread_mutex_destroy(&c->mutex);
    free(c->words);
    free(c->path);
    free(c);
}
