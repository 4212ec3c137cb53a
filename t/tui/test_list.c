/* The list model, the canvas and the request table: what the views stand on, without a terminal. */
#include "tui/canvas.h"
#include "tui/list.h"
#include "tui/request.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Rows are numbers; their text is the number in decimal, their order by it or by its last digit. */
static size_t asked;

static bool match(void *arg, size_t row, const char *text) {
    char buf[32];
    (void)arg;
    asked++;
    (void)snprintf(buf, sizeof(buf), "%zu", row);
    return strstr(buf, text) != NULL;
}

static int compare(void *arg, size_t a, size_t b, int column) {
    (void)arg;
    size_t x = column == 1 ? a : a % 10, y = column == 1 ? b : b % 10;
    return (x > y) - (x < y);
}

static const list_rows rows = {.match = match, .compare = compare};

static list make(size_t n, size_t height) {
    list l = {0};
    ls_err err = LS_ERR_INIT;
    assert_int_equal(list_rows_changed(&l, n, &rows, &err), LS_OK);
    list_resize(&l, height);
    return l;
}

static void filter(list *l, const char *text) {
    ls_err err = LS_ERR_INIT;
    assert_int_equal(list_set_filter(l, text, &rows, &err), LS_OK);
    while (list_step(l, &rows)) {
    }
}

static void order(list *l, int column, bool reverse) {
    ls_err err = LS_ERR_INIT;
    assert_int_equal(list_set_order(l, column, reverse, &rows, &err), LS_OK);
}

static void selection_stays_on_screen(void **state) {
    (void)state;
    list l = make(100, 10);
    list_move(&l, 9);
    assert_int_equal(l.top, 0);
    list_move(&l, 1);
    assert_int_equal(l.cursor, 10);
    assert_int_equal(l.top, 1);
    list_last(&l);
    assert_int_equal(l.cursor, 99);
    assert_int_equal(l.top, 90);
    list_move(&l, 1000);
    assert_int_equal(l.cursor, 99);
    list_move(&l, -9);
    assert_int_equal(l.top, 90);
    list_move(&l, -1);
    assert_int_equal(l.top, 89);
    list_move(&l, -1000000);
    assert_int_equal(l.cursor, 0);
    assert_int_equal(l.top, 0);
}

static void shrinking_keeps_the_selection_inside(void **state) {
    (void)state;
    list l = make(100, 10);
    ls_err err = LS_ERR_INIT;
    list_last(&l);
    assert_int_equal(list_rows_changed(&l, 20, &rows, &err), LS_OK);
    list_resize(&l, 5);
    assert_int_equal(l.cursor, 19);
    assert_int_equal(l.top, 15);
    assert_int_equal(list_rows_changed(&l, 0, &rows, &err), LS_OK);
    assert_int_equal(l.cursor, 0);
    assert_int_equal(l.top, 0);
    list_move(&l, 3);
    assert_int_equal(l.cursor, 0);
    list_resize(&l, 0);
    assert_int_equal(l.height, 1);
}

static void a_filter_keeps_the_selected_row(void **state) {
    (void)state;
    list l = make(1000, 10);
    list_move(&l, 123);
    filter(&l, "12");
    assert_int_equal(l.n, 20);
    assert_int_equal(list_row(&l, l.cursor), 123);
    filter(&l, "127");
    assert_int_equal(l.n, 1);
    assert_int_equal(list_row(&l, l.cursor), 127);
    filter(&l, "nothing");
    assert_int_equal(l.n, 0);
    assert_int_equal(l.cursor, 0);
    list_move(&l, 1);
    assert_int_equal(l.cursor, 0);
    filter(&l, "");
    assert_int_equal(l.n, 1000);
    assert_null(l.shown);
    filter(&l, "!1");
    assert_int_equal(l.n, 729);
    filter(&l, "!");
    assert_int_equal(l.n, 1000);
    list_done(&l);
}

static void a_longer_filter_asks_only_what_is_shown(void **state) {
    (void)state;
    list l = make(100000, 40);
    asked = 0;
    filter(&l, "99");
    assert_int_equal(asked, 100000);
    size_t n = l.n;
    asked = 0;
    filter(&l, "991");
    assert_int_equal(asked, n);
    asked = 0;
    filter(&l, "99");
    assert_int_equal(asked, 100000);
    assert_int_equal(l.n, n);
    list_done(&l);
}

/* What is typed while a long list is looked through: each step is bounded, nothing is looked at
 * twice or lost, and the selected row comes back. */
static void a_long_list_is_filtered_in_parts(void **state) {
    (void)state;
    list l = make(100000, 40);
    ls_err err = LS_ERR_INIT;
    list_move(&l, 99123);
    asked = 0;
    assert_int_equal(list_set_filter(&l, "9", &rows, &err), LS_OK);
    assert_true(list_busy(&l));
    assert_int_equal(asked, LIST_STEP);
    assert_true(list_step(&l, &rows));
    assert_int_equal(asked, 2 * LIST_STEP);
    assert_int_equal(list_set_filter(&l, "99", &rows, &err), LS_OK);
    assert_true(asked <= 3 * LIST_STEP);
    assert_int_equal(list_set_order(&l, 1, true, &rows, &err), LS_OK);
    while (list_step(&l, &rows)) {
        assert_true(l.n <= l.at && l.at <= l.end);
    }
    size_t n = 0;
    for (size_t i = 0; i < 100000; i++) {
        n += match(NULL, i, "99");
    }
    assert_int_equal(l.n, n);
    assert_int_equal(list_row(&l, 0), 99999);
    assert_int_equal(list_row(&l, l.cursor), 99123);
    assert_int_equal(list_set_filter(&l, "", &rows, &err), LS_OK);
    assert_false(list_busy(&l));
    assert_int_equal(l.n, 100000);
    assert_int_equal(list_set_filter(&l, "7", &rows, &err), LS_OK);
    list_first(&l);
    while (list_step(&l, &rows)) {
    }
    assert_int_equal(l.cursor, 0); /* who moved on is not taken back */
    assert_int_equal(list_rows_changed(&l, 10, &rows, &err), LS_OK);
    assert_false(list_busy(&l));
    assert_int_equal(l.n, 1);
    list_done(&l);
}

static uint64_t key(void *arg, size_t row, int column) {
    (void)arg;
    return column == 1 ? row * 0x9e3779b97f4a7c15u : column == 2 ? row % 10 : 7;
}

static int compare_keys(void *arg, size_t a, size_t b, int column) {
    uint64_t x = key(arg, a, column), y = key(arg, b, column);
    return (x > y) - (x < y);
}

/* Order by keys is that by comparing, both ways, equal ones by their numbers. */
static void order_by_keys_is_the_same(void **state) {
    (void)state;
    const list_rows slow = {.match = match, .compare = compare_keys};
    const list_rows fast = {.match = match, .compare = compare_keys, .key = key};
    ls_err err = LS_ERR_INIT;
    for (int column = 1; column <= 3; column++) {
        for (int reverse = 0; reverse < 2; reverse++) {
            list a = make(3000, 10), b = make(3000, 10);
            assert_int_equal(list_set_filter(&a, "1", &slow, &err), LS_OK);
            assert_int_equal(list_set_filter(&b, "1", &fast, &err), LS_OK);
            assert_int_equal(list_set_order(&a, column, reverse != 0, &slow, &err), LS_OK);
            assert_int_equal(list_set_order(&b, column, reverse != 0, &fast, &err), LS_OK);
            assert_int_equal(a.n, b.n);
            assert_memory_equal(a.shown, b.shown, a.n * sizeof(*a.shown));
            list_done(&a);
            list_done(&b);
        }
    }
}

static void order_is_stable_and_keeps_the_selected_row(void **state) {
    (void)state;
    list l = make(30, 5);
    list_move(&l, 7);
    order(&l, 2, false);
    assert_int_equal(list_row(&l, 0), 0);
    assert_int_equal(list_row(&l, 1), 10);
    assert_int_equal(list_row(&l, 3), 1);
    assert_int_equal(list_row(&l, l.cursor), 7);
    order(&l, 2, true);
    assert_int_equal(list_row(&l, 0), 9);
    assert_int_equal(list_row(&l, 1), 19);
    order(&l, 1, true);
    filter(&l, "2");
    assert_int_equal(list_row(&l, 0), 29);
    assert_int_equal(list_row(&l, l.n - 1), 2);
    assert_true(list_select(&l, 12));
    assert_false(list_select(&l, 13));
    order(&l, 0, false);
    filter(&l, "");
    assert_int_equal(list_row(&l, l.cursor), 12);
    list_done(&l);
}

static char *printed(const canvas *c) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    canvas_print(c, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void text_from_outside_is_made_safe(void **state) {
    (void)state;
    canvas c = {0};
    ls_err err = LS_ERR_INIT;
    assert_int_equal(canvas_reset(&c, 2, 10, &err), LS_OK);
    assert_int_equal(canvas_put(&c, 0, 0, 10, PLAIN, "a\x1b[2Jb"), 6);
    assert_int_equal(canvas_put(&c, 1, 0, 4, PLAIN, "\xff\xc3\xa9xyz"), 4);
    char *text = printed(&c);
    assert_string_equal(text, "a?[2Jb\n?\xc3\xa9xy\n");
    free(text);
    assert_int_equal(canvas_put(&c, 0, 8, 10, PLAIN, "wide\xe6\x97\xa5"), 2);
    assert_int_equal(canvas_put(&c, 1, 7, 3, PLAIN, "12\xe6\x97\xa5"), 2);
    assert_int_equal(canvas_put(&c, 7, 0, 3, PLAIN, "no such row"), 0);
    canvas_mark(&c, 1, 8, 50, ALERT);
    canvas_mark(&c, -1, -5, 50, ALERT);
    assert_int_equal(c.cells[19].how, ALERT);
    canvas_done(&c);
}

static void ascii_stands_for_everything(void **state) {
    (void)state;
    canvas c = {.ascii = true};
    ls_err err = LS_ERR_INIT;
    assert_int_equal(canvas_reset(&c, 3, 12, &err), LS_OK);
    canvas_put(&c, 0, 0, 12, PLAIN, "▸├─┤✓✗\xe6\x97\xa5é");
    assert_int_equal(canvas_wrap(&c, 1, 0, 6, 2, PLAIN, "one two three"), 2);
    char *text = printed(&c);
    assert_string_equal(text, ">|-|+x??\none\ntwo\n");
    free(text);
    canvas_done(&c);
}

static void every_request_has_keys_and_help(void **state) {
    (void)state;
    for (request r = REQ_NONE + 1; r < REQ_COUNT; r++) {
        const request_info *info = &request_table[r];
        assert_true(info->keys[0] != '\0' && info->help[0] != '\0' && info->name[0] != '\0');
        for (view_id v = 0; v < VIEW_COUNT; v++) {
            char keys[64], *save = NULL;
            (void)snprintf(keys, sizeof(keys), "%s", info->keys);
            for (char *k = strtok_r(keys, " ", &save); k != NULL; k = strtok_r(NULL, " ", &save)) {
                /* Bound once in each view where it works: no request hides another. */
                if (request_works(r, v)) {
                    assert_int_equal(request_of_key(v, k), r);
                }
                assert_true(strlen(k) == 1 || request_key_known(k));
            }
        }
    }
    assert_int_equal(request_of_key(VIEW_FILES, "Z"), REQ_NONE);
    assert_int_equal(request_of_key(VIEW_FILES, ""), REQ_NONE);
    assert_int_equal(request_of_key(VIEW_FILES, "ent"), REQ_NONE);
    assert_int_equal(request_of_key(VIEW_FILES, "t"), REQ_NONE);
    assert_int_equal(request_of_key(VIEW_TIMELINE, "t"), REQ_AXIS);
    assert_false(request_key_known("billing"));
}

static void names_find_requests(void **state) {
    (void)state;
    for (view_id v = 0; v < VIEW_COUNT; v++) {
        assert_int_equal(view_of_name(view_table[v].name), v);
        for (request r = REQ_NONE + 1; r < REQ_COUNT; r++) {
            if (request_works(r, v)) {
                assert_int_equal(request_of_name(v, request_table[r].name), r);
            }
        }
    }
    assert_int_equal(view_of_name("nosuch"), VIEW_COUNT);
    assert_int_equal(request_of_name(VIEW_FILES, "nosuch"), REQ_NONE);
    assert_int_equal(request_of_name(VIEW_FILES, "axis"), REQ_AXIS);
    assert_string_equal(request_complete(VIEW_FILES, "wri", 0), "write-text");
    assert_string_equal(request_complete(VIEW_FILES, "wri", 1), "write-rows");
    assert_null(request_complete(VIEW_FILES, "wri", 2));
    assert_null(request_complete(VIEW_FILES, "axis", 0));
}

int main(void) {
    (void)setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selection_stays_on_screen),
        cmocka_unit_test(shrinking_keeps_the_selection_inside),
        cmocka_unit_test(a_filter_keeps_the_selected_row),
        cmocka_unit_test(a_longer_filter_asks_only_what_is_shown),
        cmocka_unit_test(a_long_list_is_filtered_in_parts),
        cmocka_unit_test(order_by_keys_is_the_same),
        cmocka_unit_test(order_is_stable_and_keeps_the_selected_row),
        cmocka_unit_test(text_from_outside_is_made_safe),
        cmocka_unit_test(ascii_stands_for_everything),
        cmocka_unit_test(every_request_has_keys_and_help),
        cmocka_unit_test(names_find_requests),
    };
    return cmocka_run_group_tests_name("tui", tests, NULL, NULL);
}
