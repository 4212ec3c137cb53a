/* A run of frames as a job; see chunk.h. */
#include "engine/restore/chunk.h"

#include "engine/base/file.h"
#include "engine/ltx/crc64.h"
#include "engine/ltx/page.h"

#include <stdlib.h>

bool ls_chunk_init(ls_chunk *c, const ls_chunk_target *target) {
    c->target = target;
    c->in = malloc(LS_CHUNK_IN);
    c->out = malloc(LS_CHUNK_BYTES);
    return c->in != NULL && c->out != NULL;
}

void ls_chunk_done(ls_chunk *c) {
    free(c->in);
    free(c->out);
    c->in = c->out = NULL;
}

/* Decodes page i into its place in out and takes it into the checksums. */
static ls_code decode_page(ls_chunk *c, uint32_t i, const uint8_t *frame) {
    const ls_chunk_page *p = &c->pages[i];
    const uint32_t page_size = c->target->page_size;
    uint8_t *page = c->out + (size_t)i * page_size;
    uint32_t pgno;
    uint16_t flags;
    ls_code code =
        ls_ltx_page_decode(NULL, frame, p->size, page, page_size, &pgno, &flags, &c->err);
    if (code != LS_OK) {
        return ls_wrap(&c->err, "page %u", p->pgno);
    }
    if (pgno != p->pgno) {
        return ls_fail(&c->err, LS_ECORRUPT, "page index names page %u where page %u lies", p->pgno,
                       pgno);
    }
    size_t prefix = ls_ltx_frame_crc_prefix(flags);
    c->crc = ls_crc64(ls_crc64(c->crc, frame, prefix), page, page_size);
    c->crc_len += prefix + page_size;
    if (p->wins && c->target->checksum_pages) {
        c->rolling ^= ls_ltx_page_checksum(p->pgno, page, page_size);
    }
    return LS_OK;
}

/* The end of the run of winners with consecutive page numbers that begins at i. */
static uint32_t run_end(const ls_chunk *c, uint32_t i) {
    uint32_t end = i + 1;
    while (end < c->n && c->pages[end].wins && c->pages[end].pgno == c->pages[end - 1].pgno + 1) {
        end++;
    }
    return end;
}

static ls_code write_winners(ls_chunk *c) {
    const size_t page_size = c->target->page_size;
    for (uint32_t i = 0; i < c->n;) {
        if (!c->pages[i].wins) {
            i++;
            continue;
        }
        uint32_t end = run_end(c, i);
        int64_t off = (int64_t)(c->pages[i].pgno - 1) * (int64_t)page_size;
        ls_code code = ls_pwrite_full(c->target->fd, c->out + i * page_size, (end - i) * page_size,
                                      off, c->target->name, &c->err);
        if (code != LS_OK) {
            return code;
        }
        c->written += end - i;
        i = end;
    }
    return LS_OK;
}

void ls_chunk_run(ls_chunk *c) {
    c->code = LS_OK;
    c->crc = c->crc_len = c->rolling = 0;
    c->written = 0;
    const uint8_t *frame = c->in;
    for (uint32_t i = 0; i < c->n && c->code == LS_OK; i++) {
        c->code = decode_page(c, i, frame);
        frame += c->pages[i].size;
    }
    if (c->code == LS_OK) {
        c->code = write_winners(c);
    }
}
