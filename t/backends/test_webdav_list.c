/* Listings of WebDAV servers: every way to write them that is XML, and what is none. */
#include "backends/webdav.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A source whose scan parses a text. */
typedef struct text_source {
    ls_window_source base;
    const char *text;
    size_t len;
} text_source;

static ls_code scan(ls_window_source *src, ls_window *w, ls_err *err) {
    const text_source *t = (text_source *)(void *)src;
    ls_reader *in = ls_mem_reader_new(t->text, t->len);
    assert_non_null(in);
    ls_code code = ls_dav_read_listing(in, w, err);
    ls_reader_close(in);
    return code;
}

static void keep(ls_window_source *src) { (void)src; }

/* "min-max:size@ms ..." of the files that are read; code of an error. */
static ls_code files_of(const char *text, size_t len, char *out, size_t size) {
    text_source src = {.base = {.scan = scan, .free = keep}, .text = text, .len = len};
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    assert_int_equal(ls_window_list(&src.base, 0, &it, &err), LS_OK);
    ls_code code = LS_OK;
    size_t n = 0;
    out[0] = '\0';
    for (;;) {
        ls_ltx_info f;
        bool end = false;
        code = ls_storage_iter_next(it, &f, &end, &err);
        if (code != LS_OK || end) {
            break;
        }
        n += (size_t)snprintf(out + n, size - n, "%s%llu-%llu:%llu@%lld", n > 0 ? " " : "",
                              (unsigned long long)f.min_txid, (unsigned long long)f.max_txid,
                              (unsigned long long)f.size, (long long)f.created_ms);
        assert_true(n < size);
    }
    ls_storage_iter_free(it);
    return code;
}

#define NAME1 "0000000000000001-0000000000000001.ltx"
#define NAME2 "0000000000000002-0000000000000003.ltx"
#define DATE "Tue, 14 Nov 2023 22:13:20 GMT"

static void assert_files(const char *text, const char *expected) {
    char out[512];
    assert_int_equal(files_of(text, strlen(text), out, sizeof out), LS_OK);
    assert_string_equal(out, expected);
}

static void as_apache_writes(void **state) {
    (void)state;
    assert_files(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"
        "<D:multistatus xmlns:D=\"DAV:\" xmlns:ns0=\"DAV:\">\n"
        "<D:response xmlns:lp1=\"DAV:\"><D:href>/db/ltx/0/</D:href><D:propstat><D:prop>"
        "<lp1:resourcetype><D:collection/></lp1:resourcetype>"
        "<lp1:getlastmodified>" DATE "</lp1:getlastmodified></D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
        "<D:propstat><D:prop><D:getcontentlength/></D:prop>"
        "<D:status>HTTP/1.1 404 Not Found</D:status></D:propstat></D:response>\n"
        "<D:response xmlns:lp1=\"DAV:\"><D:href>/db/ltx/0/" NAME2 "</D:href><D:propstat><D:prop>"
        "<lp1:resourcetype/><lp1:getcontentlength>300</lp1:getcontentlength>"
        "<lp1:getlastmodified>" DATE "</lp1:getlastmodified></D:prop>"
        "<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>\n"
        "<D:response xmlns:lp1=\"DAV:\"><D:href>/db/ltx/0/" NAME1 "</D:href><D:propstat><D:prop>"
        "<lp1:resourcetype/><lp1:getcontentlength>200</lp1:getcontentlength></D:prop>"
        "</D:propstat></D:response></D:multistatus>",
        "1-1:200@0 2-3:300@1700000000000");
}

static void other_ways_to_write_it(void **state) {
    (void)state;
    /* the default namespace, a whole URL, escapes, CDATA, a folder and names that do not belong */
    assert_files(
        "<multistatus xmlns='DAV:'><response><href>"
        "https://h:8080/a%20b/%30000000000000001%2D0000000000000001.ltx?x=1</href>"
        "<propstat><prop><getcontentlength><![CDATA[7]]></getcontentlength></prop></propstat>"
        "</response><response><href>/d/" NAME2 "/</href></response>"
        "<response><href>/d/" NAME2 "</href><propstat><prop><resourcetype><collection/>"
        "</resourcetype></prop></propstat></response>"
        "<response><href>" NAME2 ".tmp</href></response><response><href/></response>"
        "<response><href>%</href></response><response><href>/x/%2</href></response>"
        "</multistatus>",
        "1-1:7@0");
    assert_files("<multistatus xmlns='DAV:'/>", "");
    /* elements of another namespace say nothing */
    assert_files("<D:multistatus xmlns:D='DAV:' xmlns:X='urn:x'><D:response><D:href>" NAME1
                 "</D:href><X:collection/><X:getcontentlength>9</X:getcontentlength>"
                 "<D:getcontentlength>5</D:getcontentlength></D:response></D:multistatus>",
                 "1-1:5@0");
}

static void what_is_no_listing(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "<",
        "<html><body>Hello</body>",
        "<a xmlns='DAV:'><b></a></b>",
        "{\"a\":1}",
        "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><multistatus xmlns='DAV:'>&a;</multistatus>",
        "<D:multistatus><D:response/></D:multistatus>", /* a prefix without namespace */
        "<multistatus xmlns='DAV:'><response><href>" NAME1 "</href></response>"};
    char out[512];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(files_of(texts[i], strlen(texts[i]), out, sizeof out), LS_EREMOTE);
    }
    const size_t n = 400000;
    char *deep = malloc(n + 1);
    assert_non_null(deep);
    for (size_t i = 0; i < n; i += 4) {
        memcpy(deep + i, "<ab>", 4);
    }
    assert_int_equal(files_of(deep, n, out, sizeof out), LS_EREMOTE);
    /* a value that never ends has no meaning, and takes no memory */
    memset(deep, 'x', n);
    memcpy(deep, "<response xmlns='DAV:'><href>", 29);
    memcpy(deep + n - 18, "</href></response>", 18);
    assert_int_equal(files_of(deep, n, out, sizeof out), LS_OK);
    assert_string_equal(out, "");
    free(deep);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_apache_writes),
        cmocka_unit_test(other_ways_to_write_it),
        cmocka_unit_test(what_is_no_listing),
    };
    return cmocka_run_group_tests_name("listings of WebDAV", tests, NULL, NULL);
}
