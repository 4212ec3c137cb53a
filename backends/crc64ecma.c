/* CRC-64 of ECMA-182 by table, or through ISA-L where it was found; see crc64ecma.h. */
#include "backends/crc64ecma.h"

#ifdef HAVE_ISAL
#include <isa-l/crc64.h>

uint64_t ls_crc64ecma(uint64_t crc, const void *data, size_t len) {
    return crc64_ecma_refl(crc, data, len);
}
#else
#include <pthread.h>

#define POLYNOMIAL 0xc96c5795d7870f42u

static uint64_t table[256];

static void make_table(void) {
    for (uint64_t i = 0; i < 256; i++) {
        uint64_t x = i;
        for (int bit = 0; bit < 8; bit++) {
            x = (x & 1) != 0 ? x >> 1 ^ POLYNOMIAL : x >> 1;
        }
        table[i] = x;
    }
}

uint64_t ls_crc64ecma(uint64_t crc, const void *data, size_t len) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const uint8_t *p = data;
    (void)pthread_once(&once, make_table);
    crc = ~crc;
    for (size_t i = 0; i < len; i++) {
        crc = table[(crc ^ p[i]) & 255] ^ crc >> 8;
    }
    return ~crc;
}
#endif
