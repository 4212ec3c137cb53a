/*
 * The configuration is read again while databases are replicated: first it is seen whether all of
 * it can be, then the databases of the old one that are not in the new one leave, and new ones
 * come. A changed one leaves and comes. So an error changes nothing.
 */
#include "engine/store/internal.h"

#include <stdlib.h>
#include <string.h>

ls_rules ls_rules_of(const ls_config *config) {
    ls_rules s = {.n_levels = (int64_t)config->n_levels,
                  .snapshot_interval = config->snapshot_interval,
                  .snapshot_retention = config->snapshot_retention,
                  .l0_retention = config->l0_retention,
                  .l0_retention_check_interval = config->l0_retention_check_interval,
                  .validation_interval = config->validation_interval,
                  .shutdown_sync_timeout = config->shutdown_sync_timeout,
                  .shutdown_sync_interval = config->shutdown_sync_interval,
                  .retention_enabled = config->retention_enabled,
                  .verify_compaction = config->verify_compaction};
    memcpy(s.levels, config->levels, sizeof(s.levels));
    return s;
}

/* ---- What is to be done ---- */

typedef struct row {
    ls_entry *before; /* of that path, NULL: none */
    bool same;        /* it goes on as it is */
    ls_ids ids;
} row;

typedef struct plan {
    ls_store *store;
    ls_source *source;
    row *rows; /* of each database in source */
    ls_map seen[LS_IDS];
    ls_reload_counts *counts;
    ls_err *err;
} plan;

/* Every database that is to be there afterwards comes here once. */
static ls_code see(plan *p, const ls_ids *ids) {
    ls_code rc = LS_OK;
    for (int kind = 0; rc == LS_OK && kind < LS_IDS; kind++) {
        if (ids->text[kind] == NULL) {
            continue;
        }
        const char *other = ls_map_get(&p->seen[kind], ids->text[kind]);
        rc = other != NULL
                 ? ls_ids_clash((ls_id_kind)kind, ids->text[LS_ID_PATH], other, p->err)
                 : ls_map_put(&p->seen[kind], ids->text[kind], ids->text[LS_ID_PATH], p->err);
    }
    return rc;
}

static bool is_same(const ls_entry *e, const ls_db_config *config) {
    return e != NULL && e->origin == LS_ORIGIN_CONFIG && !ls_halt_leaves(e) &&
           e->config->fingerprint == config->fingerprint;
}

static ls_code look_at(plan *p, size_t i) {
    const ls_db_config *config = &p->source->config.dbs[i];
    row *r = &p->rows[i];
    if (config->dir != NULL) {
        return ls_dirs_check(config, p->err);
    }
    ls_code rc = ls_ids_of(config, &r->ids, p->err);
    if (rc != LS_OK) {
        return rc;
    }
    r->before = ls_set_find(p->store, config->path);
    r->same = is_same(r->before, config);
    if (r->before != NULL) {
        r->before->listed = true;
    }
    return see(p, &r->ids);
}

/* Does it stay although the configuration does not name it? */
static bool stays_unlisted(const ls_entry *e) {
    return e->origin != LS_ORIGIN_CONFIG && !e->gone && !ls_halt_leaves(e);
}

static ls_code look(plan *p) {
    ls_code rc = LS_OK;
    size_t n = p->source->config.n_dbs;
    p->rows = calloc(n + 1, sizeof(*p->rows));
    if (p->rows == NULL) {
        return ls_fail(p->err, LS_ENOMEM, "reload of %zu databases", n);
    }
    for (size_t i = 0; rc == LS_OK && i < n; i++) {
        rc = look_at(p, i);
    }
    for (size_t i = 0; rc == LS_OK && i < p->store->n; i++) {
        const ls_entry *e = p->store->entries[i];
        if (!e->listed && stays_unlisted(e)) {
            rc = see(p, &e->ids);
        }
    }
    return rc;
}

/* ---- Doing it ---- */

static void leave(ls_entry *e, int64_t timeout) {
    int64_t until = ls_store_now() + timeout;
    ls_halt_begin(e, LS_AIM_REMOVE, until < 1 ? 1 : until);
}

static void let_leave(plan *p) {
    for (size_t i = 0; i < p->store->n; i++) {
        ls_entry *e = p->store->entries[i];
        if (!e->listed && e->origin == LS_ORIGIN_CONFIG && !e->gone && !ls_halt_leaves(e)) {
            leave(e, p->store->rules.shutdown_sync_timeout);
            p->counts->removed++;
        }
    }
}

/* What waited since the reload before is in this one, or is no more. */
static ls_code expect(plan *p) {
    ls_code rc = LS_OK;
    ls_set_expect_none(p->store, LS_ORIGIN_CONFIG);
    for (size_t i = 0; rc == LS_OK && i < p->source->config.n_dbs; i++) {
        const row *r = &p->rows[i];
        const ls_coming coming = {.source = p->source,
                                  .config = &p->source->config.dbs[i],
                                  .origin = LS_ORIGIN_CONFIG,
                                  .stopped =
                                      r->before != NULL && r->before->halt == LS_HALT_STOPPED};
        if (r->same || coming.config->dir != NULL) {
            p->counts->kept += r->same;
            continue;
        }
        rc = ls_set_expect(p->store, &coming, p->err);
        if (r->before == NULL || ls_halt_leaves(r->before)) {
            p->counts->added++;
        } else {
            p->counts->changed++;
            leave(r->before, 0); /* its old settings may be what is wrong: one try */
        }
    }
    return rc;
}

static void apply_rules(ls_store *store, const ls_config *config) {
    ls_rules rules = ls_rules_of(config);
    if (memcmp(&rules, &store->rules, sizeof(rules)) == 0) {
        return;
    }
    store->rules = rules;
    for (size_t i = 0; i < store->n; i++) {
        ls_maint_replan(store->entries[i]);
    }
}

static ls_code carry_out(plan *p) {
    ls_code rc = look(p);
    if (rc == LS_OK) {
        apply_rules(p->store, &p->source->config);
        let_leave(p);
        rc = expect(p);
    }
    if (rc == LS_OK) {
        rc = ls_dirs_reload(p->store, p->source, p->err);
    }
    for (size_t i = 0; i < p->store->n; i++) {
        p->store->entries[i]->listed = false;
    }
    for (size_t i = 0; p->rows != NULL && i < p->source->config.n_dbs; i++) {
        ls_ids_done(&p->rows[i].ids);
    }
    for (int kind = 0; kind < LS_IDS; kind++) {
        ls_map_done(&p->seen[kind]);
    }
    free(p->rows);
    return rc;
}

/* ---- Reading it ---- */

static ls_code read_again(ls_store *store, ls_source **source, ls_err *err) {
    ls_config config;
    if (store->reread == NULL) {
        (void)ls_fail(err, LS_EUNSUPPORTED, "there is no configuration to read again");
        return ls_hint(err, "litestream was started with a database and a replica as arguments");
    }
    ls_code rc = store->reread(store->reread_arg, &config, err);
    if (rc != LS_OK) {
        return rc;
    }
    *source = ls_source_new(&config, true);
    if (*source == NULL) {
        ls_config_done(&config);
        return ls_fail(err, LS_ENOMEM, "reload");
    }
    (void)ls_source_use(*source);
    return LS_OK;
}

ls_code ls_reload(ls_store *store, ls_reload_counts *counts, ls_err *err) {
    ls_source *source = NULL;
    *counts = (ls_reload_counts){0};
    ls_code rc = read_again(store, &source, err);
    if (rc == LS_OK) {
        plan p = {.store = store, .source = source, .counts = counts, .err = err};
        rc = carry_out(&p);
        ls_source_drop(source);
    }
    if (rc != LS_OK) {
        ls_log_err(store->log, LS_ERROR,
                   "configuration was not read again, everything goes on as before", err,
                   LS_ATTRS(LS_STR("system", "store")));
        return rc;
    }
    ls_log_write(store->log, LS_INFO, "configuration was read again",
                 LS_ATTRS(LS_STR("system", "store"), LS_INT("added", (int64_t)counts->added),
                          LS_INT("removed", (int64_t)counts->removed),
                          LS_INT("changed", (int64_t)counts->changed),
                          LS_INT("kept", (int64_t)counts->kept)));
    return LS_OK;
}
