/*
 * Where SQLite takes the log to end: its wal-index says so, and the checksums alone do not.
 *
 * Frames that SQLite commits follow by checksum from the log's top, but for a defect of SQLite
 * before 3.50.4: ROLLBACK TO a savepoint can leave frames without right checksums in front of a
 * commit. Every connection reads them, a checkpoint copies them, only who follows the checksums
 * stops in front of them. Unseen, what they hold would be lost with the next restart of the log.
 *
 * The index is also the cheapest answer to "is there anything new": an open transaction that has
 * written a gigabyte of frames need not be read again at each notice.
 */
#include "engine/db/internal.h"

#include <errno.h>
#include <fcntl.h>

ls_code ls_db_log_index(ls_db *db, ls_wal_index *index, ls_err *err) {
    *index = (ls_wal_index){0};
    if (db->index_fd < 0) {
        db->index_fd = open(db->shm_path, O_RDONLY | O_CLOEXEC);
        if (db->index_fd < 0) {
            return ls_fail_errno(err, errno, "open %s", db->shm_path);
        }
    }
    return ls_wal_index_read(db->index_fd, index, err);
}

int64_t ls_db_index_end(const ls_wal_index *index) {
    return LS_WAL_HEADER_SIZE + (int64_t)index->frames * ls_wal_frame_size(index->page_size);
}

bool ls_db_index_of(const ls_wal_index *index, uint32_t salt1, uint32_t salt2) {
    return index->valid && index->frames > 0 && index->salt1 == salt1 && index->salt2 == salt2;
}
