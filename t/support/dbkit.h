/*
 * What tests that replicate real databases share: an application's connection, and the image of a
 * replica, put together by the plainest rule there is, to be compared with what SQLite sees. It
 * knows nothing of restore plans. Include it after cmocka.h.
 */
#ifndef LS_T_DBKIT_H
#define LS_T_DBKIT_H

#include "backends/storage.h"
#include "engine/ltx/decoder.h"
#include "t/support/must.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void sql(sqlite3 *h, const char *text) {
    char *msg = NULL;
    if (sqlite3_exec(h, text, NULL, NULL, &msg) != SQLITE_OK) {
        fail_msg("%s: %s", text, msg);
    }
}

static inline sqlite3 *app_open(const char *path) {
    sqlite3 *h;
    assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
    sqlite3_busy_timeout(h, 5000);
    return h;
}

/* A new database in WAL mode with a table t. */
static inline sqlite3 *app_create(const char *path, int page_size) {
    sqlite3 *h = app_open(path);
    char *text = sqlite3_mprintf("PRAGMA page_size=%d; PRAGMA journal_mode=wal;"
                                 "PRAGMA wal_autocheckpoint=0;"
                                 "CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)",
                                 page_size);
    sql(h, text);
    sqlite3_free(text);
    return h;
}

static inline void add_rows(sqlite3 *h, int n) {
    for (int i = 0; i < n; i++) {
        sql(h, "INSERT INTO t(v) VALUES (randomblob(700))");
    }
}

/* The database as the connection sees it; sqlite3_free. */
static inline uint8_t *db_image(sqlite3 *h, size_t *size) {
    sqlite3_int64 len = 0;
    sql(h, "BEGIN; SELECT count(*) FROM sqlite_schema");
    uint8_t *data = sqlite3_serialize(h, "main", &len, 0);
    assert_non_null(data);
    sql(h, "COMMIT");
    *size = (size_t)len;
    return data;
}

/* SQLite finds nothing wrong with the database. */
static inline void assert_whole(const char *path) {
    sqlite3 *h = app_open(path);
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(h, "PRAGMA integrity_check", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(stmt, 0), "ok");
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    assert_int_equal(sqlite3_close(h), SQLITE_OK);
}

/* How often a text stands in a file, a log of at most 16 MiB. */
static inline int count_in(const char *path, const char *text) {
    ls_err err = LS_ERR_INIT;
    char *data;
    size_t len;
    int n = 0;
    must(ls_read_file(path, 16 << 20, &data, &len, &err), &err);
    for (const char *p = data; (p = strstr(p, text)) != NULL; p++) {
        n++;
    }
    free(data);
    return n;
}

/* ---- The image of a replica ---- */

typedef struct image {
    uint8_t *data;
    size_t size;
    uint32_t page_size;
    ls_txid txid;
} image;

static inline void image_apply(image *im, ls_storage *s, const ls_ltx_info *file) {
    ls_err err = LS_ERR_INIT;
    ls_reader *in = NULL;
    ls_ltx_header h;
    ls_ltx_decoder *dec = NULL;
    must(ls_storage_open_range(s, file, 0, 0, &in, &err), &err);
    must(ls_ltx_decoder_new(in, &h, &dec, &err), &err);
    assert_int_equal(h.min_txid, file->min_txid);
    assert_int_equal(h.max_txid, file->max_txid);
    if (im->txid == 0) {
        im->page_size = h.page_size;
    }
    assert_int_equal(im->page_size, h.page_size);
    size_t size = (size_t)h.commit * h.page_size;
    im->data = realloc(im->data, size);
    assert_non_null(im->data);
    if (size > im->size) {
        memset(im->data + im->size, 0xEE, size - im->size);
    }
    im->size = size;
    for (;;) {
        ls_ltx_page p;
        bool end;
        must(ls_ltx_decoder_next(dec, &p, &end, &err), &err);
        if (end) {
            break;
        }
        memcpy(im->data + (size_t)(p.pgno - 1) * h.page_size, p.data, h.page_size);
    }
    must(ls_ltx_decoder_close(dec, NULL, &err), &err);
    ls_ltx_decoder_free(dec);
    ls_reader_close(in);
    im->txid = file->max_txid;
}

/* The snapshot with the greatest MaxTXID. */
static inline bool image_base(ls_storage *s, ls_ltx_info *base) {
    *base = (ls_ltx_info){0};
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        ls_err err = LS_ERR_INIT;
        ls_storage_iter *it = NULL;
        must(ls_storage_list(s, level, 0, &it, &err), &err);
        for (;;) {
            ls_ltx_info file;
            bool end = false;
            must(ls_storage_iter_next(it, &file, &end, &err), &err);
            if (end) {
                break;
            }
            if (file.min_txid == 1 && file.max_txid > base->max_txid) {
                *base = file;
            }
        }
        ls_storage_iter_free(it);
    }
    return base->max_txid != 0;
}

/* Lays the level-0 files from a TXID on over the image; they must join. */
static inline void image_go_on(image *im, ls_storage *s, ls_txid from) {
    ls_err err = LS_ERR_INIT;
    ls_storage_iter *it = NULL;
    must(ls_storage_list(s, 0, from, &it, &err), &err);
    for (;; from++) {
        ls_ltx_info file;
        bool end = false;
        must(ls_storage_iter_next(it, &file, &end, &err), &err);
        if (end) {
            break;
        }
        assert_int_equal(file.min_txid, from);
        image_apply(im, s, &file);
    }
    ls_storage_iter_free(it);
}

/* The newest snapshot and the level-0 files behind it. txid 0: there is no snapshot. */
static inline image image_of(ls_storage *s) {
    image im = {0};
    ls_ltx_info base;
    if (image_base(s, &base)) {
        image_apply(&im, s, &base);
        image_go_on(&im, s, im.txid + 1);
    }
    return im;
}

/* The first page that SQLite does not see like this in the database; 0 if it is the image, and
 * UINT32_MAX if it has another size. */
static inline uint32_t image_differs(const image *im, const char *path) {
    sqlite3 *h = app_open(path);
    size_t size = 0;
    uint8_t *data = db_image(h, &size);
    uint32_t pgno = im->size == size ? 0 : UINT32_MAX;
    for (size_t off = 0; pgno == 0 && off < im->size; off += im->page_size) {
        if (memcmp(im->data + off, data + off, im->page_size) != 0) {
            pgno = (uint32_t)(off / im->page_size) + 1;
        }
    }
    sqlite3_free(data);
    sqlite3_close(h);
    return pgno;
}

static inline bool image_is_db(const image *im, const char *path) {
    return image_differs(im, path) == 0;
}

/* Is the replica in folder root the database, and all of it? */
static inline bool replica_is_db(const char *root, const char *path) {
    ls_storage *s = NULL;
    ls_err err = LS_ERR_INIT;
    must(ls_storage_open_file(root, NULL, &s, &err), &err);
    image im = image_of(s);
    bool same = image_is_db(&im, path);
    free(im.data);
    ls_storage_free(s);
    return same;
}

/* Unlinks the database's log and index. */
static inline void remove_log(const char *path) {
    static const char *const ends[] = {"wal", "shm"};
    for (size_t i = 0; i < 2; i++) {
        char *side = ls_asprintf("%s-%s", path, ends[i]);
        assert_non_null(side);
        (void)unlink(side);
        free(side);
    }
}

#endif
