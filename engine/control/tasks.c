/* Requests for jobs: verify, restore, the list of jobs, cancel. */
#include "engine/control/internal.h"

#include <stdlib.h>
#include <string.h>

static json_t *accepted(uint64_t id) {
    json_t *o = json_object();

    ls_json_set(o, "status", json_string("queued"));
    ls_json_set(o, "id", json_integer((json_int_t)id));
    return o;
}

/* Opens the database's store and queues the job. */
static void add_job(ls_request *r, const ls_task_spec *spec) {
    ls_control *c = r->control;
    ls_storage *storage = NULL;
    ls_err err = LS_ERR_INIT;
    uint64_t id = 0;

    ls_code rc = ls_store_storage(c->store, spec->path, &storage, &err);
    if (rc == LS_OK)
        rc = ls_jobs_add(c->jobs, spec, storage, &id, &err);
    if (rc == LS_OK)
        ls_answer(r, MHD_HTTP_ACCEPTED, accepted(id));
    else
        ls_answer_err(r, 0, &err);
}

void ls_handle_verify(ls_request *r) {
    ls_task_spec spec = {.kind = LS_TASK_VERIFY, .full = ls_value_of(r, "full")->flag};
    ls_err err = LS_ERR_INIT;
    ls_db_state state;
    char *path;

    if (!ls_request_path(r, &path))
        return;
    if (ls_store_state(r->control->store, path, &state, &err) == LS_OK) {
        spec.path = path;
        spec.meta_path = state.meta_path;
        add_job(r, &spec);
        ls_db_state_done(&state);
    } else {
        ls_answer_err(r, 0, &err);
    }
    free(path);
}

/* ---- restore ---- */

static ls_code take_point(const ls_request *r, ls_task_spec *spec, ls_err *err) {
    const char *txid = ls_value_of(r, "txid")->str, *time = ls_value_of(r, "timestamp")->str;

    spec->timestamp_ms = LS_NO_TIMESTAMP;
    if (txid != NULL && time != NULL)
        return ls_fail(err, LS_EINVALID, "txid and timestamp cannot both be given");
    if (txid != NULL && (!ls_hex64_parse(txid, strlen(txid), &spec->txid) || spec->txid == 0))
        return ls_fail(err, LS_EINVALID, "txid must be 16 hexadecimal digits");
    return time == NULL ? LS_OK : ls_time_parse(time, &spec->timestamp_ms, err);
}

static ls_code take_integrity(const ls_request *r, ls_task_spec *spec, ls_err *err) {
    static const char *const names[] = {
        [LS_INTEGRITY_NONE] = "none", [LS_INTEGRITY_QUICK] = "quick", [LS_INTEGRITY_FULL] = "full"};
    const char *text = ls_value_of(r, "integrity")->str;

    for (int i = 0; text != NULL && i < (int)(sizeof names / sizeof *names); i++) {
        if (strcmp(text, names[i]) == 0) {
            spec->integrity = (ls_integrity)i;
            return LS_OK;
        }
    }
    return text == NULL ? LS_OK
                        : ls_fail(err, LS_EINVALID, "integrity must be none, quick or full");
}

/* A file that the daemon has open must not be replaced under it. */
static ls_code check_output(const ls_request *r, const char *output, ls_err *err) {
    ls_db_state state;

    ls_code rc = ls_store_state(r->control->store, output, &state, err);
    if (rc == LS_ENOTFOUND) {
        ls_err_clear(err);
        return LS_OK;
    }
    if (rc != LS_OK)
        return rc;
    bool stopped = state.status == LS_DB_STOPPED || state.status == LS_DB_MISSING;
    ls_db_state_done(&state);
    if (stopped)
        return LS_OK;
    (void)ls_fail(err, LS_EEXISTS, "output is a database that is replicated: %s", output);
    return ls_hint(err, "stop it first, or restore to another path");
}

void ls_handle_restore(ls_request *r) {
    ls_task_spec spec = {.kind = LS_TASK_RESTORE, .force = ls_value_of(r, "force")->flag};
    ls_err err = LS_ERR_INIT;
    char *path, *output = NULL;

    if (!ls_request_path(r, &path))
        return;
    ls_code rc = ls_path_expand(ls_value_of(r, "output")->str, &output, &err);
    if (rc == LS_OK)
        rc = take_point(r, &spec, &err);
    if (rc == LS_OK)
        rc = take_integrity(r, &spec, &err);
    if (rc == LS_OK)
        rc = check_output(r, output, &err);
    spec.path = path;
    spec.output = output;
    if (rc == LS_OK)
        add_job(r, &spec);
    else
        ls_answer_err(r, 0, &err);
    free(output);
    free(path);
}

/* ---- jobs ---- */

void ls_handle_jobs(ls_request *r) {
    json_t *o = json_object();

    ls_json_set(o, "jobs", ls_jobs_list(r->control->jobs));
    ls_answer(r, MHD_HTTP_OK, o);
}

void ls_handle_jobs_cancel(ls_request *r) {
    const ls_value *id = ls_value_of(r, "id");
    ls_err err = LS_ERR_INIT;
    bool ended = false;

    if (!id->set || id->num <= 0) {
        ls_answer_error(r, MHD_HTTP_BAD_REQUEST, "id required", NULL);
    } else if (ls_jobs_cancel(r->control->jobs, (uint64_t)id->num, &ended, &err) == LS_OK) {
        json_t *o = json_object();
        ls_json_set(o, "status", json_string(ended ? "already_ended" : "canceling"));
        ls_json_set(o, "id", json_integer(id->num));
        ls_answer(r, MHD_HTTP_OK, o);
    } else {
        ls_answer_err(r, 0, &err);
    }
}
