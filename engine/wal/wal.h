/*
 * SQLite's write-ahead log as bytes (https://www.sqlite.org/fileformat2.html#walformat).
 *
 *   header 32 bytes: magic 0x377f0682 (checksum words little-endian) or ..83 (big-endian),
 *          version 3007000, page size, checkpoint sequence, salt1, salt2, checksum1, checksum2
 *   frame  24 bytes: page number, database size in pages for a commit frame else 0, salt1, salt2,
 *          checksum1, checksum2 - then the page
 *
 * Integers are big-endian. The checksum is cumulative from the header over the first 8 bytes of
 * each frame header and the page. A frame counts only if its salts are the header's and its
 * checksum follows without a break; only frames up to the last commit frame are in the database.
 * A frame of an uncommitted transaction never leaves this module as committed.
 *
 * Nothing here takes locks: what another process may do meanwhile is the caller's to know
 * (design: capture rules 2 and 3).
 */
#ifndef LS_WAL_WAL_H
#define LS_WAL_WAL_H

#include "engine/base/error.h"

#include <stdint.h>

#define LS_WAL_HEADER_SIZE 32
#define LS_WAL_FRAME_HEADER_SIZE 24

typedef struct ls_wal_header {
    bool big_endian; /* byte order of checksum words */
    uint32_t page_size;
    uint32_t seq;
    uint32_t salt1, salt2;
    uint32_t ck1, ck2; /* checksum of the header: where frame checksums start */
} ls_wal_header;

typedef enum ls_wal_state {
    LS_WAL_VALID,
    LS_WAL_EMPTY,   /* no file, or shorter than a header */
    LS_WAL_INVALID, /* magic, version, page size or checksum wrong: SQLite takes it for empty (and
                       refuses another version) */
} ls_wal_state;

/* Bytes of one frame. */
static inline int64_t ls_wal_frame_size(uint32_t page_size) {
    return (int64_t)page_size + LS_WAL_FRAME_HEADER_SIZE;
}

/* Reads and checks the header at offset 0 of fd. An I/O error is an error, damage is a state. *hdr
 * is all zero unless the state is LS_WAL_VALID. */
LS_MUST ls_code ls_wal_header_read(int fd, ls_wal_header *hdr, ls_wal_state *state, ls_err *err);
ls_wal_state ls_wal_header_decode(const uint8_t buf[LS_WAL_HEADER_SIZE], ls_wal_header *hdr);

/* Same generation written by the same connection? Every field counts. */
bool ls_wal_header_equal(const ls_wal_header *a, const ls_wal_header *b);

/* A power of two from 512 to 65536? */
bool ls_wal_page_size_valid(uint32_t page_size);

/* Does a frame header (24 bytes) carry the log's salts? */
bool ls_wal_frame_has_salts(const uint8_t *frame, const ls_wal_header *hdr);

/* SQLite's checksum step: continues (*ck1, *ck2) over len bytes (a multiple of 8; the rest of an
 * odd length is left out). */
void ls_wal_checksum(bool big_endian, const uint8_t *data, size_t len, uint32_t *ck1,
                     uint32_t *ck2);

/* ---- Reading forward ---- */

/* A place in the log up to which everything is known: offset and running checksum there. */
typedef struct ls_wal_pos {
    int64_t offset;
    uint32_t ck1, ck2;
} ls_wal_pos;

/* The place behind the header. */
static inline ls_wal_pos ls_wal_pos_start(const ls_wal_header *h) {
    return (ls_wal_pos){.offset = LS_WAL_HEADER_SIZE, .ck1 = h->ck1, .ck2 = h->ck2};
}

typedef struct ls_wal_frame {
    uint32_t pgno;
    uint32_t commit;     /* pages in the database if this frame commits, else 0 */
    int64_t offset;      /* of the frame header */
    uint32_t ck1, ck2;   /* running checksum after this frame = the frame header's own */
    const uint8_t *page; /* page_size bytes, valid until the next call */
} ls_wal_frame;

typedef struct ls_wal_reader ls_wal_reader;

/* Is pos a place where a frame can start? LS_EINVALID if not, or if hdr's page size is no valid
 * one. */
LS_MUST ls_code ls_wal_pos_check(const ls_wal_header *hdr, const ls_wal_pos *pos, ls_err *err);

/* Reads frames from pos on, in pieces that grow from one frame header to 1 MiB (the most the buffer
 * takes). fd stays the caller's. LS_EINVALID as ls_wal_pos_check. */
LS_MUST ls_code ls_wal_reader_new(int fd, const ls_wal_header *hdr, const ls_wal_pos *pos,
                                  ls_wal_reader **r, ls_err *err);

/* The next valid frame; *end at the first that is short, has other salts, page number 0 or a
 * checksum that does not follow. After *end the log may grow: calling again looks again. But only
 * frames up to a commit frame stay what they are: SQLite writes frames of an open transaction over
 * again, so a reader that stopped behind one of those must be started anew at the last commit. */
LS_MUST ls_code ls_wal_reader_next(ls_wal_reader *r, ls_wal_frame *frame, bool *end, ls_err *err);
ls_wal_pos ls_wal_reader_pos(const ls_wal_reader *r); /* behind the last valid frame */
void ls_wal_reader_free(ls_wal_reader *r);            /* NULL allowed */

/* Follows the checksums from a known place to offset, so that a stored offset becomes a place
 * again: *reached if the valid log leads exactly there and the frame before it commits (or offset
 * is from's), *pos is then that place; else *pos is how far it led. A log restarted meanwhile is
 * just not reached. */
LS_MUST ls_code ls_wal_follow(int fd, const ls_wal_header *hdr, const ls_wal_pos *from,
                              int64_t offset, ls_wal_pos *pos, bool *reached, ls_err *err);

/* ---- The wal-index ---- */

/*
 * What SQLite itself takes for the log's end: the header of the wal-index ("-shm" file). The
 * checksums alone do not tell: SQLite up to 3.50.0 at least can commit frames whose checksums do
 * not follow (ROLLBACK TO a savepoint after frames of the transaction were written and
 * overwritten). Its connections read them all the same, and what it appends follows from ck1 and
 * ck2 here. So read the index, then scan to the end of the log: if the index was of the same
 * generation and has more frames, the log cannot be followed to its end.
 *
 * The file carries SQLite's locks: a descriptor of it may be closed only after every connection of
 * the process.
 */
typedef struct ls_wal_index {
    bool valid; /* false: no index, not initialised, or being written for longer than we tried */
    uint32_t frames;       /* committed, counted from the log's start */
    uint32_t copied;       /* of these, in the database file */
    uint32_t commit;       /* pages in the database */
    uint32_t page_size;    /* may be 0 where frames is */
    uint32_t salt1, salt2; /* of the log */
    uint32_t ck1, ck2;     /* running checksum behind the last frame */
} ls_wal_index;

/* Reads it from fd. Damage is no error but not valid. */
LS_MUST ls_code ls_wal_index_read(int fd, ls_wal_index *index, ls_err *err);

/* ---- A range of committed frames ---- */

/* Newest version of each page in a range of the log, found in bounded memory: up to
 * LS_WAL_RANGE_FRAMES frames by a sorted list, beyond by windows of page numbers with a further
 * pass over the frame headers each. The pages of a range of up to LS_WAL_KEEP_BYTES are kept as
 * they were verified and not read again. */
#define LS_WAL_RANGE_FRAMES 131072
#define LS_WAL_WINDOW_PAGES 262144
#define LS_WAL_KEEP_BYTES (1 << 20)

typedef struct ls_wal_range ls_wal_range;

typedef struct ls_wal_range_info {
    ls_wal_pos begin, end; /* end: behind the last commit frame taken; == begin if there is none */
    uint32_t commit;       /* of the last commit frame, 0 if none */
    uint32_t frames;       /* between begin and end */
    bool at_end;           /* false: cut by the bound, and at least one more valid frame follows
                              (whether its transaction is committed was not looked at) */
} ls_wal_range_info;

/* Scans from pos (the log's start or the end of a commit frame), verifying every frame, to the end
 * of the valid log or, where max_bytes > 0, to the first commit frame that ends at or behind
 * pos + max_bytes; a transaction is never cut, however large. Without a bound the scan follows a
 * writer for as long as it does not catch up. Frames behind the last commit frame are left out. The
 * log's header is read again at the end: if it changed meanwhile LS_EBUSY is returned (the end was
 * not proved; start again). *range is NULL when there is no commit frame. fd must stay open as long
 * as the range lives. */
LS_MUST ls_code ls_wal_range_scan(int fd, const ls_wal_header *hdr, const ls_wal_pos *pos,
                                  int64_t max_bytes, ls_wal_range **range, ls_wal_range_info *info,
                                  ls_err *err);

/* As above but ending exactly at end (which must be a commit frame's end known from an earlier
 * scan or ls_wal_follow, with its running checksum): LS_ECHECKSUM if the log does not lead there.
 */
LS_MUST ls_code ls_wal_range_until(int fd, const ls_wal_header *hdr, const ls_wal_pos *pos,
                                   const ls_wal_pos *end, ls_wal_range **range,
                                   ls_wal_range_info *info, ls_err *err);

/* The pages of the range in ascending order, those above limit (commit) left out: *pgno == 0 at the
 * end. *offset is the newest frame's offset. LS_EBUSY if the log was found restarted. */
LS_MUST ls_code ls_wal_range_next(ls_wal_range *r, uint32_t limit, uint32_t *pgno, int64_t *offset,
                                  ls_err *err);
/* Back to the first page. */
void ls_wal_range_rewind(ls_wal_range *r);

/* Is there a frame of pgno? *offset is 0 where there is none. Independent of ls_wal_range_next; in
 * descending order it is correct but may be slow. LS_EBUSY as above. */
LS_MUST ls_code ls_wal_range_find(ls_wal_range *r, uint32_t pgno, int64_t *offset, ls_err *err);

/* Reads the page of the frame at offset and proves it the scanned one: page number, salts and
 * checksums of the frame header, read before and after the page, are those recorded, and the page's
 * own checksum follows from the frame before it. LS_EBUSY if not: the frame is gone. pgno and
 * offset are what ls_wal_range_next or _find gave, else LS_EINVALID. */
LS_MUST ls_code ls_wal_range_page(ls_wal_range *r, uint32_t pgno, int64_t offset, uint8_t *page,
                                  ls_err *err);
void ls_wal_range_free(ls_wal_range *r); /* NULL allowed */

#endif
