/*
 * Objects of a replica of Litestream 0.3 in a folder. Include it after cmocka.h.
 */
#ifndef LS_T_V3FILES_H
#define LS_T_V3FILES_H

#include "t/support/must.h"
#include "t/support/tempdir.h"

#include <lz4frame.h>

/* The file's time is ms and some. */
static inline void v3_put(const char *root, const char *key, const void *data, size_t len,
                          int64_t ms) {
    ls_err err = LS_ERR_INIT;
    const struct timespec times[2] = {
        {.tv_nsec = UTIME_OMIT}, {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 + 123456}};
    char *path = ls_path_join(root, key);
    char *folder = ls_path_dir(path);
    must(ls_mkdirs(folder, &LS_PERM_PRIVATE, &err), &err);
    put_file(path, data, len);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    free(folder);
    free(path);
}

static inline void v3_put_lz4(const char *root, const char *key, const void *data, size_t len,
                              int64_t ms) {
    const LZ4F_preferences_t prefs = {
        .frameInfo = {.contentChecksumFlag = LZ4F_contentChecksumEnabled}};
    size_t cap = LZ4F_compressFrameBound(len, &prefs);
    char *out = malloc(cap);
    assert_non_null(out);
    size_t n = LZ4F_compressFrame(out, cap, data, len, &prefs);
    assert_false(LZ4F_isError(n));
    v3_put(root, key, out, n, ms);
    free(out);
}

static inline char *v3_snapshot_key(const char *gen, unsigned index) {
    return ls_asprintf("generations/%s/snapshots/%08x.snapshot.lz4", gen, index);
}

static inline char *v3_wal_key(const char *gen, unsigned index, size_t offset, int digits) {
    return ls_asprintf("generations/%s/wal/%08x_%0*zx.wal.lz4", gen, index, digits, offset);
}

#endif
