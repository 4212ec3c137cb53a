/*
 * Message chains, hints and codes (engine/base/error.c).
 */
#include "engine/base/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void chain_reads_from_action_to_cause(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_fail_errno(&err, ENOSPC, "rename %s", "/x/y"), LS_EFULL);
    assert_int_equal(ls_wrap(&err, "write ltx file"), LS_EFULL);
    assert_int_equal(ls_wrap(&err, "sync %s", "a.db"), LS_EFULL);
    assert_string_equal(err.msg, "sync a.db: write ltx file: rename /x/y: No space left on device");
    assert_string_equal(ls_err_hint(&err),
                        "free some space; nothing is lost, the work goes on by itself");
}

static void errno_gives_the_code(void **state) {
    (void)state;
    static const struct {
        int errnum;
        ls_code code;
    } cases[] = {{ENOENT, LS_ENOTFOUND}, {ENOSPC, LS_EFULL}, {EDQUOT, LS_EFULL},
                 {EACCES, LS_EPERM},     {EPERM, LS_EPERM},  {EROFS, LS_EPERM},
                 {ENOMEM, LS_ENOMEM},    {EIO, LS_EIO},      {EBADF, LS_EIO},
                 {99999, LS_EIO}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_fail_errno(&err, cases[i].errnum, "x"), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_memory_equal(err.msg, "x: ", 3);
        assert_true(strlen(err.msg) > 3);
    }
}

static void innermost_hint_wins(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_fail(&err, LS_EPERM, "open");
    assert_string_equal(ls_err_hint(&err), "check owner and mode, or run as the database's user");
    assert_int_equal(ls_hint(&err, "inner %d", 1), LS_EPERM);
    ls_hint(&err, "outer");
    ls_wrap(&err, "more");
    assert_string_equal(ls_err_hint(&err), "inner 1");
    ls_fail(&err, LS_ECANCELED, "stopped");
    assert_string_equal(ls_err_hint(&err), "");
    ls_fail_errno(&err, EMFILE, "open");
    assert_non_null(strstr(ls_err_hint(&err), "ulimit -n"));
    ls_err_clear(&err);
    assert_int_equal(err.code, LS_OK);
    assert_string_equal(err.msg, "");
}

static void arguments_may_point_into_the_error(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_fail(&err, LS_EIO, "cause");
    ls_wrap(&err, "%s again", err.msg);
    assert_string_equal(err.msg, "cause again: cause");
    ls_fail(&err, LS_ECORRUPT, "bad: %s", err.msg);
    assert_string_equal(err.msg, "bad: cause again: cause");
    ls_hint(&err, "%s", err.msg);
    assert_string_equal(err.hint, "bad: cause again: cause");
}

/* "é" is two bytes: whatever the offset, none is left cut in half, and the front survives. */
static void long_text_is_cut_between_characters(void **state) {
    (void)state;
    for (size_t shift = 0; shift < 5; shift++) {
        char text[3 * LS_ERR_MSG_MAX];
        memset(text, 'a', shift);
        for (size_t i = shift; i + 2 < sizeof text; i += 2) {
            memcpy(text + i, "\xc3\xa9", 3);
        }
        ls_err err = LS_ERR_INIT;
        ls_fail(&err, LS_EIO, "%s", text);
        size_t len = strlen(err.msg);
        assert_in_range(len, LS_ERR_MSG_MAX - 3, LS_ERR_MSG_MAX - 1);
        assert_memory_equal(err.msg, text, len);
        assert_int_equal((len - shift) % 2, 0);
        ls_wrap(&err, "front");
        assert_memory_equal(err.msg, "front: ", 7);
        len = strlen(err.msg) - 7;
        assert_memory_equal(err.msg + 7, text, len);
        assert_int_equal((len - shift) % 2, 0);
        ls_wrap(&err, "%s", text);
        assert_true(strlen(err.msg) < sizeof err.msg);
        ls_fail_errno(&err, ENOENT, "%s", text);
        assert_int_equal((strcspn(err.msg, ":") - shift) % 2, 0);
        ls_hint(&err, "%s", text);
        assert_in_range(strlen(err.hint), LS_ERR_HINT_MAX - 3, LS_ERR_HINT_MAX - 1);
    }
}

/* Fronts around the size of the message: what was there is cut to nothing, never past the end. */
static void wrap_at_every_length(void **state) {
    (void)state;
    for (int width = LS_ERR_MSG_MAX - 8; width < LS_ERR_MSG_MAX + 8; width++) {
        ls_err err = LS_ERR_INIT;
        ls_fail(&err, LS_EIO, "cause");
        ls_wrap(&err, "%*s", width, "x");
        size_t len = strlen(err.msg);
        assert_in_range(len, (size_t)(LS_ERR_MSG_MAX - 9), LS_ERR_MSG_MAX - 1);
        assert_int_equal(err.code, LS_EIO);
        assert_true(width > LS_ERR_MSG_MAX - 1 || err.msg[width - 1] == 'x');
    }
}

static void codes_have_names(void **state) {
    (void)state;
    assert_string_equal(ls_code_name(LS_OK), "ok");
    assert_string_equal(ls_code_name(LS_EFULL), "disk_full");
    assert_string_equal(ls_code_name(LS_EUNSUPPORTED), "unsupported");
    assert_string_equal(ls_code_name(LS_EREMOTE), "remote");
    assert_string_equal(ls_code_name((ls_code)(LS_EREMOTE + 1)), "unknown");
    assert_string_equal(ls_code_name((ls_code)-1), "unknown");
    ls_err err = {.code = (ls_code)1000};
    assert_string_equal(ls_err_hint(&err), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chain_reads_from_action_to_cause),
        cmocka_unit_test(errno_gives_the_code),
        cmocka_unit_test(innermost_hint_wins),
        cmocka_unit_test(arguments_may_point_into_the_error),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(wrap_at_every_length),
        cmocka_unit_test(codes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
