/* Reading the configuration of a running daemon again: see reread.h. */
#include "cmd/reread.h"

#include <string.h>

static bool differ(const char *a, const char *b) {
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) != 0;
}

/* What was set up before the databases were. */
static void warn_restart(const ls_rereader *r, const ls_config *now) {
    const ls_config *then = r->first;
    const struct {
        const char *key;
        bool changed;
    } keys[] = {
        {"addr", differ(then->addr, now->addr)},
        {"heartbeat", differ(then->heartbeat_url, now->heartbeat_url) ||
                          then->heartbeat_interval != now->heartbeat_interval},
        {"exec", differ(then->exec, now->exec)},
        {"socket", then->socket_enabled != now->socket_enabled ||
                       then->socket_mode != now->socket_mode ||
                       differ(then->socket_path, now->socket_path)},
        {"logging", then->log_level != now->log_level || then->log_format != now->log_format ||
                        then->log_stderr != now->log_stderr || then->log_source != now->log_source},
    };

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (keys[i].changed)
            ls_log_write(r->log, LS_WARN, "a changed setting counts after a restart only",
                         LS_ATTRS(LS_STR("key", keys[i].key)));
    }
}

ls_code ls_reread_config(void *arg, ls_config *config, ls_err *err) {
    const ls_rereader *r = arg;

    ls_code rc = ls_read_config(r->args, config, err);
    if (rc == LS_OK) {
        ls_warn_passed_over(config, r->log);
        warn_restart(r, config);
    }
    return rc;
}
