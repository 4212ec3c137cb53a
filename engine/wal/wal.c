/*
 * The log's header and SQLite's checksum. Layout and rules are in wal.h.
 *
 * The checksum runs over pairs of 32-bit words (x, y):  s0 += x + s1;  s1 += y + s0.  The magic
 * says in which byte order the words are taken; the sums are always stored big-endian.
 */
#include "engine/wal/wal.h"

#include "engine/base/file.h"
#include "engine/wal/bytes.h"

#include <string.h>

#define WAL_MAGIC 0x377f0682U /* the lowest bit set: big-endian checksum words */
#define WAL_VERSION 3007000U

#define NATIVE_BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

static inline uint32_t load_word(const uint8_t *p, bool swap) {
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return swap ? __builtin_bswap32(v) : v;
}

/* Word and sum are added before the step's other sum comes in: two dependent additions per 8 bytes
 * are all that the processor has to wait for. */
static inline void checksum_words(const uint8_t *data, size_t len, bool swap, uint32_t *ck1,
                                  uint32_t *ck2) {
    uint32_t s0 = *ck1, s1 = *ck2;
    for (const uint8_t *end = data + len; data < end; data += 8) {
        uint32_t a = s0 + load_word(data, swap);
        uint32_t b = s1 + load_word(data + 4, swap);
        s0 = a + s1;
        s1 = b + s0;
    }
    *ck1 = s0;
    *ck2 = s1;
}

void ls_wal_checksum(bool big_endian, const uint8_t *data, size_t len, uint32_t *ck1,
                     uint32_t *ck2) {
    len &= ~(size_t)7;
    if (big_endian == NATIVE_BIG_ENDIAN) {
        checksum_words(data, len, false, ck1, ck2);
    } else {
        checksum_words(data, len, true, ck1, ck2);
    }
}

bool ls_wal_page_size_valid(uint32_t page_size) {
    return page_size >= 512 && page_size <= 65536 && (page_size & (page_size - 1)) == 0;
}

ls_wal_state ls_wal_header_decode(const uint8_t buf[LS_WAL_HEADER_SIZE], ls_wal_header *hdr) {
    memset(hdr, 0, sizeof(*hdr));
    uint32_t magic = ls_wal_get32(buf);
    uint32_t page_size = ls_wal_get32(buf + 8);
    if ((magic & ~1U) != WAL_MAGIC || ls_wal_get32(buf + 4) != WAL_VERSION ||
        !ls_wal_page_size_valid(page_size)) {
        return LS_WAL_INVALID;
    }
    bool big_endian = (magic & 1U) != 0;
    uint32_t ck1 = 0, ck2 = 0;
    ls_wal_checksum(big_endian, buf, LS_WAL_HEADER_SIZE - 8, &ck1, &ck2);
    if (ck1 != ls_wal_get32(buf + 24) || ck2 != ls_wal_get32(buf + 28)) {
        return LS_WAL_INVALID;
    }
    *hdr = (ls_wal_header){.big_endian = big_endian,
                           .page_size = page_size,
                           .seq = ls_wal_get32(buf + 12),
                           .salt1 = ls_wal_get32(buf + 16),
                           .salt2 = ls_wal_get32(buf + 20),
                           .ck1 = ck1,
                           .ck2 = ck2};
    return LS_WAL_VALID;
}

ls_code ls_wal_header_read(int fd, ls_wal_header *hdr, ls_wal_state *state, ls_err *err) {
    uint8_t buf[LS_WAL_HEADER_SIZE];
    size_t got = 0;
    ls_code code = ls_pread_full(fd, buf, sizeof(buf), 0, &got, "write-ahead log", err);
    if (code != LS_OK) {
        return code;
    }
    if (got < sizeof(buf)) {
        memset(hdr, 0, sizeof(*hdr));
        *state = LS_WAL_EMPTY;
        return LS_OK;
    }
    *state = ls_wal_header_decode(buf, hdr);
    return LS_OK;
}

bool ls_wal_header_equal(const ls_wal_header *a, const ls_wal_header *b) {
    return a->big_endian == b->big_endian && a->page_size == b->page_size && a->seq == b->seq &&
           a->salt1 == b->salt1 && a->salt2 == b->salt2 && a->ck1 == b->ck1 && a->ck2 == b->ck2;
}

bool ls_wal_frame_has_salts(const uint8_t *frame, const ls_wal_header *hdr) {
    ls_wal_frame_header f = ls_wal_frame_header_decode(frame);
    return ls_wal_frame_current(&f, hdr);
}
