/*
 * What tests that write files share: a folder of their own, gone afterwards, and whole files in one
 * call. Include it after cmocka.h.
 */
#ifndef LS_T_TEMPDIR_H
#define LS_T_TEMPDIR_H

#include "engine/base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* cmocka setup: makes the folder, its path is *state. */
static inline int tempdir_setup(void **state) {
    const char *base = getenv("TMPDIR");
    char *dir = ls_asprintf("%s/ls-test-XXXXXX", base != NULL && *base != '\0' ? base : "/tmp");
    if (dir == NULL || mkdtemp(dir) == NULL) {
        free(dir);
        return -1;
    }
    *state = dir;
    return 0;
}

/* cmocka teardown: removes it. */
static inline int tempdir_teardown(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_code code = ls_remove_tree(*state, &err);
    free(*state);
    return code == LS_OK ? 0 : -1;
}

/* A test with a folder of its own. */
#define unit_test_in_tempdir(f) cmocka_unit_test_setup_teardown(f, tempdir_setup, tempdir_teardown)

/* Path of name in the test's folder; the caller frees it. */
static inline char *tempdir_path(void **state, const char *name) {
    char *path = ls_path_join(*state, name);
    assert_non_null(path);
    return path;
}

static inline void put_file(const char *path, const void *data, size_t len) {
    ls_err err = LS_ERR_INIT;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ls_write_full(fd, data, len, path, &err), LS_OK);
    assert_int_equal(close(fd), 0);
}

static inline void assert_file_is(const char *path, const void *data, size_t len) {
    ls_err err = LS_ERR_INIT;
    char *got;
    size_t got_len;
    if (ls_read_file(path, (size_t)1 << 30, &got, &got_len, &err) != LS_OK) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(got_len, len);
    assert_memory_equal(got, data, len);
    free(got);
}

static inline void assert_absent(const char *path) {
    struct stat st;
    assert_int_equal(lstat(path, &st), -1);
}

#endif
