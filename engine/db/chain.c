/*
 * Rule 1: at start the chain's place in the log is rebuilt from the newest level-0 file and proved.
 *
 * The file must verify; the log's salts must be the file's; its checksums are followed from the
 * log's top to the end of the file's range and must be there what they were when the file was
 * written; and the frames of that range must hold exactly the file's pages. Then capture goes on
 * behind it. Or the log is the one that a note says to follow the file's: capture goes on at its
 * top. Anything else is a full file, with the reason.
 */
#include "engine/db/internal.h"

#include "engine/ltx/decoder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The places at the two ends of the file's range; *found is false if the log does not lead there.
 */
static ls_code follow(ls_db *db, const ls_wal_header *hdr, const ls_ltx_header *file,
                      ls_wal_pos *begin, ls_wal_pos *end, bool *found, ls_err *err) {
    *found = false;
    ls_wal_pos top = ls_wal_pos_start(hdr);
    if (file->wal_offset < top.offset || file->wal_size > INT64_MAX - file->wal_offset) {
        return LS_OK;
    }
    ls_code code = ls_wal_follow(db->wal_fd, hdr, &top, file->wal_offset, begin, found, err);
    if (code == LS_OK && *found) {
        int64_t stop = file->wal_offset + file->wal_size;
        code = ls_wal_follow(db->wal_fd, hdr, begin, stop, end, found, err);
    }
    return code;
}

/* The pages alone do not prove what is before them: after a power loss other frames can stand
 * there, under the same salts and followed by a transaction that writes the same page again. A file
 * of the original has no mark: it is proved where its range begins at the log's top. */
static bool same_past(const ls_ltx_header *file, const ls_wal_pos *end) {
    return file->node_id == ls_db_log_mark(end) ||
           (file->node_id == 0 && file->wal_offset == LS_WAL_HEADER_SIZE);
}

/* Every page of the range is in the file with the same bytes. */
static ls_code same_pages(ls_ltx_decoder *dec, ls_wal_range *range, const ls_ltx_header *file,
                          bool *same, ls_err *err) {
    uint8_t *buf = malloc(file->page_size);
    if (buf == NULL) {
        return ls_fail(err, LS_ENOMEM, "compare with the log");
    }
    uint32_t want = 0;
    int64_t off = 0;
    bool end = false;
    *same = true;
    ls_code code = ls_wal_range_next(range, file->commit, &want, &off, err);
    while (code == LS_OK && want != 0 && *same) {
        ls_ltx_page page = {0};
        while (code == LS_OK && !end && page.pgno < want) {
            code = ls_ltx_decoder_next(dec, &page, &end, err);
        }
        if (code != LS_OK) {
            break;
        }
        if (end || page.pgno != want) {
            *same = false;
            break;
        }
        code = ls_wal_range_page(range, want, off, buf, err);
        if (code == LS_EBUSY) {
            ls_err_clear(err);
            code = LS_OK;
            *same = false;
        } else if (code == LS_OK && memcmp(buf, page.data, file->page_size) != 0) {
            *same = false;
        } else if (code == LS_OK) {
            code = ls_wal_range_next(range, file->commit, &want, &off, err);
        }
    }
    free(buf);
    return code;
}

static ls_code compare_range(ls_db *db, const ls_wal_header *hdr, ls_reader *in,
                             const ls_wal_pos *begin, const ls_wal_pos *end, bool *same,
                             ls_err *err) {
    *same = true;
    if (begin->offset == end->offset) {
        return LS_OK;
    }
    ls_ltx_header header;
    ls_ltx_decoder *dec = NULL;
    ls_wal_range *range = NULL;
    ls_wal_range_info info;
    ls_code code = ls_ltx_decoder_new(in, &header, &dec, err);
    if (code == LS_OK) {
        code = ls_wal_range_until(db->wal_fd, hdr, begin, end, &range, &info, err);
        if (code == LS_EBUSY || code == LS_ECHECKSUM) {
            ls_err_clear(err);
            code = LS_OK;
            *same = false;
        }
    }
    if (code == LS_OK && *same && (range == NULL || info.commit != header.commit)) {
        *same = false;
    }
    if (code == LS_OK && *same) {
        code = same_pages(dec, range, &header, same, err);
    }
    ls_wal_range_free(range);
    ls_ltx_decoder_free(dec);
    return code;
}

static void go_on_at(ls_db *db, const ls_wal_header *hdr, const ls_wal_pos *end) {
    db->chain.known = true;
    db->chain.salt1 = hdr->salt1;
    db->chain.salt2 = hdr->salt2;
    db->chain.end = *end;
}

/* A log with other salts. */
static ls_code prove_successor(ls_db *db, const ls_wal_header *hdr, const ls_ltx_header *file,
                               ls_err *err) {
    bool yes = false;
    ls_code code = ls_db_is_successor(db, file->max_txid, file->node_id, hdr, &yes, err);
    if (code == LS_OK && yes) {
        ls_wal_pos top = ls_wal_pos_start(hdr);
        go_on_at(db, hdr, &top);
    } else if (code == LS_OK) {
        ls_db_full_because(db, "the log was restarted while litestream was not attached");
    }
    return code;
}

/* Does the log still hold what the newest file captured, where it says? */
static ls_code chain_prove(ls_db *db, const char *path, const ls_ltx_header *file, ls_err *err) {
    ls_wal_header hdr;
    ls_wal_state state;
    ls_code code = ls_db_wal_header(db, &hdr, &state, err);
    if (code != LS_OK) {
        return code;
    }
    if (state != LS_WAL_VALID) {
        ls_db_full_because(db, "the log was emptied while litestream was not attached");
        return LS_OK;
    }
    if (hdr.page_size != file->page_size) {
        ls_db_full_because(db, "the page size changed from %u to %u", file->page_size,
                           hdr.page_size);
        return LS_OK;
    }
    if (hdr.salt1 != file->wal_salt1 || hdr.salt2 != file->wal_salt2) {
        return prove_successor(db, &hdr, file, err);
    }
    ls_wal_pos begin, end;
    bool same = false;
    code = follow(db, &hdr, file, &begin, &end, &same, err);
    same = same && same_past(file, &end);
    if (code == LS_OK && same) {
        int fd = ls_open(path, O_RDONLY, 0);
        ls_reader *in = fd >= 0 ? ls_fd_reader_new(fd, true, path) : NULL;
        code = in != NULL ? compare_range(db, &hdr, in, &begin, &end, &same, err)
                          : ls_fail_errno(err, errno, "open %s", path);
        ls_reader_close(in);
    }
    if (code == LS_OK && !same) {
        ls_db_full_because(db, "the log does not hold what the newest LTX file captured");
    } else if (code == LS_OK) {
        go_on_at(db, &hdr, &end);
    }
    return code;
}

/* A damaged newest file is put aside; a full file follows behind its TXID. */
static ls_code put_aside(ls_db *db, const char *path, ls_err *why, ls_err *err) {
    char *aside = ls_asprintf("%s.damaged", path);
    if (aside == NULL) {
        return ls_fail(err, LS_ENOMEM, "put %s aside", path);
    }
    ls_code code = LS_OK;
    if (rename(path, aside) != 0) {
        code = ls_fail_errno(err, errno, "rename %s", path);
    } else {
        ls_log_err(db->opts.log, LS_WARN, "newest ltx file is damaged and was put aside", why,
                   LS_ATTRS(LS_DB_NAMES(db), LS_STR("file", aside)));
        code = ls_fsync_parent(path, err);
    }
    free(aside);
    return code;
}

static bool is_damage(ls_code code) {
    return code == LS_ECORRUPT || code == LS_ECHECKSUM || code == LS_EFORMAT;
}

static ls_code load_file(ls_db *db, const local_file *f, bool *damaged, ls_err *err) {
    char *path = ls_db_ltx_path(db, 0, f->min, f->max);
    if (path == NULL) {
        return ls_fail(err, LS_ENOMEM, "read newest ltx file");
    }
    ls_ltx_summary sum;
    ls_code code = ls_ltx_verify_path(path, &sum, err);
    if (code == LS_OK && (sum.header.min_txid != f->min || sum.header.max_txid != f->max)) {
        code = ls_fail(err, LS_ECORRUPT, "%s: the header's TXIDs are not the name's", path);
    }
    *damaged = is_damage(code);
    if (*damaged) {
        ls_err why = *err;
        ls_err_clear(err);
        code = put_aside(db, path, &why, err);
    } else if (code == LS_OK) {
        db->file_page_size = sum.header.page_size;
        db->chain.page_size = sum.header.page_size;
        db->chain.commit = sum.header.commit;
        db->chain.timestamp = sum.header.timestamp;
        code = chain_prove(db, path, &sum.header, err);
    }
    free(path);
    return code;
}

/* TXIDs never go back: where files that were written are gone or damaged, the next one is a full
 * file behind them, and the replica, which finds the gap, says from where to go on. */
static void go_on_behind(ls_db *db, ls_txid last, const char *why) {
    if (last > ls_db_txid(db)) {
        atomic_store(&db->txid, last);
    }
    db->chain.known = false;
    ls_db_full_because(db, "%s", why);
}

ls_code ls_db_chain_load(ls_db *db, ls_err *err) {
    db->chain = (chain){0};
    db->file_page_size = 0;
    if (db->rebase) {
        return LS_OK; /* nothing local counts: the next file is a full one */
    }
    ls_txid damaged_max = 0;
    local_file newest = {0};
    bool damaged = true;
    while (damaged) {
        ls_code code = ls_db_local_newest(db->meta_path, 0, &newest, err);
        if (code == LS_OK && newest.max == 0) {
            break;
        }
        if (code == LS_OK) {
            code = load_file(db, &newest, &damaged, err);
        }
        if (code != LS_OK) {
            return ls_wrap(err, "newest ltx file");
        }
        damaged_max = damaged && damaged_max == 0 ? newest.max : damaged_max;
    }
    ls_code code = ls_db_local_remove_unfinished(db, newest.max, err);
    if (code != LS_OK) {
        return ls_wrap(err, "snapshot of a new page size");
    }
    if (damaged_max != 0) {
        go_on_behind(db, damaged_max, "the newest LTX file was damaged");
    } else if (newest.max < ls_db_txid(db)) {
        go_on_behind(db, 0, "the newest LTX files are missing");
    } else if (newest.max == 0) {
        ls_db_full_because(db, "there is no LTX file yet");
    } else {
        atomic_store(&db->txid, newest.max);
    }
    return LS_OK;
}
