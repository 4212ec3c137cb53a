/*
 * Merging: the Go compactor's cases, a model that keeps the newest page of each number, and inputs
 * in numbers that need several stages.
 */
#include "t/engine/ltx/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ltx/merge.h"

/* ---- inputs ---- */

/* Inputs in memory; counts how they are opened and closed. */
typedef struct inputs {
    blob *files;
    size_t n;
    size_t step;   /* bytes read at once */
    size_t opened; /* so far; also the number that must be opened next */
    size_t open_now;
    size_t open_most;
} inputs;

typedef struct input_reader {
    step_reader step;
    inputs *of;
} input_reader;

static void input_close(ls_reader *r) {
    ((input_reader *)r)->of->open_now--;
    free(r);
}

static ls_code input_open(void *arg, size_t i, ls_reader **in, ls_err *err) {
    (void)err;
    inputs *of = arg;
    assert_int_equal(i, of->opened);
    of->opened++;
    if (++of->open_now > of->open_most)
        of->open_most = of->open_now;
    input_reader *r = malloc(sizeof *r);
    assert_non_null(r);
    *r = (input_reader){.step = step_reader_of(of->files[i], of->step), .of = of};
    r->step.base.close = input_close;
    *in = &r->step.base;
    return LS_OK;
}

/* Merges; everything that was opened must be closed after it. */
static ls_code merge(inputs *in, ls_ltx_merge_opts opts, mem_file *out, ls_ltx_header *header,
                     ls_ltx_trailer *trailer, ls_err *err) {
    size_t files = open_files();
    opts.open = input_open;
    opts.arg = in;
    ls_code rc = ls_ltx_merge(&opts, in->n, &out->out.base, header, trailer, err);
    assert_int_equal(in->open_now, 0);
    assert_int_equal(open_files(), files);
    if (rc == LS_OK)
        assert_int_equal(in->opened, in->n);
    return rc;
}

/* ---- Go's cases ---- */

/* What v0.5.2 makes of the case: its v0.5.1 twin differs in two cases. */
static const json_t *newer_twin(const json_t *cases, const json_t *c) {
    size_t i;
    json_t *other;
    json_array_foreach(cases, i, other) {
        if (strcmp(jstr(other, "name"), jstr(c, "name")) == 0 &&
            strcmp(jstr(other, "compacted_by"), "superfly/ltx v0.5.2") == 0)
            return other;
    }
    fail_msg("no case %s of v0.5.2", jstr(c, "name"));
    return NULL;
}

static inputs inputs_of(const json_t *c) {
    const json_t *names = jget(c, "inputs");
    inputs in = {.n = json_array_size(names), .step = SIZE_MAX};
    in.files = calloc(in.n + 1, sizeof in.files[0]);
    assert_non_null(in.files);
    for (size_t i = 0; i < in.n; i++)
        in.files[i] = vec_file(json_string_value(json_array_get(names, i)));
    return in;
}

static void inputs_done(inputs *in) {
    for (size_t i = 0; i < in->n; i++)
        free(in->files[i].data);
    free(in->files);
}

/* Same header, pages and post-apply checksum. */
static void assert_same_content(blob a, blob b) {
    ls_err err = LS_ERR_INIT;
    step_reader ra = step_reader_of(a, SIZE_MAX);
    step_reader rb = step_reader_of(b, SIZE_MAX);
    ls_ltx_header ha;
    ls_ltx_header hb;
    ls_ltx_decoder *da = NULL;
    ls_ltx_decoder *db = NULL;
    must(ls_ltx_decoder_new(&ra.base, &ha, &da, &err), &err);
    must(ls_ltx_decoder_new(&rb.base, &hb, &db, &err), &err);
    assert_same_header(&ha, &hb);
    for (bool end = false, end_b; !end;) {
        ls_ltx_page pa;
        ls_ltx_page pb;
        must(ls_ltx_decoder_next(da, &pa, &end, &err), &err);
        must(ls_ltx_decoder_next(db, &pb, &end_b, &err), &err);
        assert_int_equal(end, end_b);
        if (end)
            break;
        assert_int_equal(pa.pgno, pb.pgno);
        assert_memory_equal(pa.data, pb.data, ha.page_size);
    }
    ls_ltx_trailer ta;
    ls_ltx_trailer tb;
    must(ls_ltx_decoder_close(da, &ta, &err), &err);
    must(ls_ltx_decoder_close(db, &tb, &err), &err);
    assert_int_equal(ta.post_apply, tb.post_apply);
    ls_ltx_decoder_free(da);
    ls_ltx_decoder_free(db);
}

/* All inputs and the output are of one version, so that Go's output holds the inputs' frames. */
static bool same_encoding(const json_t *c) {
    const char *version = strstr(jstr(c, "output"), ".v05");
    size_t i;
    json_t *name;
    json_array_foreach(jget(c, "inputs"), i, name) {
        if (strncmp(strstr(json_string_value(name), ".v05"), version, 5) != 0)
            return false;
    }
    return true;
}

static void check_output(const json_t *c, const json_t *want, blob got, size_t *identical) {
    blob file = vec_file(jstr(want, "output"));
    assert_same_content(got, file);
    if (c == want && same_encoding(c)) {
        assert_int_equal(got.len, file.len);
        assert_memory_equal(got.data, file.data, file.len);
        (*identical)++;
    }
    free(file.data);
}

static void test_go_cases(void **state) {
    (void)state;
    json_t *root = vec_json("manifest.json");
    const json_t *cases = jget(root, "compactions");
    size_t i;
    json_t *c;
    size_t good = 0;
    size_t refused = 0;
    size_t identical = 0;
    assert_int_equal(json_array_size(cases), 88);
    json_array_foreach(cases, i, c) {
        bool same = jbool(newer_twin(cases, c), "ok") == jbool(c, "ok");
        const json_t *want = same ? c : newer_twin(cases, c);
        inputs in = inputs_of(c);
        ls_ltx_merge_opts opts = {.flags = (uint32_t)jint(c, "header_flags"),
                                  .allow_gaps = jbool(c, "allow_non_contiguous")};
        mem_file out;
        mem_file_init(&out);
        ls_err err = LS_ERR_INIT;
        ls_code rc = merge(&in, opts, &out, NULL, NULL, &err);
        if (jbool(want, "ok")) {
            must(rc, &err);
            check_output(c, want, mem_file_blob(&out), &identical);
            good++;
        } else {
            assert_int_not_equal(rc, LS_OK);
            assert_string_equal(err.msg, jstr(want, "error"));
            refused++;
        }
        mem_file_done(&out);
        inputs_done(&in);
    }
    assert_int_equal(good, 46);
    assert_int_equal(refused, 42);
    assert_int_equal(identical, 42);
    json_decref(root);
}

/* ---- a model ---- */

#define PAGE 512
#define MAX_PGNO 40

/* What a chain of files leaves: the newest page of each number. */
typedef struct model {
    uint8_t page[MAX_PGNO + 1][PAGE];
    bool present[MAX_PGNO + 1];
    uint32_t commit;
    bool same_size; /* all files have the largest Commit */
} model;

/* File i of a chain: some pages of a database of a size that changes. */
static blob make_file(size_t i, uint64_t seed, model *m) {
    uint64_t r = seed + i;
    uint32_t commit = m->same_size ? MAX_PGNO : (uint32_t)(next_random(&r) % MAX_PGNO) + 1;
    ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                       .page_size = PAGE,
                       .commit = commit,
                       .min_txid = i + 2,
                       .max_txid = i + 2,
                       .timestamp = (int64_t)i};
    ls_ltx_encoder_opts opts = {.encoding = (ls_ltx_encoding)(next_random(&r) & 1)};
    mem_file out;
    mem_file_init(&out);
    ls_err err = LS_ERR_INIT;
    ls_ltx_encoder *enc = NULL;
    must(ls_ltx_encoder_new(&out.out.base, &h, &opts, &enc, &err), &err);
    for (uint32_t pgno = 1; pgno <= commit; pgno++) {
        if (next_random(&r) % 6 != 0)
            continue;
        fill_page(m->page[pgno], PAGE, next_random(&r));
        m->present[pgno] = true;
        must(ls_ltx_encoder_page(enc, pgno, m->page[pgno], PAGE, &err), &err);
    }
    must(ls_ltx_encoder_close(enc, 0, NULL, &err), &err);
    ls_ltx_encoder_free(enc);
    m->commit = commit;
    blob b = {.len = out.buf.len};
    b.data = (uint8_t *)ls_buf_steal(&out.buf);
    assert_non_null(b.data);
    return b;
}

static inputs make_inputs(size_t n, uint64_t seed, model *m) {
    inputs in = {.n = n, .step = SIZE_MAX, .files = calloc(n, sizeof(blob))};
    assert_non_null(in.files);
    for (size_t i = 0; i < n; i++)
        in.files[i] = make_file(i, seed, m);
    return in;
}

static void assert_is_model(blob b, const model *m, size_t n) {
    ls_err err = LS_ERR_INIT;
    step_reader in = step_reader_of(b, SIZE_MAX);
    ls_ltx_header h;
    ls_ltx_decoder *dec = NULL;
    must(ls_ltx_decoder_new(&in.base, &h, &dec, &err), &err);
    assert_int_equal(h.commit, m->commit);
    assert_int_equal(h.min_txid, 2);
    assert_int_equal(h.max_txid, n + 1);
    assert_int_equal(h.timestamp, n - 1);
    for (uint32_t pgno = 1; pgno <= m->commit; pgno++) {
        ls_ltx_page p;
        bool end = false;
        if (!m->present[pgno])
            continue;
        must(ls_ltx_decoder_next(dec, &p, &end, &err), &err);
        assert_false(end);
        assert_int_equal(p.pgno, pgno);
        assert_memory_equal(p.data, m->page[pgno], PAGE);
    }
    ls_ltx_page p;
    bool end = false;
    must(ls_ltx_decoder_next(dec, &p, &end, &err), &err);
    assert_true(end);
    must(ls_ltx_decoder_close(dec, NULL, &err), &err);
    ls_ltx_decoder_free(dec);
}

static void check_model(size_t n, size_t step) {
    model m = {.commit = 0};
    inputs in = make_inputs(n, 7 * n, &m);
    in.step = step;
    mem_file out;
    mem_file_init(&out);
    ls_err err = LS_ERR_INIT;
    ls_ltx_header h;
    must(merge(&in, (ls_ltx_merge_opts){.flags = LS_LTX_FLAG_NO_CHECKSUM}, &out, &h, NULL, &err),
         &err);
    assert_int_equal(h.max_txid, n + 1);
    assert_is_model(mem_file_blob(&out), &m, n);
    assert_in_range(in.open_most, 1, LS_LTX_MERGE_FANIN);
    mem_file_done(&out);
    inputs_done(&in);
}

static void test_model(void **state) {
    (void)state;
    static const size_t counts[] = {1, 2, 3, 5, 63, 64, 65, 127, 128, 129, 1000, 3781, 3782, 4097};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        check_model(counts[i], SIZE_MAX);
    check_model(100, 1);
}

/* Merging groups and then their results gives the bytes that merging all at once gives, which takes
 * stages: frames are copied. */
static void test_associative(void **state) {
    (void)state;
    model m = {.same_size = true};
    const size_t n = 1000;
    const size_t group = 25;
    inputs all = make_inputs(n, 3, &m);
    inputs merged = {.n = n / group, .step = SIZE_MAX, .files = calloc(n / group, sizeof(blob))};
    ls_ltx_merge_opts opts = {.flags = LS_LTX_FLAG_NO_CHECKSUM};
    ls_err err = LS_ERR_INIT;
    mem_file direct;
    mem_file_init(&direct);
    must(merge(&all, opts, &direct, NULL, NULL, &err), &err);
    for (size_t i = 0; i < merged.n; i++) {
        inputs part = {.files = all.files + i * group, .n = group, .step = SIZE_MAX};
        mem_file out;
        mem_file_init(&out);
        must(merge(&part, opts, &out, NULL, NULL, &err), &err);
        merged.files[i] = mem_file_blob(&out);
    }
    mem_file twice;
    mem_file_init(&twice);
    must(merge(&merged, opts, &twice, NULL, NULL, &err), &err);
    assert_int_equal(twice.buf.len, direct.buf.len);
    assert_memory_equal(twice.buf.data, direct.buf.data, direct.buf.len);
    mem_file_done(&direct);
    mem_file_done(&twice);
    inputs_done(&all);
    inputs_done(&merged);
}

/* ---- errors ---- */

static const char *name_of(void *arg, size_t i) {
    static char name[32];
    (void)arg;
    snprintf(name, sizeof name, "file-%zu", i);
    return name;
}

/* Damage in any input, wherever it is, is found; and the output is refused. */
static void check_damage(size_t n, size_t which, size_t at, const char *text) {
    model m = {.commit = 0};
    inputs in = make_inputs(n, 11, &m);
    blob *b = &in.files[which];
    b->data[at < b->len ? at : b->len - 1] ^= 1;
    mem_file out;
    mem_file_init(&out);
    ls_err err = LS_ERR_INIT;
    ls_ltx_merge_opts opts = {.flags = LS_LTX_FLAG_NO_CHECKSUM, .name = name_of};
    assert_int_not_equal(merge(&in, opts, &out, NULL, NULL, &err), LS_OK);
    assert_string_equal(err.msg, text);
    mem_file_done(&out);
    inputs_done(&in);
}

static void test_damaged_inputs(void **state) {
    (void)state;
    check_damage(3, 1, SIZE_MAX, "file-1: close reader 1: file checksum mismatch");
    check_damage(200, 0, SIZE_MAX, "file-0: close reader 0: file checksum mismatch");
    check_damage(200, 130, SIZE_MAX, "file-130: close reader 130: file checksum mismatch");
    check_damage(65, 64, SIZE_MAX, "file-64: close reader 64: file checksum mismatch");
    check_damage(200, 150, 0,
                 "file-150: decode header for input 150: unmarshal header: invalid LTX file");
    check_damage(200, 64, 23,
                 "file-64: decode header for input 64: transaction ids out of order: (67,66)");
}

static ls_code refuse_open(void *arg, size_t i, ls_reader **in, ls_err *err) {
    (void)arg;
    (void)i;
    (void)in;
    return ls_fail(err, LS_EIO, "store is away");
}

static void test_open_fails(void **state) {
    (void)state;
    mem_file out;
    mem_file_init(&out);
    ls_err err = LS_ERR_INIT;
    ls_ltx_merge_opts opts = {.flags = LS_LTX_FLAG_NO_CHECKSUM, .open = refuse_open};
    assert_int_equal(ls_ltx_merge(&opts, 100, &out.out.base, NULL, NULL, &err), LS_EIO);
    assert_string_equal(err.msg, "open input 0: store is away");
    mem_file_done(&out);
}

static void test_canceled(void **state) {
    (void)state;
    model m = {.commit = 0};
    ls_cancel cancel = {.set = false};
    for (size_t n = 10; n <= 100; n += 90) {
        inputs in = make_inputs(n, 1, &m);
        mem_file out;
        mem_file_init(&out);
        ls_err err = LS_ERR_INIT;
        ls_cancel_set(&cancel);
        ls_ltx_merge_opts opts = {.flags = LS_LTX_FLAG_NO_CHECKSUM, .cancel = &cancel};
        assert_int_equal(merge(&in, opts, &out, NULL, NULL, &err), LS_ECANCELED);
        mem_file_done(&out);
        inputs_done(&in);
    }
}

static void test_no_spill_dir(void **state) {
    (void)state;
    model m = {.commit = 0};
    inputs in = make_inputs(65, 1, &m);
    mem_file out;
    mem_file_init(&out);
    ls_err err = LS_ERR_INIT;
    ls_ltx_merge_opts opts = {.flags = LS_LTX_FLAG_NO_CHECKSUM, .spill_dir = "/no/such/folder"};
    assert_int_equal(merge(&in, opts, &out, NULL, NULL, &err), LS_ENOTFOUND);
    assert_string_equal(err.msg,
                        "create temporary file in /no/such/folder: No such file or directory");
    mem_file_done(&out);
    inputs_done(&in);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_go_cases),     cmocka_unit_test(test_model),
        cmocka_unit_test(test_associative),  cmocka_unit_test(test_damaged_inputs),
        cmocka_unit_test(test_open_fails),   cmocka_unit_test(test_canceled),
        cmocka_unit_test(test_no_spill_dir),
    };
    return cmocka_run_group_tests_name("merge", tests, NULL, NULL);
}
