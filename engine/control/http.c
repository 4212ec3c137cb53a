/*
 * HTTP: a request from its first byte to its answer.
 *
 * libmicrohttpd calls ls_http_handle at the headers, at each piece of the body and at the end. What
 * is wrong with method, path or length is answered at the end too, since a client that still sends
 * would not read it; a body that goes on far past its limit ends the connection.
 */
#include "engine/control/internal.h"

#include <stdlib.h>
#include <string.h>

/* As much of a body that is too long is read and thrown away before the connection is closed. */
#define SKIP_MAX (16 * LS_CONTROL_BODY_MAX)

static enum MHD_Result send_response(ls_request *r, struct MHD_Response *response, const char *type,
                                     const char *allow) {
    if (response == NULL)
        return MHD_NO;
    if (type != NULL)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (allow != NULL)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    enum MHD_Result sent = MHD_queue_response(r->connection, r->status, response);
    MHD_destroy_response(response);
    return sent;
}

/* The body is the response's from here on. */
static enum MHD_Result send_text(ls_request *r, char *text, size_t len, const char *type,
                                 const char *allow) {
    return send_response(r, MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_FREE), type,
                         allow);
}

static enum MHD_Result send_plain(ls_request *r, unsigned status, const char *text,
                                  const char *allow) {
    char *copy = strdup(text);

    r->status = status;
    return copy == NULL ? MHD_NO
                        : send_text(r, copy, strlen(copy), "text/plain; charset=utf-8", allow);
}

static enum MHD_Result send_json(ls_request *r) {
    size_t len = json_dumpb(r->answer, NULL, 0, JSON_COMPACT);
    char *text = len == 0 ? NULL : malloc(len + 1);

    if (text == NULL)
        return MHD_NO;
    (void)json_dumpb(r->answer, text, len, JSON_COMPACT);
    text[len++] = '\n';
    return send_text(r, text, len, "application/json", NULL);
}

static enum MHD_Result send_answer(ls_request *r) {
    if (r->response != NULL)
        return send_response(r, r->response, NULL, NULL);
    if (r->answer == NULL && r->text.len == 0)
        ls_answer_error(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory", NULL);
    if (r->answer != NULL)
        return send_json(r);
    size_t len = r->text.len;
    return send_text(r, ls_buf_steal(&r->text), len, r->type, NULL);
}

/* ---- parameters ---- */

static ls_code query(ls_request *r, ls_err *err) {
    ls_code rc = LS_OK;

    for (size_t i = 0; r->route->params[i].name != NULL && rc == LS_OK; i++) {
        const ls_param *param = &r->route->params[i];
        const char *text =
            MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, param->name);
        if (text != NULL)
            rc = ls_param_parse(param, text, &r->values[i], err);
    }
    return rc;
}

/* false: answered. */
static bool take_params(ls_request *r) {
    bool get = strcmp(r->route->method, "GET") == 0;
    ls_err err = LS_ERR_INIT;

    ls_code rc = get ? query(r, &err)
                     : ls_params_decode(r->route, ls_buf_str(&r->body), r->body.len, r->values,
                                        &r->json, &err);
    if (rc != LS_OK) {
        ls_answer_error(r, MHD_HTTP_BAD_REQUEST, get ? err.msg : "invalid request body",
                        get ? NULL : err.msg);
        return false;
    }
    const char *missing = ls_params_missing(r->route, r->values);
    if (missing == NULL)
        return true;
    (void)ls_fail(&err, LS_EINVALID, "%s required", missing);
    ls_answer_error(r, MHD_HTTP_BAD_REQUEST, err.msg, NULL);
    return false;
}

/* ---- the request ---- */

/* While a handler works the client's silence is not its fault: without this the answer of a call
 * that took longer than the timeout would never be sent. */
static void set_timeout(ls_request *r, unsigned seconds) {
    (void)MHD_set_connection_option(r->connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

static void run_handler(ls_request *r) {
    set_timeout(r, 0);
    if (take_params(r))
        r->route->handle(r);
    set_timeout(r, r->control->timeout_s);
}

static enum MHD_Result finish(ls_request *r, const char *method, const char *url) {
    const char *allow;

    ls_watch_reading(r->control, r->connection, false);
    r->route = ls_route_find(r->where, method, url, &allow);
    if (r->route == NULL && allow[0] != '\0')
        return send_plain(r, MHD_HTTP_METHOD_NOT_ALLOWED, "Method Not Allowed\n", allow);
    if (r->route == NULL)
        return send_plain(r, MHD_HTTP_NOT_FOUND, "404 page not found\n", NULL);
    if (r->skipped > 0) {
        char text[64];
        snprintf(text, sizeof text, "request body is larger than %u bytes", LS_CONTROL_BODY_MAX);
        ls_answer_error(r, MHD_HTTP_CONTENT_TOO_LARGE, text, NULL);
        return send_answer(r);
    }
    if (atomic_load(&r->control->stopping)) {
        ls_answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "the daemon is shutting down", NULL);
        return send_answer(r);
    }
    run_handler(r);
    return send_answer(r);
}

static enum MHD_Result take_body(ls_request *r, const char *data, size_t size) {
    ls_err err = LS_ERR_INIT;

    if (r->skipped == 0 && r->body.len + size <= LS_CONTROL_BODY_MAX)
        return ls_buf_add(&r->body, data, size, &err) == LS_OK ? MHD_YES : MHD_NO;
    r->skipped += size;
    return r->skipped > SKIP_MAX ? MHD_NO : MHD_YES;
}

static ls_request *new_request(ls_listener *listener, struct MHD_Connection *connection) {
    ls_request *r = calloc(1, sizeof *r);

    if (r == NULL)
        return NULL;
    r->control = listener->control;
    r->where = listener->where;
    r->connection = connection;
    ls_buf_init(&r->body, LS_CONTROL_BODY_MAX);
    ls_buf_init(&r->text, LS_CONTROL_ANSWER_BYTES);
    atomic_fetch_add(&r->control->running, 1);
    return r;
}

enum MHD_Result ls_http_handle(void *listener, struct MHD_Connection *connection, const char *url,
                               const char *method, const char *version, const char *data,
                               size_t *size, void **state) {
    ls_request *r = *state;

    (void)version;
    if (r == NULL) {
        *state = new_request(listener, connection);
        return *state == NULL ? MHD_NO : MHD_YES;
    }
    if (*size == 0)
        return finish(r, method, url);
    enum MHD_Result taken = take_body(r, data, *size);
    *size = 0;
    return taken;
}

void ls_http_completed(void *listener, struct MHD_Connection *connection, void **state,
                       enum MHD_RequestTerminationCode how) {
    ls_request *r = *state;
    ls_control *c = ((ls_listener *)listener)->control;

    (void)how;
    ls_watch_reading(c, connection, true);
    if (r == NULL)
        return;
    json_decref(r->json);
    json_decref(r->answer);
    ls_buf_done(&r->body);
    ls_buf_done(&r->text);
    free(r);
    *state = NULL;
    atomic_fetch_sub(&c->running, 1);
}
