/*
 * One straight sync of a database - compare, capture all, upload all - and with it the end of a
 * run: each database gets a last sync, tried again until shutdown-sync-timeout.
 */
#include "engine/store/internal.h"

#include <sys/stat.h>

/* ---- One database, on a worker ---- */

/* So often at most another sync follows because of our own commit: an application that writes on
 * may make each of them restart the log again. */
#define BUMPS_MAX 8

/* All that is committed by now, in as many pieces as it takes, and what we commit ourselves. */
static ls_code capture_all(ls_entry *e, bool *missing, ls_err *err) {
    ls_db_sync_result res;
    int bumps = 0;
    do {
        res = (ls_db_sync_result){0};
        ls_code rc = ls_db_sync(e->db, &res, err);
        if (rc != LS_OK) {
            return ls_wrap(err, "sync database %s", ls_db_path(e->db));
        }
        if (res.settling) {
            return ls_fail(err, LS_EBUSY, "sync database %s: it was replaced a moment ago",
                           ls_db_path(e->db));
        }
        bumps += res.bumped;
    } while ((res.more || (res.bumped && bumps <= BUMPS_MAX)) && !ls_canceled(&e->store->cancel));
    *missing = res.missing;
    return LS_OK;
}

/* One round. A store that cannot be compared does not keep the log from being captured. */
static ls_code sync_round(ls_entry *e, bool *missing, ls_err *err) {
    ls_err check = LS_ERR_INIT;
    ls_code checked = ls_tenure_begin(e, &check);
    if (checked == LS_OK) {
        checked = ls_replica_check(e->replica, &check);
    }
    ls_code rc = capture_all(e, missing, err);
    if (rc == LS_OK && checked != LS_OK) {
        *err = check;
        rc = checked;
    } else if (rc == LS_OK) {
        rc = ls_replica_sync(e->replica, ls_db_txid(e->db), NULL, err);
    } else {
        return rc;
    }
    return rc == LS_OK ? LS_OK : ls_wrap(err, "sync replica for %s", ls_db_path(e->db));
}

ls_code ls_entry_sync_all(ls_entry *e, bool *missing, ls_err *err) {
    struct stat st;
    ls_txid local = 0;
    *missing = false;
    ls_code rc = ls_db_local_txid(ls_db_meta_path(e->db), &local, err);
    if (rc == LS_OK && local == 0 && stat(ls_db_path(e->db), &st) != 0) {
        *missing = true; /* nothing here, so the store need not be asked */
        return LS_OK;
    }
    if (rc == LS_OK) {
        rc = sync_round(e, missing, err);
    }
    if (rc == LS_EGAP && !ls_replica_checked(e->replica)) {
        ls_err_clear(err);
        rc = sync_round(e, missing, err);
    }
    return rc;
}

/* ---- The end of a run ---- */

static void finish(ls_entry *e, ls_code rc, const ls_err *err) {
    ls_store *store = e->store;
    e->finished = true;
    if (rc != LS_OK && store->first_err.code == LS_OK) {
        store->first_err = *err;
    }
    store->unfinished--;
    if (store->unfinished == 0) {
        uv_stop(&store->loop);
    }
}

static void final_work(ls_entry *e, ls_lane *lane) {
    bool missing;
    lane->rc = ls_entry_sync_all(e, &missing, &lane->err);
    if (lane->rc == LS_OK) {
        ls_tenure_end(e);
    }
}

static void skip(ls_entry *e, const ls_err *last) {
    ls_err err = LS_ERR_INIT;
    (void)ls_fail(&err, LS_ECANCELED, "after %d attempts: shutdown sync interrupted", e->attempts);
    ls_log_write(e->store->log, LS_WARN,
                 e->attempts > 0 ? "shutdown sync interrupted by signal"
                                 : "shutdown sync skipped, interrupted by signal",
                 LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)),
                                LS_INT("attempts", e->attempts),
                                LS_DUR("duration", ls_store_now() - e->final_start),
                                LS_STR("last", last == NULL ? "" : last->msg)));
    finish(e, LS_ECANCELED, &err);
}

static void final_failed(ls_entry *e, ls_lane *lane) {
    const ls_store *store = e->store;
    int64_t now = ls_store_now(), interval = store->rules.shutdown_sync_interval;
    bool hopeless = lane->rc == LS_EDIVERGED || lane->rc == LS_EHELD || lane->rc == LS_ENOTDB;
    if (hopeless || now + interval > store->deadline) {
        ls_log_err(store->log, LS_ERROR, "shutdown sync failed after timeout", &lane->err,
                   LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)),
                                  LS_INT("attempts", e->attempts),
                                  LS_DUR("duration", now - e->final_start)));
        (void)ls_wrap(&lane->err, "shutdown sync timeout after %d attempts", e->attempts);
        finish(e, lane->rc, &lane->err);
        return;
    }
    ls_log_err(store->log, LS_WARN, "shutdown sync failed, retrying (press Ctrl+C again to skip)",
               &lane->err,
               LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)), LS_INT("attempts", e->attempts),
                              LS_DUR("elapsed", now - e->final_start),
                              LS_DUR("remaining", store->deadline - now)));
    e->final_next = now + interval;
}

static void final_done(ls_entry *e, ls_lane *lane) {
    e->attempts++;
    if (lane->rc != LS_OK && e->store->skip) {
        skip(e, &lane->err);
    } else if (lane->rc != LS_OK) {
        final_failed(e, lane);
    } else {
        if (e->attempts > 1) {
            ls_log_write(e->store->log, LS_INFO, "shutdown sync succeeded after retry",
                         LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)),
                                        LS_INT("attempts", e->attempts),
                                        LS_DUR("duration", ls_store_now() - e->final_start)));
        }
        finish(e, LS_OK, NULL);
    }
}

static void on_retry(uv_timer_t *timer) { ls_entry_pump(timer->data); }

void ls_final_pump(ls_entry *e) {
    if (e->finished || e->local.busy || e->remote.busy) {
        return;
    }
    ls_maint_settle(e);
    if (!e->monitored || e->halt >= LS_HALT_CLOSING) {
        finish(e, LS_OK, NULL);
        return;
    }
    if (e->store->skip) {
        skip(e, e->attempts > 0 ? &e->remote.err : NULL);
        return;
    }
    int64_t now = ls_store_now();
    if (now < e->final_next) {
        ls_entry_arm(&e->remote_timer, on_retry, e->final_next - now);
    } else {
        ls_lane_submit(&e->remote, e->store->remote, LS_WORK_LAST, final_work, final_done);
    }
}

void ls_final_begin(ls_store *store) {
    if (store->stopping) {
        return;
    }
    store->stopping = true;
    ls_calls_close(store);
    store->unfinished = store->n;
    int64_t now = ls_store_now();
    store->deadline = now + store->rules.shutdown_sync_timeout;
    ls_cancel_set(&store->maint_cancel);
    (void)uv_timer_stop(&store->safety);
    ls_dirs_quiet(store);
    if (store->n == 0) {
        uv_stop(&store->loop);
    }
    for (size_t i = 0; i < store->n; i++) {
        ls_entry *e = store->entries[i];
        ls_entry_quiet(e);
        e->final_start = now;
        ls_final_pump(e);
    }
}

void ls_final_skip(ls_store *store) {
    store->skip = true;
    ls_cancel_set(&store->cancel);
    for (size_t i = 0; i < store->n; i++) {
        ls_final_pump(store->entries[i]);
    }
}
