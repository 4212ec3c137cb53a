/* Answers: JSON values, errors and the status that fits them. */
#include "engine/base/quote.h"
#include "engine/control/internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- values ---- */

static bool is_utf8(const char *text, size_t len) {
    uint32_t rune;

    while (len > 0) {
        size_t n = ls_utf8_decode(text, len, &rune);
        if (n == 1 && rune == 0xfffd)
            return false;
        text += n;
        len -= n;
    }
    return true;
}

static json_t *repaired(const char *text, size_t len) {
    ls_err err = LS_ERR_INIT;
    ls_code rc = LS_OK;
    uint32_t rune;
    ls_buf buf;

    ls_buf_init(&buf, 3 * len + 1);
    while (len > 0 && rc == LS_OK) {
        size_t n = ls_utf8_decode(text, len, &rune);
        bool bad = n == 1 && rune == 0xfffd;
        rc = ls_buf_add(&buf, bad ? "\xef\xbf\xbd" : text, bad ? 3 : n, &err);
        text += n;
        len -= n;
    }
    json_t *v = rc == LS_OK ? json_string(ls_buf_str(&buf)) : NULL;
    ls_buf_done(&buf);
    return v;
}

json_t *ls_json_text(const char *text) {
    if (text == NULL)
        return json_null();
    size_t len = strlen(text);
    return is_utf8(text, len) ? json_string(text) : repaired(text, len);
}

void ls_json_set(json_t *object, const char *key, json_t *value) {
    (void)json_object_set_new(object, key, value);
}

void ls_json_set_time(json_t *object, const char *key, int64_t ms) {
    char text[32];

    if (ms >= 0)
        ls_json_set(object, key, json_string(ls_time_format(ms, true, text, sizeof text)));
}

void ls_json_set_txid(json_t *object, const char *key, ls_txid txid) {
    char text[LS_TXID_SIZE];

    ls_json_set(object, key, json_string(ls_txid_format(txid, text)));
}

/* ---- answers ---- */

void ls_answer(ls_request *r, unsigned status, json_t *json) {
    if (json == NULL) {
        ls_answer_error(r, MHD_HTTP_INTERNAL_SERVER_ERROR, "out of memory", NULL);
        return;
    }
    json_decref(r->answer);
    r->answer = json;
    r->status = status;
}

void ls_answer_error(ls_request *r, unsigned status, const char *message, const char *details) {
    json_t *o = json_object();

    ls_json_set(o, "error", ls_json_text(message));
    if (details != NULL && details[0] != '\0')
        ls_json_set(o, "details", ls_json_text(details));
    json_decref(r->answer);
    r->answer = o;
    r->status = status;
}

static unsigned status_of(ls_code code) {
    switch (code) {
    case LS_ENOTFOUND:
    case LS_ENOBACKUP:
        return MHD_HTTP_NOT_FOUND;
    case LS_EINVALID:
    case LS_ECONFIG:
    case LS_EUNSUPPORTED:
        return MHD_HTTP_BAD_REQUEST;
    case LS_EEXISTS:
    case LS_EHELD:
        return MHD_HTTP_CONFLICT;
    case LS_ENOTREADY:
    case LS_EBUSY:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    case LS_ETIMEDOUT:
        return MHD_HTTP_GATEWAY_TIMEOUT;
    default:
        return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
}

void ls_answer_err(ls_request *r, unsigned status, const ls_err *err) {
    ls_answer_error(r, status == 0 ? status_of(err->code) : status, err->msg, NULL);
    const char *hint = ls_err_hint(err);
    if (hint[0] != '\0')
        ls_json_set(r->answer, "hint", ls_json_text(hint));
}

/* ---- parameters ---- */

const ls_value *ls_value_of(const ls_request *r, const char *name) {
    static const ls_value none;

    for (size_t i = 0; r->route->params[i].name != NULL; i++) {
        if (strcmp(r->route->params[i].name, name) == 0)
            return &r->values[i];
    }
    return &none;
}

bool ls_request_path(ls_request *r, char **path) {
    ls_err err = LS_ERR_INIT;

    *path = NULL;
    if (ls_path_expand(ls_value_of(r, "path")->str, path, &err) == LS_OK)
        return true;
    (void)ls_wrap(&err, "invalid path");
    ls_answer_err(r, MHD_HTTP_BAD_REQUEST, &err);
    return false;
}
