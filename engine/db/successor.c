/*
 * The log that follows the one that was captured, kept in a note for the next start.
 *
 * A checkpoint that restarts the log ends with our own commit in the new one, which the next
 * capture takes. If the process ends before, rule 1 finds a log with other salts and could prove
 * nothing. So the new salts are written down while R still shows that nothing came between: with R
 * at mark 0 the log is restarted once, and not again before R moves.
 *
 *   <meta>/next-log   one line of hexadecimal fields: format, TXID and log mark of the newest
 *                     level-0 file, page size, salts of the new log, device and inode of the
 *                     database, CRC-64 of its first page, CRC-64 of the line so far
 *
 * Invariant: the database file holds the state of that TXID, and whatever a log with these salts
 * holds comes after it. A database that was exchanged, or copied into meanwhile, has another inode
 * or first page; a log that was restarted once more has other salts. The note is not synced: a
 * power loss takes it or tears it, and costs a full file.
 */
#include "engine/db/internal.h"

#include "engine/ltx/crc64.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOTE_MAX 256
#define NOTE_FORMAT 1

typedef struct note {
    ls_txid txid;
    uint64_t mark;
    uint32_t page_size, salt1, salt2;
    uint64_t dev, ino;
    uint64_t page1; /* CRC-64 */
} note;

static char *note_path(const ls_db *db) { return ls_path_join(db->meta_path, "next-log"); }

/* What a note about the present state of the database would say. */
static ls_code describe(ls_db *db, ls_txid txid, uint64_t mark, const ls_wal_header *hdr, note *n,
                        ls_err *err) {
    struct stat st;
    *n = (note){.txid = txid,
                .mark = mark,
                .page_size = hdr->page_size,
                .salt1 = hdr->salt1,
                .salt2 = hdr->salt2};
    if (fstat(db->db_fd, &st) != 0) {
        return ls_fail_errno(err, errno, "fstat %s", db->path);
    }
    n->dev = (uint64_t)st.st_dev;
    n->ino = (uint64_t)st.st_ino;
    uint8_t *page = malloc(hdr->page_size);
    if (page == NULL) {
        return ls_fail(err, LS_ENOMEM, "read page 1 of %s", db->path);
    }
    ls_code code = ls_db_file_page(db, 1, hdr->page_size, page, err);
    n->page1 = ls_crc64(0, page, hdr->page_size);
    free(page);
    return code;
}

/* The line, without its line feed; len gets its length. */
static void format(const note *n, char text[NOTE_MAX], size_t *len) {
    int used = snprintf(
        text, NOTE_MAX,
        "%x %016" PRIx64 " %016" PRIx64 " %x %08x %08x %" PRIx64 " %" PRIx64 " %016" PRIx64,
        NOTE_FORMAT, n->txid, n->mark, n->page_size, n->salt1, n->salt2, n->dev, n->ino, n->page1);
    uint64_t sum = ls_crc64(0, text, (size_t)used);
    used += snprintf(text + used, NOTE_MAX - (size_t)used, " %016" PRIx64, sum);
    *len = (size_t)used;
}

static ls_code put_tmp(const ls_db *db, const char *tmp, const char *path, const char *text,
                       size_t len, ls_err *err) {
    int fd = ls_open(tmp, O_WRONLY | O_CREAT | O_TRUNC, db->perm.file_mode);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", tmp);
    }
    ls_code code = ls_write_full(fd, text, len, tmp, err);
    (void)close(fd);
    if (code == LS_OK && rename(tmp, path) != 0) {
        code = ls_fail_errno(err, errno, "rename %s", tmp);
    }
    if (code != LS_OK) {
        (void)unlink(tmp);
    }
    return code;
}

/* Not synced, see above; whole or not at all as far as other processes can see. */
static ls_code put(const ls_db *db, const char *path, const char *text, size_t len, ls_err *err) {
    char *tmp = ls_asprintf("%s.tmp", path);
    if (tmp == NULL) {
        return ls_fail(err, LS_ENOMEM, "write %s", path);
    }
    ls_code code = put_tmp(db, tmp, path, text, len, err);
    free(tmp);
    return code;
}

static ls_code write_note(ls_db *db, ls_err *err) {
    ls_wal_header hdr;
    ls_wal_state state;
    ls_code code = ls_db_wal_header(db, &hdr, &state, err);
    bool follows = code == LS_OK && state == LS_WAL_VALID && db->pinned && !db->successor &&
                   ls_db_read_held(db->r[db->cur]) &&
                   (hdr.salt1 != db->chain.salt1 || hdr.salt2 != db->chain.salt2);
    if (!follows) {
        return code;
    }
    note n;
    char text[NOTE_MAX];
    size_t len;
    code = describe(db, ls_db_txid(db), ls_db_log_mark(&db->chain.end), &hdr, &n, err);
    char *path = note_path(db);
    if (code == LS_OK && path == NULL) {
        code = ls_fail(err, LS_ENOMEM, "write next-log");
    }
    if (code == LS_OK) {
        format(&n, text, &len);
        text[len++] = '\n';
        code = put(db, path, text, len, err);
    }
    free(path);
    return code;
}

void ls_db_note_successor(ls_db *db) {
    ls_err err = LS_ERR_INIT;
    if (write_note(db, &err) != LS_OK) {
        ls_log_err(db->opts.log, LS_WARN, "new log was not noted: a kill now costs a full snapshot",
                   &err, LS_ATTRS(LS_DB_NAMES(db)));
    }
}

ls_code ls_db_is_successor(ls_db *db, ls_txid txid, uint64_t mark, const ls_wal_header *hdr,
                           bool *yes, ls_err *err) {
    note n;
    char expected[NOTE_MAX];
    size_t expected_len, len = 0;
    char *data = NULL;
    *yes = false;
    ls_code code = describe(db, txid, mark, hdr, &n, err);
    char *path = code == LS_OK ? note_path(db) : NULL;
    if (path == NULL) {
        return code != LS_OK ? code : ls_fail(err, LS_ENOMEM, "read next-log");
    }
    code = ls_read_file(path, NOTE_MAX, &data, &len, err);
    if (code == LS_OK) {
        format(&n, expected, &expected_len);
        *yes = len == expected_len + 1 && memcmp(data, expected, expected_len) == 0 &&
               data[expected_len] == '\n';
    } else if (code == LS_ENOTFOUND || code == LS_ELIMIT) {
        ls_err_clear(err);
        code = LS_OK;
    }
    free(data);
    free(path);
    return code;
}
