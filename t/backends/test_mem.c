/* The store in memory, which other tests lean on: the conformance suite, with copies and without.
 */
#include "t/backends/conformance.h"
#include "t/support/memstore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static int setup(void **state, bool copies) {
    conformance *c = calloc(1, sizeof *c);
    assert_non_null(c);
    c->s = memstore_new(copies);
    assert_non_null(c->s);
    c->keeps_time = true;
    c->copies = copies;
    *state = c;
    return 0;
}

static int setup_copies(void **state) { return setup(state, true); }
static int setup_without(void **state) { return setup(state, false); }

static int teardown(void **state) {
    conformance *c = *state;
    ls_storage_free(c->s);
    free(c);
    return 0;
}

static void a_clone_is_apart(void **state) {
    ls_storage *s = ((conformance *)*state)->s;
    uint64_t bytes;
    conformance_put(s, 0, 1, 1, 1000, 300);
    conformance_put(s, 0, 2, 2, 1000, 400);
    ls_storage *clone = memstore_clone(s);
    const ls_ltx_info file = {.level = 0, .min_txid = 1, .max_txid = 1};
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_remove(s, &file, 1, &err), LS_OK);
    conformance_put(s, 0, 3, 3, 1000, 500);
    assert_int_equal(memstore_count(clone, 0, &bytes), 2);
    assert_int_equal(bytes, 700);
    assert_int_equal(memstore_count(s, 0, &bytes), 2);
    assert_int_equal(bytes, 900);
    size_t got;
    free(conformance_read(clone, &file, 0, 0, &got));
    assert_int_equal(got, 300);
    ls_storage_free(clone);
}

int main(void) {
    struct CMUnitTest tests[2 * CONFORMANCE_MAX + 1];
    size_t n = conformance_tests(tests, setup_copies, teardown);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test_setup_teardown(a_clone_is_apart, setup_copies,
                                                                    teardown);
    n += conformance_tests(tests + n, setup_without, teardown);
    return _cmocka_run_group_tests("memory store, with copies and without", tests, n, NULL, NULL);
}
