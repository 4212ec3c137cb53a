/* Numbers as SQLite stores them: big-endian, and varints of up to nine bytes. */
#ifndef LS_TUI_BTREE_BYTES_H
#define LS_TUI_BTREE_BYTES_H

#include <stdint.h>

static inline uint32_t btree_u16(const uint8_t *p) { return (uint32_t)p[0] << 8 | p[1]; }

static inline uint32_t btree_u32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Bytes of the varint, 0 if it does not end within len. */
static inline uint32_t btree_varint(const uint8_t *p, uint64_t len, uint64_t *value) {
    uint64_t v = 0;
    for (uint32_t i = 0; i < 9 && i < len; i++) {
        if (i == 8) {
            *value = v << 8 | p[i];
            return 9;
        }
        v = v << 7 | (p[i] & 0x7f);
        if (p[i] < 0x80) {
            *value = v;
            return i + 1;
        }
    }
    return 0;
}

#endif
