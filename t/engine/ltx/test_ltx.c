/*
 * Header, names, TXIDs, checksums and positions against what the Go library says of them; CRC-64.
 */
#include "t/engine/ltx/vectors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ltx/crc64.h"

/* The error text of a vector, and ours. */
static void expect_result(const json_t *c, ls_code rc, const ls_err *err, const char *what) {
    const char *expected = jstr_or_null(c, "error");
    if (expected == NULL && rc != LS_OK)
        fail_msg("%s: refused: %s", what, err->msg);
    if (expected == NULL)
        return;
    if (rc == LS_OK)
        fail_msg("%s: accepted, expected: %s", what, expected);
    assert_string_equal(err->msg, expected);
}

static void test_headers(void **state) {
    (void)state;
    json_t *cases = vec_json("headers.json");
    size_t i;
    json_t *c;
    assert_int_equal(json_array_size(cases), 59);
    json_array_foreach(cases, i, c) {
        ls_err err = LS_ERR_INIT;
        blob bytes = unhex(jstr(c, "header_hex"));
        assert_int_equal(bytes.len, LS_LTX_HEADER_SIZE);
        ls_ltx_header want = header_of_json(jget(c, "header"));
        ls_ltx_header got;
        assert_int_equal(ls_ltx_header_decode(bytes.data, &got, &err), LS_OK);
        assert_same_header(&got, &want);
        uint8_t again[LS_LTX_HEADER_SIZE];
        ls_ltx_header_encode(&got, again);
        assert_memory_equal(again, bytes.data, sizeof again);
        expect_result(c, ls_ltx_header_validate(&got, &err), &err, jstr(c, "description"));
        free(bytes.data);
    }
    json_decref(cases);
}

static void test_bad_magic(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_ltx_header h = {.flags = 0, .page_size = 512, .min_txid = 1, .max_txid = 1};
    uint8_t bytes[LS_LTX_HEADER_SIZE];
    ls_ltx_header_encode(&h, bytes);
    for (size_t i = 0; i < 4; i++) {
        bytes[i] ^= 1;
        assert_int_equal(ls_ltx_header_decode(bytes, &h, &err), LS_EFORMAT);
        assert_string_equal(err.msg, "invalid LTX file");
        assert_int_equal(h.page_size, 0);
        bytes[i] ^= 1;
    }
    assert_int_equal(ls_ltx_header_decode(bytes, &h, &err), LS_OK);
}

static void test_names(void **state) {
    (void)state;
    json_t *parse = vec_json("parse.json");
    const json_t *cases = jget(parse, "filenames");
    size_t i;
    json_t *c;
    assert_int_equal(json_array_size(cases), 19);
    json_array_foreach(cases, i, c) {
        ls_txid min = 77;
        ls_txid max = 77;
        const char *name = jstr(c, "input");
        assert_int_equal(ls_ltx_name_parse(name, &min, &max), jbool(c, "ok"));
        if (!jbool(c, "ok"))
            continue;
        assert_true(min == jhex(c, "min_txid") && max == jhex(c, "max_txid"));
        char again[LS_LTX_NAME_SIZE];
        assert_string_equal(ls_ltx_name_format(min, max, again), name);
    }
    json_decref(parse);
}

static void test_txids(void **state) {
    (void)state;
    json_t *parse = vec_json("parse.json");
    const json_t *cases = jget(parse, "txids");
    size_t i;
    json_t *c;
    assert_int_equal(json_array_size(cases), 14);
    json_array_foreach(cases, i, c) {
        ls_err err = LS_ERR_INIT;
        ls_txid txid = 0;
        expect_result(c, ls_txid_parse(jstr(c, "input"), &txid, &err), &err, jstr(c, "input"));
        char text[LS_TXID_SIZE];
        if (jbool(c, "ok"))
            assert_string_equal(ls_txid_format(txid, text), jstr(c, "value"));
    }
    json_decref(parse);
}

static void test_checksum_texts(void **state) {
    (void)state;
    json_t *parse = vec_json("parse.json");
    const json_t *cases = jget(parse, "checksums");
    size_t i;
    json_t *c;
    assert_int_equal(json_array_size(cases), 7);
    json_array_foreach(cases, i, c) {
        ls_err err = LS_ERR_INIT;
        uint64_t sum = 0;
        expect_result(c, ls_ltx_checksum_parse(jstr(c, "input"), &sum, &err), &err,
                      jstr(c, "input"));
        if (jbool(c, "ok"))
            assert_true(sum == jhex(c, "value"));
    }
    json_decref(parse);
}

static void test_positions(void **state) {
    (void)state;
    json_t *parse = vec_json("parse.json");
    const json_t *cases = jget(parse, "positions");
    size_t i;
    json_t *c;
    assert_int_equal(json_array_size(cases), 8);
    json_array_foreach(cases, i, c) {
        ls_err err = LS_ERR_INIT;
        ls_txid txid = 0;
        uint64_t sum = 0;
        expect_result(c, ls_ltx_pos_parse(jstr(c, "input"), &txid, &sum, &err), &err,
                      jstr(c, "input"));
        char text[40];
        snprintf(text, sizeof text, "%016llx/%016llx", (unsigned long long)txid,
                 (unsigned long long)sum);
        if (jbool(c, "ok"))
            assert_string_equal(text, jstr(c, "value"));
    }
    json_decref(parse);
}

static void test_quoting(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    ls_txid txid;
    assert_int_equal(ls_txid_parse("a\"\\\n\x01", &txid, &err), LS_EINVALID);
    assert_string_equal(err.msg, "invalid formatted transaction id length: \"a\\\"\\\\\\n\\x01\"");
    char text[5000];
    memset(text, 1, sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(ls_txid_parse(text, &txid, &err), LS_EINVALID);
    assert_in_range(strlen(err.msg), 200, 1000);
}

static void test_info_order(void **state) {
    (void)state;
    ls_ltx_info infos[] = {
        {.level = 9, .min_txid = 1, .max_txid = 1}, {.level = 0, .min_txid = 2, .max_txid = 2},
        {.level = 0, .min_txid = 1, .max_txid = 9}, {.level = 1, .min_txid = 1, .max_txid = 3},
        {.level = 0, .min_txid = 1, .max_txid = 3},
    };
    qsort(infos, 5, sizeof infos[0], ls_ltx_info_cmp);
    const int levels[] = {0, 0, 0, 1, 9};
    const ls_txid maxes[] = {3, 9, 2, 3, 1};
    for (size_t i = 0; i < 5; i++)
        assert_true(infos[i].level == levels[i] && infos[i].max_txid == maxes[i]);
}

static void test_lock_page(void **state) {
    (void)state;
    assert_int_equal(ls_ltx_lock_pgno(512), 2097153);
    assert_int_equal(ls_ltx_lock_pgno(1024), 1048577);
    assert_int_equal(ls_ltx_lock_pgno(4096), 262145);
    assert_int_equal(ls_ltx_lock_pgno(65536), 16385);
}

static void test_crc(void **state) {
    (void)state;
    json_t *sums = vec_json("checksums.json");
    const json_t *cases = jget(sums, "crc64");
    size_t i;
    json_t *c;
    assert_int_equal(json_array_size(cases), 7);
    json_array_foreach(cases, i, c) {
        blob b = unhex(jstr(c, "data_hex"));
        uint64_t want = jhex(c, "crc");
        assert_true(ls_crc64(0, b.data, b.len) == want);
        assert_true(ls_crc64_portable(0, b.data, b.len) == want);
        free(b.data);
    }
    json_decref(sums);
}

static void test_page_checksums(void **state) {
    (void)state;
    json_t *sums = vec_json("checksums.json");
    const json_t *cases = jget(sums, "page");
    size_t i;
    json_t *c;
    assert_int_equal(json_array_size(cases), 6);
    json_array_foreach(cases, i, c) {
        const char *hex = jstr_or_null(c, "data_hex");
        size_t size = (size_t)jint(c, "size");
        blob b = {.len = size};
        if (hex == NULL) {
            b.data = malloc(size);
            assert_non_null(b.data);
            memset(b.data, (int)strtoul(jstr(c, "data_fill"), NULL, 16), size);
        } else {
            b = unhex(hex);
        }
        char sha[SHA256_HEX_SIZE];
        assert_string_equal(sha256_hex(b.data, b.len, sha), jstr(c, "data_sha256"));
        assert_int_equal(b.len, size);
        assert_true(ls_ltx_page_checksum((uint32_t)jint(c, "pgno"), b.data, size) ==
                    jhex(c, "checksum"));
        free(b.data);
    }
    json_decref(sums);
}

/* Both implementations agree for every length and alignment, in one go and continued, and parts
 * combine to the whole. */
static void test_crc_parts(void **state) {
    (void)state;
    uint8_t data[1200];
    uint32_t seed = 1;
    for (size_t i = 0; i < sizeof data; i++) {
        seed = seed * 1103515245 + 12345;
        data[i] = (uint8_t)(seed >> 16);
    }
    for (size_t len = 0; len <= 1100; len++) {
        const uint8_t *p = data + len % 17;
        uint64_t whole = ls_crc64(0, p, len);
        assert_true(whole == ls_crc64_portable(0, p, len));
        size_t cut = len * 7 / 13;
        uint64_t a = ls_crc64(0, p, cut);
        uint64_t b = ls_crc64(0, p + cut, len - cut);
        assert_true(ls_crc64(a, p + cut, len - cut) == whole);
        assert_true(ls_crc64_combine(a, b, len - cut) == whole);
        ls_crc64_join join;
        ls_crc64_join_init(&join, len - cut);
        assert_true(ls_crc64_joined(&join, a, b) == whole);
        assert_true(ls_crc64_joined(&join, 0, b) == b);
    }
}

static void test_crc_combine_long(void **state) {
    (void)state;
    static uint8_t zeros[65536];
    const uint64_t count = 300;
    uint64_t a = ls_crc64(0, "123456789", 9);
    uint64_t whole = a;
    uint64_t b = 0;
    for (uint64_t i = 0; i < count; i++) {
        whole = ls_crc64(whole, zeros, sizeof zeros);
        b = ls_crc64(b, zeros, sizeof zeros);
    }
    assert_true(ls_crc64_combine(a, b, count * sizeof zeros) == whole);
    assert_true(ls_crc64_combine(a, 0, 0) == a);
    assert_true(ls_crc64_combine(0, a, 9) == a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_bad_magic),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_txids),
        cmocka_unit_test(test_checksum_texts),
        cmocka_unit_test(test_positions),
        cmocka_unit_test(test_quoting),
        cmocka_unit_test(test_info_order),
        cmocka_unit_test(test_lock_page),
        cmocka_unit_test(test_crc),
        cmocka_unit_test(test_page_checksums),
        cmocka_unit_test(test_crc_parts),
        cmocka_unit_test(test_crc_combine_long),
    };
    return cmocka_run_group_tests_name("ltx", tests, NULL, NULL);
}
