/*
 * Path text (engine/base/path.c).
 */
#include "engine/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void assert_text(char *got, const char *want) {
    assert_non_null(got);
    assert_string_equal(got, want);
    free(got);
}

static void cleans(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "."},
        {".", "."},
        {"/", "/"},
        {"//", "/"},
        {"abc", "abc"},
        {"abc/", "abc"},
        {"abc//def//ghi", "abc/def/ghi"},
        {"//abc//", "/abc"},
        {"abc/./def", "abc/def"},
        {"/./abc/./", "/abc"},
        {"abc/def/..", "abc"},
        {"abc/def/../..", "."},
        {"abc/def/../../..", ".."},
        {"abc/def/../../../ghi/jkl/../../../mno", "../../mno"},
        {"/abc/def/../../..", "/"},
        {"/../abc", "/abc"},
        {"../../abc/..", "../.."},
        {"..", ".."},
        {"../..", "../.."},
        {"./..", ".."},
        {"..//a", "../a"},
        {"a/..b/..", "a"},
        {"/...", "/..."},
        {"a/.b", "a/.b"},
        {"./a", "a"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_text(ls_path_clean(cases[i][0]), cases[i][1]);
    }
}

static void joins_and_splits(void **state) {
    (void)state;
    assert_text(ls_path_join("/a", "b"), "/a/b");
    assert_text(ls_path_join("/", "b"), "/b");
    assert_text(ls_path_join("a/", "b"), "a/b");
    assert_text(ls_path_join("", "b"), "b");
    static const char *const cases[][3] = {
        {"/a/b", "/a", "b"}, {"a", ".", "a"},     {"/a", "/", "a"},      {"/", "/", ""},
        {"a/", ".", ""},     {"a//b", "a", "b"},  {"//a", "/", "a"},     {"", ".", ""},
        {"a/b/", "a", ""},   {"../x", "..", "x"}, {"/a//b//", "/a", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_text(ls_path_dir(cases[i][0]), cases[i][1]);
        assert_string_equal(ls_path_base(cases[i][0]), cases[i][2]);
    }
}

static void makes_absolute(void **state) {
    (void)state;
    assert_text(ls_path_absolute("/a/../b//c"), "/b/c");
    char cwd[4096];
    assert_non_null(getcwd(cwd, sizeof cwd));
    char *want = ls_path_join(cwd, "x/y");
    assert_text(ls_path_absolute("./x//y/z/.."), want);
    free(want);
    assert_text(ls_path_absolute("."), cwd);
}

static void formats_exactly(void **state) {
    (void)state;
    assert_text(ls_asprintf("%s-%016llx", "a", 10ULL), "a-000000000000000a");
    assert_text(ls_asprintf("%s", ""), "");
    char *wide = ls_asprintf("%10000d", 1);
    assert_int_equal(strlen(wide), 10000);
    free(wide);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cleans),
        cmocka_unit_test(joins_and_splits),
        cmocka_unit_test(makes_absolute),
        cmocka_unit_test(formats_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
