/*
 * Digests in the forms that services want them in. Used by the stores alone.
 */
#ifndef LS_BACKENDS_DIGEST_H
#define LS_BACKENDS_DIGEST_H

#include "engine/base/error.h"

#include <stdint.h>

#define LS_SHA256_SIZE 32
#define LS_SHA256_HEX_SIZE 65
#define LS_MD5_BASE64_SIZE 25

/* LS_ENOMEM if the library fails. */
LS_MUST ls_code ls_sha256(const void *data, size_t len, uint8_t out[LS_SHA256_SIZE], ls_err *err);
LS_MUST ls_code ls_sha256_hex(const void *data, size_t len, char out[LS_SHA256_HEX_SIZE],
                              ls_err *err);
/* Of len bytes of an open file from off on; name stands in errors. */
LS_MUST ls_code ls_sha256_hex_fd(int fd, uint64_t off, uint64_t len, const char *name,
                                 char out[LS_SHA256_HEX_SIZE], ls_err *err);
LS_MUST ls_code ls_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                               uint8_t out[LS_SHA256_SIZE], ls_err *err);
LS_MUST ls_code ls_md5_base64(const void *data, size_t len, char out[LS_MD5_BASE64_SIZE],
                              ls_err *err);

/* Lower case; out has room for 2 * len + 1. */
void ls_hex(const uint8_t *data, size_t len, char *out);

/* With padding; out has room for 4 * ((len + 2) / 3) + 1. */
void ls_base64(const uint8_t *data, size_t len, char *out);

/* Standard alphabet, with padding; out has room for max bytes. LS_EINVALID for what is none or has
 * more. */
LS_MUST ls_code ls_base64_decode(const char *text, uint8_t *out, size_t max, size_t *len);

/* CRC-32 of IEEE 802.3. */
uint32_t ls_crc32(const void *data, size_t len);

#endif
