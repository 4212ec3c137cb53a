/* The table of routes and the decoding of their parameters: see routes.h. */
#include "engine/control/routes.h"

#include "engine/base/text.h"
#include "engine/config/scalar.h"
#include "engine/control/internal.h"

#include <string.h>
#include <strings.h>

#define STRING(name_, doc_)                                                                        \
    { name_, LS_PARAM_STRING, false, doc_ }
#define NEEDED(name_, doc_)                                                                        \
    { name_, LS_PARAM_STRING, true, doc_ }
#define INT(name_, doc_)                                                                           \
    { name_, LS_PARAM_INT, false, doc_ }
#define BOOL(name_, doc_)                                                                          \
    { name_, LS_PARAM_BOOL, false, doc_ }
#define DB_PATH NEEDED("path", "Path of the database.")

const ls_route ls_routes[] = {
    {"GET",
     "/info",
     LS_ON_SOCKET,
     {{0}},
     ls_handle_info,
     "Version, process and age of the daemon, and how many databases it has."},
    {"GET", "/list", LS_ON_SOCKET, {{0}}, ls_handle_list, "Databases with status and last sync."},
    {"GET",
     "/txid",
     LS_ON_SOCKET,
     {DB_PATH, {0}},
     ls_handle_txid,
     "Newest captured TXID of a database, 0 if there is none."},
    {"POST",
     "/start",
     LS_ON_SOCKET,
     {DB_PATH, INT("timeout", "Seconds; not used, as nothing is waited for."), {0}},
     ls_handle_start,
     "Starts a database that was stopped."},
    {"POST",
     "/stop",
     LS_ON_SOCKET,
     {DB_PATH, INT("timeout", "Seconds for the last sync; 30 if absent or 0."), {0}},
     ls_handle_stop,
     "Syncs a database a last time and closes it; it stays listed."},
    {"POST",
     "/sync",
     LS_ON_SOCKET,
     {DB_PATH,
      BOOL("wait", "Whether the upload is waited for."),
      INT("timeout", "Seconds; 30 with wait if absent or 0, else none."),
      {0}},
     ls_handle_sync,
     "Captures what is committed, and with wait uploads it."},
    {"POST",
     "/register",
     LS_ON_SOCKET,
     {DB_PATH,
      NEEDED("replica_url", "URL of its replica."),
      BOOL("restore_if_db_not_exists",
           "Whether a missing database is restored from its replica first."),
      {0}},
     ls_handle_register,
     "Adds a database until the daemon ends."},
    {"POST",
     "/unregister",
     LS_ON_SOCKET,
     {DB_PATH, INT("timeout", "Seconds for the last sync; 30 if absent or not positive."), {0}},
     ls_handle_unregister,
     "Syncs a database a last time and forgets it."},
    {"POST",
     "/reload",
     LS_ON_SOCKET,
     {{0}},
     ls_handle_reload,
     "Reads the configuration again, as SIGHUP does."},
    {"GET",
     "/debug/sync-status",
     LS_ON_SOCKET,
     {STRING("path", "Path of one database; absent: all."), {0}},
     ls_handle_sync_status,
     "What is under way for each database."},
    {"GET", "/databases", LS_ON_SOCKET, {{0}}, ls_handle_databases, "All that is known of all."},
    {"GET", "/database", LS_ON_SOCKET, {DB_PATH, {0}}, ls_handle_database, "The same of one."},
    {"GET",
     "/events",
     LS_ON_SOCKET,
     {INT("after", "Number of the last event that is known; 0 or absent: all that are kept."), {0}},
     ls_handle_events,
     "What happens, as a stream of server-sent events."},
    {"POST",
     "/snapshot",
     LS_ON_SOCKET,
     {DB_PATH, INT("timeout", "Seconds; 300 if absent or not positive."), {0}},
     ls_handle_snapshot,
     "Writes a snapshot of the newest transaction to the replica."},
    {"POST",
     "/verify",
     LS_ON_SOCKET,
     {DB_PATH,
      BOOL("full", "Whether the newest point is also restored and checked by SQLite."),
      {0}},
     ls_handle_verify,
     "Starts a job that verifies the replica."},
    {"POST",
     "/restore",
     LS_ON_SOCKET,
     {DB_PATH,
      NEEDED("output", "Path of the new file."),
      STRING("txid", "16 hexadecimal digits; absent: the newest."),
      STRING("timestamp", "RFC 3339; the state before that moment."),
      STRING("integrity", "none, quick or full."),
      BOOL("force", "Whether an existing file is replaced."),
      {0}},
     ls_handle_restore,
     "Starts a job that restores from the replica."},
    {"GET", "/jobs", LS_ON_SOCKET, {{0}}, ls_handle_jobs, "Jobs, the oldest first."},
    {"POST",
     "/jobs/cancel",
     LS_ON_SOCKET,
     {INT("id", "The job."), {0}},
     ls_handle_jobs_cancel,
     "Cancels a job that has not ended."},
    {"GET",
     "/healthz",
     LS_ON_SOCKET | LS_ON_METRICS,
     {{0}},
     ls_handle_healthz,
     "200 while the daemon does its work, 503 before and after."},
    {"GET",
     "/readyz",
     LS_ON_SOCKET | LS_ON_METRICS,
     {{0}},
     ls_handle_readyz,
     "200 if every database is replicated, else 503 with those that are not."},
    {"GET",
     "/metrics",
     LS_ON_SOCKET | LS_ON_METRICS,
     {{0}},
     ls_handle_metrics,
     "Metrics in the text form of Prometheus."},
    {0},
};

const ls_route *ls_route_find(unsigned where, const char *method, const char *path,
                              const char **allow) {
    *allow = "";
    if (strcmp(method, "HEAD") == 0)
        method = "GET";
    for (const ls_route *r = ls_routes; r->method != NULL; r++) {
        if ((r->where & where) == 0 || strcmp(r->path, path) != 0)
            continue;
        if (strcmp(r->method, method) == 0)
            return r;
        *allow = strcmp(r->method, "GET") == 0 ? "GET, HEAD" : "POST";
    }
    return NULL;
}

/* ---- parameters ---- */

static const char *json_kind(const json_t *v) {
    static const char *const names[] = {
        [JSON_OBJECT] = "object",  [JSON_ARRAY] = "array", [JSON_STRING] = "string",
        [JSON_INTEGER] = "number", [JSON_REAL] = "number", [JSON_TRUE] = "bool",
        [JSON_FALSE] = "bool",     [JSON_NULL] = "null",
    };

    return names[json_typeof(v)];
}

static const char *type_name(ls_param_type type) {
    return type == LS_PARAM_STRING ? "a string"
           : type == LS_PARAM_INT  ? "a whole number"
                                   : "a bool";
}

static bool take(const ls_param *param, const json_t *v, ls_value *value) {
    *value = (ls_value){.set = true};
    if (param->type == LS_PARAM_STRING && json_is_string(v)) {
        const char *text = json_string_value(v);
        value->str = text[0] == '\0' ? NULL : text;
        return true;
    }
    if (param->type == LS_PARAM_INT && json_is_integer(v)) {
        value->num = json_integer_value(v);
        return true;
    }
    if (param->type == LS_PARAM_BOOL && json_is_boolean(v)) {
        value->flag = json_is_true(v);
        return true;
    }
    return json_is_null(v);
}

/* The last member of that name counts, as for the reference; an exact one is the same. */
static const json_t *member(json_t *object, const char *name) {
    const json_t *found = NULL;
    const char *key;
    json_t *v;

    json_object_foreach(object, key, v) {
        if (strcasecmp(key, name) == 0)
            found = v;
    }
    return found;
}

static ls_code decode_members(const ls_route *route, json_t *object, ls_value *values,
                              ls_err *err) {
    for (size_t i = 0; route->params[i].name != NULL; i++) {
        const ls_param *param = &route->params[i];
        const json_t *v = member(object, param->name);
        if (v != NULL && !take(param, v, &values[i]))
            return ls_fail(err, LS_EINVALID, "json: %s must be %s, not %s", param->name,
                           type_name(param->type), json_kind(v));
    }
    return LS_OK;
}

ls_code ls_params_decode(const ls_route *route, const char *text, size_t len, ls_value *values,
                         json_t **json, ls_err *err) {
    json_error_t wrong;

    *json = NULL;
    if (len == 0)
        return route->params[0].name == NULL ? LS_OK : ls_fail(err, LS_EINVALID, "EOF");
    *json = json_loadb(text, len, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK, &wrong);
    if (*json == NULL)
        return ls_fail(err, LS_EINVALID, "json: line %d, column %d: %s", wrong.line, wrong.column,
                       wrong.text);
    if (json_is_null(*json))
        return LS_OK;
    if (!json_is_object(*json))
        return ls_fail(err, LS_EINVALID, "json: the body must be an object, not %s",
                       json_kind(*json));
    return decode_members(route, *json, values, err);
}

ls_code ls_param_parse(const ls_param *param, const char *text, ls_value *value, ls_err *err) {
    *value = (ls_value){.set = true};
    if (param->type == LS_PARAM_STRING)
        value->str = text[0] == '\0' ? NULL : text;
    else if (param->type == LS_PARAM_INT && ls_int_parse(text, &value->num) != LS_OK)
        return ls_fail(err, LS_EINVALID, "%s must be a whole number", param->name);
    else if (param->type == LS_PARAM_BOOL && !ls_go_bool_parse(text, &value->flag))
        return ls_fail(err, LS_EINVALID, "%s must be true or false", param->name);
    return LS_OK;
}

const char *ls_params_missing(const ls_route *route, const ls_value *values) {
    for (size_t i = 0; route->params[i].name != NULL; i++) {
        if (route->params[i].required && values[i].str == NULL)
            return route->params[i].name;
    }
    return NULL;
}
