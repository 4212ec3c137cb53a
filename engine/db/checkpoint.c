/*
 * Rule 4: checkpoints that lose nothing and let no writer wait longer than the capture of a tail.
 *
 * (a) hand over hand, no writer waiting: a second read transaction begins, the log is captured to
 *     its end, the first one ends, the passive checkpoint copies what the second allows.
 * (b) only when the log is still too long: with writers held back capture the tail, let go of R,
 *     copy everything, begin R again, release, and bump the sequence, which restarts the log. Then
 *     R moves into the new log. The bump is a commit as any other: the next capture takes it.
 * (c) a log file past the truncate threshold is cut to nothing between the two, when that is
 *     possible at once.
 */
#include "engine/db/internal.h"

#include <sys/stat.h>

/* A page-count checkpoint that got nowhere (a reader of the application holds the log) is not
 * tried again before this time. */
#define RETRY_NS (250 * 1000000LL)

static int64_t cut_size(const ls_db *db, uint32_t page_size) {
    int64_t most = db->opts.truncate_page_n * ls_wal_frame_size(page_size);
    return db->opts.truncate_page_n > 0 ? LS_WAL_HEADER_SIZE + most : 0;
}

int64_t ls_db_log_limit(const ls_db *db) { return cut_size(db, db->chain.page_size); }

static bool file_too_big(const ls_db *db, const ls_wal_index *index) {
    struct stat st;
    int64_t limit = cut_size(db, index->page_size);
    return limit > 0 && db->wal_fd >= 0 && fstat(db->wal_fd, &st) == 0 && st.st_size >= limit;
}

/* The log is to begin anew. One frame is what it begins with: our own bump must never be the reason
 * for the next one, however low the thresholds are. */
static bool too_long(const ls_db *db, const ls_wal_index *index) {
    return index->valid && index->frames > 1 &&
           (index->frames >= (uint32_t)db->opts.min_checkpoint_page_n || file_too_big(db, index));
}

static bool time_is_up(const ls_db *db, const ls_wal_index *index) {
    return db->opts.checkpoint_interval > 0 && db->changed && index->valid && index->frames > 1 &&
           ls_db_mono(db) - db->checkpoint_mono >= db->opts.checkpoint_interval;
}

ls_code ls_db_checkpoint_due(ls_db *db, due *when, ls_err *err) {
    *when = DUE_NOT;
    if (!db->chain.known || db->rebase) {
        return LS_OK;
    }
    ls_wal_index index;
    ls_code code = ls_db_log_index(db, &index, err);
    bool is_long = code == LS_OK && too_long(db, &index) && ls_db_mono(db) >= db->retry_mono;
    if (code == LS_OK && (is_long || time_is_up(db, &index))) {
        bool in_one = db->opts.max_sync_wal_bytes <= 0 ||
                      ls_db_index_ahead(db, &index) <= db->opts.max_sync_wal_bytes;
        *when = in_one ? DUE_NOW : DUE_LATER;
    }
    return code;
}

/* By SQLite, counted. */
static int checkpoint(ls_db *db, sqlite3 *w, ls_db_checkpoint_kind mode, int *frames, int *copied) {
    ls_db_checkpoints *c = &db->checkpoints[mode];
    int64_t begin = ls_db_mono(db);
    int rc = sqlite3_wal_checkpoint_v2(
        w, "main", mode == LS_DB_PASSIVE ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE,
        frames, copied);
    c->done++;
    c->failed += rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY;
    c->ns += ls_db_mono(db) - begin;
    return rc;
}

ls_code ls_db_passive(ls_db *db, bool *complete, ls_err *err) {
    *complete = false;
    sqlite3 *w;
    ls_code code = ls_db_work_conn(db, &w, err);
    if (code != LS_OK) {
        return code;
    }
    int frames = -1, copied = -1;
    int rc = checkpoint(db, w, LS_DB_PASSIVE, &frames, &copied);
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY) {
        return ls_db_conn_fail(err, w, rc, "passive checkpoint");
    }
    *complete = rc == SQLITE_OK && frames >= 0 && frames == copied;
    return LS_OK;
}

/* Busy at once or done: the application never waits for it. */
static void truncate_log(ls_db *db) {
    sqlite3_busy_timeout(db->w, 0);
    struct stat st = {0};
    int frames, copied;
    (void)fstat(db->wal_fd, &st);
    int rc = checkpoint(db, db->w, LS_DB_TRUNCATE, &frames, &copied);
    sqlite3_busy_timeout(db->w, (int)(db->opts.busy_timeout / 1000000));
    ls_log_write(db->opts.log, LS_INFO, "forcing truncate checkpoint",
                 LS_ATTRS(LS_DB_NAMES(db), LS_INT("wal_size", st.st_size),
                          LS_INT("threshold", db->opts.truncate_page_n),
                          LS_BOOL("done", rc == SQLITE_OK)));
}

/* *over: all is captured, and R is one that began before that was done. */
static ls_code exchange(ls_db *db, capture *c, bool *over, ls_err *err) {
    sqlite3 **next = &db->r[1 - db->cur];
    ls_code code = ls_db_read_begin(db, next, err);
    if (code != LS_OK) {
        /* No checkpoint without it, but what is committed is captured all the same. */
        ls_err ignored = LS_ERR_INIT;
        (void)!ls_db_capture(db, db->opts.max_sync_wal_bytes, c, &ignored);
        return code;
    }
    bool before = db->successor;
    code = ls_db_capture_to_end(db, c, err);
    /* A full file begins R anew itself, later than next. */
    *over = code == LS_OK && c->proved && !c->full && db->pinned && ls_db_read_held(*next);
    if (!*over) {
        ls_db_read_end(next);
        return code;
    }
    ls_db_read_end(&db->r[db->cur]);
    db->cur = 1 - db->cur;
    /* A restart seen since next began was its one; an older one was not. */
    db->successor = db->successor && !before;
    return LS_OK;
}

/* (a) *over: R is exchanged, and what it lets be copied is copied, all of the log if *complete. */
static ls_code hand_over(ls_db *db, capture *c, bool *over, bool *complete, ls_err *err) {
    ls_code code = exchange(db, c, over, err);
    return code == LS_OK && *over ? ls_db_passive(db, complete, err) : code;
}

/* Under the barrier: nothing is appended, so that after this R begins where capture ended. */
static ls_code copy_all(ls_db *db, bool *complete, ls_err *err) {
    capture c;
    ls_code code = ls_db_capture_to_end(db, &c, err);
    if (code != LS_OK || !c.proved) {
        return code;
    }
    sqlite3 **r = &db->r[db->cur];
    db->pinned = db->next_log.held = false;
    ls_db_read_end(r);
    code = ls_db_passive(db, complete, err);
    ls_err again = LS_ERR_INIT;
    if (ls_db_read_begin(db, r, &again) == LS_OK) {
        db->pinned = true;
        db->successor = false;
    } else if (code == LS_OK) {
        *err = again;
        code = again.code;
    }
    return code;
}

/* R at mark 0 lets nobody copy anything, so that an application which checkpoints by itself would
 * sort the log's frames at each of its commits, for nothing. It lets the log be restarted once,
 * which was done, and not again before something was copied: so a transaction that begins now holds
 * the log that follows the captured one, from its first frame on, and R can be that one. Where it
 * does not begin, R stays at mark 0, and the next capture exchanges it. */
static void hold_next_log(ls_db *db) {
    sqlite3 **next = &db->r[1 - db->cur];
    ls_err ignored = LS_ERR_INIT;
    ls_wal_index x;
    if (ls_db_read_begin(db, next, &ignored) != LS_OK) {
        return;
    }
    bool other = ls_db_log_index(db, &x, &ignored) == LS_OK && x.valid && x.frames > 0 &&
                 (x.salt1 != db->chain.salt1 || x.salt2 != db->chain.salt2);
    if (!other || !ls_db_read_held(db->r[db->cur])) {
        ls_db_read_end(next);
        return;
    }
    ls_db_read_end(&db->r[db->cur]);
    db->cur = 1 - db->cur;
    db->next_log.held = true;
    db->next_log.salt1 = x.salt1;
    db->next_log.salt2 = x.salt2;
}

/* (b) and (c) */
static ls_code restart_log(ls_db *db, const ls_wal_index *index, ls_err *err) {
    bool complete = false;
    ls_code code = ls_db_barrier_begin(db, err);
    if (code == LS_OK) {
        code = copy_all(db, &complete, err);
    }
    ls_db_barrier_end(db);
    if (code != LS_OK || !complete) {
        return code;
    }
    if (file_too_big(db, index)) {
        truncate_log(db);
    }
    code = ls_db_seq_bump(db, err);
    if (code == LS_OK) {
        db->changed = false;
        db->bumped = true;
        ls_db_note_successor(db);
        hold_next_log(db);
    }
    return code;
}

static ls_code checkpoint_now(ls_db *db, capture *c, ls_err *err) {
    bool over = false, complete = false;
    ls_wal_index index = {0};
    db->checkpoint_mono = ls_db_mono(db);
    ls_code code = hand_over(db, c, &over, &complete, err);
    if (code == LS_OK && complete) {
        db->changed = false;
    }
    if (code == LS_OK && over) {
        code = ls_db_log_index(db, &index, err);
    }
    if (code == LS_OK && too_long(db, &index)) {
        code = restart_log(db, &index, err);
    }
    ls_log_write(db->opts.log, LS_DEBUG, "checkpoint",
                 LS_ATTRS(LS_DB_NAMES(db), LS_BOOL("complete", complete),
                          LS_INT("frames", index.frames), LS_BOOL("restarted", db->bumped)));
    return code;
}

ls_code ls_db_leave_mark_0(ls_db *db, capture *c, ls_err *err) {
    bool over = false;
    ls_code code = exchange(db, c, &over, err);
    if (code == LS_EBUSY) {
        ls_err_clear(err);
        code = LS_OK;
    }
    return code;
}

ls_code ls_db_checkpoint(ls_db *db, capture *c, ls_err *err) {
    ls_code code = checkpoint_now(db, c, err);
    if (!db->bumped) {
        db->retry_mono = ls_db_mono(db) + RETRY_NS;
    }
    if (code == LS_EBUSY) {
        ls_log_err(db->opts.log, LS_DEBUG, "checkpoint put off", err, LS_ATTRS(LS_DB_NAMES(db)));
        ls_err_clear(err);
        return LS_OK;
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "checkpoint");
}
