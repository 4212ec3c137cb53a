/* ltx checksum: the rolling checksum of a database file. */
#include "cmd/ltx.h"
#include "cmd/ltx_input.h"
#include "engine/ltx/dbfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

static ls_code checksum_fd(int fd, const char *path, uint64_t *sum, ls_err *err) {
    struct stat st;

    if (fstat(fd, &st) != 0)
        return ls_fail_errno(err, errno, "stat %s", path);
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        (void)ls_fail(err, LS_ENOTDB, "%s: %s", path,
                      st.st_size == 0 && S_ISREG(st.st_mode) ? "empty file" : "not a regular file");
        return ls_hint(err, "give the path of an SQLite database file");
    }
    return ls_ltx_db_checksum(fd, path, sum, err);
}

static ls_code run_checksum(const ls_invocation *in, ls_err *err) {
    uint64_t sum = 0;
    int fd;

    if (in->n_pos == 0)
        return ls_fail(err, LS_EINVALID, "filename required");
    ls_code rc = ls_positionals_max(in, 1, err);
    if (rc == LS_OK)
        rc = ls_ltx_open_path(in->pos[0], O_RDONLY, &fd, err);
    if (rc != LS_OK)
        return rc;
    rc = checksum_fd(fd, in->pos[0], &sum, err);
    close(fd);
    if (rc != LS_OK)
        return rc;
    ls_ltx_warn_log(in->pos[0]);
    printf("%016" PRIx64 "\n", sum);
    return LS_OK;
}

const ls_command ls_ltx_cmd_checksum = {
    .name = "checksum",
    .summary = "computes the LTX checksum of a database file",
    .usage = (const char *const[]){"PATH", NULL},
    .about = "The checksum command computes the LTX checksum of a database file: what the pre- and "
             "post-apply checksums of LTX files say about it. The page with SQLite's locks (at 1 "
             "GiB) does not count.\n\n"
             "Only the database file is read. Where a log or journal beside it is not empty, a "
             "warning says so.",
    .examples = (const char *const[]){"ltx checksum app.db", NULL},
    .run = run_checksum,
};
