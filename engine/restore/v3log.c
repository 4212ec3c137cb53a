/*
 * Checks and checkpoints a log; see v3log.h.
 *
 * SQLite ends a log silently at the first frame that does not fit, so each frame is checked first:
 * a damaged one must be an error, not an older database. The database is opened in exclusive mode,
 * in which SQLite needs no -shm file, and without syncs: the target syncs the finished file.
 */
#include "engine/restore/v3log.h"

#include "engine/base/sqlite.h"
#include "engine/wal/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static ls_code remove_file(const char *path, ls_err *err) {
    return unlink(path) == 0 || errno == ENOENT ? LS_OK
                                                : ls_fail_errno(err, errno, "delete %s", path);
}

/* What a killed restore left beside its database would be played into this one. */
static ls_code remove_stale(const ls_v3_log *log, const char *suffix, ls_err *err) {
    char *path = ls_asprintf("%s%s", log->db, suffix);
    ls_code code =
        path != NULL ? remove_file(path, err) : ls_fail(err, LS_ENOMEM, "no memory to restore");
    free(path);
    return code;
}

ls_code ls_v3_log_init(ls_v3_log *log, const char *path, ls_err *err) {
    static const char *const suffixes[] = {"-wal", "-shm", "-journal"};
    *log = (ls_v3_log){.fd = -1};
    log->db = ls_path_absolute(path);
    log->wal = log->db != NULL ? ls_asprintf("%s-wal", log->db) : NULL;
    if (log->wal == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to restore");
    }
    ls_code code = LS_OK;
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0] && code == LS_OK; i++) {
        code = remove_stale(log, suffixes[i], err);
    }
    return code;
}

ls_code ls_v3_log_begin(ls_v3_log *log, ls_err *err) {
    log->fd = ls_open(log->wal, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);
    return log->fd >= 0 ? LS_OK : ls_fail_errno(err, errno, "create %s", log->wal);
}

static void close_log(ls_v3_log *log) {
    if (log->fd >= 0) {
        (void)close(log->fd);
    }
    log->fd = -1;
}

/* ---- what was put together ---- */

static ls_code check_log(const ls_v3_log *log, uint64_t size, uint64_t *frames, ls_err *err) {
    ls_wal_header hdr;
    ls_wal_state state;
    ls_code code = ls_wal_header_read(log->fd, &hdr, &state, err);
    if (code != LS_OK) {
        return code;
    }
    if (state != LS_WAL_VALID || size > INT64_MAX) {
        return ls_fail(err, LS_ECORRUPT, "no header of a log of SQLite");
    }
    const ls_wal_pos start = ls_wal_pos_start(&hdr);
    ls_wal_pos pos = start;
    bool reached = false;
    code = ls_wal_follow(log->fd, &hdr, &start, (int64_t)size, &pos, &reached, err);
    if (code == LS_OK && !reached) {
        return ls_fail(err, LS_ECORRUPT,
                       "the log holds whole transactions up to byte %lld of %llu only",
                       (long long)pos.offset, (unsigned long long)size);
    }
    *frames = (size - LS_WAL_HEADER_SIZE) / (uint64_t)ls_wal_frame_size(hdr.page_size);
    return code;
}

/* ---- into the database ---- */

/* Reading the schema's version opens the log, which a checkpoint alone does not. */
static const char setup[] = "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF;"
                            "PRAGMA schema_version";

static ls_code checkpoint(const ls_v3_log *log, sqlite3 *db, uint64_t frames, ls_err *err) {
    int rc = sqlite3_exec(db, setup, NULL, NULL, NULL);
    if (rc != SQLITE_OK) {
        return ls_fail_sqlite(err, db, rc, "open %s", log->db);
    }
    int in_log = -1;
    int copied = -1;
    rc = sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_FULL, &in_log, &copied);
    if (rc != SQLITE_OK) {
        return ls_fail_sqlite(err, db, rc, "checkpoint %s", log->db);
    }
    if (in_log < 0 || (uint64_t)in_log != frames || copied != in_log) {
        return ls_fail(err, LS_ECORRUPT,
                       "checkpoint: SQLite read %d and copied %d of the log's %llu frames", in_log,
                       copied, (unsigned long long)frames);
    }
    return LS_OK;
}

static ls_code copy_log(const ls_v3_log *log, uint64_t frames, ls_err *err) {
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(log->db, &db, SQLITE_OPEN_READWRITE, NULL);
    ls_code code = rc == SQLITE_OK ? checkpoint(log, db, frames, err)
                                   : ls_fail_sqlite(err, db, rc, "open %s", log->db);
    int closed = sqlite3_close(db);
    if (code == LS_OK && closed != SQLITE_OK) {
        code = ls_fail_sqlite(err, NULL, closed, "close %s", log->db);
    }
    return code;
}

ls_code ls_v3_log_apply(ls_v3_log *log, uint64_t size, ls_err *err) {
    uint64_t frames = 0;
    ls_code code = check_log(log, size, &frames, err);
    close_log(log);
    if (code == LS_EIO) {
        (void)ls_wrap(err, "%s", log->wal);
    }
    if (code == LS_OK && frames > 0) {
        code = copy_log(log, frames, err);
    }
    return code == LS_OK ? remove_file(log->wal, err) : code;
}

void ls_v3_log_done(ls_v3_log *log) {
    close_log(log);
    if (log->wal != NULL) {
        (void)unlink(log->wal);
    }
    free(log->wal);
    free(log->db);
    *log = (ls_v3_log){.fd = -1};
}
