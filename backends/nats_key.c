/*
 * Key pairs of NATS; see nats_key.h. A key is base32 of one byte that says what it is for, the 32
 * bytes of Ed25519 and a CRC-16; a seed has a second byte in front, over both of which the kind of
 * its public key is spread.
 */
#include "backends/nats_key.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdint.h>
#include <string.h>

#define KEY 32
#define SEED_RAW (2 + KEY + 2)
#define PUBLIC_RAW (1 + KEY + 2)
#define KIND_SEED (18u << 3)

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static uint16_t crc16(const uint8_t *data, size_t len) {
    uint16_t crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc = (uint16_t)(crc ^ data[i] << 8);
        for (int bit = 0; bit < 8; bit++) {
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
        }
    }
    return crc;
}

/* Decodes exactly len bytes; the last letter may have bits left over. */
static bool decode32(const char *text, uint8_t *out, size_t len) {
    uint32_t bits = 0;
    unsigned n = 0;
    size_t at = 0;
    for (; *text != '\0'; text++) {
        const char *found = strchr(alphabet, *text);
        if (found == NULL || at == len) {
            return false;
        }
        bits = bits << 5 | (uint32_t)(found - alphabet);
        n += 5;
        if (n >= 8) {
            n -= 8;
            out[at++] = (uint8_t)(bits >> n);
        }
    }
    return at == len;
}

static void encode32(const uint8_t *data, size_t len, char *out) {
    uint32_t bits = 0;
    unsigned n = 0;
    for (size_t i = 0; i < len; i++) {
        bits = bits << 8 | data[i];
        for (n += 8; n >= 5; n -= 5) {
            *out++ = alphabet[bits >> (n - 5) & 31];
        }
    }
    if (n > 0) {
        *out++ = alphabet[bits << (5 - n) & 31];
    }
    *out = '\0';
}

static bool public_of(const uint8_t seed[KEY], uint8_t out[KEY]) {
    size_t len = KEY;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY);
    bool good = key != NULL && EVP_PKEY_get_raw_public_key(key, out, &len) == 1 && len == KEY;
    EVP_PKEY_free(key);
    return good;
}

static bool convert(const char *seed, char out[LS_NATS_PUBLIC_SIZE]) {
    uint8_t raw[SEED_RAW] = {0};
    uint8_t public[PUBLIC_RAW];
    bool good =
        decode32(seed, raw, SEED_RAW) && (raw[0] & 0xf8) == KIND_SEED &&
        crc16(raw, SEED_RAW - 2) == (uint16_t)(raw[SEED_RAW - 2] | raw[SEED_RAW - 1] << 8) &&
        public_of(raw + 2, public + 1);
    if (good) {
        public[0] = (uint8_t)((raw[0] & 7) << 5 | raw[1] >> 3);
        uint16_t crc = crc16(public, PUBLIC_RAW - 2);
        public[PUBLIC_RAW - 2] = (uint8_t)crc;
        public[PUBLIC_RAW - 1] = (uint8_t)(crc >> 8);
        encode32(public, PUBLIC_RAW, out);
    }
    OPENSSL_cleanse(raw, sizeof raw);
    return good;
}

ls_code ls_nats_public_key(const char *seed, char out[LS_NATS_PUBLIC_SIZE], ls_err *err) {
    if (convert(seed, out)) {
        return LS_OK;
    }
    ls_fail(err, LS_ECONFIG, "nats: not a seed of a key pair");
    return ls_hint(err, "a seed begins with SU and has 58 letters and digits");
}
