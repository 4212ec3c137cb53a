/*
 * Single sources of keys for AWS. Used by aws_credentials.c alone.
 */
#ifndef LS_BACKENDS_AWS_SOURCES_H
#define LS_BACKENDS_AWS_SOURCES_H

#include "backends/aws_sign.h"

#define LS_AWS_NEVER INT64_MAX

/* Keys and when they end. */
typedef struct ls_aws_grant {
    ls_aws_keys keys;
    int64_t expires_ms; /* since 1970; LS_AWS_NEVER */
} ls_aws_grant;

/* An environment variable, NULL where it is empty. */
const char *ls_aws_env(const char *name);

/* A token's file up to its first line's end. One that is missing is LS_ECONFIG: LS_ENOTFOUND would
 * have the next source asked. malloc'd. */
LS_MUST ls_code ls_aws_token_file(const char *path, char **token, ls_err *err);

/* ---- the shared files (aws_profile.c) ---- */

typedef struct ls_aws_files {
    char *credentials, *config; /* their text; NULL: there is none */
} ls_aws_files;
LS_MUST ls_code ls_aws_files_read(ls_aws_files *files, ls_err *err);
void ls_aws_files_done(ls_aws_files *files); /* clears them */
bool ls_aws_profile_exists(const ls_aws_files *files, const char *profile);
/* A value of a profile, "" where it is not set; LS_ENOMEM. The credentials file goes first. */
LS_MUST ls_code ls_aws_profile_get(const ls_aws_files *files, const char *profile, const char *key,
                                   char **value, ls_err *err);

/* ---- the token service (aws_sts.c) ---- */

typedef struct ls_aws_role {
    const char *region;
    const char *arn;
    const char *session;     /* ""; a name is made up */
    const char *external_id; /* ""; none */
    const char *duration;    /* seconds; "": as the service does */
} ls_aws_role;
/* from: whose keys sign the request. */
LS_MUST ls_code ls_aws_assume_role(const ls_aws_role *role, const ls_aws_keys *from,
                                   ls_aws_grant *grant, ls_err *err);
LS_MUST ls_code ls_aws_web_identity(const ls_aws_role *role, const char *token_file,
                                    ls_aws_grant *grant, ls_err *err);

/* ---- answers in JSON (aws_metadata.c, aws_process.c) ---- */

/* token_key: "Token" or "SessionToken". what: for errors, which show nothing of the text. */
LS_MUST ls_code ls_aws_grant_of_json(const char *text, size_t len, const char *token_key,
                                     const char *what, ls_aws_grant *grant, ls_err *err);
/* Is there a container's service to ask? */
bool ls_aws_in_container(void);
LS_MUST ls_code ls_aws_from_container(ls_aws_grant *grant, ls_err *err);
/* LS_ENOTFOUND if there is no such service here, or the machine has no role. */
LS_MUST ls_code ls_aws_from_machine(ls_aws_grant *grant, ls_err *err);
LS_MUST ls_code ls_aws_from_process(const char *command, ls_aws_grant *grant, ls_err *err);

#endif
