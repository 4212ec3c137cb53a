/*
 * Database files: checksums, encode-db, and chains of files applied one after the other.
 */
#include "t/engine/ltx/support.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/file.h"
#include "engine/ltx/dbfile.h"

static int open_vec(const char *rel) {
    int fd = open(vec_path(rel), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* An empty file without a name. */
static int open_tmp(void) {
    char path[] = "/tmp/ltx-dbfile-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(unlink(path), 0);
    return fd;
}

static blob read_fd(int fd) {
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    blob b = {.len = (size_t)st.st_size, .data = malloc((size_t)st.st_size + 1)};
    assert_non_null(b.data);
    assert_int_equal(pread(fd, b.data, b.len, 0), b.len);
    return b;
}

static void assert_fd_sha256(int fd, const char *want) {
    blob b = read_fd(fd);
    char sha[SHA256_HEX_SIZE];
    assert_string_equal(sha256_hex(b.data, b.len, sha), want);
    free(b.data);
}

/* ---- headers and checksums ---- */

static void test_header(void **state) {
    (void)state;
    uint8_t hdr[100] = "SQLite format 3";
    uint32_t size = 0;
    uint32_t pages = 0;
    ls_err err = LS_ERR_INIT;
    hdr[16] = 0x10;
    hdr[28] = 1;
    hdr[31] = 9;
    must(ls_db_header_parse(hdr, &size, &pages, &err), &err);
    assert_int_equal(size, 4096);
    assert_int_equal(pages, 0x01000009);
    hdr[16] = 0;
    hdr[17] = 1;
    must(ls_db_header_parse(hdr, &size, &pages, &err), &err);
    assert_int_equal(size, 65536);
    hdr[17] = 2;
    assert_int_equal(ls_db_header_parse(hdr, &size, &pages, &err), LS_ENOTDB);
    assert_string_equal(err.msg, "invalid database header: page size 2");
    hdr[0] = 's';
    assert_int_equal(ls_db_header_parse(hdr, &size, &pages, &err), LS_ENOTDB);
    assert_string_equal(err.msg, "invalid database header");
}

static void test_db_checksums(void **state) {
    (void)state;
    json_t *root = vec_json("manifest.json");
    size_t i;
    json_t *db;
    size_t seen = 0;
    assert_int_equal(json_array_size(jget(root, "databases")), 12);
    json_array_foreach(jget(root, "databases"), i, db) {
        const char *file = jstr_or_null(db, "file");
        if (file == NULL)
            continue;
        int fd = open_vec(file);
        uint64_t sum = 0;
        ls_err err = LS_ERR_INIT;
        must(ls_ltx_db_checksum(fd, file, &sum, &err), &err);
        assert_true(sum == jhex(db, "rolling_checksum"));
        close(fd);
        seen++;
    }
    assert_int_equal(seen, 8);
    json_decref(root);
}

/* Pages whose words are their numbers, made while they are read. */
typedef struct number_reader {
    ls_reader base;
    uint32_t page_size;
    uint32_t pages;
    uint32_t pgno; /* of the page in page[] */
    size_t pos;    /* in it */
    uint8_t page[LS_LTX_MAX_PAGE_SIZE];
} number_reader;

static void make_number_page(number_reader *r) {
    uint32_t n = r->pgno == ls_ltx_lock_pgno(r->page_size) ? 0 : __builtin_bswap32(r->pgno);
    for (size_t i = 0; i < r->page_size; i += 4)
        memcpy(r->page + i, &n, 4);
    r->pos = 0;
}

static ls_code number_read(ls_reader *reader, void *buf, size_t len, size_t *got, ls_err *err) {
    (void)err;
    number_reader *r = (number_reader *)reader;
    *got = 0;
    if (r->pos == r->page_size || r->pgno == 0) {
        if (r->pgno == r->pages)
            return LS_OK;
        r->pgno++;
        make_number_page(r);
    }
    *got = r->page_size - r->pos < len ? r->page_size - r->pos : len;
    memcpy(buf, r->page + r->pos, *got);
    r->pos += *got;
    return LS_OK;
}

static void test_rolling(void **state) {
    (void)state;
    json_t *sums = vec_json("checksums.json");
    const json_t *cases = jget(sums, "rolling");
    size_t i;
    json_t *c;
    bool over_lock_page = false;
    static number_reader in;
    assert_int_equal(json_array_size(cases), 4);
    json_array_foreach(cases, i, c) {
        in = (number_reader){.base = {.read = number_read},
                             .page_size = (uint32_t)jint(c, "page_size"),
                             .pages = (uint32_t)jint(c, "pages")};
        assert_int_equal(ls_ltx_lock_pgno(in.page_size), jint(c, "lock_pgno"));
        over_lock_page |= in.pages > ls_ltx_lock_pgno(in.page_size);
        uint64_t sum = 0;
        ls_err err = LS_ERR_INIT;
        must(ls_ltx_checksum_pages(&in.base, in.page_size, &sum, &err), &err);
        assert_true(sum == jhex(c, "rolling_checksum_excluding_lock_page"));
    }
    assert_true(over_lock_page);
    json_decref(sums);
}

static void test_odd_databases(void **state) {
    (void)state;
    int fd = open_tmp();
    uint64_t sum = 0;
    ls_err err = LS_ERR_INIT;
    must(ls_ltx_db_checksum(fd, "db", &sum, &err), &err);
    assert_true(sum == LS_LTX_CHECKSUM_FLAG);
    assert_int_equal(pwrite(fd, "SQLite", 6, 0), 6);
    assert_int_equal(ls_ltx_db_checksum(fd, "db", &sum, &err), LS_ENOTDB);
    assert_string_equal(err.msg, "db: invalid database header");
    blob b = vec_file("db/chain-ps512-step0.db");
    assert_int_equal(pwrite(fd, b.data, b.len - 1, 0), b.len - 1);
    assert_int_equal(ls_ltx_db_checksum(fd, "db", &sum, &err), LS_ECORRUPT);
    assert_string_equal(err.msg, "db: unexpected EOF");
    free(b.data);
    close(fd);
}

/* ---- encode-db ---- */

/* Encodes and compares with what HEAD's `ltx encode-db` wrote: all but the page encoding. */
static void check_encode(const char *db, const char *ltx) {
    int fd = open_vec(db);
    blob want = vec_file(ltx);
    blob database = vec_file(db);
    ls_ltx_summary theirs;
    ls_ltx_summary ours;
    ls_err err = LS_ERR_INIT;
    must(verify_blob(want, &theirs, &err), &err);
    mem_file out;
    mem_file_init(&out);
    must(ls_ltx_encode_db(fd, db, theirs.header.timestamp, &out.out.base, &err), &err);
    must(verify_blob(mem_file_blob(&out), &ours, &err), &err);
    assert_same_header(&ours.header, &theirs.header);
    assert_int_equal(ours.pages, theirs.pages);
    assert_int_equal(ours.trailer.post_apply, theirs.trailer.post_apply);
    step_reader in = step_reader_of(mem_file_blob(&out), SIZE_MAX);
    ls_ltx_header h;
    ls_ltx_decoder *dec = NULL;
    must(ls_ltx_decoder_new(&in.base, &h, &dec, &err), &err);
    for (size_t off = 0; off < database.len; off += h.page_size) {
        ls_ltx_page p;
        bool end = false;
        must(ls_ltx_decoder_next(dec, &p, &end, &err), &err);
        assert_false(end);
        assert_memory_equal(p.data, database.data + off, h.page_size);
    }
    ls_ltx_decoder_free(dec);
    mem_file_done(&out);
    free(want.data);
    free(database.data);
    close(fd);
}

static void test_encode(void **state) {
    (void)state;
    check_encode("db/chain-ps512-step0.db", "ltx/chain-ps512-encode-db.head.ltx");
    check_encode("db/chain-ps4096-step0.db", "ltx/chain-ps4096-encode-db.head.ltx");
}

static void test_encode_errors(void **state) {
    (void)state;
    mem_file out;
    mem_file_init(&out);
    ls_err err = LS_ERR_INIT;
    int fd = open_tmp();
    assert_int_equal(ls_ltx_encode_db(fd, "db", 0, &out.out.base, &err), LS_ENOTDB);
    assert_string_equal(err.msg, "read database header: empty database");
    assert_int_equal(pwrite(fd, "hello", 5, 0), 5);
    assert_int_equal(ls_ltx_encode_db(fd, "db", 0, &out.out.base, &err), LS_ENOTDB);
    assert_string_equal(err.msg, "read database header: invalid database header");
    blob b = vec_file("db/chain-ps512-step0.db");
    assert_int_equal(pwrite(fd, b.data, 700, 0), 700);
    assert_int_equal(ls_ltx_encode_db(fd, "db", 0, &out.out.base, &err), LS_ECORRUPT);
    assert_string_equal(err.msg, "read page 2: unexpected EOF");
    memset(b.data + 28, 0, 4); /* page count as old versions leave it */
    assert_int_equal(pwrite(fd, b.data, b.len, 0), b.len);
    mem_file_done(&out);
    must(ls_ltx_encode_db(fd, "db", 0, &out.out.base, &err), &err);
    ls_ltx_summary sum;
    must(verify_blob(mem_file_blob(&out), &sum, &err), &err);
    assert_int_equal(sum.pages, b.len / 512);
    mem_file_done(&out);
    free(b.data);
    close(fd);
}

/* ---- apply ---- */

static void check_chain(const json_t *chain) {
    int fd = open_tmp();
    ls_txid prev = 0;
    size_t i;
    json_t *step;
    json_array_foreach(jget(chain, "steps"), i, step) {
        ls_err err = LS_ERR_INIT;
        assert_int_equal(jint(step, "rc"), 0);
        must(ls_ltx_apply(fd, vec_path(jstr(step, "file")), &prev, &err), &err);
        assert_int_equal(prev, i + 1);
        assert_fd_sha256(fd, jstr(step, "db_sha256"));
    }
    assert_int_equal(i, 6);
    close(fd);
}

static void test_chains(void **state) {
    (void)state;
    json_t *root = vec_json("manifest.json");
    size_t i;
    json_t *chain;
    size_t seen = 0;
    assert_int_equal(json_array_size(jget(root, "apply_chains")), 24);
    json_array_foreach(jget(root, "apply_chains"), i, chain) {
        if (strcmp(jstr(chain, "cli"), "ltx head") != 0)
            continue; /* the older versions cannot apply files that shrink */
        check_chain(chain);
        seen++;
    }
    assert_int_equal(seen, 8);
    json_decref(root);
}

/* The file is refused with that text (its path left out) and the database stays as it was. */
static void expect_refused(int fd, const char *file, ls_txid prev, ls_code code, const char *text) {
    blob before = read_fd(fd);
    ls_err err = LS_ERR_INIT;
    char want[2048];
    snprintf(want, sizeof want, "%s: %s", vec_path(file), text);
    ls_txid at = prev;
    assert_int_equal(ls_ltx_apply(fd, vec_path(file), &at, &err), code);
    assert_string_equal(err.msg, want);
    assert_int_equal(at, prev);
    blob after = read_fd(fd);
    assert_int_equal(after.len, before.len);
    assert_memory_equal(after.data, before.data, before.len);
    free(before.data);
    free(after.data);
}

static void test_refused(void **state) {
    (void)state;
    int fd = open_tmp();
    ls_txid prev = 0;
    ls_err err = LS_ERR_INIT;
    expect_refused(fd, "ltx/chain-ps512-tx2-nc.v051.ltx", 0, LS_EGAP,
                   "database of 0 pages grows to 9, file holds 7 of the 9 new pages");
    expect_refused(fd, "ltx/short-snapshot.v051.ltx", 0, LS_EGAP,
                   "database of 0 pages grows to 3, file holds 2 of the 3 new pages");
    expect_refused(fd, "corrupt/flip-file-checksum.v051.ltx", 0, LS_ECHECKSUM,
                   "close reader: file checksum mismatch");
    must(ls_ltx_apply(fd, vec_path("ltx/chain-ps512-tx1.v051.ltx"), &prev, &err), &err);
    expect_refused(fd, "ltx/chain-ps512-tx4.v052.ltx", 1, LS_EGAP,
                   "non-contiguous transaction ids: database is at 0000000000000001, file holds "
                   "(0000000000000004,0000000000000004)");
    expect_refused(fd, "ltx/chain-ps512-tx1.v051.ltx", 1, LS_EGAP,
                   "non-contiguous transaction ids: database is at 0000000000000001, file holds "
                   "(0000000000000001,0000000000000001)");
    expect_refused(fd, "ltx/chain-ps4096-tx2-nc.v051.ltx", 0, LS_EINVALID,
                   "page size 4096 does not fit the database's 512");
    must(ls_ltx_apply(fd, vec_path("ltx/chain-ps512-tx2.v051.ltx"), &prev, &err), &err);
    expect_refused(fd, "ltx/chain-ps512-tx2.v051.ltx", 0, LS_ECHECKSUM,
                   "pre-apply checksum mismatch: 9b149b375d7d57ee <> daebd6464c524550");
    must(ls_ltx_apply(fd, vec_path("ltx/chain-ps4096-tx1.v051.ltx"), &(ls_txid){0}, &err), &err);
    assert_int_equal(ls_ltx_apply(fd, "/no/such.ltx", &prev, &err), LS_ENOTFOUND);
    assert_string_equal(err.msg, "open /no/such.ltx: No such file or directory");
    close(fd);
}

/* Commit 0 empties the database. */
static void test_empty(void **state) {
    (void)state;
    int fd = open_tmp();
    ls_txid prev = 0;
    ls_err err = LS_ERR_INIT;
    struct stat st;
    must(ls_ltx_apply(fd, vec_path("ltx/chain-ps512-tx1.v051.ltx"), &prev, &err), &err);
    must(ls_ltx_apply(fd, vec_path("ltx/zero-commit-snap.v051.ltx"), &(ls_txid){0}, &err), &err);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 0);
    close(fd);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_header),  cmocka_unit_test(test_db_checksums),
        cmocka_unit_test(test_rolling), cmocka_unit_test(test_odd_databases),
        cmocka_unit_test(test_encode),  cmocka_unit_test(test_encode_errors),
        cmocka_unit_test(test_chains),  cmocka_unit_test(test_refused),
        cmocka_unit_test(test_empty),
    };
    return cmocka_run_group_tests_name("dbfile", tests, NULL, NULL);
}
