/*
 * One file of the chain, written whole and durable before anyone is told (rule 8).
 *
 * Refused here rather than found at restore: a first page that disagrees with Commit about the size
 * of the database (rule 6); the encoder refuses order, bounds and holes.
 */
#include "engine/db/internal.h"

#include <inttypes.h>

#include "engine/base/io.h"
#include "engine/ltx/decoder.h"
#include "engine/ltx/encoder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct ltx_out {
    ls_atomic file;
    ls_fd_writer writer;
    ls_ltx_encoder *enc;
    ls_ltx_header header;
};

char *ls_db_ltx_path(const ls_db *db, int level, ls_txid min, ls_txid max) {
    char name[LS_LTX_NAME_SIZE];
    return ls_asprintf("%s/ltx/%d/%s", db->meta_path, level, ls_ltx_name_format(min, max, name));
}

int64_t ls_db_timestamp(ls_db *db) {
    int64_t now = ls_wall_ms(db->opts.clock);
    return now > db->chain.timestamp ? now : db->chain.timestamp;
}

/* The meta directory may have been removed under us: made again once. */
static ls_code begin_file(ls_db *db, int level, ltx_out *out, ls_err *err) {
    char *path = ls_db_ltx_path(db, level, out->header.min_txid, out->header.max_txid);
    if (path == NULL) {
        return ls_fail(err, LS_ENOMEM, "write ltx file");
    }
    ls_code code = ls_atomic_begin(&out->file, path, &db->perm, err);
    if (code == LS_ENOTFOUND) {
        ls_err_clear(err);
        code = ls_db_local_dir_make(db, level, err);
        if (code == LS_OK) {
            code = ls_atomic_begin(&out->file, path, &db->perm, err);
        }
    }
    free(path);
    return code;
}

ls_code ls_db_ltx_out_begin(ls_db *db, int level, const ls_ltx_header *header, uint32_t prev_commit,
                            ltx_out **out, ls_err *err) {
    ltx_out *o = calloc(1, sizeof(*o));
    if (o == NULL) {
        return ls_fail(err, LS_ENOMEM, "write ltx file");
    }
    o->header = *header;
    ls_code code = begin_file(db, level, o, err);
    if (code == LS_OK) {
        ls_fd_writer_init(&o->writer, o->file.fd, o->file.tmp);
        ls_ltx_encoder_opts opts = {
            .encoding = LS_LTX_FRAME, .prev_commit = prev_commit, .spill_dir = db->meta_path};
        code = ls_ltx_encoder_new(&o->writer.base, header, &opts, &o->enc, err);
    }
    if (code != LS_OK) {
        ls_db_ltx_out_abort(o);
        return ls_wrap(err, "write ltx file");
    }
    *out = o;
    return LS_OK;
}

static uint32_t be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* SQLite's in-header database size (offset 28) counts when the change counter (24) equals
 * version-valid-for (92). */
static ls_code check_first_page(const uint8_t *page, uint32_t commit, ls_err *err) {
    if (be32(page + 24) != be32(page + 92) || be32(page + 28) == 0 || be32(page + 28) == commit) {
        return LS_OK;
    }
    ls_code code =
        ls_fail(err, LS_ECORRUPT, "page 1 says %u pages, the commit %u", be32(page + 28), commit);
    (void)code;
    return ls_hint(err, "run PRAGMA integrity_check on the database; nothing was written");
}

ls_code ls_db_ltx_out_page(ltx_out *out, uint32_t pgno, const uint8_t *page, ls_err *err) {
    ls_code code = LS_OK;
    if (pgno == 1) {
        code = check_first_page(page, out->header.commit, err);
    }
    if (code == LS_OK) {
        code = ls_ltx_encoder_page(out->enc, pgno, page, out->header.page_size, err);
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "write ltx file");
}

void ls_db_ltx_out_abort(ltx_out *out) {
    if (out == NULL) {
        return;
    }
    ls_ltx_encoder_free(out->enc);
    ls_atomic_abort(&out->file);
    free(out);
}

ls_code ls_db_ltx_out_commit(ltx_out *out, ls_err *err) {
    ls_code code = ls_ltx_encoder_close(out->enc, 0, NULL, err);
    if (code == LS_OK) {
        code = ls_atomic_commit(&out->file, false, out->header.timestamp, err);
    }
    ls_db_ltx_out_abort(out);
    return code == LS_OK ? LS_OK : ls_wrap(err, "write ltx file");
}

ls_code ls_db_ltx_out_leave(ltx_out *out, char **path, uint64_t *size, ls_err *err) {
    ls_code code = ls_ltx_encoder_close(out->enc, 0, NULL, err);
    *size = out->writer.written;
    if (code == LS_OK) {
        code = ls_atomic_leave(&out->file, path, err);
    }
    ls_db_ltx_out_abort(out);
    return code == LS_OK ? LS_OK : ls_wrap(err, "write ltx file");
}

ls_code ls_db_file_page(ls_db *db, uint32_t pgno, uint32_t page_size, uint8_t *page, ls_err *err) {
    size_t got;
    int64_t off = (int64_t)(pgno - 1) * page_size;
    ls_code code = ls_pread_full(db->db_fd, page, page_size, off, &got, db->path, err);
    if (code == LS_OK && got > 0 && got < page_size) {
        /* SQLite takes what is missing for zeros. */
        (void)ls_fail(err, LS_EBUSY, "page %" PRIu32 " is there in part only", pgno);
        return ls_hint(err, "the file is being copied here, or was cut off");
    }
    if (code == LS_OK && got == 0) {
        memset(page, 0, page_size); /* never written: it is on the free list */
    }
    return code;
}

static ls_code copy_frames(ls_ltx_decoder *dec, ltx_out *out, ls_err *err) {
    for (;;) {
        ls_ltx_page page;
        bool end;
        ls_code code = ls_ltx_decoder_next(dec, &page, &end, err);
        if (code != LS_OK) {
            return code;
        }
        if (end) {
            return ls_ltx_decoder_close(dec, NULL, err);
        }
        code = ls_ltx_encoder_frame(out->enc, page.frame, page.size, page.data, err);
        if (code != LS_OK) {
            return code;
        }
    }
}

/* The pages are compressed once, for level 9, and copied. */
static ls_code copy_from(ls_db *db, ls_reader *in, ls_txid txid, ls_err *err) {
    ls_ltx_header header;
    ls_ltx_decoder *dec = NULL;
    ltx_out *out = NULL;
    ls_code code = ls_ltx_decoder_new(in, &header, &dec, err);
    if (code == LS_OK) {
        header.min_txid = txid;
        code = ls_db_ltx_out_begin(db, 0, &header, 0, &out, err);
    }
    if (code == LS_OK) {
        code = copy_frames(dec, out, err);
    }
    if (code == LS_OK) {
        code = ls_db_ltx_out_commit(out, err);
        out = NULL;
    }
    ls_db_ltx_out_abort(out);
    ls_ltx_decoder_free(dec);
    return code;
}

ls_code ls_db_copy_snapshot(ls_db *db, ls_txid txid, ls_err *err) {
    char *path = ls_db_ltx_path(db, LS_LTX_LEVEL_SNAPSHOT, 1, txid);
    int fd = path != NULL ? ls_open(path, O_RDONLY, 0) : -1;
    ls_code code;
    if (fd < 0) {
        code = path != NULL ? ls_fail_errno(err, errno, "open %s", path)
                            : ls_fail(err, LS_ENOMEM, "copy snapshot");
    } else {
        ls_reader *in = ls_fd_reader_new(fd, true, path);
        code = in != NULL ? copy_from(db, in, txid, err) : ls_fail(err, LS_ENOMEM, "copy snapshot");
        ls_reader_close(in);
    }
    free(path);
    return code;
}
