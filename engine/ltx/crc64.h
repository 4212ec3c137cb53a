/*
 * CRC-64 "GO-ISO" as LTX uses it: reflected, polynomial 0xD800000000000000, all ones in and out.
 * Through ISA-L where it was found, else by table; same results.
 */
#ifndef LS_LTX_CRC64_H
#define LS_LTX_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* The CRC of what gave crc followed by data; start with 0. ls_crc64(0, "123456789", 9) is
 * 0xb90956c775a41001. */
uint64_t ls_crc64(uint64_t crc, const void *data, size_t len);

/* The portable version, for tests and machines without ISA-L. */
uint64_t ls_crc64_portable(uint64_t crc, const void *data, size_t len);

/* The CRC of A followed by B from the CRC of A, the CRC of B (each from 0) and B's length: lets
 * threads check parts of a file and put the result together in order. */
uint64_t ls_crc64_combine(uint64_t crc_a, uint64_t crc_b, uint64_t len_b);

/* The same for many B of one length: the table is for that length. */
typedef struct ls_crc64_join {
    uint64_t table[8][256];
} ls_crc64_join;
void ls_crc64_join_init(ls_crc64_join *j, uint64_t len_b);
uint64_t ls_crc64_joined(const ls_crc64_join *j, uint64_t crc_a, uint64_t crc_b);

/* LTX page checksum: FLAG | crc(pgno as u32 big-endian, page). */
uint64_t ls_ltx_page_checksum(uint32_t pgno, const void *page, size_t page_size);

#endif
