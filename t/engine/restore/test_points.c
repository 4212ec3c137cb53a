/*
 * Restore points: the sweep over all of them gives for every TXID of random listings the very plan
 * that the planner makes for it alone; and the windows that are shown. Covers
 * engine/restore/sweep.c and engine/restore/listing.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "engine/restore/points.h"
#include "engine/restore/sweep.h"
#include "t/engine/restore/replica.h"
#include "t/support/tempdir.h"

#define T0 1700000000000
#define FILES_MAX 200
#define TXID_MAX 40

/* ---- listings ---- */

static void list_add(ls_listing *l, int level, ls_txid min, ls_txid max) {
    ls_ltx_info **files = &l->levels[level];
    *files = realloc(*files, (l->counts[level] + 1) * sizeof **files);
    assert_non_null(*files);
    (*files)[l->counts[level]++] = (ls_ltx_info){.level = level,
                                                 .min_txid = min,
                                                 .max_txid = max,
                                                 .size = 200,
                                                 .created_ms = T0 + (int64_t)max * 1000};
    l->n++;
}

/* In the order in which stores list; the same name twice is one file. */
static void list_sort(ls_listing *l) {
    for (int level = 0; level < LS_LISTING_LEVELS; level++) {
        ls_ltx_info *files = l->levels[level];
        size_t n = l->counts[level];
        size_t kept = 0;
        if (n > 1) {
            qsort(files, n, sizeof *files, ls_ltx_info_cmp);
        }
        for (size_t i = 0; i < n; i++) {
            if (kept == 0 || ls_ltx_info_cmp(&files[kept - 1], &files[i]) != 0) {
                files[kept++] = files[i];
            }
        }
        l->counts[level] = kept;
        l->n -= n - kept;
    }
}

static size_t below(uint64_t *seed, size_t n) { return (size_t)(next_random(seed) % n); }

/* Files anywhere, of any length, at a few levels. */
static void list_anything(ls_listing *l, uint64_t *seed) {
    size_t n = 1 + below(seed, 60);
    for (size_t i = 0; i < n; i++) {
        int level = (int)below(seed, 10);
        level = level > 3 && level < 9 ? 0 : level;
        ls_txid min = level == 9 && below(seed, 8) != 0 ? 1 : 1 + below(seed, TXID_MAX);
        ls_txid max = min + below(seed, level == 0 ? 3 : 20);
        list_add(l, level, min, max);
    }
    if (below(seed, 4) == 0) {
        list_add(l, 0, 0, 5); /* names that cannot be */
        list_add(l, 1, 7, 6);
    }
}

/* Levels as compaction makes them, of which retention, or an accident, took files away. */
static void list_levels(ls_listing *l, uint64_t *seed) {
    ls_txid end = 5 + below(seed, TXID_MAX);
    size_t step = 1;
    for (int level = 0; level < 4; level++) {
        ls_txid from = 1 + below(seed, end);
        for (ls_txid min = 1; min + step - 1 <= end; min += step) {
            if (min >= from || below(seed, 3) != 0) {
                list_add(l, level, min, min + step - 1);
            }
        }
        step *= 1 + below(seed, 4);
    }
    for (size_t i = below(seed, 4); i-- > 0;) {
        list_add(l, LS_LTX_LEVEL_SNAPSHOT, 1, 1 + below(seed, end));
    }
    if (below(seed, 3) == 0 && l->counts[0] > 0) { /* a hole */
        ls_ltx_info *files = l->levels[0];
        size_t at = below(seed, l->counts[0]);
        memmove(files + at, files + at + 1, (l->counts[0] - at - 1) * sizeof *files);
        l->counts[0]--;
        l->n--;
    }
}

/* ---- the sweep against the planner ---- */

typedef struct stack {
    ls_ltx_info files[FILES_MAX];
    size_t n;
} stack;

/* The files that a step's plan reads, from the steps before it. */
static size_t plan_of(const stack *s, size_t depth, ls_ltx_info *out) {
    size_t first = depth;
    while (first > 0 && s->files[first].min_txid != 1) {
        first--;
    }
    for (size_t i = first; i <= depth; i++) {
        out[i - first] = s->files[i];
    }
    return depth - first + 1;
}

static void assert_same_plan(const ls_plan *plan, const stack *s, size_t depth, ls_txid txid,
                             uint64_t seed) {
    ls_ltx_info files[FILES_MAX];
    size_t n = plan_of(s, depth, files);
    bool same = n == plan->n;
    for (size_t i = 0; same && i < n; i++) {
        same = ls_ltx_info_cmp(&files[i], &plan->files[i]) == 0;
    }
    if (!same) {
        fail_msg("listing %llu, TXID %llu: another plan", (unsigned long long)seed,
                 (unsigned long long)txid);
    }
}

/* Every TXID, whether a file ends there or not. */
static void compare(const ls_listing *l, uint64_t seed, size_t *reachable) {
    ls_err err = LS_ERR_INIT;
    ls_sweep *sweep;
    must(ls_sweep_new(l, &sweep, &err), &err);
    static stack s;
    memset(&s, 0, sizeof s);
    ls_sweep_step step = {0};
    bool end = false;
    must(ls_sweep_next(sweep, &step, &end, &err), &err);
    for (ls_txid t = 1; t <= 2 * TXID_MAX + 30; t++) {
        ls_plan plan;
        ls_code code = ls_plan_choose(l->levels, l->counts, t, LS_NO_TIMESTAMP, &plan, &err);
        bool stands = !end && step.txid == t && step.reachable;
        if ((code == LS_OK) != stands) {
            fail_msg("listing %llu, TXID %llu: planner %s, sweep %s", (unsigned long long)seed,
                     (unsigned long long)t, ls_code_name(code), stands ? "yes" : "no");
        }
        if (stands) {
            ++*reachable;
            assert_true(step.depth < FILES_MAX);
            s.files[step.depth] = *step.last;
            assert_same_plan(&plan, &s, step.depth, t, seed);
        }
        if (!end && step.txid == t) {
            must(ls_sweep_next(sweep, &step, &end, &err), &err);
        }
        ls_plan_done(&plan);
    }
    assert_true(end);
    ls_sweep_free(sweep);
}

static void every_plan_is_the_planner_s(void **state) {
    (void)state;
    size_t reachable = 0;
    for (uint64_t seed = 1; seed <= 6000; seed++) {
        uint64_t random = seed * 7919;
        ls_listing l = {0};
        if (seed % 2 == 0) {
            list_anything(&l, &random);
        } else {
            list_levels(&l, &random);
        }
        list_sort(&l);
        compare(&l, seed, &reachable);
        ls_listing_done(&l);
    }
    assert_true(reachable > 50000);
}

static void empty_listing(void **state) {
    (void)state;
    ls_listing l = {0};
    size_t reachable = 0;
    compare(&l, 0, &reachable);
    assert_int_equal(reachable, 0);
}

/* A plan for each TXID would read 10^10 entries. */
static void many_files(void **state) {
    (void)state;
    enum { N = 100000 };
    ls_listing l = {0};
    static const size_t steps[] = {1, 30, 300, 3600};
    for (int level = 0; level < 4; level++) {
        size_t n = N / steps[level];
        l.levels[level] = malloc(n * sizeof(ls_ltx_info));
        for (size_t i = 0; i < n; i++) {
            l.levels[level][i] = (ls_ltx_info){.level = level,
                                               .min_txid = i * steps[level] + 1,
                                               .max_txid = (i + 1) * steps[level]};
        }
        l.counts[level] = n;
        l.n += n;
    }
    ls_err err = LS_ERR_INIT;
    ls_sweep *sweep;
    const clock_t before = clock();
    must(ls_sweep_new(&l, &sweep, &err), &err);
    size_t points = 0;
    size_t deepest = 0;
    for (bool end = false; !end;) {
        ls_sweep_step step;
        must(ls_sweep_next(sweep, &step, &end, &err), &err);
        points += !end && step.reachable ? 1 : 0;
        deepest = !end && step.depth > deepest ? step.depth : deepest;
    }
    assert_int_equal(points, N);
    assert_true(deepest < 27 + 12 + 10 + 30 + 4);
    assert_true((double)(clock() - before) / CLOCKS_PER_SEC < 2);
    ls_sweep_free(sweep);
    ls_listing_done(&l);
}

/* ---- windows ---- */

typedef struct place {
    char *dir;
    ls_storage *s;
} place;

static void put(const place *p, int level, ls_txid min, ls_txid max) {
    const ls_ltx_info file = {.level = level, .min_txid = min, .max_txid = max};
    char key[LS_STORAGE_KEY_SIZE];
    char *path = ls_path_join(p->dir, ls_storage_key(&file, key));
    char *folder = ls_path_dir(path);
    ls_err err = LS_ERR_INIT;
    must(ls_mkdirs(folder, &LS_PERM_PRIVATE, &err), &err);
    put_file(path, "x", 1);
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = T0 / 1000 + (time_t)max}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(folder);
    free(path);
}

static void take(const place *p, int level, ls_txid min, ls_txid max) {
    const ls_ltx_info file = {.level = level, .min_txid = min, .max_txid = max};
    ls_err err = LS_ERR_INIT;
    must(ls_storage_remove(p->s, &file, 1, &err), &err);
}

static int setup(void **state) {
    place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    void *dir = NULL;
    assert_int_equal(tempdir_setup(&dir), 0);
    p->dir = dir;
    ls_err err = LS_ERR_INIT;
    must(ls_storage_open_file(p->dir, NULL, &p->s, &err), &err);
    *state = p;
    return 0;
}

static int teardown(void **state) {
    place *p = *state;
    ls_storage_free(p->s);
    void *dir = p->dir;
    free(p);
    return tempdir_teardown(&dir);
}

static ls_points list_points(const place *p) {
    ls_points points;
    ls_err err = LS_ERR_INIT;
    must(ls_points_list(p->s, &points, &err), &err);
    return points;
}

static void assert_window(const ls_points *p, size_t i, int level, ls_txid first, ls_txid last,
                          size_t points, int64_t widest_s) {
    assert_true(i < p->n_windows);
    const ls_window *w = &p->windows[i];
    assert_int_equal(w->level, level);
    assert_int_equal(w->first, first);
    assert_int_equal(w->last, last);
    assert_int_equal(w->first_ms, T0 + (int64_t)first * 1000);
    assert_int_equal(w->last_ms, T0 + (int64_t)last * 1000);
    assert_int_equal(w->points, points);
    assert_int_equal(w->widest_ms, widest_s * 1000);
}

/* Snapshots, then what level 1 still has, then level 0. */
static void put_retained(const place *p) {
    put(p, 9, 1, 10);
    put(p, 9, 1, 25);
    put(p, 9, 1, 52);
    for (ls_txid t = 26; t < 100; t += 5) {
        put(p, 1, t, t + 4);
    }
    for (ls_txid t = 81; t <= 103; t++) {
        put(p, 0, t, t);
    }
}

static void windows_by_granularity(void **state) {
    const place *p = *state;
    put_retained(p);
    ls_points points = list_points(p);
    assert_int_equal(points.n_windows, 3);
    assert_int_equal(points.n_gaps, 0);
    assert_window(&points, 0, 9, 10, 25, 2, 15);
    assert_window(&points, 1, 1, 30, 80, 12, 5); /* the snapshot 52 within */
    assert_window(&points, 2, 0, 81, 103, 23, 1);
    ls_points_done(&points);
}

static void gap_is_named(void **state) {
    const place *p = *state;
    put_retained(p);
    take(p, 1, 41, 45);
    ls_points points = list_points(p);
    assert_int_equal(points.n_gaps, 1); /* bridged by the snapshot 52 */
    assert_int_equal(points.gaps[0].from, 41);
    assert_int_equal(points.gaps[0].to, 50);
    assert_int_equal(points.gaps[0].usable, 40);
    assert_window(&points, 1, 1, 30, 40, 3, 5);
    assert_window(&points, 2, 9, 52, 52, 1, 0);
    assert_window(&points, 3, 1, 55, 80, 6, 5);
    ls_points_done(&points);
    take(p, 0, 101, 101);
    points = list_points(p);
    assert_int_equal(points.n_gaps, 2);
    assert_int_equal(points.gaps[1].from, 101);
    assert_int_equal(points.gaps[1].to, 103);
    assert_int_equal(points.gaps[1].usable, 100);
    ls_points_done(&points);
}

static void what_lies_before_the_first_is_no_gap(void **state) {
    const place *p = *state;
    put_retained(p);
    take(p, 9, 1, 10);
    take(p, 9, 1, 25);
    ls_points points = list_points(p);
    assert_int_equal(points.n_gaps, 0);
    assert_window(&points, 0, 9, 52, 52, 1, 0);
    ls_points_done(&points);
}

static void nothing_restorable(void **state) {
    const place *p = *state;
    ls_points points = list_points(p);
    assert_int_equal(points.n_windows + points.n_gaps, 0);
    ls_points_done(&points);
    put(p, 0, 5, 5);
    put(p, 0, 6, 6);
    points = list_points(p);
    assert_int_equal(points.n_windows, 0);
    assert_int_equal(points.n_gaps, 1);
    assert_int_equal(points.gaps[0].from, 1);
    assert_int_equal(points.gaps[0].to, 6);
    assert_int_equal(points.gaps[0].usable, 0);
    ls_points_done(&points);
}

/* A lower level that begins again within a higher one. */
static void hole_in_a_level_that_a_higher_one_bridges(void **state) {
    const place *p = *state;
    put(p, 1, 1, 10);
    put(p, 1, 11, 20);
    for (ls_txid t = 1; t <= 22; t++) {
        if (t < 14 || t > 16) {
            put(p, 0, t, t);
        }
    }
    ls_points points = list_points(p);
    assert_window(&points, 0, 0, 1, 13, 13, 1);
    assert_window(&points, 1, 0, 20, 22, 3, 1);
    assert_int_equal(points.n_windows, 2);
    assert_int_equal(points.n_gaps, 1);
    assert_int_equal(points.gaps[0].from, 14);
    assert_int_equal(points.gaps[0].to, 19);
    ls_points_done(&points);
}

typedef struct each_check {
    const place *p;
    ls_txid last;
    size_t n;
} each_check;

static ls_code check_point(void *arg, const ls_point *point, ls_err *err) {
    each_check *c = arg;
    assert_true(point->txid > c->last);
    assert_int_equal(point->created_ms, T0 + (int64_t)point->txid * 1000);
    ls_plan plan;
    must(ls_plan_make(c->p->s, point->txid, LS_NO_TIMESTAMP, &plan, err), err);
    ls_plan_done(&plan);
    c->last = point->txid;
    c->n++;
    return c->n == 30 ? ls_fail(err, LS_ECANCELED, "enough") : LS_OK;
}

static void each_point_is_given(void **state) {
    const place *p = *state;
    put_retained(p);
    each_check c = {.p = p};
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_points_each(p->s, check_point, &c, &err), LS_ECANCELED);
    assert_int_equal(c.n, 30);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_plan_is_the_planner_s),
        cmocka_unit_test(empty_listing),
        cmocka_unit_test(many_files),
        test(windows_by_granularity),
        test(gap_is_named),
        test(what_lies_before_the_first_is_no_gap),
        test(nothing_restorable),
        test(hole_in_a_level_that_a_higher_one_bridges),
        test(each_point_is_given),
    };
    return cmocka_run_group_tests_name("restore/points", tests, NULL, NULL);
}
