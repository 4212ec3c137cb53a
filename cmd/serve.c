/* The control socket, the metrics and the heartbeat of replicate: see serve.h. */
#include "cmd/serve.h"

#include <stdlib.h>

#define SYSTEM LS_STR("system", "server")

static void start_socket(ls_serve *serve, ls_store *store, const ls_config *config,
                         const ls_log *log) {
    const char *path = config->socket_path == NULL ? LS_SOCKET_DEFAULT_PATH : config->socket_path;
    const ls_control_opts opts = {
        .socket_path = path, .socket_mode = config->socket_mode, .log = log};
    ls_err err = LS_ERR_INIT;

    ls_code rc = ls_control_start(store, &opts, &serve->socket, &err);
    if (rc == LS_OK)
        ls_log_write(log, LS_INFO, "control socket listening",
                     LS_ATTRS(SYSTEM, LS_STR("path", path)));
    else /* a second daemon is worse than none to ask: both may write to one replica */
        ls_log_err(log, rc == LS_EEXISTS ? LS_ERROR : LS_WARN, "failed to start control server",
                   &err, LS_ATTRS(SYSTEM));
}

static void start_metrics(ls_serve *serve, ls_store *store, const ls_config *config,
                          const ls_log *log) {
    const ls_control_opts opts = {.metrics_addr = config->addr, .log = log};
    const char *host = config->addr[0] == ':' ? "localhost" : "";
    ls_err err = LS_ERR_INIT;

    if (ls_control_start(store, &opts, &serve->metrics, &err) != LS_OK) {
        ls_log_err(log, LS_ERROR, "cannot start metrics server", &err, LS_ATTRS(SYSTEM));
        return;
    }
    char *url = ls_asprintf("http://%s%s/metrics", host, config->addr);
    if (url != NULL)
        ls_log_write(log, LS_INFO, "serving metrics on", LS_ATTRS(LS_STR("url", url)));
    free(url);
}

static void start_heartbeat(ls_serve *serve, ls_store *store, const ls_config *config,
                            const ls_log *log) {
    const ls_heartbeat_opts opts = {
        .url = config->heartbeat_url, .interval = config->heartbeat_interval, .log = log};
    ls_err err = LS_ERR_INIT;

    if (ls_heartbeat_start(store, &opts, &serve->heartbeat, &err) != LS_OK)
        ls_log_err(log, LS_ERROR, "cannot start heartbeat", &err, LS_ATTRS(SYSTEM));
}

void ls_serve_start(ls_serve *serve, ls_store *store, const ls_config *config, const ls_log *log) {
    *serve = (ls_serve){0};
    if (config->socket_enabled)
        start_socket(serve, store, config, log);
    if (config->addr != NULL)
        start_metrics(serve, store, config, log);
    if (config->heartbeat_url != NULL)
        start_heartbeat(serve, store, config, log);
}

void ls_serve_stop(ls_serve *serve) {
    ls_heartbeat_stop(serve->heartbeat);
    ls_control_stop(serve->socket);
    ls_control_stop(serve->metrics);
    *serve = (ls_serve){0};
}
