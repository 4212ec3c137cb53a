/*
 * A database that others read while a follower changes it: locks, geometry and position. Used by
 * follow.c and apply.c.
 *
 * The file is touched through SQLite's own file layer only, by the handle of an idle connection: a
 * descriptor of our own would drop SQLite's locks in this process when it is closed. A transaction
 * is SQLite's: RESERVED while the journal is written and others read, EXCLUSIVE while pages are.
 *
 * Page 1 of a follower differs from the source's in three places (ls_live_mark): format bytes 18
 * and 19 say rollback journal, the page count at 28 is right, and the change counter at 24 and 92
 * is made from the TXID. It differs for each TXID, so readers drop what they cached; and it is in
 * the file from the same instant as the pages, so that after a crash it tells what the file holds.
 * A change made by another program leaves a counter that is no TXID's.
 */
#ifndef LS_RESTORE_LIVE_H
#define LS_RESTORE_LIVE_H

#include "engine/base/cancel.h"
#include "engine/ltx/ltx.h"

#include <sqlite3.h>

#define LS_DB_HEADER_SIZE 100

typedef struct ls_live {
    char *path; /* owned; as given */
    sqlite3 *h; /* has no statement: only its file is used, and its recovery */
    sqlite3_vfs *vfs;
    sqlite3_file *file;
    const char *journal; /* name of the journal; belongs to h */
    int lock;            /* SQLITE_LOCK_*, held through file */
    bool was_wal;        /* it was in WAL mode when it was opened */
    bool known;          /* what the header must say of the change counter: */
    uint32_t counter;
    /* Of the file, while it is locked: */
    uint32_t page_size;
    uint32_t pages;
    uint8_t header[LS_DB_HEADER_SIZE];
} ls_live;

/* Opens an existing database. To be ended by ls_live_close whatever is returned. A database in WAL
 * mode, as the reference's first restore leaves it, is changed to a rollback journal. */
LS_MUST ls_code ls_live_open(ls_live *l, const char *path, ls_err *err);
void ls_live_close(ls_live *l);

/* Plays back what a crash left, takes RESERVED and reads the header. LS_EBUSY where another process
 * holds it; LS_EDIVERGED where path leads to another file now or the change counter is not the one
 * that is known. Readers go on. */
LS_MUST ls_code ls_live_begin(ls_live *l, ls_err *err);

/* From RESERVED to EXCLUSIVE: new readers wait, and it waits for those that are there, not longer
 * than wait_ns: LS_EBUSY. */
LS_MUST ls_code ls_live_exclusive(ls_live *l, int64_t wait_ns, const ls_cancel *cancel,
                                  ls_err *err);

/* Drops every lock. */
void ls_live_end(ls_live *l);

/* Has SQLite play back the journal that lies there; no lock may be held. */
LS_MUST ls_code ls_live_recover(ls_live *l, ls_err *err);

/* Reads or writes a page of size bytes; only in the lock that it takes. */
LS_MUST ls_code ls_live_read(ls_live *l, uint32_t pgno, uint32_t size, void *page, ls_err *err);
LS_MUST ls_code ls_live_write(ls_live *l, uint32_t pgno, uint32_t size, const void *page,
                              ls_err *err);

/* Makes header (of page 1) that of a follower at txid. LS_ENOTDB if it is none of SQLite's. */
LS_MUST ls_code ls_live_mark(uint8_t header[LS_DB_HEADER_SIZE], ls_txid txid, uint32_t pages,
                             ls_err *err);

/* Reads the header and says which TXID from first to last the file holds: the one it is marked
 * with, or first where the reference's follow mode made it, which marks nothing. The change counter
 * is known from there on. LS_EDIVERGED where another program changed the file. */
LS_MUST ls_code ls_live_position(ls_live *l, ls_txid first, ls_txid last, ls_txid *txid,
                                 ls_err *err);

#endif
