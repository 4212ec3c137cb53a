/*
 * The store that fails as it is told (t/support/faultstore.c): told nothing, it is the store behind
 * it; and each fault does what its name says.
 */
#include "t/backends/conformance.h"
#include "t/support/faultstore.h"
#include "t/support/memstore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 1700000000123

typedef struct fixture {
    conformance c; /* first: the suite's state */
    ls_storage *inner;
} fixture;

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->inner = memstore_new(true);
    assert_non_null(f->inner);
    f->c = (conformance){.s = faultstore_new(f->inner), .keeps_time = true, .copies = true};
    assert_non_null(f->c.s);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ls_storage_free(f->c.s);
    ls_storage_free(f->inner);
    free(f);
    return 0;
}

static ls_ltx_info file_of(int level, ls_txid t) {
    return (ls_ltx_info){.level = level, .min_txid = t, .max_txid = t, .size = 1000};
}

/* Puts TXIDs 1..n at level 0. */
static void fill(ls_storage *s, ls_txid n) {
    for (ls_txid t = 1; t <= n; t++) {
        conformance_put(s, 0, t, t, T0, 1000);
    }
}

/* How the listing of level 0 ends; *n files came, *sum is that of their MinTXIDs. */
static ls_code list(ls_storage *s, size_t *n, ls_txid *sum) {
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    *n = 0;
    *sum = 0;
    ls_code rc = ls_storage_list(s, 0, 0, &it, &err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info f;
        rc = ls_storage_iter_next(it, &f, &end, &err);
        if (rc == LS_OK && !end) {
            ++*n;
            *sum += f.min_txid;
        }
    }
    ls_storage_iter_free(it);
    return rc;
}

static void assert_listed(ls_storage *s, ls_code rc, size_t n, ls_txid sum) {
    size_t got;
    ls_txid got_sum;
    assert_int_equal(list(s, &got, &got_sum), rc);
    assert_int_equal(got, n);
    assert_int_equal(got_sum, sum);
}

static ls_code put(ls_storage *s, ls_txid t, ls_err *err) {
    uint8_t *data = conformance_bytes(t, t, T0, 1000);
    ls_reader *in = ls_mem_reader_new(data, 1000);
    const ls_ltx_info file = file_of(0, t);
    ls_code rc = ls_storage_put(s, &file, in, true, NULL, err);
    ls_reader_close(in);
    free(data);
    return rc;
}

static void faults_of_listings(void **state) {
    fixture *f = *state;
    ls_storage *s = f->c.s;
    fill(s, 4);
    const ls_ltx_info gone = file_of(0, 2);
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_storage_remove(s, &gone, 1, &err), LS_OK);
    assert_listed(s, LS_OK, 3, 8);
    static const struct {
        store_fault fault;
        ls_code rc;
        size_t n;
        ls_txid sum;
    } cases[] = {
        {STORE_FAIL, LS_EIO, 0, 0},  {STORE_BREAK, LS_EIO, 1, 1}, {STORE_STALE, LS_OK, 2, 4},
        {STORE_GHOST, LS_OK, 4, 10}, {STORE_SLOW, LS_OK, 3, 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        faultstore_script(s, STORE_LIST, cases[i].fault, 2);
        assert_listed(s, LS_OK, 3, 8);
        assert_listed(s, cases[i].rc, cases[i].n, cases[i].sum);
        assert_int_equal(faultstore_hits(s), 1);
        assert_listed(s, LS_OK, 3, 8);
        assert_int_equal(faultstore_requests(s, STORE_LIST), 3);
    }
    faultstore_script(s, STORE_ANY, STORE_TWICE, 1);
    size_t n;
    ls_txid sum;
    assert_int_equal(list(s, &n, &sum), LS_OK);
    assert_int_equal(n, 4);
}

static void faults_of_reads(void **state) {
    fixture *f = *state;
    ls_storage *s = f->c.s;
    fill(s, 1);
    const ls_ltx_info file = file_of(0, 1);
    static const struct {
        store_fault fault;
        ls_code rc;
        size_t got;
    } cases[] = {{STORE_BREAK, LS_EIO, 500}, {STORE_SHORT, LS_OK, 500}, {STORE_SLOW, LS_OK, 1000}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t buf[1000];
        size_t got;
        ls_reader *r;
        ls_err err = LS_ERR_INIT;
        faultstore_script(s, STORE_OPEN, cases[i].fault, 1);
        assert_int_equal(ls_storage_open_range(s, &file, 0, 0, &r, &err), LS_OK);
        assert_int_equal(ls_read_full(r, buf, sizeof buf, &got, &err), cases[i].rc);
        assert_int_equal(got, cases[i].got);
        ls_reader_close(r);
    }
    assert_true(faultstore_waited_ms() >= STORE_SLOW_MS);
}

static void faults_of_changes(void **state) {
    fixture *f = *state;
    ls_storage *s = f->c.s;
    static const struct {
        store_fault fault;
        bool there;
    } cases[] = {{STORE_FAIL, false}, {STORE_BREAK, false}, {STORE_LOST, true}};
    for (ls_txid t = 1; t <= 3; t++) {
        ls_err err = LS_ERR_INIT;
        faultstore_script(s, STORE_ANY, cases[t - 1].fault, 1);
        assert_int_equal(put(s, t, &err), LS_EIO);
        assert_int_equal(put(s, t, &err), cases[t - 1].there ? LS_EEXISTS : LS_OK);
    }
    fill(f->inner, 4);
    ls_err err = LS_ERR_INIT;
    const ls_ltx_info files[] = {file_of(0, 1), file_of(0, 2), file_of(0, 3), file_of(0, 4)};
    faultstore_script(s, STORE_ANY, STORE_BREAK, 1);
    assert_int_equal(ls_storage_remove(s, files, 4, &err), LS_EIO);
    assert_listed(s, LS_OK, 2, 7);
    faultstore_script(s, STORE_ANY, STORE_LOST, 1);
    const ls_ltx_info to = file_of(5, 3);
    assert_int_equal(ls_storage_copy(s, &files[2], &to, true, NULL, &err), LS_EIO);
    assert_int_equal(memstore_count(f->inner, 5, NULL), 1);
    faultstore_script(s, STORE_REMOVE, STORE_LOST, 1);
    assert_int_equal(ls_storage_remove(s, files, 4, &err), LS_EIO);
    assert_listed(s, LS_OK, 0, 0);
}

static void a_store_that_is_away(void **state) {
    fixture *f = *state;
    ls_storage *s = f->c.s;
    ls_err err = LS_ERR_INIT;
    faultstore_script(s, STORE_PUT, STORE_GONE, 2);
    assert_int_equal(put(s, 1, &err), LS_OK);
    assert_int_equal(put(s, 2, &err), LS_EIO);
    assert_true(faultstore_is_down(s));
    assert_int_equal(put(s, 3, &err), LS_EIO);
    assert_listed(s, LS_EIO, 0, 0);
    faultstore_up(s);
    assert_listed(s, LS_OK, 2, 3);
    faultstore_script(s, STORE_PUT, STORE_DOWN, 1);
    assert_int_equal(put(s, 3, &err), LS_EIO);
    assert_true(faultstore_is_down(s));
    faultstore_up(s);
    assert_listed(s, LS_OK, 2, 3);
}

/* The same seed spoils the same requests. */
static void faults_at_random(void **state) {
    fixture *f = *state;
    ls_storage *s = f->c.s;
    fill(s, 3);
    char runs[2][301];
    for (int run = 0; run < 2; run++) {
        faultstore_random(s, 7, 100, STORE_STAYS_UP);
        for (int i = 0; i < 300; i++) {
            size_t n;
            ls_txid sum;
            ls_code rc = list(s, &n, &sum);
            runs[run][i] = (char)('a' + (int)rc * 8 + (int)n);
        }
        runs[run][300] = '\0';
        assert_in_range(faultstore_hits(s), 10, 60);
    }
    assert_string_equal(runs[0], runs[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    struct CMUnitTest tests[CONFORMANCE_MAX + 8];
    size_t n = conformance_tests(tests, setup, teardown);
    const struct CMUnitTest own[] = {
        TEST(faults_of_listings),   TEST(faults_of_reads),  TEST(faults_of_changes),
        TEST(a_store_that_is_away), TEST(faults_at_random),
    };
    memcpy(tests + n, own, sizeof own);
    n += sizeof own / sizeof own[0];
    return _cmocka_run_group_tests("fault store", tests, n, NULL, NULL);
}
