/*
 * The commands of the litestream program, and what they share: the options that name a
 * configuration, its log, and the replica that a path or URL on the command line stands for.
 */
#ifndef LS_CMD_LITESTREAM_H
#define LS_CMD_LITESTREAM_H

#include "cmd/options.h"
#include "engine/litestream.h"

extern const ls_program ls_litestream;

extern const ls_command ls_cmd_check;
extern const ls_command ls_cmd_databases;
extern const ls_command ls_cmd_info;
extern const ls_command ls_cmd_list;
extern const ls_command ls_cmd_ltx;
extern const ls_command ls_cmd_register;
extern const ls_command ls_cmd_replicate;
extern const ls_command ls_cmd_reset;
extern const ls_command ls_cmd_restore;
extern const ls_command ls_cmd_restore_points;
extern const ls_command ls_cmd_start;
extern const ls_command ls_cmd_status;
extern const ls_command ls_cmd_stop;
extern const ls_command ls_cmd_sync;
extern const ls_command ls_cmd_unregister;
extern const ls_command ls_cmd_verify;
extern const ls_command ls_cmd_version;
extern const ls_command ls_cmd_wal;

typedef struct ls_config_args {
    const char *config;
    bool no_expand_env;
    bool allow_unknown_keys;
} ls_config_args;

/* Their rows in a table; member is the ls_config_args in the argument struct. */
#define LS_CONFIG_OPTIONS(type_, member)                                                           \
    {.name = "config",                                                                             \
     .type = LS_OPT_STRING,                                                                        \
     .field = offsetof(type_, member.config),                                                      \
     .arg = "PATH",                                                                                \
     .help = "Configuration file.",                                                                \
     .shown = ls_default_config},                                                                  \
        {.name = "no-expand-env",                                                                  \
         .type = LS_OPT_BOOL,                                                                      \
         .field = offsetof(type_, member.no_expand_env),                                           \
         .help = "Leaves $NAME and ${NAME} in the configuration as they are."},                    \
    {                                                                                              \
        .name = "allow-unknown-keys", .type = LS_OPT_BOOL,                                         \
        .field = offsetof(type_, member.allow_unknown_keys),                                       \
        .help = "Passes over keys of the configuration that this version does not know, with a "   \
                "warning for each, instead of refusing it."                                        \
    }

/* LITESTREAM_CONFIG, where it is set and not empty, else /etc/litestream.yml. */
const char *ls_default_config(void);

/* Reads the configuration that args names, or the default one. ls_config_done afterwards, also
 * after a failure. Its warnings are the caller's to tell. */
LS_MUST ls_code ls_read_config(const ls_config_args *args, ls_config *config, ls_err *err);

/* The same, its warnings on standard error. */
LS_MUST ls_code ls_load_config(const ls_config_args *args, ls_config *config, ls_err *err);

/* Logs what of the configuration has no effect: unknown keys that were allowed, settings for later
 * versions. */
void ls_warn_passed_over(const ls_config *config, const ls_log *log);

/* The log that a configuration asks for; level: a flag's value, or NULL. LOG_LEVEL in the
 * environment counts more than the configuration, the flag more than both. */
ls_log ls_config_log(const ls_config *config, const char *level);

/* The first SIGINT or SIGTERM sets what is returned, so that a restore ends in good order, its
 * unfinished file removed; the second kills. */
const ls_cancel *ls_catch_signals(void);

/* What DB_PATH or REPLICA_URL stands for. */
typedef struct ls_cmd_source {
    ls_config config;
    const ls_db_config *db; /* NULL: a URL */
    ls_storage *storage;
} ls_cmd_source;

/* A URL, but none with which a database is named: sqlite:///path. */
bool ls_is_replica_url(const char *text);

/* Opens the store of pos[0], which may be a replica URL or a database in the configuration. what
 * stands in the error for none: "database path or replica URL". ls_cmd_source_done afterwards, also
 * after a failure. */
LS_MUST ls_code ls_cmd_source_open(const ls_invocation *in, const ls_config_args *args,
                                   ls_cmd_source *source, ls_err *err);
void ls_cmd_source_done(ls_cmd_source *source);

/* Checks that there is exactly one positional argument and that it is not empty. */
LS_MUST ls_code ls_one_positional(const ls_invocation *in, const char *what, ls_err *err);

/* For option tables: 16 hexadecimal digits, not all 0. */
LS_MUST ls_code ls_check_txid(const char *value, ls_err *err);

/* For option tables: a level 0 to 9, or all. */
LS_MUST ls_code ls_check_level(const char *value, ls_err *err);

#endif
