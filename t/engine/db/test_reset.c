/* What a reset would remove is what it removes: the local LTX files of every level, and nothing
 * else of the meta directory. */
#include "engine/db/reset.h"

#include "engine/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "t/support/tempdir.h"

static void must(ls_code rc, const ls_err *err) {
    if (rc != LS_OK) {
        fail_msg("%s", err->msg);
    }
}

static void put(const char *dir, const char *name, const char *text) {
    char path[600];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void make_folder(const char *dir, const char *name) {
    char path[600];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void count(void *arg, const char *path) {
    char *names = arg;
    size_t len = strlen(names);
    (void)snprintf(names + len, 200 - len, "%s ", ls_path_base(path));
}

static void removes_the_files_of_all_levels(void **state) {
    const char *dir = *state;
    char names[200] = "", path[600];
    size_t files = 0;
    uint64_t bytes = 0;
    ls_err err = LS_ERR_INIT;
    make_folder(dir, "ltx");
    make_folder(dir, "ltx/0");
    make_folder(dir, "ltx/9");
    put(dir, "ltx/9/c.ltx", "12345");
    put(dir, "ltx/0/b.ltx", "12");
    put(dir, "ltx/0/a.ltx", "1");
    put(dir, "ltx/0/.hidden", "");
    put(dir, "verify.json", "{}");
    must(ls_db_reset_preview(dir, count, names, &files, &bytes, &err), &err);
    assert_string_equal(names, "a.ltx b.ltx c.ltx ");
    assert_int_equal(files, 3);
    assert_int_equal(bytes, 8);
    must(ls_db_reset(dir, &files, &err), &err);
    assert_int_equal(files, 3);
    (void)snprintf(path, sizeof(path), "%s/ltx", dir);
    assert_int_not_equal(access(path, F_OK), 0);
    (void)snprintf(path, sizeof(path), "%s/verify.json", dir);
    assert_int_equal(access(path, F_OK), 0);
}

static void without_files_there_is_nothing_to_do(void **state) {
    const char *dir = *state;
    char path[600];
    size_t files = 1;
    uint64_t bytes = 1;
    ls_err err = LS_ERR_INIT;
    (void)snprintf(path, sizeof(path), "%s/not-there", dir);
    must(ls_db_reset_preview(path, NULL, NULL, &files, &bytes, &err), &err);
    assert_int_equal(files, 0);
    assert_int_equal(bytes, 0);
    must(ls_db_reset(path, &files, &err), &err);
    assert_int_equal(files, 0);
}

static void what_is_no_folder_is_an_error(void **state) {
    const char *dir = *state;
    size_t files = 0;
    uint64_t bytes = 0;
    ls_err err = LS_ERR_INIT;
    make_folder(dir, "ltx");
    put(dir, "ltx/0", "in the way");
    assert_int_not_equal(ls_db_reset_preview(dir, NULL, NULL, &files, &bytes, &err), LS_OK);
    assert_non_null(strstr(err.msg, "/ltx/0"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(removes_the_files_of_all_levels),
        unit_test_in_tempdir(without_files_there_is_nothing_to_do),
        unit_test_in_tempdir(what_is_no_folder_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
