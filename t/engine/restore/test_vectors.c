/* Restores of recorded replicas of both generations of the reference, against what it restored. */
#include "engine/base/text.h"
#include "engine/ltx/dbfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "t/engine/restore/replica.h"
#include "t/support/tempdir.h"

/* ---- what was recorded ---- */

static ls_restore_opts opts_of(const json_t *args, const char *output) {
    ls_restore_opts opts = {.output = output, .timestamp_ms = LS_NO_TIMESTAMP};
    ls_err err = LS_ERR_INIT;
    if (json_array_size(args) == 2) {
        const char *flag = json_string_value(json_array_get(args, 0));
        const char *value = json_string_value(json_array_get(args, 1));
        if (strcmp(flag, "-txid") == 0) {
            must(ls_txid_parse(value, &opts.txid, &err), &err);
        } else {
            must(ls_time_parse(value, &opts.timestamp_ms, &err), &err);
        }
    }
    opts.integrity = LS_INTEGRITY_FULL;
    return opts;
}

/* What a restore from a URL asks first. */
static const char *outside(ls_storage *s, int64_t timestamp_ms) {
    bool any;
    int64_t oldest;
    int64_t newest;
    ls_err err = LS_ERR_INIT;
    must(ls_restore_bounds(s, &any, &oldest, &newest, &err), &err);
    assert_true(any);
    bool out = timestamp_ms != LS_NO_TIMESTAMP && (timestamp_ms < oldest || timestamp_ms > newest);
    return out ? "timestamp does not exist" : NULL;
}

static void assert_same_as_recorded(const char *output, const json_t *restore) {
    ls_err err = LS_ERR_INIT;
    char *data;
    size_t len;
    must(ls_read_file(output, 1u << 24, &data, &len, &err), &err);
    char hex[SHA256_HEX_SIZE];
    assert_string_equal(sha256_hex(data, len, hex), jstr(restore, "file_sha256"));
    assert_int_equal(len, jint(restore, "size"));
    free(data);
    assert_int_equal(unlink(output), 0);
}

static void check_recorded(ls_storage *s, const json_t *restore, const char *output) {
    const ls_restore_opts opts = opts_of(jget(restore, "args"), output);
    ls_err err = LS_ERR_INIT;
    ls_restore_result result;
    if (jbool(restore, "ok")) {
        assert_null(outside(s, opts.timestamp_ms));
        must(ls_restore(s, &opts, &result, &err), &err);
        if (opts.txid != 0) {
            assert_int_equal(result.txid, opts.txid);
        }
        assert_int_equal((uint64_t)result.pages * result.page_size, jint(restore, "size"));
        assert_same_as_recorded(output, restore);
        return;
    }
    const char *message = outside(s, opts.timestamp_ms);
    if (message == NULL) {
        assert_int_equal(ls_restore(s, &opts, &result, &err), LS_ENOBACKUP);
        message = err.msg;
    }
    assert_non_null(strstr(jstr(restore, "message"), message));
    assert_absent(output);
}

static void recorded(void **state, const char *name, size_t restores) {
    json_t *expected = replica_copy(name, *state);
    char *root = tempdir_path(state, "replica");
    char *output = tempdir_path(state, "out/restored.db");
    ls_err err = LS_ERR_INIT;
    ls_storage *s;
    must(ls_storage_open_file(root, NULL, &s, &err), &err);
    size_t i;
    json_t *restore;
    json_array_foreach(jget(expected, "restores"), i, restore) {
        check_recorded(s, restore, output);
    }
    assert_int_equal(i, restores);
    ls_storage_free(s);
    free(output);
    free(root);
    json_decref(expected);
}

static void recorded_a(void **state) { recorded(state, "replica-a", 54); }
static void recorded_head(void **state) { recorded(state, "replica-head", 51); }

/* ---- every TXID, against the level-0 files applied one after the other ---- */

static void apply_next(int fd, const char *dir, ls_txid txid) {
    char name[LS_LTX_NAME_SIZE];
    char path[512];
    (void)snprintf(path, sizeof path, "%s/replica/ltx/0/%s", dir,
                   ls_ltx_name_format(txid, txid, name));
    ls_err err = LS_ERR_INIT;
    ls_txid prev = txid - 1;
    must(ls_ltx_apply(fd, path, &prev, &err), &err);
}

static void assert_equals_fd(int fd, const uint8_t *data, size_t len) {
    struct stat st;
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(len, st.st_size);
    uint8_t *there = malloc(len + 1);
    assert_non_null(there);
    size_t got;
    ls_err err = LS_ERR_INIT;
    must(ls_pread_full(fd, there, len, 0, &got, "applied", &err), &err);
    assert_memory_equal(data, there, len);
    free(there);
}

static void every_txid(void **state, const char *name) {
    json_t *expected = replica_copy(name, *state);
    char *root = tempdir_path(state, "replica");
    ls_err err = LS_ERR_INIT;
    ls_storage *s;
    must(ls_storage_open_file(root, NULL, &s, &err), &err);
    ls_txid max;
    must(ls_txid_parse(jstr(jget(expected, "meta"), "max_txid"), &max, &err), &err);
    int applied = memfd_create("applied", MFD_CLOEXEC);
    assert_true(applied >= 0);
    for (ls_txid txid = 1; txid <= max; txid++) {
        apply_next(applied, *state, txid);
        ls_plan plan;
        must(ls_plan_make(s, txid, LS_NO_TIMESTAMP, &plan, &err), &err);
        ls_restore_result result;
        size_t len;
        uint8_t *data = rebuild_in_memory(s, &plan, txid % 3 == 0 ? 1 : 4, &len, &result, &err);
        if (data == NULL) {
            fail_msg("TXID %llu: %s", (unsigned long long)txid, err.msg);
        }
        assert_equals_fd(applied, data, len);
        free(data);
        ls_plan_done(&plan);
    }
    assert_int_equal(close(applied), 0);
    ls_storage_free(s);
    free(root);
    json_decref(expected);
}

static void every_txid_a(void **state) { every_txid(state, "replica-a"); }
static void every_txid_head(void **state) { every_txid(state, "replica-head"); }

/* ---- a wrong bit anywhere in a recorded file ---- */

/* One bit of every eleventh byte of each file of a plan: an error that names the file. Compressed
 * bytes alone are not covered by a checksum; there, other bytes may stand for the same page. */
static void flipped_bits(void **state) {
    json_t *expected = replica_copy("replica-a", *state);
    char *root = tempdir_path(state, "replica");
    ls_err err = LS_ERR_INIT;
    ls_storage *s;
    must(ls_storage_open_file(root, NULL, &s, &err), &err);
    ls_plan plan;
    must(ls_plan_make(s, 0xe8, LS_NO_TIMESTAMP, &plan, &err), &err);
    assert_true(plan.n >= 4); /* several levels */
    ls_restore_result whole;
    size_t good_len;
    uint8_t *good = rebuild_in_memory(s, &plan, 1, &good_len, &whole, &err);
    assert_non_null(good);
    size_t flips = 0;
    size_t harmless = 0;
    for (size_t i = 0; i < plan.n; i++) {
        char key[LS_STORAGE_KEY_SIZE];
        char *path = ls_path_join(root, ls_storage_key(&plan.files[i], key));
        int fd = open(path, O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        for (uint64_t at = 0; at < plan.files[i].size; at += 11) {
            uint8_t byte;
            uint8_t flipped;
            assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
            flipped = byte ^ (uint8_t)(1u << (at % 8));
            assert_int_equal(pwrite(fd, &flipped, 1, (off_t)at), 1);
            ls_restore_result result;
            size_t len;
            err = LS_ERR_INIT;
            uint8_t *data = rebuild_in_memory(s, &plan, 1, &len, &result, &err);
            if (data != NULL) {
                assert_int_equal(len, good_len);
                assert_memory_equal(data, good, len);
                harmless++;
                free(data);
            } else if (strstr(err.msg, key) == NULL) {
                fail_msg("byte %llu: %s", (unsigned long long)at, err.msg);
            }
            assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
            flips++;
        }
        assert_int_equal(close(fd), 0);
        free(path);
    }
    assert_true(flips > 800);
    assert_true(harmless < flips / 50);
    free(good);
    ls_plan_done(&plan);
    ls_storage_free(s);
    free(root);
    json_decref(expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        unit_test_in_tempdir(recorded_a),   unit_test_in_tempdir(recorded_head),
        unit_test_in_tempdir(every_txid_a), unit_test_in_tempdir(every_txid_head),
        unit_test_in_tempdir(flipped_bits),
    };
    return cmocka_run_group_tests_name("restore/vectors", tests, NULL, NULL);
}
