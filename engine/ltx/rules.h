/*
 * Rules that writers and readers of a file share. For engine/ltx and engine/restore only.
 */
#ifndef LS_LTX_RULES_H
#define LS_LTX_RULES_H

#include "engine/ltx/ltx.h"

/* The page that comes after pgno in a file without holes: the lock page is left out. 1 after 0. */
uint32_t ls_ltx_next_pgno(uint32_t pgno, uint32_t page_size);

/* The last page of a database of commit pages that can be stored; 0 if there is none. */
uint32_t ls_ltx_last_pgno(uint32_t commit, uint32_t page_size);

/* pgno within 1..Commit. */
LS_MUST ls_code ls_ltx_check_bounds(const ls_ltx_header *h, uint32_t pgno, ls_err *err);

/* pgno is no lock page and may follow prev (0: pgno is the first). */
LS_MUST ls_code ls_ltx_check_order(const ls_ltx_header *h, uint32_t prev, uint32_t pgno,
                                   ls_err *err);

/* Flags of a page header; LS_EFORMAT where they are those of an older format. */
LS_MUST ls_code ls_ltx_check_page_flags(uint16_t flags, ls_err *err);

/* The post-apply checksum is there or not as the header's flags and Commit ask. */
LS_MUST ls_code ls_ltx_check_post_apply(const ls_ltx_header *h, uint64_t post_apply, ls_err *err);

#endif
