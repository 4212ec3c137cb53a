/*
 * Where SQLite takes the log to end: its wal-index says so. What is committed is what the index
 * counts, and capture ends there exactly.
 *
 * Less: a commit frame that is in the log and not yet in the index is no commit. If its writer dies
 * there, the next one writes over it.
 * More: SQLite before 3.50.4 can commit frames whose checksums do not follow (ROLLBACK TO a
 * savepoint). Every connection reads them, a checkpoint copies them, only who follows the checksums
 * stops in front of them. Unseen, what they hold would be lost with the next restart of the log.
 *
 * The index is also the cheapest answer to "is there anything new": an open transaction that has
 * written a gigabyte of frames is not read at all.
 */
#include "engine/db/internal.h"

#include <errno.h>
#include <fcntl.h>

ls_code ls_db_log_index(ls_db *db, ls_wal_index *index, ls_err *err) {
    *index = (ls_wal_index){0};
    if (db->index_fd < 0) {
        db->index_fd = ls_open(db->shm_path, O_RDONLY, 0);
        if (db->index_fd < 0) {
            return ls_fail_errno(err, errno, "open %s", db->shm_path);
        }
    }
    return ls_wal_index_read(db->index_fd, index, err);
}

int64_t ls_db_index_ahead(const ls_db *db, const ls_wal_index *index) {
    bool same = index->salt1 == db->chain.salt1 && index->salt2 == db->chain.salt2;
    int64_t from = same ? db->chain.end.offset : LS_WAL_HEADER_SIZE;
    int64_t end = index->valid ? ls_db_index_end(index).offset : 0;
    return end > from ? end - from : 0;
}

ls_wal_pos ls_db_index_end(const ls_wal_index *index) {
    if (index->frames == 0) {
        return (ls_wal_pos){.offset = LS_WAL_HEADER_SIZE};
    }
    int64_t size = ls_wal_frame_size(index->page_size);
    return (ls_wal_pos){.offset = LS_WAL_HEADER_SIZE + (int64_t)index->frames * size,
                        .ck1 = index->ck1,
                        .ck2 = index->ck2};
}
