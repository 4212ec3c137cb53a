/*
 * Modes and owners of new files and folders (engine/base/perm.c).
 */
#include "engine/base/perm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/support/tempdir.h"

static mode_t mode_of(const char *path) {
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

/* Both a mask that takes everything away and one that takes nothing leave the mode exact. */
static void folders_get_the_exact_mode(void **state) {
    const mode_t masks[] = {0777, 0};
    const mode_t modes[] = {0700, 0755, 02775, 0777};
    ls_perm perm = LS_PERM_PRIVATE;
    for (size_t i = 0; i < 8; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "top%zu/mid/leaf", i);
        char *leaf = tempdir_path(state, name);
        char *mid = ls_path_dir(leaf);
        char *top = ls_path_dir(mid);
        perm.dir_mode = modes[i / 2];
        mode_t old = umask(masks[i % 2]);
        ls_err err = LS_ERR_INIT;
        ls_code code = ls_mkdirs(leaf, &perm, &err);
        umask(old);
        assert_int_equal(code, LS_OK);
        assert_int_equal(mode_of(leaf), perm.dir_mode);
        assert_int_equal(mode_of(mid), perm.dir_mode);
        assert_int_equal(mode_of(top), perm.dir_mode);
        free(leaf);
        free(mid);
        free(top);
    }
}

static void existing_folders_stay_as_they_are(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_perm perm = LS_PERM_PRIVATE;
    char *a = tempdir_path(state, "a");
    char *b = tempdir_path(state, "a/b//c/");
    assert_int_equal(mkdir(a, 0711), 0);
    assert_int_equal(chmod(a, 0711), 0);
    assert_int_equal(ls_mkdirs(b, &perm, &err), LS_OK);
    assert_int_equal(ls_mkdirs(b, &perm, &err), LS_OK);
    assert_int_equal(ls_mkdirs(a, &perm, &err), LS_OK);
    assert_int_equal(mode_of(a), 0711);
    assert_int_equal(mode_of(b), 0700);
    free(a);
    free(b);
}

static void relative_paths_and_links_to_folders(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_perm perm = LS_PERM_PRIVATE;
    char *link_path = tempdir_path(state, "link");
    assert_int_equal(symlink(*state, link_path), 0);
    char *below = tempdir_path(state, "link/x/y");
    assert_int_equal(ls_mkdirs(below, &perm, &err), LS_OK);
    char *real = tempdir_path(state, "x/y");
    assert_int_equal(mode_of(real), 0700);
    assert_int_equal(ls_mkdirs(".", &perm, &err), LS_OK);
    int cwd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(chdir(*state), 0);
    ls_code code = ls_mkdirs("rel/./deep/../deep2", &perm, &err);
    assert_int_equal(fchdir(cwd), 0);
    close(cwd);
    assert_int_equal(code, LS_OK);
    char *rel = tempdir_path(state, "rel/deep2");
    assert_int_equal(mode_of(rel), 0700);
    free(rel);
    free(link_path);
    free(below);
    free(real);
}

static void files_in_the_way_are_named(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_perm perm = LS_PERM_PRIVATE;
    char *file = tempdir_path(state, "file");
    char *below = tempdir_path(state, "file/sub");
    char *dangling = tempdir_path(state, "dangling");
    put_file(file, "x", 1);
    assert_int_equal(symlink("nowhere", dangling), 0);
    assert_int_equal(ls_mkdirs(file, &perm, &err), LS_EEXISTS);
    assert_int_equal(ls_mkdirs(below, &perm, &err), LS_EEXISTS);
    assert_non_null(strstr(err.msg, file));
    assert_int_equal(ls_mkdirs(dangling, &perm, &err), LS_EEXISTS);
    assert_file_is(file, "x", 1);
    assert_int_equal(ls_mkdirs("", &perm, &err), LS_EINVALID);
    free(file);
    free(below);
    free(dangling);
}

static void taken_from_the_database(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_perm perm;
    char *db = tempdir_path(state, "a.db");
    assert_int_equal(ls_perm_of_db(db, &perm, &err), LS_ENOTFOUND);
    assert_non_null(strstr(err.msg, db));
    put_file(db, "", 0);
    assert_int_equal(chmod(db, 0640), 0);
    assert_int_equal(chmod(*state, 02750), 0);
    assert_int_equal(ls_perm_of_db(db, &perm, &err), LS_OK);
    assert_int_equal(perm.file_mode, 0640);
    assert_int_equal(perm.dir_mode, 02750);
    assert_int_equal(perm.uid, getuid());
    /* As below /tmp: that all may write is not handed on. */
    assert_int_equal(chmod(*state, 01777), 0);
    assert_int_equal(ls_perm_of_db(db, &perm, &err), LS_OK);
    assert_int_equal(perm.dir_mode, 0755);
    free(db);
}

static void owner_is_given_where_allowed(void **state) {
    ls_err err = LS_ERR_INIT;
    char *path = tempdir_path(state, "f");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ls_perm perm = {.file_mode = 0640, .dir_mode = 0750, .uid = 12345, .gid = 23456};
    assert_int_equal(ls_perm_apply(fd, &perm, perm.file_mode, path, &err), LS_OK);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    if (geteuid() == 0) {
        assert_int_equal(st.st_uid, 12345);
        assert_int_equal(st.st_gid, 23456);
    } else {
        assert_int_equal(st.st_uid, getuid());
    }
    close(fd);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(folders_get_the_exact_mode),
        unit_test_in_tempdir(existing_folders_stay_as_they_are),
        unit_test_in_tempdir(relative_paths_and_links_to_folders),
        unit_test_in_tempdir(files_in_the_way_are_named),
        unit_test_in_tempdir(taken_from_the_database),
        unit_test_in_tempdir(owner_is_given_where_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
