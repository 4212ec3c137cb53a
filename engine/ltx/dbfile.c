/*
 * Database files and LTX files: checksum, encode, apply.
 */
#include "engine/ltx/dbfile.h"

#include "engine/base/file.h"
#include "engine/ltx/at_reader.h"
#include "engine/ltx/bytes.h"
#include "engine/ltx/crc64.h"
#include "engine/ltx/decoder.h"
#include "engine/ltx/rules.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define DB_HEADER_SIZE 100
#define CHUNK (256 * 1024) /* read at once; a multiple of any page size */

ls_code ls_db_header_parse(const uint8_t hdr[100], uint32_t *page_size, uint32_t *pages,
                           ls_err *err) {
    if (memcmp(hdr, "SQLite format 3", 16) != 0)
        return ls_fail(err, LS_ENOTDB, "invalid database header");
    uint32_t size = get_be16(hdr + 16);
    *page_size = size == 1 ? 65536 : size;
    *pages = get_be32(hdr + 28);
    if (!ls_ltx_page_size_valid(*page_size))
        return ls_fail(err, LS_ENOTDB, "invalid database header: page size %" PRIu32, *page_size);
    return LS_OK;
}

/* ---- pages of a stream, one after the other ---- */

typedef struct pages {
    ls_reader *in;
    uint32_t page_size;
    uint8_t *chunk; /* CHUNK bytes; owned */
    size_t pos;
    size_t end;
} pages;

static ls_code pages_init(pages *p, ls_reader *in, uint32_t page_size, ls_err *err) {
    *p = (pages){.in = in, .page_size = page_size, .chunk = malloc(CHUNK)};
    return p->chunk != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory");
}

static void pages_done(pages *p) { free(p->chunk); }

/* *page is NULL at the end, else valid until the next call. */
static ls_code pages_next(pages *p, const uint8_t **page, ls_err *err) {
    *page = NULL;
    if (p->pos == p->end) {
        p->pos = 0;
        ls_code rc = ls_read_full(p->in, p->chunk, CHUNK, &p->end, err);
        if (rc != LS_OK || p->end == 0)
            return rc;
    }
    if (p->end - p->pos < p->page_size)
        return ls_fail(err, LS_ECORRUPT, "unexpected EOF");
    *page = p->chunk + p->pos;
    p->pos += p->page_size;
    return LS_OK;
}

static uint64_t roll(uint64_t sum, uint32_t pgno, const void *page, uint32_t page_size) {
    return LS_LTX_CHECKSUM_FLAG | (sum ^ ls_ltx_page_checksum(pgno, page, page_size));
}

static ls_code sum_pages(pages *p, uint64_t *sum, ls_err *err) {
    *sum = LS_LTX_CHECKSUM_FLAG;
    for (uint32_t pgno = 1;; pgno++) {
        const uint8_t *page = NULL;
        ls_code rc = pages_next(p, &page, err);
        if (rc != LS_OK || page == NULL)
            return rc;
        if (pgno == 0)
            return ls_fail(err, LS_ECORRUPT, "more than 4294967295 pages");
        if (pgno != ls_ltx_lock_pgno(p->page_size))
            *sum = roll(*sum, pgno, page, p->page_size);
    }
}

ls_code ls_ltx_checksum_pages(ls_reader *in, uint32_t page_size, uint64_t *sum, ls_err *err) {
    pages p;
    if (!ls_ltx_page_size_valid(page_size))
        return ls_fail(err, LS_EINVALID, "invalid page size: %" PRIu32, page_size);
    ls_code rc = pages_init(&p, in, page_size, err);
    if (rc == LS_OK)
        rc = sum_pages(&p, sum, err);
    pages_done(&p);
    return rc;
}

/* ---- a database file ---- */

/* *got tells an empty file from a short one. */
static ls_code read_db_header(int fd, const char *name, uint32_t *page_size, uint32_t *count,
                              size_t *got, ls_err *err) {
    uint8_t hdr[DB_HEADER_SIZE];
    ls_code rc = ls_pread_full(fd, hdr, sizeof hdr, 0, got, name, err);
    if (rc != LS_OK || *got == 0)
        return rc;
    if (*got < sizeof hdr)
        return ls_fail(err, LS_ENOTDB, "invalid database header");
    return ls_db_header_parse(hdr, page_size, count, err);
}

ls_code ls_ltx_db_checksum(int fd, const char *name, uint64_t *sum, ls_err *err) {
    uint32_t page_size = 0;
    uint32_t count = 0;
    size_t got = 0;
    *sum = LS_LTX_CHECKSUM_FLAG;
    ls_code rc = read_db_header(fd, name, &page_size, &count, &got, err);
    if (rc == LS_OK && got == 0)
        return LS_OK;
    ls_at_reader in;
    ls_at_reader_init(&in, fd, 0, UINT64_MAX, name);
    if (rc == LS_OK)
        rc = ls_ltx_checksum_pages(&in.base, page_size, sum, err);
    return rc == LS_OK ? rc : ls_wrap(err, "%s", name);
}

/* ---- encode ---- */

static ls_code encode_pages(pages *p, uint32_t count, ls_ltx_encoder *enc, uint64_t *sum,
                            ls_err *err) {
    for (uint32_t pgno = 1; pgno <= count && pgno != 0; pgno++) {
        const uint8_t *page = NULL;
        ls_code rc = pages_next(p, &page, err);
        if (rc == LS_OK && page == NULL)
            rc = ls_fail(err, LS_ECORRUPT, "unexpected EOF");
        if (rc != LS_OK)
            return ls_wrap(err, "read page %" PRIu32, pgno);
        if (pgno == ls_ltx_lock_pgno(p->page_size))
            continue;
        *sum = roll(*sum, pgno, page, p->page_size);
        rc = ls_ltx_encoder_page(enc, pgno, page, p->page_size, err);
        if (rc != LS_OK)
            return ls_wrap(err, "encode page %" PRIu32, pgno);
    }
    return LS_OK;
}

static ls_code encode_snapshot(pages *p, const ls_ltx_header *header, ls_writer *out, ls_err *err) {
    ls_ltx_encoder *enc = NULL;
    if (ls_ltx_encoder_new(out, header, NULL, &enc, err) != LS_OK)
        return ls_wrap(err, "encode ltx header");
    uint64_t sum = LS_LTX_CHECKSUM_FLAG;
    ls_code rc = encode_pages(p, header->commit, enc, &sum, err);
    if (rc == LS_OK)
        rc = ls_ltx_encoder_close(enc, sum, NULL, err);
    ls_ltx_encoder_free(enc);
    return rc;
}

/* Pages of a database whose header says count: SQLite before 3.7.0 wrote 0 there. */
static ls_code count_pages(int fd, const char *name, uint32_t page_size, uint32_t *count,
                           ls_err *err) {
    struct stat st;
    if (*count != 0)
        return LS_OK;
    if (fstat(fd, &st) != 0)
        return ls_fail_errno(err, errno, "stat %s", name);
    uint64_t n = (uint64_t)st.st_size / page_size;
    if (n == 0 || n > UINT32_MAX)
        return ls_fail(err, LS_ENOTDB, "invalid database header");
    *count = (uint32_t)n;
    return LS_OK;
}

static ls_code begin_encode(int fd, const char *name, ls_ltx_header *header, ls_err *err) {
    size_t got = 0;
    ls_code rc = read_db_header(fd, name, &header->page_size, &header->commit, &got, err);
    if (rc == LS_OK && got == 0)
        rc = ls_fail(err, LS_ENOTDB, "empty database");
    if (rc == LS_OK)
        rc = count_pages(fd, name, header->page_size, &header->commit, err);
    return rc == LS_OK ? rc : ls_wrap(err, "read database header");
}

ls_code ls_ltx_encode_db(int fd, const char *name, int64_t timestamp_ms, ls_writer *out,
                         ls_err *err) {
    ls_ltx_header header = {.min_txid = 1, .max_txid = 1, .timestamp = timestamp_ms};
    ls_code rc = begin_encode(fd, name, &header, err);
    if (rc != LS_OK)
        return rc;
    ls_at_reader in;
    ls_at_reader_init(&in, fd, 0, UINT64_MAX, name);
    pages p;
    rc = pages_init(&p, &in.base, header.page_size, err);
    if (rc == LS_OK)
        rc = encode_snapshot(&p, &header, out, err);
    pages_done(&p);
    return rc;
}

/* ---- apply ---- */

typedef struct target {
    int fd;
    uint32_t page_size; /* 0: the database is empty */
    uint64_t pages;
} target;

static ls_code open_target(int fd, target *t, ls_err *err) {
    struct stat st;
    uint32_t count = 0;
    size_t got = 0;
    *t = (target){.fd = fd};
    if (fstat(fd, &st) != 0)
        return ls_fail_errno(err, errno, "stat database");
    ls_code rc = read_db_header(fd, "database", &t->page_size, &count, &got, err);
    if (rc == LS_OK && got > 0)
        t->pages = (uint64_t)st.st_size / t->page_size;
    return rc;
}

/* A pass over the file. */
typedef struct pass {
    ls_code (*on_page)(struct pass *p, const ls_ltx_page *page, ls_err *err);
    int db_fd;
    uint64_t old_pages; /* pages of the database before */
    uint64_t new_pages; /* pages of the file that it does not have */
    ls_ltx_header header;
    ls_ltx_trailer trailer;
} pass;

static ls_code run_pages(pass *p, ls_ltx_decoder *dec, ls_err *err) {
    for (;;) {
        ls_ltx_page page;
        bool end = false;
        ls_code rc = ls_ltx_decoder_next(dec, &page, &end, err);
        if (rc == LS_OK && !end)
            rc = p->on_page(p, &page, err);
        if (rc != LS_OK || end)
            return rc;
    }
}

/* Reads and proves the whole file. */
static ls_code run_pass(pass *p, int fd, const char *path, ls_err *err) {
    ls_at_reader in;
    ls_at_reader_init(&in, fd, 0, UINT64_MAX, path);
    ls_ltx_decoder *dec = NULL;
    ls_code rc = ls_ltx_decoder_new(&in.base, &p->header, &dec, err);
    if (rc == LS_OK)
        rc = run_pages(p, dec, err);
    if (rc == LS_OK)
        rc = ls_ltx_decoder_close(dec, &p->trailer, err);
    ls_ltx_decoder_free(dec);
    return rc;
}

/* Pages of the database that may stay: none under a snapshot. */
static uint64_t kept_pages(const pass *p) {
    return ls_ltx_is_snapshot(&p->header) ? 0 : p->old_pages;
}

static ls_code count_new(pass *p, const ls_ltx_page *page, ls_err *err) {
    (void)err;
    p->new_pages += page->pgno > kept_pages(p);
    return LS_OK;
}

static ls_code write_page(pass *p, const ls_ltx_page *page, ls_err *err) {
    uint64_t off = (uint64_t)(page->pgno - 1) * p->header.page_size;
    return ls_pwrite_full(p->db_fd, page->data, p->header.page_size, (int64_t)off, "database", err);
}

static ls_code check_order(const ls_ltx_header *h, ls_txid prev_max, ls_err *err) {
    if (prev_max == 0 || (h->min_txid - 1 <= prev_max && h->max_txid > prev_max))
        return LS_OK;
    return ls_fail(err, LS_EGAP,
                   "non-contiguous transaction ids: database is at %016" PRIx64
                   ", file holds (%016" PRIx64 ",%016" PRIx64 ")",
                   prev_max, h->min_txid, h->max_txid);
}

/* Pages that the database does not have must all be in the file, else it would get holes. */
static ls_code check_growth(const pass *p, ls_err *err) {
    uint32_t lock = ls_ltx_lock_pgno(p->header.page_size);
    uint64_t old = kept_pages(p);
    if (p->header.commit <= old)
        return LS_OK;
    uint64_t needed = p->header.commit - old;
    if (lock > old && lock <= p->header.commit)
        needed--;
    if (p->new_pages == needed)
        return LS_OK;
    (void)ls_fail(err, LS_EGAP,
                  "database of %" PRIu64 " pages grows to %" PRIu32 ", file holds %" PRIu64
                  " of the %" PRIu64 " new pages",
                  old, p->header.commit, p->new_pages, needed);
    return ls_hint(err, "apply the files before it first, a snapshot to begin with");
}

static ls_code check_sum(const target *t, uint32_t page_size, const char *what, uint64_t expected,
                         ls_err *err) {
    uint64_t sum = 0;
    ls_at_reader in;
    ls_at_reader_init(&in, t->fd, 0, UINT64_MAX, "database");
    ls_code rc = ls_ltx_checksum_pages(&in.base, page_size, &sum, err);
    if (rc == LS_OK && sum != expected)
        rc = ls_fail(err, LS_ECHECKSUM, "%s checksum mismatch: %016" PRIx64 " <> %016" PRIx64, what,
                     sum, expected);
    return rc;
}

/* Does the file fit the database? */
static ls_code check_fit(const pass *p, const target *t, ls_err *err) {
    const ls_ltx_header *h = &p->header;
    ls_code rc = check_growth(p, err);
    if (rc != LS_OK || ls_ltx_is_snapshot(h))
        return rc;
    if (t->page_size != 0 && t->page_size != h->page_size)
        return ls_fail(err, LS_EINVALID,
                       "page size %" PRIu32 " does not fit the database's %" PRIu32, h->page_size,
                       t->page_size);
    if ((h->flags & LS_LTX_FLAG_NO_CHECKSUM) != 0)
        return LS_OK;
    return check_sum(t, h->page_size, "pre-apply", h->pre_apply, err);
}

/* Writes pages and size, and checks what came out. seen: the pass that proved the file. */
static ls_code change_db(const pass *seen, const target *t, int fd, const char *path, ls_err *err) {
    pass p = {.on_page = write_page, .db_fd = t->fd};
    ls_code rc = run_pass(&p, fd, path, err);
    if (rc == LS_OK && p.trailer.file_checksum != seen->trailer.file_checksum)
        rc = ls_fail(err, LS_EIO, "file changed while it was applied");
    if (rc != LS_OK)
        return rc;
    uint64_t size = (uint64_t)p.header.commit * p.header.page_size;
    if (ftruncate(t->fd, (off_t)size) != 0)
        return ls_fail_errno(err, errno, "truncate database");
    if ((p.header.flags & LS_LTX_FLAG_NO_CHECKSUM) == 0)
        rc = check_sum(t, p.header.page_size, "post-apply", p.trailer.post_apply, err);
    if (rc == LS_OK && ls_fsync(t->fd) != 0)
        rc = ls_fail_errno(err, errno, "fsync database");
    return rc;
}

static ls_code apply_fd(int db_fd, int fd, const char *path, ls_txid *prev_max, ls_err *err) {
    target t;
    ls_code rc = open_target(db_fd, &t, err);
    pass seen = {.on_page = count_new, .old_pages = t.pages};
    if (rc == LS_OK)
        rc = run_pass(&seen, fd, path, err);
    if (rc == LS_OK)
        rc = check_order(&seen.header, *prev_max, err);
    if (rc == LS_OK)
        rc = check_fit(&seen, &t, err);
    if (rc == LS_OK)
        rc = change_db(&seen, &t, fd, path, err);
    if (rc == LS_OK)
        *prev_max = seen.header.max_txid;
    return rc;
}

ls_code ls_ltx_apply(int db_fd, const char *path, ls_txid *prev_max, ls_err *err) {
    int fd = ls_open(path, O_RDONLY, 0);
    if (fd < 0)
        return ls_fail_errno(err, errno, "open %s", path);
    ls_code rc = apply_fd(db_fd, fd, path, prev_max, err);
    close(fd);
    return rc == LS_OK ? rc : ls_wrap(err, "%s", path);
}
