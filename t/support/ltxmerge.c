/* Merges LTX files, oldest first, into one: ltxmerge OUTPUT INPUT... */
#include "engine/litestream.h"
#include "engine/ltx/merge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static ls_code open_input(void *arg, size_t i, ls_reader **in, ls_err *err) {
    const char *path = ((char **)arg)[i];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    *in = ls_fd_reader_new(fd, true, path);
    return *in != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "read %s", path);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        (void)fprintf(stderr, "usage: ltxmerge OUTPUT INPUT...\n");
        return 2;
    }
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    ls_err err = LS_ERR_INIT;
    ls_fd_writer out;
    ls_fd_writer_init(&out, fd, argv[1]);
    ls_ltx_merge_opts opts = {
        .flags = LS_LTX_FLAG_NO_CHECKSUM, .open = open_input, .arg = argv + 2};
    ls_code code = fd < 0 ? ls_fail_errno(&err, errno, "create %s", argv[1])
                          : ls_ltx_merge(&opts, (size_t)argc - 2, &out.base, NULL, NULL, &err);
    if (code != LS_OK) {
        (void)fprintf(stderr, "ltxmerge: %s\n", err.msg);
    }
    return code == LS_OK && close(fd) == 0 ? 0 : 1;
}
