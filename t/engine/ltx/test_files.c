/*
 * Every LTX file of the vectors through the decoder: what a careful reader must say of it, and for
 * the valid ones header, pages, page index, trailer and the database they make.
 */
#include "t/engine/ltx/support.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ltx/crc64.h"
#include "engine/ltx/decoder.h"

#define FILES 370
#define VALID 185

/* A damaged file and what is said of it where the Go reader has no good text: it accepts the file,
 * panics, or stumbles over the damage later than we do. */
typedef struct own_text {
    const char *file;
    const char *text;
} own_text;

static const own_text own_texts[] = {
#include "t/engine/ltx/own_texts.inc"
};
#define OWN_TEXTS (sizeof own_texts / sizeof own_texts[0])

static const char *own_text_of(const char *file) {
    for (size_t i = 0; i < OWN_TEXTS; i++)
        if (strcmp(own_texts[i].file, file) == 0)
            return own_texts[i].text;
    return NULL;
}

static ls_code verify_bytes(blob b, size_t step, ls_ltx_summary *sum, ls_err *err) {
    step_reader in = step_reader_of(b, step);
    return ls_ltx_verify(&in.base, sum, err);
}

static void assert_same_summary(const ls_ltx_summary *a, const ls_ltx_summary *b) {
    assert_same_header(&a->header, &b->header);
    assert_int_equal(a->trailer.post_apply, b->trailer.post_apply);
    assert_int_equal(a->trailer.file_checksum, b->trailer.file_checksum);
    assert_int_equal(a->pages, b->pages);
    assert_int_equal(a->size, b->size);
}

static const json_t *go_reader(const json_t *file, const char *version) {
    return jget(jget(file, "readers"), version);
}

static void check_verdict(const json_t *file, blob b, size_t *valid, size_t *own) {
    ls_ltx_summary sum;
    ls_err err = LS_ERR_INIT;
    const char *name = jstr(file, "file");
    ls_code rc = verify_bytes(b, SIZE_MAX, &sum, &err);
    bool expected = strcmp(jstr(file, "strict_verdict"), "valid") == 0;
    if (expected && rc != LS_OK)
        fail_msg("%s: refused: %s", name, err.msg);
    if (!expected && rc == LS_OK)
        fail_msg("%s: accepted, but: %s", name,
                 json_string_value(json_object_get(file, "strict_reason")));
    *valid += expected;
    if (expected) {
        assert_int_equal(sum.size, b.len);
        return;
    }
    const char *text = own_text_of(name);
    *own += text != NULL;
    if (text == NULL)
        text = jstr_or_null(go_reader(file, "0.5.2"), "verify_error");
    if (text == NULL || strcmp(err.msg, text) != 0)
        fail_msg("    {\"%s\", \"%s\"}, /* expected %s */", name, err.msg, text);
}

static void test_verdicts(void **state) {
    (void)state;
    json_t *root = vec_json("manifest.json");
    const json_t *files = jget(root, "files");
    size_t i;
    json_t *file;
    size_t valid = 0;
    size_t own = 0;
    assert_int_equal(json_array_size(files), FILES);
    json_array_foreach(files, i, file) {
        blob b = vec_file(jstr(file, "file"));
        char sha[SHA256_HEX_SIZE];
        assert_int_equal(b.len, jint(file, "size"));
        assert_string_equal(sha256_hex(b.data, b.len, sha), jstr(file, "sha256"));
        check_verdict(file, b, &valid, &own);
        free(b.data);
    }
    assert_int_equal(valid, VALID);
    assert_int_equal(own, OWN_TEXTS);
    json_decref(root);
}

/* The result is the same whatever the pieces in which the bytes come. */
static void test_short_reads(void **state) {
    (void)state;
    static const size_t steps[] = {1, 2, 3, 7, 100, 4096};
    json_t *root = vec_json("manifest.json");
    const json_t *files = jget(root, "files");
    size_t i;
    json_t *file;
    size_t runs = 0;
    json_array_foreach(files, i, file) {
        blob b = vec_file(jstr(file, "file"));
        ls_ltx_summary want;
        ls_err want_err = LS_ERR_INIT;
        ls_code want_rc = verify_bytes(b, SIZE_MAX, &want, &want_err);
        for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++, runs++) {
            ls_ltx_summary got;
            ls_err err = LS_ERR_INIT;
            assert_int_equal(verify_bytes(b, steps[k], &got, &err), want_rc);
            assert_same_summary(&got, &want);
            assert_string_equal(err.msg, want_err.msg);
        }
        free(b.data);
    }
    assert_int_equal(runs, FILES * 6);
    json_decref(root);
}

static void check_page(const json_t *file, size_t i, const ls_ltx_page *page, uint32_t page_size,
                       const uint8_t *file_data) {
    const json_t *want = json_array_get(jget(file, "pages"), i);
    const json_t *entry = json_array_get(jget(file, "page_index"), i);
    assert_non_null(want);
    assert_non_null(entry);
    assert_int_equal(page->pgno, jint(want, "pgno"));
    assert_int_equal(page->flags, jint(want, "flags"));
    char sha[SHA256_HEX_SIZE];
    assert_string_equal(sha256_hex(page->data, page_size, sha), jstr(want, "sha256"));
    assert_true(ls_ltx_page_checksum(page->pgno, page->data, page_size) ==
                jhex(want, "page_checksum"));
    assert_int_equal(page->pgno, jint(entry, "pgno"));
    assert_int_equal(page->offset, jint(entry, "offset"));
    assert_int_equal(page->size, jint(entry, "size"));
    assert_memory_equal(page->frame, file_data + page->offset, page->size);
}

static size_t check_content(const json_t *file, blob b) {
    step_reader in = step_reader_of(b, SIZE_MAX);
    ls_err err = LS_ERR_INIT;
    ls_ltx_header header;
    ls_ltx_decoder *dec = NULL;
    assert_int_equal(ls_ltx_decoder_new(&in.base, &header, &dec, &err), LS_OK);
    ls_ltx_header want = header_of_json(jget(file, "header"));
    assert_same_header(&header, &want);
    size_t n = 0;
    for (bool end = false; !end;) {
        ls_ltx_page page;
        assert_int_equal(ls_ltx_decoder_next(dec, &page, &end, &err), LS_OK);
        if (!end)
            check_page(file, n++, &page, header.page_size, b.data);
    }
    assert_int_equal(n, json_array_size(jget(file, "pages")));
    assert_int_equal(n, ls_ltx_decoder_pages(dec));
    ls_ltx_trailer trailer;
    assert_int_equal(ls_ltx_decoder_close(dec, &trailer, &err), LS_OK);
    assert_true(trailer.post_apply == jhex(jget(file, "trailer"), "post_apply_checksum"));
    assert_true(trailer.file_checksum == jhex(jget(file, "trailer"), "file_checksum"));
    assert_int_equal(ls_ltx_decoder_bytes(dec), b.len);
    ls_ltx_decoder_free(dec);
    return n;
}

static bool is_valid(const json_t *file) {
    return strcmp(jstr(file, "strict_verdict"), "valid") == 0;
}

static void test_content(void **state) {
    (void)state;
    json_t *root = vec_json("manifest.json");
    size_t i;
    json_t *file;
    size_t seen = 0;
    size_t pages = 0;
    json_array_foreach(jget(root, "files"), i, file) {
        if (!is_valid(file))
            continue;
        blob b = vec_file(jstr(file, "file"));
        pages += check_content(file, b);
        seen++;
        free(b.data);
    }
    assert_int_equal(seen, VALID);
    assert_true(pages > 1000);
    json_decref(root);
}

/* SHA-256 of the database that a file of all pages makes. */
static void database_sha256(blob b, char out[SHA256_HEX_SIZE]) {
    step_reader in = step_reader_of(b, SIZE_MAX);
    ls_err err = LS_ERR_INIT;
    ls_ltx_header header;
    ls_ltx_decoder *dec = NULL;
    assert_int_equal(ls_ltx_decoder_new(&in.base, &header, &dec, &err), LS_OK);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestInit_ex(md, EVP_sha256(), NULL), 1);
    ls_ltx_page page;
    for (bool end = false; !end;) {
        assert_int_equal(ls_ltx_decoder_next(dec, &page, &end, &err), LS_OK);
        if (!end)
            EVP_DigestUpdate(md, page.data, header.page_size);
    }
    uint8_t sum[32];
    EVP_DigestFinal_ex(md, sum, NULL);
    EVP_MD_CTX_free(md);
    ls_ltx_decoder_free(dec);
    for (size_t i = 0; i < sizeof sum; i++)
        snprintf(out + 2 * i, 3, "%02x", sum[i]);
}

static const json_t *go_database(const json_t *file) {
    const json_t *newer = jget(go_reader(file, "0.5.2"), "decode_database");
    return jbool(newer, "ok") ? newer : jget(go_reader(file, "0.5.1"), "decode_database");
}

static void test_databases(void **state) {
    (void)state;
    json_t *root = vec_json("manifest.json");
    size_t i;
    json_t *file;
    size_t seen = 0;
    json_array_foreach(jget(root, "files"), i, file) {
        if (!is_valid(file) || !jbool(go_database(file), "ok"))
            continue;
        blob b = vec_file(jstr(file, "file"));
        char sha[SHA256_HEX_SIZE];
        database_sha256(b, sha);
        assert_string_equal(sha, jstr(go_database(file), "sha256"));
        seen++;
        free(b.data);
    }
    assert_int_equal(seen, 71);
    json_decref(root);
}

/* Any single flipped bit is noticed, but for those of the LZ4 data that do not change the page. */
static void test_flipped_bits(void **state) {
    (void)state;
    static const char *const names[] = {"ltx/chain-ps512-tx2.v051.ltx", "ltx/inc-ps512.v052.ltx"};
    for (size_t n = 0; n < 2; n++) {
        blob b = vec_file(names[n]);
        ls_ltx_summary sum;
        ls_err err = LS_ERR_INIT;
        assert_int_equal(verify_bytes(b, SIZE_MAX, &sum, &err), LS_OK);
        const ls_ltx_summary good = sum;
        for (size_t bit = 0; bit < b.len * 8; bit++) {
            b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            if (verify_bytes(b, SIZE_MAX, &sum, &err) == LS_OK)
                assert_same_summary(&sum, &good);
            b.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        free(b.data);
    }
}

/* A file cut anywhere is refused. */
static void test_cut(void **state) {
    (void)state;
    static const char *const names[] = {"ltx/snap-ps512.v051.ltx", "ltx/snap-ps512.v052.ltx"};
    for (size_t n = 0; n < 2; n++) {
        blob b = vec_file(names[n]);
        for (blob cut = {.data = b.data}; cut.len < b.len; cut.len++) {
            ls_ltx_summary sum;
            ls_err err = LS_ERR_INIT;
            assert_int_not_equal(verify_bytes(cut, SIZE_MAX, &sum, &err), LS_OK);
            assert_true(err.msg[0] != '\0');
        }
        free(b.data);
    }
}

static ls_code broken_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    (void)buf;
    (void)len;
    (void)r;
    *got = 0;
    return ls_fail(err, LS_EIO, "read: the disk is gone");
}

static void test_read_error(void **state) {
    (void)state;
    ls_reader in = {.read = broken_read};
    ls_ltx_summary sum;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_ltx_verify(&in, &sum, &err), LS_EIO);
    assert_string_equal(err.msg, "decode header: read: the disk is gone");
}

static void test_verify_path(void **state) {
    (void)state;
    ls_ltx_summary sum;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_ltx_verify_path(vec_path("ltx/snap-ps512.v051.ltx"), &sum, &err), LS_OK);
    assert_int_equal(sum.pages, 7);
    assert_int_equal(sum.size, 1524);
    assert_int_equal(ls_ltx_verify_path("/no/such.ltx", &sum, &err), LS_ENOTFOUND);
    assert_string_equal(err.msg, "open /no/such.ltx: No such file or directory");
    const char *bad = vec_path("corrupt/flip-magic.v051.ltx");
    char want[2048];
    snprintf(want, sizeof want, "%s: decode header: unmarshal header: invalid LTX file", bad);
    assert_int_equal(ls_ltx_verify_path(bad, &sum, &err), LS_EFORMAT);
    assert_string_equal(err.msg, want);
}

static void test_old_format(void **state) {
    (void)state;
    ls_ltx_summary sum;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_ltx_verify_path(vec_path("corrupt/old-format-2.v040.ltx"), &sum, &err),
                     LS_EFORMAT);
    assert_non_null(strstr(err.msg, "LTX format 2"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),     cmocka_unit_test(test_short_reads),
        cmocka_unit_test(test_content),      cmocka_unit_test(test_databases),
        cmocka_unit_test(test_flipped_bits), cmocka_unit_test(test_cut),
        cmocka_unit_test(test_read_error),   cmocka_unit_test(test_verify_path),
        cmocka_unit_test(test_old_format),
    };
    return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
