/*
 * The hash table (engine/base/map.c), against a plain array that remembers the same.
 */
#include "engine/base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEYS 500

static void put(ls_map *map, const char *key, void *value) {
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_map_put(map, key, value, &err), LS_OK);
}

static void an_empty_one_has_nothing(void **state) {
    ls_map map = {0};
    (void)state;
    assert_null(ls_map_get(&map, ""));
    ls_map_remove(&map, "a");
    assert_int_equal(map.n, 0);
    ls_map_done(&map);
}

static void a_key_leads_to_what_was_put_last(void **state) {
    ls_map map = {0};
    int one, two;
    char first[] = "key", second[] = "key";
    (void)state;
    put(&map, first, &one);
    put(&map, "", &two);
    assert_ptr_equal(ls_map_get(&map, "key"), &one);
    assert_ptr_equal(ls_map_get(&map, ""), &two);
    put(&map, second, &two);
    assert_int_equal(map.n, 2);
    first[0] = 'x'; /* the map borrows the second text now */
    assert_ptr_equal(ls_map_get(&map, "key"), &two);
    ls_map_remove(&map, "key");
    assert_null(ls_map_get(&map, "key"));
    assert_ptr_equal(ls_map_get(&map, ""), &two);
    ls_map_done(&map);
}

static void many_come_and_go(void **state) {
    static char keys[KEYS][16];
    bool there[KEYS] = {false};
    ls_map map = {0};
    size_t n = 0;
    uint32_t random = 1;
    (void)state;
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(keys[i], sizeof(keys[i]), "/srv/%d.db", i);
    }
    for (int step = 0; step < 40000; step++) {
        random = random * 1664525u + 1013904223u;
        size_t i = (random >> 8) % KEYS;
        if (there[i]) {
            ls_map_remove(&map, keys[i]);
            n--;
        } else {
            put(&map, keys[i], keys[i]);
            n++;
        }
        there[i] = !there[i];
        assert_int_equal(map.n, n);
        size_t k = (random >> 16) % KEYS;
        assert_ptr_equal(ls_map_get(&map, keys[k]), there[k] ? keys[k] : NULL);
    }
    for (size_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(ls_map_get(&map, keys[i]), there[i] ? keys[i] : NULL);
    }
    ls_map_done(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_has_nothing),
        cmocka_unit_test(a_key_leads_to_what_was_put_last),
        cmocka_unit_test(many_come_and_go),
    };
    return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
