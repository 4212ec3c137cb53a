/* The chain of sources, and what is kept of it; see aws_credentials.h. */
#include "backends/aws_credentials.h"

#include "backends/aws_sources.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define RENEW_BEFORE_MS (5 * 60 * 1000)
#define RENEW_AGAIN_MS (30 * 1000)
#define TOKEN_FILE_MAX 32768
#define PROFILES_MAX 5 /* that name one another */

struct ls_aws_credentials {
    ls_aws_keys fixed; /* of the settings; id NULL: the chain */
    pthread_mutex_t lock;
    ls_aws_grant grant; /* of the chain; keys.id NULL: none yet */
    int64_t renew_ms;   /* when to ask again */
};

const char *ls_aws_env(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

ls_code ls_aws_token_file(const char *path, char **token, ls_err *err) {
    size_t len;
    ls_code code = ls_read_file(path, TOKEN_FILE_MAX, token, &len, err);
    if (code == LS_OK) {
        (*token)[strcspn(*token, "\r\n")] = '\0';
    } else if (code == LS_ENOTFOUND) {
        err->code = code = LS_ECONFIG;
    }
    return code;
}

static const char *first_env(const char *a, const char *b, const char *c) {
    const char *value = ls_aws_env(a);
    value = value != NULL ? value : ls_aws_env(b);
    return value != NULL || c == NULL ? value : ls_aws_env(c);
}

ls_code ls_aws_credentials_new(const char *id, const char *secret, const char *token,
                               ls_aws_credentials **c, ls_err *err) {
    *c = calloc(1, sizeof **c);
    if (*c == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for credentials");
    }
    (void)pthread_mutex_init(&(*c)->lock, NULL);
    if (id == NULL || secret == NULL) {
        return LS_OK;
    }
    const ls_aws_keys keys = {
        .id = (char *)(uintptr_t)id,
        .secret = (char *)(uintptr_t)secret,
        .token = (char *)(uintptr_t)token,
    };
    ls_code code = ls_aws_keys_copy(&keys, &(*c)->fixed, err);
    if (code != LS_OK) {
        ls_aws_credentials_free(*c);
        *c = NULL;
    }
    return code;
}

void ls_aws_credentials_free(ls_aws_credentials *c) {
    if (c == NULL) {
        return;
    }
    ls_aws_keys_done(&c->fixed);
    ls_aws_keys_done(&c->grant.keys);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- sources; LS_ENOTFOUND: ask the next one ---- */

static ls_code not_here(ls_err *err) { return ls_fail(err, LS_ENOTFOUND, "no credentials there"); }

static ls_code from_environment(ls_aws_grant *grant, ls_err *err) {
    const char *id = first_env("AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "LITESTREAM_ACCESS_KEY_ID");
    const char *secret =
        first_env("AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "LITESTREAM_SECRET_ACCESS_KEY");
    if (id == NULL || secret == NULL) {
        return not_here(err);
    }
    const ls_aws_keys keys = {
        .id = (char *)(uintptr_t)id,
        .secret = (char *)(uintptr_t)secret,
        .token = (char *)(uintptr_t)ls_aws_env("AWS_SESSION_TOKEN"),
    };
    grant->expires_ms = LS_AWS_NEVER;
    return ls_aws_keys_copy(&keys, &grant->keys, err);
}

static ls_code from_web_identity(const char *region, ls_aws_grant *grant, ls_err *err) {
    const char *file = ls_aws_env("AWS_WEB_IDENTITY_TOKEN_FILE");
    const char *arn = ls_aws_env("AWS_ROLE_ARN");
    const char *session = ls_aws_env("AWS_ROLE_SESSION_NAME");
    if (file == NULL || arn == NULL) {
        return not_here(err);
    }
    const ls_aws_role role = {.region = region,
                              .arn = arn,
                              .session = session != NULL ? session : "",
                              .external_id = "",
                              .duration = ""};
    return ls_aws_web_identity(&role, file, grant, err);
}

static ls_code from_machine_or_container(ls_aws_grant *grant, ls_err *err) {
    return ls_aws_in_container() ? ls_aws_from_container(grant, err)
                                 : ls_aws_from_machine(grant, err);
}

/* ---- profiles ---- */

typedef struct profile {
    const ls_aws_files *files;
    const char *name, *region;
    int depth;
    /* its values; "" where they are not set */
    char *id, *secret, *token;
    char *role, *source, *source_kind, *session, *external_id, *duration, *web_token, *mfa;
    char *process, *sso;
} profile;

typedef struct profile_key {
    const char *key;
    size_t field;
} profile_key;

static const profile_key profile_keys[] = {
    {"aws_access_key_id", offsetof(profile, id)},
    {"aws_secret_access_key", offsetof(profile, secret)},
    {"aws_session_token", offsetof(profile, token)},
    {"role_arn", offsetof(profile, role)},
    {"source_profile", offsetof(profile, source)},
    {"credential_source", offsetof(profile, source_kind)},
    {"role_session_name", offsetof(profile, session)},
    {"external_id", offsetof(profile, external_id)},
    {"duration_seconds", offsetof(profile, duration)},
    {"web_identity_token_file", offsetof(profile, web_token)},
    {"mfa_serial", offsetof(profile, mfa)},
    {"credential_process", offsetof(profile, process)},
    {"sso_session", offsetof(profile, sso)},
};
#define N_PROFILE_KEYS (sizeof profile_keys / sizeof profile_keys[0])

static char **profile_field(profile *p, const profile_key *key) {
    return (char **)(void *)((char *)p + key->field);
}

static ls_code profile_read(profile *p, ls_err *err) {
    ls_code code = LS_OK;
    for (size_t i = 0; i < N_PROFILE_KEYS && code == LS_OK; i++) {
        code = ls_aws_profile_get(p->files, p->name, profile_keys[i].key,
                                  profile_field(p, &profile_keys[i]), err);
    }
    return code;
}

static void profile_done(profile *p) {
    for (size_t i = 0; i < N_PROFILE_KEYS; i++) {
        char *text = *profile_field(p, &profile_keys[i]);
        if (text != NULL) {
            explicit_bzero(text, strlen(text));
        }
        free(text);
    }
}

static ls_code from_profile(const ls_aws_files *files, const char *name, const char *region,
                            int depth, ls_aws_grant *grant, ls_err *err);

static ls_code from_static(const profile *p, ls_aws_grant *grant, ls_err *err) {
    if (p->id[0] == '\0' || p->secret[0] == '\0') {
        return not_here(err);
    }
    const ls_aws_keys keys = {
        .id = p->id, .secret = p->secret, .token = p->token[0] != '\0' ? p->token : NULL};
    grant->expires_ms = LS_AWS_NEVER;
    return ls_aws_keys_copy(&keys, &grant->keys, err);
}

static ls_code from_kind(const profile *p, ls_aws_grant *grant, ls_err *err) {
    if (strcmp(p->source_kind, "Environment") == 0) {
        return from_environment(grant, err);
    }
    if (strcmp(p->source_kind, "EcsContainer") == 0 && ls_aws_in_container()) {
        return ls_aws_from_container(grant, err);
    }
    if (strcmp(p->source_kind, "Ec2InstanceMetadata") == 0) {
        return ls_aws_from_machine(grant, err);
    }
    return ls_fail(err, LS_ECONFIG, "profile %s: credential_source %s gives none", p->name,
                   p->source_kind);
}

/* Whose keys ask for the role. */
static ls_code from_base(const profile *p, ls_aws_grant *grant, ls_err *err) {
    if (p->source[0] != '\0' && strcmp(p->source, p->name) != 0) {
        return from_profile(p->files, p->source, p->region, p->depth + 1, grant, err);
    }
    return p->source[0] == '\0' && p->source_kind[0] != '\0' ? from_kind(p, grant, err)
                                                             : from_static(p, grant, err);
}

static ls_code from_role(const profile *p, ls_aws_grant *grant, ls_err *err) {
    const ls_aws_role role = {.region = p->region,
                              .arn = p->role,
                              .session = p->session,
                              .external_id = p->external_id,
                              .duration = p->duration};
    if (p->mfa[0] != '\0') {
        (void)ls_fail(err, LS_ECONFIG, "profile %s: roles that ask for a second factor", p->name);
        return ls_hint(err, "nobody is there to type it; use another role");
    }
    if (p->web_token[0] != '\0') {
        return ls_aws_web_identity(&role, p->web_token, grant, err);
    }
    ls_aws_grant base = {0};
    ls_code code = from_base(p, &base, err);
    if (code == LS_OK) {
        code = ls_aws_assume_role(&role, &base.keys, grant, err);
    } else if (code == LS_ENOTFOUND) {
        code = ls_fail(err, LS_ECONFIG, "profile %s: no keys to ask for its role", p->name);
    }
    ls_aws_keys_done(&base.keys);
    return code;
}

static ls_code from_values(const profile *p, ls_aws_grant *grant, ls_err *err) {
    if (p->role[0] != '\0') {
        return from_role(p, grant, err);
    }
    ls_code code = from_static(p, grant, err);
    if (code != LS_ENOTFOUND) {
        return code;
    }
    if (p->process[0] != '\0') {
        return ls_aws_from_process(p->process, grant, err);
    }
    if (p->sso[0] != '\0') {
        (void)ls_fail(err, LS_ECONFIG, "profile %s: single sign-on is not supported", p->name);
        return ls_hint(err,
                       "add to the profile: credential_process = aws configure "
                       "export-credentials --profile %s",
                       p->name);
    }
    return code;
}

static ls_code from_profile(const ls_aws_files *files, const char *name, const char *region,
                            int depth, ls_aws_grant *grant, ls_err *err) {
    if (depth == PROFILES_MAX) {
        return ls_fail(err, LS_ECONFIG, "profiles that name one another in a circle: %s", name);
    }
    if (!ls_aws_profile_exists(files, name)) {
        return depth == 0 ? not_here(err)
                          : ls_fail(err, LS_ECONFIG, "there is no profile %s", name);
    }
    profile p = {.files = files, .name = name, .region = region, .depth = depth};
    ls_code code = profile_read(&p, err);
    if (code == LS_OK) {
        code = from_values(&p, grant, err);
    }
    profile_done(&p);
    return code;
}

static ls_code from_files(const char *region, ls_aws_grant *grant, ls_err *err) {
    ls_aws_files files;
    const char *named = first_env("AWS_PROFILE", "AWS_DEFAULT_PROFILE", NULL);
    ls_code code = ls_aws_files_read(&files, err);
    if (code == LS_OK && named != NULL && !ls_aws_profile_exists(&files, named)) {
        (void)ls_fail(err, LS_ECONFIG, "AWS_PROFILE names %s, which is in none of the files",
                      named);
        code = ls_hint(err, "see ~/.aws/credentials and ~/.aws/config");
    }
    if (code == LS_OK) {
        code = from_profile(&files, named != NULL ? named : "default", region, 0, grant, err);
    }
    ls_aws_files_done(&files);
    return code;
}

static ls_code from_chain(const char *region, ls_aws_grant *grant, ls_err *err) {
    *grant = (ls_aws_grant){0};
    ls_code code = from_environment(grant, err);
    if (code == LS_ENOTFOUND) {
        code = from_web_identity(region, grant, err);
    }
    if (code == LS_ENOTFOUND) {
        code = from_files(region, grant, err);
    }
    if (code == LS_ENOTFOUND) {
        code = from_machine_or_container(grant, err);
    }
    if (code == LS_ENOTFOUND) {
        *err = LS_ERR_INIT;
        (void)ls_fail(err, LS_ECONFIG, "no credentials found");
        return ls_hint(err, "set access-key-id and secret-access-key, or AWS_ACCESS_KEY_ID and "
                            "AWS_SECRET_ACCESS_KEY, or give this machine a role");
    }
    return code;
}

/* ---- keeping ---- */

static int64_t now_ms(void) { return ls_wall_ms(&ls_clock_system); }

/* With the lock: fetches new keys if it is time. */
static ls_code renew(ls_aws_credentials *c, const char *region, ls_err *err) {
    ls_aws_grant fresh;
    int64_t now = now_ms();
    if (c->grant.keys.id != NULL && now < c->renew_ms) {
        return LS_OK;
    }
    ls_code code = from_chain(region, &fresh, err);
    if (code != LS_OK && c->grant.keys.id != NULL && now < c->grant.expires_ms) {
        ls_err_clear(err);
        c->renew_ms = now + RENEW_AGAIN_MS;
        return LS_OK;
    }
    if (code == LS_OK) {
        ls_aws_keys_done(&c->grant.keys);
        c->grant = fresh;
        c->renew_ms =
            fresh.expires_ms == LS_AWS_NEVER ? LS_AWS_NEVER : fresh.expires_ms - RENEW_BEFORE_MS;
        /* Keys that end soon, or have ended by our clock, are not asked for with each request. */
        if (c->renew_ms < now + RENEW_AGAIN_MS) {
            c->renew_ms = now + RENEW_AGAIN_MS;
        }
    }
    return code;
}

ls_code ls_aws_credentials_get(ls_aws_credentials *c, const char *region, ls_aws_keys *keys,
                               ls_err *err) {
    if (c->fixed.id != NULL) {
        return ls_aws_keys_copy(&c->fixed, keys, err);
    }
    (void)pthread_mutex_lock(&c->lock);
    ls_code code = renew(c, region, err);
    if (code == LS_OK) {
        code = ls_aws_keys_copy(&c->grant.keys, keys, err);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return code;
}

bool ls_aws_credentials_refused(ls_aws_credentials *c, const ls_aws_keys *keys) {
    if (c->fixed.id != NULL) {
        return false;
    }
    (void)pthread_mutex_lock(&c->lock);
    bool temporary = c->grant.expires_ms != LS_AWS_NEVER || c->grant.keys.token != NULL;
    bool same = c->grant.keys.id != NULL && strcmp(c->grant.keys.id, keys->id) == 0;
    if (same && temporary) {
        c->renew_ms = INT64_MIN;
        c->grant.expires_ms = INT64_MIN;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return !same || temporary;
}
