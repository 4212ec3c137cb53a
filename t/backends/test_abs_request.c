/* What is signed for Azure's store, and the sizes of blocks (backends/abs_upload.c). Whether the
 * service takes the signatures is shown by t/backends/stores.t against Azurite, which checks them.
 */
#include "backends/abs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void set(ls_http_request *r, const char *name, const char *value) {
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_http_set_header(r, name, &err, "%s", value), LS_OK);
}

static void assert_signed_for(ls_http_request *r, const char *account, const char *expected) {
    char *text = ls_abs_string_to_sign(r, account);
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void a_block(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_http_request r;
    ls_http_request_init(&r, "PUT");
    assert_int_equal(ls_http_set_url(&r, &err,
                                     "https://acc.blob.core.windows.net/c/a%%20b/x.ltx?"
                                     "comp=block&BlockId=AA%%2B%%3D"),
                     LS_OK);
    r.body = "12345";
    r.body_len = 5;
    set(&r, "x-ms-version", "2021-12-02");
    set(&r, "X-MS-Date", "Wed, 25 Nov 2026 03:00:00 GMT");
    set(&r, "Content-Type", "application/octet-stream");
    set(&r, "If-None-Match", "*");
    set(&r, "Content-MD5", "gnzLDuqKcGxMNKFokfhOew==");
    assert_signed_for(
        &r, "acc",
        "PUT\n\n\n5\ngnzLDuqKcGxMNKFokfhOew==\napplication/octet-stream\n\n\n\n*\n\n\n"
        "x-ms-date:Wed, 25 Nov 2026 03:00:00 GMT\nx-ms-version:2021-12-02\n"
        "/acc/c/a%20b/x.ltx\nblockid:AA+=\ncomp:block");
    ls_http_request_done(&r);
}

/* A body of no bytes has no length there; the account is in the path of an emulator once more. */
static void a_listing_of_an_emulator(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_http_request r;
    ls_http_request_init(&r, "GET");
    assert_int_equal(ls_http_set_url(&r, &err,
                                     "http://127.0.0.1:10000/acc/c?restype=container&"
                                     "comp=list&prefix=db%%2Fltx&marker="),
                     LS_OK);
    r.body = "";
    set(&r, "x-ms-date", "now");
    assert_signed_for(&r, "acc",
                      "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:now\n"
                      "/acc/acc/c\ncomp:list\nmarker:\nprefix:db/ltx\nrestype:container");
    ls_http_request_done(&r);
}

static void a_signature(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_http_request r;
    ls_http_request_init(&r, "GET");
    assert_int_equal(ls_http_set_url(&r, &err, "https://acc.blob.core.windows.net/c/x"), LS_OK);
    set(&r, "x-ms-date", "now");
    assert_int_equal(ls_abs_sign_shared_key(&r, "acc", (const uint8_t *)"a key", 5, &err), LS_OK);
    /* printf 'GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:now\n/acc/c/x' |
     *     openssl dgst -sha256 -hmac 'a key' -binary | base64 */
    assert_string_equal(ls_http_header_of(r.headers, r.n_headers, "authorization"),
                        "SharedKey acc:ziG3naAqIWZc3/sA7Wmcwa/6/GmwcCgy5XMFl+awVoo=");
    ls_http_request_done(&r);
}

static void what_cannot_be_signed(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_http_request r;
    ls_http_request_init(&r, "GET");
    assert_int_equal(ls_http_set_url(&r, &err, "https://a/c?x=%%zz"), LS_OK);
    assert_null(ls_abs_string_to_sign(&r, "a"));
    assert_int_equal(
        ls_http_set_url(&r, &err, "https://a/c?1&2&3&4&5&6&7&8&9&10&11&12&13&14&15&16"), LS_OK);
    assert_null(ls_abs_string_to_sign(&r, "a"));
    ls_http_request_done(&r);
}

/* A stream of any length that a database can have finds room in one blob. */
static void sizes_of_blocks(void **state) {
    (void)state;
    uint64_t total = 0;
    size_t before = 0;
    for (size_t i = 0; i < LS_ABS_BLOCKS_MAX; i++) {
        size_t size = ls_abs_block_size(i);
        assert_true(size >= before && size <= (100u << 20));
        before = size;
        total += size;
    }
    assert_int_equal(ls_abs_block_size(0), 4 << 20);
    assert_true(total > (uint64_t)1 << 40);
}

/* ---- settings ---- */

static ls_code open_url(const char *url, ls_storage **s, ls_err *err) {
    ls_code code = ls_storage_open_url(url, s, err);
    return code;
}

static void urls(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"abs://acc@cont/a//b/../c/", "abs://acc@cont/a/c"},
        {"abs://acc@cont", "abs://acc@cont/"},
        {"abs://acc@cont/", "abs://acc@cont/"},
        {"abs://cont/x?endpoint=http%3A%2F%2F127.0.0.1%3A1%2Facc", "abs://cont/x"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_storage *s;
        ls_err err = LS_ERR_INIT;
        if (open_url(cases[i][0], &s, &err) != LS_OK) {
            fail_msg("%s", err.msg);
        }
        assert_string_equal(ls_storage_type(s), "abs");
        assert_string_equal(ls_storage_url(s), cases[i][1]);
        ls_storage_free(s);
    }
}

static void what_is_missing(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"abs://cont/x", "account-name or endpoint required for abs replica"},
        {"abs:///x", "bucket required for abs replica"},
        {"abs://acc@cont/x?bucket=y", "abs replica url: unknown query key \"bucket\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_storage *s;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(open_url(cases[i][0], &s, &err), LS_ECONFIG);
        assert_string_equal(err.msg, cases[i][1]);
    }
    ls_err err = LS_ERR_INIT;
    ls_storage *s;
    assert_int_equal(setenv("LITESTREAM_AZURE_ACCOUNT_KEY", "s3cret!", 1), 0);
    assert_int_equal(open_url("abs://acc@cont/x", &s, &err), LS_ECONFIG);
    assert_string_equal(err.msg, "abs: account-key is not base64");
    assert_int_equal(unsetenv("LITESTREAM_AZURE_ACCOUNT_KEY"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block),         cmocka_unit_test(a_listing_of_an_emulator),
        cmocka_unit_test(a_signature),     cmocka_unit_test(what_cannot_be_signed),
        cmocka_unit_test(sizes_of_blocks), cmocka_unit_test(urls),
        cmocka_unit_test(what_is_missing),
    };
    return cmocka_run_group_tests_name("requests to Azure's store", tests, NULL, NULL);
}
