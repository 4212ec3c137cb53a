/*
 * litestream verify: every kind of damage is found and named, what is whole is not accused, and the
 * verdict on each restore point is the one that restoring it gives. Covers
 * engine/restore/verify_file.c and engine/restore/lastverify.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ltx/crc64.h"
#include "engine/ltx/index.h"
#include "engine/restore/points.h"
#include "engine/restore/sweep.h"
#include "engine/restore/verify.h"
#include "t/engine/restore/replica.h"
#include "t/support/tempdir.h"

#define FINDINGS_MAX 64

typedef struct seen {
    ls_finding f[FINDINGS_MAX];
    char text[FINDINGS_MAX][200];
    size_t n;
    ls_verify_result result;
} seen;

static void note(void *arg, const ls_finding *f) {
    seen *s = arg;
    assert_true(s->n < FINDINGS_MAX);
    s->f[s->n] = *f;
    (void)snprintf(s->text[s->n], sizeof s->text[0], "%s", f->text);
    s->n++;
}

static seen verify_with(ls_storage *s, ls_verify_opts opts) {
    static seen found;
    memset(&found, 0, sizeof found);
    opts.finding = note;
    opts.arg = &found;
    ls_err err = LS_ERR_INIT;
    must(ls_verify(s, &opts, &found.result, &err), &err);
    return found;
}

static seen verify(ls_storage *s) { return verify_with(s, (ls_verify_opts){.level = -1}); }

static void show(const seen *s) {
    for (size_t i = 0; i < s->n; i++) {
        char key[LS_STORAGE_KEY_SIZE];
        print_message("%s%s %s %llx-%llx: %s\n", ls_finding_name(s->f[i].kind),
                      s->f[i].harmless ? " (harmless)" : "", ls_storage_key(&s->f[i].file, key),
                      (unsigned long long)s->f[i].from, (unsigned long long)s->f[i].to, s->text[i]);
    }
}

/* The one finding of a kind that names the file, where the text is in its own. */
static const ls_finding *find(const seen *s, ls_finding_kind kind, const ls_ltx_info *file,
                              const char *text) {
    for (size_t i = 0; i < s->n; i++) {
        if (s->f[i].kind == kind && (file == NULL || ls_ltx_info_cmp(&s->f[i].file, file) == 0) &&
            strstr(s->text[i], text) != NULL) {
            return &s->f[i];
        }
    }
    show(s);
    fail_msg("no such finding: %s: %s", ls_finding_name(kind), text);
    return NULL;
}

static void assert_clean(const seen *s) {
    show(s);
    assert_int_equal(s->n, 0);
    assert_true(s->result.ok);
    assert_int_equal(s->result.points_bad, 0);
}

/* ---- a replica of three levels ---- */

#define STEPS 12

typedef struct place {
    char *dir;
    chain c;
} place;

/* Level 0: 1..12; level 1: 1-4, 5-8, 9-12, all pages each; snapshots at 6 and 10. */
static void build(place *p) {
    for (uint32_t t = 1; t <= STEPS; t++) {
        chain_step(&p->c, 20 + 3 * (t % 5), 4);
        if (t % 4 == 0) {
            chain_snapshot(&p->c, 1, t - 3);
        }
        if (t == 6 || t == 10) {
            chain_snapshot(&p->c, LS_LTX_LEVEL_SNAPSHOT, 1);
        }
    }
}

static int setup_empty(void **state) {
    place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    void *dir = NULL;
    assert_int_equal(tempdir_setup(&dir), 0);
    p->dir = dir;
    chain_init(&p->c, p->dir, "replica", 1024);
    *state = p;
    return 0;
}

static int setup(void **state) {
    assert_int_equal(setup_empty(state), 0);
    build(*state);
    return 0;
}

static int teardown(void **state) {
    place *p = *state;
    chain_done(&p->c);
    void *dir = p->dir;
    free(p);
    return tempdir_teardown(&dir);
}

static ls_ltx_info file_at(int level, ls_txid min, ls_txid max) {
    return (ls_ltx_info){.level = level, .min_txid = min, .max_txid = max};
}

static char *path_at(const place *p, int level, ls_txid min, ls_txid max) {
    const ls_ltx_info f = file_at(level, min, max);
    return chain_path(&p->c, &f);
}

static void take_away(const place *p, int level, ls_txid min, ls_txid max) {
    char *path = path_at(p, level, min, max);
    assert_int_equal(unlink(path), 0);
    free(path);
}

typedef struct bytes {
    char *data;
    size_t len;
} bytes;

static bytes read_bytes(const char *path) {
    bytes b;
    ls_err err = LS_ERR_INIT;
    must(ls_read_file(path, 1u << 24, &b.data, &b.len, &err), &err);
    return b;
}

/* How many of the points that the planner reaches cannot be restored. */
static size_t broken_points(ls_storage *s) {
    ls_err err = LS_ERR_INIT;
    ls_listing l;
    size_t broken = 0;
    must(ls_listing_read(s, &l, &err), &err);
    for (ls_txid t = 1; t <= 64; t++) {
        ls_plan plan;
        err = LS_ERR_INIT;
        if (ls_plan_choose(l.levels, l.counts, t, LS_NO_TIMESTAMP, &plan, &err) == LS_OK) {
            size_t len;
            ls_restore_result result;
            uint8_t *data = rebuild_in_memory(s, &plan, 1, &len, &result, &err);
            broken += data == NULL ? 1 : 0;
            free(data);
        }
        ls_plan_done(&plan);
    }
    ls_listing_done(&l);
    return broken;
}

/* The newest point is the database. */
static void assert_restores(const place *p) {
    ls_err err = LS_ERR_INIT;
    ls_plan plan;
    size_t len;
    ls_restore_result result;
    must(ls_plan_make(p->c.s, p->c.txid, LS_NO_TIMESTAMP, &plan, &err), &err);
    uint8_t *data = rebuild_in_memory(p->c.s, &plan, 1, &len, &result, &err);
    assert_non_null(data);
    assert_int_equal(len, (size_t)p->c.commit * p->c.page_size);
    assert_memory_equal(data, p->c.image, len);
    free(data);
    ls_plan_done(&plan);
}

/* ---- what is whole ---- */

static size_t count_points(ls_storage *s) {
    ls_points points;
    ls_err err = LS_ERR_INIT;
    must(ls_points_list(s, &points, &err), &err);
    size_t n = 0;
    for (size_t i = 0; i < points.n_windows; i++) {
        n += points.windows[i].points;
    }
    ls_points_done(&points);
    return n;
}

static void recorded(const place *p, const char *name, const char *root) {
    json_t *expected = replica_copy(name, root);
    char *path = ls_path_join(root, "replica");
    ls_storage *s;
    ls_err err = LS_ERR_INIT;
    must(ls_storage_open_file(path, NULL, &s, &err), &err);
    seen found = verify_with(s, (ls_verify_opts){.level = -1, .full = true, .scratch_dir = p->dir});
    assert_clean(&found);
    assert_int_equal(found.result.files, json_array_size(jget(expected, "files")));
    assert_int_equal(found.result.points, count_points(s));
    ls_plan plan;
    must(ls_plan_make(s, 0, LS_NO_TIMESTAMP, &plan, &err), &err);
    assert_int_equal(found.result.txid, plan.files[plan.n - 1].max_txid);
    ls_plan_done(&plan);
    ls_storage_free(s);
    free(path);
    json_decref(expected);
}

static void recorded_replicas(void **state) {
    const place *p = *state;
    char *a = ls_path_join(p->dir, "a");
    char *head = ls_path_join(p->dir, "head");
    recorded(p, "replica-a", a);
    recorded(p, "replica-head", head);
    free(head);
    free(a);
}

static void whole(void **state) {
    const place *p = *state;
    seen found = verify(p->c.s);
    assert_clean(&found);
    assert_int_equal(found.result.files, STEPS + 3 + 2);
    assert_int_equal(found.result.points, STEPS);
    assert_int_equal(found.result.txid, STEPS);
    assert_true(found.result.bytes == p->c.all.bytes);
}

static void nothing_there(void **state) {
    const place *p = *state;
    seen found = verify(p->c.s);
    assert_int_equal(found.n, 0);
    assert_int_equal(found.result.files, 0);
    assert_false(found.result.ok); /* a wrong path must not look like a good backup */
}

/* ---- every kind of damage ---- */

static void deleted_files(void **state) {
    place *p = *state;
    for (size_t i = 0; i < p->c.all.n; i++) {
        const ls_ltx_info *f = &p->c.all.files[i];
        char *path = chain_path(&p->c, f);
        char *aside = ls_path_join(p->dir, "aside");
        assert_int_equal(rename(path, aside), 0);
        seen found = verify(p->c.s);
        bool within = f->level < LS_LTX_LEVEL_SNAPSHOT && f->min_txid > 1 && f->max_txid < STEPS;
        if (within) {
            const ls_finding *hole = find(&found, LS_FINDING_HOLE, NULL, "are missing before it");
            assert_int_equal(hole->from, f->min_txid);
            assert_int_equal(hole->to, f->max_txid);
            assert_int_equal(hole->file.level, f->level);
            assert_false(found.result.ok);
        } else if (f->max_txid == STEPS || f->level == LS_LTX_LEVEL_SNAPSHOT) {
            assert_clean(&found); /* nobody can know of it */
        } else {                  /* level 0 without its first file: level 1 bridges */
            assert_int_equal(found.result.points_bad, 0);
        }
        assert_int_equal(rename(aside, path), 0);
        free(aside);
        free(path);
    }
}

static void hole_that_nothing_bridges(void **state) {
    place *p = *state;
    take_away(p, 0, 11, 11);
    take_away(p, 1, 9, 12);
    seen found = verify(p->c.s);
    const ls_finding *gap =
        find(&found, LS_FINDING_UNREACHABLE, NULL,
             "files that end at TXIDs up to 000000000000000c: 000000000000000b to "
             "000000000000000b are missing");
    assert_int_equal(gap->from, 11);
    assert_int_equal(gap->to, 12);
    assert_int_equal(found.result.txid, 10);
    assert_false(found.result.ok);
}

static void no_base_at_all(void **state) {
    place *p = *state;
    take_away(p, 0, 1, 1);
    take_away(p, 1, 1, 4);
    take_away(p, 9, 1, 6);
    take_away(p, 9, 1, 10);
    seen found = verify(p->c.s);
    const ls_finding *gap = find(&found, LS_FINDING_UNREACHABLE, NULL, "");
    assert_false(gap->harmless);
    assert_int_equal(found.result.points, 0);
    assert_int_equal(found.result.txid, 0);
    assert_false(found.result.ok);
}

/* What retention leaves, and holes in it, are nobody's loss. */
static void below_the_oldest_snapshot(void **state) {
    place *p = *state;
    take_away(p, 0, 1, 1);
    take_away(p, 1, 1, 4);
    take_away(p, 0, 4, 4);
    take_away(p, 0, 2, 2);
    seen found = verify(p->c.s);
    for (size_t i = 0; i < found.n; i++) {
        assert_true(found.f[i].harmless);
    }
    const ls_finding *hole = find(&found, LS_FINDING_HOLE, NULL, "");
    assert_int_equal(hole->from, 4);
    (void)find(&found, LS_FINDING_UNREACHABLE, NULL, "");
    assert_true(found.result.ok);
    assert_int_equal(found.result.findings, 0);
    assert_int_equal(found.result.points, 7); /* from the snapshot 6 on */
}

static void cut_files(void **state) {
    place *p = *state;
    for (size_t i = 0; i < p->c.all.n; i++) {
        const ls_ltx_info *f = &p->c.all.files[i];
        char *path = chain_path(&p->c, f);
        bytes b = read_bytes(path);
        static const size_t tails[] = {1, 16, 24, 200};
        for (size_t k = 0; k < 6; k++) {
            size_t len = k < 4 ? b.len - tails[k] : k == 4 ? 99 : 0;
            put_file(path, b.data, len);
            seen found = verify(p->c.s);
            (void)find(&found, LS_FINDING_BAD_FILE, f, len < 100 ? "has size" : "");
            assert_int_equal(found.result.bad_files, 1);
            assert_false(found.result.ok);
            assert_int_equal(found.result.points_bad, broken_points(p->c.s));
        }
        put_file(path, b.data, b.len);
        free(b.data);
        free(path);
    }
}

/* A bit that says nothing, as in which of two equal bytes a match of LZ4 copies, is no damage. */
static void flipped_bits(void **state) {
    place *p = *state;
    char *path = path_at(p, 0, 12, 12);
    take_away(p, 1, 9, 12);
    bytes b = read_bytes(path);
    const ls_ltx_info f = file_at(0, 12, 12);
    size_t unnoticed = 0;
    for (size_t i = 0; i < b.len; i += 3) {
        b.data[i] = (char)(b.data[i] ^ 0x40);
        put_file(path, b.data, b.len);
        seen found = verify_with(p->c.s, (ls_verify_opts){.level = 0});
        if (found.result.findings == 0) {
            assert_restores(p);
            unnoticed++;
        } else {
            (void)find(&found, LS_FINDING_BAD_FILE, &f, "");
            assert_false(found.result.ok);
        }
        b.data[i] = (char)(b.data[i] ^ 0x40);
    }
    assert_true(unnoticed < b.len / 3 / 50);
    free(b.data);
    free(path);
}

static void renamed_file(void **state) {
    place *p = *state;
    char *from = path_at(p, 0, 8, 8);
    char *to = path_at(p, 0, 13, 13);
    assert_int_equal(rename(from, to), 0);
    const ls_ltx_info f = file_at(0, 13, 13);
    seen found = verify(p->c.s);
    (void)find(&found, LS_FINDING_BAD_FILE, &f,
               "its header says it is 0000000000000008-0000000000000008.ltx");
    (void)find(&found, LS_FINDING_HOLE, NULL,
               "TXIDs 0000000000000008 to 0000000000000008 are missing before it");
    assert_int_equal(found.result.points_bad, 1);
    assert_int_equal(found.result.txid, 12);
    free(to);
    free(from);
}

static void header_of_another_file(void **state) {
    place *p = *state;
    char *path = path_at(p, 0, 11, 11);
    char *other = path_at(p, 0, 3, 3);
    bytes b = read_bytes(path);
    bytes o = read_bytes(other);
    const ls_ltx_info f = file_at(0, 11, 11);
    for (int kept = 0; kept < 2; kept++) { /* whole, or all but the TXIDs */
        memcpy(b.data, o.data, 16);
        memcpy(b.data + 32, o.data + 32, 68);
        if (kept == 0) {
            memcpy(b.data, o.data, 100);
        } else {
            memset(b.data + 16, 0, 16);
            b.data[23] = b.data[31] = 11;
        }
        put_file(path, b.data, b.len);
        seen found = verify(p->c.s);
        (void)find(&found, LS_FINDING_BAD_FILE, &f, kept == 0 ? "its header says" : "");
        assert_int_equal(found.result.points_bad, 1); /* TXID 12 is at level 1, too */
        assert_int_equal(found.result.points_bad, broken_points(p->c.s));
    }
    free(o.data);
    free(b.data);
    free(other);
    free(path);
}

static void overlapping_files(void **state) {
    place *p = *state;
    chain_step(&p->c, 20, 2);     /* 13 */
    chain_snapshot(&p->c, 0, 11); /* 11-13 beside 11, 12, 13 */
    const ls_ltx_info f = file_at(0, 12, 12);
    seen found = verify(p->c.s);
    const ls_finding *overlap =
        find(&found, LS_FINDING_OVERLAP, &f, "hold the TXIDs up to 000000000000000d already");
    assert_int_equal(overlap->from, 12);
    assert_int_equal(overlap->to, 12);
    assert_false(found.result.ok);
    assert_int_equal(found.result.points_bad, 0);
    assert_int_equal(broken_points(p->c.s), 0);
}

static void names_that_cannot_be(void **state) {
    place *p = *state;
    char *path = path_at(p, 1, 9, 3);
    put_file(path, "x", 1);
    free(path);
    path = path_at(p, 9, 5, 7);
    put_file(path, "x", 1);
    free(path);
    const ls_ltx_info order = file_at(1, 9, 3);
    const ls_ltx_info start = file_at(9, 5, 7);
    seen found = verify(p->c.s);
    (void)find(&found, LS_FINDING_BAD_FILE, &order, "no file can have these TXIDs");
    (void)find(&found, LS_FINDING_BAD_FILE, &start, "does not start at TXID 1");
    assert_int_equal(found.n, 2);
}

static void folder_in_place_of_a_file(void **state) {
    place *p = *state;
    take_away(p, 0, 5, 5);
    char *path = path_at(p, 0, 5, 5);
    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
    seen found = verify(p->c.s);
    (void)find(&found, LS_FINDING_HOLE, NULL, "");
}

static void set_time(const char *path, int64_t ms) {
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                      {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void lost_times(void **state) {
    place *p = *state;
    char *path = path_at(p, 0, 5, 5);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    set_time(path, (int64_t)st.st_mtim.tv_sec * 1000 + LS_VERIFY_TIME_MS - 1000);
    seen found = verify(p->c.s);
    assert_clean(&found);
    set_time(path, 1234567890123);
    const ls_ltx_info f = file_at(0, 5, 5);
    found = verify(p->c.s);
    assert_true(find(&found, LS_FINDING_TIME, &f, "the times of 1 files")->harmless);
    assert_true(found.result.ok);
    free(path);
}

/* ---- pages ---- */

/* Puts a file of the given pages; a list that ends with 0. */
static void put_pages(const place *p, int level, ls_txid min, ls_txid max, uint32_t page_size,
                      uint32_t commit, const uint32_t *pages) {
    ls_err err = LS_ERR_INIT;
    mem_file m;
    mem_file_init(&m);
    const ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                             .page_size = page_size,
                             .commit = commit,
                             .min_txid = min,
                             .max_txid = max,
                             .timestamp = 1700000000000 + (int64_t)max};
    ls_ltx_encoder *enc;
    const ls_ltx_encoder_opts opts = {.encoding = LS_LTX_FRAME};
    must(ls_ltx_encoder_new(&m.out.base, &h, &opts, &enc, &err), &err);
    static uint8_t page[65536];
    for (; *pages != 0; pages++) {
        fill_page(page, page_size, *pages);
        must(ls_ltx_encoder_page(enc, *pages, page, page_size, &err), &err);
    }
    must(ls_ltx_encoder_close(enc, 0, NULL, &err), &err);
    ls_ltx_encoder_free(enc);
    char *path = path_at(p, level, min, max);
    char *folder = ls_path_dir(path);
    must(ls_mkdirs(folder, &LS_PERM_PRIVATE, &err), &err);
    put_file(path, m.buf.data, m.buf.len);
    set_time(path, h.timestamp);
    free(folder);
    free(path);
    mem_file_done(&m);
}

#define PAGES(...) ((const uint32_t[]){__VA_ARGS__, 0})

/* The verdict on the points is what restoring them gives. */
static seen agree(const place *p, size_t bad) {
    seen found = verify(p->c.s);
    if (found.result.points_bad != bad || broken_points(p->c.s) != bad) {
        show(&found);
        fail_msg("%zu points are bad, %zu of them by verify, not %zu", broken_points(p->c.s),
                 found.result.points_bad, bad);
    }
    assert_int_equal(found.result.ok, bad == 0);
    return found;
}

static void growth_page_missing(void **state) {
    place *p = *state;
    put_pages(p, 0, 1, 1, 1024, 3, PAGES(1, 2, 3));
    put_pages(p, 0, 2, 2, 1024, 7, PAGES(1, 4, 5, 7));
    const ls_ltx_info f = file_at(0, 2, 2);
    seen found = agree(p, 1);
    const ls_finding *lack =
        find(&found, LS_FINDING_COVERAGE, &f, "page 6 of 7 is in no file of the plan");
    assert_int_equal(lack->from, 2);
    assert_int_equal(found.result.txid, 1);
    put_pages(p, 0, 2, 2, 1024, 7, PAGES(1, 4, 5, 6));
    found = agree(p, 1);
    (void)find(&found, LS_FINDING_COVERAGE, &f, "page 7 of 7");
    put_pages(p, 0, 2, 2, 1024, 7, PAGES(1, 5, 6, 7));
    found = agree(p, 1);
    (void)find(&found, LS_FINDING_COVERAGE, &f, "page 4 of 7");
    put_pages(p, 0, 2, 2, 1024, 7, PAGES(4, 5, 6, 7));
    found = agree(p, 0);
    assert_clean(&found);
}

static void put_be(uint8_t *p, uint64_t value, size_t len) {
    for (size_t i = 0; i < len; i++) {
        p[i] = (uint8_t)(value >> (8 * (len - 1 - i)));
    }
}

/* Raises Commit in the header of a file of the pages 1..n, with a checksum that fits: what the
 * encoder refuses to write, and Go's does not. */
static void raise_commit(const char *path, uint32_t n, uint32_t commit) {
    bytes b = read_bytes(path);
    uint8_t *p = (uint8_t *)b.data;
    ls_err err = LS_ERR_INIT;
    ls_ltx_tail tail;
    must(ls_ltx_tail_decode(p + b.len - 24, b.len, &tail, &err), &err);
    put_be(p + 12, commit, 4);
    uint64_t crc = ls_crc64(0, p, LS_LTX_HEADER_SIZE);
    for (uint32_t pgno = 1; pgno <= n; pgno++) {
        uint8_t head[LS_LTX_PAGE_HEADER_SIZE] = {0};
        uint8_t page[1024];
        put_be(head, pgno, 4);
        fill_page(page, sizeof page, pgno);
        crc = ls_crc64(ls_crc64(crc, head, sizeof head), page, sizeof page);
    }
    size_t rest = (size_t)tail.index_offset - LS_LTX_PAGE_HEADER_SIZE;
    crc = ls_crc64(crc, p + rest, b.len - rest - 8);
    put_be(p + b.len - 8, LS_LTX_CHECKSUM_FLAG | crc, 8);
    put_file(path, b.data, b.len);
    set_time(path, 1700000000001);
    free(b.data);
}

/* A base that stops before its Commit is a sound file, and no database. */
static void base_incomplete(void **state) {
    place *p = *state;
    put_pages(p, 0, 1, 1, 1024, 3, PAGES(1, 2, 3));
    put_pages(p, 0, 2, 2, 1024, 3, PAGES(2));
    char *path = path_at(p, 0, 1, 1);
    raise_commit(path, 3, 3);
    seen found = agree(p, 0);
    assert_clean(&found);
    raise_commit(path, 3, 4);
    put_pages(p, 0, 2, 2, 1024, 4, PAGES(2));
    const ls_ltx_info f = file_at(0, 1, 1);
    found = agree(p, 2);
    (void)find(&found, LS_FINDING_COVERAGE, &f, "page 4 of 4 is in no file of the plan");
    assert_int_equal(found.result.bad_files, 0);
    assert_int_equal(found.result.txid, 0);
    free(path);
}

/* A file at one level raises Commit over what another level's plan holds. */
static void growth_through_levels(void **state) {
    place *p = *state;
    put_pages(p, 9, 1, 3, 1024, 3, PAGES(1, 2, 3));
    put_pages(p, 1, 4, 6, 1024, 6, PAGES(2, 4, 5, 6));
    put_pages(p, 0, 4, 4, 1024, 3, PAGES(2));
    put_pages(p, 0, 5, 5, 1024, 6, PAGES(4, 5, 6));
    put_pages(p, 0, 6, 6, 1024, 6, PAGES(1));
    put_pages(p, 0, 7, 7, 1024, 7, PAGES(7));
    seen found = agree(p, 0);
    assert_clean(&found);
    /* Its plan: 9 and level 0 up to 5; that of 6 and 7: 9 and level 1. */
    put_pages(p, 0, 5, 5, 1024, 6, PAGES(4, 6));
    found = agree(p, 1);
    put_pages(p, 0, 5, 5, 1024, 6, PAGES(4, 5, 6));
    put_pages(p, 1, 4, 6, 1024, 6, PAGES(2, 4, 6));
    found = agree(p, 2);
    const ls_ltx_info f = file_at(1, 4, 6);
    (void)find(&found, LS_FINDING_COVERAGE, &f, "page 5 of 6");
}

/* SQLite writes pages that it cut off anew before it uses them; a restore takes the old ones. */
static void smaller_and_larger_again(void **state) {
    place *p = *state;
    put_pages(p, 0, 1, 1, 1024, 5, PAGES(1, 2, 3, 4, 5));
    put_pages(p, 0, 2, 2, 1024, 2, PAGES(1));
    put_pages(p, 0, 3, 3, 1024, 5, PAGES(1, 5));
    seen found = agree(p, 0);
    assert_clean(&found);
    put_pages(p, 0, 4, 4, 1024, 6, PAGES(1));
    found = agree(p, 1);
}

static void new_page_size(void **state) {
    place *p = *state;
    put_pages(p, 0, 1, 1, 1024, 2, PAGES(1, 2));
    put_pages(p, 0, 2, 2, 2048, 2, PAGES(1, 2));
    put_pages(p, 0, 3, 3, 2048, 2, PAGES(1));
    const ls_ltx_info f = file_at(0, 2, 2);
    seen found = agree(p, 2);
    (void)find(&found, LS_FINDING_UNREACHABLE, &f, "page size 2048, but files before it have 1024");
    put_pages(p, 9, 1, 2, 2048, 2, PAGES(1, 2));
    found = agree(p, 0);
    assert_clean(&found);
}

static void checksums_that_do_not_join(void **state) {
    place *p = *state;
    p->c.checksums = true;
    chain_step(&p->c, 10, 0);
    chain_step(&p->c, 11, 3);
    chain_step(&p->c, 11, 3);
    seen found = agree(p, 0);
    assert_clean(&found);
    chain other;
    chain_init(&other, p->dir, "other", 1024);
    other.checksums = true;
    other.seed = 99;
    chain_step(&other, 10, 0);
    chain_step(&other, 11, 3);
    const ls_ltx_info f = file_at(0, 2, 2);
    char *from = chain_path(&other, &f);
    char *to = chain_path(&p->c, &f);
    assert_int_equal(rename(from, to), 0);
    found = agree(p, 2);
    (void)find(&found, LS_FINDING_BAD_FILE, &f, "it continues another database");
    free(to);
    free(from);
    chain_done(&other);
}

/* ---- at random: verify against restoring every point ---- */

static void break_something(const place *p, uint64_t *seed) {
    const ls_plan *all = &p->c.all;
    const ls_ltx_info *f = &all->files[next_random(seed) % all->n];
    char *path = chain_path(&p->c, f);
    struct stat st;
    if (stat(path, &st) == 0) {
        switch (next_random(seed) % 3) {
        case 0:
            assert_int_equal(unlink(path), 0);
            break;
        case 1:
            assert_int_equal(truncate(path, (off_t)(next_random(seed) % (uint64_t)st.st_size)), 0);
            break;
        default: {
            bytes b = read_bytes(path);
            b.data[next_random(seed) % b.len] ^= 1;
            put_file(path, b.data, b.len);
            free(b.data);
        }
        }
    }
    free(path);
}

static void random_damage(void **state) {
    place *p = *state;
    char *root = ls_path_join(p->dir, "replica");
    char *saved = ls_path_join(p->dir, "saved");
    char *save = ls_asprintf("cp -a '%s' '%s'", root, saved);
    char *load = ls_asprintf("rm -rf '%s' && cp -a '%s' '%s'", root, saved, root);
    assert_int_equal(system(save), 0);
    for (uint64_t seed = 1; seed <= 60; seed++) {
        uint64_t random = seed * 104729;
        assert_int_equal(system(load), 0);
        for (size_t i = 1 + next_random(&random) % 4; i > 0; i--) {
            break_something(p, &random);
        }
        seen found = verify(p->c.s);
        size_t broken = broken_points(p->c.s);
        if (found.result.points_bad != broken) {
            show(&found);
            fail_msg("seed %llu: %zu points are broken, not %zu", (unsigned long long)seed, broken,
                     found.result.points_bad);
        }
        assert_true(!found.result.ok || broken == 0);
    }
    free(load);
    free(save);
    free(saved);
    free(root);
}

/* ---- a level alone, progress, cancellation ---- */

static void one_level(void **state) {
    place *p = *state;
    char *path = path_at(p, 0, 7, 7);
    assert_int_equal(truncate(path, 300), 0);
    free(path);
    seen found = verify_with(p->c.s, (ls_verify_opts){.level = 1});
    assert_clean(&found);
    assert_int_equal(found.result.files, 3);
    assert_int_equal(found.result.points, 0);
    found = verify_with(p->c.s, (ls_verify_opts){.level = 9});
    assert_int_equal(found.result.files, 2);
    found = verify_with(p->c.s, (ls_verify_opts){.level = 0});
    assert_int_equal(found.result.bad_files, 1);
    ls_verify_result result;
    ls_err err = LS_ERR_INIT;
    const ls_verify_opts opts = {.level = 1, .full = true};
    assert_int_equal(ls_verify(p->c.s, &opts, &result, &err), LS_EINVALID);
}

static void note_progress(void *arg, const ls_restore_progress *p) {
    ls_restore_progress *last = arg;
    assert_true(p->bytes_done >= last->bytes_done && p->bytes_done <= p->bytes);
    *last = *p;
}

static void progress(void **state) {
    place *p = *state;
    ls_restore_progress last = {0};
    ls_verify_result result;
    ls_err err = LS_ERR_INIT;
    const ls_verify_opts opts = {.level = -1, .progress = note_progress, .arg = &last};
    must(ls_verify(p->c.s, &opts, &result, &err), &err);
    assert_int_equal(last.files, result.files);
    assert_true(last.bytes_done == last.bytes && last.bytes == p->c.all.bytes);
    char *path = path_at(p, 0, 5, 5); /* its bytes count, though they are not read to the end */
    bytes b = read_bytes(path);
    b.data[200] ^= 1;
    put_file(path, b.data, b.len);
    last = (ls_restore_progress){0};
    must(ls_verify(p->c.s, &opts, &result, &err), &err);
    assert_int_equal(result.bad_files, 1);
    assert_true(last.bytes_done == last.bytes);
    free(b.data);
    free(path);
}

static void canceled(void **state) {
    place *p = *state;
    ls_cancel cancel = {0};
    ls_cancel_set(&cancel);
    ls_verify_result result;
    ls_err err = LS_ERR_INIT;
    const ls_verify_opts opts = {.level = -1, .cancel = &cancel};
    assert_int_equal(ls_verify(p->c.s, &opts, &result, &err), LS_ECANCELED);
    assert_false(result.ok);
}

/* ---- a replica in use, and a store that fails ---- */

/* A store whose files go at the nth open, or that cannot be reached any more from there on. */
typedef struct moving {
    ls_storage base;
    ls_storage_ops ops;
    place *p;
    int opens, listings, at;
    bool lists; /* false: it cannot be reached then */
} moving;

static moving *moving_now;

static ls_code moving_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                           ls_reader **r, ls_err *err) {
    (void)s;
    moving *m = moving_now;
    m->opens++;
    if (!m->lists && m->opens >= m->at) {
        return ls_fail(err, LS_EIO, "connection lost");
    }
    if (m->opens == m->at) {
        for (ls_txid t = 1; t <= 8; t++) { /* retention */
            take_away(m->p, 0, t, t);
        }
        chain_snapshot(&m->p->c, 2, 1);
    }
    return ls_storage_open_range(m->p->c.s, file, off, len, r, err);
}

static ls_code moving_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it,
                           ls_err *err) {
    (void)s;
    moving *m = moving_now;
    m->listings++;
    if (!m->lists && m->opens >= m->at) {
        return ls_fail(err, LS_EIO, "connection lost");
    }
    return ls_storage_list(m->p->c.s, level, seek, it, err);
}

static moving moving_store(place *p, int at, bool lists) {
    moving m = {.p = p, .at = at, .lists = lists, .ops = *p->c.s->ops};
    m.ops.open = moving_open;
    m.ops.list = moving_list;
    return m;
}

static void files_go_meanwhile(void **state) {
    place *p = *state;
    moving m = moving_store(p, 3, true);
    m.base.ops = &m.ops;
    moving_now = &m;
    seen found = verify(&m.base);
    assert_clean(&found);
    assert_int_equal(found.result.files, 4 + 3 + 1 + 2);
    assert_int_equal(m.opens, STEPS + 3 + 2 + 1); /* the new one; none is read twice */
}

/* A listing for each bad file would make many of them take for ever. */
static void bad_files_cost_no_listing(void **state) {
    place *p = *state;
    for (ls_txid t = 2; t < STEPS; t++) {
        char *path = path_at(p, 0, t, t);
        assert_int_equal(truncate(path, t % 2 == 0 ? 50 : 150), 0);
        free(path);
    }
    moving m = moving_store(p, -1, true);
    m.base.ops = &m.ops;
    moving_now = &m;
    seen found = verify(&m.base);
    assert_int_equal(found.result.bad_files, STEPS - 2);
    assert_int_equal(m.listings, LS_LISTING_LEVELS);
}

static void store_fails(void **state) {
    place *p = *state;
    moving m = moving_store(p, 3, false);
    m.base.ops = &m.ops;
    moving_now = &m;
    ls_verify_result result;
    ls_err err = LS_ERR_INIT;
    const ls_verify_opts opts = {.level = -1};
    assert_int_equal(ls_verify(&m.base, &opts, &result, &err), LS_EIO);
    assert_false(result.ok);
}

/* ---- full ---- */

/* Sound files of what is no database of SQLite. */
static void integrity_failed(void **state) {
    place *p = *state;
    char *scratch = ls_path_join(p->dir, "scratch");
    assert_int_equal(mkdir(scratch, 0700), 0);
    seen found =
        verify_with(p->c.s, (ls_verify_opts){.level = -1, .full = true, .scratch_dir = scratch});
    const ls_finding *f = find(&found, LS_FINDING_INTEGRITY, NULL, "integrity check");
    assert_int_equal(f->to, STEPS);
    assert_false(found.result.ok);
    assert_int_equal(rmdir(scratch), 0); /* nothing was left */
    ls_verify_result result;
    ls_err err = LS_ERR_INIT;
    const ls_verify_opts opts = {.level = -1, .full = true, .scratch_dir = scratch};
    assert_int_equal(ls_verify(p->c.s, &opts, &result, &err), LS_ENOTFOUND);
    free(scratch);
}

/* ---- the last result ---- */

static void last_result(void **state) {
    const place *p = *state;
    ls_last_verify v;
    ls_err err = LS_ERR_INIT;
    must(ls_last_verify_load(p->dir, &v, &err), &err);
    assert_false(v.any);
    const ls_last_verify saved = {.ok = true,
                                  .full = false,
                                  .at_ms = 1700000000123,
                                  .txid = 0xfedcba9876543210,
                                  .files = 300,
                                  .findings = 2};
    must(ls_last_verify_save(p->dir, &saved, &err), &err);
    must(ls_last_verify_load(p->dir, &v, &err), &err);
    assert_true(v.any && v.ok && !v.full);
    assert_true(v.at_ms == saved.at_ms && v.txid == saved.txid);
    assert_true(v.files == 300 && v.findings == 2);
    char *path = ls_path_join(p->dir, "verify");
    bytes b = read_bytes(path);
    for (size_t len = 0; len < b.len; len++) {
        put_file(path, b.data, len);
        err = LS_ERR_INIT;
        assert_int_equal(ls_last_verify_load(p->dir, &v, &err), LS_ECORRUPT);
        assert_false(v.any);
    }
    free(b.data);
    free(path);
    char *nowhere = ls_path_join(p->dir, "nowhere");
    assert_int_equal(ls_last_verify_save(nowhere, &saved, &err), LS_ENOTFOUND);
    free(nowhere);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define test_empty(f) cmocka_unit_test_setup_teardown(f, setup_empty, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        test_empty(recorded_replicas),
        test(whole),
        test_empty(nothing_there),
        test(deleted_files),
        test(hole_that_nothing_bridges),
        test(no_base_at_all),
        test(below_the_oldest_snapshot),
        test(cut_files),
        test(flipped_bits),
        test(renamed_file),
        test(header_of_another_file),
        test(overlapping_files),
        test(names_that_cannot_be),
        test(folder_in_place_of_a_file),
        test(lost_times),
        test_empty(growth_page_missing),
        test_empty(base_incomplete),
        test_empty(growth_through_levels),
        test_empty(smaller_and_larger_again),
        test_empty(new_page_size),
        test_empty(checksums_that_do_not_join),
        test(random_damage),
        test(one_level),
        test(progress),
        test(canceled),
        test(files_go_meanwhile),
        test(bad_files_cost_no_listing),
        test(store_fails),
        test(integrity_failed),
        test_empty(last_result),
    };
    return cmocka_run_group_tests_name("restore/verify", tests, NULL, NULL);
}
