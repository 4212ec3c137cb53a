/*
 * Page indexes: those of all vectors, damaged ones, and pages fetched by them.
 */
#include "t/engine/ltx/support.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ltx/crc64.h"
#include "engine/ltx/index.h"

#define VALID 185

static bool is_valid(const json_t *file) {
    return strcmp(jstr(file, "strict_verdict"), "valid") == 0;
}

/* Opens the index of a file in memory. reader must live as long. */
static ls_code open_index(blob b, size_t step, step_reader *reader, ls_ltx_tail *tail,
                          ls_ltx_index_iter **it, ls_err *err) {
    ls_ltx_header h;
    *it = NULL;
    must(ls_ltx_header_decode(b.data, &h, err), err);
    ls_code rc = ls_ltx_tail_decode(b.data + b.len - 24, b.len, tail, err);
    if (rc != LS_OK)
        return rc;
    *reader = step_reader_of((blob){b.data + tail->index_offset, tail->index_size}, step);
    return ls_ltx_index_iter_new(&reader->base, &h, tail, it, err);
}

/* Reads an index to its end; *n counts the entries. */
static ls_code walk(blob b, size_t *n, ls_err *err) {
    step_reader reader;
    ls_ltx_tail tail;
    ls_ltx_index_iter *it = NULL;
    ls_code rc = open_index(b, SIZE_MAX, &reader, &tail, &it, err);
    *n = 0;
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_entry entry;
        rc = ls_ltx_index_iter_next(it, &entry, &end, err);
        *n += rc == LS_OK && !end;
    }
    ls_ltx_index_iter_free(it);
    return rc;
}

static void check_index(const json_t *file, blob b, size_t step) {
    step_reader reader;
    ls_ltx_tail tail;
    ls_ltx_index_iter *it = NULL;
    ls_err err = LS_ERR_INIT;
    must(open_index(b, step, &reader, &tail, &it, &err), &err);
    const json_t *layout = json_object_get(file, "layout");
    if (layout != NULL) {
        assert_int_equal(tail.index_offset, jint(layout, "page_index_offset"));
        assert_int_equal(tail.index_size, jint(layout, "page_index_size"));
    }
    assert_true(tail.trailer.post_apply == jhex(jget(file, "trailer"), "post_apply_checksum"));
    assert_true(tail.trailer.file_checksum == jhex(jget(file, "trailer"), "file_checksum"));
    const json_t *entries = jget(file, "page_index");
    size_t n = 0;
    for (bool end = false; !end;) {
        ls_ltx_entry e;
        must(ls_ltx_index_iter_next(it, &e, &end, &err), &err);
        if (end)
            break;
        const json_t *want = json_array_get(entries, n++);
        assert_int_equal(e.pgno, jint(want, "pgno"));
        assert_int_equal(e.offset, jint(want, "offset"));
        assert_int_equal(e.size, jint(want, "size"));
    }
    assert_int_equal(n, json_array_size(entries));
    uint64_t crc;
    uint64_t len;
    ls_ltx_index_iter_crc(it, &crc, &len);
    assert_int_equal(len, tail.index_size + 8);
    assert_true(crc == ls_crc64(0, b.data + tail.index_offset, len));
    ls_ltx_index_iter_free(it);
}

static void test_all(void **state) {
    (void)state;
    json_t *root = vec_json("manifest.json");
    size_t i;
    json_t *file;
    size_t seen = 0;
    json_array_foreach(jget(root, "files"), i, file) {
        if (!is_valid(file))
            continue;
        blob b = vec_file(jstr(file, "file"));
        check_index(file, b, SIZE_MAX);
        check_index(file, b, 1);
        free(b.data);
        seen++;
    }
    assert_int_equal(seen, VALID);
    json_decref(root);
}

static void test_damaged(void **state) {
    (void)state;
    static const char *const cases[] = {
        "index-wrong-offset", "index-wrong-size",       "index-missing-entry",
        "index-extra-entry",  "index-unsorted",         "index-empty",
        "index-size-wrong",   "index-size-huge",        "flip-index-first",
        "flip-index-end",     "flip-index-size",        "trunc-in-trailer",
        "trunc-last-byte",    "trunc-after-end-header", "trunc-7-after-end-header",
        "trailing-garbage",   "snap-missing-page",      "snap-starts-at-2",
        "order-swapped-inc",  "dup-page-inc",           "pgno-out-of-bounds",
        "lock-page-present",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int version = 1; version <= 2; version++) {
            char name[100];
            snprintf(name, sizeof name, "corrupt/%s.v05%d.ltx", cases[i], version);
            blob b = vec_file(name);
            size_t n;
            ls_err err = LS_ERR_INIT;
            if (walk(b, &n, &err) != LS_ECORRUPT)
                fail_msg("%s: accepted", name);
            assert_true(err.msg[0] != '\0');
            free(b.data);
        }
}

/* A flipped bit of the index is noticed unless it makes another page number that fits. */
static void test_flipped_bits(void **state) {
    (void)state;
    blob b = vec_file("ltx/inc-ps512.v051.ltx");
    ls_ltx_tail tail;
    size_t n = 0;
    size_t refused = 0;
    ls_err err = LS_ERR_INIT;
    must(ls_ltx_tail_decode(b.data + b.len - 24, b.len, &tail, &err), &err);
    must(walk(b, &n, &err), &err);
    const size_t pages = n;
    for (uint64_t bit = tail.index_offset * 8; bit < (b.len - 16) * 8; bit++) {
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (walk(b, &n, &err) != LS_OK)
            refused++;
        else
            assert_int_equal(n, pages);
        b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(refused > (tail.index_size + 8) * 6);
    free(b.data);
}

static void test_numbers(void **state) {
    (void)state;
    static const struct {
        const char *hex;
        const char *error;
    } cases[] = {
        {"01642200", NULL},
        {"8100642200", "read page index: malformed number"},
        {"01e4002200", "read page index: malformed number"},
        {"ffffffffffffffffff01642200", "read page index: page number 18446744073709551615"},
        {"ffffffffffffffffff02642200", "read page index: malformed number"},
        {"ffffffffffffffffffff01642200", "read page index: malformed number"},
        {"8180808010642200", "read page index: page number 4294967297"},
        {"01642201862200",
         "read page index: nonsequential page numbers in snapshot transaction: 1,1"},
        {"0164220000", "read page index: end before its size"},
        {"0164", "read page index: no end within its size"},
        {"016421", "read page index: no end within its size"},
        {"01642100", "read page index: last frame ends at byte 133, pages at byte 134"},
        {"01640a00", "read page index: page 1 has 10 bytes"},
        {"01642300", "read page index: page 1 has 35 bytes"},
        {"01632200", "read page index: page 1 at byte 99, expected 100"},
        {"02642200", "read page index: page number 2 out-of-bounds for commit size 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        blob b = unhex(cases[i].hex);
        ls_ltx_header h = {.page_size = 512, .commit = 1, .min_txid = 1, .max_txid = 1};
        ls_ltx_tail tail = {.index_offset = 140, .index_size = b.len};
        step_reader in = step_reader_of(b, 3);
        ls_ltx_index_iter *it = NULL;
        ls_err err = LS_ERR_INIT;
        must(ls_ltx_index_iter_new(&in.base, &h, &tail, &it, &err), &err);
        ls_code rc = LS_OK;
        for (bool end = false; rc == LS_OK && !end;) {
            ls_ltx_entry e;
            rc = ls_ltx_index_iter_next(it, &e, &end, &err);
        }
        if (cases[i].error == NULL)
            must(rc, &err);
        else
            assert_string_equal(err.msg, cases[i].error);
        ls_ltx_index_iter_free(it);
        free(b.data);
    }
}

static void test_tail_sizes(void **state) {
    (void)state;
    uint8_t last[24] = {0, 0, 0, 0, 0, 0, 0, 1};
    ls_ltx_tail tail;
    ls_err err = LS_ERR_INIT;
    for (uint64_t size = 0; size < 131; size++)
        assert_int_equal(ls_ltx_tail_decode(last, size, &tail, &err), LS_ECORRUPT);
    must(ls_ltx_tail_decode(last, 131, &tail, &err), &err);
    assert_int_equal(tail.index_offset, 106);
    last[7] = 0;
    assert_int_equal(ls_ltx_tail_decode(last, 131, &tail, &err), LS_ECORRUPT);
    last[7] = 2;
    assert_int_equal(ls_ltx_tail_decode(last, 131, &tail, &err), LS_ECORRUPT);
    memset(last, 0xff, 8);
    assert_int_equal(ls_ltx_tail_decode(last, 1000, &tail, &err), LS_ECORRUPT);
    assert_string_equal(err.msg,
                        "page index of 18446744073709551615 bytes in a file of 1000 bytes");
}

/* Nothing behind the index is read, and a stream that ends early is an error. */
static void test_reads_no_more(void **state) {
    (void)state;
    blob b = vec_file("ltx/many-pages.v051.ltx");
    ls_ltx_header h;
    ls_ltx_tail tail;
    ls_err err = LS_ERR_INIT;
    must(ls_ltx_header_decode(b.data, &h, &err), &err);
    must(ls_ltx_tail_decode(b.data + b.len - 24, b.len, &tail, &err), &err);
    for (uint64_t cut = 0; cut <= tail.index_size; cut += tail.index_size / 7) {
        blob part = {b.data + tail.index_offset, cut};
        step_reader in = step_reader_of(part, 100);
        ls_ltx_index_iter *it = NULL;
        must(ls_ltx_index_iter_new(&in.base, &h, &tail, &it, &err), &err);
        ls_code rc = LS_OK;
        for (bool end = false; rc == LS_OK && !end;) {
            ls_ltx_entry e;
            rc = ls_ltx_index_iter_next(it, &e, &end, &err);
        }
        assert_int_equal(rc, cut < tail.index_size ? LS_ECORRUPT : LS_OK);
        ls_ltx_index_iter_free(it);
    }
    step_reader in =
        step_reader_of((blob){b.data + tail.index_offset, tail.index_size + 24}, SIZE_MAX);
    ls_ltx_index_iter *it = NULL;
    must(ls_ltx_index_iter_new(&in.base, &h, &tail, &it, &err), &err);
    for (bool end = false; !end;) {
        ls_ltx_entry e;
        must(ls_ltx_index_iter_next(it, &e, &end, &err), &err);
    }
    assert_int_equal(in.left, 24);
    ls_ltx_index_iter_free(it);
    free(b.data);
}

/* ---- fetch ---- */

static size_t fetch_all(const json_t *file, int fd) {
    size_t i;
    json_t *want;
    uint32_t last = 0;
    static uint8_t page[LS_LTX_MAX_PAGE_SIZE];
    ls_ltx_header h;
    ls_err err = LS_ERR_INIT;
    json_array_foreach(jget(file, "pages"), i, want) {
        last = (uint32_t)jint(want, "pgno");
        must(ls_ltx_fetch_page(fd, "f", last, &h, page, sizeof page, &err), &err);
        char sha[SHA256_HEX_SIZE];
        assert_string_equal(sha256_hex(page, h.page_size, sha), jstr(want, "sha256"));
    }
    if (last != UINT32_MAX) {
        assert_int_equal(ls_ltx_fetch_page(fd, "f", last + 1, &h, page, sizeof page, &err),
                         LS_ENOTFOUND);
    }
    return i;
}

static void test_fetch(void **state) {
    (void)state;
    json_t *root = vec_json("manifest.json");
    size_t i;
    json_t *file;
    size_t pages = 0;
    json_array_foreach(jget(root, "files"), i, file) {
        if (!is_valid(file))
            continue;
        int fd = open(vec_path(jstr(file, "file")), O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        pages += fetch_all(file, fd);
        close(fd);
    }
    assert_true(pages > 1000);
    json_decref(root);
}

static void test_fetch_errors(void **state) {
    (void)state;
    uint8_t page[512];
    ls_ltx_header h;
    ls_err err = LS_ERR_INIT;
    int fd = open(vec_path("ltx/snap-ps512.v051.ltx"), O_RDONLY | O_CLOEXEC);
    assert_int_equal(ls_ltx_fetch_page(fd, "a.ltx", 1, &h, page, 511, &err), LS_EINVALID);
    assert_string_equal(err.msg, "a.ltx: page buffer of 511 bytes, page size is 512");
    assert_int_equal(ls_ltx_fetch_page(fd, "a.ltx", 8, &h, page, 512, &err), LS_ENOTFOUND);
    assert_string_equal(err.msg, "a.ltx: page 8 is not in the file");
    close(fd);
    static const char *const bad[] = {"corrupt/empty.v051.ltx", "corrupt/trunc-header.v051.ltx",
                                      "corrupt/trunc-after-header.v051.ltx",
                                      "corrupt/garbage-header.v051.ltx",
                                      "corrupt/index-wrong-offset.v051.ltx"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fd = open(vec_path(bad[i]), O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_not_equal(ls_ltx_fetch_page(fd, "b.ltx", 2, &h, page, 512, &err), LS_OK);
        assert_memory_equal(err.msg, "b.ltx: ", 7);
        close(fd);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all),          cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_flipped_bits), cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_tail_sizes),   cmocka_unit_test(test_reads_no_more),
        cmocka_unit_test(test_fetch),        cmocka_unit_test(test_fetch_errors),
    };
    return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
