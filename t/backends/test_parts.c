/*
 * What stores behind a network share: streams in parts (backends/parts.c), listings in pages
 * (backends/paged.c), requests for many files (backends/fanout.c), timestamps in metadata
 * (backends/stamp.c), the LTX header in front (backends/head.c), names (backends/names.c) and
 * CRC-32C (backends/crc32c.c).
 */
#include "backends/crc32c.h"
#include "backends/fanout.h"
#include "backends/names.h"
#include "backends/paged.h"
#include "backends/parts.h"
#include "backends/stamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- parts ---- */

static uint8_t *stream(size_t n) {
    uint8_t *data = malloc(n);
    assert_non_null(data);
    for (size_t i = 0; i < n; i++) {
        data[i] = (uint8_t)(i * 31 + i / 251);
    }
    const ls_ltx_header h = {.page_size = 512, .min_txid = 1, .max_txid = 1, .timestamp = 1234};
    ls_ltx_header_encode(&h, data);
    return data;
}

/* Reads a stream of n bytes in parts of max bytes; returns how many parts. */
static size_t count_parts(size_t n, size_t max) {
    ls_err err = LS_ERR_INIT;
    uint8_t *data = stream(n);
    ls_reader *in = ls_mem_reader_new(data, n);
    ls_parts p;
    size_t parts = 0;
    uint64_t off = 0;
    assert_int_equal(ls_parts_init(&p, in, max, &err), LS_OK);
    assert_int_equal(p.created_ms, 1234);
    do {
        assert_int_equal(ls_parts_next(&p, &err), LS_OK);
        assert_int_equal(p.off, off);
        assert_true(p.last ? p.len > 0 && p.len <= max : p.len == max);
        assert_memory_equal(p.data, data + off, p.len);
        off += p.len;
        parts++;
    } while (!p.last);
    assert_int_equal(off, n);
    ls_parts_done(&p);
    ls_reader_close(in);
    free(data);
    return parts;
}

static void streams_in_parts(void **state) {
    (void)state;
    assert_int_equal(count_parts(100, 1000), 1);
    assert_int_equal(count_parts(999, 1000), 1);
    assert_int_equal(count_parts(1000, 1000), 1); /* full, and the last all the same */
    assert_int_equal(count_parts(1001, 1000), 2);
    assert_int_equal(count_parts(2000, 1000), 2);
    assert_int_equal(count_parts(2001, 1000), 3);
    assert_int_equal(count_parts(100, 100), 1);
    assert_int_equal(count_parts(101, 100), 2);
    assert_int_equal(count_parts(70000, 333), 211);
}

static void parts_that_grow(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    uint8_t *data = stream(1000);
    ls_reader *in = ls_mem_reader_new(data, 1000);
    ls_parts p;
    assert_int_equal(ls_parts_init(&p, in, 200, &err), LS_OK);
    assert_int_equal(ls_parts_next(&p, &err), LS_OK);
    assert_int_equal(p.len, 200);
    assert_int_equal(ls_parts_grow(&p, 500, &err), LS_OK);
    assert_int_equal(ls_parts_next(&p, &err), LS_OK);
    assert_int_equal(p.off, 200);
    assert_int_equal(p.len, 500);
    assert_memory_equal(p.data, data + 200, 500);
    assert_int_equal(ls_parts_next(&p, &err), LS_OK);
    assert_int_equal(p.len, 300);
    assert_true(p.last);
    ls_parts_done(&p);
    ls_reader_close(in);
    free(data);
}

static void streams_without_a_header(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    uint8_t *data = stream(100);
    ls_parts p;
    ls_reader *in = ls_mem_reader_new(data, 99);
    assert_int_equal(ls_parts_init(&p, in, 100, &err), LS_EFORMAT);
    assert_string_equal(err.msg, "extract timestamp from LTX header: unexpected EOF");
    ls_parts_done(&p);
    ls_reader_close(in);
    free(data);
}

/* ---- pages ---- */

static int broken_page; /* the page that fails once; 0: none */
static bool same_token;

/* Pages of three files 3n+1.. up to page 4, with a name that does not belong in each. */
static ls_code fetch(ls_page *page, const char *token, ls_err *err) {
    long n = token[0] == '\0' ? 0 : strtol(token, NULL, 10);
    if (n == broken_page && n > 0) {
        broken_page = 0;
        return ls_fail(err, LS_EREMOTE, "broken");
    }
    assert_int_equal(ls_page_level(page), 2);
    for (long i = 1; i <= 3; i++) {
        char name[LS_LTX_NAME_SIZE];
        const ls_txid t = (ls_txid)(n * 3 + i);
        assert_int_equal(ls_page_add(page, ls_ltx_name_format(t, t, name), 10, 20, err), LS_OK);
    }
    assert_int_equal(ls_page_add(page, "notes.txt", 1, 1, err), LS_OK);
    char next[32];
    (void)snprintf(next, sizeof next, "%ld", same_token && n > 0 ? n : n + 1);
    return n < 4 ? ls_page_more(page, next, err) : LS_OK;
}

static void listings_in_pages(void **state) {
    (void)state;
    const ls_page_source source = {.fetch = fetch};
    for (ls_txid seek = 0; seek <= 17; seek++) {
        ls_err err = LS_ERR_INIT;
        ls_storage_iter *it;
        ls_txid next = seek > 0 ? seek : 1;
        broken_page = seek == 5 ? 3 : 0;
        assert_int_equal(ls_paged_list(&source, 2, seek, &it, &err), LS_OK);
        for (bool end = false;;) {
            ls_ltx_info file;
            ls_code code = ls_storage_iter_next(it, &file, &end, &err);
            if (code == LS_EREMOTE && seek == 5) {
                continue; /* and goes on where it was */
            }
            assert_int_equal(code, LS_OK);
            if (end) {
                break;
            }
            assert_int_equal(file.min_txid, next++);
            assert_int_equal(file.size, 10);
        }
        assert_int_equal(next, seek > 16 ? seek : 16);
        ls_storage_iter_free(it);
    }
}

static void a_listing_that_goes_round(void **state) {
    (void)state;
    const ls_page_source source = {.fetch = fetch};
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    ls_code code = LS_OK;
    same_token = true;
    assert_int_equal(ls_paged_list(&source, 2, 0, &it, &err), LS_OK);
    for (int i = 0; i < 100 && code == LS_OK; i++) {
        ls_ltx_info file;
        bool end;
        code = ls_storage_iter_next(it, &file, &end, &err);
    }
    assert_int_equal(code, LS_EREMOTE);
    assert_non_null(strstr(err.msg, "same page again"));
    ls_storage_iter_free(it);
    same_token = false;
}

/* ---- many files ---- */

static atomic_int done;

static ls_code count(ls_storage *s, const ls_ltx_info *file, ls_err *err) {
    (void)s;
    (void)atomic_fetch_add(&done, 1);
    return file->min_txid == 666 ? ls_fail(err, LS_EREMOTE, "the number of the beast") : LS_OK;
}

static void requests_for_many(void **state) {
    (void)state;
    static ls_ltx_info files[1000];
    ls_err err = LS_ERR_INIT;
    for (size_t i = 0; i < 1000; i++) {
        files[i].min_txid = i;
    }
    const size_t sizes[] = {0, 1, 2, 7, 8, 9, 600};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        atomic_store(&done, 0);
        assert_int_equal(ls_fanout_remove(NULL, files, sizes[i], count, &err), LS_OK);
        assert_int_equal(atomic_load(&done), sizes[i]);
    }
    assert_int_equal(ls_fanout_remove(NULL, files, 1000, count, &err), LS_EREMOTE);
    assert_string_equal(err.msg, "the number of the beast");
}

/* ---- small things ---- */

static void stamps(void **state) {
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{0, "1970-01-01T00:00:00Z"},
                 {1700000000000, "2023-11-14T22:13:20Z"},
                 {1700000000123, "2023-11-14T22:13:20.123Z"},
                 {1700000000120, "2023-11-14T22:13:20.12Z"},
                 {1700000000100, "2023-11-14T22:13:20.1Z"},
                 {1700000000003, "2023-11-14T22:13:20.003Z"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buf[LS_STAMP_SIZE];
        assert_string_equal(ls_stamp_format(cases[i].ms, buf), cases[i].text);
    }
}

static void roots_of_names(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},         {".", ""},  {"db", "db/"},    {"db/", "db/"},
        {"/db/", "/db/"}, {"/", "/"}, {"a/../b", "b/"}, {"a//b/./c", "a/b/c/"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *root = ls_name_root(cases[i][0]);
        assert_string_equal(root, cases[i][1]);
        free(root);
    }
}

static void crc32c_of_known_texts(void **state) {
    (void)state;
    char text[LS_CRC32C_TEXT_SIZE];
    assert_int_equal(ls_crc32c(0, "123456789", 9), 0xe3069283);
    assert_int_equal(ls_crc32c(ls_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
    assert_int_equal(ls_crc32c(0, "", 0), 0);
    assert_string_equal(ls_crc32c_text(0xe3069283, text), "4waSgw==");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_in_parts),
        cmocka_unit_test(parts_that_grow),
        cmocka_unit_test(streams_without_a_header),
        cmocka_unit_test(listings_in_pages),
        cmocka_unit_test(a_listing_that_goes_round),
        cmocka_unit_test(requests_for_many),
        cmocka_unit_test(stamps),
        cmocka_unit_test(roots_of_names),
        cmocka_unit_test(crc32c_of_known_texts),
    };
    return cmocka_run_group_tests_name("parts of stores", tests, NULL, NULL);
}
