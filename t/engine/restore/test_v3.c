/*
 * Replicas of v0.3: everything that the recorded one says, and replicas made of a real database
 * here, whole and broken in every way. Covers engine/restore/v3.c, engine/restore/v3list.c,
 * engine/restore/v3log.c, engine/restore/lz4stream.c and engine/restore/look.c.
 */
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/base/text.h"
#include "engine/restore/lz4stream.h"
#include "engine/restore/v3.h"
#include "engine/restore/v3list.h"
#include "t/engine/restore/replica.h"
#include "t/support/tempdir.h"
#include "t/support/v3files.h"

#define GEN "0123456789abcdef"
#define GEN2 "fedcba9876543210"
#define T0 1700000000000
#define LOGS 4
#define PARTS 5 /* segments of a log */

/* ---- a replica of a database that lived through LOGS logs ---- */

typedef struct bytes {
    char *data;
    size_t len;
} bytes;

typedef struct place {
    char *dir, *root, *db_path, *out;
    ls_storage *s;
    bytes base[LOGS + 1];     /* the database before each log, and at the end */
    size_t ends[LOGS][PARTS]; /* of the transactions in each log */
    bytes logs[LOGS];
    ls_err err;
} place;

static bytes read_bytes(const char *path) {
    bytes b;
    ls_err err = LS_ERR_INIT;
    must(ls_read_file(path, 1u << 24, &b.data, &b.len, &err), &err);
    return b;
}

static void sql(sqlite3 *h, const char *text) {
    char *msg = NULL;
    if (sqlite3_exec(h, text, NULL, NULL, &msg) != SQLITE_OK) {
        fail_msg("%s: %s", text, msg);
    }
}

static size_t size_of(const char *path) {
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

static void live(place *p) {
    sqlite3 *h;
    char *wal = ls_asprintf("%s-wal", p->db_path);
    assert_int_equal(sqlite3_open(p->db_path, &h), SQLITE_OK);
    sql(h, "PRAGMA page_size=1024; PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0;"
           "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB); PRAGMA wal_checkpoint(TRUNCATE)");
    for (int i = 0; i < LOGS; i++) {
        p->base[i] = read_bytes(p->db_path);
        for (int j = 0; j < PARTS; j++) {
            sql(h, "INSERT INTO t(v) VALUES (randomblob(1500)), (randomblob(300))");
            p->ends[i][j] = size_of(wal);
        }
        p->logs[i] = read_bytes(wal);
        sql(h, "PRAGMA wal_checkpoint(TRUNCATE)");
    }
    p->base[LOGS] = read_bytes(p->db_path);
    assert_int_equal(sqlite3_close(h), SQLITE_OK);
    free(wal);
}

static int setup(void **state) {
    place *p = calloc(1, sizeof *p);
    assert_non_null(p);
    void *dir = NULL;
    assert_int_equal(tempdir_setup(&dir), 0);
    p->dir = dir;
    p->root = ls_path_join(p->dir, "replica");
    p->out = ls_path_join(p->dir, "out.db");
    p->db_path = ls_path_join(p->dir, "app.db");
    must(ls_storage_open_file(p->root, NULL, &p->s, &p->err), &p->err);
    live(p);
    *state = p;
    return 0;
}

static int teardown(void **state) {
    place *p = *state;
    for (int i = 0; i <= LOGS; i++) {
        free(p->base[i].data);
    }
    for (int i = 0; i < LOGS; i++) {
        free(p->logs[i].data);
    }
    ls_storage_free(p->s);
    void *dir = p->dir;
    int rc = tempdir_teardown(&dir);
    free(p->root);
    free(p->out);
    free(p->db_path);
    free(p);
    return rc;
}

/* ---- objects ---- */

static char *object_path(const place *p, const char *key) {
    char *path = ls_path_join(p->root, key);
    assert_non_null(path);
    return path;
}

static void put_raw(const place *p, const char *key, const void *data, size_t len, int64_t ms) {
    v3_put(p->root, key, data, len, ms);
}

static void put_lz4(const place *p, const char *key, const char *data, size_t len, int64_t ms) {
    v3_put_lz4(p->root, key, data, len, ms);
}

static void put_snapshot(const place *p, const char *gen, unsigned index, int log, int64_t ms) {
    char *key = v3_snapshot_key(gen, index);
    put_lz4(p, key, p->base[log].data, p->base[log].len, ms);
    free(key);
}

/* The time of a transaction's segment. */
static int64_t part_ms(int log, int part) { return T0 + log * 10000 + part * 1000 + 1000; }

static size_t part_begin(const place *p, int log, int part) {
    return part == 0 ? 0 : p->ends[log][part - 1];
}

static char *part_key(const place *p, const char *gen, unsigned index, int log, int part,
                      int digits) {
    return v3_wal_key(gen, index, part_begin(p, log, part), digits);
}

static void put_log(const place *p, const char *gen, unsigned index, int log, int digits) {
    for (int j = 0; j < PARTS; j++) {
        char *key = part_key(p, gen, index, log, j, digits);
        size_t begin = part_begin(p, log, j);
        put_lz4(p, key, p->logs[log].data + begin, p->ends[log][j] - begin, part_ms(log, j));
        free(key);
    }
}

/* Snapshot before the first log, and all logs. */
static void put_all(const place *p) {
    put_snapshot(p, GEN, 0, 0, T0);
    for (int i = 0; i < LOGS; i++) {
        put_log(p, GEN, (unsigned)i, i, 8);
    }
}

static void remove_object(const place *p, char *key) {
    char *path = object_path(p, key);
    assert_int_equal(unlink(path), 0);
    free(path);
    free(key);
}

/* ---- restores ---- */

static bool exists(const place *p, const char *suffix) {
    char *path = ls_asprintf("%s%s", p->out, suffix);
    struct stat st;
    bool there = lstat(path, &st) == 0;
    free(path);
    return there;
}

static void assert_nothing_beside(const place *p) {
    assert_false(exists(p, ".tmp"));
    assert_false(exists(p, ".tmp-wal"));
    assert_false(exists(p, ".tmp-shm"));
    assert_false(exists(p, "-wal"));
    assert_false(exists(p, "-shm"));
}

static ls_code restore_at(place *p, int64_t ms, ls_restore_result *result) {
    p->err = LS_ERR_INIT;
    (void)unlink(p->out);
    const ls_restore_opts opts = {.output = p->out, .timestamp_ms = ms};
    ls_code code = ls_restore(p->s, &opts, result, &p->err);
    assert_nothing_beside(p);
    assert_int_equal(exists(p, ""), code == LS_OK);
    return code;
}

static void assert_restores(place *p, int64_t ms, const bytes *want) {
    ls_restore_result result;
    must(restore_at(p, ms, &result), &p->err);
    assert_file_is(p->out, want->data, want->len);
    assert_int_equal(result.txid, 0);
    assert_int_equal(result.page_size, 1024);
    assert_int_equal(result.pages, want->len / 1024);
}

static void assert_fails(place *p, int64_t ms, ls_code code, const char *text) {
    ls_restore_result result;
    ls_code got = restore_at(p, ms, &result);
    if (got != code || strstr(p->err.msg, text) == NULL) {
        fail_msg("%s: %s; not %s: %s", ls_code_name(got), p->err.msg, ls_code_name(code), text);
    }
    assert_true(ls_err_hint(&p->err)[0] != '\0');
}

static int rows(const place *p) {
    sqlite3 *h;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(p->out, &h), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(h, "SELECT count(*) FROM t", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int n = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(h);
    return n;
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* ---- the recorded replica ---- */

static void assert_sha(const place *p, const json_t *want) {
    bytes b = read_bytes(p->out);
    char sha[SHA256_HEX_SIZE];
    assert_string_equal(sha256_hex(b.data, b.len, sha), jstr(want, "file_sha256"));
    free(b.data);
}

/* The newest, and each time in it. */
static void recorded_times(void **state) {
    place *p = *state;
    json_t *expected = replica_copy("v03-a", p->dir);
    bool any;
    int64_t oldest;
    int64_t newest;
    must(ls_restore_bounds(p->s, &any, &oldest, &newest, &p->err), &p->err);
    size_t i;
    int ran = 0;
    json_t *one;
    json_array_foreach(jget(expected, "expected"), i, one) {
        json_t *args = jget(one, "args");
        int64_t ms = LS_NO_TIMESTAMP;
        if (json_array_size(args) > 0) {
            if (strcmp(json_string_value(json_array_get(args, 0)), "-timestamp") != 0) {
                continue;
            }
            must(ls_time_parse(json_string_value(json_array_get(args, 1)), &ms, &p->err), &p->err);
        }
        ran++;
        ls_restore_result result;
        ls_code code = restore_at(p, ms, &result);
        if (jbool(one, "ok")) {
            must(code, &p->err);
            assert_sha(p, one);
        } else if (ms < newest) {
            assert_int_equal(code, LS_ENOBACKUP);
        } else { /* that a time to come is refused is the command's */
            must(code, &p->err);
        }
    }
    assert_true(ran >= 20);
    json_decref(expected);
}

/* Every log's end: what comes later is taken away, the last first. */
static void recorded_logs(void **state) {
    place *p = *state;
    json_t *expected = replica_copy("v03-a", p->dir);
    size_t i;
    int ran = 0;
    json_t *all = jget(expected, "expected");
    for (i = json_array_size(all); i-- > 0;) {
        json_t *one = json_array_get(all, i);
        json_t *args = jget(one, "args");
        if (json_array_size(args) != 4) {
            continue;
        }
        unsigned index = (unsigned)strtoul(json_string_value(json_array_get(args, 3)), NULL, 16);
        char *cmd = ls_asprintf("cd '%s/generations' && for f in */*/*.lz4; do n=${f##*/}; "
                                "[ $((0x${n%%%%[_.]*})) -le %u ] || rm $f; done",
                                p->root, index);
        assert_int_equal(system(cmd), 0);
        free(cmd);
        ls_restore_result result;
        must(restore_at(p, LS_NO_TIMESTAMP, &result), &p->err);
        assert_sha(p, one);
        ran++;
    }
    assert_int_equal(ran, 9);
    json_decref(expected);
}

/* ---- logs, generations, times ---- */

static void logs_one_after_the_other(void **state) {
    place *p = *state;
    put_all(p);
    assert_restores(p, LS_NO_TIMESTAMP, &p->base[LOGS]);
    assert_int_equal(rows(p), LOGS * PARTS * 2);
    for (int i = 0; i < LOGS; i++) {
        for (int j = 0; j < PARTS; j++) {
            ls_restore_result result;
            must(restore_at(p, part_ms(i, j), &result), &p->err); /* inclusive */
            assert_int_equal(rows(p), (i * PARTS + j + 1) * 2);
            must(restore_at(p, part_ms(i, j) - 1, &result), &p->err);
            assert_int_equal(rows(p), (i * PARTS + j) * 2);
        }
    }
    assert_fails(p, T0 - 1, LS_ENOBACKUP, "no matching backup files available");
}

static void newest_snapshot_is_taken(void **state) {
    place *p = *state;
    put_all(p);
    put_snapshot(p, GEN, 2, 2, part_ms(1, 4) + 10);
    assert_restores(p, LS_NO_TIMESTAMP, &p->base[LOGS]);
    assert_restores(p, part_ms(1, 4), &p->base[2]);
    /* What is missing before it does no harm any more, and after it does. */
    remove_object(p, part_key(p, GEN, 1, 1, 2, 8));
    assert_restores(p, LS_NO_TIMESTAMP, &p->base[LOGS]);
    assert_fails(p, part_ms(1, 4), LS_EGAP, "missing WAL segment");
}

static void offsets_of_16_digits(void **state) {
    place *p = *state;
    put_snapshot(p, GEN, 7, 0, T0);
    put_log(p, GEN, 7, 0, 16);
    put_log(p, GEN, 8, 1, 11);
    assert_restores(p, LS_NO_TIMESTAMP, &p->base[2]);
}

static void several_generations(void **state) {
    place *p = *state;
    put_snapshot(p, GEN2, 5, 0, T0);
    put_log(p, GEN2, 5, 0, 8);
    put_log(p, GEN2, 6, 1, 8);
    put_snapshot(p, GEN, 0, 2, part_ms(2, 0) - 500);
    put_log(p, GEN, 0, 2, 8);
    assert_restores(p, LS_NO_TIMESTAMP, &p->base[3]);
    assert_restores(p, part_ms(2, 0) - 501, &p->base[2]); /* end of the older generation */
    ls_restore_result result;
    must(restore_at(p, part_ms(1, 1), &result), &p->err);
    assert_int_equal(rows(p), (PARTS + 2) * 2);
}

static void other_names_are_passed_over(void **state) {
    place *p = *state;
    put_all(p);
    static const char *const names[] = {
        "generations/" GEN "/wal/00000000_00000000.wal.lz4.tmp",
        "generations/" GEN "/wal/00000000_0000000.wal.lz4",
        "generations/" GEN "/wal/0000000G_00000000.wal.lz4",
        "generations/" GEN "/wal/80000000_00000000.wal.lz4",
        "generations/" GEN "/wal/00000000_00000000000000000.wal.lz4",
        "generations/" GEN "/wal/00000000_8000000000000000.wal.lz4",
        "generations/" GEN "/wal/0000000A_00000000.wal.lz4",
        "generations/" GEN "/wal/sub/00000009_00000000.wal.lz4",
        "generations/" GEN "/snapshots/00000009.snapshot",
        "generations/" GEN "/snapshots/ 0000009.snapshot.lz4",
        "generations/0123456789ABCDEF/snapshots/00000009.snapshot.lz4",
        "generations/0123456789abcde/snapshots/00000009.snapshot.lz4",
        "generations/notes.txt",
        "snapshots/00000009.snapshot.lz4",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        put_raw(p, names[i], "x", 1, T0 + 1000000);
    }
    assert_restores(p, LS_NO_TIMESTAMP, &p->base[LOGS]);
    ls_v3_bounds bounds;
    must(ls_v3_find_bounds(p->s, &bounds, &p->err), &p->err);
    assert_true(bounds.any);
    assert_int_equal(bounds.oldest_ms, T0);
    assert_int_equal(bounds.newest_ms, part_ms(LOGS - 1, PARTS - 1));
}

static void keys(void **state) {
    (void)state;
    char gen[LS_V3_GENERATION_SIZE];
    char buf[LS_V3_KEY_SIZE];
    ls_v3_file f = {0};
    static const char *const good[] = {
        "generations/" GEN "/snapshots/7fffffff.snapshot.lz4",
        "generations/" GEN "/wal/00000000_00000000.wal.lz4",
        "generations/" GEN "/wal/7fffffff_7fffffffffffffff.wal.lz4",
        "generations/" GEN "/wal/00000001_0100000020.wal.lz4",
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(ls_v3_key_parse(good[i], gen, &f));
        assert_string_equal(ls_v3_key_format(gen, &f, buf), good[i]);
    }
    assert_int_equal(f.index, 1);
    assert_true(f.offset == 0x100000020);
    assert_false(ls_v3_key_parse("", gen, &f));
    assert_false(ls_v3_key_parse("generations/" GEN "/wal/00000000", gen, &f));
    assert_false(ls_v3_key_parse("generations/" GEN "/wal/00000000_", gen, &f));
}

/* ---- what is missing or damaged ---- */

static void missing_segments_are_named(void **state) {
    place *p = *state;
    for (int i = 0; i < LOGS; i++) {
        for (int j = 0; j < PARTS; j++) {
            if (i == LOGS - 1 && j == PARTS - 1) {
                continue; /* nobody can know of it */
            }
            put_all(p);
            char *key = part_key(p, GEN, (unsigned)i, i, j, 8);
            char *text =
                ls_asprintf("missing WAL %s: expected %s, got ", j == 0 ? "index" : "segment", key);
            remove_object(p, key);
            if (j < PARTS - 1) {
                assert_fails(p, LS_NO_TIMESTAMP, LS_EGAP, text);
                char time[32];
                int64_t before = j > 0 ? part_ms(i, j - 1) : i > 0 ? part_ms(i - 1, PARTS - 1) : T0;
                assert_non_null(strstr(p->err.hint, ls_time_format(before, true, time, 32)));
                ls_restore_result result;
                must(restore_at(p, before, &result), &p->err);
                assert_int_equal(rows(p), (i * PARTS + j) * 2);
            }
            free(text);
        }
    }
}

static void missing_index_is_named(void **state) {
    place *p = *state;
    put_all(p);
    for (int j = 0; j < PARTS; j++) {
        remove_object(p, part_key(p, GEN, 2, 2, j, 8));
    }
    assert_fails(p, LS_NO_TIMESTAMP, LS_EGAP,
                 "missing WAL index: expected generations/" GEN "/wal/00000002_00000000.wal.lz4, "
                 "got generations/" GEN "/wal/00000003_00000000.wal.lz4");
    assert_restores(p, part_ms(1, 4), &p->base[2]);
}

static void one_place_twice(void **state) {
    place *p = *state;
    put_all(p);
    char *key = part_key(p, GEN, 1, 1, 2, 9);
    put_raw(p, key, "x", 1, T0);
    free(key);
    assert_fails(p, LS_NO_TIMESTAMP, LS_ECORRUPT, "two segments for one place in the log");
}

static void cut_objects_are_named(void **state) {
    place *p = *state;
    put_all(p);
    for (int which = 0; which < 2; which++) {
        char *key = which == 0 ? v3_snapshot_key(GEN, 0) : part_key(p, GEN, 1, 1, 2, 8);
        char *path = object_path(p, key);
        bytes whole = read_bytes(path);
        for (size_t len = 0; len < whole.len; len += 1 + whole.len / 37) {
            put_raw(p, key, whole.data, len, T0);
            char *text = ls_asprintf("%s: ", key);
            assert_fails(p, LS_NO_TIMESTAMP, LS_ECORRUPT, text);
            free(text);
        }
        put_raw(p, key, whole.data, whole.len, T0);
        free(whole.data);
        free(path);
        free(key);
    }
    assert_restores(p, LS_NO_TIMESTAMP, &p->base[LOGS]);
}

static void flipped_bits_are_found(void **state) {
    place *p = *state;
    put_all(p);
    char *key = part_key(p, GEN, 1, 1, 2, 8);
    char *path = object_path(p, key);
    bytes whole = read_bytes(path);
    int found = 0;
    for (size_t i = 0; i < whole.len; i += 1 + whole.len / 97) {
        whole.data[i] = (char)(whole.data[i] ^ 0x10);
        put_raw(p, key, whole.data, whole.len, T0);
        ls_restore_result result;
        ls_code code = restore_at(p, LS_NO_TIMESTAMP, &result);
        if (code == LS_OK) { /* a bit that says nothing */
            assert_file_is(p->out, p->base[LOGS].data, p->base[LOGS].len);
        } else {
            assert_int_equal(code, LS_ECORRUPT);
            assert_non_null(strstr(p->err.msg, key));
            found++;
        }
        whole.data[i] = (char)(whole.data[i] ^ 0x10);
    }
    assert_true(found > 90);
    free(whole.data);
    free(path);
    free(key);
}

/* Whole as an object, but no log that SQLite would read to its end. */
static void damaged_logs_are_found(void **state) {
    place *p = *state;
    put_all(p);
    char *key = part_key(p, GEN, 1, 1, 2, 8);
    size_t begin = part_begin(p, 1, 2);
    size_t len = p->ends[1][2] - begin;
    p->logs[1].data[begin + 500] ^= 1;
    put_lz4(p, key, p->logs[1].data + begin, len, T0);
    char *text = ls_asprintf("log 00000001 of generation " GEN ": the log holds whole transactions "
                             "up to byte %zu of %zu only",
                             begin, p->logs[1].len);
    assert_fails(p, LS_NO_TIMESTAMP, LS_ECORRUPT, text);
    free(text);
    free(key);
    key = part_key(p, GEN, 1, 1, 0, 8);
    p->logs[1].data[3] ^= 1;
    put_lz4(p, key, p->logs[1].data, p->ends[1][0], T0);
    assert_fails(p, LS_NO_TIMESTAMP, LS_ECORRUPT, "no header of a log of SQLite");
    free(key);
    key = v3_snapshot_key(GEN, 0);
    put_lz4(p, key, "no database", 11, T0);
    assert_fails(p, LS_NO_TIMESTAMP, LS_ECORRUPT, "the snapshot's content is no database");
    free(key);
}

/* What is no file is as good as not there. */
static void not_a_file(void **state) {
    place *p = *state;
    put_all(p);
    char *key = part_key(p, GEN, 3, 3, 4, 8);
    char *path = object_path(p, key);
    remove_object(p, key);
    assert_int_equal(mkfifo(path, 0600), 0);
    ls_restore_result result;
    must(restore_at(p, LS_NO_TIMESTAMP, &result), &p->err);
    assert_int_equal(rows(p), (LOGS * PARTS - 1) * 2);
    free(path);
}

static void leftovers_are_not_played(void **state) {
    place *p = *state;
    put_all(p);
    char *tmp = ls_asprintf("%s.tmp-wal", p->out);
    put_file(tmp, p->logs[3].data, p->logs[3].len);
    (void)unlink(p->out);
    assert_restores(p, part_ms(0, 4), &p->base[1]);
    free(tmp);
}

static void canceled(void **state) {
    place *p = *state;
    put_all(p);
    ls_cancel cancel = {0};
    ls_cancel_set(&cancel);
    ls_restore_result result;
    const ls_restore_opts opts = {
        .output = p->out, .timestamp_ms = LS_NO_TIMESTAMP, .cancel = &cancel};
    assert_int_equal(ls_restore(p->s, &opts, &result, &p->err), LS_ECANCELED);
    assert_nothing_beside(p);
}

/* ---- both formats ---- */

static void both_formats(void **state) {
    place *p = *state;
    put_all(p); /* T0 .. T0 + 35 s */
    chain c;
    chain_init(&c, p->dir, "replica", 1024);
    chain_step(&c, 20, 0); /* T0 + 1 s: a base */
    chain_step(&c, 20, 3); /* T0 + 2 s */
    bool v3;
    must(ls_v3_chosen(c.s, LS_NO_TIMESTAMP, &v3, &p->err), &p->err);
    assert_true(v3); /* its end is newer */
    assert_restores(p, LS_NO_TIMESTAMP, &p->base[LOGS]);
    must(ls_v3_chosen(c.s, T0 + 1000, &v3, &p->err), &p->err);
    assert_true(v3); /* LTX: strictly before */
    must(ls_v3_chosen(c.s, T0 + 1001, &v3, &p->err), &p->err);
    assert_false(v3); /* its base is newer than the snapshot */
    must(ls_v3_chosen(c.s, T0 - 1, &v3, &p->err), &p->err);
    assert_false(v3); /* neither has one */
    put_snapshot(p, GEN, 3, 3, T0 + 1000);
    must(ls_v3_chosen(c.s, T0 + 1001, &v3, &p->err), &p->err);
    assert_false(v3); /* as old: LTX */
    put_snapshot(p, GEN, 3, 3, T0 + 1001);
    must(ls_v3_chosen(c.s, T0 + 1001, &v3, &p->err), &p->err);
    assert_true(v3);

    ls_restore_result result;
    (void)unlink(p->out);
    ls_restore_opts opts = {.output = p->out, .timestamp_ms = LS_NO_TIMESTAMP, .ltx_only = true};
    must(ls_restore(p->s, &opts, &result, &p->err), &p->err);
    assert_int_equal(result.txid, 2);
    opts.ltx_only = false;
    opts.force = true;
    opts.txid = 1;
    must(ls_restore(p->s, &opts, &result, &p->err), &p->err);
    assert_int_equal(result.txid, 1);

    bool any;
    int64_t oldest;
    int64_t newest;
    must(ls_restore_bounds(p->s, &any, &oldest, &newest, &p->err), &p->err);
    assert_true(any);
    assert_int_equal(oldest, T0);
    assert_int_equal(newest, part_ms(LOGS - 1, PARTS - 1));
    for (uint32_t i = 0; i < 40; i++) {
        chain_step(&c, 20, 3); /* .. T0 + 42 s */
    }
    must(ls_v3_chosen(c.s, LS_NO_TIMESTAMP, &v3, &p->err), &p->err);
    assert_false(v3);
    must(ls_restore_bounds(p->s, &any, &oldest, &newest, &p->err), &p->err);
    assert_int_equal(newest, T0 + 42000);
    chain_done(&c);
}

static void available(void **state) {
    place *p = *state;
    bool any;
    int64_t oldest;
    int64_t newest;
    must(ls_restore_available(p->s, &any, &p->err), &p->err);
    assert_false(any);
    must(ls_restore_bounds(p->s, &any, &oldest, &newest, &p->err), &p->err);
    assert_false(any);
    put_snapshot(p, GEN, 0, 0, T0);
    must(ls_restore_available(p->s, &any, &p->err), &p->err);
    assert_true(any);
    must(ls_restore_bounds(p->s, &any, &oldest, &newest, &p->err), &p->err);
    assert_true(any && oldest == T0 && newest == T0);
    assert_restores(p, LS_NO_TIMESTAMP, &p->base[0]);
}

/* A store whose every connection breaks behind half of an object's first bytes. */
typedef struct breaking {
    ls_storage base;
    ls_storage *inner;
    int broken;
} breaking;

typedef struct breaking_reader {
    ls_reader base;
    ls_reader *inner;
    size_t left;
} breaking_reader;

static ls_code breaking_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    breaking_reader *b = (breaking_reader *)r;
    *got = 0;
    if (b->left == 0) {
        return ls_fail(err, LS_EIO, "connection reset");
    }
    ls_code code = b->inner->read(b->inner, buf, len < b->left ? len : b->left, got, err);
    b->left -= *got;
    return code;
}

static void breaking_close(ls_reader *r) {
    ls_reader_close(((breaking_reader *)r)->inner);
    free(r);
}

static ls_code breaking_open(ls_storage *s, const char *key, uint64_t off, uint64_t len,
                             ls_reader **r, ls_err *err) {
    breaking *b = (breaking *)s;
    ls_reader *inner;
    ls_code code = ls_storage_open_object(b->inner, key, off, len, &inner, err);
    if (code != LS_OK || off > 0) {
        *r = code == LS_OK ? inner : NULL;
        return code;
    }
    breaking_reader *br = calloc(1, sizeof *br);
    assert_non_null(br);
    *br = (breaking_reader){
        .base = {.read = breaking_read, .close = breaking_close}, .inner = inner, .left = 100};
    b->broken++;
    *r = &br->base;
    return LS_OK;
}

static ls_code breaking_list(ls_storage *s, int number, ls_txid seek, ls_storage_iter **it,
                             ls_err *err) {
    return ls_storage_list(((breaking *)s)->inner, number, seek, it, err);
}

static ls_code breaking_each(ls_storage *s, const char *folder, ls_object_fn fn, void *arg,
                             ls_err *err) {
    return ls_storage_each_object(((breaking *)s)->inner, folder, fn, arg, err);
}

static void connections_break(void **state) {
    static const ls_storage_ops ops = {.type = "test",
                                       .list = breaking_list,
                                       .each_object = breaking_each,
                                       .open_object = breaking_open};
    place *p = *state;
    breaking s = {.base = {.ops = &ops, .url = p->s->url}, .inner = p->s};
    const ls_restore_opts opts = {.output = p->out, .timestamp_ms = part_ms(0, 1) + 1};
    ls_restore_result result;
    put_snapshot(p, GEN, 0, 0, T0);
    put_log(p, GEN, 0, 0, 8);
    must(restore_at(p, opts.timestamp_ms, &result), &p->err);
    bytes want = read_bytes(p->out);
    assert_int_equal(unlink(p->out), 0);
    must(ls_restore(&s.base, &opts, &result, &p->err), &p->err);
    assert_int_equal(s.broken, 3);
    assert_file_is(p->out, want.data, want.len);
    free(want.data);
}

/* Segments without any snapshot are nothing to restore from. */
static void no_snapshot(void **state) {
    place *p = *state;
    put_log(p, GEN, 0, 0, 8);
    assert_fails(p, LS_NO_TIMESTAMP, LS_ENOBACKUP, "no matching backup files available");
}

static ls_code count_object(void *arg, const ls_object *object, ls_err *err) {
    (void)err;
    assert_true(ls_object_key_valid(object->key));
    ++*(int *)arg;
    return LS_OK;
}

static void plan_is_what_is_read(void **state) {
    place *p = *state;
    put_all(p);
    int n = 0;
    must(ls_v3_plan(p->s, part_ms(1, 1), count_object, &n, &p->err), &p->err);
    assert_int_equal(n, 1 + PARTS + 2);
}

/* ---- long streams ---- */

/* A frame of many equal blocks of 4 MiB of zeros, or of any others, and an end mark. */
typedef struct long_frame {
    ls_reader base;
    const char *block;
    size_t block_len;
    size_t blocks; /* still to come */
    size_t pos;
    int state; /* 0: head, 1: blocks, 2: end mark, 3: end */
} long_frame;

static ls_code long_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    (void)err;
    long_frame *f = (long_frame *)r;
    static const char head[] = "\x04\x22\x4d\x18\x60\x70\x73";
    const char *from = f->state == 0 ? head : f->state == 1 ? f->block : "\0\0\0\0";
    size_t have = f->state == 0 ? 7 : f->state == 1 ? f->block_len : f->state == 2 ? 4 : 0;
    *got = have - f->pos < len ? have - f->pos : len;
    memcpy(buf, from + f->pos, *got);
    f->pos += *got;
    if (f->state < 3 && f->pos == have) {
        f->pos = 0;
        f->state += f->state != 1 || --f->blocks == 0 ? 1 : 0;
    }
    return LS_OK;
}

typedef struct counting {
    ls_writer base;
    uint64_t size;
} counting;

static ls_code count_write(ls_writer *w, const void *buf, size_t len, ls_err *err) {
    (void)buf;
    (void)err;
    ((counting *)w)->size += len;
    return LS_OK;
}

static void more_than_4_gib(void **state) {
    (void)state;
    static char zeros[4u << 20];
    static char frame[8u << 20];
    const LZ4F_preferences_t prefs = {
        .frameInfo = {.blockSizeID = LZ4F_max4MB, .blockMode = LZ4F_blockIndependent}};
    size_t n = LZ4F_compressFrame(frame, sizeof frame, zeros, sizeof zeros, &prefs);
    assert_false(LZ4F_isError(n));
    assert_memory_equal(frame, "\x04\x22\x4d\x18\x60\x70\x73", 7);
    long_frame in = {
        .base = {.read = long_read}, .block = frame + 7, .block_len = n - 7 - 4, .blocks = 1025};
    counting out = {.base = {.write = count_write}};
    uint64_t size = 0;
    ls_err err = LS_ERR_INIT;
    must(ls_lz4_stream_decode(&in.base, &out.base, NULL, &size, &err), &err);
    assert_true(size == 1025ull * (4u << 20));
    assert_true(out.size == size);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        test(recorded_times),
        test(recorded_logs),
        test(logs_one_after_the_other),
        test(newest_snapshot_is_taken),
        test(offsets_of_16_digits),
        test(several_generations),
        test(other_names_are_passed_over),
        cmocka_unit_test(keys),
        test(missing_segments_are_named),
        test(missing_index_is_named),
        test(one_place_twice),
        test(cut_objects_are_named),
        test(flipped_bits_are_found),
        test(damaged_logs_are_found),
        test(not_a_file),
        test(leftovers_are_not_played),
        test(canceled),
        test(both_formats),
        test(available),
        test(connections_break),
        test(no_snapshot),
        test(plan_is_what_is_read),
        cmocka_unit_test(more_than_4_gib),
    };
    return cmocka_run_group_tests_name("restore/v3", tests, NULL, NULL);
}
