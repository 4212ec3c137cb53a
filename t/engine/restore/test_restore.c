/* Whole restores: what may be at the target, what a failure leaves (nothing), modes, checks. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ltx/dbfile.h"
#include "t/engine/restore/replica.h"
#include "t/support/tempdir.h"

/* A small chain, and a target beside it. */
typedef struct place {
    char *dir;
    char *out;
    chain c;
} place;

static int place_setup(void **state) {
    place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    void *dir = NULL;
    assert_int_equal(tempdir_setup(&dir), 0);
    p->dir = dir;
    p->out = ls_path_join(p->dir, "out.db");
    chain_init(&p->c, p->dir, "replica", 1024);
    chain_step(&p->c, 20, 0);
    chain_step(&p->c, 22, 4);
    chain_step(&p->c, 18, 4);
    *state = p;
    return 0;
}

static int place_teardown(void **state) {
    place *p = *state;
    chain_done(&p->c);
    void *dir = p->dir;
    int rc = tempdir_teardown(&dir);
    free(p->out);
    free(p);
    return rc;
}

#define test(f) cmocka_unit_test_setup_teardown(f, place_setup, place_teardown)

static char *beside(const place *p, const char *suffix) {
    char *path = ls_asprintf("%s%s", p->out, suffix);
    assert_non_null(path);
    return path;
}

static void put_text(const char *path, const char *text) { put_file(path, text, strlen(text)); }

static bool exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

static ls_restore_opts opts_for(const char *output) {
    return (ls_restore_opts){.output = output, .timestamp_ms = LS_NO_TIMESTAMP};
}

static ls_code restore(const place *p, const ls_restore_opts *opts, ls_err *err) {
    *err = LS_ERR_INIT;
    ls_restore_result result;
    ls_code code = ls_restore(p->c.s, opts, &result, err);
    char *tmp = beside(p, ".tmp");
    assert_false(exists(tmp));
    free(tmp);
    return code;
}

static void assert_restored(const place *p, const char *path) {
    assert_file_is(path, p->c.image, (size_t)p->c.commit * p->c.page_size);
}

static void assert_fails(const place *p, const ls_restore_opts *opts, ls_code code,
                         const char *msg) {
    ls_err err;
    ls_code got = restore(p, opts, &err);
    if (got != code) {
        fail_msg("%s: %s", ls_code_name(got), err.msg);
    }
    if (strstr(err.msg, msg) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", msg, err.msg);
    }
}

static size_t entries(const char *dir) {
    char *command = ls_asprintf("ls -A '%s' | wc -l", dir);
    FILE *out = popen(command, "r");
    size_t n = 0;
    assert_non_null(out);
    assert_int_equal(fscanf(out, "%zu", &n), 1);
    assert_int_equal(pclose(out), 0);
    free(command);
    return n;
}

/* ---- options ---- */

static void options(void **state) {
    const place *p = *state;
    ls_restore_opts opts = opts_for(NULL);
    assert_fails(p, &opts, LS_EINVALID, "output path required");
    opts.output = "";
    assert_fails(p, &opts, LS_EINVALID, "output path required");
    opts = opts_for(p->out);
    opts.txid = 1;
    opts.timestamp_ms = 5;
    assert_fails(p, &opts, LS_EINVALID, "cannot specify index & timestamp to restore");
    opts = opts_for(p->out);
    opts.txid = 99;
    assert_fails(p, &opts, LS_ENOBACKUP, "no matching backup files available");
    assert_false(exists(p->out));
}

static void no_backup_makes_no_folder(void **state) {
    const place *p = *state;
    char *deep = ls_path_join(p->dir, "a/b/out.db");
    ls_restore_opts opts = opts_for(deep);
    opts.txid = 99;
    assert_fails(p, &opts, LS_ENOBACKUP, "no matching backup files available");
    free(deep);
    assert_int_equal(entries(p->dir), 1); /* the replica */
}

static void gap_is_named(void **state) {
    const place *p = *state;
    char *path = chain_path(&p->c, &p->c.all.files[1]);
    assert_int_equal(unlink(path), 0);
    free(path);
    const ls_restore_opts opts = opts_for(p->out);
    assert_fails(p, &opts, LS_EGAP,
                 "cannot calc restore plan: non-contiguous ltx files: have up to 0000000000000001 "
                 "but next file starts at 0000000000000003");
    assert_false(exists(p->out));
}

/* ---- what may be there ---- */

static void plain(void **state) {
    const place *p = *state;
    mode_t mask = umask(027);
    const ls_restore_opts opts = opts_for(p->out);
    ls_err err;
    must(restore(p, &opts, &err), &err);
    umask(mask);
    assert_restored(p, p->out);
    struct stat st;
    assert_int_equal(stat(p->out, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(entries(p->dir), 2);
}

static void parents_are_made(void **state) {
    const place *p = *state;
    char *deep = ls_path_join(p->dir, "a/b/out.db");
    char *dir = ls_path_join(p->dir, "a");
    const ls_restore_opts opts = opts_for(deep);
    ls_err err;
    must(restore(p, &opts, &err), &err);
    assert_restored(p, deep);
    struct stat st;
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    free(dir);
    free(deep);
}

static void existing_output(void **state) {
    const place *p = *state;
    ls_restore_opts opts = opts_for(p->out);
    put_text(p->out, "x");
    char *msg = ls_asprintf("cannot restore, output path already exists and is not empty: %s. "
                            "Use -force to overwrite",
                            p->out);
    assert_fails(p, &opts, LS_EEXISTS, msg);
    free(msg);
    assert_file_is(p->out, "x", 1);
    opts.force = true;
    ls_err err;
    must(restore(p, &opts, &err), &err);
    assert_restored(p, p->out);
    opts.force = false;
    assert_fails(p, &opts, LS_EEXISTS, "already exists");
    assert_restored(p, p->out);
}

static void empty_output_is_allowed(void **state) {
    const place *p = *state;
    const ls_restore_opts opts = opts_for(p->out);
    put_text(p->out, "");
    assert_int_equal(chmod(p->out, 0604), 0);
    ls_err err;
    must(restore(p, &opts, &err), &err);
    assert_restored(p, p->out);
    struct stat st;
    assert_int_equal(stat(p->out, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0604);
}

static void force_keeps_mode_and_owner(void **state) {
    const place *p = *state;
    ls_restore_opts opts = opts_for(p->out);
    opts.force = true;
    put_text(p->out, "old");
    assert_int_equal(chmod(p->out, 0640), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(p->out, 1234, 2345), 0);
    }
    ls_err err;
    must(restore(p, &opts, &err), &err);
    assert_restored(p, p->out);
    struct stat st;
    assert_int_equal(stat(p->out, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    if (geteuid() == 0) {
        assert_int_equal(st.st_uid, 1234);
        assert_int_equal(st.st_gid, 2345);
    }
}

static void output_is_a_folder(void **state) {
    const place *p = *state;
    ls_restore_opts opts = opts_for(p->out);
    assert_int_equal(mkdir(p->out, 0700), 0);
    for (int force = 0; force < 2; force++) {
        opts.force = force == 1;
        assert_fails(p, &opts, LS_EEXISTS, "cannot restore, output path is a directory: ");
    }
    assert_int_equal(rmdir(p->out), 0);
    assert_int_equal(mkfifo(p->out, 0600), 0);
    assert_fails(p, &opts, LS_EEXISTS, "cannot restore, output path is not a file: ");
}

static void stale_sidecars(void **state) {
    const place *p = *state;
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    for (size_t i = 0; i < 3; i++) {
        char *path = beside(p, suffixes[i]);
        put_text(path, "stale");
        for (int with_main = 0; with_main < 2; with_main++) {
            if (with_main == 1) {
                put_text(p->out, "");
            }
            ls_restore_opts opts = opts_for(p->out);
            char *msg = ls_asprintf("cannot restore, SQLite sidecar path already exists: %s. "
                                    "Use -force to overwrite",
                                    path);
            assert_fails(p, &opts, LS_EEXISTS, msg);
            free(msg);
            assert_file_is(path, "stale", 5);
        }
        ls_restore_opts opts = opts_for(p->out);
        opts.force = true;
        ls_err err;
        must(restore(p, &opts, &err), &err);
        assert_restored(p, p->out);
        assert_false(exists(path));
        assert_int_equal(unlink(p->out), 0);
        free(path);
    }
}

/* A failed restore with force has taken nothing away. */
static void failed_force_keeps_all(void **state) {
    const place *p = *state;
    char *wal = beside(p, "-wal");
    put_text(p->out, "old");
    put_text(wal, "log");
    char *path = chain_path(&p->c, &p->c.all.files[0]);
    assert_int_equal(truncate(path, 900), 0);
    free(path);
    ls_restore_opts opts = opts_for(p->out);
    opts.force = true;
    assert_fails(p, &opts, LS_ECORRUPT, "ltx/0/0000000000000001-0000000000000001.ltx: ");
    assert_file_is(p->out, "old", 3);
    assert_file_is(wal, "log", 3);
    free(wal);
}

static void leftover_tmp(void **state) {
    const place *p = *state;
    char *tmp = beside(p, ".tmp");
    char *other = ls_path_join(p->dir, "other");
    put_text(other, "other");
    assert_int_equal(symlink(other, tmp), 0);
    const ls_restore_opts opts = opts_for(p->out);
    ls_err err;
    must(restore(p, &opts, &err), &err);
    assert_restored(p, p->out);
    assert_file_is(other, "other", 5); /* the link was not followed */
    free(other);
    free(tmp);
}

/* SQLite follows links and keeps its log beside the file they lead to. */
static void links(void **state) {
    const place *p = *state;
    char *real = ls_path_join(p->dir, "real/data.db");
    char *dir = ls_path_join(p->dir, "real");
    char *wal = ls_asprintf("%s-wal", real);
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(symlink("real/data.db", p->out), 0);
    put_text(wal, "stale");
    ls_restore_opts opts = opts_for(p->out);
    assert_fails(p, &opts, LS_EEXISTS, "real/data.db-wal. Use -force to overwrite");
    opts.force = true;
    ls_err err;
    must(restore(p, &opts, &err), &err);
    assert_restored(p, real);
    assert_false(exists(wal));
    struct stat st;
    assert_int_equal(lstat(p->out, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    free(wal);
    free(dir);
    free(real);
}

static void link_loop(void **state) {
    const place *p = *state;
    assert_int_equal(symlink("out.db", p->out), 0);
    const ls_restore_opts opts = opts_for(p->out);
    assert_fails(p, &opts, LS_EINVALID, "too many symbolic links");
}

/* ---- failures leave nothing ---- */

static void damaged_files(void **state) {
    const place *p = *state;
    for (size_t i = 0; i < p->c.all.n; i++) {
        const ls_ltx_info *file = &p->c.all.files[i];
        char *path = chain_path(&p->c, file);
        ls_err err = LS_ERR_INIT;
        char *data;
        size_t len;
        must(ls_read_file(path, 1u << 20, &data, &len, &err), &err);
        const size_t at[] = {16, 40, 100, 104, len / 2, len - 30, len - 20, len - 12, len - 1};
        char key[LS_STORAGE_KEY_SIZE];
        ls_storage_key(file, key);
        const ls_restore_opts opts = opts_for(p->out);
        for (size_t j = 0; j < sizeof at / sizeof at[0]; j++) {
            data[at[j]] ^= 0x10;
            put_file(path, data, len);
            ls_restore_result result;
            err = LS_ERR_INIT;
            assert_int_not_equal(ls_restore(p->c.s, &opts, &result, &err), LS_OK);
            assert_non_null(strstr(err.msg, key));
            data[at[j]] ^= 0x10;
        }
        for (size_t cut = 0; cut < len; cut += 1 + len / 7) {
            put_file(path, data, cut);
            ls_restore_result result;
            err = LS_ERR_INIT;
            assert_int_not_equal(ls_restore(p->c.s, &opts, &result, &err), LS_OK);
            assert_non_null(strstr(err.msg, cut < 100 ? "invalid ltx file: level=0" : key));
        }
        put_file(path, data, len);
        free(data);
        free(path);
        assert_int_equal(entries(p->dir), 1);
    }
    const ls_restore_opts opts = opts_for(p->out);
    ls_err err;
    must(restore(p, &opts, &err), &err);
    assert_restored(p, p->out);
}

/* Cancelled by its own progress, so in the middle. */
static void cancel_now(void *arg, const ls_restore_progress *progress) {
    (void)progress;
    ls_cancel_set(arg);
}

static void canceled(void **state) {
    const place *p = *state;
    ls_cancel cancel = {0};
    ls_restore_opts opts = opts_for(p->out);
    opts.cancel = &cancel;
    opts.progress = cancel_now;
    opts.progress_arg = &cancel;
    assert_fails(p, &opts, LS_ECANCELED, "restore canceled");
    assert_false(exists(p->out));
    assert_int_equal(entries(p->dir), 1);
}

/* RLIMIT_FSIZE makes every file system full at some size; in a child, as it holds for the process.
 */
static void file_too_large(void **state) {
    const place *p = *state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const struct rlimit limit = {.rlim_cur = 8192, .rlim_max = 8192};
        signal(SIGXFSZ, SIG_IGN);
        ls_err err = LS_ERR_INIT;
        ls_restore_result result;
        const ls_restore_opts opts = opts_for(p->out);
        bool right = setrlimit(RLIMIT_FSIZE, &limit) == 0 &&
                     ls_restore(p->c.s, &opts, &result, &err) == LS_EIO &&
                     strstr(err.msg, strerror(EFBIG)) != NULL && strstr(err.msg, p->out) != NULL;
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(entries(p->dir), 1);
}

/* A file system with less room than the database: seen before the first byte is written. */
static void full_disk(void **state) {
    const place *p = *state;
    char *dir = ls_path_join(p->dir, "tiny");
    assert_int_equal(mkdir(dir, 0700), 0);
    if (mount("tmpfs", dir, "tmpfs", 0, "size=16k") != 0) {
        print_message("# SKIP cannot mount: %s\n", strerror(errno));
        free(dir);
        skip();
    }
    char *out = ls_path_join(dir, "out.db");
    const ls_restore_opts opts = opts_for(out);
    ls_err err = LS_ERR_INIT;
    ls_restore_result result;
    ls_code code = ls_restore(p->c.s, &opts, &result, &err);
    size_t left = entries(dir);
    assert_int_equal(umount(dir), 0);
    assert_int_equal(code, LS_EFULL);
    assert_non_null(strstr(err.msg, "needs 18 kB, but only 16 kB are free"));
    assert_int_equal(left, 0);
    free(out);
    free(dir);
}

/* As root, in whose way no mode stands, the restore runs as nobody, who may read everything. */
static void no_right_to_write(void **state) {
    const place *p = *state;
    char *command = ls_asprintf("chmod -R a+rX '%s' && chmod 0555 '%s'", p->dir, p->dir);
    assert_int_equal(system(command), 0);
    free(command);
    bool root = geteuid() == 0;
    assert_int_equal(root ? seteuid(65534) : 0, 0);
    const ls_restore_opts opts = opts_for(p->out);
    ls_err err = LS_ERR_INIT;
    ls_restore_result result;
    ls_code code = ls_restore(p->c.s, &opts, &result, &err);
    assert_int_equal(root ? seteuid(0) : 0, 0);
    assert_int_equal(chmod(p->dir, 0700), 0);
    assert_int_equal(code, LS_EPERM);
    assert_non_null(strstr(err.msg, "out.db.tmp"));
    assert_int_equal(entries(p->dir), 1);
}

/* ---- a store that changes meanwhile ---- */

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
    const place *p = *state;
    static const ls_storage_ops ops = {.type = "test", .list = fading_list, .open = fading_open};
    fading_store s = {.base = {.ops = &ops}, .inner = p->c.s, .gone = 2};
    const ls_restore_opts opts = opts_for(p->out);
    ls_restore_result result;
    ls_err err = LS_ERR_INIT;
    must(ls_restore(&s.base, &opts, &result, &err), &err); /* a new plan is made */
    assert_restored(p, p->out);
    assert_int_equal(unlink(p->out), 0);
    s.gone = 100;
    assert_int_equal(ls_restore(&s.base, &opts, &result, &err), LS_ENOTFOUND);
    assert_non_null(strstr(err.msg, "ltx/0/0000000000000003-0000000000000003.ltx: deleted"));
    assert_true(s.gone > 90);
    assert_int_equal(entries(p->dir), 1);
}

/* ---- a store that fails, breaks off, or gives little at a time ---- */

typedef struct faulty_store {
    ls_storage base;
    ls_storage *inner;
    long calls, fail_at; /* opens, listings and reads so far; the one that fails */
    bool listing;        /* it was a listing that failed */
    uint64_t cut; /* each read of a file ends there, by turns with an error and cleanly; 0: no */
    long cuts;    /* so far */
} faulty_store;

typedef struct faulty_reader {
    ls_reader base;
    ls_reader *inner;
    faulty_store *store;
    uint64_t given;
} faulty_reader;

static bool fault(faulty_store *f) { return ++f->calls == f->fail_at; }

static ls_code faulty_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    faulty_reader *f = (faulty_reader *)r;
    if (fault(f->store)) {
        return ls_fail(err, LS_EIO, "connection lost");
    }
    if (f->store->cut > 0 && f->given >= f->store->cut) {
        *got = 0;
        return ++f->store->cuts % 2 == 0 ? LS_OK : ls_fail(err, LS_EIO, "connection lost");
    }
    size_t most = 1 + (size_t)f->store->calls * 37 % 900;
    ls_code code = f->inner->read(f->inner, buf, len < most ? len : most, got, err);
    f->given += *got;
    return code;
}

static void faulty_close(ls_reader *r) {
    ls_reader_close(((faulty_reader *)r)->inner);
    free(r);
}

static ls_code faulty_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it,
                           ls_err *err) {
    faulty_store *f = (faulty_store *)s;
    if (fault(f)) {
        f->listing = true;
        return ls_fail(err, LS_EIO, "connection lost");
    }
    return ls_storage_list(f->inner, level, seek, it, err);
}

static ls_code faulty_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                           ls_reader **r, ls_err *err) {
    faulty_store *f = (faulty_store *)s;
    if (fault(f)) {
        return ls_fail(err, LS_EIO, "connection lost");
    }
    faulty_reader *fr = malloc(sizeof *fr);
    assert_non_null(fr);
    *fr = (faulty_reader){.base = {.read = faulty_read, .close = faulty_close}, .store = f};
    ls_code code = ls_storage_open_range(f->inner, file, off, len, &fr->inner, err);
    *r = &fr->base;
    return code;
}

static const ls_storage_ops faulty_ops = {.type = "test", .list = faulty_list, .open = faulty_open};

/* A listing that fails is an error, and leaves no file; a read that fails goes on where it was. */
static void calls_fail_once(void **state) {
    place *p = *state;
    chain_step(&p->c, 200, 0); /* a file of more than one read */
    faulty_store s = {.base = {.ops = &faulty_ops}, .inner = p->c.s};
    const ls_restore_opts opts = opts_for(p->out);
    ls_restore_result result;
    ls_err err = LS_ERR_INIT;
    must(ls_restore(&s.base, &opts, &result, &err), &err); /* odd pieces do no harm */
    assert_restored(p, p->out);
    assert_int_equal(unlink(p->out), 0);
    long calls = s.calls;
    long listings = 0;
    assert_true(calls > 100);
    /* all listings come first; of the reads, which wait before they go on, some */
    for (s.fail_at = 1; s.fail_at <= calls; s.fail_at += s.listing ? 1 : calls / 10) {
        s.calls = 0;
        s.listing = false;
        err = LS_ERR_INIT;
        ls_code code = ls_restore(&s.base, &opts, &result, &err);
        if (s.listing) {
            assert_int_equal(code, LS_EIO);
            assert_non_null(strstr(err.msg, "list level "));
            assert_non_null(strstr(err.msg, "connection lost"));
            listings++;
        } else {
            must(code, &err);
            assert_restored(p, p->out);
            assert_int_equal(unlink(p->out), 0);
        }
        assert_int_equal(entries(p->dir), 1);
    }
    assert_int_equal(listings, LS_LTX_LEVEL_MAX + 1);
}

/* Every connection breaks after some bytes, by turns with an error and as if the file ended there:
 * it goes on by range. One that breaks again and again is an error in the end. */
static void connections_break(void **state) {
    place *p = *state;
    chain_step(&p->c, 200, 0);
    chain_snapshot(&p->c, 9, 1);
    faulty_store s = {.base = {.ops = &faulty_ops}, .inner = p->c.s};
    const ls_ltx_info *snapshot = &p->c.all.files[p->c.all.n - 1];
    const ls_restore_opts opts = opts_for(p->out);
    ls_restore_result result;
    ls_err err = LS_ERR_INIT;
    s.cut = snapshot->size / 3 + 1; /* twice on the way through the frames */
    must(ls_restore(&s.base, &opts, &result, &err), &err);
    assert_restored(p, p->out);
    assert_int_equal(s.cuts, 2);
    assert_int_equal(unlink(p->out), 0);
    s.cut = snapshot->size / 8;
    assert_int_equal(ls_restore(&s.base, &opts, &result, &err), LS_EIO);
    assert_non_null(strstr(err.msg, "ltx/9/"));
    assert_int_equal(entries(p->dir), 1);
}

/* ---- two restores to one place ---- */

typedef struct rival {
    pthread_t thread;
    const place *p;
    ls_code code;
} rival;

static void *compete(void *arg) {
    rival *r = arg;
    const ls_restore_opts opts = opts_for(r->p->out);
    ls_err err = LS_ERR_INIT;
    ls_restore_result result;
    r->code = ls_restore(r->p->c.s, &opts, &result, &err);
    return NULL;
}

static void rivals(void **state) {
    const place *p = *state;
    for (int round = 0; round < 10; round++) {
        rival r[3];
        for (int i = 0; i < 3; i++) {
            r[i].p = p;
            assert_int_equal(pthread_create(&r[i].thread, NULL, compete, &r[i]), 0);
        }
        int won = 0;
        for (int i = 0; i < 3; i++) {
            assert_int_equal(pthread_join(r[i].thread, NULL), 0);
            won += r[i].code == LS_OK;
        }
        assert_true(won <= 1);
        if (won == 1) {
            assert_restored(p, p->out);
            assert_int_equal(unlink(p->out), 0);
        }
        assert_int_equal(entries(p->dir), 1);
    }
}

/* ---- SQLite's check ---- */

/* A replica of an SQLite database in WAL mode: rows, then one file per page that is spoiled. */
static ls_storage *sqlite_replica(const place *p, int64_t spoil_at) {
    char *db_path = ls_path_join(p->dir, "source?#%.db");
    char *root = ls_path_join(p->dir, "sqlite");
    sqlite3 *db;
    (void)unlink(db_path);
    assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(db,
                     "PRAGMA journal_mode=wal; PRAGMA synchronous=off; CREATE TABLE t(a, b);"
                     "CREATE INDEX i ON t(b);"
                     "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x<500)"
                     "INSERT INTO t SELECT x, hex(randomblob(40)) FROM n",
                     NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    int fd = open(db_path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    if (spoil_at >= 0) {
        assert_int_equal(pwrite(fd, "\xff\xff\xff\xff", 4, spoil_at), 4);
    }
    mem_file m;
    mem_file_init(&m);
    ls_err err = LS_ERR_INIT;
    must(ls_ltx_encode_db(fd, db_path, 1700000000000, &m.out.base, &err), &err);
    ls_storage *s;
    must(ls_storage_open_file(root, NULL, &s, &err), &err);
    ls_reader *in = ls_mem_reader_new(m.buf.data, m.buf.len);
    const ls_ltx_info name = {.level = 9, .min_txid = 1, .max_txid = 1};
    must(ls_storage_put(s, &name, in, false, NULL, &err), &err);
    ls_reader_close(in);
    mem_file_done(&m);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(db_path), 0);
    free(root);
    free(db_path);
    return s;
}

static void integrity(void **state) {
    const place *p = *state;
    char *odd = ls_path_join(p->dir, "100%25 ?x=1#f&immutable=0.db");
    for (int mode = LS_INTEGRITY_NONE; mode <= LS_INTEGRITY_FULL; mode++) {
        ls_restore_opts opts = opts_for(odd);
        opts.integrity = (ls_integrity)mode;
        opts.force = true;
        ls_storage *s = sqlite_replica(p, -1);
        ls_restore_result result;
        ls_err err = LS_ERR_INIT;
        must(ls_restore(s, &opts, &result, &err), &err);
        assert_int_equal(entries(p->dir), 3); /* two replicas and the output: no -wal, no -shm */
        ls_storage_free(s);
        assert_int_equal(unlink(odd), 0);
        s = sqlite_replica(p, 4096 + 8); /* page 2: a B-tree page whose header is nonsense */
        ls_code code = ls_restore(s, &opts, &result, &err);
        if (mode == LS_INTEGRITY_NONE) {
            must(code, &err);
            assert_int_equal(unlink(odd), 0);
        } else {
            assert_int_equal(code, LS_ECORRUPT);
            const char *text = "post-restore integrity check: integrity check failed: ";
            assert_memory_equal(err.msg, text, strlen(text));
        }
        assert_int_equal(entries(p->dir), 2);
        ls_storage_free(s);
    }
    /* what no SQLite would open */
    ls_restore_opts opts = opts_for(p->out);
    opts.integrity = LS_INTEGRITY_QUICK;
    assert_fails(p, &opts, LS_ECORRUPT, "post-restore integrity check: integrity check failed: ");
    assert_false(exists(p->out));
    free(odd);
}

static void available(void **state) {
    const place *p = *state;
    bool yes = false;
    bool any = false;
    int64_t oldest;
    int64_t newest;
    ls_err err = LS_ERR_INIT;
    must(ls_restore_available(p->c.s, &yes, &err), &err);
    assert_true(yes);
    must(ls_restore_bounds(p->c.s, &any, &oldest, &newest, &err), &err);
    assert_true(any);
    assert_int_equal(oldest, 1700000001000);
    assert_int_equal(newest, 1700000003000);
    ls_storage *s;
    must(ls_storage_open_file(p->out, NULL, &s, &err), &err);
    must(ls_restore_available(s, &yes, &err), &err);
    assert_false(yes);
    must(ls_restore_bounds(s, &any, &oldest, &newest, &err), &err);
    assert_false(any);
    ls_storage_free(s);
    assert_false(exists(p->out));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        test(options),
        test(no_backup_makes_no_folder),
        test(gap_is_named),
        test(plain),
        test(parents_are_made),
        test(existing_output),
        test(empty_output_is_allowed),
        test(force_keeps_mode_and_owner),
        test(output_is_a_folder),
        test(stale_sidecars),
        test(failed_force_keeps_all),
        test(leftover_tmp),
        test(links),
        test(link_loop),
        test(damaged_files),
        test(canceled),
        test(file_too_large),
        test(full_disk),
        test(no_right_to_write),
        test(files_deleted_meanwhile),
        test(calls_fail_once),
        test(connections_break),
        test(rivals),
        test(integrity),
        test(available),
    };
    return cmocka_run_group_tests_name("restore/restore", tests, NULL, NULL);
}
