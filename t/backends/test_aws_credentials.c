/* Each source of keys and the order of them (aws_credentials.c, aws_profile.c, aws_sts.c,
 * aws_metadata.c, aws_process.c). */
#include "backends/aws_credentials.h"
#include "backends/aws_sources.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "t/support/cloud.h"
#include "t/support/tempdir.h"

/* Time as the module sees it. */
static int64_t ahead_ms;
int64_t __real_ls_wall_ms(const ls_clock *c);
int64_t __wrap_ls_wall_ms(const ls_clock *c);
int64_t __wrap_ls_wall_ms(const ls_clock *c) { return __real_ls_wall_ms(c) + ahead_ms; }

static const char *const names[] = {"AWS_ACCESS_KEY_ID",
                                    "AWS_ACCESS_KEY",
                                    "LITESTREAM_ACCESS_KEY_ID",
                                    "AWS_SECRET_ACCESS_KEY",
                                    "AWS_SECRET_KEY",
                                    "LITESTREAM_SECRET_ACCESS_KEY",
                                    "AWS_SESSION_TOKEN",
                                    "AWS_WEB_IDENTITY_TOKEN_FILE",
                                    "AWS_ROLE_ARN",
                                    "AWS_ROLE_SESSION_NAME",
                                    "AWS_PROFILE",
                                    "AWS_DEFAULT_PROFILE",
                                    "AWS_SHARED_CREDENTIALS_FILE",
                                    "AWS_CONFIG_FILE",
                                    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                                    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                                    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                                    "AWS_EC2_METADATA_DISABLED",
                                    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
                                    "AWS_ENDPOINT_URL",
                                    "AWS_ENDPOINT_URL_STS",
                                    "HTTP_PROXY",
                                    "http_proxy"};

/* An environment that says nothing, and no machine's service. */
static int setup(void **state) {
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unsetenv(names[i]);
    }
    ahead_ms = 0;
    if (tempdir_setup(state) != 0) {
        return -1;
    }
    (void)setenv("HOME", *state, 1);
    (void)setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    (void)setenv("AWS_ENDPOINT_URL_STS", cloud_url("/sts"), 1);
    cloud_set("{'s3': [], 'sts': [], 'lives': 3600}");
    json_decref(cloud_log());
    return 0;
}

static void put_aws(void **state, const char *name, const char *text) {
    char *dir = tempdir_path(state, ".aws");
    (void)mkdir(dir, 0700);
    char *path = ls_path_join(dir, name);
    put_file(path, text, strlen(text));
    free(path);
    free(dir);
}

static ls_aws_credentials *chain(void) {
    ls_aws_credentials *c;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_aws_credentials_new(NULL, NULL, NULL, &c, &err), LS_OK);
    return c;
}

/* The keys' names as "id secret token". */
static void assert_gets(ls_aws_credentials *c, const char *expected) {
    ls_aws_keys keys;
    ls_err err = LS_ERR_INIT;
    if (ls_aws_credentials_get(c, "eu-west-1", &keys, &err) != LS_OK) {
        fail_msg("%s", err.msg);
    }
    char *text =
        ls_asprintf("%s %s %s", keys.id, keys.secret, keys.token != NULL ? keys.token : "-");
    assert_string_equal(text, expected);
    free(text);
    ls_aws_keys_done(&keys);
}

static void assert_chain(const char *expected) {
    ls_aws_credentials *c = chain();
    assert_gets(c, expected);
    ls_aws_credentials_free(c);
}

/* Keys that were given out are named by who gave them and end in a number. */
static void assert_starts(ls_aws_credentials *c, const char *start) {
    ls_aws_keys keys;
    ls_err err = LS_ERR_INIT;
    if (ls_aws_credentials_get(c, "eu-west-1", &keys, &err) != LS_OK) {
        fail_msg("%s", err.msg);
    }
    if (strncmp(keys.id, start, strlen(start)) != 0) {
        fail_msg("%s is not of %s", keys.id, start);
    }
    assert_non_null(keys.token);
    ls_aws_keys_done(&keys);
}

static void assert_fails(ls_code code, const char *msg, const char *hint) {
    ls_aws_credentials *c = chain();
    ls_aws_keys keys;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_aws_credentials_get(c, "eu-west-1", &keys, &err), code);
    if (strstr(err.msg, msg) == NULL || strstr(ls_err_hint(&err), hint) == NULL) {
        fail_msg("%s (%s)", err.msg, ls_err_hint(&err));
    }
    ls_aws_credentials_free(c);
}

/* ---- settings, environment ---- */

static void settings_go_first(void **state) {
    (void)state;
    ls_aws_credentials *c;
    ls_err err = LS_ERR_INIT;
    (void)setenv("AWS_ACCESS_KEY_ID", "env", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    (void)setenv("AWS_SESSION_TOKEN", "t", 1);
    assert_int_equal(ls_aws_credentials_new("id", "secret", NULL, &c, &err), LS_OK);
    assert_gets(c, "id secret -");
    ls_aws_credentials_free(c);
    /* Half of it counts as nothing. */
    assert_int_equal(ls_aws_credentials_new("id", NULL, NULL, &c, &err), LS_OK);
    assert_gets(c, "env s t");
    ls_aws_credentials_free(c);
    ls_aws_credentials_free(NULL);
}

static void environment(void **state) {
    (void)state;
    (void)setenv("LITESTREAM_ACCESS_KEY_ID", "l", 1);
    (void)setenv("LITESTREAM_SECRET_ACCESS_KEY", "ls", 1);
    assert_chain("l ls -");
    (void)setenv("AWS_ACCESS_KEY", "k", 1);
    (void)setenv("AWS_SECRET_KEY", "ks", 1);
    assert_chain("k ks -");
    (void)setenv("AWS_ACCESS_KEY_ID", "a", 1);
    (void)setenv("AWS_SECRET_ACCESS_KEY", "as", 1);
    (void)setenv("AWS_SESSION_TOKEN", "at", 1);
    put_aws(state, "credentials", "[default]\naws_access_key_id=f\naws_secret_access_key=fs\n");
    assert_chain("a as at");
}

static void nothing(void **state) {
    (void)state;
    assert_fails(LS_ECONFIG, "no credentials found", "access-key-id");
}

/* ---- files ---- */

#define FILES                                                                                      \
    "# comment\n[other]\naws_access_key_id = o\naws_secret_access_key=os\n\n"                      \
    "[ default ]\r\naws_access_key_id = d \r\naws_secret_access_key\t=\tds=x\r\n"                  \
    "nested =\n  aws_session_token = no\naws_session_tokens = no\n[last]\naws_access_key_id=l\n"

static void profiles(void **state) {
    put_aws(state, "credentials", FILES);
    assert_chain("d ds=x -");
    (void)setenv("AWS_DEFAULT_PROFILE", "other", 1);
    assert_chain("o os -");
    (void)setenv("AWS_PROFILE", "default", 1);
    assert_chain("d ds=x -");
    (void)setenv("AWS_PROFILE", "none", 1);
    assert_fails(LS_ECONFIG, "AWS_PROFILE names none", "~/.aws/credentials");
    (void)setenv("AWS_PROFILE", "last", 1);
    assert_fails(LS_ECONFIG, "no credentials found", "");
    put_aws(state, "config",
            "[profile last]\naws_secret_access_key=cs\naws_session_token=ct\n"
            "aws_access_key_id=hidden\n[default]\naws_session_token=dt");
    assert_chain("l cs ct");
    (void)unsetenv("AWS_PROFILE");
    (void)unsetenv("AWS_DEFAULT_PROFILE");
    assert_chain("d ds=x dt");
    char *path = tempdir_path(state, "elsewhere");
    const char *text = "[default]\naws_access_key_id=e\naws_secret_access_key=es";
    put_file(path, text, strlen(text));
    (void)setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    (void)setenv("AWS_CONFIG_FILE", "/no/such/file", 1);
    assert_chain("e es -");
    free(path);
}

/* ---- roles ---- */

static void roles(void **state) {
    put_aws(state, "config",
            "[profile base]\naws_access_key_id=b\naws_secret_access_key=bs\n"
            "[profile one]\nrole_arn=arn:aws:iam::1:role/one\nsource_profile=base\n"
            "external_id=ext/1\nrole_session_name=me\nduration_seconds=900\n"
            "[profile two]\nrole_arn=arn:aws:iam::1:role/two\nsource_profile=one\n");
    (void)setenv("AWS_PROFILE", "two", 1);
    ls_aws_credentials *c = chain();
    assert_starts(c, "two-");
    ls_aws_credentials_free(c);
    json_t *log = cloud_log();
    assert_int_equal(json_array_size(log), 2);
    assert_string_equal(cloud_text(log, 0, "body"),
                        "Action=AssumeRole&Version=2011-06-15&"
                        "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fone&RoleSessionName=me&"
                        "ExternalId=ext%2F1&DurationSeconds=900");
    assert_non_null(strstr(cloud_header(log, 0, "authorization"), "Credential=b/"));
    assert_non_null(strstr(cloud_header(log, 0, "authorization"), "/eu-west-1/sts/aws4_request"));
    assert_non_null(strstr(cloud_header(log, 1, "authorization"), "Credential=one-"));
    assert_non_null(cloud_header(log, 1, "x-amz-security-token"));
    json_decref(log);
}

static void roles_that_fail(void **state) {
    put_aws(state, "config",
            "[profile self]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=loop\n"
            "[profile loop]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=self\n"
            "[profile missing]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=none\n"
            "[profile keyless]\nrole_arn=arn:aws:iam::1:role/r\n"
            "[profile mfa]\nrole_arn=arn:aws:iam::1:role/r\nmfa_serial=x\n"
            "[profile kind]\nrole_arn=arn:aws:iam::1:role/r\ncredential_source=Moon\n"
            "[profile sso]\nsso_session=x\n"
            "[profile denied]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=denied\n"
            "aws_access_key_id=b\naws_secret_access_key=bs\n");
    static const struct {
        const char *profile, *msg;
        ls_code code;
    } cases[] = {
        {"self", "profiles that name one another in a circle", LS_ECONFIG},
        {"missing", "there is no profile none", LS_ECONFIG},
        {"keyless", "profile keyless: no keys to ask for its role", LS_ECONFIG},
        {"mfa", "profile mfa: roles that ask for a second factor", LS_ECONFIG},
        {"kind", "profile kind: credential_source Moon gives none", LS_ECONFIG},
        {"sso", "profile sso: single sign-on is not supported", LS_ECONFIG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)setenv("AWS_PROFILE", cases[i].profile, 1);
        assert_fails(cases[i].code, cases[i].msg, "");
    }
    (void)setenv("AWS_PROFILE", "denied", 1);
    cloud_set("{'sts': [{'status': 403, 'body': '<ErrorResponse><Error><Code>AccessDenied</Code>"
              "</Error></ErrorResponse>'}]}");
    assert_fails(LS_EREMOTE, "assume role arn:aws:iam::1:role/r: status 403, AccessDenied",
                 "trust policy");
    cloud_set("{'sts': [{'status': 200, 'body': '<x/>'}]}");
    assert_fails(LS_EREMOTE, "no keys in the answer", "");
    cloud_set("{'sts': [{'status': 200, 'body': 'garbage'}]}");
    assert_fails(LS_EREMOTE, "answer is no XML", "");
}

static void web_identity(void **state) {
    char *path = tempdir_path(state, "token");
    put_file(path, "a.b+c\n", 6);
    (void)setenv("AWS_WEB_IDENTITY_TOKEN_FILE", path, 1);
    (void)setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/web", 1);
    ls_aws_credentials *c = chain();
    assert_starts(c, "web-");
    ls_aws_credentials_free(c);
    json_t *log = cloud_log();
    assert_string_equal(cloud_text(log, 0, "body"),
                        "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&"
                        "RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fweb&"
                        "RoleSessionName=litestream&WebIdentityToken=a.b%2Bc");
    assert_null(cloud_header(log, 0, "authorization"));
    json_decref(log);
    /* The same from a profile. */
    (void)unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
    char *text = ls_asprintf("[default]\nrole_arn=arn:aws:iam::1:role/p\n"
                             "web_identity_token_file=%s\n",
                             path);
    put_aws(state, "config", text);
    c = chain();
    assert_starts(c, "p-");
    ls_aws_credentials_free(c);
    json_decref(cloud_log());
    free(text);
    free(path);
    (void)setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/file", 1);
    ls_aws_keys keys;
    ls_err err = LS_ERR_INIT;
    c = chain();
    /* A source that is named and fails is an error, and no other is asked. */
    assert_int_equal(ls_aws_credentials_get(c, "r", &keys, &err), LS_ECONFIG);
    ls_aws_credentials_free(c);
}

static void processes(void **state) {
    put_aws(state, "config",
            "[default]\ncredential_process = echo '{\"Version\": 1, \"AccessKeyId\": \"p\", "
            "\"SecretAccessKey\": \"ps\"}'\n"
            "[profile bad]\ncredential_process = echo secret; exit 3\n"
            "[profile text]\ncredential_process = echo secret\n"
            "[profile long]\ncredential_process = yes secret\n");
    assert_chain("p ps -");
    (void)setenv("AWS_PROFILE", "bad", 1);
    assert_fails(LS_EREMOTE, "credential_process failed with status 3", "run it by hand");
    (void)setenv("AWS_PROFILE", "text", 1);
    assert_fails(LS_EREMOTE, "credential_process: no JSON with keys", "");
    (void)setenv("AWS_PROFILE", "long", 1);
    assert_fails(LS_ELIMIT, "credential_process prints more than", "");
}

/* ---- containers and machines ---- */

static void containers(void **state) {
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", cloud_url("/container"), 1);
    (void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN", "tok", 1);
    ls_aws_credentials *c = chain();
    assert_starts(c, "container-");
    ls_aws_credentials_free(c);
    json_t *log = cloud_log();
    assert_string_equal(cloud_header(log, 0, "authorization"), "tok");
    json_decref(log);
    char *path = tempdir_path(state, "auth");
    put_file(path, "of file\n", 8);
    (void)setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path, 1);
    c = chain();
    assert_starts(c, "container-");
    ls_aws_credentials_free(c);
    log = cloud_log();
    assert_string_equal(cloud_header(log, 0, "authorization"), "of file");
    json_decref(log);
    free(path);
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.org/x", 1);
    assert_fails(LS_ECONFIG, "names another machine", "https");
}

static void machines(void **state) {
    (void)state;
    (void)unsetenv("AWS_EC2_METADATA_DISABLED");
    (void)setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", cloud_url("/"), 1);
    ls_aws_credentials *c = chain();
    assert_starts(c, "machine-role-");
    ls_aws_credentials_free(c);
    json_t *log = cloud_log();
    assert_int_equal(json_array_size(log), 3);
    assert_string_equal(cloud_text(log, 0, "method"), "PUT");
    assert_string_equal(cloud_text(log, 2, "path"),
                        "/latest/meta-data/iam/security-credentials/machine-role");
    json_decref(log);
    (void)setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1", 1);
    assert_fails(LS_ECONFIG, "no credentials found", "");
}

/* ---- keeping ---- */

static size_t requests(void) {
    json_t *log = cloud_log();
    size_t n = json_array_size(log);
    json_decref(log);
    return n;
}

static void keys_are_kept_and_renewed(void **state) {
    (void)state;
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", cloud_url("/container"), 1);
    ls_aws_credentials *c = chain();
    for (int i = 0; i < 3; i++) {
        assert_starts(c, "container-");
    }
    assert_int_equal(requests(), 1);
    ahead_ms = (3600 - 360) * 1000; /* what passes on a busy machine is to spare */
    assert_starts(c, "container-");
    assert_int_equal(requests(), 0);
    ahead_ms = (3600 - 300) * 1000;
    assert_starts(c, "container-");
    assert_int_equal(requests(), 1);
    ls_aws_credentials_free(c);
}

/* A service that is away for a while is no failure as long as the keys are good. */
static void renewals_that_fail(void **state) {
    (void)state;
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", cloud_url("/container"), 1);
    ls_aws_credentials *c = chain();
    assert_starts(c, "container-");
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/", 1);
    ahead_ms = (3600 - 200) * 1000;
    assert_starts(c, "container-");
    assert_starts(c, "container-");
    ahead_ms = 3601 * 1000;
    ls_aws_keys keys;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_aws_credentials_get(c, "r", &keys, &err), LS_EREMOTE);
    ls_aws_credentials_free(c);
}

static void keys_that_were_refused(void **state) {
    (void)state;
    (void)setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", cloud_url("/container"), 1);
    ls_aws_credentials *c = chain();
    ls_aws_keys keys;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_aws_credentials_get(c, "r", &keys, &err), LS_OK);
    assert_true(ls_aws_credentials_refused(c, &keys));
    assert_starts(c, "container-");
    assert_int_equal(requests(), 2);
    /* Somebody else has exchanged them already. */
    assert_true(ls_aws_credentials_refused(c, &keys));
    assert_starts(c, "container-");
    assert_int_equal(requests(), 0);
    ls_aws_keys_done(&keys);
    ls_aws_credentials_free(c);
    assert_int_equal(ls_aws_credentials_new("id", "secret", NULL, &c, &err), LS_OK);
    assert_int_equal(ls_aws_credentials_get(c, "r", &keys, &err), LS_OK);
    assert_false(ls_aws_credentials_refused(c, &keys));
    ls_aws_keys_done(&keys);
    ls_aws_credentials_free(c);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, tempdir_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(settings_go_first),
        TEST(environment),
        TEST(nothing),
        TEST(profiles),
        TEST(roles),
        TEST(roles_that_fail),
        TEST(web_identity),
        TEST(processes),
        TEST(containers),
        TEST(machines),
        TEST(keys_are_kept_and_renewed),
        TEST(renewals_that_fail),
        TEST(keys_that_were_refused),
    };
    return cmocka_run_group_tests(tests, cloud_start, cloud_stop);
}
