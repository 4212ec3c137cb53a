/* The kinds of places: a replica through the storage interface, LTX files by their paths. */
#include "tui/source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a replica ---- */

static ls_code list_level(source *s, int level, const ls_cancel *cancel, snapshot *snap,
                          ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_code rc = ls_storage_list(s->storage, level, 0, &it, err);
    bool end = false;
    while (rc == LS_OK && !end) {
        ls_ltx_info file;
        rc = ls_canceled(cancel) ? ls_fail(err, LS_ECANCELED, "given up")
                                 : ls_storage_iter_next(it, &file, &end, err);
        if (rc == LS_OK && !end) {
            rc = snapshot_add(snap, &file, NULL, err);
        }
    }
    ls_storage_iter_free(it);
    return rc;
}

static ls_code replica_list(source *s, const ls_cancel *cancel, snapshot *snap, ls_err *err) {
    ls_code rc = LS_OK;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX && rc == LS_OK; level++) {
        rc = list_level(s, level, cancel, snap, err);
    }
    return rc;
}

static ls_code replica_open(source *s, const snapshot *snap, size_t file, uint64_t off,
                            uint64_t len, ls_reader **r, ls_err *err) {
    return ls_storage_open_range(s->storage, &snap->files[file], off, len, r, err);
}

static void replica_done(source *s) { ls_storage_free(s->storage); }

static const source_ops replica_ops = {.kind = "replica",
                                       .replica = true,
                                       .list = replica_list,
                                       .open = replica_open,
                                       .done = replica_done};

/* ---- LTX files: one, or all of a folder ---- */

/* What the listing of a store would say comes from the header; a file without one is listed too, so
 * that its damage can be looked at. */
static ls_code add_path(snapshot *snap, const char *path, ls_err *err) {
    uint8_t bytes[LS_LTX_HEADER_SIZE];
    ls_ltx_header h = {0};
    struct stat st;
    size_t got = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        ls_code rc = ls_fail_errno(err, errno, "open %s", path);
        if (fd >= 0) {
            (void)close(fd);
        }
        return rc;
    }
    ls_code rc = ls_pread_full(fd, bytes, sizeof(bytes), 0, &got, path, err);
    (void)close(fd);
    if (rc != LS_OK) {
        return rc;
    }
    ls_err bad = LS_ERR_INIT;
    if (got < sizeof(bytes) || ls_ltx_header_decode(bytes, &h, &bad) != LS_OK) {
        h = (ls_ltx_header){0};
    }
    ls_ltx_info file = {.min_txid = h.min_txid,
                        .max_txid = h.max_txid,
                        .size = (uint64_t)st.st_size,
                        .created_ms = h.timestamp};
    return snapshot_add(snap, &file, path, err);
}

static bool is_ltx_name(const char *name) {
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".ltx") == 0;
}

static ls_code list_folder(const char *folder, DIR *dir, const ls_cancel *cancel, snapshot *snap,
                           ls_err *err) {
    ls_code rc = LS_OK;
    for (struct dirent *e; rc == LS_OK && (e = readdir(dir)) != NULL;) {
        if (!is_ltx_name(e->d_name)) {
            continue;
        }
        char *path = ls_path_join(folder, e->d_name);
        rc = path == NULL          ? ls_fail(err, LS_ENOMEM, "list %s", folder)
             : ls_canceled(cancel) ? ls_fail(err, LS_ECANCELED, "given up")
                                   : add_path(snap, path, err);
        free(path);
    }
    return rc;
}

static ls_code files_list(source *s, const ls_cancel *cancel, snapshot *snap, ls_err *err) {
    struct stat st;
    if (stat(s->name, &st) != 0) {
        return ls_fail_errno(err, errno, "open %s", s->name);
    }
    if (!S_ISDIR(st.st_mode)) {
        return add_path(snap, s->name, err);
    }
    DIR *dir = opendir(s->name);
    if (dir == NULL) {
        return ls_fail_errno(err, errno, "list %s", s->name);
    }
    ls_code rc = list_folder(s->name, dir, cancel, snap, err);
    (void)closedir(dir);
    return rc;
}

/* Only the first len bytes of a reader. */
typedef struct head_reader {
    ls_reader base;
    ls_reader *in; /* owned */
    uint64_t left;
} head_reader;

static ls_code head_read(ls_reader *r, void *buf, size_t len, size_t *got, ls_err *err) {
    head_reader *h = (head_reader *)r;
    *got = 0;
    len = len < h->left ? len : (size_t)h->left;
    ls_code rc = len > 0 ? h->in->read(h->in, buf, len, got, err) : LS_OK;
    h->left -= rc == LS_OK ? *got : 0;
    return rc;
}

static void head_close(ls_reader *r) {
    ls_reader_close(((head_reader *)r)->in);
    free(r);
}

static ls_code files_open(source *s, const snapshot *snap, size_t file, uint64_t off, uint64_t len,
                          ls_reader **r, ls_err *err) {
    (void)s;
    const char *path = snap->paths[file];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ls_fail_errno(err, errno, "open %s", path);
    }
    if (lseek(fd, (off_t)off, SEEK_SET) < 0) {
        ls_code rc = ls_fail_errno(err, errno, "seek %s", path);
        (void)close(fd);
        return rc;
    }
    head_reader *h = calloc(1, sizeof(*h));
    ls_reader *in = ls_fd_reader_new(fd, true, path);
    if (h == NULL || in == NULL) {
        ls_reader_close(in);
        free(h);
        return ls_fail(err, LS_ENOMEM, "open %s", path);
    }
    *h = (head_reader){.base = {.read = head_read, .close = head_close},
                       .in = in,
                       .left = len > 0 ? len : UINT64_MAX};
    *r = &h->base;
    return LS_OK;
}

static void files_done(source *s) { (void)s; }

static const source_ops files_ops = {
    .kind = "LTX files", .list = files_list, .open = files_open, .done = files_done};

/* ---- ---- */

/* A folder with LTX files right in it, and no "ltx" folder as a replica has. */
static bool is_folder_of_files(const char *path) {
    struct stat st;
    char *ltx = ls_path_join(path, "ltx");
    bool replica = ltx == NULL || (stat(ltx, &st) == 0 && S_ISDIR(st.st_mode));
    free(ltx);
    DIR *dir = replica ? NULL : opendir(path);
    bool any = false;
    for (struct dirent *e; dir != NULL && !any && (e = readdir(dir)) != NULL;) {
        any = is_ltx_name(e->d_name);
    }
    if (dir != NULL) {
        (void)closedir(dir);
    }
    return any;
}

ls_code source_open(source *s, const char *name, ls_err *err) {
    *s = (source){.ops = &replica_ops, .name = strdup(name)};
    struct stat st = {0};
    if (s->name == NULL) {
        return ls_fail(err, LS_ENOMEM, "open %s", name);
    }
    if (ls_is_url(name)) {
        return ls_storage_open_url(name, &s->storage, err);
    }
    if (stat(name, &st) != 0) {
        return ls_fail_errno(err, errno, "open %s", name);
    }
    if (!S_ISDIR(st.st_mode) || is_folder_of_files(name)) {
        s->ops = &files_ops;
        return LS_OK;
    }
    return ls_storage_open_file(name, NULL, &s->storage, err);
}

ls_code source_open_replica(source *s, const ls_db_config *db, ls_err *err) {
    *s = (source){.ops = &replica_ops, .name = strdup(db->path)};
    if (s->name == NULL) {
        return ls_fail(err, LS_ENOMEM, "open the replica of %s", db->path);
    }
    return ls_config_storage(db, &s->storage, err);
}

void source_done(source *s) {
    if (s->ops != NULL) {
        s->ops->done(s);
    }
    free(s->name);
    *s = (source){0};
}

ls_code source_list(source *s, const ls_cancel *cancel, snapshot **out, ls_err *err) {
    snapshot *snap = snapshot_new();
    if (snap == NULL) {
        return ls_fail(err, LS_ENOMEM, "list %s", s->name);
    }
    ls_code rc = s->ops->list(s, cancel, snap, err);
    if (rc != LS_OK) {
        snapshot_unref(snap);
        return rc;
    }
    snapshot_finish(snap, s->ops->replica);
    *out = snap;
    return LS_OK;
}

ls_code source_databases(source *s, fleet **out, ls_err *err) {
    fleet *f = fleet_new();
    if (f == NULL) {
        return ls_fail(err, LS_ENOMEM, "list databases");
    }
    ls_code rc = s->ops->databases(s, f, err);
    fleet_look_up(f);
    f->taken_ns = ls_mono_ns(&ls_clock_system);
    if (rc != LS_OK) {
        fleet_unref(f);
        return rc;
    }
    *out = f;
    return LS_OK;
}
