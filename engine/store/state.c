/*
 * Names and copies of what is told of databases.
 */
#include "engine/store/calls.h"

#include <stdlib.h>

static const char *const status_names[] = {
    [LS_DB_REPLICATING] = "replicating",
    [LS_DB_OPEN] = "open",
    [LS_DB_STOPPED] = "stopped",
    [LS_DB_MISSING] = "missing",
    [LS_DB_BEHIND] = "behind",
    [LS_DB_STALLED] = "stalled",
    [LS_DB_ERROR] = "error",
};

const char *ls_db_status_name(ls_db_status status) { return status_names[status]; }

const char *ls_db_status_reference(ls_db_status status) {
    return status_names[status <= LS_DB_STOPPED ? status : LS_DB_REPLICATING];
}

const char *ls_store_op_name(ls_store_op op) {
    static const char *const names[LS_OPS] = {"PUT", "GET", "LIST", "DELETE", "COPY"};
    return names[op];
}

const char *ls_queue_name(ls_queue queue) {
    static const char *const names[LS_QUEUES] = {"local", "remote", "maint"};
    return names[queue];
}

static void error_done(ls_error_state *error) {
    free(error->text);
    free(error->hint);
}

void ls_db_state_done(ls_db_state *state) {
    free(state->path);
    free(state->replica_type);
    free(state->replica_url);
    free(state->meta_path);
    error_done(&state->capture_error);
    error_done(&state->upload_error);
    error_done(&state->maint_error);
}

void ls_store_states_free(ls_db_state *states, size_t n) {
    for (size_t i = 0; states != NULL && i < n; i++) {
        ls_db_state_done(&states[i]);
    }
    free(states);
}
