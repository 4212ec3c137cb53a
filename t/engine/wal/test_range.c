/* Ranges of committed frames: what they hold, where they end, and that a page is proved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/wal/range.h"
#include "engine/wal/range_limits.h"
#include "t/engine/wal/walkit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const ls_wal_range_limits normal = {LS_WAL_RANGE_FRAMES, LS_WAL_WINDOW_PAGES,
                                           LS_WAL_KEEP_BYTES};

/* List kept in memory, list re-read, windows of several sizes. */
static const ls_wal_range_limits variants[] = {
    {LS_WAL_RANGE_FRAMES, LS_WAL_WINDOW_PAGES, LS_WAL_KEEP_BYTES},
    {LS_WAL_RANGE_FRAMES, LS_WAL_WINDOW_PAGES, 0},
    {160, LS_WAL_WINDOW_PAGES, 0},
    {1, LS_WAL_WINDOW_PAGES, 0},
    {1, 1, 0},
    {2, 7, 0},
    {3, 64, LS_WAL_KEEP_BYTES},
};
#define N_VARIANTS (sizeof(variants) / sizeof(variants[0]))

static int setup(void **state) {
    ls_wal_limits = normal;
    return kit_setup(state);
}

static int teardown(void **state) {
    ls_wal_limits = normal;
    return kit_teardown(state);
}

static ls_wal_range *scan_all(int fd, ls_wal_range_info *info) {
    ls_wal_header h = kit_header(fd);
    ls_wal_pos pos = ls_wal_pos_start(&h);
    ls_wal_range *r;
    ls_err err = LS_ERR_INIT;
    if (ls_wal_range_scan(fd, &h, &pos, 0, &r, info, &err) != LS_OK) {
        fail_msg("%s", err.msg);
    }
    return r;
}

/* The newest frame of pgno in [from, to) by looking at all of them; NULL if there is none. */
static const ls_wal_frame *newest(const kit_frames *all, size_t from, size_t to, uint32_t pgno) {
    for (size_t i = to; i-- > from;) {
        if (all->f[i].pgno == pgno) {
            return &all->f[i];
        }
    }
    return NULL;
}

/* The range holds exactly the newest frames of [from, to) up to limit, by next, find and page. */
static void expect_range(ls_wal_range *r, const kit_frames *all, size_t from, size_t to,
                         uint32_t limit, uint32_t max_pgno) {
    ls_err err = LS_ERR_INIT;
    uint32_t page_size = r->hdr.page_size;
    uint8_t *page = malloc(page_size);
    assert_non_null(page);
    for (int pass = 0; pass < 2; pass++) {
        uint32_t pgno;
        int64_t offset;
        ls_wal_range_rewind(r);
        for (uint32_t want = 1; want <= max_pgno; want++) {
            const ls_wal_frame *w = newest(all, from, to, want);
            assert_int_equal(ls_wal_range_find(r, want, &offset, &err), LS_OK);
            assert_int_equal(offset, w == NULL ? 0 : w->offset);
            if (w == NULL || want > limit) {
                continue;
            }
            assert_int_equal(ls_wal_range_next(r, limit, &pgno, &offset, &err), LS_OK);
            assert_int_equal(pgno, want);
            assert_int_equal(offset, w->offset);
            assert_int_equal(ls_wal_range_page(r, pgno, offset, page, &err), LS_OK);
            assert_memory_equal(page, w->page, page_size);
        }
        assert_int_equal(ls_wal_range_next(r, limit, &pgno, &offset, &err), LS_OK);
        assert_int_equal(pgno, 0);
        assert_int_equal(ls_wal_range_next(r, limit, &pgno, &offset, &err), LS_OK);
        assert_int_equal(pgno, 0);
    }
    free(page);
}

/* Database file with the range's pages put over it: what a checkpoint makes of it. */
static kit_bytes image(const kit_bytes *db, ls_wal_range *r, const ls_wal_range_info *info,
                       uint32_t page_size) {
    ls_err err = LS_ERR_INIT;
    kit_bytes b = {.len = (size_t)info->commit * page_size};
    b.data = calloc(1, b.len);
    assert_non_null(b.data);
    memcpy(b.data, db->data, db->len < b.len ? db->len : b.len);
    for (;;) {
        uint32_t pgno;
        int64_t offset;
        assert_int_equal(ls_wal_range_next(r, info->commit, &pgno, &offset, &err), LS_OK);
        if (pgno == 0) {
            return b;
        }
        uint8_t *at = b.data + (size_t)(pgno - 1) * page_size;
        assert_int_equal(ls_wal_range_page(r, pgno, offset, at, &err), LS_OK);
    }
}

/* At every page size and by every path the range is what SQLite's own checkpoint writes. */
static void equals_checkpoint(void **state) {
    (void)state;
    const int sizes[] = {512, 1024, 4096, 65536};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        sqlite3 *db = kit_open("db", sizes[i]);
        kit_workload(db, 10);
        kit_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
        kit_workload(db, 30);
        kit_exec(db, "DELETE FROM t WHERE id > 5; VACUUM");
        kit_workload(db, 3);
        kit_bytes before = kit_read("db"), got[N_VARIANTS];
        int fd = kit_open_file("db-wal");
        for (size_t v = 0; v < N_VARIANTS; v++) {
            ls_wal_limits = variants[v];
            ls_wal_range_info info;
            ls_wal_range *r = scan_all(fd, &info);
            assert_true(info.at_end);
            got[v] = image(&before, r, &info, (uint32_t)sizes[i]);
            ls_wal_range_free(r);
        }
        close(fd);
        kit_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
        kit_bytes after = kit_read("db");
        for (size_t v = 0; v < N_VARIANTS; v++) {
            assert_int_equal(got[v].len, after.len);
            assert_memory_equal(got[v].data, after.data, after.len);
            kit_free(&got[v]);
        }
        kit_free(&before);
        kit_free(&after);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_return_code(unlink(kit_path("db")), 0);
    }
}

/* A log made by SQLite; the database is closed, the log stays in memory. */
static kit_bytes sqlite_log(int page_size, int transactions) {
    sqlite3 *db = kit_open("log", page_size);
    kit_workload(db, transactions);
    kit_bytes b = kit_read("log-wal");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_return_code(unlink(kit_path("log")), 0);
    return b;
}

/* All paths give the same pages, both byte orders, whole and limited. */
static void all_paths_agree(void **state) {
    (void)state;
    kit_bytes b = sqlite_log(512, 25);
    for (int big = 0; big < 2; big++) {
        kit_seal(&b, big);
        kit_frames all = kit_parse(&b);
        assert_true(all.n > 200 && all.committed == all.n);
        int fd = kit_open_bytes(&b);
        for (size_t v = 0; v < N_VARIANTS; v++) {
            ls_wal_limits = variants[v];
            ls_wal_range_info info;
            ls_wal_range *r = scan_all(fd, &info);
            assert_int_equal(r->windowed, ls_wal_limits.frames < 160);
            assert_int_equal(r->kept != NULL, ls_wal_limits.keep_bytes != 0);
            assert_int_equal(info.frames, all.n);
            assert_int_equal(info.commit, all.f[all.n - 1].commit);
            assert_int_equal(info.begin.offset, 32);
            assert_int_equal(info.end.offset, b.len);
            expect_range(r, &all, 0, all.n, info.commit, info.commit + 20);
            expect_range(r, &all, 0, all.n, info.commit / 2, info.commit);
            expect_range(r, &all, 0, all.n, 0, 3);
            ls_wal_range_free(r);
        }
        close(fd);
        free(all.f);
    }
    kit_free(&b);
}

/* Cut at any byte of the last transactions, or damaged there, a log ends at a commit frame. */
static void torn_tail(void **state) {
    (void)state;
    kit_bytes b = sqlite_log(512, 4);
    kit_frames all = kit_parse(&b);
    for (size_t len = b.len - 12 * 536; len <= b.len; len++) {
        kit_bytes cut = {.data = b.data, .len = len};
        kit_frames want = kit_parse(&cut);
        int fd = kit_open_bytes(&cut);
        ls_wal_range_info info;
        ls_wal_range *r = scan_all(fd, &info);
        assert_true(want.committed > 0);
        assert_int_equal(info.frames, want.committed);
        assert_int_equal(info.commit, want.f[want.committed - 1].commit);
        assert_int_equal(info.end.offset, 32 + want.committed * 536);
        assert_true(info.end.ck1 == want.f[want.committed - 1].ck1 &&
                    info.end.ck2 == want.f[want.committed - 1].ck2);
        assert_true(info.at_end);
        if (len % 67 == 0) {
            expect_range(r, &all, 0, want.committed, UINT32_MAX, info.commit + 5);
        }
        ls_wal_range_free(r);
        free(want.f);
        close(fd);
    }
    free(all.f);
    kit_free(&b);
}

static void bit_flips(void **state) {
    (void)state;
    kit_bytes b = sqlite_log(512, 6);
    kit_frames all = kit_parse(&b);
    size_t i = all.n / 2, committed = 0;
    for (size_t k = 0; k < i; k++) {
        committed = all.f[k].commit != 0 ? k + 1 : committed;
    }
    int fd = kit_open_bytes(&b);
    off_t at = (off_t)all.f[i].offset;
    for (int bit = 0; bit < 536 * 8; bit++) {
        uint8_t byte = (uint8_t)(b.data[at + bit / 8] ^ 1 << bit % 8);
        assert_int_equal(pwrite(fd, &byte, 1, at + bit / 8), 1);
        ls_wal_range_info info;
        ls_wal_range *r = scan_all(fd, &info);
        assert_int_equal(info.frames, committed);
        ls_wal_range_free(r);
        assert_int_equal(pwrite(fd, b.data + at + bit / 8, 1, at + bit / 8), 1);
    }
    close(fd);
    free(all.f);
    kit_free(&b);
}

/* What a spilling transaction wrote is no part of any range, by any path, until it is committed. */
static void uncommitted_frames(void **state) {
    (void)state;
    sqlite3 *db = kit_open("db", 1024);
    kit_workload(db, 5);
    kit_bytes before = kit_read("db-wal");
    kit_exec(db, "PRAGMA cache_size=5; PRAGMA cache_spill=5; BEGIN");
    kit_exec(db, "INSERT INTO t(v) WITH RECURSIVE c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c "
                 "WHERE i < 200) SELECT randomblob(2000) FROM c");
    kit_bytes open = kit_read("db-wal");
    kit_frames all = kit_parse(&open);
    assert_true(open.len > before.len + 300 * 1048);
    assert_true(all.n > all.committed + 10); /* then one that SQLite wrote over again */
    int fd = kit_open_file("db-wal");
    for (size_t v = 0; v < N_VARIANTS; v++) {
        ls_wal_limits = variants[v];
        ls_wal_range_info info;
        ls_wal_range *r = scan_all(fd, &info);
        assert_int_equal(info.end.offset, before.len);
        assert_int_equal(info.frames, all.committed);
        assert_true(info.at_end);
        expect_range(r, &all, 0, all.committed, UINT32_MAX, info.commit + 400);
        ls_wal_range_free(r);
        ls_wal_header h = kit_header(fd);
        assert_int_equal(ls_wal_range_scan(fd, &h, &info.end, 0, &r, &info, &(ls_err){0}), LS_OK);
        assert_null(r);
        assert_true(info.frames == 0 && info.commit == 0 && info.at_end);
        assert_int_equal(info.end.offset, before.len);
    }
    kit_exec(db, "ROLLBACK; INSERT INTO u VALUES('after', 1)");
    kit_bytes after = kit_read("db-wal");
    kit_frames want = kit_parse(&after);
    ls_wal_range_info info;
    ls_wal_range *r = scan_all(fd, &info);
    assert_true(want.committed > all.committed && want.n < all.n);
    assert_int_equal(info.frames, want.committed);
    expect_range(r, &want, 0, want.committed, UINT32_MAX, info.commit + 400);
    ls_wal_range_free(r);
    close(fd);
    free(all.f);
    free(want.f);
    kit_free(&before);
    kit_free(&open);
    kit_free(&after);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A list that overflows in a transaction never committed still serves what was. */
static void lost_tail_keeps_the_list(void **state) {
    (void)state;
    kit_bytes b = kit_log(512, 3, 4);
    kit_frame(&b, 1, 0);
    kit_frame(&b, 2, 2);
    for (uint32_t i = 0; i < 30; i++) {
        kit_frame(&b, 3 + i, 0);
    }
    kit_seal(&b, false);
    kit_frames all = kit_parse(&b);
    int fd = kit_open_bytes(&b);
    ls_wal_limits = (ls_wal_range_limits){.frames = 8, .window_pages = 4, .keep_bytes = 0};
    ls_wal_range_info info;
    ls_wal_range *r = scan_all(fd, &info);
    assert_int_equal(info.frames, 2);
    assert_false(r->windowed);
    expect_range(r, &all, 0, 2, UINT32_MAX, 40);
    ls_wal_range_free(r);
    close(fd);
    free(all.f);
    kit_free(&b);
}

/* Pages written over and over fit a short list however many frames there are. */
static void hot_pages_fit_the_list(void **state) {
    (void)state;
    kit_bytes b = kit_log(512, 3, 4);
    for (uint32_t i = 0; i < 400; i++) {
        kit_frame(&b, 1 + i * i % 11, i % 3 == 2 ? 11 : 0);
    }
    kit_seal(&b, false);
    kit_frames all = kit_parse(&b);
    int fd = kit_open_bytes(&b);
    ls_wal_limits = (ls_wal_range_limits){.frames = 20, .window_pages = 4, .keep_bytes = 0};
    ls_wal_range_info info;
    ls_wal_range *r = scan_all(fd, &info);
    assert_false(r->windowed);
    assert_int_equal(r->list.cap, 20);
    assert_int_equal(info.frames, 399);
    expect_range(r, &all, 0, 399, UINT32_MAX, 15);
    ls_wal_range_free(r);
    close(fd);
    free(all.f);
    kit_free(&b);
}

/* A bound cuts at the first commit frame that ends at or behind it; the pieces make the whole. */
static void bound_cuts_at_commits(void **state) {
    (void)state;
    kit_bytes b = sqlite_log(512, 8);
    kit_frames all = kit_parse(&b);
    int fd = kit_open_bytes(&b);
    ls_wal_header h = kit_header(fd);
    ls_err err = LS_ERR_INIT;
    for (int64_t max = 1; max < (int64_t)b.len + 600; max += max < 1200 ? 1 : 131) {
        ls_wal_pos pos = ls_wal_pos_start(&h);
        size_t from = 0;
        for (bool at_end = false; !at_end;) {
            size_t to = from;
            do {
                to++;
            } while (to < all.n && (all.f[to - 1].commit == 0 || (int64_t)(to - from) * 536 < max));
            ls_wal_range *r;
            ls_wal_range_info info;
            assert_int_equal(ls_wal_range_scan(fd, &h, &pos, max, &r, &info, &err), LS_OK);
            assert_int_equal(info.frames, to - from);
            assert_int_equal(info.begin.offset, pos.offset);
            assert_int_equal(info.end.offset, 32 + to * 536);
            assert_int_equal(info.commit, all.f[to - 1].commit);
            assert_int_equal(info.at_end, to == all.n);
            if (max == 1 || max == 4000) {
                expect_range(r, &all, from, to, UINT32_MAX, 60);
            }
            at_end = info.at_end;
            ls_wal_range_free(r);
            pos = info.end;
            from = to;
        }
    }
    ls_wal_pos pos = ls_wal_pos_start(&h);
    const int64_t unbounded[] = {0, -1, INT64_MIN, INT64_MAX, INT64_MAX - 32};
    for (size_t i = 0; i < sizeof(unbounded) / sizeof(unbounded[0]); i++) {
        ls_wal_range *r;
        ls_wal_range_info info;
        assert_int_equal(ls_wal_range_scan(fd, &h, &pos, unbounded[i], &r, &info, &err), LS_OK);
        assert_int_equal(info.frames, all.n);
        ls_wal_range_free(r);
    }
    close(fd);
    free(all.f);
    kit_free(&b);
}

static ls_code until(int fd, const ls_wal_pos *pos, const ls_wal_pos *end, ls_wal_range **r,
                     ls_wal_range_info *info) {
    ls_wal_header h = kit_header(fd);
    ls_err err = LS_ERR_INIT;
    ls_code code = ls_wal_range_until(fd, &h, pos, end, r, info, &err);
    assert_int_equal(code == LS_OK, err.msg[0] == 0);
    return code;
}

/* A known end is met exactly, or the log is not the one that is known. */
static void until_a_known_end(void **state) {
    (void)state;
    kit_bytes b = sqlite_log(512, 8);
    kit_frames all = kit_parse(&b);
    int fd = kit_open_bytes(&b);
    ls_wal_header h = kit_header(fd);
    ls_wal_pos pos = ls_wal_pos_start(&h);
    ls_wal_range *r;
    ls_wal_range_info info;
    size_t from = 0;
    assert_int_equal(until(fd, &pos, &pos, &r, &info), LS_OK);
    assert_null(r);
    for (size_t i = 0; i < all.n; i++) {
        ls_wal_pos end = {32 + (int64_t)(i + 1) * 536, all.f[i].ck1, all.f[i].ck2}, bad = end;
        if (all.f[i].commit == 0) {
            assert_int_equal(until(fd, &pos, &end, &r, &info), LS_ECHECKSUM);
            assert_null(r);
            continue;
        }
        assert_int_equal(until(fd, &pos, &end, &r, &info), LS_OK);
        assert_int_equal(info.frames, i + 1 - from);
        assert_int_equal(info.commit, all.f[i].commit);
        expect_range(r, &all, from, i + 1, UINT32_MAX, 60);
        ls_wal_range_free(r);
        bad.ck1 ^= 1;
        assert_int_equal(until(fd, &pos, &bad, &r, &info), LS_ECHECKSUM);
        bad = end;
        bad.ck2 ^= 0x80000000U;
        assert_int_equal(until(fd, &pos, &bad, &r, &info), LS_ECHECKSUM);
        bad = end;
        bad.offset += 4;
        assert_int_equal(until(fd, &pos, &bad, &r, &info), LS_ECHECKSUM);
        assert_int_equal(until(fd, &end, &pos, &r, &info), LS_ECHECKSUM);
        if (i % 2 == 0) {
            pos = end;
            from = i + 1;
        }
    }
    ls_wal_pos beyond = {(int64_t)b.len + 536, 0, 0};
    assert_int_equal(until(fd, &pos, &beyond, &r, &info), LS_ECHECKSUM);
    close(fd);
    free(all.f);
    kit_free(&b);
}

/* A header rewritten between its reading and the end of the scan: nothing is proved. */
static void restart_while_scanning(void **state) {
    (void)state;
    kit_bytes b = sqlite_log(1024, 4);
    kit_frames all = kit_parse(&b);
    int fd = kit_open_bytes(&b);
    ls_wal_header h = kit_header(fd);
    ls_wal_pos pos = ls_wal_pos_start(&h),
               end = {(int64_t)b.len, all.f[all.n - 1].ck1, all.f[all.n - 1].ck2};
    ls_err err = LS_ERR_INIT;
    ls_wal_range *r;
    ls_wal_range_info info;
    kit_put(b.data + 16, h.salt1 + 1);
    kit_seal(&(kit_bytes){.data = b.data, .len = 32}, false);
    assert_int_equal(pwrite(fd, b.data, 32, 0), 32);
    assert_int_equal(ls_wal_range_scan(fd, &h, &pos, 0, &r, &info, &err), LS_EBUSY);
    assert_null(r);
    assert_string_equal(ls_err_hint(&err),
                        "nothing is lost; the log is read again from its new start");
    assert_int_equal(ls_wal_range_scan(fd, &h, &pos, 1, &r, &info, &err), LS_EBUSY);
    assert_int_equal(ls_wal_range_scan(fd, &h, &end, 0, &r, &info, &err), LS_EBUSY);
    assert_int_equal(ls_wal_range_until(fd, &h, &pos, &end, &r, &info, &err), LS_EBUSY);
    b.data[0] ^= 1; /* an invalid header, then none */
    assert_int_equal(pwrite(fd, b.data, 32, 0), 32);
    assert_int_equal(ls_wal_range_scan(fd, &h, &pos, 0, &r, &info, &err), LS_EBUSY);
    assert_return_code(ftruncate(fd, 0), 0);
    assert_int_equal(ls_wal_range_scan(fd, &h, &pos, 0, &r, &info, &err), LS_EBUSY);
    assert_null(r);
    close(fd);
    free(all.f);
    kit_free(&b);
}

/* With every bit of a frame changed after the scan, or the log cut, its page is refused. */
static void page_changed_after_scan(void **state) {
    (void)state;
    kit_bytes b = sqlite_log(512, 4);
    kit_frames all = kit_parse(&b);
    int fd = kit_open_bytes(&b);
    uint8_t page[512];
    ls_err err = LS_ERR_INIT;
    for (size_t v = 1; v < N_VARIANTS; v++) {
        ls_wal_limits = variants[v];
        ls_wal_limits.keep_bytes = 0;
        ls_wal_range_info info;
        ls_wal_range *r = scan_all(fd, &info);
        const ls_wal_frame *w = newest(&all, 0, all.n, 2);
        assert_true(w != NULL && w->offset > 32);
        assert_int_equal(ls_wal_range_page(r, 2, w->offset, page, &err), LS_OK);
        assert_memory_equal(page, w->page, 512);
        for (int bit = 0; bit < 536 * 8; bit += v == 1 ? 1 : 61) {
            off_t at = (off_t)w->offset + bit / 8;
            uint8_t byte = (uint8_t)(b.data[at] ^ 1 << bit % 8);
            assert_int_equal(pwrite(fd, &byte, 1, at), 1);
            assert_int_equal(ls_wal_range_page(r, 2, w->offset, page, &err), LS_EBUSY);
            assert_int_equal(pwrite(fd, b.data + at, 1, at), 1);
        }
        assert_int_equal(ls_wal_range_page(r, 2, w->offset, page, &err), LS_OK);
        assert_int_equal(ls_wal_range_page(r, 2, w->offset + 536, page, &err), LS_EINVALID);
        assert_int_equal(ls_wal_range_page(r, 2000000, w->offset, page, &err), LS_EINVALID);
        assert_int_equal(ls_wal_range_page(r, 0, w->offset, page, &err), LS_EINVALID);
        assert_return_code(ftruncate(fd, (off_t)w->offset + 535), 0);
        assert_int_equal(ls_wal_range_page(r, 2, w->offset, page, &err), LS_EBUSY);
        assert_return_code(ftruncate(fd, 0), 0);
        assert_int_equal(ls_wal_range_page(r, 2, w->offset, page, &err), LS_EBUSY);
        assert_int_equal(pwrite(fd, b.data, b.len, 0), b.len);
        ls_wal_range_free(r);
    }
    close(fd);
    free(all.f);
    kit_free(&b);
}

/* SQLite restarts the log after the scan: pages of overwritten frames are refused or, where they
 * were kept, those of the scan. */
static void restart_after_scan(void **state) {
    (void)state;
    for (size_t v = 0; v < N_VARIANTS; v++) {
        ls_wal_limits = variants[v];
        sqlite3 *db = kit_open("db", 512);
        kit_workload(db, 20);
        kit_bytes b = kit_read("db-wal");
        kit_frames all = kit_parse(&b);
        int fd = kit_open_file("db-wal");
        ls_wal_range_info info;
        ls_wal_range *r = scan_all(fd, &info);
        kit_exec(db, "PRAGMA wal_checkpoint(RESTART)");
        kit_workload(db, 10);
        size_t busy = 0, same = 0;
        for (uint32_t pgno = 1; pgno <= info.commit; pgno++) {
            const ls_wal_frame *w = newest(&all, 0, all.n, pgno);
            uint8_t page[512];
            ls_err err = LS_ERR_INIT;
            int64_t offset = 0;
            ls_code code = ls_wal_range_find(r, pgno, &offset, &err);
            if (code == LS_OK && offset != 0) {
                code = ls_wal_range_page(r, pgno, offset, page, &err);
            }
            assert_true(code == LS_OK || code == LS_EBUSY);
            busy += code == LS_EBUSY;
            if (code == LS_OK && w != NULL) {
                assert_int_equal(offset, w->offset);
                assert_memory_equal(page, w->page, 512);
                same++;
            }
        }
        assert_int_equal(busy > 0, r->kept == NULL || r->windowed);
        assert_int_equal(same > 0, !r->windowed);
        ls_wal_range_free(r);
        close(fd);
        free(all.f);
        kit_free(&b);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_return_code(unlink(kit_path("db")), 0);
    }
}

/* A window whose headers no longer lead to the scanned end is refused. */
static void window_changed_after_scan(void **state) {
    (void)state;
    kit_bytes b = sqlite_log(512, 4);
    int fd = kit_open_bytes(&b);
    ls_wal_limits = (ls_wal_range_limits){.frames = 1, .window_pages = 4, .keep_bytes = 0};
    ls_wal_range_info info;
    ls_wal_range *r = scan_all(fd, &info);
    ls_err err = LS_ERR_INIT;
    int64_t offset;
    const size_t at[] = {32, 32 + 8, 32 + 536 * 3 + 15, b.len - 536 + 16, b.len - 536 + 23};
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        uint8_t zero[4] = {0}, flip = (uint8_t)~b.data[at[i]];
        assert_int_equal(pwrite(fd, i == 0 ? zero : &flip, i == 0 ? 4 : 1, (off_t)at[i]),
                         i == 0 ? 4 : 1);
        assert_int_equal(ls_wal_range_find(r, 5, &offset, &err), LS_EBUSY);
        assert_int_equal(offset, 0);
        assert_int_equal(pwrite(fd, b.data + at[i], 4, (off_t)at[i]), 4);
        assert_int_equal(ls_wal_range_find(r, 1, &offset, &err), LS_OK);
        assert_int_not_equal(offset, 0);
    }
    ls_wal_range_free(r);
    close(fd);
    kit_free(&b);
}

/* No frames, no log, a place that is none. */
static void nothing_there(void **state) {
    (void)state;
    kit_bytes b = kit_log(4096, 5, 6);
    int fd = kit_open_bytes(&b);
    ls_wal_range_info info;
    ls_wal_range *r = scan_all(fd, &info);
    assert_null(r);
    assert_true(info.at_end && info.frames == 0 && info.commit == 0);
    assert_int_equal(info.end.offset, 32);
    ls_wal_header h = kit_header(fd);
    ls_wal_pos bad = {.offset = 33};
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_wal_range_scan(fd, &h, &bad, 0, &r, &info, &err), LS_EINVALID);
    assert_int_equal(ls_wal_range_until(fd, &h, &bad, &bad, &r, &info, &err), LS_EINVALID);
    ls_wal_pos pos = ls_wal_pos_start(&h);
    assert_int_equal(ls_wal_range_scan(-1, &h, &pos, 0, &r, &info, &err), LS_EIO);
    assert_null(r);
    ls_wal_range_free(NULL);
    close(fd);
    kit_free(&b);
}

/* The largest page numbers and Commits there can be, at the largest page size. */
static void giant_values(void **state) {
    (void)state;
    kit_bytes b = kit_log(65536, UINT32_MAX, UINT32_MAX);
    kit_frame(&b, UINT32_MAX, 0);
    kit_frame(&b, UINT32_MAX - 1, 0);
    kit_frame(&b, 1, 0);
    kit_frame(&b, 0x80000000U, UINT32_MAX);
    kit_frame(&b, UINT32_MAX, UINT32_MAX);
    kit_seal(&b, true);
    kit_frames all = kit_parse(&b);
    const uint32_t pages[] = {1, 0x80000000U, UINT32_MAX - 1, UINT32_MAX};
    int fd = kit_open_bytes(&b);
    uint8_t *page = malloc(65536);
    for (int v = 0; v < 3; v++) {
        ls_wal_limits = normal;
        ls_wal_limits.frames = v == 0 ? LS_WAL_RANGE_FRAMES : 1;
        ls_wal_limits.keep_bytes = v == 1 ? 0 : LS_WAL_KEEP_BYTES;
        ls_wal_range_info info;
        ls_wal_range *r = scan_all(fd, &info);
        assert_int_equal(r->windowed, v != 0);
        for (size_t i = 0; i <= 4; i++) {
            ls_err err = LS_ERR_INIT;
            uint32_t pgno;
            int64_t offset;
            assert_int_equal(ls_wal_range_next(r, info.commit, &pgno, &offset, &err), LS_OK);
            assert_int_equal(pgno, i < 4 ? pages[i] : 0);
            if (i < 4) {
                const ls_wal_frame *w = newest(&all, 0, 5, pgno);
                assert_int_equal(offset, w->offset);
                assert_int_equal(ls_wal_range_page(r, pgno, offset, page, &err), LS_OK);
                assert_memory_equal(page, w->page, 65536);
            }
        }
        ls_wal_range_free(r);
    }
    free(page);
    close(fd);
    free(all.f);
    kit_free(&b);
}

/* Behind 4 GiB, in a file with a hole. */
static void beyond_4_gib(void **state) {
    (void)state;
    kit_bytes b = kit_log(4096, 9, 9);
    for (uint32_t i = 0; i < 300; i++) {
        kit_frame(&b, 1 + i % 290, i % 2 ? 290 : 0);
    }
    kit_seal(&b, false);
    kit_frames all = kit_parse(&b);
    int fd = kit_open_bytes(&b);
    int64_t shift = 2000000LL * 4120; /* 8 GB */
    assert_int_equal(pwrite(fd, b.data + 32, b.len - 32, (off_t)shift + 32), b.len - 32);
    ls_wal_header h = kit_header(fd);
    ls_wal_pos pos = {shift + 32, h.ck1, h.ck2};
    for (size_t i = 0; i < all.n; i++) {
        all.f[i].offset += shift;
    }
    for (size_t v = 0; v < N_VARIANTS; v++) {
        ls_wal_limits = variants[v];
        ls_wal_range *r;
        ls_wal_range_info info;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_wal_range_scan(fd, &h, &pos, 0, &r, &info, &err), LS_OK);
        assert_int_equal(info.frames, 300);
        expect_range(r, &all, 0, 300, 290, 295);
        ls_wal_range_free(r);
    }
    close(fd);
    free(all.f);
    kit_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equals_checkpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(all_paths_agree, setup, teardown),
        cmocka_unit_test_setup_teardown(torn_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(bit_flips, setup, teardown),
        cmocka_unit_test_setup_teardown(uncommitted_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(lost_tail_keeps_the_list, setup, teardown),
        cmocka_unit_test_setup_teardown(hot_pages_fit_the_list, setup, teardown),
        cmocka_unit_test_setup_teardown(bound_cuts_at_commits, setup, teardown),
        cmocka_unit_test_setup_teardown(until_a_known_end, setup, teardown),
        cmocka_unit_test_setup_teardown(restart_while_scanning, setup, teardown),
        cmocka_unit_test_setup_teardown(page_changed_after_scan, setup, teardown),
        cmocka_unit_test_setup_teardown(restart_after_scan, setup, teardown),
        cmocka_unit_test_setup_teardown(window_changed_after_scan, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_there, setup, teardown),
        cmocka_unit_test_setup_teardown(giant_values, setup, teardown),
        cmocka_unit_test_setup_teardown(beyond_4_gib, setup, teardown),
    };
    return cmocka_run_group_tests_name("wal range", tests, NULL, NULL);
}
