/*
 * The header of the wal-index (https://www.sqlite.org/walformat.html), in the byte order of the
 * machine but for the salts, which are copied from the log:
 *
 *   0 version  8 change counter  12 initialised (u8)  13 checksum order (u8)  14 page size (u16, 1
 *   for 65536)  16 frames  20 pages in the database  24 two checksums of the last frame  32 two
 *   salts  40 two checksums of these 40 bytes;  48 the same again;  96 frames copied
 *
 * A writer changes the second copy first: two equal copies are a header that was whole.
 */
#include "engine/base/file.h"
#include "engine/wal/bytes.h"

#include <string.h>

#define COPY_SIZE 48
#define SUMMED 40
#define READ_SIZE (2 * COPY_SIZE + 4)
#define INDEX_VERSION 3007000U
#define TRIES 16

static uint32_t native32(const uint8_t *p) {
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint32_t page_size_of(const uint8_t *p) {
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return v == 1 ? 65536 : v;
}

/* Recovery of a log in which it finds no commit leaves 0. */
static bool is_page_size(uint32_t page_size, uint32_t frames) {
    return ls_wal_page_size_valid(page_size) || (page_size == 0 && frames == 0);
}

static bool is_whole(const uint8_t *buf) {
    uint32_t ck1 = 0, ck2 = 0;
    ls_wal_checksum(__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__, buf, SUMMED, &ck1, &ck2);
    return memcmp(buf, buf + COPY_SIZE, COPY_SIZE) == 0 && native32(buf) == INDEX_VERSION &&
           buf[12] != 0 && native32(buf + 40) == ck1 && native32(buf + 44) == ck2 &&
           is_page_size(page_size_of(buf + 14), native32(buf + 16));
}

static ls_wal_index decode(const uint8_t *buf) {
    return (ls_wal_index){.valid = true,
                          .frames = native32(buf + 16),
                          .copied = native32(buf + 2 * COPY_SIZE),
                          .commit = native32(buf + 20),
                          .page_size = page_size_of(buf + 14),
                          .salt1 = ls_wal_get32(buf + 32),
                          .salt2 = ls_wal_get32(buf + 36),
                          .ck1 = native32(buf + 24),
                          .ck2 = native32(buf + 28)};
}

ls_code ls_wal_index_read(int fd, ls_wal_index *index, ls_err *err) {
    *index = (ls_wal_index){0};
    for (int i = 0; i < TRIES; i++) {
        uint8_t buf[READ_SIZE];
        size_t got = 0;
        ls_code code = ls_pread_full(fd, buf, sizeof(buf), 0, &got, "wal-index", err);
        if (code != LS_OK || got < sizeof(buf)) {
            return code;
        }
        if (is_whole(buf)) {
            *index = decode(buf);
            return LS_OK;
        }
    }
    return LS_OK;
}
