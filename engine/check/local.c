/* Checks of this machine: the library, a daemon, the database, its local state, free space. */
#include "engine/check/internal.h"

#include "engine/base/text.h"
#include "engine/control/client.h"
#include "engine/litestream.h"
#include "engine/ltx/dbfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#ifdef __linux__
#include <linux/magic.h>
#include <sys/vfs.h>
#endif

#define DAEMON_TIMEOUT_NS (2 * LS_SEC)
#define HEADER_SIZE 100
#define BYTES_TEXT 32

void ls_check_sqlite(ls_check *c, ls_check_finding *f) {
    (void)c;
    if (!ls_sqlite_has_wal_reset_bug()) {
        ls_check_say(f, LS_CHECK_OK, "SQLite %s", ls_sqlite_version());
        return;
    }
    ls_check_say(f, LS_CHECK_WARN,
                 "SQLite %s: before 3.51.3 two connections that write and checkpoint at once can "
                 "damage a database",
                 ls_sqlite_version());
    ls_check_hint(f, "build with SQLite 3.51.3 or newer; doc/operations.md says more");
}

/* ---- A daemon ---- */

static void ask_daemon(ls_check *c, const char *path, ls_check_finding *f) {
    ls_err err = LS_ERR_INIT;
    ls_client *client = NULL;

    ls_code rc = ls_client_new(path, &client, &err);
    if (rc == LS_OK)
        rc = ls_client_call(client, "GET", "/databases", NULL, DAEMON_TIMEOUT_NS, &c->daemon, &err);
    ls_client_free(client);
    if (rc == LS_OK) {
        size_t n = json_array_size(json_object_get(c->daemon, "databases"));
        ls_check_say(f, LS_CHECK_OK, "litestream answers on %s and has %zu databases", path, n);
        return;
    }
    json_decref(c->daemon);
    c->daemon = NULL;
    if (rc == LS_ENOTFOUND)
        ls_check_say(f, LS_CHECK_OK, "none answers on %s", path);
    else
        ls_check_say_err(f, LS_CHECK_WARN, &err);
}

void ls_check_daemon(ls_check *c, ls_check_finding *f) {
    const ls_config *config = c->opts->config;

    if (!config->socket_enabled) {
        ls_check_say(f, LS_CHECK_SKIP, "the configuration has no control socket");
        ls_check_hint(f, "with socket: {enabled: true} a daemon that runs already would be found");
        return;
    }
    ask_daemon(c, config->socket_path == NULL ? LS_SOCKET_DEFAULT_PATH : config->socket_path, f);
}

/* ---- The database ---- */

static void say_missing(const ls_db_config *db, int why, ls_check_finding *f) {
    bool restored = why == ENOENT && db->restore_if_db_not_exists;

    ls_check_say(f, restored ? LS_CHECK_OK : LS_CHECK_FAIL, "%s%s", strerror(why),
                 restored ? "; it is restored at the start, if there is a backup" : "");
    if (!restored)
        ls_check_hint(f, "check the path and who may read it; replicate waits for a database that "
                         "does not exist yet");
}

/* SQLite needs the log and its index beside the database, and litestream a row in it. */
static bool check_writable(const ls_db_config *db, ls_check_finding *f) {
    char *dir = ls_path_dir(db->path);
    bool good = dir != NULL;

    if (faccessat(AT_FDCWD, db->path, R_OK | W_OK, AT_EACCESS) != 0) {
        ls_check_say(f, LS_CHECK_FAIL, "cannot be read and written: %s", strerror(errno));
        good = false;
    } else if (good && faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) != 0) {
        ls_check_say(f, LS_CHECK_FAIL, "no files can be made beside it, in %s: %s", dir,
                     strerror(errno));
        good = false;
    }
    if (!good)
        ls_check_hint(f, "run litestream as the user of the database");
    free(dir);
    return good;
}

static bool on_network(const char *path) {
#ifdef __linux__
    struct statfs fs;
    const unsigned long known[] = {NFS_SUPER_MAGIC, SMB_SUPER_MAGIC,  0xfe534d42,
                                   0xff534d42,      CODA_SUPER_MAGIC, AFS_SUPER_MAGIC};

    for (size_t i = 0; statfs(path, &fs) == 0 && i < sizeof known / sizeof known[0]; i++) {
        if (((unsigned long)fs.f_type & 0xffffffff) == known[i])
            return true;
    }
#else
    (void)path;
#endif
    return false;
}

/* Of the header's bytes: 2 and 2 for a log, 1 and 1 for a rollback journal. */
static void judge_header(ls_check *c, const uint8_t h[HEADER_SIZE], ls_check_finding *f) {
    char size[BYTES_TEXT];
    uint32_t page_size, pages;
    ls_err err = LS_ERR_INIT;

    if (ls_db_header_parse(h, &page_size, &pages, &err) != LS_OK) {
        ls_check_say_err(f, LS_CHECK_FAIL, &err);
        return;
    }
    (void)ls_bytes_format((uint64_t)c->db_size, size, sizeof size);
    if (h[18] > 2 || h[19] > 2) {
        ls_check_say(f, LS_CHECK_FAIL, "its format is newer than this SQLite knows");
    } else if (on_network(c->db->path)) {
        ls_check_say(f, LS_CHECK_WARN,
                     "it is on a network file system, where SQLite's log is not "
                     "safe with more than one machine");
        ls_check_hint(f, "keep the database on a disk of this machine");
    } else if (h[18] == 2) {
        ls_check_say(f, LS_CHECK_OK, "WAL mode, %s in pages of %" PRIu32, size, page_size);
    } else {
        ls_check_say(f, LS_CHECK_WARN, "not in WAL mode, %s in pages of %" PRIu32, size, page_size);
        ls_check_hint(f, "litestream turns WAL mode on when it opens the database");
    }
}

static void read_header(ls_check *c, ls_check_finding *f) {
    static const uint8_t magic[16] = "SQLite format 3";
    uint8_t header[HEADER_SIZE];
    ls_err err = LS_ERR_INIT;
    size_t got = 0;
    int fd = ls_open(c->db->path, O_RDONLY, 0);

    if (fd < 0) {
        ls_check_say(f, LS_CHECK_FAIL, "%s", strerror(errno));
        return;
    }
    ls_code rc = ls_pread_full(fd, header, sizeof header, 0, &got, c->db->path, &err);
    (void)close(fd);
    if (rc != LS_OK)
        ls_check_say_err(f, LS_CHECK_FAIL, &err);
    else if (got < sizeof header || memcmp(header, magic, sizeof magic) != 0)
        ls_check_say(f, LS_CHECK_FAIL, "it is not an SQLite database");
    else
        judge_header(c, header, f);
}

void ls_check_database(ls_check *c, ls_check_finding *f) {
    struct stat st;

    if (stat(c->db->path, &st) != 0) {
        say_missing(c->db, errno, f);
    } else if (!S_ISREG(st.st_mode)) {
        ls_check_say(f, LS_CHECK_FAIL, "it is not a file");
    } else if (check_writable(c->db, f)) {
        c->db_size = st.st_size;
        if (st.st_size > 0) {
            read_header(c, f);
        } else {
            ls_check_say(f, LS_CHECK_WARN, "it is empty");
            ls_check_hint(f, "replication begins when the application has written to it");
        }
    }
}

/* ---- Local state ---- */

char *ls_check_nearest(const char *path) {
    char *at = strdup(path);
    struct stat st;

    while (at != NULL && stat(at, &st) != 0 && errno == ENOENT && strcmp(at, "/") != 0) {
        char *parent = ls_path_dir(at);
        free(at);
        at = parent;
    }
    return at;
}

static void judge_meta(ls_check *c, const char *dir, ls_check_finding *f) {
    ls_err err = LS_ERR_INIT;
    char txid[LS_TXID_SIZE];
    struct stat st;

    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)) {
        ls_check_say(f, LS_CHECK_FAIL, "%s is not a folder", dir);
        ls_check_hint(f, "another place for it: meta-path");
    } else if (faccessat(AT_FDCWD, dir, R_OK | W_OK | X_OK, AT_EACCESS) != 0) {
        ls_check_say(f, LS_CHECK_FAIL, "no files can be made in %s: %s", dir, strerror(errno));
        ls_check_hint(f, "run litestream as the user of the database, or set meta-path");
    } else if (strcmp(dir, c->meta) != 0) {
        ls_check_say(f, LS_CHECK_OK, "%s can be made", c->meta);
    } else if (ls_db_local_txid(c->meta, &c->local, &err) != LS_OK && err.code != LS_ENOTFOUND) {
        ls_check_say_err(f, LS_CHECK_FAIL, &err);
    } else if (c->local == 0) {
        ls_check_say(f, LS_CHECK_OK, "%s is there, nothing is captured yet", c->meta);
    } else {
        ls_check_say(f, LS_CHECK_OK, "%s, captured up to TXID %s", c->meta,
                     ls_txid_format(c->local, txid));
    }
}

void ls_check_meta(ls_check *c, ls_check_finding *f) {
    char *dir = c->meta == NULL ? NULL : ls_check_nearest(c->meta);

    if (dir == NULL)
        ls_check_say(f, LS_CHECK_FAIL, "out of memory");
    else
        judge_meta(c, dir, f);
    free(dir);
}

/* A snapshot is written beside the database before it is uploaded; half of the database is what it
 * is taken to need (engine/db/snapshot.c). */
static void judge_space(const ls_check *c, const struct statvfs *fs, ls_check_finding *f) {
    uint64_t room = (uint64_t)fs->f_bavail * fs->f_frsize;
    uint64_t need = c->db_size > 0 ? (uint64_t)c->db_size / 2 : 0;
    char free_text[BYTES_TEXT], need_text[BYTES_TEXT];

    (void)ls_bytes_format(room, free_text, sizeof free_text);
    (void)ls_bytes_format(need, need_text, sizeof need_text);
    ls_check_status status = room <= need       ? LS_CHECK_FAIL
                             : room / 4 <= need ? LS_CHECK_WARN
                                                : LS_CHECK_OK;
    ls_check_say(f, status, "%s free for local state, a snapshot may take %s", free_text,
                 need_text);
    if (status != LS_CHECK_OK)
        ls_check_hint(f, "free some space, or move local state to another disk with meta-path");
}

void ls_check_space(ls_check *c, ls_check_finding *f) {
    char *dir = c->meta == NULL ? NULL : ls_check_nearest(c->meta);
    struct statvfs fs;

    if (dir == NULL || statvfs(dir, &fs) != 0)
        ls_check_say(f, LS_CHECK_FAIL, "free space is not known: %s", strerror(errno));
    else if (fs.f_blocks == 0)
        ls_check_say(f, LS_CHECK_SKIP, "the file system does not tell its free space");
    else
        judge_space(c, &fs, f);
    free(dir);
}
