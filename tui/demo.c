/* The demo's folder and children: see demo.h. */
#include "tui/demo.h"

#include "tui/demo_shop.h"
#include "tui/source.h"

#include "engine/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 20000 /* for something to see, and for a child to end */
#define STEP_MS 50
#define POINTS_MIN 3

struct demo {
    char *folder, *database, *replica, *config, *log; /* owned */
    pid_t shop, litestream;                           /* 0: none */
};

static const char config_text[] = "# of litestream-tui -demo\n"
                                  "dbs:\n"
                                  "  - path: %s\n"
                                  "    monitor-interval: 200ms\n"
                                  "    replica:\n"
                                  "      path: %s\n"
                                  "      sync-interval: 200ms\n"
                                  "levels: [{interval: 5s}, {interval: 20s}, {interval: 1m}]\n"
                                  "snapshot: {interval: 2m, retention: 1h}\n"
                                  "l0-retention: 5m\n"
                                  "socket: {enabled: true, path: %s/socket}\n";

/* ---- children ---- */

static volatile sig_atomic_t told_to_stop;

static void on_stop(int signum) {
    (void)signum;
    told_to_stop = 1;
}

/* A group of its own, so that neither ctrl-z nor the end of the terminal reaches it; told when its
 * parent is gone. */
static void become_child(int death_signal) {
    (void)setpgid(0, 0);
    (void)prctl(PR_SET_PDEATHSIG, death_signal);
    (void)signal(SIGHUP, SIG_IGN);
    (void)signal(SIGINT, SIG_IGN);
}

/* Whatever of the parent is gone: the child that is left removes the folder. */
static void run_shop(const demo *d, pid_t parent) {
    ls_err err = LS_ERR_INIT;
    become_child(SIGTERM);
    (void)signal(SIGTERM, on_stop);
    if (getppid() == parent) {
        (void)!shop_run(d->database, &told_to_stop, &err);
    }
    for (int ms = 0; getppid() != parent && ms < WAIT_MS; ms += STEP_MS) {
        const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
        if (ls_remove_tree(d->folder, &err) == LS_OK) {
            break;
        }
        (void)nanosleep(&step, NULL); /* litestream may still be ending */
    }
    _exit(0);
}

/* The litestream beside this program, else the one that the shell would find. */
static void exec_litestream(const demo *d) {
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 32);
    become_child(SIGKILL);
    int log = open(d->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0) {
        _exit(126);
    }
    if (n > 0) {
        self[n] = '\0';
        char *slash = strrchr(self, '/');
        (void)snprintf(slash + 1, 32, "litestream");
        (void)execl(self, "litestream", "replicate", "-config", d->config, (char *)NULL);
    }
    (void)execlp("litestream", "litestream", "replicate", "-config", d->config, (char *)NULL);
    _exit(127);
}

static ls_code start_children(demo *d, ls_err *err) {
    pid_t self = getpid();
    d->shop = fork();
    if (d->shop == 0) {
        run_shop(d, self);
    }
    d->litestream = d->shop > 0 ? fork() : -1;
    if (d->litestream == 0) {
        exec_litestream(d);
    }
    if (d->litestream > 0) {
        return LS_OK;
    }
    d->litestream = 0;
    d->shop = d->shop > 0 ? d->shop : 0;
    return ls_fail_errno(err, errno, "start the demo");
}

static void end_child(pid_t *child) {
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    if (*child <= 0) {
        return;
    }
    (void)kill(*child, SIGTERM);
    for (int ms = 0; ms < WAIT_MS && waitpid(*child, NULL, WNOHANG) == 0; ms += STEP_MS) {
        (void)nanosleep(&step, NULL);
    }
    if (waitpid(*child, NULL, WNOHANG) == 0) {
        (void)kill(*child, SIGKILL);
        (void)waitpid(*child, NULL, 0);
    }
    *child = 0;
}

/* ---- the folder ---- */

static ls_code make_folder(demo *d, ls_err *err) {
    const char *tmp = getenv("TMPDIR");
    d->folder = ls_asprintf("%s/litestream-demo-XXXXXX", tmp != NULL && *tmp == '/' ? tmp : "/tmp");
    if (d->folder == NULL) {
        return ls_fail(err, LS_ENOMEM, "make a folder");
    }
    if (mkdtemp(d->folder) == NULL) {
        ls_code rc = ls_fail_errno(err, errno, "make %s", d->folder);
        free(d->folder);
        d->folder = NULL; /* there is nothing to remove */
        return rc;
    }
    d->database = ls_path_join(d->folder, "shop.db");
    d->replica = ls_path_join(d->folder, "replica");
    d->config = ls_path_join(d->folder, "litestream.yml");
    d->log = ls_path_join(d->folder, "litestream.log");
    bool room = d->database != NULL && d->replica != NULL && d->config != NULL && d->log != NULL;
    return room ? LS_OK : ls_fail(err, LS_ENOMEM, "make a folder");
}

static ls_code fill_folder(const demo *d, ls_err *err) {
    const ls_perm perm = LS_PERM_PRIVATE;
    char text[8192];
    ls_code rc = ls_mkdirs(d->replica, &perm, err);
    int len = snprintf(text, sizeof(text), config_text, d->database, d->replica, d->folder);
    int fd = rc == LS_OK ? open(d->config, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    if (rc == LS_OK && (fd < 0 || (size_t)len >= sizeof(text))) {
        rc = ls_fail_errno(err, errno, "write %s", d->config);
    }
    if (rc == LS_OK) {
        rc = ls_write_full(fd, text, (size_t)len, d->config, err);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    if (rc == LS_OK && chdir(d->folder) != 0) {
        rc = ls_fail_errno(err, errno, "open %s", d->folder);
    }
    return rc;
}

/* Why litestream ended, by the end of its log. */
static ls_code not_running(const demo *d, ls_err *err) {
    char *log = NULL;
    size_t len = 0;
    ls_err none = LS_ERR_INIT;
    if (ls_read_file(d->log, 1u << 20, &log, &len, &none) != LS_OK || len == 0) {
        free(log);
        (void)ls_fail(err, LS_ENOTFOUND, "the demo needs the program litestream");
        return ls_hint(err, "it is looked for beside litestream-tui, then in PATH");
    }
    const char *from = log + (len > 400 ? len - 400 : 0);
    ls_code rc = ls_fail(err, LS_EIO, "litestream ended: %.*s", (int)(log + len - from), from);
    free(log);
    return rc;
}

static ls_code points_there(const demo *d, size_t *n, ls_err *err) {
    source s;
    snapshot *snap = NULL;
    ls_code rc = source_open(&s, d->replica, err);
    if (rc == LS_OK) {
        rc = source_list(&s, NULL, &snap, err);
    }
    *n = rc == LS_OK ? snap->n_points : 0;
    snapshot_unref(snap);
    source_done(&s);
    return rc;
}

static ls_code wait_for_points(demo *d, ls_err *err) {
    const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    size_t n = 0;
    for (int ms = 0; ms < WAIT_MS; ms += STEP_MS) {
        ls_code rc = points_there(d, &n, err);
        if (rc != LS_OK || n >= POINTS_MIN) {
            return rc;
        }
        if (waitpid(d->litestream, NULL, WNOHANG) != 0) {
            d->litestream = 0;
            return not_running(d, err);
        }
        (void)nanosleep(&step, NULL);
    }
    return ls_fail(err, LS_EBUSY, "the demo's database was not replicated in %d s", WAIT_MS / 1000);
}

/* ---- ---- */

ls_code demo_start(demo **out, ls_err *err) {
    demo *d = calloc(1, sizeof(*d));
    *out = NULL;
    if (d == NULL) {
        return ls_fail(err, LS_ENOMEM, "start the demo");
    }
    ls_code rc = make_folder(d, err);
    if (rc == LS_OK) {
        rc = fill_folder(d, err);
    }
    if (rc == LS_OK) {
        rc = shop_make(d->database, err);
    }
    if (rc == LS_OK) {
        rc = start_children(d, err);
    }
    if (rc == LS_OK) {
        rc = wait_for_points(d, err);
    }
    if (rc != LS_OK) {
        demo_stop(d);
        return rc;
    }
    *out = d;
    return LS_OK;
}

const char *demo_replica(const demo *d) { return d->replica; }

void demo_stop(demo *d) {
    ls_err err = LS_ERR_INIT;
    if (d == NULL) {
        return;
    }
    end_child(&d->shop);
    end_child(&d->litestream);
    if (d->folder != NULL) {
        (void)!chdir("/");
        (void)!ls_remove_tree(d->folder, &err);
    }
    free(d->folder);
    free(d->database);
    free(d->replica);
    free(d->config);
    free(d->log);
    free(d);
}
