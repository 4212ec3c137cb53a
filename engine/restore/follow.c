/*
 * Follow mode; see follow.h.
 *
 * A look: ls_plan_next says which files lead on; as many as LS_FOLLOW_BATCH_BYTES hold are merged
 * into a temporary file, which proves every one of them; that file is applied as one transaction;
 * then the TXID is written beside the database. Where a reader does not let go, the merged file is
 * kept for the next look.
 *
 * The database itself says which TXID it holds (live.h). The -txid file may lie behind it by the
 * last batch, where a crash came between the two; it is where the search begins.
 */
#include "engine/restore/follow.h"

#include "engine/restore/apply.h"
#include "engine/restore/next.h"

#include "backends/resume.h"
#include "engine/base/clock.h"
#include "engine/base/text.h"
#include "engine/ltx/merge.h"
#include "engine/ltx/spill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INTERVAL_DEFAULT LS_SEC
/* Bytes of files in one transaction, unless a single file is larger: bounds the time in which
 * readers wait, and the journal. */
#define LS_FOLLOW_BATCH_BYTES (32u << 20)
/* How long new readers are kept waiting for those that are there. */
#define READERS_WAIT (500 * LS_MS)
/* Every how many looks all levels are asked though level 0 says nothing. */
#define DEEP_EVERY 10
/* Pause between two tries after errors, at most. */
#define BACKOFF_MAX (30 * LS_SEC)
#define LOG_EVERY (30 * LS_SEC)
/* How long a signal may go unnoticed. */
#define SIDECAR_MAX 64
/* New plans in one look where a file is gone before it is read: its successor is there by then. */
#define PLANS_MAX 3

struct ls_follow {
    ls_storage *s;
    ls_follow_opts opts;
    char *output;
    char *sidecar;
    char *dir; /* of the output */
    ls_live live;
    bool live_open;
    ls_txid txid; /* of the database */
    unsigned looks;
    int spool; /* merged and not applied yet; -1: none */
    ls_txid spool_txid;
    uint64_t spool_size;
    char spool_name[2 * LS_STORAGE_KEY_SIZE + 8];
};

/* ---- the TXID beside the database ---- */

static ls_code write_sidecar(const ls_follow *f, ls_txid txid, const char *like, ls_err *err) {
    ls_perm perm = LS_PERM_PRIVATE;
    ls_code code = ls_perm_of_db(like, &perm, err);
    ls_atomic a = {.fd = -1};
    if (code == LS_OK) {
        code = ls_atomic_begin(&a, f->sidecar, &perm, err);
    }
    if (code != LS_OK) {
        return code;
    }
    char text[LS_TXID_SIZE + 1];
    ls_txid_format(txid, text);
    text[LS_TXID_SIZE - 1] = '\n';
    code = ls_write_full(a.fd, text, LS_TXID_SIZE, f->sidecar, err);
    if (code != LS_OK) {
        ls_atomic_abort(&a);
        return code;
    }
    return ls_atomic_commit(&a, false, -1, err);
}

static ls_code remove_sidecar(const ls_follow *f, ls_err *err) {
    if (unlink(f->sidecar) != 0) {
        return errno == ENOENT ? LS_OK : ls_fail_errno(err, errno, "delete %s", f->sidecar);
    }
    return ls_fsync_parent(f->sidecar, err);
}

static ls_code read_sidecar(const ls_follow *f, ls_txid *txid, ls_err *err) {
    char *text = NULL;
    size_t len = 0;
    ls_code code = ls_read_file(f->sidecar, SIDECAR_MAX, &text, &len, err);
    if (code == LS_ENOTFOUND) {
        ls_fail(err, LS_EINVALID,
                "cannot resume follow mode: database exists but no -txid file found; delete the "
                "database to re-restore: %s",
                f->output);
        return ls_hint(err, "-force replaces it");
    }
    if (code != LS_OK) {
        return ls_wrap(err, "cannot resume follow mode");
    }
    if (len == LS_TXID_SIZE && text[len - 1] == '\n') {
        len--;
    }
    uint64_t value = 0;
    bool good = ls_hex64_parse(text, len, &value) && value > 0;
    free(text);
    *txid = value;
    if (!good) {
        ls_fail(err, LS_ECORRUPT, "cannot resume follow mode: %s holds no TXID", f->sidecar);
        return ls_hint(err, "delete it and the database to re-restore, or use -force");
    }
    return LS_OK;
}

/* ---- files into the database ---- */

typedef struct batch {
    const ls_follow *f;
    const ls_ltx_info *files;
    char key[LS_STORAGE_KEY_SIZE];
} batch;

static ls_code open_input(void *arg, size_t i, ls_reader **in, ls_err *err) {
    const batch *b = arg;
    return ls_resume_open(b->f->s, &b->files[i], 0, 0, b->f->opts.restore.cancel, in, err);
}

static const char *input_name(void *arg, size_t i) {
    batch *b = arg;
    return ls_storage_key(&b->files[i], b->key);
}

static void drop_spool(ls_follow *f) {
    if (f->spool >= 0) {
        (void)close(f->spool);
        f->spool = -1;
    }
}

static void name_spool(ls_follow *f, const ls_plan *plan, size_t n) {
    char first[LS_STORAGE_KEY_SIZE];
    char last[LS_STORAGE_KEY_SIZE];
    ls_storage_key(&plan->files[0], first);
    ls_storage_key(&plan->files[n - 1], last);
    (void)snprintf(f->spool_name, sizeof f->spool_name, n == 1 ? "%s" : "%s to %s", first, last);
}

/* Merges the first n files into a temporary file, which proves them. */
static ls_code spool_files(ls_follow *f, const ls_plan *plan, size_t n, ls_err *err) {
    batch b = {.f = f, .files = plan->files};
    const ls_ltx_merge_opts opts = {.flags = LS_LTX_FLAG_NO_CHECKSUM,
                                    .spill_dir = f->dir,
                                    .cancel = f->opts.restore.cancel,
                                    .open = open_input,
                                    .name = input_name,
                                    .arg = &b};
    ls_code code = ls_ltx_tmp_open(f->dir, &f->spool, err);
    if (code != LS_OK) {
        f->spool = -1;
        return code;
    }
    name_spool(f, plan, n);
    ls_fd_writer out;
    ls_fd_writer_init(&out, f->spool, "temporary file");
    code = ls_ltx_merge(&opts, n, &out.base, NULL, NULL, err);
    f->spool_size = out.written;
    f->spool_txid = plan->files[n - 1].max_txid;
    if (code != LS_OK) {
        drop_spool(f);
        (void)ls_wrap(err, "merge %s beside %s", f->spool_name, f->output);
    }
    return code;
}

static size_t batch_size(const ls_plan *plan) {
    size_t n = 1;
    for (uint64_t bytes = plan->files[0].size; n < plan->n; n++) {
        bytes += plan->files[n].size;
        if (bytes > LS_FOLLOW_BATCH_BYTES) {
            break;
        }
    }
    return n;
}

/* Is it the files' contents that make a merge fail, so that fewer may do? */
static bool about_contents(ls_code code) {
    return code == LS_EINVALID || code == LS_EGAP || code == LS_ECORRUPT || code == LS_ECHECKSUM ||
           code == LS_EFORMAT;
}

/* Fewer files where not all can be merged: what comes before a damaged one, or before one of
 * another page size, is applied all the same. */
static ls_code spool_batch(ls_follow *f, const ls_plan *plan, ls_err *err) {
    size_t n = batch_size(plan);
    for (;; n /= 2) {
        ls_err_clear(err);
        ls_code code = spool_files(f, plan, n, err);
        if (code == LS_OK || n == 1 || !about_contents(code)) {
            return code;
        }
    }
}

static ls_code apply_spool(ls_follow *f, ls_err *err) {
    const ls_apply_opts opts = {.fd = f->spool,
                                .size = f->spool_size,
                                .name = f->spool_name,
                                .wait_ns = READERS_WAIT,
                                .cancel = f->opts.restore.cancel};
    ls_code code = ls_apply(&f->live, &opts, err);
    if (code != LS_OK) {
        if (code != LS_EBUSY) {
            drop_spool(f);
        }
        return code == LS_EBUSY || code == LS_EDIVERGED
                   ? code
                   : ls_wrap(err, "apply %s to %s", f->spool_name, f->output);
    }
    drop_spool(f);
    f->txid = f->spool_txid;
    return write_sidecar(f, f->txid, f->output, err);
}

/* The files' TXID may be ahead of ours: a second follower, or a commit whose end was not seen. */
static ls_code find_position(ls_follow *f, ls_err *err) {
    ls_txid newest = 0;
    ls_ltx_info newest_l0;
    ls_code code = ls_storage_newest(f->s, &newest, &newest_l0, err);
    if (code == LS_OK) {
        ls_txid there;
        newest = newest > f->txid ? newest : f->txid;
        code = ls_live_position(&f->live, f->txid, newest, &there, err);
        f->txid = code == LS_OK ? there : f->txid;
    }
    return code;
}

/* One transaction; *more is false where nothing is new. */
static ls_code step(ls_follow *f, bool deep, bool *more, ls_err *err) {
    *more = false;
    if (f->spool < 0) {
        ls_plan plan;
        ls_code code = ls_plan_next(f->s, f->txid, deep, &plan, err);
        *more = code == LS_OK && plan.n > 0;
        if (*more) {
            code = spool_batch(f, &plan, err);
        }
        ls_plan_done(&plan);
        if (code != LS_OK || !*more) {
            return code;
        }
    }
    ls_code code = apply_spool(f, err);
    if (code == LS_EDIVERGED) {
        ls_err other = LS_ERR_INIT;
        ls_txid before = f->txid;
        if (find_position(f, &other) == LS_OK && f->txid != before) {
            ls_err_clear(err);
            code = write_sidecar(f, f->txid, f->output, err);
        }
    }
    *more = code == LS_OK;
    return code;
}

ls_code ls_follow_poll(ls_follow *f, ls_txid *from, ls_txid *to, ls_err *err) {
    *from = f->txid;
    const bool deep = f->looks++ % DEEP_EVERY == 0;
    ls_code code = LS_OK;
    int plans = 0;
    for (bool more = true; more && code == LS_OK && !ls_canceled(f->opts.restore.cancel);) {
        code = step(f, deep, &more, err);
        if (code == LS_ENOTFOUND && ++plans < PLANS_MAX) {
            ls_err_clear(err);
            code = LS_OK;
            more = true;
        }
    }
    *to = f->txid;
    return code;
}

/* ---- begin ---- */

/* The first image, made one that is read under a journal; its TXID is beside it before it has its
 * name, unless it replaces a database, to which that TXID would not belong. */
static ls_code first_image(void *arg, int fd, const char *name, const ls_restore_result *r,
                           ls_err *err) {
    ls_follow *f = arg;
    uint8_t header[LS_DB_HEADER_SIZE];
    size_t got = 0;
    ls_code code = ls_pread_full(fd, header, sizeof header, 0, &got, name, err);
    if (code == LS_OK && got < sizeof header) {
        code = ls_fail(err, LS_EUNSUPPORTED, "an empty database cannot be followed");
    }
    if (code == LS_OK) {
        code = ls_live_mark(header, r->txid, r->pages, err);
    }
    if (code == LS_OK) {
        code = ls_pwrite_full(fd, header, sizeof header, 0, name, err);
    }
    f->txid = r->txid;
    return code == LS_OK && !f->opts.restore.force ? write_sidecar(f, r->txid, name, err) : code;
}

static ls_code restore(ls_follow *f, ls_err *err) {
    ls_restore_opts opts = f->opts.restore;
    ls_restore_result result;
    opts.ltx_only = true; /* v0.3 has no TXIDs to go on from */
    opts.ready = first_image;
    opts.ready_arg = f;
    ls_code code = remove_sidecar(f, err);
    if (code == LS_OK) {
        code = ls_restore(f->s, &opts, &result, err);
    }
    if (code == LS_OK && opts.force) {
        code = write_sidecar(f, f->txid, f->output, err);
    }
    if (code != LS_OK) {
        ls_err second = LS_ERR_INIT; /* the first counts */
        ls_code removed = remove_sidecar(f, &second);
        (void)removed;
    }
    return code;
}

static ls_code resume(ls_follow *f, ls_err *err) {
    ls_plan plan = {0};
    ls_code code = read_sidecar(f, &f->txid, err);
    if (code != LS_OK) {
        return code;
    }
    code = find_position(f, err);
    if (code == LS_OK) {
        code = ls_plan_next(f->s, f->txid, true, &plan, err);
    }
    ls_plan_done(&plan);
    if (code != LS_OK) {
        return ls_wrap(err, "cannot resume follow mode");
    }
    ls_log_write(f->opts.log, LS_INFO, "resuming follow mode from crash recovery",
                 LS_ATTRS(LS_TXID("txid", f->txid), LS_STR("output", f->output)));
    return LS_OK;
}

static ls_code check_opts(const ls_restore_opts *opts, ls_err *err) {
    if (opts->output == NULL || opts->output[0] == '\0') {
        return ls_fail(err, LS_EINVALID, "output path required");
    }
    const bool by_txid = opts->txid != 0;
    if (!by_txid && opts->timestamp_ms == LS_NO_TIMESTAMP) {
        return LS_OK;
    }
    ls_fail(err, LS_EINVALID, "cannot use follow mode with %s", by_txid ? "-txid" : "-timestamp");
    return ls_hint(err, "a followed database goes on to the newest TXID");
}

static ls_code has_content(const char *path, bool *yes, ls_err *err) {
    struct stat st;
    *yes = stat(path, &st) == 0;
    if (!*yes && errno != ENOENT && errno != ENOTDIR) {
        return ls_fail_errno(err, errno, "look at %s", path);
    }
    *yes = *yes && st.st_size > 0;
    return LS_OK;
}

static ls_code open_live(ls_follow *f, ls_err *err) {
    f->live_open = true;
    return ls_live_open(&f->live, f->output, err);
}

static ls_code begin(ls_follow *f, ls_err *err) {
    f->output = ls_asprintf("%s", f->opts.restore.output);
    f->sidecar = ls_asprintf("%s-txid", f->opts.restore.output);
    f->dir = ls_path_dir(f->opts.restore.output);
    if (f->output == NULL || f->sidecar == NULL || f->dir == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to follow");
    }
    f->opts.restore.output = f->output;
    bool there = false;
    ls_code code = has_content(f->output, &there, err);
    if (code == LS_OK && there && !f->opts.restore.force) {
        code = open_live(f, err);
        return code == LS_OK ? resume(f, err) : ls_wrap(err, "cannot resume follow mode");
    }
    if (code == LS_OK) {
        code = restore(f, err);
    }
    if (code == LS_OK) {
        code = open_live(f, err);
    }
    return code == LS_OK ? ls_live_position(&f->live, f->txid, f->txid, &f->txid, err) : code;
}

ls_code ls_follow_new(ls_storage *s, const ls_follow_opts *opts, ls_follow **out, ls_err *err) {
    *out = NULL;
    ls_code code = check_opts(&opts->restore, err);
    if (code != LS_OK) {
        return code;
    }
    ls_follow *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return ls_fail(err, LS_ENOMEM, "no memory to follow");
    }
    f->s = s;
    f->spool = -1;
    f->opts = *opts;
    if (f->opts.interval_ns <= 0) {
        f->opts.interval_ns = INTERVAL_DEFAULT;
    }
    if (f->opts.clock == NULL) {
        f->opts.clock = &ls_clock_system;
    }
    code = begin(f, err);
    if (code != LS_OK) {
        ls_follow_free(f);
        return code;
    }
    *out = f;
    return LS_OK;
}

ls_txid ls_follow_txid(const ls_follow *f) { return f->txid; }

void ls_follow_free(ls_follow *f) {
    if (f == NULL) {
        return;
    }
    drop_spool(f);
    if (f->live_open) {
        ls_live_close(&f->live);
    }
    free(f->output);
    free(f->sidecar);
    free(f->dir);
    free(f);
}

/* ---- for ever ---- */

/* What is told of errors that come again and again. */
typedef struct trouble {
    int64_t count;
    int64_t logged_ns;
    bool waits; /* for a reader, which is no error */
} trouble;

static void tell(const ls_follow *f, trouble *t, const ls_err *err) {
    const int64_t now = ls_mono_ns(f->opts.clock);
    const bool waits = err->code == LS_EBUSY;
    t->count++;
    if (t->count > 1 && waits == t->waits && now - t->logged_ns < LOG_EVERY) {
        return;
    }
    t->waits = waits;
    t->logged_ns = now;
    const ls_attr *attrs =
        LS_ATTRS(LS_TXID("txid", f->txid), LS_INT("consecutive_errors", t->count));
    if (waits) {
        ls_log_write(f->opts.log, LS_WARN, "follow: waiting for readers to end",
                     LS_ATTRS(LS_TXID("txid", f->txid), LS_STR("reason", err->msg),
                              LS_STR("hint", ls_err_hint(err))));
    } else {
        ls_log_err(f->opts.log, LS_ERROR, "follow: error applying updates", err, attrs);
    }
}

static void tell_applied(const ls_follow *f, ls_txid from, ls_txid to) {
    if (from != to) {
        ls_log_write(f->opts.log, LS_INFO, "follow: applied updates",
                     LS_ATTRS(LS_TXID("from_txid", from), LS_TXID("to_txid", to)));
    }
}

static int64_t pause_for(const ls_follow *f, const trouble *t) {
    int64_t pause = f->opts.interval_ns;
    for (int64_t i = 1; i < t->count && !t->waits && pause < BACKOFF_MAX; i++) {
        pause *= 2;
    }
    return pause < BACKOFF_MAX || f->opts.interval_ns > BACKOFF_MAX ? pause : BACKOFF_MAX;
}

ls_code ls_follow_run(ls_follow *f, ls_err *err) {
    char interval[32];
    const ls_cancel *cancel = f->opts.restore.cancel;
    trouble t = {0};
    ls_log_write(f->opts.log, LS_INFO, "entering follow mode",
                 LS_ATTRS(LS_STR("output", f->output), LS_TXID("txid", f->txid),
                          LS_STR("interval", ls_duration_format(f->opts.interval_ns, interval,
                                                                sizeof interval))));
    while (!ls_canceled(cancel)) {
        ls_txid from;
        ls_txid to;
        ls_err_clear(err);
        ls_code code = ls_follow_poll(f, &from, &to, err);
        tell_applied(f, from, to);
        if (code == LS_OK) {
            if (t.count > 0) {
                ls_log_write(f->opts.log, LS_INFO, "follow: recovered",
                             LS_ATTRS(LS_TXID("txid", f->txid)));
            }
            t = (trouble){0};
        } else if (code != LS_ECANCELED) {
            tell(f, &t, err);
        }
        (void)ls_pause(pause_for(f, &t), cancel);
    }
    ls_err_clear(err);
    ls_log_write(f->opts.log, LS_INFO, "follow mode stopped", LS_ATTRS(LS_TXID("txid", f->txid)));
    return LS_OK;
}
