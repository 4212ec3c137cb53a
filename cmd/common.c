/* What the commands of litestream share: see litestream.h. */
#include "cmd/litestream.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *ls_default_config(void) {
    const char *env = getenv("LITESTREAM_CONFIG");

    return env != NULL && env[0] != '\0' ? env : LS_CONFIG_DEFAULT_PATH;
}

ls_code ls_read_config(const ls_config_args *args, ls_config *config, ls_err *err) {
    const char *path = args->config != NULL ? args->config : ls_default_config();
    unsigned flags = (args->no_expand_env ? 0 : LS_CONFIG_EXPAND_ENV) |
                     (args->allow_unknown_keys ? LS_CONFIG_ALLOW_UNKNOWN : 0);

    return ls_config_load(path, flags, config, err);
}

static void print_warnings(const ls_config_warnings *w) {
    for (size_t i = 0; i < w->n; i++) {
        fputs("Warning: ", stderr);
        ls_write_safe(w->items[i].text, stderr);
        fputs("\nhint: ", stderr);
        ls_write_safe(w->items[i].hint, stderr);
        fputc('\n', stderr);
    }
    if (w->more > 0)
        fprintf(stderr, "Warning: and %zu more\n", w->more);
}

ls_code ls_load_config(const ls_config_args *args, ls_config *config, ls_err *err) {
    ls_code rc = ls_read_config(args, config, err);

    if (rc == LS_OK)
        print_warnings(&config->warnings);
    return rc;
}

/* Settings that an operator counts on must not be passed over in silence. */
void ls_warn_passed_over(const ls_config *config, const ls_log *log) {
    const ls_config_warnings *w = &config->warnings;

    for (size_t i = 0; i < w->n; i++)
        ls_log_write(log, LS_WARN, "key of the configuration has no effect",
                     LS_ATTRS(LS_STR("at", w->items[i].text), LS_STR("hint", w->items[i].hint)));
    if (w->more > 0)
        ls_log_write(log, LS_WARN, "more keys of the configuration have no effect",
                     LS_ATTRS(LS_INT("count", w->more)));
    for (size_t i = 0; i < config->n_later; i++)
        ls_log_write(log, LS_WARN, "setting is not part of this version yet and has no effect",
                     LS_ATTRS(LS_STR("key", config->later[i])));
}

ls_log ls_config_log(const ls_config *config, const char *level) {
    const char *env = getenv("LOG_LEVEL");
    const char *no_color = getenv("NO_COLOR");
    ls_log log = {.fd = config->log_stderr ? 2 : 1,
                  .level = config->log_level,
                  .format = config->log_format,
                  .source = config->log_source};

    log.color = isatty(log.fd) == 1 && (no_color == NULL || no_color[0] == '\0');

    /* A bad value of the environment is no reason not to start. */
    if (env != NULL && env[0] != '\0')
        (void)ls_level_parse(env, &log.level);
    if (level != NULL && level[0] != '\0')
        (void)ls_level_parse(level, &log.level);
    return log;
}

static ls_cancel interrupted;

static void on_signal(int sig) {
    (void)sig;
    ls_cancel_set(&interrupted);
}

const ls_cancel *ls_catch_signals(void) {
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    (void)sigaction(SIGINT, &sa, NULL);
    (void)sigaction(SIGTERM, &sa, NULL);
    return &interrupted;
}

ls_code ls_one_positional(const ls_invocation *in, const char *what, ls_err *err) {
    if (in->n_pos > 0 && in->pos[0][0] != '\0')
        return ls_positionals_max(in, 1, err);
    (void)ls_fail(err, LS_EINVALID, "%s required", what);
    return ls_hint(err, "%s %s %s", in->program->name, in->command->name, in->command->usage[0]);
}

static ls_code find_db(const char *path, ls_cmd_source *source, ls_err *err) {
    char *full = NULL;

    ls_code rc = ls_path_expand(path, &full, err);
    if (rc != LS_OK)
        return rc;
    rc = ls_config_lookup(&source->config, full, &source->db, err);
    if (rc == LS_OK && source->db == NULL) {
        (void)ls_fail(err, LS_ENOTFOUND, "database not found in config: %s", full);
        rc = ls_hint(err, "list the databases with: litestream databases");
    }
    free(full);
    return rc;
}

/* Warnings of the store, for example of a host that it does not know, go where errors go. */
static ls_code warn_of(const ls_cmd_source *source) {
    static const ls_log warnings = {.fd = 2, .level = LS_WARN, .format = LS_LOG_TEXT};

    ls_storage_set_log(source->storage, &warnings);
    return LS_OK;
}

static ls_code open_url(const ls_invocation *in, const ls_config_args *args, ls_cmd_source *source,
                        ls_err *err) {
    if (args->config != NULL) {
        (void)ls_fail(err, LS_EINVALID, "cannot specify a replica URL and the -config flag");
        return ls_hint(err, "give the database's path to use the configuration");
    }
    ls_code rc = ls_storage_open_url(in->pos[0], &source->storage, err);
    return rc == LS_OK ? warn_of(source) : rc;
}

bool ls_is_replica_url(const char *text) {
    return ls_is_url(text) && !ls_has_prefix(text, "sqlite://") &&
           !ls_has_prefix(text, "sqlite3://");
}

ls_code ls_cmd_source_open(const ls_invocation *in, const ls_config_args *args,
                           ls_cmd_source *source, ls_err *err) {
    *source = (ls_cmd_source){0};
    ls_config_init(&source->config);
    if (ls_is_replica_url(in->pos[0]))
        return open_url(in, args, source, err);
    ls_code rc = ls_load_config(args, &source->config, err);
    if (rc == LS_OK)
        rc = find_db(in->pos[0], source, err);
    if (rc == LS_OK)
        rc = ls_config_storage(source->db, &source->storage, err);
    return rc == LS_OK ? warn_of(source) : rc;
}

void ls_cmd_source_done(ls_cmd_source *source) {
    ls_storage_free(source->storage);
    ls_config_done(&source->config);
    *source = (ls_cmd_source){0};
}

ls_code ls_check_txid(const char *value, ls_err *err) {
    uint64_t txid;

    if (ls_hex64_parse(value, strlen(value), &txid) && txid > 0)
        return LS_OK;
    (void)ls_fail(err, LS_EINVALID, "invalid txid format");
    return ls_hint(err, "a TXID is 16 hexadecimal digits, as litestream ltx -level all shows them");
}

ls_code ls_check_level(const char *value, ls_err *err) {
    if (strcmp(value, "all") == 0)
        return LS_OK;
    if (value[strspn(value, "-0123456789")] != '\0' || value[0] == '\0')
        (void)ls_fail(err, LS_EINVALID, "invalid level: must be 0-9 or \"all\"");
    else if (strlen(value) > 1 || value[0] < '0')
        (void)ls_fail(err, LS_EINVALID, "level must be between 0 and 9");
    else
        return LS_OK;
    return ls_hint(err, "level 9 holds the snapshots; -level all shows every level");
}
