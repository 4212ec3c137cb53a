/*
 * Comparison of store and local files (doc/capture.md, rule 9): where does the chain at the store
 * end, and do the local level-0 files carry on from there?
 *
 * M is the newest TXID at the store over all levels, L the newest local one.
 *   M = 0            local files from TXID 1 on without a hole: upload from 1; else start anew
 *   M > L            the replica is ahead: a full file as M + 1
 *   M <= L           the newest level-0 file of the store is the local one of that TXID, and the
 *                    local files go on from M without a hole: upload from M + 1; else a full file
 *                    as M + 1
 * A store that cannot be restored to M gets a full file as M + 1 and a snapshot with it.
 * Where no level-0 file can be compared, the newest file of another level must agree with the
 * local one of its MaxTXID; where the local one is gone too, the local file M + 1 must be full.
 */
#include "engine/replica/internal.h"
#include "engine/restore/restore.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* No database gets there in a lifetime; the TXID after it must not wrap. */
#define MAX_TXID ((ls_txid)INT64_MAX)

typedef struct verdict {
    bool rebase;
    ls_txid max;
    char reason[384];
} verdict;

static void decide_rebase(verdict *v, ls_txid max, const char *fmt, ...) LS_PRINTF(3, 4);
static void decide_rebase(verdict *v, ls_txid max, const char *fmt, ...) {
    v->rebase = true;
    v->max = max;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(v->reason, sizeof(v->reason), fmt, args);
    va_end(args);
}

/* Does the code say that a file is absent or damaged, rather than that it could not be read? */
static bool is_damage(ls_code rc) {
    return rc == LS_ENOTFOUND || rc == LS_ECORRUPT || rc == LS_ECHECKSUM || rc == LS_EFORMAT ||
           rc == LS_EINVALID;
}

/* ---- What the store has ---- */

/* The file of a level that ends at max. */
static ls_code find_ending(ls_storage *s, int level, ls_txid max, ls_ltx_info *found, ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_code rc = ls_storage_list(s, level, 0, &it, err);
    bool end = false;
    while (rc == LS_OK) {
        ls_ltx_info file;
        rc = ls_storage_iter_next(it, &file, &end, err);
        if (rc != LS_OK || end) {
            break;
        }
        if (file.max_txid == max) {
            *found = file;
        }
    }
    ls_storage_iter_free(it);
    return rc;
}

static ls_code probe_l0(ls_replica *r, ls_probe *p, ls_err *err) {
    if (p->l0.max_txid == 0) {
        return LS_OK;
    }
    ls_code rc = ls_ends_surely(r->storage, &p->l0, &p->l0_ends, err);
    if (rc == LS_ECORRUPT) {
        p->l0_bad = true;
        ls_err_clear(err);
        rc = LS_OK;
    }
    return rc;
}

static ls_code probe_newest(ls_replica *r, ls_probe *p, ls_txid max, ls_err *err) {
    ls_ends ends = p->l0_ends;
    p->newest = p->l0;
    p->newest_bad = p->l0_bad;
    for (int level = 1; level <= LS_LTX_LEVEL_MAX && p->newest.max_txid != max; level++) {
        ls_ltx_info found = {0};
        ls_code rc = find_ending(r->storage, level, max, &found, err);
        if (rc == LS_OK && found.max_txid == max) {
            p->newest = found;
            rc = ls_ends_surely(r->storage, &found, &ends, err);
            p->newest_bad = rc == LS_ECORRUPT;
            rc = p->newest_bad ? LS_OK : rc;
        }
        if (rc != LS_OK) {
            return rc;
        }
    }
    if (p->newest.max_txid != max) {
        return ls_fail(err, LS_EBUSY, "files at the store changed while they were listed");
    }
    if (max > 0 && !p->newest_bad) {
        p->newest_bad = ls_ltx_header_decode(ends.head, &p->newest_head, err) != LS_OK ||
                        ls_ltx_header_validate(&p->newest_head, err) != LS_OK;
    }
    ls_err_clear(err);
    return LS_OK;
}

/* What is uploaded behind a hole could never be restored. */
static ls_code probe_holes(ls_replica *r, ls_probe *p, ls_txid max, ls_err *err) {
    if (max == 0) {
        return LS_OK;
    }
    ls_plan plan;
    ls_code rc = ls_plan_make(r->storage, max, LS_NO_TIMESTAMP, &plan, err);
    ls_plan_done(&plan);
    p->hole = rc == LS_EGAP || rc == LS_ENOBACKUP;
    if (!p->hole) {
        return rc;
    }
    (void)snprintf(p->hole_text, sizeof(p->hole_text), "%.*s", (int)sizeof(p->hole_text) - 1,
                   err->msg);
    ls_err_clear(err);
    return LS_OK;
}

ls_code ls_replica_probe(ls_replica *r, ls_err *err) {
    ls_probe p = {0};
    ls_txid max = 0;
    ls_replica_uncheck(r);
    ls_code rc = ls_storage_newest(r->storage, &max, &p.l0, err);
    if (rc == LS_OK && max >= MAX_TXID) {
        (void)ls_fail(err, LS_ECORRUPT, "a file ends at TXID %016" PRIx64, max);
        rc = ls_hint(err, "remove the file: no database reaches that TXID");
    }
    if (rc == LS_OK) {
        rc = probe_l0(r, &p, err);
    }
    if (rc == LS_OK) {
        rc = probe_newest(r, &p, max, err);
    }
    if (rc == LS_OK) {
        rc = probe_holes(r, &p, max, err);
    }
    if (rc != LS_OK) {
        return ls_wrap(err, "compare with replica %s", ls_storage_url(r->storage));
    }
    r->probe = p;
    atomic_store(&r->probed, true);
    return LS_OK;
}

/* ---- What the local files say to it ---- */

/* Are there local files from..to, each with the TXIDs of its name? *gap is the first that is not
 * (0: none). */
static ls_code local_gap(const ls_replica *r, ls_txid from, ls_txid to, ls_txid *gap, ls_err *err) {
    *gap = 0;
    for (ls_txid t = from; t <= to; t++) {
        const ls_ltx_info file = {.level = 0, .min_txid = t, .max_txid = t};
        ls_ends ends;
        ls_ltx_header header;
        ls_code rc = ls_ends_local(r->db, &file, &ends, &header, err);
        if (rc != LS_OK) {
            *gap = t;
            return is_damage(rc) ? (ls_err_clear(err), LS_OK) : rc;
        }
    }
    return LS_OK;
}

/* Local ends and header of a level-0 file; *there is false where it is absent or damaged. */
static ls_code local_ends(const ls_replica *r, ls_txid txid, ls_ends *ends, ls_ltx_header *header,
                          bool *there, ls_err *err) {
    const ls_ltx_info file = {.level = 0, .min_txid = txid, .max_txid = txid};
    ls_code rc = ls_ends_local(r->db, &file, ends, header, err);
    *there = rc == LS_OK;
    return is_damage(rc) ? (ls_err_clear(err), LS_OK) : rc;
}

static void say_lineage(const ls_replica *r, const ls_ltx_info *file, const ls_ltx_header *ours,
                        uint64_t size, verdict *v) {
    char key[LS_STORAGE_KEY_SIZE];
    decide_rebase(v, r->probe.newest.max_txid,
                  "the replica holds another lineage: its %s (%" PRIu64
                  " bytes) is not the local file of that TXID (%" PRIu64
                  " bytes, %u pages of %u bytes)",
                  ls_storage_key(file, key), file->size, size, ours->commit, ours->page_size);
    ls_log_write(r->log, LS_WARN, "replica and local files are of different lineages",
                 LS_REPLICA_ATTRS(r, LS_STR("url", ls_storage_url(r->storage)), LS_STR("file", key),
                                  LS_STR("local", ls_db_meta_path(r->db)),
                                  LS_TXID("txid", file->max_txid)));
}

/* Compares the newest level-0 file of the store with the local one of its TXID. *compared: both
 * were there. */
static ls_code compare_l0(ls_replica *r, verdict *v, bool *compared, ls_err *err) {
    const ls_probe *p = &r->probe;
    *compared = false;
    if (p->l0.max_txid == 0 || p->l0.min_txid != p->l0.max_txid) {
        return LS_OK;
    }
    ls_ends ends;
    ls_ltx_header header;
    ls_code rc = local_ends(r, p->l0.max_txid, &ends, &header, compared, err);
    if (rc != LS_OK || !*compared) {
        return rc;
    }
    if (p->l0_bad || !ls_ends_equal(&ends, &p->l0_ends)) {
        say_lineage(r, &p->l0, &header, ends.size, v);
    }
    return LS_OK;
}

/* The same with the newest file of a higher level: it must tell of the same database. */
static ls_code compare_newest(ls_replica *r, verdict *v, bool *compared, ls_err *err) {
    const ls_probe *p = &r->probe;
    ls_ends ends;
    ls_ltx_header header;
    ls_code rc = local_ends(r, p->newest.max_txid, &ends, &header, compared, err);
    if (rc != LS_OK || !*compared) {
        return rc;
    }
    bool same = !p->newest_bad && p->newest_head.page_size == header.page_size &&
                p->newest_head.commit == header.commit;
    if (same && p->newest.level != LS_LTX_LEVEL_SNAPSHOT) {
        same = p->newest_head.timestamp == header.timestamp;
    }
    if (!same) {
        say_lineage(r, &p->newest, &header, ends.size, v);
    }
    return LS_OK;
}

/* May the chain go on with local file M + 1, though nothing could be compared or the page size
 * changes there? Only if that file needs nothing of what is before it. */
static ls_code next_must_be_full(ls_replica *r, ls_txid max, ls_txid local, verdict *v,
                                 ls_err *err) {
    bool full = false;
    if (local > max) {
        ls_code rc = ls_local_is_full(r->db, max + 1, &full, err);
        if (rc != LS_OK && !is_damage(rc)) {
            return rc;
        }
        ls_err_clear(err);
    }
    if (!full) {
        decide_rebase(
            v, max,
            "no local file proves that the replica's TXID %016" PRIx64 " is of this database", max);
    }
    return LS_OK;
}

static ls_code check_page_size(ls_replica *r, ls_txid max, ls_txid local, verdict *v, ls_err *err) {
    if (local <= max) {
        return LS_OK;
    }
    ls_ends ends;
    ls_ltx_header header;
    bool there = false;
    ls_code rc = local_ends(r, max + 1, &ends, &header, &there, err);
    if (rc == LS_OK && there &&
        (r->probe.newest_bad || header.page_size != r->probe.newest_head.page_size)) {
        rc = next_must_be_full(r, max, local, v, err);
    }
    return rc;
}

static ls_code decide_continue(ls_replica *r, ls_txid max, ls_txid local, verdict *v, ls_err *err) {
    bool compared = false;
    ls_txid gap = 0;
    ls_code rc = compare_l0(r, v, &compared, err);
    if (rc == LS_OK && !compared) {
        rc = compare_newest(r, v, &compared, err);
    }
    if (rc == LS_OK && !v->rebase) {
        rc = local_gap(r, max + 1, local, &gap, err);
        if (rc == LS_OK && gap != 0) {
            decide_rebase(v, max, "the local file of TXID %016" PRIx64 " is missing or damaged",
                          gap);
        }
    }
    if (rc == LS_OK && !v->rebase && !compared) {
        rc = next_must_be_full(r, max, local, v, err);
    }
    if (rc == LS_OK && !v->rebase) {
        rc = check_page_size(r, max, local, v, err);
    }
    return rc;
}

static ls_code decide(ls_replica *r, ls_txid local, verdict *v, ls_err *err) {
    ls_txid max = r->probe.newest.max_txid;
    if (r->probe.hole) {
        decide_rebase(v, max, "the replica cannot be restored to its newest TXID: %s",
                      r->probe.hole_text);
        ls_log_write(r->log, LS_WARN,
                     "replica cannot be restored to its newest TXID, "
                     "a snapshot follows",
                     LS_REPLICA_ATTRS(r, LS_TXID("txid", max),
                                      LS_STR("url", ls_storage_url(r->storage)),
                                      LS_STR("reason", r->probe.hole_text)));
        return LS_OK;
    }
    if (max > local) {
        decide_rebase(v, max,
                      "the replica is ahead: it ends at TXID %016" PRIx64
                      ", the local files at %016" PRIx64,
                      max, local);
        ls_log_write(r->log, LS_INFO, "detected database behind replica",
                     LS_REPLICA_ATTRS(r, LS_TXID("db_txid", local), LS_TXID("replica_txid", max)));
        return LS_OK;
    }
    if (max > 0) {
        return decide_continue(r, max, local, v, err);
    }
    ls_txid gap = 0;
    ls_code rc = local_gap(r, 1, local, &gap, err);
    if (rc == LS_OK && gap != 0) {
        decide_rebase(v, 0,
                      "the replica is empty and the local file of TXID %016" PRIx64
                      " is missing or damaged",
                      gap);
    }
    return rc;
}

/* The position to upload from: one back where a snapshot of the newest TXID still waits, so that
 * the level-0 file beside it is looked after too. */
static ls_code set_position(ls_replica *r, const verdict *v, ls_err *err) {
    const ls_probe *p = &r->probe;
    ls_txid txid = p->newest.max_txid;
    bool pending = false, there = false;
    ls_ends ends;
    ls_ltx_header header;
    if (txid > 0 && !v->rebase) {
        ls_code rc = ls_replica_pending(r, txid, &pending, err);
        if (rc == LS_OK && pending) {
            rc = local_ends(r, txid, &ends, &header, &there, err);
        }
        if (rc != LS_OK) {
            return rc;
        }
    }
    if (there) {
        txid--;
    }
    r->has_last = !there && txid > 0 && p->l0.max_txid == txid && !p->l0_bad;
    memcpy(r->last_head, p->l0_ends.head, sizeof(r->last_head));
    r->page_size = there || p->newest_bad || p->hole ? 0 : p->newest_head.page_size;
    atomic_store(&r->txid, txid);
    return LS_OK;
}

ls_code ls_replica_check(ls_replica *r, ls_err *err) {
    if (atomic_load(&r->checked)) {
        return LS_OK;
    }
    if (!atomic_load(&r->probed)) {
        ls_code rc = ls_replica_probe(r, err);
        if (rc != LS_OK) {
            return rc;
        }
    }
    ls_txid local = 0;
    verdict v = {0};
    ls_code rc = ls_db_local_txid(ls_db_meta_path(r->db), &local, err);
    if (rc == LS_OK) {
        rc = decide(r, local, &v, err);
    }
    if (rc == LS_OK && v.rebase) {
        rc = ls_db_rebase(r->db, v.max, v.reason, err);
    }
    if (rc == LS_OK) {
        rc = set_position(r, &v, err);
    }
    if (rc != LS_OK) {
        return ls_wrap(err, "compare with replica %s", ls_storage_url(r->storage));
    }
    r->diverged = false;
    atomic_store(&r->checked, true);
    return LS_OK;
}
