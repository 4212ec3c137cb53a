/*
 * Where retention cuts level 0, over random listings: what a plan led to before is reached after,
 * also by half of the deletions, and no more is kept than that takes. test_retain.c has the single
 * cases. SIM_SEED (1) and SIM_WORLDS (4000) come from the environment.
 */
#include "engine/replica/retain.h"
#include "engine/restore/restore.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "t/support/faultstore.h"
#include "t/support/heads.h"
#include "t/support/listing.h"
#include "t/support/memstore.h"

#define T0 1700000000000
#define TXIDS_MAX 90

static uint64_t from_env(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

typedef struct world {
    uint64_t seed;
    ls_storage *inner, *s;
    ls_txid newest;
    bool losses; /* files are missing */
    int64_t cutoff_ms;
    listing before, after;
    ls_code rc; /* of the retention */
} world;

static uint64_t draw(world *w, uint64_t n) {
    uint64_t x = w->seed += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (x ^ x >> 31) % n;
}

/* ---- listings ---- */

static int64_t time_of(world *w, ls_txid t) {
    return T0 + (int64_t)t * 1000 + (draw(w, 20) == 0 ? (int64_t)draw(w, 9000) : 0);
}

static void put(world *w, int level, ls_txid min, ls_txid max) {
    put_head(w->inner, level, min, max, time_of(w, max));
}

/* Level 0 from a TXID on that an earlier retention left, with losses in some worlds. */
static void make_l0(world *w, bool losses) {
    ls_txid first = draw(w, 2) == 0 ? 1 : 1 + draw(w, w->newest);
    for (ls_txid t = first; t <= w->newest; t++) {
        if (!losses || draw(w, 30) > 0) {
            put(w, 0, t, t);
        }
    }
}

/* A level whose files join, but for a loss here and there; some begin before the end of the last.
 */
static void make_level(world *w, int level, ls_txid longest, bool losses) {
    ls_txid end = draw(w, w->newest + 1);
    ls_txid t = 0;
    while (t < end) {
        ls_txid max = t + 1 + draw(w, longest);
        ls_txid min = t + 1;
        if (draw(w, 12) == 0) {
            min -= draw(w, min);
        }
        max = max < end ? max : end;
        if (!losses || draw(w, 15) > 0) {
            put(w, level, min, max);
        }
        t = max;
    }
}

static void make_snapshots(world *w) {
    ls_txid last = 0;
    for (uint64_t n = draw(w, 4); n > 0 && last < w->newest; n--) {
        last += 1 + draw(w, w->newest - last);
        put(w, LS_LTX_LEVEL_SNAPSHOT, 1, last);
    }
}

static void begin(world *w, uint64_t seed) {
    *w = (world){.seed = seed, .inner = memstore_new(true)};
    w->s = faultstore_new(w->inner);
    w->newest = 1 + draw(w, TXIDS_MAX);
    w->losses = draw(w, 3) == 0;
    make_l0(w, w->losses);
    make_level(w, 1, 12, w->losses);
    make_level(w, 2, 30, w->losses);
    make_snapshots(w);
    w->cutoff_ms = T0 + (int64_t)draw(w, w->newest + 10) * 1000;
    if (draw(w, 4) == 0) { /* the process dies in it */
        faultstore_script(w->s, STORE_REMOVE, STORE_BREAK, 1);
    }
    ls_err err = LS_ERR_INIT;
    must(listing_read(&w->before, w->inner, &err), &err);
}

static void retain(world *w) {
    ls_err err = LS_ERR_INIT;
    const ls_retain_policy policy = {.l0_retention_ms = 1000, .remote = true};
    w->rc = ls_retain_l0(w->s, &policy, w->cutoff_ms + 1000, NULL, NULL, &err);
    assert_true(w->rc == LS_OK || w->rc == LS_EGAP || w->rc == LS_ENOBACKUP ||
                (w->rc == LS_EIO && faultstore_hits(w->s) > 0));
    ls_err_clear(&err);
    must(listing_read(&w->after, w->inner, &err), &err);
}

static void end(world *w) {
    listing_done(&w->before);
    listing_done(&w->after);
    ls_storage_free(w->s);
    ls_storage_free(w->inner);
}

/* ---- what must hold ---- */

static void assert_planned(const world *w, ls_txid txid) {
    ls_err err = LS_ERR_INIT;
    ls_plan plan;
    must(ls_plan_make(w->inner, txid, LS_NO_TIMESTAMP, &plan, &err), &err);
    assert_int_equal(plan.files[plan.n - 1].max_txid, txid);
    ls_plan_done(&plan);
}

/* Files of level 0, and the newest of all. Others may begin or end here where no level would have
 * them, and were reached by level 0 alone. */
static void assert_nothing_is_lost(const world *w, uint64_t seed) {
    ls_txid newest = listing_newest(&w->before);
    assert_true(listing_reaches(&w->after, newest) || !listing_reaches(&w->before, newest));
    for (size_t i = 0; i < w->after.n && w->after.files[i].level == 0; i++) {
        ls_txid t = w->after.files[i].max_txid;
        if (listing_reaches(&w->before, t)) {
            if (!listing_reaches(&w->after, t)) {
                fail_msg("seed %llu: the way to TXID %llx is lost", (unsigned long long)seed,
                         (unsigned long long)t);
            }
            assert_planned(w, t);
        }
    }
}

static bool is_covered(const listing *l, ls_txid t) {
    for (size_t i = 0; i < l->n; i++) {
        if (l->files[i].level == 1 && l->files[i].min_txid <= t && t <= l->files[i].max_txid) {
            return true;
        }
    }
    return false;
}

/* Does a file of level 1 end there that leads further than those before it? */
static bool l1_ends_at(const listing *l, ls_txid t) {
    ls_txid end = 0;
    for (size_t i = 0; i < l->n && end < t; i++) {
        if (l->files[i].level == 1 && l->files[i].max_txid > end) {
            end = l->files[i].max_txid;
        }
    }
    return end == t;
}

/* Of the first files of what is left that are old and covered none follows an end of level 1, but
 * for the first: there it is cut. Files of level 0 are those of one TXID, and come first in a
 * listing. */
static void assert_no_more_is_kept(const world *w, uint64_t seed) {
    const listing *l = &w->after;
    for (size_t i = 0; i + 1 < l->n && l->files[i + 1].level == 0; i++) {
        ls_txid t = l->files[i].max_txid;
        if (l->files[i].created_ms > w->cutoff_ms || !is_covered(l, t)) {
            break;
        }
        if (l1_ends_at(l, t) && listing_reaches(l, t)) {
            fail_msg("seed %llu: level 0 could begin behind TXID %llx", (unsigned long long)seed,
                     (unsigned long long)t);
        }
    }
}

static bool is_whole(const world *w) { return !w->losses && listing_unreached(&w->before, 0) == 0; }

/* What is deleted is old, covered, and not the newest. */
static void assert_only_that_went(const world *w) {
    for (size_t i = 0; i < w->before.n; i++) {
        const ls_ltx_info *f = &w->before.files[i];
        if (!listing_has(&w->after, f)) {
            assert_int_equal(f->level, 0);
            assert_true(f->created_ms <= w->cutoff_ms);
            assert_true(f->max_txid < w->before.newest[0]);
            assert_true(is_covered(&w->before, f->max_txid) ||
                        f->max_txid <= w->before.newest[LS_LTX_LEVEL_SNAPSHOT]);
        }
    }
}

static void no_way_is_lost(void **state) {
    (void)state;
    uint64_t first = from_env("SIM_SEED", 1) << 20;
    size_t deleted = 0, broken = 0, refused = 0;
    for (uint64_t seed = first; seed < first + from_env("SIM_WORLDS", 4000); seed++) {
        world w;
        begin(&w, seed);
        retain(&w);
        assert_only_that_went(&w);
        assert_nothing_is_lost(&w, seed);
        if (w.rc == LS_OK && is_whole(&w)) {
            assert_no_more_is_kept(&w, seed);
        }
        if (w.rc == LS_EGAP || w.rc == LS_ENOBACKUP) {
            assert_int_equal(w.after.n, w.before.n);
            assert_false(is_whole(&w));
        }
        deleted += w.before.n - w.after.n;
        broken += w.rc == LS_EIO;
        refused += w.rc == LS_EGAP || w.rc == LS_ENOBACKUP;
        end(&w);
    }
    print_message("# %zu files deleted, %zu retentions broke off, %zu refused\n", deleted, broken,
                  refused);
    assert_true(deleted > 0 && broken > 0 && refused > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_way_is_lost),
    };
    return cmocka_run_group_tests_name("retain level 0", tests, NULL, NULL);
}
