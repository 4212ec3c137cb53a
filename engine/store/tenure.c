/*
 * The lease of a database's replica: taken before the replica is compared, renewed by the keeper,
 * let go after the last sync. What was read from the replica while nobody held the lease for us
 * does not count: it is compared again.
 */
#include "engine/store/internal.h"

ls_code ls_tenure_init(ls_entry *e, ls_storage **storage, ls_err *err) {
    ls_storage *own = NULL;
    if (!e->config->replica.lease) {
        return LS_OK;
    }
    ls_code rc = ls_config_storage(e->config, &own, err);
    if (rc == LS_OK) {
        ls_storage_set_log(own, e->store->log);
        const ls_lease_opts opts = {.storage = own,
                                    .ttl = e->config->replica.lease_ttl,
                                    .path = e->config->path,
                                    .log = e->store->log};
        rc = ls_lease_new(&opts, &e->lease, err);
    }
    if (rc == LS_OK) {
        rc = ls_keeper_add(e->store->keeper, e->lease, err);
        e->lease = rc == LS_OK ? e->lease : NULL;
    }
    if (rc != LS_OK) {
        ls_storage_free(*storage);
        *storage = NULL;
        return rc;
    }
    return ls_leased_new(*storage, e->lease, storage, err);
}

ls_code ls_tenure_begin(ls_entry *e, ls_err *err) {
    if (e->lease == NULL) {
        return LS_OK;
    }
    ls_code rc = ls_lease_take(e->lease, err);
    if (rc == LS_OK && ls_lease_changed(e->lease)) {
        ls_replica_uncheck(e->replica);
        ls_lease_compared(e->lease);
    }
    return rc;
}

ls_code ls_tenure_go_on(ls_entry *e, ls_err *err) {
    ls_code rc = e->lease != NULL ? ls_lease_take(e->lease, err) : LS_OK;
    if (rc == LS_OK && e->lease != NULL && ls_lease_changed(e->lease)) {
        ls_replica_uncheck(e->replica);
        (void)ls_fail(err, LS_EGAP, "another writer may have written to %s",
                      ls_storage_url(ls_replica_storage(e->replica)));
        rc = ls_hint(err, "it is compared with the local files again");
    }
    return rc;
}

void ls_tenure_end(ls_entry *e) {
    if (e->lease != NULL) {
        ls_lease_release(e->lease);
    }
}

int64_t ls_tenure_pause(const ls_entry *e) { return ls_lease_interval(e->lease); }
