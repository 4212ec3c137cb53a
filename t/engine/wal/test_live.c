/*
 * A log that SQLite writes, restarts and truncates while it is scanned.
 *
 * Each transaction writes its number into all the rows of a table, each of which fills a page. So a
 * range from the log's start has all those pages, and whatever it gives for them must carry one and
 * the same number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/wal/range_limits.h"
#include "t/engine/wal/walkit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROWS 12
#define PAGE_SIZE 1024
#define READ 300 /* ranges read whole, and a few that the writer got at, are enough */
#define FEW 3
#define SECONDS 30 /* at most */

static atomic_bool done;

static void *write_on(void *arg) {
    sqlite3 *db = arg;
    for (int n = 1; !atomic_load(&done); n++) {
        kit_exec(db, "UPDATE c SET v = 'number=%09d/' || substr(v, 18)", n);
        if (n % 7 == 0) {
            kit_exec(db, "PRAGMA wal_checkpoint(%s)", n % 5 == 0 ? "TRUNCATE" : "RESTART");
        }
        if (n % 11 == 0) {
            kit_exec(db, "BEGIN; UPDATE c SET v = 'number=rolledbak/' || substr(v, 18); ROLLBACK");
        }
    }
    return NULL;
}

/* The number in a page of the table, -1 in any other. */
static long number_in(const uint8_t *page) {
    const uint8_t *p = memmem(page, PAGE_SIZE, "number=", 7);
    return p == NULL ? -1 : strtol((const char *)p + 7, NULL, 10);
}

/* Reads all pages of the range; false if a frame was gone. */
static bool read_pages(ls_wal_range *r, uint32_t commit, int *pages, long *number) {
    *pages = 0;
    for (;;) {
        uint8_t page[PAGE_SIZE];
        uint32_t pgno;
        int64_t offset;
        ls_err err = LS_ERR_INIT;
        ls_code code = ls_wal_range_next(r, commit, &pgno, &offset, &err);
        if (code == LS_OK && pgno != 0) {
            code = ls_wal_range_page(r, pgno, offset, page, &err);
        }
        if (code != LS_OK) {
            assert_int_equal(code, LS_EBUSY);
            return false;
        }
        if (pgno == 0) {
            return true;
        }
        long n = number_in(page);
        if (n >= 0) {
            assert_true(*pages == 0 || n == *number);
            *number = n;
            ++*pages;
        }
    }
}

typedef struct counts {
    int read, busy, replaced, none;
} counts;

static void scan_once(int fd, counts *c, long *last) {
    ls_wal_header h;
    ls_wal_state state;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_wal_header_read(fd, &h, &state, &err), LS_OK);
    if (state != LS_WAL_VALID) {
        c->none++;
        return;
    }
    ls_wal_pos pos = ls_wal_pos_start(&h);
    ls_wal_range *r;
    ls_wal_range_info info;
    ls_code code = ls_wal_range_scan(fd, &h, &pos, 0, &r, &info, &err);
    assert_true(code == LS_OK || code == LS_EBUSY);
    int pages = 0;
    long number = 0;
    if (code == LS_EBUSY || r == NULL) {
        c->busy += code == LS_EBUSY;
        c->none += code == LS_OK;
    } else if (!read_pages(r, info.commit, &pages, &number)) {
        c->replaced++;
    } else {
        assert_int_equal(pages, ROWS);
        assert_true(number >= *last);
        *last = number;
        c->read++;
    }
    ls_wal_range_free(r);
}

static void scans_while_written(void **state) {
    (void)state;
    sqlite3 *db = kit_open("db", PAGE_SIZE);
    kit_exec(db, "CREATE TABLE c(id INTEGER PRIMARY KEY, v TEXT)");
    for (int i = 0; i < ROWS; i++) {
        kit_exec(db, "INSERT INTO c(v) VALUES('number=000000000/' || hex(randomblob(350)))");
    }
    int fd = kit_open_file("db-wal");
    pthread_t writer;
    atomic_store(&done, false);
    assert_int_equal(pthread_create(&writer, NULL, write_on, db), 0);
    counts c = {0};
    long last = 0;
    time_t deadline = time(NULL) + SECONDS;
    for (int i = 0; (c.read < READ || c.busy < FEW || c.replaced < FEW) && time(NULL) < deadline;
         i++) {
        ls_wal_limits.keep_bytes = i % 3 == 0 ? LS_WAL_KEEP_BYTES : 0;
        ls_wal_limits.frames = i % 3 == 1 ? 4 : LS_WAL_RANGE_FRAMES;
        ls_wal_limits.window_pages = i % 3 == 1 ? 5 : LS_WAL_WINDOW_PAGES;
        scan_once(fd, &c, &last);
    }
    atomic_store(&done, true);
    assert_int_equal(pthread_join(writer, NULL), 0);
    print_message("# %d read, %d restarted while scanned, %d replaced, %d empty, last number %ld\n",
                  c.read, c.busy, c.replaced, c.none, last);
    assert_true(c.read >= READ && c.busy >= FEW && c.replaced >= FEW);
    close(fd);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(scans_while_written, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests_name("wal live", tests, NULL, NULL);
}
