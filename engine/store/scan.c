/*
 * Which files below a folder are databases: see scan.h. A tree of folders, each with the names that
 * matter in it, in order.
 *
 * The watch of a folder is set before its names are read: what comes later is told, what came
 * before is read. A folder that is renamed keeps its watch in the kernel, so that of one that is
 * not found where it was is taken away, and one that is found under a new name gets its own.
 */
#include "engine/store/scan.h"

#include "engine/base/file.h"
#include "engine/base/glob.h"
#include "engine/base/map.h"
#include "engine/base/text.h"
#include "engine/db/db.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder that was changed so shortly before it was read may be changed again within one tick of
 * the file system's clock. */
#define TICK_S 2
/* So long after its last change a file that is no database is not looked at of itself. */
#define YOUNG_S 60

typedef struct folder folder;
struct folder {
    folder *parent; /* NULL: the root */
    char *name;     /* "" for the root */
    dev_t dev;
    ino_t ino;
    struct timespec changed; /* when it was read; 0: has to be */
    int watch;               /* < 0: none */
    char watch_key[12];
    bool dirty;
    folder **below; /* by name */
    size_t n_below;
    ls_scan_file *files; /* by name */
    size_t n_files;
};

struct ls_scan {
    char *root, *pattern;
    bool recursive;
    int notify;
    folder *top;
    ls_map by_watch;
    size_t n_folders, n_files;
    ls_scan_result *result; /* of the look that runs */
    ls_err *err;
};

/* ---- Names that are read ---- */

typedef struct names {
    ls_scan_file *files;
    size_t n_files, cap_files;
    char **below;
    size_t n_below, cap_below;
} names;

static void files_free(ls_scan_file *files, size_t n) {
    for (size_t i = 0; i < n; i++) {
        free(files[i].name);
    }
    free(files);
}

static void names_done(names *n) {
    files_free(n->files, n->n_files);
    for (size_t i = 0; i < n->n_below; i++) {
        free(n->below[i]);
    }
    free(n->below);
}

static bool grow(void *list, size_t n, size_t *cap, size_t size) {
    void **at = list, *grown;
    if (n < *cap) {
        return true;
    }
    size_t more = *cap == 0 ? 16 : 2 * *cap;
    grown = reallocarray(*at, more, size);
    if (grown != NULL) {
        *at = grown;
        *cap = more;
    }
    return grown != NULL;
}

static bool add_name(names *n, char *name, bool is_folder, ino_t ino, bool link) {
    bool room = is_folder ? grow(&n->below, n->n_below, &n->cap_below, sizeof(*n->below))
                          : grow(&n->files, n->n_files, &n->cap_files, sizeof(*n->files));
    if (name == NULL || !room) {
        free(name);
        return false;
    }
    if (is_folder) {
        n->below[n->n_below++] = name;
    } else {
        n->files[n->n_files++] = (ls_scan_file){.name = name, .ino = ino, .link = link};
    }
    return true;
}

/* DT_DIR, DT_LNK, DT_REG or something else. */
static unsigned char type_of(int dir, const struct dirent *d) {
    struct stat st;
    if (d->d_type != DT_UNKNOWN) {
        return d->d_type;
    }
    if (fstatat(dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return DT_UNKNOWN;
    }
    return S_ISDIR(st.st_mode)   ? DT_DIR
           : S_ISLNK(st.st_mode) ? DT_LNK
           : S_ISREG(st.st_mode) ? DT_REG
                                 : DT_UNKNOWN;
}

static bool is_meta(const char *name) {
    static const char end[] = "-litestream";
    size_t len = strlen(name), n = sizeof(end) - 1;
    return len >= n && strcmp(name + len - n, end) == 0;
}

/* False: no memory. */
static bool take_entry(const ls_scan *s, int dir, const struct dirent *d, names *n) {
    if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0) {
        return true;
    }
    unsigned char type = type_of(dir, d);
    if (type == DT_DIR) {
        return !s->recursive || is_meta(d->d_name) ||
               add_name(n, strdup(d->d_name), true, d->d_ino, false);
    }
    if ((type != DT_REG && type != DT_LNK) || ls_is_side_file(d->d_name) ||
        !ls_glob_match(s->pattern, d->d_name)) {
        return true;
    }
    return add_name(n, strdup(d->d_name), false, d->d_ino, type == DT_LNK);
}

static int by_file_name(const void *a, const void *b) {
    return strcmp(((const ls_scan_file *)a)->name, ((const ls_scan_file *)b)->name);
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static ls_code read_names(ls_scan *s, const char *path, int fd, names *n) {
    *n = (names){0};
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    DIR *dir = own < 0 ? NULL : fdopendir(own);
    if (dir == NULL) {
        int e = errno;
        if (own >= 0) {
            (void)close(own);
        }
        return ls_fail_errno(s->err, e, "read folder %s", path);
    }
    bool memory = true;
    errno = 0;
    for (const struct dirent *d; memory && (d = readdir(dir)) != NULL; errno = 0) {
        memory = take_entry(s, fd, d, n);
    }
    int e = errno;
    (void)closedir(dir);
    if (!memory || e != 0) {
        return memory ? ls_fail_errno(s->err, e, "read folder %s", path)
                      : ls_fail(s->err, LS_ENOMEM, "read folder %s", path);
    }
    if (n->n_files > 0) {
        qsort(n->files, n->n_files, sizeof(*n->files), by_file_name);
    }
    if (n->n_below > 0) {
        qsort(n->below, n->n_below, sizeof(*n->below), by_text);
    }
    return LS_OK;
}

/* ---- Is it a database? ---- */

/* By SQLite's own means: closing a descriptor of a database in another way would drop the locks
 * that SQLite has on it in this process. A file that is shorter than LS_DB_HEADER is read as zeros.
 */
static bool read_header(const char *path, uint8_t header[LS_DB_HEADER]) {
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    char *real = realpath(path, NULL); /* SQLite follows no link here */
    sqlite3_filename name = real == NULL ? NULL : sqlite3_create_filename(real, "", "", 0, NULL);
    sqlite3_file *file = vfs == NULL ? NULL : calloc(1, (size_t)vfs->szOsFile);
    int rc = SQLITE_CANTOPEN;
    if (name != NULL && file != NULL) {
        rc = vfs->xOpen(vfs, name, file, SQLITE_OPEN_READONLY | SQLITE_OPEN_MAIN_DB, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = file->pMethods->xRead(file, header, LS_DB_HEADER, 0);
    }
    if (file != NULL && file->pMethods != NULL) {
        (void)file->pMethods->xClose(file);
    }
    free(file);
    sqlite3_free_filename(name);
    free(real);
    return rc == SQLITE_OK || rc == SQLITE_IOERR_SHORT_READ;
}

/* A file that is being copied here is one when it is as long as it says, or when nobody has touched
 * it for a while: then it was cut off, and who replicates it says so. */
static bool is_database(const char *path, const struct stat *st, bool young) {
    uint8_t header[LS_DB_HEADER] = {0};
    struct stat log;
    if (!read_header(path, header) || memcmp(header, "SQLite format 3", 16) != 0) {
        return false;
    }
    if (!young || ls_db_header_complete(header, st->st_size)) {
        return true;
    }
    char *wal = ls_asprintf("%s-wal", path);
    bool has_log = wal != NULL && stat(wal, &log) == 0 && log.st_size > 0;
    free(wal);
    return has_log;
}

/* The time of a change, 0 while there may be another one that looks the same. */
static struct timespec settled(const struct stat *st) {
    return time(NULL) - st->st_mtim.tv_sec > TICK_S ? st->st_mtim : (struct timespec){0};
}

static bool same_time(const struct timespec *a, const struct timespec *b) {
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Looks into a file that is not known to be a database, if it is not what it was. */
static void look_into(ls_scan *s, const char *folder_path, ls_scan_file *f) {
    struct stat st;
    char *path = ls_path_join(folder_path, f->name);
    if (path == NULL || stat(path, &st) != 0 || !S_ISREG(st.st_mode)) {
        free(path);
        return;
    }
    bool young = st.st_size == 0 || time(NULL) - st.st_mtim.tv_sec < YOUNG_S;
    bool same = st.st_size == f->size && same_time(&st.st_mtim, &f->changed);
    if (!same && st.st_size > 0) {
        f->is_db = is_database(path, &st, young);
    }
    f->size = st.st_size;
    f->changed = young ? (struct timespec){0} : settled(&st);
    s->result->young += !f->is_db && young;
    free(path);
}

/* ---- The tree ---- */

static void unwatch(ls_scan *s, folder *f) {
    if (f->watch >= 0 && ls_map_get(&s->by_watch, f->watch_key) == f) {
        ls_map_remove(&s->by_watch, f->watch_key);
        ls_notify_remove(s->notify, f->watch);
    }
    f->watch = -1;
}

static size_t count_dbs(const folder *f) {
    size_t n = 0;
    for (size_t i = 0; i < f->n_files; i++) {
        n += f->files[i].is_db;
    }
    return n;
}

static void folder_empty(ls_scan *s, folder *f);

static void folder_free(ls_scan *s, folder *f) {
    folder_empty(s, f);
    s->n_folders--;
    free(f->name);
    free(f);
}

/* Everything below it is gone, and its watch. At most LS_SCAN_DEPTH_MAX deep. */
static void folder_empty(ls_scan *s, folder *f) {
    unwatch(s, f);
    if (s->result != NULL && count_dbs(f) > 0) {
        s->result->changed = true;
    }
    for (size_t i = 0; i < f->n_below; i++) {
        folder_free(s, f->below[i]);
    }
    free(f->below);
    f->below = NULL;
    f->n_below = 0;
    s->n_files -= f->n_files;
    files_free(f->files, f->n_files);
    f->files = NULL;
    f->n_files = 0;
    f->changed = (struct timespec){0};
}

/* Takes name. */
static folder *folder_new(ls_scan *s, folder *parent, char *name) {
    folder *f = name == NULL || s->n_folders >= LS_SCAN_FOLDERS_MAX ? NULL : calloc(1, sizeof(*f));
    if (f == NULL) {
        free(name);
        return NULL;
    }
    f->parent = parent;
    f->name = name;
    f->watch = -1;
    s->n_folders++;
    return f;
}

static char *path_of(const ls_scan *s, const folder *f) {
    if (f->parent == NULL) {
        return strdup(s->root);
    }
    char *above = path_of(s, f->parent);
    char *path = above == NULL ? NULL : ls_path_join(above, f->name);
    free(above);
    return path;
}

static void watch(ls_scan *s, folder *f, const char *path) {
    ls_err ignored = LS_ERR_INIT;
    if (f->watch >= 0) {
        return;
    }
    int number = s->notify < 0 ? -ENOSYS : ls_notify_add(s->notify, path, f->parent == NULL);
    if (number < 0) {
        s->result->why = -number;
        return;
    }
    (void)snprintf(f->watch_key, sizeof(f->watch_key), "%d", number);
    folder *other = ls_map_get(&s->by_watch, f->watch_key);
    if (other != NULL) {
        ls_map_remove(&s->by_watch, f->watch_key);
        other->watch = -1; /* the same folder, by a name that it had before */
    }
    if (ls_map_put(&s->by_watch, f->watch_key, f, &ignored) == LS_OK) {
        f->watch = number;
    } else {
        ls_notify_remove(s->notify, number);
        s->result->why = ENOMEM;
    }
}

/* ---- One folder is read again ---- */

/* Files of before that are still there stay what they were. */
static void merge_files(ls_scan *s, folder *f, names *n) {
    size_t old = 0, kept = 0, before = count_dbs(f);
    for (size_t i = 0; i < n->n_files; i++) {
        ls_scan_file *file = &n->files[i];
        while (old < f->n_files && strcmp(f->files[old].name, file->name) < 0) {
            old++;
        }
        ls_scan_file *was = old < f->n_files ? &f->files[old] : NULL;
        if (was != NULL && strcmp(was->name, file->name) == 0 && was->ino == file->ino) {
            file->is_db = was->is_db;
            file->told = was->told;
            file->size = was->size;
            file->changed = was->changed;
            kept += was->is_db;
        }
    }
    s->result->changed = s->result->changed || kept < before;
    s->n_files = s->n_files - f->n_files + n->n_files;
    files_free(f->files, f->n_files);
    f->files = n->files;
    f->n_files = n->n_files;
    n->files = NULL;
    n->n_files = 0;
}

/* Folders of before that are gone go first, with their watches; new ones are still to be read. */
static ls_code merge_below(ls_scan *s, folder *f, names *n) {
    folder **below = n->n_below == 0 ? NULL : calloc(n->n_below, sizeof(folder *));
    size_t old = 0, made = 0;
    ls_code rc = LS_OK;
    if (n->n_below > 0 && below == NULL) {
        return ls_fail(s->err, LS_ENOMEM, "folders below %s", s->root);
    }
    for (size_t i = 0; i < n->n_below; i++) {
        while (old < f->n_below && strcmp(f->below[old]->name, n->below[i]) < 0) {
            folder_free(s, f->below[old++]);
        }
        if (old < f->n_below && strcmp(f->below[old]->name, n->below[i]) == 0) {
            below[i] = f->below[old++];
        }
    }
    while (old < f->n_below) {
        folder_free(s, f->below[old++]);
    }
    for (size_t i = 0; i < n->n_below; i++) {
        if (below[i] == NULL) {
            below[i] = folder_new(s, f, n->below[i]);
            n->below[i] = NULL;
        }
        if (below[i] != NULL) {
            below[made++] = below[i];
        }
    }
    if (made < n->n_below) {
        rc = ls_fail(s->err, LS_ELIMIT, "%s: no memory, or more than %d folders", s->root,
                     LS_SCAN_FOLDERS_MAX);
    }
    free(f->below);
    f->below = below;
    f->n_below = made;
    return rc;
}

static ls_code read_folder(ls_scan *s, folder *f, const char *path, int fd, const struct stat *st) {
    names n;
    ls_code rc = read_names(s, path, fd, &n);
    if (rc == LS_OK && s->n_files + n.n_files > LS_SCAN_FILES_MAX) {
        rc = ls_fail(s->err, LS_ELIMIT, "%s: more than %d files match %s", s->root,
                     LS_SCAN_FILES_MAX, s->pattern);
    }
    if (rc == LS_OK) {
        merge_files(s, f, &n);
        rc = merge_below(s, f, &n);
    }
    names_done(&n);
    if (rc == LS_OK) {
        f->changed = settled(st);
        f->dirty = false;
    }
    return rc;
}

static void look_into_files(ls_scan *s, folder *f, const char *path) {
    for (size_t i = 0; i < f->n_files; i++) {
        ls_scan_file *file = &f->files[i];
        if (!file->is_db) {
            look_into(s, path, file);
            s->result->changed = s->result->changed || file->is_db;
        }
    }
}

/* The folder that has the path now; false: there is none, and it is empty now. */
static bool open_folder(ls_scan *s, folder *f, const char *path, int *fd, struct stat *st) {
    *fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (f->parent == NULL ? 0 : O_NOFOLLOW));
    if (*fd < 0) {
        return false;
    }
    if (fstat(*fd, st) != 0) {
        (void)close(*fd);
        *fd = -1;
        return false;
    }
    if (f->ino != st->st_ino || f->dev != st->st_dev) {
        folder_empty(s, f);
        f->ino = st->st_ino;
        f->dev = st->st_dev;
    }
    return true;
}

static bool is_gone(int e) { return e == ENOENT || e == ENOTDIR || e == ELOOP; }

static ls_code cannot_open(ls_scan *s, folder *f, const char *path, int e) {
    if (is_gone(e)) {
        folder_empty(s, f);
        f->ino = 0;
    }
    if (f->parent == NULL) {
        (void)ls_fail_errno(s->err, e, "failed to scan directory %s", path);
        return is_gone(e) ? (s->err->code = LS_ENOTFOUND) : s->err->code;
    }
    if (!is_gone(e) && s->result->unreadable++ == 0) {
        (void)snprintf(s->result->first_unreadable, sizeof(s->result->first_unreadable), "%s",
                       path);
    }
    return LS_OK;
}

static ls_code look_at(ls_scan *s, folder *f) {
    struct stat st = {0};
    int fd = -1;
    char *path = path_of(s, f);
    if (path == NULL) {
        return ls_fail(s->err, LS_ENOMEM, "failed to scan directory %s", s->root);
    }
    ls_code rc = LS_OK;
    if (!open_folder(s, f, path, &fd, &st)) {
        rc = cannot_open(s, f, path, errno);
    } else {
        watch(s, f, path);
        bool read = f->dirty || f->changed.tv_sec == 0 || !same_time(&f->changed, &st.st_mtim);
        rc = read ? read_folder(s, f, path, fd, &st) : LS_OK;
        look_into_files(s, f, path);
        (void)close(fd);
    }
    free(path);
    return rc;
}

static bool has_candidates(const folder *f) { return count_dbs(f) < f->n_files; }

/* Looks at a folder and those below it where something may have changed. */
static ls_code walk(ls_scan *s, folder *f, bool all, int depth) {
    bool must = all || f->dirty || f->watch < 0 || f->ino == 0 || has_candidates(f);
    ls_code rc = must ? look_at(s, f) : LS_OK;
    s->result->unwatched += f->watch < 0 && f->ino != 0;
    s->result->dbs += count_dbs(f);
    for (size_t i = 0; rc == LS_OK && i < f->n_below; i++) {
        if (depth == LS_SCAN_DEPTH_MAX) {
            return ls_fail(s->err, LS_ELIMIT, "%s: folders are more than %d deep", s->root,
                           LS_SCAN_DEPTH_MAX);
        }
        rc = walk(s, f->below[i], all, depth + 1);
    }
    return rc;
}

static void mark(ls_scan *s, const ls_notes *notes) {
    for (size_t i = 0; i < notes->n; i++) {
        char key[12];
        (void)snprintf(key, sizeof(key), "%d", notes->folders[i]);
        folder *f = ls_map_get(&s->by_watch, key);
        if (f != NULL) {
            f->dirty = true;
        }
    }
}

ls_code ls_scan_look(ls_scan *s, const ls_notes *notes, ls_scan_result *result, ls_err *err) {
    *result = (ls_scan_result){0};
    s->result = result;
    s->err = err;
    if (notes != NULL) {
        mark(s, notes);
    }
    ls_code rc = walk(s, s->top, notes == NULL || notes->all, 0);
    s->result = NULL;
    return rc;
}

/* ---- Life ---- */

ls_code ls_scan_new(const char *root, const char *pattern, bool recursive, int notify,
                    ls_scan **out, ls_err *err) {
    ls_scan *s = calloc(1, sizeof(*s));
    if (s != NULL) {
        s->root = strdup(root);
        s->pattern = strdup(pattern);
        s->recursive = recursive;
        s->notify = notify;
        s->top = folder_new(s, NULL, strdup(""));
    }
    if (s == NULL || s->root == NULL || s->pattern == NULL || s->top == NULL) {
        ls_scan_free(s);
        return ls_fail(err, LS_ENOMEM, "failed to scan directory %s", root);
    }
    *out = s;
    return LS_OK;
}

void ls_scan_free(ls_scan *s) {
    if (s == NULL) {
        return;
    }
    if (s->top != NULL) {
        folder_free(s, s->top);
    }
    ls_map_done(&s->by_watch);
    free(s->root);
    free(s->pattern);
    free(s);
}

/* path holds len bytes of f's own, with a slash behind unless it is the root. */
static void each(folder *f, char *path, size_t len, ls_scan_fn fn, void *arg) {
    for (size_t i = 0; i < f->n_files; i++) {
        int n = snprintf(path + len, PATH_MAX - len, "%s", f->files[i].name);
        if (f->files[i].is_db && n < (int)(PATH_MAX - len)) {
            fn(arg, path, &f->files[i]);
        }
    }
    for (size_t i = 0; i < f->n_below; i++) {
        int n = snprintf(path + len, PATH_MAX - len, "%s/", f->below[i]->name);
        if (n < (int)(PATH_MAX - len)) {
            each(f->below[i], path, len + (size_t)n, fn, arg);
        }
    }
}

void ls_scan_each(ls_scan *s, ls_scan_fn fn, void *arg) {
    char path[PATH_MAX];
    each(s->top, path, 0, fn, arg);
}
