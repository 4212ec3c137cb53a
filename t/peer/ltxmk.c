/*
 * Makes LTX files for tests with this project's encoder and merge: what `ltx encode-db` does not
 * (increments, the block encoding, files without checksums).
 *
 *   ltxmk encode f|b FLAGS MIN MAX TIME OUT OLD NEW   the change from database OLD to NEW; MIN 1:
 *                                                     all of NEW (OLD is ignored: give "")
 *   ltxmk merge FLAGS OUT FILE...
 */
#include "engine/litestream.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_DB (512u << 20)

typedef struct db {
    char *data;
    size_t len;
} db;

static const uint8_t *page_of(const db *d, uint32_t pgno, uint32_t page_size) {
    size_t from = (size_t)(pgno - 1) * page_size;
    return from + page_size <= d->len ? (const uint8_t *)d->data + from : NULL;
}

static uint64_t db_checksum(const db *d, uint32_t page_size) {
    uint64_t sum = LS_LTX_CHECKSUM_FLAG;
    const uint8_t *page;
    for (uint32_t pgno = 1; (page = page_of(d, pgno, page_size)) != NULL; pgno++) {
        if (pgno != ls_ltx_lock_pgno(page_size))
            sum = LS_LTX_CHECKSUM_FLAG | (sum ^ ls_ltx_page_checksum(pgno, page, page_size));
    }
    return sum;
}

static ls_code encode_pages(ls_ltx_encoder *enc, const ls_ltx_header *h, const db *old,
                            const db *new, ls_err *err) {
    ls_code rc = LS_OK;
    for (uint32_t pgno = 1; pgno <= h->commit && rc == LS_OK; pgno++) {
        const uint8_t *was = page_of(old, pgno, h->page_size);
        const uint8_t *is = page_of(new, pgno, h->page_size);
        bool same = was != NULL && !ls_ltx_is_snapshot(h) && memcmp(was, is, h->page_size) == 0;
        if (!same && pgno != ls_ltx_lock_pgno(h->page_size))
            rc = ls_ltx_encoder_page(enc, pgno, is, h->page_size, err);
    }
    return rc;
}

static ls_code write_change(const ls_ltx_header *h, ls_ltx_encoding encoding, const db *old,
                            const db *new, ls_writer *out, ls_err *err) {
    const ls_ltx_encoder_opts opts = {.encoding = encoding};
    bool sums = (h->flags & LS_LTX_FLAG_NO_CHECKSUM) == 0;
    ls_ltx_encoder *enc = NULL;
    ls_code rc = ls_ltx_encoder_new(out, h, &opts, &enc, err);
    if (rc == LS_OK)
        rc = encode_pages(enc, h, old, new, err);
    if (rc == LS_OK)
        rc = ls_ltx_encoder_close(enc, sums ? db_checksum(new, h->page_size) : 0, NULL, err);
    ls_ltx_encoder_free(enc);
    return rc;
}

static ls_code encode(char **arg, ls_writer *out, ls_err *err) {
    db old = {NULL, 0}, new = {NULL, 0};
    ls_ltx_header h = {.flags = (uint32_t)strtoul(arg[1], NULL, 0),
                       .min_txid = strtoull(arg[2], NULL, 0),
                       .max_txid = strtoull(arg[3], NULL, 0),
                       .timestamp = strtoll(arg[4], NULL, 0)};
    bool sums = (h.flags & LS_LTX_FLAG_NO_CHECKSUM) == 0;
    ls_code rc = LS_OK;
    if (!ls_ltx_is_snapshot(&h))
        rc = ls_read_file(arg[6], MAX_DB, &old.data, &old.len, err);
    if (rc == LS_OK)
        rc = ls_read_file(arg[7], MAX_DB, &new.data, &new.len, err);
    if (rc == LS_OK && new.len < 100)
        rc = ls_fail(err, LS_ENOTDB, "%s: too short", arg[7]);
    if (rc == LS_OK)
        rc = ls_db_header_parse((const uint8_t *)new.data, &h.page_size, &h.commit, err);
    if (rc == LS_OK) {
        h.commit = (uint32_t)(new.len / h.page_size);
        if (sums && !ls_ltx_is_snapshot(&h))
            h.pre_apply = db_checksum(&old, h.page_size);
        rc = write_change(&h, arg[0][0] == 'b' ? LS_LTX_BLOCK : LS_LTX_FRAME, &old, &new, out, err);
    }
    free(old.data);
    free(new.data);
    return rc;
}

static ls_code open_input(void *arg, size_t i, ls_reader **in, ls_err *err) {
    const char *path = ((char **)arg)[i];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ls_fail(err, LS_ENOTFOUND, "open %s", path);
    *in = ls_fd_reader_new(fd, true, path);
    return *in != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "open %s", path);
}

static ls_code merge(uint32_t flags, char **paths, size_t n, ls_writer *out, ls_err *err) {
    const ls_ltx_merge_opts opts = {.flags = flags, .open = open_input, .arg = paths};
    return ls_ltx_merge(&opts, n, out, NULL, NULL, err);
}

static ls_code make(const char *path, int argc, char **argv, ls_err *err) {
    ls_fd_writer w;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return ls_fail(err, LS_EIO, "create %s", path);
    ls_fd_writer_init(&w, fd, path);
    ls_code rc = strcmp(argv[1], "encode") == 0 ? encode(argv + 2, &w.base, err)
                                                : merge((uint32_t)strtoul(argv[2], NULL, 0),
                                                        argv + 4, (size_t)argc - 4, &w.base, err);
    if (close(fd) != 0 && rc == LS_OK)
        rc = ls_fail(err, LS_EIO, "close %s", path);
    return rc;
}

int main(int argc, char **argv) {
    ls_err err = LS_ERR_INIT;
    bool enc = argc == 10 && strcmp(argv[1], "encode") == 0;
    if (!enc && !(argc > 4 && strcmp(argv[1], "merge") == 0)) {
        fprintf(stderr, "usage: ltxmk encode f|b FLAGS MIN MAX TIME OUT OLD NEW\n"
                        "       ltxmk merge FLAGS OUT FILE...\n");
        return 2;
    }
    if (make(enc ? argv[7] : argv[3], argc, argv, &err) == LS_OK)
        return 0;
    fprintf(stderr, "ltxmk: %s\n", err.msg);
    return 1;
}
