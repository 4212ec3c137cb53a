/*
 * Compaction and retention at the file store while calls fail: each call of each kind once, and
 * each that changes the disk as the process's last. After it every file at the store is the one
 * that its name says, all that is promised can be restored, and the next run comes to what a run
 * without faults comes to. Files are those of a modelled database.
 */
#include "engine/replica/compact.h"
#include "engine/replica/retain.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "t/support/faults.h"
#include "t/support/listing.h"
#include "t/support/model.h"
#include "t/support/must.h"
#include "t/support/tempdir.h"

#define T0 1700000000000

typedef ls_code (*job_fn)(ls_storage *s, const char *spill, ls_err *err);

/* ---- jobs ---- */

static ls_code merge(ls_storage *s, const char *spill, ls_err *err) {
    const ls_compact_opts opts = {.level = 1, .spill_dir = spill, .verify = true};
    return ls_compact(s, &opts, NULL, err);
}

/* The only file of level 2: passed on. */
static ls_code pass_on(ls_storage *s, const char *spill, ls_err *err) {
    const ls_compact_opts opts = {.level = 3, .spill_dir = spill};
    return ls_compact(s, &opts, NULL, err);
}

static const ls_retain_policy everything_old = {
    .snapshot_retention_ms = 1, .l0_retention_ms = 1, .remote = true};

static ls_code retain_l0(ls_storage *s, const char *spill, ls_err *err) {
    (void)spill;
    return ls_retain_l0(s, &everything_old, INT64_MAX, NULL, NULL, err);
}

static ls_code retain_snapshots(ls_storage *s, const char *spill, ls_err *err) {
    (void)spill;
    return ls_retain_snapshots(s, &everything_old, INT64_MAX, NULL, NULL, err);
}

/* ---- a store of its own for each try ---- */

typedef struct place {
    char *root, *spill;
    ls_storage *s;
} place;

/* Levels 0 to 2 and snapshots of 9 TXIDs, of which the last are not compacted. */
static void fill(const model *m, ls_storage *s) {
    ls_err err = LS_ERR_INIT;
    for (ls_txid t = 1; t <= 9; t++) {
        must(model_put(m, s, 0, t, t, &err), &err);
    }
    must(model_put(m, s, 1, 1, 3, &err), &err);
    must(model_put(m, s, 1, 4, 6, &err), &err);
    must(model_put(m, s, 2, 1, 6, &err), &err);
    must(model_put(m, s, 9, 1, 3, &err), &err);
    must(model_put(m, s, 9, 1, 6, &err), &err);
}

static place place_begin(const model *m, const char *dir) {
    ls_err err = LS_ERR_INIT;
    place p = {.root = ls_path_join(dir, "replica"), .spill = ls_path_join(dir, "spill")};
    must(ls_mkdirs(p.spill, &LS_PERM_PRIVATE, &err), &err);
    must(ls_storage_open_file(p.root, NULL, &p.s, &err), &err);
    fill(m, p.s);
    return p;
}

static void place_end(place *p) {
    ls_err err = LS_ERR_INIT;
    ls_storage_free(p->s);
    must(ls_remove_tree(p->root, &err), &err);
    must(ls_remove_tree(p->spill, &err), &err);
    free(p->root);
    free(p->spill);
}

static listing assert_sound(const model *m, ls_storage *s) {
    ls_err err = LS_ERR_INIT;
    listing l;
    must(model_check_files(m, s, &err), &err);
    must(listing_read(&l, s, &err), &err);
    assert_int_equal(listing_broken_promise(&l), 0);
    assert_int_equal(listing_newest(&l), model_txid(m));
    return l;
}

static void assert_same(const listing *a, const listing *b) {
    assert_int_equal(a->n, b->n);
    for (size_t i = 0; i < a->n; i++) {
        assert_int_equal(ls_ltx_info_cmp(&a->files[i], &b->files[i]), 0);
    }
}

/* ---- faults ---- */

typedef struct fault {
    fault_kind kind;
    int effect;
} fault;

static const fault all_faults[] = {
    {FAULT_MEMORY, ENOMEM},     {FAULT_OPEN, EMFILE},  {FAULT_CREATE, ENOSPC},
    {FAULT_READ, EIO},          {FAULT_READ, EINTR},   {FAULT_WRITE, ENOSPC},
    {FAULT_WRITE, FAULT_SHORT}, {FAULT_SYNC, EIO},     {FAULT_RENAME, EIO},
    {FAULT_UNLINK, EIO},        {FAULT_MKDIR, ENOSPC}, {FAULT_COPY, EIO},
    {FAULT_STAT, EIO},          {FAULT_LIST, EIO},     {FAULT_MODE, EPERM},
    {FAULT_CHANGE, FAULT_DIE},
};

/* In a process of its own, whose last call it may be. True: it was. */
static bool run_and_die(const place *p, job_fn job, const fault *f, long n) {
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        ls_err err = LS_ERR_INIT;
        faults_arm(f->kind, n, f->effect);
        (void)job(p->s, p->spill, &err);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status) == FAULT_STATUS;
}

static bool run_with_fault(const place *p, job_fn job, const fault *f, long n) {
    ls_err err = LS_ERR_INIT;
    long hits;
    if (f->effect == FAULT_DIE) {
        return run_and_die(p, job, f, n);
    }
    faults_arm(f->kind, n, f->effect);
    ls_code rc = job(p->s, p->spill, &err);
    (void)faults_disarm(&hits);
    if (rc != LS_OK && hits == 0) {
        fail_msg("%s", err.msg);
    }
    return hits > 0;
}

/* False: the job makes fewer such calls. */
static bool spoil(const model *m, const char *dir, job_fn job, const listing *want, const fault *f,
                  long n) {
    ls_err err = LS_ERR_INIT;
    place p = place_begin(m, dir);
    bool hit = run_with_fault(&p, job, f, n);
    listing l = assert_sound(m, p.s);
    listing_done(&l);
    must(job(p.s, p.spill, &err), &err);
    l = assert_sound(m, p.s);
    assert_same(&l, want);
    listing_done(&l);
    place_end(&p);
    return hit;
}

static listing outcome(const model *m, const char *dir, job_fn job) {
    ls_err err = LS_ERR_INIT;
    place p = place_begin(m, dir);
    must(job(p.s, p.spill, &err), &err);
    listing want = assert_sound(m, p.s);
    assert_int_equal(rmdir(p.spill), 0);
    must(ls_mkdirs(p.spill, &LS_PERM_PRIVATE, &err), &err);
    place_end(&p);
    return want;
}

static void each_call_fails(void **state, const char *name, job_fn job) {
    ls_err err = LS_ERR_INIT;
    model *m = model_new(5, 512);
    for (int i = 1; i <= 9; i++) {
        must(model_step(m, T0 + i * 1000, 12, 2, &err), &err);
    }
    listing want = outcome(m, *state, job);
    for (size_t i = 0; i < sizeof all_faults / sizeof all_faults[0]; i++) {
        const fault *f = &all_faults[i];
        long n = 1;
        while (spoil(m, *state, job, &want, f, n)) {
            n++;
        }
        if (n > 1) {
            print_message("# %s: %s %d: %ld\n", name, fault_name(f->kind), f->effect, n - 1);
        }
    }
    listing_done(&want);
    model_free(m);
}

static void compaction_of_several_files(void **state) { each_call_fails(state, "merge", merge); }
static void compaction_of_one_file(void **state) { each_call_fails(state, "pass on", pass_on); }
static void retention_of_level_0(void **state) { each_call_fails(state, "level 0", retain_l0); }
static void retention_of_snapshots(void **state) {
    each_call_fails(state, "snapshots", retain_snapshots);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(compaction_of_several_files),
        unit_test_in_tempdir(compaction_of_one_file),
        unit_test_in_tempdir(retention_of_level_0),
        unit_test_in_tempdir(retention_of_snapshots),
    };
    faults_init();
    faults_without_disk(true);
    return cmocka_run_group_tests_name("calls of compaction and retention fail", tests, NULL, NULL);
}
