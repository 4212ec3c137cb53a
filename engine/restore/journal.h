/*
 * A rollback journal in SQLite's format, written through SQLite's own file layer: what SQLite finds
 * beside a database after a crash and plays back by itself. Used by live.c.
 *
 *   header   one sector of 512 bytes: magic, number of records, nonce of the checksums, size of the
 *            database before in pages, sector size, page size
 *   record   page number, the page as it was, checksum
 *
 * The header is written last, when the records are on the disk: before that SQLite sees a file that
 * starts with zeros and takes it for no journal.
 */
#ifndef LS_RESTORE_JOURNAL_H
#define LS_RESTORE_JOURNAL_H

#include "engine/base/error.h"

#include <sqlite3.h>
#include <stdint.h>

typedef struct ls_journal {
    sqlite3_vfs *vfs;
    const char *path; /* as SQLite names it; not owned */
    sqlite3_file *file;
    uint32_t page_size;
    uint32_t pages; /* of the database before */
    uint32_t nonce;
    uint32_t records;
    int64_t size; /* bytes handed over or waiting in block */
    uint8_t *block;
    size_t block_len;
} ls_journal;

/* Makes the file, replacing one that is not hot. path: of sqlite3_filename_journal. To be ended by
 * ls_journal_remove or ls_journal_abandon, also after a failure. */
LS_MUST ls_code ls_journal_create(ls_journal *j, sqlite3_vfs *vfs, const char *path,
                                  uint32_t page_size, uint32_t pages, ls_err *err);

/* Adds a page as it is in the database: page_size bytes, each page once. */
LS_MUST ls_code ls_journal_add(ls_journal *j, uint32_t pgno, const uint8_t *page, ls_err *err);

/* Makes it durable, then hot: from here on the database may be changed. */
LS_MUST ls_code ls_journal_arm(ls_journal *j, ls_err *err);

/* Deletes the file, durably: the transaction is committed, or was never begun. */
LS_MUST ls_code ls_journal_remove(ls_journal *j, ls_err *err);

/* Closes the file and leaves it to SQLite. No-op where there is none. */
void ls_journal_abandon(ls_journal *j);

#endif
