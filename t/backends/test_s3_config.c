/* Every form of an S3 URL, the rules of providers, and what settings are refused (s3_config.c). */
#include "backends/s3_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t/support/tempdir.h"

static ls_settings *settings_of(const char *url) {
    ls_settings *s;
    ls_err err = LS_ERR_INIT;
    if (ls_settings_of_url(url, &s, &err) != LS_OK) {
        fail_msg("%s: %s", url, err.msg);
    }
    return s;
}

static void set(ls_settings *s, const char *key, const char *value) {
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_settings_set(s, key, value, &err), LS_OK);
}

static ls_settings *bucket_settings(const char *endpoint) {
    ls_settings *s = ls_settings_new("s3");
    assert_non_null(s);
    set(s, "bucket", "bkt");
    if (endpoint != NULL) {
        set(s, "endpoint", endpoint);
    }
    return s;
}

/* Reads and frees the settings; must work. */
static void read_config(ls_settings *s, ls_s3_config *c) {
    ls_err err = LS_ERR_INIT;
    if (ls_s3_config_read(s, c, &err) != LS_OK) {
        fail_msg("%s", err.msg);
    }
    ls_settings_free(s);
}

static void assert_refused(ls_settings *s, const char *msg) {
    ls_s3_config c;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_s3_config_read(s, &c, &err), LS_ECONFIG);
    assert_string_equal(err.msg, msg);
    ls_s3_config_done(&c);
    ls_settings_free(s);
}

static void assert_same(const char *got, const char *expected, const char *what) {
    if (strcmp(got != NULL ? got : "-", expected) != 0) {
        fail_msg("%s: %s, not %s", what, got != NULL ? got : "-", expected);
    }
}

#define ARN "arn:aws:s3:us-east-2:123456789012:accesspoint/my-ap"

static void hosts(void **state) {
    (void)state;
    static const struct {
        const char *url, *bucket, *region, *endpoint;
        bool path_style;
        const char *path, *address; /* of the bucket in region xx-1 where none is known */
    } cases[] = {
        {"s3://bkt/db", "bkt", "-", "-", false, "db", "https://bkt.s3.xx-1.amazonaws.com"},
        {"s3://bkt", "bkt", "-", "-", false, ".", "https://bkt.s3.xx-1.amazonaws.com"},
        {"s3://bkt/", "bkt", "-", "-", false, "", "https://bkt.s3.xx-1.amazonaws.com"},
        {"s3://b/a//b/../c/", "b", "-", "-", false, "a/c", "https://b.s3.xx-1.amazonaws.com"},
        {"s3://my.dotted.bkt/p", "my.dotted.bkt", "-", "-", false, "p",
         "https://s3.xx-1.amazonaws.com/my.dotted.bkt"},
        {"s3://bkt.s3.amazonaws.com/p", "bkt", "-", "-", false, "p",
         "https://bkt.s3.xx-1.amazonaws.com"},
        {"s3://my.bkt.s3.eu-west-3.amazonaws.com/p", "my.bkt", "eu-west-3", "-", false, "p",
         "https://s3.eu-west-3.amazonaws.com/my.bkt"},
        {"s3://s3.amazonaws.com/p", "s3.amazonaws.com", "-", "-", false, "p",
         "https://s3.xx-1.amazonaws.com/s3.amazonaws.com"},
        {"s3://bkt.nyc3.digitaloceanspaces.com/p", "bkt", "nyc3",
         "https://nyc3.digitaloceanspaces.com", false, "p",
         "https://bkt.nyc3.digitaloceanspaces.com"},
        {"s3://bkt.s3.us-west-000.backblazeb2.com/p", "bkt", "us-west-000",
         "https://s3.us-west-000.backblazeb2.com", true, "p",
         "https://s3.us-west-000.backblazeb2.com/bkt"},
        {"s3://bkt.s3.filebase.com/p", "bkt", "us-east-1", "https://s3.filebase.com", true, "p",
         "https://s3.filebase.com/bkt"},
        {"s3://bkt.s3.nl-ams.scw.cloud/p", "bkt", "nl-ams", "https://s3.nl-ams.scw.cloud", false,
         "p", "https://bkt.s3.nl-ams.scw.cloud"},
        {"s3://bkt.localhost:9000/p", "bkt", "us-east-1", "http://localhost:9000", true, "p",
         "http://localhost:9000/bkt"},
        {"s3://bkt.127.0.0.1:9000/p", "bkt", "us-east-1", "http://127.0.0.1:9000", true, "p",
         "http://127.0.0.1:9000/bkt"},
        {"s3://b.minio.example.com:9000/p", "b.minio.example.com:9000", "-", "-", false, "p",
         "https://s3.xx-1.amazonaws.com/b.minio.example.com%3A9000"},
        {"s3://" ARN "/db/x", ARN, "us-east-2", "-", false, "db/x",
         "https://my-ap-123456789012.s3-accesspoint.us-east-2.amazonaws.com"},
        /* queries */
        {"s3://bkt/p?endpoint=localhost:9000", "bkt", "us-east-1", "http://localhost:9000", true,
         "p", "http://localhost:9000/bkt"},
        {"s3://bkt/p?endpoint=10.1.2.3:9000&region=r-2", "bkt", "r-2", "http://10.1.2.3:9000", true,
         "p", "http://10.1.2.3:9000/bkt"},
        {"s3://bkt/p?endpoint=s3.example.org", "bkt", "us-east-1", "https://s3.example.org", true,
         "p", "https://s3.example.org/bkt"},
        {"s3://bkt/p?endpoint=http%3A%2F%2Fs3.example.org%2Fv1%2F", "bkt", "us-east-1",
         "http://s3.example.org/v1", true, "p", "http://s3.example.org/v1/bkt"},
        {"s3://bkt/p?endpoint=s3.example.org&forcePathStyle=false", "bkt", "us-east-1",
         "https://s3.example.org", false, "p", "https://bkt.s3.example.org"},
        {"s3://bkt/p?endpoint=127.0.0.1:90&force-path-style=0", "bkt", "us-east-1",
         "http://127.0.0.1:90", false, "p", "http://127.0.0.1:90/bkt"},
        {"s3://bkt/p?region=eu-north-1", "bkt", "eu-north-1", "-", false, "p",
         "https://bkt.s3.eu-north-1.amazonaws.com"},
        {"s3://bkt/p?region=cn-north-1&force-path-style=yes", "bkt", "cn-north-1", "-", true, "p",
         "https://s3.cn-north-1.amazonaws.com.cn/bkt"},
        {"s3://bkt.nyc3.digitaloceanspaces.com/p?endpoint=https%3A%2F%2Fx.org", "bkt", "nyc3",
         "https://x.org", true, "p", "https://x.org/bkt"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_s3_config c;
        ls_err err = LS_ERR_INIT;
        char *address;
        read_config(settings_of(cases[i].url), &c);
        assert_same(c.bucket, cases[i].bucket, cases[i].url);
        assert_same(c.region, cases[i].region, cases[i].url);
        assert_same(c.endpoint, cases[i].endpoint, cases[i].url);
        assert_same(c.path, cases[i].path, cases[i].url);
        assert_same(c.path_style ? "path" : "host", cases[i].path_style ? "path" : "host",
                    cases[i].url);
        assert_int_equal(ls_s3_bucket_url(&c, c.region != NULL ? c.region : "xx-1", &address, &err),
                         LS_OK);
        assert_same(address, cases[i].address, cases[i].url);
        free(address);
        ls_s3_config_done(&c);
    }
}

static void every_query_key(void **state) {
    (void)state;
    ls_s3_config c;
    read_config(settings_of("s3://b/p?signPayload=false&requireContentMD5=f&skipVerify=1&"
                            "partSize=6MiB&concurrency=3&storageClass=GLACIER&sseKmsKeyId=k%2F1"),
                &c);
    assert_false(c.sign_payload);
    assert_false(c.content_md5);
    assert_true(c.skip_verify);
    assert_int_equal(c.part_size, 6 << 20);
    assert_int_equal(c.concurrency, 3);
    assert_string_equal(c.storage_class, "GLACIER");
    assert_string_equal(c.kms_key, "k/1");
    ls_s3_config_done(&c);
    /* A key of the configuration goes before that of the URL. */
    ls_settings *s = ls_settings_new("s3");
    ls_err err = LS_ERR_INIT;
    set(s, "force-path-style", "false");
    set(s, "endpoint", "one.org");
    set(s, "region", "r1");
    assert_int_equal(ls_settings_add_url(s, "s3://b.s3.r2.scw.cloud/p?endpoint=two.org", &err),
                     LS_OK);
    read_config(s, &c);
    assert_string_equal(c.endpoint, "https://one.org");
    assert_string_equal(c.region, "r1");
    assert_false(c.path_style);
    ls_s3_config_done(&c);
}

static void wrong_queries(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"s3://b/p?regoin=x", "s3 replica url: unknown query key \"regoin\"",
         "did you mean \"region\"?"},
        {"s3://b/p?access-key-id=x", "s3 replica url: unknown query key \"access-key-id\"", ""},
        {"s3://b/p?concurrency=x", "s3 replica: concurrency must be a whole number, not \"x\"", ""},
        {"s3://b/p?partSize=x", "s3 replica: part-size must be a size such as 5MB, not \"x\"", ""},
        {"s3://b/p?skipVerify=maybe",
         "s3 replica: skip-verify must be true or false, not \"maybe\"", ""},
        {"s3://b/p?x%zz=1", "s3 replica url: query: invalid URL escape \"%zz\"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_settings *s;
        ls_err err = LS_ERR_INIT;
        assert_int_not_equal(ls_settings_of_url(cases[i][0], &s, &err), LS_OK);
        assert_string_equal(err.msg, cases[i][1]);
        assert_non_null(strstr(ls_err_hint(&err), cases[i][2]));
        ls_settings_free(s);
    }
}

static void providers(void **state) {
    (void)state;
    static const struct {
        const char *endpoint;
        bool path_style, content_md5, tigris;
        int concurrency;
    } cases[] = {
        {"https://fly.storage.tigris.dev", true, false, true, 5},
        {"T3.storage.dev", true, false, true, 5},
        {"https://t3.storage.dev:443", true, true, false, 5},
        {"https://x.tigris.dev", true, true, false, 5},
        {"https://acct.r2.cloudflarestorage.com", true, true, false, 2},
        {"https://s3.us-west-000.backblazeb2.com", true, true, false, 5},
        {"https://p.supabase.co/storage/v1/s3", true, true, false, 5},
        {"https://nyc3.digitaloceanspaces.com", true, true, false, 5},
        {"http://minio:9000", true, true, false, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_s3_config c;
        read_config(bucket_settings(cases[i].endpoint), &c);
        assert_int_equal(c.path_style, cases[i].path_style);
        assert_int_equal(c.content_md5, cases[i].content_md5);
        assert_int_equal(c.tigris, cases[i].tigris);
        assert_int_equal(c.concurrency, cases[i].concurrency);
        assert_true(c.sign_payload);
        ls_s3_config_done(&c);
    }
    ls_s3_config c;
    ls_settings *s = bucket_settings("https://acct.r2.cloudflarestorage.com");
    set(s, "concurrency", "7");
    read_config(s, &c);
    assert_int_equal(c.concurrency, 7);
    ls_s3_config_done(&c);
    s = bucket_settings("https://fly.storage.tigris.dev");
    set(s, "require-content-md5", "true");
    set(s, "force-path-style", "false");
    read_config(s, &c);
    assert_true(c.content_md5);
    assert_false(c.path_style);
    ls_s3_config_done(&c);
    /* An endpoint of the configuration without a scheme is encrypted, even here. */
    read_config(bucket_settings("localhost:9000"), &c);
    assert_string_equal(c.endpoint, "https://localhost:9000");
    ls_s3_config_done(&c);
}

static void endpoint_of_environment(void **state) {
    (void)state;
    ls_s3_config c;
    (void)setenv("AWS_ENDPOINT_URL", "https://three.org", 1);
    read_config(bucket_settings(NULL), &c);
    assert_string_equal(c.endpoint, "https://three.org");
    assert_false(c.path_style);
    ls_s3_config_done(&c);
    (void)setenv("AWS_ENDPOINT_URL_S3", "https://two.org", 1);
    (void)setenv("LITESTREAM_S3_ENDPOINT", "one.org", 1);
    read_config(bucket_settings(NULL), &c);
    assert_string_equal(c.endpoint, "https://one.org");
    assert_true(c.path_style);
    ls_s3_config_done(&c);
    read_config(bucket_settings("zero.org"), &c);
    assert_string_equal(c.endpoint, "https://zero.org");
    ls_s3_config_done(&c);
    (void)unsetenv("AWS_ENDPOINT_URL");
    (void)unsetenv("AWS_ENDPOINT_URL_S3");
    (void)unsetenv("LITESTREAM_S3_ENDPOINT");
}

#define KEY "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" /* 32 digits */

static ls_settings *sse_settings(const char *endpoint, const char *key) {
    ls_settings *s = bucket_settings(endpoint);
    set(s, "sse-customer-key", key);
    return s;
}

static void what_is_refused(void **state) {
    (void)state;
    ls_settings *s = ls_settings_new("s3");
    assert_refused(s, "bucket required for s3 replica");
    assert_refused(settings_of("s3://localhost:9000/p"), "bucket required for s3 replica");
    static const char *const endpoints[] = {"ftp://x", "https://u:p@h", "https://h?x=1",
                                            "https://"};
    for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
        assert_refused(bucket_settings(endpoints[i]), "s3 endpoint must be like https://host:port");
    }
    s = bucket_settings(NULL);
    set(s, "part-size", "4MiB");
    assert_refused(s, "s3: part size must be at least 5242880 bytes and at most 5 GiB");
    s = bucket_settings(NULL);
    set(s, "part-size", "6GiB");
    assert_refused(s, "s3: part size must be at least 5242880 bytes and at most 5 GiB");
    s = sse_settings(NULL, KEY);
    set(s, "sse-kms-key-id", "x");
    assert_refused(s, "s3: cannot use both sse-customer-key and sse-kms-key-id; they are mutually "
                      "exclusive");
    s = sse_settings(NULL, KEY);
    set(s, "sse-customer-algorithm", "DES");
    assert_refused(s, "s3: sse-customer-algorithm must be AES256, got \"DES\"");
    assert_refused(sse_settings(NULL, "no base64"), "s3: sse-customer-key must be valid base64");
    assert_refused(sse_settings(NULL, "c2hvcnQ="),
                   "s3: sse-customer-key must be 256-bit (32 bytes) "
                   "when decoded, got 5 bytes");
    assert_refused(sse_settings("http://example.org", KEY),
                   "s3: sse-customer-key requires HTTPS endpoint (HTTP only allowed for "
                   "localhost/private networks)");
    s = bucket_settings(NULL);
    set(s, "sse-customer-key-path", "/no/such/file");
    ls_s3_config c;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_s3_config_read(s, &c, &err), LS_ENOTFOUND);
    assert_non_null(strstr(err.msg, "cannot read sse-customer-key-path \"/no/such/file\": "));
    ls_s3_config_done(&c);
    ls_settings_free(s);
}

static void customer_keys(void **state) {
    static const char *const ways[] = {NULL,
                                       "https://example.org",
                                       "http://localhost:9000",
                                       "http://127.1.2.3:9",
                                       "http://10.0.0.1",
                                       "http://172.16.0.1",
                                       "http://192.168.1.1"};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        ls_s3_config c;
        read_config(sse_settings(ways[i], KEY), &c);
        assert_string_equal(c.sse_key, KEY);
        assert_string_equal(c.sse_key_md5, "KYvwGXoFFJ42a2u2GDWhwQ==");
        ls_s3_config_done(&c);
    }
    char *path = tempdir_path(state, "key");
    put_file(path, "\n " KEY "\n", strlen(KEY) + 3);
    ls_settings *s = sse_settings(NULL, "c2hvcnQ=");
    set(s, "sse-customer-key-path", path);
    ls_s3_config c;
    read_config(s, &c);
    assert_string_equal(c.sse_key, KEY);
    ls_s3_config_done(&c);
    free(path);
}

static void odd_paths(void **state) {
    (void)state;
    static const char *const odd[] = {"",     "/",     "/db", ".",    "./db",
                                      "a//b", "a/./b", "..",  "a/..", "a/"};
    static const char *const good[] = {"db", "a/b", "a.b/.c", "..."};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_true(ls_s3_odd_path(odd[i]));
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_false(ls_s3_odd_path(good[i]));
    }
}

static void sources_of_copies(void **state) {
    (void)state;
    ls_s3_config c = {.bucket = (char *)"b"};
    char *text = ls_s3_copy_source(&c, "a b/0001/x");
    assert_string_equal(text, "b/a%20b/0001/x");
    free(text);
    c.bucket = (char *)ARN;
    text = ls_s3_copy_source(&c, "k");
    assert_string_equal(text,
                        "arn%3Aaws%3As3%3Aus-east-2%3A123456789012%3Aaccesspoint/my-ap/object/k");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts),
        cmocka_unit_test(every_query_key),
        cmocka_unit_test(wrong_queries),
        cmocka_unit_test(providers),
        cmocka_unit_test(endpoint_of_environment),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test_setup_teardown(customer_keys, tempdir_setup, tempdir_teardown),
        cmocka_unit_test(odd_paths),
        cmocka_unit_test(sources_of_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
