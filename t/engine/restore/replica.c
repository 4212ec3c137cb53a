/* See replica.h. */
#include "t/engine/restore/replica.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/ltx/crc64.h"

/* ---- recorded replicas ---- */

static void write_file(const char *path, const char *data, size_t len, int64_t mtime_ns) {
    ls_err err = LS_ERR_INIT;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    must(ls_write_full(fd, data, len, path, &err), &err);
    const struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = mtime_ns / 1000000000, .tv_nsec = mtime_ns % 1000000000}};
    assert_int_equal(futimens(fd, times), 0);
    assert_int_equal(close(fd), 0);
}

static void copy_file(const char *from, const char *to, int64_t mtime_ns) {
    ls_err err = LS_ERR_INIT;
    char *data;
    size_t len;
    must(ls_read_file(from, 1u << 24, &data, &len, &err), &err);
    write_file(to, data, len, mtime_ns);
    free(data);
}

json_t *replica_copy(const char *name, const char *dir) {
    char rel[64];
    (void)snprintf(rel, sizeof rel, "%s/expected.json", name);
    json_t *expected = vec_json(rel);
    size_t i;
    json_t *file;
    json_array_foreach(jget(expected, "files"), i, file) {
        char from[512];
        char to[512];
        (void)snprintf(from, sizeof from, "%s/%s", vec_path(name), jstr(file, "path"));
        (void)snprintf(to, sizeof to, "%s/%s", dir, jstr(file, "path"));
        char *folder = ls_path_dir(to);
        ls_err err = LS_ERR_INIT;
        must(ls_mkdirs(folder, &LS_PERM_PRIVATE, &err), &err);
        free(folder);
        copy_file(from, to, jint(file, "mtime_ns"));
    }
    return expected;
}

/* ---- chains ---- */

void chain_init(chain *c, const char *dir, const char *name, uint32_t page_size) {
    *c = (chain){.page_size = page_size, .seed = 42};
    c->image = calloc(CHAIN_PAGES_MAX, page_size);
    assert_non_null(c->image);
    char *root = ls_path_join(dir, name);
    ls_err err = LS_ERR_INIT;
    must(ls_storage_open_file(root, NULL, &c->s, &err), &err);
    free(root);
}

void chain_done(chain *c) {
    ls_storage_free(c->s);
    ls_plan_done(&c->all);
    free(c->image);
}

static uint8_t *page_at(const chain *c, uint32_t pgno) {
    return c->image + (size_t)(pgno - 1) * c->page_size;
}

uint64_t chain_checksum(const chain *c) {
    uint64_t sum = LS_LTX_CHECKSUM_FLAG;
    for (uint32_t pgno = 1; pgno <= c->commit; pgno++) {
        sum = LS_LTX_CHECKSUM_FLAG |
              (sum ^ ls_ltx_page_checksum(pgno, page_at(c, pgno), c->page_size));
    }
    return sum;
}

static void remember(chain *c, const ls_ltx_info *file) {
    if (c->all.n == c->all.cap) {
        c->all.cap = c->all.cap == 0 ? 16 : 2 * c->all.cap;
        c->all.files = realloc(c->all.files, c->all.cap * sizeof *c->all.files);
        assert_non_null(c->all.files);
    }
    c->all.files[c->all.n++] = *file;
    c->all.bytes += file->size;
}

/* Writes the file where the store looks for it; waiting for the disk would be most of the test. */
static void put_unsynced(const chain *c, const ls_ltx_info *file, const char *data) {
    ls_err err = LS_ERR_INIT;
    char *path = chain_path(c, file);
    char *folder = ls_path_dir(path);
    must(ls_mkdirs(folder, &LS_PERM_PRIVATE, &err), &err);
    write_file(path, data, file->size, file->created_ms * 1000000);
    free(folder);
    free(path);
}

/* Encodes the pages marked in changed and stores them. */
static void put_pages(chain *c, int level, ls_txid min, uint64_t pre_apply, const bool *changed) {
    ls_err err = LS_ERR_INIT;
    mem_file m;
    mem_file_init(&m);
    const ls_ltx_header h = {.flags = c->checksums ? 0 : LS_LTX_FLAG_NO_CHECKSUM,
                             .page_size = c->page_size,
                             .commit = c->commit,
                             .min_txid = min,
                             .max_txid = c->txid,
                             .timestamp = 1700000000000 + (int64_t)c->txid * 1000,
                             .pre_apply = c->checksums && min > 1 ? pre_apply : 0};
    const ls_ltx_encoder_opts opts = {.encoding = c->encoding};
    ls_ltx_encoder *enc;
    must(ls_ltx_encoder_new(&m.out.base, &h, &opts, &enc, &err), &err);
    for (uint32_t pgno = 1; pgno <= c->commit; pgno++) {
        if (changed == NULL || changed[pgno - 1]) {
            must(ls_ltx_encoder_page(enc, pgno, page_at(c, pgno), c->page_size, &err), &err);
        }
    }
    must(ls_ltx_encoder_close(enc, c->checksums ? chain_checksum(c) : 0, NULL, &err), &err);
    ls_ltx_encoder_free(enc);
    const ls_ltx_info file = {.level = level,
                              .min_txid = min,
                              .max_txid = c->txid,
                              .size = m.buf.len,
                              .created_ms = h.timestamp};
    put_unsynced(c, &file, m.buf.data);
    mem_file_done(&m);
    remember(c, &file);
}

static void sqlite_header(chain *c) {
    memcpy(c->image, "SQLite format 3", 16);
    c->image[16] = (uint8_t)(c->page_size >> 8);
    c->image[17] = c->page_size == 65536 ? 1 : 0;
}

void chain_step(chain *c, uint32_t commit, uint32_t n) {
    assert_true(commit <= CHAIN_PAGES_MAX);
    static bool changed[CHAIN_PAGES_MAX];
    memset(changed, 0, sizeof changed);
    uint64_t pre_apply = c->checksums ? chain_checksum(c) : 0;
    for (uint32_t pgno = c->commit + 1; pgno <= commit; pgno++) {
        changed[pgno - 1] = true;
    }
    for (uint32_t i = 0; i < n; i++) {
        changed[next_random(&c->seed) % commit] = true;
    }
    for (uint32_t pgno = 1; pgno <= commit; pgno++) {
        if (changed[pgno - 1]) {
            fill_page(page_at(c, pgno), c->page_size, next_random(&c->seed));
        }
    }
    sqlite_header(c);
    changed[0] = changed[0] || commit > 0;
    c->commit = commit;
    c->txid++;
    put_pages(c, 0, c->txid, pre_apply, changed);
}

void chain_snapshot(chain *c, int level, ls_txid first) {
    put_pages(c, level, first, c->checksums ? LS_LTX_CHECKSUM_FLAG : 0, NULL);
}

uint8_t *rebuild_in_memory(ls_storage *s, const ls_plan *plan, int parallelism, size_t *len,
                           ls_restore_result *result, ls_err *err) {
    int fd = memfd_create("restored", MFD_CLOEXEC);
    assert_true(fd >= 0);
    const ls_restore_opts opts = {.parallelism = parallelism, .timestamp_ms = LS_NO_TIMESTAMP};
    ls_code code = ls_rebuild(s, plan, fd, "restored", &opts, result, err);
    uint8_t *data = NULL;
    if (code == LS_OK) {
        struct stat st;
        assert_int_equal(fstat(fd, &st), 0);
        *len = (size_t)st.st_size;
        data = malloc(*len + 1);
        assert_non_null(data);
        size_t got;
        must(ls_pread_full(fd, data, *len, 0, &got, "restored", err), err);
    }
    assert_int_equal(close(fd), 0);
    return data;
}

char *chain_path(const chain *c, const ls_ltx_info *file) {
    char key[LS_STORAGE_KEY_SIZE];
    char *path = ls_path_join(ls_storage_url(c->s) + strlen("file://"), ls_storage_key(file, key));
    assert_non_null(path);
    return path;
}
