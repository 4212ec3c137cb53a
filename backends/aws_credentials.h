/*
 * Where keys for AWS and what speaks like it come from: the settings, else what AWS's own programs
 * look at, in their order: environment, web identity, the shared files with their profiles (static
 * keys, roles, processes), the container's and the machine's role.
 *
 * What is temporary is kept and renewed five minutes before it ends; a renewal that fails while the
 * keys are still good is tried again later. Nothing is looked at before the first use.
 */
#ifndef LS_BACKENDS_AWS_CREDENTIALS_H
#define LS_BACKENDS_AWS_CREDENTIALS_H

#include "backends/aws_sign.h"

typedef struct ls_aws_credentials ls_aws_credentials;

/* id and secret together are used for ever and nothing else is; else the chain. All copied. */
LS_MUST ls_code ls_aws_credentials_new(const char *id, const char *secret, const char *token,
                                       ls_aws_credentials **c, ls_err *err);
void ls_aws_credentials_free(ls_aws_credentials *c); /* NULL allowed */

/* A copy of the keys that are good now; region is that of the token service to ask. From several
 * threads. LS_ECONFIG if there are none, LS_EREMOTE if they could not be fetched. */
LS_MUST ls_code ls_aws_credentials_get(ls_aws_credentials *c, const char *region, ls_aws_keys *keys,
                                       ls_err *err);

/* These keys, which a service has refused, are not used again if there may be others; true if the
 * next call asks for new ones. */
bool ls_aws_credentials_refused(ls_aws_credentials *c, const ls_aws_keys *keys);

#endif
