/*
 * The test that proves capture: writers (rollbacks, spills, VACUUM), checkpointers in all modes and
 * readers, all in other processes and by seed, while this process captures. At every barrier (a
 * write transaction of ours, so that nothing moves) the image that the level-0 files hold together
 * equals, page by page, what SQLite reads in that transaction.
 *
 * CHAOS_SECONDS (60), CHAOS_SEED (1), CHAOS_PAGE_SIZE (4096). Prints how often the interesting
 * things were met; each must be above zero in a run of 30 s or more.
 */
#include "engine/litestream.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char dir[64], path[96];
static int page_size;

/* ---- the other processes ---- */

static uint64_t rng_state;
static uint32_t rnd(uint32_t n) {
    rng_state ^= rng_state << 13;
    rng_state ^= rng_state >> 7;
    rng_state ^= rng_state << 17;
    return (uint32_t)(rng_state >> 11) % n;
}

static sqlite3 *connect(void) {
    sqlite3 *h = NULL;
    if (sqlite3_open(path, &h) != SQLITE_OK) {
        exit(3);
    }
    sqlite3_busy_timeout(h, 2000);
    return h;
}

/* Busy and a lost race are part of the game; corruption is not. */
static void try_sql(sqlite3 *h, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *text = sqlite3_vmprintf(fmt, args);
    va_end(args);
    int rc = sqlite3_exec(h, text, NULL, NULL, NULL);
    if (rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB) {
        (void)fprintf(stderr, "# %s: %s\n", text, sqlite3_errmsg(h));
        kill(getppid(), SIGTERM);
        exit(4);
    }
    sqlite3_free(text);
}

static void nap(uint32_t max_us) {
    struct timespec ts = {.tv_nsec = (long)rnd(max_us) * 1000};
    nanosleep(&ts, NULL);
}

static void one_transaction(sqlite3 *h) {
    if (rnd(400) == 0) {
        try_sql(h, "VACUUM");
        return;
    }
    uint32_t size = rnd(10) == 0 ? 200 : 1 + rnd(12);
    try_sql(h, "BEGIN IMMEDIATE");
    for (uint32_t i = 0; i < size && !sqlite3_get_autocommit(h); i++) {
        if (rnd(8) == 0) {
            try_sql(h, rnd(3) == 0 ? "ROLLBACK TO s" : "SAVEPOINT s");
        }
        switch (rnd(6)) {
        case 0:
            try_sql(h, "DELETE FROM t WHERE id IN (SELECT id FROM t ORDER BY random() LIMIT %u)",
                    1 + rnd(20));
            break;
        case 1:
        case 2:
            try_sql(h, "UPDATE t SET v = randomblob(%u) WHERE id %% %u = 0", 50 + rnd(900),
                    20 + rnd(100));
            break;
        default:
            try_sql(h, "INSERT INTO t(v) VALUES (randomblob(%u))", 10 + rnd(3000));
        }
    }
    if (rnd(3) == 0) {
        try_sql(h, "DELETE FROM t WHERE id < (SELECT max(id) - 1500 FROM t)");
    }
    try_sql(h, rnd(5) == 0 ? "ROLLBACK" : "COMMIT");
    try_sql(h, "ROLLBACK");
}

static void writer(void) {
    for (;;) {
        sqlite3 *h = connect();
        try_sql(h, "PRAGMA cache_size=%d; PRAGMA wal_autocheckpoint=%u; PRAGMA synchronous=OFF",
                rnd(2) ? 8 : 500, rnd(2) ? 0 : 20 + rnd(300));
        for (uint32_t n = 5 + rnd(60); n > 0; n--) {
            one_transaction(h);
            nap(rnd(4) == 0 ? 20000 : 2000);
        }
        sqlite3_close(h);
    }
}

static void checkpointer(void) {
    static const char *const modes[] = {"PASSIVE", "FULL", "RESTART", "TRUNCATE"};
    for (;;) {
        sqlite3 *h = connect();
        sqlite3_busy_timeout(h, (int)rnd(100));
        for (uint32_t n = 1 + rnd(20); n > 0; n--) {
            try_sql(h, "PRAGMA wal_checkpoint(%s)", modes[rnd(4)]);
            nap(40000);
        }
        sqlite3_close(h);
    }
}

static void reader(void) {
    for (;;) {
        sqlite3 *h = connect();
        for (uint32_t n = 1 + rnd(20); n > 0; n--) {
            try_sql(h, "BEGIN; SELECT count(*) FROM t");
            nap(rnd(8) == 0 ? 400000 : 10000);
            try_sql(h, "COMMIT");
            nap(60000);
        }
        sqlite3_close(h);
    }
}

static pid_t start(void (*fn)(void), uint64_t seed) {
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        rng_state = seed * 0x9E3779B97F4A7C15u + 1;
        fn();
    }
    return pid;
}

/* ---- the image ---- */

typedef struct image {
    uint8_t *data;
    size_t size, cap;
    ls_txid txid;
    bool last_full;
} image;

static void die(const char *what, const ls_err *err) {
    printf("not ok 1 - %s: %s\n", what, err != NULL ? err->msg : "");
    (void)fflush(stdout);
    exit(1);
}

static void apply(image *im, const char *file) {
    ls_err err = LS_ERR_INIT;
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ls_reader *in = ls_fd_reader_new(fd, true, file);
    ls_ltx_header h;
    ls_ltx_decoder *dec;
    if (ls_ltx_decoder_new(in, &h, &dec, &err) != LS_OK) {
        die(file, &err);
    }
    size_t size = (size_t)h.commit * h.page_size;
    if (size > im->cap) {
        im->cap = size * 2;
        im->data = realloc(im->data, im->cap);
    }
    im->size = size;
    for (;;) {
        ls_ltx_page p;
        bool end;
        if (ls_ltx_decoder_next(dec, &p, &end, &err) != LS_OK) {
            die(file, &err);
        }
        if (end) {
            break;
        }
        memcpy(im->data + (size_t)(p.pgno - 1) * h.page_size, p.data, h.page_size);
    }
    im->last_full = ls_ltx_decoder_pages(dec) == h.commit;
    if (ls_ltx_decoder_close(dec, NULL, &err) != LS_OK) {
        die(file, &err);
    }
    ls_ltx_decoder_free(dec);
    ls_reader_close(in);
}

static void catch_up(image *im, ls_db *db) {
    while (im->txid < ls_db_txid(db)) {
        im->txid++;
        char *file = ls_db_ltx_path(db, 0, im->txid, im->txid);
        apply(im, file);
        unlink(file[0] == '/' && im->txid + 2 < ls_db_txid(db) ? file : "/nonexistent");
        free(file);
    }
}

/* Leaves of the free list hold nothing that SQLite reads: pages that only differ there are equal.
 * SQLite's own rule: a leaf is not written when it is freed, nor when the file grows by it. */
static bool *free_leaves(const uint8_t *data, size_t size) {
    size_t n = size / (size_t)page_size;
    bool *leaf = calloc(n + 1, sizeof(*leaf));
#define BE32(p) ((uint32_t)(p)[0] << 24 | (uint32_t)(p)[1] << 16 | (uint32_t)(p)[2] << 8 | (p)[3])
    uint32_t trunk = BE32(data + 32);
    for (size_t guard = 0; trunk != 0 && trunk <= n && guard <= n; guard++) {
        const uint8_t *page = data + (size_t)(trunk - 1) * (size_t)page_size;
        uint32_t count = BE32(page + 4);
        for (uint32_t i = 0; i < count && 8 + 4 * i + 4 <= (uint32_t)page_size; i++) {
            uint32_t pgno = BE32(page + 8 + 4 * i);
            if (pgno <= n) {
                leaf[pgno] = true;
            }
        }
        trunk = BE32(page);
    }
    return leaf;
}

static void compare(const image *im, sqlite3 *h, uint64_t barrier) {
    sqlite3_int64 size = 0;
    unsigned char *data = sqlite3_serialize(h, "main", &size, 0);
    if (data == NULL || (size_t)size != im->size) {
        printf("# barrier %" PRIu64 " TXID %" PRIu64 ": %lld bytes, image has %zu\n", barrier,
               im->txid, (long long)size, im->size);
        die("sizes differ", NULL);
    }
    bool *leaf = free_leaves(data, im->size);
    for (size_t off = 0; off < im->size; off += (size_t)page_size) {
        size_t pgno = off / (size_t)page_size + 1;
        if (!leaf[pgno] && memcmp(im->data + off, data + off, (size_t)page_size) != 0) {
            printf("# barrier %" PRIu64 " TXID %" PRIu64 ": page %zu\n", barrier, im->txid, pgno);
            die("a page differs", NULL);
        }
    }
    free(leaf);
    sqlite3_free(data);
}

/* ---- the run ---- */

static uint64_t barriers, files, fulls, restarts, busy;

/* Failures that a busy log explains are tried again, as the daemon does. */
static void sync_once(ls_db *db, bool *more) {
    ls_err err = LS_ERR_INIT;
    ls_db_sync_result r;
    ls_code code = ls_db_sync(db, &r, &err);
    *more = code == LS_OK && (r.more || r.bumped);
    if (code == LS_EBUSY) {
        busy++;
        *more = true;
    } else if (code != LS_OK) {
        die("sync", &err);
    }
    files += (uint64_t)r.files;
}

static void count_restarts(void) {
    static uint8_t last[8];
    char wal[112];
    (void)snprintf(wal, sizeof(wal), "%s-wal", path);
    int fd = open(wal, O_RDONLY | O_CLOEXEC);
    uint8_t salts[8];
    if (fd >= 0 && pread(fd, salts, 8, 16) == 8 && memcmp(salts, last, 8) != 0) {
        memcpy(last, salts, 8);
        restarts++;
    }
    close(fd);
}

static void at_barrier(ls_db *db, image *im, sqlite3 *h) {
    if (sqlite3_exec(h, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
        return;
    }
    bool more = true;
    /* A full file needs the lock that we hold: few tries. */
    for (int i = 0; more && i < 5; i++) {
        sync_once(db, &more);
    }
    if (!more) {
        catch_up(im, db);
        compare(im, h, barriers);
        barriers++;
    }
    (void)sqlite3_exec(h, "ROLLBACK", NULL, NULL, NULL);
}

static double now(void) { return (double)ls_mono_ns(&ls_clock_system) / 1e9; }

static int env_int(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? (int)strtol(text, NULL, 10) : otherwise;
}

static void make_database(void) {
    sqlite3 *h = connect();
    try_sql(h,
            "PRAGMA page_size=%d; PRAGMA journal_mode=wal;"
            "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB); CREATE INDEX tv ON t(length(v))",
            page_size);
    sqlite3_close(h);
}

/* A full file hides what was done wrong before it; the log tells. */
static void check_log(const char *log_path) {
    ls_err err = LS_ERR_INIT;
    char *data;
    size_t len;
    if (ls_read_file(log_path, 64 << 20, &data, &len, &err) != LS_OK) {
        die("read log", &err);
    }
    const char *line = strstr(data, "level=ERROR");
    if (line != NULL) {
        printf("# %.*s\n", (int)strcspn(line, "\n"), line);
        die("an error was logged", NULL);
    }
    free(data);
}

/* A daemon that is stopped and started at random, beside what runs without a stop. */
static void run(ls_db_opts *opts, double seconds) {
    ls_err err = LS_ERR_INIT;
    ls_db *db = NULL;
    image im = {0};
    double end = now() + seconds;
    rng_state = 77;
    while (now() < end) {
        if (ls_db_new(opts, &db, &err) != LS_OK) {
            die("open", &err);
        }
        sqlite3 *h = NULL;
        for (uint32_t life = 20 + rnd(400); life > 0 && now() < end; life--) {
            bool more;
            sync_once(db, &more);
            catch_up(&im, db);
            fulls += im.last_full;
            count_restarts();
            if (rnd(6) == 0) {
                h = h != NULL ? h : connect();
                sqlite3_busy_timeout(h, 200);
                at_barrier(db, &im, h);
            }
            nap(8000);
        }
        /* Before our own handles go: no descriptor of the database may be closed while SQLite's
         * locks of this process matter, which these two orders both keep. */
        sqlite3_close(h);
        ls_db_free(db);
        nap(300000);
    }
    free(im.data);
}

int main(void) {
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    int seconds = env_int("CHAOS_SECONDS", 60);
    int seed = env_int("CHAOS_SEED", 1);
    page_size = env_int("CHAOS_PAGE_SIZE", 4096);
    (void)snprintf(dir, sizeof(dir), "%s", "/tmp/ls-chaos-XXXXXX");
    if (mkdtemp(dir) == NULL) {
        return 1;
    }
    (void)snprintf(path, sizeof(path), "%s/a.db", dir);
    make_database();
    pid_t pids[7];
    for (int i = 0; i < 7; i++) {
        pids[i] = start(i < 3 ? writer : i < 5 ? checkpointer : reader, (uint64_t)(seed * 10 + i));
    }
    ls_log log = LS_LOG_DEFAULT;
    char log_path[112];
    (void)snprintf(log_path, sizeof(log_path), "%s/log", dir);
    log.fd = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ls_db_opts opts = ls_db_opts_default(path);
    opts.log = &log;
    opts.busy_timeout = 100 * LS_MS;
    opts.min_checkpoint_page_n = 200;
    opts.truncate_page_n = 3000;
    opts.checkpoint_interval = 2 * LS_SEC;
    opts.max_sync_wal_bytes = 2 << 20;
    printf("1..1\n");
    run(&opts, seconds);
    check_log(log_path);
    for (int i = 0; i < 7; i++) {
        kill(pids[i], SIGKILL);
        waitpid(pids[i], NULL, 0);
    }
    printf("# seed %d page_size %d: barriers %" PRIu64 " files %" PRIu64 " full %" PRIu64
           " restarts of the log %" PRIu64 " busy %" PRIu64 "\n",
           seed, page_size, barriers, files, fulls, restarts, busy);
    bool met = barriers > 0 && files > 0 && fulls > 0 && (seconds < 30 || restarts > 1);
    printf("%sok 1 - the image equals the database at every barrier\n", met ? "" : "not ");
    ls_err err = LS_ERR_INIT;
    (void)!ls_remove_tree(dir, &err);
    return met ? 0 : 1;
}
