/* Rebuilding: the image of chains of many shapes, and every damage of a planned file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ltx/decoder.h"
#include "t/engine/restore/replica.h"
#include "t/support/tempdir.h"

static ls_plan part(const chain *c, size_t from, size_t n) {
    return (ls_plan){.files = c->all.files + from, .n = n};
}

static void assert_image(const chain *c, const ls_plan *plan, int parallelism) {
    ls_err err = LS_ERR_INIT;
    ls_restore_result result;
    size_t len;
    uint8_t *data = rebuild_in_memory(c->s, plan, parallelism, &len, &result, &err);
    if (data == NULL) {
        fail_msg("%s", err.msg);
    }
    assert_int_equal(len, (size_t)c->commit * c->page_size);
    assert_memory_equal(data, c->image, len);
    assert_int_equal(result.txid, plan->files[plan->n - 1].max_txid);
    assert_int_equal(result.pages, c->commit);
    assert_int_equal(result.page_size, c->page_size);
    assert_int_equal(result.files, plan->n);
    free(data);
}

static ls_code fails(const chain *c, const ls_plan *plan, ls_err *err) {
    ls_restore_result result;
    size_t len;
    *err = LS_ERR_INIT;
    uint8_t *data = rebuild_in_memory(c->s, plan, 4, &len, &result, err);
    assert_null(data);
    assert_int_not_equal(err->code, LS_OK);
    return err->code;
}

static void assert_in(const char *text, const char *where) {
    if (strstr(where, text) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", text, where);
    }
}

/* ---- shapes ---- */

static void random_chain(chain *c, uint32_t most) {
    for (int i = 0; i < 12; i++) {
        uint32_t commit = 1 + (uint32_t)(next_random(&c->seed) % most); /* grows and shrinks */
        chain_step(c, commit, (uint32_t)(next_random(&c->seed) % 9));
        const ls_plan all = part(c, 0, c->all.n);
        assert_image(c, &all, i % 2);
    }
}

static void chains_of_all_page_sizes(void **state) {
    int number = 0;
    for (uint32_t page_size = 512; page_size <= 65536; page_size *= 2) {
        for (int form = 0; form < 4; form++) {
            char name[32];
            (void)snprintf(name, sizeof name, "chain%d", number++);
            chain c;
            chain_init(&c, *state, name, page_size);
            c.encoding = form % 2 == 0 ? LS_LTX_FRAME : LS_LTX_BLOCK;
            c.checksums = form / 2 == 1;
            random_chain(&c, page_size > 8192 ? 20 : 60);
            chain_done(&c);
        }
    }
}

/* Enough bytes for threads, several chunks a file, an index that does not fit in the file's end. */
static void large_chain(void **state) {
    chain c;
    chain_init(&c, *state, "large", 4096);
    c.checksums = true;
    chain_step(&c, CHAIN_PAGES_MAX, 0);
    assert_true(c.all.files[0].size > 4u << 20);
    for (int i = 0; i < 6; i++) {
        chain_step(&c, CHAIN_PAGES_MAX - 100 * (uint32_t)i, 700);
    }
    const ls_plan all = part(&c, 0, c.all.n);
    for (int parallelism = 0; parallelism <= 8; parallelism += 2) {
        assert_image(&c, &all, parallelism);
    }
    chain_done(&c);
}

/* A level-0 file may hold all pages: a new base after a lost chain. Also overlapping ranges. */
static void full_files_in_the_middle(void **state) {
    chain c;
    chain_init(&c, *state, "full", 1024);
    for (int i = 0; i < 5; i++) {
        chain_step(&c, 30, 5);
    }
    c.txid++;
    chain_snapshot(&c, 0, c.txid);
    chain_step(&c, 25, 5);
    const ls_plan all = part(&c, 0, c.all.n);
    assert_image(&c, &all, 0);
    chain_snapshot(&c, 1, 4); /* 4..7 over 0: 1..7 */
    chain_step(&c, 28, 3);
    ls_ltx_info over[] = {c.all.files[0], c.all.files[1], c.all.files[2],
                          c.all.files[3], c.all.files[7], c.all.files[8]};
    assert_int_equal(over[4].level, 1);
    const ls_plan overlapping = {.files = over, .n = 6};
    assert_image(&c, &overlapping, 0);
    chain_done(&c);
}

static void empty_database(void **state) {
    chain c;
    chain_init(&c, *state, "empty", 512);
    c.checksums = true;
    chain_step(&c, 5, 5);
    c.commit = 0;
    c.txid++;
    chain_snapshot(&c, 0, c.txid);
    const ls_plan all = part(&c, 0, 2);
    assert_image(&c, &all, 0);
    chain_done(&c);
}

/* A database past the page that SQLite locks: it is in no file and reads as zeros. */
static void lock_page(void **state) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); /* a GiB takes them long, and other tests run the same code */
#endif
    const uint32_t page_size = 65536;
    const uint32_t commit = 16386;
    chain c;
    chain_init(&c, *state, "lock", page_size);
    mem_file m;
    mem_file_init(&m);
    const ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                             .page_size = page_size,
                             .commit = commit,
                             .min_txid = 1,
                             .max_txid = 1};
    ls_err err = LS_ERR_INIT;
    ls_ltx_encoder *enc;
    must(ls_ltx_encoder_new(&m.out.base, &h, NULL, &enc, &err), &err);
    uint8_t *page = calloc(1, page_size);
    assert_non_null(page);
    for (uint32_t pgno = 1; pgno <= commit; pgno++) {
        page[0] = (uint8_t)pgno;
        if (pgno != ls_ltx_lock_pgno(page_size)) {
            must(ls_ltx_encoder_page(enc, pgno, page, page_size, &err), &err);
        }
    }
    must(ls_ltx_encoder_close(enc, 0, NULL, &err), &err);
    ls_ltx_encoder_free(enc);
    const ls_ltx_info name = {.level = 9, .min_txid = 1, .max_txid = 1};
    ls_ltx_info file;
    ls_reader *in = ls_mem_reader_new(m.buf.data, m.buf.len);
    must(ls_storage_put(c.s, &name, in, true, &file, &err), &err);
    ls_reader_close(in);
    mem_file_done(&m);
    const ls_plan plan = {.files = &file, .n = 1};
    int fd = memfd_create("restored", MFD_CLOEXEC);
    assert_true(fd >= 0);
    const ls_restore_opts opts = {.timestamp_ms = LS_NO_TIMESTAMP};
    ls_restore_result result;
    must(ls_rebuild(c.s, &plan, fd, "restored", &opts, &result, &err), &err);
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, (int64_t)commit * page_size);
    for (uint32_t pgno = 16384; pgno <= commit; pgno++) {
        uint8_t first;
        assert_int_equal(pread(fd, &first, 1, (off_t)(pgno - 1) * page_size), 1);
        assert_int_equal(first, pgno == 16385 ? 0 : (uint8_t)pgno);
    }
    assert_int_equal(close(fd), 0);
    free(page);
    chain_done(&c);
}

/* ---- vectors: merging and rebuilding give the same pages ---- */

static ls_ltx_info put_vector(chain *c, const char *rel) {
    ls_err err = LS_ERR_INIT;
    blob b = vec_file(rel);
    ls_ltx_header h = {0};
    if (b.len >= LS_LTX_HEADER_SIZE && ls_ltx_header_decode(b.data, &h, &err) != LS_OK) {
        h = (ls_ltx_header){0};
    }
    ls_ltx_info file = {.min_txid = h.min_txid, .max_txid = h.max_txid, .size = b.len};
    char *path = chain_path(c, &file);
    char *dir = ls_path_dir(path);
    must(ls_mkdirs(dir, &LS_PERM_PRIVATE, &err), &err);
    put_file(path, b.data, b.len);
    free(dir);
    free(path);
    free(b.data);
    return file;
}

static uint8_t *rebuild_vectors(const char *dir, const char *name, const json_t *rels,
                                size_t *len) {
    chain c;
    chain_init(&c, dir, name, 512);
    ls_plan plan = {.n = json_array_size(rels)};
    plan.files = calloc(plan.n, sizeof *plan.files);
    for (size_t i = 0; i < plan.n; i++) {
        plan.files[i] = put_vector(&c, json_string_value(json_array_get(rels, i)));
    }
    ls_err err = LS_ERR_INIT;
    ls_restore_result result;
    uint8_t *data = NULL;
    *len = 0;
    if (plan.files[0].min_txid == 1) {
        data = rebuild_in_memory(c.s, &plan, 0, len, &result, &err);
        if (data == NULL) {
            fail_msg("%s: %s", name, err.msg);
        }
    }
    free(plan.files);
    chain_done(&c);
    return data;
}

static void compare_compaction(const char *dir, size_t i, const json_t *compaction,
                               size_t *compared) {
    char name[32];
    (void)snprintf(name, sizeof name, "in%zu", i);
    size_t len;
    uint8_t *data = rebuild_vectors(dir, name, jget(compaction, "inputs"), &len);
    (void)snprintf(name, sizeof name, "out%zu", i);
    json_t *out = json_pack("[s]", jstr(compaction, "output"));
    size_t merged_len;
    uint8_t *merged = rebuild_vectors(dir, name, out, &merged_len);
    assert_int_equal(len, merged_len);
    assert_int_equal(data == NULL, merged == NULL);
    if (data != NULL) {
        assert_memory_equal(data, merged, len);
        *compared += 1;
    }
    json_decref(out);
    free(data);
    free(merged);
}

static void same_as_merged(void **state) {
    json_t *manifest = vec_json("manifest.json");
    size_t i;
    json_t *compaction;
    size_t compared = 0;
    json_array_foreach(jget(manifest, "compactions"), i, compaction) {
        if (jbool(compaction, "ok") && !jbool(compaction, "allow_non_contiguous") &&
            jstr_or_null(compaction, "output") != NULL) {
            compare_compaction(*state, i, compaction, &compared);
        }
    }
    assert_true(compared >= 10);
    json_decref(manifest);
}

/* ---- vectors: what a careful reader refuses ---- */

/* A plan that ends with the vector: behind a made base where it is no snapshot. */
static void judge_vector(const char *dir, size_t i, const char *rel, bool valid) {
    char name[32];
    (void)snprintf(name, sizeof name, "corrupt%zu", i);
    chain c;
    chain_init(&c, dir, name, 512);
    blob b = vec_file(rel);
    ls_err err = LS_ERR_INIT;
    ls_ltx_header h = {.min_txid = 1, .max_txid = 1, .page_size = 512};
    if (b.len >= LS_LTX_HEADER_SIZE && ls_ltx_header_decode(b.data, &h, &err) != LS_OK) {
        h = (ls_ltx_header){.min_txid = 1, .max_txid = 1, .page_size = 512};
    }
    free(b.data);
    ls_ltx_info files[2];
    size_t n = 0;
    if (h.min_txid > 1) {
        c.page_size = ls_ltx_page_size_valid(h.page_size) ? h.page_size : 512;
        c.commit = h.commit < CHAIN_PAGES_MAX ? h.commit : 1;
        c.txid = h.min_txid - 1;
        free(c.image);
        c.image = calloc(CHAIN_PAGES_MAX, c.page_size);
        chain_snapshot(&c, 9, 1);
        files[n++] = c.all.files[0];
    }
    files[n++] = put_vector(&c, rel);
    const ls_plan plan = {.files = files, .n = n};
    ls_restore_result result;
    size_t len;
    uint8_t *data = rebuild_in_memory(c.s, &plan, 0, &len, &result, &err);
    bool tracked_increment = h.min_txid > 1 && (h.flags & LS_LTX_FLAG_NO_CHECKSUM) == 0;
    if (valid && data == NULL && !(tracked_increment && err.code == LS_ECHECKSUM)) {
        fail_msg("%s: %s", rel, err.msg);
    }
    if (!valid && data != NULL) {
        fail_msg("%s was accepted", rel);
    }
    if (data == NULL && strstr(err.msg, ".ltx") == NULL && strstr(err.msg, "level=") == NULL) {
        fail_msg("%s: \"%s\" names no file", rel, err.msg);
    }
    free(data);
    chain_done(&c);
}

static void corrupt_vectors(void **state) {
    json_t *manifest = vec_json("manifest.json");
    size_t i;
    json_t *file;
    size_t judged = 0;
    json_array_foreach(jget(manifest, "files"), i, file) {
        if (strcmp(jstr(file, "group"), "corrupt") == 0) {
            judge_vector(*state, i, jstr(file, "file"),
                         strcmp(jstr(file, "strict_verdict"), "valid") == 0);
            judged++;
        }
    }
    assert_int_equal(judged, 202);
    json_decref(manifest);
}

/* ---- damage ---- */

static void make_small(chain *c, const char *dir, const char *name) {
    chain_init(c, dir, name, 1024);
    chain_step(c, 40, 0);
    chain_snapshot(c, 9, 1);
    for (int i = 0; i < 3; i++) {
        chain_step(c, 42 - 3 * (uint32_t)i, 6);
    }
}

/* All of it but the level-0 file that the snapshot replaces. */
static ls_plan small_plan(const chain *c) { return part(c, 1, 4); }

static void deleted_files(void **state) {
    chain c;
    make_small(&c, *state, "deleted");
    const ls_plan plan = small_plan(&c);
    assert_image(&c, &plan, 0);
    for (size_t i = 0; i < plan.n; i++) {
        char *path = chain_path(&c, &plan.files[i]);
        char *aside = ls_asprintf("%s.aside", path);
        assert_int_equal(rename(path, aside), 0);
        ls_err err;
        assert_int_equal(fails(&c, &plan, &err), LS_ENOTFOUND);
        char key[LS_STORAGE_KEY_SIZE];
        assert_in(ls_storage_key(&plan.files[i], key), err.msg);
        assert_int_equal(rename(aside, path), 0);
        free(aside);
        free(path);
    }
    assert_image(&c, &plan, 0);
    chain_done(&c);
}

/* Cuts file i to size bytes and back; the plan says the new size or, with stale, first the old one:
 * then the rest is asked for again, with pauses. */
static void cut(const chain *c, const ls_plan *plan, size_t i, uint64_t size, bool stale) {
    char *path = chain_path(c, &plan->files[i]);
    ls_err err = LS_ERR_INIT;
    char *data;
    size_t len;
    must(ls_read_file(path, 1u << 26, &data, &len, &err), &err);
    put_file(path, data, (size_t)size);
    char key[LS_STORAGE_KEY_SIZE];
    ls_storage_key(&plan->files[i], key);
    if (stale) {
        assert_int_equal(fails(c, plan, &err), LS_EIO);
        assert_in(key, err.msg);
        assert_in("ends after ", err.msg);
    }
    uint64_t listed = plan->files[i].size;
    plan->files[i].size = size;
    ls_code code = fails(c, plan, &err);
    assert_true(code == LS_ECORRUPT || code == LS_ECHECKSUM || code == LS_EFORMAT);
    if (size < LS_LTX_HEADER_SIZE) {
        assert_in("invalid ltx file: level=", err.msg);
        assert_in("(minimum 100)", err.msg);
    } else {
        assert_in(key, err.msg);
    }
    plan->files[i].size = listed;
    put_file(path, data, len);
    free(data);
    free(path);
}

static void truncated_files(void **state) {
    chain c;
    make_small(&c, *state, "truncated");
    const ls_plan plan = small_plan(&c);
    for (size_t i = 0; i < plan.n; i++) {
        uint64_t size = plan.files[i].size;
        const uint64_t sizes[] = {0,         1,         99,        100,       101,
                                  106,       123,       124,       130,       131,
                                  size / 3,  size / 2,  size - 60, size - 25, size - 24,
                                  size - 23, size - 16, size - 8,  size - 1};
        for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
            cut(&c, &plan, i, sizes[j], i == 1 && j == 10);
        }
    }
    assert_image(&c, &plan, 0);
    chain_done(&c);
}

/* The same for files of more than one read, cut where the reads meet. */
static void truncated_large_file(void **state) {
    chain c;
    chain_init(&c, *state, "cutlarge", 4096);
    chain_step(&c, 2000, 0);
    chain_step(&c, 1900, 300);
    const ls_plan plan = part(&c, 0, 2);
    for (size_t i = 0; i < plan.n; i++) {
        uint64_t size = plan.files[i].size;
        cut(&c, &plan, i, size - 32 * 1024, false);
        cut(&c, &plan, i, size / 2, i == 0);
        cut(&c, &plan, i, 64 * 1024, false);
    }
    assert_image(&c, &plan, 0);
    chain_done(&c);
}

static void longer_files(void **state) {
    chain c;
    make_small(&c, *state, "longer");
    const ls_plan plan = small_plan(&c);
    char *path = chain_path(&c, &plan.files[1]);
    ls_err err = LS_ERR_INIT;
    char *data;
    size_t len;
    must(ls_read_file(path, 1u << 20, &data, &len, &err), &err);
    char *twice = malloc(2 * len);
    assert_non_null(twice);
    memcpy(twice, data, len);
    memcpy(twice + len, data, len);
    const size_t more[] = {1, 8, 24, 100, len};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        put_file(path, twice, len + more[i]);
        plan.files[1].size = len + more[i];
        ls_code code = fails(&c, &plan, &err);
        assert_true(code == LS_ECORRUPT || code == LS_ECHECKSUM);
        assert_in("ltx/0/0000000000000002-0000000000000002.ltx: ", err.msg);
    }
    free(twice);
    free(data);
    free(path);
    chain_done(&c);
}

/* Every byte of a small file; what goes unseen must not change the image. */
static void flip_all(const chain *c, const ls_plan *plan, size_t i, uint64_t step) {
    char key[LS_STORAGE_KEY_SIZE];
    ls_storage_key(&plan->files[i], key);
    char *path = chain_path(c, &plan->files[i]);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    for (uint64_t at = 0; at < plan->files[i].size; at += step) {
        uint8_t byte;
        assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
        uint8_t flipped = byte ^ (uint8_t)(1u << (at / step % 8));
        assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
        ls_err err = LS_ERR_INIT;
        ls_restore_result result;
        size_t len;
        uint8_t *data = rebuild_in_memory(c->s, plan, 1, &len, &result, &err);
        if (data != NULL) {
            assert_int_equal(len, (size_t)c->commit * c->page_size);
            assert_memory_equal(data, c->image, len);
            free(data);
        } else {
            assert_in(key, err.msg);
        }
        assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
    }
    assert_int_equal(close(fd), 0);
    free(path);
}

static void flipped_bits(void **state) {
    for (int form = 0; form < 2; form++) {
        chain c;
        chain_init(&c, *state, form == 0 ? "flipF" : "flipB", 512);
        c.encoding = form == 0 ? LS_LTX_FRAME : LS_LTX_BLOCK;
        chain_step(&c, 6, 0);
        chain_step(&c, 5, 2);
        const ls_plan plan = part(&c, 0, 2);
        flip_all(&c, &plan, 0, 3);
        flip_all(&c, &plan, 1, 1);
        assert_image(&c, &plan, 0);
        chain_done(&c);
    }
}

/* Bits of a file that is read in many pieces by threads: always seen, as its pages do not repeat.
 */
static void flipped_bits_in_a_large_file(void **state) {
    chain c;
    chain_init(&c, *state, "fliplarge", 4096);
    chain_step(&c, 1500, 0);
    chain_step(&c, 1400, 900);
    const ls_plan plan = part(&c, 0, 2);
    assert_true(plan.files[0].size > 1u << 20);
    for (size_t i = 0; i < 2; i++) {
        flip_all(&c, &plan, i, plan.files[i].size / 19);
    }
    chain_done(&c);
}

/* ---- files that do not belong together ---- */

static void a_file_under_another_name(void **state) {
    chain c;
    make_small(&c, *state, "names");
    const ls_plan plan = small_plan(&c);
    char *a = chain_path(&c, &plan.files[2]);
    char *b = chain_path(&c, &plan.files[3]);
    assert_int_equal(rename(b, a), 0);
    const ls_plan first = part(&c, 1, 3);
    struct stat st;
    assert_int_equal(stat(a, &st), 0);
    first.files[2].size = (uint64_t)st.st_size;
    ls_err err;
    assert_int_equal(fails(&c, &first, &err), LS_ECORRUPT);
    assert_in("ltx/0/0000000000000003-0000000000000003.ltx: its header says it is "
              "0000000000000004-0000000000000004.ltx",
              err.msg);
    free(a);
    free(b);
    chain_done(&c);
}

static void mixed_page_sizes(void **state) {
    chain small;
    chain large;
    chain_init(&small, *state, "mixed", 1024);
    chain_init(&large, *state, "mixed", 2048);
    chain_step(&small, 10, 0);
    chain_step(&small, 10, 3);
    large.txid = 2;
    large.commit = 7;
    chain_step(&large, 7, 7);
    chain_snapshot(&large, 9, 1);
    ls_ltx_info files[] = {small.all.files[0], small.all.files[1], large.all.files[0]};
    const ls_plan mixed = {.files = files, .n = 3};
    ls_err err;
    assert_int_equal(fails(&small, &mixed, &err), LS_ECORRUPT);
    assert_in("ltx/0/0000000000000002-0000000000000002.ltx: page size 1024, but newer files have "
              "2048",
              err.msg);
    assert_in("page size changed", ls_err_hint(&err));
    const ls_plan snapshot = part(&large, 1, 1);
    assert_image(&large, &snapshot, 0);
    chain_done(&small);
    chain_done(&large);
}

static void missing_pages(void **state) {
    chain c;
    chain_init(&c, *state, "missing", 512);
    chain_step(&c, 4, 0);
    c.commit = 9; /* as if pages 5..9 had been there, so that they are not written */
    chain_step(&c, 9, 1);
    const ls_plan plan = part(&c, 0, 2);
    ls_err err;
    assert_int_equal(fails(&c, &plan, &err), LS_ECORRUPT);
    assert_in(" of 9 is in none of the 2 files from ltx/0/0000000000000001-0000000000000001.ltx to "
              "ltx/0/0000000000000002-0000000000000002.ltx",
              err.msg);
    chain_done(&c);
}

static void plans_that_do_not_join(void **state) {
    chain c;
    make_small(&c, *state, "join");
    ls_err err;
    const ls_plan none = {0};
    assert_int_equal(fails(&c, &none, &err), LS_ENOBACKUP);
    const ls_plan headless = part(&c, 2, 3);
    assert_int_equal(fails(&c, &headless, &err), LS_EGAP);
    ls_ltx_info files[] = {c.all.files[0], c.all.files[3]};
    const ls_plan gap = {.files = files, .n = 2};
    assert_int_equal(fails(&c, &gap, &err), LS_EGAP);
    assert_in("have up to 0000000000000001 but next file is "
              "ltx/0/0000000000000003-0000000000000003.ltx",
              err.msg);
    ls_ltx_info back[] = {c.all.files[0], c.all.files[1]};
    const ls_plan twice = {.files = back, .n = 2};
    assert_int_equal(fails(&c, &twice, &err), LS_EGAP);
    chain_done(&c);
}

/* Sizes that a header claims decide no allocation. */
static void huge_commit(void **state) {
    chain c;
    chain_init(&c, *state, "huge", 65536);
    const ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                             .page_size = 65536,
                             .commit = UINT32_MAX,
                             .min_txid = 1,
                             .max_txid = 1};
    uint8_t bytes[131] = {0};
    ls_ltx_header_encode(&h, bytes);
    bytes[100 + 6 + 1 + 7] = 1; /* an index of its 0 byte alone */
    ls_reader *in = ls_mem_reader_new(bytes, sizeof bytes);
    const ls_ltx_info name = {.min_txid = 1, .max_txid = 1};
    ls_ltx_info file;
    ls_err err = LS_ERR_INIT;
    must(ls_storage_put(c.s, &name, in, true, &file, &err), &err);
    ls_reader_close(in);
    const ls_plan plan = {.files = &file, .n = 1};
    assert_int_equal(fails(&c, &plan, &err), LS_ECORRUPT);
    assert_in("a database of 4294967295 pages cannot be in the plan's 131 bytes", err.msg);
    chain_done(&c);
}

/* A last file whose own checksum is right, but not what it says of the database. */
static void wrong_post_apply(void **state) {
    chain c;
    chain_init(&c, *state, "postapply", 1024);
    c.checksums = true;
    chain_step(&c, 8, 0);
    chain_step(&c, 8, 2);
    const ls_plan good = part(&c, 0, 2);
    assert_image(&c, &good, 0);
    memset(c.image + 1024, 7, 7 * 1024); /* a change that no file holds */
    chain_step(&c, 8, 0);
    const ls_plan bad = part(&c, 0, 3);
    ls_err err;
    assert_int_equal(fails(&c, &bad, &err), LS_ECHECKSUM);
    assert_in("ltx/0/0000000000000003-0000000000000003.ltx: the database's checksum is ", err.msg);
    chain_done(&c);
}

/* ---- progress and cancel ---- */

typedef struct watch {
    ls_cancel cancel;
    ls_restore_progress last;
    int calls, cancel_at;
    bool wrong;
} watch;

static void on_progress(void *arg, const ls_restore_progress *p) {
    watch *w = arg;
    w->wrong = w->wrong || p->files_done < w->last.files_done || p->files_done > p->files ||
               p->bytes_done < w->last.bytes_done || p->bytes_done > p->bytes ||
               p->pages_written < w->last.pages_written;
    w->last = *p;
    w->calls++;
    if (w->calls == w->cancel_at) {
        ls_cancel_set(&w->cancel);
    }
}

static ls_code watched(const chain *c, const ls_plan *plan, watch *w, ls_err *err) {
    int fd = memfd_create("restored", MFD_CLOEXEC);
    assert_true(fd >= 0);
    const ls_restore_opts opts = {.cancel = &w->cancel,
                                  .progress = on_progress,
                                  .progress_arg = w,
                                  .timestamp_ms = LS_NO_TIMESTAMP};
    ls_restore_result result;
    ls_code code = ls_rebuild(c->s, plan, fd, "restored", &opts, &result, err);
    assert_int_equal(close(fd), 0);
    assert_false(w->wrong);
    return code;
}

static void progress_and_cancel(void **state) {
    chain c;
    chain_init(&c, *state, "progress", 4096);
    chain_step(&c, 2000, 0);
    chain_step(&c, 1900, 300);
    const ls_plan plan = part(&c, 0, 2);
    watch all = {0};
    ls_err err = LS_ERR_INIT;
    must(watched(&c, &plan, &all, &err), &err);
    assert_int_equal(all.last.files_done, 2);
    assert_int_equal(all.last.files, 2);
    assert_int_equal(all.last.bytes_done, plan.files[0].size + plan.files[1].size);
    assert_int_equal(all.last.bytes, all.last.bytes_done);
    assert_int_equal(all.last.pages_written, 1900);
    assert_true(all.calls > 10);
    for (int at = 1; at < 10; at += 4) {
        watch w = {.cancel_at = at};
        assert_int_equal(watched(&c, &plan, &w, &err), LS_ECANCELED);
        assert_true(w.calls < all.calls);
    }
    watch before = {0};
    ls_cancel_set(&before.cancel);
    assert_int_equal(watched(&c, &plan, &before, &err), LS_ECANCELED);
    assert_int_equal(before.calls, 0);
    chain_done(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(chains_of_all_page_sizes),
        unit_test_in_tempdir(large_chain),
        unit_test_in_tempdir(full_files_in_the_middle),
        unit_test_in_tempdir(empty_database),
        unit_test_in_tempdir(lock_page),
        unit_test_in_tempdir(same_as_merged),
        unit_test_in_tempdir(corrupt_vectors),
        unit_test_in_tempdir(deleted_files),
        unit_test_in_tempdir(truncated_files),
        unit_test_in_tempdir(truncated_large_file),
        unit_test_in_tempdir(longer_files),
        unit_test_in_tempdir(flipped_bits),
        unit_test_in_tempdir(flipped_bits_in_a_large_file),
        unit_test_in_tempdir(a_file_under_another_name),
        unit_test_in_tempdir(mixed_page_sizes),
        unit_test_in_tempdir(missing_pages),
        unit_test_in_tempdir(plans_that_do_not_join),
        unit_test_in_tempdir(huge_commit),
        unit_test_in_tempdir(wrong_post_apply),
        unit_test_in_tempdir(progress_and_cancel),
    };
    return cmocka_run_group_tests_name("restore/rebuild", tests, NULL, NULL);
}
