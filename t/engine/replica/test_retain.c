/* Retention of snapshots, levels and level 0; also retain_common.c and retain_l0.c, its parts. */
#include "engine/replica/retain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "t/engine/replica/levels.h"

/* Time of a TXID in chains. */
static int64_t time_of(ls_txid txid) { return 1700000000000 + (int64_t)txid * 1000; }

/* Everything of before TXID keep is too old. */
static ls_code retain(ls_storage *s, ls_txid keep, ls_retain_result *res, ls_err *err) {
    const ls_retain_policy policy = {.snapshot_retention_ms = 60000, .remote = true};
    ls_err_clear(err);
    return ls_retain_snapshots(s, &policy, time_of(keep) + 60000, NULL, res, err);
}

static ls_code retain_l0(ls_storage *s, const char *local_root, ls_txid keep, bool remote,
                         ls_retain_result *res, ls_err *err) {
    const ls_retain_policy policy = {
        .l0_retention_ms = 60000, .remote = remote, .local_root = local_root};
    ls_err_clear(err);
    return ls_retain_l0(s, &policy, time_of(keep) + 59999, NULL, res, err);
}

/* ---- what TXIDs show ---- */

typedef struct images {
    uint8_t *at[48];
    size_t sizes[48];
} images;

static void keep_image(images *all, const chain *c) {
    assert_in_range(c->txid, 1, 47);
    all->sizes[c->txid] = (size_t)c->commit * c->page_size;
    all->at[c->txid] = malloc(all->sizes[c->txid]);
    assert_non_null(all->at[c->txid]);
    memcpy(all->at[c->txid], c->image, all->sizes[c->txid]);
}

static void images_done(images *all) {
    for (size_t i = 0; i < sizeof all->at / sizeof *all->at; i++) {
        free(all->at[i]);
    }
}

/* A restore to that time is one to the TXID. */
static void assert_restores_moment(ls_storage *s, int64_t ms, const images *all, ls_txid txid) {
    ls_err err = LS_ERR_INIT;
    ls_plan plan;
    must(ls_plan_make(s, 0, ms, &plan, &err), &err);
    assert_int_equal(plan.files[plan.n - 1].max_txid, txid);
    ls_plan_done(&plan);
    assert_restores(s, txid, all->at[txid], all->sizes[txid]);
}

/* Gives a file the time of another TXID. */
static void set_time(const chain *c, int level, ls_txid min, ls_txid max, ls_txid as) {
    char *path = chain_path(c, &(ls_ltx_info){.level = level, .min_txid = min, .max_txid = max});
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
                                      {.tv_sec = time_of(as) / 1000, .tv_nsec = 0}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(path);
}

/* ---- snapshots and levels ---- */

/* n times: two files of level 0, level 1, a snapshot after each second of these. */
static void make_days(chain *c, int n) {
    for (int i = 1; i <= n; i++) {
        chain_steps(c, 2);
        (void)compact_to(c->s, 1);
        if (i % 2 == 0) {
            (void)compact_to(c->s, 2);
            chain_snapshot(c, 9, 1);
        }
    }
}

static void snapshots_and_the_files_below(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    make_days(&c, 8);
    assert_level(c.s, 9, "1-4 1-8 1-c 1-10");
    assert_level(c.s, 2, "1-4 5-8 9-c d-10");
    must(retain(c.s, 13, &res, &err), &err); /* c is the newest that is too old */
    assert_level(c.s, 9, "1-c 1-10");
    assert_level(c.s, 2, "5-8 9-c d-10"); /* those that end before 8 go */
    assert_level(c.s, 1, "7-8 9-a b-c d-e f-10");
    assert_int_equal(res.deleted[9], 2);
    assert_int_equal(res.deleted[2], 1);
    assert_int_equal(res.deleted[1], 3);
    assert_int_equal(res.deleted[0], 0);
    assert_true(res.bytes > 0);
    assert_restores_chain(&c);
    must(retain(c.s, 13, &res, &err), &err); /* none goes now: nothing does */
    assert_int_equal(res.deleted[9] + res.deleted[2] + res.deleted[1], 0);
    chain_done(&c);
}

/* Of the defaults: a snapshot comes whenever the one before it gets too old. */
static void each_moment_within_the_retention_restores(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    images all = {0};
    chain_init(&c, *state, "replica", 512);
    for (ls_txid day = 1; day <= 5; day++) {
        for (ls_txid i = 0; i < 8; i++) {
            chain_steps(&c, 1);
            keep_image(&all, &c);
            (void)compact_to(c.s, 1);
        }
        chain_snapshot(&c, 9, 1);
        must(retain_l0(c.s, NULL, 1000, true, &res, &err), &err);
        const ls_txid cutoff = c.txid - 8 + 1;
        must(retain(c.s, cutoff, &res, &err), &err);
        for (ls_txid t = day == 1 ? 1 : cutoff - 1; t <= c.txid; t++) {
            assert_restores_moment(c.s, time_of(t) + 1, &all, t);
        }
    }
    assert_level(c.s, 9, "1-20 1-28");
    images_done(&all);
    chain_done(&c);
}

/* The moment of the cutoff is still promised, and a restore to it takes what is older. */
static void the_moment_of_the_cutoff_restores(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    images all = {0};
    chain_init(&c, *state, "replica", 4096);
    for (int i = 0; i < 3; i++) {
        chain_steps(&c, 1);
        keep_image(&all, &c);
        chain_snapshot(&c, 9, 1);
    }
    must(retain(c.s, 3, &res, &err), &err);
    assert_level(c.s, 9, "1-2 1-3");
    assert_restores_moment(c.s, time_of(3), &all, 2);
    images_done(&all);
    chain_done(&c);
}

/* Level 0 of the last minutes hangs at the snapshot before the newest. */
static void level_0_keeps_its_base(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    images all = {0};
    chain_init(&c, *state, "replica", 512);
    for (int i = 1; i <= 12; i++) {
        chain_steps(&c, 1);
        keep_image(&all, &c);
        if (i % 4 == 0) {
            (void)compact_to(c.s, 1);
            chain_snapshot(&c, 9, 1);
        }
    }
    must(retain_l0(c.s, NULL, 9, true, &res, &err), &err);
    assert_level(c.s, 0, "9-9 a-a b-b c-c");
    must(retain(c.s, 9, &res, &err), &err);
    assert_level(c.s, 9, "1-8 1-c");
    for (ls_txid t = 8; t <= 12; t++) {
        assert_restores(c.s, t, all.at[t], all.sizes[t]);
    }
    images_done(&all);
    chain_done(&c);
}

static void none_is_too_old(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    make_days(&c, 6);
    must(retain(c.s, 4, &res, &err), &err); /* 4 is not older than itself */
    assert_level(c.s, 9, "1-4 1-8 1-c");
    must(retain(c.s, 5, &res, &err), &err); /* nor is there one older than 4 */
    must(retain(c.s, 8, &res, &err), &err);
    assert_level(c.s, 9, "1-4 1-8 1-c");
    assert_level(c.s, 1, "1-2 3-4 5-6 7-8 9-a b-c");
    assert_int_equal(res.deleted[9] + res.deleted[2] + res.deleted[1], 0);
    chain_done(&c);
}

/* A copy lost the time of 4: it stays, and what is behind it, while what goes is no base. */
static void times_out_of_order(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    make_days(&c, 10);
    set_time(&c, 9, 1, 4, 1000);
    must(retain(c.s, 17, &res, &err), &err);
    assert_level(c.s, 9, "1-4 1-10 1-14");
    assert_level(c.s, 2, "1-4 5-8 9-c d-10 11-14"); /* no snapshot before 4 went */
    assert_restores_chain(&c);
    must(retain(c.s, 1001, &res, &err), &err);
    assert_level(c.s, 9, "1-14");
    assert_level(c.s, 2, "d-10 11-14");
    assert_restores_chain(&c);
    chain_done(&c);
}

static void the_newest_snapshot_stays(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    make_days(&c, 4);
    must(retain(c.s, 1000, &res, &err), &err);
    assert_level(c.s, 9, "1-8");
    assert_level(c.s, 1, "3-4 5-6 7-8");
    assert_level(c.s, 2, "1-4 5-8");
    must(retain(c.s, 1000, &res, &err), &err);
    assert_level(c.s, 9, "1-8");
    assert_restores_chain(&c);
    chain_done(&c);
}

static void the_newest_file_of_a_level_stays(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    make_days(&c, 2); /* level 2: 1-4 */
    (void)compact_to(c.s, 3);
    for (int i = 0; i < 3; i++) {
        chain_steps(&c, 4);
        (void)compact_to(c.s, 1);
        chain_snapshot(&c, 9, 1);
    }
    must(retain(c.s, 17, &res, &err), &err); /* all are too old */
    assert_level(c.s, 9, "1-10");
    assert_level(c.s, 1, "9-c d-10");
    assert_level(c.s, 2, "1-4");
    assert_level(c.s, 3, "1-4");
    assert_restores_chain(&c);
    chain_done(&c);
}

static void without_snapshots_nothing_goes(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    must(retain(c.s, 1000, &res, &err), &err);
    chain_steps(&c, 3);
    (void)compact_to(c.s, 1);
    must(retain(c.s, 1000, &res, &err), &err);
    assert_level(c.s, 1, "1-3");
    chain_done(&c);
}

static void retention_that_is_off(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    make_days(&c, 4);
    const ls_retain_policy policy = {.snapshot_retention_ms = 1, .l0_retention_ms = 1};
    must(ls_retain_snapshots(c.s, &policy, time_of(1000), NULL, &res, &err), &err);
    must(ls_retain_l0(c.s, &policy, time_of(1000), NULL, &res, &err), &err);
    assert_level(c.s, 9, "1-4 1-8");
    assert_level(c.s, 1, "1-2 3-4 5-6 7-8");
    assert_level(c.s, 0, "1-1 2-2 3-3 4-4 5-5 6-6 7-7 8-8");
    const ls_retain_policy zero = {.remote = true};
    assert_int_equal(ls_retain_snapshots(c.s, &zero, time_of(1000), NULL, &res, &err), LS_EINVALID);
    must(ls_retain_l0(c.s, &zero, time_of(1000), NULL, &res, &err), &err);
    assert_level(c.s, 0, "1-1 2-2 3-3 4-4 5-5 6-6 7-7 8-8");
    chain_done(&c);
}

/* ---- nothing is deleted that is needed ---- */

static void a_hole_stops_retention(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    make_days(&c, 5); /* snapshots 1-4 1-8; files to a */
    for (ls_txid t = 9; t <= 10; t++) {
        lose(c.s, 0, t, t);
    }
    lose(c.s, 1, 9, 10);
    chain_steps(&c, 2);                                    /* b and c hang in the air */
    assert_int_equal(retain(c.s, 9, &res, &err), LS_EGAP); /* 1-4 would go */
    assert_non_null(
        strstr(err.msg, "nothing is deleted: TXID 000000000000000c could not be restored"));
    assert_level(c.s, 9, "1-4 1-8");
    assert_level(c.s, 1, "1-2 3-4 5-6 7-8");
    assert_int_equal(res.deleted[9] + res.deleted[1], 0);
    chain_snapshot(&c, 9, 1); /* 1-c heals it */
    must(retain(c.s, 9, &res, &err), &err);
    assert_level(c.s, 9, "1-8 1-c");
    chain_done(&c);
}

/* The same with more files than are held in memory would need tens of thousands: the listing is
 * read anew in the simulation, and here its outcome is what counts. */
static void every_kept_point_restores(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    images all = {0};
    chain_init(&c, *state, "replica", 512);
    for (int i = 1; i <= 12; i++) {
        chain_steps(&c, 3);
        (void)compact_to(c.s, 1);
        if (i % 2 == 0) {
            (void)compact_to(c.s, 2);
        }
        if (i % 3 == 0) {
            chain_snapshot(&c, 9, 1);
        }
        keep_image(&all, &c);
    }
    must(retain_l0(c.s, NULL, 1000, true, &res, &err), &err);
    must(retain(c.s, 19, &res, &err), &err);
    assert_level(c.s, 9, "1-12 1-1b 1-24");
    for (ls_txid t = 18; t <= 36; t += 3) {
        assert_restores(c.s, t, all.at[t], all.sizes[t]);
    }
    images_done(&all);
    chain_done(&c);
}

/* ---- level 0 ---- */

/* n files of level 0 and one of level 1 that holds them. */
static void compacted_steps(chain *c, int n) {
    chain_steps(c, n);
    (void)compact_to(c->s, 1);
}

/* What is too old goes up to the end of a file of level 1 only: without the level-0 file of 4 no
 * plan leads to 7, which is inside of 4-9. */
static void level_0_by_time(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    compacted_steps(&c, 3);
    chain_steps(&c, 3);
    must(retain_l0(c.s, NULL, 1000, true, &res, &err), &err);
    assert_level(c.s, 0, "4-4 5-5 6-6"); /* not compacted */
    assert_int_equal(res.deleted[0], 3);
    assert_int_equal(res.l0_not_compacted, 3);
    compacted_steps(&c, 3); /* 4-9 */
    must(retain_l0(c.s, NULL, 7, true, &res, &err), &err);
    assert_level(c.s, 0, "4-4 5-5 6-6 7-7 8-8 9-9");
    assert_int_equal(res.deleted[0], 0);
    assert_int_equal(res.l0_too_recent, 3);
    assert_int_equal(res.l0_not_compacted, 0);
    chain_steps(&c, 3);
    must(retain_l0(c.s, NULL, 10, true, &res, &err), &err);
    assert_level(c.s, 0, "a-a b-b c-c");
    assert_int_equal(res.deleted[0], 6);
    assert_int_equal(res.l0_too_recent, 3);
    (void)compact_to(c.s, 1);
    must(retain_l0(c.s, NULL, 1000, true, &res, &err), &err);
    assert_level(c.s, 0, "c-c"); /* never the newest, to whose end level 1 leads too */
    assert_restores_chain(&c);
    chain_done(&c);
}

static void level_0_goes_from_the_oldest_on(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    compacted_steps(&c, 2);
    compacted_steps(&c, 4);
    set_time(&c, 0, 3, 3, 900);
    must(retain_l0(c.s, NULL, 500, true, &res, &err), &err);
    assert_level(c.s, 0, "3-3 4-4 5-5 6-6"); /* 3 is too recent: no hole behind it */
    chain_done(&c);
}

/* Level 1 went on behind a snapshot: what is in its hole is never compacted. */
static void level_0_in_a_hole_of_level_1(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    chain_steps(&c, 3);
    (void)compact_to(c.s, 1);
    chain_steps(&c, 4); /* 4..7 */
    lose(c.s, 0, 4, 4);
    chain_snapshot(&c, 9, 1); /* 1-7 */
    chain_steps(&c, 2);
    (void)compact_to(c.s, 1);
    assert_level(c.s, 1, "1-3 8-9");
    must(retain_l0(c.s, NULL, 1000, true, &res, &err), &err);
    assert_level(c.s, 0, "9-9");
    assert_restores_chain(&c);
    chain_done(&c);
}

/* ---- local files ---- */

static void add_local(const char *root, ls_txid from, ls_txid to) {
    for (ls_txid t = from; t <= to; t++) {
        char name[LS_LTX_NAME_SIZE];
        char *path = ls_asprintf("%s/0/%s", root, ls_ltx_name_format(t, t, name));
        put_file(path, "x", 1);
        free(path);
    }
}

static void assert_local(void **state, const char *expected) {
    char *meta = tempdir_path(state, "meta");
    ls_storage *s;
    ls_err err = LS_ERR_INIT;
    must(ls_storage_open_file(meta, NULL, &s, &err), &err);
    assert_level(s, 0, expected);
    ls_storage_free(s);
    free(meta);
}

static void local_files_go_too(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    char *root = make_local_root(state);
    compacted_steps(&c, 2);
    compacted_steps(&c, 4);
    add_local(root, 1, 6);
    must(retain_l0(c.s, root, 4, true, &res, &err), &err); /* 3-6 is one file of level 1 */
    assert_local(state, "3-3 4-4 5-5 6-6");
    assert_int_equal(res.local_deleted, 2);
    must(retain_l0(c.s, root, 1000, true, &res, &err), &err);
    assert_level(c.s, 0, "6-6");
    assert_local(state, "6-6"); /* the position */
    free(root);
    chain_done(&c);
}

/* The local file of the store's newest proves the lineage at the next start. */
static void what_is_not_uploaded_stays(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    char *root = make_local_root(state);
    chain_steps(&c, 4);
    (void)compact_to(c.s, 1);
    add_local(root, 1, 7);
    must(retain_l0(c.s, root, 1000, true, &res, &err), &err);
    assert_level(c.s, 0, "4-4");
    assert_local(state, "4-4 5-5 6-6 7-7");
    free(root);
    chain_done(&c);
}

static void local_orphans_go(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    char *root = make_local_root(state);
    compacted_steps(&c, 4);
    compacted_steps(&c, 2);
    add_local(root, 1, 6);
    must(retain_l0(c.s, NULL, 5, true, &res, &err), &err); /* killed before local files went */
    assert_level(c.s, 0, "5-5 6-6");
    must(retain_l0(c.s, root, 5, true, &res, &err), &err);
    assert_local(state, "5-5 6-6");
    assert_int_equal(res.local_deleted, 4);
    assert_int_equal(res.deleted[0], 0);
    free(root);
    chain_done(&c);
}

/* Nothing covers them: something else took them from the store. */
static void local_files_that_nothing_covers_stay(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    char *root = make_local_root(state);
    chain_steps(&c, 6);
    add_local(root, 1, 6);
    for (ls_txid t = 1; t <= 3; t++) {
        lose(c.s, 0, t, t);
    }
    must(retain_l0(c.s, root, 1000, true, &res, &err), &err);
    assert_local(state, "1-1 2-2 3-3 4-4 5-5 6-6");
    for (ls_txid t = 4; t <= 6; t++) {
        lose(c.s, 0, t, t);
    }
    must(retain_l0(c.s, root, 1000, true, &res, &err), &err);
    assert_local(state, "1-1 2-2 3-3 4-4 5-5 6-6");
    free(root);
    chain_done(&c);
}

static void local_files_go_where_the_store_keeps_all(void **state) {
    chain c;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    chain_init(&c, *state, "replica", 4096);
    char *root = make_local_root(state);
    compacted_steps(&c, 4);
    compacted_steps(&c, 2);
    add_local(root, 3, 6);
    must(retain_l0(c.s, root, 5, false, &res, &err), &err);
    assert_level(c.s, 0, "1-1 2-2 3-3 4-4 5-5 6-6");
    assert_local(state, "5-5 6-6");
    free(root);
    chain_done(&c);
}

/* ---- recorded replicas ---- */

/* Everything that may go goes, from what the reference left; what it is now can be restored. */
static ls_storage *retain_recorded(void **state, const char *name) {
    json_decref(replica_copy(name, *state));
    char *root = tempdir_path(state, "replica");
    ls_storage *s;
    ls_err err = LS_ERR_INIT;
    ls_retain_result res;
    must(ls_storage_open_file(root, NULL, &s, &err), &err);
    free(root);
    ls_plan plan;
    ls_restore_result restored;
    size_t len = 0;
    must(ls_plan_make(s, 0, LS_NO_TIMESTAMP, &plan, &err), &err);
    uint8_t *data = rebuild_in_memory(s, &plan, 1, &len, &restored, &err);
    assert_non_null(data);
    ls_plan_done(&plan);
    const ls_retain_policy policy = {
        .snapshot_retention_ms = 1, .l0_retention_ms = 1, .remote = true};
    must(ls_retain_l0(s, &policy, INT64_MAX, NULL, &res, &err), &err);
    must(ls_retain_snapshots(s, &policy, INT64_MAX, NULL, &res, &err), &err);
    assert_restores(s, 0, data, len);
    free(data);
    return s;
}

static void recorded_by_the_seed(void **state) {
    ls_storage *s = retain_recorded(state, "replica-a");
    assert_level(s, 0, "13b-13b 13c-13c");
    assert_level(s, 9, "1-13b");
    assert_level(s, 1, "c1-e9 ea-112 113-13a");
    assert_level(s, 2, "c1-13a");
    assert_level(s, 3, "1-2");
    ls_storage_free(s);
}

static void recorded_by_its_successor(void **state) {
    ls_storage *s = retain_recorded(state, "replica-head");
    assert_level(s, 0, "bd-bd");
    assert_level(s, 9, "1-a2"); /* the floor is that of 1-2b */
    assert_level(s, 1, "c-2b 2c-4d 4e-6f 70-91 92-b3 b4-bb bc-bd");
    assert_level(s, 2, "3-4d 4e-b3");
    assert_level(s, 3, "1-4d");
    ls_storage_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(snapshots_and_the_files_below),
        unit_test_in_tempdir(each_moment_within_the_retention_restores),
        unit_test_in_tempdir(the_moment_of_the_cutoff_restores),
        unit_test_in_tempdir(level_0_keeps_its_base),
        unit_test_in_tempdir(none_is_too_old),
        unit_test_in_tempdir(times_out_of_order),
        unit_test_in_tempdir(the_newest_snapshot_stays),
        unit_test_in_tempdir(the_newest_file_of_a_level_stays),
        unit_test_in_tempdir(without_snapshots_nothing_goes),
        unit_test_in_tempdir(retention_that_is_off),
        unit_test_in_tempdir(a_hole_stops_retention),
        unit_test_in_tempdir(every_kept_point_restores),
        unit_test_in_tempdir(level_0_by_time),
        unit_test_in_tempdir(level_0_goes_from_the_oldest_on),
        unit_test_in_tempdir(level_0_in_a_hole_of_level_1),
        unit_test_in_tempdir(local_files_go_too),
        unit_test_in_tempdir(what_is_not_uploaded_stays),
        unit_test_in_tempdir(local_orphans_go),
        unit_test_in_tempdir(local_files_that_nothing_covers_stay),
        unit_test_in_tempdir(local_files_go_where_the_store_keeps_all),
        unit_test_in_tempdir(recorded_by_the_seed),
        unit_test_in_tempdir(recorded_by_its_successor),
    };
    return cmocka_run_group_tests_name("replica retain", tests, NULL, NULL);
}
