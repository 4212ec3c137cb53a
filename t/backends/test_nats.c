/* What needs no NATS server: public keys of seeds, and descriptions of objects that other clients
 * wrote. The rest of the NATS store is tested by t/backends/stores.t and t/cmd/store_nats.t, among
 * it backends/nats_conn.c, backends/nats_put.c and backends/nats_read.c. */
#include "backends/nats_key.h"
#include "backends/nats_object.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- keys ---- */

static void public_keys(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"SUAPFSTM6B6U6TYVNYAB6JLMLVRZP26MTZNNYY6AEONWHUQCDG3VSZGWXI",
         "UDLHNA4VWFNBASQ3XPFZX6FTE6KCG5JJWZARIJMRKKH6IGOB7UFZ4P3W"},
        {"SAAFYH27LONSQE2P2VYNQGQPWZGL4LV57AGT6NZTSVO4YC3GX674M4B47Q",
         "ABBAAXHQFJXTAH23TML2ISUYOXM4M5LPW7ITIMJ5ENRF4HBFUQ2GCRAB"},
        {"SOAE6Y2WLHT3XJJSA7OLF4LY3JTY3ILPJWNDFUDHZLKX65SVDN3VID3KRU",
         "ODPHL3WJJTUWGA45AXQIWGHWYEI766GNVRY4QCRWUGXA3MIFC2HQ634N"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char public[LS_NATS_PUBLIC_SIZE];
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_nats_public_key(pairs[i][0], public, &err), LS_OK);
        assert_string_equal(public, pairs[i][1]);
    }
}

static void no_seeds(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "SU",
        "SUAPFSTM6B6U6TYVNYAB6JLMLVRZP26MTZNNYY6AEONWHUQCDG3VSZGWX",   /* too short */
        "SUAPFSTM6B6U6TYVNYAB6JLMLVRZP26MTZNNYY6AEONWHUQCDG3VSZGWXIA", /* too long */
        "SUAPFSTM6B6U6TYVNYAB6JLMLVRZP26MTZNNYY6AEONWHUQCDG3VSZGWXA",  /* another CRC */
        "SUAPFSTM6B6U6TYVNYAB6JLMLVRZP26MTZNNYY7AEONWHUQCDG3VSZGWXI",  /* another letter */
        "suapfstm6b6u6tyvnyab6jlmlvrzp26mtznnyy6aeonwhuqcdg3vszgwxi",
        "UDLHNA4VWFNBASQ3XPFZX6FTE6KCG5JJWZARIJMRKKH6IGOB7UFZ4P3W", /* a public key */
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char public[LS_NATS_PUBLIC_SIZE];
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_nats_public_key(texts[i], public, &err), LS_ECONFIG);
        assert_true(texts[i][0] == '\0' || strstr(err.msg, texts[i]) == NULL);
    }
}

/* ---- descriptions ---- */

static ls_code parse(const char *text, ls_nats_info *info) {
    ls_err err = LS_ERR_INIT;
    return ls_nats_info_parse(text, strlen(text), info, &err);
}

static void names_as_subjects(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"a", "YQ=="}, {"ltx/0/1", "bHR4LzAvMQ=="}, {"\xff\xef\xbe~~~", "_---fn5-"}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *got = ls_nats_encode_name(pairs[i][0]);
        assert_string_equal(got, pairs[i][1]);
        free(got);
    }
}

static void a_description_of_go(void **state) {
    (void)state;
    ls_nats_info info;
    assert_int_equal(
        parse("{\"name\":\"ltx/0/x.ltx\",\"headers\":{\"Litestream-Timestamp\":"
              "[\"2026-11-21T09:14:09.38Z\"]},\"options\":{\"max_chunk_size\":131072},"
              "\"bucket\":\"b\",\"nuid\":\"n1\",\"size\":5000000000,"
              "\"mtime\":\"0001-01-01T00:00:00Z\",\"chunks\":3,\"digest\":\"SHA-256=abc=\"}",
              &info),
        LS_OK);
    assert_string_equal(info.name, "ltx/0/x.ltx");
    assert_string_equal(info.nuid, "n1");
    assert_string_equal(info.digest, "SHA-256=abc=");
    assert_int_equal(info.size, 5000000000);
    assert_int_equal(info.created_ms, 1795252449380);
    assert_false(info.deleted);
    assert_null(info.link_name);
    assert_int_equal(info.n_marks, 0);
    ls_nats_info_done(&info);
    assert_int_equal(parse("{\"name\":\"a\",\"bucket\":\"b\",\"nuid\":\"n\",\"size\":0,"
                           "\"chunks\":0,\"deleted\":true}",
                           &info),
                     LS_OK);
    assert_true(info.deleted);
    ls_nats_info_done(&info);
    assert_int_equal(parse("{\"name\":\"a\",\"options\":{\"link\":{\"bucket\":\"b\",\"name\":"
                           "\"c\"}}}",
                           &info),
                     LS_OK);
    assert_string_equal(info.link_bucket, "b");
    assert_string_equal(info.link_name, "c");
    ls_nats_info_done(&info);
}

static void no_descriptions(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "{",
                                        "null",
                                        "[]",
                                        "7",
                                        "{}",
                                        "{\"name\":7}",
                                        "{\"name\":\"\"}",
                                        "{\"name\":\"a\"} x",
                                        "{\"name\":\"a\\u0000b\"}",
                                        "\xff\xfe"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ls_nats_info info;
        assert_int_equal(parse(texts[i], &info), LS_EFORMAT);
        ls_nats_info_done(&info);
    }
    char *deep = malloc(200001);
    assert_non_null(deep);
    memset(deep, '[', 200000);
    deep[200000] = '\0';
    ls_nats_info info;
    assert_int_equal(parse(deep, &info), LS_EFORMAT);
    ls_nats_info_done(&info);
    free(deep);
}

static size_t marks_of(const char *list) {
    char text[512];
    (void)snprintf(text, sizeof text,
                   "{\"name\":\"a\",\"nuid\":\"n1\",\"size\":1,\"options\":{\"max_chunk_size\":10},"
                   "\"headers\":{\"Litestream-Chunks\":%s}}",
                   list);
    ls_nats_info info;
    assert_int_equal(parse(text, &info), LS_OK);
    size_t n = info.n_marks;
    ls_nats_info_done(&info);
    return n;
}

static void marks(void **state) {
    (void)state;
    assert_int_equal(marks_of("[\"n1\",\"1\",\"5\",\"6\",\"9\"]"), 3);
    assert_int_equal(marks_of("[\"n2\",\"1\",\"5\",\"6\",\"9\"]"), 0); /* of another object */
    assert_int_equal(marks_of("[\"n1\",\"0\",\"5\",\"6\"]"), 0);
    assert_int_equal(marks_of("[\"n1\",\"1\",\"6\",\"6\"]"), 0);
    assert_int_equal(marks_of("[\"n1\",\"1\",\"6\",\"x\"]"), 0);
    assert_int_equal(marks_of("[\"n1\",\"1\",\"6\",7]"), 0);
    assert_int_equal(marks_of("[\"n1\",\"1\"]"), 0);
    assert_int_equal(marks_of("\"n1\""), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_keys),       cmocka_unit_test(no_seeds),
        cmocka_unit_test(names_as_subjects), cmocka_unit_test(a_description_of_go),
        cmocka_unit_test(no_descriptions),   cmocka_unit_test(marks),
    };
    return cmocka_run_group_tests_name("NATS without a server", tests, NULL, NULL);
}
