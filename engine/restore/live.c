/* Locks, header and position of a database that is read by others; see live.h. */
#include "engine/restore/live.h"

#include "engine/restore/journal.h"

#include "engine/base/clock.h"
#include "engine/base/file.h"
#include "engine/base/sqlite.h"
#include "engine/ltx/bytes.h"
#include "engine/ltx/dbfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SEC 1000000000
/* Pause between two tries to get EXCLUSIVE. */
#define PAUSE_NS 2000000
/* A crashed follower's journal may be played back by any reader, so more than one look is needed to
 * see none. */
#define RECOVER_TRIES 3

#define MODE_AT 18
#define COUNTER_AT 24
#define PAGES_AT 28
#define VALID_FOR_AT 92
#define MODE_ROLLBACK 1

/* ---- page 1 ---- */

/* One to one for the TXIDs of 32 bits (the finaliser of MurmurHash3), so that no two in a row, nor
 * a counter raised by one, look alike. */
static uint32_t counter_of(ls_txid txid) {
    uint32_t x = (uint32_t)txid ^ (uint32_t)(txid >> 32) * 0x9e3779b9u;
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ x >> 16;
}

ls_code ls_live_mark(uint8_t header[LS_DB_HEADER_SIZE], ls_txid txid, uint32_t pages, ls_err *err) {
    if (memcmp(header, "SQLite format 3", 16) != 0) {
        ls_fail(err, LS_ENOTDB, "page 1 is not that of an SQLite database");
        return ls_hint(err, "an encrypted database can be restored, but not followed");
    }
    header[MODE_AT] = MODE_ROLLBACK;
    header[MODE_AT + 1] = MODE_ROLLBACK;
    put_be32(header + COUNTER_AT, counter_of(txid));
    put_be32(header + VALID_FOR_AT, counter_of(txid));
    put_be32(header + PAGES_AT, pages);
    return LS_OK;
}

/* The TXID from first to last that the header is marked with; 0: none of them. */
static ls_txid marked(const uint8_t *header, ls_txid first, ls_txid last) {
    uint32_t counter = get_be32(header + COUNTER_AT);
    if (counter != get_be32(header + VALID_FOR_AT)) {
        return 0;
    }
    for (ls_txid txid = first; txid <= last && txid - first < UINT32_MAX; txid++) {
        if (counter_of(txid) == counter) {
            return txid;
        }
    }
    return 0;
}

/* ---- opening ---- */

static ls_code hint_at_rights(ls_code code, ls_err *err) {
    if (code == LS_EPERM) {
        return ls_hint(err, "a follower writes the database and, beside it, -journal and -txid");
    }
    return code;
}

/* A call on the handle. */
static ls_code sqlite_failed(const ls_live *l, int rc, const char *what, ls_err *err) {
    return hint_at_rights(ls_fail_sqlite(err, l->h, rc, "%s %s", what, l->path), err);
}

/* A call of SQLite's file layer. */
static ls_code file_failed(const ls_live *l, int rc, const char *what, ls_err *err) {
    return hint_at_rights(ls_fail_sqlite(err, NULL, rc, "%s %s", what, l->path), err);
}

/* Runs a pragma; mode (may be NULL) gets its first value, at most 15 characters. */
static int pragma(const ls_live *l, const char *sql, char mode[16]) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(l->h, sql, -1, &stmt, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(stmt);
    }
    if (rc == SQLITE_ROW && mode != NULL) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        (void)sqlite3_snprintf(16, mode, "%s", text != NULL ? text : "");
    }
    int end = sqlite3_finalize(stmt);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? end : rc;
}

static ls_code leave_wal(ls_live *l, ls_err *err) {
    char mode[16] = "";
    int rc = pragma(l, "PRAGMA journal_mode", mode);
    l->was_wal = rc == SQLITE_OK && strcmp(mode, "wal") == 0;
    if (l->was_wal) {
        rc = pragma(l, "PRAGMA journal_mode=DELETE", mode);
        if (rc == SQLITE_BUSY || (rc == SQLITE_OK && strcmp(mode, "wal") == 0)) {
            ls_fail(err, LS_EBUSY,
                    "change %s from WAL mode to a rollback journal: database is in "
                    "use",
                    l->path);
            return ls_hint(err, "close every program that has it open, then start again; programs "
                                "that read a followed database must not set journal_mode");
        }
    }
    return rc == SQLITE_OK ? LS_OK : sqlite_failed(l, rc, "open", err);
}

static ls_code find_file(ls_live *l, ls_err *err) {
    int rc = sqlite3_file_control(l->h, "main", SQLITE_FCNTL_FILE_POINTER, &l->file);
    if (rc == SQLITE_OK) {
        rc = sqlite3_file_control(l->h, "main", SQLITE_FCNTL_VFS_POINTER, &l->vfs);
    }
    if (rc != SQLITE_OK || l->file == NULL || l->file->pMethods == NULL || l->vfs == NULL) {
        return file_failed(l, rc == SQLITE_OK ? SQLITE_CANTOPEN : rc, "open", err);
    }
    l->journal = sqlite3_filename_journal(sqlite3_db_filename(l->h, "main"));
    return LS_OK;
}

ls_code ls_live_open(ls_live *l, const char *path, ls_err *err) {
    *l = (ls_live){.lock = SQLITE_LOCK_NONE};
    size_t size = strlen(path) + 1;
    l->path = malloc(size);
    if (l->path == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to open %s", path);
    }
    memcpy(l->path, path, size);
    int rc = sqlite3_open_v2(path, &l->h, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(l->h, 1);
        if (sqlite3_db_readonly(l->h, "main") == 1) {
            rc = SQLITE_READONLY;
        }
    }
    if (rc != SQLITE_OK) {
        return sqlite_failed(l, rc, "open", err);
    }
    ls_code code = leave_wal(l, err);
    return code == LS_OK ? find_file(l, err) : code;
}

void ls_live_close(ls_live *l) {
    if (l->file != NULL) {
        ls_live_end(l);
    }
    (void)sqlite3_close(l->h);
    free(l->path);
    *l = (ls_live){0};
}

/* ---- locks ---- */

ls_code ls_live_recover(ls_live *l, ls_err *err) {
    int rc = pragma(l, "PRAGMA schema_version", NULL);
    return rc == SQLITE_OK ? LS_OK : sqlite_failed(l, rc, "read", err);
}

void ls_live_end(ls_live *l) {
    if (l->lock != SQLITE_LOCK_NONE) {
        (void)l->file->pMethods->xUnlock(l->file, SQLITE_LOCK_NONE);
        l->lock = SQLITE_LOCK_NONE;
    }
}

static int lock(ls_live *l, int level) {
    int rc = l->file->pMethods->xLock(l->file, level);
    if (rc == SQLITE_OK) {
        l->lock = level;
    }
    return rc;
}

/* Does a journal lie there that a crash left? Only in RESERVED: otherwise it may be a live one. */
static ls_code journal_is_hot(const ls_live *l, bool *hot, ls_err *err) {
    *hot = false;
    int fd = ls_open(l->journal, O_RDONLY, 0);
    if (fd < 0) {
        return errno == ENOENT ? LS_OK : ls_fail_errno(err, errno, "open %s", l->journal);
    }
    uint8_t first = 0;
    ssize_t n = read(fd, &first, 1);
    int errnum = errno;
    (void)close(fd);
    *hot = n == 1 && first != 0;
    return n >= 0 ? LS_OK : ls_fail_errno(err, errnum, "read %s", l->journal);
}

static ls_code reserve(ls_live *l, ls_err *err) {
    int rc = lock(l, SQLITE_LOCK_SHARED);
    if (rc == SQLITE_OK) {
        rc = lock(l, SQLITE_LOCK_RESERVED);
    }
    if (rc == SQLITE_OK) {
        return LS_OK;
    }
    ls_live_end(l);
    file_failed(l, rc, "lock", err);
    return ls_hint(err, "another program writes to the database; a followed database may only be "
                        "read");
}

static bool has_moved(const ls_live *l) {
    int moved = 0;
    int rc = l->file->pMethods->xFileControl(l->file, SQLITE_FCNTL_HAS_MOVED, &moved);
    return rc == SQLITE_OK && moved != 0;
}

/* SQLite says of a path that it could not look at that the file has moved, too. */
static ls_code check_place(const ls_live *l, ls_err *err) {
    struct stat st;
    if (!has_moved(l)) {
        return LS_OK;
    }
    bool there = stat(l->path, &st) == 0;
    if (!there && errno != ENOENT && errno != ENOTDIR) {
        return ls_fail_errno(err, errno, "look at %s", l->path);
    }
    if (there && !has_moved(l)) {
        return LS_OK;
    }
    ls_fail(err, LS_EDIVERGED, "%s was deleted or replaced by another file", l->path);
    return ls_hint(err, "delete %s-txid and start again to restore it", l->path);
}

static ls_code changed_by_others(const ls_live *l, ls_err *err) {
    ls_fail(err, LS_EDIVERGED, "%s was changed by another program", l->path);
    return ls_hint(err,
                   "delete it and %s-txid and start again to restore it; programs that read "
                   "it should open it read-only",
                   l->path);
}

static ls_code read_header(ls_live *l, ls_err *err) {
    sqlite3_int64 size = 0;
    int rc = l->file->pMethods->xFileSize(l->file, &size);
    if (rc == SQLITE_OK && size >= LS_DB_HEADER_SIZE) {
        rc = l->file->pMethods->xRead(l->file, l->header, LS_DB_HEADER_SIZE, 0);
    }
    if (rc != SQLITE_OK) {
        return file_failed(l, rc, "read", err);
    }
    uint32_t pages;
    ls_code code = size < LS_DB_HEADER_SIZE
                       ? ls_fail(err, LS_ENOTDB, "%s is not an SQLite database", l->path)
                       : ls_db_header_parse(l->header, &l->page_size, &pages, err);
    if (code != LS_OK) {
        return code;
    }
    if (size % l->page_size != 0 || size / l->page_size > UINT32_MAX) {
        return ls_fail(err, LS_ECORRUPT, "%s: %lld bytes are no whole pages of %u", l->path,
                       (long long)size, l->page_size);
    }
    l->pages = (uint32_t)(size / l->page_size);
    return LS_OK;
}

static ls_code begin(ls_live *l, ls_err *err) {
    bool hot = true;
    ls_code code = LS_OK;
    for (int i = 0; i < RECOVER_TRIES && hot && code == LS_OK; i++) {
        code = ls_live_recover(l, err);
        if (code == LS_OK) {
            code = reserve(l, err);
        }
        if (code == LS_OK) {
            code = journal_is_hot(l, &hot, err);
        }
        if (hot || code != LS_OK) {
            ls_live_end(l);
        }
    }
    if (code == LS_OK && hot) {
        return ls_fail(err, LS_EBUSY, "%s is not played back", l->journal);
    }
    if (code == LS_OK) {
        code = check_place(l, err);
    }
    if (code == LS_OK) {
        code = read_header(l, err);
    }
    if (code != LS_OK) {
        ls_live_end(l);
    }
    return code;
}

ls_code ls_live_begin(ls_live *l, ls_err *err) {
    ls_code code = begin(l, err);
    if (code == LS_OK && l->known && get_be32(l->header + COUNTER_AT) != l->counter) {
        ls_live_end(l);
        return changed_by_others(l, err);
    }
    return code;
}

/* The reference's follow mode raises the counter at 24 only; its first restore is in WAL mode. */
static bool made_by_reference(const ls_live *l) {
    return l->was_wal || get_be32(l->header + COUNTER_AT) != get_be32(l->header + VALID_FOR_AT);
}

ls_code ls_live_position(ls_live *l, ls_txid first, ls_txid last, ls_txid *txid, ls_err *err) {
    ls_code code = begin(l, err);
    if (code != LS_OK) {
        return code;
    }
    ls_live_end(l);
    *txid = marked(l->header, first, last);
    if (*txid == 0 && !l->known && made_by_reference(l)) {
        *txid = first;
    }
    if (*txid == 0) {
        return changed_by_others(l, err);
    }
    l->counter = get_be32(l->header + COUNTER_AT);
    l->known = true;
    return LS_OK;
}

static int64_t now_ns(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

ls_code ls_live_exclusive(ls_live *l, int64_t wait_ns, const ls_cancel *cancel, ls_err *err) {
    const int64_t until = now_ns() + wait_ns;
    for (;;) {
        int rc = lock(l, SQLITE_LOCK_EXCLUSIVE);
        if (rc == SQLITE_OK) {
            return LS_OK;
        }
        if ((rc & 0xff) != SQLITE_BUSY) {
            return file_failed(l, rc, "lock", err);
        }
        if (ls_canceled(cancel)) {
            return ls_fail(err, LS_ECANCELED, "canceled");
        }
        if (now_ns() >= until) {
            ls_fail(err, LS_EBUSY, "%s is being read and cannot be changed", l->path);
            return ls_hint(err, "a read transaction does not end; until it does, others see the "
                                "database as it is now");
        }
        (void)ls_pause(PAUSE_NS, NULL);
    }
}

/* ---- pages ---- */

ls_code ls_live_read(ls_live *l, uint32_t pgno, uint32_t size, void *page, ls_err *err) {
    int rc = l->file->pMethods->xRead(l->file, page, (int)size, (sqlite3_int64)(pgno - 1) * size);
    return rc == SQLITE_OK ? LS_OK : file_failed(l, rc, "read", err);
}

ls_code ls_live_write(ls_live *l, uint32_t pgno, uint32_t size, const void *page, ls_err *err) {
    int rc = l->file->pMethods->xWrite(l->file, page, (int)size, (sqlite3_int64)(pgno - 1) * size);
    return rc == SQLITE_OK ? LS_OK : file_failed(l, rc, "write", err);
}
