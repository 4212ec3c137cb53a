/* How many cells of a page are new, changed or gone, against an earlier version of it. */
#ifndef LS_TUI_PAGE_DIFF_H
#define LS_TUI_PAGE_DIFF_H

#include "tui/btree.h"

typedef struct page_diff {
    bool known; /* both are pages of the same kind of tree, and there was memory */
    uint32_t added, changed, gone;
} page_diff;

/* Cells with a rowid are the same row if that is; others are told apart by their bytes, so that
 * none of them is changed. */
page_diff page_diff_of(const btree_page *now, const btree_page *before);

#endif
