/*
 * The file store: ROOT/ltx/<level>/<min>-<max>.ltx in a folder of this machine.
 *
 * A file is written as <name>.tmp beside its place and renamed when it is durable. Its modification
 * time is the timestamp of its LTX header, which is how a listing knows when its data was current.
 * Folders are made by the first file that needs them, so that looking leaves nothing behind. What a
 * killed process left under a temporary name goes with a put a day later.
 */
#include "backends/file_list.h"
#include "backends/file_mark.h"
#include "backends/file_objects.h"
#include "backends/head.h"
#include "backends/schemes.h"
#include "backends/storage.h"
#include "engine/base/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COPY_CHUNK (256 * 1024)
#define LEFTOVER_MS (24 * 60 * 60 * 1000)

typedef struct file_store {
    ls_storage base;
    char *root; /* absolute */
    ls_perm perm;
    atomic_bool swept[LS_LTX_LEVEL_MAX + 1]; /* levels that were looked through for leftovers */
    ls_file_mark mark;
} file_store;

/* ---- paths ---- */

static char *level_dir(const file_store *fs, int level) {
    return ls_asprintf("%s/ltx/%d", fs->root, level);
}

static ls_code file_path(const file_store *fs, const ls_ltx_info *file, char **path, ls_err *err) {
    char key[LS_STORAGE_KEY_SIZE];
    *path = ls_asprintf("%s/%s", fs->root, ls_storage_key(file, key));
    return *path != NULL ? LS_OK : ls_fail(err, LS_ENOMEM, "no memory for the name of %s", key);
}

/* ---- list and open ---- */

static ls_code file_list(ls_storage *s, int level, ls_txid seek, ls_storage_iter **it,
                         ls_err *err) {
    char *dir = level_dir((file_store *)s, level);
    if (dir == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to list level %d", level);
    }
    return ls_file_list(dir, level, seek, it, err);
}

typedef struct range_reader {
    ls_reader base;
    int fd;
    char *path;
    uint64_t off, left;
} range_reader;

static ls_code range_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    range_reader *rr = (range_reader *)r;
    size_t want = len < rr->left ? len : (size_t)rr->left;
    ssize_t n;
    *got = 0;
    if (want == 0) {
        return LS_OK; /* off may be none that the system takes */
    }
    do {
        n = pread(rr->fd, buf, want, (off_t)rr->off);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return ls_fail_errno(err, errno, "read %s at %llu", rr->path, (unsigned long long)rr->off);
    }
    *got = (size_t)n;
    rr->off += (size_t)n;
    rr->left -= (size_t)n;
    return LS_OK;
}

static void range_close(ls_reader *r) {
    range_reader *rr = (range_reader *)r;
    (void)close(rr->fd);
    free(rr->path);
    free(rr);
}

/* O_NONBLOCK: a fifo by that name must not hang the caller. what: "ltx file" or "file". */
static ls_code open_regular(const char *path, const char *what, int *fd, ls_err *err) {
    *fd = ls_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (*fd < 0) {
        return ls_fail_errno(err, errno, "open %s %s", what, path);
    }
    struct stat st;
    ls_code code = LS_OK;
    if (fstat(*fd, &st) != 0) {
        code = ls_fail_errno(err, errno, "stat %s %s", what, path);
    } else if (!S_ISREG(st.st_mode)) {
        code = ls_fail(err, LS_EINVALID, "open %s %s: not a regular file", what, path);
    }
    if (code != LS_OK) {
        (void)close(*fd);
        *fd = -1;
    }
    return code;
}

/* Past the end there is nothing to read, as far as an offset can be given to the system. */
static uint64_t range_left(uint64_t off, uint64_t len) {
    if (off > INT64_MAX) {
        return 0;
    }
    uint64_t most = (uint64_t)INT64_MAX - off;
    return len == 0 || len > most ? most : len;
}

/* Takes over path (malloc'd). */
static ls_code open_range(char *path, const char *what, uint64_t off, uint64_t len, ls_reader **r,
                          ls_err *err) {
    int fd;
    ls_code code = open_regular(path, what, &fd, err);
    if (code != LS_OK) {
        free(path);
        return code;
    }
    range_reader *rr = malloc(sizeof *rr);
    if (rr == NULL) {
        (void)close(fd);
        code = ls_fail(err, LS_ENOMEM, "no memory to read %s", path);
        free(path);
        return code;
    }
    *rr = (range_reader){.base = {.read = range_read, .close = range_close},
                         .fd = fd,
                         .path = path,
                         .off = off,
                         .left = range_left(off, len)};
    *r = &rr->base;
    return LS_OK;
}

static ls_code file_open(ls_storage *s, const ls_ltx_info *file, uint64_t off, uint64_t len,
                         ls_reader **r, ls_err *err) {
    char *path;
    ls_code code = file_path((file_store *)s, file, &path, err);
    return code == LS_OK ? open_range(path, "ltx file", off, len, r, err) : code;
}

/* ---- objects of other formats ---- */

static ls_code file_each_object(ls_storage *s, const char *folder, ls_object_fn fn, void *arg,
                                ls_err *err) {
    return ls_file_each_object(((file_store *)s)->root, folder, fn, arg, err);
}

static ls_code file_open_object(ls_storage *s, const char *key, uint64_t off, uint64_t len,
                                ls_reader **r, ls_err *err) {
    char *path = ls_path_join(((file_store *)s)->root, key);
    return path != NULL ? open_range(path, "file", off, len, r, err)
                        : ls_fail(err, LS_ENOMEM, "no memory to read %s", key);
}

/* ---- marks ---- */

static ls_code file_get_mark(ls_storage *s, const char *key, ls_mark *mark, ls_err *err) {
    const file_store *fs = (file_store *)s;
    char *path = ls_path_join(fs->root, key);
    ls_code code = path != NULL ? ls_file_mark_get(&fs->mark, path, mark, err)
                                : ls_fail(err, LS_ENOMEM, "no memory to read %s", key);
    free(path);
    return code;
}

static ls_code file_put_mark(ls_storage *s, const char *key, ls_mark *mark, bool keep,
                             ls_err *err) {
    file_store *fs = (file_store *)s;
    char *path = ls_path_join(fs->root, key);
    ls_code code = path != NULL ? ls_file_mark_put(&fs->mark, path, &fs->perm, mark, keep, err)
                                : ls_fail(err, LS_ENOMEM, "no memory to write %s", key);
    free(path);
    return code;
}

/* ---- put ---- */

/* By the time of its last change of any kind: that of its data may be set to an earlier one. */
static bool is_leftover(int dir, const char *name) {
    struct stat st;
    size_t len = strlen(name);
    if (len < 4 || strcmp(name + len - 4, ".tmp") != 0 || strstr(name, ".ltx.") == NULL ||
        fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return false;
    }
    int64_t ms = (int64_t)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000;
    return S_ISREG(st.st_mode) && ms < ls_wall_ms(&ls_clock_system) - LEFTOVER_MS;
}

/* What a killed process was writing would stay for ever, as the next one writes other names. What
 * is being written now, here or by another process, is younger. */
static void sweep(file_store *fs, int level) {
    if (atomic_exchange(&fs->swept[level], true)) {
        return;
    }
    char *path = level_dir(fs, level);
    DIR *d = path != NULL ? opendir(path) : NULL;
    free(path);
    if (d == NULL) {
        return;
    }
    const struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        if (is_leftover(dirfd(d), e->d_name)) {
            (void)unlinkat(dirfd(d), e->d_name, 0);
        }
    }
    (void)closedir(d);
}

/* Starts the file, making its folder where it is missing. */
static ls_code begin(file_store *fs, const ls_ltx_info *file, const char *path, ls_atomic *a,
                     ls_err *err) {
    sweep(fs, file->level);
    ls_code code = ls_atomic_begin(a, path, &fs->perm, err);
    if (code != LS_ENOTFOUND) {
        return code;
    }
    char *dir = level_dir(fs, file->level);
    if (dir == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to create %s", path);
    }
    ls_err_clear(err);
    code = ls_mkdirs(dir, &fs->perm, err);
    free(dir);
    return code == LS_OK ? ls_atomic_begin(a, path, &fs->perm, err) : code;
}

/* Refuses early what commit would refuse after all bytes were copied. */
static ls_code check_absent(const char *path, ls_err *err) {
    struct stat st;
    if (lstat(path, &st) == 0) {
        return ls_fail(err, LS_EEXISTS, "%s exists already", path);
    }
    return errno == ENOENT ? LS_OK : ls_fail_errno(err, errno, "stat %s", path);
}

typedef struct put_job {
    const ls_ltx_info *file;
    char *path;
    bool exclusive;
    int64_t timestamp_ms;
    uint64_t size; /* bytes written, set by the copy */
    ls_atomic out;
} put_job;

static ls_code put_begin(file_store *fs, put_job *job, ls_err *err) {
    ls_code code = file_path(fs, job->file, &job->path, err);
    if (code == LS_OK && job->exclusive) {
        code = check_absent(job->path, err);
    }
    return code == LS_OK ? begin(fs, job->file, job->path, &job->out, err) : code;
}

/* Ends what put_begin began; code is how it went since then. */
static ls_code put_end(put_job *job, ls_code code, ls_ltx_info *out, ls_err *err) {
    if (code == LS_OK) {
        code = ls_atomic_commit(&job->out, job->exclusive, job->timestamp_ms, err);
    } else {
        ls_atomic_abort(&job->out);
    }
    free(job->path);
    if (code == LS_OK) {
        *out = *job->file;
        out->size = job->size;
        out->created_ms = job->timestamp_ms;
    }
    return code;
}

static ls_code copy_stream(put_job *job, ls_reader *in, const uint8_t *hdr, ls_err *err) {
    uint8_t *buf = malloc(COPY_CHUNK);
    if (buf == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to write %s", job->path);
    }
    ls_code code = ls_write_full(job->out.fd, hdr, LS_LTX_HEADER_SIZE, job->out.tmp, err);
    job->size = LS_LTX_HEADER_SIZE;
    size_t got = 1;
    while (code == LS_OK && got > 0) {
        code = ls_read_full(in, buf, COPY_CHUNK, &got, err);
        if (code == LS_OK && got > 0) {
            code = ls_write_full(job->out.fd, buf, got, job->out.tmp, err);
            job->size += got;
        }
    }
    free(buf);
    return code;
}

static ls_code file_put(ls_storage *s, const ls_ltx_info *file, ls_reader *in, bool exclusive,
                        ls_ltx_info *out, ls_err *err) {
    uint8_t hdr[LS_LTX_HEADER_SIZE];
    put_job job = {.file = file, .exclusive = exclusive, .out = {.fd = -1}};
    ls_code code = ls_head_read(in, hdr, &job.timestamp_ms, err);
    if (code != LS_OK) {
        return code;
    }
    code = put_begin((file_store *)s, &job, err);
    if (code == LS_OK) {
        code = copy_stream(&job, in, hdr, err);
    }
    return put_end(&job, code, out, err);
}

/* Size and timestamp of the local file. */
static ls_code look_at(int fd, const char *path, put_job *job, ls_err *err) {
    struct stat st;
    if (fstat(fd, &st) != 0) {
        return ls_fail_errno(err, errno, "stat %s", path);
    }
    job->size = (uint64_t)st.st_size;
    uint8_t hdr[LS_LTX_HEADER_SIZE];
    size_t got;
    ls_code code = ls_pread_full(fd, hdr, sizeof hdr, 0, &got, path, err);
    return code == LS_OK ? ls_head_time(hdr, got, &job->timestamp_ms, err) : code;
}

/* take: the file at path may be moved. */
static ls_code put_path(file_store *fs, const ls_ltx_info *file, const char *path, bool take,
                        bool exclusive, ls_ltx_info *out, ls_err *err) {
    bool taken = false;
    int fd = ls_open(path, O_RDONLY, 0);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    put_job job = {.file = file, .exclusive = exclusive, .out = {.fd = -1}};
    ls_code code = look_at(fd, path, &job, err);
    if (code == LS_OK) {
        code = put_begin(fs, &job, err);
    }
    if (code == LS_OK && take) {
        code = ls_atomic_take(&job.out, path, &fs->perm, &taken, err);
    }
    if (code == LS_OK && !taken) {
        /* Named by its target: that is where space runs out. */
        code = ls_copy_fd(fd, job.out.fd, job.size, job.out.path, err);
    }
    code = put_end(&job, code, out, err);
    (void)close(fd);
    return code;
}

static ls_code file_put_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                             bool exclusive, ls_ltx_info *out, ls_err *err) {
    return put_path((file_store *)s, file, path, false, exclusive, out, err);
}

static ls_code file_take_file(ls_storage *s, const ls_ltx_info *file, const char *path,
                              bool exclusive, ls_ltx_info *out, ls_err *err) {
    return put_path((file_store *)s, file, path, true, exclusive, out, err);
}

/* ---- copy ---- */

/* Has the file the mode and owner that a new one would get? A link shares them. */
static bool has_perm(const struct stat *st, const ls_perm *perm) {
    return (st->st_mode & 07777) == perm->file_mode &&
           (perm->uid == (uid_t)-1 || st->st_uid == perm->uid) &&
           (perm->gid == (gid_t)-1 || st->st_gid == perm->gid);
}

/* Links under the final name, or by way of a temporary one where a file is replaced: not that of a
 * put, which may be half written. A rename onto a link of the same file does nothing, so that the
 * temporary name may be left. */
static int link_to(const char *from, const char *to, bool exclusive) {
    if (exclusive) {
        return linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW);
    }
    char *tmp = ls_asprintf("%s.link.tmp", to);
    if (tmp == NULL) {
        errno = ENOMEM;
        return -1;
    }
    (void)unlink(tmp);
    int rc = linkat(AT_FDCWD, from, AT_FDCWD, tmp, AT_SYMLINK_FOLLOW);
    if (rc == 0) {
        rc = rename(tmp, to);
        (void)unlink(tmp);
    }
    free(tmp);
    return rc;
}

/* The bytes are on the disk before the new name is. */
static ls_code link_durably(int fd, const char *from, const char *to, bool exclusive, bool *linked,
                            ls_err *err) {
    *linked = false;
    if (ls_fsync(fd) != 0) {
        return ls_fail_errno(err, errno, "fsync %s", from);
    }
    if (link_to(from, to, exclusive) == 0) {
        *linked = true;
        return ls_fsync_parent(to, err);
    }
    return exclusive && errno == EEXIST ? ls_fail(err, LS_EEXISTS, "%s exists already", to) : LS_OK;
}

/* The level's folder must be there for a link. */
static ls_code make_level(const file_store *fs, int level, ls_err *err) {
    char *dir = level_dir(fs, level);
    if (dir == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to create level %d", level);
    }
    ls_code code = ls_mkdirs(dir, &fs->perm, err);
    free(dir);
    return code;
}

/* A second link of the stored file: files are never written in place. *linked stays false where
 * links cannot be made, or would have another mode or owner than a new file. */
static ls_code try_link(const file_store *fs, int fd, const char *from, put_job *job, bool *linked,
                        ls_err *err) {
    struct stat st;
    *linked = false;
    if (fstat(fd, &st) != 0) {
        return ls_fail_errno(err, errno, "stat %s", from);
    }
    ls_code code = look_at(fd, from, job, err);
    if (code != LS_OK || !has_perm(&st, &fs->perm)) {
        return code;
    }
    code = make_level(fs, job->file->level, err);
    if (code == LS_OK) {
        code = link_durably(fd, from, job->path, job->exclusive, linked, err);
    }
    return code;
}

static ls_code file_copy(ls_storage *s, const ls_ltx_info *from, const ls_ltx_info *to,
                         bool exclusive, ls_ltx_info *out, ls_err *err) {
    const file_store *fs = (file_store *)s;
    put_job job = {.file = to, .exclusive = exclusive, .out = {.fd = -1}};
    char *path = NULL;
    int fd = -1;
    bool linked = false;
    ls_code code = file_path(fs, from, &path, err);
    if (code == LS_OK) {
        code = file_path(fs, to, &job.path, err);
    }
    if (code == LS_OK) {
        code = open_regular(path, "ltx file", &fd, err);
    }
    if (code == LS_OK) {
        code = try_link(fs, fd, path, &job, &linked, err);
    }
    if (code == LS_OK && linked) {
        *out = *to;
        out->size = job.size;
        out->created_ms = job.timestamp_ms;
    } else if (code == LS_OK) {
        code = file_put_file(s, to, path, exclusive, out, err);
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    free(job.path);
    free(path);
    return code;
}

/* ---- remove ---- */

static ls_code file_remove(ls_storage *s, const ls_ltx_info *files, size_t n, ls_err *err) {
    for (size_t i = 0; i < n; i++) {
        char *path;
        ls_code code = file_path((file_store *)s, &files[i], &path, err);
        if (code == LS_OK && unlink(path) != 0 && errno != ENOENT) {
            code = ls_fail_errno(err, errno, "delete %s", path);
        }
        free(path);
        if (code != LS_OK) {
            return code;
        }
    }
    return LS_OK;
}

/* ---- making and freeing ---- */

static void file_free(ls_storage *s) {
    file_store *fs = (file_store *)s;
    ls_file_mark_close(&fs->mark);
    free(fs->base.url);
    free(fs->root);
    free(fs);
}

static const ls_storage_ops file_ops = {
    .type = "file",
    .list = file_list,
    .open = file_open,
    .put = file_put,
    .put_file = file_put_file,
    .take_file = file_take_file,
    .copy = file_copy,
    .remove = file_remove,
    .each_object = file_each_object,
    .open_object = file_open_object,
    .get_mark = file_get_mark,
    .put_mark = file_put_mark,
    .free = file_free,
};

ls_code ls_storage_open_file(const char *path, const ls_perm *perm, ls_storage **s, ls_err *err) {
    *s = NULL;
    if (path[0] == '\0') {
        return ls_fail(err, LS_EINVALID, "file replica path required");
    }
    file_store *fs = calloc(1, sizeof *fs);
    if (fs == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to open %s", path);
    }
    fs->base.ops = &file_ops;
    fs->mark.fd = -1;
    fs->perm = perm != NULL ? *perm : LS_PERM_PRIVATE;
    fs->root = ls_path_absolute(path);
    fs->base.url = fs->root != NULL ? ls_asprintf("file://%s", fs->root) : NULL;
    if (fs->base.url == NULL) {
        file_free(&fs->base);
        return ls_fail(err, LS_ENOMEM, "no memory to open %s", path);
    }
    *s = &fs->base;
    return LS_OK;
}

/* ---- settings ---- */

static ls_code file_from_url(const ls_url *url, ls_settings *settings, ls_err *err) {
    return ls_settings_default(settings, "path", url->path, err);
}

static ls_code file_from_settings(const ls_settings *settings, const ls_perm *perm, ls_storage **s,
                                  ls_err *err) {
    return ls_storage_open_file(ls_settings_text(settings, "path", ""), perm, s, err);
}

static const ls_setting_key file_keys[] = {{.name = "path"}, {0}};

const ls_store_scheme ls_file_scheme = {
    .type = "file",
    .schemes = "file",
    .keys = file_keys,
    .from_url = file_from_url,
    .open = file_from_settings,
};
