/*
 * Any bytes as a log: reader, ranges by list and by windows, and the proof of a page must agree.
 *
 * Input: one byte of options, then the log.
 *   bits 0-1  page size 512 << n, written into the header
 *   bit  2    byte order of the checksums
 *   bits 3-4  what is made right in the log: nothing, the header, and all frames (salts too)
 *   bits 5-6  list, list of two frames, windows of one page or of three
 *   bit  7    pages are kept in memory
 */
#include "t/fuzz/fuzz.h"

#include "engine/wal/range_limits.h"
#include "engine/wal/wal.h"

#include <sys/mman.h>
#include <unistd.h>

#define MAX_LOG 65536

static void put32(uint8_t *p, uint32_t v) {
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static void make_right(uint8_t *log, size_t size, uint8_t options) {
    int what = options >> 3 & 3;
    if (what == 0 || size < LS_WAL_HEADER_SIZE) {
        return;
    }
    bool big = (options & 4) != 0;
    size_t page_size = (size_t)512 << (options & 3);
    uint32_t ck1 = 0, ck2 = 0;
    put32(log, big ? 0x377f0683U : 0x377f0682U);
    put32(log + 4, 3007000);
    put32(log + 8, (uint32_t)page_size);
    ls_wal_checksum(big, log, 24, &ck1, &ck2);
    put32(log + 24, ck1);
    put32(log + 28, ck2);
    for (size_t at = 32; what > 1 && at + 24 + page_size <= size; at += 24 + page_size) {
        memcpy(log + at + 8, log + 16, 8);
        ls_wal_checksum(big, log + at, 8, &ck1, &ck2);
        ls_wal_checksum(big, log + at + 24, page_size, &ck1, &ck2);
        put32(log + at + 16, ck1);
        put32(log + at + 20, ck2);
    }
}

static void set_limits(uint8_t options) {
    static const ls_wal_range_limits limits[4] = {
        {LS_WAL_RANGE_FRAMES, LS_WAL_WINDOW_PAGES, 0}, {2, 4, 0}, {1, 1, 0}, {1, 3, 0}};
    ls_wal_limits = limits[options >> 5 & 3];
    ls_wal_limits.keep_bytes = (options & 128) != 0 ? LS_WAL_KEEP_BYTES : 0;
}

/* Frames by the reader: the last commit's place, and how many frames there are up to it. */
static uint32_t read_frames(int fd, const ls_wal_header *h, const uint8_t *log, ls_wal_pos *end) {
    ls_wal_pos pos = ls_wal_pos_start(h);
    ls_err err = LS_ERR_INIT;
    ls_wal_reader *r;
    uint32_t n = 0, committed = 0;
    EXPECT(ls_wal_reader_new(fd, h, &pos, &r, &err) == LS_OK);
    *end = pos;
    for (;; n++) {
        ls_wal_frame f;
        bool eof;
        EXPECT(ls_wal_reader_next(r, &f, &eof, &err) == LS_OK);
        if (eof) {
            break;
        }
        EXPECT(f.pgno != 0 && memcmp(f.page, log + f.offset + 24, h->page_size) == 0);
        if (f.commit != 0) {
            committed = n + 1;
            *end = ls_wal_reader_pos(r);
        }
    }
    ls_wal_reader_free(r);
    return committed;
}

/* Windows of few pages over page numbers of up to 32 bits would take for ever to walk. */
#define MAX_WALK 100000

static void walk(ls_wal_range *r, const ls_wal_range_info *info, const uint8_t *log,
                 uint32_t page_size) {
    static uint8_t page[65536];
    uint32_t last = 0, pages = 0;
    for (;;) {
        ls_err err = LS_ERR_INIT;
        uint32_t pgno;
        int64_t offset, found;
        EXPECT(ls_wal_range_next(r, MAX_WALK, &pgno, &offset, &err) == LS_OK);
        if (pgno == 0) {
            break;
        }
        EXPECT(pgno > last && offset >= info->begin.offset && offset < info->end.offset);
        EXPECT(ls_wal_range_find(r, pgno, &found, &err) == LS_OK && found == offset);
        EXPECT(ls_wal_range_page(r, pgno, offset, page, &err) == LS_OK);
        EXPECT(memcmp(page, log + offset + 24, page_size) == 0);
        EXPECT(ls_wal_range_page(r, pgno, offset + 1, page, &err) == LS_EINVALID);
        last = pgno;
        pages++;
    }
    EXPECT(pages <= info->frames);
}

static void scan(int fd, const ls_wal_header *h, const uint8_t *log) {
    ls_wal_pos pos = ls_wal_pos_start(h), end, reached_at;
    uint32_t frames = read_frames(fd, h, log, &end);
    ls_err err = LS_ERR_INIT;
    ls_wal_range *r;
    ls_wal_range_info info;
    EXPECT(ls_wal_range_scan(fd, h, &pos, 0, &r, &info, &err) == LS_OK);
    EXPECT((r != NULL) == (frames != 0) && info.frames == frames && info.at_end);
    EXPECT(info.end.offset == end.offset && info.end.ck1 == end.ck1 && info.end.ck2 == end.ck2);
    if (r != NULL) {
        walk(r, &info, log, h->page_size);
    }
    ls_wal_range_free(r);
    EXPECT(ls_wal_range_until(fd, h, &pos, &end, &r, &info, &err) == LS_OK &&
           info.frames == frames);
    ls_wal_range_free(r);
    bool reached;
    EXPECT(ls_wal_follow(fd, h, &pos, end.offset, &reached_at, &reached, &err) == LS_OK && reached);
    for (uint32_t sum = 0; sum < frames; sum += info.frames) {
        EXPECT(ls_wal_range_scan(fd, h, &pos, 1, &r, &info, &err) == LS_OK && r != NULL);
        ls_wal_range_free(r);
        pos = info.end;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static uint8_t log[MAX_LOG];
    static int fd = -1;
    if (size == 0 || size > MAX_LOG) {
        return 0;
    }
    if (fd < 0) {
        fd = memfd_create("log", MFD_CLOEXEC);
    }
    memcpy(log, data + 1, size - 1);
    make_right(log, size - 1, data[0]);
    set_limits(data[0]);
    EXPECT(ftruncate(fd, 0) == 0 && pwrite(fd, log, size - 1, 0) == (ssize_t)(size - 1));
    ls_wal_header h;
    ls_wal_state state;
    ls_err err = LS_ERR_INIT;
    EXPECT(ls_wal_header_read(fd, &h, &state, &err) == LS_OK);
    if (state == LS_WAL_VALID) {
        scan(fd, &h, log);
    }
    return 0;
}
