/* The table of checks, and a run of them: see check.h. */
#include "engine/check/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct check {
    const char *name;
    bool each; /* for each database */
    void (*run)(ls_check *c, ls_check_finding *f);
} check;

static const check checks[] = {
    {"sqlite", false, ls_check_sqlite},  {"twice", false, ls_check_twice},
    {"daemon", false, ls_check_daemon},  {"database", true, ls_check_database},
    {"meta", true, ls_check_meta},       {"space", true, ls_check_space},
    {"replica", true, ls_check_replica}, {"writer", true, ls_check_writer},
    {"write", true, ls_check_write},     {"clock", true, ls_check_clock},
};
#define CHECKS (sizeof checks / sizeof checks[0])

const char *ls_check_name(size_t i) { return i < CHECKS ? checks[i].name : NULL; }

const char *ls_check_status_name(ls_check_status status) {
    static const char *const names[] = {[LS_CHECK_OK] = "ok",
                                        [LS_CHECK_WARN] = "warn",
                                        [LS_CHECK_FAIL] = "fail",
                                        [LS_CHECK_SKIP] = "skip"};

    return names[status];
}

/* ---- Which databases ---- */

size_t ls_check_dbs(const ls_config *config) { return config->n_dbs + config->n_found; }

const ls_db_config *ls_check_db(const ls_config *config, size_t i) {
    return i < config->n_dbs ? &config->dbs[i] : config->found[i - config->n_dbs];
}

/* ---- What is found ---- */

void ls_check_say(ls_check_finding *f, ls_check_status status, const char *fmt, ...) {
    va_list args;

    f->status = status;
    va_start(args, fmt);
    (void)vsnprintf(f->text, sizeof f->text, fmt, args);
    va_end(args);
}

void ls_check_hint(ls_check_finding *f, const char *fmt, ...) {
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(f->hint, sizeof f->hint, fmt, args);
    va_end(args);
}

void ls_check_say_err(ls_check_finding *f, ls_check_status status, const ls_err *err) {
    ls_check_say(f, status, "%s", err->msg);
    ls_check_hint(f, "%s", ls_err_hint(err));
}

/* ---- One run ---- */

static size_t run_check(ls_check *c, const check *what, const char *db) {
    ls_check_finding f = {.check = what->name, .db = db};

    what->run(c, &f);
    c->opts->found(c->opts->arg, &f);
    return f.status == LS_CHECK_FAIL;
}

static size_t run_db(ls_check *c, const ls_db_config *db) {
    size_t failed = 0;

    c->db = db;
    c->db_size = -1;
    c->meta = db->meta_path != NULL ? strdup(db->meta_path) : ls_db_default_meta_path(db->path);
    for (size_t i = 0; i < CHECKS; i++) {
        if (checks[i].each)
            failed += run_check(c, &checks[i], db->path);
    }
    ls_storage_free(c->storage);
    free(c->meta);
    *c = (ls_check){.opts = c->opts, .daemon = c->daemon};
    return failed;
}

size_t ls_check_run(const ls_check_opts *opts) {
    ls_check c = {.opts = opts};
    size_t failed = 0;

    for (size_t i = 0; i < CHECKS; i++) {
        if (!checks[i].each)
            failed += run_check(&c, &checks[i], NULL);
    }
    for (size_t i = 0; i < ls_check_dbs(opts->config); i++) {
        const ls_db_config *db = ls_check_db(opts->config, i);
        if (db->path != NULL && (opts->only == NULL || opts->only == db))
            failed += run_db(&c, db);
    }
    json_decref(c.daemon);
    return failed;
}
