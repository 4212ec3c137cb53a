/*
 * Capture, checkpoints and full files while calls fail: engine/db. Between a failure and the next
 * try the application overwrites pages and checkpoints as it likes: what was not captured and is
 * held by no lock any more would be lost, and the restored database be another.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/db/internal.h"
#include "engine/wal/range_limits.h"
#include "t/engine/faults/world.h"

static ls_code sync_once(world *w, ls_err *err) {
    ls_db_sync_result res;
    ls_code rc = w->db == NULL ? ls_db_new(&w->opts, &w->db, err) : LS_OK;
    return rc == LS_OK ? ls_db_sync(w->db, &res, err) : rc;
}

static void passive(world *w) { go_on(w, "PASSIVE"); }
static void truncated(world *w) { go_on(w, "TRUNCATE"); }

/* What was begun with the new page size is of no use any more. */
static void page_size_back(world *w) {
    drop_objects(w);
    change_page_size(w, 512);
    go_on(w, "PASSIVE");
}

/* ---- Jobs ---- */

static void before_first_file(world *w) {
    w->app = app_create(w->path, 512);
    sqlite3_busy_timeout(w->app, 100);
    add_rows(w->app, 5);
}

static void before_increment(world *w) {
    replicated(w, 512, 5);
    add_rows(w->app, 3);
    sql(w->app, "DELETE FROM t WHERE id = 2");
    add_rows(w->app, 3);
}

/* So that a range of a few frames is read in windows. */
static void before_windows(world *w) {
    before_increment(w);
    ls_wal_limits = (ls_wal_range_limits){.frames = 4, .window_pages = 3, .keep_bytes = 0};
}

static ls_code sync_in_windows(world *w, ls_err *err) {
    ls_code rc = sync_once(w, err);
    ls_wal_limits =
        (ls_wal_range_limits){LS_WAL_RANGE_FRAMES, LS_WAL_WINDOW_PAGES, LS_WAL_KEEP_BYTES};
    return rc;
}

static void before_start(world *w) {
    replicated(w, 512, 5);
    add_rows(w->app, 2);
    replicate(w);
    drop_objects(w);
    add_rows(w->app, 2);
}

static void before_full_file(world *w) {
    replicated(w, 512, 5);
    drop_objects(w);
    go_on(w, "TRUNCATE");
}

static void before_new_page_size(world *w) {
    replicated(w, 512, 5);
    drop_objects(w);
    change_page_size(w, 1024);
    add_rows(w->app, 2);
}

static void before_checkpoint(world *w) {
    replicated(w, 512, 5);
    add_rows(w->app, 8);
    w->db->opts.min_checkpoint_page_n = 10;
}

static void before_truncate(world *w) {
    replicated(w, 512, 5);
    add_rows(w->app, 8);
    w->db->opts.truncate_page_n = 10;
}

/* Found at the next sync, when something of the old one is open and not captured yet. */
static void replaced(world *w) {
    replicated(w, 512, 5);
    add_rows(w->app, 3);
    replace_database(w, 512, 9);
    add_rows(w->app, 2);
}

static void replaced_by_other_page_size(world *w) {
    replicated(w, 512, 5);
    replace_database(w, 1024, 5);
}

static ls_code sync_settled(world *w, ls_err *err) {
    ls_db_sync_result res = {.settling = true};
    ls_code rc = LS_OK;
    while (rc == LS_OK && res.settling) {
        rc = ls_db_sync(w->db, &res, err);
    }
    return rc;
}

#define N(jobs) (sizeof(jobs) / sizeof((jobs)[0]))

static void captures(void **state) {
    (void)state;
    static const job jobs[] = {
        {"first file", before_first_file, sync_once, NULL, passive, replicate, false},
        {"capture", before_increment, sync_once, NULL, truncated, replicate, false},
        {"capture in windows", before_windows, sync_in_windows, NULL, truncated, replicate, false},
    };
    fail_each_call(jobs, N(jobs));
}

static void starts(void **state) {
    (void)state;
    static const job jobs[] = {
        {"start", before_start, sync_once, NULL, truncated, replicate, false},
        {"full file", before_full_file, sync_once, NULL, truncated, replicate, false},
    };
    fail_each_call(jobs, N(jobs));
}

static void new_page_sizes(void **state) {
    (void)state;
    static const job jobs[] = {
        {"new page size", before_new_page_size, sync_once, NULL, truncated, replicate, false},
        {"page size and back", before_new_page_size, sync_once, NULL, page_size_back, replicate,
         false},
    };
    fail_each_call(jobs, N(jobs));
}

static void checkpoints(void **state) {
    (void)state;
    static const job jobs[] = {
        {"checkpoint", before_checkpoint, sync_once, NULL, truncated, replicate, false},
        {"checkpoint, passive", before_checkpoint, sync_once, NULL, passive, replicate, false},
        {"truncate", before_truncate, sync_once, NULL, truncated, replicate, false},
    };
    fail_each_call(jobs, N(jobs));
}

static void replacements(void **state) {
    (void)state;
    static const job jobs[] = {
        {"replaced", replaced, sync_settled, NULL, truncated, replicate, false},
        {"replaced, passive", replaced, sync_settled, NULL, passive, replicate, false},
        {"replaced by another page size", replaced_by_other_page_size, sync_settled, NULL,
         truncated, replicate, false},
    };
    fail_each_call(jobs, N(jobs));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(captures),       cmocka_unit_test(starts),
        cmocka_unit_test(new_page_sizes), cmocka_unit_test(checkpoints),
        cmocka_unit_test(replacements),
    };
    faults_init();
    return cmocka_run_group_tests_name("capture faults", tests, NULL, NULL);
}
