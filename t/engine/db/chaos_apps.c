/*
 * The applications of chaos_capture.c: three writers (rollbacks, savepoints, spills, VACUUM), two
 * checkpointers in all modes and two readers, each in its own process, which connect anew at
 * random.
 */
#include "t/engine/db/chaos.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WRITERS 3
#define CHECKPOINTERS 2
#define READERS 2
#define APPS (WRITERS + CHECKPOINTERS + READERS)

static const chaos_play *play;
static chaos_shared *shared;

/* ---- numbers ---- */

static uint64_t rng_state = 1;

void chaos_seed(uint64_t seed) { rng_state = seed * 0x9E3779B97F4A7C15u + 1; }

uint32_t chaos_rnd(uint32_t n) {
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 11) % n;
}

void chaos_nap(uint32_t max_us) {
    struct timespec ts = {.tv_nsec = (long)chaos_rnd(max_us) * 1000};
    nanosleep(&ts, NULL);
}

/* ---- SQL ---- */

sqlite3 *chaos_connect(const char *path) {
    sqlite3 *h = NULL;
    if (sqlite3_open(path, &h) != SQLITE_OK) {
        (void)fprintf(stderr, "# open %s: %s\n", path, sqlite3_errmsg(h));
        _exit(3);
    }
    sqlite3_busy_timeout(h, 2000);
    return h;
}

/* Either name of the database leads to the same one. */
static sqlite3 *connect_either(void) {
    return chaos_connect(chaos_rnd(2) ? play->path : play->name);
}

/* Busy and a lost race are part of the game; damage and files that are gone are not. */
static bool must_not_be(int rc) {
    int code = rc & 0xff;
    return code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_IOERR ||
           code == SQLITE_CANTOPEN;
}

static int try_sql(sqlite3 *h, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *text = sqlite3_vmprintf(fmt, args);
    va_end(args);
    int rc = sqlite3_exec(h, text, NULL, NULL, NULL);
    if (must_not_be(rc)) {
        (void)fprintf(stderr, "# %s: %s (%d)\n", text, sqlite3_errmsg(h),
                      sqlite3_extended_errcode(h));
        atomic_store(&shared->failed, true);
        _exit(4);
    }
    sqlite3_free(text);
    return rc;
}

/* ---- writers ---- */

static void change(sqlite3 *h) {
    switch (chaos_rnd(6)) {
    case 0:
        try_sql(h, "DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY random() LIMIT %u)",
                1 + chaos_rnd(20));
        break;
    case 1:
    case 2:
        try_sql(h, "UPDATE t SET v = randomblob(%u) WHERE id %% %u = 0", 50 + chaos_rnd(900),
                20 + chaos_rnd(100));
        break;
    default:
        try_sql(h, "INSERT INTO t(v) VALUES (randomblob(%u))", 10 + chaos_rnd(3000));
    }
}

/* SQLite before 3.50.4 commits frames without right checksums when a savepoint is rolled back
 * whose frames were spilled. */
static void savepoint(sqlite3 *h) {
    if (play->unbroken && sqlite3_libversion_number() < 3050004) {
        return;
    }
    try_sql(h, chaos_rnd(3) == 0 ? "ROLLBACK TO s" : "SAVEPOINT s");
}

static void one_transaction(sqlite3 *h) {
    if (chaos_rnd(150) == 0) {
        if (try_sql(h, "VACUUM") == SQLITE_OK) {
            atomic_fetch_add(&shared->vacuums, 1);
        }
        return;
    }
    uint32_t size = chaos_rnd(10) == 0 ? 200 : 1 + chaos_rnd(12);
    try_sql(h, "BEGIN IMMEDIATE");
    for (uint32_t i = 0; i < size && !sqlite3_get_autocommit(h); i++) {
        if (chaos_rnd(8) == 0) {
            savepoint(h);
        }
        change(h);
    }
    if (chaos_rnd(3) == 0) {
        try_sql(h, "DELETE FROM t WHERE id < (SELECT max(id) - 1500 FROM t)");
    }
    if (chaos_rnd(5) == 0) {
        atomic_fetch_add(&shared->rollbacks, try_sql(h, "ROLLBACK") == SQLITE_OK);
    } else {
        atomic_fetch_add(&shared->commits, try_sql(h, "COMMIT") == SQLITE_OK);
    }
    if (!sqlite3_get_autocommit(h)) {
        try_sql(h, "ROLLBACK");
    }
}

static void wait_while_quiet(void) {
    while (atomic_load(&shared->quiet)) {
        chaos_nap(10000);
    }
}

static void writer(void) {
    for (;;) {
        sqlite3 *h = connect_either();
        /* Only the capture itself is to shorten the log beside a reader that does not end. */
        uint32_t own = play->reader || chaos_rnd(2) ? 0 : 20 + chaos_rnd(300);
        try_sql(h, "PRAGMA cache_size=%d; PRAGMA wal_autocheckpoint=%u; PRAGMA synchronous=OFF",
                chaos_rnd(2) ? 8 : 500, own);
        for (uint32_t n = 5 + chaos_rnd(60); n > 0; n--) {
            one_transaction(h);
            wait_while_quiet();
            chaos_nap(chaos_rnd(4) == 0 ? 20000 : 2000);
        }
        sqlite3_close(h);
    }
}

/* ---- checkpointers and readers ---- */

static int64_t log_size(void) {
    char wal[112];
    struct stat st;
    (void)snprintf(wal, sizeof(wal), "%s-wal", play->path);
    return stat(wal, &st) == 0 ? (int64_t)st.st_size : 0;
}

/* R at mark 0 does not keep the log from being truncated. */
static void truncate_log(sqlite3 *h) {
    uint64_t life = atomic_load(&shared->captured);
    bool before = life != 0 && log_size() > 0;
    int rc = sqlite3_wal_checkpoint_v2(h, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc == SQLITE_OK && before && log_size() == 0 && atomic_load(&shared->captured) == life) {
        atomic_fetch_add(&shared->truncations, 1);
    }
}

static void checkpointer(void) {
    static const char *const modes[] = {"PASSIVE", "FULL", "RESTART"};
    for (;;) {
        sqlite3 *h = connect_either();
        sqlite3_busy_timeout(h, (int)chaos_rnd(chaos_rnd(5) == 0 ? 100 : 8));
        for (uint32_t n = 1 + chaos_rnd(20); n > 0; n--) {
            uint32_t mode = chaos_rnd(4);
            if (atomic_load(&shared->quiet)) {
                /* Copied while nobody holds the log, truncated when R does so at mark 0. */
                mode = atomic_load(&shared->captured) != 0 ? 3 : 0;
            }
            if (mode == 3) {
                truncate_log(h);
            } else {
                try_sql(h, "PRAGMA wal_checkpoint(%s)", modes[mode]);
            }
            chaos_nap(40000);
        }
        sqlite3_close(h);
    }
}

static void reader(void) {
    for (;;) {
        sqlite3 *h = connect_either();
        for (uint32_t n = 1 + chaos_rnd(20); n > 0; n--) {
            wait_while_quiet();
            try_sql(h, "BEGIN; SELECT count(*) FROM t");
            chaos_nap(chaos_rnd(8) == 0 ? 400000 : 10000);
            try_sql(h, "COMMIT");
            chaos_nap(60000);
        }
        sqlite3_close(h);
    }
}

static void endless_reader(void) {
    sqlite3 *h = connect_either();
    if (try_sql(h, "BEGIN; SELECT count(*) FROM t") != SQLITE_OK) {
        atomic_store(&shared->failed, true);
    }
    while (!atomic_load(&shared->let_reader_end)) {
        chaos_nap(10000);
    }
    sqlite3_close(h);
    for (;;) {
        pause();
    }
}

/* ---- processes ---- */

static pid_t start(void (*fn)(void), uint64_t seed) {
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        chaos_seed(seed);
        fn();
        _exit(0);
    }
    return pid;
}

static pid_t start_app(int i, uint64_t life) {
    void (*fn)(void) = i < WRITERS ? writer : i < WRITERS + CHECKPOINTERS ? checkpointer : reader;
    if (fn == checkpointer && play->reader) {
        fn = reader;
    }
    return start(fn, (uint64_t)(play->seed * 10 + i) + life * 1000003);
}

/* Applications run for ever: one that ends without being killed has met what must not be. */
static void watch(pid_t *pids) {
    for (uint64_t life = 1;; life++) {
        if (play->killed) {
            chaos_nap(80000);
            int i = (int)chaos_rnd(WRITERS);
            kill(pids[i], SIGKILL);
            waitpid(pids[i], NULL, 0);
            atomic_fetch_add(&shared->kills, 1);
            pids[i] = start_app(i, life);
        } else {
            chaos_nap(200000);
        }
        if (waitpid(-1, NULL, WNOHANG) > 0) {
            atomic_store(&shared->failed, true);
        }
    }
}

pid_t chaos_apps_start(const chaos_play *p, chaos_shared *s) {
    play = p;
    shared = s;
    pid_t pid = fork();
    if (pid != 0) {
        return pid;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    chaos_seed((uint64_t)play->seed + 500);
    pid_t pids[APPS];
    for (int i = 0; i < APPS; i++) {
        pids[i] = start_app(i, 0);
    }
    if (play->reader) {
        (void)start(endless_reader, 1);
    }
    watch(pids);
    _exit(0);
}

void chaos_make(const chaos_play *p) {
    sqlite3 *h = chaos_connect(p->path);
    char *text = sqlite3_mprintf("PRAGMA page_size=%d; PRAGMA journal_mode=wal;"
                                 "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB);"
                                 "CREATE INDEX tv ON t(length(v))",
                                 p->page_size);
    char *why = NULL;
    if (sqlite3_exec(h, text, NULL, NULL, &why) != SQLITE_OK) {
        printf("# %s\n", why);
        chaos_die("the database is made", NULL);
    }
    sqlite3_free(text);
    sqlite3_close(h);
}
