/* Keys of the role of a container or a machine, from the services that such have beside them. */
#include "backends/aws_sources.h"
#include "engine/base/text.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROLE_MAX 256

/* ---- JSON ---- */

static ls_code take_text(const json_t *json, const char *key, char **to, ls_err *err) {
    const char *text = json_string_value(json_object_get(json, key));
    *to = text != NULL && text[0] != '\0' ? strdup(text) : NULL;
    return text == NULL || text[0] == '\0' || *to != NULL
               ? LS_OK
               : ls_fail(err, LS_ENOMEM, "no memory for credentials");
}

static ls_code take_grant(const json_t *json, const char *token_key, ls_aws_grant *grant,
                          ls_err *err) {
    const char *ends = json_string_value(json_object_get(json, "Expiration"));
    ls_code code = take_text(json, "AccessKeyId", &grant->keys.id, err);
    if (code == LS_OK) {
        code = take_text(json, "SecretAccessKey", &grant->keys.secret, err);
    }
    if (code == LS_OK) {
        code = take_text(json, token_key, &grant->keys.token, err);
    }
    return code == LS_OK && ends != NULL ? ls_time_parse(ends, &grant->expires_ms, err) : code;
}

ls_code ls_aws_grant_of_json(const char *text, size_t len, const char *token_key, const char *what,
                             ls_aws_grant *grant, ls_err *err) {
    *grant = (ls_aws_grant){.expires_ms = LS_AWS_NEVER};
    json_t *json = json_loadb(text != NULL ? text : "", len, 0, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        return ls_fail(err, LS_EREMOTE, "%s: no JSON with keys", what);
    }
    ls_code code = take_grant(json, token_key, grant, err);
    json_decref(json);
    if (code == LS_OK && (grant->keys.id == NULL || grant->keys.secret == NULL)) {
        code = ls_fail(err, LS_EREMOTE, "%s: no keys in the answer", what);
    }
    if (code != LS_OK) {
        ls_aws_keys_done(&grant->keys);
    }
    return code;
}

/* ---- requests ---- */

/* These services are beside us or not there at all. */
static ls_code new_http(ls_http **http, ls_err *err) {
    const ls_http_options o = {.no_proxy = true, .connect_timeout = LS_SEC, .tries = 3};
    return ls_http_new(&o, http, err);
}

/* One request with at most one header. */
static ls_code ask(ls_http *http, const char *method, const char *url, const char *name,
                   const char *value, ls_http_answer *a, ls_err *err) {
    ls_http_request r;
    *a = (ls_http_answer){0};
    ls_http_request_init(&r, method);
    ls_code code = ls_http_set_url(&r, err, "%s", url);
    if (code == LS_OK && value != NULL) {
        code = ls_http_set_header(&r, name, err, "%s", value);
    }
    if (code == LS_OK) {
        code = ls_http_do(http, &r, NULL, a, err);
    }
    ls_http_request_done(&r);
    return code;
}

/* ---- containers ---- */

bool ls_aws_in_container(void) {
    return ls_aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") != NULL ||
           ls_aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI") != NULL;
}

/* Keys are not asked for in the clear elsewhere than on this machine and from AWS's services. */
static ls_code check_full_uri(const char *uri, ls_err *err) {
    static const char *const hosts[] = {
        "http://127.",           "http://localhost",       "http://[::1]",
        "http://169.254.170.2/", "http://169.254.170.23/", "http://[fd00:ec2::23]/"};
    if (strncasecmp(uri, "https://", 8) == 0) {
        return LS_OK;
    }
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        if (ls_has_prefix(uri, hosts[i])) {
            return LS_OK;
        }
    }
    (void)ls_fail(err, LS_ECONFIG, "AWS_CONTAINER_CREDENTIALS_FULL_URI names another machine");
    return ls_hint(err, "use https, or a service on this machine");
}

static ls_code container_url(char **url, ls_err *err) {
    const char *relative = ls_aws_env("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    const char *full = ls_aws_env("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    ls_code code = relative == NULL ? check_full_uri(full, err) : LS_OK;
    if (code != LS_OK) {
        return code;
    }
    *url = relative != NULL ? ls_asprintf("http://169.254.170.2%s", relative) : strdup(full);
    return *url != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for credentials");
}

/* What authorizes the request; *token NULL: nothing does. */
static ls_code container_token(char **token, ls_err *err) {
    const char *file = ls_aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    const char *text = ls_aws_env("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    *token = NULL;
    if (file != NULL) {
        return ls_aws_token_file(file, token, err);
    }
    *token = text != NULL ? strdup(text) : NULL;
    return text == NULL || *token != NULL ? LS_OK
                                          : ls_fail(err, LS_ENOMEM, "no memory for credentials");
}

static ls_code grant_of_answer(const ls_http_answer *a, const char *what, ls_aws_grant *grant,
                               ls_err *err) {
    return a->status == 200 ? ls_aws_grant_of_json(a->body, a->body_len, "Token", what, grant, err)
                            : ls_fail(err, LS_EREMOTE, "%s: status %d", what, a->status);
}

ls_code ls_aws_from_container(ls_aws_grant *grant, ls_err *err) {
    static const char what[] = "credentials of the container";
    char *url = NULL;
    char *token = NULL;
    ls_http *http = NULL;
    ls_http_answer a = {0};
    ls_code code = container_url(&url, err);
    if (code == LS_OK) {
        code = container_token(&token, err);
    }
    if (code == LS_OK) {
        code = new_http(&http, err);
    }
    if (code == LS_OK) {
        code = ask(http, "GET", url, "Authorization", token, &a, err);
        code = code == LS_OK ? grant_of_answer(&a, what, grant, err) : ls_wrap(err, "%s", what);
    }
    if (token != NULL) {
        explicit_bzero(token, strlen(token));
    }
    ls_http_answer_done(&a);
    ls_http_free(http);
    free(token);
    free(url);
    return code;
}

/* ---- machines ---- */

static const char *machine_url(void) {
    const char *own = ls_aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    const char *mode = ls_aws_env("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE");
    if (own != NULL) {
        return own;
    }
    return mode != NULL && strcasecmp(mode, "ipv6") == 0 ? "http://[fd00:ec2::254]"
                                                         : "http://169.254.169.254";
}

static ls_code ask_machine(ls_http *http, const char *method, const char *path, const char *name,
                           const char *value, ls_http_answer *a, ls_err *err) {
    const char *base = machine_url();
    bool slash = base[strlen(base) - 1] == '/';
    char *url = ls_asprintf("%s%s", base, slash ? path + 1 : path);
    if (url == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for credentials");
    }
    ls_code code = ask(http, method, url, name, value, a, err);
    free(url);
    return code;
}

/* *token NULL: a service of the first version, which wants none. */
static ls_code machine_token(ls_http *http, char **token, ls_err *err) {
    ls_http_answer a;
    *token = NULL;
    ls_code code = ask_machine(http, "PUT", "/latest/api/token",
                               "X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "21600", &a, err);
    if (code == LS_OK && a.status == 200 && a.body != NULL) {
        *token = a.body;
        a.body = NULL;
    }
    ls_http_answer_done(&a);
    return code;
}

#define ROLES "/latest/meta-data/iam/security-credentials/"

static ls_code machine_role(ls_http *http, const char *token, char role[ROLE_MAX], ls_err *err) {
    ls_http_answer a;
    ls_code code = ask_machine(http, "GET", ROLES, "X-Aws-Ec2-Metadata-Token", token, &a, err);
    size_t len = code == LS_OK && a.body != NULL ? strcspn(a.body, "\r\n") : 0;
    if (code == LS_OK && (a.status != 200 || len == 0 || len >= ROLE_MAX)) {
        code = ls_fail(err, LS_ENOTFOUND, "this machine has no role");
    } else if (code == LS_OK) {
        (void)snprintf(role, ROLE_MAX, "%.*s", (int)len, a.body);
    }
    ls_http_answer_done(&a);
    return code;
}

static ls_code machine_keys(ls_http *http, const char *token, const char *role, ls_aws_grant *grant,
                            ls_err *err) {
    ls_http_answer a = {0};
    char *encoded = ls_http_encode(role, false);
    char *path = encoded != NULL ? ls_asprintf(ROLES "%s", encoded) : NULL;
    ls_code code = path != NULL
                       ? ask_machine(http, "GET", path, "X-Aws-Ec2-Metadata-Token", token, &a, err)
                       : ls_fail(err, LS_ENOMEM, "no memory for credentials");
    if (code == LS_OK) {
        code = grant_of_answer(&a, "credentials of the machine", grant, err);
    }
    ls_http_answer_done(&a);
    free(path);
    free(encoded);
    return code;
}

ls_code ls_aws_from_machine(ls_aws_grant *grant, ls_err *err) {
    const char *disabled = ls_aws_env("AWS_EC2_METADATA_DISABLED");
    char role[ROLE_MAX];
    char *token = NULL;
    ls_http *http;
    if (disabled != NULL && strcasecmp(disabled, "true") == 0) {
        return ls_fail(err, LS_ENOTFOUND, "the machine's service is switched off");
    }
    ls_code code = new_http(&http, err);
    if (code != LS_OK) {
        return code;
    }
    code = machine_token(http, &token, err);
    if (code == LS_EREMOTE) {
        code = ls_fail(err, LS_ENOTFOUND, "there is no such service");
    }
    if (code == LS_OK) {
        code = machine_role(http, token, role, err);
    }
    if (code == LS_OK) {
        code = machine_keys(http, token, role, grant, err);
    }
    if (token != NULL) {
        explicit_bzero(token, strlen(token));
    }
    free(token);
    ls_http_free(http);
    return code;
}
