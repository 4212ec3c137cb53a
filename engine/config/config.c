/* A configuration read, decoded, checked and filled in. */
#include "engine/config/config.h"

#include "engine/base/text.h"
#include "engine/config/raw.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* All texts of a configuration together: aliases could multiply one long text many times. */
#define TEXT_MAX ((size_t)64 << 20)

#define SYNC_INTERVAL LS_SEC
#define LEASE_TTL (30 * LS_SEC)
#define MAX_SYNC_LTX_FILES 256
#define MONITOR_INTERVAL LS_SEC
#define CHECKPOINT_INTERVAL (60 * LS_SEC)
#define BUSY_TIMEOUT LS_SEC

typedef struct maker {
    const ls_raw_top *top;
    size_t text; /* bytes copied */
    ls_err *err;
} maker;

void ls_config_init(ls_config *c) {
    *c = (ls_config){
        .log_level = LS_INFO,
        .shutdown_sync_timeout = 30 * LS_SEC,
        .shutdown_sync_interval = 500 * LS_MS,
        .levels = {30 * LS_SEC, 5 * 60 * LS_SEC, 3600 * LS_SEC},
        .n_levels = 3,
        .snapshot_interval = 24 * 3600 * LS_SEC,
        .snapshot_retention = 24 * 3600 * LS_SEC,
        .retention_enabled = true,
        .l0_retention = 5 * 60 * LS_SEC,
        .l0_retention_check_interval = 15 * LS_SEC,
        .socket_mode = 0600,
        .heartbeat_interval = 300 * LS_SEC,
    };
}

static void db_done(ls_db_config *db) {
    free(db->path);
    free(db->dir);
    free(db->pattern);
    free(db->meta_path);
    free(db->meta_dir);
    free(db->replica.type);
    free(db->replica.url);
    free(db->replica.path);
    for (size_t i = 0; i < db->replica.n_settings; i++) {
        explicit_bzero(db->replica.settings[i].value, strlen(db->replica.settings[i].value));
        free(db->replica.settings[i].value);
    }
    free(db->replica.settings);
}

void ls_config_done(ls_config *c) {
    for (size_t i = 0; i < c->n_dbs; i++)
        db_done(&c->dbs[i]);
    free(c->dbs);
    for (size_t i = 0; i < c->n_found; i++)
        ls_config_derived_free(c->found[i]);
    free(c->found);
    free(c->exec);
    free(c->heartbeat_url);
    free(c->log_level_text);
    free(c->socket_path);
    free(c->addr);
    for (size_t i = 0; i < c->warnings.n; i++) {
        free(c->warnings.items[i].text);
        free(c->warnings.items[i].hint);
    }
    free(c->warnings.items);
    *c = (ls_config){0};
}

static ls_db_config db_defaults(void) {
    return (ls_db_config){
        .monitor_interval = MONITOR_INTERVAL,
        .checkpoint_interval = CHECKPOINT_INTERVAL,
        .busy_timeout = BUSY_TIMEOUT,
        .min_checkpoint_page_n = LS_DB_MIN_CHECKPOINT_PAGE_N,
        .truncate_page_n = LS_DB_TRUNCATE_PAGE_N,
        .max_sync_wal_bytes = LS_DB_MAX_SYNC_WAL_BYTES,
        .replica = {.sync_interval = SYNC_INTERVAL,
                    .max_sync_ltx_files = MAX_SYNC_LTX_FILES,
                    .lease_ttl = LEASE_TTL},
    };
}

static ls_code no_memory(ls_err *err) { return ls_fail(err, LS_ENOMEM, "out of memory"); }

static ls_code count_text(maker *m, size_t len) {
    m->text += len;
    if (m->text <= TEXT_MAX)
        return LS_OK;
    return ls_fail(m->err, LS_ELIMIT, "more than %zu bytes of text", TEXT_MAX);
}

/* Absent and empty texts are NULL. */
static ls_code copy_text(maker *m, const ls_raw *v, char **out) {
    if (!v->set || v->str[0] == '\0')
        return LS_OK;
    ls_code rc = count_text(m, strlen(v->str));
    if (rc != LS_OK)
        return rc;
    *out = strdup(v->str);
    return *out == NULL ? no_memory(m->err) : LS_OK;
}

static ls_code copy_path(maker *m, const ls_raw *v, char **out) {
    if (!v->set || v->str[0] == '\0')
        return LS_OK;
    ls_code rc = ls_path_expand(v->str, out, m->err);
    return rc == LS_OK ? count_text(m, strlen(*out)) : rc;
}

static void take_num(const ls_raw *v, int64_t *out) {
    if (v->set)
        *out = v->num;
}

static void take_bool(const ls_raw *v, bool *out) {
    if (v->set)
        *out = v->num != 0;
}

/* Within int by validation. */
static void take_int(const ls_raw *v, int *out) {
    if (v->set)
        *out = (int)v->num;
}

/* ---- settings of stores ---- */

/* Keys that a replica must give itself, though they may stand at the top level too. */
static bool is_inherited(const char *key) {
    static const char *const own[] = {"part-size", "concurrency"};

    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        if (strcmp(own[i], key) == 0)
            return false;
    }
    return true;
}

static ls_code add_setting(maker *m, ls_replica_config *r, const char *key, const char *text,
                           bool inherited) {
    ls_code rc = count_text(m, strlen(text));
    if (rc != LS_OK)
        return rc;
    ls_setting *settings = reallocarray(r->settings, r->n_settings + 1, sizeof *settings);
    if (settings == NULL)
        return no_memory(m->err);
    r->settings = settings;
    char *value = strdup(text);
    if (value == NULL)
        return no_memory(m->err);
    settings[r->n_settings++] = (ls_setting){.key = key, .value = value, .inherited = inherited};
    return LS_OK;
}

/* Numbers as they were understood: YAML has more forms of them than URLs have. */
static const char *setting_text(const ls_raw_setting *s, char *buf, size_t size) {
    switch (s->key->type) {
    case LS_KEY_BOOL:
        return s->value.num != 0 ? "true" : "false";
    case LS_KEY_INT:
    case LS_KEY_SIZE:
        (void)snprintf(buf, size, "%" PRId64, s->value.num);
        return buf;
    case LS_KEY_DURATION:
        return ls_duration_format(s->value.num, buf, size);
    default:
        return s->value.str;
    }
}

/* Unset and empty ones do not count. */
static ls_code copy_setting(maker *m, const ls_raw_setting *s, bool inherited,
                            ls_replica_config *r) {
    char buf[32];
    ls_code rc = LS_OK;

    if (!s->value.set)
        return LS_OK;
    if (s->key->type != LS_KEY_STRINGS) {
        const char *text = setting_text(s, buf, sizeof buf);
        return text[0] == '\0' ? LS_OK : add_setting(m, r, s->key->name, text, inherited);
    }
    for (const ls_yaml_item *i = s->node->items; i != NULL && rc == LS_OK; i = i->next)
        rc = add_setting(m, r, s->key->name, i->value->text, inherited);
    return rc;
}

static bool has_setting(const ls_replica_config *r, const char *key, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(r->settings[i].key, key) == 0)
            return true;
    }
    return false;
}

static ls_code make_settings(maker *m, const ls_raw_replica *raw, ls_replica_config *r) {
    ls_code rc = LS_OK;

    for (const ls_raw_setting *s = raw->settings; s != NULL && rc == LS_OK; s = s->next)
        rc = copy_setting(m, s, false, r);
    size_t own = r->n_settings;
    const ls_raw_setting *s = m->top->globals.settings;
    for (; s != NULL && rc == LS_OK; s = s->next) {
        if (is_inherited(s->key->name) && !has_setting(r, s->key->name, own))
            rc = copy_setting(m, s, true, r);
    }
    return rc;
}

static ls_code make_replica(maker *m, const ls_raw_replica *raw, ls_replica_config *r) {
    const ls_raw_replica *globals = &m->top->globals;
    const ls_raw *recover = raw->auto_recover.set ? &raw->auto_recover : &globals->auto_recover;

    take_num(&globals->sync_interval, &r->sync_interval);
    take_num(&raw->sync_interval, &r->sync_interval);
    take_num(&globals->max_sync_ltx_files, &r->max_sync_ltx_files);
    take_num(&raw->max_sync_ltx_files, &r->max_sync_ltx_files);
    r->auto_recover = recover->set && recover->num != 0;
    take_bool(&globals->lease, &r->lease);
    take_bool(&raw->lease, &r->lease);
    take_num(&globals->lease_ttl, &r->lease_ttl);
    take_num(&raw->lease_ttl, &r->lease_ttl);
    ls_code rc = copy_text(m, &raw->type, &r->type);
    if (rc == LS_OK)
        rc = copy_text(m, &raw->url, &r->url);
    if (rc == LS_OK)
        rc = copy_text(m, &raw->path, &r->path);
    if (rc == LS_OK)
        rc = make_settings(m, raw, r);
    return rc;
}

static ls_code make_db(maker *m, const ls_raw_db *raw, ls_db_config *db) {
    *db = db_defaults();
    take_num(&raw->monitor_interval, &db->monitor_interval);
    take_num(&raw->checkpoint_interval, &db->checkpoint_interval);
    take_num(&raw->busy_timeout, &db->busy_timeout);
    take_num(&raw->max_sync_wal_bytes, &db->max_sync_wal_bytes);
    take_int(&raw->min_checkpoint_page_count, &db->min_checkpoint_page_n);
    take_int(&raw->truncate_page_n, &db->truncate_page_n);
    take_bool(&raw->recursive, &db->recursive);
    take_bool(&raw->watch, &db->watch);
    db->restore_if_db_not_exists =
        raw->restore_if_db_not_exists.set && raw->restore_if_db_not_exists.num != 0;
    db->fingerprint = ls_yaml_hash(raw->node, m->top->inherited);
    db->has_replica = raw->replica_map.set || (raw->replicas_list.set && raw->replicas_list.num);
    ls_code rc = copy_path(m, &raw->path, &db->path);
    if (rc == LS_OK)
        rc = copy_path(m, &raw->dir, &db->dir);
    if (rc == LS_OK)
        rc = copy_text(m, &raw->pattern, &db->pattern);
    if (rc == LS_OK)
        rc = copy_path(m, &raw->meta_path, &db->meta_path);
    if (rc == LS_OK)
        rc = copy_path(m, &raw->meta_dir, &db->meta_dir);
    if (rc == LS_OK)
        rc = make_replica(m, ls_raw_db_replica(raw), &db->replica);
    return rc;
}

static ls_code make_dbs(maker *m, ls_config *c) {
    ls_code rc = LS_OK;

    if (m->top->n_dbs == 0)
        return LS_OK;
    c->dbs = calloc(m->top->n_dbs, sizeof *c->dbs);
    if (c->dbs == NULL)
        return no_memory(m->err);
    while (rc == LS_OK && c->n_dbs < m->top->n_dbs) {
        rc = make_db(m, &m->top->dbs[c->n_dbs], &c->dbs[c->n_dbs]);
        c->n_dbs++;
    }
    return rc;
}

/* Settings whose absence an operator would notice too late. */
static void note_later(const ls_raw_top *top, ls_config *c) {
    const struct {
        const char *key;
        bool used;
    } keys[LS_CONFIG_LATER_MAX] = {
        {"mcp-addr", top->mcp_addr.set && top->mcp_addr.str[0] != '\0'},
    };

    for (size_t i = 0; i < LS_CONFIG_LATER_MAX; i++) {
        if (keys[i].used)
            c->later[c->n_later++] = keys[i].key;
    }
}

static void take_levels(const ls_raw_top *top, ls_config *c) {
    if (!top->levels_list.set)
        return;
    c->n_levels = top->n_levels;
    for (size_t i = 0; i < top->n_levels; i++)
        c->levels[i] = top->levels[i].interval.num;
}

/* There is one snapshot schedule: the top level's, else what databases say, all the same. */
static void take_snapshots(const ls_raw_top *top, ls_config *c) {
    for (size_t i = 0; i < top->n_dbs; i++) {
        take_num(&top->dbs[i].snapshot_interval, &c->snapshot_interval);
        take_num(&top->dbs[i].snapshot_retention, &c->snapshot_retention);
    }
    take_num(&top->snapshot_interval, &c->snapshot_interval);
    take_num(&top->snapshot_retention, &c->snapshot_retention);
}

static void take_maintenance(const ls_raw_top *top, ls_config *c) {
    take_levels(top, c);
    take_snapshots(top, c);
    take_bool(&top->retention_enabled, &c->retention_enabled);
    take_num(&top->l0_retention, &c->l0_retention);
    take_num(&top->l0_retention_check_interval, &c->l0_retention_check_interval);
    take_bool(&top->verify_compaction, &c->verify_compaction);
    take_num(&top->validation_interval, &c->validation_interval);
    if (c->validation_interval < 0)
        c->validation_interval = 0;
}

static ls_code make_control(maker *m, ls_config *c) {
    const ls_raw_top *top = m->top;

    c->socket_enabled = top->socket_enabled.set && top->socket_enabled.num != 0;
    if (top->socket_mode.set && top->socket_mode.num != 0)
        c->socket_mode = (unsigned)top->socket_mode.num & 07777;
    ls_code rc = copy_path(m, &top->socket_path, &c->socket_path);
    if (rc == LS_OK)
        rc = copy_text(m, &top->addr, &c->addr);
    take_num(&top->heartbeat_interval, &c->heartbeat_interval);
    return rc == LS_OK ? copy_text(m, &top->heartbeat_url, &c->heartbeat_url) : rc;
}

static ls_code make_config(const ls_raw_top *top, ls_config *c, ls_err *err) {
    maker m = {.top = top, .err = err};

    take_num(&top->shutdown_sync_timeout, &c->shutdown_sync_timeout);
    take_num(&top->shutdown_sync_interval, &c->shutdown_sync_interval);
    take_maintenance(top, c);
    c->log_stderr = top->log_stderr.set && top->log_stderr.num != 0;
    if (top->log_level.set && top->log_level.str[0] != '\0')
        c->log_level_set = ls_level_parse(top->log_level.str, &c->log_level);
    if (top->log_type.set)
        (void)ls_log_format_parse(top->log_type.str, &c->log_format);
    take_bool(&top->log_source, &c->log_source);
    note_later(top, c);
    ls_code rc = copy_text(&m, &top->exec, &c->exec);
    if (rc == LS_OK)
        rc = copy_text(&m, &top->log_level, &c->log_level_text);
    if (rc == LS_OK)
        rc = make_control(&m, c);
    return rc == LS_OK ? make_dbs(&m, c) : rc;
}

static ls_code parse_expanded(const char *text, size_t len, const char *name, unsigned flags,
                              ls_config *c, ls_err *err) {
    bool allow = (flags & LS_CONFIG_ALLOW_UNKNOWN) != 0;
    ls_raw_top top = {0};
    ls_yaml tree;

    ls_code rc = ls_yaml_parse(&tree, text, len, name, err);
    if (rc == LS_OK)
        rc = ls_raw_decode(&tree, name, allow ? &c->warnings : NULL, &top, err);
    if (rc == LS_OK)
        rc = ls_raw_validate(&top, name, err);
    if (rc == LS_OK)
        rc = make_config(&top, c, err);
    ls_raw_done(&top);
    ls_yaml_done(&tree);
    return rc;
}

ls_code ls_config_parse(const char *text, size_t len, const char *name, unsigned flags,
                        ls_config *c, ls_err *err) {
    char *expanded = NULL;
    ls_code rc = LS_OK;

    ls_config_init(c);
    if (len > LS_CONFIG_MAX_BYTES)
        return ls_fail(err, LS_ELIMIT, "%s: more than %u bytes", name, LS_CONFIG_MAX_BYTES);
    if ((flags & LS_CONFIG_EXPAND_ENV) != 0)
        rc = ls_env_expand(text, len, &expanded, &len, err);
    if (rc == LS_OK)
        rc = parse_expanded(expanded == NULL ? text : expanded, len, name, flags, c, err);
    free(expanded);
    if (rc != LS_OK) {
        ls_config_done(c);
        ls_config_init(c);
    }
    return rc;
}

ls_code ls_config_load(const char *path, unsigned flags, ls_config *c, ls_err *err) {
    char *full = NULL, *text = NULL;
    size_t len = 0;

    ls_config_init(c);
    ls_code rc = ls_path_expand(path, &full, err);
    if (rc != LS_OK)
        return rc;
    rc = ls_read_file(full, LS_CONFIG_MAX_BYTES, &text, &len, err);
    if (rc == LS_ENOTFOUND) {
        (void)ls_fail(err, LS_ENOTFOUND, "config file not found: %s", full);
        rc = ls_hint(err, "give its path with -config or LITESTREAM_CONFIG");
    } else if (rc == LS_OK) {
        rc = ls_config_parse(text, len, full, flags, c, err);
    }
    free(text);
    free(full);
    return rc;
}

ls_code ls_config_add(ls_config *c, const char *path, const char *url, ls_err *err) {
    ls_db_config db = db_defaults();
    ls_db_config *dbs = reallocarray(c->dbs, c->n_dbs + 1, sizeof *dbs);

    if (dbs == NULL)
        return no_memory(err);
    c->dbs = dbs;
    ls_code rc = ls_path_expand(path, &db.path, err);
    if (rc != LS_OK)
        return rc;
    db.has_replica = true;
    db.replica.url = strdup(url);
    if (db.replica.url == NULL) {
        db_done(&db);
        return no_memory(err);
    }
    dbs[c->n_dbs++] = db;
    return LS_OK;
}

const ls_db_config *ls_config_find(const ls_config *c, const char *path) {
    for (size_t i = 0; i < c->n_dbs; i++) {
        if (c->dbs[i].path != NULL && strcmp(c->dbs[i].path, path) == 0)
            return &c->dbs[i];
    }
    return NULL;
}
