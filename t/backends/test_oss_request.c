/* Signatures and settings of the store in Alibaba Cloud OSS, and its CRC-64 (backends/crc64ecma.c).
 * The server of t/servers checks the signature of every request as well. */
#include "backends/crc64ecma.h"
#include "backends/oss.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void set(ls_http_request *r, const char *name, const char *value) {
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_http_set_header(r, name, &err, "%s", value), LS_OK);
}

/* Expected is what Python's hmac makes of the request in its canonical form, as the service
 * documents it. */
static void a_signature(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_http_request r;
    ls_oss_keys keys = {
        .id = strdup("AKID"), .secret = strdup("secretsecret"), .token = strdup("to+ken")};
    ls_http_request_init(&r, "PUT");
    assert_int_equal(ls_http_set_url(&r, &err,
                                     "http://127.0.0.1/bkt1/db/0000/a%%20b%%2Bc.ltx?"
                                     "uploads=&uploadId=A%%2FB&partNumber=2"),
                     LS_OK);
    set(&r, "Content-Type", "application/xml");
    set(&r, "X-Oss-Meta-Litestream-Timestamp", "2026-11-25T03:00:00Z");
    set(&r, "Expect", "100-continue"); /* is not covered */
    assert_int_equal(
        ls_oss_sign(&r, &keys, "cn-hangzhou", "bkt1", "db/0000/a b+c.ltx", 1795575600, &err),
        LS_OK);
    assert_string_equal(ls_http_header_of(r.headers, r.n_headers, "x-oss-date"),
                        "20261125T030000Z");
    assert_string_equal(ls_http_header_of(r.headers, r.n_headers, "authorization"),
                        "OSS4-HMAC-SHA256 Credential=AKID/20261125/cn-hangzhou/oss/"
                        "aliyun_v4_request, Signature="
                        "7866861ef332e61f54a3b7429262316dc27cdea38b0577abdfdbbdf059ddf424");
    ls_http_request_done(&r);
    free(keys.id);
    free(keys.secret);
    free(keys.token);
}

static void crc64_of_known_texts(void **state) {
    (void)state;
    assert_true(ls_crc64ecma(0, "123456789", 9) == 0x995dc9bbdf1939fau);
    assert_true(ls_crc64ecma(ls_crc64ecma(0, "1234", 4), "56789", 5) == 0x995dc9bbdf1939fau);
    assert_true(ls_crc64ecma(0, "", 0) == 0);
}

static int with_keys(void **state) {
    (void)state;
    return setenv("OSS_ACCESS_KEY_ID", "id", 1) | setenv("OSS_ACCESS_KEY_SECRET", "s3cret", 1) |
           setenv("OSS_SESSION_TOKEN", "", 1);
}

static void urls(void **state) {
    (void)state;
    static const char *const cases[][4] = {
        {"oss://bkt/db", "bkt", "cn-hangzhou", "https://bkt.oss-cn-hangzhou.aliyuncs.com"},
        {"oss://bkt.oss-cn-beijing.aliyuncs.com/db", "bkt", "cn-beijing",
         "https://bkt.oss-cn-beijing.aliyuncs.com"},
        {"oss://bkt.oss-cn-beijing-internal.aliyuncs.com/db", "bkt", "cn-beijing",
         "https://bkt.oss-cn-beijing.aliyuncs.com"},
        {"oss://bkt/db?endpoint=http%3A%2F%2F127.0.0.1%3A80%2F&region=cn-x", "bkt", "cn-x",
         "http://127.0.0.1:80/bkt"},
        {"oss://bkt/db?endpoint=oss.example.com", "bkt", "cn-hangzhou",
         "https://bkt.oss.example.com"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_storage *s;
        ls_err err = LS_ERR_INIT;
        if (ls_storage_open_url(cases[i][0], &s, &err) != LS_OK) {
            fail_msg("%s", err.msg);
        }
        const ls_oss *oss = (const ls_oss *)s;
        assert_string_equal(oss->bucket, cases[i][1]);
        assert_string_equal(oss->region, cases[i][2]);
        assert_string_equal(oss->base_url, cases[i][3]);
        assert_string_equal(oss->path, "db");
        assert_string_equal(ls_storage_url(s), "oss://bkt/db");
        assert_null(oss->keys.token);
        const ls_ltx_info file = {.level = 9, .min_txid = 1, .max_txid = 0x1f};
        char *key = ls_oss_key(oss, &file);
        assert_string_equal(key, "db/0009/0000000000000001-000000000000001f.ltx");
        free(key);
        ls_storage_free(s);
    }
}

static void assert_refused(const char *url, const char *text) {
    ls_storage *s;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_open_url(url, &s, &err), LS_ECONFIG);
    assert_string_equal(err.msg, text);
    assert_true(strlen(ls_err_hint(&err)) > 0);
}

static void what_is_missing(void **state) {
    (void)state;
    assert_refused("oss:///db", "bucket required for oss replica");
    assert_refused("oss://oss-cn-beijing.aliyuncs.com/db", "bucket required for oss replica");
    assert_refused("oss://bkt/", "path required for oss replica");
    assert_refused("oss://bkt/db?part-size=1kb", "oss replica: part-size must be 100KiB to 1GiB");
    assert_int_equal(unsetenv("OSS_ACCESS_KEY_ID"), 0);
    assert_refused("oss://bkt/db", "oss: no access key");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signature),
        cmocka_unit_test(crc64_of_known_texts),
        cmocka_unit_test_setup(urls, with_keys),
        cmocka_unit_test_setup(what_is_missing, with_keys),
    };
    return cmocka_run_group_tests_name("requests to OSS", tests, NULL, NULL);
}
