/* The table of configuration keys: see keys.h. */
#include "engine/config/keys.h"

#include "engine/config/raw.h"

#include <string.h>

#define NO LS_KEY_UNUSED
#define SET LS_KEY_SETTING
#define TOP(name) offsetof(ls_raw_top, name)
#define DB(name) offsetof(ls_raw_db, name)
#define REP(name) offsetof(ls_raw_replica, name)

#define STRING LS_KEY_STRING
#define BOOL LS_KEY_BOOL
#define INT LS_KEY_INT
#define DURATION LS_KEY_DURATION
#define SIZE LS_KEY_SIZE
#define STRINGS LS_KEY_STRINGS

/* One key; a map or list of another section; a replica's key, which may also stand at the top. */
#define KEY(in, name, type, field, def, doc)                                                       \
    { LS_IN_##in, name, type, field, 0, def, doc, false }
#define MAP(in, name, inner, field, doc)                                                           \
    { LS_IN_##in, name, LS_KEY_MAP, field, LS_IN_##inner, "", doc, false }
#define LIST(in, name, inner, field, doc)                                                          \
    { LS_IN_##in, name, LS_KEY_LIST, field, LS_IN_##inner, "", doc, false }
#define BOTH(name, type, field, def, doc)                                                          \
    { LS_IN_REPLICA | LS_IN_TOP, name, type, field, 0, def, doc, false }
#define SECRET(name, doc)                                                                          \
    { LS_IN_REPLICA | LS_IN_TOP, name, LS_KEY_STRING, SET, 0, "", doc, true }

const ls_key ls_keys[] = {
    LIST(TOP, "dbs", DB, TOP(dbs_list), "Databases to replicate."),
    KEY(TOP, "exec", STRING, TOP(exec), "",
        "Command to run as a child, without a shell; its end ends replication. See replicate "
        "-exec in litestream(1)."),
    MAP(TOP, "logging", LOGGING, NO, "What is logged, how and where."),
    MAP(TOP, "snapshot", SNAPSHOT, NO, "Full copies of each database on its replica."),
    LIST(TOP, "levels", LEVEL, TOP(levels_list),
         "Compaction levels from 1 up; default intervals 30s, 5m and 1h. A list replaces all "
         "three, an empty one leaves only snapshots."),
    MAP(TOP, "validation", VALIDATION, NO, "Checks of what is on the replica."),
    MAP(TOP, "retention", RETENTION, NO, "Deletion of what newer files cover."),
    MAP(TOP, "socket", SOCKET, NO, "Control socket."),
    KEY(TOP, "addr", STRING, TOP(addr), "",
        "Address to serve metrics, healthz and readyz on, as host:port."),
    KEY(TOP, "mcp-addr", STRING, TOP(mcp_addr), "",
        "Address to serve the Model Context Protocol on."),
    KEY(TOP, "l0-retention", DURATION, TOP(l0_retention), "5m",
        "How long level-0 files stay, if level 1 has what they hold; 0 keeps them all."),
    KEY(TOP, "l0-retention-check-interval", DURATION, TOP(l0_retention_check_interval), "15s",
        "How often it is looked for level-0 files to delete."),
    KEY(TOP, "verify-compaction", BOOL, TOP(verify_compaction), "false",
        "Whether a level is listed after each compaction, with a warning for each hole or "
        "overlap."),
    KEY(TOP, "heartbeat-url", STRING, TOP(heartbeat_url), "",
        "URL to GET while all databases are replicated, for a service that raises an alarm when "
        "nothing comes."),
    KEY(TOP, "heartbeat-interval", DURATION, TOP(heartbeat_interval), "5m",
        "Pause between heartbeats, at least 1m."),
    KEY(TOP, "shutdown-sync-timeout", DURATION, TOP(shutdown_sync_timeout), "30s",
        "How long the last sync is tried at the end; 0 tries once."),
    KEY(TOP, "shutdown-sync-interval", DURATION, TOP(shutdown_sync_interval), "500ms",
        "Pause between these tries."),

    KEY(LOGGING, "level", STRING, TOP(log_level), "info",
        "Least level that is logged: trace, debug, info, warn or error."),
    KEY(LOGGING, "type", STRING, TOP(log_type), "text",
        "Form of the log: text, json, or pretty, which is shorter and on a terminal coloured."),
    KEY(LOGGING, "stderr", BOOL, TOP(log_stderr), "false",
        "Whether the log goes to standard error instead of standard output."),
    KEY(LOGGING, "source", BOOL, TOP(log_source), "false",
        "Whether records name their place in the source."),

    KEY(SOCKET, "enabled", BOOL, TOP(socket_enabled), "false",
        "Whether there is a control socket."),
    KEY(SOCKET, "path", STRING, TOP(socket_path), "/var/run/litestream.sock", "Where it is."),
    {LS_IN_SOCKET, "permissions", LS_KEY_MODE, TOP(socket_mode), 0, "0600",
     "Its mode, in octal with a leading 0.", false},

    KEY(SNAPSHOT, "interval", DURATION, TOP(snapshot_interval), "24h", "Pause between snapshots."),
    KEY(SNAPSHOT, "retention", DURATION, TOP(snapshot_retention), "24h",
        "How far back each moment can be restored: older snapshots are deleted, but for the newest "
        "of them."),
    KEY(VALIDATION, "interval", DURATION, TOP(validation_interval), "",
        "Pause between checks of all levels for holes and overlaps, with a warning for each; off "
        "without it."),
    KEY(RETENTION, "enabled", BOOL, TOP(retention_enabled), "true",
        "Whether old files are deleted on the replica; false leaves that to the store's own "
        "rules."),
    {LS_IN_LEVEL, "interval", LS_KEY_DURATION, offsetof(ls_raw_level, interval), 0, "",
     "Pause between compactions into this level.", false},

    KEY(DB, "path", STRING, DB(path), "", "Path of the database file."),
    KEY(DB, "dir", STRING, DB(dir), "",
        "Folder of databases, instead of path. Each has the other settings, and on the replica its "
        "path "
        "below the folder behind the replica's."),
    KEY(DB, "pattern", STRING, DB(pattern), "",
        "Names in dir that are databases, such as *.db: * and ? stand for others, [a-z] and [^a-z] "
        "for one of a class or none of it. The files must also begin like SQLite databases."),
    KEY(DB, "recursive", BOOL, DB(recursive), "false", "Whether folders below dir count."),
    KEY(DB, "watch", BOOL, DB(watch), "false",
        "Whether databases that appear later are added, and those that go removed, while the "
        "daemon "
        "runs."),
    KEY(DB, "meta-path", STRING, DB(meta_path), "",
        "Folder for local state; default .NAME-litestream beside the database. With dir: the "
        "folder "
        "that takes its place, with the folders below dir in it."),
    KEY(DB, "meta-dir", STRING, DB(meta_dir), "",
        "With dir: folder that holds the state folders, PATH-litestream for a database at PATH "
        "below "
        "dir."),
    KEY(DB, "monitor-interval", DURATION, DB(monitor_interval), "1s",
        "How often the database is looked at where file-change notices do not work."),
    KEY(DB, "checkpoint-interval", DURATION, DB(checkpoint_interval), "1m",
        "Pause between passive checkpoints; 0 for none by time."),
    KEY(DB, "busy-timeout", DURATION, DB(busy_timeout), "1s",
        "How long SQLite waits for a lock that another process holds."),
    KEY(DB, "min-checkpoint-page-count", INT, DB(min_checkpoint_page_count), "1000",
        "Pages in the WAL that call for a passive checkpoint."),
    KEY(DB, "truncate-page-n", INT, DB(truncate_page_n), "121359",
        "Pages in the WAL that call for a truncating checkpoint; 0 for the default."),
    KEY(DB, "max-sync-wal-bytes", INT, DB(max_sync_wal_bytes), "67108864",
        "Bytes of WAL after which one capture ends; 0 for no bound."),
    KEY(DB, "restore-if-db-not-exists", BOOL, DB(restore_if_db_not_exists), "false",
        "Whether replicate restores a missing database first."),
    MAP(DB, "snapshot", DB_SNAPSHOT, NO, "Snapshots of this database."),
    MAP(DB, "replica", REPLICA, DB(replica_map), "Where the database is replicated to."),
    LIST(DB, "replicas", REPLICA, DB(replicas_list), "The older form of replica: a list of one."),
    KEY(DB_SNAPSHOT, "interval", DURATION, DB(snapshot_interval), "24h",
        "Pause between snapshots."),
    KEY(DB_SNAPSHOT, "retention", DURATION, DB(snapshot_retention), "24h",
        "How far back each moment of it can be restored."),

    KEY(REPLICA, "type", STRING, REP(type), "file",
        "Kind of store: file, s3, gs, abs, oss, sftp, webdav or nats; a URL's scheme goes first."),
    KEY(REPLICA, "name", STRING, NO, "", "Of older versions; has no effect."),
    KEY(REPLICA, "url", STRING, REP(url), "", "The store as a URL."),
    KEY(REPLICA, "path", STRING, REP(path), "", "Folder or prefix in the store; no URL."),
    BOTH("sync-interval", DURATION, REP(sync_interval), "1s",
         "Least pause between uploads, and between captures if it is longer than monitor-interval; "
         "the first write after a pause goes at once."),
    BOTH(
        "auto-recover", BOOL, REP(auto_recover), "false",
        "Whether a file that is damaged on the replica is replaced by a new snapshot and removed."),
    BOTH(
        "lease", BOOL, REP(lease), "false",
        "Whether only one process at a time may write to the replica: a second one stops and names "
        "the first. For file replicas and s3."),
    BOTH("lease-ttl", DURATION, REP(lease_ttl), "30s",
         "How long a lease lasts that is not renewed, at least 3s; it is renewed after a third of "
         "that."),
    BOTH("validation-interval", DURATION, NO, "", "Of older versions; has no effect."),
    BOTH("max-sync-ltx-files", INT, REP(max_sync_ltx_files), "256",
         "Files uploaded in one go before other databases have their turn; 0 for no bound."),
    {LS_IN_REPLICA | LS_IN_TOP, "age", LS_KEY_MAP, NO, LS_IN_AGE, "",
     "Encryption of older versions; refused unless empty.", false},
    KEY(AGE, "identities", STRINGS, REP(age_identities), "", "Refused unless empty."),
    KEY(AGE, "recipients", STRINGS, REP(age_recipients), "", "Refused unless empty."),

    BOTH("bucket", STRING, SET, "", "s3, gs, abs (container), oss, nats: bucket."),
    BOTH("region", STRING, SET, "", "s3, oss: region."),
    BOTH("endpoint", STRING, SET, "", "s3, gs, abs, oss: endpoint."),
    SECRET("access-key-id", "s3, oss: access key."),
    SECRET("secret-access-key", "s3, oss: secret key."),
    BOTH("force-path-style", BOOL, SET, "", "s3: bucket in the path; true with an endpoint."),
    BOTH("sign-payload", BOOL, SET, "true", "s3: sign what is uploaded."),
    BOTH("require-content-md5", BOOL, SET, "true", "s3: send Content-MD5 with deletions."),
    BOTH("skip-verify", BOOL, SET, "false", "s3: accept any TLS certificate."),
    BOTH("storage-class", STRING, SET, "", "s3: storage class of new objects."),
    BOTH("part-size", SIZE, SET, "5MiB", "s3, oss: size of upload parts. Not inherited."),
    BOTH("concurrency", INT, SET, "5", "s3, oss: parts uploaded at once. Not inherited."),
    BOTH("sse-customer-algorithm", STRING, SET, "AES256", "s3: algorithm of a customer's key."),
    SECRET("sse-customer-key", "s3: customer's key."),
    BOTH("sse-customer-key-path", STRING, SET, "", "s3: file that holds the customer's key."),
    BOTH("sse-kms-key-id", STRING, SET, "", "s3: key of the key management service."),
    BOTH("account-name", STRING, SET, "", "abs: account."),
    SECRET("account-key", "abs: account key."),
    SECRET("sas-token", "abs: shared access signature."),
    BOTH("host", STRING, SET, "", "sftp: host, or host:port."),
    BOTH("user", STRING, SET, "", "sftp: user."),
    SECRET("password", "sftp, nats: password."),
    BOTH("key-path", STRING, SET, "", "sftp: private key file."),
    BOTH("host-key", STRING, SET, "", "sftp: the server's public key."),
    BOTH("known-hosts", STRING, SET, "", "sftp: file of known hosts in which the server must be."),
    BOTH("concurrent-writes", BOOL, SET, "true", "sftp: several writes at once."),
    KEY(REPLICA, "webdav-url", STRING, SET, "", "webdav: URL of the server."),
    KEY(REPLICA, "webdav-username", STRING, SET, "", "webdav: user."),
    {LS_IN_REPLICA, "webdav-password", LS_KEY_STRING, SET, 0, "", "webdav: password.", true},
    SECRET("jwt", "nats: token, with seed."),
    SECRET("seed", "nats: seed, with jwt."),
    BOTH("creds", STRING, SET, "", "nats: credentials file."),
    SECRET("nkey", "nats: seed of a key pair."),
    BOTH("username", STRING, SET, "", "nats: user, with password."),
    SECRET("token", "nats: token."),
    BOTH("tls", BOOL, SET, "", "nats: whether TLS is required."),
    BOTH("root-cas", STRINGS, SET, "", "nats: files of certificate authorities."),
    BOTH("client-cert", STRING, SET, "", "nats: client certificate, with client-key."),
    BOTH("client-key", STRING, SET, "", "nats: key file of the client certificate."),
    BOTH("max-reconnects", INT, SET, "-1", "nats: connections tried; -1 for no end."),
    BOTH("reconnect-wait", DURATION, SET, "2s", "nats: pause between them."),
    BOTH("timeout", DURATION, SET, "10s", "nats: limit of one request."),
    {0},
};

const ls_key *ls_key_find(unsigned section, const char *name) {
    for (const ls_key *k = ls_keys; k->name != NULL; k++) {
        if ((k->where & section) != 0 && strcmp(k->name, name) == 0)
            return k;
    }
    return NULL;
}

const char *ls_section_name(unsigned section) {
    static const char *const names[] = {
        "",         "socket", "logging",        "snapshot", "validation", "retention",
        "levels[]", "dbs[]",  "dbs[].snapshot", "replica",  "age"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (section == 1u << i)
            return names[i];
    }
    return "?";
}

const char *ls_key_replaced(unsigned section, const char *name) {
    static const struct {
        unsigned where;
        const char *name, *hint;
    } removed[] = {
        /* At the top level as a map it is a key. */
        {LS_IN_REPLICA | LS_IN_DB | LS_IN_TOP, "retention",
         "write snapshot: {retention: 24h} at the top level instead"},
        {LS_IN_REPLICA | LS_IN_DB | LS_IN_TOP, "retention-check-interval",
         "retention follows each snapshot now; for level 0 there is l0-retention-check-interval at "
         "the top level"},
        {LS_IN_REPLICA | LS_IN_DB | LS_IN_TOP, "snapshot-interval",
         "write snapshot: {interval: 24h} at the top level instead"},
        {LS_IN_DB | LS_IN_TOP, "max-checkpoint-page-count", "truncate-page-n took its place"},
        {LS_IN_DB | LS_IN_TOP, "shadow-retention-count",
         "there is no shadow WAL any more; remove the key"},
        {LS_IN_DB, "replica-url", "write replica: {url: ...} instead"},
    };

    for (size_t i = 0; i < sizeof removed / sizeof *removed; i++) {
        if ((removed[i].where & section) != 0 && strcmp(removed[i].name, name) == 0)
            return removed[i].hint;
    }
    return NULL;
}

const char *ls_key_type_name(ls_key_type type) {
    static const char *const names[] = {
        [LS_KEY_STRING] = "text",
        [LS_KEY_BOOL] = "true or false",
        [LS_KEY_INT] = "number",
        [LS_KEY_MODE] = "mode",
        [LS_KEY_DURATION] = "duration",
        [LS_KEY_SIZE] = "size",
        [LS_KEY_STRINGS] = "list of texts",
        [LS_KEY_MAP] = "map",
        [LS_KEY_LIST] = "list of maps",
    };

    return names[type];
}
