/* XML as a sequence of elements, and what is refused (xml.c). */
#include "backends/xml.h"
#include "engine/base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static ls_code note(void *arg, const char *path, const char *text, ls_err *err) {
    return ls_buf_addf(arg, err, "%s=%s\n", path, text);
}

static void assert_reads(const char *text, const char *expected) {
    ls_buf seen;
    ls_err err = LS_ERR_INIT;
    ls_buf_init(&seen, 1 << 20);
    ls_code code = ls_xml_read(text, strlen(text), note, &seen, &err);
    if (code != LS_OK) {
        fail_msg("%s: %s", text, err.msg);
    }
    assert_string_equal(ls_buf_str(&seen), expected);
    ls_buf_done(&seen);
}

static void elements(void **state) {
    (void)state;
    assert_reads("<?xml version=\"1.0\"?>\n<a x='1'> <b>1</b>\n<b>2</b><c/></a>",
                 "a/b=1\na/b=2\na/c=\na=\n");
    assert_reads("<D:a xmlns:D='DAV:'><D:b>x</D:b></D:a>", "a/b=x\na=\n");
    assert_reads("<a>&quot;x&#34;&amp;<![CDATA[<y>]]></a>", "a=\"x\"&<y>\n");
    assert_reads("<a>one<!-- two -->three</a>", "a=onethree\n");
}

static void assert_refused(const char *text, size_t len, const char *msg) {
    ls_buf seen;
    ls_err err = LS_ERR_INIT;
    ls_buf_init(&seen, 1 << 20);
    assert_int_equal(ls_xml_read(text, len, note, &seen, &err), LS_EREMOTE);
    if (strstr(err.msg, msg) == NULL) {
        fail_msg("%s", err.msg);
    }
    ls_buf_done(&seen);
}

static void what_is_refused(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {"", "no XML"},
        {"<a>", "no XML"},
        {"<a></b>", "no XML"},
        {"<a>&nbsp;</a>", "no XML"},
        {"<a/><b/>", "no XML"},
        {"not xml", "no XML"},
        {"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "document type"},
        {"<a><b><c><d><e><f><g><h><i><j><k><l><m><n><o><p><q>", "depths"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_refused(texts[i][0], strlen(texts[i][0]), texts[i][1]);
    }
    assert_refused(NULL, 0, "no XML");
    size_t len = LS_XML_TEXT_MAX + 8;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, 'x', len);
    memcpy(text, "<a>", 3);
    memcpy(text + len - 4, "</a>", 4);
    assert_refused(text, len, "an element of more than");
    memset(text, 'x', LS_XML_NAME_MAX + 2);
    text[0] = '<';
    text[LS_XML_NAME_MAX + 2] = '/';
    text[LS_XML_NAME_MAX + 3] = '>';
    assert_refused(text, LS_XML_NAME_MAX + 4, "names");
    free(text);
    /* The end of what was refused is not told either. */
    const char *last = "<a><b><c><d><e><f><g><h><i><j><k><l><m><n><o><p><q/>";
    ls_buf seen;
    ls_err err = LS_ERR_INIT;
    ls_buf_init(&seen, 1000);
    assert_int_equal(ls_xml_read(last, strlen(last), note, &seen, &err), LS_EREMOTE);
    assert_string_equal(ls_buf_str(&seen), "");
    ls_buf_done(&seen);
}

static ls_code give_up(void *arg, const char *path, const char *text, ls_err *err) {
    (void)text;
    ++*(int *)arg;
    return ls_fail(err, LS_ELIMIT, "%s is enough", path);
}

static void the_callback_ends_it(void **state) {
    (void)state;
    ls_err err = LS_ERR_INIT;
    int calls = 0;
    const char *text = "<a><b>1</b><b>2</b></a>";
    assert_int_equal(ls_xml_read(text, strlen(text), give_up, &calls, &err), LS_ELIMIT);
    assert_string_equal(err.msg, "a/b is enough");
    assert_int_equal(calls, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(the_callback_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
