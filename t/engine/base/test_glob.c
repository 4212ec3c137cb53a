/*
 * Names by pattern (engine/base/glob.c): what Go's filepath.Match says.
 */
#include "engine/base/glob.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void names_match_as_in_go(void **state) {
    static const struct {
        const char *pattern, *name;
        bool match;
    } rows[] = {
        {"", "", true},
        {"", "a", false},
        {"a", "", false},
        {"*", "", true},
        {"abc", "abc", true},
        {"abc", "abd", false},
        {"*.db", "a.db", true},
        {"*.db", ".db", true},
        {"*.db", "a.db-wal", false},
        {"*.db", "a.dbx.db", true},
        {"*c", "abc", true},
        {"a*", "a", true},
        {"a*", "abc", true},
        {"a*b*c*d*e*", "axbxcxdxe", true},
        {"a*b*c*d*e*", "axbxcxdxexxx", true},
        {"a*b?c*x", "abxbbxdbxebxczzx", true},
        {"a*b?c*x", "abxbbxdbxebxczzy", false},
        {"ab[c]", "abc", true},
        {"ab[b-d]", "abc", true},
        {"ab[e-g]", "abc", false},
        {"ab[^c]", "abc", false},
        {"ab[^b-d]", "abc", false},
        {"ab[^e-g]", "abc", true},
        {"a\\*b", "a*b", true},
        {"a\\*b", "ab", false},
        {"a?b",
         "a\xe2\x98\xba"
         "b",
         true},
        {"a[^a]b",
         "a\xe2\x98\xba"
         "b",
         true},
        {"a???b",
         "a\xe2\x98\xba"
         "b",
         false},
        {"[a-\xce\xb6]*", "\xce\xb1", true},
        {"*[a-\xce\xb6]", "A", false},
        {"[\\]a]", "]", true},
        {"[\\-]", "-", true},
        {"[x\\-]", "x", true},
        {"[x\\-]", "-", true},
        {"[x\\-]", "z", false},
        {"[\\-x]", "x", true},
        {"[\\-x]", "a", false},
        {"*x", "xxx", true},
        {"?", "\xff", true},
        {"\xff", "\xff", true},
        {"\xff", "\xfe", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (ls_glob_match(rows[i].pattern, rows[i].name) != rows[i].match) {
            fail_msg("\"%s\" and \"%s\"", rows[i].pattern, rows[i].name);
        }
        assert_true(ls_glob_valid(rows[i].pattern));
    }
}

static void bad_patterns_match_nothing(void **state) {
    static const char *const bad[] = {"[]a]", "[-]", "[x-]", "[-x]", "\\", "[a-b-c]", "[",   "[^",
                                      "[^bc", "a[",  "a[\\", "[a-",  "*[", "[]",      "[^]", "[a"};
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (ls_glob_valid(bad[i])) {
            fail_msg("\"%s\" is valid", bad[i]);
        }
        assert_false(ls_glob_match(bad[i], "a"));
        assert_false(ls_glob_match(bad[i], bad[i]));
    }
}

/* Would take for ever if every star were tried again. */
static void many_stars_take_no_time(void **state) {
    char name[256], pattern[256];
    (void)state;
    memset(name, 'a', 255);
    name[255] = '\0';
    for (int i = 0; i < 250; i += 2) {
        pattern[i] = 'a';
        pattern[i + 1] = '*';
    }
    memcpy(pattern + 250, "b", 2);
    assert_false(ls_glob_match(pattern, name));
    pattern[250] = 'a';
    assert_true(ls_glob_match(pattern, name));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_match_as_in_go),
        cmocka_unit_test(bad_patterns_match_nothing),
        cmocka_unit_test(many_stars_take_no_time),
    };
    return cmocka_run_group_tests_name("glob", tests, NULL, NULL);
}
