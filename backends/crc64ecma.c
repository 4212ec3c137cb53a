/* CRC-64 of ECMA-182 by table, or through ISA-L where it was found; see crc64ecma.h. */
#include "backends/crc64ecma.h"

#ifdef HAVE_ISAL
#include <isa-l/crc64.h>

uint64_t ls_crc64ecma(uint64_t crc, const void *data, size_t len) {
    return crc64_ecma_refl(crc, data, len);
}
#else
#include "engine/base/crctable.h"

#include <pthread.h>

#define POLYNOMIAL 0xc96c5795d7870f42u

static uint64_t table[256];

static void make_table(void) { ls_crc_table(POLYNOMIAL, table); }

uint64_t ls_crc64ecma(uint64_t crc, const void *data, size_t len) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_table);
    return ~ls_crc_bytes(table, ~crc, data, len);
}
#endif
