/*
 * Upload of level-0 files in TXID order.
 *
 * Invariant: the store holds every TXID up to r->txid, and what it holds was compared with the
 * local files. Each call first looks whether the file it carries on from is still there as it was:
 * a store that was emptied or exchanged under way gets no file that would hang in the air.
 */
#include "engine/replica/internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

ls_code ls_replica_new(ls_db *db, ls_storage *storage, const ls_log *log, ls_replica **out,
                       ls_err *err) {
    ls_replica *r = calloc(1, sizeof(*r));
    if (r == NULL) {
        ls_storage_free(storage);
        return ls_fail(err, LS_ENOMEM, "replica of %s", ls_db_path(db));
    }
    r->db = db;
    r->storage = storage;
    r->log = log;
    *out = r;
    return LS_OK;
}

void ls_replica_free(ls_replica *r) {
    if (r != NULL) {
        ls_storage_free(r->storage);
        free(r);
    }
}

bool ls_replica_checked(const ls_replica *r) { return atomic_load(&r->checked); }
bool ls_replica_probed(const ls_replica *r) { return atomic_load(&r->probed); }
ls_txid ls_replica_txid(const ls_replica *r) { return atomic_load(&r->txid); }
ls_storage *ls_replica_storage(ls_replica *r) { return r->storage; }

void ls_replica_uncheck(ls_replica *r) {
    atomic_store(&r->checked, false);
    atomic_store(&r->probed, false);
    r->has_last = false;
}

void ls_replica_diverge(ls_replica *r, const ls_err *why) {
    r->diverged = true;
    r->why = *why;
    r->why.code = LS_EDIVERGED;
}

/* ---- An object that is already there ---- */

ls_code ls_replica_stat(ls_storage *s, ls_ltx_info *file, bool *found, ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_code rc = ls_storage_list(s, file->level, file->min_txid, &it, err);
    bool end = false;
    for (*found = false; rc == LS_OK && !*found;) {
        ls_ltx_info f;
        rc = ls_storage_iter_next(it, &f, &end, err);
        if (rc != LS_OK || end || f.min_txid > file->min_txid) {
            break;
        }
        if (f.min_txid == file->min_txid && f.max_txid == file->max_txid) {
            *file = f;
            *found = true;
        }
    }
    ls_storage_iter_free(it);
    return rc;
}

static ls_code diverge(ls_replica *r, const ls_ltx_info *file, uint64_t local_size, ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    (void)ls_fail(err, LS_EDIVERGED,
                  "replica %s already holds %s with other contents (%" PRIu64
                  " bytes, the local file has %" PRIu64 ")",
                  ls_storage_url(r->storage), ls_storage_key(file, key), file->size, local_size);
    (void)ls_hint(err, "another process seems to replicate to the same place: give each database "
                       "its own replica path. Uploads of this database stop; a restart compares "
                       "again and goes on with a full snapshot");
    r->diverged = true;
    r->why = *err;
    return LS_EDIVERGED;
}

/* The store refused to replace file: is it the local one all the same? */
static ls_code compare_existing(ls_replica *r, const ls_ltx_info *file, const ls_ends *ends,
                                ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    ls_ltx_info there = *file;
    bool found = false;
    ls_err_clear(err);
    ls_code rc = ls_replica_stat(r->storage, &there, &found, err);
    if (rc == LS_OK && !found) {
        rc = ls_fail(err, LS_EBUSY, "%s was there and is gone", ls_storage_key(file, key));
    }
    ls_ends theirs;
    if (rc == LS_OK) {
        rc = ls_ends_remote(r->storage, &there, &theirs, err);
    }
    if (rc == LS_OK && !ls_ends_equal(ends, &theirs)) {
        rc = ls_ends_surely(r->storage, &there, &theirs, err);
    }
    if (rc == LS_ECORRUPT || (rc == LS_OK && !ls_ends_equal(ends, &theirs))) {
        rc = diverge(r, &there, ends->size, err);
    }
    return rc;
}

/* ---- One file ---- */

static ls_code put(ls_replica *r, const ls_ltx_info *file, const ls_ends *ends,
                   ls_replica_sync_result *result, ls_err *err) {
    char *path = ls_db_ltx_path(r->db, file->level, file->min_txid, file->max_txid);
    if (path == NULL) {
        return ls_fail(err, LS_ENOMEM, "upload TXID %016" PRIx64, file->max_txid);
    }
    ls_ltx_info stored = {0};
    ls_code rc = ls_storage_put_file(r->storage, file, path, true, &stored, err);
    if (rc == LS_EEXISTS) {
        rc = compare_existing(r, file, ends, err);
    } else if (rc == LS_OK) {
        result->files++;
        result->bytes += ends->size;
        ls_log_write(
            r->log, LS_INFO, "ltx file uploaded",
            LS_REPLICA_ATTRS(r, LS_INT("level", file->level), LS_TXID("minTXID", file->min_txid),
                             LS_TXID("maxTXID", file->max_txid), LS_INT("size", ends->size)));
    }
    if (rc != LS_OK && rc != LS_EDIVERGED) {
        (void)ls_wrap(err, "upload %s", path);
    }
    free(path);
    return rc;
}

/* What goes up for one TXID: the level-0 file and, before it, the snapshot that some need. */
typedef struct parcel {
    ls_ltx_info file, base;
    ls_ends ends, base_ends;
    ls_ltx_header header;
    bool with_base;
} parcel;

/* Finds the snapshot that must precede the level-0 file of its MaxTXID, or makes it where the chain
 * at the store cannot be continued (another page size). A damaged one is made again. */
static ls_code prepare_base(ls_replica *r, parcel *p, ls_err *err) {
    ls_txid txid = p->file.max_txid;
    ls_ltx_header header;
    ls_code rc = ls_replica_pending(r, txid, &p->with_base, err);
    if (rc == LS_OK && p->with_base) {
        rc = ls_ends_local(r->db, &p->base, &p->base_ends, &header, err);
        if (rc == LS_OK || (rc != LS_ECORRUPT && rc != LS_EFORMAT && rc != LS_EINVALID)) {
            return rc;
        }
    } else if (rc != LS_OK || txid == 1 || p->header.page_size == r->page_size) {
        return rc;
    }
    p->with_base = true;
    ls_err_clear(err);
    rc = ls_replica_make_base(r, txid, err);
    if (rc == LS_OK) {
        rc = ls_ends_local(r->db, &p->base, &p->base_ends, &header, err);
    }
    return rc;
}

/* Reads the local side. A file that should be there is not, or is damaged: only a new comparison
 * can tell what to do about it. */
static ls_code prepare(ls_replica *r, ls_txid txid, parcel *p, ls_err *err) {
    p->file = (ls_ltx_info){.level = 0, .min_txid = txid, .max_txid = txid};
    p->base = (ls_ltx_info){.level = LS_LTX_LEVEL_SNAPSHOT, .min_txid = 1, .max_txid = txid};
    ls_code rc = ls_ends_local(r->db, &p->file, &p->ends, &p->header, err);
    if (rc == LS_OK) {
        rc = prepare_base(r, p, err);
    }
    if (rc == LS_ENOTFOUND || rc == LS_ECORRUPT || rc == LS_EFORMAT || rc == LS_EINVALID ||
        rc == LS_ECHECKSUM) {
        ls_replica_uncheck(r);
        err->code = LS_EGAP;
        rc = ls_hint(err, "local files are compared with the replica again");
    }
    return rc;
}

static ls_code upload(ls_replica *r, ls_txid txid, ls_replica_sync_result *result, ls_err *err) {
    parcel p = {0};
    ls_code rc = prepare(r, txid, &p, err);
    if (rc == LS_OK && p.with_base) {
        rc = put(r, &p.base, &p.base_ends, result, err);
    }
    if (rc == LS_OK) {
        rc = put(r, &p.file, &p.ends, result, err);
    }
    if (rc != LS_OK) {
        return rc;
    }
    if (p.with_base) {
        ls_replica_drop_base(r, txid);
    }
    memcpy(r->last_head, p.ends.head, sizeof(r->last_head));
    r->has_last = true;
    r->page_size = p.header.page_size;
    atomic_store(&r->txid, txid);
    return LS_OK;
}

/* ---- All that is missing ---- */

/* Is the file to carry on from still at the store, and the same? */
static ls_code still_there(ls_replica *r, ls_err *err) {
    if (!r->has_last) {
        return LS_OK;
    }
    ls_txid txid = atomic_load(&r->txid);
    const ls_ltx_info file = {.level = 0, .min_txid = txid, .max_txid = txid};
    uint8_t head[LS_LTX_HEADER_SIZE];
    ls_code rc = ls_read_head(r->storage, &file, head, err);
    if (rc == LS_OK && memcmp(head, r->last_head, sizeof(head)) != 0) {
        rc = ls_read_head_surely(r->storage, &file, head, err);
    }
    bool other = rc == LS_OK && memcmp(head, r->last_head, sizeof(head)) != 0;
    if (rc == LS_ENOTFOUND || rc == LS_ECORRUPT || other) {
        ls_replica_uncheck(r);
        char key[LS_STORAGE_KEY_SIZE];
        (void)ls_fail(err, LS_EGAP, "replica %s has lost or exchanged %s",
                      ls_storage_url(r->storage), ls_storage_key(&file, key));
        return ls_hint(err, "it is compared with the local files again");
    }
    return rc;
}

ls_code ls_replica_sync(ls_replica *r, ls_txid upto, ls_replica_sync_result *result, ls_err *err) {
    ls_replica_sync_result res = {0};
    ls_code rc = LS_OK;
    if (!atomic_load(&r->checked)) {
        rc = ls_fail(err, LS_ENOTREADY, "replica %s was not compared yet",
                     ls_storage_url(r->storage));
    } else if (r->diverged) {
        *err = r->why;
        rc = LS_EDIVERGED;
    } else if (upto > atomic_load(&r->txid)) {
        rc = still_there(r, err);
    }
    for (ls_txid t = atomic_load(&r->txid) + 1; rc == LS_OK && t <= upto; t++) {
        rc = upload(r, t, &res, err);
    }
    res.txid = atomic_load(&r->txid);
    if (result != NULL) {
        *result = res;
    }
    return rc;
}
