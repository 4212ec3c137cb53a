/*
 * Files that are headers only, for stores whose listings alone are looked at.
 */
#ifndef LS_T_HEADS_H
#define LS_T_HEADS_H

#include "backends/storage.h"
#include "t/support/must.h"

static inline void put_head(ls_storage *s, int level, ls_txid min, ls_txid max, int64_t time_ms) {
    uint8_t data[LS_LTX_HEADER_SIZE];
    const ls_ltx_info file = {.level = level, .min_txid = min, .max_txid = max};
    const ls_ltx_header h = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                             .page_size = 512,
                             .commit = 1,
                             .min_txid = min,
                             .max_txid = max,
                             .timestamp = time_ms};
    ls_err err = LS_ERR_INIT;
    ls_ltx_header_encode(&h, data);
    ls_reader *in = ls_mem_reader_new(data, sizeof data);
    must(ls_storage_put(s, &file, in, true, NULL, &err), &err);
    ls_reader_close(in);
}

static inline void remove_file(ls_storage *s, int level, ls_txid min, ls_txid max) {
    const ls_ltx_info file = {.level = level, .min_txid = min, .max_txid = max};
    ls_err err = LS_ERR_INIT;
    must(ls_storage_remove(s, &file, 1, &err), &err);
}

#endif
