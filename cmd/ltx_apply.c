/* ltx apply: brings a database file forward by LTX files. */
#include "cmd/ltx.h"
#include "cmd/ltx_input.h"
#include "engine/base/file.h"
#include "engine/ltx/dbfile.h"
#include "engine/ltx/decoder.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where SQLite's locks lie: pending, reserved and the shared range, in this order. */
#define LOCK_FIRST 0x40000000
#define LOCK_LEN 512

typedef struct apply_args {
    const char *db;
} apply_args;

/* The rules by which the next file joins: as in a merge, and no other page size. */
static ls_code check_order(const ls_ltx_header *prev, const ls_ltx_header *h, ls_err *err) {
    if (prev->page_size != h->page_size)
        return ls_fail(err, LS_EINVALID, "page size %u, but %u in the file before", h->page_size,
                       prev->page_size);
    if (h->min_txid <= prev->max_txid + 1 && h->max_txid > prev->max_txid)
        return LS_OK;
    (void)ls_fail(err, h->min_txid > prev->max_txid ? LS_EGAP : LS_EINVALID,
                  "non-contiguous transaction ids: (%016llx,%016llx) -> (%016llx,%016llx)",
                  (unsigned long long)prev->min_txid, (unsigned long long)prev->max_txid,
                  (unsigned long long)h->min_txid, (unsigned long long)h->max_txid);
    return ls_hint(err, "give the files oldest first and without a gap, of one level");
}

/* Does the file say everything about the database after it, so that nothing is needed before? */
static bool is_whole(const ls_ltx_summary *sum) {
    uint32_t lock = ls_ltx_lock_pgno(sum->header.page_size);

    return ls_ltx_is_snapshot(&sum->header) ||
           sum->pages + (sum->header.commit >= lock) == sum->header.commit;
}

/* Pages laid over nothing give no database. */
static ls_code check_first(const char *db, const ls_ltx_summary *sum, ls_err *err) {
    struct stat st;

    if (is_whole(sum) || (stat(db, &st) == 0 && st.st_size > 0))
        return LS_OK;
    (void)ls_fail(err, LS_EINVALID, "not a snapshot, and %s is empty", db);
    return ls_hint(err, "the first file must hold the whole database: one with MinTXID 1");
}

/* Reads every file whole before the database is touched, and stops at the first bad one. */
static ls_code check_files(const char *db, const ls_ltx_inputs *files, ls_err *err) {
    ls_ltx_header prev = {0};

    for (size_t i = 0; i < files->n; i++) {
        const ls_ltx_input *item = &files->item[i];
        ls_ltx_summary sum;
        ls_reader *r;
        int fd;
        if (ls_ltx_input_is_stdin(item)) {
            (void)ls_fail(err, LS_EINVALID, "standard input cannot be applied");
            return ls_hint(err, "a file is verified before it is applied, and so read twice");
        }
        ls_code rc = ls_ltx_input_open(item, &r, &fd, err);
        if (rc == LS_OK)
            rc = ls_ltx_verify(r, &sum, err);
        ls_reader_close(r);
        if (rc == LS_OK)
            rc = i > 0 ? check_order(&prev, &sum.header, err) : check_first(db, &sum, err);
        if (rc != LS_OK)
            return ls_wrap(err, "%s", item->path);
        prev = sum.header;
    }
    return LS_OK;
}

/* Whoever has the database open in SQLite would not see the change, or undo it from its log. */
static ls_code lock_db(int fd, const char *path, ls_err *err) {
    static const char *const suffixes[] = {"-wal", "-journal"};
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = LOCK_FIRST, .l_len = LOCK_LEN};

    if (fcntl(fd, F_SETLK, &lock) != 0) {
        if (errno != EACCES && errno != EAGAIN)
            return ls_fail_errno(err, errno, "lock %s", path);
        (void)ls_fail(err, LS_EBUSY, "%s: database is locked", path);
        return ls_hint(err, "close the programs that use it");
    }
    for (size_t i = 0; i < 2; i++) {
        if (ls_ltx_side_size(path, suffixes[i]) > 0) {
            (void)ls_fail(err, LS_EBUSY, "%s%s is not empty", path, suffixes[i]);
            return ls_hint(err,
                           "its pages would be laid over the result; first run: "
                           "sqlite3 %s 'PRAGMA wal_checkpoint(TRUNCATE)'",
                           path);
        }
    }
    return LS_OK;
}

static ls_code apply_files(int fd, const ls_ltx_inputs *files, ls_err *err) {
    ls_txid prev = 0;

    for (size_t i = 0; i < files->n; i++) {
        if (ls_ltx_apply(fd, files->item[i].path, &prev, err) != LS_OK)
            return ls_wrap(err, "%s", files->item[i].path);
    }
    return LS_OK;
}

static ls_code apply(const char *db, const ls_ltx_inputs *files, ls_err *err) {
    int fd;
    ls_code rc = check_files(db, files, err);

    if (rc != LS_OK)
        return rc;
    if (ls_ltx_open_path(db, O_RDWR | O_CREAT, &fd, err) != LS_OK)
        return ls_wrap(err, "open DB file");
    rc = lock_db(fd, db, err);
    if (rc == LS_OK)
        rc = apply_files(fd, files, err);
    if (fsync(fd) != 0 && rc == LS_OK)
        rc = ls_fail_errno(err, errno, "sync %s", db);
    if (close(fd) != 0 && rc == LS_OK)
        rc = ls_fail_errno(err, errno, "close %s", db);
    return rc == LS_OK ? ls_fsync_parent(db, err) : rc;
}

static ls_code run_apply(const ls_invocation *in, ls_err *err) {
    const apply_args *a = in->args;
    ls_ltx_inputs files;

    if (a->db == NULL || a->db[0] == '\0')
        return ls_fail(err, LS_EINVALID, "required: -db PATH");
    if (in->n_pos == 0)
        return ls_fail(err, LS_EINVALID, "at least one LTX file must be specified");
    ls_code rc = ls_ltx_inputs_init(&files, in->pos, in->n_pos, err);
    if (rc == LS_OK)
        rc = apply(a->db, &files, err);
    ls_ltx_inputs_done(&files);
    return rc;
}

const ls_command ls_ltx_cmd_apply = {
    .name = "apply",
    .summary = "applies a set of LTX files to a database",
    .usage = (const char *const[]){"-db DB PATH [PATH...]", NULL},
    .about =
        "The apply command applies one or more LTX files to a database file, oldest first.\n\n"
        "A PATH is a file or a folder (all .ltx files in it). All files are verified, and their "
        "TXIDs must join, before anything is written; then each is applied in place: its "
        "pre-apply checksum is compared, pages are written, the file is cut to the new size, "
        "the post-apply checksum is compared. Files without checksums skip the two "
        "comparisons, and it is up to the caller that they fit. A database that does not "
        "exist is created.\n\n"
        "A database that is locked, or has a log or journal that is not empty, is refused. To "
        "get a database from a whole replica use: litestream restore.",
    .options = (const ls_option[]){{.name = "db",
                                    .type = LS_OPT_STRING,
                                    .field = offsetof(apply_args, db),
                                    .arg = "DB",
                                    .help = "Path of the database. Required."},
                                   {0}},
    .examples = (const char *const[]){"ltx apply -db app.db snapshot.ltx 2.ltx 3.ltx", NULL},
    .args_size = sizeof(apply_args),
    .run = run_apply,
};
