/*
 * Azure's default credentials; see azure_credentials.h. What is asked of a login service goes over
 * TLS, unless AZURE_AUTHORITY_HOST names this machine; the services that give tokens of managed
 * identities are never asked through a proxy.
 */
#include "backends/azure_credentials.h"

#include "backends/oauth.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/io.h"
#include "engine/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <unistd.h>

#define AUTHORITY "https://login.microsoftonline.com"
#define SCOPE "https://storage.azure.com/.default"
#define RESOURCE "https%%3A%%2F%%2Fstorage.azure.com" /* in a format */
#define IMDS "http://169.254.169.254"
#define WHAT "get a token from Azure"
#define IMDS_TRIES 2
#define AZ_SECONDS 30

struct ls_azure {
    ls_http *http;
    ls_http *local; /* managed identities */
    ls_bearer bearer;
};

static const char *env(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* ---- an application that is known to the login service ---- */

static ls_code check_authority(const char *host, ls_err *err) {
    if (ls_has_prefix(host, "https://") || ls_has_prefix(host, "http://127.0.0.1") ||
        ls_has_prefix(host, "http://localhost")) {
        return LS_OK;
    }
    return ls_fail(err, LS_ECONFIG, "AZURE_AUTHORITY_HOST must begin with https://");
}

/* name and value: what proves who asks. */
static ls_code login(ls_azure *az, const char *name, const char *value, char **token,
                     int64_t *seconds, ls_err *err) {
    const char *host = env("AZURE_AUTHORITY_HOST");
    const char *tenant = env("AZURE_TENANT_ID");
    host = host != NULL ? host : AUTHORITY;
    ls_buf form;
    json_t *answer = NULL;
    ls_buf_init(&form, 2 * LS_TOKEN_MAX);
    char *encoded = ls_http_encode(tenant, false);
    char *url = encoded != NULL ? ls_asprintf("%s%s%s/oauth2/v2.0/token", host,
                                              host[strlen(host) - 1] == '/' ? "" : "/", encoded)
                                : NULL;
    const char *const pairs[][2] = {{"grant_type", "client_credentials"},
                                    {"client_id", env("AZURE_CLIENT_ID")},
                                    {"scope", SCOPE},
                                    {name, value}};
    ls_code code =
        url != NULL ? check_authority(host, err) : ls_fail(err, LS_ENOMEM, "no memory for a token");
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && code == LS_OK; i++) {
        code = ls_form_add(&form, pairs[i][0], pairs[i][1], err);
    }
    if (code == LS_OK && strcmp(name, "client_assertion") == 0) {
        code = ls_form_add(&form, "client_assertion_type",
                           "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", err);
    }
    if (code == LS_OK) {
        code = ls_oauth_post(az->http, url, &form, WHAT, &answer, err);
    }
    if (code == LS_OK) {
        code = ls_oauth_token(answer, WHAT, token, seconds, err);
    }
    if (form.data != NULL) {
        explicit_bzero(form.data, form.len);
    }
    json_decref(answer);
    ls_buf_done(&form);
    free(url);
    free(encoded);
    return code;
}

static bool has_application(void) {
    return env("AZURE_TENANT_ID") != NULL && env("AZURE_CLIENT_ID") != NULL;
}

static ls_code of_environment(ls_azure *az, char **token, int64_t *seconds, ls_err *err) {
    if (!has_application() || env("AZURE_CLIENT_SECRET") == NULL) {
        return ls_fail(err, LS_ENOTFOUND,
                       "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET are not all set");
    }
    return login(az, "client_secret", env("AZURE_CLIENT_SECRET"), token, seconds, err);
}

static ls_code of_workload(ls_azure *az, char **token, int64_t *seconds, ls_err *err) {
    if (!has_application() || env("AZURE_FEDERATED_TOKEN_FILE") == NULL) {
        return ls_fail(err, LS_ENOTFOUND, "AZURE_FEDERATED_TOKEN_FILE is not set");
    }
    char *assertion;
    ls_code code = ls_small_file(env("AZURE_FEDERATED_TOKEN_FILE"), &assertion, err);
    if (code == LS_OK) {
        assertion[strcspn(assertion, "\r\n")] = '\0';
        code = login(az, "client_assertion", assertion, token, seconds, err);
    }
    ls_secret_free(assertion);
    return code;
}

/* ---- managed identities ---- */

/* A GET with one header, whose answer is a token. */
static ls_code ask_identity(ls_azure *az, const char *url, const char *header, const char *value,
                            char **token, int64_t *seconds, ls_err *err) {
    json_t *answer = NULL;
    ls_http_request r;
    ls_http_request_init(&r, "GET");
    ls_code code = ls_http_set_url(&r, err, "%s", url);
    if (code == LS_OK) {
        code = ls_http_set_header(&r, header, err, "%s", value);
    }
    if (code == LS_OK) {
        code = ls_oauth_do(az->local, &r, WHAT, &answer, err);
    }
    if (code == LS_OK) {
        code = ls_oauth_token(answer, WHAT, token, seconds, err);
    }
    json_decref(answer);
    ls_http_request_done(&r);
    return code;
}

static ls_code of_managed_identity(ls_azure *az, char **token, int64_t *seconds, ls_err *err) {
    const char *endpoint = env("IDENTITY_ENDPOINT");
    const char *secret = env("IDENTITY_HEADER");
    const char *imds = env("AZURE_POD_IDENTITY_AUTHORITY_HOST");
    const char *client = env("AZURE_CLIENT_ID");
    bool service = endpoint != NULL && secret != NULL;
    char *encoded = client != NULL ? ls_http_encode(client, false) : NULL;
    char *url = ls_asprintf("%s%s%sapi-version=%s&resource=" RESOURCE "%s%s",
                            service        ? endpoint
                            : imds != NULL ? imds
                                           : IMDS,
                            service ? "" : "/metadata/identity/oauth2/token",
                            service && strchr(endpoint, '?') != NULL ? "&" : "?",
                            service ? "2019-08-01" : "2018-02-01",
                            encoded != NULL ? "&client_id=" : "", encoded != NULL ? encoded : "");
    free(encoded);
    if (url == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a token");
    }
    ls_code code = ask_identity(az, url, service ? "X-IDENTITY-HEADER" : "Metadata",
                                service ? secret : "true", token, seconds, err);
    free(url);
    return code;
}

/* ---- the az command ---- */

/* What a descriptor gives until its end, or for some seconds. */
static ls_code read_output(int fd, ls_buf *out, ls_err *err) {
    const int64_t end = ls_mono_ns(&ls_clock_system) + AZ_SECONDS * LS_SEC;
    ls_code code = LS_OK;
    for (ssize_t n = 1; n != 0 && code == LS_OK;) {
        char buf[4096];
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t left = (end - ls_mono_ns(&ls_clock_system)) / LS_MS;
        if (left <= 0 || poll(&p, 1, (int)left) == 0) {
            return ls_fail(err, LS_ETIMEDOUT, "az does not answer");
        }
        n = read(fd, buf, sizeof buf);
        if (n < 0 && errno != EINTR) {
            return ls_fail_errno(err, errno, "read what az prints");
        }
        if (n > 0) {
            code = ls_buf_add(out, buf, (size_t)n, err);
        }
        explicit_bzero(buf, sizeof buf);
    }
    return code;
}

static ls_code start_az(pid_t *pid, int *out, ls_err *err) {
    char *const argv[] = {(char *)(uintptr_t) "az",
                          (char *)(uintptr_t) "account",
                          (char *)(uintptr_t) "get-access-token",
                          (char *)(uintptr_t) "--output",
                          (char *)(uintptr_t) "json",
                          (char *)(uintptr_t) "--resource",
                          (char *)(uintptr_t) "https://storage.azure.com",
                          NULL};
    posix_spawn_file_actions_t actions;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        return ls_fail_errno(err, errno, "start az");
    }
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0) {
        rc = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        rc = rc == 0 ? posix_spawn_file_actions_adddup2(&actions, ends[1], 1) : rc;
        rc = rc == 0 ? posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0) : rc;
        rc = rc == 0 ? posix_spawnp(pid, "az", &actions, NULL, argv, environ) : rc;
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    (void)close(ends[1]);
    if (rc != 0) {
        (void)close(ends[0]);
        return ls_fail_errno(err, rc, "start az");
    }
    *out = ends[0];
    return LS_OK;
}

static ls_code token_of_az(const ls_buf *out, char **token, int64_t *seconds, ls_err *err) {
    json_t *json = json_loads(ls_buf_str(out), 0, NULL);
    const char *text = ls_oauth_text(json, "accessToken");
    const json_t *expires = json_object_get(json, "expires_on");
    *seconds = json_is_integer(expires)
                   ? (int64_t)json_integer_value(expires) - ls_wall_ms(&ls_clock_system) / 1000
                   : 300;
    *token = text != NULL ? strdup(text) : NULL;
    ls_code code = text == NULL     ? ls_fail(err, LS_EREMOTE, "az gives no access token")
                   : *token == NULL ? ls_fail(err, LS_ENOMEM, "no memory for a token")
                                    : LS_OK;
    json_decref(json);
    return code;
}

static ls_code of_az(ls_azure *az, char **token, int64_t *seconds, ls_err *err) {
    pid_t pid = -1;
    int fd = -1;
    int status;
    ls_buf out;
    (void)az;
    ls_code code = start_az(&pid, &fd, err);
    if (code != LS_OK) {
        return code;
    }
    ls_buf_init(&out, LS_TOKEN_MAX);
    code = read_output(fd, &out, err);
    if (code != LS_OK) {
        (void)kill(pid, SIGKILL);
    }
    (void)close(fd);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (code == LS_OK) {
        code = token_of_az(&out, token, seconds, err);
    }
    if (out.data != NULL) {
        explicit_bzero(out.data, out.len);
    }
    ls_buf_done(&out);
    return code;
}

/* ---- which of them ---- */

static const struct source {
    const char *name; /* as in AZURE_TOKEN_CREDENTIALS */
    const char *set;  /* "prod" or "dev" */
    ls_code (*get)(ls_azure *az, char **token, int64_t *seconds, ls_err *err);
} sources[] = {
    {"EnvironmentCredential", "prod", of_environment},
    {"WorkloadIdentityCredential", "prod", of_workload},
    {"ManagedIdentityCredential", "prod", of_managed_identity},
    {"AzureCLICredential", "dev", of_az},
};

static bool is_wanted(const struct source *s) {
    const char *only = env("AZURE_TOKEN_CREDENTIALS");
    return only == NULL || strcasecmp(only, s->name) == 0 || strcasecmp(only, s->set) == 0;
}

/* A source that is configured and refused ends the search only if it is the environment's: whoever
 * gives a secret means that one. */
static ls_code fetch(void *arg, char **token, int64_t *seconds, ls_err *err) {
    char tried[1024] = "";
    size_t len = 0;
    for (size_t i = 0; i < sizeof sources / sizeof sources[0]; i++) {
        if (!is_wanted(&sources[i])) {
            continue;
        }
        ls_err_clear(err);
        ls_code code = sources[i].get(arg, token, seconds, err);
        if (code == LS_OK || (code != LS_ENOTFOUND && sources[i].get == of_environment)) {
            return code == LS_OK ? LS_OK : ls_wrap(err, "%s", sources[i].name);
        }
        int n = snprintf(tried + len, sizeof tried - len, "%s%s: %.200s", len > 0 ? "; " : "",
                         sources[i].name, err->msg);
        len += n > 0 && (size_t)n < sizeof tried - len ? (size_t)n : 0;
    }
    (void)ls_fail(err, LS_EREMOTE, WHAT ": no credentials: %s", tried);
    return ls_hint(err, "set account-key or sas-token, or the variables of an application "
                        "(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET)");
}

/* ---- making and freeing ---- */

ls_code ls_azure_new(ls_azure **az, ls_err *err) {
    const ls_http_options usual = {0};
    const ls_http_options local = {
        .no_proxy = true, .connect_timeout = 3 * LS_SEC, .tries = IMDS_TRIES};
    *az = calloc(1, sizeof **az);
    if (*az == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for Azure's credentials");
    }
    ls_bearer_init(&(*az)->bearer);
    ls_code code = ls_http_new(&usual, &(*az)->http, err);
    if (code == LS_OK) {
        code = ls_http_new(&local, &(*az)->local, err);
    }
    if (code != LS_OK) {
        ls_azure_free(*az);
        *az = NULL;
    }
    return code;
}

void ls_azure_free(ls_azure *az) {
    if (az == NULL) {
        return;
    }
    ls_bearer_done(&az->bearer);
    ls_http_free(az->http);
    ls_http_free(az->local);
    free(az);
}

ls_code ls_azure_token(ls_azure *az, char **token, ls_err *err) {
    return ls_bearer_get(&az->bearer, fetch, az, token, err);
}

void ls_azure_drop(ls_azure *az, const char *token) { ls_bearer_drop(&az->bearer, token); }
