/*
 * Growing buffers and their maximum (engine/base/buf.c).
 */
#include "engine/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void grows_and_stays_terminated(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_buf b;
    ls_buf_init(&b, 100000);
    assert_string_equal(ls_buf_str(&b), "");
    for (unsigned i = 0; i < 100000; i++) {
        char c = (char)('a' + i % 26);
        assert_int_equal(ls_buf_add(&b, &c, 1, &err), LS_OK);
        assert_int_equal(b.data[b.len], '\0');
        assert_true(b.cap <= b.max + 1);
    }
    for (unsigned i = 0; i < 100000; i++) {
        assert_int_equal(b.data[i], 'a' + i % 26);
    }
    assert_int_equal(ls_buf_add(&b, "", 0, &err), LS_OK);
    assert_int_equal(ls_buf_add(&b, NULL, 0, &err), LS_OK);
    assert_int_equal(ls_buf_add(&b, "x", 1, &err), LS_ELIMIT);
    assert_int_equal(b.len, 100000);
    ls_buf_clear(&b);
    assert_string_equal(ls_buf_str(&b), "");
    ls_buf_done(&b);
    assert_int_equal(b.max, 100000);
}

static void maximum_is_exact(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_buf b;
    ls_buf_init(&b, 5);
    assert_int_equal(ls_buf_addf(&b, &err, "%s", "123456"), LS_ELIMIT);
    assert_int_equal(b.len, 0);
    assert_int_equal(ls_buf_addf(&b, &err, "%d", 12345), LS_OK);
    assert_string_equal(ls_buf_str(&b), "12345");
    assert_int_equal(ls_buf_reserve(&b, 0, &err), LS_OK);
    assert_int_equal(ls_buf_reserve(&b, 1, &err), LS_ELIMIT);
    assert_int_equal(ls_buf_add(&b, "x", SIZE_MAX, &err), LS_ELIMIT);
    ls_buf_done(&b);
    ls_buf_init(&b, 0);
    assert_int_equal(ls_buf_add(&b, "", 0, &err), LS_OK);
    assert_int_equal(ls_buf_add(&b, "x", 1, &err), LS_ELIMIT);
    ls_buf_done(&b);
}

static void no_memory_is_an_error(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_buf b;
    ls_buf_init(&b, SIZE_MAX);
    assert_int_equal(ls_buf_add(&b, "kept", 4, &err), LS_OK);
    /* More than an address space holds; sanitizers would stop at a merely large one. */
    ls_code code = ls_buf_reserve(&b, SIZE_MAX - 8, &err);
    assert_int_equal(code, LS_ELIMIT);
    assert_string_equal(ls_buf_str(&b), "kept");
    ls_buf_done(&b);
}

static void reserve_keeps_bytes(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_buf b;
    ls_buf_init(&b, 1 << 20);
    assert_int_equal(ls_buf_add(&b, "ab\0cd", 5, &err), LS_OK);
    assert_int_equal(ls_buf_reserve(&b, 5000, &err), LS_OK);
    memset(b.data + b.len, 'z', 5000);
    b.len += 5000;
    b.data[b.len] = '\0';
    assert_memory_equal(b.data, "ab\0cdz", 6);
    assert_int_equal(ls_buf_addf(&b, &err, "<%05d>", 42), LS_OK);
    assert_string_equal(b.data + 5005, "<00042>");
    ls_buf_done(&b);
}

static void steal_hands_over(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_buf b;
    ls_buf_init(&b, 100);
    char *empty = ls_buf_steal(&b);
    assert_string_equal(empty, "");
    free(empty);
    assert_int_equal(ls_buf_addf(&b, &err, "text"), LS_OK);
    char *text = ls_buf_steal(&b);
    assert_string_equal(text, "text");
    free(text);
    assert_int_equal(b.len, 0);
    assert_int_equal(b.max, 100);
    assert_int_equal(ls_buf_addf(&b, &err, "again"), LS_OK);
    assert_string_equal(ls_buf_str(&b), "again");
    ls_buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_and_stays_terminated), cmocka_unit_test(maximum_is_exact),
        cmocka_unit_test(no_memory_is_an_error),      cmocka_unit_test(reserve_keeps_bytes),
        cmocka_unit_test(steal_hands_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
