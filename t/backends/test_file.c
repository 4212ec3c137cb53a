/* The file store: the conformance suite, and what only folders of a file system have. */
#include "t/backends/conformance.h"

/* The listing is compiled in with small windows, so that few files already need several. */
#define LS_WINDOW 8
#include "backends/window.c"
#include "engine/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define T0 1700000000123

/* The system's clock, or a later one. */
static int64_t ahead_ms;
int64_t __real_ls_wall_ms(const ls_clock *c);
int64_t __wrap_ls_wall_ms(const ls_clock *c);
int64_t __wrap_ls_wall_ms(const ls_clock *c) { return __real_ls_wall_ms(c) + ahead_ms; }

typedef struct fixture {
    conformance c; /* first: the suite's state */
    char dir[32];
    char root[48];
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/ls-file-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void)snprintf(f->root, sizeof f->root, "%s/re plica", f->dir);
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_open_file(f->root, NULL, &f->c.s, &err), LS_OK);
    f->c.keeps_time = true;
    f->c.copies = true;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_storage_free(f->c.s);
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_remove_tree(f->dir, &err), LS_OK);
    free(f);
    return 0;
}

static void path_of(const fixture *f, const char *rest, char *buf, size_t size) {
    int n = snprintf(buf, size, "%s/%s", f->root, rest);
    assert_true(n > 0 && (size_t)n < size);
}

static void touch(const fixture *f, const char *rest) {
    char path[256];
    path_of(f, rest, path, sizeof path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
}

static size_t count_files(ls_storage *s, int level, ls_txid seek, ls_txid first) {
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    assert_int_equal(ls_storage_list(s, level, seek, &it, &err), LS_OK);
    size_t n = 0;
    for (;;) {
        ls_ltx_info file;
        bool end;
        assert_int_equal(ls_storage_iter_next(it, &file, &end, &err), LS_OK);
        if (end) {
            break;
        }
        assert_int_equal(file.min_txid, first + n);
        n++;
    }
    ls_storage_iter_free(it);
    return n;
}

/* ---- layout ---- */

static void looking_creates_nothing(void **state) {
    fixture *f = *state;
    assert_int_equal(count_files(f->c.s, 0, 0, 1), 0);
    ls_err err = LS_ERR_INIT;
    const ls_ltx_info file = {.level = 0, .min_txid = 1, .max_txid = 1};
    assert_int_equal(ls_storage_remove(f->c.s, &file, 1, &err), LS_OK);
    ls_reader *in = ls_mem_reader_new("no LTX file", 11);
    assert_int_equal(ls_storage_put(f->c.s, &file, in, false, NULL, &err), LS_EFORMAT);
    ls_reader_close(in);
    struct stat st;
    assert_int_equal(stat(f->root, &st), -1);
}

static void layout_and_modes(void **state) {
    fixture *f = *state;
    mode_t mask = umask(0);
    conformance_put(f->c.s, 9, 1, 0x2a, T0, 200);
    umask(mask);
    char path[256];
    struct stat st;
    path_of(f, "ltx/9/0000000000000001-000000000000002a.ltx", path, sizeof path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_size, 200);
    assert_int_equal(st.st_mtim.tv_sec, T0 / 1000);
    assert_int_equal(st.st_mtim.tv_nsec, T0 % 1000 * 1000000);
    static const char *const dirs[] = {"", "ltx", "ltx/9"};
    for (size_t i = 0; i < 3; i++) {
        path_of(f, dirs[i], path, sizeof path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0700);
    }
    path_of(f, "ltx/0", path, sizeof path);
    assert_int_equal(stat(path, &st), -1);
    assert_string_equal(ls_storage_type(f->c.s), "file");
    path_of(f, "", path, sizeof path);
    path[strlen(path) - 1] = '\0';
    assert_string_equal(ls_storage_url(f->c.s) + strlen("file://"), path);
}

static void given_modes(void **state) {
    fixture *f = *state;
    const ls_perm perm = {.file_mode = 0664, .dir_mode = 0775, .uid = (uid_t)-1, .gid = (gid_t)-1};
    ls_storage *s;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_open_file(f->root, &perm, &s, &err), LS_OK);
    mode_t mask = umask(077);
    conformance_put(s, 0, 1, 1, T0, 200);
    umask(mask);
    ls_storage_free(s);
    char path[256];
    struct stat st;
    path_of(f, "ltx/0/0000000000000001-0000000000000001.ltx", path, sizeof path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0664);
    path_of(f, "ltx", path, sizeof path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0775);
}

static void times_before_1970_do_no_harm(void **state) {
    fixture *f = *state;
    conformance_put(f->c.s, 0, 1, 1, -1, 200);
    conformance_put(f->c.s, 0, 2, 2, 0, 200);
    assert_int_equal(count_files(f->c.s, 0, 0, 1), 2);
}

/* ---- listing ---- */

static void other_names_are_passed_over(void **state) {
    fixture *f = *state;
    conformance_put(f->c.s, 0, 1, 1, T0, 200);
    static const char *const names[] = {
        "ltx/0/0000000000000002-0000000000000002.ltx.tmp",
        "ltx/0/000000000000002-0000000000000002.ltx",
        "ltx/0/000000000000000A-000000000000000A.ltx",
        "ltx/0/0000000000000003-0000000000000003.LTX",
        "ltx/0/.hidden",
        "ltx/0/x0000000000000004-0000000000000004.ltx",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        touch(f, names[i]);
    }
    char path[256];
    path_of(f, "ltx/0/0000000000000005-0000000000000005.ltx", path, sizeof path);
    assert_int_equal(mkdir(path, 0700), 0); /* right name, but a folder */
    path_of(f, "ltx/0/0000000000000006-0000000000000006.ltx", path, sizeof path);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_int_equal(count_files(f->c.s, 0, 0, 1), 1);
}

static void many_windows(void **state) {
    fixture *f = *state;
    conformance_put(f->c.s, 0, 1, 1, T0, 200);
    for (unsigned t = 2; t <= 500; t++) {
        char rest[80];
        unsigned x = 2 + (t * 211) % 499; /* in no order */
        (void)snprintf(rest, sizeof rest, "ltx/0/%016x-%016x.ltx", x, x);
        touch(f, rest);
    }
    assert_int_equal(count_files(f->c.s, 0, 0, 1), 500);
    assert_int_equal(count_files(f->c.s, 0, 100, 100), 401);
    for (ls_txid seek = 480; seek <= 501; seek++) { /* window boundaries, exactly full ones */
        assert_int_equal(count_files(f->c.s, 0, seek, seek), 501 - seek);
    }
}

static void a_file_where_the_folder_should_be(void **state) {
    fixture *f = *state;
    assert_int_equal(mkdir(f->root, 0700), 0);
    touch(f, "ltx");
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    assert_int_equal(ls_storage_list(f->c.s, 0, 0, &it, &err), LS_OK);
    ls_ltx_info file;
    bool end;
    assert_int_not_equal(ls_storage_iter_next(it, &file, &end, &err), LS_OK);
    assert_non_null(strstr(err.msg, f->root));
    ls_storage_iter_free(it);
}

static void a_fifo_does_not_hang(void **state) {
    fixture *f = *state;
    conformance_put(f->c.s, 0, 1, 1, T0, 200);
    char path[256];
    path_of(f, "ltx/0/0000000000000002-0000000000000002.ltx", path, sizeof path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(count_files(f->c.s, 0, 0, 1), 1);
    ls_err err = LS_ERR_INIT;
    ls_reader *r;
    const ls_ltx_info file = {.level = 0, .min_txid = 2, .max_txid = 2};
    assert_int_not_equal(ls_storage_open_range(f->c.s, &file, 0, 0, &r, &err), LS_OK);
}

/* ---- leftovers ---- */

static void a_leftover_is_replaced(void **state) {
    fixture *f = *state;
    conformance_put(f->c.s, 0, 1, 1, T0, 200);
    touch(f, "ltx/0/0000000000000002-0000000000000002.ltx.tmp");
    conformance_put(f->c.s, 0, 2, 2, T0, 300);
    char path[256];
    struct stat st;
    path_of(f, "ltx/0/0000000000000002-0000000000000002.ltx.tmp", path, sizeof path);
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(count_files(f->c.s, 0, 0, 1), 2);
}

/* ---- copies ---- */

#define FROM "ltx/0/0000000000000001-0000000000000001.ltx"
#define TO "ltx/1/0000000000000001-0000000000000001.ltx"

static struct stat stat_of(const fixture *f, const char *rest) {
    char path[256];
    struct stat st;
    path_of(f, rest, path, sizeof path);
    assert_int_equal(stat(path, &st), 0);
    return st;
}

static void copy_up(ls_storage *s, bool exclusive) {
    const ls_ltx_info from = {.level = 0, .min_txid = 1, .max_txid = 1};
    const ls_ltx_info to = {.level = 1, .min_txid = 1, .max_txid = 1};
    ls_err err = LS_ERR_INIT;
    if (ls_storage_copy(s, &from, &to, exclusive, NULL, &err) != LS_OK) {
        fail_msg("%s", err.msg);
    }
}

static void a_copy_is_a_link(void **state) {
    fixture *f = *state;
    conformance_put(f->c.s, 0, 1, 1, T0, 5000);
    copy_up(f->c.s, true);
    assert_int_equal(stat_of(f, FROM).st_ino, stat_of(f, TO).st_ino);
    copy_up(f->c.s, false);
    assert_int_equal(stat_of(f, TO).st_nlink, 2); /* and no third name is left */
    conformance_put(f->c.s, 0, 1, 1, T0, 300);
    assert_int_equal(stat_of(f, TO).st_size, 5000);
    copy_up(f->c.s, false);
    assert_int_equal(stat_of(f, TO).st_size, 300);
    assert_int_equal(stat_of(f, TO).st_nlink, 2);
}

static bool is_there(const fixture *f, const char *rest) {
    char path[256];
    struct stat st;
    path_of(f, rest, path, sizeof path);
    return lstat(path, &st) == 0;
}

/* Other files of a killed process go with the first put a day later, whatever time their data is
 * of; a name that is no leftover stays. */
static void leftovers_go_after_a_day(void **state) {
    fixture *f = *state;
    static const char *const left[] = {
        "ltx/1/0000000000000001-0000000000000007.ltx.tmp",
        "ltx/1/0000000000000001-0000000000000008.ltx.link.tmp",
        "ltx/1/notes.tmp",
        "ltx/0/0000000000000009-0000000000000009.ltx.tmp",
    };
    conformance_put(f->c.s, 0, 1, 1, T0, 200);
    conformance_put(f->c.s, 1, 1, 1, T0, 200);
    for (size_t i = 0; i < 4; i++) {
        touch(f, left[i]);
    }
    static const struct {
        int64_t hours;
        bool there;
    } cases[] = {{0, true}, {23, true}, {25, false}};
    for (size_t i = 0; i < 3; i++) {
        ls_storage *s;
        ls_err err = LS_ERR_INIT;
        ahead_ms = cases[i].hours * 3600 * 1000;
        assert_int_equal(ls_storage_open_file(f->root, NULL, &s, &err), LS_OK);
        conformance_put(s, 1, 2, (ls_txid)(2 + i), T0, 200);
        ls_storage_free(s);
        ahead_ms = 0;
        assert_int_equal(is_there(f, left[0]), cases[i].there);
        assert_int_equal(is_there(f, left[1]), cases[i].there);
        assert_true(is_there(f, left[2]));
        assert_true(is_there(f, left[3])); /* nothing was put there */
    }
}

/* A link would have the mode of the older file. */
static void a_copy_has_the_mode_of_new_files(void **state) {
    fixture *f = *state;
    conformance_put(f->c.s, 0, 1, 1, T0, 5000);
    const ls_perm perm = {.file_mode = 0640, .dir_mode = 0750, .uid = (uid_t)-1, .gid = (gid_t)-1};
    ls_storage *s;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_open_file(f->root, &perm, &s, &err), LS_OK);
    copy_up(s, true);
    assert_int_equal(stat_of(f, TO).st_mode & 07777, 0640);
    assert_int_equal(stat_of(f, FROM).st_mode & 07777, 0600);
    assert_int_equal(stat_of(f, TO).st_size, 5000);
    assert_int_equal(stat_of(f, TO).st_mtim.tv_nsec, T0 % 1000 * 1000000);
    assert_int_equal(stat_of(f, "ltx/1").st_mode & 07777, 0750);
    const ls_ltx_info from = {.level = 0, .min_txid = 1, .max_txid = 1};
    const ls_ltx_info to = {.level = 1, .min_txid = 1, .max_txid = 1};
    assert_int_equal(ls_storage_copy(s, &from, &to, true, NULL, &err), LS_EEXISTS);
    ls_storage_free(s);
}

/* ---- objects of other formats ---- */

typedef struct seen {
    char keys[8][64];
    size_t n;
    uint64_t bytes;
    int64_t modified_ms;
} seen;

static ls_code see(void *arg, const ls_object *object, ls_err *err) {
    (void)err;
    seen *s = arg;
    assert_true(s->n < 8);
    (void)snprintf(s->keys[s->n++], 64, "%s", object->key);
    s->bytes += object->size;
    s->modified_ms = object->modified_ms;
    return LS_OK;
}

static ls_code refuse(void *arg, const ls_object *object, ls_err *err) {
    (void)arg;
    return ls_fail(err, LS_EBUSY, "enough of %s", object->key);
}

static int key_cmp(const void *a, const void *b) { return strcmp(a, b); }

static void objects_are_listed(void **state) {
    const fixture *f = *state;
    seen s = {0};
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_each_object(f->c.s, "gen", see, &s, &err), LS_OK);
    assert_int_equal(s.n, 0); /* there is not even a root */
    static const char *const folders[] = {"", "gen", "gen/a", "gen/a/b", "gen/bad name", "other"};
    char path[256];
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        path_of(f, folders[i], path, sizeof path);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    static const char *const files[] = {
        "gen/1.x",      "gen/a/2_y",   "gen/a/b/3-z", "gen/bad name/4",
        "gen/\xc3\xa4", "gen/a/b/a b", "other/5",     "6"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        touch(f, files[i]);
    }
    path_of(f, "gen/a/fifo", path, sizeof path);
    assert_int_equal(mkfifo(path, 0600), 0);
    path_of(f, "gen/a/gone", path, sizeof path);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_int_equal(ls_storage_each_object(f->c.s, "gen", see, &s, &err), LS_OK);
    qsort(s.keys, s.n, sizeof s.keys[0], key_cmp);
    assert_int_equal(s.n, 3);
    assert_string_equal(s.keys[0], "gen/1.x");
    assert_string_equal(s.keys[1], "gen/a/2_y");
    assert_string_equal(s.keys[2], "gen/a/b/3-z");
    assert_int_equal(ls_storage_each_object(f->c.s, "gen", refuse, NULL, &err), LS_EBUSY);
    assert_non_null(strstr(err.msg, "enough of gen/"));
}

/* Each folder is walked, so the circle ends where the key has its most parts. */
static void circles_of_links_end(void **state) {
    const fixture *f = *state;
    char path[256];
    static const char *const folders[] = {"", "gen"};
    for (size_t i = 0; i < 2; i++) {
        path_of(f, folders[i], path, sizeof path);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    touch(f, "gen/x");
    path_of(f, "gen/l", path, sizeof path);
    assert_int_equal(symlink(".", path), 0);
    seen s = {0};
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_each_object(f->c.s, "gen", see, &s, &err), LS_OK);
    assert_int_equal(s.n, LS_OBJECT_PARTS_MAX - 1);
}

static void objects_are_read_by_range(void **state) {
    const fixture *f = *state;
    char path[256];
    path_of(f, "", path, sizeof path);
    assert_int_equal(mkdir(path, 0700), 0);
    path_of(f, "six", path, sizeof path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fputs("abcdef", file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
    static const struct {
        uint64_t off, len;
        const char *text;
    } ranges[] = {{0, 0, "abcdef"}, {2, 3, "cde"}, {4, 9, "ef"}, {6, 0, ""}, {UINT64_MAX, 1, ""}};
    ls_err err = LS_ERR_INIT;
    ls_reader *in;
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        char buf[16] = {0};
        size_t got;
        assert_int_equal(
            ls_storage_open_object(f->c.s, "six", ranges[i].off, ranges[i].len, &in, &err), LS_OK);
        assert_int_equal(ls_read_full(in, buf, sizeof buf - 1, &got, &err), LS_OK);
        assert_string_equal(buf, ranges[i].text);
        ls_reader_close(in);
    }
    assert_int_equal(ls_storage_open_object(f->c.s, "seven", 0, 0, &in, &err), LS_ENOTFOUND);
}

static void keys_of_objects(void **state) {
    const fixture *f = *state;
    static const char *const bad[] = {
        "",    "/a",   "a/",  "a//b", "..",   "a/../b",   ".",
        "./a", "a/..", "a b", "a\\b", "a\nb", "\xc3\xa4", "1/2/3/4/5/6/7/8/9"};
    char longest[LS_OBJECT_KEY_MAX + 2];
    memset(longest, 'x', sizeof longest);
    longest[LS_OBJECT_KEY_MAX + 1] = '\0';
    assert_false(ls_object_key_valid(longest));
    longest[LS_OBJECT_KEY_MAX] = '\0';
    assert_true(ls_object_key_valid(longest));
    assert_true(ls_object_key_valid("1/2/3/4/5/6/7/8"));
    assert_true(ls_object_key_valid(".../..a/.b"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ls_err err = LS_ERR_INIT;
        ls_reader *in;
        assert_false(ls_object_key_valid(bad[i]));
        assert_int_equal(ls_storage_open_object(f->c.s, bad[i], 0, 0, &in, &err), LS_EINVALID);
        assert_null(in);
        assert_int_equal(ls_storage_each_object(f->c.s, bad[i], refuse, NULL, &err), LS_EINVALID);
    }
}

/* A store that keeps LTX files only. */
static void no_objects(void **state) {
    const fixture *f = *state;
    ls_storage_ops ops = *f->c.s->ops;
    ops.each_object = NULL;
    ops.open_object = NULL;
    ls_storage s = {.ops = &ops};
    ls_err err = LS_ERR_INIT;
    ls_reader *in;
    assert_int_equal(ls_storage_each_object(&s, "gen", refuse, NULL, &err), LS_EUNSUPPORTED);
    assert_int_equal(ls_storage_open_object(&s, "gen", 0, 0, &in, &err), LS_EUNSUPPORTED);
}

/* ---- marks ---- */

static ls_mark mark_of(const char *text, const char *tag) {
    ls_mark mark = {.len = strlen(text)};
    (void)snprintf(mark.text, sizeof mark.text, "%s", text);
    (void)snprintf(mark.tag, sizeof mark.tag, "%s", tag);
    return mark;
}

static ls_mark_writer writer_of(ls_storage *s) {
    ls_mark mark;
    ls_err err = LS_ERR_INIT;
    conformance_ok(ls_storage_get_mark(s, "lock.json", &mark, &err), &err);
    return mark.writer;
}

/* Another store of the same folder is as another process: the lock is that of an open file. */
static void a_mark_is_kept(void **state) {
    fixture *f = *state;
    ls_storage *other;
    ls_err err = LS_ERR_INIT;
    conformance_ok(ls_storage_open_file(f->root, NULL, &other, &err), &err);
    ls_mark mark = mark_of("a", ""), theirs;
    conformance_ok(ls_storage_put_mark(f->c.s, "lock.json", &mark, true, &err), &err);
    assert_int_equal(writer_of(other), LS_MARK_ALIVE);
    assert_int_equal(writer_of(f->c.s), LS_MARK_GONE);
    conformance_ok(ls_storage_get_mark(other, "lock.json", &theirs, &err), &err);
    assert_string_equal(theirs.tag, mark.tag);
    assert_int_equal(ls_storage_put_mark(other, "lock.json", &theirs, true, &err), LS_EEXISTS);
    assert_non_null(strstr(err.msg, " is locked by another process"));
    /* Who has it writes on, and lets go. */
    mark = mark_of("longer", mark.tag);
    conformance_ok(ls_storage_put_mark(f->c.s, "lock.json", &mark, true, &err), &err);
    mark = mark_of("let go", mark.tag);
    conformance_ok(ls_storage_put_mark(f->c.s, "lock.json", &mark, false, &err), &err);
    assert_int_equal(writer_of(other), LS_MARK_GONE);
    theirs = mark_of("b", mark.tag);
    conformance_ok(ls_storage_put_mark(other, "lock.json", &theirs, true, &err), &err);
    assert_int_equal(writer_of(f->c.s), LS_MARK_ALIVE);
    ls_storage_free(other); /* as a process that is killed */
    assert_int_equal(writer_of(f->c.s), LS_MARK_GONE);
}

static void a_mark_that_is_removed_was_changed(void **state) {
    fixture *f = *state;
    char path[128];
    ls_err err = LS_ERR_INIT;
    ls_mark mark = mark_of("a", "");
    conformance_ok(ls_storage_put_mark(f->c.s, "lock.json", &mark, true, &err), &err);
    path_of(f, "lock.json", path, sizeof path);
    assert_int_equal(unlink(path), 0);
    mark = mark_of("b", mark.tag);
    assert_int_equal(ls_storage_put_mark(f->c.s, "lock.json", &mark, true, &err), LS_EEXISTS);
    mark = mark_of("c", "");
    conformance_ok(ls_storage_put_mark(f->c.s, "lock.json", &mark, true, &err), &err);
    assert_int_equal(ls_storage_get_mark(f->c.s, "lock.json", &mark, &err), LS_OK);
    assert_string_equal(mark.text, "c");
}

static void marks_that_are_none(void **state) {
    fixture *f = *state;
    char path[128], text[LS_MARK_MAX + 2];
    ls_err err = LS_ERR_INIT;
    ls_mark mark = mark_of("a", "");
    conformance_ok(ls_storage_put_mark(f->c.s, "lock.json", &mark, false, &err), &err);
    path_of(f, "lock.json", path, sizeof path);
    memset(text, 'x', sizeof text);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, LS_MARK_MAX + 1, out), LS_MARK_MAX + 1);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(ls_storage_get_mark(f->c.s, "lock.json", &mark, &err), LS_ELIMIT);
    assert_int_equal(truncate(path, 0), 0); /* a process that was killed between two steps */
    assert_int_equal(ls_storage_get_mark(f->c.s, "lock.json", &mark, &err), LS_ENOTFOUND);
    mark = mark_of("b", "");
    conformance_ok(ls_storage_put_mark(f->c.s, "lock.json", &mark, false, &err), &err);
    ahead_ms = 7000;
    conformance_ok(ls_storage_get_mark(f->c.s, "lock.json", &mark, &err), &err);
    assert_in_range(mark.age_ms, 7000, 60000);
    ahead_ms = 0;
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(ls_storage_get_mark(f->c.s, "lock.json", &mark, &err), LS_EINVALID);
    assert_int_equal(ls_storage_put_mark(f->c.s, "lock.json", &mark, false, &err), LS_EINVALID);
}

int main(void) {
    struct CMUnitTest tests[CONFORMANCE_MAX + 32];
    size_t n = conformance_tests(tests, setup, teardown);
    const struct CMUnitTest own[] = {
        cmocka_unit_test_setup_teardown(looking_creates_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(layout_and_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(given_modes, setup, teardown),
        cmocka_unit_test_setup_teardown(times_before_1970_do_no_harm, setup, teardown),
        cmocka_unit_test_setup_teardown(other_names_are_passed_over, setup, teardown),
        cmocka_unit_test_setup_teardown(many_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_where_the_folder_should_be, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fifo_does_not_hang, setup, teardown),
        cmocka_unit_test_setup_teardown(a_leftover_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(leftovers_go_after_a_day, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_is_a_link, setup, teardown),
        cmocka_unit_test_setup_teardown(a_copy_has_the_mode_of_new_files, setup, teardown),
        cmocka_unit_test_setup_teardown(objects_are_listed, setup, teardown),
        cmocka_unit_test_setup_teardown(circles_of_links_end, setup, teardown),
        cmocka_unit_test_setup_teardown(objects_are_read_by_range, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_of_objects, setup, teardown),
        cmocka_unit_test_setup_teardown(no_objects, setup, teardown),
        cmocka_unit_test_setup_teardown(a_mark_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_mark_that_is_removed_was_changed, setup, teardown),
        cmocka_unit_test_setup_teardown(marks_that_are_none, setup, teardown),
    };
    memcpy(tests + n, own, sizeof own);
    n += sizeof own / sizeof own[0];
    return _cmocka_run_group_tests("backends/file", tests, n, NULL, NULL);
}
