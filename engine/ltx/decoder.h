/*
 * Reads an LTX file forward, without seeking, and believes nothing: magic, header rules, page
 * order and bounds, lock page, exact page sizes, no hole in a snapshot, an index that says exactly
 * what was read, trailer rules, file checksum, nothing behind the end. Constant memory: the index
 * that must follow is known by its running checksum and length.
 *
 * A snapshot that stops before its Commit is a valid file (Go writes such, tests of foreign
 * programs too), but no database: who makes one from it compares the last page with Commit.
 *
 * Order of calls: new, next until it says end, close. Data must not be used for good before close
 * said LS_OK.
 */
#ifndef LS_LTX_DECODER_H
#define LS_LTX_DECODER_H

#include "engine/base/io.h"
#include "engine/ltx/page.h"

typedef struct ls_ltx_decoder ls_ltx_decoder;

/* One page as read. Pointers are into the decoder and valid until the next call. */
typedef struct ls_ltx_page {
    uint32_t pgno;
    uint16_t flags;
    uint64_t offset;      /* of the frame in the file */
    uint32_t size;        /* of the frame: header, prefix, payload */
    const uint8_t *frame; /* size bytes, as stored */
    const uint8_t *data;  /* page_size bytes, uncompressed */
    uint64_t crc; /* where sums are kept (decoder_raw.h): what the file checksum sums of it */
} ls_ltx_page;

/* Reads and validates the header. in must outlive the decoder and is not closed by it. On a header
 * that decodes but is not valid, *header is filled in all the same (for dump). Error texts follow
 * Go's: "decode header: EOF", "decode header: unexpected EOF",
 * "decode header: unmarshal header: invalid LTX file", "decode header: <rule>". */
LS_MUST ls_code ls_ltx_decoder_new(ls_reader *in, ls_ltx_header *header, ls_ltx_decoder **dec,
                                   ls_err *err);

/* The next page; *end is set (and page untouched) at the end marker. "decode page N: ..." with the
 * frame's number from 0. Files of format 2 (ltx <= 0.4) are named as such, LS_EFORMAT. */
LS_MUST ls_code ls_ltx_decoder_next(ls_ltx_decoder *dec, ls_ltx_page *page, bool *end, ls_err *err);

/* Reads and checks index, trailer and checksum: "close reader: ...". trailer may be NULL and is
 * filled even if its check fails. Only after *end. */
LS_MUST ls_code ls_ltx_decoder_close(ls_ltx_decoder *dec, ls_ltx_trailer *trailer, ls_err *err);

/* Pages read so far; bytes of the file consumed so far. */
uint32_t ls_ltx_decoder_pages(const ls_ltx_decoder *dec);
uint64_t ls_ltx_decoder_bytes(const ls_ltx_decoder *dec);

void ls_ltx_decoder_free(ls_ltx_decoder *dec); /* NULL allowed */

/* All of it: new, every page, close. */
typedef struct ls_ltx_summary {
    ls_ltx_header header;
    ls_ltx_trailer trailer;
    uint32_t pages;
    uint64_t size; /* bytes of the file */
} ls_ltx_summary;
LS_MUST ls_code ls_ltx_verify(ls_reader *in, ls_ltx_summary *sum, ls_err *err);

/* ls_ltx_verify of a file by path; errors are prefixed by "PATH: ". */
LS_MUST ls_code ls_ltx_verify_path(const char *path, ls_ltx_summary *sum, ls_err *err);

#endif
