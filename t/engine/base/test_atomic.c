/*
 * Files that appear whole or not at all (engine/base/atomic.c).
 */
#include "engine/base/file.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/support/tempdir.h"

typedef struct paths {
    char *file;
    char *tmp;
} paths;

static paths paths_new(void **state) {
    return (paths){.file = tempdir_path(state, "f"), .tmp = tempdir_path(state, "f.tmp")};
}

static void paths_free(paths *p) {
    free(p->file);
    free(p->tmp);
}

static void begin(ls_atomic *a, const char *path, const char *text) {
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_atomic_begin(a, path, &LS_PERM_PRIVATE, &err), LS_OK);
    assert_true(a->active);
    assert_int_equal(fcntl(a->fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(ls_write_full(a->fd, text, strlen(text), path, &err), LS_OK);
}

static void appears_at_commit(void **state) {
    paths p = paths_new(state);
    ls_err err = LS_ERR_INIT;
    ls_atomic a;
    begin(&a, p.file, "one");
    assert_absent(p.file);
    assert_file_is(p.tmp, "one", 3);
    assert_int_equal(ls_atomic_commit(&a, false, -1, &err), LS_OK);
    assert_file_is(p.file, "one", 3);
    assert_absent(p.tmp);
    assert_false(a.active);
    ls_atomic_abort(&a);
    assert_file_is(p.file, "one", 3);
    begin(&a, p.file, "two!");
    assert_int_equal(ls_atomic_commit(&a, false, -1, &err), LS_OK);
    assert_file_is(p.file, "two!", 4);
    paths_free(&p);
}

/* A file of our own is moved into the place, and gets the mode that a new one has. */
static void takes_a_file(void **state) {
    paths p = paths_new(state);
    char *from = tempdir_path(state, "from");
    ls_err err = LS_ERR_INIT;
    for (int i = 0; i < 2; i++) { /* committed, given up */
        struct stat st;
        bool taken = false;
        ls_atomic a;
        put_file(from, "whole", 5);
        assert_int_equal(chmod(from, 0640), 0);
        assert_int_equal(ls_atomic_begin(&a, p.file, &LS_PERM_PRIVATE, &err), LS_OK);
        assert_int_equal(ls_atomic_take(&a, from, &LS_PERM_PRIVATE, &taken, &err), LS_OK);
        assert_true(taken);
        assert_absent(from);
        assert_int_equal(fcntl(a.fd, F_GETFD), FD_CLOEXEC);
        if (i == 0) {
            assert_int_equal(ls_atomic_commit(&a, true, -1, &err), LS_OK);
        } else {
            ls_atomic_abort(&a);
        }
        assert_absent(p.tmp);
        assert_file_is(p.file, "whole", 5);
        assert_int_equal(stat(p.file, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
    }
    free(from);
    paths_free(&p);
}

/* What cannot be moved there is left, and what was begun can be written. */
static void takes_nothing_of_another_file_system(void **state) {
    struct stat here, there;
    if (stat(*state, &here) != 0 || stat("/dev/shm", &there) != 0 || here.st_dev == there.st_dev) {
        skip();
    }
    paths p = paths_new(state);
    char from[] = "/dev/shm/ls-atomic-XXXXXX";
    int fd = mkstemp(from);
    ls_err err = LS_ERR_INIT;
    ls_atomic a;
    bool taken = true;
    assert_true(fd >= 0);
    begin(&a, p.file, "one");
    assert_int_equal(ls_atomic_take(&a, from, &LS_PERM_PRIVATE, &taken, &err), LS_OK);
    assert_false(taken);
    assert_int_equal(ls_atomic_commit(&a, false, -1, &err), LS_OK);
    assert_file_is(p.file, "one", 3);
    assert_int_equal(unlink(from), 0);
    assert_int_equal(ls_atomic_begin(&a, p.file, &LS_PERM_PRIVATE, &err), LS_OK);
    assert_int_equal(ls_atomic_take(&a, from, &LS_PERM_PRIVATE, &taken, &err), LS_ENOTFOUND);
    ls_atomic_abort(&a);
    (void)close(fd);
    paths_free(&p);
}

static void abort_leaves_nothing(void **state) {
    paths p = paths_new(state);
    ls_atomic a;
    put_file(p.file, "old", 3);
    begin(&a, p.file, "new");
    int fd = a.fd;
    ls_atomic_abort(&a);
    assert_absent(p.tmp);
    assert_file_is(p.file, "old", 3);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    ls_atomic_abort(&a);
    paths_free(&p);
}

static void exclusive_replaces_nothing(void **state) {
    paths p = paths_new(state);
    ls_err err = LS_ERR_INIT;
    ls_atomic a;
    begin(&a, p.file, "first");
    assert_int_equal(ls_atomic_commit(&a, true, -1, &err), LS_OK);
    assert_file_is(p.file, "first", 5);
    begin(&a, p.file, "second");
    assert_int_equal(ls_atomic_commit(&a, true, -1, &err), LS_EEXISTS);
    assert_non_null(strstr(err.msg, p.file));
    assert_false(a.active);
    assert_absent(p.tmp);
    assert_file_is(p.file, "first", 5);
    paths_free(&p);
}

static void mode_and_time_are_exact(void **state) {
    paths p = paths_new(state);
    ls_err err = LS_ERR_INIT;
    ls_perm perm = {.file_mode = 0664, .dir_mode = 0775, .uid = (uid_t)-1, .gid = (gid_t)-1};
    mode_t old = umask(0777);
    ls_atomic a;
    ls_code code = ls_atomic_begin(&a, p.file, &perm, &err);
    umask(old);
    assert_int_equal(code, LS_OK);
    assert_int_equal(ls_atomic_commit(&a, false, 1795251740162, &err), LS_OK);
    struct stat st;
    assert_int_equal(stat(p.file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0664);
    assert_int_equal(st.st_size, 0);
    assert_int_equal(st.st_mtim.tv_sec, 1795251740);
    assert_int_equal(st.st_mtim.tv_nsec, 162000000);
    paths_free(&p);
}

/* A crash between link() and unlink() of the exclusive commit leaves two names of one file. */
static void leftovers_never_harm(void **state) {
    paths p = paths_new(state);
    ls_err err = LS_ERR_INIT;
    ls_atomic a;
    put_file(p.file, "precious", 8);
    assert_int_equal(link(p.file, p.tmp), 0);
    begin(&a, p.file, "x");
    assert_file_is(p.file, "precious", 8);
    ls_atomic_abort(&a);
    assert_int_equal(symlink(p.file, p.tmp), 0);
    begin(&a, p.file, "y");
    assert_file_is(p.file, "precious", 8);
    ls_atomic_abort(&a);
    put_file(p.tmp, "a long leftover", 15);
    begin(&a, p.file, "z");
    assert_int_equal(ls_atomic_commit(&a, false, -1, &err), LS_OK);
    assert_file_is(p.file, "z", 1);
    assert_int_equal(mkfifo(p.tmp, 0600), 0);
    begin(&a, p.file, "no fifo");
    ls_atomic_abort(&a);
    paths_free(&p);
}

static void second_writer_is_found_out(void **state) {
    paths p = paths_new(state);
    ls_err err = LS_ERR_INIT;
    ls_atomic a;
    ls_atomic b;
    begin(&a, p.file, "a");
    begin(&b, p.file, "half");
    assert_int_equal(ls_atomic_commit(&a, false, -1, &err), LS_EBUSY);
    assert_absent(p.file);
    assert_string_equal(ls_err_hint(&err),
                        "another process writes the same file; stop one of the two");
    assert_file_is(p.tmp, "half", 4);
    assert_int_equal(ls_atomic_commit(&b, false, -1, &err), LS_OK);
    assert_file_is(p.file, "half", 4);
    paths_free(&p);
}

static void failures_leave_it_done(void **state) {
    paths p = paths_new(state);
    ls_err err = LS_ERR_INIT;
    ls_atomic a;
    char *missing = tempdir_path(state, "no/such/f");
    assert_int_equal(ls_atomic_begin(&a, missing, &LS_PERM_PRIVATE, &err), LS_ENOTFOUND);
    assert_non_null(strstr(err.msg, missing));
    assert_false(a.active);
    ls_atomic_abort(&a);
    assert_int_equal(mkdir(p.tmp, 0700), 0);
    assert_true(ls_atomic_begin(&a, p.file, &LS_PERM_PRIVATE, &err) != LS_OK);
    assert_false(a.active);
    assert_int_equal(rmdir(p.tmp), 0);
    /* The final name is a folder with something in it: rename cannot replace that. */
    char *inner = tempdir_path(state, "f/inner");
    assert_int_equal(mkdir(p.file, 0700), 0);
    put_file(inner, "", 0);
    begin(&a, p.file, "x");
    assert_true(ls_atomic_commit(&a, false, -1, &err) != LS_OK);
    assert_non_null(strstr(err.msg, "rename"));
    assert_absent(p.tmp);
    free(missing);
    free(inner);
    paths_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(appears_at_commit),
        unit_test_in_tempdir(takes_a_file),
        unit_test_in_tempdir(takes_nothing_of_another_file_system),
        unit_test_in_tempdir(abort_leaves_nothing),
        unit_test_in_tempdir(exclusive_replaces_nothing),
        unit_test_in_tempdir(mode_and_time_are_exact),
        unit_test_in_tempdir(leftovers_never_harm),
        unit_test_in_tempdir(second_writer_is_found_out),
        unit_test_in_tempdir(failures_leave_it_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
