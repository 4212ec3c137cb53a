/*
 * What is told of a database, gathered as its jobs end, and the watchdog of the safety poll: a log
 * that grows without a capture, and a replica that stays behind, are said aloud.
 *
 * Nothing here opens a file: closing any descriptor of a database or of the index of its log would
 * drop the locks that SQLite has on it in this process. Sizes are what stat says.
 */
#include "engine/store/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int64_t wall_ms(void) { return ls_wall_ms(&ls_clock_system); }

/* ---- Failures ---- */

static void error_clear(ls_error_state *s) {
    free(s->text);
    free(s->hint);
    *s = (ls_error_state){.since_ms = -1, .last_ms = -1};
}

/* Without memory the text is missing, the count is not. */
static void failed(ls_entry *e, ls_error_state *s, const ls_lane *lane) {
    s->last_ms = wall_ms();
    if (s->count++ == 0) {
        s->since_ms = s->last_ms;
        s->text = strdup(lane->err.msg);
        s->hint = strdup(ls_err_hint(&lane->err));
    }
    ls_event event = LS_EVENT_OF(LS_EVENT_ERROR, -1, .text = "");
    size_t len = strnlen(lane->err.msg, sizeof(event.text) - 1);
    memcpy(event.text, lane->err.msg, len);
    ls_event_add(e, event);
}

/* ---- Jobs that ended ---- */

static bool up_to_date(const ls_entry *e) {
    return ls_replica_checked(e->replica) && ls_replica_txid(e->replica) >= ls_db_txid(e->db);
}

/* Is the replica behind, and since when at the latest? */
static void judge_lag(ls_entry *e, int64_t since) {
    ls_seen *s = &e->seen;
    if (ls_db_txid(e->db) <= ls_replica_txid(e->replica)) {
        s->behind_at = 0;
        s->behind = false;
    } else if (s->behind_at == 0) {
        s->behind_at = since;
    }
    if (up_to_date(e) && ls_db_txid(e->db) > 0) {
        s->sync_ms = wall_ms();
    }
}

static void count_checkpoints(ls_entry *e) {
    static const struct {
        ls_checkpoint_mode mode;
        const char *name;
    } modes[LS_DB_CHECKPOINTS] = {[LS_DB_PASSIVE] = {LS_CHECKPOINT_PASSIVE, "passive"},
                                  [LS_DB_TRUNCATE] = {LS_CHECKPOINT_TRUNCATE, "truncate"}};
    for (int i = 0; i < LS_DB_CHECKPOINTS; i++) {
        const ls_db_checkpoints *made = &e->result.checkpoints[i];
        ls_count *c = &e->seen.checkpoints[modes[i].mode];
        if (made->done == 0) {
            continue;
        }
        c->done += (uint64_t)made->done;
        c->failed += (uint64_t)made->failed;
        c->ns += made->ns;
        e->seen.checkpoint_ms = wall_ms();
        ls_event event = LS_EVENT_OF(LS_EVENT_CHECKPOINT, -1, .max_txid = e->result.txid);
        memcpy(event.text, modes[i].name, strlen(modes[i].name) + 1);
        ls_event_add(e, event);
    }
}

static void captured(ls_entry *e, const ls_lane *lane) {
    ls_seen *s = &e->seen;
    int64_t now = ls_store_now();
    s->captures.done++;
    s->captures.failed += lane->rc != LS_OK;
    s->captures.ns += now - lane->begun;
    count_checkpoints(e);
    s->disk_full = lane->rc == LS_EFULL;
    if (lane->rc != LS_OK) {
        if (lane->rc != LS_EBUSY || e->capture_trouble.count >= LS_STORE_BUSY_TRIES) {
            failed(e, &s->capture_error, lane);
        }
        return;
    }
    error_clear(&s->capture_error);
    s->missing = !e->found;
    if (e->looked) {
        return;
    }
    s->page_size = e->result.page_size != 0 ? e->result.page_size : s->page_size;
    s->captured_bytes += e->result.log_bytes;
    s->captured_at = now;
    s->grows_at = 0;
    s->stalled = false;
    if (e->result.files > 0) {
        ls_txid txid = e->result.txid;
        s->capture_ms = wall_ms();
        ls_event_add(e, LS_EVENT_OF(LS_EVENT_CAPTURE, 0, .max_txid = txid,
                                    .min_txid = txid + 1 - (ls_txid)e->result.files));
    }
    judge_lag(e, lane->begun);
}

static void uploaded(ls_entry *e, const ls_lane *lane) {
    ls_seen *s = &e->seen;
    ls_txid there = ls_replica_txid(e->replica);
    if (there > e->from) {
        s->upload_ms = wall_ms();
        ls_event_add(e,
                     LS_EVENT_OF(LS_EVENT_UPLOAD, 0, .min_txid = e->from + 1, .max_txid = there));
    }
    if (lane->rc == LS_OK) {
        error_clear(&s->upload_error);
    } else if (e->next_remote != 0) { /* else it is compared again at once */
        failed(e, &s->upload_error, lane);
    }
    if (lane->rc == LS_OK && e->upload_all) {
        s->behind_at = 0; /* what it lacks now was captured since this upload began */
    }
    judge_lag(e, lane->begun);
}

static void compared(ls_entry *e, const ls_lane *lane) {
    if (lane->rc != LS_OK) {
        failed(e, &e->seen.upload_error, lane);
        return;
    }
    if (lane == &e->local) {
        error_clear(&e->seen.upload_error);
        judge_lag(e, lane->begun);
    }
}

static bool has_trouble(const ls_maint *m) {
    int count = 0;
    for (int job = 0; job < LS_JOBS; job++) {
        count += m->jobs[job].trouble.count;
    }
    return count > 0;
}

static void deleted(ls_entry *e) {
    const ls_retain_result *r = &e->maint.found.retained;
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        if (r->deleted[level] > 0) {
            ls_event event = LS_EVENT_OF(LS_EVENT_DELETE, level, .text = "");
            char *text = ls_asprintf("%zu files", r->deleted[level]);
            if (text != NULL) {
                memcpy(event.text, text, strnlen(text, sizeof(event.text) - 1));
            }
            free(text);
            ls_event_add(e, event);
        }
    }
    if (e->maint.running == LS_JOB_RETAIN_L0) {
        e->seen.l0 = (ls_l0_state){.any = true,
                                   .eligible = r->deleted[0],
                                   .not_compacted = r->l0_not_compacted,
                                   .too_recent = r->l0_too_recent};
    }
}

static void maintained(ls_entry *e, const ls_lane *lane) {
    const ls_maint *m = &e->maint;
    const ls_ltx_info *file = &m->found.file;
    if (lane->rc != LS_OK) {
        if (lane->rc != LS_ECANCELED) {
            failed(e, &e->seen.maint_error, lane);
        }
        return;
    }
    if (!has_trouble(m)) {
        error_clear(&e->seen.maint_error);
    }
    e->seen.verify_errors += lane->what == LS_WORK_COMPACT && m->found.bad_joins > 0;
    if (lane->what == LS_WORK_RETAIN) {
        deleted(e);
    } else if (lane == &m->lane && m->found.made > 0) {
        bool snapshot = lane->what == LS_WORK_SNAPSHOT;
        e->seen.snapshot_ms = snapshot ? wall_ms() : e->seen.snapshot_ms;
        ls_event_add(e, LS_EVENT_OF(snapshot ? LS_EVENT_SNAPSHOT : LS_EVENT_COMPACT,
                                    snapshot ? LS_LTX_LEVEL_SNAPSHOT : m->running + 1,
                                    .min_txid = file->min_txid, .max_txid = file->max_txid,
                                    .bytes = file->size));
    }
}

void ls_seen_ended(ls_entry *e, const ls_lane *lane) {
    switch (lane->what) {
    case LS_WORK_CAPTURE:
        captured(e, lane);
        break;
    case LS_WORK_UPLOAD:
        uploaded(e, lane);
        break;
    case LS_WORK_COMPARE:
        compared(e, lane);
        break;
    case LS_WORK_COMPACT:
    case LS_WORK_SNAPSHOT:
    case LS_WORK_RETAIN:
    case LS_WORK_VALIDATE:
        maintained(e, lane);
        break;
    case LS_WORK_LAST:
        if (lane->rc == LS_OK) {
            e->seen.sync_ms = wall_ms();
            e->seen.behind_at = 0;
        }
        break;
    case LS_WORK_MEASURE:
    case LS_WORK_CLOSE:
    case LS_WORK_RESTORE:
        break;
    }
}

/* ---- The watchdog ---- */

static void alarm_if(ls_entry *e, bool on, int64_t since, int64_t *logged, const char *msg) {
    int64_t now = ls_store_now();
    if (on && (*logged == 0 || now - *logged >= LS_STORE_LOG_NS)) {
        ls_err err = LS_ERR_INIT;
        *logged = now;
        (void)ls_fail(&err, LS_EBUSY, "%s: %s", ls_db_path(e->db), msg);
        (void)ls_hint(&err, "look at the records about this database before this one; if there are "
                            "none, something blocks: check disk, network and locks");
        ls_log_err(e->store->log, LS_ERROR, msg, &err,
                   LS_ENTRY_ATTRS(e, LS_STR("path", ls_db_path(e->db)), LS_DUR("for", now - since),
                                  LS_TXID("txid", ls_db_txid(e->db)),
                                  LS_TXID("replica_txid", ls_replica_txid(e->replica))));
    }
}

/* A log that differs from the one of the poll before, with no capture in between, grows since that
 * poll. */
static void judge_log(ls_entry *e, int64_t now) {
    ls_seen *s = &e->seen;
    struct stat st = {0};
    if (e->wal != NULL) {
        (void)!stat(e->wal, &st);
    }
    bool same = st.st_size == s->polled_size && st.st_mtim.tv_sec == s->polled_time.tv_sec &&
                st.st_mtim.tv_nsec == s->polled_time.tv_nsec;
    if (!same && s->polled_at > 0 && s->captured_at < s->polled_at && s->grows_at == 0) {
        s->grows_at = s->polled_at;
    }
    s->polled_size = st.st_size;
    s->polled_time = st.st_mtim;
    s->polled_at = now;
}

/* Did it last for too long, leaving out the time for which the settings let it wait? */
static bool too_long(const ls_entry *e, int64_t since, int64_t next, const ls_trouble *t) {
    int64_t from = t->count == 0 && next > since ? next : since;
    return since > 0 && ls_store_now() - from >= e->store->stall_limit;
}

void ls_seen_safety(ls_entry *e) {
    ls_seen *s = &e->seen;
    judge_log(e, ls_store_now());
    s->stalled = too_long(e, s->grows_at, e->next_capture, &e->capture_trouble);
    s->behind = too_long(e, s->behind_at, e->next_remote, &e->remote_trouble);
    alarm_if(e, s->stalled, s->grows_at, &s->stalled_logged, "the log grows and is not captured");
    alarm_if(e, s->behind && !s->stalled, s->behind_at, &s->behind_logged,
             "the replica stays behind");
}

/* ---- Copies ---- */

static ls_db_status status_of(const ls_entry *e) {
    const ls_seen *s = &e->seen;
    ls_err why;
    bool refused = e->lease != NULL && ls_lease_refused(e->lease, &why);
    return e->halt != LS_HALT_NONE ? LS_DB_STOPPED
           : !e->monitored         ? LS_DB_OPEN
           : s->missing            ? LS_DB_MISSING
           : s->stalled            ? LS_DB_STALLED
           : s->behind             ? LS_DB_BEHIND
           : s->capture_error.count > 0 || s->upload_error.count > 0 || e->diverged || refused
               ? LS_DB_ERROR
               : LS_DB_REPLICATING;
}

static ls_work_state work_of(const ls_lane *lane) {
    static const char *const whats[] = {
        [LS_WORK_CAPTURE] = "capture", [LS_WORK_MEASURE] = "measure",
        [LS_WORK_COMPARE] = "compare", [LS_WORK_UPLOAD] = "upload",
        [LS_WORK_LAST] = "last sync",  [LS_WORK_CLOSE] = "close",
        [LS_WORK_COMPACT] = "compact", [LS_WORK_SNAPSHOT] = "snapshot",
        [LS_WORK_RETAIN] = "retain",   [LS_WORK_VALIDATE] = "validate",
        [LS_WORK_RESTORE] = "restore"};
    if (!lane->busy) {
        return (ls_work_state){.since_ms = -1};
    }
    return (ls_work_state){.what = whats[lane->what],
                           .since_ms = wall_ms() - (ls_store_now() - lane->begun) / LS_MS};
}

/* When a job runs next. */
static int64_t next_of(const ls_maint_job *job) {
    if (!job->wanted) {
        return INT64_MAX;
    }
    int64_t ms = (job->next - ls_store_now()) / LS_MS;
    return wall_ms() + (ms > 0 ? ms : 0);
}

static bool copy_text(char **to, const char *from) {
    *to = from == NULL ? NULL : strdup(from);
    return from == NULL || *to != NULL;
}

static bool copy_error(ls_error_state *to, const ls_error_state *from) {
    *to = *from;
    to->text = to->hint = NULL;
    return copy_text(&to->text, from->text) && copy_text(&to->hint, from->hint);
}

/* Who holds the lease is told also while there is nothing to upload. */
static bool copy_upload_error(ls_db_state *state, const ls_entry *e) {
    const ls_error_state *own = &e->seen.upload_error;
    ls_err why = LS_ERR_INIT;
    if (own->count > 0 || e->lease == NULL || !ls_lease_refused(e->lease, &why)) {
        return copy_error(&state->upload_error, own);
    }
    state->upload_error = (ls_error_state){.count = 1, .since_ms = -1, .last_ms = -1};
    return copy_text(&state->upload_error.text, why.msg) &&
           copy_text(&state->upload_error.hint, ls_err_hint(&why));
}

static bool copy_texts(ls_db_state *state, const ls_entry *e) {
    const ls_storage *storage = ls_replica_storage(e->replica);
    return copy_text(&state->path, ls_db_path(e->db)) &&
           copy_text(&state->replica_type, ls_storage_type(storage)) &&
           copy_text(&state->replica_url, ls_storage_url(storage)) &&
           copy_text(&state->meta_path, ls_db_meta_path(e->db)) &&
           copy_error(&state->capture_error, &e->seen.capture_error) &&
           copy_upload_error(state, e) && copy_error(&state->maint_error, &e->seen.maint_error);
}

static void copy_levels(ls_db_state *state, ls_entry *e) {
    const ls_maint_job *jobs = e->maint.jobs;
    ls_levels_read(&e->levels, state->levels, &state->levels_ms);
    state->next_snapshot_ms = next_of(&jobs[LS_JOB_SNAPSHOT]);
    for (int level = 0; level <= LS_LTX_LEVEL_MAX; level++) {
        ls_level_state *l = &state->levels[level];
        bool compacted = level > 0 && level <= LS_JOB_SNAPSHOT;
        l->level = level;
        l->next_ms = compacted                        ? next_of(&jobs[level - 1])
                     : level == LS_LTX_LEVEL_SNAPSHOT ? state->next_snapshot_ms
                                                      : INT64_MAX;
        l->oldest_ms = l->files == 0 ? -1 : l->oldest_ms;
        l->newest_ms = l->files == 0 ? -1 : l->newest_ms;
    }
}

static uint64_t size_of(const char *path) {
    struct stat st;
    return path != NULL && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

ls_code ls_seen_state(ls_entry *e, ls_db_state *state, ls_err *err) {
    ls_seen *s = &e->seen;
    bool stopped = e->halt >= LS_HALT_CLOSING;
    *state = (ls_db_state){
        .status = status_of(e),
        .txid = stopped ? e->halt_txid : ls_db_txid(e->db),
        .replica_txid = stopped ? e->halt_txid : ls_replica_txid(e->replica),
        .db_size = size_of(ls_db_path(e->db)),
        .wal_size = size_of(e->wal),
        .last_capture_ms = s->capture_ms,
        .last_upload_ms = s->upload_ms,
        .last_sync_ms = s->sync_ms,
        .lag_ms = s->behind_at == 0 ? 0 : (ls_store_now() - s->behind_at) / LS_MS,
        .last_checkpoint_ms = s->checkpoint_ms,
        .last_snapshot_ms = s->snapshot_ms,
        .captures = s->captures,
        .compaction_verify_errors = s->verify_errors,
        .captured_bytes = s->captured_bytes,
        .page_size = s->page_size,
        .l0 = s->l0,
        .disk_full = s->disk_full,
        .capture = work_of(&e->local),
        .upload = work_of(&e->remote),
        .maint = work_of(&e->maint.lane),
    };
    memcpy(state->checkpoints, s->checkpoints, sizeof(state->checkpoints));
    copy_levels(state, e);
    if (!copy_texts(state, e)) {
        ls_db_state_done(state);
        *state = (ls_db_state){0};
        return ls_fail(err, LS_ENOMEM, "state of %s", ls_db_path(e->db));
    }
    return LS_OK;
}

/* ---- Life ---- */

void ls_seen_init(ls_entry *e) {
    ls_seen *s = &e->seen;
    s->capture_ms = s->upload_ms = s->sync_ms = s->snapshot_ms = s->checkpoint_ms = -1;
    error_clear(&s->capture_error);
    error_clear(&s->upload_error);
    error_clear(&s->maint_error);
}

void ls_seen_done(ls_entry *e) {
    error_clear(&e->seen.capture_error);
    error_clear(&e->seen.upload_error);
    error_clear(&e->seen.maint_error);
}
