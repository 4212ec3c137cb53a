/*
 * A month of three databases in seconds (sim.h). The databases are modelled (t/support/model.h),
 * everything else that reads or writes the store is the program's own.
 */
#include "t/engine/replica/sim.h"

#include <stdlib.h>

#include "t/support/model.h"
#include "t/support/must.h"
#include "t/support/tempdir.h"

typedef struct modelled {
    sim_db base;
    model *m;
    char *local;
    ls_txid vacuumed; /* where the page size changed; 0: not yet */
} modelled;

static modelled *of(sim_db *db) { return (modelled *)(void *)db; }

static uint64_t take(uint64_t *random, uint64_t n) {
    uint64_t x = *random % n;
    *random /= n;
    return x;
}

static void keep_locally(const modelled *d, ls_txid t) {
    ls_err err = LS_ERR_INIT;
    ls_buf buf;
    char name[LS_LTX_NAME_SIZE];
    ls_buf_init(&buf, 1u << 24);
    must(model_encode(d->m, t, t, &buf, &err), &err);
    char *path = ls_asprintf("%s/0/%s", d->local, ls_ltx_name_format(t, t, name));
    put_file(path, buf.data, buf.len);
    free(path);
    ls_buf_done(&buf);
}

static void model_of_commit(sim_db *db, uint64_t random) {
    modelled *d = of(db);
    ls_err err = LS_ERR_INIT;
    uint32_t size = model_txid(d->m) == 0 ? 40 : model_commit(d->m);
    uint64_t kind = take(&random, 20);
    if (kind == 0) {
        size = 20 + (uint32_t)take(&random, 120);
    } else if (kind < 4 && size < 200) {
        size += (uint32_t)take(&random, 4);
    }
    must(model_step(d->m, db->now_ms, size, (uint32_t)take(&random, 6), &err), &err);
    if (d->local != NULL) {
        keep_locally(d, model_txid(d->m));
    }
}

static void change_page_size(sim_db *db) {
    modelled *d = of(db);
    ls_err err = LS_ERR_INIT;
    must(model_vacuum(d->m, db->now_ms, 1024, &err), &err);
    assert_null(d->local);
    d->vacuumed = model_txid(d->m);
}

static ls_txid newest(const sim_db *db) {
    return model_txid(((const modelled *)(const void *)db)->m);
}

static int64_t time_of(const sim_db *db, ls_txid t) {
    return model_time(((const modelled *)(const void *)db)->m, t);
}

/* The store refused to replace a file: it is the same. */
static ls_code put_once(modelled *d, ls_storage *s, int level, ls_txid min, ls_txid max,
                        ls_err *err) {
    ls_code rc = model_put(d->m, s, level, min, max, err);
    if (rc == LS_EEXISTS) {
        const ls_ltx_info file = {.level = level, .min_txid = min, .max_txid = max};
        ls_err_clear(err);
        must(model_check_file(d->m, d->base.truth, &file, err), err);
        rc = LS_OK;
    }
    return rc;
}

static ls_code upload(sim_db *db, ls_storage *s, ls_err *err) {
    modelled *d = of(db);
    ls_ltx_info newest_l0;
    ls_code rc = LS_OK;
    if (!db->uploaded_known) {
        rc = ls_storage_newest(s, &db->uploaded, &newest_l0, err);
        db->uploaded_known = rc == LS_OK;
    }
    for (ls_txid t = db->uploaded + 1; rc == LS_OK && t <= model_txid(d->m); t++) {
        if (t == d->vacuumed) { /* capture rule 7 */
            rc = put_once(d, s, LS_LTX_LEVEL_SNAPSHOT, 1, t, err);
        }
        if (rc == LS_OK) {
            rc = put_once(d, s, 0, t, t, err);
        }
        if (rc == LS_OK) {
            db->uploaded = t;
        }
    }
    return rc;
}

static ls_code snapshot(sim_db *db, ls_storage *s, bool first, ls_ltx_info *made, ls_err *err) {
    (void)first;
    modelled *d = of(db);
    made->min_txid = 1;
    made->max_txid = db->uploaded;
    made->created_ms = model_time(d->m, db->uploaded);
    return put_once(d, s, LS_LTX_LEVEL_SNAPSHOT, 1, db->uploaded, err);
}

static ls_code check_file(sim_db *db, ls_storage *s, const ls_ltx_info *file, ls_err *err) {
    return model_check_file(of(db)->m, s, file, err);
}

static ls_code check_restore(sim_db *db, ls_storage *s, ls_txid txid, ls_err *err) {
    return model_check_restore(of(db)->m, s, txid, err);
}

static void modelled_free(sim_db *db) {
    modelled *d = of(db);
    model_free(d->m);
    free(d->local);
    free(d);
}

static const sim_db_ops modelled_ops = {.commit = model_of_commit,
                                        .vacuum = change_page_size,
                                        .txid = newest,
                                        .time = time_of,
                                        .upload = upload,
                                        .snapshot = snapshot,
                                        .check_file = check_file,
                                        .check_restore = check_restore,
                                        .free = modelled_free};

static sim_db *make(uint64_t seed, const sim_profile *p, void **state) {
    ls_err err = LS_ERR_INIT;
    modelled *d = calloc(1, sizeof *d);
    assert_non_null(d);
    d->base.ops = &modelled_ops;
    d->m = model_new(seed, 512);
    if (p->local) {
        char *dir = tempdir_path(state, "ltx/0");
        must(ls_mkdirs(dir, &LS_PERM_PRIVATE, &err), &err);
        free(dir);
        d->local = tempdir_path(state, "ltx");
        d->base.local = d->local;
    }
    return &d->base;
}

static void a_busy_database(void **state) {
    const sim_profile p = {.name = "busy",
                           .days = 30,
                           .restarts = 1,
                           .snapshot_ms = DAY,
                           .snapshot_retention_ms = 7 * DAY,
                           .l0_retention_ms = 5 * MINUTE,
                           .bursts = 6,
                           .copies = true,
                           .local = true};
    sim_run(state, &p, make);
}

static void a_database_with_idle_days(void **state) {
    const sim_profile p = {.name = "idle days",
                           .days = 30,
                           .restarts = 1,
                           .snapshot_ms = DAY,
                           .snapshot_retention_ms = DAY,
                           .l0_retention_ms = 5 * MINUTE,
                           .bursts = 3,
                           .idle = 5};
    sim_run(state, &p, make);
}

static void a_database_whose_page_size_changes(void **state) {
    const sim_profile p = {.name = "page size",
                           .days = 30,
                           .restarts = 1,
                           .snapshot_ms = 6 * HOUR,
                           .snapshot_retention_ms = 3 * DAY,
                           .l0_retention_ms = 6 * HOUR,
                           .bursts = 4,
                           .idle = 2,
                           .copies = true,
                           .vacuum_day = 9};
    sim_run(state, &p, make);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(a_busy_database),
        unit_test_in_tempdir(a_database_with_idle_days),
        unit_test_in_tempdir(a_database_whose_page_size_changes),
    };
    return cmocka_run_group_tests_name("a month", tests, NULL, NULL);
}
