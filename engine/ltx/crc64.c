/*
 * CRC-64 "GO-ISO". Values are what the world sees: inverted going in and coming out, so that the
 * CRC of nothing is 0 and a CRC can be continued.
 *
 * In the reflected form bit 63 is x^0; multiplying by x is a shift to the right.
 */
#include "engine/ltx/crc64.h"

#include "engine/base/crctable.h"
#include "engine/ltx/bytes.h"
#include "engine/ltx/ltx.h"

#include <pthread.h>
#ifdef HAVE_ISAL
#include <isa-l/crc64.h>
#endif

#define POLY 0xD800000000000000u

static uint64_t table[8][256];
static pthread_once_t table_once = PTHREAD_ONCE_INIT;

/* table[k][b]: what byte b does to the CRC when k more bytes follow it. */
static void table_fill(void) {
    ls_crc_table(POLY, table[0]);
    for (int k = 1; k < 8; k++)
        for (unsigned b = 0; b < 256; b++)
            table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 0xff];
}

uint64_t ls_crc64_portable(uint64_t crc, const void *data, size_t len) {
    pthread_once(&table_once, table_fill);
    const uint8_t *p = data;
    uint64_t c = ~crc;
    for (; len >= 8; p += 8, len -= 8) {
        c ^= get_le64(p);
        c = table[7][c & 0xff] ^ table[6][c >> 8 & 0xff] ^ table[5][c >> 16 & 0xff] ^
            table[4][c >> 24 & 0xff] ^ table[3][c >> 32 & 0xff] ^ table[2][c >> 40 & 0xff] ^
            table[1][c >> 48 & 0xff] ^ table[0][c >> 56];
    }
    return ~ls_crc_bytes(table[0], c, p, len);
}

uint64_t ls_crc64(uint64_t crc, const void *data, size_t len) {
#ifdef HAVE_ISAL
    return crc64_iso_refl(crc, data, len);
#else
    return ls_crc64_portable(crc, data, len);
#endif
}

/* a * b modulo the polynomial. */
static uint64_t multiply(uint64_t a, uint64_t b) {
    uint64_t product = 0;
    for (; a != 0; a <<= 1) {
        if (a >> 63 != 0)
            product ^= b;
        b = (b & 1) != 0 ? b >> 1 ^ POLY : b >> 1;
    }
    return product;
}

/* x to the power of 8 len, by which len bytes shift what comes before them. */
static uint64_t shift_by(uint64_t len) {
    uint64_t shift = (uint64_t)1 << 63;       /* x^0 */
    uint64_t power = (uint64_t)1 << (63 - 8); /* x^8: one byte */
    for (uint64_t n = len; n != 0; n >>= 1) {
        if ((n & 1) != 0)
            shift = multiply(shift, power);
        power = multiply(power, power);
    }
    return shift;
}

uint64_t ls_crc64_combine(uint64_t crc_a, uint64_t crc_b, uint64_t len_b) {
    return multiply(shift_by(len_b), crc_a) ^ crc_b;
}

/* table[k][b]: byte k of a CRC, being b, shifted; the sum of what its bits give. */
void ls_crc64_join_init(ls_crc64_join *j, uint64_t len_b) {
    uint64_t shift = shift_by(len_b);
    for (unsigned k = 0; k < 8; k++) {
        j->table[k][0] = 0;
        for (unsigned bit = 0; bit < 8; bit++) {
            unsigned b = 1u << bit;
            j->table[k][b] = multiply(shift, (uint64_t)b << 8 * k);
            for (unsigned rest = 1; rest < b; rest++)
                j->table[k][b + rest] = j->table[k][b] ^ j->table[k][rest];
        }
    }
}

uint64_t ls_crc64_joined(const ls_crc64_join *j, uint64_t crc_a, uint64_t crc_b) {
    for (unsigned k = 0; k < 8; k++)
        crc_b ^= j->table[k][crc_a >> 8 * k & 0xff];
    return crc_b;
}

uint64_t ls_ltx_page_checksum(uint32_t pgno, const void *page, size_t page_size) {
    uint8_t head[4];
    put_be32(head, pgno);
    return LS_LTX_CHECKSUM_FLAG | ls_crc64(ls_crc64(0, head, sizeof head), page, page_size);
}
