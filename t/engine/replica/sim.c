/* The daemon, what happens to it, and what must hold: see sim.h. */
#include "t/engine/replica/sim.h"

#include "engine/replica/compact.h"
#include "engine/replica/retain.h"
#include "engine/restore/restore.h"
#include "engine/store/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "t/support/faultstore.h"
#include "t/support/listing.h"
#include "t/support/memstore.h"
#include "t/support/must.h"
#include "t/support/tempdir.h"

#define TICK (30 * SECOND)
#define LEVELS 3 /* that are compacted into */
#define L0_CHECK (2 * MINUTE)

static const int64_t level_ms[LEVELS + 1] = {0, 30 * SECOND, 5 * MINUTE, HOUR};

/* What the daemon remembers of a level until it is started anew. */
typedef struct memory {
    bool known, any;
    ls_ltx_info newest;
    int64_t next; /* when it is looked at again */
} memory;

typedef struct world {
    const sim_profile *p;
    sim_db *db;
    ls_storage *inner; /* the truth */
    ls_storage *s;     /* what the jobs see */
    char *spill;
    int64_t now;
    uint64_t seed;
    /* the daemon */
    memory levels[LS_LTX_LEVEL_MAX + 1];
    int64_t next_l0_check, next_retention;
    ls_retain_result last; /* of a retention */
    /* what happens to it */
    int burst;           /* ticks left */
    bool idle_day, calm; /* calm: nothing happens */
    int64_t day_end;
    int64_t outage_end; /* the store is away until then */
    bool vacuumed;      /* the page size was changed */
    /* what was seen */
    listing before;
    ls_txid gone_snapshot; /* the newest that was deleted */
    long jobs, failed, kills, restores, spoilt, restarts;
    size_t most[LS_LTX_LEVEL_MAX + 1];
} world;

static uint64_t from_env(const char *name, uint64_t otherwise) {
    const char *text = getenv(name);
    return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

static uint64_t draw(world *w, uint64_t n) {
    uint64_t x = w->seed += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (x ^ x >> 31) % n;
}

/* ---- the application ---- */

static ls_txid newest_of(const world *w) { return w->db->ops->txid(w->db); }

static void commit(world *w, int64_t at) {
    w->db->now_ms = at;
    w->db->ops->commit(w->db, draw(w, UINT64_MAX));
    w->db->now_ms = w->now;
}

static void begin_day(world *w) {
    w->day_end += DAY;
    w->idle_day = draw(w, 10) < w->p->idle;
    if (draw(w, 5) == 0) {
        w->outage_end = w->now + HOUR + (int64_t)draw(w, 7) * HOUR;
    }
}

static void work(world *w) {
    if (w->now >= w->day_end) {
        begin_day(w);
    }
    if (w->p->vacuum_day != 0 && !w->vacuumed && newest_of(w) > 0 &&
        w->now >= SIM_T0 + w->p->vacuum_day * DAY) {
        w->db->ops->vacuum(w->db);
        w->vacuumed = true;
        return;
    }
    if (w->burst == 0 && !w->idle_day && draw(w, 1000) < w->p->bursts) {
        w->burst = 1 + (int)draw(w, 60);
    }
    if (w->burst > 0) {
        w->burst--;
        for (uint64_t i = draw(w, 4); i > 0; i--) {
            commit(w, w->now + (int64_t)(10 - i) * SECOND);
        }
    }
}

/* ---- jobs ---- */

static void restart(world *w) {
    w->restarts++;
    memset(w->levels, 0, sizeof w->levels);
    w->db->uploaded_known = false;
    w->db->uploaded = 0;
    if (w->db->ops->restart != NULL) {
        w->db->ops->restart(w->db, draw(w, UINT64_MAX));
    }
}

/* What the store will do to the next job. True: the process dies in it. */
static bool arm(world *w) {
    uint64_t seed = draw(w, UINT64_MAX);
    if (w->calm) {
        return false;
    }
    if (w->now < w->outage_end) {
        faultstore_random(w->s, seed, 1000, STORE_BIT(STORE_FAIL));
        return false;
    }
    if (draw(w, 400) == 0) {
        store_fault fault = draw(w, 2) == 0 ? STORE_DOWN : STORE_GONE;
        faultstore_script(w->s, STORE_ANY, fault, 1 + (long)draw(w, 12));
        return true;
    }
    faultstore_random(w->s, seed, 4, STORE_STAYS_UP);
    return false;
}

typedef ls_code (*job_fn)(world *w, int level, ls_err *err);

static ls_code run(world *w, const char *what, job_fn job, int level) {
    ls_err err = LS_ERR_INIT;
    bool dies = arm(w);
    ls_code rc = job(w, level, &err);
    long hits = faultstore_hits(w->s);
    w->jobs++;
    w->failed += rc != LS_OK;
    w->spoilt += hits;
    if (rc != LS_OK && hits == 0) {
        fail_msg("%s, level %d, at hour %lld: %s: %s", what, level,
                 (long long)((w->now - SIM_T0) / HOUR), ls_code_name(rc), err.msg);
    }
    faultstore_up(w->s);
    if (dies && hits > 0) {
        w->kills++;
        restart(w);
    }
    return rc;
}

static ls_code job_upload(world *w, int level, ls_err *err) {
    (void)level;
    return w->db->ops->upload(w->db, w->s, err);
}

static ls_code job_look(world *w, int level, ls_err *err) {
    memory *l = &w->levels[level];
    ls_code rc = ls_compact_newest(w->s, level, &l->newest, &l->any, err);
    l->known = rc == LS_OK;
    return rc;
}

static void remember(world *w, const ls_ltx_info *newest) {
    memory *l = &w->levels[newest->level];
    l->known = l->any = true;
    l->newest = *newest;
}

static ls_code job_compact(world *w, int level, ls_err *err) {
    memory *l = &w->levels[level];
    ls_compact_result res = {.more = true};
    ls_code rc = LS_OK;
    while (rc == LS_OK && res.more) {
        const ls_compact_opts opts = {.level = level,
                                      .seek = l->any ? l->newest.min_txid : 0,
                                      .local_root = w->db->local,
                                      .spill_dir = w->spill,
                                      .verify = draw(w, 50) == 0};
        rc = ls_compact(w->s, &opts, &res, err);
        if (rc == LS_OK && res.file.max_txid != 0) {
            remember(w, &res.file);
        }
    }
    return rc;
}

static ls_code job_snapshot(world *w, int level, ls_err *err) {
    ls_ltx_info made = {.level = level};
    ls_code rc = w->db->ops->snapshot(w->db, w->s, !w->levels[level].any, &made, err);
    if (rc == LS_OK) {
        remember(w, &made);
    }
    return rc;
}

static ls_retain_policy policy_of(const world *w) {
    return (ls_retain_policy){.snapshot_retention_ms = w->p->snapshot_retention_ms,
                              .l0_retention_ms = w->p->l0_retention_ms,
                              .remote = true,
                              .local_root = w->db->local};
}

static ls_code job_retain_l0(world *w, int level, ls_err *err) {
    (void)level;
    const ls_retain_policy policy = policy_of(w);
    return ls_retain_l0(w->s, &policy, w->now, NULL, &w->last, err);
}

/* Is there a snapshot from before all moments promised? */
static bool has_base(const world *w) {
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it;
    bool end = false, any = false;
    must(ls_storage_list(w->inner, LS_LTX_LEVEL_SNAPSHOT, 0, &it, &err), &err);
    while (!end) {
        ls_ltx_info f;
        must(ls_storage_iter_next(it, &f, &end, &err), &err);
        any = any || (!end && f.created_ms < w->now - w->p->snapshot_retention_ms);
    }
    ls_storage_iter_free(it);
    return any;
}

static ls_code job_retain_snapshots(world *w, int level, ls_err *err) {
    (void)level;
    const ls_retain_policy policy = policy_of(w);
    bool had_base = has_base(w);
    ls_code rc = ls_retain_snapshots(w->s, &policy, w->now, NULL, &w->last, err);
    assert_int_equal(has_base(w), had_base);
    return rc;
}

/* ---- the daemon ---- */

/* Is the job's time there, and the period without a file? Asked at multiples of the interval and
 * at a start; what fails is tried again at the next tick. */
static bool is_due(world *w, int level, int64_t interval_ms) {
    memory *l = &w->levels[level];
    if (w->now < l->next) {
        return false;
    }
    if (!l->known && run(w, "newest of level", job_look, level) != LS_OK) {
        return false;
    }
    bool due = ls_schedule_due(w->now, interval_ms, l->any, l->newest.created_ms) &&
               (!l->any || l->newest.max_txid < w->db->uploaded);
    l->next = due ? l->next : ls_schedule_next(w->now, interval_ms);
    return due;
}

static void do_when_due(world *w, int level, int64_t interval_ms, const char *what, job_fn job) {
    if (is_due(w, level, interval_ms) && run(w, what, job, level) == LS_OK) {
        w->levels[level].next = ls_schedule_next(w->now, interval_ms);
    }
}

static void upload(world *w) {
    if (!w->db->uploaded_known || w->db->uploaded < newest_of(w)) {
        (void)run(w, "upload", job_upload, 0);
    }
}

static void compact(world *w) {
    for (int level = 1; w->db->uploaded > 0 && level <= LEVELS; level++) {
        do_when_due(w, level, level_ms[level], "compact", job_compact);
    }
}

static void snapshot(world *w) {
    if (w->db->uploaded > 0) {
        do_when_due(w, LS_LTX_LEVEL_SNAPSHOT, w->p->snapshot_ms, "snapshot", job_snapshot);
    }
}

static void retain(world *w) {
    if (w->now >= w->next_l0_check && run(w, "retain", job_retain_l0, 0) == LS_OK) {
        w->next_l0_check = ls_schedule_next(w->now, L0_CHECK);
    }
    if (w->now >= w->next_retention &&
        run(w, "retain", job_retain_snapshots, LS_LTX_LEVEL_SNAPSHOT) == LS_OK) {
        w->next_retention = ls_schedule_next(w->now, HOUR);
    }
}

static void tick(world *w) {
    if (draw(w, 2000) < w->p->restarts) {
        restart(w);
    }
    upload(w);
    compact(w);
    snapshot(w);
    retain(w);
}

/* ---- what must hold ---- */

/* MaxTXID of the oldest snapshot that is to be kept for moments since a time: the newest before it,
 * or the first of all. Older ones may still be there, with holes in the levels behind them, where a
 * retention did not come to its end. */
static ls_txid oldest_to_keep(const listing *l, int64_t since) {
    ls_txid base = 0, oldest = l->newest[LS_LTX_LEVEL_SNAPSHOT];
    for (size_t i = 0; i < l->n; i++) {
        const ls_ltx_info *f = &l->files[i];
        if (f->level != LS_LTX_LEVEL_SNAPSHOT) {
            continue;
        }
        if (f->created_ms < since) {
            base = f->max_txid > base ? f->max_txid : base;
        } else if (f->max_txid < oldest) {
            oldest = f->max_txid;
        }
    }
    return base != 0 ? base : oldest;
}

/* Was a file that is gone allowed to go? now is when this is asked, which is later. */
static bool may_go(const world *w, const listing *now, const ls_ltx_info *f) {
    ls_txid snapshot = now->newest[LS_LTX_LEVEL_SNAPSHOT];
    int64_t since = w->now - w->p->snapshot_retention_ms;
    if (f->level == 0) {
        return f->created_ms <= w->now - w->p->l0_retention_ms && f->max_txid < now->newest[0] &&
               (f->max_txid <= now->newest[1] || f->max_txid <= snapshot);
    }
    if (f->level == LS_LTX_LEVEL_SNAPSHOT) {
        return f->created_ms < since && f->max_txid < oldest_to_keep(now, since);
    }
    return f->max_txid < oldest_to_keep(now, since) && f->max_txid < now->newest[f->level];
}

static void assert_only_that_went(world *w, const listing *now) {
    for (size_t i = 0; i < w->before.n; i++) {
        const ls_ltx_info *f = &w->before.files[i];
        char key[LS_STORAGE_KEY_SIZE];
        if (listing_has(now, f)) {
            continue;
        }
        if (!may_go(w, now, f)) {
            fail_msg("hour %lld: %s is gone; the level ends at %llx, snapshots are %llx to %llx",
                     (long long)((w->now - SIM_T0) / HOUR), ls_storage_key(f, key),
                     (unsigned long long)now->newest[f->level],
                     (unsigned long long)now->oldest_snapshot,
                     (unsigned long long)now->newest[LS_LTX_LEVEL_SNAPSHOT]);
        }
        if (f->level == LS_LTX_LEVEL_SNAPSHOT && f->max_txid > w->gone_snapshot) {
            w->gone_snapshot = f->max_txid;
        }
    }
}

static void assert_planned(const world *w, ls_txid txid) {
    ls_err err = LS_ERR_INIT;
    ls_plan plan = {0};
    must(ls_plan_make(w->inner, txid, LS_NO_TIMESTAMP, &plan, &err), &err);
    assert_int_equal(plan.files[plan.n - 1].max_txid, txid);
    ls_plan_done(&plan);
}

/* Each promised point by the oracle; some, or all, by plans as a restore makes them. */
static void assert_promises(world *w, const listing *l, bool all) {
    ls_txid broken = listing_broken_promise(l);
    if (broken != 0) {
        fail_msg("hour %lld: TXID %llx cannot be restored", (long long)((w->now - SIM_T0) / HOUR),
                 (unsigned long long)broken);
    }
    assert_int_equal(listing_reaches(l, listing_newest(l)), 1);
    assert_true(listing_newest(l) >= w->db->uploaded);
    assert_planned(w, listing_newest(l));
    for (size_t i = 0; i < l->reached_n; i++) {
        if (l->reached[i] >= l->oldest_snapshot && (all || draw(w, l->reached_n) < 2)) {
            assert_planned(w, l->reached[i]);
        }
    }
}

static void assert_restores(world *w, ls_txid txid) {
    ls_err err = LS_ERR_INIT;
    must(w->db->ops->check_restore(w->db, w->inner, txid, &err), &err);
    w->restores++;
}

/* The oldest and the newest promised end of each level, and 20 drawn of all. */
static void restore_some(world *w, const listing *l) {
    ls_txid floor = l->oldest_snapshot;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        ls_txid oldest = 0;
        for (size_t i = 0; i < l->n && oldest == 0; i++) {
            if (l->files[i].level == level && l->files[i].max_txid >= floor &&
                listing_reaches(l, l->files[i].max_txid)) {
                oldest = l->files[i].max_txid;
            }
        }
        if (oldest != 0) {
            assert_restores(w, oldest);
            assert_restores(w, l->newest[level]);
        }
    }
    for (int i = 0; i < 20; i++) {
        const ls_ltx_info *f = &l->files[draw(w, l->n)];
        ls_err err = LS_ERR_INIT;
        must(w->db->ops->check_file(w->db, w->inner, f, &err), &err);
        if (f->max_txid >= floor && listing_reaches(l, f->max_txid)) {
            assert_restores(w, f->max_txid);
        }
    }
}

static int64_t time_of(const world *w, ls_txid t) { return w->db->ops->time(w->db, t); }

/* TXIDs behind txid whose time is past ms. */
static size_t txids(const world *w, ls_txid txid, int64_t ms) {
    size_t n = 0;
    for (ls_txid t = newest_of(w); t > txid && time_of(w, t) > ms; t--) {
        n++;
    }
    return n;
}

/* With the store there for two hours no level has more than it should; level 0 that long after it
 * has gone, as what one file of level 1 holds goes together: such a file holds all of an outage. A
 * snapshot that is made at the begin of a period holds data of the one before: a process that
 * starts anew makes another. One more is the base of the oldest moments. */
static void assert_bounds(world *w, const listing *l) {
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        size_t n = listing_count(l, level);
        w->most[level] = n > w->most[level] ? n : w->most[level];
    }
    if (w->now < w->outage_end + w->p->l0_retention_ms + 2 * HOUR) {
        return;
    }
    int64_t since = w->now - w->p->l0_retention_ms - 10 * MINUTE;
    assert_in_range(listing_count(l, 0), 0, txids(w, 0, since) + 1);
    size_t snapshots = (size_t)(w->p->snapshot_retention_ms / w->p->snapshot_ms);
    assert_in_range(listing_count(l, LS_LTX_LEVEL_SNAPSHOT), 0, 2 * snapshots + 3);
}

static void check(world *w, bool thorough) {
    ls_err err = LS_ERR_INIT;
    listing l;
    must(listing_read(&l, w->inner, &err), &err);
    assert_only_that_went(w, &l);
    if (l.n > 0) {
        assert_promises(w, &l, thorough);
        assert_bounds(w, &l);
        if (thorough) {
            restore_some(w, &l);
        }
    }
    listing_done(&w->before);
    w->before = l;
}

/* Periods of an interval that hold commits, from a TXID on. */
static size_t periods(const world *w, ls_txid from, int64_t interval_ms) {
    size_t n = 0;
    int64_t last = -1;
    for (ls_txid t = from; t <= newest_of(w); t++) {
        int64_t begin = ls_schedule_prev(time_of(w, t), interval_ms);
        n += begin != last;
        last = begin;
    }
    return n;
}

/* Levels end in the past of the newest snapshot that went; snapshots are young, but for the base.
 */
static void assert_old_is_gone(const world *w, const listing *l) {
    int64_t since = w->now - w->p->snapshot_retention_ms - HOUR;
    for (size_t i = 0; i < l->n; i++) {
        const ls_ltx_info *f = &l->files[i];
        bool newest = f->max_txid == l->newest[f->level];
        if (f->level == LS_LTX_LEVEL_SNAPSHOT) {
            assert_true(f->max_txid >= oldest_to_keep(l, since));
        } else if (f->level > 0) {
            assert_true(newest || f->max_txid >= w->gone_snapshot);
        }
    }
}

/* As a rule a period has one file; where the store was away or the process started anew within it,
 * two. */
static void assert_few_files(const world *w, const listing *l) {
    size_t restarts =
        (size_t)((int64_t)w->restarts * w->p->snapshot_retention_ms / (w->now - SIM_T0));
    for (int level = 0; level <= LEVELS; level++) {
        size_t n = listing_count(l, level);
        size_t most = level == 0 ? 1 : periods(w, w->gone_snapshot + 1, level_ms[level]);
        most += level == 0 ? 0 : most / 4 + 2 + restarts;
        print_message("# level %d: %zu files at the end, at most %zu expected, %zu at any time\n",
                      level, n, most, w->most[level]);
        assert_in_range(n, 0, most);
    }
    print_message("# snapshots: %zu at the end, %zu at any time\n",
                  listing_count(l, LS_LTX_LEVEL_SNAPSHOT), w->most[LS_LTX_LEVEL_SNAPSHOT]);
}

/* Beside the database the newest file is left. */
static void assert_local_is_gone(const world *w) {
    ls_err err = LS_ERR_INIT;
    ls_ltx_info newest = {.level = 0};
    ls_storage *s;
    ls_storage_iter *it;
    bool end;
    char *meta = ls_path_dir(w->db->local);
    must(ls_storage_open_file(meta, NULL, &s, &err), &err);
    must(ls_storage_list(s, 0, 0, &it, &err), &err);
    must(ls_storage_iter_next(it, &newest, &end, &err), &err);
    assert_false(end);
    assert_int_equal(newest.max_txid, newest_of(w));
    ls_storage_iter_free(it);
    ls_storage_free(s);
    free(meta);
}

/* What is left after a month, and half a day of rest. */
static void assert_tidy(world *w) {
    const listing *l = &w->before;
    ls_err err = LS_ERR_INIT;
    print_message("# %s: %llu TXIDs, %ld jobs, %ld failed, %ld died, %ld requests spoilt, %ld "
                  "restores\n",
                  w->p->name, (unsigned long long)newest_of(w), w->jobs, w->failed, w->kills,
                  w->spoilt, w->restores);
    for (size_t i = 0; i < l->n; i++) {
        must(w->db->ops->check_file(w->db, w->inner, &l->files[i], &err), &err);
    }
    assert_int_equal(listing_newest(l), newest_of(w));
    assert_old_is_gone(w, l);
    assert_few_files(w, l);
    if (w->db->local != NULL) {
        assert_local_is_gone(w);
    }
}

/* ---- all of it ---- */

static void sim_init(world *w, void **state, const sim_profile *p, sim_make make) {
    ls_err err = LS_ERR_INIT;
    *w = (world){.p = p, .now = SIM_T0, .day_end = SIM_T0};
    w->seed = from_env("SIM_SEED", 1) * 1000 + (uint64_t)p->bursts;
    w->inner = memstore_new(p->copies);
    w->s = faultstore_new(w->inner);
    w->db = make(w->seed, p, state);
    w->db->truth = w->inner;
    w->db->now_ms = w->now;
    w->spill = tempdir_path(state, "spill");
    must(ls_mkdirs(w->spill, &LS_PERM_PRIVATE, &err), &err);
}

static void sim_done(world *w) {
    assert_int_equal(rmdir(w->spill), 0); /* no temporary file is left */
    listing_done(&w->before);
    w->db->ops->free(w->db);
    ls_storage_free(w->s);
    ls_storage_free(w->inner);
    free(w->spill);
}

/* Time goes on by ticks, and by what slow requests and pauses took. */
static void advance(world *w, int64_t *waited) {
    int64_t ms = faultstore_waited_ms();
    w->now += TICK + ms - *waited;
    w->db->now_ms = w->now;
    *waited = ms;
}

void sim_run(void **state, const sim_profile *p, sim_make make) {
    world w;
    sim_init(&w, state, p, make);
    int64_t waited = faultstore_waited_ms();
    int64_t end = SIM_T0 + (int64_t)from_env("SIM_DAYS", p->days) * DAY;
    int64_t next_hour = SIM_T0 + HOUR;
    while (w.now < end) {
        work(&w);
        tick(&w);
        if (w.now >= next_hour) {
            check(&w, draw(&w, 24) == 0);
            next_hour = ls_schedule_next(w.now, HOUR);
        }
        advance(&w, &waited);
    }
    w.calm = true;
    for (int64_t rest = w.now + DAY / 2; w.now < rest;) {
        tick(&w);
        advance(&w, &waited);
    }
    check(&w, true);
    assert_tidy(&w);
    sim_done(&w);
}
