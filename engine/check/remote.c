/* Checks of the replica: can it be read, who else writes to it, can it be written to, and does its
 * clock agree with this machine's. */
#include "engine/check/internal.h"

#include "engine/base/buf.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/ltx/encoder.h"
#include "engine/replica/lease.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE_MAX 4096 /* bytes of a probe */
#define PROBE_PAGE LS_LTX_MIN_PAGE_SIZE
/* Clocks that differ by more are told of; by more than the second, stores refuse requests. */
#define SKEW_MS 5000
#define SKEW_MAX_MS (15 * 60 * 1000)

static const ls_ltx_info probe_name = {.level = 0, .min_txid = 1, .max_txid = 1};

static ls_code no_memory(ls_err *err) { return ls_fail(err, LS_ENOMEM, "out of memory"); }

/* ---- Reading it ---- */

void ls_check_replica(ls_check *c, ls_check_finding *f) {
    ls_err err = LS_ERR_INIT;
    char txid[LS_TXID_SIZE];

    ls_code rc = ls_config_storage(c->db, &c->storage, &err);
    if (rc == LS_OK)
        rc = ls_storage_newest(c->storage, &c->remote, &c->newest, &err);
    if (rc != LS_OK) {
        ls_check_say_err(f, LS_CHECK_FAIL, &err);
        ls_storage_free(c->storage);
        c->storage = NULL;
    } else if (c->remote == 0) {
        ls_check_say(f, LS_CHECK_OK, "%s is empty", ls_storage_url(c->storage));
    } else {
        ls_check_say(f, LS_CHECK_OK, "%s, up to TXID %s", ls_storage_url(c->storage),
                     ls_txid_format(c->remote, txid));
    }
}

/* ---- Another writer ---- */

static bool daemon_has(const ls_check *c) {
    const json_t *db;
    size_t i;

    json_array_foreach(json_object_get(c->daemon, "databases"), i, db) {
        const char *path = json_string_value(json_object_get(db, "path"));
        if (path != NULL && strcmp(path, c->db->path) == 0)
            return true;
    }
    return false;
}

/* One that says so itself: true where it was told. */
static bool lease_says(ls_check *c, ls_check_finding *f) {
    ls_err err = LS_ERR_INIT;
    char owner[256];

    if (!ls_storage_has_marks(c->storage))
        return false;
    if (ls_lease_holder(c->storage, owner, sizeof owner, &err) != LS_OK) {
        ls_check_say_err(f, LS_CHECK_WARN, &err);
        return true;
    }
    if (owner[0] == '\0')
        return false;
    ls_check_say(f, LS_CHECK_WARN, "%s holds the lease of the replica", owner);
    ls_check_hint(f, "while it does no other process should write there, and none with lease: true "
                     "can: stop it, or give each database its own replica path");
    return true;
}

void ls_check_writer(ls_check *c, ls_check_finding *f) {
    char remote[LS_TXID_SIZE], local[LS_TXID_SIZE];

    if (daemon_has(c)) {
        ls_check_say(f, LS_CHECK_OK, "the daemon that answers replicates this database");
        ls_check_hint(f, "a second one must not: two writers ruin each other's replica");
    } else if (c->storage == NULL) {
        ls_check_say(f, LS_CHECK_SKIP, "the replica cannot be read");
    } else if (lease_says(c, f)) {
        return;
    } else if (c->local > 0 && c->remote > c->local) {
        ls_check_say(f, LS_CHECK_WARN,
                     "the replica is at TXID %s, ahead of what was captured here (%s)",
                     ls_txid_format(c->remote, remote), ls_txid_format(c->local, local));
        ls_check_hint(f, "does another machine write to this path? If not, an older database was "
                         "put here, and a full copy follows");
    } else if (c->local == 0 && c->remote > 0) {
        ls_check_say(f, LS_CHECK_WARN, "the replica has TXID %s, and nothing was captured here",
                     ls_txid_format(c->remote, remote));
        ls_check_hint(f, "does another machine write to this path? If not, a full copy follows");
    } else {
        ls_check_say(f, LS_CHECK_OK, "nothing points to another one");
    }
}

/* ---- Writing to it ---- */

/* The replica as if the database were one of a folder, and the probe another one there. */
static ls_code open_probe(const ls_db_config *db, ls_storage **s, ls_err *err) {
    ls_db_config folder = *db, *probe = NULL, copy = *db;

    *s = NULL;
    folder.dir = folder.path;
    ls_code rc = ls_config_derive(&folder, LS_CHECK_FOLDER, &probe, err);
    if (rc != LS_OK)
        return rc;
    copy.replica = probe->replica;
    rc = ls_config_storage(&copy, s, err);
    ls_config_derived_free(probe);
    return rc;
}

/* An LTX file of one page, which is what stores take. */
static ls_code make_probe(ls_buf *out, ls_err *err) {
    const ls_ltx_header header = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                                  .page_size = PROBE_PAGE,
                                  .commit = 1,
                                  .min_txid = 1,
                                  .max_txid = 1,
                                  .timestamp = ls_wall_ms(&ls_clock_system)};
    const uint8_t page[PROBE_PAGE] = {0};
    ls_ltx_encoder *enc = NULL;
    ls_buf_writer w;

    ls_buf_writer_init(&w, out);
    ls_code rc = ls_ltx_encoder_new(&w.base, &header, NULL, &enc, err);
    if (rc == LS_OK)
        rc = ls_ltx_encoder_page(enc, 1, page, sizeof page, err);
    if (rc == LS_OK)
        rc = ls_ltx_encoder_close(enc, 0, NULL, err);
    ls_ltx_encoder_free(enc);
    return rc;
}

static ls_code put_probe(ls_storage *s, const ls_buf *bytes, ls_err *err) {
    ls_reader *in = ls_mem_reader_new(bytes->data, bytes->len);

    if (in == NULL)
        return no_memory(err);
    ls_code rc = ls_storage_put(s, &probe_name, in, false, NULL, err);
    ls_reader_close(in);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "write a probe");
}

static ls_code read_back(ls_storage *s, const ls_buf *bytes, ls_err *err) {
    char got_bytes[PROBE_MAX];
    ls_reader *r = NULL;
    size_t got = 0;

    ls_code rc = ls_storage_open_range(s, &probe_name, 0, 0, &r, err);
    if (rc == LS_OK)
        rc = ls_read_full(r, got_bytes, sizeof got_bytes, &got, err);
    ls_reader_close(r);
    if (rc != LS_OK)
        return ls_wrap(err, "read the probe back");
    if (got == bytes->len && memcmp(got_bytes, bytes->data, got) == 0)
        return LS_OK;
    return ls_fail(err, LS_EREMOTE, "the probe was read back with other contents");
}

static ls_code is_listed(ls_storage *s, bool *listed, ls_err *err) {
    ls_storage_iter *it = NULL;
    ls_ltx_info file;
    bool end = false;

    *listed = false;
    ls_code rc = ls_storage_list(s, probe_name.level, 0, &it, err);
    while (rc == LS_OK && !end && !*listed) {
        rc = ls_storage_iter_next(it, &file, &end, err);
        *listed = rc == LS_OK && !end && file.min_txid == 1 && file.max_txid == 1;
    }
    ls_storage_iter_free(it);
    return rc == LS_OK ? LS_OK : ls_wrap(err, "list the probe");
}

static ls_code remove_probe(ls_storage *s, ls_err *err) {
    bool listed = false;

    ls_code rc = ls_storage_remove(s, &probe_name, 1, err);
    if (rc != LS_OK)
        return ls_wrap(err, "remove the probe");
    rc = is_listed(s, &listed, err);
    if (rc == LS_OK && listed)
        rc = ls_fail(err, LS_EREMOTE, "the probe is still listed after it was removed");
    return rc;
}

/* Folders of a file store that hold nothing go again, up to the one that was there before. */
static void remove_folders(const char *root, const char *before) {
    char *at = ls_path_join(root, "ltx/0");

    while (at != NULL && strcmp(at, before) != 0 && rmdir(at) == 0) {
        char *parent = ls_path_dir(at);
        free(at);
        at = parent;
    }
    free(at);
}

/* What was there before the probe, and stays: the folder of the replica, or one above it. */
static char *folder_before(const char *root) {
    char *replica = ls_path_dir(root);
    char *before = replica == NULL ? NULL : ls_check_nearest(replica);

    free(replica);
    return before;
}

/* The path of a file store's folder, NULL of others. */
static const char *folder_of(const ls_storage *s) {
    const char *url = ls_storage_url(s);

    return strcmp(ls_storage_type(s), "file") == 0 && ls_has_prefix(url, "file://") ? url + 7
                                                                                    : NULL;
}

/* A file's change time is its file system's clock, whatever its modification time is set to. */
static void measure_skew(ls_check *c, const char *root) {
    char key[LS_STORAGE_KEY_SIZE];
    char *path = root == NULL ? NULL : ls_path_join(root, ls_storage_key(&probe_name, key));
    struct stat st;

    if (path != NULL && stat(path, &st) == 0)
        c->skew_ms = (int64_t)st.st_ctim.tv_sec * 1000 + st.st_ctim.tv_nsec / 1000000 -
                     ls_wall_ms(&ls_clock_system);
    free(path);
}

/* *written: what failed is the removal. */
static ls_code use_probe(ls_check *c, ls_storage *s, const ls_buf *bytes, bool *written,
                         ls_err *err) {
    bool listed = false;

    ls_code rc = put_probe(s, bytes, err);
    if (rc == LS_OK) {
        measure_skew(c, folder_of(s));
        rc = read_back(s, bytes, err);
    }
    if (rc == LS_OK)
        rc = is_listed(s, &listed, err);
    if (rc == LS_OK && !listed)
        rc = ls_fail(err, LS_EREMOTE, "the probe is not listed after it was written");
    *written = rc == LS_OK;
    return rc == LS_OK ? remove_probe(s, err) : rc;
}

static ls_code probe(ls_check *c, bool *written, ls_err *err) {
    ls_storage *s = NULL;
    char *before = NULL;
    ls_buf bytes;

    ls_buf_init(&bytes, PROBE_MAX);
    ls_code rc = open_probe(c->db, &s, err);
    if (rc == LS_OK)
        rc = make_probe(&bytes, err);
    if (rc == LS_OK) {
        const char *root = folder_of(s);
        before = root == NULL ? NULL : folder_before(root);
        rc = use_probe(c, s, &bytes, written, err);
        if (before != NULL)
            remove_folders(root, before);
    }
    free(before);
    ls_storage_free(s);
    ls_buf_done(&bytes);
    return rc;
}

void ls_check_write(ls_check *c, ls_check_finding *f) {
    ls_err err = LS_ERR_INIT;
    bool written = false;

    if (c->storage == NULL)
        ls_check_say(f, LS_CHECK_SKIP, "the replica cannot be read");
    else if (c->opts->no_write)
        ls_check_say(f, LS_CHECK_SKIP, "left out, as was asked for");
    else if (strcmp(ls_storage_type(c->storage), "nats") == 0)
        ls_check_say(f, LS_CHECK_SKIP, "a bucket has no place for a probe beside the replica");
    else if (probe(c, &written, &err) == LS_OK)
        ls_check_say(f, LS_CHECK_OK, "a probe was written, read, listed and removed");
    else if (written && !c->opts->config->retention_enabled)
        /* What nothing is deleted from need not allow it. */
        ls_check_say_err(f, LS_CHECK_WARN, &err);
    else
        ls_check_say_err(f, LS_CHECK_FAIL, &err);
    c->probed = written;
}

/* ---- Clocks ---- */

static void say_skew(ls_check_finding *f, int64_t ms, const char *what) {
    char text[32];

    ls_check_say(f, ms > SKEW_MAX_MS || ms < -SKEW_MAX_MS ? LS_CHECK_FAIL : LS_CHECK_WARN,
                 "%s %s %s this machine's clock", what,
                 ls_duration_format((ms < 0 ? -ms : ms) * LS_MS, text, sizeof text),
                 ms < 0 ? "behind" : "ahead of");
    ls_check_hint(f, "set the clocks by NTP: restores by time and retention go by them, and stores "
                     "refuse requests with a wrong time");
}

void ls_check_clock(ls_check *c, ls_check_finding *f) {
    int64_t ahead = c->newest.size > 0 ? c->newest.created_ms - ls_wall_ms(&ls_clock_system) : 0;

    if (c->skew_ms > SKEW_MS || c->skew_ms < -SKEW_MS)
        say_skew(f, c->skew_ms, "the replica's file system is");
    else if (ahead > SKEW_MS)
        say_skew(f, ahead, "the replica's newest file is");
    else if (c->storage == NULL)
        ls_check_say(f, LS_CHECK_SKIP, "the replica cannot be read");
    else if (c->probed && folder_of(c->storage) != NULL)
        ls_check_say(f, LS_CHECK_OK, "this machine and the replica's file system agree");
    else
        ls_check_say(f, LS_CHECK_OK, "nothing on the replica is newer than this machine's time");
}
