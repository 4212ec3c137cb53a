/* CRC-64 of ECMA-182, reflected, by which Alibaba Cloud OSS checks what it stores. Not that of LTX
 * (engine/ltx/crc64.h). */
#ifndef LS_BACKENDS_CRC64ECMA_H
#define LS_BACKENDS_CRC64ECMA_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what gave crc followed by data; start with 0. ls_crc64ecma(0, "123456789", 9) is
 * 0x995dc9bbdf1939fa. */
uint64_t ls_crc64ecma(uint64_t crc, const void *data, size_t len);

#endif
