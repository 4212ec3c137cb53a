/* SQLite's rollback journal; see journal.h and sqlite.org/fileformat2.html, 3. */
#include "engine/restore/journal.h"

#include "engine/base/file.h"
#include "engine/base/sqlite.h"
#include "engine/ltx/bytes.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR 512
#define HEADER_SIZE 28
#define RECORD_EXTRA 8 /* page number in front, checksum behind */
/* Records handed over at once; SQLite's file layer takes less than 128 KiB, a record has up to
 * 64 KiB. */
#define BLOCK_SIZE (96u * 1024)
/* Every how many bytes of a page one counts in its checksum. */
#define CHECKSUM_STEP 200

static const uint8_t magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};

/* SQLite then tries to open what is not there for reading, and says of that why it failed. */
static ls_code fail_create(const ls_journal *j, int rc, ls_err *err) {
    char *dir = ls_path_dir(j->path);
    bool may = dir != NULL && access(dir, W_OK) == 0;
    free(dir);
    if ((rc & 0xff) != SQLITE_CANTOPEN || !may) {
        return ls_fail_sqlite(err, NULL, rc, "create %s", j->path);
    }
    ls_fail(err, LS_EIO, "create %s: %s (%d)", j->path, sqlite3_errstr(rc), rc);
    return ls_hint(err,
                   "the folder may be written to: is the disk full, or are too many files open "
                   "(ulimit -n)?");
}

static ls_code open_file(ls_journal *j, ls_err *err) {
    j->file = calloc(1, (size_t)j->vfs->szOsFile);
    j->block = malloc(BLOCK_SIZE);
    if (j->file == NULL || j->block == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a journal");
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_JOURNAL;
    int rc = j->vfs->xOpen(j->vfs, j->path, j->file, flags, NULL);
    if (rc == SQLITE_OK) {
        rc = j->file->pMethods->xTruncate(j->file, 0);
    }
    return rc == SQLITE_OK ? LS_OK : fail_create(j, rc, err);
}

ls_code ls_journal_create(ls_journal *j, sqlite3_vfs *vfs, const char *path, uint32_t page_size,
                          uint32_t pages, ls_err *err) {
    *j = (ls_journal){.vfs = vfs, .path = path, .page_size = page_size, .pages = pages};
    sqlite3_randomness((int)sizeof j->nonce, &j->nonce);
    ls_code code = open_file(j, err);
    if (code == LS_OK) {
        memset(j->block, 0, SECTOR);
        j->block_len = SECTOR;
        j->size = SECTOR;
    }
    return code;
}

static ls_code flush(ls_journal *j, ls_err *err) {
    int rc = SQLITE_OK;
    if (j->block_len > 0) {
        rc = j->file->pMethods->xWrite(j->file, j->block, (int)j->block_len,
                                       j->size - (int64_t)j->block_len);
        j->block_len = 0;
    }
    return rc == SQLITE_OK ? LS_OK : ls_fail_sqlite(err, NULL, rc, "write %s", j->path);
}

static uint32_t checksum(const ls_journal *j, const uint8_t *page) {
    uint32_t sum = j->nonce;
    for (int64_t i = (int64_t)j->page_size - CHECKSUM_STEP; i > 0; i -= CHECKSUM_STEP) {
        sum += page[i];
    }
    return sum;
}

ls_code ls_journal_add(ls_journal *j, uint32_t pgno, const uint8_t *page, ls_err *err) {
    size_t record = j->page_size + RECORD_EXTRA;
    if (j->block_len + record > BLOCK_SIZE) {
        ls_code code = flush(j, err);
        if (code != LS_OK) {
            return code;
        }
    }
    uint8_t *p = j->block + j->block_len;
    put_be32(p, pgno);
    memcpy(p + 4, page, j->page_size);
    put_be32(p + 4 + j->page_size, checksum(j, page));
    j->block_len += record;
    j->size += (int64_t)record;
    j->records++;
    return LS_OK;
}

static ls_code sync_file(ls_journal *j, ls_err *err) {
    int rc = j->file->pMethods->xSync(j->file, SQLITE_SYNC_NORMAL);
    return rc == SQLITE_OK ? LS_OK : ls_fail_sqlite(err, NULL, rc, "fsync %s", j->path);
}

static ls_code write_header(ls_journal *j, ls_err *err) {
    uint8_t h[HEADER_SIZE];
    memcpy(h, magic, sizeof magic);
    put_be32(h + 8, j->records);
    put_be32(h + 12, j->nonce);
    put_be32(h + 16, j->pages);
    put_be32(h + 20, SECTOR);
    put_be32(h + 24, j->page_size);
    int rc = j->file->pMethods->xWrite(j->file, h, (int)sizeof h, 0);
    return rc == SQLITE_OK ? LS_OK : ls_fail_sqlite(err, NULL, rc, "write %s", j->path);
}

ls_code ls_journal_arm(ls_journal *j, ls_err *err) {
    ls_code code = flush(j, err);
    if (code == LS_OK) {
        code = sync_file(j, err);
    }
    if (code == LS_OK) {
        code = write_header(j, err);
    }
    return code == LS_OK ? sync_file(j, err) : code;
}

void ls_journal_abandon(ls_journal *j) {
    if (j->file != NULL && j->file->pMethods != NULL) {
        (void)j->file->pMethods->xClose(j->file);
    }
    free(j->file);
    free(j->block);
    j->file = NULL;
    j->block = NULL;
}

ls_code ls_journal_remove(ls_journal *j, ls_err *err) {
    bool made = j->file != NULL && j->file->pMethods != NULL;
    ls_journal_abandon(j);
    int rc = made ? j->vfs->xDelete(j->vfs, j->path, 1) : SQLITE_OK;
    return rc == SQLITE_OK ? LS_OK : ls_fail_sqlite(err, NULL, rc, "delete %s", j->path);
}
