/* Signatures against the examples of AWS's documentation (aws_sign.c), and digests against known
 * values (digest.c). */
#include "backends/aws_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "t/support/tempdir.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define MAY_2013 1369353600 /* 20130524T000000Z */

static const ls_aws_keys s3_keys = {.id = (char *)"AKIAIOSFODNN7EXAMPLE",
                                    .secret = (char *)"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};

static void assert_signature(ls_http_request *r, const ls_aws_keys *keys, const ls_aws_scope *scope,
                             const char *signature) {
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_aws_sign(r, keys, scope, &err), LS_OK);
    const char *text = ls_http_header_of(r->headers, r->n_headers, "Authorization");
    assert_non_null(text);
    const char *at = strstr(text, "Signature=");
    assert_non_null(at);
    assert_string_equal(at + strlen("Signature="), signature);
    ls_http_request_done(r);
}

static void s3_request(ls_http_request *r, const char *method, const char *rest) {
    ls_err err = LS_ERR_INIT;
    ls_http_request_init(r, method);
    assert_int_equal(ls_http_set_url(r, &err, "https://examplebucket.s3.amazonaws.com%s", rest),
                     LS_OK);
}

/* "Examples: signature calculations" of the S3 API reference. */
static void examples_of_s3(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_http_request r;
    ls_aws_scope scope = {
        .region = "us-east-1", .service = "s3", .time_s = MAY_2013, .payload = EMPTY};
    s3_request(&r, "GET", "/test.txt");
    assert_int_equal(ls_http_set_header(&r, "Range", &err, "bytes=0-9"), LS_OK);
    assert_signature(&r, &s3_keys, &scope,
                     "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    s3_request(&r, "GET", "/?lifecycle");
    assert_signature(&r, &s3_keys, &scope,
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    s3_request(&r, "GET", "/?prefix=J&max-keys=2");
    assert_signature(&r, &s3_keys, &scope,
                     "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    s3_request(&r, "PUT", "/test%24file.text");
    assert_int_equal(ls_http_set_header(&r, "Date", &err, "Fri, 24 May 2013 00:00:00 GMT"), LS_OK);
    assert_int_equal(ls_http_set_header(&r, "x-amz-storage-class", &err, "REDUCED_REDUNDANCY"),
                     LS_OK);
    char hash[LS_SHA256_HEX_SIZE];
    assert_int_equal(ls_sha256_hex("Welcome to Amazon S3.", 21, hash, &err), LS_OK);
    scope.payload = hash;
    assert_signature(&r, &s3_keys, &scope,
                     "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

/* ListUsers of IAM, from the general reference: no hash of the body among the headers. */
static void example_of_iam(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    const ls_aws_keys keys = {.id = (char *)"AKIDEXAMPLE",
                              .secret = (char *)"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
    const ls_aws_scope scope = {
        .region = "us-east-1", .service = "iam", .time_s = 1440938160, .payload = EMPTY};
    ls_http_request r;
    ls_http_request_init(&r, "GET");
    assert_int_equal(
        ls_http_set_url(&r, &err, "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"),
        LS_OK);
    assert_int_equal(ls_http_set_header(&r, "Content-Type", &err,
                                        "application/x-www-form-urlencoded; charset=utf-8"),
                     LS_OK);
    assert_signature(&r, &keys, &scope,
                     "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

/* From the test suite of signature version 4 (aws-sig-v4-test-suite). */
static void suite_of_aws(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    const ls_aws_keys keys = {.id = (char *)"AKIDEXAMPLE",
                              .secret = (char *)"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};
    const ls_aws_scope scope = {
        .region = "us-east-1", .service = "service", .time_s = 1440938160, .payload = EMPTY};
    static const struct {
        const char *method, *rest, *signature;
    } cases[] = {
        {"GET", "/", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
        {"POST", "/", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
        {"GET", "/?Param2=value2&Param1=value1",
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_http_request r;
        ls_http_request_init(&r, cases[i].method);
        assert_int_equal(
            ls_http_set_url(&r, &err, "https://example.amazonaws.com%s", cases[i].rest), LS_OK);
        assert_signature(&r, &keys, &scope, cases[i].signature);
    }
}

static void the_token_is_signed(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_aws_keys keys = s3_keys;
    keys.token = (char *)"a token";
    const ls_aws_scope scope = {
        .region = "r", .service = "s3", .time_s = MAY_2013, .payload = LS_AWS_UNSIGNED};
    ls_http_request r;
    s3_request(&r, "GET", "/x");
    assert_int_equal(ls_http_set_header(&r, "User-Agent", &err, "x"), LS_OK);
    assert_int_equal(ls_aws_sign(&r, &keys, &scope, &err), LS_OK);
    /* Again, as for another try: nothing is there twice. */
    size_t before = r.n_headers;
    assert_int_equal(ls_aws_sign(&r, &keys, &scope, &err), LS_OK);
    assert_int_equal(r.n_headers, before);
    assert_string_equal(ls_http_header_of(r.headers, r.n_headers, "x-amz-security-token"),
                        "a token");
    assert_string_equal(ls_http_header_of(r.headers, r.n_headers, "x-amz-content-sha256"),
                        "UNSIGNED-PAYLOAD");
    assert_non_null(strstr(ls_http_header_of(r.headers, r.n_headers, "authorization"),
                           "SignedHeaders=host;x-amz-content-sha256;x-amz-date;"
                           "x-amz-security-token,"));
    ls_http_request_done(&r);
}

/* ---- digests ---- */

static void digests(void **state) {
    const char *dir = *state;
    ls_err err = LS_ERR_INIT;
    char hex[LS_SHA256_HEX_SIZE];
    char md5[LS_MD5_BASE64_SIZE];
    assert_int_equal(ls_sha256_hex("abc", 3, hex, &err), LS_OK);
    const char *abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_string_equal(hex, abc);
    assert_int_equal(ls_md5_base64("abc", 3, md5, &err), LS_OK);
    assert_string_equal(md5, "kAFQmDzST7DWlj99KOF/cg==");
    assert_int_equal(ls_crc32("123456789", 9), 0xcbf43926);
    assert_int_equal(ls_crc32("", 0), 0);
    char *path = ls_path_join(dir, "file");
    int fd = ls_open(path, O_RDWR | O_CREAT, 0600);
    assert_int_equal(ls_write_full(fd, "xxabcyy", 7, path, &err), LS_OK);
    assert_int_equal(ls_sha256_hex_fd(fd, 2, 3, path, hex, &err), LS_OK);
    assert_string_equal(hex, abc);
    assert_int_equal(ls_sha256_hex_fd(fd, 2, 30, path, hex, &err), LS_EIO);
    (void)close(fd);
    free(path);
}

static void base64(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        uint8_t data[16] = {0};
        size_t len;
        ls_base64((const uint8_t *)cases[i][0], strlen(cases[i][0]), text);
        assert_string_equal(text, cases[i][1]);
        assert_int_equal(ls_base64_decode(text, data, sizeof data - 1, &len), LS_OK);
        assert_int_equal(len, strlen(cases[i][0]));
        assert_string_equal((char *)data, cases[i][0]);
    }
    static const char *const bad[] = {
        "Z",    "Zg",   "Zg=",   "Zg==Zg==", "Zg=x",
        "====", "Z===", "Zm9v!", "Zm 9v",    "Zm9vZm9vZm9vZm9vZm9vZm9v"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t data[16];
        size_t len;
        assert_int_equal(ls_base64_decode(bad[i], data, sizeof data, &len), LS_EINVALID);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_s3),
        cmocka_unit_test(example_of_iam),
        cmocka_unit_test(suite_of_aws),
        cmocka_unit_test(the_token_is_signed),
        cmocka_unit_test_setup_teardown(digests, tempdir_setup, tempdir_teardown),
        cmocka_unit_test(base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
