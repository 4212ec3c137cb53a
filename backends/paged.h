/*
 * Listings of stores that answer in pages and in the order of names, which for LTX names is that of
 * (MinTXID, MaxTXID). One page is in memory at a time. For the stores alone.
 */
#ifndef LS_BACKENDS_PAGED_H
#define LS_BACKENDS_PAGED_H

#include "backends/storage.h"

#define LS_PAGE_MAX 5000       /* files of one page; no service gives more */
#define LS_PAGE_TOKEN_MAX 4096 /* bytes of what a service wants back to go on */

typedef struct ls_page ls_page;

/* What a store does to get pages. */
typedef struct ls_page_source {
    ls_storage *s;
    /* Asks for the page behind token ("": the first), gives ls_page_add each name in it, and
     * ls_page_more the next token if there is one. */
    ls_code (*fetch)(ls_page *page, const char *token, ls_err *err);
} ls_page_source;

/* What is listed: the files of a level from seek on. */
int ls_page_level(const ls_page *page);
ls_txid ls_page_seek(const ls_page *page);
ls_storage *ls_page_storage(const ls_page *page);

/* An object of the page: its name without the level's folder. Names that are not LTX names and
 * files before seek are passed over. LS_EREMOTE if a page has too many. */
LS_MUST ls_code ls_page_add(ls_page *page, const char *name, uint64_t size, int64_t created_ms,
                            ls_err *err);
LS_MUST ls_code ls_page_more(ls_page *page, const char *token, ls_err *err);

LS_MUST ls_code ls_paged_list(const ls_page_source *source, int level, ls_txid seek,
                              ls_storage_iter **it, ls_err *err);

#endif
