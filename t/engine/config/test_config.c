/* litestream.yml: every key, every error, expansion, inheritance, and the bounds on hostile text.
 */
#include "engine/base/buf.h"
#include "engine/base/text.h"
#include "engine/config/config.h"
#include "engine/config/keys.h"

#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static ls_config config;
static ls_err err;

static ls_code parse(const char *text) {
    ls_config_done(&config);
    ls_err_clear(&err);
    return ls_config_parse(text, strlen(text), "c.yml", true, &config, &err);
}

static void ok(const char *text) {
    if (parse(text) != LS_OK)
        fail_msg("%s\n: %s", text, err.msg);
}

static void fails(const char *text, const char *msg, const char *hint) {
    if (parse(text) == LS_OK)
        fail_msg("accepted: %s", text);
    if (strcmp(err.msg, msg) != 0)
        fail_msg("%s\n  got:  %s\n  want: %s", text, err.msg, msg);
    if (hint != NULL && strcmp(ls_err_hint(&err), hint) != 0)
        fail_msg("%s\n  got:  %s\n  want: %s", text, ls_err_hint(&err), hint);
    assert_int_equal(config.n_dbs, 0);
}

/* ---- values ---- */

static void test_empty(void **state) {
    static const char *const texts[] = {"", "\n# only a comment\n", "---\n", "~", "{}", "null\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ok(texts[i]);
        assert_int_equal(config.n_dbs, 0);
        assert_int_equal(config.log_level, LS_INFO);
        assert_false(config.log_level_set);
        assert_int_equal(config.log_format, LS_LOG_TEXT);
        assert_false(config.log_stderr);
        assert_false(config.log_source);
        assert_int_equal(config.shutdown_sync_timeout, 30 * LS_SEC);
        assert_int_equal(config.shutdown_sync_interval, 500 * LS_MS);
        assert_null(config.exec);
    }
}

static void test_defaults(void **state) {
    (void)state;
    ok("dbs:\n  - path: /a/b.db\n    replica:\n      path: /r\n");
    assert_int_equal(config.n_dbs, 1);
    const ls_db_config *db = &config.dbs[0];
    assert_string_equal(db->path, "/a/b.db");
    assert_null(db->dir);
    assert_null(db->meta_path);
    assert_int_equal(db->monitor_interval, LS_SEC);
    assert_int_equal(db->checkpoint_interval, 60 * LS_SEC);
    assert_int_equal(db->busy_timeout, LS_SEC);
    assert_int_equal(db->min_checkpoint_page_n, 1000);
    assert_int_equal(db->truncate_page_n, 121359);
    assert_int_equal(db->max_sync_wal_bytes, 64 << 20);
    assert_false(db->restore_if_db_not_exists);
    assert_true(db->has_replica);
    assert_null(db->replica.type);
    assert_null(db->replica.url);
    assert_string_equal(db->replica.path, "/r");
    assert_int_equal(db->replica.sync_interval, LS_SEC);
    assert_int_equal(db->replica.max_sync_ltx_files, 256);
    assert_false(db->replica.auto_recover);
    assert_false(db->replica.lease);
    assert_int_equal(db->replica.lease_ttl, 30 * LS_SEC);
    assert_ptr_equal(ls_config_find(&config, "/a/b.db"), db);
    assert_null(ls_config_find(&config, "/a/b"));
}

/* The database that is rel below the one folder of a configuration, as path, URL or path of its
 * replica, meta path. */
static void derived(const char *text, const char *rel, const char *want) {
    ls_db_config *db = NULL;

    ok(text);
    assert_int_equal(ls_config_derive(&config.dbs[0], rel, &db, &err), LS_OK);
    char *got = ls_asprintf("%s %s %s", db->path,
                            db->replica.url != NULL ? db->replica.url : db->replica.path,
                            db->meta_path == NULL ? "-" : db->meta_path);
    assert_string_equal(got, want);
    assert_null(db->dir);
    assert_int_equal(db->busy_timeout, config.dbs[0].busy_timeout);
    free(got);
    ls_config_derived_free(db);
}

static void test_derived(void **state) {
    ls_db_config *db = NULL;

    (void)state;
    derived("dbs: [{dir: /d, pattern: '*', busy-timeout: 7s, replica: {path: /r/}}]", "a.db",
            "/d/a.db /r/a.db -");
    derived("dbs: [{dir: /d, pattern: '*', replica: {url: 'file:///r'}}]", "x/a.db",
            "/d/x/a.db file:///r/x/a.db -");
    derived("dbs: [{dir: /d, pattern: '*', replica: {url: 's3://b/p/?region=x'}}]",
            "x/\xc3\xa4?.db", "/d/x/\xc3\xa4?.db s3://b/p/x/%C3%A4%3F.db?region=x -");
    derived("dbs: [{dir: /d, pattern: '*', replica: {url: 's3://b'}}]", "a.db",
            "/d/a.db s3://b/a.db -");
    derived("dbs: [{dir: /d, pattern: '*', replica: {type: s3}}]", "x/a.db", "/d/x/a.db x/a.db -");
    derived("dbs: [{dir: /d, pattern: '*', meta-path: /m, replica: {path: /r}}]", "x/a.db",
            "/d/x/a.db /r/x/a.db /m/x/.a.db-litestream");
    derived("dbs: [{dir: /d, pattern: '*', meta-path: /m, replica: {path: /r}}]", "a.db",
            "/d/a.db /r/a.db /m/.a.db-litestream");
    derived("dbs: [{dir: /d, pattern: '*', meta-dir: /m, replica: {path: /r}}]", "x/a.db",
            "/d/x/a.db /r/x/a.db /m/x/a.db-litestream");
    ok("dbs: [{dir: /d, pattern: '*', replica: {url: 'file:///r'}}]");
    assert_int_equal(ls_config_derive(&config.dbs[0], "a?.db", &db, &err), LS_ECONFIG);
    assert_null(db);
}

static void test_lookup(void **state) {
    static const struct {
        const char *path, *replica;
    } rows[] = {
        {"/d/a.db", "/explicit"},   {"/d/b.db", "/r/b.db"}, {"/d/x/b.db", NULL},
        {"/e/x/b.db", "/s/x/b.db"}, {"/e/b.txt", NULL},     {"/d", NULL},
        {"/dd/b.db", NULL},
    };
    const ls_db_config *db;

    (void)state;
    ok("dbs: [{path: /d/a.db, replica: {path: /explicit}},\n"
       "  {dir: /d, pattern: '*.db', replica: {path: /r}},\n"
       "  {dir: /e, pattern: '*.db', recursive: true, replica: {path: /s}}]");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(ls_config_lookup(&config, rows[i].path, &db, &err), LS_OK);
        if (rows[i].replica == NULL) {
            assert_null(db);
            continue;
        }
        assert_non_null(db);
        assert_string_equal(db->path, rows[i].path);
        assert_string_equal(db->replica.path, rows[i].replica);
    }
}

static uint64_t fingerprint_of(const char *text) {
    ok(text);
    return config.dbs[0].fingerprint;
}

static void test_fingerprint(void **state) {
    static const char *const others[] = {
        "dbs: [{path: /a, replica: {path: /s}}]",
        "dbs: [{path: /a, replica: {path: /r}, busy-timeout: 2s}]",
        "sync-interval: 2s\ndbs: [{path: /a, replica: {path: /r}}]",
        "region: x\ndbs: [{path: /a, replica: {path: /r}}]",
        "region: y\ndbs: [{path: /a, replica: {path: /r}}]",
    };
    uint64_t seen[sizeof others / sizeof *others + 1];
    size_t n = 0;

    (void)state;
    seen[n++] = fingerprint_of("dbs: [{path: /a, replica: {path: /r}}]");
    assert_true(seen[0] == fingerprint_of("# a comment\nexec: x\ndbs:\n  - path: /a\n"
                                          "    replica:\n      path: /r # another\n"));
    assert_true(seen[0] == fingerprint_of("x-r: &r {path: /r}\n"
                                          "dbs: [{path: /a, replica: *r}, {path: /b}]"));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        seen[n] = fingerprint_of(others[i]);
        for (size_t k = 0; k < n; k++)
            assert_true(seen[k] != seen[n]);
        n++;
    }
}

static void test_every_value(void **state) {
    (void)state;
    ok("exec: run it\n"
       "shutdown-sync-timeout: 1m\n"
       "shutdown-sync-interval: 2s\n"
       "logging: {level: DEBUG, type: json, stderr: yes, source: on}\n"
       "dbs:\n"
       "  - path: sqlite3:///a//b/../c.db\n"
       "    meta-path: /m/\n"
       "    monitor-interval: 300ms\n"
       "    checkpoint-interval: 0\n"
       "    busy-timeout: 2w1d\n"
       "    min-checkpoint-page-count: 1_0\n"
       "    truncate-page-n: -1\n"
       "    max-sync-wal-bytes: 0x10\n"
       "    restore-if-db-not-exists: on\n"
       "    replicas:\n"
       "      - {type: file, url: 'file:///r', sync-interval: 15ms, auto-recover: true}\n");
    assert_string_equal(config.exec, "run it");
    assert_int_equal(config.shutdown_sync_timeout, 60 * LS_SEC);
    assert_int_equal(config.shutdown_sync_interval, 2 * LS_SEC);
    assert_int_equal(config.log_level, LS_DEBUG);
    assert_true(config.log_level_set);
    assert_int_equal(config.log_format, LS_LOG_JSON);
    assert_true(config.log_stderr);
    assert_true(config.log_source);
    const ls_db_config *db = &config.dbs[0];
    assert_string_equal(db->path, "/a/c.db");
    assert_string_equal(db->meta_path, "/m");
    assert_int_equal(db->monitor_interval, 300 * LS_MS);
    assert_int_equal(db->checkpoint_interval, 0);
    assert_true(db->busy_timeout == 15 * 86400 * LS_SEC);
    assert_int_equal(db->min_checkpoint_page_n, 10);
    assert_int_equal(db->truncate_page_n, -1);
    assert_int_equal(db->max_sync_wal_bytes, 16);
    assert_true(db->restore_if_db_not_exists);
    assert_true(db->has_replica);
    assert_string_equal(db->replica.type, "file");
    assert_string_equal(db->replica.url, "file:///r");
    assert_int_equal(db->replica.sync_interval, 15 * LS_MS);
    assert_true(db->replica.auto_recover);
}

static void test_log_types(void **state) {
    (void)state;
    ok("logging: {type: text}");
    assert_int_equal(config.log_format, LS_LOG_TEXT);
    ok("logging: {type: ''}");
    assert_int_equal(config.log_format, LS_LOG_TEXT);
    ok("logging: {type: pretty}");
    assert_int_equal(config.log_format, LS_LOG_PRETTY);
    fails("logging: {type: JSON}", "c.yml:1:17: logging.type: unknown type \"JSON\"",
          "one of text, json, pretty");
}

static void test_inheritance(void **state) {
    (void)state;
    ok("sync-interval: 5s\n"
       "auto-recover: true\n"
       "lease: true\n"
       "lease-ttl: 10s\n"
       "max-sync-ltx-files: 9\n"
       "dbs:\n"
       "  - path: /a\n"
       "    replica: {path: /ra}\n"
       "  - path: /b\n"
       "    replica: {path: /rb, sync-interval: 1m, auto-recover: false,"
       "              lease: false, lease-ttl: 1m, max-sync-ltx-files: 0}\n"
       "  - path: /c\n");
    assert_int_equal(config.dbs[0].replica.max_sync_ltx_files, 9);
    assert_int_equal(config.dbs[1].replica.max_sync_ltx_files, 0);
    assert_int_equal(config.dbs[0].replica.sync_interval, 5 * LS_SEC);
    assert_true(config.dbs[0].replica.auto_recover);
    assert_true(config.dbs[0].replica.lease);
    assert_int_equal(config.dbs[0].replica.lease_ttl, 10 * LS_SEC);
    assert_false(config.dbs[1].replica.lease);
    assert_int_equal(config.dbs[1].replica.lease_ttl, 60 * LS_SEC);
    assert_int_equal(config.dbs[1].replica.sync_interval, 60 * LS_SEC);
    assert_false(config.dbs[1].replica.auto_recover);
    assert_false(config.dbs[2].has_replica);
}

static const ls_setting *setting(size_t db, const char *key, size_t n) {
    const ls_replica_config *r = &config.dbs[db].replica;

    for (size_t i = 0; i < r->n_settings; i++) {
        if (strcmp(r->settings[i].key, key) == 0 && n-- == 0)
            return &r->settings[i];
    }
    return NULL;
}

static void assert_setting(size_t db, const char *key, const char *value, bool inherited) {
    const ls_setting *s = setting(db, key, 0);

    if (value == NULL) {
        assert_null(s);
        return;
    }
    assert_non_null(s);
    assert_string_equal(s->value, value);
    assert_int_equal(s->inherited, inherited);
}

/* What is for the store goes there by name: its own, else the top level's. */
static void test_settings(void **state) {
    (void)state;
    ok("bucket: top\n"
       "region: r\n"
       "part-size: 6MB\n"
       "concurrency: 9\n"
       "force-path-style: yes\n"
       "root-cas: [a, b]\n"
       "dbs:\n"
       "  - path: /a\n"
       "    replica: {type: s3, path: /ra, bucket: own, part-size: 10 MiB, concurrency: 0x10,\n"
       "              timeout: 90s, root-cas: [c], force-path-style: off}\n"
       "  - path: /b\n"
       "    replicas: [{type: nats, bucket: '', region: ~}]\n"
       "  - path: /c\n"
       "    replica: &c {type: s3, bucket: c, endpoint: e}\n"
       "  - path: /d\n"
       "    replica: {<<: *c, bucket: d, endpoint: ~}\n");
    assert_setting(0, "bucket", "own", false);
    assert_setting(0, "region", "r", true);
    assert_setting(0, "part-size", "10485760", false);
    assert_setting(0, "concurrency", "16", false);
    assert_setting(0, "timeout", "1m30s", false);
    assert_setting(0, "force-path-style", "false", false);
    assert_setting(0, "root-cas", "c", false);
    assert_null(setting(0, "root-cas", 1));
    assert_null(setting(0, "path", 0));
    assert_setting(1, "bucket", "top", true);
    assert_setting(1, "region", "r", true);
    assert_setting(1, "part-size", NULL, false);
    assert_setting(1, "concurrency", NULL, false);
    assert_setting(1, "force-path-style", "true", true);
    assert_setting(1, "root-cas", "a", true);
    assert_string_equal(setting(1, "root-cas", 1)->value, "b");
    assert_setting(2, "bucket", "c", false);
    assert_setting(2, "endpoint", "e", false);
    assert_setting(3, "bucket", "d", false);
    assert_setting(3, "endpoint", NULL, false);
}

/* Each store's keys are those of the configuration, but for what only its URLs know. */
static void test_store_keys(void **state) {
    (void)state;
    for (size_t i = 0; ls_store_schemes[i] != NULL; i++) {
        for (const ls_setting_key *s = ls_store_schemes[i]->keys; s->name != NULL; s++) {
            const ls_key *k = ls_key_find(LS_IN_REPLICA, s->name);
            if (k == NULL && s->query != NULL)
                continue;
            assert_non_null(k);
            assert_int_equal(k->secret, s->secret);
            assert_true(k->field == LS_KEY_SETTING || strcmp(s->name, "path") == 0);
        }
    }
}

static void assert_no_store(const char *text, const char *msg) {
    ls_storage *s = NULL;

    ok(text);
    ls_code rc = ls_config_storage(&config.dbs[0], &s, &err);
    assert_null(s);
    if (rc == LS_OK || strcmp(err.msg, msg) != 0)
        fail_msg("%s\n  got:  %s\n  want: %s", text, err.msg, msg);
}

static void test_stores(void **state) {
    static const char *const cases[][2] = {
        {"dbs: [{path: /x/a}]", "must specify replica for database"},
        {"dbs: [{path: /x/a, replica: {type: bogus}}]",
         "unknown replica type in config: \"bogus\""},
        {"dbs: [{path: /x/a, replica: {url: 'BOGUS://x'}}]",
         "unknown replica type in config: \"bogus\""},
        {"dbs: [{path: /x/a, replica: {url: /x/y}}]", "replica url scheme required: /x/y"},
        {"dbs: [{path: /x/a, replica: {url: 'file:///b', path: /b}}]",
         "cannot specify url & path for file replica"},
        {"dbs: [{path: /x/a, replica: {url: 'file:///'}}]", "file replica path required"},
        {"dbs: [{path: /x/a, replica: {sync-interval: 1s}}]", "file replica path required"},
        {"dbs: [{path: /x/a, replica: {path: 'sftp://u:secret@h/p'}}]",
         "replica path cannot be a url, please use the 'url' field instead: sftp://u:xxxxx@h/p"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_no_store(cases[i][0], cases[i][1]);
}

/* A value that its type takes, for each key of the table. */
static const char *good_value(const ls_key *k) {
    switch (k->type) {
    case LS_KEY_STRING:
        return strcmp(k->name, "heartbeat-url") == 0 ? "https://x/y"
               : strcmp(k->name, "level") == 0       ? "warn"
               : strcmp(k->name, "type") == 0        ? "text"
                                                     : "abc";
    case LS_KEY_BOOL:
        return "true";
    case LS_KEY_INT:
        return "7";
    case LS_KEY_MODE:
        return "0640";
    case LS_KEY_DURATION:
        return "2m";
    case LS_KEY_SIZE:
        return "5MiB";
    case LS_KEY_STRINGS:
        return k->where == LS_IN_AGE ? "[]" : "[a, b]";
    case LS_KEY_MAP:
        return "{}";
    case LS_KEY_LIST:
        return "[]";
    }
    return "";
}

/* A whole configuration in which value stands for the key in one section. */
static void place_key(char *out, size_t size, unsigned section, const char *key,
                      const char *value) {
    const char *form = section == LS_IN_TOP           ? "%s: %s\n"
                       : section == LS_IN_SOCKET      ? "socket: {%s: %s}\n"
                       : section == LS_IN_LOGGING     ? "logging: {%s: %s}\n"
                       : section == LS_IN_SNAPSHOT    ? "snapshot: {%s: %s}\n"
                       : section == LS_IN_VALIDATION  ? "validation: {%s: %s}\n"
                       : section == LS_IN_RETENTION   ? "retention: {%s: %s}\n"
                       : section == LS_IN_LEVEL       ? "levels: [{%s: %s}]\n"
                       : section == LS_IN_DB          ? "dbs: [{%s: %s}]\n"
                       : section == LS_IN_DB_SNAPSHOT ? "dbs: [{path: /a, snapshot: {%s: %s}}]\n"
                       : section == LS_IN_REPLICA     ? "dbs: [{path: /a, replica: {%s: %s}}]\n"
                                                      : "age: {%s: %s}\n";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(out, size, form, key, value);
#pragma GCC diagnostic pop
}

static void test_every_key(void **state) {
    char text[256];
    int n = 0;

    (void)state;
    for (const ls_key *k = ls_keys; k->name != NULL; k++) {
        assert_ptr_equal(ls_key_find(k->where & ~(k->where - 1), k->name), k);
        assert_true(k->doc[0] != '\0' && k->doc[strlen(k->doc) - 1] == '.');
        for (unsigned section = 1; section <= LS_IN_AGE; section <<= 1) {
            if ((k->where & section) == 0)
                continue;
            place_key(text, sizeof text, section, k->name, good_value(k));
            ls_code rc = parse(text);
            /* Alone in dbs[] a key may lack its path; that comes after the key was understood. */
            if (rc != LS_OK && strstr(err.msg, "database config #1: ") == NULL)
                fail_msg("%s: %s", text, err.msg);
            place_key(text, sizeof text, section, k->name, "~");
            rc = parse(text);
            if (rc != LS_OK && strstr(err.msg, "database config #1: ") == NULL &&
                strstr(err.msg, "levels[0].interval: ") == NULL)
                fail_msg("%s: %s", text, err.msg);
            n++;
        }
    }
    assert_true(n > 130);
}

/* Text, list and map where they do not belong, and text that is no number. */
static void test_every_type(void **state) {
    char text[256];

    (void)state;
    for (const ls_key *k = ls_keys; k->name != NULL; k++) {
        unsigned section = k->where & ~(k->where - 1);
        bool scalar = k->type < LS_KEY_STRINGS;
        const char *wrong = scalar ? "[x]" : "hello";
        place_key(text, sizeof text, section, k->name, wrong);
        assert_int_equal(parse(text), LS_ECONFIG);
        assert_non_null(strstr(err.msg, k->name));
        assert_non_null(strstr(err.msg, " must be "));
        assert_true(ls_has_prefix(err.msg, "c.yml:1:"));
        place_key(text, sizeof text, section, k->name, k->type == LS_KEY_MAP ? "[x]" : "{a: b}");
        assert_int_equal(parse(text), LS_ECONFIG);
        assert_non_null(strstr(err.msg, " must be "));
        if (!scalar || k->type == LS_KEY_STRING)
            continue;
        place_key(text, sizeof text, section, k->name, "hello");
        assert_int_equal(parse(text), LS_ECONFIG);
        assert_non_null(strstr(err.msg, ", not hello"));
    }
}

static void test_type_errors(void **state) {
    (void)state;
    fails("snapshot:\n  interval: 24\n",
          "c.yml:2:13: snapshot.interval must be a duration such as 10s, not 24",
          "add a unit: 24s for seconds, 24m for minutes");
    fails("snapshot: {interval: '5'}",
          "c.yml:1:22: snapshot.interval must be a duration such as 10s, not \"5\"", NULL);
    fails("verify-compaction: 'true'",
          "c.yml:1:20: verify-compaction must be true or false, not \"true\"",
          "write it without quotes");
    fails("verify-compaction: 1", "c.yml:1:20: verify-compaction must be true or false, not 1",
          NULL);
    fails("concurrency: '5'", "c.yml:1:14: concurrency must be a whole number, not \"5\"",
          "write it without quotes");
    fails("concurrency: 5.5", "c.yml:1:14: concurrency must be a whole number, not 5.5", NULL);
    ok("concurrency: 5.0");
    ok("concurrency: 1e3");
    fails("concurrency: 99999999999999999999",
          "c.yml:1:14: concurrency must be a whole number, not 99999999999999999999", NULL);
    fails("part-size: -1", "c.yml:1:12: part-size must be a size such as 5MB, not -1", NULL);
    ok("part-size: 1.5 GiB");
    fails("socket: {permissions: 600}",
          "c.yml:1:23: socket.permissions must be octal with a leading 0, not 600", "write 0600");
    fails("socket: {permissions: 0x10000}",
          "c.yml:1:23: socket.permissions must be a file mode such as 0600, not 0x10000", NULL);
    ok("socket: {permissions: 0o600}");
    ok("socket: {permissions: 0}");
    fails("dbs: [null]", "c.yml:1:7: dbs[0] must be a map, not nothing", NULL);
    fails("levels: [{interval: 1s}, ~]", "c.yml:1:26: levels[1] must be a map, not nothing", NULL);
    fails("dbs: [{path: /a, replicas: [null]}]",
          "c.yml:1:29: dbs[0].replicas[0] must be a map, not nothing", NULL);
    fails("dbs: {path: /a}", "c.yml:1:6: dbs must be a list, not a map", NULL);
    fails("- a\n", "c.yml:1:1: the configuration must be a map, not a list", NULL);
    fails("hello", "c.yml:1:1: the configuration must be a map, not a text", NULL);
    fails("logging: debug", "c.yml:1:10: logging must be a map, not a text", NULL);
    fails("root-cas: [a, [b]]", "c.yml:1:15: root-cas must be a list of texts, not a list", NULL);
    fails("? [a]\n: b\n", "c.yml:1:3: a key must be a word", NULL);
    fails("exec: \"a\\0b\"", "c.yml:1:7: text with a NUL byte", NULL);
}

static void test_secrets(void **state) {
    int n = 0;

    (void)state;
    for (const ls_key *k = ls_keys; k->name != NULL; k++) {
        char text[256];
        if (!k->secret)
            continue;
        place_key(text, sizeof text, LS_IN_REPLICA, k->name, "[hush]");
        assert_int_equal(parse(text), LS_ECONFIG);
        assert_null(strstr(err.msg, "hush"));
        n++;
    }
    assert_int_equal(n, 11);
}

static void test_unknown_keys(void **state) {
    (void)state;
    fails("snapshot:\n  retnetion: 1h\n", "c.yml:2:3: unknown key \"retnetion\" in snapshot",
          "did you mean \"retention\"?");
    fails("dbs:\n- path: /a\n  replica:\n    urll: x\n",
          "c.yml:4:5: unknown key \"urll\" in dbs[0].replica", "did you mean \"url\"?");
    fails("path: /a", "c.yml:1:1: unknown key \"path\"", NULL);
    fails("recursive: true", "c.yml:1:1: unknown key \"recursive\"",
          "\"recursive\" belongs in dbs[]");
    fails("dbs: [{l0-retention: 1h}]", "c.yml:1:8: unknown key \"l0-retention\" in dbs[0]",
          "\"l0-retention\" belongs at the top level");
    fails("completely-different: 1", "c.yml:1:1: unknown key \"completely-different\"",
          "litestream.yml(5) lists the keys");
    fails("DBS: []", "c.yml:1:1: unknown key \"DBS\"", NULL);
    fails("dbs: [{path: /a, replica: {retention: 1h}}]",
          "c.yml:1:28: \"retention\" in dbs[0].replica is not a key any more",
          "write snapshot: {retention: 24h} at the top level instead");
    fails("dbs: [{path: /a, replicas: [{snapshot-interval: 1h}]}]",
          "c.yml:1:30: \"snapshot-interval\" in dbs[0].replicas[0] is not a key any more", NULL);
    fails("dbs: [{max-checkpoint-page-count: 5}]",
          "c.yml:1:8: \"max-checkpoint-page-count\" in dbs[0] is not a key any more",
          "truncate-page-n took its place");
    fails("dbs: [{path: /a, retention: 72h}]",
          "c.yml:1:18: \"retention\" in dbs[0] is not a key any more",
          "write snapshot: {retention: 24h} at the top level instead");
    fails("retention: 72h", "c.yml:1:12: retention must be a map, not a text",
          "write snapshot: {retention: 24h} at the top level instead");
    fails("socket: on", "c.yml:1:9: socket must be a map, not a text", NULL);
    fails("dbs: [{path: /a, replica: {path: /r, age: {recipients: [x]}}}]",
          "c.yml:1:56: age encryption is not currently supported, if you need encryption please "
          "revert back to Litestream v0.3.x",
          NULL);
    fails("age: {identities: [x]}",
          "c.yml:1:19: age encryption is not currently supported, if you need encryption please "
          "revert back to Litestream v0.3.x",
          NULL);
    ok("x-mine: {anything: [goes, here]}\n");
}

static ls_code allow(const char *text) {
    ls_config_done(&config);
    ls_err_clear(&err);
    return ls_config_parse(text, strlen(text), "c.yml", LS_CONFIG_ALLOW_UNKNOWN, &config, &err);
}

static void test_allow_unknown(void **state) {
    const ls_config_warnings *w = &config.warnings;

    (void)state;
    assert_int_equal(allow("snapshot: {retnetion: 1h, interval: 2h}\n"
                           "dbs:\n"
                           "- path: /a\n"
                           "  replica: {path: /r, retention: 3h, novel: {deep: [1]}}\n"),
                     LS_OK);
    assert_int_equal(config.snapshot_interval, 2 * 3600 * LS_SEC);
    assert_int_equal(config.snapshot_retention, 24 * 3600 * LS_SEC);
    assert_int_equal(config.n_dbs, 1);
    assert_string_equal(config.dbs[0].replica.path, "/r");
    assert_int_equal(w->n, 3);
    assert_string_equal(w->items[0].text, "c.yml:1:12: unknown key \"retnetion\" in snapshot");
    assert_string_equal(w->items[0].hint, "did you mean \"retention\"?");
    assert_string_equal(w->items[1].text,
                        "c.yml:4:23: \"retention\" in dbs[0].replica is not a key any more");
    assert_string_equal(w->items[1].hint,
                        "write snapshot: {retention: 24h} at the top level instead");
    assert_string_equal(w->items[2].text, "c.yml:4:38: unknown key \"novel\" in dbs[0].replica");
    assert_string_equal(w->items[2].hint, "litestream.yml(5) lists the keys");

    /* Only keys: a wrong value of a known one stays an error. */
    assert_int_equal(allow("novel: 1\nsnapshot: {interval: 5}\n"), LS_ECONFIG);
    assert_string_equal(err.msg,
                        "c.yml:2:22: snapshot.interval must be a duration such as 10s, not 5");
    assert_int_equal(w->n, 0);
    ok("dbs: []\n");
    assert_int_equal(w->n, 0);
}

/* However many there are, a bounded number is kept. */
static void test_many_unknown(void **state) {
    char text[8192];
    size_t at = 0;

    (void)state;
    for (int i = 0; i < 250; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "unknown%d: 1\n", i);
    assert_int_equal(allow(text), LS_OK);
    assert_int_equal(config.warnings.n, LS_CONFIG_WARNINGS_MAX);
    assert_int_equal(config.warnings.more, 250 - LS_CONFIG_WARNINGS_MAX);
    assert_string_equal(config.warnings.items[99].text, "c.yml:100:1: unknown key \"unknown99\"");
}

/* ---- checks of values ---- */

static void test_validation(void **state) {
    static const struct {
        const char *text, *msg;
    } cases[] = {
        {"snapshot: {interval: 0}",
         "c.yml:1:22: snapshot.interval: snapshot interval must be greater than 0 (got 0s)"},
        {"snapshot: {retention: -1h}",
         "c.yml:1:23: snapshot.retention: snapshot retention must be greater than 0 (got -1h0m0s)"},
        {"l0-retention: -1s",
         "c.yml:1:15: l0-retention: l0 retention must not be negative (got -1s)"},
        {"l0-retention-check-interval: 0s",
         "c.yml:1:30: l0-retention-check-interval: l0 retention check interval must be greater "
         "than 0 (got 0s)"},
        {"shutdown-sync-timeout: -1s",
         "c.yml:1:24: shutdown-sync-timeout: shutdown-sync-timeout must be >= 0 (got -1s)"},
        {"shutdown-sync-interval: 0",
         "c.yml:1:25: shutdown-sync-interval: shutdown sync interval must be greater than 0 "
         "(got 0s)"},
        {"max-sync-ltx-files: -1", "c.yml:1:21: max-sync-ltx-files: must not be negative"},
        {"dbs: [{path: /a, replica: {max-sync-ltx-files: -5}}]",
         "c.yml:1:48: max-sync-ltx-files: must not be negative"},
        {"heartbeat-url: ftp://x",
         "c.yml:1:16: heartbeat-url: heartbeat URL must be a valid HTTP or HTTPS URL"},
        {"heartbeat-interval: 30s",
         "c.yml:1:21: heartbeat-interval: heartbeat interval must be at least 1 minute (got 30s)"},
        {"levels: [{interval: 0s}]",
         "c.yml:1:21: levels[0].interval: compaction interval must be greater than 0 (got 0s)"},
        {"levels: [{interval: 1s}, {}]",
         "c.yml:1:9: levels[1].interval: compaction interval must be greater than 0 (got 0s)"},
        {"levels: [{interval: 1s}, {interval: 1s}, {interval: 1s}, {interval: 1s}, {interval: 1s},"
         " {interval: 1s}, {interval: 1s}, {interval: 1s}, {interval: 1s}]",
         "c.yml:1:138: levels: compaction level cannot exceed 8"},
        {"logging: {level: debgu}", "c.yml:1:18: logging.level: unknown level \"debgu\""},
        {"logging: {type: xml}", "c.yml:1:17: logging.type: unknown type \"xml\""},
        {"dbs: [{path: /a, dir: /b}]",
         "c.yml:1:7: database config #1: cannot specify both 'path' and 'dir'"},
        {"dbs: [{path: /a}, {}]",
         "c.yml:1:19: database config #2: must specify either 'path' or 'dir'"},
        {"dbs: [{dir: /b}]",
         "c.yml:1:7: database config #1: 'pattern' is required when using 'dir'"},
        {"dbs: [{path: /a, watch: true}]",
         "c.yml:1:7: database config #1: 'watch' can only be enabled with a directory"},
        {"dbs: [{dir: /b, pattern: 'a[b'}]",
         "c.yml:1:26: database config #1: syntax error in pattern"},
        {"dbs: [{path: /a, meta-dir: /m}]",
         "c.yml:1:7: database config #1: 'meta-dir' can only be used with a directory"},
        {"dbs: [{dir: /a, pattern: '*', meta-dir: /m, meta-path: /n}]",
         "c.yml:1:7: database config #1: cannot specify both 'meta-path' and 'meta-dir'"},
        {"dbs: [{path: /a, replica: {sync-interval: 0}}]",
         "c.yml:1:43: dbs[/a].replica.sync-interval: sync interval must be greater than 0 "
         "(got 0s)"},
        {"dbs: [{path: /a, replicas: [{sync-interval: -2s}]}]",
         "c.yml:1:45: dbs[/a].replicas[0].sync-interval: sync interval must be greater than 0 "
         "(got -2s)"},
        {"sync-interval: 0\ndbs: [{path: /a, replica: {path: /r}}]",
         "c.yml:1:16: dbs[/a].replica.sync-interval: sync interval must be greater than 0 "
         "(got 0s)"},
        {"dbs: [{path: /a, replica: {path: /r}, replicas: [{path: /r}]}]",
         "c.yml:1:49: dbs[/a]: cannot specify 'replica' and 'replicas' on a database"},
        {"dbs: [{path: /a, replicas: [{path: /r}, {path: /s}]}]",
         "c.yml:1:28: dbs[/a]: multiple replicas on a single database are no longer supported"},
        {"dbs: [{path: /a, monitor-interval: 0}]",
         "c.yml:1:36: dbs[/a].monitor-interval: monitor interval must be greater than 0 (got 0s)"},
        {"dbs: [{path: /a, checkpoint-interval: -1s}]",
         "c.yml:1:39: dbs[/a].checkpoint-interval: checkpoint interval must not be negative "
         "(got -1s)"},
        {"dbs: [{path: /a, busy-timeout: -1s}]",
         "c.yml:1:32: dbs[/a].busy-timeout: busy timeout must not be negative (got -1s)"},
        {"dbs: [{path: /a, min-checkpoint-page-count: 0}]",
         "c.yml:1:45: dbs[/a].min-checkpoint-page-count: minimum checkpoint page count required "
         "(1 to 2147483647)"},
        {"dbs: [{path: /a, truncate-page-n: 3000000000}]",
         "c.yml:1:35: dbs[/a].truncate-page-n: out of range"},
        {"dbs: [{path: /a, max-sync-wal-bytes: -1}]",
         "c.yml:1:38: dbs[/a].max-sync-wal-bytes: must not be negative"},
        {"dbs: [{path: /a, snapshot: {interval: 0}}]",
         "c.yml:1:39: dbs[/a].snapshot.interval: snapshot interval must be greater than 0 "
         "(got 0s)"},
        {"dbs: [{path: /a, snapshot: {interval: 1h}}, {path: /b}, {path: /c, snapshot: {interval: "
         "2h}}]",
         "c.yml:1:89: conflicting database snapshot intervals: /a has 1h0m0s, /c has 2h0m0s"},
        {"dbs: [{path: /a, snapshot: {retention: 1h}}, {path: /c, snapshot: {retention: 2h}}]",
         "c.yml:1:79: conflicting database snapshot retentions: /a has 1h0m0s, /c has 2h0m0s"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        fails(cases[i].text, cases[i].msg, NULL);
    ok("l0-retention: 0");
    ok("shutdown-sync-timeout: 0");
    ok("heartbeat-url: ''\nheartbeat-interval: 1m");
    ok("logging: {level: Warning, type: ''}");
    ok("dbs: [{dir: /a, pattern: '*.db', recursive: true, watch: true}]");
    assert_string_equal(config.dbs[0].dir, "/a");
    assert_null(config.dbs[0].path);
}

/* ---- YAML ---- */

static void test_syntax(void **state) {
    (void)state;
    fails("dbs:\n\t- a", "c.yml:2:1: found character that cannot start any token",
          "the file is no valid YAML: while scanning for the next token");
    fails("dbs: [", "c.yml:2:1: did not find expected node content",
          "the file is no valid YAML: while parsing a flow node");
    fails("exec: *nothing", "c.yml:1:7: an alias to an anchor that is not there", NULL);
    fails("x-a: &a [*a]", "c.yml:1:10: an anchor contains itself", NULL);
    fails("exec: \xff\xfe", "c.yml: invalid leading UTF-8 octet (byte 6)", NULL);
    /* Byte order mark, line ends of other systems, JSON, what follows the first document. */
    ok("\xef\xbb\xbf"
       "exec: a\r\nlogging:\r\n  stderr: true\r\n");
    assert_string_equal(config.exec, "a");
    assert_true(config.log_stderr);
    ok("{\"exec\": \"b\", \"dbs\": [{\"path\": \"/x\"}]}");
    assert_string_equal(config.exec, "b");
    ok("exec: a\n---\nbogus: 1\n");
    assert_string_equal(config.exec, "a");
}

static void test_anchors(void **state) {
    (void)state;
    ok("x-base: &base {sync-interval: 3s, type: file}\n"
       "x-more: &more {sync-interval: 4s, auto-recover: true}\n"
       "dbs:\n"
       "  - path: &p /a\n"
       "    replica:\n"
       "      path: /own\n"
       "      <<: *base\n"
       "  - path: /b\n"
       "    replica: {sync-interval: 9s, <<: [*base, *more], path: *p}\n");
    assert_string_equal(config.dbs[0].replica.path, "/own");
    assert_string_equal(config.dbs[0].replica.type, "file");
    assert_int_equal(config.dbs[0].replica.sync_interval, 3 * LS_SEC);
    /* The map's own keys go over merged ones, the first merged map over the second. */
    assert_int_equal(config.dbs[1].replica.sync_interval, 9 * LS_SEC);
    assert_true(config.dbs[1].replica.auto_recover);
    assert_string_equal(config.dbs[1].replica.path, "/a");
    ok("x-a: &a {sync-interval: 1s}\nx-b: &b {sync-interval: 2s}\n"
       "dbs: [{path: /a, replica: {<<: [*a, *b]}}]");
    assert_int_equal(config.dbs[0].replica.sync_interval, LS_SEC);
    fails("<<: hello", "c.yml:1:5: << must be a map or a short list of maps, not a text", NULL);
    fails("<<: [hello]", "c.yml:1:6: << must be a list of maps, not a text", NULL);
    fails("x-a: &a {bogus: 1}\nlogging: {<<: *a}", "c.yml:1:10: unknown key \"bogus\" in logging",
          NULL);
}

static void test_duplicates(void **state) {
    (void)state;
    ok("exec: a\nexec: b\nlogging: {stderr: true}\nlogging: {level: warn}\n"
       "dbs: [{path: /a}, {path: /b}]\ndbs: [{path: /c}]\n");
    assert_string_equal(config.exec, "b");
    assert_true(config.log_stderr);
    assert_int_equal(config.log_level, LS_WARN);
    assert_int_equal(config.n_dbs, 1);
    assert_string_equal(config.dbs[0].path, "/c");
    assert_null(config.dbs[0].replica.path);
    ok("dbs: [{path: /a, replica: {path: /r}, replica: ~}]");
    assert_false(config.dbs[0].has_replica);
    assert_null(config.dbs[0].replica.path);
}

static char *repeated(const char *unit, size_t n, const char *tail) {
    size_t len = strlen(unit);
    char *text = malloc(len * n + strlen(tail) + 1);

    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * len, unit, len);
    memcpy(text + len * n, tail, strlen(tail) + 1);
    return text;
}

static void test_bounds(void **state) {
    ls_buf bomb;
    char *text;

    (void)state;
    text = repeated("[", 5000, "");
    assert_int_equal(parse(text), LS_ELIMIT);
    assert_string_equal(err.msg, "c.yml:1:65: nested too deeply");
    free(text);
    /* Merges of merges: 2^30 visits if they were not counted. */
    ls_buf_init(&bomb, 1 << 20);
    assert_int_equal(ls_buf_addf(&bomb, &err, "x-0: &a0 {exec: x}\n"), LS_OK);
    for (int i = 1; i <= 30; i++)
        assert_int_equal(
            ls_buf_addf(&bomb, &err, "x-%d: &a%d {<<: [*a%d, *a%d]}\n", i, i, i - 1, i - 1), LS_OK);
    assert_int_equal(ls_buf_addf(&bomb, &err, "<<: *a30\n"), LS_OK);
    assert_int_equal(parse(bomb.data), LS_ELIMIT);
    assert_non_null(strstr(err.msg, "too many entries"));
    /* One long text, many times. */
    ls_buf_clear(&bomb);
    text = repeated("y", 100000, "\n");
    assert_int_equal(ls_buf_addf(&bomb, &err, "x-r: &r {url: %s}\n", text), LS_OK);
    free(text);
    text = repeated("{path: /a, replica: *r},", 1000, "]\n");
    assert_int_equal(ls_buf_addf(&bomb, &err, "dbs: [%s", text), LS_OK);
    free(text);
    assert_int_equal(parse(bomb.data), LS_ELIMIT);
    assert_non_null(strstr(err.msg, "bytes of text"));
    ls_buf_done(&bomb);
    text = repeated("- &a x\n", 1001, "");
    assert_int_equal(parse(text), LS_ELIMIT);
    assert_string_equal(err.msg, "c.yml:1001:3: too many anchors");
    free(text);
    text = repeated("x-", 600000, ": 1");
    assert_int_equal(parse(text), LS_ECONFIG);
    free(text);
    text = calloc(1, LS_CONFIG_MAX_BYTES + 2);
    assert_non_null(text);
    memset(text, ' ', LS_CONFIG_MAX_BYTES + 1);
    assert_int_equal(parse(text), LS_ELIMIT);
    free(text);
}

static void test_many_databases(void **state) {
    ls_buf text;

    (void)state;
    ls_buf_init(&text, 16 << 20);
    assert_int_equal(ls_buf_addf(&text, &err, "dbs:\n"), LS_OK);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(
            ls_buf_addf(&text, &err, "- {path: /d/%d, replica: {path: /r/%d}}\n", i, i), LS_OK);
    ok(text.data);
    assert_int_equal(config.n_dbs, 3000);
    assert_string_equal(config.dbs[2999].path, "/d/2999");
    assert_string_equal(config.dbs[2999].replica.path, "/r/2999");
    ls_buf_done(&text);
}

/* ---- environment and paths ---- */

static void test_env(void **state) {
    char pid[32];
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"a $LS_T b", "a val b"},
        {"${LS_T}x", "valx"},
        {"$LS_Tx", ""},
        {"$UNSET_LS_T|", "|"},
        {"${LS_T:-y}", ""},
        {"$$a", "a"},
        {"$1abc", "abc"},
        {"$-", ""},
        {"100$", "100$"},
        {"$ x", "$ x"},
        {"$.x", "$.x"},
        {"${}x", "x"},
        {"a${b", "ab"},
        {"${LS_T\n}y", "y"},
        {"# $LS_T", "# val"},
        {"$LS_T$LS_T", "valval"},
        {"$\xc3\xa4", "$\xc3\xa4"},
        {"${odd name!}", "odd"},
        {"$?$!$#$@$*", ""},
        {"", ""},
    };

    (void)state;
    setenv("LS_T", "val", 1);
    setenv("odd name!", "odd", 1);
    setenv("PID", "wrong", 1);
    unsetenv("UNSET_LS_T");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *out;
        size_t len;
        assert_int_equal(ls_env_expand(cases[i].text, strlen(cases[i].text), &out, &len, &err),
                         LS_OK);
        assert_string_equal(out, cases[i].want);
        assert_int_equal(len, strlen(cases[i].want));
        free(out);
    }
    snprintf(pid, sizeof pid, "exec: p%ld", (long)getpid());
    ok("exec: p$PID");
    assert_string_equal(config.exec, pid + 6);
    ok("exec: p${PID}");
    assert_string_equal(config.exec, pid + 6);
    /* Values may hold structure; without expansion nothing changes. */
    setenv("LS_T", "a\nlogging: {stderr: true}", 1);
    ok("exec: $LS_T");
    assert_true(config.log_stderr);
    ls_config_done(&config);
    assert_int_equal(ls_config_parse("exec: $LS_T", 11, "c.yml", false, &config, &err), LS_OK);
    assert_string_equal(config.exec, "$LS_T");
}

static void test_env_bound(void **state) {
    char *value = repeated("x", 1 << 17, "");
    char *text = repeated("$LS_BIG ", 200, "");
    char *out;
    size_t len;

    (void)state;
    setenv("LS_BIG", value, 1);
    assert_int_equal(ls_env_expand(text, strlen(text), &out, &len, &err), LS_ELIMIT);
    unsetenv("LS_BIG");
    free(text);
    free(value);
}

static void expand(const char *path, const char *want) {
    char *out;

    assert_int_equal(ls_path_expand(path, &out, &err), LS_OK);
    assert_string_equal(out, want);
    free(out);
}

static void test_paths(void **state) {
    struct passwd *pw = getpwuid(getuid());
    char cwd[4096], want[8192];

    (void)state;
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_non_null(pw);
    expand("/a/./b//c/..", "/a/b");
    expand("sqlite:///x.db", "/x.db");
    expand("sqlite3:///x.db", "/x.db");
    snprintf(want, sizeof want, "%s/x.db", cwd);
    expand("x.db", want);
    expand("sqlite://x.db", want);
    snprintf(want, sizeof want, "%s/~user/x", cwd);
    expand("~user/x", want);
    snprintf(want, sizeof want, "%s/SQLITE:/x", cwd);
    expand("SQLITE:///x", want);
    setenv("HOME", "/wrong", 1);
    expand("~", pw->pw_dir);
    snprintf(want, sizeof want, "%s/x", strcmp(pw->pw_dir, "/") == 0 ? "" : pw->pw_dir);
    expand("~/x", want);
}

static void test_load(void **state) {
    char dir[] = "/tmp/ls-config-XXXXXX";
    char path[64], want[128];
    FILE *f;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/litestream.yml", dir);
    ls_config_done(&config);
    assert_int_equal(ls_config_load(path, true, &config, &err), LS_ENOTFOUND);
    snprintf(want, sizeof want, "config file not found: %s", path);
    assert_string_equal(err.msg, want);
    assert_string_equal(ls_err_hint(&err), "give its path with -config or LITESTREAM_CONFIG");
    f = fopen(path, "we");
    assert_non_null(f);
    fputs("exec: run\nbogus: 1\n", f);
    assert_int_equal(fclose(f), 0);
    ls_config_done(&config);
    assert_int_equal(ls_config_load(path, true, &config, &err), LS_ECONFIG);
    snprintf(want, sizeof want, "%s:2:1: unknown key \"bogus\"", path);
    assert_string_equal(err.msg, want);
    assert_int_equal(unlink(path), 0);
    ls_config_done(&config);
    assert_int_not_equal(ls_config_load(dir, true, &config, &err), LS_OK);
    assert_int_equal(rmdir(dir), 0);
}

static void test_add(void **state) {
    (void)state;
    ls_config_done(&config);
    ls_config_init(&config);
    assert_int_equal(ls_config_add(&config, "/a//b", "file:///r", &err), LS_OK);
    assert_int_equal(ls_config_add(&config, "sqlite:///c", "s3://b/p", &err), LS_OK);
    assert_int_equal(config.n_dbs, 2);
    assert_string_equal(config.dbs[0].path, "/a/b");
    assert_string_equal(config.dbs[0].replica.url, "file:///r");
    assert_int_equal(config.dbs[0].replica.sync_interval, LS_SEC);
    assert_int_equal(config.dbs[0].min_checkpoint_page_n, 1000);
    assert_true(config.dbs[1].has_replica);
    assert_string_equal(config.dbs[1].path, "/c");
}

static void test_control(void **state) {
    (void)state;
    ok("socket: {enabled: true, path: /run/x//s, permissions: 0660}\naddr: ':9090'\n");
    assert_true(config.socket_enabled);
    assert_string_equal(config.socket_path, "/run/x/s");
    assert_int_equal(config.socket_mode, 0660);
    assert_string_equal(config.addr, ":9090");
    ok("socket: {enabled: false, permissions: 0}\naddr: ''\n");
    assert_false(config.socket_enabled);
    assert_null(config.socket_path);
    assert_int_equal(config.socket_mode, 0600);
    assert_null(config.addr);
}

static void test_later(void **state) {
    (void)state;
    ok("mcp-addr: ':1'\n"
       "validation: {interval: 1m}\nverify-compaction: true\n");
    assert_int_equal(config.n_later, 1);
    assert_string_equal(config.later[0], "mcp-addr");
    ok("validation: {interval: 0}\n");
    assert_int_equal(config.n_later, 0);
}

static void test_heartbeat(void **state) {
    (void)state;
    ok("heartbeat-url: ''\n");
    assert_null(config.heartbeat_url);
    assert_int_equal(config.heartbeat_interval, 300 * LS_SEC);
    ok("heartbeat-url: https://x/y\nheartbeat-interval: 1m\n");
    assert_string_equal(config.heartbeat_url, "https://x/y");
    assert_int_equal(config.heartbeat_interval, 60 * LS_SEC);
}

static void test_maintenance(void **state) {
    (void)state;
    ok("dbs: []\n");
    assert_int_equal(config.n_levels, 3);
    assert_int_equal(config.levels[0], 30 * LS_SEC);
    assert_int_equal(config.levels[1], 300 * LS_SEC);
    assert_int_equal(config.levels[2], 3600 * LS_SEC);
    assert_int_equal(config.snapshot_interval, 24 * 3600 * LS_SEC);
    assert_int_equal(config.snapshot_retention, 24 * 3600 * LS_SEC);
    assert_int_equal(config.l0_retention, 300 * LS_SEC);
    assert_int_equal(config.l0_retention_check_interval, 15 * LS_SEC);
    assert_true(config.retention_enabled);
    assert_false(config.verify_compaction);
    assert_int_equal(config.validation_interval, 0);

    ok("levels: [{interval: 1s}, {interval: 1w}]\nsnapshot: {interval: 2h, retention: 3d}\n"
       "l0-retention: 0\nl0-retention-check-interval: 1s\nretention: {enabled: false}\n"
       "verify-compaction: true\nvalidation: {interval: 1m}\n");
    assert_int_equal(config.n_levels, 2);
    assert_int_equal(config.levels[0], LS_SEC);
    assert_int_equal(config.levels[1], 7 * 24 * 3600 * LS_SEC);
    assert_int_equal(config.snapshot_interval, 2 * 3600 * LS_SEC);
    assert_int_equal(config.snapshot_retention, 72 * 3600 * LS_SEC);
    assert_int_equal(config.l0_retention, 0);
    assert_int_equal(config.l0_retention_check_interval, LS_SEC);
    assert_false(config.retention_enabled);
    assert_true(config.verify_compaction);
    assert_int_equal(config.validation_interval, 60 * LS_SEC);
    assert_int_equal(config.n_later, 0);

    ok("levels: []\n");
    assert_int_equal(config.n_levels, 0);
}

/* One schedule: the top level's, else what the databases agree on. */
static void test_snapshot_of_databases(void **state) {
    (void)state;
    ok("dbs: [{path: /a, snapshot: {interval: 1h}}, {path: /b, snapshot: {retention: 2h}}]\n");
    assert_int_equal(config.snapshot_interval, 3600 * LS_SEC);
    assert_int_equal(config.snapshot_retention, 2 * 3600 * LS_SEC);
    ok("snapshot: {interval: 5h}\ndbs: [{path: /a, snapshot: {interval: 1h, retention: 3h}}]\n");
    assert_int_equal(config.snapshot_interval, 5 * 3600 * LS_SEC);
    assert_int_equal(config.snapshot_retention, 3 * 3600 * LS_SEC);
}

static int teardown(void **state) {
    (void)state;
    ls_config_done(&config);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),         cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_value),   cmocka_unit_test(test_inheritance),
        cmocka_unit_test(test_settings),      cmocka_unit_test(test_store_keys),
        cmocka_unit_test(test_stores),        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_every_type),    cmocka_unit_test(test_type_errors),
        cmocka_unit_test(test_secrets),       cmocka_unit_test(test_unknown_keys),
        cmocka_unit_test(test_validation),    cmocka_unit_test(test_syntax),
        cmocka_unit_test(test_anchors),       cmocka_unit_test(test_duplicates),
        cmocka_unit_test(test_bounds),        cmocka_unit_test(test_many_databases),
        cmocka_unit_test(test_env),           cmocka_unit_test(test_env_bound),
        cmocka_unit_test(test_paths),         cmocka_unit_test(test_load),
        cmocka_unit_test(test_add),           cmocka_unit_test(test_control),
        cmocka_unit_test(test_later),         cmocka_unit_test(test_derived),
        cmocka_unit_test(test_lookup),        cmocka_unit_test(test_fingerprint),
        cmocka_unit_test(test_maintenance),   cmocka_unit_test(test_snapshot_of_databases),
        cmocka_unit_test(test_allow_unknown), cmocka_unit_test(test_many_unknown),
        cmocka_unit_test(test_log_types),     cmocka_unit_test(test_heartbeat),
        cmocka_unit_test(test_fingerprint),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
