/*
 * Snapshots beside captures (rule 5): S, a read transaction of its own, holds a moment that is
 * captured whole, and another thread reads it.
 *
 * Who may close what: the writer of the snapshot reads the descriptors of the database and its log,
 * which belong to the thread that captures, and S holds locks of the process that closing one of
 * them would drop. So nothing is closed before ls_db_snapshot_cut has ended S and the writer is
 * gone; whoever ends S does so under snap_lock.
 *
 * No checkpoint disturbs it, our own as little as others': with S at mark m no frame behind m is
 * copied and the log is not restarted; with S at mark 0 nothing is copied at all. The log may then
 * be restarted or cut, and a frame that is gone is found out by its own sums (ls_db_moment_page).
 */
#include "engine/db/internal.h"

#include "engine/ltx/ltx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Pages between two looks at the log's size. */
#define LOOK_PAGES 256

struct ls_db_snapshot {
    ls_db *db;
    sqlite3 *s; /* guarded by db->snap_lock; NULL: ended */
    moment m;
    ls_txid txid;
    int64_t timestamp; /* of txid, ms */
    int64_t log_limit; /* bytes; 0: none */
    char *path;        /* of the file */
};

/* ---- S ---- */

/* Under snap_lock. */
static void end_reader(ls_db *db) {
    ls_db_snapshot *snap = db->snap;
    ls_db_read_end(&snap->s);
    (void)sqlite3_close_v2(snap->s);
    snap->s = NULL;
    db->snap = NULL;
    atomic_store(&db->snap_cut, false);
}

void ls_db_snapshot_cut(ls_db *db) {
    (void)pthread_mutex_lock(&db->snap_lock);
    while (db->snap != NULL && db->snap_reads) {
        atomic_store(&db->snap_cut, true);
        (void)pthread_cond_wait(&db->snap_left, &db->snap_lock);
    }
    if (db->snap != NULL) {
        end_reader(db);
    }
    (void)pthread_mutex_unlock(&db->snap_lock);
}

/* False if S was ended. */
static bool enter(ls_db_snapshot *snap) {
    ls_db *db = snap->db;
    (void)pthread_mutex_lock(&db->snap_lock);
    bool lives = db->snap == snap;
    db->snap_reads = db->snap_reads || lives;
    (void)pthread_mutex_unlock(&db->snap_lock);
    return lives;
}

/* *held: S's transaction lasted to the end of what was read. */
static void leave(ls_db_snapshot *snap, bool *held) {
    ls_db *db = snap->db;
    (void)pthread_mutex_lock(&db->snap_lock);
    *held = ls_db_read_held(snap->s);
    db->snap_reads = false;
    end_reader(db);
    (void)pthread_cond_broadcast(&db->snap_left);
    (void)pthread_mutex_unlock(&db->snap_lock);
}

/* ---- The moment ---- */

/* Under the barrier, S begun: where the log ends. One that is not the captured log's, or is empty,
 * is a successor without a commit: all is in the database file, and S is at mark 0. */
static ls_code take_moment(ls_db *db, ls_db_snapshot *snap, ls_err *err) {
    moment *m = &snap->m;
    ls_wal_state state;
    ls_code code = ls_db_wal_header(db, &m->hdr, &state, err);
    m->has_log = code == LS_OK && state == LS_WAL_VALID && m->hdr.salt1 == db->chain.salt1 &&
                 m->hdr.salt2 == db->chain.salt2;
    m->in_file = !m->has_log;
    /* Frames that the checksums do not reach were copied by the full file that took them. */
    m->top = db->chain.copied.offset > 0 ? db->chain.copied : ls_wal_pos_start(&m->hdr);
    m->end = db->chain.end;
    m->page_size = db->chain.page_size;
    m->commit = db->chain.commit;
    snap->txid = ls_db_txid(db);
    snap->timestamp = db->chain.timestamp;
    return code;
}

static ls_code begin_reader(ls_db *db, ls_db_snapshot *snap, ls_err *err) {
    capture c;
    ls_code code = ls_db_capture_to_end(db, &c, err);
    if (code == LS_OK && (!c.proved || !db->pinned || !db->chain.known)) {
        code = ls_fail(err, LS_EBUSY, "the end of the log cannot be proved now");
    }
    if (code == LS_OK) {
        code = ls_db_read_begin(db, &snap->s, err);
    }
    return code == LS_OK ? take_moment(db, snap, err) : code;
}

/* S is opened by path: it must have led to the files that are open. */
static ls_code open_reader(ls_db *db, ls_db_snapshot *snap, ls_err *err) {
    const char *why;
    moved what = MOVED_NOTHING;
    ls_code code = ls_db_conn_open(db, &snap->s, err);
    if (code == LS_OK) {
        code = ls_db_identity(db, &what, &why, err);
    }
    if (code == LS_OK && what != MOVED_NOTHING) {
        code = ls_fail(err, LS_EBUSY, "%s", why);
    }
    return code;
}

/* The log may grow to the size at which it is cut, and is not cut before S ends. */
static int64_t growth_limit(const ls_db *db) {
    struct stat st;
    int64_t limit = ls_db_log_limit(db);
    bool longer = limit > 0 && fstat(db->wal_fd, &st) == 0 && st.st_size > limit;
    return longer ? st.st_size : limit;
}

/* The bulk is captured first, so that writers wait for the tail only. */
static ls_code begin(ls_db *db, ls_db_snapshot *snap, ls_err *err) {
    capture bulk;
    ls_code code = ls_db_capture_to_end(db, &bulk, err);
    if (code == LS_OK) {
        code = open_reader(db, snap, err);
    }
    if (code == LS_OK) {
        code = ls_db_barrier_begin(db, err);
    }
    if (code == LS_OK) {
        code = begin_reader(db, snap, err);
    }
    ls_db_barrier_end(db);
    snap->log_limit = growth_limit(db);
    return code;
}

static ls_code check_begin(ls_db *db, ls_err *err) {
    (void)pthread_mutex_lock(&db->snap_lock);
    bool other = db->snap != NULL;
    (void)pthread_mutex_unlock(&db->snap_lock);
    if (other) {
        return ls_fail(err, LS_EBUSY, "another snapshot is being written");
    }
    if (!db->opened || ls_db_txid(db) == 0 || db->rebase) {
        return ls_fail(err, LS_ENOTREADY, "nothing was captured yet");
    }
    return LS_OK;
}

ls_code ls_db_snapshot_begin(ls_db *db, ls_db_snapshot **out, ls_err *err) {
    ls_code code = check_begin(db, err);
    ls_db_snapshot *snap = code == LS_OK ? calloc(1, sizeof(*snap)) : NULL;
    if (code == LS_OK && snap == NULL) {
        code = ls_fail(err, LS_ENOMEM, "no memory");
    }
    if (code == LS_OK) {
        snap->db = db;
        code = begin(db, snap, err);
    }
    if (code != LS_OK) {
        if (snap != NULL) {
            (void)sqlite3_close_v2(snap->s);
        }
        free(snap);
        return ls_wrap(err, "snapshot of %s", db->path);
    }
    (void)pthread_mutex_lock(&db->snap_lock);
    db->snap = snap;
    (void)pthread_mutex_unlock(&db->snap_lock);
    *out = snap;
    return LS_OK;
}

/* ---- Writing it ---- */

/* An estimate: half of the database, as a rule more than it takes compressed. */
static ls_code check_room(const ls_db_snapshot *snap, ls_err *err) {
    struct statvfs fs;
    if (statvfs(snap->db->meta_path, &fs) != 0) {
        return ls_fail_errno(err, errno, "look for free space in %s", snap->db->meta_path);
    }
    uint64_t need = (uint64_t)snap->m.commit * snap->m.page_size / 2;
    uint64_t room = (uint64_t)fs.f_bavail * fs.f_frsize;
    if (room >= need) {
        return LS_OK;
    }
    (void)ls_fail(err, LS_EFULL, "%" PRIu64 " bytes are free in %s, %" PRIu64 " may be needed",
                  room, snap->db->meta_path, need);
    return ls_hint(err, "free some space, or move the folder with meta-path; it is tried again");
}

/* What ends a snapshot before its end. */
static ls_code check_going(const ls_db_snapshot *snap, uint32_t pgno, const ls_cancel *cancel,
                           ls_err *err) {
    struct stat st;
    if (ls_canceled(cancel)) {
        return ls_fail(err, LS_ECANCELED, "stopped");
    }
    if (atomic_load(&snap->db->snap_cut)) {
        return ls_fail(err, LS_EBUSY, "the database is being closed");
    }
    if (pgno % LOOK_PAGES == 0 && snap->log_limit > 0 && fstat(snap->db->wal_fd, &st) == 0 &&
        st.st_size > snap->log_limit) {
        (void)ls_fail(err, LS_ELIMIT, "the log grew to %lld bytes meanwhile",
                      (long long)st.st_size);
        return ls_hint(err, "a snapshot keeps the log from being cut, so it was given up; it is "
                            "tried again. A greater truncate-page-n leaves it more time");
    }
    return LS_OK;
}

static ls_code write_pages(const ls_db_snapshot *snap, ls_wal_range *range, ltx_out *out,
                           const ls_cancel *cancel, ls_err *err) {
    const moment *m = &snap->m;
    uint8_t *buf = malloc(m->page_size);
    ls_code code = buf == NULL ? ls_fail(err, LS_ENOMEM, "no memory for a page") : LS_OK;
    uint32_t lock = ls_ltx_lock_pgno(m->page_size);
    for (uint32_t pgno = 1; code == LS_OK && pgno <= m->commit; pgno++) {
        code = check_going(snap, pgno, cancel, err);
        if (code == LS_OK && pgno != lock) {
            code = ls_db_moment_page(snap->db, m, range, pgno, buf, err);
        }
        if (code == LS_OK && pgno != lock) {
            code = ls_db_ltx_out_page(out, pgno, buf, err);
        }
    }
    free(buf);
    return code;
}

static ls_code write_file(ls_db_snapshot *snap, const ls_cancel *cancel, uint64_t *size,
                          ls_err *err) {
    ls_db *db = snap->db;
    ls_ltx_header header = ls_db_moment_header(&snap->m, 1, snap->txid, snap->timestamp);
    ls_wal_range *range = NULL;
    ltx_out *out = NULL;
    ls_code code = check_room(snap, err);
    if (code == LS_OK) {
        code = ls_db_moment_range(db, &snap->m, &range, err);
    }
    if (code == LS_OK) {
        code = ls_db_ltx_out_begin(db, LS_LTX_LEVEL_SNAPSHOT, &header, 0, &out, err);
    }
    if (code == LS_OK) {
        code = write_pages(snap, range, out, cancel, err);
    }
    if (code == LS_OK) {
        code = ls_db_ltx_out_leave(out, &snap->path, size, err);
        out = NULL;
    }
    ls_db_ltx_out_abort(out);
    ls_wal_range_free(range);
    return code;
}

static void drop_file(ls_db_snapshot *snap) {
    if (snap->path != NULL) {
        (void)unlink(snap->path);
    }
    free(snap->path);
    snap->path = NULL;
}

ls_code ls_db_snapshot_write(ls_db_snapshot *snap, const ls_cancel *cancel, ls_ltx_info *file,
                             ls_err *err) {
    uint64_t size = 0;
    bool held = false;
    if (!enter(snap)) {
        (void)ls_fail(err, LS_EBUSY, "the database was closed meanwhile");
        return ls_wrap(err, "snapshot of %s", snap->db->path);
    }
    ls_code code = write_file(snap, cancel, &size, err);
    leave(snap, &held);
    if (code == LS_OK && !held) {
        code = ls_fail(err, LS_ESQLITE, "the read transaction was lost");
    }
    if (code != LS_OK) {
        drop_file(snap);
        return ls_wrap(err, "snapshot of %s", snap->db->path);
    }
    *file = (ls_ltx_info){.level = LS_LTX_LEVEL_SNAPSHOT,
                          .min_txid = 1,
                          .max_txid = snap->txid,
                          .size = size,
                          .created_ms = snap->timestamp};
    return LS_OK;
}

const char *ls_db_snapshot_path(const ls_db_snapshot *snap) { return snap->path; }
ls_txid ls_db_snapshot_txid(const ls_db_snapshot *snap) { return snap->txid; }

void ls_db_snapshot_free(ls_db_snapshot *snap) {
    if (snap == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&snap->db->snap_lock);
    if (snap->db->snap == snap) {
        end_reader(snap->db);
    }
    (void)pthread_mutex_unlock(&snap->db->snap_lock);
    drop_file(snap);
    free(snap);
}
