/* The choice of files for a restore. Listings and plans are text: LEVEL:MIN-MAX@TIME. */
#include "engine/restore/restore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEVELS 10
#define FILES_MAX 64

typedef struct listing {
    ls_ltx_info files[LEVELS][FILES_MAX];
    ls_ltx_info *levels[LEVELS];
    size_t counts[LEVELS];
} listing;

/* Sorts as a store does. Size is 1000 times the level plus the TXIDs held. */
static listing *parse(const char *text) {
    listing *l = calloc(1, sizeof *l);
    assert_non_null(l);
    for (const char *p = text; *p != '\0';) {
        int level;
        int n;
        unsigned long long min;
        unsigned long long max;
        long long at;
        assert_int_equal(sscanf(p, "%d:%llu-%llu@%lld%n", &level, &min, &max, &at, &n), 4);
        assert_true(level >= 0 && level < LEVELS && l->counts[level] < FILES_MAX);
        l->files[level][l->counts[level]++] =
            (ls_ltx_info){.level = level,
                          .min_txid = min,
                          .max_txid = max,
                          .size = (uint64_t)level * 1000 + (max - min + 1),
                          .created_ms = at};
        p += n;
        p += strspn(p, " ");
    }
    for (int i = 0; i < LEVELS; i++) {
        l->levels[i] = l->files[i];
        qsort(l->files[i], l->counts[i], sizeof(ls_ltx_info), ls_ltx_info_cmp);
    }
    return l;
}

static ls_code choose(const char *files, ls_txid txid, int64_t at, char *plan_text, size_t size,
                      ls_err *err) {
    listing *l = parse(files);
    ls_plan plan;
    ls_code code = ls_plan_choose(l->levels, l->counts, txid, at, &plan, err);
    plan_text[0] = '\0';
    uint64_t bytes = 0;
    for (size_t i = 0; i < plan.n; i++) {
        const ls_ltx_info *f = &plan.files[i];
        size_t len = strlen(plan_text);
        (void)snprintf(plan_text + len, size - len, "%s%d:%llu-%llu", i > 0 ? " " : "", f->level,
                       (unsigned long long)f->min_txid, (unsigned long long)f->max_txid);
        bytes += f->size;
    }
    assert_int_equal(plan.bytes, bytes);
    if (code != LS_OK) {
        assert_int_equal(plan.n, 0);
        assert_null(plan.files);
    }
    ls_plan_done(&plan);
    free(l);
    return code;
}

static void assert_plan(const char *files, ls_txid txid, int64_t at, const char *expected) {
    char text[1024];
    ls_err err = LS_ERR_INIT;
    if (choose(files, txid, at, text, sizeof text, &err) != LS_OK) {
        fail_msg("%s: %s", files, err.msg);
    }
    assert_string_equal(text, expected);
}

static void latest(const char *files, const char *expected) {
    assert_plan(files, 0, LS_NO_TIMESTAMP, expected);
}

static void assert_refused(const char *files, ls_txid txid, int64_t at, ls_code code,
                           const char *msg, const char *hint) {
    char text[1024];
    ls_err err = LS_ERR_INIT;
    ls_code got = choose(files, txid, at, text, sizeof text, &err);
    if (got != code) {
        fail_msg("%s: got %s \"%s\" %s", files, ls_code_name(got), err.msg, text);
    }
    if (strstr(err.msg, msg) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", msg, err.msg);
    }
    if (strstr(ls_err_hint(&err), hint) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", hint, ls_err_hint(&err));
    }
}

#define NONE "no matching backup files available"

static void nothing_there(void **state) {
    (void)state;
    assert_refused("", 0, LS_NO_TIMESTAMP, LS_ENOBACKUP, NONE, "litestream ltx");
    assert_refused("", 1, LS_NO_TIMESTAMP, LS_ENOBACKUP, NONE, "");
    assert_refused("", 0, 100, LS_ENOBACKUP, NONE, "");
    assert_refused("0:1-1@1", 1, 100, LS_EINVALID,
                   "cannot specify both TXID & timestamp to restore", "one of the two");
}

static void level_0_alone(void **state) {
    (void)state;
    latest("0:1-1@1", "0:1-1");
    latest("0:1-1@1 0:2-2@2 0:3-3@3", "0:1-1 0:2-2 0:3-3");
    assert_plan("0:1-1@1 0:2-2@2 0:3-3@3", 2, LS_NO_TIMESTAMP, "0:1-1 0:2-2");
    assert_plan("0:1-1@1 0:2-2@2 0:3-3@3", 0, 3, "0:1-1 0:2-2");
    assert_plan("0:1-1@1 0:2-2@2 0:3-3@3", 0, 4, "0:1-1 0:2-2 0:3-3");
}

static void newest_snapshot_first(void **state) {
    (void)state;
    const char *files = "9:1-3@3 9:1-6@6 9:1-9@9 0:1-1@1 0:2-2@2 0:3-3@3 0:4-4@4 0:5-5@5 "
                        "0:6-6@6 0:7-7@7 0:8-8@8 0:9-9@9 0:10-10@10";
    latest(files, "9:1-9 0:10-10");
    assert_plan(files, 9, LS_NO_TIMESTAMP, "9:1-9");
    assert_plan(files, 8, LS_NO_TIMESTAMP, "9:1-6 0:7-7 0:8-8");
    assert_plan(files, 6, LS_NO_TIMESTAMP, "9:1-6");
    assert_plan(files, 2, LS_NO_TIMESTAMP, "0:1-1 0:2-2");
    assert_plan(files, 0, 9, "9:1-6 0:7-7 0:8-8");
    assert_plan(files, 0, 6, "9:1-3 0:4-4 0:5-5");
    assert_plan(files, 0, 3, "0:1-1 0:2-2");
}

/* A snapshot is made later than the file of its TXID: by time it may not count although that does.
 */
static void snapshot_younger_than_its_data(void **state) {
    (void)state;
    assert_plan("9:1-2@9 0:1-1@1 0:2-2@2 0:3-3@10", 0, 5, "0:1-1 0:2-2");
    assert_plan("9:1-2@9 0:1-1@1 0:2-2@2 0:3-3@10", 0, 10, "9:1-2");
}

static void higher_levels_are_shorter(void **state) {
    (void)state;
    const char *files = "9:1-2@2 3:1-12@12 2:3-8@8 2:9-12@12 1:3-5@5 1:6-8@8 1:9-10@10 1:11-12@12 "
                        "0:11-11@11 0:12-12@12 0:13-13@13";
    latest(files, "3:1-12 0:13-13"); /* a base: the snapshot adds nothing */
    assert_plan(files, 11, LS_NO_TIMESTAMP, "9:1-2 2:3-8 1:9-10 0:11-11");
    assert_plan(files, 8, LS_NO_TIMESTAMP, "9:1-2 2:3-8");
    assert_plan(files, 5, LS_NO_TIMESTAMP, "9:1-2 1:3-5");
    assert_plan(files, 0, 12, "9:1-2 2:3-8 1:9-10 0:11-11");
}

static void ties(void **state) {
    (void)state;
    /* same end: smaller MinTXID, then higher level */
    latest("9:1-3@3 1:4-8@8 2:2-8@8", "9:1-3 2:2-8");
    latest("9:1-3@3 1:2-8@8 2:4-8@8", "9:1-3 1:2-8");
    latest("9:1-3@3 1:4-8@8 2:4-8@8 3:4-8@8", "9:1-3 3:4-8");
    /* further end wins whatever the level */
    latest("9:1-3@3 3:4-8@8 0:4-9@9", "9:1-3 0:4-9");
}

static void overlaps(void **state) {
    (void)state;
    latest("9:1-5@5 1:2-7@7 1:4-9@9 1:8-12@12", "9:1-5 1:4-9 1:8-12");
    latest("1:1-4@4 1:1-6@6 1:3-5@5 1:7-7@7", "1:1-6 1:7-7");
    latest("2:1-10@10 0:2-2@2 0:3-3@3 0:11-11@11", "2:1-10 0:11-11");
    /* the candidate of an earlier round stays good, one that was passed does not */
    latest("9:1-2@2 1:3-6@6 2:3-5@5 0:3-3@3 0:4-4@4 1:7-8@8", "9:1-2 1:3-6 1:7-8");
    latest("9:1-1@1 0:2-4@4 1:2-9@9 2:10-11@11", "9:1-1 1:2-9 2:10-11");
}

static void base_inside_the_plan(void **state) {
    (void)state;
    latest("9:1-3@3 3:1-8@8 0:9-9@9", "3:1-8 0:9-9");
    latest("9:1-9@9 3:1-8@8 0:9-9@9", "9:1-9");
    assert_plan("9:1-3@3 3:1-8@8", 3, LS_NO_TIMESTAMP, "9:1-3");
}

static void txid_between_boundaries(void **state) {
    (void)state;
    const char *files = "9:1-3@3 1:4-10@10 1:11-20@20 0:18-18@18 0:19-19@19 0:20-20@20";
    assert_refused(files, 5, LS_NO_TIMESTAMP, LS_ENOBACKUP, NONE,
                   "-txid 0000000000000003 and -txid 000000000000000a");
    assert_refused(files, 15, LS_NO_TIMESTAMP, LS_ENOBACKUP, NONE,
                   "-txid 000000000000000a and -txid 0000000000000014");
    assert_refused(files, 18, LS_NO_TIMESTAMP, LS_ENOBACKUP, NONE,
                   "-txid 000000000000000a and -txid 0000000000000014");
    assert_refused(files, 21, LS_NO_TIMESTAMP, LS_ENOBACKUP, NONE,
                   "the newest TXID there is 0000000000000014, of 1970-01-01T00:00:00.020Z");
    assert_refused(files, 2, LS_NO_TIMESTAMP, LS_ENOBACKUP, NONE,
                   "the oldest restorable TXID is 0000000000000003");
    assert_plan(files, 10, LS_NO_TIMESTAMP, "9:1-3 1:4-10");
    assert_plan(files, 20, LS_NO_TIMESTAMP, "9:1-3 1:4-10 1:11-20");
    assert_plan(files, 3, LS_NO_TIMESTAMP, "9:1-3");
}

/* The reference says nothing of a gap by TXID and by time. */
static void gaps(void **state) {
    (void)state;
    const char *text = "non-contiguous ltx files: have up to 0000000000000003 but next file starts "
                       "at 0000000000000006: TXIDs 0000000000000004 to 0000000000000005 are "
                       "missing, ltx/0/0000000000000004-0000000000000004.ltx first";
    const char *hint = "-txid 0000000000000003, the state of 1970-01-01T00:00:00.003Z";
    const char *files = "9:1-3@3 0:2-2@2 0:3-3@3 0:6-6@6 0:7-7@7";
    assert_refused(files, 0, LS_NO_TIMESTAMP, LS_EGAP, text, hint);
    assert_refused(files, 7, LS_NO_TIMESTAMP, LS_EGAP, text, hint);
    assert_refused(files, 6, LS_NO_TIMESTAMP, LS_EGAP, text, hint);
    assert_refused(files, 0, 8, LS_EGAP, text, hint);
    assert_refused(files, 0, 7, LS_EGAP, text, hint);
    /* what lies before it can be had */
    assert_plan(files, 3, LS_NO_TIMESTAMP, "9:1-3");
    assert_plan(files, 0, 6, "9:1-3");
    assert_refused(files, 4, LS_NO_TIMESTAMP, LS_ENOBACKUP, NONE, "0000000000000003");
    /* the gap may be at any level; another level closes it */
    assert_refused("9:1-3@3 2:6-9@9", 0, LS_NO_TIMESTAMP, LS_EGAP, text, hint);
    latest("9:1-3@3 2:6-9@9 1:3-5@5", "9:1-3 1:3-5 2:6-9");
    latest("9:1-3@3 0:6-6@6 1:4-6@6", "9:1-3 1:4-6");
}

static void no_start(void **state) {
    (void)state;
    const char *text = "have up to 0000000000000000 but next file starts at 0000000000000004: "
                       "TXIDs 0000000000000001 to 0000000000000003 are missing";
    const char *hint = "neither a snapshot nor a file that starts at TXID 1";
    assert_refused("0:4-4@4 0:5-5@5", 0, LS_NO_TIMESTAMP, LS_EGAP, text, hint);
    assert_refused("0:4-4@4 0:5-5@5", 5, LS_NO_TIMESTAMP, LS_EGAP, text, hint);
    assert_refused("0:4-4@4 0:5-5@5", 0, 9, LS_EGAP, text, hint);
    assert_refused("0:4-4@4 0:5-5@5", 0, 4, LS_ENOBACKUP, NONE, "");
    assert_refused("0:4-4@4 0:5-5@5", 3, LS_NO_TIMESTAMP, LS_ENOBACKUP, NONE, "");
}

/* By time, what joins but is too new is no gap: the answer is the restore point before it. */
static void too_new_is_no_gap(void **state) {
    (void)state;
    /* level 0 was deleted up to 5 once 1:4-10 held it */
    const char *files = "9:1-3@3 1:4-10@10 0:6-6@6 0:7-7@7 0:8-8@8 0:9-9@9 0:10-10@10";
    assert_plan(files, 0, 8, "9:1-3");
    assert_plan(files, 0, 11, "9:1-3 1:4-10");
    /* a younger snapshot that holds the TXIDs does not close a gap in the chain */
    assert_refused("9:1-3@3 9:1-9@10 0:6-6@6 0:7-7@7", 0, 8, LS_EGAP, "TXIDs 0000000000000004", "");
    /* but before the first snapshot there is nothing to be had, and that is the answer */
    assert_refused("9:1-9@1700000000000 0:6-6@6 0:7-7@7", 0, 8, LS_ENOBACKUP, NONE,
                   "the oldest restore point is of 2023-11-14T22:13:20.000Z");
}

/* A clock that went back: files behind the too new one are not reached, and none is missing. */
static void clock_went_back(void **state) {
    (void)state;
    assert_plan("0:1-1@1 0:2-2@9 0:3-3@3 0:4-4@4", 0, 5, "0:1-1");
    assert_plan("0:1-1@1 0:2-2@9 0:3-3@3 0:4-4@4", 0, 10, "0:1-1 0:2-2 0:3-3 0:4-4");
    /* a gap behind files that are too new is not this restore's */
    assert_plan("0:1-1@1 0:2-2@2 0:5-5@9", 0, 3, "0:1-1 0:2-2");
}

static void strictly_before(void **state) {
    (void)state;
    const char *files = "9:1-2@100 0:3-3@200 0:4-4@300";
    assert_refused(files, 0, 100, LS_ENOBACKUP, NONE, "the oldest restore point is of 1970-01-01");
    assert_plan(files, 0, 101, "9:1-2");
    assert_plan(files, 0, 200, "9:1-2");
    assert_plan(files, 0, 201, "9:1-2 0:3-3");
    assert_plan(files, 0, INT64_MAX, "9:1-2 0:3-3 0:4-4");
    assert_refused(files, 0, INT64_MIN + 1, LS_ENOBACKUP, NONE, "");
    assert_plan("0:1-1@-5 0:2-2@7", 0, 0, "0:1-1"); /* before 1970 */
}

static void names_of_no_file(void **state) {
    (void)state;
    latest("9:1-3@3 0:0-0@1 0:0-9@1 0:8-4@1", "9:1-3");
    latest("9:2-9@9 9:1-3@3", "9:1-3"); /* not from TXID 1: no snapshot */
}

static void largest_txids(void **state) {
    (void)state;
    const ls_txid most = UINT64_MAX;
    const char *files = "9:1-18446744073709551614@1 0:18446744073709551615-18446744073709551615@2";
    latest(files, "9:1-18446744073709551614 0:18446744073709551615-18446744073709551615");
    assert_plan(files, most, LS_NO_TIMESTAMP,
                "9:1-18446744073709551614 0:18446744073709551615-18446744073709551615");
    assert_plan(files, most - 1, LS_NO_TIMESTAMP, "9:1-18446744073709551614");
}

/* ---- against a plain search ---- */

static uint64_t next_random(uint64_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 7;
    *x ^= *x << 17;
    return *x;
}

/* How far a chain from TXID 1 gets with files that fit: the definition, without any order. */
static ls_txid reach(const listing *l, ls_txid txid, int64_t at) {
    ls_txid cur = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int level = 0; level < LEVELS; level++) {
            for (size_t i = 0; i < l->counts[level]; i++) {
                const ls_ltx_info *f = &l->files[level][i];
                if (f->min_txid <= cur + 1 && f->max_txid > cur &&
                    (txid == 0 || f->max_txid <= txid) &&
                    (at == LS_NO_TIMESTAMP || f->created_ms < at)) {
                    cur = f->max_txid;
                    moved = true;
                }
            }
        }
    }
    return cur;
}

static void check_plan(const listing *l, ls_txid txid, int64_t at) {
    ls_err err = LS_ERR_INIT;
    ls_plan plan;
    ls_code code = ls_plan_choose(l->levels, l->counts, txid, at, &plan, &err);
    ls_txid far = reach(l, txid, at);
    if (code == LS_OK) {
        assert_int_equal(plan.files[plan.n - 1].max_txid, far);
        assert_int_equal(plan.files[0].min_txid, 1);
        for (size_t i = 1; i < plan.n; i++) {
            assert_true(plan.files[i].min_txid <= plan.files[i - 1].max_txid + 1);
            assert_true(plan.files[i].max_txid > plan.files[i - 1].max_txid);
            assert_true(plan.files[i].min_txid > 1);
        }
        assert_true(txid == 0 || far == txid);
    } else if (code == LS_ENOBACKUP) {
        assert_true(txid != 0 ? far != txid : far == 0);
    } else {
        assert_int_equal(code, LS_EGAP);
        assert_true(txid == 0 || far != txid);
    }
    ls_plan_done(&plan);
}

static void random_listings(void **state) {
    (void)state;
    uint64_t x = 88172645463325252u;
    for (int round = 0; round < 3000; round++) {
        listing *l = calloc(1, sizeof *l);
        assert_non_null(l);
        size_t n = 1 + next_random(&x) % 30;
        for (size_t i = 0; i < n; i++) {
            uint64_t r = next_random(&x);
            int level = r % 3 == 0 ? 9 : (int)(r / 3 % 4);
            ls_txid min = level == 9 ? 1 : 1 + r / 16 % 20;
            ls_txid max = min + (level == 0 ? 0 : r / 512 % 8);
            l->files[level][l->counts[level]++] = (ls_ltx_info){.level = level,
                                                                .min_txid = min,
                                                                .max_txid = max,
                                                                .size = 200,
                                                                .created_ms = (int64_t)max};
        }
        for (int level = 0; level < LEVELS; level++) {
            l->levels[level] = l->files[level];
            qsort(l->files[level], l->counts[level], sizeof(ls_ltx_info), ls_ltx_info_cmp);
        }
        check_plan(l, 0, LS_NO_TIMESTAMP);
        for (ls_txid t = 1; t <= 28; t++) {
            check_plan(l, t, LS_NO_TIMESTAMP);
            check_plan(l, 0, (int64_t)t);
        }
        free(l);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_there),
        cmocka_unit_test(level_0_alone),
        cmocka_unit_test(newest_snapshot_first),
        cmocka_unit_test(snapshot_younger_than_its_data),
        cmocka_unit_test(higher_levels_are_shorter),
        cmocka_unit_test(ties),
        cmocka_unit_test(overlaps),
        cmocka_unit_test(base_inside_the_plan),
        cmocka_unit_test(txid_between_boundaries),
        cmocka_unit_test(gaps),
        cmocka_unit_test(no_start),
        cmocka_unit_test(too_new_is_no_gap),
        cmocka_unit_test(clock_went_back),
        cmocka_unit_test(strictly_before),
        cmocka_unit_test(names_of_no_file),
        cmocka_unit_test(largest_txids),
        cmocka_unit_test(random_listings),
    };
    return cmocka_run_group_tests_name("restore/plan", tests, NULL, NULL);
}
