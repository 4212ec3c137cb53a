/*
 * Google's application default credentials: the file that GOOGLE_APPLICATION_CREDENTIALS names,
 * else that of gcloud, else the metadata server of the machine. Of files are taken:
 * service_account, authorized_user, external_account (workload identity, by a file or a URL) and
 * impersonated_service_account.
 */
#ifndef LS_BACKENDS_GOOGLE_CREDENTIALS_H
#define LS_BACKENDS_GOOGLE_CREDENTIALS_H

#include "engine/base/error.h"

typedef struct ls_google ls_google;

/* Reads and asks nothing yet. */
LS_MUST ls_code ls_google_new(ls_google **g, ls_err *err);
void ls_google_free(ls_google *g); /* NULL allowed */

/* A token for requests to the store (malloc'd, secret), kept until shortly before it ends. May be
 * called from several threads. LS_EREMOTE, LS_ECONFIG or LS_ENOTFOUND with what was tried. */
LS_MUST ls_code ls_google_token(ls_google *g, char **token, ls_err *err);

/* This token was refused. */
void ls_google_drop(ls_google *g, const char *token);

#endif
