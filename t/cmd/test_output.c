/* Tables and JSON as the commands print them. */
#include "cmd/json.h"
#include "cmd/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct capture {
    FILE *f;
    char *text;
    size_t len;
} capture;

static void begin(capture *c) {
    *c = (capture){0};
    c->f = open_memstream(&c->text, &c->len);
    assert_non_null(c->f);
}

static void expect(capture *c, const char *want) {
    assert_int_equal(fclose(c->f), 0);
    assert_string_equal(c->text, want);
    free(c->text);
}

static void test_table(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_table t;
    capture c;

    (void)state;
    ls_table_init(&t, 3);
    assert_int_equal(LS_TABLE_ROW(&t, &err, "path", "replica", "n"), LS_OK);
    assert_int_equal(LS_TABLE_ROW(&t, &err, "/srv/\xc3\xa4.db", "file", "12"), LS_OK);
    assert_int_equal(LS_TABLE_ROW(&t, &err, "a\nb", "", ""), LS_OK);
    begin(&c);
    ls_table_write(&t, c.f);
    expect(&c, "path       replica  n\n/srv/\xc3\xa4.db  file     12\na?b\n");
    ls_table_done(&t);
}

static void test_table_empty(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_table t;
    capture c;

    (void)state;
    ls_table_init(&t, 2);
    begin(&c);
    ls_table_write(&t, c.f);
    expect(&c, "");
    assert_int_equal(LS_TABLE_ROW(&t, &err, "level", "created"), LS_OK);
    begin(&c);
    ls_table_write(&t, c.f);
    expect(&c, "level  created\n");
    ls_table_done(&t);
}

static void test_table_csv(void **state) {
    ls_err err = LS_ERR_INIT;
    ls_table t;
    capture c;

    (void)state;
    ls_table_init(&t, 2);
    begin(&c);
    ls_table_csv(&t, c.f);
    expect(&c, "");
    assert_int_equal(LS_TABLE_ROW(&t, &err, "path", "text"), LS_OK);
    assert_int_equal(LS_TABLE_ROW(&t, &err, "a b", ""), LS_OK);
    assert_int_equal(LS_TABLE_ROW(&t, &err, "a,b", "say \"no\"\nor"), LS_OK);
    begin(&c);
    ls_table_csv(&t, c.f);
    expect(&c, "path,text\r\na b,\r\n\"a,b\",\"say \"\"no\"\"\nor\"\r\n");
    ls_table_done(&t);
}

static void test_table_json(void **state) {
    static const char *const keys[] = {"path", "size"};
    ls_err err = LS_ERR_INIT;
    ls_table t;
    ls_json j;
    capture c;

    (void)state;
    ls_table_init(&t, 2);
    assert_int_equal(LS_TABLE_ROW(&t, &err, "p", "s"), LS_OK);
    begin(&c);
    ls_json_init(&j, c.f);
    ls_table_json(&t, &j, NULL, keys, 2);
    expect(&c, "[]");
    assert_int_equal(LS_TABLE_ROW(&t, &err, "a\nb", "12"), LS_OK);
    begin(&c);
    ls_json_init(&j, c.f);
    ls_table_json(&t, &j, NULL, keys, 2);
    ls_json_end(&j);
    expect(&c, "[\n  {\n    \"path\": \"a\\nb\",\n    \"size\": 12\n  }\n]\n");
    ls_table_done(&t);
}

static void test_json(void **state) {
    ls_json j;
    capture c;

    (void)state;
    begin(&c);
    ls_json_init(&j, c.f);
    ls_json_array(&j, NULL);
    ls_json_object(&j, NULL);
    ls_json_str(&j, "path", "a\"\\\n\x01/<\xc3\xa9>");
    ls_json_str(&j, "none", NULL);
    ls_json_uint(&j, "size", UINT64_MAX);
    ls_json_object_end(&j);
    ls_json_object(&j, NULL);
    ls_json_int(&j, "n", INT64_MIN);
    ls_json_bool(&j, "ok", true);
    ls_json_array(&j, "files");
    ls_json_array_end(&j);
    ls_json_object_end(&j);
    ls_json_array_end(&j);
    ls_json_end(&j);
    expect(&c, "[\n  {\n    \"path\": \"a\\\"\\\\\\n\\u0001/<\xc3\xa9>\",\n    \"none\": null,\n"
               "    \"size\": 18446744073709551615\n  },\n  {\n    \"n\": -9223372036854775808,\n"
               "    \"ok\": true,\n    \"files\": []\n  }\n]\n");
}

static void test_json_utf8(void **state) {
    ls_json j;
    capture c;

    (void)state;
    begin(&c);
    ls_json_init(&j, c.f);
    /* Lone continuation, overlong, surrogate, past U+10FFFF, cut; then what is valid. */
    ls_json_str(&j, NULL, "\x80\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82");
    expect(&c, "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd"
               "\\ufffd\\ufffd\"");
    begin(&c);
    ls_json_init(&j, c.f);
    ls_json_str(&j, NULL, "\xf0\x9f\x98\x80\xe2\x82\xac");
    expect(&c, "\"\xf0\x9f\x98\x80\xe2\x82\xac\"");
}

static void test_json_lines(void **state) {
    ls_json j;
    capture c;

    (void)state;
    begin(&c);
    for (int i = 0; i < 2; i++) {
        ls_json_init_line(&j, c.f);
        ls_json_object(&j, NULL);
        ls_json_int(&j, "n", i);
        ls_json_array(&j, "a");
        ls_json_str(&j, NULL, "x\ny");
        ls_json_bool(&j, NULL, true);
        ls_json_array_end(&j);
        ls_json_object_end(&j);
        ls_json_end(&j);
    }
    expect(&c, "{\"n\":0,\"a\":[\"x\\ny\",true]}\n{\"n\":1,\"a\":[\"x\\ny\",true]}\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),      cmocka_unit_test(test_table_empty),
        cmocka_unit_test(test_table_csv),  cmocka_unit_test(test_table_json),
        cmocka_unit_test(test_json),       cmocka_unit_test(test_json_utf8),
        cmocka_unit_test(test_json_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
