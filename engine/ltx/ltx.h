/*
 * The LTX file format: the fields, and names and positions as text.
 *
 *   header     100 bytes, see ls_ltx_header
 *   page frame * N   6-byte page header (pgno u32, flags u16), then the compressed page
 *   end marker 6 zero bytes
 *   page index unsigned LEB128 triples (pgno, offset, size of the frame), one 0 byte, then u64 with
 *              the bytes of the index including the 0 byte, without these 8
 *   trailer    16 bytes: post-apply checksum u64, file checksum u64
 *
 * All fixed-width integers are big-endian. Page encodings, told apart per page by its flags:
 *   flags 0 (F): one LZ4 frame; a writer emits exactly the descriptor 04 22 4d 18 64 40 a7, one
 *                block, an end mark and the content checksum, which every released reader takes.
 *   flags 1 (B): u32 size, then one raw LZ4 block of that size.
 *
 * The file checksum is a CRC-64 over header, per page its header, size prefix (B only) and
 * *uncompressed* bytes, end marker, index with its size, and the post-apply checksum.
 */
#ifndef LS_LTX_LTX_H
#define LS_LTX_LTX_H

#include "engine/base/error.h"

#include <stdint.h>

#define LS_LTX_HEADER_SIZE 100
#define LS_LTX_TRAILER_SIZE 16
#define LS_LTX_PAGE_HEADER_SIZE 6
#define LS_LTX_MAX_PAGE_SIZE 65536
#define LS_LTX_MIN_PAGE_SIZE 512
/* Largest sane frame: page header, size prefix, LZ4 worst case of 65536 bytes. */
#define LS_LTX_MAX_FRAME (LS_LTX_MAX_PAGE_SIZE + LS_LTX_MAX_PAGE_SIZE / 255 + 16 + 64)

#define LS_LTX_FLAG_NO_CHECKSUM 0x00000002u      /* header flag: no pre- and post-apply checksums */
#define LS_LTX_PAGE_FLAG_BLOCK 0x0001u           /* page flag: encoding B */
#define LS_LTX_CHECKSUM_FLAG 0x8000000000000000u /* set in every stored checksum */

#define LS_LTX_LEVEL_SNAPSHOT 9 /* full snapshots 1..TXID */
#define LS_LTX_LEVEL_MAX 9

typedef uint64_t ls_txid; /* transaction id, 1 and up; 0: none */

/* Field order and offsets as in the file; bytes 80..99 are reserved and written as zero. */
typedef struct ls_ltx_header {
    uint32_t flags;     /* 4 */
    uint32_t page_size; /* 8: bytes, 512..65536, a power of two */
    uint32_t commit;    /* 12: size of the database in pages after this file */
    ls_txid min_txid;   /* 16 */
    ls_txid max_txid;   /* 24 */
    int64_t timestamp;  /* 32: ms since 1970 */
    uint64_t pre_apply; /* 40: rolling checksum of the database before */
    int64_t wal_offset; /* 48: where in the log the captured frames begin */
    int64_t wal_size;   /* 56: bytes of log captured */
    uint32_t wal_salt1; /* 64 */
    uint32_t wal_salt2; /* 68 */
    uint64_t node_id;   /* 72 */
} ls_ltx_header;

typedef struct ls_ltx_trailer {
    uint64_t post_apply;
    uint64_t file_checksum;
} ls_ltx_trailer;

/* A file of the chain as its name and listing tell it. */
typedef struct ls_ltx_info {
    int level;
    ls_txid min_txid;
    ls_txid max_txid;
    uint64_t size;      /* bytes */
    int64_t created_ms; /* header timestamp where the store keeps it */
} ls_ltx_info;

/* MinTXID 1 makes a file a snapshot, whatever its MaxTXID. */
static inline bool ls_ltx_is_snapshot(const ls_ltx_header *h) { return h->min_txid == 1; }

/* The page at byte 0x40000000, where SQLite keeps its locks; never stored. page_size must be valid.
 */
uint32_t ls_ltx_lock_pgno(uint32_t page_size);

bool ls_ltx_page_size_valid(uint32_t page_size);

/* Writes / reads the 100 bytes. Decoding checks the magic only (LS_EFORMAT "invalid LTX file"),
 * as Go's PeekHeader does. */
void ls_ltx_header_encode(const ls_ltx_header *h, uint8_t out[LS_LTX_HEADER_SIZE]);
LS_MUST ls_code ls_ltx_header_decode(const uint8_t in[LS_LTX_HEADER_SIZE], ls_ltx_header *h,
                                     ls_err *err);

/* The rules of Header.Validate in its order; texts as in the vectors' headers.json. */
LS_MUST ls_code ls_ltx_header_validate(const ls_ltx_header *h, ls_err *err);

/* "%016x-%016x.ltx", lower case. The buffer holds the name and its NUL. */
#define LS_LTX_NAME_SIZE 38
char *ls_ltx_name_format(ls_txid min, ls_txid max, char buf[LS_LTX_NAME_SIZE]);
/* false where the name is not exactly of that form. */
LS_MUST bool ls_ltx_name_parse(const char *name, ls_txid *min, ls_txid *max);

/* 16 hexadecimal digits; errors as in parse.json. */
#define LS_TXID_SIZE 17
char *ls_txid_format(ls_txid txid, char buf[LS_TXID_SIZE]);
LS_MUST ls_code ls_txid_parse(const char *text, ls_txid *txid, ls_err *err);
LS_MUST ls_code ls_ltx_checksum_parse(const char *text, uint64_t *sum, ls_err *err);

/* "TXID/CHECKSUM", 33 characters. */
LS_MUST ls_code ls_ltx_pos_parse(const char *text, ls_txid *txid, uint64_t *sum, ls_err *err);

/* Order of listings: level, MinTXID, MaxTXID. For qsort. */
int ls_ltx_info_cmp(const void *a, const void *b);

#endif
