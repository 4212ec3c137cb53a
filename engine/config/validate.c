/* Checks of a configuration's values, in the order in which they are reported. */
#include "engine/base/file.h"
#include "engine/base/glob.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/config/raw.h"

#include <stdio.h>
#include <string.h>

#define LEVELS_MAX 8

static ls_code not_positive(const ls_raw *v, const char *name, const char *key, const char *what,
                            ls_err *err) {
    char got[32];

    if (!v->set || v->num > 0)
        return LS_OK;
    return ls_raw_fail(err, name, v, "%s: %s must be greater than 0 (got %s)", key, what,
                       ls_duration_format(v->num, got, sizeof got));
}

static ls_code negative(const ls_raw *v, const char *name, const char *key, const char *what,
                        ls_err *err) {
    char got[32];

    if (!v->set || v->num >= 0)
        return LS_OK;
    return ls_raw_fail(err, name, v, "%s: %s (got %s)", key, what,
                       ls_duration_format(v->num, got, sizeof got));
}

static ls_code check_intervals(const ls_raw_top *t, const char *name, ls_err *err) {
    ls_code rc =
        not_positive(&t->snapshot_interval, name, "snapshot.interval", "snapshot interval", err);

    if (rc == LS_OK)
        rc = not_positive(&t->snapshot_retention, name, "snapshot.retention", "snapshot retention",
                          err);
    if (rc == LS_OK)
        rc = negative(&t->l0_retention, name, "l0-retention", "l0 retention must not be negative",
                      err);
    if (rc == LS_OK)
        rc = not_positive(&t->l0_retention_check_interval, name, "l0-retention-check-interval",
                          "l0 retention check interval", err);
    if (rc == LS_OK)
        rc = negative(&t->shutdown_sync_timeout, name, "shutdown-sync-timeout",
                      "shutdown-sync-timeout must be >= 0", err);
    if (rc == LS_OK)
        rc = not_positive(&t->shutdown_sync_interval, name, "shutdown-sync-interval",
                          "shutdown sync interval", err);
    return rc;
}

static ls_code check_heartbeat(const ls_raw_top *t, const char *name, ls_err *err) {
    const ls_raw *url = &t->heartbeat_url, *interval = &t->heartbeat_interval;
    char got[32];

    /* The URL itself is not shown: it usually holds the token of a monitoring service. */
    if (url->set && url->str[0] != '\0' && !ls_has_prefix(url->str, "http://") &&
        !ls_has_prefix(url->str, "https://"))
        return ls_raw_fail(err, name, url,
                           "heartbeat-url: heartbeat URL must be a valid HTTP or HTTPS URL");
    if (interval->set && interval->num < 60 * LS_SEC)
        return ls_raw_fail(
            err, name, interval,
            "heartbeat-interval: heartbeat interval must be at least 1 minute (got %s)",
            ls_duration_format(interval->num, got, sizeof got));
    return LS_OK;
}

static ls_code check_logging(const ls_raw_top *t, const char *name, ls_err *err) {
    static const char *const levels[] = {"trace", "debug", "info", "warn", "error", NULL};
    const ls_raw *level = &t->log_level, *type = &t->log_type;
    ls_level ignored;
    ls_log_format format;

    if (level->set && level->str[0] != '\0' && !ls_level_parse(level->str, &ignored)) {
        (void)ls_raw_fail(err, name, level, "logging.level: unknown level \"%.40s\"", level->str);
        const char *near = ls_nearest(level->str, levels);
        if (near != NULL)
            return ls_hint(err, "did you mean \"%s\"?", near);
        return ls_hint(err, "one of trace, debug, info, warn, error");
    }
    if (!type->set || type->str[0] == '\0' || ls_log_format_parse(type->str, &format))
        return LS_OK;
    (void)ls_raw_fail(err, name, type, "logging.type: unknown type \"%.40s\"", type->str);
    return ls_hint(err, "one of text, json, pretty");
}

static ls_code check_levels(const ls_raw_top *t, const char *name, ls_err *err) {
    char key[64];

    for (size_t i = 0; i < t->n_levels; i++) {
        const ls_raw *v = &t->levels[i].interval;
        snprintf(key, sizeof key, "levels[%zu].interval", i);
        ls_code rc =
            v->set ? not_positive(v, name, key, "compaction interval", err)
                   : ls_raw_fail(err, name, &t->levels_list,
                                 "%s: compaction interval must be greater than 0 (got 0s)", key);
        if (rc != LS_OK)
            return rc;
    }
    return LS_OK;
}

static bool has_text(const ls_raw *v) { return v->set && v->str[0] != '\0'; }
static bool is_true(const ls_raw *v) { return v->set && v->num != 0; }

static ls_code check_db_target(const ls_raw_db *db, size_t n, const char *name, ls_err *err) {
    bool dir = has_text(&db->dir);
    const char *what = NULL;

    if (has_text(&db->path) && dir)
        what = "cannot specify both 'path' and 'dir'";
    else if (!has_text(&db->path) && !dir)
        what = "must specify either 'path' or 'dir'";
    else if (dir && !has_text(&db->pattern))
        what = "'pattern' is required when using 'dir'";
    else if (!dir && is_true(&db->watch))
        what = "'watch' can only be enabled with a directory";
    else if (!dir && has_text(&db->meta_dir))
        what = "'meta-dir' can only be used with a directory";
    else if (has_text(&db->meta_dir) && has_text(&db->meta_path))
        what = "cannot specify both 'meta-path' and 'meta-dir'";
    if (what != NULL)
        return ls_raw_fail(err, name, &db->self, "database config #%zu: %s", n, what);
    if (!dir || ls_glob_valid(db->pattern.str))
        return LS_OK;
    (void)ls_raw_fail(err, name, &db->pattern, "database config #%zu: syntax error in pattern", n);
    return ls_hint(err,
                   "a [class] must be closed and not empty: \"*.db\", \"tenant-[0-9]*.sqlite\"");
}

const ls_raw_replica *ls_raw_db_replica(const ls_raw_db *db) {
    return db->replica_map.set ? &db->replica : &db->listed;
}

static ls_code check_age(const ls_raw_replica *r, const char *name, ls_err *err) {
    const ls_raw *at = r->age_identities.num > 0 ? &r->age_identities : &r->age_recipients;

    if (at->num == 0)
        return LS_OK;
    (void)ls_raw_fail(err, name, at,
                      "age encryption is not currently supported, if you need encryption please "
                      "revert back to Litestream v0.3.x");
    return ls_hint(err, "remove age, or use encryption that the store offers");
}

static ls_code check_max_files(const ls_raw *v, const char *name, ls_err *err) {
    if (!v->set || v->num >= 0)
        return LS_OK;
    return ls_raw_fail(err, name, v, "max-sync-ltx-files: must not be negative");
}

/* Stores tell ages in seconds. */
static ls_code check_lease_ttl(const ls_raw *v, const char *name, ls_err *err) {
    char got[32];

    if (!v->set || (v->num >= 3 * LS_SEC && v->num <= 24 * 3600 * LS_SEC))
        return LS_OK;
    return ls_raw_fail(err, name, v, "lease-ttl: must be from 3s to 24h (got %s)",
                       ls_duration_format(v->num, got, sizeof got));
}

static ls_code check_db_replica(const ls_raw_top *t, const ls_raw_db *db, const char *id,
                                const char *name, ls_err *err) {
    const ls_raw_replica *r = ls_raw_db_replica(db);
    const ls_raw *sync = r->sync_interval.set ? &r->sync_interval : &t->globals.sync_interval;
    char key[LS_ERR_MSG_MAX / 2];

    if (db->replica_map.set && db->replicas_list.set)
        return ls_raw_fail(err, name, &db->replicas_list,
                           "dbs[%s]: cannot specify 'replica' and 'replicas' on a database", id);
    if (db->replicas_list.set && db->replicas_list.num > 1)
        return ls_raw_fail(
            err, name, &db->replicas_list,
            "dbs[%s]: multiple replicas on a single database are no longer supported", id);
    ls_code rc = check_age(r, name, err);
    if (rc == LS_OK)
        rc = check_max_files(&r->max_sync_ltx_files, name, err);
    if (rc == LS_OK)
        rc = check_lease_ttl(&r->lease_ttl, name, err);
    if (rc != LS_OK)
        return rc;
    snprintf(key, sizeof key, "dbs[%s].%s.sync-interval", id,
             db->replica_map.set ? "replica" : "replicas[0]");
    return not_positive(sync, name, key, "sync interval", err);
}

static ls_code check_db_numbers(const ls_raw_db *db, const char *id, const char *name,
                                ls_err *err) {
    const struct {
        const ls_raw *v;
        const char *key, *what;
        bool positive;
    } checks[] = {
        {&db->snapshot_interval, "snapshot.interval", "snapshot interval", true},
        {&db->snapshot_retention, "snapshot.retention", "snapshot retention", true},
        {&db->monitor_interval, "monitor-interval", "monitor interval", true},
        {&db->checkpoint_interval, "checkpoint-interval",
         "checkpoint interval must not be negative", false},
        {&db->busy_timeout, "busy-timeout", "busy timeout must not be negative", false},
    };
    char key[LS_ERR_MSG_MAX / 2];

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        snprintf(key, sizeof key, "dbs[%s].%s", id, checks[i].key);
        ls_code rc = checks[i].positive ? not_positive(checks[i].v, name, key, checks[i].what, err)
                                        : negative(checks[i].v, name, key, checks[i].what, err);
        if (rc != LS_OK)
            return rc;
    }
    return LS_OK;
}

static ls_code check_db_ranges(const ls_raw_db *db, const char *id, const char *name, ls_err *err) {
    const ls_raw *v = &db->min_checkpoint_page_count;

    if (v->set && (v->num <= 0 || v->num > INT32_MAX))
        return ls_raw_fail(err, name, v,
                           "dbs[%s].min-checkpoint-page-count: minimum checkpoint page count "
                           "required (1 to %d)",
                           id, INT32_MAX);
    v = &db->truncate_page_n;
    if (v->set && (v->num < INT32_MIN || v->num > INT32_MAX))
        return ls_raw_fail(err, name, v, "dbs[%s].truncate-page-n: out of range", id);
    v = &db->max_sync_wal_bytes;
    if (v->set && v->num < 0)
        return ls_raw_fail(err, name, v, "dbs[%s].max-sync-wal-bytes: must not be negative", id);
    return LS_OK;
}

static ls_code check_db(const ls_raw_top *t, const ls_raw_db *db, size_t n, const char *name,
                        ls_err *err) {
    const char *id = has_text(&db->path) ? db->path.str : db->dir.str;
    char shown[256];

    ls_code rc = check_db_target(db, n, name, err);
    if (rc != LS_OK)
        return rc;
    snprintf(shown, sizeof shown, "%s", id);
    rc = check_db_replica(t, db, shown, name, err);
    if (rc == LS_OK)
        rc = check_db_numbers(db, shown, name, err);
    if (rc == LS_OK)
        rc = check_db_ranges(db, shown, name, err);
    return rc;
}

/* Databases may set the snapshot schedule, but there is only one. */
static ls_code check_conflict(const ls_raw_top *t, size_t offset, const char *what,
                              const char *name, ls_err *err) {
    const ls_raw_db *first = NULL;
    char a[32], b[32];

    for (size_t i = 0; i < t->n_dbs; i++) {
        const ls_raw_db *db = &t->dbs[i];
        const ls_raw *v = (const ls_raw *)(const void *)((const char *)db + offset);
        if (!v->set)
            continue;
        if (first == NULL)
            first = db;
        const ls_raw *w = (const ls_raw *)(const void *)((const char *)first + offset);
        if (v->num != w->num)
            return ls_raw_fail(err, name, v,
                               "conflicting database snapshot %s: %.200s has %s, %.200s has %s",
                               what, has_text(&first->path) ? first->path.str : first->dir.str,
                               ls_duration_format(w->num, a, sizeof a),
                               has_text(&db->path) ? db->path.str : db->dir.str,
                               ls_duration_format(v->num, b, sizeof b));
    }
    return LS_OK;
}

ls_code ls_raw_validate(const ls_raw_top *top, const char *name, ls_err *err) {
    ls_code rc = check_intervals(top, name, err);

    if (rc == LS_OK)
        rc = check_heartbeat(top, name, err);
    if (rc == LS_OK)
        rc = check_logging(top, name, err);
    if (rc == LS_OK)
        rc = check_levels(top, name, err);
    if (rc == LS_OK)
        rc = check_age(&top->globals, name, err);
    if (rc == LS_OK)
        rc = check_max_files(&top->globals.max_sync_ltx_files, name, err);
    if (rc == LS_OK)
        rc = check_lease_ttl(&top->globals.lease_ttl, name, err);
    for (size_t i = 0; i < top->n_dbs && rc == LS_OK; i++)
        rc = check_db(top, &top->dbs[i], i + 1, name, err);
    if (rc == LS_OK)
        rc = check_conflict(top, offsetof(ls_raw_db, snapshot_interval), "intervals", name, err);
    if (rc == LS_OK)
        rc = check_conflict(top, offsetof(ls_raw_db, snapshot_retention), "retentions", name, err);
    return rc;
}
