/*
 * Compaction: which files of level n-1 become the next file of level n, and making it; see
 * compact.h. The merge itself, with its inputs, is in compact_merge.c.
 */
#include "engine/replica/compact.h"

#include "backends/resume.h"

#include "engine/replica/compact_merge.h"
#include "engine/replica/internal.h"

#include <inttypes.h>

typedef struct job {
    ls_storage *s;
    const ls_compact_opts *opts;
    ls_joined sources;
    ls_compact_result *result;
} job;

#define ATTRS(j, ...)                                                                              \
    LS_ATTRS(LS_STR("system", "store"), LS_STR("replica", ls_storage_type((j)->s)),                \
             LS_STR("url", ls_storage_url((j)->s)), LS_INT("level", (j)->opts->level),             \
             __VA_ARGS__)

ls_code ls_compact_newest(ls_storage *s, int level, ls_ltx_info *newest, bool *any, ls_err *err) {
    return ls_level_newest(s, level, 0, newest, any, err);
}

/* ---- which files ---- */

/* Where level n ends; 0: it is empty. A level that lists nothing from seek on is listed whole. */
static ls_code end_of_level(const job *j, ls_txid *end, ls_err *err) {
    ls_ltx_info newest;
    bool any = false;
    ls_code rc = ls_level_newest(j->s, j->opts->level, j->opts->seek, &newest, &any, err);
    if (rc == LS_OK && !any && j->opts->seek > 0) {
        rc = ls_level_newest(j->s, j->opts->level, 0, &newest, &any, err);
    }
    *end = any ? newest.max_txid : 0;
    return rc;
}

static ls_code list_from(job *j, ls_txid seek, ls_txid cur, ls_err *err) {
    return ls_joined_list(j->s, j->opts->level - 1, seek, cur, LS_COMPACT_BYTES_MAX,
                          j->opts->cancel, &j->sources, err);
}

static bool is_hole(const job *j) { return j->sources.n == 0 && j->sources.next_min != 0; }

static ls_code fail_hole(const job *j, ls_txid cur, ls_err *err) {
    (void)ls_fail(err, LS_EGAP,
                  "level %d ends at TXID %016" PRIx64 " and level %d goes on at %016" PRIx64
                  ": TXIDs %016" PRIx64 " to %016" PRIx64 " are missing",
                  j->opts->level, cur, j->opts->level - 1, j->sources.next_min, cur + 1,
                  j->sources.next_min - 1);
    return ls_hint(err,
                   "the next snapshot bridges the hole; until then nothing of level %d is "
                   "compacted, and all of it stays restorable as far as it is now",
                   j->opts->level - 1);
}

/* The newest snapshot stands for everything up to its TXID. */
static ls_code list_behind_snapshot(job *j, ls_txid end, ls_err *err) {
    ls_txid next = j->sources.next_min;
    ls_ltx_info snapshot;
    bool any = false;
    ls_code rc = ls_level_newest(j->s, LS_LTX_LEVEL_SNAPSHOT, 0, &snapshot, &any, err);
    if (rc != LS_OK) {
        return rc;
    }
    if (!any || snapshot.min_txid != 1 || snapshot.max_txid <= end) {
        return fail_hole(j, end, err);
    }
    rc = list_from(j, 0, snapshot.max_txid, err);
    if (rc == LS_OK && is_hole(j)) {
        rc = fail_hole(j, snapshot.max_txid, err);
    } else if (rc == LS_OK) {
        ls_log_write(j->opts->log, LS_WARN,
                     "compaction goes on behind a snapshot, files are missing",
                     ATTRS(j, LS_TXID("missing_from", end + 1), LS_TXID("missing_to", next - 1),
                           LS_TXID("snapshot", snapshot.max_txid)));
    }
    return rc;
}

/* As a rule the first file starts right behind the end. One that starts before it and leads further
 * is not among those that are listed from there on. */
static ls_code find_sources(job *j, ls_err *err) {
    ls_txid end = 0;
    ls_code rc = end_of_level(j, &end, err);
    if (rc != LS_OK || end == UINT64_MAX) {
        return rc;
    }
    rc = list_from(j, end + 1, end, err);
    if (rc == LS_OK && is_hole(j) && end > 0) {
        rc = list_from(j, 0, end, err);
    }
    if (rc == LS_OK && is_hole(j)) {
        rc = list_behind_snapshot(j, end, err);
    }
    return rc;
}

/* ---- making the file ---- */

/* The level refused to replace a file: is it the one that would have been put? */
static ls_code compare_existing(job *j, const ls_ltx_info *file, const ls_ltx_header *ours,
                                ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    uint8_t head[LS_LTX_HEADER_SIZE];
    ls_ltx_header theirs;
    ls_err_clear(err);
    ls_code rc = ls_read_head_surely(j->s, file, head, err);
    if (rc != LS_OK && rc != LS_ECORRUPT) {
        return rc;
    }
    if (rc == LS_OK && ls_ltx_header_decode(head, &theirs, err) == LS_OK &&
        theirs.min_txid == ours->min_txid && theirs.max_txid == ours->max_txid &&
        theirs.page_size == ours->page_size && theirs.commit == ours->commit &&
        theirs.timestamp == ours->timestamp) {
        j->result->existed = true;
        return LS_OK;
    }
    (void)ls_fail(err, LS_EDIVERGED, "replica %s already holds %s with other contents",
                  ls_storage_url(j->s), ls_storage_key(file, key));
    return ls_hint(err,
                   "another process seems to compact at the same place: give each database its "
                   "own replica path, then remove that file");
}

/* What a file that was there already looks like in the listing; what was to be put, if it is not
 * listed yet. */
static ls_code describe_existing(job *j, ls_err *err) {
    bool found = false;
    return ls_replica_stat(j->s, &j->result->file, &found, err);
}

static ls_code settle(job *j, ls_code rc, const ls_ltx_info *file, const ls_ltx_header *header,
                      ls_err *err) {
    if (rc == LS_EEXISTS) {
        rc = compare_existing(j, file, header, err);
        if (rc == LS_OK) {
            j->result->file = *file;
            rc = describe_existing(j, err);
        }
    }
    return rc;
}

/* One source: its very bytes. */
static ls_code pass_on(job *j, ls_err *err) {
    const ls_ltx_info *from = &j->sources.files[0];
    ls_ltx_info to = *from;
    to.level = j->opts->level;
    ls_code rc = ls_storage_copy(j->s, from, &to, true, &j->result->file, err);
    j->result->copied = rc == LS_OK;
    if (rc == LS_EUNSUPPORTED) {
        ls_err_clear(err);
        rc = ls_compact_send(j->s, j->opts, from, &to, &j->result->file, err);
        j->result->sent = rc == LS_OK ? j->result->file.size : 0;
    }
    if (rc != LS_EEXISTS) {
        return rc;
    }
    uint8_t head[LS_LTX_HEADER_SIZE];
    ls_ltx_header header = {0};
    ls_err_clear(err);
    rc = ls_read_head(j->s, from, head, err);
    if (rc == LS_OK) {
        rc = ls_ltx_header_decode(head, &header, err);
    }
    return rc == LS_OK ? settle(j, LS_EEXISTS, &to, &header, err) : rc;
}

/* Several: merged into a temporary file, which goes up. */
static ls_code merge(job *j, bool *cut, ls_err *err) {
    ls_compact_spool spool;
    ls_code rc = ls_compact_merge(j->s, j->opts, &j->sources, &spool, cut, err);
    if (rc != LS_OK || *cut) {
        return rc;
    }
    const ls_ltx_info file = {.level = j->opts->level,
                              .min_txid = spool.header.min_txid,
                              .max_txid = spool.header.max_txid,
                              .size = spool.size,
                              .created_ms = spool.header.timestamp};
    rc = ls_storage_take_file(j->s, &file, spool.path, true, &j->result->file, err);
    j->result->sent = rc == LS_OK ? spool.size : 0;
    rc = settle(j, rc, &file, &spool.header, err);
    ls_compact_spool_done(&spool);
    return rc;
}

/* ---- verifying ---- */

static ls_code is_bridged(const job *j, ls_txid next_min, bool *bridged, ls_err *err) {
    ls_ltx_info snapshot;
    bool any = false;
    ls_code rc = ls_level_newest(j->s, LS_LTX_LEVEL_SNAPSHOT, 0, &snapshot, &any, err);
    *bridged = any && snapshot.min_txid == 1 && snapshot.max_txid >= next_min - 1;
    return rc;
}

static ls_code judge_join(job *j, const ls_ltx_info *a, const ls_ltx_info *b, ls_err *err) {
    bool gap = b->min_txid - 1 > a->max_txid;
    bool bridged = false;
    if (b->min_txid - 1 == a->max_txid) {
        return LS_OK;
    }
    ls_code rc = gap ? is_bridged(j, b->min_txid, &bridged, err) : LS_OK;
    if (rc == LS_OK && !bridged) {
        j->result->bad_joins++;
        ls_log_write(j->opts->log, LS_WARN, gap ? "gap in level" : "overlap in level",
                     ATTRS(j, LS_TXID("maxTXID", a->max_txid), LS_TXID("next", b->min_txid)));
    }
    return rc;
}

static ls_code verify_level(job *j, ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_ltx_info last = {0};
    ls_code rc = ls_storage_list(j->s, j->opts->level, 0, &it, err);
    for (bool end = false; rc == LS_OK && !end;) {
        ls_ltx_info f;
        rc = ls_storage_iter_next(it, &f, &end, err);
        if (rc != LS_OK || end || !ls_ltx_info_sane(&f)) {
            continue;
        }
        if (last.max_txid != 0) {
            rc = judge_join(j, &last, &f, err);
        }
        last = f;
    }
    ls_storage_iter_free(it);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "verify level %d", j->opts->level);
}

ls_code ls_compact_verify(ls_storage *s, int level, const ls_log *log, size_t *bad_joins,
                          ls_err *err) {
    const ls_compact_opts opts = {.level = level, .log = log};
    ls_compact_result result = {0};
    job j = {.s = s, .opts = &opts, .result = &result};
    ls_code rc = verify_level(&j, err);
    *bad_joins = result.bad_joins;
    return rc;
}

/* ---- all of it ---- */

/* Once more where the page size changes, with the sources before that, and where what was read may
 * have been spoilt on the way. */
static ls_code make_file(job *j, ls_err *err) {
    bool cut = true;
    ls_err damage = LS_ERR_INIT;
    ls_code rc = LS_OK;
    for (int reads = 0; rc == LS_OK && cut;) {
        cut = false;
        rc = j->sources.n == 1 ? pass_on(j, err) : merge(j, &cut, err);
        if (rc != LS_OK && ++reads < LS_RESUME_READS && ls_resume_spoilt(err, &damage)) {
            ls_err_clear(err);
            cut = true;
            rc = LS_OK;
        }
    }
    return rc;
}

static ls_code run(job *j, ls_err *err) {
    ls_code rc = find_sources(j, err);
    if (rc != LS_OK || j->sources.n == 0) {
        return rc;
    }
    rc = make_file(j, err);
    j->result->sources = j->sources.n;
    j->result->more = j->sources.more;
    if (rc == LS_OK && j->opts->verify) {
        rc = verify_level(j, err);
    }
    return rc;
}

ls_code ls_compact(ls_storage *s, const ls_compact_opts *opts, ls_compact_result *result,
                   ls_err *err) {
    ls_compact_result ignored;
    result = result != NULL ? result : &ignored;
    *result = (ls_compact_result){0};
    if (opts->level < 1 || opts->level >= LS_LTX_LEVEL_SNAPSHOT) {
        return ls_fail(err, LS_EINVALID, "level %d is not made by compaction", opts->level);
    }
    job j = {.s = s, .opts = opts, .result = result};
    ls_code rc = run(&j, err);
    ls_joined_done(&j.sources);
    return rc == LS_OK ? LS_OK
                       : ls_wrap(err, "compact level %d of %s", opts->level, ls_storage_url(s));
}
