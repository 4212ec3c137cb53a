/*
 * Key pairs of NATS (nkeys): the public key that belongs to a seed.
 */
#ifndef LS_BACKENDS_NATS_KEY_H
#define LS_BACKENDS_NATS_KEY_H

#include "engine/base/error.h"

#define LS_NATS_PUBLIC_SIZE 57 /* 56 letters and digits */

/* The public key of a seed ("SU..."). LS_ECONFIG for what is none; the seed is not shown. */
LS_MUST ls_code ls_nats_public_key(const char *seed, char out[LS_NATS_PUBLIC_SIZE], ls_err *err);

#endif
