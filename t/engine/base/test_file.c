/*
 * Whole files: read, write, copy, remove, and fsync of folders (engine/base/file.c).
 */
#include "engine/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/support/tempdir.h"

#define BIG (3 * 256 * 1024 + 17)

/* Bytes that differ at every offset a copy could get wrong. */
static char *pattern_new(size_t len) {
    char *data = malloc(len);
    assert_non_null(data);
    uint32_t x = 1;
    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        data[i] = (char)(x >> 24);
    }
    return data;
}

static void reads_whole_files(void **state) {
    ls_err err = LS_ERR_INIT;
    char *path = tempdir_path(state, "f");
    char *data = pattern_new(BIG);
    char *got;
    size_t len;
    put_file(path, data, BIG);
    assert_int_equal(ls_read_file(path, BIG, &got, &len, &err), LS_OK);
    assert_int_equal(len, BIG);
    assert_memory_equal(got, data, BIG);
    assert_int_equal(got[len], '\0');
    free(got);
    assert_int_equal(ls_read_file(path, BIG - 1, &got, &len, &err), LS_ELIMIT);
    assert_null(got);
    assert_non_null(strstr(err.msg, path));
    put_file(path, "", 0);
    assert_int_equal(ls_read_file(path, 0, &got, &len, &err), LS_OK);
    assert_string_equal(got, "");
    free(got);
    /* No size is known beforehand. */
    assert_int_equal(ls_read_file("/proc/self/status", 1 << 20, &got, &len, &err), LS_OK);
    assert_memory_equal(got, "Name:", 5);
    free(got);
    free(data);
    free(path);
}

static void read_failures(void **state) {
    ls_err err = LS_ERR_INIT;
    char *path = tempdir_path(state, "none");
    char *got;
    size_t len;
    assert_int_equal(ls_read_file(path, 10, &got, &len, &err), LS_ENOTFOUND);
    assert_null(got);
    assert_int_equal(ls_read_file(*state, 10, &got, &len, &err), LS_EIO);
    assert_non_null(strstr(err.msg, "Is a directory"));
    assert_int_equal(ls_read_file("/dev/zero", 1 << 20, &got, &len, &err), LS_ELIMIT);
    assert_null(got);
    free(path);
}

static void reads_and_writes_at_offsets(void **state) {
    ls_err err = LS_ERR_INIT;
    char *path = tempdir_path(state, "f");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    char buf[16] = "";
    size_t got;
    assert_int_equal(ls_pwrite_full(fd, "world", 5, 6, path, &err), LS_OK);
    assert_int_equal(ls_pwrite_full(fd, "hello ", 6, 0, path, &err), LS_OK);
    assert_int_equal(ls_pread_full(fd, buf, 5, 3, &got, path, &err), LS_OK);
    assert_int_equal(got, 5);
    assert_memory_equal(buf, "lo wo", 5);
    assert_int_equal(ls_pread_full(fd, buf, sizeof buf, 8, &got, path, &err), LS_OK);
    assert_int_equal(got, 3);
    assert_int_equal(ls_pread_full(fd, buf, sizeof buf, 100, &got, path, &err), LS_OK);
    assert_int_equal(got, 0);
    assert_true(ls_pread_full(fd, buf, 1, -1, &got, path, &err) != LS_OK);
    close(fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(ls_pwrite_full(fd, "x", 1, 7, path, &err), LS_EIO);
    assert_non_null(strstr(err.msg, path));
    assert_non_null(strstr(err.msg, "at 7"));
    close(fd);
    free(path);
}

static void copy_case(void **state, const char *data, size_t have, size_t size, size_t old) {
    ls_err err = LS_ERR_INIT;
    char *from = tempdir_path(state, "from");
    char *to = tempdir_path(state, "to");
    char *filler = calloc(1, old + 1);
    put_file(from, data, have);
    put_file(to, filler, old);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_RDWR | O_CLOEXEC);
    /* Where the descriptors stand does not count. */
    assert_true(lseek(in, 1, SEEK_SET) == 1);
    assert_true(lseek(out, 2, SEEK_SET) == 2);
    ls_code code = ls_copy_fd(in, out, size, "the file", &err);
    if (size > have) {
        assert_int_equal(code, LS_EIO);
        assert_non_null(strstr(err.msg, "the file"));
    } else {
        assert_int_equal(code, LS_OK);
        assert_int_equal(ftruncate(out, (off_t)size), 0);
        assert_file_is(to, data, size);
    }
    close(in);
    close(out);
    free(filler);
    free(from);
    free(to);
}

static void copies(void **state) {
    char *data = pattern_new(BIG);
    copy_case(state, data, BIG, BIG, 0);
    copy_case(state, data, BIG, BIG - 4000, 0);
    copy_case(state, data, BIG, 4096, 0);
    copy_case(state, data, BIG, BIG, BIG);
    copy_case(state, data, 1, 1, 0);
    copy_case(state, data, BIG, 0, 0);
    copy_case(state, data, 0, 0, 0);
    copy_case(state, data, BIG, BIG + 1, 0);
    copy_case(state, data, 0, 5, 0);
    free(data);
}

/* Neither blocks to share nor a copy in the kernel: /dev/zero is no file, a pipe has no offsets. */
static void copies_through_memory(void **state) {
    ls_err err = LS_ERR_INIT;
    char *to = tempdir_path(state, "to");
    int in = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    int out = open(to, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(ls_copy_fd(in, out, BIG, "zeros", &err), LS_OK);
    char *zeros = calloc(1, BIG);
    assert_file_is(to, zeros, BIG);
    free(zeros);
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(ls_copy_fd(in, ends[1], 10, "pipe", &err), LS_EIO);
    assert_int_equal(ls_copy_fd(in, out, UINT64_MAX, "zeros", &err), LS_ELIMIT);
    close(ends[0]);
    close(ends[1]);
    close(in);
    close(out);
    free(to);
}

static void removes_trees_but_follows_no_links(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_perm perm = LS_PERM_PRIVATE;
    char *kept = tempdir_path(state, "kept/file");
    char *kept_dir = ls_path_dir(kept);
    char *tree = tempdir_path(state, "tree");
    char *deep = tempdir_path(state, "tree/a/b/c");
    char *file = tempdir_path(state, "tree/a/file");
    char *to_dir = tempdir_path(state, "tree/a/to_dir");
    assert_int_equal(ls_mkdirs(kept_dir, &perm, &err), LS_OK);
    assert_int_equal(ls_mkdirs(deep, &perm, &err), LS_OK);
    put_file(kept, "k", 1);
    put_file(file, "f", 1);
    assert_int_equal(symlink(kept_dir, to_dir), 0);
    assert_int_equal(ls_remove_tree(tree, &err), LS_OK);
    assert_absent(tree);
    assert_file_is(kept, "k", 1);
    assert_int_equal(ls_remove_tree(tree, &err), LS_OK);
    /* The root may be a link or a file itself. */
    assert_int_equal(symlink(kept_dir, tree), 0);
    assert_int_equal(ls_remove_tree(tree, &err), LS_OK);
    assert_absent(tree);
    assert_file_is(kept, "k", 1);
    assert_int_equal(ls_remove_tree(kept, &err), LS_OK);
    assert_absent(kept);
    free(kept);
    free(kept_dir);
    free(tree);
    free(deep);
    free(file);
    free(to_dir);
}

/* Deeper than is sane: an error, not a stack or descriptors without end. */
static void removal_has_a_depth(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_perm perm = LS_PERM_PRIVATE;
    char *tree = tempdir_path(state, "t");
    char deep[256] = "";
    for (int i = 0; i < 70; i++) {
        memcpy(deep + (size_t)i * 2, "/d", 3);
    }
    char *path = ls_asprintf("%s%s", tree, deep);
    assert_int_equal(ls_mkdirs(path, &perm, &err), LS_OK);
    assert_int_equal(ls_remove_tree(tree, &err), LS_ELIMIT);
    /* In two steps it goes. */
    path[strlen(tree) + 2 * 20] = '\0';
    assert_int_equal(ls_remove_tree(path, &err), LS_OK);
    assert_int_equal(ls_remove_tree(tree, &err), LS_OK);
    assert_absent(tree);
    free(tree);
    free(path);
}

static void fsync_of_folders(void **state) {
    ls_err err = LS_ERR_INIT;
    char *file = tempdir_path(state, "f");
    char *below = tempdir_path(state, "none/f");
    put_file(file, "", 0);
    assert_int_equal(ls_fsync_dir(*state, &err), LS_OK);
    assert_int_equal(ls_fsync_parent(file, &err), LS_OK);
    assert_int_equal(ls_fsync_parent("f", &err), LS_OK);
    assert_int_equal(ls_fsync_dir("/proc", &err), LS_OK);
    assert_int_equal(ls_fsync_parent(below, &err), LS_ENOTFOUND);
    assert_int_equal(ls_fsync_dir(file, &err), LS_EIO);
    free(file);
    free(below);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(reads_whole_files),
        unit_test_in_tempdir(read_failures),
        unit_test_in_tempdir(reads_and_writes_at_offsets),
        unit_test_in_tempdir(copies),
        unit_test_in_tempdir(copies_through_memory),
        unit_test_in_tempdir(removes_trees_but_follows_no_links),
        unit_test_in_tempdir(removal_has_a_depth),
        unit_test_in_tempdir(fsync_of_folders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
