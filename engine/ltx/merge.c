/*
 * k-way merge by page number. Of the sources that hold a page the newest wins; the others' copies
 * are read over, which also proves them, as a file's checksum covers every page.
 *
 * More than LS_LTX_MERGE_FANIN inputs are merged in groups, and groups of groups, into unlinked
 * temporary files (run.h). No page is dropped there, as the last input's Commit is not known yet.
 *
 * A page is decompressed once, to prove the file that it is from; from there on its sum goes with
 * its frame.
 */
#include "engine/ltx/merge.h"

#include "engine/ltx/bytes.h"
#include "engine/ltx/decoder_raw.h"
#include "engine/ltx/run.h"

#include <inttypes.h>
#include <stdlib.h>

/* One input, or a run of several. */
typedef struct source {
    ls_reader *in;
    ls_ltx_decoder *dec;
    ls_ltx_run *run;  /* NULL: it is an input */
    ls_ltx_page page; /* read and not passed yet; of a run without data */
    size_t input;     /* number of the (first) input; larger is newer */
} source;

typedef struct merge {
    const ls_ltx_merge_opts *opts;
    size_t n;
    ls_ltx_header first;                       /* of input 0 */
    ls_ltx_header last;                        /* of the last input opened */
    uint64_t post_apply;                       /* of input n-1, once it is closed */
    ls_ltx_joins joins;                        /* for pages of the size of input 0's */
    ls_ltx_decoder *spare[LS_LTX_MERGE_FANIN]; /* of inputs of runs, to be used again */
    size_t spares;
} merge;

/* Where merged pages go: one of the two. */
typedef struct sink {
    ls_ltx_encoder *enc;
    ls_ltx_run *run;
} sink;

/* Sources in a heap: the smallest page number on top, of equal ones the newest source. */
typedef struct heap {
    source *at[LS_LTX_MERGE_FANIN];
    size_t n;
} heap;

/* ---- sources ---- */

/* Puts the input's name in front of an error. */
static ls_code of_input(const merge *m, size_t input, ls_err *err) {
    return m->opts->name == NULL ? err->code
                                 : ls_wrap(err, "%s", m->opts->name(m->opts->arg, input));
}

/* Do the TXIDs of b join those of a? Overlaps are fine, going back is not. */
static ls_code check_joins(const merge *m, const ls_ltx_header *a, const ls_ltx_header *b,
                           ls_err *err) {
    if (a->page_size != b->page_size)
        return ls_fail(err, LS_EINVALID,
                       "input files have mismatched page sizes: %" PRIu32 " != %" PRIu32,
                       a->page_size, b->page_size);
    if (m->opts->allow_gaps || (b->min_txid - 1 <= a->max_txid && b->max_txid > a->max_txid))
        return LS_OK;
    return ls_fail(err, LS_EGAP,
                   "non-contiguous transaction ids in input files: (%016" PRIx64 ",%016" PRIx64
                   ") -> (%016" PRIx64 ",%016" PRIx64 ")",
                   a->min_txid, a->max_txid, b->min_txid, b->max_txid);
}

static ls_code open_input(merge *m, size_t input, source *s, ls_err *err) {
    *s = (source){.input = input, .dec = m->spares > 0 ? m->spare[--m->spares] : NULL};
    ls_code rc = m->opts->open(m->opts->arg, input, &s->in, err);
    if (rc != LS_OK) {
        s->in = NULL;
        return ls_wrap(err, "open input %zu", input);
    }
    ls_ltx_header header;
    if (ls_ltx_decoder_open(s->in, &header, &s->dec, err) != LS_OK) {
        (void)ls_wrap(err, "decode header for input %zu", input);
        return of_input(m, input, err);
    }
    if (input == 0) {
        m->first = header;
        ls_ltx_joins_init(&m->joins, header.page_size);
    } else if (check_joins(m, &m->last, &header, err) != LS_OK) {
        return of_input(m, input, err);
    }
    ls_ltx_decoder_keep_sums(s->dec, &m->joins);
    m->last = header;
    return LS_OK;
}

static void close_source(merge *m, source *s) {
    if (s->dec != NULL && m->spares < LS_LTX_MERGE_FANIN)
        m->spare[m->spares++] = s->dec;
    else
        ls_ltx_decoder_free(s->dec);
    ls_ltx_run_free(s->run);
    ls_reader_close(s->in);
}

static void close_sources(merge *m, source *sources, size_t k) {
    for (size_t i = 0; i < k; i++)
        close_source(m, &sources[i]);
}

static void free_spares(merge *m) {
    while (m->spares > 0)
        ls_ltx_decoder_free(m->spare[--m->spares]);
}

static ls_code next_of_run(source *s, bool *end, ls_err *err) {
    ls_ltx_page *p = &s->page;
    if (ls_ltx_run_next(s->run, &p->frame, &p->size, &p->crc, end, err) != LS_OK)
        return err->code;
    if (!*end) {
        p->pgno = get_be32(p->frame);
        p->flags = get_be16(p->frame + 4);
    }
    return LS_OK;
}

static ls_code next_page(const merge *m, source *s, bool *end, ls_err *err) {
    if (s->run != NULL)
        return next_of_run(s, end, err);
    if (ls_ltx_decoder_read(s->dec, &s->page, end, err) == LS_OK)
        return LS_OK;
    (void)ls_wrap(err, "read page header %zu", s->input);
    return of_input(m, s->input, err);
}

/* Reads the rest of a source after its last page, which proves all of it. */
static ls_code finish_source(merge *m, source *s, ls_err *err) {
    ls_ltx_trailer trailer;
    if (s->run != NULL)
        return LS_OK;
    if (ls_ltx_decoder_finish(s->dec, &trailer, err) != LS_OK) {
        (void)ls_wrap(err, "close reader %zu", s->input);
        return of_input(m, s->input, err);
    }
    if (s->input == m->n - 1)
        m->post_apply = trailer.post_apply;
    return LS_OK;
}

/* ---- heap ---- */

static bool before(const source *a, const source *b) {
    return a->page.pgno != b->page.pgno ? a->page.pgno < b->page.pgno : a->input > b->input;
}

static void sift_down(heap *h, size_t i) {
    for (;;) {
        size_t top = i;
        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < h->n; child++)
            if (before(h->at[child], h->at[top]))
                top = child;
        if (top == i)
            return;
        source *s = h->at[i];
        h->at[i] = h->at[top];
        h->at[top] = s;
        i = top;
    }
}

/* Reads the first page of each source. */
static ls_code fill_heap(const merge *m, heap *h, source *sources, size_t k, ls_err *err) {
    h->n = 0;
    for (size_t i = 0; i < k; i++) {
        bool end = false;
        ls_code rc = next_page(m, &sources[i], &end, err);
        if (rc != LS_OK)
            return rc;
        if (!end)
            h->at[h->n++] = &sources[i];
    }
    for (size_t i = h->n / 2; i-- > 0;)
        sift_down(h, i);
    return LS_OK;
}

/* Moves the top source on to its next page. */
static ls_code advance(const merge *m, heap *h, ls_err *err) {
    bool end = false;
    ls_code rc = next_page(m, h->at[0], &end, err);
    if (rc != LS_OK)
        return rc;
    if (end)
        h->at[0] = h->at[--h->n];
    sift_down(h, 0);
    return LS_OK;
}

/* ---- merge ---- */

static ls_code copy_page(const merge *m, const sink *to, const ls_ltx_page *p, ls_err *err) {
    if (to->run != NULL)
        return ls_ltx_run_add(to->run, p->frame, p->size, p->crc, err);
    ls_code rc = ls_ltx_encoder_summed(to->enc, p->frame, p->size, p->crc,
                                       ls_ltx_join(&m->joins, p->flags), err);
    if (rc == LS_OK)
        return rc;
    return rc == LS_EINVALID ? ls_wrap(err, "copy page %" PRIu32 " header", p->pgno)
                             : ls_wrap(err, "copy page %" PRIu32, p->pgno);
}

/* Merges the pages of all sources up to commit, and proves the sources. */
static ls_code merge_pages(merge *m, source *sources, size_t k, uint32_t commit, const sink *to,
                           ls_err *err) {
    heap h;
    uint32_t done = 0; /* last page copied */
    ls_code rc = fill_heap(m, &h, sources, k, err);
    while (rc == LS_OK && h.n > 0) {
        const ls_ltx_page *p = &h.at[0]->page;
        if (ls_canceled(m->opts->cancel))
            return ls_fail(err, LS_ECANCELED, "merge: canceled");
        if (p->pgno != done && p->pgno <= commit) {
            done = p->pgno;
            rc = copy_page(m, to, p, err);
        }
        if (rc == LS_OK)
            rc = advance(m, &h, err);
    }
    for (size_t i = 0; i < k && rc == LS_OK; i++)
        rc = finish_source(m, &sources[i], err);
    return rc;
}

static ls_code open_sources(merge *m, size_t from, size_t to, source *sources, size_t *k,
                            ls_err *err);

/* Merges inputs from..to-1 into a run. */
static ls_code open_run(merge *m, size_t from, size_t to, source *s, ls_err *err) {
    source sources[LS_LTX_MERGE_FANIN];
    size_t k = 0;
    *s = (source){.input = from};
    ls_code rc = open_sources(m, from, to, sources, &k, err);
    if (rc == LS_OK)
        rc = ls_ltx_run_new(m->opts->spill_dir, &s->run, err);
    if (rc == LS_OK)
        rc = merge_pages(m, sources, k, UINT32_MAX, &(sink){.run = s->run}, err);
    if (rc == LS_OK)
        rc = ls_ltx_run_rewind(s->run, err);
    close_sources(m, sources, k);
    return rc;
}

/* Inputs of the smallest runs: while one is made, each of the runs around it, which are four at
 * most, has its oldest input open. */
#define RUN_INPUTS (LS_LTX_MERGE_FANIN - 4)

/* How many inputs each run is of, if count inputs are to become at most LS_LTX_MERGE_FANIN sources:
 * the oldest input by itself and runs, or, for 1, inputs alone. */
static size_t run_size(size_t count) {
    size_t step = 1;
    for (size_t most = LS_LTX_MERGE_FANIN; count > most;
         most = 1 + (LS_LTX_MERGE_FANIN - 1) * step) {
        step = step == 1 ? RUN_INPUTS : most;
    }
    return step;
}

/* Opens inputs from..to-1 as at most LS_LTX_MERGE_FANIN sources, oldest first. *k of them are to be
 * closed, also after an error. The oldest input, which as a rule is by far the largest, is not read
 * and written once more as part of a run. Inputs are opened in order. */
static ls_code open_sources(merge *m, size_t from, size_t to, source *sources, size_t *k,
                            ls_err *err) {
    size_t step = run_size(to - from);
    ls_code rc = LS_OK;
    for (size_t i = from; i < to && rc == LS_OK;) {
        source *s = &sources[(*k)++];
        size_t count = i == from ? 1 : to - i < step ? to - i : step;
        rc = count == 1 ? open_input(m, i, s, err) : open_run(m, i, i + count, s, err);
        i += count;
    }
    return rc;
}

static ls_ltx_header output_header(const merge *m) {
    return (ls_ltx_header){
        .flags = m->opts->flags,
        .page_size = m->first.page_size,
        .commit = m->last.commit,
        .min_txid = m->first.min_txid,
        .max_txid = m->last.max_txid,
        .timestamp = m->last.timestamp,
        .pre_apply = m->first.pre_apply,
    };
}

/* Merges the sources into the output file. */
static ls_code write_output(merge *m, source *sources, size_t k, ls_writer *out,
                            const ls_ltx_header *header, ls_ltx_trailer *trailer, ls_err *err) {
    ls_ltx_encoder *enc = NULL;
    ls_ltx_encoder_opts opts = {.spill_dir = m->opts->spill_dir};
    if (ls_ltx_encoder_new(out, header, &opts, &enc, err) != LS_OK)
        return ls_wrap(err, "write header");
    ls_code rc = merge_pages(m, sources, k, header->commit, &(sink){.enc = enc}, err);
    if (rc == LS_OK && ls_ltx_encoder_close(enc, m->post_apply, trailer, err) != LS_OK)
        rc = ls_wrap(err, "close encoder");
    ls_ltx_encoder_free(enc);
    return rc;
}

static ls_code merge_all(merge *m, ls_writer *out, ls_ltx_header *header, ls_ltx_trailer *trailer,
                         ls_err *err) {
    source sources[LS_LTX_MERGE_FANIN];
    size_t k = 0;
    ls_code rc = open_sources(m, 0, m->n, sources, &k, err);
    ls_ltx_header merged = output_header(m);
    free_spares(m);
    if (rc == LS_OK)
        rc = write_output(m, sources, k, out, &merged, trailer, err);
    if (rc == LS_OK && header != NULL)
        *header = merged;
    close_sources(m, sources, k);
    free_spares(m);
    return rc;
}

ls_code ls_ltx_merge(const ls_ltx_merge_opts *opts, size_t n, ls_writer *out, ls_ltx_header *header,
                     ls_ltx_trailer *trailer, ls_err *err) {
    if (n == 0)
        return ls_fail(err, LS_EINVALID, "at least one input reader required");
    merge *m = calloc(1, sizeof *m);
    if (m == NULL)
        return ls_fail(err, LS_ENOMEM, "no memory");
    m->opts = opts;
    m->n = n;
    ls_code rc = merge_all(m, out, header, trailer, err);
    free(m);
    return rc;
}
