/*
 * Plain SQLite database files seen from LTX: rolling checksum, making a file from one, applying
 * files to one.
 */
#ifndef LS_LTX_DBFILE_H
#define LS_LTX_DBFILE_H

#include "engine/ltx/encoder.h"

/* Page size (offset 16; 1 means 65536) and page count (offset 28) of a 100-byte database header. */
LS_MUST ls_code ls_db_header_parse(const uint8_t hdr[100], uint32_t *page_size, uint32_t *pages,
                                   ls_err *err);

/* Rolling checksum of the pages of an open database, lock page left out; FLAG for an empty file. */
LS_MUST ls_code ls_ltx_db_checksum(int fd, const char *name, uint64_t *sum, ls_err *err);

/* The same for a stream of whole pages of a known size. */
LS_MUST ls_code ls_ltx_checksum_pages(ls_reader *in, uint32_t page_size, uint64_t *sum,
                                      ls_err *err);

/* Writes the database as a snapshot of TXID 1 with checksums (`ltx encode-db`). Does not look at a
 * log beside it. */
LS_MUST ls_code ls_ltx_encode_db(int fd, const char *name, int64_t timestamp_ms, ls_writer *out,
                                 ls_err *err);

/* Applies one LTX file to an open database (`ltx apply`): verifies the whole file first, then the
 * TXID order (prev_max 0: unknown), page size and pre-apply checksum, writes pages, truncates to
 * Commit, checks post-apply. path is read twice, so must be a file. NoChecksum files skip the
 * checksums of the database. A file that leaves a page of the database unknown, as an increment for
 * a larger database does, is refused: LS_EGAP. *prev_max becomes the file's MaxTXID. */
LS_MUST ls_code ls_ltx_apply(int db_fd, const char *path, ls_txid *prev_max, ls_err *err);

#endif
