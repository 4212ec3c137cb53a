/* What the S3 store sends, and what it makes of odd answers (s3_request.c, s3_answer.c, s3_put.c,
 * s3_multipart.c, s3_copy.c, s3_delete.c, s3.c), against a server that answers as it is told. */
#include "backends/s3_store.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "t/backends/conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/support/cloud.h"
#include "t/support/tempdir.h"

#define T0 1700000000120
#define STAMP "2023-11-14T22:13:20.12Z"

/* Time as the module sees it. */
static int64_t ahead_ms;
int64_t __real_ls_wall_ms(const ls_clock *c);
int64_t __wrap_ls_wall_ms(const ls_clock *c);
int64_t __wrap_ls_wall_ms(const ls_clock *c) { return __real_ls_wall_ms(c) + ahead_ms; }

static int number;

static int setup(void **state) {
    static const char *const names[] = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3",
                                        "LITESTREAM_S3_ENDPOINT", "AWS_SESSION_TOKEN"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unsetenv(names[i]);
    }
    (void)state;
    ahead_ms = 0;
    number++;
    cloud_set("{'s3': [], 'sts': [], 'lives': 3600}");
    json_decref(cloud_log());
    return 0;
}

/* pairs: "key=value" in a list that ends with NULL; each store has a path of its own. */
static ls_storage *open_store(const char *const *pairs) {
    ls_settings *s = ls_settings_new("s3");
    ls_err err = LS_ERR_INIT;
    ls_storage *store;
    char path[32];
    assert_non_null(s);
    (void)snprintf(path, sizeof path, "db%d", number);
    assert_int_equal(ls_settings_set(s, "path", path, &err), LS_OK);
    assert_int_equal(ls_settings_set(s, "bucket", "bkt", &err), LS_OK);
    assert_int_equal(ls_settings_set(s, "access-key-id", "AKID", &err), LS_OK);
    assert_int_equal(ls_settings_set(s, "secret-access-key", "hidden", &err), LS_OK);
    assert_int_equal(ls_settings_set(s, "endpoint", cloud_url(""), &err), LS_OK);
    for (; *pairs != NULL; pairs++) {
        const char *equals = strchr(*pairs, '=');
        char *key = strndup(*pairs, (size_t)(equals - *pairs));
        assert_int_equal(ls_settings_set(s, key, equals + 1, &err), LS_OK);
        free(key);
    }
    if (ls_storage_open(s, NULL, &store, &err) != LS_OK) {
        fail_msg("%s", err.msg);
    }
    ls_settings_free(s);
    return store;
}

#define STORE(...) open_store((const char *const[]){__VA_ARGS__, NULL})
#define PLAIN_STORE() open_store((const char *const[]){NULL})

static ls_ltx_info named(ls_txid txid) {
    return (ls_ltx_info){.level = 0, .min_txid = txid, .max_txid = txid};
}

static ls_code put(ls_storage *s, ls_txid txid, size_t size, bool exclusive, ls_err *err) {
    uint8_t *data = conformance_bytes(txid, txid, T0, size);
    ls_reader *in = ls_mem_reader_new(data, size);
    const ls_ltx_info file = named(txid);
    ls_code code = ls_storage_put(s, &file, in, exclusive, NULL, err);
    ls_reader_close(in);
    free(data);
    return code;
}

static void must_put(ls_storage *s, ls_txid txid, size_t size) {
    ls_err err = LS_ERR_INIT;
    if (put(s, txid, size, false, &err) != LS_OK) {
        fail_msg("%s", err.msg);
    }
}

static void assert_stored(ls_storage *s, int level, ls_txid txid, size_t size) {
    uint8_t *data = conformance_bytes(txid, txid, T0, size);
    const ls_ltx_info file = {.level = level, .min_txid = txid, .max_txid = txid};
    ls_err err = LS_ERR_INIT;
    ls_reader *r;
    uint8_t *got = malloc(size + 1);
    size_t n;
    assert_int_equal(ls_storage_open_range(s, &file, 0, 0, &r, &err), LS_OK);
    assert_int_equal(ls_read_full(r, got, size + 1, &n, &err), LS_OK);
    ls_reader_close(r);
    assert_int_equal(n, size);
    assert_memory_equal(got, data, size);
    free(got);
    free(data);
}

static void assert_header(const json_t *log, size_t i, const char *name, const char *expected) {
    const char *got = cloud_header(log, i, name);
    if (expected == NULL ? got != NULL : got == NULL || strcmp(got, expected) != 0) {
        fail_msg("%s: %s, not %s", name, got != NULL ? got : "-",
                 expected != NULL ? expected : "-");
    }
}

/* How many requests of that method, and with that in path or query; what NULL: any. */
static size_t count(const json_t *log, const char *method, const char *what) {
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(log); i++) {
        bool has = what == NULL || strstr(cloud_text(log, i, "query"), what) != NULL ||
                   strstr(cloud_text(log, i, "path"), what) != NULL;
        n += strcmp(cloud_text(log, i, "method"), method) == 0 && has;
    }
    return n;
}

/* ---- what is sent ---- */

static void a_small_put(void **state) {
    (void)state;
    ls_storage *s = STORE("storage-class=GLACIER", "sse-kms-key-id=key/1");
    must_put(s, 1, 300);
    json_t *log = cloud_log();
    assert_int_equal(json_array_size(log), 1);
    char *path = ls_asprintf("/bkt/db%d/0000/0000000000000001-0000000000000001.ltx", number);
    assert_string_equal(cloud_text(log, 0, "path"), path);
    assert_header(log, 0, "x-amz-meta-litestream-timestamp", STAMP);
    assert_header(log, 0, "x-amz-storage-class", "GLACIER");
    assert_header(log, 0, "x-amz-server-side-encryption", "aws:kms");
    assert_header(log, 0, "x-amz-server-side-encryption-aws-kms-key-id", "key/1");
    assert_header(log, 0, "if-none-match", NULL);
    assert_header(log, 0, "x-amz-checksum-crc32", NULL);
    assert_int_equal(strlen(cloud_header(log, 0, "x-amz-content-sha256")), 64);
    json_decref(log);
    free(path);
    ls_storage_free(s);
}

static void payloads_without_signature(void **state) {
    (void)state;
    ls_storage *s = STORE("sign-payload=false");
    must_put(s, 1, 300);
    must_put(s, 2, 6000000);
    json_t *log = cloud_log();
    for (size_t i = 0; i < json_array_size(log); i++) {
        assert_header(log, i, "x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    }
    json_decref(log);
    ls_storage_free(s);
}

#define KEY "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
#define SSE "x-amz-server-side-encryption-customer-key"

static void the_customers_key_goes_with_each_object(void **state) {
    (void)state;
    ls_storage *s = STORE("sse-customer-key=" KEY);
    must_put(s, 1, 300);
    must_put(s, 2, 11000000);
    assert_stored(s, 0, 1, 300);
    const ls_ltx_info from = named(1);
    const ls_ltx_info to = {.level = 3, .min_txid = 1, .max_txid = 1};
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_copy(s, &from, &to, false, NULL, &err), LS_OK);
    json_t *log = cloud_log();
    for (size_t i = 0; i < json_array_size(log); i++) {
        assert_header(log, i, SSE, KEY);
        assert_header(log, i, SSE "-md5", "KYvwGXoFFJ42a2u2GDWhwQ==");
    }
    size_t last = json_array_size(log) - 1;
    assert_header(log, last, "x-amz-copy-source-server-side-encryption-customer-key", KEY);
    json_decref(log);
    ls_ltx_info files[] = {from};
    assert_int_equal(ls_storage_remove(s, files, 1, &err), LS_OK);
    log = cloud_log();
    assert_header(log, 0, SSE, NULL);
    json_decref(log);
    ls_storage_free(s);
}

static void parts(void **state) {
    (void)state;
    ls_storage *s = STORE("concurrency=4");
    must_put(s, 2, (5 << 20) + (5 << 20) + 17);
    assert_stored(s, 0, 2, (5 << 20) + (5 << 20) + 17);
    json_t *log = cloud_log();
    assert_int_equal(count(log, "PUT", "partNumber="), 3);
    assert_int_equal(count(log, "POST", "uploads="), 1);
    assert_header(log, 0, "x-amz-meta-litestream-timestamp", STAMP);
    json_decref(log);
    assert_int_equal(ls_s3_part_size(1, 5 << 20), 5 << 20);
    assert_int_equal(ls_s3_part_size(50ull << 30, 5 << 20), 6 << 20);
    assert_int_equal(ls_s3_part_size(10000ull * (5 << 20), 5 << 20), 6 << 20);
    assert_true(ls_s3_part_size(5ull << 40, 5 << 20) * 10000 >= 5ull << 40);
    ls_storage_free(s);
}

static void deletes(void **state) {
    (void)state;
    static const char *const modes[] = {"true", "false"};
    for (int i = 0; i < 2; i++) {
        char pair[64];
        (void)snprintf(pair, sizeof pair, "require-content-md5=%s", modes[i]);
        ls_storage *s = STORE(pair);
        const ls_ltx_info files[] = {named(1), named(2)};
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_storage_remove(s, files, 2, &err), LS_OK);
        json_t *log = cloud_log();
        assert_int_equal(json_array_size(log), 1);
        assert_string_equal(cloud_text(log, 0, "query"), "delete=");
        assert_int_equal(cloud_header(log, 0, "content-md5") != NULL, i == 0);
        assert_int_equal(cloud_header(log, 0, "x-amz-checksum-crc32") != NULL, i == 1);
        json_decref(log);
        ls_storage_free(s);
    }
}

static void keys_that_could_not_be_deleted(void **state) {
    (void)state;
    ls_storage *s = PLAIN_STORE();
    cloud_set("{'s3': [{'status': 200, 'body': '<DeleteResult><Deleted><Key>a</Key></Deleted>"
              "<Error><Key>b</Key><Code>NoSuchKey</Code><Message>x</Message></Error>"
              "<Error><Key>c</Key><Code>AccessDenied</Code><Message>no way</Message></Error>"
              "<Error><Key>d</Key><Code>InternalError</Code></Error></DeleteResult>'}]}");
    const ls_ltx_info files[] = {named(1), named(2)};
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_remove(s, files, 2, &err), LS_EREMOTE);
    assert_string_equal(err.msg, "s3: delete batch of 2 objects: failed to delete files:\n"
                                 "c: no way\nd: InternalError");
    ls_storage_free(s);
}

/* ---- exclusive puts and copies ---- */

static void exclusive_puts(void **state) {
    (void)state;
    ls_storage *s = PLAIN_STORE();
    ls_err err = LS_ERR_INIT;
    assert_int_equal(put(s, 1, 300, true, &err), LS_OK);
    assert_int_equal(put(s, 1, 300, true, &err), LS_EEXISTS);
    assert_int_equal(put(s, 2, 6000000, true, &err), LS_OK);
    json_t *log = cloud_log();
    assert_header(log, 1, "if-none-match", "*");
    assert_header(log, json_array_size(log) - 1, "if-none-match", "*");
    json_decref(log);
    /* Somebody was faster: the condition alone tells. */
    cloud_set("{'s3': [{'status': 404}, {'status': 412, 'body': "
              "'<Error><Code>PreconditionFailed</Code></Error>'}]}");
    assert_int_equal(put(s, 3, 300, true, &err), LS_EEXISTS);
    /* A service that knows no conditions. */
    cloud_set("{'s3': [{'status': 404}, {'status': 501, 'body': "
              "'<Error><Code>NotImplemented</Code></Error>'}]}");
    ls_err_clear(&err);
    assert_int_equal(put(s, 4, 300, true, &err), LS_OK);
    assert_stored(s, 0, 4, 300);
    ls_storage_free(s);
}

static void copies_in_parts(void **state) {
    (void)state;
    ls_storage *s = PLAIN_STORE();
    ((ls_s3 *)s)->copy_max = 1000;
    ((ls_s3 *)s)->copy_part = 400;
    must_put(s, 7, 1000);
    must_put(s, 8, 1001);
    json_decref(cloud_log());
    for (ls_txid t = 7; t <= 8; t++) {
        const ls_ltx_info from = named(t);
        const ls_ltx_info to = {.level = 1, .min_txid = t, .max_txid = t};
        ls_ltx_info out;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_storage_copy(s, &from, &to, true, &out, &err), LS_OK);
        assert_int_equal(out.size, 993 + t);
        assert_int_equal(out.created_ms, T0);
        assert_stored(s, 1, t, (size_t)(993 + t));
        assert_int_equal(ls_storage_copy(s, &from, &to, true, &out, &err), LS_EEXISTS);
    }
    json_t *log = cloud_log();
    assert_int_equal(count(log, "PUT", "partNumber="), 3);
    json_decref(log);
    ls_storage_free(s);
}

/* ---- failures of uploads ---- */

static void a_failed_part_aborts(void **state) {
    (void)state;
    ls_storage *s = STORE("concurrency=1");
    ls_err err = LS_ERR_INIT;
    cloud_set("{'s3': [{'status': 200, 'body': '<R><UploadId>a&amp;b/c</UploadId></R>'}, "
              "{'status': 403, 'body': '<Error><Code>AccessDenied</Code></Error>'}]}");
    assert_int_equal(put(s, 1, 12000000, false, &err), LS_EPERM);
    assert_non_null(strstr(err.msg, "part 1: status 403 AccessDenied"));
    json_t *log = cloud_log();
    assert_int_equal(count(log, "DELETE", "uploadId=a%26b%2Fc"), 1);
    assert_int_equal(count(log, "POST", "uploadId="), 0);
    json_decref(log);
    ls_storage_free(s);
}

/* S3 begins to answer 200 before it knows how the completion ends. */
static void errors_in_an_answer_that_is_200(void **state) {
    (void)state;
    ls_storage *s = STORE("concurrency=1");
    ls_err err = LS_ERR_INIT;
    must_put(s, 1, 6000000);
    cloud_set("{'s3': [null, null, null, {'status': 200, 'body': '<Error><Code>InternalError"
              "</Code></Error>'}]}");
    assert_int_equal(put(s, 2, 6000000, false, &err), LS_OK);
    assert_stored(s, 0, 2, 6000000);
    cloud_set("{'s3': [null, null, null, {'status': 200, 'body': '<Error><Code>InvalidPart"
              "</Code></Error>'}]}");
    assert_int_equal(put(s, 3, 6000000, false, &err), LS_EREMOTE);
    assert_non_null(strstr(err.msg, "InvalidPart"));
    /* A copy may do so too. */
    const ls_ltx_info from = named(1);
    const ls_ltx_info to = {.level = 1, .min_txid = 1, .max_txid = 1};
    cloud_set(
        "{'s3': [null, {'status': 200, 'body': '<Error><Code>InternalError</Code></Error>'}]}");
    assert_int_equal(ls_storage_copy(s, &from, &to, false, NULL, &err), LS_EREMOTE);
    ls_storage_free(s);
}

/* The answer to a completion was lost; the next try finds no upload, but the object. */
static void a_completion_whose_answer_was_lost(void **state) {
    (void)state;
    ls_storage *s = STORE("concurrency=1");
    ls_err err = LS_ERR_INIT;
    must_put(s, 1, 6000000);
    cloud_set("{'s3': [null, null, null, {'status': 404, 'body': '<Error><Code>NoSuchUpload"
              "</Code></Error>'}]}");
    assert_int_equal(put(s, 1, 6000000, false, &err), LS_OK);
    cloud_set("{'s3': [null, null, null, {'status': 404, 'body': '<Error><Code>NoSuchUpload"
              "</Code></Error>'}]}");
    assert_int_equal(put(s, 2, 6000000, false, &err), LS_EREMOTE);
    ls_storage_free(s);
}

static void no_etag(void **state) {
    (void)state;
    ls_storage *s = PLAIN_STORE();
    ls_err err = LS_ERR_INIT;
    cloud_set("{'s3': [{'status': 200}]}");
    assert_int_equal(put(s, 1, 300, false, &err), LS_EREMOTE);
    assert_non_null(strstr(err.msg, "s3: upload failed: no ETag returned"));
    ls_storage_free(s);
}

/* ---- clock, region, keys ---- */

static void the_servers_clock_is_learned(void **state) {
    (void)state;
    ls_storage *s = PLAIN_STORE();
    ahead_ms = 3600 * 1000;
    cloud_set(
        "{'s3': [{'status': 403, 'body': '<Error><Code>RequestTimeTooSkewed</Code></Error>'}]}");
    must_put(s, 1, 300);
    json_t *log = cloud_log();
    assert_int_equal(json_array_size(log), 2);
    char hour[2][11];
    for (size_t i = 0; i < 2; i++) {
        (void)snprintf(hour[i], sizeof hour[i], "%.10s", cloud_header(log, i, "x-amz-date") + 4);
    }
    assert_string_not_equal(hour[0], hour[1]);
    json_decref(log);
    /* What does not help is not tried for ever. */
    cloud_set(
        "{'s3': [{'status': 403, 'body': '<Error><Code>RequestTimeTooSkewed</Code></Error>'}, "
        "{'status': 403, 'body': '<Error><Code>RequestTimeTooSkewed</Code></Error>'}]}");
    ls_err err = LS_ERR_INIT;
    assert_int_equal(put(s, 1, 300, false, &err), LS_EPERM);
    assert_non_null(strstr(ls_err_hint(&err), "clock"));
    ls_storage_free(s);
}

static const char *scope_of(const json_t *log, size_t i) {
    const char *text = strstr(cloud_header(log, i, "authorization"), "Credential=");
    return text != NULL ? text : "";
}

static void keys_that_ran_out(void **state) {
    (void)state;
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", cloud_url("/container"), 1);
    static const char *const env[] = {
        "AWS_ACCESS_KEY_ID",           "AWS_ACCESS_KEY", "LITESTREAM_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_PROFILE",    "AWS_DEFAULT_PROFILE"};
    for (size_t i = 0; i < sizeof env / sizeof env[0]; i++) {
        (void)unsetenv(env[i]);
    }
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", "/no/such/file", 1);
    (void)setenv("AWS_CONFIG_FILE", "/no/such/file", 1);
    ls_storage *s;
    ls_err err = LS_ERR_INIT;
    cloud_set("{'s3': [{'status': 400, 'body': '<Error><Code>ExpiredToken</Code></Error>'}]}");
    ls_settings *settings = ls_settings_new("s3");
    assert_int_equal(ls_settings_set(settings, "bucket", "bkt", &err), LS_OK);
    assert_int_equal(ls_settings_set(settings, "endpoint", cloud_url(""), &err), LS_OK);
    assert_int_equal(ls_storage_open(settings, NULL, &s, &err), LS_OK);
    ls_settings_free(settings);
    must_put(s, 1, 300);
    json_t *log = cloud_log();
    /* keys, refused, other keys, put */
    assert_int_equal(json_array_size(log), 4);
    assert_string_not_equal(scope_of(log, 1), scope_of(log, 3));
    assert_non_null(cloud_header(log, 3, "x-amz-security-token"));
    json_decref(log);
    ls_storage_free(s);
    (void)unsetenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
}

/* A store that does not know yet where its bucket is. */
static ls_storage *lost_store(void) {
    ls_storage *s = PLAIN_STORE();
    free(((ls_s3 *)s)->region);
    ((ls_s3 *)s)->region = NULL;
    return s;
}

static void the_region_is_asked_for(void **state) {
    (void)state;
    static const char *const places[][2] = {
        {"<LocationConstraint>eu-west-9</LocationConstraint>", "/eu-west-9/s3/"},
        {"<LocationConstraint/>", "/us-east-1/s3/"},
        {"<LocationConstraint>EU</LocationConstraint>", "/eu-west-1/s3/"},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        ls_storage *s = lost_store();
        char *text = ls_asprintf("{'s3': [{'status': 200, 'body': '%s'}]}", places[i][0]);
        cloud_set(text);
        must_put(s, 1, 300);
        must_put(s, 2, 300);
        json_t *log = cloud_log();
        assert_int_equal(json_array_size(log), 3);
        assert_string_equal(cloud_text(log, 0, "query"), "location=");
        assert_non_null(strstr(scope_of(log, 0), "/us-east-1/s3/"));
        assert_non_null(strstr(scope_of(log, 1), places[i][1]));
        assert_non_null(strstr(scope_of(log, 2), places[i][1]));
        json_decref(log);
        free(text);
        ls_storage_free(s);
    }
    ls_storage *s = lost_store();
    ls_err err = LS_ERR_INIT;
    cloud_set("{'s3': [{'status': 403, 'body': '<Error><Code>AccessDenied</Code></Error>'}, "
              "{'status': 200, 'body': '<LocationConstraint>../x</LocationConstraint>'}]}");
    assert_int_equal(put(s, 1, 300, false, &err), LS_EPERM);
    assert_non_null(strstr(err.msg, "s3: cannot lookup bucket region: status 403 AccessDenied"));
    assert_int_equal(put(s, 1, 300, false, &err), LS_EREMOTE);
    assert_non_null(strstr(err.msg, "the bucket's location is no region"));
    ls_storage_free(s);
}

static void temporary_answers(void **state) {
    (void)state;
    ls_storage *s = PLAIN_STORE();
    cloud_set("{'s3': [{'status': 503, 'body': '<Error><Code>SlowDown</Code></Error>'}, "
              "{'status': 400, 'body': '<Error><Code>RequestTimeout</Code></Error>'}, "
              "{'status': 409, 'body': '<Error><Code>ExistingObjectIsDirectory</Code></Error>'}]}");
    must_put(s, 1, 300);
    json_t *log = cloud_log();
    assert_int_equal(json_array_size(log), 4);
    json_decref(log);
    ls_storage_free(s);
}

/* ---- errors ---- */

static void errors_say_what_to_do(void **state) {
    (void)state;
    static const struct {
        const char *answer;
        ls_code code;
        const char *msg, *hint;
    } cases[] = {
        {"{'status': 404, 'body': '<Error><Code>NoSuchKey</Code></Error>'}", LS_ENOTFOUND,
         "status 404 NoSuchKey", ""},
        {"{'status': 404}", LS_ENOTFOUND, "status 404", ""},
        {"{'status': 404, 'body': '<Error><Code>NoSuchBucket</Code></Error>'}", LS_EREMOTE,
         "NoSuchBucket", "create the bucket"},
        {"{'status': 403, 'body': '<Error><Code>SignatureDoesNotMatch</Code></Error>'}", LS_EPERM,
         "SignatureDoesNotMatch", "secret key"},
        {"{'status': 403, 'body': '<Error><Code>InvalidAccessKeyId</Code></Error>'}", LS_EPERM,
         "InvalidAccessKeyId", "access key"},
        {"{'status': 403, 'body': 'no xml'}", LS_EPERM, "status 403", ""},
        {"{'status': 301, 'body': '<Error><Code>PermanentRedirect</Code><Message>go there"
         "</Message></Error>'}",
         LS_EREMOTE, "status 301 PermanentRedirect: go there", ""},
    };
    ls_storage *s = PLAIN_STORE();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_err err = LS_ERR_INIT;
        ls_reader *r;
        const ls_ltx_info file = named(1);
        char *text = ls_asprintf("{'s3': [%s]}", cases[i].answer);
        cloud_set(text);
        free(text);
        assert_int_equal(ls_storage_open_range(s, &file, 0, 0, &r, &err), cases[i].code);
        assert_non_null(strstr(err.msg, "s3: get object db"));
        assert_non_null(strstr(err.msg, cases[i].msg));
        assert_non_null(strstr(ls_err_hint(&err), cases[i].hint));
        assert_null(strstr(err.msg, "hidden"));
    }
    ls_storage_free(s);
}

/* What is no listing is an error, and never an empty replica. */
static void listings_that_are_none(void **state) {
    (void)state;
    static const char *const answers[] = {
        "{'status': 200, 'body': 'garbage'}",
        "{'status': 200, 'body': '<html>'}",
        "{'status': 404, 'body': '<Error><Code>NoSuchBucket</Code></Error>'}",
        "{'status': 404}",
        "{'status': 200, 'body': '<html></html>'}",
        "{'status': 200, 'body': '<ListBucketResult><IsTruncated>true</IsTruncated>"
        "</ListBucketResult>'}",
        "{'status': 200, 'body': '<ListBucketResult><Contents><Size>-1</Size></Contents>"
        "</ListBucketResult>'}",
        "{'status': 200, 'body': '<ListBucketResult><Contents><LastModified>now</LastModified>"
        "</Contents></ListBucketResult>'}",
    };
    ls_storage *s = PLAIN_STORE();
    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        ls_storage_iter *it;
        ls_err err = LS_ERR_INIT;
        ls_ltx_info file;
        bool end;
        char *text = ls_asprintf("{'s3': [%s]}", answers[i]);
        cloud_set(text);
        assert_int_equal(ls_storage_list(s, 0, 0, &it, &err), LS_OK);
        ls_code code = ls_storage_iter_next(it, &file, &end, &err);
        if (code == LS_OK || code == LS_ENOTFOUND) {
            fail_msg("%s: %s", text, ls_code_name(code));
        }
        ls_storage_iter_free(it);
        free(text);
    }
    ls_storage_free(s);
}

/* ---- reading ---- */

/* A service that does not know ranges sends all. */
static void ranges_that_are_ignored(void **state) {
    (void)state;
    ls_storage *s = PLAIN_STORE();
    const ls_ltx_info file = named(1);
    static const struct {
        uint64_t off, len;
        const char *expected;
    } cases[] = {{2, 3, "234"}, {8, 0, "89"}, {8, 9, "89"}, {10, 0, ""}, {12, 4, ""}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_err err = LS_ERR_INIT;
        ls_reader *r;
        char text[32] = "";
        size_t got;
        cloud_set("{'s3': [{'status': 200, 'body': '0123456789'}]}");
        assert_int_equal(ls_storage_open_range(s, &file, cases[i].off, cases[i].len, &r, &err),
                         LS_OK);
        assert_int_equal(ls_read_full(r, text, sizeof text - 1, &got, &err), LS_OK);
        assert_string_equal(text, cases[i].expected);
        ls_reader_close(r);
    }
    ls_storage_free(s);
}

static void exact_times(void **state) {
    (void)state;
    ls_storage *s = PLAIN_STORE();
    must_put(s, 1, 300);
    ls_storage_iter *it;
    ls_ltx_info file;
    bool end;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_list(s, 0, 0, &it, &err), LS_OK);
    assert_int_equal(ls_storage_iter_next(it, &file, &end, &err), LS_OK);
    assert_false(end);
    ls_storage_iter_free(it);
    assert_int_equal(file.created_ms, 1893456000000);
    assert_int_equal(ls_storage_exact(s, &file, 1, &err), LS_OK);
    assert_int_equal(file.created_ms, T0);
    ls_storage_free(s);
}

/* ---- warnings ---- */

static void paths_that_some_servers_lose(void **state) {
    char *path = tempdir_path(state, "log");
    int fd = ls_open(path, O_RDWR | O_CREAT, 0600);
    const ls_log log = {.fd = fd, .level = LS_INFO};
    ls_storage *s = STORE("path=/db");
    ls_storage_set_log(s, &log);
    must_put(s, 1, 300);
    must_put(s, 2, 300);
    ls_storage_free(s);
    char text[2000] = "";
    assert_true(pread(fd, text, sizeof text - 1, 0) > 0);
    const char *at = strstr(text, "some s3 servers do not list objects of this path");
    assert_non_null(at);
    assert_null(strstr(at + 1, "some s3 servers"));
    (void)close(fd);
    free(path);
}

static int setup_in_tempdir(void **state) { return tempdir_setup(state) == 0 ? setup(state) : -1; }

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_small_put),
        TEST(payloads_without_signature),
        TEST(the_customers_key_goes_with_each_object),
        TEST(parts),
        TEST(deletes),
        TEST(keys_that_could_not_be_deleted),
        TEST(exclusive_puts),
        TEST(copies_in_parts),
        TEST(a_failed_part_aborts),
        TEST(errors_in_an_answer_that_is_200),
        TEST(a_completion_whose_answer_was_lost),
        TEST(no_etag),
        TEST(the_servers_clock_is_learned),
        TEST(keys_that_ran_out),
        TEST(the_region_is_asked_for),
        TEST(temporary_answers),
        TEST(errors_say_what_to_do),
        TEST(listings_that_are_none),
        TEST(ranges_that_are_ignored),
        TEST(exact_times),
        cmocka_unit_test_setup_teardown(paths_that_some_servers_lose, setup_in_tempdir,
                                        tempdir_teardown),
    };
    return cmocka_run_group_tests(tests, cloud_start, cloud_stop);
}
