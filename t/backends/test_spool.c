/*
 * Files and streams as open files (backends/spool.c).
 */
#include "backends/spool.h"

#include "t/backends/conformance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "t/support/must.h"
#include "t/support/tempdir.h"

#define SIZE 700001
#define T0 1764000000123

static void check(ls_spool *spool, const uint8_t *data) {
    assert_int_equal(spool->size, SIZE);
    assert_int_equal(spool->created_ms, T0);
    char *back = malloc(SIZE);
    assert_non_null(back);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pread(spool->fd, back, SIZE, 0), SIZE);
        assert_memory_equal(back, data, SIZE);
    }
    free(back);
    ls_spool_close(spool);
}

static void a_stream(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    uint8_t *data = conformance_bytes(1, 2, T0, SIZE);
    ls_reader *in = ls_mem_reader_new(data, SIZE);
    ls_spool spool;
    must(ls_spool_stream(in, &spool, &err), &err);
    check(&spool, data);
    ls_reader_close(in);
    free(data);
}

static void a_file(void **state) {
    ls_err err = LS_ERR_INIT;
    uint8_t *data = conformance_bytes(1, 2, T0, SIZE);
    char *path = tempdir_path(state, "f");
    ls_spool spool;
    assert_int_equal(ls_spool_file(path, &spool, &err), LS_ENOTFOUND);
    put_file(path, data, SIZE);
    must(ls_spool_file(path, &spool, &err), &err);
    check(&spool, data);
    free(path);
    free(data);
}

static void no_ltx_header(void **state) {
    (void)state;
    static const struct {
        const char *data;
        size_t len;
        const char *text;
    } cases[] = {{"", 0, "extract timestamp from LTX header: EOF"},
                 {"LTX1", 4, "extract timestamp from LTX header: unexpected EOF"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ls_err err = LS_ERR_INIT;
        ls_reader *in = ls_mem_reader_new(cases[i].data, cases[i].len);
        ls_spool spool;
        assert_int_equal(ls_spool_stream(in, &spool, &err), LS_EFORMAT);
        assert_string_equal(err.msg, cases[i].text);
        ls_reader_close(in);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream),
        unit_test_in_tempdir(a_file),
        cmocka_unit_test(no_ltx_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
