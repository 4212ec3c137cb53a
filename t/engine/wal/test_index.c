/* The wal-index says where SQLite takes the log to end, where the checksums do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/engine/wal/walkit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ls_wal_index read_index(int fd) {
    ls_wal_index index;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_wal_index_read(fd, &index, &err), LS_OK);
    return index;
}

/* The index describes the log's last commit. */
static void expect_end(const ls_wal_index *index, const kit_bytes *log, const kit_frames *frames) {
    const ls_wal_frame *last = &frames->f[frames->committed - 1];
    assert_true(index->valid);
    assert_int_equal(index->frames, frames->committed);
    assert_int_equal(index->commit, last->commit);
    assert_int_equal(index->page_size, kit_get(log->data + 8));
    assert_int_equal(index->salt1, kit_get(log->data + 16));
    assert_int_equal(index->salt2, kit_get(log->data + 20));
    assert_true(index->ck1 == last->ck1 && index->ck2 == last->ck2);
}

static void follows_the_log(void **state) {
    (void)state;
    const int sizes[] = {512, 4096, 65536};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        sqlite3 *db = kit_open("db", sizes[i]);
        kit_workload(db, 5);
        int fd = kit_open_file("db-shm");
        for (int round = 0; round < 5; round++) {
            kit_workload(db, 3);
            kit_exec(db, "BEGIN; INSERT INTO u VALUES('open', 1)");
            kit_bytes log = kit_read("db-wal");
            kit_frames frames = kit_parse(&log);
            ls_wal_index index = read_index(fd);
            expect_end(&index, &log, &frames);
            assert_int_equal(index.copied, 0);
            kit_exec(db, "ROLLBACK; PRAGMA wal_checkpoint(PASSIVE)");
            assert_int_equal(read_index(fd).copied, frames.committed);
            kit_exec(db, "PRAGMA wal_checkpoint(RESTART)");
            kit_free(&log);
            free(frames.f);
        }
        kit_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)");
        assert_int_equal(read_index(fd).frames, 0);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        close(fd);
        assert_return_code(unlink(kit_path("db")), 0);
    }
}

static void damaged_or_missing(void **state) {
    (void)state;
    sqlite3 *db = kit_open("db", 1024);
    kit_workload(db, 2);
    kit_bytes shm = kit_read("db-shm");
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    int fd = kit_open_bytes(&shm);
    assert_true(read_index(fd).valid);
    for (int bit = 0; bit < 96 * 8; bit++) {
        uint8_t byte = (uint8_t)(shm.data[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(pwrite(fd, &byte, 1, bit / 8), 1);
        assert_false(read_index(fd).valid);
        assert_int_equal(pwrite(fd, shm.data + bit / 8, 1, bit / 8), 1);
    }
    assert_true(read_index(fd).valid);
    for (off_t len = 99; len >= 0; len--) {
        assert_return_code(ftruncate(fd, len), 0);
        assert_false(read_index(fd).valid);
    }
    close(fd);
    ls_wal_index index;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_wal_index_read(-1, &index, &err), LS_EIO);
    assert_false(index.valid);
    kit_free(&shm);
}

/* Recovery of a log without a whole commit leaves an index without frames, which does not say the
 * page size, and of a log that ends with its header not even the salts. */
static void log_without_a_commit(void **state) {
    (void)state;
    for (size_t more = 0; more <= 500; more += 500) {
        sqlite3 *db = kit_open("db", 1024);
        kit_workload(db, 2);
        kit_bytes log = kit_read("db-wal");
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        kit_write("db-wal", log.data, LS_WAL_HEADER_SIZE + more);
        db = kit_open("db", 1024);
        kit_exec(db, "SELECT count(*) FROM t");
        int fd = kit_open_file("db-shm");
        ls_wal_index index = read_index(fd);
        assert_true(index.valid);
        assert_int_equal(index.frames, 0);
        assert_int_equal(index.salt1, more > 0 ? kit_get(log.data + 16) : 0);
        assert_int_equal(index.salt2, more > 0 ? kit_get(log.data + 20) : 0);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        close(fd);
        kit_free(&log);
        assert_return_code(unlink(kit_path("db")), 0);
    }
}

/* The first page of a transaction is written once, later ones twice, all of it within a savepoint
 * that is rolled back: SQLite before 3.50.4 then writes frames without checksums and commits. */
static void breaks_the_log(sqlite3 *db) {
    kit_exec(db,
             "PRAGMA cache_size=8; BEGIN; UPDATE t SET v = randomblob(400) WHERE id BETWEEN 127 "
             "AND 138; SAVEPOINT s");
    kit_exec(db, "UPDATE t SET v = randomblob(400) WHERE id BETWEEN 296 AND 364");
    kit_exec(db, "UPDATE t SET v = randomblob(400) WHERE id BETWEEN 348 AND 400");
    kit_exec(db, "ROLLBACK TO s; RELEASE s; COMMIT");
}

/* Frames that the checksums do not reach are seen to be there; what is appended follows from the
 * index. */
static void frames_behind_a_break(void **state) {
    (void)state;
    sqlite3 *db = kit_open("db", 1024);
    kit_exec(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB); INSERT INTO t(v) WITH RECURSIVE "
                 "c(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM c WHERE i < 400) SELECT "
                 "zeroblob(400) FROM c");
    int shm = kit_open_file("db-shm"), fd = kit_open_file("db-wal");
    for (int i = 0; i < 20; i++) {
        breaks_the_log(db);
    }
    kit_bytes log = kit_read("db-wal");
    kit_frames frames = kit_parse(&log);
    ls_wal_index index = read_index(shm);
    bool broken = index.frames > frames.committed;
    print_message("# SQLite %s: %u frames, %zu by the checksums\n", sqlite3_libversion(),
                  index.frames, frames.committed);
    assert_true(broken || sqlite3_libversion_number() > 3050000);

    kit_exec(db, "INSERT INTO t(v) VALUES('behind the break')");
    ls_wal_header h = kit_header(fd);
    ls_wal_pos pos = {LS_WAL_HEADER_SIZE + index.frames * ls_wal_frame_size(1024), index.ck1,
                      index.ck2};
    ls_wal_range *r;
    ls_wal_range_info info;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_wal_range_scan(fd, &h, &pos, 0, &r, &info, &err), LS_OK);
    assert_non_null(r);
    ls_wal_index now = read_index(shm);
    assert_int_equal(index.frames + info.frames, now.frames);
    assert_true(info.end.ck1 == now.ck1 && info.end.ck2 == now.ck2);
    ls_wal_range_free(r);
    kit_free(&log);
    free(frames.f);
    close(fd);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    close(shm);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(follows_the_log, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(damaged_or_missing, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(log_without_a_commit, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(frames_behind_a_break, kit_setup, kit_teardown),
    };
    return cmocka_run_group_tests_name("wal index", tests, NULL, NULL);
}
