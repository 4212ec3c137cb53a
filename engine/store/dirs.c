/*
 * Folders of databases: what is found in one is added, what is no longer there is removed.
 *
 * A folder is looked at (scan.h) on a thread of libuv's, never two looks of one folder at a time:
 * the scan belongs to the look while it runs, else to the loop. Nothing here follows single
 * notices: whatever they say, afterwards the databases that came from a folder are those that the
 * scan has. A look follows a notice after a moment, since names change in groups; where there are
 * no notices it comes each monitor-interval; while a file may become a database, after pauses that
 * double.
 */
#include "engine/store/internal.h"

#include "engine/store/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* From the first notice to the look. */
#define SETTLE_NS (250 * LS_MS)

struct ls_dir {
    ls_store *store;
    ls_source *source; /* config is in it */
    const ls_db_config *config;
    int notify; /* < 0: no notices */
    ls_scan *scan;
    uv_poll_t poll; /* only with notify */
    uv_timer_t timer;
    uv_work_t work;
    int open_handles;
    bool busy;   /* a look runs */
    bool wanted; /* another one is to follow */
    bool closing;
    bool all; /* the next look is at everything */
    ls_notes notes, taken;
    int64_t pause; /* the last one for files that may become databases */
    ls_scan_result result;
    ls_code rc;
    ls_err err;
    bool again;      /* something that leaves was in the way of what was found */
    ls_map declined; /* paths that were unregistered; the keys are owned */
    int said;        /* ls_code of the last failed look that was told */
    bool said_found, said_watch, said_unreadable;
    bool listed; /* by the reload that runs */
    uint64_t round;
};

#define DIR_ATTRS(d, ...)                                                                          \
    LS_ATTRS(LS_STR("system", "store"), LS_STR("dir", (d)->config->dir), __VA_ARGS__)

/* ---- What was unregistered does not come back while it is there ---- */

void ls_dirs_decline(const ls_entry *e) {
    ls_dir *d = e->dir;
    ls_err ignored = LS_ERR_INIT;
    char *path = strdup(ls_db_path(e->db));
    if (path == NULL || ls_map_get(&d->declined, path) != NULL ||
        ls_map_put(&d->declined, path, path, &ignored) != LS_OK) {
        free(path);
    }
}

static bool is_declined(ls_dir *d, const char *path) {
    return ls_map_get(&d->declined, path) != NULL;
}

static void forget_gone(void *arg, const char *path, void *value) {
    struct stat st;
    ls_dir *d = arg;
    if (stat(path, &st) != 0) {
        ls_map_remove(&d->declined, path);
        free(value);
    }
}

/* ---- What was found ---- */

static char *path_of(const ls_dir *d, const char *rel) { return ls_path_join(d->config->dir, rel); }

static void see(void *arg, const char *rel, ls_scan_file *file) {
    ls_dir *d = arg;
    char *path = path_of(d, rel);
    ls_entry *e = path == NULL ? NULL : ls_set_find(d->store, path);
    (void)file;
    if (e != NULL && e->dir == d && e->config->fingerprint == d->config->fingerprint) {
        e->round = d->round;
    }
    free(path);
}

static void let_leave(ls_dir *d) {
    int64_t now = ls_store_now(), timeout = d->store->rules.shutdown_sync_timeout;
    for (size_t i = 0; i < d->store->n; i++) {
        ls_entry *e = d->store->entries[i];
        if (e->dir == d && e->round != d->round && !e->gone && !ls_halt_leaves(e)) {
            ls_halt_begin(e, LS_AIM_REMOVE, now + timeout);
        }
    }
}

static ls_code add(ls_dir *d, const char *rel, ls_err *err) {
    ls_source *source = NULL;
    ls_code rc = ls_source_derive(d->source, d->config, rel, &source, err);
    if (rc == LS_OK) {
        const ls_coming coming = {.source = source,
                                  .config = source->derived,
                                  .origin = LS_ORIGIN_FOUND,
                                  .dir = d,
                                  .round = d->round};
        rc = ls_set_add(d->store, &coming, err);
        ls_source_drop(source);
    }
    return rc;
}

static void add_found(ls_dir *d, const char *rel, const char *path, ls_scan_file *file) {
    ls_err err = LS_ERR_INIT;
    const ls_entry *e = ls_set_find(d->store, path);
    if (e != NULL || is_declined(d, path)) {
        d->again = d->again || (e != NULL && ls_halt_leaves(e));
        return;
    }
    ls_code rc = add(d, rel, &err);
    if (rc == LS_EBUSY) {
        d->again = true;
    } else if (rc != LS_OK && !file->told) {
        ls_log_err(d->store->log, LS_WARN, "database that was found is not replicated", &err,
                   DIR_ATTRS(d, LS_STR("path", path)));
    }
    file->told = rc != LS_OK && rc != LS_EBUSY;
}

/* Links come last: where one leads to another database of the folder, the file itself counts. */
static void add_files(void *arg, const char *rel, ls_scan_file *file) {
    char *path = file->link ? NULL : path_of(arg, rel);
    if (path != NULL) {
        add_found(arg, rel, path, file);
    }
    free(path);
}

static void add_links(void *arg, const char *rel, ls_scan_file *file) {
    char *path = file->link ? path_of(arg, rel) : NULL;
    if (path != NULL) {
        add_found(arg, rel, path, file);
    }
    free(path);
}

/* Makes the databases of the folder those that the scan has. */
static void apply(ls_dir *d) {
    d->again = false;
    d->round++;
    ls_scan_each(d->scan, see, d);
    let_leave(d);
    ls_map_each(&d->declined, forget_gone, d);
    ls_scan_each(d->scan, add_files, d);
    ls_scan_each(d->scan, add_links, d);
}

/* ---- Looks ---- */

static void on_timer(uv_timer_t *timer);

static void arm(ls_dir *d, int64_t ns) {
    if (!d->store->stopping && !d->closing &&
        (!uv_is_active((uv_handle_t *)&d->timer) ||
         (uint64_t)(ns / LS_MS) < uv_timer_get_due_in(&d->timer))) {
        ls_entry_arm(&d->timer, on_timer, ns);
    }
}

static void say_failed(ls_dir *d) {
    if (d->rc == LS_OK || d->said == (int)d->rc) {
        d->said = d->rc == LS_OK ? 0 : d->said;
        return;
    }
    d->said = (int)d->rc;
    ls_log_err(d->store->log, LS_ERROR, "directory watcher error", &d->err,
               DIR_ATTRS(d, LS_INT("databases", (int64_t)d->result.dbs)));
}

/* Once for each folder. */
static void say_found(ls_dir *d) {
    if (!d->said_found) {
        d->said_found = true;
        ls_log_write(d->store->log, d->result.dbs == 0 && !d->config->watch ? LS_WARN : LS_INFO,
                     "found databases in directory",
                     LS_ATTRS(LS_STR("dir", d->config->dir),
                              LS_INT("count", (int64_t)d->result.dbs),
                              LS_BOOL("watch", d->config->watch)));
    }
}

static int64_t poll_interval(const ls_dir *d) {
    return d->config->monitor_interval > LS_SEC ? d->config->monitor_interval : LS_SEC;
}

static void say_limits(ls_dir *d) {
    const ls_scan_result *r = &d->result;
    if (r->unwatched > 0 && !d->said_watch) {
        d->said_watch = true;
        ls_log_write(d->store->log, LS_WARN, "cannot watch folders, polling instead",
                     DIR_ATTRS(d, LS_INT("folders", (int64_t)r->unwatched),
                               LS_STR("reason", strerror(r->why)),
                               LS_DUR("interval", poll_interval(d)),
                               LS_STR("hint", "raise fs.inotify.max_user_watches and "
                                              "fs.inotify.max_user_instances")));
    }
    if (r->unreadable > 0 && !d->said_unreadable) {
        ls_log_write(d->store->log, LS_WARN, "cannot read folders",
                     DIR_ATTRS(d, LS_INT("folders", (int64_t)r->unreadable),
                               LS_STR("first", r->first_unreadable),
                               LS_STR("hint", "litestream needs to read and search them")));
    }
    d->said_unreadable = r->unreadable > 0;
}

/* When the next look comes of itself. */
static void plan(ls_dir *d) {
    if (!d->config->watch) {
        return;
    }
    if (d->result.young > 0) {
        d->pause = d->pause == 0 ? SETTLE_NS : 2 * d->pause;
        d->pause = d->pause < LS_STORE_SAFETY_NS ? d->pause : LS_STORE_SAFETY_NS;
        arm(d, d->pause);
    } else {
        d->pause = 0;
    }
    if (d->result.unwatched > 0 || d->rc != LS_OK) {
        arm(d, poll_interval(d));
    }
}

/* Worker: one of libuv's. */
static void look_work(uv_work_t *work) {
    ls_dir *d = work->data;
    d->rc = ls_scan_look(d->scan, d->taken.all ? NULL : &d->taken, &d->result, &d->err);
}

static void free_if_closed(ls_dir *d);

static void look_done(uv_work_t *work, int status) {
    ls_dir *d = work->data;
    d->busy = false;
    if (d->closing || d->store->stopping || status != 0) {
        free_if_closed(d);
        return;
    }
    say_failed(d);
    say_limits(d);
    say_found(d);
    if (d->rc == LS_OK || d->rc == LS_ENOTFOUND) {
        apply(d);
    }
    plan(d);
    if (d->wanted) {
        arm(d, 0);
    }
    ls_set_sweep(d->store);
}

static void start_look(ls_dir *d) {
    if (d->busy || d->closing || d->store->stopping) {
        d->wanted = true;
        return;
    }
    (void)uv_timer_stop(&d->timer);
    d->wanted = false;
    d->taken = d->notes;
    d->taken.all = d->taken.all || d->all;
    d->notes = (ls_notes){.n = 0};
    d->all = false;
    ls_err_clear(&d->err);
    d->busy = uv_queue_work(&d->store->loop, &d->work, look_work, look_done) == 0;
    if (!d->busy) {
        d->all = true;
        arm(d, poll_interval(d));
    }
}

static void on_timer(uv_timer_t *timer) { start_look(timer->data); }

static void on_notice(uv_poll_t *poll, int status, int events) {
    ls_dir *d = poll->data;
    (void)events;
    if (status < 0) {
        d->notes.all = true;
    }
    ls_notify_read(d->notify, &d->notes);
    if (d->notes.n > 0 || d->notes.all) {
        d->pause = 0;
        arm(d, SETTLE_NS);
    }
}

/* ---- Life ---- */

static void free_if_closed(ls_dir *d) {
    if (!d->closing || d->busy || d->open_handles > 0) {
        return;
    }
    ls_scan_free(d->scan);
    if (d->notify >= 0) {
        (void)close(d->notify);
    }
    ls_map_each(&d->declined, ls_map_free_value, NULL);
    ls_map_done(&d->declined);
    ls_source_drop(d->source);
    free(d);
}

static void on_closed(uv_handle_t *handle) {
    ls_dir *d = handle->data;
    d->open_handles--;
    free_if_closed(d);
}

/* The loop frees it when nothing of it is open or runs. */
static void dir_free(ls_dir *d) {
    d->closing = true;
    uv_close((uv_handle_t *)&d->timer, on_closed);
    if (d->open_handles > 1) {
        uv_close((uv_handle_t *)&d->poll, on_closed);
    }
}

ls_code ls_dirs_check(const ls_db_config *config, ls_err *err) {
    struct stat st;
    ls_db_config *sample = NULL;
    ls_storage *storage = NULL;
    if (stat(config->dir, &st) != 0) {
        return ls_fail_errno(err, errno, "failed to scan directory %s", config->dir);
    }
    if (!S_ISDIR(st.st_mode)) {
        return ls_fail(err, LS_ECONFIG, "failed to scan directory %s: not a directory",
                       config->dir);
    }
    ls_code rc = ls_config_derive(config, "database", &sample, err);
    if (rc == LS_OK) {
        rc = ls_config_storage(sample, &storage, err);
    }
    ls_storage_free(storage);
    ls_config_derived_free(sample);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "%s", config->dir);
}

static ls_code make_room(ls_store *store, ls_err *err) {
    ls_dir **grown = reallocarray(store->dirs, store->n_dirs + 1, sizeof(ls_dir *));
    if (grown == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory for a directory");
    }
    store->dirs = grown;
    return LS_OK;
}

static ls_code dir_new(ls_store *store, ls_source *source, const ls_db_config *config, ls_dir **out,
                       ls_err *err) {
    int notify = config->watch ? ls_notify_open() : -ENOSYS;
    ls_dir *d = calloc(1, sizeof(*d));
    ls_scan *scan = NULL;
    ls_code rc = d == NULL ? ls_fail(err, LS_ENOMEM, "no memory for %s", config->dir)
                           : ls_scan_new(config->dir, config->pattern, config->recursive, notify,
                                         &scan, err);
    if (rc != LS_OK) {
        if (notify >= 0) {
            (void)close(notify);
        }
        free(d);
        return rc;
    }
    *d = (ls_dir){.store = store, .config = config, .notify = notify, .scan = scan, .all = true};
    d->source = ls_source_use(source);
    d->work.data = d->timer.data = d->poll.data = d;
    (void)uv_timer_init(&store->loop, &d->timer);
    d->open_handles = 1;
    if (notify >= 0 && uv_poll_init(&store->loop, &d->poll, notify) == 0) {
        d->open_handles++;
        (void)uv_poll_start(&d->poll, UV_READABLE, on_notice);
    }
    *out = d;
    return LS_OK;
}

/* The first look of a store that does not run yet: its databases are there when it starts. */
static ls_code first_look(ls_dir *d, ls_err *err) {
    ls_code rc = ls_scan_look(d->scan, NULL, &d->result, err);
    if (rc != LS_OK) {
        return rc;
    }
    if (d->result.dbs == 0 && !d->config->watch) {
        (void)ls_fail(err, LS_ENOTFOUND,
                      "no SQLite databases found in directory %s with pattern %s", d->config->dir,
                      d->config->pattern);
        return ls_hint(err, "check dir and pattern, or set watch: true for databases that come "
                            "later");
    }
    say_found(d);
    apply(d);
    return LS_OK;
}

ls_code ls_dirs_add(ls_store *store, ls_source *source, const ls_db_config *config, ls_err *err) {
    ls_dir *d = NULL;
    ls_code rc = ls_dirs_check(config, err);
    if (rc == LS_OK) {
        rc = make_room(store, err);
    }
    if (rc == LS_OK) {
        rc = dir_new(store, source, config, &d, err);
    }
    if (rc != LS_OK) {
        return rc;
    }
    store->dirs[store->n_dirs++] = d;
    if (store->running) {
        start_look(d);
        return LS_OK;
    }
    return first_look(d, err);
}

void ls_dirs_start(ls_store *store) {
    for (size_t i = 0; i < store->n_dirs; i++) {
        say_limits(store->dirs[i]);
        plan(store->dirs[i]);
    }
}

void ls_dirs_safety(ls_store *store) {
    for (size_t i = 0; i < store->n_dirs; i++) {
        ls_dir *d = store->dirs[i];
        if (d->config->watch) {
            d->all = true;
            start_look(d);
        }
    }
}

void ls_dirs_swept(ls_store *store) {
    for (size_t i = 0; i < store->n_dirs; i++) {
        if (store->dirs[i]->again) {
            arm(store->dirs[i], 0);
        }
    }
}

void ls_dirs_quiet(ls_store *store) {
    for (size_t i = 0; i < store->n_dirs; i++) {
        ls_dir *d = store->dirs[i];
        (void)uv_timer_stop(&d->timer);
        if (d->open_handles > 1) {
            (void)uv_poll_stop(&d->poll);
        }
    }
}

void ls_dirs_done(ls_store *store) {
    for (size_t i = 0; i < store->n_dirs; i++) {
        dir_free(store->dirs[i]);
    }
    free(store->dirs);
    store->dirs = NULL;
    store->n_dirs = 0;
}

/* ---- Reload ---- */

static ls_dir *dir_of(const ls_store *store, const ls_db_config *config) {
    for (size_t i = 0; i < store->n_dirs; i++) {
        ls_dir *d = store->dirs[i];
        if (!d->listed && d->config->fingerprint == config->fingerprint &&
            strcmp(d->config->dir, config->dir) == 0) {
            return d;
        }
    }
    return NULL;
}

/* Its databases leave: those of a folder with other settings come again by that. */
static void remove_dir(ls_dir *d) {
    d->round++;
    let_leave(d);
    for (size_t i = 0; i < d->store->n; i++) {
        ls_entry *e = d->store->entries[i];
        e->dir = e->dir == d ? NULL : e->dir;
    }
    dir_free(d);
}

static void remove_unlisted(ls_store *store) {
    size_t kept = 0;
    for (size_t i = 0; i < store->n_dirs; i++) {
        ls_dir *d = store->dirs[i];
        if (!d->listed) {
            remove_dir(d);
            continue;
        }
        d->listed = false;
        ls_map_each(&d->declined, ls_map_free_value, NULL);
        ls_map_done(&d->declined);
        d->all = true;
        start_look(d);
        store->dirs[kept++] = d;
    }
    store->n_dirs = kept;
}

ls_code ls_dirs_reload(ls_store *store, ls_source *source, ls_err *err) {
    ls_code rc = LS_OK;
    const ls_config *config = &source->config;
    size_t n = 0;
    const ls_db_config **added = calloc(config->n_dbs + 1, sizeof(const ls_db_config *));
    if (added == NULL) {
        return ls_fail(err, LS_ENOMEM, "reload of directories");
    }
    for (size_t i = 0; i < config->n_dbs; i++) {
        const ls_db_config *c = &config->dbs[i];
        ls_dir *d = c->dir == NULL ? NULL : dir_of(store, c);
        if (d != NULL) {
            d->listed = true;
        } else if (c->dir != NULL) {
            added[n++] = c;
        }
    }
    remove_unlisted(store);
    for (size_t i = 0; rc == LS_OK && i < n; i++) {
        rc = ls_dirs_add(store, source, added[i], err);
    }
    free(added);
    return rc;
}

/* ---- Without a store ---- */

typedef struct finding {
    ls_config *config;
    const ls_db_config *dir;
    ls_code rc;
    ls_err *err;
} finding;

static void note_found(void *arg, const char *rel, ls_scan_file *file) {
    finding *f = arg;
    (void)file;
    if (f->rc == LS_OK) {
        f->rc = ls_config_found(f->config, f->dir, rel, f->err);
    }
}

static ls_code find_in(ls_config *config, const ls_db_config *dir, ls_err *err) {
    ls_scan *scan = NULL;
    ls_scan_result result;
    finding f = {.config = config, .dir = dir, .err = err};
    ls_code rc = ls_scan_new(dir->dir, dir->pattern, dir->recursive, -ENOSYS, &scan, err);
    if (rc == LS_OK) {
        rc = ls_scan_look(scan, NULL, &result, err);
    }
    if (rc == LS_OK) {
        ls_scan_each(scan, note_found, &f);
        rc = f.rc;
    }
    ls_scan_free(scan);
    return rc;
}

ls_code ls_store_find_dirs(ls_config *config, ls_err *err) {
    ls_code rc = LS_OK;
    for (size_t i = 0; rc == LS_OK && i < config->n_dbs; i++) {
        if (config->dbs[i].dir != NULL) {
            rc = find_in(config, &config->dbs[i], err);
        }
    }
    return rc;
}
