/*
 * New bases: snapshots 1..TXID at level 9 that wait in the meta directory for their upload.
 *
 * A chain cannot be restored across a change of the page size, or across a damaged file: from
 * there on it needs a file that begins at TXID 1. Capture makes one when the page size of its
 * database changes; where only the comparison with the store shows the change, it is made here, of
 * the full level-0 file that follows.
 */
#include "engine/ltx/decoder.h"
#include "engine/ltx/encoder.h"
#include "engine/replica/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

ls_code ls_replica_pending(const ls_replica *r, ls_txid txid, bool *pending, ls_err *err) {
    char *path = ls_db_ltx_path(r->db, LS_LTX_LEVEL_SNAPSHOT, 1, txid);
    if (path == NULL) {
        return ls_fail(err, LS_ENOMEM, "look for a local snapshot");
    }
    ls_code rc = LS_OK;
    *pending = access(path, F_OK) == 0;
    if (!*pending && errno != ENOENT && errno != ENOTDIR) {
        rc = ls_fail_errno(err, errno, "look for %s", path);
    }
    free(path);
    return rc;
}

void ls_replica_drop_base(const ls_replica *r, ls_txid txid) {
    char *path = ls_db_ltx_path(r->db, LS_LTX_LEVEL_SNAPSHOT, 1, txid);
    if (path != NULL) {
        (void)unlink(path);
        free(path);
    }
}

static ls_code copy_pages(ls_ltx_decoder *dec, ls_ltx_encoder *enc, ls_err *err) {
    for (;;) {
        ls_ltx_page page;
        bool end = false;
        ls_code rc = ls_ltx_decoder_next(dec, &page, &end, err);
        if (rc == LS_OK && !end) {
            rc = ls_ltx_encoder_frame(enc, page.frame, page.size, page.data, err);
        }
        if (rc != LS_OK || end) {
            return rc;
        }
    }
}

/* Copies a full file with MinTXID 1. */
static ls_code encode_base(ls_reader *in, ls_writer *out, ls_err *err) {
    ls_ltx_header header;
    ls_ltx_trailer trailer = {0};
    ls_ltx_decoder *dec = NULL;
    ls_ltx_encoder *enc = NULL;
    ls_code rc = ls_ltx_decoder_new(in, &header, &dec, err);
    if (rc == LS_OK) {
        header.min_txid = 1;
        header.pre_apply = 0;
        rc = ls_ltx_encoder_new(out, &header, NULL, &enc, err);
    }
    if (rc == LS_OK) {
        rc = copy_pages(dec, enc, err);
    }
    if (rc == LS_OK) {
        rc = ls_ltx_decoder_close(dec, &trailer, err);
    }
    if (rc == LS_OK) {
        rc = ls_ltx_encoder_close(enc, trailer.post_apply, NULL, err);
    }
    ls_ltx_encoder_free(enc);
    ls_ltx_decoder_free(dec);
    return rc;
}

/* *left: where to put the name of a file that is not made durable; NULL: it gets its own. */
static ls_code write_base(const ls_db *db, ls_reader *in, const char *path, char **left,
                          ls_err *err) {
    ls_perm perm;
    ls_code rc = ls_db_perm(db, &perm, err);
    if (rc != LS_OK) {
        return rc;
    }
    char *dir = ls_path_dir(path);
    rc = dir == NULL ? ls_fail(err, LS_ENOMEM, "folder of %s", path) : ls_mkdirs(dir, &perm, err);
    free(dir);
    ls_atomic file = {0};
    if (rc == LS_OK) {
        rc = ls_atomic_begin(&file, path, &perm, err);
    }
    if (rc != LS_OK) {
        return rc;
    }
    ls_fd_writer out;
    ls_fd_writer_init(&out, file.fd, path);
    rc = encode_base(in, &out.base, err);
    if (rc == LS_OK) {
        return left != NULL ? ls_atomic_leave(&file, left, err)
                            : ls_atomic_commit(&file, false, -1, err);
    }
    ls_atomic_abort(&file);
    return rc;
}

static ls_code make_base(const ls_db *db, ls_txid txid, char **left, ls_err *err) {
    char *from = ls_db_ltx_path(db, 0, txid, txid);
    char *to = ls_db_ltx_path(db, LS_LTX_LEVEL_SNAPSHOT, 1, txid);
    ls_code rc = LS_OK;
    ls_reader *in = NULL;
    if (from == NULL || to == NULL) {
        rc = ls_fail(err, LS_ENOMEM, "snapshot of a level-0 file");
        goto done;
    }
    int fd = ls_open(from, O_RDONLY, 0);
    if (fd < 0) {
        rc = ls_fail_errno(err, errno, "open %s", from);
        goto done;
    }
    in = ls_fd_reader_new(fd, true, from);
    rc = in == NULL ? ls_fail(err, LS_ENOMEM, "read %s", from) : write_base(db, in, to, left, err);
    if (rc != LS_OK) {
        (void)ls_wrap(err, "snapshot of %s", from);
    }
done:
    ls_reader_close(in);
    free(from);
    free(to);
    return rc;
}

ls_code ls_replica_make_base(const ls_replica *r, ls_txid txid, ls_err *err) {
    return make_base(r->db, txid, NULL, err);
}

ls_code ls_replica_write_base(const ls_db *db, ls_txid txid, char **path, ls_err *err) {
    return make_base(db, txid, path, err);
}
