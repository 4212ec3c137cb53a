/* Looking into one file of a source: its header, its page index, all of it, one page. */
#include "tui/source.h"

#include "tui/btree.h"
#include "tui/grow.h"

#include <stdlib.h>
#include <string.h>

static ls_code add_page(file_detail *d, const page_row *row, ls_err *err) {
    ls_code rc = grow((void **)&d->pages, d->n, &d->cap, sizeof(*row), SOURCE_MAX_PAGES, err);
    if (rc == LS_OK) {
        d->pages[d->n++] = *row;
    }
    return rc;
}

/* Exactly len bytes at off, or LS_ECORRUPT. */
static ls_code read_at(source *s, const snapshot *snap, size_t file, uint64_t off, void *buf,
                       size_t len, ls_err *err) {
    ls_reader *r = NULL;
    size_t got = 0;
    ls_code rc = s->ops->open(s, snap, file, off, len, &r, err);
    if (rc == LS_OK) {
        rc = ls_read_full(r, buf, len, &got, err);
    }
    ls_reader_close(r);
    return rc == LS_OK && got < len ? ls_fail(err, LS_ECORRUPT, "the file ends too soon") : rc;
}

static ls_code read_entries(source *s, const snapshot *snap, size_t file, const ls_ltx_tail *tail,
                            file_detail *d, ls_err *err) {
    ls_reader *in = NULL;
    ls_ltx_index_iter *it = NULL;
    bool end = false;
    ls_code rc = s->ops->open(s, snap, file, tail->index_offset, tail->index_size + 8, &in, err);
    if (rc == LS_OK && ls_ltx_index_iter_new(in, &d->header, tail, &it, &d->err) != LS_OK) {
        end = true;
    }
    while (rc == LS_OK && !end) {
        ls_ltx_entry e;
        if (ls_ltx_index_iter_next(it, &e, &end, &d->err) != LS_OK || end) {
            break;
        }
        page_row row = {
            .pgno = e.pgno, .size = e.size, .offset = e.offset, .kind = PAGE_KIND_UNREAD};
        rc = add_page(d, &row, err);
    }
    ls_ltx_index_iter_free(it);
    ls_reader_close(in);
    return rc;
}

ls_code source_header(source *s, const snapshot *snap, size_t file, ls_ltx_header *h, ls_err *err) {
    uint8_t head[LS_LTX_HEADER_SIZE];
    ls_code rc = read_at(s, snap, file, 0, head, sizeof(head), err);
    if (rc == LS_OK) {
        rc = ls_ltx_header_decode(head, h, err);
    }
    return rc == LS_OK ? ls_ltx_header_validate(h, err) : rc;
}

ls_code source_index(source *s, const snapshot *snap, size_t file, file_detail *d, ls_err *err) {
    *d = (file_detail){0};
    uint64_t size = snap->files[file].size;
    uint8_t head[LS_LTX_HEADER_SIZE], last[24];
    ls_ltx_tail tail;
    if (size < sizeof(head) + sizeof(last)) {
        (void)ls_fail(&d->err, LS_ECORRUPT, "%llu bytes are no LTX file", (unsigned long long)size);
        return LS_OK;
    }
    ls_code rc = read_at(s, snap, file, 0, head, sizeof(head), err);
    if (rc == LS_OK) {
        rc = read_at(s, snap, file, size - sizeof(last), last, sizeof(last), err);
    }
    if (rc != LS_OK || ls_ltx_header_decode(head, &d->header, &d->err) != LS_OK ||
        ls_ltx_header_validate(&d->header, &d->err) != LS_OK ||
        ls_ltx_tail_decode(last, size, &tail, &d->err) != LS_OK) {
        return rc;
    }
    d->trailer = tail.trailer;
    rc = read_entries(s, snap, file, &tail, d, err);
    if (rc != LS_OK) {
        detail_done(d);
    }
    return rc;
}

static uint8_t kind_of(const ls_ltx_page *p, uint32_t page_size, btree_db *db) {
    btree_page page;
    if (p->pgno == 1) {
        uint32_t commit = db->pages;
        (void)btree_db_read(p->data, page_size, db);
        db->pages = commit;
    }
    btree_page_read(p->data, p->pgno, db, &page);
    return (uint8_t)page.kind;
}

/* What is wrong with the file goes to d->err, what is wrong here is returned. */
static ls_code read_pages(ls_ltx_decoder *dec, const ls_cancel *cancel, file_detail *d,
                          ls_err *err) {
    btree_db db = btree_db_plain(d->header.page_size);
    db.pages = d->header.commit;
    for (;;) {
        ls_ltx_page p;
        bool end = false;
        if (ls_ltx_decoder_next(dec, &p, &end, &d->err) != LS_OK) {
            return LS_OK;
        }
        if (end) {
            break;
        }
        page_row row = {.pgno = p.pgno,
                        .size = p.size,
                        .offset = p.offset,
                        .kind = kind_of(&p, d->header.page_size, &db)};
        ls_code rc =
            ls_canceled(cancel) ? ls_fail(err, LS_ECANCELED, "given up") : add_page(d, &row, err);
        if (rc != LS_OK) {
            return rc;
        }
    }
    (void)!ls_ltx_decoder_close(dec, &d->trailer, &d->err);
    return LS_OK;
}

ls_code source_verify(source *s, const snapshot *snap, size_t file, const ls_cancel *cancel,
                      file_detail *d, ls_err *err) {
    *d = (file_detail){.verified = true};
    ls_reader *in = NULL;
    ls_code rc = s->ops->open(s, snap, file, 0, 0, &in, err);
    if (rc != LS_OK) {
        return rc;
    }
    ls_ltx_decoder *dec = NULL;
    if (ls_ltx_decoder_new(in, &d->header, &dec, &d->err) == LS_OK) {
        rc = read_pages(dec, cancel, d, err);
    }
    ls_ltx_decoder_free(dec);
    ls_reader_close(in);
    if (rc != LS_OK) {
        detail_done(d);
    }
    return rc;
}

void detail_done(file_detail *d) {
    free(d->pages);
    *d = (file_detail){0};
}

ls_code source_page(source *s, const snapshot *snap, size_t file, const page_row *row,
                    uint32_t page_size, uint8_t *page, ls_err *err) {
    uint32_t pgno = 0;
    uint16_t flags = 0;
    if (row->size == 0 || row->size > LS_LTX_MAX_FRAME) {
        return ls_fail(err, LS_ECORRUPT, "page %u has a frame of %u bytes", row->pgno, row->size);
    }
    uint8_t *frame = malloc(row->size);
    if (frame == NULL) {
        return ls_fail(err, LS_ENOMEM, "page %u", row->pgno);
    }
    ls_code rc = read_at(s, snap, file, row->offset, frame, row->size, err);
    if (rc == LS_OK) {
        rc = ls_ltx_page_decode(NULL, frame, row->size, page, page_size, &pgno, &flags, err);
    }
    free(frame);
    if (rc == LS_OK && pgno != row->pgno) {
        rc = ls_fail(err, LS_ECORRUPT, "the frame holds page %u", pgno);
    }
    return rc == LS_OK ? rc : ls_wrap(err, "page %u", row->pgno);
}
