/* Compaction of levels; also joined.c and compact_merge.c, which are its parts. */
#include "engine/replica/compact.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "t/engine/replica/levels.h"

static void assert_file(const ls_compact_result *res, ls_txid min, ls_txid max, size_t sources) {
    assert_int_equal(res->file.min_txid, min);
    assert_int_equal(res->file.max_txid, max);
    assert_int_equal(res->sources, sources);
    assert_int_equal(res->bad_joins, 0);
}

/* ---- what becomes of a chain ---- */

static void levels_of_a_chain(void **state) {
    chain c;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 10);
    ls_compact_result res = compact_to(c.s, 1);
    assert_file(&res, 1, 10, 10);
    assert_int_equal(res.file.level, 1);
    assert_false(res.copied);
    assert_int_equal(res.sent, res.file.size);
    assert_int_equal(res.file.created_ms, 1700000000000 + 10 * 1000); /* of the last source */
    chain_steps(&c, 5);
    res = compact_to(c.s, 1);
    assert_file(&res, 11, 15, 5);
    res = compact_to(c.s, 2);
    assert_file(&res, 1, 15, 2);
    res = compact_to(c.s, 1);
    assert_file(&res, 0, 0, 0); /* nothing new */
    for (ls_txid t = 1; t <= 15; t++) {
        lose(c.s, 0, t, t);
    }
    assert_restores_chain(&c);
    lose(c.s, 1, 1, 10);
    assert_restores_chain(&c); /* from level 2 alone */
    assert_level(c.s, 2, "1-f");
    chain_done(&c);
}

static void a_single_source_is_copied(void **state) {
    chain c;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 1);
    ls_compact_result res = compact_to(c.s, 1);
    assert_file(&res, 1, 1, 1);
    assert_true(res.copied);
    assert_int_equal(res.sent, 0);
    for (int level = 2; level <= 8; level++) {
        res = compact_to(c.s, level);
        assert_file(&res, 1, 1, 1);
    }
    char *a = chain_path(&c, &(ls_ltx_info){.level = 0, .min_txid = 1, .max_txid = 1});
    char *b = chain_path(&c, &(ls_ltx_info){.level = 8, .min_txid = 1, .max_txid = 1});
    char *data;
    size_t len;
    ls_err err = LS_ERR_INIT;
    must(ls_read_file(a, 1u << 24, &data, &len, &err), &err);
    assert_file_is(b, data, len);
    free(data);
    free(a);
    free(b);
    chain_done(&c);
}

static void more_sources_than_fit_a_merge(void **state) {
    chain c;
    chain_init(&c, *state, "replica", 512);
    chain_steps(&c, 150);
    ls_compact_result res = compact_to(c.s, 1);
    assert_file(&res, 1, 150, 150);
    for (ls_txid t = 1; t <= 150; t++) {
        lose(c.s, 0, t, t);
    }
    assert_restores_chain(&c);
    chain_done(&c);
}

static void seek_saves_listing(void **state) {
    chain c;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 3);
    (void)compact_to(c.s, 1);
    chain_steps(&c, 3);
    (void)compact_to(c.s, 1);
    chain_steps(&c, 3);
    static const ls_txid seeks[] = {4, 1, 100}; /* the newest, an older, none there */
    for (size_t i = 0; i < 3; i++) {
        const ls_compact_opts opts = {.level = 1, .seek = seeks[i]};
        ls_compact_result res;
        ls_err err = LS_ERR_INIT;
        must(ls_compact(c.s, &opts, &res, &err), &err);
        assert_file(&res, 7, 9, 3);
        lose(c.s, 1, 7, 9);
    }
    chain_done(&c);
}

static void levels_that_are_not_compacted(void **state) {
    chain c;
    chain_init(&c, *state, "replica", 4096);
    static const int levels[] = {-1, 0, 9, 10};
    for (size_t i = 0; i < 4; i++) {
        const ls_compact_opts opts = {.level = levels[i]};
        ls_err err = LS_ERR_INIT;
        assert_int_equal(ls_compact(c.s, &opts, NULL, &err), LS_EINVALID);
    }
    ls_compact_result res = compact_to(c.s, 1); /* an empty store */
    assert_file(&res, 0, 0, 0);
    chain_done(&c);
}

/* ---- holes ---- */

static ls_code try_compact(ls_storage *s, int level, ls_compact_result *res, ls_err *err) {
    const ls_compact_opts opts = {.level = level, .verify = true};
    ls_err_clear(err);
    return ls_compact(s, &opts, res, err);
}

static void a_hole_between_levels(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_compact_result res;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 5);
    (void)compact_to(c.s, 1);
    chain_steps(&c, 7); /* 6..12 */
    lose(c.s, 0, 6, 6);
    lose(c.s, 0, 7, 7);
    assert_int_equal(try_compact(c.s, 1, &res, &err), LS_EGAP);
    assert_non_null(strstr(err.msg, "TXIDs 0000000000000006 to 0000000000000007 are missing"));
    assert_true(strlen(err.hint) > 0);
    assert_level(c.s, 1, "1-5");
    chain_done(&c);
}

static void a_hole_among_the_sources(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_compact_result res;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 9);
    lose(c.s, 0, 5, 5);
    res = compact_to(c.s, 1);
    assert_file(&res, 1, 4, 4);
    assert_int_equal(try_compact(c.s, 1, &res, &err), LS_EGAP);
    assert_non_null(strstr(err.msg, "TXIDs 0000000000000005 to 0000000000000005 are missing"));
    chain_done(&c);
}

static void the_first_file_must_be_the_first(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_compact_result res;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 4);
    lose(c.s, 0, 1, 1);
    assert_int_equal(try_compact(c.s, 1, &res, &err), LS_EGAP);
    assert_non_null(strstr(err.msg, "TXIDs 0000000000000001 to 0000000000000001 are missing"));
    chain_done(&c);
}

static void a_snapshot_bridges_a_hole(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_compact_result res;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 5);
    (void)compact_to(c.s, 1);
    chain_steps(&c, 5); /* 6..10 */
    lose(c.s, 0, 7, 7);
    res = compact_to(c.s, 1);
    assert_file(&res, 6, 6, 1);
    chain_snapshot(&c, 9, 1); /* 1..10 */
    res = compact_to(c.s, 1);
    assert_file(&res, 0, 0, 0); /* nothing leads behind the snapshot yet */
    chain_steps(&c, 3);
    res = compact_to(c.s, 1);
    assert_file(&res, 11, 13, 3);
    assert_level(c.s, 1, "1-5 6-6 b-d");
    for (ls_txid t = 1; t <= 13; t++) {
        lose(c.s, 0, t, t);
    }
    assert_restores_chain(&c);
    assert_restores(c.s, 0, c.image, (size_t)c.commit * c.page_size);
    /* What is behind a hole that the snapshot does not reach is not taken. */
    chain_steps(&c, 3); /* 14..16 */
    lose(c.s, 0, 14, 14);
    assert_int_equal(try_compact(c.s, 1, &res, &err), LS_EGAP);
    assert_non_null(strstr(err.msg, "TXIDs 000000000000000e to 000000000000000e are missing"));
    chain_done(&c);
}

/* ---- overlaps, as an answer that was lost or another program leaves them ---- */

static void overlapping_sources(void **state) {
    chain c;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 3);
    (void)compact_to(c.s, 1); /* 1-3 */
    chain_steps(&c, 3);
    chain_snapshot(&c, 1, 1); /* 1-6 */
    (void)compact_to(c.s, 1); /* nothing: 1-6 is there */
    chain_steps(&c, 2);
    chain_snapshot(&c, 1, 5); /* 5-8 */
    ls_compact_result res = compact_to(c.s, 2);
    assert_file(&res, 1, 8, 2);
    lose(c.s, 1, 1, 3);
    lose(c.s, 1, 1, 6);
    lose(c.s, 1, 5, 8);
    for (ls_txid t = 1; t <= 8; t++) {
        lose(c.s, 0, t, t);
    }
    assert_restores_chain(&c);
    chain_done(&c);
}

/* A file that begins before the end of the level and leads further joins. */
static void a_source_that_straddles_the_end(void **state) {
    chain c;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 4);
    (void)compact_to(c.s, 1);
    (void)compact_to(c.s, 2); /* 1-4 */
    chain_steps(&c, 4);
    lose(c.s, 1, 1, 4);
    chain_snapshot(&c, 1, 3); /* 3-8 */
    chain_steps(&c, 2);
    (void)compact_to(c.s, 1); /* 9-10 */
    const ls_compact_opts opts = {.level = 2};
    ls_compact_result res;
    ls_err err = LS_ERR_INIT;
    must(ls_compact(c.s, &opts, &res, &err), &err);
    assert_file(&res, 3, 10, 2);
    for (ls_txid t = 1; t <= 10; t++) {
        lose(c.s, 0, t, t);
    }
    lose(c.s, 1, 3, 8);
    assert_restores_chain(&c);
    chain_done(&c);
}

/* ---- page sizes ---- */

static void page_sizes_are_not_mixed(void **state) {
    chain a;
    chain b;
    chain_init(&a, *state, "replica", 4096);
    chain_steps(&a, 5);
    chain_init(&b, *state, "replica", 1024);
    b.txid = 5;
    chain_step(&b, 40, 40); /* 6: full */
    chain_snapshot(&b, 9, 1);
    chain_steps(&b, 4); /* 7..10 */
    ls_compact_result res = compact_to(a.s, 1);
    assert_file(&res, 1, 5, 5);
    assert_true(res.more);
    res = compact_to(a.s, 1);
    assert_file(&res, 6, 10, 5);
    assert_false(res.more);
    res = compact_to(a.s, 2);
    assert_file(&res, 1, 5, 1); /* one is left: copied */
    assert_true(res.copied);
    assert_true(res.more);
    res = compact_to(a.s, 2);
    assert_file(&res, 6, 10, 1);
    for (ls_txid t = 1; t <= 10; t++) {
        lose(a.s, 0, t, t);
    }
    assert_restores_chain(&a);
    assert_restores_chain(&b);
    chain_done(&a);
    chain_done(&b);
}

/* ---- local files ---- */

/* Copies the level-0 files 1..n beside the database. */
static char *make_local(void **state, const chain *c, ls_txid n) {
    char *root = make_local_root(state);
    char *dir = ls_path_join(root, "0");
    ls_err err = LS_ERR_INIT;
    for (ls_txid t = 1; t <= n; t++) {
        char name[LS_LTX_NAME_SIZE];
        char *from = chain_path(c, &(ls_ltx_info){.min_txid = t, .max_txid = t});
        char *to = ls_path_join(dir, ls_ltx_name_format(t, t, name));
        char *data;
        size_t len;
        must(ls_read_file(from, 1u << 24, &data, &len, &err), &err);
        put_file(to, data, len);
        free(data);
        free(to);
        free(from);
    }
    free(dir);
    return root;
}

static void damage(const char *path, int64_t off) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, off), 1);
    byte ^= 0x55;
    assert_int_equal(pwrite(fd, &byte, 1, off), 1);
    assert_int_equal(close(fd), 0);
}

static ls_code compact_local(ls_storage *s, const char *local_root, ls_compact_result *res,
                             ls_err *err) {
    const ls_compact_opts opts = {.level = 1, .local_root = local_root};
    ls_err_clear(err);
    return ls_compact(s, &opts, res, err);
}

/* The store's copies are damaged in the middle: only local files can have been read. */
static void local_files_are_read(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_compact_result res;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 6);
    char *root = make_local(state, &c, 6);
    char *path = chain_path(&c, &(ls_ltx_info){.min_txid = 3, .max_txid = 3});
    damage(path, 300);
    must(compact_local(c.s, root, &res, &err), &err);
    assert_file(&res, 1, 6, 6);
    for (ls_txid t = 1; t <= 6; t++) {
        lose(c.s, 0, t, t);
    }
    assert_restores_chain(&c);
    free(path);
    free(root);
    chain_done(&c);
}

static void damaged_local_files_are_not(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_compact_result res;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 6);
    char *root = make_local(state, &c, 5); /* 6 is the store's alone */
    char *path = ls_asprintf("%s/0/0000000000000003-0000000000000003.ltx", root);
    damage(path, 300);
    must(compact_local(c.s, root, &res, &err), &err);
    assert_file(&res, 1, 6, 6);
    for (ls_txid t = 1; t <= 6; t++) {
        lose(c.s, 0, t, t);
    }
    assert_restores_chain(&c);
    free(path);
    free(root);
    chain_done(&c);
}

static void local_files_of_another_lineage_are_not(void **state) {
    chain c;
    chain other;
    ls_err err = LS_ERR_INIT;
    ls_compact_result res;
    chain_init(&c, *state, "replica", 4096);
    chain_init(&other, *state, "other", 4096);
    other.seed = 43;
    chain_step(&c, 10, 10); /* same sizes, as far as compression lets them */
    chain_step(&other, 10, 10);
    chain_steps(&c, 3);
    chain_steps(&other, 3);
    char *root = make_local(state, &other, 4);
    must(compact_local(c.s, root, &res, &err), &err);
    assert_file(&res, 1, 4, 4);
    for (ls_txid t = 1; t <= 4; t++) {
        lose(c.s, 0, t, t);
    }
    assert_restores_chain(&c);
    free(root);
    chain_done(&other);
    chain_done(&c);
}

/* ---- failures ---- */

static void damaged_sources_make_nothing(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_compact_result res;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 6);
    char *spill = tempdir_path(state, "spill");
    must(ls_mkdirs(spill, &LS_PERM_PRIVATE, &err), &err);
    char *path = chain_path(&c, &(ls_ltx_info){.min_txid = 6, .max_txid = 6});
    damage(path, 300);
    const ls_compact_opts opts = {.level = 1, .spill_dir = spill};
    assert_int_not_equal(ls_compact(c.s, &opts, &res, &err), LS_OK);
    assert_non_null(strstr(err.msg, "ltx/0/0000000000000006-0000000000000006.ltx"));
    assert_level(c.s, 1, "");
    assert_int_equal(rmdir(spill), 0); /* no temporary file is left */
    free(path);
    free(spill);
    chain_done(&c);
}

static void a_name_that_lies(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_compact_result res;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 3);
    char *from = chain_path(&c, &(ls_ltx_info){.min_txid = 3, .max_txid = 3});
    char *to = chain_path(&c, &(ls_ltx_info){.min_txid = 2, .max_txid = 2});
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(try_compact(c.s, 1, &res, &err), LS_ECORRUPT);
    assert_non_null(strstr(err.msg, "its header says it is 0000000000000003"));
    assert_level(c.s, 1, "");
    free(from);
    free(to);
    chain_done(&c);
}

/* ---- recorded replicas: ours goes on where the reference stopped ---- */

static void go_on_with(void **state, const char *name, const char *l1, const char *l2) {
    json_decref(replica_copy(name, *state));
    char *root = tempdir_path(state, "replica");
    ls_storage *s;
    ls_err err = LS_ERR_INIT;
    must(ls_storage_open_file(root, NULL, &s, &err), &err);
    ls_plan plan;
    ls_restore_result res;
    size_t len = 0;
    must(ls_plan_make(s, 0, LS_NO_TIMESTAMP, &plan, &err), &err);
    ls_txid newest = plan.files[plan.n - 1].max_txid;
    uint8_t *data = rebuild_in_memory(s, &plan, 1, &len, &res, &err);
    assert_non_null(data);
    ls_plan_done(&plan);
    for (int level = 1; level <= 3; level++) {
        (void)compact_to(s, level);
    }
    char *text = level_text(s, 1);
    assert_string_equal(text + strlen(text) - strlen(l1), l1);
    free(text);
    text = level_text(s, 2);
    assert_string_equal(text + strlen(text) - strlen(l2), l2);
    free(text);
    assert_restores(s, newest, data, len);
    free(data);
    ls_storage_free(s);
    free(root);
}

static void recorded_by_the_seed(void **state) {
    go_on_with(state, "replica-a", "113-13a 13b-13c", "c1-13a 13b-13c");
}

static void recorded_by_its_successor(void **state) {
    go_on_with(state, "replica-head", "b4-bb bc-bd", "4e-b3 b4-bd");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(levels_of_a_chain),
        unit_test_in_tempdir(a_single_source_is_copied),
        unit_test_in_tempdir(more_sources_than_fit_a_merge),
        unit_test_in_tempdir(seek_saves_listing),
        unit_test_in_tempdir(levels_that_are_not_compacted),
        unit_test_in_tempdir(a_hole_between_levels),
        unit_test_in_tempdir(a_hole_among_the_sources),
        unit_test_in_tempdir(the_first_file_must_be_the_first),
        unit_test_in_tempdir(a_snapshot_bridges_a_hole),
        unit_test_in_tempdir(overlapping_sources),
        unit_test_in_tempdir(a_source_that_straddles_the_end),
        unit_test_in_tempdir(page_sizes_are_not_mixed),
        unit_test_in_tempdir(local_files_are_read),
        unit_test_in_tempdir(damaged_local_files_are_not),
        unit_test_in_tempdir(local_files_of_another_lineage_are_not),
        unit_test_in_tempdir(damaged_sources_make_nothing),
        unit_test_in_tempdir(a_name_that_lies),
        unit_test_in_tempdir(recorded_by_the_seed),
        unit_test_in_tempdir(recorded_by_its_successor),
    };
    return cmocka_run_group_tests_name("replica compact", tests, NULL, NULL);
}
