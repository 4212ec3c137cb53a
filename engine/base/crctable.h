/*
 * CRCs of any reflected polynomial of up to 64 bits, a byte at a time: where there is no faster
 * way.
 */
#ifndef LS_BASE_CRCTABLE_H
#define LS_BASE_CRCTABLE_H

#include <stddef.h>
#include <stdint.h>

/* table[b]: what byte b does to a CRC. */
static inline void ls_crc_table(uint64_t polynomial, uint64_t table[256]) {
    for (unsigned b = 0; b < 256; b++) {
        uint64_t c = b;
        for (int bit = 0; bit < 8; bit++) {
            c = (c & 1) != 0 ? c >> 1 ^ polynomial : c >> 1;
        }
        table[b] = c;
    }
}

/* Goes on with crc, which is inverted before and after by whoever's CRC is. */
static inline uint64_t ls_crc_bytes(const uint64_t table[256], uint64_t crc, const void *data,
                                    size_t len) {
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        crc = crc >> 8 ^ table[(crc ^ p[i]) & 255];
    }
    return crc;
}

#endif
