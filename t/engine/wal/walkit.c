/* Logs for tests; see walkit.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "t/engine/wal/walkit.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

int kit_setup(void **state) {
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/walkit.XXXXXX");
    return mkdtemp(dir) == NULL ? -1 : 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

int kit_teardown(void **state) {
    (void)state;
    return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *kit_path(const char *name) {
    static char path[256];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

void kit_exec(sqlite3 *db, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *sql = sqlite3_vmprintf(fmt, args);
    va_end(args);
    char *msg = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &msg) != SQLITE_OK) {
        fail_msg("%s: %s", sql, msg);
    }
    sqlite3_free(sql);
}

sqlite3 *kit_open(const char *name, int page_size) {
    sqlite3 *db;
    assert_int_equal(sqlite3_open(kit_path(name), &db), SQLITE_OK);
    kit_exec(db, "PRAGMA page_size=%d; PRAGMA journal_mode=wal; PRAGMA wal_autocheckpoint=0;",
             page_size);
    kit_exec(db, "PRAGMA synchronous=off");
    return db;
}

void kit_workload(sqlite3 *db, int transactions) {
    kit_exec(db, "CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v BLOB);"
                 "CREATE TABLE IF NOT EXISTS u(k TEXT, n INT); CREATE INDEX IF NOT EXISTS i "
                 "ON u(k);");
    for (int i = 0; i < transactions; i++) {
        kit_exec(db, "BEGIN");
        kit_exec(db, "INSERT INTO t(v) VALUES(randomblob(%d))", 100 + i * 700 % 5000);
        kit_exec(db, "INSERT INTO u VALUES(hex(randomblob(20)), %d)", i);
        kit_exec(db, "UPDATE u SET n = n + 1 WHERE n %% 5 = %d", i % 5);
        kit_exec(db, "DELETE FROM t WHERE id %% 7 = %d AND id < %d", i % 7, i);
        kit_exec(db, "COMMIT");
    }
}

static kit_bytes read_fd(int fd) {
    struct stat st;
    assert_return_code(fstat(fd, &st), 0);
    kit_bytes b = {.data = malloc((size_t)st.st_size + 1), .len = (size_t)st.st_size};
    assert_non_null(b.data);
    assert_int_equal(pread(fd, b.data, b.len, 0), b.len);
    return b;
}

kit_bytes kit_read(const char *name) {
    int fd = kit_open_file(name);
    kit_bytes b = read_fd(fd);
    close(fd);
    return b;
}

void kit_write(const char *name, const uint8_t *data, size_t len) {
    int fd = open(kit_path(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_return_code(fd, 0);
    assert_int_equal(pwrite(fd, data, len, 0), len);
    close(fd);
}

int kit_open_file(const char *name) {
    int fd = open(kit_path(name), O_RDWR | O_CLOEXEC);
    assert_return_code(fd, 0);
    return fd;
}

int kit_open_bytes(const kit_bytes *b) {
    kit_write("bytes", b->data, b->len);
    int fd = kit_open_file("bytes");
    assert_return_code(unlink(kit_path("bytes")), 0);
    return fd;
}

kit_bytes kit_copy(const kit_bytes *b) {
    kit_bytes c = {.data = malloc(b->len + 1), .len = b->len};
    assert_non_null(c.data);
    memcpy(c.data, b->data, b->len);
    return c;
}

void kit_free(kit_bytes *b) {
    free(b->data);
    b->data = NULL;
    b->len = 0;
}

uint32_t kit_get(const uint8_t *p) {
    return (uint32_t)p[0] * 16777216U + p[1] * 65536U + p[2] * 256U + p[3];
}

void kit_put(uint8_t *p, uint32_t v) {
    for (int i = 0; i < 4; i++) {
        p[i] = (uint8_t)(v >> (24 - 8 * i));
    }
}

static uint32_t word(bool big_endian, const uint8_t *p) {
    return big_endian ? kit_get(p)
                      : (uint32_t)p[3] * 16777216U + p[2] * 65536U + p[1] * 256U + p[0];
}

void kit_checksum(bool big_endian, const uint8_t *p, size_t len, uint32_t *s0, uint32_t *s1) {
    for (size_t i = 0; i + 8 <= len; i += 8) {
        *s0 += word(big_endian, p + i) + *s1;
        *s1 += word(big_endian, p + i + 4) + *s0;
    }
}

void kit_seal(kit_bytes *b, bool big_endian) {
    uint32_t s0 = 0, s1 = 0;
    size_t page_size = kit_get(b->data + 8);
    kit_put(b->data, 0x377f0682U + big_endian);
    kit_checksum(big_endian, b->data, 24, &s0, &s1);
    kit_put(b->data + 24, s0);
    kit_put(b->data + 28, s1);
    for (size_t at = 32; at + 24 + page_size <= b->len; at += 24 + page_size) {
        uint8_t *f = b->data + at;
        kit_checksum(big_endian, f, 8, &s0, &s1);
        kit_checksum(big_endian, f + 24, page_size, &s0, &s1);
        kit_put(f + 16, s0);
        kit_put(f + 20, s1);
    }
}

kit_bytes kit_log(uint32_t page_size, uint32_t salt1, uint32_t salt2) {
    kit_bytes b = {.data = calloc(1, 32), .len = 32};
    assert_non_null(b.data);
    kit_put(b.data + 4, 3007000);
    kit_put(b.data + 8, page_size);
    kit_put(b.data + 12, 7);
    kit_put(b.data + 16, salt1);
    kit_put(b.data + 20, salt2);
    kit_seal(&b, false);
    return b;
}

void kit_frame(kit_bytes *b, uint32_t pgno, uint32_t commit) {
    size_t page_size = kit_get(b->data + 8);
    b->data = realloc(b->data, b->len + 24 + page_size);
    assert_non_null(b->data);
    uint8_t *f = b->data + b->len;
    memset(f, 0, 24 + page_size);
    kit_put(f, pgno);
    kit_put(f + 4, commit);
    memcpy(f + 8, b->data + 16, 8);
    for (size_t i = 0; i < page_size; i++) {
        f[24 + i] = (uint8_t)(pgno * 31 + b->len / 7 + i);
    }
    b->len += 24 + page_size;
}

kit_frames kit_parse(const kit_bytes *b) {
    kit_frames r = {0};
    if (b->len < 32) {
        return r;
    }
    bool big = kit_get(b->data) & 1;
    size_t page_size = kit_get(b->data + 8);
    uint32_t s0 = kit_get(b->data + 24), s1 = kit_get(b->data + 28);
    r.f = calloc(b->len / page_size + 1, sizeof(*r.f));
    assert_non_null(r.f);
    for (size_t at = 32; at + 24 + page_size <= b->len; at += 24 + page_size) {
        const uint8_t *f = b->data + at;
        kit_checksum(big, f, 8, &s0, &s1);
        kit_checksum(big, f + 24, page_size, &s0, &s1);
        if (kit_get(f) == 0 || memcmp(f + 8, b->data + 16, 8) != 0 || kit_get(f + 16) != s0 ||
            kit_get(f + 20) != s1) {
            break;
        }
        r.f[r.n++] = (ls_wal_frame){.pgno = kit_get(f),
                                    .commit = kit_get(f + 4),
                                    .offset = (int64_t)at,
                                    .ck1 = s0,
                                    .ck2 = s1,
                                    .page = f + 24};
        if (kit_get(f + 4) != 0) {
            r.committed = r.n;
        }
    }
    return r;
}

ls_wal_header kit_header(int fd) {
    ls_wal_header h;
    ls_wal_state state;
    ls_err err = LS_ERR_INIT;
    assert_int_equal(ls_wal_header_read(fd, &h, &state, &err), LS_OK);
    assert_int_equal(state, LS_WAL_VALID);
    return h;
}
