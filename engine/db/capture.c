/*
 * Capture: the new committed frames of the log become one level-0 file (rules 2, 3, 6).
 *
 * The order of looking is what makes it sound: the read transaction is asked first, then SQLite's
 * index (up to where is the log committed?), then the log's header, then frames, then the header
 * again (inside ls_wal_range_until and _scan).
 */
#include "engine/db/internal.h"

#include <stdlib.h>

/* A log that is restarted between two looks is looked at again; each restart needs a writer. */
#define LOOKS_MAX 16
/* Passes of a capture that must reach the end while a writer keeps going. */
#define PASSES_MAX 64

/* What one look at the log said. */
typedef struct look {
    ls_wal_index index;
    ls_wal_header hdr;
    ls_wal_pos pos;
    bool restarted; /* pos is the top of a log that follows the one captured */
    bool full;      /* no incremental file is possible; full_reason says why */
    bool nothing;   /* nothing to do */
    bool proved;    /* of nothing: all that is committed is captured */
    bool unclear;   /* index and log are of different moments: look again */
} look;

/* R may have been lost (an I/O error ends a transaction): then nothing is known about what happened
 * meanwhile. */
static ls_code keep_reader(ls_db *db, ls_err *err) {
    if (ls_db_read_held(db->r[db->cur])) {
        return LS_OK;
    }
    db->pinned = false;
    db->successor = false;
    db->next_log.held = false;
    ls_log_write(db->opts.log, LS_WARN, "read transaction was lost", LS_ATTRS(LS_DB_NAMES(db)));
    ls_db_read_end(&db->r[db->cur]);
    return ls_db_read_begin(db, &db->r[db->cur], err);
}

/* What R forbids happened all the same. */
static void look_at_forbidden(ls_db *db, look *l, const char *what) {
    l->full = true;
    ls_db_full_because(db, "%s", what);
    ls_log_write(db->opts.log, LS_ERROR, "log changed in a way SQLite's locks forbid",
                 LS_ATTRS(LS_DB_NAMES(db), LS_TXID("txid", ls_db_txid(db)),
                          LS_STR("hint", "is the database on a network file system, or was its "
                                         "-wal or -shm removed? A full snapshot follows")));
}

static bool is_next_log(const ls_db *db, const ls_wal_header *hdr) {
    return !db->next_log.held ||
           (hdr->salt1 == db->next_log.salt1 && hdr->salt2 == db->next_log.salt2);
}

/* The log's salts are not the chain's. */
static void look_at_other_log(ls_db *db, look *l) {
    if (!db->pinned) {
        l->full = true;
        ls_db_full_because(db, "the log was restarted while it was not held");
    } else if (db->successor || !is_next_log(db, &l->hdr)) {
        look_at_forbidden(db, l, "the log was restarted twice under one read transaction");
    } else {
        l->restarted = true;
        l->pos = ls_wal_pos_start(&l->hdr);
    }
}

/* The log's salts are the chain's. Where it ends at the same offset it must end with the same
 * checksum; a shorter or other one was recovered and written anew. */
static void look_at_same_log(ls_db *db, look *l) {
    ls_wal_pos end = ls_db_index_end(&l->index);
    const ls_wal_pos *have = &db->chain.end;
    bool same = end.offset == have->offset;
    if (l->index.frames > 0 && (end.ck1 != have->ck1 || end.ck2 != have->ck2)) {
        same = false;
    }
    l->pos = *have;
    l->nothing = l->proved = same;
    if (!same && end.offset <= have->offset) {
        l->full = true;
        ls_db_full_because(db, "SQLite recovered the log and ends it before what was captured");
    }
}

/* Index and header of different salts: a restart of the log is under way. While pinned nothing is
 * lost by it, and an index without frames says that the new log has no commit yet. */
static void look_at_restart(const ls_db *db, look *l) {
    l->nothing = db->pinned;
    l->proved = db->pinned && l->index.frames == 0;
    l->unclear = !db->pinned;
}

/* While pinned, an empty log is a successor that is not written yet. */
static void look_at_empty_log(ls_db *db, look *l) {
    if (!db->pinned) {
        l->full = true;
        ls_db_full_because(db, "the log was emptied while it was not held");
    } else if (db->next_log.held) {
        look_at_forbidden(db, l, "the log was emptied under a read transaction");
    } else {
        l->nothing = l->proved = true;
    }
}

/* SQLite recovered a log that ends with its header: to it the log is empty, whatever the header. */
static bool recovered_empty(const ls_wal_index *x) {
    return x->valid && x->frames == 0 && x->page_size == 0 && x->salt1 == 0 && x->salt2 == 0;
}

static void judge_look(ls_db *db, ls_wal_state state, look *l) {
    const ls_wal_index *x = &l->index;
    if (!db->chain.known || db->rebase) {
        l->full = true;
    } else if (state != LS_WAL_VALID || recovered_empty(x)) {
        look_at_empty_log(db, l);
    } else if (l->hdr.page_size != db->chain.page_size) {
        l->full = true;
        ls_db_full_because(db, "the page size changed from %u to %u", db->chain.page_size,
                           l->hdr.page_size);
    } else if (!x->valid) {
        l->unclear = true;
    } else if (x->salt1 != l->hdr.salt1 || x->salt2 != l->hdr.salt2) {
        look_at_restart(db, l);
    } else if (x->salt1 == db->chain.salt1 && x->salt2 == db->chain.salt2) {
        look_at_same_log(db, l);
    } else {
        look_at_other_log(db, l);
    }
}

static ls_code take_look(ls_db *db, look *l, ls_err *err) {
    *l = (look){0};
    ls_wal_state state;
    ls_code code = keep_reader(db, err);
    if (code == LS_OK) {
        code = ls_db_log_index(db, &l->index, err);
    }
    if (code == LS_OK) {
        code = ls_db_wal_header(db, &l->hdr, &state, err);
    }
    if (code == LS_OK) {
        judge_look(db, state, l);
    }
    return code;
}

/* New pages that no frame holds (SQLite does not write the leaves of its free list): what SQLite
 * would read there, so that the file holds every page from the old to the new Commit. */
static ls_code fill_growth(ls_db *db, ltx_out *out, uint32_t from, uint32_t to, uint8_t *buf,
                           ls_err *err) {
    uint32_t size = db->chain.page_size;
    for (uint32_t pgno = from; pgno <= to; pgno++) {
        if (pgno == ls_ltx_lock_pgno(size)) {
            continue;
        }
        ls_code code = ls_db_file_page(db, pgno, size, buf, err);
        if (code == LS_OK) {
            code = ls_db_ltx_out_page(out, pgno, buf, err);
        }
        if (code != LS_OK) {
            return code;
        }
    }
    return LS_OK;
}

static ls_code write_pages(ls_db *db, ls_wal_range *range, uint32_t commit, ltx_out *out,
                           uint8_t *buf, ls_err *err) {
    uint32_t next_new = db->chain.commit + 1; /* first new page not written yet */
    for (;;) {
        uint32_t pgno;
        int64_t off;
        if (ls_canceled(db->opts.cancel)) {
            return ls_fail(err, LS_ECANCELED, "capture stopped");
        }
        ls_code code = ls_wal_range_next(range, commit, &pgno, &off, err);
        if (code != LS_OK) {
            return code;
        }
        uint32_t until = pgno == 0 ? commit : pgno - 1;
        if (next_new <= until) {
            code = fill_growth(db, out, next_new, until, buf, err);
            next_new = until + 1;
        }
        if (code != LS_OK || pgno == 0) {
            return code;
        }
        code = ls_wal_range_page(range, pgno, off, buf, err);
        if (code == LS_OK) {
            code = ls_db_ltx_out_page(out, pgno, buf, err);
        }
        if (code != LS_OK) {
            return code;
        }
        next_new = pgno >= next_new ? pgno + 1 : next_new;
    }
}

static ls_code write_increment(ls_db *db, const look *l, ls_wal_range *range,
                               const ls_wal_range_info *info, int64_t *timestamp, ls_err *err) {
    ls_txid txid = ls_db_txid(db) + 1;
    *timestamp = ls_db_timestamp(db);
    ls_ltx_header header = {
        .flags = LS_LTX_FLAG_NO_CHECKSUM,
        .page_size = l->hdr.page_size,
        .commit = info->commit,
        .min_txid = txid,
        .max_txid = txid,
        .timestamp = *timestamp,
        .wal_offset = info->begin.offset,
        .wal_size = info->end.offset - info->begin.offset,
        .wal_salt1 = l->hdr.salt1,
        .wal_salt2 = l->hdr.salt2,
        .node_id = ls_db_log_mark(&info->end),
    };
    uint8_t *buf = malloc(header.page_size);
    if (buf == NULL) {
        return ls_fail(err, LS_ENOMEM, "write ltx file");
    }
    ltx_out *out = NULL;
    ls_code code = ls_db_ltx_out_begin(db, 0, &header, db->chain.commit, &out, err);
    if (code == LS_OK) {
        code = write_pages(db, range, info->commit, out, buf, err);
    }
    if (code == LS_OK) {
        code = ls_db_ltx_out_commit(out, err);
        out = NULL;
    }
    ls_db_ltx_out_abort(out);
    free(buf);
    return code;
}

/* The file is durable: the position moves. */
static void advance(ls_db *db, const look *l, const ls_wal_range_info *info, int64_t timestamp) {
    if (l->restarted) {
        db->chain.copied = (ls_wal_pos){0};
    }
    db->chain.salt1 = l->hdr.salt1;
    db->chain.salt2 = l->hdr.salt2;
    db->chain.end = info->end;
    db->chain.commit = info->commit;
    db->chain.timestamp = timestamp;
    db->successor = db->successor || l->restarted;
    db->next_log.held = db->next_log.held && !l->restarted;
    /* Our own bump is one frame and no change of the application's. */
    db->changed = db->changed || !db->bumped || info->frames > 1;
    db->bumped = false;
    db->last_reason[0] = '\0';
    atomic_fetch_add(&db->txid, 1);
}

/* The committed frames from the look's place to the index's end, or to a commit behind max_bytes.
 * *beyond: the checksums do not lead to the index's end. LS_EBUSY: the log moved under the look. */
static ls_code scan_committed(ls_db *db, const look *l, int64_t max_bytes, ls_wal_range **range,
                              ls_wal_range_info *info, bool *beyond, ls_err *err) {
    ls_wal_pos end = ls_db_index_end(&l->index);
    ls_code code;
    if (max_bytes > 0 && end.offset - l->pos.offset > max_bytes) {
        /* The index's end is a commit behind the bound: the cut does not pass it. */
        code = ls_wal_range_scan(db->wal_fd, &l->hdr, &l->pos, max_bytes, range, info, err);
        *beyond = code == LS_OK && info->at_end && info->end.offset < end.offset;
        return code;
    }
    if (end.offset == l->pos.offset) {
        end = l->pos;
    }
    code = ls_wal_range_until(db->wal_fd, &l->hdr, &l->pos, &end, range, info, err);
    *beyond = code == LS_ECHECKSUM;
    if (*beyond) {
        ls_err_clear(err);
        code = LS_OK;
    }
    return code;
}

static ls_code capture_range(ls_db *db, const look *l, int64_t max_bytes, capture *c, bool *beyond,
                             ls_err *err) {
    ls_wal_range *range = NULL;
    ls_wal_range_info info;
    ls_code code = scan_committed(db, l, max_bytes, &range, &info, beyond, err);
    if (code == LS_OK && range != NULL) {
        int64_t timestamp;
        code = write_increment(db, l, range, &info, &timestamp, err);
        if (code == LS_OK) {
            advance(db, l, &info, timestamp);
            c->wrote = true;
            c->frames = info.frames;
        }
    }
    ls_wal_range_free(range);
    if (code == LS_OK && !*beyond) {
        c->at_end = c->proved = info.end.offset == ls_db_index_end(&l->index).offset;
    }
    return code;
}

/* Writers are not held back for as long as a whole database takes. */
static ls_code capture_whole(ls_db *db, capture *c, ls_err *err) {
    if (db->barrier) {
        return ls_fail(err, LS_EBUSY, "a full snapshot is due first");
    }
    ls_code code = ls_db_capture_full(db, err);
    c->wrote = c->at_end = c->proved = c->full = code == LS_OK;
    return code;
}

/* A commit is one when SQLite's index counts it, which changes no file that tells: is there a frame
 * of this log behind the last one captured? */
static ls_code see_pending(ls_db *db, const look *l, capture *c, ls_err *err) {
    bool same = l->hdr.salt1 == db->chain.salt1 && l->hdr.salt2 == db->chain.salt2;
    int64_t off = same ? db->chain.end.offset : LS_WAL_HEADER_SIZE;
    uint8_t frame[LS_WAL_FRAME_HEADER_SIZE];
    size_t got = 0;
    ls_code code = LS_OK;
    if (db->wal_fd >= 0 && l->hdr.page_size != 0) {
        code = ls_pread_full(db->wal_fd, frame, sizeof(frame), off, &got, db->wal_path, err);
    }
    c->pending = got == sizeof(frame) && ls_wal_frame_has_salts(frame, &l->hdr);
    return code;
}

/* *again: the log moved under the look. */
static ls_code capture_look(ls_db *db, int64_t max_bytes, capture *c, bool *again, ls_err *err) {
    look l;
    bool beyond = false;
    ls_code code = take_look(db, &l, err);
    if (code != LS_OK) {
        return code;
    }
    if (l.unclear) {
        *again = true;
        return ls_fail(err, LS_EBUSY, "the log is being restarted");
    }
    if (l.nothing) {
        c->at_end = true;
        c->proved = l.proved;
    } else if (!l.full) {
        code = capture_range(db, &l, max_bytes, c, &beyond, err);
        *again = code == LS_EBUSY;
    }
    db->pinned = db->pinned || c->proved;
    if (code == LS_OK && beyond) {
        ls_db_full_because(db, "SQLite committed frames without right checksums (a defect of "
                               "SQLite before 3.50.4)");
    }
    if (code == LS_OK && (l.full || beyond)) {
        return capture_whole(db, c, err);
    }
    return code == LS_OK && c->at_end ? see_pending(db, &l, c, err) : code;
}

ls_code ls_db_capture(ls_db *db, int64_t max_bytes, capture *c, ls_err *err) {
    *c = (capture){0};
    ls_code code = LS_OK;
    bool again = true;
    for (int i = 0; i < LOOKS_MAX && again; i++) {
        ls_err_clear(err);
        again = false;
        code = capture_look(db, max_bytes, c, &again, err);
    }
    return code == LS_OK ? LS_OK : ls_wrap(err, "capture");
}

ls_code ls_db_capture_to_end(ls_db *db, capture *c, ls_err *err) {
    uint32_t frames = 0;
    bool wrote = false, full = false;
    for (int i = 0; i < PASSES_MAX; i++) {
        ls_code code = ls_db_capture(db, db->opts.max_sync_wal_bytes, c, err);
        if (code != LS_OK) {
            return code;
        }
        frames += c->frames;
        wrote = wrote || c->wrote;
        full = full || c->full;
        if (c->at_end) {
            c->frames = frames;
            c->wrote = wrote;
            c->full = full;
            return LS_OK;
        }
    }
    return ls_fail(err, LS_EBUSY, "capture: a writer keeps ahead");
}
