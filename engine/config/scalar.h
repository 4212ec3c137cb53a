/*
 * Numbers and booleans as the command line and litestream.yml write them (Go's and YAML 1.1's
 * forms). Parsers take the whole string or fail.
 */
#ifndef LS_CONFIG_SCALAR_H
#define LS_CONFIG_SCALAR_H

#include "engine/base/error.h"

#include <stdint.h>

/* Decimal, or with 0x, 0o, 0b, or a leading 0 (octal); sign allowed; single underscores between
 * digits. LS_EINVALID if it is no number, LS_ELIMIT if it does not fit. Sets no message. */
LS_MUST ls_code ls_int_parse(const char *text, int64_t *value);

/* 1 0 t f T F true false TRUE FALSE True False: Go's strconv.ParseBool. */
LS_MUST bool ls_go_bool_parse(const char *text, bool *value);

/* y n yes no on off true false, each in lower, upper or title case: YAML 1.1. */
LS_MUST bool ls_yaml_bool_parse(const char *text, bool *value);

#endif
