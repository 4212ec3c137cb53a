/* Header, checksum and forward reader against logs of SQLite and damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/engine/wal/walkit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int page_sizes[] = {512, 1024, 4096, 65536};
#define N_PAGE_SIZES (sizeof(page_sizes) / sizeof(page_sizes[0]))

/* A log of SQLite's with a few transactions. */
static kit_bytes sqlite_log(int page_size, int transactions) {
    sqlite3 *db = kit_open("db", page_size);
    kit_workload(db, transactions);
    kit_bytes b = kit_read("db-wal");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_return_code(unlink(kit_path("db")), 0);
    return b;
}

static void header_fields(void **state) {
    (void)state;
    for (size_t i = 0; i < N_PAGE_SIZES; i++) {
        kit_bytes b = sqlite_log(page_sizes[i], 1);
        for (int big = 0; big < 2; big++) {
            kit_seal(&b, big);
            int fd = kit_open_bytes(&b);
            ls_wal_header h = kit_header(fd);
            assert_int_equal(h.big_endian, big);
            assert_int_equal(h.page_size, page_sizes[i]);
            assert_int_equal(h.seq, kit_get(b.data + 12));
            assert_int_equal(h.salt1, kit_get(b.data + 16));
            assert_int_equal(h.salt2, kit_get(b.data + 20));
            assert_int_equal(h.ck1, kit_get(b.data + 24));
            assert_int_equal(h.ck2, kit_get(b.data + 28));
            close(fd);
        }
        kit_free(&b);
    }
}

static void header_damage(void **state) {
    (void)state;
    kit_bytes b = kit_log(4096, 11, 22);
    ls_wal_header h, good;
    assert_int_equal(ls_wal_header_decode(b.data, &good), LS_WAL_VALID);
    assert_true(ls_wal_header_equal(&good, &good));
    for (int bit = 0; bit < 32 * 8; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(&h, 0xff, sizeof(h));
        assert_int_equal(ls_wal_header_decode(b.data, &h), LS_WAL_INVALID);
        assert_int_equal(h.page_size, 0);
        assert_false(ls_wal_header_equal(&good, &h));
        b.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    const uint32_t sizes[] = {0, 1, 256, 513, 1000, 4095, 131072, 0x80000000U};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t header[32];
        memcpy(header, b.data, 32);
        kit_put(header + 8, sizes[i]);
        uint32_t s0 = 0, s1 = 0;
        kit_checksum(false, header, 24, &s0, &s1);
        kit_put(header + 24, s0);
        kit_put(header + 28, s1);
        assert_int_equal(ls_wal_header_decode(header, &h), LS_WAL_INVALID);
    }
    kit_free(&b);
}

static void header_short_or_unreadable(void **state) {
    (void)state;
    kit_bytes b = kit_log(4096, 11, 22);
    ls_err err = LS_ERR_INIT;
    for (size_t len = 0; len < 32; len++) {
        kit_bytes cut = {.data = b.data, .len = len};
        int fd = kit_open_bytes(&cut);
        ls_wal_header h;
        ls_wal_state s;
        assert_int_equal(ls_wal_header_read(fd, &h, &s, &err), LS_OK);
        assert_int_equal(s, LS_WAL_EMPTY);
        close(fd);
    }
    ls_wal_header h;
    ls_wal_state s;
    assert_int_equal(ls_wal_header_read(-1, &h, &s, &err), LS_EIO);
    kit_free(&b);
}

static void checksum_both_orders(void **state) {
    (void)state;
    uint8_t data[4096];
    srand(1);
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)rand();
    }
    for (int big = 0; big < 2; big++) {
        for (size_t start = 0; start < 9; start++) {
            for (size_t len = 0; len + start <= 200; len++) {
                uint32_t a = 0xfffffff0U, b = 5, c = a, d = b;
                ls_wal_checksum(big, data + start, len, &a, &b);
                kit_checksum(big, data + start, len, &c, &d);
                assert_true(a == c && b == d);
            }
        }
        uint32_t a = 1, b = 2, c = 1, d = 2;
        ls_wal_checksum(big, data, 4096, &a, &b);
        ls_wal_checksum(big, data, 24, &c, &d);
        ls_wal_checksum(big, data + 24, 4072, &c, &d);
        assert_true(a == c && b == d);
    }
}

/* Reads on to the end and compares each frame with the plain reader's. Returns frames read. */
static size_t expect_frames(ls_wal_reader *r, const kit_frames *want, size_t from,
                            uint32_t page_size) {
    ls_err err = LS_ERR_INIT;
    size_t i = from;
    for (;; i++) {
        ls_wal_frame f;
        bool end;
        assert_int_equal(ls_wal_reader_next(r, &f, &end, &err), LS_OK);
        if (end) {
            break;
        }
        assert_true(i < want->n);
        const ls_wal_frame *w = &want->f[i];
        assert_int_equal(f.pgno, w->pgno);
        assert_int_equal(f.commit, w->commit);
        assert_int_equal(f.offset, w->offset);
        assert_true(f.ck1 == w->ck1 && f.ck2 == w->ck2);
        assert_memory_equal(f.page, w->page, page_size);
        ls_wal_pos pos = ls_wal_reader_pos(r);
        assert_int_equal(pos.offset, w->offset + ls_wal_frame_size(page_size));
        assert_true(pos.ck1 == w->ck1 && pos.ck2 == w->ck2);
    }
    return i - from;
}

static ls_wal_reader *reader_at_start(int fd) {
    ls_wal_header h = kit_header(fd);
    ls_wal_pos pos = ls_wal_pos_start(&h);
    ls_wal_reader *r;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_wal_reader_new(fd, &h, &pos, &r, &err), LS_OK);
    return r;
}

static void reads_all_frames(void **state) {
    (void)state;
    for (size_t i = 0; i < N_PAGE_SIZES; i++) {
        /* Larger than the reader's buffer at every page size. */
        kit_bytes b = sqlite_log(page_sizes[i], page_sizes[i] > 4096 ? 40 : 120);
        assert_true(b.len > (1 << 20) || page_sizes[i] < 4096);
        for (int big = 0; big < 2; big++) {
            kit_seal(&b, big);
            kit_frames want = kit_parse(&b);
            assert_true(want.n > 50);
            assert_int_equal(want.n * (size_t)ls_wal_frame_size((uint32_t)page_sizes[i]) + 32,
                             b.len);
            int fd = kit_open_bytes(&b);
            ls_wal_reader *r = reader_at_start(fd);
            assert_int_equal(expect_frames(r, &want, 0, (uint32_t)page_sizes[i]), want.n);
            assert_int_equal(expect_frames(r, &want, want.n, (uint32_t)page_sizes[i]), 0);
            ls_wal_reader_free(r);
            close(fd);
            free(want.f);
        }
        kit_free(&b);
    }
}

/* A reader starts anywhere that is a frame's place, and nowhere else. */
static void starts_at_a_place(void **state) {
    (void)state;
    kit_bytes b = sqlite_log(1024, 5);
    kit_frames want = kit_parse(&b);
    int fd = kit_open_bytes(&b);
    ls_wal_header h = kit_header(fd);
    ls_err err = LS_ERR_INIT;
    ls_wal_reader *r;
    for (size_t i = 0; i < want.n; i++) {
        ls_wal_pos pos = {want.f[i].offset + 1048, want.f[i].ck1, want.f[i].ck2};
        assert_int_equal(ls_wal_reader_new(fd, &h, &pos, &r, &err), LS_OK);
        assert_int_equal(expect_frames(r, &want, i + 1, 1024), want.n - i - 1);
        ls_wal_reader_free(r);
        pos.ck2++;
        assert_int_equal(ls_wal_reader_new(fd, &h, &pos, &r, &err), LS_OK);
        assert_int_equal(expect_frames(r, &want, want.n, 1024), 0);
        ls_wal_reader_free(r);
    }
    const int64_t bad[] = {-1048, 0, 31, 33, 32 + 1047, INT64_MIN};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ls_wal_pos pos = {.offset = bad[i]};
        assert_int_equal(ls_wal_reader_new(fd, &h, &pos, &r, &err), LS_EINVALID);
        assert_null(r);
    }
    h.page_size = 1000;
    ls_wal_pos pos = ls_wal_pos_start(&h);
    assert_int_equal(ls_wal_reader_new(fd, &h, &pos, &r, &err), LS_EINVALID);
    ls_wal_reader_free(NULL);
    close(fd);
    free(want.f);
    kit_free(&b);
}

/* A log cut at every byte of its last frames, then grown back while the reader waits at the end. */
static void torn_tail_and_growth(void **state) {
    (void)state;
    kit_bytes b = sqlite_log(512, 3);
    kit_frames want = kit_parse(&b);
    size_t fs = 536;
    for (size_t len = b.len - 3 * fs; len <= b.len; len++) {
        kit_bytes cut = {.data = b.data, .len = len};
        int fd = kit_open_bytes(&cut);
        ls_wal_reader *r = reader_at_start(fd);
        size_t n = (len - 32) / fs;
        assert_int_equal(expect_frames(r, &want, 0, 512), n);
        assert_int_equal(pwrite(fd, b.data + len, b.len - len, (off_t)len), b.len - len);
        assert_int_equal(expect_frames(r, &want, n, 512), want.n - n);
        ls_wal_reader_free(r);
        close(fd);
    }
    free(want.f);
    kit_free(&b);
}

/* Any bit of a frame changed: the log ends in front of it. */
static void bit_flips(void **state) {
    (void)state;
    kit_bytes b = sqlite_log(512, 3);
    kit_frames want = kit_parse(&b);
    size_t i = want.n / 2;
    int fd = kit_open_bytes(&b);
    off_t at = (off_t)want.f[i].offset;
    for (int bit = 0; bit < 536 * 8; bit++) {
        uint8_t byte = (uint8_t)(b.data[at + bit / 8] ^ 1 << bit % 8);
        assert_int_equal(pwrite(fd, &byte, 1, at + bit / 8), 1);
        ls_wal_reader *r = reader_at_start(fd);
        assert_int_equal(expect_frames(r, &want, 0, 512), i);
        ls_wal_reader_free(r);
        assert_int_equal(pwrite(fd, b.data + at + bit / 8, 1, at + bit / 8), 1);
    }
    ls_wal_reader *r = reader_at_start(fd);
    assert_int_equal(expect_frames(r, &want, 0, 512), want.n);
    ls_wal_reader_free(r);
    close(fd);
    free(want.f);
    kit_free(&b);
}

/* A frame of page 0 ends the log although its checksum is right. */
static void page_zero(void **state) {
    (void)state;
    kit_bytes b = kit_log(1024, 1, 2);
    kit_frame(&b, 1, 1);
    kit_frame(&b, 0, 1);
    kit_frame(&b, 2, 2);
    kit_seal(&b, true);
    kit_frames want = kit_parse(&b);
    assert_int_equal(want.n, 1);
    int fd = kit_open_bytes(&b);
    ls_wal_reader *r = reader_at_start(fd);
    assert_int_equal(expect_frames(r, &want, 0, 1024), 1);
    ls_wal_reader_free(r);
    close(fd);
    free(want.f);
    kit_free(&b);
}

/* SQLite restarts the log: what the older generation left behind the end does not count. */
static void stale_frames(void **state) {
    (void)state;
    sqlite3 *db = kit_open("db", 1024);
    kit_workload(db, 20);
    kit_bytes old = kit_read("db-wal");
    kit_exec(db, "PRAGMA wal_checkpoint(RESTART)");
    kit_exec(db, "INSERT INTO u VALUES('new', 1)");
    kit_bytes b = kit_read("db-wal");
    assert_int_equal(b.len, old.len);
    kit_frames want = kit_parse(&b), before = kit_parse(&old);
    assert_in_range(want.n, 1, 10);
    assert_true(before.n > 40);
    int fd = kit_open_file("db-wal");
    ls_wal_reader *r = reader_at_start(fd);
    assert_int_equal(expect_frames(r, &want, 0, 1024), want.n);
    ls_wal_reader_free(r);
    close(fd);
    free(want.f);
    free(before.f);
    kit_free(&b);
    kit_free(&old);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void follow_to_commits_only(void **state) {
    (void)state;
    kit_bytes b = sqlite_log(512, 12);
    kit_frames want = kit_parse(&b);
    int fd = kit_open_bytes(&b);
    ls_wal_header h = kit_header(fd);
    ls_wal_pos from = ls_wal_pos_start(&h), pos;
    ls_err err = LS_ERR_INIT;
    bool reached;
    size_t commits = 0;
    assert_int_equal(ls_wal_follow(fd, &h, &from, 32, &pos, &reached, &err), LS_OK);
    assert_true(reached && pos.offset == 32 && pos.ck1 == h.ck1 && pos.ck2 == h.ck2);
    for (size_t i = 0; i < want.n; i++) {
        int64_t end = want.f[i].offset + 536;
        assert_int_equal(ls_wal_follow(fd, &h, &from, end, &pos, &reached, &err), LS_OK);
        assert_int_equal(reached, want.f[i].commit != 0);
        assert_true(pos.offset == end && pos.ck1 == want.f[i].ck1 && pos.ck2 == want.f[i].ck2);
        assert_int_equal(ls_wal_follow(fd, &h, &from, end + 8, &pos, &reached, &err), LS_OK);
        assert_false(reached);
        if (want.f[i].commit != 0) {
            from = (ls_wal_pos){end, want.f[i].ck1, want.f[i].ck2};
            commits++;
        }
    }
    assert_in_range(commits, 12, 20);
    assert_int_equal(ls_wal_follow(fd, &h, &from, INT64_MAX, &pos, &reached, &err), LS_OK);
    assert_false(reached);
    assert_int_equal(pos.offset, b.len);
    assert_int_equal(ls_wal_follow(fd, &h, &from, 32, &pos, &reached, &err), LS_OK);
    assert_false(reached);
    close(fd);
    free(want.f);
    kit_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(header_fields, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(header_damage, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(header_short_or_unreadable, kit_setup, kit_teardown),
        cmocka_unit_test(checksum_both_orders),
        cmocka_unit_test_setup_teardown(reads_all_frames, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(starts_at_a_place, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(torn_tail_and_growth, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(bit_flips, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(page_zero, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(stale_frames, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(follow_to_commits_only, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests_name("wal reader", tests, NULL, NULL);
}
