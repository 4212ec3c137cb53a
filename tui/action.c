/* Actions: their table, the call that each makes, and the command line that does the same. */
#include "tui/action.h"

#include "tui/words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The daemon's own limits are shorter: what it says of a limit is more than that there was none. */
#define SHORT_NS (35 * LS_SEC)
#define LONG_NS (305 * LS_SEC)

const action_info action_table[ACTIONS] = {
    [ACT_SYNC] = {"Sync", "syncing", "", SHORT_NS, REQ_SYNC, ASK_NOTHING},
    [ACT_SYNC_WAIT] = {"Sync and wait", "syncing", "", SHORT_NS, REQ_SYNC_WAIT, ASK_NOTHING},
    [ACT_SNAPSHOT] = {"Snapshot", "writing a snapshot", "", LONG_NS, REQ_SNAPSHOT, ASK_NOTHING},
    [ACT_VERIFY] = {"Verify", "asking for a verify", "", SHORT_NS, REQ_VERIFY, ASK_NOTHING},
    [ACT_VERIFY_FULL] = {"Verify with restore", "asking for a verify", "", SHORT_NS,
                         REQ_VERIFY_FULL, ASK_NOTHING},
    [ACT_RESTORE] = {"Restore", "asking for a restore",
                     "The daemon restores from the replica into a new file, as its own user, while "
                     "it goes on replicating. Relative paths begin at its working folder.",
                     SHORT_NS, REQ_RESTORE_DATABASE, ASK_YES},
    [ACT_START] = {"Start", "starting", "", SHORT_NS, REQ_START_DATABASE, ASK_NOTHING},
    [ACT_STOP] = {"Stop", "stopping",
                  "The daemon syncs the database a last time and closes it. From then on commits "
                  "are NOT replicated until it is started again or the daemon restarts.",
                  SHORT_NS, REQ_STOP_DATABASE, ASK_YES},
    [ACT_REGISTER] = {"Register", "registering",
                      "Adds a database to the daemon, with default settings, until the daemon "
                      "ends. To keep it, add it to the configuration as well.",
                      SHORT_NS, REQ_REGISTER, ASK_YES},
    [ACT_UNREGISTER] = {"Unregister", "unregistering",
                        "The daemon syncs the database a last time and forgets it: it is NOT "
                        "replicated any more. What is on the replica stays.",
                        SHORT_NS, REQ_UNREGISTER, ASK_NAME},
    [ACT_RESET] = {"Reset local state", "resetting",
                   "Stops the database, removes its local LTX files, and starts it again. The "
                   "database and what is on its replica are not touched; the next sync writes and "
                   "uploads a full copy.",
                   SHORT_NS, REQ_RESET, ASK_NAME},
    [ACT_CANCEL] = {"Cancel job", "cancelling", "", SHORT_NS, REQ_NONE, ASK_NOTHING},
};

action_kind action_of_request(request r) {
    action_kind k = 0;
    while (k < ACTIONS && (r == REQ_NONE || action_table[k].request != r)) {
        k++;
    }
    return k;
}

void action_done(action *a) {
    free(a->socket);
    free(a->path);
    free(a->url);
    free(a->meta);
    free(a->output);
    free(a->target);
    *a = (action){0};
}

bool action_copy(action *to, const action *from) {
    char *const from_texts[] = {from->socket, from->path,   from->url,
                                from->meta,   from->output, from->target};
    *to = *from;
    char **const to_texts[] = {&to->socket, &to->path,   &to->url,
                               &to->meta,   &to->output, &to->target};
    bool good = true;
    for (size_t i = 0; i < sizeof(from_texts) / sizeof(from_texts[0]); i++) {
        *to_texts[i] = from_texts[i] != NULL ? strdup(from_texts[i]) : NULL;
        good = good && (from_texts[i] == NULL || *to_texts[i] != NULL);
    }
    if (!good) {
        action_done(to);
    }
    return good;
}

const char *action_name(const action *a) { return ls_path_base(a->path); }

ls_code action_target(const char *text, ls_txid *txid, int64_t *ms, ls_err *err) {
    *txid = 0;
    *ms = LS_NO_TIMESTAMP;
    if (*text == '\0' || short_txid(text, txid)) {
        return LS_OK;
    }
    if (ls_time_parse(text, ms, err) == LS_OK) {
        return LS_OK;
    }
    (void)ls_fail(err, LS_EINVALID, "%s is neither a TXID nor a time", text);
    return ls_hint(err, "13c, or 2006-01-02T15:04:05Z; nothing: the newest");
}

/* ---- command lines ---- */

static const char *const check_names[] = {"none", "quick", "full"};

typedef struct line {
    char *buf;
    size_t size, len;
} line;

static void add(line *l, const char *word) {
    int n = snprintf(l->buf + l->len, l->size - l->len, "%s%s", l->len > 0 ? " " : "", word);
    size_t more = n > 0 ? (size_t)n : 0;
    l->len = l->len + more < l->size ? l->len + more : l->size - 1;
}

static void add_word(line *l, const char *text) {
    char word[1500];
    add(l, shell_word(text, word, sizeof(word)));
}

static void add_socket(line *l, const action *a) {
    if (strcmp(a->socket, LS_SOCKET_DEFAULT_PATH) != 0) {
        add(l, "-socket");
        add_word(l, a->socket);
    }
}

static void add_simple(line *l, const action *a, const char *command) {
    add(l, command);
    add_socket(l, a);
    add_word(l, a->path);
}

static void add_restore(line *l, const action *a) {
    char text[40];
    ls_txid txid = 0;
    int64_t ms = LS_NO_TIMESTAMP;
    ls_err ignored = LS_ERR_INIT;
    add(l, "litestream restore");
    if (action_target(a->target, &txid, &ms, &ignored) == LS_OK && txid != 0) {
        add(l, "-txid");
        add(l, ls_txid_format(txid, text));
    } else if (ms != LS_NO_TIMESTAMP) {
        add(l, "-timestamp");
        add(l, ls_time_format(ms, true, text, sizeof(text)));
    }
    if (a->check != LS_INTEGRITY_NONE) {
        add(l, "-integrity-check");
        add(l, check_names[a->check]);
    }
    add(l, a->force ? "-force -o" : "-o");
    add_word(l, a->output);
    add_word(l, a->url);
}

/* What no command does is asked of the socket. */
static void add_curl(line *l, const action *a, const char *route, const json_t *body) {
    char *text = json_dumps(body, JSON_COMPACT);
    add(l, "curl --unix-socket");
    add_word(l, a->socket);
    add(l, "-d");
    add_word(l, text != NULL ? text : "");
    add(l, route);
    free(text);
}

static json_t *body_of(const action *a);

char *action_command(const action *a, char *buf, size_t size) {
    line l = {.buf = buf, .size = size};
    json_t *body = body_of(a);
    buf[0] = '\0';
    switch (a->kind) {
    case ACT_SYNC:
    case ACT_SYNC_WAIT:
        add_simple(&l, a, a->kind == ACT_SYNC ? "litestream sync" : "litestream sync -wait");
        break;
    case ACT_START:
    case ACT_STOP:
        add_simple(&l, a, a->kind == ACT_START ? "litestream start" : "litestream stop");
        break;
    case ACT_UNREGISTER:
        add_simple(&l, a, "litestream unregister");
        break;
    case ACT_REGISTER:
        add(&l, "litestream register -replica");
        add_word(&l, a->url);
        add_socket(&l, a);
        add_word(&l, a->path);
        break;
    case ACT_RESET:
        add_simple(&l, a, "litestream stop");
        add(&l, "&& litestream reset");
        add_word(&l, a->path);
        add(&l, "&&");
        add_simple(&l, a, "litestream start");
        break;
    case ACT_VERIFY:
    case ACT_VERIFY_FULL:
        add(&l, a->kind == ACT_VERIFY ? "litestream verify" : "litestream verify -full");
        add_word(&l, a->url);
        break;
    case ACT_RESTORE:
        add_restore(&l, a);
        break;
    case ACT_SNAPSHOT:
        add_curl(&l, a, "http://localhost/snapshot", body);
        break;
    default:
        add_curl(&l, a, "http://localhost/jobs/cancel", body);
        break;
    }
    json_decref(body);
    return buf;
}

/* ---- calls ---- */

static void set_text(json_t *o, const char *key, const char *text) {
    (void)json_object_set_new(o, key, json_string(text));
}

static void set_target(json_t *o, const char *target) {
    char text[40];
    ls_txid txid = 0;
    int64_t ms = LS_NO_TIMESTAMP;
    ls_err ignored = LS_ERR_INIT;
    if (action_target(target, &txid, &ms, &ignored) != LS_OK) {
        set_text(o, "txid", target); /* the daemon says what is wrong with it */
    } else if (txid != 0) {
        set_text(o, "txid", ls_txid_format(txid, text));
    } else if (ms != LS_NO_TIMESTAMP) {
        set_text(o, "timestamp", ls_time_format(ms, true, text, sizeof(text)));
    }
}

static json_t *body_of(const action *a) {
    json_t *o = json_object();
    if (a->kind == ACT_CANCEL) {
        (void)json_object_set_new(o, "id", json_integer((json_int_t)a->job));
        return o;
    }
    set_text(o, "path", a->path);
    if (a->kind == ACT_SYNC_WAIT) {
        (void)json_object_set_new(o, "wait", json_true());
    } else if (a->kind == ACT_VERIFY_FULL) {
        (void)json_object_set_new(o, "full", json_true());
    } else if (a->kind == ACT_REGISTER) {
        set_text(o, "replica_url", a->url);
    } else if (a->kind == ACT_RESTORE) {
        set_text(o, "output", a->output);
        set_target(o, a->target);
        set_text(o, "integrity", check_names[a->check]);
        (void)json_object_set_new(o, "force", json_boolean(a->force));
    }
    return o;
}

static const char *route_of(action_kind kind) {
    static const char *const routes[ACTIONS] = {
        [ACT_SYNC] = "/sync",          [ACT_SYNC_WAIT] = "/sync",
        [ACT_SNAPSHOT] = "/snapshot",  [ACT_VERIFY] = "/verify",
        [ACT_VERIFY_FULL] = "/verify", [ACT_RESTORE] = "/restore",
        [ACT_START] = "/start",        [ACT_STOP] = "/stop",
        [ACT_REGISTER] = "/register",  [ACT_UNREGISTER] = "/unregister",
        [ACT_CANCEL] = "/jobs/cancel"};
    return routes[kind];
}

static ls_code call(ls_client *client, const action *a, const char *route, json_t **answer,
                    ls_err *err) {
    json_t *body = body_of(a);
    ls_code rc =
        ls_client_call(client, "POST", route, body, action_table[a->kind].timeout_ns, answer, err);
    json_decref(body);
    return rc;
}

/* "synced, TXID 2b7, on the replica 2b7". */
static void describe(action *a, const json_t *answer) {
    char status[40] = "", more[160] = "";
    const char *word = json_string_value(json_object_get(answer, "status"));
    json_int_t txid = json_integer_value(json_object_get(answer, "txid"));
    json_int_t there = json_integer_value(json_object_get(answer, "replicated_txid"));
    json_int_t id = json_integer_value(json_object_get(answer, "id"));
    (void)snprintf(status, sizeof(status), "%s", word != NULL ? word : "done");
    for (char *p = status; *p != '\0'; p++) {
        *p = *p == '_' ? ' ' : *p;
    }
    if (id > 0) {
        a->job = (uint64_t)id;
        (void)snprintf(more, sizeof(more), ": job %" PRIu64, a->job);
    } else if (there > 0) {
        (void)snprintf(more, sizeof(more), ", TXID %" PRIx64 ", on the replica %" PRIx64,
                       (uint64_t)txid, (uint64_t)there);
    } else if (txid > 0) {
        (void)snprintf(more, sizeof(more), ", TXID %" PRIx64, (uint64_t)txid);
    }
    (void)snprintf(a->outcome, sizeof(a->outcome), "%s%s", status, more);
}

/* The files are removed only while the daemon has let go of the database, and it takes it up again
 * whatever came of that. */
static ls_code reset(ls_client *client, action *a, ls_err *err) {
    json_t *answer = NULL;
    ls_err start_err = LS_ERR_INIT;
    size_t files = 0;
    ls_code rc = a->runs ? call(client, a, "/stop", &answer, err) : LS_OK;
    json_decref(answer);
    if (rc != LS_OK) {
        return ls_wrap(err, "nothing was reset: stop");
    }
    rc = ls_db_reset(a->meta, &files, err);
    answer = NULL;
    ls_code started = a->runs ? call(client, a, "/start", &answer, &start_err) : LS_OK;
    json_decref(answer);
    (void)snprintf(a->outcome, sizeof(a->outcome), "%zu files removed%s", files,
                   a->runs ? "; a full copy follows" : "");
    if (rc == LS_OK && started != LS_OK) {
        *err = start_err;
        return ls_wrap(err, "%s was reset, but is stopped: start", a->path);
    }
    return rc;
}

ls_code action_run(action *a, ls_err *err) {
    ls_client *client = NULL;
    json_t *answer = NULL;
    ls_code rc = ls_client_new(a->socket, &client, err);
    if (rc == LS_OK && a->kind == ACT_RESET) {
        rc = reset(client, a, err);
    } else if (rc == LS_OK) {
        rc = call(client, a, route_of(a->kind), &answer, err);
    }
    if (rc == LS_OK && a->kind != ACT_RESET) {
        describe(a, answer);
    }
    json_decref(answer);
    ls_client_free(client);
    return rc;
}
