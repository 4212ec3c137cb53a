/*
 * litestream.yml: one table of keys (keys.h) gives parser, errors, nearest names and
 * litestream.yml(5). Unknown keys are errors with line, column and the nearest name, or warnings
 * where the caller allows them; keys of stores that this build lacks are accepted, the replica
 * then fails when it is opened.
 */
#ifndef LS_CONFIG_CONFIG_H
#define LS_CONFIG_CONFIG_H

#include "backends/settings.h"
#include "engine/db/db.h"

#define LS_CONFIG_DEFAULT_PATH "/etc/litestream.yml"
#define LS_SOCKET_DEFAULT_PATH "/var/run/litestream.sock"
#define LS_CONFIG_MAX_BYTES (16u << 20)

/* A value for the store (backends/settings.h); a list gives one for each text. */
typedef struct ls_setting {
    const char *key; /* static */
    char *value;
    bool inherited; /* from the top level */
} ls_setting;

typedef struct ls_replica_config {
    char *type;            /* NULL: from the URL, else "file" */
    char *url;             /* NULL if given by path */
    char *path;            /* NULL if given by URL */
    int64_t sync_interval; /* ns; 1 s */
    bool auto_recover;
    bool lease;                 /* only who holds it writes */
    int64_t lease_ttl;          /* ns; 30 s */
    int64_t max_sync_ltx_files; /* 256; 0: no bound */
    ls_setting *settings;       /* those of the replica first */
    size_t n_settings;
} ls_replica_config;

typedef struct ls_db_config {
    char *path;      /* absolute, expanded; NULL with dir */
    char *dir;       /* a folder of databases, likewise; NULL with path */
    char *pattern;   /* with dir: names that are databases */
    char *meta_path; /* NULL: default; with dir: for all of them, see ls_config_derive */
    char *meta_dir;  /* with dir: the same in another form, instead of meta_path */
    bool recursive;  /* with dir: folders below count */
    bool watch;      /* with dir: what appears later counts */
    int64_t monitor_interval;
    int64_t checkpoint_interval;
    int64_t busy_timeout;
    int min_checkpoint_page_n;
    int truncate_page_n;
    int64_t max_sync_wal_bytes;
    bool restore_if_db_not_exists;
    bool has_replica;
    ls_replica_config replica;
    uint64_t fingerprint; /* of what is written for it, with what it inherits: another one means
                             that it was changed */
} ls_db_config;

/* A key that was passed over: "c.yml:3:5: unknown key ...", and what to do about it. */
typedef struct ls_config_warning {
    char *text, *hint;
} ls_config_warning;

#define LS_CONFIG_WARNINGS_MAX 100

/* The first of them, in the order of the file, and how many there are beyond. */
typedef struct ls_config_warnings {
    ls_config_warning *items;
    size_t n, more;
} ls_config_warnings;

#define LS_CONFIG_LATER_MAX 8
#define LS_CONFIG_LEVELS_MAX 8

typedef struct ls_config {
    ls_db_config *dbs;
    size_t n_dbs;
    ls_db_config **found; /* databases of folders that were asked for: see ls_config_found */
    size_t n_found;
    ls_level log_level;
    bool log_level_set;
    ls_log_format log_format;
    bool log_stderr;
    bool log_source;
    int64_t shutdown_sync_timeout;        /* ns; 30 s */
    int64_t shutdown_sync_interval;       /* ns; 500 ms */
    int64_t levels[LS_CONFIG_LEVELS_MAX]; /* ns between compactions into level 1, 2 ... */
    size_t n_levels;
    int64_t snapshot_interval;           /* ns; 24 h */
    int64_t snapshot_retention;          /* ns; 24 h */
    bool retention_enabled;              /* false: nothing is deleted at the store */
    int64_t l0_retention;                /* ns; 5 min; 0: level 0 is kept */
    int64_t l0_retention_check_interval; /* ns; 15 s */
    bool verify_compaction;
    int64_t validation_interval; /* ns; 0: off */
    bool socket_enabled;
    char *socket_path;    /* absolute; NULL: LS_SOCKET_DEFAULT_PATH */
    unsigned socket_mode; /* 0600 */
    char *addr;           /* of metrics; NULL: none */
    char *exec;
    char *heartbeat_url;                    /* http or https; a secret; NULL: none */
    int64_t heartbeat_interval;             /* ns; 5 min */
    char *log_level_text;                   /* as written; NULL: not */
    const char *later[LS_CONFIG_LATER_MAX]; /* keys in use that this version passes over; static */
    size_t n_later;
    ls_config_warnings warnings; /* only with LS_CONFIG_ALLOW_UNKNOWN */
} ls_config;

/* Everything at its default, no databases. */
void ls_config_init(ls_config *c);
void ls_config_done(ls_config *c);

/* How a configuration is read: bits. */
enum {
    LS_CONFIG_EXPAND_ENV = 1,    /* $NAME and ${NAME} are replaced */
    LS_CONFIG_ALLOW_UNKNOWN = 2, /* unknown keys are warnings of the configuration, no errors */
};

/* Reads, expands, parses, applies defaults and inheritance, validates. LS_ENOTFOUND "config file
 * not found: P". Errors name file, line and column. */
LS_MUST ls_code ls_config_load(const char *path, unsigned flags, ls_config *c, ls_err *err);

/* The same from text; name stands in errors. */
LS_MUST ls_code ls_config_parse(const char *text, size_t len, const char *name, unsigned flags,
                                ls_config *c, ls_err *err);

/* One database with one replica given on the command line; path and url copied. */
LS_MUST ls_code ls_config_add(ls_config *c, const char *path, const char *url, ls_err *err);

/* The database with that (expanded) path, NULL if there is none. */
const ls_db_config *ls_config_find(const ls_config *c, const char *path);

/* The same, also for a path that a folder of the configuration would have; *db is NULL if there is
 * none, and c's. */
LS_MUST ls_code ls_config_lookup(ls_config *c, const char *path, const ls_db_config **db,
                                 ls_err *err);

/* A database that is rel below a folder: the folder's settings; replica url or path with rel behind
 * it, meta path <meta-path>/<rel's folder>/.<name>-litestream or <meta-dir>/<rel>-litestream. It
 * shares what is equal with dir, which must outlive it. */
LS_MUST ls_code ls_config_derive(const ls_db_config *dir, const char *rel, ls_db_config **db,
                                 ls_err *err);
void ls_config_derived_free(ls_db_config *db); /* NULL allowed */

/* Adds such a database to c->found; dir is one of c->dbs. */
LS_MUST ls_code ls_config_found(ls_config *c, const ls_db_config *dir, const char *rel,
                                ls_err *err);

/* Opens the store that a database's replica names: errors of spec cli-config 2.6. */
LS_MUST ls_code ls_config_storage(const ls_db_config *db, ls_storage **s, ls_err *err);

/* sqlite:// and sqlite3:// stripped, ~ and ~/ expanded, made absolute (spec 2.4); malloc'd. */
LS_MUST ls_code ls_path_expand(const char *path, char **out, ls_err *err);

/* $NAME and ${NAME} by Go's os.Expand rules (spec 2.1), $PID the process id; malloc'd. */
LS_MUST ls_code ls_env_expand(const char *text, size_t len, char **out, size_t *out_len,
                              ls_err *err);

#endif
