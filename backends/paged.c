/* Listings in pages; see paged.h. */
#include "backends/paged.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64

struct ls_page {
    ls_storage_iter base;
    ls_page_source source;
    int level;
    ls_txid seek;
    ls_ltx_info *files;
    size_t n, cap, pos;
    char *token;      /* of the next page; NULL: there is none; "": nothing was asked yet */
    ls_ltx_info last; /* given out last: a page may repeat it */
};

int ls_page_level(const ls_page *page) { return page->level; }

ls_txid ls_page_seek(const ls_page *page) { return page->seek; }

ls_storage *ls_page_storage(const ls_page *page) { return page->source.s; }

static ls_code grow(ls_page *page, ls_err *err) {
    if (page->n == LS_PAGE_MAX) {
        return ls_fail(err, LS_EREMOTE, "a page of the listing has more than %d files",
                       LS_PAGE_MAX);
    }
    size_t cap = page->cap == 0 ? FIRST_CAP : 2 * page->cap;
    ls_ltx_info *files = reallocarray(page->files, cap, sizeof *files);
    if (files == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to list level %d", page->level);
    }
    page->files = files;
    page->cap = cap;
    return LS_OK;
}

ls_code ls_page_add(ls_page *page, const char *name, uint64_t size, int64_t created_ms,
                    ls_err *err) {
    ls_ltx_info file = {.level = page->level, .size = size, .created_ms = created_ms};
    if (!ls_ltx_name_parse(name, &file.min_txid, &file.max_txid) || file.min_txid < page->seek) {
        return LS_OK;
    }
    if (page->n == page->cap || page->n == LS_PAGE_MAX) {
        ls_code code = grow(page, err);
        if (code != LS_OK) {
            return code;
        }
    }
    page->files[page->n++] = file;
    return LS_OK;
}

ls_code ls_page_more(ls_page *page, const char *token, ls_err *err) {
    if (token[0] == '\0' || strnlen(token, LS_PAGE_TOKEN_MAX + 1) > LS_PAGE_TOKEN_MAX) {
        return ls_fail(err, LS_EREMOTE, "the listing goes on without a token that can be used");
    }
    free(page->token);
    page->token = strdup(token);
    return page->token != NULL ? LS_OK
                               : ls_fail(err, LS_ENOMEM, "no memory to list level %d", page->level);
}

/* Takes the token away, so that a page that gives none is the last. */
static ls_code fetch(ls_page *page, ls_err *err) {
    char *token = page->token;
    page->token = NULL;
    page->n = page->pos = 0;
    ls_code code = page->source.fetch(page, token, err);
    if (code == LS_OK && page->token != NULL && strcmp(token, page->token) == 0) {
        code = ls_fail(err, LS_EREMOTE, "the listing gives the same page again");
    }
    if (code != LS_OK && page->token == NULL) {
        page->token = token; /* a caller may try again */
        return code;
    }
    free(token);
    return code;
}

/* Files that come and go meanwhile must not make a listing go back. */
static bool is_behind(const ls_ltx_info *file, const ls_ltx_info *last) {
    return file->min_txid > last->min_txid ||
           (file->min_txid == last->min_txid && file->max_txid > last->max_txid);
}

static ls_code paged_next(ls_storage_iter *it, ls_ltx_info *file, bool *end, ls_err *err) {
    ls_page *page = (ls_page *)it;
    for (;;) {
        while (page->pos < page->n) {
            const ls_ltx_info *next = &page->files[page->pos++];
            if (is_behind(next, &page->last)) {
                page->last = *file = *next;
                return LS_OK;
            }
        }
        if (page->token == NULL) {
            *end = true;
            return LS_OK;
        }
        ls_code code = fetch(page, err);
        if (code != LS_OK) {
            return code;
        }
    }
}

static void paged_free(ls_storage_iter *it) {
    ls_page *page = (ls_page *)it;
    free(page->files);
    free(page->token);
    free(page);
}

ls_code ls_paged_list(const ls_page_source *source, int level, ls_txid seek, ls_storage_iter **it,
                      ls_err *err) {
    ls_page *page = calloc(1, sizeof *page);
    if (page != NULL) {
        *page = (ls_page){.base = {.next = paged_next, .free = paged_free},
                          .source = *source,
                          .level = level,
                          .seek = seek,
                          .token = strdup("")};
    }
    if (page == NULL || page->token == NULL) {
        free(page);
        return ls_fail(err, LS_ENOMEM, "no memory to list level %d", level);
    }
    *it = &page->base;
    return LS_OK;
}
