/* Command lines split into words (cmd/words.c). */
#include "cmd/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void splits(void **state) {
    static const struct {
        const char *text, *words; /* each followed by a '/' */
    } cases[] = {
        {"a", "a/"},
        {"  a\tb\r\nc  ", "a/b/c/"},
        {"'a b' \"c d\"", "a b/c d/"},
        {"a'b'\"c\"d", "abcd/"},
        {"'' \"\" x", "//x/"},
        {"\"a\\\"b\\\\c\\d\"", "a\"b\\cd/"},
        {"'a\\b'", "a\\b/"},
        {"a\\ b \\'c\\;", "a b/'c;/"},
        {"--x=$HOME ~ *.db #y", "--x=$HOME/~/*.db/#y/"},
        {"'a;b|c' \"(d) `e` <f>\" '&'", "a;b|c/(d) `e` <f>/&/"},
        {"\xc3\xa4 'b\nc'", "\xc3\xa4/b\nc/"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char **words, got[128] = "";
        ls_err err = LS_ERR_INIT;
        size_t at = 0;
        assert_int_equal(ls_words_split(cases[i].text, &words, &err), LS_OK);
        for (char **w = words; *w != NULL; w++) {
            size_t len = strlen(*w);
            assert_true(at + len + 2 < sizeof got);
            memcpy(got + at, *w, len);
            got[at + len] = '/';
            at += len + 1;
        }
        assert_string_equal(got, cases[i].words);
        free(words);
    }
}

static void refuses(void **state) {
    static const char *const texts[] = {"",      " \t ", "'",   "a \"b", "\"\\\"", "a\\",
                                        "a\"\\", "a;b",  "a&",  "a | b", "a <b",   "a > b",
                                        "(a)",   "a )",  "`a`", "a 'b",  "a$(b)",  "a b\\;|"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char **words;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_words_split(texts[i], &words, &err), LS_EINVALID);
        assert_null(words);
        assert_ptr_equal(strstr(err.msg, "invalid command line string: "), err.msg);
    }
}

/* n words of one letter. */
static ls_code split_many(size_t n, size_t *found) {
    char *text = malloc(2 * n + 1), **words;
    ls_err err = LS_ERR_INIT;

    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        memcpy(text + 2 * i, "a ", 2);
    text[2 * n] = '\0';
    ls_code rc = ls_words_split(text, &words, &err);
    for (*found = 0; rc == LS_OK && words[*found] != NULL; ++*found)
        assert_string_equal(words[*found], "a");
    free(words);
    free(text);
    return rc;
}

static void bounded(void **state) {
    size_t found;

    (void)state;
    assert_int_equal(split_many(LS_WORDS_MAX, &found), LS_OK);
    assert_int_equal(found, LS_WORDS_MAX);
    assert_int_equal(split_many(LS_WORDS_MAX + 1, &found), LS_ELIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits),
        cmocka_unit_test(refuses),
        cmocka_unit_test(bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
