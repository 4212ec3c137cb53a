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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(equals_checkpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(all_paths_agree, setup, teardown),
    };
    return cmocka_run_group_tests_name("wal range", tests, NULL, NULL);
}
