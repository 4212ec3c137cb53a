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

static void selection_stays_on_screen(void **state) {
    (void)state;
    list l = {0};
    list_resize(&l, 100, 10);
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
    list l = {0};
    list_resize(&l, 100, 10);
    list_last(&l);
    list_resize(&l, 20, 5);
    assert_int_equal(l.cursor, 19);
    assert_int_equal(l.top, 15);
    list_resize(&l, 0, 5);
    assert_int_equal(l.cursor, 0);
    assert_int_equal(l.top, 0);
    list_move(&l, 3);
    assert_int_equal(l.cursor, 0);
    list_resize(&l, 7, 0);
    assert_int_equal(l.height, 1);
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
    canvas_done(&c);
}

static void every_request_has_keys_and_help(void **state) {
    (void)state;
    for (request r = REQ_NONE + 1; r < REQ_COUNT; r++) {
        assert_true(request_table[r].keys[0] != '\0');
        assert_true(request_table[r].help[0] != '\0');
        char keys[64], *save = NULL;
        (void)snprintf(keys, sizeof(keys), "%s", request_table[r].keys);
        for (char *k = strtok_r(keys, " ", &save); k != NULL; k = strtok_r(NULL, " ", &save)) {
            assert_int_equal(request_of_key(k), r);
        }
    }
    assert_int_equal(request_of_key("Z"), REQ_NONE);
    assert_int_equal(request_of_key(""), REQ_NONE);
    assert_int_equal(request_of_key("ent"), REQ_NONE);
}

int main(void) {
    (void)setlocale(LC_ALL, "C.UTF-8");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(selection_stays_on_screen),
        cmocka_unit_test(shrinking_keeps_the_selection_inside),
        cmocka_unit_test(text_from_outside_is_made_safe),
        cmocka_unit_test(every_request_has_keys_and_help),
    };
    return cmocka_run_group_tests_name("tui", tests, NULL, NULL);
}
