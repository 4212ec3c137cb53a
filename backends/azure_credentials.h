/*
 * Azure's default credentials: client secret or federated token of the environment, managed
 * identity of the machine or the service that runs the program, the az command. The first that is
 * configured and gives a token is used; AZURE_TOKEN_CREDENTIALS narrows the choice.
 */
#ifndef LS_BACKENDS_AZURE_CREDENTIALS_H
#define LS_BACKENDS_AZURE_CREDENTIALS_H

#include "engine/base/error.h"

typedef struct ls_azure ls_azure;

/* Asks nothing yet. */
LS_MUST ls_code ls_azure_new(ls_azure **az, ls_err *err);
void ls_azure_free(ls_azure *az); /* NULL allowed */

/* A token for the store (malloc'd, secret), kept until shortly before it ends. May be called from
 * several threads. LS_EREMOTE with what was tried. */
LS_MUST ls_code ls_azure_token(ls_azure *az, char **token, ls_err *err);

/* This token was refused. */
void ls_azure_drop(ls_azure *az, const char *token);

#endif
