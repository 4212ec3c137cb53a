/*
 * What happens between two reads of a scan, and how much is read at all. The linker puts the
 * function here in front of the one that reads files (--wrap).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/base/file.h"
#include "engine/wal/range_limits.h"
#include "t/engine/wal/walkit.h"
#include "t/support/faults.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void hook(int fd);

static struct {
    int reads;                  /* so far */
    size_t asked, got, largest; /* bytes */
    int hook_at;                /* in front of that read, from 1 on */
    hook *hook;
} w;

ls_code __real_ls_pread_full(int fd, void *buf, size_t len, int64_t off, size_t *got,
                             const char *name, ls_err *err);
ls_code __wrap_ls_pread_full(int fd, void *buf, size_t len, int64_t off, size_t *got,
                             const char *name, ls_err *err);
static void before_read(int fd, size_t len) {
    w.asked += len;
    w.largest = len > w.largest ? len : w.largest;
    if (++w.reads == w.hook_at) {
        w.hook(fd);
    }
}

ls_code __wrap_ls_pread_full(int fd, void *buf, size_t len, int64_t off, size_t *got,
                             const char *name, ls_err *err) {
    before_read(fd, len);
    ls_code code = __real_ls_pread_full(fd, buf, len, off, got, name, err);
    w.got += *got;
    return code;
}

/* ---- The log: two transactions, and what replaces it ---- */

static kit_bytes before, after;
static kit_frames frames;

static int setup(void **state) {
    ls_wal_limits = (ls_wal_range_limits){LS_WAL_RANGE_FRAMES, LS_WAL_WINDOW_PAGES, 0};
    before = kit_log(512, 1, 2);
    for (uint32_t i = 0; i < 200; i++) {
        kit_frame(&before, i < 20 ? 151 + i : 1 + (i - 20) % 150, i == 90 || i == 199 ? 170 : 0);
    }
    kit_seal(&before, false);
    frames = kit_parse(&before);
    after = kit_log(512, 2, 3); /* salt1 one more, as a writer's restart does it */
    for (uint32_t i = 0; i < 20; i++) {
        kit_frame(&after, 40 - i, i % 4 == 3 ? 150 : 0);
    }
    kit_seal(&after, false);
    memset(&w, 0, sizeof(w));
    return kit_setup(state);
}

static int teardown(void **state) {
    ls_wal_limits =
        (ls_wal_range_limits){LS_WAL_RANGE_FRAMES, LS_WAL_WINDOW_PAGES, LS_WAL_KEEP_BYTES};
    kit_free(&before);
    kit_free(&after);
    free(frames.f);
    return kit_teardown(state);
}

/* A writer restarts the log and commits. */
static void restart(int fd) { assert_int_equal(pwrite(fd, after.data, after.len, 0), after.len); }

static void truncate_log(int fd) { assert_return_code(ftruncate(fd, 0), 0); }

static void heal(int fd) {
    assert_return_code(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, before.data, before.len, 0), before.len);
}

static void arm(int hook_at, hook *h) {
    memset(&w, 0, sizeof(w));
    w.hook_at = hook_at;
    w.hook = h;
}

static ls_code scan(int fd, const ls_wal_header *h, const ls_wal_pos *pos, ls_wal_range **r,
                    ls_wal_range_info *info) {
    ls_err err = LS_ERR_INIT;
    return ls_wal_range_scan(fd, h, pos, 0, r, info, &err);
}

static void whole_log(ls_wal_range *r, const ls_wal_range_info *info) {
    assert_non_null(r);
    assert_int_equal(info->frames, 200);
    assert_int_equal(info->end.offset, before.len);
}

/* Whenever the log is restarted or emptied, the scan says so or has seen all of the old one. */
static void restart_at_every_read(void **state) {
    (void)state;
    hook *const hooks[] = {restart, truncate_log};
    int fd = kit_open_bytes(&before);
    ls_wal_header h = kit_header(fd);
    ls_wal_pos pos = ls_wal_pos_start(&h);
    ls_wal_range *r;
    ls_wal_range_info info;
    arm(0, NULL);
    assert_int_equal(scan(fd, &h, &pos, &r, &info), LS_OK);
    whole_log(r, &info);
    ls_wal_range_free(r);
    int reads = w.reads;
    assert_in_range(reads, 4, 8);
    for (size_t i = 0; i < 2; i++) {
        for (int at = 1; at <= reads; at++) {
            arm(at, hooks[i]);
            assert_int_equal(scan(fd, &h, &pos, &r, &info), LS_EBUSY);
            assert_null(r);
            heal(fd);
        }
    }
    close(fd);
}

/* What happens while a page is looked up and read, and how many reads from the first on make it
 * refused when it happens in front of them. A window costs 200 reads, a page 4. */
static const struct {
    hook *hook;
    uint32_t pgno;
    size_t frame;
    int busy, busy_window;
} page_cases[] = {
    {restart, 60, 79, 0, 20}, /* behind what the restart overwrites: still the scanned one */
    {restart, 160, 9, 4, 204},
    {truncate_log, 11, 180, 4, 204},
};

static ls_code find_and_read(ls_wal_range *r, uint32_t pgno, uint8_t *page) {
    ls_err err = LS_ERR_INIT;
    int64_t offset = 0;
    ls_code code = ls_wal_range_find(r, pgno, &offset, &err);
    return code == LS_OK ? ls_wal_range_page(r, pgno, offset, page, &err) : code;
}

/* A page comes as it was scanned or not at all, whenever the log is restarted or emptied. */
static void restart_at_every_read_of_a_page(void **state) {
    (void)state;
    uint8_t page[512];
    int fd = kit_open_bytes(&before);
    ls_wal_header h = kit_header(fd);
    ls_wal_pos pos = ls_wal_pos_start(&h);
    for (int i = 0; i < 6; i++) {
        bool windows = i >= 3;
        ls_wal_limits.frames = windows ? 1 : LS_WAL_RANGE_FRAMES;
        int busy = -1;
        for (ls_code code = LS_EBUSY; code != LS_OK; busy++) {
            ls_wal_range *r;
            ls_wal_range_info info;
            arm(0, NULL);
            assert_int_equal(scan(fd, &h, &pos, &r, &info), LS_OK);
            arm(busy + 2, page_cases[i % 3].hook);
            code = find_and_read(r, page_cases[i % 3].pgno, page);
            assert_true(code == LS_OK || code == LS_EBUSY);
            ls_wal_range_free(r);
            heal(fd);
        }
        assert_int_equal(busy, windows ? page_cases[i % 3].busy_window : page_cases[i % 3].busy);
        assert_memory_equal(page, frames.f[page_cases[i % 3].frame].page, 512);
    }
    close(fd);
}

/* A read that fails is an error wherever it is, and nothing is left behind. */
static void every_read_fails(void **state) {
    (void)state;
    int fd = kit_open_bytes(&before);
    ls_wal_header h = kit_header(fd);
    ls_wal_pos pos = ls_wal_pos_start(&h);
    for (int windows = 0; windows < 2; windows++) {
        ls_wal_limits.frames = windows ? 1 : LS_WAL_RANGE_FRAMES;
        ls_code code = LS_EIO;
        for (int n = 1; code == LS_EIO; n++) {
            ls_wal_range *r;
            ls_wal_range_info info;
            uint8_t page[512];
            long hits;
            faults_arm(FAULT_READ, n, EIO);
            code = scan(fd, &h, &pos, &r, &info);
            if (code == LS_OK) {
                code = find_and_read(r, 11, page);
            }
            (void)faults_disarm(&hits);
            ls_wal_range_free(r);
            assert_int_equal(hits, code == LS_OK ? 0 : 1);
        }
        assert_int_equal(code, LS_OK);
    }
    close(fd);
}

/* The same for memory. */
static void every_allocation_fails(void **state) {
    (void)state;
    int fd = kit_open_bytes(&before);
    ls_wal_header h = kit_header(fd);
    ls_wal_pos pos = ls_wal_pos_start(&h);
    for (int windows = 0; windows < 2; windows++) {
        ls_wal_limits.frames = windows ? 1 : LS_WAL_RANGE_FRAMES;
        ls_wal_limits.keep_bytes = windows ? 0 : LS_WAL_KEEP_BYTES;
        ls_code code = LS_ENOMEM;
        int n = 1;
        for (; code == LS_ENOMEM; n++) {
            ls_wal_range *r;
            ls_wal_range_info info;
            ls_err err = LS_ERR_INIT;
            int64_t offset = 0;
            faults_arm(FAULT_MEMORY, n, ENOMEM);
            code = scan(fd, &h, &pos, &r, &info);
            if (code == LS_OK) {
                code = ls_wal_range_find(r, 11, &offset, &err);
            }
            (void)faults_disarm(NULL);
            ls_wal_range_free(r);
        }
        assert_int_equal(code, LS_OK);
        assert_in_range(n, 6, 20);
    }
    close(fd);
}

/* Nothing new costs a frame header and the log's header; reads grow with what is found. */
static void reads_are_as_large_as_needed(void **state) {
    (void)state;
    int fd = kit_open_bytes(&before);
    ls_wal_header h = kit_header(fd);
    ls_wal_pos pos = ls_wal_pos_start(&h);
    ls_wal_range *r;
    ls_wal_range_info info;
    assert_int_equal(scan(fd, &h, &pos, &r, &info), LS_OK);
    ls_wal_range_free(r);
    for (int stale = 0; stale < 2; stale++) {
        arm(0, NULL);
        assert_int_equal(scan(fd, &h, &info.end, &r, &(ls_wal_range_info){0}), LS_OK);
        assert_null(r);
        assert_int_equal(w.reads, 2);
        assert_int_equal(w.asked, 24 + 32);
        assert_int_equal(pwrite(fd, after.data + 32, after.len - 32, (off_t)before.len),
                         after.len - 32);
    }
    close(fd);

    kit_bytes large = kit_log(4096, 1, 1);
    for (uint32_t i = 0; i < 1500; i++) {
        kit_frame(&large, i + 1, i + 1);
    }
    kit_seal(&large, false);
    fd = kit_open_bytes(&large);
    h = kit_header(fd);
    pos = ls_wal_pos_start(&h);
    arm(0, NULL);
    assert_int_equal(scan(fd, &h, &pos, &r, &info), LS_OK);
    ls_wal_range_free(r);
    assert_int_equal(info.frames, 1500);
    assert_int_equal(w.largest > (1 << 20) - 4120 && w.largest <= 1 << 20, 1);
    assert_int_equal(w.got, large.len);
    assert_in_range(w.reads, 10, 16);
    close(fd);
    kit_free(&large);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(restart_at_every_read, setup, teardown),
        cmocka_unit_test_setup_teardown(restart_at_every_read_of_a_page, setup, teardown),
        cmocka_unit_test_setup_teardown(every_read_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(every_allocation_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(reads_are_as_large_as_needed, setup, teardown),
    };
    return cmocka_run_group_tests_name("wal faults", tests, NULL, NULL);
}
