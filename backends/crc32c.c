/* CRC-32C by table, or through ISA-L where it was found; see crc32c.h. */
#include "backends/crc32c.h"

#include "engine/base/crctable.h"

#include <openssl/evp.h>
#include <pthread.h>

#ifdef HAVE_ISAL
#include <isa-l/crc.h>

uint32_t ls_crc32c(uint32_t crc, const void *data, size_t len) {
    const unsigned char *p = data;
    crc = ~crc;
    while (len > 0) {
        int n = len < (1u << 30) ? (int)len : 1 << 30;
        crc = crc32_iscsi((unsigned char *)(uintptr_t)p, n, crc);
        p += n;
        len -= (size_t)n;
    }
    return ~crc;
}
#else
#define POLYNOMIAL 0x82f63b78u

static uint64_t table[256];

static void make_table(void) { ls_crc_table(POLYNOMIAL, table); }

uint32_t ls_crc32c(uint32_t crc, const void *data, size_t len) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_table);
    return ~(uint32_t)ls_crc_bytes(table, (uint32_t)~crc, data, len);
}
#endif

char *ls_crc32c_text(uint32_t crc, char buf[LS_CRC32C_TEXT_SIZE]) {
    const unsigned char bytes[4] = {(unsigned char)(crc >> 24), (unsigned char)(crc >> 16),
                                    (unsigned char)(crc >> 8), (unsigned char)crc};
    (void)EVP_EncodeBlock((unsigned char *)buf, bytes, sizeof bytes);
    return buf;
}
