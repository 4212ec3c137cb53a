/* Restores a database: target, plan, rebuild, check, replacement. See restore.h. */
#include "engine/restore/restore.h"

#include "engine/restore/integrity.h"
#include "engine/restore/target.h"
#include "engine/restore/v3.h"

#include "backends/resume.h"

#include <errno.h>
#include <unistd.h>

/* Listings of a replica that is in use are no snapshot of it: a file may go between the listing of
 * one level and of the next, or before it is read. Its successor is in a new listing. And a network
 * may spoil what is read. */
#define TRIES LS_RESUME_READS

static ls_code check_opts(const ls_restore_opts *opts, ls_err *err) {
    if (opts->output == NULL || opts->output[0] == '\0') {
        return ls_fail(err, LS_EINVALID, "output path required");
    }
    if (opts->txid != 0 && opts->timestamp_ms != LS_NO_TIMESTAMP) {
        ls_fail(err, LS_EINVALID, "cannot specify index & timestamp to restore");
        return ls_hint(err, "give -txid or -timestamp, not both");
    }
    return LS_OK;
}

static ls_code make_plan(ls_storage *s, const ls_restore_opts *opts, ls_plan *plan, ls_err *err) {
    ls_code code = ls_plan_make(s, opts->txid, opts->timestamp_ms, plan, err);
    if (code == LS_OK || code == LS_ENOBACKUP) {
        return code;
    }
    return ls_wrap(err, "cannot calc restore plan");
}

/* The target's temporary file, open and empty. */
static ls_code begin_target(ls_target *t, ls_err *err) {
    if (!t->out.active) {
        return ls_target_begin(t, err);
    }
    return ftruncate(t->out.fd, 0) == 0 ? LS_OK : ls_fail_errno(err, errno, "write %s", t->out.tmp);
}

/* One try: a plan, and its image in the target's temporary file. */
static ls_code try_rebuild(ls_storage *s, const ls_restore_opts *opts, ls_target *t,
                           ls_restore_result *result, ls_err *err) {
    ls_plan plan;
    ls_code code = make_plan(s, opts, &plan, err);
    if (code != LS_OK) {
        return code;
    }
    code = begin_target(t, err);
    if (code == LS_OK) {
        code = ls_rebuild(s, &plan, t->out.fd, t->out.tmp, opts, result, err);
    }
    ls_plan_done(&plan);
    return code;
}

/* The same from a v0.3 replica, where that is the one to restore from. */
static ls_code try_v3(ls_storage *s, const ls_restore_opts *opts, ls_target *t, bool *chosen,
                      ls_restore_result *result, ls_err *err) {
    *chosen = false;
    if (opts->txid != 0 || opts->ltx_only) {
        return LS_OK;
    }
    ls_code code = ls_v3_chosen(s, opts->timestamp_ms, chosen, err);
    if (code == LS_OK && *chosen) {
        code = begin_target(t, err);
        code = code == LS_OK
                   ? ls_v3_rebuild(s, opts->timestamp_ms, t->out.fd, t->out.tmp, opts, result, err)
                   : code;
    }
    return code;
}

static ls_code rebuild(ls_storage *s, const ls_restore_opts *opts, ls_target *t,
                       ls_restore_result *result, ls_err *err) {
    ls_err damage = LS_ERR_INIT;
    ls_code code = LS_OK;
    for (int i = 0; i < TRIES; i++) {
        bool v3;
        ls_err_clear(err);
        code = try_v3(s, opts, t, &v3, result, err);
        code = code == LS_OK && !v3 ? try_rebuild(s, opts, t, result, err) : code;
        /* A hole in a v0.3 replica, which nobody writes to, stays one. */
        if (code != LS_ENOTFOUND && (v3 || code != LS_EGAP) && !ls_resume_spoilt(err, &damage)) {
            break;
        }
    }
    return code;
}

ls_code ls_restore(ls_storage *s, const ls_restore_opts *opts, ls_restore_result *result,
                   ls_err *err) {
    *result = (ls_restore_result){0};
    ls_code code = check_opts(opts, err);
    if (code != LS_OK) {
        return code;
    }
    ls_target t;
    code = ls_target_check(&t, opts->output, opts->force, err);
    if (code == LS_OK) {
        code = rebuild(s, opts, &t, result, err);
    }
    if (code == LS_OK && opts->ready != NULL) {
        code = opts->ready(opts->ready_arg, t.out.fd, t.out.tmp, result, err);
    }
    if (code == LS_OK && opts->integrity != LS_INTEGRITY_NONE) {
        code = ls_integrity_check(t.out.tmp, opts->integrity, opts->cancel, err);
        if (code != LS_OK) {
            (void)ls_wrap(err, "post-restore integrity check");
        }
    }
    if (code == LS_OK && ls_canceled(opts->cancel)) {
        code = ls_fail(err, LS_ECANCELED, "restore canceled");
    }
    if (code == LS_OK) {
        code = ls_target_commit(&t, err);
    }
    ls_target_done(&t);
    return code;
}
