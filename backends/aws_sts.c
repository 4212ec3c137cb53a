/* Keys of a role, from AWS's token service. */
#include "backends/aws_sources.h"
#include "backends/xml.h"
#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORM_MAX 65536

typedef struct sts {
    ls_buf form;
    const ls_aws_role *role;
    const ls_aws_keys *from; /* NULL: not signed */
} sts;

static ls_code add_field(ls_buf *form, const char *name, const char *value, ls_err *err) {
    if (value[0] == '\0') {
        return LS_OK;
    }
    char *encoded = ls_http_encode(value, false);
    if (encoded == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for credentials");
    }
    ls_code code = ls_buf_addf(form, err, "%s%s=%s", form->len > 0 ? "&" : "", name, encoded);
    explicit_bzero(encoded, strlen(encoded));
    free(encoded);
    return code;
}

static ls_code add_role(ls_buf *form, const char *action, const ls_aws_role *role, ls_err *err) {
    const char *session = role->session[0] != '\0' ? role->session : "litestream";
    const char *const fields[][2] = {{"Action", action},
                                     {"Version", "2011-06-15"},
                                     {"RoleArn", role->arn},
                                     {"RoleSessionName", session},
                                     {"ExternalId", role->external_id},
                                     {"DurationSeconds", role->duration}};
    ls_code code = LS_OK;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && code == LS_OK; i++) {
        code = add_field(form, fields[i][0], fields[i][1], err);
    }
    return code;
}

/* ---- the answer ---- */

typedef struct sts_answer {
    ls_aws_grant *grant;
    char error[128];
} sts_answer;

static ls_code replace(char **to, const char *text, ls_err *err) {
    free(*to);
    *to = strdup(text);
    return *to != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for credentials");
}

static ls_code take_element(void *arg, const char *path, const char *text, ls_err *err) {
    sts_answer *a = arg;
    const char *name = strrchr(path, '/');
    name = name != NULL ? name + 1 : path;
    if (strstr(path, "Error/Code") != NULL) {
        (void)snprintf(a->error, sizeof a->error, "%s", text);
    }
    if (strstr(path, "/Credentials/") == NULL) {
        return LS_OK;
    }
    if (strcmp(name, "AccessKeyId") == 0) {
        return replace(&a->grant->keys.id, text, err);
    }
    if (strcmp(name, "SecretAccessKey") == 0) {
        return replace(&a->grant->keys.secret, text, err);
    }
    if (strcmp(name, "SessionToken") == 0) {
        return replace(&a->grant->keys.token, text, err);
    }
    return strcmp(name, "Expiration") == 0 ? ls_time_parse(text, &a->grant->expires_ms, err)
                                           : LS_OK;
}

static ls_code read_answer(const ls_http_answer *a, const ls_aws_role *role, ls_aws_grant *grant,
                           ls_err *err) {
    sts_answer found = {.grant = grant};
    *grant = (ls_aws_grant){.expires_ms = LS_AWS_NEVER};
    ls_code code = ls_xml_read(a->body, a->body_len, take_element, &found, err);
    if (a->status != 200) {
        (void)ls_fail(err, LS_EREMOTE, "assume role %s: status %d%s%s", role->arn, a->status,
                      found.error[0] != '\0' ? ", " : "", found.error);
        code = ls_hint(err, "check the role's trust policy and whose keys ask for it");
    } else if (code == LS_OK && (grant->keys.id == NULL || grant->keys.secret == NULL)) {
        code = ls_fail(err, LS_EREMOTE, "assume role %s: no keys in the answer", role->arn);
    }
    if (code != LS_OK) {
        ls_aws_keys_done(&grant->keys);
    }
    return code;
}

/* ---- the request ---- */

static ls_code sign_request(void *arg, ls_http_request *r, ls_err *err) {
    const sts *s = arg;
    char hash[LS_SHA256_HEX_SIZE];
    if (s->from == NULL) {
        return LS_OK;
    }
    ls_code code = ls_sha256_hex(r->body, r->body_len, hash, err);
    const ls_aws_scope scope = {.region = s->role->region,
                                .service = "sts",
                                .time_s = ls_wall_ms(&ls_clock_system) / 1000,
                                .payload = hash};
    return code == LS_OK ? ls_aws_sign(r, s->from, &scope, err) : code;
}

static ls_code set_url(ls_http_request *r, const char *region, ls_err *err) {
    const char *own = ls_aws_env("AWS_ENDPOINT_URL_STS");
    own = own != NULL ? own : ls_aws_env("AWS_ENDPOINT_URL");
    if (own != NULL) {
        bool slash = own[strlen(own) - 1] == '/';
        return ls_http_set_url(r, err, "%s%s", own, slash ? "" : "/");
    }
    return ls_http_set_url(r, err, "https://sts.%s.amazonaws.com%s/", region,
                           ls_has_prefix(region, "cn-") ? ".cn" : "");
}

static ls_code send(sts *s, ls_http *http, ls_http_answer *a, ls_err *err) {
    ls_http_request r;
    const ls_http_hooks hooks = {.sign = sign_request, .arg = s};
    ls_http_request_init(&r, "POST");
    r.body = ls_buf_str(&s->form);
    r.body_len = s->form.len;
    ls_code code = set_url(&r, s->role->region, err);
    if (code == LS_OK) {
        code = ls_http_set_header(&r, "Content-Type", err, "application/x-www-form-urlencoded");
    }
    if (code == LS_OK) {
        code = ls_http_do(http, &r, &hooks, a, err);
    }
    ls_http_request_done(&r);
    return code;
}

/* Ends with the form. */
static ls_code ask(sts *s, ls_aws_grant *grant, ls_err *err) {
    ls_http *http;
    ls_http_answer a;
    ls_code code = ls_http_new(&(ls_http_options){.tries = 3}, &http, err);
    if (code == LS_OK) {
        code = send(s, http, &a, err);
    }
    if (code == LS_OK) {
        code = read_answer(&a, s->role, grant, err);
        if (a.body != NULL) {
            explicit_bzero(a.body, a.body_len);
        }
        ls_http_answer_done(&a);
    }
    ls_http_free(http);
    return code;
}

static void form_done(ls_buf *form) {
    if (form->data != NULL) {
        explicit_bzero(form->data, form->len);
    }
    ls_buf_done(form);
}

ls_code ls_aws_assume_role(const ls_aws_role *role, const ls_aws_keys *from, ls_aws_grant *grant,
                           ls_err *err) {
    sts s = {.role = role, .from = from};
    ls_buf_init(&s.form, FORM_MAX);
    ls_code code = add_role(&s.form, "AssumeRole", role, err);
    if (code == LS_OK) {
        code = ask(&s, grant, err);
    }
    form_done(&s.form);
    return code;
}

ls_code ls_aws_web_identity(const ls_aws_role *role, const char *token_file, ls_aws_grant *grant,
                            ls_err *err) {
    sts s = {.role = role};
    char *token = NULL;
    ls_buf_init(&s.form, FORM_MAX);
    ls_code code = ls_aws_token_file(token_file, &token, err);
    if (code == LS_OK) {
        code = add_role(&s.form, "AssumeRoleWithWebIdentity", role, err);
    }
    if (code == LS_OK) {
        code = add_field(&s.form, "WebIdentityToken", token, err);
    }
    if (code == LS_OK) {
        code = ask(&s, grant, err);
    }
    if (token != NULL) {
        explicit_bzero(token, strlen(token));
    }
    free(token);
    form_done(&s.form);
    return code;
}
