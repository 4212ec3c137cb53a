/* Replica URLs: which store they open, and where a file: URL leads. */
#include "backends/settings.h"
#include "backends/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void is_url(void **state) {
    (void)state;
    assert_true(ls_is_url("file:///a"));
    assert_true(ls_is_url("s3://bucket/x"));
    assert_true(ls_is_url("a_1://"));
    assert_false(ls_is_url("file:a/b"));
    assert_false(ls_is_url("/a/b"));
    assert_false(ls_is_url("://x"));
    assert_false(ls_is_url("a-b://x"));
    assert_false(ls_is_url(""));
    assert_false(ls_is_url("a:/"));
}

static void file_paths(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"file:///a/b", "/a/b"},
        {"FILE:///a/b", "/a/b"},
        {"file:///a/../b", "/b"},
        {"file:///a//b/./c/", "/a/b/c"},
        {"file://a/b", "/a/b"},
        {"file://~/x", "/~/x"},
        {"file:/a/b", "/a/b"},
        {"file:a/b", "a/b"},
        {"file:a/../../b", "../b"},
        {"file://", "."},
        {"file://?x=1", "."},
        {"file:", "."},
        {"file:///a?x=1", "/a"},
        {"file:///a?x=1#f", "/a#f"},
        {"file:///a#f", "/a#f"},
        {"file:///a#", "/a"},
        {"file:///a%20b", "/a%20b"},
        {"file:///a b", "/a%20b"},
        {"file:///a%41b", "/a%41b"},
        {"file:///a b%41", "/a%20bA"},
        {"file:///a(b)", "/a(b)"},
        {"file:///a (b)", "/a%20%28b%29"},
        {"file:///\xc3\xa9", "/%C3%A9"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_url_file_path(cases[i][0], &path, &err), LS_OK);
        assert_string_equal(path, cases[i][1]);
        free(path);
    }
}

static void bad_file_urls(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"file:///%zz", "parse \"file:///%zz\": invalid URL escape \"%zz\""},
        {"file:///a%4", "parse \"file:///a%4\": invalid URL escape \"%4\""},
        {"file:///a\nb", "parse replica url: invalid control character in URL"},
        {"s3://x", "not a file url: s3://x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_url_file_path(cases[i][0], &path, &err), LS_EINVALID);
        assert_string_equal(err.msg, cases[i][1]);
        assert_null(path);
    }
}

static void assert_opens(const char *url, const char *shown) {
    ls_storage *s;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_open_url(url, &s, &err), LS_OK);
    assert_string_equal(ls_storage_type(s), "file");
    assert_string_equal(ls_storage_url(s), shown);
    ls_storage_free(s);
}

static void opens_files(void **state) {
    (void)state;
    assert_opens("file:///a/../b", "file:///b");
    assert_opens("/a/b/", "file:///a/b");
    char *cwd = getcwd(NULL, 0);
    assert_non_null(cwd);
    char *expected = ls_asprintf("file://%s/x/y", cwd);
    assert_opens("file:x/y", expected);
    assert_opens("x/y", expected);
    free(expected);
    free(cwd);
}

static void assert_refused(const char *url, ls_code code, const char *msg, const char *hint) {
    ls_storage *s = (ls_storage *)1;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_open_url(url, &s, &err), code);
    assert_null(s);
    assert_string_equal(err.msg, msg);
    assert_non_null(strstr(ls_err_hint(&err), hint));
}

static void refuses_others(void **state) {
    (void)state;
    static const char *const types[] = {"s3", "gs", "abs", "oss", "sftp", "nats", "webdav"};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (ls_store_scheme_of(types[i]) != NULL) {
            continue; /* part of this build */
        }
        char *url = ls_asprintf("%s://host/path", types[i]);
        char *msg = ls_asprintf("%s replicas are not part of this build", types[i]);
        assert_refused(url, LS_EUNSUPPORTED, msg, "file:///path");
        free(msg);
        free(url);
    }
    if (ls_store_scheme_of("webdav") == NULL) {
        assert_refused("webdavs://h/p", LS_EUNSUPPORTED,
                       "webdav replicas are not part of this build", "file:///path");
    }
    assert_refused("bogus://x", LS_EINVALID, "unknown replica type in config: \"bogus\"", "s3");
    assert_refused("webdax://x", LS_EINVALID, "unknown replica type in config: \"webdax\"",
                   "did you mean \"webdav\"?");
    assert_refused("", LS_EINVALID, "replica url scheme required: ", "");
    assert_refused(":foo", LS_EINVALID, "replica url scheme required: :foo", "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_url),         cmocka_unit_test(file_paths),
        cmocka_unit_test(bad_file_urls),  cmocka_unit_test(opens_files),
        cmocka_unit_test(refuses_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
