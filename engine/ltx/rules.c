/*
 * Which pages may stand in a file, in which order, and which checksums must.
 */
#include "engine/ltx/rules.h"

#include <inttypes.h>

uint32_t ls_ltx_next_pgno(uint32_t pgno, uint32_t page_size) {
    pgno++;
    return pgno == ls_ltx_lock_pgno(page_size) ? pgno + 1 : pgno;
}

uint32_t ls_ltx_last_pgno(uint32_t commit, uint32_t page_size) {
    return commit == ls_ltx_lock_pgno(page_size) ? commit - 1 : commit;
}

ls_code ls_ltx_check_bounds(const ls_ltx_header *h, uint32_t pgno, ls_err *err) {
    if (pgno > h->commit)
        return ls_fail(err, LS_ECORRUPT,
                       "page number %" PRIu32 " out-of-bounds for commit size %" PRIu32, pgno,
                       h->commit);
    if (pgno == 0)
        return ls_fail(err, LS_ECORRUPT, "page number required");
    return LS_OK;
}

static ls_code check_sequence(const ls_ltx_header *h, uint32_t prev, uint32_t pgno, ls_err *err) {
    if (prev == 0 && pgno != 1)
        return ls_fail(err, LS_ECORRUPT, "snapshot transaction file must start with page number 1");
    if (pgno == ls_ltx_next_pgno(prev, h->page_size))
        return LS_OK;
    const char *skip = prev == ls_ltx_lock_pgno(h->page_size) - 1 ? " (skip lock page)" : "";
    return ls_fail(err, LS_ECORRUPT,
                   "nonsequential page numbers in snapshot transaction%s: %" PRIu32 ",%" PRIu32,
                   skip, prev, pgno);
}

ls_code ls_ltx_check_order(const ls_ltx_header *h, uint32_t prev, uint32_t pgno, ls_err *err) {
    if (pgno == ls_ltx_lock_pgno(h->page_size))
        return ls_fail(err, LS_ECORRUPT, "cannot encode lock page: pgno=%" PRIu32, pgno);
    if (ls_ltx_is_snapshot(h))
        return check_sequence(h, prev, pgno, err);
    if (pgno <= prev)
        return ls_fail(err, LS_ECORRUPT, "out-of-order page numbers: %" PRIu32 ",%" PRIu32, prev,
                       pgno);
    return LS_OK;
}

ls_code ls_ltx_check_page_flags(uint16_t flags, ls_err *err) {
    if ((flags & ~LS_LTX_PAGE_FLAG_BLOCK) == 0)
        return LS_OK;
    if (flags != 0x0422) /* begin of an LZ4 frame, where a 4-byte page header would end */
        return ls_fail(err, LS_ECORRUPT, "invalid page header flags: 0x%04x", flags);
    (void)ls_fail(err, LS_EFORMAT,
                  "invalid page header flags: 0x%04x (LTX format 2, written by ltx 0.4 or older)",
                  flags);
    return ls_hint(err, "read it with the version that wrote it, and take a new snapshot");
}

ls_code ls_ltx_check_post_apply(const ls_ltx_header *h, uint64_t post_apply, ls_err *err) {
    if (h->commit == 0 && post_apply != LS_LTX_CHECKSUM_FLAG)
        return ls_fail(err, LS_ECORRUPT,
                       "post-apply checksum must be empty for zero-length database");
    const char *what = NULL;
    if ((h->flags & LS_LTX_FLAG_NO_CHECKSUM) != 0)
        what = post_apply != 0 ? "post-apply checksum not allowed" : NULL;
    else if (post_apply == 0)
        what = "post-apply checksum required";
    else if ((post_apply & LS_LTX_CHECKSUM_FLAG) == 0)
        what = "invalid post-apply checksum format";
    return what == NULL ? LS_OK : ls_fail(err, LS_ECORRUPT, "validate trailer: %s", what);
}
