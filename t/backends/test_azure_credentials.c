/* Azure's default credentials against a server that gives tokens, and a command az of our own. */
#include "backends/azure_credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "t/backends/cloud.h"

static const char *const names[] = {"AZURE_TENANT_ID",
                                    "AZURE_CLIENT_ID",
                                    "AZURE_CLIENT_SECRET",
                                    "AZURE_FEDERATED_TOKEN_FILE",
                                    "AZURE_AUTHORITY_HOST",
                                    "AZURE_TOKEN_CREDENTIALS",
                                    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
                                    "IDENTITY_ENDPOINT",
                                    "IDENTITY_HEADER"};

static void set(const char *name, const char *value) {
    assert_int_equal(setenv(name, value, 1), 0);
}

static void set_url(const char *name, const char *path) {
    char *url = cloud_url(path);
    set(name, url);
    free(url);
}

/* No credentials of any kind, and no service that could give some. */
static int nothing_set(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_int_equal(unsetenv(names[i]), 0);
    }
    set("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9");
    set("PATH", cloud_dir);
    return 0;
}

static char *token_now(void) {
    ls_azure *az;
    ls_err err = LS_ERR_INIT;
    char *token;
    assert_int_equal(ls_azure_new(&az, &err), LS_OK);
    if (ls_azure_token(az, &token, &err) != LS_OK) {
        fail_msg("%s", err.msg);
    }
    ls_azure_free(az);
    return token;
}

static void assert_refused(const char *text) {
    ls_azure *az;
    ls_err err = LS_ERR_INIT;
    char *token;
    assert_int_equal(ls_azure_new(&az, &err), LS_OK);
    assert_int_not_equal(ls_azure_token(az, &token, &err), LS_OK);
    assert_null(token);
    if (strstr(err.msg, text) == NULL) {
        fail_msg("%s", err.msg);
    }
    assert_null(strstr(err.msg, "s3cret"));
    ls_azure_free(az);
}

static void application(void) {
    set_url("AZURE_AUTHORITY_HOST", "/");
    set("AZURE_TENANT_ID", "tenant-1");
    set("AZURE_CLIENT_ID", "client-1");
}

static void of_a_client_secret(void **state) {
    (void)state;
    application();
    set("AZURE_CLIENT_SECRET", "s3cret~+&");
    free(token_now());
    char *path = cloud_last("path", NULL);
    char *form = cloud_last("body", NULL);
    assert_string_equal(path, "/tenant-1/oauth2/v2.0/token");
    assert_form(form, "grant_type", "client_credentials");
    assert_form(form, "client_id", "client-1");
    assert_form(form, "client_secret", "s3cret~+&");
    assert_form(form, "scope", "https://storage.azure.com/.default");
    free(form);
    free(path);
}

static void of_a_workload(void **state) {
    (void)state;
    application();
    char *file = cloud_file("federated", "an.assertion\n");
    set("AZURE_FEDERATED_TOKEN_FILE", file);
    free(token_now());
    char *form = cloud_last("body", NULL);
    assert_form(form, "client_assertion", "an.assertion");
    assert_form(form, "client_assertion_type",
                "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    free(form);
    free(file);
}

static void of_the_machine(void **state) {
    (void)state;
    set_url("AZURE_POD_IDENTITY_AUTHORITY_HOST", "");
    set("AZURE_CLIENT_ID", "client 2");
    set("http_proxy", "http://127.0.0.1:9"); /* must not be used */
    free(token_now());
    assert_int_equal(unsetenv("http_proxy"), 0);
    char *path = cloud_last("path", NULL);
    char *metadata = cloud_last(NULL, "metadata");
    assert_string_equal(path, "/metadata/identity/oauth2/token?api-version=2018-02-01&resource="
                              "https%3A%2F%2Fstorage.azure.com&client_id=client%202");
    assert_string_equal(metadata, "true");
    free(metadata);
    free(path);
}

static void of_an_app_service(void **state) {
    (void)state;
    set_url("IDENTITY_ENDPOINT", "/identity");
    set("IDENTITY_HEADER", "s3cret-header");
    free(token_now());
    char *path = cloud_last("path", NULL);
    char *sent = cloud_last(NULL, "x-identity-header");
    assert_string_equal(path, "/identity?api-version=2019-08-01&resource="
                              "https%3A%2F%2Fstorage.azure.com");
    assert_string_equal(sent, "s3cret-header");
    free(sent);
    free(path);
}

static void make_az(const char *script) {
    char *path = cloud_file("az", script);
    assert_int_equal(chmod(path, 0755), 0);
    free(path);
}

static void of_the_az_command(void **state) {
    (void)state;
    make_az("#!/bin/sh\n[ \"$*\" = 'account get-access-token --output json --resource "
            "https://storage.azure.com' ] || exit 1\n"
            "echo '{\"accessToken\": \"token-of-az\", \"expires_on\": 4000000000}'\n");
    char *token = token_now();
    assert_string_equal(token, "token-of-az");
    free(token);
    make_az("#!/bin/sh\necho 'Please run az login: s3cret'\nexit 1\n");
    assert_refused("az gives no access token");
}

static void a_choice_that_is_narrowed(void **state) {
    (void)state;
    make_az("#!/bin/sh\necho '{\"accessToken\": \"token-of-az\"}'\n");
    set_url("AZURE_POD_IDENTITY_AUTHORITY_HOST", "");
    char *token = token_now();
    assert_memory_equal(token, "token-", 6);
    assert_string_not_equal(token, "token-of-az");
    free(token);
    static const char *const words[] = {"dev", "AzureCLICredential"};
    for (size_t i = 0; i < 2; i++) {
        set("AZURE_TOKEN_CREDENTIALS", words[i]);
        token = token_now();
        assert_string_equal(token, "token-of-az");
        free(token);
    }
    set("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential");
    assert_refused("are not all set");
}

static void what_is_refused(void **state) {
    (void)state;
    application();
    set_url("AZURE_AUTHORITY_HOST", "/refuse");
    set("AZURE_CLIENT_SECRET", "s3cret");
    assert_refused("EnvironmentCredential: get a token from Azure: HTTP status 400: invalid_grant: "
                   "Not a valid grant.");
    set("AZURE_AUTHORITY_HOST", "http://login.example");
    assert_refused("must begin with https://");
    (void)nothing_set(state);
    char *az = ls_asprintf("%s/az", cloud_dir);
    (void)unlink(az);
    free(az);
    assert_refused("AzureCLICredential: start az: No such file or directory");
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup(f, nothing_set)
    const struct CMUnitTest tests[] = {
        TEST(of_a_client_secret), TEST(of_a_workload),     TEST(of_the_machine),
        TEST(of_an_app_service),  TEST(of_the_az_command), TEST(a_choice_that_is_narrowed),
        TEST(what_is_refused),
    };
    return cmocka_run_group_tests_name("Azure's credentials", tests, cloud_start, cloud_stop);
}
