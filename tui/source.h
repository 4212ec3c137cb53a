/*
 * What the inspector looks at: the LTX files of a replica (a URL or folder), of a folder of LTX
 * files, or one file. Taken as a snapshot; refreshed on request.
 */
#ifndef LS_TUI_SOURCE_H
#define LS_TUI_SOURCE_H

#include "engine/litestream.h"

#define SOURCE_MAX_FILES 1000000u
#define SOURCE_MAX_PAGES (1u << 24)

typedef struct source {
    const char *name;    /* as given */
    ls_storage *storage; /* NULL for a single file */
    ls_ltx_info *files;  /* owned: by level, TXIDs */
    size_t n, cap;
} source;

typedef struct page_row {
    uint32_t pgno, size;
    uint64_t offset;
} page_row;

/* One file opened. */
typedef struct file_detail {
    ls_ltx_header header;
    ls_ltx_trailer trailer;
    page_row *pages; /* owned */
    size_t n, cap;
    ls_err err; /* what is wrong with the file, LS_OK if it verified */
} file_detail;

LS_MUST ls_code source_open(source *s, const char *what, ls_err *err);
LS_MUST ls_code source_refresh(source *s, ls_err *err);
void source_done(source *s);

/* Reads and verifies a whole file; damage ends up in detail->err, the pages before it are kept. */
LS_MUST ls_code source_detail(source *s, size_t i, file_detail *detail, ls_err *err);
void detail_done(file_detail *detail);

#endif
