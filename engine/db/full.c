/*
 * Full files: the whole database at one moment, where the log cannot prove that a chain continues
 * (rule 3), for the first file, and for a new page size (rule 7).
 *
 * The moment (rule 5): with writers held back the log is read to its end m and R begins anew there.
 * Then writers go on, and each page comes from its frame up to m, or from the database file: R at
 * mark m keeps later frames out of the file; a frame that is gone means R is at mark 0, so that all
 * was in the file before R began and nobody copies anything while R lives.
 */
#include "engine/db/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ls_db_full_because(ls_db *db, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(db->full_reason, sizeof(db->full_reason), fmt, args);
    va_end(args);
}

/* Ahead of the barrier, so that writers wait for the tail only: *ahead is the end of what SQLite
 * counts now if the checksums lead there, else the log's start. */
static ls_code read_ahead(ls_db *db, const ls_wal_header *hdr, ls_wal_pos *ahead, ls_err *err) {
    ls_wal_index index;
    ls_wal_pos start = ls_wal_pos_start(hdr), reached;
    *ahead = start;
    ls_code code = ls_db_log_index(db, &index, err);
    if (code != LS_OK || !index.valid || index.frames == 0 || index.salt1 != hdr->salt1 ||
        index.salt2 != hdr->salt2) {
        return code;
    }
    bool leads = false;
    code = ls_wal_follow(db->wal_fd, hdr, &start, ls_db_index_end(&index).offset, &reached, &leads,
                         err);
    *ahead = leads ? reached : start;
    return code == LS_OK && ls_canceled(db->opts.cancel)
               ? ls_fail(err, LS_ECANCELED, "snapshot stopped")
               : code;
}

static bool same_log(const ls_wal_header *a, const ls_wal_header *b) {
    return a->salt1 == b->salt1 && a->salt2 == b->salt2 && a->page_size == b->page_size;
}

/* Under the barrier: frames that the checksums do not reach are copied into the database file,
 * where their pages can be read. What is appended to the log follows from the index's checksums. */
static ls_code copy_unreached(ls_db *db, moment *m, ls_err *err) {
    sqlite3 **r = &db->r[db->cur];
    bool complete = false;
    ls_db_read_end(r);
    ls_code code = ls_db_passive(db, &complete, err);
    ls_err again = LS_ERR_INIT;
    if (ls_db_read_begin(db, r, &again) != LS_OK && code == LS_OK) {
        *err = again;
        code = again.code;
    }
    if (code == LS_OK && !complete) {
        code =
            ls_fail(err, LS_EBUSY, "a reader of the application keeps the log from being copied");
    }
    m->in_file = m->broken = true;
    return code;
}

/* The log's end by SQLite's index, and do the checksums lead there? ahead is what was read before,
 * so that writers wait for the tail only. */
static ls_code end_moment(ls_db *db, const ls_wal_header *before, const ls_wal_pos *ahead,
                          moment *m, ls_err *err) {
    ls_wal_index index;
    ls_code code = ls_db_log_index(db, &index, err);
    if (code != LS_OK) {
        return code;
    }
    if (!index.valid) {
        return ls_fail(err, LS_EBUSY, "the wal-index is being changed");
    }
    if (index.salt1 != m->hdr.salt1 || index.salt2 != m->hdr.salt2) {
        /* The log was given up with all of it in the database file; its successor has no frame. */
        m->in_file = true;
        m->end = ls_wal_pos_start(&m->hdr);
        return LS_OK;
    }
    ls_wal_pos reached, from = ls_wal_pos_start(&m->hdr);
    m->end = index.frames > 0 ? ls_db_index_end(&index) : from;
    if (same_log(before, &m->hdr) && ahead->offset <= m->end.offset) {
        from = *ahead;
    }
    bool leads = false;
    code = ls_wal_follow(db->wal_fd, &m->hdr, &from, m->end.offset, &reached, &leads, err);
    if (code == LS_OK && (!leads || reached.ck1 != m->end.ck1 || reached.ck2 != m->end.ck2)) {
        code = copy_unreached(db, m, err);
    }
    return code;
}

/* Under the barrier: R anew, and where the log ends. */
static ls_code begin_moment(ls_db *db, const ls_wal_header *before, const ls_wal_pos *ahead,
                            moment *m, ls_err *err) {
    sqlite3 **r = &db->r[db->cur];
    db->pinned = db->successor = db->next_log.held = false;
    ls_db_read_end(r);
    ls_code code = ls_db_read_begin(db, r, err);
    ls_wal_state state = LS_WAL_EMPTY;
    if (code == LS_OK) {
        code = ls_db_wal_header(db, &m->hdr, &state, err);
    }
    m->has_log = state == LS_WAL_VALID;
    m->top = ls_wal_pos_start(&m->hdr);
    return code == LS_OK && m->has_log ? end_moment(db, before, ahead, m, err) : code;
}

/* The size of the database as R sees it. */
static ls_code size_moment(ls_db *db, moment *m, ls_err *err) {
    sqlite3 *r = db->r[db->cur];
    int64_t pages = 0, page_size = 0;
    ls_code code = ls_db_conn_int(r, "PRAGMA page_count", &pages, err);
    if (code == LS_OK) {
        code = ls_db_conn_int(r, "PRAGMA page_size", &page_size, err);
    }
    m->commit = (uint32_t)pages;
    m->page_size = (uint32_t)page_size;
    if (code == LS_OK &&
        (pages < 1 || pages > UINT32_MAX || !ls_ltx_page_size_valid(m->page_size))) {
        code = ls_fail(err, LS_ECORRUPT, "%s: %lld pages of %lld bytes", db->path, (long long)pages,
                       (long long)page_size);
    }
    return code;
}

static ls_code take_moment(ls_db *db, moment *m, ls_err *err) {
    *m = (moment){0};
    ls_code code = ls_db_ensure_wal(db, err);
    ls_wal_header before = {0};
    ls_wal_state state = LS_WAL_EMPTY;
    ls_wal_pos ahead = {0};
    if (code == LS_OK) {
        code = ls_db_wal_header(db, &before, &state, err);
    }
    if (code == LS_OK && state == LS_WAL_VALID) {
        code = read_ahead(db, &before, &ahead, err);
    }
    if (code == LS_OK) {
        code = ls_db_barrier_begin(db, err);
    }
    if (code == LS_OK) {
        code = begin_moment(db, &before, &ahead, m, err);
    }
    if (code == LS_OK) {
        code = size_moment(db, m, err);
    }
    ls_db_barrier_end(db);
    return code;
}

ls_code ls_db_moment_range(ls_db *db, const moment *m, ls_wal_range **range, ls_err *err) {
    *range = NULL;
    if (!m->has_log || m->in_file || m->end.offset == m->top.offset) {
        return LS_OK;
    }
    ls_wal_range_info info;
    ls_code code = ls_wal_range_until(db->wal_fd, &m->hdr, &m->top, &m->end, range, &info, err);
    if (code != LS_EBUSY && code != LS_ECHECKSUM) {
        return code;
    }
    ls_wal_header now;
    ls_wal_state state;
    ls_err ignored = LS_ERR_INIT;
    if (ls_db_wal_header(db, &now, &state, &ignored) == LS_OK &&
        (state != LS_WAL_VALID || !same_log(&now, &m->hdr))) {
        ls_err_clear(err);
        return LS_OK;
    }
    return code;
}

/* LS_EBUSY from the log: the frame is gone, so the database file has the page (see above). */
ls_code ls_db_moment_page(ls_db *db, const moment *m, ls_wal_range *range, uint32_t pgno,
                          uint8_t *buf, ls_err *err) {
    int64_t off = 0;
    ls_code code = LS_OK;
    if (range != NULL) {
        code = ls_wal_range_find(range, pgno, &off, err);
    }
    if (code == LS_OK && off != 0) {
        code = ls_wal_range_page(range, pgno, off, buf, err);
        if (code == LS_OK) {
            return LS_OK;
        }
    }
    if (code == LS_EBUSY) {
        ls_err_clear(err);
        code = LS_OK;
    }
    return code == LS_OK ? ls_db_file_page(db, pgno, m->page_size, buf, err) : code;
}

static ls_code write_moment(ls_db *db, const moment *m, ls_wal_range *range, ltx_out *out,
                            ls_err *err) {
    uint8_t *buf = malloc(m->page_size);
    if (buf == NULL) {
        return ls_fail(err, LS_ENOMEM, "write ltx file");
    }
    ls_code code = LS_OK;
    uint32_t lock = ls_ltx_lock_pgno(m->page_size);
    for (uint32_t pgno = 1; pgno <= m->commit && code == LS_OK; pgno++) {
        if (pgno == lock) {
            continue;
        }
        code = ls_db_moment_page(db, m, range, pgno, buf, err);
        if (code == LS_OK) {
            code = ls_db_ltx_out_page(out, pgno, buf, err);
        }
        if (code == LS_OK && ls_canceled(db->opts.cancel)) {
            code = ls_fail(err, LS_ECANCELED, "snapshot stopped");
        }
    }
    free(buf);
    if (code == LS_OK && !ls_db_read_held(db->r[db->cur])) {
        code = ls_fail(err, LS_ESQLITE, "read transaction was lost during the snapshot");
    }
    return code;
}

ls_ltx_header ls_db_moment_header(const moment *m, ls_txid min, ls_txid txid, int64_t timestamp) {
    return (ls_ltx_header){
        .flags = LS_LTX_FLAG_NO_CHECKSUM,
        .page_size = m->page_size,
        .commit = m->commit,
        .min_txid = min,
        .max_txid = txid,
        .timestamp = timestamp,
        .wal_offset = m->has_log ? LS_WAL_HEADER_SIZE : 0,
        .wal_size = m->has_log ? m->end.offset - LS_WAL_HEADER_SIZE : 0,
        .wal_salt1 = m->has_log ? m->hdr.salt1 : 0,
        .wal_salt2 = m->has_log ? m->hdr.salt2 : 0,
        .node_id = m->has_log ? ls_db_log_mark(&m->end) : 0,
    };
}

/* A new page size cannot join the old files: its first file is also a snapshot at level 9, written
 * first, so that a crash between the two finds the change again (rule 7). */
static ls_code write_full(ls_db *db, const moment *m, ls_txid txid, int64_t *timestamp,
                          ls_err *err) {
    bool new_size = db->file_page_size != 0 && db->file_page_size != m->page_size;
    int level = new_size ? LS_LTX_LEVEL_SNAPSHOT : 0;
    *timestamp = ls_db_timestamp(db);
    ls_ltx_header header = ls_db_moment_header(m, new_size ? 1 : txid, txid, *timestamp);
    ls_wal_range *range = NULL;
    ltx_out *out = NULL;
    ls_code code = ls_db_moment_range(db, m, &range, err);
    if (code == LS_OK && new_size) {
        code = ls_db_local_dir_make(db, level, err);
    }
    if (code == LS_OK) {
        code = ls_db_ltx_out_begin(db, level, &header, 0, &out, err);
    }
    if (code == LS_OK) {
        code = write_moment(db, m, range, out, err);
    }
    if (code == LS_OK) {
        code = ls_db_ltx_out_commit(out, err);
        out = NULL;
    }
    ls_db_ltx_out_abort(out);
    ls_wal_range_free(range);
    return code == LS_OK && new_size ? ls_db_copy_snapshot(db, txid, err) : code;
}

static void say_full(ls_db *db, ls_txid txid) {
    ls_log_write(
        db->opts.log, LS_INFO, "full snapshot",
        LS_ATTRS(LS_DB_NAMES(db), LS_TXID("txid", txid), LS_STR("reason", db->full_reason)));
    if (strcmp(db->last_reason, db->full_reason) == 0) {
        ls_log_write(db->opts.log, LS_WARN, "full snapshot again for the same reason",
                     LS_ATTRS(LS_DB_NAMES(db), LS_STR("reason", db->full_reason),
                              LS_STR("hint", "does another tool checkpoint, copy or replace this "
                                             "database while litestream is stopped?")));
    }
    memcpy(db->last_reason, db->full_reason, sizeof(db->last_reason));
}

static void chain_take(ls_db *db, const moment *m, ls_txid txid, int64_t timestamp) {
    db->chain = (chain){.known = true,
                        .page_size = m->page_size,
                        .commit = m->commit,
                        .salt1 = m->hdr.salt1,
                        .salt2 = m->hdr.salt2,
                        .end = m->end,
                        .copied = m->has_log && m->in_file ? m->end : (ls_wal_pos){0},
                        .timestamp = timestamp};
    db->file_page_size = m->page_size;
    db->pinned = true;
    db->changed = true;
    db->bumped = false;
    atomic_store(&db->txid, txid);
}

/* If everybody died now, recovery would put a broken log's older pages over those in the database
 * file. All of it is there, and R at mark 0: our own commit begins the log anew. Where that cannot
 * be now (a writer is at work, who does the same), the chain is no worse. */
static void give_up_log(ls_db *db) {
    ls_err ignored = LS_ERR_INIT;
    db->bumped = ls_db_seq_bump(db, &ignored) == LS_OK;
}

ls_code ls_db_capture_full(ls_db *db, ls_err *err) {
    ls_txid txid = (db->rebase ? db->rebase_max : ls_db_txid(db)) + 1;
    moment m;
    int64_t timestamp = 0;
    ls_code code = take_moment(db, &m, err);
    if (code == LS_OK) {
        say_full(db, txid);
        code = write_full(db, &m, txid, &timestamp, err);
    }
    if (code != LS_OK) {
        return ls_wrap(err, "full snapshot of %s", db->path);
    }
    chain_take(db, &m, txid, timestamp);
    if (m.broken) {
        give_up_log(db);
    }
    if (db->rebase) {
        db->rebase = false;
        code = ls_db_local_remove_others(db, txid, err);
    }
    return code;
}
