/*
 * Header of an LTX file, and names, TXIDs, checksums and positions as text.
 */
#include "engine/ltx/ltx.h"

#include "engine/base/buf.h"
#include "engine/base/quote.h"
#include "engine/base/text.h"
#include "engine/ltx/bytes.h"

#include <inttypes.h>
#include <stdio.h>

static const uint8_t magic[4] = {'L', 'T', 'X', '1'};

uint32_t ls_ltx_lock_pgno(uint32_t page_size) { return 0x40000000u / page_size + 1; }

bool ls_ltx_page_size_valid(uint32_t page_size) {
    return page_size >= LS_LTX_MIN_PAGE_SIZE && page_size <= LS_LTX_MAX_PAGE_SIZE &&
           (page_size & (page_size - 1)) == 0;
}

void ls_ltx_header_encode(const ls_ltx_header *h, uint8_t out[LS_LTX_HEADER_SIZE]) {
    memset(out, 0, LS_LTX_HEADER_SIZE);
    memcpy(out, magic, sizeof magic);
    put_be32(out + 4, h->flags);
    put_be32(out + 8, h->page_size);
    put_be32(out + 12, h->commit);
    put_be64(out + 16, h->min_txid);
    put_be64(out + 24, h->max_txid);
    put_be64(out + 32, (uint64_t)h->timestamp);
    put_be64(out + 40, h->pre_apply);
    put_be64(out + 48, (uint64_t)h->wal_offset);
    put_be64(out + 56, (uint64_t)h->wal_size);
    put_be32(out + 64, h->wal_salt1);
    put_be32(out + 68, h->wal_salt2);
    put_be64(out + 72, h->node_id);
}

ls_code ls_ltx_header_decode(const uint8_t in[LS_LTX_HEADER_SIZE], ls_ltx_header *h, ls_err *err) {
    *h = (ls_ltx_header){
        .flags = get_be32(in + 4),
        .page_size = get_be32(in + 8),
        .commit = get_be32(in + 12),
        .min_txid = get_be64(in + 16),
        .max_txid = get_be64(in + 24),
        .timestamp = (int64_t)get_be64(in + 32),
        .pre_apply = get_be64(in + 40),
        .wal_offset = (int64_t)get_be64(in + 48),
        .wal_size = (int64_t)get_be64(in + 56),
        .wal_salt1 = get_be32(in + 64),
        .wal_salt2 = get_be32(in + 68),
        .node_id = get_be64(in + 72),
    };
    if (memcmp(in, magic, sizeof magic) == 0)
        return LS_OK;
    *h = (ls_ltx_header){0};
    return ls_fail(err, LS_EFORMAT, "invalid LTX file");
}

static ls_code validate_txids(const ls_ltx_header *h, ls_err *err) {
    if (h->min_txid == 0)
        return ls_fail(err, LS_ECORRUPT, "minimum transaction id required");
    if (h->max_txid == 0)
        return ls_fail(err, LS_ECORRUPT, "maximum transaction id required");
    if (h->min_txid > h->max_txid)
        return ls_fail(err, LS_ECORRUPT, "transaction ids out of order: (%" PRIu64 ",%" PRIu64 ")",
                       h->min_txid, h->max_txid);
    return LS_OK;
}

static ls_code validate_wal(const ls_ltx_header *h, ls_err *err) {
    if (h->wal_offset < 0)
        return ls_fail(err, LS_ECORRUPT, "wal offset cannot be negative: %" PRId64, h->wal_offset);
    if (h->wal_size < 0)
        return ls_fail(err, LS_ECORRUPT, "wal size cannot be negative: %" PRId64, h->wal_size);
    if (h->wal_offset != 0)
        return LS_OK;
    if (h->wal_salt1 != 0 || h->wal_salt2 != 0)
        return ls_fail(err, LS_ECORRUPT, "wal offset required if salt exists");
    if (h->wal_size != 0)
        return ls_fail(err, LS_ECORRUPT, "wal offset required if wal size exists");
    return LS_OK;
}

static ls_code validate_pre_apply(const ls_ltx_header *h, ls_err *err) {
    const char *what = NULL;
    if (ls_ltx_is_snapshot(h))
        what = h->pre_apply != 0 ? "pre-apply checksum must be zero on snapshots" : NULL;
    else if ((h->flags & LS_LTX_FLAG_NO_CHECKSUM) != 0)
        what = h->pre_apply != 0 ? "pre-apply checksum not allowed" : NULL;
    else if (h->pre_apply == 0)
        what = "pre-apply checksum required on non-snapshot files";
    else if ((h->pre_apply & LS_LTX_CHECKSUM_FLAG) == 0)
        what = "invalid pre-apply checksum format";
    return what == NULL ? LS_OK : ls_fail(err, LS_ECORRUPT, "%s", what);
}

ls_code ls_ltx_header_validate(const ls_ltx_header *h, ls_err *err) {
    if ((h->flags & ~LS_LTX_FLAG_NO_CHECKSUM) != 0)
        return ls_fail(err, LS_ECORRUPT, "invalid flags: 0x%08" PRIx32, h->flags);
    if (!ls_ltx_page_size_valid(h->page_size))
        return ls_fail(err, LS_ECORRUPT, "invalid page size: %" PRIu32, h->page_size);
    ls_code rc = validate_txids(h, err);
    if (rc == LS_OK)
        rc = validate_wal(h, err);
    if (rc == LS_OK)
        rc = validate_pre_apply(h, err);
    return rc;
}

char *ls_ltx_name_format(ls_txid min, ls_txid max, char buf[LS_LTX_NAME_SIZE]) {
    snprintf(buf, LS_LTX_NAME_SIZE, "%016" PRIx64 "-%016" PRIx64 ".ltx", min, max);
    return buf;
}

static bool lower_hex(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++)
        if ((text[i] < '0' || text[i] > '9') && (text[i] < 'a' || text[i] > 'f'))
            return false;
    return true;
}

bool ls_ltx_name_parse(const char *name, ls_txid *min, ls_txid *max) {
    if (strnlen(name, LS_LTX_NAME_SIZE) != LS_LTX_NAME_SIZE - 1 || name[16] != '-' ||
        strcmp(name + 33, ".ltx") != 0)
        return false;
    return lower_hex(name, 16) && lower_hex(name + 17, 16) && ls_hex64_parse(name, 16, min) &&
           ls_hex64_parse(name + 17, 16, max);
}

char *ls_txid_format(ls_txid txid, char buf[LS_TXID_SIZE]) {
    snprintf(buf, LS_TXID_SIZE, "%016" PRIx64, txid);
    return buf;
}

#define QUOTE_MAX 200 /* bytes of a wrong text that an error shows */

/* "WHAT: " and the text in quotes, as Go's %q shows it. */
static ls_code refuse(const char *what, const char *text, size_t len, ls_err *err) {
    ls_buf quote;
    ls_buf_init(&quote, 16 * QUOTE_MAX);
    ls_code rc = ls_quote_go(&quote, text, len < QUOTE_MAX ? len : QUOTE_MAX, err);
    if (rc == LS_OK)
        rc = ls_fail(err, LS_EINVALID, "%s: %s", what, ls_buf_str(&quote));
    ls_buf_done(&quote);
    return rc;
}

ls_code ls_txid_parse(const char *text, ls_txid *txid, ls_err *err) {
    size_t len = strlen(text);
    if (len != 16)
        return refuse("invalid formatted transaction id length", text, len, err);
    return ls_hex64_parse(text, len, txid)
               ? LS_OK
               : refuse("invalid transaction id format", text, len, err);
}

ls_code ls_ltx_checksum_parse(const char *text, uint64_t *sum, ls_err *err) {
    size_t len = strlen(text);
    if (len != 16)
        return refuse("invalid formatted checksum length", text, len, err);
    return ls_hex64_parse(text, len, sum) ? LS_OK
                                          : refuse("invalid checksum format", text, len, err);
}

ls_code ls_ltx_pos_parse(const char *text, ls_txid *txid, uint64_t *sum, ls_err *err) {
    size_t len = strlen(text);
    if (len != 33)
        return refuse("invalid formatted position length", text, len, err);
    if (!ls_hex64_parse(text, 16, txid))
        return refuse("invalid transaction id format", text, 16, err);
    return ls_ltx_checksum_parse(text + 17, sum, err);
}

static int compare_u64(uint64_t a, uint64_t b) { return (a > b) - (a < b); }

int ls_ltx_info_cmp(const void *a, const void *b) {
    const ls_ltx_info *x = a;
    const ls_ltx_info *y = b;
    if (x->level != y->level)
        return x->level < y->level ? -1 : 1;
    int order = compare_u64(x->min_txid, y->min_txid);
    return order != 0 ? order : compare_u64(x->max_txid, y->max_txid);
}
