/*
 * A configuration as it was written: values with their positions, before inheritance, validation
 * and defaults. Texts belong to the YAML tree.
 */
#ifndef LS_CONFIG_RAW_H
#define LS_CONFIG_RAW_H

#include "engine/config/keys.h"
#include "engine/config/yaml.h"

typedef struct ls_raw {
    const char *str; /* strings */
    int64_t num;     /* numbers, booleans, durations (ns), lengths of lists */
    uint32_t line, col;
    bool set;
} ls_raw;

/* A value of a key that stores know (LS_KEY_SETTING). */
typedef struct ls_raw_setting {
    const ls_key *key;
    const ls_yaml_node *node;
    ls_raw value;
    struct ls_raw_setting *next; /* of the same replica */
    struct ls_raw_setting *made; /* the one made before this one */
} ls_raw_setting;

typedef struct ls_raw_replica {
    ls_raw type, path, url, sync_interval, auto_recover, lease, lease_ttl, max_sync_ltx_files;
    ls_raw age_identities, age_recipients;
    ls_raw_setting *settings; /* one for each key; owned by ls_raw_top */
} ls_raw_replica;

typedef struct ls_raw_db {
    ls_raw self; /* where the entry stands */
    const ls_yaml_node *node;
    ls_raw path, dir, pattern, recursive, watch, meta_path, meta_dir;
    ls_raw monitor_interval, checkpoint_interval, busy_timeout;
    ls_raw min_checkpoint_page_count, truncate_page_n, max_sync_wal_bytes;
    ls_raw restore_if_db_not_exists;
    ls_raw snapshot_interval, snapshot_retention;
    ls_raw replica_map, replicas_list; /* set: given; the list's length in num */
    ls_raw_replica replica, listed;    /* listed: the first of the list */
} ls_raw_db;

typedef struct ls_raw_level {
    ls_raw interval;
} ls_raw_level;

typedef struct ls_raw_top {
    ls_raw exec;
    ls_raw log_level, log_type, log_stderr, log_source;
    ls_raw addr, mcp_addr, socket_enabled, socket_path, socket_mode;
    ls_raw validation_interval, verify_compaction, retention_enabled;
    ls_raw snapshot_interval, snapshot_retention;
    ls_raw l0_retention, l0_retention_check_interval;
    ls_raw shutdown_sync_timeout, shutdown_sync_interval;
    ls_raw heartbeat_url, heartbeat_interval;
    ls_raw_replica globals; /* replica settings that replicas inherit */
    uint64_t inherited;     /* a number for what these say */
    ls_raw levels_list, dbs_list;
    ls_raw_level *levels;
    size_t n_levels;
    ls_raw_db *dbs;
    size_t n_dbs;
    ls_raw_setting *last_setting; /* all of them, by made */
} ls_raw_top;

struct ls_config_warnings;

/* Fills top from the tree; name stands in errors. Unknown keys are added to unknown; NULL: they are
 * errors. ls_raw_done in any case. */
LS_MUST ls_code ls_raw_decode(const ls_yaml *tree, const char *name,
                              struct ls_config_warnings *unknown, ls_raw_top *top, ls_err *err);
void ls_raw_done(ls_raw_top *top);

/* The checks of values against each other and their limits. */
LS_MUST ls_code ls_raw_validate(const ls_raw_top *top, const char *name, ls_err *err);

/* The replica that counts for a database: the map, else the first of the list. */
const ls_raw_replica *ls_raw_db_replica(const ls_raw_db *db);

/* "name:line:column: " and the message; LS_ECONFIG. */
ls_code ls_raw_fail(ls_err *err, const char *name, const ls_raw *at, const char *fmt, ...)
    LS_PRINTF(4, 5);

#define LS_RAW_MAX_DBS 65536
#define LS_RAW_MAX_STEPS 2000000 /* nodes visited, aliases each time */

#endif
