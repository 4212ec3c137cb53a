/*
 * The test that proves capture: applications in other processes, by seed, write, checkpoint and
 * read a database (chaos_apps.c) while this process captures it and gives it up and takes it again.
 * At every barrier (a write transaction of the auditor, another process, so that nothing moves) it
 * captures to the end; the image that the level-0 files hold together must equal, page by page,
 * what sqlite3_backup copies from a read transaction begun there (chaos_audit.c).
 *
 * From the environment:
 *   CHAOS_SECONDS    60
 *   CHAOS_SEED       1
 *   CHAOS_PAGE_SIZE  4096
 *   CHAOS_VARIANT    words with commas between them, none by default:
 *                    links     the database is reached through symbolic links, of its folder and
 *                              of the file
 *                    reader    for two thirds of the time a reader does not end and nobody else
 *                              checkpoints: the log grows, and must shrink afterwards
 *                    killed    writers are killed at random instants and replaced
 *                    unbroken  SQLite's defect with savepoints is not met
 *
 * Prints what was met. In a run of 30 s or more each must have been: restarts of the log, foreign
 * truncations, R at read-mark 0 and at others, full files and increments.
 */
#include "t/engine/db/chaos.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TRUNCATE_PAGES 3000
/* Barriers in a row at which a full file is due, which writers are not held back for. */
#define PUT_OFF_MAX 30

typedef struct counters {
    uint64_t barriers, refused, put_off, restarts, mark0, mark_k, busy, lives;
    int64_t log_max, log_end; /* bytes */
} counters;

static chaos_play play;
static chaos_shared *shared;
static chaos_audit audit;
static chaos_image image;
static counters met;

/* ---- what is met ---- */

static void log_path(char *out, size_t size, const char *suffix) {
    (void)snprintf(out, size, "%s%s", play.path, suffix);
}

static void count_restarts(void) {
    static uint8_t last[8];
    char wal[112];
    log_path(wal, sizeof(wal), "-wal");
    int fd = open(wal, O_RDONLY | O_CLOEXEC);
    uint8_t salts[8];
    struct stat st;
    if (fd >= 0 && pread(fd, salts, 8, 16) == 8 && memcmp(salts, last, 8) != 0) {
        memcpy(last, salts, 8);
        met.restarts++;
    }
    if (fd >= 0 && fstat(fd, &st) == 0) {
        met.log_end = st.st_size;
        met.log_max = st.st_size > met.log_max ? st.st_size : met.log_max;
    }
    close(fd);
}

/* The read-marks that this process holds, from the system's list of locks: SQLite locks byte 123 of
 * the index for mark 0, the next four for the others. */
static void count_marks(void) {
    char shm[112], line[256];
    struct stat st;
    log_path(shm, sizeof(shm), "-shm");
    FILE *f = fopen("/proc/locks", "re");
    if (f == NULL || stat(shm, &st) != 0) {
        chaos_die("/proc/locks tells nothing", NULL);
    }
    while (fgets(line, sizeof(line), f) != NULL) {
        long pid;
        unsigned long inode;
        long long from, to;
        if (sscanf(line, "%*d: POSIX ADVISORY %*s %ld %*x:%*x:%lu %lld %lld", &pid, &inode, &from,
                   &to) != 4 ||
            pid != (long)getpid() || inode != st.st_ino) {
            continue;
        }
        met.mark0 += from <= 123 && to >= 123;
        met.mark_k += from <= 127 && to >= 124;
    }
    (void)fclose(f);
}

/* ---- the run ---- */

/* Failures that a busy log explains are tried again, as the daemon does. */
static bool sync_once(ls_db *db) {
    ls_err err = LS_ERR_INIT;
    ls_db_sync_result r;
    ls_code code = ls_db_sync(db, &r, &err);
    if (code != LS_OK && code != LS_EBUSY) {
        chaos_die("sync", &err);
    }
    met.busy += code == LS_EBUSY;
    return code == LS_EBUSY || r.more || r.bumped;
}

/* At a barrier of another process: a file that needs the write lock is put off. */
static bool sync_to_end(ls_db *db) {
    bool more = true;
    for (int i = 0; more && i < 5; i++) {
        more = sync_once(db);
    }
    chaos_image_catch_up(&image, db);
    return !more;
}

static void at_barrier(ls_db *db) {
    static int in_a_row;
    if (!chaos_audit_hold(&audit)) {
        met.refused++;
        return;
    }
    if (!sync_to_end(db)) {
        chaos_audit_drop(&audit);
        met.put_off++;
        if (++in_a_row > PUT_OFF_MAX) {
            chaos_die("no capture reaches the end", NULL);
        }
        return;
    }
    in_a_row = 0;
    uint32_t cookie;
    if (!chaos_audit_copy(&audit, &cookie)) {
        chaos_die("the auditor got no copy", NULL);
    }
    met.barriers++;
    if (!chaos_image_is(&image, audit.copy, cookie)) {
        printf("# barrier %" PRIu64 " of life %" PRIu64 "\n", met.barriers, met.lives);
        chaos_die("the image is not the database", NULL);
    }
}

static double now(void) { return (double)ls_mono_ns(&ls_clock_system) / 1e9; }

/* From opening to closing, at random; what was open may be closed at any place in the log. */
static void live(ls_db_opts *opts, double end) {
    ls_err err = LS_ERR_INIT;
    ls_db *db = NULL;
    /* A short one restarts the log at once, a long one lets others do with it what they like. */
    opts->min_checkpoint_page_n = chaos_rnd(2) ? 200 : 2000;
    if (ls_db_new(opts, &db, &err) != LS_OK) {
        chaos_die("open", &err);
    }
    met.lives++;
    int quiet = 4;
    for (uint32_t life = 20 + chaos_rnd(200); life > 0 && now() < end; life--) {
        (void)sync_once(db);
        atomic_store(&shared->captured, ls_db_txid(db) > 0 ? met.lives : 0);
        chaos_image_catch_up(&image, db);
        count_restarts();
        if (quiet > 0) {
            chaos_nap(60000);
            atomic_store(&shared->quiet, --quiet > 0 && atomic_load(&shared->quiet));
        }
        if (life % 4 == 0) {
            count_marks();
        }
        if (chaos_rnd(6) == 0) {
            at_barrier(db);
        }
        chaos_nap(8000);
    }
    atomic_store(&shared->captured, 0);
    ls_db_free(db);
    chaos_nap(300000);
    /* Most lives begin with a log that was copied to its end, and nobody who adds to it. */
    if (chaos_rnd(4) != 0) {
        atomic_store(&shared->quiet, true);
        chaos_nap(600000);
    }
}

/* Beside a reader that does not end the log grows past every threshold, after it the capture makes
 * it small again while writers go on. */
static void run_until(ls_db_opts *opts, double end) {
    while (now() < end && !atomic_load(&shared->failed)) {
        live(opts, end);
    }
}

static bool too_long(void) { return met.log_end > (int64_t)TRUNCATE_PAGES * (play.page_size + 24); }

static void run(ls_db_opts *opts) {
    double begin = now();
    double third = (double)play.seconds / 3;
    chaos_seed((uint64_t)play.seed + 900);
    if (play.reader) {
        run_until(opts, begin + 2 * third);
        atomic_store(&shared->let_reader_end, true);
    }
    run_until(opts, begin + 3 * third);
    for (int more = 0; play.reader && too_long() && more < 15; more++) {
        run_until(opts, now() + 1);
    }
}

/* ---- setting up, and the result ---- */

static int env_int(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? (int)strtol(text, NULL, 10) : otherwise;
}

static bool variant(const char *word) {
    const char *text = getenv("CHAOS_VARIANT");
    size_t len = strlen(word);
    for (const char *p = text; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, ",");
        if (n == len && memcmp(p, word, n) == 0) {
            return true;
        }
        p += n + (p[n] == ',');
    }
    return false;
}

static void take_environment(void) {
    play = (chaos_play){
        .seconds = env_int("CHAOS_SECONDS", 60),
        .seed = env_int("CHAOS_SEED", 1),
        .page_size = env_int("CHAOS_PAGE_SIZE", 4096),
        .links = variant("links"),
        .reader = variant("reader"),
        .killed = variant("killed"),
        .unbroken = variant("unbroken"),
    };
}

static void make_folder(void) {
    (void)snprintf(play.dir, sizeof(play.dir), "%s", "/tmp/ls-chaos-XXXXXX");
    if (mkdtemp(play.dir) == NULL) {
        chaos_die("mkdtemp", NULL);
    }
    (void)snprintf(play.path, sizeof(play.path), "%s/a.db", play.dir);
    memcpy(play.name, play.path, sizeof(play.name));
    if (play.links) {
        char folder[96], link[112];
        (void)snprintf(folder, sizeof(folder), "%s/folder", play.dir);
        (void)snprintf(link, sizeof(link), "%s/b.db", play.dir);
        (void)snprintf(play.name, sizeof(play.name), "%s/folder/b.db", play.dir);
        if (symlink(".", folder) != 0 || symlink("a.db", link) != 0) {
            chaos_die("symlink", NULL);
        }
    }
}

static bool all_met(void) {
    bool ok = met.barriers > 0 && image.files > 0;
    if (play.reader) {
        ok = ok && met.log_max > (int64_t)TRUNCATE_PAGES * (play.page_size + 24) && !too_long();
    } else if (play.seconds >= 30) {
        ok = ok && met.restarts > 1 && atomic_load(&shared->truncations) > 0 && met.mark0 > 0;
    }
    if (play.seconds >= 30) {
        ok = ok && met.mark_k > 0 && image.fulls > 0 && image.fulls < image.files;
    }
    return ok && (!play.killed || atomic_load(&shared->kills) > 0);
}

/* What SQLite's locks forbid must not have been seen, nor anything that the log calls an error. */
static bool logged_errors(const char *path) {
    ls_err err = LS_ERR_INIT;
    char *text = NULL;
    size_t len = 0;
    if (ls_read_file(path, 256 << 20, &text, &len, &err) != LS_OK) {
        chaos_die("read the log", &err);
    }
    const char *at = strstr(text, "level=ERROR");
    if (at != NULL) {
        printf("# %.*s\n", (int)strcspn(at, "\n"), at);
    }
    free(text);
    return at != NULL;
}

static void print_met(void) {
    printf("# seed %d page_size %d variant %s: barriers %" PRIu64 " files %" PRIu64 " full %" PRIu64
           " lives %" PRIu64 " restarts %" PRIu64 " foreign truncations %" PRIu64 " mark 0 %" PRIu64
           " mark k %" PRIu64 "\n",
           play.seed, play.page_size, getenv("CHAOS_VARIANT"), met.barriers, image.files,
           image.fulls, met.lives, met.restarts, atomic_load(&shared->truncations), met.mark0,
           met.mark_k);
    printf("#   commits %" PRIu64 " rollbacks %" PRIu64 " vacuums %" PRIu64 " kills %" PRIu64
           " busy %" PRIu64 " barriers refused %" PRIu64 " put off %" PRIu64
           " log at most %lld, at the end %lld bytes\n",
           atomic_load(&shared->commits), atomic_load(&shared->rollbacks),
           atomic_load(&shared->vacuums), atomic_load(&shared->kills), met.busy, met.refused,
           met.put_off, (long long)met.log_max, (long long)met.log_end);
}

int main(void) {
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    printf("1..1\n");
    take_environment();
    make_folder();
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        chaos_die("mmap", NULL);
    }
    chaos_make(&play);
    pid_t apps = chaos_apps_start(&play, shared);
    chaos_audit_start(&audit, &play);
    ls_log log = LS_LOG_DEFAULT;
    char log_file[112];
    (void)snprintf(log_file, sizeof(log_file), "%s/log", play.dir);
    log.fd = open(log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    ls_db_opts opts = ls_db_opts_default(play.name);
    opts.log = &log;
    opts.busy_timeout = 100 * LS_MS;
    opts.truncate_page_n = TRUNCATE_PAGES;
    opts.checkpoint_interval = 2 * LS_SEC;
    opts.max_sync_wal_bytes = 2 << 20;
    run(&opts);
    kill(apps, SIGKILL);
    waitpid(apps, NULL, 0);
    chaos_audit_end(&audit);
    print_met();
    bool good = all_met() && !atomic_load(&shared->failed) && !logged_errors(log_file);
    printf("%sok 1 - the image equals the database at every barrier, and everything was met\n",
           good ? "" : "not ");
    ls_err err = LS_ERR_INIT;
    (void)!ls_remove_tree(play.dir, &err);
    free(image.data);
    return good ? 0 : 1;
}
