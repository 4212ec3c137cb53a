/* Digests, by OpenSSL; see digest.h. */
#include "backends/digest.h"

#include "engine/base/file.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK (256 * 1024)

static ls_code failed(ls_err *err) { return ls_fail(err, LS_ENOMEM, "no memory for a digest"); }

ls_code ls_sha256(const void *data, size_t len, uint8_t out[LS_SHA256_SIZE], ls_err *err) {
    unsigned n = 0;
    return EVP_Digest(data, len, out, &n, EVP_sha256(), NULL) == 1 ? LS_OK : failed(err);
}

void ls_hex(const uint8_t *data, size_t len, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[data[i] >> 4];
        out[2 * i + 1] = digits[data[i] & 15];
    }
    out[2 * len] = '\0';
}

ls_code ls_sha256_hex(const void *data, size_t len, char out[LS_SHA256_HEX_SIZE], ls_err *err) {
    uint8_t digest[LS_SHA256_SIZE];
    ls_code code = ls_sha256(data, len, digest, err);
    if (code == LS_OK) {
        ls_hex(digest, sizeof digest, out);
    }
    return code;
}

static ls_code digest_fd(EVP_MD_CTX *ctx, int fd, uint64_t off, uint64_t len, const char *name,
                         ls_err *err) {
    uint8_t *buf = malloc(CHUNK);
    ls_code code = buf != NULL ? LS_OK : failed(err);
    while (code == LS_OK && len > 0) {
        size_t want = len < CHUNK ? (size_t)len : CHUNK;
        size_t got;
        code = ls_pread_full(fd, buf, want, (int64_t)off, &got, name, err);
        if (code == LS_OK && got < want) {
            code = ls_fail(err, LS_EIO, "%s is shorter than it was", name);
        } else if (code == LS_OK && EVP_DigestUpdate(ctx, buf, got) != 1) {
            code = failed(err);
        }
        off += want;
        len -= want;
    }
    free(buf);
    return code;
}

ls_code ls_sha256_hex_fd(int fd, uint64_t off, uint64_t len, const char *name,
                         char out[LS_SHA256_HEX_SIZE], ls_err *err) {
    uint8_t digest[LS_SHA256_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ls_code code = LS_OK;
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1) {
        code = failed(err);
    }
    if (code == LS_OK) {
        code = digest_fd(ctx, fd, off, len, name, err);
    }
    if (code == LS_OK && EVP_DigestFinal_ex(ctx, digest, NULL) != 1) {
        code = failed(err);
    }
    if (code == LS_OK) {
        ls_hex(digest, sizeof digest, out);
    }
    EVP_MD_CTX_free(ctx);
    return code;
}

ls_code ls_hmac_sha256(const void *key, size_t key_len, const void *data, size_t len,
                       uint8_t out[LS_SHA256_SIZE], ls_err *err) {
    unsigned n = 0;
    return HMAC(EVP_sha256(), key, (int)key_len, data, len, out, &n) != NULL ? LS_OK : failed(err);
}

void ls_base64(const uint8_t *data, size_t len, char *out) {
    (void)EVP_EncodeBlock((unsigned char *)out, data, (int)len);
}

ls_code ls_md5_base64(const void *data, size_t len, char out[LS_MD5_BASE64_SIZE], ls_err *err) {
    uint8_t digest[16];
    unsigned n = 0;
    if (EVP_Digest(data, len, digest, &n, EVP_md5(), NULL) != 1) {
        return failed(err);
    }
    ls_base64(digest, sizeof digest, out);
    return LS_OK;
}

static int base64_value(char c) {
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

/* How many of the four characters at text are no padding; 0 if they are no group. */
static size_t group_length(const char *text, bool last) {
    size_t n = 0;
    while (n < 4 && base64_value(text[n]) >= 0) {
        n++;
    }
    if (n == 4) {
        return 4;
    }
    return last && n >= 2 && strcmp(text + n, n == 2 ? "==" : "=") == 0 ? n : 0;
}

ls_code ls_base64_decode(const char *text, uint8_t *out, size_t max, size_t *len) {
    size_t chars = strlen(text);
    *len = 0;
    for (size_t i = 0; i < chars; i += 4) {
        size_t n = chars - i >= 4 ? group_length(text + i, chars - i == 4) : 0;
        if (n == 0 || *len + n - 1 > max) {
            return LS_EINVALID;
        }
        uint32_t bits = 0;
        for (size_t k = 0; k < 4; k++) {
            bits = bits << 6 | (uint32_t)(k < n ? base64_value(text[i + k]) : 0);
        }
        for (size_t k = 0; k + 1 < n; k++) {
            out[(*len)++] = (uint8_t)(bits >> (16 - 8 * k));
        }
    }
    return LS_OK;
}

uint32_t ls_crc32(const void *data, size_t len) {
    const uint8_t *p = data;
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
        }
    }
    return ~crc;
}
