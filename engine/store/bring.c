/*
 * A database with restore-if-db-not-exists that is added while the daemon runs comes from its
 * replica, if it is missing and there is one, before anything else is done for it: once captured,
 * a new file in its place would be the replica's newest state.
 *
 * The jobs run in the remote lane. A failure is tried again for as long as there is no file; a stop
 * cancels it, and it goes on when the database starts again.
 */
#include "engine/store/internal.h"

#include "engine/restore/restore.h"

#include <errno.h>
#include <sys/stat.h>

static bool is_missing(const ls_entry *e) {
    struct stat st;
    return stat(ls_db_path(e->db), &st) != 0 && errno == ENOENT;
}

void ls_bring_init(ls_entry *e) { e->bring = e->config->restore_if_db_not_exists && is_missing(e); }

static ls_code restore(ls_entry *e, ls_err *err) {
    const ls_restore_opts opts = {
        .output = ls_db_path(e->db), .timestamp_ms = LS_NO_TIMESTAMP, .cancel = &e->bring_cancel};
    ls_restore_result result;
    ls_storage *storage = NULL;
    ls_code rc = ls_config_storage(e->config, &storage, err);
    if (rc == LS_OK) {
        ls_storage_set_log(storage, e->store->log);
        rc = ls_restore(storage, &opts, &result, err);
    }
    ls_storage_free(storage);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "restore %s", ls_db_path(e->db));
}

/* Worker. Somebody else may have made the file meanwhile. */
static void bring_work(ls_entry *e, ls_lane *lane) {
    lane->rc = is_missing(e) ? restore(e, &lane->err) : LS_OK;
}

static void go_on(ls_entry *e, const char *msg) {
    ls_log_write(e->store->log, LS_INFO, msg, LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db))));
    e->bring = false;
    e->dirty = true;
    e->next_remote = 0;
    e->remote_trouble = (ls_trouble){0};
    if (e->halt == LS_HALT_NONE && !e->store->stopping) {
        ls_watch_entry(e);
    }
}

static void bring_done(ls_entry *e, ls_lane *lane) {
    if (lane->rc == LS_OK) {
        go_on(e, "restore completed");
    } else if (lane->rc == LS_ENOBACKUP) {
        lane->rc = LS_OK;
        ls_err_clear(&lane->err);
        go_on(e, "no backup found, starting fresh");
    } else if (!ls_canceled(&e->bring_cancel)) {
        e->next_remote = ls_store_now() + ls_entry_failed(e, &e->remote_trouble, "restore error",
                                                          e->config->replica.sync_interval,
                                                          LS_STORE_REMOTE_BACKOFF_NS, lane);
    }
}

static void on_timer(uv_timer_t *timer) { ls_entry_pump(timer->data); }

void ls_bring_pump(ls_entry *e) {
    int64_t now = ls_store_now();
    if (now < e->next_remote) {
        ls_entry_arm(&e->remote_timer, on_timer, e->next_remote - now);
        return;
    }
    if (e->remote_trouble.count == 0) {
        ls_log_write(e->store->log, LS_INFO, "attempting restore before replication",
                     LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db))));
    }
    atomic_store(&e->bring_cancel.set, false);
    ls_lane_submit(&e->remote, e->store->remote, LS_WORK_RESTORE, bring_work, bring_done);
}

void ls_bring_cancel(ls_entry *e) { ls_cancel_set(&e->bring_cancel); }
