/*
 * Writes the image of a plan's files: newest file first, each read once from front to back.
 *
 * One bit a page says whether a newer file already held it. The index of a file tells, ahead of
 * the frames, where each begins; frames go in chunks to worker threads, which decode them all,
 * since the file's checksum covers every page, and write those that win. Any order of writing is
 * right, as no page is written twice. The image must not be used before ls_rebuild said LS_OK: a
 * file's checksum is known at its end only.
 *
 * A page that a file in the middle cut off, and that lies within the final size again, comes from
 * the older file, as it does when files are merged. SQLite writes such pages anew before it uses
 * them.
 */
#include "engine/restore/pipeline.h"
#include "engine/restore/restore.h"
#include "engine/restore/source.h"

#include "engine/base/text.h"
#include "engine/ltx/crc64.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define THREADS_DEFAULT 8
#define THREADS_MAX 64
/* Below this the work is done before threads are started. */
#define INLINE_BYTES (1u << 20)
/* No frame is smaller, so the plan's bytes bound the pages that they can hold. */
#define FRAME_MIN 11

typedef struct rebuild {
    ls_storage *s;
    const ls_plan *plan;
    const ls_restore_opts *opts;
    ls_pipeline *pipeline;
    ls_chunk_target target;
    uint32_t commit;     /* pages of the result */
    uint32_t lock_pgno;  /* never stored, stays zero */
    uint8_t *taken;      /* bit (pgno - 1) */
    uint32_t missing;    /* pages not taken yet */
    uint64_t post_apply; /* of the newest file, where it keeps checksums */
    uint64_t rolling;    /* so far */
    uint64_t file_crc;   /* of the file whose pieces are being taken back */
    ls_restore_progress progress;
} rebuild;

static ls_code in_file(const rebuild *r, size_t i, ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    return ls_wrap(err, "%s", ls_storage_key(&r->plan->files[i], key));
}

/* ---- the plan ---- */

static ls_code check_join(const ls_plan *plan, size_t i, ls_err *err) {
    const ls_ltx_info *f = &plan->files[i];
    ls_txid before = i == 0 ? 0 : plan->files[i - 1].max_txid;
    bool joins = i == 0 ? f->min_txid == 1 : f->min_txid - 1 <= before && f->max_txid > before;
    if (joins) {
        return LS_OK;
    }
    char have[LS_TXID_SIZE];
    char key[LS_STORAGE_KEY_SIZE];
    return ls_fail(err, LS_EGAP, "non-contiguous ltx files: have up to %s but next file is %s",
                   ls_txid_format(before, have), ls_storage_key(f, key));
}

static ls_code check_plan(rebuild *r, ls_err *err) {
    const ls_plan *plan = r->plan;
    if (plan->n == 0) {
        return ls_fail(err, LS_ENOBACKUP, "no matching backup files available");
    }
    ls_code code = LS_OK;
    for (size_t i = 0; i < plan->n && code == LS_OK; i++) {
        code = check_join(plan, i, err);
        if (code == LS_OK) {
            code = ls_source_check_size(&plan->files[i], err);
        }
        r->progress.bytes += plan->files[i].size;
    }
    r->progress.files = plan->n;
    return code;
}

/* ---- the output ---- */

static ls_code check_space(const rebuild *r, uint64_t need, ls_err *err) {
    struct statvfs vfs;
    if (fstatvfs(r->target.fd, &vfs) != 0 || vfs.f_blocks == 0) {
        return LS_OK; /* unknown: writing will tell */
    }
    uint64_t there = (uint64_t)vfs.f_bavail * vfs.f_frsize;
    if (there >= need) {
        return LS_OK;
    }
    char need_text[32];
    char there_text[32];
    ls_fail(err, LS_EFULL, "write %s: needs %s, but only %s are free", r->target.name,
            ls_bytes_format(need, need_text, sizeof need_text),
            ls_bytes_format(there, there_text, sizeof there_text));
    return r->opts->force
               ? ls_hint(err, "the file that is replaced stays until the new one is complete; free "
                              "some space or restore to another file system")
               : ls_hint(err, "free some space or restore to another file system");
}

static ls_code make_bitmap(rebuild *r, ls_err *err) {
    if (r->commit > r->progress.bytes / FRAME_MIN + 1) { /* + 1: the lock page */
        return ls_fail(err, LS_ECORRUPT,
                       "a database of %u pages cannot be in the plan's %llu bytes", r->commit,
                       (unsigned long long)r->progress.bytes);
    }
    r->taken = calloc(1, r->commit / 8 + 1);
    if (r->taken == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for %u pages", r->commit);
    }
    return LS_OK;
}

/* What the newest file says of the result: size, page size, and its checksum where there is one. */
static ls_code prepare(rebuild *r, const ls_source *newest, ls_err *err) {
    const ls_ltx_header *h = &newest->header;
    r->target.page_size = h->page_size;
    r->target.checksum_pages = (h->flags & LS_LTX_FLAG_NO_CHECKSUM) == 0;
    r->post_apply = newest->tail.trailer.post_apply;
    r->commit = h->commit;
    r->lock_pgno = ls_ltx_lock_pgno(h->page_size);
    r->missing = r->commit - (r->commit >= r->lock_pgno ? 1 : 0);
    ls_code code = make_bitmap(r, err);
    uint64_t size = (uint64_t)r->commit * h->page_size;
    if (code == LS_OK) {
        code = check_space(r, size, err);
    }
    if (code == LS_OK && ftruncate(r->target.fd, (off_t)size) != 0) {
        code = ls_fail_errno(err, errno, "write %s", r->target.name);
    }
    return code;
}

/* Takes the page for the file at hand unless a newer one had it or it lies behind the end. */
static bool wins(rebuild *r, uint32_t pgno) {
    if (pgno > r->commit) {
        return false;
    }
    uint8_t bit = (uint8_t)(1u << ((pgno - 1) % 8));
    uint8_t *byte = &r->taken[(pgno - 1) / 8];
    if ((*byte & bit) != 0) {
        return false;
    }
    *byte |= bit;
    r->missing--;
    return true;
}

/* ---- out: files into pieces ---- */

/* The next frames, as many as a piece holds. */
static ls_code fill(rebuild *r, ls_source *src, ls_chunk *c, bool *end, ls_err *err) {
    const uint32_t most = LS_CHUNK_BYTES / r->target.page_size;
    c->n = 0;
    c->in_len = 0;
    while (c->n < most && c->in_len < LS_CHUNK_BYTES) {
        ls_ltx_entry e;
        ls_code code = ls_ltx_index_iter_next(src->index, &e, end, err);
        if (code != LS_OK || *end) {
            if (code != LS_OK) {
                return code;
            }
            break;
        }
        if (e.size > LS_LTX_MAX_FRAME) {
            return ls_fail(err, LS_ECORRUPT, "page %u: frame of %u bytes", e.pgno, e.size);
        }
        c->pages[c->n++] = (ls_chunk_page){.pgno = e.pgno, .size = e.size, .wins = wins(r, e.pgno)};
        c->in_len += e.size;
    }
    return ls_source_read(src, c->in, c->in_len, err);
}

/* The file's last bytes: end marker, index and trailer, as the file checksum covers them. */
static ls_code finish(ls_source *src, ls_piece *piece, ls_err *err) {
    static const uint8_t zeros[LS_LTX_PAGE_HEADER_SIZE];
    uint8_t marker[LS_LTX_PAGE_HEADER_SIZE];
    ls_code code = ls_source_read(src, marker, sizeof marker, err);
    if (code != LS_OK) {
        return code;
    }
    if (memcmp(marker, zeros, sizeof zeros) != 0) {
        return ls_fail(err, LS_ECORRUPT, "no end marker where the page index says the pages end");
    }
    uint64_t index_crc;
    uint64_t index_len;
    ls_ltx_index_iter_crc(src->index, &index_crc, &index_len);
    uint8_t post_apply[8];
    for (int i = 0; i < 8; i++) {
        post_apply[i] = (uint8_t)(src->tail.trailer.post_apply >> (56 - 8 * i));
    }
    uint64_t crc = ls_crc64_combine(ls_crc64(0, marker, sizeof marker), index_crc, index_len);
    piece->rest_crc = ls_crc64(crc, post_apply, sizeof post_apply);
    piece->rest_len = sizeof marker + index_len + sizeof post_apply;
    piece->file_checksum = src->tail.trailer.file_checksum;
    piece->file_bytes += src->info.size - (src->tail.index_offset - sizeof marker);
    piece->last = true;
    return LS_OK;
}

static ls_code feed_piece(rebuild *r, size_t i, ls_source *src, bool first, bool *end,
                          ls_err *err) {
    ls_piece *piece;
    ls_code code = ls_pipeline_piece(r->pipeline, &piece, err);
    if (code != LS_OK) {
        return code; /* names the file itself: it may be another one */
    }
    piece->file = i;
    piece->first = first;
    piece->last = false;
    piece->header_crc = first ? ls_crc64(0, src->header_bytes, LS_LTX_HEADER_SIZE) : 0;
    code = fill(r, src, &piece->chunk, end, err);
    piece->file_bytes = piece->chunk.in_len + (first ? LS_LTX_HEADER_SIZE : 0);
    if (code == LS_OK && *end) {
        code = finish(src, piece, err);
    }
    if (code != LS_OK) {
        return in_file(r, i, err);
    }
    ls_pipeline_submit(r->pipeline, piece);
    return LS_OK;
}

static ls_code open_source(rebuild *r, size_t i, ls_source *src, ls_err *err) {
    ls_code code = ls_source_open(src, r->s, &r->plan->files[i], r->opts->cancel, err);
    if (code == LS_OK && i == r->plan->n - 1) {
        code = prepare(r, src, err);
    }
    if (code == LS_OK && src->header.page_size != r->target.page_size) {
        code = ls_fail(err, LS_ECORRUPT, "page size %u, but newer files have %u",
                       src->header.page_size, r->target.page_size);
        (void)ls_hint(err, "the page size changed; a snapshot of the new size is missing");
    }
    return code == LS_OK ? LS_OK : in_file(r, i, err);
}

static ls_code feed_file(rebuild *r, size_t i, ls_err *err) {
    ls_source src;
    ls_code code = open_source(r, i, &src, err);
    bool end = false;
    for (bool first = true; code == LS_OK && !end; first = false) {
        if (ls_canceled(r->opts->cancel)) {
            code = ls_fail(err, LS_ECANCELED, "restore canceled");
        } else {
            code = feed_piece(r, i, &src, first, &end, err);
        }
    }
    ls_source_close(&src);
    return code;
}

/* ---- back: pieces into file checksums ---- */

static ls_code take(void *arg, ls_piece *piece, ls_err *err) {
    rebuild *r = arg;
    const ls_chunk *c = &piece->chunk;
    if (c->code != LS_OK) {
        *err = c->err;
        return in_file(r, piece->file, err);
    }
    if (piece->first) {
        r->file_crc = piece->header_crc;
    }
    r->file_crc = ls_crc64_combine(r->file_crc, c->crc, c->crc_len);
    r->rolling ^= c->rolling;
    r->progress.pages_written += c->written;
    r->progress.bytes_done += piece->file_bytes;
    if (piece->last) {
        uint64_t sum =
            LS_LTX_CHECKSUM_FLAG | ls_crc64_combine(r->file_crc, piece->rest_crc, piece->rest_len);
        if (sum != piece->file_checksum) {
            ls_fail(err, LS_ECHECKSUM, "file checksum mismatch");
            return in_file(r, piece->file, err);
        }
        r->progress.files_done++;
    }
    if (r->opts->progress != NULL) {
        r->opts->progress(r->opts->progress_arg, &r->progress);
    }
    return LS_OK;
}

/* ---- the end ---- */

static ls_code check_complete(const rebuild *r, ls_err *err) {
    if (r->missing == 0) {
        return LS_OK;
    }
    uint32_t pgno = 1;
    while (pgno == r->lock_pgno || (r->taken[(pgno - 1) / 8] >> ((pgno - 1) % 8) & 1) != 0) {
        pgno++;
    }
    const ls_plan *plan = r->plan;
    char first[LS_STORAGE_KEY_SIZE];
    char last[LS_STORAGE_KEY_SIZE];
    ls_fail(err, LS_ECORRUPT,
            "page %u of %u is in none of the %zu files from %s to %s, nor are %u more", pgno,
            r->commit, plan->n, ls_storage_key(&plan->files[0], first),
            ls_storage_key(&plan->files[plan->n - 1], last), r->missing - 1);
    return ls_hint(err, "restore from an earlier TXID or another copy");
}

static ls_code check_rolling(const rebuild *r, ls_err *err) {
    if (!r->target.checksum_pages || (LS_LTX_CHECKSUM_FLAG | r->rolling) == r->post_apply) {
        return LS_OK;
    }
    ls_fail(err, LS_ECHECKSUM, "the database's checksum is %016llx after this file, not %016llx",
            (unsigned long long)(LS_LTX_CHECKSUM_FLAG | r->rolling),
            (unsigned long long)r->post_apply);
    return in_file(r, r->plan->n - 1, err);
}

static int processors(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        return CPU_COUNT(&set);
    }
#endif
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 && n < THREADS_MAX ? (int)n : 1;
}

static int threads_for(const rebuild *r) {
    int n = r->opts->parallelism > 0 ? r->opts->parallelism : THREADS_DEFAULT;
    int most = processors() < THREADS_MAX ? processors() : THREADS_MAX;
    n = n < most ? n : most;
    /* A single worker would only take turns with the thread that feeds it. */
    return r->progress.bytes < INLINE_BYTES || n == 1 ? 0 : n;
}

static ls_code run(rebuild *r, ls_err *err) {
    ls_code code = check_plan(r, err);
    if (code == LS_OK) {
        code = ls_pipeline_new(threads_for(r), &r->target, take, r, &r->pipeline, err);
    }
    for (size_t i = r->plan->n; code == LS_OK && i-- > 0;) {
        code = feed_file(r, i, err);
    }
    if (code == LS_OK) {
        code = ls_pipeline_drain(r->pipeline, err);
    }
    if (code == LS_OK) {
        code = check_complete(r, err);
    }
    return code == LS_OK ? check_rolling(r, err) : code;
}

ls_code ls_rebuild(ls_storage *s, const ls_plan *plan, int fd, const char *name,
                   const ls_restore_opts *opts, ls_restore_result *result, ls_err *err) {
    rebuild r = {.s = s, .plan = plan, .opts = opts, .target = {.fd = fd, .name = name}};
    ls_code code = run(&r, err);
    ls_pipeline_free(r.pipeline);
    free(r.taken);
    if (code == LS_OK) {
        *result = (ls_restore_result){.txid = plan->files[plan->n - 1].max_txid,
                                      .page_size = r.target.page_size,
                                      .pages = r.commit,
                                      .files = plan->n,
                                      .bytes = r.progress.bytes};
    }
    if (code == LS_ECANCELED) {
        ls_fail(err, LS_ECANCELED, "restore canceled"); /* wherever it was noticed */
    }
    return code;
}
