/* URLs taken apart and shown, and settings from pairs and URLs (settings.c, schemes.c,
 * url_parse.c). */
#include "backends/settings.h"
#include "backends/url.h"
#include "engine/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(const char *got, const char *expected) {
    if (expected == NULL) {
        assert_null(got);
    } else {
        assert_non_null(got);
        assert_string_equal(got, expected);
    }
}

static void urls(void **state) {
    (void)state;
    static const struct {
        const char *text, *scheme, *user, *password, *host;
        int port;
        const char *path, *path_raw, *query;
    } cases[] = {
        {"s3://bkt", "s3", NULL, NULL, "bkt", 0, ".", "", NULL},
        {"s3://bkt/", "s3", NULL, NULL, "bkt", 0, "", "/", NULL},
        {"S3://bkt/a//b/../c/", "s3", NULL, NULL, "bkt", 0, "a/c", "/a//b/../c/", NULL},
        {"s3://bkt.localhost:9000/a?region=x&endpoint=h%3A1#f", "s3", NULL, NULL, "bkt.localhost",
         9000, "a", "/a", "region=x&endpoint=h%3A1"},
        {"s3://bkt?x=1", "s3", NULL, NULL, "bkt", 0, ".", "", "x=1"},
        {"s3://bkt/a%20b/%C3%A9+", "s3", NULL, NULL, "bkt", 0, "a b/\xc3\xa9+", "/a b/\xc3\xa9+",
         NULL},
        {"s3://arn:aws:s3:us-east-1:123:accesspoint/My.ap/db/x/?region=y", "s3", NULL, NULL,
         "arn:aws:s3:us-east-1:123:accesspoint/My.ap", 0, "db/x", "/db/x/", "region=y"},
        {"S3://ARN:aws:s3:r:1:accesspoint/ap", "s3", NULL, NULL, "ARN:aws:s3:r:1:accesspoint/ap", 0,
         ".", "", NULL},
        {"sftp://u:p%40w@host:2222//abs/x/", "sftp", "u", "p@w", "host", 2222, "abs/x", "//abs/x/",
         NULL},
        {"sftp://u@host", "sftp", "u", NULL, "host", 0, ".", "", NULL},
        {"sftp://:p@host/", "sftp", "", "p", "host", 0, "", "/", NULL},
        {"nats://[::1]:4222/b", "nats", NULL, NULL, "::1", 4222, "b", "/b", NULL},
        {"abs://account@container/p", "abs", "account", NULL, "container", 0, "p", "/p", NULL},
        {"gs://b:/p", "gs", NULL, NULL, "b", 0, "p", "/p", NULL},
        {"file:///a/../b?x=1", "file", NULL, NULL, "", 0, "/b", "/b", NULL},
        {"bogus:///x", "bogus", NULL, NULL, "", 0, "x", "/x", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_url url;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_url_parse(cases[i].text, &url, &err), LS_OK);
        assert_text(url.scheme, cases[i].scheme);
        assert_text(url.user, cases[i].user);
        assert_text(url.password, cases[i].password);
        assert_text(url.host, cases[i].host);
        assert_int_equal(url.port, cases[i].port);
        assert_text(url.path, cases[i].path);
        assert_text(url.path_raw, cases[i].path_raw);
        assert_text(url.query, cases[i].query);
        ls_url_done(&url);
    }
}

static void bad_urls(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", "replica url scheme required: "},
        {"/x/y", "replica url scheme required: /x/y"},
        {":foo", "replica url scheme required: :foo"},
        {"s3:bkt", "parse \"s3:bkt\": \"//\" is missing behind the scheme"},
        {"s_3://bkt", "parse \"s_3://bkt\": first path segment in URL cannot contain colon"},
        {"s3://bkt/%zz", "parse \"s3://bkt/%zz\": invalid URL escape \"%zz\""},
        {"s3://bkt/%1", "parse \"s3://bkt/%1\": invalid URL escape \"%1\""},
        {"s3://bkt/%00", "parse \"s3://bkt/%00\": invalid URL escape \"%00\""},
        {"s3://b kt/x", "parse \"s3://b kt/x\": invalid character in host name"},
        {"s3://b:x/y", "parse \"s3://b:x/y\": invalid port after host"},
        {"s3://b:65536/y", "parse \"s3://b:65536/y\": invalid port after host"},
        {"s3://b:999999999999/y", "parse \"s3://b:999999999999/y\": invalid port after host"},
        {"nats://[::1]x/y", "parse \"nats://[::1]x/y\": invalid port after host"},
        {"sftp://u:secret@h:x/y?token=secret",
         "parse \"sftp://u:xxxxx@h:x/y\": invalid port after host"},
        {"s3://b/\n", "parse replica url: invalid control character in URL"},
        {"s3://arn:aws:s3:r:1:bucket/b?x=secret",
         "invalid s3 access point arn: arn:aws:s3:r:1:bucket/b"},
        {"s3://arn:aws:s3:r:1:accesspoint/",
         "invalid s3 access point arn: arn:aws:s3:r:1:accesspoint/"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_url url;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_url_parse(cases[i][0], &url, &err), LS_EINVALID);
        assert_string_equal(err.msg, cases[i][1]);
        ls_url_done(&url);
    }
    char *text = malloc(10002);
    assert_non_null(text);
    memset(text, 'a', 10001);
    memcpy(text, "s3://", 5);
    text[10001] = '\0';
    ls_url url;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_url_parse(text, &url, &err), LS_ELIMIT);
    ls_url_done(&url);
    free(text);
}

static void secrets_are_not_shown(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"s3://b/p?sse-customer-key=k", "s3://b/p"},
        {"sftp://u:pa:ss@h:22/p", "sftp://u:xxxxx@h:22/p"},
        {"sftp://u:p@x@h/p", "sftp://u:xxxxx@h/p"},
        {"abs://a@c/p", "abs://a@c/p"},
        {"/plain/a:b@c", "/plain/a:b@c"},
        {"x://h/a:b@c", "x://h/a:b@c"},
        {"://", "://"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *shown = ls_url_shown(cases[i][0]);
        assert_text(shown, cases[i][1]);
        free(shown);
    }
}

static void assert_decodes(const char *text, bool plus, const char *expected) {
    char *out;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_url_decode(text, strlen(text), plus, &out, &err), LS_OK);
    assert_text(out, expected);
    free(out);
}

static void decoding(void **state) {
    (void)state;
    assert_decodes("", true, "");
    assert_decodes("a+b%2b%2F", true, "a b+/");
    assert_decodes("a+b%2b", false, "a+b+");
    static const char *const bad[] = {"%", "%a", "%g0", "%0g", "x%00"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *out;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_url_decode(bad[i], strlen(bad[i]), true, &out, &err), LS_EINVALID);
        assert_null(out);
    }
}

static void file_settings(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_settings *s;
    assert_int_equal(ls_settings_of_url("file:///a/b/?x=1", &s, &err), LS_OK);
    assert_string_equal(ls_settings_type(s), "file");
    assert_string_equal(ls_settings_text(s, "path", NULL), "/a/b");
    assert_false(ls_settings_has(s, "bucket"));
    assert_string_equal(ls_settings_text(s, "bucket", "def"), "def");
    assert_int_equal(ls_settings_number(s, "bucket", 7), 7);
    assert_true(ls_settings_bool(s, "bucket", true));
    assert_null(ls_settings_item(s, "bucket", 0));
    /* What was set before a URL stays. */
    assert_int_equal(ls_settings_set(s, "path", "/c", &err), LS_OK);
    assert_int_equal(ls_settings_add_url(s, "file:///d", &err), LS_OK);
    assert_string_equal(ls_settings_text(s, "path", NULL), "/c");
    ls_storage *store;
    assert_int_equal(ls_storage_open(s, NULL, &store, &err), LS_OK);
    assert_string_equal(ls_storage_url(store), "file:///c");
    ls_storage_free(store);
    assert_int_equal(ls_settings_set(s, "pth", "/c", &err), LS_ECONFIG);
    assert_string_equal(err.msg, "file replicas have no key \"pth\"");
    assert_string_equal(ls_err_hint(&err), "did you mean \"path\"?");
    ls_settings_free(s);
}

static void schemes(void **state) {
    (void)state;
    assert_ptr_equal(ls_store_schemes[0], ls_store_scheme_of("file"));
    assert_ptr_equal(ls_store_scheme_of("file"), ls_store_scheme_of_url("FILE:///x"));
    assert_null(ls_store_scheme_of("files"));
    assert_null(ls_store_scheme_of("File"));
    assert_null(ls_store_scheme_of_url("file"));
    assert_null(ls_settings_new("bogus"));
    ls_settings_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls),
        cmocka_unit_test(bad_urls),
        cmocka_unit_test(secrets_are_not_shown),
        cmocka_unit_test(decoding),
        cmocka_unit_test(file_settings),
        cmocka_unit_test(schemes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
