/*
 * The ends of LTX files, local and at the store: enough to tell two files apart without reading
 * them.
 */
#include "engine/ltx/index.h"
#include "engine/replica/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Smallest file: header, end marker, index of its 0 byte and its size, trailer. */
#define READS_MAX 8
#define MIN_SIZE (LS_LTX_HEADER_SIZE + LS_LTX_PAGE_HEADER_SIZE + 9 + LS_LTX_TRAILER_SIZE)

/* A file that is listed as longer is not damaged where less of it came: the connection broke. */
static ls_code read_range(ls_storage *s, const ls_ltx_info *file, uint64_t off, void *buf,
                          size_t len, ls_err *err) {
    ls_reader *in = NULL;
    ls_code rc = ls_storage_open_range(s, file, off, len, &in, err);
    if (rc != LS_OK) {
        return rc;
    }
    size_t got = 0;
    rc = ls_read_full(in, buf, len, &got, err);
    ls_reader_close(in);
    if (rc == LS_OK && got != len) {
        char key[LS_STORAGE_KEY_SIZE];
        rc = ls_fail(err, file->size >= off + len ? LS_EIO : LS_ECORRUPT,
                     "%s: ends after %" PRIu64 " bytes", ls_storage_key(file, key), off + got);
    }
    return rc;
}

ls_code ls_ends_remote(ls_storage *s, const ls_ltx_info *file, ls_ends *ends, ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    if (file->size < MIN_SIZE) {
        return ls_fail(err, LS_ECORRUPT, "%s: %" PRIu64 " bytes are no LTX file",
                       ls_storage_key(file, key), file->size);
    }
    *ends = (ls_ends){.size = file->size};
    ls_code rc = read_range(s, file, 0, ends->head, sizeof(ends->head), err);
    if (rc == LS_OK) {
        rc = read_range(s, file, file->size - sizeof(ends->tail), ends->tail, sizeof(ends->tail),
                        err);
    }
    return rc;
}

ls_code ls_read_head(ls_storage *s, const ls_ltx_info *file, uint8_t head[LS_LTX_HEADER_SIZE],
                     ls_err *err) {
    return read_range(s, file, 0, head, LS_LTX_HEADER_SIZE, err);
}

static ls_code never_the_same(const ls_ltx_info *file, ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    (void)ls_fail(err, LS_EIO, "%s: each of %d reads gave other bytes", ls_storage_key(file, key),
                  READS_MAX);
    return ls_hint(err, "the network spoils what it carries, or the file is being replaced");
}

ls_code ls_ends_surely(ls_storage *s, const ls_ltx_info *file, ls_ends *ends, ls_err *err) {
    ls_ends before;
    ls_code rc = ls_ends_remote(s, file, ends, err);
    for (int i = 1; i < READS_MAX && rc == LS_OK; i++) {
        before = *ends;
        rc = ls_ends_remote(s, file, ends, err);
        if (rc == LS_OK && ls_ends_equal(&before, ends)) {
            return LS_OK;
        }
    }
    return rc == LS_OK ? never_the_same(file, err) : rc;
}

ls_code ls_read_head_surely(ls_storage *s, const ls_ltx_info *file,
                            uint8_t head[LS_LTX_HEADER_SIZE], ls_err *err) {
    uint8_t before[LS_LTX_HEADER_SIZE];
    ls_code rc = ls_read_head(s, file, head, err);
    for (int i = 1; i < READS_MAX && rc == LS_OK; i++) {
        memcpy(before, head, sizeof before);
        rc = ls_read_head(s, file, head, err);
        if (rc == LS_OK && memcmp(before, head, sizeof before) == 0) {
            return LS_OK;
        }
    }
    return rc == LS_OK ? never_the_same(file, err) : rc;
}

static ls_code ends_of_fd(int fd, const char *path, const ls_ltx_info *file, ls_ends *ends,
                          ls_ltx_header *header, ls_err *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return ls_fail_errno(err, errno, "stat %s", path);
    }
    if (st.st_size < MIN_SIZE) {
        return ls_fail(err, LS_ECORRUPT, "%s: %lld bytes are no LTX file", path,
                       (long long)st.st_size);
    }
    ends->size = (uint64_t)st.st_size;
    size_t head = 0, tail = 0;
    ls_code rc = ls_pread_full(fd, ends->head, sizeof(ends->head), 0, &head, path, err);
    if (rc == LS_OK) {
        rc = ls_pread_full(fd, ends->tail, sizeof(ends->tail),
                           st.st_size - (int64_t)sizeof(ends->tail), &tail, path, err);
    }
    if (rc != LS_OK) {
        return rc;
    }
    if (head != sizeof(ends->head) || tail != sizeof(ends->tail)) {
        return ls_fail(err, LS_ECORRUPT, "%s: shorter than it was", path);
    }
    if (ls_ltx_header_decode(ends->head, header, err) != LS_OK ||
        ls_ltx_header_validate(header, err) != LS_OK) {
        return ls_wrap(err, "%s", path);
    }
    if (header->min_txid != file->min_txid || header->max_txid != file->max_txid) {
        return ls_fail(err, LS_ECORRUPT, "%s: holds TXIDs %016" PRIx64 "-%016" PRIx64, path,
                       header->min_txid, header->max_txid);
    }
    return LS_OK;
}

ls_code ls_ends_path(const char *path, const ls_ltx_info *file, ls_ends *ends,
                     ls_ltx_header *header, ls_err *err) {
    int fd = ls_open(path, O_RDONLY, 0);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    ls_code rc = ends_of_fd(fd, path, file, ends, header, err);
    (void)close(fd);
    return rc;
}

ls_code ls_ends_local(const ls_db *db, const ls_ltx_info *file, ls_ends *ends,
                      ls_ltx_header *header, ls_err *err) {
    char *path = ls_db_ltx_path(db, file->level, file->min_txid, file->max_txid);
    if (path == NULL) {
        return ls_fail(err, LS_ENOMEM, "local file of TXID %016" PRIx64, file->max_txid);
    }
    ls_code rc = ls_ends_path(path, file, ends, header, err);
    free(path);
    return rc;
}

bool ls_ends_equal(const ls_ends *a, const ls_ends *b) {
    return a->size == b->size && memcmp(a->head, b->head, sizeof(a->head)) == 0 &&
           memcmp(a->tail, b->tail, sizeof(a->tail)) == 0;
}

/* Counts the pages that the index of an open file lists. */
static ls_code count_pages(int fd, const char *path, const ls_ltx_header *header, uint64_t size,
                           uint32_t *pages, ls_err *err) {
    uint8_t last[24];
    size_t got = 0;
    ls_code rc =
        ls_pread_full(fd, last, sizeof(last), (int64_t)(size - sizeof(last)), &got, path, err);
    ls_ltx_tail tail = {0};
    if (rc == LS_OK) {
        rc = ls_ltx_tail_decode(last, size, &tail, err);
    }
    if (rc != LS_OK) {
        return rc;
    }
    if (lseek(fd, (off_t)tail.index_offset, SEEK_SET) < 0) {
        return ls_fail_errno(err, errno, "seek %s", path);
    }
    ls_reader *in = ls_fd_reader_new(fd, false, path);
    if (in == NULL) {
        return ls_fail(err, LS_ENOMEM, "read index of %s", path);
    }
    ls_ltx_index_iter *it = NULL;
    rc = ls_ltx_index_iter_new(in, header, &tail, &it, err);
    bool end = false;
    for (*pages = 0; rc == LS_OK;) {
        ls_ltx_entry entry;
        rc = ls_ltx_index_iter_next(it, &entry, &end, err);
        if (end) {
            break;
        }
        (*pages)++;
    }
    ls_ltx_index_iter_free(it);
    ls_reader_close(in);
    return rc;
}

ls_code ls_local_is_full(const ls_db *db, ls_txid txid, bool *full, ls_err *err) {
    const ls_ltx_info file = {.level = 0, .min_txid = txid, .max_txid = txid};
    char *path = ls_db_ltx_path(db, 0, txid, txid);
    if (path == NULL) {
        return ls_fail(err, LS_ENOMEM, "local file of TXID %016" PRIx64, txid);
    }
    ls_code rc;
    ls_ends ends = {0};
    ls_ltx_header header = {0};
    uint32_t pages = 0;
    int fd = ls_open(path, O_RDONLY, 0);
    if (fd < 0) {
        rc = ls_fail_errno(err, errno, "open %s", path);
    } else {
        rc = ends_of_fd(fd, path, &file, &ends, &header, err);
        if (rc == LS_OK) {
            rc = count_pages(fd, path, &header, ends.size, &pages, err);
        }
        (void)close(fd);
    }
    if (rc == LS_OK) {
        uint32_t lock = header.commit >= ls_ltx_lock_pgno(header.page_size) ? 1 : 0;
        *full = header.commit > 0 && pages == header.commit - lock;
    }
    free(path);
    return rc;
}
