/* One planned LTX file opened for rebuilding; see source.h. */
#include "engine/restore/source.h"

#include "backends/resume.h"
#include "engine/ltx/rules.h"

#include <stdlib.h>
#include <string.h>

/* Up to this size a file is fetched by one request. */
#define WHOLE_MAX (64 * 1024)
/* Of larger ones first this much of the end: trailer and, of most files, the index. */
#define END_GUESS (32 * 1024)
#define TAIL_SIZE 24
#define INDEX_SIZE_FIELD 8

ls_code ls_source_check_size(const ls_ltx_info *info, ls_err *err) {
    if (info->size >= LS_LTX_HEADER_SIZE) {
        return LS_OK;
    }
    char min[LS_TXID_SIZE];
    char max[LS_TXID_SIZE];
    return ls_fail(err, LS_ECORRUPT,
                   "invalid ltx file: level=%d min=%s max=%s has size %llu bytes (minimum %d)",
                   info->level, ls_txid_format(info->min_txid, min),
                   ls_txid_format(info->max_txid, max), (unsigned long long)info->size,
                   LS_LTX_HEADER_SIZE);
}

static ls_code read_exactly(ls_reader *in, void *buf, size_t len, ls_err *err) {
    size_t got;
    ls_code code = ls_read_full(in, buf, len, &got, err);
    if (code == LS_OK && got != len) {
        return ls_fail(err, LS_ECORRUPT, "shorter than its listed size");
    }
    return code;
}

ls_code ls_source_read(ls_source *src, void *buf, size_t len, ls_err *err) {
    return read_exactly(src->frames, buf, len, err);
}

static ls_code no_memory(ls_err *err) {
    return ls_fail(err, LS_ENOMEM, "no memory to read the file");
}

/* Fetches the end, or all of a small file. */
static ls_code read_end(ls_source *src, ls_storage *s, ls_err *err) {
    uint64_t size = src->info.size;
    src->block_len = size <= WHOLE_MAX ? (size_t)size : END_GUESS;
    src->block = malloc(src->block_len);
    if (src->block == NULL) {
        return no_memory(err);
    }
    ls_reader *in;
    ls_code code =
        ls_resume_open(s, &src->info, size - src->block_len, src->block_len, src->cancel, &in, err);
    if (code == LS_OK) {
        code = read_exactly(in, src->block, src->block_len, err);
        ls_reader_close(in);
    }
    if (code != LS_OK) {
        return code;
    }
    if (src->block_len < TAIL_SIZE) {
        return ls_fail(err, LS_ECORRUPT, "too short for a page index and a trailer");
    }
    return ls_ltx_tail_decode(src->block + src->block_len - TAIL_SIZE, size, &src->tail, err);
}

/* A stream of len bytes at off: out of the block where they lie in it. */
static ls_code open_part(ls_source *src, ls_storage *s, uint64_t off, uint64_t len, ls_reader **in,
                         ls_err *err) {
    uint64_t block_off = src->info.size - src->block_len;
    if (off < block_off) {
        return ls_resume_open(s, &src->info, off, len, src->cancel, in, err);
    }
    *in = ls_mem_reader_new(src->block + (off - block_off), (size_t)len);
    return *in != NULL ? LS_OK : no_memory(err);
}

static ls_code check_header(ls_source *src, ls_err *err) {
    ls_code code = ls_ltx_header_decode(src->header_bytes, &src->header, err);
    if (code == LS_OK) {
        code = ls_ltx_header_validate(&src->header, err);
    }
    if (code != LS_OK) {
        return ls_wrap(err, "decode header");
    }
    if (src->header.min_txid != src->info.min_txid || src->header.max_txid != src->info.max_txid) {
        char name[LS_LTX_NAME_SIZE];
        return ls_fail(err, LS_ECORRUPT, "its header says it is %s",
                       ls_ltx_name_format(src->header.min_txid, src->header.max_txid, name));
    }
    return ls_ltx_check_post_apply(&src->header, src->tail.trailer.post_apply, err);
}

static ls_code open_frames(ls_source *src, ls_storage *s, ls_err *err) {
    ls_code code = open_part(src, s, 0, src->tail.index_offset, &src->frames, err);
    if (code == LS_OK) {
        code = ls_source_read(src, src->header_bytes, LS_LTX_HEADER_SIZE, err);
    }
    return code == LS_OK ? check_header(src, err) : code;
}

static ls_code open_index(ls_source *src, ls_storage *s, ls_err *err) {
    ls_code code = open_part(src, s, src->tail.index_offset,
                             src->tail.index_size + INDEX_SIZE_FIELD, &src->index_in, err);
    return code == LS_OK
               ? ls_ltx_index_iter_new(src->index_in, &src->header, &src->tail, &src->index, err)
               : code;
}

ls_code ls_source_open(ls_source *src, ls_storage *s, const ls_ltx_info *info,
                       const ls_cancel *cancel, ls_err *err) {
    memset(src, 0, sizeof *src);
    src->cancel = cancel;
    src->info = *info;
    ls_storage_key(info, src->key);
    ls_code code = ls_source_check_size(info, err);
    if (code == LS_OK) {
        code = read_end(src, s, err);
    }
    if (code == LS_OK) {
        code = open_frames(src, s, err);
    }
    return code == LS_OK ? open_index(src, s, err) : code;
}

void ls_source_close(ls_source *src) {
    ls_ltx_index_iter_free(src->index);
    ls_reader_close(src->index_in);
    ls_reader_close(src->frames);
    free(src->block);
    memset(src, 0, sizeof *src);
}
