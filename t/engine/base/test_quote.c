/*
 * UTF-8 and the escapes of log and JSON text (engine/base/quote.c).
 */
#include "engine/base/quote.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct example {
    const char *in;
    size_t len;
    const char *go;   /* NULL: shown bare */
    const char *json; /* without the outer quotes */
} example;

#define EX(in, go, json)                                                                           \
    { in, sizeof(in) - 1, go, json }

static const example examples[] = {
    EX("plain", NULL, "plain"),
    EX("/srv/app/data/a.db", NULL, "/srv/app/data/a.db"),
    EX("", "\"\"", ""),
    EX("two words", "\"two words\"", "two words"),
    EX("a=b", "\"a=b\"", "a=b"),
    EX("say \"x\"", "\"say \\\"x\\\"\"", "say \\\"x\\\""),
    EX("C:\\dir", NULL, "C:\\\\dir"),
    EX("C:\\my dir", "\"C:\\\\my dir\"", "C:\\\\my dir"),
    EX("a\nb\tc\rd", "\"a\\nb\\tc\\rd\"", "a\\nb\\tc\\rd"),
    EX("\a\b\v\f", "\"\\a\\b\\v\\f\"", "\\u0007\\u0008\\u000b\\u000c"),
    EX("\0x\x1b[31m", "\"\\x00x\\x1b[31m\"", "\\u0000x\\u001b[31m"),
    EX("\x7f", NULL, "\x7f"),
    EX("\x7f ", "\"\\x7f \"", "\x7f "),
    EX("\xc3\xa9t\xc3\xa9", NULL, "\xc3\xa9t\xc3\xa9"),
    EX("\xc2\xa0", "\"\\u00a0\"", "\xc2\xa0"),
    EX("\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\"", "\\u2028\\u2029"),
    EX("\xe2\x80\xae", "\"\\u202e\"", "\xe2\x80\xae"),
    EX("\xf0\x9f\x98\x80", NULL, "\xf0\x9f\x98\x80"),
    EX("\xf3\xa0\x81\x81", "\"\\U000e0041\"", "\xf3\xa0\x81\x81"),
    EX("\xff\xfe", "\"\\xff\\xfe\"", "\\ufffd\\ufffd"),
    EX("\xed\xa0\x80", "\"\\xed\\xa0\\x80\"", "\\ufffd\\ufffd\\ufffd"),
    EX("\xc0\xaf", "\"\\xc0\\xaf\"", "\\ufffd\\ufffd"),
    EX("\xe2\x82", "\"\\xe2\\x82\"", "\\ufffd\\ufffd"),
    EX("\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\"", "\\ufffd\\ufffd\\ufffd\\ufffd"),
    EX("\xef\xbf\xbd", "\"\xef\xbf\xbd\"", "\xef\xbf\xbd"),
    EX("<&>", NULL, "<&>"),
};

static void examples_hold(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof examples[0]; i++) {
        const example *e = &examples[i];
        ls_err err = LS_ERR_INIT;
        ls_buf b;
        ls_buf_init(&b, 1000);
        assert_int_equal(ls_quote_needed(e->in, e->len), e->go != NULL);
        assert_int_equal(ls_quote_go(&b, e->in, e->len, &err), LS_OK);
        if (e->go != NULL) {
            assert_string_equal(ls_buf_str(&b), e->go);
        }
        ls_buf_clear(&b);
        assert_int_equal(ls_quote_json(&b, e->in, e->len, &err), LS_OK);
        assert_int_equal(b.len, strlen(e->json) + 2);
        assert_memory_equal(b.data + 1, e->json, strlen(e->json));
        assert_int_equal(b.data[0], '"');
        assert_int_equal(b.data[b.len - 1], '"');
        ls_buf_done(&b);
    }
}

static void encode(uint32_t r, char out[4], size_t *len) {
    static const unsigned char leads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    *len = r < 0x80 ? 1 : r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
    for (size_t i = *len; i-- > 1; r >>= 6) {
        out[i] = (char)(0x80 | (r & 0x3f));
    }
    out[0] = (char)(*len == 1 ? r : (r | leads[*len]));
}

static void every_character_decodes(void **state) {
    (void)state;
    for (uint32_t r = 0; r <= 0x10ffff; r++) {
        char text[4];
        size_t len;
        uint32_t got;
        encode(r, text, &len);
        bool surrogate = r >= 0xd800 && r <= 0xdfff;
        size_t n = ls_utf8_decode(text, len, &got);
        assert_true(surrogate ? (n == 1 && got == 0xfffd) : (n == len && got == r));
        if (len > 1) {
            assert_int_equal(ls_utf8_decode(text, len - 1, &got), 1);
            assert_int_equal(got, 0xfffd);
        }
    }
}

static void maximum_is_kept(void **state) {
    (void)state;
    for (size_t max = 0; max < 6; max++) {
        ls_err err = LS_ERR_INIT;
        ls_buf b;
        ls_buf_init(&b, max);
        assert_int_equal(ls_quote_json(&b, "a\n", 2, &err), max < 5 ? LS_ELIMIT : LS_OK);
        assert_true(b.len <= max);
        ls_buf_done(&b);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_hold),
        cmocka_unit_test(every_character_decodes),
        cmocka_unit_test(maximum_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
