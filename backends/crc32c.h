/* CRC-32C (Castagnoli), by which Google Cloud Storage checks what it stores. */
#ifndef LS_BACKENDS_CRC32C_H
#define LS_BACKENDS_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what gave crc followed by data; start with 0. ls_crc32c(0, "123456789", 9) is
 * 0xe3069283. */
uint32_t ls_crc32c(uint32_t crc, const void *data, size_t len);

/* As the service writes it: base64 of the four bytes, big end first, into buf; returns buf. */
#define LS_CRC32C_TEXT_SIZE 16
char *ls_crc32c_text(uint32_t crc, char buf[LS_CRC32C_TEXT_SIZE]);

#endif
