/*
 * Replicas that the Go programs wrote: every file is read; what they compacted is what a merge of
 * the level-0 files gives, byte for byte; and their snapshots hold the pages that such a merge
 * holds.
 */
#include "t/engine/ltx/support.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/base/file.h"
#include "engine/ltx/merge.h"

typedef struct replica {
    const char *name;
    size_t files;     /* of all levels */
    size_t compacted; /* of levels 1 to 3 */
    size_t snapshots;
} replica;

static const replica replicas[] = {
    {"replica-a", 334, 14, 4},
    {"replica-head", 205, 13, 3},
};
#define REPLICAS (sizeof replicas / sizeof replicas[0])

static blob load(const replica *r, int level, ls_txid min, ls_txid max) {
    char rel[256];
    char name[LS_LTX_NAME_SIZE];
    snprintf(rel, sizeof rel, "%s/replica/ltx/%d/%s", r->name, level,
             ls_ltx_name_format(min, max, name));
    return vec_file(rel);
}

/* Calls each for every file of a level; returns how many. */
static size_t each_file(const replica *r, int level,
                        void (*each)(const replica *r, int level, ls_txid min, ls_txid max)) {
    char rel[256];
    size_t n = 0;
    snprintf(rel, sizeof rel, "%s/replica/ltx/%d", r->name, level);
    DIR *dir = opendir(vec_path(rel));
    if (dir == NULL)
        return 0;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;) {
        ls_txid min;
        ls_txid max;
        if (!ls_ltx_name_parse(e->d_name, &min, &max))
            continue;
        each(r, level, min, max);
        n++;
    }
    closedir(dir);
    return n;
}

static void check_file(const replica *r, int level, ls_txid min, ls_txid max) {
    blob b = load(r, level, min, max);
    ls_ltx_summary sum;
    ls_err err = LS_ERR_INIT;
    must(verify_blob(b, &sum, &err), &err);
    assert_int_equal(sum.header.min_txid, min);
    assert_int_equal(sum.header.max_txid, max);
    assert_int_equal(sum.header.flags, LS_LTX_FLAG_NO_CHECKSUM);
    free(b.data);
}

static void test_files(void **state) {
    (void)state;
    for (size_t i = 0; i < REPLICAS; i++) {
        size_t n = 0;
        for (int level = 0; level <= 9; level++)
            n += each_file(&replicas[i], level, check_file);
        assert_int_equal(n, replicas[i].files);
    }
}

/* ---- merges of level-0 files ---- */

typedef struct chain {
    const replica *of;
    ls_txid first;
} chain;

typedef struct file_reader {
    step_reader step;
    uint8_t *data;
} file_reader;

static void file_close(ls_reader *r) {
    free(((file_reader *)r)->data);
    free(r);
}

static ls_code open_level0(void *arg, size_t i, ls_reader **in, ls_err *err) {
    (void)err;
    const chain *c = arg;
    blob b = load(c->of, 0, c->first + i, c->first + i);
    file_reader *f = malloc(sizeof *f);
    assert_non_null(f);
    *f = (file_reader){.step = step_reader_of(b, SIZE_MAX), .data = b.data};
    f->step.base.close = file_close;
    *in = &f->step.base;
    return LS_OK;
}

static void merge_level0(const replica *r, ls_txid min, ls_txid max, mem_file *out) {
    chain c = {.of = r, .first = min};
    ls_ltx_merge_opts opts = {.flags = LS_LTX_FLAG_NO_CHECKSUM, .open = open_level0, .arg = &c};
    ls_err err = LS_ERR_INIT;
    mem_file_init(out);
    must(ls_ltx_merge(&opts, (size_t)(max - min + 1), &out->out.base, NULL, NULL, &err), &err);
}

static void check_compacted(const replica *r, int level, ls_txid min, ls_txid max) {
    blob b = load(r, level, min, max);
    mem_file out;
    merge_level0(r, min, max, &out);
    assert_int_equal(out.buf.len, b.len);
    assert_memory_equal(out.buf.data, b.data, b.len);
    mem_file_done(&out);
    free(b.data);
}

static void test_compacted(void **state) {
    (void)state;
    for (size_t i = 0; i < REPLICAS; i++) {
        size_t n = 0;
        for (int level = 1; level <= 3; level++)
            n += each_file(&replicas[i], level, check_compacted);
        assert_int_equal(n, replicas[i].compacted);
    }
}

/* ---- snapshots ---- */

static void check_snapshot(const replica *r, int level, ls_txid min, ls_txid max) {
    blob b = load(r, level, min, max);
    mem_file out;
    merge_level0(r, min, max, &out);
    ls_err err = LS_ERR_INIT;
    step_reader snapshot = step_reader_of(b, SIZE_MAX);
    step_reader merged = step_reader_of(mem_file_blob(&out), SIZE_MAX);
    ls_ltx_header h[2];
    ls_ltx_decoder *dec[2];
    must(ls_ltx_decoder_new(&snapshot.base, &h[0], &dec[0], &err), &err);
    must(ls_ltx_decoder_new(&merged.base, &h[1], &dec[1], &err), &err);
    assert_int_equal(h[0].commit, h[1].commit);
    for (bool end = false; !end;) {
        ls_ltx_page p[2];
        bool ends = false;
        must(ls_ltx_decoder_next(dec[0], &p[0], &end, &err), &err);
        must(ls_ltx_decoder_next(dec[1], &p[1], &ends, &err), &err);
        assert_int_equal(end, ends);
        if (end)
            break;
        assert_int_equal(p[0].pgno, p[1].pgno);
        assert_memory_equal(p[0].data, p[1].data, h[0].page_size);
    }
    ls_ltx_decoder_free(dec[0]);
    ls_ltx_decoder_free(dec[1]);
    mem_file_done(&out);
    free(b.data);
}

static void test_snapshots(void **state) {
    (void)state;
    for (size_t i = 0; i < REPLICAS; i++)
        assert_int_equal(each_file(&replicas[i], LS_LTX_LEVEL_SNAPSHOT, check_snapshot),
                         replicas[i].snapshots);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_compacted),
        cmocka_unit_test(test_snapshots),
    };
    return cmocka_run_group_tests_name("replicas", tests, NULL, NULL);
}
