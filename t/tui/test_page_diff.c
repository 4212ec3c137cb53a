/* What is new, changed and gone between two versions of a page, of tables and of indexes. */
#include "tui/page_diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 512

/* A leaf page: of a table with rowids, of an index where table is false. Each row is a key below
 * 128 and a value of one byte; ends with a key of 0. */
static void make_page(uint8_t *page, bool table, const uint8_t (*rows)[2]) {
    uint32_t at = SIZE, n = 0;
    memset(page, 0, SIZE);
    page[0] = table ? 13 : 10;
    for (; rows[n][0] != 0; n++) {
        /* payload, rowid or not, header: its length and types; values */
        const uint8_t of_table[] = {3, rows[n][0], 2, 1, rows[n][1]};
        const uint8_t of_index[] = {5, 3, 1, 1, rows[n][0], rows[n][1]};
        uint32_t len = table ? sizeof(of_table) : sizeof(of_index);
        at -= len;
        memcpy(page + at, table ? of_table : of_index, len);
        page[8 + 2 * n] = (uint8_t)(at >> 8);
        page[9 + 2 * n] = (uint8_t)at;
    }
    page[4] = (uint8_t)n;
    page[5] = (uint8_t)(at >> 8);
    page[6] = (uint8_t)at;
}

static page_diff diff(bool table, const uint8_t (*now)[2], const uint8_t (*before)[2]) {
    uint8_t a[SIZE], b[SIZE];
    btree_db db = btree_db_plain(SIZE);
    btree_page x, y;
    make_page(a, table, now);
    make_page(b, table, before);
    btree_page_read(a, 2, &db, &x);
    btree_page_read(b, 2, &db, &y);
    assert_string_equal(x.flaw, "");
    assert_string_equal(y.flaw, "");
    return page_diff_of(&x, &y);
}

static void check(page_diff d, uint32_t added, uint32_t changed, uint32_t gone) {
    assert_true(d.known);
    assert_int_equal(d.added, added);
    assert_int_equal(d.changed, changed);
    assert_int_equal(d.gone, gone);
}

static const uint8_t before[][2] = {{1, 10}, {2, 20}, {5, 50}, {9, 90}, {0, 0}};

static void rows_are_the_same_by_their_rowid(void **state) {
    (void)state;
    const uint8_t now[][2] = {{1, 10}, {3, 30}, {5, 51}, {9, 90}, {11, 7}, {0, 0}};
    check(diff(true, now, before), 2, 1, 1);
    check(diff(true, before, before), 0, 0, 0);
    const uint8_t none[][2] = {{0, 0}};
    check(diff(true, none, before), 0, 0, 4);
    check(diff(true, before, none), 4, 0, 0);
    check(diff(true, none, none), 0, 0, 0);
}

static void entries_of_an_index_by_all_their_bytes(void **state) {
    (void)state;
    const uint8_t now[][2] = {{1, 10}, {5, 51}, {9, 90}, {0, 0}};
    check(diff(false, now, before), 1, 0, 2);
}

static void other_pages_are_not_compared(void **state) {
    (void)state;
    uint8_t a[SIZE], b[SIZE], zero[SIZE] = {0};
    btree_db db = btree_db_plain(SIZE);
    btree_page x, y, z;
    make_page(a, true, before);
    make_page(b, false, before);
    btree_page_read(a, 2, &db, &x);
    btree_page_read(b, 2, &db, &y);
    btree_page_read(zero, 2, &db, &z);
    assert_false(page_diff_of(&x, &y).known);
    assert_false(page_diff_of(&x, &z).known);
    assert_false(page_diff_of(&z, &x).known);
}

/* Pointers that lead out of the page are left out, and nothing is read there. */
static void damaged_cells_are_left_out(void **state) {
    (void)state;
    uint8_t a[SIZE], b[SIZE];
    btree_db db = btree_db_plain(SIZE);
    btree_page x, y;
    make_page(a, true, before);
    make_page(b, true, before);
    b[8] = 0xff;
    btree_page_read(a, 2, &db, &x);
    btree_page_read(b, 2, &db, &y);
    check(page_diff_of(&x, &y), 1, 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_the_same_by_their_rowid),
        cmocka_unit_test(entries_of_an_index_by_all_their_bytes),
        cmocka_unit_test(other_pages_are_not_compared),
        cmocka_unit_test(damaged_cells_are_left_out),
    };
    return cmocka_run_group_tests_name("page_diff", tests, NULL, NULL);
}
