/*
 * Follow mode: engine/restore/follow.c, apply.c, live.c, journal.c and next.c. A source database is
 * changed and its images and differences are put to a replica; the follower's file must be each
 * image in turn, whatever happens between: it is killed at every single operation on its files,
 * meets readers that stay, holes in the replica, other page sizes, other programs that write.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ltx/encoder.h"
#include "engine/restore/apply.h"
#include "engine/restore/follow.h"
#include "engine/restore/live.h"
#include "t/support/dbkit.h"
#include "t/support/tempdir.h"

/* A source in WAL mode, its replica, and a place for the follower. */
typedef struct world {
    char *dir;
    char *db;   /* source */
    char *out;  /* follower's */
    char *root; /* replica */
    sqlite3 *h;
    ls_storage *s;
    ls_txid txid;
    uint8_t *image; /* of the source at txid */
    uint32_t page_size;
    uint32_t pages;
    ls_cancel cancel;
} world;

static char *in_dir(const world *w, const char *name) {
    char *path = ls_path_join(w->dir, name);
    assert_non_null(path);
    return path;
}

/* ---- the source and its replica ---- */

static uint8_t *source_image(const world *w, uint32_t *page_size, uint32_t *pages) {
    size_t size;
    uint8_t *data = db_image(w->h, &size);
    *page_size = (uint32_t)data[16] << 8 | data[17];
    *page_size = *page_size == 1 ? 65536 : *page_size;
    *pages = (uint32_t)(size / *page_size);
    return data;
}

static void put_file_of(const world *w, int level, ls_txid min, const uint8_t *before,
                        uint32_t before_pages) {
    ls_err err = LS_ERR_INIT;
    const ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                             .page_size = w->page_size,
                             .commit = w->pages,
                             .min_txid = min,
                             .max_txid = w->txid,
                             .timestamp = 1700000000000 + (int64_t)w->txid * 1000};
    const ls_ltx_info file = {.level = level, .min_txid = min, .max_txid = w->txid};
    char *tmp = in_dir(w, "file.ltx");
    int fd = open(tmp, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ls_fd_writer out;
    ls_fd_writer_init(&out, fd, tmp);
    ls_ltx_encoder *enc;
    must(ls_ltx_encoder_new(&out.base, &h, NULL, &enc, &err), &err);
    for (uint32_t pgno = 1; pgno <= w->pages; pgno++) {
        const size_t at = (size_t)(pgno - 1) * w->page_size;
        if (pgno > before_pages || memcmp(before + at, w->image + at, w->page_size) != 0) {
            must(ls_ltx_encoder_page(enc, pgno, w->image + at, w->page_size, &err), &err);
        }
    }
    must(ls_ltx_encoder_close(enc, 0, NULL, &err), &err);
    ls_ltx_encoder_free(enc);
    assert_int_equal(close(fd), 0);
    must(ls_storage_put_file(w->s, &file, tmp, true, NULL, &err), &err);
    free(tmp);
}

/* What the source holds now becomes the next TXID at level 0: what changed, or all of it. */
static void next_txid(world *w, bool whole) {
    uint8_t *before = w->image;
    uint32_t before_pages = w->pages;
    uint32_t before_size = w->page_size;
    w->image = source_image(w, &w->page_size, &w->pages);
    w->txid++;
    whole = whole || w->txid == 1 || before_size != w->page_size;
    put_file_of(w, 0, w->txid, before, whole ? 0 : before_pages);
    sqlite3_free(before);
}

static void snapshot(const world *w) { put_file_of(w, 9, 1, NULL, 0); }

static void change(world *w, const char *text) {
    sql(w->h, text);
    next_txid(w, false);
}

static void remove_stored(const world *w, int level, ls_txid min, ls_txid max) {
    ls_err err = LS_ERR_INIT;
    const ls_ltx_info file = {.level = level, .min_txid = min, .max_txid = max};
    must(ls_storage_remove(w->s, &file, 1, &err), &err);
}

static void world_open(world *w, int page_size) {
    ls_err err = LS_ERR_INIT;
    w->db = in_dir(w, "source.db");
    w->out = in_dir(w, "out.db");
    w->root = in_dir(w, "replica");
    w->h = app_create(w->db, page_size);
    must(ls_storage_open_file(w->root, NULL, &w->s, &err), &err);
    add_rows(w->h, 20);
    next_txid(w, true);
}

static int setup(void **state) {
    world *w = calloc(1, sizeof *w);
    void *dir = NULL;
    assert_non_null(w);
    assert_int_equal(tempdir_setup(&dir), 0);
    w->dir = dir;
    world_open(w, 1024);
    *state = w;
    return 0;
}

static int teardown(void **state) {
    world *w = *state;
    void *dir = w->dir;
    sqlite3_close(w->h);
    ls_storage_free(w->s);
    sqlite3_free(w->image);
    free(w->db);
    free(w->out);
    free(w->root);
    free(w);
    return tempdir_teardown(&dir);
}

/* ---- the follower ---- */

static ls_follow_opts opts_for(world *w) {
    return (ls_follow_opts){
        .restore = {.output = w->out, .timestamp_ms = LS_NO_TIMESTAMP, .cancel = &w->cancel},
        .interval_ns = 1};
}

static ls_follow *follow(world *w) {
    ls_err err = LS_ERR_INIT;
    ls_follow *f = NULL;
    const ls_follow_opts opts = opts_for(w);
    must(ls_follow_new(w->s, &opts, &f, &err), &err);
    return f;
}

static void poll_ok(ls_follow *f) {
    ls_err err = LS_ERR_INIT;
    ls_txid from;
    ls_txid to;
    must(ls_follow_poll(f, &from, &to, &err), &err);
}

static void poll_fails(ls_follow *f, ls_code code, const char *text) {
    ls_err err = LS_ERR_INIT;
    ls_txid from;
    ls_txid to;
    assert_int_equal(ls_follow_poll(f, &from, &to, &err), code);
    if (strstr(err.msg, text) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", text, err.msg);
    }
    assert_int_equal(from, to);
}

/* The bytes of the follower's file but for what it may differ in. */
static void assert_is_image(const world *w, const uint8_t *bytes, uint32_t pages, ls_txid txid) {
    ls_err err = LS_ERR_INIT;
    char *data;
    size_t len;
    must(ls_read_file(w->out, 1u << 30, &data, &len, &err), &err);
    assert_int_equal(len, (size_t)pages * w->page_size);
    uint8_t *want = malloc(len);
    assert_non_null(want);
    memcpy(want, bytes, len);
    must(ls_live_mark(want, txid, pages, &err), &err);
    assert_memory_equal(data, want, len);
    free(want);
    free(data);
}

static void assert_followed(const world *w, const ls_follow *f) {
    assert_int_equal(ls_follow_txid(f), w->txid);
    assert_is_image(w, w->image, w->pages, w->txid);
    char text[32];
    char *sidecar = in_dir(w, "out.db-txid");
    (void)snprintf(text, sizeof text, "%016llx\n", (unsigned long long)w->txid);
    assert_file_is(sidecar, text, 17);
    free(sidecar);
    char *journal = in_dir(w, "out.db-journal");
    assert_absent(journal);
    free(journal);
}

static int64_t number(sqlite3 *h, const char *text) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(h, text, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc != SQLITE_ROW) {
        fail_msg("%s: %s", text, sqlite3_errmsg(h));
    }
    int64_t n = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return n;
}

/* ---- going on ---- */

static void rows_indexes_and_schema(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    assert_followed(w, f);
    sqlite3 *r = app_open(w->out);
    assert_int_equal(number(r, "SELECT count(*) FROM t"), 20);
    poll_ok(f); /* nothing new */
    assert_followed(w, f);
    for (int i = 0; i < 20; i++) {
        change(w, i % 5 == 4 ? "CREATE TABLE IF NOT EXISTS more(x); INSERT INTO more VALUES (1)"
                             : "INSERT INTO t(v) VALUES (randomblob(5000))");
        poll_ok(f);
        assert_followed(w, f);
        assert_int_equal(number(r, "SELECT count(*) FROM t"),
                         number(w->h, "SELECT count(*) FROM t"));
    }
    assert_int_equal(number(r, "SELECT count(*) FROM more"), 4);
    sqlite3_close(r);
    ls_follow_free(f);
    assert_whole(w->out);
}

static void shrinks_and_grows(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    for (int i = 0; i < 4; i++) {
        change(w, "INSERT INTO t(v) SELECT randomblob(3000) FROM t");
        poll_ok(f);
        assert_followed(w, f);
        change(w, "DELETE FROM t WHERE id > 10; VACUUM");
        poll_ok(f);
        assert_followed(w, f);
        assert_whole(w->out);
    }
    ls_follow_free(f);
}

static void many_at_once(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    for (int i = 0; i < 150; i++) {
        change(w, "INSERT INTO t(v) VALUES (randomblob(300)); UPDATE t SET v = 'x' WHERE id = 3");
    }
    poll_ok(f);
    assert_followed(w, f);
    ls_follow_free(f);
}

static void page_sizes(void **state) {
    world *w = *state;
    static const int sizes[] = {512, 65536, 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char text[200];
        (void)snprintf(text, sizeof text,
                       "PRAGMA journal_mode=delete; PRAGMA page_size=%d; VACUUM;"
                       "PRAGMA journal_mode=wal",
                       sizes[i]);
        ls_follow *f = follow(w);
        sqlite3 *r = app_open(w->out);
        assert_int_equal(number(r, "SELECT count(*) FROM t"), 20);
        change(w, "UPDATE t SET v = randomblob(900)");
        change(w, text); /* a whole image, as a new base is */
        change(w, "UPDATE t SET v = randomblob(900)");
        poll_ok(f);
        assert_followed(w, f);
        assert_int_equal(number(r, "SELECT count(*) FROM t WHERE length(v) = 900"), 20);
        assert_int_equal(number(r, "PRAGMA page_size"), sizes[i]);
        sqlite3_close(r);
        assert_whole(w->out);
        ls_follow_free(f);
        assert_int_equal(unlink(w->out), 0);
        snapshot(w);
    }
}

/* Without its whole image another page size cannot be taken. */
static void page_size_without_image(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    sql(w->h, "PRAGMA journal_mode=delete; PRAGMA page_size=2048; VACUUM; PRAGMA journal_mode=wal");
    next_txid(w, true);
    change(w, "INSERT INTO t(v) VALUES (1)");
    uint8_t *now = w->image;
    remove_stored(w, 0, 2, 2);
    remove_stored(w, 0, 3, 3);
    w->txid = 2; /* the same pages under the TXID that is next */
    put_file_of(w, 0, 2, now, w->pages - 1);
    poll_fails(f, LS_EGAP, "page size 2048, but the database has 1024");
    w->txid = 3;
    put_file_of(w, 0, 3, now, w->pages - 1);
    snapshot(w);
    remove_stored(w, 0, 2, 2);
    poll_ok(f);
    assert_followed(w, f);
    ls_follow_free(f);
}

/* ---- killed ---- */

/* SQLite's file system, with an end at the n-th change or lock, before or in the middle of it. */
static struct {
    sqlite3_vfs vfs;
    sqlite3_vfs *real;
    long calls;
    long die_at; /* 0: never */
    bool half;   /* of a write half arrives */
    int rc;      /* what the call returns in place of an end; SQLITE_OK: it ends */
} shim;

typedef struct shim_file {
    sqlite3_file base;
    sqlite3_file *real;
} shim_file;

static sqlite3_file *real_of(sqlite3_file *f) { return ((shim_file *)f)->real; }

/* Is it this one's turn? Then what it is to return, if it returns. */
static int turn(bool write) {
    if (++shim.calls != shim.die_at) {
        return SQLITE_OK;
    }
    if (shim.rc == SQLITE_OK && !(shim.half && write)) {
        _exit(77);
    }
    return shim.rc == SQLITE_OK ? SQLITE_IOERR : shim.rc;
}

static int shim_close(sqlite3_file *f) {
    sqlite3_file *real = real_of(f);
    int rc = real->pMethods != NULL ? real->pMethods->xClose(real) : SQLITE_OK;
    free(real);
    ((shim_file *)f)->real = NULL;
    return rc;
}

static int shim_read(sqlite3_file *f, void *buf, int n, sqlite3_int64 off) {
    return real_of(f)->pMethods->xRead(real_of(f), buf, n, off);
}

static int shim_write(sqlite3_file *f, const void *buf, int n, sqlite3_int64 off) {
    int rc = turn(true);
    if (rc != SQLITE_OK && shim.half) {
        (void)real_of(f)->pMethods->xWrite(real_of(f), buf, n / 2, off);
        if (shim.rc == SQLITE_OK) {
            _exit(77);
        }
    }
    return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xWrite(real_of(f), buf, n, off);
}

static int shim_truncate(sqlite3_file *f, sqlite3_int64 size) {
    int rc = turn(false);
    return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xTruncate(real_of(f), size);
}

static int shim_sync(sqlite3_file *f, int flags) {
    (void)flags; /* nothing here loses power */
    (void)f;
    return turn(false);
}

static int shim_size(sqlite3_file *f, sqlite3_int64 *size) {
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
}

static int shim_lock(sqlite3_file *f, int level) {
    int rc = turn(false);
    return rc != SQLITE_OK ? rc : real_of(f)->pMethods->xLock(real_of(f), level);
}

static int shim_unlock(sqlite3_file *f, int level) {
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int shim_reserved(sqlite3_file *f, int *out) {
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int shim_control(sqlite3_file *f, int op, void *arg) {
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int shim_sector(sqlite3_file *f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); }

static int shim_character(sqlite3_file *f) {
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static const sqlite3_io_methods shim_methods = {.iVersion = 1,
                                                .xClose = shim_close,
                                                .xRead = shim_read,
                                                .xWrite = shim_write,
                                                .xTruncate = shim_truncate,
                                                .xSync = shim_sync,
                                                .xFileSize = shim_size,
                                                .xLock = shim_lock,
                                                .xUnlock = shim_unlock,
                                                .xCheckReservedLock = shim_reserved,
                                                .xFileControl = shim_control,
                                                .xSectorSize = shim_sector,
                                                .xDeviceCharacteristics = shim_character};

static int shim_open(sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags,
                     int *out) {
    (void)vfs;
    shim_file *sf = (shim_file *)f;
    sf->base.pMethods = NULL;
    int rc = (flags & SQLITE_OPEN_MAIN_JOURNAL) != 0 ? turn(false) : SQLITE_OK;
    if (rc != SQLITE_OK) {
        return rc;
    }
    sf->real = calloc(1, (size_t)shim.real->szOsFile);
    assert_non_null(sf->real);
    rc = shim.real->xOpen(shim.real, name, sf->real, flags, out);
    if (rc != SQLITE_OK) {
        free(sf->real);
        return rc;
    }
    sf->base.pMethods = &shim_methods;
    return SQLITE_OK;
}

static int shim_delete(sqlite3_vfs *vfs, const char *name, int dir_sync) {
    (void)vfs;
    (void)dir_sync;
    int rc = turn(false);
    return rc != SQLITE_OK ? rc : shim.real->xDelete(shim.real, name, 0);
}

static void shim_on(long die_at, bool half, int rc) {
    shim.real = sqlite3_vfs_find(NULL);
    shim.vfs = *shim.real;
    shim.vfs.zName = "shim";
    shim.vfs.szOsFile = sizeof(shim_file);
    shim.vfs.xOpen = shim_open;
    shim.vfs.xDelete = shim_delete;
    shim.calls = 0;
    shim.die_at = die_at;
    shim.half = half;
    shim.rc = rc;
    assert_int_equal(sqlite3_vfs_register(&shim.vfs, 1), SQLITE_OK);
}

static void shim_off(void) {
    assert_int_equal(sqlite3_vfs_unregister(&shim.vfs), SQLITE_OK);
    assert_int_equal(sqlite3_vfs_register(shim.real, 1), SQLITE_OK);
}

/* A file of pages of 64 kB around the byte at which SQLite keeps its locks: the page there is
 * neither kept nor written, on the way up, down, and back after a failure. */
static void put_pages(const char *path, const uint8_t *page1, uint32_t commit, ls_txid txid,
                      uint32_t first, uint32_t last) {
    static uint8_t page[65536];
    ls_err err = LS_ERR_INIT;
    const ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                             .page_size = 65536,
                             .commit = commit,
                             .min_txid = txid,
                             .max_txid = txid};
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ls_fd_writer out;
    ls_ltx_encoder *enc;
    ls_fd_writer_init(&out, fd, path);
    must(ls_ltx_encoder_new(&out.base, &h, NULL, &enc, &err), &err);
    must(ls_ltx_encoder_page(enc, 1, page1, 65536, &err), &err);
    for (uint32_t pgno = first; pgno <= last; pgno++) {
        memset(page, (int)(pgno + txid), sizeof page);
        if (pgno != ls_ltx_lock_pgno(65536)) {
            must(ls_ltx_encoder_page(enc, pgno, page, sizeof page, &err), &err);
        }
    }
    must(ls_ltx_encoder_close(enc, 0, NULL, &err), &err);
    ls_ltx_encoder_free(enc);
    assert_int_equal(close(fd), 0);
}

static ls_code apply_path(ls_live *l, const char *path, ls_err *err) {
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(fstat(fd, &st), 0);
    const ls_apply_opts opts = {.fd = fd, .size = (uint64_t)st.st_size, .name = path};
    ls_code code = ls_apply(l, &opts, err);
    assert_int_equal(close(fd), 0);
    return code;
}

static int byte_at(const char *path, uint32_t pgno) {
    uint8_t byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, &byte, 1, (off_t)(pgno - 1) * 65536 + 77), 1);
    assert_int_equal(close(fd), 0);
    return byte;
}

static void assert_around_lock_page(const char *path, uint32_t pages, ls_txid txid) {
    const uint32_t lock = ls_ltx_lock_pgno(65536);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, (off_t)pages * 65536);
    assert_int_equal(byte_at(path, lock - 1), (lock - 1 + txid) & 0xff);
    if (pages > lock) {
        assert_int_equal(byte_at(path, lock), 0);
        assert_int_equal(byte_at(path, lock + 1), (lock + 1 + txid) & 0xff);
        assert_int_equal(byte_at(path, lock + 2), (lock + 2 + txid) & 0xff);
    }
}

static void around_the_lock_page(void **state) {
    const world *w = *state;
    const uint32_t lock = ls_ltx_lock_pgno(65536);
    char *path = in_dir(w, "large.db");
    char *file = in_dir(w, "large.ltx");
    sqlite3 *h = app_open(path);
    sql(h, "PRAGMA page_size=65536; PRAGMA user_version=7");
    sqlite3_close(h);
    ls_err err = LS_ERR_INIT;
    char *page1;
    size_t len;
    must(ls_read_file(path, 1u << 20, &page1, &len, &err), &err);
    assert_int_equal(len, 65536);
    assert_int_equal(truncate(path, (off_t)(lock - 1) * 65536), 0); /* sparse */
    shim_on(0, false, SQLITE_OK);
    ls_live l;
    must(ls_live_open(&l, path, &err), &err);
    put_pages(file, (uint8_t *)page1, lock + 2, 2, lock - 1, lock + 2);
    must(apply_path(&l, file, &err), &err);
    assert_around_lock_page(path, lock + 2, 2);
    put_pages(file, (uint8_t *)page1, lock - 1, 3, lock - 1, lock - 1);
    ls_code code;
    long n = 0;
    do { /* fails at each operation, comes back each time, and succeeds in the end */
        shim.calls = 0;
        shim.die_at = ++n;
        shim.rc = SQLITE_IOERR;
        code = apply_path(&l, file, &err);
        bool reached = shim.calls >= n;
        shim.die_at = 0;
        assert_int_equal(code, reached ? LS_EIO : LS_OK);
        must(ls_live_recover(&l, &err), &err);
        assert_around_lock_page(path, reached ? lock + 2 : lock - 1, reached ? 2 : 3);
    } while (code != LS_OK);
    assert_true(n > 12);
    ls_live_close(&l);
    shim_off();
    free(page1);
    free(file);
    free(path);
}

/* Follows in a child that ends at the n-th operation; false if it came to its end before that. */
static bool killed_at(world *w, long n, bool half) {
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        shim_on(n, half, SQLITE_OK);
        ls_follow *f = NULL;
        ls_err err = LS_ERR_INIT;
        const ls_follow_opts opts = opts_for(w);
        ls_txid from;
        ls_txid to;
        ls_code code = ls_follow_new(w->s, &opts, &f, &err);
        if (code == LS_OK) {
            code = ls_follow_poll(f, &from, &to, &err);
        }
        if (code != LS_OK) {
            (void)fprintf(stderr, "# %s\n", err.msg);
        }
        _exit(code == LS_OK ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) != 77 && WEXITSTATUS(status) != 0) {
        fail_msg("operation %ld: exit status %d", n, WEXITSTATUS(status));
    }
    return WEXITSTATUS(status) == 77;
}

static void copy(const char *from, const char *to) {
    char *command = ls_asprintf("cp -p '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
    free(command);
}

/* The follower is killed at each operation on its way from one TXID to the next. Whoever opens the
 * file then sees the one or the other, whole; a new follower goes on to the newest. */
static void kill_everywhere(world *w, bool half) {
    char *sidecar = in_dir(w, "out.db-txid");
    char *kept = in_dir(w, "kept.db");
    char *kept_txid = in_dir(w, "kept.db-txid");
    ls_follow *f = follow(w);
    ls_follow_free(f);
    int64_t old_rows = number(w->h, "SELECT count(*) FROM t");
    copy(w->out, kept);
    copy(sidecar, kept_txid);
    add_rows(w->h, 6);
    change(w, "UPDATE t SET v = randomblob(800) WHERE id % 3 = 0; DELETE FROM t WHERE id = 1");
    add_rows(w->h, 1);
    next_txid(w, false);
    sql(w->h, "DELETE FROM t WHERE id = 20; VACUUM");
    next_txid(w, false);
    int64_t new_rows = number(w->h, "SELECT count(*) FROM t");
    long n = 1;
    for (; killed_at(w, n, half); n++) {
        sqlite3 *r = app_open(w->out);
        int64_t rows = number(r, "SELECT count(*) FROM t");
        sqlite3_close(r);
        if (rows != old_rows && rows != new_rows) {
            fail_msg("operation %ld: %lld rows", n, (long long)rows);
        }
        assert_whole(w->out);
        f = follow(w);
        poll_ok(f);
        assert_followed(w, f);
        ls_follow_free(f);
        copy(kept, w->out);
        copy(kept_txid, sidecar);
    }
    assert_true(n > 20);
    f = follow(w);
    assert_followed(w, f);
    ls_follow_free(f);
    free(sidecar);
    free(kept);
    free(kept_txid);
}

static void killed_at_every_operation(void **state) { kill_everywhere(*state, false); }

static void killed_in_the_middle_of_every_write(void **state) {
    world *w = *state;
    add_rows(w->h, 10);
    next_txid(w, false);
    kill_everywhere(w, true);
}

/* The follower itself has to put right what it met half-way, with the next follower, and without a
 * reader between. */
static void every_operation_fails_once(void **state) {
    world *w = *state;
    static const int codes[] = {SQLITE_IOERR, SQLITE_FULL};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        long n = 1;
        for (;; n++) {
            shim_on(0, false, SQLITE_OK);
            ls_follow *f = follow(w);
            poll_ok(f);
            uint8_t *old = malloc((size_t)w->pages * w->page_size);
            assert_non_null(old);
            memcpy(old, w->image, (size_t)w->pages * w->page_size);
            uint32_t pages = w->pages;
            ls_txid before = w->txid;
            change(w, n % 2 == 0 ? "UPDATE t SET v = randomblob(1800) WHERE id % 3 = 0"
                                 : "UPDATE t SET v = NULL WHERE id % 3 = 0; VACUUM");
            shim.calls = 0;
            shim.die_at = n;
            shim.half = true;
            shim.rc = codes[i];
            ls_err err = LS_ERR_INIT;
            ls_txid from;
            ls_txid to;
            ls_code code = ls_follow_poll(f, &from, &to, &err);
            bool reached = shim.calls >= n;
            shim.die_at = 0;
            if (code != LS_OK && to == before) {
                assert_whole(w->out); /* also plays back */
                assert_is_image(w, old, pages, before);
            }
            free(old);
            poll_ok(f);
            assert_followed(w, f);
            ls_follow_free(f);
            shim_off();
            if (!reached) {
                assert_int_equal(code, LS_OK);
                break;
            }
        }
        assert_true(n > 10);
    }
}

/* ---- readers ---- */

static void reader_that_stays(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    sqlite3 *r = app_open(w->out);
    sql(r, "BEGIN");
    assert_int_equal(number(r, "SELECT count(*) FROM t"), 20);
    add_rows(w->h, 5);
    next_txid(w, false);
    for (int i = 0; i < 2; i++) {
        poll_fails(f, LS_EBUSY, "is being read and cannot be changed");
        assert_int_equal(number(r, "SELECT count(*) FROM t"), 20);
        sqlite3 *other = app_open(w->out); /* not kept out between the looks */
        assert_int_equal(number(other, "SELECT count(*) FROM t"), 20);
        sqlite3_close(other);
    }
    sql(r, "COMMIT");
    poll_ok(f);
    assert_followed(w, f);
    assert_int_equal(number(r, "SELECT count(*) FROM t"), 25);
    sqlite3_close(r);
    ls_follow_free(f);
}

static void canceled_while_a_reader_stays(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    sqlite3 *r = app_open(w->out);
    sql(r, "BEGIN; SELECT count(*) FROM t");
    add_rows(w->h, 5);
    next_txid(w, false);
    ls_cancel_set(&w->cancel);
    ls_err err = LS_ERR_INIT;
    must(ls_follow_run(f, &err), &err);
    sqlite3_close(r);
    ls_follow_free(f);
    assert_whole(w->out);
}

/* ---- other programs ---- */

static void written_by_another_program(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    sqlite3 *r = app_open(w->out);
    sql(r, "INSERT INTO t(v) VALUES ('mine')");
    change(w, "INSERT INTO t(v) VALUES ('theirs')");
    poll_fails(f, LS_EDIVERGED, "was changed by another program");
    ls_follow_free(f);
    sqlite3_close(r);
    const ls_follow_opts opts = opts_for(w);
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_follow_new(w->s, &opts, &f, &err), LS_EDIVERGED);
    assert_non_null(strstr(err.msg, "cannot resume follow mode: "));
    assert_non_null(strstr(ls_err_hint(&err), "-txid"));
}

static void replaced_by_another_file(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    char *other = in_dir(w, "other.db");
    copy(w->out, other);
    assert_int_equal(rename(other, w->out), 0);
    free(other);
    change(w, "INSERT INTO t(v) VALUES (1)");
    poll_fails(f, LS_EDIVERGED, "was deleted or replaced");
    ls_follow_free(f);
    f = follow(w);
    poll_ok(f);
    assert_followed(w, f);
    ls_follow_free(f);
}

/* A second follower on the same file, by mistake: each takes over what the other did. */
static void two_followers(void **state) {
    world *w = *state;
    ls_follow *a = follow(w);
    ls_follow *b = follow(w);
    for (int i = 0; i < 4; i++) {
        change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
        poll_ok(i % 2 == 0 ? a : b);
        change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
        poll_ok(i % 2 == 0 ? b : a);
        assert_followed(w, i % 2 == 0 ? b : a);
    }
    ls_follow_free(a);
    ls_follow_free(b);
    assert_whole(w->out);
}

/* Killed between the commit and -txid, which lies behind: nothing is applied over the newer state,
 * though what is stored by now ends before it. */
static void txid_beside_is_behind(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    for (int i = 0; i < 3; i++) {
        change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
    }
    poll_ok(f);
    ls_follow_free(f);
    char *sidecar = in_dir(w, "out.db-txid");
    put_file(sidecar, "0000000000000001\n", 17);
    f = follow(w);
    assert_int_equal(ls_follow_txid(f), 4);
    remove_stored(w, 0, 3, 3); /* on the way from 1 */
    poll_ok(f);
    assert_is_image(w, w->image, w->pages, 4);
    change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
    poll_ok(f);
    assert_followed(w, f);
    ls_follow_free(f);
    free(sidecar);
}

/* As the reference leaves it: in WAL mode after its first restore, later marked in its own way. */
static void made_by_the_reference(void **state) {
    world *w = *state;
    ls_err err = LS_ERR_INIT;
    ls_restore_result result;
    char *sidecar = in_dir(w, "out.db-txid");
    for (int i = 0; i < 2; i++) {
        const ls_restore_opts opts = {.output = w->out, .timestamp_ms = LS_NO_TIMESTAMP};
        must(ls_restore(w->s, &opts, &result, &err), &err);
        if (i == 1) {
            int fd = open(w->out, O_RDWR | O_CLOEXEC);
            assert_int_equal(pwrite(fd, "\x01\x01", 2, 18), 2);
            assert_int_equal(pwrite(fd, "\x12\x34\x56\x78", 4, 24), 4);
            assert_int_equal(close(fd), 0);
        }
        char text[32];
        (void)snprintf(text, sizeof text, "%016llx\n", (unsigned long long)w->txid);
        put_file(sidecar, text, 17);
        change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
        ls_follow *f = follow(w);
        poll_ok(f);
        assert_followed(w, f);
        ls_follow_free(f);
        assert_int_equal(unlink(w->out), 0);
    }
    free(sidecar);
}

/* ---- holes in the replica ---- */

static void bridges_through_levels(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    uint8_t *before = sqlite3_malloc64((sqlite3_uint64)w->pages * w->page_size);
    uint32_t before_pages = w->pages;
    memcpy(before, w->image, (size_t)w->pages * w->page_size);
    for (int i = 0; i < 5; i++) {
        change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
    }
    put_file_of(w, 1, 2, before, before_pages); /* 2..6 */
    for (ls_txid t = 2; t <= 6; t++) {
        remove_stored(w, 0, t, t);
    }
    change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
    poll_ok(f);
    assert_followed(w, f);
    remove_stored(w, 0, 7, 7); /* nothing newer, and our own file is gone too */
    for (int i = 0; i < 12; i++) {
        ls_err err = LS_ERR_INIT;
        ls_txid from;
        ls_txid to;
        ls_code code = ls_follow_poll(f, &from, &to, &err);
        assert_true(code == LS_OK || code == LS_EDIVERGED); /* the replica ends at 6 now */
    }
    sqlite3_free(before);
    ls_follow_free(f);
}

static void bridges_through_a_snapshot(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    for (int i = 0; i < 5; i++) {
        change(w, "INSERT INTO t(v) VALUES (randomblob(2000)); DELETE FROM t WHERE id = "
                  "(SELECT min(id) FROM t)");
    }
    for (ls_txid t = 2; t <= 4; t++) {
        remove_stored(w, 0, t, t);
    }
    poll_fails(f, LS_EGAP,
               "nothing leads on from TXID 0000000000000001: replica history has been "
               "pruned, the next file starts at TXID 0000000000000005");
    ls_follow_free(f);
    const ls_follow_opts opts = opts_for(w);
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_follow_new(w->s, &opts, &f, &err), LS_EGAP);
    snapshot(w);
    change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
    f = follow(w); /* also ahead of no snapshot, behind the first file: resumes */
    poll_ok(f);
    assert_followed(w, f);
    ls_follow_free(f);
}

static void resumes_ahead_of_the_snapshot(void **state) {
    world *w = *state;
    snapshot(w);
    change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
    ls_follow *f = follow(w);
    poll_ok(f);
    assert_followed(w, f);
    ls_follow_free(f);
    change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
    f = follow(w);
    poll_ok(f);
    assert_followed(w, f);
    ls_follow_free(f);
}

static void replica_emptied(void **state) {
    world *w = *state;
    change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
    ls_follow *f = follow(w);
    remove_stored(w, 0, 2, 2);
    poll_fails(f, LS_EDIVERGED,
               "the replica ends at TXID 0000000000000001, before the database's "
               "0000000000000002");
    ls_follow_free(f);
}

/* A damaged file: what comes before it is applied, nothing of it, and it is named. */
static void damaged_file(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
    uint8_t *good = sqlite3_malloc64((sqlite3_uint64)w->pages * w->page_size);
    uint32_t pages = w->pages;
    memcpy(good, w->image, (size_t)w->pages * w->page_size);
    change(w, "INSERT INTO t(v) VALUES (randomblob(9000))");
    change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
    char *path = in_dir(w, "replica/ltx/0/0000000000000003-0000000000000003.ltx");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, 5000), 1);
    byte ^= 0xff;
    assert_int_equal(pwrite(fd, &byte, 1, 5000), 1);
    ls_err err = LS_ERR_INIT;
    ls_txid from;
    ls_txid to;
    ls_code code = ls_follow_poll(f, &from, &to, &err);
    assert_true(code == LS_ECORRUPT || code == LS_ECHECKSUM);
    assert_non_null(strstr(err.msg, "ltx/0/0000000000000003-0000000000000003.ltx"));
    assert_int_equal(to, 2);
    assert_is_image(w, good, pages, 2);
    byte ^= 0xff;
    assert_int_equal(pwrite(fd, &byte, 1, 5000), 1);
    poll_ok(f);
    assert_followed(w, f);
    assert_int_equal(close(fd), 0);
    free(path);
    sqlite3_free(good);
    ls_follow_free(f);
}

/* Forwards to another store; what is opened first is not there any more, a number of times. */
typedef struct fading_store {
    ls_storage base;
    ls_storage *inner;
    int gone;
} fading_store;

static ls_code fading_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it,
                           ls_err *err) {
    return ls_storage_list(((fading_store *)s)->inner, level, seek, it, err);
}

static ls_code fading_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                           ls_reader **r, ls_err *err) {
    fading_store *f = (fading_store *)s;
    if (f->gone > 0) {
        f->gone--;
        return ls_fail(err, LS_ENOTFOUND, "deleted meanwhile");
    }
    return ls_storage_open_range(f->inner, file, off, len, r, err);
}

static void files_deleted_meanwhile(void **state) {
    world *w = *state;
    static const ls_storage_ops ops = {.type = "test", .list = fading_list, .open = fading_open};
    fading_store s = {.base = {.ops = &ops}, .inner = w->s};
    const ls_follow_opts opts = opts_for(w);
    ls_follow *f = NULL;
    ls_err err = LS_ERR_INIT;
    must(ls_follow_new(&s.base, &opts, &f, &err), &err);
    change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
    s.gone = 2;
    poll_ok(f); /* new plans are made */
    assert_followed(w, f);
    change(w, "INSERT INTO t(v) VALUES (randomblob(2000))");
    s.gone = 100;
    poll_fails(f, LS_ENOTFOUND, "deleted meanwhile");
    assert_true(s.gone > 90);
    ls_follow_free(f);
}

/* ---- begin and end ---- */

static void first_restore_is_read_under_a_journal(void **state) {
    world *w = *state;
    ls_follow *f = follow(w);
    sqlite3 *r = NULL;
    assert_int_equal(sqlite3_open_v2(w->out, &r, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(number(r, "SELECT count(*) FROM t"), 20);
    char *log = in_dir(w, "out.db-wal");
    assert_absent(log);
    free(log);
    sqlite3_close(r);
    ls_follow_free(f);
    struct stat db;
    struct stat side;
    char *sidecar = in_dir(w, "out.db-txid");
    assert_int_equal(stat(w->out, &db), 0);
    assert_int_equal(stat(sidecar, &side), 0);
    assert_int_equal(db.st_mode, side.st_mode);
    free(sidecar);
}

static void refusals(void **state) {
    world *w = *state;
    ls_follow *f = NULL;
    ls_err err = LS_ERR_INIT;
    ls_follow_opts opts = opts_for(w);
    opts.restore.output = NULL;
    assert_int_equal(ls_follow_new(w->s, &opts, &f, &err), LS_EINVALID);
    assert_string_equal(err.msg, "output path required");
    opts = opts_for(w);
    opts.restore.txid = 1;
    assert_int_equal(ls_follow_new(w->s, &opts, &f, &err), LS_EINVALID);
    assert_string_equal(err.msg, "cannot use follow mode with -txid");
    opts = opts_for(w);
    opts.restore.timestamp_ms = 1;
    assert_int_equal(ls_follow_new(w->s, &opts, &f, &err), LS_EINVALID);
    assert_string_equal(err.msg, "cannot use follow mode with -timestamp");
    opts = opts_for(w);
    f = follow(w);
    ls_follow_free(f);
    char *sidecar = in_dir(w, "out.db-txid");
    put_file(sidecar, "nonsense", 8);
    assert_int_equal(ls_follow_new(w->s, &opts, &f, &err), LS_ECORRUPT);
    assert_int_equal(unlink(sidecar), 0);
    assert_int_equal(ls_follow_new(w->s, &opts, &f, &err), LS_EINVALID);
    char *text = ls_asprintf("cannot resume follow mode: database exists but no -txid file found; "
                             "delete the database to re-restore: %s",
                             w->out);
    assert_string_equal(err.msg, text);
    free(text);
    opts.restore.force = true;
    err = LS_ERR_INIT;
    must(ls_follow_new(w->s, &opts, &f, &err), &err);
    assert_followed(w, f);
    ls_follow_free(f);
    free(sidecar);
}

static void failed_restore_leaves_nothing(void **state) {
    world *w = *state;
    remove_stored(w, 0, 1, 1);
    ls_follow *f = NULL;
    ls_err err = LS_ERR_INIT;
    const ls_follow_opts opts = opts_for(w);
    assert_int_equal(ls_follow_new(w->s, &opts, &f, &err), LS_ENOBACKUP);
    char *sidecar = in_dir(w, "out.db-txid");
    assert_absent(sidecar);
    assert_absent(w->out);
    free(sidecar);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        test(rows_indexes_and_schema),
        test(shrinks_and_grows),
        test(many_at_once),
        test(page_sizes),
        test(page_size_without_image),
        test(around_the_lock_page),
        test(killed_at_every_operation),
        test(killed_in_the_middle_of_every_write),
        test(every_operation_fails_once),
        test(reader_that_stays),
        test(canceled_while_a_reader_stays),
        test(written_by_another_program),
        test(replaced_by_another_file),
        test(two_followers),
        test(txid_beside_is_behind),
        test(made_by_the_reference),
        test(bridges_through_levels),
        test(bridges_through_a_snapshot),
        test(resumes_ahead_of_the_snapshot),
        test(replica_emptied),
        test(damaged_file),
        test(files_deleted_meanwhile),
        test(first_restore_is_read_under_a_journal),
        test(refusals),
        test(failed_restore_leaves_nothing),
    };
    return cmocka_run_group_tests_name("restore/follow", tests, NULL, NULL);
}
