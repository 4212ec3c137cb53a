/* See world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/engine/faults/world.h"

#include "engine/base/text.h"
#include "engine/db/internal.h"
#include "engine/restore/restore.h"
#include "t/support/tempdir.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/wait.h>

#define DATA_MODE 0750

/* ---- Verbs ---- */

static char *below(const char *dir, const char *name) {
    char *path = ls_path_join(dir, name);
    assert_non_null(path);
    return path;
}

void make_objects(world *w) {
    ls_err err = LS_ERR_INIT;
    if (w->db == NULL) {
        must(ls_db_new(&w->opts, &w->db, &err), &err);
    }
    if (w->r == NULL) {
        ls_storage *s;
        must(ls_storage_open_file(w->root, NULL, &s, &err), &err);
        must(ls_replica_new(w->db, s, NULL, &w->r, &err), &err);
    }
}

void drop_objects(world *w) {
    ls_replica_free(w->r);
    ls_db_free(w->db);
    ls_follow_free(w->f);
    ls_storage_free(w->fs);
    w->r = NULL;
    w->db = NULL;
    w->f = NULL;
    w->fs = NULL;
}

void capture_all(world *w) {
    ls_err err = LS_ERR_INIT;
    ls_db_sync_result res = {.more = true};
    for (int i = 0; res.more || res.bumped || res.settling; i++) {
        assert_true(i < 100);
        must(ls_db_sync(w->db, &res, &err), &err);
    }
}

/* Files that are not what they were lead to one more comparison. */
void replicate(world *w) {
    ls_err err = LS_ERR_INIT;
    make_objects(w);
    ls_code rc = LS_EGAP;
    for (int i = 0; i < 2 && rc == LS_EGAP; i++) {
        ls_err_clear(&err);
        must(ls_replica_check(w->r, &err), &err);
        capture_all(w);
        rc = ls_replica_sync(w->r, ls_db_txid(w->db), NULL, &err);
    }
    must(rc, &err);
    assert_int_equal(ls_replica_txid(w->r), ls_db_txid(w->db));
}

void replicated(world *w, int page_size, int rows) {
    w->app = app_create(w->path, page_size);
    sql(w->app, "PRAGMA synchronous=off");
    sqlite3_busy_timeout(w->app, 100);
    add_rows(w->app, rows);
    replicate(w);
}

static sqlite3 *open_app(const world *w) {
    sqlite3 *app = app_open(w->path);
    sql(app, "PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=off");
    sqlite3_busy_timeout(app, 100);
    return app;
}

void replace_database(world *w, int page_size, int rows) {
    char *other = below(w->dir, "other.db");
    sqlite3 *h = app_create(other, page_size);
    add_rows(h, rows);
    assert_int_equal(sqlite3_close(h), SQLITE_OK);
    assert_int_equal(sqlite3_close(w->app), SQLITE_OK);
    remove_log(w->path);
    assert_int_equal(rename(other, w->path), 0);
    w->app = open_app(w);
    free(other);
}

void change_page_size(world *w, int size) {
    char *text = sqlite3_mprintf("PRAGMA journal_mode=delete; PRAGMA page_size=%d; VACUUM;"
                                 "PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0",
                                 size);
    sql(w->app, text);
    sqlite3_free(text);
}

void go_on(world *w, const char *mode) {
    sql(w->app, "UPDATE t SET v = randomblob(650) WHERE id % 3 = 0");
    char *text = sqlite3_mprintf("PRAGMA wal_checkpoint(%s)", mode);
    sqlite3_busy_timeout(w->app, 0);
    (void)sqlite3_exec(w->app, text, NULL, NULL, NULL);
    sqlite3_busy_timeout(w->app, 100);
    sqlite3_free(text);
    sql(w->app, "UPDATE t SET v = randomblob(650) WHERE id % 4 = 0");
    add_rows(w->app, 2);
}

/* ---- A world ---- */

static int64_t stepped_wall(const ls_clock *c) {
    (void)c;
    return ls_wall_ms(&ls_clock_system);
}

/* Time passes by being asked for: what is waited for comes. */
static int64_t stepped_mono(const ls_clock *c) {
    static int64_t ns;
    (void)c;
    return ns += 100 * LS_MS;
}

static const ls_clock stepped = {.wall_ms = stepped_wall, .mono_ns = stepped_mono};

static void world_begin(world *w) {
    *w = (world){0};
    assert_int_equal(tempdir_setup((void **)&w->dir), 0);
    char *data = below(w->dir, "data");
    assert_int_equal(mkdir(data, 0700), 0);
    assert_int_equal(chmod(data, DATA_MODE), 0);
    w->path = below(data, "a.db");
    w->meta = ls_db_default_meta_path(w->path);
    w->root = below(w->dir, "replica");
    w->out = below(w->dir, "out/restored.db");
    w->opts = ls_db_opts_default(w->path);
    w->opts.busy_timeout = 50 * LS_MS;
    w->opts.clock = &stepped;
    free(data);
}

static void world_end(world *w) {
    drop_objects(w);
    assert_int_equal(sqlite3_close(w->app), SQLITE_OK);
    assert_int_equal(tempdir_teardown((void **)&w->dir), 0);
    free(w->path);
    free(w->meta);
    free(w->root);
    free(w->out);
}

static int open_files(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    while (readdir(d) != NULL) {
        n++;
    }
    closedir(d);
    return n;
}

/* ---- What must hold ---- */

/* Which fault is being tried, for a test that fails. */
static char at_hand[160];

void assert_is_db(const world *w, const char *file) {
    ls_err err = LS_ERR_INIT;
    size_t size;
    uint8_t *data = db_image(w->app, &size);
    char *got;
    size_t len;
    must(ls_read_file(file, (size_t)1 << 28, &got, &len, &err), &err);
    assert_int_equal(len, size);
    for (size_t at = 0; at < len; at += 512) {
        if (memcmp(got + at, data + at, 512) != 0) {
            fail_msg("%s differs at byte %zu of %zu", file, at, len);
        }
    }
    free(got);
    sqlite3_free(data);
}

/* A restore gives the database, and so do the files put together by the plainest rule. */
static void assert_restores(const world *w) {
    ls_err err = LS_ERR_INIT;
    ls_storage *s;
    must(ls_storage_open_file(w->root, NULL, &s, &err), &err);
    char *out = below(w->dir, "check.db");
    const ls_restore_opts opts = {
        .output = out, .timestamp_ms = LS_NO_TIMESTAMP, .integrity = LS_INTEGRITY_QUICK};
    ls_restore_result res;
    must(ls_restore(s, &opts, &res, &err), &err);
    assert_is_db(w, out);
    assert_int_equal(unlink(out), 0);
    free(out);
    image im = image_of(s);
    assert_int_equal(im.txid, res.txid);
    assert_true(image_is_db(&im, w->path));
    free(im.data);
    ls_storage_free(s);
}

/* What a process left that ended in the middle of making a folder keeps the mode it had. */
static bool after_end;

static int look_at_entry(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)at;
    size_t len = strlen(path);
    if (len > 4 && strcmp(path + len - 4, ".tmp") == 0) {
        fail_msg("%s was left behind", path);
    }
    if (strstr(path, ".ltx-") != NULL || strstr(path, ".damaged") != NULL) {
        fail_msg("%s was left behind", path);
    }
    if (!after_end && type == FTW_D && strstr(path, "-litestream") != NULL) {
        assert_int_equal(st->st_mode & 07777, DATA_MODE);
    }
    return 0;
}

static void assert_tidy(const world *w) {
    assert_int_equal(nftw(w->dir, look_at_entry, 16, FTW_PHYS), 0);
}

/* Does the system list a lock of this process on R's bytes of the log's index? */
static bool lists_lock(FILE *locks, ino_t ino) {
    char line[256], inode[32];
    (void)snprintf(inode, sizeof inode, ":%llu ", (unsigned long long)ino);
    while (fgets(line, sizeof line, locks) != NULL) {
        int pid;
        unsigned long long from;
        const char *rest = strstr(line, inode);
        if (rest != NULL && sscanf(line, "%*d: POSIX ADVISORY %*s %d", &pid) == 1 &&
            sscanf(rest, ":%*u %llu", &from) == 1 && pid == (int)getpid() && from >= 123 &&
            from <= 127) {
            return true;
        }
    }
    return false;
}

/* SQLite believes to hold R's lock: so does the system? Its list may miss one while others change.
 */
static void assert_locked(const world *w) {
    struct stat st;
    if (w->db == NULL || !w->db->opened || access("/proc/locks", R_OK) != 0) {
        return;
    }
    assert_int_equal(stat(w->db->shm_path, &st), 0);
    bool held = false;
    for (int i = 0; i < 100 && !held; i++) {
        FILE *locks = fopen("/proc/locks", "re");
        assert_non_null(locks);
        held = lists_lock(locks, st.st_ino);
        fclose(locks);
    }
    if (!held) {
        fail_msg("%s: the read lock on the log is gone", at_hand);
    }
}

/* ---- Faults ---- */

typedef struct fault {
    fault_kind kind;
    int effect;
    const char *what;
    bool harmless; /* the attempt must succeed all the same */
} fault;

static const fault faults[] = {
    {FAULT_MEMORY, ENOMEM, "ENOMEM", false},   {FAULT_SQLITE_MEMORY, ENOMEM, "ENOMEM", false},
    {FAULT_OPEN, EMFILE, "EMFILE", false},     {FAULT_OPEN, EINTR, "EINTR", true},
    {FAULT_CREATE, ENOSPC, "ENOSPC", false},   {FAULT_READ, EIO, "EIO", false},
    {FAULT_READ, EINTR, "EINTR", true},        {FAULT_READ, FAULT_SHORT, "short", true},
    {FAULT_WRITE, EIO, "EIO", false},          {FAULT_WRITE, ENOSPC, "ENOSPC", false},
    {FAULT_WRITE, EINTR, "EINTR", true},       {FAULT_WRITE, FAULT_SHORT, "short", true},
    {FAULT_SYNC, EIO, "EIO", false},           {FAULT_SYNC, ENOSPC, "ENOSPC", false},
    {FAULT_SYNC, EINTR, "EINTR", true},        {FAULT_RENAME, EIO, "EIO", false},
    {FAULT_RENAME, ENOSPC, "ENOSPC", false},   {FAULT_UNLINK, EIO, "EIO", false},
    {FAULT_MKDIR, ENOSPC, "ENOSPC", false},    {FAULT_TRUNCATE, EIO, "EIO", false},
    {FAULT_TRUNCATE, ENOSPC, "ENOSPC", false}, {FAULT_COPY, EOPNOTSUPP, "EOPNOTSUPP", true},
    {FAULT_COPY, FAULT_SHORT, "short", true},  {FAULT_STAT, EIO, "EIO", false},
    {FAULT_LIST, EIO, "EIO", false},           {FAULT_MODE, EIO, "EIO", false},
    {FAULT_LOCK, EIO, "EIO", false},           {FAULT_MAP, ENOMEM, "ENOMEM", false},
    {FAULT_THREAD, EAGAIN, "EAGAIN", false},   {FAULT_CHANGE, FAULT_DIE, "end of process", false},
};
#define FAULTS (sizeof faults / sizeof faults[0])

/* How the next try comes about. */
typedef enum next_try {
    SAME,    /* the same objects */
    ANEW,    /* new ones */
    CRASHED, /* new ones in another process: the first ended as soon as it had the error */
} next_try;

static ls_code expected_code(int effect) {
    switch (effect) {
    case ENOMEM:
        return LS_ENOMEM;
    case ENOSPC:
        return LS_EFULL;
    default:
        return LS_EIO;
    }
}

/* SQLite takes a page that it could not read for one that is damaged: its check does, and so does
 * who reads the schema. */
static bool takes_for_damage(const fault *f, const ls_err *err) {
    return (f->kind == FAULT_READ || f->kind == FAULT_SQLITE_MEMORY) && err->code == LS_ECORRUPT;
}

/* LS_EIO: SQLite may hide the reason behind another way to go on, which failed too. */
static bool fits(const fault *f, const ls_err *err) {
    return err->code == expected_code(f->effect) || err->code == LS_EIO || takes_for_damage(f, err);
}

static bool names_a_file(const world *w, const fault *f, const ls_err *err) {
    return strstr(err->msg, w->dir) != NULL || err->code == LS_ENOMEM || f->kind == FAULT_THREAD ||
           takes_for_damage(f, err);
}

/* An error says what went wrong, where, and what to do. */
static void judge_answer(const world *w, const fault *f, ls_code rc, const ls_err *err) {
    if (rc == LS_OK) {
        return;
    }
    if (f->harmless) {
        fail_msg("%s: %s: %s", at_hand, ls_code_name(rc), err->msg);
    }
    if (rc != err->code || !names_a_file(w, f, err) || ls_err_hint(err)[0] == '\0' ||
        !fits(f, err)) {
        fail_msg("%s: answers %s: %s (hint: %s)", at_hand, ls_code_name(rc), err->msg,
                 ls_err_hint(err));
    }
}

typedef struct outcome {
    long calls, hits;
    ls_code rc;
} outcome;

static outcome attempt(const job *j, const fault *f, long n, world *w) {
    outcome o;
    ls_err err = LS_ERR_INIT;
    j->prepare(w);
    faults_arm(f->kind, n, f->effect);
    o.rc = j->attempt(w, &err);
    o.calls = faults_disarm(&o.hits);
    if (o.hits > 0) {
        judge_answer(w, f, o.rc, &err);
    } else {
        must(o.rc, &err);
    }
    if (o.rc != LS_OK && j->failed != NULL) {
        j->failed(w);
    }
    return o;
}

/* The same in a process that ends behind it without closing anything. */
static outcome attempt_and_end(const job *j, const fault *f, long n, world *w) {
    outcome o = {0};
    int to_parent[2], status;
    assert_int_equal(pipe2(to_parent, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("CMOCKA_TEST_ABORT", "1", 1); /* a failure ends this process, not the test alone */
        o = attempt(j, f, n, w);
        _exit(write(to_parent[1], &o, sizeof o) == (ssize_t)sizeof o ? 0 : 1);
    }
    close(to_parent[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == FAULT_STATUS) {
        o.hits = 1;
    } else {
        assert_int_equal(WEXITSTATUS(status), 0);
        assert_int_equal(read(to_parent[0], &o, sizeof o), sizeof o);
    }
    close(to_parent[0]);
    w->app = open_app(w);
    return o;
}

static outcome try_once(const job *j, const fault *f, long n, next_try next) {
    world w;
    int before = open_files();
    (void)snprintf(at_hand, sizeof at_hand, "%s: %s %ld: %s", j->name, fault_name(f->kind), n,
                   f->what);
    if (getenv("FAULTS_VERBOSE") != NULL) {
        print_message("# %s, %d\n", at_hand, (int)next);
    }
    world_begin(&w);
    after_end = f->effect == FAULT_DIE;
    outcome o = next == CRASHED ? attempt_and_end(j, f, n, &w) : attempt(j, f, n, &w);
    if (next == ANEW) {
        drop_objects(&w);
    }
    if (j->meanwhile != NULL) {
        j->meanwhile(&w);
    }
    j->settle(&w);
    assert_locked(&w);
    assert_restores(&w);
    assert_tidy(&w);
    world_end(&w);
    assert_int_equal(open_files(), before);
    return o;
}

/* ---- Counting up ---- */

/* Up to so many calls each is tried; of more, the first half of them and others at equal distances.
 */
#define EACH_MAX 30

static long step(long n, long total) {
    return total <= EACH_MAX || n < EACH_MAX / 2 ? 1 : (total + EACH_MAX - 1) / EACH_MAX * 2;
}

typedef struct tally {
    long calls, tried, absorbed;
} tally;

/* Until a run ends without a fault. */
static tally count_up(const job *j, const fault *f) {
    bool dies = f->effect == FAULT_DIE;
    tally t = {.calls = try_once(j, f, 0, SAME).calls};
    outcome o = {.hits = 1};
    for (long n = 1; o.hits > 0; n += step(n, t.calls)) {
        o = try_once(j, f, n, dies ? CRASHED : SAME);
        if (!dies && n % 5 == 2) {
            (void)try_once(j, f, n, ANEW);
        }
        if (!dies && n % 5 == 4) {
            (void)try_once(j, f, n, CRASHED);
        }
        t.tried += o.hits > 0;
        t.absorbed += o.hits > 0 && !dies && o.rc == LS_OK;
    }
    if (f->harmless) {
        (void)try_once(j, f, f->effect == FAULT_SHORT ? FAULT_EACH : FAULT_EVERY_OTHER, SAME);
    }
    return t;
}

static void report(const job *j, const fault *f, const tally *t) {
    char part[64] = "";
    if (t->tried < t->calls) {
        (void)snprintf(part, sizeof part, ", %ld of them", t->tried);
    }
    char absorbed[64] = "";
    if (!f->harmless && t->absorbed > 0) {
        (void)snprintf(absorbed, sizeof absorbed, ", no error for %ld", t->absorbed);
    }
    print_message("# %s: %s %s %ld%s%s\n", j->name, fault_name(f->kind), f->what, t->calls, part,
                  absorbed);
}

static bool wanted(const char *what, const char *variable) {
    const char *only = getenv(variable);
    return only == NULL || strcmp(only, what) == 0;
}

void fail_each_call(const job *jobs, size_t n) {
    faults_without_disk(true);
    if (access("/dev/shm", R_OK | W_OK | X_OK) == 0) {
        setenv("TMPDIR", "/dev/shm", 0); /* no disk whose other users would be waited for */
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < FAULTS; k++) {
            const fault *f = &faults[k];
            bool skip = f->kind == FAULT_SYNC && f->effect == EINTR && !jobs[i].no_sqlite_sync;
            if (skip || !wanted(jobs[i].name, "FAULTS_JOB") ||
                !wanted(fault_name(f->kind), "FAULTS_KIND")) {
                continue;
            }
            tally t = count_up(&jobs[i], f);
            if (t.calls > 0) {
                report(&jobs[i], f, &t);
            }
        }
    }
}
