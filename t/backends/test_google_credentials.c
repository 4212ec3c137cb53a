/* Google's application default credentials against a server that gives tokens; with them
 * backends/oauth.c. */
#include "backends/google_credentials.h"
#include "backends/oauth.h"
#include "engine/base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "t/backends/cloud.h"
#include <openssl/evp.h>
#include <openssl/pem.h>

static EVP_PKEY *key;

static char *pem_of_key(void) {
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &data);
    char *pem = strndup(data, (size_t)len);
    BIO_free(bio);
    return pem;
}

/* Writes the file and makes it the one that is used. */
static void use(json_t *file) {
    char *text = json_dumps(file, 0);
    char *path = cloud_file("credentials.json", text);
    assert_int_equal(setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1), 0);
    free(path);
    free(text);
    json_decref(file);
}

/* A token by a new object; malloc'd. */
static char *token_now(void) {
    ls_google *g;
    ls_err err = LS_ERR_INIT;
    char *token;
    assert_int_equal(ls_google_new(&g, &err), LS_OK);
    if (ls_google_token(g, &token, &err) != LS_OK) {
        fail_msg("%s", err.msg);
    }
    ls_google_free(g);
    return token;
}

static void assert_refused(ls_code code, const char *text) {
    ls_google *g;
    ls_err err = LS_ERR_INIT;
    char *token;
    assert_int_equal(ls_google_new(&g, &err), LS_OK);
    assert_int_equal(ls_google_token(g, &token, &err), code);
    assert_null(token);
    if (strstr(err.msg, text) == NULL) {
        fail_msg("%s", err.msg);
    }
    assert_null(strstr(err.msg, "s3cret"));
    assert_true(strlen(ls_err_hint(&err)) > 0);
    ls_google_free(g);
}

static json_t *service_account(const char *path) {
    char *pem = pem_of_key();
    char *url = cloud_url(path);
    json_t *file = json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "service_account", "client_email",
                             "me@example.iam", "private_key_id", "kid-1", "private_key", pem,
                             "token_uri", url);
    free(url);
    free(pem);
    return file;
}

static size_t decode_base64url(const char *text, size_t len, unsigned char *out) {
    char padded[4096];
    size_t n = 0;
    for (; n < len; n++) {
        padded[n] = text[n] == '-' ? '+' : text[n] == '_' ? '/' : text[n];
    }
    while (n % 4 != 0) {
        padded[n++] = '=';
    }
    int bytes = EVP_DecodeBlock(out, (unsigned char *)padded, (int)n);
    assert_true(bytes > 0);
    return (size_t)bytes - (size_t)(n - len);
}

static json_t *decode_json(const char *text, size_t len) {
    unsigned char data[4096];
    size_t n = decode_base64url(text, len, data);
    json_t *json = json_loadb((char *)data, n, 0, NULL);
    assert_non_null(json);
    return json;
}

static void assert_signed(const char *jwt) {
    const char *dot = strrchr(jwt, '.');
    unsigned char sig[1024];
    size_t len = decode_base64url(dot + 1, strlen(dot + 1), sig);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(
        EVP_DigestVerify(ctx, sig, len, (const unsigned char *)jwt, (size_t)(dot - jwt)), 1);
    EVP_MD_CTX_free(ctx);
}

static void assert_claims(const char *jwt) {
    const char *first = strchr(jwt, '.');
    json_t *head = decode_json(jwt, (size_t)(first - jwt));
    json_t *claims = decode_json(first + 1, strcspn(first + 1, "."));
    char *url = cloud_url("/token");
    assert_string_equal(ls_oauth_text(head, "alg"), "RS256");
    assert_string_equal(ls_oauth_text(head, "kid"), "kid-1");
    assert_string_equal(ls_oauth_text(claims, "iss"), "me@example.iam");
    assert_string_equal(ls_oauth_text(claims, "aud"), url);
    assert_non_null(strstr(ls_oauth_text(claims, "scope"), "devstorage.full_control"));
    json_int_t iat = json_integer_value(json_object_get(claims, "iat"));
    assert_true(llabs(iat - ls_wall_ms(&ls_clock_system) / 1000) < 60);
    assert_int_equal(json_integer_value(json_object_get(claims, "exp")), iat + 3600);
    free(url);
    json_decref(claims);
    json_decref(head);
}

static void of_a_service_account(void **state) {
    (void)state;
    use(service_account("/token"));
    free(token_now());
    char *form = cloud_last("body", NULL);
    assert_form(form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
    char *jwt = form_value(form, "assertion");
    assert_signed(jwt);
    assert_claims(jwt);
    free(jwt);
    free(form);
}

static void a_token_is_kept_until_it_ends(void **state) {
    (void)state;
    static const struct {
        const char *path;
        long asked;
    } cases[] = {{"/token", 1}, {"/short/token", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        use(service_account(cases[i].path));
        ls_google *g;
        ls_err err = LS_ERR_INIT;
        char *a;
        char *b;
        char *c;
        assert_int_equal(ls_google_new(&g, &err), LS_OK);
        long before = cloud_count();
        assert_int_equal(ls_google_token(g, &a, &err), LS_OK);
        assert_int_equal(ls_google_token(g, &b, &err), LS_OK);
        assert_int_equal(cloud_count() - before, cases[i].asked);
        assert_string_equal(a, b);
        ls_google_drop(g, "another");
        assert_int_equal(ls_google_token(g, &c, &err), LS_OK);
        assert_string_equal(a, c);
        free(c);
        ls_google_drop(g, a);
        assert_int_equal(ls_google_token(g, &c, &err), LS_OK);
        assert_string_not_equal(a, c);
        free(a);
        free(b);
        free(c);
        ls_google_free(g);
    }
}

static void a_busy_service_is_asked_again(void **state) {
    (void)state;
    use(service_account("/busy/token"));
    long before = cloud_count();
    free(token_now());
    assert_int_equal(cloud_count() - before, 2);
}

static json_t *user(const char *path) {
    char *url = cloud_url(path);
    json_t *file =
        json_pack("{s:s, s:s, s:s, s:s, s:s}", "type", "authorized_user", "client_id", "id-1",
                  "client_secret", "s3cret+/=", "refresh_token", "1//s3cret", "token_uri", url);
    free(url);
    return file;
}

static void of_a_user(void **state) {
    (void)state;
    use(user("/token"));
    free(token_now());
    char *form = cloud_last("body", NULL);
    assert_form(form, "grant_type", "refresh_token");
    assert_form(form, "client_id", "id-1");
    assert_form(form, "client_secret", "s3cret+/=");
    assert_form(form, "refresh_token", "1//s3cret");
    free(form);
}

static void of_the_file_of_gcloud(void **state) {
    (void)state;
    assert_int_equal(unsetenv("GOOGLE_APPLICATION_CREDENTIALS"), 0);
    assert_int_equal(setenv("CLOUDSDK_CONFIG", cloud_dir, 1), 0);
    json_t *file = user("/token");
    char *text = json_dumps(file, 0);
    free(cloud_file("application_default_credentials.json", text));
    free(text);
    json_decref(file);
    free(token_now());
    char *form = cloud_last("body", NULL);
    assert_form(form, "grant_type", "refresh_token");
    free(form);
    assert_int_equal(setenv("CLOUDSDK_CONFIG", "/nowhere", 1), 0);
}

static json_t *external(json_t *source, bool impersonated) {
    char *url = cloud_url("/sts");
    char *other = cloud_url("/impersonate");
    json_t *file = json_pack("{s:s, s:s, s:s, s:s, s:o}", "type", "external_account", "audience",
                             "//iam.googleapis.com/pool", "subject_token_type",
                             "urn:ietf:params:oauth:token-type:jwt", "token_url", url,
                             "credential_source", source);
    if (impersonated) {
        assert_int_equal(
            json_object_set_new(file, "service_account_impersonation_url", json_string(other)), 0);
    }
    free(other);
    free(url);
    return file;
}

static void assert_exchanged(void) {
    free(token_now());
    char *form = cloud_last("body", NULL);
    assert_form(form, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
    assert_form(form, "audience", "//iam.googleapis.com/pool");
    assert_form(form, "subject_token", "subject-of-another");
    free(form);
}

static void of_a_workload(void **state) {
    (void)state;
    char *path = cloud_file("subject", "subject-of-another");
    use(external(json_pack("{s:s}", "file", path), false));
    assert_exchanged();
    char *url = cloud_url("/subject");
    use(external(json_pack("{s:s, s:{s:s}}", "url", url, "headers", "X-A", "b"), false));
    assert_exchanged();
    free(url);
    url = cloud_url("/subject.json");
    use(external(json_pack("{s:s, s:{s:s, s:s}}", "url", url, "format", "type", "json",
                           "subject_token_field_name", "id_token"),
                 false));
    assert_exchanged();
    free(url);
    use(external(json_pack("{s:s}", "file", path), true));
    char *token = token_now();
    assert_non_null(strstr(token, "token-"));
    char *last = cloud_last("path", NULL);
    assert_string_equal(last, "/impersonate");
    free(last);
    free(token);
    free(path);
}

static void of_an_impersonated_account(void **state) {
    (void)state;
    char *url = cloud_url("/impersonate");
    use(json_pack("{s:s, s:s, s:o}", "type", "impersonated_service_account",
                  "service_account_impersonation_url", url, "source_credentials", user("/token")));
    free(token_now());
    char *sent = cloud_last(NULL, "authorization");
    assert_memory_equal(sent, "Bearer token-", 13);
    free(sent);
    free(url);
}

static void of_the_metadata_server(void **state) {
    (void)state;
    assert_int_equal(unsetenv("GOOGLE_APPLICATION_CREDENTIALS"), 0);
    char *url = cloud_url("");
    assert_int_equal(setenv("GCE_METADATA_HOST", url + strlen("http://"), 1), 0);
    free(url);
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:9", 1), 0); /* must not be used */
    free(token_now());
    assert_int_equal(unsetenv("http_proxy"), 0);
    char *flavor = cloud_last(NULL, "metadata-flavor");
    char *path = cloud_last("path", NULL);
    assert_string_equal(flavor, "Google");
    assert_memory_equal(path, "/computeMetadata/v1/instance/service-accounts/default/token",
                        strlen("/computeMetadata/v1/instance/service-accounts/default/token"));
    free(path);
    free(flavor);
}

static void what_cannot_be_used(void **state) {
    (void)state;
    use(user("/refuse/token"));
    assert_refused(LS_EREMOTE, "HTTP status 400: invalid_grant: Not a valid grant.");
    use(json_pack("{s:s}", "type", "gdch_service_account"));
    assert_refused(LS_ECONFIG, "credentials of type \"gdch_service_account\"");
    use(json_pack("{s:s, s:s}", "type", "service_account", "client_email", "x"));
    assert_refused(LS_ECONFIG, "no \"private_key\"");
    use(json_pack("{s:s, s:s, s:s}", "type", "service_account", "client_email", "x", "private_key",
                  "s3cret"));
    assert_refused(LS_ECONFIG, "no usable key");
    use(external(json_pack("{s:s}", "environment_id", "aws1"), false));
    assert_refused(LS_EUNSUPPORTED, "neither file nor url");
    use(external(json_pack("{s:s}", "file", "/nowhere/subject"), false));
    assert_refused(LS_ENOTFOUND, "/nowhere/subject");
    json_t *nested = json_pack("{s:s}", "type", "impersonated_service_account");
    for (int i = 0; i < 6; i++) {
        nested = json_pack("{s:s, s:s, s:o}", "type", "impersonated_service_account",
                           "service_account_impersonation_url", "http://127.0.0.1:9/",
                           "source_credentials", nested);
    }
    use(nested);
    assert_refused(LS_ECONFIG, "credentials of type");
    free(cloud_file("credentials.json", "no JSON"));
    assert_refused(LS_ECONFIG, "is not JSON");
    assert_int_equal(setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/file", 1), 0);
    assert_refused(LS_ENOTFOUND, "/nowhere/file");
    char *big = malloc(LS_TOKEN_MAX + 2);
    memset(big, 'x', LS_TOKEN_MAX + 1);
    big[LS_TOKEN_MAX + 1] = '\0';
    char *path = cloud_file("big", big);
    assert_int_equal(setenv("GOOGLE_APPLICATION_CREDENTIALS", path, 1), 0);
    assert_refused(LS_ELIMIT, "larger than");
    free(path);
    free(big);
}

static int start(void **state) {
    assert_int_equal(unsetenv("GOOGLE_APPLICATION_CREDENTIALS"), 0);
    assert_int_equal(setenv("CLOUDSDK_CONFIG", "/nowhere", 1), 0);
    key = EVP_RSA_gen(2048);
    return key != NULL ? cloud_start(state) : -1;
}

static int stop(void **state) {
    EVP_PKEY_free(key);
    return cloud_stop(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_service_account),
        cmocka_unit_test(a_token_is_kept_until_it_ends),
        cmocka_unit_test(a_busy_service_is_asked_again),
        cmocka_unit_test(of_a_user),
        cmocka_unit_test(of_the_file_of_gcloud),
        cmocka_unit_test(of_a_workload),
        cmocka_unit_test(of_an_impersonated_account),
        cmocka_unit_test(what_cannot_be_used),
        cmocka_unit_test(of_the_metadata_server),
    };
    return cmocka_run_group_tests_name("Google's credentials", tests, start, stop);
}
