/* Snapshots at the store out of what is there: see snapshot.h. */
#include "engine/replica/snapshot.h"

#include "backends/resume.h"
#include "engine/replica/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- A stream that can be stopped ---- */

typedef struct stoppable {
    ls_reader base;
    ls_reader *inner;
    const ls_cancel *cancel;
} stoppable;

static ls_code stoppable_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    stoppable *s = (stoppable *)(void *)r;
    if (ls_canceled(s->cancel)) {
        *got = 0;
        return ls_fail(err, LS_ECANCELED, "stopped");
    }
    return s->inner->read(s->inner, buf, len, got, err);
}

/* An exclusive put whose file is there already has succeeded. */
static ls_code put_stream(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                          const ls_cancel *cancel, ls_ltx_info *made, ls_err *err) {
    stoppable st = {.base = {.read = stoppable_read}, .inner = in, .cancel = cancel};
    ls_code rc = ls_storage_put(s, file, &st.base, exclusive, made, err);
    if (rc == LS_EEXISTS) {
        ls_err_clear(err);
        *made = *file;
        rc = LS_OK;
    }
    return rc;
}

/* ---- Of a file at the store ---- */

/* The file of a level that begins at TXID 1 and ends last. They come first in a listing. */
static ls_code newest_from_one(ls_storage *s, int level, ls_ltx_info *best, ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_code rc = ls_storage_list(s, level, 1, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info file;
        rc = ls_storage_iter_next(it, &file, &end, err);
        if (rc != LS_OK || end || file.min_txid > 1) {
            break;
        }
        if (file.max_txid > best->max_txid) {
            *best = file;
        }
    }
    ls_storage_iter_free(it);
    return rc;
}

static ls_code send_again(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                          const ls_cancel *cancel, ls_ltx_info *made, ls_err *err) {
    ls_reader *in = NULL;
    ls_code rc = ls_resume_open(s, from, 0, 0, cancel, &in, err);
    if (rc == LS_OK) {
        rc = put_stream(s, to, in, true, cancel, made, err);
    }
    ls_reader_close(in);
    return rc;
}

ls_code ls_snapshot_copy(ls_storage *s, ls_txid txid, bool any, const ls_cancel *cancel,
                         ls_ltx_info *made, ls_err *err) {
    ls_ltx_info from = {0};
    *made = (ls_ltx_info){0};
    for (int level = 0; level < LS_LTX_LEVEL_SNAPSHOT; level++) {
        ls_code rc = newest_from_one(s, level, &from, err);
        /* Another level that cannot be listed is no reason to go without a snapshot. */
        bool matters = level == 0 || rc == LS_EDIVERGED || rc == LS_ENOMEM;
        if (rc != LS_OK && matters) {
            return rc;
        }
        ls_err_clear(err);
    }
    if (from.max_txid == 0 || (from.max_txid != txid && !any)) {
        return LS_OK;
    }
    ls_ltx_info to = from;
    to.level = LS_LTX_LEVEL_SNAPSHOT;
    ls_code rc = ls_storage_copy(s, &from, &to, true, made, err);
    if (rc == LS_EUNSUPPORTED) {
        ls_err_clear(err);
        rc = send_again(s, &from, &to, cancel, made, err);
    } else if (rc == LS_EEXISTS) {
        ls_err_clear(err);
        *made = to;
        rc = LS_OK;
    }
    return rc;
}

/* ---- Of a local file ---- */

ls_code ls_snapshot_of_full(const ls_db *db, ls_txid txid, char **path, ls_err *err) {
    bool full = false;
    *path = NULL;
    ls_code rc = ls_local_is_full(db, txid, &full, err);
    if (rc == LS_ENOTFOUND) {
        ls_err_clear(err);
        return LS_OK;
    }
    return rc == LS_OK && full ? ls_replica_write_base(db, txid, path, err) : rc;
}

ls_code ls_snapshot_put(ls_storage *s, ls_txid txid, const char *path, bool exclusive,
                        const ls_cancel *cancel, ls_ltx_info *made, ls_err *err) {
    const ls_ltx_info file = {.level = LS_LTX_LEVEL_SNAPSHOT, .min_txid = 1, .max_txid = txid};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    ls_reader *in = ls_fd_reader_new(fd, true, path);
    ls_code rc = in == NULL ? ls_fail(err, LS_ENOMEM, "no memory to read %s", path)
                            : put_stream(s, &file, in, exclusive, cancel, made, err);
    ls_reader_close(in);
    return rc;
}
