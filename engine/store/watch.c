/*
 * File-change notices: one watch for each folder, shared by all databases in it.
 *
 * A database is in up to two folders: that of its configured path, where it or a symbolic link may
 * appear, and that of the real file, where SQLite keeps the log. A notice names a file; the name
 * without "-wal" or "-journal" leads to the database. Where a folder does not exist or the system
 * has no watch left the database is polled, and the watch tried again with every safety poll. A
 * folder whose databases all wait for their captures is not watched meanwhile.
 */
#include "engine/store/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct watched {
    char *name; /* of the database file; owned */
    ls_entry *entry;
} watched;

struct ls_folder {
    uv_fs_event_t handle;
    ls_store *store;
    char *path;
    bool active;
    bool resting; /* not active because nothing that is told would matter */
    dev_t dev;    /* of the folder that is watched */
    ino_t ino;
    watched *files; /* by name */
    size_t n, cap;
};

/* ---- A notice ---- */

static int by_name(const void *a, const void *b) {
    return strcmp(((const watched *)a)->name, ((const watched *)b)->name);
}

/* Tells every database of that name. */
static bool tell(ls_folder *f, const char *name) {
    char key_name[256]; /* NAME_MAX + 1 */
    watched key = {.name = key_name};
    size_t len = strlen(name);
    if (len >= sizeof(key_name)) {
        return false;
    }
    memcpy(key_name, name, len + 1);
    watched *hit = bsearch(&key, f->files, f->n, sizeof(*f->files), by_name);
    if (hit == NULL) {
        return false;
    }
    while (hit > f->files && by_name(hit - 1, &key) == 0) {
        hit--;
    }
    for (; hit < f->files + f->n && by_name(hit, &key) == 0; hit++) {
        ls_entry_notice(hit->entry);
    }
    return true;
}

static void tell_without(ls_folder *f, const char *name, const char *suffix) {
    char base[256];
    size_t len = strlen(name), cut = strlen(suffix);
    if (len > cut && len - cut < sizeof(base) && strcmp(name + len - cut, suffix) == 0) {
        memcpy(base, name, len - cut);
        base[len - cut] = '\0';
        (void)tell(f, base);
    }
}

static void folder_check(ls_folder *f);

static void on_notice(uv_fs_event_t *handle, const char *name, int events, int status) {
    ls_folder *f = handle->data;
    (void)events;
    if (f->store->stopping) {
        return;
    }
    if (status < 0 || name == NULL) {
        for (size_t i = 0; i < f->n; i++) {
            ls_entry_notice(f->files[i].entry);
        }
        return;
    }
    if (!tell(f, name)) {
        tell_without(f, name, "-wal");
        tell_without(f, name, "-journal");
    }
    if (strcmp(name, ls_path_base(f->path)) == 0) {
        folder_check(f); /* the name of the folder itself: it was removed or renamed */
    }
}

/* ---- Folders ---- */

static void warn_unwatched(ls_folder *f, int rc) {
    for (size_t i = 0; i < f->n; i++) {
        ls_entry *e = f->files[i].entry;
        if (!e->watch_warned) {
            e->watch_warned = true;
            ls_log_write(e->store->log, LS_WARN, "cannot watch folder, polling instead",
                         LS_ENTRY_ATTRS(e, LS_STR("folder", f->path),
                                        LS_STR("reason", uv_strerror(rc)),
                                        LS_DUR("interval", e->config->monitor_interval),
                                        LS_STR("hint", "raise fs.inotify.max_user_watches and "
                                                       "fs.inotify.max_user_instances")));
        }
    }
}

static void folder_start(ls_folder *f, const struct stat *st) {
    int rc = uv_fs_event_start(&f->handle, on_notice, f->path, 0);
    f->active = rc == 0;
    f->dev = st->st_dev;
    f->ino = st->st_ino;
    if (!f->active && rc != UV_ENOENT) {
        warn_unwatched(f, rc);
    }
}

/* Watches the folder that has the path now. */
static void folder_check(ls_folder *f) {
    struct stat st;
    bool there = stat(f->path, &st) == 0;
    bool lost = f->active && (!there || st.st_dev != f->dev || st.st_ino != f->ino);
    if (lost) {
        (void)uv_fs_event_stop(&f->handle);
        f->active = false;
    }
    if (!f->active && !f->resting && there) {
        folder_start(f, &st);
    }
    for (size_t i = 0; lost && i < f->n; i++) {
        if (!f->active) {
            ls_entry_polling(f->files[i].entry, true);
        }
        ls_entry_notice(f->files[i].entry);
    }
}

/* Index of the folder with that path, or where it belongs. */
static size_t folder_index(const ls_store *store, const char *path, bool *found) {
    size_t lo = 0, hi = store->n_folders;
    *found = false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        int c = strcmp(store->folders[mid]->path, path);
        if (c == 0) {
            *found = true;
            return mid;
        }
        if (c < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

/* Takes path; NULL without memory. */
static ls_folder *folder_new(ls_store *store, char *path, size_t index) {
    if (store->n_folders == store->cap_folders) {
        size_t cap = store->cap_folders == 0 ? 8 : 2 * store->cap_folders;
        ls_folder **grown = realloc(store->folders, cap * sizeof(ls_folder *));
        if (grown == NULL) {
            free(path);
            return NULL;
        }
        store->folders = grown;
        store->cap_folders = cap;
    }
    ls_folder *f = calloc(1, sizeof(*f));
    if (f == NULL || uv_fs_event_init(&store->loop, &f->handle) != 0) {
        free(f);
        free(path);
        return NULL;
    }
    f->handle.data = f;
    f->store = store;
    f->path = path;
    memmove(store->folders + index + 1, store->folders + index,
            (store->n_folders - index) * sizeof(ls_folder *));
    store->folders[index] = f;
    store->n_folders++;
    return f;
}

static ls_folder *folder_get(ls_store *store, const char *file) {
    bool found;
    char *path = ls_path_dir(file);
    if (path == NULL) {
        return NULL;
    }
    size_t index = folder_index(store, path, &found);
    if (found) {
        free(path);
        return store->folders[index];
    }
    return folder_new(store, path, index);
}

/* ---- A database in its folders ---- */

/* Index of the first file that is not before that name. */
static size_t file_index(const ls_folder *f, const watched *key) {
    size_t lo = 0, hi = f->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (by_name(&f->files[mid], key) < 0) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo;
}

static bool has_file(const ls_folder *f, size_t index, const watched *key) {
    while (index < f->n && by_name(&f->files[index], key) == 0) {
        if (f->files[index++].entry == key->entry) {
            return true;
        }
    }
    return false;
}

static bool make_room(ls_folder *f) {
    if (f->n < f->cap) {
        return true;
    }
    size_t cap = f->cap == 0 ? 4 : 2 * f->cap;
    watched *grown = realloc(f->files, cap * sizeof(*grown));
    if (grown != NULL) {
        f->files = grown;
        f->cap = cap;
    }
    return grown != NULL;
}

static bool folder_add(ls_folder *f, ls_entry *e, const char *name, size_t len) {
    watched file = {.name = strndup(name, len), .entry = e};
    if (file.name == NULL || !make_room(f)) {
        free(file.name);
        return false;
    }
    size_t index = file_index(f, &file);
    if (has_file(f, index, &file)) {
        free(file.name);
        return true;
    }
    memmove(f->files + index + 1, f->files + index, (f->n - index) * sizeof(*f->files));
    f->files[index] = file;
    f->n++;
    return true;
}

static void folder_remove(ls_folder *f, const ls_entry *e) {
    size_t kept = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (f->files[i].entry == e) {
            free(f->files[i].name);
        } else {
            f->files[kept++] = f->files[i];
        }
    }
    f->n = kept;
}

static void folder_free(ls_folder *f) {
    for (size_t i = 0; i < f->n; i++) {
        free(f->files[i].name);
    }
    free(f->files);
    free(f->path);
    free(f);
}

static void on_folder_closed(uv_handle_t *handle) { folder_free(handle->data); }

/* Watched, unless all databases in it rest. */
static void folder_rest(ls_folder *f) {
    bool all = f->active || f->resting;
    for (size_t i = 0; all && i < f->n; i++) {
        all = f->files[i].entry->resting;
    }
    if (all == f->resting) {
        return;
    }
    f->resting = all;
    if (all) {
        (void)uv_fs_event_stop(&f->handle);
        f->active = false;
        return;
    }
    folder_check(f);
    for (size_t i = 0; !f->active && i < f->n; i++) {
        ls_entry_polling(f->files[i].entry, true);
    }
}

/* Watches for the first len bytes of file, a path. */
static bool watch_file(ls_entry *e, const char *file, size_t len) {
    const char *base = ls_path_base(file);
    ls_folder *f = folder_get(e->store, file);
    if (f == NULL || !folder_add(f, e, base, len - (size_t)(base - file))) {
        return false;
    }
    e->folders[e->folders[0] == NULL ? 0 : 1] = f;
    folder_rest(f); /* e does not rest now: others may */
    folder_check(f);
    return f->active || f->resting;
}

void ls_watch_rest(ls_entry *e, bool on) {
    if (e->resting == on) {
        return;
    }
    e->resting = on;
    for (size_t i = 0; i < 2 && e->folders[i] != NULL; i++) {
        folder_rest(e->folders[i]);
    }
}

void ls_watch_forget(ls_entry *e) {
    ls_store *store = e->store;
    for (size_t i = 0; i < 2 && e->folders[i] != NULL; i++) {
        ls_folder *f = e->folders[i];
        bool found;
        e->folders[i] = NULL;
        if (i == 0 && e->folders[1] == f) {
            e->folders[1] = NULL;
        }
        folder_remove(f, e);
        size_t index = folder_index(store, f->path, &found);
        if (f->n > 0 || !found) {
            folder_rest(f);
            continue;
        }
        store->n_folders--;
        memmove(store->folders + index, store->folders + index + 1,
                (store->n_folders - index) * sizeof(ls_folder *));
        uv_close((uv_handle_t *)&f->handle, on_folder_closed);
    }
    free(e->wal);
    e->wal = NULL;
}

void ls_watch_entry(ls_entry *e) {
    const char *wal = ls_db_wal_path(e->db), *path = ls_db_path(e->db);
    if (e->wal != NULL && strcmp(e->wal, wal) == 0) {
        return;
    }
    ls_watch_forget(e);
    e->wal = strdup(wal);
    bool here = watch_file(e, path, strlen(path));
    bool there = watch_file(e, wal, strlen(wal) - strlen("-wal"));
    ls_entry_polling(e, !here || !there);
}

void ls_watch_check(ls_store *store) {
    for (size_t i = 0; i < store->n; i++) {
        store->entries[i]->unwatched = false;
    }
    for (size_t i = 0; i < store->n_folders; i++) {
        ls_folder *f = store->folders[i];
        if (f->n > 0) {
            folder_check(f);
        }
        for (size_t k = 0; k < f->n; k++) {
            f->files[k].entry->unwatched |= !f->active && !f->resting;
        }
    }
    for (size_t i = 0; i < store->n; i++) {
        ls_entry *e = store->entries[i];
        if (e->monitored) {
            ls_entry_polling(e, e->unwatched || e->wal == NULL);
        }
    }
}

void ls_watch_close(ls_store *store) {
    for (size_t i = 0; i < store->n_folders; i++) {
        uv_close((uv_handle_t *)&store->folders[i]->handle, on_folder_closed);
    }
    free(store->folders);
    store->folders = NULL;
    store->n_folders = store->cap_folders = 0;
}
