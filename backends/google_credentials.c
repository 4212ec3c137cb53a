/*
 * Application default credentials; see google_credentials.h. The file is read again for each new
 * token: keys are replaced while programs run.
 */
#include "backends/google_credentials.h"

#include "backends/oauth.h"
#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/text.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE                                                                                      \
    "https://www.googleapis.com/auth/devstorage.full_control "                                     \
    "https://www.googleapis.com/auth/cloud-platform"
#define TOKEN_URI "https://oauth2.googleapis.com/token"
#define WHAT "get a token from Google"
#define LIFETIME 3600 /* seconds */
#define METADATA_HOST "169.254.169.254"
#define METADATA_TRIES 2
#define DEPTH_MAX 4 /* of credentials within credentials */

struct ls_google {
    ls_http *http;
    ls_http *metadata; /* never through a proxy, and soon given up where there is none */
    ls_bearer bearer;
};

typedef struct ask {
    ls_google *g;
    const json_t *file;
    int depth;
} ask;

static ls_code token_of(const ask *a, char **token, int64_t *seconds, ls_err *err);

/* ---- service accounts: a signed statement of who one is ---- */

static ls_code no_memory(ls_err *err) { return ls_fail(err, LS_ENOMEM, "no memory for a token"); }

static ls_code required(const json_t *file, const char *key, const char **value, ls_err *err) {
    *value = ls_oauth_text(file, key);
    if (*value == NULL || (*value)[0] == '\0') {
        (void)ls_fail(err, LS_ECONFIG, WHAT ": the credentials have no \"%s\"", key);
        return ls_hint(err, "check the file that GOOGLE_APPLICATION_CREDENTIALS names");
    }
    return LS_OK;
}

/* Base64 for URLs, without padding, behind what is there. */
static ls_code add_base64url(ls_buf *out, const void *data, size_t len, ls_err *err) {
    ls_code code = ls_buf_reserve(out, len / 3 * 4 + 8, err);
    if (code != LS_OK) {
        return code;
    }
    char *text = out->data + out->len;
    size_t n = (size_t)EVP_EncodeBlock((unsigned char *)text, data, (int)len);
    while (n > 0 && text[n - 1] == '=') {
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        text[i] = text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i];
    }
    text[n] = '\0';
    out->len += n;
    return LS_OK;
}

static ls_code add_json(ls_buf *out, json_t *json, ls_err *err) {
    char *text = json != NULL ? json_dumps(json, JSON_COMPACT) : NULL;
    ls_code code = text != NULL ? add_base64url(out, text, strlen(text), err) : no_memory(err);
    free(text);
    json_decref(json);
    return code;
}

static ls_code add_signature(ls_buf *jwt, const char *pem, ls_err *err) {
    unsigned char sig[1024];
    size_t len = sizeof sig;
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = key != NULL && ctx != NULL &&
                EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(ctx, sig, &len, (const unsigned char *)jwt->data, jwt->len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    BIO_free(bio);
    if (!good) {
        return ls_fail(err, LS_ECONFIG, WHAT ": private_key of the credentials is no usable key");
    }
    ls_code code = ls_buf_add(jwt, ".", 1, err);
    return code == LS_OK ? add_base64url(jwt, sig, len, err) : code;
}

static ls_code make_jwt(const json_t *file, const char *audience, ls_buf *jwt, ls_err *err) {
    const char *email;
    const char *pem;
    ls_code code = required(file, "client_email", &email, err);
    if (code == LS_OK) {
        code = required(file, "private_key", &pem, err);
    }
    if (code != LS_OK) {
        return code;
    }
    const json_int_t now = ls_wall_ms(&ls_clock_system) / 1000;
    const char *kid = ls_oauth_text(file, "private_key_id");
    code =
        add_json(jwt, json_pack("{s:s, s:s, s:s*}", "alg", "RS256", "typ", "JWT", "kid", kid), err);
    if (code == LS_OK) {
        code = ls_buf_add(jwt, ".", 1, err);
    }
    if (code == LS_OK) {
        code = add_json(jwt,
                        json_pack("{s:s, s:s, s:s, s:I, s:I}", "iss", email, "scope", SCOPE, "aud",
                                  audience, "iat", now, "exp", now + LIFETIME),
                        err);
    }
    return code == LS_OK ? add_signature(jwt, pem, err) : code;
}

static ls_code post_for_token(ls_google *g, const char *url, const ls_buf *form, char **token,
                              int64_t *seconds, ls_err *err) {
    json_t *answer;
    ls_code code = ls_oauth_post(g->http, url, form, WHAT, &answer, err);
    if (code == LS_OK) {
        code = ls_oauth_token(answer, WHAT, token, seconds, err);
    }
    json_decref(answer);
    return code;
}

static ls_code of_service_account(const ask *a, char **token, int64_t *seconds, ls_err *err) {
    const char *url = ls_oauth_text(a->file, "token_uri");
    url = url != NULL ? url : TOKEN_URI;
    ls_buf jwt;
    ls_buf form;
    ls_buf_init(&jwt, LS_TOKEN_MAX);
    ls_buf_init(&form, 2 * LS_TOKEN_MAX);
    ls_code code = make_jwt(a->file, url, &jwt, err);
    if (code == LS_OK) {
        code = ls_form_add(&form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer", err);
    }
    if (code == LS_OK) {
        code = ls_form_add(&form, "assertion", ls_buf_str(&jwt), err);
    }
    if (code == LS_OK) {
        code = post_for_token(a->g, url, &form, token, seconds, err);
    }
    ls_buf_done(&form);
    ls_buf_done(&jwt);
    return code;
}

/* ---- people ---- */

/* Adds the texts of the file under these names; NULL ends them. */
static ls_code add_fields(ls_buf *form, const json_t *file, const char *const *names, ls_err *err) {
    ls_code code = LS_OK;
    for (; *names != NULL && code == LS_OK; names++) {
        const char *value;
        code = required(file, *names, &value, err);
        if (code == LS_OK) {
            code = ls_form_add(form, *names, value, err);
        }
    }
    return code;
}

static ls_code of_user(const ask *a, char **token, int64_t *seconds, ls_err *err) {
    static const char *const names[] = {"client_id", "client_secret", "refresh_token", NULL};
    const char *url = ls_oauth_text(a->file, "token_uri");
    ls_buf form;
    ls_buf_init(&form, LS_TOKEN_MAX);
    ls_code code = ls_form_add(&form, "grant_type", "refresh_token", err);
    if (code == LS_OK) {
        code = add_fields(&form, a->file, names, err);
    }
    if (code == LS_OK) {
        code = post_for_token(a->g, url != NULL ? url : TOKEN_URI, &form, token, seconds, err);
    }
    if (form.data != NULL) {
        explicit_bzero(form.data, form.len);
    }
    ls_buf_done(&form);
    return code;
}

/* ---- as another service account ---- */

static ls_code add_bearer(ls_http_request *r, const char *token, ls_err *err) {
    return ls_http_set_header(r, "Authorization", err, "Bearer %s", token);
}

static ls_code impersonate(ls_google *g, const char *url, const char *token, json_t **answer,
                           ls_err *err) {
    static const char body[] = "{\"scope\":[\"https://www.googleapis.com/auth/cloud-platform\"],"
                               "\"lifetime\":\"3600s\"}";
    ls_http_request r;
    ls_http_request_init(&r, "POST");
    ls_code code = ls_http_set_url(&r, err, "%s", url);
    if (code == LS_OK) {
        code = add_bearer(&r, token, err);
    }
    if (code == LS_OK) {
        code = ls_http_set_header(&r, "Content-Type", err, "application/json");
    }
    if (code == LS_OK) {
        r.body = body;
        r.body_len = strlen(body);
        code = ls_oauth_do(g->http, &r, WHAT " for the service account", answer, err);
    }
    ls_http_request_done(&r);
    return code;
}

/* Exchanges a token for that of the service account of this URL. */
static ls_code of_impersonation(ls_google *g, const char *url, char **token, int64_t *seconds,
                                ls_err *err) {
    json_t *answer = NULL;
    ls_code code = impersonate(g, url, *token, &answer, err);
    ls_secret_free(*token);
    *token = NULL;
    if (code != LS_OK) {
        return code;
    }
    const char *text = ls_oauth_text(answer, "accessToken");
    const char *expires = ls_oauth_text(answer, "expireTime");
    int64_t until = 0;
    if (text == NULL || expires == NULL || ls_time_parse(expires, &until, err) != LS_OK) {
        code = ls_fail(err, LS_EREMOTE, WHAT ": the answer has no access token");
    } else {
        *seconds = (until - ls_wall_ms(&ls_clock_system)) / 1000;
        *token = strdup(text);
        code = *token != NULL ? LS_OK : no_memory(err);
    }
    json_decref(answer);
    return code;
}

static ls_code of_impersonated(const ask *a, char **token, int64_t *seconds, ls_err *err) {
    const char *url;
    ls_code code = required(a->file, "service_account_impersonation_url", &url, err);
    if (code != LS_OK) {
        return code;
    }
    const ask source = {
        .g = a->g, .file = json_object_get(a->file, "source_credentials"), .depth = a->depth + 1};
    code = token_of(&source, token, seconds, err);
    return code == LS_OK ? of_impersonation(a->g, url, token, seconds, err) : code;
}

/* ---- workload identity ---- */

static ls_code add_request_headers(ls_http_request *r, const json_t *headers, ls_err *err) {
    const char *name;
    json_t *value;
    ls_code code = LS_OK;
    json_object_foreach((json_t *)(uintptr_t)headers, name, value) {
        if (code == LS_OK && json_is_string(value)) {
            code = ls_http_set_header(r, name, err, "%s", json_string_value(value));
        }
    }
    return code;
}

static ls_code subject_of_url(ls_google *g, const json_t *source, const char *url, char **text,
                              ls_err *err) {
    ls_http_request r;
    ls_http_answer a = {0};
    ls_http_request_init(&r, "GET");
    ls_code code = ls_http_set_url(&r, err, "%s", url);
    if (code == LS_OK) {
        code = add_request_headers(&r, json_object_get(source, "headers"), err);
    }
    if (code == LS_OK) {
        code = ls_http_do(g->http, &r, NULL, &a, err);
    }
    if (code == LS_OK && a.status != 200) {
        code = ls_fail(err, LS_EREMOTE, WHAT ": %s: HTTP status %d", url, a.status);
    }
    if (code == LS_OK) {
        *text = strdup(a.body != NULL ? a.body : "");
        code = *text != NULL ? LS_OK : no_memory(err);
    }
    ls_http_answer_done(&a);
    ls_http_request_done(&r);
    return code;
}

/* Takes the token out of JSON where the source is said to be that. */
static ls_code subject_field(const json_t *source, char **text, ls_err *err) {
    const json_t *format = json_object_get(source, "format");
    const char *type = ls_oauth_text(format, "type");
    if (type == NULL || strcmp(type, "json") != 0) {
        return LS_OK;
    }
    const char *name = ls_oauth_text(format, "subject_token_field_name");
    json_t *json = json_loads(*text, 0, NULL);
    const char *value = name != NULL ? ls_oauth_text(json, name) : NULL;
    char *subject = value != NULL ? strdup(value) : NULL;
    json_decref(json);
    ls_secret_free(*text);
    *text = subject;
    return subject != NULL ? LS_OK
                           : ls_fail(err, LS_ECONFIG,
                                     WHAT ": the credential source has no token under that name");
}

static ls_code subject_of(ls_google *g, const json_t *source, char **text, ls_err *err) {
    const char *path = ls_oauth_text(source, "file");
    const char *url = ls_oauth_text(source, "url");
    *text = NULL;
    if (path == NULL && url == NULL) {
        (void)ls_fail(err, LS_EUNSUPPORTED,
                      WHAT ": external_account with a credential_source that is neither file nor "
                           "url");
        return ls_hint(err, "make a credential configuration with a file or a url as its source");
    }
    ls_code code =
        path != NULL ? ls_small_file(path, text, err) : subject_of_url(g, source, url, text, err);
    return code == LS_OK ? subject_field(source, text, err) : code;
}

static ls_code exchange(const ask *a, const char *subject, char **token, int64_t *seconds,
                        ls_err *err) {
    const char *url;
    const char *audience;
    const char *type;
    ls_code code = required(a->file, "token_url", &url, err);
    if (code == LS_OK) {
        code = required(a->file, "audience", &audience, err);
    }
    if (code == LS_OK) {
        code = required(a->file, "subject_token_type", &type, err);
    }
    if (code != LS_OK) {
        return code;
    }
    const char *const pairs[][2] = {
        {"grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"},
        {"requested_token_type", "urn:ietf:params:oauth:token-type:access_token"},
        {"audience", audience},
        {"scope", "https://www.googleapis.com/auth/cloud-platform"},
        {"subject_token_type", type},
        {"subject_token", subject}};
    ls_buf form;
    ls_buf_init(&form, 4 * LS_TOKEN_MAX);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && code == LS_OK; i++) {
        code = ls_form_add(&form, pairs[i][0], pairs[i][1], err);
    }
    if (code == LS_OK) {
        code = post_for_token(a->g, url, &form, token, seconds, err);
    }
    if (form.data != NULL) {
        explicit_bzero(form.data, form.len);
    }
    ls_buf_done(&form);
    return code;
}

static ls_code of_external(const ask *a, char **token, int64_t *seconds, ls_err *err) {
    char *subject;
    ls_code code = subject_of(a->g, json_object_get(a->file, "credential_source"), &subject, err);
    if (code == LS_OK) {
        code = exchange(a, subject, token, seconds, err);
    }
    ls_secret_free(subject);
    const char *url = ls_oauth_text(a->file, "service_account_impersonation_url");
    return code == LS_OK && url != NULL ? of_impersonation(a->g, url, token, seconds, err) : code;
}

/* ---- files ---- */

static ls_code token_of(const ask *a, char **token, int64_t *seconds, ls_err *err) {
    static const struct {
        const char *type;
        ls_code (*get)(const ask *a, char **token, int64_t *seconds, ls_err *err);
    } types[] = {{"service_account", of_service_account},
                 {"authorized_user", of_user},
                 {"external_account", of_external},
                 {"impersonated_service_account", of_impersonated}};
    const char *type = ls_oauth_text(a->file, "type");
    *token = NULL;
    for (size_t i = 0; type != NULL && i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].type, type) == 0 && a->depth < DEPTH_MAX) {
            return types[i].get(a, token, seconds, err);
        }
    }
    (void)ls_fail(err, LS_ECONFIG, WHAT ": credentials of type \"%.40s\"",
                  type != NULL ? type : "");
    return ls_hint(err, "known are service_account, authorized_user, external_account and "
                        "impersonated_service_account");
}

static ls_code of_file(ls_google *g, const char *path, char **token, int64_t *seconds,
                       ls_err *err) {
    char *text;
    ls_code code = ls_small_file(path, &text, err);
    if (code != LS_OK) {
        return ls_wrap(err, "Google's credentials");
    }
    json_t *file = json_loads(text, 0, NULL);
    ls_secret_free(text);
    if (!json_is_object(file)) {
        json_decref(file);
        return ls_fail(err, LS_ECONFIG, "Google's credentials: %s is not JSON", path);
    }
    const ask a = {.g = g, .file = file};
    code = token_of(&a, token, seconds, err);
    json_decref(file);
    return code;
}

/* ---- the metadata server ---- */

static ls_code of_metadata(ls_google *g, char **token, int64_t *seconds, ls_err *err) {
    const char *host = getenv("GCE_METADATA_HOST");
    json_t *answer = NULL;
    ls_http_request r;
    ls_http_request_init(&r, "GET");
    ls_code code = ls_http_set_url(
        &r, err,
        "http://%s/computeMetadata/v1/instance/service-accounts/default/token?scopes="
        "https%%3A%%2F%%2Fwww.googleapis.com%%2Fauth%%2Fdevstorage.full_control",
        host != NULL && host[0] != '\0' ? host : METADATA_HOST);
    if (code == LS_OK) {
        code = ls_http_set_header(&r, "Metadata-Flavor", err, "Google");
    }
    if (code == LS_OK) {
        code = ls_oauth_do(g->metadata, &r, WHAT "'s metadata server", &answer, err);
    }
    if (code == LS_OK) {
        code = ls_oauth_token(answer, WHAT, token, seconds, err);
    } else {
        err->hint[0] = '\0'; /* who meant another source is not helped by that of the connection */
        (void)ls_hint(err, "set GOOGLE_APPLICATION_CREDENTIALS to a file of credentials, or run "
                           "gcloud auth application-default login");
    }
    json_decref(answer);
    ls_http_request_done(&r);
    return code;
}

/* The file that gcloud keeps; NULL: none. */
static char *well_known_file(void) {
    const char *folder = getenv("CLOUDSDK_CONFIG");
    const char *home = getenv("HOME");
    char *path = NULL;
    if (folder != NULL && folder[0] != '\0') {
        path = ls_asprintf("%s/application_default_credentials.json", folder);
    } else if (home != NULL) {
        path = ls_asprintf("%s/.config/gcloud/application_default_credentials.json", home);
    }
    struct stat st;
    if (path != NULL && stat(path, &st) != 0) {
        free(path);
        path = NULL;
    }
    return path;
}

static ls_code fetch(void *arg, char **token, int64_t *seconds, ls_err *err) {
    ls_google *g = arg;
    const char *named = getenv("GOOGLE_APPLICATION_CREDENTIALS");
    if (named != NULL && named[0] != '\0') {
        return of_file(g, named, token, seconds, err);
    }
    char *path = well_known_file();
    ls_code code =
        path != NULL ? of_file(g, path, token, seconds, err) : of_metadata(g, token, seconds, err);
    free(path);
    return code;
}

/* ---- making and freeing ---- */

ls_code ls_google_new(ls_google **g, ls_err *err) {
    const ls_http_options usual = {0};
    const ls_http_options metadata = {
        .no_proxy = true, .connect_timeout = 3 * LS_SEC, .tries = METADATA_TRIES};
    *g = calloc(1, sizeof **g);
    if (*g == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for Google's credentials");
    }
    ls_bearer_init(&(*g)->bearer);
    ls_code code = ls_http_new(&usual, &(*g)->http, err);
    if (code == LS_OK) {
        code = ls_http_new(&metadata, &(*g)->metadata, err);
    }
    if (code != LS_OK) {
        ls_google_free(*g);
        *g = NULL;
    }
    return code;
}

void ls_google_free(ls_google *g) {
    if (g == NULL) {
        return;
    }
    ls_bearer_done(&g->bearer);
    ls_http_free(g->http);
    ls_http_free(g->metadata);
    free(g);
}

ls_code ls_google_token(ls_google *g, char **token, ls_err *err) {
    return ls_bearer_get(&g->bearer, fetch, g, token, err);
}

void ls_google_drop(ls_google *g, const char *token) { ls_bearer_drop(&g->bearer, token); }
