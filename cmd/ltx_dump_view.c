/* The forms of `ltx dump`: see ltx_dump_view.h. */
#include "cmd/ltx_dump_view.h"

#include "cmd/ltx.h"
#include "engine/ltx/crc64.h"

#include <inttypes.h>
#include <string.h>

#define ROW 16

static const char digits[] = "0123456789abcdef";

static char *put_byte(char *p, unsigned byte) {
    *p++ = digits[byte >> 4];
    *p++ = digits[byte & 15];
    return p;
}

static void hexdump_row(const uint8_t *row, size_t offset, FILE *out) {
    char line[80];
    char *p = line;

    for (int shift = 24; shift >= 0; shift -= 8)
        p = put_byte(p, (offset >> shift) & 0xff);
    *p++ = ' ';
    for (int i = 0; i < ROW; i++) {
        if (i % 8 == 0)
            *p++ = ' ';
        p = put_byte(p, row[i]);
        *p++ = ' ';
    }
    *p++ = ' ';
    *p++ = '|';
    for (int i = 0; i < ROW; i++)
        *p++ = row[i] >= 0x20 && row[i] < 0x7f ? (char)row[i] : '.';
    *p++ = '|';
    *p++ = '\n';
    fwrite(line, 1, (size_t)(p - line), out);
}

void ls_hexdump(const uint8_t *data, size_t len, FILE *out) {
    bool collapsed = false;

    for (size_t at = 0; at < len; at += ROW) {
        bool same = at > 0 && at + ROW < len && memcmp(data + at, data + at - ROW, ROW) == 0;
        if (!same)
            hexdump_row(data + at, at, out);
        else if (!collapsed)
            fputs("***\n", out);
        collapsed = same;
    }
}

static uint64_t page_checksum(const ls_dump_view *v, const ls_ltx_page *page) {
    return ls_ltx_page_checksum(page->pgno, page->data, v->page_size);
}

/* ---- for people ---- */

static void no_start(const ls_dump_view *v) { (void)v; }

static void text_header(const ls_dump_view *v, const ls_ltx_header *h) {
    char when[40];

    if (v->many) {
        fputs("# FILE ", v->out);
        ls_write_safe(v->path, v->out);
        fputc('\n', v->out);
    }
    fprintf(v->out, "# HEADER\nVersion:   3\nFlags:     0x%08" PRIx32 "\nPage size: %" PRIu32 "\n",
            h->flags, h->page_size);
    fprintf(v->out, "Commit:    %" PRIu32 "\n", h->commit);
    fprintf(v->out, "Min TXID:  %016" PRIx64 " (%" PRIu64 ")\n", h->min_txid, h->min_txid);
    fprintf(v->out, "Max TXID:  %016" PRIx64 " (%" PRIu64 ")\n", h->max_txid, h->max_txid);
    fprintf(v->out, "Timestamp: %s (%" PRId64 ")\n",
            ls_ltx_time(h->timestamp, true, when, sizeof when), h->timestamp);
    fprintf(v->out, "Pre-apply: %016" PRIx64 "\n", h->pre_apply);
    fprintf(v->out, "WAL offset: %" PRId64 "\nWAL size:   %" PRId64 "\n", h->wal_offset,
            h->wal_size);
    fprintf(v->out, "WAL salt:   %08" PRIx32 " %08" PRIx32 "\n\n", h->wal_salt1, h->wal_salt2);
}

static void text_pages(const ls_dump_view *v) { fputs("# PAGE DATA\n", v->out); }

static void text_page(const ls_dump_view *v, uint32_t frame, const ls_ltx_page *page) {
    fprintf(v->out,
            "Frame #%" PRIu32 ": pgno=%" PRIu32 " flags=0x%04x offset=%" PRIu64 " size=%" PRIu32
            " checksum=%016" PRIx64 "\n",
            frame, page->pgno, page->flags, page->offset, page->size, page_checksum(v, page));
    if (v->hex) {
        ls_hexdump(page->data, v->page_size, v->out);
        fputc('\n', v->out);
    }
}

static void text_trailer(const ls_dump_view *v, const ls_ltx_trailer *t) {
    fprintf(v->out, "\n# TRAILER\nPost-apply:    %016" PRIx64 "\nFile Checksum: %016" PRIx64 "\n\n",
            t->post_apply, t->file_checksum);
}

const ls_dump_form ls_dump_text = {no_start, text_header, text_pages, text_page, text_trailer};

/* ---- tab-separated: pages only ---- */

static void tsv_start(const ls_dump_view *v) {
    fputs("path\tframe\tpgno\tflags\toffset\tsize\tchecksum\n", v->out);
}

static void tsv_header(const ls_dump_view *v, const ls_ltx_header *h) {
    (void)v;
    (void)h;
}

static void tsv_page(const ls_dump_view *v, uint32_t frame, const ls_ltx_page *page) {
    ls_write_safe(v->path, v->out);
    fprintf(v->out,
            "\t%" PRIu32 "\t%" PRIu32 "\t0x%04x\t%" PRIu64 "\t%" PRIu32 "\t%016" PRIx64 "\n", frame,
            page->pgno, page->flags, page->offset, page->size, page_checksum(v, page));
}

static void tsv_trailer(const ls_dump_view *v, const ls_ltx_trailer *t) {
    (void)v;
    (void)t;
}

const ls_dump_form ls_dump_tsv = {tsv_start, tsv_header, no_start, tsv_page, tsv_trailer};

/* ---- JSON lines ---- */

static ls_json json_begin(const ls_dump_view *v, const char *type) {
    ls_json j;

    ls_json_init_line(&j, v->out);
    ls_json_object(&j, NULL);
    ls_json_str(&j, "type", type);
    ls_json_str(&j, "path", v->path);
    return j;
}

static void json_end(ls_json *j) {
    ls_json_object_end(j);
    ls_json_end(j);
}

static void json_header(const ls_dump_view *v, const ls_ltx_header *h) {
    ls_json j = json_begin(v, "header");

    ls_ltx_json_header(&j, h);
    json_end(&j);
}

static void json_page(const ls_dump_view *v, uint32_t frame, const ls_ltx_page *page) {
    char text[2 * LS_LTX_MAX_PAGE_SIZE + 1];
    char *p = text;
    ls_json j = json_begin(v, "page");

    ls_json_uint(&j, "frame", frame);
    ls_json_uint(&j, "pgno", page->pgno);
    ls_json_uint(&j, "flags", page->flags);
    ls_json_uint(&j, "offset", page->offset);
    ls_json_uint(&j, "size", page->size);
    ls_ltx_json_hex(&j, "checksum", page_checksum(v, page));
    if (v->hex) {
        for (uint32_t i = 0; i < v->page_size; i++)
            p = put_byte(p, page->data[i]);
        *p = '\0';
        ls_json_str(&j, "data", text);
    }
    json_end(&j);
}

static void json_trailer(const ls_dump_view *v, const ls_ltx_trailer *t) {
    ls_json j = json_begin(v, "trailer");

    ls_ltx_json_hex(&j, "post_apply", t->post_apply);
    ls_ltx_json_hex(&j, "file_checksum", t->file_checksum);
    json_end(&j);
}

const ls_dump_form ls_dump_json = {no_start, json_header, no_start, json_page, json_trailer};
