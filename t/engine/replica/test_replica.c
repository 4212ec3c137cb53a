/*
 * Comparison with a replica and upload, with real databases and the file store behind a spy that
 * writes down every upload and can refuse. After each story the replica is, byte for byte, what
 * SQLite sees in the database.
 */
#include "engine/replica/replica.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "t/support/dbkit.h"
#include "t/support/tempdir.h"

/* ---- A store that tells and refuses ---- */

#define MAX_PUTS 256

typedef struct spy {
    ls_storage base;
    ls_storage *inner;
    struct fixture *f;
} spy;

typedef struct fixture {
    char *dir, *path, *root, *log_path;
    ls_log log;
    sqlite3 *app;
    ls_db *db;
    ls_replica *r;
    ls_ltx_info puts[MAX_PUTS]; /* uploads that the store took */
    int n_puts;
    int fail_put;         /* this many uploads fail */
    bool fail_list;       /* the store cannot be reached */
    int calls, fail_call; /* calls of the store; the one that fails, 0: none */
} fixture;

static ls_code may_fail(fixture *f, ls_err *err) {
    return ++f->calls == f->fail_call ? ls_fail(err, LS_EIO, "connection reset by peer") : LS_OK;
}

static ls_code spy_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it, ls_err *err) {
    const spy *p = (spy *)s;
    if (p->f->fail_list) {
        return ls_fail(err, LS_EIO, "no route to host");
    }
    ls_code rc = may_fail(p->f, err);
    return rc == LS_OK ? ls_storage_list(p->inner, level, seek, it, err) : rc;
}

static ls_code spy_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                        ls_reader **r, ls_err *err) {
    ls_code rc = may_fail(((spy *)s)->f, err);
    return rc == LS_OK ? ls_storage_open_range(((spy *)s)->inner, file, off, len, r, err) : rc;
}

static ls_code spy_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                       ls_ltx_info *out, ls_err *err) {
    return ls_storage_put(((spy *)s)->inner, file, in, exclusive, out, err);
}

static ls_code spy_put_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                            bool exclusive, ls_ltx_info *out, ls_err *err) {
    fixture *f = ((spy *)s)->f;
    assert_true(exclusive);
    if (f->fail_put > 0) {
        f->fail_put--;
        return ls_fail(err, LS_EIO, "503 SlowDown");
    }
    /* A call that fails may have worked all the same: its answer was lost. */
    ls_code rc = ls_storage_put_file(((spy *)s)->inner, file, path, exclusive, out, err);
    if (rc == LS_OK) {
        rc = may_fail(f, err);
    }
    if (rc == LS_OK) {
        assert_true(f->n_puts < MAX_PUTS);
        f->puts[f->n_puts++] = *file;
    }
    return rc;
}

static ls_code spy_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    return ls_storage_remove(((spy *)s)->inner, files, n, err);
}

static void spy_free(ls_storage *s) {
    ls_storage_free(((spy *)s)->inner);
    free(s->url);
    free(s);
}

static const ls_storage_ops spy_ops = {.type = "file",
                                       .list = spy_list,
                                       .open = spy_open,
                                       .put = spy_put,
                                       .put_file = spy_put_file,
                                       .remove = spy_remove,
                                       .free = spy_free};

static ls_storage *spy_new(fixture *f) {
    ls_err err = LS_ERR_INIT;
    spy *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->base.ops = &spy_ops;
    p->base.url = strdup("file:///spy");
    p->f = f;
    must(ls_storage_open_file(f->root, NULL, &p->inner, &err), &err);
    return &p->base;
}

/* ---- Stories' verbs ---- */

static void start(fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_db_opts opts = ls_db_opts_default(f->path);
    opts.log = &f->log;
    must(ls_db_new(&opts, &f->db, &err), &err);
    must(ls_replica_new(f->db, spy_new(f), &f->log, &f->r, &err), &err);
}

static void stop(fixture *f) {
    ls_replica_free(f->r);
    ls_db_free(f->db);
    f->r = NULL;
    f->db = NULL;
}

static void capture(fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_db_sync_result res = {.more = true};
    while (res.more) {
        must(ls_db_sync(f->db, &res, &err), &err);
    }
}

static void check(fixture *f) {
    ls_err err = LS_ERR_INIT;
    must(ls_replica_check(f->r, &err), &err);
    assert_true(ls_replica_checked(f->r));
}

static int upload(fixture *f) {
    ls_err err = LS_ERR_INIT;
    ls_replica_sync_result res;
    must(ls_replica_sync(f->r, ls_db_txid(f->db), &res, &err), &err);
    assert_int_equal(res.txid, ls_db_txid(f->db));
    assert_int_equal(ls_replica_txid(f->r), ls_db_txid(f->db));
    return res.files;
}

/* Rows, captured, one file each. */
static void grow(fixture *f, int files) {
    for (int i = 0; i < files; i++) {
        add_rows(f->app, 3);
        capture(f);
    }
}

/* A database whose first n files are on the replica; everything closed but the application. */
static void begin_with(fixture *f, int n) {
    f->app = app_create(f->path, 4096);
    start(f);
    grow(f, n);
    check(f);
    assert_int_equal(upload(f), n);
    stop(f);
    f->n_puts = 0;
}

static void change_page_size(fixture *f, int size) {
    char text[160];
    (void)snprintf(text, sizeof(text),
                   "PRAGMA journal_mode=delete; PRAGMA page_size=%d; VACUUM;"
                   "PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0",
                   size);
    sql(f->app, text);
}

static char *stored(const fixture *f, int level, ls_txid min, ls_txid max) {
    ls_ltx_info file = {.level = level, .min_txid = min, .max_txid = max};
    char key[LS_STORAGE_KEY_SIZE];
    char *path = ls_path_join(f->root, ls_storage_key(&file, key));
    assert_non_null(path);
    return path;
}

static void remove_stored(const fixture *f, int level, ls_txid min, ls_txid max) {
    char *path = stored(f, level, min, max);
    assert_int_equal(unlink(path), 0);
    free(path);
}

static void remove_local(const fixture *f, ls_txid txid) {
    char *meta = ls_db_default_meta_path(f->path);
    char name[LS_LTX_NAME_SIZE];
    char *path = ls_asprintf("%s/ltx/0/%s", meta, ls_ltx_name_format(txid, txid, name));
    assert_int_equal(unlink(path), 0);
    free(path);
    free(meta);
}

static void remove_meta(const fixture *f) {
    ls_err err = LS_ERR_INIT;
    char *meta = ls_db_default_meta_path(f->path);
    must(ls_remove_tree(meta, &err), &err);
    free(meta);
}

static void wipe_replica(const fixture *f) {
    ls_err err = LS_ERR_INIT;
    must(ls_remove_tree(f->root, &err), &err);
}

static bool exists(char *path) {
    bool yes = access(path, F_OK) == 0;
    free(path);
    return yes;
}

static int logged(const fixture *f, const char *text) { return count_in(f->log_path, text); }

static int fulls(const fixture *f) { return logged(f, "msg=\"full snapshot\""); }

static void assert_replica_is_db(const fixture *f) {
    assert_true(replica_is_db(f->root, f->path));
    assert_int_equal(logged(f, "level=ERROR"), 0);
}

/* The uploads since the last look are these TXIDs at level 0, in this order. */
static void assert_puts(fixture *f, ls_txid from, ls_txid to) {
    assert_int_equal(f->n_puts, to - from + 1);
    for (int i = 0; i < f->n_puts; i++) {
        assert_int_equal(f->puts[i].level, 0);
        assert_int_equal(f->puts[i].min_txid, from + (ls_txid)i);
        assert_int_equal(f->puts[i].max_txid, from + (ls_txid)i);
    }
    f->n_puts = 0;
}

static int setup(void **state) {
    fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    if (tempdir_setup((void **)&f->dir) != 0) {
        return -1;
    }
    f->path = ls_path_join(f->dir, "a.db");
    f->root = ls_path_join(f->dir, "replica");
    f->log_path = ls_path_join(f->dir, "log");
    f->log = LS_LOG_DEFAULT;
    f->log.fd = open(f->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    *state = f;
    return f->log.fd >= 0 ? 0 : -1;
}

static int teardown(void **state) {
    fixture *f = *state;
    stop(f);
    sqlite3_close(f->app);
    close(f->log.fd);
    free(f->path);
    free(f->root);
    free(f->log_path);
    int rc = tempdir_teardown((void **)&f->dir);
    free(f);
    return rc;
}

/* ---- Stories ---- */

static void empty_store_gets_all_in_order(void **state) {
    fixture *f = *state;
    f->app = app_create(f->path, 4096);
    start(f);
    grow(f, 5);
    check(f);
    assert_int_equal(ls_replica_txid(f->r), 0);
    assert_int_equal(upload(f), 5);
    assert_puts(f, 1, 5);
    assert_replica_is_db(f);
    assert_int_equal(upload(f), 0);
    grow(f, 2);
    assert_int_equal(upload(f), 2);
    assert_puts(f, 6, 7);
    assert_replica_is_db(f);
    assert_int_equal(logged(f, "msg=\"ltx file uploaded\""), 7);
    assert_int_equal(logged(f, "system=store db=a.db replica=file level=0 "
                               "minTXID=0000000000000007 maxTXID=0000000000000007 size="),
                     1);
    assert_int_equal(logged(f, "level=WARN"), 0);
    assert_int_equal(fulls(f), 1);
}

static void upload_needs_a_check(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    f->app = app_create(f->path, 4096);
    start(f);
    grow(f, 1);
    assert_false(ls_replica_checked(f->r));
    assert_int_equal(ls_replica_sync(f->r, 1, NULL, &err), LS_ENOTREADY);
    assert_int_equal(f->n_puts, 0);
}

static void restart_goes_on_where_it_was(void **state) {
    fixture *f = *state;
    begin_with(f, 4);
    start(f);
    check(f);
    assert_int_equal(ls_replica_txid(f->r), 4);
    grow(f, 2);
    assert_int_equal(upload(f), 2);
    assert_puts(f, 5, 6);
    assert_replica_is_db(f);
    assert_int_equal(fulls(f), 1);
    assert_int_equal(logged(f, "level=WARN"), 0);
}

static void what_was_not_uploaded_at_the_stop_follows(void **state) {
    fixture *f = *state;
    begin_with(f, 2);
    start(f);
    grow(f, 3);
    stop(f);
    start(f);
    check(f);
    assert_int_equal(ls_replica_txid(f->r), 2);
    capture(f);
    assert_int_equal(upload(f), 3);
    assert_puts(f, 3, 5);
    assert_replica_is_db(f);
    assert_int_equal(fulls(f), 1);
}

static void replica_ahead_gets_a_full_file_behind_it(void **state) {
    fixture *f = *state;
    begin_with(f, 5);
    remove_meta(f);
    start(f);
    check(f);
    assert_int_equal(ls_replica_txid(f->r), 5);
    assert_int_equal(ls_db_txid(f->db), 5);
    grow(f, 1);
    assert_int_equal(ls_db_txid(f->db), 6);
    assert_int_equal(upload(f), 1);
    assert_puts(f, 6, 6);
    assert_replica_is_db(f);
    assert_int_equal(fulls(f), 2);
    assert_int_equal(logged(f, "detected database behind replica"), 1);
}

/* The store could not be asked before capture began: what it wrote gives way. */
static void replica_ahead_found_late(void **state) {
    fixture *f = *state;
    begin_with(f, 5);
    remove_meta(f);
    start(f);
    grow(f, 2);
    assert_int_equal(ls_db_txid(f->db), 2);
    check(f);
    assert_int_equal(ls_db_txid(f->db), 5);
    grow(f, 1);
    assert_int_equal(upload(f), 1);
    assert_puts(f, 6, 6);
    assert_replica_is_db(f);
}

/* The base of the chain is neither here nor there: level 0 alone would not tell. */
static void replica_known_by_a_higher_level_only(void **state) {
    fixture *f = *state;
    begin_with(f, 3);
    char *from = stored(f, 0, 1, 1), *to = stored(f, 9, 1, 1), *dir = ls_path_dir(to);
    ls_err err = LS_ERR_INIT;
    ls_perm perm = LS_PERM_PRIVATE;
    must(ls_mkdirs(dir, &perm, &err), &err);
    assert_int_equal(rename(from, to), 0);
    remove_stored(f, 0, 2, 2);
    remove_stored(f, 0, 3, 3);
    free(from);
    free(to);
    free(dir);
    remove_meta(f);
    start(f);
    check(f);
    assert_int_equal(ls_replica_txid(f->r), 1);
    grow(f, 1);
    assert_int_equal(upload(f), 1);
    assert_puts(f, 2, 2);
    assert_replica_is_db(f);
}

/* Level 0 was merged away: the newest file of another level agrees with the local one. */
static void level_0_gone_but_same_lineage(void **state) {
    fixture *f = *state;
    begin_with(f, 1);
    char *from = stored(f, 0, 1, 1), *to = stored(f, 1, 1, 1), *dir = ls_path_dir(to);
    ls_err err = LS_ERR_INIT;
    ls_perm perm = LS_PERM_PRIVATE;
    must(ls_mkdirs(dir, &perm, &err), &err);
    assert_int_equal(rename(from, to), 0);
    free(from);
    free(to);
    free(dir);
    start(f);
    check(f);
    assert_int_equal(ls_replica_txid(f->r), 1);
    grow(f, 2);
    assert_int_equal(upload(f), 2);
    assert_puts(f, 2, 3);
    assert_replica_is_db(f);
    assert_int_equal(fulls(f), 1);
}

/* Another database's files stand at the replica, as many or fewer than here. */
static void other_lineage(fixture *f, int theirs, int ours) {
    f->app = app_create(f->path, 4096);
    start(f);
    grow(f, theirs);
    check(f);
    (void)upload(f);
    stop(f);
    remove_meta(f);
    start(f);
    grow(f, ours);
    f->n_puts = 0;
    check(f);
    assert_int_equal(logged(f, "replica and local files are of different lineages"), 1);
    assert_int_equal(ls_replica_txid(f->r), theirs);
    assert_int_equal(ls_db_txid(f->db), theirs);
    grow(f, 2);
    assert_int_equal(upload(f), 2);
    assert_puts(f, (ls_txid)theirs + 1, (ls_txid)theirs + 2);
    assert_true(replica_is_db(f->root, f->path));
}

static void other_lineage_with_as_many_files(void **state) { other_lineage(*state, 3, 3); }
static void other_lineage_with_fewer_files(void **state) { other_lineage(*state, 2, 6); }
static void other_lineage_one_behind(void **state) { other_lineage(*state, 3, 4); }

static void empty_store_and_no_first_file(void **state) {
    fixture *f = *state;
    begin_with(f, 3);
    wipe_replica(f);
    remove_local(f, 1);
    start(f);
    check(f);
    assert_int_equal(ls_replica_txid(f->r), 0);
    grow(f, 1);
    assert_int_equal(ls_db_txid(f->db), 1);
    assert_int_equal(upload(f), 1);
    assert_puts(f, 1, 1);
    assert_replica_is_db(f);
}

static void empty_store_and_whole_chain(void **state) {
    fixture *f = *state;
    begin_with(f, 3);
    wipe_replica(f);
    start(f);
    check(f);
    grow(f, 1);
    assert_int_equal(upload(f), 4);
    assert_puts(f, 1, 4);
    assert_replica_is_db(f);
    assert_int_equal(fulls(f), 1);
}

/* Between the replica's newest and ours a file is missing. */
static void hole_in_local_files(void **state) {
    fixture *f = *state;
    begin_with(f, 2);
    start(f);
    grow(f, 3);
    stop(f);
    remove_local(f, 4);
    start(f);
    check(f);
    assert_int_equal(ls_db_txid(f->db), 2);
    grow(f, 1);
    assert_int_equal(upload(f), 1);
    assert_puts(f, 3, 3);
    assert_replica_is_db(f);
}

/* The local file of the replica's newest TXID is gone: only a full file may follow. */
static void nothing_left_to_compare(void **state) {
    fixture *f = *state;
    begin_with(f, 2);
    start(f);
    grow(f, 2);
    stop(f);
    remove_local(f, 1);
    remove_local(f, 2);
    start(f);
    check(f);
    assert_int_equal(ls_db_txid(f->db), 2);
    grow(f, 1);
    stop(f);
    /* And again: now the file behind the replica's newest is full. */
    start(f);
    check(f);
    assert_int_equal(ls_replica_txid(f->r), 2);
    assert_int_equal(fulls(f), 2);
    grow(f, 1);
    assert_int_equal(upload(f), 2);
    assert_puts(f, 3, 4);
    assert_replica_is_db(f);
    assert_int_equal(fulls(f), 2);
}

static void upload_that_fails_leaves_no_gap(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_replica_sync_result res;
    f->app = app_create(f->path, 4096);
    start(f);
    check(f);
    grow(f, 4);
    must(ls_replica_sync(f->r, 2, &res, &err), &err);
    f->fail_put = 2;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ls_replica_sync(f->r, 4, &res, &err), LS_EIO);
        assert_non_null(strstr(err.msg, "0000000000000003-0000000000000003.ltx"));
        assert_non_null(strstr(err.msg, "503 SlowDown"));
        assert_int_equal(res.txid, 2);
        assert_true(ls_replica_checked(f->r));
    }
    assert_int_equal(upload(f), 2);
    assert_puts(f, 1, 4);
    assert_replica_is_db(f);
}

/* The upload went through but its answer was lost: the same bytes are there already. */
static void same_object_counts_as_uploaded(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_storage *s;
    ls_ltx_info file = {.min_txid = 2, .max_txid = 2};
    f->app = app_create(f->path, 4096);
    start(f);
    grow(f, 3);
    check(f);
    must(ls_storage_open_file(f->root, NULL, &s, &err), &err);
    char *path = ls_db_ltx_path(f->db, 0, 2, 2);
    must(ls_storage_put_file(s, &file, path, true, NULL, &err), &err);
    free(path);
    ls_storage_free(s);
    assert_int_equal(upload(f), 2);
    assert_int_equal(f->n_puts, 2);
    assert_replica_is_db(f);
}

static void other_object_stops_uploads(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    begin_with(f, 2);
    start(f);
    check(f);
    grow(f, 2);
    /* Another process of the same replica was there first. */
    char *theirs = stored(f, 0, 3, 3), *local = ls_db_ltx_path(f->db, 0, 4, 4);
    char *data;
    size_t len;
    must(ls_read_file(local, 1 << 20, &data, &len, &err), &err);
    put_file(theirs, data, len);
    for (int i = 0; i < 2; i++) {
        ls_replica_sync_result res;
        assert_int_equal(ls_replica_sync(f->r, 4, &res, &err), LS_EDIVERGED);
        assert_non_null(strstr(err.msg, "ltx/0/0000000000000003-0000000000000003.ltx"));
        assert_non_null(strstr(ls_err_hint(&err), "its own replica path"));
        assert_int_equal(res.txid, 2);
    }
    assert_int_equal(f->n_puts, 0);
    assert_file_is(theirs, data, len);
    free(data);
    free(local);
    free(theirs);
    /* A new start compares again and goes on behind what is there. */
    stop(f);
    start(f);
    check(f);
    capture(f);
    (void)upload(f);
    assert_puts(f, 4, 4);
    stop(f);
}

static void store_emptied_under_way(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    f->app = app_create(f->path, 4096);
    start(f);
    check(f);
    grow(f, 3);
    (void)upload(f);
    wipe_replica(f);
    grow(f, 1);
    f->n_puts = 0;
    assert_int_equal(ls_replica_sync(f->r, 4, NULL, &err), LS_EGAP);
    assert_non_null(strstr(err.msg, "has lost or exchanged ltx/0/0000000000000003"));
    assert_false(ls_replica_checked(f->r));
    assert_int_equal(f->n_puts, 0);
    check(f);
    assert_int_equal(upload(f), 4);
    assert_puts(f, 1, 4);
    assert_replica_is_db(f);
    assert_int_equal(fulls(f), 1);
}

static void store_exchanged_under_way(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    f->app = app_create(f->path, 4096);
    start(f);
    check(f);
    grow(f, 3);
    (void)upload(f);
    char *newest = stored(f, 0, 3, 3), *other = stored(f, 0, 2, 2);
    assert_int_equal(rename(other, newest), 0);
    free(newest);
    free(other);
    grow(f, 1);
    assert_int_equal(ls_replica_sync(f->r, 4, NULL, &err), LS_EGAP);
    assert_false(ls_replica_checked(f->r));
}

static void local_file_lost_before_its_upload(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    f->app = app_create(f->path, 4096);
    start(f);
    check(f);
    grow(f, 2);
    (void)upload(f);
    grow(f, 2);
    remove_local(f, 3);
    assert_int_equal(ls_replica_sync(f->r, 4, NULL, &err), LS_EGAP);
    assert_false(ls_replica_checked(f->r));
    check(f);
    grow(f, 1);
    f->n_puts = 0;
    assert_int_equal(upload(f), 1);
    assert_puts(f, 3, 3);
    assert_replica_is_db(f);
}

static void local_file_with_other_txids(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    f->app = app_create(f->path, 4096);
    start(f);
    check(f);
    grow(f, 3);
    char *three = ls_db_ltx_path(f->db, 0, 3, 3), *two = ls_db_ltx_path(f->db, 0, 2, 2);
    assert_int_equal(rename(three, two), 0);
    free(three);
    free(two);
    assert_int_equal(ls_replica_sync(f->r, 3, NULL, &err), LS_EGAP);
    assert_non_null(strstr(err.msg, "holds TXIDs 0000000000000003-0000000000000003"));
    assert_puts(f, 1, 1);
}

/* One call after the other fails; what is at the store is without a gap after each, and whole when
 * the last try has gone through. */
static void any_call_of_the_store_may_fail(void **state) {
    fixture *f = *state;
    int failed = 0;
    begin_with(f, 2);
    change_page_size(f, 8192);
    start(f);
    grow(f, 2);
    for (bool done = false; !done;) {
        ls_err err = LS_ERR_INIT;
        ls_storage *s;
        f->calls = 0;
        f->fail_call++;
        ls_replica_uncheck(f->r);
        ls_code rc = ls_replica_check(f->r, &err);
        if (rc == LS_OK) {
            rc = ls_replica_sync(f->r, ls_db_txid(f->db), NULL, &err);
        }
        done = rc == LS_OK && f->calls < f->fail_call;
        assert_true(rc == LS_OK || rc == LS_EIO);
        failed += rc == LS_EIO;
        must(ls_storage_open_file(f->root, NULL, &s, &err), &err);
        image im = image_of(s);
        assert_true(im.txid >= 2);
        free(im.data);
        ls_storage_free(s);
    }
    assert_true(failed > 20);
    assert_replica_is_db(f);
}

static void store_out_of_reach(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    f->app = app_create(f->path, 4096);
    start(f);
    f->fail_list = true;
    assert_int_equal(ls_replica_probe(f->r, &err), LS_EIO);
    assert_non_null(strstr(err.msg, "compare with replica file:///spy"));
    assert_false(ls_replica_probed(f->r));
    assert_int_equal(ls_replica_check(f->r, &err), LS_EIO);
    grow(f, 3);
    f->fail_list = false;
    check(f);
    assert_int_equal(upload(f), 3);
    assert_replica_is_db(f);
}

/* After a probe the check itself does not ask the store. */
static void check_after_a_probe_is_local(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    begin_with(f, 2);
    start(f);
    must(ls_replica_probe(f->r, &err), &err);
    f->fail_list = true;
    check(f);
    assert_int_equal(ls_replica_txid(f->r), 2);
}

static void impossible_txid_at_the_store(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    begin_with(f, 1);
    char *path = stored(f, 0, UINT64_MAX, UINT64_MAX);
    put_file(path, "", 0);
    free(path);
    start(f);
    assert_int_equal(ls_replica_check(f->r, &err), LS_ECORRUPT);
    assert_non_null(strstr(err.msg, "ffffffffffffffff"));
}

/* The newest file at the store is cut off: nothing that is built on it could be restored. */
static void damaged_newest_file_at_the_store(void **state) {
    fixture *f = *state;
    begin_with(f, 3);
    char *path = stored(f, 0, 3, 3);
    assert_int_equal(truncate(path, 50), 0);
    free(path);
    start(f);
    check(f);
    grow(f, 2);
    (void)upload(f);
    assert_int_equal(f->n_puts, 3);
    assert_int_equal(f->puts[0].level, 9);
    assert_int_equal(f->puts[0].min_txid, 1);
    assert_int_equal(f->puts[0].max_txid, 4);
    assert_int_equal(f->puts[1].level, 0);
    assert_int_equal(f->puts[1].max_txid, 4);
    assert_true(replica_is_db(f->root, f->path));
}

/* A file in the middle is gone at the store: it gets a new base, and stays whole from there on. */
static void hole_at_the_store(void **state) {
    fixture *f = *state;
    begin_with(f, 5);
    remove_stored(f, 0, 3, 3);
    for (int run = 0; run < 2; run++) {
        start(f);
        check(f);
        grow(f, 2);
        (void)upload(f);
        assert_true(replica_is_db(f->root, f->path));
        stop(f);
    }
    assert_int_equal(f->n_puts, 5);
    assert_int_equal(f->puts[0].level, 9);
    assert_int_equal(f->puts[0].max_txid, 6);
    for (int i = 1; i < 5; i++) {
        assert_int_equal(f->puts[i].level, 0);
        assert_int_equal(f->puts[i].max_txid, 5 + i);
    }
    assert_int_equal(logged(f, "replica cannot be restored to its newest TXID"), 2);
    assert_int_equal(logged(f, "level=WARN"), 1);
    assert_int_equal(fulls(f), 2);
}

static void first_file_gone_at_the_store_and_meta_lost(void **state) {
    fixture *f = *state;
    begin_with(f, 3);
    remove_stored(f, 0, 1, 1);
    remove_meta(f);
    start(f);
    check(f);
    grow(f, 1);
    (void)upload(f);
    assert_int_equal(f->n_puts, 2);
    assert_int_equal(f->puts[0].level, 9);
    assert_int_equal(f->puts[0].max_txid, 4);
    assert_replica_is_db(f);
}

/* ---- Page sizes ---- */

/* Capture made the snapshot; it goes up before the level-0 file beside it, and is then removed. */
static void new_page_size_brings_its_snapshot(void **state) {
    fixture *f = *state;
    begin_with(f, 2);
    change_page_size(f, 8192);
    start(f);
    capture(f);
    assert_int_equal(ls_db_txid(f->db), 3);
    assert_true(exists(ls_db_ltx_path(f->db, 9, 1, 3)));
    check(f);
    grow(f, 1);
    (void)upload(f);
    assert_int_equal(f->n_puts, 3);
    assert_int_equal(f->puts[0].level, 9);
    assert_int_equal(f->puts[0].min_txid, 1);
    assert_int_equal(f->puts[0].max_txid, 3);
    assert_int_equal(f->puts[1].level, 0);
    assert_int_equal(f->puts[1].max_txid, 3);
    assert_int_equal(f->puts[2].max_txid, 4);
    assert_false(exists(ls_db_ltx_path(f->db, 9, 1, 3)));
    assert_replica_is_db(f);
}

/* Stopped between the two uploads: the level-0 file is not forgotten. */
static void snapshot_was_uploaded_but_not_its_file(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    ls_storage *s;
    ls_ltx_info file = {.level = 9, .min_txid = 1, .max_txid = 3};
    begin_with(f, 2);
    change_page_size(f, 1024);
    start(f);
    capture(f);
    must(ls_storage_open_file(f->root, NULL, &s, &err), &err);
    char *path = ls_db_ltx_path(f->db, 9, 1, 3);
    must(ls_storage_put_file(s, &file, path, true, NULL, &err), &err);
    free(path);
    ls_storage_free(s);
    check(f);
    assert_int_equal(ls_replica_txid(f->r), 2);
    (void)upload(f);
    assert_puts(f, 3, 3);
    assert_false(exists(ls_db_ltx_path(f->db, 9, 1, 3)));
    assert_replica_is_db(f);
}

/* No local file knows of the old page size: the comparison shows it and a base is made here. */
static void new_page_size_and_meta_lost(void **state) {
    fixture *f = *state;
    begin_with(f, 2);
    change_page_size(f, 512);
    remove_meta(f);
    start(f);
    check(f);
    grow(f, 2);
    (void)upload(f);
    assert_int_equal(f->n_puts, 3);
    assert_int_equal(f->puts[0].level, 9);
    assert_int_equal(f->puts[0].max_txid, 3);
    assert_int_equal(f->puts[1].level, 0);
    assert_int_equal(f->puts[2].max_txid, 4);
    assert_false(exists(ls_db_ltx_path(f->db, 9, 1, 3)));
    assert_replica_is_db(f);
}

/* Whose file that may be: of another page size and not full it is no continuation. */
static void next_file_of_another_page_size(void **state) {
    fixture *f = *state;
    ls_err err = LS_ERR_INIT;
    begin_with(f, 3);
    char *path = ls_path_join(f->dir, "b.db");
    ls_db_opts opts = ls_db_opts_default(path);
    sqlite3 *app = app_create(path, 8192);
    ls_db *db;
    must(ls_db_new(&opts, &db, &err), &err);
    for (int i = 0; i < 4; i++) {
        ls_db_sync_result res;
        add_rows(app, 1);
        must(ls_db_sync(db, &res, &err), &err);
    }
    start(f);
    char *theirs = ls_db_ltx_path(db, 0, 4, 4), *ours = ls_db_ltx_path(f->db, 0, 4, 4);
    assert_int_equal(rename(theirs, ours), 0);
    free(theirs);
    free(ours);
    ls_db_free(db);
    sqlite3_close(app);
    free(path);
    check(f);
    assert_int_equal(ls_db_txid(f->db), 3);
    grow(f, 1);
    (void)upload(f);
    assert_puts(f, 4, 4);
    assert_replica_is_db(f);
}

/* A damaged snapshot that waits is made again. */
static void damaged_waiting_snapshot(void **state) {
    fixture *f = *state;
    begin_with(f, 2);
    change_page_size(f, 8192);
    start(f);
    capture(f);
    char *path = ls_db_ltx_path(f->db, 9, 1, 3);
    assert_int_equal(truncate(path, 120), 0);
    free(path);
    check(f);
    (void)upload(f);
    assert_int_equal(f->n_puts, 2);
    assert_replica_is_db(f);
}

int main(void) {
#define STORY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        STORY(empty_store_gets_all_in_order),
        STORY(upload_needs_a_check),
        STORY(restart_goes_on_where_it_was),
        STORY(what_was_not_uploaded_at_the_stop_follows),
        STORY(replica_ahead_gets_a_full_file_behind_it),
        STORY(replica_ahead_found_late),
        STORY(replica_known_by_a_higher_level_only),
        STORY(level_0_gone_but_same_lineage),
        STORY(other_lineage_with_as_many_files),
        STORY(other_lineage_with_fewer_files),
        STORY(other_lineage_one_behind),
        STORY(empty_store_and_no_first_file),
        STORY(empty_store_and_whole_chain),
        STORY(hole_in_local_files),
        STORY(nothing_left_to_compare),
        STORY(upload_that_fails_leaves_no_gap),
        STORY(same_object_counts_as_uploaded),
        STORY(other_object_stops_uploads),
        STORY(store_emptied_under_way),
        STORY(store_exchanged_under_way),
        STORY(local_file_lost_before_its_upload),
        STORY(local_file_with_other_txids),
        STORY(any_call_of_the_store_may_fail),
        STORY(store_out_of_reach),
        STORY(check_after_a_probe_is_local),
        STORY(impossible_txid_at_the_store),
        STORY(damaged_newest_file_at_the_store),
        STORY(hole_at_the_store),
        STORY(first_file_gone_at_the_store_and_meta_lost),
        STORY(new_page_size_brings_its_snapshot),
        STORY(snapshot_was_uploaded_but_not_its_file),
        STORY(new_page_size_and_meta_lost),
        STORY(next_file_of_another_page_size),
        STORY(damaged_waiting_snapshot),
    };
    return cmocka_run_group_tests_name("replica", tests, NULL, NULL);
}
