/* Damaged files of a level that a snapshot covers: see repair.h. */
#include "engine/replica/repair.h"

#include "engine/ltx/decoder.h"
#include "engine/replica/compact.h"

static bool is_damage(ls_code rc) {
    return rc == LS_ECORRUPT || rc == LS_ECHECKSUM || rc == LS_EFORMAT || rc == LS_EINVALID;
}

/* *bad: it was read, and is no whole LTX file of its name. */
static ls_code look(ls_storage *s, const ls_ltx_info *file, bool *bad, ls_err *err) {
    ls_ltx_summary sum = {0};
    ls_reader *in = NULL;
    *bad = false;
    ls_code rc = ls_storage_open_range(s, file, 0, 0, &in, err);
    if (rc == LS_OK) {
        rc = ls_ltx_verify(in, &sum, err);
        *bad = is_damage(rc);
    }
    ls_reader_close(in);
    if (rc == LS_OK &&
        (sum.header.min_txid != file->min_txid || sum.header.max_txid != file->max_txid)) {
        rc = ls_fail(err, LS_ECORRUPT, "holds other TXIDs than its name says");
        *bad = true;
    }
    return *bad ? LS_OK : rc;
}

static ls_code repair_file(ls_storage *s, const ls_ltx_info *file, const ls_log *log,
                           size_t *removed, ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    bool bad = false;
    ls_code rc = look(s, file, &bad, err);
    if (rc != LS_OK || !bad) {
        return rc;
    }
    ls_log_err(log, LS_WARN, "auto-recover: a damaged file that a snapshot covers is removed", err,
               LS_ATTRS(LS_STR("system", "store"), LS_STR("url", ls_storage_url(s)),
                        LS_STR("file", ls_storage_key(file, key))));
    ls_err_clear(err);
    (*removed)++;
    return ls_storage_remove(s, file, 1, err);
}

ls_code ls_repair_level(ls_storage *s, int level, ls_txid from, const ls_cancel *cancel,
                        const ls_log *log, size_t *removed, ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_ltx_info newest = {0};
    bool any = false;
    *removed = 0;
    ls_code rc = ls_compact_newest(s, LS_LTX_LEVEL_SNAPSHOT, &newest, &any, err);
    if (rc != LS_OK || !any) {
        return rc;
    }
    rc = ls_storage_list(s, level, from, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info file;
        rc = ls_storage_iter_next(it, &file, &end, err);
        if (rc != LS_OK || end || file.max_txid > newest.max_txid) {
            break;
        }
        rc = repair_file(s, &file, log, removed, err);
        if (rc == LS_OK && ls_canceled(cancel)) {
            rc = ls_fail(err, LS_ECANCELED, "canceled");
        }
    }
    ls_storage_iter_free(it);
    return rc;
}
